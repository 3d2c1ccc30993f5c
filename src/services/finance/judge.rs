//! The rules on the way of a call: a delivery that they refuse goes no further, and the receipt says what they found.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::Service;
use uuid::Uuid;

use super::lists::Held;
use super::receipt::{self, Said};
use super::rules::delivery::{Head, NAMESPACE};
use super::rules::mode::Rules;
use super::rules::sortiment::Lists;
use super::rules::table::Rule;
use super::rules::{Against, Verdict, judge, sayable};
use super::said::Says;
use super::trials::Trials;
use crate::audit::{AboutFinance, FinanceFigures};
use crate::clock::{Clock, civil_day};
use crate::gateway::agreement::Agreed;
use crate::gateway::answer::Release;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::step::Step;
use crate::refusal::{Detail, PeerName, Refusal};
use crate::services::concerns::{Concern, What};
use crate::services::passthrough::ask::Valid;
use crate::services::passthrough::deliveries::{Before, Claim, Claimed, Deliveries, Earlier, Items, Known};
use crate::services::passthrough::refusal::ContractRefusal;
use crate::soap::document::Element;

/// The bytes of a request that is judged sooner than another thread is woken for it, as it was read.
const SMALL: usize = 64 * 1024;

/// The step.
#[derive(Clone)]
#[allow(missing_docs)] // the names say it
pub struct RulesStep {
    /// What each rule does.
    pub rules: Arc<Rules>,
    /// The value lists.
    pub lists: Held,
    /// When tests are taken.
    pub trials: Trials,
    /// What was passed on before.
    pub deliveries: Arc<Deliveries>,
    pub clock: Clock,
}

impl RulesStep {
    fn judged(&self, valid: &Valid, lists: Option<&Lists>, trials: bool) -> Result<(Head, Verdict, [u8; 32]), Refusal> {
        let delivery = delivery(valid).ok_or(Refusal::Internal)?;
        let caller = *valid.admitted().authenticated().caller().authority();
        let system = valid.admitted().front().system;
        let against = Against { modes: self.rules.of(&caller), lists, caller, system: Some(system), trials };
        let (head, verdict) = judge(delivery, against).map_err(|unreadable| {
            tracing::error!(%unreadable, "the rules and the schema do not fit each other");
            Refusal::Internal
        })?;
        let mut says = Says::begin(delivery);
        says.children(delivery);
        Ok((head, verdict, says.finish()))
    }

    /// Whether a time for tests is open to the caller; what says nothing of a test is not asked for.
    async fn takes_test(&self, valid: &Valid) -> Result<bool, Refusal> {
        // It stands in front of the vouchers, of which there are thousands.
        let head = |child: &Element<'_>| !child.is(NAMESPACE, "Finansbilag");
        let said = delivery(valid)
            .is_some_and(|delivery| delivery.elements().take_while(head).any(|child| child.is(NAMESPACE, "Proeve")));
        let caller = *valid.admitted().authenticated().caller().authority();
        Ok(said && self.trials.are_open(&caller, self.clock.now()).await?)
    }
}

fn delivery(valid: &Valid) -> Option<Element<'_>> {
    valid.request()?.elements().find(|child| child.is(NAMESPACE, "FinansbilagLeverance"))
}

