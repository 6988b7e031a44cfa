"""Publishes the outbox: one leader per schema by advisory lock, scan by flag, order per key."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, Protocol

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from chassis.database import CONNECTION_ERRORS, connect
from chassis.names import Names
from chassis.telemetry import OUTBOX_OLDEST, OUTBOX_PENDING, OUTBOX_PUBLISHED

BATCH_ROWS = 500
POLL_SECONDS = 5.0
RETRY_SECONDS = 1.0
MEASURE_SECONDS = 5.0
FROZEN_SECONDS = 30
KEEP_DAYS = 30

log = structlog.get_logger()


class Producer(Protocol):
    """What the relay needs of the Kafka producer: `send` gives a future of the record's place."""

    async def send(
        self, topic: str, value: bytes | None, *, key: bytes | None, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]": ...


class Relay:
    """Sends what was emitted and marks it, on the connection that holds the lock; a lost lock can only double."""

    def __init__(self, dsn: str, service: str, names: Names, producer: Producer) -> None:
        self._dsn = dsn
        self._schema = names.schema(service)
        self._source = f"/{names.namespace}/{service}"
        self._names = names
        self._producer = producer
        self._wake = asyncio.Event()
        self.is_leader = False

    async def run(self) -> None:
        """Lead or wait to lead until cancelled; a lost connection is only a pause."""
        while True:
            try:
                await self._lead()
            except CONNECTION_ERRORS as error:
                log.warning("relay lost its connection", error=type(error).__name__)
            self.is_leader = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _lead(self) -> None:
        connection = await connect(self._dsn, self._schema)
        try:
            while not await self._try_lock(connection):  # noqa: ASYNC110 - the leader is another process
                await asyncio.sleep(RETRY_SECONDS)
            # A leader that is frozen keeps its connection, and so the lock, for as long as the server lets it.
            await connection.execute("SELECT set_config('idle_session_timeout', $1, false)", f"{FROZEN_SECONDS}s")
            self.is_leader = True
            await connection.add_listener(f"{self._schema}_outbox", lambda *_: self._wake.set())
            connection.add_termination_listener(lambda _: self._wake.set())
            await self._tend(connection)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(connection.close(), 2)

    async def _try_lock(self, connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
        query = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
        return bool(await connection.fetchval(query, f"{self._schema} relay"))

    async def _tend(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        measured = 0.0
        while True:
            self._wake.clear()
            published = await publish_pending(connection, self._producer, self._names, self._source)
            now = asyncio.get_running_loop().time()
            if now - measured > MEASURE_SECONDS:
                measured = now
                await self._measure_and_prune(connection)
            if published < BATCH_ROWS:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)

    async def _measure_and_prune(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        row = await connection.fetchrow(
            "SELECT count(*) AS pending, coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float8 AS oldest"
            " FROM outbox WHERE published_at IS NULL"
        )
        if row:
            OUTBOX_PENDING.set(row["pending"])
            OUTBOX_OLDEST.set(row["oldest"])
        await connection.execute("DELETE FROM outbox WHERE published_at < now() - make_interval(days => $1)", KEEP_DAYS)
        await connection.execute(
            "DELETE FROM inbox WHERE handled_at < now() - make_interval(days => $1)", 2 * KEEP_DAYS
        )


async def publish_pending(
    connection: "asyncpg.Connection[asyncpg.Record]", producer: Producer, names: Names, source: str
) -> int:
    """Send the oldest unpublished rows, mark what arrived before any failure of its key; how many were marked."""
    rows = await connection.fetch(
        "SELECT seq, topic, aggregateid, payload, headers FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT $1",
        BATCH_ROWS,
    )
    if not rows:
        return 0
    futures: list[asyncio.Future[Any] | BaseException] = []
    for row in rows:
        futures.append(await _start_send(producer, names, source, row))
    outcomes = [future if isinstance(future, BaseException) else await _outcome(future) for future in futures]
    sent = _before_failure(zip(rows, outcomes, strict=True))
    await connection.executemany(
        'UPDATE outbox SET published_at = now(), "partition" = $2, "offset" = $3 WHERE seq = $1', sent
    )
    OUTBOX_PUBLISHED.inc(len(sent))
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        log.warning("relay could not send", failed=len(failures), error=type(failures[0]).__name__)
        await asyncio.sleep(RETRY_SECONDS)
    return len(sent)


async def _start_send(
    producer: Producer, names: Names, source: str, row: asyncpg.Record
) -> "asyncio.Future[Any] | BaseException":
    headers = [(name, value.encode()) for name, value in row["headers"].items()]
    headers.append(("ce_source", source.encode()))
    try:
        # One after the other: the producer keeps the order in which sends begin.
        return await producer.send(
            names.topic(row["topic"]), row["payload"], key=row["aggregateid"].encode(), headers=headers
        )
    except (KafkaError, OSError) as error:
        return error


async def _outcome(future: "asyncio.Future[Any]") -> Any:
    try:
        return await future
    except (KafkaError, OSError) as error:
        return error


def _before_failure(results: Iterable[tuple[asyncpg.Record, Any]]) -> list[tuple[int, int, int]]:
    failed: set[tuple[str, str]] = set()
    sent = []
    for row, result in results:
        key = (row["topic"], row["aggregateid"])
        if isinstance(result, BaseException):
            failed.add(key)
        elif key not in failed:
            sent.append((row["seq"], result.partition, result.offset))
    return sent
