-- Who asked for an agreement: the column and the trigger of migrations/sqlite/0053_asked.sql.
ALTER TABLE agreement ADD COLUMN asked text;

CREATE TRIGGER client_system_certificate_ended AFTER UPDATE ON client_system_certificate REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION revise();
