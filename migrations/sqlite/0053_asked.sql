-- Who asked for an agreement, and what its system and service were called then, as JSON: what the text that is approved says. Null: it
-- was asked for before this was kept, and its text stays as it was signed.
ALTER TABLE agreement ADD COLUMN asked TEXT;

-- A certificate that was ended opens nothing from then on: whoever remembers agreements asks for them again.
CREATE TRIGGER client_system_certificate_ended AFTER UPDATE OF ended_at ON client_system_certificate
BEGIN UPDATE revision SET value = randomblob(16); END;
