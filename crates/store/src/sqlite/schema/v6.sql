-- Version 6: incidents, each in a stream of its own.

CREATE TABLE incident (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    -- What it is known by where it was told; empty where a person opened it here.
    key TEXT NOT NULL
) STRICT;

CREATE INDEX incident_project ON incident (project, id);
CREATE INDEX incident_key ON incident (key);
