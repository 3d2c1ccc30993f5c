-- By which delegation a decision was made, and a session of the console acts: the columns of migrations/sqlite/0087_delegated.sql.
ALTER TABLE decision ADD COLUMN delegation uuid;

CREATE TRIGGER decision_delegation_stays BEFORE UPDATE OF delegation ON decision
    FOR EACH ROW EXECUTE FUNCTION never('decisions are never altered');

ALTER TABLE console_session ADD COLUMN delegation uuid;

CREATE TRIGGER console_session_delegation_stays BEFORE UPDATE OF delegation ON console_session
    FOR EACH ROW EXECUTE FUNCTION never('a session is ended and another begun, and never altered');
