//! Who is next is told by mail: once when a task can be done, and again when its day comes near, when it is over, or when it has waited for a
//! week. A task that fell back is told of anew. A side that has not agreed to a connection is asked to, each 30 days at most, and told of nothing
//! else in it.
//!
//! What others add gives a party so many letters a day at most, those of a day that is over first: the rest waits for the next day.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date};
use uuid::Uuid;

use super::consent::speakers;
use super::graph::Consenting;
use super::shown::{Shown, View};
use super::store::{Assignment, Connection, MOST, Wanted};
use crate::agreements::Store;
use crate::clock::{civil_day, copenhagen};
use crate::id::cvr::Cvr;
use crate::notices::audience::Audience;
use crate::notices::{Kind, Notice};
use crate::store::{StoreError, sql};
use crate::users::rights::Role;
use crate::users::{Scope, Whose};

/// How many days before its day a task is told of again.
const AHEAD: i64 = 3;
/// After how many days a task without a day is.
const WEEK: i64 = 7;
/// After how long a side that has not agreed is asked again.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The most notices a day that what one party has added gives another.
pub const MOST_A_DAY: u32 = 100;
/// Who agrees to connections at a company or an authority.
const AGREE: [Role; 3] = [Role::SupplierAdministrator, Role::SystemResponsible, Role::SystemAdministrator];

/// Notifies whoever is next in any connection, and asks whoever has yet to agree to one; how many notices were given. Those of a day that is over
/// or near come first, and take the day's places before others.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn send(store: &Store, now: Timestamp) -> Result<usize, StoreError> {
    let everybodys = Scope { whose: Whose::Everybody, services: Vec::new() };
    let mut wanted = Wanted { limit: MOST, ..Wanted::default() };
    let (mut round, mut letters) = (Round::default(), Vec::new());
    loop {
        let views = store.connection_views(&wanted, &everybodys, now).await?;
        round.adders = adders(store, &views).await?;
        for view in &views {
            for side in view.awaits() {
                letters.extend(ask(store, &mut round, view, side, now).await?);
            }
            for shown in view.next() {
                for party in turns(shown).into_iter().filter(|party| !is_yet_to_agree(&view.connection, *party)) {
                    letters.extend(one(store, &mut round, view, (shown, party), now).await?);
                }
            }
        }
        match views.last().filter(|_| views.len() >= wanted.limit as usize) {
            Some(last) => wanted.after = Some(last.connection.id),
            None => break,
        }
    }
    letters.sort_by_key(|letter| letter.urgency);
    let mut told = 0;
    for letter in &letters {
        told += usize::from(give(store, &mut round, letter, now).await?);
    }
    Ok(told)
}

/// What is remembered while all connections are looked at once.
#[derive(Default)]
struct Round {
    /// Who added each of the connections that are looked at; of none that the operators added.
    adders: BTreeMap<Uuid, Cvr>,
    /// Whether the places of a day are all taken, of those that were asked for.
    full: BTreeMap<String, bool>,
}

impl Round {
    /// What the places of a day are called that what one party added has with another; none: it is the party's own, or the operators'.
    fn places(&self, connection: &Connection, party: Option<Cvr>, now: Timestamp) -> Option<String> {
        let adder = self.adders.get(&connection.id).filter(|adder| party != Some(**adder))?;
        let to = party.map_or_else(|| "operators".to_owned(), |party| party.to_string());
        let day = civil_day(now).unwrap_or_default();
        Some(format!("connections of {adder} to {to} {day}"))
    }

    /// Whether there is no room among these places today, asked of the store once.
    async fn is_full(&mut self, store: &Store, places: Option<&String>) -> Result<bool, StoreError> {
        let Some(places) = places else { return Ok(false) };
        if let Some(full) = self.full.get(places) {
            return Ok(*full);
        }
        let full = store.was_given(&format!("{places} {}", MOST_A_DAY - 1)).await?;
        self.full.insert(places.clone(), full);
        Ok(full)
    }
}

