-- What the ingestor said of each position, what of it is in the log, and which position the current tables show.
CREATE TABLE facts (
    dataset       text        NOT NULL,
    position      bigint      NOT NULL,
    event         jsonb       NOT NULL,
    registered_at timestamptz NOT NULL,
    stored_at     timestamptz NOT NULL DEFAULT now(),
    file_id       uuid    NOT NULL GENERATED ALWAYS AS ((event ->> 'file_id')::uuid) STORED,
    arrival       bigint  NOT NULL GENERATED ALWAYS AS ((event ->> 'arrival')::bigint) STORED,
    registration  bigint  NOT NULL GENERATED ALWAYS AS ((event ->> 'registration')::bigint) STORED,
    attempt       bigint  NOT NULL GENERATED ALWAYS AS ((event ->> 'attempt')::bigint) STORED,
    sha256        text    NOT NULL GENERATED ALWAYS AS (event ->> 'sha256') STORED,
    rule_version  bigint  NOT NULL GENERATED ALWAYS AS ((event ->> 'rule_version')::bigint) STORED,
    rows_read     bigint  NOT NULL GENERATED ALWAYS AS ((event -> 'rows' ->> 'read')::bigint) STORED,
    rows_rejected bigint  NOT NULL GENERATED ALWAYS AS ((event -> 'rows' ->> 'rejected')::bigint) STORED,
    bucket        text    NOT NULL GENERATED ALWAYS AS (event -> 'source' ->> 'bucket') STORED,
    object_key    text    NOT NULL GENERATED ALWAYS AS (event -> 'source' ->> 'object_key') STORED,
    version_id    text    NOT NULL GENERATED ALWAYS AS (event -> 'source' ->> 'version_id') STORED,
    size          bigint  NOT NULL GENERATED ALWAYS AS ((event -> 'source' ->> 'size')::bigint) STORED,
    "user"        text    GENERATED ALWAYS AS (event -> 'source' ->> 'user') STORED,
    reason        text    GENERATED ALWAYS AS (event -> 'source' ->> 'reason') STORED,
    PRIMARY KEY (dataset, position)
);
CREATE INDEX facts_file ON facts (file_id);

CREATE TABLE datasets (
    dataset    text   PRIMARY KEY,
    applied    bigint NOT NULL DEFAULT 0,
    applied_at timestamptz,
    -- Columns as this service made them, [name, declared type] each: what the catalogue is compared with.
    columns    jsonb  NOT NULL DEFAULT '[]'
);

CREATE TABLE batches (
    dataset       text        NOT NULL,
    position      bigint      NOT NULL,
    number        bigint      NOT NULL,
    version_count bigint      NOT NULL,
    checksum      text        NOT NULL,
    appended_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, position, number)
);

-- A part of a key with everything but unreserved characters as %XX, `_` and `%` too (conventions.md 7).
CREATE FUNCTION percent_escaped(part text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT coalesce(string_agg(
        CASE WHEN byte BETWEEN 48 AND 57 OR byte BETWEEN 65 AND 90 OR byte BETWEEN 97 AND 122 OR byte IN (45, 46, 126)
             THEN chr(byte) ELSE '%' || upper(lpad(to_hex(byte), 2, '0')) END, '' ORDER BY place), '')
    FROM (SELECT place, get_byte(convert_to(part, 'UTF8'), place) AS byte
          FROM generate_series(0, octet_length(part) - 1) AS place) AS bytes
);

-- A record's key, taken apart at `|` and freed of the key's own escapes, as people are shown it.
CREATE FUNCTION shown_key(key text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT coalesce(string_agg(
        CASE WHEN token[1] = '|' THEN '_'
             WHEN starts_with(token[1], '\x') THEN '%' || upper(substr(token[1], 3))
             WHEN starts_with(token[1], '\') THEN percent_escaped(substr(token[1], 2))
             ELSE percent_escaped(token[1]) END, '' ORDER BY place), '')
    FROM regexp_matches(key, '\\x[0-9a-f]{2}|\\[\\|]|[^\\|]+|\|', 'g') WITH ORDINALITY AS tokens (token, place)
);
