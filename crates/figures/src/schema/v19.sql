-- Version 19: how much a scan found, what of it is new, and since when the rest is there, is counted when it is taken in.

-- The one that it is compared with; null where there is none.
ALTER TABLE scan ADD COLUMN base_run INTEGER;
ALTER TABLE scan ADD COLUMN base_attempt INTEGER;
-- 0: it is counted next, as it is new here, or one came in behind it that ended before it.
ALTER TABLE scan ADD COLUMN is_counted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX scan_uncounted ON scan (run, attempt, tool) WHERE is_kept = 1 AND is_counted = 0;

-- The attempt since which the default branch's scans always found it, and when that ended; null of other scans.
ALTER TABLE finding ADD COLUMN since_run INTEGER;
ALTER TABLE finding ADD COLUMN since_attempt INTEGER;
ALTER TABLE finding ADD COLUMN since_at INTEGER;
-- 1: it may have been there before.
ALTER TABLE finding ADD COLUMN or_earlier INTEGER;

-- How much a scan found that is so bad, and how much of it is new; null where it is compared with none.
CREATE TABLE scan_level (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    tool TEXT NOT NULL,
    level TEXT NOT NULL,
    count INTEGER NOT NULL,
    new INTEGER,
    PRIMARY KEY (run, attempt, tool, level)
) STRICT, WITHOUT ROWID;

-- Those of its findings that are named where it is shown.
CREATE TABLE scan_named (
    run INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    tool TEXT NOT NULL,
    level TEXT NOT NULL,
    rule TEXT NOT NULL,
    file TEXT NOT NULL,
    count INTEGER NOT NULL,
    new INTEGER,
    -- Since when the oldest of them is there.
    since_run INTEGER,
    since_attempt INTEGER,
    since_at INTEGER,
    or_earlier INTEGER,
    PRIMARY KEY (run, attempt, tool, level, rule, file)
) STRICT, WITHOUT ROWID;
