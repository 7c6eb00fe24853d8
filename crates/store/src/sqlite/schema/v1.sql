-- Version 1: streams of events, and the numbers of runs.

CREATE TABLE stream (
    -- In order of creation: what is open is listed oldest first.
    id INTEGER PRIMARY KEY,
    -- `run/12/1`
    name TEXT NOT NULL UNIQUE,
    -- Sequence number and chain digest of the last event.
    seq INTEGER NOT NULL,
    digest BLOB NOT NULL,
    -- 1 until its last event is there.
    open INTEGER NOT NULL,
    -- 1 once its payloads were deleted.
    forgotten INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Starting costs what is open, not what is past.
CREATE INDEX stream_open ON stream (id) WHERE open = 1;

CREATE TABLE event (
    -- The order over all streams; a reader that follows the whole journal keeps this number.
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL REFERENCES stream (id),
    seq INTEGER NOT NULL,
    -- Milliseconds since 1970.
    at INTEGER NOT NULL,
    payload_digest BLOB NOT NULL,
    digest BLOB NOT NULL,
    -- JSON; null once deleted.
    payload TEXT,
    UNIQUE (stream, seq)
) STRICT;

CREATE TABLE run (
    -- AUTOINCREMENT: an id is never given twice.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- `owner/name`
    repository TEXT NOT NULL,
    -- Path of the workflow file from the repository's root.
    workflow TEXT NOT NULL,
    -- `github.run_number`
    number INTEGER NOT NULL,
    -- How many attempts were begun.
    attempts INTEGER NOT NULL,
    UNIQUE (repository, workflow, number)
) STRICT;
