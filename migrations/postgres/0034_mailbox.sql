-- Mailboxes of partner agreements: the tables of migrations/sqlite/0034_mailbox.sql.

CREATE TABLE mailbox (
    id          uuid PRIMARY KEY,
    number      text NOT NULL UNIQUE,
    environment text NOT NULL,
    owner       text NOT NULL CHECK (owner ~ '^[0-9]{8}$'),
    state       text NOT NULL CHECK (state IN ('AKTIV', 'SUSPENDERET', 'LUKKET')),
    legal_basis text NOT NULL,
    purpose     text NOT NULL,
    email       text NOT NULL,
    phone       text NOT NULL,
    since_us    bigint NOT NULL,
    newest      bigint NOT NULL DEFAULT 0,
    sent        bigint NOT NULL DEFAULT 0
);

CREATE TRIGGER mailbox_stays BEFORE UPDATE OF id, number, environment, owner ON mailbox
    FOR EACH ROW EXECUTE FUNCTION never('a partner agreement keeps its number and its owner');

CREATE TRIGGER mailbox_is_kept BEFORE DELETE ON mailbox
    FOR EACH ROW EXECUTE FUNCTION never('partner agreements are closed, and never deleted');
CREATE TRIGGER mailbox_is_never_emptied BEFORE TRUNCATE ON mailbox
    FOR EACH STATEMENT EXECUTE FUNCTION never('partner agreements are closed, and never deleted');

CREATE TABLE mailbox_alias (
    mailbox    uuid NOT NULL REFERENCES mailbox (id),
    kind       text NOT NULL,
    code       text NOT NULL,
    valid_from date NOT NULL,
    valid_to   date,
    PRIMARY KEY (mailbox, kind, code, valid_from)
);

CREATE INDEX mailbox_alias_code ON mailbox_alias (kind, code);

CREATE TABLE mailbox_stream (
    mailbox       uuid NOT NULL REFERENCES mailbox (id),
    code          text NOT NULL,
    direction     text NOT NULL CHECK (direction IN ('UD', 'IND')),
    counterpart   text,
    validator     text NOT NULL,
    largest_bytes bigint NOT NULL CHECK (largest_bytes > 0),
    rhythm_hours  bigint CHECK (rhythm_hours > 0),
    keep_days     bigint NOT NULL CHECK (keep_days BETWEEN 0 AND 30),
    since_us      bigint NOT NULL,
    PRIMARY KEY (mailbox, code, direction)
);

CREATE INDEX mailbox_stream_counterpart ON mailbox_stream (counterpart, code);

CREATE TABLE mailbox_user (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    environment text NOT NULL,
    authority   text NOT NULL CHECK (authority ~ '^[0-9]{8}$'),
    state       text NOT NULL CHECK (state IN ('AKTIV', 'SPAERRET', 'SLETTET')),
    valid_to_us bigint,
    added_us    bigint NOT NULL,
    seen_us     bigint,
    -- When it was refused last, and when it last got or confirmed a file.
    refused_us  bigint,
    fetched_us  bigint
);

CREATE TRIGGER mailbox_user_is_kept BEFORE DELETE ON mailbox_user
    FOR EACH ROW EXECUTE FUNCTION never('users of mailboxes are marked as deleted, for files name them');
CREATE TRIGGER mailbox_user_is_never_emptied BEFORE TRUNCATE ON mailbox_user
    FOR EACH STATEMENT EXECUTE FUNCTION never('users of mailboxes are marked as deleted, for files name them');

CREATE TABLE mailbox_user_certificate (
    thumbprint   text PRIMARY KEY,
    mailbox_user uuid NOT NULL REFERENCES mailbox_user (id),
    added_us     bigint NOT NULL,
    ended_us     bigint
);

CREATE INDEX mailbox_user_certificates ON mailbox_user_certificate (mailbox_user);

CREATE TABLE mailbox_right (
    mailbox_user uuid NOT NULL REFERENCES mailbox_user (id),
    mailbox      uuid NOT NULL REFERENCES mailbox (id),
    fetches      boolean NOT NULL,
    delivers     boolean NOT NULL,
    PRIMARY KEY (mailbox_user, mailbox)
);

CREATE INDEX mailbox_right_mailbox ON mailbox_right (mailbox);

CREATE TABLE mailbox_request (
    id           uuid PRIMARY KEY,
    authority    text NOT NULL CHECK (authority ~ '^[0-9]{8}$'),
    state        text NOT NULL CHECK (state IN ('ANMODET', 'GODKENDT', 'AFVIST', 'TRUKKET')),
    content      text NOT NULL,
    requested_us bigint NOT NULL
);

CREATE TRIGGER mailbox_request_stays BEFORE UPDATE OF id, authority, content, requested_us ON mailbox_request
    FOR EACH ROW EXECUTE FUNCTION never('what was asked for is never altered');

CREATE TRIGGER mailbox_request_is_kept BEFORE DELETE ON mailbox_request
    FOR EACH ROW EXECUTE FUNCTION never('what was asked for is kept');
CREATE TRIGGER mailbox_request_is_never_emptied BEFORE TRUNCATE ON mailbox_request
    FOR EACH STATEMENT EXECUTE FUNCTION never('what was asked for is kept');

CREATE TABLE mailbox_file (
    id           uuid PRIMARY KEY,
    delivery     uuid NOT NULL,
    sender       uuid NOT NULL REFERENCES mailbox (id),
    recipient    uuid NOT NULL REFERENCES mailbox (id),
    stream       text NOT NULL,
    alias_kind   text NOT NULL,
    alias_code   text NOT NULL,
    name         text NOT NULL,
    size         bigint NOT NULL,
    sha256       text NOT NULL,
    content      uuid REFERENCES file_content (id),
    validation   text NOT NULL CHECK (validation IN ('MODTAGET', 'GODKENDT', 'AFVIST', 'UNDTAGET')),
    remarks      text NOT NULL DEFAULT '[]',
    excepted     text,
    excepted_by  text,
    transport    text NOT NULL CHECK (transport IN ('KLAR', 'AFHENTET', 'UDLOEBET')),
    received_us  bigint NOT NULL,
    delivered_by uuid NOT NULL REFERENCES mailbox_user (id),
    fetched_us   bigint,
    fetched_by   uuid REFERENCES mailbox_user (id),
    confirmed_us bigint,
    delete_us    bigint NOT NULL,
    keep_days    bigint NOT NULL,
    number       bigint,
    sent         bigint NOT NULL,
    job          bigint,
    UNIQUE (sender, delivery),
    UNIQUE (sender, sent)
);

CREATE UNIQUE INDEX mailbox_file_inbox ON mailbox_file (recipient, number) WHERE number IS NOT NULL;
CREATE INDEX mailbox_file_received ON mailbox_file (sender, received_us);
CREATE INDEX mailbox_file_arrived ON mailbox_file (recipient, received_us);
CREATE INDEX mailbox_file_content ON mailbox_file (content) WHERE content IS NOT NULL;
CREATE INDEX mailbox_file_due ON mailbox_file (delete_us);
CREATE INDEX mailbox_file_waiting ON mailbox_file (received_us) WHERE validation = 'MODTAGET';
