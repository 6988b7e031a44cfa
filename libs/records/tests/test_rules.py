"""Column rules on both sides of each bound, and what a declaration may not say."""

import time

import polars as pl
import pytest
from records.errors import FileFault
from records.rules import check_declaration, declared_rules, rule_faults
from records.types import type_columns
from waybill_contracts import Declaration


def declare(column, key=("id",)):
    return Declaration.model_validate(
        {"organisation": "acme", "table": "orders", "key": key, "columns": {"id": {}, "value": column}}
    )


def broken(column, value):
    """Codes of the rules that one value breaks."""
    declaration = declare(column)
    text = pl.DataFrame({"id": ["1"], "value": [value]}, schema={"id": pl.String, "value": pl.String})
    typed = type_columns(text, {name: column.type for name, column in declaration.columns.items()})
    return [row["code"] for fault in rule_faults(typed, declared_rules(declaration), text) for row in fault.to_dicts()]


@pytest.mark.parametrize(
    ("column", "good", "bad", "code"),
    [
        ({"required": True}, "", None, "missing"),
        ({"type": "integer", "minimum": 3}, "3", "2", "below_minimum"),
        ({"type": "integer", "maximum": -3}, "-3", "-2", "above_maximum"),
        ({"type": "decimal(12,2)", "minimum": 0}, "0.00", "-0.01", "below_minimum"),
        ({"type": "decimal(12,2)", "minimum": 0.1}, "0.10", "0.09", "below_minimum"),
        ({"type": "decimal(34,2)", "maximum": "9" * 20 + ".98"}, "9" * 20 + ".98", "9" * 20 + ".99", "above_maximum"),
        ({"type": "float", "maximum": 1.5}, "1.5", "1.5000001", "above_maximum"),
        ({"type": "date", "minimum": "2024-02-29"}, "2024-02-29", "2024-02-28", "below_minimum"),
        (
            {"type": "timestamp", "maximum": "2024-01-01T00:00:00Z"},
            "2024-01-01 01:00:00+01:00",
            "2024-01-01 00:00:00.001",
            "above_maximum",
        ),
        ({"one_of": ["EUR", "USD"]}, "EUR", "eur", "not_one_of"),
        ({"one_of": ["EUR", "USD"]}, "USD", "", "not_one_of"),
        ({"pattern": "[A-Z]{2}|x"}, "AB", "ABC", "pattern_mismatch"),
        ({"pattern": "[A-Z]{2}|x"}, "x", "xAB", "pattern_mismatch"),
        ({"pattern": "a$"}, "a", "a\n", "pattern_mismatch"),
        ({"pattern": "(?i)a.c"}, "ABC", "A\nC", "pattern_mismatch"),
        ({"max_length": 3}, "äöü", "äöüß", "too_long"),
    ],
)
def test_a_rule_takes_the_last_good_value_and_refuses_the_first_bad_one(column, good, bad, code):
    assert broken(column, good) == []
    assert broken(column, bad) == [code]


@pytest.mark.parametrize(
    "column",
    [
        {"type": "integer", "minimum": 1, "maximum": 2},
        {"one_of": ["a"], "pattern": "a", "max_length": 1},
        {"type": "date", "minimum": "2024-01-01"},
    ],
)
def test_null_passes_all_rules_but_required(column):
    assert broken(column, None) == []


def test_a_value_with_a_fault_of_type_breaks_no_rule():
    assert broken({"type": "integer", "required": True, "minimum": 3}, "abc") == []


def test_a_key_column_is_required_without_saying_so():
    rules = declared_rules(declare({}, key=("id", "value")))
    assert [(rule.column, rule.code) for rule in rules] == [("id", "missing"), ("value", "missing")]


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ({"pattern": "("}, "columns.value.pattern: expected a regular expression"),
        ({"pattern": "(?=a)a"}, "columns.value.pattern: expected a regular expression"),
        ({"pattern": r"(a)\1"}, "columns.value.pattern: expected a regular expression"),
        ({"pattern": "a)|(b"}, "columns.value.pattern: expected a regular expression"),
        ({"pattern": "(?x) a # b"}, "columns.value.pattern: expected a regular expression"),
        ({"pattern": "(a{1000}){1000}"}, "columns.value.pattern: expected a regular expression"),
        ({"type": "decimal(12,2)", "minimum": 0.001}, "columns.value.minimum: expected a value of type decimal(12,2)"),
        ({"type": "decimal(4,2)", "maximum": 100}, "columns.value.maximum: expected a value of type decimal(4,2)"),
    ],
)
def test_a_declaration_that_cannot_be_kept_is_refused_and_fails_its_files(column, problem):
    (found,) = check_declaration(declare(column))
    assert found.startswith(problem)
    with pytest.raises(FileFault) as fault:
        declared_rules(declare(column))
    assert fault.value.code == "bad_declaration"


def test_a_good_declaration_has_no_problems():
    assert check_declaration(declare({"pattern": r"\d+", "max_length": 5})) == []


def test_a_pattern_of_the_worst_kind_stays_linear():
    start = time.process_time()
    assert broken({"pattern": "(a+)+b"}, "a" * 100_000) == ["pattern_mismatch"]
    assert time.process_time() - start < 2
