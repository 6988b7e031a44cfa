"""Where the versions of an attempt lie."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from records.bson.encode import ID
from records.pieces import block_values


class RecordIds:
    """The ids of an attempt's documents, batch (number, versions) by batch, as 12 bytes each; made when asked for."""

    def __init__(self, attempt: int, batches: Sequence[tuple[int, int]]) -> None:
        self._attempt = attempt
        self._numbers = np.array([number for number, _ in batches], np.int64)
        self._ends = np.cumsum([count for _, count in batches], dtype=np.int64)
        self._starts = self._ends - np.array([count for _, count in batches], np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._ends.size else 0

    def piece(self, first: int, count: int) -> pl.Series:
        """The ids of `count` versions, beginning with the one of this number."""
        versions = np.arange(first, first + count)
        places = np.searchsorted(self._ends, versions, side="right")
        ids = np.empty(count, ID)
        ids["attempt"] = self._attempt
        ids["batch"] = self._numbers[places]
        ids["number"] = versions - self._starts[places]
        return pl.Series("record", block_values(ids.view(np.uint8).reshape(-1, ID.itemsize)), dtype=pl.Binary)
