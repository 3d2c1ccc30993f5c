-- The request for agreements: the table and columns of migrations/sqlite/0040_agreement_request.sql.

CREATE TABLE agreement_request (
    id         uuid PRIMARY KEY,
    state      text NOT NULL,
    edition    bigint NOT NULL,
    party      text,
    made_by    uuid NOT NULL REFERENCES api_user (id),
    -- A JSON object in canonical form, which jsonb would not keep.
    content    text NOT NULL CHECK (jsonb_typeof(content::jsonb) = 'object'),
    made_at    timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE INDEX agreement_request_party ON agreement_request (party, id);

CREATE TRIGGER agreement_request_stays BEFORE UPDATE OF id, party, made_by, made_at ON agreement_request
    FOR EACH ROW EXECUTE FUNCTION never('a request stays its maker''s');
CREATE TRIGGER agreement_request_stays_as_requested BEFORE UPDATE OF content, edition ON agreement_request
    FOR EACH ROW WHEN (OLD.state <> 'KLADDE') EXECUTE FUNCTION never('what was requested is never altered: make a new version');
CREATE TRIGGER agreement_request_is_kept BEFORE DELETE ON agreement_request
    FOR EACH ROW EXECUTE FUNCTION never('a request is withdrawn, and never deleted');
CREATE TRIGGER agreement_request_is_never_emptied BEFORE TRUNCATE ON agreement_request
    FOR EACH STATEMENT EXECUTE FUNCTION never('a request is withdrawn, and never deleted');

ALTER TABLE agreement ADD COLUMN request uuid;
ALTER TABLE agreement ADD COLUMN terms text;
ALTER TABLE agreement ADD COLUMN ends_at timestamptz;

CREATE INDEX agreement_of_request ON agreement (request) WHERE request IS NOT NULL;
CREATE INDEX agreement_due ON agreement (valid_to) WHERE valid_to IS NOT NULL;
