//! What the policy decided about a search, part by part: for whoever asks why.

use super::document::Bilingual;
use super::window::Window;

/// One thing that was decided. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Decision {
    /// Where in the call.
    pub place: String,
    pub decided: Decided,
}

/// What can be decided about a search that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Decided {
    /// This search for a grant binds the whole search to its person.
    PersonBinds,
    /// No KLE number is asked for where token or agreement constrains them.
    KleKept,
    /// The call delimits this search itself, within the window.
    Stands {
        /// As the call wrote it.
        asked: String,
        /// What the law gives.
        window: Window,
    },
    /// The call's delimitation was rewritten (`outside = "narrow"`).
    Narrowed {
        /// As the call wrote it.
        before: String,
        /// As it is sent.
        after: String,
    },
    /// The window was put into this search.
    Inserted { window: Window },
    /// A search for payments in the window was put beside this expression's operands.
    Added { window: Window },
    /// A page was put into this search.
    PageInserted {
        /// The greatest number of objects.
        cap: u64,
    },
    /// More is asked of the index than the caller wants to see.
    FilterWidened,
}

impl Decided {
    /// A stable name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PersonBinds => "person-binds",
            Self::KleKept => "kle-kept",
            Self::Stands { .. } => "delimitation-stands",
            Self::Narrowed { .. } => "delimitation-narrowed",
            Self::Inserted { .. } => "window-inserted",
            Self::Added { .. } => "search-added",
            Self::PageInserted { .. } => "page-inserted",
            Self::FilterWidened => "filter-widened",
        }
    }

    /// The id of the policy's rule that decided.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::PersonBinds => "person",
            Self::KleKept => "kle",
            Self::Stands { .. } | Self::Inserted { .. } | Self::Added { .. } => "reading",
            Self::Narrowed { .. } => "outside",
            Self::PageInserted { .. } => "page-cap",
            Self::FilterWidened => "not-asked",
        }
    }

    /// What was decided and on what ground, in whole sentences.
    pub fn describe(&self) -> Bilingual {
        let (da, en) = match self {
            Self::PersonBinds => (
                "Hele søgningen er afgrænset til denne person: et kald angår den person, hvis oplysninger ønskes.".to_owned(),
                "The whole search is bound to this person: a call is about the person whose data is wanted.".to_owned(),
            ),
            Self::KleKept => (
                "Kaldet angiver ingen KLE-numre; svaret begrænses til dem, som token og serviceaftale giver adgang til.".to_owned(),
                "No KLE number is asked for; the answer is kept within those that token and agreement give.".to_owned(),
            ),
            Self::Stands { asked, window } => (
                format!("Kaldet afgrænser selv søgningen til {asked}; det ligger inden for lovens vindue {window} og ændres ikke."),
                format!("The call itself delimits the search to {asked}; that lies within the law's window {window} and is not altered."),
            ),
            Self::Narrowed { before, after } => (
                format!("Afgrænsningen {before} er indskrænket til {after}: politikken fastsætter outside = \"narrow\", hvilket afviger fra servicens beskrivelse."),
                format!("The delimitation {before} was narrowed to {after}: the policy says outside = \"narrow\", which departs from the documented service."),
            ),
            Self::Inserted { window } => (
                format!("Vinduet {window} er indsat i søgningen, da kaldet ikke angiver nogen dispositionsdato, og loven giver adgang til de seneste tre måneder."),
                format!("The window {window} was inserted into the search, for the call names no disposition date and the law gives the last three months."),
            ),
            Self::Added { window } => (
                format!("En søgning på betalinger i vinduet {window} er tilføjet, da kaldet ikke selv har en, der afgrænser svaret."),
                format!("A search for payments in the window {window} was put in beside, for the call has none that binds the answer."),
            ),
            Self::PageInserted { cap } => (
                format!("En sidestørrelse på {cap} er indsat, da kaldet ikke angiver nogen."),
                format!("A page of {cap} was inserted, for the call asks for none."),
            ),
            Self::FilterWidened => (
                "Indekset spørges om det, der er nødvendigt for kontrollen af person, ejer, dato og KLE; svaret viser kun det, kalderen har anmodet om.".to_owned(),
                "The index is asked for what the checks of person, owner, date and KLE need; the answer shows only what the caller asked for.".to_owned(),
            ),
        };
        Bilingual { da, en }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::terminaladgang::law::rules::Reading;

    #[test]
    fn each_decision_is_told_in_both_languages_in_whole_sentences() {
        let window = Window::at("2026-11-22T12:00:00Z".parse().unwrap(), Reading::CalendarMonths).unwrap();
        let text = || "2026-10-01T00:00:00Z".to_owned();
        for decided in [
            Decided::PersonBinds,
            Decided::KleKept,
            Decided::Stands { asked: text(), window },
            Decided::Narrowed { before: text(), after: text() },
            Decided::Inserted { window },
            Decided::Added { window },
            Decided::PageInserted { cap: 500 },
            Decided::FilterWidened,
        ] {
            let Bilingual { da, en } = decided.describe();
            assert!(da != en && [&da, &en].iter().all(|text| text.ends_with('.')), "{da} {en}");
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            assert_eq!(digits(&da), digits(&en), "the same values");
        }
    }
}
