-- Operators give systems and certificates to whose they are: the table and triggers of migrations/sqlite/0061_client_system_transfer.sql.

CREATE TABLE client_system_certificate_before (
    thumbprint text NOT NULL REFERENCES client_system_certificate (thumbprint),
    system     uuid NOT NULL REFERENCES client_system (id),
    until      timestamptz NOT NULL,
    PRIMARY KEY (thumbprint, system)
);

CREATE TRIGGER client_system_certificate_before_stays BEFORE UPDATE ON client_system_certificate_before
    FOR EACH ROW EXECUTE FUNCTION never('that a system had a certificate is never altered');
CREATE TRIGGER client_system_certificate_before_is_kept BEFORE DELETE ON client_system_certificate_before
    FOR EACH ROW EXECUTE FUNCTION never('that a system had a certificate is never deleted');
CREATE TRIGGER client_system_certificate_before_is_never_emptied BEFORE TRUNCATE ON client_system_certificate_before
    FOR EACH STATEMENT EXECUTE FUNCTION never('that a system had a certificate is never deleted');

DROP TRIGGER client_system_stays ON client_system;
CREATE TRIGGER client_system_stays BEFORE UPDATE OF id, made_at ON client_system
    FOR EACH ROW EXECUTE FUNCTION never('a system keeps its id');

DROP TRIGGER client_system_certificate_stays ON client_system_certificate;
CREATE TRIGGER client_system_certificate_stays BEFORE UPDATE OF thumbprint, certificate, not_before, not_after
    ON client_system_certificate
    FOR EACH ROW EXECUTE FUNCTION never('a certificate stays what it is');

CREATE FUNCTION certificate_moves() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM client_system_certificate_before WHERE thumbprint = OLD.thumbprint AND system = OLD.system) THEN
        RAISE EXCEPTION 'a certificate stays its system''s where it is not kept whose it was' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER client_system_certificate_moves BEFORE UPDATE OF system, added_at ON client_system_certificate
    FOR EACH ROW EXECUTE FUNCTION certificate_moves();

DROP TRIGGER client_system_certificate_ends_once ON client_system_certificate;
CREATE TRIGGER client_system_certificate_ends_once BEFORE UPDATE OF ended_at ON client_system_certificate
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL AND NEW.system = OLD.system)
    EXECUTE FUNCTION never('a certificate that was ended stays so');
