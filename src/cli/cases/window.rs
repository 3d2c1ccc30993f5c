//! Cases of searches: what may be asked, and what is sent in its place.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::civil::Date;
use serde::Deserialize;

use super::{P, PolicyText, Q, compare, noon, replaced, search, with_words};
use crate::refusal::Refusal;
use crate::services::terminaladgang::law::kle::Constraint;
use crate::services::terminaladgang::law::request::{self, Outcome, Search};
use crate::services::terminaladgang::law::rules::Asked;
use crate::services::terminaladgang::law::window::Window;
use crate::soap::document::{Document, Element};
use crate::soap::strict::{Limits, is_space};

/// A file of `cases/window`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    today: Date,
    #[serde(default)]
    shows: Vec<String>,
    #[serde(default)]
    words: BTreeMap<String, String>,
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    id: String,
    da: String,
    en: String,
    shows: Option<Vec<String>>,
    today: Option<Date>,
    /// Changes of the policy's text.
    #[serde(default)]
    policy: Vec<[String; 2]>,
    /// The KLE numbers that the token gives.
    token_kle: Option<Vec<String>>,
    /// The KLE numbers that the agreement gives.
    agreement_kle: Option<Vec<String>>,
    search: String,
    /// The search is tried with each of these in place of `{}`.
    each: Option<Vec<String>>,
    /// Changes of the request as it is written out.
    #[serde(default)]
    replace: Vec<[String; 2]>,
    served: Option<Served>,
    refused: Option<String>,
    /// What the refusal's text must name.
    #[serde(default)]
    names: Vec<String>,
    /// Every delimitation by disposition date that is sent.
    delimited: Option<Vec<String>>,
    /// How many searches for payments are sent.
    searches: Option<usize>,
    /// The delimitations that the call itself asked for.
    asked: Option<Vec<String>>,
    /// The parts of the answer that the caller will see.
    shown: Option<Vec<String>>,
    /// The KLE numbers asked for.
    kle: Option<Vec<String>>,
    sorting: Option<Vec<String>>,
    /// Texts that stand in what is sent, in this order.
    #[serde(default)]
    sent: Vec<String>,
    /// Texts that do not stand in what is sent.
    #[serde(default)]
    not_sent: Vec<String>,
    /// What the explanation says.
    #[serde(default)]
    told: Vec<String>,
}

/// What becomes of a search that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Served {
    Inserted,
    Unchanged,
    Narrowed,
}

impl From<Outcome> for Served {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Inserted => Self::Inserted,
            Outcome::Unchanged => Self::Unchanged,
            Outcome::Narrowed => Self::Narrowed,
        }
    }
}

impl super::Case for Case {
    fn id(&self) -> &str {
        &self.id
    }
    fn words(&self) -> [&str; 2] {
        [&self.da, &self.en]
    }
    fn shows(&self) -> Option<&[String]> {
        self.shows.as_deref()
    }
    fn flaw(&self) -> Option<&'static str> {
        let placeholder = self.search.contains("{}") || self.replace.iter().flatten().any(|text| text.contains("{}"));
        match (self.served, &self.refused) {
            (None, None) => Some("it expects nothing: say served or refused"),
            (Some(_), Some(_)) => Some("it expects both served and refused"),
            (Some(Served::Inserted | Served::Narrowed), _) if self.delimited.is_none() => {
                Some("it says that the window was put in, and not where (delimited)")
            }
            (Some(_), _) if !self.names.is_empty() => Some("names is for what is refused"),
            (None, _)
                if self.delimited.is_some()
                    || self.searches.is_some()
                    || self.asked.is_some()
                    || self.shown.is_some()
                    || self.kle.is_some()
                    || self.sorting.is_some()
                    || !(self.sent.is_empty() && self.not_sent.is_empty() && self.told.is_empty()) =>
            {
                Some("nothing is sent of what is refused")
            }
            _ if self.each.is_some() != placeholder => Some("each goes with {} in the search or in replace"),
            _ if self.each.as_ref().is_some_and(Vec::is_empty) => Some("each names nothing"),
            _ => None,
        }
    }
}

impl super::File for File {
    type Case = Case;

    fn cases(&self) -> &[Case] {
        &self.case
    }
    fn shows(&self) -> &[String] {
        &self.shows
    }

    async fn try_out(&self, case: &Case, policy: &PolicyText) -> Vec<String> {
        let once = vec![String::new()];
        let mut trouble = Vec::new();
        for each in case.each.as_ref().unwrap_or(&once) {
            let found = self.try_one(case, each, policy).unwrap_or_else(|what| vec![what]);
            let with = if case.each.is_some() { format!("with {each:?}: ") } else { String::new() };
            trouble.extend(found.into_iter().map(|what| format!("{with}{what}")));
        }
        trouble
    }
}

impl File {
    fn try_one(&self, case: &Case, each: &str, policy: &PolicyText) -> Result<Vec<String>, String> {
        let policy = policy.with(&case.policy)?;
        let changes = case.replace.iter().map(|pair| pair.each_ref().map(|text| with_words(text, &self.words, each)));
        let xml = search::written_out(&with_words(&case.search, &self.words, each))?;
        let xml = replaced(&xml, &changes.collect::<Vec<_>>())?;
        let mut constraint = Constraint::unconstrained();
        for source in [&case.token_kle, &case.agreement_kle].into_iter().flatten() {
            constraint =
                constraint.and(source.iter().map(String::as_str)).map_err(|wrong| format!("{} is no KLE number", wrong.0))?;
        }
        let now = noon(case.today.unwrap_or(self.today))?;
        let window = Window::at(now, policy.request().reading).map_err(|refusal| refusal.to_string())?;
        let answer = parse(&xml).and_then(|document| request::check(document.root(), policy.request(), &window, &constraint));
        Ok(match (answer, case.served, &case.refused) {
            (Err(refusal), None, Some(code)) => refused(case, &refusal, code),
            (Err(refusal), _, _) => vec![format!("must be served, was refused: {refusal}")],
            (Ok(search), Some(expected), _) => served(case, &search, expected, &xml)?,
            (Ok(search), None, _) => vec![format!("must be refused, was served: {:?}", search.outcome())],
        })
    }
}

