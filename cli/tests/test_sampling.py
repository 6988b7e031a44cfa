"""What a declaration would make of a data file; nothing runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner
from waybill.main import app

ORDERS = b"""id,Customer Name,amount,zip,paid at
1,Anna,1.50,01067,2026-01-31
2,Ben,12.25,80331,
3,,0.99,,2026-02-01
"""


def waybill(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["dataset", *map(str, words)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "orders-2026.csv"
    path.write_bytes(ORDERS)
    return path


DECLARED = """organisation: acme
table: orders
key: [id]
columns:
  id: {type: integer}
  customer: {}
  amount: {type: "decimal(10,2)", minimum: 0}
"""
SAMPLE = """id,customer,amount
1,Anna,1.5
1,Anna,1.5
2,Ben,-1
3,,2
x,Carl,y
5,Dora,1
5,Emil,1
6
"""


def check(data: Path, sample: str, declared: str = DECLARED) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of the sample's trial."""
    data.write_text(sample)
    declaration = data.with_suffix(".yaml")
    declaration.write_text(declared)
    result = waybill("check", declaration, "--sample", data, "--json")
    return result.exit_code, json.loads(result.stdout)["sample"]


def told(**faults: tuple[str, str | None]) -> dict[str, list[str | None]]:
    """Faults as JSON tells them: each by its code with its reason and its column."""
    reasons, columns = zip(*faults.values(), strict=True)
    return {"codes": [code.rstrip("_") for code in faults], "reasons": [*reasons], "columns": [*columns]}


CONFLICT = told(conflict=("lines 7, 8 have the same key and different content", None))
NEGATIVE = told(below_minimum=('amount: expected at least 0, found "-1"', "amount"))
MISTYPED = told(
    wrong_type=('id: expected integer, found "x"', "id"),
    wrong_type_=('amount: expected decimal(10,2), found "y"', "amount"),
)
SHORT = told(too_few_fields=("1 fields, expected 3", None))
TRIAL = {
    "file": "orders-2026.csv",
    "outcome": "LOADED",
    "reasons": [],
    "remarks": [],
    "drift": {"unknown": [], "missing": [], "likely": {}},
    "rows": {
        "read": 8,
        "inserted": 2,
        "updated": 0,
        "unchanged": 0,
        "duplicate": 1,
        "stale": 0,
        "rejected": 5,
        "deleted": 0,
    },
    "typed": [
        {"line": 2, "values": {"id": "1", "customer": "Anna", "amount": "1.50"}},
        {"line": 5, "values": {"id": "3", "customer": None, "amount": "2.00"}},
    ],
    "rejects": [
        {"line": 4, **NEGATIVE, "raw": "2,Ben,-1", "start": 41, "size": 9},
        {"line": 6, **MISTYPED, "raw": "x,Carl,y", "start": 55, "size": 9},
        {"line": 7, **CONFLICT, "raw": "5,Dora,1", "start": 64, "size": 9},
        {"line": 8, **CONFLICT, "raw": "5,Emil,1", "start": 73, "size": 9},
        {"line": 9, **SHORT, "raw": "6", "start": 82, "size": 2},
    ],
    "repairs": [],
    "format": {
        "type": "csv",
        "encoding": "utf-8",
        "delimiter": ",",
        "quote": '"',
        "line_end": "lf",
        "header": True,
    },
    "candidates": [],
    "warnings": [],
    "scores": {
        "completeness": {"id": 1.0, "customer": 0.8, "amount": 1.0},
        "validity": 0.375,
        "uniqueness": 0.4,
    },
}


def test_a_sample_is_told_as_one_json_document_of_this_shape(data: Path) -> None:
    code, sample = check(data, SAMPLE)
    assert (code, list(sample.pop("declaration")["columns"])) == (0, ["id", "customer", "amount"])
    assert sample == TRIAL


def test_without_a_sample_json_says_what_is_declared(data: Path) -> None:
    path = data.with_suffix(".yaml")
    path.write_text(DECLARED)
    result = waybill("check", path, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["dataset"], told["sample"]) == (0, "acme/orders", None)
    assert told["declaration"]["key"] == ["id"]


def test_people_see_counts_rows_and_rejects_as_tables(data: Path) -> None:
    data.write_text(SAMPLE)
    path = data.with_suffix(".yaml")
    path.write_text(DECLARED)
    result = waybill("check", path, "--sample", data)
    assert result.exit_code == 0
    assert "a good declaration of acme/orders (3 columns, mode upsert, key id)" in result.stderr
    shown = [line.split() for line in result.stdout.splitlines()]
    assert ["rejected", "5"] in shown
    assert ["2", "1", "Anna", "1.50"] in shown
    assert ["customer", "80.00%"] in shown
    assert any(line[:2] == ["9", "82-83"] and "expected 3" in " ".join(line) for line in shown)


