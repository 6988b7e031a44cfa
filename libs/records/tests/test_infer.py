"""Inference is lossless: every value of the file it was made from is written back as it stood."""

import io

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from records.columns import canonical
from records.csv.reader import CsvReader, Limits
from records.errors import FileFault
from records.header import business_names
from records.infer import examine, infer, infer_columns
from records.infer_keys import KeyCandidate
from records.infer_types import TypeGuesses
from records.judge import judge
from records.proposals import with_proposal
from waybill_contracts import Column, Declaration


def declared(**fields):
    return Declaration.model_validate({"organisation": "acme", "table": "orders"} | fields)


def written(header, rows):
    """The table as CSV; None is an empty field, an empty text has quotes."""
    lines = [["" if field is None else '"' + field.replace('"', '""') + '"' for field in row] for row in rows]
    return "\r\n".join(",".join(line) for line in [header, *lines]).encode()


def types_of(*columns):
    """The types that are inferred for columns of these values."""
    names = [f"c{number}" for number in range(len(columns))]
    found = infer(reading(written(names, zip(*columns, strict=True))), declared())
    assert list(found.columns) == names
    return [column.type for column in found.columns.values()]


VALUES = {
    "integer": ["0", "-7", "9223372036854775807"],
    "decimal(26,2)": ["0.00", "-1.50", "123456789012345678901234.99"],
    "decimal(34,12)": ["0.123456789012", "9999999999999999999999.000000000000"],
    "float": ["0.5", "12.25", "1.0", "1e-07", "1.5e+300"],
    "boolean": ["true", "false"],
    "date": ["2024-02-29", "0001-01-01"],
    "timestamp": ["2024-02-29T23:59:59.000Z", "0001-01-01T00:00:00.001Z"],
    "timestamp(6)": ["2024-02-29T23:59:59.000000Z", "0001-01-01T00:00:00.000001Z"],
}
TEXTS = [
    *("007", "+1", "-0", "9223372036854775808", " 1", "1 ", "1_000", "1,5", "1.", ".5", "1e3", "1E5", "NaN", "inf"),
    *("-0.00", "00.50", "123456789012345678901234567890.50", "0." + "1" * 34, "True", "TRUE", "t", "yes"),
    *("2024-02-30", "2024-1-1", "01.02.2024", "0000-01-01", "2024-02-29T23:59:59Z", "2024-02-29 23:59:59"),
    *("2024-02-29T23:59:59.000+00:00", "2024-02-29T23:59:60.000Z", "2024-02-29T23:59:59.0000Z", "", "-", "null", "１"),
]


@pytest.mark.parametrize("kind", VALUES)
def test_values_that_a_type_writes_back_as_they_stood_are_of_that_type(kind):
    assert types_of([*VALUES[kind], None], [None, *VALUES[kind]]) == [kind, kind]


@pytest.mark.parametrize("text", TEXTS)
def test_a_value_that_any_type_would_change_makes_its_column_text_wherever_it_stands(text):
    columns = [[*values[:2], text] for values in VALUES.values()] + [[text, *values[:2]] for values in VALUES.values()]
    assert set(types_of(*columns, ["x", text, "x"])) == {"text"}


def test_columns_of_several_shapes_are_text_but_for_numbers_of_differing_fractions():
    assert types_of(["1.50", "2.5"], ["1", "2.5"], ["1.5", "2.25"], ["2024-02-29", "2024-02-29T23:59:59.000Z"]) == [
        *("text", "text", "float", "text")
    ]


def test_a_column_without_any_value_is_text():
    assert types_of([None, None], ["1", "2"]) == ["text", "integer"]


def test_the_file_is_read_to_its_end_before_a_type_is_settled():
    rows = [[str(number), str(number)] for number in range(300_000)]
    data = written(["a", "b"], [*rows, ["1", "007"]])
    assert len(data) > 3 * Limits().block_bytes
    assert [column.type for column in infer(reading(data), declared()).columns.values()] == ["integer", "text"]


shapes = st.sampled_from([value for values in VALUES.values() for value in values] + TEXTS)
numbers = st.integers(-(2**70), 2**70).map(str) | st.decimals(places=3, allow_nan=False, allow_infinity=False).map(str)
floats = st.floats().map(repr)
moments = st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z")
anything = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
kinds = [shapes, numbers, floats, st.dates().map(str), moments, st.booleans().map(lambda is_so: str(is_so).lower())]
column_texts = st.sampled_from([*kinds, anything]).flatmap(lambda texts: st.sampled_from([texts, st.none() | texts]))


