-- What is looked for each time that a trigger is refused or a partner agreement asked for.
CREATE INDEX transfer_refused ON transfer (sender, received_us) WHERE state = 'AFVIST' AND length(trigger_xml) > 0;
CREATE INDEX mailbox_request_asked ON mailbox_request (id) WHERE state = 'ANMODET';
