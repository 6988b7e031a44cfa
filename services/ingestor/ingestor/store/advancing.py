"""Making versions the heads of their records: by COPY, or by arrays where they are few."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import polars as pl
from chassis import Tx
from chassis.sql import Fragment, fragment, sql

from ingestor.store.copying import copy_in
from ingestor.store.heads import choose_plan

HEAD = ("key", "version", "hash", "record")
STATED = ("order_value", "scope")
"""What a version was said with, in datasets whose files say it."""

_NAMES = fragment("key, version, hash, record")
_ALL_NAMES = fragment("key, version, hash, record, order_value, scope")
_ARRAYS = fragment("$2::text[], $3::integer[], $4::bytea[], $5::bytea[]")
_ALL_ARRAYS = fragment("$2::text[], $3::integer[], $4::bytea[], $5::bytea[], $6::text[], $7::text[]")
# A version without a hash is a delete: its head keeps the hash that was.
_SETTINGS = fragment(
    "version = n.version, hash = coalesce(n.hash, h.hash), deleted = n.hash IS NULL, record = n.record"
)
_ALL_SETTINGS = fragment("{settings}, order_value = n.order_value, scope = n.scope", settings=_SETTINGS)


@dataclass(frozen=True)
class NewHeads:
    """Versions (key, version, hash, record; if stated: order_value, scope) that become the heads of their records.

    So many are first ones, each of a key without a head, so many later ones, each with the head before it. A version
    without a hash is a delete.
    """

    versions: Callable[[], AsyncIterator[pl.DataFrame]]
    first: int
    later: int
    is_stated: bool = False


async def advance(tx: Tx, dataset_id: int, new: NewHeads) -> None:
    """Make these versions the heads; raises where one of them does not follow its head: nothing is right then."""
    if new.first:
        await _insert(tx, dataset_id, new)
    if new.later:
        await _update(tx, dataset_id, new)


async def advance_few(tx: Tx, dataset_id: int, new: NewHeads) -> None:
    """As `advance`, for a small file: one statement with arrays for either kind."""
    if new.first:
        await _insert_few(tx, dataset_id, new)
    if new.later:
        await _update_few(tx, dataset_id, new)


async def restate(tx: Tx, dataset_id: int, heads: AsyncIterator[pl.DataFrame]) -> None:
    """The same content was said again: these heads (key, order_value, scope) have its order and scope now."""
    async for frame in heads:
        if frame.height:
            await tx.execute(
                """
                UPDATE heads h SET order_value = n.order_value, scope = n.scope
                FROM unnest($2::text[], $3::text[], $4::text[]) AS n(key, order_value, scope)
                WHERE h.dataset_id = $1 AND h.key = n.key
                """,
                dataset_id,
                *(frame[name].to_list() for name in ("key", *STATED)),
            )


async def raise_floors(tx: Tx, dataset_id: int, floors: dict[str, str]) -> None:
    """Snapshots of this order spoke for all keys of these scopes."""
    await tx.execute(
        """
        INSERT INTO scopes (dataset_id, scope, order_value) SELECT $1, * FROM unnest($2::text[], $3::text[])
        ON CONFLICT (dataset_id, scope) DO UPDATE
        SET order_value = greatest(scopes.order_value, excluded.order_value)
        """,
        dataset_id,
        list(floors),
        list(floors.values()),
    )


async def _insert_few(tx: Tx, dataset_id: int, new: NewHeads) -> None:
    status = await tx.execute(
        sql(
            """
            INSERT INTO heads (dataset_id, {names}, deleted)
            SELECT $1, n.*, false FROM unnest({arrays}) AS n({names})
            """,
            names=_names(new.is_stated),
            arrays=_ALL_ARRAYS if new.is_stated else _ARRAYS,
        ),
        dataset_id,
        *_lists([frame.filter(pl.col("version") == 1) async for frame in new.versions()], new.is_stated),
    )
    _check(new.first, int(status.removeprefix("INSERT 0 ")))


async def _update_few(tx: Tx, dataset_id: int, new: NewHeads) -> None:
    status = await tx.execute(
        sql(
            """
            UPDATE heads h SET {settings} FROM unnest({arrays}) AS n({names})
            WHERE h.dataset_id = $1 AND h.key = n.key AND h.version = n.version - 1
            """,
            settings=_settings(new.is_stated),
            arrays=_ALL_ARRAYS if new.is_stated else _ARRAYS,
            names=_names(new.is_stated),
        ),
        dataset_id,
        *_lists([frame.filter(pl.col("version") > 1) async for frame in new.versions()], new.is_stated),
    )
    _check(new.later, int(status.removeprefix("UPDATE ")))


def _names(is_stated: bool) -> Fragment:
    return _ALL_NAMES if is_stated else _NAMES


def _settings(is_stated: bool) -> Fragment:
    return _ALL_SETTINGS if is_stated else _SETTINGS


def _columns(is_stated: bool) -> list[str]:
    return [*HEAD, *STATED] if is_stated else [*HEAD]


def _lists(frames: list[pl.DataFrame], is_stated: bool) -> list[list[object]]:
    """The columns as Python lists, in the order of the arrays."""
    versions = pl.concat(frames)
    return [versions[name].to_list() for name in _columns(is_stated)]


async def _insert(tx: Tx, dataset_id: int, new: NewHeads) -> None:
    rows = (
        frame.filter(pl.col("version") == 1).select(
            pl.lit(dataset_id, pl.Int32).alias("dataset_id"),
            *_selected(new.is_stated),
            pl.lit(value=False).alias("deleted"),
        )
        async for frame in new.versions()
    )
    # A key that has a head already is refused by the primary key.
    _check(new.first, await copy_in(tx, "heads", ["dataset_id", *_columns(new.is_stated), "deleted"], rows))


async def _update(tx: Tx, dataset_id: int, new: NewHeads) -> None:
    await tx.execute(
        'CREATE TEMP TABLE IF NOT EXISTS advancing (key text COLLATE "C" NOT NULL, version integer NOT NULL,'
        ' hash bytea, record bytea NOT NULL, order_value text COLLATE "C", scope text COLLATE "C")'
        " ON COMMIT DELETE ROWS"
    )
    rows = (frame.filter(pl.col("version") > 1).select(_selected(new.is_stated)) async for frame in new.versions())
    _check(new.later, await copy_in(tx, "advancing", _columns(new.is_stated), rows))
    await choose_plan(tx, new.later)
    status = await tx.execute(
        sql(
            """
            UPDATE heads h SET {settings} FROM advancing n
            WHERE h.dataset_id = $1 AND h.key = n.key AND h.version = n.version - 1
            """,
            settings=_settings(new.is_stated),
        ),
        dataset_id,
    )
    _check(new.later, int(status.removeprefix("UPDATE ")))


def _selected(is_stated: bool) -> list[pl.Expr]:
    return [pl.col(name).cast(pl.Int32) if name == "version" else pl.col(name) for name in _columns(is_stated)]


def _check(expected: int, advanced: int) -> None:
    if advanced != expected:
        raise RuntimeError(f"{expected} heads were to advance, {advanced} did")
