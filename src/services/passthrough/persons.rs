//! Whom a request names: the CPR numbers at the paths that `service.toml` gives, and those written as `urn:oio:cpr-nr:` elsewhere.

use std::collections::HashSet;

use super::settings::Settings;
use crate::gateway::persons::Identifier;
use crate::id::cpr::Cpr;
use crate::soap::document::Element;

/// Everybody whom the request names, each once.
pub fn named(settings: &Settings, request: Element<'_>) -> Vec<Identifier> {
    let (mut persons, mut known) = (Vec::new(), HashSet::new());
    let at_paths = settings.persons.iter().flat_map(|path| path.value.values(request)).flatten();
    let by_urn = request.descendants().filter_map(|element| element.value()).filter(|text| text.contains("urn:oio:cpr-nr:"));
    for text in at_paths.chain(by_urn) {
        let text = text.trim();
        // The same person is the same number, however it is written: the search in the log goes by it. What is no number
        // cannot be searched for, and goes into no record.
        if let Some(person) = Cpr::from_urn(text).ok().or_else(|| Cpr::parse(text))
            && known.insert(person.clone())
        {
            persons.push(Identifier::new(person.expose()));
        }
    }
    persons
}
