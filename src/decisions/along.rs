//! What the notice on an agreement takes along, and gives back where the notice is taken back: agreements that depend on it, and routes.
//!
//! Each is written down with the end that it had and the one that it was given. Where a notice is taken back, the end of each is found anew
//! from what stands: its own, and the notices on what it goes with. Only where nobody has decided otherwise on it since.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use uuid::Uuid;

use super::agreement::{NOTICE_TAKEN_BACK, of_agreement, what};
use super::ending::day_after;
use super::ends::Ends;
use super::record::What;
use super::{Because, By, DecideError, closing, route, versions};
use crate::agreements::{
    Agreement, Change, Route, Side, State,
    route::store::{Decision, RouteError},
    store::{find, of_authority},
};
use crate::store::{Session, StoreError, sql};
use crate::users::{Actor, rights::Role};

const AGREEMENT: &str = "agreement";
const ROUTE: &str = "route";

async fn note(
    change: &mut Change,
    by: Uuid,
    (kind, thing): (&'static str, Uuid),
    (former, given): (Option<String>, String),
    at: Timestamp,
) -> Result<(), StoreError> {
    let noted =
        sql("INSERT INTO agreement_taken_along (id, agreement, kind, thing, former, given, taken_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(Uuid::now_v7())
            .bind(by)
            .bind(kind)
            .bind(thing)
            .bind(former.unwrap_or_default())
            .bind(given)
            .bind(at);
    change.connection().execute(noted).await.map(drop)
}

/// Notes that the notice on an agreement gave another its end.
pub(super) async fn note_agreement(
    change: &mut Change,
    by: Uuid,
    before: &Agreement,
    given: Timestamp,
    at: Timestamp,
) -> Result<(), StoreError> {
    let ends = (before.ends_at.map(|end| end.to_string()), given.to_string());
    note(change, by, (AGREEMENT, before.id), ends, at).await
}

/// Notes that it gave a route its end.
pub(super) async fn note_route(
    change: &mut Change,
    by: Uuid,
    before: &Route,
    given: Date,
    at: Timestamp,
) -> Result<(), StoreError> {
    let ends = (before.period.to().map(|end| end.to_string()), given.to_string());
    note(change, by, (ROUTE, before.id), ends, at).await
}

/// What the notice on one agreement did to a thing.
struct Taken {
    by: Uuid,
    former: String,
    given: String,
}

/// What notices on agreements did to a thing, of those that were not taken back, in the order in which they did it.
async fn taken(session: &mut Session, thing: Uuid) -> Result<Vec<Taken>, StoreError> {
    let query =
        sql("SELECT agreement, former, given FROM agreement_taken_along WHERE thing = $1 AND undone_at IS NULL ORDER BY id");
    let rows = session.all(query.bind(thing)).await?;
    rows.iter().map(|row| Ok(Taken { by: row.get("agreement")?, former: row.get("former")?, given: row.get("given")? })).collect()
}

/// What the notice on an agreement took along: agreements or routes.
async fn taken_by(change: &mut Change, by: Uuid, kind: &'static str) -> Result<BTreeSet<Uuid>, StoreError> {
    let query = sql("SELECT thing FROM agreement_taken_along WHERE agreement = $1 AND kind = $2 AND undone_at IS NULL");
    change.connection().all(query.bind(by).bind(kind)).await?.iter().map(|row| row.get("thing")).collect()
}

/// The end that a thing has by itself: the last that it had before a notice, and that no other of them had given it. Empty where it has none.
fn own(taken: &[Taken]) -> &str {
    let mut given = BTreeSet::from([""]);
    let mut own = "";
    for taken in taken {
        if !given.contains(taken.former.as_str()) {
            own = &taken.former;
        }
        given.insert(&taken.given);
    }
    own
}

/// Forgets what notices did to a thing: what of them stands is noted anew.
async fn forget(change: &mut Change, thing: Uuid, at: Timestamp) -> Result<(), StoreError> {
    let done = sql("UPDATE agreement_taken_along SET undone_at = $1 WHERE thing = $2 AND undone_at IS NULL");
    change.connection().execute(done.bind(at).bind(thing)).await.map(drop)
}

fn maybe<T: std::str::FromStr>(text: &str) -> Result<Option<T>, StoreError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| StoreError::Unreadable { column: "former, given" })
}

/// What a notice that was taken back gave back, and what it could not.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// The agreements that go on, or end later than by the notice, as they are now.
    pub(super) agreements: Vec<Agreement>,
    /// The routes that go on, or are closed later than by the notice, each with the day.
    pub(super) routes: Vec<(Uuid, Option<Date>)>,
    /// The requests that the notice took back: they are to be asked for anew.
    pub(super) withdrawn: Vec<Uuid>,
    /// What was decided on otherwise meanwhile, or ends by another notice, and stays as it is.
    pub(super) stay: Vec<Uuid>,
}

