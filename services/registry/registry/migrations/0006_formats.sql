-- How files are read may be decided as well.
ALTER TABLE decisions ADD COLUMN format jsonb; -- null: nothing was said of it
