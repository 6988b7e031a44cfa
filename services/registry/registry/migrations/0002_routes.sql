-- Declared routes, organisation defaults, and the order that files' names give (design.md 5 and 12).
ALTER TABLE datasets
    ADD COLUMN order_by     jsonb,                 -- of the newest declaration, so that its lock is enough to number
    ADD COLUMN newest_order text COLLATE "C",
    ADD COLUMN routes       jsonb,                 -- files and since of the newest declaration; null: the default layout
    ADD COLUMN follows      integer;               -- version of the organisation's default that it follows, 0: it was
                                                   -- found without one; null: it has a declaration of its own

ALTER TABLE files
    ADD COLUMN waits       boolean NOT NULL DEFAULT false, -- ignored, and a declaration may change that
    ADD COLUMN order_value text,                           -- as its name gave it when it was registered
    ADD COLUMN captures    jsonb;                          -- of its key, by the route that took it
UPDATE files SET waits = true WHERE state = 'IGNORED';
ALTER TABLE files ADD CHECK (state = 'IGNORED' OR NOT waits);
DROP INDEX files_waiting;
CREATE INDEX files_waiting ON files (found_order) WHERE waits;

-- One row: all declared routes, and whether datasets without a declaration are taken in. Registering locks it shared,
-- accepting a declaration alone: nothing is registered by routes that are no more.
CREATE TABLE routing (
    routes text    NOT NULL,
    infers boolean NOT NULL
);
INSERT INTO routing VALUES ('[]', false);
