-- Version 4: how far a journal that several machines share was read into this one.

CREATE TABLE shared (
    -- One row at the most.
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- The last object that was read, by its number, the digest of its bytes, and its version as the
    -- bucket names it.
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    version TEXT NOT NULL,
    -- When the bucket answered last; milliseconds since 1970.
    looked_at INTEGER NOT NULL
) STRICT;

-- The highest fence that was seen for each environment: what comes with a lower one is refused.
CREATE TABLE shared_place (
    project TEXT NOT NULL,
    environment TEXT NOT NULL,
    fence INTEGER NOT NULL,
    -- Whose it is.
    owner TEXT NOT NULL,
    PRIMARY KEY (project, environment)
) STRICT;
