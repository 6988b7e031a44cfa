"""A date that is one in a workbook or a Parquet file is that date, however texts are declared to be written."""

from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from records.formats import open_reader
from records.judge import Judged, judge
from waybill_contracts import Declaration
from waybill_contracts.format import Format, FormatType

DAY, OTHER_DAY = date(2026, 2, 3), date(2026, 2, 13)


def workbook(values: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in [("id", "at"), *enumerate(values, 1)]:
        book.active.append(row)
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def parquet(values: list[Any], kind: Any) -> bytes:
    target = BytesIO()
    pq.write_table(pa.table({"id": list(range(1, len(values) + 1)), "at": pa.array(values, kind)}), target)
    return target.getvalue()


def judged(data: bytes, kind: FormatType, **column: Any) -> Judged:
    columns = {"id": {"type": "integer"}, "at": column}
    declaration = Declaration.model_validate(
        {"organisation": "acme", "table": "orders", "key": ["id"], "columns": columns}
    )
    (block,) = open_reader(BytesIO(data), Format(type=kind)).blocks()
    return judge(block, declaration)


def values_of(data: bytes, kind: FormatType, **column: Any) -> list[Any]:
    found = judged(data, kind, **column)
    assert not found.rejects.height, found.rejects.to_dicts()
    return found.frame["at"].to_list()


@pytest.mark.parametrize("written", ["%d.%m.%Y", "%Y-%d-%m", "%m/%d/%Y"])
def test_a_date_of_the_file_itself_is_that_date_whatever_format_texts_have(written: str) -> None:
    days = [DAY, None, OTHER_DAY]
    assert values_of(workbook(days), "excel", type="date", format=written) == days
    assert values_of(parquet(days, pa.date32()), "parquet", type="date", format=written) == days


def test_texts_beside_dates_in_a_workbook_are_read_in_the_declared_format() -> None:
    values = [DAY, "03.02.2026", OTHER_DAY, "2026-02-03"]
    found = judged(workbook(values), "excel", type="date", format="%d.%m.%Y")
    assert found.frame["at"].to_list() == [DAY, DAY, OTHER_DAY]
    assert found.rejects["line"].to_list() == [5]
    assert found.rejects["codes"].to_list() == [["wrong_type"]]


def test_rows_with_a_fault_of_their_own_do_not_move_the_others() -> None:
    book = openpyxl.load_workbook(BytesIO(workbook(["03.02.2026", DAY, OTHER_DAY])))
    book.active["A2"] = "#REF!"
    book.active["A2"].data_type = "e"
    target = BytesIO()
    book.save(target)
    found = judged(target.getvalue(), "excel", type="date", format="%Y-%d-%m")
    assert found.frame["at"].to_list() == [DAY, OTHER_DAY]


@pytest.mark.parametrize("kind", [pa.timestamp("ms"), pa.timestamp("us", "UTC"), pa.timestamp("ns", "Europe/Berlin")])
def test_a_timestamp_of_the_file_itself_is_that_moment_in_the_declared_zone_if_it_has_none(kind: Any) -> None:
    moment = datetime(2026, 2, 3, 10, 30, tzinfo=UTC if kind.tz else None)
    expected = datetime(2026, 2, 3, 10 if kind.tz else 9, 30, tzinfo=UTC)
    column = {"type": "timestamp", "format": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"}
    assert values_of(parquet([moment], kind), "parquet", **column) == [expected]


def test_an_old_int96_timestamp_is_that_moment() -> None:
    target = BytesIO()
    table = pa.table({"id": [1], "at": pa.array([datetime(2026, 2, 3, 10, 30)], pa.timestamp("ns"))})
    pq.write_table(table, target, use_deprecated_int96_timestamps=True)
    column = {"type": "timestamp", "format": "%d.%m.%Y %H:%M"}
    assert values_of(target.getvalue(), "parquet", **column) == [datetime(2026, 2, 3, 10, 30, tzinfo=UTC)]


def test_a_moment_that_is_not_of_the_declared_type_or_zone_is_a_reject_that_says_so() -> None:
    found = judged(workbook([datetime(2026, 2, 3, 10, 30)]), "excel", type="date", format="%d.%m.%Y")
    assert found.rejects["codes"].to_list() == [["wrong_type"]]
    skipped = workbook([datetime(2026, 3, 29, 2, 30)])
    found = judged(skipped, "excel", type="timestamp", format="%d.%m.%Y %H:%M", zone="Europe/Berlin")
    assert found.frame.height == 0
    assert "2026-03-29T02:30" in found.rejects["reasons"].item()[0]
    assert found.rejects["codes"].to_list() != [["wrong_type"]]


def test_texts_of_parquet_are_texts() -> None:
    data = parquet(["2026-03-02", "03.02.2026"], pa.string())
    assert values_of(data, "parquet", type="text") == ["2026-03-02", "03.02.2026"]
    found = judged(data, "parquet", type="date", format="%d.%m.%Y")
    assert found.frame.select("at").equals(pl.DataFrame({"at": [DAY]}))
