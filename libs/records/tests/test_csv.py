"""Reading against Python's csv writer, planted faults, limits and what makes a file unusable."""

import csv
import io
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.csv.reader import CsvReader, Limits
from records.errors import FileFault

SMALL = st.sampled_from([16, 40, 1 << 20])
PATHS = pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])


def read(data, block_bytes=1 << 20, exact=False, limits=None):
    """Header, rows as (line, values), rejects as (line, codes, raw) and coverage, proven."""
    reader = CsvReader(io.BytesIO(data), limits or Limits(block_bytes=block_bytes), exact=exact)
    rows, rejects = [], []
    for block in reader.blocks([str(number) for number in range(len(reader.header))]):
        rows += [(row[-1], list(row[:-1])) for row in block.frame.rows()]
        rejects += [(row["line"], set(row["codes"]), row["raw"]) for row in block.rejects.to_dicts()]
    reader.coverage.prove(len(data))
    return reader.header, rows, rejects, reader.coverage


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.sampled_from(
    ["", ",", '"', '""', "\n", "\r\n", "\r", 'a"b', " lead", "trail ", "twelve bytes", "thirteen byte"]
)
TABLES = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), max_size=15)
)


@PATHS
@settings(max_examples=60, deadline=None)
@given(
    TABLES,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    SMALL,
)
def test_any_table_comes_back_as_it_was_written(exact, table, line_end, quoting, block_bytes):
    width = len(table[0]) if table else 1
    if quoting == csv.QUOTE_MINIMAL:
        # Then the writer leaves a bare CR unquoted, and writes nothing for a single empty value.
        table = [[value.replace("\r", "") for value in row] for row in table]
        table = [row for row in table if row != [""]]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end, quoting=quoting)
    writer.writerows([[f"column {number}" for number in range(width)], *table])
    header, rows, rejects, _ = read(text.getvalue().encode(), block_bytes, exact)
    assert len(header) == width
    assert not rejects
    assert [[value or "" for value in row] for _, row in rows] == table


FAULTY = [b'a"b,2,3', b'"a"b,2,3', b"1,2", b"1,2,3,4", b"1,\0,3", b"1,\xff,3", b"1\r,2,3", b"1\r", b'x,"y" ,z']


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([b'1,"two, ""2""\n",3', b",,", b'"","",""', *FAULTY]), max_size=30), SMALL, st.booleans()
)
def test_a_fault_rejects_its_own_record_and_changes_no_other(lines, block_bytes, exact):
    _, rows, rejects, _ = read(b"\r\n".join([b"a,b,c", *lines]), block_bytes, exact)
    good = {b'1,"two, ""2""\n",3': ["1", 'two, "2"\n', "3"], b",,": [None] * 3, b'"","",""': [""] * 3}
    assert [row for _, row in rows] == [good[line] for line in lines if line in good]
    shown = [line.decode(errors="backslashreplace").replace("\0", "\\x00") for line in lines if line in FAULTY]
    assert [raw for _, _, raw in rejects] == shown


@PATHS
def test_line_numbers_are_physical_whatever_lies_between(exact):
    data = b'\n\na,b\r\n\r\n1,"x\ny\n"\n\n2,3\nbad"x\n"p\nq"r,1\n4,5'
    _, rows, rejects, coverage = read(data, exact=exact)
    assert [line for line, _ in rows] == [5, 9, 13]
    assert [(line, codes) for line, codes, _ in rejects] == [(10, {"quote_in_field"}), (11, {"text_after_quote"})]
    assert (coverage.header, coverage.blank, coverage.rejected) == (5, 5, len(b'bad"x\n"p\nq"r,1\n'))


@PATHS
def test_a_byte_order_mark_belongs_to_the_header(exact):
    header, rows, _, coverage = read(b'\xef\xbb\xbf"a",b\n1,2', exact=exact)
    assert header == ["a", "b"]
    assert rows == [(2, ["1", "2"])]
    assert coverage.header == 9


@PATHS
def test_empty_is_null_and_quoted_empty_is_text(exact):
    assert read(b'a,b,c\n,"",x\n', exact=exact)[1] == [(2, [None, "", "x"])]


@PATHS
def test_a_blank_line_is_no_row_even_in_a_file_of_one_column(exact):
    _, rows, rejects, coverage = read(b'a\n1\n\n""\n \n', exact=exact)
    assert rows == [(2, ["1"]), (4, [""]), (5, [" "])]
    assert not rejects
    assert coverage.blank == 1


