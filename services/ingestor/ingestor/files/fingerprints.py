"""Which rows of a file may share a key, found with 16 bytes a row on the local disk and one in memory."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

MOST_ROWS = 1 << 20
"""Fingerprints that wait in memory."""
PARTITIONS = 256
"""Equal ones are in one of these; each is compared by itself."""
_HIGHEST_BYTE = np.uint64(56)


class Fingerprints:
    """Hashes of keys, in the order of the rows; so many that memory can hold them never touch the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: list[npt.NDArray[np.uint64]] = []
        self._kept_rows = 0
        self._count = 0
        self._runs: list[npt.NDArray[np.int64]] = []
        """Of what was written each time, where in the file's rows each partition begins, and the last one ends."""

    def add(self, keys: pl.Series) -> None:
        """The keys of the next rows."""
        self._kept.append(keys.hash().to_numpy())
        self._kept_rows += len(keys)
        self._count += len(keys)
        if self._kept_rows > MOST_ROWS:
            self._write()

    def repeated(self) -> pl.Series:
        """For every row whether another one has the same fingerprint."""
        if not self._runs:
            return pl.Series(np.concatenate([np.empty(0, np.uint64), *self._kept])).is_duplicated()
        if self._kept:
            self._write()
        repeated = np.zeros(self._count, bool)
        for number in range(PARTITIONS):
            prints, rows = self._of_partition(number)
            repeated[rows[pl.Series(prints).is_duplicated().to_numpy()]] = True
        return pl.Series(repeated)

    def _write(self) -> None:
        """Those in memory, by partition, and behind them the rows that they are of."""
        prints, first = np.concatenate(self._kept), self._count - self._kept_rows
        partitions = (prints >> _HIGHEST_BYTE).astype(np.uint8)
        order = np.argsort(partitions, kind="stable")
        with self._path.open("ab") as file:
            file.write(prints[order].tobytes())
            file.write((order + first).tobytes())
        self._runs.append(first + np.searchsorted(partitions[order], np.arange(PARTITIONS + 1)))
        self._kept, self._kept_rows = [], 0

    def _of_partition(self, number: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Fingerprints of one partition, and their rows."""
        prints, rows = [], []
        with self._path.open("rb") as file:
            for starts in self._runs:
                start, count = starts[number], starts[number + 1] - starts[number]
                file.seek(8 * (starts[0] + start))
                prints.append(np.fromfile(file, np.uint64, count))
                file.seek(8 * (starts[-1] + start))
                rows.append(np.fromfile(file, np.int64, count))
        return np.concatenate(prints), np.concatenate(rows)
