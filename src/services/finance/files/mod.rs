//! SF1590_A by files: deliveries of vouchers (EP_FS3 → EP_BS2) and the ledgers' answers (EP_BS2 → EP_FS4), as rules for the contents of
//! files of two InfRefs.
//!
//! [`vouchers`] judges a delivery by the schema and the rules of a call and claims it in the memory that calls use; [`answer`] judges a
//! business receipt, ties it to the delivery that it answers, and writes what was accepted. [`lists`] delivers value lists to those
//! who subscribe. The InfRefs are settings.

pub mod answer;
pub mod lists;
pub mod vouchers;

use std::sync::Arc;
use std::time::Duration;

use super::offer;
use super::rules::table::Rule;
use super::rules::{Finding, Severity};
use super::settings::Settings;
use crate::files::answers::LAST;
use crate::files::codes::Code;
use crate::files::content::{ByInfRef, Passing};
use crate::refusal::{Detail, Refusal};
use crate::services::parts::{OfferError, Parts};
use crate::services::passthrough::deliveries::by_file::ByFile;
use crate::services::passthrough::offer::kept;

/// For how long a delivery by file has its id to itself: as long as an answer is taken, and a day more.
const CLAIMED: Duration = Duration::from_secs((LAST as u64 + 1) * 24 * 3600);

/// The rules for the contents of a service's files.
///
/// # Errors
/// [`OfferError`].
pub fn contents(settings: &Settings, parts: &Parts<'_>) -> Result<ByInfRef, OfferError> {
    let service = settings.offered.offer.service_uuid;
    let contract = settings.offered.folder.contracts.first();
    let contract = contract.ok_or(OfferError::Setting("a service of the kind finance has no contract"))?;
    let database = parts.agreements.store().database().clone();
    let memory = ByFile::new(service, settings.offered.deliveries.clone(), kept(parts)?, parts.kept.deliveries.clone());
    let vouchers = vouchers::Vouchers {
        schema: contract.schema.clone(),
        rules: offer::tested(settings, parts),
        lists: offer::held(settings, parts),
        trials: offer::trials(settings, parts),
        memory: memory.clone(),
        database: database.clone(),
    };
    let answer = answer::Answers { schema: contract.schema.clone(), memory, database };
    let mut contents = ByInfRef::new();
    contents.insert(settings.vouchers_inf_ref.clone(), Arc::new(vouchers));
    contents.insert(settings.answers_inf_ref.clone(), Arc::new(answer));
    Ok(contents)
}

/// A content that cannot be judged now, as it is reported to the core.
fn passing(error: impl std::fmt::Display) -> Passing {
    Passing(error.to_string())
}

/// A content that is refused, in words.
fn refused(da: impl Into<String>, en: impl Into<String>) -> Code {
    let (da, en): (String, String) = (da.into(), en.into());
    Code::FIL1050 { what: Detail::new(da.trim_end_matches('.'), en.trim_end_matches('.')) }
}

/// What a call with the same content would be refused for.
fn as_refused(refusal: &Refusal) -> Code {
    let entry = refusal.entry();
    refused(format!("{} {}", entry.da.what, entry.da.remedy), format!("{} {}", entry.en.what, entry.en.remedy))
}

/// A row of the rules, with who can mend it.
fn describe(rule: &Rule, severity: Severity) -> Detail {
    let entry = rule.entry();
    let who = super::receipt::audience(entry.audience);
    let (da, en) = match severity {
        Severity::Error => ("FEJL", "ERROR"),
        Severity::Warning => ("ADVARSEL", "WARNING"),
    };
    let text = |severity: &str, what: &str, remedy: &str| format!("{severity} {} ({who}): {what} {remedy}", entry.code);
    Detail::new(text(da, &entry.da.what, &entry.da.remedy), text(en, &entry.en.what, &entry.en.remedy))
}

/// What was found, as codes of a receipt.
fn findings(findings: &[Finding], left_out: u64) -> Vec<Code> {
    let mut codes: Vec<Code> = findings
        .iter()
        .map(|finding| {
            let told = describe(&finding.rule, finding.severity);
            refused(told.da(), told.en())
        })
        .collect();
    if left_out > 0 {
        codes
            .push(refused(format!("yderligere {left_out} fund er ikke nævnt"), format!("{left_out} more findings are not told")));
    }
    codes
}
