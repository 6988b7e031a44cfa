"""The newest version of every record, as the rows of a file find it: looked up by COPY, or by arrays for few rows."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from chassis import Pool, Tx
from chassis.sql import fragment, sql

from ingestor.domain.statement import Statement
from ingestor.store.copying import FixedRows, Rows, binary_series, copy_in, copy_out

PROBED_ROWS = 50_000
"""Up to here each key is looked up in the index; beyond, the tables are joined whole."""
PRESENT = -1
"""Row number of a key that is in the file but in none of its good rows."""

KEYS = {"row": pl.Int32(), "key": pl.String(), "order_value": pl.String(), "scope": pl.String()}
_REPLY = {
    "row": (">i4", 4),
    "version": (">i4", 4),
    "hash": ("V32", 32),
    "deleted": ("?", 1),
    "record": ("V12", 12),
    "newer": ("?", 1),
    "restated": ("?", 1),
}
_SPOOLED = np.dtype([(name, kind) for name, (kind, _) in _REPLY.items()])
RANGE_ROWS = 1 << 20
"""Rows of a file whose heads are in memory at a time, 51 bytes each."""
PIECE_ROWS = 1 << 16

_HEAD = np.dtype(
    [("version", "i4"), ("hash", "V32"), ("deleted", "?"), ("record", "V12"), ("newer", "?"), ("restated", "?")]
)

_PLAIN = fragment("false AS newer, false AS restated")
# $2 is the order value of the whole file, $3 its scope; each row's own comes first.
_STATED = fragment(
    """
    coalesce(h.order_value > coalesce(i.order_value, $2::text), false) AS newer,
    coalesce(coalesce(i.order_value, $2::text) > coalesce(h.order_value, ''), false)
        OR coalesce(i.scope, $3::text) IS DISTINCT FROM h.scope AS restated
    """
)


class Heads:
    """The heads of a file's keys, by row number; of many rows all but a range of them wait on the disk."""

    def __init__(self, count: int, folder: Path | None = None) -> None:
        """`folder`: where those of more than RANGE_ROWS rows may be kept."""
        self._count, self._folder = count, folder
        self._is_spooled = folder is not None and count > RANGE_ROWS
        self._first = 0
        # Pages of rows without a head are never touched, and so cost nothing.
        self._range: npt.NDArray[np.void] = np.zeros(0 if self._is_spooled else count, _HEAD)

    def take(self, reply: Rows) -> None:
        """Heads as they are found, in any order."""
        if not self._is_spooled:
            self._put(reply)
            return
        packed = np.empty(len(reply), _SPOOLED)
        for name in _REPLY:
            packed[name] = reply[name]
        for number, part in _by_range(reply["row"], packed):
            with self._path(number).open("ab") as file:
                file.write(part.tobytes())

    def of_rows(self, rows: pl.Series) -> pl.DataFrame:
        """Those of these rows that have a head: _row, version, hash, deleted, record, newer, restated."""
        numbers = rows.to_numpy()
        if not self._is_spooled:
            return self._known(numbers)
        found = [self._known(numbers[:0])]
        for number, part in _by_range(numbers, numbers):
            self._open(number)
            found.append(self._known(part))
        return pl.concat(found)

    def _known(self, numbers: npt.NDArray[np.uint32]) -> pl.DataFrame:
        found = self._range[numbers - self._first]
        known = found["version"] > 0
        found = found[known]
        return pl.DataFrame(
            {
                "_row": numbers[known],
                "version": found["version"].astype("i8"),
                "hash": binary_series(found["hash"]),
                "deleted": found["deleted"],
                "record": binary_series(found["record"]),
                "newer": found["newer"],
                "restated": found["restated"],
            }
        )

    def _open(self, number: int) -> None:
        """Have the heads of this range at hand; rows are asked for in file order, so mostly they are already."""
        if self._range.size and self._first == number * RANGE_ROWS:
            return
        self._first = number * RANGE_ROWS
        self._range = np.zeros(min(RANGE_ROWS, self._count - self._first), _HEAD)
        path = self._path(number)
        if not path.exists():
            return
        with path.open("rb") as file:
            while piece := file.read(PIECE_ROWS * _SPOOLED.itemsize):
                self._put(np.frombuffer(piece, _SPOOLED))

    def _put(self, reply: Rows) -> None:
        for name in _HEAD.names or ():
            self._range[name][reply["row"] - self._first] = reply[name]

    def _path(self, number: int) -> Path:
        assert self._folder
        return self._folder / f"heads-{number}"


