-- Which segments of each node's audit log are in the archive, and what they are, so that one that is missing there is known to have
-- been removed.

CREATE TABLE audit_archived (
    log         TEXT NOT NULL,
    segment     INTEGER NOT NULL,
    sha256      TEXT NOT NULL,
    archived_at TEXT NOT NULL,
    PRIMARY KEY (log, segment)
) STRICT;

CREATE TRIGGER audit_archived_stays BEFORE UPDATE ON audit_archived
BEGIN SELECT RAISE(ABORT, 'what is in the archive of an audit log does not change'); END;

CREATE TRIGGER audit_archived_is_kept BEFORE DELETE ON audit_archived
BEGIN SELECT RAISE(ABORT, 'what was put in the archive of an audit log is never forgotten'); END;

-- How far each log of auditors' questions had come. A row only ever moves on, and is never deleted.

CREATE TABLE audit_question_anchor (
    log               TEXT NOT NULL PRIMARY KEY,
    covers            INTEGER NOT NULL,
    signed_checkpoint TEXT NOT NULL,
    anchored_at       TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_question_anchor_moves_on BEFORE UPDATE ON audit_question_anchor
WHEN NEW.log <> OLD.log OR NEW.covers <= OLD.covers
BEGIN SELECT RAISE(ABORT, 'an anchor of an audit log only ever moves on'); END;

CREATE TRIGGER audit_question_anchor_is_kept BEFORE DELETE ON audit_question_anchor
BEGIN SELECT RAISE(ABORT, 'an anchor of an audit log is never deleted'); END;
