//! What time alone does to agreements: they expire, and whoever waits or should act is told. Each node looks; what one has done the
//! others find done.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::agreement::{Creator, what};
use super::{Because, DecideError, closing, ending, shown};
use crate::{
    agreements::{
        Agreement, AgreementError, State, Store,
        basis::{self, Contract},
        rules::{Rule, Rules, TRIAL},
        system::SystemCertificate,
    },
    audit::Subject,
    notices::{Kind, Notice, audience::Audience},
    store::{Query, Session, StoreError, by_dialect, sql, value::to_microsecond},
};

/// Days after which a request that is not answered is told of again.
pub const REMINDED: [i64; 2] = [3, 7];
/// Days before its end at which an agreement is told of.
pub const AHEAD: [i64; 3] = [60, 30, 7];
/// The most that one look takes of each.
const BATCH: i64 = 200;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Agreements that expired, whose notice was over while they were suspended, or whose authority allows them on trial no longer.
    pub expired: usize,
    /// Notices that were given: requests that wait, and agreements about to expire.
    pub told: usize,
}

/// Does what is due at `now`. What goes wrong with one thing keeps no other from being done.
///
/// # Errors
/// [`DecideError`], the first: a store that does not answer, or holds what the model does not have; all that could be done is done.
pub async fn look(store: &Store, rules: &Rules, now: Timestamp) -> Result<Done, DecideError> {
    let now = to_microsecond(now);
    let mut tried = Tried::default();
    // What closes something comes before the notice of it.
    let mut expired = tried.of(expire(store, rules, now).await);
    expired += tried.of(end_noticed(store, now).await);
    expired += tried.of(end_trials(store, rules, now).await);
    tried.of(closing::look(store, rules, now, BATCH).await);
    tried.of(bind(store, rules, now).await);
    let mut told = tried.of(remind(store, now).await);
    told += tried.of(warn(store, now).await);
    told += tried.of(certificates(store, now).await);
    told += tried.of(outgrown(store, rules, now).await);
    tried.done(Done { expired, told })
}

/// What went wrong first, where all else is done nevertheless.
#[derive(Default)]
pub(super) struct Tried(Option<DecideError>);

impl Tried {
    pub(super) fn of<T: Default>(&mut self, result: Result<T, DecideError>) -> T {
        result.unwrap_or_else(|error| {
            self.0.get_or_insert(error);
            T::default()
        })
    }

    pub(super) fn done<T>(self, done: T) -> Result<T, DecideError> {
        self.0.map_or(Ok(done), Err)
    }
}

/// Keeps the contracts in force, and binds to what is in force whatever was approved before agreements were bound to anything.
async fn bind(store: &Store, rules: &Rules, now: Timestamp) -> Result<(), DecideError> {
    let mut tried = Tried::default();
    for (_, rule) in rules.all() {
        for contract in rule.contract.iter().chain(&rule.in_force) {
            tried.of(keep(store, contract, now).await);
        }
    }
    for (service, rule) in rules.all() {
        let Some(in_force) = rule.applied() else { continue };
        for agreement in tried.of(store.unbound(service, now, BATCH).await.map_err(DecideError::from)) {
            tried.of(bind_one(store, agreement, in_force).await);
        }
    }
    tried.done(())
}

async fn keep(store: &Store, contract: &Contract, now: Timestamp) -> Result<(), DecideError> {
    if store.keeps(&contract.digest).await? {
        return Ok(());
    }
    let mut change = store.change().await?;
    change.keep_basis(contract, now).await?;
    Ok(change.commit().await?)
}

async fn bind_one(store: &Store, id: Uuid, in_force: &str) -> Result<(), DecideError> {
    let mut change = store.change().await?;
    let Some(agreement) = change.agreement(id).await? else { return Ok(()) };
    let basis = agreement.basis().unwrap_or(in_force);
    change.bind_to(id, basis).await?;
    change.commit().await?;
    tracing::info!(agreement = %id, basis, "an agreement that was bound to nothing is bound to what is in force");
    Ok(())
}

/// Agreements whose service came to cover more than was approved: who signs is told what, and who asked that a new version is needed.
async fn outgrown(store: &Store, rules: &Rules, now: Timestamp) -> Result<usize, DecideError> {
    let (mut told, mut tried) = (0, Tried::default());
    for (service, rule) in rules.all() {
        let Some(digest) = &rule.basis else { continue };
        let mark = format!("outgrown {digest} ");
        let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let due = tried.of(store.bound_elsewhere(service, digest, &mark, now, BATCH).await.map_err(DecideError::from));
        for id in due {
            told += tried.of(outgrown_one(store, &rule, id, &mark, &mut known, now).await);
        }
    }
    tried.done(told)
}

