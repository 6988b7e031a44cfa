"""Datasets: the row that numbering locks, and their declarations."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from chassis import Pool, Tx
from waybill_contracts.declaration import ANY_TABLE, DEFAULT_FILES, Declaration, OrderBy
from waybill_contracts.event import dataset_name

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
        "SELECT dataset, declaration_version, last_arrival, newest_modified, order_by, newest_order FROM datasets"
        ' WHERE dataset = ANY ($1) ORDER BY dataset COLLATE "C" FOR UPDATE',
        names,
    )
    return {row["dataset"]: _standing(**row) for row in rows}


def _standing(dataset: str, *, order_by: dict[str, str] | None, **values: Any) -> DatasetStanding:
    return DatasetStanding(**values, order_by=None if order_by is None else OrderBy(**order_by))


async def lock_dataset(tx: Tx, dataset: str) -> None:
    """Lock one dataset to the end of the transaction."""
    await tx.execute("SELECT FROM datasets WHERE dataset = $1 FOR UPDATE", dataset)


async def update_numbering(tx: Tx, standings: Mapping[str, DatasetStanding]) -> None:
    """The last arrival, the newest file's time and the greatest order value of these datasets."""
    await tx.executemany(
        "UPDATE datasets SET last_arrival = $2, newest_modified = $3, newest_order = $4 WHERE dataset = $1",
        [(name, each.last_arrival, each.newest_modified, each.newest_order) for name, each in standings.items()],
    )


async def newest_declaration(tx: Tx, dataset: str) -> Declaration | None:
    """The declaration of now; None where there is none yet."""
    body = await tx.fetchval("SELECT body FROM declarations WHERE dataset = $1 ORDER BY version DESC LIMIT 1", dataset)
    return None if body is None else Declaration.model_validate(body)


async def defaults(tx: Tx, organisations: Collection[str]) -> dict[str, tuple[int, Declaration]]:
    """The default of each organisation that has one, and its version."""
    rows = await tx.fetch(
        "SELECT organisation, version, body FROM datasets JOIN declarations USING (dataset)"
        " WHERE dataset = ANY ($1) AND version = declaration_version",
        [dataset_name(each, ANY_TABLE) for each in organisations],
    )
    return {row["organisation"]: (row["version"], Declaration.model_validate(row["body"])) for row in rows}


async def followers(tx: Tx, organisation: str) -> dict[str, int]:
    """The organisation's datasets without a declaration of their own, and the version of the default they follow."""
    rows = await tx.fetch(
        "SELECT dataset, follows FROM datasets WHERE organisation = $1 AND follows IS NOT NULL"
        ' ORDER BY dataset COLLATE "C" FOR UPDATE',
        organisation,
    )
    return {row["dataset"]: row["follows"] for row in rows}


async def set_follows(tx: Tx, dataset: str, version: int | None) -> None:
    """Which version of its organisation's default the dataset follows; 0 is none, None ends it."""
    await tx.execute("UPDATE datasets SET follows = $2 WHERE dataset = $1", dataset, version)


async def declaration_at(tx: Tx, dataset: str, version: int) -> Declaration:
    """The declaration of that version."""
    body = await tx.fetchval("SELECT body FROM declarations WHERE dataset = $1 AND version = $2", dataset, version)
    return Declaration.model_validate(body)


async def registered_keys(tx: Tx, dataset: str) -> list[str]:
    """The keys of the dataset's files that speak for themselves."""
    rows = await tx.fetch(
        "SELECT DISTINCT key FROM files"
        " WHERE dataset = $1 AND arrival IS NOT NULL AND corrects IS NULL AND removes IS NULL",
        dataset,
    )
    return [row["key"] for row in rows]


async def set_newest_order(tx: Tx, dataset: str, order: str | None) -> None:
    """The greatest order value of the dataset's files."""
    await tx.execute("UPDATE datasets SET newest_order = $2 WHERE dataset = $1", dataset, order)


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
            UPDATE datasets SET declaration_version = declaration_version + 1, order_by = $5, routes = $6
            WHERE dataset = $1 RETURNING dataset, declaration_version
        )
        INSERT INTO declarations (dataset, version, body, who, why)
        SELECT dataset, declaration_version, $2, $3, $4 FROM dataset RETURNING version
        """,
        declaration.dataset,
        declaration.model_dump(mode="json"),
        who,
        why,
        declaration.order_by and declaration.order_by.model_dump(),
        _routes(declaration),
    )
    await note_declaration(tx, declaration.dataset, f"DECLARED {version}", who, why)
    return version


def _routes(declaration: Declaration) -> dict[str, Any] | None:
    if declaration.files == DEFAULT_FILES and declaration.since is None and declaration.group is None:
        return None
    told = {"files": declaration.files, "since": declaration.since}
    return told | ({"group": declaration.group.model_dump(exclude_none=True)} if declaration.group else {})


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
