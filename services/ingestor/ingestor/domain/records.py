"""Where the versions of an attempt lie."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from records.bson_encode import ID
from records.pieces import block_values


def record_ids(attempt: int, batches: Sequence[tuple[int, int]]) -> pl.Series:
    """The ids of an attempt's documents, batch (number, versions) by batch, as 12 bytes each."""
    counts = [count for _, count in batches]
    ids = np.empty(sum(counts), ID)
    ids["attempt"] = attempt
    ids["batch"] = np.repeat([number for number, _ in batches], counts)
    ids["number"] = np.concatenate([np.arange(count) for count in counts]) if counts else 0
    return pl.Series("record", block_values(ids.view(np.uint8).reshape(-1, ID.itemsize)), dtype=pl.Binary)
