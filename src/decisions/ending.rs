//! To end an agreement: from when, what ends with it, and what it closes. All of it is shown first, as one text.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::agreement::{Deciding, begin, of_agreement, what};
use super::closing::{self, Closing};
use super::{Because, By, DecideError, Kept, route, shown};
use crate::{
    agreements::{
        Agreement, AgreementError, Change, Route, Side, State, Store, page::Wanted, route::store::Decision, rules::Rules,
    },
    clock::{civil_day, copenhagen},
    notices::{Kind, Notice, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    store::{StoreError, value::to_microsecond},
};

/// An end of an agreement that is proposed, with all that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The agreement.
    pub agreement: Agreement,
    /// The first instant at which it no longer holds.
    pub ends_at: Timestamp,
    /// Whether it ends as it is decided, whenever that is.
    pub at_once: bool,
    /// The earliest that the service's terms allow.
    pub earliest: Timestamp,
    /// The agreements that depend on it, and end with it.
    pub with: Vec<Agreement>,
    /// The routes that carry nothing without them, and are closed.
    pub routes: Vec<Route>,
    /// What is closed of files.
    pub files: Closing,
}

impl Ending {
    /// What whoever decides is shown: where it ends at once and nothing with it, the agreement's own text alone.
    pub fn text(&self) -> String {
        let mut text = shown::text(&self.agreement);
        if self.at_once && self.with.is_empty() && self.routes.is_empty() && self.files == Closing::default() {
            return text;
        }
        let when = if self.at_once { "straks".to_owned() } else { self.ends_at.to_string() };
        let _ = writeln!(text, "ophører: {when}");
        for agreement in &self.with {
            let _ = writeln!(text, "ophører samtidig, serviceaftale: {}", agreement.id);
        }
        for route in &self.routes {
            let _ = writeln!(text, "lukkes, rute: {}", route.id);
        }
        for order in &self.files.orders {
            let _ = writeln!(text, "lukkes, ruteordre for filer: {order}");
        }
        for key in &self.files.keys {
            let _ = writeln!(text, "spærres, SFTP-nøgle: {} {}", key.name, key.fingerprint);
        }
        if !self.files.orders.is_empty() {
            let _ = writeln!(text, "slettes, filer, der ikke er hentet: {}", self.files.waiting);
            let _ = writeln!(text, "afvises tilbage til afsender: filer, der er undervejs efter ruteordrerne");
        }
        text
    }
}

pub(super) fn is_open(agreement: &Agreement) -> bool {
    matches!(agreement.state, State::Requested | State::Approved | State::Suspended)
}

/// What would end with an agreement. `at`: when it is to end; none: as early as it may.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn propose(
    store: &Store,
    agreement: &Agreement,
    at: Option<Timestamp>,
    rules: &Rules,
    now: Timestamp,
) -> Result<Ending, StoreError> {
    let now = to_microsecond(now);
    // Only what holds has a notice: what was suspended or not begun opens nothing that could be relied on.
    let bound = matches!(agreement.state, State::Approved | State::Terminated) && agreement.valid_from <= now;
    let earliest = if bound { to_microsecond(rules.of(agreement.service).earliest_end(agreement, now)) } else { now };
    // An end that was given notice of comes sooner, and never later.
    let earliest = agreement.ends_at.map_or(earliest, |end| earliest.min(end));
    let ends_at = at.map_or(earliest, to_microsecond);
    let wanted = Wanted { only_authority: Some(agreement.authority), limit: u32::MAX, ..Wanted::default() };
    let others = store.page(&wanted).await?;
    let with = depending(agreement, &others, ends_at);
    let ending: Vec<Uuid> = std::iter::once(agreement.id).chain(with.iter().map(|other| other.id)).collect();
    let mut routes = Vec::new();
    for ends in std::iter::once(agreement).chain(&with) {
        let stays = others.iter().any(|other| {
            !ending.contains(&other.id)
                && (is_open(other) || other.ends_at.is_some_and(|end| end > ends_at))
                && (other.service, other.side, &other.environment) == (ends.service, ends.side, &ends.environment)
                && other.valid_to.is_none_or(|to| to > ends_at)
        });
        if !stays && ends.state == State::Approved {
            routes.extend(carrying_for(store, ends, ends_at).await?);
        }
    }
    routes.sort_by_key(|route: &Route| route.id);
    routes.dedup_by_key(|route| route.id);
    let all: Vec<&Agreement> = std::iter::once(agreement).chain(&with).collect();
    let files = closing::propose(store, &all, rules, ends_at).await?;
    Ok(Ending { agreement: agreement.clone(), ends_at, at_once: ends_at == now, earliest, with, routes, files })
}

/// The agreements of the same authority that make no sense without it, and those that make none without them.
fn depending(agreement: &Agreement, others: &[Agreement], ends_at: Timestamp) -> Vec<Agreement> {
    let mut requests: Vec<Uuid> = agreement.terms.iter().map(|terms| terms.request).collect();
    let mut found: Vec<Agreement> = Vec::new();
    loop {
        let next = others.iter().find(|other| {
            other.id != agreement.id
                && other.environment == agreement.environment
                && (is_open(other) || other.ends_at.is_some_and(|end| end > ends_at))
                && !found.iter().any(|known| known.id == other.id)
                && other.terms.as_ref().is_some_and(|terms| terms.depends_on.iter().any(|request| requests.contains(request)))
        });
        let Some(next) = next else { break };
        requests.extend(next.terms.iter().map(|terms| terms.request));
        found.push(next.clone());
    }
    found.sort_by_key(|agreement| agreement.id);
    found
}

