-- When a decision was made, beside `at`, which is when it was recorded: so that an import can tell a decision that it
-- brings again from a new one. Null for what was recorded before.

ALTER TABLE agreement_decision ADD COLUMN decided_at TEXT;
