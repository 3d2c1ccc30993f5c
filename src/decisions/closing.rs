//! What an agreement's end closes of files: route orders, the keys of SFTP users that have nothing left to do, and files that wait. What is
//! to be closed is listed and signed with the end, and closed when it takes effect, in the transaction that notes it. It is judged again
//! then: what another agreement covers by that day stays, and nothing is closed of a notice that was taken back.
//!
//! A file that is on its way is returned: its sender is told that the order is over. One that lies unfetched in a recipient's IN is deleted
//! as one that was not fetched in time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::record::What;
use super::{Because, DecideError, shown::sha256};
use crate::agreements::{Agreement, Change, Side, Store, page::Wanted, rules::Rules};
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closing {
    /// Route orders that no other agreement covers.
    pub orders: Vec<Uuid>,
    /// Keys of users of the system that no other order and no other agreement needs.
    pub keys: Vec<Key>,
    /// How many files wait in a recipient's IN by these orders.
    pub waiting: i64,
    /// Of each order and user the agreements whose end closes it.
    by: BTreeMap<Uuid, BTreeSet<Uuid>>,
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

/// What is closed where these agreements end at `ends_at`. `others`: the agreements of their authority.
///
/// # Errors
/// A store that does not answer.
pub(super) async fn propose(
    store: &Store,
    ending: &[&Agreement],
    others: &[Agreement],
    kinds: &Kinds,
    ends_at: Timestamp,
) -> Result<Closing, StoreError> {
    let ends = |other: &Agreement| ending.iter().any(|ends| ends.id == other.id);
    let going_on: Vec<&Agreement> = others.iter().filter(|other| !ends(other) && other.goes_on(ends_at)).collect();
    // Asked before a session is held: each takes one of its own.
    let mut stays = BTreeMap::new();
    for agreement in ending.iter().filter(|agreement| agreement.side == Side::Front) {
        let (system, environment) = (Some(agreement.system), Some(agreement.environment.clone()));
        let wanted = Wanted { system, environment, limit: u32::MAX, ..Wanted::default() };
        let goes_on = store.page(&wanted).await?.iter().any(|other| !ends(other) && other.goes_on(ends_at));
        stays.insert(agreement.id, goes_on);
    }
    let mut session = store.database().session().await?;
    let mut closing = Closing::default();
    let (mut orders, mut waiting) = (BTreeSet::new(), Vec::new());
    for agreement in ending {
        for inf_ref in kinds.0.get(&agreement.service).into_iter().flatten() {
            let open = orders_where("o.inf_ref = $1 AND o.state IN ('ANMODET', 'GODKENDT', 'SUSPENDERET')").bind(inf_ref);
            for row in session.all(open).await? {
                let order = order(&row)?;
                let covered = going_on.iter().any(|other| order.is_covered(agreement, other, kinds));
                if !order.goes_by(agreement) || covered {
                    continue;
                }
                orders.insert(order.id);
                closing.by.entry(order.id).or_default().insert(agreement.id);
                if agreement.side == Side::Front && stays.get(&agreement.id) == Some(&false) {
                    waiting.extend(order.ends.iter().map(|(user, ..)| (*user, *agreement)));
                }
            }
        }
    }
    for (user, agreement) in waiting {
        let keys = keys(&mut session, user, agreement).await?;
        if keys.is_empty() || order_needs(&mut session, user, &orders, ends_at).await? {
            continue;
        }
        closing.by.entry(user).or_default().insert(agreement.id);
        closing.keys.extend(keys);
    }
    closing.orders = orders.into_iter().collect();
    closing.keys.sort();
    closing.keys.dedup();
    for order in &closing.orders {
        let lying = sql("SELECT count(*) AS n FROM file_delivery WHERE file_order = $1 AND ended_us IS NULL").bind(*order);
        closing.waiting += session.first(lying).await?.map_or(Ok(0), |row| row.get::<i64>("n"))?;
    }
    Ok(closing)
}

/// Whether a user has an order in force besides these at `at`. One that is only asked for needs no key.
async fn order_needs(session: &mut Session, user: Uuid, besides: &BTreeSet<Uuid>, at: Timestamp) -> Result<bool, StoreError> {
    let open = sql("SELECT id FROM file_order WHERE (sender = $1 OR recipient = $1) AND state IN ('GODKENDT', 'SUSPENDERET')
         AND (valid_to IS NULL OR valid_to > $2)");
    let open = session.all(open.bind(user).bind(civil_day(at).unwrap_or_default())).await?;
    let open: Vec<Uuid> = open.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    Ok(open.iter().any(|order| !besides.contains(order)))
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

/// Notes what is closed when an end takes effect, of each agreement that ends what its own end closes.
pub(super) async fn note(change: &mut Change, closing: &Closing, at: Timestamp) -> Result<(), StoreError> {
    let orders = closing.orders.iter().map(|order| (ORDER, *order, String::new()));
    let keys = closing.keys.iter().map(|key| (KEY, key.user, key.fingerprint.clone()));
    for (kind, thing, part) in orders.chain(keys) {
        for agreement in closing.by.get(&thing).into_iter().flatten() {
            let noted = sql(
                "INSERT INTO agreement_closing (id, agreement, kind, thing, part, closes_at) VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(Uuid::now_v7())
            .bind(*agreement)
            .bind(kind)
            .bind(thing)
            .bind(&part)
            .bind(at);
            change.connection().execute(noted).await?;
        }
    }
    Ok(())
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
            let again = sql(
                "INSERT INTO agreement_closing (id, agreement, kind, thing, part, closes_at) VALUES ($1, $2, $3, $4, $5, $6)",
            );
            let again = again.bind(Uuid::now_v7()).bind(agreement).bind(kind).bind(thing).bind(part).bind(until);
            change.connection().execute(again).await?;
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

/// Closes what is due at `now`: of these agreements, or of any. How many things were closed.
pub(super) async fn close(
    change: &mut Change,
    of: Option<&BTreeSet<Uuid>>,
    kinds: &Kinds,
    now: Timestamp,
    most: i64,
) -> Result<usize, DecideError> {
    let due = sql("SELECT id, agreement, kind, thing, part FROM agreement_closing
         WHERE closed_at IS NULL AND closes_at <= $1 ORDER BY kind DESC, id LIMIT $2");
    // Orders first: a key is needed by those that are left.
    let rows = change.connection().all(due.bind(now).bind(most)).await?;
    let mut closed = 0;
    for row in &rows {
        let (id, agreement, thing): (Uuid, Uuid, Uuid) = (row.get("id")?, row.get("agreement")?, row.get("thing")?);
        if of.is_some_and(|of| !of.contains(&agreement)) {
            continue;
        }
        let because = Because::new(format!("serviceaftalen {agreement} er ophørt"), now);
        let (outcome, what) = match change.agreement(agreement).await?.filter(|ended| !ended.goes_on(now)) {
            // Whoever brought it back did not say so here.
            None => ("called off", None),
            Some(ended) => match row.get::<String>("kind")?.as_str() {
                ORDER if order_stays(change, thing, &ended, kinds, now).await? => ("kept", kept(Subject::FileOrder, thing)),
                ORDER => ("closed", end_order(change, thing, now).await?),
                _ if user_stays(change, thing, now).await? => ("kept", kept(Subject::SftpUser, thing)),
                _ => ("closed", end_key(change, thing, &row.get::<String>("part")?).await?),
            },
        };
        if let Some(what) = what {
            let why = Because::new(format!("{}, og en anden aftale bruger det", because.reason), now);
            change.made_by(None, &what, if outcome == "kept" { &why } else { &because }).await?;
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
async fn order_stays(
    change: &mut Change,
    id: Uuid,
    ended: &Agreement,
    kinds: &Kinds,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(order) = change.connection().first(orders_where("o.id = $1").bind(id)).await?.as_ref().map(order).transpose()?
    else {
        return Ok(false);
    };
    let others = change.of_authority(ended.authority, &ended.environment).await?;
    Ok(others.iter().any(|other| other.id != ended.id && other.goes_on(now) && order.is_covered(ended, other, kinds)))
}

/// Whether an order, or an agreement of the user's system, needs the user's keys at `now`.
async fn user_stays(change: &mut Change, user: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    if order_needs(change.connection(), user, &BTreeSet::new(), now).await? {
        return Ok(true);
    }
    let of = sql("SELECT system, environment FROM sftp_user WHERE id = $1").bind(user);
    let Some(row) = change.connection().first(of).await? else { return Ok(false) };
    let (system, environment) = (row.get("system")?, row.parsed("environment")?);
    Ok(change.of_system(system, &environment).await?.iter().any(|other| other.goes_on(now)))
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

/// Closes what is due, in one transaction.
///
/// # Errors
/// [`DecideError`]: a store that does not answer; nothing is closed then.
pub(super) async fn look(store: &Store, rules: &Rules, now: Timestamp, most: i64) -> Result<usize, DecideError> {
    let due = sql("SELECT id FROM agreement_closing WHERE closed_at IS NULL AND closes_at <= $1 LIMIT 1").bind(now);
    // Looked at first, without the write lock: most of the time there is nothing.
    if store.database().first(due).await?.is_none() {
        return Ok(0);
    }
    let mut change = store.change().await?;
    let closed = close(&mut change, None, &Kinds::of(rules), now, most).await?;
    change.commit().await?;
    Ok(closed)
}
