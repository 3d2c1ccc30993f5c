-- Jobs and outboxes: work that was written down with a decision and is done after it. `due_us` is when it may be taken; of one
-- that is taken, when its lease ends; of one that is done, since when. Of those with the same `in_order` the first is taken alone.

CREATE TABLE job (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 40),
    in_order TEXT CHECK (length(in_order) BETWEEN 1 AND 200),
    payload  BLOB NOT NULL CHECK (length(payload) <= 65536),
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'dead', 'done')),
    attempts INTEGER NOT NULL,
    lease    TEXT,
    problem  TEXT,
    added_us INTEGER NOT NULL,
    due_us   INTEGER NOT NULL
) STRICT;

CREATE INDEX job_due ON job (kind, id) WHERE state = 'waiting';
CREATE INDEX job_order ON job (kind, in_order, id) WHERE state <> 'done' AND in_order IS NOT NULL;
CREATE INDEX job_done ON job (due_us) WHERE state = 'done';
