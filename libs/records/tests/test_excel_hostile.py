"""Workbooks that are broken, locked, of another kind, or mean harm are refused, before anything is built of them."""

import io
import tracemalloc
from random import Random
from typing import BinaryIO

import pytest
from records.errors import FileFault
from records.formats.excel import ExcelReader
from records.xlsx.xml import MAX_TOKEN_BYTES
from waybill_contracts.format import Format

from .workbooks import MAIN, number, packed, relations, row, text, typed, usual_parts, workbook

EXCEL = Format(type="excel")
SHEET = "xl/worksheets/sheet1.xml"
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
GOOD = row(1, text("id"), text("note")) + row(2, number("1"), text("x"))
LAUGHS = '<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'


def with_part(name: str, content: str | None) -> BinaryIO:
    parts = usual_parts(f"<sheetData>{GOOD}</sheetData>")
    return packed({key: value for key, value in (parts | {name: content}).items() if value is not None})


def of_sheet(content: str) -> BinaryIO:
    return with_part(SHEET, content)


def cut(source: BinaryIO, size: int) -> BinaryIO:
    return io.BytesIO(source.read()[:size])


def binary() -> BinaryIO:
    return packed({"_rels/.rels": relations({"a": ("officeDocument", "xl/workbook.bin")}), "xl/workbook.bin": "\x00"})


HOSTILE: dict[str, tuple[BinaryIO, str]] = {
    "nothing": (io.BytesIO(b""), "bad_excel"),
    "another format": (io.BytesIO(b"id,amount\n1,2\n"), "bad_excel"),
    "a web page": (io.BytesIO(b"<html><table>"), "bad_excel"),
    "a workbook before 2007": (io.BytesIO(OLD), "old_excel"),
    "a workbook with a password": (io.BytesIO(OLD + "EncryptedPackage".encode("utf-16-le")), "encrypted_file"),
    "the binary form": (binary(), "bad_excel"),
    "an archive of other things": (packed({"a.txt": "a"}), "bad_excel"),
    "cut off": (cut(workbook(GOOD), 900), "truncated"),
    "without its list of sheets": (with_part("xl/workbook.xml", None), "bad_excel"),
    "without its sheet": (with_part(SHEET, None), "bad_excel"),
    "without its texts": (with_part("xl/sharedStrings.xml", None), "bad_excel"),
    "a sheet that ends too early": (of_sheet(f'<worksheet xmlns="{MAIN}"><sheetData><row r="1">'), "bad_excel"),
    "a sheet without cells": (of_sheet(f'<worksheet xmlns="{MAIN}"/>'), "bad_excel"),
    "a sheet with nothing in it": (workbook(""), "empty_file"),
    "a billion laughs": (of_sheet(f"{LAUGHS}<worksheet><sheetData>&c;</sheetData></worksheet>"), "bad_excel"),
    "a billion laughs in its texts": (
        with_part("xl/sharedStrings.xml", f"{LAUGHS}<sst><si>&c;</si></sst>"),
        "bad_excel",
    ),
    "an entity of a file": (
        of_sheet('<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/passwd">]><worksheet>&f;</worksheet>'),
        "bad_excel",
    ),
    "elements in each other": (of_sheet("<a>" * 100_000), "bad_excel"),
    "a tag without end": (of_sheet(f'<a b="{"x" * 3 * MAX_TOKEN_BYTES}"/>'), "bad_excel"),
    "kinds of elements without end": (of_sheet("<a>" + "".join(f"<b{at}/>" for at in range(20_000))), "bad_excel"),
    "an unknown encoding": (of_sheet('<?xml version="1.0" encoding="nothing"?><worksheet/>'), "bad_excel"),
    "rows out of order": (workbook(row(2, text("a")) + row(1, text("b"))), "bad_excel"),
    "a row beyond the last": (workbook(row(1 << 20, text("a")) + row((1 << 20) + 1, text("b"))), "bad_excel"),
    "a cell of another row": (workbook('<row r="1"><c r="A2"><v>1</v></c></row>'), "bad_excel"),
    "a cell twice": (workbook('<row r="1"><c r="A1"><v>1</v></c><c r="A1"><v>2</v></c></row>'), "bad_excel"),
    "a cell beyond the last": (workbook('<row r="1"><c r="XFE1"><v>1</v></c></row>'), "bad_excel"),
    "a cell nowhere": (workbook('<row r="1"><c r="1"><v>1</v></c></row>'), "bad_excel"),
    "a cell of no kind": (workbook('<row r="1"><c r="A1" t="x"><v>1</v></c></row>'), "bad_excel"),
    "a text that is not there": (workbook('<row r="1"><c r="A1" t="s"><v>7</v></c></row>'), "bad_excel"),
    "a text of no number": (workbook('<row r="1"><c r="A1" t="s"><v>-1</v></c></row>'), "bad_excel"),
    "an error in the header": (workbook('<row r="1"><c r="A1" t="e"><v>#N/A</v></c></row>'), "bad_header"),
    "a header without a name": (
        workbook('<row r="1"><c r="A1"><v>1</v></c><c r="C1"><v>2</v></c></row>'),
        "bad_header",
    ),
    "a header of one name": (workbook(row(1, text("a"), text("A"))), "doubled_column"),
    "a header of too many columns": (
        workbook(f'<row r="1">{"".join("<c><v>1</v></c>" for _ in range(1001))}</row>'),
        "too_many_columns",
    ),
}


