"""The history view: the change log that people read, up to the applied position, with the facts of each file."""

import asyncpg
from chassis import Tx
from chassis.sql import Fragment, columns, fragment, identifier, join, literal, sql
from waybill_contracts import RecordsIngested

from loader.domain.faults import Mismatch
from loader.domain.tables import Place


async def drop_history(tx: Tx, place: Place) -> None:
    """PostgreSQL widens no column that a view shows, and adds none but behind the others."""
    try:
        await tx.execute(sql("DROP VIEW IF EXISTS {history}", history=place.history))
    except asyncpg.DependentObjectsStillExistError as error:
        view = ".".join(place.history)
        raise Mismatch(
            f"the view {view} must be made anew for this file, and cannot: {error.detail}; nothing was changed:"
            " drop what depends on it, retry the file, and make it again"
        ) from error


async def make_history(tx: Tx, place: Place, business: dict[str, str], fact: RecordsIngested) -> None:
    """Make the view, or give it the columns that were added."""
    # With security_barrier no function in a reader's query sees the facts of other datasets.
    await tx.execute(
        sql(
            """
            CREATE OR REPLACE VIEW {history} WITH (security_barrier = true) AS
            SELECT {organisation}::text AS _organisation, {table}::text AS _table,
                {prefix} || {shown} AS _record, l._key, l._version, nullif(l._version - 1, 0) AS _previous_version,
                l._change, l._changed,
                encode(l._hash, 'hex') AS _hash, encode(l._previous_hash, 'hex') AS _previous_hash,
                f.file_id AS _file_id, f.arrival AS _arrival, f.registration AS _registration,
                l._attempt, l._position, l._line, l._order,
                f.bucket AS _bucket, f.object_key AS _object, f.version_id AS _object_version, f.size AS _size,
                f.sha256 AS _sha256, f."user" AS _user, f.reason AS _reason,
                f.registered_at AS _registered_at, l._loaded_at, f.rule_version AS _rule_version,
                f.rows_read AS _rows_read, f.rows_rejected AS _rows_rejected,
                {business}
            FROM {log} l
            JOIN facts f ON f.dataset = {dataset} AND f.position = l._position
            WHERE l._position <= (SELECT applied FROM datasets WHERE dataset = {dataset})
            """,
            history=place.history,
            log=place.log,
            business=columns(business, "l"),
            shown=_shown_key(place, {name: business[name] for name in fact.key}),
            **_constants(fact),
        )
    )


def _constants(fact: RecordsIngested) -> dict[str, Fragment]:
    return {
        "dataset": literal(fact.dataset),
        "organisation": literal(fact.organisation),
        "table": literal(fact.table),
        "prefix": literal(f"org_{fact.organisation}_{fact.table}_"),
    }


def _shown_key(place: Place, key: dict[str, str]) -> Fragment:
    """The key as people see it; where only its digest is kept, from its columns."""
    if not key:
        return fragment("shown_key(l._key)")
    return fragment(
        """
        CASE WHEN starts_with(l._key, 'sha256:') THEN coalesce(
            {parts},
            -- A delete has no values; the version before it has.
            (SELECT {former_parts} FROM {log} p WHERE p._key = l._key AND p._version = l._version - 1),
            shown_key(l._key)
        ) ELSE shown_key(l._key) END
        """,
        log=place.log,
        parts=_joined_parts("l", key),
        former_parts=_joined_parts("p", key),
    )


def _joined_parts(relation: str, key: dict[str, str]) -> Fragment:
    return join(
        " || '_' || ",
        [fragment("percent_escaped({text})", text=_canonical(relation, *column)) for column in key.items()],
    )


def _canonical(relation: str, name: str, declared: str) -> Fragment:
    """The canonical text of a column (design.md 13)."""
    column = identifier(relation, name)
    match declared:
        case "date":
            return fragment("to_char({column}, 'YYYY-MM-DD')", column=column)
        case "timestamp":
            return fragment("""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""", column=column)
        case "timestamp(6)":
            return fragment("""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""", column=column)
    return fragment("{column}::text", column=column)
