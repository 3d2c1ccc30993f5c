-- Persons that institutions import. No CPR number stands anywhere: `pseudonym` is keyed, and the key is not in the store. `home`: the
-- authority and InstitutionsID1 (CVR/ID); nobody finds anything of another's.

-- The key that the persons are under, and the counter of which running numbers are made.
CREATE TABLE person_counter (
    id     bigint PRIMARY KEY CHECK (id = 1),
    key_id text NOT NULL,
    last   bigint NOT NULL
);

-- Whoever writes persons of an institution holds its row. `erase_after_months`: the agreement's term; null: there is none.
CREATE TABLE person_institution (
    home               text PRIMARY KEY,
    erase_after_months bigint CHECK (erase_after_months > 0)
);

CREATE TABLE person_number (
    pseudonym bytea PRIMARY KEY CHECK (length(pseudonym) = 32),
    number    bigint NOT NULL UNIQUE
);

-- An employment. `user_key`, `email_key`: in lower case, as they are compared. `manager_waits`: the pseudonym of a manager who is not
-- there yet. `content`: the fields by their names.
CREATE TABLE person (
    number        bigint NOT NULL,
    staff         text NOT NULL,
    home          text NOT NULL,
    user_key      text,
    email_key     text,
    inactive_from date,
    manager       bigint,
    manager_waits bytea,
    content       text NOT NULL,
    PRIMARY KEY (number, staff)
);

CREATE INDEX person_user_name ON person (home, user_key);
CREATE INDEX person_email ON person (home, email_key);
CREATE INDEX person_waits ON person (manager_waits) WHERE manager_waits IS NOT NULL;
CREATE INDEX person_inactive ON person (home, inactive_from) WHERE inactive_from IS NOT NULL;

-- Up to which putting back of the store a node has erased again whom its audit says to be erased.
CREATE TABLE person_replayed (
    node     uuid PRIMARY KEY,
    restored timestamptz NOT NULL
);
