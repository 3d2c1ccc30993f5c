//! What the store keeps of connections: which there are, what persons state of their tasks, and whom they are given to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::graph::{Consenting, Graph, Lane, Once, Task};
use super::standing::Uses;
use crate::agreements::{Environment, Store};
use crate::id::cvr::Cvr;
use crate::store::page::Page;
use crate::store::{Json, Query, Row, Session, StoreError, by_dialect, sql};
use crate::users::{Scope, Whose};

/// The most connections that are read at once: 98 authorities with 100 systems. Whoever wants all reads on after the last.
pub const MOST: u32 = 10_000;

/// An agreement that holds, also while it is suspended or under notice, and that nobody has on trial alone: a signatory approved it, or it
/// was brought in approved. `$at`: the parameter with the instant.
macro_rules! agreement_stands {
    ($at:literal) => {
        concat!(
            "(state = 'GODKENDT' OR state = 'SUSPENDERET' AND (ends_at IS NULL OR ends_at > ",
            $at,
            ") OR state = 'OPSAGT' AND ends_at > ",
            $at,
            ") AND (valid_to IS NULL OR valid_to > ",
            $at,
            ") AND (EXISTS (SELECT 1 FROM decision WHERE subject = 'agreement' AND subject_id = agreement.id
                 AND from_state = 'ANMODET' AND to_state = 'GODKENDT' AND role = 'signatory')
             OR NOT EXISTS (SELECT 1 FROM decision WHERE subject = 'agreement' AND subject_id = agreement.id
                 AND from_state = 'ANMODET' AND to_state = 'GODKENDT'))"
        )
    };
}
pub(super) use agreement_stands;

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Connection {
    pub id: Uuid,
    pub graph: String,
    pub service: Uuid,
    pub environment: Environment,
    /// The authority whose client system it is.
    pub authority: Cvr,
    /// The client system.
    pub client: Uuid,
    /// The company that runs it; none: the authority itself.
    pub client_supplier: Option<Cvr>,
    /// The system that receives; none: the gateway itself.
    pub receiver: Option<Uuid>,
    /// The authority whose it is.
    pub receiver_authority: Cvr,
    /// The company that runs it; none: the authority itself.
    pub receiver_supplier: Option<Cvr>,
    /// What it uses.
    pub options: BTreeSet<String>,
    /// When it was added.
    pub added: Timestamp,
    /// When it was ended.
    pub ended: Option<Timestamp>,
    /// When the receiver's side agreed to it; none: nothing of the receiver's is shown or stated in it yet.
    pub consented: Option<Timestamp>,
    /// When the client's authority did, by adding it, by agreeing, or by an agreement for the client system that a signatory approved and
    /// that holds, also while it is suspended or under notice; none: nothing of the authority's is shown or stated in it yet.
    pub authority_consented: Option<Timestamp>,
}

impl Connection {
    /// What its graph asks of it.
    pub fn uses(&self) -> Uses {
        Uses { options: self.options.clone(), owners_differ: self.authority != self.receiver_authority }
    }

    /// Whose a lane is.
    pub fn of_lane(&self, lane: Lane) -> Cvr {
        match lane {
            Lane::Authority => self.authority,
            Lane::ClientSupplier => self.client_supplier.unwrap_or(self.authority),
            Lane::ReceiverAuthority => self.receiver_authority,
            Lane::ReceiverSupplier => self.receiver_supplier.unwrap_or(self.receiver_authority),
        }
    }

    /// Whose a task is: who does it.
    pub fn whose(&self, task: &Task) -> Cvr {
        self.of_lane(task.lane())
    }

    /// For whom it must be stated: for whose it is, and for both authorities where both must.
    pub fn must_state(&self, task: &Task) -> BTreeSet<Cvr> {
        if task.both { [self.authority, self.receiver_authority].into() } else { [self.whose(task)].into() }
    }