/// A letter that is due and was not given.
struct Letter {
    urgency: Urgency,
    /// Under which it is kept that it was given: the first says so, and takes the others with it.
    marks: Vec<String>,
    /// After how long it is given again; none: never.
    again: Option<SignedDuration>,
    /// The places of which it takes one.
    places: Option<String>,
    notice: Notice,
    audience: Vec<Audience>,
}

/// What comes first. A day is set by whoever does the task, so that nobody else fills the places with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    DayOver,
    DayNear,
    Other,
}

/// Who added each of these connections, read at once.
async fn adders(store: &Store, views: &[View]) -> Result<BTreeMap<Uuid, Cvr>, StoreError> {
    let ids = || views.iter().map(|view| view.connection.id);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(BTreeMap::new()) };
    let added = sql("SELECT subject_id, party FROM decision WHERE subject = 'connection' AND to_state = 'added'
         AND subject_id >= $1 AND subject_id <= $2 AND party IS NOT NULL");
    let rows = store.database().all(added.bind(first).bind(last)).await?;
    rows.iter().map(|row| Ok((row.get("subject_id")?, row.parsed("party")?))).collect()
}

/// Whose turn it is: of what both authorities state, each that has not.
fn turns(shown: &Shown) -> Vec<Cvr> {
    match shown.task.both && !shown.unstated.is_empty() {
        true => shown.unstated.iter().copied().collect(),
        false => vec![shown.whose],
    }
}

/// Whether a party is in a connection by nothing but a side that has not agreed to it.
fn is_yet_to_agree(connection: &Connection, party: Cvr) -> bool {
    let authority = (party == connection.authority).then_some(Consenting::Authority);
    // Where there is no system that receives, nobody is in it as its side, which needs no consent.
    let receives =
        connection.receiver.is_some() && (party == connection.receiver_authority || Some(party) == connection.receiver_supplier);
    let sides: Vec<Consenting> = authority.into_iter().chain(receives.then_some(Consenting::Receiver)).collect();
    let awaits = connection.awaits();
    Some(party) != connection.client_supplier && !sides.is_empty() && sides.iter().all(|side| awaits.contains(side))
}

/// What is due of a task, the one that counts first, each with its mark.
fn due(shown: &Shown, given: &Assignment, now: Timestamp) -> Vec<(Urgency, Kind, String)> {
    let since = shown.standing.since.map_or_else(|| "-".to_owned(), |since| since.to_string());
    let mut due = vec![(Urgency::Other, Kind::TaskNext, format!("next {since}"))];
    match (given.due, civil_day(now)) {
        (Some(day), Some(today)) => {
            if day.checked_sub(AHEAD.days()).is_ok_and(|near| near <= today) {
                due.insert(0, (Urgency::DayNear, Kind::TaskWaits, format!("near {day}")));
            }
            if day < today {
                due.insert(0, (Urgency::DayOver, Kind::TaskWaits, format!("over {day}")));
            }
        }
        _ => {
            if shown.standing.since.is_some_and(|since| now.duration_since(since) >= SignedDuration::from_hours(24 * WEEK)) {
                due.insert(0, (Urgency::Other, Kind::TaskWaits, format!("week {since}")));
            }
        }
    }
    due
}

/// The beginning of a day in Copenhagen.
fn begins(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(copenhagen()?).ok()?.timestamp())
}

async fn one(
    store: &Store,
    round: &mut Round,
    view: &View,
    (shown, party): (&Shown, Cvr),
    now: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let (connection, task, given) = (&view.connection, shown.task, shown.given_by(party));
    let due = due(shown, &given, now);
    // What is not the lane's own party's is marked with whose it is.
    let of = if party == connection.whose(task) { String::new() } else { format!("{party} ") };
    let marks: Vec<String> = due.iter().map(|(.., what)| format!("task {} {} {of}{what}", connection.id, task.id)).collect();
    let (Some((urgency, kind, _)), Some(first)) = (due.first(), marks.first()) else { return Ok(None) };
    let places = round.places(connection, Some(party), now);
    // Looked at first, without the write lock: most of the time it was given, or there is no room today.
    if round.is_full(store, places.as_ref()).await? || store.was_given(first).await? {
        return Ok(None);
    }
    let audience = match (given.person, task.performer) {
        (Some(person), _) => Audience::User(person),
        (None, Role::Operator | Role::OperatorReadOnly) => Audience::Operators,
        (None, performer) => Audience::Doers(party, connection.service, performer),
    };
    let notice = Notice {
        at: given.due.and_then(begins),
        ..of_connection(*kind, connection, format!("{}: {}", task.id, task.text.da()), format!("{}: {}", task.id, task.text.en()))
    };
    Ok(Some(Letter { urgency: *urgency, marks, again: None, places, notice, audience: vec![audience] }))
}

