"""Versions of records as BSON documents, all of a batch at once; bson_decode.py reads them back (design.md 6).

Document: _id, key, version, change, changed, hash, previous_hash, prev, position, line, repaired, at, data. A null is
left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from records.checksum import format_checksum, version_checksums
from records.columns import DAY, canonical, check_types
from records.digest import DIGEST_BYTES
from records.pieces import (
    Bytes,
    Integers,
    Mask,
    Piece,
    Values,
    block_values,
    data_of,
    filled,
    join,
    lengths_of,
    memory_of,
    offsets_of,
    ragged_values,
    starts_of,
    text_values,
    valid_mask,
    valid_rows,
)

FLOAT, TEXT, DOCUMENT, ARRAY, BINARY, OBJECT_ID = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05", b"\x07"
BOOLEAN, DATE, INTEGER, DECIMAL = b"\x08", b"\x09", b"\x12", b"\x13"
EXPONENT_BIAS = 6176
MAX_MESSAGE_BYTES = (
    16 << 20
)  # MongoDB takes messages three times as large, but pymongo no larger command than a document
MAX_MESSAGE_DOCUMENTS = 100_000
ID = np.dtype([("attempt", ">u4"), ("batch", ">u4"), ("number", ">u4")])


class BatchPlace(NamedTuple):
    """Where a batch belongs: the attempt and its batch number, the position it will take, and the time of writing."""

    attempt: int
    batch: int
    position: int
    at: datetime


class DocumentBlob:
    """Many documents as one: pymongo copies `raw` as it is into the message of an insert command.

    `await db.command({"insert": name, "ordered": False, "documents": [DocumentBlob(raw)], "writeConcern": …})` for each
    of an EncodedBatch's parts. The command does not raise for documents that were refused: compare the reply's n with
    the part's count, and look at its writeErrors.
    """

    _type_marker = 101  # what pymongo's writer knows raw documents by

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


@dataclass(frozen=True)
class EncodedBatch:
    """A batch of documents: document i is documents[offsets[i]:offsets[i + 1]]."""

    documents: memoryview
    offsets: Integers
    checksum: str

    @property
    def count(self) -> int:
        return len(self.offsets) - 1

    @property
    def largest(self) -> int:
        """Bytes of the largest document."""
        return int(np.diff(self.offsets).max(initial=0))

    def parts(
        self, max_bytes: int = MAX_MESSAGE_BYTES, max_documents: int = MAX_MESSAGE_DOCUMENTS
    ) -> Iterator[tuple[bytes, int]]:
        """The documents in runs that fit one message each, with the count; a document over the limit goes alone."""
        start = 0
        while start < self.count:
            fitting = int(np.searchsorted(self.offsets, self.offsets[start] + max_bytes, side="right")) - 1
            end = max(start + 1, min(fitting, start + max_documents, self.count))
            yield bytes(self.documents[self.offsets[start] : self.offsets[end]]), end - start
            start = end


def record_id(attempt: int, batch: int, number: int) -> bytes:
    """The 12 bytes of a document's `_id`."""
    return b"".join(part.to_bytes(4, "big") for part in (attempt, batch, number))


def batch_range(attempt: int, batch: int) -> tuple[bytes, bytes]:
    """The lowest and the highest `_id` that a batch can hold."""
    return record_id(attempt, batch, 0), record_id(attempt, batch, 0xFFFFFFFF)


def encode_batch(frame: pl.DataFrame, types: dict[str, str], place: BatchPlace) -> EncodedBatch:
    """The documents of a batch, in the frame's order.

    The frame holds the business columns and `_key, _hash, _line, _version, _change, _changed, _previous_hash, _prev`;
    it may hold `_repaired`, what was mended in a row.
    """
    check_types(frame, types)
    data = _document([piece for name in types for piece in _element(name, frame[name])], len(frame))
    documents = join(_document([*_system_elements(frame, place), DOCUMENT + b"data\0", *data], len(frame)))
    offsets = offsets_of(documents)
    written = data_of(documents)[offsets[0] : offsets[-1]].data
    return EncodedBatch(written, offsets - offsets[0], format_checksum(version_checksums(frame)))


def _system_elements(frame: pl.DataFrame, place: BatchPlace) -> list[Piece]:
    ids = np.empty(len(frame), ID)
    ids["attempt"], ids["batch"], ids["number"] = place.attempt, place.batch, np.arange(len(frame))
    at = int(place.at.timestamp() * 1000).to_bytes(8, "little", signed=True)
    return [
        OBJECT_ID + b"_id\0",
        _bytes(ids),
        *_element("key", frame["_key"]),
        *_element("version", frame["_version"]),
        *_element("change", frame["_change"]),
        *_list_element("changed", frame["_changed"]),
        *_hash_element("hash", frame["_hash"]),
        *_hash_element("previous_hash", frame["_previous_hash"]),
        *_id_element("prev", frame["_prev"]),
        INTEGER + b"position\0" + place.position.to_bytes(8, "little"),
        *_element("line", frame["_line"]),
        *(_list_element("repaired", frame["_repaired"]) if "_repaired" in frame.columns else []),
        DATE + b"at\0" + at,
    ]


def _document(elements: list[Piece], count: int) -> list[Piece]:
    """The elements with the length before them and the end after them."""
    length = np.full(count, 5, np.int32)
    for element in elements:
        length += np.asarray(lengths_of(element), np.int32)
    return [_bytes(length), *elements, b"\0"]


