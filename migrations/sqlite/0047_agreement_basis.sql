-- What an agreement is bound to: SHA-256 of the rules or the contract under which it was approved. Of a line of a request that is what
-- the request says; of any other what was in force when it came in, or when this release first saw it.
ALTER TABLE agreement ADD COLUMN basis TEXT;

CREATE INDEX agreement_unbound ON agreement (id) WHERE basis IS NULL AND state = 'GODKENDT';

CREATE TRIGGER agreement_stays_bound BEFORE UPDATE OF basis ON agreement WHEN OLD.basis IS NOT NULL AND NEW.basis IS NOT OLD.basis
BEGIN SELECT RAISE(ABORT, 'an agreement stays bound to what it was approved under: make a new version'); END;

-- What each contract let pass (JSON), by its digest, so that a later one can be held against it.
CREATE TABLE agreement_basis (
    digest  TEXT PRIMARY KEY NOT NULL,
    meaning TEXT NOT NULL,
    seen_at TEXT NOT NULL
) STRICT;

CREATE TRIGGER agreement_basis_stays BEFORE UPDATE ON agreement_basis
BEGIN SELECT RAISE(ABORT, 'what was approved is never altered'); END;

CREATE TRIGGER agreement_basis_is_kept BEFORE DELETE ON agreement_basis
BEGIN SELECT RAISE(ABORT, 'what was approved is never deleted'); END;
