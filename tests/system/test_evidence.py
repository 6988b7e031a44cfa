"""What lies in a store is no evidence until proven: nothing wrong becomes LOADED, and nobody else waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncpg import Record
from checker import tables
from dataset import Dataset, rows
from installation import Installation, until
from pymongo import AsyncMongoClient

pytestmark = pytest.mark.timeout(180)

FIRST = rows("1,one,1.00", "2,two,2.00", "3,three,")
SECOND = rows("2,two,2.50", "3,three,", "4,four,4.00")


@asynccontextmanager
async def documents(dataset: Dataset) -> AsyncIterator[Any]:
    """The dataset's documents in MongoDB."""
    installation = dataset.installation
    organisation, table = dataset.name.split("/")
    async with AsyncMongoClient(installation.environment["WAYBILL_MONGO__URI"]) as client:
        yield client[installation.namespace][f"raw_{organisation}_{table}"]


@asynccontextmanager
async def loader_stopped(installation: Installation) -> AsyncIterator[None]:
    """No file is loaded meanwhile."""
    await asyncio.to_thread(installation.processes["loader"].stop)
    try:
        yield
    finally:
        await installation.start("loader")


async def failed_load(dataset: Dataset, position: int) -> Record:
    """The load job of the position, once it has failed."""
    query = "SELECT * FROM jobs WHERE kind = 'load' AND lane = $1 AND seq = $2"
    found: list[Record] = []

    async def has_failed() -> bool:
        found[:] = await dataset.installation.rows("loader", query, dataset.name, position)
        return bool(found) and found[0]["state"] == "FAILED"

    await until(has_failed, 90, lambda: f"the load job of {dataset.name} did not fail: {found}")
    return found[0]


async def visibly_waits(dataset: Dataset, reason: str) -> None:
    """`status` and `file show` tell the reason; the file and the one after it are not LOADED."""
    code, status, _ = await dataset.installation.waybill("status", "--json")
    assert (code, dataset.name in status, reason in status) == (1, True, True), status
    _, shown, _ = await dataset.installation.waybill("file", "show", f"{dataset.name}#1")
    assert reason in " ".join(shown.split()), shown
    assert [file["state"] for file in await dataset.installation.files(dataset.name)] == ["INGESTED", "INGESTED"]


async def others_go_on(installation: Installation) -> None:
    other = await Dataset.declared(installation)
    await other.deliver(FIRST, SECOND)
    await other.check()


async def retried(dataset: Dataset) -> None:
    """Once the cause is mended, `file retry` loads the file and those that waited."""
    code, _, complaint = await dataset.installation.waybill("file", "retry", f"{dataset.name}#1")
    assert code == 0, complaint
    await dataset.check()


async def test_a_value_altered_in_mongodb_is_never_loaded_and_goes_on_once_it_is_put_right(
    running: Installation,
) -> None:
    orders = await Dataset.declared(running)
    async with documents(orders) as collection:
        async with loader_stopped(running):
            await orders.drop(FIRST)
            await orders.drop(SECOND)
            await orders.until_ingested(2)
            # Hash and checksum stay as they were: a copied hash would not tell.
            await collection.update_one({"key": "2", "version": 1}, {"$set": {"data.name": "too"}})
        job = await failed_load(orders, 1)
        assert "hash" in job["reason"]
        assert job["tries"] == 1, "a wrong value was tried again"
        await visibly_waits(orders, "wrong hash")
        await others_go_on(running)
        await collection.update_one({"key": "2", "version": 1}, {"$set": {"data.name": "two"}})
    await retried(orders)


async def test_a_column_type_altered_in_the_warehouse_is_never_loaded_into(running: Installation) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(FIRST)
    current, _ = tables(running, orders.name)
    view = f'{current[:-1]}_history"'
    definition = await running.db.fetchval("SELECT pg_get_viewdef($1::regclass)", view)
    await running.db.execute(f"DROP VIEW {view}; ALTER TABLE {current} ALTER COLUMN amount TYPE double precision")
    await orders.drop(SECOND)
    job = await failed_load(orders, 2)
    assert "amount" in job["reason"]
    assert "double precision" in job["reason"]
    await orders.until_ingested(2)
    assert [file["state"] for file in await running.files(orders.name)] == ["LOADED", "INGESTED"]
    await others_go_on(running)
    await running.db.execute(
        f"ALTER TABLE {current} ALTER COLUMN amount TYPE numeric(8,2); CREATE VIEW {view} AS {definition}"
    )
    code, _, complaint = await running.waybill("file", "retry", f"{orders.name}#2")
    assert code == 0, complaint
    await orders.check()


async def test_documents_that_are_missing_fail_the_load_visibly_until_they_are_back(running: Installation) -> None:
    orders = await Dataset.declared(running)
    async with documents(orders) as collection:
        async with loader_stopped(running):
            await orders.drop(FIRST)
            await orders.drop(SECOND)
            await orders.until_ingested(2)
            lost = await collection.find_one_and_delete({"key": "3", "version": 1})
        job = await failed_load(orders, 1)
        assert "2 of 3 documents" in job["reason"]
        await visibly_waits(orders, "2 of 3 documents")
        await others_go_on(running)
        await collection.insert_one(lost)
    await retried(orders)


async def test_a_document_too_many_is_not_loaded(running: Installation) -> None:
    orders = await Dataset.declared(running)
    async with documents(orders) as collection:
        async with loader_stopped(running):
            await orders.drop(FIRST)
            await orders.drop(SECOND)
            await orders.until_ingested(2)
            twin = await collection.find_one({"key": "3", "version": 1})
            number = int.from_bytes(twin["_id"].binary[-4:], "big")
            twin["_id"] = type(twin["_id"])(twin["_id"].binary[:-4] + (number + 7).to_bytes(4, "big"))
            twin["key"] = "9"
            await collection.insert_one(twin)
        job = await failed_load(orders, 1)
        assert "4 documents" in job["reason"]
        await visibly_waits(orders, "4 documents")
        await collection.delete_one({"_id": twin["_id"]})
    await retried(orders)


async def test_the_oracle_sees_a_value_altered_in_any_store(running: Installation) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(FIRST, SECOND)
    await orders.check()
    async with documents(orders) as collection:
        for table in tables(running, orders.name):
            await running.db.execute(f"UPDATE {table} SET name = 'too' WHERE name = 'two'")
            with pytest.raises(AssertionError):
                await orders.check()
            await running.db.execute(f"UPDATE {table} SET name = 'two' WHERE name = 'too'")
        await collection.update_one({"key": "2", "version": 1}, {"$set": {"data.name": "too"}})
        with pytest.raises(AssertionError):
            await orders.check()
        await collection.update_one({"key": "2", "version": 1}, {"$set": {"data.name": "two"}})
    await orders.check()
