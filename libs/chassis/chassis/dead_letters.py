"""Messages that can never succeed, put aside whole; listed, redriven and discarded from there.

Where an operator stands is the committed offset of the group `<namespace>.<service>.dead-letters`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from chassis.cluster import Cluster
from chassis.names import Names
from chassis.producer import Producer
from chassis.settings import Kafka

PREFIX = "waybill-dead-"
MAX_ERROR_BYTES = 1024
READ_RECORDS = 500
READ_MS = 2000

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Death:
    """Why and when a message was given up."""

    service: str
    group: str
    error: BaseException
    attempts: int
    first_failed_at: datetime

    def headers(self, record: ConsumerRecord) -> Headers:
        error = str(self.error).encode()[:MAX_ERROR_BYTES].decode(errors="ignore")
        texts = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "group": self.group,
            "error-type": type(self.error).__name__,
            "error": error,
            "attempts": self.attempts,
            "first-failed-at": self.first_failed_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "service": self.service,
        }
        return [(f"{PREFIX}{name}", str(text).encode()) for name, text in texts.items()]


@dataclass(frozen=True)
class DeadLetter:
    """A message that was put aside, and where it came from."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    put_aside_at: datetime
    topic: str
    topic_partition: int
    topic_offset: int
    group: str
    error_type: str
    error: str
    attempts: int


async def put_aside(producer: Producer, topic: str, record: ConsumerRecord, death: Death) -> tuple[int, int]:
    """Send the message to the dead letters, bytes unchanged; its partition and offset there."""
    # A message that failed again after a redrive carries only its newest death.
    headers = original_headers(record.headers) + death.headers(record)
    sent = await (await producer.send(topic, record.value, key=record.key, headers=headers))
    return sent.partition, sent.offset


def original_headers(headers: Sequence[tuple[str, bytes]]) -> Headers:
    """The headers that the message had before it died."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


async def list_dead_letters(kafka: Kafka, names: Names, service: str, limit: int = 1000) -> list[DeadLetter]:
    """The oldest dead letters that were neither redriven nor discarded."""
    letters: list[DeadLetter] = []
    async with _open_letters(kafka, names, service) as consumer:
        async for records in _unread(consumer):
            letters.extend(map(_letter, records))
            if len(letters) >= limit:
                break
    return letters[:limit]


async def redrive(kafka: Kafka, names: Names, service: str) -> int:
    """Send every waiting dead letter back to its topic as it was, and step past it; how many."""
    producer = Producer(kafka, f"{names.dead_letters(service)}.redrive")
    count = 0
    try:
        async with _open_letters(kafka, names, service) as consumer:
            async for records in _unread(consumer):
                sent = [
                    await producer.send(
                        _letter(record).topic, record.value, key=record.key, headers=original_headers(record.headers)
                    )
                    for record in records
                ]
                for future in sent:
                    await future
                await consumer.commit()
                count += len(records)
    finally:
        await producer.close()
    return count


async def discard(kafka: Kafka, names: Names, service: str) -> int:
    """Step past every waiting dead letter; how many. They stay readable until the topic forgets them."""
    count = 0
    async with _open_letters(kafka, names, service) as consumer:
        async for records in _unread(consumer):
            count += len(records)
        await consumer.commit()
    return count


@asynccontextmanager
async def _open_letters(kafka: Kafka, names: Names, service: str) -> AsyncIterator[AIOKafkaConsumer]:
    topic = names.dead_letters(service)
    consumer = AIOKafkaConsumer(
        **kafka.client(f"{topic}.reader"), group_id=topic, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, partition) for partition in await _partitions(kafka, topic)])
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(kafka: Kafka, topic: str) -> list[int]:
    cluster = Cluster(kafka, f"{topic}.reader")
    try:
        return await cluster.partitions(topic)
    finally:
        await cluster.close()


async def _unread(consumer: AIOKafkaConsumer) -> AsyncIterator[list[ConsumerRecord]]:
    """From the committed offsets to the ends as they are now; positions never pass what was yielded."""
    places = list(consumer.assignment())
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places) if places else {}
    while behind := [place for place in places if await consumer.position(place) < ends[place]]:
        found: dict[TopicPartition, list[Any]] = await consumer.getmany(
            *behind, timeout_ms=READ_MS, max_records=READ_RECORDS
        )
        for place, records in found.items():
            if records[-1].offset >= ends[place]:
                consumer.seek(place, ends[place])
        fresh = [record for place, records in found.items() for record in records if record.offset < ends[place]]
        if fresh:
            yield fresh


def _letter(record: ConsumerRecord) -> DeadLetter:
    texts = {
        name.removeprefix(PREFIX): value.decode(errors="replace")
        for name, value in record.headers
        if name.startswith(PREFIX)
    }
    return DeadLetter(
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=original_headers(record.headers),
        put_aside_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        topic=texts["topic"],
        topic_partition=int(texts["partition"]),
        topic_offset=int(texts["offset"]),
        group=texts["group"],
        error_type=texts["error-type"],
        error=texts["error"],
        attempts=int(texts["attempts"]),
    )
