"""What the sweep asks of the files and writes back to them; locks of several files are taken in order of their ids."""

from collections.abc import Mapping
from uuid import UUID

from chassis import Pool, Tx
from waybill_contracts import FileGone

from registry.domain.listing import Known, Presence

ANNOUNCED_AT_ONCE = 20


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


async def update_presence(tx: Tx, presences: Mapping[UUID, Presence]) -> list[FileGone]:
    """Whether these versions are there; returns what is to be said of files that are not any more, by dataset."""
    rows = await tx.fetch(
        """
        UPDATE files SET presence = n.presence, changed_at = now()
        FROM unnest($1::uuid[], $2::text[]) AS n(file_id, presence)
        WHERE files.file_id = n.file_id AND files.presence <> n.presence
        RETURNING files.file_id, organisation, table_name AS table, n.presence, arrival
        """,
        list(presences),
        list(presences.values()),
    )
    gone = [dict(row) for row in rows if row["arrival"] is not None and row["presence"] != "present"]
    events = [FileGone(**{name: value for name, value in row.items() if name != "arrival"}) for row in gone]
    return sorted(events, key=lambda event: event.message_key)


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
