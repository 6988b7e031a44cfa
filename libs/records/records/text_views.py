"""Text columns cut from the bytes of a block without copying them: Arrow string views made with arithmetic."""

from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Positions: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Words: TypeAlias = npt.NDArray[np.uint64]

# Arrow's string view: 4 bytes of length, then 12 bytes of text or 4 of its beginning, 4 of buffer number, 4 of offset.
VIEW_BYTES = 16
INLINE_BYTES = 12
LENGTH_BYTES = 4
# Every 16-byte window around a position must lie in the buffer.
MARGIN = 16
_KEPT = [bytes(LENGTH_BYTES) + b"\xff" * kept + bytes(INLINE_BYTES - kept) for kept in range(INLINE_BYTES + 1)]
_KEPT.append(bytes(LENGTH_BYTES) + b"\xff" * 4 + bytes(8))
MASKS: Words = np.frombuffer(b"".join(_KEPT), "<u8").reshape(-1, 2)
"""What a view keeps of its window, by length of the text; the last is that of all longer ones."""


class TextViews:
    """The bytes of a block, from which texts are cut; texts must be valid UTF-8."""

    def __init__(self, data: bytes) -> None:
        padded = np.zeros(len(data) + 2 * MARGIN, np.uint8)
        padded[MARGIN : MARGIN + len(data)] = np.frombuffer(data, np.uint8)
        self._buffer = _arrow_buffer(padded)
        self._windows = np.ndarray((len(padded) - VIEW_BYTES + 1,), f"V{VIEW_BYTES}", padded, strides=(1,))

    def texts(self, starts: Positions, ends: Positions, present: Mask | None = None) -> pl.Series:
        """The texts between these positions; null where not present."""
        validity = None if present is None else _arrow_buffer(np.packbits(present, bitorder="little"))
        views = _arrow_buffer(self._views(starts, ends - starts))
        return pl.Series(pa.Array.from_buffers(pa.string_view(), len(starts), [validity, views, self._buffer]))

    def _views(self, starts: Positions, lengths: Positions) -> Words:
        windows = self._windows[starts + (MARGIN - LENGTH_BYTES)]
        views = windows.view("<u8").reshape(-1, 2)
        views &= MASKS.take(np.minimum(lengths, INLINE_BYTES + 1), axis=0)
        views.view("<i4").reshape(-1, 4)[:, 0] = lengths
        is_long = lengths > INLINE_BYTES
        if is_long.any():
            views[:, 1] |= ((starts + MARGIN) * is_long).view("<u8") << np.uint64(32)
        return cast(Words, views)


def is_utf8(data: bytes) -> bool:
    """Whether these bytes are valid UTF-8."""
    if data.isascii():
        return True
    whole = _arrow_buffer(np.array([0, len(data)], np.int32))
    try:
        pa.StringArray.from_buffers(1, whole, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _arrow_buffer(array: npt.NDArray[np.generic]) -> pa.Buffer:
    return pa.py_buffer(cast(memoryview, array))