def test_too_many_rejects_hold_the_file_and_the_command_ends_with_1(data: Path) -> None:
    code, sample = check(data, SAMPLE, DECLARED + "guards: {min_rows_for_shares: 8}\n")
    assert (code, sample["outcome"]) == (1, "HELD")
    assert [reason["code"] for reason in sample["reasons"]] == ["reject_share"]
    assert sample["rows"]["rejected"] == 5


def test_columns_that_are_not_declared_hold_the_file_and_the_rows_are_shown_as_they_would_be_with_them(
    data: Path,
) -> None:
    code, sample = check(data, "id,customer,amount,paid\n1,Anna,1,2026-01-31\n")
    assert (code, sample["outcome"], sample["drift"]["unknown"]) == (1, "HELD", ["paid"])
    assert [reason["code"] for reason in sample["reasons"]] == ["columns_added"]
    assert sample["declaration"]["columns"]["paid"]["type"] == "date"
    assert sample["typed"] == [
        {"line": 2, "values": {"id": "1", "customer": "Anna", "amount": "1.00", "paid": "2026-01-31"}}
    ]


def test_columns_that_are_accepted_by_policy_hold_nothing_and_are_told(data: Path) -> None:
    code, sample = check(data, "id,customer,amount,paid\n1,Anna,1,\n", DECLARED + "other_columns: accept\n")
    assert (code, sample["outcome"], sample["rows"]["inserted"]) == (0, "LOADED", 1)
    assert sample["remarks"] == ["columns that are not declared: paid; from now on they are (other_columns: accept)"]


def test_columns_that_are_refused_by_policy_refuse_the_file(data: Path) -> None:
    code, sample = check(data, "id,customer,amount,paid\n1,Anna,1,\n", DECLARED + "other_columns: reject\n")
    assert (code, sample["outcome"], sample["rows"]) == (1, "REFUSED", None)
    assert sample["reasons"] == [{"code": "columns_added", "reason": "columns that are not declared: paid"}]


def test_a_column_that_no_declaration_can_have_holds_the_file_and_says_so(data: Path) -> None:
    code, sample = check(data, "id,customer,amount,xmin\n1,Anna,1,\n", DECLARED + "other_columns: accept\n")
    assert (code, sample["outcome"], sample["rows"]) == (1, "HELD", None)
    assert "cannot be declared: columns: 'xmin'" in sample["remarks"][0]


def test_a_missing_column_holds_the_file_and_its_rows_are_shown_without_it(data: Path) -> None:
    code, sample = check(data, "id,client\n1,Anna\n")
    assert (code, sample["outcome"]) == (1, "HELD")
    assert sample["drift"] == {"unknown": ["client"], "missing": ["customer", "amount"], "likely": {}}
    assert sample["typed"][0]["values"] == {"id": "1", "customer": None, "amount": None, "client": "Anna"}


def test_a_missing_key_column_holds_the_file_and_no_rows_can_be_shown(data: Path) -> None:
    code, sample = check(data, "customer,amount\nAnna,1\n")
    assert (code, sample["outcome"], sample["rows"], len(sample["reasons"])) == (1, "HELD", None, 1)


@pytest.mark.parametrize(
    ("sample", "more", "reason"),
    [
        ('id,customer,amount\n1,"Anna,1\n', "", "unclosed_quote"),
        ("id,ID\n1,1\n", "", "doubled_column"),
        ("id,customer,amount\n1,Anna,1\n", "order_by: {file_name: 'day([0-9]+)'}\n", "no_order_value"),
    ],
)
def test_a_file_that_would_fail_ends_with_1_and_says_why(data: Path, sample: str, more: str, reason: str) -> None:
    code, told = check(data, sample, DECLARED + more)
    assert (code, told["outcome"], told["rows"]) == (1, "FAILED", None)
    assert [found["code"] for found in told["reasons"]] == [reason]


def test_what_a_declaration_leaves_open_is_found_in_the_sample(data: Path) -> None:
    code, sample = check(data, ORDERS.decode(), "organisation: acme\ntable: '*'\n")
    assert (code, sample["outcome"], sample["rows"]["inserted"]) == (0, "LOADED", 3)
    assert (sample["declaration"]["table"], sample["declaration"]["key"]) == ("orders_2026", ["id"])
    assert sample["remarks"] == ['zip is text: as integer, "01067" on line 2 would become "1067"']


