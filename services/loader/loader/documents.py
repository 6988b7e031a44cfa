"""The versions as MongoDB holds them, read as raw BSON."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

# pymongo's own raw batches make an object for every document, a third of the loader's time; these two do not.
from bson import ObjectId, _array_of_documents_to_buffer
from bson.int64 import Int64
from bson.raw_bson import _RAW_ARRAY_BSON_OPTIONS, DEFAULT_RAW_BSON_OPTIONS, _RawArrayBSONDocument
from chassis import Names
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.read_preferences import ReadPreference
from records.bson.encode import batch_range

AS_MANY_AS_FIT = 1_000_000_000


class Documents:
    """Reads what the ingestor has finished."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], names: Names) -> None:
        self._client = client
        self._names = names
        self._database = client[names.mongo_database]

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

    async def read_batch(self, organisation: str, table: str, attempt: int, number: int) -> bytes:
        """The batch's documents in order of their ids, one after the other; empty when there are none."""
        collection = self._names.collection(organisation, table)
        low, high = (ObjectId(bound) for bound in batch_range(attempt, number))
        find = {
            "find": collection,
            "filter": {"_id": {"$gte": low, "$lte": high}},
            "sort": {"_id": 1},
            "batchSize": AS_MANY_AS_FIT,
            # What a majority holds stays true whatever fails.
            "readConcern": {"level": "majority"},
        }
        async with self._client.start_session(causal_consistency=False) as session:
            documents, cursor = await self._ask(find, "firstBatch", session)
            parts = [documents]
            while cursor:
                documents, cursor = await self._ask(
                    {"getMore": Int64(cursor), "collection": collection}, "nextBatch", session
                )
                parts.append(documents)
        return b"".join(parts)

    async def _ask(self, command: dict[str, Any], batch: str, session: AsyncClientSession) -> tuple[bytes, int]:
        """The documents in the primary's reply, and the cursor that holds more of them; 0 when none does."""
        reply = await self._database.command(
            command, read_preference=ReadPreference.PRIMARY, codec_options=DEFAULT_RAW_BSON_OPTIONS, session=session
        )
        cursor = _RawArrayBSONDocument(reply["cursor"].raw, _RAW_ARRAY_BSON_OPTIONS)  # type: ignore[arg-type]
        return _array_of_documents_to_buffer(cursor[batch]), cursor["id"]

    async def ping(self) -> None:
        """Raises when the document store is away."""
        await self._client.admin.command("ping")
