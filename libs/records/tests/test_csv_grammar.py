"""Reading of any bytes in any dialect against the grammar as plain Python, byte by byte."""

import io
import os
import re
from itertools import dropwhile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from records.csv.reader import CsvReader, Limits
from records.errors import FileFault
from waybill_contracts import Format

from .csv_grammar import FAR, Grammar


def is_in_doubt(data, said, records, ends, width):
    """Whether another reading, in which the line end of a record with a fault lies inside quotes, is as good."""
    grammar = Grammar(said)
    if not grammar.quote or "stray_quotes" in said.repair or not records:
        return False
    since, death, meeting = None, FAR, FAR
    # Blank lines before the first record are nobody's.
    for _, fields, raw, end in dropwhile(lambda record: not (record[1] and record[2]), records):
        quote = grammar.misplaced(data, fields)
        if since is not None and death <= min(quote, end):
            since = None
        if since is not None and min(quote, meeting) <= end:
            return True
        if since is None and fields and (not raw or faults_of(fields, raw, width)):
            since = end
            death, meeting = grammar.death(data, end, ends)
    return False


def faults_of(fields, raw, width):
    """Code and column of the faults of a record."""
    found = {field.code: number for number, field in reversed([*enumerate(fields)]) if field.code}
    quote_faults = dict([min(found.items(), key=lambda item: item[1])] if found else [])
    faults = dict(quote_faults)
    is_told = not quote_faults and len(fields) == width
    if not quote_faults:
        if len(fields) != width:
            faults["too_few_fields" if len(fields) < width else "too_many_fields"] = None
        for number, field in reversed([*enumerate(fields)]):
            if field.bare:
                faults[field.bare] = number if is_told else None
    if b"\0" in raw:
        faults["nul"] = first(b"\0" in field.raw for field in fields) if is_told else None
    if not is_text(raw):
        faults["invalid_utf8"] = first(not is_text(field.raw) for field in fields) if is_told else None
    return {code: number if number is None or number < width else None for code, number in faults.items()}


def first(found):
    """The number of the first that is so."""
    return [*found].index(True)


def is_text(raw):
    """Whether this is UTF-8."""
    return raw.decode(errors="ignore").encode() == raw


def mended(fields, width, allowed):
    """Values and what it took, None where it takes more than is allowed."""
    took, values = set(), []
    for field in fields:
        took |= {"stray_quotes"} if field.code else set()
        took |= {"lf"} if field.bare == "bare_line_feed" else set()
        parts = [part for part in (field.quoted, field.plain) if part is not None]
        took |= {"invalid_bytes"} if not all(map(is_text, parts)) else set()
        took |= {"control_characters"} if any(b"\0" in part for part in parts) else set()
        text = "".join(part.decode(errors="replace").replace("\0", "") for part in parts)
        values.append(text if text or field.quoted is not None else None)
    if len(values) < width:
        took.add("missing_fields")
        values += [None] * (width - len(values))
    if len(values) > width and not any(value is not None for value in values[width:]):
        took.add("empty_extra_fields")
        values = values[:width]
    return (values, sorted(took)) if took <= {*allowed} and len(values) == width else None


def expected(data, said, width):
    """Rows, rejects and repairs that reading must give, or the code of the fault of the file."""
    rows, rejects, repairs = [], [], []
    every, fault = [], None
    try:
        every += Grammar(said).records(data)
    except FileFault as error:
        fault = error.code
    spoken = [number for number, (_, fields, raw, _) in enumerate(every) if fields and raw]
    is_empty = not spoken
    if said.footer_lines:
        cut = spoken[-said.footer_lines] if len(spoken) > said.footer_lines else 0
        every, spoken = every[:cut], [number for number in spoken if number < cut]
    if is_in_doubt(data, said, every, {end for *_, end in every}, width):
        return "quotes_in_doubt"
    if fault or is_empty:
        return fault or "empty_file"
    for line, fields, raw, _ in (every[number] for number in spoken):
        faults = faults_of(fields, raw, width)
        if faults and (found := mended(fields, width, said.repair)):
            rows.append((line, found[0]))
            repairs += [(line, repair) for repair in found[1]]
        elif faults:
            rejects.append((line, faults, raw.decode(errors="backslashreplace").replace("\0", "\\x00")))
        else:
            values = [None if field.quoted is None and not field.plain else field for field in fields]
            rows.append((line, [field and ((field.quoted or b"") + field.plain).decode() for field in values]))
    return rows, rejects, repairs


