-- What stays of a delivery when its history is deleted: that it was made, so that it is not made twice, and what became of it, so that the
-- status of its day is the same for ever. No name, no content.
CREATE TABLE mailbox_past (
    sender      uuid NOT NULL REFERENCES mailbox (id),
    delivery    uuid NOT NULL,
    validation  text NOT NULL,
    transport   text NOT NULL,
    received_us bigint NOT NULL,
    PRIMARY KEY (sender, delivery)
);

CREATE INDEX mailbox_past_received ON mailbox_past (sender, received_us);
