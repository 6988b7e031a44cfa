"""The four promises of each handler: it does its job, once, whole or not at all, in any order."""

import pytest
from chassis import AlreadyHandled, Unprocessable, put_job
from loader import handlers
from loader.handlers import note_ingested_file, retry_load
from waybill_contracts import ColumnType, RetryRequested, uuid7


async def facts_and_jobs(warehouse):
    return {
        "facts": await warehouse.all("SELECT dataset, position, file_id, attempt FROM facts ORDER BY 1, 2"),
        "jobs": await warehouse.all("SELECT lane, seq, state, tries FROM jobs ORDER BY 1, 2"),
        "inbox": await warehouse.all("SELECT event_id FROM inbox ORDER BY 1"),
    }


async def test_an_ingested_file_is_noted_and_queued(warehouse, sender):
    fact = await sender.write(sender.row(1))
    await note_ingested_file(fact, warehouse=warehouse.db)
    state = await facts_and_jobs(warehouse)
    assert state["facts"] == [
        {"dataset": "acme/orders", "position": 1, "file_id": fact.file_id, "attempt": fact.attempt}
    ]
    assert state["jobs"] == [{"lane": "acme/orders", "seq": 1, "state": "QUEUED", "tries": 0}]
    row = await warehouse.db.fetchrow("SELECT * FROM facts")
    assert (row["object_key"], row["user"], row["reason"], row["size"]) == (
        "acme/orders/día 1.csv",
        "anna",
        "monthly",
        1234,
    )


async def test_a_second_delivery_of_an_ingested_file_changes_nothing(warehouse, sender):
    fact = await sender.send(sender.row(1))
    before = await facts_and_jobs(warehouse)
    with pytest.raises(AlreadyHandled):
        await note_ingested_file(fact, warehouse=warehouse.db)
    assert await facts_and_jobs(warehouse) == before


@pytest.mark.parametrize("state", ["RUNNING", "FAILED", "DONE"])
async def test_a_repeat_from_before_the_inbox_was_pruned_changes_nothing(warehouse, sender, state):
    fact = await sender.send(sender.row(1))
    await warehouse.db.execute("UPDATE jobs SET state = $1, tries = 3", state)
    before = await facts_and_jobs(warehouse)
    await warehouse.db.execute("DELETE FROM inbox")
    await note_ingested_file(fact, warehouse=warehouse.db)
    assert await facts_and_jobs(warehouse) == before


async def test_a_crash_while_noting_leaves_nothing(warehouse, sender, monkeypatch):
    fact = await sender.write(sender.row(1))

    async def crash(*_):
        raise ConnectionError

    monkeypatch.setattr(handlers, "put_job", crash)
    with pytest.raises(ConnectionError):
        await note_ingested_file(fact, warehouse=warehouse.db)
    assert await facts_and_jobs(warehouse) == {"facts": [], "jobs": [], "inbox": []}


async def test_ingested_files_noted_in_another_order_end_the_same(warehouse, sender, make_sender):
    facts = [await sender.write(sender.row(n)) for n in range(3)]
    for fact in reversed(facts):
        await sender.announce(fact)
    state = await facts_and_jobs(warehouse)
    assert [(job["seq"], job["state"]) for job in state["jobs"]] == [(1, "QUEUED"), (2, "QUEUED"), (3, "QUEUED")]
    assert await warehouse.db.fetchval("SELECT contiguous FROM lanes") == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"columns": (ColumnType(name="_key", type="text"),)}, "column '_key' is a system column"),
        ({"columns": (ColumnType(name="order_id", type="inet"),)}, "column 'order_id' has no known type"),
        ({"key": ("nothing",)}, "key column 'nothing' is not a column"),
        ({"table": "orders_history"}, "would take the name of a view"),
        ({"rule_version": 2}, "rule version 2 is not known"),
    ],
)
async def test_a_fact_that_can_never_be_loaded_is_a_dead_letter(warehouse, sender, change, reason):
    fact = await sender.write(sender.row(1))
    with pytest.raises(Unprocessable, match=reason):
        await note_ingested_file(fact.model_copy(update=change), warehouse=warehouse.db)
    assert await facts_and_jobs(warehouse) == {"facts": [], "jobs": [], "inbox": []}


async def test_another_file_for_a_position_that_is_taken_is_a_dead_letter(warehouse, sender):
    fact = await sender.send(sender.row(1))
    await warehouse.db.execute("DELETE FROM inbox")
    with pytest.raises(Unprocessable, match="acme/orders position 1 is known as attempt 2"):
        await note_ingested_file(fact.model_copy(update={"file_id": uuid7()}), warehouse=warehouse.db)


async def failed(warehouse, sender):
    """A file whose load job has failed, and the request to try it again."""
    fact = await sender.send(sender.row(1))
    await warehouse.db.execute("UPDATE jobs SET state = 'FAILED', tries = 5, reason = 'broken'")
    return RetryRequested(organisation="acme", table="orders", file_id=fact.file_id, attempt=fact.attempt, user="anna")


async def test_a_retry_queues_the_failed_load_job_again(warehouse, sender):
    await retry_load(await failed(warehouse, sender), warehouse=warehouse.db)
    assert (await facts_and_jobs(warehouse))["jobs"][0] == {
        "lane": "acme/orders",
        "seq": 1,
        "state": "QUEUED",
        "tries": 0,
    }


async def test_a_second_delivery_of_a_retry_changes_nothing(warehouse, sender):
    request = await failed(warehouse, sender)
    await retry_load(request, warehouse=warehouse.db)
    await warehouse.db.execute("UPDATE jobs SET state = 'FAILED'")
    with pytest.raises(AlreadyHandled):
        await retry_load(request, warehouse=warehouse.db)
    assert (await facts_and_jobs(warehouse))["jobs"][0]["state"] == "FAILED"


async def test_a_crash_while_retrying_leaves_nothing(warehouse, sender, monkeypatch):
    request = await failed(warehouse, sender)
    before = await facts_and_jobs(warehouse)

    async def crash(*arguments):
        await put_job(*arguments)
        raise ConnectionError

    monkeypatch.setattr(handlers, "put_job", crash)
    with pytest.raises(ConnectionError):
        await retry_load(request, warehouse=warehouse.db)
    assert await facts_and_jobs(warehouse) == before


async def test_a_retry_before_its_file_is_known_is_not_the_loaders(warehouse, sender):
    fact = await sender.write(sender.row(1))
    request = RetryRequested(
        organisation="acme", table="orders", file_id=fact.file_id, attempt=fact.attempt, user="anna"
    )
    await retry_load(request, warehouse=warehouse.db)
    await sender.announce(fact)
    assert (await facts_and_jobs(warehouse))["jobs"][0]["state"] == "QUEUED"


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "DONE"])
async def test_a_retry_of_a_load_that_has_not_failed_changes_nothing(warehouse, sender, state):
    request = await failed(warehouse, sender)
    await warehouse.db.execute("UPDATE jobs SET state = $1", state)
    before = (await facts_and_jobs(warehouse))["jobs"]
    await retry_load(request, warehouse=warehouse.db)
    assert (await facts_and_jobs(warehouse))["jobs"] == before
