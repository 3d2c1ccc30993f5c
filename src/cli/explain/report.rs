//! What an explanation says, as data for JSON and as text for a reader.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::cli::lang::Lang;
use crate::refusal::{Audience, Refusal};
use crate::services::terminaladgang::law::decision::Decision;
use crate::services::terminaladgang::law::release;
use crate::services::terminaladgang::law::release::Counts;

/// Everything that was decided.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The instant by which it was judged.
    pub at: String,
    /// What becomes of the call.
    pub outcome: Outcome,
    /// The service that the message was judged for, by its name in the configuration.
    pub service: String,
    /// The policy that was in force.
    pub policy: PolicySaid,
    /// The steps, in the order of the gateway, up to the first refusal.
    pub steps: Vec<Step>,
    /// What would be sent to the index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<String>,
    /// What becomes of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerSaid>,
}

/// What becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It would be served.
    Served,
    /// It would be refused.
    Refused,
}

/// The policy, by name and text.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // named as in the policy file
pub struct PolicySaid {
    pub id: String,
    pub version: String,
    pub valid_from: String,
    pub digest: String,
    pub legal_basis_da: String,
    pub legal_basis_en: String,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The step's name, as in timings.
    pub step: &'static str,
    /// What it said.
    pub verdict: Verdict,
    /// What it found.
    pub facts: Vec<Fact>,
    /// What it decided, part by part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<DecisionSaid>,
    /// The refusal, where it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalSaid>,
}

/// What a step said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The call may go on.
    Passed,
    /// The call ends here.
    Refused,
    /// A dry run cannot know; the facts say why.
    NotJudged,
}

/// One thing that a step found, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Danish.
    pub da: String,
    /// English.
    pub en: String,
}

/// One decision about a part of the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DecisionSaid {
    /// Where in the call.
    pub place: String,
    /// What was decided, by a name that stays.
    pub code: &'static str,
    /// The id of the policy's rule that decided.
    pub rule: &'static str,
    /// What was decided and why, in Danish.
    pub da: String,
    /// The same in English.
    pub en: String,
}

/// A refusal as a caller is told it.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // the names say it
pub struct RefusalSaid {
    pub code: &'static str,
    /// Who can mend it.
    pub audience: Audience,
    /// What and what to do, in Danish.
    pub da: String,
    /// The same in English.
    pub en: String,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Serialize)]
pub struct AnswerSaid {
    /// Objects that the index sent.
    pub objects_seen: u64,
    /// Each object and field, and the rule that decided.
    pub decisions: Vec<release::Decision>,
    /// The fields of released objects that no rule names; each is removed.
    pub unnamed: Vec<UnnamedSaid>,
    /// What was released and removed, by rule.
    pub counts: Counts,
    /// The words of every rule that decided, by id.
    pub rules: BTreeMap<String, RuleSaid>,
    /// What the caller would get.
    pub released: String,
}

/// A field that no rule names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnnamedSaid {
    /// The object's number in the answer, as in the decisions.
    pub object: u64,
    /// Its wire path; names that could be a person's number are not shown.
    pub path: String,
}

/// A rule in words.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // named as in the policy file
pub struct RuleSaid {
    pub basis: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis_da: Option<String>,
    pub da: String,
    pub en: String,
}

impl Fact {
    pub(super) fn new(da: impl Into<String>, en: impl Into<String>) -> Self {
        Self { da: da.into(), en: en.into() }
    }
}

impl From<&Refusal> for RefusalSaid {
    fn from(refusal: &Refusal) -> Self {
        let entry = refusal.entry();
        Self {
            code: entry.code,
            audience: entry.audience,
            da: format!("{} {}", entry.da.what, entry.da.remedy),
            en: format!("{} {}", entry.en.what, entry.en.remedy),
        }
    }
}

impl From<&Decision> for DecisionSaid {
    fn from(decision: &Decision) -> Self {
        let (decided, told) = (&decision.decided, decision.decided.describe());
        Self { place: decision.place.clone(), code: decided.code(), rule: decided.rule(), da: told.da, en: told.en }
    }
}

/// Writes an explanation for a reader.
pub(super) fn write(explanation: &Explanation, lang: Lang, out: &mut impl Write) -> io::Result<()> {
    let policy = &explanation.policy;
    writeln!(out, "{}", lang.word(&policy.legal_basis_da, &policy.legal_basis_en))?;
    let (id, version, from) = (&policy.id, &policy.version, &policy.valid_from);
    writeln!(
        out,
        "{} {id}, version {version}, {} {from}",
        lang.word("Politik", "Policy"),
        lang.word("gælder fra", "in force from")
    )?;
    writeln!(out, "  sha256 {}", policy.digest)?;
    writeln!(out, "Service: {}", explanation.service)?;
    writeln!(out, "{} {}\n", lang.word("Vurderingstidspunkt:", "Judged as of"), explanation.at)?;
    for step in &explanation.steps {
        let verdict = match step.verdict {
            Verdict::Passed => lang.word("✓ i orden", "✓ passed"),
            Verdict::Refused => lang.word("✗ AFVIST", "✗ REFUSED"),
            Verdict::NotJudged => lang.word("– ikke vurderet", "– not judged"),
        };
        let (da, en) = step_name(step.step);
        writeln!(out, "{} ({}): {verdict}", lang.word(da, en), step.step)?;
        for fact in &step.facts {
            lang.say(out, "    ", &fact.da, &fact.en)?;
        }
        for decision in &step.decisions {
            writeln!(out, "    {}  [{}]", decision.place, decision.rule)?;
            lang.say(out, "      ", &decision.da, &decision.en)?;
        }
        if let Some(refusal) = &step.refusal {
            writeln!(out, "    {}", refusal.code)?;
            lang.say(out, "    ", &refusal.da, &refusal.en)?;
            let who = refusal.audience.describe();
            lang.say(out, "    ", &format!("Rettes af {}.", who.da()), &format!("Mended by {}.", who.en()))?;
        }
    }
    if let Some(forwarded) = &explanation.forwarded {
        writeln!(out, "\n{}\n{forwarded}", lang.word("Sendes til indekset:", "Sent to the index:"))?;
    }
    if let Some(answer) = &explanation.answer {
        write_answer(answer, lang, out)?;
    }
    let outcome = match explanation.outcome {
        Outcome::Served => lang.word("Kaldet imødekommes", "The call is served"),
        Outcome::Refused => lang.word("Kaldet afvises", "The call is refused"),
    };
    writeln!(out, "\n{outcome}")
}

