-- Rejected rows that come back corrected, and objects that are removed.
ALTER TABLE files DROP CONSTRAINT files_cause_check,
    ADD CONSTRAINT files_cause_check CHECK (cause IN ('new', 'repeat', 'retry', 'release', 'removed'));
ALTER TABLE files
    ADD COLUMN corrects       uuid,                  -- the file whose rejects its rows replace, as its key names it
    ADD COLUMN removes        uuid REFERENCES files, -- the file whose object was removed
    ADD COLUMN open_rejects   bigint,                -- rejects that nothing replaced yet; null: it did not take effect,
                                                     -- or did before rejects could be corrected, or is a correction
    ADD COLUMN closed_rejects bigint;                -- of the corrected file; null until the correction took effect
CREATE INDEX files_corrections ON files (corrects) WHERE corrects IS NOT NULL;
CREATE UNIQUE INDEX files_removals ON files (removes) WHERE removes IS NOT NULL;
CREATE INDEX files_open_rejects ON files (dataset) WHERE open_rejects > 0;
-- No notification tells of a removal as of a drop.
DROP INDEX files_unnotified;
CREATE INDEX files_unnotified ON files (found_at)
    WHERE found_by = 'sweep' AND notified_at IS NULL AND NOT missed AND removes IS NULL;
