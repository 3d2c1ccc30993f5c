//! What the store keeps of routes: the routes, and every change of them.
//!
//! That no two routes carry the same calls on one day is asked in the transaction that writes, under the write lock. The
//! schema asks once more (`route_alone…` in `migrations/`), for whoever writes by other means.

use jiff::{Timestamp, civil::Date};
use uuid::Uuid;

use super::{Period, ProviderSecurity, Route, Standing};
use crate::{
    agreements::{
        model::{Environment, ModelError},
        security::Security,
        store::{Change as Writing, Store},
    },
    clock::civil_day,
    id::cvr::Cvr,
    store::{
        Row, Session, StoreError, by_dialect, sql, until_it_holds,
        value::{Value, assembled_for},
    },
};

/// Who changes routes, when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who, by name.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What may happen to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Change {
    Added,
    /// It was given an end, or another one.
    Ended,
}

impl Change {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Ended => "ended",
        }
    }
}

/// One change of a route, as the history keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// What happened.
    pub change: Change,
    /// The end that the route had from then on.
    pub to: Option<Date>,
    /// Who, when and why.
    pub decision: Decision,
}

/// What becomes of routes that are in the way of a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTheWay {
    /// They stay, and the new one is refused.
    Refuse,
    /// Those that began no later are ended on the new one's first day, unless days would be left without a route.
    End,
}

/// What was done to bring routes in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Added {
    /// Routes that were not there before.
    pub added: usize,
    /// Their ids.
    pub new: Vec<Uuid>,
    /// Routes that were there already with the same terms.
    pub unchanged: usize,
    /// Those of the unchanged that were ended otherwise since.
    pub ended_since: Vec<Route>,
    /// Routes that were ended to make room, as they stand now.
    pub made_room: Vec<Route>,
}

/// Why routes could not be changed. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum RouteError {
    /// The store did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Routes that cannot be added, each with what is in its way.
    #[error("nothing was written:\n{}", .0.join("\n"))]
    Conflicts(Vec<String>),
    /// No route has this id.
    #[error("there is no route {0}")]
    NoSuchRoute(Uuid),
    /// It has ended already.
    #[error("route {id} ended on {to}, and what has passed is not altered; add a new route")]
    AlreadyOver {
        /// The route.
        id: Uuid,
        /// Its end.
        to: Date,
    },
    /// The day has passed.
    #[error("{on} has passed, and what has passed is not altered; end it today ({today}) or later")]
    PastDay {
        /// The day asked for.
        on: Date,
        today: Date,
    },
    /// The day lies before the route's first.
    #[error("route {id} begins on {from}; to cancel it before it begins, end it on that day")]
    BeforeItBegins {
        /// The route.
        id: Uuid,
        /// Its first day.
        from: Date,
    },
    /// With a later end it would carry the calls of another.
    #[error("route {id} cannot go on until {to}: {}", in_the_way(other))]
    WouldOverlap {
        /// The route.
        id: Uuid,
        /// The end asked for.
        to: Date,
        other: Box<Route>,
    },
    /// There is no Europe/Copenhagen.
    #[error("the time zone Europe/Copenhagen is not compiled in; use a complete build")]
    NoZone,
}

fn in_the_way(other: &Route) -> String {
    let authority = |cvr: Option<Cvr>| cvr.map_or("every authority".to_owned(), |cvr| cvr.to_string());
    format!(
        "route {} carries the same calls (from {} to {}), {}",
        other.id,
        authority(other.sender),
        authority(other.receiver),
        other.period
    )
}

/// Reads routes. The condition follows.
macro_rules! routes_where {
    ($condition:literal) => {
        sql(concat!(routes_where!(), $condition))
    };
    () => {
        "SELECT id, service, environment, sender, receiver, valid_from, valid_to, system, address, entity_id, security, roots,
             signing_certificates
         FROM route WHERE "
    };
}

