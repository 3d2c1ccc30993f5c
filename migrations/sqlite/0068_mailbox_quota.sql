-- How much of what a partner agreement has sent lies, and how much may. Null: as much as is usual. A node of the release before does not
-- count; it is counted anew each hour.
ALTER TABLE mailbox ADD COLUMN quota_bytes INTEGER CHECK (quota_bytes > 0);
ALTER TABLE mailbox ADD COLUMN bytes_lying INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN files_lying INTEGER NOT NULL DEFAULT 0;
UPDATE mailbox SET
    bytes_lying = (SELECT COALESCE(CAST(sum(size) AS bigint), 0) FROM mailbox_file WHERE sender = mailbox.id AND content IS NOT NULL)
        + (SELECT COALESCE(CAST(sum(size) AS bigint), 0) FROM mailbox_upload WHERE mailbox = mailbox.id),
    files_lying = (SELECT count(*) FROM mailbox_file WHERE sender = mailbox.id AND content IS NOT NULL)
        + (SELECT count(*) FROM mailbox_upload WHERE mailbox = mailbox.id);
