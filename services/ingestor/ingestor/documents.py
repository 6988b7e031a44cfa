"""MongoDB: versions of records, appended batch by batch and read back by id."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from chassis import Names
from pymongo import AsyncMongoClient
from pymongo.read_concern import ReadConcern
from records.bson.encode import DocumentBlob, EncodedBatch, record_id

DURABLE = {"w": "majority", "j": True}
LOOKUP_IDS = 5_000
ID_BYTES = 12


class InsertRefused(Exception):
    """The server did not take every document of a batch."""


class MissingRecords(Exception):
    """Records that heads point to are not in MongoDB."""


class Documents:
    """The raw collections, one a dataset."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], names: Names) -> None:
        self._client = client
        self._names = names
        self._database = client.get_database(names.mongo_database, read_concern=ReadConcern("majority"))

    @classmethod
    @asynccontextmanager
    async def open(cls, uri: str, names: Names) -> AsyncIterator["Documents"]:
        """A client with deadlines, which connects at first use."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            uri, connectTimeoutMS=5_000, serverSelectionTimeoutMS=5_000, socketTimeoutMS=120_000
        )
        try:
            yield cls(client, names)
        finally:
            await client.close()

    async def insert_batch(self, dataset: str, batch: EncodedBatch) -> None:
        """Append the batch's documents, durably, or raise; what a dead attempt leaves is never read."""
        for documents, count in batch.parts():
            await self._insert(self._collection(dataset), documents, count)

    async def _insert(self, collection: str, documents: bytes, count: int) -> None:
        reply = await self._database.command(
            {"insert": collection, "ordered": False, "writeConcern": DURABLE, "documents": [DocumentBlob(documents)]}
        )
        if reply["n"] != count or "writeErrors" in reply or "writeConcernError" in reply:
            errors = reply.get("writeErrors", [])[:1] or reply.get("writeConcernError")
            raise InsertRefused(f"{reply['n']} of {count} documents were taken: {errors}")

    async def find_records(self, dataset: str, ids: bytes) -> bytes:
        """The documents with these ids (12 bytes each), one after the other; those that are missing are left out."""
        collection = self._database[self._collection(dataset)]
        parts: list[bytes] = []
        for start in range(0, len(ids), LOOKUP_IDS * ID_BYTES):
            query = _any_of(ids[start : start + LOOKUP_IDS * ID_BYTES])
            replies: AsyncIterator[bytes] = collection.find_raw_batches(  # type: ignore[assignment]
                query, batch_size=LOOKUP_IDS
            )
            parts += [reply async for reply in replies]
        return b"".join(parts)

    async def delete_attempts(self, dataset: str, first: int, last: int) -> int:
        """Remove the documents of a range of attempts; how many there were."""
        low, high = ObjectId(record_id(first, 0, 0)), ObjectId(record_id(last + 1, 0, 0))
        reply = await self._database.command(
            {
                "delete": self._collection(dataset),
                "deletes": [{"q": {"_id": {"$gte": low, "$lt": high}}, "limit": 0}],
                "writeConcern": DURABLE,
            }
        )
        return int(reply["n"])

    async def ping(self) -> None:
        """Raises where no primary can be reached."""
        await self._client.admin.command("ping")

    def _collection(self, dataset: str) -> str:
        organisation, table = dataset.split("/")
        return self._names.collection(organisation, table)


def _any_of(ids: bytes) -> RawBSONDocument:
    """{_id: {$in: ids}} without an object per id."""
    count = len(ids) // ID_BYTES
    elements, places = _id_elements()
    array = elements[: places[count - 1, -1] + 1].copy()
    array[places[:count]] = np.frombuffer(ids, np.uint8).reshape(-1, ID_BYTES)
    return RawBSONDocument(_document(b"\x03_id\x00" + _document(b"\x04$in\x00" + _document(array.tobytes()))))


@cache
def _id_elements() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    """An array of as many empty ObjectIds as one query may name, and where the bytes of each are."""
    elements = [b"\x07%d\x00" % index + bytes(ID_BYTES) for index in range(LOOKUP_IDS)]
    ends = np.cumsum([len(element) for element in elements], dtype=np.intp)
    return np.frombuffer(b"".join(elements), np.uint8), (ends - ID_BYTES)[:, None] + np.arange(ID_BYTES)


def _document(elements: bytes) -> bytes:
    return (len(elements) + 5).to_bytes(4, "little") + elements + b"\x00"
