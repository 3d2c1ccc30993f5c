-- The memory against replay that all nodes share: a digest of each message that was let through, until when it is kept, in
-- microseconds since the Unix epoch. Nothing of the message or of a person.

CREATE TABLE replay_message (
    key      bytea PRIMARY KEY CHECK (length(key) = 32),
    until_us bigint NOT NULL
);

CREATE INDEX replay_message_until ON replay_message (until_us);

-- Which memory this is, and since when it remembers. Where the rows were restored, or another server took over, the text is
-- not what the server says of itself. Whoever restores by other means (a snapshot of the disk) empties it:
-- UPDATE replay_memory SET memory = ''.
CREATE TABLE replay_memory (
    one      bigint PRIMARY KEY CHECK (one = 1),
    memory   text NOT NULL,
    since_us bigint NOT NULL
);
