-- Files that one system hands to another: the tables of migrations/sqlite/0018_files.sql.

CREATE TABLE sftp_user (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 255),
    environment text NOT NULL,
    system      uuid NOT NULL,
    authority   text NOT NULL CHECK (authority ~ '^[0-9]{8}$'),
    older_root  boolean NOT NULL,
    bytes_limit bigint NOT NULL CHECK (bytes_limit > 0),
    disabled    boolean NOT NULL,
    valid_to_us bigint,
    added_us    bigint NOT NULL,
    seen_us     bigint,
    bytes_used  bigint NOT NULL DEFAULT 0,
    files_used  bigint NOT NULL DEFAULT 0,
    newest_us   bigint NOT NULL DEFAULT 0
);

CREATE TABLE sftp_key (
    sftp_user   uuid NOT NULL REFERENCES sftp_user (id),
    fingerprint text NOT NULL,
    label       text NOT NULL,
    public_key  text NOT NULL,
    disabled    boolean NOT NULL,
    valid_to_us bigint,
    added_us    bigint NOT NULL,
    seen_us     bigint,
    PRIMARY KEY (sftp_user, fingerprint)
);

CREATE TABLE file_order (
    id                  uuid PRIMARY KEY,
    state               text NOT NULL,
    sender              uuid NOT NULL REFERENCES sftp_user (id),
    recipient           uuid NOT NULL REFERENCES sftp_user (id),
    sender_authority    text NOT NULL CHECK (sender_authority ~ '^[0-9]{8}$'),
    recipient_authority text NOT NULL CHECK (recipient_authority ~ '^[0-9]{8}$'),
    inf_ref             text,
    pattern             text,
    legal_basis         text NOT NULL,
    purpose             text NOT NULL,
    valid_from          date NOT NULL,
    valid_to            date,
    largest_bytes       bigint NOT NULL CHECK (largest_bytes > 0),
    keep_days           bigint NOT NULL CHECK (keep_days BETWEEN 0 AND 30),
    alarm_hours         bigint NOT NULL CHECK (alarm_hours > 0),
    delete_days         bigint NOT NULL CHECK (delete_days BETWEEN 11 AND 60),
    CHECK (inf_ref IS NOT NULL OR pattern IS NOT NULL)
);

CREATE INDEX file_order_parties ON file_order (sender, recipient);
CREATE INDEX file_order_inf_ref ON file_order (inf_ref);

CREATE TRIGGER file_order_stays BEFORE UPDATE OF id, sender, recipient, sender_authority, recipient_authority, inf_ref, pattern,
    legal_basis, purpose, valid_from, valid_to, largest_bytes, keep_days, alarm_hours, delete_days ON file_order
    FOR EACH ROW EXECUTE FUNCTION never('the terms of a route order are never altered');
CREATE TRIGGER file_order_is_kept BEFORE DELETE ON file_order
    FOR EACH ROW EXECUTE FUNCTION never('route orders are never deleted');
CREATE TRIGGER file_order_is_never_emptied BEFORE TRUNCATE ON file_order
    FOR EACH STATEMENT EXECUTE FUNCTION never('route orders are never deleted');

CREATE TABLE file_content (
    id         uuid PRIMARY KEY,
    in_use     boolean NOT NULL,
    sealed_key bytea NOT NULL,
    length     bigint NOT NULL,
    sha256     bytea NOT NULL,
    since_us   bigint NOT NULL
);

CREATE INDEX file_content_idle ON file_content (since_us) WHERE NOT in_use;

CREATE TABLE transfer (
    id             uuid PRIMARY KEY,
    sender         uuid NOT NULL REFERENCES sftp_user (id),
    fingerprint    text NOT NULL,
    state          text NOT NULL CHECK (state IN ('MODTAGET', 'AFVENTER_DATAFIL', 'AFVIST', 'KLAR')),
    name           text NOT NULL,
    name_key       text COLLATE "C" NOT NULL,
    trigger_xml    bytea NOT NULL,
    transaction_id uuid,
    content        uuid REFERENCES file_content (id),
    sha256         bytea,
    codes          text NOT NULL DEFAULT '',
    job            bigint,
    received_us    bigint NOT NULL,
    wait_until_us  bigint,
    ended_us       bigint,
    keep_until_us  bigint
);

CREATE UNIQUE INDEX transfer_open ON transfer (sender, name_key) WHERE state IN ('MODTAGET', 'AFVENTER_DATAFIL');
CREATE INDEX transfer_transaction ON transfer (sender, transaction_id, name_key) WHERE transaction_id IS NOT NULL;
CREATE INDEX transfer_waiting ON transfer (wait_until_us) WHERE state = 'AFVENTER_DATAFIL';
CREATE INDEX transfer_taken ON transfer (received_us) WHERE state = 'MODTAGET';
CREATE INDEX transfer_ended ON transfer (ended_us) WHERE ended_us IS NOT NULL;
CREATE INDEX transfer_kept ON transfer (keep_until_us) WHERE keep_until_us IS NOT NULL AND content IS NOT NULL;

CREATE TABLE file_delivery (
    transfer     uuid NOT NULL REFERENCES transfer (id),
    recipient    uuid NOT NULL REFERENCES sftp_user (id),
    file_order   uuid NOT NULL REFERENCES file_order (id),
    state        text NOT NULL CHECK (state IN ('KLAR', 'HENTET', 'SLETTET_AF_MODTAGER', 'UDLOEBET', 'GENLEVERET')),
    delivered_us bigint NOT NULL,
    alarm_us     bigint NOT NULL,
    delete_us    bigint NOT NULL,
    fetched_us   bigint,
    ended_us     bigint,
    PRIMARY KEY (transfer, recipient)
);

CREATE INDEX file_delivery_unfetched ON file_delivery (alarm_us) WHERE state IN ('KLAR', 'GENLEVERET');
CREATE INDEX file_delivery_lying ON file_delivery (delete_us) WHERE ended_us IS NULL;

-- Names are sorted byte for byte, as SQLite does.
CREATE TABLE home_file (
    id          uuid PRIMARY KEY,
    owner       uuid NOT NULL REFERENCES sftp_user (id),
    folder      text NOT NULL CHECK (folder IN ('IN', 'OUT')),
    name        text NOT NULL,
    name_key    text COLLATE "C" NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('upload', 'data', 'metadata', 'receipt')),
    transfer    uuid REFERENCES transfer (id),
    held        boolean NOT NULL,
    size        bigint NOT NULL,
    modified_us bigint NOT NULL,
    content     uuid REFERENCES file_content (id),
    body        bytea,
    read_us     bigint,
    CHECK ((content IS NULL) <> (body IS NULL)),
    UNIQUE (owner, folder, name_key)
);

CREATE INDEX home_file_content ON home_file (content) WHERE content IS NOT NULL;
CREATE INDEX home_file_transfer ON home_file (transfer) WHERE transfer IS NOT NULL;
CREATE INDEX home_file_receipts ON home_file (modified_us) WHERE kind = 'receipt';
CREATE INDEX transfer_content ON transfer (content) WHERE content IS NOT NULL;
