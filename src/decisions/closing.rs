//! What an agreement's end closes of files: route orders, the keys of SFTP users that have nothing left to do, and files that wait. What is
//! to be closed is listed and signed with the end, and closed when it takes effect, in the transaction that notes it. It is judged again
//! then: what another agreement covers by that day stays, and nothing is closed of a notice that was taken back. What only covers it until a
//! notice of its own is over puts it off until then.
//!
//! A file that is on its way is returned: its sender is told that the order is over. One that lies unfetched in a recipient's IN is deleted
//! as one that was not fetched in time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::ends::Ends;
use super::life::Tried;
use super::record::What;
use super::{Because, DecideError, shown::sha256};
use crate::agreements::store::{of_authority, of_system};
use crate::agreements::{Agreement, Change, Environment, Side, Store, rules::Rules};
use crate::audit::Subject;
use crate::clock::civil_day;
use crate::store::{Query, Row, Session, StoreError, sql};

/// A key of an SFTP user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The user.
    pub user: Uuid,
    /// The user's name.
    pub name: String,
    /// The key's fingerprint.
    pub fingerprint: String,
}

/// What is closed of files.
#[derive(Debug, Clone, Default)]
pub struct Closing {
    /// Route orders that no other agreement covers.
    pub orders: Vec<Uuid>,
    /// Keys of users of the system that no other order and no other agreement needs.
    pub keys: Vec<Key>,
    /// How many files wait in a recipient's IN by these orders, as it was looked at: shown beside what is decided, and no part of it.
    pub waiting: i64,
    /// Of each order and user the agreements whose end closes it, each with when.
    by: BTreeMap<Uuid, BTreeMap<Uuid, Closes>>,
}

/// When something is closed, and with whose end.
type Closes = (Timestamp, Uuid);

/// Whether the same is closed. A file that comes or is fetched meanwhile alters nothing that was decided.
impl PartialEq for Closing {
    fn eq(&self, other: &Self) -> bool {
        (&self.orders, &self.keys, &self.by) == (&other.orders, &other.keys, &other.by)
    }
}

impl Eq for Closing {}

impl Closing {
    /// When an order, or the keys of a user, are closed, and with whose end that is: an agreement's, or an order's.
    pub(super) fn when(&self, thing: Uuid) -> Option<Closes> {
        self.by.get(&thing)?.values().min().copied()
    }
}

/// The kinds of files of each service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kinds(BTreeMap<Uuid, Vec<String>>);

impl Kinds {
    pub(super) fn of(rules: &Rules) -> Self {
        Self(rules.all().into_iter().map(|(service, rule)| (service, rule.inf_refs)).collect())
    }

    fn have(&self, service: Uuid, inf_ref: &str) -> bool {
        self.0.get(&service).is_some_and(|kinds| kinds.iter().any(|kind| kind == inf_ref))
    }
}

struct Order {
    id: Uuid,
    inf_ref: Option<String>,
    /// User, authority, system and environment of either end.
    ends: [(Uuid, String, Uuid, String); 2],
}

const ORDERS: &str = "SELECT o.id, o.inf_ref, o.sender, o.recipient, o.sender_authority, o.recipient_authority,
     s.system AS sender_system, r.system AS recipient_system, s.environment AS sender_environment, r.environment AS recipient_environment
     FROM file_order o JOIN sftp_user s ON s.id = o.sender JOIN sftp_user r ON r.id = o.recipient WHERE ";

fn order(row: &Row) -> Result<Order, StoreError> {
    let sender = (row.get("sender")?, row.get("sender_authority")?, row.get("sender_system")?, row.get("sender_environment")?);
    let recipient =
        (row.get("recipient")?, row.get("recipient_authority")?, row.get("recipient_system")?, row.get("recipient_environment")?);
    Ok(Order { id: row.get("id")?, inf_ref: row.maybe("inf_ref")?, ends: [sender, recipient] })
}

fn orders_where(condition: &str) -> Query {
    crate::store::value::assembled_for(format!("{ORDERS}{condition}"), format!("{ORDERS}{condition}"))
}

impl Order {
    /// Whether it goes by agreements like this one: in front it is the system that sends and receives; behind, whatever goes for the
    /// authority.
    fn goes_by(&self, agreement: &Agreement) -> bool {
        let authority = agreement.authority.to_string();
        let [(.., environment), _] = &self.ends;
        environment == agreement.environment.as_str()
            && self
                .ends
                .iter()
                .any(|(_, of, system, _)| *of == authority && (agreement.side == Side::Back || *system == agreement.system))
    }

