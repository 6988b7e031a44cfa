"""What a row expression may be made of: SQL as PostgreSQL writes it, cut down to what is safe and bounded.

The text is parsed by sqlglot; every node of its tree, and every part of a node, must be on the list below. So nothing
that a parser may learn one day (a function that reads files, say) becomes possible by itself.
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError
from waybill_contracts.column import MAX_EXPRESSION

MAX_NESTING = 20
"""Of parentheses and `case`, and of signs and `not` in a row."""
MAX_NODES = 400
MAX_DEPTH = 64
"""Of the tree, so also how many operators can stand in one chain."""
MAX_LIST = 100
MAX_PATTERN = 200

_TWO = {"this", "expression"}
_ONE = {"this"}
PARTS: dict[type[exp.Expr], set[str]] = {
    exp.Literal: {"this", "is_string"},
    exp.Boolean: _ONE,
    exp.Null: set(),
    exp.Column: _ONE,
    exp.Identifier: {"this", "quoted"},
    exp.Paren: _ONE,
    exp.Not: _ONE,
    exp.Neg: _ONE,
    exp.Is: {*_TWO, "negate"},
    exp.Between: {"this", "low", "high", "negate"},
    exp.In: {"this", "expressions", "negate"},
    exp.Like: {*_TWO, "negate"},
    exp.ILike: {*_TWO, "negate"},
    exp.Div: {*_TWO, "typed"},
    exp.DPipe: {*_TWO, "safe"},
    exp.Case: {"this", "ifs", "default"},
    exp.If: {"this", "true"},
    exp.Coalesce: {"this", "expressions"},
    exp.Nullif: _TWO,
    exp.Trim: {"this", "position"},
    exp.Round: {"this", "decimals"},
    exp.Substring: {"this", "start", "length"},
    exp.Left: _TWO,
    exp.Right: _TWO,
    exp.Extract: _TWO,
    exp.Var: _ONE,
    exp.Cast: {"this", "to"},
    exp.DataType: {"this", "expressions"},
    exp.DataTypeParam: _ONE,
    **dict.fromkeys((exp.And, exp.Or, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), _TWO),
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ, exp.Add, exp.Sub, exp.Mul, exp.Mod), _TWO),
    **dict.fromkeys((exp.Lower, exp.Upper, exp.Length, exp.Abs, exp.Floor, exp.Ceil), _ONE),
    **dict.fromkeys((exp.Year, exp.Quarter, exp.Month, exp.Day, exp.Hour, exp.Minute), _ONE),
}
"""Possible nodes, each with the parts that it may have."""

_OPENING = {TokenType.L_PAREN, TokenType.CASE, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.END, TokenType.R_BRACKET, TokenType.R_BRACE}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE}


class ExpressionFault(ValueError):
    """The expression is not possible; the text says what was expected."""


def parse(text: str) -> exp.Expr:
    """The tree of an expression that holds nothing but what is possible; ExpressionFault for any other text."""
    if len(text) > MAX_EXPRESSION:
        raise ExpressionFault(f"expected at most {MAX_EXPRESSION} characters")
    if odd := [sign for sign in text if sign not in "\n\r\t" and unicodedata.category(sign) in ("Cc", "Cs")]:
        raise ExpressionFault(f"expected no control characters, found {odd[0]!r}")
    with _refusing():
        tokens = Postgres().tokenize(text)
    _check_tokens(tokens)
    with _refusing():
        tree = Postgres().parser().parse_into(exp.Condition, tokens, text)[0]
    if tree is None:
        raise ExpressionFault("expected one expression of SQL, found nothing")
    _check_tree(tree)
    return tree


@contextmanager
def _refusing() -> Iterator[None]:
    """Texts on which the parser gives up, and those on which it trips, as it does over a lone `else`."""
    try:
        yield
    except (SqlglotError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, AssertionError) as error:
        text = str(error).split(" into <class")[0] if isinstance(error, SqlglotError) else "it cannot be read"
        raise ExpressionFault(f"expected one expression of SQL: {text.splitlines()[0][:200]}") from error


def _check_tokens(tokens: list[Token]) -> None:
    """What must be known before parsing, which recurses as deep as the text is nested."""
    open_now = in_a_row = 0
    for token in tokens:
        if token.comments:
            raise ExpressionFault("expected no comment")
        if token.token_type is TokenType.SEMICOLON:
            raise ExpressionFault("expected one expression, found ;")
        open_now += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        in_a_row = in_a_row + 1 if token.token_type in _PREFIXES else 0
        if max(open_now, in_a_row) > MAX_NESTING:
            raise ExpressionFault(f"expected at most {MAX_NESTING} levels of nesting")


def _check_tree(tree: exp.Expr) -> None:
    for number, (node, depth) in enumerate(_walk(tree)):
        if number >= MAX_NODES or depth > MAX_DEPTH:
            raise ExpressionFault(f"expected a simpler expression: at most {MAX_NODES} parts, {MAX_DEPTH} deep")
        _check_node(node)


def _walk(tree: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in node.iter_expressions()]


def _check_node(node: exp.Expr) -> None:
    kind = type(node)
    if kind not in PARTS:
        raise ExpressionFault(f"{shown(node)} is not possible in an expression")
    if extra := {name for name, part in node.args.items() if part} - PARTS[kind]:
        raise ExpressionFault(f"{shown(node)} is not possible with {', '.join(sorted(extra))}")
    if len(node.args.get("expressions") or ()) > MAX_LIST:
        raise ExpressionFault(f"expected lists of at most {MAX_LIST} values")


def shown(node: exp.Expr) -> str:
    """A part of an expression as people know it."""
    if isinstance(node, exp.Anonymous):
        return f"{str(node.this)[:80].lower()}()"
    if isinstance(node, exp.Func) and not isinstance(node, exp.Connector | exp.Case | exp.If):
        return f"{node.sql_name().lower()}()"
    return type(node).__name__.lower()
