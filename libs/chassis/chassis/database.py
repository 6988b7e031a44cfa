"""PostgreSQL: pools whose connections live in one schema, and migrations."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson

from chassis.sql import sql

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Tx = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Tx = asyncpg.Connection
"""A Tx is a connection inside a transaction."""

CONNECTION_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a connection of one's own can end with; the next one may do better."""
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 600.0
TRANSACTION_SECONDS = 600.0
"""A process that is frozen inside a statement keeps its locks no longer, from PostgreSQL 17 on."""


@asynccontextmanager
async def open_pool(dsn: str, schema: str, *, size: int = 10) -> AsyncIterator[Pool]:
    """A pool whose connections see the schema's tables by their bare names; it connects at first use."""
    pool = await asyncpg.create_pool(
        dsn, min_size=0, max_size=size, init=_set_up, reset=_keep_session, **_connection_settings(schema)
    )
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), 3)
        except TimeoutError:
            pool.terminate()


async def connect(dsn: str, schema: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection apart from the pool, for what must keep its session (locks, LISTEN)."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn, **_connection_settings(schema))
    await _set_up(connection)
    return connection


def _connection_settings(schema: str) -> dict[str, Any]:
    return {
        "timeout": CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
        "server_settings": {
            "search_path": schema,
            "application_name": schema,
            "idle_in_transaction_session_timeout": "60000",
            "lock_timeout": "30000",
            "TimeZone": "UTC",
            # A half-open connection is noticed within 30 s.
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    }


async def _keep_session(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing outlives a transaction here but temporary tables: the four statements of a full reset are saved."""


async def _set_up(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await _set_codecs(connection)
    await connection.execute(
        "SELECT set_config(name, $1, false) FROM pg_settings WHERE name = 'transaction_timeout'",
        f"{TRANSACTION_SECONDS:.0f}s",
    )


async def _set_codecs(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value, default=str),
        decoder=lambda raw: orjson.loads(raw[1:]),
        format="binary",
    )
    await connection.set_type_codec(
        "json",
        schema="pg_catalog",
        encoder=lambda value: orjson.dumps(value, default=str),
        decoder=orjson.loads,
        format="binary",
    )


async def migrate(dsn: str, schema: str, *packages: str) -> None:
    """Make the schema what the packages' numbered files say; a file that was applied may never change."""
    connection = await connect(dsn, schema)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{schema} migrations")
            await connection.execute(sql("CREATE SCHEMA IF NOT EXISTS {schema}", schema=schema))
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (package text, name text, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),"
                " PRIMARY KEY (package, name))"
            )
            for package in packages:
                await _apply_files(connection, package)
    finally:
        await connection.close()


async def _apply_files(tx: Tx, package: str) -> None:
    applied = {
        row["name"]: row["sha256"]
        for row in await tx.fetch("SELECT name, sha256 FROM migrations WHERE package = $1", package)
    }
    files = [file for file in resources.files(package).iterdir() if file.name.endswith(".sql")]
    for file in sorted(files, key=lambda file: file.name):
        text = file.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if applied.get(file.name, digest) != digest:
            raise RuntimeError(
                f"migration {package}/{file.name} was changed after it was applied; add a new file instead"
            )
        if file.name not in applied:
            await tx.execute(text)
            await tx.execute(
                "INSERT INTO migrations (package, name, sha256) VALUES ($1, $2, $3)", package, file.name, digest
            )
