"""waybill doctor: whether everything Waybill needs can be reached and is set up."""

import typer
from aiokafka.errors import KafkaError
from chassis.cluster import Cluster

from waybill import output
from waybill.environment import CliSettings, nearest_folder, settings
from waybill.output import run
from waybill.requests import no_kafka
from waybill.stores import open_bucket, open_documents, open_stores


def doctor() -> None:
    """Whether everything Waybill needs can be reached and is set up; each line says what to do."""

    async def work() -> int:
        using = settings()
        folder = nearest_folder()
        output.say(f"settings: the environment{f', then {folder}/stack.env' if folder else ''}")
        return await _examine(using)

    if run(work()):
        raise typer.Exit(output.UNREACHABLE)


async def _examine(using: CliSettings) -> int:
    checks = {"PostgreSQL": _postgres, "Kafka": _kafka, "MongoDB": _mongo, "object store": _bucket}
    problems = 0
    for name, check in checks.items():
        try:
            output.write(f"ok       {name}: {await check(using)}")
        except Exception as error:  # noqa: BLE001 - a doctor reports whatever is wrong
            problems += 1
            output.write(f"PROBLEM  {name}: {error or type(error).__name__}")
    return problems


async def _postgres(using: CliSettings) -> str:
    async with open_stores(using) as stores:
        version = await stores.db.fetchval("SHOW server_version")
        room = await stores.db.fetchval("SHOW max_connections")
        return f"version {version}, at most {room} connections"


async def _kafka(using: CliSettings) -> str:
    cluster = Cluster(using.kafka, "waybill.doctor")
    try:
        topics = await cluster.topics()
    except (KafkaError, OSError) as error:
        raise no_kafka(using, error) from None
    finally:
        await cluster.close()
    ours = sorted(topic for topic in topics if topic.startswith(f"{using.namespace}."))
    return f"{len(ours)} topics of {using.namespace}"


async def _mongo(using: CliSettings) -> str:
    async with open_documents(using) as documents:
        hello = await documents.command("hello")
        kind = f"replica set {hello['setName']}" if "setName" in hello else "NO replica set: majority writes need one"
        return f"{kind}, {len(await documents.list_collection_names())} collections"


async def _bucket(using: CliSettings) -> str:
    assert using.s3
    async with open_bucket(using) as bucket:
        versioning = await bucket.get_bucket_versioning(Bucket=using.s3.bucket)
        rules = await bucket.get_bucket_notification_configuration(Bucket=using.s3.bucket)
    if versioning.get("Status") != "Enabled":
        raise output.Refusal(f"bucket {using.s3.bucket} is not versioned; switch versioning on")
    notified = (
        "notifies Kafka" if rules.get("QueueConfigurations") else "sends NO notifications (the sweep finds files)"
    )
    return f"bucket {using.s3.bucket} is versioned and {notified}"
