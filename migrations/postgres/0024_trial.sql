-- When tests (`Proeve`) of an authority's deliveries are taken: the table of migrations/sqlite/0024_trial.sql.

CREATE TABLE trial (
    id        uuid PRIMARY KEY,
    service   uuid NOT NULL,
    authority text NOT NULL CHECK (authority ~ '^[0-9]{8}$'),
    opens_at  timestamptz NOT NULL,
    closes_at timestamptz NOT NULL CHECK (closes_at > opens_at),
    opened_at timestamptz NOT NULL,
    ended_at  timestamptz
);

CREATE INDEX trial_service ON trial (service, closes_at);

CREATE TRIGGER trial_stays BEFORE UPDATE OF id, service, authority, opens_at, closes_at, opened_at ON trial
    FOR EACH ROW EXECUTE FUNCTION never('a time for tests is ended and followed by another, and never altered');
CREATE TRIGGER trial_stays_ended BEFORE UPDATE ON trial
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION never('a time for tests that has ended stays so');
CREATE TRIGGER trial_is_kept BEFORE DELETE ON trial
    FOR EACH ROW EXECUTE FUNCTION never('a time for tests is ended, and never deleted');
CREATE TRIGGER trial_is_never_emptied BEFORE TRUNCATE ON trial
    FOR EACH STATEMENT EXECUTE FUNCTION never('a time for tests is ended, and never deleted');

CREATE TRIGGER trial_opened AFTER INSERT ON trial REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION revise();
CREATE TRIGGER trial_ended AFTER UPDATE ON trial REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION revise();
