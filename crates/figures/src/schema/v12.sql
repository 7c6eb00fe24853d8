-- Version 12: the newest runs of a workflow on the default branch are found without looking at all others.

CREATE INDEX attempt_line ON attempt (repository, workflow, completed_at)
    WHERE is_default_branch = 1 AND is_partial = 0;
