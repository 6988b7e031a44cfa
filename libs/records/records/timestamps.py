"""Timestamps of ISO 8601, one expression for each of their shapes, so that a column of one shape needs one pass."""

from functools import cache
from itertools import product
from typing import Literal, NamedTuple

import polars as pl

Unit = Literal["ms", "us"]
YEAR_0 = "0000"
DIGITS = {"timestamp": 3, "timestamp(6)": 6}
"""Of a second's fraction, by declared type."""
UNITS: dict[str, Unit] = {"timestamp": "ms", "timestamp(6)": "us"}
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOURS_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_OFFSETS = {"": "", "Z": "Z", "+": f"[+-]{_HOURS_MINUTES}"}
_SECONDS = len("2026-01-31T23:59:59")
_PER_MINUTE = {"ms": 60_000, "us": 60_000_000}


class Shape(NamedTuple):
    """How a timestamp is written: `T` or a space, number of fraction digits, and no offset, Z or one of hours."""

    separator: str
    digits: int
    offset: str


@cache
def shapes(declared: str) -> list[Shape]:
    """All shapes that values of a type have."""
    return [Shape(*parts) for parts in product("T ", range(DIGITS[declared] + 1), _OFFSETS)]


def shape_of(text: str, declared: str) -> Shape:
    """The shape that a text seems to have."""
    digits = len(text[_SECONDS:].rstrip("Z")) - 1
    offset = "Z" if text.endswith("Z") else "+" if text[-6:-5] in ("+", "-") and len(text) > _SECONDS else ""
    digits -= len("+00:00") * (offset == "+")
    return Shape(" " if text[10:11] == " " else "T", min(max(digits, 0), DIGITS[declared]), offset)


def shaped(column: str, shape: Shape, declared: str) -> pl.Expr:
    """Timestamps of exactly this shape; null for any other text and for days that do not exist."""
    text = pl.col(column)
    local = text if shape == (shape.separator, 0, "") else text.str.slice(0, _SECONDS)
    unit = UNITS[declared]
    value = local.str.to_datetime(f"%Y-%m-%d{shape.separator}%H:%M:%S", time_unit=unit, strict=False)
    if shape.digits:
        fraction = text.str.slice(_SECONDS + 1, shape.digits).cast(pl.Int64, strict=False)
        value += (fraction * 10 ** (DIGITS[declared] - shape.digits)).cast(pl.Duration(unit))
    # Each use of `value` parses again, so its range is judged by the text where that is possible.
    fits = text.str.contains(_pattern(shape)) & ~text.str.starts_with(YEAR_0)
    if shape.offset == "+":
        value -= offset(text, unit)
        fits &= is_in_range(value, unit)
    return pl.when(fits).then(value.dt.replace_time_zone("UTC")).alias(column)


def is_in_range(value: pl.Expr, unit: Unit) -> pl.Expr:
    """Whether moments of UTC, without their zone, are of the years 1 to 9999."""
    return (value >= pl.datetime(1, 1, 1, time_unit=unit)) & (value < pl.datetime(10000, 1, 1, time_unit=unit))


def offset(text: pl.Expr, unit: Unit) -> pl.Expr:
    """The offset from UTC that texts end with, as ±HH:MM; in the unit of what it is taken from, else that is cut."""
    hours, minutes = (text.str.slice(at, 2).cast(pl.Int64, strict=False) for at in (-5, -2))
    sign = pl.when(text.str.slice(-6, 1) == "-").then(-1).otherwise(1)
    return (sign * (hours * 60 + minutes) * _PER_MINUTE[unit]).cast(pl.Duration(unit))


@cache
def _pattern(shape: Shape) -> str:
    fraction = rf"\.[0-9]{{{shape.digits}}}" if shape.digits else ""
    return f"^{_DAY}{shape.separator}{_HOURS_MINUTES}:[0-5][0-9]{fraction}{_OFFSETS[shape.offset]}$"