def _element(name: str, series: pl.Series) -> list[Piece]:
    """The pieces of one element; nothing where the value is null."""
    end = name.encode() + b"\0"
    match series.dtype:
        case pl.String():
            return _text_element(TEXT + end, text_values(series))
        case pl.Decimal():
            return _block_element(DECIMAL + end, _decimals(series), valid_mask(series))
        case pl.Boolean():
            block = filled(series, pl.UInt8).reshape(-1, 1)
            return _block_element(BOOLEAN + end, block, valid_mask(series))
        case pl.Float64():
            return _block_element(FLOAT + end, _bytes(filled(series, pl.Float64)), valid_mask(series))
        case pl.Datetime(time_unit="us"):
            # A date of BSON holds milliseconds only.
            return _text_element(TEXT + end, text_values(canonical(series)))
        case pl.Date():
            millis = filled(series, pl.Int32).astype(np.int64) * DAY
            return _block_element(DATE + end, _bytes(millis), valid_mask(series))
    kind = DATE if isinstance(series.dtype, pl.Datetime) else INTEGER
    return _block_element(kind + end, _bytes(filled(series, pl.Int64)), valid_mask(series))


def _block_element(header: bytes, block: Bytes, valid: Mask | None) -> list[Piece]:
    """An element whose values have one width; a row of the block for every row, null or not."""
    if valid is None:
        return [header, block]
    headers = np.broadcast_to(np.frombuffer(header, np.uint8), (int(valid.sum()), len(header)))
    return [block_values(np.concatenate([headers, block[valid]], axis=1), valid)]


def _text_element(header: bytes, values: Values) -> list[Piece]:
    sizes = _bytes((np.asarray(lengths_of(values)) + 1).astype("<i4"))
    if not values.null_count:
        return [header, sizes, values, b"\0"]
    valid = valid_rows(values)
    end = block_values(np.zeros((int(valid.sum()), 1), np.uint8), valid)
    return [*_block_element(header, sizes, valid), values, end]


def _hash_element(name: str, series: pl.Series) -> list[Piece]:
    """An element of hashes."""
    header = BINARY + name.encode() + b"\0" + DIGEST_BYTES.to_bytes(4, "little") + b"\0"
    return _wide_element(header, series, DIGEST_BYTES)


def _id_element(name: str, series: pl.Series) -> list[Piece]:
    return _wide_element(OBJECT_ID + name.encode() + b"\0", series, ID.itemsize)


def _wide_element(header: bytes, series: pl.Series, width: int) -> list[Piece]:
    if series.null_count() == len(series):
        return []
    valid = valid_mask(series)
    values = text_values(series if valid is None else series.drop_nulls())
    offsets = offsets_of(values)
    if (np.diff(offsets) != width).any():
        raise ValueError(f"{series.name}: expected values of {width} bytes")
    block = data_of(values)[offsets[0] : offsets[-1]].reshape(-1, width)
    if valid is None:
        return [header, block]
    headers = np.broadcast_to(np.frombuffer(header, np.uint8), (len(block), len(header)))
    return [block_values(np.concatenate([headers, block], axis=1), valid)]


def _list_element(name: str, series: pl.Series) -> list[Piece]:
    """An array of texts."""
    if series.null_count() == len(series):
        return []
    valid = valid_mask(series)
    counts = series.list.len().fill_null(0).to_numpy().astype(np.int64)
    firsts = starts_of(counts)
    places = np.arange(firsts[-1]) - np.repeat(firsts[:-1], counts)
    texts = text_values(series.list.explode(empty_as_null=False, keep_nulls=False).cast(pl.String))
    numbers = text_values(pl.Series(places).cast(pl.String))
    items = join([TEXT, numbers, b"\0", _bytes((np.asarray(lengths_of(texts)) + 1).astype("<i4")), texts, b"\0"])
    ends = offsets_of(items)[firsts]
    body = ragged_values(data_of(items), ends)
    sizes = _bytes((np.diff(ends) + 5).astype("<i4"))
    end = b"\0" if valid is None else block_values(np.zeros((int(valid.sum()), 1), np.uint8), valid)
    return [*_block_element(ARRAY + name.encode() + b"\0", sizes, valid), body, end]


def _decimals(series: pl.Series) -> Bytes:
    """Decimal128 with exactly the scale of the type: 128 bits, sign and magnitude, from Arrow's two's complement."""
    values = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    words = memory_of(values, 1, np.uint64).reshape(-1, 2)[values.offset : values.offset + len(values)]
    low, high = words[:, 0].copy(), words[:, 1].copy()
    negative = high.view(np.int64) < 0
    low[negative] = ~low[negative] + np.uint64(1)
    high[negative] = ~high[negative] + (low[negative] == 0)
    scale = series.dtype.scale if isinstance(series.dtype, pl.Decimal) else 0
    high |= np.uint64((EXPONENT_BIAS - scale) << 49) | (negative.astype(np.uint64) << np.uint64(63))
    return _bytes(np.stack([low, high], axis=1))


def _bytes(values: npt.NDArray[Any]) -> Bytes:
    """An array of numbers as a matrix of bytes, a row each."""
    packed = np.ascontiguousarray(values)
    return packed.view(np.uint8).reshape(len(packed), packed[:1].size * packed.itemsize if len(packed) else 0)
