-- Value lists (sortimenter): versions with a period, their part lists and codes. `authority` null: common to all; else that
-- authority's supplement, of which there may be several, each from a day of its own. Days are ISO 8601 dates in Copenhagen, and
-- a last day is included. A version is a draft until it is published; after that only `published_at` of it was ever changed.
-- `sha256` is of the whole content: what somebody else altered in it is found when it is read.

CREATE TABLE sortiment (
    id           TEXT PRIMARY KEY NOT NULL,
    service      TEXT NOT NULL,
    list         TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,
    authority    TEXT,
    valid_from   TEXT NOT NULL CHECK (valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    valid_to     TEXT CHECK (valid_to GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' AND valid_to >= valid_from),
    sha256       TEXT NOT NULL,
    imported_at  TEXT NOT NULL,
    published_at TEXT
) STRICT;

CREATE UNIQUE INDEX sortiment_common ON sortiment (service, list, version) WHERE authority IS NULL;
CREATE UNIQUE INDEX sortiment_supplement ON sortiment (service, list, version, authority, valid_from) WHERE authority IS NOT NULL;

CREATE TABLE sortiment_part (
    sortiment      TEXT NOT NULL REFERENCES sortiment (id) ON DELETE CASCADE,
    part           TEXT NOT NULL,
    supplemented   INTEGER NOT NULL CHECK (supplemented IN (0, 1)),
    party_demanded INTEGER NOT NULL CHECK (party_demanded IN (0, 1)),
    PRIMARY KEY (sortiment, part)
) STRICT;

CREATE TABLE sortiment_code (
    sortiment   TEXT NOT NULL,
    part        TEXT NOT NULL,
    code        TEXT NOT NULL,
    name        TEXT NOT NULL,
    class       TEXT,
    sensitivity INTEGER,
    valid_from  TEXT,
    valid_to    TEXT,
    PRIMARY KEY (sortiment, part, code),
    FOREIGN KEY (sortiment, part) REFERENCES sortiment_part (sortiment, part) ON DELETE CASCADE
) STRICT;

CREATE TRIGGER sortiment_stays BEFORE UPDATE OF id, service, list, name, version, authority, valid_from, valid_to, sha256,
    imported_at ON sortiment
BEGIN SELECT RAISE(ABORT, 'a version of a value list is followed by another, and never altered'); END;

CREATE TRIGGER sortiment_stays_published BEFORE UPDATE ON sortiment WHEN OLD.published_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a version of a value list stays published'); END;

CREATE TRIGGER sortiment_is_kept BEFORE DELETE ON sortiment WHEN OLD.published_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a published version of a value list is never deleted'); END;

CREATE TRIGGER sortiment_part_stays BEFORE UPDATE ON sortiment_part
BEGIN SELECT RAISE(ABORT, 'a version of a value list is followed by another, and never altered'); END;

CREATE TRIGGER sortiment_code_stays BEFORE UPDATE ON sortiment_code
BEGIN SELECT RAISE(ABORT, 'a version of a value list is followed by another, and never altered'); END;

CREATE TRIGGER sortiment_part_is_kept BEFORE DELETE ON sortiment_part
WHEN (SELECT published_at FROM sortiment WHERE id = OLD.sortiment) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a published version of a value list is never deleted'); END;

CREATE TRIGGER sortiment_code_is_kept BEFORE DELETE ON sortiment_code
WHEN (SELECT published_at FROM sortiment WHERE id = OLD.sortiment) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a published version of a value list is never deleted'); END;

-- A draft concerns no call.
CREATE TRIGGER sortiment_added AFTER INSERT ON sortiment WHEN NEW.published_at IS NOT NULL
BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER sortiment_published AFTER UPDATE ON sortiment BEGIN UPDATE revision SET value = randomblob(16); END;

-- Decisions on more than agreements, routes and users: the program knows which, and refuses a row that it does not know.

CREATE TABLE decision_on_any (
    id          TEXT PRIMARY KEY NOT NULL,
    subject     TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 40),
    subject_id  TEXT NOT NULL,
    from_state  TEXT,
    to_state    TEXT NOT NULL,
    api_user    TEXT REFERENCES api_user (id),
    party       TEXT,
    role        TEXT,
    certificate TEXT,
    signature   TEXT,
    shown       TEXT,
    reason      TEXT NOT NULL,
    decided_at  TEXT NOT NULL,
    claimed_by  TEXT,
    claimed_at  TEXT,
    recorded_at TEXT
) STRICT;

INSERT INTO decision_on_any (id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature, shown,
    reason, decided_at, claimed_by, claimed_at, recorded_at)
SELECT id, subject, subject_id, from_state, to_state, api_user, party, role, certificate, signature, shown, reason, decided_at,
    claimed_by, claimed_at, recorded_at FROM decision;

DROP TABLE decision;
ALTER TABLE decision_on_any RENAME TO decision;

CREATE INDEX decision_subject ON decision (subject, subject_id);
CREATE INDEX decision_requested ON decision (party, subject_id) WHERE subject = 'agreement' AND to_state = 'ANMODET';
CREATE INDEX decision_unrecorded ON decision (id) WHERE recorded_at IS NULL;

CREATE TRIGGER decision_stays BEFORE UPDATE OF id, subject, subject_id, from_state, to_state, api_user, party, role,
    certificate, signature, shown, reason, decided_at ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are never altered'); END;

CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
