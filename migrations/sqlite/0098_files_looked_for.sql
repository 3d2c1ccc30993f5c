-- What is looked for every half minute, without reading all that lies there: receipts and metadata that have lain long enough, files of
-- mailboxes that nobody fetched or whose days are over, and when anything passed a stream last.
CREATE INDEX home_file_told ON home_file (modified_us) WHERE kind IN ('receipt', 'metadata');
CREATE INDEX mailbox_file_unfetched ON mailbox_file (received_us) WHERE validation = 'GODKENDT' AND transport = 'KLAR';
CREATE INDEX mailbox_file_sent_last ON mailbox_file (sender, stream, received_us);
CREATE INDEX mailbox_file_confirmed_last ON mailbox_file (recipient, stream, confirmed_us);
CREATE INDEX mailbox_file_ended ON mailbox_file (delete_us) WHERE content IS NOT NULL;
