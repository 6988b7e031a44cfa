"""Strict reading of UTF-8 CSV of any dialect, in blocks, with every byte of the file accounted for."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from waybill_contracts.format import Format

from records.block import Block
from records.csv_coverage import Coverage
from records.csv_dialect import COMMON, Dialect, dialect_of
from records.csv_header import HeaderReader
from records.csv_input import Input, Limits
from records.csv_layout import Piece
from records.csv_scan import scan
from records.csv_split import split
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
        while piece := self._next_piece():
            block, sizes = split(piece, names, self._limits)
            self.coverage.records += sizes.records
            self.coverage.blank += sizes.blank
            self.coverage.comment += sizes.comment
            self.coverage.rejected += sizes.rejected
            yield block

    def prove(self) -> None:
        """Raise unless every byte that was there to be read was read as exactly one thing."""
        self.coverage.prove(self._input.read_bytes)

    def _next_piece(self) -> Piece | None:
        """The next whole records, or None at the end of the file."""
        while True:
            found = scan(self._input.data, self._input.common, self._dialect, exact=self._exact)
            if found.end:
                return self._input.take(found.end, found)
            if self._input.is_at_end and not self._input.data:
                return None
            self._input.need_more(self._limits.record_bytes, "record_too_long")
