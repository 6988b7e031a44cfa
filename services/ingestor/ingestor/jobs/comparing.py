"""Rows against heads: what the file changes."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from waybill_contracts import RowCounts

from ingestor.domain.guard import has_too_many_deletes
from ingestor.domain.holds import DELETE_SHARE, Absent
from ingestor.domain.statement import WHOLE_DATASET
from ingestor.files.fingerprints import Fingerprints
from ingestor.files.spool import RowSpool
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.file_rules import Broken, break_rules, has_file_rules
from ingestor.jobs.judging import judge_repeated, judge_rows, reject_rows
from ingestor.jobs.threads import beside, each_beside
from ingestor.store import absent, heads
from ingestor.store.heads import PRESENT, Heads

_DROPPED = ("_row", "_outcome", "_conflict", "_restated", "_outdated")


@dataclass(frozen=True)
class Changes:
    """What a file changes, spooled, and the counts of all its rows.

    values: the typed rows, block by block. versions: for the same blocks the rows that become versions, with `_place`
    (in the block), _line, _key, _hash, _change, _version, _previous_hash, _prev, and _order, _scope where each row has
    its own. deletes: the versions that end records. restated: keys whose content was said again.
    """

    values: RowSpool
    versions: RowSpool
    deletes: RowSpool
    restated: RowSpool
    taken: RowSpool
    """_line and _key of a correction's rows that are no rejects."""
    rows: RowCounts
    first_versions: int
    absent: Absent
    keyless_rejects: int
    scopes: tuple[str, ...]
    """What a snapshot spoke for; nothing where it could not speak for records that are not in it."""

    @classmethod
    def of_deletes(cls, folder: Path, deletes: RowSpool, missing: Absent) -> "Changes":
        """Nothing but deletes."""
        values, versions, restated, taken = (
            RowSpool(folder / name) for name in ("values", "versions", "said", "taken")
        )
        rows = RowCounts(deleted=deletes.height)
        return cls(values, versions, deletes, restated, taken, rows, 0, missing, keyless_rejects=0, scopes=())

    @property
    def count(self) -> int:
        """Versions in all."""
        return self.rows.inserted + self.rows.updated + self.rows.deleted


@dataclass(frozen=True)
class Found:
    """What is there already: heads of the file's keys, and for a snapshot the versions that end the other records."""

    heads: Heads
    deletes: RowSpool
    absent: Absent


class Intake:
    """Takes identified rows apart: they are spooled, their keys go to the database, and memory keeps a byte a row."""

    def __init__(self, attempt: Attempt) -> None:
        self.values = RowSpool(attempt.folder / "values")
        self.identities = RowSpool(attempt.folder / "identities")
        self.scopes: set[str] = set()
        self._attempt = attempt
        own = {"_order": attempt.statement.order_column, "_scope": attempt.statement.scope_column}
        self._own = [name for name, column in own.items() if column]
        self._fingerprints = Fingerprints(attempt.folder / "fingerprints")
        self._count = 0

    async def keys(self, rows: Iterator[pl.DataFrame]) -> AsyncIterator[pl.DataFrame]:
        """Number and key of every row, as they are read; at last the keys of rejects, which are present too."""
        async for keys in each_beside(self._attempt.is_small, (self._take(frame) for frame in rows)):
            yield keys
        for frame in self._attempt.present.frames():
            nothing = [pl.lit(None, pl.String).alias(_STORED[name]) for name in self._own]
            yield frame.select(pl.lit(PRESENT, pl.Int32).alias("row"), pl.col("_key").alias("key"), *nothing)

    def _take(self, frame: pl.DataFrame) -> pl.DataFrame:
        identity = ["_line", "_key", "_hash", *self._own]
        identities = frame.select(identity).with_row_index("_row", self._count)
        self.values.add(frame.drop(identity))
        self.identities.add(identities)
        self._fingerprints.add(frame["_key"])
        self._count += frame.height
        if "_scope" in self._own:
            self.scopes.update(frame["_scope"].unique())
        own = [pl.col(name).alias(_STORED[name]) for name in self._own]
        return identities.select(pl.col("_row").cast(pl.Int32).alias("row"), pl.col("_key").alias("key"), *own)

    def repeated(self) -> pl.Series:
        """For every row whether another may have the same key."""
        return self._fingerprints.repeated()


_STORED = {"_order": "order_value", "_scope": "scope"}


async def compare(rows: Iterator[pl.DataFrame], attempt: Attempt, stores: Stores) -> Changes:
    """Read the rows to their end and compare each with the head of its key."""
    intake = Intake(attempt)
    found = await _find(intake.keys(rows), intake, attempt, stores)
    broken = None
    if has_file_rules(attempt.declaration.rules):
        broken = await break_rules(intake.values, intake.identities, attempt, stores)
    return await beside(attempt.is_small, _judge, attempt, intake, found, broken)


async def _find(keys: AsyncIterator[pl.DataFrame], intake: Intake, attempt: Attempt, stores: Stores) -> Found:
    deletes = RowSpool(attempt.folder / "deletes")
    if attempt.position == 1:
        # Before the first position there are no heads, so there is nothing to ask the database.
        return Found(await heads.none(keys), deletes, Absent())
    if attempt.statement.speaks_for_absent:
        return await _find_all(keys, intake, attempt, stores)
    asked = stores.db, attempt.dataset.id, keys, attempt.statement
    found = await (heads.look_up(*asked) if attempt.is_small else heads.read(*asked, attempt.folder))
    return Found(found, deletes, Absent())


