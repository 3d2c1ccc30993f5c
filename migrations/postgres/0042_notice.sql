-- Where notices go to, and which were given: the tables of migrations/sqlite/0042_notice.sql.

CREATE TABLE notice_address (
    api_user   uuid PRIMARY KEY REFERENCES api_user (id),
    address    text NOT NULL,
    language   text NOT NULL CHECK (language IN ('da', 'en')),
    changed_at timestamptz NOT NULL
);

CREATE TABLE notice_given (
    mark text PRIMARY KEY CHECK (length(mark) <= 200),
    at   timestamptz NOT NULL
);

CREATE INDEX notice_given_at ON notice_given (at);
