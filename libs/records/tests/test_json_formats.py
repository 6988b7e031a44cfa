"""JSON Lines and JSON: what was written comes back, whatever is read is accounted for, and a fault is its row's own."""

import io
import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from records.encodings import as_utf8
from records.errors import FileFault
from records.formats import open_reader
from records.json.pieces import Limits
from waybill_contracts.format import Format

from .json_files import ROWS, read, read_or_refusal, text_of, write

KINDS = pytest.mark.parametrize("kind", ["jsonl", "json"])
SMALL = st.sampled_from([1, 16, 100, 1 << 20])
SPACES = st.sampled_from(["", " ", "\t", "\r", "  \t"])
LINES = SPACES | st.sampled_from(["\n", "\r\n", "\n\n  "])


def written(kind, rows, space, is_ascii):
    """With this white space wherever there may be any."""

    def one(row):
        texts = json.dumps(row, ensure_ascii=is_ascii, separators=(f"{space},{space}", f"{space}:{space}"))
        return f"{space}{texts}{space}"

    if kind == "jsonl":
        return "".join(f"{one(row)}\n" for row in rows).encode()
    return f"{space}[{','.join(map(one, rows))}]{space}".encode()


def require_same(found, rows):
    header = list(dict.fromkeys(key for row in rows for key in row))
    assert found.header == header
    assert found.rejects == []
    for row, (_, texts) in zip(rows, found.rows, strict=True):
        for key, text in zip(header, texts, strict=True):
            value = row.get(key)
            if isinstance(value, list | dict):
                assert json.loads(text, parse_int=float) == value
            else:
                assert text == text_of(value)


@given(ROWS, SPACES, st.booleans(), SMALL)
@example([{}], "", True, 16)
def test_any_table_written_as_json_lines_comes_back(rows, space, is_ascii, block_bytes):
    found = read("jsonl", written("jsonl", rows, space, is_ascii), Limits(block_bytes=block_bytes))
    require_same(found, rows)
    assert [line for line, _ in found.rows] == list(range(1, len(rows) + 1))


@given(ROWS, LINES, st.booleans(), SMALL)
def test_any_table_written_as_an_array_comes_back(rows, space, is_ascii, block_bytes):
    require_same(read("json", written("json", rows, space, is_ascii), Limits(block_bytes=block_bytes)), rows)


@given(ROWS, st.sampled_from([None, 0, 1, "\t"]))
def test_any_table_that_is_pretty_printed_has_the_lines_where_its_rows_begin(rows, indent):
    data = json.dumps(rows, indent=indent).encode()
    found = read("json", data)
    require_same(found, rows)
    lines = [data[:start].count(b"\n") + 1 for start, _ in found.spans]
    numbers = list(range(1, len(rows) + 1))
    assert [line for line, _ in found.rows] == (lines if len(set(lines)) == len(lines) else numbers)


@KINDS
@given(rows=ROWS.filter(lambda rows: all(-(2**63) <= v < 2**64 for r in rows for v in r.values() if type(v) is int)))
def test_any_table_written_by_orjson_comes_back(kind, rows):
    texts = [orjson.dumps(row) for row in rows]
    found = read(kind, b"\n".join(texts) if kind == "jsonl" else orjson.dumps(rows))
    # Numbers stand as their writer wrote them.
    plain = [{key: value for key, value in row.items() if type(value) is not float} for row in rows]
    require_same(found._replace(header=[]), [{}] * len(rows)) if not any(rows) else None
    for row, (_, values) in zip(plain, found.rows, strict=True):
        assert [values[found.header.index(key)] for key in row if not isinstance(row[key], list | dict)] == [
            text_of(value) for value in row.values() if not isinstance(value, list | dict)
        ]


GOOD = [b'{"a":1,"b":"x"}', b'{"b":"y\\n","a":-0.50}', b'{ "c" : null }', b"{}"]
FAULTY = {
    b"1": "not_an_object",
    b'"a"': "not_an_object",
    b"null": "not_an_object",
    b'[{"a":1}]': "not_an_object",
    b'{"a":1,"a":2}': "doubled_key",
    b'{"a":NaN}': "not_finite",
    b'{"a":[-Infinity]}': "not_finite",
    b'{"a":"\\ud800"}': "lone_surrogate",
    b'{"a":"\xff"}': "invalid_utf8",
    b'{"a":"\xed\xa0\x80"}': "invalid_utf8",
    b'{"a":"\t"}': "control_character",
    b'{"a":"\0"}': "nul",
    b'{"a":"x\\u0000"}': "nul",
    b'{"a":[{"\\u0000":1}]}': "nul",
    b'{"\\u0000":1}': "nul",
    b'{"a":[1e400]}': "number_not_exact",
    b'{"a":{"b":9007199254740993}}': "number_not_exact",
    b'{"a":' + b"[" * 100 + b"]" * 100 + b"}": "too_deep",
    b'{"a":tru}': "invalid_json",
    b'{"a":1,}': "invalid_json",
    b'{"a" "b"}': "invalid_json",
    b'{"a":1 "b":2}': "invalid_json",
    b'{"a":01}': "invalid_json",
    b'{"a":"\\x"}': "invalid_json",
    b"{a:1}": "invalid_json",
    b'{"a":\xef\xbb\xbf1}': "byte_order_mark",
}