    /// The sides that have not agreed to it.
    pub fn awaits(&self) -> BTreeSet<Consenting> {
        let authority = self.authority_consented.is_none().then_some(Consenting::Authority);
        let receiver = self.consented.is_none().then_some(Consenting::Receiver);
        authority.into_iter().chain(receiver).collect()
    }

    /// The sides whose a task is, or of which it shows something, that have not agreed to the connection.
    pub fn kept_back(&self, task: &Task) -> BTreeSet<Consenting> {
        let is_of = |side: &Consenting| match side {
            Consenting::Authority => task.is_of_the_authority(),
            Consenting::Receiver => task.is_of_the_receiver(),
        };
        self.awaits().into_iter().filter(is_of).collect()
    }

    /// Whether there is one.
    pub fn keeps_back(&self, task: &Task) -> bool {
        !self.kept_back(task).is_empty()
    }

    /// Everybody whose connection it is.
    pub fn parties(&self) -> BTreeSet<Cvr> {
        let lanes = [Lane::Authority, Lane::ClientSupplier, Lane::ReceiverAuthority, Lane::ReceiverSupplier];
        lanes.into_iter().map(|lane| self.of_lane(lane)).collect()
    }

    /// For what a statement on a task counts.
    pub fn place(&self, once: Once) -> String {
        let Self { graph, environment, authority, client, receiver_authority, id, .. } = self;
        let receiver = self.receiver.map_or_else(|| "-".to_owned(), |receiver| receiver.to_string());
        let whose = match once {
            Once::Authority => format!("authority {authority}"),
            Once::Client => format!("client {client}"),
            Once::Receiver => format!("receiver {receiver}"),
            Once::ReceiverAndAuthority => format!("receiver {receiver} authority {receiver_authority}"),
            Once::Connection => format!("connection {id}"),
        };
        format!("{graph} {environment} {whose}")
    }

    /// Every place at which something of it may be stated.
    pub(super) fn places(&self) -> [String; 5] {
        [Once::Authority, Once::Client, Once::Receiver, Once::ReceiverAndAuthority, Once::Connection].map(|once| self.place(once))
    }

    /// Whether a user sees it: an operator all, others their own authority's or company's.
    pub fn is_seen_by(&self, scope: &Scope) -> bool {
        let whose = match scope.whose {
            Whose::Everybody => true,
            Whose::Authority(own) => {
                own == self.authority
                    || own == self.receiver_authority
                    || Some(own) == self.client_supplier
                    || Some(own) == self.receiver_supplier
            }
            Whose::Supplier(own) => Some(own) == self.client_supplier || Some(own) == self.receiver_supplier,
            Whose::Nobody => false,
        };
        whose && (scope.services.is_empty() || scope.services.contains(&self.service))
    }

    /// Its graph, where this release has it.
    pub fn graph(&self) -> Option<&'static Graph> {
        super::graph(&self.graph)
    }
}

/// What a person stated of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Statement {
    pub id: Uuid,
    /// For what it counts.
    pub place: String,
    pub task: String,
    /// For whom.
    pub party: Cvr,
    /// The document, case or agreement that shows it.
    pub reference: String,
    /// The user who did.
    pub by: Uuid,
    /// When.
    pub at: Timestamp,
}

/// Whom a task is given to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Assignment {
    /// A user.
    pub person: Option<Uuid>,
    /// By when.
    pub due: Option<Date>,
    pub wave: Option<i64>,
}

/// Which connections to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of this service.
    pub service: Option<Uuid>,
    /// Of this authority, at either end.
    pub authority: Option<Cvr>,
    /// In this environment.
    pub environment: Option<Environment>,
    /// Also those that were ended.
    pub ended: bool,
    /// After this one.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

