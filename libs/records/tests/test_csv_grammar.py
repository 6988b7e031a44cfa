"""Reading of any bytes against the grammar as plain Python, byte by byte."""

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from records.csv import CsvReader, Limits
from records.errors import FileFault


def quoted_text(data, at):
    """Text up to the closing quote, and where it ends."""
    text = bytearray()
    while at < len(data):
        if data[at] != ord('"'):
            text.append(data[at])
            at += 1
        elif data[at : at + 2] == b'""':
            text += b'"'
            at += 2
        else:
            return bytes(text), at + 1
    raise FileFault("unclosed_quote", "")


def plain_end(data, at):
    """Where a text outside quotes ends."""
    while at < len(data) and data[at] not in b",\n" and data[at : at + 2] != b"\r\n":
        at += 1
    return at


def field_at(data, at):
    """Value, quote fault, whether it holds a bare CR, and end of a field."""
    if data[at : at + 1] == b'"':
        text, closed = quoted_text(data, at + 1)
        end = plain_end(data, closed)
        return text, "text_after_quote" if end > closed else None, False, end
    end = plain_end(data, at)
    text = data[at:end]
    return text or None, "quote_in_field" if b'"' in text else None, b"\r" in text, end


def records_of(data):
    """(line, fields, raw bytes) of each record that is no blank line."""
    at = 0
    while at < len(data):
        start, fields = at, [field_at(data, at)]
        while data[fields[-1][3] : fields[-1][3] + 1] == b",":
            fields.append(field_at(data, fields[-1][3] + 1))
        end = fields[-1][3]
        if end > start:
            yield data.count(b"\n", 0, start) + 1, fields, data[start:end]
        at = end + (2 if data[end : end + 1] == b"\r" else 1)


def codes_of(fields, raw, width):
    """Codes of the faults of a record."""
    quote_faults = [code for _, code, _, _ in fields if code][:1]
    codes = set(quote_faults)
    if not quote_faults and len(fields) != width:
        codes.add("too_few_fields" if len(fields) < width else "too_many_fields")
    if not quote_faults and any(has_return for _, _, has_return, _ in fields):
        codes.add("bare_carriage_return")
    if b"\0" in raw:
        codes.add("nul")
    if raw.decode(errors="ignore").encode() != raw:
        codes.add("invalid_utf8")
    return codes


def expected(data):
    """Rows and rejects that reading must give, or the code of the fault of the file."""
    rows, rejects = [], []
    try:
        (_, header, _), *records = records_of(data)
    except FileFault as fault:
        return fault.code
    for line, fields, raw in records:
        if codes := codes_of(fields, raw, len(header)):
            rejects.append((line, codes, raw.decode(errors="backslashreplace").replace("\0", "\\x00")))
        else:
            rows.append((line, [None if text is None else text.decode() for text, *_ in fields]))
    return rows, rejects


def read(data, block_bytes, exact):
    """Rows and rejects as the reader gives them, or the code of its FileFault."""
    rows, rejects = [], []
    try:
        reader = CsvReader(io.BytesIO(data), Limits(block_bytes=block_bytes), exact=exact)
        for block in reader.blocks():
            rows += [(row[-1], list(row[:-1])) for row in block.frame.rows()]
            rejects += [(row["line"], set(row["codes"]), row["raw"]) for row in block.rejects.to_dicts()]
    except FileFault as fault:
        return fault.code
    reader.coverage.prove(len(data))
    return rows, rejects


PARTS = ["a", "b", ",", ",", '"', '"', "\n", "\n", "\r\n", "\r", "\0", "é", '""', ',"', '",', "longer than inline"]
BODIES = st.lists(st.sampled_from([*(part.encode() for part in PARTS), b"\xff"]), max_size=40).map(b"".join)


@pytest.mark.parametrize("exact", [False, True], ids=["fast", "exact"])
@settings(max_examples=250, deadline=None)
@given(BODIES, st.sampled_from([16, 40, 1 << 20]))
@example(b'"a"\r', 16)
@example(b'"a""b\n', 16)
@example(b"a\r", 16)
@example(b'a"\n"\nb,c\n', 16)
def test_any_bytes_are_read_as_the_grammar_says(exact, body, block_bytes):
    data = b"x,y\n" + body
    assert read(data, block_bytes, exact) == expected(data)
