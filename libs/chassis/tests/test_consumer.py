"""Every message ends done, put aside or read again, on a real Kafka and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from chassis import consumer
from chassis.cluster import Cluster
from chassis.database import Pool, open_pool
from chassis.dead_letters import discard, list_dead_letters, redrive
from chassis.errors import Unprocessable
from chassis.intake import RawMessage
from chassis.messaging import Context, current, once
from chassis.service import Service
from chassis.settings import Kafka, Postgres, Settings
from chassis.testing import running
from faststream import AckPolicy
from stack.namespaces import Namespace
from waybill_contracts import FileGone, FileLoaded
from waybill_contracts.codec import Message, encode

Handle = Callable[[Any], Awaitable[None]]


class Installation:
    """One service's surroundings: what tests send to it and ask of it."""

    def __init__(self, settings: Settings, db: Pool, producer: AIOKafkaProducer, cluster: Cluster) -> None:
        self.settings, self.db, self.producer, self.cluster = settings, db, producer, cluster
        self.names = settings.names
        self.files = self.names.topic("files")

    def service(self, handle: Handle, **more: Any) -> Service:
        return Service("smoke", "chassis.migrations", handles={FileGone: handle}, **more)

    async def send(self, *messages: Message, topic: str | None = None, **changed: Any) -> None:
        for message in messages:
            parts = {"value": message.value, "key": message.key, "headers": message.headers, **changed}
            await self.producer.send_and_wait(topic or self.files, partition=0, **parts)

    async def dead(self) -> list[str]:
        letters = await list_dead_letters(self.settings.kafka, self.names, "smoke")
        return [letter.error_type for letter in letters]

    async def committed(self, noun: str = "files") -> int:
        return (await self.cluster.committed(self.names.group("smoke", noun), self.names.topic(noun))).get(0, 0)


@pytest.fixture
async def here(namespace: Namespace) -> AsyncIterator[Installation]:
    environment = namespace.environment
    kafka = Kafka(bootstrap_servers=environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"])
    settings = Settings(
        namespace=namespace.name,
        manage=True,
        kafka=kafka,
        postgres=Postgres(dsn=environment["WAYBILL_POSTGRES__DSN"]),
    )
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_pool(settings.dsn, settings.names.schema("smoke")))
        cluster = Cluster(kafka, "test")
        stack.push_async_callback(cluster.close)
        producer = AIOKafkaProducer(**kafka.client("test"))
        await producer.start()
        stack.push_async_callback(producer.stop)
        yield Installation(settings, db, producer, cluster)


def gone(table: str = "orders") -> FileGone:
    return FileGone(organisation="acme", table=table, file_id=uuid4(), presence="gone")


def sent(event: Any) -> Message:
    return encode(event, source="/test", time=datetime.now(UTC))


