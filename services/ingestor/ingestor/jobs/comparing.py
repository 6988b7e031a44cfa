"""Rows against heads: what the file changes."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import polars as pl
from records import compare as rules
from waybill_contracts import RowCounts

from ingestor.files.spool import RowSpool
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.reading import raw_of_lines
from ingestor.jobs.threads import beside, each_beside
from ingestor.store import heads
from ingestor.store.heads import Heads

_IDENTITY = ("_line", "_key", "_hash")


@dataclass(frozen=True)
class Changes:
    """What a file changes, spooled, and the counts of all its rows.

    values: the typed rows, block by block. versions: for the same blocks the rows that become versions, with `_place`
    (in the block), _line, _key, _hash, _change, _version, _previous_hash, _prev.
    """

    values: RowSpool
    versions: RowSpool
    rows: RowCounts
    first_versions: int


class Intake:
    """Takes identified rows apart: they are spooled, their keys go to the database, and memory keeps 8 bytes a row."""

    def __init__(self, values: RowSpool, identities: RowSpool) -> None:
        self.values = values
        self.identities = identities
        self._fingerprints = [pl.Series(dtype=pl.UInt64)]
        self._count = 0

    def keys(self, rows: Iterator[pl.DataFrame], *, is_small: bool) -> AsyncIterator[pl.DataFrame]:
        """Number and key of every row, as they are read."""
        return each_beside(is_small, (self._take(frame) for frame in rows))

    def _take(self, frame: pl.DataFrame) -> pl.DataFrame:
        identities = frame.select(_IDENTITY).with_row_index("_row", self._count)
        self.values.add(frame.drop(_IDENTITY))
        self.identities.add(identities)
        self._fingerprints.append(frame["_key"].hash())
        self._count += frame.height
        return identities.select(pl.col("_row").cast(pl.Int32).alias("row"), pl.col("_key").alias("key"))

    def repeated(self) -> pl.Series:
        """For every row whether another may have the same key."""
        return pl.concat(self._fingerprints).is_duplicated()


async def compare(rows: Iterator[pl.DataFrame], attempt: Attempt, stores: Stores) -> Changes:
    """Read the rows to their end and compare each with the head of its key."""
    intake = Intake(RowSpool(attempt.folder / "values"), RowSpool(attempt.folder / "identities"))
    keys = intake.keys(rows, is_small=attempt.is_small)
    if attempt.position == 1:
        # Before the first position there are no heads, so there is nothing to ask the database.
        found = await heads.none(keys)
    elif attempt.is_small:
        found = await heads.look_up(stores.db, attempt.dataset.id, keys)
    else:
        found = await heads.read(stores.db, attempt.dataset.id, keys)
    return await beside(attempt.is_small, _judge, attempt, intake, found)


def _judge(attempt: Attempt, intake: Intake, found: Heads) -> Changes:
    """Block by block; only rows that may share a key are looked at together, wherever they stand in the file."""
    versions, counts, first_versions = RowSpool(attempt.folder / "versions"), Counter[str](), 0
    repeated = intake.repeated()
    together = _judge_repeated(attempt, intake, found, repeated) if repeated.any() else None
    for block in intake.identities.frames():
        if together is None:
            judged = _judge_rows(block, found, attempt)
        else:
            alone = _judge_rows(block.filter(~repeated.gather(block["_row"])), found, attempt)
            judged = pl.concat([alone, together.filter(pl.col("_row").is_in(block["_row"].implode()))]).sort("_row")
        counts.update(dict(judged["_outcome"].value_counts().iter_rows()))
        versions.add(_versions(judged, first_row=block.item(0, "_row") if block.height else 0))
        first_versions += int((judged["_version"] == 1).sum())
    counts["rejected"] = attempt.rejects.count
    return Changes(intake.values, versions, RowCounts(read=counts.total(), **counts), first_versions)


def _versions(judged: pl.DataFrame, first_row: int) -> pl.DataFrame:
    new = judged.filter(pl.col("_change").is_not_null())
    return new.select((pl.col("_row") - first_row).alias("_place"), pl.exclude("_row", "_outcome", "_conflict"))


def _judge_rows(rows: pl.DataFrame, found: Heads, attempt: Attempt) -> pl.DataFrame:
    compared = rules.compare(rows, found.of_rows(rows["_row"]), attempt.declaration.duplicates)
    return pl.concat([rows, compared.rows.drop("_row")], how="horizontal")


def _judge_repeated(attempt: Attempt, intake: Intake, found: Heads, repeated: pl.Series) -> pl.DataFrame:
    """The rows that may share a key, in one frame; those in conflict become rejects."""
    rows = pl.concat(block.filter(repeated.gather(block["_row"])) for block in intake.identities.frames())
    judged = _judge_rows(rows, found, attempt)
    _reject_conflicts(attempt, judged.filter(pl.col("_conflict").is_not_null()))
    return judged


def _reject_conflicts(attempt: Attempt, conflicts: pl.DataFrame) -> None:
    """Rows that share a key and differ are rejects like others, known only when the whole file was read."""
    if not conflicts.height:
        return
    with attempt.content.open("rb") as source:
        raw = raw_of_lines(source, attempt.declaration, conflicts["_line"])
    lines = pl.col("_conflict").cast(pl.List(pl.String)).list.join(", ")
    reason = pl.format("lines {} have the same key and different content", lines)
    rejects = conflicts.select(
        line="_line", codes=pl.concat_list(pl.lit("conflict")), reasons=pl.concat_list(reason), raw=raw["raw"]
    )
    attempt.rejects.add(rejects)
