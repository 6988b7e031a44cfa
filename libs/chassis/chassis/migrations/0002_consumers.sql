-- Where each consumer stands with its dead letters; one that is held stays so over a restart.
CREATE TABLE consumers (
    topic               text    NOT NULL,
    consumer_group      text    NOT NULL,
    dead_in_a_row       integer NOT NULL DEFAULT 0,
    last_dead_partition integer,
    last_dead_offset    bigint,
    reason              text,
    held_since          timestamptz,
    PRIMARY KEY (topic, consumer_group)
);
