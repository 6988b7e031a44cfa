"""Files as they are written down: found, registered, announced."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from chassis import Pool, Tx
from records.order import file_order
from waybill_contracts import FileRegistered, uuid7
from waybill_contracts.declaration import Declaration

from registry.domain.arrivals import Entry, Place, Waiting
from registry.domain.routes import Route, partition_of

Name = tuple[str, str, str]
"""Bucket, key and version id."""
WAITING_AT_ONCE = 10_000


async def find_known(db: Pool | Tx, names: Sequence[Name]) -> set[Name]:
    """Which of these versions the registry knows."""
    rows = await db.fetch(
        "SELECT bucket, key, version_id FROM files"
        " JOIN unnest($1::text[], $2::text[], $3::text[]) AS n(bucket, key, version_id)"
        " USING (bucket, key, version_id)",
        [bucket for bucket, _, _ in names],
        [key for _, key, _ in names],
        [version_id for _, _, version_id in names],
    )
    return {(row["bucket"], row["key"], row["version_id"]) for row in rows}


async def insert(tx: Tx, entries: Sequence[Entry]) -> list[UUID]:
    """Write the versions down, each with its first audit row; returns the ids of those that are registered."""
    ids = [uuid7() for _ in entries]
    await tx.executemany(
        """
        WITH file AS (
            INSERT INTO files (file_id, bucket, key, version_id, size, etag, last_modified, found_by, notified_at,
                sent_by, sent_reason, organisation, table_name, dataset, captures, arrival, declaration_version, late,
                order_value, reason, waits, corrects, state, registration, cause, registered_at, announced_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8::text, CASE $8 WHEN 'notification' THEN now() END,
                $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                -- A correction of a correction is one of the same file.
                coalesce((SELECT corrects FROM files WHERE file_id = $21), $21),
                CASE WHEN $15::bigint IS NULL THEN 'IGNORED' ELSE 'REGISTERED' END,
                CASE WHEN $15::bigint IS NULL THEN 0 ELSE 1 END,
                CASE WHEN $15::bigint IS NOT NULL THEN 'new' END,
                CASE WHEN $15::bigint IS NOT NULL THEN now() END,
                CASE WHEN $15::bigint IS NOT NULL THEN now() END
            ON CONFLICT (bucket, key, version_id) DO NOTHING
            RETURNING file_id, dataset, state, reason
        )
        INSERT INTO file_audit (file_id, dataset, who, to_state, why)
        SELECT file_id, dataset, 'registry', state, coalesce(reason, 'found by ' || $8) FROM file
        """,
        [_insert_arguments(id, entry) for id, entry in zip(ids, entries, strict=True)],
    )
    return [id for id, entry in zip(ids, entries, strict=True) if not entry.is_ignored]


def _insert_arguments(id: UUID, entry: Entry) -> tuple[Any, ...]:
    found, version, place = entry.found, entry.found.version, entry.place
    return (
        id,
        version.bucket,
        version.key,
        version.version_id,
        version.size,
        version.etag,
        version.last_modified,
        found.found_by,
        found.sender.user,
        found.sender.reason,
        *_where(place.route),
        *_place(place),
        place.reason,
        place.waits,
        place.route and place.route.corrects,
    )


def _where(route: Route | None) -> tuple[Any, ...]:
    """Organisation, table, dataset and captures."""
    return (route.organisation, route.table, route.dataset, route.captures or None) if route else (None,) * 4


def _place(place: Place) -> tuple[Any, ...]:
    return place.arrival, place.declaration_version, place.late, place.order


async def waiting(tx: Tx) -> AsyncIterator[list[Waiting]]:
    """Versions that were ignored and that a declaration may take, in the order they were found, in pieces."""
    after = 0
    while True:
        rows = await tx.fetch(
            "SELECT file_id, bucket, key, last_modified, found_order FROM files"
            " WHERE waits AND found_order > $1 ORDER BY found_order LIMIT $2",
            after,
            WAITING_AT_ONCE,
        )
        if not rows:
            return
        after = rows[-1]["found_order"]
        yield [Waiting(row["file_id"], row["bucket"], row["key"], row["last_modified"]) for row in rows]


async def register_waiting(
    tx: Tx, placed: Sequence[tuple[Waiting, Place]], who: str, why: str = "the dataset is declared now"
) -> None:
    """The versions that waited are files of their datasets now."""
    await tx.executemany(
        """
        WITH file AS (
            UPDATE files SET state = 'REGISTERED', reason = NULL, waits = false, organisation = $2, table_name = $3,
                dataset = $4, captures = $5, arrival = $6, declaration_version = $7, late = $8, order_value = $9,
                corrects = coalesce((SELECT corrects FROM files f WHERE f.file_id = $11), $11),
                registration = 1, cause = 'new', registered_at = now(), announced_at = now(), changed_at = now()
            WHERE file_id = $1 RETURNING file_id, dataset
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, $10, 'IGNORED', 'REGISTERED', $12 FROM file
        """,
        [
            (each.file_id, *_where(place.route), *_place(place), who, place.route and place.route.corrects, why)
            for each, place in placed
        ],
    )


async def announcements(tx: Tx, ids: Sequence[UUID]) -> list[FileRegistered]:
    """What is to be said of these files, by dataset, then arrival; the same words each time for one registration."""
    rows = await tx.fetch(
        """
        SELECT file_id, organisation, table_name AS table, arrival, registration, cause, bucket, key AS object_key,
            version_id, size, etag, last_modified, found_by, sent_by AS user, sent_reason AS reason, late,
            dataset, corrects, removes, accepted, declaration_version, ARRAY(
                SELECT json_build_object(
                    'file_id', part.file_id, 'object_key', part.key, 'version_id', part.version_id, 'size', part.size)
                FROM files part WHERE part.delivery_id = files.file_id ORDER BY part.part_number
            ) AS parts
        FROM files WHERE file_id = ANY ($1) ORDER BY dataset COLLATE "C", arrival
        """,
        ids,
    )
    declarations = await _declarations(tx, {(row["dataset"], row["declaration_version"]) for row in rows})
    return [_announcement(dict(row), declarations) for row in rows]


def _announcement(row: dict[str, Any], declarations: dict[tuple[str, int], Declaration]) -> FileRegistered:
    declaration = declarations[row.pop("dataset"), row["declaration_version"]]
    key = row["object_key"]
    if row["corrects"] or row["removes"]:
        return FileRegistered(**row, declaration=declaration)
    order = file_order(declaration.order_by, key)
    partition = partition_of(declaration, row["bucket"], key)
    return FileRegistered(**row, declaration=declaration, order=order, partition=partition)


async def _declarations(tx: Tx, versions: set[tuple[str, int]]) -> dict[tuple[str, int], Declaration]:
    rows = await tx.fetch(
        "SELECT dataset, version, body FROM declarations"
        " JOIN unnest($1::text[], $2::int[]) AS n(dataset, version) USING (dataset, version)",
        [dataset for dataset, _ in versions],
        [version for _, version in versions],
    )
    return {(row["dataset"], row["version"]): Declaration.model_validate(row["body"]) for row in rows}


async def mark_notified(db: Pool, named: Sequence[tuple[str, str, str | None]]) -> None:
    """These versions had their notification, be it after the sweep; without a version id, all of the key had."""
    await db.execute(
        """
        WITH named AS (
            SELECT file_id FROM unnest($1::text[], $2::text[], $3::text[]) AS n(bucket, key, version_id)
            JOIN files ON files.bucket = n.bucket AND files.key = n.key AND notified_at IS NULL
              AND (n.version_id IS NULL OR files.version_id = n.version_id)
            ORDER BY file_id FOR UPDATE OF files
        )
        UPDATE files SET notified_at = now() FROM named WHERE files.file_id = named.file_id
        """,
        [bucket for bucket, _, _ in named],
        [key for _, key, _ in named],
        [version_id for _, _, version_id in named],
    )
