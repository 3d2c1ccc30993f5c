//! What can be said of one person by itself: every field, all errors at once. No store is asked.

use std::borrow::Cow;

use jiff::civil::Date;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::answer::Remark;
use super::codes::Code;
use super::field::{FIELDS, Field, Kind, Need};
use super::forms;
use super::number::{PersonKeys, Pseudonym};
use super::row::Row;
use super::scope::Scope;
use super::stray::Own;
use crate::id::cpr::TestNumbers;
use crate::text::is_unseen;

/// What was given for a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Given<T> {
    /// Nothing: it stays as it is.
    #[default]
    Absent,
    /// Nothing is to be there.
    Empty,
    /// This.
    Value(T),
}

impl<T> Given<T> {
    pub(super) fn value(&self) -> Option<&T> {
        match self {
            Given::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// Which employment a row is about.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Whom {
    /// The institution, as its persons are kept under.
    pub(super) home: String,
    pub(super) person: Pseudonym,
    pub(super) staff: String,
}

/// A row, judged by itself. Its CPR numbers are gone.
pub(super) struct Judged {
    pub(super) row: u64,
    /// None: it is not known who it is, so that the store is not asked.
    pub(super) whom: Option<Whom>,
    pub(super) manager: Given<Pseudonym>,
    /// The fields that are kept, in the form in which they are.
    pub(super) values: [Given<String>; FIELDS],
    pub(super) errors: Vec<Remark>,
    pub(super) warnings: Vec<Remark>,
}

impl Judged {
    pub(super) fn value(&self, field: Field) -> Option<&str> {
        self.values.get(field.index()).and_then(Given::value).map(String::as_str)
    }
}

/// Judges a row. `tests`: who alone may be imported; `late`: it came outside the agreed times.
pub(super) fn judge(row: &mut Row, scope: &Scope, keys: &PersonKeys, tests: Option<&TestNumbers>, late: bool) -> Judged {
    let mut judged = Judged {
        row: row.number,
        whom: None,
        manager: Given::Absent,
        values: Default::default(),
        errors: std::mem::take(&mut row.errors),
        warnings: Vec::new(),
    };
    let own = Own::of(row);
    for field in Field::ALL {
        let spec = field.spec();
        let given = row.cell(field);
        match (given, spec.kind) {
            (Some(text), Kind::Ignored) if !text.is_empty() => judged.warnings.push(Remark::of(field, Code::PER105)),
            (_, Kind::Ignored | Kind::Cpr) => {}
            (None, _) if spec.need == Need::Always && !judged.is_refused(field) => {
                judged.errors.push(Remark::of(field, Code::PER002));
            }
            (None, _) => {}
            (Some(""), _) => match spec.need {
                Need::Always => judged.errors.push(Remark::of(field, Code::PER002)),
                Need::Creation | Need::Never => judged.set(field, Given::Empty),
            },
            (Some(text), kind) => match value(kind, spec.longest, text, &own) {
                Ok(value) => judged.set(field, Given::Value(value)),
                Err(code) => judged.errors.push(Remark::of(field, code)),
            },
        }
    }
    let home = judged.value(Field::InstitutionsID1).map(|institution| (scope.covers(institution), scope.home(institution)));
    if let Some((false, _)) = home {
        judged.errors.push(Remark::of(Field::InstitutionsID1, Code::PER006));
    }
    let home = home.filter(|(covered, _)| *covered).map(|(_, home)| home);
    let person = judged.number(row, Field::CPRnummer, home.as_deref(), keys, tests);
    judged.manager = judged.number(row, Field::LederCPRnummer, home.as_deref(), keys, tests);
    let staff = judged.value(Field::Medarbejdernummer).map(str::to_owned);
    if let (Some(home), Given::Value(person), Some(staff)) = (home, person, staff) {
        judged.whom = Some(Whom { home, person, staff });
    }
    if late {
        judged.warnings.push(Remark { field: "", code: Code::PER104 });
    }
    judged
}

impl Judged {
    /// Whether something is wrong with a field that was not taken from the row.
    fn is_refused(&self, field: Field) -> bool {
        self.errors.iter().any(|known| known.field == field.name())
    }

    fn set(&mut self, field: Field, given: Given<String>) {
        if let Some(value) = self.values.get_mut(field.index()) {
            *value = given;
        }
    }

    /// The pseudonym of a CPR number, where its institution is the caller's.
    fn number(
        &mut self,
        row: &Row,
        field: Field,
        home: Option<&str>,
        keys: &PersonKeys,
        tests: Option<&TestNumbers>,
    ) -> Given<Pseudonym> {
        let code = match row.cell(field) {
            None if self.is_refused(field) => return Given::Absent,
            None | Some("") if field.spec().need == Need::Always => Code::PER002,
            None => return Given::Absent,
            Some("") => return Given::Empty,
            Some(text) => match (forms::cpr(text), home) {
                (Ok(cpr), _) if tests.is_some_and(|tests| !tests.has(&cpr)) => Code::PER022,
                (Ok(cpr), Some(home)) => return Given::Value(keys.pseudonym(home, &cpr)),
                (Ok(_), None) => return Given::Absent,
                (Err(code), _) => code,
            },
        };
        self.errors.push(Remark::of(field, code));
        Given::Absent
    }
}

fn value(kind: Kind, longest: usize, text: &str, own: &Own) -> Result<String, Code> {
    let text = match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        _ => Cow::Owned(text.nfc().collect()),
    };
    let found = if text.len() <= longest { 0 } else { text.chars().count() };
    match () {
        () if found > longest => Err(Code::PER003 { longest, found }),
        () if text.chars().any(is_unseen) => Err(Code::PER019),
        () if own.or_any_stands_in(kind, &text) => Err(Code::PER018),
        () => forms::value(kind, &text),
    }
}

/// The day of a field that holds one.
pub(super) fn day(text: Option<&str>) -> Option<Date> {
    text.and_then(forms::day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            authority: "11111111".parse().unwrap(),
            institutions: ["A1".to_owned()].into(),
            times: None,
            erase_after_months: None,
        }
    }

