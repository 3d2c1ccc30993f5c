//! What an agreement's end closes of files: route orders, the keys of SFTP users that have nothing left to do, and files that wait. What is
//! to be closed is listed and signed with the end, and closed when it takes effect, in the transaction that notes it.
//!
//! A file that is on its way is returned: its sender is told that the order is over. One that lies unfetched in a recipient's IN is deleted
//! as one that was not fetched in time.

use jiff::Timestamp;
use uuid::Uuid;

use super::ending::is_open;
use super::record::What;
use super::{Because, DecideError, shown::sha256};
use crate::agreements::{Agreement, Change, Side, Store, page::Wanted, rules::Rules};
use crate::audit::Subject;
use crate::store::{Row, StoreError, sql};

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
    /// Route orders.
    pub orders: Vec<Uuid>,
    /// Keys of users of the system that no other order and no other agreement needs.
    pub keys: Vec<Key>,
    /// How many files wait in a recipient's IN by these orders.
    pub waiting: i64,
}

struct Order {
    id: Uuid,
    sender: Uuid,
    recipient: Uuid,
}

fn order(row: &Row) -> Result<Order, StoreError> {
    Ok(Order { id: row.get("id")?, sender: row.get("sender")?, recipient: row.get("recipient")? })
}

/// What is closed where these agreements end at `ends_at`.
///
/// # Errors
/// A store that does not answer.
pub(super) async fn propose(
    store: &Store,
    ending: &[&Agreement],
    rules: &Rules,
    ends_at: Timestamp,
) -> Result<Closing, StoreError> {
    let mut session = store.database().session().await?;
    let mut closing = Closing::default();
    for agreement in ending {
        for inf_ref in rules.of(agreement.service).inf_refs {
            // In front it is the system that sends and receives; behind, whatever goes for the authority.
            let whose = match agreement.side {
                Side::Front => sql("SELECT o.id, o.sender, o.recipient FROM file_order o
                     JOIN sftp_user s ON s.id = o.sender JOIN sftp_user r ON r.id = o.recipient
                     WHERE o.inf_ref = $1 AND o.state IN ('ANMODET', 'GODKENDT', 'SUSPENDERET') AND s.environment = $2
                     AND ((o.sender_authority = $3 AND s.system = $4) OR (o.recipient_authority = $3 AND r.system = $4))")
                .bind(&inf_ref)
                .bind(agreement.environment.as_str())
                .bind(agreement.authority.to_string())
                .bind(agreement.system),
                Side::Back => sql("SELECT o.id, o.sender, o.recipient FROM file_order o JOIN sftp_user s ON s.id = o.sender
                     WHERE o.inf_ref = $1 AND o.state IN ('ANMODET', 'GODKENDT', 'SUSPENDERET') AND s.environment = $2
                     AND (o.sender_authority = $3 OR o.recipient_authority = $3)")
                .bind(&inf_ref)
                .bind(agreement.environment.as_str())
                .bind(agreement.authority.to_string()),
            };
            let orders: Vec<Order> = session.all(whose).await?.iter().map(order).collect::<Result<_, _>>()?;
            closing.orders.extend(orders.iter().map(|order| order.id));
            if agreement.side == Side::Back || stays(store, agreement, ending, ends_at).await? {
                continue;
            }
            let parties = orders.iter().flat_map(|order| [order.sender, order.recipient]);
            for user in parties {
                closing.keys.extend(keys(&mut session, user, agreement).await?);
            }
        }
    }
    closing.orders.sort_unstable();
    closing.orders.dedup();
    let mut needed = Vec::new();
    for key in &closing.keys {
        let open = sql("SELECT id, sender, recipient FROM file_order
             WHERE (sender = $1 OR recipient = $1) AND state IN ('ANMODET', 'GODKENDT', 'SUSPENDERET')");
        let open: Vec<Order> = session.all(open.bind(key.user)).await?.iter().map(order).collect::<Result<_, _>>()?;
        if open.iter().any(|order| !closing.orders.contains(&order.id)) {
            needed.push(key.user);
        }
    }
    closing.keys.retain(|key| !needed.contains(&key.user));
    closing.keys.sort();
    closing.keys.dedup();
    for order in &closing.orders {
        let lying = sql("SELECT count(*) AS n FROM file_delivery WHERE file_order = $1 AND ended_us IS NULL").bind(*order);
        closing.waiting += session.first(lying).await?.map_or(Ok(0), |row| row.get::<i64>("n"))?;
    }
    Ok(closing)
}

/// Whether the system has an agreement yet, of whatever authority, when these have ended.
async fn stays(store: &Store, of: &Agreement, ending: &[&Agreement], ends_at: Timestamp) -> Result<bool, StoreError> {
    let wanted =
        Wanted { system: Some(of.system), environment: Some(of.environment.clone()), limit: u32::MAX, ..Wanted::default() };
    let others = store.page(&wanted).await?;
    let goes_on = |other: &Agreement| is_open(other) || other.ends_at.is_some_and(|end| end > ends_at);
    Ok(others.iter().any(|other| goes_on(other) && !ending.iter().any(|ends| ends.id == other.id)))
}

/// The keys in use of an SFTP user of the agreement's system.
async fn keys(session: &mut crate::store::Session, user: Uuid, agreement: &Agreement) -> Result<Vec<Key>, StoreError> {
    let held = sql("SELECT u.id, u.name, k.fingerprint FROM sftp_user u JOIN sftp_key k ON k.sftp_user = u.id
         WHERE u.id = $1 AND u.system = $2 AND NOT k.disabled");
    let rows = session.all(held.bind(user).bind(agreement.system)).await?;
    rows.iter()
        .map(|row| Ok(Key { user: row.get("id")?, name: row.get("name")?, fingerprint: row.get("fingerprint")? }))
        .collect()
}

const ORDER: &str = "order";
const KEY: &str = "key";

/// Notes what is closed when an agreement's end takes effect.
pub(super) async fn note(change: &mut Change, agreement: Uuid, closing: &Closing, at: Timestamp) -> Result<(), StoreError> {
    let orders = closing.orders.iter().map(|order| (ORDER, *order, String::new()));
    let keys = closing.keys.iter().map(|key| (KEY, key.user, key.fingerprint.clone()));
    for (kind, thing, part) in orders.chain(keys) {
        let noted =
            sql("INSERT INTO agreement_closing (id, agreement, kind, thing, part, closes_at) VALUES ($1, $2, $3, $4, $5, $6)")
                .bind(Uuid::now_v7())
                .bind(agreement)
                .bind(kind)
                .bind(thing)
                .bind(part)
                .bind(at);
        change.connection().execute(noted).await?;
    }
    Ok(())
}

/// Closes what is due at `now`: of one agreement, or of any. How many things were closed.
pub(super) async fn close(change: &mut Change, of: Option<Uuid>, now: Timestamp, most: i64) -> Result<usize, DecideError> {
    let due = sql("SELECT id, agreement, kind, thing, part FROM agreement_closing
         WHERE closed_at IS NULL AND closes_at <= $1 ORDER BY id LIMIT $2");
    let rows = change.connection().all(due.bind(now).bind(most)).await?;
    let mut closed = 0;
    for row in &rows {
        let (id, agreement, thing): (Uuid, Uuid, Uuid) = (row.get("id")?, row.get("agreement")?, row.get("thing")?);
        if of.is_some_and(|of| of != agreement) {
            continue;
        }
        let because = Because::new(format!("serviceaftalen {agreement} er ophørt"), now);
        let what = match row.get::<String>("kind")?.as_str() {
            ORDER => end_order(change, thing, now).await?,
            _ => end_key(change, thing, &row.get::<String>("part")?).await?,
        };
        if let Some(what) = what {
            change.made_by(None, &what, &because).await?;
            closed += 1;
        }
        let done = sql("UPDATE agreement_closing SET closed_at = $1 WHERE id = $2 AND closed_at IS NULL");
        change.connection().execute(done.bind(now).bind(id)).await?;
    }
    Ok(closed)
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

/// Closes what is due, each agreement's end in a transaction of its own.
///
/// # Errors
/// [`DecideError`]: a store that does not answer; what was closed before it stays closed.
pub(super) async fn look(store: &Store, now: Timestamp, most: i64) -> Result<usize, DecideError> {
    let due = sql("SELECT id FROM agreement_closing WHERE closed_at IS NULL AND closes_at <= $1 LIMIT 1").bind(now);
    // Looked at first, without the write lock: most of the time there is nothing.
    if store.database().first(due).await?.is_none() {
        return Ok(0);
    }
    let mut change = store.change().await?;
    let closed = close(&mut change, None, now, most).await?;
    change.commit().await?;
    Ok(closed)
}
