//! `hjemmel audit delivery`: a delivery step by step, from the records of its calls.

use std::io::{self, Write};
use std::path::PathBuf;

use uuid::Uuid;

use super::AuditError;
use crate::audit::search::{Followed, follow};
use crate::audit::{Outcome, Record};
use crate::services::finance::receipt;
use crate::services::refusals;

/// The steps that take time of their own, in the order of a call's way, by their names in records.
const STEPS: [(&str, &str); 10] = [
    ("envelope", "message read"),
    ("authenticate", "identity proven"),
    ("replay", "not seen before"),
    ("agreement", "agreement of the sender"),
    ("request_schema", "schema"),
    (RULES, "rules"),
    ("deliveries", "known deliveries and vouchers"),
    ("route", "route and agreement of the platform"),
    (RECORDED, "recorded, token"),
    (FORWARDED, "forwarded"),
];
/// What the memory of deliveries finds, and the rules do not.
const OF_EARLIER: [&str; 2] = ["FB016", "FB031"];
const RULES: &str = "rules";
const RECORDED: &str = "exchange";
const FORWARDED: &str = "forward";
/// Refusals of what came back: the delivery was forwarded.
const ANSWERED: [&str; 5] =
    ["PeerFault", "PeerAnswerInvalid", "PeerSignatureInvalid", "AnswerViolated", "ProviderAnswerTooLarge"];

/// How a step of a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Went {
    /// It was taken.
    Done,
    /// It refused.
    Failed,
    /// The call did not get so far.
    Missing,
}

/// Where a call got to.
struct Way {
    /// Whether it was what came back from the ledger that cannot be used.
    of_answer: bool,
    /// Whether a step refused it.
    refused: bool,
    /// The step that was taken last.
    last: Option<usize>,
}

impl Way {
    /// What was refused was refused by the step that was taken last; what came back from the ledger is judged by none of these.
    fn of(record: &Record) -> Self {
        let figures = record.about.vouchers();
        let of_answer = record.refusal.as_deref().is_some_and(|code| ANSWERED.contains(&code));
        let last = STEPS.iter().rposition(|(name, _)| record.timings_us.contains_key(*name));
        let refused = record.outcome == Some(Outcome::Refused) && !of_answer;
        // After a rule has refused it is still asked whether the delivery was answered before.
        let by_rule = figures
            .zip(record.refusal.as_ref())
            .is_some_and(|(figures, code)| figures.findings.contains_key(code) && !OF_EARLIER.contains(&code.as_str()));
        let last = if by_rule { STEPS.iter().position(|(name, _)| *name == RULES) } else { last };
        Self { of_answer, refused, last }
    }

    fn step(&self, record: &Record, at: usize, name: &str) -> Went {
        match () {
            () if self.refused && self.last == Some(at) => Went::Failed,
            () if self.refused && self.last.is_none_or(|last| last < at) => Went::Missing,
            () if record.timings_us.contains_key(name) => Went::Done,
            () => Went::Missing,
        }
    }
}

/// Each step of a call, in the order of its way. One that it did not need is left out: a later one was taken, or it was accepted.
pub(in crate::cli) fn steps(record: &Record) -> Vec<(&'static str, Went)> {
    let (way, accepted) = (Way::of(record), is_accepted(record));
    let steps = STEPS.iter().enumerate().map(|(at, (name, step))| (at, *step, way.step(record, at, name)));
    let needed = |at: usize, went: Went| went != Went::Missing || !accepted && way.last.is_none_or(|last| last < at);
    steps.filter(|(at, _, went)| needed(*at, *went)).map(|(_, step, went)| (step, went)).collect()
}

/// The calls that carried the delivery, or the call with this id, oldest first, and how many lines could not be read.
pub(in crate::cli) fn calls_of(id: Uuid, dirs: &[PathBuf]) -> io::Result<(Vec<Followed>, u64)> {
    let is_it = |record: &Record| record.call == id || record.about.vouchers().is_some_and(|figures| figures.delivery == id);
    let (mut calls, mut unreadable) = (Vec::new(), 0);
    for dir in dirs {
        let failed = |error: io::Error| io::Error::new(error.kind(), crate::cli::file::describe(dir, &error).to_string());
        let (found, doubtful) = follow(dir, is_it).map_err(failed)?;
        calls.extend(found);
        unreadable += doubtful;
    }
    calls.sort_by_key(|call| call.record.opened_at);
    Ok((calls, unreadable))
}

/// Reports each call that carried the delivery, or of the call with this id.
pub(super) fn print(id: Uuid, dirs: &[PathBuf], out: &mut impl Write) -> Result<(), AuditError> {
    let (calls, unreadable) = calls_of(id, dirs)?;
    let mut accepted = true;
    for call in &calls {
        print_one(call, out)?;
        accepted &= is_accepted(&call.record);
    }
    if unreadable > 0 {
        writeln!(out, "WARNING: {unreadable} lines could not be read; run `hjemmel audit verify`")?;
    }
    match (calls.is_empty(), accepted) {
        (true, _) => Err(AuditError::NoDelivery(id)),
        (false, true) => Ok(()),
        (false, false) => Err(AuditError::NotAccepted),
    }
}