/// Of one at an instant, which is the first parameter. A consent of before it said for which side is its party's own word: of an operator
/// it opens nothing of the authority's.
macro_rules! connections {
    () => {
        concat!(
            "SELECT id, graph, service, environment, authority, client, client_supplier, receiver, receiver_authority, receiver_supplier,
                 options, added_at, ended_at, consented_at,
                 coalesce((SELECT min(decided_at) FROM decision WHERE subject = 'connection' AND subject_id = connection.id
                         AND (to_state = 'added' AND (party IS NULL OR party = connection.authority)
                             OR to_state = 'consented' AND party = connection.authority
                             OR to_state IN ('consented for authority', 'consented for authority and receiver')
                                 AND (party IS NULL OR party = connection.authority))),
                     (SELECT min(coalesce(decided_at, valid_from)) FROM agreement WHERE side = 'front'
                         AND system = connection.client AND authority = connection.authority AND service = connection.service
                         AND environment = connection.environment AND ",
            agreement_stands!("$1"),
            ")) AS authority_consented_at
             FROM connection WHERE "
        )
    };
}

impl Store {
    /// The connections wanted that somebody may see, in the order of their ids, which is that in which they were added, as they are at
    /// `now`.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn connections(&self, wanted: &Wanted, scope: &Scope, now: Timestamp) -> Result<Vec<Connection>, StoreError> {
        let (authority, supplier) = match scope.whose {
            Whose::Everybody => (None, None),
            Whose::Authority(own) => (Some(own), None),
            Whose::Supplier(own) => (None, Some(own)),
            Whose::Nobody => return Ok(Vec::new()),
        };
        let cvr = |cvr: Option<Cvr>| cvr.map(|cvr| cvr.to_string());
        let mut page = Page::about(connections!(), now)
            .with_any("authority = ? OR receiver_authority = ? OR client_supplier = ? OR receiver_supplier = ?", cvr(authority))
            .with_any("client_supplier = ? OR receiver_supplier = ?", cvr(supplier))
            .with_any("authority = ? OR receiver_authority = ?", cvr(wanted.authority))
            .with_any("service = ?", wanted.service)
            .with_any("environment = ?", wanted.environment.as_ref().map(Environment::as_str))
            .of_services(&scope.services);
        if !wanted.ended {
            page = page.that("ended_at IS NULL");
        }
        self.database().all(page.after(wanted.after, wanted.limit)).await?.iter().map(read).collect()
    }

    /// Every connection that is wanted, `limit` at a time: reads on after the last, up to the end.
    ///
    /// # Errors
    /// As [`Store::connections`].
    pub async fn every_connection(&self, wanted: &Wanted, scope: &Scope, now: Timestamp) -> Result<Vec<Connection>, StoreError> {
        let (mut wanted, mut all) = (wanted.clone(), Vec::new());
        loop {
            let page = self.connections(&wanted, scope, now).await?;
            let last = page.last().map(|last| last.id).filter(|_| page.len() >= wanted.limit as usize);
            all.extend(page);
            match last {
                Some(last) => wanted.after = Some(last),
                None => return Ok(all),
            }
        }
    }

    /// One connection as it is at `now`.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn connection(&self, id: Uuid, now: Timestamp) -> Result<Option<Connection>, StoreError> {
        self.database().first(one(id, now)).await?.as_ref().map(read).transpose()
    }
}

fn one(id: Uuid, now: Timestamp) -> Query {
    sql(concat!(connections!(), "id = $2")).bind(now).bind(id)
}

