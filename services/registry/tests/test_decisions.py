"""Files that are held, and decisions about them, on a real PostgreSQL and a real bucket."""

import asyncio
from typing import Any

import pytest
from chassis import Unprocessable
from chassis.database import Pool
from registry.files import Files
from registry.handlers import note_held_file, note_outcome, note_refused_file, request_retry, take_decision
from waybill_contracts import Column, FileRegistered, Format, uuid7

from .drops import (
    ORDERS,
    decision,
    declare,
    drop,
    failed,
    held,
    ingested,
    refused,
    registered,
    retry,
    skipped,
    states,
)

NOTED = ORDERS.model_copy(update={"columns": {**ORDERS.columns, "note": Column()}})


async def drop_held(db: Pool, files: Files, *others: str) -> list[FileRegistered]:
    """A file that is held at attempt 1, and others behind it."""
    await declare(db)
    events = await drop(db, files, "acme/orders/a.csv", *others)
    await note_held_file(held(events[0]), db=db)
    return events


async def decisions(db: Pool) -> list[tuple[Any, ...]]:
    rows = await db.fetch("SELECT who, decision, attempt, accepted, problem FROM decisions ORDER BY at")
    return [tuple(row) for row in rows]


async def audit(db: Pool, who: str) -> list[tuple[Any, ...]]:
    query = "SELECT from_state, to_state, why FROM file_audit WHERE who = $1 AND file_id IS NOT NULL ORDER BY audit_id"
    return [tuple(row) for row in await db.fetch(query, who)]


# Held


async def test_a_held_file_keeps_reasons_counts_and_proposal_and_gets_a_waybill(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    two = [{"code": "late", "reason": "it is late"}, {"code": "delete_share", "reason": "too many deletes"}]
    await note_held_file(held(event, holds=two), db=db)
    row = await db.fetchrow("SELECT state, code, reason, attempt, holds, rows, proposal FROM files")
    assert row
    assert tuple(row)[:5] == ("HELD", "late", "it is late; too many deletes", 1, two)
    assert row["rows"]["inserted"] == 2
    assert list(row["proposal"]["columns"]) == ["note"]
    jobs = await db.fetch("SELECT kind, lane, seq, state FROM jobs")
    assert [tuple(job) for job in jobs] == [("waybill", "acme/orders", 1, "QUEUED")]


async def test_a_hold_of_a_registration_that_was_overtaken_is_no_hold(db: Pool, files: Files) -> None:
    _, second = await drop_held(db, files, "acme/orders/b.csv")
    await declare(db, NOTED)
    first = (await registered(db))[0]
    await take_decision(decision(first, "release"), db=db)
    await note_held_file(held(second, 2), db=db)  # from before the release
    assert [state for _, state, _ in await states(db)] == ["REGISTERED", "REGISTERED"]
    await note_held_file(held((await registered(db))[-1], 3), db=db)
    assert [state for _, state, _ in await states(db)] == ["REGISTERED", "HELD"]


async def test_a_refused_file_says_who_refused_it_and_can_be_tried_again(db: Pool, files: Files) -> None:
    (event,) = await drop_held(db, files)
    await take_decision(decision(event, "refuse", reason="not ours"), db=db)
    assert (await states(db))[0][1] == "HELD"  # until the ingestor has let go of it
    await note_refused_file(refused(event), db=db)
    row = await db.fetchrow("SELECT state, code, reason, holds, rows FROM files")
    assert row
    assert tuple(row)[:3] == ("REFUSED", "refused", "not ours")
    assert (row["holds"][0]["code"], row["rows"]["read"]) == ("columns_added", 3)
    assert await audit(db, "zoe") == [("HELD", "REFUSED", "not ours")]
    assert await decisions(db) == [("zoe", "refuse", 1, True, None)]
    await request_retry(retry(event), db=db)
    assert (await registered(db))[-1].cause == "retry"


async def test_a_refusal_by_policy_names_no_person(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await note_refused_file(refused(event, user=None), db=db)
    assert await audit(db, "FileRefused") == [("REGISTERED", "REFUSED", "not ours")]


# Release


async def test_a_release_registers_the_file_again_and_it_is_not_held_for_the_same_again(db: Pool, files: Files) -> None:
    (event,) = await drop_held(db, files)
    await take_decision(decision(event, "release", reason="fine"), db=db)
    again = (await registered(db))[-1]
    assert (again.registration, again.cause, again.accepted) == (2, "release", ("columns_added",))
    assert (again.declaration, again.declaration_version) == (ORDERS, 1)
    assert await audit(db, "zoe") == [("HELD", "REGISTERED", "fine")]
    late = [{"code": "late", "reason": "it is late"}]
    await note_held_file(held(again, 2, holds=late, proposal=None), db=db)
    await take_decision(decision(again, "release", 2), db=db)
    assert (await registered(db))[-1].accepted == ("columns_added", "late")
    await note_outcome(failed(again, 3), db=db)
    await request_retry(retry(again, 3), db=db)
    assert (await registered(db))[-1].accepted == ("columns_added", "late")
    await note_outcome(ingested(again, 4), db=db)
    assert (await states(db))[0][1] == "INGESTED"


async def test_a_release_may_declare_columns_and_renames(db: Pool, files: Files) -> None:
    (event,) = await drop_held(db, files)
    await take_decision(decision(event, "release", accept_columns=True, renames={"datum": "day"}), db=db)
    declared = (await registered(db))[-1].declaration
    assert list(declared.columns) == ["id", "day", "note"]
    assert declared.columns["day"].aliases == ("datum",)
    row = await db.fetchrow("SELECT who, why FROM declarations WHERE version = 2")
    assert row
    assert tuple(row) == ("zoe", "release of acme/orders#1")
    row = await db.fetchrow("SELECT codes, renames, accept_columns, declaration_version FROM decisions")
    assert row
    assert tuple(row) == (["columns_added"], {"datum": "day"}, True, 2)


async def test_a_release_may_declare_how_files_are_read_for_those_behind_it_too(db: Pool, files: Files) -> None:
    first, _ = await drop_held(db, files, "acme/orders/b.csv")
    chosen = Format(delimiter=";", quote="", encoding="windows-1252")
    await take_decision(decision(first, "release", format=chosen), db=db)
    again = (await registered(db))[-2:]
    assert [(event.arrival, event.declaration.format) for event in again] == [(1, chosen), (2, chosen)]
    row = await db.fetchrow("SELECT format, declaration_version, accepted FROM decisions")
    assert row
    assert tuple(row) == ({"delimiter": ";", "quote": "", "encoding": "windows-1252"}, 2, True)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"renames": {"note": "remark"}}, "no column remark is declared"),
        ({"attempt": 2}, "answers attempt 2, but the newest is 1"),
    ],
)
async def test_a_release_that_cannot_be_changes_nothing_but_says_so(
    db: Pool, files: Files, more: dict[str, Any], problem: str
) -> None:
    (event,) = await drop_held(db, files)
    await take_decision(decision(event, "release", **{"attempt": 1} | more), db=db)
    assert (await states(db))[0][1] == "HELD"
    assert len(await registered(db)) == 1
    assert await db.fetchval("SELECT declaration_version FROM datasets") == 1
    ((*_, accepted, said),) = await decisions(db)
    assert (accepted, problem in said) == (False, True)
    assert await audit(db, "zoe") == [("HELD", "HELD", f"release refused: {said}")]


