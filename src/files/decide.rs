//! Decisions on users of the SFTP service, route orders and transfers: who may, and that it is written who did. As every
//! decision, each is put into the audit's chain by a serving node.
//!
//! Operators make users and give them keys, announce host keys, and try transfers again; a transfer is delivered once more by them, or by whom its
//! recipient belongs to. A route order is requested by whom the recipient belongs to (its company, or the
//! authority itself), and approved by a signatory of the recipient's authority who did not request it.

use jiff::Timestamp;
use uuid::Uuid;

use super::announce::{self, Announced, HostKey};
use super::home::Fingerprint;
use super::key::PublicKey;
use super::monitoring::{self, Monitoring, MonitoringError};
use super::operate::{self, OperateError};
use super::orders::{self, Order, OrderError};
use super::transfers;
use super::users::{self, Changed, User, UserError};
use crate::agreements::{Change, State, Store};
use crate::audit::Subject;
use crate::clock::Clock;
use crate::decisions::agreement::may_lift;
use crate::decisions::record::{What, behind};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError};
use crate::refusal::{Detail, api::ApiRefusal};
use crate::store::{StoreError, until_it_holds};
use crate::users::rights::{Action, Role};
use crate::users::{Actor, Whose};

/// Why it was not decided. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum FileDecideError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The transfer.
    #[error(transparent)]
    Operate(#[from] OperateError),
    /// The monitoring order.
    #[error(transparent)]
    Monitoring(#[from] MonitoringError),
}

impl From<StoreError> for FileDecideError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

impl From<ApiRefusal> for FileDecideError {
    fn from(refusal: ApiRefusal) -> Self {
        Self::Decide(refusal.into())
    }
}

/// What an order is, a line each: what whoever approves it is shown and signs.
pub fn text(order: &Order) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    format!(
        "ruteordre: {}\ntilstand: {}\nafsender (SFTP-bruger): {}\nmodtager (SFTP-bruger): {}\nafsendermyndighed (CVR): {}\n\
         modtagermyndighed (CVR): {}\nInfRef: {}\nfilnavne: {}\nhjemmel: {}\nformål: {}\ngælder fra: {}\ngælder til (ikke med): {}\n\
         største fil (bytes): {}\nkopi gemmes (dage): {}\nalarm efter (timer): {}\nslettes efter (dage): {}\n",
        order.id,
        order.state.wire_name(),
        order.sender,
        order.recipient,
        order.sender_authority,
        order.recipient_authority,
        or_dash(&order.inf_ref),
        or_dash(&order.pattern),
        order.legal_basis,
        order.purpose,
        order.valid_from,
        order.valid_to.map_or("-".to_owned(), |to| to.to_string()),
        order.largest_bytes,
        order.keep_days,
        order.alarm_hours,
        order.delete_days,
    )
}

/// Who decides, and that this user may: none is whoever holds the store.
async fn operator(
    store: &Store,
    by: Option<By<'_>>,
    what: &What,
    because: &Because,
) -> Result<Option<(Actor, Role)>, FileDecideError> {
    let Some(by) = by else { return Ok(None) };
    let actor = by.of(store, what, because).await?;
    let role = actor.may(Action::ManageUsers)?;
    Ok(Some((actor, role)))
}

fn on_user(user: Uuid, to: &str, shown: &str) -> What {
    What { subject: Subject::SftpUser, id: user, from: None, to: to.to_owned(), shown: Some(sha256(shown)) }
}

/// Does something to a user, and writes who did.
async fn to_user(
    store: &Store,
    by: Option<By<'_>>,
    what: What,
    because: &Because,
    done: impl AsyncFn(&mut Change) -> Result<(), UserError>,
) -> Result<(), FileDecideError> {
    let proven = operator(store, by, &what, because).await?;
    until_it_holds(async || {
        let mut change = store.change().await?;
        done(&mut change).await?;
        change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
        Ok(change.commit().await?)
    })
    .await
}

/// Adds a user.
///
/// # Errors
/// [`FileDecideError`].
pub async fn add_user(store: &Store, by: Option<By<'_>>, user: &User, because: &Because) -> Result<(), FileDecideError> {
    let shown = format!("{}\n{}\n{}\n{}\n", user.name, user.environment, user.system, user.authority);
    let what = on_user(user.id, "added", &shown);
    to_user(store, by, what, because, async |change| users::add(change.connection(), user, because.at).await).await
}

/// Changes a user.
///
/// # Errors
/// [`FileDecideError`].
pub async fn change_user(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    changed: &Changed,
    because: &Because,
) -> Result<(), FileDecideError> {
    let to = match changed.disabled {
        Some(true) => "disabled",
        Some(false) => "enabled",
        None => "changed",
    };
    let what = on_user(user.id, to, &format!("{}\n{changed:?}\n", user.name));
    to_user(store, by, what, because, async |change| users::change(change.connection(), user, changed).await).await
}