/// What a thing became.
enum Became<T> {
    /// It ends otherwise than by the notice, or not at all.
    Another(T),
    /// It stays as it is.
    Stays,
}

/// Takes back all that goes with a notice: what was to be closed is called off, and what was taken along has the end that it has by itself
/// and by the notices that stand, whichever was given first. `with`: whose notices are taken back with it ([`together`]).
pub(super) async fn undo(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    (agreement, with): (&Agreement, &[Agreement]),
    because: &Because,
) -> Result<Undone, DecideError> {
    let mut undone = Undone::default();
    for held in with {
        undone.agreements.push(goes_on_with(change, by, (actor, role), held, because).await?);
    }
    let back: BTreeSet<Uuid> = with.iter().map(|held| held.id).chain([agreement.id]).collect();
    let (mut direct, mut routes) = (BTreeSet::new(), BTreeSet::new());
    for id in &back {
        closing::put_off(change, *id, None, because.at).await?;
        direct.extend(taken_by(change, *id, AGREEMENT).await?);
        routes.extend(taken_by(change, *id, ROUTE).await?);
    }
    direct.retain(|thing| !back.contains(thing));
    let all_routes = routes.clone();
    let mut waiting = direct.clone();
    let mut seen: BTreeSet<Uuid> = direct.union(&back).copied().collect();
    // Each after those that it depends on.
    while let Some((thing, held, principals)) = next(change, &waiting, because.at).await? {
        waiting.remove(&thing);
        match again(change, by, (actor, role), &held, &principals, because).await? {
            Became::Another(back) => {
                undone.agreements.push(back);
                // What ends with it, by whichever notice.
                let more = taken_by(change, thing, AGREEMENT).await?;
                waiting.extend(more.into_iter().filter(|more| seen.insert(*more)));
                routes.extend(taken_by(change, thing, ROUTE).await?);
            }
            Became::Stays if held.state == State::Withdrawn => undone.withdrawn.push(thing),
            Became::Stays if direct.contains(&thing) => undone.stay.push(thing),
            Became::Stays => {}
        }
    }
    undone.stay.extend(waiting);
    for thing in routes {
        match carries_again(change, by, (actor, role), thing, because).await? {
            Became::Another(to) => undone.routes.push((thing, to)),
            Became::Stays if all_routes.contains(&thing) => undone.stay.push(thing),
            Became::Stays => {}
        }
    }
    for id in &back {
        let done = sql("UPDATE agreement_taken_along SET undone_at = $1 WHERE agreement = $2 AND undone_at IS NULL");
        change.connection().execute(done.bind(because.at).bind(*id)).await?;
    }
    Ok(undone)
}

/// An agreement that depends on none of those that wait, with what it depends on that ends. Where each of them depends on another, one of
/// those, with what ends any that it depends on: they go on together or not at all.
async fn next(
    change: &mut Change,
    waiting: &BTreeSet<Uuid>,
    at: Timestamp,
) -> Result<Option<(Uuid, Agreement, Vec<Principal>)>, StoreError> {
    let mut circle = None;
    for thing in waiting {
        let Some(held) = change.agreement(*thing).await? else { continue };
        let principals = ended_principals(change.connection(), &held, at).await?;
        if !principals.iter().any(|principal| waiting.contains(&principal.id)) {
            return Ok(Some((*thing, held, principals)));
        }
        circle.get_or_insert((*thing, held));
    }
    let Some((thing, held)) = circle else { return Ok(None) };
    let (mut way, mut seen, mut others) = (vec![held.clone()], BTreeSet::from([thing]), Vec::new());
    while let Some(one) = way.pop() {
        for principal in ended_principals(change.connection(), &one, at).await? {
            if !seen.insert(principal.id) {
                continue;
            }
            let inner = change.agreement(principal.id).await?.filter(|inner| waiting.contains(&inner.id));
            let Some(inner) = inner else {
                others.push(principal);
                continue;
            };
            let taken = taken(change.connection(), inner.id).await?;
            let by_notice = inner.ends_at.is_some_and(|end| taken.iter().any(|taken| taken.given == end.to_string()));
            match maybe(own(&taken))? {
                // Somebody decided on it otherwise since.
                _ if !by_notice || !inner.is_under_notice(at) => others.push(principal),
                Some(ends_at) => {
                    others.push(Principal { ends_at, ..principal });
                    way.push(inner);
                }
                None => way.push(inner),
            }
        }
    }
    Ok(Some((thing, held, others)))
}

