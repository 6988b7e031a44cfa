"""Row expressions against SQLite and plain Python."""

import re
import sqlite3
from decimal import Decimal
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st
from records.expressions.terms import kind_of

from .expressions import EXACT, FAILED, INTEGER_ENDS, SHAPES, compile_, computed, expressions, refusal

SMALL = st.none() | st.integers(-3, 3)
SHORT = st.none() | st.sampled_from(["", "a", "A", "ab", " b ", "%", "a_b", "名\n", ".*", "2"])
PLAIN = {"i": "integer", "j": "integer", "t": "text", "u": "text"}
ROWS = st.lists(st.fixed_dictionaries({"i": SMALL, "j": SMALL, "t": SHORT, "u": SHORT}), min_size=1, max_size=6)


def in_sqlite(text, rows):
    with sqlite3.connect(":memory:") as database:
        database.execute("PRAGMA case_sensitive_like = ON")
        database.execute("CREATE TABLE rows (i INTEGER, j INTEGER, t TEXT, u TEXT)")
        database.executemany("INSERT INTO rows VALUES (:i, :j, :t, :u)", rows)
        return [value for (value,) in database.execute(f"SELECT {text} FROM rows ORDER BY rowid")]


@settings(max_examples=500)
@given(st.sampled_from(list(SHAPES)).flatmap(expressions), ROWS)
def test_logic_of_three_values_texts_and_integers_are_as_in_sqlite(text, rows):
    problem = refusal(text, PLAIN)
    if problem:
        # Only what names no column or is too large is not possible.
        assert re.search("names a column|simpler|levels|characters|times in what|texts in quotes", problem), problem
        return
    found = computed(text, rows, PLAIN)
    assert [int(value) if isinstance(value, bool) else value for value in found] == in_sqlite(text, rows)


def _kleene(tree, row):
    """Logic of three values and failure, in plain Python."""
    match tree:
        case str():
            return {"p": row["p"], "q": row["q"], "bad": FAILED, "true": True}[tree]
        case ("not", one):
            value = _kleene(one, row)
            return value if value in (None, FAILED) else not value
        case ("is null", one):
            value = _kleene(one, row)
            return value if value is FAILED else value is None
        case ("and" | "or" as word, one, other):
            values = [_kleene(one, row), _kleene(other, row)]
            decisive = word == "or"
            return next((value for value in (decisive, FAILED, None) if value in values), not decisive)
        case ("coalesce", one, other):
            value = _kleene(one, row)
            return _kleene(other, row) if value is None else value
        case ("case", condition, one, other):
            value = _kleene(condition, row)
            return FAILED if value is FAILED else _kleene(one if value is True else other, row)


def _sql(tree):
    match tree:
        case "bad":
            return "(1 / (n - n) = 1)"
        case str():
            return tree
        case ("not", one):
            return f"(not {_sql(one)})"
        case ("is null", one):
            return f"({_sql(one)} is null)"
        case ("and" | "or" as word, one, other):
            return f"({_sql(one)} {word} {_sql(other)})"
        case ("coalesce", one, other):
            return f"coalesce({_sql(one)}, {_sql(other)})"
        case ("case", condition, one, other):
            return f"(case when {_sql(condition)} then {_sql(one)} else {_sql(other)} end)"


TREES = st.recursive(
    st.sampled_from(["p", "q", "bad", "true"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["not", "is null"]), inner),
        st.tuples(st.sampled_from(["and", "or", "coalesce"]), inner, inner),
        st.tuples(st.just("case"), inner, inner, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(TREES)
@example(("and", ("case", "bad", "p", "p"), ("case", "bad", "q", "q")))
@example(("or", ("case", "bad", "p", "p"), "q"))
def test_a_failure_counts_exactly_where_the_value_would_have_counted(tree):
    rows = [{"p": p, "q": q, "n": 1} for p in (True, False, None) for q in (True, False, None)]
    text = f"{_sql(tree)} and n = 1"
    types = {"p": "boolean", "q": "boolean", "n": "integer"}
    if len(text) <= 1000:
        assert computed(text, rows, types) == [_kleene(("and", tree, "true"), row) for row in rows]


DECIMALS = st.sampled_from(
    ["decimal(12,2)", "decimal(34,2)", "decimal(18,18)", "decimal(20,0)", "decimal(5,4)", "integer"]
)


def _values(declared):
    kind = kind_of(declared)
    if kind.name == "integer":
        return st.sampled_from(INTEGER_ENDS) | st.integers(*INTEGER_ENDS)
    most = 10 ** (kind.whole + kind.scale) - 1
    return (st.sampled_from([-most, -1, 0, 1, most]) | st.integers(-most, most)).map(
        lambda digits: Decimal(digits).scaleb(-kind.scale, EXACT)
    )


@settings(max_examples=400)
@given(DECIMALS, DECIMALS, st.sampled_from("+-*/"), st.data())
def test_decimals_and_integers_are_exact_or_refused_or_failed(one, other, sign, data):
    a, b = data.draw(_values(one)), data.draw(_values(other))
    types = {"a": one, "b": other}
    if problem := refusal(f"a {sign} b", types):
        assert "digits" in problem
        return
    kind = compile_(f"a {sign} b", types).kind
    (found,) = computed(f"a {sign} b", [{"a": a, "b": b}], types)
    assert computed("a < b", [{"a": a, "b": b}], types) == [a < b]
    assert computed("a = b", [{"a": a, "b": b}], types) == [a == b]
    if sign == "/" and b == 0:
        assert found is FAILED
        return
    exact = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "/": Fraction.__truediv__}[sign](
        Fraction(a), Fraction(b)
    )
    if kind.name == "integer":
        whole = int(exact)
        assert found == whole if INTEGER_ENDS[0] <= whole <= INTEGER_ENDS[1] else found is FAILED
    else:
        units = exact * 10**kind.scale
        rounded = int(abs(units) + Fraction(1, 2)) * (1 if units >= 0 else -1)
        assert Fraction(found) == Fraction(rounded, 10**kind.scale)


@settings(max_examples=200)
@given(DECIMALS, st.integers(0, 4), st.integers(1, 9), st.data())
def test_rounding_and_casts_are_exact_or_fail(declared, scale, whole, data):
    value = data.draw(_values(declared))
    a = Fraction(value)
    row, types = [{"a": value}], {"a": declared}
    units = abs(a) * 10**scale
    rounded = Fraction(int(units + Fraction(1, 2)), 10**scale) * (1 if a >= 0 else -1)
    (found,) = computed(f"cast(a as decimal({whole + scale},{scale}))", row, types)
    assert found is FAILED if abs(rounded) >= 10**whole else Fraction(found) == rounded
    assert Fraction(computed(f"round(a, {scale})", row, types)[0]) == (a if declared == "integer" else rounded)
    assert computed("floor(a)", row, types) == [a.__floor__()]
    assert computed("ceil(a)", row, types) == [a.__ceil__()]
