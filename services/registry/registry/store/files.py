"""Files as they are written down: found, registered, announced."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chassis import Pool, Tx
from waybill_contracts import FileRegistered, uuid7
from waybill_contracts.declaration import Declaration

from registry.domain.arrivals import NO_DECLARATION, Arrival, Entry, Waiting
from registry.domain.routes import Route

Name = tuple[str, str]
"""Key and version id."""


async def find_known(db: Pool | Tx, bucket: str, names: Sequence[Name]) -> set[Name]:
    """Which of these versions the registry knows."""
    rows = await db.fetch(
        "SELECT key, version_id FROM files JOIN unnest($2::text[], $3::text[]) AS n(key, version_id)"
        " USING (key, version_id) WHERE bucket = $1",
        bucket,
        [key for key, _ in names],
        [version_id for _, version_id in names],
    )
    return {(row["key"], row["version_id"]) for row in rows}


async def insert(tx: Tx, bucket: str, entries: Sequence[Entry], declared: dict[str, int]) -> list[UUID]:
    """Write the versions down, each with its first audit row; returns the ids of those that are registered."""
    ids = [uuid7() for _ in entries]
    await tx.executemany(
        """
        WITH file AS (
            INSERT INTO files (file_id, bucket, key, version_id, size, etag, last_modified, found_by, notified_at,
                sent_by, sent_reason, organisation, table_name, dataset, arrival, late, reason, declaration_version,
                state, registration, cause, registered_at, announced_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8::text, CASE $8 WHEN 'notification' THEN now() END,
                $9, $10, $11, $12, $13, $14, $15, $16, $17,
                CASE WHEN $14::bigint IS NULL THEN 'IGNORED' ELSE 'REGISTERED' END,
                CASE WHEN $14::bigint IS NULL THEN 0 ELSE 1 END,
                CASE WHEN $14::bigint IS NOT NULL THEN 'new' END,
                CASE WHEN $14::bigint IS NOT NULL THEN now() END,
                CASE WHEN $14::bigint IS NOT NULL THEN now() END
            ON CONFLICT (bucket, key, version_id) DO NOTHING
            RETURNING file_id, dataset, state, reason
        )
        INSERT INTO file_audit (file_id, dataset, who, to_state, why)
        SELECT file_id, dataset, 'registry', state, coalesce(reason, 'found by ' || $8) FROM file
        """,
        [_insert_arguments(id, bucket, entry, declared) for id, entry in zip(ids, entries, strict=True)],
    )
    return [id for id, entry in zip(ids, entries, strict=True) if not entry.is_ignored]


def _insert_arguments(id: UUID, bucket: str, entry: Entry, declared: dict[str, int]) -> tuple[Any, ...]:
    found, version = entry.found, entry.found.version
    route = found.route if isinstance(found.route, Route) else None
    return (
        id,
        bucket,
        version.key,
        version.version_id,
        version.size,
        version.etag,
        version.last_modified,
        found.found_by,
        found.sender.user,
        found.sender.reason,
        route and route.organisation,
        route and route.table,
        route and route.dataset,
        entry.arrival,
        entry.late,
        entry.reason,
        None if route is None or entry.is_ignored else declared[route.dataset],
    )


async def lock_waiting(tx: Tx, dataset: str) -> list[Waiting]:
    """Versions that wait for the dataset's declaration, in the order they were found."""
    rows = await tx.fetch(
        "SELECT file_id, key, last_modified FROM files"
        " WHERE dataset = $1 AND state = 'IGNORED' AND reason = $2 ORDER BY found_order FOR UPDATE",
        dataset,
        NO_DECLARATION,
    )
    return [Waiting(**row) for row in rows]


async def register_waiting(tx: Tx, arrivals: Sequence[Arrival], declaration_version: int, who: str) -> None:
    """The versions that waited are files of their dataset now."""
    await tx.executemany(
        """
        WITH file AS (
            UPDATE files SET state = 'REGISTERED', reason = NULL, arrival = $2, late = $3, declaration_version = $4,
                registration = 1, cause = 'new', registered_at = now(), announced_at = now(), changed_at = now()
            WHERE file_id = $1 RETURNING file_id, dataset
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, $5, 'IGNORED', 'REGISTERED', 'the dataset is declared now' FROM file
        """,
        [(each.file_id, each.arrival, each.late, declaration_version, who) for each in arrivals],
    )


async def announcements(tx: Tx, ids: Sequence[UUID]) -> list[FileRegistered]:
    """What is to be said of these files, by dataset, then arrival; the same words each time for one registration."""
    rows = await tx.fetch(
        """
        SELECT file_id, organisation, table_name AS table, arrival, registration, cause, bucket, key AS object_key,
            version_id, size, etag, last_modified, found_by, sent_by AS user, sent_reason AS reason, late,
            dataset, accepted, declaration_version
        FROM files WHERE file_id = ANY ($1) ORDER BY dataset COLLATE "C", arrival
        """,
        ids,
    )
    declarations = await _declarations(tx, {(row["dataset"], row["declaration_version"]) for row in rows})
    return [_announcement(dict(row), declarations) for row in rows]


def _announcement(row: dict[str, Any], declarations: dict[tuple[str, int], Declaration]) -> FileRegistered:
    declaration = declarations[row.pop("dataset"), row["declaration_version"]]
    return FileRegistered(**row, declaration=declaration)


async def _declarations(tx: Tx, versions: set[tuple[str, int]]) -> dict[tuple[str, int], Declaration]:
    rows = await tx.fetch(
        "SELECT dataset, version, body FROM declarations"
        " JOIN unnest($1::text[], $2::int[]) AS n(dataset, version) USING (dataset, version)",
        [dataset for dataset, _ in versions],
        [version for _, version in versions],
    )
    return {(row["dataset"], row["version"]): Declaration.model_validate(row["body"]) for row in rows}


async def mark_notified(db: Pool, bucket: str, named: Sequence[tuple[str, str | None]]) -> None:
    """These versions had their notification, be it after the sweep; without a version id, all of the key had."""
    await db.execute(
        """
        UPDATE files SET notified_at = now() FROM unnest($2::text[], $3::text[]) AS n(key, version_id)
        WHERE bucket = $1 AND files.key = n.key AND notified_at IS NULL
          AND (n.version_id IS NULL OR files.version_id = n.version_id)
        """,
        bucket,
        [key for key, _ in named],
        [version_id for _, version_id in named],
    )
