"""What a declaration may say, and that people learn on which line it says something else."""

import string
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waybill_contracts import Column, Declaration, DeclarationError, dump_declaration, parse_declaration
from waybill_contracts.declaration import MAX_CHARACTERS, POSTGRES_COLUMNS

ORDERS = """\
organisation: acme
table: orders
key: [order_id]
columns:
  order_id: {type: integer, required: true}
  customer: {type: text, max_length: 80, pattern: "^[A-Z]"}
  amount: {type: "decimal(12,2)", minimum: 0.1, maximum: 12345678901234567890.12}
  country: {one_of: [DE, NO]}
  day: {type: date, minimum: 2026-01-31}
guards: {max_reject_share: 0.05}
"""


def problems(text: str) -> list[str]:
    """What is told of a text that is no declaration."""
    with pytest.raises(DeclarationError) as caught:
        parse_declaration(text, "orders.yaml")
    return caught.value.problems


def test_a_declaration_is_read_as_it_is_written() -> None:
    declaration = parse_declaration(ORDERS, "orders.yaml")
    columns = declaration.columns
    assert (declaration.dataset, declaration.key, next(iter(columns))) == ("acme/orders", ("order_id",), "order_id")
    assert (declaration.mode, declaration.duplicates, declaration.guards.max_reject_share) == ("upsert", "reject", 0.05)
    assert columns["country"].one_of == ("DE", "NO")
    assert columns["day"].minimum == "2026-01-31"
    assert columns["amount"].maximum == "12345678901234567890.12"
    assert columns["amount"].minimum == 0.1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("organisation: acme", "organisation: Acme", "1: organisation: expected text that matches"),
        ("table: orders", "table: _orders", "2: table: expected text that matches"),
        ("table: orders", "table: orders_history", "2: table: expected a name that does not end in _history"),
        ("table: orders", "table: 7", "2: table: expected text, in quotes"),
        ("table: orders", "tables: orders", "1: table: expected, but missing"),
        ("table: orders", "tables: orders", "2: tables: unknown field, expected one of organisation, table,"),
        ("table: orders", "table: orders\ntable: x", "3: table: expected once, first on line 2"),
        ("table: orders", "table: orders\nmode: replace", "3: mode: expected 'upsert', 'snapshot' or 'append'"),
        ("[order_id]", "order_id", "3: key: expected a list"),
        ("table: orders", "table: orders\nmode: append", "4: key: expected none in mode append"),
        ("[order_id]", "[nope]", "3: key: expected declared columns; not declared: nope"),
        ("[order_id]", "[order_id, order_id]", "3: key: expected each column once"),
        ("integer", "int", "5: columns.order_id.type: expected one of text, integer, float, boolean, date, timestamp"),
        ("required: true", "required: yes", "5: columns.order_id.required: expected true or false"),
        ("required: true", "minimum: 1.5", "5: columns.order_id.minimum: expected a whole number"),
        ("required: true", "minimum: true", "5: columns.order_id.minimum: expected a number"),
        ("required: true", "one_of: ['1']", "5: columns.order_id.one_of: expected only for type text, not integer"),
        ("max_length: 80", "max_length: '80'", "6: columns.customer.max_length: expected a whole number"),
        ("max_length: 80", "max_length: 0", "6: columns.customer.max_length: expected greater than or equal to 1"),
        ("max_length: 80", "minimum: 3", "6: columns.customer.minimum: expected no limit"),
        ("max_length: 80", "maxlength: 3", "6: columns.customer.maxlength: unknown field, expected one of type,"),
        ("(12,2)", "(12,13)", "7: columns.amount.type: expected decimal(p,s) with"),
        ("(12,2)", "(35,2)", "7: columns.amount.type: expected decimal(p,s) with"),
        ("minimum: 0.1", "minimum: ten", "7: columns.amount.minimum: expected a number"),
        ("minimum: 0.1", "minimum: 1e400", "7: columns.amount.minimum: expected a number"),
        ("maximum: 1234", "maximum: -1234", "7: columns.amount.maximum: expected a maximum that is not below"),
        ("[DE, NO]", "[1]", "8: columns.country.one_of.0: expected text, in quotes"),
        ("[DE, NO]", "[]", "8: columns.country.one_of: expected at least one"),
        ("2026-01-31", "2026-02-31", "9: columns.day.minimum: expected a date as YYYY-MM-DD"),
        ("2026-01-31", "31.1.2026", "9: columns.day.minimum: expected a date as YYYY-MM-DD"),
        ("  day:", "  day: {}\n  day:", "10: columns.day: expected once, first on line 9"),
        ("0.05", "1.5", "10: guards.max_reject_share: expected less than or equal to 1"),
        ("0.05", "many", "10: guards.max_reject_share: expected a number"),
        ("day: {type", "day: &x {type", "9: columns.day: expected no anchors and aliases"),
        ("day: {type: date, minimum: 2026-01-31}", "day: !!str x", "9: columns.day: expected no tags"),
        ("day: {type: date, minimum: 2026-01-31}", "day: x", "9: columns.day: expected a mapping"),
        ("  day: {", "\tday: {", "9: declaration: expected YAML: indent with spaces, not tabs"),
        ("2026-01-31}", "2026-01-31", "declaration: expected YAML: "),
        ("acme", "ac\x07me", "1: declaration: expected YAML: control characters are not allowed"),
    ],
)
def test_a_problem_names_file_line_field_and_what_was_expected(old: str, new: str, expected: str) -> None:
    assert old in ORDERS
    found = problems(ORDERS.replace(old, new))
    assert any(problem.startswith("orders.yaml:") and expected in problem for problem in found), found


