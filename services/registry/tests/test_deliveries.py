"""Several files as one delivery, on a real PostgreSQL and a real bucket: together and exactly, or not at all."""

from functools import partial
from itertools import permutations
from typing import Any

import orjson
import pytest
from chassis import JobKind
from chassis.claim import claim, complete
from chassis.database import Pool
from registry.files import Files
from registry.handlers import note_held_file, note_outcome, register_drops, request_retry
from registry.jobs import write_waybill
from waybill_contracts import FileRegistered, PartCount

from .delivering import DONE, A, B, C, declared, drop, marked, reasons, take_all, told
from .drops import declare, everything, failed, held, ingested, loaded, notify, put, registered, retry, states


async def test_files_of_a_delivery_wait_for_its_marker_and_are_announced_with_it(db: Pool, files: Files) -> None:
    await declare(db, marked())
    b, a, _ = await drop(db, files, B, A, "acme/orders/2/a.csv")
    assert await registered(db) == []
    assert set((await reasons(db)).values()) == {"part of a delivery: waits for its marker"}
    await drop(db, files, DONE)
    (event,) = await registered(db)
    rows = {row["key"]: row for row in await db.fetch("SELECT * FROM files")}
    assert (event.object_key, event.arrival, event.cause, event.late) == (DONE, 1, "new", False)
    assert [part.model_dump() for part in event.parts] == [
        {"file_id": rows[key]["file_id"], "object_key": key, "version_id": version, "size": 5}
        for key, version in ((A, a), (B, b))
    ]
    assert [(state, reason) for key, state, reason in await states(db) if key in (A, B)] == [
        ("IGNORED", "part of acme/orders#1")
    ] * 2
    assert {rows[key]["delivery_id"] for key in (A, B)} == {event.file_id} == {rows[DONE]["file_id"]}
    assert (await reasons(db))["acme/orders/2/a.csv"] == "part of a delivery: waits for its marker"
    trail = await db.fetch("SELECT to_state, why FROM file_audit WHERE file_id = $1 ORDER BY audit_id", event.file_id)
    assert [tuple(row) for row in trail][-1] == ("REGISTERED", "a delivery of 2 files")


@pytest.mark.parametrize("order", list(permutations((A, B, DONE))))
async def test_in_whatever_order_and_how_often_it_is_told_the_delivery_is_the_same(
    db: Pool, files: Files, order: tuple[str, ...]
) -> None:
    await declare(db, marked())
    versions = {key: await put(files, key) for key in (A, B, DONE)}
    for key in (*order, *order):
        await register_drops([notify(files, key, versions[key])], db=db, files=files)
        await take_all(db, files)
    assert await told(db) == [(DONE, 1, [(A, versions[A]), (B, versions[B])])]
    assert (await reasons(db)) == {A: "part of acme/orders#1", B: "part of acme/orders#1", DONE: None}


async def test_a_file_that_no_notification_told_of_is_in_its_delivery(db: Pool, files: Files) -> None:
    await declare(db, marked())
    lost = await put(files, A, user="zoe")
    (b, _) = await drop(db, files, B, DONE)
    assert await told(db) == [(DONE, 1, [(A, lost), (B, b)])]
    row = await db.fetchrow("SELECT found_by, sent_by, reason FROM files WHERE key = $1", A)
    assert row
    assert tuple(row) == ("sweep", "zoe", "part of acme/orders#1")
    before = await everything(db)
    await register_drops([notify(files, A, lost)], db=db, files=files)
    after = await everything(db)
    assert [file["reason"] for file in after["files"]] == [file["reason"] for file in before["files"]]
    assert after["outbox"] == before["outbox"]


async def test_only_the_newest_versions_are_delivered_and_what_they_replaced_says_so(db: Pool, files: Files) -> None:
    await declare(db, marked())
    await drop(db, files, A)
    (newer,) = await drop(db, files, A, body=b"id\n2\n")
    await put(files, B)
    await files.client.delete_object(Bucket=files.bucket, Key=B)
    await drop(db, files, DONE)
    assert await told(db) == [(DONE, 1, [(A, newer)])]
    found = [(key, reason) for key, _, reason in await states(db) if key == A]
    assert found == [
        (A, "replaced by a newer version before it was delivered: see acme/orders#1"),
        (A, "part of acme/orders#1"),
    ]


async def test_a_version_that_replaces_a_part_later_is_for_the_next_delivery(db: Pool, files: Files) -> None:
    await declare(db, marked())
    a, b, _ = await drop(db, files, A, B, DONE)
    (newer,) = await drop(db, files, A, body=b"id\n2\n")
    assert len(await registered(db)) == 1
    await drop(db, files, DONE)
    assert await told(db) == [(DONE, 1, [(A, a), (B, b)]), (DONE, 2, [(A, newer)])]


