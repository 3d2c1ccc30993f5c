-- How far each node's audit log had come: the last checkpoint of each segment, signed. A log that is shorter than this, or other,
-- or gone, was cut off or removed. A row only ever moves on, and is never deleted.

CREATE TABLE audit_anchor (
    log               TEXT NOT NULL,
    segment           INTEGER NOT NULL,
    covers            INTEGER NOT NULL,
    signed_checkpoint TEXT NOT NULL,
    anchored_at       TEXT NOT NULL,
    PRIMARY KEY (log, segment)
) STRICT;

CREATE TRIGGER audit_anchor_moves_on BEFORE UPDATE ON audit_anchor
WHEN NEW.log <> OLD.log OR NEW.segment <> OLD.segment OR NEW.covers <= OLD.covers
BEGIN SELECT RAISE(ABORT, 'an anchor of an audit log only ever moves on'); END;

CREATE TRIGGER audit_anchor_is_kept BEFORE DELETE ON audit_anchor
BEGIN SELECT RAISE(ABORT, 'an anchor of an audit log is never deleted'); END;
