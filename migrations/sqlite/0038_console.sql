-- Sessions of the console: a person's browser, from log-on to log-off. Of the secret in the browser's cookie there is only the
-- SHA-256; so too of the name by which an identity provider knows the person and its session, by which it can end them here.
-- `roles` is a JSON array of the roles that the proof gave, null where it gave all that the user has. Of a row only `seen_at`
-- and `ended_at` ever change.

CREATE TABLE console_session (
    id            TEXT PRIMARY KEY NOT NULL,
    secret        TEXT NOT NULL UNIQUE,
    api_user      TEXT NOT NULL REFERENCES api_user (id),
    means         TEXT NOT NULL CHECK (means IN ('link', 'saml')),
    roles         TEXT,
    subject       TEXT,
    session_index TEXT,
    began_at      TEXT NOT NULL,
    seen_at       TEXT NOT NULL,
    ends_at       TEXT NOT NULL,
    ended_at      TEXT
) STRICT;

CREATE INDEX console_session_subject ON console_session (subject) WHERE subject IS NOT NULL;
CREATE INDEX console_session_ends ON console_session (ends_at);

CREATE TRIGGER console_session_stays BEFORE UPDATE OF id, secret, api_user, means, roles, subject, session_index, began_at, ends_at
    ON console_session
BEGIN SELECT RAISE(ABORT, 'a session is ended and another begun, and never altered'); END;

CREATE TRIGGER console_session_stays_ended BEFORE UPDATE ON console_session WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a session that has ended stays so'); END;

-- Links that log a person on once, each by the SHA-256 of its secret.
CREATE TABLE console_link (
    secret   TEXT PRIMARY KEY NOT NULL,
    api_user TEXT NOT NULL REFERENCES api_user (id),
    made_at  TEXT NOT NULL,
    ends_at  TEXT NOT NULL,
    used_at  TEXT
) STRICT;

CREATE INDEX console_link_ends ON console_link (ends_at);

CREATE TRIGGER console_link_once BEFORE UPDATE ON console_link WHEN OLD.used_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a link is used once'); END;

-- The session in which a decision was made, where no certificate was shown.
ALTER TABLE decision ADD COLUMN session TEXT;

CREATE TRIGGER decision_session_stays BEFORE UPDATE OF session ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are never altered'); END;

-- What the front page asks of agreements: which wait for an answer, and which end before long.
CREATE INDEX agreement_state ON agreement (state, id);
CREATE INDEX agreement_ends ON agreement (valid_to) WHERE valid_to IS NOT NULL;
