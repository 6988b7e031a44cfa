"""The length of a value, written before it, so that neighbours cannot run into each other."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from records.pieces import (
    Bytes,
    Integers,
    Piece,
    Values,
    block_values,
    lengths_of,
    ragged_values,
    starts_of,
    valid_rows,
)

TABLED_LENGTHS = 4096


def length_headers(start: bytes, values: Values) -> Piece:
    """`<start><bytes>:` of each value; nothing for a null."""
    lengths = np.asarray(lengths_of(values))
    if not values.null_count and len(lengths) and (lengths == lengths[0]).all():
        return start + b"%d:" % lengths[0]
    if int(lengths.max(initial=0)) < TABLED_LENGTHS:
        table, sizes = _header_table(start, 1 << int(lengths.max(initial=0)).bit_length())
        rows = lengths
    else:
        distinct, rows = np.unique(lengths, return_inverse=True)
        table, sizes = _write_headers(start, distinct.tolist())
    widths = np.where(valid_rows(values), sizes[rows], 0) if values.null_count else sizes[rows]
    block = table[rows]
    if len(widths) and (widths == widths[0]).all():
        return block_values(block[:, : widths[0]])
    return ragged_values(block[np.arange(block.shape[1]) < widths[:, None]], starts_of(widths))


@lru_cache(4096)
def _header_table(start: bytes, count: int) -> tuple[Bytes, Integers]:
    return _write_headers(start, range(count))


def _write_headers(start: bytes, lengths: Iterable[int]) -> tuple[Bytes, Integers]:
    """The headers of values of these lengths, padded to one width, and the size of each."""
    headers = [start + b"%d:" % length for length in lengths]
    sizes = np.array([len(header) for header in headers], np.int64)
    padded = np.array(headers, f"S{sizes.max()}")
    return padded.view(np.uint8).reshape(len(headers), -1), sizes
