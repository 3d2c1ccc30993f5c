-- Since when the operators know by mail of a row that is given up.
ALTER TABLE person_outbox ADD COLUMN told_us INTEGER;
