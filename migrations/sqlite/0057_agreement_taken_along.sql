-- What the notice on an agreement took along: agreements that depend on it (`former` and `given`: the ends of their notice), and routes
-- (the days on which they end). Whoever takes the notice back gives each its former end again; `former` is empty where it had none.
CREATE TABLE agreement_taken_along (
    id        TEXT PRIMARY KEY NOT NULL,
    agreement TEXT NOT NULL REFERENCES agreement (id),
    kind      TEXT NOT NULL CHECK (kind IN ('agreement', 'route')),
    thing     TEXT NOT NULL,
    former    TEXT NOT NULL,
    given     TEXT NOT NULL,
    taken_at  TEXT NOT NULL,
    undone_at TEXT
) STRICT;

CREATE INDEX agreement_taken_along_by ON agreement_taken_along (agreement) WHERE undone_at IS NULL;

CREATE TRIGGER agreement_taken_along_stays BEFORE UPDATE OF id, agreement, kind, thing, former, given, taken_at ON agreement_taken_along
BEGIN SELECT RAISE(ABORT, 'what was signed is never altered'); END;

CREATE TRIGGER agreement_taken_along_is_kept BEFORE DELETE ON agreement_taken_along
BEGIN SELECT RAISE(ABORT, 'what was signed is never deleted'); END;

-- What became of what was to be closed: closed, kept (it was needed when the end took effect), or called off with the notice. A release
-- that does not know it takes a row with `closed_at` for done, which each of them is.
ALTER TABLE agreement_closing ADD COLUMN outcome TEXT;
