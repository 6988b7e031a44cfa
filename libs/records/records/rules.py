"""Column rules: what values must satisfy beyond their type; null passes all but `required`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from polars.exceptions import ComputeError
from waybill_contracts import Column, Declaration

from records.errors import FileFault
from records.rejects import faults
from records.types import polars_type, type_columns

Limit = int | float | str


@dataclass(frozen=True)
class Rule:
    """What one column's values must be; `violated` is an expression over typed columns."""

    column: str
    code: str
    expected: str
    violated: pl.Expr


def check_declaration(declaration: Declaration) -> list[str]:
    """What is wrong with the rules of a declaration, a sentence each; none where it can be accepted."""
    return [problem for name, column in declaration.columns.items() for problem in _column_problems(name, column)]


def declared_rules(declaration: Declaration) -> list[Rule]:
    """All rules of a declaration; its key columns are required."""
    return [
        rule
        for name, column in declaration.columns.items()
        for rule in _column_rules(name, column, column.required or name in declaration.key)
    ]


def rule_faults(frame: pl.DataFrame, rules: Sequence[Rule], text: pl.DataFrame) -> list[pl.DataFrame]:
    """A fault for each value of `frame` that breaks a rule and has no fault of type in `text`."""
    if not rules:
        return []
    broken = frame.select(rule.violated.any().alias(str(number)) for number, rule in enumerate(rules)).row(0)
    found = [
        _faults_of(rule, frame, text[rule.column]) for rule, is_broken in zip(rules, broken, strict=True) if is_broken
    ]
    return [fault for fault in found if len(fault)]


def _faults_of(rule: Rule, frame: pl.DataFrame, text: pl.Series) -> pl.DataFrame:
    violated = frame.select(rule.violated).to_series()
    if rule.code == "missing":
        violated = violated & text.is_null()
    rows = violated.arg_true()
    if rule.code == "missing":
        return faults(rows, rule.code, f"{rule.column}: a value is required")
    value = text.gather(rows).str.slice(0, 80)
    reasons = pl.select(pl.format('{}: expected {}, found "{}"', pl.lit(rule.column), pl.lit(rule.expected), value))
    return faults(rows, rule.code, reasons.to_series())


@lru_cache(maxsize=10_000)
def _column_rules(name: str, column: Column, required: bool) -> tuple[Rule, ...]:
    if problems := _column_problems(name, column):
        raise FileFault("bad_declaration", "; ".join(problems))
    value = pl.col(name)
    rules = {
        "missing": ("a value", required and value.is_null()),
        "below_minimum": (f"at least {column.minimum}", _beyond(column, column.minimum, value.__lt__)),
        "above_maximum": (f"at most {column.maximum}", _beyond(column, column.maximum, value.__gt__)),
        "not_one_of": (f"one of {', '.join(column.one_of or ())}"[:200], column.one_of and ~value.is_in(column.one_of)),
        "pattern_mismatch": (
            f"the pattern {column.pattern}",
            column.pattern is not None and ~value.str.contains(_whole(column.pattern)),
        ),
        "too_long": (
            f"at most {column.max_length} characters",
            column.max_length is not None and value.str.len_chars() > column.max_length,
        ),
    }
    return tuple(
        Rule(name, code, expected, violated)
        for code, (expected, violated) in rules.items()
        if isinstance(violated, pl.Expr)
    )


def _beyond(column: Column, bound: Limit | None, compare: Callable[[pl.Expr], pl.Expr]) -> pl.Expr | None:
    return None if bound is None else compare(pl.lit(_bound(column, bound), polars_type(column.type)))


def _bound(column: Column, bound: Limit) -> object:
    """A bound as a value of the column's type; None where it is not one."""
    return type_columns(pl.DataFrame({"bound": [str(bound)]}), {"bound": column.type}).item()


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def _column_problems(name: str, column: Column) -> list[str]:
    problems = []
    for limit, bound in {"minimum": column.minimum, "maximum": column.maximum}.items():
        if bound is not None and _bound(column, bound) is None:
            problems.append(f"{name}.{limit}: expected a value of type {column.type}, found {bound!r}")
    if column.pattern is not None and (fault := _pattern_fault(column.pattern)):
        problems.append(f"{name}.pattern: {fault}")
    return problems


def _pattern_fault(pattern: str) -> str | None:
    """Why a pattern cannot be used; both alone and as whole match, so that it cannot escape its group."""
    for tried in (pattern, _whole(pattern)):
        try:
            pl.Series([""]).str.contains(tried)
        except ComputeError as error:
            return f"expected a regular expression (Rust syntax): {str(error).splitlines()[-1]}"
    return None
