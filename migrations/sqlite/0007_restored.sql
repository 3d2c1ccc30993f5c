-- When this store was put back from a copy, and when the last decision in that copy was recorded: what was decided between the
-- two is not in it. Rows are only ever added.

CREATE TABLE store_restored (
    at         TEXT PRIMARY KEY NOT NULL,
    decided_to TEXT,
    by         TEXT NOT NULL
) STRICT;

CREATE TRIGGER store_restored_stays BEFORE UPDATE ON store_restored
BEGIN SELECT RAISE(ABORT, 'that a store was restored is never altered'); END;

CREATE TRIGGER store_restored_is_kept BEFORE DELETE ON store_restored
BEGIN SELECT RAISE(ABORT, 'that a store was restored is never deleted'); END;