/// Gives a user a key.
///
/// # Errors
/// [`FileDecideError`].
pub async fn add_key(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    key: &PublicKey,
    label: &str,
    valid_to: Option<Timestamp>,
    because: &Because,
) -> Result<(), FileDecideError> {
    let what = on_user(user.id, "key added", &format!("{}\n{}\n", user.name, key.fingerprint()));
    let add = async |change: &mut Change| users::add_key(change.connection(), user.id, key, label, valid_to, because.at).await;
    to_user(store, by, what, because, add).await
}

/// Disables a user's key.
///
/// # Errors
/// [`FileDecideError`].
pub async fn disable_key(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    key: Fingerprint,
    because: &Because,
) -> Result<(), FileDecideError> {
    let what = on_user(user.id, "key disabled", &format!("{}\n{key}\n", user.name));
    to_user(store, by, what, because, async |change| users::disable_key(change.connection(), user.id, key).await).await
}

/// Adds a monitoring order of a user.
///
/// # Errors
/// [`FileDecideError`].
pub async fn monitor(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    order: Monitoring,
    because: &Because,
) -> Result<(), FileDecideError> {
    until_it_holds(async || monitor_once(store, by, user, order.clone(), because).await).await
}

async fn monitor_once(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    order: Monitoring,
    because: &Because,
) -> Result<(), FileDecideError> {
    let order = order.sound()?;
    let what = on_user(user.id, "monitoring added", &monitoring::text(&order, user));
    let proven = operator(store, by, &what, because).await?;
    let mut change = store.change().await?;
    monitoring::add(change.connection(), &order).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}

/// Ends a monitoring order.
///
/// # Errors
/// [`FileDecideError`].
pub async fn end_monitoring(store: &Store, by: Option<By<'_>>, id: Uuid, because: &Because) -> Result<(), FileDecideError> {
    until_it_holds(async || end_monitoring_once(store, by, id, because).await).await
}

async fn end_monitoring_once(store: &Store, by: Option<By<'_>>, id: Uuid, because: &Because) -> Result<(), FileDecideError> {
    let mut session = store.database().session().await?;
    let order = monitoring::with_id(&mut session, id).await?;
    let user = users::with_id(&mut session, order.user).await?;
    drop(session);
    let user = user.ok_or_else(|| UserError::NoSuchUser(order.user.to_string()))?;
    let what = on_user(user.id, "monitoring ended", &monitoring::text(&order, &user));
    let proven = operator(store, by, &what, because).await?;
    let mut change = store.change().await?;
    monitoring::end(change.connection(), id, because.at).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}

/// Announces a host key: from then on letters go out. Announced once more it is one more decision, and tells those who were not told.
///
/// # Errors
/// [`FileDecideError`].
pub async fn announce_host_key(
    store: &Store,
    by: Option<By<'_>>,
    key: &HostKey,
    because: &Because,
) -> Result<Announced, FileDecideError> {
    let what = What {
        subject: Subject::SftpHostKey,
        id: announce::id(&key.fingerprint),
        from: None,
        to: "announced".to_owned(),
        shown: Some(sha256(&key.text())),
    };
    let proven = operator(store, by, &what, because).await?;
    until_it_holds(async || -> Result<(), FileDecideError> {
        let mut change = store.change().await?;
        change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
        Ok(change.commit().await?)
    })
    .await?;
    Ok(announce::host_key(store.database(), key, because.at).await?)
}

fn on_order(order: &Order, from: Option<State>, to: State) -> What {
    What {
        subject: Subject::FileOrder,
        id: order.id,
        from: from.map(|from| from.wire_name().to_owned()),
        to: to.wire_name().to_owned(),
        shown: Some(sha256(&text(order))),
    }
}

fn no_order() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("ruteordre", "route order") }
}

/// Whether a user may have to do with an order at all: its authority's, or as `recipient` of the company that it acts for.
fn is_of(actor: &Actor, order: &Order, recipient: &User) -> bool {
    let scope = actor.scope();
    let whose = match scope.whose {
        Whose::Everybody => true,
        Whose::Authority(own) => own == order.recipient_authority,
        Whose::Supplier(own) => own == recipient.authority,
        Whose::Nobody => false,
    };
    // A role for single services is for none of files.
    whose && scope.services.is_empty()
}

/// Requests an order.
///
/// # Errors
/// [`FileDecideError`]: a user who may not, one in the way.
pub async fn request(store: &Store, by: By<'_>, order: Order, because: &Because) -> Result<Order, FileDecideError> {
    until_it_holds(async || request_once(store, by, order.clone(), because).await).await
}

async fn request_once(store: &Store, by: By<'_>, order: Order, because: &Because) -> Result<Order, FileDecideError> {
    let order = Order { state: State::Requested, ..order }.sound()?;
    let what = on_order(&order, None, State::Requested);
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::RequestAgreement)?;
    let mut change = store.change().await?;
    let recipient = users::with_id(change.connection(), order.recipient).await?.ok_or_else(no_order)?;
    if !is_of(&actor, &order, &recipient) {
        return Err(ApiRefusal::ApiOtherParty.into());
    }
    orders::add(change.connection(), &order).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    change.commit().await?;
    Ok(order)
}

