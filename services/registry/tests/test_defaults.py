"""Datasets that nobody declared: an organisation's default, or inference, on a real PostgreSQL and a real bucket."""

import asyncio
from typing import Any

import pytest
from chassis.database import Pool
from registry.files import Files
from registry.handlers import note_outcome, register_drops
from registry.jobs import apply_inference
from registry.store import datasets
from waybill_contracts import Declaration

from .drops import ORDERS, declare, drop, everything, ingested, notify, put, registered, states


def default(**fields: Any) -> Declaration:
    return Declaration.model_validate({"organisation": "acme", "table": "*"} | fields)


def table(name: str, **fields: Any) -> Declaration:
    return Declaration.model_validate({"organisation": "acme", "table": name} | fields)


async def newest(db: Pool, dataset: str) -> Declaration | None:
    async with db.acquire() as tx:
        return await datasets.newest_declaration(tx, dataset)


async def declarations(db: Pool) -> list[tuple[str, int, str, str | None]]:
    rows = await db.fetch("SELECT dataset, version, who, why FROM declarations ORDER BY dataset, version")
    return [tuple(row) for row in rows]


# Organisation defaults


async def test_a_default_serves_every_table_that_nobody_declared_and_says_so(db: Pool, files: Files) -> None:
    await declare(db)
    await declare(db, default(duplicates="last"))
    one, two, other = await drop(db, files, "acme/items/a.csv", "acme/items/b.csv", "acme/orders/a.csv")
    assert [(each.dataset, each.arrival) for each in (one, two, other)] == [
        ("acme/items", 1),
        ("acme/items", 2),
        ("acme/orders", 1),
    ]
    assert (one.declaration, one.declaration_version) == (table("items", duplicates="last"), 1)
    assert other.declaration == ORDERS
    assert ("acme/items", 1, "acme/*", "version 1 of the default") in await declarations(db)
    assert await db.fetchval("SELECT who FROM file_audit WHERE dataset = 'acme/items' AND file_id IS NULL") == "acme/*"
    await drop(db, files, "other/items/a.csv")
    assert (await states(db))[-1] == ("other/items/a.csv", "IGNORED", "no declaration")


async def test_a_default_with_routes_takes_what_waited_for_every_table_oldest_first(db: Pool, files: Files) -> None:
    for key in ("in/items/b.csv", "in/notes/a.csv", "in/items/a.csv"):
        await drop(db, files, key)
        await asyncio.sleep(1.05)
    await declare(db, default(files=["in/{table}/*.csv"]))
    assert sorted((event.dataset, event.arrival, event.object_key) for event in await registered(db)) == [
        ("acme/items", 1, "in/items/b.csv"),
        ("acme/items", 2, "in/items/a.csv"),
        ("acme/notes", 1, "in/notes/a.csv"),
    ]
    assert (await drop(db, files, "in/items/c.csv"))[0].arrival == 3
    await drop(db, files, "acme/items/d.csv")
    assert (await states(db))[0][2] == "no route fits: acme/* declares other files, 'in/{table}/*.csv'"


async def test_what_changes_in_a_default_changes_for_its_tables_and_what_they_have_of_their_own_stays(
    db: Pool, files: Files
) -> None:
    await declare(db, default())
    await drop(db, files, "acme/items/a.csv", "acme/notes/a.csv")
    found = table("items", key=["id"], columns={"id": {"type": "integer"}})
    async with db.acquire() as tx, tx.transaction():
        await datasets.add_declaration(tx, found, "inference", None)
    await declare(db, table("notes", duplicates="first"))
    await declare(db, default(duplicates="last"))
    assert await newest(db, "acme/items") == found.model_copy(update={"duplicates": "last"})
    assert await newest(db, "acme/notes") == table("notes", duplicates="first")
    assert (await declarations(db))[-3:] == [
        ("acme/items", 3, "zoe", "version 2 of acme/*"),
        ("acme/notes", 1, "acme/*", "version 1 of the default"),
        ("acme/notes", 2, "zoe", None),
    ]
    before = await everything(db)
    await declare(db, default(duplicates="last"))
    assert (await everything(db))["declarations"] == before["declarations"]


async def test_a_table_that_cannot_follow_its_default_says_so_and_follows_the_next_one(db: Pool, files: Files) -> None:
    await declare(db, default(columns={"id": {}, "day": {}}, key=["id"]))
    (event,) = await drop(db, files, "acme/items/a.csv")
    await note_outcome(ingested(event), db=db)
    await declare(db, default(columns={"id": {}, "day": {}}, key=["day"], duplicates="last"))
    refused = await db.fetchval("SELECT why FROM file_audit WHERE dataset = 'acme/items' AND to_state = 'REFUSED'")
    assert refused.startswith("version 2 of acme/*: key: the key of acme/items is id")
    assert await newest(db, "acme/items") == event.declaration
    await declare(db, default(columns={"id": {}, "day": {}}, key=["id"], duplicates="last"))
    now = await newest(db, "acme/items")
    assert now == event.declaration.model_copy(update={"duplicates": "last"})