@KINDS
@given(lines=st.lists(st.sampled_from([*GOOD, *FAULTY]), min_size=1, max_size=12), block_bytes=SMALL)
@example(lines=list(FAULTY), block_bytes=16)
def test_a_fault_rejects_its_own_row_and_changes_no_other(kind, lines, block_bytes):
    data = write(kind, lines)
    found = read(kind, data, Limits(block_bytes=block_bytes))
    good = [json.loads(line, parse_float=str, parse_int=str) for line in lines if line not in FAULTY]
    rows = [
        {key: text for key, text in zip(found.header, texts, strict=True) if text is not None}
        for _, texts in found.rows
    ]
    assert rows == [{key: value for key, value in row.items() if value is not None} for row in good]
    assert found.header == list(dict.fromkeys(key for row in good for key in row))
    assert [reject["codes"] for reject in found.rejects] == [[FAULTY[line]] for line in lines if line in FAULTY]
    refused = [data[reject["start"] : reject["start"] + reject["size"]].rstrip(b"\n") for reject in found.rejects]
    assert refused == [line for line in lines if line in FAULTY]
    shown = [line.decode(errors="backslashreplace").replace("\0", "\\x00") for line in refused]
    assert [reject["raw"] for reject in found.rejects] == shown
    first = data.index(lines[0])
    begins = [data[:first].count(b"\n") + 1 + number for number in range(len(lines))]
    known = sorted([line for line, _ in found.rows] + [line for line, _ in found.codes])
    assert known == begins


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(0, 3), st.sampled_from([*'{}[]",:\\ \n\r\t\0', "é", "\ufeff", "nul", '"x"'])
    ),
    max_size=3,
)


