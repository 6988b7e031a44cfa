"""Apache Kafka as one node (broker and controller in one process)."""

import asyncio
import logging
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from stack.cache import keep
from stack.errors import StackError
from stack.ports import Ports, is_listening
from stack.server import Server

if TYPE_CHECKING:
    from stack.fetch import Programs

CLUSTER_ID = "d2F5YmlsbC1sb2NhbC1zdA"  # any 16 bytes: no two stacks ever meet
JVM = ["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k"]
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
# Dead letters stay 30 days; so does what was already redriven or discarded of them.
offsets.retention.minutes=43200
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
log.index.size.max.bytes=1048576
"""
# Tests make and delete many small topics; the files of a deleted one should not outlive the test by a minute.
PROPERTIES += "log.segment.delete.delay.ms=1000\n"
LOGGING = """\
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""


def server(programs: "Programs", folder: Path, ports: Ports) -> Server:
    """Kafka with its data in `folder`/kafka."""
    home = folder / "kafka"
    java = [str(programs.java), *JVM, f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}"]
    java += ["-cp", f"{programs.kafka_jars}/*"]
    return Server(
        "kafka",
        [*java, "kafka.Kafka", str(home / "server.properties")],
        folder / "logs/kafka.log",
        folder=folder,
        prepare=lambda: _prepare([*java, "kafka.tools.StorageTool", "format"], programs.kafka_jars, home, ports),
        answers=lambda: _answers(ports.kafka),
    )


def _prepare(format_storage: list[str], jars: Path, home: Path, ports: Ports) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "log4j2.properties").write_text(LOGGING)
    data = home / "data"
    _write_properties(home, data, ports)
    if not data.exists():
        # Formatting takes a JVM of its own and its result is the same every time, so it is done once and copied.
        formatted = keep(jars.parent, f"{jars.name}-storage", lambda into: _format(format_storage, into))
        shutil.copytree(formatted / "data", home / "data.aside", dirs_exist_ok=True)
        (home / "data.aside").rename(data)


def _write_properties(home: Path, data: Path, ports: Ports) -> None:
    properties = PROPERTIES.format(port=ports.kafka, controller=ports.kafka_controller, data=data)
    (home / "server.properties").write_text(properties)


def _format(format_storage: list[str], into: Path) -> None:
    _write_properties(into, into / "data", Ports())
    command = [*format_storage, "-c", str(into / "server.properties"), "-t", CLUSTER_ID]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"kafka: its storage could not be prepared\n{done.stdout}{done.stderr}")


def _answers(port: int) -> bool:
    # Asked only once something listens: the client complains in the log about a port where nothing does.
    return is_listening(port) and asyncio.run(_metadata_names_a_broker(port))


async def _metadata_names_a_broker(port: int) -> bool:
    # Slow to import, and only needed here.
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=2_000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except KafkaError:
        return False
    finally:
        await admin.close()
