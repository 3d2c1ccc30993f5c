-- Answers to requests that carried an Idempotency-Key, so that the same request sent again is answered and not done again.
-- `answer` null: the first has not been answered yet. Rows are removed when their time is over.

CREATE TABLE idempotency (
    api_user TEXT NOT NULL REFERENCES api_user (id),
    key      TEXT NOT NULL,
    digest   TEXT NOT NULL,
    answer   TEXT,
    at       TEXT NOT NULL,
    PRIMARY KEY (api_user, key)
) STRICT;

CREATE INDEX idempotency_at ON idempotency (at);

-- Pages of one authority's agreements, in the order of their ids.
CREATE INDEX agreement_authority ON agreement (authority, id);
