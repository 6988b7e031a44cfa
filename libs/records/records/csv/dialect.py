"""The signs that a CSV file is written with, and the same bytes as the common dialect writes them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from waybill_contracts.format import Format, LineEnd, Repair

from records.errors import FileFault
from records.text_views import Positions

QUOTE, COMMA, LF, CR = b'",\n\r'
DROPPED, BARE_LF = 0x1B, 0x0C
"""In a dialect that is not the common one: an escape that is no part of the text, and a line feed that ends no line."""
OTHER = ord("x")

_DOUBLED = rb'"[^"]*+(?:""[^"]*+)*"(?!")'
_ESCAPED = rb'"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"'
_UNQUOTED_ESCAPED = rb"(?:[^,\n\\]++|\\(?:\r\n|[\s\S])?+)*+"


class Grammar(NamedTuple):
    """Of the bytes in common signs; lax: what follows a closing quote belongs to the field, as does a quote inside."""

    field: re.Pattern[bytes]
    good_fields: re.Pattern[bytes]
    last_field: re.Pattern[bytes]
    lax_fields: re.Pattern[bytes]
    lax_record: re.Pattern[bytes]
    lax_field: re.Pattern[bytes]
    """Quoted part, what follows it or is not quoted, and the separator, in a record without its line end."""

    @property
    def walked(self) -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[bytes]]:
        """What a record is taken apart with."""
        return self.good_fields, self.last_field, self.lax_record


def _grammar(quoted: bytes, plain: bytes = rb"[^,\n]*+") -> Grammar:
    field = rb"(?:" + quoted + rb'|[^",\n]*+)'
    lax = rb"(?:" + quoted + rb'[^,\n]*+|(?!")' + plain + rb")"
    return Grammar(
        field=re.compile(rb"(" + quoted + rb'|[^",\n]*+)(,|\r?\n)'),
        good_fields=re.compile(rb"(?:" + field + rb",)*"),
        last_field=re.compile(field + rb"\r?\n"),
        lax_fields=re.compile(rb"(?:" + lax + rb",)*"),
        lax_record=re.compile(rb"(?:" + lax + rb",)*" + lax + rb"\n"),
        lax_field=re.compile(rb"(?:(" + quoted + rb')([^,\n]*+)|(?!")(' + plain + rb"))(,|\Z)"),
    )


DOUBLED_QUOTES = _grammar(_DOUBLED)
ESCAPED_QUOTES = _grammar(_ESCAPED)
NO_QUOTES = _grammar(_DOUBLED, _UNQUOTED_ESCAPED)


@dataclass(frozen=True)
class Dialect:
    """How a file is written; by default as RFC 4180 says."""

    delimiter: bytes = b","
    quote: bytes = b'"'
    """Empty: no field is quoted."""
    escape: bytes = b""
    """Empty: a quote in a quoted field is doubled."""
    line_end: LineEnd = "lf"
    comment: bytes = b""
    has_header: bool = True
    header_rows: int = 1
    skip_lines: int = 0
    footer_lines: int = 0
    repair: tuple[Repair, ...] = ()

    @cached_property
    def is_common(self) -> bool:
        """Whether its signs are the common ones."""
        return (self.delimiter, self.quote, self.escape, self.line_end) == (b",", b'"', b"", "lf")

    @cached_property
    def made_up_end(self) -> bytes:
        """Ends a last record that has no line end; CRLF, so that a bare CR before it stays a fault."""
        return {"lf": b"\r\n", "cr": b"\r", "any": b"\n"}[self.line_end]

    @cached_property
    def grammar(self) -> Grammar:
        """Of bytes as `common` gives them, where nothing is quoted as `masked` does."""
        if not self.quote:
            return NO_QUOTES
        return ESCAPED_QUOTES if self.escape else DOUBLED_QUOTES

    def common(self, data: bytes) -> bytes:
        """The same bytes at the same places in common signs: `"`, `,`, LF or CRLF, `\\` to escape; all else is `x`."""
        if self.is_common:
            return data
        data = data.translate(self._table)
        if self.line_end == "any":
            # A byte that the table cannot give keeps those of CRLF apart for a moment.
            data = data.replace(b"\r\n", b"\0\n").replace(b"\r", b"\n").replace(b"\0", b"\r")
        return data

    def masked(self, common: bytes) -> bytes:
        """Without what is escaped, so that all that is left of quotes or, without any, of separators is one."""
        if not self.escape:
            return common
        common = common.replace(b"\\\\", b"\x1bx")
        if self.quote:
            return common.replace(b'\\"', b"\x1bx")
        return common.replace(b"\\,", b"\x1bx").replace(b"\\\n", b"\x1bx").replace(b"\\\r\n", b"\x1bxx")

    @cached_property
    def _table(self) -> bytes:
        table = bytearray([OTHER]) * 256
        table[LF], table[CR] = (BARE_LF, LF) if self.line_end == "cr" else (LF, CR)
        for sign, common in ((self.delimiter, COMMA), (self.quote, QUOTE), (self.escape, ord("\\"))):
            if sign:
                table[sign[0]] = common
        return bytes(table)

    def unescaped(self, text: bytes) -> bytes:
        """The value of a quoted field, without its quotes; without quotes, of any field."""
        if not self.escape:
            return text.replace(self.quote * 2, self.quote) if self.quote else text
        return self._escape.sub(rb"\1", text)

    @cached_property
    def _escape(self) -> re.Pattern[bytes]:
        escape, delimiter = re.escape(self.escape), re.escape(self.delimiter)
        if self.quote:
            return re.compile(escape + b"(" + escape + b"|" + re.escape(self.quote) + b")")
        line_ends = {"lf": rb"\r\n|\n", "cr": rb"\r", "any": rb"\r\n|\n|\r"}[self.line_end]
        return re.compile(escape + b"(" + escape + b"|" + delimiter + b"|" + line_ends + b")")

    def comment_starts(self, data: bytes) -> list[int]:
        """Where a line begins as a comment does; inside quotes it is none."""
        if not self.comment or self.comment not in data:
            return []
        return [found.start() for found in self._comment.finditer(data)]

    @cached_property
    def _comment(self) -> re.Pattern[bytes]:
        line_end = {"lf": rb"\n", "cr": rb"\r", "any": rb"[\r\n]"}[self.line_end]
        return re.compile(rb"(?:\A|(?<=" + line_end + rb"))" + re.escape(self.comment))


COMMON = Dialect()


@lru_cache(maxsize=1_000)
def dialect_of(file_format: Format) -> Dialect:
    """The dialect of a format; what it leaves out is as RFC 4180 says."""
    delimiter = file_format.delimiter or ("\t" if file_format.type == "tsv" else ",")
    quote = '"' if file_format.quote is None else file_format.quote
    # A quote that escapes a quote is a doubled one.
    escape = file_format.escape if file_format.escape != quote else None
    signs = [sign for sign in (delimiter, quote, escape) if sign]
    if len(set(signs)) < len(signs) or (file_format.comment or "\n")[0] in signs:
        raise FileFault("bad_format", f"delimiter, quote, escape and comment must differ: {signs}")
    return Dialect(
        delimiter=delimiter.encode(),
        quote=quote.encode(),
        escape=(escape or "").encode(),
        line_end=file_format.line_end or "lf",
        comment=(file_format.comment or "").encode(),
        has_header=file_format.header is not False,
        header_rows=file_format.header_rows or 1,
        skip_lines=file_format.skip_lines or 0,
        footer_lines=file_format.footer_lines or 0,
        repair=file_format.repair,
    )


def ranges(starts: Positions, ends: Positions) -> Positions:
    """All numbers from each start up to its end, in order."""
    lengths = ends - starts
    numbers: Positions = np.arange(lengths.sum()) + np.repeat(starts - lengths.cumsum() + lengths, lengths)
    return numbers


def hushed(common: bytes, records: Sequence[tuple[int, int]]) -> bytes:
    """The same bytes, but these records, each with its line end, are one field without quotes."""
    if not records:
        return common
    data = np.frombuffer(common, np.uint8).copy()
    starts, ends = np.array(records, np.int64).T
    data[ranges(starts, ends - 1)] = OTHER
    return data.tobytes()
