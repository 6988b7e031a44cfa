"""Row rules: expressions that must not be false; a row in which one has no result breaks it too."""

from dataclasses import dataclass

import polars as pl
from waybill_contracts import Declaration
from waybill_contracts.declaration import Rule

from records.columns import canonical
from records.errors import FileFault
from records.expressions.compiler import Expression, ExpressionFault, compiled
from records.rejects import faults
from records.transform import Made
from records.transform_derive import FAILED, lost_inputs
from records.types import SHOWN_CHARACTERS

SHOWN_COLUMNS = 5


@dataclass(frozen=True)
class Broken:
    """Rows that break the rules: faults of severity reject, and `row` and `rule` of severity warn."""

    found: list[pl.DataFrame]
    warned: list[pl.DataFrame]


def row_faults(made: Made, declaration: Declaration) -> Broken:
    """Hold each row against the rules with an expression; not where a column it names has a fault itself."""
    broken = Broken([], [])
    types = tuple((name, column.type) for name, column in declaration.columns.items())
    for rule in declaration.rules:
        if rule.expect is None:
            continue
        expression = _of(rule, types)
        value, failed = expression.compute(made.typed)
        rows = _breaking(made, expression, value, failed)
        if not len(rows):
            continue
        if rule.severity == "warn":
            broken.warned.append(pl.DataFrame({"row": rows}).with_columns(rule=pl.lit(rule.name)))
        else:
            broken.found.append(_reasons(rule, expression, made.typed, rows, failed))
    return broken


def _of(rule: Rule, types: tuple[tuple[str, str], ...]) -> Expression:
    try:
        return truth(rule.expect or "", types)
    except ExpressionFault as fault:
        raise FileFault("bad_declaration", f"rules.{rule.name}.expect: {fault}") from fault


def truth(text: str, types: tuple[tuple[str, str], ...]) -> Expression:
    """An expression that is true or false; ExpressionFault for any other."""
    expression = compiled(text, types)
    if expression.kind.name != "boolean":
        raise ExpressionFault(f"expected what is true or false, found {expression.kind}")
    return expression


def _breaking(made: Made, expression: Expression, value: pl.Series, failed: pl.Series | None) -> pl.Series:
    breaks = value.eq_missing(pl.Series([False]))
    if failed is not None:
        breaks |= failed
    if breaks.any():
        lost = lost_inputs(made.typed, made.text, expression.columns)
        breaks = breaks if lost is None else breaks & ~lost
    return breaks.arg_true()


def _reasons(
    rule: Rule, expression: Expression, typed: pl.DataFrame, rows: pl.Series, failed: pl.Series | None
) -> pl.DataFrame:
    """What was expected, and what the rows have instead."""
    shown = [
        pl.format(f'{name} "{{}}"', canonical(typed[name].gather(rows)).str.slice(0, SHOWN_CHARACTERS)).fill_null(
            pl.lit(f"{name} null")
        )
        for name in expression.columns[:SHOWN_COLUMNS]
    ]
    has_failed = pl.lit(value=False) if failed is None else failed.gather(rows)
    what = pl.when(has_failed).then(pl.lit(f"; {FAILED}; found ")).otherwise(pl.lit("; found "))
    reason = pl.concat_str(
        pl.lit(f"rule {rule.name}: expected {rule.expect}"), what, pl.concat_str(*shown, separator=", ")
    )
    return faults(rows, f"rule:{rule.name}", pl.select(reason).to_series())