def read(data, said, width, block_bytes, exact):
    """Rows, rejects and repairs as the reader gives them, or the code of its FileFault."""
    rows, rejects, repairs = [], [], []
    names = [str(number) for number in range(width)]
    try:
        limits = Limits(block_bytes=block_bytes)
        reader = CsvReader.of_format(io.BytesIO(data), said, names, limits, exact=exact)
        for block in reader.blocks(names):
            rows += [(row[-1], list(row[:-1])) for row in block.frame.rows()]
            repairs += block.repairs.rows()
            for row in block.rejects.to_dicts():
                columns = [None if column is None else int(column) for column in row["columns"]]
                rejects.append((row["line"], dict(zip(row["codes"], columns, strict=True)), row["raw"]))
                shown = data[row["start"] :][: row["size"]].decode(errors="backslashreplace").replace("\0", "\\x00")
                assert re.fullmatch(re.escape(row["raw"]) + r"(\r\n|\n|\r)?", shown)
            assert [block.raw([number])[0] for number in range(block.frame.height)] == block.raw(
                range(block.frame.height)
            ).to_list()
    except FileFault as fault:
        return fault.code
    reader.coverage.prove(len(data))
    reader.prove()
    return rows, rejects, repairs


MANY = int(os.environ.get("WAYBILL_CSV_EXAMPLES", "500"))
PARTS = ["a", "b", ",", ",", '"', '"', "\n", "\n", "\r\n", "\r", "\0", "é", '""', ',"', '",', "longer than inline"]
BODIES = st.lists(st.sampled_from([*(part.encode() for part in PARTS), b"\xff"]), max_size=40).map(b"".join)
PATHS = pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
SMALL = st.sampled_from([16, 40, 1 << 20])


@PATHS
@settings(max_examples=250, deadline=None)
@given(BODIES, SMALL)
@example(b'"a"\r', 16)
@example(b'"a""b\n', 16)
@example(b"a\r", 16)
@example(b'a"\n"\nb,c\n', 16)
def test_any_bytes_are_read_as_the_grammar_says(exact, body, block_bytes):
    said = Format()
    data = b"x,y\n" + body
    wanted = expected(data, Format(header=False), 2)
    if not isinstance(wanted, str):
        wanted = (wanted[0][1:], *wanted[1:])
    assert read(data, said, 2, block_bytes, exact) == wanted


DIALECTS = st.builds(
    dict,
    delimiter=st.sampled_from([",", ";", "\t", "x", "\x01"]),
    quote=st.sampled_from(['"', "'", "", "q"]),
    escape=st.sampled_from([None, "\\", "^", "e"]),
    line_end=st.sampled_from([None, "lf", "cr", "any"]),
    comment=st.sampled_from([None, None, "#", "--"]),
    footer_lines=st.sampled_from([None, None, 1, 3]),
    repair=st.lists(
        st.sampled_from(
            ["missing_fields", "empty_extra_fields", "stray_quotes", "invalid_bytes", "control_characters"]
        ),
        unique=True,
    ).map(tuple),
).map(lambda said: Format(header=False, **{name: value for name, value in said.items() if value is not None}))


@st.composite
def files(draw):
    """A format, and bytes that are full of its signs."""
    said = draw(DIALECTS)
    delimiter, quote, escape = said.delimiter, said.quote or '"', said.escape or "\\"
    comment = said.comment or "#"
    parts = ["a", delimiter, delimiter, quote, escape, escape * 2, escape + quote, escape + delimiter, "\n", "\n"]
    parts += ["\r\n", "\r", "\r", "\0", "é", quote * 2, delimiter + quote, quote + delimiter, ",", '"', "\x0b", "\x0c"]
    parts += [f"\n{comment}", f"\r{comment}", comment, escape + "\n", escape + "\r", "longer than inline", "\x1b", "-"]
    # Few kinds of parts in one file, so that they meet.
    known = st.sampled_from([*(part.encode() for part in parts), b"\xff", b"\xc3", b"\xa9"])
    kinds = draw(st.lists(known, min_size=2, max_size=7))
    size = draw(st.integers(0, 40))
    lines = [said.escape or "a", f"\n{said.comment or ''}", f"{quote}a\n{said.comment or delimiter}{quote}"]
    common = [b"a", delimiter.encode(), b"\n", *(part.encode() for part in lines)]
    body = st.lists(st.sampled_from([*common, *kinds]), min_size=size, max_size=size)
    return said, b"".join(draw(body))


@PATHS
@settings(max_examples=MANY, deadline=None)
@given(files(), st.integers(1, 3), st.integers(1, 40) | st.just(1 << 20))
def test_any_bytes_are_read_in_any_dialect_as_its_grammar_says(exact, file, width, block_bytes):
    said, data = file
    assert read(data, said, width, block_bytes, exact) == expected(data, said, width)
