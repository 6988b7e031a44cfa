"""Rejects: rows that were refused, each once, with every reason and its raw text."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

REJECTS = pl.Schema(
    [("line", pl.Int64()), ("codes", pl.List(pl.String)), ("reasons", pl.List(pl.String)), ("raw", pl.String())]
)


def no_rejects() -> pl.DataFrame:
    """An empty frame of rejects."""
    return pl.DataFrame(schema=REJECTS)


def faults(rows: pl.Series | np.ndarray, code: str | pl.Series, reasons: str | pl.Series) -> pl.DataFrame:
    """One fault for each of these rows."""
    frame = pl.DataFrame({"row": rows}, schema_overrides={"row": pl.Int64})
    texts = {"code": code, "reason": reasons}
    return frame.with_columns(*(pl.lit(v).alias(k) if isinstance(v, str) else v.alias(k) for k, v in texts.items()))


def collect(
    found: Sequence[pl.DataFrame], lines: pl.Series, raw: Callable[[pl.Series], pl.Series]
) -> tuple[pl.Series, pl.DataFrame]:
    """Rows with faults in file order, and one reject for each of them."""
    together = pl.concat(found).group_by("row").agg(codes="code", reasons="reason").sort("row")
    rows = together["row"]
    rejects = together.select(lines.gather(rows).alias("line"), "codes", "reasons", raw(rows).alias("raw"))
    return rows, rejects.match_to_schema(REJECTS)