pub(in crate::cli) fn is_accepted(record: &Record) -> bool {
    let receipt = record.about.vouchers().and_then(|figures| figures.receipt.as_deref());
    record.outcome == Some(Outcome::Served) && receipt.is_none_or(|receipt| receipt == "ACCEPTERET")
}

fn line(out: &mut impl Write, verdict: &str, step: &str, more: &str) -> io::Result<()> {
    writeln!(out, "  {verdict:<7} {step}{}{more}", if more.is_empty() { "" } else { ": " })
}

fn print_one(call: &Followed, out: &mut impl Write) -> io::Result<()> {
    let Followed { admitted, closed, record } = call;
    let dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    writeln!(out, "call {} of {}", record.call, record.service)?;
    line(out, "ok", "received", &record.opened_at.to_string())?;
    let figures = record.about.vouchers();
    let way = Way::of(record);
    for (at, (name, step)) in STEPS.iter().enumerate() {
        let went = way.step(record, at, name);
        if went == Went::Missing {
            continue;
        }
        let failed = went == Went::Failed;
        let mut more = format!("{:.1} ms", record.timings_us.get(*name).map_or(0.0, |us| *us as f64 / 1000.0));
        match *name {
            "authenticate" if !failed => {
                let binding = record.binding.map_or("-", |binding| binding.name());
                let (authority, system) =
                    (dash(record.authority.map(|cvr| cvr.to_string())), dash(record.client_system.map(|id| id.to_string())));
                more += &format!(", {binding}, authority {authority}, system {system}");
            }
            "agreement" if !failed => more += &format!(", {}", dash(record.front_agreement.map(|id| id.to_string()))),
            RULES => {
                let found = figures.into_iter().flat_map(|figures| &figures.findings);
                found.for_each(|(code, count)| more += &format!(", {code} ×{count}"));
            }
            "route" if !failed => {
                let route = record.about.passthrough().and_then(|pass| pass.route);
                more += &format!(", {}", dash(route.map(|id| id.to_string())));
            }
            RECORDED => more += &admitted.map_or_else(String::new, |at| format!(", on disk {at}")),
            _ => {}
        }
        line(out, if failed { "FAILED" } else { "ok" }, step, &more)?;
    }
    if way.refused && way.last.is_none() {
        line(out, "FAILED", "message taken", "")?;
    }
    print_end(record, out)?;
    let end = |at: &Option<_>| {
        at.map_or_else(
            || "no record yet: it is under way, or the gateway was stopped".to_owned(),
            |at: jiff::Timestamp| at.to_string(),
        )
    };
    line(out, if closed.is_some() { "ok" } else { "OPEN" }, "closed", &end(closed))
}

/// What came of it, and what is to be mended.
pub(in crate::cli) fn print_end(record: &Record, out: &mut impl Write) -> io::Result<()> {
    let about = record.about.vouchers();
    if about.is_some_and(|about| about.repeated) || record.about.passthrough().is_some_and(|pass| pass.repeated) {
        line(out, "ok", "not forwarded", "it was known, and got the receipt of before")?;
    }
    if Way::of(record).of_answer {
        line(out, "FAILED", "answered", "the receiver's answer cannot be used")?;
    }
    if record.outcome == Some(Outcome::Abandoned) {
        line(
            out,
            "FAILED",
            "answered",
            "the sender hung up before there was an answer; it gets it by sending the same delivery again",
        )?;
    }
    if let Some(figures) = about
        && let Some(code) = &figures.receipt
    {
        let (accepted, rejected) = (figures.accepted.unwrap_or_default(), figures.rejected.unwrap_or_default());
        let whom: String = figures.audiences.iter().map(|(audience, count)| format!(", {count} to {audience}")).collect();
        let verdict = if is_accepted(record) { "ok" } else { "FAILED" };
        line(out, verdict, "receipt", &format!("{code}, {accepted} vouchers accepted, {rejected} rejected{whom}"))?;
        if rejected > 0 {
            writeln!(out, "          to mend: the receipt, which the sender has, tells it by voucher and whose job it is")?;
        }
    }
    let Some(code) = &record.refusal else { return Ok(()) };
    let row = refusals().into_iter().map(|refusal| refusal.entry()).find(|entry| entry.code == code);
    match row {
        Some(entry) => {
            let whom = receipt::audience(entry.audience);
            writeln!(out, "          {code}, to mend by {whom}: {}", entry.da.remedy)?;
            writeln!(out, "          {} (names and numbers in it are examples; docs/faults.md)", entry.en.remedy)
        }
        None => writeln!(out, "          {code}: docs/faults.md"),
    }
}
