"""Strict reading of UTF-8 CSV of any dialect, in blocks, with every byte of the file accounted for."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from waybill_contracts.format import Format

from records.block import Block
from records.csv.coverage import Coverage
from records.csv.dialect import COMMON, Dialect, dialect_of
from records.csv.doubt import Doubt
from records.csv.header import HeaderReader
from records.csv.input import Input, Limits
from records.csv.layout import Layout, Piece
from records.csv.scan import Scan, scan
from records.csv.split import split
from records.errors import FileFault
from records.header import business_names

__all__ = ["Coverage", "CsvReader", "Dialect", "Limits"]


class CsvReader:
    """Reads a CSV file once, from its beginning; the header at once, the rest by `blocks`."""

    def __init__(
        self,
        source: BinaryIO,
        limits: Limits | None = None,
        dialect: Dialect = COMMON,
        names: Sequence[str] = (),
        *,
        exact: bool = False,
    ) -> None:
        self._limits = limits or Limits()
        self._dialect = dialect
        self._exact = exact
        self._input = Input(source, dialect, self._limits)
        self.coverage = Coverage()
        self.header = HeaderReader(self._input, dialect, self._limits, self.coverage).read(names)

    @classmethod
    def of_format(
        cls,
        source: BinaryIO,
        file_format: Format,
        names: Sequence[str] = (),
        limits: Limits | None = None,
        *,
        exact: bool = False,
    ) -> "CsvReader":
        """The reader of a file of this format; `names` are those of the columns where it has no header."""
        return cls(source, limits, dialect_of(file_format), names, exact=exact)

    @property
    def line(self) -> int:
        """The number of the line that is read next."""
        return self._input.line

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[Block]:
        """The rest of the file; columns are named by `names`, by default with the header's business names."""
        names = business_names(self.header) if names is None else names
        doubt = Doubt(self._dialect, self._limits.field_bytes)
        while piece := self._next_piece():
            block, sizes = split(Layout(piece), names, self._limits, doubt)
            self.coverage.records += sizes.records
            self.coverage.blank += sizes.blank
            self.coverage.comment += sizes.comment
            self.coverage.rejected += sizes.rejected
            yield block

    def prove(self) -> None:
        """Raise unless every byte that was there to be read was read as exactly one thing."""
        self.coverage.prove(self._input.read_bytes)

    def _next_piece(self) -> Piece | None:
        """The next whole records, or None at the end of the file; a footer is taken out of it."""
        source = self._input
        while True:
            found = scan(source.data, source.common, self._dialect, exact=self._exact)
            is_whole = source.is_at_end and found.end == len(source.data)
            if end := self._end_of_rows(found):
                return source.take(found.until(end))
            if is_whole:
                self._take_footer(found)
                return None
            source.need_more(self._limits.record_bytes, "record_too_long", found.end)

    def _end_of_rows(self, found: Scan) -> int:
        """Where the records end that are none of the last ones, as far as it was read."""
        most = self._dialect.footer_lines
        if not most or not found.end:
            return found.end
        layout = Layout(self._input.peek(found))
        spoken = layout.starts[layout.is_spoken]
        if len(spoken) > most:
            return int(spoken[-most])
        if found.end > self._limits.footer_bytes:
            text = f"the last {most} lines are a footer, but {len(spoken)} of them have {found.end} bytes"
            raise FileFault("footer_too_long", text)
        return 0

    def _take_footer(self, found: Scan) -> None:
        if not found.end:
            return
        sizes = Layout(self._input.take(found)).sizes()
        self.coverage.footer += sizes.records
        self.coverage.blank += sizes.blank
        self.coverage.comment += sizes.comment
