-- Client systems: what an agreement's `system` names. An agreement may name one that is not here. Certificates overlap while one takes
-- over from another; each is ended, and never altered.

CREATE TABLE client_system (
    id         TEXT PRIMARY KEY NOT NULL,
    party      TEXT,
    name       TEXT NOT NULL,
    contact    TEXT NOT NULL,
    made_at    TEXT NOT NULL,
    changed_at TEXT NOT NULL
) STRICT;

CREATE INDEX client_system_party ON client_system (party, id);

CREATE TRIGGER client_system_stays BEFORE UPDATE OF id, party, made_at ON client_system
BEGIN SELECT RAISE(ABORT, 'a system stays its party''s'); END;

CREATE TRIGGER client_system_is_kept BEFORE DELETE ON client_system
BEGIN SELECT RAISE(ABORT, 'a system is never deleted: agreements name it'); END;

CREATE TABLE client_system_certificate (
    thumbprint  TEXT PRIMARY KEY NOT NULL,
    system      TEXT NOT NULL REFERENCES client_system (id),
    certificate TEXT NOT NULL,
    not_before  TEXT NOT NULL,
    not_after   TEXT NOT NULL,
    added_at    TEXT NOT NULL,
    ended_at    TEXT
) STRICT;

CREATE INDEX client_system_certificate_system ON client_system_certificate (system);
CREATE INDEX client_system_certificate_ends ON client_system_certificate (not_after) WHERE ended_at IS NULL;

CREATE TRIGGER client_system_certificate_stays BEFORE UPDATE OF thumbprint, system, certificate, not_before, not_after, added_at
    ON client_system_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate stays its system''s'); END;

CREATE TRIGGER client_system_certificate_ends_once BEFORE UPDATE OF ended_at ON client_system_certificate WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a certificate that was ended stays so'); END;

CREATE TRIGGER client_system_certificate_is_kept BEFORE DELETE ON client_system_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate is ended, and never deleted'); END;