async def _find_all(keys: AsyncIterator[pl.DataFrame], intake: Intake, attempt: Attempt, stores: Stores) -> Found:
    """The heads of a snapshot's keys, and the live records that are not among them: deletes, if they may be."""
    order, dataset_id = attempt.statement.order, attempt.dataset.id
    deletes = RowSpool(attempt.folder / "deletes")
    async with stores.db.acquire() as tx, tx.transaction():
        found = await heads.read_within(tx, dataset_id, keys, attempt.statement, attempt.folder)
        if attempt.keyless_rejects:
            return Found(found, deletes, Absent())
        scopes = _scopes(attempt, intake)
        missing = await absent.count_absent(tx, dataset_id, scopes, order)
        if has_too_many_deletes(missing, attempt.declaration.guards) and DELETE_SHARE not in attempt.accepted:
            keys_of_some = await absent.first_absent(tx, dataset_id, scopes, order)
            return Found(found, deletes, replace(missing, first_keys=tuple(keys_of_some)))
        if missing.count:
            async for frame in absent.fetch_absent(tx, dataset_id, scopes, order):
                deletes.add(delete_versions(frame))
    return Found(found, deletes, missing)


def _scopes(attempt: Attempt, intake: Intake) -> list[str] | None:
    """The partitions that a snapshot speaks for; None for all there is."""
    statement = attempt.statement
    if statement.has_no_scope:
        return None
    return sorted(intake.scopes) if statement.scope_column else [statement.scope or WHOLE_DATASET]


def delete_versions(found: pl.DataFrame) -> pl.DataFrame:
    """Heads as the versions that end them."""
    return found.select(
        _key="key",
        _change=pl.lit("delete"),
        _version=pl.col("version") + 1,
        _previous_hash="hash",
        _prev="record",
        _scope="scope",
    )


def _judge(attempt: Attempt, intake: Intake, found: Found, broken: Broken | None) -> Changes:
    """Block by block; only rows that may share a key are looked at together, wherever they stand in the file."""
    versions, restated = RowSpool(attempt.folder / "versions"), RowSpool(attempt.folder / "restated")
    taken = RowSpool(attempt.folder / "taken")
    counts, first_versions = Counter[str](), 0
    keyless = attempt.keyless_rejects
    judged_blocks = _judge_blocks(attempt, intake, found.heads, broken)
    for block, judged in judged_blocks:
        counts.update(dict(judged["_outcome"].value_counts().iter_rows()))
        versions.add(_versions(judged, first_row=block.item(0, "_row") if block.height else 0))
        if not attempt.statement.is_plain:
            restated.add(judged.filter("_restated").select("_key", pl.col("^_order$|^_scope$")))
        if attempt.file.corrects:
            taken.add(judged.filter(pl.col("_outcome") != "rejected").select("_line", "_key"))
        first_versions += int((judged["_version"] == 1).sum())
    counts["rejected"] = attempt.rejects.count
    return Changes(
        intake.values,
        versions,
        found.deletes,
        restated,
        taken,
        RowCounts(read=counts.total(), deleted=found.deletes.height, **counts),
        first_versions,
        found.absent,
        keyless,
        scopes=() if keyless else _spoken_for(attempt, intake),
    )


def _judge_blocks(
    attempt: Attempt, intake: Intake, found: Heads, broken: Broken | None
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Each block with what becomes of its rows; rows that broke a rule of the file are rejects, whatever others say."""
    repeated = intake.repeated()
    refused = pl.Series([False]).new_from_index(0, len(repeated))
    if broken is not None and broken.rows.height:
        refused = refused.scatter(broken.numbers, True)
        reject_rows(attempt, broken.rows)
        repeated = repeated & ~refused
    together = judge_repeated(attempt, intake.identities, found, repeated) if repeated.any() else None
    has_refused = refused.any()
    for block in intake.identities.frames():
        if together is None and not has_refused:
            yield block, judge_rows(block, found, attempt)
            continue
        numbers = block["_row"]
        parts = [judge_rows(block.filter(~(repeated.gather(numbers) | refused.gather(numbers))), found, attempt)]
        if together is not None:
            parts.append(together.of_block(numbers))
        if has_refused:
            parts.append(block.filter(refused.gather(numbers)).with_columns(_outcome=pl.lit("rejected")))
        yield block, pl.concat(parts, how="diagonal").sort("_row")


def _spoken_for(attempt: Attempt, intake: Intake) -> tuple[str, ...]:
    """The scopes of whose keys a snapshot has spoken, also of those that are not in it."""
    if not attempt.statement.speaks_for_absent:
        return ()
    scopes = _scopes(attempt, intake)
    return (WHOLE_DATASET,) if scopes is None else tuple(scopes)


def _versions(judged: pl.DataFrame, first_row: int) -> pl.DataFrame:
    new = judged.filter(pl.col("_change").is_not_null())
    return new.select((pl.col("_row") - first_row).alias("_place"), pl.exclude(_DROPPED))
