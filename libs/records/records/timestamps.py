"""Timestamps of ISO 8601, one expression for each of their 24 shapes, so that a column of one shape needs one pass."""

from functools import cache
from itertools import product
from typing import NamedTuple

import polars as pl

YEAR_0 = "0000"
MILLISECONDS = pl.Datetime("ms", "UTC")
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOURS_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_ZONES = {"": "", "Z": "Z", "+": f"[+-]{_HOURS_MINUTES}"}
_SECONDS = len("2026-01-31T23:59:59")
_RANGE = pl.datetime(1, 1, 1, time_unit="ms"), pl.datetime(10000, 1, 1, time_unit="ms")


class Shape(NamedTuple):
    """How a timestamp is written: `T` or a space, number of fraction digits, and no zone, Z or an offset."""

    separator: str
    digits: int
    zone: str


SHAPES = [Shape(*parts) for parts in product("T ", range(4), _ZONES)]


def shape_of(text: str) -> Shape:
    """The shape that a text seems to have."""
    digits = len(text[_SECONDS:].rstrip("Z")) - 1
    zone = "Z" if text.endswith("Z") else "+" if text[-6:-5] in ("+", "-") and len(text) > _SECONDS else ""
    digits -= len("+00:00") * (zone == "+")
    return Shape(" " if text[10:11] == " " else "T", min(max(digits, 0), 3), zone)


def shaped(column: str, shape: Shape) -> pl.Expr:
    """Timestamps of exactly this shape; null for any other text and for days that do not exist."""
    text = pl.col(column)
    local = text if shape == (shape.separator, 0, "") else text.str.slice(0, _SECONDS)
    value = local.str.to_datetime(f"%Y-%m-%d{shape.separator}%H:%M:%S", time_unit="ms", strict=False)
    if shape.digits:
        fraction = text.str.slice(_SECONDS + 1, shape.digits).cast(pl.Int64, strict=False)
        value += (fraction * 10 ** (3 - shape.digits)).cast(pl.Duration("ms"))
    # Each use of `value` parses again, so its range is judged by the text where that is possible.
    fits = text.str.contains(_pattern(shape)) & ~text.str.starts_with(YEAR_0)
    if shape.zone == "+":
        value -= _offset(text)
        fits &= (value >= _RANGE[0]) & (value < _RANGE[1])
    return pl.when(fits).then(value.dt.replace_time_zone("UTC")).alias(column)


def _offset(text: pl.Expr) -> pl.Expr:
    hours, minutes = (text.str.slice(at, 2).cast(pl.Int64, strict=False) for at in (-5, -2))
    sign = pl.when(text.str.slice(-6, 1) == "-").then(-1).otherwise(1)
    return (sign * (hours * 60 + minutes) * 60_000).cast(pl.Duration("ms"))


@cache
def _pattern(shape: Shape) -> str:
    fraction = rf"\.[0-9]{{{shape.digits}}}" if shape.digits else ""
    return f"^{_DAY}{shape.separator}{_HOURS_MINUTES}:[0-5][0-9]{fraction}{_ZONES[shape.zone]}$"
