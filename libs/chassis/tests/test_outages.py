"""A server that goes away is noticed and named within ten seconds, and its return needs nobody's help."""

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from chassis.database import open_pool
from chassis.dead_letters import list_dead_letters
from chassis.messaging import emit, once
from chassis.service import Service
from chassis.settings import Kafka, Postgres, Settings
from chassis.testing import running
from stack.servers import Stack
from waybill_contracts import FileGone, FileLoaded
from waybill_contracts.codec import encode

AWAY_SECONDS = 8


async def until(condition: Callable[[], bool], seconds: float) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not come true in time"
        await asyncio.sleep(0.1)
    return time.monotonic() - started


def gone() -> FileGone:
    return FileGone(organisation="acme", table="orders", file_id=uuid4(), presence="gone")


@pytest.mark.parametrize("way", ["kill", "pause"])
@pytest.mark.parametrize("server", ["kafka", "postgresql"])
async def test_a_server_away_under_load_is_named_and_nothing_is_lost(own_stack: Stack, server: str, way: str) -> None:
    environment = own_stack.environment(f"t{len(server):02}{way}")
    settings = Settings(
        namespace=environment["WAYBILL_NAMESPACE"],
        manage=True,
        kafka=Kafka(bootstrap_servers=environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]),
        postgres=Postgres(dsn=environment["WAYBILL_POSTGRES__DSN"]),
    )
    passed_on: set[str] = set()
    async with open_pool(settings.dsn, settings.names.schema("smoke")) as db:

        async def note(event: FileGone) -> None:
            async with once(db, event) as tx:
                await emit(tx, loaded(event))

        async def end(event: FileLoaded) -> None:
            passed_on.add(str(event.file_id))

        service = Service("smoke", "chassis.migrations", handles={FileGone: note, FileLoaded: end}, emits=[FileLoaded])
        producer = AIOKafkaProducer(**settings.kafka.producer("test"))
        async with running(service, settings, db) as app, producer:
            await until(lambda: app.health.reasons() == {}, 10)
            sent: list[FileGone] = []
            load = asyncio.create_task(send_steadily(producer, settings, sent))
            await until(lambda: len(passed_on) > 5, 10)
            getattr(own_stack.server(server), way)()
            noticed = await until(lambda: server in app.health.reasons(), 10)
            await asyncio.sleep(AWAY_SECONDS - noticed)
            if way == "kill":
                await asyncio.to_thread(own_stack.server(server).start)
            else:
                own_stack.server(server).resume()
            back = await until(lambda: app.health.reasons() == {}, 10)
            print(f"{server} {way}: not ready after {noticed:.1f} s, ready again {back:.1f} s after its return")
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
            await producer.flush()
            wanted = {str(event.file_id) for event in sent}
            await until(lambda: wanted <= passed_on, 30)
            assert await list_dead_letters(settings.kafka, settings.names, "smoke") == []


async def send_steadily(producer: AIOKafkaProducer, settings: Settings, sent: list[FileGone]) -> None:
    while True:
        event = gone()
        message = encode(event, source="/test", time=datetime.now(UTC), namespace=settings.namespace)
        await producer.send(message.topic, message.value, key=message.key, headers=message.headers)
        sent.append(event)
        await asyncio.sleep(0.05)


POSITIONS = itertools.count(1)


def loaded(event: FileGone) -> FileLoaded:
    counts = {"attempt": 1, "position": next(POSITIONS), "rows": {}, "checksum": "0" * 32}
    return FileLoaded(organisation="acme", table="orders", file_id=event.file_id, **counts)
