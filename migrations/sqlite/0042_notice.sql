-- Where notices go to: a user's e-mail address and language. It changes, and goes when it is taken away.
CREATE TABLE notice_address (
    api_user   TEXT PRIMARY KEY NOT NULL REFERENCES api_user (id),
    address    TEXT NOT NULL,
    language   TEXT NOT NULL CHECK (language IN ('da', 'en')),
    changed_at TEXT NOT NULL
) STRICT;

-- Which notices that time alone brings about were given, so that none is given twice.
CREATE TABLE notice_given (
    mark TEXT PRIMARY KEY NOT NULL CHECK (length(mark) <= 200),
    at   TEXT NOT NULL
) STRICT;

CREATE INDEX notice_given_at ON notice_given (at);
