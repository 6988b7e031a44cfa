"""What is in the log, batch by batch, and which position each dataset's current table shows."""

from dataclasses import dataclass

import asyncpg
from chassis import Pool, Tx
from waybill_contracts import Batch, RecordsIngested

from loader.domain.tables import Tables


@dataclass(frozen=True)
class Dataset:
    """How far a dataset is, and what its tables were made with."""

    applied: int
    tables: Tables


async def read_position(db: Pool, dataset: str, position: int) -> tuple[RecordsIngested, Dataset, frozenset[int]]:
    """What was said of a position that is known, how far its dataset is, and which of its batches are in the log."""
    row = await db.fetchrow(
        """
        SELECT f.event, coalesce(d.applied, 0) AS applied,
            coalesce(d.columns, '[]') AS columns, coalesce(d.layout, 1) AS layout, (
            -- As jsonb: a connection asks for the type of the first array of numbers, which takes 50 ms.
            SELECT coalesce(jsonb_agg(b.number), '[]') FROM batches b
            WHERE b.dataset = f.dataset AND b.position = f.position
        ) AS appended
        FROM facts f LEFT JOIN datasets d ON d.dataset = f.dataset
        WHERE f.dataset = $1 AND f.position = $2
        """,
        dataset,
        position,
    )
    assert row is not None
    return (
        RecordsIngested.model_validate(row["event"], extra="ignore"),
        _dataset(row),
        frozenset(row["appended"]),
    )


async def open_dataset(tx: Tx, dataset: str) -> Dataset:
    """The dataset as it stands, made if it is new."""
    await tx.execute("INSERT INTO datasets (dataset) VALUES ($1) ON CONFLICT DO NOTHING", dataset)
    row = await tx.fetchrow("SELECT applied, columns, layout FROM datasets WHERE dataset = $1", dataset)
    assert row is not None
    return _dataset(row)


def _dataset(row: asyncpg.Record) -> Dataset:
    return Dataset(row["applied"], Tables(dict(row["columns"]), row["layout"]))


async def set_tables(tx: Tx, dataset: str, tables: Tables) -> None:
    """Remember what the tables have now."""
    await tx.execute(
        "UPDATE datasets SET columns = $2, layout = $3 WHERE dataset = $1",
        dataset,
        # As pairs, since jsonb does not keep the order of an object's names.
        list(tables.columns.items()),
        tables.layout,
    )


async def set_applied(tx: Tx, fact: RecordsIngested) -> bool:
    """This position is what the current table shows; False where the one before it was not."""
    return bool(
        await tx.fetchval(
            """
            UPDATE datasets SET applied = $2, applied_at = now() WHERE dataset = $1 AND applied = $2 - 1
            RETURNING true
            """,
            fact.dataset,
            fact.position,
        )
    )


async def read_appended(tx: Tx, fact: RecordsIngested) -> frozenset[int]:
    """Numbers of the position's batches that are in the log."""
    rows = await tx.fetch(
        "SELECT number FROM batches WHERE dataset = $1 AND position = $2", fact.dataset, fact.position
    )
    return frozenset(row["number"] for row in rows)


async def claim_batch(tx: Tx, fact: RecordsIngested, batch: Batch) -> bool:
    """Enter the batch; False where it is in the log already."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO batches (dataset, position, number, version_count, checksum) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING RETURNING true
            """,
            fact.dataset,
            fact.position,
            batch.number,
            batch.version_count,
            batch.checksum,
        )
    )


async def forget_batches(tx: Tx, fact: RecordsIngested) -> None:
    """None of the position's batches is in the log."""
    await tx.execute("DELETE FROM batches WHERE dataset = $1 AND position = $2", fact.dataset, fact.position)
