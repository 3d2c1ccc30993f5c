//! What persons decide on connections: that there is one, that a task is done, and whom it is given to. Each is written with the
//! proof of who did, as other decisions are.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::consent::{is_named, speaks_for_receiver};
use super::graph::{Consenting, Once, Task};
use super::shown::{Shown, View, views};
use super::standing::State;
use super::store::{Connection, connection};
use crate::agreements::request::names_a_person;
use crate::agreements::{Environment, Store};
use crate::audit::Subject;
use crate::decisions::record::What;
use crate::decisions::service::{Deciding, Decision, For};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError, Kept};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::store::{Session, StoreError, sql, until_it_holds};
use crate::users::rights::{Action, Side};
use crate::users::store::{UserError, known as user};
use crate::users::{Actor, User, Whose};

/// The longest reference, in characters.
pub const LONGEST_REFERENCE: usize = 200;

/// The most connections that people of one authority or company have added and not ended: of 98 authorities with 100 systems each.
pub const MOST_OF_A_PARTY: i64 = 98 * 100;

/// Why something was not decided on a connection. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// There is no such connection.
    #[error("there is no connection {0}; `hjemmel connection list` shows them")]
    NoSuch(Uuid),
    /// It cannot be so.
    #[error("{}", .0.en())]
    Refused(Detail),
}

impl From<StoreError> for ConnectionError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

pub(super) fn refused(da: impl Into<String>, en: impl Into<String>) -> ConnectionError {
    ConnectionError::Refused(Detail::new(da, en))
}

/// A connection that is to be added.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct New {
    pub graph: String,
    pub service: Uuid,
    pub environment: Environment,
    /// The authority whose client system it is.
    pub authority: Cvr,
    /// The client system.
    pub client: Uuid,
    /// The company that runs it.
    pub client_supplier: Option<Cvr>,
    /// The system that receives.
    pub receiver: Option<Uuid>,
    /// Its authority; none: the same.
    pub receiver_authority: Option<Cvr>,
    /// The company that runs it.
    pub receiver_supplier: Option<Cvr>,
    /// What it uses.
    pub options: BTreeSet<String>,
}

impl New {
    /// The connection, if its graph can have one like it.
    ///
    /// # Errors
    /// [`ConnectionError::Refused`].
    pub fn connection(self, now: Timestamp) -> Result<Connection, ConnectionError> {
        let Some(graph) = super::graph(&self.graph) else {
            let known = super::graphs().iter().map(|graph| graph.id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(refused(format!("grafen er en af {known}"), format!("a graph is one of {known}")));
        };
        if let Some(option) = self.options.iter().find(|option| !graph.options.iter().any(|known| known.id == **option)) {
            let known = graph.options.iter().map(|option| option.id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(refused(
                format!("{option} kan ikke vælges for {}, men {known}", graph.id),
                format!("{option} is no option of {}; {known} are", graph.id),
            ));
        }
        if graph.receiver.is_some() != self.receiver.is_some() {
            return Err(match graph.receiver.is_some() {
                true => refused("angiv modtagersystemet", "name the receiving system"),
                false => refused("her er intet modtagersystem; udelad det", "there is no receiving system here; leave it out"),
            });
        }
        Ok(Connection {
            id: Uuid::now_v7(),
            graph: self.graph,
            service: self.service,
            environment: self.environment,
            authority: self.authority,
            client: self.client,
            client_supplier: self.client_supplier,
            receiver: self.receiver,
            receiver_authority: self.receiver_authority.unwrap_or(self.authority),
            receiver_supplier: self.receiver_supplier,
            options: self.options,
            added: crate::store::value::to_microsecond(now),
            ended: None,
            consented: None,
            authority_consented: None,
        })
    }
}

pub(super) fn text(connection: &Connection) -> String {
    let Connection { id, graph, service, environment, authority, client, receiver_authority, .. } = connection;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    format!(
        "forbindelse: {id}\ngraf: {graph}\nservice: {service}\nmiljø: {environment}\nmyndighed: {authority}\nanvendersystem: {client}\n\
         leverandør: {}\nmodtagersystem: {}\nmodtagers myndighed: {receiver_authority}\nmodtagers leverandør: {}\nbruger: {}\n",
        or_dash(connection.client_supplier.map(|cvr| cvr.to_string())),
        or_dash(connection.receiver.map(|uuid| uuid.to_string())),
        or_dash(connection.receiver_supplier.map(|cvr| cvr.to_string())),
        connection.options.iter().map(String::as_str).collect::<Vec<_>>().join(","),
    )
}

pub(super) fn on(connection: &Connection, from: Option<String>, to: String, shown: &str) -> What {
    What { subject: Subject::Connection, id: connection.id, from, to, shown: Some(sha256(shown)) }
}

pub(super) fn decision<'a>(
    connection: &Connection,
    what: What,
    action: Action,
    whose: [Cvr; 2],
    because: &'a Because,
) -> Decision<'a> {
    Decision { what, action, whose: For::OneOf(whose), service: connection.service, because }
}

