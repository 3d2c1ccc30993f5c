-- Answers to imports of persons that carried an Idempotency-Key: as migrations/sqlite/0044_person_key.sql.
CREATE TABLE person_key (
    system    uuid NOT NULL,
    authority text NOT NULL,
    key       text NOT NULL,
    digest    text NOT NULL,
    answer    text,
    at_us     bigint NOT NULL,
    PRIMARY KEY (system, authority, key)
);

CREATE INDEX person_key_at ON person_key (at_us);