impl<S> Step<S> for RulesStep
where
    S: Service<Claimed, Response = Release, Error = Refusal> + Send + 'static,
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
        let trials = self.takes_test(&valid).await?;
        let small = valid.request().is_some_and(|request| request.source_range().len() <= SMALL);
        let work = move || {
            let judged = rules.judged(&valid, lists.as_deref(), trials);
            (valid, judged)
        };
        let (valid, judged) = match small {
            true => work(),
            // A month's vouchers take milliseconds, in which the runtime's thread would move nobody else's bytes.
            false => tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Internal)?,
        };
        call.finish("rules", started);
        let (head, verdict, says) = judged?;
        let agreed = valid.admitted().agreed();
        let modes = self.rules.of(valid.admitted().authenticated().caller().authority());
        let about = figures(&head, &verdict);
        call.note(|record| {
            if let Some(pass) = record.about.passthrough_mut() {
                record.about = AboutFinance { pass: pass.clone(), figures: about }.into();
            }
        });
        let started = call.start();
        let (valid, verdict, refused) = match verdict.refused() {
            None => (valid, verdict, None),
            Some(first) => {
                // What was answered before keeps its receipt, and what was passed on is asked for, whatever the rules say by now.
                let before = self.deliveries.before(valid, Some(says)).await;
                match before.inspect_err(|_| call.finish("deliveries", started))? {
                    Before::PassedOn(valid) => (*valid, verdict.clone().without_findings(), Some(verdict)),
                    Before::Answered(release) => {
                        call.finish("deliveries", started);
                        return Ok(repeated(&call, release));
                    }
                    Before::Nothing => {
                        call.finish("deliveries", started);
                        let body = receipt::refused(head.id, &verdict.findings, verdict.left_out)?;
                        return Ok(Release::refusal(agreed, first.rule.clone().into(), body));
                    }
                }
            }
        };
        let claim = self.deliveries.claim(valid, &items(&head, &verdict, says)).await;
        call.finish("deliveries", started);
        let (claimed, hold, known) = match claim {
            Ok(Claim::Answered(release)) => return Ok(repeated(&call, release)),
            Ok(Claim::Go { claimed, hold, known }) => (claimed, hold, known),
            Err(refusal) => return in_own_words(&call, agreed, head.id, refusal, None),
        };
        let earlier = of_earlier(&verdict.vouchers, known);
        let with_earlier = verdict.clone().with(modes, earlier.clone());
        let verdict = match refused {
            // Whoever had it when it was looked for has given it up, and passed nothing on.
            Some(refused) if !hold.is_again() => refused,
            // What may be booked is asked for although it corrects what nobody knows: that nothing was passed on would not be true. A voucher
            // that another delivery has was taken before anything of this one was passed on: passing it on would book it twice.
            _ if hold.is_again() && with_earlier.refused().is_some() => {
                verdict.with(modes, earlier.into_iter().filter(|(rule, _)| matches!(rule, Rule::FB031 { .. })))
            }
            _ => with_earlier,
        };
        if let Some(first) = verdict.refused() {
            self.deliveries.given_back(hold).await;
            note_findings(&call, &verdict);
            let body = receipt::refused(head.id, &verdict.findings, verdict.left_out)?;
            return Ok(Release::refusal(agreed, first.rule.clone().into(), body));
        }
        note_findings(&call, &verdict);
        let trace = hold.trace();
        let (delivery, answer, of_call) = (head.id, inner.call(*claimed), call.clone());
        let (service, concerns) = (self.deliveries.service, self.deliveries.concerns.clone());
        let whole = async move {
            // The steps behind go with the call, which may outlive its caller.
            let _inner = inner;
            passed_on(&of_call, &head, &verdict, answer.await?).inspect_err(|_| {
                let (what, receiver) = (What::AnswerRefused, Some(head.receiver));
                concerns.note(Concern { what, service, system: None, receiver });
            })
        };
        match self.deliveries.settled(hold, whole).await {
            Ok(release) => Ok(release),
            Err(refusal) => in_own_words(&call, agreed, delivery, refusal, trace.may_be_there()),
        }
    }
}

/// The ledger's receipt as it is to leave, and the vouchers that it accepts.
fn passed_on(call: &Call, head: &Head, verdict: &Verdict, answered: Release) -> Result<(Release, Vec<Uuid>), Refusal> {
    let mut said = None;
    let answered = answered.amended(|body| match receipt::passed_on(&body, verdict) {
        Some((amended, heard)) => {
            said = Some(heard);
            amended
        }
        None => body,
    });
    // What the ledger's contract lets it refuse by is a fault, which has no receipt.
    if answered.body().is_none() {
        return Ok((answered, Vec::new()));
    }
    let vouchers = verdict.vouchers.iter().map(|(voucher, _)| *voucher);
    let Some(said) = said.filter(|said| said.answers(head.id, vouchers)) else {
        tracing::error!("a ledger's receipt is for another delivery, or does not judge each of its vouchers and no other");
        return Err(ContractRefusal::AnswerViolated.into());
    };
    note_receipt(call, &said);
    count(call, said.audiences);
    Ok((answered, said.accepted))
}

