"""Reads rows that say themselves what their columns are called: once through for the header, once for the rows."""

from collections.abc import Iterator, Sequence

from records.block import Block
from records.errors import FileFault
from records.header import business_names
from records.json.pieces import Limits, Pieces
from records.json.rows import read_keys, rows_of


class JsonReader:
    """Reads the objects of a file; a key that a row has not is null there."""

    def __init__(self, pieces: Pieces, limits: Limits) -> None:
        self.header, count = read_keys(pieces, limits)
        """The keys of all good rows, in order of first appearance."""
        if not count:
            raise FileFault("empty_file", "the file has no rows, and so no columns")
        self._pieces = pieces.again()
        self._row_bytes = 0

    @property
    def line(self) -> int:
        """The number of the line that is read next."""
        return self._pieces.line

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[Block]:
        """The rows; columns are named by `names`, by default with the header's business names."""
        names = business_names(self.header) if names is None else names
        for elements in self._pieces:
            self._row_bytes += int(elements.sizes.sum())
            yield rows_of(elements, self.header, names)

    def prove(self) -> None:
        """Raise unless every byte was read as part of a row, or of what stands between them."""
        read = self._row_bytes + self._pieces.blank_bytes
        if read != self._pieces.read_bytes:
            text = f"{read} bytes were read as rows or as what stands between them, the file has "
            raise FileFault("bytes_unaccounted", f"{text}{self._pieces.read_bytes}")
