"""Rows that come in any order and are asked for by number, a few neighbours at a time."""

from pathlib import Path

import polars as pl

from ingestor.files.spool import KEPT_BYTES, RowSpool

RANGE = 1 << 18
"""Numbers whose rows are in memory at a time."""


class RangedRows:
    """Rows by a column of numbers, each number once; many of them wait on the disk, in a file for each range."""

    def __init__(self, path: Path, column: str) -> None:
        self._path, self._column = path, column
        self._ranges: dict[int, RowSpool] = {}
        self._open: tuple[int, pl.DataFrame] | None = None
        self.height = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Keep rows."""
        self.height += rows.height
        for (number,), part in rows.group_by(pl.col(self._column) // RANGE, maintain_order=True):
            assert isinstance(number, int)
            self._range(number).add(part)
        self._open = None

    def of_block(self, numbers: pl.Series) -> pl.DataFrame:
        """Those of these ascending numbers that are there, in any order."""
        assert self._ranges, "nothing was ever kept"
        if numbers.is_empty():
            return self._rows(next(iter(self._ranges))).clear()
        first, last = int(numbers[0]), int(numbers[-1])
        here = [number for number in range(first // RANGE, last // RANGE + 1) if number in self._ranges]
        if not here:
            return self._rows(next(iter(self._ranges))).clear()
        among = pl.col(self._column).is_between(first, last)
        return pl.concat(self._rows(number).filter(among) for number in here)

    def _range(self, number: int) -> RowSpool:
        if number not in self._ranges:
            # Together they keep in memory no more than one would.
            room = KEPT_BYTES if not self._ranges else 0
            self._ranges[number] = RowSpool(self._path.with_name(f"{self._path.name}-{number}"), room)
        return self._ranges[number]

    def _rows(self, number: int) -> pl.DataFrame:
        if self._open is None or self._open[0] != number:
            self._open = number, pl.concat(self._ranges[number].frames())
        return self._open[1]
