"""Column rules: what values must satisfy beyond their type; null passes all but `required`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from polars.exceptions import ComputeError
from waybill_contracts import Column, Declaration

from records.errors import FileFault
from records.rejects import faults
from records.transform import MAX_LITERAL_BYTES, constant_bytes, constant_value
from records.types import SHOWN_CHARACTERS, polars_type, type_columns
from records.zones import is_zone

Limit = int | float | str


@dataclass(frozen=True)
class Rule:
    """What one column's values must be; `violated` is an expression over typed columns."""

    column: str
    code: str
    expected: str
    violated: pl.Expr


def check_declaration(declaration: Declaration) -> list[str]:
    """What is wrong with a declaration beyond its form, each problem with its field; none where it can be accepted."""
    problems = [problem for name, column in declaration.columns.items() for problem in _column_problems(name, column)]
    problems += _constant_problems(declaration)
    pattern = declaration.order_by and declaration.order_by.file_name
    if pattern and (fault := _pattern_fault([pattern])):
        problems.append(f"order_by.file_name: {fault}")
    if has_expressions(declaration):
        # The parser is needed only where there is something to parse.
        from records.transform_check import expression_problems

        problems += expression_problems(declaration)
    return problems


def has_expressions(declaration: Declaration) -> bool:
    """Whether any column is derived, or any rule is about rows."""
    has_rules = any(rule.expect is not None for rule in declaration.rules)
    return has_rules or any(column.derived is not None for column in declaration.columns.values())


def declared_rules(declaration: Declaration) -> list[Rule]:
    """All rules of a declaration's columns; those of its key, order and partition are required."""
    needed = declaration.needed_columns
    return [
        rule
        for name, column in declaration.columns.items()
        for rule in _column_rules(name, column, column.required or name in needed)
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
        return faults(rows, rule.code, f"{rule.column}: a value is required", rule.column)
    value = text.gather(rows).str.slice(0, 80)
    reasons = pl.select(pl.format('{}: expected {}, found "{}"', pl.lit(rule.column), pl.lit(rule.expected), value))
    return faults(rows, rule.code, reasons.to_series(), rule.column)


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
            problems.append(f"columns.{name}.{limit}: expected a value of type {column.type}, found {bound!r}")
    if column.zone is not None and not is_zone(column.zone):
        problems.append(
            f"columns.{name}.zone: expected the name of a time zone, as Europe/Berlin, found {column.zone!r}"
        )
    if column.pattern is not None and (fault := _pattern_fault([column.pattern, _whole(column.pattern)])):
        problems.append(f"columns.{name}.pattern: {fault}")
    return problems


def _constant_problems(declaration: Declaration) -> list[str]:
    """Constants that are not of their column's type, or break its rules."""
    problems = []
    if constant_bytes(declaration.columns) > MAX_LITERAL_BYTES:
        longest = max(declaration.columns, key=lambda name: len(declaration.columns[name].constant or ""))
        problems.append(f"columns.{longest}.constant: expected constants of at most {MAX_LITERAL_BYTES} bytes together")
    for name, column in declaration.columns.items():
        if column.constant is None or _column_problems(name, column):
            continue
        value = constant_value(column)
        found = f'found "{column.constant[:SHOWN_CHARACTERS]}"'
        if value is None:
            problems.append(f"columns.{name}.constant: expected a value of type {column.type}, {found}")
            continue
        frame = pl.DataFrame({name: [value]}, schema={name: polars_type(column.type)})
        broken = [rule for rule in _column_rules(name, column, False) if frame.select(rule.violated).item()]
        problems += [f"columns.{name}.constant: expected {rule.expected}, {found}" for rule in broken]
    return problems


def _pattern_fault(patterns: Sequence[str]) -> str | None:
    """Why a pattern cannot be used; where a whole match is asked, in both forms, so that it cannot escape its group."""
    for tried in patterns:
        try:
            pl.Series([""]).str.contains(tried)
        except ComputeError as error:
            return f"expected a regular expression (Rust syntax): {str(error).splitlines()[-1]}"
    return None
