//! A delivery of vouchers as a file, before it is delivered to the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{CLAIMED, as_refused, describe, findings, passing, refused};
use crate::files::answers;
use crate::files::codes::Code;
use crate::files::content::{Candidate, Content, ContentRule, Judgement, Later, Passed, Passing};
use crate::id::cvr::Cvr;
use crate::refusal::{Detail, PeerName, Refusal};
use crate::schema::compile::Schema;
use crate::services::finance::file::{self, Judged};
use crate::services::finance::judge;
use crate::services::finance::lists::Held;
use crate::services::finance::receipt;
use crate::services::finance::rules::mode::Rules;
use crate::services::finance::rules::table::Rule;
use crate::services::finance::rules::{Against, Finding, MOST, Place, Severity, Verdict};
use crate::services::finance::trials::Trials;
use crate::services::passthrough::deliveries::by_file::{ByFile, Found, KnownElsewhere, Whose};
use crate::soap::pieces::Unread;
use crate::store::{Database, StoreError, Transaction, until_it_holds};

/// The rule.
pub struct Vouchers {
    /// The contract.
    pub schema: Schema,
    /// What each rule does.
    pub rules: Arc<Rules>,
    /// The value lists.
    pub lists: Held,
    /// When tests are taken.
    pub trials: Trials,
    /// What was delivered before, by whatever way.
    pub memory: ByFile,
    /// Where answers are awaited.
    pub database: Database,
}

/// One code for one thing.
fn only(code: Code) -> Judgement {
    Judgement::Refused(vec![code])
}

fn only_rule(rule: &Rule) -> Judgement {
    let told = describe(rule, Severity::Error);
    only(refused(told.da(), told.en()))
}

/// An earlier receipt of the same delivery, in words. Nothing of it is booked again.
fn repeated(receipt: &[u8]) -> Judgement {
    let said = receipt::read(receipt).unwrap_or_default();
    // The ledger's word is one of five, by the schema.
    let code = if said.code.bytes().all(|byte| byte.is_ascii_uppercase()) { said.code.as_str() } else { "?" };
    let (accepted, rejected) = (said.accepted.len(), said.rejected.len());
    only(refused(
        format!(
            "leverancen er sendt før med samme indhold, og dens kvittering er {code}: {accepted} bilag accepteret, {rejected} afvist; den er ikke sendt videre igen"
        ),
        format!(
            "the delivery was sent before with the same content, and its receipt is {code}: {accepted} vouchers accepted, {rejected} rejected; it was not passed on again"
        ),
    ))
}

impl Vouchers {
    async fn judged(&self, candidate: Candidate) -> Result<Judgement, Passing> {
        let [(_, _)] = candidate.recipients.as_slice() else {
            return Ok(only(refused(
                "en leverance af finansbilag har netop én modtager, bogføringssystemet",
                "a delivery of vouchers has just one recipient, the ledger",
            )));
        };
        let lists = self.lists.now().await.map_err(|refusal| passing(refusal.code()))?;
        let (sender, receiver, system) = (candidate.sender_authority, candidate.recipient_authority, candidate.system);
        let trials = self.trials.are_open(&sender, candidate.now).await.map_err(|refusal| passing(refusal.code()))?;
        let (schema, rules, transfer) = (self.schema.clone(), self.rules.clone(), candidate.transfer);
        let read = tokio::task::spawn_blocking(move || {
            let against =
                Against { modes: rules.of(&sender), lists: lists.as_deref(), caller: sender, system: Some(system), trials };
            file::judge(&schema, || candidate.content.open(), against)
        });
        let Judged { head, mut verdict, says } = match read.await.map_err(passing)? {
            Ok(judged) => judged,
            Err(Unread::Content(Refusal::Internal)) => return Err(passing("it could not be judged")),
            Err(Unread::Content(refusal)) => return Ok(only(as_refused(&refusal))),
            Err(Unread::File(error)) => return Err(passing(error)),
        };
        if head.receiver != receiver {
            let what = Detail::new(
                "ModtagerMyndighed er ikke den myndighed, ruteordren fører til",
                "ModtagerMyndighed is not the authority that the route order leads to",
            );
            verdict
                .findings
                .insert(0, Finding { rule: Rule::FB001 { what }, severity: Severity::Error, place: Place::default() });
        }
        let modes = self.rules.of(&sender);
        let mark = self.memory.mark(&Whose { sender, system, id: head.id });
        if verdict.refused().is_some() {
            // What was delivered before keeps its receipt, whatever the rules say by now.
            match self.memory.look(mark, &says, transfer).await.map_err(passing)? {
                Some(Found::Mine) => verdict = verdict.without_findings(),
                Some(Found::Answered(receipt)) => return Ok(repeated(&receipt)),
                _ => return Ok(Judgement::Refused(findings(&verdict.findings, verdict.left_out))),
            }
        }
        let things = if head.trial {
            0
        } else {
            verdict.vouchers.iter().map(|(voucher, _)| voucher).collect::<BTreeSet<_>>().len() as u64
        };
        // Before the claim, so that one that nothing comes of is found again.
        let noted = async { answers::taken(&mut self.database.session().await?, transfer, &mark, head.id, things).await };
        noted.await.map_err(passing)?;
        match self.memory.claim(mark, &says, transfer, CLAIMED).await.map_err(passing)? {
            Found::Mine => {}
            other => {
                let forgotten = async { answers::forget(&mut self.database.session().await?, transfer).await };
                forgotten.await.map_err(passing)?;
                return Ok(match other {
                    Found::Answered(receipt) => repeated(&receipt),
                    Found::Altered => only_rule(&Rule::FB030),
                    Found::Unknown => {
                        let sent = Detail::new(
                            "det vides ikke, om bilagene er bogført",
                            "it is not known whether the vouchers are booked",
                        );
                        only_rule(&Rule::FB090 { peer: PeerName::UNNAMED, sent })
                    }
                    _ => only_rule(&Rule::FB032),
                });
            }
        }
        // A test books nothing.
        if !head.trial {
            let known = self.memory.take(mark, &sender, receiver, &verdict.vouchers, CLAIMED, MOST).await.map_err(passing)?;
            verdict = with_known(verdict, known, modes);
        }
        if verdict.refused().is_some() {
            self.freed(transfer).await.map_err(passing)?;
            return Ok(Judgement::Refused(findings(&verdict.findings, verdict.left_out)));
        }
        let warnings = verdict.findings.iter().map(|finding| describe(&finding.rule, finding.severity)).collect();
        let figures = Some(judge::figures(&head, &verdict));
        Ok(Judgement::Passed(Box::new(Passed { warnings, figures, memo: Box::new(()) })))
    }

