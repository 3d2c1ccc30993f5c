-- What a reader asks to learn whether anything changed since it last looked: a value that every write makes anew. It is
-- random rather than counted, so that a database put back from a backup does not look like the one that was read.

CREATE TABLE revision (
    only  INTEGER PRIMARY KEY NOT NULL CHECK (only = 1),
    value BLOB NOT NULL
) STRICT;

INSERT INTO revision (only, value) VALUES (1, randomblob(16));

CREATE TRIGGER authority_added AFTER INSERT ON authority BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER authority_changed AFTER UPDATE ON authority BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER authority_removed AFTER DELETE ON authority BEGIN UPDATE revision SET value = randomblob(16); END;

CREATE TRIGGER agreement_added AFTER INSERT ON agreement BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER agreement_changed AFTER UPDATE ON agreement BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER agreement_removed AFTER DELETE ON agreement BEGIN UPDATE revision SET value = randomblob(16); END;

CREATE TRIGGER certificate_added AFTER INSERT ON agreement_certificate BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER certificate_changed AFTER UPDATE ON agreement_certificate BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER certificate_removed AFTER DELETE ON agreement_certificate BEGIN UPDATE revision SET value = randomblob(16); END;
