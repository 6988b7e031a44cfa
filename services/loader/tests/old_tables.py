"""Log, current table and history view as the loader made them before it kept an order: layout 1."""

TABLES = """
    DROP VIEW {history};
    ALTER TABLE {log} RENAME TO newer_log;
    CREATE TABLE {log} (
        {columns},
        _version bigint NOT NULL, _position bigint NOT NULL, _attempt bigint NOT NULL, _line bigint,
        _loaded_at timestamptz NOT NULL DEFAULT now(),
        _key text COLLATE "C" NOT NULL, _change text NOT NULL, _changed text[],
        _hash bytea, _previous_hash bytea,
        CONSTRAINT old_pkey PRIMARY KEY (_key, _version)
    );
    CREATE INDEX ON {log} (_position);
    INSERT INTO {log} ({names}, _version, _position, _attempt, _line, _loaded_at, _key, _change, _changed, _hash,
        _previous_hash)
    SELECT {names}, _version, _position, _attempt, _line, _loaded_at, _key, _change, _changed, _hash, _previous_hash
    FROM {newer_log};
    DROP TABLE {newer_log};
"""
HISTORY = """
    CREATE OR REPLACE VIEW {history} WITH (security_barrier = true) AS
    SELECT '{organisation}'::text AS _organisation, '{table}'::text AS _table,
        'org_{organisation}_{table}_' || CASE WHEN starts_with(l._key, 'sha256:')
            THEN coalesce(percent_escaped(l.{key}::text), shown_key(l._key)) ELSE shown_key(l._key) END AS _record,
        l._key, l._version, nullif(l._version - 1, 0) AS _previous_version,
        l._change, l._changed,
        encode(l._hash, 'hex') AS _hash, encode(l._previous_hash, 'hex') AS _previous_hash,
        f.file_id AS _file_id, f.arrival AS _arrival, f.registration AS _registration,
        l._attempt, l._position, l._line,
        f.bucket AS _bucket, f.object_key AS _object, f.version_id AS _object_version, f.size AS _size,
        f.sha256 AS _sha256, f."user" AS _user, f.reason AS _reason,
        f.registered_at AS _registered_at, l._loaded_at, f.rule_version AS _rule_version,
        f.rows_read AS _rows_read, f.rows_rejected AS _rows_rejected,
        {names}
    FROM {log} l
    JOIN facts f ON f.dataset = '{organisation}/{table}' AND f.position = l._position
    WHERE l._position <= (SELECT applied FROM datasets WHERE dataset = '{organisation}/{table}')
"""
LEDGER = """
    ALTER TABLE datasets DROP COLUMN layout;
    DELETE FROM migrations WHERE name = '0002_layout.sql';
"""
KINDS = {"integer": "bigint", "float": "double precision", "timestamp": "timestamptz", "decimal(12,2)": "numeric(12,2)"}


async def make_old(warehouse, *senders):
    """What these have loaded so far lies as the loader of before would have left it, its own schema too."""
    for sender in senders:
        where = (sender.organisation, sender.table)
        log = warehouse.log(*where)
        parts = {
            "log": log,
            "newer_log": f"{log.rpartition('.')[0]}.newer_log",
            "history": warehouse.history(*where),
            "names": ", ".join(sender.types),
            "columns": ", ".join(f"{name} {KINDS.get(kind, kind)}" for name, kind in sender.types.items()),
            "organisation": sender.organisation,
            "table": sender.table,
            "key": sender.key[0],
        }
        await warehouse.db.execute(TABLES.format(**parts))
        await warehouse.db.execute(HISTORY.format(**parts))
    await warehouse.db.execute(LEDGER)