/// The day from which a route carries nothing: the first that begins at or after the end.
fn day_after(ends_at: Timestamp) -> Option<Date> {
    let day = civil_day(ends_at)?;
    let begins = day.to_zoned(copenhagen()?).ok()?.timestamp();
    if begins == ends_at { Some(day) } else { day.checked_add(1.day()).ok() }
}

async fn carrying_for(store: &Store, agreement: &Agreement, ends_at: Timestamp) -> Result<Vec<Route>, StoreError> {
    let Some(on) = day_after(ends_at) else { return Ok(Vec::new()) };
    let mut routes = store.routes().await?;
    routes.retain(|route| {
        let whose = match agreement.side {
            Side::Front => route.sender,
            Side::Back => route.receiver,
        };
        (route.service, &route.environment) == (agreement.service, &agreement.environment)
            && whose == Some(agreement.authority)
            && route.period.from() < on
            && route.period.to().is_none_or(|to| to > on)
    });
    Ok(routes)
}

/// Ends an agreement as it was proposed, and closes what goes with it: all or nothing.
///
/// # Errors
/// [`DecideError`]: a user who may not, an agreement that is another's or cannot end so, an end that is sooner than the terms allow,
/// what changed meanwhile.
pub async fn end(
    store: &Store,
    by: By<'_>,
    ending: &Ending,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, DecideError> {
    let text = ending.text();
    let Deciding { mut change, actor, role, what: decided, created, .. } =
        begin(store, by, &ending.agreement, State::Terminated, Some(&text), because).await?;
    if ending.agreement.state == State::Terminated && ending.agreement.ends_at.is_some_and(|end| end <= ending.ends_at) {
        let what = Detail::new(
            "aftalen er opsagt til et tidspunkt, der ikke er senere; en opsigelse kan kun fremrykkes",
            "notice was given of an end that is no later; it can only come sooner",
        );
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    if ending.ends_at < ending.earliest {
        return Err(ApiRefusal::ApiNoticeTooShort { earliest: ending.earliest.to_string() }.into());
    }
    let name = actor.user().name.clone();
    let ended = one(&mut change, &ending.agreement, ending.ends_at, &name, because).await.map_err(of_agreement)?;
    change.made_by(Some((&actor, role)), &decided, because).await?;
    for other in &ending.with {
        let to = if other.state == State::Requested { State::Withdrawn } else { State::Terminated };
        let what = what(other, Some(other.state), to);
        let with = match to {
            State::Withdrawn => change.decide(other.id, Some(other), to, &name, &because.reason, because.at).await,
            _ => one(&mut change, other, ending.ends_at, &name, because).await,
        };
        with.map_err(of_agreement)?;
        change.made_by(Some((&by.also(&actor, &what, because)?, role)), &what, because).await?;
    }
    if let (Some(on), false) = (day_after(ending.ends_at), ending.routes.is_empty()) {
        let decision = Decision { by: name, reason: because.reason.clone(), at: because.at };
        for route in &ending.routes {
            if change.route(route.id).await?.as_ref() != Some(route) {
                return Err(ApiRefusal::ApiPreconditionFailed.into());
            }
            let (closed, _) = change.end_route(route.id, on, &decision).await?;
            let what = route::ended(&closed, route::end(route));
            change.made_by(Some((&by.also(&actor, &what, because)?, role)), &what, because).await?;
        }
    }
    // What came since it was shown is not closed unseen, and what was closed since is not missed.
    let at = if ending.at_once { because.at } else { ending.ends_at };
    closing::note(&mut change, ending.agreement.id, &ending.files, at).await?;
    closing::close(&mut change, Some(ending.agreement.id), because.at, i64::MAX).await?;
    for agreement in std::iter::once(&ended).chain(&ending.with) {
        let audience = [created.audience(), Audience::Owners(agreement.authority, agreement.service)];
        let notice = Notice::of(Kind::Ended, agreement).at(ending.ends_at).because(&because.reason);
        change.tell(store.database(), &notice, &audience, because.at).await?;
    }
    Kept::keep(kept, &mut change, &ended).await?;
    change.commit().await?;
    Ok(ended)
}

/// At once, or by notice where it holds until then.
async fn one(
    change: &mut Change,
    agreement: &Agreement,
    ends_at: Timestamp,
    name: &str,
    because: &Because,
) -> Result<Agreement, AgreementError> {
    let later = matches!(agreement.state, State::Approved | State::Terminated) && ends_at > because.at;
    match later {
        true => change.give_notice(agreement, ends_at, name, &because.reason, because.at).await,
        false => change.decide(agreement.id, Some(agreement), State::Terminated, name, &because.reason, because.at).await,
    }
}
