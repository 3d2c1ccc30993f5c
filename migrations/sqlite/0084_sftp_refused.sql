-- When the name of a user was last given with a key that is not its own.
ALTER TABLE sftp_user ADD COLUMN refused_us INTEGER;
