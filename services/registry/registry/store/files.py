"""Files as they are written down: found, registered, where each one stands."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from chassis import Pool, Tx
from waybill_contracts import FileRegistered, RowCounts, uuid7
from waybill_contracts.declaration import Declaration

from registry.domain.arrivals import NO_DECLARATION, Arrival, Entry, Waiting
from registry.domain.routes import Route
from registry.domain.standing import Ingested, Loaded, Standing

Name = tuple[str, str]
"""Key and version id."""


@dataclass(frozen=True)
class FileRow:
    """A file of a dataset, and where it stands."""

    file_id: UUID
    organisation: str
    dataset: str
    arrival: int
    registration: int
    found_by: str
    standing: Standing


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
            dataset, declaration_version
        FROM files WHERE file_id = ANY ($1) ORDER BY dataset COLLATE "C", arrival
        """,
        ids,
    )
    declarations = await _declarations(tx, {(row["dataset"], row["declaration_version"]) for row in rows})
    return [_announcement(dict(row), declarations) for row in rows]


def _announcement(row: dict[str, Any], declarations: dict[tuple[str, int], Declaration]) -> FileRegistered:
    declaration = declarations[row.pop("dataset"), row.pop("declaration_version")]
    return FileRegistered(**row, declaration=declaration)


async def _declarations(tx: Tx, versions: set[tuple[str, int]]) -> dict[tuple[str, int], Declaration]:
    rows = await tx.fetch(
        "SELECT dataset, version, body FROM declarations"
        " JOIN unnest($1::text[], $2::int[]) AS n(dataset, version) USING (dataset, version)",
        [dataset for dataset, _ in versions],
        [version for _, version in versions],
    )
    return {(row["dataset"], row["version"]): Declaration.model_validate(row["body"]) for row in rows}


async def lock_file(tx: Tx, file_id: UUID, dataset: str) -> FileRow | None:
    """A registered file of the dataset as it stands, locked to the end of the transaction; None where there is none."""
    row = await tx.fetchrow(
        """
        SELECT file_id, organisation, dataset, arrival, registration, found_by, state, attempt, rank, base_attempt,
            code, reason, rows, twin_file_id, ingested, loaded, balanced
        FROM files WHERE file_id = $1 AND dataset = $2 AND arrival IS NOT NULL FOR UPDATE
        """,
        file_id,
        dataset,
    )
    return _file_row(dict(row)) if row else None


async def lock_file_at(tx: Tx, file_id: UUID, dataset: str, position: int) -> FileRow | None:
    """The same, and its dataset has come to this position at least."""
    # The file is joined to what the update returns, so the dataset is locked first, as everywhere.
    row = await tx.fetchrow(
        """
        WITH reached AS (
            UPDATE datasets SET last_position = greatest(last_position, $3) WHERE dataset = $2 RETURNING dataset
        )
        SELECT file_id, organisation, dataset, arrival, registration, found_by, state, attempt, rank, base_attempt,
            code, reason, rows, twin_file_id, ingested, loaded, balanced
        FROM reached JOIN files USING (dataset) WHERE file_id = $1 AND arrival IS NOT NULL FOR UPDATE OF files
        """,
        file_id,
        dataset,
        position,
    )
    return _file_row(dict(row)) if row else None


def _file_row(values: dict[str, Any]) -> FileRow:
    names = ("file_id", "organisation", "dataset", "arrival", "registration", "found_by")
    identity = {name: values.pop(name) for name in names}
    return FileRow(**identity, standing=_standing(values))


def _standing(values: dict[str, Any]) -> Standing:
    rows, ingested, loaded = values.pop("rows"), values.pop("ingested"), values.pop("loaded")
    return Standing(
        **values,
        rows=RowCounts(**rows) if rows else None,
        ingested=Ingested(**ingested) if ingested else None,
        loaded=Loaded(**loaded) if loaded else None,
    )


async def change(tx: Tx, file: FileRow, after: Standing, who: str, why: str | None) -> None:
    """Where the file stands from now on, and an audit row of who changed its state, and why."""
    ingested = after.ingested
    await tx.execute(
        """
        WITH file AS (
            UPDATE files SET state = $2, attempt = $3, rank = $4, base_attempt = $5, code = $6, reason = $7, rows = $8,
                twin_file_id = $9, ingested = $10, loaded = $11, balanced = $12, position = $13, changed_at = now()
            WHERE file_id = $1 RETURNING file_id, dataset, state
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, $14, $15, state, $16 FROM file
        """,
        file.file_id,
        after.state,
        after.attempt,
        after.rank,
        after.base_attempt,
        after.code,
        after.reason,
        after.rows and after.rows.model_dump(),
        after.twin_file_id,
        ingested and asdict(ingested),
        after.loaded and asdict(after.loaded),
        after.balanced,
        ingested and ingested.position,
        who,
        file.standing.state,
        why,
    )


async def register_again(tx: Tx, file_id: UUID, *, as_declared_now: bool) -> None:
    """The next registration of a file: a retry, under the declaration it had or the newest."""
    await tx.execute(
        """
        UPDATE files SET registration = registration + 1, cause = 'retry', announced_at = now(),
            declaration_version = CASE WHEN $2 THEN datasets.declaration_version ELSE files.declaration_version END
        FROM datasets WHERE datasets.dataset = files.dataset AND file_id = $1
        """,
        file_id,
        as_declared_now,
    )


async def note_refusal(tx: Tx, file: FileRow, who: str, why: str) -> None:
    """An audit row: who asked for a change of the file's state, and why it stays as it is."""
    await tx.execute(
        "INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why) VALUES ($1, $2, $3, $4, $4, $5)",
        file.file_id,
        file.dataset,
        who,
        file.standing.state,
        why,
    )


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
