-- Whom a task is given to, by when and in which wave, by each party whose it is: what two authorities must state each gives to its own.
-- What stands in `connection_task` from before counts until its party gives the task anew.
CREATE TABLE connection_task_given (
    connection TEXT NOT NULL REFERENCES connection (id),
    task       TEXT NOT NULL,
    party      TEXT NOT NULL,
    person     TEXT REFERENCES api_user (id),
    due        TEXT,
    wave       INTEGER CHECK (wave BETWEEN 1 AND 999),
    PRIMARY KEY (connection, task, party)
) STRICT;
