-- The list of requests, newest first: those that wait are few, and an authority's own are found by it.

CREATE INDEX mailbox_request_waits ON mailbox_request (id) WHERE state = 'ANMODET';
CREATE INDEX mailbox_request_authority ON mailbox_request (authority, id);
