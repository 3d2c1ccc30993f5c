//! Connections as they are shown: each task as it stands, what is next, whose that is, and how long it has waited.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use uuid::Uuid;

use super::graph::{Consenting, Graph, Task};
use super::sight::Seen;
use super::standing::{self, Known, Sight, Standing, State};
use super::store::{self, Assignment, Connection, Statement, Wanted};
use crate::agreements::Store;
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::store::{Session, StoreError};
use crate::users::Scope;
use crate::users::rights::Role;

/// A connection as it stands.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct View {
    pub connection: Connection,
    pub graph: &'static Graph,
    /// Its tasks, in the graph's order.
    pub tasks: Vec<Shown>,
}

/// A task of a connection as it stands.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub struct Shown {
    pub task: &'static Task,
    /// Where it stands.
    pub standing: Standing,
    /// Whose it is; of what both authorities state, whose turn it is.
    pub whose: Cvr,
    /// What was stated of it.
    pub statements: Vec<Statement>,
    /// For whom it is not stated yet; empty where it is done, kept back, or seen by the gateway alone.
    pub unstated: BTreeSet<Cvr>,
    /// Whom each whose it is has given it to.
    pub given: BTreeMap<Cvr, Assignment>,
}

/// Connections as they stand, in the order given. It asks each table once, however many there are.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub(super) async fn views(
    session: &mut Session,
    connections: Vec<Connection>,
    now: Timestamp,
) -> Result<(Vec<View>, usize), StoreError> {
    let graph = |connection: &Connection| connection.graph().ok_or(StoreError::Unreadable { column: "graph" });
    let graphs = connections.iter().map(graph).collect::<Result<Vec<_>, _>>()?;
    let statements = store::statements(session, &connections).await?;
    let assignments = store::assignments(session, &connections).await?;
    let both: Vec<(&Connection, &Graph)> = connections.iter().zip(graphs.iter().copied()).collect();
    let seen = Seen::look(session, &both, now).await?;
    let asked = seen.asked + 2;
    let mut views = Vec::with_capacity(connections.len());
    for (connection, graph) in connections.into_iter().zip(graphs) {
        let sight = |connection: &Connection, task: &Task| match &task.seen {
            Some(look) if !connection.keeps_back(task) => seen.of(connection, look),
            _ => Sight::Nothing,
        };
        let said: Vec<Vec<Statement>> = graph
            .tasks
            .iter()
            .map(|task| {
                // A statement counts for every connection of its place, so it stays for the next.
                let known = statements.get(&(connection.place(task.once), task.id.clone()));
                // Of those who must state it in this connection; what the gateway saw lost since counts no more.
                let parties = connection.must_state(task);
                let sight = sight(&connection, task);
                known
                    .into_iter()
                    .flatten()
                    .filter(|statement| parties.contains(&statement.party) && !connection.keeps_back(task))
                    .filter(|statement| !sight.is_lost_after(statement.at))
                    .cloned()
                    .collect()
            })
            .collect();
        let known: Vec<Known> = graph
            .tasks
            .iter()
            .zip(&said)
            .map(|(task, said)| {
                let all = task.stated && !said.is_empty() && unstated(&connection, task, said).is_empty();
                Known {
                    sight: sight(&connection, task),
                    stated: all.then(|| said.iter().map(|statement| statement.at).max()).flatten(),
                    kept_back: connection.kept_back(task),
                }
            })
            .collect();
        let standings = standing::of(graph, &connection.uses(), &known, connection.added);
        let tasks = graph
            .tasks
            .iter()
            .zip(standings)
            .zip(said)
            .map(|((task, standing), statements)| {
                let unstated = match standing.state.is_open() && task.stated {
                    true => unstated(&connection, task, &statements),
                    false => BTreeSet::new(),
                };
                let own = connection.whose(task);
                let whose = if unstated.contains(&own) { own } else { unstated.first().copied().unwrap_or(own) };
                Shown { task, whose, unstated, given: assignments.of(&connection, task), standing, statements }
            })
            .collect();
        views.push(View { connection, graph, tasks });
    }
    Ok((views, asked))
}

/// Who is still to state it.
fn unstated(connection: &Connection, task: &Task, said: &[Statement]) -> BTreeSet<Cvr> {
    let mut open = connection.must_state(task);
    said.iter().for_each(|statement| {
        open.remove(&statement.party);
    });
    open
}

