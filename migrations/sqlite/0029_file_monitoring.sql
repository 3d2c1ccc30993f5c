-- Monitoring orders: for one user and the files of one InfRef or pattern of names, how often some are expected, when one that
-- nobody fetched raises an alarm, when it is deleted, and who is told. Files that no monitoring order fits go by their route order.

CREATE TABLE file_monitoring (
    id           TEXT PRIMARY KEY NOT NULL,
    sftp_user    TEXT NOT NULL REFERENCES sftp_user (id),
    inf_ref      TEXT,
    pattern      TEXT,
    rhythm_hours INTEGER CHECK (rhythm_hours BETWEEN 1 AND 9600),
    alarm_hours  INTEGER NOT NULL CHECK (alarm_hours BETWEEN 1 AND 1440),
    delete_days  INTEGER NOT NULL CHECK (delete_days BETWEEN 11 AND 60),
    told         TEXT NOT NULL,
    since_us     INTEGER NOT NULL,
    -- The last file that it fits, sent or received; since when its silence has been told.
    last_us      INTEGER,
    silent_us    INTEGER,
    ended_us     INTEGER,
    CHECK (inf_ref IS NOT NULL OR pattern IS NOT NULL)
) STRICT;

CREATE INDEX file_monitoring_user ON file_monitoring (sftp_user) WHERE ended_us IS NULL;

-- When the alarm for a delivery that nobody fetched was told.
ALTER TABLE file_delivery ADD COLUMN told_us INTEGER;
CREATE INDEX file_delivery_untold ON file_delivery (alarm_us) WHERE state IN ('KLAR', 'GENLEVERET') AND told_us IS NULL;

-- The transfer by whose receipt one was answered that sent the same again.
ALTER TABLE transfer ADD COLUMN repeats TEXT;

-- Receipts of refusals at the door, which belong to no transfer: the oldest give way.
CREATE INDEX home_file_refusals ON home_file (owner, modified_us) WHERE kind = 'receipt' AND transfer IS NULL;
