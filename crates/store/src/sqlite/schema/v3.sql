-- Version 3: the numbers of releases that came to repositories of images.

CREATE TABLE release (
    -- AUTOINCREMENT: an id is never given twice.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- `project` of the settings.
    project TEXT NOT NULL,
    service TEXT NOT NULL
) STRICT;

-- What there is of a service, newest first.
CREATE INDEX release_service ON release (project, service, id);
