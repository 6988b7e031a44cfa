"""A registry's tables from before routes and inference go on: nothing is lost, and what was ignored can come in."""

import hashlib
from collections.abc import AsyncIterator
from importlib import resources
from uuid import uuid4

import pytest
from chassis.database import Pool, connect, migrate, open_pool
from chassis.sql import sql
from registry.files import Files
from registry.jobs import apply_inference
from stack.namespaces import Namespace
from waybill_contracts import Declaration, uuid7

from .drops import ORDERS, drop, registered

FIRST = "0001_registry.sql"
BODY = {
    "organisation": "acme",
    "table": "orders",
    "mode": "upsert",
    "key": ["id"],
    "columns": {"id": {"type": "integer"}, "day": {}},
}
KEYS = ("acme/orders/_x/a", "acme/items/old", "acme/items/older", "x")


async def fill(db: Pool) -> None:
    """A declared dataset with one file, and three that were ignored."""
    await db.execute(
        "INSERT INTO datasets VALUES ('acme/orders', 'acme', 'orders', 1, 1), ('acme/items', 'acme', 'items', 0, 0)"
    )
    await db.execute("INSERT INTO declarations VALUES ('acme/orders', 1, $1, 'zoe')", BODY)
    query = """
        INSERT INTO files (file_id, bucket, key, version_id, size, etag, last_modified, found_by, state, dataset,
            arrival, organisation, table_name, declaration_version, registration, cause, reason)
        VALUES ($1, 'landing', $2, 'v', 1, 'e', now() - make_interval(mins => $3), 'sweep', $4, $5, $6, 'acme', $7,
            $8, $8, $9, $10)
    """
    await db.execute(query, uuid7(), "acme/orders/a", 0, "REGISTERED", "acme/orders", 1, "orders", 1, "new", None)
    for minutes, key in enumerate(KEYS):
        dataset = "acme/items" if "items" in key else None
        reason = "no declaration" if dataset else "no route fits"
        await db.execute(query, uuid7(), key, minutes, "IGNORED", dataset, None, "items", 0, None, reason)


@pytest.fixture
async def migrated(module_namespace: Namespace) -> AsyncIterator[Pool]:
    """Tables as they were, with rows, made what they are now."""
    dsn, schema = module_namespace.environment["WAYBILL_POSTGRES__DSN"], f"test_{uuid4().hex[:12]}"
    await migrate(dsn, schema, "chassis.migrations")
    text = resources.files("registry.migrations").joinpath(FIRST).read_text()
    async with open_pool(dsn, schema) as db:
        await db.execute(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        await db.execute(
            "INSERT INTO migrations (package, name, sha256) VALUES ($1, $2, $3)", "registry.migrations", FIRST, digest
        )
        await fill(db)
    await migrate(dsn, schema, "chassis.migrations", "registry.migrations")
    async with open_pool(dsn, schema) as db:
        yield db
    connection = await connect(dsn, schema)
    await connection.execute(sql("DROP SCHEMA {schema} CASCADE", schema=schema))
    await connection.close()


async def test_tables_from_before_go_on_and_what_was_ignored_comes_in(migrated: Pool, files: Files) -> None:
    (event,) = await drop(migrated, files, "acme/orders/b.csv")
    assert (event.arrival, event.declaration, event.declaration_version) == (2, ORDERS, 1)
    await apply_inference(db=migrated, infers=True)
    assert [(each.object_key, each.arrival) for each in (await registered(migrated))[1:]] == [
        ("acme/items/older", 1),
        ("acme/items/old", 2),
    ]
    assert (await registered(migrated))[1].declaration == Declaration(organisation="acme", table="items")
    rows = await migrated.fetch("SELECT key FROM files WHERE state = 'IGNORED' ORDER BY key")
    assert [row["key"] for row in rows] == ["acme/orders/_x/a", "x"]
