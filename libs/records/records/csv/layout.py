"""Where the records and fields of a piece of CSV lie, found with arithmetic over all of its bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from records.csv.dialect import COMMA, COMMON, CR, DROPPED, LF, QUOTE, Dialect, hushed, ranges
from records.csv.scan import QuoteFault
from records.text_views import Bytes, Mask, Positions, TextViews, is_utf8


@dataclass(frozen=True)
class Sizes:
    """Bytes of a piece by what they were."""

    records: int
    blank: int
    comment: int
    rejected: int


@dataclass(frozen=True)
class Piece:
    """Whole records, with the place in the file where they begin; `added` bytes at the end are not the file's."""

    data: bytes
    common: bytes
    """The same in common signs."""
    offset: int
    line: int
    added: int = 0
    quote_faults: list[QuoteFault] = field(default_factory=list)
    comments: list[tuple[int, int]] = field(default_factory=list)
    dialect: Dialect = COMMON
    sent_size: Callable[[bytes], int] = len
    """How many bytes of the file these bytes stood for."""
    encoding: str = "UTF-8"
    """Of the file."""


class Layout:
    """Where the records of a piece lie; one with a quote fault counts as a record of one field."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.original: Bytes = np.frombuffer(piece.data, np.uint8)
        common: Bytes = np.frombuffer(piece.common, np.uint8)
        # In common signs, but all quotes well formed, and nothing escaped.
        self.bytes = _well_formed(piece)
        self.quotes: Positions = np.flatnonzero(self.bytes == QUOTE)
        separators = np.flatnonzero((self.bytes == COMMA) | (self.bytes == LF))
        self.separators = _outside(separators, self.quotes)
        last = np.flatnonzero(self.bytes.take(self.separators) == LF)
        self.first = np.concatenate(([0], last[:-1] + 1))
        """Of each record, the number of its first separator."""
        self.field_counts: Positions = last - self.first + 1
        self.line_ends: Positions = self.separators[last]
        self.starts: Positions = np.concatenate(([0], self.line_ends[:-1] + 1))
        has_return = common.take(self.line_ends - 1) == CR
        self.ends: Positions = self.line_ends - (has_return & (self.line_ends > self.starts))
        self.is_blank: Mask = self.ends == self.starts

    @cached_property
    def is_comment(self) -> Mask:
        """Records that say nothing."""
        found = np.zeros(len(self.starts), bool)
        found[np.searchsorted(self.starts, [start for start, _ in self.piece.comments])] = True
        return found

    @cached_property
    def is_spoken(self) -> Mask:
        """Records that say something."""
        return ~(self.is_blank | self.is_comment) if self.piece.comments else ~self.is_blank

    def sizes(self, is_rejected: Mask | None = None) -> Sizes:
        """Bytes by what they were."""
        blank = int(self.extents[self.is_blank].sum())
        comment = int(self.extents[self.is_comment].sum()) if self.piece.comments else 0
        rejected = int(self.extents[is_rejected].sum()) if is_rejected is not None else 0
        return Sizes(int(self.extents.sum()) - blank - comment - rejected, blank, comment, rejected)

    @cached_property
    def lines(self) -> Positions:
        """Physical line on which each record starts."""
        line_ends = np.frombuffer(self.piece.common, np.uint8) == LF
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
        if self.piece.dialect.repair and (self.field_counts[records] != width).any():
            return self._ragged_fields(records, width)
        if len(records) * width == len(self.separators):
            ends = self.separators.reshape(-1, width).T.copy()
        else:
            ends = self.separators[self.first[records] + np.arange(width)[:, None]]
        starts = np.empty_like(ends)
        starts[0] = self.starts[records]
        starts[1:] = ends[:-1] + 1
        ends[-1] = self.ends[records]
        return starts, ends

    def _ragged_fields(self, records: Positions, width: int) -> tuple[Positions, Positions]:
        """Fields that a record lacks are empty; what lies behind the last column is no field."""
        column, last = np.arange(width)[:, None], self.field_counts[records] - 1
        ends = self.separators[self.first[records] + np.minimum(column, last)]
        starts = np.empty_like(ends)
        starts[0] = self.starts[records]
        starts[1:] = ends[:-1] + 1
        np.copyto(ends, self.ends[records], where=column >= last)
        np.copyto(starts, ends, where=column > last)
        return starts, ends

    def left_out(self) -> Positions:
        """Bytes that are no part of a value: one of each doubled quote, and escapes."""
        if self.piece.dialect.escape:
            escapes: Positions = np.flatnonzero(self.bytes == DROPPED)
            if self.piece.dialect.quote:
                # Outside quotes they are text.
                escapes = escapes[np.searchsorted(self.quotes, escapes) & 1 == 1]
            return escapes
        closing, opening = self.quotes[1:-1:2], self.quotes[2::2]
        doubled: Positions = closing[opening - closing == 1]
        return doubled

    def fields_of(self, positions: Positions) -> tuple[Positions, Positions]:
        """Record and column that each of these bytes lies in."""
        records = np.searchsorted(self.line_ends, positions)
        return records, np.searchsorted(self.separators, positions) - self.first[records]

    def sent(self, positions: Positions) -> Positions:
        """Where in the sender's file these bytes stand."""
        if self.piece.sent_size is len:
            return np.add(positions, self.piece.offset)
        bounds, inverse = np.unique(positions, return_inverse=True)
        texts = (self.piece.data[start:end] for start, end in pairwise([0, *bounds.tolist()]))
        sizes: Positions = np.array([self.piece.sent_size(text) for text in texts], np.int64).cumsum()
        return sizes.take(inverse) + self.piece.offset

    def raw(self, records: Positions) -> pl.Series:
        """Records as they stand in the file, without line end; what is no text is escaped with backslashes."""
        if self.is_text:
            return TextViews(self.piece.data).texts(self.starts[records], self.ends[records])
        spans = zip(self.starts[records].tolist(), self.ends[records].tolist(), strict=True)
        texts = (self.piece.data[start:end].decode(errors="backslashreplace") for start, end in spans)
        return pl.Series([text.replace("\0", "\\x00") for text in texts], dtype=pl.String)


def _well_formed(piece: Piece) -> Bytes:
    unread = [(fault.start, fault.end) for fault in piece.quote_faults] + piece.comments
    return np.frombuffer(piece.dialect.masked(hushed(piece.common, unread)), np.uint8)


def _outside(separators: Positions, quotes: Positions) -> Positions:
    """The separators that lie outside quotes."""
    if len(separators) < len(quotes):
        is_outside: Mask = np.searchsorted(quotes, separators) & 1 == 0
        return separators[is_outside]
    inside = ranges(np.searchsorted(separators, quotes[0::2]), np.searchsorted(separators, quotes[1::2]))
    if not inside.size:
        return separators
    is_outside = np.ones(len(separators), bool)
    is_outside[inside] = False
    return separators[is_outside]
