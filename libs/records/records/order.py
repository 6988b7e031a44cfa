"""Order values: texts that sort, byte by byte, as the states of records follow each other (design.md 12)."""

from functools import lru_cache

import polars as pl
from waybill_contracts import OrderBy

from records.columns import canonical

_OFFSET = 1 << 63
_WIDTH = len(str((1 << 64) - 1))
_LENGTH_DIGITS = 3
SEPARATOR = "|"


def file_order(order_by: OrderBy | None, name: str) -> str | None:
    """The order value that a file's name gives; None where it gives none.

    The groups of the pattern, or the whole match, in their order. Digits count as a number, whatever their width.
    """
    if order_by is None or order_by.file_name is None:
        return None
    return _file_order(order_by.file_name, name.rpartition("/")[2])


@lru_cache(maxsize=10_000)
def _file_order(pattern: str, name: str) -> str | None:
    # Polars' regular expressions take linear time, whatever the pattern.
    text = pl.Series([name])
    if not text.str.contains(pattern).item():
        return None
    groups = text.str.extract_groups(pattern).struct.unnest()
    parts = groups.row(0) if groups.width else (text.str.extract(pattern, 0).item(),)
    return SEPARATOR.join(_sortable(part) for part in parts)


def _sortable(part: str | None) -> str:
    """Numbers before texts, by size; nothing before everything."""
    if not part:
        return ""
    if part.isascii() and part.isdigit():
        digits = part.lstrip("0") or "0"
        return f"{len(digits):0{_LENGTH_DIGITS}d}{digits}"
    return f"~{part}"


def row_orders(values: pl.Series) -> pl.Series:
    """The order value of each row by a column of type text, integer, date or timestamp; null stays null."""
    if values.dtype == pl.Int64:
        shifted = values.cast(pl.Int128) + pl.Series([_OFFSET], dtype=pl.Int128)
        return shifted.cast(pl.String).str.zfill(_WIDTH).alias("_order")
    return canonical(values).alias("_order")