/// Decides on an order as it was shown.
///
/// # Errors
/// [`FileDecideError`]: a user who may not, a state that does not allow it, what changed since.
pub async fn decide(store: &Store, by: By<'_>, shown: &Order, to: State, because: &Because) -> Result<(), FileDecideError> {
    until_it_holds(async || decide_once(store, by, shown, to, because).await).await
}

async fn decide_once(store: &Store, by: By<'_>, shown: &Order, to: State, because: &Because) -> Result<(), FileDecideError> {
    let transition =
        || ApiRefusal::ApiTransition { from: Detail::name(shown.state.wire_name()), to: Detail::name(to.wire_name()) };
    let action = Action::of_change(shown.state, to).ok_or_else(transition)?;
    let what = on_order(shown, Some(shown.state), to);
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(action)?;
    let mut change = store.change().await?;
    let order = orders::with_id(change.connection(), shown.id).await?;
    let recipient = users::with_id(change.connection(), order.recipient).await?.ok_or_else(no_order)?;
    if !is_of(&actor, &order, &recipient) {
        return Err(no_order().into());
    }
    if order != *shown {
        return Err(ApiRefusal::ApiPreconditionFailed.into());
    }
    if !order.state.may_become(to) {
        return Err(transition().into());
    }
    let made = change.made_on(Subject::FileOrder, order.id).await?;
    match action {
        Action::ApproveAgreement => {
            let created = made.iter().find(|made| made.what.to == State::Requested.wire_name());
            let created = created.filter(|created| created.user.is_some()).ok_or(ApiRefusal::ApiCreatorUnknown)?;
            // By person: one with two users is not two, nor are a substitute and whom they stand for.
            if let Some(same) = actor.same_among(&behind(change.connection(), created).await?, because.at) {
                return Err(ApiRefusal::ApiCreatorApproves { or: same.describe() }.into());
            }
        }
        Action::ResumeAgreement => may_lift(change.connection(), &made, &actor, role).await?,
        _ => {}
    }
    orders::set_state(change.connection(), order.id, to).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Ok(change.commit().await?)
}

fn no_transfer() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("overførsel til den modtager", "transfer to that recipient") }
}

/// Who has a transfer delivered once more: an operator, or whoever requests route orders for its recipient. To others it is not there.
async fn operator_or_recipient(
    store: &Store,
    by: Option<By<'_>>,
    what: &What,
    (transfer, recipient): (Uuid, &str),
    because: &Because,
) -> Result<Option<(Actor, Role)>, FileDecideError> {
    let Some(by) = by else { return Ok(None) };
    let actor = by.of(store, what, because).await?;
    if let Ok(role) = actor.may(Action::ManageUsers) {
        return Ok(Some((actor, role)));
    }
    let role = actor.may(Action::RequestAgreement)?;
    let mut session = store.database().session().await?;
    let recipient = users::named(&mut session, recipient).await?.ok_or_else(no_transfer)?;
    let deliveries = transfers::deliveries(&mut session, transfer).await?;
    let delivery = deliveries.iter().find(|delivery| delivery.recipient == recipient.id).ok_or_else(no_transfer)?;
    let order = orders::with_id(&mut session, delivery.order).await?;
    if !is_of(&actor, &order, &recipient) {
        return Err(no_transfer().into());
    }
    Ok(Some((actor, role)))
}

/// What an operator does to a transfer, or its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Try a refused one again.
    Retry,
    /// Deliver it to this user once more.
    Redeliver(String),
}

/// Does it, and writes who did.
///
/// # Errors
/// [`FileDecideError`].
pub async fn operate(
    store: &Store,
    by: Option<By<'_>>,
    transfer: Uuid,
    operation: &Operation,
    clock: &Clock,
    because: &Because,
) -> Result<(), FileDecideError> {
    until_it_holds(async || operate_once(store, by, transfer, operation, clock, because).await).await
}

async fn operate_once(
    store: &Store,
    by: Option<By<'_>>,
    transfer: Uuid,
    operation: &Operation,
    clock: &Clock,
    because: &Because,
) -> Result<(), FileDecideError> {
    let to = match operation {
        Operation::Retry => "retried",
        Operation::Redeliver(_) => "redelivered",
    };
    let what = What {
        subject: Subject::Transfer,
        id: transfer,
        from: None,
        to: to.to_owned(),
        shown: Some(sha256(&format!("{operation:?}"))),
    };
    let proven = match operation {
        Operation::Retry => operator(store, by, &what, because).await?,
        Operation::Redeliver(recipient) => {
            operator_or_recipient(store, by, &what, (transfer, recipient.as_str()), because).await?
        }
    };
    let mut change = store.change().await?;
    match operation {
        Operation::Retry => operate::retry(store.database(), change.transaction(), transfer).await?,
        Operation::Redeliver(recipient) => operate::redeliver(change.transaction(), transfer, recipient, clock).await?,
    }
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}
