-- Of each code of a reject the column that it is about, and where the row stands in the unpacked file, in bytes.
-- All are null in rejects of before, and where a format does not tell.
ALTER TABLE rejects ADD COLUMN columns text[], ADD COLUMN start bigint, ADD COLUMN size bigint;
