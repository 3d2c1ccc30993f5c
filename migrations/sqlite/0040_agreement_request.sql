-- The request for agreements: one header, of which each agreement (one a party) is a line. `content` is a JSON object; of a draft
-- (KLADDE) it may be unfinished. Once it is ANMODET only `state` changes: a new version is a new request.

CREATE TABLE agreement_request (
    id         TEXT PRIMARY KEY NOT NULL,
    state      TEXT NOT NULL,
    edition    INTEGER NOT NULL,
    party      TEXT,
    made_by    TEXT NOT NULL REFERENCES api_user (id),
    content    TEXT NOT NULL,
    made_at    TEXT NOT NULL,
    changed_at TEXT NOT NULL
) STRICT;

CREATE INDEX agreement_request_party ON agreement_request (party, id);

CREATE TRIGGER agreement_request_stays BEFORE UPDATE OF id, party, made_by, made_at ON agreement_request
BEGIN SELECT RAISE(ABORT, 'a request stays its maker''s'); END;

CREATE TRIGGER agreement_request_stays_as_requested BEFORE UPDATE OF content, edition ON agreement_request WHEN OLD.state <> 'KLADDE'
BEGIN SELECT RAISE(ABORT, 'what was requested is never altered: make a new version'); END;

CREATE TRIGGER agreement_request_is_kept BEFORE DELETE ON agreement_request
BEGIN SELECT RAISE(ABORT, 'a request is withdrawn, and never deleted'); END;

-- `request`: the header; `terms`: what it says, as whoever decides is shown it (JSON); `ends_at`: from when an agreement that is
-- OPSAGT opens nothing. A release that knows none of them takes an agreement that is OPSAGT for ended at once.
ALTER TABLE agreement ADD COLUMN request TEXT;
ALTER TABLE agreement ADD COLUMN terms TEXT;
ALTER TABLE agreement ADD COLUMN ends_at TEXT;

CREATE INDEX agreement_of_request ON agreement (request) WHERE request IS NOT NULL;
-- What is to expire, and what is to expire before long.
CREATE INDEX agreement_due ON agreement (valid_to) WHERE valid_to IS NOT NULL;