impl Store {
    /// Every route, by service, environment and parties, latest first.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn routes(&self) -> Result<Vec<Route>, StoreError> {
        let query =
            routes_where!("TRUE ORDER BY service, environment, sender NULLS FIRST, receiver NULLS FIRST, valid_from DESC, id");
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// Routes in the order of their ids, after `after` and at most `limit`: those that carry calls of `party` or to it (none:
    /// all), of these services (empty: all).
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn route_page(
        &self,
        party: Option<Cvr>,
        services: &[Uuid],
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Route>, StoreError> {
        let (mut statement, mut values) = (concat!(routes_where!(), "TRUE").to_owned(), Vec::<Value>::new());
        if let Some(party) = party {
            values.push(party.to_string().into());
            statement += " AND (sender IS NULL OR receiver IS NULL OR sender = $1 OR receiver = $1)";
        }
        if !services.is_empty() {
            let places: Vec<_> = (1..=services.len()).map(|at| format!("${}", values.len() + at)).collect();
            statement += &format!(" AND service IN ({})", places.join(", "));
            values.extend(services.iter().map(|service| Value::from(*service)));
        }
        if let Some(after) = after {
            values.push(after.into());
            statement += &format!(" AND id > ${}", values.len());
        }
        values.push(i64::from(limit).into());
        statement += &format!(" ORDER BY id LIMIT ${}", values.len());
        let query = values.into_iter().fold(assembled_for(statement.clone(), statement), |query, value| query.bind(value));
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// The routes that carry a sender's calls of a service, on whatever day.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn routes_between(&self, service: Uuid, sender: Cvr, environment: &Environment) -> Result<Vec<Route>, StoreError> {
        self.routes_of(service, sender, environment).await
    }

    pub(in crate::agreements) async fn routes_of(
        &self,
        service: Uuid,
        sender: Cvr,
        environment: &Environment,
    ) -> Result<Vec<Route>, StoreError> {
        let query = routes_where!("service = $1 AND environment = $2 AND (sender IS NULL OR sender = $3)")
            .bind(service)
            .bind(environment.as_str())
            .bind(sender.to_string());
        self.database().all(query).await?.iter().map(read).collect()
    }

    /// One route.
    ///
    /// # Errors
    /// [`RouteError::NoSuchRoute`], or a store that does not answer.
    pub async fn route(&self, id: Uuid) -> Result<Route, RouteError> {
        find(&mut self.database().session().await?, id).await?.ok_or(RouteError::NoSuchRoute(id))
    }

    /// Every change of a route, oldest first.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn route_changes(&self, id: Uuid) -> Result<Vec<Past>, StoreError> {
        changes(&mut self.database().session().await?, id).await
    }

    /// Adds routes, all or none, and again without effect: one with the terms that the store has, and an end that it has or
    /// has had, is left as it is.
    ///
    /// # Errors
    /// [`RouteError::Conflicts`] with every conflict, or a store that does not answer.
    pub async fn add_routes(&self, routes: &[Route], in_the_way: InTheWay, decision: &Decision) -> Result<Added, RouteError> {
        until_it_holds(async || {
            let mut change = self.change().await?;
            let done = change.add_routes(routes, in_the_way, decision).await?;
            change.commit().await?;
            Ok(done)
        })
        .await
    }
}

impl Writing {
    /// As [`Store::add_routes`].
    ///
    /// # Errors
    /// [`RouteError::Conflicts`] with every conflict, or a store that does not answer.
    pub async fn add_routes(&mut self, routes: &[Route], in_the_way: InTheWay, decision: &Decision) -> Result<Added, RouteError> {
        let today = civil_day(decision.at).ok_or(RouteError::NoZone)?;
        let transaction = self.connection();
        let (mut done, mut conflicts) = (Added::default(), Vec::new());
        for (number, route) in routes.iter().enumerate() {
            // Of routes that come in together none is ended for another.
            let together = routes.get(..number).unwrap_or_default();
            let making_room = (in_the_way == InTheWay::End).then_some(together);
            if let Err(conflict) = add(transaction, route, making_room, today, decision, &mut done).await? {
                conflicts.push(format!("route {}: {conflict}", route.id));
            }
        }
        if conflicts.is_empty() { Ok(done) } else { Err(RouteError::Conflicts(conflicts)) }
    }

