"""Versions of records from BSON documents; what bson_encode.py wrote, and exactly what any other writer meant."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from records.bson import encode as wire
from records.bson.exact import decode_exactly
from records.bson.walk import DecodeFault, OtherLayout, Walk, document_starts, padded
from records.columns import DAY, FIRST_DAY, LAST_DAY, canonical, dtype
from records.digest import DIGEST_BYTES
from records.pieces import BINARY, Bytes, Integers, Values, buffer_of, filled, starts_of

__all__ = ["DecodeFault", "decode_batch"]

COEFFICIENT_WORD = np.uint64((1 << 49) - 1)
SHORT = 12  # texts of up to 12 bytes lie inside their view
HEAD_MASKS = np.array([(1 << 8 * min(size, 4)) - 1 for size in range(SHORT + 1)], np.uint64)
TAIL_MASKS = np.array([(1 << 8 * max(size - 4, 0)) - 1 for size in range(SHORT + 1)], np.uint64)

Read = Callable[[Walk, Integers | None], Values]


def decode_batch(documents: bytes | Sequence[bytes], types: dict[str, str]) -> pl.DataFrame:
    """The versions in the documents, in their order; raises DecodeFault for what does not fit the types.

    Documents come concatenated, in one piece or in several, such as the raw batches of a cursor.
    The columns that encode_batch takes, and `_position`, `_at`, `_record` (the `_id`).
    """
    whole = padded([documents] if isinstance(documents, bytes) else documents)
    starts = document_starts(whole)
    try:
        return _walk_documents(Walk(whole, starts), types)
    except OtherLayout:
        return decode_exactly([whole[start:end] for start, end in pairwise(starts.tolist())], types)


def _walk_documents(walk: Walk, types: dict[str, str]) -> pl.DataFrame:
    system = {
        "_record": _required(walk, wire.OBJECT_ID, "_id", _ids),
        "_key": _required(walk, wire.TEXT, "key", _texts),
        "_version": _required(walk, wire.INTEGER, "version", _integers),
        "_change": _required(walk, wire.TEXT, "change", _texts),
        "_changed": _optional(walk, wire.ARRAY, "changed", _lists),
        "_hash": _optional(walk, wire.BINARY, "hash", _hashes),
        "_previous_hash": _optional(walk, wire.BINARY, "previous_hash", _hashes),
        "_prev": _optional(walk, wire.OBJECT_ID, "prev", _ids),
        "_position": _required(walk, wire.INTEGER, "position", _integers),
        "_line": _optional(walk, wire.INTEGER, "line", _integers),
        "_repaired": _optional(walk, wire.ARRAY, "repaired", _lists),
        "_at": _required(walk, wire.DATE, "at", _timestamps),
    }
    del system["_repaired"]  # People are told; it is no part of what the version is.
    if walk.find(wire.DOCUMENT + b"data\0") is not None:
        raise OtherLayout("data")
    inner = walk.take(None, 4)
    inner_ends = inner + walk.ints[inner] - 1
    data = {name: _column(walk, name, kind) for name, kind in types.items()}
    walk.finish(inner_ends)
    walk.finish(walk.ends)
    columns = data | system
    # Handed over as one, which a small batch feels: each column alone takes as long as hundreds of rows.
    frame = pl.from_arrow(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _column(walk: Walk, name: str, kind: str) -> Values:
    """A business column, by its declared type."""
    holds = dtype(kind)
    if isinstance(holds, pl.Decimal):
        return _optional(walk, wire.DECIMAL, name, partial(_decimals, precision=holds.precision, scale=holds.scale))
    header, read = READERS[kind]
    return _optional(walk, header, name, read)


def _optional(walk: Walk, kind: bytes, name: str, read: Read) -> Values:
    return read(walk, walk.find(kind + name.encode() + b"\0"))


def _required(walk: Walk, kind: bytes, name: str, read: Read) -> Values:
    rows = walk.find(kind + name.encode() + b"\0")
    if rows is not None:
        raise OtherLayout(name)
    return read(walk, None)


def _integers(walk: Walk, rows: Integers | None) -> Values:
    return _spread(pa.int64(), walk.view("<i8")[walk.take(rows, 8)], rows, walk.count)


def _floats(walk: Walk, rows: Integers | None) -> Values:
    values = walk.view("<f8")[walk.take(rows, 8)]
    if not np.isfinite(values).all():
        raise OtherLayout("float")
    return _spread(pa.float64(), values, rows, walk.count)


def _booleans(walk: Walk, rows: Integers | None) -> Values:
    values = walk.buffer[walk.take(rows, 1)]
    if (values > 1).any():
        raise OtherLayout("boolean")
    return _spread(pa.uint8(), values, rows, walk.count).cast(pa.bool_())


def _timestamps(walk: Walk, rows: Integers | None) -> Values:
    values = walk.view("<i8")[walk.take(rows, 8)]
    _check_days(values // DAY)
    return _spread(pa.timestamp("ms", tz="UTC"), values, rows, walk.count)


def _dates(walk: Walk, rows: Integers | None) -> Values:
    values = walk.view("<i8")[walk.take(rows, 8)]
    days = values // DAY
    _check_days(days)
    if (days * DAY != values).any():
        raise OtherLayout("date with a time")
    return _spread(pa.date32(), days.astype(np.int32), rows, walk.count)


def _check_days(days: Integers) -> None:
    if len(days) and (days.min() < FIRST_DAY or days.max() > LAST_DAY):
        raise OtherLayout("date out of range")


def _decimals(walk: Walk, rows: Integers | None, precision: int, scale: int) -> Values:
    places = walk.take(rows, 16)
    low, high = walk.words[places], walk.words[places + 8]
    negative = high >> np.uint64(63) != 0
    exponent = (high << np.uint64(1)) >> np.uint64(50)
    high = high & COEFFICIENT_WORD
    limit = 10**precision
    limit_high, limit_low = np.uint64(limit >> 64), np.uint64(limit & (1 << 64) - 1)
    fits = (high < limit_high) | ((high == limit_high) & (low < limit_low))
    if (exponent != wire.EXPONENT_BIAS - scale).any() or not fits.all():
        raise OtherLayout("decimal")
    low = np.where(negative, ~low + np.uint64(1), low)
    high = np.where(negative, ~high + (low == 0), high)
    return _spread(pa.decimal128(precision, scale), np.stack([low, high], axis=1), rows, walk.count)


def _ids(walk: Walk, rows: Integers | None) -> Values:
    return _wide(walk, rows, walk.take(rows, wire.ID.itemsize), wire.ID.itemsize)


def _hashes(walk: Walk, rows: Integers | None) -> Values:
    places = walk.take(rows, 5 + DIGEST_BYTES)
    if (walk.ints[places] != DIGEST_BYTES).any() or walk.buffer[places + 4].any():
        raise OtherLayout("hash")
    return _wide(walk, rows, places + 5, DIGEST_BYTES)


def _wide(walk: Walk, rows: Integers | None, places: Integers, width: int) -> Values:
    """Binary values of one width."""
    found = walk.view(f"V{width}")[places].view(np.uint8).reshape(-1, width)
    return _spread(BINARY, found, rows, walk.count, offsets=np.arange(0, (walk.count + 1) * width, width))


def _texts(walk: Walk, rows: Integers | None) -> Values:
    places, sizes = walk.texts(rows)
    views = _views(walk, places, sizes)
    return _checked(_spread(pa.string_view(), views, rows, walk.count, walk.buffer))


def _microseconds(walk: Walk, rows: Integers | None) -> Values:
    """Texts of timestamps, each the canonical one of its moment."""
    texts = pl.Series("text", _texts(walk, rows))
    moments = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.6fZ", time_unit="us", strict=False).dt.replace_time_zone("UTC")
    if not canonical(moments).eq_missing(texts).all():
        raise OtherLayout("timestamp")
    _check_days(filled(moments, pl.Int64) // (DAY * 1000))
    return moments.to_arrow(compat_level=pl.CompatLevel.oldest())


def _views(walk: Walk, places: Integers, sizes: Integers) -> npt.NDArray[np.uint64]:
    """Arrow's views of texts that stay where they are: size and first 4 bytes; the next 8 bytes, or where it is."""
    short = np.minimum(sizes, SHORT)
    views = np.empty((len(places), 2), np.uint64)
    head = walk.words[places] & HEAD_MASKS[short]
    views[:, 0] = sizes.astype(np.uint64) | (head << np.uint64(32))
    inline = walk.words[places + 4] & TAIL_MASKS[short]
    views[:, 1] = np.where(sizes <= SHORT, inline, places.astype(np.uint64) << np.uint64(32))
    return views


