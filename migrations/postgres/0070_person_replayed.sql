-- How far a node's log was read for erasures: as migrations/sqlite/0070_person_replayed.sql.
ALTER TABLE person_replayed ADD COLUMN read_to bigint;
ALTER TABLE person_replayed ADD COLUMN told_to bigint;
ALTER TABLE person_replayed ADD COLUMN told_head text;
