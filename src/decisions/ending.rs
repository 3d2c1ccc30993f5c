//! To end an agreement: from when, what ends with it, and what it closes. All of it is shown first, as one text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::agreement::{Creator, Deciding, begin, of_agreement, what};
use super::closing::{self, Closing, Kinds};
use super::{Because, By, DecideError, Kept, along, route, shown, versions};
use crate::{
    agreements::{
        Agreement, AgreementError, Change, Route, Side, State, Store, page::Wanted, route::store::Decision, rules::Rules,
    },
    audit::Subject,
    clock::{civil_day, copenhagen},
    notices::{Kind, Notice, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    store::{StoreError, until_it_holds, value::to_microsecond},
    users::{Actor, rights::Role},
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
    kinds: Kinds,
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

/// What would end with an agreement. `at`: when it is to end; none: as early as it may. It ends with its period at the latest, whatever is
/// asked for.
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
    // What held is bound, also while it is suspended; what never began opens nothing that could be relied on.
    let earliest = match versions::began(store, agreement, now).await? {
        Some(began) => to_microsecond(rules.of(agreement.service).earliest_end(began, now)),
        None => now,
    };
    // An end that was given notice of comes sooner, and never later; nor does any notice lengthen the period.
    let period = agreement.valid_to.map(|to| to.max(now));
    let earliest = [agreement.ends_at, period].into_iter().flatten().fold(earliest, Timestamp::min);
    let ends_at = at.map_or(earliest, to_microsecond);
    let ends_at = period.map_or(ends_at, |to| ends_at.min(to));
    proposed(store, agreement, rules, (ends_at, earliest), now).await
}

async fn proposed(
    store: &Store,
    agreement: &Agreement,
    rules: &Rules,
    (ends_at, earliest): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Ending, StoreError> {
    let wanted = Wanted { only_authority: Some(agreement.authority), limit: u32::MAX, ..Wanted::default() };
    let others = store.page(&wanted).await?;
    let with = depending(store, agreement, &others, ends_at).await?;
    // What was only asked for opens nothing, so that there is nothing to close of it.
    let all: Vec<&Agreement> =
        std::iter::once(agreement).chain(with.iter().filter(|other| other.state != State::Requested)).collect();
    let mut routes = Vec::new();
    for ends in &all {
        let stays = others.iter().any(|other| {
            !all.iter().any(|ends| ends.id == other.id)
                && other.goes_on(ends_at)
                && (other.service, other.side, &other.environment) == (ends.service, ends.side, &ends.environment)
        });
        if !stays {
            routes.extend(carrying_for(store, ends, ends_at).await?);
        }
    }
    routes.sort_by_key(|route: &Route| route.id);
    routes.dedup_by_key(|route| route.id);
    let kinds = Kinds::of(rules);
    let files = closing::propose(store, &all, &others, &kinds, ends_at).await?;
    Ok(Ending { agreement: agreement.clone(), ends_at, at_once: ends_at == now, earliest, with, routes, files, kinds })
}

/// The agreements of the same authority that make no sense without it, and those that make none without them. A new version is what the
/// first was: of either the request that began it counts. Where another version goes on in its place, nothing ends with it.
async fn depending(
    store: &Store,
    agreement: &Agreement,
    others: &[Agreement],
    ends_at: Timestamp,
) -> Result<Vec<Agreement>, StoreError> {
    let Some(own) = agreement.terms.as_ref().map(|terms| terms.request) else { return Ok(Vec::new()) };
    let open = |other: &&Agreement| {
        other.id != agreement.id
            && other.environment == agreement.environment
            && (other.state == State::Requested || other.goes_on(ends_at))
    };
    let candidates: Vec<&Agreement> = others.iter().filter(open).collect();
    if candidates.iter().all(|other| other.terms.as_ref().is_none_or(|terms| terms.depends_on.is_empty())) {
        return Ok(Vec::new());
    }
    let mut session = store.database().session().await?;
    let mut firsts = versions::First::default();
    let first = firsts.of(&mut session, own).await?;
    // Of each the request that began it, and those that it depends on.
    let mut known = Vec::new();
    for other in candidates {
        let Some(terms) = &other.terms else { continue };
        let of = firsts.of(&mut session, terms.request).await?;
        let mut needs = Vec::new();
        for request in &terms.depends_on {
            needs.push(firsts.of(&mut session, *request).await?);
        }
        known.push((other, of, needs));
    }
    if known.iter().any(|(other, of, _)| *of == first && other.same_parties(agreement) && other.goes_on(ends_at)) {
        return Ok(Vec::new());
    }
    let mut ending = vec![first];
    let mut found: Vec<Agreement> = Vec::new();
    while let Some(next) = known.iter().position(|(.., needs)| needs.iter().any(|request| ending.contains(request))) {
        let (other, of, _) = known.swap_remove(next);
        ending.push(of);
        found.push(other.clone());
    }
    found.sort_by_key(|agreement| agreement.id);
    Ok(found)
}

/// The day from which a route carries nothing: the first that begins at or after the end.
pub(super) fn day_after(ends_at: Timestamp) -> Option<Date> {
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
    until_it_holds(async || end_once(store, by, ending, because, kept).await).await
}

async fn end_once(
    store: &Store,
    by: By<'_>,
    ending: &Ending,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, DecideError> {
    let text = ending.text();
    let to = ending.state_of(&ending.agreement, because.at);
    let Deciding { mut change, actor, role, what: decided, created, .. } =
        begin(store, by, &ending.agreement, (State::Terminated, to), Some(&text), because).await?;
    if ending.agreement.ends_at.is_some_and(|end| end <= ending.ends_at) {
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
    take_along(&mut change, ending, &name, Some((by, &actor, role)), because).await?;
    for agreement in std::iter::once(&ended).chain(&ending.with) {
        let audience = [created.audience(), Audience::Owners(agreement.authority, agreement.service)];
        // A request is taken back at once.
        let ends_at = if agreement.state == State::Requested { because.at } else { ending.ends_at };
        let notice = Notice::of(Kind::Ended, agreement).at(ends_at).because(&because.reason);
        change.tell(store.database(), &notice, &audience, because.at).await?;
    }
    Kept::keep(kept, &mut change, &ended).await?;
    change.commit().await?;
    Ok(ended)
}

impl Ending {
    /// What an agreement is once it is decided: suspended it stays until the notice is over.
    fn state_of(&self, agreement: &Agreement, at: Timestamp) -> State {
        match agreement.state {
            State::Requested => State::Withdrawn,
            State::Suspended if self.ends_at > at => State::Suspended,
            _ => State::Terminated,
        }
    }
}

/// Ends what ends with an agreement, and closes what goes with them. `by`: who decides; none: nobody, by time.
async fn take_along(
    change: &mut Change,
    ending: &Ending,
    name: &str,
    by: Option<(By<'_>, &Actor, Role)>,
    because: &Because,
) -> Result<(), DecideError> {
    let noticed = ending.ends_at > because.at;
    // Where nobody decides, a request still has its signatory to answer it, and what is over by now needs no end: it would never have one.
    for other in ending.with.iter().filter(|other| by.is_some() || other.is_open(because.at)) {
        let to = ending.state_of(other, because.at);
        let what = what(other, Some(other.state), to);
        let with = match to {
            State::Withdrawn => change.decide(other.id, Some(other), to, name, &because.reason, because.at).await,
            _ => one(change, other, ending.ends_at, name, because).await,
        };
        with.map_err(of_agreement)?;
        made(change, by, &what, because).await?;
        if noticed {
            along::note_agreement(change, ending.agreement.id, other, ending.ends_at, because.at).await?;
        }
    }
    let today = civil_day(because.at);
    if let Some(on) = day_after(ending.ends_at).max(today) {
        let decision = Decision { by: name.to_owned(), reason: because.reason.clone(), at: because.at };
        for route in &ending.routes {
            if change.route(route.id).await?.as_ref() != Some(route) {
                return Err(ApiRefusal::ApiPreconditionFailed.into());
            }
            let closed = match change.end_route(route.id, on, &decision).await {
                Ok((closed, _)) => closed,
                // Time does not wait for a person to look at it.
                Err(error) if by.is_none() && along::is_settled(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            made(change, by, &route::ended(&closed, route::end(route)), because).await?;
            if noticed {
                along::note_route(change, ending.agreement.id, route, on, because.at).await?;
            }
        }
    }
    // What came since it was shown is not closed unseen, and what was closed since is not missed.
    let at = if ending.at_once { because.at } else { ending.ends_at };
    closing::note(change, &ending.files, at).await?;
    let all: BTreeSet<Uuid> = std::iter::once(&ending.agreement).chain(&ending.with).map(|agreement| agreement.id).collect();
    closing::close(change, Some(&all), &ending.kinds, because.at, i64::MAX).await?;
    Ok(())
}

async fn made(
    change: &mut Change,
    by: Option<(By<'_>, &Actor, Role)>,
    what: &super::record::What,
    because: &Because,
) -> Result<(), DecideError> {
    match by {
        Some((by, actor, role)) => change.made_by(Some((&by.also(actor, what, because)?, role)), what, because).await?,
        None => change.made_by(None, what, because).await?,
    };
    Ok(())
}

/// Ends an agreement by itself, with what goes with it: as UDLØBET at the end of its period, or as OPSAGT at once. False: another node was
/// first, or something of it changed meanwhile; then the next look finds it.
pub(super) async fn by_itself(
    store: &Store,
    id: Uuid,
    to: State,
    rules: &Rules,
    is_due: impl Fn(&Agreement) -> bool,
    because: &Because,
) -> Result<bool, DecideError> {
    let agreement = match store.get(id).await {
        Ok(agreement) if is_due(&agreement) => agreement,
        Ok(_) | Err(AgreementError::NoSuchAgreement(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let ends_at = if to == State::Expired { agreement.valid_to.unwrap_or(because.at) } else { because.at };
    let ending = proposed(store, &agreement, rules, (ends_at, ends_at), because.at).await?;
    let mut change = store.change().await?;
    let what = what(&agreement, Some(agreement.state), to);
    match change.decide(id, Some(&agreement), to, BY_ITSELF, &because.reason, because.at).await {
        Ok(_) => {}
        Err(AgreementError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(false),
    }
    change.made_by(None, &what, because).await?;
    match take_along(&mut change, &ending, BY_ITSELF, None, because).await {
        Ok(()) => {}
        Err(DecideError::Store(error)) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(agreement = %id, error = %error, "what ends with an agreement changed while it ended; tried again");
            return Ok(false);
        }
    }
    // Of its own period it was told beforehand.
    let told = (to != State::Expired).then_some(&agreement);
    for agreement in told.into_iter().chain(ending.with.iter().filter(|other| other.is_open(because.at))) {
        let creator = Creator::of(&change.made_on(Subject::Agreement, agreement.id).await?);
        let audience = [creator.audience(), Audience::Owners(agreement.authority, agreement.service)];
        let notice = Notice::of(Kind::Ended, agreement).at(because.at).because(&because.reason);
        change.tell(store.database(), &notice, &audience, because.at).await?;
    }
    change.commit().await?;
    Ok(true)
}

/// As whoever decides it is named where nobody does.
const BY_ITSELF: &str = "hjemmel";

/// At once, or by notice where it holds until then.
async fn one(
    change: &mut Change,
    agreement: &Agreement,
    ends_at: Timestamp,
    name: &str,
    because: &Because,
) -> Result<Agreement, AgreementError> {
    match ends_at > because.at {
        true => change.give_notice(agreement, ends_at, name, &because.reason, because.at).await,
        false => change.decide(agreement.id, Some(agreement), State::Terminated, name, &because.reason, because.at).await,
    }
}
