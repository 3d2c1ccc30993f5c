-- Since when the operators know of a row that is given up: as migrations/sqlite/0072_person_outbox_told.sql.
ALTER TABLE person_outbox ADD COLUMN told_us bigint;
