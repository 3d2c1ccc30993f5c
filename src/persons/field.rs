//! The fields of a person: one table, of which validation, the header of a CSV file, the elements of XML and the contracts are made.
//!
//! Names, lengths and forms are our own proposal where the learning platform's are not public: each stands here once.

use super::codes::Code;
use crate::refusal::Detail;

/// When a field must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// In every row: `M`.
    Always,
    /// Where the person is new: `C`. Afterwards it may be left out, and never emptied.
    Creation,
    /// Never. Given and empty, it is cleared.
    Never,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line of text.
    Text,
    /// Letters, digits and `-._/`, without spaces.
    Code,
    /// Digits alone: at least and at most so many.
    Digits(usize, usize),
    /// So many digits. Zeros in front that a spreadsheet took away are put back.
    Padded(usize),
    /// One of these, all of one length. Zeros in front that a spreadsheet took away are put back.
    Among(&'static [&'static str]),
    /// A CPR number. It leaves the row as a pseudonym, and in no other way.
    Cpr,
    /// A day, as 2026-12-31.
    Day,
    /// An e-mail address (RFC 5321).
    Email,
    /// A phone number.
    Phone,
    /// A location number (EAN, GLN): 13 digits, the last of which checks the others.
    Ean,
    /// A country (ISO 3166-1), two letters.
    Country,
    /// It is not used any more, and ignored.
    Ignored,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Its name in every contract: element, JSON member, column.
    pub name: &'static str,
    /// What it is called in Danish.
    pub da: &'static str,
    /// What it is called in English.
    pub en: &'static str,
    /// When it must be there.
    pub need: Need,
    /// The longest it may be, in characters.
    pub longest: usize,
    /// What it holds.
    pub kind: Kind,
}

macro_rules! fields {
    ($($field:ident, $da:literal, $en:literal, $need:ident, $longest:literal, $kind:expr;)*) => {
        /// A field of a person.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // each is named as in the contract, and told in the table
        pub enum Field {
            $($field,)*
        }

        impl Field {
            /// Every field, in the order of the contract.
            pub const ALL: [Field; FIELDS] = [$(Field::$field,)*];

            /// Its row of the table.
            pub const fn spec(self) -> Spec {
                match self {
                    $(Field::$field => Spec {
                        name: stringify!($field),
                        da: $da,
                        en: $en,
                        need: Need::$need,
                        longest: $longest,
                        kind: $kind,
                    },)*
                }
            }
        }
    };
}

/// How many fields there are.
pub const FIELDS: usize = 25;

/// Pay frames, and that there is none.
const PAY_FRAMES: &[&str] = &["00", "35", "36", "37", "38", "39", "40", "41", "42"];
/// 0 man, 1 woman, 2 unknown: not ISO 5218.
const SEXES: &[&str] = &["0", "1", "2"];

fields! {
    InstitutionsID1, "institutionens ID 1 (fiktiv løngruppe)", "the institution's ID 1 (fictive pay group)", Always, 10, Kind::Code;
    InstitutionsID2, "institutionens ID 2 (fiktivt delregnskab)", "the institution's ID 2 (fictive sub-ledger)", Always, 10, Kind::Code;
    Kommunekode, "kommunekode", "municipality code", Creation, 3, Kind::Digits(3, 3);
    CPRnummer, "CPR-nummer", "CPR number", Always, 10, Kind::Cpr;
    Medarbejdernummer, "medarbejdernummer", "staff number", Always, 20, Kind::Code;
    Koen, "køn (0 mand, 1 kvinde, 2 ukendt)", "sex (0 man, 1 woman, 2 unknown)", Creation, 1, Kind::Among(SEXES);
    Fornavne, "fornavne", "first names", Creation, 100, Kind::Text;
    Efternavn, "efternavn", "surname", Creation, 100, Kind::Text;
    Email, "e-mailadresse", "e-mail address", Creation, 254, Kind::Email;
    Brugernavn, "brugernavn", "user name", Creation, 100, Kind::Text;
    Foedselsdato, "fødselsdato", "date of birth", Never, 10, Kind::Day;
    Overenskomstnummer, "overenskomstnummer (PKAT)", "collective agreement number (PKAT)", Never, 3, Kind::Padded(3);
    Loenramme, "lønramme (35-42, ellers 00)", "pay frame (35-42, else 00)", Never, 2, Kind::Among(PAY_FRAMES);
    Stillingskode, "stillingskode (STIKO)", "position code (STIKO)", Never, 6, Kind::Digits(1, 6);
    Aktionskodedato, "aktionskodedato (ikke aktiv fra)", "action-code date (not active from)", Never, 10, Kind::Day;
    Ansaettelsesdato, "ansættelsesdato", "employment date", Never, 10, Kind::Day;
    Klasse, "klasse", "class", Never, 20, Kind::Text;
    Job, "job (kompetenceprofilens id)", "job (id of the competence profile)", Never, 50, Kind::Code;
    Stillingsbetegnelse, "stillingsbetegnelse", "job title", Never, 100, Kind::Text;
    Telefon, "telefonnummer", "phone number", Never, 20, Kind::Phone;
    LederCPRnummer, "lederens CPR-nummer", "the manager's CPR number", Never, 10, Kind::Cpr;
    EAN, "EAN-nummer", "EAN number", Never, 13, Kind::Ean;
    Godkender2, "2. godkender (bruges ikke mere)", "2. approver (not used any more)", Never, 100, Kind::Ignored;
    Nationalitet, "nationalitet (ISO 3166, to bogstaver)", "nationality (ISO 3166, two letters)", Never, 2, Kind::Country;
    LederMedarbejdernummer, "lederens medarbejdernummer", "the manager's staff number", Never, 20, Kind::Code;
}

