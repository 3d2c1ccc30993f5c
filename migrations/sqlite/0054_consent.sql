-- When the receiver's side agreed to a connection; null: it has not, and nothing of the receiver's stands in it. Those that were there
-- before go on as they were.
ALTER TABLE connection ADD COLUMN consented_at TEXT;
UPDATE connection SET consented_at = added_at;