/// What goes on with an agreement whose notice is taken back.
pub(super) enum Together {
    /// Where notice was given on it and not only on another that it goes with: those under notice that it depends on and that depend on it in
    /// turn, and end otherwise than by that very notice. None of the circle goes on without the others, so that their notices are taken back
    /// with it.
    With(Vec<Agreement>),
    /// It depends, directly or by others, on this one, which ends otherwise: it does not go on without it.
    Ends(Uuid),
}

/// What goes on with an agreement where the notice on it is taken back.
pub(super) async fn together(session: &mut Session, agreement: &Agreement, at: Timestamp) -> Result<Together, StoreError> {
    let (mut way, mut seen, mut with) = (vec![agreement.clone()], BTreeSet::from([agreement.id]), Vec::new());
    let gave = taken(session, agreement.id).await?;
    let by_another = |end: Timestamp| gave.iter().any(|one| one.given == end.to_string());
    let by_itself = !agreement.ends_at.is_some_and(by_another) || !own(&gave).is_empty();
    while let Some(one) = way.pop() {
        for principal in ended_principals(session, &one, at).await? {
            if !seen.insert(principal.id) {
                continue;
            }
            let held = find(session, principal.id).await?.filter(|held| held.is_under_notice(at));
            let Some(held) = held else { return Ok(Together::Ends(principal.id)) };
            let taken = taken(session, principal.id).await?;
            // The end that it has now is the one that this notice gave: nobody brought it forward since.
            let by_this = |end: Timestamp| taken.iter().any(|one| one.by == agreement.id && one.given == end.to_string());
            if !held.ends_at.is_some_and(by_this) || !own(&taken).is_empty() {
                if !by_itself || !depends_on(session, &held, agreement.id, at).await? {
                    return Ok(Together::Ends(principal.id));
                }
                with.push(held.clone());
            }
            way.push(held);
        }
    }
    Ok(Together::With(with))
}

/// Whether an agreement depends on another, directly or by others that end.
async fn depends_on(session: &mut Session, agreement: &Agreement, other: Uuid, at: Timestamp) -> Result<bool, StoreError> {
    let (mut way, mut seen) = (vec![agreement.clone()], BTreeSet::from([agreement.id]));
    while let Some(one) = way.pop() {
        for principal in ended_principals(session, &one, at).await? {
            if principal.id == other {
                return Ok(true);
            }
            if seen.insert(principal.id) {
                way.extend(find(session, principal.id).await?);
            }
        }
    }
    Ok(false)
}

/// That the notice on an agreement is taken back. By its states it would read as a notice that is given, where it stays suspended.
fn taken_back(held: &Agreement, to: State) -> What {
    let taken_back = what(held, Some(held.state), to);
    match to {
        State::Suspended => What { to: NOTICE_TAKEN_BACK.to_owned(), ..taken_back },
        _ => taken_back,
    }
}

/// Takes back the notice on an agreement that goes on with another whose notice is taken back. One that is suspended stays so.
async fn goes_on_with(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    held: &Agreement,
    because: &Because,
) -> Result<Agreement, DecideError> {
    let (name, reason, at) = (&actor.user().name, &because.reason, because.at);
    let to = if held.state == State::Suspended { State::Suspended } else { State::Approved };
    let back = match to {
        State::Suspended => change.notice_while_suspended(held, None, name, reason, at).await,
        _ => change.decide(held.id, Some(held), to, name, reason, at).await,
    };
    let (back, what) = (back.map_err(of_agreement)?, taken_back(held, to));
    change.made_by(Some((&by.also(actor, &what, because)?, role)), &what, because).await?;
    forget(change, held.id, at).await?;
    Ok(back)
}

