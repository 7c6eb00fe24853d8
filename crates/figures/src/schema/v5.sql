-- Version 5: jobs that ship are counted when they are over, whatever else their run does.

-- Jobs of attempts that are not over, as far as they came; those alone that name an environment.
CREATE TABLE shipping (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    job TEXT NOT NULL,
    environment TEXT NOT NULL COLLATE NOCASE,
    -- What the processes of its last worker were known by; null where it never had one.
    tracking_id TEXT,
    began_at INTEGER,
    -- Null, all three, while it is not over.
    conclusion TEXT,
    completed_at INTEGER,
    last_seq INTEGER,
    PRIMARY KEY (run, attempt, job)
) STRICT, WITHOUT ROWID;

-- How far the default branch came with another one that was cut from it; of jobs alone.
ALTER TABLE shipment ADD COLUMN base_branch TEXT;
ALTER TABLE shipment ADD COLUMN base_place INTEGER;
CREATE INDEX shipment_base ON shipment (project, environment, service, base_branch, base_place)
    WHERE base_branch IS NOT NULL AND verdict = 'succeeded';

-- Runs that go on are read once more, for the jobs that they began with; and with them all others, of which
-- what is counted stays. Deployments are now in `asked` from their first event on.
UPDATE cursor SET position = 0;
