-- Who operates agreements and routes: persons and systems, known by their certificates. Lists are JSON arrays of strings.
-- A user is ended and never altered or deleted: decisions name it. Only `valid_to` ever changes.

CREATE TABLE api_user (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('person', 'system')),
    party      TEXT,
    roles      TEXT NOT NULL,
    services   TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_to   TEXT
) STRICT;

CREATE TRIGGER api_user_stays BEFORE UPDATE OF id, name, kind, party, roles, services, valid_from ON api_user
BEGIN SELECT RAISE(ABORT, 'a user is ended and another added, and never altered'); END;

CREATE TRIGGER api_user_is_kept BEFORE DELETE ON api_user
BEGIN SELECT RAISE(ABORT, 'a user is ended, and never deleted'); END;

-- A certificate belongs to one user alone, for ever: what it signed stays that user's.
CREATE TABLE api_user_certificate (
    thumbprint  TEXT PRIMARY KEY NOT NULL,
    api_user    TEXT NOT NULL REFERENCES api_user (id),
    certificate TEXT NOT NULL
) STRICT;

CREATE INDEX api_user_certificate_user ON api_user_certificate (api_user);

CREATE TRIGGER api_user_certificate_stays BEFORE UPDATE ON api_user_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate is never given to another user'); END;

CREATE TRIGGER api_user_certificate_is_kept BEFORE DELETE ON api_user_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate is never taken from its user'); END;

-- Each decision once more, with who made it and on what proof. It is written with what it decides, and waits here until a
-- node has put it in its audit chain: `recorded_at` says when. `api_user` null: whoever holds the store, by its command line.
CREATE TABLE decision (
    id          TEXT PRIMARY KEY NOT NULL,
    subject     TEXT NOT NULL CHECK (subject IN ('agreement', 'route', 'user')),
    subject_id  TEXT NOT NULL,
    from_state  TEXT,
    to_state    TEXT NOT NULL,
    api_user    TEXT REFERENCES api_user (id),
    party       TEXT,
    role        TEXT,
    certificate TEXT,
    signature   TEXT,
    shown       TEXT,
    reason      TEXT NOT NULL,
    decided_at  TEXT NOT NULL,
    claimed_by  TEXT,
    claimed_at  TEXT,
    recorded_at TEXT
) STRICT;

CREATE INDEX decision_subject ON decision (subject, subject_id);
CREATE INDEX decision_requested ON decision (party, subject_id) WHERE subject = 'agreement' AND to_state = 'ANMODET';
CREATE INDEX decision_unrecorded ON decision (id) WHERE recorded_at IS NULL;

CREATE TRIGGER decision_stays BEFORE UPDATE OF id, subject, subject_id, from_state, to_state, api_user, party, role,
    certificate, signature, shown, reason, decided_at ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are never altered'); END;

CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
