"""Comparisons and choices of row expressions, in logic of three values; a failed value counts only where it decides."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from records.expressions.functions import typed
from records.expressions.grammar import ExpressionFault
from records.expressions.terms import (
    BOOLEAN,
    DATE,
    FLOAT,
    MICROSECONDS,
    NESTED,
    TEXT,
    TIMESTAMP,
    Scope,
    Term,
    as_kind,
    common_kind,
    derived_from,
    either,
    expect_kind,
)

Compare = Callable[[pl.Expr, pl.Expr], pl.Expr]
_MIRRORED: dict[Compare, Compare] = {
    pl.Expr.__lt__: pl.Expr.__gt__,
    pl.Expr.__le__: pl.Expr.__ge__,
    pl.Expr.__gt__: pl.Expr.__lt__,
    pl.Expr.__ge__: pl.Expr.__le__,
}


class Branch(NamedTuple):
    """Of `case`: what must be true, and what is the value then."""

    condition: Term
    result: Term


def both(scope: Scope, one: Term, other: Term) -> Term:
    """`and`: false where either is, whatever the other."""
    return _connected(scope, one, other, pl.Expr.__and__, decided_by=False)


def any_of(scope: Scope, one: Term, other: Term) -> Term:
    """`or`: true where either is, whatever the other."""
    return _connected(scope, one, other, pl.Expr.__or__, decided_by=True)


def _connected(scope: Scope, one: Term, other: Term, connect: Compare, *, decided_by: bool) -> Term:
    for term in (one, other):
        _expect_truth(term, "or" if decided_by else "and")
    one = scope.named(one) if other.failed is not None else one
    other = scope.named(other) if one.failed is not None else other
    failed = [
        term.failed & ~_decides(beside, decided_by)
        for term, beside in ((one, other), (other, one))
        if term.failed is not None
    ]
    return Term(connect(_truth(one), _truth(other)), BOOLEAN, either(*failed))


def _decides(term: Term, value: bool) -> pl.Expr:
    decides = term.value.eq_missing(value)
    return decides if term.failed is None else decides & ~term.failed


def inverted(term: Term) -> Term:
    """`not`: null where the value is."""
    _expect_truth(term, "not")
    return derived_from(~_truth(term), BOOLEAN, term)


def _expect_truth(term: Term, what: str) -> None:
    if not term.is_null:
        expect_kind(term, what, "boolean")


def _truth(term: Term) -> pl.Expr:
    return as_kind(term, BOOLEAN)


def is_a(term: Term, expected: Term) -> Term:
    """`is null`, `is true`, `is false`: never null itself."""
    if expected.is_null:
        return derived_from(term.value.is_null(), BOOLEAN, term)
    expect_kind(term, "is true", "boolean")
    return derived_from(term.value.eq_missing(bool(expected.literal)), BOOLEAN, term)


def compared(scope: Scope, one: Term, other: Term, compare: Compare) -> Term:
    """A comparison of two values of one type; null where one of them is."""
    one, other = alike(scope, [one, other])
    if one.is_null or other.is_null:
        raise ExpressionFault("a comparison with null is never true: expected is null, or is not null")
    if compare in _MIRRORED and NESTED in (one.kind, other.kind):
        raise ExpressionFault("json has no order: expected =, <>, or is null")
    left, right = _comparable(one, other)
    if not left.meta.root_names():
        # Polars 2.1 gives one row for all where a literal is compared with a column that is the same in every row.
        left, right, compare = right, left, _MIRRORED.get(compare, compare)
    return derived_from(compare(left, right), BOOLEAN, one, other)


def _comparable(one: Term, other: Term) -> tuple[pl.Expr, pl.Expr]:
    """Values that Polars compares exactly; decimals keep their own digits, it knows how."""
    kinds = {one.kind.name, other.kind.name}
    if len(kinds) == 1:
        return one.value, other.value
    if kinds == {TIMESTAMP.name, MICROSECONDS.name}:
        return as_kind(one, MICROSECONDS), as_kind(other, MICROSECONDS)
    if not (one.kind.is_number and other.kind.is_number):
        raise ExpressionFault(f"{one.kind.name} cannot be compared with {other.kind.name}: cast one of them")
    wanted = FLOAT.polars if "float" in kinds else pl.Decimal(38, 0)
    values = [
        term.value.cast(wanted) if term.kind.name == "integer" or "float" in kinds else term.value
        for term in (one, other)
    ]
    return values[0], values[1]


def alike(scope: Scope, terms: Sequence[Term]) -> list[Term]:
    """The terms, with texts in quotes read as dates or timestamps where the others are."""
    kinds = [term.kind for term in terms]
    wanted = next((kind for kind in (MICROSECONDS, TIMESTAMP, DATE) if kind in kinds), None)
    return [
        typed(scope, term, wanted) if wanted and term.kind is TEXT and isinstance(term.literal, str) else term
        for term in terms
    ]


def between(scope: Scope, term: Term, low: Term, high: Term) -> Term:
    """From low to high, both included."""
    term = scope.named(term)
    return both(scope, compared(scope, term, low, pl.Expr.__ge__), compared(scope, term, high, pl.Expr.__le__))


def one_of(scope: Scope, term: Term, values: Sequence[Term]) -> Term:
    """Whether it equals one of the values; null where it does not and one of them is null."""
    term = scope.named(term)
    equal = [compared(scope, term, value, pl.Expr.__eq__) for value in values]
    return derived_from(pl.any_horizontal(one.value for one in equal), BOOLEAN, *equal)


def chosen(scope: Scope, branches: Sequence[Branch], default: Term) -> Term:
    """`case`: the result beside the first condition that is true."""
    results = alike(scope, [*(branch.result for branch in branches), default])
    kind = common_kind(results)
    values = [as_kind(result, kind) for result in results]
    conditions = [branch.condition for branch in branches]
    for condition in conditions:
        _expect_truth(condition, "when")
    can_fail = any(term.failed is not None for term in (*conditions, *results))
    if can_fail:
        conditions = [scope.named(condition) for condition in conditions]
    value = _first_true(conditions, values)
    return Term(value, kind, _choice_failed(conditions, results) if can_fail else None)


def _first_true(conditions: Sequence[Term], values: Sequence[pl.Expr]) -> pl.Expr:
    chosen_last = values[-1]
    for condition, value in reversed(list(zip(conditions, values[:-1], strict=True))):
        chosen_last = pl.when(_truth(condition)).then(value).otherwise(chosen_last)
    return chosen_last


def _choice_failed(conditions: Sequence[Term], results: Sequence[Term]) -> pl.Expr:
    """A condition that was reached, or the result that was taken."""
    no = pl.lit(value=False)
    failed = results[-1].failed if results[-1].failed is not None else no
    for condition, result in reversed(list(zip(conditions, results[:-1], strict=True))):
        taken = result.failed if result.failed is not None else no
        failed = pl.when(_truth(condition)).then(taken).otherwise(failed)
        failed = failed if condition.failed is None else condition.failed | failed
    return failed


def first_known(scope: Scope, terms: Sequence[Term]) -> Term:
    """`coalesce`: the first value that is not null."""
    named = [scope.named(term) for term in alike(scope, terms)]
    kind = common_kind(named)
    value = pl.coalesce(as_kind(term, kind) for term in named)
    if all(term.failed is None for term in named):
        return Term(value, kind)
    known = [Branch(derived_from(term.value.is_not_null(), BOOLEAN, term), term) for term in named[:-1]]
    return chosen(scope, known, named[-1]) if known else named[0]


def null_if(scope: Scope, one: Term, other: Term) -> Term:
    """`nullif`: the first value, or null where it equals the second."""
    one, other = alike(scope, [scope.named(one), other])
    equal = compared(scope, one, other, pl.Expr.__eq__)
    value = pl.when(equal.value.fill_null(value=False)).then(None).otherwise(one.value)
    return derived_from(value, one.kind, one, equal)
