from typing import TYPE_CHECKING, Any

import polars as pl
from bson.objectid import ObjectId
from polars.testing import assert_frame_equal
from pymongo import AsyncMongoClient
from records.bson.decode import decode_batch
from records.bson.encode import DocumentBlob, EncodedBatch, batch_range, encode_batch

from .versions import PLACE, versions

if TYPE_CHECKING:
    from stack.namespaces import Namespace

TYPES = {"name": "text", "size": "integer"}
MAJORITY = {"w": "majority", "j": True}


def many(count: int, width: int) -> pl.DataFrame:
    return versions(TYPES, [{"name": "é" * width, "size": number} for number in range(count)])


async def insert(client: AsyncMongoClient[Any], database: str, encoded: EncodedBatch) -> list[dict[str, Any]]:
    command = {"insert": "raw_blobs", "ordered": False, "writeConcern": MAJORITY}
    parts = [DocumentBlob(raw) for raw, _ in encoded.parts()]
    return [await client[database].command(command | {"documents": [blob]}) for blob in parts]


async def test_a_batch_handed_over_as_one_blob_is_stored_and_comes_back(namespace: "Namespace") -> None:
    frame = many(20_000, 20)
    encoded = encode_batch(frame, TYPES, PLACE)
    async with AsyncMongoClient[Any](namespace.environment["WAYBILL_MONGO__URI"]) as client:
        replies = await insert(client, namespace.name, encoded)
        low, high = map(ObjectId, batch_range(PLACE.attempt, PLACE.batch))
        raw_blobs = client[namespace.name]["raw_blobs"]
        found = raw_blobs.find_raw_batches({"_id": {"$gte": low, "$lte": high}}, sort=[("_id", 1)], batch_size=100_000)
        stored = b"".join([part async for part in found])
        again = await insert(client, namespace.name, encoded)
    assert [reply["n"] for reply in replies] == [20_000]
    assert stored == bytes(encoded.documents)
    assert_frame_equal(decode_batch(stored, TYPES).select(frame.columns), frame)
    assert (again[0]["n"], len(again[0]["writeErrors"])) == (0, 20_000)


async def test_a_batch_larger_than_a_message_goes_in_parts_and_a_document_at_its_limit_alone(
    namespace: "Namespace",
) -> None:
    frame = pl.concat([many(4, 2_600_000), many(1, 8_388_400)])
    encoded = encode_batch(frame, TYPES, PLACE)
    async with AsyncMongoClient[Any](namespace.environment["WAYBILL_MONGO__URI"]) as client:
        replies = await insert(client, namespace.name, encoded)
    assert 16_776_900 < encoded.largest <= 16 << 20
    assert [reply["n"] for reply in replies] == [3, 1, 1]
