-- When a person of the institution was erased last: a file that came before is not taken in again, which would bring the person back.
ALTER TABLE person_institution ADD COLUMN erased_us INTEGER;
