-- What an agreement's end closes of files when it takes effect, as it was listed and signed: route orders (`thing`), and keys of SFTP users
-- (`thing` the user, `part` the fingerprint).
CREATE TABLE agreement_closing (
    id        TEXT PRIMARY KEY NOT NULL,
    agreement TEXT NOT NULL REFERENCES agreement (id),
    kind      TEXT NOT NULL CHECK (kind IN ('order', 'key')),
    thing     TEXT NOT NULL,
    part      TEXT NOT NULL,
    closes_at TEXT NOT NULL,
    closed_at TEXT
) STRICT;

CREATE INDEX agreement_closing_due ON agreement_closing (closes_at) WHERE closed_at IS NULL;

CREATE TRIGGER agreement_closing_stays BEFORE UPDATE OF id, agreement, kind, thing, part ON agreement_closing
BEGIN SELECT RAISE(ABORT, 'what was signed is never altered'); END;

CREATE TRIGGER agreement_closing_is_kept BEFORE DELETE ON agreement_closing
BEGIN SELECT RAISE(ABORT, 'what was signed is never deleted'); END;