def _by_range(rows: npt.NDArray[Any], values: npt.NDArray[Any]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """The values of each range of rows that any of them is in."""
    ranges = rows // RANGE_ROWS
    return ((int(number), values[ranges == number]) for number in np.unique(ranges))


async def read(
    db: Pool, dataset_id: int, keys: AsyncIterator[pl.DataFrame], statement: Statement, folder: Path
) -> Heads:
    """The heads of these keys; they come as (row, key) and what each row says of its order and scope."""
    async with db.acquire() as tx, tx.transaction():
        return await read_within(tx, dataset_id, keys, statement, folder)


async def read_within(
    tx: Tx, dataset_id: int, keys: AsyncIterator[pl.DataFrame], statement: Statement, folder: Path
) -> Heads:
    """The same within a transaction, to the end of which `incoming` holds the keys."""
    await tx.execute(
        'CREATE TEMP TABLE IF NOT EXISTS incoming (row integer NOT NULL, key text COLLATE "C" NOT NULL,'
        ' order_value text COLLATE "C", scope text COLLATE "C") ON COMMIT DELETE ROWS'
    )
    count = await copy_in(tx, "incoming", _columns(statement), keys)
    await choose_plan(tx, count)
    heads = Heads(count, folder)
    query = sql(
        "SELECT i.row, h.version, h.hash, h.deleted, h.record, {stated}"
        " FROM incoming i JOIN heads h ON h.key = i.key WHERE h.dataset_id = $1 AND i.row >= 0",
        stated=_PLAIN if statement.is_plain else _STATED,
    )
    await copy_out(tx, FixedRows(_REPLY, heads.take), query, dataset_id, *_stated_arguments(statement))
    return heads


def _columns(statement: Statement) -> list[str]:
    own = {"order_value": statement.order_column, "scope": statement.scope_column}
    return ["row", "key", *(name for name, column in own.items() if column)]


def _stated_arguments(statement: Statement) -> tuple[str | None, ...]:
    return () if statement.is_plain else (statement.order, statement.scope)


async def look_up(db: Pool, dataset_id: int, keys: AsyncIterator[pl.DataFrame], statement: Statement) -> Heads:
    """As `read`, for the keys of a small file: one statement, and a Python object for each head."""
    incoming = pl.concat([pl.DataFrame(schema=KEYS), *[frame async for frame in keys]], how="diagonal")
    # OFFSET makes it a look-up for each key, whatever the statistics say.
    query = sql(
        """
        SELECT i.row, h.version, h.hash, h.deleted, h.record, {stated}
        FROM unnest({keys}) AS i(row, key, order_value, scope)
        CROSS JOIN LATERAL (SELECT * FROM heads WHERE dataset_id = $1 AND heads.key = i.key OFFSET 0) AS h
        """,
        stated=_PLAIN if statement.is_plain else _STATED,
        keys=_PLAIN_KEYS if statement.is_plain else _STATED_KEYS,
    )
    names = ("row", "key") if statement.is_plain else tuple(KEYS)
    arrays = [incoming[name].to_list() for name in names]
    found = await db.fetch(query, dataset_id, *_stated_arguments(statement), *arrays)
    heads = Heads(incoming.height)
    heads.take(np.array([tuple(row) for row in found], _SPOOLED))
    return heads


_PLAIN_KEYS = fragment("$2::integer[], $3::text[], NULL::text[], NULL::text[]")
_STATED_KEYS = fragment("$4::integer[], $5::text[], $6::text[], $7::text[]")


async def none(keys: AsyncIterator[pl.DataFrame]) -> Heads:
    """No heads for any of these keys: those of a dataset that has no position."""
    return Heads(sum([frame.height async for frame in keys]))


async def choose_plan(tx: Tx, count: int) -> None:
    """Look-ups by index for few keys, joins for many."""
    # The temporary table has no statistics, and those of heads are old after a large first file.
    if count <= PROBED_ROWS:
        await tx.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    else:
        await tx.execute("SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'")
