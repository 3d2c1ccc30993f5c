-- Persons of whom an operator has said that they are two: the table of migrations/sqlite/0093_user_distinct.sql.
CREATE TABLE user_distinct (
    person uuid NOT NULL,
    other  uuid NOT NULL CHECK (other <> person),
    PRIMARY KEY (person, other)
);

CREATE TRIGGER user_distinct_stays BEFORE UPDATE ON user_distinct
    FOR EACH ROW EXECUTE FUNCTION never('that two persons are two is never altered');
CREATE TRIGGER user_distinct_is_kept BEFORE DELETE ON user_distinct
    FOR EACH ROW EXECUTE FUNCTION never('that two persons are two is never deleted');
CREATE TRIGGER user_distinct_is_never_emptied BEFORE TRUNCATE ON user_distinct
    FOR EACH STATEMENT EXECUTE FUNCTION never('that two persons are two is never deleted');