impl Store {
    /// One connection as it stands.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn connection_view(&self, id: Uuid, now: Timestamp) -> Result<Option<View>, StoreError> {
        let Some(connection) = self.connection(id, now).await? else { return Ok(None) };
        let (views, _) = views(&mut self.database().session().await?, vec![connection], now).await?;
        Ok(views.into_iter().next())
    }

    /// The connections wanted that somebody may see, as they stand: `limit` at most, the first that were added.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn connection_views(&self, wanted: &Wanted, scope: &Scope, now: Timestamp) -> Result<Vec<View>, StoreError> {
        let connections = self.connections(wanted, scope, now).await?;
        if connections.is_empty() {
            return Ok(Vec::new());
        }
        Ok(views(&mut self.database().session().await?, connections, now).await?.0)
    }
}

impl View {
    /// Whether nothing is missing.
    pub fn is_finished(&self) -> bool {
        self.tasks.iter().all(|shown| shown.standing.state == State::NotNeeded || shown.standing.state.is_done())
    }

    /// How many tasks are done, of those that it needs.
    pub fn done(&self) -> (usize, usize) {
        let needed = || self.tasks.iter().filter(|shown| shown.standing.state != State::NotNeeded);
        (needed().filter(|shown| shown.standing.state.is_done()).count(), needed().count())
    }

    /// What somebody can do now, the longest wait first.
    pub fn next(&self) -> Vec<&Shown> {
        let mut next: Vec<&Shown> = self.tasks.iter().filter(|shown| shown.standing.state.is_next()).collect();
        next.sort_by_key(|shown| shown.standing.since);
        next
    }

    /// The sides that must agree before it goes on; none where it has ended.
    pub fn awaits(&self) -> BTreeSet<Consenting> {
        let kept_back = self.tasks.iter().filter_map(|shown| match &shown.standing.state {
            State::KeptBack(sides) if self.connection.ended.is_none() => Some(sides),
            _ => None,
        });
        kept_back.flatten().copied().collect()
    }

    /// What it waits for where it waits for a side to agree to it.
    pub fn awaits_in_words(&self) -> Option<Detail> {
        let sides: Vec<Detail> = self.awaits().into_iter().map(Consenting::describe).collect();
        (!sides.is_empty()).then(|| waits_for_consent(&sides))
    }

    /// Since when somebody could go on: the longest wait. Never where nobody can.
    pub fn waits_since(&self) -> Timestamp {
        self.next().first().map_or(Timestamp::MAX, |shown| shown.standing.since.unwrap_or(Timestamp::MIN))
    }

    /// A task by its id.
    pub fn find(&self, id: &str) -> Option<&Shown> {
        self.tasks.iter().find(|shown| shown.task.id == id)
    }

    /// The ids of what a task waits for.
    pub fn waits(&self, shown: &Shown) -> Vec<&'static str> {
        shown.standing.state.waits().iter().filter_map(|&place| self.graph.task(place)).map(|task| task.id.as_str()).collect()
    }
}

/// What authorities and users are called.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the names say it
pub struct Names {
    pub authorities: HashMap<Cvr, String>,
    pub users: HashMap<Uuid, String>,
}

