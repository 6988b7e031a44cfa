"""Derived columns: expressions over the columns of the file, in the column's declared type or not at all."""

from dataclasses import dataclass

import polars as pl
from waybill_contracts import Column

from records.columns import canonical
from records.errors import FileFault
from records.expressions.compiler import Expression, ExpressionFault, compiled
from records.expressions.terms import Kind, kind_of
from records.rejects import faults
from records.types import SHOWN_CHARACTERS, polars_type

FAILED = "no result in this row: division by zero, overflow, or a text that is not of the type it is cast to"


@dataclass(frozen=True)
class Derived:
    """A derived column, the texts of its values (empty beside a null that is a fault), and the faults."""

    values: pl.Series
    text: pl.Series
    found: list[pl.DataFrame]


def derive(
    name: str, column: Column, typed: pl.DataFrame, text: pl.DataFrame, types: tuple[tuple[str, str], ...]
) -> Derived:
    """The column's values; a row without one fails, unless what it is made of has a fault itself."""
    try:
        expression = fitting(column, types)
    except ExpressionFault as fault:
        raise FileFault("bad_declaration", f"columns.{name}.derived: {fault}") from fault
    value, failed = expression.compute(typed)
    values = value.cast(polars_type(column.type), strict=False)
    if column.type == "float":
        values = values.set(values == 0, 0.0)
    unfit = value.is_not_null() & values.is_null()
    found = [] if failed is None else [_failures(name, failed)]
    found += [_misfits(name, column.type, value, unfit)] if unfit.any() else []
    faulty = unfit if failed is None else unfit | failed
    lost = lost_inputs(typed, text, expression.columns)
    if lost is not None:
        rows = lost.arg_true().implode()
        found = [fault.filter(~pl.col("row").is_in(rows)) for fault in found]
        values, faulty = values.set(lost, None), faulty | lost
    return Derived(values.alias(name), canonical(values).set(faulty, "").alias(name), found)


def fitting(column: Column, types: tuple[tuple[str, str], ...]) -> Expression:
    """A column's expression; ExpressionFault where its values are not of the column's type, whatever the row."""
    expression = compiled(column.derived or "", types)
    if problem := _misfit(expression.kind, kind_of(column.type)):
        raise ExpressionFault(problem)
    return expression


def _misfit(found: Kind, declared: Kind) -> str | None:
    if found.is_exact and declared.is_exact and found.scale > declared.scale:
        return f"the result is {found}, with more fraction digits than {declared}: round() it"
    if found.name == declared.name or (found.is_exact and declared.is_number):
        return None
    return f"the result is {found}, expected {declared}: cast it"


def lost_inputs(typed: pl.DataFrame, text: pl.DataFrame, names: tuple[str, ...]) -> pl.Series | None:
    """Rows in which one of these columns has a fault; None where there are none."""
    lossy = [name for name in names if name in text.columns and typed[name].null_count() > text[name].null_count()]
    if not lossy:
        return None
    return (
        pl.DataFrame([typed[name].is_null() & text[name].is_not_null() for name in lossy])
        .select(pl.any_horizontal(pl.all()))
        .to_series()
    )


def _failures(name: str, failed: pl.Series) -> pl.DataFrame:
    return faults(failed.arg_true(), "not_computed", f"{name}: {FAILED}", name)


def _misfits(name: str, declared: str, value: pl.Series, unfit: pl.Series) -> pl.DataFrame:
    rows = unfit.arg_true()
    shown = canonical(value.gather(rows)).str.slice(0, SHOWN_CHARACTERS)
    reasons = pl.select(pl.format('{}: expected {}, found "{}"', pl.lit(name), pl.lit(declared), shown)).to_series()
    return faults(rows, "out_of_range", reasons, name)