@PATHS
@pytest.mark.parametrize("size", [100_000, 3_000_000, 15_000_000])
def test_a_record_larger_than_a_block_comes_whole(exact, size):
    value = "line\n" * (size // 5)
    limits = Limits(block_bytes=1 << 16, field_bytes=1 << 24)
    _, rows, rejects, _ = read(f'a,b\n1,"{value}"\n2,x\n'.encode(), exact=exact, limits=limits)
    assert not rejects
    assert rows == [(2, ["1", value]), (size // 5 + 3, ["2", "x"])]


@PATHS
@pytest.mark.parametrize("record", [b"x" * 1000, b'"' + b"x\n" * 500 + b'"', b'x"' + b"x" * 1000])
def test_a_record_over_its_limit_fails_the_file_and_names_the_line(exact, record):
    with pytest.raises(FileFault, match="line 3") as fault:
        read(b"a\n1\n" + record, exact=exact, limits=Limits(block_bytes=64, record_bytes=512))
    assert fault.value.code == "record_too_long"


@PATHS
@pytest.mark.parametrize(("over", "codes"), [(0, []), (1, [{"field_too_long"}])])
def test_a_field_may_be_as_long_as_its_limit(exact, over, codes):
    data = b"a,b\n1," + b"x" * (100 + over) + b"\n2,y\n"
    _, rows, rejects, _ = read(data, exact=exact, limits=Limits(field_bytes=100))
    assert rows[-1] == (3, ["2", "y"])
    assert [found for _, found, _ in rejects] == codes


def test_reasons_say_where_in_the_file_the_byte_lies():
    reader = CsvReader(io.BytesIO(b"\xef\xbb\xbfa,b\n1,2\n1,x\xff\n\0,3\n4,5\r6\n"), Limits(block_bytes=8))
    reasons = [reason for block in reader.blocks() for reason in block.rejects["reasons"].list.first()]
    assert reasons == [
        "invalid UTF-8 at byte 14 of the file",
        "NUL at byte 16 of the file",
        "carriage return that ends no line at byte 23 of the file",
    ]


def test_a_header_alone_gives_no_rows():
    for data in (b"a,b", b"a,b\n", b"a,b\r\n\r\n"):
        assert read(data)[:3] == (["a", "b"], [], [])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"\n\r\n\n", "empty_file"),
        (b'a,b\n1,"2\n3,4\n', "unclosed_quote"),
        (b'a,"b\n1,2\n', "unclosed_quote"),
        (b'a,b"c\n1,2\n', "bad_header"),
        (b"a\rb\r", "bad_header"),
        (b"a,\0\n", "bad_header"),
        (b"a,\xff\n", "invalid_utf8_header"),
        ("a,b\n1,2\n".encode("utf-16"), "invalid_utf8_header"),
        (b",".join(b"c%d" % number for number in range(10_000)) + b"\n", "too_many_columns"),
        (b"x" * 2_000_000, "header_too_long"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_code(data, code):
    with pytest.raises(FileFault) as fault:
        read(data)
    assert fault.value.code == code


def test_a_byte_that_was_not_read_is_noticed():
    coverage = read(b"a\n1\n")[3]
    with pytest.raises(FileFault) as fault:
        coverage.prove(5)
    assert fault.value.code == "bytes_unaccounted"


def test_a_thousand_columns_are_possible():
    header, rows, _, _ = read(b",".join([b"c"] * 1000) + b"\n" + b",".join([b"1"] * 1000))
    assert len(header) == 1000
    assert rows == [(2, ["1"] * 1000)]


@PATHS
def test_many_faults_are_counted_by_kind(exact):
    data = b"a,b\n" + b'1,2\n3\n4,"5"6\n7,\xff\n' * 5_000
    _, rows, rejects, _ = read(data, block_bytes=10_000, exact=exact)
    assert len(rows) == 5_000
    assert Counter(code for _, codes, _ in rejects for code in codes) == dict.fromkeys(
        ["too_few_fields", "text_after_quote", "invalid_utf8"], 5_000
    )


def test_raw_text_of_rows_is_what_the_file_holds():
    reader = CsvReader(io.BytesIO(b'a,b\nbad\n"x ""1""",2\r\n3,"4\n5"\n'))
    (block,) = reader.blocks()
    assert block.raw([1, 0]).to_list() == ['3,"4\n5"', '"x ""1""",2']
