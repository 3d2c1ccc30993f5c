-- How far each node's audit log had come: the last checkpoint of each segment, signed. A log that is shorter than this, or other,
-- or gone, was cut off or removed. A row only ever moves on, and is never deleted.

CREATE TABLE audit_anchor (
    log               uuid NOT NULL,
    segment           bigint NOT NULL,
    covers            bigint NOT NULL,
    signed_checkpoint text NOT NULL,
    anchored_at       timestamptz NOT NULL,
    PRIMARY KEY (log, segment)
);

CREATE TRIGGER audit_anchor_moves_on BEFORE UPDATE ON audit_anchor
    FOR EACH ROW WHEN (NEW.log <> OLD.log OR NEW.segment <> OLD.segment OR NEW.covers <= OLD.covers)
    EXECUTE FUNCTION never('an anchor of an audit log only ever moves on');
CREATE TRIGGER audit_anchor_is_kept BEFORE DELETE ON audit_anchor
    FOR EACH ROW EXECUTE FUNCTION never('an anchor of an audit log is never deleted');
CREATE TRIGGER audit_anchor_is_never_emptied BEFORE TRUNCATE ON audit_anchor
    FOR EACH STATEMENT EXECUTE FUNCTION never('an anchor of an audit log is never deleted');
