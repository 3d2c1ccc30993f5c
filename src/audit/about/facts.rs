//! What the service's part of a record says, for a reader who does not know the service.

use super::counts::Counts;
use super::terminaladgang::Window;
use super::{AboutFile, AboutFinance, AboutPassThrough, AboutPersons, AboutTerminalAdgang, FinanceFigures};
use crate::id::cvr::Cvr;

/// A name for programs, and what it is called in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// For programs.
    pub key: &'static str,
    /// In Danish.
    pub da: &'static str,
    /// In English.
    pub en: &'static str,
}

const fn label(key: &'static str, da: &'static str, en: &'static str) -> Label {
    Label { key, da, en }
}

/// One thing that a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Value {
    /// Words of this program.
    Words(Label),
    /// A name, a number or an id.
    Text(String),
    /// A stretch of time.
    Window(Window),
    Authority(Cvr),
    /// The code of a finding or a receipt, and how often.
    Code(String, u64),
}

/// What something is, and each of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Fact {
    pub what: Label,
    pub values: Vec<Value>,
}

fn fact(what: Label, values: impl IntoIterator<Item = Value>) -> Fact {
    Fact { what, values: values.into_iter().collect() }
}

fn texts(what: Label, values: impl IntoIterator<Item = impl ToString>) -> Fact {
    fact(what, values.into_iter().map(|value| Value::Text(value.to_string())))
}

/// By what a call was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct JudgedBy {
    pub what: Label,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its version, where it has one.
    pub version: Option<String>,
    /// SHA-256 of it, in hexadecimal.
    pub digest: String,
}

/// What was released of an answer, and what was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released<'r> {
    /// Released, by rule.
    pub released: &'r Counts,
    /// Removed, by rule.
    pub removed: &'r Counts,
}

impl Released<'_> {
    /// Whether the record says where the removed fields stood. Older records do not.
    pub fn places_recorded(&self) -> bool {
        self.removed.fields.is_empty() || !self.removed.places.is_empty()
    }
}

/// What the service's part of a record says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Facts<'r> {
    /// By what the call was judged.
    pub judged_by: Option<JudgedBy>,
    pub asked: Vec<Fact>,
    /// What was decided, and what became of it.
    pub decided: Vec<Fact>,
    /// What was released and removed, where the service judges that; none: an answer passes whole or not at all.
    pub released: Option<Released<'r>>,
    /// What is handed over by a call that is served, where it passes whole.
    pub whole: Option<Label>,
}

const WINDOW_ASKED: Label = label("window_asked", "spurgt om tiden", "time asked for");
const WINDOW_APPLIED: Label = label("window_applied", "besvaret for tiden", "time answered for");
const CRITERIA: Label = label("criteria", "søgt på", "searched on");
const KLE: Label = label("kle", "KLE-numre", "KLE numbers");
const SORTING: Label = label("sorting", "sorteret efter", "sorted by");
const PARTS: Label = label("parts", "ønskede dele af svaret", "parts of the answer wanted");
const SETTINGS: Label = label("settings", "den dataansvarliges valg", "choices of the data controller");
const RECEIVER: Label = label("receiver", "modtager", "receiver");
const EVERY: Label = label("every", "én modtager for alle", "one receiver for all");
const ROUTE: Label = label("route", "rute", "route");
const WHOLE_ANSWER: Label = label(
    "whole_answer",
    "hele svaret, uændret; tjenesten fjerner intet",
    "the whole answer, unchanged; the service removes nothing",
);
const WHOLE_FILE: Label =
    label("whole_file", "filen, uændret, til de modtagende brugere", "the file, unchanged, to the receiving users");
const ANSWER_TO_IMPORT: Label = label(
    "answer_to_import",
    "svaret på importen: løbenummer og status for de personer, den selv nævnte",
    "the answer to the import: running number and status of the persons that it named itself",
);
const NONE: Value = Value::Words(label("none", "ingen", "none"));
const ALL: Value = Value::Words(label("all", "alle", "all"));
const NO_DATES: Value = Value::Words(label("none_given", "ingen datoer i kaldet", "no dates in the call"));
const NOT_RECORDED: Value = Value::Words(label("not_recorded", "ikke registreret", "not recorded"));

impl AboutTerminalAdgang {
    pub(super) fn facts(&self) -> Facts<'_> {
        let mut asked = vec![fact(WINDOW_ASKED, [self.window_asked.map_or(NO_DATES, Value::Window)])];
        match &self.asked {
            None => asked.push(fact(CRITERIA, [NOT_RECORDED])),
            Some(of) => {
                asked.push(texts(CRITERIA, &of.criteria));
                let more = (of.kle_left_out > 0).then(|| format!("+{}", of.kle_left_out));
                asked.push(texts(KLE, of.kle.iter().cloned().chain(more)));
                asked.push(texts(SORTING, &of.sorting));
                asked.push(match &of.parts {
                    None => fact(PARTS, [ALL]),
                    Some(parts) if parts.is_empty() => fact(PARTS, [NONE]),
                    Some(parts) => texts(PARTS, parts),
                });
            }
        }
        asked.retain(|fact| !fact.values.is_empty());
        let mut decided = vec![fact(WINDOW_APPLIED, self.window_applied.map(Value::Window))];
        decided.push(texts(SETTINGS, self.settings.iter().map(|(name, value)| format!("{name}={value}"))));
        decided.retain(|fact| !fact.values.is_empty());
        Facts {
            judged_by: Some(JudgedBy {
                what: label("policy", "regelsæt", "policy"),
                name: Some(self.policy.id.clone()),
                version: Some(self.policy.version.clone()),
                digest: self.policy.digest.clone(),
            }),
            asked,
            decided,
            released: Some(Released { released: &self.released, removed: &self.removed }),
            whole: None,
        }
    }
}

