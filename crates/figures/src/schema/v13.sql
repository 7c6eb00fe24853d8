-- Version 13: how runs came to what they shipped, for the parts of the lead time.

-- When the gate asked for the first time, and when nothing stood before the job any more.
ALTER TABLE shipping ADD COLUMN gated_at INTEGER;
ALTER TABLE shipping ADD COLUMN ready_at INTEGER;
-- The same of the first job that shipped; null of deployments, and of what the journal has no more.
ALTER TABLE shipment ADD COLUMN asked_at INTEGER;
ALTER TABLE shipment ADD COLUMN ready_at INTEGER;

-- Workers of all jobs, by what their processes are known by.
CREATE TABLE worker (
    tracking_id TEXT PRIMARY KEY,
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    leased_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX worker_of ON worker (run, attempt, leased_at);

-- What jobs shipped is read once more.
UPDATE cursor SET position = 0;

-- Version 12 has the same as `attempt_line`.
DROP INDEX attempt_of_workflow;