async def test_a_release_that_would_change_the_key_of_a_dataset_is_refused(db: Pool, files: Files) -> None:
    """Where it is still to be found, the proposal gives it; afterwards it stays."""
    loose = ORDERS.model_copy(update={"key": ()})
    await declare(db, loose)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await note_held_file(held(event, proposal={"key": ["id"], "mode": "upsert"}), db=db)
    await take_decision(decision(event, "release", accept_columns=True), db=db)
    assert (await registered(db))[-1].declaration.key == ("id",)


async def test_the_declaration_of_a_release_reaches_the_files_queued_behind_it(db: Pool, files: Files) -> None:
    behind = [f"acme/orders/{name}.csv" for name in "bcdef"]
    await declare(db)
    await drop(db, files, "acme/orders/0.csv")
    await drop(db, files, "other/orders/a.csv")
    event, *others = await drop(db, files, "acme/orders/a.csv", *behind)
    await note_outcome(skipped(others[1], 5), db=db)
    await note_outcome(failed(others[2], 6), db=db)
    await request_retry(retry(others[2], 6), db=db)
    await note_held_file(held(others[3], 7), db=db)
    await note_held_file(held(event, 8), db=db)
    said = len(await registered(db))
    await take_decision(decision(event, "release", 8, accept_columns=True), db=db)
    new = (await registered(db))[said:]
    assert [(each.arrival, each.registration, each.cause) for each in new] == [
        (2, 2, "release"),
        (3, 2, "release"),
        (5, 3, "retry"),  # it is still not to be skipped
        (7, 2, "release"),
    ]
    assert {tuple(each.declaration.columns) for each in new} == {("id", "day", "note")}
    assert [each.accepted for each in new] == [("columns_added",), (), (), ()]
    why = "registered again under declaration 2: acme/orders#2 was released"
    assert (await audit(db, "zoe")).count(("REGISTERED", "REGISTERED", why)) == 3


async def test_a_release_reaches_them_with_what_was_declared_since(db: Pool, files: Files) -> None:
    event, _ = await drop_held(db, files, "acme/orders/b.csv")
    await declare(db, NOTED)
    await take_decision(decision(event, "release"), db=db)
    assert [(each.arrival, each.declaration) for each in (await registered(db))[2:]] == [(1, NOTED), (2, NOTED)]
    other = await drop(db, files, "acme/orders/c.csv")
    again = (await registered(db))[2]
    await note_held_file(held(again, 2), db=db)
    await take_decision(decision(again, "release", 2), db=db)
    assert (await registered(db))[-1].arrival == 1, "who has the newest declaration is left alone"
    assert other[0].registration == 1


