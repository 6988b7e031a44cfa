"""The values of a file in pieces of bounded size: the bytes they take, and where in the file they stand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, Protocol

import numpy as np

from records.errors import FileFault
from records.json.faults import JsonFault
from records.text_views import Positions

SPACES = b" \t\r\n"
BOM = b"\xef\xbb\xbf"
OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
LF = 10
MOST_ELEMENTS = 1 << 15
"""Of a piece: the smallest are two bytes, and as a reject take a hundred times as many."""


@dataclass(frozen=True)
class Limits:
    """What a file may hold; `block_bytes` is how much of it is read at a time."""

    block_bytes: int = 1 << 20
    columns: int = 1000
    header_bytes: int = 1 << 20
    record_bytes: int = 16 << 20


@dataclass(frozen=True)
class Elements:
    """Values that nobody has read yet; each lies within the bytes that are its own in the piece."""

    data: bytes
    offset: int
    """In the sender's file, whatever the encoding."""
    starts: Positions
    ends: Positions
    sizes: Positions
    """Bytes that each takes, line end included."""
    lines: Positions
    sent_size: Callable[[bytes], int] = len
    """How many bytes of the sender's file bytes of the piece stood for."""
    refusal: FileFault | None = None
    """What stands behind them; whether they are seen before it must not hang on how the file was cut."""

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[bytes]:
        return (self.data[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    @cached_property
    def spans(self) -> tuple[Positions, Positions]:
        """Where each starts in the sender's file, and how many bytes it takes there."""
        if self.sent_size is len:
            return self.starts + self.offset, self.sizes
        edges = np.stack((self.starts, self.starts + self.sizes), axis=1).ravel()
        texts = (self.data[start:end] for start, end in zip([0, *edges[:-1].tolist()], edges.tolist(), strict=True))
        sent = np.array([self.sent_size(text) for text in texts], np.int64)
        return sent.cumsum()[0::2] + self.offset, sent[1::2]

    def place(self, number: int, at: int) -> int:
        """Where in the sender's file this byte of a value stands."""
        start = int(self.starts[number])
        return int(self.spans[0][number]) + self.sent_size(self.data[start : start + at])


class Pieces(Protocol):
    """Goes through a file once, from its beginning; FileFault where the rest can have no values."""

    blank_bytes: int
    """What belonged to no value, so far."""

    @property
    def line(self) -> int:
        """The number of the line that is read next; the one behind the last, once all is read."""

    @property
    def read_bytes(self) -> int:
        """So far."""

    def again(self) -> "Pieces":
        """The same file from its beginning, with what is known of it now."""

    def __iter__(self) -> Iterator[Elements]:
        """Values of the next piece, at least one."""

    def require_whole(self, elements: Elements, number: int, fault: JsonFault) -> None:
        """Raises FileFault where a value's fault leaves in doubt where it ends."""


class Feed:
    """The bytes of a file that are read but not yet taken, a byte-order mark left out."""

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        source.seek(0)
        self._source = source
        self._block_bytes = limits.block_bytes
        self.most = limits.record_bytes
        """Bytes of a row and what stands between it and the one before."""
        self._buffer = b""
        self._at = 0
        self.sent_size: Callable[[bytes], int] = getattr(source, "sent_size", len)
        self.offset = 0
        self.line = 1
        self.read_bytes = 0
        self.mark_bytes = 0
        self.is_at_end = False
        self._last = b""
        self._skip_mark()

    def _skip_mark(self) -> None:
        while len(self._buffer) < len(BOM) and not self.is_at_end:
            self.read_on()
        if self._buffer.startswith(OTHER_BOMS):
            raise FileFault("invalid_utf8", "the file is UTF-16 or UTF-32, expected UTF-8")
        if self._buffer.startswith(BOM):
            self.mark_bytes = len(self.take(len(BOM)))

    def windows(self) -> Iterator[bytes]:
        """What is there to be taken: so much as a block, and all of it where that is more."""
        end = self._at + self._block_bytes
        yield self._buffer[self._at : end]
        if end < len(self._buffer):
            yield self._buffer[self._at :]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be taken, now or later."""
        return self.is_at_end and self._at == len(self._buffer)

    @property
    def next_line(self) -> int:
        """The line that begins next; it does not matter whether the last one has an end."""
        return self.line + (self.is_empty and self._last != b"\n")

    def read_on(self) -> None:
        """More bytes; FileFault where what is there is more than a row may have."""
        rest = self._buffer[self._at :]
        if len(rest) > self.most:
            raise self.too_long(self.line)
        chunk = self._source.read(max(self._block_bytes, len(rest)))
        self.read_bytes += len(chunk)
        self.is_at_end = not chunk
        self._buffer, self._at = rest + chunk, 0

    def too_long(self, line: int) -> FileFault:
        """The fault of a row that has more bytes than it may."""
        text = f"the row that starts on line {line} does not end within {self.most} bytes"
        return FileFault("record_too_long", text)

    def take(self, size: int) -> bytes:
        """The first bytes; they are not there any more."""
        taken = self._buffer[self._at : self._at + size]
        self._at += size
        self.offset += self.sent_size(taken)
        # bytes.count is several times slower for a single byte.
        self.line += int(np.count_nonzero(np.frombuffer(taken, np.uint8) == LF))
        self._last = taken[-1:] or self._last
        return taken
