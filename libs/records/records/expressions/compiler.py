"""Row expressions: SQL over the columns of one row, checked against the declared types and turned into Polars.

What is possible: literals, columns, comparisons, and, or, not, is [not] null, is [not] distinct from, between, in,
like and ilike with a literal pattern, + - * / %, ||, case, coalesce, nullif, lower, upper, trim, length, substr, left,
right, abs, round, floor, ceil, year, quarter, month, day, hour, minute (or extract), cast to a declared type.

- Logic has three values, as in SQL. Text compares byte by byte. Types are those of the declaration; only numbers mix.
- Integers and decimals are exact. A quotient of integers has no fraction, as in PostgreSQL; one of decimals is rounded.
- A row *fails* where a value has no result: division by zero, overflow, a text that is not of the type it is cast to,
  a joined text that is too long. It fails only if that value counts: not in a branch of `case` that is not taken, nor
  beside a false in `and` or a true in `or`, whichever comes first. Nothing wraps, and nothing becomes null instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from sqlglot import exp

from records.expressions import functions as functions
from records.expressions import logic as logic
from records.expressions import numbers as numbers
from records.expressions.grammar import ExpressionFault, parse, shown
from records.expressions.terms import BOOLEAN, NULL, TEXT, Kind, Scope, Term, kind_of

__all__ = ["Expression", "ExpressionFault", "compiled", "parse"]

Compile = Callable[[Scope, exp.Expr], Term]


@dataclass(frozen=True)
class Expression:
    """An expression that can be computed over a frame of its columns."""

    kind: Kind
    columns: tuple[str, ...]
    joined: Mapping[str, int]
    """Columns that `||` joins, and how often."""
    literal_bytes: int
    steps: tuple[pl.Expr, ...]
    value: pl.Expr
    failed: pl.Expr | None

    def compute(self, frame: pl.DataFrame) -> tuple[pl.Series, pl.Series | None]:
        """Of each row the value, null where it failed, and whether it failed; None where no row can."""
        frame = frame.select(self.columns)
        for step in (*self.steps, self.value.alias("#value")):
            frame = frame.with_columns(step)
        if self.failed is None:
            return frame["#value"], None
        failed = frame.with_columns(self.failed.fill_null(value=False).alias("#failed"))["#failed"]
        if not failed.any():
            return frame["#value"], None
        return frame["#value"].set(failed, None), failed


@lru_cache(maxsize=1_000)
def compiled(text: str, types: tuple[tuple[str, str], ...]) -> Expression:
    """The expression over columns of these declared types; ExpressionFault where it is not possible."""
    scope, tree = Scope(dict(types)), parse(text)
    term = build(scope, tree)
    if term.is_null or not scope.used:
        raise ExpressionFault("expected an expression that names a column")
    literals = sum(len(node.this.encode()) for node in tree.find_all(exp.Literal) if node.is_string)
    return Expression(
        term.kind, tuple(scope.used), dict(scope.joined), literals, tuple(scope.steps), term.value, term.failed
    )


def build(scope: Scope, node: exp.Expr | None) -> Term:
    """The term that a node of the tree stands for."""
    compile_node = _COMPILE.get(type(node)) if node else None
    if node is None or compile_node is None:
        raise ExpressionFault(f"expected a value, found {shown(node) if node else 'nothing'}")
    return compile_node(scope, node)


def _column(scope: Scope, node: exp.Expr) -> Term:
    identifier = node.this
    # An identifier without quotes is of small letters in SQL, as all business names are.
    name = identifier.name if identifier.args.get("quoted") else identifier.name.lower()
    if name not in scope.types:
        raise ExpressionFault(f"expected declared columns, found {name[:80]}")
    scope.used[name] = None
    return Term(pl.col(name), kind_of(scope.types[name]), is_plain=True)


def _literal(scope: Scope, node: exp.Expr) -> Term:
    if not node.args["is_string"]:
        return numbers.number(node.name)
    return Term(pl.lit(node.name), TEXT, literal=node.name, is_plain=True)


def _negative(scope: Scope, node: exp.Expr) -> Term:
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        return numbers.number(node.this.name, sign=-1)
    return numbers.negate(scope, build(scope, node.this))


def _boolean(scope: Scope, node: exp.Expr) -> Term:
    return Term(pl.lit(bool(node.this)), BOOLEAN, literal=bool(node.this), is_plain=True)


def _is(scope: Scope, node: exp.Expr) -> Term:
    if not isinstance(node.expression, exp.Null | exp.Boolean):
        raise ExpressionFault("is: expected null, true or false behind it")
    return _negated(node, logic.is_a(build(scope, node.this), build(scope, node.expression)))


def _between(scope: Scope, node: exp.Expr) -> Term:
    parts = [build(scope, node.args[name]) for name in ("this", "low", "high")]
    return _negated(node, logic.between(scope, *parts))


def _in(scope: Scope, node: exp.Expr) -> Term:
    values = [build(scope, value) for value in node.expressions]
    if not values:
        raise ExpressionFault("in: expected a list of values")
    return _negated(node, logic.one_of(scope, build(scope, node.this), values))


def _like(scope: Scope, node: exp.Expr) -> Term:
    one, pattern = build(scope, node.this), build(scope, node.expression)
    return _negated(node, functions.matches(one, pattern, ignores_case=isinstance(node, exp.ILike)))


def _negated(node: exp.Expr, term: Term) -> Term:
    return logic.inverted(term) if node.args.get("negate") else term


def _case(scope: Scope, node: exp.Expr) -> Term:
    subject = node.this and scope.named(build(scope, node.this))
    branches = []
    for branch in node.args["ifs"]:
        condition = build(scope, branch.this)
        if subject:
            condition = logic.compared(scope, subject, condition, pl.Expr.__eq__)
        branches.append(logic.Branch(condition, build(scope, branch.args["true"])))
    default = node.args.get("default")
    return logic.chosen(scope, branches, build(scope, default) if default else _NULL)


def _join(scope: Scope, node: exp.Expr) -> Term:
    if not isinstance(node.parent, exp.DPipe):
        functions.note_joined(scope, node)
    return functions.joined(scope, build(scope, node.this), build(scope, node.expression))


def _size(node: exp.Expr | None, what: str) -> int:
    if not (isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal() and len(node.name) < 10):
        raise ExpressionFault(f"{what}: expected a whole number, 0 or more")
    return int(node.name)


def _round(scope: Scope, node: exp.Expr) -> Term:
    digits = node.args.get("decimals")
    return numbers.rounded(build(scope, node.this), _size(digits, "round()") if digits else 0)


def _substring(scope: Scope, node: exp.Expr) -> Term:
    length = node.args.get("length")
    size = _size(length, "substr()") if length else None
    return functions.sliced(build(scope, node.this), _size(node.args.get("start"), "substr()"), size)


def _extract(scope: Scope, node: exp.Expr) -> Term:
    return functions.part_of_time(build(scope, node.expression), node.this.name.lower())


def _one(make: Callable[[Term], Term]) -> Compile:
    return lambda scope, node: make(build(scope, node.this))


def _two(make: Callable[[Scope, Term, Term], Term]) -> Compile:
    return lambda scope, node: make(scope, build(scope, node.this), build(scope, node.expression))


def _comparison(compare: logic.Compare) -> Compile:
    return _two(lambda scope, one, other: logic.compared(scope, one, other, compare))


def _part(name: str) -> Compile:
    return _one(lambda term: functions.part_of_time(term, name))


_NULL = Term(pl.lit(None), NULL, is_plain=True)
_COMPILE: dict[type[exp.Expr], Compile] = {
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: lambda scope, node: _NULL,
    exp.Column: _column,
    exp.Paren: lambda scope, node: build(scope, node.this),
    exp.Neg: _negative,
    exp.Not: _one(logic.inverted),
    exp.And: _two(logic.both),
    exp.Or: _two(logic.any_of),
    exp.Is: _is,
    exp.Between: _between,
    exp.In: _in,
    exp.Like: _like,
    exp.ILike: _like,
    exp.EQ: _comparison(pl.Expr.__eq__),
    exp.NEQ: _comparison(pl.Expr.__ne__),
    exp.GT: _comparison(pl.Expr.__gt__),
    exp.GTE: _comparison(pl.Expr.__ge__),
    exp.LT: _comparison(pl.Expr.__lt__),
    exp.LTE: _comparison(pl.Expr.__le__),
    exp.NullSafeEQ: _comparison(pl.Expr.eq_missing),
    exp.NullSafeNEQ: _comparison(pl.Expr.ne_missing),
    exp.Add: _two(numbers.add),
    exp.Sub: _two(numbers.subtract),
    exp.Mul: _two(numbers.multiply),
    exp.Div: _two(numbers.divide),
    exp.Mod: _two(numbers.remainder),
    exp.DPipe: _join,
    exp.Case: _case,
    exp.Coalesce: lambda scope, node: logic.first_known(
        scope, [build(scope, part) for part in (node.this, *node.expressions)]
    ),
    exp.Nullif: _two(logic.null_if),
    exp.Lower: _one(functions.lowered),
    exp.Upper: _one(functions.uppered),
    exp.Length: _one(functions.length),
    exp.Trim: lambda scope, node: functions.trimmed(build(scope, node.this), node.args.get("position") or ""),
    exp.Substring: _substring,
    exp.Left: lambda scope, node: functions.first(build(scope, node.this), _size(node.expression, "left()")),
    exp.Right: lambda scope, node: functions.last(build(scope, node.this), _size(node.expression, "right()")),
    exp.Abs: lambda scope, node: numbers.absolute(scope, build(scope, node.this)),
    exp.Round: _round,
    exp.Floor: _one(numbers.floor),
    exp.Ceil: _one(numbers.ceiling),
    exp.Extract: _extract,
    **{
        kind: _part(kind.__name__.lower()) for kind in (exp.Year, exp.Quarter, exp.Month, exp.Day, exp.Hour, exp.Minute)
    },
    exp.Cast: lambda scope, node: functions.cast(scope, build(scope, node.this), functions.target(node.args["to"])),
}
