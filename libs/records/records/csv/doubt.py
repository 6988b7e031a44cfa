"""Whether a line end lies inside quotes, where a record before it is not what it should be."""

import re
from collections import deque
from functools import lru_cache

import numpy as np

from records.csv.dialect import LF, Dialect
from records.csv.layout import Layout
from records.csv.scan import TEXT_AFTER_QUOTE, QuoteFault
from records.errors import FileFault
from records.text_views import Positions

NEVER = 1 << 62
_SEPARATOR = re.compile(rb",|\r?\n")


class Doubt:
    """Follows the other reading: from a record with a fault of structure on, as if its line end lay inside quotes.

    As a rule it soon breaks the grammar itself, and all is well. Where the reading that gives the rows breaks first,
    or both could go on, rows may be lines of a text: the file is refused (quotes_in_doubt).
    """

    def __init__(self, dialect: Dialect, field_bytes: int) -> None:
        self._dialect = dialect
        self._field_bytes = field_bytes
        self._is_needed = bool(dialect.quote) and "stray_quotes" not in dialect.repair
        self._line = 0
        """Of the record since which there is doubt; 0 where there is none."""
        self._left = 0
        """Bytes that the quoted text may still have."""

    def follow(self, layout: Layout, faulty: Positions) -> None:
        """The next records, and which of them have a fault; FileFault where nobody can tell what is inside quotes."""
        if not self._is_needed:
            return
        is_odd = layout.is_blank.copy()
        is_odd[faulty] = True
        if layout.piece.comments:
            is_odd &= ~layout.is_comment
        if self._line or is_odd.any():
            self._follow(layout, layout.line_ends[is_odd] + 1)

    def _follow(self, layout: Layout, ends: Positions) -> None:
        """The same, by the ends of records that have a fault, or are blank."""
        faults, number, death = deque(layout.piece.quote_faults), -1, 0
        if self._line:
            death = self._death(layout, 0)
            self._require_dead(layout, faults, death)
        while death != NEVER:
            number = max(number + 1, int(np.searchsorted(ends, death)))
            if number == len(ends):
                self._line = 0
                return
            at = int(ends[number])
            self._line, self._left = _line_of(layout, at - 1), self._field_bytes
            death = self._death(layout, at)
            while faults and faults[0].end <= at:
                faults.popleft()
            self._require_dead(layout, faults, death)

    def _require_dead(self, layout: Layout, faults: deque[QuoteFault], death: int) -> None:
        """FileFault where the reading that gives the rows breaks before the other one."""
        if faults and (quote := self._misplaced(layout.piece.common, faults[0])) < death:
            self._refuse(layout, quote)

    def _misplaced(self, common: bytes, fault: QuoteFault) -> int:
        if fault.code == TEXT_AFTER_QUOTE:
            quoted = _quoted(self._dialect).match(common, fault.at + 1)
            assert quoted
            return quoted.end() - 1
        return common.find(b'"', fault.at)

    def _death(self, layout: Layout, inside: int) -> int:
        """Where the other reading, inside quotes from there, breaks the grammar; NEVER where it does not here."""
        common, quoted = layout.piece.common, _quoted(self._dialect)
        while True:
            found = quoted.match(common, inside)
            closed = found.end() if found else len(common)
            if closed - inside > self._left:
                return inside + self._left
            if not found:
                self._left -= closed - inside
                return NEVER
            if not _SEPARATOR.match(common, closed):
                return closed - 1
            at = self._pass_records(layout, closed)
            self._left = self._field_bytes
            if not common.startswith(b'"', at):
                return common.find(b'"', at)
            inside = at + 1

    def _pass_records(self, layout: Layout, closed: int) -> int:
        """The beginning of the first field that is not well formed, or not whole, from a closing quote on."""
        common, grammar = layout.piece.common, self._dialect.grammar
        separator = _SEPARATOR.match(common, closed)
        at = separator.end() if separator else closed
        if common[at - 1] == LF:
            self._require_apart(layout, at)
        while True:
            fields = grammar.good_fields.match(common, at)
            at = fields.end() if fields else at
            last = grammar.last_field.match(common, at)
            if not last:
                return at
            at = last.end()
            self._require_apart(layout, at)

    def _require_apart(self, layout: Layout, end: int) -> None:
        """FileFault where a record ends here in both readings: each could go on."""
        ends, is_end = layout.line_ends, end == len(layout.piece.common)
        if (self._dialect.escape or self._dialect.comment) and not is_end:
            place = np.searchsorted(ends, end - 1)
            is_end = bool(place < len(ends) and ends[place] == end - 1)
        if is_end:
            self._refuse(layout, end - 1)

    def _refuse(self, layout: Layout, position: int) -> None:
        line = _line_of(layout, position)
        raise FileFault(
            "quotes_in_doubt",
            f"a quote is missing or misplaced in the record that ends on line {self._line}, or near line {line}: nobody"
            ' can tell which lines between them are rows; mend it, or declare quote: "" if quotes are plain text',
        )


def _line_of(layout: Layout, position: int) -> int:
    return layout.piece.line + layout.piece.common.count(b"\n", 0, position)


@lru_cache(maxsize=2)
def _of_escape(has_escape: bool) -> re.Pattern[bytes]:
    return re.compile(rb'[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"' if has_escape else rb'[^"]*+(?:""[^"]*+)*+"(?!")')


def _quoted(dialect: Dialect) -> re.Pattern[bytes]:
    """The rest of a quoted text, with the quote that closes it."""
    return _of_escape(bool(dialect.escape))
