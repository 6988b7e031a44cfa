"""Parquet: every value as its canonical text, row by row.

A row has no bytes of its own, so its place is its number, from 1: the header has no line. Its raw text is the row as
one JSON object.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl
from waybill_contracts.format import Format

from records.arrow_json import column_texts
from records.block import Block
from records.errors import FileFault
from records.header import business_names
from records.parquet.stream import Bounds, ParquetStream
from records.value_rows import block_of


class ParquetReader:
    """Reads a Parquet file once; the header at once, the rest by `blocks`."""

    def __init__(self, source: BinaryIO, bounds: Bounds | None = None) -> None:
        self._stream = ParquetStream(source, bounds or Bounds())
        self.header: list[str] = self._stream.schema.names
        self._declared_rows = int(self._stream.schema.metadata[b"rows"])
        self._line = 1

    @classmethod
    def of_format(cls, source: BinaryIO, file_format: Format, names: Sequence[str]) -> "ParquetReader":
        """The reader of a file; nothing of it has to be said."""
        return cls(source)

    @property
    def line(self) -> int:
        """The number of the row that is read next."""
        return self._line

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[Block]:
        """The rows; columns are named by `names`, by default with the header's business names."""
        names = business_names(self.header) if names is None else names
        for batch in self._stream.batches():
            columns = [
                column_texts(name, values, field)
                for name, values, field in zip(names, batch.columns, batch.schema, strict=True)
            ]
            lines = pl.Series(np.arange(self._line, self._line + batch.num_rows))
            self._line += batch.num_rows
            yield block_of(lines, names, self.header, columns)

    def prove(self) -> None:
        """Raise unless as many rows were read as the file says it has."""
        read = self._line - 1
        if read != self._declared_rows:
            raise FileFault(
                "rows_unaccounted", f"{read} rows were read, the file says that it has {self._declared_rows}"
            )
