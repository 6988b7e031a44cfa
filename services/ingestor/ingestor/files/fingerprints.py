"""Which rows of a file may share a key, found with 8 bytes a row on the local disk and one in memory."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

MOST_ROWS = 1 << 20
"""Fingerprints that are compared at a time."""


class Fingerprints:
    """Hashes of keys, in the order of the rows; so many that memory can hold them never touch the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: list[npt.NDArray[np.uint64]] = []
        self._kept_rows = 0
        self._count = 0

    def add(self, keys: pl.Series) -> None:
        """The keys of the next rows."""
        self._kept.append(keys.hash().to_numpy())
        self._kept_rows += len(keys)
        self._count += len(keys)
        if self._kept_rows > MOST_ROWS:
            with self._path.open("ab") as file:
                for prints in self._kept:
                    file.write(prints.tobytes())
            self._kept, self._kept_rows = [], 0

    def repeated(self) -> pl.Series:
        """For every row whether another one has the same fingerprint."""
        if not self._path.exists():
            return pl.Series(_joined(self._kept)).is_duplicated()
        repeated = np.zeros(self._count, bool)
        # Equal ones are of one class, and no class is larger than memory is meant for.
        classes = -(-self._count // MOST_ROWS) * 2
        for number in range(classes):
            prints, rows = self._of_class(number, classes)
            repeated[rows[pl.Series(prints).is_duplicated().to_numpy()]] = True
        return pl.Series(repeated)

    def _of_class(self, number: int, classes: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Fingerprints of one class, and their rows; reads the file once."""
        prints, rows, first = [], [], 0
        with self._path.open("rb") as file:
            while piece := file.read(MOST_ROWS * 8):
                found = np.frombuffer(piece, np.uint64)
                mine = np.flatnonzero(found % np.uint64(classes) == number)
                prints.append(found[mine])
                rows.append(mine + first)
                first += len(found)
        found = _joined(self._kept)
        mine = np.flatnonzero(found % np.uint64(classes) == number)
        return np.concatenate([*prints, found[mine]]), np.concatenate([*rows, mine + first])


def _joined(pieces: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    return np.concatenate([np.empty(0, np.uint64), *pieces])
