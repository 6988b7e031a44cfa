"""Expressions to be computed over rows, and made up."""

import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal

import polars as pl
from hypothesis import strategies as st
from records.columns import dtype
from records.expressions.compiler import ExpressionFault, compiled

TYPES = {
    "i": "integer",
    "j": "integer",
    "amount": "decimal(12,2)",
    "rate": "decimal(6,4)",
    "f": "float",
    "t": "text",
    "u": "text",
    "paid": "boolean",
    "day": "date",
    "at": "timestamp",
    "order": "text",
    "größe": "integer",
}
ROW = {
    "i": 7,
    "j": -2,
    "amount": Decimal("12.50"),
    "rate": Decimal("0.1900"),
    "f": 1.5,
    "t": "Anna",
    "u": None,
    "paid": True,
    "day": date(2024, 2, 29),
    "at": datetime(2024, 2, 29, 23, 59, 58, 123_000, UTC),
    "order": "x",
    "größe": 3,
}
FAILED = object()
EXACT = Context(prec=100)
INTEGER_ENDS = (-(2**63), 2**63 - 1)


def compile_(text, types=TYPES):
    return compiled(text, tuple(types.items()))


def frame(rows, types=TYPES):
    """A column that is the same in every row is a constant to Polars, as in the frames that are judged."""
    columns = {name: [row.get(name) for row in rows] for name in types}
    same = [name for name, values in columns.items() if len(set(values)) == 1]
    made = pl.DataFrame(columns, {name: dtype(declared) for name, declared in types.items()})
    return made.with_columns(pl.lit(columns[name][0], dtype(types[name])).alias(name) for name in same)


def computed(text, rows, types=TYPES):
    """The value of each row, or FAILED."""
    value, failed = compile_(text, types).compute(frame(rows, types))
    assert len(value) == len(rows)
    lost = [False] * len(rows) if failed is None else failed.to_list()
    assert all(one is None for one, fails in zip(value.to_list(), lost, strict=True) if fails)
    return [FAILED if fails else one for one, fails in zip(value.to_list(), lost, strict=True)]


def refusal(text, types=TYPES):
    """Why the expression is refused, if it is."""
    try:
        compile_(text, types)
    except ExpressionFault as fault:
        return str(fault)
    return None


SHAPES = {
    "number": [
        "({number} + {number})",
        "({number} - {number})",
        "({number} * {number})",
        "({number} / nullif({number}, 0))",
        "({number} % nullif({number}, 0))",
        "(- {number})",
        "abs({number})",
        "length({text})",
        "coalesce({number}, {number})",
        "(case when {truth} then {number} when {truth} then {number} end)",
        "(case {number} when {number} then {number} else {number} end)",
    ],
    "text": [
        "({text} || {text})",
        "lower({text})",
        "upper({text})",
        "trim({text})",
        "ltrim({text})",
        "rtrim({text})",
        "substr({text}, 1, 2)",
        "substr({text}, 2)",
        "nullif({text}, {text})",
        "(case when {truth} then {text} else {text} end)",
        "cast({number} as text)",
    ],
    "truth": [
        *(
            f"({{{kind}}} {sign} {{{kind}}})"
            for kind in ("number", "text")
            for sign in ("=", "<>", "<", "<=", ">", ">=")
        ),
        "({truth} and {truth})",
        "({truth} or {truth})",
        "(not {truth})",
        *(f"({{{kind}}} is {word}null)" for kind in ("number", "text", "truth") for word in ("", "not ")),
        "({number} between {number} and {number})",
        "({number} not between {number} and {number})",
        "({number} in ({number}, {number}, 1))",
        "({number} not in ({number}, {number}, 1))",
        *(f"({{text}} like '{p}')" for p in ("%", "a%", "_", "%b%", "", "a_b", "%%_", ".*", "名%")),
        "({text} not like 'a%')",
    ],
}
LEAVES = {"number": ["i", "j", "0", "2"], "text": ["t", "u", "'a'", "''"], "truth": ["(i = 1)", "(t = 'a')", "true"]}
HOLE = re.compile(r"\{(\w+)\}")


@st.composite
def expressions(draw, kind, depth=3, shapes=SHAPES, leaves=LEAVES):
    """An expression of this kind; by default one that SQLite understands in the same way."""
    if not depth or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(leaves[kind]))
    shape = draw(st.sampled_from(shapes[kind]))
    return HOLE.sub(lambda hole: draw(expressions(hole[1], depth - 1, shapes, leaves)), shape)
