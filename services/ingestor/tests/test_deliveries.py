"""Several files as one delivery: one position or none, on real servers."""

import csv as csv_module
import io
from typing import Any
from uuid import UUID

import pytest
from driven_ingestor import COLUMNS, Ingestor, csv, declaration
from ingestor.jobs import endings, ingest
from waybill_contracts import Declaration, FilePart, FileRegistered, uuid7

GROUP = {"marker": "{organisation}/{table}/{day}/_DONE"}
ORDERS = declaration(group=GROUP, guards={"max_reject_share": 1})
SNAPSHOT = ORDERS.model_copy(update={"mode": "snapshot"})
NAMES = ("acme/orders/1/a.csv", "acme/orders/1/b.csv", "acme/orders/1/c.csv")


class Died(Exception):
    """The process is gone."""


def registered(ingestor: Ingestor, *bodies: bytes, declared: Declaration = ORDERS, **changes: Any) -> FileRegistered:
    """What the registry would say of a delivery of these files."""
    parts = []
    for name, body in zip(NAMES, bodies, strict=False):
        key, version_id = ingestor.put(body, name)
        parts.append(FilePart(file_id=uuid7(), object_key=key, version_id=version_id, size=len(body)))
    return ingestor.registered(b"", declared, parts=tuple(parts), **changes)


async def deliver(ingestor: Ingestor, *bodies: bytes, declared: Declaration = ORDERS) -> FileRegistered:
    event = registered(ingestor, *bodies, declared=declared)
    await ingestor.note(event)
    await ingestor.work()
    return event


async def stored(ingestor: Ingestor) -> list[tuple[str, int, int]]:
    """Key, line and position of each version."""
    return [(each["key"], each["line"], each["position"]) for each in await ingestor.stored()]


def counts(said: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in said["rows"].items() if count}


THREE = (csv("1,Ada,1", "2,Bob,2"), csv("3,Cem,3").rstrip(b"\n"), b"amount,order_id,customer\n\n4,4,Dan\n\n")


async def test_a_delivery_of_three_files_is_one_position_with_lines_that_go_on(ingestor: Ingestor) -> None:
    event = await deliver(ingestor, *THREE)
    said = await ingestor.last_event()
    assert (said["type"], said["position"], counts(said)) == ("records-ingested", 1, {"read": 4, "inserted": 4})
    told = [(UUID(part["file_id"]), part["first_line"], part["rows"]) for part in said["parts"]]
    expected = list(zip([part.file_id for part in event.parts], (1, 4, 6), (2, 1, 1), strict=True))
    assert told == expected
    assert await stored(ingestor) == [("1", 2, 1), ("2", 3, 1), ("3", 5, 1), ("4", 8, 1)]
    kept = await ingestor.all("SELECT file_id, first_line, rows FROM parts ORDER BY first_line")
    assert [tuple(row.values()) for row in kept] == expected


async def test_the_same_files_again_are_skipped_and_in_another_order_they_are_not(ingestor: Ingestor) -> None:
    one, two = csv("1,Ada,1"), csv("2,Bob,2")
    await deliver(ingestor, one, two)
    await deliver(ingestor, one, two)
    assert (await ingestor.last_event())["type"] == "file-skipped"
    await deliver(ingestor, two, one)
    assert counts(await ingestor.last_event()) == {"read": 2, "unchanged": 2}


