"""Strict grammar of the declared types: text columns become typed columns, or a value has a fault.

| type | accepted |
|---|---|
| text | any text |
| integer | `-?[0-9]+` within 64 bits |
| decimal(p,s) | `-?[0-9]+(.[0-9]+)?`, at most s fraction digits and p - s digits before them, leading zeros apart |
| float | `-?[0-9]+(.[0-9]+)?([eE][+-]?[0-9]+)?`, finite; -0 is 0 |
| boolean | true, True, TRUE, false, False, FALSE |
| date | YYYY-MM-DD, years 0001 to 9999 |
| timestamp | YYYY-MM-DD, `T` or a space, HH:MM:SS, up to 3 fraction digits, nothing (UTC), Z or ±HH:MM; years as date |

Null stays null; empty quoted text is a fault in every type but text.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from records.rejects import faults
from records.timestamps import MILLISECONDS, SHAPES, YEAR_0, Shape, shape_of, shaped

SHOWN_CHARACTERS = 80
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_GRAMMARS = {
    "integer": "^-?[0-9]+$",
    "decimal": f"^{_NUMBER}$",
    "float": f"^{_NUMBER}(?:[eE][+-]?[0-9]+)?$",
    "boolean": "^(?:true|True|TRUE|false|False|FALSE)$",
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?$",
}
_TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": MILLISECONDS,
}


def polars_type(declared: str) -> pl.DataType:
    """The column type that values of a declared type have."""
    return pl.Decimal(*_digits(declared)) if declared.startswith("decimal") else _TYPES[declared]


def type_columns(text: pl.DataFrame, types: Mapping[str, str]) -> pl.DataFrame:
    """Typed columns in the order of `types`; null where the text was null or has a fault."""
    shapes = {name: _first_shape(text[name]) for name, declared in types.items() if declared == "timestamp"}
    typed = text.select(_expression(name, declared, shapes.get(name)) for name, declared in types.items())
    mixed = [name for name in shapes if typed[name].null_count() > text[name].null_count()]
    return typed.with_columns(_any_shape(text[name], typed[name]) for name in mixed) if mixed else typed


def type_faults(text: pl.Series, typed: pl.Series, declared: str) -> list[pl.DataFrame]:
    """A fault for each value that typing lost, with the value as it stood."""
    if typed.null_count() == text.null_count():
        return []
    rows = (text.is_not_null() & typed.is_null()).arg_true()
    value = pl.lit(text.gather(rows))
    grammar, precise = _GRAMMARS[declared.split("(")[0]], _too_precise(declared)
    code = pl.when(~value.str.contains(grammar)).then(pl.lit("wrong_type")).otherwise(pl.lit("out_of_range"))
    if precise:
        is_precise = value.str.contains(grammar) & value.str.contains(precise)
        code = pl.when(is_precise).then(pl.lit("too_many_digits")).otherwise(code)
    reason = pl.format(
        '{}: expected {}, found "{}"', pl.lit(text.name), pl.lit(declared), value.str.slice(0, SHOWN_CHARACTERS)
    )
    texts = pl.select(code=code, reason=reason)
    return [faults(rows, texts["code"], texts["reason"], text.name)]


def _too_precise(declared: str) -> str | None:
    """The pattern of values with more fraction digits than the type keeps."""
    if declared.startswith("decimal"):
        return rf"\.[0-9]{{{_digits(declared)[1] + 1},}}$"
    return r"\.[0-9]{4,}" if declared == "timestamp" else None


def _digits(declared: str) -> tuple[int, int]:
    precision, scale = re.findall(r"\d+", declared)
    return int(precision), int(scale)


@lru_cache(maxsize=10_000)
def _expression(name: str, declared: str, shape: Shape | None) -> pl.Expr:
    text = pl.col(name)
    if declared == "text":
        return text
    if shape:
        return shaped(name, shape)
    if declared == "boolean":
        return pl.when(text.str.contains(_GRAMMARS[declared])).then(text.str.slice(0, 1).is_in(["t", "T"]))
    if declared == "date":
        fits = text.str.contains(_GRAMMARS[declared]) & ~text.str.starts_with(YEAR_0)
        return pl.when(fits).then(text.str.to_date("%Y-%m-%d", strict=False))
    value = text.cast(polars_type(declared), strict=False)
    if declared == "integer":
        # The cast takes the grammar and a plus sign (tested); a pattern would cost three times as much.
        return pl.when(~text.str.starts_with("+")).then(value)
    if declared == "float":
        return pl.when(text.str.contains(_GRAMMARS[declared]) & value.is_finite()).then(value + 0.0)
    return pl.when(text.str.contains(_decimal_pattern(declared))).then(value)


def _decimal_pattern(declared: str) -> str:
    """The grammar of decimals with just the digits that fit."""
    precision, scale = _digits(declared)
    whole = f"0*[0-9]{{1,{precision - scale}}}" if precision > scale else "0+"
    return rf"^-?{whole}(?:\.[0-9]{{1,{scale}}})?$" if scale else f"^-?{whole}$"


def _first_shape(text: pl.Series) -> Shape:
    return shape_of(next((value for value in text.head(20) if value), ""))


def _any_shape(text: pl.Series, typed: pl.Series) -> pl.Series:
    """Typed timestamps, with those added that have another shape than the first."""
    rows = (text.str.contains(_GRAMMARS["timestamp"]) & typed.is_null()).arg_true()
    lost = text.gather(rows).to_frame()
    found = lost.select(pl.coalesce(shaped(text.name, shape) for shape in SHAPES)).to_series()
    return typed.scatter(rows, found)
