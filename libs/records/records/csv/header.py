"""What stands before the rows of a CSV file: byte-order mark, lines that say nothing, and the names of the columns."""

import re
from collections.abc import Sequence
from dataclasses import replace

from records.csv.coverage import Coverage
from records.csv.dialect import Dialect
from records.csv.input import Input, Limits
from records.csv.layout import Layout, Piece
from records.csv.scan import Scan, scan
from records.csv.split import split
from records.errors import FileFault

BOM = b"\xef\xbb\xbf"
BLANK_LINES = re.compile(rb"(?:\r?\n)++")
PLAIN_NAMES = re.compile(rb"([\x20-\x21\x23-\x7e]++)\r?\n")
"""What takes no more than a look: of ASCII, without quotes."""
UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class HeaderReader:
    """Takes from an input what comes before its rows."""

    def __init__(self, source: Input, dialect: Dialect, limits: Limits, coverage: Coverage) -> None:
        self._input = source
        self._dialect = dialect
        self._limits = limits
        self._coverage = coverage

    def read(self, names: Sequence[str]) -> list[str]:
        """What the columns are called; in a file without a header by these names, or by their numbers."""
        while len(self._input.data) < len(BOM) and not self._input.is_at_end:
            self._input.fill()
        if self._input.data.startswith(UTF_16_BOMS):
            raise FileFault("invalid_utf8_header", "the file is UTF-16, expected UTF-8")
        if self._input.data.startswith(BOM):
            self._coverage.header += self._take(len(BOM))
        for _ in range(self._dialect.skip_lines):
            self._coverage.skipped += self._take(self._end_of_line())
        if self._dialect.has_header:
            return self._joined()
        self._skip_unread()
        numbered = list(names) or self._numbered()
        self._require_few(len(numbered))
        return numbered

    def _joined(self) -> list[str]:
        rows, size = [], 0
        for _ in range(self._dialect.header_rows):
            self._skip_unread()
            end = self._end_of_record(size)
            found = scan(self._input.data[:end], self._input.common[:end], self._dialect, exact=True)
            piece = self._input.take(found)
            self._coverage.header += end - piece.added
            fields, taken = self._fields(piece)
            rows.append(fields)
            size += taken
            self._require_short(size)
        if len({len(row) for row in rows}) > 1:
            counts = ", ".join(str(len(row)) for row in rows)
            raise FileFault("bad_header", f"the header's rows have different numbers of fields: {counts}")
        return ["_".join(filter(None, cells)) for cells in zip(*rows, strict=True)]

    def _fields(self, piece: Piece) -> tuple[list[str], int]:
        """The fields of a record of the header, and how many bytes it has without its line end."""
        plain = PLAIN_NAMES.fullmatch(piece.data) if self._dialect.is_common else None
        if plain and len(plain[1]) <= self._limits.field_bytes:
            names = plain[1].decode().split(",")
            self._require_few(len(names))
            self._require_short(len(plain[1]))
            return names, len(plain[1])
        # What may be mended in rows may not be in names.
        piece = replace(piece, dialect=replace(self._dialect, repair=()))
        layout = Layout(piece)
        width = int(layout.field_counts[0])
        self._require_few(width)
        self._require_short(size := int(layout.ends[0]))
        block, _ = split(layout, [str(number) for number in range(width)], self._limits)
        for codes, reasons in block.rejects.select("codes", "reasons").rows():
            code = "invalid_utf8_header" if codes == ["invalid_utf8"] else "bad_header"
            raise FileFault(code, f"the header holds {'; '.join(reasons)}")
        return [text or "" for text in block.frame.row(0)[:-1]], size

    def _numbered(self) -> list[str]:
        """Names for as many columns as the first record has fields."""
        end = self._end_of_record(0)
        fields = self._dialect.grammar.field.findall(self._seen(self._input.common[:end]))
        return [f"column_{number}" for number in range(1, len(fields) + 1)]

    def _require_few(self, columns: int) -> None:
        if columns > (most := self._limits.columns):
            raise FileFault("too_many_columns", f"{columns} columns, at most {most} are possible")

    def _require_short(self, size: int) -> None:
        if size > (most := self._limits.header_bytes):
            raise FileFault("header_too_long", f"the header has {size} bytes, at most {most} are possible")

    def _skip_unread(self) -> None:
        """Blank lines and comments."""
        comment = self._dialect.comment
        while True:
            if blank := BLANK_LINES.match(self._input.common):
                self._coverage.blank += self._take(blank.end())
            elif len(self._input.data) < max(2, len(comment)) and not self._input.is_at_end:
                self._input.fill()
            elif not self._input.data:
                raise FileFault("empty_file", "the file has no header" if self._dialect.has_header else "no rows")
            elif comment and self._input.data.startswith(comment):
                self._coverage.comment += self._take(self._end_of_comments() or self._end_of_line())
            else:
                return

    def _end_of_comments(self) -> int:
        """Of those that are there whole: to take them one by one would move all that follows each time."""
        end = 0
        while self._input.data.startswith(self._dialect.comment, end):
            found = self._input.common.find(b"\n", end) + 1
            if not found:
                break
            end = found
        return end

    def _end_of_line(self) -> int:
        while not (end := self._input.common.find(b"\n") + 1):
            if self._input.is_at_end:
                raise FileFault("empty_file", "the file ends before its header")
            self._input.need_more(self._limits.line_bytes, "line_too_long")
        return end

    def _end_of_record(self, size: int) -> int:
        while not (found := self._dialect.grammar.lax_record.match(self._seen(self._input.common))):
            self._input.need_more(self._limits.header_bytes - size, "header_too_long")
        return found.end()

    def _seen(self, common: bytes) -> bytes:
        """As the grammar reads it."""
        return common if self._dialect.quote else self._dialect.masked(common)

    def _take(self, size: int) -> int:
        return size - self._input.take(Scan(size)).added
