//! What is said of a person that is imported: the codes of errors and warnings, each with its texts in one table.
//!
//! No text holds a value that was given: it may be a person's number in the wrong column.

use crate::refusal::{Detail, Entry, Table, refusals};

refusals! { []
    /// Every code of the answer on a person. From `PER101` on it is a warning, and the person is taken.
    pub enum Code;

    == "Persons: errors, for which the person is refused";

    /// A field that the contract does not have. `name`: as given, where it looks like a name.
    PER001 { name: String = "Fornavn".to_owned() }, Caller, AfterChange, Administrator,
        da: "Feltet {name} findes ikke.", "Brug feltnavnene i kontrakten, med store og små bogstaver som dér, og fjern andre felter.",
        en: "There is no field {name}.", "Use the names of the contract, in its upper and lower case, and remove other fields.";
    /// A field that must be there.
    PER002, Caller, AfterChange, User,
        da: "Feltet mangler eller er tomt, og det er obligatorisk.", "Udfyld feltet i lønsystemet eller HR-systemet, og send personen igen.",
        en: "The field is missing or empty, and it is mandatory.", "Fill in the field in the payroll or HR system, and send the person again.";
    /// Too long.
    PER003 { longest: usize = 100, found: usize = 104 }, Caller, AfterChange, User,
        da: "Feltet har {found} tegn og må højst have {longest}.", "Forkort indholdet ved kilden; det bliver aldrig skåret af.",
        en: "The field has {found} characters and may have {longest} at most.", "Shorten it at its source; it is never cut off.";
    /// No day.
    PER004, Caller, AfterChange, User,
        da: "Feltet er ikke en dato.", "Skriv datoen som 2026-12-31, og kun en dag, der findes.",
        en: "The field is no date.", "Write the date as 2026-12-31, and only a day that exists.";
    /// Not in the list of values.
    PER005 { allowed: Detail = Detail::new("0, 1 eller 2", "0, 1 or 2") }, Caller, AfterChange, User,
        da: "Værdien er ikke i værdilisten.", "Skriv {allowed}.",
        en: "The value is not in the list of values.", "Write {allowed}.";
    /// The institution is not the agreement's.
    PER006, Caller, AfterChange, Administrator,
        da: "Institutionen er ikke omfattet af aftalen.", "Ret InstitutionsID1, eller få institutionen med i serviceaftalen.",
        en: "The institution is not covered by the agreement.", "Correct InstitutionsID1, or have the institution added to the service agreement.";
    /// Named before in the request.
    PER007, Caller, AfterChange, Administrator,
        da: "Personen står allerede i en tidligere række af samme indberetning, med samme institution, CPR-nummer og medarbejdernummer.", "Send hver ansættelse én gang; kun den første række er behandlet.",
        en: "The person stands in an earlier row of the same request, with the same institution, CPR number and staff number.", "Send each employment once; only the first row was processed.";
    /// Another person of the institution has the user name.
    PER008, Caller, AfterChange, User,
        da: "Brugernavnet bruges allerede af en anden person i institutionen.", "Giv personen et andet brugernavn, eller ret CPR-nummeret, hvis det er den samme person; ellers oprettes personen to gange.",
        en: "The user name is used by another person of the institution.", "Give the person another user name, or correct the CPR number if it is the same person; else the person would be created twice.";
    /// It may not be emptied.
    PER009, Caller, AfterChange, User,
        da: "Feltet er tomt og kan ikke slettes.", "Udfyld feltet, eller udelad det, så det forbliver uændret.",
        en: "The field is empty and cannot be cleared.", "Fill in the field, or leave it out so that it stays as it is.";
    /// No CPR number.
    PER010, Caller, AfterChange, User,
        da: "CPR-nummeret har ikke ti cifre.", "Skriv ti cifre uden bindestreg og mellemrum.",
        en: "The CPR number has not ten digits.", "Write ten digits without hyphen and spaces.";
    /// A spreadsheet took the zero in front.
    PER011, Caller, AfterChange, User,
        da: "CPR-nummeret har kun ni cifre: et regneark har fjernet nullet forrest.", "Formatér kolonnen som tekst i regnearket, og udfyld CPR-numrene igen fra kilden.",
        en: "The CPR number has nine digits only: a spreadsheet has taken away the zero in front.", "Format the column as text in the spreadsheet, and fill in the CPR numbers from their source again.";
    /// No possible day.
    PER012, Caller, AfterChange, User,
        da: "CPR-nummeret begynder ikke med en mulig dato (for erstatningsnumre er der lagt 60 til dagen; det 7. ciffer fortæller århundredet).", "Ret CPR-nummeret.",
        en: "The CPR number does not begin with a possible date (replacement numbers have 60 added to the day; the 7th digit tells the century).", "Correct the CPR number.";
    /// Another form.
    PER013 { form: Detail = Detail::new("3 cifre", "3 digits") }, Caller, AfterChange, User,
        da: "Feltet har ikke den rigtige form.", "Skriv {form}.",
        en: "The field has not the form that it must have.", "Write {form}.";
    /// EAN whose check digit is another.
    PER014, Caller, AfterChange, User,
        da: "EAN-nummerets kontrolciffer er forkert.", "Skriv EAN-nummeret af igen fra kilden.",
        en: "The check digit of the EAN number is wrong.", "Copy the EAN number from its source again.";
    /// No country.
    PER015, Caller, AfterChange, User,
        da: "Nationaliteten er ikke en landekode.", "Skriv landets to bogstaver efter ISO 3166-1, fx DK.",
        en: "The nationality is no country code.", "Write the country's two letters by ISO 3166-1, such as DK.";
    /// No e-mail address.
    PER016, Caller, AfterChange, User,
        da: "Feltet er ikke en e-mailadresse.", "Skriv én adresse uden navn og vinkelparenteser, fx navn@institution.dk.",
        en: "The field is no e-mail address.", "Write one address without a name and angle brackets, such as name@institution.dk.";
    /// No phone number.
    PER017, Caller, AfterChange, User,
        da: "Feltet er ikke et telefonnummer.", "Skriv 3-15 cifre, evt. med + forrest og mellemrum imellem.",
        en: "The field is no phone number.", "Write 3-15 digits, with + in front where needed, and spaces between.";
    /// A CPR number where none belongs.
    PER018, Caller, AfterChange, User,
        da: "Feltet indeholder et CPR-nummer eller ti cifre, der kan være et.", "Fjern det: CPR-numre må kun stå i CPRnummer og LederCPRnummer. Er det et andet nummer, så skriv det, så det ikke kan forveksles med et CPR-nummer.",
        en: "The field holds a CPR number, or ten digits that may be one.", "Remove it: CPR numbers may stand in CPRnummer and LederCPRnummer only. Where it is another number, write it so that it cannot be taken for a CPR number.";
    /// Something that nobody sees.
    PER019, Caller, AfterChange, User,
        da: "Feltet indeholder linjeskift, kontroltegn eller usynlige tegn.", "Fjern dem ved kilden.",
        en: "The field holds line breaks, control characters or invisible characters.", "Remove them at their source.";
    /// The row itself cannot be read.
    PER020 { what: Detail = Detail::new("rækken har flere celler end overskriften", "the row has more cells than the header") }, Caller, AfterChange, Administrator,
        da: "Rækken kan ikke læses: {what}.", "Dan filen igen, og send den på ny.",
        en: "The row cannot be read: {what}.", "Make the file anew, and send it again.";
    /// A field that stands twice.
    PER021, Caller, AfterChange, Administrator,
        da: "Feltet står mere end én gang.", "Send feltet én gang.",
        en: "The field stands more than once.", "Send the field once.";
    /// In the environment for tests.
    PER022, Caller, AfterChange, User,
        da: "CPR-nummeret er ikke et testnummer, og dette er testmiljøet.", "Brug numre, hvor dagen er 61 til 91, eller dem på driftens liste; er nummeret en virkelig persons, så fortæl det til jeres databeskyttelsesrådgiver.",
        en: "The CPR number is no test number, and this is the environment for tests.", "Use numbers whose day is 61 to 91, or those on the operators' list; if the number is a real person's, tell your data protection officer.";
    /// JSON of another type.
    PER023, Caller, AfterChange, Administrator,
        da: "Feltet er ikke en tekst.", "Send værdien som en tekst i anførselstegn, fx \"101\"; tal taber nuller forrest.",
        en: "The field is no text.", "Send the value as a text in quotation marks, as \"101\"; numbers lose zeros in front.";

    == "Persons: warnings, with which the person is taken";

    /// The manager is not there yet.
    PER101, Caller, AfterChange, User,
        da: "Lederen kendes ikke i institutionen endnu.", "Intet, hvis lederen kommer senere; ellers ret lederens CPR-nummer.",
        en: "The manager is not known in the institution yet.", "Nothing where the manager comes later; else correct the manager's CPR number.";
    /// Another person of the institution has the address.
    PER102, Caller, AfterChange, User,
        da: "E-mailadressen bruges også af en anden person i institutionen.", "Kontrollér, at adressen er personens egen.",
        en: "The e-mail address is also used by another person of the institution.", "Check that the address is the person's own.";
    /// Another employment of the same person.
    PER103, Caller, AfterChange, User,
        da: "Personen har også en anden ansættelse i institutionen, med et andet medarbejdernummer.", "Kontrollér, at det er en ansættelse mere og ikke et nyt medarbejdernummer for den samme.",
        en: "The person has another employment in the institution too, with another staff number.", "Check that it is one employment more, and not a new staff number of the same.";
    /// Not when it was agreed.
    PER104, Caller, AfterChange, Administrator,
        da: "Indberetningen kom uden for de aftalte tider.", "Send inden for de tider, der står i aftalen, eller få dem ændret.",
        en: "The request came outside the agreed times.", "Send within the times of the agreement, or have them changed.";
    /// It is not used any more.
    PER105, Caller, AfterChange, Administrator,
        da: "Feltet bruges ikke mere og er ignoreret.", "Udelad feltet.",
        en: "The field is not used any more, and was ignored.", "Leave the field out.";
    /// The manager has no such employment.
    PER106, Caller, AfterChange, User,
        da: "Lederen har ingen ansættelse i institutionen med det medarbejdernummer, eller lederens CPR-nummer mangler.", "Ret lederens medarbejdernummer eller CPR-nummer; intet, hvis lederens ansættelse kommer senere.",
        en: "The manager has no employment in the institution with that staff number, or the manager's CPR number is missing.", "Correct the manager's staff number or CPR number; nothing where the manager's employment comes later.";
}

