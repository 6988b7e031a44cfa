"""What an attempt leaves in PostgreSQL, MongoDB and the bucket, on real servers."""

import hashlib
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from driven_ingestor import COLUMNS, Ingestor, csv, declaration

FIRST = csv("1,Ada,10.00", "2,Bob,20.50", "3,Cem,")
NAMES = ("read", "inserted", "updated", "unchanged", "duplicate", "stale", "rejected", "deleted")


def counts(**some: int) -> dict[str, Any]:
    return dict.fromkeys(NAMES, 0) | some


async def test_a_first_file_makes_version_1_of_each_row(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(FIRST)
    assert await ingestor.states() == [(1, "DONE")]
    said = await ingestor.last_event()
    assert (said["type"], said["position"], said["attempt"]) == ("records-ingested", 1, 1)
    assert (said["file_id"], said["sha256"]) == (str(event.file_id), hashlib.sha256(FIRST).hexdigest())
    assert said["rows"] == counts(read=3, inserted=3)
    assert [batch["version_count"] for batch in said["batches"]] == [3]
    heads = await ingestor.all("SELECT key, version, deleted FROM heads ORDER BY key")
    assert heads == [{"key": key, "version": 1, "deleted": False} for key in "123"]


async def test_documents_are_what_the_design_says(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST)
    await ingestor.deliver(csv("3,Cem,7.00", "1,Eva,10.00"))
    documents = await ingestor.stored()
    hashes = {row["key"]: row["hash"] for row in await ingestor.all("SELECT key, hash FROM heads")}
    newest = documents[-1]
    at = newest.pop("at")
    assert at.tzinfo is None
    assert newest == {
        "_id": ObjectId(bytes([0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1])),
        "key": "1",
        "version": 2,
        "change": "update",
        "changed": ["customer"],
        "hash": hashes["1"],
        "previous_hash": documents[0]["hash"],
        "prev": documents[0]["_id"],
        "position": 2,
        "line": 3,
        "data": {"order_id": 1, "customer": "Eva", "amount": Decimal128("10.00")},
    }
    assert list(newest) == [
        *("_id", "key", "version", "change", "changed", "hash", "previous_hash", "prev", "position", "line", "data")
    ]
    plain = b"amount=5:10.00,customer=3:Eva,order_id=1:1,"
    assert hashes["1"] == hashlib.sha256(plain).digest()
    assert documents[2]["data"] == {"order_id": 3, "customer": "Cem"}
    assert not {"changed", "previous_hash", "prev"} & documents[2].keys()


async def test_what_an_update_was_before_is_read_many_documents_at_a_time(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_by_one(*_: object) -> None:
        raise AssertionError("these documents are not in the layout that they were written in")

    monkeypatch.setattr("records.bson.decode.decode_exactly", one_by_one)
    await ingestor.deliver(FIRST)
    await ingestor.deliver(csv("1,Eva,10.00"))
    assert await ingestor.states() == [(1, "DONE"), (2, "DONE")]


async def test_a_second_file_makes_versions_of_what_changed_only(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST)
    await ingestor.deliver(csv("4,Dan,1.00", "2,Bob,20.50", "1,Ada,11.00", "3,,5"))
    assert (await ingestor.last_event())["rows"] == counts(read=4, inserted=1, updated=2, unchanged=1)
    new = [d for d in await ingestor.stored() if d["position"] == 2]
    assert [(d["key"], d["version"], d["change"], d.get("changed")) for d in new] == [
        ("4", 1, "insert", None),
        ("1", 2, "update", ["amount"]),
        ("3", 2, "update", ["amount", "customer"]),
    ]
    positions = await ingestor.all("SELECT position, attempt FROM positions ORDER BY position")
    assert positions == [{"position": 1, "attempt": 1}, {"position": 2, "attempt": 2}]


async def test_the_same_rows_in_another_order_take_a_position_without_versions(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST)
    await ingestor.deliver(csv("3,Cem,", "1,Ada,10.0", "2,Bob,020.50".replace("020", "20")))
    said = await ingestor.last_event()
    assert (said["type"], said["position"], said["batches"]) == ("records-ingested", 2, [])
    assert said["rows"] == counts(read=3, unchanged=3)


async def test_the_same_bytes_again_are_skipped_and_name_their_twin(ingestor: Ingestor) -> None:
    first = await ingestor.deliver(FIRST)
    second = await ingestor.deliver(FIRST)
    said = await ingestor.last_event()
    assert (said["type"], said["twin_file_id"], said["attempt"]) == ("file-skipped", str(first.file_id), 2)
    assert await ingestor.states() == [(1, "DONE"), (2, "SKIPPED")]
    await ingestor.note(second.model_copy(update={"registration": 2, "cause": "retry"}))
    await ingestor.work()
    assert (await ingestor.last_event())["rows"] == counts(read=3, unchanged=3)


async def test_the_same_bytes_after_another_file_or_under_another_declaration_are_read(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST)
    await ingestor.deliver(csv("1,Zoe,1.00"))
    await ingestor.deliver(FIRST)
    assert (await ingestor.last_event())["rows"] == counts(read=3, updated=1, unchanged=2)
    await ingestor.deliver(FIRST, declaration(duplicates="last"))
    assert (await ingestor.last_event())["rows"] == counts(read=3, unchanged=3)


async def test_rejects_are_kept_with_line_reason_and_text(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,10.00", "x,Bob,1", "2,Bob", "3,Cem,-1", "4,Dan,2.00"))
    assert (await ingestor.last_event())["rows"] == counts(read=5, inserted=2, rejected=3)
    rejects = await ingestor.all("SELECT line, columns, start, size, raw FROM rejects ORDER BY number")
    assert [tuple(row.values()) for row in rejects] == [
        (3, ["order_id"], 37, 8, "x,Bob,1"),
        (4, [None], 45, 6, "2,Bob"),
        (5, ["amount"], 51, 9, "3,Cem,-1"),
    ]
    output = await ingestor.output(event.file_id, 1)
    assert output is not None
    lines = output.decode().splitlines()
    notes = "waybill_line,waybill_bytes,waybill_codes,waybill_columns,waybill_reasons,waybill_raw"
    assert lines[0] == f"{notes},order_id,customer,amount"
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["3", "37-44", "wrong_type", "order_id"],
        ["4", "45-50", "too_few_fields", ""],
        ["5", "51-59", "below_minimum", "amount"],
    ]


async def test_identical_rows_count_once_and_conflicts_are_rejects(ingestor: Ingestor) -> None:
    file = csv("1,Ada,10.00", "2,Bob,2.00", "1,Ada,10.00", "2,Bea,2.00", "3,Cem,3.00", "x,Bad,1")
    event = await ingestor.deliver(file)
    assert (await ingestor.last_event())["rows"] == counts(read=6, inserted=2, duplicate=1, rejected=3)
    assert [document["line"] for document in await ingestor.stored()] == [2, 6]
    rejects = await ingestor.all("SELECT line, codes, reasons, raw FROM rejects ORDER BY number")
    assert [(row["line"], row["codes"], row["raw"]) for row in rejects] == [
        (3, ["conflict"], "2,Bob,2.00"),
        (5, ["conflict"], "2,Bea,2.00"),
        (7, rejects[2]["codes"], "x,Bad,1"),
    ]
    assert "3, 5" in rejects[0]["reasons"][0]
    output = await ingestor.output(event.file_id, 1)
    assert output is not None
    assert [line.split(b",")[0] for line in output.splitlines()] == [b"waybill_line", b"7", b"3", b"5"]


@pytest.mark.parametrize(("duplicates", "customer", "line"), [("last", "Bea", 4), ("first", "Bob", 2)])
async def test_a_declared_choice_settles_a_conflict(
    ingestor: Ingestor, duplicates: str, customer: str, line: int
) -> None:
    await ingestor.deliver(csv("2,Bob,2.00", "3,Cem,3.00", "2,Bea,2.00"), declaration(duplicates=duplicates))
    assert (await ingestor.last_event())["rows"] == counts(read=3, inserted=2, duplicate=1)
    [document] = [d for d in await ingestor.stored() if d["key"] == "2"]
    assert (document["data"]["customer"], document["line"]) == (customer, line)


async def test_too_many_rejects_hold_the_file_and_nothing_is_written(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST)
    before = await ingestor.outcome()
    strict = declaration(guards={"max_reject_share": 0.4, "min_rows_for_shares": 2})
    event = await ingestor.deliver(csv("1,Eva,1.00", "x,Bob,1"), strict)
    said = await ingestor.last_event()
    assert (said["type"], [hold["code"] for hold in said["holds"]]) == ("file-held", ["reject_share"])
    assert said["rows"] == counts(read=2, updated=1, rejected=1)
    assert await ingestor.outcome() == before
    assert await ingestor.stored(attempts=[2]) == []
    assert [row["line"] for row in await ingestor.all("SELECT line FROM rejects WHERE attempt = 2")] == [3]
    assert await ingestor.output(event.file_id, 2) is not None
    assert await ingestor.states() == [(1, "DONE"), (2, "HELD")]


async def test_a_header_alone_takes_a_position_with_no_rows(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv())
    said = await ingestor.last_event()
    assert (said["type"], said["position"], said["batches"], said["rows"]) == ("records-ingested", 1, [], counts())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n", "empty_file"),
        (b"order_id,customer,amount,Amount\n1,Ada,1,1\n", "doubled_column"),
        (csv("1,Ada,1.00", '2,"Bob,1.00'), "unclosed_quote"),
        (",".join(f"c{number}" for number in range(10_000)).encode() + b"\n", "too_many_columns"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_with_its_reason(ingestor: Ingestor, body: bytes, code: str) -> None:
    await ingestor.deliver(body)
    said = await ingestor.last_event()
    assert (said["type"], said["code"], said["attempt"]) == ("file-failed", code, 1)
    [job] = await ingestor.all("SELECT state, tries, reason FROM jobs")
    assert (job["state"], job["tries"]) == ("FAILED", 1)
    assert job["reason"].startswith(f"{code}: ")
    assert await ingestor.all("SELECT 1 FROM positions") == []


async def test_a_file_that_failed_does_not_hold_up_the_next(ingestor: Ingestor) -> None:
    await ingestor.deliver(b"")
    await ingestor.deliver(FIRST)
    assert await ingestor.states() == [(1, "FAILED"), (2, "DONE")]


async def test_a_narrower_type_holds_the_file_and_a_wider_one_is_taken(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST)
    narrow = declaration(columns=COLUMNS | {"amount": {"type": "integer"}})
    event = await ingestor.deliver(csv("1,Ada,10"), narrow)
    assert [hold["code"] for hold in (await ingestor.last_event())["holds"]] == ["narrowed_type"]
    # Nobody can decide that values are lost.
    await ingestor.note(event.model_copy(update={"registration": 2, "accepted": ("narrowed_type",)}))
    await ingestor.work()
    assert await ingestor.states() == [(1, "DONE"), (2, "HELD")]
    wide = declaration(columns=COLUMNS | {"amount": {"type": "text"}})
    await ingestor.note(event.model_copy(update={"registration": 3, "cause": "release", "declaration": wide}))
    await ingestor.work()
    assert (await ingestor.last_event())["rows"] == counts(read=1, updated=1)
    await ingestor.deliver(csv("1,Ada,10", "2,Bob,3"), wide)
    said = await ingestor.last_event()
    assert said["rows"] == counts(read=2, updated=1, unchanged=1)
    changed = [(d["key"], d["changed"]) for d in await ingestor.stored() if d["position"] == said["position"]]
    assert changed == [("2", ["amount"])]


async def test_a_column_that_is_declared_no_more_shows_as_changed(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST)
    fewer = {name: column for name, column in COLUMNS.items() if name != "amount"}
    await ingestor.deliver(b"order_id,customer\n1,Ada\n3,Cem\n", declaration(columns=fewer))
    changed = [(d["key"], d["changed"]) for d in await ingestor.stored() if d["position"] == 2]
    assert changed == [("1", ["amount"])]
    assert (await ingestor.last_event())["rows"] == counts(read=2, updated=1, unchanged=1)
    [dataset] = await ingestor.all("SELECT columns FROM datasets")
    assert dataset["columns"]["amount"] == "decimal(12,2)"


async def test_rejects_are_capped_in_the_database_and_complete_in_the_bucket(ingestor: Ingestor) -> None:
    rows = [f"x{number},Ada,\0" for number in range(3_000)]
    event = await ingestor.deliver(csv(*rows))
    said = await ingestor.last_event()
    assert (said["type"], said["rows"]) == ("file-held", counts(read=3_000, rejected=3_000))
    [stored] = await ingestor.all("SELECT count(*), max(line) AS line FROM rejects")
    assert stored == {"count": 1_000, "line": 1_001}
    output = await ingestor.output(event.file_id, 1)
    assert output is not None
    assert output.count(b"\n") == 3_001
