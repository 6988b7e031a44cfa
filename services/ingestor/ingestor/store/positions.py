"""Taking a position: the commit of everything an attempt has written."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis import Tx
from waybill_contracts import RecordsIngested

from ingestor.domain.registration import Dataset


@dataclass(frozen=True)
class Said:
    """How the file was read, and of what it spoke; `in_attempt` is the word of another attempt that it corrects."""

    declaration: dict[str, Any]
    scope: str | None
    removes: UUID | None
    in_attempt: int | None


async def take_position(tx: Tx, dataset: Dataset, event: RecordsIngested, said: Said) -> None:
    """The position is this attempt's, with its batches; refuses where the dataset moved since it was read."""
    columns = dataset.columns | {column.name: column.type for column in event.columns}
    moved = await tx.fetchval(
        """
        UPDATE datasets SET position = position + 1, columns = $3
        WHERE dataset_id = $1 AND position = $2 - 1 RETURNING position
        """,
        dataset.id,
        event.position,
        columns,
    )
    if moved != event.position:
        raise RuntimeError(f"{dataset.name} moved while attempt {event.attempt} was at work")
    await _insert_position(tx, dataset.id, event, said)
    await _insert_batches(tx, dataset.id, event)


async def _insert_position(tx: Tx, dataset_id: int, event: RecordsIngested, said: Said) -> None:
    await tx.execute(
        """
        INSERT INTO positions (dataset_id, position, attempt, file_id, arrival, registration, sha256, declaration,
                               rule_version, rows, order_value, scope, corrects, removes, said_in_attempt)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        dataset_id,
        event.position,
        event.attempt,
        event.file_id,
        event.arrival,
        event.registration,
        event.sha256,
        said.declaration,
        event.rule_version,
        event.rows.model_dump(),
        event.order,
        said.scope,
        event.corrects,
        said.removes,
        said.in_attempt,
    )


async def _insert_batches(tx: Tx, dataset_id: int, event: RecordsIngested) -> None:
    await tx.executemany(
        "INSERT INTO batches (dataset_id, position, number, version_count, checksum) VALUES ($1, $2, $3, $4, $5)",
        [(dataset_id, event.position, batch.number, batch.version_count, batch.checksum) for batch in event.batches],
    )