    /// Whether an agreement covers it where another of the same side ends: of the same service, or of one with the same kind of files.
    fn is_covered(&self, ends: &Agreement, other: &Agreement, kinds: &Kinds) -> bool {
        let same_kind = || self.inf_ref.as_deref().is_some_and(|inf_ref| kinds.have(other.service, inf_ref));
        other.side == ends.side
            && (other.authority, &other.environment) == (ends.authority, &ends.environment)
            && (other.service == ends.service || same_kind())
            && self.goes_by(other)
    }
}

/// What is closed where these agreements end, the first of them at `ends_at`. `going_on`: the agreements of their authority that go on until
/// then, these among them.
///
/// # Errors
/// A store that does not answer.
pub(super) async fn propose(
    session: &mut Session,
    ending: &[&Agreement],
    going_on: &[&Agreement],
    kinds: &Kinds,
    ends: &Ends,
    ends_at: Timestamp,
) -> Result<Closing, StoreError> {
    let mut closing = Closing::default();
    for agreement in ending {
        for inf_ref in kinds.0.get(&agreement.service).into_iter().flatten() {
            let open = orders_where("o.inf_ref = $1 AND o.state IN ('ANMODET', 'GODKENDT', 'SUSPENDERET')").bind(inf_ref);
            for row in session.all(open).await? {
                let order = order(&row)?;
                let covers = |other: &&&Agreement| other.id == agreement.id || order.is_covered(agreement, other, kinds);
                let last = ends.last(going_on.iter().filter(covers).copied());
                if let Some(closes) = last.filter(|_| order.goes_by(agreement)) {
                    closing.by.entry(order.id).or_default().insert(agreement.id, closes);
                }
            }
        }
    }
    closing.orders = closing.by.keys().copied().collect();
    let orders: BTreeMap<Uuid, Closes> =
        closing.orders.iter().filter_map(|order| Some((*order, closing.when(*order)?))).collect();
    for agreement in ending.iter().filter(|agreement| agreement.side == Side::Front) {
        let of_system = of_system(session, agreement.system, &agreement.environment).await?;
        let is_ending = |other: &Agreement| ending.iter().any(|ends| ends.id == other.id);
        let going_on = of_system.iter().filter(|other| is_ending(other) || other.goes_on(ends_at));
        let Some(last) = ends.last(going_on) else { continue };
        let of_orders = orders.iter().filter(|(order, _)| closing.by.get(order).is_some_and(|by| by.contains_key(&agreement.id)));
        let of_orders: Vec<Uuid> = of_orders.map(|(order, _)| *order).collect();
        for user in users(session, agreement, &of_orders).await? {
            let keys = keys(session, user, agreement).await?;
            let Some(needed) = needing(session, user, &orders, ends_at).await?.filter(|_| !keys.is_empty()) else { continue };
            let closes = needed.into_iter().fold(last, Closes::max);
            closing.by.entry(user).or_default().insert(agreement.id, closes);
            closing.keys.extend(keys);
        }
    }
    closing.keys.sort();
    closing.keys.dedup();
    for order in &closing.orders {
        let lying = sql("SELECT count(*) AS n FROM file_delivery WHERE file_order = $1 AND ended_us IS NULL").bind(*order);
        closing.waiting += session.first(lying).await?.map_or(Ok(0), |row| row.get::<i64>("n"))?;
    }
    Ok(closing)
}

/// The SFTP users of an agreement's system that are at either end of these orders, or of one that the end of an agreement closed or is to
/// close: such a user may have nothing left to do when the system's last agreement ends.
async fn users(session: &mut Session, agreement: &Agreement, orders: &[Uuid]) -> Result<BTreeSet<Uuid>, StoreError> {
    let closed = sql("SELECT u.id FROM sftp_user u WHERE u.system = $1 AND u.environment = $2 AND EXISTS (
             SELECT 1 FROM file_order o JOIN agreement_closing c ON c.kind = 'order' AND c.thing = o.id
             WHERE (o.sender = u.id OR o.recipient = u.id) AND (c.closed_at IS NULL OR c.outcome IS NULL OR c.outcome = 'closed'))");
    let rows = session.all(closed.bind(agreement.system).bind(agreement.environment.as_str())).await?;
    let mut users: BTreeSet<Uuid> = rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    for id in orders {
        if let Some(row) = session.first(orders_where("o.id = $1").bind(*id)).await? {
            users.extend(order(&row)?.ends.iter().map(|(user, ..)| *user));
        }
    }
    Ok(users)
}

