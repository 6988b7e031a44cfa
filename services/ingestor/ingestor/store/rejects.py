"""The first rejects of every attempt, also of those that failed."""

import polars as pl
from chassis import Tx

from ingestor.domain.attempts import MAX_STORED_REJECTS

MAX_RAW_CHARACTERS = 10_000


async def insert_rejects(tx: Tx, dataset_id: int, attempt: int, rejects: pl.DataFrame) -> None:
    """Keep these rejects, at most 1,000, as what the attempt refused."""
    if not rejects.height:
        return
    kept = rejects.sort("line").head(MAX_STORED_REJECTS)
    # PostgreSQL's text holds no NUL; the file in the bucket has the row as it came.
    raw = kept["raw"].str.slice(0, MAX_RAW_CHARACTERS).str.replace_all("\x00", "\u2400", literal=True)
    await tx.executemany(
        "INSERT INTO rejects (dataset_id, attempt, number, line, codes, reasons, raw)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (dataset_id, attempt, number, line, codes, reasons, text)
            for number, (line, codes, reasons, text) in enumerate(
                zip(kept["line"], kept["codes"].to_list(), kept["reasons"].to_list(), raw, strict=True), 1
            )
        ],
    )
