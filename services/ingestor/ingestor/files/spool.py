"""Typed rows and rejects on the local disk, so that memory holds the first of them and what each is compared by."""

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from records.rejects import no_rejects

KEPT_BYTES = 1 << 20


class RowSpool:
    """Frames in the order they came; the first few stay in memory, so that a small file's never touch the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: list[pl.DataFrame] = []
        self._room = KEPT_BYTES
        self._sizes: list[int] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Keep a frame."""
        self._room -= int(frame.estimated_size())
        if self._room >= 0:
            self._kept.append(frame)
            return
        written = frame.write_ipc_stream(None).getbuffer()
        with self._path.open("ab") as file:
            self._sizes.append(file.write(written))

    def frames(self) -> Iterator[pl.DataFrame]:
        """The frames again."""
        yield from self._kept
        if not self._sizes:
            return
        with self._path.open("rb") as file:
            for size in self._sizes:
                yield pl.read_ipc_stream(io.BytesIO(file.read(size)))


class RejectSpool:
    """Every reject of an attempt as CSV, the first of them at hand, all of them counted."""

    def __init__(self, path: Path, kept: int) -> None:
        self.path = path
        self.count = 0
        self.first = no_rejects()
        self._kept = kept

    def add(self, rejects: pl.DataFrame) -> None:
        """Keep rejects (line, codes, reasons, raw)."""
        if not rejects.height:
            return
        if self.first.height < self._kept:
            self.first = pl.concat([self.first, rejects.head(self._kept - self.first.height)])
        lists = pl.col("codes", "reasons").list.join("; ")
        with self.path.open("ab") as file:
            rejects.select("line", lists, "raw").write_csv(file, include_header=self.count == 0)
        self.count += rejects.height
