"""What stands in the topics of an installation, and how far it is read."""

import json
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from installation import SERVICES, Installation, until


async def messages(installation: Installation, noun: str, of: str, count: int) -> list[ConsumerRecord]:
    """The messages of a topic about one dataset, oldest first, once there are so many."""
    found: list[ConsumerRecord] = []

    async def are_there() -> bool:
        found[:] = await _read(installation, noun, of)
        return len(found) == count

    await until(are_there, 60, lambda: f"{len(found)} of {count} messages about {of} are in {noun}")
    return found


async def _read(installation: Installation, noun: str, of: str) -> list[ConsumerRecord]:
    servers = installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]
    consumer = AIOKafkaConsumer(f"{installation.namespace}.{noun}", bootstrap_servers=servers)
    await consumer.start()
    try:
        places = consumer.assignment()
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        found: list[ConsumerRecord] = []
        for place in [place for place in places if ends[place]]:
            while await consumer.position(place) < ends[place]:
                found += [
                    record for batch in (await consumer.getmany(place, timeout_ms=500)).values() for record in batch
                ]
        return [record for record in found if record.key == of.encode()]
    finally:
        await consumer.stop()


async def dead_letters(installation: Installation, service: str) -> list[dict[str, str]]:
    """What the service has put aside, as the command line lists it."""
    code, out, complaint = await installation.waybill("dead-letter", "list", service, "--json")
    assert code == 0, complaint
    found: list[dict[str, str]] = json.loads(out)
    return found


async def until_all_is_read(installation: Installation, services: Sequence[str] = SERVICES) -> None:
    """Each service has seen every message of its topics to the end."""
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"])
    consumer = AIOKafkaConsumer(bootstrap_servers=installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"])
    await admin.start()
    await consumer.start()

    async def is_read() -> bool:
        prefixes = tuple(f"{installation.namespace}.{name}." for name in services)
        groups = [group for group, _ in await admin.list_consumer_groups() if group.startswith(prefixes)]
        for group in [group for group in groups if not group.endswith(".dead-letters")]:
            (topic,) = await admin.describe_topics([f"{installation.namespace}.{group.split('.')[2]}"])
            places = [TopicPartition(topic["topic"], each["partition"]) for each in topic["partitions"]]
            read = {place: at.offset for place, at in (await admin.list_consumer_group_offsets(group)).items()}
            starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            if any(ends[place] > max(starts[place], read.get(place, 0)) for place in places):
                return False
        return bool(groups)

    try:
        await until(is_read, 60, "messages are still on their way")
    finally:
        await consumer.stop()
        await admin.close()


async def forget_messages(installation: Installation, noun: str) -> None:
    """The topic is as if nothing had ever been sent on it."""
    servers = installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]
    topic = f"{installation.namespace}.{noun}"
    consumer, admin = AIOKafkaConsumer(topic, bootstrap_servers=servers), AIOKafkaAdminClient(bootstrap_servers=servers)
    await consumer.start()
    await admin.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await admin.delete_records({place: RecordsToDelete(before_offset=end) for place, end in ends.items() if end})
    finally:
        await consumer.stop()
        await admin.close()
