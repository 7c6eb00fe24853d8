-- Version 3: incidents, as they are now.

CREATE TABLE incident (
    incident INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    -- Null where it is of all that its deployments shipped.
    service TEXT,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    severity TEXT NOT NULL,
    -- The deployment that brought it.
    caused_by INTEGER,
    opened_at INTEGER NOT NULL,
    -- Null while it is open.
    resolved_at INTEGER,
    last_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX incident_place ON incident (project, environment, opened_at);
CREATE INDEX incident_cause ON incident (caused_by) WHERE caused_by IS NOT NULL;

-- Deployments that were made to end one.
CREATE TABLE incident_fix (
    incident INTEGER NOT NULL,
    deployment INTEGER NOT NULL,
    PRIMARY KEY (incident, deployment)
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_fix_of ON incident_fix (deployment);
