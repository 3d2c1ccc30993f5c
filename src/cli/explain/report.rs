//! What an explanation says, as data for JSON and as text for a reader.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::policy::release::{Counts, Decision};
use crate::refusal::Refusal;

/// Everything that was decided.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The instant by which it was judged.
    pub at: String,
    /// What becomes of the call.
    pub outcome: Outcome,
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

/// A refusal as a caller is told it.
#[derive(Debug, Clone, Serialize)]
pub struct RefusalSaid {
    /// The code.
    pub code: &'static str,
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
    pub decisions: Vec<Decision>,
    /// What was released and removed, by rule.
    pub counts: Counts,
    /// The words of every rule that decided, by id.
    pub rules: BTreeMap<String, RuleSaid>,
    /// What the caller would get.
    pub released: String,
}

/// A rule in words.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // named as in the policy file
pub struct RuleSaid {
    pub basis: String,
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
            da: format!("{} {}", entry.da.what, entry.da.remedy),
            en: format!("{} {}", entry.en.what, entry.en.remedy),
        }
    }
}

/// Writes an explanation for a reader, Danish before English.
pub(super) fn write(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let policy = &explanation.policy;
    writeln!(out, "{} · {}", policy.legal_basis_da, policy.legal_basis_en)?;
    writeln!(out, "Politik/policy {}, version {}, gælder fra/valid from {}", policy.id, policy.version, policy.valid_from)?;
    writeln!(out, "  sha256 {}", policy.digest)?;
    writeln!(out, "Bedømt/judged at {}\n", explanation.at)?;
    for step in &explanation.steps {
        let verdict = match step.verdict {
            Verdict::Passed => "✓ bestået · passed",
            Verdict::Refused => "✗ AFVIST · REFUSED",
            Verdict::NotJudged => "– ikke bedømt · not judged",
        };
        writeln!(out, "{:<16} {verdict}", step.step)?;
        for fact in &step.facts {
            both(out, "    ", &fact.da, &fact.en)?;
        }
        if let Some(refusal) = &step.refusal {
            writeln!(out, "    {}", refusal.code)?;
            both(out, "    ", &refusal.da, &refusal.en)?;
        }
    }
    if let Some(forwarded) = &explanation.forwarded {
        writeln!(out, "\nSendes til indekset · Sent to the index:\n{forwarded}")?;
    }
    if let Some(answer) = &explanation.answer {
        write_answer(answer, out)?;
    }
    let outcome = match explanation.outcome {
        Outcome::Served => "Kaldet imødekommes · The call is served",
        Outcome::Refused => "Kaldet afvises · The call is refused",
    };
    writeln!(out, "\n{outcome}")
}

fn both(out: &mut impl Write, indent: &str, da: &str, en: &str) -> io::Result<()> {
    writeln!(out, "{indent}{da}")?;
    if da != en {
        writeln!(out, "{indent}  {en}")?;
    }
    Ok(())
}

fn write_answer(answer: &AnswerSaid, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nSvaret · The answer: {} objekter · objects", answer.objects_seen)?;
    let mut object = 0;
    for decision in &answer.decisions {
        if decision.object != object {
            object = decision.object;
            writeln!(out, "  objekt · object {object}")?;
        }
        let sign = if decision.released { "+ udleveret · released" } else { "− fjernet · removed  " };
        writeln!(out, "    {sign}  {:<20} {}", decision.rule, decision.path)?;
    }
    writeln!(out, "\nReglerne · The rules")?;
    for (id, rule) in &answer.rules {
        let count = |map: &BTreeMap<String, u64>| map.get(id).copied().unwrap_or_default();
        let counts = &answer.counts;
        let removed = count(&counts.objects_removed);
        writeln!(
            out,
            "  {id}: {} felter udleveret · fields released, {} fjernet · removed{}",
            count(&counts.fields_released),
            count(&counts.fields_removed),
            if removed > 0 { format!(", {removed} objekter fjernet · objects removed") } else { String::new() }
        )?;
        writeln!(out, "    {}", rule.basis)?;
        both(out, "    ", &rule.da, &rule.en)?;
    }
    writeln!(out, "\nUdleveres · Released:\n{}", answer.released)
}
