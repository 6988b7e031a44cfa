"""Outcomes, retries and declarations, on a real PostgreSQL and a real bucket."""

import asyncio
from collections.abc import Callable

import pytest
from chassis import Unprocessable
from chassis.database import Pool
from registry.domain.standing import Outcome
from registry.files import Files
from registry.handlers import note_outcome, request_retry
from waybill_contracts import Column, FileRegistered, uuid7

from .drops import (
    ORDERS,
    declare,
    drop,
    failed,
    ingested,
    loaded,
    registered,
    retry,
    skipped,
    states,
)

# Outcomes


async def test_a_file_whose_halves_balance_is_loaded_and_gets_a_waybill(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await note_outcome(ingested(event), db=db)
    assert (await states(db))[0][1] == "INGESTED"
    await note_outcome(loaded(event), db=db)
    row = await db.fetchrow("SELECT state, attempt, position, balanced, rows FROM files")
    assert row is not None
    assert tuple(row)[:4] == ("LOADED", 1, 1, True)
    assert row["rows"]["rejected"] == 1
    jobs = await db.fetch("SELECT kind, lane, seq, state FROM jobs")
    assert [tuple(job) for job in jobs] == [("waybill", "acme/orders", 1, "QUEUED")]
    changes = await db.fetch("SELECT who, from_state, to_state FROM file_audit WHERE file_id IS NOT NULL ORDER BY at")
    assert [tuple(change) for change in changes] == [
        ("registry", None, "REGISTERED"),
        ("RecordsIngested", "REGISTERED", "INGESTED"),
        ("FileLoaded", "INGESTED", "LOADED"),
    ]


async def test_a_failure_and_a_skip_are_kept_with_their_reason(db: Pool, files: Files) -> None:
    await declare(db)
    first, second = await drop(db, files, "acme/orders/a.csv", "acme/orders/b.csv")
    await note_outcome(failed(first), db=db)
    await note_outcome(skipped(second, 2), db=db)
    assert [state for _, state, _ in await states(db)] == ["FAILED", "SKIPPED"]
    assert (await states(db))[0][2] == "the file is empty"


async def test_an_outcome_of_an_unknown_file_can_never_be_noted(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    stranger = event.model_copy(update={"file_id": uuid7()})
    foreign = event.model_copy(update={"organisation": "other"})
    for wrong in (stranger, foreign):
        for handle, message in (
            (note_outcome, failed(wrong)),
            (note_outcome, ingested(wrong)),
            (request_retry, retry(wrong)),
        ):
            with pytest.raises(Unprocessable):
                await handle(message, db=db)


@pytest.mark.parametrize(
    ("make", "held", "free"),
    [
        (ingested, "SELECT FROM datasets FOR UPDATE", "SELECT FROM files FOR UPDATE NOWAIT"),
        (failed, "SELECT FROM files FOR UPDATE", "SELECT FROM lanes FOR UPDATE NOWAIT"),
    ],
)
async def test_an_outcome_locks_dataset_then_file_then_lane(
    db: Pool, files: Files, make: Callable[[FileRegistered], Outcome], held: str, free: str
) -> None:
    await declare(db)
    earlier, event = await drop(db, files, "acme/orders/a.csv", "acme/orders/b.csv")
    await note_outcome(failed(earlier, 9), db=db)  # makes the lane
    async with db.acquire() as other, other.transaction():
        await other.execute(held)
        waiting = asyncio.create_task(note_outcome(make(event), db=db))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        async with db.acquire() as third:
            await third.execute(free)
    await waiting


# Requests


async def test_a_retry_registers_the_file_once_more(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await note_outcome(failed(event), db=db)
    wider = ORDERS.model_copy(update={"columns": {**ORDERS.columns, "note": Column()}})
    await declare(db, wider)
    await request_retry(retry(event), db=db)
    again = (await registered(db))[-1]
    assert (again.registration, again.cause, again.arrival, again.declaration) == (2, "retry", 1, ORDERS)
    assert again.id != event.id
    await note_outcome(failed(event, 2), db=db)
    await request_retry(retry(event, 2, as_declared_now=True), db=db)
    assert (await registered(db))[-1].declaration == wider


async def test_a_retry_of_another_attempt_or_state_changes_nothing_but_says_so(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await request_retry(retry(event), db=db)
    await note_outcome(failed(event, 2), db=db)
    await request_retry(retry(event, 1), db=db)
    assert len(await registered(db)) == 1
    refusals = await db.fetch("SELECT who, to_state, why FROM file_audit WHERE why LIKE 'retry refused%' ORDER BY at")
    assert [tuple(row)[:2] for row in refusals] == [("zoe", "REGISTERED"), ("zoe", "FAILED")]
    assert "answers attempt 1, but the newest is 2" in refusals[1]["why"]


async def test_a_declaration_registers_what_waited_for_it_oldest_first(db: Pool, files: Files) -> None:
    for key in ("acme/orders/b.csv", "acme/orders/a.csv", "acme/orders/b.csv"):
        await drop(db, files, key)
        await asyncio.sleep(1.1)
    assert await registered(db) == []
    await declare(db)
    assert [(event.object_key, event.arrival) for event in await registered(db)] == [
        ("acme/orders/b.csv", 1),
        ("acme/orders/a.csv", 2),
        ("acme/orders/b.csv", 3),
    ]
    assert (await drop(db, files, "acme/orders/c.csv"))[0].arrival == 4


async def test_a_declaration_that_changes_the_key_is_refused_once_files_take_effect(db: Pool, files: Files) -> None:
    await declare(db)
    other = ORDERS.model_copy(update={"key": ("day",)})
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await declare(db, other)  # the file may be about to take effect
    await note_outcome(failed(event), db=db)
    await declare(db, other)
    assert await db.fetchval("SELECT declaration_version FROM datasets") == 2
    await request_retry(retry(event, as_declared_now=True), db=db)
    await note_outcome(ingested(event, 2), db=db)
    await declare(db)
    assert await db.fetchval("SELECT declaration_version FROM datasets") == 2
    why = await db.fetch("SELECT why FROM file_audit WHERE to_state = 'REFUSED' ORDER BY audit_id")
    assert ["the key of acme/orders is id" in why[0]["why"], "is day" in why[1]["why"]] == [True, True]


async def test_the_declaration_of_now_makes_no_new_version_but_is_answered(db: Pool) -> None:
    await declare(db)
    await declare(db)
    assert await db.fetchval("SELECT count(*) FROM declarations") == 1
    answers = await db.fetch("SELECT to_state FROM file_audit WHERE dataset = 'acme/orders' ORDER BY audit_id")
    assert [answer[0] for answer in answers] == ["DECLARED 1", "UNCHANGED"]
