"""What was said of each position: RecordsIngested, kept whole."""

from uuid import UUID

from chassis import Pool, Tx
from waybill_contracts import RecordsIngested


async def store_fact(tx: Tx, fact: RecordsIngested) -> bool:
    """Keep the fact; False where its position is known already, which changes nothing."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO facts (dataset, position, event, registered_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING RETURNING true
            """,
            fact.dataset,
            fact.position,
            fact.model_dump(mode="json"),
            fact.source.registered_at,
        )
    )


async def read_fact(db: Pool | Tx, dataset: str, position: int) -> RecordsIngested:
    """The fact of a position that is known."""
    event = await db.fetchval("SELECT event FROM facts WHERE dataset = $1 AND position = $2", dataset, position)
    return RecordsIngested.model_validate(event, extra="ignore")


async def find_position(tx: Tx, dataset: str, file_id: UUID, attempt: int) -> int | None:
    """The position that this attempt at the file took, if it took one."""
    position: int | None = await tx.fetchval(
        "SELECT position FROM facts WHERE dataset = $1 AND file_id = $2 AND attempt = $3", dataset, file_id, attempt
    )
    return position
