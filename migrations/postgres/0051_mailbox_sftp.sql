-- Mailboxes by SFTP: the keys of their users, what files are called in an inbox, uploads that wait for their name, and receipts.

CREATE TABLE mailbox_user_key (
    fingerprint  text PRIMARY KEY,
    mailbox_user uuid NOT NULL REFERENCES mailbox_user (id),
    added_us     bigint NOT NULL,
    ended_us     bigint
);

CREATE INDEX mailbox_user_keys ON mailbox_user_key (mailbox_user);
CREATE INDEX mailbox_user_any_case ON mailbox_user (lower(name));

-- `shown`: what a file is called in its inbox, given once, as it comes to be seen; `shown_us`: when that was, never before the one
-- before it. `by_sftp`: its sender is told by a receipt. Files from before are called by their ids.
ALTER TABLE mailbox_file ADD COLUMN shown text;
ALTER TABLE mailbox_file ADD COLUMN shown_key text COLLATE "C";
ALTER TABLE mailbox_file ADD COLUMN shown_us bigint;
ALTER TABLE mailbox_file ADD COLUMN by_sftp boolean NOT NULL DEFAULT FALSE;
UPDATE mailbox_file SET shown = id::text, shown_key = id::text, shown_us = received_us WHERE number IS NOT NULL;

CREATE UNIQUE INDEX mailbox_file_shown ON mailbox_file (recipient, stream, alias_kind, alias_code, shown_key)
    WHERE transport = 'KLAR' AND shown_key IS NOT NULL;

-- What a user has put under a name that is not final.
CREATE TABLE mailbox_upload (
    id           uuid PRIMARY KEY,
    mailbox_user uuid NOT NULL REFERENCES mailbox_user (id),
    mailbox      uuid NOT NULL REFERENCES mailbox (id),
    stream       text NOT NULL,
    alias_kind   text NOT NULL,
    alias_code   text NOT NULL,
    name         text NOT NULL,
    name_key     text COLLATE "C" NOT NULL,
    content      uuid NOT NULL REFERENCES file_content (id),
    size         bigint NOT NULL,
    modified_us  bigint NOT NULL,
    UNIQUE (mailbox_user, mailbox, stream, alias_kind, alias_code, name_key)
);

CREATE INDEX mailbox_upload_content ON mailbox_upload (content);
CREATE INDEX mailbox_upload_old ON mailbox_upload (modified_us);

-- What became of files that were put by SFTP. `file` null: it was refused as it came.
CREATE TABLE mailbox_receipt (
    id         uuid PRIMARY KEY,
    mailbox    uuid NOT NULL REFERENCES mailbox (id),
    file       uuid,
    name       text NOT NULL,
    name_key   text COLLATE "C" NOT NULL,
    body       bytea NOT NULL,
    written_us bigint NOT NULL,
    UNIQUE (mailbox, name_key)
);

CREATE INDEX mailbox_receipt_old ON mailbox_receipt (written_us);
