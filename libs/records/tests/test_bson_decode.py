from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import bson
import polars as pl
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from records.bson import decode as bson_decode
from records.bson.decode import DecodeFault, decode_batch
from records.bson.encode import encode_batch, record_id
from records.bson.exact import decode_exactly
from records.row_hash import row_hashes

from .reference import LIMITS, Row, tables
from .versions import AT, PLACE, SYSTEM, versions

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
TYPES = {
    "amount": "decimal(12,2)",
    "day": "date",
    "name": "text",
    "paid": "boolean",
    "rate": "float",
    "size": "integer",
}

Document = dict[str, Any]


def raw(frame: pl.DataFrame, types: dict[str, str]) -> list[bytes]:
    encoded = encode_batch(frame, types, PLACE)
    return [bytes(encoded.documents[a:b]) for a, b in pairwise(encoded.offsets.tolist())]


def walked(documents: bytes, types: dict[str, str]) -> pl.DataFrame:
    """The frame, proven to come from the walk."""
    with patch.object(bson_decode, "decode_exactly", side_effect=AssertionError("not the layout we write")):
        return decode_batch(documents, types)


def orders() -> pl.DataFrame:
    first: Row = {"amount": None, "day": None, "name": "", "paid": True, "rate": 1.5, "size": 1}
    return versions(TYPES, [first, first | {"name": "é" * 20}, first | {"paid": None, "size": None}])


@settings(max_examples=40)
@given(tables())
def test_what_was_encoded_comes_back(table: tuple[dict[str, str], list[Row]]) -> None:
    types, rows = table
    frame = versions(types, rows)
    found = walked(b"".join(raw(frame, types)), types)
    assert_frame_equal(found.select(frame.columns), frame, check_exact=True)
    assert found["_record"].to_list() == [record_id(PLACE.attempt, PLACE.batch, number) for number in range(len(rows))]
    assert found["_position"].to_list() == [PLACE.position] * len(rows)
    assert found["_at"].to_list() == [AT] * len(rows)


@settings(max_examples=40)
@given(tables())
def test_the_exact_way_finds_the_same(table: tuple[dict[str, str], list[Row]]) -> None:
    types, rows = table
    documents = raw(versions(types, rows), types)
    assert_frame_equal(decode_exactly(documents, types), walked(b"".join(documents), types), check_exact=True)


@settings(max_examples=40)
@given(tables(), st.lists(st.sampled_from([None, ["missing_fields"], ["stray_quotes", "missing_fields"]])))
def test_what_was_mended_is_written_with_the_row_and_changes_nothing_of_it(
    table: tuple[dict[str, str], list[Row]], repairs: list[list[str] | None]
) -> None:
    types, rows = table
    frame, marks = versions(types, rows), (repairs + [None] * len(rows))[: len(rows)]
    marked = frame.with_columns(pl.Series("_repaired", marks, dtype=pl.List(pl.String)))
    documents, plain = raw(marked, types), raw(frame, types)
    written = [bson.decode(one, OPTIONS).pop("repaired", None) for one in documents]
    assert written == marks
    assert_frame_equal(walked(b"".join(documents), types), walked(b"".join(plain), types), check_exact=True)
    assert_frame_equal(decode_exactly(documents, types), decode_exactly(plain, types), check_exact=True)
    assert encode_batch(marked, types, PLACE).checksum == encode_batch(frame, types, PLACE).checksum


@pytest.mark.parametrize("kind", sorted(LIMITS))
def test_values_at_the_limits_come_back(kind: str) -> None:
    types, rows = {"value": kind}, [{"value": value} for value in (*LIMITS[kind], None)]
    documents = b"".join(raw(versions(types, rows), types))
    assert walked(documents, types)["value"].to_list() == [*LIMITS[kind], None]


def test_rows_hash_the_same_after_the_way_through_mongodb() -> None:
    found = walked(b"".join(raw(orders(), TYPES)), TYPES)
    assert row_hashes(found, TYPES).equals(found["_hash"], check_names=False)


