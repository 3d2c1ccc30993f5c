-- What an agreement's end closes of files: the table of migrations/sqlite/0048_agreement_closing.sql.

CREATE TABLE agreement_closing (
    id        uuid PRIMARY KEY,
    agreement uuid NOT NULL REFERENCES agreement (id),
    kind      text NOT NULL CHECK (kind IN ('order', 'key')),
    thing     uuid NOT NULL,
    part      text NOT NULL,
    closes_at timestamptz NOT NULL,
    closed_at timestamptz
);

CREATE INDEX agreement_closing_due ON agreement_closing (closes_at) WHERE closed_at IS NULL;

CREATE TRIGGER agreement_closing_stays BEFORE UPDATE OF id, agreement, kind, thing, part ON agreement_closing
    FOR EACH ROW EXECUTE FUNCTION never('what was signed is never altered');
CREATE TRIGGER agreement_closing_is_kept BEFORE DELETE ON agreement_closing
    FOR EACH ROW EXECUTE FUNCTION never('what was signed is never deleted');
CREATE TRIGGER agreement_closing_is_never_emptied BEFORE TRUNCATE ON agreement_closing
    FOR EACH STATEMENT EXECUTE FUNCTION never('what was signed is never deleted');
