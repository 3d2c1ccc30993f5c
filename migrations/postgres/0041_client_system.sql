-- Client systems and their certificates: the tables of migrations/sqlite/0041_client_system.sql.

CREATE TABLE client_system (
    id         uuid PRIMARY KEY,
    party      text,
    name       text NOT NULL,
    contact    text NOT NULL,
    made_at    timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE INDEX client_system_party ON client_system (party, id);

CREATE TRIGGER client_system_stays BEFORE UPDATE OF id, party, made_at ON client_system
    FOR EACH ROW EXECUTE FUNCTION never('a system stays its party''s');
CREATE TRIGGER client_system_is_kept BEFORE DELETE ON client_system
    FOR EACH ROW EXECUTE FUNCTION never('a system is never deleted: agreements name it');
CREATE TRIGGER client_system_is_never_emptied BEFORE TRUNCATE ON client_system
    FOR EACH STATEMENT EXECUTE FUNCTION never('a system is never deleted: agreements name it');

CREATE TABLE client_system_certificate (
    thumbprint  text PRIMARY KEY,
    system      uuid NOT NULL REFERENCES client_system (id),
    certificate text NOT NULL,
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    added_at    timestamptz NOT NULL,
    ended_at    timestamptz
);

CREATE INDEX client_system_certificate_system ON client_system_certificate (system);
CREATE INDEX client_system_certificate_ends ON client_system_certificate (not_after) WHERE ended_at IS NULL;

CREATE TRIGGER client_system_certificate_stays BEFORE UPDATE OF thumbprint, system, certificate, not_before, not_after, added_at
    ON client_system_certificate
    FOR EACH ROW EXECUTE FUNCTION never('a certificate stays its system''s');
CREATE TRIGGER client_system_certificate_ends_once BEFORE UPDATE OF ended_at ON client_system_certificate
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION never('a certificate that was ended stays so');
CREATE TRIGGER client_system_certificate_is_kept BEFORE DELETE ON client_system_certificate
    FOR EACH ROW EXECUTE FUNCTION never('a certificate is ended, and never deleted');
CREATE TRIGGER client_system_certificate_is_never_emptied BEFORE TRUNCATE ON client_system_certificate
    FOR EACH STATEMENT EXECUTE FUNCTION never('a certificate is ended, and never deleted');
