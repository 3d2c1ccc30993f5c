-- Deliveries that come in pieces: what has come of each, until the last piece comes. `announced`: SHA-256 of what was announced, so that
-- no name stands here, and no piece is of another file.
CREATE TABLE mailbox_part (
    mailbox   TEXT NOT NULL REFERENCES mailbox (id),
    delivery  TEXT NOT NULL,
    at        INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    content   TEXT NOT NULL REFERENCES file_content (id),
    announced TEXT NOT NULL,
    since_us  INTEGER NOT NULL,
    PRIMARY KEY (mailbox, delivery, at)
) STRICT;

CREATE INDEX mailbox_part_content ON mailbox_part (content);
