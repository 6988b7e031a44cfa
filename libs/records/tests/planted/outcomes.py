"""What a reading made of a planted file: exact, refused, rejected, excluded by the rule; or it is Different."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .faults import Edit
from .grammar import Grammar
from .tables import Clean, Row


class Different(AssertionError):
    """A reading that is silently something else than the clean file, or says what is not so."""


@dataclass(frozen=True)
class Reject:
    """A refused row, and the bytes that it stands in."""

    line: int
    start: int
    size: int
    raw: str
    codes: tuple[str, ...]

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass
class Reading:
    """All that a reader said of a file: rows as (start, line, values)."""

    rows: list[tuple[int, int, tuple[Any, ...]]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    repairs: list[tuple[int, str]] = field(default_factory=list)
    refused: str = ""


HEADER_CODES = {
    *("bad_header", "empty_file", "invalid_utf8_header", "doubled_column", "missing_column", "unknown_column"),
}
LINE_END = {"lf": re.compile(rb"\n"), "cr": re.compile(rb"\r"), "any": re.compile(rb"\r\n|\r|\n")}


class Judgement:
    """A reading held against the clean file and the one edit that was made."""

    def __init__(self, clean: Clean, edit: Edit, reading: Reading, values: Sequence[tuple[Any, ...]]) -> None:
        self.clean, self.edit, self.reading = clean, edit, reading
        self.content = edit.of(clean.content)
        self.values = values
        """Of each row of the clean file, the header first, as the reading must give them."""
        self.line_ends = [at.end() for at in LINE_END[clean.dialect.ends].finditer(self.content)]
        self.delta = len(edit.inserted) - (edit.end - edit.start)

    def outcome(self) -> str:
        """exact, refused, rejected or excluded; raises Different."""
        if self.reading.refused:
            self._check_refusal()
            return "refused"
        self._check_texts()
        trouble = self._trouble() or self._trouble_of_rejects()
        if not trouble:
            return "rejected" if self.reading.rejects else "exact"
        if is_well_formed_otherwise(self.clean, self.edit):
            return "excluded"
        raise Different(trouble)

    def _check_refusal(self) -> None:
        """Only a quote that is never closed, one that leaves doubt, or a fault in the header refuses every row."""
        is_of_header = self.edit.start <= self.clean.header.end and self.reading.refused in HEADER_CODES
        if not is_of_header and self.reading.refused not in ("unclosed_quote", "quotes_in_doubt"):
            raise Different(f"refused: {self.reading.refused}")

    def _line(self, start: int) -> int:
        return bisect_left(self.line_ends, start + 1) + 1

    def _moved(self, at: int) -> int:
        """Where a byte of the clean file stands now."""
        return at if at <= self.edit.start else max(self.edit.start, at + self.delta)

    def _is_touched(self, row: Row) -> bool:
        if row.end <= self.edit.start:
            return row.end == row.fields[-1][1]
        return row.start <= self.edit.end

    def _trouble(self) -> str:
        """What is silently different, empty if nothing is."""
        found = {start: (line, values) for start, line, values in self.reading.rows}
        touched, wanted = [], {}
        for row, values in zip(self.clean.rows[1:], self.values[1:], strict=True):
            if self._is_touched(row):
                touched.append((row, values))
            else:
                wanted[self._moved(row.start)] = values
        for start, values in wanted.items():
            if start not in found:
                if not self._is_rejected(start, start + 1):
                    return f"the row at byte {start} is missing and not rejected"
            elif found[start] != (self._line(start), values):
                return f"the row at byte {start} was not touched, but is {found[start]}, not {values}"
        return self._trouble_of_touched(touched, {at: row for at, row in found.items() if at not in wanted})

    def _trouble_of_touched(self, touched: list[tuple[Row, tuple[Any, ...]]], others: dict[int, Any]) -> str:
        remaining = sorted(others.items())
        for row, values in touched:
            if remaining and remaining[0][1] == (self._line(remaining[0][0]), values):
                remaining.pop(0)
            elif not self._is_rejected(*self._left_of(row, touched)):
                return f"the touched row {values} is neither there nor rejected"
        return f"a row that nobody wrote: {remaining[0]}" if remaining else ""

    def _left_of(self, row: Row, touched: list[tuple[Row, Any]]) -> tuple[int, int]:
        """Where what is left of the row stands; of one that is gone whole, what is left of its neighbours."""
        is_gone = self.edit.start <= row.start and row.end <= self.edit.end
        first, last = (touched[0][0], touched[-1][0]) if is_gone else (row, row)
        return self._moved(first.start), self._moved(last.end)

    def _is_rejected(self, start: int, end: int) -> bool:
        return any(reject.start <= end and start <= reject.end for reject in self.reading.rejects)

    def _check_texts(self) -> None:
        """Each reject tells its line and raw text truly."""
        for reject in self.reading.rejects:
            raw = self.content[reject.start : reject.end]
            shown = raw.decode(errors="backslashreplace").replace("\0", "\\x00")
            if reject.line != self._line(reject.start):
                raise Different(f"{reject} is on line {self._line(reject.start)}")
            if not shown.startswith(reject.raw) or shown[len(reject.raw) :] not in ("", "\n", "\r\n", "\r"):
                raise Different(f"{reject} shows another text than {shown!r}")

    def _trouble_of_rejects(self) -> str:
        """They stand where the fault is, one after the other."""
        rejects = sorted(self.reading.rejects, key=lambda reject: reject.start)
        if not rejects:
            return ""
        end = self.edit.start + len(self.edit.inserted)
        end = max([end, *(self._moved(row.end) for row in self.clean.rows[1:] if self._is_touched(row))])
        blank = len(self.content[end:]) - len(self.content[end:].lstrip(b"\r\n"))
        if rejects[0].start > end + blank or rejects[-1].end < self.edit.start:
            return f"{rejects} are not where the fault is: {self.edit}"
        between = [start for start, *_ in self.reading.rows if rejects[0].start < start < rejects[-1].start]
        return f"rows at {between} stand between rejects, {rejects}" if between else ""


def is_well_formed_otherwise(clean: Clean, edit: Edit) -> bool:
    """The one rule of exclusion.

    Somebody who knows the grammar and the number of columns, and reads the planted file from its beginning or from a
    line end that the fault itself wrote, meets a record that the clean file does not have there, or the end of the
    file, before anything that is wrong: it is what somebody else might have meant.
    """
    grammar, content = Grammar.of(clean.dialect), edit.of(clean.content)
    ends = LINE_END[clean.dialect.ends].finditer(content, edit.start, edit.start + len(edit.inserted))
    records = (grammar.record(content, end.end()) for end in ends)
    if any(record and record.values and len(record.values) == len(clean.types) for record in records):
        return True
    first = next((number for number, row in enumerate(clean.rows) if row.end >= edit.start), len(clean.rows) - 1)
    at = clean.rows[first].start
    for row in clean.rows[first:]:
        record = grammar.record(content, at)
        if record is None:
            return True
        if record.values is None or (row is not clean.header and len(record.values) != len(row.values)):
            return False
        if record.values != row.values:
            return True
        at = record.end
    rest = grammar.record(content, at)
    return rest is not None and rest.values is not None and len(rest.values) == len(clean.types)
