"""Drops and what the other services say of them, as the registry gets them."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import orjson
from chassis.database import Pool
from chassis.intake import RawMessage
from chassis.testing import outbox
from registry.files import Files
from registry.handlers import accept_declaration, register_drops
from waybill_contracts import (
    Column,
    DecisionRequested,
    Declaration,
    DeclarationRequested,
    FileFailed,
    FileHeld,
    FileLoaded,
    FileRefused,
    FileRegistered,
    FileSkipped,
    RecordsIngested,
    RetryRequested,
    uuid7,
)

ORDERS = Declaration(
    organisation="acme", table="orders", key=("id",), columns={"id": Column(type="integer"), "day": Column()}
)


async def put(files: Files, key: str, body: bytes = b"id\n1\n", **metadata: str) -> str:
    """Put an object; returns its version id."""
    answer: dict[str, Any] = await files.client.put_object(
        Bucket=files.bucket, Key=key, Body=body, Metadata={f"waybill-{name}": value for name, value in metadata.items()}
    )
    return str(answer["VersionId"])


def notify(
    files: Files,
    key: str,
    version_id: str | None = None,
    principal: str = "ana",
    metadata: dict[str, str] | None = None,
) -> RawMessage:
    """What the object store says of the key."""
    thing: dict[str, Any] = {"key": quote_plus(key)} | ({"versionId": version_id} if version_id else {})
    if metadata is not None:
        thing["userMetadata"] = metadata
    record = {
        "eventSource": "minio:s3",
        "eventName": "s3:ObjectCreated:Put",
        "userIdentity": {"principalId": principal},
        "s3": {"bucket": {"name": files.bucket}, "object": thing},
    }
    return RawMessage(orjson.dumps({"Records": [record]}), None, (), 0, 0)


def ingested(event: FileRegistered, attempt: int = 1, position: int = 1) -> RecordsIngested:
    return RecordsIngested.model_validate(
        {
            **_identity(event),
            "arrival": event.arrival,
            "registration": event.registration,
            "attempt": attempt,
            "position": position,
            "sha256": "0" * 64,
            "columns": [{"name": "id", "type": "integer"}],
            "key": ["id"],
            "rule_version": 1,
            "batches": [{"number": 1, "version_count": 2, "checksum": "a" * 32}],
            "rows": {"read": 3, "inserted": 2, "rejected": 1},
            "source": {
                "bucket": event.bucket,
                "object_key": event.object_key,
                "version_id": event.version_id,
                "size": event.size,
                "registered_at": datetime.now(UTC),
            },
        }
    )


def loaded(event: FileRegistered, attempt: int = 1, position: int = 1) -> FileLoaded:
    rows = {"inserted": 2, "updated": 0, "deleted": 0}
    return FileLoaded.model_validate(
        {**_identity(event), "attempt": attempt, "position": position, "rows": rows, "checksum": "a" * 32}
    )


def failed(event: FileRegistered, attempt: int = 1) -> FileFailed:
    return FileFailed.model_validate(
        {**_identity(event), "attempt": attempt, "code": "empty_file", "reason": "the file is empty"}
    )


def skipped(event: FileRegistered, attempt: int = 1) -> FileSkipped:
    return FileSkipped.model_validate({**_identity(event), "attempt": attempt, "twin_file_id": uuid7()})


def held(event: FileRegistered, attempt: int = 1, **changes: Any) -> FileHeld:
    """Held for a column that is not declared, which the proposal declares."""
    fields = {
        "registration": event.registration,
        "attempt": attempt,
        "holds": [{"code": "columns_added", "reason": "columns that are not declared: note"}],
        "rows": {"read": 3, "inserted": 2, "rejected": 1},
        "proposal": {"columns": {"note": {"type": "text"}}},
    }
    return FileHeld.model_validate(_identity(event) | fields | changes)


def refused(event: FileRegistered, attempt: int = 1, user: str | None = "zoe") -> FileRefused:
    fields = {"attempt": attempt, "code": "refused", "reason": "not ours", "user": user}
    return FileRefused.model_validate(_identity(event) | fields)


def decision(event: FileRegistered, verb: str, attempt: int = 1, **more: Any) -> DecisionRequested:
    fields = {"attempt": attempt, "decision": verb, "user": "zoe"}
    return DecisionRequested.model_validate(_identity(event) | fields | more)


def _identity(event: FileRegistered) -> dict[str, Any]:
    return {"organisation": event.organisation, "table": event.table, "file_id": event.file_id}


TABLES = {
    "datasets": "SELECT * FROM datasets ORDER BY dataset",
    "declarations": "SELECT dataset, version, body, who, why FROM declarations ORDER BY 1, 2",
    "declaration_files": "SELECT name, sha256, dataset, problems FROM declaration_files ORDER BY 1",
    "routing": "SELECT * FROM routing",
    "decisions": "SELECT * FROM decisions ORDER BY at",
    "files": "SELECT * FROM files ORDER BY key, found_order",
    "audit": "SELECT * FROM file_audit ORDER BY audit_id",
    "outbox": "SELECT id, payload FROM outbox ORDER BY seq",
    "jobs": "SELECT kind, lane, seq, state, payload FROM jobs ORDER BY 1, 2, 3",
    "inbox": "SELECT event_id FROM inbox ORDER BY 1",
}


async def everything(db: Pool) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that a handler may write."""
    return {name: [dict(row) for row in await db.fetch(query)] for name, query in TABLES.items()}


async def declare(db: Pool, declaration: Declaration = ORDERS) -> None:
    await accept_declaration(request(declaration), db=db)


def request(declaration: Declaration = ORDERS) -> DeclarationRequested:
    return DeclarationRequested(
        organisation=declaration.organisation, table=declaration.table, declaration=declaration, user="zoe"
    )


def retry(event: FileRegistered, attempt: int = 1, *, as_declared_now: bool = False) -> RetryRequested:
    return RetryRequested(
        organisation=event.organisation,
        table=event.table,
        file_id=event.file_id,
        attempt=attempt,
        as_declared_now=as_declared_now,
        user="zoe",
    )


async def registered(db: Pool) -> list[FileRegistered]:
    return [event for event in await outbox(db) if isinstance(event, FileRegistered)]


async def drop(db: Pool, files: Files, *keys: str) -> list[FileRegistered]:
    """Put an object under each key and have all of them registered; returns what was said of them."""
    messages = [notify(files, key, await put(files, key)) for key in keys]
    await register_drops(messages, db=db, files=files)
    return (await registered(db))[-len(keys) :]


async def states(db: Pool) -> list[tuple[str, str, str | None]]:
    rows = await db.fetch("SELECT key, state, reason FROM files ORDER BY key, found_order")
    return [tuple(row) for row in rows]
