-- By which a node knows the store again, and whether it is as far as that node has seen it: the store's own name, which a copy keeps
-- and a new store does not have, and a number a node that the node counts up while it serves.

ALTER TABLE revision ADD COLUMN store uuid NOT NULL DEFAULT gen_random_uuid();

CREATE TABLE store_seen (
    node    uuid PRIMARY KEY,
    mark    bigint NOT NULL,
    seen_at timestamptz NOT NULL
);
