"""Frames to and from PostgreSQL by binary COPY, without Python per row."""

from collections.abc import AsyncIterator, Callable

import numpy as np
import numpy.typing as npt
import polars as pl
from chassis import Tx
from pgpq import ArrowToPostgresBinaryEncoder
from records.pieces import block_values

Rows = npt.NDArray[np.void]

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
PIECE_BYTES = 4 << 20


async def copy_in(tx: Tx, table: str, columns: list[str], frames: AsyncIterator[pl.DataFrame]) -> int:
    """Every row of the frames into the table's columns; the number that the server took."""
    status: str = await tx.copy_to_table(table, source=_encode(frames), columns=columns, format="binary")
    return int(status.removeprefix("COPY "))


async def _encode(frames: AsyncIterator[pl.DataFrame]) -> AsyncIterator[bytes]:
    encoder = None
    async for frame in frames:
        for batch in frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches():
            if encoder is None:
                encoder = ArrowToPostgresBinaryEncoder(batch.schema)
                yield encoder.write_header()
            yield encoder.write_batch(batch)
    yield encoder.finish() if encoder else HEADER + TRAILER


class FixedRows:
    """Rows of one width out of a binary COPY, handed on as they arrive."""

    def __init__(self, fields: dict[str, tuple[str, int]], take: Callable[[Rows], None]) -> None:
        self._widths = {name: width for name, (_, width) in fields.items()}
        layout = [("#", ">i2")]
        for name, (kind, _) in fields.items():
            layout += [(f"#{name}", ">i4"), (name, kind)]
        self._dtype = np.dtype(layout)
        self._take = take
        self._waiting = bytearray()
        self._skip = len(HEADER)

    async def feed(self, chunk: bytes) -> None:
        """The next bytes of the reply."""
        self._waiting += chunk
        if len(self._waiting) > PIECE_BYTES:
            self._hand_on()

    def end(self) -> None:
        """All bytes were fed; raises unless they were whole rows."""
        self._hand_on()
        if self._waiting != TRAILER:
            raise ValueError("the reply of COPY has rows of another width than expected")

    def _hand_on(self) -> None:
        count = (len(self._waiting) - self._skip) // self._dtype.itemsize
        rows = np.frombuffer(bytes(self._waiting), self._dtype, count, self._skip)
        for name, width in self._widths.items():
            if not (rows[f"#{name}"] == width).all():
                raise ValueError(f"the reply of COPY has a {name} of another width than expected")
        self._take(rows)
        del self._waiting[: self._skip + rows.nbytes]
        self._skip = 0


async def copy_out(tx: Tx, rows: FixedRows, query: str, *arguments: object) -> None:
    """Feed the query's rows, as the server writes them, to `rows`."""
    await tx.copy_from_query(query, *arguments, output=rows.feed, format="binary")
    rows.end()


def binary_series(values: Rows) -> pl.Series:
    """Values of one width as a Binary column."""
    block = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.dtype.itemsize)
    return pl.Series(block_values(block), dtype=pl.Binary)