/// A step's name for a reader; the name in parentheses is the one in timings and JSON.
fn step_name(step: &str) -> (&str, &str) {
    match step {
        "envelope" => ("Kuvert", "Envelope"),
        "authenticate" => ("Hvem der kalder", "Who calls"),
        "replay" => ("Gentagelse", "Replay"),
        "agreement" => ("Serviceaftaler", "Service agreements"),
        "request_policy" => ("Hvad der spørges om", "What is asked"),
        "forward" => ("Indekset", "The index"),
        "response_policy" => ("Hvad der udleveres", "What is released"),
        other => (other, other),
    }
}

fn write_answer(answer: &AnswerSaid, lang: Lang, out: &mut impl Write) -> io::Result<()> {
    let objects = lang.word("bevillinger og betalinger", "grants and payments");
    writeln!(out, "\n{} {} {objects}", lang.word("Svaret:", "The answer:"), answer.objects_seen)?;
    // What became of each object as a whole: the decision whose path is the object itself.
    let whole = answer.decisions.iter().filter(|decision| !decision.path.contains('/'));
    let whole: BTreeMap<u64, &release::Decision> = whole.map(|decision| (decision.object, decision)).collect();
    let mut object = 0;
    for decision in &answer.decisions {
        if decision.object != object {
            write_unnamed(answer, object, lang, out)?;
            object = decision.object;
            let became = whole.get(&object).copied().unwrap_or(decision);
            let kind = match became.path.starts_with("yi:Bevilling") {
                true => lang.word("bevilling", "grant"),
                false => lang.word("betaling", "payment"),
            };
            let became = match became.released {
                true => lang.word("udleveres i uddrag", "released in part"),
                false => format!("{}: {}", lang.word("fjernet helt efter reglen", "removed whole by"), became.rule),
            };
            writeln!(out, "  {object}: {kind}, {became}")?;
        }
        let path = match decision.path.split_once('/') {
            None => continue,
            Some((_, "*")) if decision.rule == "unnamed" => continue,
            Some((_, "*")) => lang.word("(flere felter)", "(several fields)"),
            Some((_, path)) => path.to_owned(),
        };
        write_field(decision.released, &decision.rule, &path, lang, out)?;
    }
    write_unnamed(answer, object, lang, out)?;
    writeln!(out, "\n{}", lang.word("Reglerne", "The rules"))?;
    for (id, rule) in &answer.rules {
        let count = |map: &BTreeMap<String, u64>| map.get(id).copied().unwrap_or_default();
        let counts = &answer.counts;
        let (released, removed, objects) =
            (count(&counts.fields_released), count(&counts.fields_removed), count(&counts.objects_removed));
        let mut done = Vec::new();
        for (many, da, en) in [
            (released, "felt(er) udleveret", "field(s) released"),
            (removed, "felt(er) fjernet", "field(s) removed"),
            (objects, "fjernet helt", "removed whole"),
        ] {
            if many > 0 {
                done.push(format!("{many} {}", lang.word(da, en)));
            }
        }
        writeln!(out, "  {id}: {}", done.join(", "))?;
        writeln!(out, "    {}", lang.basis(&rule.basis, rule.basis_da.as_deref()))?;
        lang.say(out, "    ", &rule.da, &rule.en)?;
    }
    writeln!(out, "\n{}\n{}", lang.word("Udleveres:", "Released:"), answer.released)
}

fn write_field(released: bool, rule: &str, path: &str, lang: Lang, out: &mut impl Write) -> io::Result<()> {
    let sign = match released {
        true => lang.word("+ udleveret", "+ released"),
        false => lang.word("− fjernet", "− removed"),
    };
    writeln!(out, "    {sign:<24}  {rule:<20} {path}")
}

/// The fields of an object that no rule names.
fn write_unnamed(answer: &AnswerSaid, object: u64, lang: Lang, out: &mut impl Write) -> io::Result<()> {
    for field in answer.unnamed.iter().filter(|field| field.object == object) {
        let path = field.path.split_once('/').map_or(field.path.as_str(), |(_, path)| path);
        write_field(false, "unnamed", path, lang, out)?;
    }
    Ok(())
}
