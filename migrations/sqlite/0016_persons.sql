-- A person may have several users, one after the other or for several parties: `person` is the same for all of them. Null: the user's
-- own id. Of two users of one person the one does not approve what the other requested.
ALTER TABLE api_user ADD COLUMN person TEXT;

CREATE INDEX api_user_person ON api_user (person) WHERE person IS NOT NULL;

CREATE TRIGGER api_user_person_stays BEFORE UPDATE OF person ON api_user
BEGIN SELECT RAISE(ABORT, 'a user is ended and another added, and never altered'); END;

-- A user may be given further certificates, and each may be ended. It stays that user's, and what it signed can be verified.
ALTER TABLE api_user_certificate ADD COLUMN ended_at TEXT;

DROP TRIGGER api_user_certificate_stays;
CREATE TRIGGER api_user_certificate_stays BEFORE UPDATE OF thumbprint, api_user, certificate ON api_user_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate is never given to another user'); END;
CREATE TRIGGER api_user_certificate_ends_once BEFORE UPDATE OF ended_at ON api_user_certificate WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a certificate that was ended stays so'); END;
