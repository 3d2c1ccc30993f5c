-- When this store was put back from a copy, and when the last decision in that copy was recorded: what was decided between the
-- two is not in it. Rows are only ever added.

CREATE TABLE store_restored (
    at         timestamptz PRIMARY KEY,
    decided_to timestamptz,
    by         text NOT NULL
);

CREATE TRIGGER store_restored_stays BEFORE UPDATE ON store_restored
    FOR EACH ROW EXECUTE FUNCTION never('that a store was restored is never altered');
CREATE TRIGGER store_restored_is_kept BEFORE DELETE ON store_restored
    FOR EACH ROW EXECUTE FUNCTION never('that a store was restored is never deleted');
CREATE TRIGGER store_restored_is_never_emptied BEFORE TRUNCATE ON store_restored
    FOR EACH STATEMENT EXECUTE FUNCTION never('that a store was restored is never deleted');
