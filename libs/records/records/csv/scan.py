"""Where records end: vectorised where all quotes are well formed, exact and one by one where they are not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from records.csv.dialect import COMMA, COMMON, CR, LF, QUOTE, Dialect, hushed
from records.text_views import Bytes, Positions

TEXT_AFTER_QUOTE = "text_after_quote"
QUOTE_IN_FIELD = "quote_in_field"

LONG_BYTES = 4 << 20
"""Longer than what is read at a time, but for records that are longer themselves."""

_ESCAPED_LINES = re.compile(rb"(?:(?:[^\\\n]++|\\(?:\r\n|[\s\S]))*+\n)*+")


class QuoteFault(NamedTuple):
    """A record whose quotes break the grammar; `end` lies behind its line end, the fault in the field at `at`."""

    start: int
    end: int
    code: str
    at: int


@dataclass
class Scan:
    """Whole records fill the buffer up to `end`; `faults` are those with a quote fault, in order."""

    end: int
    faults: list[QuoteFault] = field(default_factory=list)
    comments: list[tuple[int, int]] = field(default_factory=list)
    """Start of each, and its end behind the line end."""

    def until(self, end: int) -> "Scan":
        """Only what lies before this position, where a record ends."""
        if end == self.end:
            return self
        faults = [fault for fault in self.faults if fault.start < end]
        return Scan(end, faults, [comment for comment in self.comments if comment[0] < end])


def scan(data: bytes, common: bytes, dialect: Dialect = COMMON, *, exact: bool = False) -> Scan:
    """Find the whole records at the beginning of a buffer that starts outside quotes."""
    if b"\n" not in common:
        return Scan(0)
    starts = dialect.comment_starts(data)
    if exact or (starts and not dialect.quote) or _is_dense(common):
        return _Walk(common, dialect, starts).run()
    comments = [(start, common.find(b"\n", start) + 1 or len(common) + 1) for start in starts]
    shown = hushed(common, comments)
    found = _scan_fast(shown, dialect, starts)
    if found is None:
        return _Walk(common, dialect, starts).run()
    found.comments = [comment for comment in comments if comment[1] <= found.end]
    return found


def _is_dense(common: bytes) -> bool:
    """Whether places of quotes would take many times the memory of a long record."""
    return len(common) > LONG_BYTES and int(np.count_nonzero(np.frombuffer(common, np.uint8) == QUOTE)) > LONG_BYTES


def _scan_fast(shown: bytes, dialect: Dialect, outside: Sequence[int]) -> Scan | None:
    """None where quotes are not well formed, or one of these positions does not lie outside quotes after all."""
    masked = dialect.masked(shown)
    data = np.frombuffer(masked, np.uint8)
    quotes = np.flatnonzero(data == QUOTE)
    end = masked.rfind(b"\n") + 1
    if dialect.escape and dialect.quote:
        hidden = np.flatnonzero((np.frombuffer(shown, np.uint8) == QUOTE) & (data != QUOTE))
        if not (np.searchsorted(quotes, hidden) & 1).all():
            return None
    if not quotes.size:
        return Scan(end)
    if not _are_well_formed(data, quotes, dialect) or (np.searchsorted(quotes, outside) & 1).any():
        return None
    if np.searchsorted(quotes, end) & 1 == 0:
        return Scan(end)
    line_ends = np.flatnonzero(data == LF)
    line_ends = line_ends[np.searchsorted(quotes, line_ends) & 1 == 0]
    return Scan(int(line_ends[-1]) + 1 if line_ends.size else 0)


def _are_well_formed(data: Bytes, quotes: Positions, dialect: Dialect) -> bool:
    """Whether each quote opens a field, closes one, or is half of a doubled quote."""
    # A quote at the very end may still turn out to be anything: the next scan sees it again.
    padded = np.concatenate(([LF], data, [LF, LF]))
    before = padded.take(quotes[0::2])
    closing = quotes[1::2] + 1
    after, behind = padded.take(closing + 1), padded.take(closing + 2)
    is_begin = (before == COMMA) | (before == LF)
    is_end = (after == COMMA) | (after == LF)
    if not dialect.escape:
        is_begin |= before == QUOTE
        is_end |= after == QUOTE
    is_end |= (after == CR) & ((behind == LF) | (closing + 1 >= len(data)))
    return bool(is_begin.all() and is_end.all())


class _Walk:
    """Goes from quote to quote and comment to comment; whole lines between them are passed at once."""

    def __init__(self, common: bytes, dialect: Dialect, comment_starts: list[int]) -> None:
        self._common = common
        self._dialect = dialect
        self._starts = comment_starts
        self._next = 0
        self._quote = -1
        self._found = Scan(0)

    def run(self) -> Scan:
        found = self._found
        while (comment := self._pass_records()) is not None:
            found.end = comment
            end = self._common.find(b"\n", comment) + 1
            if not end:
                break
            found.comments.append((comment, end))
            found.end = end
        return found

    def _pass_records(self) -> int | None:
        """Pass the records up to the next comment, and give its start; None where there is none before the end."""
        common, found, has_comments = self._common, self._found, bool(self._starts)
        good_fields, last_field, lax_record = self._dialect.grammar.walked
        while True:
            if (quote := self._quote) < found.end:
                quote = common.find(b'"', found.end)
                self._quote = quote = quote if quote >= 0 else len(common)
            if has_comments and (comment := self._next_comment(quote)) is not None:
                return comment
            if quote == len(common):
                found.end = max(self._rest(), found.end)
                return None
            start = max(common.rfind(b"\n", found.end, quote) + 1, found.end)
            prefix = good_fields.match(common, start)
            at = prefix.end() if prefix else start
            rest = last_field.match(common, at)
            if not rest:
                rest = lax_record.match(common, at)
                if not rest:
                    found.end = start
                    return None
                code = TEXT_AFTER_QUOTE if common[at] == QUOTE else QUOTE_IN_FIELD
                found.faults.append(QuoteFault(start, rest.end(), code, at))
            found.end = rest.end()

    def _next_comment(self, before: int) -> int | None:
        """Start of the next comment that no quote comes before."""
        while self._next < len(self._starts) and (start := self._starts[self._next]) < before:
            self._next += 1
            if start >= self._found.end and self._is_record_start(start):
                return start
        return None

    def _is_record_start(self, line: int) -> bool:
        """Whether the end of the line before is none that is escaped."""
        if self._dialect.quote or not self._dialect.escape or line == self._found.end:
            return True
        before = self._common[self._found.end : line - 1].removesuffix(b"\r")
        return (len(before) - len(before.rstrip(b"\\"))) % 2 == 0

    def _rest(self) -> int:
        """The end of the last whole record where no quote and no comment is left."""
        if self._dialect.quote or not self._dialect.escape:
            return self._common.rfind(b"\n") + 1
        found = _ESCAPED_LINES.match(self._common, self._found.end)
        return found.end() if found else 0