def read(source: BinaryIO) -> int:
    """How many rows it has."""
    reader = ExcelReader(source, EXCEL)
    rows = sum(block.frame.height + block.rejects.height for block in reader.blocks())
    reader.prove()
    return rows


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_workbook_is_refused_with_a_sentence(what: str) -> None:
    source, code = HOSTILE[what]
    source.seek(0)
    with pytest.raises(FileFault) as fault:
        read(source)
    assert fault.value.code == code
    assert len(fault.value.message) < 500


def test_what_grows_without_end_is_cut_off_where_it_begins_to() -> None:
    for what, sentence in {
        "elements in each other": "nested in each other, more than 64 deep",
        "a tag without end": "a tag in .* has more than 1048576 bytes",
        "kinds of elements without end": "more kinds of elements than there are",
        "a billion laughs": "declares a document type",
    }.items():
        HOSTILE[what][0].seek(0)
        with pytest.raises(FileFault, match=sentence):
            read(HOSTILE[what][0])


def test_the_sentence_says_what_to_do() -> None:
    for what in ("a workbook before 2007", "a workbook with a password", "the binary form"):
        HOSTILE[what][0].seek(0)
        with pytest.raises(FileFault, match=r"save it as \.xlsx.*CSV"):
            read(HOSTILE[what][0])


def peak_of(source: BinaryIO) -> int:
    """The most memory that Python took to read or refuse it, in MB."""
    tracemalloc.start()
    try:
        read(source)
    except FileFault:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak >> 20


def test_a_workbook_that_unpacks_to_more_than_is_taken_is_refused_unread() -> None:
    source = of_sheet(" " * (210 << 20))
    assert len(source.getvalue()) < 1 << 20  # type: ignore[attr-defined]
    with pytest.raises(FileFault, match="more than 200 MB when it is unpacked: save it as CSV") as fault:
        read(source)
    assert fault.value.code == "too_much_unpacked"
    source.seek(0)
    assert peak_of(source) < 8


def test_how_far_cells_are_apart_takes_no_memory() -> None:
    far = f'<row r="{1 << 20}"><c r="XFD{1 << 20}"><v>2</v></c></row>'
    sheet = f'<worksheet><dimension ref="A1:XFD1048576"/><sheetData>{GOOD}{far}</sheetData></worksheet>'
    assert read(of_sheet(sheet)) == 2
    assert peak_of(of_sheet(sheet)) < 8


def test_memory_does_not_grow_with_the_rows_of_a_sheet() -> None:
    def sheet(rows: int) -> BinaryIO:
        lines = [row(at, number(str(at)), text(f"a text of its own, {at}")) for at in range(2, rows)]
        return workbook(row(1, text("id"), text("note")) + "".join(lines))

    assert peak_of(sheet(40_000)) <= peak_of(sheet(10_000)) + 1 < 30


def test_texts_that_cells_share_take_no_more_memory_than_their_bytes() -> None:
    texts = "<si><t>ab</t></si>" * 200_000
    assert peak_of(workbook(GOOD, texts)) < 8


def test_a_change_of_bytes_never_does_more_than_refuse_the_workbook_or_change_its_values() -> None:
    random = Random(20260131)
    parts = usual_parts(f"<sheetData>{GOOD}{row(3, typed('s', '0'), number('2'))}</sheetData>", "<si><t>k</t></si>")
    outcomes = set()
    for _ in range(1500):
        name = random.choice([name for name in parts if name != "[Content_Types].xml"])
        content = bytearray(parts[name].encode())
        for _ in range(random.choice([1, 1, 2, 5])):
            content[random.randrange(len(content))] = random.choice([*b'<>"&/ 0', random.randrange(256)])
        outcomes.add(outcome(packed(parts | {name: content.decode("latin-1")})))
    assert "read" in outcomes
    assert outcomes - {"read"} <= {"bad_excel", "bad_header", "doubled_column", "unknown_sheet", "empty_file"}


def test_a_change_of_packed_bytes_is_noticed() -> None:
    random = Random(20260131)
    content = workbook(GOOD).read()
    for _ in range(500):
        changed = bytearray(content)
        changed[random.randrange(len(content))] ^= 1 << random.randrange(8)
        # Names and times of entries that are not read may change.
        assert outcome(io.BytesIO(changed)) in REFUSALS


REFUSALS = {
    "read",
    "bad_excel",
    "bad_archive",
    "truncated",
    "trailing_bytes",
    "unsupported_compression",
    "encrypted_entry",
}
REFUSALS |= {"bad_entry_name", "too_many_entries", "too_much_unpacked"}


def outcome(source: BinaryIO) -> str:
    try:
        read(source)
    except FileFault as fault:
        return fault.code
    return "read"
