-- Operators give a system to whose it is, and a certificate to the system that has its key, where somebody else registered either.
-- That a system had a certificate stays: its agreements that name it let it through no more.

CREATE TABLE client_system_certificate_before (
    thumbprint TEXT NOT NULL REFERENCES client_system_certificate (thumbprint),
    system     TEXT NOT NULL REFERENCES client_system (id),
    until      TEXT NOT NULL,
    PRIMARY KEY (thumbprint, system)
) STRICT;

CREATE TRIGGER client_system_certificate_before_stays BEFORE UPDATE ON client_system_certificate_before
BEGIN SELECT RAISE(ABORT, 'that a system had a certificate is never altered'); END;

CREATE TRIGGER client_system_certificate_before_is_kept BEFORE DELETE ON client_system_certificate_before
BEGIN SELECT RAISE(ABORT, 'that a system had a certificate is never deleted'); END;

DROP TRIGGER client_system_stays;
CREATE TRIGGER client_system_stays BEFORE UPDATE OF id, made_at ON client_system
BEGIN SELECT RAISE(ABORT, 'a system keeps its id'); END;

DROP TRIGGER client_system_certificate_stays;
CREATE TRIGGER client_system_certificate_stays BEFORE UPDATE OF thumbprint, certificate, not_before, not_after ON client_system_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate stays what it is'); END;

CREATE TRIGGER client_system_certificate_moves BEFORE UPDATE OF system, added_at ON client_system_certificate
WHEN NOT EXISTS (SELECT 1 FROM client_system_certificate_before WHERE thumbprint = OLD.thumbprint AND system = OLD.system)
BEGIN SELECT RAISE(ABORT, 'a certificate stays its system''s where it is not kept whose it was'); END;

DROP TRIGGER client_system_certificate_ends_once;
CREATE TRIGGER client_system_certificate_ends_once BEFORE UPDATE OF ended_at ON client_system_certificate
WHEN OLD.ended_at IS NOT NULL AND NEW.system = OLD.system
BEGIN SELECT RAISE(ABORT, 'a certificate that was ended stays so'); END;