    /// One route, if it is there.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn route(&mut self, id: Uuid) -> Result<Option<Route>, RouteError> {
        Ok(find(self.connection(), id).await?)
    }

    /// Gives a route an end, or another one: from the day `on` it no longer receives. On its first day it never does. Returns
    /// the route, and whether anything was changed.
    ///
    /// # Errors
    /// [`RouteError`]: no such route, a day that has passed, a route that is over, an end that another route is in the way of.
    pub async fn end_route(&mut self, id: Uuid, on: Date, decision: &Decision) -> Result<(Route, bool), RouteError> {
        let today = civil_day(decision.at).ok_or(RouteError::NoZone)?;
        let transaction = self.connection();
        let route = find(transaction, id).await?.ok_or(RouteError::NoSuchRoute(id))?;
        if route.period.to() == Some(on) {
            return Ok((route, false));
        }
        match (route.period.standing(today), route.period.to()) {
            (Standing::Over | Standing::Cancelled, Some(to)) => return Err(RouteError::AlreadyOver { id, to }),
            _ if on < today => return Err(RouteError::PastDay { on, today }),
            _ => {}
        }
        let from = route.period.from();
        let period = route.period.ended_on(on).map_err(|ModelError(_)| RouteError::BeforeItBegins { id, from })?;
        let route = Route { period, ..route };
        if let Some(other) = overlapping(transaction, &route).await?.into_iter().next() {
            return Err(RouteError::WouldOverlap { id, to: on, other: Box::new(other) });
        }
        end(transaction, &route, decision).await?;
        Ok((route, true))
    }

    /// Gives a route that ends on `given` the end back that it had before. None, and nothing is changed, where it ends otherwise by now, is
    /// over, or another route carries its calls from then on.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn give_back_end(
        &mut self,
        id: Uuid,
        given: Date,
        former: Option<Date>,
        decision: &Decision,
    ) -> Result<Option<Route>, RouteError> {
        let today = civil_day(decision.at).ok_or(RouteError::NoZone)?;
        let transaction = self.connection();
        let Some(route) = find(transaction, id).await? else { return Ok(None) };
        let over = matches!(route.period.standing(today), Standing::Over | Standing::Cancelled);
        let Ok(period) = Period::new(route.period.from(), former) else { return Ok(None) };
        let restored = Route { period, ..route.clone() };
        if route.period.to() != Some(given) || over || !overlapping(transaction, &restored).await?.is_empty() {
            return Ok(None);
        }
        end(transaction, &restored, decision).await?;
        Ok(Some(restored))
    }
}

pub(crate) async fn routes_in(session: &mut Session, service: Uuid, environment: &Environment) -> Result<Vec<Route>, StoreError> {
    let query = routes_where!("service = $1 AND environment = $2 ORDER BY id").bind(service).bind(environment.as_str());
    session.all(query).await?.iter().map(read).collect()
}

/// Adds one route, or says what it conflicts with. `making_room`: routes in its way are ended, these excepted.
async fn add(
    transaction: &mut Session,
    route: &Route,
    making_room: Option<&[Route]>,
    today: Date,
    decision: &Decision,
    done: &mut Added,
) -> Result<Result<(), String>, RouteError> {
    if let Some(held) = find(transaction, route.id).await? {
        if !held.has_terms_of(route) {
            return Ok(Err("the id belongs to a route with other terms already; give it a new id".to_owned()));
        }
        if held != *route {
            if !changes(transaction, held.id).await?.iter().any(|past| past.to == route.period.to()) {
                return Ok(Err(format!("it is there with another end ({}); change it with `hjemmel route end`", held.period)));
            }
            done.ended_since.push(held);
        }
        done.unchanged += 1;
        return Ok(Ok(()));
    }
    for other in overlapping(transaction, route).await? {
        if making_room.is_none_or(|together| together.iter().any(|with| with.id == other.id)) {
            return Ok(Err(in_the_way(&other)));
        }
        let from = route.period.from();
        let covers = route.period.to().is_none_or(|to| other.period.to().is_some_and(|end| end <= to));
        match other.period.ended_on(from) {
            Ok(period) if covers && from >= today => {
                let other = Route { period, ..other };
                end(transaction, &other, decision).await?;
                done.made_room.push(other);
            }
            _ if !covers => return Ok(Err(format!("{}, and goes on when this one ends; end it yourself", in_the_way(&other)))),
            Err(_) => return Ok(Err(format!("{}, and begins later; end it yourself", in_the_way(&other)))),
            Ok(_) => return Ok(Err(format!("{}, and {from} has passed; begin today ({today}) or later", in_the_way(&other)))),
        }
    }
    insert(transaction, route).await?;
    record(transaction, route, Change::Added, decision).await?;
    done.added += 1;
    done.new.push(route.id);
    Ok(Ok(()))
}

async fn find(session: &mut Session, id: Uuid) -> Result<Option<Route>, StoreError> {
    session.first(routes_where!("id = $1").bind(id)).await?.as_ref().map(read).transpose()
}

