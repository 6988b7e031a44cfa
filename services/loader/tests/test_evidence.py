"""A hash that was copied is no evidence: what was altered between ingest and load is never loaded."""

import asyncio
from datetime import date
from functools import partial

import asyncpg
import pytest
from bson import Decimal128, Int64
from records.bson.encode import record_id
from records.row_hash import row_hashes
from waybill_contracts import RetryRequested


async def alter(sender, number, change, attempt=2, batch=1):
    """Change a stored document behind everybody's back."""
    _id = record_id(attempt, batch, number)
    from bson import ObjectId

    done = await sender.collection.update_one({"_id": ObjectId(_id)}, {"$set": change})
    assert done.modified_count == 1


async def assert_nothing_loaded(warehouse, reason):
    [(_, state, said)] = await warehouse.jobs()
    assert state == "FAILED"
    assert reason in said
    assert await warehouse.events() == []
    assert await warehouse.db.fetchval("SELECT applied FROM datasets") == 0
    assert await warehouse.all(f"SELECT * FROM {warehouse.current()}") == []
    assert await warehouse.all(f"SELECT * FROM {warehouse.history()}") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order_id", Int64(99)),
        ("customer", "Zoé | & Söhne\\"),
        ("customer", ""),
        ("amount", Decimal128("76.01")),
        ("amount", Decimal128("7600.00")),
        ("paid", False),
        ("weight", 0.10000000000000002),
    ],
)
async def test_a_value_changed_under_its_old_hash_fails(warehouse, sender, name, value):
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    await alter(sender, 1, {f"data.{name}": value})
    assert await warehouse.work() == 1
    wrong = "key" if name == "order_id" else "hash"
    await assert_nothing_loaded(
        warehouse, f"acme/orders position 1 batch 1: 1 documents with a wrong {wrong}, the first from line 3"
    )


async def test_a_value_and_its_hash_changed_together_fail(warehouse, sender):
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    forged = sender.row(2, customer="forged")
    [digest] = row_hashes(sender.frame([forged]), sender.types)
    await alter(sender, 1, {"data.customer": "forged", "hash": digest})
    await warehouse.work()
    await assert_nothing_loaded(warehouse, "acme/orders position 1 batch 1: the checksum is")


async def test_two_rows_that_swapped_their_keys_fail(warehouse, sender):
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    await alter(sender, 0, {"key": "2"})
    await alter(sender, 1, {"key": "1"})
    await warehouse.work()
    await assert_nothing_loaded(warehouse, "acme/orders position 1 batch 1: 2 documents with a wrong key")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data.amount": "76.00"}, "acme/orders position 1 batch 1"),
        ({"data.order_id": None}, "acme/orders position 1 batch 1"),
        ({"data.extra": 1}, "acme/orders position 1 batch 1"),
        ({"version": Int64(0)}, "wrong version"),
        ({"version": Int64(2)}, "the checksum is"),
        ({"change": "update", "version": Int64(2)}, "wrong previous_hash"),
        ({"change": "update", "version": Int64(2), "previous_hash": b"p" * 32}, "the checksum is"),
        ({"previous_hash": b"p" * 32}, "wrong previous_hash"),
        ({"change": "delete"}, "wrong version"),
        ({"change": "delete", "version": Int64(2), "previous_hash": b"p" * 32}, "wrong hash"),
        ({"change": "upsert"}, "wrong change"),
        ({"position": Int64(9)}, "wrong position"),
        ({"hash": None}, "acme/orders position 1 batch 1"),
    ],
)
async def test_a_document_of_another_shape_fails(warehouse, sender, change, reason):
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    await alter(sender, 1, change)
    await warehouse.work()
    await assert_nothing_loaded(warehouse, reason)


async def test_a_document_too_many_fails(warehouse, sender):
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    from bson import ObjectId

    copied = await sender.collection.find_one({"_id": ObjectId(record_id(2, 1, 0))})
    await sender.collection.insert_one(copied | {"_id": ObjectId(record_id(2, 1, 7))})
    await warehouse.work()
    await assert_nothing_loaded(warehouse, "3 documents are there where the fact says 2")


