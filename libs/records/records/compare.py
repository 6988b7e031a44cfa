"""What becomes of a file's rows, given the heads of their records (design.md 6, step 5)."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from records.columns import canonical

Duplicates = Literal["reject", "last", "first"]

OUTCOMES = ("inserted", "updated", "unchanged", "duplicate", "stale", "rejected")
MAX_NAMED_LINES = 5


@dataclass(frozen=True)
class Compared:
    """One row per row of the file, in its order.

    `_row`; `_outcome`, one of OUTCOMES; for new versions `_change` (insert, update), `_version`, `_previous_hash`,
    `_prev`; for a conflict `_conflict`, the first lines that hold its key; `_restated` where the content is the head's,
    but said with a newer order or for another partition.
    """

    rows: pl.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """How many rows had each outcome."""
        found = dict(self.rows["_outcome"].value_counts().iter_rows())
        return {outcome: found.get(outcome, 0) for outcome in OUTCOMES}


def compare(rows: pl.DataFrame, heads: pl.DataFrame, duplicates: Duplicates) -> Compared:
    """Judge rows (`_row`, `_line`, `_key`, `_hash`, in file order) by the heads of their keys, where there are any.

    Rows may have `_order`, by which the newest of a key counts, and `_outdated`: older than a snapshot that spoke of
    all keys. Heads: `_row` UInt32, version Int64, hash Binary, deleted Boolean, record Binary; `newer` and `restated`
    Boolean: whether the head was said with a newer order than the row, or has to be said again.
    """
    judged = _within_file(rows, duplicates).join(heads, on="_row", how="left", maintain_order="left")
    is_live = ~pl.col("deleted").fill_null(value=True)
    is_stale = pl.col("newer").fill_null(value=False)
    if "_outdated" in rows.columns:
        # Of a live record every snapshot has spoken since, or could not read its row.
        is_stale |= ~is_live & pl.col("_outdated")
    by_head = (
        pl.when(is_stale)
        .then(pl.lit("stale"))
        .when(~is_live)
        .then(pl.lit("inserted"))
        .when(pl.col("_hash") == pl.col("hash"))
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("updated"))
    )
    outcome, change = pl.coalesce("_within", by_head), {"inserted": "insert", "updated": "update"}
    judged = judged.with_columns(
        outcome.alias("_outcome"),
        outcome.replace_strict(change, default=None, return_dtype=pl.String).alias("_change"),
    )
    is_version = pl.col("_change").is_not_null()
    return Compared(
        judged.select(
            "_row",
            "_outcome",
            "_change",
            pl.when(is_version).then(pl.col("version").fill_null(0) + 1).alias("_version"),
            pl.when(is_version & is_live).then("hash").alias("_previous_hash"),
            pl.when(is_version).then("record").alias("_prev"),
            "_conflict",
            ((pl.col("_outcome") == "unchanged") & pl.col("restated")).alias("_restated"),
        )
    )


def _within_file(rows: pl.DataFrame, duplicates: Duplicates) -> pl.DataFrame:
    """The rows with what the other rows of the file make of each: `_within` and `_conflict`.

    `_within` is duplicate, stale or rejected.
    """
    repeated = rows["_key"].is_duplicated()
    undisturbed = (pl.lit(None, pl.String).alias("_within"), pl.lit(None, pl.List(pl.Int64)).alias("_conflict"))
    if not repeated.any():
        return rows.with_columns(*undisturbed)
    found = rows.filter(repeated)
    older = found.clear(0).select("_row", pl.lit("stale").alias("_within"), undisturbed[1])
    if "_order" in rows.columns:
        is_older = found.select(pl.col("_order") < pl.col("_order").max().over("_key")).to_series()
        older = found.filter(is_older).select("_row", pl.lit("stale").alias("_within"), undisturbed[1])
        found = found.filter(~is_older)
    return rows.join(
        pl.concat([_without_repeats(found, duplicates), older]), on="_row", how="left", maintain_order="left"
    )


def _without_repeats(found: pl.DataFrame, duplicates: Duplicates) -> pl.DataFrame:
    """Rows of one key and one order: which of them counts, and which contradict each other."""
    content = pl.col("_hash").last() if duplicates == "last" else pl.col("_hash").first()
    found = found.with_columns(content.over("_key").alias("content"))
    found = found.with_columns(
        (pl.col("_hash") != pl.col("content")).any().over("_key").alias("differs"),
        (pl.col("_row") == pl.col("_row").first().over("_key", "_hash")).alias("leads"),
    )
    is_conflict = pl.col("differs") if duplicates == "reject" else pl.lit(value=False)
    wins = pl.col("leads") & (pl.col("_hash") == pl.col("content"))
    lines = pl.col("_line").head(MAX_NAMED_LINES).over("_key", mapping_strategy="join")
    return found.select(
        "_row",
        pl.when(is_conflict).then(pl.lit("rejected")).when(~wins).then(pl.lit("duplicate")).alias("_within"),
        pl.when(is_conflict).then(lines).alias("_conflict"),
    )


def changed_fields(new: pl.DataFrame, old: pl.DataFrame, types: dict[str, str]) -> pl.Series:
    """The names of the business columns whose canonical texts differ, row by row, in byte order; named `_changed`.

    The old frame may lack columns, or hold them in other types, as an earlier declaration had them.
    """
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(new))
    names: list[pl.Series] = []
    for name in sorted(types):
        before = canonical(old[name]) if name in old.columns else nothing
        differs = canonical(new[name]).ne_missing(before)
        if differs.any():
            names.append(pl.Series(name, [name]).new_from_index(0, len(new)).zip_with(differs, nothing))
    if not names:
        return pl.Series("_changed", [[]], dtype=pl.List(pl.String)).new_from_index(0, len(new))
    return pl.select(pl.concat_list(names).list.drop_nulls().alias("_changed")).to_series()
