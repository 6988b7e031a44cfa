"""Files that wait for a decision."""

from uuid import UUID

from chassis import WAITING, Tx


async def find_arrival(tx: Tx, dataset: str, file_id: UUID) -> int | None:
    """The arrival of the file, where its job waits for a decision; few do."""
    arrival: int | None = await tx.fetchval(
        "SELECT seq FROM jobs WHERE kind = 'ingest' AND lane = $1 AND state = ANY ($2) AND payload ->> 'file_id' = $3",
        dataset,
        WAITING,
        str(file_id),
    )
    return arrival