/// The routes beside this one that carry some of its calls on some of its days, earliest first.
async fn overlapping(session: &mut Session, route: &Route) -> Result<Vec<Route>, StoreError> {
    let query = by_dialect(
        concat!(
            routes_where!(),
            "id <> $1 AND service = $2 AND environment = $3
             AND (sender IS NULL OR $4 IS NULL OR sender = $4) AND (receiver IS NULL OR $5 IS NULL OR receiver = $5)
             AND max(valid_from, $6) < min(ifnull(valid_to, '~'), ifnull($7, '~'))
             ORDER BY valid_from, id"
        ),
        concat!(
            routes_where!(),
            "id <> $1 AND service = $2 AND environment = $3
             AND (sender IS NULL OR $4 IS NULL OR sender = $4) AND (receiver IS NULL OR $5 IS NULL OR receiver = $5)
             AND daterange(valid_from, valid_to) && daterange($6, $7)
             ORDER BY valid_from, id"
        ),
    )
    .bind(route.id)
    .bind(route.service)
    .bind(route.environment.as_str())
    .bind(route.sender.map(|cvr| cvr.to_string()))
    .bind(route.receiver.map(|cvr| cvr.to_string()))
    .bind(route.period.from())
    .bind(route.period.to());
    session.all(query).await?.iter().map(read).collect()
}

async fn insert(session: &mut Session, route: &Route) -> Result<(), StoreError> {
    let signing_certificates = match &route.security {
        ProviderSecurity::Token { signing_certificates } => Some(signing_certificates.to_pem()),
        ProviderSecurity::AuthorityContext => None,
    };
    let written =
        sql("INSERT INTO route (id, service, environment, sender, receiver, valid_from, valid_to, system, address, entity_id,
             security, roots, signing_certificates)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)")
        .bind(route.id)
        .bind(route.service)
        .bind(route.environment.as_str())
        .bind(route.sender.map(|cvr| cvr.to_string()))
        .bind(route.receiver.map(|cvr| cvr.to_string()))
        .bind(route.period.from())
        .bind(route.period.to())
        .bind(route.system)
        .bind(route.address.to_string())
        .bind(route.entity_id.as_str())
        .bind(route.security.model().name())
        .bind(route.roots.to_pem())
        .bind(signing_certificates);
    session.execute(written).await.map(drop)
}

async fn end(session: &mut Session, route: &Route, decision: &Decision) -> Result<(), StoreError> {
    session.execute(sql("UPDATE route SET valid_to = $1 WHERE id = $2").bind(route.period.to()).bind(route.id)).await?;
    record(session, route, Change::Ended, decision).await
}

async fn record(session: &mut Session, route: &Route, change: Change, decision: &Decision) -> Result<(), StoreError> {
    let written =
        sql("INSERT INTO route_change (route, change, valid_to, changed_by, at, reason) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(route.id)
            .bind(change.name())
            .bind(route.period.to())
            .bind(&decision.by)
            .bind(decision.at)
            .bind(&decision.reason);
    session.execute(written).await.map(drop)
}

async fn changes(session: &mut Session, id: Uuid) -> Result<Vec<Past>, StoreError> {
    let query = sql("SELECT change, valid_to, changed_by, at, reason FROM route_change WHERE route = $1 ORDER BY sequence");
    let rows = session.all(query.bind(id)).await?;
    rows.iter()
        .map(|row| {
            let change = match row.get::<String>("change")?.as_str() {
                "added" => Change::Added,
                "ended" => Change::Ended,
                _ => return Err(StoreError::Unreadable { column: "change" }),
            };
            let decision = Decision { by: row.get("changed_by")?, reason: row.get("reason")?, at: row.get("at")? };
            Ok(Past { change, to: row.maybe("valid_to")?, decision })
        })
        .collect()
}

fn read(row: &Row) -> Result<Route, StoreError> {
    let period = Period::new(row.get("valid_from")?, None).and_then(|period| match row.maybe("valid_to") {
        Ok(Some(to)) => period.ended_on(to),
        Ok(None) => Ok(period),
        Err(_) => Err(ModelError("valid_to")),
    });
    let security = match row.parsed("security")? {
        Security::Token => ProviderSecurity::Token { signing_certificates: row.parsed("signing_certificates")? },
        Security::AuthorityContext => ProviderSecurity::AuthorityContext,
    };
    Ok(Route {
        id: row.get("id")?,
        service: row.get("service")?,
        environment: row.parsed("environment")?,
        sender: row.maybe_parsed("sender")?,
        receiver: row.maybe_parsed("receiver")?,
        period: period.map_err(|ModelError(_)| StoreError::Unreadable { column: "valid_to" })?,
        system: row.get("system")?,
        address: row.parsed("address")?,
        entity_id: row.parsed("entity_id")?,
        security,
        roots: row.parsed("roots")?,
    })
}
