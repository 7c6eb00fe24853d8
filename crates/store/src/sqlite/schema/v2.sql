-- Version 2: the numbers of deployments.

CREATE TABLE deployment (
    -- AUTOINCREMENT: an id is never given twice.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- `project` of the settings.
    project TEXT NOT NULL,
    environment TEXT NOT NULL
) STRICT;

-- What went to an environment, newest first.
CREATE INDEX deployment_place ON deployment (project, environment, id);
