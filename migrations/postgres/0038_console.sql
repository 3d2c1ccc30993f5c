-- Sessions and one-time links of the console: the tables of migrations/sqlite/0038_console.sql.

CREATE TABLE console_session (
    id            uuid PRIMARY KEY,
    secret        text NOT NULL UNIQUE,
    api_user      uuid NOT NULL REFERENCES api_user (id),
    means         text NOT NULL CHECK (means IN ('link', 'saml')),
    roles         text CHECK (jsonb_typeof(roles::jsonb) = 'array'),
    subject       text,
    session_index text,
    began_at      timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL CHECK (ends_at > began_at),
    ended_at      timestamptz
);

CREATE INDEX console_session_subject ON console_session (subject) WHERE subject IS NOT NULL;
CREATE INDEX console_session_ends ON console_session (ends_at);

CREATE TRIGGER console_session_stays BEFORE UPDATE OF id, secret, api_user, means, roles, subject, session_index, began_at, ends_at
    ON console_session
    FOR EACH ROW EXECUTE FUNCTION never('a session is ended and another begun, and never altered');
CREATE TRIGGER console_session_stays_ended BEFORE UPDATE ON console_session
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION never('a session that has ended stays so');

CREATE TABLE console_link (
    secret   text PRIMARY KEY,
    api_user uuid NOT NULL REFERENCES api_user (id),
    made_at  timestamptz NOT NULL,
    ends_at  timestamptz NOT NULL,
    used_at  timestamptz
);

CREATE INDEX console_link_ends ON console_link (ends_at);

CREATE TRIGGER console_link_once BEFORE UPDATE ON console_link
    FOR EACH ROW WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION never('a link is used once');

ALTER TABLE decision ADD COLUMN session uuid;

CREATE TRIGGER decision_session_stays BEFORE UPDATE OF session ON decision
    FOR EACH ROW EXECUTE FUNCTION never('decisions are never altered');

-- What the front page asks of agreements: which wait for an answer, and which end before long.
CREATE INDEX agreement_state ON agreement (state, id);
CREATE INDEX agreement_ends ON agreement (valid_to) WHERE valid_to IS NOT NULL;
