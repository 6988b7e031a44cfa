"""Arithmetic as in PostgreSQL: exact on integers and decimals, or the row fails; no result ever wraps."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import polars as pl
from waybill_contracts.event import MAX_INTEGER

from records.expressions.grammar import ExpressionFault
from records.expressions.terms import (
    FLOAT,
    INTEGER,
    MAX_DIGITS,
    Kind,
    Scope,
    Term,
    decimal,
    derived_from,
    expect_kind,
)

LEAST_DIVISION_SCALE = 6
MAX_FLOAT_SCALE = 15
_WIDE = pl.Int128()
_NUMBERS = ("integer", "decimal", "float")


def number(text: str, sign: int = 1) -> Term:
    """A number as it is written: an integer, a decimal with just these digits, or with an exponent a float."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ExpressionFault(f"expected a number, found {text[:40]}") from None
    if "e" in text.lower():
        if float(text) in (float("inf"), float("nan")):
            raise ExpressionFault(f"expected a number that a float can be, found {text[:40]}")
        return Term(pl.lit(sign * float(text)), FLOAT, literal=sign * float(text), is_plain=True)
    scale = max(-int(value.as_tuple().exponent), 0)
    whole = max(len(value.as_tuple().digits) - scale, 1)
    if "." not in text and value <= MAX_INTEGER:
        return Term(
            pl.lit(sign * int(value), pl.Int64), Kind("integer", whole), literal=sign * int(value), is_plain=True
        )
    kind = decimal(whole, scale)
    return Term(pl.lit(sign * value).cast(kind.polars), kind, literal=sign * value, is_plain=True)


def add(scope: Scope, one: Term, other: Term) -> Term:
    """The sum."""
    return _sum(scope, one, other, pl.Expr.__add__)


def subtract(scope: Scope, one: Term, other: Term) -> Term:
    """The difference."""
    return _sum(scope, one, other, pl.Expr.__sub__)


def multiply(scope: Scope, one: Term, other: Term) -> Term:
    """The product."""
    if not _is_decimal(one, other):
        return _computed(scope, one, other, pl.Expr.__mul__)
    kind = decimal(one.kind.whole + other.kind.whole, one.kind.scale + other.kind.scale)
    return derived_from(one.value.cast(kind.polars) * other.value.cast(kind.polars), kind, one, other)


def divide(scope: Scope, one: Term, other: Term) -> Term:
    """The quotient; of integers without its fraction, of decimals rounded. By zero the row fails."""
    if not _is_decimal(one, other):
        return _computed(scope, one, other, pl.Expr.__truediv__ if _is_float(one, other) else _whole_quotient)
    kind = _quotient_kind(one.kind, other.kind)
    one, other = scope.named(one), scope.named(other)
    divisor = other.value.cast(kind.polars)
    value = one.value.cast(kind.polars) / pl.when(divisor != 0).then(divisor)
    return derived_from(value, kind, one, other) if other.literal else scope.checked(value, kind, one, other)


def remainder(scope: Scope, one: Term, other: Term) -> Term:
    """What an integer division leaves, with the sign of the dividend. By zero the row fails."""
    expect_kind(one, "%", "integer")
    expect_kind(other, "%", "integer")
    return _computed(scope, one, other, lambda a, b: a - _whole_quotient(a, b) * b)


def negate(scope: Scope, term: Term) -> Term:
    """The number with the other sign."""
    expect_kind(term, "-", *_NUMBERS)
    if term.kind.name == "integer":
        return _computed(scope, number("0"), term, pl.Expr.__sub__)
    return derived_from(0.0 - term.value if term.kind is FLOAT else -term.value, term.kind, term)


def absolute(scope: Scope, term: Term) -> Term:
    """The number without its sign."""
    expect_kind(term, "abs()", *_NUMBERS)
    if term.kind.name != "integer":
        return derived_from(term.value.abs(), term.kind, term)
    term = scope.named(term)
    return scope.checked(term.value.cast(_WIDE).abs().cast(pl.Int64, strict=False), INTEGER, term)