@pytest.mark.parametrize(
    ("mode", "outcome", "is_taken"),
    [
        ("upsert", "loaded", True),
        ("upsert", "failed", False),
        ("snapshot", "loaded", False),
        ("snapshot", "failed", False),
    ],
)
async def test_half_of_a_delivery_is_not_taken_again_where_the_other_half_would_be_lost(
    db: Pool, files: Files, mode: str, outcome: str, is_taken: bool
) -> None:
    await declare(db, marked(mode=mode))
    await drop(db, files, A, B, DONE)
    (event,) = await registered(db)
    ended = [failed(event)] if outcome == "failed" else [ingested(event), loaded(event)]
    for each in ended:
        await note_outcome(each, db=db)
    (newer,) = await drop(db, files, B, body=b"id\n2\n")
    await drop(db, files, DONE)
    state = "FAILED" if outcome == "failed" else "LOADED"
    (_, _, reason) = [each for each in await states(db) if each[0] == DONE][-1]
    if is_taken:
        assert (await told(db))[1:] == [(DONE, 2, [(B, newer)])]
        return
    assert reason == (
        f"it would leave out '{A}', which did not change since acme/orders#1 ({state}):"
        " send all files of that delivery again, then the marker"
    )
    await drop(db, files, A, C, body=b"id\n3\n")
    await drop(db, files, DONE)
    assert [[key for key, _ in parts] for _, _, parts in await told(db)] == [[A, B], [A, B, C]]


async def test_files_of_another_day_may_stay_beside_a_snapshot(db: Pool, files: Files) -> None:
    group = {"marker": "{organisation}/{table}/{shop}/_DONE"}
    await declare(db, declared(group, mode="snapshot", files=["{organisation}/{table}/{shop}/*.csv"]))
    for day in ("1", "2"):
        await drop(db, files, f"acme/orders/north/{day}.csv")
        await drop(db, files, "acme/orders/north/_DONE")
    assert [len(parts) for _, _, parts in await told(db)] == [1, 1]


async def test_a_marker_that_tells_of_nothing_new_is_ignored_and_says_what_to_do(db: Pool, files: Files) -> None:
    await declare(db, marked())
    await drop(db, files, DONE)
    assert len(await registered(db)) == 0
    assert str((await reasons(db))[DONE]).startswith("the marker tells of no file that is new")
    await drop(db, files, A)
    assert await registered(db) == []
    assert await take_all(db, files) == 0
    await drop(db, files, DONE)
    assert [key for key, _, _ in await told(db)] == [DONE]


async def test_a_marker_without_captures_takes_all_that_is_new(db: Pool, files: Files) -> None:
    await declare(db, declared({"marker": "{organisation}/{table}/DONE"}, files=["{organisation}/{table}/**"]))
    keys = ["acme/orders/x/y/a.csv", "acme/orders/b.csv"]
    versions = dict(zip(keys, await drop(db, files, *keys), strict=True))
    await drop(db, files, "acme/orders/DONE")
    expected = [(key, versions[key]) for key in sorted(keys)]
    assert await told(db) == [("acme/orders/DONE", 1, expected)]


async def test_order_partition_and_lateness_of_a_delivery_are_those_of_its_marker(db: Pool, files: Files) -> None:
    by_day = {"mode": "snapshot", "order_by": {"file_name": r"_DONE(\d+)"}, "partition": {"path": "shop"}}
    group = {"marker": "{organisation}/{table}/{shop}/_DONE{day}"}
    await declare(db, declared(group, **by_day, files=["{organisation}/{table}/{shop}/{day}-*.csv"]))
    for day in ("2", "1"):
        await drop(db, files, f"acme/orders/north/{day}-99.csv", f"acme/orders/north/_DONE{day}")
    events = await registered(db)
    assert [(event.order is not None, event.partition, event.late) for event in events] == [
        (True, "north", False),
        (True, "north", True),
    ]
    assert [len(event.parts) for event in events] == [1, 1]


