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
| timestamp(6) | the same with up to 6 fraction digits |
| json | as records.json.text says, without U+0000; the value is its canonical text |

Null stays null; empty quoted text is a fault in every type but text, and `null` in a json column a value of JSON.
Dates and timestamps in a declared format: as records.time_formats says; local times of a declared zone: as
records.zones says.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import polars as pl

from records.nested import canonical_texts, nested_fault
from records.rejects import faults
from records.time_formats import formatted, grammar
from records.timestamps import DIGITS, UNITS, YEAR_0, Shape, shape_of, shaped, shapes
from records.zones import of_zone, zone_fault

SHOWN_CHARACTERS = 80
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?$"
_GRAMMARS = {
    "integer": "^-?[0-9]+$",
    "decimal": f"^{_NUMBER}$",
    "float": f"^{_NUMBER}(?:[eE][+-]?[0-9]+)?$",
    "boolean": "^(?:true|True|TRUE|false|False|FALSE)$",
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "timestamp": _MOMENT,
    "timestamp(6)": _MOMENT,
}
_TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "json": pl.String(),
    **{declared: pl.Datetime(unit, "UTC") for declared, unit in UNITS.items()},
}


class Notation(NamedTuple):
    """How times stand in a file where that is not ISO 8601 in UTC: their format, and the zone of those without one."""

    format: str | None = None
    zone: str | None = None


ISO = Notation()


def polars_type(declared: str) -> pl.DataType:
    """The column type that values of a declared type have."""
    return pl.Decimal(*_digits(declared)) if declared.startswith("decimal") else _TYPES[declared]


def type_columns(
    text: pl.DataFrame, types: Mapping[str, str], notations: Mapping[str, Notation] | None = None
) -> pl.DataFrame:
    """Typed columns in the order of `types`; null where the text was null or has a fault."""
    written = notations or {}
    plain = {name: declared for name, declared in types.items() if not written.get(name, ISO).format}
    typed = _plain_columns(text, plain)
    if not written:
        return typed
    as_declared = {name: notation.format for name, notation in written.items() if notation.format}
    typed = pl.DataFrame([*typed, *(formatted(text[name], form, types[name]) for name, form in as_declared.items())])
    zones = {name: notation.zone for name, notation in written.items() if notation.zone}
    typed = typed.with_columns(of_zone(text[name], typed[name], zone) for name, zone in zones.items())
    return typed.select(*types)


def _plain_columns(text: pl.DataFrame, types: Mapping[str, str]) -> pl.DataFrame:
    """Typed columns of values that are written as their type's grammar says."""
    shape_by_name = {name: _first_shape(text[name], declared) for name, declared in types.items() if declared in DIGITS}
    typed = text.select(_expression(name, declared, shape_by_name.get(name)) for name, declared in types.items())
    mixed = [name for name in shape_by_name if typed[name].null_count() > text[name].null_count()]
    return typed.with_columns(_any_shape(text[name], typed[name], types[name]) for name in mixed) if mixed else typed


def type_faults(text: pl.Series, typed: pl.Series, declared: str, notation: Notation = ISO) -> list[pl.DataFrame]:
    """A fault for each value that typing lost, with the value as it stood."""
    if typed.null_count() == text.null_count():
        return []
    rows = (text.is_not_null() & typed.is_null()).arg_true()
    if declared == "json":
        return [_nested_faults(rows, text)]
    value = pl.lit(text.gather(rows))
    looks_right = value.str.contains(_grammar(declared, notation))
    precise = _too_precise(declared, notation)
    code = pl.when(looks_right).then(pl.lit("out_of_range")).otherwise(pl.lit("wrong_type"))
    if precise:
        code = pl.when(looks_right & precise(value)).then(pl.lit("too_many_digits")).otherwise(code)
    expected = f"{declared} as {notation.format}" if notation.format else declared
    reason = pl.format(
        '{}: expected {}, found "{}"', pl.lit(text.name), pl.lit(expected), value.str.slice(0, SHOWN_CHARACTERS)
    )
    texts = pl.select(code=code, reason=reason)
    if notation.zone:
        texts = _of_zone(texts, text.gather(rows), declared, notation)
    return [faults(rows, texts["code"], texts["reason"], text.name)]


def _nested_faults(rows: pl.Series, text: pl.Series) -> pl.DataFrame:
    values = text.gather(rows).to_list()
    found = [nested_fault(value) for value in values]
    reasons = [
        f'{text.name}: expected json, found "{value[:SHOWN_CHARACTERS]}": {fault}'
        for value, fault in zip(values, found, strict=True)
    ]
    return faults(rows, pl.Series([fault.code for fault in found]), pl.Series(reasons), text.name)


def _grammar(declared: str, notation: Notation) -> str:
    return grammar(notation.format) if notation.format else _GRAMMARS[declared if declared in _GRAMMARS else "decimal"]


def _too_precise(declared: str, notation: Notation) -> Callable[[pl.Expr], pl.Expr] | None:
    """Whether values that look right have more fraction digits than the type keeps; None where that cannot be."""
    if notation.format and declared in DIGITS:
        kept = grammar(notation.format, f"[0-9]{{1,{DIGITS[declared]}}}")
        return lambda value: ~value.str.contains(kept)
    if declared.startswith("decimal"):
        digits = _digits(declared)[1]
        return lambda value: value.str.contains(rf"\.[0-9]{{{digits + 1},}}$")
    if declared in DIGITS:
        return lambda value: value.str.contains(rf"\.[0-9]{{{DIGITS[declared] + 1},}}")
    return None


def _of_zone(texts: pl.DataFrame, value: pl.Series, declared: str, notation: Notation) -> pl.DataFrame:
    """Codes and reasons, with those of times that are good but not of their zone."""
    local = type_columns(value.to_frame(), {value.name: declared}, {value.name: notation._replace(zone=None)})
    found = texts.with_columns(local.to_series().dt.replace_time_zone(None).alias("local"))
    code, what = zone_fault(pl.col("local"), notation.zone or "")
    shown = pl.format('{}: "{}" {}', pl.lit(value.name), pl.lit(value.str.slice(0, SHOWN_CHARACTERS)), what)
    return found.select(code=pl.coalesce(code, "code"), reason=pl.coalesce(shown, "reason"))


def _digits(declared: str) -> tuple[int, int]:
    precision, scale = re.findall(r"\d+", declared)
    return int(precision), int(scale)


@lru_cache(maxsize=10_000)
def _expression(name: str, declared: str, shape: Shape | None) -> pl.Expr:
    text = pl.col(name)
    if declared == "text":
        return text
    if declared == "json":
        return text.map_batches(canonical_texts, pl.String(), is_elementwise=True)
    if shape:
        return shaped(name, shape, declared)
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


def _first_shape(text: pl.Series, declared: str) -> Shape:
    return shape_of(next((value for value in text.head(20) if value), ""), declared)


def _any_shape(text: pl.Series, typed: pl.Series, declared: str) -> pl.Series:
    """Typed timestamps, with those added that have another shape than the first."""
    rows = (text.str.contains(_GRAMMARS[declared]) & typed.is_null()).arg_true()
    lost = text.gather(rows).to_frame()
    found = lost.select(pl.coalesce(shaped(text.name, shape, declared) for shape in shapes(declared))).to_series()
    return typed.scatter(rows, found)