impl Names {
    /// As the store has them.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            authorities: store.authorities().await?.into_iter().map(|authority| (authority.cvr, authority.name)).collect(),
            users: store.users().await?.into_iter().map(|user| (user.id, user.name)).collect(),
        })
    }

    /// An authority or a company.
    pub fn party(&self, cvr: Cvr) -> String {
        self.authorities.get(&cvr).map_or_else(|| cvr.to_string(), |name| format!("{name} ({cvr})"))
    }

    /// A user.
    pub fn user(&self, id: Uuid) -> String {
        self.users.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

fn waits_for_consent(sides: &[Detail]) -> Detail {
    let all = |words: fn(&Detail) -> &str, and: &str| sides.iter().map(words).collect::<Vec<_>>().join(and);
    let (da, en) = (all(Detail::da, " og "), all(Detail::en, " and "));
    Detail::new(format!("venter på, at {da} bekræfter forbindelsen"), format!("waits for {en} to agree to the connection"))
}

impl Shown {
    /// Whom a party has given it to.
    pub fn given_by(&self, party: Cvr) -> Assignment {
        self.given.get(&party).cloned().unwrap_or_default()
    }

    /// Whom it is given to by whoever's turn it is.
    pub fn assignment(&self) -> Assignment {
        self.given_by(self.whose)
    }

    /// Where it stands and what that means, in a sentence.
    pub fn describe(&self, view: &View, names: &Names, now: Timestamp) -> Detail {
        let role = role(self.task.performer);
        let whose = names.party(self.whose);
        let waited = self.standing.since.map(|since| waited(since, now));
        let (da, en) = waited.as_ref().map_or(("", ""), |waited| (waited.da(), waited.en()));
        match &self.standing.state {
            State::NotNeeded => self.standing.state.describe(),
            State::KeptBack(sides) => waits_for_consent(&sides.iter().map(|side| side.describe()).collect::<Vec<_>>()),
            State::Waiting(_) => {
                let waits = view.waits(self).join(", ");
                Detail::new(format!("venter på {waits}"), format!("waits for {waits}"))
            }
            State::Ready => {
                let (mut ready_da, mut ready_en) = (
                    format!("klar for {} hos {whose}; har ventet {da}", role.da()),
                    format!("ready for the {} of {whose}; has waited {en}", role.en()),
                );
                if !self.statements.is_empty() {
                    let missing: Vec<String> = self.unstated.iter().map(|party| names.party(*party)).collect();
                    let missing = missing.join(", ");
                    ready_da += &format!("; mangler at blive oplyst for {missing}");
                    ready_en += &format!("; is still to be stated for {missing}");
                }
                Detail::new(ready_da, ready_en)
            }
            State::Stated => {
                let said = self.statements.iter().map(|said| (names.user(said.by), said.reference.as_str(), said.at));
                let said: Vec<_> = said.collect();
                let da: Vec<_> = said.iter().map(|(who, reference, at)| format!("{who}, {reference}, {at}")).collect();
                let all = da.join("; ");
                Detail::new(format!("oplyst udført af {all}"), format!("stated by {all}"))
            }
            State::Seen => match self.standing.since {
                Some(since) => Detail::new(format!("set udført, siden {since}"), format!("seen done, since {since}")),
                None => self.standing.state.describe(),
            },
            State::FellBack { why, waits } => {
                let after = view.waits(self).join(", ");
                let (wait_da, wait_en) = match waits.is_empty() {
                    true => {
                        (format!("; {} hos {whose} retter det", role.da()), format!("; the {} of {whose} mends it", role.en()))
                    }
                    false => (format!("; venter på {after}"), format!("; waits for {after}")),
                };
                Detail::new(format!("faldet tilbage: {}{wait_da}", why.da()), format!("fell back: {}{wait_en}", why.en()))
            }
        }
    }
}

/// How long since an instant, in the largest unit that is whole.
pub fn waited(since: Timestamp, now: Timestamp) -> Detail {
    let minutes = since.duration_until(now).as_mins().max(0);
    let (number, da, en) = match minutes {
        ..60 => (minutes, ("minut", "minutter"), ("minute", "minutes")),
        60..2_880 => (minutes / 60, ("time", "timer"), ("hour", "hours")),
        _ => (minutes / 1_440, ("dag", "dage"), ("day", "days")),
    };
    let of = |(one, many): (&str, &str)| format!("{number} {}", if number == 1 { one } else { many });
    Detail::new(of(da), of(en))
}

/// What a role is called in a sentence.
pub fn role(role: Role) -> Detail {
    let (da, en) = match role {
        Role::Operator | Role::OperatorReadOnly => ("driften", "operator"),
        Role::SupplierAdministrator => ("forvaltningsansvarlig", "supplier's administrator"),
        Role::SystemOwner => ("systemejer", "system owner"),
        Role::SystemResponsible => ("systemansvarlig", "system responsible"),
        Role::SystemAdministrator => ("systemadministrator", "system administrator"),
        Role::InfrastructureResponsible => ("infrastruktursystemansvarlig", "infrastructure responsible"),
        Role::SortimentAdministrator => ("sortimentsadministrator", "sortiment administrator"),
        Role::Signatory => ("underskriftsberettiget", "signatory"),
        Role::Auditor => ("revisor", "auditor"),
    };
    Detail::new(da, en)
}
