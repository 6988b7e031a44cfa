"""Columns as declared: trimmed, renamed, missing, constant, derived; and rules about rows of them."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from records.csv.reader import CsvReader
from records.errors import FileFault
from records.header import match
from records.judge import WARNINGS, judge
from records.transform import MAX_MADE_BYTES
from waybill_contracts import Declaration


def declare(columns, key=("id",), **fields):
    return Declaration.model_validate(
        {"organisation": "acme", "table": "orders", "key": key, "columns": {"id": {"type": "integer"}} | columns}
        | fields
    )


def judged(data, declaration, block_bytes=1 << 20):
    """Judged parts of a file, put together, as dictionaries by line."""
    reader = CsvReader(io.BytesIO(data.encode()))
    parts = [judge(block, declaration) for block in reader.blocks(match(reader.header, declaration).names)]
    return [
        pl.concat([getattr(part, name) for part in parts]) for name in ("frame", "rejects", "warnings", "rejected_keys")
    ]


def column(data, name, declared):
    """The values of one column beside `id`, and the codes of the rejects."""
    frame, rejects, *_ = judged(data, declare({name: declared}))
    return frame[name].to_list(), rejects["codes"].to_list()


@pytest.mark.parametrize(
    ("cell", "trim", "value"),
    [
        ("  a b\t", True, "a b"),
        ('"  a "', True, "a"),
        ("\u00a0a\u2003", True, "a"),
        ("  ", True, None),
        ('"  "', True, None),
        ('""', True, None),
        ("", True, None),
        ("  a ", False, "  a "),
        ('""', False, ""),
    ],
)
def test_blanks_around_a_trimmed_value_are_no_part_of_it_and_nothing_is_null(cell, trim, value):
    assert column(f"id,t\n1,{cell}\n", "t", {"trim": trim}) == ([value], [])


def test_a_value_is_trimmed_before_it_is_typed_and_judged():
    data = 'id,n\n1, 5 \n2," 7"\n3,  \n4, x \n5, 4 \n'
    values, codes = column(data, "n", {"type": "integer", "minimum": 5, "trim": True})
    assert (values, codes) == ([5, 7, None], [["wrong_type"], ["below_minimum"]])
    assert column("id,n\n1, \n", "n", {"trim": True, "required": True}) == ([], [["missing"]])
    assert column("id,n\n1, 5\n", "n", {"type": "integer"}) == ([], [["wrong_type"]])


def test_a_column_under_another_name_is_the_column():
    columns = {"id": {"type": "integer", "aliases": ["no"]}, "note": {"aliases": ["remark"], "trim": True}}
    frame, rejects, *_ = judged("Remark,No\n x,1\n", declare(columns))
    assert frame.rows() == [(1, "x", 2)]
    assert rejects.is_empty()


def test_an_optional_column_that_the_file_lacks_is_null_and_breaks_no_rule():
    columns = {"day": {"type": "date", "optional": True, "required": True}, "t": {"optional": True, "trim": True}}
    frame, rejects, *_ = judged("id\n1\n", declare(columns))
    assert frame.schema == {"id": pl.Int64, "day": pl.Date, "t": pl.String, "_line": pl.Int64}
    assert frame.rows() == [(1, None, None, 2)]
    assert rejects.is_empty()
    assert judged("id,day,t\n1,,x\n", declare(columns))[1]["codes"].to_list() == [["missing"]]


def test_a_column_that_must_be_there_is_never_taken_for_null():
    with pytest.raises(FileFault, match="missing columns: day"):
        judged("id\n1\n", declare({"day": {"type": "date"}, "t": {"optional": True}}))


def test_columns_that_are_not_declared_are_left_out_whatever_their_name():
    columns = {"source": {"constant": "shop"}, "twice": {"type": "integer", "derived": "id * 2"}}
    frame, *_ = judged("x,source,id,twice\n9,file,1,7\n", declare(columns))
    assert frame.rows(named=True) == [{"id": 1, "source": "shop", "twice": 2, "_line": 2}]
    assert judged("x,id\n9,1\n", declare({}))[0].rows() == [(1, 2)]


@pytest.mark.parametrize(
    ("declared", "constant", "value"),
    [
        ("text", "", ""),
        ("integer", "-5", -5),
        ("decimal(12,2)", "1.5", Decimal("1.50")),
        ("float", "1e3", 1000.0),
        ("boolean", "true", True),
        ("date", "2024-02-29", date(2024, 2, 29)),
        ("timestamp", "2024-02-29T10:00:00+01:00", datetime(2024, 2, 29, 9, tzinfo=UTC)),
    ],
)
def test_a_constant_is_in_every_row_in_its_type(declared, constant, value):
    frame, *_ = judged("id\n1\n2\n", declare({"c": {"type": declared, "constant": constant}}))
    assert frame["c"].to_list() == [value, value]


TOTALS = {
    "amount": {"type": "decimal(12,2)"},
    "quantity": {"type": "integer"},
    "currency": {"constant": "EUR"},
    "total": {"type": "decimal(6,2)", "derived": "round(amount * quantity, 2)", "maximum": 5000},
    "each": {"type": "decimal(12,2)", "derived": "round(amount / quantity, 2)"},
    "label": {"derived": "currency || ' ' || cast(amount as text)", "required": True},
}


def test_derived_columns_are_of_their_type_or_reject_their_row():
    data = "id,amount,quantity\n1,10.05,3\n2,1,0\n3,9999,2\n4,2000,3\n5,,1\n6,x,1\n7,1,9223372036854775807\n"
    frame, rejects, *_ = judged(data, declare(TOTALS))
    assert frame.drop("_line").rows() == [
        (1, Decimal("10.05"), 3, "EUR", Decimal("30.15"), Decimal("3.35"), "EUR 10.05"),
    ]
    assert rejects["codes"].to_list() == [
        ["not_computed"],
        ["out_of_range"],
        ["above_maximum"],
        ["missing"],
        ["wrong_type"],
        ["out_of_range"],
    ]
    reasons = [reason for (reason,) in rejects["reasons"].to_list()]
    assert reasons[0].startswith("each: no result in this row: division by zero")
    assert reasons[1] == 'total: expected decimal(6,2), found "19998.00"'
    assert reasons[2] == 'total: expected at most 5000, found "6000.00"'
    assert reasons[3] == "label: a value is required"
    assert reasons[4] == 'amount: expected decimal(12,2), found "x"'


@pytest.mark.parametrize(
    ("declared", "expression", "value"),
    [
        ("integer", "cast(amount as decimal(12,0))", 3),
        ("integer", "round(amount)", 3),
        ("decimal(12,2)", "id", Decimal("1.00")),
        ("float", "amount", 2.5),
        ("float", "0 * -cast(id as float)", 0.0),
        ("boolean", "amount > 2", True),
        ("text", "case when amount > 100 then 'many' end", None),
    ],
)
def test_a_derived_number_widens_to_the_declared_type(declared, expression, value):
    columns = {"amount": {"type": "decimal(12,2)"}, "made": {"type": declared, "derived": expression}}
    frame, *_ = judged("id,amount\n1,2.5\n", declare(columns))
    assert frame["made"].to_list() == [value]
    assert str(frame["made"][0]) == str(value)


def test_texts_that_are_derived_cannot_outgrow_a_document():
    columns = {"t": {}, **{f"copy{number}": {"derived": "lower(t)"} for number in range(5)}}
    fits, over = "x" * (MAX_MADE_BYTES // 5), "y" * (MAX_MADE_BYTES // 5 + 1)
    frame, rejects, *_ = judged(f"id,t\n1,{fits}\n2,{over}\n", declare(columns))
    assert frame["id"].to_list() == [1]
    assert rejects["codes"].to_list() == [["record_too_large"]]


def rule(expect, name="rule_a", severity="reject"):
    return {"name": name, "expect": expect, "severity": severity}


AMOUNTS = {"amount": {"type": "decimal(12,2)"}, "reason": {}}


def test_a_row_where_a_rule_is_false_is_rejected_and_one_where_it_is_null_is_not():
    data = "id,amount,reason\n1,5,\n2,-5,\n3,-5,sent back\n4,,\n"
    frame, rejects, warnings, _ = judged(data, declare(AMOUNTS, rules=[rule("amount >= 0 or reason is not null")]))
    assert frame["id"].to_list() == [1, 3, 4]
    frame, rejects, warnings, _ = judged(data, declare(AMOUNTS, rules=[rule("amount >= 0 or reason = 'sent back'")]))
    assert frame["id"].to_list() == [1, 2, 3, 4]
    assert (rejects.height, warnings.height, warnings.schema) == (0, 0, WARNINGS)


def test_the_reason_of_a_reject_by_a_rule_says_what_was_expected_and_found():
    _frame, rejects, *_ = judged(
        "id,amount,reason\n1,-5,\n", declare(AMOUNTS, rules=[rule("amount >= 0 or reason is not null")])
    )
    (reject,) = rejects.to_dicts()
    assert reject["codes"] == ["rule:rule_a"]
    assert reject["reasons"] == [
        'rule rule_a: expected amount >= 0 or reason is not null; found amount "-5.00", reason null'
    ]


def test_a_warning_keeps_the_row_and_names_its_line_unless_the_row_is_rejected():
    rules = [rule("amount >= 0", "a", "warn"), rule("reason <> 'x'", "b", "warn"), rule("id < 5", "c")]
    data = "id,amount,reason\n1,-1,x\n2,1,y\n3,-1,\n9,-1,x\n4,-1,x\n"
    frame, rejects, warnings, _ = judged(data, declare(AMOUNTS, rules=rules))
    assert frame["id"].to_list() == [1, 2, 3, 4]
    assert warnings.rows() == [(2, "a"), (2, "b"), (4, "a"), (6, "a"), (6, "b")]
    assert rejects["codes"].to_list() == [["rule:c"]]


def test_a_rule_without_a_result_is_broken():
    data = "id,amount,reason\n0,1,\n2,1,\n"
    frame, rejects, warnings, _ = judged(
        data, declare(AMOUNTS, rules=[rule("amount / id < 5"), rule("1 / id < 5", "w", "warn")])
    )
    assert frame["id"].to_list() == [2]
    assert "no result in this row" in rejects["reasons"].to_list()[0][0]
    assert warnings.is_empty()


def test_a_rule_says_nothing_of_a_row_whose_value_has_a_fault_itself():
    rules = [rule("amount is not null"), rule("id > 100", "b"), rule("twice is not null", "c")]
    columns = AMOUNTS | {"twice": {"type": "decimal(14,2)", "derived": "amount * 2", "required": True}}
    _, rejects, *_ = judged("id,amount,reason\n1,x,\n", declare(columns, rules=rules))
    assert rejects["codes"].to_list() == [["wrong_type", "rule:b"]]


def test_a_rule_sees_constants_derived_columns_and_columns_the_file_lacks():
    columns = {
        "source": {"constant": "shop"},
        "note": {"optional": True},
        "twice": {"type": "integer", "derived": "id * 2"},
    }
    rules = [rule("source = 'shop' and note is null and twice < 4"), rule("'shop' = source", "b")]
    frame, rejects, *_ = judged("id\n1\n2\n", declare(columns, rules=rules))
    assert frame["id"].to_list() == [1]
    assert rejects["reasons"].to_list()[0][0].endswith('found source "shop", note null, twice "4"')


def test_the_keys_of_rejected_rows_are_known_where_they_can_be_read():
    columns = {"day": {"type": "date"}, "n": {"type": "integer", "minimum": 0}}
    bad = "1,2024-01-01,x\n2,soon,1\nx,2024-01-01,1\n,2024-01-01,1\n3,2024-01-02,-1\n4,2024-01-01\n"
    data = f"id,day,n\n{bad}5,2024-01-03,1\n"
    frame, rejects, _, keys = judged(data, declare(columns, key=["day", "id"]))
    assert frame["id"].to_list() == [5]
    assert rejects.height == 6
    assert keys.rows(named=True) == [
        {"_line": 2, "day": date(2024, 1, 1), "id": 1},
        {"_line": 6, "day": date(2024, 1, 2), "id": 3},
    ]
    assert judged("id,day,n\n5,2024-01-03,1\n", declare(columns, key=["day", "id"]))[3].schema == keys.schema


@pytest.mark.parametrize("field", ["expect", "derived", "constant"])
def test_a_declaration_that_cannot_be_kept_fails_its_files_and_names_the_field(field):
    bad = {
        "expect": declare({}, rules=[rule("sum(id) > 1")]),
        "derived": declare({"made": {"derived": "id"}}),
        "constant": declare({"made": {"type": "integer", "constant": "x"}}),
    }
    with pytest.raises(FileFault, match=rf"(rules\.rule_a|columns\.made)\.{field}: ") as fault:
        judged("id\n1\n", bad[field])
    assert fault.value.code == "bad_declaration"


def test_a_block_without_good_records_is_judged_too():
    declaration = declare(TOTALS, rules=[rule("total > 0"), rule("label <> ''", "w", "warn")])
    frame, rejects, warnings, keys = judged("id,amount,quantity\n1,2\n", declaration)
    assert (frame.height, rejects.height, warnings.height, keys.height) == (0, 1, 0, 0)
    assert frame.columns == [*declaration.columns, "_line"]
