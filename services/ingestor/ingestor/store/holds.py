"""Why attempts were held, and what was taken with a warning: the facts that people look at."""

from collections.abc import Mapping, Sequence

from chassis import Tx

from ingestor.domain.holds import Reason


async def insert_holds(tx: Tx, dataset_id: int, attempt: int, reasons: Sequence[Reason]) -> None:
    """Keep why this attempt was held."""
    await tx.executemany(
        "INSERT INTO holds (dataset_id, attempt, number, code, reason, facts) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (dataset_id, attempt, number, reason.code, reason.text, dict(reason.facts))
            for number, reason in enumerate(reasons, 1)
        ],
    )


async def insert_warnings(
    tx: Tx, dataset_id: int, attempt: int, counts: Mapping[str, int], lines: Mapping[str, Sequence[int]]
) -> None:
    """Keep how many rows broke each rule that only warns, and the first lines of them."""
    if counts:
        await tx.executemany(
            "INSERT INTO warnings (dataset_id, attempt, rule, rows, lines) VALUES ($1, $2, $3, $4, $5)",
            [(dataset_id, attempt, rule, rows, lines[rule]) for rule, rows in counts.items()],
        )
