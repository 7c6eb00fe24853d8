-- Version 11: what scans found, which workflows go on failing, and what nobody let run.

-- 1: nothing failed but what a gate let nobody run.
ALTER TABLE attempt ADD COLUMN is_refused INTEGER NOT NULL DEFAULT 0;
-- What the default branch's runs of a workflow came to, the newest first.
CREATE INDEX attempt_of_workflow ON attempt (repository, workflow, completed_at, run, attempt)
    WHERE is_default_branch = 1 AND is_partial = 0;

-- A tool that looked, in an attempt.
CREATE TABLE scan (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    tool TEXT NOT NULL,
    -- One of its files ended in the middle, or has more than is read.
    is_cut INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, tool)
) STRICT, WITHOUT ROWID;

-- What it found, without the line, which moves, and without words, which may show a secret.
CREATE TABLE finding (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    tool TEXT NOT NULL,
    rule TEXT NOT NULL,
    file TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    level TEXT NOT NULL,
    -- How often.
    count INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, tool, rule, file, fingerprint, level)
) STRICT, WITHOUT ROWID;

-- All attempts are read once more, for what nobody let run.
UPDATE cursor SET position = 0;
