"""Rows that are taken mended: marked, counted and kept as they came, and nothing else is different about them."""

import csv as csv_module
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO
from uuid import uuid4

import polars as pl
import pytest
from driven_ingestor import Ingestor, csv, declaration
from ingestor.files import parts
from records.block import REPAIRS, Block
from records.formats import Reader, open_reader
from waybill_contracts import FilePart, FileRegistered, Format

MISSING, STRAY = "missing_fields", "stray_quotes"


@dataclass
class MendingReader:
    """A reader that says of some lines that it mended them."""

    reader: Reader
    repairs: Mapping[int, Sequence[str]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[Block]:
        for block in self.reader.blocks(names):
            here = set(block.frame["_line"])
            said = [(line, name) for line, names in self.repairs.items() if line in here for name in names]
            yield replace(block, repairs=pl.DataFrame(said, REPAIRS, orient="row"))


def mend(monkeypatch: pytest.MonkeyPatch, **lines: Sequence[str]) -> None:
    """From now on these lines of every file are mended: line3=["missing_fields"]."""
    repairs = {int(name.removeprefix("line")): names for name, names in lines.items()}

    def mending(source: BinaryIO, file_format: Format, names: Sequence[str] = ()) -> MendingReader:
        return MendingReader(open_reader(source, file_format, names), repairs)

    monkeypatch.setattr(parts, "open_reader", mending)


async def marks(ingestor: Ingestor) -> dict[str, list[str] | None]:
    return {document["key"]: document.get("repaired") for document in await ingestor.stored()}


async def repairs_of(ingestor: Ingestor, event: FileRegistered, attempt: int = 1) -> list[dict[str, str]] | None:
    written = await ingestor.output(event.file_id, attempt, "repairs.csv")
    return None if written is None else list(csv_module.DictReader(io.StringIO(written.decode())))


def counted(said: Mapping[str, Any]) -> dict[str, int]:
    return {each["repair"]: each["rows"] for each in said["repairs"]}


async def test_a_mended_row_is_marked_counted_and_kept_as_it_came(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch, line3=[STRAY, MISSING], line4=[MISSING])
    event = await ingestor.deliver(csv("1,Ada,1", "2,=Bob,2", "3,Cem,3"))
    assert await marks(ingestor) == {"1": None, "2": [STRAY, MISSING], "3": [MISSING]}
    assert counted(await ingestor.last_event()) == {MISSING: 2, STRAY: 1}
    assert await repairs_of(ingestor, event) == [
        {
            "waybill_line": "3",
            "waybill_bytes": "33-41",
            "waybill_repairs": "stray_quotes; missing_fields",
            "waybill_raw": "2,=Bob,2",
        },
        {
            "waybill_line": "4",
            "waybill_bytes": "42-49",
            "waybill_repairs": "missing_fields",
            "waybill_raw": "3,Cem,3",
        },
    ]


async def test_a_mark_is_no_part_of_what_a_record_is(ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch) -> None:
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2"))
    mend(monkeypatch, line2=[MISSING], line3=[MISSING])
    event = await ingestor.deliver(csv("1,Ada,1", "2,Bob,9"))
    said = await ingestor.last_event()
    assert (said["rows"]["unchanged"], said["rows"]["updated"]) == (1, 1)
    # A row that changes nothing was taken all the same.
    assert counted(said) == {MISSING: 2}
    assert [row["waybill_line"] for row in await repairs_of(ingestor, event, 2) or ()] == ["2", "3"]
    assert [(d["version"], d.get("repaired")) for d in await ingestor.stored() if d["key"] == "2"] == [
        (1, None),
        (2, [MISSING]),
    ]


async def test_a_row_that_is_refused_after_all_was_not_mended(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch, line2=[MISSING], line3=[MISSING], line4=[STRAY], line5=[STRAY])
    event = await ingestor.deliver(csv("1,Ada,1", "2,Bob,x", "3,Cem,3", "3,Can,3"))
    assert (await ingestor.last_event())["rows"]["rejected"] == 3
    assert counted(await ingestor.last_event()) == {MISSING: 1}
    assert [row["waybill_line"] for row in await repairs_of(ingestor, event) or ()] == ["2"]


async def test_where_nothing_was_mended_nothing_is_said_of_it(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,1"))
    assert "repaired" not in (await ingestor.stored())[0]
    assert (await ingestor.last_event())["repairs"] == []
    assert await repairs_of(ingestor, event) is None


async def test_a_held_file_says_nothing_of_mended_rows_before_they_are_taken(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch, line2=[MISSING])
    declared = declaration(guards={"min_rows_for_shares": 1})
    event = await ingestor.deliver(csv("1,Ada,1", "x,Bob,2"), declared)
    assert (await ingestor.last_event())["type"] == "file-held"
    assert await repairs_of(ingestor, event) is None


async def test_mended_rows_of_a_delivery_are_told_with_their_file_and_line_there(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch, line2=[MISSING])
    bodies, told = [csv("1,Ada,1"), csv("2,Bob,2", "3,Cem,3")], []
    for number, body in enumerate(bodies):
        key, version_id = ingestor.put(body, f"acme/orders/{number}.csv")
        told.append(FilePart(file_id=uuid4(), object_key=key, version_id=version_id, size=len(body)))
    event = await ingestor.deliver(b"", parts=tuple(told))
    assert [(row["waybill_line"], row["waybill_part"]) for row in await repairs_of(ingestor, event) or ()] == [
        ("2", "acme/orders/0.csv:2"),
        ("4", "acme/orders/1.csv:2"),
    ]
    assert await marks(ingestor) == {"1": [MISSING], "2": [MISSING], "3": None}


async def test_mended_rows_of_an_archive_are_told_with_their_entry_and_line_there(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch, line2=[MISSING])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        entries.writestr("a.csv", csv("1,Ada,1"))
        entries.writestr("b.csv", csv("2,Bob,2", "3,Cem,3"))
    event = await ingestor.deliver(archive.getvalue())
    assert [(row["waybill_line"], row["waybill_part"]) for row in await repairs_of(ingestor, event) or ()] == [
        ("2", "a.csv:2"),
        ("4", "b.csv:2"),
    ]


async def test_an_event_says_how_the_file_was_read_as_declared_and_as_recognised(ingestor: Ingestor) -> None:
    declared = declaration(format={"null_values": ["-"], "encoding": "windows-1252"})
    await ingestor.deliver(csv("1,Ada,1", "2,-,2").replace(b",", b";"), declared)
    said = (await ingestor.last_event())["format"]
    assert (said["type"], said["delimiter"], said["header"]) == ("csv", ";", True)
    assert (said["encoding"], said["null_values"]) == ("windows-1252", ["-"])


async def test_rows_are_mended_as_the_declaration_allows_and_in_no_other_way(ingestor: Ingestor) -> None:
    declared = declaration(format={"repair": ["missing_fields", "empty_extra_fields"]})
    event = await ingestor.deliver(
        csv("1,Ada,1", "2,Bob", "x,Eve", "3,Cem,3,,", "4,Dan,4,more", '5,D"o,5', "6,Flo", "6,Fay"), declared
    )
    said = await ingestor.last_event()
    assert (said["rows"]["inserted"], said["rows"]["rejected"]) == (3, 5)
    assert counted(said) == {"empty_extra_fields": 1, MISSING: 1}
    assert await marks(ingestor) == {"1": None, "2": [MISSING], "3": ["empty_extra_fields"]}
    assert [(row["waybill_line"], row["waybill_raw"]) for row in await repairs_of(ingestor, event) or ()] == [
        ("3", "2,Bob"),
        ("5", "3,Cem,3,,"),
    ]
    rejects = await ingestor.all("SELECT line, codes FROM rejects ORDER BY line")
    assert [(row["line"], row["codes"]) for row in rejects] == [
        (4, ["wrong_type"]),
        (6, ["too_many_fields"]),
        (7, ["quote_in_field"]),
        (8, ["conflict"]),
        (9, ["conflict"]),
    ]


async def test_the_sender_of_a_mended_row_that_is_refused_gets_it_back_as_it_came(ingestor: Ingestor) -> None:
    declared = declaration(format={"repair": ["missing_fields", "invalid_bytes"]}, guards={"max_reject_share": 1})
    body = csv("x,B@b", "2,C@m,2", "2,Cam,2", "y,Dan,1").replace(b"@", b"\xf6")
    event = await ingestor.deliver(body, declared)
    written = await ingestor.output(event.file_id, 1)
    assert written
    rows = sorted(csv_module.DictReader(io.StringIO(written.decode())), key=lambda row: int(row["waybill_line"]))
    assert [(row["waybill_codes"], bool(row["waybill_raw"]), row["order_id"], row["customer"]) for row in rows] == [
        ("wrong_type", True, "", ""),
        ("conflict", True, "", ""),
        ("conflict", False, "2", "Cam"),
        ("wrong_type", False, "y", "Dan"),
    ]
    assert await repairs_of(ingestor, event) is None


async def test_a_mended_row_says_what_the_same_row_says_that_came_whole(ingestor: Ingestor) -> None:
    declared = declaration(format={"repair": ["missing_fields"]})
    await ingestor.deliver(csv("1,Ada,", "2,Bob,2"), declared)
    await ingestor.deliver(csv("1,Ada", "2,Bob,2"), declared)
    said = await ingestor.last_event()
    assert (said["rows"]["unchanged"], counted(said)) == (2, {MISSING: 1})
    await ingestor.deliver(csv("1,Ada", "2,Bob"), declared)
    said = await ingestor.last_event()
    assert (said["rows"]["unchanged"], said["rows"]["updated"]) == (1, 1)
    changed = [document for document in await ingestor.stored() if document["version"] == 2]
    assert [(each["key"], each["changed"], each["repaired"]) for each in changed] == [("2", ["amount"], [MISSING])]