    fn whole() -> Vec<(&'static str, &'static str)> {
        vec![
            ("InstitutionsID1", "A1"),
            ("InstitutionsID2", "B2"),
            ("Kommunekode", "101"),
            ("CPRnummer", "6101801234"),
            ("Medarbejdernummer", "7"),
            ("Koen", "1"),
            ("Fornavne", "Åse"),
            ("Efternavn", "Prøve"),
            ("Email", "aase@institution.dk"),
            ("Brugernavn", "aase"),
        ]
    }

    fn judged(changes: &[(&'static str, Option<&str>)]) -> Judged {
        let mut row = Row::new(1);
        for (name, value) in whole() {
            if !changes.iter().any(|(changed, _)| *changed == name) {
                row.give(name, value);
            }
        }
        for (name, value) in changes {
            value.iter().for_each(|value| row.give(name, value));
        }
        judge(&mut row, &scope(), &PersonKeys::new(&[1; 32]), None, false)
    }

    fn remarks(judged: &Judged) -> Vec<(&'static str, &'static str)> {
        judged.errors.iter().chain(&judged.warnings).map(|remark| (remark.field, remark.code.code())).collect()
    }

    #[test]
    fn every_error_of_a_person_is_told_at_once() {
        let judged = judged(&[
            ("InstitutionsID1", Some("X9")),
            ("InstitutionsID2", None),
            ("CPRnummer", Some("101801234")),
            ("Fornavne", Some(&"å".repeat(104))),
            ("Efternavn", Some("a\u{202e}b")),
            ("Foedselsdato", Some("31-12-1980")),
            ("Koen", Some("3")),
            ("EAN", Some("5798000420527")),
            ("Godkender2", Some("x")),
            ("Titel", Some("x")),
        ]);
        let due = [
            ("", "PER001"),
            ("InstitutionsID2", "PER002"),
            ("Koen", "PER005"),
            ("Fornavne", "PER003"),
            ("Efternavn", "PER019"),
            ("Foedselsdato", "PER004"),
            ("EAN", "PER014"),
            ("InstitutionsID1", "PER006"),
            ("CPRnummer", "PER011"),
            ("Godkender2", "PER105"),
        ];
        assert_eq!(remarks(&judged), due);
        assert!(judged.errors.contains(&Remark { field: "Fornavne", code: Code::PER003 { longest: 100, found: 104 } }));
        assert!(judged.whom.is_none());
    }

    #[test]
    fn a_cpr_number_in_another_field_is_refused_with_and_without_a_hyphen() {
        for (field, text) in [
            ("Medarbejdernummer", "6101801234"),
            ("Brugernavn", "u-610180-1234"),
            ("Stillingsbetegnelse", "se 610180 1234"),
            ("LederMedarbejdernummer", "6202801234"),
        ] {
            let judged = judged(&[(field, Some(text)), ("LederCPRnummer", Some("6202801234"))]);
            assert_eq!(remarks(&judged), [(field, "PER018")], "{text}");
        }
        for anothers in [("Brugernavn", "6101801235"), ("Klasse", "610180-1235"), ("Medarbejdernummer", "6101801235")] {
            assert_eq!(remarks(&judged(&[(anothers.0, Some(anothers.1))])), [(anothers.0, "PER018")], "{anothers:?}");
        }
    }

    #[test]
    fn where_only_tests_are_taken_nobody_is_imported_or_named_as_manager_by_another_number() {
        let told_of = |cpr: &'static str, manager: &'static str| {
            let mut row = Row::new(1);
            for (name, value) in whole() {
                row.give(name, if name == "CPRnummer" { cpr } else { value });
            }
            row.give("LederCPRnummer", manager);
            remarks(&judge(&mut row, &scope(), &PersonKeys::new(&[1; 32]), Some(&TestNumbers::default()), false))
        };
        assert_eq!(told_of("6101801234", "9112801234"), []);
        assert_eq!(told_of("0101575234", ""), [("CPRnummer", "PER022")]);
        assert_eq!(told_of("6101801234", "3112575234"), [("LederCPRnummer", "PER022")]);
    }

    #[test]
    fn nothing_given_and_nothing_there_are_told_apart() {
        let judged = judged(&[("Telefon", Some("")), ("Email", Some("")), ("LederCPRnummer", Some(""))]);
        assert_eq!(remarks(&judged), []);
        let of = |field: Field| &judged.values[field.index()];
        assert_eq!((of(Field::Telefon), of(Field::Email), of(Field::EAN)), (&Given::Empty, &Given::Empty, &Given::Absent));
        assert_eq!(judged.manager, Given::Empty);
    }

    #[test]
    fn a_letter_written_as_two_is_the_letter() {
        assert_eq!(judged(&[("Fornavne", Some("A\u{30a}se"))]).value(Field::Fornavne), Some("Åse"));
    }
}
