"""The grammar of CSV in any dialect as plain Python, byte by byte."""

from typing import NamedTuple

from records.errors import FileFault

FAR = 1 << 60


class Field(NamedTuple):
    """Text of the quoted part, or None, and what follows it; in the latter bare CRs are NUL."""

    quoted: bytes | None
    plain: bytes
    code: str | None
    bare: str | None
    end: int
    raw: bytes


class Grammar:
    """Of a dialect."""

    def __init__(self, said):
        self.delimiter = (said.delimiter or ",").encode()
        self.quote = ('"' if said.quote is None else said.quote).encode()
        self.escape = (said.escape or "").encode()
        self.comment = (said.comment or "").encode()
        self.ends = {"cr": [b"\r"], "any": [b"\r\n", b"\n", b"\r"]}.get(said.line_end, [b"\r\n", b"\n"])

    def at(self, sign, data, at):
        """Whether this sign, if the dialect has it, stands here."""
        return bool(sign) and data.startswith(sign, at)

    def line_end(self, data, at):
        """The line end that stands here, empty where none does."""
        return next((end for end in self.ends if data.startswith(end, at)), b"")

    def line(self, data, to):
        """Number of the physical line of a position."""
        at, line = 0, 1
        while at < to:
            end = self.line_end(data, at)
            line += bool(end)
            at += len(end) or 1
        return line

    def quoted(self, data, at):
        """Text up to the closing quote, and where it ends."""
        text = bytearray()
        while at < len(data):
            if self.at(self.escape, data, at) and data[at + 1 : at + 2] in (self.escape, self.quote):
                text += data[at + 1 : at + 2]
                at += 2
            elif not self.at(self.quote, data, at):
                text.append(data[at])
                at += 1
            elif not self.escape and self.at(self.quote, data, at + 1):
                text += self.quote
                at += 2
            else:
                return bytes(text), at + 1
        raise FileFault("unclosed_quote", "")

    def plain(self, data, at):
        """Text outside quotes, its bare CR or LF and where it ends."""
        text, bare = bytearray(), None
        while at < len(data) and not self.at(self.delimiter, data, at) and not self.line_end(data, at):
            if not self.quote and self.at(self.escape, data, at):
                signs = (self.escape, self.delimiter, self.line_end(data, at + 1))
                escaped = next((sign for sign in signs if self.at(sign, data, at + 1)), b"")
                text += escaped or self.escape
                at += 1 + len(escaped)
                continue
            if data[at] in b"\r\n":
                bare = "bare_carriage_return" if data[at] == 13 else "bare_line_feed"
            text.append(0 if data[at] == 13 else data[at])
            at += 1
        return bytes(text), bare, at

    def field(self, data, at):
        """The field that begins here."""
        if self.at(self.quote, data, at):
            quoted, closed = self.quoted(data, at + 1)
            plain, bare, end = self.plain(data, closed)
            return Field(quoted, plain, "text_after_quote" if plain else None, bare, end, data[at:end])
        plain, bare, end = self.plain(data, at)
        code = "quote_in_field" if self.quote and self.quote in plain else None
        return Field(None, plain, code, bare, end, data[at:end])

    def records(self, data):
        """(line, fields, raw bytes, end with the line end) of each record; a comment has no fields."""
        at = 0
        while at < len(data):
            start, fields = at, []
            if self.at(self.comment, data, at):
                while at < len(data) and not self.line_end(data, at):
                    at += 1
            else:
                fields = [self.field(data, at)]
                while self.at(self.delimiter, data, fields[-1].end):
                    fields.append(self.field(data, fields[-1].end + 1))
                at = fields[-1].end
            raw, at = data[start:at], at + len(self.line_end(data, at))
            yield self.line(data, start), fields, raw, at

    def misplaced(self, data, fields):
        """Where the first quote stands that breaks the grammar; far away if none does."""
        for field in fields:
            start = field.end - len(field.raw)
            if field.code == "text_after_quote":
                return self.quoted(data, start + 1)[1] - 1
            if field.code:
                return data.index(self.quote, start)
        return FAR

    def death(self, data, at, ends):
        """Where reading on as if this were inside quotes breaks the grammar, and where it meets the other reading."""
        is_inside = True
        while True:
            if is_inside:
                try:
                    at = self.quoted(data, at)[1]
                except FileFault:
                    return FAR, FAR
                if at < len(data) and not self.at(self.delimiter, data, at) and not self.line_end(data, at):
                    return at - 1, FAR
            end = self.line_end(data, at)
            at += len(end) or 1
            if at >= len(data) or (end and at in ends):
                return FAR, min(at, len(data))
            is_inside = self.at(self.quote, data, at)
            if is_inside:
                at += 1
                continue
            start, at = at, self.plain(data, at)[2]
            if self.quote in data[start:at]:
                return data.index(self.quote, start), FAR
