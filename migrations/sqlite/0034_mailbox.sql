-- Mailboxes of partner agreements: the agreements with their aliases and data streams, the users that serve them, what two people
-- decide, and the files. Instants that are compared are microseconds since the Unix epoch.

-- A partner agreement as it is in force. `newest` and `sent`: the last number given in its inbox and its outbox; whoever gives the
-- next one holds the row until it is committed, so that a list since a number leaves nothing out.
CREATE TABLE mailbox (
    id          TEXT PRIMARY KEY NOT NULL,
    number      TEXT NOT NULL UNIQUE,
    environment TEXT NOT NULL,
    owner       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('AKTIV', 'SUSPENDERET', 'LUKKET')),
    legal_basis TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    email       TEXT NOT NULL,
    phone       TEXT NOT NULL,
    since_us    INTEGER NOT NULL,
    newest      INTEGER NOT NULL DEFAULT 0,
    sent        INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER mailbox_stays BEFORE UPDATE OF id, number, environment, owner ON mailbox
BEGIN SELECT RAISE(ABORT, 'a partner agreement keeps its number and its owner'); END;

CREATE TRIGGER mailbox_is_kept BEFORE DELETE ON mailbox
BEGIN SELECT RAISE(ABORT, 'partner agreements are closed, and never deleted'); END;

CREATE TABLE mailbox_alias (
    mailbox    TEXT NOT NULL REFERENCES mailbox (id),
    kind       TEXT NOT NULL,
    code       TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_to   TEXT,
    PRIMARY KEY (mailbox, kind, code, valid_from)
) STRICT;

CREATE INDEX mailbox_alias_code ON mailbox_alias (kind, code);

-- `counterpart`: the other agreement's number; null: the one whose alias a file is for.
CREATE TABLE mailbox_stream (
    mailbox       TEXT NOT NULL REFERENCES mailbox (id),
    code          TEXT NOT NULL,
    direction     TEXT NOT NULL CHECK (direction IN ('UD', 'IND')),
    counterpart   TEXT,
    validator     TEXT NOT NULL,
    largest_bytes INTEGER NOT NULL CHECK (largest_bytes > 0),
    rhythm_hours  INTEGER CHECK (rhythm_hours > 0),
    keep_days     INTEGER NOT NULL CHECK (keep_days BETWEEN 0 AND 30),
    since_us      INTEGER NOT NULL,
    PRIMARY KEY (mailbox, code, direction)
) STRICT;

CREATE INDEX mailbox_stream_counterpart ON mailbox_stream (counterpart, code);

-- Systems that deliver and fetch. `authority`: whose signatory approves what is asked for it.
CREATE TABLE mailbox_user (
    id          TEXT PRIMARY KEY NOT NULL,
    name        TEXT NOT NULL UNIQUE,
    environment TEXT NOT NULL,
    authority   TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('AKTIV', 'SPAERRET', 'SLETTET')),
    valid_to_us INTEGER,
    added_us    INTEGER NOT NULL,
    seen_us     INTEGER,
    -- When it was refused last, and when it last got or confirmed a file.
    refused_us  INTEGER,
    fetched_us  INTEGER
) STRICT;

CREATE TRIGGER mailbox_user_is_kept BEFORE DELETE ON mailbox_user
BEGIN SELECT RAISE(ABORT, 'users of mailboxes are marked as deleted, for files name them'); END;

CREATE TABLE mailbox_user_certificate (
    thumbprint   TEXT PRIMARY KEY NOT NULL,
    mailbox_user TEXT NOT NULL REFERENCES mailbox_user (id),
    added_us     INTEGER NOT NULL,
    ended_us     INTEGER
) STRICT;

CREATE INDEX mailbox_user_certificates ON mailbox_user_certificate (mailbox_user);

CREATE TABLE mailbox_right (
    mailbox_user TEXT NOT NULL REFERENCES mailbox_user (id),
    mailbox      TEXT NOT NULL REFERENCES mailbox (id),
    fetches      INTEGER NOT NULL CHECK (fetches IN (0, 1)),
    delivers     INTEGER NOT NULL CHECK (delivers IN (0, 1)),
    PRIMARY KEY (mailbox_user, mailbox)
) STRICT;

CREATE INDEX mailbox_right_mailbox ON mailbox_right (mailbox);

-- What one person asked for and another decides on. `content`: what is asked for, as it is carried out when it is approved.
CREATE TABLE mailbox_request (
    id           TEXT PRIMARY KEY NOT NULL,
    authority    TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('ANMODET', 'GODKENDT', 'AFVIST', 'TRUKKET')),
    content      TEXT NOT NULL,
    requested_us INTEGER NOT NULL
) STRICT;

CREATE TRIGGER mailbox_request_stays BEFORE UPDATE OF id, authority, content, requested_us ON mailbox_request
BEGIN SELECT RAISE(ABORT, 'what was asked for is never altered'); END;

CREATE TRIGGER mailbox_request_is_kept BEFORE DELETE ON mailbox_request
BEGIN SELECT RAISE(ABORT, 'what was asked for is kept'); END;

-- A file. `delivery`: the id that its sender gave it. `number`: its place in the inbox, once it may be fetched; `sent`: in the outbox.
-- `content` null: it is deleted. `fetched_by`, `delivered_by`: users.
CREATE TABLE mailbox_file (
    id           TEXT PRIMARY KEY NOT NULL,
    delivery     TEXT NOT NULL,
    sender       TEXT NOT NULL REFERENCES mailbox (id),
    recipient    TEXT NOT NULL REFERENCES mailbox (id),
    stream       TEXT NOT NULL,
    alias_kind   TEXT NOT NULL,
    alias_code   TEXT NOT NULL,
    name         TEXT NOT NULL,
    size         INTEGER NOT NULL,
    sha256       TEXT NOT NULL,
    content      TEXT REFERENCES file_content (id),
    validation   TEXT NOT NULL CHECK (validation IN ('MODTAGET', 'GODKENDT', 'AFVIST', 'UNDTAGET')),
    remarks      TEXT NOT NULL DEFAULT '[]',
    excepted     TEXT,
    excepted_by  TEXT,
    transport    TEXT NOT NULL CHECK (transport IN ('KLAR', 'AFHENTET', 'UDLOEBET')),
    received_us  INTEGER NOT NULL,
    delivered_by TEXT NOT NULL REFERENCES mailbox_user (id),
    fetched_us   INTEGER,
    fetched_by   TEXT REFERENCES mailbox_user (id),
    confirmed_us INTEGER,
    delete_us    INTEGER NOT NULL,
    keep_days    INTEGER NOT NULL,
    number       INTEGER,
    sent         INTEGER NOT NULL,
    job          INTEGER,
    UNIQUE (sender, delivery),
    UNIQUE (sender, sent)
) STRICT;

CREATE UNIQUE INDEX mailbox_file_inbox ON mailbox_file (recipient, number) WHERE number IS NOT NULL;
CREATE INDEX mailbox_file_received ON mailbox_file (sender, received_us);
CREATE INDEX mailbox_file_arrived ON mailbox_file (recipient, received_us);
CREATE INDEX mailbox_file_content ON mailbox_file (content) WHERE content IS NOT NULL;
CREATE INDEX mailbox_file_due ON mailbox_file (delete_us);
CREATE INDEX mailbox_file_waiting ON mailbox_file (received_us) WHERE validation = 'MODTAGET';