/// The receipt of before.
fn repeated(call: &Call, release: Release) -> Release {
    if let Some(said) = release.body().and_then(receipt::read) {
        note_receipt(call, &said);
    }
    call.note(|record| {
        if let Some(about) = record.about.finance_mut() {
            about.figures.repeated = true;
        }
    });
    release
}

fn note_receipt(call: &Call, said: &Said) {
    call.note(|record| {
        if let Some(about) = record.about.finance_mut() {
            about.figures.receipt = Some(said.code.clone());
            (about.figures.accepted, about.figures.rejected) =
                (Some(said.accepted.len() as u64), Some(said.rejected.len() as u64));
        }
    });
}

fn note_findings(call: &Call, verdict: &Verdict) {
    let (findings, left_out) = (counted(verdict), verdict.left_out);
    call.note(|record| {
        if let Some(about) = record.about.finance_mut() {
            about.figures.audiences = audiences(verdict);
            (about.figures.findings, about.figures.findings_left_out) = (findings, left_out);
        }
    });
}

/// A refusal of what is behind the rules as a receipt, where the service has a code for it. `there`: whether the ledger may have the delivery, as
/// far as that is known.
fn in_own_words(call: &Call, agreed: Agreed, delivery: Uuid, refusal: Refusal, there: Option<bool>) -> Result<Release, Refusal> {
    match as_rule(&refusal, there) {
        Some(rule) => {
            count(call, [(receipt::audience(rule.entry().audience).to_owned(), 1)]);
            let body = receipt::refused_for(delivery, rule.clone())?;
            // The record names the cause, unless the code is the cause.
            let told = if matches!(rule, Rule::FB030 | Rule::FB032) { rule.into() } else { refusal };
            Ok(Release::refusal(agreed, told, body))
        }
        None => Err(refusal),
    }
}

/// The vouchers of a delivery, each of which is accepted once. A test books nothing.
fn items(head: &Head, verdict: &Verdict, says: [u8; 32]) -> Items {
    if head.trial {
        return Items { says: Some(says), ..Items::default() };
    }
    Items {
        receiver: Some(head.receiver),
        own: verdict.vouchers.iter().map(|(voucher, _)| *voucher).collect(),
        refers: verdict.vouchers.iter().filter_map(|(_, corrects)| *corrects).collect(),
        says: Some(says),
    }
}

/// What the memory of deliveries says of these vouchers.
fn of_earlier(vouchers: &[(Uuid, Option<Uuid>)], known: Known) -> Vec<(Rule, Uuid)> {
    let elsewhere: BTreeMap<Uuid, Earlier> = known.elsewhere.into_iter().collect();
    let mut found = Vec::new();
    for (voucher, corrects) in vouchers {
        if let Some(earlier) = elsewhere.get(voucher) {
            found.push((Rule::FB031 { voucher: *voucher, what: describe(earlier) }, *voucher));
        }
        if let Some(corrects) = corrects.filter(|corrects| known.unknown.contains(corrects)) {
            found.push((Rule::FB016 { voucher: *voucher, corrects }, *voucher));
        }
    }
    found
}

