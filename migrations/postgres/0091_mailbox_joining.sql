-- Which node puts a delivery together of its pieces, so that no two do at once: until it gives it back, or until `until_us` by the database's
-- clock, where it died. Nothing refers to it: a claim that is left over keeps nothing from being taken away.
CREATE TABLE mailbox_joining (
    mailbox  uuid NOT NULL,
    delivery uuid NOT NULL,
    claim    uuid NOT NULL,
    until_us bigint NOT NULL,
    PRIMARY KEY (mailbox, delivery)
);
