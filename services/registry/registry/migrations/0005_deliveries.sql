-- Several files that are one delivery: its marker or manifest is the file that arrives, and names them.
ALTER TABLE files
    ADD COLUMN delivery_id uuid REFERENCES files, -- the file that tells of the delivery which this one is part of
    ADD COLUMN part_number integer,               -- in the order in which the parts are read
    ADD COLUMN first_line  bigint,                -- of the delivery, whose lines are counted through; null: not read yet
    ADD COLUMN part_rows   bigint,
    ADD CHECK ((delivery_id IS NULL) = (part_number IS NULL)),
    ADD CHECK (delivery_id IS NULL OR state = 'IGNORED');
CREATE UNIQUE INDEX files_parts ON files (delivery_id, part_number) WHERE delivery_id IS NOT NULL;

-- Markers and manifests that are not registered yet.
CREATE TABLE open_deliveries (
    file_id uuid   PRIMARY KEY REFERENCES files,
    missing text[]                                -- keys of files that are not there; null: nobody looked yet
);