@KINDS
@given(rows=ROWS, changes=MUTATIONS, is_ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_a_file_with_planted_faults_is_the_same_in_small_blocks_and_all_of_it_is_accounted_for(
    kind, rows, changes, is_ascii, indent
):
    if kind == "json":
        text = json.dumps(rows, ensure_ascii=is_ascii, indent=indent)
    else:
        text = "\n".join(json.dumps(row, ensure_ascii=is_ascii) for row in rows)
    for at, gone, put in changes:
        text = text[:at] + put + text[at + gone :]
    require_same_in_small_blocks(kind, text.encode())


@KINDS
@given(data=st.binary(max_size=200) | st.text('{}[]",:\\u0d8 \n\r1etrufalsn\0', max_size=120).map(str.encode))
def test_any_bytes_are_the_same_in_small_blocks_and_all_of_them_are_accounted_for(kind, data):
    require_same_in_small_blocks(kind, data if kind == "jsonl" else b"[" + data)


def require_same_in_small_blocks(kind, data):
    whole = read_or_refusal(kind, data)
    assert read_or_refusal(kind, data, Limits(block_bytes=16)) == whole
    if not isinstance(whole, tuple) or len(whole) != 2:
        spans = sorted([*whole.spans, *((reject["start"], reject["size"]) for reject in whole.rejects)])
        between, at = [], 0
        for start, size in spans:
            between.append(data[at:start])
            at = start + size
        between.append(data[at:])
        allowed = b" \t\r\n" + (b"[,]" if kind == "json" else b"")
        # A byte-order mark belongs to no row.
        assert not b"".join(between).removeprefix(b"\xef\xbb\xbf").strip(allowed)


@KINDS
def test_a_key_is_a_column_wherever_in_the_file_it_appears_first_but_not_in_a_reject(kind):
    rows = [b'{"a":1}'] * 5000 + [b'{"bad":1,"bad":2}', b'{"worse":1e400,"list":[1e400]}', b'{"b":2}']
    found = read(kind, write(kind, rows), Limits(block_bytes=1000))
    assert found.header == ["a", "b"]
    assert found.rows[0][1] == ["1", None]
    assert found.rows[-1][1] == [None, "2"]
    assert [codes for _, codes in found.codes] == [["doubled_key"], ["number_not_exact"]]


@KINDS
def test_values_are_texts_as_they_stand_and_what_has_none_is_canonical(kind):
    row = b'{"s":"","n":-0.50e1,"t":true,"f":false,"z":null,"l":[1.0, {"b":2,"a":"\\u00e4"}],"o":{}}'
    found = read(kind, write(kind, [row, b"{}"]))
    assert found.rows[0][1] == ["", "-0.50e1", "true", "false", None, '[1,{"a":"ä","b":2}]', "{}"]
    assert found.rows[1][1] == [None] * 7
    assert found.raw == [row.decode(), "{}"]


@KINDS
def test_each_fault_of_a_row_is_told_with_its_column(kind):
    row = b'{"firstName":[1e400],"x":"\\u0000","y":{"a":12345678901234567890},"x2":1}'
    data = write(kind, [b'{"x":1}', row, b'{"b":{"c":1,"c":2}}', b'\t{"a":"\xc3\xa4\xff"}'])
    source = io.BytesIO(data)
    (block,) = open_reader(source, Format(type=kind)).blocks(["called"])
    doubled = data.rindex(b'"c"')
    told = block.rejects.select("codes", "columns", "reasons").rows()
    assert told == [
        (
            ["nul", "number_not_exact", "number_not_exact"],
            ["called", "first_name", "y"],
            [
                "NUL in a string",
                "1e400 is beyond the range of a double",
                "12345678901234567890 has more digits than a double holds",
            ],
        ),
        (["doubled_key"], ["b"], [f'the key "c" appears again at byte {doubled} of the file']),
        (["invalid_utf8"], [None], [f"invalid UTF-8 at byte {data.index(0xFF)} of the file"]),
    ]


@KINDS
def test_sizes_and_places_are_those_of_the_senders_file_in_any_encoding(kind):
    rows = ['{"a":"äöü"}', '{"a":"😀",}', '{"b":"\U0001f69a"}']
    text = write(kind, [row.encode() for row in rows]).decode()
    data = text.encode("utf-16")
    found = read(kind, as_utf8(io.BytesIO(data), "utf-16"))
    assert found.header == ["a", "b"]
    cut = [data[start : start + size].decode("utf-16-le").rstrip("\n") for start, size in found.spans]
    assert cut == [rows[0], rows[2]]
    (reject,) = found.rejects
    assert data[reject["start"] : reject["start"] + reject["size"]].decode("utf-16-le").rstrip("\n") == rows[1]
    at = len(text[: text.index(",}") + 1].encode("utf-16"))
    assert reject["reasons"] == [f"no JSON: expected a key in double quotes at byte {at} of the file"]


@KINDS
def test_a_byte_order_mark_begins_the_file_and_no_row(kind):
    found = read(kind, b"\xef\xbb\xbf" + write(kind, [b'{"a":1}']))
    assert found.header == ["a"]
    for data in ("{}".encode("utf-16"), "{}".encode("utf-32")):
        assert read_or_refusal(kind, data)[0] == "invalid_utf8"


@KINDS
@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_a_row_may_be_as_long_as_its_limit(kind, block_bytes):
    limits = Limits(block_bytes=block_bytes, record_bytes=1000)
    # The line end counts, be it before or behind the row.
    data = write(kind, [b'{"a":1}', b'{"a":"' + b"x" * 991 + b'"}', b"{}"])
    assert len(read(kind, data, limits).rows) == 3
    data = data.replace(b"xx", b"xxx", 1)
    code, message = read_or_refusal(kind, data, limits)
    assert code == "record_too_long"
    assert "1000 bytes" in message


@KINDS
def test_keys_are_limited_in_number_and_length(kind):
    many = write(kind, [b'{"k%d":1}' % number for number in range(1001)])
    assert read_or_refusal(kind, many)[0] == "too_many_columns"
    long = write(kind, [b'{"%s%d":1}' % (b"k" * 200_000, number) for number in range(6)])
    assert read_or_refusal(kind, long)[0] == "header_too_long"


@KINDS
def test_columns_have_business_names_of_which_none_may_be_doubled(kind):
    reader = open_reader(io.BytesIO(write(kind, [b'{"orderId":1,"Total Amount":2}'])), Format(type=kind))
    (block,) = reader.blocks()
    assert block.frame.columns == ["order_id", "total_amount", "_line"]
    reader = open_reader(io.BytesIO(write(kind, [b'{"orderId":1}', b'{"order_id":2}'])), Format(type=kind))
    with pytest.raises(FileFault, match="order_id"):
        next(reader.blocks())


@KINDS
def test_a_file_of_rejects_alone_has_no_columns_and_all_of_them(kind):
    found = read(kind, write(kind, [b"1", b'{"a":1,"a":1}', b"2"]))
    assert (found.header, found.rows) == ([], [])
    assert [line for line, _ in found.codes] == ([1, 2, 3] if kind == "jsonl" else [2, 3, 4])


@KINDS
def test_a_large_file_of_the_smallest_values_comes_in_small_blocks(kind):
    data = b"1\n" * 100_000 if kind == "jsonl" else b"[" + b"1," * 100_000 + b"1]"
    reader = open_reader(io.BytesIO(data), Format(type=kind))
    heights = [block.rejects.height for block in reader.blocks()]
    assert sum(heights) == 100_000 + (kind == "json")
    assert max(heights) <= 1 << 15
    reader.prove()
