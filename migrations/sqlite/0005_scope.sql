-- What an agreement is narrowed to is its service's matter: one JSON object in canonical form (names in order, nothing
-- between), `{}` where it is not narrowed. An authority's role is a name that the services interpret.
--
-- The default is no scope: a row that is written without one cannot be read, where `{}` would open all of it.

ALTER TABLE agreement ADD COLUMN scope TEXT NOT NULL DEFAULT '';

UPDATE agreement SET scope = '{'
    || CASE WHEN kle = '[]' THEN '' ELSE '"kle":' || kle END
    || CASE WHEN kle = '[]' OR sensitivity = '[]' THEN '' ELSE ',' END
    || CASE WHEN sensitivity = '[]' THEN '' ELSE '"sensitivity":' || sensitivity END
    || '}';

ALTER TABLE agreement DROP COLUMN kle;
ALTER TABLE agreement DROP COLUMN sensitivity;

-- The role loses its list of two names. The default is none that can be read.
ALTER TABLE authority RENAME COLUMN role TO role_before;
ALTER TABLE authority ADD COLUMN role TEXT NOT NULL DEFAULT '';
UPDATE authority SET role = role_before;
ALTER TABLE authority DROP COLUMN role_before;
