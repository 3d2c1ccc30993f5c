-- Monitoring orders: the tables and columns of migrations/sqlite/0029_file_monitoring.sql.

CREATE TABLE file_monitoring (
    id           uuid PRIMARY KEY,
    sftp_user    uuid NOT NULL REFERENCES sftp_user (id),
    inf_ref      text,
    pattern      text,
    rhythm_hours bigint CHECK (rhythm_hours BETWEEN 1 AND 9600),
    alarm_hours  bigint NOT NULL CHECK (alarm_hours BETWEEN 1 AND 1440),
    delete_days  bigint NOT NULL CHECK (delete_days BETWEEN 11 AND 60),
    told         text NOT NULL,
    since_us     bigint NOT NULL,
    last_us      bigint,
    silent_us    bigint,
    ended_us     bigint,
    CHECK (inf_ref IS NOT NULL OR pattern IS NOT NULL)
);

CREATE INDEX file_monitoring_user ON file_monitoring (sftp_user) WHERE ended_us IS NULL;

ALTER TABLE file_delivery ADD COLUMN told_us bigint;
CREATE INDEX file_delivery_untold ON file_delivery (alarm_us) WHERE state IN ('KLAR', 'GENLEVERET') AND told_us IS NULL;

ALTER TABLE transfer ADD COLUMN repeats uuid;

CREATE INDEX home_file_refusals ON home_file (owner, modified_us) WHERE kind = 'receipt' AND transfer IS NULL;
