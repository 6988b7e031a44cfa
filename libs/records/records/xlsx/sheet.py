"""A sheet's rows, read as it streams: for each its number and its cells, by column."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from records.types import SHOWN_CHARACTERS
from records.xlsx.formats import Shown
from records.xlsx.text import unescaped
from records.xlsx.values import CellFault, boolean_text, day_text, moment_text, number_text, plain_text
from records.xlsx.workbook import Workbook
from records.xlsx.xml import Attributes, bad_workbook, number, walk

MAX_ROWS, MAX_COLUMNS = 1 << 20, 1 << 14
"""More has no sheet of Excel."""
TEXT_PARTS = ("v", "t")


@dataclass
class SheetRow:
    """A row; cells that hold nothing are not there."""

    number: int
    cells: dict[int, str | CellFault] = field(default_factory=dict)
    """By column, from 0."""
    size: int = 0


def sheet_rows(workbook: Workbook) -> Iterator[SheetRow]:
    """The rows in which anything stands, in their order."""
    cells = _Cells(workbook)
    for _ in walk(workbook.sheet, workbook.content, cells):
        yield from cells.rows
        cells.rows.clear()
    if not cells.is_whole:
        bad_workbook(f"sheet {workbook.sheet!r} holds no cells, or does not end")


class _Cells:
    """Gathers rows from the elements of a sheet."""

    def __init__(self, workbook: Workbook) -> None:
        self.rows: list[SheetRow] = []
        self.is_whole = False
        self._workbook = workbook
        self._columns: dict[str, int] = {}
        self._is_data = False
        self._row = SheetRow(0)
        self._column = -1
        self._kind = "n"
        self._style = 0
        self._pieces: list[str] = []
        self._is_text = False
        self._has_value = self._has_formula = False
        self._spoken = 0
        self._readings: dict[str, Callable[[str], str | CellFault]] = {
            "n": self._number,
            "s": lambda text: plain_text(self._shared(text)),
            "str": lambda text: plain_text(unescaped(text)),
            "inlineStr": lambda text: plain_text(unescaped(text)),
            "b": boolean_text,
            "e": lambda text: CellFault("cell_error", f"the cell shows an error, {text[:SHOWN_CHARACTERS]}", text),
            "d": moment_text,
        }

    def start(self, name: str, attributes: Attributes) -> None:
        """A row, a cell, or a part of it."""
        if not self._is_data:
            self._is_data = name == "sheetData"
        elif name == "c":
            self._begin_cell(attributes)
        elif name == "row":
            self._begin_row(attributes)
        elif name in TEXT_PARTS:
            self._is_text = not self._spoken
            self._has_value = True
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._spoken += 1

    def end(self, name: str) -> None:
        """Where it ends."""
        self._is_text = False
        if name == "c" and self._is_data:
            self._end_cell()
        elif name == "row" and self._row.cells:
            self.rows.append(self._row)
        elif name == "rPh":
            self._spoken -= 1
        elif name == "sheetData":
            self._is_data, self.is_whole = False, True

    def text(self, text: str) -> None:
        """A piece of a value."""
        if self._is_text:
            self._pieces.append(text)

    def _begin_row(self, attributes: Attributes) -> None:
        at = number(attributes["r"], "a row") if "r" in attributes else self._row.number + 1
        if not self._row.number < at <= MAX_ROWS:
            bad_workbook(f"row {at} of sheet {self._workbook.sheet!r} follows row {self._row.number}")
        self._row = SheetRow(at)
        self._column = -1

    def _begin_cell(self, attributes: Attributes) -> None:
        reference = attributes.get("r")
        self._column = self._column + 1 if reference is None else self._column_of(reference)
        if self._column in self._row.cells or self._column >= MAX_COLUMNS:
            bad_workbook(
                f"cell {reference} of sheet {self._workbook.sheet!r} is there twice, or beyond the last column"
            )
        self._kind = attributes.get("t", "n")
        self._style = number(attributes.get("s", "0"), "a style")
        self._pieces = []
        self._has_value = self._has_formula = False

    def _column_of(self, reference: str) -> int:
        letters = reference.rstrip("0123456789")
        if reference[len(letters) :] != str(self._row.number):
            bad_workbook(f"cell {reference!r:.40} stands in row {self._row.number} of sheet {self._workbook.sheet!r}")
        if letters not in self._columns:
            self._columns[letters] = column_number(letters)
        return self._columns[letters]

    def _end_cell(self) -> None:
        text = "".join(self._pieces)
        value = self._value(text)
        if value is not None:
            self._row.cells[self._column] = value
            self._row.size += len(text)

    def _value(self, text: str) -> str | CellFault | None:
        is_empty = not self._has_value or (not text and self._kind not in ("str", "inlineStr"))
        if is_empty and self._has_formula:
            return CellFault("formula_without_value", "a formula without its value: save the file in Excel", None)
        if is_empty:
            return None
        if self._kind not in self._readings:
            bad_workbook(f"a cell in row {self._row.number} is of the kind {self._kind!r:.40}, which does not exist")
        return self._readings[self._kind](text)

    def _number(self, text: str) -> str | CellFault:
        styles = self._workbook.styles
        shown = styles[self._style] if self._style < len(styles) else Shown.NUMBER
        text = text.strip()
        return number_text(text) if shown is Shown.NUMBER else day_text(text, shown, is_1904=self._workbook.is_1904)

    def _shared(self, text: str) -> str:
        texts = self._workbook.texts
        place = number(text.strip(), f"a shared text in row {self._row.number}")
        if place >= len(texts):
            bad_workbook(f"row {self._row.number} has shared text {place}, the workbook has {len(texts)}")
        return texts[place]


def column_number(letters: str) -> int:
    """From 0, of a column that is called A, B, … XFD."""
    if not 1 <= len(letters) <= 3 or not letters.isascii() or not letters.isalpha():
        bad_workbook(f"a cell is in column {letters!r:.40}")
    place = 0
    for letter in letters.upper():
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def column_letters(number: int) -> str:
    """What a column is called; from 0."""
    letters, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