async def test_a_declaration_of_its_own_ends_the_default_even_if_it_says_the_same(db: Pool, files: Files) -> None:
    await declare(db, default(duplicates="last"))
    await drop(db, files, "acme/items/a.csv")
    await declare(db, table("items", duplicates="last"))
    await declare(db, default(duplicates="first"))
    assert await newest(db, "acme/items") == table("items", duplicates="last")


# Inference


async def test_a_dataset_that_nobody_declared_is_taken_in_with_all_to_be_found(db: Pool, files: Files) -> None:
    await apply_inference(db=db, infers=True)
    one, two = await drop(db, files, "acme/items/a.csv", "acme/items/b.csv")
    assert [(each.arrival, each.declaration, each.declaration_version) for each in (one, two)] == [
        (1, table("items"), 1),
        (2, table("items"), 1),
    ]
    assert await declarations(db) == [("acme/items", 1, "inference", "nobody declared it")]
    await drop(db, files, "acme/Items/a.csv", "a.csv")
    assert [state for _, state, _ in await states(db)] == ["IGNORED", "IGNORED", "REGISTERED", "REGISTERED"]


async def test_what_waited_comes_in_oldest_first_when_inference_is_switched_on_and_once(db: Pool, files: Files) -> None:
    for key in ("acme/items/b.csv", "acme/items/a.csv"):
        await drop(db, files, key)
        await asyncio.sleep(1.05)
    await apply_inference(db=db, infers=False)
    assert await registered(db) == []
    await asyncio.gather(*(apply_inference(db=db, infers=True) for _ in range(3)))
    assert [(event.object_key, event.arrival) for event in await registered(db)] == [
        ("acme/items/b.csv", 1),
        ("acme/items/a.csv", 2),
    ]
    await apply_inference(db=db, infers=False)
    await drop(db, files, "acme/notes/a.csv", "acme/items/c.csv")
    assert {key: reason for key, state, reason in await states(db) if state == "IGNORED"} == {
        "acme/notes/a.csv": "no declaration"
    }


@pytest.mark.parametrize("has_default", [False, True])
async def test_registries_that_see_a_new_dataset_at_once_declare_it_once(
    db: Pool, files: Files, has_default: bool
) -> None:
    await apply_inference(db=db, infers=True)
    if has_default:
        await declare(db, default())
    messages = [notify(files, key, await put(files, key)) for key in (f"acme/items/{n}.csv" for n in range(6))]
    batches = (messages[::2], messages[1::2], messages)
    await asyncio.gather(*(register_drops(batch, db=db, files=files) for batch in batches))
    assert sorted(event.arrival for event in await registered(db)) == [1, 2, 3, 4, 5, 6]
    made = [version for dataset, version, *_ in await declarations(db) if dataset == "acme/items"]
    assert made == [1]


async def test_a_dataset_that_was_found_follows_a_default_that_comes_later(db: Pool, files: Files) -> None:
    await apply_inference(db=db, infers=True)
    await drop(db, files, "acme/items/a.csv")
    await declare(db, default(duplicates="last", files=["in/{table}/*"]))
    assert await newest(db, "acme/items") == table("items", duplicates="last", files=["in/{table}/*"])
    (event,) = await drop(db, files, "in/items/b.csv")
    assert (event.dataset, event.arrival, event.declaration_version) == ("acme/items", 2, 2)


async def test_a_declaration_that_leaves_out_what_was_found_keeps_it(db: Pool, files: Files) -> None:
    await apply_inference(db=db, infers=True)
    (event,) = await drop(db, files, "acme/items/a.csv")
    found = table("items", key=["id"], columns={"id": {"type": "integer"}})
    async with db.acquire() as tx, tx.transaction():
        await datasets.add_declaration(tx, found, "inference", None)
    await note_outcome(ingested(event), db=db)
    await declare(db, table("items", duplicates="last"))
    assert await newest(db, "acme/items") == found.model_copy(update={"duplicates": "last"})
    await declare(db, table("items", key=["day"], columns={"id": {}, "day": {}}))
    why = await db.fetchval("SELECT why FROM file_audit WHERE to_state = 'REFUSED'")
    assert why.startswith("key: the key of acme/items is id")
