-- What is known of each delivery that was passed on: as migrations/sqlite/0012_deliveries.sql.

CREATE TABLE delivery (
    mark          bytea NOT NULL PRIMARY KEY,
    content       bytea NOT NULL,
    state         text NOT NULL CHECK (state IN ('under way', 'answered', 'unknown')),
    holder        uuid NOT NULL,
    call          uuid NOT NULL,
    tries         bigint NOT NULL,
    held_until_us bigint NOT NULL,
    changed_us    bigint NOT NULL,
    receipt       bytea,
    until_us      bigint NOT NULL,
    CHECK ((state = 'answered') = (receipt IS NOT NULL))
);

CREATE INDEX delivery_until ON delivery (until_us);
CREATE INDEX delivery_under_way ON delivery (held_until_us) WHERE state = 'under way';

CREATE TABLE delivery_item (
    mark        bytea NOT NULL PRIMARY KEY,
    delivery    bytea NOT NULL,
    accepted_us bigint,
    until_us    bigint NOT NULL
);

CREATE INDEX delivery_item_delivery ON delivery_item (delivery);
CREATE INDEX delivery_item_until ON delivery_item (until_us);
