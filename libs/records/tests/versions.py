"""Frames of versions as encode_batch takes them: inserts and updates in turn, or with deletes among them."""

from datetime import UTC, datetime

import polars as pl
from records.bson.encode import BatchPlace
from records.row_hash import row_hashes

from .reference import Row, frame_of

AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, UTC)
PLACE = BatchPlace(attempt=7, batch=2, position=2**40, at=AT)
SYSTEM = ("_key", "_hash", "_line", "_version", "_change", "_changed", "_previous_hash", "_prev")


def versions(types: dict[str, str], rows: list[Row]) -> pl.DataFrame:
    """The rows as versions: every second one is an update of one, two or eleven fields."""
    frame = frame_of(types, rows)
    updates = [number % 2 == 1 for number in range(len(rows))]
    fields = [[f"field_{field}é" for field in range((1, 2, 11)[number % 3])] for number in range(len(rows))]
    changed = [fields[number] if update else None for number, update in enumerate(updates)]
    return frame.with_columns(
        pl.Series("_key", [f"key|{number}" * (number % 4) for number in range(len(rows))], dtype=pl.String),
        row_hashes(frame, types),
        pl.Series("_line", [None if number % 5 == 4 else number + 2 for number in range(len(rows))], dtype=pl.Int64),
        pl.Series("_version", [number + 1 for number in range(len(rows))], dtype=pl.Int64),
        pl.Series("_change", ["update" if update else "insert" for update in updates], dtype=pl.String),
        pl.Series("_changed", changed, dtype=pl.List(pl.String)),
        pl.Series("_previous_hash", [b"p" * 32 if update else None for update in updates], dtype=pl.Binary),
        pl.Series("_prev", [b"0123456789a\x00" if update else None for update in updates], dtype=pl.Binary),
    )


def with_deletes(types: dict[str, str], rows: list[Row], deleted: set[int]) -> pl.DataFrame:
    """The rows as versions, those of these numbers as deletes: no values, even in columns that need one, no hash."""
    frame = versions(types, [dict.fromkeys(row) if n in deleted else row for n, row in enumerate(rows)])
    is_deleted = pl.Series([number in deleted for number in range(len(rows))], dtype=pl.Boolean)
    without = {name: pl.when(~is_deleted).then(pl.col(name)).alias(name) for name in ("_hash", "_line", "_changed")}
    return frame.with_columns(
        *without.values(),
        pl.when(is_deleted).then(pl.lit("delete")).otherwise("_change").alias("_change"),
        pl.when(is_deleted).then(pl.lit(b"p" * 32)).otherwise("_previous_hash").alias("_previous_hash"),
        pl.when(is_deleted).then(pl.lit(b"0123456789a\x00")).otherwise("_prev").alias("_prev"),
        pl.when(is_deleted).then(pl.col("_version") + 1).otherwise("_version").alias("_version"),
    )
