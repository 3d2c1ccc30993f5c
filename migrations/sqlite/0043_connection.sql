-- Connections: a client system of an authority, a service, and the system that receives, with what persons state of the tasks that
-- a graph (policies/onboarding) has for them. What the gateway sees by itself stands nowhere but in what it looks at, the last table apart.

-- `receiver` null: the gateway itself is what is connected to. `options`: ids with commas between. Suppliers null: the authority itself.
CREATE TABLE connection (
    id                 TEXT PRIMARY KEY NOT NULL,
    graph              TEXT NOT NULL,
    service            TEXT NOT NULL,
    environment        TEXT NOT NULL,
    authority          TEXT NOT NULL,
    client             TEXT NOT NULL,
    client_supplier    TEXT,
    receiver           TEXT,
    receiver_authority TEXT NOT NULL,
    receiver_supplier  TEXT,
    options            TEXT NOT NULL,
    added_at           TEXT NOT NULL,
    ended_at           TEXT
) STRICT;

CREATE UNIQUE INDEX connection_alone ON connection (service, environment, authority, client, coalesce(receiver, ''), receiver_authority)
WHERE ended_at IS NULL;

CREATE TRIGGER connection_stays BEFORE UPDATE OF id, graph, service, environment, authority, client, client_supplier, receiver,
    receiver_authority, receiver_supplier, options, added_at ON connection
BEGIN SELECT RAISE(ABORT, 'a connection is ended and followed by another, and never altered'); END;

CREATE TRIGGER connection_is_kept BEFORE DELETE ON connection
BEGIN SELECT RAISE(ABORT, 'a connection is ended, and never deleted'); END;

-- `place`: for what it counts (an authority, a system, a connection); `party`: for whom it is stated. Of a row only `withdrawn_at` changes.
CREATE TABLE connection_statement (
    id           TEXT PRIMARY KEY NOT NULL,
    place        TEXT NOT NULL,
    task         TEXT NOT NULL,
    party        TEXT NOT NULL,
    reference    TEXT NOT NULL,
    stated_by    TEXT NOT NULL REFERENCES api_user (id),
    stated_at    TEXT NOT NULL,
    withdrawn_at TEXT
) STRICT;

CREATE UNIQUE INDEX connection_statement_alone ON connection_statement (place, task, party) WHERE withdrawn_at IS NULL;

CREATE TRIGGER connection_statement_stays BEFORE UPDATE OF id, place, task, party, reference, stated_by, stated_at ON connection_statement
BEGIN SELECT RAISE(ABORT, 'a statement is withdrawn, and never altered'); END;

CREATE TRIGGER connection_statement_is_kept BEFORE DELETE ON connection_statement
BEGIN SELECT RAISE(ABORT, 'a statement is withdrawn, and never deleted'); END;

-- Who has been asked to do a task, by when, and in which wave.
CREATE TABLE connection_task (
    connection TEXT NOT NULL REFERENCES connection (id),
    task       TEXT NOT NULL,
    person     TEXT REFERENCES api_user (id),
    due        TEXT,
    wave       INTEGER CHECK (wave BETWEEN 1 AND 999),
    PRIMARY KEY (connection, task)
) STRICT;

-- What was seen once and stands in no other table: an address that answered, a test that was accepted.
CREATE TABLE connection_seen (
    place   TEXT NOT NULL,
    what    TEXT NOT NULL CHECK (what IN ('answers', 'test')),
    since   TEXT NOT NULL,
    lost_at TEXT,
    PRIMARY KEY (place, what)
) STRICT;
