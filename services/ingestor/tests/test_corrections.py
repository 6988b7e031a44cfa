"""Rejected rows that come back corrected, and files whose objects are removed."""

import csv as csv_module
import io
from typing import Any

import pytest
from driven_ingestor import Ingestor, csv, declaration
from waybill_contracts import FileRegistered, uuid7

BY_NAME = declaration(order_by={"file_name": r"(\d+)"})
SNAPSHOT = declaration(mode="snapshot", guards={"max_reject_share": 1})
WITH_REJECTS = csv("1,Ada,1", "2,Bob,oops", "3,=Cem,-", "4,Dan,4,more")


def counts(said: dict[str, Any]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: count for name, count in said["rows"].items() if count}


async def open_lines(ingestor: Ingestor) -> list[int]:
    return [
        row["line"] for row in await ingestor.all("SELECT line FROM open_rejects WHERE closed_by IS NULL ORDER BY line")
    ]


async def customers(ingestor: Ingestor) -> dict[str, str | None]:
    """Key -> customer of the live records."""
    documents = {bytes(document["_id"].binary): document["data"] for document in await ingestor.stored()}
    rows = await ingestor.all("SELECT key, record FROM heads WHERE NOT deleted ORDER BY key")
    return {row["key"]: documents[row["record"]].get("customer") for row in rows}


async def returned(ingestor: Ingestor, event: FileRegistered, attempt: int = 1, **mended: str) -> bytes:
    """The file of rejects as its sender sends it back: line -> the fields that were mended."""
    rejects = await ingestor.output(event.file_id, attempt)
    assert rejects is not None
    table = list(csv_module.reader(io.StringIO(rejects.decode())))
    fields = {f"line{row[0]}": row for row in table[1:]}
    for line, values in mended.items():
        fields[line][-3:] = values.split(",")
    written = io.StringIO()
    csv_module.writer(written, lineterminator="\n").writerows([table[0], *(fields[line] for line in mended)])
    return written.getvalue().encode()


