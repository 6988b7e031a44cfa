"""Excel (.xlsx): one sheet, each cell as its canonical text; `line` is the number of the row in the sheet.

A row has no bytes of its own; its raw text is the row as one JSON object. Rows in which nothing stands are passed over.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

import polars as pl
from waybill_contracts.format import Format

from records.arrow_texts import Texts
from records.block import Block
from records.csv.reader import Limits
from records.errors import FileFault
from records.header import business_names
from records.rejects import faults
from records.types import SHOWN_CHARACTERS
from records.value_rows import block_of
from records.xlsx.sheet import SheetRow, column_letters, sheet_rows
from records.xlsx.values import CellFault, Moment
from records.xlsx.workbook import open_workbook

BLOCK_ROWS, BLOCK_CHARACTERS = 4096, 1 << 20
MOST_COLUMNS = Limits().columns


@dataclass
class Seen:
    """Rows of the sheet in which something stands, by what they were."""

    all: int = 0
    header: int = 0
    skipped: int = 0
    footer: int = 0
    records: int = 0


class ExcelReader:
    """Reads a sheet once, from its beginning; the header at once, the rest by `blocks`."""

    def __init__(self, source: BinaryIO, file_format: Format, names: Sequence[str] = ()) -> None:
        self._format = file_format
        self._line = 1
        self.seen = Seen()
        self._workbook = open_workbook(source, file_format.sheet)
        self._rows = self._spoken(sheet_rows(self._workbook))
        self._first_column = 0
        self.header = self._read_header() if file_format.header is not False else self._without_header(names)
        if len(self.header) > MOST_COLUMNS:
            raise FileFault("too_many_columns", f"{len(self.header)} columns, at most {MOST_COLUMNS} are possible")

    @property
    def line(self) -> int:
        """The number of the row that is read next."""
        return self._line

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[Block]:
        """The rows; columns are named by `names`, by default with the header's business names."""
        names = business_names(self.header) if names is None else names
        waiting: list[SheetRow] = []
        size = 0
        for row in self._without_footer():
            waiting.append(row)
            size += row.size
            if len(waiting) >= BLOCK_ROWS or size >= BLOCK_CHARACTERS:
                yield self._block(waiting, names)
                waiting, size = [], 0
        if waiting:
            yield self._block(waiting, names)

    def prove(self) -> None:
        """Raise unless each row of the sheet in which something stands was read as exactly one thing."""
        read = self.seen.header + self.seen.skipped + self.seen.footer + self.seen.records
        if read != self.seen.all:
            raise FileFault("rows_unaccounted", f"{read} rows were read as {self.seen}")

    def _spoken(self, rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
        """The rows that say something."""
        skip, comment = self._format.skip_lines or 0, self._format.comment
        for row in rows:
            self.seen.all += 1
            self._line = row.number + 1
            first = row.cells[min(row.cells)]
            if row.number <= skip or (comment and isinstance(first, str) and first.startswith(comment)):
                self.seen.skipped += 1
            else:
                yield row

    def _read_header(self) -> list[str]:
        rows = list(islice(self._rows, self._format.header_rows or 1))
        if not rows:
            raise FileFault("empty_file", f"sheet {self._workbook.sheet!r} has no header")
        self.seen.header = len(rows)
        columns = [column for row in rows for column in row.cells]
        self._first_column = min(columns)
        return ["_".join(filter(None, (_name(row, column) for row in rows))) for column in _range(columns)]

    def _without_header(self, names: Sequence[str]) -> list[str]:
        if names:
            return list(names)
        first = next(self._rows, None)
        if first is None:
            raise FileFault("empty_file", f"sheet {self._workbook.sheet!r} has no rows")
        self._rows = chain([first], self._rows)
        return [f"column_{number}" for number in range(1, max(first.cells) + 2)]

    def _without_footer(self) -> Iterator[SheetRow]:
        most = self._format.footer_lines or 0
        last: deque[SheetRow] = deque()
        for row in self._rows:
            last.append(row)
            if len(last) > most:
                yield last.popleft()
        self.seen.footer = len(last)

    def _block(self, rows: list[SheetRow], names: Sequence[str]) -> Block:
        self.seen.records += len(rows)
        columns = [
            _column(name, [row.cells.get(at) for row in rows]) for at, name in enumerate(names, self._first_column)
        ]
        if beyond := self._beyond(rows):
            columns[0].found.extend(beyond)
        return block_of(pl.Series([row.number for row in rows], dtype=pl.Int64), names, self.header, columns)

    def _beyond(self, rows: list[SheetRow]) -> list[pl.DataFrame]:
        """A fault for each row that has a cell where the header has none."""
        first, behind = self._first_column, self._first_column + len(self.header)
        found = []
        for at, row in enumerate(rows):
            outside = [column for column in row.cells if not first <= column < behind]
            if outside:
                told = f"{column_letters(outside[0])}{row.number} holds {_shown(row.cells[outside[0]])!r}"
                found.append((at, f"{told}, but the header has no such column"))
        if not found:
            return []
        return [faults(pl.Series([at for at, _ in found]), "too_many_fields", pl.Series([text for _, text in found]))]


def open_excel(source: BinaryIO, file_format: Format, names: Sequence[str]) -> ExcelReader:
    """The reader of a workbook's sheet."""
    return ExcelReader(source, file_format, names)


def _range(columns: list[int]) -> range:
    return range(min(columns), max(columns) + 1)


def _name(row: SheetRow, column: int) -> str:
    value = row.cells.get(column)
    if isinstance(value, CellFault):
        where = f"{column_letters(column)}{row.number}"
        raise FileFault("bad_header", f"the header holds a cell that has no text, {where}: {value.what}")
    return value or ""


def _shown(value: str | CellFault) -> str:
    return (value if isinstance(value, str) else value.shown or "")[:SHOWN_CHARACTERS]


def _column(name: str, values: list[str | CellFault | None]) -> Texts:
    """Texts of a column; those of cells with a fault as far as they can be shown."""
    wrong = [(row, value) for row, value in enumerate(values) if isinstance(value, CellFault)]
    kinds = [isinstance(value, Moment) for value in values]
    moments = pl.Series(kinds) if any(kinds) else None
    if not wrong:
        return Texts(pl.Series(values, dtype=pl.String), moments=moments)
    texts = pl.Series([value.shown if isinstance(value, CellFault) else value for value in values], dtype=pl.String)
    rows = pl.Series([row for row, _ in wrong])
    codes = pl.Series([value.code for _, value in wrong])
    reasons = pl.Series([f"{name}: {value.what}" for _, value in wrong])
    return Texts(texts, found=[faults(rows, codes, reasons, name)], moments=moments)
