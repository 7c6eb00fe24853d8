-- Version 14: how long it took from a push to its run, and from a job that could begin to its first step.

-- When the event happened, as the forge says; null where it does not, and of later attempts.
ALTER TABLE attempt ADD COLUMN happened_at INTEGER;
-- Null where it came to none.
ALTER TABLE job ADD COLUMN first_step_at INTEGER;

-- All attempts are read once more.
UPDATE cursor SET position = 0;
