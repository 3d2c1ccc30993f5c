-- How far a node's log was read for erasures, and how far another log says that it had come: the numbers of the entries, and the hash of
-- the latter's line in hexadecimal. A log that is shorter than that was not read.
ALTER TABLE person_replayed ADD COLUMN read_to INTEGER;
ALTER TABLE person_replayed ADD COLUMN told_to INTEGER;
ALTER TABLE person_replayed ADD COLUMN told_head TEXT;
