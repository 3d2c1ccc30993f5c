//! Cases of answers: what of an answer of the index is released, field by field.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::civil::Date;
use serde::Deserialize;

use super::answer::Answer;
use super::{P, PolicyText, compare, noon, replaced, with_words};
use crate::cli::explain::filter;
use crate::id::cpr::Cpr;
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use crate::services::terminaladgang::law::release::{Ask, Filter, Filtered, Limits};
use crate::services::terminaladgang::law::rules::Asked;
use crate::services::terminaladgang::law::window::Window;
use crate::soap::document::{Document, Element};
use crate::soap::strict;

/// The authority that stands for Udbetaling Danmark in the cases; the number is nobody's.
const UDK: &str = "99999991";
/// The name that the gateway's own register has for it.
const UDK_NAME: &str = "Udbetaling Danmark (test)";
/// The municipality whose benefits UDK may be shown.
const MUNICIPALITY: &str = "11111111";

/// A file of `cases/release`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    today: Date,
    asks: Asks,
    #[serde(default)]
    shows: Vec<String>,
    #[serde(default)]
    words: BTreeMap<String, String>,
    /// The plain answer, of which each case changes a part.
    answer: Answer,
    /// What the plain answer releases, field by field.
    released: Vec<String>,
    case: Vec<Case>,
}

/// Who asks.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Asks {
    Municipality,
    Udk,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    id: String,
    da: String,
    en: String,
    shows: Option<Vec<String>>,
    today: Option<Date>,
    asks: Option<Asks>,
    /// Changes of the policy's text.
    #[serde(default)]
    policy: Vec<[String; 2]>,
    token_kle: Option<Vec<String>>,
    agreement_kle: Option<Vec<String>>,
    token_sensitivity: Option<Vec<String>>,
    agreement_sensitivity: Option<Vec<String>>,
    /// The parts that the caller asked to see; nothing where it is empty.
    filter: Option<Vec<String>>,
    /// Whether the register knows the owner's name.
    #[serde(default = "yes")]
    name_known: bool,
    #[serde(default)]
    limits: Bounds,
    /// The parts of the plain answer that are others here.
    #[serde(default)]
    answer: Answer,
    /// The whole of what came, in place of the plain answer.
    instead: Option<String>,
    /// Changes of the answer as it is written out.
    #[serde(default)]
    replace: Vec<[String; 2]>,
    /// Everything that is released.
    released: Option<Vec<String>>,
    /// As the plain answer, without these.
    without: Option<Vec<String>>,
    /// As the plain answer, with these beside.
    with: Option<Vec<String>>,
    /// Nothing is released, by this rule.
    removed_by: Option<String>,
    /// The call is refused with this code.
    refused: Option<String>,
}

fn yes() -> bool {
    true
}

/// Bounds on what is held of an answer; the gateway's own where none is given.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bounds {
    object_bytes: Option<usize>,
    released_bytes: Option<usize>,
    grants: Option<usize>,
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
        let changed = self.without.is_some() || self.with.is_some();
        let told = [self.released.is_some(), changed, self.removed_by.is_some(), self.refused.is_some()];
        match told.iter().filter(|told| **told).count() {
            0 => Some("it expects nothing: say released, without and with, removed-by or refused"),
            1 if self.instead.is_some() && self.answer != Answer::default() => Some("it gives the answer twice"),
            1 => None,
            _ => Some("it expects two things at once"),
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
        match self.try_one(case, policy).await {
            Ok(trouble) => trouble,
            Err(what) => vec![what],
        }
    }
}

impl File {
    async fn try_one(&self, case: &Case, policy: &PolicyText) -> Result<Vec<String>, String> {
        let policy = policy.with(&case.policy)?;
        let words = |text: &str| with_words(text, &self.words, "{}");
        let xml = match &case.instead {
            Some(whole) => words(whole),
            None => self.answer.with(&case.answer).written_out(words)?,
        };
        let changes = case.replace.iter().map(|pair| pair.each_ref().map(|text| words(text)));
        let xml = replaced(&xml, &changes.collect::<Vec<_>>())?;
        let released = released(&policy, self.ask(case, &policy)?, xml).await;
        let mut trouble = Vec::new();
        match (released, &case.removed_by, &case.refused) {
            (Err(refusal), _, Some(code)) if refusal.code() == code => {}
            (Err(refusal), _, _) => trouble.push(format!("was refused: {refusal}")),
            (Ok(_), _, Some(code)) => trouble.push(format!("must be refused with {code}, and was not")),
            (Ok(released), Some(rule), None) => {
                let removed = released.counts().objects_removed.get(rule);
                if removed != Some(&1) || released.counts().objects_released != 0 {
                    trouble.push(format!("the payment must be removed by {rule}: {:?}", released.counts()));
                }
                let nothing = "<yi:FremsoegYdelseIndeksOutput xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\">\
                               <sd:StandardRetur xmlns:sd=\"urn:oio:sagdok:3.0.0\"><sd:StatusKode>44</sd:StatusKode></sd:StandardRetur>\
                               </yi:FremsoegYdelseIndeksOutput>";
                let none = self::released(&policy, self.ask(case, &policy)?, nothing.to_owned()).await;
                if none.map_err(|refusal| refusal.to_string())?.body() != released.body() {
                    trouble.push("nothing left must look as if nothing had been found".to_owned());
                }
            }
            (Ok(released), None, None) => {
                let document = Document::parse(Bytes::copy_from_slice(released.body()), &strict::Limits::default());
                let document = document.map_err(|refusal| format!("what is released cannot be read: {refusal}"))?;
                let mut fields = Vec::new();
                leaves(document.root(), "", &mut fields);
                let mut expected = self.expected(case)?;
                // The order is the schema's, against which answers are held elsewhere.
                fields.sort();
                expected.sort();
                compare(&mut trouble, "released", &expected, &fields);
            }
        }
        Ok(trouble)
    }

