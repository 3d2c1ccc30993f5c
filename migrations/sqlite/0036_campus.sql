-- Persons that institutions import. No CPR number stands anywhere: `pseudonym` is keyed, and the key is not in the store. `home`: the
-- authority and InstitutionsID1 (CVR/ID); nobody finds anything of another's.

-- The key that the persons are under, and the counter of which running numbers are made.
CREATE TABLE person_counter (
    id     INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    key_id TEXT NOT NULL,
    last   INTEGER NOT NULL
) STRICT;

-- Whoever writes persons of an institution holds its row. `erase_after_months`: the agreement's term; null: there is none.
CREATE TABLE person_institution (
    home               TEXT PRIMARY KEY NOT NULL,
    erase_after_months INTEGER CHECK (erase_after_months > 0)
) STRICT;

CREATE TABLE person_number (
    pseudonym BLOB PRIMARY KEY NOT NULL CHECK (length(pseudonym) = 32),
    number    INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- An employment. `user_key`, `email_key`: in lower case, as they are compared. `manager_waits`: the pseudonym of a manager who is not
-- there yet. `content`: the fields by their names.
CREATE TABLE person (
    number        INTEGER NOT NULL,
    staff         TEXT NOT NULL,
    home          TEXT NOT NULL,
    user_key      TEXT,
    email_key     TEXT,
    inactive_from TEXT,
    manager       INTEGER,
    manager_waits BLOB,
    content       TEXT NOT NULL,
    PRIMARY KEY (number, staff)
) STRICT;

CREATE INDEX person_user_name ON person (home, user_key);
CREATE INDEX person_email ON person (home, email_key);
CREATE INDEX person_waits ON person (manager_waits) WHERE manager_waits IS NOT NULL;
CREATE INDEX person_inactive ON person (home, inactive_from) WHERE inactive_from IS NOT NULL;

-- Up to which putting back of the store a node has erased again whom its audit says to be erased.
CREATE TABLE person_replayed (
    node     TEXT PRIMARY KEY NOT NULL,
    restored TEXT NOT NULL
) STRICT;
