"""Deletes have a key and no values: written and read back among other versions, and alone."""

from itertools import pairwise
from typing import Any
from unittest.mock import patch

import bson
import polars as pl
import pytest
from bson.objectid import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from records.bson import decode as bson_decode
from records.bson.decode import decode_batch
from records.bson.encode import encode_batch, record_id
from records.bson.exact import decode_exactly

from .reference import LIMITS, Row, checksum, tables
from .versions import AT, PLACE, with_deletes


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[str, str], pl.DataFrame]:
    """Versions of values of all types, any of them deletes."""
    types, rows = draw(tables())
    return types, with_deletes(types, rows, draw(st.sets(st.integers(0, 5))))


def raw(frame: pl.DataFrame, types: dict[str, str]) -> list[bytes]:
    encoded = encode_batch(frame, types, PLACE)
    return [bytes(encoded.documents[a:b]) for a, b in pairwise(encoded.offsets.tolist())]


@settings(max_examples=60)
@given(changes())
def test_deletes_among_other_versions_come_back_both_ways(change: tuple[dict[str, str], pl.DataFrame]) -> None:
    types, frame = change
    documents = raw(frame, types)
    with patch.object(bson_decode, "decode_exactly", side_effect=AssertionError("not the layout we write")):
        found = decode_batch(b"".join(documents), types)
    assert_frame_equal(found.select(frame.columns), frame, check_exact=True)
    assert_frame_equal(decode_exactly(documents, types), found, check_exact=True)


@settings(max_examples=40)
@given(changes())
def test_a_delete_enters_the_checksum_with_an_empty_hash(change: tuple[dict[str, str], pl.DataFrame]) -> None:
    types, frame = change
    lines = list(frame.select("_key", "_version", "_change", "_hash").iter_rows())
    assert encode_batch(frame, types, PLACE).checksum == checksum(lines)


def test_a_delete_is_a_document_with_a_key_and_no_data() -> None:
    types: dict[str, str] = {kind: kind for kind in LIMITS}
    rows: list[Row] = [{kind: limits[0] for kind, limits in LIMITS.items()}] * 3
    found: list[dict[str, Any]] = [bson.decode(one) for one in raw(with_deletes(types, rows, {1}), types)]
    assert [list(document["data"]) for document in found] == [list(types), [], list(types)]
    assert found[1] == {
        "_id": ObjectId(record_id(PLACE.attempt, PLACE.batch, 1)),
        "key": "key|1",
        "version": 3,
        "change": "delete",
        "previous_hash": b"p" * 32,
        "prev": ObjectId(b"0123456789a\x00"),
        "position": PLACE.position,
        "at": AT.replace(tzinfo=None),
        "data": {},
    }


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_batch_may_be_deletes_only(count: int) -> None:
    types: dict[str, str] = {kind: kind for kind in LIMITS}
    frame = with_deletes(types, [dict.fromkeys(types)] * count, set(range(count)))
    documents = raw(frame, types)
    for found in (decode_batch(b"".join(documents), types), decode_exactly(documents, types)):
        assert_frame_equal(found.select(frame.columns), frame, check_exact=True)
    assert all(bson.decode(document)["data"] == {} for document in documents)
