"""Deliveries as they are written down: open, waiting for their files, and taken with them.

Locks of several files are taken in order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis import Pool, Tx, find_job, lock_lane, put_job
from waybill_contracts import PartCount

from registry.domain.arrivals import Entry, ObjectVersion, Place, Waiting
from registry.domain.deliveries import Delivery

JOB = "delivery"
UNDER_WAY = ("QUEUED", "RUNNING")


async def open_new(tx: Tx, names: Sequence[tuple[str, str, str]]) -> None:
    """These versions, just written down, tell of deliveries."""
    if not names:
        return
    await tx.execute(
        "INSERT INTO open_deliveries (file_id)"
        " SELECT file_id FROM files JOIN unnest($1::text[], $2::text[], $3::text[]) AS n(bucket, key, version_id)"
        " USING (bucket, key, version_id) WHERE state = 'IGNORED' ON CONFLICT DO NOTHING",
        [bucket for bucket, _, _ in names],
        [key for _, key, _ in names],
        [version_id for _, _, version_id in names],
    )


async def place_waiting(tx: Tx, placed: Sequence[tuple[Waiting, Place]], who: str) -> None:
    """What waited is part of a delivery now, or tells of one, or neither any more."""
    for version, place in placed:
        route = place.route
        assert route
        await tx.execute(
            """
            WITH file AS (
                UPDATE files SET organisation = $2, table_name = $3, dataset = $4, captures = $5, reason = $6,
                    changed_at = now()
                WHERE file_id = $1 AND (dataset, reason) IS DISTINCT FROM ($4, $6) RETURNING file_id, dataset, state
            )
            INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
            SELECT file_id, dataset, $7, state, state, $6 FROM file
            """,
            version.file_id,
            route.organisation,
            route.table,
            route.dataset,
            dict(route.captures) or None,
            place.reason,
            who,
        )
    telling = [version.file_id for version, place in placed if place.route and place.route.tells]
    await forget(tx, [version.file_id for version, _ in placed if version.file_id not in set(telling)])
    await tx.execute(
        "INSERT INTO open_deliveries (file_id) SELECT unnest($1::uuid[])"
        " ON CONFLICT (file_id) DO UPDATE SET missing = NULL",
        telling,
    )


async def forget(tx: Tx, files: Sequence[UUID]) -> None:
    """These tell of no delivery."""
    await tx.execute("DELETE FROM open_deliveries WHERE file_id = ANY ($1)", files)


async def wake(db: Pool, dataset: str, keys: Sequence[str] = ()) -> None:
    """Have the dataset's open deliveries looked at, but those that are under way and wait for none of these keys."""
    if dataset not in await datasets_with_open(db, dataset):
        return
    async with db.acquire() as tx, tx.transaction():
        await lock_lane(tx, JOB, dataset, owner=dataset.partition("/")[0])
        # Asked under the lock: who looked before has written down by now what was missing.
        rows = await tx.fetch(
            "SELECT file_id, found_order, coalesce(missing && $2, false) AS is_awaited, missing IS NULL AS is_new"
            " FROM open_deliveries JOIN files USING (file_id) WHERE dataset = $1 ORDER BY found_order",
            dataset,
            keys,
        )
        for row in rows:
            job = await find_job(tx, JOB, dataset, row["found_order"])
            is_idle = job is None or job.state not in UNDER_WAY
            if row["is_awaited"] or (is_idle and (row["is_new"] or not keys)):
                await put_job(tx, JOB, dataset, row["found_order"], {"file_id": str(row["file_id"])})


async def wake_completed(db: Pool, entries: Sequence[Entry]) -> None:
    """Have looked at what new files may complete, and what is new itself; the sweep does it where this is lost."""
    keys: dict[str, list[str]] = {}
    for entry in entries:
        route = entry.place.route
        if entry.is_ignored and route and route.told_by:
            keys.setdefault(route.dataset, []).append(entry.found.version.key)
    for dataset, named in sorted(keys.items()):
        await wake(db, dataset, named)


async def wake_all(db: Pool) -> None:
    """Have every open delivery looked at that is not under way."""
    for dataset in await datasets_with_open(db):
        await wake(db, dataset)


async def datasets_with_open(db: Pool, dataset: str | None = None) -> list[str]:
    """Datasets that have open deliveries, or whether this one has."""
    rows = await db.fetch(
        "SELECT DISTINCT dataset FROM open_deliveries JOIN files USING (file_id)"
        " WHERE $1::text IS NULL OR dataset = $1 ORDER BY dataset",
        dataset,
    )
    return [row["dataset"] for row in rows]


async def is_any_here(db: Pool, delivery: Delivery, keys: Sequence[str]) -> bool:
    """Whether a version of one of these keys waits for its delivery by now."""
    is_so: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM files WHERE bucket = $1 AND key = ANY ($2) AND waits AND dataset = $3)",
        delivery.bucket,
        keys,
        delivery.dataset,
    )
    return is_so


async def find_open(db: Pool, file_id: UUID) -> Delivery | None:
    """The delivery, unless it was taken or given up."""
    row = await db.fetchrow(
        "SELECT file_id, found_order AS seq, organisation, table_name AS table, bucket, key, version_id, size,"
        " last_modified, found_by FROM open_deliveries JOIN files USING (file_id) WHERE file_id = $1",
        file_id,
    )
    return Delivery(**row) if row else None


async def find_taken(db: Pool, versions: Sequence[ObjectVersion]) -> set[tuple[str, str, str]]:
    """Which of these versions wait for no delivery: they are part of one, or were replaced, or are files themselves."""
    rows = await db.fetch(
        "SELECT bucket, key, version_id FROM files"
        " JOIN unnest($1::text[], $2::text[], $3::text[]) AS n(bucket, key, version_id)"
        " USING (bucket, key, version_id) WHERE NOT waits",
        [version.bucket for version in versions],
        [version.key for version in versions],
        [version.version_id for version in versions],
    )
    return {(row["bucket"], row["key"], row["version_id"]) for row in rows}


