"""Datasets: the row that numbering locks, and their declarations."""

from collections.abc import Mapping, Sequence

from chassis import Pool, Tx
from waybill_contracts.declaration import Declaration

from registry.domain.arrivals import DatasetStanding
from registry.domain.routes import Route


async def lock_datasets(tx: Tx, routes: Sequence[Route]) -> dict[str, DatasetStanding]:
    """Make the datasets that are new, and lock all of them in one order, to the end of the transaction."""
    named = {route.dataset: route for route in routes}
    names = sorted(named)
    await tx.execute(
        "INSERT INTO datasets (dataset, organisation, table_name)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING",
        names,
        [named[name].organisation for name in names],
        [named[name].table for name in names],
    )
    rows = await tx.fetch(
        "SELECT dataset, declaration_version, last_arrival, newest_modified FROM datasets"
        ' WHERE dataset = ANY ($1) ORDER BY dataset COLLATE "C" FOR UPDATE',
        names,
    )
    return {
        row["dataset"]: DatasetStanding(row["declaration_version"], row["last_arrival"], row["newest_modified"])
        for row in rows
    }


async def lock_dataset(tx: Tx, dataset: str) -> None:
    """Lock one dataset to the end of the transaction."""
    await tx.execute("SELECT FROM datasets WHERE dataset = $1 FOR UPDATE", dataset)


async def update_numbering(tx: Tx, standings: Mapping[str, DatasetStanding]) -> None:
    """The last arrival and the newest file's time of these datasets."""
    await tx.executemany(
        "UPDATE datasets SET last_arrival = $2, newest_modified = $3 WHERE dataset = $1",
        [(dataset, each.last_arrival, each.newest_modified) for dataset, each in standings.items()],
    )


async def newest_declaration(tx: Tx, dataset: str) -> Declaration | None:
    """The declaration of now; None where there is none yet."""
    body = await tx.fetchval("SELECT body FROM declarations WHERE dataset = $1 ORDER BY version DESC LIMIT 1", dataset)
    return None if body is None else Declaration.model_validate(body)


async def has_taken_effect(tx: Tx, dataset: str) -> bool:
    """Whether a file of the dataset has a position, or may be about to get one."""
    is_so: bool = await tx.fetchval(
        """
        SELECT last_position > 0 OR EXISTS (SELECT FROM files WHERE dataset = $1 AND state IN ('REGISTERED', 'HELD'))
        FROM datasets WHERE dataset = $1
        """,
        dataset,
    )
    return is_so


async def add_declaration(tx: Tx, declaration: Declaration, who: str, why: str | None) -> int:
    """The dataset's next declaration; returns its version."""
    version: int = await tx.fetchval(
        """
        WITH dataset AS (
            UPDATE datasets SET declaration_version = declaration_version + 1 WHERE dataset = $1
            RETURNING dataset, declaration_version
        )
        INSERT INTO declarations (dataset, version, body, who, why)
        SELECT dataset, declaration_version, $2, $3, $4 FROM dataset RETURNING version
        """,
        declaration.dataset,
        declaration.model_dump(mode="json"),
        who,
        why,
    )
    await note_declaration(tx, declaration.dataset, f"DECLARED {version}", who, why)
    return version


async def note_declaration(tx: Tx, dataset: str, outcome: str, who: str, why: str | None) -> None:
    """An audit row about the dataset's declaration."""
    await tx.execute(
        "INSERT INTO file_audit (dataset, who, to_state, why) VALUES ($1, $2, $3, $4)", dataset, who, outcome, why
    )


async def taken_digests(db: Pool) -> dict[str, str]:
    """Digest of each file of the folder of declarations as it was last taken."""
    rows = await db.fetch("SELECT name, sha256 FROM declaration_files")
    return {row["name"]: row["sha256"] for row in rows}


async def note_taken(tx: Tx, name: str, sha256: str, dataset: str | None, problems: Sequence[str]) -> None:
    """The file of the folder was taken in this form, with these problems."""
    await tx.execute(
        """
        INSERT INTO declaration_files (name, sha256, dataset, problems) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE
        SET sha256 = excluded.sha256, dataset = excluded.dataset, problems = excluded.problems, taken_at = now()
        """,
        name,
        sha256,
        dataset,
        problems,
    )
