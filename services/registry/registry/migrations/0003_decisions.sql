-- Files wait for decisions, and a release announces a file again.
ALTER TABLE files DROP CONSTRAINT files_cause_check,
    ADD CONSTRAINT files_cause_check CHECK (cause IN ('new', 'repeat', 'retry', 'release'));
ALTER TABLE files
    ADD COLUMN holds    jsonb  NOT NULL DEFAULT '[]', -- code and reason of each, while they count
    ADD COLUMN proposal json,                         -- json keeps the order of the columns, jsonb does not
    ADD COLUMN accepted text[] NOT NULL DEFAULT '{}'; -- codes of the holds that were released

-- What was decided of files that waited, by whom, and what came of it; never changed but by `confirm_refusal`.
CREATE TABLE decisions (
    decision_id         uuid        PRIMARY KEY,      -- the request's, or of the event that a policy answered
    file_id             uuid        NOT NULL REFERENCES files,
    dataset             text        NOT NULL,
    attempt             bigint      NOT NULL,
    codes               text[]      NOT NULL,
    decision            text        NOT NULL CHECK (decision IN ('release', 'refuse')),
    renames             json        NOT NULL,
    accept_columns      boolean     NOT NULL,
    declaration_version integer,                      -- release: under which the file is registered again
    who                 text        NOT NULL,
    why                 text,
    accepted            boolean     NOT NULL,
    problem             text,
    at                  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (accepted = (problem IS NULL))
);
CREATE INDEX decisions_file ON decisions (file_id, at);
