"""What an attempt reads: the file itself, or the files of a delivery one after the other, as if they were one file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import numpy as np
import polars as pl
from records.errors import FileFault
from records.formats import Reader, open_reader
from waybill_contracts import FileRegistered, Format, PartCount

AS_RECOGNISED = Format()


@dataclass
class Part:
    """A file on the local disk; lines of a delivery are counted through, and are known as far as it was read."""

    path: Path
    key: str
    version_id: str
    size: int
    file_id: UUID | None = None
    """None: it is the whole file, not one of several."""
    first_line: int = 0
    rows: int = 0
    format: Format = AS_RECOGNISED
    """As declared, and as recognised."""

    def named(self, text: str) -> str:
        """The sentence, with the part that it is about."""
        return text if self.file_id is None else f"{self.key}: {text}"

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The part's content, unpacked, from its beginning; what is wrong with it is said of this part."""
        with self.named_in_faults(), self.path.open("rb") as source:
            yield source

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """The part's rows, in the format that it is in."""
        with self.open() as source:
            yield self.begin(source)

    def begin(self, source: BinaryIO) -> Reader:
        """The reader of the opened content, from its beginning."""
        source.seek(0)
        return open_reader(source, self.format)

    @contextmanager
    def named_in_faults(self) -> Iterator[None]:
        """What is wrong with a part is said of that part."""
        try:
            yield
        except FileFault as fault:
            raise FileFault(fault.code, self.named(fault.message)) from fault


def parts_of(file: FileRegistered, folder: Path) -> list[Part]:
    """What is to be read, in this order; none of it is there yet."""
    if not file.parts:
        return [Part(folder / "content", file.object_key, file.version_id, file.size, first_line=1)]
    parts = [
        Part(folder / f"content-{number}", part.object_key, part.version_id, part.size, part.file_id)
        for number, part in enumerate(file.parts, 1)
    ]
    parts[0].first_line = 1
    return parts


def count_parts(parts: Sequence[Part]) -> tuple[PartCount, ...]:
    """Where each part of a delivery begins, and its rows; as far as it was read."""
    return tuple(
        PartCount(file_id=part.file_id, first_line=part.first_line, rows=part.rows)
        for part in parts
        if part.file_id and part.first_line
    )


def places(parts: Sequence[Part], lines: pl.Series) -> pl.Series:
    """For each of a delivery's lines the part and the line in it, as `acme/orders/b.csv:17`; named `part`."""
    begun = [part for part in parts if part.first_line]
    first_lines = np.array([part.first_line for part in begun])
    numbers = np.searchsorted(first_lines, lines.to_numpy(), side="right") - 1
    keys = pl.Series([part.key for part in begun], dtype=pl.String).gather(numbers)
    within = pl.Series(lines.to_numpy() - first_lines[numbers] + 1, dtype=pl.Int64)
    return (keys + ":" + within.cast(pl.String)).rename("part")
