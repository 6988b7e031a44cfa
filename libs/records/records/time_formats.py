"""Dates and timestamps in a declared format: the whole text, in exact widths, of ASCII digits and English names."""

import re
from collections.abc import Sequence
from functools import cache

import polars as pl
from waybill_contracts.time_format import pieces_of

from records.timestamps import DIGITS, UNITS, Unit, is_in_range, offset

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_NUMBERS = {name[:3].lower(): f"{number:02d}" for number, name in enumerate(_MONTHS, 1)}
_HALF_DAYS = {
    f"{hour:02d}{half}": f"{hour % 12 + 12 * (half == 'pm'):02d}" for hour in range(1, 13) for half in ("am", "pm")
}


def _any_of(names: tuple[str, ...]) -> str:
    """As `May`, `MAY` or `may`, and in no other way."""
    return f"(?:{'|'.join(form for name in names for form in dict.fromkeys((name, name.upper(), name.lower())))})"


_WIDTHS = {
    **dict.fromkeys("mdHIMS", "[0-9]{2}"),
    "Y": "[0-9]{4}",
    "b": _any_of(tuple(name[:3] for name in _MONTHS)),
    "B": _any_of(_MONTHS),
    "p": _any_of(("AM", "PM")),
    "f": "[0-9]+",
    "z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
}
_RANGES = _WIDTHS | {
    "m": "(?:0[1-9]|1[0-2])",
    "d": "(?:0[1-9]|[12][0-9]|3[01])",
    "H": "(?:[01][0-9]|2[0-3])",
    "I": "(?:0[1-9]|1[0-2])",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "z": "(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])",
}


@cache
def grammar(written: str, fraction: str = "[0-9]+") -> str:
    """The pattern of texts that look like this format, whether there is such a day and time or not."""
    return _pattern(written, _WIDTHS | {"f": fraction})


def formatted(text: pl.Series, written: str, declared: str) -> pl.Series:
    """Dates or timestamps of this format; null for any other text, and for days and times that do not exist.

    Times without an offset are read as UTC.
    """
    # Step by step: in one expression each use of a part would look for it again.
    fields = _fields(text, written, DIGITS.get(declared, 0))
    if declared == "date":
        days = fields.select(_day(fields.columns).str.to_date("%Y-%m-%d", strict=False).alias(text.name))
        return days.select(pl.when(pl.first().dt.year() > 0).then(pl.first())).to_series()
    unit = UNITS[declared]
    written_so = pl.concat_str(_day(fields.columns), pl.lit("T"), _time(fields.columns))
    value = written_so.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit=unit, strict=False)
    if "f" in fields.columns:
        fraction = pl.col("f").str.pad_end(DIGITS[declared], "0").cast(pl.Int64, strict=False)
        value += fraction.cast(pl.Duration(unit))
    if "z" in fields.columns:
        value -= _offset(pl.col("z"), unit)
    values = fields.select(value.alias(text.name))
    return values.select(
        pl.when(is_in_range(pl.first(), unit)).then(pl.first().dt.replace_time_zone("UTC"))
    ).to_series()


def _fields(text: pl.Series, written: str, digits: int) -> pl.DataFrame:
    """What stands at each directive, by its letter; null where the text is not of the format, or out of a range."""
    ranges = _RANGES | {"f": f"[0-9]{{1,{digits}}}"}
    pattern = _pattern(written, {letter: f"(?P<{letter}>{part})" for letter, part in ranges.items()})
    return text.str.extract_groups(pattern).struct.unnest()


def _pattern(written: str, parts: dict[str, str]) -> str:
    found = (
        parts[piece[1]] if _is_directive(piece) else re.escape(piece.replace("%%", "%")) for piece in pieces_of(written)
    )
    return rf"\A{''.join(found)}\z"


def _is_directive(piece: str) -> bool:
    return piece.startswith("%") and piece != "%%"


def _day(letters: Sequence[str]) -> pl.Expr:
    """YYYY-MM-DD."""
    month = pl.col("m")
    if "m" not in letters:
        name = pl.col("b" if "b" in letters else "B")
        month = name.str.slice(0, 3).str.to_lowercase().replace_strict(_NUMBERS, return_dtype=pl.String)
    return pl.concat_str("Y", month, "d", separator="-")


def _time(letters: Sequence[str]) -> pl.Expr:
    """HH:MM:SS."""
    hour = pl.col("H")
    if "H" not in letters:
        half = pl.concat_str("I", pl.col("p").str.to_lowercase())
        hour = half.replace_strict(_HALF_DAYS, return_dtype=pl.String)
    smaller = (pl.col(letter) if letter in letters else pl.lit("00") for letter in "MS")
    return pl.concat_str(hour, *smaller, separator=":")


def _offset(text: pl.Expr, unit: Unit) -> pl.Expr:
    """The offset from UTC that texts are, as Z, ±HH:MM or ±HHMM."""
    digits = text.str.replace("Z", "+0000", literal=True).str.replace(":", "", literal=True)
    return offset(pl.concat_str(digits.str.slice(0, 3), pl.lit(":"), digits.str.slice(3)), unit)
