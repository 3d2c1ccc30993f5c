-- Value lists (sortimenter): the tables of migrations/sqlite/0014_sortiment.sql.

CREATE TABLE sortiment (
    id           uuid PRIMARY KEY,
    service      uuid NOT NULL,
    list         uuid NOT NULL,
    name         text NOT NULL,
    version      text NOT NULL,
    authority    text CHECK (authority ~ '^[0-9]{8}$'),
    valid_from   date NOT NULL,
    valid_to     date CHECK (valid_to >= valid_from),
    sha256       text NOT NULL,
    imported_at  timestamptz NOT NULL,
    published_at timestamptz
);

CREATE UNIQUE INDEX sortiment_common ON sortiment (service, list, version) WHERE authority IS NULL;
CREATE UNIQUE INDEX sortiment_supplement ON sortiment (service, list, version, authority, valid_from) WHERE authority IS NOT NULL;

-- In the order of bytes, as the program sorts them.
CREATE TABLE sortiment_part (
    sortiment      uuid NOT NULL REFERENCES sortiment (id) ON DELETE CASCADE,
    part           text COLLATE "C" NOT NULL,
    supplemented   boolean NOT NULL,
    party_demanded boolean NOT NULL,
    PRIMARY KEY (sortiment, part)
);

CREATE TABLE sortiment_code (
    sortiment   uuid NOT NULL,
    part        text COLLATE "C" NOT NULL,
    code        text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    class       uuid,
    sensitivity bigint,
    valid_from  date,
    valid_to    date,
    PRIMARY KEY (sortiment, part, code),
    FOREIGN KEY (sortiment, part) REFERENCES sortiment_part (sortiment, part) ON DELETE CASCADE
);

CREATE FUNCTION never_of_published() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF (SELECT published_at FROM sortiment WHERE id = OLD.sortiment) IS NOT NULL THEN
        RAISE EXCEPTION 'a published version of a value list is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER sortiment_stays BEFORE UPDATE OF id, service, list, name, version, authority, valid_from, valid_to, sha256,
    imported_at ON sortiment
    FOR EACH ROW EXECUTE FUNCTION never('a version of a value list is followed by another, and never altered');
CREATE TRIGGER sortiment_stays_published BEFORE UPDATE ON sortiment
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION never('a version of a value list stays published');
CREATE TRIGGER sortiment_is_kept BEFORE DELETE ON sortiment
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL)
    EXECUTE FUNCTION never('a published version of a value list is never deleted');
CREATE TRIGGER sortiment_is_never_emptied BEFORE TRUNCATE ON sortiment
    FOR EACH STATEMENT EXECUTE FUNCTION never('a published version of a value list is never deleted');

CREATE TRIGGER sortiment_part_stays BEFORE UPDATE ON sortiment_part
    FOR EACH ROW EXECUTE FUNCTION never('a version of a value list is followed by another, and never altered');
CREATE TRIGGER sortiment_part_is_kept BEFORE DELETE ON sortiment_part FOR EACH ROW EXECUTE FUNCTION never_of_published();
CREATE TRIGGER sortiment_part_is_never_emptied BEFORE TRUNCATE ON sortiment_part
    FOR EACH STATEMENT EXECUTE FUNCTION never('a published version of a value list is never deleted');

CREATE TRIGGER sortiment_code_stays BEFORE UPDATE ON sortiment_code
    FOR EACH ROW EXECUTE FUNCTION never('a version of a value list is followed by another, and never altered');
CREATE TRIGGER sortiment_code_is_kept BEFORE DELETE ON sortiment_code FOR EACH ROW EXECUTE FUNCTION never_of_published();
CREATE TRIGGER sortiment_code_is_never_emptied BEFORE TRUNCATE ON sortiment_code
    FOR EACH STATEMENT EXECUTE FUNCTION never('a published version of a value list is never deleted');

CREATE TRIGGER sortiment_published AFTER UPDATE ON sortiment REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION revise();

-- Decisions on more than agreements, routes and users: the program knows which, and refuses a row that it does not know.
ALTER TABLE decision DROP CONSTRAINT decision_subject_check;
ALTER TABLE decision ADD CONSTRAINT decision_subject_check CHECK (length(subject) BETWEEN 1 AND 40);
