"""Terms: parts of a row expression with the type that is known of them before any row is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from records.columns import DECIMAL, dtype
from records.expressions.grammar import ExpressionFault

MAX_DIGITS = 37
"""Of the result of a computation; rounding it may take one more, and Polars keeps 38."""
INTEGER_DIGITS = 19
MAX_JOINED = 20
"""How often one column may stand in what `||` joins, so that no row can grow beyond measure."""
MAX_JOINED_LITERALS = 200


@dataclass(frozen=True)
class Kind:
    """A declared type; numbers with the digits that they may have before and after the point."""

    name: str
    whole: int = 0
    scale: int = 0

    @property
    def is_exact(self) -> bool:
        return self.name in ("integer", "decimal")

    @property
    def is_number(self) -> bool:
        return self.is_exact or self.name == "float"

    @property
    def polars(self) -> pl.DataType:
        """The type that values have while they are computed with."""
        return pl.Decimal(MAX_DIGITS + 1, self.scale) if self.name == "decimal" else dtype(self.name)

    def __str__(self) -> str:
        return f"decimal({self.whole + self.scale},{self.scale})" if self.name == "decimal" else self.name


NULL = Kind("null")
TEXT = Kind("text")
INTEGER = Kind("integer", INTEGER_DIGITS)
FLOAT = Kind("float")
BOOLEAN = Kind("boolean")
DATE = Kind("date")
TIMESTAMP = Kind("timestamp")
MICROSECONDS = Kind("timestamp(6)")
NESTED = Kind("json")
_SIMPLE = {kind.name: kind for kind in (TEXT, INTEGER, FLOAT, BOOLEAN, DATE, TIMESTAMP, MICROSECONDS, NESTED)}


def kind_of(declared: str) -> Kind:
    """The kind of a declared type."""
    if match := DECIMAL.match(declared):
        precision, scale = int(match[1]), int(match[2])
        return Kind("decimal", precision - scale, scale)
    return _SIMPLE[declared]


def decimal(whole: int, scale: int) -> Kind:
    """A decimal that can be computed with; ExpressionFault where that may take too many digits."""
    if whole + scale > MAX_DIGITS:
        raise ExpressionFault(
            f"a result may need {whole + scale} digits, {scale} of them after the point; at most {MAX_DIGITS} are"
            " possible: round() or cast to fewer digits first"
        )
    return Kind("decimal", whole, scale)


@dataclass(frozen=True)
class Term:
    """What a part of an expression is in each row; where it `failed`, the value is of no account."""

    value: pl.Expr
    kind: Kind
    failed: pl.Expr | None = None
    literal: object = None
    is_plain: bool = False
    """A column or a literal: to compute it again costs nothing."""

    @property
    def is_null(self) -> bool:
        return self.kind is NULL


@dataclass
class Scope:
    """The columns that an expression may name, and what is computed before it."""

    types: Mapping[str, str]
    used: dict[str, None] = field(default_factory=dict)
    joined: Counter[str] = field(default_factory=Counter)
    steps: list[pl.Expr] = field(default_factory=list)

    def named(self, term: Term) -> Term:
        """The term computed once, so that expressions stay as small as their text however often they use it."""
        if term.is_plain:
            return term
        failed = None if term.failed is None else self.once(term.failed)
        return replace(term, value=self.once(term.value), failed=failed, is_plain=True)

    def once(self, value: pl.Expr) -> pl.Expr:
        name = f"#{len(self.steps)}"
        self.steps.append(value.alias(name))
        return pl.col(name)

    def checked(self, value: pl.Expr, kind: Kind, *parts: Term) -> Term:
        """A term that failed where it is null although none of its parts is."""
        result = self.once(value)
        lost = result.is_null()
        for part in parts:
            lost &= part.value.is_not_null()
        return Term(result, kind, either(lost, *(part.failed for part in parts)), is_plain=True)


def either(*failed: pl.Expr | None) -> pl.Expr | None:
    """Where any of these failed; None where none can."""
    possible = [one for one in failed if one is not None]
    if len(possible) > 1:
        return pl.any_horizontal(possible)
    return possible[0] if possible else None


def derived_from(value: pl.Expr, kind: Kind, *parts: Term) -> Term:
    """A term that fails only where one of its parts does."""
    return Term(value, kind, either(*(part.failed for part in parts)))


def common_kind(terms: Iterable[Term]) -> Kind:
    """The one kind that all of these can have; ExpressionFault where there is none."""
    found: Kind | None = None
    for term in terms:
        if not term.is_null:
            found = term.kind if found is None else _wider(found, term.kind)
    if found is None:
        raise ExpressionFault("expected a value that is not null")
    return found


def _wider(one: Kind, other: Kind) -> Kind:
    if one.is_exact and other.is_exact:
        if one.name == other.name == "integer":
            return INTEGER
        return decimal(max(one.whole, other.whole), max(one.scale, other.scale))
    if one.is_number and other.is_number:
        return FLOAT
    if {one.name, other.name} == {TIMESTAMP.name, MICROSECONDS.name}:
        return MICROSECONDS
    if one.name != other.name:
        raise ExpressionFault(f"expected values of one type, found {one.name} and {other.name}")
    return one


def as_kind(term: Term, kind: Kind) -> pl.Expr:
    """The value as one of a kind that holds all that the term's kind can."""
    if term.is_null:
        return pl.lit(None, kind.polars)
    return term.value if kind.name not in ("decimal", "float", "timestamp(6)") else term.value.cast(kind.polars)


def expect_kind(term: Term, what: str, *names: str) -> None:
    """Raise ExpressionFault unless the term is of one of these kinds."""
    if term.kind.name not in names:
        raise ExpressionFault(f"{what}: expected {' or '.join(names)}, found {term.kind.name}")
