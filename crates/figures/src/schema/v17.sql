-- Version 17: images that runs built.

CREATE TABLE image (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    -- In the order in which they were built.
    number INTEGER NOT NULL,
    job TEXT NOT NULL,
    -- Its first name without a tag; empty where it has none.
    repository TEXT NOT NULL,
    -- Empty where nobody says.
    platform TEXT NOT NULL,
    -- `unpacked` or `compressed`; empty where nobody knows how large it is.
    size_of TEXT NOT NULL,
    -- The job may build several of all the same: which of them.
    nth INTEGER NOT NULL,
    -- All its names, a JSON array.
    names TEXT NOT NULL,
    bytes INTEGER,
    build_ms INTEGER,
    PRIMARY KEY (run, attempt, number)
) STRICT, WITHOUT ROWID;