/// Asks a side to agree to a connection, and again while it has not. Added anew after it was ended, it is the same one: it asks no sooner.
async fn ask(
    store: &Store,
    round: &mut Round,
    view: &View,
    side: Consenting,
    now: Timestamp,
) -> Result<Option<Letter>, StoreError> {
    let Connection { service, environment, authority, client, receiver, receiver_authority, .. } = &view.connection;
    let (asks, receiver) = (side.name(), receiver.map_or_else(|| "-".to_owned(), |receiver| receiver.to_string()));
    let mark = format!("agree {asks} {service} {environment} {authority} {client} {receiver} {receiver_authority}");
    if store.was_given_since(&mark, now - ASKED_AGAIN).await? {
        return Ok(None);
    }
    let parties = match side {
        Consenting::Authority => vec![*authority],
        Consenting::Receiver => may_agree(store, &view.connection, now).await?,
    };
    let places = round.places(&view.connection, parties.first().copied(), now);
    if round.is_full(store, places.as_ref()).await? {
        return Ok(None);
    }
    let doers = parties.iter().flat_map(|party| AGREE.map(|role| Audience::Doers(*party, *service, role)));
    let audience: Vec<Audience> = if parties.is_empty() { vec![Audience::Operators] } else { doers.collect() };
    let (graph, told) = (&view.graph.name, side.describe());
    let (da, en) = (format!("{}, for {}", graph.da(), told.da()), format!("{}, for {}", graph.en(), told.en()));
    let notice = of_connection(Kind::ConnectionAsked, &view.connection, da, en);
    Ok(Some(Letter { urgency: Urgency::Other, marks: vec![mark], again: Some(ASKED_AGAIN), places, notice, audience }))
}

/// Who speaks for the receiver and sees the connection; nobody: the operators do.
async fn may_agree(store: &Store, connection: &Connection, now: Timestamp) -> Result<Vec<Cvr>, StoreError> {
    let known = speakers(&mut store.database().session().await?, connection, now).await?;
    let Some(known) = known else { return Ok(Vec::new()) };
    let parties = connection.parties();
    let holder = known.holder.filter(|holder| parties.contains(holder));
    Ok(holder.into_iter().chain(known.authority.then_some(connection.receiver_authority)).collect())
}

fn of_connection(kind: Kind, connection: &Connection, da: String, en: String) -> Notice {
    Notice {
        kind,
        name: da,
        page: format!("/connections/{}", connection.id),
        authority: Some(connection.authority),
        service: Some(connection.service),
        system: Some(connection.client),
        environment: Some(connection.environment.as_str().to_owned()),
        at: None,
        reason: None,
        differs: Vec::new(),
        english: Some(en),
        by: None,
    }
}

/// Gives a letter, where another node has not. None beyond the day's bound.
async fn give(store: &Store, round: &mut Round, letter: &Letter, now: Timestamp) -> Result<bool, StoreError> {
    let Some(first) = letter.marks.first() else { return Ok(false) };
    if round.is_full(store, letter.places.as_ref()).await? {
        return Ok(false);
    }
    let mut change = store.change().await?;
    let fresh = match letter.again {
        Some(pause) => change.gives_again(first, now, pause).await?,
        None => change.gives(first, now).await?,
    };
    if !fresh {
        return Ok(false);
    }
    if let Some(places) = &letter.places
        && !change.takes_place(places, MOST_A_DAY, now).await?
    {
        round.full.insert(places.clone(), true);
        return Ok(false);
    }
    for mark in letter.marks.iter().skip(1) {
        change.gives(mark, now).await?;
    }
    change.notify(store.database(), &letter.notice, &letter.audience, now).await?;
    change.commit().await?;
    Ok(true)
}
