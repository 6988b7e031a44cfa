"""JSON Lines: an object on each line, which ends with LF or CRLF; blank lines say nothing."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from waybill_contracts.format import Format

from records.json.faults import JsonFault
from records.json.pieces import LF, MOST_ELEMENTS, SPACES, Elements, Feed, Limits
from records.json.reader import JsonReader
from records.text_views import Positions

CR = 13


def open_jsonl(source: BinaryIO, file_format: Format, names: Sequence[str]) -> JsonReader:
    """The reader of a file of JSON Lines."""
    return read_jsonl(source, Limits())


def read_jsonl(source: BinaryIO, limits: Limits) -> JsonReader:
    """The same, within other limits."""
    return JsonReader(LinePieces(source, limits), limits)


class LinePieces:
    """The lines of a file."""

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._feed = Feed(source, limits)
        self.blank_bytes = self._feed.mark_bytes

    def again(self) -> "LinePieces":
        """The same file from its beginning."""
        return LinePieces(self._source, self._limits)

    @property
    def line(self) -> int:
        """The number of the line that is read next."""
        return self._feed.next_line

    @property
    def read_bytes(self) -> int:
        """So far."""
        return self._feed.read_bytes

    def __iter__(self) -> Iterator[Elements]:
        """Lines that are not blank."""
        while not self._feed.is_empty:
            ends = self._line_ends()
            if ends.size:
                elements = self._elements(ends)
                if len(elements):
                    yield elements
                if elements.refusal:
                    raise elements.refusal
            else:
                self._feed.read_on()

    def require_whole(self, elements: Elements, number: int, fault: JsonFault) -> None:
        """A line is always whole."""

    def _line_ends(self) -> Positions:
        """Behind the line end of each line that is there."""
        for data in self._feed.windows():
            ends: Positions = np.flatnonzero(np.frombuffer(data, np.uint8) == LF)[:MOST_ELEMENTS] + 1
            if ends.size:
                return ends
        return np.array([len(data)] if self._feed.is_at_end else [], np.int64)

    def _elements(self, line_ends: Positions) -> Elements:
        offset, lines = self._feed.offset, np.arange(self._feed.line, self._feed.line + len(line_ends))
        data = self._feed.take(int(line_ends[-1]))
        starts = np.concatenate(([0], line_ends[:-1]))
        sizes = line_ends - starts
        long = np.flatnonzero(sizes > self._feed.most)[:1]
        # A line without an end is the last, and cannot be empty.
        signs = np.frombuffer(data, np.uint8)
        ends = line_ends - (signs[line_ends - 1] == LF)
        ends -= (signs[ends - 1] == CR) & (ends > starts)
        is_row = ends > starts
        is_row[long[0] if long.size else len(lines) :] = False
        for number in np.flatnonzero(is_row & np.isin(signs[starts], list(SPACES))).tolist():
            is_row[number] = bool(data[starts[number] : ends[number]].strip(SPACES))
        self.blank_bytes += int(sizes[~is_row].sum())
        refusal = self._feed.too_long(int(lines[long[0]])) if long.size else None
        starts, ends, sizes, lines = (values[is_row] for values in (starts, ends, sizes, lines))
        return Elements(data, offset, starts, ends, sizes, lines, self._feed.sent_size, refusal)
