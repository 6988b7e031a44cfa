"""Columns as they are declared, made of columns as they are in the file: trimmed, typed, filled, constant, derived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl
from waybill_contracts import Column, Declaration

from records.errors import FileFault
from records.rejects import faults
from records.types import ISO, Notation, polars_type, type_columns, type_faults

MAX_MADE_BYTES = 500_000
"""Of derived texts in a row: they stand in one document beside what the file says."""
MAX_LITERAL_BYTES = 2_000
"""Of texts that a declaration itself puts into each row: a file of short rows must not grow beyond measure."""
NO_MOMENTS: Mapping[str, pl.Series] = {}


@dataclass(frozen=True)
class Made:
    """All declared columns, typed, in declared order; a row with a fault has null where it lies."""

    typed: pl.DataFrame
    text: pl.DataFrame
    """What each value was made of: columns of the file, and derived ones. Text beside a null means a fault."""
    found: list[pl.DataFrame] = field(default_factory=list)


def make_columns(frame: pl.DataFrame, declaration: Declaration, moments: Mapping[str, pl.Series] = NO_MOMENTS) -> Made:
    """Declared columns of text columns; columns that are not declared are left out, optional ones may be missing.

    `moments`: by column the rows whose value is a date or time in the file itself.
    """
    columns, nulls = declaration.columns, declaration.format.null_values
    if not nulls and all(is_plain(column) for column in columns.values()):
        return _typed(frame, columns, moments)
    present = {name: column for name, column in columns.items() if column.is_in_files and name in frame.columns}
    _check_present(frame, columns)
    made = _typed(frame.select(_read(name, column, nulls) for name, column in present.items()), present, moments)
    typed, text, found = made.typed, made.text, made.found
    given = [_given(name, column) for name, column in columns.items() if name not in present]
    typed = typed.with_columns(one.new_from_index(0, len(frame)) for one in given)
    derived = {name: column for name, column in columns.items() if column.derived is not None}
    if derived:
        typed, text, more = _derive(typed, text, derived, columns)
        found += more
    return Made(typed.select(*columns), text, found)


def is_plain(column: Column) -> bool:
    """Whether the column's values are just what the file says."""
    return not (column.trim or column.optional or column.null_values) and column.is_in_files


def constant_value(column: Column) -> object:
    """A column's constant as a value of its type; None where it is not one."""
    return type_columns(pl.DataFrame({"value": [column.constant]}), {"value": column.type}).item()


def constant_bytes(columns: Mapping[str, Column]) -> int:
    """What the constants add to each row."""
    return sum(len(column.constant.encode()) for column in columns.values() if column.constant)


def input_types(columns: Mapping[str, Column]) -> tuple[tuple[str, str], ...]:
    """The columns that derived ones may name, with their types: those of the file, and constants."""
    return tuple((name, column.type) for name, column in columns.items() if column.derived is None)


def _typed(text: pl.DataFrame, columns: Mapping[str, Column], moments: Mapping[str, pl.Series]) -> Made:
    """Columns that are in the file, and a fault for each value that is not of its type."""
    types = {name: column.type for name, column in columns.items()}
    notations = {name: Notation(one.format, one.zone) for name, one in columns.items() if one.format or one.zone}
    typed, found = type_columns(text, types, notations), []
    for name, declared in types.items():
        notation = notations.get(name, ISO)
        if notation.format and name in moments:
            values, faulty = _as_they_are(text[name], typed[name], moments[name], declared, notation)
            typed = typed.with_columns(values)
            found += faulty
        else:
            found += type_faults(text[name], typed[name], declared, notation)
    return Made(typed, text, [*found, *_outgrown(text, typed, columns)])


