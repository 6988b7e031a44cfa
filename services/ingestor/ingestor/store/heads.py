"""The newest version of every record: read, then advanced, each in a way for large files and one for small ones."""

from collections.abc import AsyncIterator, Callable

import numpy as np
import numpy.typing as npt
import polars as pl
from chassis import Pool, Tx

from ingestor.store.copying import FixedRows, Rows, binary_series, copy_in, copy_out

PROBED_ROWS = 50_000
"""Up to here each key is looked up in the index; beyond, the tables are joined whole."""

_NO_KEYS = pl.DataFrame(schema={"row": pl.Int32, "key": pl.String})
_REPLY = {"row": (">i4", 4), "version": (">i4", 4), "hash": ("V32", 32), "deleted": ("?", 1), "record": ("V12", 12)}
_HEAD = np.dtype([("version", "i4"), ("hash", "V32"), ("deleted", "?"), ("record", "V12")])


class Heads:
    """The heads of a file's keys, by row number; small enough to be held for every row of a file."""

    def __init__(self, count: int) -> None:
        # Pages of rows without a head are never touched, and so cost nothing.
        self._heads: npt.NDArray[np.void] = np.zeros(count, _HEAD)

    def take(self, reply: Rows) -> None:
        """Heads as they are found, in any order."""
        for name in _HEAD.names or ():
            self._heads[name][reply["row"]] = reply[name]

    def of_rows(self, rows: pl.Series) -> pl.DataFrame:
        """Those of these rows that have a head: _row, version, hash, deleted, record."""
        numbers = rows.to_numpy()
        found = self._heads[numbers]
        known = found["version"] > 0
        found = found[known]
        return pl.DataFrame(
            {
                "_row": numbers[known],
                "version": found["version"].astype("i8"),
                "hash": binary_series(found["hash"]),
                "deleted": found["deleted"],
                "record": binary_series(found["record"]),
            }
        )


async def read(db: Pool, dataset_id: int, keys: AsyncIterator[pl.DataFrame]) -> Heads:
    """The heads of these keys; they come as (row, key), rows numbered from 0."""
    async with db.acquire() as tx, tx.transaction():
        await tx.execute(
            'CREATE TEMP TABLE IF NOT EXISTS incoming (row integer NOT NULL, key text COLLATE "C" NOT NULL)'
            " ON COMMIT DELETE ROWS"
        )
        count = await copy_in(tx, "incoming", ["row", "key"], keys)
        await _choose_plan(tx, count)
        heads = Heads(count)
        await copy_out(
            tx,
            FixedRows(_REPLY, heads.take),
            "SELECT i.row, h.version, h.hash, h.deleted, h.record"
            " FROM incoming i JOIN heads h ON h.key = i.key WHERE h.dataset_id = $1",
            dataset_id,
        )
    return heads


async def look_up(db: Pool, dataset_id: int, keys: AsyncIterator[pl.DataFrame]) -> Heads:
    """As `read`, for the keys of a small file: one statement, and a Python object for each head."""
    incoming = pl.concat([_NO_KEYS, *[frame async for frame in keys]])
    # OFFSET makes it a look-up for each key, whatever the statistics say.
    found = await db.fetch(
        """
        SELECT i.row, h.version, h.hash, h.deleted, h.record FROM unnest($2::integer[], $3::text[]) AS i(row, key)
        CROSS JOIN LATERAL (SELECT * FROM heads WHERE dataset_id = $1 AND heads.key = i.key OFFSET 0) AS h
        """,
        dataset_id,
        incoming["row"].to_list(),
        incoming["key"].to_list(),
    )
    heads = Heads(incoming.height)
    heads.take(np.array([tuple(row) for row in found], [(name, kind) for name, (kind, _) in _REPLY.items()]))
    return heads


async def none(keys: AsyncIterator[pl.DataFrame]) -> Heads:
    """No heads for any of these keys: those of a dataset that has no position."""
    return Heads(sum([frame.height async for frame in keys]))


async def _choose_plan(tx: Tx, count: int) -> None:
    # The temporary table has no statistics, and those of heads are old after a large first file.
    if count <= PROBED_ROWS:
        await tx.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    else:
        await tx.execute("SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'")


