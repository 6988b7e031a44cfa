-- Inbox, outbox (Debezium's columns, so that CDC can take the relay's place), and jobs.
CREATE TABLE inbox (
    event_id    uuid        NOT NULL,
    replay_id   text        NOT NULL,
    handled_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, replay_id)
);
CREATE INDEX inbox_handled_at ON inbox (handled_at);

CREATE TABLE outbox (
    seq           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid        NOT NULL,
    topic         text        NOT NULL,
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    type          text        NOT NULL,
    payload       bytea       NOT NULL,
    headers       jsonb       NOT NULL,
    occurred_at   timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz,
    "partition"   integer,
    "offset"      bigint
);
-- The relay scans by flag, never by "seq > last": numbers are given at insert, not at commit.
CREATE INDEX outbox_pending ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE lanes (
    kind         text    NOT NULL,
    lane         text    NOT NULL,
    owner        text    NOT NULL,
    last_attempt integer NOT NULL DEFAULT 0,
    contiguous   bigint  NOT NULL DEFAULT 0,
    turn         bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, lane)
);
CREATE INDEX lanes_turn ON lanes (kind, owner, turn);
CREATE SEQUENCE turns;

CREATE TABLE jobs (
    kind       text        NOT NULL,
    lane       text        NOT NULL,
    seq        bigint      NOT NULL,
    state      text        NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'HELD', 'SKIPPED', 'REFUSED')),
    due        timestamptz NOT NULL DEFAULT now(),
    tries      integer     NOT NULL DEFAULT 0,
    attempt    integer     NOT NULL DEFAULT 0,
    lease      timestamptz,
    deadline   timestamptz,
    payload    json        NOT NULL, -- json keeps the order of the columns, jsonb does not
    cause      jsonb       NOT NULL,
    reason     text,
    queued_at  timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at   timestamptz,
    PRIMARY KEY (kind, lane, seq),
    FOREIGN KEY (kind, lane) REFERENCES lanes (kind, lane)
);
CREATE INDEX jobs_open ON jobs (kind, lane, seq) WHERE state NOT IN ('DONE', 'SKIPPED', 'REFUSED');
CREATE INDEX jobs_running ON jobs (kind, lane) WHERE state = 'RUNNING';
