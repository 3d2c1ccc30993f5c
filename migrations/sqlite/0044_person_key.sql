-- Answers to imports of persons that carried an Idempotency-Key: by client system and authority, and without an answer while the first is
-- under way. The digest is keyed, for what was sent has CPR numbers in it; the answer has running numbers alone.
CREATE TABLE person_key (
    system    TEXT NOT NULL,
    authority TEXT NOT NULL,
    key       TEXT NOT NULL,
    digest    TEXT NOT NULL,
    answer    TEXT,
    at_us     INTEGER NOT NULL,
    PRIMARY KEY (system, authority, key)
) STRICT;

CREATE INDEX person_key_at ON person_key (at_us);