@dataclass(frozen=True)
class LeftOut:
    """A part of an earlier delivery, and where that one stands."""

    key: str
    delivery: str
    state: str


async def find_left_out(
    db: Pool, new: Sequence[ObjectVersion], others: Sequence[ObjectVersion], *, is_whole: bool
) -> LeftOut | None:
    """One of the others that belongs together with something that a new version replaces, and would be lost.

    That is so where a delivery says all there is, or where the one before took no effect.
    """
    row = await db.fetchrow(
        """
        SELECT part.key, delivery.dataset || '#' || delivery.arrival AS delivery, delivery.state
        FROM files part JOIN files delivery ON delivery.file_id = part.delivery_id
        JOIN unnest($1::text[], $2::text[], $3::text[]) AS n(bucket, key, version_id)
            ON (part.bucket, part.key, part.version_id) = (n.bucket, n.key, n.version_id)
        WHERE ($4 OR delivery.state IN ('FAILED', 'REFUSED')) AND part.delivery_id IN (
            SELECT delivery_id FROM files JOIN unnest($5::text[], $6::text[]) AS n(bucket, key) USING (bucket, key)
        ) ORDER BY delivery.arrival DESC, part.part_number LIMIT 1
        """,
        [version.bucket for version in others],
        [version.key for version in others],
        [version.version_id for version in others],
        is_whole,
        [version.bucket for version in new],
        [version.key for version in new],
    )
    return LeftOut(**row) if row else None


async def note(tx: Tx, delivery: Delivery, reason: str, missing: Sequence[str] | None = None) -> None:
    """Why the delivery is not taken: it waits for these keys, or, without any, it never will be."""
    await tx.execute(
        """
        WITH file AS (
            UPDATE files SET reason = $2, waits = $3, changed_at = now()
            WHERE file_id = $1 AND (reason, waits) IS DISTINCT FROM ($2, $3) RETURNING file_id, dataset, state
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, 'registry', state, state, $2 FROM file
        """,
        delivery.file_id,
        reason,
        missing is not None,
    )
    if missing is None:
        await forget(tx, [delivery.file_id])
    else:
        await tx.execute("UPDATE open_deliveries SET missing = $2 WHERE file_id = $1", delivery.file_id, missing)


async def lock_parts(tx: Tx, delivery: Delivery, parts: Sequence[ObjectVersion]) -> list[dict[str, Any]] | None:
    """The delivery's own file and all that waits under the keys of its parts; None where a part does not wait there."""
    rows = await tx.fetch(
        """
        SELECT file_id, key, version_id, found_order FROM files
        WHERE state = 'IGNORED' AND waits AND delivery_id IS NULL AND dataset = $1
          AND (file_id = $2 OR (bucket = $3 AND key = ANY ($4))) ORDER BY file_id FOR UPDATE
        """,
        delivery.dataset,
        delivery.file_id,
        delivery.bucket,
        [part.key for part in parts],
    )
    found = {(row["key"], row["version_id"]) for row in rows}
    needed = {(part.key, part.version_id) for part in parts} | {(delivery.key, delivery.version_id)}
    return [dict(row) for row in rows] if needed <= found else None


async def take(
    tx: Tx, delivery: Delivery, arrival: int, parts: Sequence[ObjectVersion], locked: Sequence[dict[str, Any]]
) -> None:
    """The parts belong to the delivery from now on; what they replaced belongs to nothing."""
    rows = {(row["key"], row["version_id"]): row for row in locked}
    taken = [rows[part.key, part.version_id] for part in parts]
    orders = {row["key"]: row["found_order"] for row in taken}
    replaced = [row["file_id"] for row in locked if row["key"] in orders and row["found_order"] < orders[row["key"]]]
    name = f"{delivery.dataset}#{arrival}"
    ids = [row["file_id"] for row in taken]
    await tx.execute(
        "UPDATE files SET delivery_id = $1, part_number = n.number"
        " FROM unnest($2::uuid[]) WITH ORDINALITY AS n(file_id, number) WHERE files.file_id = n.file_id",
        delivery.file_id,
        ids,
    )
    await _end_waiting(tx, ids, f"part of {name}")
    await _end_waiting(tx, replaced, f"replaced by a newer version before it was delivered: see {name}")
    await forget(tx, [delivery.file_id])


async def _end_waiting(tx: Tx, files: Sequence[UUID], reason: str) -> None:
    await tx.execute(
        """
        WITH file AS (
            UPDATE files SET reason = $2, waits = false, changed_at = now()
            WHERE file_id = ANY ($1) RETURNING file_id, dataset, state
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, 'registry', state, state, $2 FROM file ORDER BY file_id
        """,
        files,
        reason,
    )


async def note_parts(tx: Tx, parts: Sequence[PartCount]) -> None:
    """What was read of each part of a delivery that took effect, of an archive all in it; they are locked."""
    if not parts:
        return
    await tx.execute(
        """
        WITH n AS (
            SELECT file_id, min(first_line) AS first_line, sum(rows)::bigint AS rows
            FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS each(file_id, first_line, rows) GROUP BY file_id
        )
        UPDATE files SET first_line = n.first_line, part_rows = n.rows, changed_at = now()
        FROM n WHERE files.file_id = n.file_id AND delivery_id IS NOT NULL
        """,
        [part.file_id for part in parts],
        [part.first_line for part in parts],
        [part.rows for part in parts],
    )
