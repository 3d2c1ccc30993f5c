-- Business receipts of files: what is known of the answer to a transfer whose content a service judges. `mark`: by what that knows it
-- again, as `delivery.mark`; `subject`: the id that stands in it; `things`: how many are in it that are judged one by one.
-- MODTAGET: it is being judged, and nobody has it. `due_us`, `last_us`: from its delivery on.
CREATE TABLE file_answer (
    transfer    uuid PRIMARY KEY REFERENCES transfer (id),
    mark        bytea NOT NULL,
    subject     uuid NOT NULL,
    things      bigint NOT NULL,
    state       text NOT NULL CHECK (state IN ('MODTAGET', 'AFVENTER', 'FORSINKET', 'ACCEPTERET', 'AFVIST', 'UDLOEBET')),
    due_us      bigint,
    last_us     bigint,
    answered_us bigint,
    answer      uuid
);

CREATE INDEX file_answer_mark ON file_answer (mark);
CREATE INDEX file_answer_due ON file_answer (due_us) WHERE state = 'AFVENTER';
CREATE INDEX file_answer_last ON file_answer (last_us) WHERE state IN ('AFVENTER', 'FORSINKET');
CREATE INDEX file_answer_newest ON file_answer (due_us);
