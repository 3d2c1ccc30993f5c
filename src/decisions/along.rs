//! What the notice on an agreement takes along, and gives back where the notice is taken back: agreements that depend on it, and routes.
//!
//! Each is written down with the end that it had and the one that it was given. It is given the former end back only where nobody
//! has decided otherwise on it since.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use uuid::Uuid;

use super::agreement::{of_agreement, what};
use super::{Because, By, DecideError, closing, route, versions};
use crate::agreements::{
    Agreement, Change, Route, State,
    route::store::{Decision, RouteError},
};
use crate::store::{StoreError, sql};
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

/// What one thing had before the notice, and was given by it last.
struct Taken {
    kind: String,
    former: String,
    given: String,
}

/// What the notice on an agreement took along. Of one that was brought forward, the end before the first counts, and the last that was given.
async fn taken(change: &mut Change, by: Uuid) -> Result<BTreeMap<Uuid, Taken>, StoreError> {
    let query = sql(
        "SELECT kind, thing, former, given FROM agreement_taken_along WHERE agreement = $1 AND undone_at IS NULL ORDER BY id",
    );
    let mut found: BTreeMap<Uuid, Taken> = BTreeMap::new();
    for row in change.connection().all(query.bind(by)).await? {
        let (thing, given): (Uuid, String) = (row.get("thing")?, row.get("given")?);
        match found.get_mut(&thing) {
            Some(taken) => taken.given = given,
            None => {
                found.insert(thing, Taken { kind: row.get("kind")?, former: row.get("former")?, given });
            }
        }
    }
    Ok(found)
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable { column: "former, given" })
}

fn maybe<T: std::str::FromStr>(text: &str) -> Result<Option<T>, StoreError> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

/// What a notice that was taken back gave back, and what it could not.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// The agreements that go on, as they are now.
    pub(super) agreements: Vec<Agreement>,
    /// The routes that go on.
    pub(super) routes: Vec<Uuid>,
    /// What was decided on otherwise meanwhile, and stays as it is.
    pub(super) stay: Vec<Uuid>,
}

/// Takes back all that goes with a notice: what was to be closed is called off, and what was taken along has its former end again.
pub(super) async fn undo(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    agreement: &Agreement,
    because: &Because,
) -> Result<Undone, DecideError> {
    let name = &actor.user().name;
    let mut undone = Undone::default();
    closing::call_off(change, agreement.id, because.at).await?;
    let mut agreements = Vec::new();
    for (thing, taken) in taken(change, agreement.id).await? {
        if taken.kind == AGREEMENT {
            agreements.push((thing, taken));
            continue;
        }
        let decision = Decision { by: name.clone(), reason: because.reason.clone(), at: because.at };
        let before = change.route(thing).await?;
        let given_back = change.give_back_end(thing, read(&taken.given)?, maybe(&taken.former)?, &decision).await?;
        let (Some(before), Some(route)) = (before, given_back) else {
            undone.stay.push(thing);
            continue;
        };
        let what = route::ended(&route, route::end(&before));
        change.made_by(Some((&by.also(actor, &what, because)?, role)), &what, because).await?;
        undone.routes.push(thing);
    }
    // Each after those that it depends on.
    loop {
        let waiting = agreements.len();
        for (thing, taken) in std::mem::take(&mut agreements) {
            match change.agreement(thing).await? {
                Some(held) if ended_principal(change, &held, because.at).await?.is_none() => {
                    match again(change, by, (actor, role), &held, &taken, because).await? {
                        Some(back) => undone.agreements.push(back),
                        None => undone.stay.push(thing),
                    }
                }
                _ => agreements.push((thing, taken)),
            }
        }
        if agreements.len() == waiting {
            undone.stay.extend(agreements.iter().map(|(thing, _)| *thing));
            break;
        }
    }
    let done = sql("UPDATE agreement_taken_along SET undone_at = $1 WHERE agreement = $2 AND undone_at IS NULL");
    change.connection().execute(done.bind(because.at).bind(agreement.id)).await?;
    Ok(undone)
}

/// Gives an agreement the end that it had before the notice. None: it was decided on otherwise since.
async fn again(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    held: &Agreement,
    taken: &Taken,
    because: &Because,
) -> Result<Option<Agreement>, DecideError> {
    let (given, former): (Timestamp, Option<Timestamp>) = (read(&taken.given)?, maybe(&taken.former)?);
    if held.ends_at != Some(given) || !held.is_under_notice(because.at) {
        return Ok(None);
    }
    let (name, reason, at) = (&actor.user().name, &because.reason, because.at);
    let (to, back) = match (held.state, former) {
        (State::Suspended, former) => (State::Suspended, change.notice_while_suspended(held, former, name, reason, at).await),
        (_, Some(former)) => (State::Terminated, change.give_notice(held, former, name, reason, at).await),
        (_, None) => (State::Approved, change.decide(held.id, Some(held), State::Approved, name, reason, at).await),
    };
    let (back, what) = (back.map_err(of_agreement)?, what(held, Some(held.state), to));
    change.made_by(Some((&by.also(actor, &what, because)?, role)), &what, because).await?;
    closing::call_off(change, held.id, at).await?;
    Ok(Some(back))
}

/// An agreement that this one depends on, and that is under notice or over since this one's own notice was given. None: it may go on.
pub(super) async fn ended_principal(
    change: &mut Change,
    agreement: &Agreement,
    at: Timestamp,
) -> Result<Option<Uuid>, StoreError> {
    let Some(terms) = agreement.terms.clone().filter(|terms| !terms.depends_on.is_empty()) else { return Ok(None) };
    let mut firsts = versions::First::default();
    let mut needed = Vec::new();
    for request in &terms.depends_on {
        needed.push(firsts.of(change.connection(), *request).await?);
    }
    let mut of = Vec::new();
    for line in change.of_authority(agreement.authority, &agreement.environment).await? {
        let Some(request) = line.terms.as_ref().map(|terms| terms.request) else { continue };
        let first = firsts.of(change.connection(), request).await?;
        if needed.contains(&first) {
            of.push((first, line));
        }
    }
    let noticed = agreement.decided_at.unwrap_or(at);
    let ended = |line: &Agreement| line.over_from().is_some_and(|end| end >= noticed);
    let goes_on = |first: &Uuid, line: &Agreement| {
        let version =
            |(of, other): &(Uuid, Agreement)| of == first && other.same_parties(line) && other.goes_on(at) && !ended(other);
        of.iter().any(version)
    };
    let found = of.iter().find(|(first, line)| ended(line) && !goes_on(first, line));
    Ok(found.map(|(_, line)| line.id))
}

/// Whether a route could not be ended because of what it is by now, and not because the store did not do as asked.
pub(super) fn is_settled(error: &RouteError) -> bool {
    matches!(error, RouteError::AlreadyOver { .. } | RouteError::BeforeItBegins { .. } | RouteError::NoSuchRoute(_))
}