/// Refuses systems and a receiver's supplier that are not the adder's to name. When the receiver's side has agreed: at once where the
/// adder is of it.
async fn is_theirs(
    deciding: &mut Deciding<'_>,
    connection: &Connection,
    at: Timestamp,
) -> Result<Option<Timestamp>, ConnectionError> {
    let user = deciding.user().clone();
    if user.side() == Some(Side::Operators) {
        return Ok(Some(at));
    }
    let client = deciding.change.system(connection.client).await?;
    let own = client.as_ref().is_some_and(|client| client.party == user.party);
    // A system in the register is its party's, and that of whoever's agreements on the front name it: on the back any system that stands
    // in no register may be asked for.
    let may_be_named = user.side() == Some(Side::Authority) || client.is_none();
    let of = (crate::agreements::Side::Front, connection.client);
    let named = may_be_named && is_named(deciding.change.connection(), (user.side(), user.party), of, at).await?;
    if !own && !named {
        return Err(refused(
            "anvendersystemet er ikke registreret som jeres, og ingen af jeres godkendte aftaler nævner det; registrér det først",
            "the client system is not registered as yours, and none of your approved agreements names it; register it first",
        ));
    }
    let runs_it = client.and_then(|client| client.party).filter(|party| *party != connection.authority);
    if runs_it.is_some() && connection.client_supplier != runs_it {
        return Err(refused("anvendersystemet er en anden leverandørs", "the client system is another supplier's"));
    }
    let Some(receiver) = connection.receiver else { return Ok(Some(at)) };
    let is_receiver = speaks_for_receiver(deciding.change.connection(), &user, connection, at).await?;
    let receiver = deciding.change.system(receiver).await?.and_then(|receiver| receiver.party);
    if connection.receiver_supplier.is_some() && !is_receiver && connection.receiver_supplier != receiver {
        return Err(refused(
            "modtagerens leverandør angives af modtagersiden; udelad den",
            "the receiver's supplier is named by the receiver's side; leave it out",
        ));
    }
    Ok(is_receiver.then_some(at))
}

/// Adds a connection between systems that are the adder's to name, and gives it as it was written: whoever the receiving system is
/// registered as is its supplier. Where the receiver is another's its side agrees before anything of it is shown or stated.
///
/// # Errors
/// [`ConnectionError`]: a user who may not, another's system, or one that is there.
pub async fn add(
    store: &Store,
    by: By<'_>,
    connection: &Connection,
    because: &Because,
    kept: Option<Kept<'_, Connection>>,
) -> Result<Connection, ConnectionError> {
    until_it_holds(async || add_once(store, by, connection, because, kept).await).await
}

/// The same, with whoever the receiving system is registered as: it sees the connection, and agrees to it.
async fn with_its_holder(store: &Store, connection: &Connection) -> Result<Connection, StoreError> {
    let holder = match connection.receiver {
        Some(receiver) => store.system(receiver).await?.and_then(|receiver| receiver.party),
        None => None,
    };
    let holder = holder.filter(|holder| *holder != connection.receiver_authority);
    Ok(Connection { receiver_supplier: connection.receiver_supplier.or(holder), ..connection.clone() })
}

