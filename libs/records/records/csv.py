"""Strict RFC 4180 reading of UTF-8 CSV with a header, in blocks, with every byte of the file accounted for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from waybill_contracts.format import Format

from records.block import Block
from records.csv_layout import Piece
from records.csv_scan import FIELD, GOOD_RECORD, LAX_RECORD, LF, scan
from records.csv_split import split
from records.errors import FileFault
from records.header import business_names

BOM = b"\xef\xbb\xbf"
UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Limits:
    """What a file may hold; `block_bytes` is how much of it is read at a time."""

    block_bytes: int = 1 << 20
    columns: int = 1000
    header_bytes: int = 1 << 20
    field_bytes: int = 8 << 20
    record_bytes: int = 16 << 20


@dataclass
class Coverage:
    """Bytes of a file by what they were; a byte-order mark counts to the header."""

    header: int = 0
    records: int = 0
    blank: int = 0
    rejected: int = 0

    def prove(self, size: int) -> None:
        """Raise unless every byte of the file was read as exactly one of these."""
        read = self.header + self.records + self.blank + self.rejected
        if read != size:
            raise FileFault("bytes_unaccounted", f"{read} bytes were read as {self}, the file has {size}")


class CsvReader:
    """Reads a CSV file once, from its beginning; the header at once, the rest by `blocks`."""

    def __init__(self, source: BinaryIO, limits: Limits | None = None, *, exact: bool = False) -> None:
        self._source = source
        self._limits = limits or Limits()
        self._exact = exact
        self._buffer = b""
        self._offset = 0
        self._line = 1
        self._added = 0
        self._is_at_end = False
        self.coverage = Coverage()
        self.header = self._read_header()

    @classmethod
    def of_format(cls, source: BinaryIO, file_format: Format, names: Sequence[str]) -> "CsvReader":
        """The reader of a file of this format."""
        return cls(source)

    @property
    def line(self) -> int:
        """The number of the line that is read next."""
        return self._line

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[Block]:
        """The rest of the file; columns are named by `names`, by default with the header's business names."""
        names = business_names(self.header) if names is None else names
        while piece := self._next_piece():
            block, sizes = split(piece, names, self._limits.field_bytes)
            self.coverage.records += sizes.records
            self.coverage.blank += sizes.blank
            self.coverage.rejected += sizes.rejected
            yield block

    def prove(self) -> None:
        """Raise unless every byte that was there to be read was read as exactly one thing."""
        self.coverage.prove(self._source.tell())

    def _read_header(self) -> list[str]:
        self._fill()
        if self._buffer.startswith(UTF_16_BOMS):
            raise FileFault("invalid_utf8_header", "the file is UTF-16, expected UTF-8")
        if self._buffer.startswith(BOM):
            self.coverage.header += len(self._take(len(BOM)))
        self._skip_blank_lines()
        while not (record := LAX_RECORD.match(self._buffer)):
            self._need_more(self._limits.header_bytes, "header_too_long")
        fields = _header_fields(record[0])
        if len(fields) > self._limits.columns:
            raise FileFault("too_many_columns", f"{len(fields)} columns, at most {self._limits.columns} are possible")
        self.coverage.header += len(self._take(record.end())) - self._added_bytes()
        return fields

    def _skip_blank_lines(self) -> None:
        while True:
            if self._buffer.startswith((b"\n", b"\r\n")):
                self.coverage.blank += len(self._take(self._buffer.index(b"\n") + 1))
            elif len(self._buffer) < 2 and not self._is_at_end:
                self._fill()
            elif not self._buffer:
                raise FileFault("empty_file", "the file has no header")
            else:
                return

    def _next_piece(self) -> Piece | None:
        """The next whole records, or None at the end of the file."""
        while True:
            found = scan(self._buffer, exact=self._exact)
            if found.end:
                line, offset = self._line, self._offset
                data = self._take(found.end)
                return Piece(data, offset, line, found.faults, self._added_bytes())
            if self._is_at_end and not self._buffer:
                return None
            self._need_more(self._limits.record_bytes, "record_too_long")

    def _need_more(self, most: int, code: str) -> None:
        """Read on, unless the record that begins the buffer can have no end."""
        if self._is_at_end:
            raise FileFault("unclosed_quote", f"a quote is never closed in the record that starts on line {self._line}")
        if len(self._buffer) > most:
            raise FileFault(code, f"the record that starts on line {self._line} does not end within {most} bytes")
        self._fill()

    def _fill(self) -> None:
        chunk = self._source.read(max(self._limits.block_bytes, len(self._buffer)))
        self._buffer += chunk
        if not chunk:
            self._is_at_end = True
            # A line end is made up for a last record without one; CRLF, so that a bare CR before it stays a fault.
            if self._buffer and not self._buffer.endswith(b"\n"):
                self._buffer += b"\r\n"
                self._added = 2

    def _take(self, size: int) -> bytes:
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        self._offset += size
        # bytes.count is several times slower for a single byte.
        self._line += int(np.count_nonzero(np.frombuffer(taken, np.uint8) == LF))
        return taken

    def _added_bytes(self) -> int:
        """How many bytes at the end of what was just taken are not the file's."""
        return 0 if self._buffer else self._added


def _header_fields(record: bytes) -> list[str]:
    """The fields of a header record with its line end."""
    if not GOOD_RECORD.fullmatch(record):
        raise FileFault("bad_header", "a quote in the header is misplaced")
    content = record[:-1].removesuffix(b"\r") + b"\n"
    fields = [found[1] for found in FIELD.finditer(content)]
    if any(b"\0" in field or (b"\r" in field and not field.startswith(b'"')) for field in fields):
        raise FileFault("bad_header", "the header holds NUL or a carriage return that ends no line")
    try:
        return [_unquoted(field).decode() for field in fields]
    except UnicodeDecodeError as error:
        raise FileFault("invalid_utf8_header", f"the header is not UTF-8: {error.reason}") from error


def _unquoted(field: bytes) -> bytes:
    return field[1:-1].replace(b'""', b'"') if field.startswith(b'"') else field
