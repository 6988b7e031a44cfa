"""Declared routes take drops and what was ignored before, on a real PostgreSQL and a real bucket."""

import asyncio
from typing import Any

from chassis.database import Pool
from registry.files import Files
from registry.handlers import note_outcome, register_drops, request_retry
from registry.store.declaring import declare as accept
from waybill_contracts import Declaration, FileRegistered

from .drops import ORDERS, declare, drop, everything, failed, ingested, notify, put, registered, retry, states

SNAPSHOT: dict[str, Any] = {
    "mode": "snapshot",
    "partition": {"path": "branch"},
    "order_by": {"file_name": r"(\d+)"},
    "files": ["in/{branch}/orders_*.csv"],
}


def orders(**fields: Any) -> Declaration:
    return Declaration.model_validate(ORDERS.model_dump() | fields)


async def settled() -> None:
    """The store's stamps have seconds in listings."""
    await asyncio.sleep(1.05)


async def test_a_drop_is_registered_by_the_route_that_its_dataset_declares(db: Pool, files: Files) -> None:
    await declare(db, orders(**SNAPSHOT))
    (event,) = await drop(db, files, "in/north/orders_20261121.csv")
    assert (event.dataset, event.partition, event.order) == ("acme/orders", "north", "00820261121")
    assert (event.declaration_version, event.declaration) == (1, orders(**SNAPSHOT))
    row = await db.fetchrow("SELECT captures, order_value FROM files")
    assert tuple(row or ()) == ({"branch": "north"}, "00820261121")
    await drop(db, files, "acme/orders/1.csv")
    assert (await states(db))[0][1:] == (
        "IGNORED",
        "no route fits: acme/orders declares other files, 'in/{branch}/orders_*.csv'",
    )


async def test_a_file_whose_name_comes_before_the_newest_is_late_whenever_it_comes(db: Pool, files: Files) -> None:
    await declare(db, orders(**SNAPSHOT))
    keys = [f"in/north/orders_{name}.csv" for name in ("9", "10", "9b", "none")]
    events = [event for key in keys for event in await drop(db, files, key)]
    assert [(event.late, event.order) for event in events] == [
        (False, "0019"),
        (False, "00210"),
        (True, "0019"),
        (False, None),
    ]
    assert await db.fetchval("SELECT newest_order FROM datasets") == "00210"


async def test_an_order_that_is_declared_later_counts_for_the_files_that_are_there(db: Pool, files: Files) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/20.csv")
    await note_outcome(ingested(first), db=db)
    await declare(db, orders(order_by={"file_name": r"\d+"}))
    late, newer = [event for name in ("19", "21") for event in await drop(db, files, f"acme/orders/{name}.csv")]
    assert [(event.late, event.order) for event in (late, newer)] == [(True, "00219"), (False, "00221")]


async def test_a_file_that_is_announced_again_has_order_and_partition_of_the_declaration_it_carries(
    db: Pool, files: Files
) -> None:
    await declare(db, orders(files=["in/*/orders_*.csv"]))
    (event,) = await drop(db, files, "in/north/orders_7.csv")
    assert (event.order, event.partition) == (None, None)
    await note_outcome(failed(event), db=db)
    await declare(db, orders(**SNAPSHOT))
    await request_retry(retry(event), db=db)
    await note_outcome(failed(event, 2), db=db)
    await request_retry(retry(event, 2, as_declared_now=True), db=db)
    said = [(each.order, each.partition, each.declaration_version) for each in await registered(db)]
    assert said == [(None, None, 1), (None, None, 1), ("0017", "north", 2)]


async def test_new_routes_take_what_was_ignored_oldest_first_and_what_fits_no_more_stays(
    db: Pool, files: Files
) -> None:
    await declare(db)
    oldest = await put(files, "in/old.csv")
    await settled()
    for key in ("in/b.csv", "in/a.csv", "acme/orders/c.csv", "in/_hidden.csv", "out/a.csv"):
        await drop(db, files, key)
        await settled()
    await register_drops([notify(files, "in/old.csv", oldest)], db=db, files=files)  # which came late
    await declare(db, orders(files=["in/*"]))
    assert [(event.object_key, event.arrival, event.cause) for event in await registered(db)] == [
        ("acme/orders/c.csv", 1, "new"),
        ("in/old.csv", 2, "new"),
        ("in/b.csv", 3, "new"),
        ("in/a.csv", 4, "new"),
    ]
    assert {key: state for key, state, _ in await states(db)} == {
        "acme/orders/c.csv": "REGISTERED",
        "in/_hidden.csv": "IGNORED",
        "in/a.csv": "REGISTERED",
        "in/b.csv": "REGISTERED",
        "in/old.csv": "REGISTERED",
        "out/a.csv": "IGNORED",
    }
    before = await everything(db)
    await declare(db, orders(files=["in/*"]))
    after = await everything(db)
    for table in ("files", "declarations", "datasets", "outbox"):
        assert after[table] == before[table]
    assert [event.arrival for event in await drop(db, files, "in/d.csv")] == [5]


async def test_a_key_between_two_datasets_goes_to_the_one_that_is_left(db: Pool, files: Files) -> None:
    await declare(db, orders(files=["in/*"]))
    await declare(db, orders(table="items", files=["in/*"]))
    await drop(db, files, "in/a.csv")
    assert await states(db) == [("in/a.csv", "IGNORED", "fits routes of acme/items and acme/orders")]
    await declare(db, orders(files=["in/orders_*"]))
    (event,) = await registered(db)
    assert (event.dataset, event.arrival) == ("acme/items", 1)


async def test_files_from_before_the_declared_moment_wait_for_an_earlier_one(db: Pool, files: Files) -> None:
    await declare(db, orders(since="2999-01-01"))
    await drop(db, files, "acme/orders/a.csv")
    reason = "older than 2999-01-01, since when acme/orders takes files"
    assert await states(db) == [("acme/orders/a.csv", "IGNORED", reason)]
    await declare(db, orders(since="2026-01-01"))
    assert [event.arrival for event in await registered(db)] == [1]


async def test_a_registration_waits_for_a_declaration_and_goes_by_its_routes(db: Pool, files: Files) -> None:
    """As it is with two registries: one accepts while the other registers."""
    await declare(db)
    messages = [notify(files, key, await put(files, key)) for key in ("in/a.csv", "acme/orders/a.csv")]
    async with db.acquire() as tx, tx.transaction():
        await accept(tx, orders(files=["in/*"]), "zoe", None)
        waiting = asyncio.create_task(register_drops(messages, db=db, files=files))
        await asyncio.sleep(0.5)
        assert not waiting.done()
    await waiting
    assert [event.object_key for event in await registered(db)] == ["in/a.csv"]


async def test_drops_and_declarations_at_once_lose_and_double_nothing(db: Pool, files: Files) -> None:
    keys = [f"in/{number}.csv" for number in range(12)]
    messages = [notify(files, key, await put(files, key)) for key in keys]
    batches = [messages[start : start + 3] for start in range(0, 12, 3)]
    declarations = [orders(files=[f"in/{number}*"]) for number in range(3)] + [orders(files=["in/*"])]

    async def declare_all() -> None:
        for declaration in declarations:
            await declare(db, declaration)

    twice = (register_drops(batch, db=db, files=files) for batch in batches + batches)
    await asyncio.gather(declare_all(), *twice)
    events: list[FileRegistered] = await registered(db)
    assert sorted(event.object_key for event in events) == sorted(keys)
    assert sorted(event.arrival for event in events) == list(range(1, 13))
    assert {state for _, state, _ in await states(db)} == {"REGISTERED"}
