-- Persons of whom an operator has said that they are two, whatever both are called: a row each way. Who said it and why is in `decision`.
CREATE TABLE user_distinct (
    person TEXT NOT NULL,
    other  TEXT NOT NULL CHECK (other <> person),
    PRIMARY KEY (person, other)
) STRICT;

CREATE TRIGGER user_distinct_stays BEFORE UPDATE ON user_distinct
BEGIN SELECT RAISE(ABORT, 'that two persons are two is never altered'); END;

CREATE TRIGGER user_distinct_is_kept BEFORE DELETE ON user_distinct
BEGIN SELECT RAISE(ABORT, 'that two persons are two is never deleted'); END;
