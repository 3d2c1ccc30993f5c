//! Who agrees to a connection, and for which of its sides: until a side has, nothing of it is shown or stated in the connection.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::decide::{ConnectionError, decision, on, refused, text};
use super::graph::Consenting;
use super::store::{Connection, agreement_stands, connection};
use crate::agreements::Store;
use crate::decisions::{Because, By, DecideError, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
use crate::store::{Session, StoreError, sql, until_it_holds};
use crate::users::rights::{Action, Side};
use crate::users::{Actor, User};

/// Whether one's agreements on a side name a system: an authority's own, and those that a company asked for. Only what a signatory
/// approved and nobody has ended counts: anybody asks for whatever they like, and on trial has it at once.
pub(super) async fn is_named(
    session: &mut Session,
    (by, own): (Option<Side>, Option<Cvr>),
    (side, system): (crate::agreements::Side, Uuid),
    at: Timestamp,
) -> Result<bool, StoreError> {
    let own = own.map(|cvr| cvr.to_string());
    macro_rules! stands {
        ($whose:literal) => {
            concat!(
                "SELECT 1 AS named FROM agreement WHERE side = $1 AND system = $2 AND ",
                agreement_stands!("$4"),
                " AND ",
                $whose,
                " LIMIT 1"
            )
        };
    }
    let query = match by {
        Some(Side::Authority) => sql(stands!("authority = $3")),
        _ => sql(stands!(
            "EXISTS (SELECT 1 FROM decision WHERE subject = 'agreement' AND subject_id = agreement.id AND to_state = 'ANMODET'
                 AND party = $3)"
        )),
    };
    Ok(session.first(query.bind(side.name()).bind(system).bind(own).bind(at)).await?.is_some())
}

/// Whose the register says that a system is.
async fn holder_of(session: &mut Session, system: Uuid) -> Result<Option<Cvr>, StoreError> {
    let row = session.first(sql("SELECT party FROM client_system WHERE id = $1").bind(system)).await?;
    Ok(row.map(|row| row.maybe_parsed("party")).transpose()?.flatten())
}

