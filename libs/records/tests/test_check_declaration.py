"""What a declaration cannot mean: each fault is named with its field."""

import re
import time

import pytest
from pydantic import ValidationError
from records.rules import check_declaration, declared_rules
from waybill_contracts import Declaration

COLUMNS = {
    "id": {"type": "integer"},
    "amount": {"type": "decimal(12,2)"},
    "wide": {"type": "decimal(34,2)"},
    "ratio": {"type": "float"},
    "day": {"type": "date"},
    "at": {"type": "timestamp"},
    "paid": {"type": "boolean"},
    "reason": {},
}
HOSTILE = [
    # Files, other tables, other rows.
    ("read_csv('/etc/passwd') is null", "read_csv() is not possible"),
    ("read_parquet('s3://bucket/x') = 1", "read_parquet() is not possible"),
    ("pg_read_file('/etc/passwd') = reason", "pg_read_file() is not possible"),
    ("lo_import('/etc/passwd') = id", "lo_import() is not possible"),
    ("id in (select 1)", "not possible"),
    ("exists (select 1)", "not possible"),
    ("(select max(id) from orders) > 1", "not possible"),
    ("id = any(select 1)", "not possible"),
    ("select 1", "expected one expression"),
    ("amount > 0 union select 1", "expected one expression"),
    ("amount > 0 from orders", "expected one expression"),
    ("drop table orders", "expected one expression"),
    ("copy orders to '/tmp/x'", "expected one expression"),
    ("id > 0; drop table orders", "found ;"),
    ("id > 0;", "found ;"),
    ("sum(amount) > 0", "sum() is not possible"),
    ("count(*) > 0", "count() is not possible"),
    ("array_agg(id) is null", "array_agg() is not possible"),
    ("row_number() over () > 1", "not possible"),
    ("lag(id) over (order by id) < id", "not possible"),
    ("lower(distinct reason) = 'x'", "distinct is not possible"),
    # What grows, takes long or is not the same tomorrow.
    ("repeat(reason, 1000000000) = ''", "repeat() is not possible"),
    ("lpad(reason, 1000000000, 'x') = ''", "is not possible"),
    ("rpad(reason, 1000000000) = ''", "is not possible"),
    ("replace(reason, '', 'xxxx') = ''", "replace() is not possible"),
    ("format('%s', reason) = ''", "format() is not possible"),
    ("generate_series(1, 1000000000) = 1", "is not possible"),
    ("array[1, 2] is null", "array() is not possible"),
    ("string_to_array(reason, ',') is null", "is not possible"),
    ("concat_ws(',', reason) = ''", "is not possible"),
    (" || ".join(["reason"] * 21) + " = ''", "reason at most 20 times"),
    ("reason || '" + "x" * 201 + "' = ''", "at most 200 characters"),
    ("reason ~ '(a+)+$'", "is not possible"),
    ("reason similar to '(a|a)*b'", "is not possible"),
    ("regexp_replace(reason, 'a', 'b') = ''", "is not possible"),
    ("reason like '" + "%a" * 101 + "'", "at most 200 characters"),
    ("reason like reason", "expected a pattern in quotes"),
    ("reason like 'a\\'", "expected a character after"),
    ("reason like 'a!%' escape '!'", "escape is not possible"),
    ("pg_sleep(1000) is null", "pg_sleep() is not possible"),
    ("random() > id", "is not possible"),
    ("current_date > day", "is not possible"),
    ("now() > at", "is not possible"),
    ("at + interval '1 day' > at", "interval is not possible"),
    ("id ^ 1000000 > 0", "is not possible"),
    ("power(id, 1000000) > 0", "is not possible"),
    ("id << 62 > 0", "is not possible"),
    ("id in (" + ", ".join(["1"] * 101) + ")", "lists of at most 100"),
    ("(" * 21 + "id" + ")" * 21 + " > 0", "levels of nesting"),
    ("(" * 490 + "id" + ")" * 490, "levels of nesting"),
    ("not " * 21 + "paid", "levels of nesting"),
    ("- " * 400 + "id > 0", "levels of nesting"),
    ("case when paid then " * 21 + "1" + " end" * 21 + " > 0", "levels of nesting"),
    (" or ".join(["paid"] * 70), "simpler expression"),
    ("+".join(["id"] * 300) + " > 0", "simpler expression"),
    ("id > 0" + "::bigint" * 70, "simpler expression"),
    ("id > " + "9" * 900, "digits"),
    ("ratio > 1e999", "that a float can be"),
    ("round(id, 2147483648000) > 0", "whole number"),
    ("round(ratio, 400) > 0", "at most 15 digits"),
    ("wide * wide > 0", "digits"),
    # Texts that are no expression of a row.
    (" ", "found nothing"),
    ("-- x", "found nothing"),
    ("id > 0 -- and paid", "no comment"),
    ("id /* x */ > 0", "no comment"),
    ("id > $1", "is not possible"),
    ("id > ?", "is not possible"),
    ("id > :limit", "is not possible"),
    ("id > @limit", "is not possible"),
    ("id > {{ limit }}", "expected one expression|not possible"),
    ("id >", "expected one expression"),
    ("id > 0)", "expected one expression"),
    ("'id", "expected one expression"),
    ('"id', "expected one expression"),
    ("id > 'a' 'b'", "not possible"),
    ("E'\\n' = reason", "not possible"),
    ("U&'\\0041' = reason", "not possible"),
    ("x'ff' = reason", "not possible"),
    ("$$x$$ = reason", "not possible"),
    ("id[1] > 0", "bracket is not possible"),
    ("(id, amount) = (1, 2)", "tuple is not possible"),
    ("orders.id > 0", "column is not possible with table"),
    ("* is null", "star is not possible"),
    ("reason collate \"C\" = ''", "collate() is not possible"),
    ("at at time zone 'UTC' = at", "is not possible"),
    ("reason -> 'a' is null", "is not possible"),
    ("if(paid, 1, 2) = 1", "not possible"),
    ("if(paid, 1) = 1", "expected a value, found if"),
    ("id in", "in: expected a list"),
    ("id in ()", "in: expected a list"),
    ("case end = 1", "expected"),
    ("round() > 1", "expected"),
    ("lower() = ''", "expected"),
    ("cast(id) = 1", "expected"),
    ("integer = 1", "expected|not possible"),
    ("extract(year) = 1", "expected"),
    ("else", "expected one expression"),
    ("reason = 'a\u0007'", "control characters"),
    # Columns and types.
    ("price > 0", "found price"),
    ('"ID" > 0', "found ID"),
    ("reason > 5", "text cannot be compared with integer"),
    ("id = '5'", "integer cannot be compared with text"),
    ("paid = 1", "boolean cannot be compared with integer"),
    ("day < at", "date cannot be compared with timestamp"),
    ("day < '2024-02-30'", "expected a value of type date"),
    ("id = null", "is null"),
    ("id in (1, null)", "is null"),
    ("id", "expected what is true or false, found integer"),
    ("reason or paid", "or: expected boolean, found text"),
    ("not id", "not: expected boolean"),
    ("reason + 1 > 0", "arithmetic: expected"),
    ("-reason = 'x'", "expected integer or decimal or float, found text"),
    ("ratio % 2 = 0", "%: expected integer"),
    ("id || reason = ''", "expected text, found integer"),
    ("year(reason) = 2024", "expected date or timestamp"),
    ("hour(day) = 1", "expected timestamp"),
    ("extract(epoch from at) > 0", "found epoch"),
    ("coalesce(id, reason) is null", "one type, found integer and text"),
    ("case when paid then 1 else 'x' end = 1", "one type"),
    ("1 = 1", "names a column"),
    ("null", "names a column"),
    ("cast(id as json) is null", "cast: expected one of"),
    ("cast(id as int[]) is null", "cast: expected one of|not possible"),
    ("cast(reason as varchar(5)) = ''", "cast: expected one of"),
    ("cast(at as timestamp with time zone) = at", "cast: expected one of"),
    ("cast(id as decimal(99,2)) > 0", "cast: expected one of"),
    ("cast(id as decimal) > 0", "cast: expected one of"),
    ("cast(id as regclass) is null", "cast: expected one of|not possible"),
    ("try_cast(reason as integer) is null", "is not possible"),
    ("cast(paid as integer) = 1", "boolean cannot become integer"),
    ("substr(reason, 0) = ''", "start of 1 or more"),
    ("substr(reason, id) = ''", "expected a whole number"),
    ("left(reason, -1) = ''", "expected a whole number"),
    ("trim(both 'x' from reason) = ''", "not possible with expression"),
]


