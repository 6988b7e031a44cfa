"""The file of rejects can be opened in a spreadsheet, corrected, and sent back."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.formats import open_reader
from records.reject_file import LINE, NOTES, RAW, REASONS, as_sent, formula_safe, header_line, reject_rows
from records.rejects import REJECTS
from records.repair_file import repair_rows, repairs_header_line
from waybill_contracts import Format

BEGINNINGS = "=+-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20"
VALUES = st.one_of(st.none(), st.text(max_size=8), st.text(f"'1.,a{BEGINNINGS}", max_size=6))


@given(st.lists(VALUES, max_size=20))
def test_what_was_made_safe_comes_back_as_it_was_sent(values: list[str | None]) -> None:
    frame = pl.DataFrame({"a": values}, schema={"a": pl.String})
    assert frame.select(formula_safe("a")).select(as_sent("a"))["a"].to_list() == values


@pytest.mark.parametrize(
    "value",
    ["=1+1", "+cmd", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1", "'=1", "-1+1", "=HYPERLINK(1)"]
    + [f"{beginning}1+1" for beginning in BEGINNINGS],
)
def test_no_cell_begins_like_a_formula(value: str) -> None:
    assert pl.DataFrame({"a": [value]}).select(formula_safe("a")).item() == f"'{value}"


@pytest.mark.parametrize("value", ["-5", "+49", "-1.50", "1,5", "", "a=b", "'a", "-1.234,5"])
def test_numbers_and_plain_texts_stay_as_they_are(value: str) -> None:
    assert pl.DataFrame({"a": [value]}).select(formula_safe("a")).item() == value


HOSTILE = st.one_of(VALUES, st.text("\",;\n\r\x00\x1b\u202e\u2028\ufeff\u061c='", max_size=8))
FIELDS = HOSTILE.map(lambda text: text and text.replace("\x00", ""))
"""Nobody sends a NUL back: such a row is a reject again."""


@given(st.lists(st.tuples(HOSTILE, FIELDS, HOSTILE), min_size=1, max_size=8))
def test_whatever_stands_in_rows_and_reasons_the_file_is_read_back_and_says_the_same(
    rows: list[tuple[str | None, str | None, str | None]],
) -> None:
    rejects = pl.DataFrame(
        [(line, ["a"], [told or ""], [None], raw or "", 0, 1) for line, (raw, _, told) in enumerate(rows)],
        REJECTS,
        orient="row",
    )
    fields = pl.DataFrame(
        [(line, value) for line, (raw, value, _) in enumerate(rows) if raw is None],
        {"_line": pl.Int64, "a": pl.String},
        orient="row",
    )
    written = header_line(["a"]) + reject_rows(rejects, fields).write_csv(include_header=False).encode()
    reader = open_reader(io.BytesIO(written), Format())
    loaded = pl.concat([block.frame for block in reader.blocks(reader.header)])
    reader.prove()
    assert loaded[LINE].to_list() == [str(line) for line in range(len(rows))]
    told = loaded.select(as_sent(name) for name in ("a", RAW, REASONS)).rows()
    assert told == [
        (None if raw is not None else value, shown(raw), shown(reason) or None) for raw, value, reason in rows
    ]
    records = list(csv.reader(io.StringIO(written.decode(), newline="")))
    assert [len(record) for record in records] == [len(NOTES)] * (len(rows) + 1)


def shown(text: str | None) -> str | None:
    """As a note tells a text."""
    return text and text.replace("\x00", "\u2400")


def test_fields_stand_under_their_own_names_and_raw_text_only_where_there_are_none() -> None:
    rejects = pl.DataFrame(
        [
            (7, ["a", "b"], ["x: 1", "y: 2"], ["x", None], "one,two", 120, 48),
            (9, ["c"], ["z"], [None], '=br"oken', None, None),
        ],
        REJECTS,
        orient="row",
    )
    fields = pl.DataFrame({"_line": [7], "first": ["one"], "second": ["=two"]})
    written = header_line(["First", "=Second"]).decode() + reject_rows(rejects, fields).write_csv(include_header=False)
    assert list(csv.reader(io.StringIO(written))) == [
        [*(name for name in NOTES if name != "waybill_part"), "First", "'=Second"],
        ["7", "120-167", "a; b", "x; ", "x: 1; y: 2", "", "one", "'=two"],
        ["9", "", "c", "", "z", "'=br\"oken", "", ""],
    ]


def test_a_row_of_a_delivery_is_told_with_its_file_and_line_there() -> None:
    reject = (7, ["a"], ["x: 1"], ["x"], "one", 0, 4, "=in/b.csv:3")
    rejects = pl.DataFrame([reject], {**REJECTS, "part": pl.String}, orient="row")
    fields = pl.DataFrame({"_line": [7], "first": ["one"]})
    written = (
        header_line(["First"], has_parts=True) + reject_rows(rejects, fields).write_csv(include_header=False).encode()
    )
    assert list(csv.reader(io.StringIO(written.decode()))) == [
        [*NOTES, "First"],
        ["7", "'=in/b.csv:3", "0-3", "a", "x", "x: 1", "", "one"],
    ]


def test_a_row_of_a_correction_is_told_with_the_line_that_it_corrects_and_no_bytes_of_another_file() -> None:
    rejects = pl.DataFrame(
        [(2, ["a"], ["x: 1"], ["x"], "7,one", 20, 6, 7)], {**REJECTS, "noted": pl.Int64}, orient="row"
    )
    row = reject_rows(rejects, pl.DataFrame({"_line": [2], "first": ["one"]})).row(0, named=True)
    assert (row[LINE], row["waybill_bytes"]) == (7, None)


def test_a_mended_row_is_told_as_it_came_with_what_was_mended() -> None:
    repaired = pl.DataFrame(
        [(3, ["missing_fields"], "=1,2", 20, 5), (9, ["stray_quotes", "missing_fields"], 'a"\nb', None, None)],
        {"line": pl.Int64, "repairs": pl.List(pl.String), "raw": pl.String, "start": pl.Int64, "size": pl.Int64},
        orient="row",
    )
    written = repairs_header_line(has_parts=False).decode() + repair_rows(repaired).write_csv(include_header=False)
    assert list(csv.reader(io.StringIO(written))) == [
        ["waybill_line", "waybill_bytes", "waybill_repairs", "waybill_raw"],
        ["3", "20-24", "missing_fields", "'=1,2"],
        ["9", "", "stray_quotes; missing_fields", 'a"\nb'],
    ]
    placed = repaired.with_columns(part=pl.lit("in/b.csv:3"))
    assert repair_rows(placed).columns == repairs_header_line(has_parts=True).decode().strip().split(",")
