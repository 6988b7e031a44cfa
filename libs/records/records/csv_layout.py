"""Where the records and fields of a piece of CSV lie, found with arithmetic over all of its bytes."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from records.csv_scan import COMMA, CR, LF, QUOTE, QuoteFault
from records.text_views import Bytes, Mask, Positions, TextViews, is_utf8


@dataclass(frozen=True)
class Piece:
    """Whole records, with the place in the file where they begin; `added` bytes at the end are not the file's."""

    data: bytes
    offset: int
    line: int
    quote_faults: list[QuoteFault] = field(default_factory=list)
    added: int = 0


class Layout:
    """Where the records of a piece lie; one with a quote fault counts as a record of one field."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.original: Bytes = np.frombuffer(piece.data, np.uint8)
        # The same bytes, but all quotes well formed.
        self.bytes = _without_quote_faults(piece, self.original)
        self.quotes: Positions = np.flatnonzero(self.bytes == QUOTE)
        separators = np.flatnonzero((self.bytes == COMMA) | (self.bytes == LF))
        self.separators = _outside(separators, self.quotes)
        last = np.flatnonzero(self.bytes.take(self.separators) == LF)
        self.first = np.concatenate(([0], last[:-1] + 1))
        """Of each record, the number of its first separator."""
        self.field_counts: Positions = last - self.first + 1
        self.line_ends: Positions = self.separators[last]
        self.starts: Positions = np.concatenate(([0], self.line_ends[:-1] + 1))
        has_return = self.original.take(self.line_ends - 1) == CR
        self.ends: Positions = self.line_ends - (has_return & (self.line_ends > self.starts))
        self.is_blank: Mask = self.ends == self.starts

    @cached_property
    def lines(self) -> Positions:
        """Physical line on which each record starts."""
        line_ends = self.original == LF
        if np.count_nonzero(line_ends) == len(self.starts):
            return np.arange(self.piece.line, self.piece.line + len(self.starts))
        return np.searchsorted(np.flatnonzero(line_ends), self.starts) + self.piece.line

    @cached_property
    def is_text(self) -> bool:
        """Whether the whole piece is valid UTF-8 without NUL."""
        return b"\0" not in self.piece.data and is_utf8(self.piece.data)

    @cached_property
    def extents(self) -> Positions:
        """Bytes of the file that each record takes, line end included."""
        extents = self.line_ends + 1 - self.starts
        extents[-1] -= self.piece.added
        return extents

    def fields(self, records: Positions, width: int) -> tuple[Positions, Positions]:
        """Start and end of each field, a line for each column; quotes included."""
        if len(records) * width == len(self.separators):
            ends = self.separators.reshape(-1, width).T.copy()
        else:
            ends = self.separators[self.first[records] + np.arange(width)[:, None]]
        starts = np.empty_like(ends)
        starts[0] = self.starts[records]
        starts[1:] = ends[:-1] + 1
        ends[-1] = self.ends[records]
        return starts, ends

    def doubled_quotes(self) -> tuple[Positions, Positions]:
        """Record and column of each doubled quote: a closing quote next to an opening one."""
        closing, opening = self.quotes[1:-1:2], self.quotes[2::2]
        at = closing[opening - closing == 1]
        records = np.searchsorted(self.line_ends, at)
        return records, np.searchsorted(self.separators, at) - self.first[records]

    def raw(self, records: Positions) -> pl.Series:
        """Records as they stand in the file, without line end; what is no text is escaped with backslashes."""
        if self.is_text:
            return TextViews(self.piece.data).texts(self.starts[records], self.ends[records])
        spans = zip(self.starts[records].tolist(), self.ends[records].tolist(), strict=True)
        texts = (self.piece.data[start:end].decode(errors="backslashreplace") for start, end in spans)
        return pl.Series([text.replace("\0", "\\x00") for text in texts], dtype=pl.String)


def _without_quote_faults(piece: Piece, data: Bytes) -> Bytes:
    if not piece.quote_faults:
        return data
    data = data.copy()
    starts, ends, _ = zip(*piece.quote_faults, strict=True)
    data[ranges(np.array(starts), np.array(ends) - 1)] = ord("x")
    return data


def _outside(separators: Positions, quotes: Positions) -> Positions:
    """The separators that lie outside quotes."""
    inside = ranges(np.searchsorted(separators, quotes[0::2]), np.searchsorted(separators, quotes[1::2]))
    if not inside.size:
        return separators
    is_outside = np.ones(len(separators), bool)
    is_outside[inside] = False
    return separators[is_outside]


def ranges(starts: Positions, ends: Positions) -> Positions:
    """All numbers from each start up to its end, in order."""
    lengths = ends - starts
    numbers: Positions = np.arange(lengths.sum()) + np.repeat(starts - lengths.cumsum() + lengths, lengths)
    return numbers
