"""What the sweep asks of the files and writes back to them; locks of several files are taken in order of their ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from chassis import Pool, Tx
from waybill_contracts import FileGone

from registry.domain.listing import Known, Presence

ANNOUNCED_AT_ONCE = 20


@dataclass(frozen=True)
class Changed:
    """A version that is not as present any more as it was."""

    file_id: UUID
    organisation: str | None
    table: str | None
    key: str
    presence: Presence
    arrival: int | None


async def known_between(db: Pool, bucket: str, after: str, upto: str | None) -> list[Known]:
    """Versions of the keys after the one, up to the other (None: to the end), in byte order."""
    rows = await db.fetch(
        "SELECT file_id, key, version_id, presence FROM files"
        " WHERE bucket = $1 AND key > $2 AND ($3::text IS NULL OR key <= $3)",
        bucket,
        after,
        upto,
    )
    return [Known(**row) for row in rows]


async def update_presence(tx: Tx, presences: Mapping[UUID, Presence]) -> list[Changed]:
    """Whether these versions are there; returns those of which that is new."""
    rows = await tx.fetch(
        """
        WITH changed AS (
            SELECT files.file_id, n.presence FROM unnest($1::uuid[], $2::text[]) AS n(file_id, presence)
            JOIN files ON files.file_id = n.file_id AND files.presence <> n.presence
            ORDER BY files.file_id FOR UPDATE OF files
        )
        UPDATE files SET presence = changed.presence, changed_at = now()
        FROM changed WHERE files.file_id = changed.file_id
        RETURNING files.file_id, organisation, table_name AS table, key, files.presence, arrival
        """,
        list(presences),
        list(presences.values()),
    )
    return [Changed(**row) for row in rows]


def gone(changed: Iterable[Changed]) -> list[FileGone]:
    """What is to be said of files that are not there any more."""
    return [
        FileGone(organisation=each.organisation, table=each.table, file_id=each.file_id, presence=each.presence)
        for each in changed
        if each.organisation and each.table and each.arrival and each.presence != "present"
    ]


async def mark_missed(db: Pool, grace_seconds: float) -> int:
    """How many more versions had no notification even that long after the sweep found them."""
    count: int = await db.fetchval(
        """
        WITH late AS (
            SELECT file_id FROM files
            WHERE found_by = 'sweep' AND notified_at IS NULL AND NOT missed AND removes IS NULL
              AND found_at < now() - make_interval(secs => $1)
            ORDER BY file_id FOR UPDATE
        ), counted AS (
            UPDATE files SET missed = true FROM late WHERE files.file_id = late.file_id RETURNING 1
        )
        SELECT count(*) FROM counted
        """,
        grace_seconds,
    )
    return count


async def take_silent(tx: Tx, silent_seconds: float) -> list[UUID]:
    """The first files of each dataset that were announced that long ago and are still without an outcome.

    Only the first ones can hold their dataset up; the ingestor takes an announcement that it knows for a repeat.
    """
    rows = await tx.fetch(
        """
        WITH silent AS (
            SELECT file_id FROM files
            WHERE announced_at < now() - make_interval(secs => $1) AND state = 'REGISTERED' AND file_id IN (
                SELECT first.file_id FROM datasets CROSS JOIN LATERAL (
                    SELECT file_id FROM files
                    WHERE files.dataset = datasets.dataset AND state = 'REGISTERED' ORDER BY arrival LIMIT $2
                ) AS first
            )
            ORDER BY file_id FOR UPDATE
        )
        UPDATE files SET announced_at = now() FROM silent WHERE files.file_id = silent.file_id
        RETURNING files.file_id
        """,
        silent_seconds,
        ANNOUNCED_AT_ONCE,
    )
    return [row["file_id"] for row in rows]