async def test_a_delivery_of_one_file_is_not_the_twin_of_that_file(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1"), ORDERS)
    await deliver(ingestor, csv("1,Ada,1"))
    assert counts(await ingestor.last_event()) == {"read": 1, "unchanged": 1}


FAULTS = {
    "an unclosed quote": (csv("1,Ada,1") + b'2,"Bob\n', "unclosed_quote", "that starts on line 3"),
    "no header": (b"", "empty_file", "no header"),
    "no text": (b"\xff\xfeo", "invalid_utf8_header", "header"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_in_one_file_leaves_nothing_of_the_others_and_names_it(ingestor: Ingestor, fault: str) -> None:
    body, code, text = FAULTS[fault]
    await deliver(ingestor, THREE[0], body, THREE[2])
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-failed", code)
    assert said["reason"].startswith(f"{NAMES[1]}: ")
    assert text in said["reason"]
    assert (await ingestor.outcome())["heads"] == [] == await stored(ingestor)


async def test_a_file_that_is_gone_fails_the_delivery_by_its_name(ingestor: Ingestor) -> None:
    event = registered(ingestor, *THREE)
    gone = event.parts[1]
    ingestor.s3.delete_object(Bucket=event.bucket, Key=gone.object_key, VersionId=gone.version_id)
    await ingestor.note(event)
    await ingestor.work()
    said = await ingestor.last_event()
    assert (said["code"], said["reason"]) == (
        "object_gone",
        f"{NAMES[1]}: the object's version is no longer in the bucket",
    )
    assert await ingestor.states() == [(1, "FAILED")]
    assert (await ingestor.outcome())["heads"] == []


async def test_other_columns_in_one_file_hold_the_delivery_and_name_it(ingestor: Ingestor) -> None:
    event = await deliver(
        ingestor, THREE[0], b"order_id,customer,amount,note\n3,Cem,3,x\n", b"order_id,amount,note\n4,4,7\n"
    )
    said = await ingestor.last_event()
    where = f"{NAMES[1]} and 1 other files: "
    assert [hold["reason"] for hold in said["holds"]] == [
        f"{where}columns that are not declared: note",
        f"{where}declared columns that the file lacks: customer",
    ]
    # A type that holds what all of the files have there.
    assert {name: column["type"] for name, column in said["proposal"]["columns"].items()} == {"note": "text"}
    assert said["proposal"]["optional"] == ["customer"]
    (facts,) = {str(row["facts"]): row["facts"] for row in await ingestor.all("SELECT facts FROM holds")}.values()
    assert (facts["parts"], facts["samples"]) == ([NAMES[1], NAMES[2]], {"note": ["x"]})
    assert (await ingestor.outcome())["heads"] == []

    columns: dict[str, Any] = {**COLUMNS, "customer": {**COLUMNS["customer"], "optional": True}, "note": {}}
    wider = declaration(columns=columns, group=GROUP)
    accepted = {"registration": 2, "declaration": wider, "accepted": ("columns_added", "columns_missing")}
    await ingestor.note(event.model_copy(update=accepted))
    await ingestor.work()
    assert counts(await ingestor.last_event()) == {"read": 4, "inserted": 4}


async def test_rows_of_two_files_with_one_key_are_judged_as_within_one(ingestor: Ingestor) -> None:
    await deliver(ingestor, csv("1,Ada,1", "2,Bob,2"), csv("1,Ada,1", "2,Bob,9"), csv("2,Bob,2"))
    said = await ingestor.last_event()
    assert counts(said) == {"read": 5, "inserted": 1, "duplicate": 1, "rejected": 3}
    rejects = await ingestor.all("SELECT line, codes, reasons FROM rejects ORDER BY line")
    assert [(row["line"], row["codes"]) for row in rejects] == [(3, ["conflict"]), (6, ["conflict"]), (8, ["conflict"])]
    # One file of the same rows is judged in the same way.
    whole = await ingestor.deliver(csv("1,Ada,1", "2,Bob,2", "1,Ada,1", "2,Bob,9", "2,Bob,2"), ORDERS)
    assert counts(await ingestor.last_event()) == {"read": 5, "unchanged": 1, "duplicate": 1, "rejected": 3}
    assert whole.arrival == 2


async def test_rejects_stand_under_one_header_with_their_file_and_line_there(ingestor: Ingestor) -> None:
    event = await deliver(
        ingestor, csv("x,Ada,1", "2,Bob,2"), b"Amount,Order ID,Customer\noops,3,Cem\n", csv("2,Bob,9", "4,Dan,4,more")
    )
    written = await ingestor.output(event.file_id, 1)
    assert written
    rows = sorted(csv_module.DictReader(io.StringIO(written.decode())), key=lambda row: int(row["waybill_line"]))
    shown = [(row["waybill_line"], row["waybill_part"], row["waybill_codes"], row["order_id"]) for row in rows]
    assert shown == [
        ("2", f"{NAMES[0]}:2", "wrong_type", "x"),
        ("3", f"{NAMES[0]}:3", "conflict", "2"),
        ("5", f"{NAMES[1]}:2", "wrong_type", "3"),
        ("7", f"{NAMES[2]}:2", "conflict", "2"),
        ("8", f"{NAMES[2]}:3", "too_many_fields", ""),
    ]
    assert (rows[2]["customer"], rows[2]["amount"]) == ("Cem", "oops")
    assert [part["rows"] for part in (await ingestor.last_event())["parts"]] == [2, 1, 2]


async def test_a_correction_closes_the_rejects_of_a_delivery_by_their_lines(ingestor: Ingestor) -> None:
    event = await deliver(ingestor, csv("1,Ada,oops"), csv("2,Bob,oops"))
    written = await ingestor.output(event.file_id, 1)
    assert written
    corrected = written.replace(b"oops", b"5")
    await ingestor.deliver(corrected, ORDERS, corrects=event.file_id)
    said = await ingestor.last_event()
    assert (said["type"], counts(said)) == ("records-ingested", {"read": 2, "inserted": 2})
    assert said["closed_rejects"] == 2


async def test_a_snapshot_in_several_files_deletes_what_is_in_none_of_them(ingestor: Ingestor) -> None:
    await deliver(ingestor, csv("1,Ada,1", "2,Bob,2"), csv("3,Cem,3", "4,Dan,4"), declared=SNAPSHOT)
    await deliver(ingestor, csv("3,Cem,3"), csv("1,Ada,9"), csv("5,Eva,5"), declared=SNAPSHOT)
    said = await ingestor.last_event()
    assert counts(said) == {"read": 3, "inserted": 1, "updated": 1, "unchanged": 1, "deleted": 2}
    heads = await ingestor.all("SELECT key, deleted FROM heads ORDER BY key")
    assert {row["key"]: row["deleted"] for row in heads} == {"1": False, "2": True, "3": False, "4": True, "5": False}


async def test_a_row_of_each_file_is_a_record_of_its_own_in_mode_append(ingestor: Ingestor) -> None:
    appended = ORDERS.model_copy(update={"mode": "append", "key": ()})
    event = await deliver(ingestor, csv("1,Ada,1"), csv("1,Ada,1"), declared=appended)
    heads = await ingestor.all("SELECT key FROM heads ORDER BY key")
    assert [row["key"] for row in heads] == [f"{event.file_id}|2", f"{event.file_id}|4"]


@pytest.mark.parametrize("step", ["read", "compare", "write", "finish", "take_position"])
async def test_a_delivery_that_dies_on_the_way_is_taken_whole_by_the_next_try(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    room = endings if step == "take_position" else ingest

    def die(*_arguments: object) -> Any:
        raise Died

    event = registered(ingestor, *THREE)
    await ingestor.note(event)
    with monkeypatch.context() as patch:
        patch.setattr(room, step, die)
        job = await ingestor.claim()
        assert job
        with pytest.raises(Died):
            await ingestor.run(job)
    assert (await ingestor.outcome())["heads"] == []
    await ingestor.db.execute("UPDATE jobs SET lease = now() - interval '1 second'")
    await ingestor.work()
    assert await stored(ingestor) == [("1", 2, 1), ("2", 3, 1), ("3", 5, 1), ("4", 8, 1)]
    await ingestor.note(event)
    assert await ingestor.work() == 0


async def test_the_files_of_a_delivery_are_small_together_or_not_at_all(ingestor: Ingestor) -> None:
    event = registered(ingestor, *THREE)
    await ingestor.note(event)
    job = await ingestor.claim()
    assert job
    with ingestor.workspaces.open("acme/orders", 1) as folder:
        attempt = await ingest.begin(job, ingestor.db, folder)
        assert not attempt.is_small
        for part in attempt.parts:
            part.content_size = part.size
        whole = sum(part.size for part in event.parts)
        with pytest.MonkeyPatch.context() as patch:
            for limit, is_small in ((whole, True), (whole - 1, False)):
                patch.setattr("ingestor.jobs.attempt.SMALL_BYTES", limit)
                assert attempt.is_small is is_small
