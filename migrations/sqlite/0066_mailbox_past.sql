-- What stays of a delivery when its history is deleted: that it was made, so that it is not made twice, and what became of it, so that the
-- status of its day is the same for ever. No name, no content.
CREATE TABLE mailbox_past (
    sender      TEXT NOT NULL REFERENCES mailbox (id),
    delivery    TEXT NOT NULL,
    validation  TEXT NOT NULL,
    transport   TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    PRIMARY KEY (sender, delivery)
) STRICT;

CREATE INDEX mailbox_past_received ON mailbox_past (sender, received_us);
