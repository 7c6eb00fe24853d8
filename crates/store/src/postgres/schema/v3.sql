-- Version 3: what went to an environment, whatever case its name was written in: of ASCII, as everywhere.

CREATE INDEX deployment_place_any_case ON deployment (project, lower(environment COLLATE "C"), id);