@pytest.mark.parametrize("table", ["log", "current"])
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("ALTER COLUMN amount TYPE text", "column amount is text, not numeric(12,2)"),
        ("ALTER COLUMN amount TYPE numeric(12,1)", "column amount is numeric(12,1), not numeric(12,2)"),
        ("ALTER COLUMN weight TYPE bigint", "column weight is bigint, not double precision"),
        ("ALTER COLUMN ordered_at TYPE date", "column ordered_at is date, not timestamp with time zone"),
        ("DROP COLUMN customer CASCADE", "column customer is gone, not text"),
        ("ALTER COLUMN _version TYPE integer", "column _version is integer, not bigint"),
    ],
)
async def test_a_column_type_altered_in_the_warehouse_fails(warehouse, sender, table, change, found):
    await sender.send(sender.row(1))
    await warehouse.work()
    await warehouse.db.execute(f"DROP VIEW {warehouse.history()}")
    await warehouse.db.execute(f"ALTER TABLE {getattr(warehouse, table)()} {change}")
    await sender.send(sender.row(1, customer="new"), sender.row(2))
    await warehouse.work()
    [_, (_, state, reason)] = await warehouse.jobs()
    assert state == "FAILED"
    assert reason.startswith("acme/orders position 2 batch 1: table ")
    assert reason.endswith(found)
    assert await warehouse.db.fetchval("SELECT applied FROM datasets") == 1
    assert len(await warehouse.events()) == 1


@pytest.mark.parametrize(
    ("change", "found"),
    [("DROP COLUMN _order", "gone"), ("ALTER COLUMN _order TYPE integer USING 1", "integer")],
)
async def test_an_order_column_altered_in_the_warehouse_fails(warehouse, sender, change, found):
    await sender.send(sender.row(1))
    await warehouse.work()
    await warehouse.db.execute(f"DROP VIEW {warehouse.history()}")
    await warehouse.db.execute(f"ALTER TABLE {warehouse.log()} {change}")
    await sender.send(sender.row(2))
    await warehouse.work()
    [_, (_, state, reason)] = await warehouse.jobs()
    assert (state, reason.endswith(f"column _order is {found}, not text")) == ("FAILED", True)


async def test_a_column_altered_between_append_and_apply_fails(warehouse, sender, monkeypatch):
    from loader import jobs

    apply_file = jobs.apply_file

    async def altered(*arguments, **more):
        await warehouse.db.execute(f"ALTER TABLE {warehouse.current()} ALTER amount TYPE numeric(12,1)")
        await apply_file(*arguments, **more)

    await sender.send()
    await warehouse.work()
    await warehouse.db.execute(f"DROP VIEW {warehouse.history()}")
    monkeypatch.setattr(jobs, "apply_file", altered)
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    await warehouse.work()
    [_, (_, state, reason)] = await warehouse.jobs()
    assert state == "FAILED"
    assert reason.startswith("acme/orders position 2: table ")
    assert await warehouse.db.fetchval("SELECT applied FROM datasets") == 1


@pytest.mark.parametrize("table", ["log", "current"])
async def test_no_column_can_be_altered_between_the_look_at_it_and_the_commit(warehouse, sender, monkeypatch, table):
    from loader.store import current, log

    refused = []

    async def alter_first(work, *arguments, **more):
        async with warehouse.db.acquire() as other, other.transaction():
            await other.execute("SET LOCAL lock_timeout = 50")
            try:
                await other.execute(f"ALTER TABLE {getattr(warehouse, table)()} ALTER weight TYPE text")
            except asyncpg.LockNotAvailableError:
                refused.append(work.__name__)
        return await work(*arguments, **more)

    await sender.send()
    await warehouse.work()
    await warehouse.db.execute(f"DROP VIEW {warehouse.history()}")
    for module, work in ((log, log.append), (log, log.tally), (current, current.apply_position)):
        monkeypatch.setattr(module, work.__name__, partial(alter_first, work))
    await sender.send(sender.row(1))
    await warehouse.work()
    assert refused == ["append", "tally", "apply_position"]
    assert (await warehouse.jobs())[1] == (2, "DONE", None)


