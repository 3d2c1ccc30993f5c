//! Whom a search names.

use std::collections::HashSet;

use crate::gateway::persons::Identifier;
use crate::id::cpr::Cpr;
use crate::soap::document::Element;

/// Everybody whom an element of the request names by `urn:oio:cpr-nr:`, each once, wherever the element stands: a search
/// that is refused need not have its person in the right place.
pub fn named(request: Element<'_>) -> Vec<Identifier> {
    // A set beside the order: a message holds ten thousands, and comparing each with all before it would take a second.
    let (mut persons, mut known) = (Vec::new(), HashSet::new());
    for element in request.descendants() {
        if let Some(person) = element.text().and_then(|text| Cpr::from_urn(text.trim()).ok())
            && known.insert(person.clone())
        {
            persons.push(Identifier::new(person.expose()));
        }
    }
    persons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::document::Document;
    use crate::soap::strict::Limits;

    fn numbers(xml: &str) -> Vec<String> {
        let document = Document::parse(bytes::Bytes::copy_from_slice(xml.as_bytes()), &Limits::default()).unwrap();
        named(document.root()).iter().map(|person| person.expose().to_owned()).collect()
    }

    #[test]
    fn everybody_named_by_a_cpr_urn_is_found_once_wherever_it_stands() {
        assert_eq!(
            numbers(
                "<a><b>urn:oio:cpr-nr:6101801234</b><c><d>\n urn:oio:cpr-nr:6101801234 </d><e>urn:oio:cpr-nr:6201801234</e></c></a>"
            ),
            ["6101801234", "6201801234"]
        );
    }

    #[test]
    fn what_is_no_cpr_urn_in_plain_text_names_nobody() {
        for nobody in [
            "<a>6101801234</a>",
            "<a>urn:oio:cvr-nr:11111111</a>",
            "<a>urn:oio:cpr-nr:9999999999</a>",
            "<a>urn:oio:cpr-nr:61018<!-- -->01234</a>",
            "<a b=\"urn:oio:cpr-nr:6101801234\"/>",
        ] {
            assert_eq!(numbers(nobody), Vec::<String>::new(), "{nobody}");
        }
    }

    #[test]
    fn each_person_of_a_message_full_of_them_is_found_once() {
        // Days that every month has: the first 30,240 numbers differ.
        let number = |n| format!("{:02}{:02}{:02}{:04}", 61 + n % 28, 1 + n / 28 % 12, n / 336 % 90, 4000 + n % 900);
        let all: std::collections::BTreeSet<String> = (0..30_000).map(number).collect();
        let each = (0..30_000).chain(0..1_000).map(|n| format!("<b>urn:oio:cpr-nr:{}</b>", number(n)));
        let message = format!("<a>{}</a>", each.collect::<String>());
        let document = Document::parse(bytes::Bytes::from(message), &Limits::default()).unwrap();
        assert_eq!(named(document.root()).len(), all.len());
    }
}
