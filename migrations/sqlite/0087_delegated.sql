-- By which delegation a decision was made, and a session of the console acts; none: in one's own right.
ALTER TABLE decision ADD COLUMN delegation TEXT;

CREATE TRIGGER decision_delegation_stays BEFORE UPDATE OF delegation ON decision
BEGIN SELECT RAISE(ABORT, 'decisions are never altered'); END;

ALTER TABLE console_session ADD COLUMN delegation TEXT;

CREATE TRIGGER console_session_delegation_stays BEFORE UPDATE OF delegation ON console_session
BEGIN SELECT RAISE(ABORT, 'a session is ended and another begun, and never altered'); END;
