-- When a person of the institution was erased last: as migrations/sqlite/0078_person_erased.sql.
ALTER TABLE person_institution ADD COLUMN erased_us bigint;
