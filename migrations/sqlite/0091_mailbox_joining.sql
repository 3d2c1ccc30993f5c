-- Which node puts a delivery together of its pieces, so that no two do at once: until it gives it back, or until `until_us` by the database's
-- clock, where it died. Nothing refers to it: a claim that is left over keeps nothing from being taken away.
CREATE TABLE mailbox_joining (
    mailbox  TEXT NOT NULL,
    delivery TEXT NOT NULL,
    claim    TEXT NOT NULL,
    until_us INTEGER NOT NULL,
    PRIMARY KEY (mailbox, delivery)
) STRICT;