@pytest.mark.parametrize(("expect", "problem"), HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_a_hostile_expression_is_refused_with_its_field_in_a_rule_and_in_a_column(expect, problem):
    start = time.process_time()
    rule = declare_all(COLUMNS, rules=[{"name": "bad", "expect": expect}])
    (found,) = check_declaration(rule)
    assert found.startswith("rules.bad.expect: ")
    assert re.search("|".join(map(re.escape, problem.split("|"))), found), found
    derived = declare_all(COLUMNS | {"made": {"type": "date", "derived": expect}})
    (found,) = check_declaration(derived)
    assert found.startswith("columns.made.derived: ")
    assert len(found) < 500
    assert time.process_time() - start < 2


@pytest.mark.parametrize("text", ["id > 0 or reason = '\0'", "reason = '\ud800'"])
def test_text_that_no_store_can_hold_is_refused_with_its_field(text):
    with pytest.raises(ValidationError) as fault:
        declare_all(COLUMNS, rules=[{"name": "bad", "expect": text}]).model_dump_json()
    assert fault.value.errors()[0]["loc"][:3] == ("rules", 0, "expect")


def declare_all(columns, **fields):
    return Declaration.model_validate(
        {"organisation": "acme", "table": "orders", "key": ["id"], "columns": columns} | fields
    )


@pytest.mark.parametrize(
    ("columns", "fields", "problem"),
    [
        ({"made": {"derived": "made || 'x'"}}, {}, "columns.made.derived: expected columns of the file or constants"),
        (
            {"made": {"derived": "other"}, "other": {"derived": "reason"}},
            {},
            "columns.made.derived: expected columns of the file or constants, found other, which is derived",
        ),
        (
            {"made": {"type": "integer", "derived": "reason"}},
            {},
            "columns.made.derived: the result is text, expected integer",
        ),
        ({"made": {"derived": "id"}}, {}, "columns.made.derived: the result is integer, expected text"),
        (
            {"made": {"type": "decimal(12,2)", "derived": "amount * 1.19"}},
            {},
            "columns.made.derived: the result is decimal(15,4)",
        ),
        (
            {"made": {"type": "integer", "derived": "amount"}},
            {},
            "columns.made.derived: the result is decimal(12,2), with more",
        ),
        ({"made": {"type": "decimal(12,2)", "derived": "ratio"}}, {}, "columns.made.derived: the result is float"),
        ({"made": {"type": "timestamp", "derived": "day"}}, {}, "columns.made.derived: the result is date"),
        (
            {f"made{number}": {"derived": " || ".join(["reason"] * 11)} for number in range(2)},
            {},
            "columns.made1.derived: ||: expected reason at most 20 times in all derived columns",
        ),
        (
            {"big": {"constant": "x" * 2000}, "made": {"derived": "reason || 'x'"}},
            {},
            "columns.made.derived: expected constants and texts in quotes of at most 2000 bytes",
        ),
        ({"big": {"constant": "x" * 2001}}, {}, "columns.big.constant: expected constants"),
        (
            {"c": {"type": "integer", "constant": "x"}},
            {},
            'columns.c.constant: expected a value of type integer, found "x"',
        ),
        ({"c": {"type": "date", "constant": "2024-02-30"}}, {}, "columns.c.constant: expected a value of type date"),
        ({"c": {"type": "integer", "constant": "5", "minimum": 6}}, {}, "columns.c.constant: expected at least 6"),
        ({"c": {"constant": "x", "one_of": ["y"]}}, {}, "columns.c.constant: expected one of y"),
        ({}, {"order_by": {"file_name": "(?P<day"}}, "order_by.file_name: expected a regular expression"),
        ({}, {"order_by": {"file_name": "(?<=x)a"}}, "order_by.file_name: expected a regular expression"),
        ({}, {"order_by": {"file_name": "(a{1000}){1000}"}}, "order_by.file_name: expected a regular expression"),
    ],
)
def test_what_a_declaration_cannot_mean_is_refused_with_its_field(columns, fields, problem):
    (found,) = check_declaration(declare_all(COLUMNS | columns, **fields))
    assert found.startswith(problem)


def test_every_fault_of_a_declaration_is_named_at_once():
    bad = {
        "made": {"derived": "nothing"},
        "c": {"type": "integer", "constant": "x"},
        "p": {"pattern": "("},
    }
    rules = [{"name": name, "expect": name} for name in ("first", "second")]
    problems = check_declaration(declare_all(COLUMNS | bad, rules=rules, order_by={"file_name": "("}))
    assert [problem.split(": ")[0] for problem in problems] == [
        "columns.p.pattern",
        "columns.c.constant",
        "order_by.file_name",
        "columns.made.derived",
        "rules.first.expect",
        "rules.second.expect",
    ]


def test_rules_of_a_declaration_without_columns_are_checked_as_far_as_they_can_be():
    good, bad = {"name": "good", "expect": "anything > 5"}, {"name": "bad", "expect": "sum(anything) > 5"}
    (found,) = check_declaration(declare_all({}, key=[], rules=[good, bad]))
    assert found.startswith("rules.bad.expect: sum() is not possible")


def test_columns_of_order_and_partition_are_required_too():
    declaration = declare_all(COLUMNS, key=["id"], order_by={"column": "at"})
    assert [(rule.column, rule.code) for rule in declared_rules(declaration)] == [("id", "missing"), ("at", "missing")]


def test_a_good_declaration_of_everything_has_no_problems():
    columns = COLUMNS | {
        "source": {"constant": "shop", "one_of": ["shop"]},
        "total": {"type": "decimal(14,2)", "derived": "round(amount * 1.19, 2)"},
        "label": {"derived": "source || '-' || cast(id as text)"},
    }
    rules = [
        {"name": "refund_has_reason", "expect": "total >= 0 or reason is not null"},
        {"name": "u", "unique": ["id"]},
    ]
    assert check_declaration(declare_all(columns, rules=rules, order_by={"file_name": "(\\d{8})"})) == []