def _checked(texts: Values) -> Values:
    """The texts, proven to be UTF-8."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid as fault:
        raise OtherLayout("text is not UTF-8") from fault
    return texts


def _lists(walk: Walk, rows: Integers | None) -> Values:
    """Arrays of texts, walked item by item while any row has one."""
    present = np.arange(walk.count) if rows is None else rows
    inner = walk.take(present, 4)
    ends = inner + walk.ints[inner] - 1
    open_rows = present
    found: list[tuple[Integers, Integers, Integers]] = []
    while len(open_rows):
        header = wire.TEXT + str(len(found)).encode() + b"\0"
        open_rows = open_rows[walk.buffer[walk.at[open_rows]] != 0]
        if len(open_rows):
            walk.skip(open_rows, header)
            found.append((open_rows, *walk.texts(open_rows)))
    walk.finish(ends, present)
    return _list_array(walk, found, present)


def _list_array(walk: Walk, found: list[tuple[Integers, Integers, Integers]], present: Integers) -> Values:
    owners, places, sizes = (np.concatenate([part[i] for part in found] or [np.empty(0, np.int64)]) for i in range(3))
    order = np.argsort(owners, kind="stable")
    views = _views(walk, places[order], sizes[order])
    texts = _checked(_spread(pa.string_view(), views, None, len(views), walk.buffer)).cast(pa.large_string())
    offsets = starts_of(np.bincount(owners, minlength=walk.count))
    valid = np.zeros(walk.count, np.bool_)
    valid[present] = True
    buffers: list[pa.Buffer | None] = [buffer_of(np.packbits(valid, bitorder="little")), buffer_of(offsets)]
    return pa.Array.from_buffers(pa.large_list(pa.large_string()), walk.count, buffers, children=[texts])


def _spread(
    kind: pa.DataType,
    values: npt.NDArray[Any],
    rows: Integers | None,
    count: int,
    *more: Bytes,
    offsets: Integers | None = None,
) -> Values:
    """Values of these rows as an Arrow array of all rows, null where there is none."""
    validity = None
    if rows is not None:
        valid = np.zeros(count, np.bool_)
        valid[rows] = True
        validity = buffer_of(np.packbits(valid, bitorder="little"))
        spread = np.zeros((count, *values.shape[1:]), values.dtype)
        spread[rows] = values
        values = spread
    data = [*([] if offsets is None else [offsets]), values, *more]
    return pa.Array.from_buffers(kind, count, [validity, *map(buffer_of, data)])


READERS: dict[str, tuple[bytes, Read]] = {
    "text": (wire.TEXT, _texts),
    "integer": (wire.INTEGER, _integers),
    "float": (wire.FLOAT, _floats),
    "boolean": (wire.BOOLEAN, _booleans),
    "date": (wire.DATE, _dates),
    "timestamp": (wire.DATE, _timestamps),
    "timestamp(6)": (wire.TEXT, _microseconds),
    "json": (wire.TEXT, _texts),
}
