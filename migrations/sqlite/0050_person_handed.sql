-- Of which employments Campus was told. What it was told is not kept a second time: it is read of `person`, where an erasure finds it.
ALTER TABLE person_handed DROP COLUMN content;
