"""Functions of row expressions on text, days and types; none makes a text longer than its parts are together."""

import re
from collections import Counter

import polars as pl
from sqlglot import exp

from records.columns import canonical
from records.expressions.grammar import MAX_PATTERN, ExpressionFault
from records.expressions.numbers import MAX_FLOAT_SCALE
from records.expressions.terms import (
    BOOLEAN,
    DATE,
    INTEGER,
    MAX_DIGITS,
    MAX_JOINED,
    MAX_JOINED_LITERALS,
    MICROSECONDS,
    TEXT,
    Kind,
    Scope,
    Term,
    derived_from,
    expect_kind,
    kind_of,
)
from records.types import type_columns

MAX_MADE_BYTES = 500_000
"""Of the text that expressions make in a row: it stands in one document beside what the file says."""
_CASTS = {
    exp.DType.TEXT: "text",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "integer",
    exp.DType.DECIMAL: "decimal",
    exp.DType.FLOAT: "float",
    exp.DType.DOUBLE: "float",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp",
}
_POSSIBLE_CASTS = {
    "integer": ("decimal", "float"),
    "decimal": ("integer", "decimal", "float"),
    "float": ("integer", "decimal"),
    "date": ("timestamp", "timestamp(6)"),
    "timestamp": ("date", "timestamp(6)"),
    "timestamp(6)": ("date",),
}
_MOMENTS = ("timestamp", "timestamp(6)")
_DAY_PARTS = ("year", "quarter", "month", "day")
_TIME_PARTS = ("hour", "minute")


def lowered(term: Term) -> Term:
    return _of_text(term, "lower()", term.value.str.to_lowercase())


def uppered(term: Term) -> Term:
    return _of_text(term, "upper()", term.value.str.to_uppercase())


def length(term: Term) -> Term:
    """Characters, not bytes."""
    expect_kind(term, "length()", "text")
    return derived_from(term.value.str.len_chars().cast(pl.Int64), INTEGER, term)


def trimmed(term: Term, position: str) -> Term:
    """Without spaces at both ends, or at the one that is named."""
    texts = term.value.str
    strip = {"LEADING": texts.strip_chars_start, "TRAILING": texts.strip_chars_end}.get(position, texts.strip_chars)
    return _of_text(term, "trim()", strip(" "))


def sliced(term: Term, start: int, size: int | None) -> Term:
    if start < 1:
        raise ExpressionFault("substr(): expected a start of 1 or more")
    return _of_text(term, "substr()", term.value.str.slice(start - 1, size))


def first(term: Term, size: int) -> Term:
    return _of_text(term, "left()", term.value.str.slice(0, size))


def last(term: Term, size: int) -> Term:
    return _of_text(term, "right()", term.value.str.tail(size))


def _of_text(term: Term, what: str, value: pl.Expr) -> Term:
    expect_kind(term, what, "text")
    return derived_from(value, TEXT, term)


def matches(term: Term, pattern: Term, *, ignores_case: bool) -> Term:
    """Whether the whole text is like the pattern: `%` any characters, `_` one, `\\` takes the next as it is."""
    expect_kind(term, "like", "text")
    if not isinstance(pattern.literal, str) or len(pattern.literal) > MAX_PATTERN:
        raise ExpressionFault(f"like: expected a pattern in quotes of at most {MAX_PATTERN} characters")
    # Polars' regular expressions take linear time, whatever the pattern.
    flags = "(?is)" if ignores_case else "(?s)"
    return derived_from(term.value.str.contains(rf"{flags}\A{_regex(pattern.literal)}\z"), BOOLEAN, term)


def _regex(pattern: str) -> str:
    if re.fullmatch(r"(?s)(?:[^\\]|\\.)*", pattern) is None:
        raise ExpressionFault(r"like: expected a character after \ at the end of the pattern")
    wild = {"%": ".*", "_": "."}
    pieces = re.findall(r"(?s)\\.|.", pattern)
    kept = [piece for piece, before in zip(pieces, ["", *pieces], strict=False) if not piece == before == "%"]
    return "".join(wild.get(piece) or re.escape(piece[-1]) for piece in kept)


def joined(scope: Scope, one: Term, other: Term) -> Term:
    """Both texts behind each other; the row fails where that is longer than MAX_MADE_BYTES."""
    for term in (one, other):
        if term.kind.name != "text":
            raise ExpressionFault(
                f"||: expected text, found {term.kind.name}; cast({term.kind.name} as text) makes it so"
            )
    one, other = scope.named(one), scope.named(other)
    fits = one.value.str.len_bytes() + other.value.str.len_bytes() <= MAX_MADE_BYTES
    # Only texts that fit are joined, so that no row takes more memory than that.
    return scope.checked(pl.concat_str(pl.when(fits).then(one.value), other.value), TEXT, one, other)


