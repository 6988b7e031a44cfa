"""Each limit is possible itself, and one more is refused, however much is read at a time."""

import io

import pytest
from records.csv.reader import CsvReader, Limits
from records.errors import FileFault
from waybill_contracts import Format

PATHS = pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
BLOCKS = pytest.mark.parametrize("block_bytes", [1, 7, 16, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 1 << 20])
"""Also such that a block ends between CR and LF behind 40 bytes."""
ENDS = pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])


def lines_of(data, limits, exact=False, names=(), **dialect):
    """The lines of the rows, and the codes of the rejects."""
    reader = CsvReader.of_format(io.BytesIO(data), Format(**dialect), names, limits, exact=exact)
    blocks = [*reader.blocks([str(number) for number in range(len(reader.header))])]
    reader.coverage.prove(len(data))
    codes = [code for block in blocks for codes in block.rejects["codes"] for code in codes]
    return [line for block in blocks for line in block.frame["_line"]], codes


def refusal(data, limits, exact=False, **dialect):
    """Code and message with which the file is refused."""
    with pytest.raises(FileFault) as fault:
        lines_of(data, limits, exact, **dialect)
    return fault.value.code, fault.value.message


@PATHS
@BLOCKS
@ENDS
@pytest.mark.parametrize("field", [b"x" * 40, b'"' + b"x" * 38 + b'"'], ids=["bare", "quoted"])
def test_a_field_may_be_as_long_as_its_limit(exact, block_bytes, end, field):
    limits = Limits(block_bytes, field_bytes=len(field))
    for row in (field + b",1", b"1," + field):
        data = end.join([b"a,b", row, b"2,3", b""])
        assert lines_of(data, limits, exact) == ([2, 3], [])
        longer = data.replace(b"x" * 30, b"x" * 31)
        assert lines_of(longer, limits, exact) == ([3], ["field_too_long"])


@PATHS
@BLOCKS
@ENDS
def test_a_line_may_be_as_long_as_its_limit(exact, block_bytes, end):
    limits = Limits(block_bytes, line_bytes=40)
    for row in (b"1," + b"x" * 38, b'1,"a' + end + b"x" * 39 + b'"'):
        data = end.join([b"a,b", row, b"2,3"])
        assert lines_of(data, limits, exact)[1] == []
        code, message = refusal(data.replace(b"x" * 30, b"x" * 31), limits, exact)
        assert code == "line_too_long"
        assert message.startswith(f"line {3 if b'a' + end in row else 2} ")


@BLOCKS
def test_a_line_before_the_header_may_be_as_long_as_any(block_bytes):
    limits = Limits(block_bytes, line_bytes=40)
    assert lines_of(b"\n" + b"x" * 40 + b"\na\n1\n", limits, skip_lines=2) == ([4], [])
    assert refusal(b"\n" + b"x" * 41 + b"\na\n1\n", limits, skip_lines=2)[0] == "line_too_long"


@PATHS
@BLOCKS
@ENDS
def test_a_record_may_be_as_long_as_its_limit(exact, block_bytes, end):
    limits = Limits(block_bytes, record_bytes=40)
    for row in (b"1," + b"x" * 38, b'1,"' + end + b"x" * (36 - len(end)) + b'"', b'1,x"' + b"x" * 36):
        data = end.join([b"a,b", row, b"2,3"])
        assert lines_of(data, limits, exact)[0][-1] > 2
        code, message = refusal(data.replace(b"x" * 30, b"x" * 31), limits, exact)
        assert code == "record_too_long"
        assert "the record that starts on line 2 " in message


@BLOCKS
@ENDS
@pytest.mark.parametrize("rows", [1, 2])
def test_a_header_may_be_as_long_as_its_limit(block_bytes, end, rows):
    limits = Limits(block_bytes, header_bytes=40 * rows)
    header = [b"a," + b"x" * 38] * rows
    assert lines_of(end.join([*header, b"1,2"]), limits, header_rows=rows) == ([rows + 1], [])
    header[-1] += b"x"
    assert refusal(end.join([*header, b"1,2"]), limits, header_rows=rows)[0] == "header_too_long"


@PATHS
@pytest.mark.parametrize("said", [{}, {"header": False}])
def test_there_may_be_as_many_columns_as_the_limit(exact, said):
    limits = Limits(columns=5)
    row = b",".join(b"c%d" % number for number in range(5))
    assert lines_of(row, limits, exact, **said)[1] == []
    assert refusal(row + b",c5", limits, exact, **said)[0] == "too_many_columns"


@BLOCKS
def test_what_may_be_the_footer_is_held_back_up_to_its_limit(block_bytes):
    data = b"a\n" + b"1234567\n" * 20
    assert lines_of(data, Limits(block_bytes, footer_bytes=160), footer_lines=20) == ([], [])
    code, message = refusal(data, Limits(block_bytes, footer_bytes=159), footer_lines=20)
    assert code == "footer_too_long"
    assert "20 lines" in message
