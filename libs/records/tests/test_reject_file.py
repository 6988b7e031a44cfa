"""The file of rejects can be opened in a spreadsheet, corrected, and sent back."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.reject_file import NOTES, as_sent, formula_safe, header_line, reject_rows
from records.rejects import REJECTS

VALUES = st.one_of(st.none(), st.text(max_size=8), st.text("'=+-@\t\r1.,a", max_size=6))


@given(st.lists(VALUES, max_size=20))
def test_what_was_made_safe_comes_back_as_it_was_sent(values: list[str | None]) -> None:
    frame = pl.DataFrame({"a": values}, schema={"a": pl.String})
    assert frame.select(formula_safe("a")).select(as_sent("a"))["a"].to_list() == values


@pytest.mark.parametrize(
    "value", ["=1+1", "+cmd", "-cmd|x", "@SUM(A1)", "\t=1", "\r=1", "'=1", "-1+1", "=HYPERLINK(1)"]
)
def test_no_cell_begins_like_a_formula(value: str) -> None:
    assert pl.DataFrame({"a": [value]}).select(formula_safe("a")).item() == f"'{value}"


@pytest.mark.parametrize("value", ["-5", "+49", "-1.50", "1,5", "", "a=b", "'a", "-1.234,5"])
def test_numbers_and_plain_texts_stay_as_they_are(value: str) -> None:
    assert pl.DataFrame({"a": [value]}).select(formula_safe("a")).item() == value


def test_fields_stand_under_their_own_names_and_raw_text_only_where_there_are_none() -> None:
    rejects = pl.DataFrame(
        [(7, ["a", "b"], ["x: 1", "y: 2"], "one,two"), (9, ["c"], ["z"], '=br"oken')], REJECTS, orient="row"
    )
    fields = pl.DataFrame({"_line": [7], "first": ["one"], "second": ["=two"]})
    written = header_line(["First", "=Second"]).decode() + reject_rows(rejects, fields).write_csv(include_header=False)
    assert list(csv.reader(io.StringIO(written))) == [
        ["waybill_line", "waybill_codes", "waybill_reasons", "waybill_raw", "First", "'=Second"],
        ["7", "a; b", "x: 1; y: 2", "", "one", "'=two"],
        ["9", "c", "z", "'=br\"oken", "", ""],
    ]


def test_a_row_of_a_delivery_is_told_with_its_file_and_line_there() -> None:
    rejects = pl.DataFrame([(7, ["a"], ["x: 1"], "one", "=in/b.csv:3")], {**REJECTS, "part": pl.String}, orient="row")
    fields = pl.DataFrame({"_line": [7], "first": ["one"]})
    written = (
        header_line(["First"], has_parts=True) + reject_rows(rejects, fields).write_csv(include_header=False).encode()
    )
    assert list(csv.reader(io.StringIO(written.decode()))) == [
        [*NOTES, "First"],
        ["7", "'=in/b.csv:3", "a", "x: 1", "", "one"],
    ]
