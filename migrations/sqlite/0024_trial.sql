-- When tests (`Proeve`) of an authority's deliveries to a service are taken: from `opens_at` to `closes_at`, which is not within.
-- Who opened it and why stands in `decision`. Of a row only `ended_at` ever changes.

CREATE TABLE trial (
    id        TEXT PRIMARY KEY NOT NULL,
    service   TEXT NOT NULL,
    authority TEXT NOT NULL,
    opens_at  TEXT NOT NULL,
    closes_at TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    ended_at  TEXT
) STRICT;

CREATE INDEX trial_service ON trial (service, closes_at);

CREATE TRIGGER trial_stays BEFORE UPDATE OF id, service, authority, opens_at, closes_at, opened_at ON trial
BEGIN SELECT RAISE(ABORT, 'a time for tests is ended and followed by another, and never altered'); END;

CREATE TRIGGER trial_stays_ended BEFORE UPDATE ON trial WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a time for tests that has ended stays so'); END;

CREATE TRIGGER trial_is_kept BEFORE DELETE ON trial
BEGIN SELECT RAISE(ABORT, 'a time for tests is ended, and never deleted'); END;

CREATE TRIGGER trial_opened AFTER INSERT ON trial BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER trial_ended AFTER UPDATE ON trial BEGIN UPDATE revision SET value = randomblob(16); END;
