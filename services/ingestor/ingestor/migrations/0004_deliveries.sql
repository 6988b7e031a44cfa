-- The files of a delivery, by the attempt that read them: a reject's line becomes a file and a line in it.
CREATE TABLE parts (
    dataset_id integer NOT NULL REFERENCES datasets,
    attempt    integer NOT NULL,
    file_id    uuid    NOT NULL,
    first_line bigint  NOT NULL, -- of the delivery, whose lines are counted through
    rows       bigint  NOT NULL,
    PRIMARY KEY (dataset_id, attempt, file_id)
);
