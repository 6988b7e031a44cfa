"""A row is mended only as the declaration allows, says so, and keeps its text; any other stays a reject."""

import io

import pytest
from records.csv.reader import CsvReader, Limits
from records.errors import FileFault
from waybill_contracts import Format

PATHS = pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
ALL = ("missing_fields", "empty_extra_fields", "stray_quotes", "invalid_bytes", "control_characters")


def read(data, *repair, exact=False, limits=None, **dialect):
    """Rows by line, repairs by line, codes of rejects by line; coverage is proven."""
    rows, repairs, rejects = {}, {}, {}
    said = Format(repair=repair, **dialect)
    reader = CsvReader.of_format(io.BytesIO(data), said, (), limits or Limits(block_bytes=64), exact=exact)
    for block in reader.blocks():
        lines = block.frame["_line"].to_list()
        assert lines == sorted(lines)
        rows |= {row[-1]: list(row[:-1]) for row in block.frame.rows()}
        for line, repair in block.repairs.rows():
            repairs.setdefault(line, []).append(repair)
        rejects |= dict(block.rejects.select("line", "codes").rows())
    reader.coverage.prove(len(data))
    return rows, repairs, rejects


MENDED = [
    ("missing_fields", b"1,2", ["1", "2", None]),
    ("missing_fields", b'"1 ""x"""', ['1 "x"', None, None]),
    ("empty_extra_fields", b"1,2,3,", ["1", "2", "3"]),
    ("empty_extra_fields", b'"",,"3 ""x""",,,', ["", None, '3 "x"']),
    ("stray_quotes", b'1,5" pipe,3', ["1", '5" pipe', "3"]),
    ("stray_quotes", b'1,"two, " b "" c",3', ["1", 'two,  b "" c"', "3"]),
    ("invalid_bytes", b"1,caf\xe9,3", ["1", "caf\ufffd", "3"]),
    ("invalid_bytes", b'1,"\xe2\x82, \xc3",3', ["1", "\ufffd, \ufffd", "3"]),
    ("control_characters", b"1,a\0b\rc,3", ["1", "abc", "3"]),
    ("control_characters", b'1,"a\0\r\nb",\0', ["1", "a\r\nb", None]),
]
CASES = pytest.mark.parametrize(("repair", "row", "values"), MENDED)


@PATHS
@CASES
def test_a_row_is_mended_by_the_repair_that_is_allowed_and_no_row_beside_it_changes(exact, repair, row, values):
    data = b"a,b,c\r\n0,,0\r\n" + row + b"\r\n9,9,9\r\n"
    for line_end in ("lf", "any"):
        if line_end == "any" and b"\r" in row:
            continue
        rows, repairs, rejects = read(data, repair, exact=exact, line_end=line_end)
        assert [*rows.values()] == [["0", None, "0"], values, ["9", "9", "9"]]
        assert (repairs, rejects) == ({3: [repair]}, {})


@PATHS
@CASES
def test_without_its_repair_the_row_is_the_reject_that_it_was(exact, repair, row, values):
    data = b"a,b,c\n0,,0\n" + row + b"\n9,9,9\n"
    others = [name for name in ALL if name != repair]
    assert read(data, *others, exact=exact) == read(data, exact=exact)
    assert len(read(data, *others, exact=exact)[2]) == 1


@PATHS
@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"1,2,3,x", "too_many_fields"),
        (b'1,2,3,""', "too_many_fields"),
        (b"1,2,3,,x", "too_many_fields"),
        (b'1,5" pipe,3,x', "quote_in_field"),
        (b"1,2," + b"x" * 50, "field_too_long"),
    ],
)
def test_what_has_no_repair_is_a_reject_whatever_is_allowed(exact, row, code):
    data = b"a,b,c\n" + row + b"\n9,9,9\n"
    rows, repairs, rejects = read(data, *ALL, exact=exact, limits=Limits(field_bytes=40))
    assert ([*rows], repairs, rejects) == ([3], {}, {2: [code]})


@PATHS
def test_a_row_may_take_several_repairs_and_is_a_reject_where_one_of_them_is_not_allowed(exact):
    data = b'a,b,c\n5" pipe,\xff\0\n1,2\n9,9,9\n'
    rows, repairs, rejects = read(data, *ALL, exact=exact)
    assert rows[2] == ['5" pipe', "\ufffd", None]
    assert repairs == {
        2: ["control_characters", "invalid_bytes", "missing_fields", "stray_quotes"],
        3: ["missing_fields"],
    }
    assert rejects == {}
    _, repairs, rejects = read(data, *ALL[:-1], exact=exact)
    assert (repairs, [*rejects]) == ({3: ["missing_fields"]}, [2])


@PATHS
def test_leaving_out_a_character_makes_no_text_of_bytes_that_are_none(exact):
    rows, _, _ = read(b'a,b\n\xc3\0\xa9,"\xc3"\xa9\n', *ALL, exact=exact)
    assert rows == {2: ["\ufffd\ufffd", "\ufffd\ufffd"]}


def test_the_text_of_a_mended_row_is_what_the_file_holds():
    said = Format(repair=ALL)
    (block,) = CsvReader.of_format(io.BytesIO(b'a,b\nx\n5" p\xff,1\n1,2\n1,2,\n'), said).blocks()
    assert block.raw([0, 1, 2, 3]).to_list() == ["x", '5" p\\xff,1', "1,2", "1,2,"]
    assert block.origin.spans(block.frame["_line"] - 2).rows() == [(4, 2), (6, 8), (14, 4), (18, 5)]


@PATHS
def test_a_header_is_never_mended(exact):
    for header in (b"a,\xff", b'a,b"', b"a,\0b"):
        with pytest.raises(FileFault):
            read(header + b"\n1,2\n", *ALL, exact=exact)


@PATHS
def test_rows_that_differ_in_length_are_mended_beside_each_other(exact):
    rows, repairs, rejects = read(b"a,b\n1\n1,2,,\n\n,\n1,2\n,,\n", *ALL, exact=exact)
    assert rows == {2: ["1", None], 3: ["1", "2"], 5: [None, None], 6: ["1", "2"], 7: [None, None]}
    assert repairs == {2: ["missing_fields"], 3: ["empty_extra_fields"], 7: ["empty_extra_fields"]}
    assert not rejects