/// `known`: by the basis what the service covers beyond it.
async fn outgrown_one(
    store: &Store,
    rule: &Rule,
    id: Uuid,
    mark: &str,
    known: &mut BTreeMap<String, Vec<String>>,
    now: Timestamp,
) -> Result<usize, DecideError> {
    let mut change = store.change().await?;
    let Some(agreement) = change.agreement(id).await? else { return Ok(0) };
    let Some(basis) = agreement.basis() else { return Ok(0) };
    if !known.contains_key(basis) {
        known.insert(basis.to_owned(), beyond(change.connection(), rule, basis).await?);
    }
    let differs = known.get(basis).cloned().unwrap_or_default();
    if !change.gives(&format!("{mark}{id}"), now).await? {
        return Ok(0);
    }
    let told = usize::from(!differs.is_empty());
    if !differs.is_empty() {
        let creator = Creator::of(&change.made_on(Subject::Agreement, id).await?);
        let audience = [Audience::Signatories(agreement.authority, agreement.service), creator.audience()];
        let notice = Notice::of(Kind::Outgrown, &agreement).at(now).differing(differs);
        change.notify(store.database(), &notice, &audience, now).await?;
    }
    change.commit().await?;
    Ok(told)
}

/// What the rules or the contract of a new version cover beyond those of the version before.
pub(super) async fn beyond_basis(
    session: &mut Session,
    rule: &Rule,
    before: &Agreement,
    after: &Agreement,
) -> Result<Vec<String>, DecideError> {
    match before.basis() {
        Some(basis) if after.basis() != Some(basis) => {
            // What it is bound to, which another contract may have taken the place of since it was asked for.
            let asked = match after.basis() {
                Some(asked) if rule.contract.as_ref().is_some_and(|contract| contract.digest != asked) => {
                    basis::meaning(session, asked).await?
                }
                _ => None,
            };
            match (asked, basis::meaning(session, basis).await?) {
                (Some(asked), Some(before)) => Ok(asked.beyond(&before, None)),
                _ => beyond(session, rule, basis).await,
            }
        }
        _ => Ok(Vec::new()),
    }
}

