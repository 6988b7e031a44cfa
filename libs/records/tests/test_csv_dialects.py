"""Files of every dialect: what was written comes back, whatever stands before, between and behind the rows."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.csv.reader import CsvReader, Limits
from records.errors import FileFault
from waybill_contracts import Format

PATHS = pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
SMALL = st.sampled_from([16, 40, 1 << 20])
LINE_ENDS = {"lf": ["\n", "\r\n"], "cr": ["\r"], "any": ["\n", "\r\n", "\r"]}


def read(data, exact=False, block_bytes=1 << 20, names=(), **dialect):
    """Header, rows as (line, values), rejects as (line, codes, columns, raw) and coverage, proven."""
    limits = Limits(block_bytes=block_bytes)
    reader = CsvReader.of_format(io.BytesIO(data), Format(**dialect), names, limits, exact=exact)
    rows, rejects = [], []
    for block in reader.blocks([str(number) for number in range(len(reader.header))]):
        rows += [(row[-1], list(row[:-1])) for row in block.frame.rows()]
        rejects += [(row["line"], row["codes"], row["columns"], row["raw"]) for row in block.rejects.to_dicts()]
        spans = zip(block.rejects["start"], block.rejects["size"], block.rejects["raw"], strict=True)
        for start, size, raw in spans:
            shown = data[start : start + size].decode(errors="backslashreplace").replace("\0", "\\x00")
            assert re.fullmatch(re.escape(raw) + r"(\r\n|\n|\r)?", shown)
    reader.prove()
    reader.coverage.prove(len(data))
    return reader.header, rows, rejects, reader.coverage


SIGNS = st.sampled_from([",", ";", "|", "\t", "\x01", " ", "x", "'", '"', "#"])
DIALECTS = (
    st.tuples(
        SIGNS,
        st.sampled_from(['"', "'", "", "x", "q"]),
        st.sampled_from([None, "\\", "^", "e"]),
        st.sampled_from([*LINE_ENDS]),
        st.sampled_from([None, "#", "--", "%"]),
    )
    .filter(lambda signs: len({*signs[:3]}) == 3 and (signs[4] or "\n")[0] not in signs[:3])
    .map(lambda signs: dict(zip(("delimiter", "quote", "escape", "line_end", "comment"), signs, strict=True)))
)
VALUES = st.text("ab \\^exq'\",;|\t#-%\r\n\x0b\x0c\x1b\x01é€\U0001f600", max_size=20) | st.text(max_size=20)


def written(value, dialect, is_quoted):
    """A field of a file; what cannot be written in this dialect is left out of it. None is an empty field."""
    delimiter, quote, escape = dialect["delimiter"], dialect["quote"], dialect["escape"]
    if value is None:
        return "", None
    value = re.sub("[\0\ud800-\udfff]", "", value)
    if quote and (is_quoted or not value or re.search("[\r\n]", value) or {*value} & {delimiter, quote}):
        inner = (
            value.replace(quote, quote * 2)
            if escape is None
            else value.replace(escape, escape * 2).replace(quote, escape + quote)
        )
        return quote + inner + quote, value
    if quote:
        return value, value
    if escape is None:
        value = re.sub("[\r\n]", "", value).replace(delimiter, "")
        return value, value or None
    ends = LINE_ENDS[dialect["line_end"]]
    value = re.sub("[\r\n]+", ends[0], value)
    special = "|".join(re.escape(text) for text in (escape, delimiter, *ends))
    return re.sub(f"({special})", lambda found: escape + found[1], value), value or None


TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.tuples(st.none() | VALUES, st.booleans()), min_size=width, max_size=width), max_size=12
    )
)


@PATHS
@settings(max_examples=300, deadline=None)
@given(TABLES, DIALECTS, SMALL, st.data())
def test_a_table_written_in_any_dialect_comes_back(exact, table, dialect, block_bytes, data):
    width = len(table[0]) if table else 1
    lines, expected = [], []
    for row in table:
        fields = [written(value, dialect, is_quoted) for value, is_quoted in row]
        line = dialect["delimiter"].join(text for text, _ in fields)
        # Nothing is a blank line, and what begins as a comment is one.
        if line and not (dialect["comment"] and line.startswith(dialect["comment"])):
            lines.append(line)
            expected.append([value for _, value in fields])
    ends = [data.draw(st.sampled_from(LINE_ENDS[dialect["line_end"]])) for _ in lines]
    text = "".join(line + end for line, end in zip(lines, ends, strict=True))
    names = [f"column {number}" for number in range(width)]
    said = {name: sign for name, sign in dialect.items() if sign is not None}
    if not text:
        with pytest.raises(FileFault, match="no rows"):
            read(text.encode(), exact, block_bytes, names, header=False, **said)
        return
    header, rows, rejects, _ = read(text.encode(), exact, block_bytes, names, header=False, **said)
    assert header == names
    assert not rejects
    assert [row for _, row in rows] == expected


@PATHS
def test_tsv_is_delimited_by_tabs(exact):
    assert read(b"a\tb\n1,5\t2\n", exact, type="tsv")[:2] == (["a", "b"], [(2, ["1,5", "2"])])


@PATHS
def test_in_a_file_without_a_header_the_first_record_is_a_row(exact):
    header, rows, rejects, _ = read(b"1,2\n3,4\n", exact, names=["a", "b"], header=False)
    assert (header, rows, rejects) == (["a", "b"], [(1, ["1", "2"]), (2, ["3", "4"])], [])


@PATHS
def test_columns_that_nothing_names_are_numbered(exact):
    assert read(b'\n1,"2,\n",3\n', exact, header=False)[:2] == (
        ["column_1", "column_2", "column_3"],
        [(2, ["1", "2,\n", "3"])],
    )


@PATHS
def test_several_rows_of_a_header_are_joined_from_top_to_bottom(exact):
    data = b'2024,,"total\n"\nnet,gross,\n\n,x,""\n1,2,3\n'
    header, rows, _, coverage = read(data, exact, header_rows=3)
    assert header == ["2024_net", "gross_x", "total\n"]
    assert rows == [(6, ["1", "2", "3"])]
    assert coverage.header == len(data) - 7


def test_rows_of_a_header_that_differ_in_length_refuse_the_file():
    with pytest.raises(FileFault, match="different numbers of fields: 2, 1") as fault:
        read(b"a,b\nc\n1,2\n", header_rows=2)
    assert fault.value.code == "bad_header"


@PATHS
@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
@pytest.mark.parametrize("line_end", ["lf", "any"])
def test_lines_before_the_header_are_skipped_whatever_they_hold(exact, block_bytes, line_end):
    preamble = b'\xef\xbb\xbfReport of "March, \xff\0\r\n\r\n"\n'
    header, rows, _, coverage = read(preamble + b"\na,b\n1,2\n", exact, block_bytes, skip_lines=3, line_end=line_end)
    assert (header, rows) == (["a", "b"], [(6, ["1", "2"])])
    assert (coverage.skipped, coverage.header, coverage.blank) == (len(preamble) - 3, 7, 1)


@pytest.mark.parametrize("data", [b"", b"one\ntwo", b"one\ntwo\n", b"one\ntwo\n\n"])
def test_a_file_that_ends_before_its_header_is_empty(data):
    with pytest.raises(FileFault) as fault:
        read(data, skip_lines=2)
    assert fault.value.code == "empty_file"


@PATHS
@pytest.mark.parametrize("block_bytes", [16, 17, 1 << 20])
def test_each_of_the_three_line_ends_ends_one_line(exact, block_bytes):
    data = b'a,b\r\r\n1,"x\r\ny\rz\n"\r\n\n2,3\rbad\n4,5\r'
    _, rows, rejects, _ = read(data, exact, block_bytes, line_end="any")
    assert rows == [(3, ["1", "x\r\ny\rz\n"]), (8, ["2", "3"]), (10, ["4", "5"])]
    assert rejects == [(9, ["too_few_fields"], [None], "bad")]


@PATHS
def test_where_cr_ends_lines_a_line_feed_does_not(exact):
    _, rows, rejects, _ = read(b'a,b\r1,"x\ny"\r2,3\n\r\n4,5\r6,7', exact, line_end="cr")
    assert rows == [(2, ["1", "x\ny"]), (5, ["6", "7"])]
    assert rejects == [
        (3, ["bare_line_feed"], ["1"], "2,3\n"),
        (4, ["bare_line_feed"], ["0"], "\n4,5"),
    ]


@PATHS
def test_an_escape_before_anything_else_stands_for_itself(exact):
    data = rb'"a\n\"\\",\,x\\'
    rows = read(data + b"\n", exact, header=False, escape="\\")[1]
    assert rows == [(1, ['a\\n"\\', "\\", "x\\\\"])]
    rows = read(data, exact, header=False, escape="\\", quote="")[1]
    assert rows == [(1, ['"a\\n\\"\\"', ",x\\"])]


@PATHS
def test_with_an_escape_a_doubled_quote_is_text_after_a_quote(exact):
    _, rows, rejects, _ = read(b'a,b\n1,"x""y"\n2,"b"\n3,a\\"b\n4,"c"\n', exact, escape="\\")
    assert rows == [(3, ["2", "b"]), (5, ["4", "c"])]
    assert [(codes, columns) for _, codes, columns, _ in rejects] == [
        (["text_after_quote"], ["1"]),
        (["quote_in_field"], ["1"]),
    ]


@PATHS
@pytest.mark.parametrize(
    ("end", "text"), [(b"", "1\\"), (b"\n", "1\n"), (b"\r\n", "1\r\n"), (b"\\\n", "1\\"), (b"\\\r\n", "1\\")]
)
def test_an_escape_that_comes_last_in_the_file_escapes_nothing(exact, end, text):
    assert read(b"a\n1\\" + end, exact, 16, quote="", escape="\\")[1] == [(2, [text])]