def test_documents_may_come_in_several_pieces() -> None:
    documents = raw(orders(), TYPES)
    whole = decode_batch(b"".join(documents), TYPES)
    assert_frame_equal(decode_batch(documents, TYPES), whole)
    assert_frame_equal(decode_batch([documents[0], b"", documents[1] + documents[2]], TYPES), whole)
    assert_frame_equal(decode_batch([RawBSONDocument(one).raw for one in documents], TYPES), whole)


def test_columns_come_in_the_order_of_the_types() -> None:
    found = decode_batch(b"".join(raw(orders(), TYPES)), TYPES)
    assert found.columns[: len(TYPES)] == list(TYPES)
    assert {*found.columns} == {*TYPES, *SYSTEM, "_position", "_at", "_record"}


def reversed_fields(document: Document) -> Document:
    return {**dict(reversed(document.items())), "data": dict(reversed(document["data"].items()))}


def written_nulls(document: Document) -> Document:
    return {**document, "prev": document.get("prev"), "data": {name: document["data"].get(name) for name in TYPES}}


def short_integers(document: Document) -> Document:
    return {**document, "version": int(document["version"]), "line": 3}


def other_scale(document: Document) -> Document:
    return {**document, "data": {**document["data"], "amount": Decimal128("12E+1")}}


@pytest.mark.parametrize("rewrite", [reversed_fields, written_nulls, short_integers])
def test_another_writers_layout_means_the_same(rewrite: Callable[[Document], Document]) -> None:
    documents = raw(orders(), TYPES)
    others = [bson.encode(rewrite(bson.decode(one, OPTIONS))) for one in documents]
    assert others != documents
    found, expected = decode_batch(b"".join(others), TYPES), decode_batch(b"".join(documents), TYPES)
    lines = {"_line"} if rewrite is short_integers else set()
    assert_frame_equal(found.drop(lines), expected.drop(lines), check_exact=True)


def test_a_decimal_of_another_scale_is_the_same_number() -> None:
    others = [bson.encode(other_scale(bson.decode(one, OPTIONS))) for one in raw(orders(), TYPES)]
    assert [str(value) for value in decode_batch(b"".join(others), TYPES)["amount"]] == ["120.00"] * 3


def altered(**fields: Any) -> list[bytes]:
    """The documents, the second with other values in its data."""
    documents = raw(orders(), TYPES)
    document = bson.decode(documents[1], OPTIONS)
    document["data"] |= fields
    return [documents[0], bson.encode(document), documents[2]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 7),
        ("name", b"bytes"),
        ("size", "7"),
        ("size", 7.0),
        ("size", True),
        ("paid", 1),
        ("rate", 1),
        ("rate", float("nan")),
        ("rate", float("inf")),
        ("day", DatetimeMS(1)),
        ("day", DatetimeMS(253_402_300_800_000)),
        ("day", DatetimeMS(-62_135_596_800_001)),
        ("day", "2026-01-01"),
        ("amount", Decimal128("0.001")),
        ("amount", Decimal128("10000000000.00")),
        ("amount", Decimal128("NaN")),
        ("amount", Decimal128("-Infinity")),
        ("amount", "1.00"),
        ("unknown", 1),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_a_fault_that_names_it(name: str, value: Any) -> None:
    with pytest.raises(DecodeFault, match=f"document 1: .*{name}"):
        decode_batch(b"".join(altered(**{name: value})), TYPES)


@pytest.mark.parametrize(
    "value",
    [
        *("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678901", "2026-01-02T03:04:05.678901+00:00", "x"),
        *("2026-02-30T00:00:00.000000Z", "0000-12-31T00:00:00.000000Z", "2026-01-02T24:00:00.000000Z", ""),
        *("2026-01-02T03:04:60.000000Z", "2026-01-02t03:04:05.678901Z", "+026-01-02T03:04:05.678901Z"),
        *("2026-01-02T03:04:05.678901Z ", "2026-01-02T03:04:05.67890\u0661Z", DatetimeMS(0), 7),
    ],
)
def test_microseconds_are_their_canonical_text_or_a_fault(value: Any) -> None:
    types = {"at": "timestamp(6)"}
    rows: list[Row] = [{"at": datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)}, {"at": None}]
    documents = raw(versions(types, rows), types)
    assert walked(b"".join(documents), types)["at"].to_list() == [row["at"] for row in rows]
    document = bson.decode(documents[0], OPTIONS)
    assert document["data"] == {"at": "2026-01-02T03:04:05.678901Z"}
    with pytest.raises(DecodeFault, match=r"document 0: at: "):
        decode_batch(bson.encode(document | {"data": {"at": value}}), types)