    /// What schema and rules say of a content, whoever had it before.
    async fn checked(&self, content: Content, sender: Cvr, now: Timestamp) -> Result<Vec<Code>, Passing> {
        let lists = self.lists.now().await.map_err(|refusal| passing(refusal.code()))?;
        let trials = self.trials.are_open(&sender, now).await.map_err(|refusal| passing(refusal.code()))?;
        let (schema, rules) = (self.schema.clone(), self.rules.clone());
        let read = tokio::task::spawn_blocking(move || {
            let against = Against { modes: rules.of(&sender), lists: lists.as_deref(), caller: sender, system: None, trials };
            file::judge(&schema, || content.open(), against)
        });
        match read.await.map_err(passing)? {
            Ok(Judged { verdict, .. }) if verdict.refused().is_some() => Ok(findings(&verdict.findings, verdict.left_out)),
            Ok(_) => Ok(Vec::new()),
            Err(Unread::Content(Refusal::Internal)) => Err(passing("it could not be judged")),
            Err(Unread::Content(refusal)) => Ok(vec![as_refused(&refusal)]),
            Err(Unread::File(error)) => Err(passing(error)),
        }
    }

    /// Gives a claim back, in one transaction: where the transfer was delivered meanwhile by another node, the claim is its delivery's.
    async fn freed(&self, transfer: Uuid) -> Result<(), StoreError> {
        until_it_holds(async || {
            let mut transaction = self.database.begin_beside_others().await?;
            if let Some(mark) = answers::taken_back(&mut transaction, transfer).await? {
                let mark = mark.try_into().map_err(|_| StoreError::Unreadable { column: "mark" })?;
                ByFile::free(&mut transaction, mark, transfer).await?;
            }
            transaction.commit().await
        })
        .await
    }
}

/// The verdict with what other deliveries have.
fn with_known(verdict: Verdict, known: KnownElsewhere, modes: &crate::services::finance::rules::mode::Modes) -> Verdict {
    let elsewhere = known.elsewhere.into_iter();
    let elsewhere = elsewhere.map(|(voucher, earlier)| (Rule::FB031 { voucher, what: judge::describe(&earlier) }, voucher));
    let unknown = known.unknown.into_iter().map(|(voucher, corrects)| (Rule::FB016 { voucher, corrects }, voucher));
    let mut verdict = verdict.with(modes, elsewhere.chain(unknown));
    verdict.left_out += known.more;
    verdict
}

impl ContentRule for Vouchers {
    fn judge(&self, candidate: Candidate) -> Later<'_, Result<Judgement, Passing>> {
        Box::pin(self.judged(candidate))
    }

    fn delivered<'a>(
        &'a self,
        transaction: &'a mut Transaction,
        transfer: Uuid,
        _passed: &'a Passed,
        now: Timestamp,
    ) -> Later<'a, Result<(), StoreError>> {
        Box::pin(async move { answers::awaited(transaction, transfer, now).await })
    }

    fn check(&self, content: Content, sender: Cvr, now: Timestamp) -> Option<Later<'_, Result<Vec<Code>, Passing>>> {
        Some(Box::pin(self.checked(content, sender, now)))
    }

    fn given_up(&self, transfer: Uuid) -> Later<'_, Result<(), StoreError>> {
        Box::pin(self.freed(transfer))
    }
}