fn parse(xml: &str) -> Result<Document, Refusal> {
    Document::parse(Bytes::copy_from_slice(xml.as_bytes()), &Limits::default())
}

fn refused(case: &Case, refusal: &Refusal, code: &str) -> Vec<String> {
    let mut trouble = Vec::new();
    if refusal.code() != code {
        trouble.push(format!("must be refused with {code}, was: {refusal}"));
    }
    let entry = refusal.entry();
    for (text, language) in [(&entry.da, "Danish"), (&entry.en, "English")] {
        let text = format!("{} {}", text.what, text.remedy);
        for name in case.names.iter().filter(|name| !text.contains(name.as_str())) {
            trouble.push(format!("the {language} text must name {name:?}: {text}"));
        }
        if text.contains(P) || text.contains(Q) {
            trouble.push("the refusal holds a person's number".to_owned());
        }
    }
    trouble
}

fn served(case: &Case, search: &Search, expected: Served, asked_xml: &str) -> Result<Vec<String>, String> {
    let mut trouble = Vec::new();
    let outcome = Served::from(search.outcome());
    if outcome != expected {
        trouble.push(format!("must be {expected:?}, was {outcome:?}"));
    }
    let sent = std::str::from_utf8(search.forward()).map_err(|error| error.to_string())?;
    let document = parse(sent).map_err(|refusal| format!("what is sent cannot be read: {refusal}"))?;
    let delimited = delimitations(document.root());
    match (&case.delimited, expected) {
        (Some(lines), _) => compare(&mut trouble, "delimited", lines, &delimited),
        // What stands is sent as it was written, without the white space that the schema takes off.
        (None, _) => {
            let asked = parse(asked_xml).map_err(|refusal| refusal.to_string())?;
            let collapsed =
                |line: &String| line.split(" – ").map(|value| value.trim_matches(is_space)).collect::<Vec<_>>().join(" – ");
            let asked: Vec<_> = delimitations(asked.root()).iter().map(collapsed).collect();
            compare(&mut trouble, "delimited", &asked, &delimited);
        }
    }
    let mut list = |what: &str, expected: &Option<Vec<String>>, came: Vec<String>| {
        if let Some(expected) = expected {
            compare(&mut trouble, what, expected, &came);
        }
    };
    list("asked", &case.asked, search.asked_windows().iter().map(ToString::to_string).collect());
    list("shown", &case.shown, shown(search.asked()));
    list("kle", &case.kle, search.kle_asked().iter().map(ToString::to_string).collect());
    let way = |descending| if descending { "Faldende" } else { "Stigende" };
    let sorting = search.sorting().iter().map(|key| format!("{} {} {}", key.element.as_str(), way(key.descending), key.sequence));
    list("sorting", &case.sorting, sorting.collect());
    let searches = document.root().descendants().filter(|element| element.local() == "SoegOekonomiskEffektueringIndeks").count();
    if case.searches.is_some_and(|expected| expected != searches) {
        trouble.push(format!("{searches} searches for payments are sent"));
    }
    let mut rest = sent;
    for text in &case.sent {
        match rest.split_once(text.as_str()) {
            Some((_, after)) => rest = after,
            None => trouble.push(format!("{text:?} must be sent, in its order: {sent}")),
        }
    }
    for text in case.not_sent.iter().filter(|text| sent.contains(text.as_str())) {
        trouble.push(format!("{text:?} must not be sent: {sent}"));
    }
    let told = search.decisions().iter().map(|decision| decision.decided.describe());
    let said: Vec<String> = told.flat_map(|told| [told.da, told.en]).collect();
    for text in case.told.iter().filter(|text| !said.iter().any(|said| said.contains(text.as_str()))) {
        trouble.push(format!("{text:?} must be told: {said:?}"));
    }
    if format!("{search:?}").contains(P) {
        trouble.push("what is printed by accident holds the person's number".to_owned());
    }
    Ok(trouble)
}

/// Every delimitation by disposition date, as written: `from – to`, `∞` for an open bound, or the one date.
fn delimitations(root: Element<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for element in root.descendants() {
        match element.local() {
            "DispositionsDatoInterval" => {
                let bounds = element.descendants().filter(|bound| bound.elements().next().is_none());
                let bounds = bounds.map(|bound| match bound.local() {
                    "GraenseIndikator" => "∞".to_owned(),
                    _ => bound.text().unwrap_or_default().into_owned(),
                });
                found.push(bounds.collect::<Vec<_>>().join(" – "));
            }
            "Dispositionsdato" => found.push(element.text().unwrap_or_default().into_owned()),
            _ => {}
        }
    }
    found
}

fn shown(asked: Asked) -> Vec<String> {
    let parts = match asked {
        Asked::Everything => return vec!["everything".to_owned()],
        Asked::Nothing => [false; 3],
        Asked::Parts { properties, actors, lines } => [properties, actors, lines],
    };
    let names = ["egenskaber", "aktoer", "oekonomiskeydelseeffektueringer"];
    names.into_iter().zip(parts).filter(|(_, asked)| *asked).map(|(name, _)| name.to_owned()).collect()
}
