"""Business names (conventions.md 7) and the match with a declaration."""

import pytest
from records.errors import FileFault
from records.header import Match, business_name, business_names, match, require_match
from waybill_contracts import Declaration


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("order_id", "order_id"),
        ("OrderID", "order_id"),
        ("orderId", "order_id"),
        ("ORDER ID", "order_id"),
        ("HTTPServer", "httpserver"),
        ("  Amount (EUR) ", "amount_eur"),
        ("a--b__c", "a_b_c"),
        ("_id", "id"),
        ("2nd name", "x2nd_name"),
        ("Größe", "größe"),
        ("Gro\u0308\u00dfe", "größe"),
        ("éÉ", "é_é"),
        ("名前", "名前"),
        ("%", ""),
        ("a\nb", "a_b"),
        ('"; DROP TABLE x; --', "drop_table_x"),
    ],
)
def test_a_header_becomes_a_name_in_snake_case(raw, name):
    assert business_name(raw) == name


@pytest.mark.parametrize(
    ("header", "code", "named"),
    [
        (["a", ""], "bad_header", "2"),
        (["a", "%%"], "bad_header", "2"),
        (["a" * 64], "bad_header", "a" * 63),
        (["é" * 32], "bad_header", "é"),
        (["a", "b", "A"], "doubled_column", "a"),
        (["order id", "order_id"], "doubled_column", "order_id"),
    ],
)
def test_names_that_cannot_stand_beside_each_other_fail_the_file(header, code, named):
    with pytest.raises(FileFault, match=named) as fault:
        business_names(header)
    assert fault.value.code == code


def test_names_of_exactly_63_bytes_are_possible():
    assert business_names(["a" * 63, "é" * 31]) == ["a" * 63, "é" * 31]


ORDERS = Declaration(organisation="acme", table="orders", key=("id",), columns={"id": {}, "amount": {}})


def test_columns_may_come_in_any_order():
    assert require_match(["Amount", "ID"], ORDERS) == ["amount", "id"]


@pytest.mark.parametrize(
    ("header", "code", "message"),
    [
        (["id"], "missing_column", "missing columns: amount"),
        (["id", "amount", "Note"], "unknown_column", "not declared: note"),
        (["id", "note"], "missing_column", "missing columns: amount; columns that are not declared: note"),
        (["id;amount"], "missing_column", "missing columns: id, amount; columns that are not declared: id_amount"),
        (["id", "amount", "ID"], "doubled_column", "more than once: id"),
    ],
)
def test_any_other_set_of_columns_fails_the_file_and_names_them(header, code, message):
    with pytest.raises(FileFault, match=message) as fault:
        require_match(header, ORDERS)
    assert fault.value.code == code


def test_a_message_about_thousands_of_columns_stays_short():
    with pytest.raises(FileFault, match="and 980 more") as fault:
        require_match(["id", "amount", *(f"column {number}" for number in range(1000))], ORDERS)
    assert len(fault.value.message) < 2000


DRIFTING = Declaration.model_validate(
    {
        "organisation": "acme",
        "table": "orders",
        "key": ["id"],
        "columns": {
            "id": {"aliases": ["order_id", "no"]},
            "amount": {},
            "note": {"optional": True, "aliases": ["remark"]},
            "source": {"constant": "shop"},
            "total": {"derived": "id || amount"},
        },
    }
)


@pytest.mark.parametrize(
    ("header", "names", "unknown", "missing"),
    [
        (["ID", "Amount"], ("id", "amount"), (), ()),
        (["Amount", "No", "Remark"], ("amount", "id", "note"), (), ()),
        (["amount", "Price"], ("amount", "price"), ("price",), ("id",)),
        (["Order ID", "note", "x y", "z"], ("id", "note", "x_y", "z"), ("x_y", "z"), ("amount",)),
        (["id", "amount", "source", "total"], ("id", "amount", "source", "total"), ("source", "total"), ()),
    ],
)
def test_what_differs_from_the_declaration_is_said_and_raises_nothing(header, names, unknown, missing):
    found = match(header, DRIFTING)
    assert found == Match(names, unknown, missing)
    assert found.is_exact == (not unknown and not missing)


def test_a_column_under_its_name_and_an_alias_is_there_twice():
    with pytest.raises(FileFault, match="more than once, by name or alias: id") as fault:
        match(["id", "amount", "No"], DRIFTING)
    assert fault.value.code == "doubled_column"
