"""The log: every version of every record, append-only."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import polars as pl
from chassis import Pool, Tx
from chassis.sql import Fragment, fragment, identifier, join, sql
from pgpq import ArrowToPostgresBinaryEncoder
from records.checksum import format_checksum

from loader.domain.faults import Mismatch
from loader.domain.loading import Tally
from loader.domain.tables import Place
from loader.domain.versions import sample

SYSTEM_COLUMNS = (
    "_key",
    "_version",
    "_change",
    "_changed",
    "_hash",
    "_previous_hash",
    "_position",
    "_attempt",
    "_line",
)


@dataclass(frozen=True)
class Payload:
    """Versions as PostgreSQL's COPY takes them, and a few of them to be read back."""

    columns: tuple[str, ...]
    nested: frozenset[str]
    """Columns of json, which a connection would read as what the text means."""
    count: int
    pieces: tuple[bytes, ...]
    sample: list[tuple[Any, ...]]


def encode(versions: pl.DataFrame, business: dict[str, str], attempt: int, orders: pl.Series | None = None) -> Payload:
    """The attempt's versions in the binary format of COPY; without orders none is sent."""
    attempts = pl.Series("_attempt", [attempt], pl.Int64).new_from_index(0, versions.height)
    held = {column.name: column for column in (*versions, attempts)}
    more = [] if orders is None else [orders.alias("_order")]
    rows = pl.DataFrame([held[name] for name in (*business, *SYSTEM_COLUMNS)] + more)
    table = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    encoder = ArrowToPostgresBinaryEncoder(table.schema)
    pieces = (encoder.write_header(), *map(encoder.write_batch, table.to_batches()), encoder.finish())
    nested = frozenset(name for name, declared in business.items() if declared == "json")
    return Payload(tuple(rows.columns), nested, rows.height, pieces, sample(rows))


async def append(tx: Tx, place: Place, payload: Payload) -> None:
    """Write the versions, and read a few back: they must be what was written."""
    done = await tx.copy_to_table(
        place.table,
        schema_name=place.log_schema,
        columns=payload.columns,
        source=_each(payload.pieces),
        format="binary",
    )
    if done != f"COPY {payload.count}":
        raise Mismatch(f"{payload.count} versions were sent and the log took {done}")
    await _check_sample(tx, place, payload)


async def _each(pieces: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _check_sample(tx: Tx, place: Place, payload: Payload) -> None:
    key, version = (payload.columns.index(name) for name in ("_key", "_version"))
    rows = await tx.fetch(
        sql(
            """
            SELECT {columns} FROM {log}
            WHERE _key = ANY ($1::text[]) AND _version = ANY ($2::text[]::bigint[])
            """,
            columns=_as_written(payload),
            log=place.log,
        ),
        [row[key] for row in payload.sample],
        # As texts: at the first array of numbers each connection would ask for its type, which takes 50 ms.
        [str(row[version]) for row in payload.sample],
    )
    written = {(row[key], row[version]): row for row in payload.sample}
    # Other versions of the same keys may have been found with them.
    if not written.items() <= {(row[key], row[version]): tuple(row) for row in rows}.items():
        raise Mismatch("rows read back from the log are not those that were written")


def _as_written(payload: Payload) -> Fragment:
    """The columns, nested values as their texts."""
    shown = (
        fragment("{name}::text", name=name) if name in payload.nested else identifier(name) for name in payload.columns
    )
    return join(", ", shown)


async def tally(db: Pool | Tx, place: Place, position: int) -> Tally:
    """Counts and checksum of the position's versions, worked out in the warehouse from what the log holds."""
    rows = await db.fetch(
        sql(
            """
            SELECT _change, count(*) AS versions,
                sum(substr(digest, 1, 8)::bigint) AS high, sum(substr(digest, 9, 8)::bigint) AS low,
                count(*) FILTER (WHERE get_byte(digest, 8) > 127) AS negative
            FROM (
                SELECT _change, sha256(convert_to(concat(
                    octet_length(_key), ':', _key, ',', _version, ',', _change, ',', encode(_hash, 'hex')
                ), 'UTF8')) AS digest
                -- OFFSET keeps the planner from working out the digest once for each use.
                FROM {log} WHERE _position = $1 OFFSET 0
            ) AS versions
            GROUP BY _change
            """,
            log=place.log,
        ),
        position,
    )
    # bigint has a sign: a low half above 2^63 was counted 2^64 too low.
    total = sum((int(row["high"]) << 64) + int(row["low"]) + (row["negative"] << 64) for row in rows)
    return Tally({row["_change"]: row["versions"] for row in rows}, format_checksum(total))


async def forget(tx: Tx, place: Place, position: int) -> None:
    """Take the versions of a position that was not applied out of the log."""
    await tx.execute(sql("DELETE FROM {log} WHERE _position = $1", log=place.log), position)
