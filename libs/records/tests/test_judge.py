"""Judging: typed good rows, and one reject with all reasons for each of the others."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from records.csv.reader import CsvReader, Limits
from records.header import require_match
from records.judge import MAX_RECORD_BYTES, judge
from records.rejects import REJECTS
from waybill_contracts import Declaration

ORDERS = Declaration.model_validate(
    {
        "organisation": "acme",
        "table": "orders",
        "key": ["order_id"],
        "columns": {
            "order_id": {"type": "integer"},
            "customer": {"max_length": 10},
            "amount": {"type": "decimal(12,2)", "minimum": 0},
            "paid": {"type": "boolean"},
            "order_date": {"type": "date"},
            "updated_at": {"type": "timestamp"},
        },
    }
)
HEADER = b"Updated At,Order Date,Paid,Amount,Customer,Order ID\n"
GOOD = b'2024-01-01T10:00:00.5Z,2024-01-01,true,1.5,"Anna ""A""",1\n'


def judged(data, block_bytes=1 << 20, exact=False):
    reader = CsvReader(io.BytesIO(data), Limits(block_bytes=block_bytes), exact=exact)
    parts = [judge(block, ORDERS) for block in reader.blocks(require_match(reader.header, ORDERS))]
    reader.coverage.prove(len(data))
    return pl.concat([part.frame for part in parts]), pl.concat([part.rejects for part in parts])


def test_good_rows_are_typed_in_declared_order_with_their_line():
    frame, rejects = judged(HEADER + b"\n" + GOOD + b",,,,,2\n")
    assert frame.columns == [*ORDERS.columns, "_line"]
    assert frame.rows() == [
        (1, 'Anna "A"', Decimal("1.50"), True, date(2024, 1, 1), datetime(2024, 1, 1, 10, 0, 0, 500_000, UTC), 3),
        (2, None, None, None, None, None, 4),
    ]
    assert rejects.schema == REJECTS
    assert rejects.is_empty()


def test_a_row_with_several_faults_is_one_reject_with_all_reasons():
    frame, rejects = judged(HEADER + b"soon,2024-02-30,maybe,-1,a very long name,\n" + GOOD)
    assert frame["_line"].to_list() == [3]
    (reject,) = rejects.to_dicts()
    assert reject["line"] == 2
    assert reject["raw"] == "soon,2024-02-30,maybe,-1,a very long name,"
    assert dict(zip((reason.split(":")[0] for reason in reject["reasons"]), reject["codes"], strict=True)) == {
        "paid": "wrong_type",
        "order_date": "out_of_range",
        "updated_at": "wrong_type",
        "order_id": "missing",
        "customer": "too_long",
        "amount": "below_minimum",
    }


def test_rejects_of_structure_and_type_come_in_file_order():
    data = HEADER + b"1,2\n" + GOOD + b",,,x,,1\n" + b'a"b\n' + b",,,,,\n" + GOOD
    frame, rejects = judged(data)
    assert frame["_line"].to_list() == [3, 7]
    assert rejects["line"].to_list() == [2, 4, 5, 6]
    assert rejects["codes"].to_list() == [["too_few_fields"], ["wrong_type"], ["quote_in_field"], ["missing"]]


LINES = {
    GOOD: None,
    b"\n": None,
    b"2024-01-01 10:00:00,,,,,2\r\n": None,
    b',,,,"two\nlines",3\n': None,
    b",,,,,x\n": "wrong_type",
    b",,,1.234,,4\n": "too_many_digits",
    b",,,,,\xff\n": "invalid_utf8",
    b",,,,\n": "too_few_fields",
    b',,,,"x"y,1\n': "text_after_quote",
    b",,TRUE,,12345678901,1\n": "too_long",
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(list(LINES)), max_size=25), st.sampled_from([64, 1 << 20]), st.booleans())
def test_each_line_is_judged_alone_whatever_surrounds_it(lines, block_bytes, exact):
    if not lines:
        return
    frame, rejects = judged(HEADER + b"".join(lines), block_bytes, exact)
    assert [codes[0] for codes in rejects["codes"].to_list()] == [LINES[line] for line in lines if LINES[line]]
    assert frame.height == sum(line != b"\n" and not LINES[line] for line in lines)


def test_a_record_too_large_for_a_document_is_a_reject():
    over = b",,,,," + b"0" * (MAX_RECORD_BYTES - 5)
    limits = Limits(field_bytes=1 << 24)
    reader = CsvReader(io.BytesIO(HEADER + over + b"\n" + GOOD), limits)
    parts = [judge(block, ORDERS) for block in reader.blocks(require_match(reader.header, ORDERS))]
    assert [part.rejects["codes"].to_list() for part in parts if part.rejects.height] == [[["record_too_large"]]]
    assert sum(part.frame.height for part in parts) == 1
