"""Rows as any reader gives them."""

from collections.abc import Sequence

import polars as pl
from records.block import Block, KeptTexts
from records.rejects import no_rejects


def block(names: Sequence[str], *rows: Sequence[str | None]) -> Block:
    """Rows of these fields, from line 2 on."""
    frame = pl.DataFrame(list(rows), schema=dict.fromkeys(names, pl.String), orient="row")
    numbers = pl.Series(range(len(rows)), dtype=pl.Int64)
    kept = KeptTexts(pl.Series([str(row) for row in rows], dtype=pl.String), numbers, numbers + 1)
    return Block(frame.with_columns((numbers + 2).alias("_line")), no_rejects(), kept)