def note_joined(scope: Scope, node: exp.Expr) -> None:
    """Count the columns that a chain of || joins; ExpressionFault where one stands there too often."""
    scope.joined += Counter(column.name for column in node.find_all(exp.Column))
    if over := [name for name, count in scope.joined.items() if count > MAX_JOINED]:
        raise ExpressionFault(f"||: expected {over[0]} at most {MAX_JOINED} times in what is joined")
    if sum(len(part.this) for part in node.find_all(exp.Literal) if part.is_string) > MAX_JOINED_LITERALS:
        raise ExpressionFault(f"||: expected texts in quotes of at most {MAX_JOINED_LITERALS} characters together")


def part_of_time(term: Term, part: str) -> Term:
    """Year, quarter, month or day of a date or timestamp; hour or minute of a timestamp, in UTC."""
    if part not in _DAY_PARTS + _TIME_PARTS:
        raise ExpressionFault(f"extract: expected {', '.join(_DAY_PARTS + _TIME_PARTS)}, found {part}")
    expect_kind(term, part, *(_MOMENTS if part in _TIME_PARTS else ("date", *_MOMENTS)))
    return derived_from(getattr(term.value.dt, part)().cast(pl.Int64), INTEGER, term)


def target(node: exp.DataType) -> Kind:
    """The declared type that a cast names."""
    name = _CASTS.get(node.this)
    digits = [int(part.name) for part in node.expressions if part.name.isdecimal()]
    if name == "decimal" and len(digits) == len(node.expressions) == 2:
        # What a declared decimal may be is the contract's to say.
        precision, scale = digits
        if 1 <= precision <= 34 and scale <= precision:
            return kind_of(f"decimal({precision},{scale})")
    elif name == "timestamp" and digits == [6]:
        return MICROSECONDS
    elif name and name != "decimal" and not node.expressions:
        return kind_of(name)
    raise ExpressionFault(
        "cast: expected one of text, integer, decimal(p,s), float, boolean, date, timestamp,"
        f" timestamp(6), found {str(node)[:40].lower()}"
    )


def cast(scope: Scope, term: Term, to: Kind) -> Term:
    """The value as one of another type, text by the grammar of files, numbers rounded; else the row fails."""
    if term.is_null:
        return Term(pl.lit(None, to.polars), to, is_plain=True)
    if term.kind.name == to.name != "decimal":
        return term
    if to is TEXT:
        return derived_from(term.value.map_batches(canonical, pl.String(), is_elementwise=True), TEXT, term)
    if term.kind is TEXT:
        return typed(scope, term, to)
    if to.name not in _POSSIBLE_CASTS.get(term.kind.name, ()):
        raise ExpressionFault(f"cast: {term.kind.name} cannot become {to.name}")
    if DATE in (term.kind, to) or to is MICROSECONDS:
        return derived_from(_day_or_moment(term.value, to), to, term)
    term = scope.named(term)
    return scope.checked(_number_as(term, to).cast(to.polars, strict=False), to, term)


def _day_or_moment(value: pl.Expr, to: Kind) -> pl.Expr:
    if to is DATE:
        return value.dt.date()
    local = pl.Datetime("us") if to is MICROSECONDS else pl.Datetime("ms")
    return value.cast(local).dt.replace_time_zone("UTC")


def _number_as(term: Term, to: Kind) -> pl.Expr:
    """The number rounded to the digits of its new type, and null where it has too many before the point."""
    if to.name == "float":
        return term.value
    value = term.value
    if term.kind.name == "float":
        value = value.round(min(to.scale, MAX_FLOAT_SCALE), mode="half_away_from_zero")
        # Polars lets a float pass that has one digit too many.
        value = pl.when(value.abs() < 10.0**to.whole).then(value)
    elif to.scale < term.kind.scale:
        value = value.round(to.scale, mode="half_away_from_zero")
    if to.name == "integer":
        return value
    widest = pl.Decimal(MAX_DIGITS + 1, to.scale)
    return value.cast(widest, strict=False).cast(pl.Decimal(to.whole + to.scale, to.scale), strict=False)


def typed(scope: Scope, term: Term, to: Kind) -> Term:
    """Text read as the value of a type, as it would be in a file; ExpressionFault for a literal that is none."""
    if isinstance(term.literal, str):
        value = _read(pl.Series("text", [term.literal]), str(to)).item()
        if value is None:
            raise ExpressionFault(f"expected a value of type {to}, found '{term.literal[:80]}'")
        return Term(pl.lit(value, to.polars), to, literal=value, is_plain=True)
    term = scope.named(term)
    declared = str(to)
    read = term.value.map_batches(lambda texts: _read(texts, declared), to.polars, is_elementwise=True)
    return scope.checked(read, to, term)


def _read(texts: pl.Series, declared: str) -> pl.Series:
    read = type_columns(texts.alias("text").to_frame(), {"text": declared}).to_series()
    return read.cast(kind_of(declared).polars).alias(texts.name)
