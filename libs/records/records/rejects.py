"""Rejects: rows that were refused, each once, with every reason and its raw text."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from records.block import Origin

REJECTS = pl.Schema(
    [
        ("line", pl.Int64()),
        ("codes", pl.List(pl.String)),
        ("reasons", pl.List(pl.String)),
        ("columns", pl.List(pl.String)),
        ("raw", pl.String()),
        ("start", pl.Int64()),
        ("size", pl.Int64()),
    ]
)
"""For each code its reason and its column, null where it is about no single one; where the row stands, in bytes."""


def no_rejects() -> pl.DataFrame:
    """An empty frame of rejects."""
    return pl.DataFrame(schema=REJECTS)


def faults(
    rows: pl.Series | np.ndarray,
    code: str | pl.Series,
    reasons: str | pl.Series,
    column: str | pl.Series | None = None,
) -> pl.DataFrame:
    """One fault for each of these rows; of a column, where it is about one."""
    frame = pl.DataFrame({"row": rows}, schema_overrides={"row": pl.Int64})
    texts = {"code": code, "reason": reasons, "column": column}
    made = (text.alias(name) if isinstance(text, pl.Series) else _constant(text, name) for name, text in texts.items())
    return frame.with_columns(*made)


def _constant(text: str | None, name: str) -> pl.Expr:
    return pl.lit(text, pl.String).alias(name)


def collect(found: Sequence[pl.DataFrame], lines: pl.Series, origin: Origin) -> tuple[pl.Series, pl.DataFrame]:
    """Rows with faults in file order, and one reject for each of them."""
    together = pl.concat(found).group_by("row").agg(codes="code", reasons="reason", columns="column").sort("row")
    rows = together["row"]
    told = together.select(
        lines.gather(rows).alias("line"), "codes", "reasons", "columns", origin.raw(rows).alias("raw")
    )
    rejects = told.hstack(origin.spans(rows))
    return rows, rejects.match_to_schema(REJECTS)