async def test_a_policy_releases_at_once_by_its_name(db: Pool, files: Files) -> None:
    await declare(db)
    event, _ = await drop(db, files, "acme/orders/a.csv", "acme/orders/b.csv")
    await note_held_file(held(event, decided_by="other_columns: accept"), db=db)
    assert [state for _, state, _ in await states(db)] == ["REGISTERED", "REGISTERED"]
    new = (await registered(db))[2:]
    assert [(each.arrival, list(each.declaration.columns)[-1]) for each in new] == [(1, "note"), (2, "note")]
    assert await decisions(db) == [("other_columns: accept", "release", 1, True, None)]
    assert (await audit(db, "other_columns: accept"))[0] == ("HELD", "REGISTERED", "release")
    assert [state for _, state, *_ in await audit(db, "FileHeld")] == ["HELD"]


async def test_a_policy_whose_declaration_cannot_be_leaves_the_file_to_a_person(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    broken = {"columns": {"Note!": {"type": "text"}}}
    await note_held_file(held(event, decided_by="other_columns: accept", proposal=broken), db=db)
    assert (await states(db))[0][1] == "HELD"
    ((who, *_, accepted, problem),) = await decisions(db)
    assert (who, accepted) == ("other_columns: accept", False)
    assert "snake case" in problem
    assert await db.fetchval("SELECT count(*) FROM jobs WHERE kind = 'waybill'") == 1


async def test_thousands_behind_a_held_file_are_reached_in_one_transaction(db: Pool, files: Files) -> None:
    (event,) = await drop_held(db, files)
    await db.execute(
        """
        INSERT INTO files (file_id, bucket, key, version_id, size, etag, last_modified, found_by, organisation,
            table_name, dataset, arrival, registration, cause, declaration_version, registered_at, announced_at, state)
        SELECT gen_random_uuid(), bucket, key || n, version_id, size, etag, last_modified, found_by, organisation,
            table_name, dataset, 1 + n, 1, 'new', 1, now(), now(), 'REGISTERED'
        FROM files, generate_series(1, 3000) AS n
        """
    )
    async with asyncio.timeout(30):
        await take_decision(decision(event, "release", accept_columns=True), db=db)
    again = await registered(db)
    assert [each.arrival for each in again[1:]] == list(range(1, 3002))
    assert {tuple(each.declaration.columns) for each in again[1:]} == {("id", "day", "note")}


# Which decision counts


async def test_of_two_decisions_at_once_one_counts_and_the_other_says_why_not(db: Pool, files: Files) -> None:
    for number in range(6):
        await declare(db)
        (event,) = await drop(db, files, f"acme/orders/{number}.csv")
        await note_held_file(held(event, number + 1), db=db)
        asked = [decision(event, verb, number + 1) for verb in ("release", "refuse", "release", "refuse")]
        await asyncio.gather(*[take_decision(each, db=db) for each in asked])
        rows = await db.fetch("SELECT accepted, decision, problem FROM decisions WHERE file_id = $1", event.file_id)
        (taken,) = [row["decision"] for row in rows if row["accepted"]]
        assert [f": {taken}, by zoe" in row["problem"] for row in rows if row["problem"]] == [True] * 3
        assert (await states(db))[number][1] == {"release": "REGISTERED", "refuse": "HELD"}[taken]


async def test_a_release_after_a_refusal_that_was_taken_changes_nothing(db: Pool, files: Files) -> None:
    (event,) = await drop_held(db, files)
    await take_decision(decision(event, "refuse"), db=db)
    await take_decision(decision(event, "release"), db=db)
    assert (await decisions(db))[1][-1] == "attempt 1 was decided already: refuse, by zoe"
    assert (await states(db))[0][1] == "HELD"


async def test_a_release_that_was_taken_is_not_undone_by_a_refusal_in_the_ingestor(db: Pool, files: Files) -> None:
    (event,) = await drop_held(db, files)
    await take_decision(decision(event, "release"), db=db)
    await note_refused_file(refused(event), db=db)
    assert (await states(db))[0][1] == "REGISTERED"


async def test_a_decision_about_an_unknown_file_can_never_be_taken(db: Pool, files: Files) -> None:
    (event,) = await drop_held(db, files)
    stranger = event.model_copy(update={"file_id": uuid7()})
    for handle, message in (
        (take_decision, decision(stranger, "release")),
        (note_held_file, held(stranger, 2)),
        (note_refused_file, refused(stranger)),
    ):
        with pytest.raises(Unprocessable):
            await handle(message, db=db)
