import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from records.columns import canonical, dtype
from records.row_hash import RULE_VERSION, add_identity, row_hashes

from .reference import LIMITS, Row, frame_of, row_hash, tables, text


@settings(max_examples=40)
@given(tables())
def test_hashes_are_what_plain_python_makes_of_any_table(table: tuple[dict[str, str], list[Row]]) -> None:
    types, rows = table
    assert row_hashes(frame_of(types, rows), types).to_list() == [row_hash(row, types) for row in rows]


def test_the_rule_is_pinned_by_one_written_example() -> None:
    types = {"order_id": "integer", "amount": "decimal(12,2)", "paid": "boolean", "note": "text", "due": "date"}
    row = {"order_id": 7, "amount": Decimal("1.50"), "paid": True, "note": None, "due": date(2026, 1, 2)}
    plain = b"amount=4:1.50,due=10:2026-01-02,order_id=1:7,paid=4:true,"
    assert RULE_VERSION == 1
    assert row_hashes(frame_of(types, [row]), types)[0] == hashlib.sha256(plain).digest()


@pytest.mark.parametrize("kind", sorted(LIMITS))
def test_values_at_the_limits_hash_alike(kind: str) -> None:
    rows = [{"value": value} for value in (*LIMITS[kind], None)]
    types = {"value": kind}
    assert row_hashes(frame_of(types, rows), types).to_list() == [row_hash(row, types) for row in rows]


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1e16)
@example(9999999999999998.0)
@example(0.0001)
@example(0.00001)
@example(-0.0)
def test_a_float_is_the_shortest_text_that_reads_back_and_zero_has_no_sign(value: float) -> None:
    found = canonical(pl.Series([value, None], dtype=pl.Float64)).to_list()
    assert found == [repr(value + 0.0), None]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("integer", 0, "0"),
        ("decimal(5,0)", Decimal("-0"), "0"),
        ("decimal(5,2)", Decimal("-0.1"), "-0.10"),
        ("float", -0.0, "0.0"),
        ("boolean", False, "false"),
        ("date", date(1, 1, 1), "0001-01-01"),
        ("timestamp", datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC), "1969-12-31T23:59:59.999Z"),
        ("timestamp(6)", datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), "1969-12-31T23:59:59.999999Z"),
        ("timestamp(6)", datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000000Z"),
        ("text", "", ""),
    ],
)
def test_each_type_has_one_text_for_a_value(kind: str, value: Any, expected: str) -> None:
    assert canonical(pl.Series([value], dtype=dtype(kind))).to_list() == [expected]
    assert text(value + 0 if kind.startswith("decimal") else value, kind) in (expected, expected.rstrip("0"))


def test_days_far_apart_are_written_like_days_near_each_other() -> None:
    days = [date(1, 1, 1), date(9999, 12, 31), None]
    assert canonical(pl.Series(days)).to_list() == ["0001-01-01", "9999-12-31", None]


def test_a_new_column_of_nulls_changes_no_hash() -> None:
    frame = pl.DataFrame({"a": ["x", None], "b": [1, None]}, schema={"a": pl.String, "b": pl.Int64})
    before = row_hashes(frame, {"a": "text", "b": "integer"})
    wider = frame.with_columns(pl.lit(None, pl.Date).alias("aa"))
    assert row_hashes(wider, {"aa": "date", "b": "integer", "a": "text"}).equals(before)


def test_null_and_empty_text_differ() -> None:
    first, second = row_hashes(pl.DataFrame({"a": ["", None]}), {"a": "text"})
    assert first != second


def test_a_slice_of_a_frame_hashes_like_its_rows() -> None:
    types = {"a": "text", "b": "decimal(12,2)", "c": "timestamp"}
    rows = [{"a": f"é{n}" * n, "b": Decimal(n) / 4, "c": datetime(2026, 1, 1 + n, tzinfo=UTC)} for n in range(20)]
    frame = frame_of(types, rows)
    assert row_hashes(frame[5:9], types).to_list() == row_hashes(frame, types).to_list()[5:9]


def test_texts_longer_than_the_table_of_lengths_hash_alike() -> None:
    rows = [{"a": "x" * length} for length in (0, 9, 10, 4095, 4096, 99_999, 100_000)]
    assert row_hashes(frame_of({"a": "text"}, rows), {"a": "text"}).to_list() == [row_hash(row) for row in rows]


def test_identity_is_key_and_hash_beside_the_columns() -> None:
    frame = add_identity(pl.DataFrame({"a": ["x"], "b": [1], "_line": [2]}), ("b", "a"), {"a": "text", "b": "integer"})
    assert frame.columns == ["a", "b", "_line", "_key", "_hash"]
    assert frame.row(0) == ("x", 1, 2, "1|x", row_hash({"a": "x", "b": 1}))


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="b is Int64, not text"):
        row_hashes(pl.DataFrame({"b": [1]}), {"b": "text"})


def test_no_rows_have_no_hashes() -> None:
    assert row_hashes(pl.DataFrame(schema={"a": pl.String}), {"a": "text"}).to_list() == []
