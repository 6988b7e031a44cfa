"""A walk over many BSON documents of one layout at once, element by element."""

from collections.abc import Iterable
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from records.pieces import Bytes, Integers

PADDING = 128  # gathers may read past the end of a document before the walk has noticed that it ended
INT32 = Struct("<i")
SMALLEST = 5

Words = npt.NDArray[np.uint64]


class DecodeFault(ValueError):
    """The documents are not what this code writes, or not what the declaration says."""


class OtherLayout(Exception):
    """The documents may be right, but not in the layout that the walk knows."""


def padded(documents: Iterable[bytes]) -> bytes:
    """The documents one after the other, with room for gathers that read past the last one."""
    return b"".join([*documents, bytes(PADDING)])


def document_starts(documents: bytes) -> Integers:
    """Where each of the padded documents starts, and at last where all end."""
    starts, at, end, unpack = [0], 0, len(documents) - PADDING, INT32.unpack_from
    while at + SMALLEST <= end:
        size = unpack(documents, at)[0]
        at += size
        if size < SMALLEST:
            break
        starts.append(at)
    if at != end:
        raise DecodeFault("the documents are cut off or no BSON")
    return np.array(starts, np.int64)


class Walk:
    """Stands at the same element in every document; `rows` of an element are the documents that have it."""

    def __init__(self, documents: bytes, starts: Integers) -> None:
        self.count = len(starts) - 1
        self.buffer: Bytes = np.frombuffer(documents, np.uint8)
        self.words = self.view("<u8")
        self.ints = self.view("<i4")
        self.at = starts[:-1] + 4
        self.ends = starts[1:] - 1
        if len(documents) >= 1 << 31:
            raise OtherLayout("offsets of texts have 31 bits")

    def view(self, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """The buffer read as items that may start at any byte."""
        size = np.dtype(kind).itemsize
        return np.ndarray(len(self.buffer) - size + 1, kind, self.buffer, strides=(1,))

    def find(self, header: bytes) -> Integers | None:
        """The rows that stand before this header, None for all; moves those behind it."""
        here = self._matches(self.at, header)
        if here.all():
            self.at = self.at + len(header)
            return None
        rows = np.flatnonzero(here)
        self.at[rows] += len(header)
        return rows

    def skip(self, rows: Integers, header: bytes) -> None:
        """Move these rows behind this header, before which all of them must stand."""
        if not self._matches(self.at[rows], header).all():
            raise OtherLayout("header")
        self.at[rows] += len(header)

    def take(self, rows: Integers | None, width: npt.NDArray[np.integer] | int) -> Integers:
        """Where these rows stand; moves them on by the width."""
        if rows is None:
            places = self.at
            self.at = places + width
        else:
            places = self.at[rows]
            self.at[rows] += width
        return places

    def texts(self, rows: Integers | None) -> tuple[Integers, Integers]:
        """Where the bytes of these rows' texts start, and how many there are; moves the rows behind them."""
        places = self.at if rows is None else self.at[rows]
        sizes = self.ints[places].astype(np.int64)
        ends = self.ends if rows is None else self.ends[rows]
        if (sizes < 1).any() or (places + 4 + sizes > ends).any() or self.buffer[places + 3 + sizes].any():
            raise OtherLayout("text")
        self.take(rows, sizes + 4)
        return places + 4, sizes - 1

    def finish(self, ends: Integers, rows: Integers | None = None) -> None:
        """Check that these rows' document or array ends here, and move behind the end."""
        places = self.take(rows, 1)
        if (places != ends).any() or self.buffer[places].any():
            raise OtherLayout("end")

    def _matches(self, at: Integers, header: bytes) -> npt.NDArray[np.bool_]:
        found = np.ones(len(at), np.bool_)
        for start in range(0, len(header), 8):
            first = max(0, min(start, len(header) - 8))  # whole words need no mask, so the last one goes back
            part = header[first : first + 8]
            expected = np.uint64(int.from_bytes(part, "little"))
            words = self.words[at + first] if first else self.words[at]
            if len(part) < 8:
                words = words & np.uint64((1 << 8 * len(part)) - 1)
            found &= words == expected
        return found
