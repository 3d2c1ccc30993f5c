-- What is known of each delivery that was passed on, so that the same sent again gets the same receipt and nothing is passed on twice.
-- `mark`, `content`: keyed digests (HMAC) of whose delivery it is and of what is in it. `holder`: the attempt that has it, until
-- `held_until_us`; after that nobody knows what became of it. `receipt`: encrypted. Times are the database's, in microseconds.

CREATE TABLE delivery (
    mark          BLOB NOT NULL PRIMARY KEY,
    content       BLOB NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('under way', 'answered', 'unknown')),
    holder        TEXT NOT NULL,
    call          TEXT NOT NULL,
    tries         INTEGER NOT NULL,
    held_until_us INTEGER NOT NULL,
    changed_us    INTEGER NOT NULL,
    receipt       BLOB,
    until_us      INTEGER NOT NULL,
    CHECK ((state = 'answered') = (receipt IS NOT NULL))
) STRICT;

CREATE INDEX delivery_until ON delivery (until_us);
CREATE INDEX delivery_under_way ON delivery (held_until_us) WHERE state = 'under way';

-- What single things in deliveries became of, such as vouchers: which delivery has it, and since when its receiver has accepted it.
CREATE TABLE delivery_item (
    mark        BLOB NOT NULL PRIMARY KEY,
    delivery    BLOB NOT NULL,
    accepted_us INTEGER,
    until_us    INTEGER NOT NULL
) STRICT;

CREATE INDEX delivery_item_delivery ON delivery_item (delivery);
CREATE INDEX delivery_item_until ON delivery_item (until_us);
