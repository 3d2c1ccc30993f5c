-- A person of an authority lets a colleague act in one of their roles for a time: the table of migrations/sqlite/0086_delegation.sql.
CREATE TABLE delegation (
    id         uuid PRIMARY KEY,
    principal  uuid NOT NULL REFERENCES api_user (id),
    substitute uuid NOT NULL REFERENCES api_user (id) CHECK (substitute <> principal),
    role       text NOT NULL,
    services   text NOT NULL CHECK (jsonb_typeof(services::jsonb) = 'array'),
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz NOT NULL CHECK (valid_to > valid_from),
    given_at   timestamptz NOT NULL,
    ended_at   timestamptz
);

CREATE INDEX delegation_principal ON delegation (principal);
CREATE INDEX delegation_substitute ON delegation (substitute);

CREATE TRIGGER delegation_stays BEFORE UPDATE OF id, principal, substitute, role, services, valid_from, valid_to, given_at ON delegation
    FOR EACH ROW EXECUTE FUNCTION never('a delegation is ended and another given, and never altered');
CREATE TRIGGER delegation_stays_ended BEFORE UPDATE ON delegation
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION never('a delegation that has ended stays so');
CREATE TRIGGER delegation_is_kept BEFORE DELETE ON delegation
    FOR EACH ROW EXECUTE FUNCTION never('delegations are never deleted');
CREATE TRIGGER delegation_is_never_emptied BEFORE TRUNCATE ON delegation
    FOR EACH STATEMENT EXECUTE FUNCTION never('delegations are never deleted');
