"""Rows of bytes joined from columns of pieces, without a loop over rows."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Values: TypeAlias = "pa.Array[Any]"

# The same bytes in every row; a matrix with a row of bytes each; or one large_binary value a row (null adds nothing).
Piece: TypeAlias = "bytes | Bytes | Values"

BINARY = pa.large_binary()


def join(pieces: Sequence[Piece]) -> Values:
    """One large_binary value a row: the row's pieces, one after the other."""
    values: list[Any] = []
    for of_one_width, neighbours in groupby(
        map(_as_block, pieces), key=lambda piece: isinstance(piece, bytes | np.ndarray)
    ):
        run: list[Any] = list(neighbours)
        values += [_merged(run)] if of_one_width else run
    empty = pa.scalar(b"", BINARY)
    joined: Values = pc.binary_join_element_wise(*values, empty, null_handling="replace", null_replacement="")
    return joined


def _as_block(piece: Piece) -> Piece:
    """The piece as a matrix where its values have one width: those are joined faster."""
    if isinstance(piece, bytes | np.ndarray) or piece.null_count or not len(piece):
        return piece
    offsets = offsets_of(piece)
    widths = np.diff(offsets)
    if (widths != widths[0]).any():
        return piece
    return data_of(piece)[offsets[0] : offsets[-1]].reshape(len(piece), int(widths[0]))


def _merged(pieces: list[bytes | Bytes]) -> Any:
    """Neighbours of one width each as one piece."""
    blocks = [piece for piece in pieces if isinstance(piece, np.ndarray)]
    if not blocks:
        return pa.scalar(b"".join(piece for piece in pieces if isinstance(piece, bytes)), BINARY)
    widths = [len(piece) if isinstance(piece, bytes) else piece.shape[1] for piece in pieces]
    merged = np.empty((len(blocks[0]), sum(widths)), np.uint8)
    if not len(merged):
        return block_values(merged)
    start = 0
    for piece, width in zip(pieces, widths, strict=True):
        if width:
            source = np.frombuffer(piece, f"V{width}") if isinstance(piece, bytes) else items(piece)
            np.ndarray(len(merged), f"V{width}", merged, start, (merged.shape[1],))[:] = source
        start += width
    return block_values(merged)


def items(block: Bytes) -> npt.NDArray[np.void]:
    """The rows of a matrix of bytes as single items, which NumPy copies whole."""
    return np.ascontiguousarray(block).view(f"V{block.shape[1]}").reshape(len(block))


def text_values(series: pl.Series) -> Values:
    """The bytes of a String or Binary series as large_binary; null stays null."""
    return series.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(BINARY)


def block_values(block: Bytes, valid: Mask | None = None) -> Values:
    """A matrix of bytes as values of one width; with `valid` its rows are the valid rows' and the others are empty."""
    count, width = block.shape
    if valid is None:
        offsets = np.arange(0, (count + 1) * width, width, dtype=np.int64) if width else np.zeros(count + 1, np.int64)
    else:
        offsets = starts_of(np.where(valid, width, 0))
    return ragged_values(np.ascontiguousarray(block), offsets)


def ragged_values(data: Bytes, offsets: Integers) -> Values:
    """Values that lie one after the other in `data`."""
    return pa.Array.from_buffers(BINARY, len(offsets) - 1, [None, buffer_of(offsets), buffer_of(data)])


def buffer_of(array: npt.NDArray[Any]) -> pa.Buffer:
    """An array's memory for Arrow, without a copy where it lies in one piece."""
    return pa.py_buffer(memoryview(np.ascontiguousarray(array)))  # type: ignore[arg-type]


def starts_of(lengths: npt.NDArray[np.integer]) -> Integers:
    """Where each of the values of these lengths starts, and at last where all end."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def offsets_of(values: Values) -> Integers:
    """Where each value starts in the data buffer, and at last where all end."""
    if not len(values):
        return np.zeros(1, np.int64)
    return memory_of(values, 1, np.int64)[values.offset : values.offset + len(values) + 1]


def data_of(values: Values) -> Bytes:
    """The data buffer that the offsets point into."""
    return memory_of(values, 2, np.uint8)


def memory_of(values: Values, number: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """One of an Arrow array's buffers, whole."""
    buffer: Any = values.buffers()[number]
    return np.empty(0, kind) if buffer is None else np.frombuffer(buffer, kind)


def lengths_of(piece: Piece) -> Integers | int:
    """How many bytes the piece adds to each row."""
    if isinstance(piece, bytes):
        return len(piece)
    if isinstance(piece, np.ndarray):
        return int(piece.shape[1])
    lengths = np.diff(offsets_of(piece))
    return np.where(valid_rows(piece), lengths, 0) if piece.null_count else lengths


def valid_rows(values: Values) -> Mask:
    """Which values are not null."""
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False), np.bool_)


def filled(series: pl.Series, kind: pl.DataType | type[pl.DataType]) -> npt.NDArray[Any]:
    """The values as numbers of this type, zero where they are null."""
    # cast and null_count are calls; most other methods of a series are queries, and cost as much as hundreds of rows.
    numbers = series.cast(kind)
    return (numbers.fill_null(0) if numbers.null_count() else numbers).to_numpy()


def valid_mask(series: pl.Series) -> Mask | None:
    """Which values are not null; None when all are."""
    return series.is_not_null().to_numpy() if series.null_count() else None
