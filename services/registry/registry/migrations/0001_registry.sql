-- Every file there ever was, and where each one stands (design.md 5).
CREATE TABLE datasets (
    dataset             text        PRIMARY KEY,
    organisation        text        NOT NULL,
    table_name          text        NOT NULL,
    declaration_version integer     NOT NULL DEFAULT 0,   -- 0: none yet
    last_arrival        bigint      NOT NULL DEFAULT 0,
    last_position       bigint      NOT NULL DEFAULT 0,
    newest_modified     timestamptz
);

CREATE TABLE declarations (
    dataset     text        NOT NULL REFERENCES datasets,
    version     integer     NOT NULL,
    body        json        NOT NULL, -- json keeps the order of the columns, jsonb does not
    who         text        NOT NULL,
    why         text,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset, version)
);

-- The folder of declarations as it was last taken; problems are what a person has to mend.
CREATE TABLE declaration_files (
    name     text        PRIMARY KEY,
    sha256   text        NOT NULL,
    dataset  text,
    problems text[]      NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE files (
    file_id             uuid        PRIMARY KEY,
    found_order         bigint      GENERATED ALWAYS AS IDENTITY,
    -- Byte order, as listings have it: the sweep merges the two.
    bucket              text        COLLATE "C" NOT NULL,
    key                 text        COLLATE "C" NOT NULL,
    version_id          text        COLLATE "C" NOT NULL,
    size                bigint      NOT NULL,
    etag                text        NOT NULL,
    last_modified       timestamptz NOT NULL,
    found_by            text        NOT NULL CHECK (found_by IN ('notification', 'sweep')),
    found_at            timestamptz NOT NULL DEFAULT now(),
    notified_at         timestamptz,
    missed              boolean     NOT NULL DEFAULT false,
    presence            text        NOT NULL DEFAULT 'present' CHECK (presence IN ('present', 'deleted', 'gone')),
    sent_by             text,
    sent_reason         text,
    organisation        text,
    table_name          text,
    dataset             text        REFERENCES datasets,
    arrival             bigint,
    late                boolean     NOT NULL DEFAULT false,
    registration        integer     NOT NULL DEFAULT 0,
    cause               text        CHECK (cause IN ('new', 'retry')),
    declaration_version integer,
    registered_at       timestamptz,
    announced_at        timestamptz,
    state               text        NOT NULL CHECK (state IN
        ('REGISTERED', 'HELD', 'INGESTED', 'LOADED', 'SKIPPED', 'REFUSED', 'FAILED', 'IGNORED')),
    code                text,
    reason              text,
    attempt             bigint      NOT NULL DEFAULT 0,
    rank                smallint    NOT NULL DEFAULT 0,
    base_attempt        bigint      NOT NULL DEFAULT 0,
    position            bigint,
    rows                jsonb,
    twin_file_id        uuid,
    ingested            jsonb,
    loaded              jsonb,
    balanced            boolean,
    changed_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (bucket, key, version_id),
    UNIQUE (dataset, arrival),
    CHECK ((arrival IS NULL) = (state = 'IGNORED'))
);
CREATE INDEX files_waiting ON files (dataset, found_order) WHERE state = 'IGNORED';
CREATE INDEX files_in_work ON files (dataset, arrival) WHERE state = 'REGISTERED';
CREATE INDEX files_unnotified ON files (found_at) WHERE found_by = 'sweep' AND notified_at IS NULL AND NOT missed;

CREATE TABLE file_audit (
    audit_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    file_id    uuid,                                      -- null: a row about the dataset's declaration
    dataset    text,
    who        text        NOT NULL,
    from_state text,
    to_state   text        NOT NULL,
    why        text
);
CREATE INDEX file_audit_file ON file_audit (file_id, audit_id) WHERE file_id IS NOT NULL;
CREATE INDEX file_audit_dataset ON file_audit (dataset, audit_id) WHERE file_id IS NULL;
