-- Version 7: incidents are linked to what jobs shipped, too: by the stream that tells of it, `deployment/7` or `run/12/1`.

ALTER TABLE incident RENAME TO incident_v6;
CREATE TABLE incident (
    incident INTEGER PRIMARY KEY,
    -- Of the settings, or a repository whose jobs ship.
    project TEXT NOT NULL,
    environment TEXT NOT NULL COLLATE NOCASE,
    -- Null where it is of all that was shipped there.
    service TEXT,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    severity TEXT NOT NULL,
    -- The stream of what brought it.
    caused_by TEXT,
    opened_at INTEGER NOT NULL,
    -- Null while it is open.
    resolved_at INTEGER,
    last_seq INTEGER NOT NULL
) STRICT;
INSERT INTO incident
    SELECT incident, project, environment, service, title, source, severity,
      'deployment/' || caused_by, opened_at, resolved_at, last_seq
    FROM incident_v6;
DROP TABLE incident_v6;
CREATE INDEX incident_place ON incident (project, environment, opened_at);
CREATE INDEX incident_there ON incident (environment, opened_at);
CREATE INDEX incident_cause ON incident (caused_by) WHERE caused_by IS NOT NULL;

-- What was made to end one.
ALTER TABLE incident_fix RENAME TO incident_fix_v6;
CREATE TABLE incident_fix (
    incident INTEGER NOT NULL,
    -- Its stream.
    fix TEXT NOT NULL,
    PRIMARY KEY (incident, fix)
) STRICT, WITHOUT ROWID;
INSERT INTO incident_fix SELECT incident, 'deployment/' || deployment FROM incident_fix_v6;
DROP TABLE incident_fix_v6;
CREATE INDEX incident_fix_of ON incident_fix (fix);