/// What a new version says otherwise than the one that holds, and what the rules or the contract that it is bound to cover beyond those
/// of that one, a line each: what whoever decides on it is shown. None of one that nobody is to decide on.
///
/// # Errors
/// [`DecideError`]: a store that does not answer.
pub async fn differs(store: &Store, rules: &Rules, agreement: &Agreement) -> Result<Vec<String>, DecideError> {
    let before = match agreement.terms.as_ref().and_then(|terms| terms.replaces) {
        Some(before) if agreement.state == State::Requested => before,
        _ => return Ok(Vec::new()),
    };
    let before = match store.get(before).await {
        Ok(before) => before,
        Err(AgreementError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(Vec::new()),
    };
    let more = beyond_basis(&mut store.database().session().await?, &rules.of(agreement.service), &before, agreement).await?;
    Ok([shown::differences(&before, agreement), more].concat())
}

/// What a service covers beyond what was approved, a line each.
async fn beyond(session: &mut Session, rule: &Rule, basis: &str) -> Result<Vec<String>, DecideError> {
    let not_kept = || vec!["+ ?".to_owned()];
    let Some(contract) = &rule.contract else { return Ok(rule.widened.get(basis).cloned().unwrap_or_else(not_kept)) };
    Ok(basis::meaning(session, basis).await?.map_or_else(not_kept, |before| contract.meaning.beyond(&before, None)))
}

async fn ids(store: &Store, query: Query) -> Result<Vec<Uuid>, StoreError> {
    store.database().all(query).await?.iter().map(|row| row.get("id")).collect()
}

/// OPSAGT for good: what was suspended under notice, where the notice is over. Suspended it opened nothing meanwhile.
async fn end_noticed(store: &Store, now: Timestamp) -> Result<usize, DecideError> {
    let due = sql("SELECT id FROM agreement WHERE ends_at <= $1 AND state = 'SUSPENDERET' ORDER BY ends_at LIMIT $2");
    let (mut ended, mut tried) = (0, Tried::default());
    for id in ids(store, due.bind(now).bind(BATCH)).await? {
        ended += usize::from(tried.of(end_one_noticed(store, id, now).await));
    }
    tried.done(ended)
}

/// False: another node was first.
async fn end_one_noticed(store: &Store, id: Uuid, now: Timestamp) -> Result<bool, DecideError> {
    let mut change = store.change().await?;
    let Some(agreement) = change.agreement(id).await? else { return Ok(false) };
    if agreement.state != State::Suspended || agreement.ends_at.is_none_or(|end| end > now) {
        return Ok(false);
    }
    let because = Because::new("opsigelsen er trådt i kraft".to_owned(), now);
    let what = what(&agreement, Some(agreement.state), State::Terminated);
    match change.decide(id, Some(&agreement), State::Terminated, "hjemmel", &because.reason, now).await {
        Ok(_) => {}
        Err(AgreementError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(false),
    }
    change.made_by(None, &what, &because).await?;
    change.commit().await?;
    Ok(true)
}

/// UDLØBET: whoever asks is told so from the very instant on ([`Agreement::standing`]); this writes it down, and ends what goes with it.
/// Also under a notice that is longer than the period: an earlier release gave such.
async fn expire(store: &Store, rules: &Rules, now: Timestamp) -> Result<usize, DecideError> {
    let due = sql("SELECT id FROM agreement WHERE valid_to <= $1
         AND (state IN ('GODKENDT', 'SUSPENDERET') OR (state = 'OPSAGT' AND ends_at > $1)) ORDER BY valid_to LIMIT $2");
    let is_due =
        |agreement: &Agreement| agreement.valid_to.is_some_and(|to| to <= now) && agreement.may_become(State::Expired, now);
    let because = Because::new("aftalens periode er slut".to_owned(), now);
    let (mut expired, mut tried) = (0, Tried::default());
    for id in ids(store, due.bind(now).bind(BATCH)).await? {
        expired += usize::from(tried.of(ending::by_itself(store, id, State::Expired, rules, is_due, &because).await));
    }
    tried.done(expired)
}

/// OPSAGT at once: what holds on trial where the authority allows that no longer. It was approved by nobody else.
async fn end_trials(store: &Store, rules: &Rules, now: Timestamp) -> Result<usize, DecideError> {
    let on_trial = sql("SELECT id, authority, environment FROM agreement WHERE service = $1 AND environment = $2
         AND (state IN ('GODKENDT', 'SUSPENDERET') OR (state = 'OPSAGT' AND ends_at > $3))
         AND id IN (SELECT subject_id FROM decision WHERE subject = 'agreement' AND from_state = 'ANMODET' AND to_state = 'GODKENDT'
             AND role <> 'signatory') ORDER BY id");
    let because = Because::new("myndigheden tillader ikke længere prøvetilslutning".to_owned(), now);
    let (mut ended, mut tried) = (0, Tried::default());
    // A service that this node does not have says nothing of whom it is allowed for.
    for (service, rule) in rules.all() {
        for row in store.database().all(on_trial.clone().bind(service).bind(TRIAL).bind(now)).await? {
            let allowed = rule.is_on_trial(row.parsed("authority")?, &row.parsed("environment")?);
            if !allowed {
                let is_due = |agreement: &Agreement| agreement.is_open(now);
                let id = row.get("id")?;
                ended += usize::from(tried.of(ending::by_itself(store, id, State::Terminated, rules, is_due, &because).await));
            }
        }
    }
    tried.done(ended)
}

/// Of several that are due, a notice is given of the one that counts, and the others are noted as given.
async fn notify_once(
    store: &Store,
    id: Uuid,
    marks: &[String],
    notice: impl FnOnce(&Agreement, Creator) -> Option<(Notice, Vec<Audience>)>,
    now: Timestamp,
) -> Result<usize, DecideError> {
    let mut change = store.change().await?;
    let Some(agreement) = change.agreement(id).await? else { return Ok(0) };
    let creator = Creator::of(&change.made_on(Subject::Agreement, id).await?);
    let Some((notice, audience)) = notice(&agreement, creator) else { return Ok(0) };
    let mut fresh = false;
    for (at, mark) in marks.iter().enumerate() {
        let new = change.gives(mark, now).await?;
        fresh = if at == 0 { new } else { fresh };
    }
    if fresh {
        change.notify(store.database(), &notice, &audience, now).await?;
    }
    change.commit().await?;
    Ok(usize::from(fresh))
}

/// Requests that wait: after three days, and after seven.
async fn remind(store: &Store, now: Timestamp) -> Result<usize, DecideError> {
    let (mut told, mut tried) = (0, Tried::default());
    for (nth, days) in REMINDED.iter().enumerate().rev() {
        let due = by_dialect(
            "SELECT id FROM agreement WHERE state = 'ANMODET'
                 AND id IN (SELECT agreement FROM agreement_decision WHERE from_state IS NULL AND at <= $1)
                 AND NOT EXISTS (SELECT 1 FROM notice_given WHERE mark = $2 || id) ORDER BY id LIMIT $3",
            "SELECT id FROM agreement WHERE state = 'ANMODET'
                 AND id IN (SELECT agreement FROM agreement_decision WHERE from_state IS NULL AND at <= $1)
                 AND NOT EXISTS (SELECT 1 FROM notice_given WHERE mark = $2 || id::text) ORDER BY id LIMIT $3",
        );
        let mark = |days: &i64| format!("reminder {days} ");
        let due = due.bind(now - SignedDuration::from_hours(24 * days)).bind(mark(days)).bind(BATCH);
        for id in ids(store, due).await? {
            let earlier = REMINDED.iter().take(nth).map(|days| format!("{}{id}", mark(days)));
            let marks: Vec<_> = std::iter::once(format!("{}{id}", mark(days))).chain(earlier).collect();
            let notice = |agreement: &Agreement, _: Creator| {
                let signatories = Audience::Signatories(agreement.authority, agreement.service);
                (agreement.state == State::Requested).then(|| (Notice::of(Kind::Reminder, agreement), vec![signatories]))
            };
            told += tried.of(notify_once(store, id, &marks, notice, now).await);
        }
    }
    tried.done(told)
}

/// Agreements about to expire: sixty days before, thirty, and seven.
async fn warn(store: &Store, now: Timestamp) -> Result<usize, DecideError> {
    let (mut told, mut tried) = (0, Tried::default());
    for (nth, days) in AHEAD.iter().enumerate().rev() {
        let due = by_dialect(
            "SELECT id FROM agreement WHERE valid_to > $1 AND valid_to <= $2 AND state = 'GODKENDT'
                 AND NOT EXISTS (SELECT 1 FROM notice_given WHERE mark = $3 || id) ORDER BY id LIMIT $4",
            "SELECT id FROM agreement WHERE valid_to > $1 AND valid_to <= $2 AND state = 'GODKENDT'
                 AND NOT EXISTS (SELECT 1 FROM notice_given WHERE mark = $3 || id::text) ORDER BY id LIMIT $4",
        );
        let mark = |days: &i64| format!("expiring {days} ");
        let due = due.bind(now).bind(now + SignedDuration::from_hours(24 * days)).bind(mark(days)).bind(BATCH);
        for id in ids(store, due).await? {
            let earlier = AHEAD.iter().take(nth).map(|days| format!("{}{id}", mark(days)));
            let marks: Vec<_> = std::iter::once(format!("{}{id}", mark(days))).chain(earlier).collect();
            let notice = |agreement: &Agreement, creator: Creator| {
                let owners = Audience::Owners(agreement.authority, agreement.service);
                let to = agreement.valid_to.filter(|_| agreement.state == State::Approved)?;
                Some((Notice::of(Kind::Expiring, agreement).at(to), vec![creator.audience(), owners]))
            };
            told += tried.of(notify_once(store, id, &marks, notice, now).await);
        }
    }
    tried.done(told)
}

/// Certificates of systems about to expire: the same days before.
async fn certificates(store: &Store, now: Timestamp) -> Result<usize, DecideError> {
    let longest = AHEAD.iter().copied().max().unwrap_or_default();
    let ends = now + SignedDuration::from_hours(24 * longest);
    let (mut told, mut tried) = (0, Tried::default());
    for (id, certificate) in store.certificates_ending(now, ends, MOST_CERTIFICATES).await? {
        told += usize::from(tried.of(notify_of_certificate(store, id, &certificate, now).await));
    }
    tried.done(told)
}

async fn notify_of_certificate(
    store: &Store,
    id: Uuid,
    certificate: &SystemCertificate,
    now: Timestamp,
) -> Result<bool, DecideError> {
    let left = certificate.not_after.duration_since(now);
    let due: Vec<_> = AHEAD.iter().rev().filter(|days| left <= SignedDuration::from_hours(24 * **days)).collect();
    let Some(nearest) = due.first() else { return Ok(false) };
    let mark = |days: &i64| format!("certificate {days} {}", certificate.thumbprint);
    // Looked at first, without the write lock: most of the time it was given.
    if store.was_given(&mark(nearest)).await? {
        return Ok(false);
    }
    let mut change = store.change().await?;
    if !change.gives(&mark(nearest), now).await? {
        return Ok(false);
    }
    for days in due.iter().skip(1) {
        change.gives(&mark(days), now).await?;
    }
    let Some(system) = change.system(id).await? else { return Ok(false) };
    let notice = Notice {
        kind: Kind::CertificateExpiring,
        name: system.name.clone(),
        page: format!("/systems/{id}"),
        authority: None,
        service: None,
        system: Some(id),
        environment: None,
        at: Some(certificate.not_after),
        reason: None,
        differs: Vec::new(),
        english: None,
        by: None,
    };
    let audience = [Audience::Holders(system.party), Audience::Operators];
    change.notify(store.database(), &notice, &audience, now).await?;
    change.commit().await?;
    Ok(true)
}

/// The most certificates that one look goes through.
const MOST_CERTIFICATES: u32 = 10_000;
