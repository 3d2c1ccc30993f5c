-- Routes: which system receives a service's calls, between which authorities, on which days. Days are ISO 8601 dates in
-- Copenhagen. `sender` and `receiver` null: every authority. A route that is changed is ended and followed by another: of a
-- row only `valid_to` ever changes. Certificates are PEM.

CREATE TABLE route (
    id                   TEXT PRIMARY KEY NOT NULL,
    service              TEXT NOT NULL,
    environment          TEXT NOT NULL,
    sender               TEXT,
    receiver             TEXT,
    valid_from           TEXT NOT NULL CHECK (valid_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    valid_to             TEXT CHECK (valid_to GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' AND valid_to >= valid_from),
    system               TEXT NOT NULL,
    address              TEXT NOT NULL,
    entity_id            TEXT NOT NULL,
    security             TEXT NOT NULL CHECK (security IN ('token', 'authority-context')),
    roots                TEXT NOT NULL,
    signing_certificates TEXT CHECK ((signing_certificates IS NULL) = (security = 'authority-context'))
) STRICT;

CREATE INDEX route_sender ON route (service, environment, sender);

-- hjemmel asks first, and says which route is in the way. These are for whoever writes to the store by other means.

CREATE TRIGGER route_alone_when_added BEFORE INSERT ON route
WHEN EXISTS (
    SELECT 1 FROM route AS other
    WHERE other.service = NEW.service AND other.environment = NEW.environment
      AND (other.sender IS NULL OR NEW.sender IS NULL OR other.sender = NEW.sender)
      AND (other.receiver IS NULL OR NEW.receiver IS NULL OR other.receiver = NEW.receiver)
      AND max(other.valid_from, NEW.valid_from) < min(ifnull(other.valid_to, '~'), ifnull(NEW.valid_to, '~'))
)
BEGIN SELECT RAISE(ABORT, 'another route carries the same calls on one of these days'); END;

CREATE TRIGGER route_alone_when_changed BEFORE UPDATE ON route
WHEN EXISTS (
    SELECT 1 FROM route AS other
    WHERE other.id <> OLD.id AND other.service = NEW.service AND other.environment = NEW.environment
      AND (other.sender IS NULL OR NEW.sender IS NULL OR other.sender = NEW.sender)
      AND (other.receiver IS NULL OR NEW.receiver IS NULL OR other.receiver = NEW.receiver)
      AND max(other.valid_from, NEW.valid_from) < min(ifnull(other.valid_to, '~'), ifnull(NEW.valid_to, '~'))
)
BEGIN SELECT RAISE(ABORT, 'another route carries the same calls on one of these days'); END;

CREATE TRIGGER route_terms_stay BEFORE UPDATE OF id, service, environment, sender, receiver, valid_from, system, address,
    entity_id, security, roots, signing_certificates ON route
BEGIN SELECT RAISE(ABORT, 'a route is ended and followed by another, and never altered'); END;

CREATE TRIGGER route_is_kept BEFORE DELETE ON route
BEGIN SELECT RAISE(ABORT, 'a route is ended, and never deleted'); END;

CREATE TRIGGER route_added AFTER INSERT ON route BEGIN UPDATE revision SET value = randomblob(16); END;
CREATE TRIGGER route_changed AFTER UPDATE ON route BEGIN UPDATE revision SET value = randomblob(16); END;

-- Who added and ended it, when, and why. Rows are only ever added; `valid_to` is the end that the change gave it.
CREATE TABLE route_change (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    route      TEXT NOT NULL REFERENCES route (id),
    change     TEXT NOT NULL CHECK (change IN ('added', 'ended')),
    valid_to   TEXT,
    changed_by TEXT NOT NULL,
    at         TEXT NOT NULL,
    reason     TEXT NOT NULL
) STRICT;

CREATE INDEX route_change_route ON route_change (route);

CREATE TRIGGER route_change_stays BEFORE UPDATE ON route_change
BEGIN SELECT RAISE(ABORT, 'changes are never altered'); END;

CREATE TRIGGER route_change_is_kept BEFORE DELETE ON route_change
BEGIN SELECT RAISE(ABORT, 'changes are never deleted'); END;
