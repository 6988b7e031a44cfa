"""What an attempt keeps on its disk of rejects and of mended rows."""

import csv
import io
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from ingestor.files.parts import Part
from ingestor.files.spool import RejectSpool, RepairSpool
from records.rejects import REJECTS

REPAIRED = {"line": pl.Int64, "repairs": pl.List(pl.String), "raw": pl.String, "start": pl.Int64, "size": pl.Int64}
NOTHING = pl.DataFrame(schema={"_line": pl.Int64})
NO_KEYS = pl.DataFrame(schema={"_line": pl.Int64, "_key": pl.String})


def rejects_of(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, REJECTS, orient="row")


def repaired_of(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, REPAIRED, orient="row")


def written(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(), newline="")))


def test_mistyped_values_are_counted_by_the_column_that_a_fault_is_about_whatever_its_reason_says(
    tmp_path: Path,
) -> None:
    spool = RejectSpool(tmp_path, 10)
    spool.begin({})
    spool.add(
        rejects_of(
            (2, ["wrong_type", "below_minimum"], ["no number", "net: too little"], ["amount", "net"], "", 0, 1),
            (3, ["out_of_range"], ["day: 31 June"], ["day"], "", 1, 1),
            (4, ["wrong_type"], ["amount: no number"], ["amount"], "", 2, 1),
            (5, ["wrong_type"], ["of no single column: x"], [None], "", 3, 1),
        ),
        NOTHING,
        NO_KEYS,
    )
    assert spool.mistyped == {"amount": 2, "day": 1}


def test_a_mended_row_counts_unless_it_is_a_reject_in_the_end(tmp_path: Path) -> None:
    rejects, repairs = RejectSpool(tmp_path, 10), RepairSpool(tmp_path)
    rejects.begin({})
    repairs.add(repaired_of((2, ["missing_fields"], "1,Ada", 10, 6), (3, ["missing_fields"], "2,Bob", 16, 6)))
    repairs.add(repaired_of((9, ["stray_quotes", "missing_fields"], '=3,"C"em', 60, 9)))
    rejects.add(rejects_of((3, ["conflict"], ["lines 3, 4"], [None], "2,Bob", 16, 6)), NOTHING, NO_KEYS)
    repairs.settle(rejects.lines)
    assert repairs.counts == {"missing_fields": 2, "stray_quotes": 1}
    assert written(repairs.path) == [
        ["waybill_line", "waybill_bytes", "waybill_repairs", "waybill_raw"],
        ["2", "10-15", "missing_fields", "1,Ada"],
        ["9", "60-68", "stray_quotes; missing_fields", '\'=3,"C"em'],
    ]


@pytest.mark.parametrize("is_refused", [True, False])
def test_where_no_mended_row_was_taken_there_is_no_file_of_them(tmp_path: Path, is_refused: bool) -> None:
    rejects, repairs = RejectSpool(tmp_path, 10), RepairSpool(tmp_path)
    rejects.begin({})
    rejects.add(rejects_of((2, ["conflict"], ["lines 2, 3"], [None], "1,Ada", 10, 6)), NOTHING, NO_KEYS)
    if is_refused:
        repairs.add(repaired_of((2, ["missing_fields"], "1,Ada", 10, 6)))
    repairs.settle(rejects.lines)
    assert (repairs.counts, repairs.path.exists()) == ({}, False)


def test_a_mended_row_of_a_delivery_is_told_with_its_file_and_line_there(tmp_path: Path) -> None:
    parts = [
        Part(tmp_path / name, f"in/{name}", "v", 1, uuid4(), first_line=first) for name, first in (("a", 1), ("b", 5))
    ]
    repairs = RepairSpool(tmp_path, parts)
    repairs.add(repaired_of((6, ["missing_fields"], "1,Ada", 10, 6)))
    repairs.settle(RejectSpool(tmp_path, 10, parts).lines)
    assert written(repairs.path)[1] == ["6", "in/b:2", "10-15", "missing_fields", "1,Ada"]
