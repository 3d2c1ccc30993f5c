-- What the notice on an agreement took along: the table of migrations/sqlite/0057_agreement_taken_along.sql.

CREATE TABLE agreement_taken_along (
    id        uuid PRIMARY KEY,
    agreement uuid NOT NULL REFERENCES agreement (id),
    kind      text NOT NULL CHECK (kind IN ('agreement', 'route')),
    thing     uuid NOT NULL,
    former    text NOT NULL,
    given     text NOT NULL,
    taken_at  timestamptz NOT NULL,
    undone_at timestamptz
);

CREATE INDEX agreement_taken_along_by ON agreement_taken_along (agreement) WHERE undone_at IS NULL;

CREATE TRIGGER agreement_taken_along_stays BEFORE UPDATE OF id, agreement, kind, thing, former, given, taken_at ON agreement_taken_along
    FOR EACH ROW EXECUTE FUNCTION never('what was signed is never altered');
CREATE TRIGGER agreement_taken_along_is_kept BEFORE DELETE ON agreement_taken_along
    FOR EACH ROW EXECUTE FUNCTION never('what was signed is never deleted');
CREATE TRIGGER agreement_taken_along_is_never_emptied BEFORE TRUNCATE ON agreement_taken_along
    FOR EACH STATEMENT EXECUTE FUNCTION never('what was signed is never deleted');

ALTER TABLE agreement_closing ADD COLUMN outcome text;