@pytest.mark.parametrize(
    ("fields", "inserted", "duplicate", "uniqueness"),
    [("mode: append\n", 3, 0, 1.0), ("mode: append\ndeduplicate: true\n", 2, 1, 0.6667)],
)
def test_rows_without_a_key_are_counted_by_what_makes_them_records(
    data: Path, fields: str, inserted: int, duplicate: int, uniqueness: float
) -> None:
    declared = f"organisation: acme\ntable: orders\ncolumns: {{a: {{}}}}\n{fields}"
    _, sample = check(data, "a\nx\ny\nx\n", declared)
    assert (sample["rows"]["inserted"], sample["rows"]["duplicate"]) == (inserted, duplicate)
    assert sample["scores"]["uniqueness"] == uniqueness


def test_a_snapshot_with_a_reject_that_has_no_key_is_held(data: Path) -> None:
    code, sample = check(data, SAMPLE, DECLARED + "mode: snapshot\n")
    assert (code, [reason["code"] for reason in sample["reasons"]]) == (1, ["keyless_rejects"])


def test_rules_that_warn_are_told_with_their_lines_and_rules_about_other_datasets_are_not_checked(data: Path) -> None:
    rules = """rules:
  - {name: has_customer, expect: "customer is not null", severity: warn}
  - {name: known, references: acme/customers, columns: [customer]}
"""
    _, sample = check(data, SAMPLE, DECLARED + rules)
    assert sample["warnings"] == [{"rule": "has_customer", "rows": 1, "lines": [5]}]
    assert sample["remarks"] == ["rules that refer to other datasets are not checked"]


def test_a_file_larger_than_a_block_is_counted_whole(data: Path) -> None:
    rows = "".join(f"{number},customer {number},1\n" for number in range(100_000))
    code, sample = check(data, "id,customer,amount\n" + rows + "7,again,1\n")
    assert (code, sample["rows"]["read"], sample["rows"]["rejected"]) == (0, 100_001, 2)
    assert (sample["scores"]["validity"], len(sample["typed"])) == (1.0, 5)


def test_a_declaration_that_is_none_is_wrong_use_with_and_without_a_sample(data: Path) -> None:
    path = data.with_suffix(".yaml")
    path.write_text(DECLARED.replace("decimal(10,2)", "money"))
    for more in ([], ["--sample", data], ["--json"]):
        result = waybill("check", path, *more)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "columns.amount.type: expected one of" in result.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "(mode upsert; columns and key are found in its first file)"),
        ("key: [id]\n", "(mode upsert; columns are found in its first file)"),
        ("columns: {id: {}}\n", "(mode upsert; key is found in its first file)"),
        ("columns: {id: {}}\nmode: append\n", "(1 columns, mode append, no key)"),
    ],
)
def test_what_a_declaration_leaves_open_is_told(data: Path, more: str, words: str) -> None:
    path = data.with_suffix(".yaml")
    path.write_text("organisation: acme\ntable: orders\n" + more)
    result = waybill("check", path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert words in result.stderr


def test_a_file_whose_name_gives_its_order_is_taken(data: Path) -> None:
    code, sample = check(data, SAMPLE, DECLARED + "order_by: {file_name: 'orders-([0-9]+)'}\n")
    assert (code, sample["rows"]) == (0, TRIAL["rows"])


def test_rows_of_one_key_and_different_order_are_stale_but_for_the_newest(data: Path) -> None:
    declared = DECLARED.replace("customer: {}", "customer: {type: integer}") + "order_by: {column: customer}\n"
    _, sample = check(data, "id,customer,amount\n1,1,1\n1,3,3\n1,2,2\n", declared)
    assert (sample["rows"]["inserted"], sample["rows"]["stale"], sample["rows"]["rejected"]) == (1, 2, 0)
    assert sample["typed"] == [{"line": 3, "values": {"id": "1", "customer": "3", "amount": "3.00"}}]


def test_a_sample_of_another_dialect_is_read_and_the_dialect_is_told(data: Path) -> None:
    code, sample = check(data, "id;customer;amount\n1;Anna;1.50\n2;Ben;2.00\n")
    assert (code, sample["rows"]["inserted"], sample["format"]["delimiter"]) == (0, 2, ";")


def test_a_sample_whose_dialect_is_in_doubt_is_held_and_looked_at_as_what_is_most_plausible(data: Path) -> None:
    headless = "1,Anna,1.50\n2,Ben,2.00\n"
    code, sample = check(data, headless)
    assert (code, sample["outcome"], [reason["code"] for reason in sample["reasons"]]) == (1, "HELD", ["dialect"])
    assert sample["candidates"][0]["format"]["header"] is False
    assert (sample["rows"]["inserted"], sample["declaration"]["format"]["header"]) == (2, False)