/// One connection, in a transaction.
pub(super) async fn connection(session: &mut Session, id: Uuid, now: Timestamp) -> Result<Option<Connection>, StoreError> {
    session.first(one(id, now)).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Connection, StoreError> {
    let options: String = row.get("options")?;
    Ok(Connection {
        id: row.get("id")?,
        graph: row.get("graph")?,
        service: row.get("service")?,
        environment: row.parsed("environment")?,
        authority: row.parsed("authority")?,
        client: row.get("client")?,
        client_supplier: row.maybe_parsed("client_supplier")?,
        receiver: row.maybe("receiver")?,
        receiver_authority: row.parsed("receiver_authority")?,
        receiver_supplier: row.maybe_parsed("receiver_supplier")?,
        options: options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect(),
        added: row.get("added_at")?,
        ended: row.maybe("ended_at")?,
        consented: row.maybe("consented_at")?,
        authority_consented: row.maybe("authority_consented_at")?,
    })
}

/// A list of texts as one parameter, for `IN`: however many they are, the statement is one.
pub(super) fn list<T: ToString>(of: impl IntoIterator<Item = T>) -> Json {
    let distinct: BTreeSet<String> = of.into_iter().map(|one| one.to_string()).collect();
    Json(serde_json::Value::from_iter(distinct).to_string())
}

/// What was stated of these connections, by place and task.
pub(super) async fn statements(
    session: &mut Session,
    connections: &[Connection],
) -> Result<HashMap<(String, String), Vec<Statement>>, StoreError> {
    macro_rules! stated {
        ($list:literal) => {
            concat!(
                "SELECT id, place, task, party, reference, stated_by, stated_at FROM connection_statement
                 WHERE withdrawn_at IS NULL AND place IN (SELECT ",
                $list,
                ") ORDER BY stated_at, id"
            )
        };
    }
    let query = by_dialect(stated!("value FROM json_each($1)"), stated!("jsonb_array_elements_text($1)"));
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for row in session.all(query.bind(list(connections.iter().flat_map(Connection::places)))).await? {
        let statement = Statement {
            id: row.get("id")?,
            place: row.get("place")?,
            task: row.get("task")?,
            party: row.parsed("party")?,
            reference: row.get("reference")?,
            by: row.get("stated_by")?,
            at: row.get("stated_at")?,
        };
        found.entry((statement.place.clone(), statement.task.clone())).or_default().push(statement);
    }
    Ok(found)
}

/// Whom the tasks of these connections are given to, by task and by whose user it is. A task that two parties state is given by each to
/// its own.
#[derive(Debug, Default)]
pub(super) struct Given {
    by_party: HashMap<(Uuid, String, Cvr), Assignment>,
    /// Of before each party gave its own: to a user of which party; none: to an operator, or to nobody.
    before: HashMap<(Uuid, String), (Option<Cvr>, Assignment)>,
}

impl Given {
    /// To whom each party has given a task.
    pub(super) fn of(&self, connection: &Connection, task: &Task) -> BTreeMap<Cvr, Assignment> {
        let key = (connection.id, task.id.clone());
        let before = self.before.get(&key);
        let of = |party: Cvr| {
            let own = self.by_party.get(&(connection.id, task.id.clone(), party));
            let earlier = before.filter(|(of, _)| of.is_none_or(|of| of == party)).map(|(_, given)| given);
            own.or(earlier).map(|given| (party, given.clone()))
        };
        connection.must_state(task).into_iter().filter_map(of).collect()
    }
}

/// The same of these connections.
pub(super) async fn assignments(session: &mut Session, connections: &[Connection]) -> Result<Given, StoreError> {
    macro_rules! given {
        ($one:literal) => {
            concat!(
                "SELECT connection, task, party, person, due, wave, 'own' AS since FROM connection_task_given WHERE connection IN (SELECT ",
                $one,
                ") UNION ALL SELECT connection, task, (SELECT api_user.party FROM api_user WHERE api_user.id = connection_task.person), person, due, wave, 'before'
                 FROM connection_task WHERE connection IN (SELECT ",
                $one,
                ")"
            )
        };
    }
    let query = by_dialect(given!("value FROM json_each($1)"), given!("one::uuid FROM jsonb_array_elements_text($1) AS one"));
    let mut given = Given::default();
    for row in session.all(query.bind(list(connections.iter().map(|connection| connection.id)))).await? {
        let assignment = Assignment { person: row.maybe("person")?, due: row.maybe("due")?, wave: row.maybe("wave")? };
        let (connection, task, since): (_, _, String) = (row.get("connection")?, row.get("task")?, row.get("since")?);
        let party: Option<Cvr> = row.maybe_parsed("party")?;
        match party.filter(|_| since == "own") {
            Some(party) => {
                given.by_party.insert((connection, task, party), assignment);
            }
            None => {
                given.before.insert((connection, task), (party, assignment));
            }
        }
    }
    Ok(given)
}
