-- Answers to requests that carried an Idempotency-Key: as migrations/sqlite/0011_idempotency.sql.

CREATE TABLE idempotency (
    api_user uuid NOT NULL REFERENCES api_user (id),
    key      text NOT NULL,
    digest   text NOT NULL,
    answer   text,
    at       timestamptz NOT NULL,
    PRIMARY KEY (api_user, key)
);

CREATE INDEX idempotency_at ON idempotency (at);

-- Pages of one authority's agreements, in the order of their ids.
CREATE INDEX agreement_authority ON agreement (authority, id);
