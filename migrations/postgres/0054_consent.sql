-- When the receiver's side agreed to a connection: the column of migrations/sqlite/0054_consent.sql.
ALTER TABLE connection ADD COLUMN consented_at timestamptz;
UPDATE connection SET consented_at = added_at;
