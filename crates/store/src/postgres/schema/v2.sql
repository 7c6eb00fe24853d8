-- Version 2: incidents, each in a stream of its own.

CREATE TABLE incident (
    id BIGINT PRIMARY KEY,
    project TEXT NOT NULL,
    -- What it is known by where it was told; empty where a person opened it here.
    key TEXT NOT NULL
);

CREATE INDEX incident_project ON incident (project, id);
CREATE INDEX incident_key ON incident (key);