impl Table for Code {
    fn row(&self) -> Entry {
        self.entry()
    }
}

impl Code {
    /// Whether the person is taken all the same.
    pub fn is_warning(&self) -> bool {
        self.code() >= "PER101"
    }
}

/// The name of a field that is not known, as it may be said again: a first row of values in the place of the header must not come
/// back as names.
pub(super) fn sayable(name: &str) -> String {
    let looks_like_a_name = name.chars().next().is_some_and(char::is_alphabetic)
        && name.chars().count() <= 40
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '))
        && name.chars().filter(char::is_ascii_digit).count() <= 3;
    if looks_like_a_name { name.to_owned() } else { "?".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn a_value_in_the_place_of_a_name_is_never_said_again() {
        for name in ["Fornavn", "E-mail", "Kolonne 12", "Køn"] {
            assert_eq!(sayable(name), name);
        }
        for name in ["6101801234", "A610180-1234", "=cmd()", "", &"x".repeat(41), "navn\u{202e}"] {
            assert_eq!(sayable(name), "?", "{name}");
        }
    }

    /// `docs/faults-persons.md`, as it must be.
    fn page() -> String {
        let mut page = "# Personer: svarenes koder · Persons: the codes of the answers\n\n\
             Skrevet af `src/persons/codes.rs`; tal i teksterne er eksempler. Hvad et kald som helhed afvises for: [faults.md](faults.md).\n\n\
             Written from `src/persons/codes.rs`; numbers in the texts are samples. What a call as a whole is refused for: [faults.md](faults.md).\n"
            .to_owned();
        let mut group = "";
        for code in Code::every() {
            let entry = code.entry();
            if entry.group != group {
                group = entry.group;
                let _ = write!(page, "\n## {group}\n\n| Kode · Code | Dansk | English |\n|---|---|---|\n");
            }
            let text = |text: &crate::refusal::Text| format!("{} {}", text.what, text.remedy).replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | {} | {} |", entry.code, text(&entry.da), text(&entry.en));
        }
        page
    }

    #[test]
    fn the_page_of_codes_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults-persons.md");
        let page = page();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let on_disk = std::fs::read_to_string(path).unwrap_or_default();
        assert!(on_disk == page, "docs/faults-persons.md is stale: UPDATE_DOCS=1 cargo test --lib persons::codes");
    }

    #[test]
    fn each_code_tells_what_and_what_to_do_in_both_languages_and_warnings_follow_errors() {
        let every = Code::every();
        assert!(every.iter().map(Code::code).is_sorted());
        for code in &every {
            let entry = code.entry();
            for text in [&entry.da, &entry.en] {
                assert!(text.what.ends_with('.') || text.what.ends_with(")."), "{}", entry.code);
                assert!(text.remedy.ends_with('.'), "{}", entry.code);
            }
            assert_eq!(code.is_warning(), entry.group.contains("warnings"), "{}", entry.code);
        }
    }
}
