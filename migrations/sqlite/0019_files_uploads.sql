-- Files in OUT that no trigger has come for are counted, in homes of millions of files too.
CREATE INDEX home_file_uploads ON home_file (modified_us) WHERE kind = 'upload' AND transfer IS NULL;
