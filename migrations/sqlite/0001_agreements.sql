-- Authorities and service agreements. Instants are RFC 3339 in UTC; lists are JSON arrays of strings.

CREATE TABLE authority (
    cvr  TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('udk', 'municipality'))
) STRICT;

CREATE TABLE agreement (
    id          TEXT PRIMARY KEY NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('front', 'back')),
    system      TEXT NOT NULL,
    service     TEXT NOT NULL,
    authority   TEXT NOT NULL REFERENCES authority (cvr),
    environment TEXT NOT NULL,
    valid_from  TEXT NOT NULL,
    valid_to    TEXT,
    state       TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    kle         TEXT NOT NULL,
    sensitivity TEXT NOT NULL,
    decided_by  TEXT,
    decided_at  TEXT,
    reason      TEXT
) STRICT;

-- The three look-ups of a call: by certificate (through the table below), by system, and by service alone.
CREATE INDEX agreement_parties ON agreement (service, environment, side, authority, system);

CREATE TABLE agreement_certificate (
    agreement  TEXT NOT NULL REFERENCES agreement (id) ON DELETE CASCADE,
    thumbprint TEXT NOT NULL,
    PRIMARY KEY (agreement, thumbprint)
) STRICT;

CREATE INDEX agreement_certificate_thumbprint ON agreement_certificate (thumbprint);

-- Every change of state, in order. Rows are only ever added.
CREATE TABLE agreement_decision (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    agreement  TEXT NOT NULL REFERENCES agreement (id),
    from_state TEXT,
    to_state   TEXT NOT NULL,
    decided_by TEXT,
    at         TEXT NOT NULL,
    reason     TEXT
) STRICT;

CREATE TRIGGER agreement_decision_stays BEFORE UPDATE ON agreement_decision
BEGIN SELECT RAISE(ABORT, 'decisions are never altered'); END;

CREATE TRIGGER agreement_decision_is_kept BEFORE DELETE ON agreement_decision
BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