/// Whether an id stands for a system in what is another authority's, which it may serve: an agreement that was not rejected or taken
/// back, a route, a user of files, a connection.
async fn serves_others(session: &mut Session, system: Uuid, own: Cvr) -> Result<bool, StoreError> {
    let named =
        sql("SELECT 1 AS named FROM agreement WHERE system = $1 AND authority <> $2 AND state NOT IN ('AFVIST', 'TRUKKET')
         UNION ALL SELECT 1 FROM route WHERE system = $1 AND (receiver IS NULL OR receiver <> $2)
         UNION ALL SELECT 1 FROM sftp_user WHERE system = $1 AND authority <> $2
         UNION ALL SELECT 1 FROM connection WHERE client = $1 AND authority <> $2
         UNION ALL SELECT 1 FROM connection WHERE receiver = $1 AND receiver_authority <> $2 AND consented_at IS NOT NULL
         LIMIT 1");
    Ok(session.first(named.bind(system).bind(own.to_string())).await?.is_some())
}

/// Who speaks for the system that receives, the operators aside.
pub(super) struct Speakers {
    /// Whoever it is registered as.
    pub holder: Option<Cvr>,
    /// Whether the receiver's authority does: an agreement of it that was approved names the system. What stands in no register as
    /// somebody's is spoken for so only where nothing of others names it: then the operators know whose it is. A route does not
    /// count: its authority writes any system into it alone.
    pub authority: bool,
}

/// The same of a connection; none: there is no such system.
pub(super) async fn speakers(
    session: &mut Session,
    connection: &Connection,
    at: Timestamp,
) -> Result<Option<Speakers>, StoreError> {
    let Some(receiver) = connection.receiver else { return Ok(None) };
    let (holder, own) = (holder_of(session, receiver).await?, connection.receiver_authority);
    let mut authority = holder.is_some() || !serves_others(session, receiver, own).await?;
    if authority {
        let (by, back, front) =
            ((Some(Side::Authority), Some(own)), crate::agreements::Side::Back, crate::agreements::Side::Front);
        authority = is_named(session, by, (back, receiver), at).await? || is_named(session, by, (front, receiver), at).await?;
    }
    Ok(Some(Speakers { holder, authority }))
}

/// Whether a user speaks for the system that receives.
pub(super) async fn speaks_for_receiver(
    session: &mut Session,
    user: &User,
    connection: &Connection,
    at: Timestamp,
) -> Result<bool, StoreError> {
    if user.side() == Some(Side::Operators) {
        return Ok(true);
    }
    let Some(speakers) = speakers(session, connection, at).await? else { return Ok(true) };
    let is_authority = user.side() == Some(Side::Authority) && user.party == Some(connection.receiver_authority);
    Ok(user.party.is_some() && speakers.holder == user.party || is_authority && speakers.authority)
}

/// Whether a user is the client's authority's, or an operator on its behalf.
fn speaks_for_authority(user: &User, connection: &Connection) -> bool {
    match user.side() {
        Some(Side::Operators) => true,
        Some(Side::Authority) => user.party == Some(connection.authority),
        _ => false,
    }
}

/// For which sides a user may agree to a connection that has not ended: the client's authority's, the receiver's.
async fn open_to(
    session: &mut Session,
    user: &User,
    connection: &Connection,
    at: Timestamp,
) -> Result<BTreeSet<Consenting>, StoreError> {
    let mut open = connection.awaits();
    if connection.ended.is_some() || !speaks_for_authority(user, connection) {
        open.remove(&Consenting::Authority);
    }
    if open.contains(&Consenting::Receiver)
        && (connection.ended.is_some() || !speaks_for_receiver(session, user, connection, at).await?)
    {
        open.remove(&Consenting::Receiver);
    }
    Ok(open)
}

/// Agrees to a connection for a side, the receiver's or the client's authority's: from then on its tasks are shown in it. `side` left out:
/// for whichever is the user's own and has not. An operator, who speaks for either, says for which.
///
/// # Errors
/// [`ConnectionError`]: a user who may not, or who does not speak for the system that receives; an operator who does not say for which
/// side; one that was agreed to or has ended.
pub async fn consent(
    store: &Store,
    by: By<'_>,
    (known, side): (&Connection, Option<Consenting>),
    because: &Because,
    kept: Option<Kept<'_, Connection>>,
) -> Result<Connection, ConnectionError> {
    until_it_holds(async || consent_once(store, by, (known, side), because, kept).await).await
}

/// The sides for which a user wants to agree.
fn wanted_sides(user: &User, known: &Connection, side: Option<Consenting>) -> BTreeSet<Consenting> {
    match side {
        Some(side) => [side].into(),
        None if user.side() == Some(Side::Operators) => BTreeSet::new(),
        None if speaks_for_authority(user, known) => [Consenting::Authority, Consenting::Receiver].into(),
        None => [Consenting::Receiver].into(),
    }
}

async fn consent_once(
    store: &Store,
    by: By<'_>,
    (known, side): (&Connection, Option<Consenting>),
    because: &Because,
    kept: Option<Kept<'_, Connection>>,
) -> Result<Connection, ConnectionError> {
    let receiver = match known.receiver {
        Some(receiver) => store.system(receiver).await?.and_then(|receiver| receiver.party),
        None => None,
    };
    let user = by.who(store, because.at).await?.user().clone();
    let wanted = wanted_sides(&user, known, side);
    let of_authority = wanted.contains(&Consenting::Authority) && known.authority_consented.is_none();
    let whose = match of_authority {
        true => [known.authority; 2],
        false => [known.receiver_authority, receiver.or(known.receiver_supplier).unwrap_or(known.receiver_authority)],
    };
    let mut open = open_to(&mut store.database().session().await?, &user, known, because.at).await?;
    open.retain(|side| wanted.contains(side));
    let all = |words: fn(Consenting) -> String, and: &str| open.iter().map(|side| words(*side)).collect::<Vec<_>>().join(and);
    let to = format!("consented for {}", all(|side| side.name().to_owned(), " and "));
    let shown = format!("{}bekræftes for: {}\n", text(known), all(|side| side.describe().da().to_owned(), " og "));
    let what = on(known, Some("added".to_owned()), to, &shown);
    let mut deciding = decision(known, what, Action::AddConnection, whose, because).begin(store, by).await?;
    if wanted.is_empty() {
        return Err(refused(
            "angiv, for hvilken side I bekræfter: authority (myndigheden) eller receiver (modtagersiden)",
            "say for which side you agree: authority or receiver",
        ));
    }
    let session = deciding.change.connection();
    let now = connection(session, known.id, because.at).await?.ok_or(ConnectionError::NoSuch(known.id))?;
    let mut still = open_to(session, &user, &now, because.at).await?;
    still.retain(|side| wanted.contains(side));
    if still != open {
        return Err(DecideError::from(ApiRefusal::ApiPreconditionFailed).into());
    }
    let (for_authority, for_receiver) = (open.contains(&Consenting::Authority), open.contains(&Consenting::Receiver));
    if open.is_empty() {
        return Err(match now.ended.is_some() || now.awaits().is_disjoint(&wanted) {
            true => refused("forbindelsen er bekræftet eller afsluttet", "the connection was agreed to already, or has ended"),
            false => refused(
                "modtagersystemet er en andens, eller ingen af jeres godkendte aftaler nævner det; den, der har registreret det, eller \
                 driften bekræfter forbindelsen",
                "the receiving system is another's, or none of your approved agreements names it; whoever registered it, or the \
                 operators, agree to the connection",
            ),
        });
    }
    if for_receiver {
        let update = sql("UPDATE connection SET consented_at = $1 WHERE id = $2").bind(because.at).bind(known.id);
        session.execute(update).await?;
    }
    // That its authority agreed is this decision.
    let known = Connection {
        consented: if for_receiver { Some(because.at) } else { now.consented },
        authority_consented: if for_authority { Some(because.at) } else { now.authority_consented },
        ..now
    };
    deciding.keep(kept, &known).await?;
    Ok(known)
}

/// For which sides a user may agree to a connection.
///
/// # Errors
/// A store that does not answer.
pub async fn may_consent(
    store: &Store,
    actor: &Actor,
    connection: &Connection,
    at: Timestamp,
) -> Result<BTreeSet<Consenting>, StoreError> {
    if actor.may(Action::AddConnection).is_err() || !connection.is_seen_by(&actor.scope()) {
        return Ok(BTreeSet::new());
    }
    let mut session = store.database().session().await?;
    open_to(&mut session, actor.user(), connection, at).await
}
