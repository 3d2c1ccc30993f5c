-- By what a user was told from others as it was added: the column of migrations/sqlite/0092_known_by.sql.
ALTER TABLE api_user ADD COLUMN known_by text;

UPDATE api_user AS u SET known_by = CASE
    WHEN EXISTS (SELECT 1 FROM api_user_certificate AS c WHERE c.api_user = u.id)
        AND NOT EXISTS (SELECT 1 FROM console_session AS s WHERE s.api_user = u.id AND s.means = 'saml') THEN 'certificate'
    WHEN u.name = 'Person ' || replace(coalesce(u.person, u.id)::text, '-', '') THEN 'nothing'
    ELSE 'name' END;

CREATE TRIGGER api_user_known_by_stays BEFORE UPDATE OF known_by ON api_user
    FOR EACH ROW WHEN (OLD.known_by IS NOT NULL) EXECUTE FUNCTION never('a user is ended and another added, and never altered');
