-- What a record was last said with: the order value, and the partition of a snapshot that it belongs to.
ALTER TABLE heads ADD COLUMN order_value text COLLATE "C", ADD COLUMN scope text COLLATE "C";

ALTER TABLE positions ADD COLUMN order_value text COLLATE "C", ADD COLUMN scope text COLLATE "C";

-- The newest snapshot that spoke for all keys of a scope; '' is the whole dataset.
CREATE TABLE scopes (
    dataset_id  integer          NOT NULL REFERENCES datasets,
    scope       text COLLATE "C" NOT NULL,
    order_value text COLLATE "C" NOT NULL,
    PRIMARY KEY (dataset_id, scope)
);

-- Why an attempt ended in HELD, with the facts that a person decides by.
CREATE TABLE holds (
    dataset_id integer     NOT NULL REFERENCES datasets,
    attempt    integer     NOT NULL,
    number     integer     NOT NULL,
    code       text        NOT NULL,
    reason     text        NOT NULL,
    facts      jsonb       NOT NULL,
    held_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dataset_id, attempt, number)
);

-- Rows that were taken although they broke a rule of severity warn, by rule: how many, and the first lines.
CREATE TABLE warnings (
    dataset_id integer  NOT NULL REFERENCES datasets,
    attempt    integer  NOT NULL,
    rule       text     NOT NULL,
    rows       bigint   NOT NULL,
    lines      bigint[] NOT NULL,
    PRIMARY KEY (dataset_id, attempt, rule)
);
