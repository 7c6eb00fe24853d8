-- Version 5: what others are owed, and how far the journal was looked through for it.

CREATE TABLE outbox_cursor (
    -- Who looks: `messages`, `github`.
    consumer TEXT PRIMARY KEY,
    -- Of the last event that was looked at.
    position INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox (
    -- In the order in which it came to be owed.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The same on every retry, and never used for anything else.
    key TEXT NOT NULL UNIQUE,
    consumer TEXT NOT NULL,
    -- Whoever is owed it; what is down is down for all that goes there.
    receiver TEXT NOT NULL,
    -- What is sent in order.
    lane TEXT NOT NULL,
    -- For people.
    about TEXT NOT NULL,
    -- For whoever sends it. Nothing secret.
    body TEXT NOT NULL,
    owed_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When the attempt began that is under way.
    begun_at INTEGER,
    -- 1 while nobody knows whether an earlier attempt arrived.
    unsure INTEGER NOT NULL DEFAULT 0,
    -- Not before.
    next_at INTEGER NOT NULL,
    -- `delivered`, `given_up`, `superseded`; null while it is owed.
    outcome TEXT,
    settled_at INTEGER,
    -- Why it is not delivered (yet).
    note TEXT,
    -- What the receiver calls it.
    remote TEXT
) STRICT;

CREATE INDEX outbox_owed ON outbox (consumer, id) WHERE outcome IS NULL;
CREATE INDEX outbox_lane ON outbox (consumer, lane, id);
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE outcome IS NOT NULL;

CREATE TABLE outbox_receiver (
    consumer TEXT NOT NULL,
    receiver TEXT NOT NULL,
    -- Attempts in a row that did not reach it.
    failures INTEGER NOT NULL,
    -- Nothing is sent there before.
    shut_until INTEGER NOT NULL,
    -- What it was the last time.
    note TEXT NOT NULL,
    PRIMARY KEY (consumer, receiver)
) STRICT;
