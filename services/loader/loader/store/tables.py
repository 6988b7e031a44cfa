"""The organisations' schemas, tables and reader roles: made, widened and compared with what was made."""

from collections.abc import Iterable

import asyncpg
from chassis import Tx
from chassis.sql import Fragment, column_type, fragment, identifier, join, sql
from waybill_contracts import RecordsIngested

from loader.domain.faults import Mismatch
from loader.domain.tables import LAYOUT, Place, Tables
from loader.store.history import drop_history, make_history

FIRST_LOG_COLUMNS = {
    "_key": "text",
    "_version": "bigint",
    "_change": "text",
    "_changed": "text[]",
    "_hash": "bytea",
    "_previous_hash": "bytea",
    "_position": "bigint",
    "_attempt": "bigint",
    "_line": "bigint",
    "_loaded_at": "timestamp with time zone",
}
LOG_COLUMNS = {1: FIRST_LOG_COLUMNS, 2: FIRST_LOG_COLUMNS | {"_order": "text"}}
"""By layout; each only adds what may be null, so that a loader can write to tables of a newer one."""
CURRENT_COLUMNS = {
    "_key": "text",
    "_version": "bigint",
    "_position": "bigint",
    "_loaded_at": "timestamp with time zone",
}
CATALOGUE_NAMES = {"timestamptz": "timestamp with time zone"}


async def change_tables(tx: Tx, place: Place, made: Tables, wanted: Tables, fact: RecordsIngested) -> None:
    """Log, current table and history view hold what is wanted; what was made is only widened and added to."""
    if not made.columns:
        await _make_schemas(tx, place)
        await _make_tables(tx, place, wanted.columns)
    else:
        await check_columns(tx, place, made)
        if made.layout < wanted.layout:
            await _add_order(tx, place)
        await _alter_tables(tx, place, made.columns, wanted.columns)
    await make_history(tx, place, wanted.columns, fact)


async def _add_order(tx: Tx, place: Place) -> None:
    """From layout 1 to 2; no row of the log is read or written for it."""
    await drop_history(tx, place)
    try:
        await tx.execute(sql('ALTER TABLE {log} ADD COLUMN _order text COLLATE "C"', log=place.log))
    except asyncpg.DuplicateColumnError as error:
        raise Mismatch(f"table {'.'.join(place.log)} has a column _order that this service did not make") from error


async def _make_schemas(tx: Tx, place: Place) -> None:
    """The organisation's schemas and its reader role, closed to everybody else."""
    # Two tables of an organisation may be first at the same time.
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", place.current_schema)
    await _make_role(tx, place.reader)
    current, log, reader = place.current_schema, place.log_schema, place.reader
    await tx.execute(sql("CREATE SCHEMA IF NOT EXISTS {current}", current=current))
    await tx.execute(sql("CREATE SCHEMA IF NOT EXISTS {log}", log=log))
    await tx.execute(sql("REVOKE ALL ON SCHEMA {current}, {log} FROM PUBLIC", current=current, log=log))
    await tx.execute(sql("GRANT USAGE ON SCHEMA {current} TO {reader}", current=current, reader=reader))
    await tx.execute(
        sql(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {current} GRANT SELECT ON TABLES TO {reader}",
            current=current,
            reader=reader,
        )
    )


async def _make_role(tx: Tx, role: str) -> None:
    if await tx.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        return
    try:
        async with tx.transaction():
            await tx.execute(sql("CREATE ROLE {role} NOLOGIN", role=role))
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        # Roles belong to the whole server; another database's loader was faster.
        pass


async def _make_tables(tx: Tx, place: Place, columns: dict[str, str]) -> None:
    """The log with its keys; the current table gets its key at its first apply, which is faster."""
    await tx.execute(
        sql(
            """
            CREATE TABLE {log} (
                {columns},
                _version bigint NOT NULL, _position bigint NOT NULL, _attempt bigint NOT NULL, _line bigint,
                _loaded_at timestamptz NOT NULL DEFAULT now(),
                _key text COLLATE "C" NOT NULL, _change text NOT NULL, _changed text[],
                _hash bytea, _previous_hash bytea, _order text COLLATE "C",
                PRIMARY KEY (_key, _version)
            )
            """,
            log=place.log,
            columns=_definitions(columns),
        )
    )
    await tx.execute(sql("CREATE INDEX ON {log} (_position)", log=place.log))
    await tx.execute(
        sql(
            """
            CREATE TABLE {current} (
                {columns},
                _version bigint NOT NULL, _position bigint NOT NULL, _loaded_at timestamptz NOT NULL DEFAULT now(),
                _key text COLLATE "C" NOT NULL
            )
            """,
            current=place.current,
            columns=_definitions(columns),
        )
    )


def _definitions(columns: dict[str, str]) -> Fragment:
    return join(
        ", ", [fragment("{name} {type}", name=name, type=column_type(declared)) for name, declared in columns.items()]
    )


async def _alter_tables(tx: Tx, place: Place, made: dict[str, str], wanted: dict[str, str]) -> None:
    if wanted == made:
        return
    added = [name for name in wanted if name not in made]
    widened = [name for name in made if wanted[name] != made[name]]
    if widened:
        await drop_history(tx, place)
    actions = join(
        ", ",
        [fragment("ADD COLUMN {name} {type}", name=name, type=column_type(wanted[name])) for name in added]
        + [fragment("ALTER COLUMN {name} TYPE {type}", name=name, type=column_type(wanted[name])) for name in widened],
    )
    for table in (place.log, place.current):
        await tx.execute(sql("ALTER TABLE {table} {actions}", table=table, actions=actions))


async def check_columns(tx: Tx, place: Place, made: Tables) -> bool:
    """The catalogue says of both tables what this service made, and will until the transaction ends.

    Somebody else's changes raise Mismatch. Whether the current table has its key.
    """
    # Held to the end of the transaction, so that no type changes between this look and the write.
    await tx.execute(sql("LOCK TABLE {log}, {current} IN ROW EXCLUSIVE MODE", log=place.log, current=place.current))
    business = {name: _catalogue_name(declared) for name, declared in made.columns.items()}
    log_columns = LOG_COLUMNS[min(made.layout, LAYOUT)]
    rows = await _read_catalogue(tx, place)
    for table, system in ((place.log, log_columns), (place.current, CURRENT_COLUMNS)):
        found = {row["attname"]: row["type"] for row in rows if row["is_log"] == (table == place.log)}
        if faults := _differences(found, business | system):
            raise Mismatch(f"table {'.'.join(table)} is not as it was made: {'; '.join(faults)}")
    return any(row["has_key"] for row in rows if not row["is_log"])


def _catalogue_name(declared: str) -> str:
    name = column_type(declared).text
    return CATALOGUE_NAMES.get(name, name)


def _differences(found: dict[str, str], made: dict[str, str]) -> Iterable[str]:
    return [
        f"column {name} is {found.get(name, 'gone')}, not {kind}"
        for name, kind in made.items()
        if found.get(name) != kind
    ]


async def _read_catalogue(tx: Tx, place: Place) -> list[asyncpg.Record]:
    """The columns that log and current table have, with their types, and whether the table has a primary key."""
    # One statement for all datasets: a connection remembers a hundred, and each is planned anew five times.
    return await tx.fetch(
        """
        SELECT t.is_log, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
            EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype = 'p') AS has_key
        FROM (VALUES (true, $1::text::regclass), (false, $2::text::regclass)) AS t (is_log, oid)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        """,
        identifier(*place.log).text,
        identifier(*place.current).text,
    )