@st.composite
def tables(draw):
    """A header and rows; no row is a blank line."""
    names = ["id", *(f"c{number}" for number in range(draw(st.integers(1, 4))))]
    texts = [draw(column_texts | st.just(numbers)) for _ in names]
    rows = draw(st.lists(st.tuples(*texts), min_size=1, max_size=30))
    return names, rows


def reading(data):
    """Begins to read the file, as often as it is called."""
    return lambda: CsvReader(io.BytesIO(data))


def read_back(data, declaration, block_bytes):
    """Every row as canonical texts under the declaration, and the rejects."""
    reader = CsvReader(io.BytesIO(data), Limits(block_bytes=block_bytes))
    judged = [judge(block, declaration) for block in reader.blocks(business_names(reader.header))]
    frame = pl.concat([part.frame for part in judged])
    return list(zip(*(canonical(frame[name]) for name in declaration.columns), strict=True)), pl.concat(
        [part.rejects for part in judged]
    )


@given(tables(), st.sampled_from([16, 1 << 20]))
@example((["id", "c0"], [("1.50", ""), ("2.50", "007"), (None, None)]), 16)
@settings(max_examples=150, deadline=None)
def test_under_the_inferred_declaration_no_row_is_rejected_and_every_value_is_written_as_it_stood(table, block_bytes):
    names, rows = table
    data = written(names, rows)
    declaration = with_proposal(declared(), infer(reading(data), declared()))
    assert declaration.is_complete
    texts, rejects = read_back(data, declaration, block_bytes)
    assert rejects.is_empty()
    assert texts == rows
    ids = [row[0] for row in rows]
    assert (declaration.key == ("id",)) == (None not in ids and len(set(ids)) == len(ids))
    assert declaration.mode == ("upsert" if declaration.key else "append")


@given(st.lists(column_texts.flatmap(lambda texts: st.lists(texts, min_size=6, max_size=6)), min_size=1, max_size=4))
def test_where_the_blocks_of_a_file_end_changes_no_guess(columns):
    names = [f"c{number}" for number in range(len(columns))]
    frame = pl.DataFrame(dict(zip(names, columns, strict=True)), dict.fromkeys(names, pl.String)).with_row_index(
        "_line"
    )
    whole, pieces = TypeGuesses(names), TypeGuesses(names)
    whole.take(frame)
    for piece in frame.iter_slices(1):
        pieces.take(piece)
    assert whole.guesses == pieces.guesses
    assert whole.sentences() == pieces.sentences()


def found_key(data, **fields):
    found = infer(reading(data), declared(**fields))
    return found.key, found.mode


def test_a_column_called_id_is_the_key_before_one_called_after_the_table():
    assert found_key(b"orders_id,id\n1,1\n2,2\n") == (("id",), "upsert")
    assert found_key(b"orders_id,id\n1,1\n2,1\n") == (("orders_id",), "upsert")
    assert found_key(b"order_id,number\n1,1\n2,2\n") == (("order_id",), "upsert")
    assert found_key(b"order_number\n1\n2\n") == ((), "append")


def test_a_key_column_is_required_and_no_other():
    columns = infer(reading(b"id,a\n1,1\n"), declared()).columns
    assert columns == {"id": Column(type="integer", required=True), "a": Column(type="integer")}


@pytest.mark.parametrize("data", [b"id,a\n1,1\n1,2\n", b"id,a\n1,1\n,2\n", b"id,a\n1,1\n2,2\n1,3\n"])
def test_a_column_that_is_empty_or_the_same_twice_is_no_key(data):
    assert found_key(data) == ((), "append")


def test_ids_that_repeat_far_apart_in_a_large_file_are_found():
    ids = [f"order-{number:012}" for number in range(200_000)]
    data = written(["id"], [[text] for text in ids])
    assert found_key(data) == (("id",), "upsert")
    assert found_key(data + b"\r\norder-000000000007\r\n") == ((), "append")


def test_hashes_that_are_the_same_by_chance_spoil_no_key():
    frames = [pl.DataFrame({"id": [text], "_line": [line]}) for line, text in enumerate(["ab", "cd", "efg"])]
    for last, is_key in (("hi", True), ("cd", False)):
        more = [*frames, pl.DataFrame({"id": [last], "_line": [9]})]
        candidate = KeyCandidate("id", hashed=lambda values: values.str.len_bytes().cast(pl.UInt64))
        for frame in more:
            candidate.take(frame)
        assert candidate.is_key(lambda more=more: more) is is_key
    assert candidate.fault == 'id is "cd" on line 1 and on line 9'


