"""The current table: one row a record, as of the applied position."""

import asyncpg
from chassis import Tx
from chassis.sql import Fragment, columns, fragment, identifier, join, sql

from loader.domain.faults import Mismatch
from loader.domain.loading import Load
from loader.domain.tables import Place


async def apply_position(tx: Tx, load: Load, changes: frozenset[str], *, has_key: bool) -> dict[str, int]:
    """Make the table what the log says as of this position; how many rows each kind of change has changed."""
    place, position, business = load.place, load.fact.position, load.tables.columns
    done = {}
    if not has_key:
        done["insert"] = await _insert(tx, place, position, business)
        await _add_key(tx, place)
        changes -= {"insert"}
    steps = {"delete": _delete, "update": _update, "insert": _insert}
    for change in (change for change in steps if change in changes):
        done[change] = await steps[change](tx, place, position, business)
    return done


async def _add_key(tx: Tx, place: Place) -> None:
    try:
        await tx.execute(sql("ALTER TABLE {current} ADD PRIMARY KEY (_key)", current=place.current))
    except asyncpg.UniqueViolationError as error:
        raise Mismatch(f"two inserts of one key: {error.detail}") from error


async def _insert(tx: Tx, place: Place, position: int, business: dict[str, str]) -> int:
    """Every insert must find no row: there is no ON CONFLICT."""
    names = columns([*business, "_key", "_version", "_position"])
    try:
        done = await tx.execute(
            sql(
                """
                INSERT INTO {current} ({names})
                SELECT {names} FROM {log} WHERE _position = $1 AND _change = 'insert'
                """,
                current=place.current,
                log=place.log,
                names=names,
            ),
            position,
        )
    except asyncpg.UniqueViolationError as error:
        raise Mismatch(f"an insert found a current row: {error.detail}") from error
    return _count(done)


async def _update(tx: Tx, place: Place, position: int, business: dict[str, str]) -> int:
    """An update finds the row only at the version right before its own."""
    done = await tx.execute(
        sql(
            """
            UPDATE {current} AS c SET {settings}, _version = l._version, _position = l._position, _loaded_at = now()
            FROM {log} AS l
            WHERE l._position = $1 AND l._change = 'update' AND c._key = l._key AND c._version = l._version - 1
            """,
            current=place.current,
            log=place.log,
            settings=_settings(business),
        ),
        position,
    )
    return _count(done)


def _settings(business: dict[str, str]) -> Fragment:
    return join(", ", [fragment("{name} = {new}", name=name, new=identifier("l", name)) for name in business])


async def _delete(tx: Tx, place: Place, position: int, _business: dict[str, str]) -> int:
    done = await tx.execute(
        sql(
            """
            DELETE FROM {current} AS c USING {log} AS l
            WHERE l._position = $1 AND l._change = 'delete' AND c._key = l._key AND c._version = l._version - 1
            """,
            current=place.current,
            log=place.log,
        ),
        position,
    )
    return _count(done)


def _count(done: str) -> int:
    return int(done.split()[-1])