impl Field {
    /// Its name in every contract.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The field of that name, upper and lower case as in the contract.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Its place in [`Field::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether an empty value clears it.
    pub fn clearable(self) -> bool {
        self.spec().need == Need::Never
    }

    /// Whether what it holds is kept as it is given: a CPR number is not, and what is ignored is not.
    pub fn is_kept(self) -> bool {
        !matches!(self.spec().kind, Kind::Cpr | Kind::Ignored)
    }
}

/// What a value must be, in words: for remedies, for the contract and for the documentation.
pub fn form(kind: Kind) -> Detail {
    match kind {
        Kind::Text | Kind::Ignored => Detail::new("én linje tekst", "one line of text"),
        Kind::Code => Detail::new("bogstaver, cifre og -._/ uden mellemrum", "letters, digits and -._/ without spaces"),
        Kind::Digits(least, most) if least == most => Detail::new(format!("{most} cifre"), format!("{most} digits")),
        Kind::Digits(least, most) => Detail::new(format!("{least}-{most} cifre"), format!("{least}-{most} digits")),
        Kind::Padded(most) => Detail::new(format!("1-{most} cifre"), format!("1-{most} digits")),
        Kind::Among(values) => {
            let [but_last, last] = match values.split_last() {
                Some((last, rest)) => [rest.join(", "), (*last).to_owned()],
                None => [String::new(), String::new()],
            };
            Detail::new(format!("{but_last} eller {last}"), format!("{but_last} or {last}"))
        }
        Kind::Cpr => Detail::new("ti cifre uden bindestreg", "ten digits without a hyphen"),
        Kind::Day => Detail::new("en dato skrevet som 2026-12-31", "a date written as 2026-12-31"),
        Kind::Email => Detail::new("en e-mailadresse", "an e-mail address"),
        Kind::Phone => Detail::new(
            "et telefonnummer: evt. + og derefter cifre og mellemrum",
            "a phone number: + where needed, then digits and spaces",
        ),
        Kind::Ean => Detail::new("13 cifre", "13 digits"),
        Kind::Country => Detail::new("landets to bogstaver efter ISO 3166", "the country's two letters by ISO 3166"),
    }
}

/// What is wrong with a value of that kind, where it has not the form that it must have.
pub(super) fn misshapen(kind: Kind) -> Code {
    match kind {
        Kind::Day => Code::PER004,
        Kind::Among(_) => Code::PER005 { allowed: form(kind) },
        Kind::Email => Code::PER016,
        Kind::Phone => Code::PER017,
        Kind::Country => Code::PER015,
        kind => Code::PER013 { form: form(kind) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_learning_platform_with_what_must_be_there_when() {
        let of = |need: Need| Field::ALL.into_iter().filter(move |field| field.spec().need == need).map(Field::name);
        let always: Vec<_> = of(Need::Always).collect();
        assert_eq!(always, ["InstitutionsID1", "InstitutionsID2", "CPRnummer", "Medarbejdernummer"]);
        let creation: Vec<_> = of(Need::Creation).collect();
        assert_eq!(creation, ["Kommunekode", "Koen", "Fornavne", "Efternavn", "Email", "Brugernavn"]);
        assert_eq!(of(Need::Never).count(), 15);
        for (at, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!((field.index(), Field::named(field.name())), (at, Some(field)));
        }
        assert_eq!(Field::named("cprnummer"), None);
    }
}
