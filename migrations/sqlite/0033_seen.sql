-- By which a node knows the store again, and whether it is as far as that node has seen it: the store's own name, which a copy keeps
-- and a new store does not have, and a number a node that the node counts up while it serves.

ALTER TABLE revision ADD COLUMN store TEXT;
UPDATE revision SET store = lower(hex(randomblob(16)));

CREATE TABLE store_seen (
    node    TEXT PRIMARY KEY NOT NULL,
    mark    INTEGER NOT NULL,
    seen_at TEXT NOT NULL
) STRICT;
