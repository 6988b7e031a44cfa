"""Null and empty text are distinct, unless the declaration says which texts stand for null."""

import io

import pytest
from records.csv.reader import CsvReader
from records.infer import infer
from records.infer_keys import KeyCandidate
from records.judge import judge
from waybill_contracts import Declaration

from .blocks import block


def declare(column, **fields):
    columns = {"id": {"type": "integer"}, "value": column}
    return Declaration.model_validate(
        {"organisation": "acme", "table": "orders", "key": ["id"], "columns": columns} | fields
    )


def judged(texts, column, **fields):
    """Values of one column, and the codes of rejects."""
    found = judge(
        block(["id", "value"], *[(str(row), text) for row, text in enumerate(texts)]), declare(column, **fields)
    )
    return found.frame["value"].to_list(), found.rejects["codes"].to_list()


def test_nothing_stands_for_null_where_nothing_is_declared():
    texts = [None, "", "NULL", "null", "\\N", "-", " "]
    assert judged(texts, {}) == (texts, [])


@pytest.mark.parametrize("where", ["column", "format"])
def test_only_the_very_texts_that_are_declared_stand_for_null(where):
    texts = ["NULL", "null", "NULL ", "N", "", None, "\\N"]
    column, fields = (
        ({"null_values": ["NULL", "\\N"]}, {})
        if where == "column"
        else ({}, {"format": {"null_values": ["NULL", "\\N"]}})
    )
    assert judged(texts, column, **fields) == ([None, "null", "NULL ", "N", "", None, None], [])


def test_empty_quoted_text_is_null_where_it_is_declared_to_be():
    assert judged(["", None, " "], {"null_values": [""]}) == ([None, None, " "], [])
    assert judged(["", None, " "], {"type": "integer", "null_values": [""]}) == ([None, None], [["wrong_type"]])


def test_what_the_format_and_what_the_column_says_add_up():
    texts = ["-", "n/a", "x"]
    assert judged(texts, {"null_values": ["-"]}, format={"null_values": ["n/a"]}) == ([None, None, "x"], [])


def test_a_value_is_trimmed_before_it_may_stand_for_null():
    column = {"trim": True, "null_values": ["NULL", "  "]}
    assert judged([" NULL ", "  ", " x "], column) == ([None, None, "x"], [])
    assert judged([" NULL ", "  "], {"null_values": ["NULL", "  "]}) == ([" NULL ", None], [])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("integer", "-999"), ("decimal(5,2)", "n/a"), ("float", "NaN"), ("boolean", "?"), ("json", "")),
        *(("date", "0000-00-00"), ("timestamp", "0000-00-00 00:00:00"), ("timestamp(6)", "never")),
    ],
)
def test_a_text_stands_for_null_before_it_is_read_as_any_type(kind, text):
    assert judged([text, None], {"type": kind, "null_values": [text]}) == ([None, None], [])


def test_a_sentinel_is_null_before_it_is_read_in_a_format_and_zone():
    column = {
        "type": "timestamp",
        "format": "%d.%m.%Y %H:%M",
        "zone": "Europe/Berlin",
        "null_values": ["31.12.9999 00:00"],
    }
    values, codes = judged(["31.12.9999 00:00", "01.01.2026 00:00"], column)
    assert (values[0], values[1].isoformat(), codes) == (None, "2025-12-31T23:00:00+00:00", [])


def test_null_is_null_for_all_rules():
    column = {"required": True, "one_of": ["x", "-"], "null_values": ["-"]}
    assert judged(["-", "x"], column) == (["x"], [["missing"]])
    rules = [{"name": "there", "expect": "value is not null"}]
    assert judged(["-", "x"], {"null_values": ["-"]}, rules=rules) == (["x"], [["rule:there"]])
    assert judged(["-", "x"], {}, format={"null_values": ["0"]})[1] == [["missing"]]


def test_a_key_is_not_found_in_a_column_where_a_text_stands_for_null():
    candidate = KeyCandidate("value", declare({"null_values": ["-"]}).columns["value"])
    candidate.take(block(["value"], ["a"], ["-"]).frame)
    assert candidate.fault == "value is empty on line 3"


def test_what_stands_for_null_is_no_value_that_a_type_or_key_is_found_from():
    data = b'id,amount,code\n1,5,-\n"",-,x\n'
    one = Declaration.model_validate({"organisation": "acme", "table": "orders", "format": {"null_values": ["-", ""]}})
    found = infer(lambda: CsvReader(io.BytesIO(data)), one)
    assert {name: column.type for name, column in found.columns.items()} == {
        "id": "integer",
        "amount": "integer",
        "code": "text",
    }
    assert (found.key, found.mode) == ((), "append")
