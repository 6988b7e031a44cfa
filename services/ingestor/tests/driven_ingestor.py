"""The ingestor driven by hand: files are dropped, noted and claimed when a test says so, and what is left is read."""

import contextlib
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from chassis import AlreadyHandled, Fenced, Job, JobKind, Names, Pool
from chassis.claim import claim, complete, fail_or_retry
from ingestor.documents import Documents
from ingestor.files.bucket import Bucket
from ingestor.files.workspace import Workspaces
from ingestor.handlers import note_registered_file
from ingestor.jobs import announce_exhausted, ingest_next_file
from pymongo import AsyncMongoClient
from stack.namespaces import Namespace
from waybill_contracts import Declaration, FileRegistered, uuid7

AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
COLUMNS: dict[str, dict[str, Any]] = {
    "order_id": {"type": "integer"},
    "customer": {"type": "text", "max_length": 20},
    "amount": {"type": "decimal(12,2)", "minimum": 0},
}
HEADER = "order_id,customer,amount"


def declaration(**changes: Any) -> Declaration:
    """Orders as these tests declare them."""
    return Declaration.model_validate(
        {"organisation": "acme", "table": "orders", "key": ["order_id"], "columns": COLUMNS} | changes
    )


def csv(*rows: str) -> bytes:
    """A file of these lines."""
    return "".join(f"{row}\n" for row in (HEADER, *rows)).encode()


@dataclass
class Ingestor:
    """The ingestor's handler and job on its servers, and what it left in them."""

    namespace: Namespace
    names: Names
    db: Pool
    s3: Any
    bucket: Bucket
    documents: Documents
    workspaces: Workspaces
    mongo: AsyncMongoClient[dict[str, Any]]
    max_tries: int = 2
    arrivals: dict[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> JobKind:
        run = partial(
            ingest_next_file, db=self.db, bucket=self.bucket, documents=self.documents, workspaces=self.workspaces
        )
        return JobKind("ingest", run=run, exhausted=announce_exhausted, max_tries=self.max_tries)

    def put(self, body: bytes, key: str = "acme/orders/a.csv") -> tuple[str, str]:
        """Drop an object; its key and version id."""
        reply = self.s3.put_object(Bucket=self.namespace.bucket, Key=key, Body=io.BytesIO(body))
        return key, reply["VersionId"]

    def registered(self, body: bytes, declared: Declaration | None = None, **changes: Any) -> FileRegistered:
        """What the registry would say of a file with these bytes; the file lies in the bucket."""
        declared = declared or declaration()
        key, version_id = self.put(body)
        self.arrivals[declared.dataset] = self.arrivals.get(declared.dataset, 0) + 1
        fields = {
            "organisation": declared.organisation,
            "table": declared.table,
            "file_id": uuid7(),
            "arrival": self.arrivals[declared.dataset],
            "registration": 1,
            "cause": "new",
            "bucket": self.namespace.bucket,
            "object_key": key,
            "version_id": version_id,
            "size": len(body),
            "etag": "e",
            "last_modified": AT,
            "found_by": "notification",
            "declaration": declared,
        }
        return FileRegistered.model_validate(fields | changes)

    async def note(self, event: FileRegistered) -> None:
        with contextlib.suppress(AlreadyHandled):
            await note_registered_file(event, db=self.db)

    async def claim(self) -> Job | None:
        return await claim(self.db, self.kind, 30)

    async def run(self, job: Job) -> None:
        await self.kind.run(job)

    async def work(self) -> int:
        """Run attempts until no job is due; how many there were."""
        attempts = 0
        while job := await self.claim():
            attempts += 1
            try:
                await self.kind.run(job)
            except Fenced:
                continue
            except Exception as error:  # noqa: BLE001 - as the job loop does
                await fail_or_retry(self.db, self.kind, job, 0, f"{type(error).__name__}: {error}")
            else:
                with contextlib.suppress(Fenced):
                    await complete(self.db, self.kind, job)
        return attempts

    async def deliver(self, body: bytes, declared: Declaration | None = None, **changes: Any) -> FileRegistered:
        """A file from drop to the end of its attempts."""
        event = self.registered(body, declared, **changes)
        await self.note(event)
        await self.work()
        return event

    async def all(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.db.fetch(query, *arguments)]

    async def states(self) -> list[tuple[int, str]]:
        rows = await self.db.fetch("SELECT seq, state FROM jobs WHERE kind = 'ingest' ORDER BY lane, seq")
        return [tuple(row) for row in rows]

    async def events(self) -> list[dict[str, Any]]:
        """Every event that was emitted, oldest first, with its type's noun."""
        rows = await self.db.fetch("SELECT type, payload FROM outbox ORDER BY seq")
        return [{"type": row["type"].split(".")[1], **orjson.loads(row["payload"])} for row in rows]

    async def last_event(self) -> dict[str, Any]:
        return (await self.events())[-1]

    async def stored(self, attempts: list[int] | None = None) -> list[dict[str, Any]]:
        """The documents of attempts that a position names, as plain values, in order of their ids."""
        if attempts is None:
            attempts = [row["attempt"] for row in await self.all("SELECT attempt FROM positions")]
        collection = self.mongo[self.names.mongo_database][self.names.collection("acme", "orders")]
        found = [document async for document in collection.find(sort=[("_id", 1)])]
        return [row for row in found if int.from_bytes(row["_id"].binary[:4], "big") in attempts]

    async def output(self, file_id: UUID, attempt: int, name: str = "rejects.csv") -> bytes | None:
        """What an attempt wrote to the output bucket; None where there is none."""
        key = f"acme/orders/{file_id}/{attempt}/{name}"
        try:
            return self.s3.get_object(Bucket=f"{self.namespace.bucket}-out", Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None

    async def outcome(self) -> dict[str, Any]:
        """Everything that counts, whatever the attempts were numbered."""
        documents = await self.stored()
        return {
            "heads": await self.all("SELECT key, version, hash, deleted FROM heads ORDER BY key"),
            "positions": await self.all("SELECT position, file_id, rows FROM positions ORDER BY position"),
            "documents": [
                {name: value for name, value in document.items() if name not in ("_id", "prev", "at")}
                for document in documents
            ],
        }