/// When each order that needs a user's keys at `at` is closed: as it is listed in `closes`, or as the end of an agreement is noted to close
/// it. None: one of them stays. One that is only asked for needs no key.
async fn needing(
    session: &mut Session,
    user: Uuid,
    closes: &BTreeMap<Uuid, Closes>,
    at: Timestamp,
) -> Result<Option<Vec<Closes>>, StoreError> {
    let open = sql("SELECT id FROM file_order WHERE (sender = $1 OR recipient = $1) AND state IN ('GODKENDT', 'SUSPENDERET')
         AND (valid_to IS NULL OR valid_to > $2)");
    let mut needing = Vec::new();
    for row in session.all(open.bind(user).bind(civil_day(at).unwrap_or_default())).await? {
        let order: Uuid = row.get("id")?;
        let noted = sql("SELECT closes_at FROM agreement_closing WHERE kind = 'order' AND thing = $1 AND closed_at IS NULL
             ORDER BY closes_at LIMIT 1");
        let noted = session.first(noted.bind(order)).await?.map(|row| row.get("closes_at")).transpose()?;
        match closes.get(&order).copied().into_iter().chain(noted.map(|at| (at, order))).min() {
            Some(closes) => needing.push(closes),
            None => return Ok(None),
        }
    }
    Ok(Some(needing))
}

/// The keys in use of an SFTP user of the agreement's system.
async fn keys(session: &mut Session, user: Uuid, agreement: &Agreement) -> Result<Vec<Key>, StoreError> {
    let held = sql("SELECT u.id, u.name, k.fingerprint FROM sftp_user u JOIN sftp_key k ON k.sftp_user = u.id
         WHERE u.id = $1 AND u.system = $2 AND u.environment = $3 AND NOT k.disabled");
    let held = held.bind(user).bind(agreement.system).bind(agreement.environment.as_str());
    let rows = session.all(held).await?;
    rows.iter()
        .map(|row| Ok(Key { user: row.get("id")?, name: row.get("name")?, fingerprint: row.get("fingerprint")? }))
        .collect()
}

const ORDER: &str = "order";
const KEY: &str = "key";

/// Notes what is closed when an end takes effect, of each agreement that ends what its own end closes. What closes with the end itself
/// (`ends_at`) is noted for `at`: of an end at once the instant at which it is decided.
pub(super) async fn note(
    change: &mut Change,
    closing: &Closing,
    (ends_at, at): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let orders = closing.orders.iter().map(|order| (ORDER, *order, String::new()));
    let keys = closing.keys.iter().map(|key| (KEY, key.user, key.fingerprint.clone()));
    for (kind, thing, part) in orders.chain(keys) {
        for (agreement, (closes_at, _)) in closing.by.get(&thing).into_iter().flatten() {
            let closes_at = if *closes_at == ends_at { at } else { *closes_at };
            note_one(change, *agreement, (kind, thing, &part), closes_at).await?;
        }
    }
    Ok(())
}

async fn note_one(
    change: &mut Change,
    agreement: Uuid,
    (kind, thing, part): (&str, Uuid, &str),
    closes_at: Timestamp,
) -> Result<(), StoreError> {
    let noted =
        sql("INSERT INTO agreement_closing (id, agreement, kind, thing, part, closes_at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(Uuid::now_v7())
            .bind(agreement)
            .bind(kind)
            .bind(thing)
            .bind(part)
            .bind(closes_at);
    change.connection().execute(noted).await.map(drop)
}

/// Puts off what the end of an agreement was to close until it ends: it is judged again then. None: its notice was taken back, and all is
/// called off.
pub(super) async fn put_off(
    change: &mut Change,
    agreement: Uuid,
    until: Option<Timestamp>,
    at: Timestamp,
) -> Result<(), StoreError> {
    if let Some(until) = until {
        let open = sql("SELECT kind, thing, part, closes_at FROM agreement_closing WHERE agreement = $1 AND closed_at IS NULL
             ORDER BY closes_at DESC, id");
        let mut noted = BTreeSet::new();
        for row in change.connection().all(open.bind(agreement)).await? {
            let (kind, thing, part): (String, Uuid, String) = (row.get("kind")?, row.get("thing")?, row.get("part")?);
            let closes_at: Timestamp = row.get("closes_at")?;
            if closes_at > until || !noted.insert((kind.clone(), thing, part.clone())) || closes_at == until {
                continue;
            }
            note_one(change, agreement, (&kind, thing, &part), until).await?;
        }
    }
    let off = match until {
        Some(until) => sql("UPDATE agreement_closing SET closed_at = $1, outcome = 'called off'
             WHERE agreement = $2 AND closed_at IS NULL AND closes_at < $3")
        .bind(at)
        .bind(agreement)
        .bind(until),
        None => {
            sql("UPDATE agreement_closing SET closed_at = $1, outcome = 'called off' WHERE agreement = $2 AND closed_at IS NULL")
                .bind(at)
                .bind(agreement)
        }
    };
    change.connection().execute(off).await.map(drop)
}

/// Closes what is due at `now` of these agreements, in their order of kinds: a key is needed by the orders that are left. How many things were
/// closed.
pub(super) async fn close(change: &mut Change, of: &BTreeSet<Uuid>, kinds: &Kinds, now: Timestamp) -> Result<usize, DecideError> {
    let mut closed = 0;
    for kind in [ORDER, KEY] {
        for agreement in of {
            closed += close_of(change, *agreement, kind, kinds, now).await?;
        }
    }
    Ok(closed)
}

/// Whether something is needed that is to be closed.
enum Needed {
    /// Nothing needs it.
    No,
    /// Only what ends by then: it is closed then.
    Until(Timestamp),
    /// What goes on.
    Yes,
}

async fn close_of(
    change: &mut Change,
    agreement: Uuid,
    kind: &'static str,
    kinds: &Kinds,
    now: Timestamp,
) -> Result<usize, DecideError> {
    let due = sql("SELECT id, thing, part FROM agreement_closing
         WHERE closed_at IS NULL AND closes_at <= $1 AND agreement = $2 AND kind = $3 ORDER BY id");
    let rows = change.connection().all(due.bind(now).bind(agreement).bind(kind)).await?;
    let mut closed = 0;
    for row in &rows {
        let (id, thing, part): (Uuid, Uuid, String) = (row.get("id")?, row.get("thing")?, row.get("part")?);
        let mut because = Because::new(format!("serviceaftalen {agreement} er ophørt"), now);
        let needed = match change.agreement(agreement).await?.filter(|ended| !ended.goes_on(now)) {
            // Whoever brought it back did not say so here.
            None => None,
            Some(ended) if kind == ORDER => Some(order_is_needed(change.connection(), thing, &ended, kinds, now).await?),
            Some(_) => Some(key_is_needed(change.connection(), thing, now).await?),
        };
        let subject = if kind == ORDER { Subject::FileOrder } else { Subject::SftpUser };
        let (outcome, what) = match needed {
            None => ("called off", None),
            Some(Needed::Yes) => {
                because.reason += ", og en anden aftale bruger det";
                ("kept", kept(subject, thing))
            }
            Some(Needed::Until(until)) if until > now => {
                because.reason += &format!(", og en anden aftale bruger det indtil {until}");
                note_one(change, agreement, (kind, thing, &part), until).await?;
                ("called off", kept(subject, thing))
            }
            // What it waits for is due as well: the next look finds it.
            Some(Needed::Until(_)) => continue,
            Some(Needed::No) if kind == ORDER => ("closed", end_order(change, thing, now).await?),
            Some(Needed::No) => ("closed", end_key(change, thing, &part).await?),
        };
        if let Some(what) = what {
            change.made_by(None, &what, &because).await?;
            closed += usize::from(outcome == "closed");
        }
        let done = sql("UPDATE agreement_closing SET closed_at = $1, outcome = $2 WHERE id = $3 AND closed_at IS NULL");
        change.connection().execute(done.bind(now).bind(outcome).bind(id)).await?;
    }
    Ok(closed)
}

/// That something stays open that was to be closed.
fn kept(subject: Subject, id: Uuid) -> Option<What> {
    let shown = Some(sha256(&format!("{id}\n")));
    Some(What { subject, id, from: None, to: "kept".to_owned(), shown })
}

/// Whether another agreement covers an order at `now`.
async fn order_is_needed(
    session: &mut Session,
    id: Uuid,
    ended: &Agreement,
    kinds: &Kinds,
    now: Timestamp,
) -> Result<Needed, StoreError> {
    let Some(order) = session.first(orders_where("o.id = $1").bind(id)).await?.as_ref().map(order).transpose()? else {
        return Ok(Needed::No);
    };
    let mut others = of_authority(session, ended.authority, &ended.environment).await?;
    others.retain(|other| other.id != ended.id && other.goes_on(now) && order.is_covered(ended, other, kinds));
    Ok(match Ends::default().last(&others) {
        Some((until, _)) => Needed::Until(until),
        None if others.is_empty() => Needed::No,
        None => Needed::Yes,
    })
}

/// Whether an order, or an agreement of the user's system, needs the user's keys at `now`.
async fn key_is_needed(session: &mut Session, user: Uuid, now: Timestamp) -> Result<Needed, StoreError> {
    let Some(orders) = needing(session, user, &BTreeMap::new(), now).await? else { return Ok(Needed::Yes) };
    let of = sql("SELECT system, environment FROM sftp_user WHERE id = $1").bind(user);
    let mut agreements = Vec::new();
    if let Some(row) = session.first(of).await? {
        let (system, environment): (Uuid, Environment) = (row.get("system")?, row.parsed("environment")?);
        agreements = of_system(session, system, &environment).await?;
        agreements.retain(|other| other.goes_on(now));
    }
    let last = Ends::default().last(&agreements);
    if last.is_none() && !agreements.is_empty() {
        return Ok(Needed::Yes);
    }
    Ok(orders.into_iter().chain(last).max().map_or(Needed::No, |(until, _)| Needed::Until(until)))
}

/// Ends an order, and lets the files that still lie by it be deleted as if their days were over. None: it was ended before.
async fn end_order(change: &mut Change, order: Uuid, now: Timestamp) -> Result<Option<What>, StoreError> {
    let held = sql("SELECT state FROM file_order WHERE id = $1").bind(order);
    let from = change.connection().first(held).await?.map(|row| row.get::<String>("state")).transpose()?;
    let to = match from.as_deref() {
        Some("ANMODET") => "TRUKKET",
        Some("GODKENDT" | "SUSPENDERET") => "OPSAGT",
        _ => return Ok(None),
    };
    change.connection().execute(sql("UPDATE file_order SET state = $1 WHERE id = $2").bind(to).bind(order)).await?;
    let over = sql("UPDATE file_delivery SET delete_us = $1 WHERE file_order = $2 AND ended_us IS NULL AND delete_us > $1");
    change.connection().execute(over.bind(now.as_microsecond()).bind(order)).await?;
    let shown = Some(sha256(&format!("{order}\n")));
    Ok(Some(What { subject: Subject::FileOrder, id: order, from, to: to.to_owned(), shown }))
}

/// Disables a key. None: it was disabled before.
async fn end_key(change: &mut Change, user: Uuid, fingerprint: &str) -> Result<Option<What>, StoreError> {
    let disable = sql("UPDATE sftp_key SET disabled = $1 WHERE sftp_user = $2 AND fingerprint = $3 AND NOT disabled");
    if change.connection().execute(disable.bind(true).bind(user).bind(fingerprint)).await? == 0 {
        return Ok(None);
    }
    let shown = Some(sha256(&format!("{user}\n{fingerprint}\n")));
    Ok(Some(What { subject: Subject::SftpUser, id: user, from: None, to: "key disabled".to_owned(), shown }))
}

/// Closes what is due, of each agreement in a transaction of its own: what cannot be read of one holds up no other's.
///
/// # Errors
/// [`DecideError`], the first: a store that does not answer, or holds what the model does not have; nothing is closed of that agreement then.
pub(super) async fn look(store: &Store, rules: &Rules, now: Timestamp, most: i64) -> Result<usize, DecideError> {
    // Orders first: a key is needed by those that are left.
    let due = sql("SELECT agreement, kind FROM agreement_closing WHERE closed_at IS NULL AND closes_at <= $1
         GROUP BY agreement, kind ORDER BY kind DESC, agreement LIMIT $2");
    // Looked at first, without the write lock: most of the time there is nothing.
    let due = store.database().all(due.bind(now).bind(most)).await?;
    let (kinds, mut closed, mut tried) = (Kinds::of(rules), 0, Tried::default());
    for row in &due {
        let kind = if row.get::<String>("kind")? == ORDER { ORDER } else { KEY };
        closed += tried.of(close_one(store, row.get("agreement")?, kind, &kinds, now).await);
    }
    tried.done(closed)
}

async fn close_one(
    store: &Store,
    agreement: Uuid,
    kind: &'static str,
    kinds: &Kinds,
    now: Timestamp,
) -> Result<usize, DecideError> {
    let mut change = store.change().await?;
    let closed = close_of(&mut change, agreement, kind, kinds, now).await?;
    change.commit().await?;
    Ok(closed)
}
