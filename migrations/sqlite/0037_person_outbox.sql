-- What Campus is to be told of persons, in order for each. `number`: the running number. PERSON: `content` is one employment, whole;
-- IGEN: what it was told last, as it reads today; SLET: the person is erased. A row that Campus has is deleted. `lease` and `due_us` as
-- in `job`.
CREATE TABLE person_outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    number   INTEGER NOT NULL,
    what     TEXT NOT NULL CHECK (what IN ('PERSON', 'IGEN', 'SLET')),
    content  BLOB NOT NULL CHECK (length(content) <= 65536),
    state    TEXT NOT NULL CHECK (state IN ('VENTER', 'OPGIVET')),
    attempts INTEGER NOT NULL,
    lease    TEXT,
    problem  TEXT,
    added_us INTEGER NOT NULL,
    due_us   INTEGER NOT NULL
) STRICT;

CREATE INDEX person_outbox_order ON person_outbox (number, id);

-- Who is in Campus: its id of the user. `wakes`: the next day on which an employment ends.
CREATE TABLE person_campus (
    number  INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL CHECK (length(user_id) BETWEEN 1 AND 200),
    wakes   TEXT
) STRICT;

CREATE INDEX person_campus_wakes ON person_campus (wakes) WHERE wakes IS NOT NULL;

-- Of which employments Campus was told; what it was told is read of `person`, where an erasure finds it. `manager_missing`: 1 where the manager was not there to be referred to.
CREATE TABLE person_handed (
    number          INTEGER NOT NULL,
    authority       TEXT NOT NULL,
    institution     TEXT NOT NULL,
    staff_number    TEXT NOT NULL,
    manager         INTEGER,
    manager_missing INTEGER NOT NULL,
    PRIMARY KEY (number, authority, institution, staff_number)
) STRICT;

CREATE INDEX person_handed_manager ON person_handed (manager) WHERE manager_missing = 1;
