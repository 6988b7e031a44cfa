from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import bson
import polars as pl
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from hypothesis import given, settings
from records.bson.encode import BatchPlace, EncodedBatch, batch_range, encode_batch, record_id

from .reference import LIMITS, Row, checksum, tables, text
from .versions import AT, PLACE, versions

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


def plain(value: Any, kind: str) -> Any:
    """The value as BSON holds it."""
    if kind.startswith("decimal"):
        return Decimal128(value)
    if kind == "date":
        return DatetimeMS((value - datetime(1970, 1, 1).date()).days * 86_400_000)
    if kind == "timestamp":
        return DatetimeMS(value)
    if kind == "timestamp(6)":
        return text(value, kind)
    return value


def documents_of(encoded: EncodedBatch) -> list[dict[str, Any]]:
    return [bson.decode(bytes(encoded.documents[a:b]), OPTIONS) for a, b in pairwise(encoded.offsets.tolist())]


def expected(number: int, row: Row, version: Row, types: dict[str, str]) -> dict[str, Any]:
    fields = {
        "_id": ObjectId(record_id(PLACE.attempt, PLACE.batch, number)),
        "key": version["_key"],
        "version": version["_version"],
        "change": version["_change"],
        "changed": version["_changed"],
        "hash": version["_hash"],
        "previous_hash": version["_previous_hash"],
        "prev": version["_prev"] and ObjectId(version["_prev"]),
        "position": PLACE.position,
        "line": version["_line"],
        "at": DatetimeMS(AT),
        "data": {name: plain(row[name], kind) for name, kind in types.items() if row[name] is not None},
    }
    return {name: value for name, value in fields.items() if value is not None}


@settings(max_examples=40)
@given(tables())
def test_documents_are_what_a_bson_library_reads_as_the_same_fields_in_order(
    table: tuple[dict[str, str], list[Row]],
) -> None:
    types, rows = table
    frame = versions(types, rows)
    found = documents_of(encode_batch(frame, types, PLACE))
    plain_documents = [expected(i, row, frame.row(i, named=True), types) for i, row in enumerate(rows)]
    assert [list(document) for document in found] == [list(document) for document in plain_documents]
    assert found == plain_documents


@pytest.mark.parametrize("kind", sorted(LIMITS))
def test_values_at_the_limits_are_encoded_exactly(kind: str) -> None:
    types, rows = {"value": kind}, [{"value": value} for value in (*LIMITS[kind], None)]
    found = [
        document["data"].get("value") for document in documents_of(encode_batch(versions(types, rows), types, PLACE))
    ]
    assert found == [value if value is None else plain(value, kind) for value in (*LIMITS[kind], None)]


def test_a_decimal_keeps_its_scale() -> None:
    types, rows = {"amount": "decimal(12,2)"}, [{"amount": Decimal("7.00")}]
    data = documents_of(encode_batch(versions(types, rows), types, PLACE))[0]["data"]
    assert str(data["amount"]) == "7.00"


def test_the_checksum_is_that_of_the_versions() -> None:
    types, rows = {"a": "text"}, [{"a": "x"}, {"a": None}]
    frame = versions(types, rows)
    lines = list(frame.select("_key", "_version", "_change", "_hash").iter_rows())
    assert encode_batch(frame, types, PLACE).checksum == checksum(lines)


def test_ids_are_ordered_by_attempt_batch_and_number() -> None:
    assert record_id(1, 2, 3) == b"\0\0\0\1\0\0\0\2\0\0\0\3"
    low, high = batch_range(1, 2)
    assert record_id(1, 1, 2**32 - 1) < low == record_id(1, 2, 0) < record_id(1, 2, 19_999) < high < record_id(1, 3, 0)


def test_parts_cut_a_batch_at_bytes_and_documents_and_lose_nothing() -> None:
    types = {"a": "text"}
    encoded = encode_batch(versions(types, [{"a": "x" * (50 * number)} for number in range(40)]), types, PLACE)
    parts = list(encoded.parts(max_bytes=3000, max_documents=7))
    assert b"".join(raw for raw, _ in parts) == bytes(encoded.documents)
    assert [len(bson.decode_all(raw)) for raw, _ in parts] == [count for _, count in parts]
    assert max(count for _, count in parts) == 7
    assert all(len(raw) <= 3000 for raw, _ in parts)
    assert sum(1 for _ in encoded.parts()) == 1


def test_a_document_larger_than_a_part_goes_alone() -> None:
    types = {"a": "text"}
    encoded = encode_batch(versions(types, [{"a": "x"}, {"a": "x" * 9000}, {"a": "x"}]), types, PLACE)
    assert [count for _, count in encoded.parts(max_bytes=1000)] == [1, 1, 1]
    assert 9000 < encoded.largest < 9500


def test_no_versions_are_no_documents() -> None:
    types = {"a": "text", "b": "decimal(12,2)", "c": "date"}
    encoded = encode_batch(versions(types, []), types, PLACE)
    assert (encoded.count, bytes(encoded.documents), encoded.largest) == (0, b"", 0)
    assert list(encoded.parts()) == []


def test_a_hash_of_another_width_is_refused() -> None:
    frame = versions({"a": "text"}, [{"a": "x"}]).with_columns(pl.lit(b"short").alias("_hash"))
    with pytest.raises(ValueError, match="_hash: expected values of 32 bytes"):
        encode_batch(frame, {"a": "text"}, BatchPlace(1, 1, 1, datetime.now(UTC)))
