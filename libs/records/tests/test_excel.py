"""What a sheet of Excel holds comes out as texts, cell by cell, or its row is refused."""

import io
import json
from datetime import date, datetime
from typing import Any, BinaryIO

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.errors import FileFault
from records.formats import open_reader
from records.formats.excel import ExcelReader
from records.row_hash import row_hashes
from records.types import type_columns
from waybill_contracts.format import Format

from .workbooks import number, row, text, typed, workbook

EXCEL = Format(type="excel")


def rows_of(source: BinaryIO, file_format: Format = EXCEL) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rows and all rejects."""
    reader = ExcelReader(source, file_format)
    blocks = list(reader.blocks())
    reader.prove()
    return pl.concat([block.frame for block in blocks]), pl.concat([block.rejects for block in blocks])


NUMBERS = {
    "1": "1",
    "1.0": "1",
    "0.10000000000000001": "0.1",
    "0.30000000000000004": "0.30000000000000004",
    "1E3": "1000",
    "1.5E-7": "1.5e-07",
    "-0": "0",
    "-0.0": "0",
    "007": "7",
    "12345678901234567890": "12345678901234567890",
    "1E+18": "1000000000000000000",
    "1.0000000000000002E+17": "100000000000000020",
    "1E+300": "1e+300",
    ".5": "0.5",
    "-12.50": "-12.5",
    "0.1000000000000000055511151231257827021181583404541015625": "0.1",
}
SHOWN: list[tuple[str, str, str]] = [
    ("45000", "yyyy-mm-dd", "2023-03-15"),
    ("45000.5", "yyyy-mm-dd", "2023-03-15T12:00:00.000"),
    ("45000.430555555555", "yyyy-mm-dd", "2023-03-15T10:20:00.000"),
    ("45000.123456712963", "yyyy-mm-dd", "2023-03-15T02:57:46.660"),
    ("45000.5000000005", "yyyy-mm-dd", "2023-03-15T12:00:00.000043"),
    ("44999.999999999", "yyyy-mm-dd", "2023-03-14T23:59:59.999914"),
    ("44999.99999999999", "yyyy-mm-dd", "2023-03-15"),
    ("1", "yyyy-mm-dd", "1900-01-01"),
    ("59", "yyyy-mm-dd", "1900-02-28"),
    ("61", "yyyy-mm-dd", "1900-03-01"),
    ("2958465", "yyyy-mm-dd", "9999-12-31"),
    ("45000", "[$-409]d mmm yyyy;@", "2023-03-15"),
    ("0.5", "h:mm:ss", "12:00:00"),
    ("0", "h:mm:ss", "00:00:00"),
    ("0.000011579861", "mm:ss.0", "00:00:01.000500"),
    ("45000.25", "h:mm:ss", "2023-03-15T06:00:00.000"),
    ("1.25", "[h]:mm", "30:00:00"),
    ("45000", "0.00", "45000"),
    ("45000", '"day" 0', "45000"),
    ("45000", "#,##0 [$kr]", "45000"),
]


def test_numbers_are_the_shortest_text_that_reads_back_and_whole_ones_have_no_fraction() -> None:
    cells = [row(at, number(written)) for at, written in enumerate(NUMBERS, 2)]
    frame, rejects = rows_of(workbook(row(1, text("value")) + "".join(cells)))
    assert rejects.is_empty()
    assert dict(zip(NUMBERS, frame["value"], strict=True)) == NUMBERS


def test_the_number_format_says_what_is_a_date_or_a_time() -> None:
    cells = [row(at, number(written, code)) for at, (written, code, _) in enumerate(SHOWN, 2)]
    frame, rejects = rows_of(workbook(row(1, text("value")) + "".join(cells)))
    assert rejects.is_empty()
    assert [(*each[:2], found) for each, found in zip(SHOWN, frame["value"], strict=True)] == SHOWN


def test_days_are_counted_from_1904_where_the_workbook_says_so() -> None:
    rows = row(1, text("day")) + row(2, number("0", "yyyy-mm-dd")) + row(3, number("43538", "yyyy-mm-dd"))
    frame, _ = rows_of(workbook(rows, book='<workbookPr date1904="1"/>'))
    assert frame["day"].to_list() == ["1904-01-01", "2023-03-15"]


def test_texts_are_as_they_are_and_empty_is_null() -> None:
    shared = "<si><t>plain</t></si><si><r><t>in </t></r><r><t xml:space='preserve'>parts </t></r></si>"
    shared += "<si><t>漢字</t><rPh sb='0' eb='1'><t>かんじ</t></rPh></si><si><t/></si>"
    shared += "<si><t>a_x000D__x000A_b_x005F_x000D__xD83D__xDE9A_</t></si>"
    cells = [[typed("s", str(at))] for at in range(5)]
    cells += [[text(' x "y",\n')], [typed("str", "made", "A1")], [typed("str", "", "A1")], [typed("b", "1"), "<c/>"]]
    rows = "".join(row(at, text("k"), *each) for at, each in enumerate(cells, 2))
    frame, rejects = rows_of(workbook(row(1, text("K"), text("value"), text("none")) + rows, shared))
    assert rejects.is_empty()
    expected = ["plain", "in parts ", "漢字", "", "a\r\nb_x000D_\U0001f69a", ' x "y",\n', "made", "", "true"]
    assert frame["value"].to_list() == expected
    assert frame["none"].null_count() == len(cells)


BAD_CELLS: dict[str, tuple[str, str, Any]] = {
    "an error": (typed("e", "#DIV/0!", "1/0"), "cell_error", "#DIV/0!"),
    "a formula without a value": ("<c><f>A1+1</f></c>", "formula_without_value", None),
    "a formula with an empty value": (typed("n", "", "A1+1"), "formula_without_value", None),
    "no number": (number("one"), "invalid_number", "one"),
    "NaN": (number("NaN"), "invalid_number", "NaN"),
    "beyond all numbers": (number("1E+999"), "not_finite", "1E+999"),
    "too many digits": (number("1.23456789012345678901"), "number_not_exact", "1.23456789012345678901"),
    "29 February 1900": (number("60", "yyyy-mm-dd"), "out_of_range", "60"),
    "day 0": (number("0.5", "yyyy-mm-dd"), "out_of_range", "0.5"),
    "a day before all": (number("-1", "yyyy-mm-dd"), "out_of_range", "-1"),
    "a day after all": (number("2958466", "yyyy-mm-dd"), "out_of_range", "2958466"),
    "no boolean": (typed("b", "2"), "invalid_boolean", "2"),
    "NUL": (text("a_x0000_b"), "nul", "a\0b"),
    "half a character": (text("a_xD83D_b"), "lone_surrogate", "a\\ud83db"),
    "length": (text("a" * (9 << 20)), "field_too_long", "a" * (9 << 20)),
}


def test_a_cell_without_a_text_rejects_its_row_and_no_other() -> None:
    rows = [row(at * 2, text(f"k{at}"), cell) for at, (cell, _, _) in enumerate(BAD_CELLS.values(), 1)]
    good = row(1000, text("good"), text("x"))
    frame, rejects = rows_of(workbook(row(1, text("Key"), text("Value")) + "".join(rows) + good))
    assert frame.rows() == [("good", "x", 1000)]
    found = rejects.select("line", "codes", "columns", "start", "size").rows()
    assert found == [(at * 2, [code], ["value"], None, None) for at, (_, code, _) in enumerate(BAD_CELLS.values(), 1)]
    for at, (raw, (_, _, shown)) in enumerate(zip(rejects["raw"], BAD_CELLS.values(), strict=True), 1):
        assert json.loads(raw) == {"Key": f"k{at}", "Value": shown}


def test_rows_are_numbered_as_in_the_sheet_and_blank_ones_are_passed_over() -> None:
    rows = row(3, "", text("Id"), text("Note")) + row(4) + row(5, "", number("1")) + row(9, "", "", text("x"))
    reader = open_reader(workbook(rows + row(12, "<c><v></v></c>")), EXCEL)
    assert (reader.header, reader.line) == (["Id", "Note"], 4)
    (block,) = reader.blocks()
    reader.prove()
    assert block.frame.rows() == [("1", None, 5), (None, "x", 9)]
    assert block.raw([1]).to_list() == ['{"Id":null,"Note":"x"}']
    assert reader.line == 10


def test_a_cell_where_the_header_has_none_rejects_its_row() -> None:
    rows = row(1, "", text("id")) + row(2, "", number("1"), text("more")) + row(3, text("less"), number("2"))
    frame, rejects = rows_of(workbook(rows + row(4, "", number("3"))))
    assert frame["id"].to_list() == ["3"]
    assert rejects["codes"].to_list() == [["too_many_fields"]] * 2
    assert rejects["reasons"].to_list() == [
        ["C2 holds 'more', but the header has no such column"],
        ["A3 holds 'less', but the header has no such column"],
    ]


def test_what_stands_around_the_table_is_left_out_as_declared() -> None:
    rows = row(1, text("Report")) + row(3, text("order"), text("order")) + row(4, text("id"), text("note"))
    rows += (
        row(5, text("# x")) + "".join(row(at, number(str(at)), text("n")) for at in range(6, 9)) + row(10, text("sum"))
    )
    rows += row(12, text("end"))
    said = Format(type="excel", skip_lines=2, header_rows=2, comment="#", footer_lines=2)
    reader = ExcelReader(workbook(rows), said)
    frame = pl.concat([block.frame for block in reader.blocks()])
    reader.prove()
    assert reader.header == ["order_id", "order_note"]
    assert frame["order_id"].to_list() == ["6", "7", "8"]


def test_without_a_header_columns_are_named_as_declared_or_by_their_numbers() -> None:
    rows = row(1, number("1"), text("x")) + row(2, number("2"), text("y"))
    said = Format(type="excel", header=False)
    assert rows_of(workbook(rows), said)[0].rows() == [("1", "x", 1), ("2", "y", 2)]
    assert ExcelReader(workbook(rows), said).header == ["column_1", "column_2"]
    assert open_reader(workbook(rows), said, ["id", "note"]).header == ["id", "note"]


def test_the_sheet_is_the_one_of_this_name_or_the_first_that_is_seen() -> None:
    rows = row(1, text("first"))
    hidden = '<sheets><sheet name="Orders" state="hidden" r:id="rId1"/><sheet name="Other" r:id="rId2"/></sheets>'
    assert ExcelReader(workbook(rows), EXCEL).header == ["first"]
    assert ExcelReader(workbook(rows), Format(type="excel", sheet="other")).header == ["other"]
    assert ExcelReader(workbook(rows, book=hidden), EXCEL).header == ["other"]
    with pytest.raises(FileFault, match="no sheet 'Third'; it has: Orders, Other"):
        ExcelReader(workbook(rows), Format(type="excel", sheet="Third"))


def test_a_merged_cell_has_its_value_in_the_first_only() -> None:
    book = openpyxl.Workbook()
    for values in (["a", "b"], ["x", None], ["y", "z"]):
        book.active.append(values)
    book.active.merge_cells("A2:B2")
    assert rows_of(saved(book))[0].rows() == [("x", None, 2), ("y", "z", 3)]


def saved(book: openpyxl.Workbook) -> BinaryIO:
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file


LEGAL = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\t\n\",;='")
DECIMALS = st.floats(-1e15, 1e15).map(lambda value: float(f"{value:.14g}"))
"""With the digits that the other program keeps."""
CELLS: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "text": (st.text(LEGAL, min_size=1, max_size=30).filter(lambda value: "_x" not in value), str),
    "integer": (st.integers(-(10**15), 10**15), str),
    "float": (DECIMALS.filter(lambda value: not value.is_integer()), repr),
    "boolean": (st.booleans(), lambda value: str(value).lower()),
    "date": (st.dates(date(1900, 3, 1)), date.isoformat),
    "timestamp": (
        st.datetimes(datetime(1900, 3, 1), datetime(2200, 1, 1)).map(
            lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        ),
        lambda value: value.isoformat(timespec="milliseconds"),
    ),
}


@settings(max_examples=40)
@given(st.lists(st.fixed_dictionaries({name: st.none() | values for name, (values, _) in CELLS.items()}), max_size=20))
def test_any_table_that_another_program_writes_comes_back_as_it_was(rows: list[dict[str, Any]]) -> None:
    book = openpyxl.Workbook()
    book.active.append(["row", *CELLS])
    for at, values in enumerate(rows, 2):
        book.active.append([at, *(values[name] for name in CELLS)])
        book.active.cell(at, 2).data_type = "s" if values["text"] is not None else "n"
        book.active.cell(at, 7).number_format = "yyyy-mm-dd hh:mm:ss.000"
    frame, rejects = rows_of(saved(book)) if rows else (pl.DataFrame(), pl.DataFrame())
    assert rejects.is_empty()
    for name, (_, written) in CELLS.items():
        expected = [None if values[name] is None else written(values[name]) for values in rows]
        if name == "timestamp":
            expected = [as_shown(text) for text in expected]
        assert (name, frame[name].to_list() if rows else []) == (name, expected)


def as_shown(text: str | None) -> str | None:
    """A moment at midnight is not told from its day."""
    return text.removesuffix("T00:00:00.000") if text else text


def test_rows_of_a_workbook_have_the_hashes_of_the_same_values() -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "amount", "day", "at", "note", "ok"])
    book.active.append([1, 0.1, date(2026, 1, 31), datetime(2026, 1, 31, 12, 30), "é", True])
    types = {"id": "integer", "amount": "float", "day": "date", "at": "timestamp", "note": "text", "ok": "boolean"}
    frame, _ = rows_of(saved(book))
    values = {
        "id": [1],
        "amount": [0.1],
        "day": [date(2026, 1, 31)],
        "at": pl.Series([datetime(2026, 1, 31, 12, 30)], dtype=pl.Datetime("ms")).dt.replace_time_zone("UTC"),
        "note": ["é"],
        "ok": [True],
    }
    assert row_hashes(type_columns(frame, types), types).to_list() == row_hashes(pl.DataFrame(values), types).to_list()
