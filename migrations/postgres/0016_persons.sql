-- Persons with several users, and certificates that are added and ended: the columns of migrations/sqlite/0016_persons.sql.
ALTER TABLE api_user ADD COLUMN person uuid;

CREATE INDEX api_user_person ON api_user (person) WHERE person IS NOT NULL;

CREATE TRIGGER api_user_person_stays BEFORE UPDATE OF person ON api_user
    FOR EACH ROW EXECUTE FUNCTION never('a user is ended and another added, and never altered');

ALTER TABLE api_user_certificate ADD COLUMN ended_at timestamptz;

DROP TRIGGER api_user_certificate_stays ON api_user_certificate;
CREATE TRIGGER api_user_certificate_stays BEFORE UPDATE OF thumbprint, api_user, certificate ON api_user_certificate
    FOR EACH ROW EXECUTE FUNCTION never('a certificate is never given to another user');
CREATE TRIGGER api_user_certificate_ends_once BEFORE UPDATE OF ended_at ON api_user_certificate
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION never('a certificate that was ended stays so');