/// An earlier delivery in words: its receipt, as far as that is kept.
pub(super) fn describe(earlier: &Earlier) -> Detail {
    let Some(at) = earlier.accepted else {
        return Detail::new(
            "det er i en leverance, som bogføringssystemet ikke har svaret på endnu",
            "it is in a delivery that the ledger has not answered yet",
        );
    };
    let day = civil_day(at).map_or_else(|| at.to_string(), |day| day.to_string());
    let said = earlier.receipt.as_ref().and_then(|receipt| receipt::read(receipt));
    let said = said.filter(|said| said.code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
    match said.and_then(|said| Some((said.delivery.parse::<Uuid>().ok()?, said.code))) {
        Some((delivery, code)) => Detail::new(
            format!("bogført {day} med leverancen {delivery}, kvittering {code}"),
            format!("booked on {day} with delivery {delivery}, receipt {code}"),
        ),
        None => Detail::new(
            format!("bogført {day}; kvitteringen opbevares ikke længere"),
            format!("booked on {day}; the receipt is no longer kept"),
        ),
    }
}

/// Counts what a receipt tells by whom it is for.
fn count(call: &Call, told: impl IntoIterator<Item = (String, u64)>) {
    call.note(|record| {
        if let Some(about) = record.about.finance_mut() {
            for (audience, count) in told {
                *about.figures.audiences.entry(audience).or_default() += count;
            }
        }
    });
}

/// What the record says of a delivery.
pub(super) fn figures(head: &Head, verdict: &Verdict) -> FinanceFigures {
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
        findings: counted(verdict),
        audiences: audiences(verdict),
        repeated: false,
        findings_left_out: verdict.left_out,
        receipt: None,
        accepted: None,
        rejected: None,
    }
}

/// Whom the findings reported are for, counted.
fn audiences(verdict: &Verdict) -> BTreeMap<String, u64> {
    let mut audiences: BTreeMap<String, u64> = BTreeMap::new();
    for finding in &verdict.findings {
        *audiences.entry(receipt::audience(finding.rule.entry().audience).to_owned()).or_default() += 1;
    }
    audiences
}

/// How often each rule found something that is reported.
fn counted(verdict: &Verdict) -> BTreeMap<String, u64> {
    let mut findings: BTreeMap<String, u64> = BTreeMap::new();
    for finding in &verdict.findings {
        *findings.entry(finding.rule.code().to_owned()).or_default() += 1;
    }
    findings
}

