-- Version 4: what jobs of runs shipped, besides deployments; and what was pushed.

-- One service of a deployment that is over, or what jobs of an attempt did in one environment.
ALTER TABLE shipment RENAME TO shipment_v3;
CREATE TABLE shipment (
    -- What tells of it: `deployment/7`, `run/12/1`.
    stream TEXT NOT NULL,
    environment TEXT NOT NULL COLLATE NOCASE,
    -- Of jobs the workflow file.
    service TEXT NOT NULL,
    -- Of jobs the repository.
    project TEXT NOT NULL,
    -- 1: jobs of a run did it.
    is_by_jobs INTEGER NOT NULL,
    kind TEXT NOT NULL,
    planned INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    made_from TEXT,
    is_first INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    began_at INTEGER,
    reached_at INTEGER,
    finished_at INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    -- The stream of what it took back; of jobs alone.
    mends TEXT,
    -- The branch on which its commit was pushed, and the place of that push; of jobs alone.
    branch TEXT,
    place INTEGER,
    PRIMARY KEY (stream, environment, service)
) STRICT, WITHOUT ROWID;
INSERT INTO shipment
    SELECT 'deployment/' || deployment, environment, service, project, 0, kind, planned, verdict,
      version, digest, made_from, is_first, requested_at, began_at, reached_at, finished_at, last_seq,
      NULL, NULL, NULL
    FROM shipment_v3;
DROP TABLE shipment_v3;
CREATE INDEX shipment_place ON shipment
    (is_by_jobs, project, environment, service, finished_at, stream);
-- How far each branch came.
CREATE INDEX shipment_branch ON shipment (project, environment, service, branch, place)
    WHERE branch IS NOT NULL AND verdict = 'succeeded';

-- What came with it.
ALTER TABLE shipped RENAME TO shipped_v3;
CREATE TABLE shipped (
    stream TEXT NOT NULL,
    environment TEXT NOT NULL COLLATE NOCASE,
    service TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    committed_at INTEGER NOT NULL,
    PRIMARY KEY (stream, environment, service, commit_id)
) STRICT, WITHOUT ROWID;
INSERT INTO shipped
    SELECT old.stream, old.environment, old.service, shipped_v3.commit_id, shipped_v3.committed_at
    FROM shipped_v3 JOIN shipment AS old
      ON old.stream = 'deployment/' || shipped_v3.deployment AND old.service = shipped_v3.service;
DROP TABLE shipped_v3;

-- The first shipment that brought a commit and succeeded, in the order in which they came.
ALTER TABLE brought RENAME TO brought_v3;
CREATE TABLE brought (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    environment TEXT NOT NULL COLLATE NOCASE,
    service TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    stream TEXT NOT NULL,
    UNIQUE (project, environment, service, commit_id)
) STRICT;
INSERT INTO brought (project, environment, service, commit_id, stream)
    SELECT project, environment, service, commit_id, 'deployment/' || deployment FROM brought_v3
    ORDER BY deployment;
DROP TABLE brought_v3;

-- Deployments that are over, and the job that ran their command, by what its processes were known by.
CREATE TABLE asked (
    stream TEXT PRIMARY KEY,
    environment TEXT NOT NULL COLLATE NOCASE,
    -- When.
    at INTEGER NOT NULL,
    -- Null where no job of ours did, and of those before this version.
    job TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_by_job ON asked (job, environment);
CREATE INDEX asked_at ON asked (environment, at);
-- Until when deployments do not say which job began them: one row.
CREATE TABLE jobs_since (
    at INTEGER NOT NULL
) STRICT;
INSERT INTO jobs_since (at)
    SELECT max(coalesce((SELECT max(completed_at) FROM attempt), 0),
               coalesce((SELECT max(finished_at) FROM shipment), 0));

-- Commits that were pushed to a branch, in the order in which they came there.
CREATE TABLE pushed (
    place INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    branch TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    -- 0 where nobody told.
    committed_at INTEGER NOT NULL,
    -- When the run that tells of it was made.
    pushed_at INTEGER NOT NULL,
    UNIQUE (repository, commit_id, branch)
) STRICT;
CREATE INDEX pushed_branch ON pushed (repository, branch, place);

-- What is in already is read once more, for what jobs shipped. It stays meanwhile, and so does what is not
-- in the journal any more.
UPDATE cursor SET position = 0;
