-- Connections: the tables of migrations/sqlite/0043_connection.sql.

CREATE TABLE connection (
    id                 uuid PRIMARY KEY,
    graph              text NOT NULL,
    service            uuid NOT NULL,
    environment        text NOT NULL,
    authority          text NOT NULL CHECK (authority ~ '^[0-9]{8}$'),
    client             uuid NOT NULL,
    client_supplier    text CHECK (client_supplier ~ '^[0-9]{8}$'),
    receiver           uuid,
    receiver_authority text NOT NULL CHECK (receiver_authority ~ '^[0-9]{8}$'),
    receiver_supplier  text CHECK (receiver_supplier ~ '^[0-9]{8}$'),
    options            text NOT NULL,
    added_at           timestamptz NOT NULL,
    ended_at           timestamptz
);

CREATE UNIQUE INDEX connection_alone ON connection (service, environment, authority, client,
    coalesce(receiver, '00000000-0000-0000-0000-000000000000'::uuid), receiver_authority) WHERE ended_at IS NULL;

CREATE TRIGGER connection_stays BEFORE UPDATE OF id, graph, service, environment, authority, client, client_supplier, receiver,
    receiver_authority, receiver_supplier, options, added_at ON connection
    FOR EACH ROW EXECUTE FUNCTION never('a connection is ended and followed by another, and never altered');
CREATE TRIGGER connection_is_kept BEFORE DELETE ON connection
    FOR EACH ROW EXECUTE FUNCTION never('a connection is ended, and never deleted');
CREATE TRIGGER connection_is_never_emptied BEFORE TRUNCATE ON connection
    FOR EACH STATEMENT EXECUTE FUNCTION never('a connection is ended, and never deleted');

CREATE TABLE connection_statement (
    id           uuid PRIMARY KEY,
    place        text NOT NULL,
    task         text NOT NULL,
    party        text NOT NULL CHECK (party ~ '^[0-9]{8}$'),
    reference    text NOT NULL,
    stated_by    uuid NOT NULL REFERENCES api_user (id),
    stated_at    timestamptz NOT NULL,
    withdrawn_at timestamptz
);

CREATE UNIQUE INDEX connection_statement_alone ON connection_statement (place, task, party) WHERE withdrawn_at IS NULL;

CREATE TRIGGER connection_statement_stays BEFORE UPDATE OF id, place, task, party, reference, stated_by, stated_at ON connection_statement
    FOR EACH ROW EXECUTE FUNCTION never('a statement is withdrawn, and never altered');
CREATE TRIGGER connection_statement_is_kept BEFORE DELETE ON connection_statement
    FOR EACH ROW EXECUTE FUNCTION never('a statement is withdrawn, and never deleted');
CREATE TRIGGER connection_statement_is_never_emptied BEFORE TRUNCATE ON connection_statement
    FOR EACH STATEMENT EXECUTE FUNCTION never('a statement is withdrawn, and never deleted');

CREATE TABLE connection_task (
    connection uuid NOT NULL REFERENCES connection (id),
    task       text NOT NULL,
    person     uuid REFERENCES api_user (id),
    due        date,
    wave       bigint CHECK (wave BETWEEN 1 AND 999),
    PRIMARY KEY (connection, task)
);

CREATE TABLE connection_seen (
    place   text NOT NULL,
    what    text NOT NULL CHECK (what IN ('answers', 'test')),
    since   timestamptz NOT NULL,
    lost_at timestamptz,
    PRIMARY KEY (place, what)
);
