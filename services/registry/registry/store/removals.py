"""Objects that are removed: what is declared for that is done once, together with noting that they are gone.

A key is removed when no version of it is the newest any more. What is declared at that moment counts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from chassis import Pool, Tx, emit
from waybill_contracts import uuid7

from registry.domain.arrivals import DatasetStanding, follow
from registry.domain.listing import Change, Known, Presence
from registry.domain.routes import Route
from registry.store import datasets, files, sweeping


@dataclass(frozen=True)
class Removed:
    """A registered version whose key is no more."""

    file_id: UUID
    dataset: str
    arrival: int
    key: str

    @property
    def name(self) -> str:
        return f"{self.dataset}#{self.arrival}"


class Done(NamedTuple):
    """The files whose records end, and those that somebody wants to hear of."""

    ended: list[Removed]
    alerts: list[Removed]


async def versions_to_look_at(db: Pool, bucket: str, keys: Collection[str]) -> list[Change]:
    """The versions of these keys that are there as far as known."""
    rows = await db.fetch(
        "SELECT file_id, key, version_id, presence FROM files"
        " WHERE bucket = $1 AND key = ANY ($2) AND presence = 'present'",
        bucket,
        list(keys),
    )
    return [Change(Known(**row), None) for row in rows]


async def note_presence(tx: Tx, bucket: str, presences: Mapping[UUID, Presence], absent: Collection[str]) -> Done:
    """Whether these versions are there, and what is declared for those whose keys are no more."""
    routes = await _datasets(tx, bucket, absent)
    standings = await datasets.lock_datasets(tx, routes) if routes else {}
    changed = await sweeping.update_presence(tx, presences)
    keys = {each.key for each in changed}.intersection(absent)
    removed = await _find_removed(tx, bucket, keys, list(standings))
    policies = {name: await _policy(tx, name) for name in {file.dataset for file in removed}}
    seen_now = {each.file_id for each in changed}
    done = Done(
        ended=[file for file in removed if policies[file.dataset] == "delete"],
        alerts=[file for file in removed if policies[file.dataset] == "alert" and file.file_id in seen_now],
    )
    ids = await _register(tx, done.ended, standings)
    await _note_alerts(tx, done.alerts)
    events = [*sweeping.gone(changed), *await files.announcements(tx, ids)]
    for event in sorted(events, key=lambda event: event.message_key):
        await emit(tx, event)
    return done


async def _policy(tx: Tx, dataset: str) -> str:
    declaration = await datasets.newest_declaration(tx, dataset)
    assert declaration, "a file is registered under a declaration"
    return declaration.object_removed


async def _datasets(tx: Tx, bucket: str, keys: Collection[str]) -> list[Route]:
    rows = await tx.fetch(
        "SELECT DISTINCT organisation, table_name AS table FROM files"
        " WHERE bucket = $1 AND key = ANY ($2) AND arrival IS NOT NULL",
        bucket,
        list(keys),
    )
    return [Route(**row) for row in rows]


async def _find_removed(tx: Tx, bucket: str, keys: Collection[str], names: Collection[str]) -> list[Removed]:
    """Versions of these keys that were registered and not yet removed; a key that came back meanwhile is not removed.

    The datasets are locked, so that whoever registers a version of it was before this, or comes after.
    """
    rows = await tx.fetch(
        """
        SELECT file_id, dataset, arrival, key FROM files f
        WHERE bucket = $1 AND key = ANY ($2) AND dataset = ANY ($3) AND arrival IS NOT NULL AND removes IS NULL
          AND NOT EXISTS (SELECT FROM files r WHERE r.removes = f.file_id)
          AND NOT EXISTS (SELECT FROM files v WHERE v.bucket = $1 AND v.key = f.key AND v.presence = 'present')
        ORDER BY dataset COLLATE "C", arrival
        """,
        bucket,
        list(keys),
        list(names),
    )
    return [Removed(**row) for row in rows]


async def _register(tx: Tx, removed: Sequence[Removed], standings: dict[str, DatasetStanding]) -> list[UUID]:
    """An arrival for the end of each of these files."""
    arguments = []
    for file in removed:
        standings[file.dataset] = standing = follow(standings[file.dataset])
        why = f"its object was removed: {file.dataset}#{standing.last_arrival} ends its records"
        arguments.append((uuid7(), file.file_id, standing.last_arrival, standing.declaration_version, file.name, why))
    await tx.executemany(
        """
        WITH removal AS (
            INSERT INTO files (file_id, bucket, key, version_id, size, etag, last_modified, found_by, presence,
                sent_reason, organisation, table_name, dataset, arrival, declaration_version, state, registration,
                cause, registered_at, announced_at, removes)
            SELECT $1, bucket, key, 'removed:' || version_id, 0, '', now(), 'sweep', 'gone',
                'the object ' || key || ' was removed', organisation, table_name, dataset, $3, $4, 'REGISTERED', 1,
                'removed', now(), now(), file_id
            FROM files WHERE file_id = $2 RETURNING file_id, dataset, state
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, 'registry', NULL, state, 'the object of ' || $5 || ' was removed' FROM removal
        UNION ALL SELECT file_id, dataset, 'registry', state, state, $6 FROM files WHERE file_id = $2
        """,
        arguments,
    )
    await datasets.update_numbering(tx, {file.dataset: standings[file.dataset] for file in removed})
    return [file_id for file_id, *_ in arguments]


async def _note_alerts(tx: Tx, removed: Sequence[Removed]) -> None:
    await tx.execute(
        """
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, 'registry', state, state, 'its object was removed; its records stay'
        FROM files WHERE file_id = ANY ($1) ORDER BY found_order
        """,
        [file.file_id for file in removed],
    )