/// What went wrong behind the rules as a code of the service's own, where it has one.
fn as_rule(refusal: &Refusal, there: Option<bool>) -> Option<Rule> {
    let none = |peer: &PeerName, otherwise| {
        let sent = match there.unwrap_or(otherwise) {
            true => Detail::new("det vides ikke, om bilagene er bogført", "it is not known whether the vouchers are booked"),
            false => Detail::new("leverancen er ikke sendt videre", "the delivery was not passed on"),
        };
        Some(Rule::FB090 { peer: peer.clone(), sent })
    };
    match refusal {
        Refusal::RouteNotFound { receiver, .. } => Some(Rule::FB001 {
            what: Detail::new(
                format!("der er ingen rute til bogføringssystemet hos {receiver}"),
                format!("there is no route to the ledger of {receiver}"),
            ),
        }),
        Refusal::FixedRouteNotFound { .. } => Some(Rule::FB001 {
            what: Detail::new("der er ingen rute til bogføringssystemet", "there is no route to the ledger"),
        }),
        Refusal::BackAgreementNotFound { .. } => Some(Rule::FB001 {
            what: Detail::new(
                "myndigheden har ikke godkendt serviceaftalen om bogføringssystemet",
                "the authority has not approved the agreement on the ledger",
            ),
        }),
        // Of the agreement behind: the sender's own was asked for in front of the rules.
        Refusal::ServiceAgreementNotActive { state } => Some(Rule::FB001 {
            what: Detail::new(
                format!("myndighedens serviceaftale om bogføringssystemet er ikke gældende ({})", state.da()),
                format!("the authority's agreement on the ledger is not in force ({})", state.en()),
            ),
        }),
        Refusal::ServiceAgreementOutgrown { .. } => Some(Rule::FB001 {
            what: Detail::new(
                "myndighedens serviceaftale om bogføringssystemet er godkendt, før servicen kom til at omfatte mere",
                "the authority's agreement on the ledger was approved before the service came to cover more",
            ),
        }),
        Refusal::PeerResting { peer, .. } | Refusal::PeerBusy { peer } => none(peer, false),
        Refusal::PeerUnavailable { peer }
        | Refusal::PeerTimeout { peer, .. }
        | Refusal::PeerFault { peer }
        | Refusal::PeerAnswerInvalid { peer }
        | Refusal::PeerSignatureInvalid { peer } => none(peer, true),
        Refusal::Service(entry) if entry.code == "DeliveryAltered" => Some(Rule::FB030),
        Refusal::Service(entry) if entry.code == "DeliveryUnderWay" => Some(Rule::FB032),
        Refusal::Service(entry) if ["DeliveryUnknown", "AnswerViolated", "ProviderAnswerTooLarge"].contains(&entry.code) => {
            none(&PeerName::UNNAMED, true)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: (&str, &str) = ("det vides ikke, om bilagene er bogført", "it is not known whether the vouchers are booked");
    const NOT_SENT: (&str, &str) = ("leverancen er ikke sendt videre", "the delivery was not passed on");

    /// The code, and whether the text says each of this.
    fn says(refusal: &Refusal, there: Option<bool>, words: (&str, &str)) -> Option<(&'static str, bool)> {
        let entry = as_rule(refusal, there)?.entry();
        Some((entry.code, entry.da.what.contains(words.0) && entry.en.what.contains(words.1)))
    }

    #[test]
    fn an_agreement_behind_that_is_not_there_does_not_hold_or_covers_less_is_told_as_the_authority_s_on_its_ledger() {
        let of_ledger = ("myndighed", "agreement on the ledger");
        for refusal in [
            Refusal::BACK_AGREEMENT_NOT_FOUND,
            Refusal::ServiceAgreementNotActive { state: Detail::name("ANMODET") },
            Refusal::ServiceAgreementNotActive { state: Detail::name("SUSPENDERET") },
            Refusal::ServiceAgreementNotActive { state: Detail::name("UDLØBET") },
            Refusal::ServiceAgreementOutgrown { what: Detail::name("operation") },
        ] {
            assert_eq!(says(&refusal, None, of_ledger), Some(("FB001", true)), "{refusal:?}");
        }
        let suspended = Refusal::ServiceAgreementNotActive { state: Detail::name("SUSPENDERET") };
        assert_eq!(says(&suspended, None, ("(SUSPENDERET)", "(SUSPENDERET)")), Some(("FB001", true)));
        // The sender's own agreement is another matter, and so is a store that does not answer.
        for refusal in [Refusal::ServiceAgreementNotFound, Refusal::AgreementsUnavailable] {
            assert_eq!(says(&refusal, None, of_ledger), None, "{refusal:?}");
        }
    }

    #[test]
    fn whether_a_delivery_reached_a_ledger_that_gave_no_answer_is_told_as_far_as_it_is_known() {
        let peer = || PeerName::UNNAMED;
        // What was sent may be there, unless it is known that it is not.
        for refusal in [
            Refusal::PeerTimeout { peer: peer(), seconds: 30 },
            Refusal::PeerUnavailable { peer: peer() },
            Refusal::PeerFault { peer: peer() },
            Refusal::PeerAnswerInvalid { peer: peer() },
            Refusal::PeerSignatureInvalid { peer: peer() },
            ContractRefusal::DeliveryUnknown.into(),
            ContractRefusal::AnswerViolated.into(),
        ] {
            for (there, words) in [(None, UNKNOWN), (Some(true), UNKNOWN), (Some(false), NOT_SENT)] {
                assert_eq!(says(&refusal, there, words), Some(("FB090", true)), "{refusal:?} {there:?}");
            }
        }
        // A ledger that is left alone, or has enough to do, was sent nothing now; an attempt before may be there.
        for refusal in [Refusal::PeerResting { peer: peer(), seconds: 5 }, Refusal::PeerBusy { peer: peer() }] {
            for (there, words) in [(None, NOT_SENT), (Some(true), UNKNOWN), (Some(false), NOT_SENT)] {
                assert_eq!(says(&refusal, there, words), Some(("FB090", true)), "{refusal:?} {there:?}");
            }
        }
    }
}