def test_every_problem_is_told_at_once_in_one_line_each() -> None:
    text = ORDERS.replace("acme", "A").replace("integer", "int").replace("0.05", "7").replace("DE", "1")
    assert [problem.split(": ")[0:2] for problem in problems(text)] == [
        ["orders.yaml:1", "organisation"],
        ["orders.yaml:5", "columns.order_id.type"],
        ["orders.yaml:8", "columns.country.one_of.0"],
        ["orders.yaml:10", "guards.max_reject_share"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "- a",
        "acme",
        "null",
        "---\na: 1\n---\nb: 2\n",
        "? [a]\n: b",
        "a: *b",
        "a: [&x 1, *x]",
        "\ud800",
        "[" * 100_000,
        "{a: " * 100_000,
        "a: " + "x" * 1_000_001,
        "a: \0",
        "{",
        "%",
        "\t",
        "a: !!python/name:os.system x",
    ],
)
def test_what_is_no_declaration_at_all_is_refused_in_one_line(text: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith("orders.yaml:1:") or found[0].startswith(("orders.yaml:2:", "orders.yaml:3:"))


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30))
    assert "anchors" in problems(bomb)[0]


def test_columns_are_limited_in_number_and_in_what_they_say() -> None:
    head = "organisation: acme\ntable: orders\nkey: [c0]\ncolumns:\n"
    assert len(parse_declaration(head + "".join(f"  c{i}: {{}}\n" for i in range(1000)), "x").columns) == 1000
    assert "at most 1000" in problems(head + "".join(f"  c{i}: {{}}\n" for i in range(1001)))[0]
    assert "characters" in problems(head + f"  c0: {{one_of: [{'x' * MAX_CHARACTERS}]}}\n")[0]


@pytest.mark.parametrize(
    "name",
    [
        "Id",
        "_id",
        "1st",
        "a b",
        "a.b",
        "$where",
        'a"b',
        "a\n",
        "a\0",
        "",
        "a__b",
        "a_",
        "a-b",
        "a;--",
        "xmin",
        "ctid",
        "a" * 64,
        "ü" * 32,
        "u\u0308",
        "İ",
    ],
)
def test_a_column_name_that_is_not_plain_in_sql_and_bson_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        Declaration(organisation="acme", table="orders", key=(name,), columns={name: Column()})


@pytest.mark.parametrize("name", ["id", "order_id", "größe", "x1st", "数量", "select", "a" * 63, "q4_2026"])
def test_any_letters_and_digits_make_a_column_name(name: str) -> None:
    assert Declaration(organisation="acme", table="orders", key=(name,), columns={name: Column()}).key == (name,)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-1e200, 1e200).filter(lambda number: abs(number) > 1e-200)
EXACT = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: abs(number.adjusted()) < 40).map(str)
COLUMNS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text"), "required": st.booleans()},
        optional={
            "one_of": st.lists(TEXT, min_size=1, max_size=3),
            "pattern": TEXT,
            "max_length": st.integers(1, 2**40),
        },
    ),
    st.fixed_dictionaries({"type": st.just("integer")}, optional={"minimum": st.integers(-(2**63) + 1, 2**63 - 1)}),
    st.fixed_dictionaries({"type": st.sampled_from(["float", "decimal(12,2)"])}, optional={"maximum": NUMBERS | EXACT}),
    st.fixed_dictionaries({"type": st.just("date")}, optional={"minimum": st.dates().map(lambda day: day.isoformat())}),
    st.just({"type": "timestamp", "minimum": "2026-01-01T00:00:00.5Z", "maximum": "2026-01-01T00:00:00.6Z"}),
)
WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=20).filter(lambda name: name not in POSTGRES_COLUMNS)
NAMES = st.sampled_from(["no", "true", "null", "on", "y", "e1", "größe"]) | WORDS


@given(columns=st.dictionaries(NAMES, COLUMNS, min_size=1, max_size=5), data=st.data())
def test_a_declaration_that_is_dumped_reads_back_the_same(columns: dict[str, Any], data: st.DataObject) -> None:
    body = {
        "organisation": "acme",
        "table": "t",
        "key": [data.draw(st.sampled_from(sorted(columns)))],
        "columns": columns,
    }
    declaration = Declaration.model_validate(body | {"duplicates": data.draw(st.sampled_from(["reject", "last"]))})
    assert parse_declaration(dump_declaration(declaration), "again.yaml") == declaration


@pytest.mark.parametrize("text", ["\x85", "a\u2028b", "\u2029", "a\nb", "\r", " x ", "\t", "\\x85", '"'])
def test_line_ends_of_any_script_are_dumped_as_they_are(text: str) -> None:
    declaration = Declaration(organisation="acme", table="t", columns={"a": Column(one_of=(text,))})
    assert parse_declaration(dump_declaration(declaration), "again.yaml") == declaration


@given(text=st.text() | st.text("[]{}:,-?&*!|>'\"%@` \n\ta1#.~<="))
def test_no_text_makes_anything_but_a_declaration_error(text: str) -> None:
    with pytest.raises(DeclarationError):
        parse_declaration(text, "any.yaml")


@given(number=EXACT)
def test_a_limit_keeps_every_digit(number: str) -> None:
    text = ORDERS.replace("minimum: 0.1, maximum: 12345678901234567890.12", f"maximum: {number}")
    maximum = parse_declaration(text, "x").columns["amount"].maximum
    assert Decimal(str(maximum)) == Decimal(number)
