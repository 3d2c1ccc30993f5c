-- Deliveries that come in pieces: what has come of each, until the last piece comes. `announced`: SHA-256 of what was announced, so that
-- no name stands here, and no piece is of another file.
CREATE TABLE mailbox_part (
    mailbox   uuid NOT NULL REFERENCES mailbox (id),
    delivery  uuid NOT NULL,
    at        bigint NOT NULL,
    size      bigint NOT NULL,
    content   uuid NOT NULL REFERENCES file_content (id),
    announced text NOT NULL,
    since_us  bigint NOT NULL,
    PRIMARY KEY (mailbox, delivery, at)
);

CREATE INDEX mailbox_part_content ON mailbox_part (content);
