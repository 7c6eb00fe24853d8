-- Version 7: what went to an environment, whatever case its name was written in.

CREATE INDEX deployment_place_any_case ON deployment (project, lower(environment), id);
