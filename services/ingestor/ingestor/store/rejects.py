"""The first rejects of every attempt, also of those that failed."""

from collections.abc import AsyncIterator

import polars as pl
from chassis import Tx

from ingestor.domain.attempts import MAX_STORED_REJECTS
from ingestor.store.copying import copy_in

MAX_RAW_CHARACTERS = 10_000


async def insert_rejects(tx: Tx, dataset_id: int, attempt: int, rejects: pl.DataFrame) -> None:
    """Keep these rejects, at most 1,000, as what the attempt refused."""
    if not rejects.height:
        return
    kept = rejects.sort("line").head(MAX_STORED_REJECTS)
    raw = _without_nul(pl.col("raw").str.slice(0, MAX_RAW_CHARACTERS))
    reasons = pl.col("reasons").list.eval(_without_nul(pl.element()))
    rows = kept.select("line", "codes", reasons, "columns", raw, "start", "size").iter_rows()
    await tx.executemany(
        "INSERT INTO rejects (dataset_id, attempt, number, line, codes, reasons, columns, raw, start, size)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        [(dataset_id, attempt, number, *row) for number, row in enumerate(rows, 1)],
    )


def _without_nul(text: pl.Expr) -> pl.Expr:
    """The text with signs of NUL, which PostgreSQL cannot hold, in its place."""
    return text.str.replace_all("\x00", "\u2400", literal=True)


async def open_rejects(tx: Tx, dataset_id: int, attempt: int, lines: AsyncIterator[pl.DataFrame]) -> None:
    """The file took effect without these rows (line, key): they are open until they are corrected."""
    rows = (
        frame.select(
            pl.lit(dataset_id, pl.Int32).alias("dataset_id"), pl.lit(attempt, pl.Int32).alias("attempt"), "line", "key"
        )
        async for frame in lines
    )
    await copy_in(tx, "open_rejects", ["dataset_id", "attempt", "line", "key"], rows)


async def close_rejects(
    tx: Tx, dataset_id: int, attempt: int, corrected_in: int, found: AsyncIterator[pl.DataFrame]
) -> int:
    """The correction's rows (line or null, key) stand for these rejects of the attempt; how many were still open."""
    closed = 0
    async for frame in found:
        status = await tx.execute(
            """
            UPDATE open_rejects SET closed_by = $3 WHERE dataset_id = $1 AND attempt = $2 AND closed_by IS NULL
              AND (line = ANY ($4::bigint[]) OR key = ANY ($5::text[]))
            """,
            dataset_id,
            attempt,
            corrected_in,
            frame["line"].drop_nulls().to_list(),
            frame["key"].to_list(),
        )
        closed += int(status.removeprefix("UPDATE "))
    return closed
