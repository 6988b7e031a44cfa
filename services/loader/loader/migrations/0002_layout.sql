-- Which system columns a dataset's tables were made with; 1 are those of 0001's time, whose logs have no _order.
-- A loader of that time that still runs beside this one enters none, and is right to.
ALTER TABLE datasets ADD COLUMN layout integer NOT NULL DEFAULT 1;
