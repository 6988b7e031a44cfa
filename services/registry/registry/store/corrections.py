"""Corrections as they take effect: rejects of another file are closed, once, in whatever order the two are heard of."""

from collections.abc import Sequence
from uuid import UUID

from chassis import Pool, Tx

from registry.store import datasets
from registry.store.standings import FileRow, lock_file


async def lock_pair(tx: Tx, dataset: str, files: Sequence[UUID]) -> None:
    """Lock the dataset, then these files of it; whoever holds several files took them in order of their ids."""
    await datasets.lock_dataset(tx, dataset)
    await tx.execute("SELECT FROM files WHERE file_id = ANY ($1) ORDER BY file_id FOR UPDATE", files)


async def close_rejects(tx: Tx, correction: FileRow, corrected: UUID, closed: int) -> FileRow | None:
    """So many rejects of the other file are closed; returns that file. Both are locked."""
    file = await lock_file(tx, corrected, correction.dataset)
    if file is None:
        return None
    await tx.execute("UPDATE files SET closed_rejects = $2 WHERE file_id = $1", correction.file_id, closed)
    # Counted anew from all corrections; a file that did not take effect yet, as far as known here, counts them itself.
    await tx.execute(
        """
        WITH file AS (
            UPDATE files SET changed_at = now(), open_rejects = CASE WHEN open_rejects IS NOT NULL
                THEN (rows ->> 'rejected')::bigint - (SELECT sum(c.closed_rejects) FROM files c WHERE c.corrects = $1)
                END
            WHERE file_id = $1 RETURNING file_id, dataset, state
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, 'registry', state, state, $2 FROM file
        """,
        corrected,
        f"{closed} of its rejects closed by the correction {correction.dataset}#{correction.arrival}",
    )
    return file


async def open_rejects(db: Pool) -> dict[tuple[str, str], int]:
    """How many rejects are open, by organisation and table; only of those that have some."""
    rows = await db.fetch(
        "SELECT organisation, table_name, sum(open_rejects) AS rejects FROM files"
        " WHERE open_rejects > 0 GROUP BY organisation, table_name"
    )
    return {(row["organisation"], row["table_name"]): int(row["rejects"]) for row in rows}
