-- Version 2: what reports of tests and coverage say, which runs kept as artifacts.

-- A file that was one.
CREATE TABLE report (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    artifact TEXT NOT NULL,
    file TEXT NOT NULL,
    -- `tests` or `coverage`
    kind TEXT NOT NULL,
    -- 1: it ended in the middle, or has more than is read.
    is_cut INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, artifact, file)
) STRICT, WITHOUT ROWID;

-- A test, by all that it is known by.
CREATE TABLE test (
    id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    workflow TEXT NOT NULL,
    -- The job whose artifact it was in: legs of a matrix are others.
    job TEXT NOT NULL,
    suite TEXT NOT NULL,
    class TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Empty where the report does not say.
    file TEXT NOT NULL,
    UNIQUE (repository, workflow, job, suite, class, name, file)
) STRICT;

-- How it ended.
CREATE TABLE result (
    test INTEGER NOT NULL,
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    is_retried INTEGER NOT NULL,
    line INTEGER,
    time_ms INTEGER,
    PRIMARY KEY (test, run, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX result_of ON result (run, attempt);
-- Few of many: those that make a test one that does not always say the same.
CREATE INDEX result_bad ON result (run, attempt, test)
    WHERE is_retried = 1 OR outcome IN ('failed', 'errored');

-- A file, and how many of its lines ran.
CREATE TABLE coverage (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    file TEXT NOT NULL,
    covered INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, file)
) STRICT, WITHOUT ROWID;

-- What only grows: counted when a run or a deployment is taken in for the first time.
CREATE TABLE tally (
    -- `runs`, `jobs`, `deployments`; `run_ms`, `job_ms`, `wait_ms` for histograms.
    name TEXT NOT NULL,
    -- What it is of: how something ended.
    label TEXT NOT NULL,
    -- The upper edge of a histogram's bucket in milliseconds; -1 for a sum, 0 for a plain count.
    bucket INTEGER NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (name, label, bucket)
) STRICT, WITHOUT ROWID;

-- What is in already is read once more, for reports and counts.
DELETE FROM shipment; DELETE FROM shipped; DELETE FROM brought; DELETE FROM attempt; DELETE FROM job;
DELETE FROM step;
UPDATE cursor SET position = 0;