impl AboutPassThrough {
    pub(super) fn facts(&self) -> Facts<'_> {
        // Whoever adds up what was handed over must not count it twice.
        let again = self.repeated.then_some(Value::Words(label(
            "again",
            "svaret fra før, givet igen",
            "the answer of before, given again",
        )));
        let decided = [
            fact(label("repeated", "leverancen var sendt før", "the delivery was sent before"), again),
            fact(RECEIVER, self.receiver.map(Value::Authority).or(self.for_all.then_some(Value::Words(EVERY)))),
            texts(ROUTE, self.route),
        ]
        .into_iter()
        .filter(|f| !f.values.is_empty());
        Facts {
            judged_by: Some(JudgedBy {
                what: label("contract", "kontrakt", "contract"),
                name: None,
                version: None,
                digest: self.schema.clone(),
            }),
            asked: Vec::new(),
            decided: decided.collect(),
            released: None,
            whole: Some(WHOLE_ANSWER),
        }
    }
}

impl AboutFile {
    pub(super) fn facts(&self) -> Facts<'_> {
        let asked = vec![
            texts(label("bytes", "filens størrelse, bytes", "size of the file, bytes"), [self.bytes]),
            texts(label("sha256", "filens SHA-256", "SHA-256 of the file"), [&self.sha256]),
            texts(label("recipients", "modtagende SFTP-brugere", "receiving SFTP users"), &self.recipients),
        ];
        let decided = vec![fact(RECEIVER, self.receiver.map(Value::Authority))];
        let mut facts = Facts { asked, decided, whole: Some(WHOLE_FILE), ..Facts::default() };
        if let Some(figures) = &self.finance {
            figures.add_to(&mut facts);
        }
        if let Some(about) = &self.import {
            about.add_to(&mut facts);
        }
        facts
    }
}

impl AboutPersons {
    pub(super) fn add_to(&self, facts: &mut Facts<'_>) {
        facts.whole = Some(ANSWER_TO_IMPORT);
        facts.asked.push(texts(label("persons_named", "personer i importen", "persons in the import"), [self.persons]));
        let again = self.repeated.then_some(Value::Words(label(
            "again",
            "svaret fra før, givet igen",
            "the answer of before, given again",
        )));
        let codes = |counts: &std::collections::BTreeMap<String, u64>| -> Vec<Value> {
            counts.iter().map(|(code, many)| Value::Code(code.clone(), *many)).collect()
        };
        let decided = [
            fact(label("repeated", "importen var sendt før", "the import was sent before"), again),
            fact(label("statuses", "personernes status", "status of the persons"), codes(&self.statuses)),
            fact(label("findings", "fejl og advarsler", "errors and warnings"), codes(&self.findings)),
        ];
        facts.decided.extend(decided.into_iter().filter(|fact| !fact.values.is_empty()));
    }
}

impl AboutFinance {
    pub(super) fn facts(&self) -> Facts<'_> {
        let mut facts = self.pass.facts();
        facts.asked.clear();
        self.figures.add_to(&mut facts);
        facts
    }
}

impl FinanceFigures {
    fn add_to(&self, facts: &mut Facts<'_>) {
        let of = self;
        facts.asked.extend([
            texts(label("delivery", "leverance", "delivery"), [of.delivery]),
            texts(label("vouchers", "bilag", "vouchers"), [of.vouchers]),
            texts(label("postings", "posteringer", "postings"), [of.postings]),
            texts(label("debit", "debet, kr.", "debit, DKK"), [&of.debit]),
            texts(label("credit", "kredit, kr.", "credit, DKK"), [&of.credit]),
            texts(label("list", "sortiment", "value list"), [of.list]),
            texts(label("list_version", "sortimentets version", "version of the value list"), &of.list_version),
        ]);
        if of.trial {
            let trial = label("trial", "prøve", "trial");
            facts.asked.push(fact(trial, [Value::Words(label("yes", "ja", "yes"))]));
        }
        let mut findings: Vec<_> = of.findings.iter().map(|(code, many)| Value::Code(code.clone(), *many)).collect();
        findings.extend((of.findings_left_out > 0).then(|| Value::Text(format!("+{}", of.findings_left_out))));
        facts.decided.extend([
            fact(label("findings", "reglerne fandt", "findings of the rules"), findings),
            fact(label("receipt", "kvittering", "receipt"), of.receipt.iter().map(|code| Value::Code(code.clone(), 1))),
            texts(label("accepted", "bilag godtaget", "vouchers accepted"), of.accepted),
            texts(label("rejected", "bilag afvist", "vouchers rejected"), of.rejected),
        ]);
        for facts in [&mut facts.asked, &mut facts.decided] {
            facts.retain(|fact| !fact.values.is_empty());
        }
    }
}

/// What a place is called, as a record has it: the names of the contract, without what stands before every one of them.
pub fn place(path: &str) -> String {
    let path = match path.split_once('/') {
        Some(("E", rest)) => format!("Egenskaber/{rest}"),
        Some(("Y", rest)) => format!("Ydelse/{rest}"),
        Some(("R", rest)) => rest.trim_start_matches("oei:Registrering/oei:RelationListe/").to_owned(),
        _ => path.to_owned(),
    };
    let step = |step: &str| step.split_once(':').map_or(step, |(_, local)| local).to_owned();
    path.split('/').map(step).collect::<Vec<_>>().join("/")
}
