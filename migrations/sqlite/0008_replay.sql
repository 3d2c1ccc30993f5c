-- The memory against replay, where processes share it: a digest of each message that was let through, until when it is kept, in
-- microseconds since the Unix epoch. Nothing of the message or of a person.

CREATE TABLE replay_message (
    key      BLOB PRIMARY KEY CHECK (length(key) = 32),
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX replay_message_until ON replay_message (until_us);

-- Which file this memory is in, and since when it remembers. Where the file is a copy, the text is not what the file says of itself.
CREATE TABLE replay_memory (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    memory   TEXT NOT NULL,
    since_us INTEGER NOT NULL
) STRICT;
