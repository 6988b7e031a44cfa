"""The declaration that a data file makes; nothing runs."""

import gzip
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner
from waybill.main import app
from waybill_contracts import Column, Format, parse_declaration

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


def test_a_declaration_is_inferred_that_can_be_applied_as_it_is(data: Path) -> None:
    result = waybill("infer", data, "--to", "acme/orders")
    assert (result.exit_code, result.stderr) == (0, 'zip is text: as integer, "01067" on line 2 would become "1067"\n')
    declaration = parse_declaration(result.stdout, "orders.yaml")
    assert (declaration.dataset, declaration.key, declaration.mode) == ("acme/orders", ("id",), "upsert")
    assert declaration.columns == {
        "id": Column(type="integer", required=True),
        "customer_name": Column(),
        "amount": Column(type="decimal(26,2)"),
        "zip": Column(),
        "paid_at": Column(type="date"),
    }


@pytest.mark.parametrize(
    ("name", "table"),
    [("orders-2026.csv", "orders_2026"), ("2026.csv", "x2026"), ("Größe.csv", "gr_e"), ("a_history.csv", "records")],
)
def test_without_a_name_the_dataset_is_called_after_the_file_and_that_is_said(
    data: Path, name: str, table: str
) -> None:
    result = waybill("infer", data.rename(data.with_name(name)))
    assert parse_declaration(result.stdout, "y").dataset == f"example/{table}"
    assert f"the dataset is called example/{table} until you say another name with --to" in result.stderr


def test_a_file_without_a_key_says_why_it_is_appended(data: Path) -> None:
    data.write_bytes(ORDERS + b"1,Carl,3.00,,\n")
    result = waybill("infer", data, "--to", "acme/orders")
    assert parse_declaration(result.stdout, "y").mode == "append"
    assert 'mode append, each row a record of its own: id is "1" on line 2 and on line 5' in result.stderr


def test_a_file_that_makes_no_declaration_ends_with_1_and_prints_none(data: Path) -> None:
    data.write_bytes(b"id,amount\n")
    result = waybill("infer", data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "orders-2026.csv: nothing_to_infer: the file has no rows" in result.stderr


@pytest.mark.parametrize(
    ("dataset", "words"), [("Orders", "'Orders' is not a dataset"), ("acme/x_history", "does not end in _history")]
)
def test_a_name_that_is_no_dataset_is_wrong_use(data: Path, dataset: str, words: str) -> None:
    result = waybill("infer", data, "--to", dataset)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_a_dialect_that_is_recognised_is_part_of_the_declaration(data: Path) -> None:
    data.write_bytes(gzip.compress(ORDERS.replace(b",", b";")))
    result = waybill("infer", data, "--to", "acme/orders")
    assert result.exit_code == 0
    declaration = parse_declaration(result.stdout, "orders.yaml")
    assert declaration.format == Format(delimiter=";")
    assert list(declaration.columns) == ["id", "customer_name", "amount", "zip", "paid_at"]


def test_a_dialect_in_doubt_is_said_with_every_way_to_read_the_file(data: Path) -> None:
    data.write_bytes(b"Orders of today\n" + ORDERS)
    result = waybill("infer", data, "--to", "acme/orders")
    assert result.exit_code == 0
    said = " ".join(result.stderr.split())
    assert "how it is read is in doubt: it is not read in a usual way; it is read as number 1 of these:" in said
    assert "1: 5 columns (id, Customer Name, amount, zip, paid at) with format: {" in said
    assert parse_declaration(result.stdout, "orders.yaml").format.skip_lines == 1
