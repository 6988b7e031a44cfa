"""The bytes of a CSV file that are read but not yet taken apart, and how far in the file they begin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from records.csv.dialect import CR, LF, Dialect
from records.csv.layout import Piece
from records.csv.scan import Scan
from records.encodings import Utf8
from records.errors import FileFault


@dataclass(frozen=True)
class Limits:
    """What a file may hold; a limit itself is possible. `block_bytes` is how much of it is read at a time.

    Bytes of lines and records are those without their line end; a record's quoted line breaks do not end it.
    """

    block_bytes: int = 1 << 20
    columns: int = 1000
    header_bytes: int = 1 << 20
    field_bytes: int = 8 << 20
    line_bytes: int = 16 << 20
    record_bytes: int = 16 << 20
    footer_bytes: int = 64 << 20
    """What is held back of a file while it may be its footer."""


class Input:
    """Begins with a line, or a record."""

    def __init__(self, source: BinaryIO, dialect: Dialect, limits: Limits) -> None:
        self._source = source
        self._dialect = dialect
        self._limits = limits
        self._held = b""
        self._added = 0
        self._sent_size: Callable[[bytes], int] = source.sent_size if isinstance(source, Utf8) else len
        self._encoding = source.encoding if isinstance(source, Utf8) else "UTF-8"
        self.data = b""
        self.common = b""
        """The same in common signs."""
        self.line = 1
        self.offset = 0
        """In the sender's file, whatever the encoding."""
        self.read_bytes = 0
        self.is_at_end = False

    def fill(self) -> None:
        """Read on; a line end is made up for a last line without one."""
        chunk = self._source.read(max(self._limits.block_bytes, len(self.data)))
        self.read_bytes += len(chunk)
        self.is_at_end = not chunk
        chunk, self._held = self._held + chunk, b""
        if not self.is_at_end and self._dialect.line_end == "any" and chunk.endswith(b"\r"):
            # It may be half of a line end.
            chunk, self._held = chunk[:-1], b"\r"
        self._append(chunk)
        if self.is_at_end and self.data and not self._is_ended():
            end = self._dialect.made_up_end
            self._append(end)
            self._added = len(end)

    def _append(self, chunk: bytes) -> None:
        self.data += chunk
        self.common = self.data if self._dialect.is_common else self.common + self._dialect.common(chunk)

    def _is_ended(self) -> bool:
        """Whether a line end that is not escaped comes last; an escape that comes last escapes nothing."""
        has_end = self.common.endswith(b"\n")
        if self._dialect.quote or not self._dialect.escape:
            return has_end
        text = self.common.removesuffix(b"\n").removesuffix(b"\r") if has_end else self.common
        is_escaped = (len(text) - len(text.rstrip(b"\\"))) % 2 == 1
        if is_escaped and not has_end:
            self.common = text[:-1] + b"x"
        return has_end and not is_escaped

    def peek(self, found: Scan) -> Piece:
        """The whole records that were found."""
        size = found.end
        is_all = size == len(self.data)
        data = self.data if is_all else self.data[:size]
        common = data if self._dialect.is_common else self.common[:size]
        return Piece(
            data,
            common,
            self.offset,
            self.line,
            added=self._added if is_all else 0,
            quote_faults=found.faults,
            comments=found.comments,
            dialect=self._dialect,
            sent_size=self._sent_size,
            encoding=self._encoding,
        )

    def take(self, found: Scan) -> Piece:
        """The whole records that were found; they are not there any more."""
        piece = self.peek(found)
        self.data = self.data[found.end :]
        self.common = self.data if self._dialect.is_common else self.common[found.end :]
        if len(piece.data) > self._limits.line_bytes:
            self._require_short_lines(piece.common)
        self.offset += self._sent_size(piece.data)
        # bytes.count is several times slower for a single byte.
        self.line += int(np.count_nonzero(np.frombuffer(piece.common, np.uint8) == LF))
        return piece

    def need_more(self, most: int, code: str, since: int = 0) -> None:
        """Read on, unless what begins at `since` cannot end, or is too long already, its line end apart."""
        if self.is_at_end:
            line = self._line_of_quote(since)
            raise FileFault("unclosed_quote", f"the quote that starts on line {line} is never closed")
        if len(self.data) - since - 1 > most:
            line = self._line_at(since)
            raise FileFault(code, f"the record that starts on line {line} does not end within {most} bytes")
        begun = max(self.common.rfind(b"\n") + 1, since)
        if len(self.data) - begun - 1 > self._limits.line_bytes:
            line = self._line_at(begun)
            raise FileFault("line_too_long", f"line {line} does not end within {self._limits.line_bytes} bytes")
        self.fill()

    def _require_short_lines(self, common: bytes) -> None:
        data, most = np.frombuffer(common, np.uint8), self._limits.line_bytes
        ends = np.flatnonzero(data == LF)
        sizes = np.diff(ends, prepend=-1) - 1
        sizes -= (sizes > 0) & (data.take(ends - 1) == CR)
        if (long := np.flatnonzero(sizes > most)).size:
            line, size = self.line + int(long[0]), sizes[long[0]]
            raise FileFault("line_too_long", f"line {line} has {size} bytes, at most {most} are possible")

    def _line_of_quote(self, since: int) -> int:
        fields = self._dialect.grammar.lax_fields.match(self.common, since)
        return self._line_at(fields.end() if fields else since)

    def _line_at(self, position: int) -> int:
        return self.line + self.common.count(b"\n", 0, position)