/// Gives an agreement the end that it has by itself, or with what it depends on, where that ends sooner.
async fn again(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    held: &Agreement,
    principals: &[Principal],
    because: &Because,
) -> Result<Became<Agreement>, DecideError> {
    let (name, reason, at) = (&actor.user().name, &because.reason, because.at);
    let taken = taken(change.connection(), held.id).await?;
    let by_notice = |end: Timestamp| taken.iter().any(|taken| taken.given == end.to_string());
    let given = held.ends_at.filter(|end| held.is_under_notice(at) && by_notice(*end));
    if given.is_none() || principals.iter().any(|principal| principal.ends_at <= at) {
        return Ok(Became::Stays);
    }
    let own: Option<Timestamp> = maybe(own(&taken))?;
    let sooner = |principal: &&Principal| principal.is_within(held) && own.is_none_or(|own| principal.ends_at < own);
    let own_end = own.map(|end| held.valid_to.map_or(end, |to| end.min(to)));
    let ends_at = principals.iter().filter(sooner).map(|principal| principal.ends_at).chain(own_end).min();
    forget(change, held.id, at).await?;
    for principal in principals.iter().filter(sooner) {
        for noticed in principal.noticed() {
            let ends = (own.map(|end| end.to_string()), principal.ends_at.to_string());
            note(change, noticed, (AGREEMENT, held.id), ends, at).await?;
        }
    }
    if ends_at == given {
        return Ok(Became::Stays);
    }
    let (to, back) = match (held.state, ends_at) {
        (State::Suspended, end) => (State::Suspended, change.notice_while_suspended(held, end, name, reason, at).await),
        (_, Some(end)) => (State::Terminated, change.give_notice(held, end, name, reason, at).await),
        (_, None) => (State::Approved, change.decide(held.id, Some(held), State::Approved, name, reason, at).await),
    };
    let what = if ends_at.is_none() { taken_back(held, to) } else { what(held, Some(held.state), to) };
    let back = back.map_err(of_agreement)?;
    change.made_by(Some((&by.also(actor, &what, because)?, role)), &what, because).await?;
    closing::put_off(change, held.id, ends_at, at).await?;
    Ok(Became::Another(back))
}

/// Gives a route the end that it has by itself, or by the notices that stand on agreements that it carries for, where that comes sooner.
async fn carries_again(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    thing: Uuid,
    because: &Because,
) -> Result<Became<Option<Date>>, DecideError> {
    let at = because.at;
    let taken = taken(change.connection(), thing).await?;
    let Some(route) = change.route(thing).await? else { return Ok(Became::Stays) };
    let given = route.period.to().filter(|day| taken.iter().any(|taken| taken.given == day.to_string()));
    let Some(given) = given else { return Ok(Became::Stays) };
    let mut closes: BTreeMap<Uuid, Date> = closed_by(change, &route, at).await?;
    let (mut noticed, mut back) = (Vec::new(), Vec::new());
    for by in taken.iter().map(|taken| taken.by).collect::<BTreeSet<_>>() {
        match change.agreement(by).await? {
            Some(held) if held.is_under_notice(at) => noticed.push(held),
            Some(held) if held.goes_on(at) => back.push(held),
            _ => {}
        }
    }
    let mut given_on: Vec<(Uuid, Date)> = Vec::new();
    for taken in &taken {
        given_on.extend(maybe::<Date>(&taken.given)?.map(|day| (taken.by, day)));
    }
    // A notice closes it on its own day, also where another covers its calls since, and where it was brought forward since: of several that
    // close it together, on the last one's. Not where one of those goes on.
    for held in noticed.iter().filter(|held| !back.iter().any(|back| same_calls(back, held))) {
        let together: Vec<&Agreement> = noticed.iter().filter(|other| same_calls(other, held)).collect();
        let Some(day) = together.iter().filter_map(|one| one.ends_at.and_then(day_after)).max() else { continue };
        if given_on.iter().any(|(by, given)| *given >= day && together.iter().any(|one| one.id == *by)) {
            closes.insert(held.id, day);
        }
    }
    let own: Option<Date> = maybe(own(&taken))?;
    let to = closes.values().copied().chain(own).min();
    if to != Some(given) {
        let decision = Decision { by: actor.user().name.clone(), reason: because.reason.clone(), at };
        let Some(ends) = change.give_back_end(thing, given, to, &decision).await? else { return Ok(Became::Stays) };
        let what = route::ended(&ends, route::end(&route));
        change.made_by(Some((&by.also(actor, &what, because)?, role)), &what, because).await?;
    }
    forget(change, thing, at).await?;
    for (noticed, day) in closes.into_iter().filter(|(_, day)| own.is_none_or(|own| *day < own)) {
        let ends = (own.map(|end| end.to_string()), day.to_string());
        note(change, noticed, (ROUTE, thing), ends, at).await?;
    }
    Ok(if to == Some(given) { Became::Stays } else { Became::Another(to) })
}

/// Whether both are for the calls of one side of a service of one authority.
fn same_calls(one: &Agreement, other: &Agreement) -> bool {
    let calls = |held: &Agreement| (held.side, held.service, held.authority, held.environment.clone());
    calls(one) == calls(other)
}

