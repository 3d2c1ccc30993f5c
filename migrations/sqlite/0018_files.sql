-- Files that one system hands to another: users of the SFTP service with their keys, route orders, what lies in each home, and
-- transfers. Instants that are compared are microseconds since the Unix epoch.

CREATE TABLE sftp_user (
    id          TEXT PRIMARY KEY NOT NULL,
    name        TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 255),
    environment TEXT NOT NULL,
    system      TEXT NOT NULL,
    authority   TEXT NOT NULL,
    older_root  INTEGER NOT NULL CHECK (older_root IN (0, 1)),
    bytes_limit INTEGER NOT NULL CHECK (bytes_limit > 0),
    disabled    INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    valid_to_us INTEGER,
    added_us    INTEGER NOT NULL,
    seen_us     INTEGER,
    -- What lies in its home, kept with every row that comes and goes.
    bytes_used  INTEGER NOT NULL DEFAULT 0,
    files_used  INTEGER NOT NULL DEFAULT 0,
    -- The newest time of a file that was delivered to it: the next is never older.
    newest_us   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- `fingerprint`: SHA-256 of the key as SSH writes it, without the prefix SHA256:.
CREATE TABLE sftp_key (
    sftp_user   TEXT NOT NULL REFERENCES sftp_user (id),
    fingerprint TEXT NOT NULL,
    label       TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    disabled    INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    valid_to_us INTEGER,
    added_us    INTEGER NOT NULL,
    seen_us     INTEGER,
    PRIMARY KEY (sftp_user, fingerprint)
) STRICT;

-- The agreement for files. `inf_ref` and `pattern`: one of them at least.
CREATE TABLE file_order (
    id                  TEXT PRIMARY KEY NOT NULL,
    state               TEXT NOT NULL,
    sender              TEXT NOT NULL REFERENCES sftp_user (id),
    recipient           TEXT NOT NULL REFERENCES sftp_user (id),
    sender_authority    TEXT NOT NULL,
    recipient_authority TEXT NOT NULL,
    inf_ref             TEXT,
    pattern             TEXT,
    legal_basis         TEXT NOT NULL,
    purpose             TEXT NOT NULL,
    valid_from          TEXT NOT NULL,
    valid_to            TEXT,
    largest_bytes       INTEGER NOT NULL CHECK (largest_bytes > 0),
    -- Days that a copy is kept after it was fetched; hours until an alarm for one that was not; days until it is deleted.
    keep_days           INTEGER NOT NULL CHECK (keep_days BETWEEN 0 AND 30),
    alarm_hours         INTEGER NOT NULL CHECK (alarm_hours > 0),
    delete_days         INTEGER NOT NULL CHECK (delete_days BETWEEN 11 AND 60),
    CHECK (inf_ref IS NOT NULL OR pattern IS NOT NULL)
) STRICT;

CREATE INDEX file_order_parties ON file_order (sender, recipient);
CREATE INDEX file_order_inf_ref ON file_order (inf_ref);

CREATE TRIGGER file_order_stays BEFORE UPDATE OF id, sender, recipient, sender_authority, recipient_authority, inf_ref, pattern,
    legal_basis, purpose, valid_from, valid_to, largest_bytes, keep_days, alarm_hours, delete_days ON file_order
BEGIN SELECT RAISE(ABORT, 'the terms of a route order are never altered'); END;

CREATE TRIGGER file_order_is_kept BEFORE DELETE ON file_order
BEGIN SELECT RAISE(ABORT, 'route orders are never deleted'); END;

-- A content in the object store. Its key is here alone: once that is taken away, nobody can read it. `in_use` 0: it is on its way
-- into the store, or on its way out; one that stays so is removed.
CREATE TABLE file_content (
    id         TEXT PRIMARY KEY NOT NULL,
    in_use     INTEGER NOT NULL CHECK (in_use IN (0, 1)),
    sealed_key BLOB NOT NULL,
    length     INTEGER NOT NULL,
    sha256     BLOB NOT NULL,
    since_us   INTEGER NOT NULL
) STRICT;

