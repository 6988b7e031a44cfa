"""Kafka's jars, resolved from Maven Central and compared with the hashes they had when they were chosen."""

import hashlib
import logging
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

from stack.errors import StackError
from stack.progress import Progress

VERSION = "4.3.1"
# The broker comes without a binding for its log; a server without a log cannot say why it died.
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
FOLDER = f"kafka-{VERSION}"


def make(into: Path, progress: Progress) -> None:
    """All jars of the broker under `into`, each with the expected hash."""
    # Slow to import, and only needed here.
    from jgo.env import EnvironmentBuilder, LinkStrategy
    from jgo.maven import MavenContext

    progress.say("kafka", f"resolving and downloading {VERSION}")
    logging.getLogger("jgo").setLevel(logging.ERROR)
    work = into / "resolve"
    context = MavenContext(repo_cache=work / "repository", timeout=60)
    builder = EnvironmentBuilder(context=context, cache_dir=work, link_strategy=LinkStrategy.COPY)
    for jar in _resolve(builder, f"org.apache.kafka:kafka_2.13:{VERSION}"):
        shutil.move(jar, into / jar.name)
    # Resolved apart: its own dependency management would replace versions the broker needs.
    for jar in _resolve(builder, LOG_BINDING):
        if jar.name.startswith("log4j-slf4j-impl"):
            shutil.move(jar, into / jar.name)
    shutil.rmtree(work)
    check(into, files("stack").joinpath("kafka.sha256").read_text())


def _resolve(builder: Any, coordinate: str) -> list[Path]:
    return list(Path(builder.from_endpoint(coordinate).path).glob("*/*.jar"))


def check(folder: Path, expected: str) -> None:
    """Every listed jar is there with the listed hash, and no other."""
    wanted = {name: digest for digest, name in (line.split() for line in expected.splitlines())}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise StackError(f"Kafka {VERSION}: jars missing, unexpected or altered: {', '.join(wrong)}")
