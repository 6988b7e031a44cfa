"""Row expressions of any text over any rows: refused or computed, and never more."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .expressions import INTEGER_ENDS, ROW, SHAPES, compile_, computed, expressions, frame, refusal

EXTREMES = {
    "i": [0, 1, -1, *INTEGER_ENDS],
    "j": [0, 2, *INTEGER_ENDS],
    "amount": [Decimal("9999999999.99"), Decimal("-9999999999.99"), Decimal("0.00")],
    "rate": [Decimal("99.9999"), Decimal("0.0000"), Decimal("-0.0001")],
    "f": [0.0, -0.0, 1.7e308, -1.7e308, 5e-324],
    "t": ["", "x" * 300, "ß\u0130ŉ", "\n", "9" * 40, "-1", "2024-02-30", "true"],
    "u": ["", "a%_\\", "é"],
    "paid": [True, False],
    "day": [date(1, 1, 1), date(9999, 12, 31)],
    "at": [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)],
    "order": ["", " "],
    "größe": [0, 3],
}
ANY_ROW = st.fixed_dictionaries({name: st.none() | st.sampled_from(values) for name, values in EXTREMES.items()})
SOUP = """
    i j amount rate f t u paid day at größe + - * / % < = > ( ) , . ' [ ] { } : ; ? @ $ || <> :: and or not is null case
    between in like ilike when then else end distinct true 0 1.5 1e9 'a%' '2024-01-01' cast( as integer date text float
    decimal(12,2) boolean timestamp lower( substr( round( coalesce( nullif( extract( year from select over exists -- /*
    interval array */ $$ E' trim(both ` é
"""
WORDS = st.sampled_from(SOUP.split())
ANY_SHAPES = {
    "number": [
        *SHAPES["number"],
        *(f"({{number}} {sign} {{number}})" for sign in "+-*/"),
        *(f"{name}({{number}})" for name in ("round", "floor", "ceil", "abs", "-")),
        "({integer} % {integer})",
        "round({number}, 1)",
        "cast({number} as decimal(9,3))",
        "cast({number} as integer)",
        "cast({number} as float)",
        "cast({text} as decimal(20,1))",
        "cast({text} as float)",
        "year({time})",
    ],
    "integer": ["cast({text} as integer)", "cast({number} as integer)", "length({text})", "day(at)"],
    "text": [*SHAPES["text"], "cast({time} as text)", "cast({number} as text)", "left({text}, 2)", "right({text}, 3)"],
    "truth": [*SHAPES["truth"], "({time} < {time})", "({truth} is true)", "({text} is distinct from {text})"],
    "time": ["cast({text} as date)", "cast({time} as date)", "coalesce({time}, {time})"],
}
ANY_LEAVES = {
    "number": ["i", "amount", "rate", "f", "0", "1.50", "-2", "1e5"],
    "integer": ["i", "j", "3"],
    "text": ["t", "u", '"order"', "''", "'9'"],
    "truth": ["paid", "true", "(u is null)"],
    "time": ["day", "cast(at as date)", "date '2024-02-29'"],
}


@settings(max_examples=500)
@given(st.sampled_from(list(ANY_SHAPES)).flatmap(lambda kind: expressions(kind, 4, ANY_SHAPES, ANY_LEAVES)), st.data())
def test_whatever_an_expression_computes_no_row_makes_it_crash_or_grow(text, data):
    rows = data.draw(st.lists(ANY_ROW, max_size=4))
    if refusal(text):
        return
    found, expression = computed(text, rows), compile_(text)
    for value in found:
        if isinstance(value, float):
            assert abs(value) < float("inf")
        if isinstance(value, Decimal):
            assert abs(value) < 10 ** (expression.kind.whole + 1)
            assert -value.as_tuple().exponent == expression.kind.scale
    if rows:
        value, failed = expression.compute(frame(rows))
        assert value.dtype.is_decimal() if expression.kind.name == "decimal" else value.dtype == expression.kind.polars
        assert failed is None or failed.dtype == pl.Boolean


@settings(max_examples=500)
@given(st.lists(WORDS | st.text(max_size=3), max_size=30).map(" ".join))
@example("i in")
@example("else")
def test_any_text_is_refused_or_can_be_computed(text):
    if refusal(text) is None:
        computed(text, [ROW, {}])