CREATE INDEX file_content_idle ON file_content (since_us) WHERE in_use = 0;

-- One file that was handed over. `content` null: it did not come yet, or is forgotten; `held`: the file in OUT that it is about.
CREATE TABLE transfer (
    id             TEXT PRIMARY KEY NOT NULL,
    sender         TEXT NOT NULL REFERENCES sftp_user (id),
    fingerprint    TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('MODTAGET', 'AFVENTER_DATAFIL', 'AFVIST', 'KLAR')),
    name           TEXT NOT NULL,
    name_key       TEXT NOT NULL,
    trigger_xml    BLOB NOT NULL,
    transaction_id TEXT,
    content        TEXT REFERENCES file_content (id),
    sha256         BLOB,
    codes          TEXT NOT NULL DEFAULT '',
    job            INTEGER,
    received_us    INTEGER NOT NULL,
    wait_until_us  INTEGER,
    ended_us       INTEGER,
    keep_until_us  INTEGER
) STRICT;

CREATE UNIQUE INDEX transfer_open ON transfer (sender, name_key) WHERE state IN ('MODTAGET', 'AFVENTER_DATAFIL');
CREATE INDEX transfer_transaction ON transfer (sender, transaction_id, name_key) WHERE transaction_id IS NOT NULL;
CREATE INDEX transfer_waiting ON transfer (wait_until_us) WHERE state = 'AFVENTER_DATAFIL';
CREATE INDEX transfer_taken ON transfer (received_us) WHERE state = 'MODTAGET';
CREATE INDEX transfer_ended ON transfer (ended_us) WHERE ended_us IS NOT NULL;
CREATE INDEX transfer_kept ON transfer (keep_until_us) WHERE keep_until_us IS NOT NULL AND content IS NOT NULL;

-- Where a transfer stands with each of its recipients.
CREATE TABLE file_delivery (
    transfer     TEXT NOT NULL REFERENCES transfer (id),
    recipient    TEXT NOT NULL REFERENCES sftp_user (id),
    file_order   TEXT NOT NULL REFERENCES file_order (id),
    state        TEXT NOT NULL CHECK (state IN ('KLAR', 'HENTET', 'SLETTET_AF_MODTAGER', 'UDLOEBET', 'GENLEVERET')),
    delivered_us INTEGER NOT NULL,
    alarm_us     INTEGER NOT NULL,
    delete_us    INTEGER NOT NULL,
    fetched_us   INTEGER,
    ended_us     INTEGER,
    PRIMARY KEY (transfer, recipient)
) STRICT;

CREATE INDEX file_delivery_unfetched ON file_delivery (alarm_us) WHERE state IN ('KLAR', 'GENLEVERET');
CREATE INDEX file_delivery_lying ON file_delivery (delete_us) WHERE ended_us IS NULL;

-- What lies in a home. `held`: an upload that its transfer has, and that nobody sees meanwhile.
CREATE TABLE home_file (
    id          TEXT PRIMARY KEY NOT NULL,
    owner       TEXT NOT NULL REFERENCES sftp_user (id),
    folder      TEXT NOT NULL CHECK (folder IN ('IN', 'OUT')),
    name        TEXT NOT NULL,
    name_key    TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('upload', 'data', 'metadata', 'receipt')),
    transfer    TEXT REFERENCES transfer (id),
    held        INTEGER NOT NULL CHECK (held IN (0, 1)),
    size        INTEGER NOT NULL,
    modified_us INTEGER NOT NULL,
    content     TEXT REFERENCES file_content (id),
    body        BLOB,
    read_us     INTEGER,
    CHECK ((content IS NULL) <> (body IS NULL)),
    UNIQUE (owner, folder, name_key)
) STRICT;

CREATE INDEX home_file_content ON home_file (content) WHERE content IS NOT NULL;
CREATE INDEX home_file_transfer ON home_file (transfer) WHERE transfer IS NOT NULL;
CREATE INDEX home_file_receipts ON home_file (modified_us) WHERE kind = 'receipt';
CREATE INDEX transfer_content ON transfer (content) WHERE content IS NOT NULL;