async def test_too_many_files_are_no_delivery(db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    await declare(db, marked())
    monkeypatch.setattr("registry.domain.deliveries.MAX_PARTS", 1)
    await drop(db, files, A, B, DONE)
    assert (await reasons(db))[DONE] == "the marker tells of 2 files; a delivery has at most 1"
    assert await registered(db) == []


# What becomes of a delivery


async def test_a_retry_announces_the_same_parts_again(db: Pool, files: Files) -> None:
    await declare(db, marked())
    await drop(db, files, A, B, DONE)
    await drop(db, files, A, body=b"id\n2\n")
    (event,) = await registered(db)
    await note_outcome(failed(event), db=db)
    await request_retry(retry(event), db=db)
    again = (await registered(db))[-1]
    assert (again.registration, again.parts) == (2, event.parts)


def counted(event: FileRegistered) -> list[PartCount]:
    lines = (1, 4)
    return [
        PartCount(file_id=part.file_id, first_line=line, rows=2) for part, line in zip(event.parts, lines, strict=True)
    ]


async def waybill_of(files: Files, file_id: Any) -> dict[str, Any]:
    key = f"acme/orders/{file_id}/waybill.json"
    answer = await files.client.get_object(Bucket=files.output_bucket, Key=key)
    found: dict[str, Any] = orjson.loads(await answer["Body"].read())
    return found


async def write_waybills(db: Pool, files: Files) -> None:
    writing = JobKind("waybill", run=partial(write_waybill, db=db, files=files), dense=False)
    while job := await claim(db, writing, 30):
        await writing.run(job)
        await complete(db, writing, job)


async def test_the_waybill_of_a_delivery_lists_its_parts_and_each_part_has_one_that_names_it(
    db: Pool, files: Files
) -> None:
    await declare(db, marked())
    a, b, _ = await drop(db, files, A, B, DONE)
    (event,) = await registered(db)
    told_parts = ingested(event).model_copy(update={"parts": tuple(counted(event))})
    for outcome in (told_parts, loaded(event)):
        await note_outcome(outcome, db=db)
    await write_waybills(db, files)
    ids = [str(part.file_id) for part in event.parts]
    assert (await waybill_of(files, event.file_id))["parts"] == [
        {"file_id": ids[0], "key": A, "version_id": a, "size": 5, "first_line": 1, "rows": 2},
        {"file_id": ids[1], "key": B, "version_id": b, "size": 5, "first_line": 4, "rows": 2},
    ]
    part = await waybill_of(files, ids[1])
    assert (part["name"], part["state"], part["reason"]) == (None, "IGNORED", "part of acme/orders#1")
    assert part["delivery"] == {
        "file_id": str(event.file_id),
        "name": "acme/orders#1",
        "state": "LOADED",
        "reason": None,
        "first_line": 4,
        "rows": 2,
    }


async def test_the_entries_of_archives_are_in_the_waybill_and_add_up_in_their_part(db: Pool, files: Files) -> None:
    await declare(db, marked())
    await drop(db, files, A, B, DONE)
    (event,) = await registered(db)
    first, second = (part.file_id for part in event.parts)
    entries = [("x.csv", 5, 3), ("y.csv", 9, 4)]
    of_second = [PartCount(file_id=second, entry=name, first_line=line, rows=rows) for name, line, rows in entries]
    read = (PartCount(file_id=first, first_line=1, rows=3), *of_second)
    for outcome in (ingested(event).model_copy(update={"parts": read}), loaded(event)):
        await note_outcome(outcome, db=db)
    await write_waybills(db, files)
    waybill = await waybill_of(files, event.file_id)
    assert [(part["first_line"], part["rows"]) for part in waybill["parts"]] == [(1, 3), (5, 7)]
    assert waybill["entries"] == [part.model_dump(mode="json") for part in of_second]


async def test_an_archive_that_is_no_delivery_has_entries_and_no_parts(db: Pool, files: Files) -> None:
    await declare(db, marked().model_copy(update={"group": None}))
    await drop(db, files, A)
    (event,) = await registered(db)
    read = (PartCount(file_id=event.file_id, entry="x.csv", first_line=1, rows=2),)
    for outcome in (ingested(event).model_copy(update={"parts": read}), loaded(event)):
        await note_outcome(outcome, db=db)
    await write_waybills(db, files)
    waybill = await waybill_of(files, event.file_id)
    assert (waybill["delivery"], waybill["parts"]) == (None, [])
    assert [entry["entry"] for entry in waybill["entries"]] == ["x.csv"]
    assert await db.fetchval("SELECT first_line FROM files WHERE file_id = $1", event.file_id) is None


async def test_the_waybills_of_parts_say_that_their_delivery_is_held(db: Pool, files: Files) -> None:
    await declare(db, marked())
    await drop(db, files, A, DONE)
    (event,) = await registered(db)
    await note_held_file(held(event), db=db)
    await write_waybills(db, files)
    part = await waybill_of(files, event.parts[0].file_id)
    assert (part["delivery"]["state"], part["delivery"]["reason"]) == ("HELD", "columns that are not declared: note")