async def test_rejects_are_written_under_the_senders_header_and_safe_to_open(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(WITH_REJECTS)
    rejects = await ingestor.output(event.file_id, 1)
    assert rejects is not None
    table = list(csv_module.DictReader(io.StringIO(rejects.decode())))
    names = ("waybill_line", "waybill_codes", "waybill_raw", "order_id", "customer", "amount")
    assert [tuple(row[name] for name in names) for row in table] == [
        ("3", "wrong_type", "", "2", "Bob", "oops"),
        ("4", "wrong_type", "", "3", "'=Cem", "'-"),
        ("5", "too_many_fields", "4,Dan,4,more", "", "", ""),
    ]
    assert await open_lines(ingestor) == [3, 4, 5]


async def test_a_corrected_file_of_rejects_loads_its_rows_and_closes_them(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(WITH_REJECTS)
    body = await returned(ingestor, event, line3="2,Bob,2", line4="3,'=Cem,3", line5="4,Dan,x")
    await ingestor.deliver(body, corrects=event.file_id)
    said = await ingestor.last_event()
    assert counts(said) == {"read": 3, "inserted": 2, "rejected": 1}
    assert (said["corrects"], said["closed_rejects"]) == (str(event.file_id), 2)
    assert await open_lines(ingestor) == [5]
    assert await customers(ingestor) == {"1": "Ada", "2": "Bob", "3": "=Cem"}
    # The same correction again changes nothing and closes nothing more.
    await ingestor.deliver(csv("2,Bob,2", "4,Dan,4"), corrects=event.file_id)
    said = await ingestor.last_event()
    assert (counts(said), said["closed_rejects"]) == ({"read": 2, "inserted": 1, "unchanged": 1}, 0)


@pytest.mark.parametrize(
    "notes",
    [
        "waybill_line,waybill_codes,waybill_reasons,waybill_raw",  # as it was before there were bytes and columns
        "waybill_line,waybill_part,waybill_bytes,waybill_codes,waybill_columns,waybill_reasons,waybill_raw",
        "waybill_bytes,waybill_line",
    ],
)
async def test_a_file_of_rejects_comes_back_with_whatever_notes_it_has(ingestor: Ingestor, notes: str) -> None:
    event = await ingestor.deliver(WITH_REJECTS)
    line = ",".join("4" if note == "waybill_line" else "" for note in notes.split(","))
    body = f"{notes},order_id,customer,amount\n{line},3,'=Cem,3\n".encode()
    await ingestor.deliver(body, corrects=event.file_id)
    said = await ingestor.last_event()
    assert (counts(said), said["closed_rejects"]) == ({"read": 1, "inserted": 1}, 1)
    assert (await customers(ingestor))["3"] == "=Cem"


async def test_a_file_of_rejects_comes_back_as_it_was_given_whatever_format_the_senders_files_have(
    ingestor: Ingestor,
) -> None:
    declared = declaration(format={"delimiter": ";", "quote": "'", "null_values": ["-"]})
    event = await ingestor.deliver(csv("1,Ada,1", "2,'B;ob',x", "3,-,y").replace(b",", b";"), declared)
    rejects = await ingestor.output(event.file_id, 1)
    assert rejects
    mended = rejects.replace(b",x\n", b",2\n").replace(b",y\n", b",3\n")
    await ingestor.deliver(mended, declared, corrects=event.file_id)
    said = await ingestor.last_event()
    assert (counts(said), said["closed_rejects"]) == ({"read": 2, "inserted": 2}, 2)
    assert await customers(ingestor) == {"1": "Ada", "2": "B;ob", "3": None}


async def test_rejects_of_a_correction_keep_the_lines_of_the_file_that_is_corrected(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(WITH_REJECTS)
    body = await returned(ingestor, event, line3="2,Bob,2", line4="3,'=Cem,still", line5="4,Dan,x")
    first = await ingestor.deliver(body, corrects=event.file_id)
    # The row of line 5 became a row of line 4 of the correction, which is not what its sender is told.
    again = await returned(ingestor, first, attempt=2, line5="4,Dan,4")
    await ingestor.deliver(again, corrects=event.file_id)
    assert (await ingestor.last_event())["closed_rejects"] == 1
    assert await open_lines(ingestor) == [4]


async def test_rows_of_a_correction_that_conflict_are_told_once_with_the_lines_that_they_correct(
    ingestor: Ingestor,
) -> None:
    event = await ingestor.deliver(WITH_REJECTS)
    body = await returned(ingestor, event, line3="2,Bob,2", line4="2,Cem,3")
    again = await ingestor.deliver(body, corrects=event.file_id)
    assert counts(await ingestor.last_event()) == {"read": 2, "rejected": 2}
    rejects = await ingestor.output(again.file_id, 2)
    assert rejects
    table = list(csv_module.DictReader(io.StringIO(rejects.decode())))
    assert [(row["waybill_line"], row["waybill_codes"], row["customer"]) for row in table] == [
        ("3", "conflict", "Bob"),
        ("4", "conflict", "Cem"),
    ]


async def test_rows_without_their_lines_close_the_rejects_of_their_keys(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(WITH_REJECTS)
    await ingestor.deliver(csv("2,Bob,2"), corrects=event.file_id)
    assert (await ingestor.last_event())["closed_rejects"] == 1
    assert await open_lines(ingestor) == [4, 5]


async def test_what_was_said_after_the_corrected_file_stands(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,1", "2,Bob,x", "3,Cem,x"))
    await ingestor.deliver(csv("2,New,2"))
    await ingestor.deliver(csv("2,Bob,2", "3,Cem,3"), corrects=event.file_id)
    assert counts(await ingestor.last_event()) == {"read": 2, "inserted": 1, "stale": 1}
    # A second correction of the same file stands against the first, and not against a later file.
    await ingestor.deliver(csv("2,Bob,2", "3,Eva,3"), corrects=event.file_id)
    assert counts(await ingestor.last_event()) == {"read": 2, "updated": 1, "stale": 1}
    assert await customers(ingestor) == {"1": "Ada", "2": "New", "3": "Eva"}


async def test_a_correction_is_of_the_moment_of_the_file_that_it_corrects(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,x", "2,Bob,x"), BY_NAME, order="001")
    await ingestor.deliver(csv("1,New,1"), BY_NAME, order="002")
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2"), BY_NAME, corrects=event.file_id)
    said = await ingestor.last_event()
    assert (counts(said), said["order"]) == ({"read": 2, "inserted": 1, "stale": 1}, "001")


async def test_a_correction_deletes_nothing_and_comes_only_while_its_snapshot_is_the_newest(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,1", "2,Bob,x"), SNAPSHOT)
    await ingestor.deliver(csv("2,Bob,2"), SNAPSHOT, corrects=event.file_id)
    assert counts(await ingestor.last_event()) == {"read": 1, "inserted": 1}
    await ingestor.deliver(csv("2,Eva,2"), SNAPSHOT, corrects=event.file_id)
    assert counts(await ingestor.last_event()) == {"read": 1, "updated": 1}
    await ingestor.deliver(csv("1,Ada,1"), SNAPSHOT)
    await ingestor.deliver(csv("2,Bob,2"), SNAPSHOT, corrects=event.file_id)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-refused", "not_newest")


async def test_a_correction_of_a_file_of_another_dataset_is_refused(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(WITH_REJECTS, declaration(table="other"))
    for file_id in (event.file_id, uuid7()):
        await ingestor.deliver(csv("2,Bob,2"), corrects=file_id)
        said = await ingestor.last_event()
        assert (said["type"], said["code"]) == ("file-refused", "not_its_file")
    assert await open_lines(ingestor) == [3, 4, 5]


async def test_a_removal_has_said_nothing_that_could_be_corrected(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,1"))
    removal = await ingestor.deliver(b"", removes=event.file_id)
    await ingestor.deliver(csv("1,Ada,2"), corrects=removal.file_id)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-refused", "not_its_file")


async def test_records_end_with_the_object_they_are_from_unless_others_have_spoken_since(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,1", "2,Bob,2", "3,Cem,3"))
    await ingestor.deliver(csv("2,New,2", "3,Cem,3"))
    await ingestor.deliver(b"", removes=event.file_id)
    said = await ingestor.last_event()
    assert (said["type"], counts(said)) == ("records-ingested", {"deleted": 2})
    assert await customers(ingestor) == {"2": "New"}
    await ingestor.deliver(b"", removes=event.file_id)
    assert (await ingestor.states())[-1] == (4, "SKIPPED")


async def test_a_removed_object_with_too_many_records_waits_for_a_decision(ingestor: Ingestor) -> None:
    guarded = declaration(guards={"min_rows_for_shares": 1})
    event = await ingestor.deliver(csv("1,Ada,1", "2,Bob,2"), guarded)
    removal = await ingestor.deliver(b"", guarded, removes=event.file_id)
    assert [hold["code"] for hold in (await ingestor.last_event())["holds"]] == ["delete_share"]
    await ingestor.note(removal.model_copy(update={"registration": 2, "accepted": ("delete_share",)}))
    await ingestor.work()
    assert counts(await ingestor.last_event()) == {"deleted": 2}


@pytest.mark.parametrize("after", ["heads", "position", "rejects"])
async def test_a_correction_that_dies_in_its_finish_has_closed_nothing(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    event = await ingestor.deliver(WITH_REJECTS)
    named = {"heads": "_settle_rejects", "position": "insert_rejects", "rejects": "take_position"}[after]

    async def die(*_: object) -> None:
        raise ConnectionResetError("the server went away")

    with monkeypatch.context() as patch:
        patch.setattr(f"ingestor.jobs.endings.{named}", die)
        await ingestor.deliver(csv("2,Bob,2"), corrects=event.file_id)
    assert await open_lines(ingestor) == [3, 4, 5]
    assert (await ingestor.states())[-1] == (2, "FAILED")
