-- Who gets each published version: a system of an authority, of one value list or (`list` null) of all, in which structure.
-- A subscription is ended and never altered; only `ended_at` ever changes.

CREATE TABLE sortiment_subscription (
    id            TEXT PRIMARY KEY NOT NULL,
    service       TEXT NOT NULL,
    authority     TEXT NOT NULL,
    system        TEXT NOT NULL,
    list          TEXT,
    structure     INTEGER NOT NULL CHECK (structure IN (1, 2)),
    subscribed_at TEXT NOT NULL,
    ended_at      TEXT
) STRICT;

CREATE INDEX sortiment_subscription_service ON sortiment_subscription (service) WHERE ended_at IS NULL;

CREATE TRIGGER sortiment_subscription_stays BEFORE UPDATE OF id, service, authority, system, list, structure, subscribed_at
    ON sortiment_subscription
BEGIN SELECT RAISE(ABORT, 'a subscription is ended and followed by another, and never altered'); END;

CREATE TRIGGER sortiment_subscription_stays_ended BEFORE UPDATE ON sortiment_subscription WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a subscription that has ended stays so'); END;

CREATE TRIGGER sortiment_subscription_is_kept BEFORE DELETE ON sortiment_subscription
BEGIN SELECT RAISE(ABORT, 'a subscription is ended, and never deleted'); END;
