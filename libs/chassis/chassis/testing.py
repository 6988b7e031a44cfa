"""What tests of services need: a schema of their own on a real PostgreSQL, and the events that were emitted into it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import structlog
from waybill_contracts import Event
from waybill_contracts.codec import decode

from chassis.app import App
from chassis.database import Pool, connect, migrate, open_pool
from chassis.service import Service
from chassis.settings import Settings
from chassis.sql import sql

START_SECONDS = 30.0
# structlog's own default draws every variable of a traceback, which takes seconds.
_PLAIN: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
]


@asynccontextmanager
async def fresh_schema(dsn: str, *packages: str) -> AsyncIterator[Pool]:
    """A pool on a new schema that holds the chassis' tables and the packages' own; dropped at the end."""
    schema = f"test_{uuid4().hex[:12]}"
    await migrate(dsn, schema, "chassis.migrations", *packages)
    try:
        async with open_pool(dsn, schema) as pool:
            yield pool
    finally:
        connection = await connect(dsn, schema)
        await connection.execute(sql("DROP SCHEMA {schema} CASCADE", schema=schema))
        await connection.close()


async def outbox(db: Pool) -> list[Event]:
    """Every event that was emitted, oldest first, read back as a consumer would."""
    rows = await db.fetch("SELECT payload, headers FROM outbox ORDER BY seq")
    return [decode(row["payload"], _headers(row["headers"])).event for row in rows]


def _headers(headers: dict[str, str]) -> list[tuple[str, bytes | None]]:
    # The relay knows the source; the outbox does not hold it.
    return [(name, value.encode()) for name, value in ({"ce_source": "/test"} | headers).items()]


@asynccontextmanager
async def running(service: Service, settings: Settings, db: Pool) -> AsyncIterator[App]:
    """The service at work in this process, once it is started; stopped at the end."""
    structlog.configure(processors=_PLAIN)
    app = App(service, settings, db)
    work = asyncio.create_task(app.run())
    try:
        async with asyncio.timeout(START_SECONDS):
            await asyncio.wait({work, asyncio.create_task(app.started.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await work
        yield app
    finally:
        await app.stop()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
