"""Columns of type json: one text for each value, and rejects that name the column."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.infer_types import TypeGuesses
from records.judge import judge
from records.nested import canonical_text, nested_fault
from records.transform import MAX_MADE_BYTES
from waybill_contracts import Declaration

from .blocks import block
from .reference import NESTED


def declare(count=1):
    columns = {"id": {"type": "integer"}} | {f"doc{number}": {"type": "json"} for number in range(count)}
    return Declaration.model_validate({"organisation": "acme", "table": "orders", "key": ["id"], "columns": columns})


def judged(*rows):
    names = ["id", *(f"doc{number}" for number in range(len(rows[0])))]
    return judge(block(names, *[(str(number), *row) for number, row in enumerate(rows)]), declare(len(rows[0])))


@given(NESTED, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_however_a_value_is_written_its_text_is_the_same(value, ensure_ascii, indent):
    written = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
    assert canonical_text(written) == canonical_text(json.dumps(value))
    assert json.loads(canonical_text(written)) == value


@given(NESTED)
def test_the_canonical_text_is_its_own(value):
    text = canonical_text(json.dumps(value))
    assert canonical_text(text) == text


def test_null_of_json_is_a_value_and_a_field_that_is_not_there_is_null():
    assert judged(["null"], [None]).frame["doc0"].to_list() == ["null", None]


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("{'a': 1}", "invalid_json", "no JSON: expected a key in double quotes at byte 1"),
        ('{"a":1,"a":2}', "doubled_key", 'the key "a" appears again at byte 7'),
        ("[NaN]", "not_finite", "NaN is no number that JSON knows"),
        ("[1e400]", "number_not_exact", "1e400 is beyond the range of a double"),
        ('["\\ud800"]', "lone_surrogate", "half of a surrogate pair without the other"),
        ('["\\u0000"]', "nul", "the character U+0000 inside a string"),
    ],
)
def test_a_text_that_cannot_be_kept_is_a_reject_that_names_column_and_place(text, code, why):
    found = judged([text], ["{}"])
    assert found.frame["doc0"].to_list() == ["{}"]
    (reject,) = found.rejects.to_dicts()
    assert (reject["codes"], reject["columns"]) == ([code], ["doc0"])
    assert reject["reasons"][0].startswith(f'doc0: expected json, found "{text}": {why}')


def test_a_backslash_before_u0000_is_no_nul():
    assert canonical_text('"\\\\u0000"') == '"\\\\u0000"'
    assert nested_fault('"\\\\\\u0000"').code == "nul"


def test_numbers_that_grow_beyond_a_document_are_a_reject_and_few_are_not():
    few, many = (f"[{','.join(['1e20'] * count)}]" for count in (1_000, MAX_MADE_BYTES // 2 // 17 + 1))
    found = judged([few, many], [many, many], [many, None])
    assert found.frame["id"].to_list() == [0, 2]
    assert found.rejects["codes"].to_list() == [["record_too_large"]]


def test_json_is_never_inferred_and_microseconds_are():
    frame = pl.DataFrame(
        {
            "_line": [2, 3],
            "doc": ['{"a":1}', "{}"],
            "at": ["2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.000000Z"],
            "mixed": ["2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678Z"],
            "short": ["2026-01-02T03:04:05.67890Z", None],
        }
    )
    guesses = TypeGuesses(["doc", "at", "mixed", "short"])
    guesses.take(frame)
    found = {name: guess.type for name, guess in guesses.guesses.items()}
    assert found == {"doc": "text", "at": "timestamp(6)", "mixed": "text", "short": "text"}
