"""Row expressions over microseconds and nested values."""

from datetime import UTC, date, datetime

import pytest
from records.expressions.compiler import ExpressionFault

from .expressions import FAILED, compile_, computed

TYPES = {
    "id": "integer",
    "day": "date",
    "at": "timestamp",
    "exact": "timestamp(6)",
    "doc": "json",
    "other": "json",
    "t": "text",
}
AT = datetime(2026, 1, 31, 23, 59, 58, 123_000, UTC)
EXACT = AT.replace(microsecond=123_456)
ROW = {"id": 1, "day": date(2026, 1, 31), "at": AT, "exact": EXACT, "doc": '{"a":1}', "other": '{"a":1}', "t": "x"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("exact > at", True),
        ("at < exact", True),
        ("exact = at", False),
        ("exact between at and '2026-01-31T23:59:58.123457Z'", True),
        ("exact > '2026-01-31T23:59:58.123455Z'", True),
        ("at in (exact, '2026-01-31T23:59:58.123Z')", True),
        ("coalesce(at, exact)", AT),
        ("case when id = 1 then exact else at end", EXACT),
        ("cast(at as timestamp(6))", AT),
        ("cast(day as timestamp(6))", datetime(2026, 1, 31, tzinfo=UTC)),
        ("cast(exact as date)", date(2026, 1, 31)),
        ("cast(exact as text)", "2026-01-31T23:59:58.123456Z"),
        ("cast(cast(exact as text) as timestamp(6))", EXACT),
        ("cast('2026-01-31T00:00:00.000001Z' || '' as timestamp(6)) < exact", True),
        ("minute(exact)", 59),
        ("month(exact)", 1),
        ("doc is null", False),
        ("doc = other", True),
        ("doc <> other", False),
        ("doc is distinct from other", False),
        ("cast(doc as text)", '{"a":1}'),
        ("cast(doc as text) like '%\"a\"%'", True),
        ("nullif(doc, other)", None),
    ],
)
def test_what_can_be_said_of_microseconds_and_nested_values(expression, value):
    nothing = dict.fromkeys(TYPES) | {"id": 2}
    assert computed(expression, [ROW, nothing], TYPES)[0] == value


def test_a_text_that_is_no_moment_has_no_result():
    assert computed("cast(t as timestamp(6))", [ROW], TYPES) == [FAILED]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("doc < other", "json has no order"),
        ("doc between other and other", "json has no order"),
        ("doc = t", "json cannot be compared with text"),
        ("doc = '{}'", "json cannot be compared with text"),
        ("lower(doc)", "expected text, found json"),
        ("doc || t", r"cast\(json as text\)"),
        ("cast(t as json)", "cast: expected one of"),
        ("cast(exact as timestamp)", r"timestamp\(6\) cannot become timestamp"),
        ("cast(t as timestamp(3))", "cast: expected one of"),
        ("exact = day", r"timestamp\(6\) cannot be compared with date"),
        ("exact > '2026-01-31T23:59:58.1234567Z'", r"expected a value of type timestamp\(6\)"),
    ],
)
def test_what_cannot_is_refused(expression, expected):
    with pytest.raises(ExpressionFault, match=expected):
        compile_(expression, TYPES)