def _as_they_are(
    text: pl.Series, typed: pl.Series, is_moment: pl.Series, declared: str, notation: Notation
) -> tuple[pl.Series, list[pl.DataFrame]]:
    """Values and faults of a column with a format: what is a date or time in the file itself is written in none."""
    plain = notation._replace(format=None)
    parts = {"own": (is_moment, text), "others": (~is_moment, text), "written": (~is_moment, typed)}
    chosen = pl.select(pl.when(rows).then(values).alias(name) for name, (rows, values) in parts.items())
    own, others, written = chosen["own"].alias(text.name), chosen["others"].alias(text.name), chosen["written"]
    moments = type_columns(own.to_frame(), {text.name: declared}, {text.name: plain}).to_series()
    found = [*type_faults(own, moments, declared, plain), *type_faults(others, written, declared, notation)]
    return pl.select(pl.coalesce(moments, written).alias(text.name)).to_series(), found


def _outgrown(text: pl.DataFrame, typed: pl.DataFrame, columns: Mapping[str, Column]) -> list[pl.DataFrame]:
    """Rows whose nested values are much longer than what the file says: `1e20` has 21 digits."""
    nested = [name for name, column in columns.items() if column.is_nested]
    if not nested:
        return []
    growth = [typed[name].str.len_bytes().cast(pl.Int64) - text[name].str.len_bytes() for name in nested]
    rows = (pl.DataFrame(growth).sum_horizontal() > MAX_MADE_BYTES).arg_true()
    if rows.is_empty():
        return []
    reason = f"nested values would be more than {MAX_MADE_BYTES} bytes longer than they are in the file"
    return [faults(rows, "record_too_large", reason)]


def _check_present(frame: pl.DataFrame, columns: Mapping[str, Column]) -> None:
    needed = (name for name, column in columns.items() if column.is_in_files and not column.optional)
    if missing := [name for name in needed if name not in frame.columns]:
        raise FileFault("missing_column", f"missing columns: {', '.join(missing)}")


@lru_cache(maxsize=10_000)
def _read(name: str, column: Column, nulls: tuple[str, ...]) -> pl.Expr:
    """A column of the file; what trimming leaves empty is null, in quotes or not, and so is what stands for null."""
    text = pl.col(name)
    if column.trim:
        text = text.str.strip_chars()
        nulls = ("", *nulls)
    values = (*nulls, *column.null_values)
    return pl.when(~text.is_in(values)).then(text).alias(name) if values else text


def without_nulls(frame: pl.DataFrame, values: tuple[str, ...]) -> pl.DataFrame:
    """Text columns with null instead of the texts that stand for it in all of them."""
    texts = pl.col(pl.String)
    return frame.with_columns(pl.when(~texts.is_in(values)).then(texts)) if values else frame


@lru_cache(maxsize=10_000)
def _given(name: str, column: Column) -> pl.Series:
    """A column that is the same in every row: a constant, or null where the file lacks it or it is derived later."""
    value = None
    if column.constant is not None:
        value = constant_value(column)
        if value is None:
            raise FileFault("bad_declaration", f"columns.{name}.constant: expected a value of type {column.type}")
    return pl.Series(name, [value], polars_type(column.type))


def _derive(
    typed: pl.DataFrame, text: pl.DataFrame, derived: Mapping[str, Column], columns: Mapping[str, Column]
) -> tuple[pl.DataFrame, pl.DataFrame, list[pl.DataFrame]]:
    """Typed columns with derived ones, their texts, and a fault for each row that has no value of the declared type."""
    # The parser is needed only where something is derived.
    from records.transform_derive import derive

    made = [derive(name, column, typed, text, input_types(columns)) for name, column in derived.items()]
    values = [one.values for one in made]
    found = [fault for one in made for fault in one.found]
    return typed.with_columns(values), text.with_columns(one.text for one in made), [*found, *_too_large(values)]


def _too_large(values: list[pl.Series]) -> list[pl.DataFrame]:
    sizes = [value.str.len_bytes() for value in values if value.dtype == pl.String]
    if not sizes:
        return []
    rows = (pl.DataFrame(sizes).sum_horizontal() > MAX_MADE_BYTES).arg_true()
    if rows.is_empty():
        return []
    return [faults(rows, "record_too_large", f"derived columns have more than {MAX_MADE_BYTES} bytes of text")]
