-- Version 8: what ended in the same millisecond stands in the order of the journal.

-- The place in the journal of the event that ended the job; null while it is not over.
ALTER TABLE shipping ADD COLUMN position INTEGER;

-- The same of the last job of those that shipped; 0 of deployments, and of what the journal has no more.
ALTER TABLE shipment ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
DROP INDEX shipment_place;
CREATE INDEX shipment_place ON shipment
    (is_by_jobs, project, environment, service, finished_at, position, stream);
DROP INDEX shipment_newest;
CREATE INDEX shipment_newest ON shipment (project, environment, finished_at, position, stream)
    WHERE is_by_jobs = 1;

UPDATE cursor SET position = 0;
