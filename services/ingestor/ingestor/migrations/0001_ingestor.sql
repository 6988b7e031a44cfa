CREATE TABLE datasets (
    dataset_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset       text    NOT NULL UNIQUE,
    position      integer NOT NULL DEFAULT 0,
    -- Every column the dataset ever had, with the widest type it was declared with.
    columns       jsonb   NOT NULL DEFAULT '{}',
    -- Up to here no attempt can wake any more: the sweep is done with them for good.
    swept_attempt integer NOT NULL DEFAULT 0
);

-- The newest version of every record. Space is left in each page, so that most advances touch no index.
CREATE TABLE heads (
    dataset_id integer          NOT NULL,
    key        text COLLATE "C" NOT NULL,
    version    integer          NOT NULL,
    hash       bytea            NOT NULL,
    deleted    boolean          NOT NULL,
    record     bytea            NOT NULL,
    PRIMARY KEY (dataset_id, key)
) WITH (fillfactor = 90);

CREATE TABLE positions (
    dataset_id   integer     NOT NULL REFERENCES datasets,
    position     integer     NOT NULL,
    attempt      integer     NOT NULL,
    file_id      uuid        NOT NULL,
    arrival      bigint      NOT NULL,
    registration integer     NOT NULL,
    sha256       text        NOT NULL,
    declaration  json        NOT NULL, -- json keeps the order of the columns: documents are read in it, fast
    rule_version integer     NOT NULL,
    rows         jsonb       NOT NULL,
    finished_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset_id, position),
    UNIQUE (dataset_id, attempt)
);

CREATE TABLE batches (
    dataset_id    integer NOT NULL,
    position      integer NOT NULL,
    number        integer NOT NULL,
    version_count integer NOT NULL,
    checksum      text    NOT NULL,
    PRIMARY KEY (dataset_id, position, number),
    FOREIGN KEY (dataset_id, position) REFERENCES positions
);

-- The first rejects of an attempt, also of one that failed; all of them are in the output bucket.
CREATE TABLE rejects (
    dataset_id integer NOT NULL REFERENCES datasets,
    attempt    integer NOT NULL,
    number     integer NOT NULL,
    line       bigint  NOT NULL,
    codes      text[]  NOT NULL,
    reasons    text[]  NOT NULL,
    raw        text    NOT NULL,
    PRIMARY KEY (dataset_id, attempt, number)
);
