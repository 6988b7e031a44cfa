"""The formats that files come in: each is one module of this package, and one line here.

A reader gives every value as text, as it stands in the file or, where the file has no text for it, in its canonical
form (records.columns); types, rules and hashes are the same for all formats.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

from waybill_contracts.format import Format, FormatType

from records.block import Block
from records.csv.reader import CsvReader
from records.formats.excel import open_excel
from records.formats.json import open_json
from records.formats.jsonl import open_jsonl
from records.formats.parquet import ParquetReader


class Reader(Protocol):
    """Reads a file once, from its beginning: the header at once, the rest by `blocks`."""

    header: list[str]
    """What the file calls its columns, in their order."""

    @property
    def line(self) -> int:
        """The number of the line that is read next; of the first row the line where it starts."""

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[Block]:
        """The rows; columns are named by `names`, by default with the header's business names.

        FileFault where the rest cannot be read.
        """

    def prove(self) -> None:
        """After the last block: raises FileFault unless every byte of the source was read as one thing or another."""


Opener = Callable[[BinaryIO, Format, Sequence[str]], Reader]
"""Of an unpacked file at its beginning, how it is to be read, and the columns' names where it has no header."""

FORMATS: dict[FormatType, Opener] = {
    "csv": CsvReader.of_format,
    "tsv": CsvReader.of_format,
    "json": open_json,
    "jsonl": open_jsonl,
    "parquet": ParquetReader.of_format,
    "excel": open_excel,
}


def open_reader(source: BinaryIO, file_format: Format, names: Sequence[str] = ()) -> Reader:
    """The reader of an unpacked file, from its beginning; `file_format` says all that had to be found out."""
    return FORMATS[file_format.type or "csv"](source, file_format, names)
