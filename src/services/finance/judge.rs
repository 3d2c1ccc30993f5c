//! The rules on the way of a call: a delivery that they refuse goes no further, and the receipt says what they found.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::Service;

use super::lists::Held;
use super::receipt;
use super::rules::delivery::{Head, NAMESPACE};
use super::rules::mode::Rules;
use super::rules::sortiment::Lists;
use super::rules::table::Rule;
use super::rules::trial::Openings;
use super::rules::{Against, Verdict, judge, sayable};
use crate::audit::{AboutFinance, FinanceFigures};
use crate::clock::Clock;
use crate::gateway::answer::Release;
use crate::gateway::call::OfCall;
use crate::gateway::step::Step;
use crate::refusal::{Detail, PeerName, Refusal};
use crate::services::passthrough::ask::Valid;
use crate::services::passthrough::refusal::ContractRefusal;

/// The step.
#[derive(Clone)]
pub struct RulesStep {
    /// What each rule does.
    pub rules: Arc<Rules>,
    /// The value lists.
    pub lists: Held,
    /// When tests are taken.
    pub trials: Arc<Openings>,
    /// The clock.
    pub clock: Clock,
}

impl RulesStep {
    fn judged(&self, valid: &Valid, lists: Option<&Lists>) -> Result<(Head, Verdict), Refusal> {
        let request = valid.request().ok_or(Refusal::Internal)?;
        let delivery = request.elements().find(|child| child.is(NAMESPACE, "FinansbilagLeverance")).ok_or(Refusal::Internal)?;
        let caller = *valid.admitted().authenticated().caller().authority();
        let system = valid.admitted().front().system;
        let trials = self.trials.are_open(&caller, self.clock.now());
        let against = Against { modes: self.rules.of(&caller), lists, caller, system, trials };
        judge(delivery, against).map_err(|unreadable| {
            tracing::error!(%unreadable, "the rules and the schema do not fit each other");
            Refusal::Internal
        })
    }
}

impl<S> Step<S> for RulesStep
where
    S: Service<Valid, Response = Release, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = Valid;
    type Out = Release;
    type Error = Refusal;

    async fn pass(&self, valid: Valid, mut inner: S) -> Result<Release, Refusal> {
        let call = valid.call().clone();
        let started = call.start();
        let rules = self.clone();
        let lists = self.lists.now().await?;
        // A month's vouchers take milliseconds, in which the runtime's thread would move nobody else's bytes.
        let work = move || {
            let judged = rules.judged(&valid, lists.as_deref());
            (valid, judged)
        };
        let (valid, judged) = tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Internal)?;
        call.finish("rules", started);
        let (head, verdict) = judged?;
        let figures = figures(&head, &verdict);
        call.note(|record| {
            if let Some(pass) = record.about.passthrough_mut() {
                record.about = AboutFinance { pass: pass.clone(), figures }.into();
            }
        });
        let agreed = valid.admitted().agreed();
        if let Some(first) = verdict.refused() {
            let body = receipt::refused(head.id, &verdict.findings, verdict.left_out)?;
            return Ok(Release::refusal(agreed, first.rule.clone().into(), body));
        }
        let answered = match inner.call(valid).await {
            Ok(release) => release,
            Err(refusal) => match as_rule(&refusal) {
                Some(rule) => {
                    let body = receipt::refused_for(head.id, rule)?;
                    return Ok(Release::refusal(agreed, refusal, body));
                }
                None => return Err(refusal),
            },
        };
        let mut said = None;
        let answered = answered.amended(|body| match receipt::passed_on(&body, &verdict) {
            Some((amended, heard)) => {
                said = Some(heard);
                amended
            }
            None => body,
        });
        if let Some(said) = said {
            if !said.whole || said.delivery != head.id.to_string() {
                tracing::error!("a ledger's receipt is for another delivery, or not whole");
                let told = Refusal::from(ContractRefusal::AnswerViolated);
                let body = receipt::refused_for(head.id, as_rule(&told).ok_or(Refusal::Internal)?)?;
                return Ok(Release::refusal(agreed, told, body));
            }
            call.note(|record| {
                if let Some(about) = record.about.finance_mut() {
                    about.figures.receipt = Some(said.code);
                    (about.figures.accepted, about.figures.rejected) = (Some(said.accepted), Some(said.rejected));
                }
            });
        }
        Ok(answered)
    }
}

/// What the record says of a delivery.
fn figures(head: &Head, verdict: &Verdict) -> FinanceFigures {
    let mut findings: BTreeMap<String, u64> = BTreeMap::new();
    for finding in &verdict.findings {
        *findings.entry(finding.rule.code().to_owned()).or_default() += 1;
    }
    let totals = verdict.totals;
    FinanceFigures {
        delivery: head.id,
        vouchers: totals.vouchers,
        postings: totals.postings,
        debit: totals.debit.to_string(),
        credit: totals.credit.to_string(),
        list: head.list,
        list_version: sayable(&head.version),
        trial: head.trial,
        findings,
        findings_left_out: verdict.left_out,
        receipt: None,
        accepted: None,
        rejected: None,
    }
}

/// What went wrong behind the rules as a code of the service's own, where it has one.
fn as_rule(refusal: &Refusal) -> Option<Rule> {
    let unknown = || Detail::new("det vides ikke, om bilagene er bogført", "it is not known whether the vouchers are booked");
    let none = |peer: &PeerName, sent| Some(Rule::FB090 { peer: peer.clone(), sent });
    match refusal {
        Refusal::RouteNotFound { receiver, .. } => Some(Rule::FB001 {
            what: Detail::new(
                format!("der er ingen rute til bogføringssystemet hos {receiver}"),
                format!("there is no route to the ledger of {receiver}"),
            ),
        }),
        Refusal::BackAgreementNotFound { .. } => Some(Rule::FB001 {
            what: Detail::new(
                "myndigheden har ikke godkendt serviceaftalen om bogføringssystemet",
                "the authority has not approved the agreement on the ledger",
            ),
        }),
        Refusal::PeerResting { peer, .. } => {
            none(peer, Detail::new("leverancen er ikke sendt videre", "the delivery was not passed on"))
        }
        Refusal::PeerUnavailable { peer }
        | Refusal::PeerTimeout { peer, .. }
        | Refusal::PeerFault { peer }
        | Refusal::PeerAnswerInvalid { peer }
        | Refusal::PeerSignatureInvalid { peer } => none(peer, unknown()),
        Refusal::Service(entry) if ["AnswerViolated", "ProviderAnswerTooLarge"].contains(&entry.code) => {
            none(&PeerName::UNNAMED, unknown())
        }
        _ => None,
    }
}
