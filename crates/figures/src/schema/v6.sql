-- Version 6: what jobs shipped is counted anew, as far as the journal still has it; what it has not stays.

-- 1: a further job of it was planned and is not over. Then it is in no figure.
ALTER TABLE shipment ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;

-- The newest that jobs did in an environment, by any workflow: of many environments the last ones are found by it.
CREATE TABLE newest (
    project TEXT NOT NULL,
    environment TEXT NOT NULL COLLATE NOCASE,
    stream TEXT NOT NULL,
    service TEXT NOT NULL,
    finished_at INTEGER NOT NULL,
    PRIMARY KEY (project, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX newest_last ON newest (project, finished_at, environment);
CREATE INDEX shipment_newest ON shipment (project, environment, finished_at, stream)
    WHERE is_by_jobs = 1;
INSERT INTO newest (project, environment, stream, service, finished_at)
    SELECT project, environment, stream, service, max(finished_at) FROM shipment
    WHERE is_by_jobs = 1 GROUP BY project, environment;

UPDATE cursor SET position = 0;
