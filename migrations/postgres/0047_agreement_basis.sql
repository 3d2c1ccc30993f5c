-- What an agreement is bound to: the column and table of migrations/sqlite/0047_agreement_basis.sql.

ALTER TABLE agreement ADD COLUMN basis text;

CREATE INDEX agreement_unbound ON agreement (id) WHERE basis IS NULL AND state = 'GODKENDT';

CREATE TRIGGER agreement_stays_bound BEFORE UPDATE OF basis ON agreement
    FOR EACH ROW WHEN (OLD.basis IS NOT NULL AND NEW.basis IS DISTINCT FROM OLD.basis)
    EXECUTE FUNCTION never('an agreement stays bound to what it was approved under: make a new version');

CREATE TABLE agreement_basis (
    digest  text PRIMARY KEY,
    -- A JSON object as it was written, which jsonb would not keep.
    meaning text NOT NULL CHECK (jsonb_typeof(meaning::jsonb) = 'object'),
    seen_at timestamptz NOT NULL
);

CREATE TRIGGER agreement_basis_stays BEFORE UPDATE ON agreement_basis
    FOR EACH ROW EXECUTE FUNCTION never('what was approved is never altered');
CREATE TRIGGER agreement_basis_is_kept BEFORE DELETE ON agreement_basis
    FOR EACH ROW EXECUTE FUNCTION never('what was approved is never deleted');
CREATE TRIGGER agreement_basis_is_never_emptied BEFORE TRUNCATE ON agreement_basis
    FOR EACH STATEMENT EXECUTE FUNCTION never('what was approved is never deleted');