    /// Every field that must be released.
    fn expected(&self, case: &Case) -> Result<Vec<String>, String> {
        if let Some(all) = &case.released {
            return Ok(all.clone());
        }
        let mut fields = self.released.clone();
        for field in case.without.iter().flatten() {
            let at = fields.iter().position(|released| released == field);
            fields.remove(at.ok_or_else(|| format!("the plain answer does not release {field:?}"))?);
        }
        fields.extend(case.with.iter().flatten().cloned());
        Ok(fields)
    }

    fn ask(&self, case: &Case, policy: &Policy) -> Result<Ask, String> {
        let mut kle = Constraint::unconstrained();
        for source in [&case.token_kle, &case.agreement_kle].into_iter().flatten() {
            kle = kle.and(source.iter().map(String::as_str)).map_err(|wrong| format!("{} is no KLE number", wrong.0))?;
        }
        let mut sensitivity = SensitivityConstraint::unconstrained();
        for source in [&case.token_sensitivity, &case.agreement_sensitivity].into_iter().flatten() {
            let and = sensitivity.and(source.iter().map(String::as_str));
            sensitivity = and.map_err(|wrong| format!("{} is no sensitivity", wrong.0))?;
        }
        let asked = match &case.filter {
            None => Asked::Everything,
            Some(parts) if parts.is_empty() => Asked::Nothing,
            Some(parts) => {
                let names = ["egenskaber", "aktoer", "oekonomiskeydelseeffektueringer"];
                if let Some(other) = parts.iter().find(|part| !names.contains(&part.as_str())) {
                    return Err(format!("{other} is no part of a payment"));
                }
                let [properties, actors, lines] = names.map(|name| parts.iter().any(|part| part == name));
                Asked::Parts { properties, actors, lines }
            }
        };
        let mut limits = Limits::default();
        limits.object_bytes = case.limits.object_bytes.unwrap_or(limits.object_bytes);
        limits.released_bytes = case.limits.released_bytes.unwrap_or(limits.released_bytes);
        limits.grants = case.limits.grants.unwrap_or(limits.grants);
        let now = noon(case.today.unwrap_or(self.today))?;
        Ok(Ask {
            person: Cpr::parse(P).ok_or("P is no CPR number")?,
            window: Window::at(now, policy.request().reading).map_err(|refusal| refusal.to_string())?,
            counterpart: match case.asks.unwrap_or(self.asks) {
                Asks::Municipality => [UDK.to_owned()].into(),
                Asks::Udk => [MUNICIPALITY.to_owned()].into(),
            },
            names: Arc::new(case.name_known.then(|| (UDK.to_owned(), UDK_NAME.to_owned())).into_iter().collect()),
            kle,
            sensitivity,
            asked,
            naive: policy.request().naive,
            limits,
            decisions: false,
        })
    }
}

async fn released(policy: &Policy, ask: Ask, content: String) -> Result<Filtered, crate::refusal::Refusal> {
    let envelope = format!(
        "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Header/><e:Body>{content}</e:Body></e:Envelope>"
    );
    let limits = strict::Limits { nodes: usize::MAX, ..strict::Limits::default() };
    filter(Bytes::from(envelope), limits, Filter::new(policy.release().clone(), ask)).await
}

/// Every value with its path; what only holds others is left out of the path, for it is the same everywhere.
fn leaves(element: Element<'_>, path: &str, found: &mut Vec<String>) {
    const HOLD: [&str; 5] = [
        "FremsoegYdelseIndeksOutput",
        "OekonomiskEffektueringFiltreretOejebliksbillede",
        "Registrering",
        "AttributListe",
        "RelationListe",
    ];
    let local = element.local();
    let path = match (HOLD.contains(&local), path) {
        (true, path) => path.to_owned(),
        (false, "") => local.to_owned(),
        (false, path) => format!("{path}/{local}"),
    };
    for attribute in element.attributes() {
        found.push(format!("{path}/@{}: {}", attribute.local, attribute.value));
    }
    let text = element.text().unwrap_or_default();
    if element.elements().next().is_none() && !text.is_empty() {
        found.push(format!("{path}: {text}"));
    }
    for child in element.elements() {
        leaves(child, &path, found);
    }
}
