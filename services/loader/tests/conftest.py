"""A namespace of its own per test on real servers."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import orjson
import pytest
from chassis import Fenced, Job, JobKind, Names, Pool, open_pool
from chassis.claim import claim, complete, fail_or_retry
from chassis.database import migrate
from loader.documents import Documents
from loader.handlers import retry_load
from loader.jobs import load_next_file
from pymongo import AsyncMongoClient
from stack.namespaces import Reachable
from waybill_contracts import RetryRequested, uuid7

from .sender import Sender


@dataclass
class Warehouse:
    """The loader on its servers: its pool, its documents, and its job kind, run by hand."""

    dsn: str
    names: Names
    db: Pool
    documents: Documents
    mongo: AsyncMongoClient[dict[str, Any]]
    max_tries: int = 2

    @property
    def kind(self) -> JobKind:
        run = partial(load_next_file, warehouse=self.db, documents=self.documents, names=self.names)
        return JobKind("load", run=run, passing=frozenset(), max_tries=self.max_tries)

    async def claim(self) -> Job | None:
        return await claim(self.db, self.kind, 30)

    async def work(self) -> int:
        """Run jobs as the service would until none is left; how many attempts that took."""
        attempts = 0
        while job := await self.claim():
            attempts += 1
            try:
                await self.kind.run(job)
            except Exception as error:  # noqa: BLE001 - as the service's own job loop does
                await fail_or_retry(self.db, self.kind, job, 0, f"{type(error).__name__}: {error}")
            else:
                with contextlib.suppress(Fenced):
                    await complete(self.db, self.kind, job)
        return attempts

    async def retry(self, sender: "Sender", position: int) -> None:
        """Ask for another try at the file of this position."""
        await self.send_retry(
            RetryRequested(
                organisation=sender.organisation,
                table=sender.table,
                file_id=sender.files[position],
                attempt=position * 2,
                user="anna",
            )
        )

    async def send_retry(self, request: RetryRequested) -> None:
        await retry_load(request, warehouse=self.db)

    async def jobs(self, dataset: str = "acme/orders") -> list[tuple[int, str, str | None]]:
        rows = await self.db.fetch("SELECT seq, state, reason FROM jobs WHERE lane = $1 ORDER BY seq", dataset)
        return [tuple(row) for row in rows]

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.db.fetch("SELECT type, payload FROM outbox ORDER BY aggregateid, seq")
        return [(row["type"], orjson.loads(row["payload"])) for row in rows]

    def current(self, organisation: str = "acme", table: str = "orders") -> str:
        return f'"{self.names.current_schema(organisation)}"."{table}"'

    def log(self, organisation: str = "acme", table: str = "orders") -> str:
        return f'"{self.names.log_schema(organisation)}"."{table}"'

    def history(self, organisation: str = "acme", table: str = "orders") -> str:
        return f'"{self.names.current_schema(organisation)}"."{table}_history"'

    async def all(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.db.fetch(query, *arguments)]

    async def state(self) -> dict[str, Any]:
        """Everything that must not depend on how it came about."""
        return {
            "current": await self.all(f"SELECT *, NULL AS _loaded_at FROM {self.current()} ORDER BY _key"),
            "log": await self.all(f"SELECT *, NULL AS _loaded_at FROM {self.log()} ORDER BY _key, _version"),
            "ledger": await self.all("SELECT dataset, position, number, checksum FROM batches ORDER BY 1, 2, 3"),
            "applied": await self.all("SELECT dataset, applied, columns FROM datasets ORDER BY 1"),
            "events": await self.events(),
        }


@pytest.fixture
async def warehouse(stack: Reachable) -> AsyncIterator[Warehouse]:
    """A migrated loader in a fresh namespace; all of it is dropped afterwards."""
    names = Names(f"t{uuid7().hex[-12:]}")
    environment = stack.environment()
    dsn, uri = environment["WAYBILL_POSTGRES__DSN"], environment["WAYBILL_MONGO__URI"]
    await migrate(dsn, names.schema("loader"), "chassis.migrations", "loader.migrations")
    mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri)
    async with open_pool(dsn, names.schema("loader")) as db, Documents.open(uri, names) as documents:
        yield Warehouse(dsn, names, db, documents, mongo)
    await mongo.drop_database(names.mongo_database)
    await mongo.close()
    await drop(dsn, names.namespace)


async def drop(dsn: str, namespace: str) -> None:
    connection = await asyncpg.connect(dsn)
    schemas = await connection.fetch("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)", namespace + "_")
    for (schema,) in sorted(schemas, key=lambda row: "orgdata" not in row[0]):
        await connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
    for (role,) in await connection.fetch(
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)", namespace + "_"
    ):
        await connection.execute(f'DROP ROLE "{role}"')
    await connection.close()


@pytest.fixture
def sender(warehouse: Warehouse) -> Sender:
    """The ingestor of acme/orders."""
    return Sender(warehouse)


@pytest.fixture
def make_sender(warehouse: Warehouse) -> Callable[..., Sender]:
    """The ingestor of another dataset."""
    return partial(Sender, warehouse)
