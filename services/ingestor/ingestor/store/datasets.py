"""Datasets, the positions their files took, and the attempts that took none."""

from uuid import UUID

from chassis import Tx

from ingestor.domain.registration import Dataset, Position

_POSITION = (
    *("position", "attempt", "file_id", "sha256", "declaration", "rule_version", "order_value", "scope"),
    *("corrects", "removes", "said_in_attempt"),
)


async def open_dataset(tx: Tx, dataset: str) -> None:
    """The dataset has a row."""
    await tx.execute("INSERT INTO datasets (dataset) VALUES ($1) ON CONFLICT DO NOTHING", dataset)


async def find_dataset(tx: Tx, dataset: str) -> tuple[Dataset, Position | None]:
    """The dataset as it stands and its newest position; read before its heads, so that the finish can tell a move."""
    row = await tx.fetchrow(
        """
        SELECT dataset_id, position, columns, attempt, file_id, sha256, declaration, rule_version, order_value,
            scope, corrects, removes, said_in_attempt
        FROM datasets LEFT JOIN positions USING (dataset_id, position) WHERE dataset = $1
        """,
        dataset,
    )
    if row is None:
        raise LookupError(f"{dataset} has no row; its file was never noted")
    found = Dataset(row["dataset_id"], dataset, row["position"], row["columns"])
    newest = {name: row[name] for name in _POSITION}
    return found, Position(**newest) if row["attempt"] is not None else None


async def find_position(tx: Tx, dataset_id: int, file_id: UUID) -> Position | None:
    """The position that this file took; None where it has not taken effect in this dataset."""
    row = await tx.fetchrow(
        """
        SELECT position, attempt, file_id, sha256, declaration, rule_version, order_value, scope, corrects, removes,
            said_in_attempt
        FROM positions WHERE dataset_id = $1 AND file_id = $2
        """,
        dataset_id,
        file_id,
    )
    return Position(**row) if row else None


async def find_newest_statement(tx: Tx, dataset_id: int, scope: str | None) -> UUID | None:
    """The file that spoke last of this scope by itself, not as a correction."""
    file_id: UUID | None = await tx.fetchval(
        """
        SELECT file_id FROM positions
        WHERE dataset_id = $1 AND corrects IS NULL AND removes IS NULL AND scope IS NOT DISTINCT FROM $2
        ORDER BY position DESC LIMIT 1
        """,
        dataset_id,
        scope,
    )
    return file_id


async def find_earlier_words(tx: Tx, dataset_id: int, after: int) -> dict[int, int]:
    """Attempts at corrections after this attempt -> the attempts at the files whose word they are."""
    rows = await tx.fetch(
        "SELECT attempt, said_in_attempt FROM positions"
        " WHERE dataset_id = $1 AND attempt > $2 AND said_in_attempt IS NOT NULL",
        dataset_id,
        after,
    )
    return {row["attempt"]: row["said_in_attempt"] for row in rows}


async def find_floors(tx: Tx, dataset_id: int) -> dict[str, str]:
    """Scope -> order value of the newest snapshot that spoke for all its keys."""
    rows = await tx.fetch("SELECT scope, order_value FROM scopes WHERE dataset_id = $1", dataset_id)
    return {row["scope"]: row["order_value"] for row in rows}


async def find_declared_types(tx: Tx, dataset_id: int, attempts: list[int]) -> dict[int, dict[str, str]]:
    """Column types by attempt: how its documents are to be read."""
    rows = await tx.fetch(
        "SELECT attempt, declaration FROM positions WHERE dataset_id = $1 AND attempt = ANY ($2::int[])",
        dataset_id,
        attempts,
    )
    return {
        row["attempt"]: {name: column["type"] for name, column in row["declaration"]["columns"].items()} for row in rows
    }


async def find_dead_attempts(tx: Tx, dataset: str) -> list[int]:
    """Attempts that no position names and no running job holds, judged in one statement (protocol rule 8)."""
    rows = await tx.fetch(
        """
        SELECT n.attempt FROM datasets d
        JOIN lanes l ON l.kind = 'ingest' AND l.lane = d.dataset
        CROSS JOIN LATERAL generate_series(d.swept_attempt + 1, l.last_attempt) AS n(attempt)
        WHERE d.dataset = $1
          AND NOT EXISTS (SELECT FROM positions p WHERE p.dataset_id = d.dataset_id AND p.attempt = n.attempt)
          AND NOT EXISTS (
              SELECT FROM jobs j
              WHERE j.kind = l.kind AND j.lane = l.lane AND j.state = 'RUNNING' AND j.attempt = n.attempt
          )
        ORDER BY n.attempt
        """,
        dataset,
    )
    return [row["attempt"] for row in rows]


async def list_datasets(tx: Tx) -> list[str]:
    """Every dataset that a file was noted for."""
    return [row["dataset"] for row in await tx.fetch("SELECT dataset FROM datasets ORDER BY dataset_id")]


async def settle_sweep(tx: Tx, dataset: str, quiet_days: float) -> None:
    """Attempts before a position that is older than this have been swept for the last time."""
    await tx.execute(
        """
        UPDATE datasets d SET swept_attempt = settled.attempt FROM (
            SELECT p.dataset_id, max(p.attempt) AS attempt FROM positions p
            WHERE p.finished_at < now() - make_interval(secs => $2 * 86400) GROUP BY p.dataset_id
        ) settled
        WHERE settled.dataset_id = d.dataset_id AND d.dataset = $1 AND d.swept_attempt < settled.attempt
        """,
        dataset,
        quiet_days,
    )
