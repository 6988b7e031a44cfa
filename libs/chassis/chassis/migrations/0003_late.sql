-- A job that waits for a decision without holding up its lane.
ALTER TABLE jobs DROP CONSTRAINT jobs_state_check, ADD CONSTRAINT jobs_state_check CHECK
    (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'HELD', 'LATE', 'SKIPPED', 'REFUSED'));