@pytest.mark.parametrize(("name", "value"), [("size", 2), ("name", "é" * 19), ("paid", False), ("rate", 1.25)])
def test_a_changed_value_no_longer_fits_its_hash(name: str, value: Any) -> None:
    found = decode_batch(b"".join(altered(**{name: value})), TYPES)
    assert (row_hashes(found, TYPES) == found["_hash"]).to_list() == [True, False, True]


@pytest.mark.parametrize("field", ["_id", "key", "version", "change", "position", "at", "data"])
def test_a_missing_field_is_a_fault_that_names_it(field: str) -> None:
    document = bson.decode(raw(orders(), TYPES)[0], OPTIONS)
    del document[field]
    with pytest.raises(DecodeFault, match=f"document 0: no {field}"):
        decode_batch(bson.encode(document), TYPES)


@pytest.mark.parametrize(
    ("field", "value"), [("hash", b"short"), ("changed", ["a", 1]), ("changed", "a"), ("prev", "x"), ("more", 1)]
)
def test_a_wrong_system_field_is_a_fault_that_names_it(field: str, value: Any) -> None:
    document = bson.decode(raw(orders(), TYPES)[1], OPTIONS) | {field: value}
    with pytest.raises(DecodeFault, match=f"document 0: .*{field}"):
        decode_batch(bson.encode(document), TYPES)


def test_bytes_that_are_no_utf8_are_a_fault() -> None:
    documents = b"".join(raw(orders(), TYPES)).replace("é".encode() * 20, b"\xc3" * 40)
    with pytest.raises(DecodeFault, match="document 1"):
        decode_batch(documents, TYPES)


@pytest.mark.parametrize("cut", [1, 3, 100])
def test_documents_that_are_cut_off_are_a_fault(cut: int) -> None:
    documents = b"".join(raw(orders(), TYPES))
    with pytest.raises(DecodeFault):
        decode_batch(documents[:-cut], TYPES)


def test_any_altered_byte_shows_but_for_the_numbers_of_items_in_arrays() -> None:
    documents = b"".join(raw(orders(), TYPES))
    whole = decode_batch(documents, TYPES)
    unseen = 0
    for place in range(len(documents)):
        bent = documents[:place] + bytes([documents[place] ^ 0x11]) + documents[place + 1 :]
        try:
            found = decode_batch(bent, TYPES)
        except DecodeFault:
            continue
        unseen += found.equals(whole)
    assert unseen == 2


def test_no_documents_are_no_versions() -> None:
    found = decode_batch(b"", TYPES)
    assert len(found) == 0
    assert found.schema == decode_batch(b"".join(raw(orders(), TYPES)), TYPES).schema


def test_documents_whose_values_look_like_their_beginnings_are_told_apart() -> None:
    documents = raw(orders(), TYPES)
    document = bson.decode(documents[0], OPTIONS)
    document["data"]["name"] = documents[0][4:17].decode() * 3
    crafted = [bson.encode(document), documents[1]]
    assert decode_batch(b"".join(crafted), TYPES)["name"].to_list() == [document["data"]["name"], "é" * 20]


def test_documents_of_several_attempts_are_read_together() -> None:
    frame = orders()
    others = [bytes(encode_batch(frame, TYPES, PLACE._replace(attempt=attempt)).documents) for attempt in (1, 2)]
    found = decode_batch(b"".join(others), TYPES)
    assert_frame_equal(found.select(frame.columns), pl.concat([frame, frame]))
    assert [one[:4] for one in found["_record"]] == [b"\0\0\0\1"] * 3 + [b"\0\0\0\2"] * 3
