-- Business receipts of files: what is known of the answer to a transfer whose content a service judges. `mark`: by what that knows it
-- again, as `delivery.mark`; `subject`: the id that stands in it; `things`: how many are in it that are judged one by one.
-- MODTAGET: it is being judged, and nobody has it. `due_us`, `last_us`: from its delivery on.
CREATE TABLE file_answer (
    transfer    TEXT PRIMARY KEY NOT NULL REFERENCES transfer (id),
    mark        BLOB NOT NULL,
    subject     TEXT NOT NULL,
    things      INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('MODTAGET', 'AFVENTER', 'FORSINKET', 'ACCEPTERET', 'AFVIST', 'UDLOEBET')),
    due_us      INTEGER,
    last_us     INTEGER,
    answered_us INTEGER,
    answer      TEXT
) STRICT;

CREATE INDEX file_answer_mark ON file_answer (mark);
CREATE INDEX file_answer_due ON file_answer (due_us) WHERE state = 'AFVENTER';
CREATE INDEX file_answer_last ON file_answer (last_us) WHERE state IN ('AFVENTER', 'FORSINKET');
CREATE INDEX file_answer_newest ON file_answer (due_us);
