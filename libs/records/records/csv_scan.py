"""Where records end: vectorised where all quotes are well formed, exact and one by one where they are not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from records.csv_dialect import COMMA, COMMON, CR, LF, QUOTE, Dialect, hushed
from records.text_views import Bytes, Positions

TEXT_AFTER_QUOTE = "text_after_quote"
QUOTE_IN_FIELD = "quote_in_field"

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
    starts = dialect.comment_starts(data)
    if exact or (starts and not dialect.quote):
        return _Walk(common, dialect, starts).run()
    comments = [(start, common.find(b"\n", start) + 1 or len(common) + 1) for start in starts]
    shown = hushed(common, comments)
    found = _scan_fast(shown, dialect, starts)
    if found is None:
        return _Walk(common, dialect, starts).run()
    found.comments = [comment for comment in comments if comment[1] <= found.end]
    return found


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
        self._found = Scan(0)

    def run(self) -> Scan:
        found, quote = self._found, -1
        while True:
            if quote < found.end:
                quote = self._common.find(b'"', found.end)
                quote = quote if quote >= 0 else len(self._common)
            comment = self._next_comment(quote)
            if comment is None and quote == len(self._common):
                found.end = max(self._rest(), found.end)
                return found
            end = self._pass_record(quote) if comment is None else self._pass_comment(comment)
            if not end:
                return found
            found.end = end

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

    def _pass_comment(self, start: int) -> int:
        end = self._common.find(b"\n", start) + 1
        self._found.end = start
        if end:
            self._found.comments.append((start, end))
        return end

    def _pass_record(self, quote: int) -> int:
        """The end of the record that this quote is the first in, 0 where it has none yet."""
        common, grammar, since = self._common, self._dialect.grammar, self._found.end
        start = max(common.rfind(b"\n", since, quote) + 1, since)
        prefix = grammar.good_fields.match(common, start)
        at = prefix.end() if prefix else start
        if good := grammar.last_field.match(common, at):
            return good.end()
        lax = grammar.lax_record.match(common, at)
        if not lax:
            self._found.end = start
            return 0
        code = TEXT_AFTER_QUOTE if common[at] == QUOTE else QUOTE_IN_FIELD
        self._found.faults.append(QuoteFault(start, lax.end(), code, at))
        return lax.end()

    def _rest(self) -> int:
        """The end of the last whole record where no quote and no comment is left."""
        if self._dialect.quote or not self._dialect.escape:
            return self._common.rfind(b"\n") + 1
        found = _ESCAPED_LINES.match(self._common, self._found.end)
        return found.end() if found else 0
