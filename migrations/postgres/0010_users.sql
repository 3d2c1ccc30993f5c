-- Users, and who made each decision on what proof: the tables of migrations/sqlite/0010_users.sql.

CREATE TABLE api_user (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('person', 'system')),
    party      text CHECK (party ~ '^[0-9]{8}$'),
    roles      text NOT NULL CHECK (jsonb_typeof(roles::jsonb) = 'array'),
    services   text NOT NULL CHECK (jsonb_typeof(services::jsonb) = 'array'),
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz
);

CREATE TRIGGER api_user_stays BEFORE UPDATE OF id, name, kind, party, roles, services, valid_from ON api_user
    FOR EACH ROW EXECUTE FUNCTION never('a user is ended and another added, and never altered');
CREATE TRIGGER api_user_is_kept BEFORE DELETE ON api_user
    FOR EACH ROW EXECUTE FUNCTION never('a user is ended, and never deleted');
CREATE TRIGGER api_user_is_never_emptied BEFORE TRUNCATE ON api_user
    FOR EACH STATEMENT EXECUTE FUNCTION never('a user is ended, and never deleted');

CREATE TABLE api_user_certificate (
    thumbprint  text PRIMARY KEY,
    api_user    uuid NOT NULL REFERENCES api_user (id),
    certificate text NOT NULL
);

CREATE INDEX api_user_certificate_user ON api_user_certificate (api_user);

CREATE TRIGGER api_user_certificate_stays BEFORE UPDATE ON api_user_certificate
    FOR EACH ROW EXECUTE FUNCTION never('a certificate is never given to another user');
CREATE TRIGGER api_user_certificate_is_kept BEFORE DELETE ON api_user_certificate
    FOR EACH ROW EXECUTE FUNCTION never('a certificate is never taken from its user');
CREATE TRIGGER api_user_certificate_is_never_emptied BEFORE TRUNCATE ON api_user_certificate
    FOR EACH STATEMENT EXECUTE FUNCTION never('a certificate is never taken from its user');

CREATE TABLE decision (
    id          uuid PRIMARY KEY,
    subject     text NOT NULL CHECK (subject IN ('agreement', 'route', 'user')),
    subject_id  uuid NOT NULL,
    from_state  text,
    to_state    text NOT NULL,
    api_user    uuid REFERENCES api_user (id),
    party       text,
    role        text,
    certificate text,
    signature   text,
    shown       text,
    reason      text NOT NULL,
    decided_at  timestamptz NOT NULL,
    claimed_by  uuid,
    claimed_at  timestamptz,
    recorded_at timestamptz
);

CREATE INDEX decision_subject ON decision (subject, subject_id);
CREATE INDEX decision_requested ON decision (party, subject_id) WHERE subject = 'agreement' AND to_state = 'ANMODET';
CREATE INDEX decision_unrecorded ON decision (id) WHERE recorded_at IS NULL;

CREATE TRIGGER decision_stays BEFORE UPDATE OF id, subject, subject_id, from_state, to_state, api_user, party, role,
    certificate, signature, shown, reason, decided_at ON decision
    FOR EACH ROW EXECUTE FUNCTION never('decisions are never altered');
CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION never('decisions are never deleted');
CREATE TRIGGER decision_is_never_emptied BEFORE TRUNCATE ON decision
    FOR EACH STATEMENT EXECUTE FUNCTION never('decisions are never deleted');
