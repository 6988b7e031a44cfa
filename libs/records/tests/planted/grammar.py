"""RFC 4180, and the dialects that are like it, as an automaton over bytes: independent of the readers that it judges.

It reads one record at a time and knows no mending: a record is as the grammar says, or it is wrong.
"""

from dataclasses import dataclass

from .tables import Dialect, Value


@dataclass(frozen=True)
class Record:
    """A record that begins at `start`; its values, or None where it breaks the grammar."""

    start: int
    end: int
    values: tuple[Value, ...] | None


@dataclass(frozen=True)
class Grammar:
    """What the characters of a dialect mean."""

    delimiter: bytes
    quote: bytes
    escape: bytes
    ends: str

    @classmethod
    def of(cls, dialect: Dialect) -> "Grammar":
        return cls(dialect.delimiter.encode(), dialect.quote.encode(), dialect.escape.encode(), dialect.ends)

    def line_end(self, data: bytes, at: int) -> int:
        """How many bytes at this place end a line; of the end of the data none do."""
        if data[at : at + 2] == b"\r\n" and self.ends != "cr":
            return 2
        ends = {"lf": b"\n", "cr": b"\r", "any": b"\r\n"}[self.ends]
        return 1 if data[at : at + 1] and data[at] in ends else 0

    def record(self, data: bytes, at: int) -> Record | None:
        """The first record at or behind this place that is no blank line; None at the end of the data."""
        while size := self.line_end(data, at):
            at += size
        if at >= len(data):
            return None
        start, values = at, []
        while True:
            found = self._quoted(data, at) if self.quote and data.startswith(self.quote, at) else self._plain(data, at)
            if found is None:
                return Record(start, at, None)
            text, at = found
            values.append(text)
            if not data.startswith(self.delimiter, at):
                break
            at += len(self.delimiter)
        is_wrong = b"\0" in data[start:at]
        try:
            texts = tuple(None if value is None else value.decode() for value in values)
        except UnicodeDecodeError:
            is_wrong = True
        return Record(start, at + self.line_end(data, at), None if is_wrong else texts)

    def _is_end(self, data: bytes, at: int) -> bool:
        return at >= len(data) or data.startswith(self.delimiter, at) or self.line_end(data, at) > 0

    def _plain(self, data: bytes, at: int) -> tuple[bytes | None, int] | None:
        start, text = at, bytearray()
        while not self._is_end(data, at):
            sign = data[at : at + 1]
            if sign == self.quote or sign in (b"\r", b"\n"):
                return None
            if self.escape and not self.quote and sign == self.escape:
                size = self._escaped(data, at + 1)
                text += data[at + bool(size) : at + 1 + size]
                at += 1 + size
            else:
                text += sign
                at += 1
        return bytes(text) if at > start else None, at

    def _escaped(self, data: bytes, at: int) -> int:
        """How many bytes at this place an escape before them takes for text, where nothing is quoted."""
        is_sign = data[at : at + 1] in (self.escape, self.delimiter)
        return 1 if is_sign else self.line_end(data, at)

    def _quoted(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        text = bytearray()
        at += 1
        while at < len(data):
            sign, behind = data[at : at + 1], data[at + 1 : at + 2]
            if self.escape and sign == self.escape:
                # Before anything else it stands for itself.
                is_escape = behind in (self.quote, self.escape)
                text += behind if is_escape else sign
                at += 1 + is_escape
            elif sign == self.quote and behind == self.quote and not self.escape:
                text += sign
                at += 2
            elif sign == self.quote:
                return (bytes(text), at + 1) if self._is_end(data, at + 1) else None
            else:
                text += sign
                at += 1
        return None