/// The agreements by whose notices a route carries nothing any more, each with the day: that of the last of a side, where none of that side
/// goes on after it. If any of them goes on after all, the route does.
async fn closed_by(change: &mut Change, route: &Route, at: Timestamp) -> Result<BTreeMap<Uuid, Date>, StoreError> {
    let mut closes = BTreeMap::new();
    for (side, authority) in [(Side::Front, route.sender), (Side::Back, route.receiver)] {
        let Some(authority) = authority else { continue };
        let mut all = change.of_calls(side, route.service, authority, &route.environment).await?;
        all.retain(|held| held.goes_on(at));
        // One that has no end of notice goes on.
        if let Some(day) = Ends::default().last(&all).and_then(|(end, _)| day_after(end)) {
            closes.extend(all.iter().map(|held| (held.id, day)));
        }
    }
    Ok(closes)
}

/// An agreement that another depends on, and that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principal {
    pub(super) id: Uuid,
    /// The first instant at which it no longer holds.
    pub(super) ends_at: Timestamp,
    /// Its other versions that are under notice until then: if any of them goes on after all, so does what depends on it.
    versions: BTreeSet<Uuid>,
}

impl Principal {
    /// The agreements by whose notices it ends.
    fn noticed(&self) -> impl Iterator<Item = Uuid> {
        std::iter::once(self.id).chain(self.versions.iter().copied())
    }

    /// Whether it ends within the period of what depends on it: what is over by then ends by itself, and not by a notice.
    fn is_within(&self, depending: &Agreement) -> bool {
        depending.valid_to.is_none_or(|to| self.ends_at < to)
    }
}

/// Gives an agreement that was approved the end of what it depends on, where notice was given on that: they end together.
pub(super) async fn ends_with(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    approved: Agreement,
    principals: &[Principal],
    because: &Because,
) -> Result<Agreement, DecideError> {
    let within = || principals.iter().filter(|principal| principal.is_within(&approved));
    let Some(ends_at) = within().map(|principal| principal.ends_at).min() else { return Ok(approved) };
    let what = what(&approved, Some(approved.state), State::Terminated);
    let noticed = change.give_notice(&approved, ends_at, &actor.user().name, &because.reason, because.at).await;
    let noticed = noticed.map_err(of_agreement)?;
    change.made_by(Some((&by.also(actor, &what, because)?, role)), &what, because).await?;
    for principal in within() {
        for by in principal.noticed() {
            note_agreement(change, by, &approved, principal.ends_at, because.at).await?;
        }
    }
    Ok(noticed)
}

/// The agreements that this one depends on, and that are under notice or over since this one was decided on, with no other version that goes
/// on. None: it may go on. Of one that nobody has decided on, whenever they were over.
pub(super) async fn ended_principals(
    session: &mut Session,
    agreement: &Agreement,
    at: Timestamp,
) -> Result<Vec<Principal>, StoreError> {
    let Some(terms) = agreement.terms.clone().filter(|terms| !terms.depends_on.is_empty()) else { return Ok(Vec::new()) };
    let mut firsts = versions::First::default();
    let mut needed = Vec::new();
    for request in &terms.depends_on {
        needed.push(firsts.of(session, *request).await?);
    }
    let mut of = Vec::new();
    for line in of_authority(session, agreement.authority, &agreement.environment).await? {
        let Some(request) = line.terms.as_ref().map(|terms| terms.request) else { continue };
        let first = firsts.of(session, request).await?;
        if needed.contains(&first) {
            of.push((first, line));
        }
    }
    let since = agreement.decided_at.filter(|_| agreement.state != State::Requested).unwrap_or(Timestamp::MIN);
    let over_from = |line: &Agreement| line.over_from().filter(|end| *end >= since);
    // Another version goes on in its place, or went on for longer.
    let goes_on = |first: &Uuid, line: &Agreement| {
        let version = |(of, other): &(Uuid, Agreement)| {
            let holds = other.goes_on(at) && over_from(other).is_none();
            of == first && other.same_parties(line) && (holds || over_from(other) > over_from(line))
        };
        of.iter().any(version)
    };
    let ended = of.iter().filter(|(first, line)| !goes_on(first, line));
    let principal = |(first, line): &(Uuid, Agreement)| {
        let version = |(of, other): &&(Uuid, Agreement)| {
            of == first && other.id != line.id && other.same_parties(line) && other.is_under_notice(at)
        };
        let versions = of.iter().filter(version).map(|(_, other)| other.id).collect();
        Some(Principal { id: line.id, ends_at: over_from(line)?, versions })
    };
    Ok(ended.filter_map(principal).collect())
}

/// Whether a route could not be ended because of what it is by now, and not because the store did not do as asked.
pub(super) fn is_settled(error: &RouteError) -> bool {
    matches!(error, RouteError::AlreadyOver { .. } | RouteError::BeforeItBegins { .. } | RouteError::NoSuchRoute(_))
}