Versions = Callable[[], AsyncIterator[pl.DataFrame]]


async def advance(tx: Tx, dataset_id: int, versions: Versions, *, first: int, later: int) -> None:
    """Make these versions (key, version, hash, record) the heads: so many are first ones, so many later ones.

    A first version needs a key without a head, a later one the head before it; else nothing is right and this raises.
    """
    if first:
        await _insert(tx, dataset_id, versions(), first)
    if later:
        await _update(tx, dataset_id, versions(), later)


async def advance_few(tx: Tx, dataset_id: int, versions: Versions, *, first: int, later: int) -> None:
    """As `advance`, for a small file: one statement with arrays for either kind."""
    if first:
        await _insert_few(tx, dataset_id, versions(), first)
    if later:
        await _update_few(tx, dataset_id, versions(), later)


async def _insert_few(tx: Tx, dataset_id: int, versions: AsyncIterator[pl.DataFrame], count: int) -> None:
    status = await tx.execute(
        """
        INSERT INTO heads (dataset_id, key, version, hash, record, deleted) SELECT $1, n.*, false
        FROM unnest($2::text[], $3::integer[], $4::bytea[], $5::bytea[]) AS n(key, version, hash, record)
        """,
        dataset_id,
        *_lists([frame.filter(pl.col("version") == 1) async for frame in versions]),
    )
    _check(count, int(status.removeprefix("INSERT 0 ")))


async def _update_few(tx: Tx, dataset_id: int, versions: AsyncIterator[pl.DataFrame], count: int) -> None:
    status = await tx.execute(
        """
        UPDATE heads h SET version = n.version, hash = n.hash, deleted = false, record = n.record
        FROM unnest($2::text[], $3::integer[], $4::bytea[], $5::bytea[]) AS n(key, version, hash, record)
        WHERE h.dataset_id = $1 AND h.key = n.key AND h.version = n.version - 1
        """,
        dataset_id,
        *_lists([frame.filter(pl.col("version") > 1) async for frame in versions]),
    )
    _check(count, int(status.removeprefix("UPDATE ")))


def _lists(frames: list[pl.DataFrame]) -> list[list[object]]:
    """The columns as Python lists: key, version, hash, record."""
    versions = pl.concat(frames)
    return [versions[name].to_list() for name in ("key", "version", "hash", "record")]


async def _insert(tx: Tx, dataset_id: int, versions: AsyncIterator[pl.DataFrame], count: int) -> None:
    rows = (
        frame.filter(pl.col("version") == 1).select(
            pl.lit(dataset_id, pl.Int32).alias("dataset_id"), *_HEAD_COLUMNS, pl.lit(value=False).alias("deleted")
        )
        async for frame in versions
    )
    # A key that has a head already is refused by the primary key.
    _check(count, await copy_in(tx, "heads", ["dataset_id", "key", "version", "hash", "record", "deleted"], rows))


async def _update(tx: Tx, dataset_id: int, versions: AsyncIterator[pl.DataFrame], count: int) -> None:
    await tx.execute(
        'CREATE TEMP TABLE IF NOT EXISTS advancing (key text COLLATE "C" NOT NULL, version integer NOT NULL,'
        " hash bytea NOT NULL, record bytea NOT NULL) ON COMMIT DELETE ROWS"
    )
    rows = (frame.filter(pl.col("version") > 1).select(_HEAD_COLUMNS) async for frame in versions)
    _check(count, await copy_in(tx, "advancing", ["key", "version", "hash", "record"], rows))
    await _choose_plan(tx, count)
    status = await tx.execute(
        """
        UPDATE heads h SET version = a.version, hash = a.hash, deleted = false, record = a.record
        FROM advancing a WHERE h.dataset_id = $1 AND h.key = a.key AND h.version = a.version - 1
        """,
        dataset_id,
    )
    _check(count, int(status.removeprefix("UPDATE ")))


_HEAD_COLUMNS = [pl.col("key"), pl.col("version").cast(pl.Int32), pl.col("hash"), pl.col("record")]


def _check(expected: int, advanced: int) -> None:
    if advanced != expected:
        raise RuntimeError(f"{expected} heads were to advance, {advanced} did")
