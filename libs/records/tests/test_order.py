"""Order values sort as the things they stand for."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.columns import dtype
from records.order import file_order, row_orders
from waybill_contracts import OrderBy

DAYS = OrderBy(file_name=r"(?P<day>\d{8})")


def test_the_groups_of_the_pattern_are_the_order_value_of_the_name_alone() -> None:
    assert file_order(DAYS, "acme/20200101/orders_20260131.csv") == "00820260131"
    assert file_order(DAYS, "acme/20200101/orders.csv") is None
    assert file_order(OrderBy(file_name=r"v\d+"), "orders_v7.csv") == "~v7"
    assert file_order(OrderBy(column="day"), "orders_20260131.csv") is None
    assert file_order(None, "orders_20260131.csv") is None


def test_several_groups_count_one_after_the_other() -> None:
    by_day_and_run = OrderBy(file_name=r"(\d{8})(?:_(\d+))?")
    names = ["20260130_12.csv", "20260131.csv", "20260131_2.csv", "20260131_10.csv"]
    values = [file_order(by_day_and_run, name) for name in names]
    assert values == sorted(values, key=str)


@given(st.lists(st.integers(0, 10**20), min_size=2))
def test_numbers_in_names_sort_by_size(numbers: list[int]) -> None:
    order_by = OrderBy(file_name=r"(\d+)")
    assert sorted(numbers) == sorted(numbers, key=lambda number: str(file_order(order_by, f"f{number}.csv")).encode())


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", [-(2**63), -10, -9, 0, 9, 10, 2**63 - 1]),
        ("text", ["", "10", "9", "a", "é", "\U0001f600"]),
        ("date", [date(1, 1, 1), date(999, 12, 31), date(2026, 1, 31), date(9999, 12, 31)]),
        ("timestamp", [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 12, 0, 0, 1000, tzinfo=UTC)]),
    ],
)
def test_values_of_a_column_sort_as_they_are(kind: str, values: list[object]) -> None:
    found = row_orders(pl.Series("x", [*values, None], dtype=dtype(kind))).to_list()
    assert found[-1] is None
    assert found[:-1] == sorted(found[:-1], key=str.encode)
    assert len(set(found)) == len(found)
