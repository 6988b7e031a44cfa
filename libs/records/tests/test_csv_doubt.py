"""Whether a line is a row or part of a quoted text is never guessed: where nobody can tell, the file is refused."""

import io

import pytest
from records.csv.reader import CsvReader, Limits
from records.errors import FileFault
from waybill_contracts.format import Format

READINGS = pytest.mark.parametrize("block_bytes", [4, 1 << 20], ids=["in small blocks", "in one block"])


def read(data, block_bytes=1 << 20, **said):
    """Rows and raw rejects, or the fault of the file."""
    found = []
    for exact in (False, True):
        reader = CsvReader.of_format(io.BytesIO(data), Format(**said), (), Limits(block_bytes=block_bytes), exact=exact)
        try:
            blocks = [*reader.blocks()]
            rows = [row[:-1] for block in blocks for row in block.frame.rows()]
            found.append((rows, [raw for block in blocks for raw in block.rejects["raw"]]))
        except FileFault as fault:
            found.append((fault.code, fault.message))
    assert found[0] == found[1]
    return found[0]


@READINGS
@pytest.mark.parametrize(
    "data",
    [
        b'a\n""p\nq\nr"\n',
        b'a,b\nx"p\nq,r\ns"\n',
        b'a,b\np\nq,r\ns",x\n',
        b'a,b\n""\n",","\n"\n","p\nq,r\ns"\n',
        b'a,b\n\nq,r\ns",x\n',
        b'a,b\n",",\xac\np,q\n","r"\n',
        b'a,b\n1,5"\n2,ok\n3,6"\n',
    ],
    ids=[
        "doubled",
        "no comma before it",
        "lost",
        "doubled in another record",
        "lost before a line end",
        "cut",
        "inches",
    ],
)
def test_rows_that_may_be_lines_of_a_text_refuse_their_file(data, block_bytes):
    code, message = read(data, block_bytes)
    assert code == "quotes_in_doubt"
    assert "line 2" in message


@READINGS
@pytest.mark.parametrize(
    ("data", "rows", "rejects"),
    [
        (b'a,b\n1,5" x\n2,ok\n3,6" y\n', [("2", "ok")], ['1,5" x', '3,6" y']),
        (b'a,b\n1,"x"y\n2,"ok"\n3,"z"w\n', [("2", "ok")], ['1,"x"y', '3,"z"w']),
        (b'a,b\n1\n2,"ok"\n3,"z"w\n', [("2", "ok")], ["1", '3,"z"w']),
        (b"a,b\n1\n2,ok\n3,4,5\n", [("2", "ok")], ["1", "3,4,5"]),
        (b'a,b\n\n1,"ok"\n2,5"\n', [("1", "ok")], ['2,5"']),
    ],
    ids=["quotes in texts", "texts behind quotes", "too few fields", "no quotes at all", "a blank line"],
)
def test_rows_behind_a_fault_are_taken_where_the_quotes_that_follow_can_be_read_in_one_way_only(
    data, rows, rejects, block_bytes
):
    assert read(data, block_bytes) == (rows, rejects)


@pytest.mark.parametrize("said", [{"quote": ""}, {"repair": ("stray_quotes",)}], ids=["no quotes", "mended"])
def test_where_the_declaration_says_what_a_quote_is_there_is_no_doubt(said):
    assert read(b'a,b\n1,5"\n2,ok\n3,6"\n', **said) == ([("1", '5"'), ("2", "ok"), ("3", '6"')], [])


def test_a_text_that_would_be_longer_than_a_field_may_be_leaves_no_doubt():
    data = b"a,b\n1\n" + b"2,ok\n" * 20 + b'3,5"\n'
    limits = Limits(field_bytes=80)
    reader = CsvReader(io.BytesIO(data), limits)
    assert sum(block.frame.height for block in reader.blocks()) == 20
    with pytest.raises(FileFault, match="nobody can tell"):
        list(CsvReader(io.BytesIO(data), Limits(field_bytes=120)).blocks())
