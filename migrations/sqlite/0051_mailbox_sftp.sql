-- Mailboxes by SFTP: the keys of their users, what files are called in an inbox, uploads that wait for their name, and receipts.

CREATE TABLE mailbox_user_key (
    fingerprint  TEXT PRIMARY KEY NOT NULL,
    mailbox_user TEXT NOT NULL REFERENCES mailbox_user (id),
    added_us     INTEGER NOT NULL,
    ended_us     INTEGER
) STRICT;

CREATE INDEX mailbox_user_keys ON mailbox_user_key (mailbox_user);
CREATE INDEX mailbox_user_any_case ON mailbox_user (lower(name));

-- `shown`: what a file is called in its inbox, given once, as it comes to be seen; `shown_us`: when that was, never before the one
-- before it. `by_sftp`: its sender is told by a receipt. Files from before are called by their ids.
ALTER TABLE mailbox_file ADD COLUMN shown TEXT;
ALTER TABLE mailbox_file ADD COLUMN shown_key TEXT;
ALTER TABLE mailbox_file ADD COLUMN shown_us INTEGER;
ALTER TABLE mailbox_file ADD COLUMN by_sftp INTEGER NOT NULL DEFAULT 0 CHECK (by_sftp IN (0, 1));
UPDATE mailbox_file SET shown = id, shown_key = id, shown_us = received_us WHERE number IS NOT NULL;

CREATE UNIQUE INDEX mailbox_file_shown ON mailbox_file (recipient, stream, alias_kind, alias_code, shown_key)
    WHERE transport = 'KLAR' AND shown_key IS NOT NULL;

-- What a user has put under a name that is not final.
CREATE TABLE mailbox_upload (
    id           TEXT PRIMARY KEY NOT NULL,
    mailbox_user TEXT NOT NULL REFERENCES mailbox_user (id),
    mailbox      TEXT NOT NULL REFERENCES mailbox (id),
    stream       TEXT NOT NULL,
    alias_kind   TEXT NOT NULL,
    alias_code   TEXT NOT NULL,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL,
    content      TEXT NOT NULL REFERENCES file_content (id),
    size         INTEGER NOT NULL,
    modified_us  INTEGER NOT NULL,
    UNIQUE (mailbox_user, mailbox, stream, alias_kind, alias_code, name_key)
) STRICT;

CREATE INDEX mailbox_upload_content ON mailbox_upload (content);
CREATE INDEX mailbox_upload_old ON mailbox_upload (modified_us);

-- What became of files that were put by SFTP. `file` null: it was refused as it came.
CREATE TABLE mailbox_receipt (
    id         TEXT PRIMARY KEY NOT NULL,
    mailbox    TEXT NOT NULL REFERENCES mailbox (id),
    file       TEXT,
    name       TEXT NOT NULL,
    name_key   TEXT NOT NULL,
    body       BLOB NOT NULL,
    written_us INTEGER NOT NULL,
    UNIQUE (mailbox, name_key)
) STRICT;

CREATE INDEX mailbox_receipt_old ON mailbox_receipt (written_us);
