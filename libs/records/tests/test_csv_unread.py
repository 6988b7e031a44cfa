"""What says nothing in a file, and where in the sender's file faults are said to be."""

import io

import polars as pl
import pytest
from records.csv.reader import CsvReader, Limits
from records.encodings import Utf8
from records.errors import FileFault
from waybill_contracts import Format

PATHS = pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
BLOCKS = pytest.mark.parametrize("block_bytes", [16, 100, 1 << 20])


def read(data, exact=False, block_bytes=1 << 20, **dialect):
    """Rows as (line, values), rejects as (line, codes) and coverage, proven."""
    reader = CsvReader.of_format(io.BytesIO(data), Format(**dialect), (), Limits(block_bytes), exact=exact)
    blocks = [*reader.blocks()]
    reader.coverage.prove(len(data))
    reader.prove()
    rows = [(row[-1], list(row[:-1])) for block in blocks for row in block.frame.rows()]
    return rows, [row for block in blocks for row in block.rejects.select("line", "codes").rows()], reader.coverage


@PATHS
@BLOCKS
def test_a_comment_ends_with_its_line_whatever_it_holds(exact, block_bytes):
    comments = [b'# "a, "b\n', b"#\xff\0\n", b'#,"\n', b"# \\\r\n", b"#"]
    data = comments[0] + b"a,b\n" + comments[1] + b'1,"x\n# y\n"\n' + b"".join(comments[2:4]) + b"2,#\n" + comments[4]
    rows, rejects, coverage = read(data, exact, block_bytes, comment="#")
    assert (rows, rejects) == ([(4, ["1", "x\n# y\n"]), (9, ["2", "#"])], [])
    assert coverage.comment == len(b"".join(comments))


@PATHS
@BLOCKS
def test_after_a_line_end_that_is_escaped_no_comment_begins(exact, block_bytes):
    data = b"a,b\n1,x\\\n--y\n--z\\\n--,\\\r\n2,x\\\\\n--\n"
    rows, rejects, coverage = read(data, exact, block_bytes, comment="--", quote="", escape="\\")
    assert (rows, rejects) == ([(2, ["1", "x\n--y"]), (6, ["2", "x\\"])], [])
    assert coverage.comment == len(b"--z\\\n--,\\\r\n--\n")


@PATHS
@BLOCKS
def test_the_last_lines_that_are_not_blank_are_the_footer(exact, block_bytes):
    data = b'a,b\n1,2\nbad\n\n3,"4\n"\n\nTotal: 2 "rows"\n# not this\n,,,"\n"\n \n\r\n\n'
    rows, rejects, coverage = read(data, exact, block_bytes, footer_lines=3, comment="#")
    assert (rows, rejects) == ([(2, ["1", "2"]), (5, ["3", "4\n"])], [(3, ["too_few_fields"])])
    assert coverage.footer == len(b'Total: 2 "rows"\n,,,"\n"\n \n')
    assert (coverage.blank, coverage.comment) == (5, len(b"# not this\n"))


@PATHS
@BLOCKS
@pytest.mark.parametrize("footer_lines", range(5))
def test_a_footer_may_be_all_there_is(exact, block_bytes, footer_lines):
    rows, _, coverage = read(b"a,b\n1,2\n3,4\n5,6", exact, block_bytes, footer_lines=footer_lines)
    assert [line for line, _ in rows] == [2, 3, 4][: max(0, 3 - footer_lines)]
    assert coverage.footer == [0, 3, 7, 11, 11][footer_lines]


@PATHS
@BLOCKS
@pytest.mark.parametrize("footer_lines", [0, 3])
def test_a_quote_that_is_never_closed_refuses_the_file_with_its_line(exact, block_bytes, footer_lines):
    data = b'a,b\n1,2\n3,4\n"5\n",6"\n7,"8\n9,0\n' + b"1,2\n" * 50
    with pytest.raises(FileFault, match="starts on line 6 is never closed") as fault:
        read(data, exact, block_bytes, footer_lines=footer_lines)
    assert fault.value.code == "unclosed_quote"


SENT = 'a;b\r\n1;é€\U0001f600\r\nbad €\r\n€\0;"é"x\r\n4;é\r5\r\n2;€'


@PATHS
@BLOCKS
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "gb18030"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "marked"])
def test_faults_lie_where_they_are_in_the_file_that_was_sent(exact, block_bytes, encoding, mark):
    sent = (mark + SENT).encode(encoding)
    source = Utf8(io.BytesIO(sent), encoding)
    reader = CsvReader.of_format(source, Format(delimiter=";"), (), Limits(block_bytes), exact=exact)
    blocks = [*reader.blocks()]
    reader.prove()
    spans = [row for block in blocks for row in block.rejects.select("line", "start", "size").rows()]
    shown = {line: sent[start : start + size].decode(encoding) for line, start, size in spans}
    assert shown == {3: "bad €\r\n", 4: '€\0;"é"x\r\n', 5: "4;é\r5\r\n"}
    offsets = [len((mark + SENT[: SENT.index(byte)]).encode(encoding)) for byte in ("\0", "\r5")]
    reasons = [reason for block in blocks for reasons in block.rejects["reasons"] for reason in reasons]
    for offset in offsets:
        assert any(reason.endswith(f"at byte {offset} of the file") for reason in reasons)
    rows = [row for block in blocks for row in block.origin.spans(block.frame["_line"].arg_sort()).rows()]
    assert [sent[start : start + size].decode(encoding) for start, size in rows] == ["1;é€\U0001f600\r\n", "2;€"]


def test_bytes_that_are_no_text_in_their_encoding_are_rejects_with_their_place():
    sent = "a,b\n1,".encode("utf-16-le") + b"\x00\xd8" + "x\n€,".encode("utf-16-le") + b"\x01"
    reader = CsvReader.of_format(Utf8(io.BytesIO(sent), "utf-16-le"), Format())
    rejects = pl.concat([block.rejects for block in reader.blocks()])
    assert rejects.select("line", "start", "size").rows() == [(2, 8, 10), (3, 18, 5)]
    assert rejects["reasons"].to_list() == [
        ["invalid utf-16-le at byte 12 of the file"],
        ["invalid utf-16-le at byte 22 of the file"],
    ]
    assert rejects["columns"].to_list() == [["b"], ["b"]]
