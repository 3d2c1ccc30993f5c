-- A person of an authority lets a colleague act in one of their roles for a time. `services` is a JSON array, empty for all that the role is
-- for. Of a row only `ended_at` ever changes, once. Who gave it and why is in `decision`.
CREATE TABLE delegation (
    id         TEXT PRIMARY KEY NOT NULL,
    principal  TEXT NOT NULL REFERENCES api_user (id),
    substitute TEXT NOT NULL REFERENCES api_user (id) CHECK (substitute <> principal),
    role       TEXT NOT NULL,
    services   TEXT NOT NULL,
    valid_from TEXT NOT NULL,
    valid_to   TEXT NOT NULL,
    given_at   TEXT NOT NULL,
    ended_at   TEXT
) STRICT;

CREATE INDEX delegation_principal ON delegation (principal);
CREATE INDEX delegation_substitute ON delegation (substitute);

CREATE TRIGGER delegation_stays BEFORE UPDATE OF id, principal, substitute, role, services, valid_from, valid_to, given_at ON delegation
BEGIN SELECT RAISE(ABORT, 'a delegation is ended and another given, and never altered'); END;

CREATE TRIGGER delegation_stays_ended BEFORE UPDATE ON delegation WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a delegation that has ended stays so'); END;

CREATE TRIGGER delegation_is_kept BEFORE DELETE ON delegation
BEGIN SELECT RAISE(ABORT, 'delegations are never deleted'); END;
