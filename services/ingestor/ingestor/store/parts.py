"""The files of deliveries and archives, as attempts read them."""

from collections.abc import Sequence

from chassis import Tx
from waybill_contracts import PartCount


async def insert_parts(tx: Tx, dataset_id: int, attempt: int, parts: Sequence[PartCount]) -> None:
    """Keep where each of the files begins in the lines that are counted through, and the rows of each."""
    if parts:
        await tx.executemany(
            "INSERT INTO parts (dataset_id, attempt, file_id, entry, first_line, rows) VALUES ($1, $2, $3, $4, $5, $6)",
            [(dataset_id, attempt, part.file_id, part.entry or "", part.first_line, part.rows) for part in parts],
        )
