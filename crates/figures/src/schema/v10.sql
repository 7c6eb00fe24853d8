-- Version 10: what reports say is kept by flag.

-- A test is another one where a second flag of its job has it, too.
ALTER TABLE test RENAME TO test_v9;
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
    -- Empty of the first flag that has it in a run.
    flag TEXT NOT NULL,
    UNIQUE (repository, workflow, job, suite, class, name, file, flag)
) STRICT;
INSERT INTO test SELECT id, repository, workflow, job, suite, class, name, file, '' FROM test_v9;
DROP TABLE test_v9;

-- Empty of what an older version took in.
ALTER TABLE result ADD COLUMN flag TEXT NOT NULL DEFAULT '';

-- Lines of all files of a flag. The whole stands in `coverage`, file by file.
CREATE TABLE flag_coverage (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    flag TEXT NOT NULL,
    covered INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, flag)
) STRICT, WITHOUT ROWID;
