//! To end an agreement: from when, what ends with it, and what it closes. All of it is shown first, as one text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::agreement::{Creator, Deciding, begin, of_agreement, what};
use super::along::Principal;
use super::closing::{self, Closing, Kinds};
pub use super::ends::Taken;
use super::ends::{Ends, Given};
use super::{Because, By, DecideError, Kept, along, route, shown, versions};
use crate::{
    agreements::{
        Agreement, AgreementError, Change, Route, Side, State, Store,
        route::store::{Decision, routes_in},
        rules::Rules,
        store::of_authority,
    },
    audit::Subject,
    clock::{civil_day, copenhagen},
    notices::{Kind, Notice, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    store::{Session, StoreError, until_it_holds, value::to_microsecond},
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
    /// The agreements that depend on it, and end with it or with the last version of it.
    pub with: Vec<Taken<Agreement>>,
    /// The routes that carry nothing without them, and are closed.
    pub routes: Vec<Taken<Route>>,
    /// What is closed of files.
    pub files: Closing,
    kinds: Kinds,
}

impl Ending {
    /// What whoever decides is shown: where it ends at once and nothing with it, the agreement's own text alone.
    pub fn text(&self) -> String {
        let mut text = shown::text(&self.agreement);
        let lines = self.lines();
        if self.at_once && lines.is_empty() {
            return text;
        }
        let when = if self.at_once { "straks".to_owned() } else { self.ends_at.to_string() };
        for line in std::iter::once(format!("ophører: {when}")).chain(lines) {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// What ends and is closed with it, a line each. Of what lasts longer, because something else goes on until then, the line says when and
    /// with what.
    pub(super) fn lines(&self) -> Vec<String> {
        let later = |ends_at: Timestamp, until: Uuid| {
            if ends_at > self.ends_at { format!(" {ends_at}, når {until} ophører") } else { String::new() }
        };
        let mut lines = Vec::new();
        for Taken { thing, ends_at, until, .. } in &self.with {
            let later = later(*ends_at, *until);
            let when = if later.is_empty() { " samtidig" } else { &later };
            lines.push(format!("ophører{when}, serviceaftale: {}", thing.id));
        }
        for Taken { thing, ends_at, until, .. } in &self.routes {
            lines.push(format!("lukkes{}, rute: {}", later(*ends_at, *until), thing.id));
        }
        let closes = |thing: &Uuid| self.files.when(*thing).map_or_else(String::new, |(at, until)| later(at, until));
        for order in &self.files.orders {
            lines.push(format!("lukkes{}, ruteordre for filer: {order}", closes(order)));
        }
        for key in &self.files.keys {
            lines.push(format!("spærres{}, SFTP-nøgle: {} {}", closes(&key.user), key.name, key.fingerprint));
        }
        if !self.files.orders.is_empty() {
            // Not how many: each file that comes would make another text of it.
            lines.push("slettes: filer efter ruteordrerne, der ikke er hentet".to_owned());
            lines.push("afvises tilbage til afsender: filer, der er undervejs efter ruteordrerne".to_owned());
        }
        lines
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
    let mut session = store.database().session().await?;
    proposed(&mut session, agreement, None, &Kinds::of(rules), (ends_at, earliest), now).await
}

/// What would end with an agreement that is approved during the notice of what it depends on: it has that end from the first, and what
/// depends on it in turn goes with it as with any end. None: it has no end but its own.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub(super) async fn of_approval(
    session: &mut Session,
    agreement: &Agreement,
    principals: &[Principal],
    kinds: &Kinds,
    now: Timestamp,
) -> Result<Option<Ending>, StoreError> {
    let ends_at = principals.iter().map(|principal| principal.ends_at).min();
    let Some(ends_at) = ends_at.filter(|end| *end > now && agreement.valid_to.is_none_or(|to| to > *end)) else {
        return Ok(None);
    };
    // Those that it takes the place of keep nothing from then on.
    let replaced = versions::others(session, agreement, now).await?;
    proposed(session, agreement, Some(&replaced), kinds, (ends_at, ends_at), now).await.map(Some)
}

/// `replaced`: of one that is approved, the versions that it takes the place of where it begins.
async fn proposed(
    session: &mut Session,
    agreement: &Agreement,
    replaced: Option<&[Agreement]>,
    kinds: &Kinds,
    (ends_at, earliest): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Ending, StoreError> {
    let others = of_authority(session, agreement.authority, &agreement.environment).await?;
    let mut ends = Ends::default();
    let begins = agreement.valid_from.max(now);
    for (id, at) in replaced.into_iter().flatten().map(|held| (held.id, begins)).chain([(agreement.id, ends_at)]) {
        ends.0.insert(id, Given { at, until: agreement.id, by: BTreeSet::from([agreement.id]) });
    }
    // One whose own notice is over before that counts too: if it goes on after all, so does what ends with the last of them.
    let open = |other: &Agreement| other.goes_on(ends_at) || other.is_under_notice(now);
    let with = depending(session, agreement, replaced, &others, &mut ends, open).await?;
    // What was only asked for opens nothing, so that there is nothing to close of it.
    let approved = with.iter().map(|taken| &taken.thing).filter(|other| other.state != State::Requested);
    let all: Vec<&Agreement> = std::iter::once(agreement).chain(approved).collect();
    let is_ending = |other: &Agreement| all.iter().any(|ends| ends.id == other.id);
    let going_on: Vec<&Agreement> =
        all.iter().copied().chain(others.iter().filter(|other| !is_ending(other) && open(other))).collect();
    let mut routes: Vec<Taken<Route>> = Vec::new();
    for one in &all {
        let alike = |other: &&&Agreement| (other.service, other.side) == (one.service, one.side);
        let alike: Vec<&Agreement> = going_on.iter().filter(alike).copied().collect();
        let Some((closes_at, until)) = ends.last(alike.iter().copied()) else { continue };
        // Also by each of them: one that goes on after all has its calls carried.
        let by: BTreeSet<Uuid> = alike.iter().map(|other| other.id).chain(ends.by(alike.iter().copied())).collect();
        for route in carrying_for(session, one, closes_at).await? {
            routes.push(Taken { thing: route, ends_at: closes_at, until, by: by.clone() });
        }
    }
    routes.sort_by_key(|taken| (taken.thing.id, taken.ends_at));
    routes.dedup_by_key(|taken| taken.thing.id);
    let files = closing::propose(session, &all, &going_on, kinds, &ends, ends_at).await?;
    let (agreement, kinds, at_once) = (agreement.clone(), kinds.clone(), ends_at == now);
    Ok(Ending { agreement, ends_at, at_once, earliest, with, routes, files, kinds })
}

/// A line with the request that began it, and those that it depends on.
struct Known<'a> {
    line: &'a Agreement,
    first: Uuid,
    needs: Vec<Uuid>,
}

impl Known<'_> {
    /// The end that it has by what it depends on, where that is sooner than the one that it has. Where another version of that goes on in its
    /// place, it has none; where the other is under notice, that one's.
    fn sooner(&self, known: &[Known<'_>], ends: &Ends) -> Option<Given> {
        let needed = |other: &&Known<'_>| self.needs.contains(&other.first) && ends.0.contains_key(&other.line.id);
        let given = known.iter().filter(needed).filter_map(|ended| {
            let version = |other: &&Known<'_>| other.first == ended.first && other.line.same_parties(ended.line);
            // One that waits for its answer keeps nothing, but for the one that is approved by this.
            let holds = |other: &&Known<'_>| other.line.state != State::Requested || ends.0.contains_key(&other.line.id);
            let versions: Vec<&Agreement> = known.iter().filter(version).filter(holds).map(|other| other.line).collect();
            let (at, until) = ends.last(versions.iter().copied())?;
            Some(Given { at, until, by: ends.by(versions.iter().copied()) })
        });
        let soonest = given.min_by_key(|given| (given.at, given.until))?;
        let has = match self.line.state {
            State::Requested => ends.0.get(&self.line.id).map(|given| given.at),
            _ => ends.of(self.line),
        };
        // One whose period is over by then ends by itself.
        let over = self.line.valid_to.is_some_and(|to| to <= soonest.at);
        (!over && has.is_none_or(|has| soonest.at < has)).then_some(soonest)
    }
}

/// The agreements of the same authority that make no sense without it, and those that make none without them. A new version is what the
/// first was: of either the request that began it counts. Where another version goes on in its place, nothing ends with it before that does.
async fn depending(
    session: &mut Session,
    agreement: &Agreement,
    replaced: Option<&[Agreement]>,
    others: &[Agreement],
    ends: &mut Ends,
    open: impl Fn(&Agreement) -> bool,
) -> Result<Vec<Taken<Agreement>>, StoreError> {
    let Some(own) = agreement.terms.as_ref().map(|terms| terms.request) else { return Ok(Vec::new()) };
    // Where one is approved, a request that depends on it waits on: it has that end when it is approved in turn.
    let waits = |other: &Agreement| replaced.is_none() && other.state == State::Requested;
    let counts = |other: &&Agreement| other.id != agreement.id && (waits(other) || open(other));
    let candidates: Vec<&Agreement> = others.iter().filter(counts).collect();
    if candidates.iter().all(|other| other.terms.as_ref().is_none_or(|terms| terms.depends_on.is_empty())) {
        return Ok(Vec::new());
    }
    let is_replaced = |line: &Agreement| replaced.into_iter().flatten().any(|held| held.id == line.id);
    let mut firsts = versions::First::default();
    let mut known = vec![Known { line: agreement, first: firsts.of(session, own).await?, needs: Vec::new() }];
    for line in candidates {
        let Some(terms) = &line.terms else { continue };
        let first = firsts.of(session, terms.request).await?;
        let mut needs = Vec::new();
        // The end of what is replaced is decided already.
        for request in terms.depends_on.iter().filter(|_| !is_replaced(line)) {
            needs.push(firsts.of(session, *request).await?);
        }
        known.push(Known { line, first, needs });
    }
    // Each time one ends sooner than before: of finitely many ends.
    while let Some((id, given)) = known.iter().find_map(|one| Some((one.line.id, one.sooner(&known, ends)?))) {
        ends.0.insert(id, given);
    }
    let given = |one: &Known<'_>| ends.0.get(&one.line.id).filter(|_| !one.needs.is_empty()).cloned();
    let mut found: Vec<Taken<Agreement>> = known
        .iter()
        .filter_map(|one| Some((one, given(one)?)))
        .map(|(one, Given { at, until, by })| Taken { thing: one.line.clone(), ends_at: at, until, by })
        .collect();
    found.sort_by_key(|taken| taken.thing.id);
    Ok(found)
}

/// The day from which a route carries nothing: the first that begins at or after the end.
pub(super) fn day_after(ends_at: Timestamp) -> Option<Date> {
    let day = civil_day(ends_at)?;
    let begins = day.to_zoned(copenhagen()?).ok()?.timestamp();
    if begins == ends_at { Some(day) } else { day.checked_add(1.day()).ok() }
}

async fn carrying_for(session: &mut Session, agreement: &Agreement, ends_at: Timestamp) -> Result<Vec<Route>, StoreError> {
    let Some(on) = day_after(ends_at) else { return Ok(Vec::new()) };
    let mut routes = routes_in(session, agreement.service, &agreement.environment).await?;
    routes.retain(|route| {
        let whose = match agreement.side {
            Side::Front => route.sender,
            Side::Back => route.receiver,
        };
        whose == Some(agreement.authority) && route.period.from() < on && route.period.to().is_none_or(|to| to > on)
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
    let to = state_of(&ending.agreement, ending.ends_at, because.at);
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
    let audience = [created.audience(), Audience::Owners(ended.authority, ended.service)];
    let notice = Notice::of(Kind::Ended, &ended).at(ending.ends_at).because(&because.reason);
    change.notify(store.database(), &notice, &audience, because.at).await?;
    notify_those_taken(store, &mut change, ending, created, because).await?;
    Kept::keep(kept, &mut change, &ended).await?;
    change.commit().await?;
    Ok(ended)
}

/// Notifies those of what ends with an agreement, each with its end.
pub(super) async fn notify_those_taken(
    store: &Store,
    change: &mut Change,
    ending: &Ending,
    created: Creator,
    because: &Because,
) -> Result<(), DecideError> {
    for Taken { thing: agreement, ends_at, .. } in &ending.with {
        let audience = [created.audience(), Audience::Owners(agreement.authority, agreement.service)];
        // A request is taken back at once.
        let ends_at = if agreement.state == State::Requested { because.at } else { *ends_at };
        let notice = Notice::of(Kind::Ended, agreement).at(ends_at).because(&because.reason);
        change.notify(store.database(), &notice, &audience, because.at).await?;
    }
    Ok(())
}

/// What an agreement is once it is decided that it ends then: suspended it stays until the notice is over.
fn state_of(agreement: &Agreement, ends_at: Timestamp, at: Timestamp) -> State {
    match agreement.state {
        State::Requested => State::Withdrawn,
        State::Suspended if ends_at > at => State::Suspended,
        _ => State::Terminated,
    }
}

/// Ends what ends with an agreement, and closes what goes with them. `by`: who decides; none: nobody, by time.
pub(super) async fn take_along(
    change: &mut Change,
    ending: &Ending,
    name: &str,
    by: Option<(By<'_>, &Actor, Role)>,
    because: &Because,
) -> Result<(), DecideError> {
    // Where nobody decides, a request still has its signatory to answer it, and what is over by now needs no end: it would never have one.
    for taken in ending.with.iter().filter(|taken| by.is_some() || taken.thing.is_open(because.at)) {
        let other = &taken.thing;
        let to = state_of(other, taken.ends_at, because.at);
        let what = what(other, Some(other.state), to);
        let with = match to {
            State::Withdrawn => change.decide(other.id, Some(other), to, name, &because.reason, because.at).await,
            _ => one(change, other, taken.ends_at, name, because).await,
        };
        with.map_err(of_agreement)?;
        made(change, by, &what, because).await?;
        if taken.ends_at > because.at {
            for noticed in &taken.by {
                along::note_agreement(change, *noticed, other, taken.ends_at, because.at).await?;
            }
        }
    }
    let today = civil_day(because.at);
    let decision = Decision { by: name.to_owned(), reason: because.reason.clone(), at: because.at };
    for taken in &ending.routes {
        let (route, Some(on)) = (&taken.thing, day_after(taken.ends_at).max(today)) else { continue };
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
        if taken.ends_at > because.at {
            for noticed in &taken.by {
                along::note_route(change, *noticed, route, on, because.at).await?;
            }
        }
    }
    // What came since it was shown is not closed unseen, and what was closed since is not missed.
    let at = if ending.at_once { because.at } else { ending.ends_at };
    closing::note(change, &ending.files, (ending.ends_at, at)).await?;
    let approved = ending.with.iter().map(|taken| taken.thing.id);
    let all: BTreeSet<Uuid> = std::iter::once(ending.agreement.id).chain(approved).collect();
    closing::close(change, &all, &ending.kinds, because.at).await?;
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
    let ending = {
        let mut session = store.database().session().await?;
        proposed(&mut session, &agreement, None, &Kinds::of(rules), (ends_at, ends_at), because.at).await?
    };
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
    let with = ending.with.iter().filter(|taken| taken.thing.is_open(because.at));
    let with = with.map(|taken| (&taken.thing, taken.ends_at.max(because.at)));
    for (agreement, ends_at) in told.map(|agreement| (agreement, because.at)).into_iter().chain(with) {
        let creator = Creator::of(&change.made_on(Subject::Agreement, agreement.id).await?);
        let audience = [creator.audience(), Audience::Owners(agreement.authority, agreement.service)];
        let notice = Notice::of(Kind::Ended, agreement).at(ends_at).because(&because.reason);
        change.notify(store.database(), &notice, &audience, because.at).await?;
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
