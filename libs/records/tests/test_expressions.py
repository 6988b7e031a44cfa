"""Row expressions: what they give row by row."""

from decimal import Decimal

import pytest

from .expressions import FAILED, ROW, computed


def one(text, **changes):
    return computed(text, [ROW | changes])[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("amount >= 0 or u is not null", True),
        ("u = 'x'", None),
        ("u = 'x' or paid", True),
        ("u = 'x' and not paid", False),
        ("not (u = 'x')", None),
        ("u is null and t is not null", True),
        ("u is distinct from t", True),
        ("paid is true", True),
        ("i between 7 and 8", True),
        ("i not between 7 and 8", False),
        ("i in (1, 7)", True),
        ("i not in (1, 2)", True),
        ("i in (1, größe)", False),
        ("u in ('a')", None),
        ("t like 'A__a' and t not like 'a%'", True),
        ("t ilike 'aN%'", True),
        (r"t like '100\%'", False),
        ("case when u = 'x' then 1 when i > 5 then 2 else 3 end", 2),
        ("case t when 'Anna' then 'a' end", "a"),
        ("case when not paid then i end", None),
        ("coalesce(u, t)", "Anna"),
        ("nullif(i, 7)", None),
        ("i + j * 2", 3),
        ("i / j", -3),
        ("i % j", 1),
        ("-i % 2", -1),
        ("amount * rate", Decimal("2.375000")),
        ("round(amount * rate, 2)", Decimal("2.38")),
        ("amount / 3", Decimal("4.166667")),
        ("amount + i", Decimal("19.50")),
        ("amount > f", True),
        ("amount = 12.5", True),
        ("f * 2", 3.0),
        ("f + i", 8.5),
        ("f < 1e1", True),
        ("abs(j)", 2),
        ("floor(-amount)", Decimal("-13")),
        ("ceil(amount)", Decimal("13")),
        ("round(-amount)", Decimal("-13")),
        ("round(f)", 2.0),
        ("t || '-' || cast(i as text)", "Anna-7"),
        ("t || u", None),
        ("lower(t) || upper(t)", "annaANNA"),
        ("trim('  x ' || t || ' ')", "x Anna"),
        ("length(t || 'ö')", 5),
        ("substr(t, 2)", "nna"),
        ("substring(t from 2 for 2)", "nn"),
        ("left(t, 2) || right(t, 1)", "Ana"),
        ("left(t, 99)", "Anna"),
        ("year(day) * 100 + month(at)", 202402),
        ("extract(hour from at)", 23),
        ("quarter(day) + day(day) + minute(at)", 89),
        ("day >= '2024-02-29'", True),
        ("day < date '2024-03-01'", True),
        ("day in ('2024-02-28', '2024-02-29')", True),
        ("at > '2024-02-29T23:59:58.122Z'", True),
        ("cast(at as date) = day", True),
        ("cast(day as timestamp) < at", True),
        ("cast(at as text)", "2024-02-29T23:59:58.123Z"),
        ("cast(amount as integer)", 13),
        ("cast(amount as decimal(4,1))", Decimal("12.5")),
        ("cast('7' as integer) = i", True),
        ("\"order\" = 'x' and größe = 3 and T = 'Anna'", True),
        ("paid", True),
        ("true or paid", True),
        ("case when true then 1 else i end", 1),
        ("coalesce(1, i)", 1),
        ("9223372036854775807 >= i", True),
        ("9223372036854775808 > i", True),
    ],
)
def test_an_expression_means_what_it_means_in_sql(text, value):
    found = one(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("i / j", {"j": 0}),
        ("i % j", {"j": 0}),
        ("i / (j - j)", {}),
        ("amount / rate", {"rate": Decimal(0)}),
        ("f / (f - f)", {}),
        ("i + 1", {"i": 2**63 - 1}),
        ("i - 1", {"i": -(2**63)}),
        ("i * i", {"i": 2**32}),
        ("-i", {"i": -(2**63)}),
        ("abs(i)", {"i": -(2**63)}),
        ("i / -1", {"i": -(2**63)}),
        ("f * f", {"f": 1e300}),
        ("f + f", {"f": 1.7e308}),
        ("cast(f as integer)", {"f": 1e19}),
        ("cast(f as decimal(4,2))", {"f": 100.0}),
        *(("cast(f as decimal(4,2))", {"f": float(f"1e{digits}")}) for digits in (35, 36, 37, 38, 39, 308)),
        ("cast(amount as decimal(4,2))", {"amount": Decimal("99.995") + 1}),
        ("cast(i as decimal(4,2))", {"i": 100}),
        ("cast(t as integer)", {}),
        ("cast(t as date)", {"t": "2023-02-29"}),
        ("cast(t as boolean)", {"t": "yes"}),
        ("coalesce(i / 0, 1)", {}),
        ("i / 0 = 1 or u = 'x'", {}),
        ("case when i / 0 = 1 then 1 else 2 end", {}),
        ("i in (1, i / 0)", {}),
        ("length(t || t || t || t || t || t)", {"t": "x" * 100_000}),
    ],
)
def test_what_has_no_result_fails_its_row_and_no_other(text, changes):
    assert [found is FAILED for found in computed(text, [{}, ROW | changes, {}])] == [False, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "j <> 0 and i / j > 1",
        "i / j > 1 and j <> 0",
        "not (j = 0 or i / j <= 1)",
        "case when j = 0 then false else i / j > 1 end",
        "case j when 0 then false else i / j > 1 end",
    ],
)
def test_a_value_that_does_not_count_cannot_fail_a_row(text):
    assert computed(text, [{"i": 7, "j": 0}, {"i": 7, "j": 2}]) == [False, True]
