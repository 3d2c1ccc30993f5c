-- Which segments of each node's audit log are in the archive, and what they are, so that one that is missing there is known to have
-- been removed.

CREATE TABLE audit_archived (
    log         uuid NOT NULL,
    segment     bigint NOT NULL,
    sha256      text NOT NULL,
    archived_at timestamptz NOT NULL,
    PRIMARY KEY (log, segment)
);

CREATE TRIGGER audit_archived_stays BEFORE UPDATE ON audit_archived
    FOR EACH ROW EXECUTE FUNCTION never('what is in the archive of an audit log does not change');
CREATE TRIGGER audit_archived_is_kept BEFORE DELETE ON audit_archived
    FOR EACH ROW EXECUTE FUNCTION never('what was put in the archive of an audit log is never forgotten');
CREATE TRIGGER audit_archived_is_never_emptied BEFORE TRUNCATE ON audit_archived
    FOR EACH STATEMENT EXECUTE FUNCTION never('what was put in the archive of an audit log is never forgotten');

-- How far each log of auditors' questions had come. A row only ever moves on, and is never deleted.

CREATE TABLE audit_question_anchor (
    log               uuid NOT NULL PRIMARY KEY,
    covers            bigint NOT NULL,
    signed_checkpoint text NOT NULL,
    anchored_at       timestamptz NOT NULL
);

CREATE TRIGGER audit_question_anchor_moves_on BEFORE UPDATE ON audit_question_anchor
    FOR EACH ROW WHEN (NEW.log <> OLD.log OR NEW.covers <= OLD.covers)
    EXECUTE FUNCTION never('an anchor of an audit log only ever moves on');
CREATE TRIGGER audit_question_anchor_is_kept BEFORE DELETE ON audit_question_anchor
    FOR EACH ROW EXECUTE FUNCTION never('an anchor of an audit log is never deleted');
CREATE TRIGGER audit_question_anchor_is_never_emptied BEFORE TRUNCATE ON audit_question_anchor
    FOR EACH STATEMENT EXECUTE FUNCTION never('an anchor of an audit log is never deleted');
