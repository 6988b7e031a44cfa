-- The files of an archive, each with lines of its own that are counted through as those of a delivery.
ALTER TABLE parts
    ADD COLUMN entry text NOT NULL DEFAULT '', -- its name in the archive that the file is; empty: the file is none
    DROP CONSTRAINT parts_pkey,
    ADD PRIMARY KEY (dataset_id, attempt, file_id, entry);
