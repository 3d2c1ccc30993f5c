-- Who gets each published version: the table of migrations/sqlite/0015_sortiment_subscription.sql.

CREATE TABLE sortiment_subscription (
    id            uuid PRIMARY KEY,
    service       uuid NOT NULL,
    authority     text NOT NULL CHECK (authority ~ '^[0-9]{8}$'),
    system        uuid NOT NULL,
    list          uuid,
    structure     bigint NOT NULL CHECK (structure IN (1, 2)),
    subscribed_at timestamptz NOT NULL,
    ended_at      timestamptz
);

CREATE INDEX sortiment_subscription_service ON sortiment_subscription (service) WHERE ended_at IS NULL;

CREATE TRIGGER sortiment_subscription_stays BEFORE UPDATE OF id, service, authority, system, list, structure, subscribed_at
    ON sortiment_subscription
    FOR EACH ROW EXECUTE FUNCTION never('a subscription is ended and followed by another, and never altered');
CREATE TRIGGER sortiment_subscription_stays_ended BEFORE UPDATE ON sortiment_subscription
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION never('a subscription that has ended stays so');
CREATE TRIGGER sortiment_subscription_is_kept BEFORE DELETE ON sortiment_subscription
    FOR EACH ROW EXECUTE FUNCTION never('a subscription is ended, and never deleted');
CREATE TRIGGER sortiment_subscription_is_never_emptied BEFORE TRUNCATE ON sortiment_subscription
    FOR EACH STATEMENT EXECUTE FUNCTION never('a subscription is ended, and never deleted');
