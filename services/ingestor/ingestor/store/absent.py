"""Live records that end: those that a snapshot does not mention, and those of a file whose object was removed."""

from collections.abc import AsyncIterable, AsyncIterator, Sequence

import polars as pl
from asyncpg import Record
from chassis import Tx
from chassis.sql import fragment, sql

from ingestor.domain.holds import Absent

FETCHED_ROWS = 10_000
SHOWN_KEYS = 5
HEAD = {"key": pl.String, "version": pl.Int64, "hash": pl.Binary, "record": pl.Binary, "scope": pl.String}


# $2: scopes that the snapshot speaks for, null for all; $3: its order value, null where order is that of arrival.
_SPOKEN_FOR = fragment(
    """
    heads h LEFT JOIN (SELECT DISTINCT key FROM incoming) i ON i.key = h.key
    WHERE h.dataset_id = $1 AND NOT h.deleted AND ($2::text[] IS NULL OR h.scope = ANY ($2))
    """
)
_ABSENT = fragment("i.key IS NULL AND coalesce($3::text >= h.order_value, true)")


async def count_absent(tx: Tx, dataset_id: int, scopes: Sequence[str] | None, order: str | None) -> Absent:
    """How many records the snapshot, whose keys are in `incoming`, speaks for, and how many it leaves out."""
    await tx.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '64MB'")
    row = await tx.fetchrow(
        sql(
            "SELECT count(*) AS live, count(*) FILTER (WHERE {absent}) AS absent FROM {spoken_for}",
            absent=_ABSENT,
            spoken_for=_SPOKEN_FOR,
        ),
        dataset_id,
        scopes,
        order,
    )
    assert row is not None
    return Absent(row["live"], row["absent"])


async def first_absent(tx: Tx, dataset_id: int, scopes: Sequence[str] | None, order: str | None) -> list[str]:
    """A few keys of those that it leaves out, for a person to look at."""
    query = sql(
        "SELECT h.key FROM {spoken_for} AND {absent} ORDER BY h.key LIMIT $4", absent=_ABSENT, spoken_for=_SPOKEN_FOR
    )
    return [row["key"] for row in await tx.fetch(query, dataset_id, scopes, order, SHOWN_KEYS)]


async def fetch_absent(
    tx: Tx, dataset_id: int, scopes: Sequence[str] | None, order: str | None
) -> AsyncIterator[pl.DataFrame]:
    """Those that it leaves out, as the heads they are: key, version, hash, record, scope."""
    query = sql(
        "SELECT h.key, h.version, h.hash, h.record, h.scope FROM {spoken_for} AND {absent}",
        absent=_ABSENT,
        spoken_for=_SPOKEN_FOR,
    )
    async for frame in _frames(tx.cursor(query, dataset_id, scopes, order, prefetch=FETCHED_ROWS)):
        yield frame


async def count_of_attempt(tx: Tx, dataset_id: int, attempt: int) -> Absent:
    """Live records, and how many of them have their newest version from this attempt."""
    row = await tx.fetchrow(
        """
        SELECT count(*) AS live, count(*) FILTER (WHERE substring(record FROM 1 FOR 4) = $2) AS absent
        FROM heads WHERE dataset_id = $1 AND NOT deleted
        """,
        dataset_id,
        attempt.to_bytes(4, "big"),
    )
    assert row is not None
    return Absent(row["live"], row["absent"])


async def fetch_of_attempt(tx: Tx, dataset_id: int, attempt: int) -> AsyncIterator[pl.DataFrame]:
    """The heads of those records: key, version, hash, record, scope."""
    query = """
        SELECT key, version, hash, record, scope FROM heads
        WHERE dataset_id = $1 AND NOT deleted AND substring(record FROM 1 FOR 4) = $2
    """
    async for frame in _frames(tx.cursor(query, dataset_id, attempt.to_bytes(4, "big"), prefetch=FETCHED_ROWS)):
        yield frame


async def _frames(found: AsyncIterable[Record]) -> AsyncIterator[pl.DataFrame]:
    rows: list[tuple[object, ...]] = []
    async for row in found:
        rows.append(tuple(row))
        if len(rows) == FETCHED_ROWS:
            yield pl.DataFrame(rows, schema=HEAD, orient="row")
            rows = []
    if rows:
        yield pl.DataFrame(rows, schema=HEAD, orient="row")
