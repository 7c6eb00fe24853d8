-- Version 1: what the numbers need of deployments and of runs.

CREATE TABLE cursor (
    -- One row.
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- The last event of the journal that was looked at, by its place in the whole of it.
    position INTEGER NOT NULL
) STRICT;
INSERT INTO cursor (id, position) VALUES (1, 0);

-- Streams that a newer version wrote: looked at again when the file is opened.
CREATE TABLE unread (
    stream TEXT PRIMARY KEY
) STRICT;

-- One service of a deployment that is over.
CREATE TABLE shipment (
    deployment INTEGER NOT NULL,
    service TEXT NOT NULL,
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    kind TEXT NOT NULL,
    planned INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    made_from TEXT,
    is_first INTEGER NOT NULL,
    -- Milliseconds since 1970, as every time here.
    requested_at INTEGER NOT NULL,
    began_at INTEGER,
    reached_at INTEGER,
    finished_at INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (deployment, service)
) STRICT, WITHOUT ROWID;
CREATE INDEX shipment_place ON shipment (project, environment, service, finished_at, deployment);

-- What came with it.
CREATE TABLE shipped (
    deployment INTEGER NOT NULL,
    service TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    committed_at INTEGER NOT NULL,
    PRIMARY KEY (deployment, service, commit_id)
) STRICT, WITHOUT ROWID;

-- The first deployment that brought a commit and succeeded.
CREATE TABLE brought (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    service TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    deployment INTEGER NOT NULL,
    PRIMARY KEY (project, environment, service, commit_id)
) STRICT, WITHOUT ROWID;

-- An attempt of a run that is over.
CREATE TABLE attempt (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    repository TEXT NOT NULL,
    workflow TEXT NOT NULL,
    event TEXT NOT NULL,
    git_ref TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    is_default_branch INTEGER NOT NULL,
    is_partial INTEGER NOT NULL,
    is_superseded INTEGER NOT NULL,
    is_infra INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER NOT NULL,
    conclusion TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (run, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_end ON attempt (completed_at, run, attempt);

-- A job of it that had a worker.
CREATE TABLE job (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    job TEXT NOT NULL,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    ready_at INTEGER NOT NULL,
    leased_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER NOT NULL,
    conclusion TEXT NOT NULL,
    leased_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_end ON job (completed_at);

-- A longer step of it.
CREATE TABLE step (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    job TEXT NOT NULL,
    name TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    completed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX step_of ON step (run, attempt);
CREATE INDEX step_end ON step (completed_at);