/// Refuses one more where a party has added as many as it may that have not ended: every round looks at all of them.
async fn is_within_bounds(deciding: &mut Deciding<'_>) -> Result<(), ConnectionError> {
    let Some(party) = deciding.user().party else { return Ok(()) };
    let added = sql("SELECT count(*) AS added FROM connection WHERE ended_at IS NULL AND EXISTS (SELECT 1 FROM decision
         WHERE subject = 'connection' AND subject_id = connection.id AND to_state = 'added' AND party = $1)");
    let row = deciding.change.connection().first(added.bind(party.to_string())).await?;
    let added: i64 = row.map(|row| row.get("added")).transpose()?.unwrap_or_default();
    if added >= MOST_OF_A_PARTY {
        return Err(refused(
            format!("der er allerede oprettet {MOST_OF_A_PARTY} forbindelser for {party}; afslut dem, der ikke bruges"),
            format!("{MOST_OF_A_PARTY} connections were added for {party} already; end those that are not used"),
        ));
    }
    Ok(())
}

async fn add_once(
    store: &Store,
    by: By<'_>,
    connection: &Connection,
    because: &Because,
    kept: Option<Kept<'_, Connection>>,
) -> Result<Connection, ConnectionError> {
    let connection = &with_its_holder(store, connection).await?;
    let what = on(connection, None, "added".to_owned(), &text(connection));
    let whose = [connection.authority, connection.client_supplier.unwrap_or(connection.authority)];
    let mut deciding = decision(connection, what, Action::AddConnection, whose, because).begin(store, by).await?;
    let consented = is_theirs(&mut deciding, connection, because.at).await?;
    is_within_bounds(&mut deciding).await?;
    let session = deciding.change.connection();
    let alike =
        sql("SELECT id, receiver FROM connection WHERE ended_at IS NULL AND service = $1 AND environment = $2 AND authority = $3
         AND client = $4 AND receiver_authority = $5")
        .bind(connection.service)
        .bind(connection.environment.as_str())
        .bind(connection.authority.to_string())
        .bind(connection.client)
        .bind(connection.receiver_authority.to_string());
    for row in session.all(alike).await? {
        if row.maybe::<Uuid>("receiver")? == connection.receiver {
            let id: Uuid = row.get("id")?;
            return Err(refused(format!("forbindelsen findes allerede: {id}"), format!("the connection is there already: {id}")));
        }
    }
    let cvr = |cvr: Option<Cvr>| cvr.map(|cvr| cvr.to_string());
    let insert = sql("INSERT INTO connection (id, graph, service, environment, authority, client, client_supplier, receiver,
             receiver_authority, receiver_supplier, options, added_at, consented_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
    .bind(connection.id)
    .bind(&connection.graph)
    .bind(connection.service)
    .bind(connection.environment.as_str())
    .bind(connection.authority.to_string())
    .bind(connection.client)
    .bind(cvr(connection.client_supplier))
    .bind(connection.receiver)
    .bind(connection.receiver_authority.to_string())
    .bind(cvr(connection.receiver_supplier))
    .bind(connection.options.iter().map(String::as_str).collect::<Vec<_>>().join(","))
    .bind(connection.added)
    .bind(consented);
    session.execute(insert).await?;
    let written = super::store::connection(session, connection.id, because.at).await?;
    let written = written.ok_or(ConnectionError::NoSuch(connection.id))?;
    // That its authority agreed is this decision, where it is its own people's or the operators'.
    let agreed = deciding.user().party.is_none_or(|party| party == connection.authority);
    let authority_consented = written.authority_consented.or(agreed.then_some(because.at));
    let written = Connection { authority_consented, ..written };
    deciding.keep(kept, &written).await?;
    Ok(written)
}

/// Ends a connection: it is no longer looked after. Agreements and routes stay as they are.
///
/// # Errors
/// [`ConnectionError`].
pub async fn end(
    store: &Store,
    by: By<'_>,
    ended: &Connection,
    because: &Because,
    kept: Option<Kept<'_, Connection>>,
) -> Result<Connection, ConnectionError> {
    until_it_holds(async || end_once(store, by, ended, because, kept).await).await
}

async fn end_once(
    store: &Store,
    by: By<'_>,
    ended: &Connection,
    because: &Because,
    kept: Option<Kept<'_, Connection>>,
) -> Result<Connection, ConnectionError> {
    let what = on(ended, Some("added".to_owned()), "ended".to_owned(), &text(ended));
    let whose = [ended.authority, ended.client_supplier.unwrap_or(ended.authority)];
    let mut deciding = decision(ended, what, Action::AddConnection, whose, because).begin(store, by).await?;
    let update = sql("UPDATE connection SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL").bind(because.at).bind(ended.id);
    if deciding.change.connection().execute(update).await? == 0 {
        return Err(refused("forbindelsen er afsluttet", "the connection has ended"));
    }
    let ended = Connection { ended: Some(because.at), ..ended.clone() };
    deciding.keep(kept, &ended).await?;
    Ok(ended)
}

/// That a task is done, or is not after all.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Stating {
    pub connection: Uuid,
    pub task: String,
    /// For whom; none: for the one who must, or whose user states it.
    pub party: Option<Cvr>,
    /// The document, case or agreement that shows it; none: what was stated is taken back.
    pub reference: Option<String>,
}

/// States that a task is done, or takes that back.
///
/// # Errors
/// [`ConnectionError`]: a user who may not, a task that waits for others, or that the gateway sees by itself.
pub async fn state(
    store: &Store,
    by: By<'_>,
    stating: &Stating,
    because: &Because,
    kept: Option<Kept<'_, View>>,
) -> Result<View, ConnectionError> {
    until_it_holds(async || state_once(store, by, stating, because, kept).await).await
}

async fn state_once(
    store: &Store,
    by: By<'_>,
    stating: &Stating,
    because: &Because,
    kept: Option<Kept<'_, View>>,
) -> Result<View, ConnectionError> {
    let known = store.connection(stating.connection, because.at).await?.ok_or(ConnectionError::NoSuch(stating.connection))?;
    let task = task_of(&known, &stating.task)?;
    if stating.reference.as_deref().is_some_and(names_a_person) {
        return Err(refused(
            "referencen indeholder noget, der ligner et CPR-nummer; henvis til et dokument eller en sag",
            "the reference holds what looks like a CPR number; name a document or a case",
        ));
    }
    is_shown(&known, task)?;
    let parties = known.must_state(task);
    if stating.party.is_some_and(|party| !parties.contains(&party)) {
        let who = parties.iter().map(Cvr::to_string).collect::<Vec<_>>().join(", ");
        return Err(refused(format!("{} oplyses for {who}", task.id), format!("{} is stated for {who}", task.id)));
    }
    let from = if stating.reference.is_some() { "open" } else { "stated" };
    let to = if stating.reference.is_some() { "stated" } else { "withdrawn" };
    let shown = format!(
        "{}opgave: {} {}\nfor: {}\nreference: {}\n",
        text(&known),
        task.id,
        task.text.da(),
        stating.party.map_or_else(|| "-".to_owned(), |party| party.to_string()),
        stating.reference.as_deref().unwrap_or("-"),
    );
    let what = on(&known, Some(format!("{} {from}", task.id)), format!("{} {to}", task.id), &shown);
    let mut whose = parties.iter().copied();
    let first = stating.party.or(whose.next()).unwrap_or(known.authority);
    let whose = [first, stating.party.or(whose.next()).unwrap_or(first)];
    let mut deciding = decision(&known, what, Action::StateTask, whose, because).begin(store, by).await?;
    let party = party_of(&deciding, stating.party, &parties, task)?;
    let before = one(&mut deciding, stating.connection, because.at).await?;
    let now = before.find(&task.id).ok_or(ConnectionError::NoSuch(stating.connection))?;
    if !may_do(deciding.actor(), &before.connection, task, now.given_by(party).person) {
        let mut roles = vec![super::shown::role(task.performer), super::shown::role(task.responsible)];
        roles.dedup();
        let joined = |words: fn(&Detail) -> &str, or: &str| roles.iter().map(words).collect::<Vec<_>>().join(or);
        return Err(refused(
            format!("{} oplyses af {}, eller af den, opgaven er givet til", task.id, joined(Detail::da, " eller ")),
            format!("{} is stated by the {}, or by whom the task is given to", task.id, joined(Detail::en, " or the ")),
        ));
    }
    let place = known.place(task.once);
    let withdraw = sql("UPDATE connection_statement SET withdrawn_at = $1
         WHERE place = $2 AND task = $3 AND party = $4 AND withdrawn_at IS NULL")
    .bind(because.at)
    .bind(&place)
    .bind(&task.id)
    .bind(party.to_string());
    match &stating.reference {
        Some(reference) => {
            may_be_stated(&before, now, party)?;
            // One from before it fell back makes room.
            deciding.change.connection().execute(withdraw).await?;
            let insert = sql("INSERT INTO connection_statement (id, place, task, party, reference, stated_by, stated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(Uuid::now_v7())
            .bind(place)
            .bind(&task.id)
            .bind(party.to_string())
            .bind(reference)
            .bind(deciding.user().id)
            .bind(because.at);
            deciding.change.connection().execute(insert).await?;
        }
        None => {
            if deciding.change.connection().execute(withdraw).await? == 0 {
                return Err(refused(
                    format!("{} er ikke oplyst for {party}", task.id),
                    format!("{} is not stated for {party}", task.id),
                ));
            }
        }
    }
    let after = one(&mut deciding, stating.connection, because.at).await?;
    deciding.keep(kept, &after).await?;
    Ok(after)
}

/// Refuses a task of a side that has not agreed to the connection.
fn is_shown(known: &Connection, task: &Task) -> Result<(), ConnectionError> {
    let (id, kept_back) = (&task.id, known.kept_back(task));
    if kept_back.contains(&Consenting::Receiver) {
        return Err(refused(
            format!("{id} er modtagersidens, og den har ikke bekræftet forbindelsen"),
            format!("{id} is the receiver's side's, which has not agreed to the connection"),
        ));
    }
    if kept_back.contains(&Consenting::Authority) {
        return Err(refused(
            format!("{id} er myndighedens, og den har ikke bekræftet forbindelsen"),
            format!("{id} is the authority's, which has not agreed to the connection"),
        ));
    }
    Ok(())
}

/// Whom a task is to be given to.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Assigning {
    pub connection: Uuid,
    pub task: String,
    /// By which of those whose it is, where both authorities state it; none: the user's own, or the person's.
    pub party: Option<Cvr>,
    /// A user; none: nobody.
    pub person: Option<Uuid>,
    /// By when.
    pub due: Option<Date>,
    /// In which wave, 1 to 999.
    pub wave: Option<i64>,
}

/// Gives a task to somebody, with a day and a wave. It replaces what was said before. What both authorities state each gives to its own.
///
/// # Errors
/// [`ConnectionError`]: a user who may not, or a person of somebody else.
pub async fn assign(
    store: &Store,
    by: By<'_>,
    assigning: &Assigning,
    because: &Because,
    kept: Option<Kept<'_, View>>,
) -> Result<View, ConnectionError> {
    until_it_holds(async || assign_once(store, by, assigning, because, kept).await).await
}

async fn assign_once(
    store: &Store,
    by: By<'_>,
    assigning: &Assigning,
    because: &Because,
    kept: Option<Kept<'_, View>>,
) -> Result<View, ConnectionError> {
    let known = store.connection(assigning.connection, because.at).await?.ok_or(ConnectionError::NoSuch(assigning.connection))?;
    let task = task_of(&known, &assigning.task)?;
    if assigning.wave.is_some_and(|wave| !(1..=999).contains(&wave)) {
        return Err(refused("en bølge er 1 til 999", "a wave is 1 to 999"));
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let (person, due) = (or_dash(assigning.person.map(|id| id.to_string())), or_dash(assigning.due.map(|day| day.to_string())));
    let wave = or_dash(assigning.wave.map(|wave| wave.to_string()));
    is_shown(&known, task)?;
    let parties = known.must_state(task);
    let giver = by.who(store, because.at).await?.user().party;
    let taker = match assigning.person {
        Some(person) => known_user(&mut store.database().session().await?, person).await?.and_then(|user| user.party),
        None => None,
    };
    let only = if parties.len() == 1 { parties.first().copied() } else { None };
    let party = [assigning.party, only, giver, taker].into_iter().flatten().find(|party| parties.contains(party));
    // Of two whose it is, which gave it stands in the decision too.
    let of = party.filter(|_| task.both).map_or_else(String::new, |party| format!(" for {party}"));
    let shown = format!("{}opgave: {}{of}\ngivet til: {person}\nfrist: {due}\nbølge: {wave}\n", text(&known), task.id);
    let to = format!("{}{of} assigned to {person} due {due} wave {wave}", task.id);
    let what = on(&known, None, to, &shown);
    let mut each = parties.iter().copied();
    let first = party.or(each.next()).unwrap_or(known.authority);
    let whose = [first, party.or(each.next()).unwrap_or(first)];
    let mut deciding = decision(&known, what, Action::AssignTask, whose, because).begin(store, by).await?;
    let Some(party) = party.filter(|party| assigning.party.is_none_or(|said| said == *party)) else {
        let who = parties.iter().map(Cvr::to_string).collect::<Vec<_>>().join(", ");
        return Err(refused(
            format!("{} oplyses af begge myndigheder; angiv, hvem af {who} der giver den", task.id),
            format!("{} is stated by both authorities; say which of {who} gives it", task.id),
        ));
    };
    if let Some(person) = assigning.person {
        let own = known_user(deciding.change.connection(), person).await?.filter(|user| user.holds(because.at));
        let is_one_of_them = own.is_some_and(|user| user.party.is_none_or(|own| own == party));
        if !is_one_of_them {
            return Err(refused(
                "opgaven gives til en bruger hos den, hvis opgaven er, eller i driften",
                "a task is given to a user of whoever it belongs to, or an operator",
            ));
        }
    }
    let upsert =
        sql("INSERT INTO connection_task_given (connection, task, party, person, due, wave) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (connection, task, party) DO UPDATE SET person = excluded.person, due = excluded.due, wave = excluded.wave")
        .bind(known.id)
        .bind(&task.id)
        .bind(party.to_string())
        .bind(assigning.person)
        .bind(assigning.due)
        .bind(assigning.wave);
    deciding.change.connection().execute(upsert).await?;
    let after = one(&mut deciding, assigning.connection, because.at).await?;
    deciding.keep(kept, &after).await?;
    Ok(after)
}

/// A user; none: there is no such.
async fn known_user(session: &mut Session, person: Uuid) -> Result<Option<User>, DecideError> {
    match user(session, person).await {
        Ok(user) => Ok(Some(user)),
        Err(UserError::NoSuchUser(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn task_of(connection: &Connection, id: &str) -> Result<&'static Task, ConnectionError> {
    if connection.ended.is_some() {
        return Err(refused("forbindelsen er afsluttet", "the connection has ended"));
    }
    let found = connection.graph().and_then(|graph| graph.tasks.iter().find(|task| task.id == id));
    let graph = &connection.graph;
    found.ok_or_else(|| refused(format!("{graph} har ingen opgave {id}"), format!("{graph} has no task {id}")))
}

async fn one(deciding: &mut Deciding<'_>, id: Uuid, now: Timestamp) -> Result<View, ConnectionError> {
    let session = deciding.change.connection();
    let connection = connection(session, id, now).await?.ok_or(ConnectionError::NoSuch(id))?;
    let (views, _) = views(session, vec![connection], now).await?;
    views.into_iter().next().ok_or(ConnectionError::NoSuch(id))
}

/// For whom it is stated: as said, else for the only one who must, else for the user's own.
fn party_of(deciding: &Deciding<'_>, said: Option<Cvr>, parties: &BTreeSet<Cvr>, task: &Task) -> Result<Cvr, ConnectionError> {
    let only = (parties.len() == 1).then(|| parties.first().copied()).flatten();
    let own = deciding.user().party.filter(|own| parties.contains(own));
    said.or(only).or(own).ok_or_else(|| {
        let who = parties.iter().map(Cvr::to_string).collect::<Vec<_>>().join(", ");
        refused(
            format!("{} oplyses af begge myndigheder; angiv, for hvem af {who}", task.id),
            format!("{} is stated by both authorities; say for which of {who}", task.id),
        )
    })
}

/// Whether a user does this task: by role, by being given it, or as an operator on behalf of its party. Where an authority has no
/// supplier its own administrators do what a supplier's would. What was given to a person, whoever acts for them does too, and does nothing of
/// their own meanwhile.
fn may_do(actor: &Actor, connection: &Connection, task: &Task, given_to: Option<Uuid>) -> bool {
    let user = actor.user();
    let by_role = user.roles.iter().any(|role| {
        let stands_in = role.side() == Side::Authority
            && [task.performer, task.responsible].iter().any(|named| named.side() == Side::Supplier)
            && user.party == Some(connection.whose(task))
            && matches!(role, crate::users::rights::Role::SystemAdministrator | crate::users::rights::Role::SystemResponsible);
        *role == task.performer || *role == task.responsible || role.side() == Side::Operators || stands_in
    });
    by_role || given_to == Some(actor.right_of().id)
}

/// For whom a user may give a task to somebody: of those whose it is.
pub fn assigns(actor: &Actor, connection: &Connection, task: &Task) -> BTreeSet<Cvr> {
    if connection.ended.is_some() || connection.keeps_back(task) || actor.may(Action::AssignTask).is_err() {
        return BTreeSet::new();
    }
    let own = |party: &Cvr| match actor.scope().whose {
        Whose::Everybody => true,
        Whose::Authority(own) | Whose::Supplier(own) => own == *party,
        Whose::Nobody => false,
    };
    connection.must_state(task).into_iter().filter(own).collect()
}

/// For whom a user may state a task now: none where it is not ready, is seen by the gateway alone, or is another's.
pub fn may_state(actor: &Actor, view: &View, shown: &Shown) -> Vec<Cvr> {
    let may = shown.task.stated && !view.connection.keeps_back(shown.task) && shown.standing.state.is_next();
    shown.unstated.iter().copied().filter(|party| may && does_for(actor, view, shown, *party)).collect()
}

/// Whether a user does a task for a party.
fn does_for(actor: &Actor, view: &View, shown: &Shown, party: Cvr) -> bool {
    let own = match actor.scope().whose {
        Whose::Everybody => true,
        Whose::Authority(own) | Whose::Supplier(own) => own == party,
        Whose::Nobody => false,
    };
    own && actor.may(Action::StateTask).is_ok() && may_do(actor, &view.connection, shown.task, shown.given_by(party).person)
}

/// For whom a user may take back what was stated of a task.
pub fn may_withdraw(actor: &Actor, view: &View, shown: &Shown) -> Vec<Cvr> {
    let may = shown.task.stated && matches!(shown.standing.state, State::Stated);
    let stated = view.connection.must_state(shown.task);
    stated.into_iter().filter(|party| may && !shown.unstated.contains(party) && does_for(actor, view, shown, *party)).collect()
}

fn may_be_stated(view: &View, shown: &Shown, party: Cvr) -> Result<(), ConnectionError> {
    let id = &shown.task.id;
    if !shown.task.stated {
        return Err(refused(
            format!("gatewayen ser selv, om {id} er udført, og så kan det ikke oplyses"),
            format!("the gateway sees by itself whether {id} is done, and so nobody states it"),
        ));
    }
    match &shown.standing.state {
        State::NotNeeded => Err(refused(format!("{id} er ikke nødvendig her"), format!("{id} is not needed here"))),
        State::Stated | State::Seen => Err(refused(format!("{id} er udført"), format!("{id} is done"))),
        State::KeptBack(_) => Err(refused(
            format!("{id} venter på, at forbindelsen bekræftes"),
            format!("{id} waits for the connection to be agreed to"),
        )),
        State::Waiting(_) | State::FellBack { .. } if !shown.standing.state.is_next() => {
            let waits = view.waits(shown).join(", ");
            Err(refused(format!("{id} venter på {waits}"), format!("{id} waits for {waits}")))
        }
        _ if !shown.unstated.contains(&party) => {
            Err(refused(format!("{id} er allerede oplyst for {party}"), format!("{id} is stated for {party} already")))
        }
        _ => Ok(()),
    }
}

/// Keeps that a test of a connection was accepted at the other end, as whoever looked saw it.
///
/// # Errors
/// A store that does not answer.
pub async fn saw_test(store: &Store, connection: &Connection, at: Timestamp) -> Result<(), StoreError> {
    keep_seen(store, connection.place(Once::Connection), "test", true, at).await
}

/// Keeps whether the address of a connection's receiver answered.
///
/// # Errors
/// A store that does not answer.
pub async fn saw_answer(store: &Store, connection: &Connection, answers: bool, at: Timestamp) -> Result<(), StoreError> {
    keep_seen(store, connection.place(Once::Receiver), "answers", answers, at).await
}

async fn keep_seen(store: &Store, place: String, what: &'static str, is_so: bool, at: Timestamp) -> Result<(), StoreError> {
    let query = match is_so {
        true => sql("INSERT INTO connection_seen (place, what, since) VALUES ($1, $2, $3) ON CONFLICT (place, what)
             DO UPDATE SET since = excluded.since, lost_at = NULL WHERE connection_seen.lost_at IS NOT NULL"),
        // What never was so cannot fall back.
        false => sql("UPDATE connection_seen SET lost_at = $3 WHERE place = $1 AND what = $2 AND lost_at IS NULL"),
    };
    store.database().write(query.bind(place).bind(what).bind(at)).await.map(drop)
}