def rounded(term: Term, digits: int) -> Term:
    """The number with so many fraction digits; halves go away from zero."""
    expect_kind(term, "round()", *_NUMBERS)
    if digits > MAX_FLOAT_SCALE:
        raise ExpressionFault(f"round(): expected at most {MAX_FLOAT_SCALE} digits")
    if term.kind.name == "integer" or (term.kind.name == "decimal" and digits >= term.kind.scale):
        return term
    value = term.value.round(digits, mode="half_away_from_zero")
    if term.kind is FLOAT:
        return derived_from(value, FLOAT, term)
    return _with_scale(term, value, digits)


def floor(term: Term) -> Term:
    """The greatest whole number that is not above it."""
    return _to_whole(term, "floor()", pl.Expr.floor)


def ceiling(term: Term) -> Term:
    """The smallest whole number that is not below it."""
    return _to_whole(term, "ceil()", pl.Expr.ceil)


def _to_whole(term: Term, what: str, operate: Callable[[pl.Expr], pl.Expr]) -> Term:
    expect_kind(term, what, *_NUMBERS)
    if term.kind.name == "integer":
        return term
    value = operate(term.value)
    return derived_from(value, FLOAT, term) if term.kind is FLOAT else _with_scale(term, value, 0)


def _with_scale(term: Term, value: pl.Expr, scale: int) -> Term:
    """A decimal whose further fraction digits have become zero; rounding up may take one digit more in front."""
    kind = decimal(term.kind.whole + 1, scale)
    return derived_from(value.cast(kind.polars), kind, term)


def _sum(scope: Scope, one: Term, other: Term, operate: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Term:
    if not _is_decimal(one, other):
        return _computed(scope, one, other, operate)
    kind = decimal(max(one.kind.whole, other.kind.whole) + 1, max(one.kind.scale, other.kind.scale))
    return derived_from(operate(one.value.cast(kind.polars), other.value.cast(kind.polars)), kind, one, other)


def _computed(scope: Scope, one: Term, other: Term, operate: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Term:
    """An operation on two integers, wide enough not to wrap, or on floats; the row fails where it has no result."""
    for term in (one, other):
        expect_kind(term, "arithmetic", *_NUMBERS)
    one, other = scope.named(one), scope.named(other)
    if not _is_float(one, other):
        value = operate(one.value.cast(_WIDE), other.value.cast(_WIDE)).cast(pl.Int64, strict=False)
        return scope.checked(value, INTEGER, one, other)
    value = scope.once(operate(one.value.cast(pl.Float64), other.value.cast(pl.Float64)))
    return scope.checked(pl.when(value.is_finite()).then(value), FLOAT, one, other)


def _whole_quotient(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Towards zero, where Polars rounds down; null by zero."""
    size = one.abs() // other.abs()
    return pl.when((one < 0) ^ (other < 0)).then(size * pl.lit(-1, _WIDE)).otherwise(size)


def _quotient_kind(one: Kind, other: Kind) -> Kind:
    """With as many fraction digits as the smallest quotient needs, if there is room for them."""
    whole = one.whole + other.scale
    room = MAX_DIGITS - max(whole, other.whole)
    scale = min(max(LEAST_DIVISION_SCALE, one.scale + other.whole + other.scale + 1), room)
    return decimal(max(whole, other.whole), max(scale, LEAST_DIVISION_SCALE, one.scale, other.scale))


def _is_float(one: Term, other: Term) -> bool:
    return FLOAT in (one.kind, other.kind)


def _is_decimal(one: Term, other: Term) -> bool:
    """Whether the result of two numbers is a decimal."""
    kinds = {one.kind.name, other.kind.name}
    return "decimal" in kinds and kinds <= {"integer", "decimal"}
