-- By what a user was told from others as it was added.
-- `known_by`: certificate (whoever added it was told of others of its name), name (by an identity provider, which named the person) or
-- nothing (the provider named nobody). A certificate that is added later changes nothing of it. Null: by a node of the release before.
-- A user that there is has come by a provider where it never had a certificate, or has a session by one.
ALTER TABLE api_user ADD COLUMN known_by TEXT;

UPDATE api_user AS u SET known_by = CASE
    WHEN EXISTS (SELECT 1 FROM api_user_certificate AS c WHERE c.api_user = u.id)
        AND NOT EXISTS (SELECT 1 FROM console_session AS s WHERE s.api_user = u.id AND s.means = 'saml') THEN 'certificate'
    WHEN u.name = 'Person ' || replace(coalesce(u.person, u.id), '-', '') THEN 'nothing'
    ELSE 'name' END;

CREATE TRIGGER api_user_known_by_stays BEFORE UPDATE OF known_by ON api_user WHEN OLD.known_by IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a user is ended and another added, and never altered'); END;
