"""A warehouse that the loader of before filled goes on: its tables are brought up when their next file is loaded."""

from contextlib import asynccontextmanager

import pytest
from chassis import Job
from chassis.database import migrate
from loader.domain.tables import LAYOUT

from .old_tables import make_old

COLUMNS = "_key, _version, _change, _order, customer"


async def filled_before(warehouse, *senders):
    """Two files, loaded by the loader of before; then the new one starts."""
    for sender in senders:
        await sender.send(*[sender.row(n) for n in range(1, 5)])
        await sender.send(sender.row(1, customer="new"), deletes=("2",))
    await warehouse.work()
    await make_old(warehouse, *senders)
    await migrate(warehouse.dsn, warehouse.names.schema("loader"), "chassis.migrations", "loader.migrations")


async def told(warehouse, sender):
    where = (sender.organisation, sender.table)
    return {
        "current": await warehouse.all(
            f"SELECT _key, _version, customer FROM {warehouse.current(*where)} ORDER BY _key"
        ),
        "history": await warehouse.all(f"SELECT {COLUMNS} FROM {warehouse.history(*where)} ORDER BY _key, _version"),
        "columns": [
            await warehouse.all(
                "SELECT attname, atttypid, atttypmod, attcollation, attnotnull FROM pg_attribute"
                " WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attname",
                table,
            )
            for table in (warehouse.log(*where), warehouse.current(*where), warehouse.history(*where))
        ],
    }


@pytest.mark.parametrize("batch_rows", [2, 100], ids=["several batches", "one batch"])
async def test_tables_of_before_end_as_those_made_today(warehouse, make_sender, batch_rows):
    old, new = make_sender("old", batch_rows=batch_rows), make_sender("new", batch_rows=batch_rows)
    await filled_before(warehouse, old)
    assert "_order" not in (await warehouse.all(f"SELECT * FROM {warehouse.log('old')} LIMIT 1"))[0]
    await new.send(*[new.row(n) for n in range(1, 5)])
    await new.send(new.row(1, customer="new"), deletes=("2",))
    for sender in (old, new):
        sender.said = {"order": "001"}
        await sender.send(sender.row(2, customer="back"), sender.row(5), sender.row(6), deletes=("3",))
    await warehouse.work()
    assert [state for _, state, _ in await warehouse.jobs("old/orders")] == ["DONE"] * 3
    ended = await told(warehouse, old)
    assert ended == await told(warehouse, new)
    assert {row["_order"] for row in ended["history"]} == {None, "001"}
    assert await layouts(warehouse) == {"new/orders": LAYOUT, "old/orders": LAYOUT}


async def layouts(warehouse):
    return {row["dataset"]: row["layout"] for row in await warehouse.all("SELECT dataset, layout FROM datasets")}


async def test_tables_are_brought_up_one_dataset_at_a_time_and_once(warehouse, make_sender):
    first, second = make_sender("one"), make_sender("two")
    await filled_before(warehouse, first, second)
    assert await layouts(warehouse) == {"one/orders": 1, "two/orders": 1}
    await first.send(first.row(9))
    await warehouse.work()
    assert await layouts(warehouse) == {"one/orders": LAYOUT, "two/orders": 1}
    oid = await warehouse.db.fetchval("SELECT $1::text::regclass::oid", warehouse.history("one"))
    await first.send(first.row(10))
    await warehouse.work()
    assert await warehouse.db.fetchval("SELECT $1::text::regclass::oid", warehouse.history("one")) == oid


async def test_tables_of_before_take_wider_and_more_columns_in_the_same_file(warehouse, sender):
    await filled_before(warehouse, sender)
    sender.types |= {"order_id": "integer", "amount": "decimal(14,3)", "remark": "text"}
    sender.said = {"order_column": "order_id"}
    await sender.send(sender.row(7, remark="first"))
    await warehouse.work()
    assert (await warehouse.jobs())[2] == (3, "DONE", None)
    [row] = await warehouse.all(f"SELECT * FROM {warehouse.history()} WHERE order_id = 7")
    assert (row["remark"], row["_order"]) == ("first", f"{2**63 + 7:020d}")


async def test_a_crash_while_tables_are_brought_up_leaves_them_as_they_were(warehouse, sender, monkeypatch):
    await filled_before(warehouse, sender)
    before = await warehouse.state()
    await sender.send(sender.row(9))
    step = Job.step

    @asynccontextmanager
    async def dying(job, db):
        async with step(job, db) as tx:
            yield tx
            raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(Job, "step", dying)
        job = await warehouse.claim()
        with pytest.raises(ConnectionError):
            await warehouse.kind.run(job)
    assert await warehouse.state() == before
    assert await layouts(warehouse) == {"acme/orders": 1}
    await warehouse.db.execute("UPDATE jobs SET lease = now() - interval '1 second' WHERE state = 'RUNNING'")
    await warehouse.work()
    assert (await warehouse.jobs())[2] == (3, "DONE", None)


async def test_tables_of_before_that_somebody_altered_are_not_brought_up(warehouse, sender):
    await filled_before(warehouse, sender)
    await warehouse.db.execute(f"ALTER TABLE {warehouse.log()} ADD COLUMN _order integer")
    await sender.send(sender.row(9))
    await warehouse.work()
    [*_, (_, state, reason)] = await warehouse.jobs()
    assert state == "FAILED"
    assert reason.startswith("acme/orders position 3: table ")
    assert reason.endswith("orders has a column _order that this service did not make")
    assert await layouts(warehouse) == {"acme/orders": 1}


async def test_a_view_of_somebody_on_the_history_is_named_and_kept(warehouse, sender):
    await filled_before(warehouse, sender)
    schema = warehouse.names.current_schema("acme")
    await warehouse.db.execute(f'CREATE VIEW "{schema}".mine AS SELECT _key FROM {warehouse.history()}')
    await sender.send(sender.row(9))
    await warehouse.work()
    [*_, (_, state, reason)] = await warehouse.jobs()
    assert state == "FAILED"
    assert "orders_history must be made anew for this file, and cannot: view " in reason
    assert "mine depends on view" in reason
    assert await warehouse.db.fetchval(f'SELECT count(*) FROM "{schema}".mine') == 6
    await warehouse.db.execute(f'DROP VIEW "{schema}".mine')
    await warehouse.retry(sender, 3)
    await warehouse.work()
    assert (await warehouse.jobs())[2] == (3, "DONE", None)


async def test_tables_that_a_loader_of_before_enters_beside_this_one_count_as_old(warehouse, sender):
    await sender.send(sender.row(1))
    await warehouse.work()
    await make_old(warehouse, sender)
    await migrate(warehouse.dsn, warehouse.names.schema("loader"), "chassis.migrations", "loader.migrations")
    # What it enters of tables that it made.
    await warehouse.db.execute("INSERT INTO datasets (dataset) VALUES ('other/orders')")
    assert await layouts(warehouse) == {"acme/orders": 1, "other/orders": 1}


async def test_readers_of_the_history_stay_readers(warehouse, sender):
    await filled_before(warehouse, sender)
    await sender.send(sender.row(9))
    await warehouse.work()
    role = warehouse.names.reader_role("acme")
    async with warehouse.db.acquire() as tx, tx.transaction():
        await tx.execute(f'SET LOCAL ROLE "{role}"')
        assert await tx.fetchval(f"SELECT count(_order IS NULL) FROM {warehouse.history()}") == 7
