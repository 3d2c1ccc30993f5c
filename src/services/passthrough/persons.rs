//! Whom a request names: the CPR numbers at the paths that `service.toml` gives, and those written as `urn:oio:cpr-nr:` elsewhere.
//!
//! A service whose schema has no pattern there takes a number with a hyphen, a blank or a point in it, and what stands behind it
//! reads it as one. So it is read here: what were dropped would be sealed nowhere, and would pass in the environment for tests.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::settings::Settings;
use crate::gateway::persons::Identifier;
use crate::id::cpr::{CPR_URN, Cpr};
use crate::soap::document::Element;

/// Everybody whom the request names, each once.
pub fn named(settings: &Settings, request: Element<'_>) -> Vec<Identifier> {
    let (mut persons, mut known) = (Vec::new(), HashSet::new());
    let at_paths = settings.persons.iter().flat_map(|path| path.value.values(request)).flatten();
    // What is no number cannot be searched for, and goes into no record.
    let at_paths = at_paths.filter_map(|text| number(&text));
    let texts = request.descendants().filter_map(|element| element.value());
    let attributes = request.descendants().flat_map(|element| element.attributes()).map(|attribute| attribute.value.into());
    let by_urn = texts.chain(attributes).flat_map(|text: Cow<'_, str>| by_urn(&text));
    for person in at_paths.chain(by_urn) {
        // The same person is the same number, however it is written: the search in the log goes by it.
        if known.insert(person.clone()) {
            persons.push(Identifier::new(person.expose()));
        }
    }
    persons
}

/// The number that a text is, whatever stands between its digits.
fn number(text: &str) -> Option<Cpr> {
    let text = text.trim();
    let digits: String = text.strip_prefix(CPR_URN).unwrap_or(text).chars().filter(|letter| letter.is_alphanumeric()).collect();
    Cpr::parse(&digits)
}

/// Made once, for it is looked for in each text of a message.
static URN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CPR_URN));

/// The numbers that a text names by the scheme.
fn by_urn(text: &str) -> Vec<Cpr> {
    if URN.find(text.as_bytes()).is_none() {
        return Vec::new();
    }
    let after = text.split(CPR_URN).skip(1);
    after
        .filter_map(|rest| number(&rest.chars().filter(|letter| letter.is_alphanumeric()).take(10).collect::<String>()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_whatever_stands_between_its_digits() {
        let due = Cpr::parse("6101801234");
        for text in [
            "6101801234",
            " 610180-1234\n",
            "610180 1234",
            "610180\u{a0}1234",
            "610180\u{2013}1234",
            "61 01 80 12 34",
            "61.01.80-1234",
            "urn:oio:cpr-nr:610180-1234",
        ] {
            assert_eq!(number(text), due, "{text}");
        }
        for text in ["", "610180123", "61018012345", "610180x1234", "b6101801234", "9999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_names_by_the_scheme_as_many_as_it_writes() {
        let two = by_urn("se urn:oio:cpr-nr:6101801234, og urn:oio:cpr-nr:620180-1234 (bilag 3)");
        assert_eq!(two.iter().map(Cpr::expose).collect::<Vec<_>>(), ["6101801234", "6201801234"]);
        assert!(by_urn("6101801234").is_empty() && by_urn("urn:oio:cvr-nr:11111111").is_empty());
    }
}