@pytest.mark.parametrize("table", ["log", "current"])
async def test_an_alteration_that_is_under_way_is_waited_for_and_noticed(warehouse, sender, table):
    await sender.send(sender.row(0))
    await warehouse.work()
    await warehouse.db.execute(f"DROP VIEW {warehouse.history()}")
    await sender.send(sender.row(1))
    async with warehouse.db.acquire() as other:
        async with other.transaction():
            await other.execute(f"ALTER TABLE {getattr(warehouse, table)()} ALTER amount TYPE numeric(13,2)")
            work = asyncio.create_task(warehouse.work())
            while not await other.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                assert not work.done()
        await work
    [_, (_, state, reason)] = await warehouse.jobs()
    assert state == "FAILED"
    assert reason.endswith("column amount is numeric(13,2), not numeric(12,2)")


async def test_a_key_that_somebody_dropped_is_made_again(warehouse, sender):
    await sender.send(sender.row(1))
    await warehouse.work()
    await warehouse.db.execute(f"ALTER TABLE {warehouse.current()} DROP CONSTRAINT IF EXISTS orders_pkey")
    await sender.send(sender.row(2))
    await warehouse.work()
    assert (await warehouse.jobs())[1] == (2, "DONE", None)
    with pytest.raises(asyncpg.UniqueViolationError):
        await warehouse.db.execute(f"INSERT INTO {warehouse.current()} SELECT * FROM {warehouse.current()}")


async def test_what_the_log_did_not_take_as_it_was_sent_fails(warehouse, sender):
    await sender.send()
    await warehouse.work()
    await warehouse.db.execute(
        f"""
        CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.customer := upper(NEW.customer); RETURN NEW; END $$;
        CREATE TRIGGER spoil BEFORE INSERT ON {warehouse.log()} FOR EACH ROW EXECUTE FUNCTION spoil();
        """
    )
    await sender.send(sender.row(1))
    await warehouse.work()
    reason = "acme/orders position 2 batch 1: rows read back from the log are not those that were written"
    assert (await warehouse.jobs())[1] == (2, "FAILED", reason)


async def test_missing_documents_fail_visibly_while_other_datasets_go_on(warehouse, sender, make_sender):
    await sender.send(*[sender.row(n) for n in range(5)])
    await sender.send(sender.row(1, day=date(2026, 1, 1)))
    missing = await sender.collection.find({"key": "3"}).to_list()
    await sender.collection.delete_one({"key": "3"})
    other = make_sender("globex", "items")
    await other.send(other.row(1))
    await warehouse.work()
    reason = "MissingDocuments: acme/orders position 1 batch 2: 1 of 2 documents are there"
    assert await warehouse.jobs() == [(1, "FAILED", reason), (2, "QUEUED", None)]
    assert await warehouse.jobs("globex/items") == [(1, "DONE", None)]

    await sender.collection.insert_many(missing)
    await warehouse.retry(sender, 1)
    await warehouse.work()
    assert await warehouse.jobs() == [(1, "DONE", None), (2, "DONE", None)]
    assert await warehouse.db.fetchval(f"SELECT count(*) FROM {warehouse.current()}") == 5


async def test_a_file_mended_after_it_failed_loads_on_retry(warehouse, sender):
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    await alter(sender, 0, {"data.customer": "altered"}, batch=2)
    await warehouse.work()
    await alter(sender, 0, {"data.customer": sender.row(3)["customer"]}, batch=2)
    await warehouse.retry(sender, 1)
    assert await warehouse.work() == 1
    assert await warehouse.jobs() == [(1, "DONE", None)]


async def test_a_retry_names_the_attempt_it_answers(warehouse, sender):
    fact = await sender.send(sender.row(1), sender.row(2))
    await alter(sender, 0, {"data.customer": "altered"})
    await warehouse.work()
    request = RetryRequested(
        organisation="acme", table="orders", file_id=fact.file_id, attempt=fact.attempt + 1, user="anna"
    )
    await warehouse.send_retry(request)
    assert (await warehouse.jobs())[0][1] == "FAILED"