def test_a_declared_key_and_mode_are_kept_and_only_columns_are_found():
    assert found_key(b"id,a\n1,1\n", key=["a"]) == (("a",), "upsert")
    assert found_key(b"id,a\n1,1\n", mode="append") == ((), "append")
    assert found_key(b"id,a\n1,1\n", mode="snapshot") == (("id",), "snapshot")


def test_ids_of_a_declared_type_are_the_same_where_their_values_are():
    columns = {"id": {"type": "decimal(6,2)"}}
    assert infer(reading(b"id\n1.0\n2.0\n"), declared(columns=columns)).columns == {}
    assert found_key(b"id\n1.0\n2.0\nx\nx\n", columns=columns) == (("id",), "upsert")
    assert found_key(b"id\n1.0\n1.00\n", columns=columns) == ((), "append")


def test_a_declared_column_is_the_key_under_its_own_name_and_as_its_values_are_read():
    columns = {"id": {"aliases": ["number"], "trim": True}, "note": {}}
    assert found_key(b"number,note\n1,a\n2,a\n", columns=columns) == (("id",), "upsert")
    assert found_key(b"number,note\n1,a\n 1,a\n", columns=columns) == ((), "append")
    assert found_key(b"number,note\n1,a\n ,a\n", columns=columns) == ((), "append")


@pytest.mark.parametrize("column", [{"optional": True}, {"constant": "7"}, {"derived": "note"}])
def test_a_column_that_files_may_lack_or_that_is_not_in_them_is_no_key(column):
    assert found_key(b"id,note\n1,a\n2,a\n", columns={"id": column, "note": {}}) == ((), "append")


def test_types_are_found_for_just_the_columns_that_are_asked_for():
    data = b"id,Paid At,note,ok\n1,2024-01-01,007,true\n"
    found = infer_columns(reading(data), declared(key=["id"], columns={"id": {}}), ["note", "paid_at"])
    assert found == {"note": Column(), "paid_at": Column(type="date")}


@pytest.mark.parametrize(
    ("data", "fields", "code", "words"),
    [
        (b"id,a\n", {}, "nothing_to_infer", "no rows"),
        (b"id,a\n1,2,3\n", {}, "nothing_to_infer", "no rows that can be read"),
        (b"", {}, "empty_file", "no header"),
        (b"a,A\n1,2\n", {}, "doubled_column", "a"),
        (
            b"a\n1\n1\n",
            {"mode": "snapshot"},
            "no_key",
            "no column is called id or orders_id or order_id; declare the key",
        ),
        (b"id\n1\n1\n", {"mode": "snapshot"}, "no_key", 'id is "1" on line 2 and on line 3'),
        (b"id,xmin\n1,1\n", {}, "cannot_infer", "xmin"),
        (b"id\n1\n", {"key": ["number"]}, "cannot_infer", "not declared: number"),
        (b"id,at\n1,0.5\n2,0.25\n", {"order_by": {"column": "at"}}, "cannot_infer", "order_by: expected a column of"),
    ],
)
def test_a_file_from_which_nothing_can_be_known_is_a_fault_that_says_why(data, fields, code, words):
    with pytest.raises(FileFault, match=words) as caught:
        infer(reading(data), declared(**fields))
    assert caught.value.code == code


def test_what_is_uncertain_is_told_with_the_first_value_that_decided_it():
    data = b"zip,paid,price,at,none,name,sum,net\n"
    data += b"010,1,0.5,2024-01-01 10:00:00,,Anna,0.5,0.25\n11,no,0.25,,,7,n/a,0.50\n"
    assert examine(reading(data), declared()).doubts == (
        'zip is text: as integer, "010" on line 2 would become "10"',
        'paid is text: "no" on line 3 is no integer, as all values before it are',
        'price is float: "0.25" on line 3 is no decimal(25,1), as all values before it are',
        'at is text: as timestamp, "2024-01-01 10:00:00" on line 2 would become "2024-01-01T10:00:00.000Z"',
        'sum is text: "n/a" on line 3 is no decimal(25,1), as all values before it are',
        "none is text: it has no value",
        "mode append, each row a record of its own: no column is called id or orders_id or order_id; declare the key",
    )
