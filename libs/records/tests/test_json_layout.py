"""Lines and arrays: which line a row is on, and which files are refused because it is not sure where rows end."""

import pytest
from records.json.pieces import Limits

from .json_files import read, read_or_refusal


def test_lines_are_physical_and_blank_ones_say_nothing():
    found = read("jsonl", b'\n \t\r\n{"a":1}\r\n\r\n\n  {"a":2} \n{"a":3')
    assert found.header == ["a"]
    assert found.rows == [(3, ["1"]), (6, ["2"])]
    assert found.codes == [(7, ["invalid_json"])]
    assert found.line == 8
    assert found.raw == ['{"a":1}', '  {"a":2} ']
    assert found.spans == [(5, 9), (17, 11)]


@pytest.mark.parametrize(
    ("data", "line"), [(b'{"a":1}', 2), (b'{"a":1}\n', 2), (b'{"a":1}\n\n', 3), (b'{"a":1}\n ', 3)]
)
def test_the_lines_of_a_file_are_counted_with_or_without_an_end_of_the_last(data, line):
    assert read("jsonl", data).line == line
    assert read("json", b"[" + data.replace(b"}", b"}]")).line == line


def test_a_carriage_return_alone_ends_no_line():
    assert read("jsonl", b'{"a":1}\r{"a":2}\n{"a":\r3}\n').codes == [(1, ["text_after_value"])]


def test_a_value_over_several_lines_is_no_row():
    found = read("jsonl", b'{"a":1}\n{\n"a":2\n}\n')
    assert found.rows == [(1, ["1"])]
    assert found.codes == [(2, ["invalid_json"]), (3, ["text_after_value"]), (4, ["invalid_json"])]


def test_rows_of_an_array_are_known_by_their_lines_where_these_tell_them_apart():
    data = b'\n[ {"a":\n1},\n\n{"a":2}\n, 3\n]\n\n'
    found = read("json", data)
    assert [line for line, _ in found.rows] == [2, 5]
    assert found.codes == [(6, ["not_an_object"])]
    assert found.line == 9


@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
def test_rows_of_an_array_that_share_a_line_are_known_by_their_numbers_all_of_them(block_bytes):
    found = read("json", b'[\n{"a":1},\n{"a":2}, 3,\n\n{"a":4}]\n\n', Limits(block_bytes=block_bytes))
    assert [line for line, _ in found.rows] == [1, 2, 4]
    assert found.codes == [(3, ["not_an_object"])]
    assert found.line == 5


@pytest.mark.parametrize("data", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_a_file_without_rows_is_empty(kind, data):
    assert read_or_refusal(kind, data)[0] == "empty_file"
    assert read_or_refusal("json", data + b" [ \n ] ")[0] == "empty_file"


REFUSED = {
    b'{"a":1}': "not_an_array",
    b'{"a":1}\n{"a":2}\n': "not_an_array",
    b"1": "not_an_array",
    b'"[]"': "not_an_array",
    b"[": "unclosed_array",
    b'[{"a":1}': "unclosed_array",
    b'[{"a":1},': "unclosed_array",
    b'[{"a":1},{"a":2': "unclosed_array",
    b'[{"a":"1},{"a":"2"}]': "unclosed_array",
    b'[{"a":"x"y"},{"a":2}]': "unclosed_array",
    b'[{"a":"1"},{"a":"2}]': "unclosed_array",
    b'[{"a":"]"},{"a":"\\"}]': "unclosed_array",
    b'[{"a":1}]]': "text_after_array",
    b'[{"a":1}] x': "text_after_array",
    b'[{"a":1}][{"a":2}]': "text_after_array",
    b'[{"a":1}],': "text_after_array",
    b"[,]": "bad_array",
    b'[{"a":1},]': "bad_array",
    b'[,{"a":1}]': "bad_array",
    b'[{"a":1},,{"a":2}]': "bad_array",
    b'[{"a":1}}': "bad_array",
    b'[{"a":1}},{"a":2}]': "bad_array",
    b'[{"a":1]': "unclosed_array",
    b'[{"a":1],{"a":2}]': "bad_array",
    b'[{"a":[1},{"b":2]},{"c":3}]': "bad_array",
    b'[{"a":[1},{"a":2}]': "unclosed_array",
    b'[{"a":1} {"a":2}]': "bad_array",
    b'[{"a":1,} {"a":2}]': "bad_array",
    b'[{"a":1} x,{"a":2}]': "bad_array",
    b'[x {"a":1},{"a":2}]': "bad_array",
    b'[{"a":1}{"a":2}]': "bad_array",
    b'[1 2,{"a":2}]': "bad_array",
    b'["x" "y",{"a":2}]': "bad_array",
    b'[{"a":"x}, {"b":"y"}, {"c":"z}, {"d":1}]': "bad_array",
    b'[{"a":"x"y"z"},{"a":2}]': "bad_array",
    b'[{\\"a\\":1}]': "bad_array",
    b'[{"a":1}\\,{"a":2}]': "bad_array",
}


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: data.decode())
@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
def test_an_array_in_which_it_is_not_sure_where_rows_end_is_refused(data, block_bytes):
    code, message = read_or_refusal("json", data, Limits(block_bytes=block_bytes))
    assert (code, bool(message)) == (REFUSED[data], True)
    # The rows before it make no difference.
    if code != "not_an_array":
        many = b"[" + b'{"a":"x,\\"]}"},\n' * 50 + data.removeprefix(b"[")
        assert read_or_refusal("json", many, Limits(block_bytes=block_bytes))[0] == code


def test_a_refusal_says_where_and_what():
    data = b'[\n{"a":1},\n{"a":"x"y"z"},\n{"a":"z"}\n]'
    code, message = read_or_refusal("json", data)
    assert code == "bad_array"
    assert message.startswith("it is in doubt where the row that starts on line 3 ends: ")
    assert "at byte 19 of the file" in message
    assert read_or_refusal("json", b'{"rows":[]}')[1].startswith("the file is an object, expected an array of objects")


@pytest.mark.parametrize("size", [100_000, 3_000_000, 15_000_000])
@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_a_row_larger_than_a_block_comes_whole(kind, size):
    value = b',"]}\\\\\\"' * (size // 10)
    value = value.replace(b'"', b'\\"').replace(b'\\\\"', b'\\"')
    rows = [b'{"a":"' + value + b'"}', b'{"a":"x"}']
    data = b"\n".join(rows) if kind == "jsonl" else b"[" + b",\n".join(rows) + b"]"
    found = read(kind, data, Limits(block_bytes=1 << 16))
    assert found.raw == [row.decode() for row in rows]
    assert found.rejects == []
