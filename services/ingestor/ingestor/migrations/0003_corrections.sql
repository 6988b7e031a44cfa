-- Rows of files that took effect and were refused, until a correction replaces them.
CREATE TABLE open_rejects (
    dataset_id integer          NOT NULL REFERENCES datasets,
    attempt    integer          NOT NULL,
    line       bigint           NOT NULL,
    key        text COLLATE "C",           -- null where the row has no readable key
    closed_by  integer,                    -- attempt of the correction
    PRIMARY KEY (dataset_id, attempt, line)
);

-- A correction counts as said when the file that it corrects was; what was removed has nothing to say.
ALTER TABLE positions
    ADD COLUMN corrects uuid,
    ADD COLUMN removes uuid,
    ADD COLUMN said_in_attempt integer; -- null: its own
CREATE INDEX positions_file ON positions (dataset_id, file_id);