def with_header(message: Message, name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    return [header for header in message.headers if header[0] != name] + [(name, value)]


async def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


async def test_good_messages_are_handled_and_bad_ones_put_aside_unchanged(here: Installation) -> None:
    handled: list[FileGone] = []

    async def handle(event: FileGone) -> None:
        if event.table == "bug":
            raise ZeroDivisionError("a bug")
        handled.append(event)

    good, bug, last = gone(), gone("bug"), gone("last")
    message = sent(good)
    async with running(here.service(handle), here.settings, here.db):
        await here.send(message)
        await here.send(message, headers=with_header(message, "odd", None))
        await here.send(message, headers=with_header(message, "odd", b"\xff\xfe"))
        await here.send(message, value=b"{not json")
        await here.send(message, value=b'{"organisation": 1}')
        await here.send(message, headers=with_header(message, "ce_type", b"waybill.file-gone.v9"))
        await here.send(message, headers=with_header(message, "ce_type", b"waybill.never-heard-of.v1"))
        await here.send(message, headers=[])
        await here.send(message, value=None)
        await here.send(sent(bug))
        await here.send(sent(last))
        await until(lambda: last in handled)
        await until(lambda: _is(here.committed, 11))
    assert handled == [good, last]
    letters = await list_dead_letters(here.settings.kafka, here.names, "smoke")
    assert sorted(letter.error_type for letter in letters) == sorted(
        ["Unreadable"] * 5 + ["UnknownVersion", "ZeroDivisionError"]
    )
    by_offset = {letter.topic_offset: letter for letter in letters}
    assert by_offset[1].headers == with_header(message, "odd", None)
    assert by_offset[2].headers == with_header(message, "odd", b"\xff\xfe")
    assert (by_offset[3].value, by_offset[3].key) == (b"{not json", b"acme/orders")
    assert (by_offset[9].attempts, by_offset[3].attempts) == (3, 1)
    assert by_offset[9].group == here.names.group("smoke", "files")


async def _is(ask: Callable[[], Awaitable[Any]], wanted: Any) -> bool:
    return bool(await ask() == wanted)


async def test_a_store_that_is_away_costs_neither_the_message_nor_a_dead_letter(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Far longer than the group lets a consumer be silent.
    monkeypatch.setitem(consumer.SUBSCRIBER_SETTINGS, "max_poll_interval_ms", 3_000)
    is_away, handled = True, []

    async def handle(event: FileGone) -> None:
        if is_away:
            raise ConnectionRefusedError("the store is away")
        handled.append(event)

    events = [gone() for _ in range(5)]
    async with running(here.service(handle), here.settings, here.db) as app:
        await here.send(*map(sent, events))
        await until(lambda: "the store is away" in str(app.health.reasons()))
        await asyncio.sleep(10)
        assert "the store is away" in str(app.health.reasons())
        assert await here.committed() == 0
        is_away = False
        await until(lambda: len(handled) == 5, seconds=10)
        await until(lambda: _is(here.committed, 5))
        assert app.health.reasons() == {}
    assert handled == events
    assert await here.dead() == []


async def test_a_flood_of_dead_letters_holds_the_consumer_until_they_are_discarded(here: Installation) -> None:
    handled: list[FileGone] = []

    async def handle(event: FileGone) -> None:
        if event.table == "bad":
            raise Unprocessable("no good")
        handled.append(event)

    service = here.service(handle)
    async with running(service, here.settings, here.db) as app:
        await here.send(*[sent(gone("bad")) for _ in range(12)], sent(gone()))
        await until(lambda: "held" in str(app.health.reasons()))
        await asyncio.sleep(3)
        assert len(await here.dead()) == 10
        assert await here.committed() == 10
        row = await here.db.fetchrow("SELECT * FROM consumers")
        assert row
        assert (row["dead_in_a_row"], row["reason"]) == (10, "Unprocessable: no good")
    async with running(service, here.settings, here.db) as app:
        await asyncio.sleep(3)
        assert "10 dead letters in a row" in app.health.reasons()["consumer of files"]
        assert (len(await here.dead()), handled) == (10, [])
        assert await discard(here.settings.kafka, here.names, "smoke") == 10
        await until(lambda: len(handled) == 1)
        await until(lambda: app.health.reasons() == {})
    assert await here.dead() == ["Unprocessable"] * 2


async def test_a_redriven_dead_letter_is_handled_as_it_came(here: Installation) -> None:
    is_mended, contexts = False, []

    async def handle(event: FileGone) -> None:
        if not is_mended:
            raise Unprocessable("not mended yet")
        async with once(here.db, event):
            contexts.append(current.get())

    event = gone()
    async with running(here.service(handle), here.settings, here.db):
        await here.send(sent(event))
        await until(lambda: _is(here.dead, ["Unprocessable"]))
        is_mended = True
        assert await redrive(here.settings.kafka, here.names, "smoke") == 1
        await until(lambda: contexts)
        assert await redrive(here.settings.kafka, here.names, "smoke") == 0
    assert contexts == [
        Context(causation_id=str(event.id), correlation_id=str(event.file_id), replay_id=None, trace={})
    ]
    assert await here.dead() == []


async def test_a_second_delivery_is_done_without_effect(here: Installation) -> None:
    count = 0

    async def handle(event: FileGone) -> None:
        nonlocal count
        async with once(here.db, event):
            count += 1

    message = sent(gone())
    async with running(here.service(handle), here.settings, here.db):
        await here.send(message, message, message)
        await until(lambda: _is(here.committed, 3))
    assert (count, await here.dead()) == (1, [])


async def test_a_poison_message_leaves_its_batch_and_the_others_are_handled(here: Installation) -> None:
    handled: list[int] = []
    sizes: list[int] = []

    async def register(messages: list[RawMessage]) -> None:
        sizes.append(len(messages))
        if any(message.value == b"poison" for message in messages):
            raise KeyError("poison")
        handled.extend(message.offset for message in messages)

    topic = here.names.topic("bucket-notifications")
    service = Service("smoke", "chassis.migrations", batches={"bucket-notifications": register})
    async with running(service, here.settings, here.db) as app:
        await app.stop()
    for number in range(200):
        await here.producer.send(topic, b"poison" if number == 50 else b"good", partition=0)
    await here.producer.flush()
    async with running(service, here.settings, here.db):
        await until(lambda: _is(lambda: here.committed("bucket-notifications"), 200), seconds=30)
    assert set(handled) == set(range(200)) - {50}
    assert max(sizes) > 1
    assert await here.dead() == ["KeyError"]


async def test_no_subscriber_acknowledges_before_the_end_or_makes_topics_or_replies(here: Installation) -> None:
    async def handle(_: Any) -> None: ...

    service = Service(
        "smoke",
        "chassis.migrations",
        handles={FileGone: handle, FileLoaded: handle},
        batches={"bucket-notifications": handle},
    )
    async with running(service, here.settings, here.db) as app:
        broker = app._consumers._broker
        assert broker
        assert len(broker.subscribers) == 3
        for subscriber in broker.subscribers:
            assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR
            assert subscriber._no_reply
            inner: Any = subscriber.consumer  # type: ignore[attr-defined]
            assert not inner._enable_auto_commit
        assert not broker.config.allow_auto_create_topics
