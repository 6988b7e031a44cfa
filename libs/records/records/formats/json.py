"""JSON: one array of objects, of which only a piece is in memory at a time.

A fault inside an element rejects that element, as long as it is sure where it ends. Where it is not, and where
anything but elements, commas and the closing bracket stands in the array or behind it, the file is refused.
Rows are known by their lines; where several begin on one line, all rows of the file are known by their numbers.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
from waybill_contracts.format import Format

from records.errors import FileFault
from records.json.faults import JsonFault
from records.json.pieces import LF, MOST_ELEMENTS, SPACES, Elements, Feed, Limits
from records.json.reader import JsonReader
from records.json.scan import Separators, is_whole, separators
from records.text_views import Positions


def open_json(source: BinaryIO, file_format: Format, names: Sequence[str]) -> JsonReader:
    """The reader of a file that is an array of objects."""
    return read_json(source, Limits())


def read_json(source: BinaryIO, limits: Limits) -> JsonReader:
    """The same, within other limits."""
    return JsonReader(ArrayPieces(source, limits), limits)


class ArrayPieces:
    """The elements of an array."""

    def __init__(self, source: BinaryIO, limits: Limits, *, is_numbered: bool = False) -> None:
        self._source, self._limits, self._is_numbered = source, limits, is_numbered
        self._feed = Feed(source, limits)
        self._count = 0
        self._last_line = 0
        self._shares_lines = False
        self.blank_bytes = self._feed.mark_bytes

    def again(self) -> "ArrayPieces":
        """The same file from its beginning; rows are numbered if lines do not tell them apart."""
        return ArrayPieces(self._source, self._limits, is_numbered=self._shares_lines)

    @property
    def line(self) -> int:
        """The number of the line, or else of the row, that is read next."""
        return self._count + 1 if self._is_numbered else self._feed.next_line

    @property
    def read_bytes(self) -> int:
        """So far."""
        return self._feed.read_bytes

    def __iter__(self) -> Iterator[Elements]:
        """The elements; FileFault where the file is anything but one whole array."""
        if not self._open():
            return
        is_closed = False
        while not is_closed:
            found = self._separators()
            is_closed = found.is_closed
            if found.positions.size:
                elements = self._elements(found)
                if len(elements):
                    yield elements
                if elements.refusal:
                    raise elements.refusal
            elif self._feed.is_at_end:
                text = f"the array is not closed, and the row that starts on line {self._feed.line} has no end"
                raise FileFault("unclosed_array", f"{text}: the file was cut off, or a quote or bracket is missing")
            else:
                self._feed.read_on()
        if self._skip_spaces():
            text = f"there is more behind the array, from byte {self._feed.offset} of the file, line {self._feed.line}"
            raise FileFault("text_after_array", text)

    def require_whole(self, elements: Elements, number: int, fault: JsonFault) -> None:
        """Raises FileFault where a fault leaves in doubt where the element ends, or whether it is one."""
        element = elements.data[elements.starts[number] : elements.ends[number]]
        if fault.code == "text_after_value" or not is_whole(element):
            at = elements.place(number, fault.at or 0)
            text = f"it is in doubt where the row that starts on line {elements.lines[number]} ends"
            raise FileFault("bad_array", f"{text}: {fault.what} at byte {at} of the file")

    def _open(self) -> bool:
        """Whether there is anything at all."""
        begun = self._skip_spaces()
        if begun.startswith(b"{"):
            text = "the file is an object, expected an array of objects; an object on each line is format jsonl"
            raise FileFault("not_an_array", text)
        if begun and not begun.startswith(b"["):
            raise FileFault("not_an_array", "the file does not begin with [, expected an array of objects")
        self.blank_bytes += len(self._feed.take(len(begun[:1])))
        return bool(begun)

    def _skip_spaces(self) -> bytes:
        """What comes next that says something; nothing at the end of the file."""
        while not self._feed.is_empty:
            data = next(self._feed.windows())
            rest = data.lstrip(SPACES)
            self.blank_bytes += len(self._feed.take(len(data) - len(rest)))
            if rest:
                return rest
            if not data:
                self._feed.read_on()
        return b""

    def _separators(self) -> Separators:
        found = Separators(np.empty(0, np.int64), False)
        for data in self._feed.windows():
            found = separators(data)
            if len(found.positions) > MOST_ELEMENTS:
                return Separators(found.positions[:MOST_ELEMENTS], False)
            if found.positions.size:
                break
        return found

    def _elements(self, found: Separators) -> Elements:
        """The elements up to the first that is too long, or missing."""
        offset, first_line = self._feed.offset, self._feed.line
        data = self._feed.take(int(found.positions[-1]) + 1)
        begins = np.concatenate(([0], found.positions[:-1] + 1))
        starts, ends = _trimmed(data, begins, found.positions)
        line_ends = np.flatnonzero(np.frombuffer(data, np.uint8) == LF)
        begin_lines, lines = (first_line + np.searchsorted(line_ends, places) for places in (begins, starts))
        is_long, is_missing = found.positions - begins > self._feed.most, ends == starts
        count = int(np.append(is_long | is_missing, True).argmax())
        refusal = None
        if count < len(starts) and is_long[count]:
            refusal = self._feed.too_long(int(begin_lines[count]))
        elif found.is_closed and not data.endswith(b"]"):
            refusal = FileFault("bad_array", f"a brace closes the array, on line {first_line + len(line_ends)}")
        elif count < len(starts) and (self._count or len(starts) > 1 or not found.is_closed):
            refusal = FileFault("bad_array", f"a comma has no row on both sides, on line {lines[count]}")
        starts, ends, lines = starts[:count], ends[:count], self._known_by(lines[:count])
        sizes = ends - starts
        self.blank_bytes += len(data) - int(sizes.sum())
        return Elements(data, offset, starts, ends, sizes, lines, self._feed.sent_size, refusal)

    def _known_by(self, lines: Positions) -> Positions:
        """Lines of elements, or else their numbers."""
        self._shares_lines |= bool((np.diff(lines, prepend=self._last_line) == 0).any())
        self._last_line = int(lines[-1]) if lines.size else self._last_line
        self._count += len(lines)
        return np.arange(self._count - len(lines), self._count) + 1 if self._is_numbered else lines


def _trimmed(data: bytes, begins: Positions, ends: Positions) -> tuple[Positions, Positions]:
    """The same without white space on either side."""
    bounds = [_without_spaces(data, *pair) for pair in zip(begins.tolist(), ends.tolist(), strict=True)]
    found = np.array(bounds, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _without_spaces(data: bytes, begin: int, end: int) -> tuple[int, int]:
    text = data[begin:end].lstrip(SPACES)
    start = end - len(text)
    return start, start + len(text.rstrip(SPACES))
