//! What the gateway sees of connections by itself. Each table is asked once, however many connections are looked at.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::graph::{Graph, Look, Once, System};
use super::standing::Sight;
use super::store::{Connection, list};
use crate::agreements::{Side, State};
use crate::clock::{civil_day, copenhagen};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::store::{Json, Query, Row, Session, StoreError, by_dialect};

/// A table that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Table {
    Agreements,
    Certificates,
    Routes,
    Users,
    SftpUsers,
    Monitoring,
    FileOrders,
    Fetched,
    Sortiments,
    Subscriptions,
    Seen,
    Mailboxes,
}

fn table(look: &Look) -> Table {
    match look {
        // A system that stands in no register is known by its agreements, in which every graph looks that asks for it.
        Look::Client => Table::Certificates,
        Look::Agreement { .. } | Look::Approval { .. } => Table::Agreements,
        Look::Receiver | Look::Endpoint | Look::Route => Table::Routes,
        Look::Users => Table::Users,
        Look::SftpUser { .. } => Table::SftpUsers,
        Look::Monitored { .. } => Table::Monitoring,
        Look::FileOrder | Look::FileRoutes { .. } => Table::FileOrders,
        Look::FileFetched => Table::Fetched,
        Look::ValueLists | Look::Supplement => Table::Sortiments,
        Look::Subscription { .. } => Table::Subscriptions,
        Look::Answers | Look::Test => Table::Seen,
        Look::Mailbox | Look::MailboxAliases | Look::MailboxStreams | Look::MailboxUser | Look::MailboxFile => Table::Mailboxes,
    }
}

/// An `IN` over the texts of a parameter.
macro_rules! among {
    (sqlite, $parameter:literal) => {
        concat!("(SELECT value FROM json_each(", $parameter, "))")
    };
    (postgres, $parameter:literal) => {
        concat!("(SELECT jsonb_array_elements_text(", $parameter, "))")
    };
    (uuids, $parameter:literal) => {
        concat!("(SELECT one::uuid FROM jsonb_array_elements_text(", $parameter, ") AS one)")
    };
}

/// What the connections name, each as one parameter.
struct Named {
    services: Json,
    environments: Json,
    authorities: Json,
    systems: Json,
    places: Json,
    now: Timestamp,
    day: Date,
}

impl Named {
    fn of(connections: &[(&Connection, &Graph)], now: Timestamp) -> Self {
        let each = || connections.iter().map(|(connection, _)| *connection);
        Self {
            services: list(each().map(|connection| connection.service)),
            environments: list(each().map(|connection| &connection.environment)),
            authorities: list(each().flat_map(|connection| [connection.authority, connection.receiver_authority])),
            systems: list(each().flat_map(|connection| [Some(connection.client), connection.receiver]).flatten()),
            places: list(each().flat_map(|connection| [connection.place(Once::Receiver), connection.place(Once::Connection)])),
            now,
            day: civil_day(now).unwrap_or_default(),
        }
    }

    fn query(&self, table: Table) -> Query {
        match table {
            Table::Agreements => {
                macro_rules! agreements {
                    ($texts:ident, $uuids:ident) => {
                        concat!(
                            "SELECT side, system, service, authority, environment, state, valid_from, valid_to, decided_at, ends_at,
                                 (SELECT min(at) FROM agreement_decision WHERE agreement = agreement.id) AS requested_at,
                                 (SELECT count(*) FROM agreement_certificate WHERE agreement = agreement.id) AS certificates
                             FROM agreement WHERE service IN ",
                            among!($uuids, "$1"),
                            " AND environment IN ",
                            among!($texts, "$2"),
                            " AND authority IN ",
                            among!($texts, "$3")
                        )
                    };
                }
                by_dialect(agreements!(sqlite, sqlite), agreements!(postgres, uuids))
                    .bind(self.services.clone())
                    .bind(self.environments.clone())
                    .bind(self.authorities.clone())
            }
            Table::Certificates => {
                macro_rules! certificates {
                    ($uuids:ident) => {
                        concat!(
                            "SELECT system, not_before, not_after, added_at, ended_at FROM client_system_certificate WHERE system IN ",
                            among!($uuids, "$1")
                        )
                    };
                }
                by_dialect(certificates!(sqlite), certificates!(uuids)).bind(self.systems.clone())
            }
            Table::Routes => {
                macro_rules! routes {
                    ($texts:ident, $uuids:ident) => {
                        concat!(
                            "SELECT service, environment, sender, receiver, system, valid_from, valid_to FROM route WHERE service IN ",
                            among!($uuids, "$1"),
                            " AND environment IN ",
                            among!($texts, "$2")
                        )
                    };
                }
                by_dialect(routes!(sqlite, sqlite), routes!(postgres, uuids))
                    .bind(self.services.clone())
                    .bind(self.environments.clone())
            }
            Table::Users => {
                macro_rules! users {
                    ($texts:ident) => {
                        concat!("SELECT party, valid_from, valid_to FROM api_user WHERE party IN ", among!($texts, "$1"))
                    };
                }
                by_dialect(users!(sqlite), users!(postgres)).bind(self.authorities.clone())
            }
            Table::SftpUsers => {
                macro_rules! sftp_users {
                    ($uuids:ident) => {
                        concat!(
                            "SELECT system, environment, disabled, valid_to_us, added_us,
                                 (SELECT count(*) FROM sftp_key WHERE sftp_user = sftp_user.id) AS keys,
                                 (SELECT min(added_us) FROM sftp_key WHERE sftp_user = sftp_user.id AND NOT disabled
                                      AND (valid_to_us IS NULL OR valid_to_us > $2)) AS key_us
                             FROM sftp_user WHERE system IN ",
                            among!($uuids, "$1")
                        )
                    };
                }
                by_dialect(sftp_users!(sqlite), sftp_users!(uuids)).bind(self.systems.clone()).bind(self.now.as_microsecond())
            }
            Table::Monitoring => {
                macro_rules! monitoring {
                    ($uuids:ident) => {
                        concat!(
                            "SELECT sftp_user.system, sftp_user.environment, inf_ref, since_us, ended_us FROM file_monitoring
                             JOIN sftp_user ON sftp_user.id = file_monitoring.sftp_user WHERE sftp_user.system IN ",
                            among!($uuids, "$1")
                        )
                    };
                }
                by_dialect(monitoring!(sqlite), monitoring!(uuids)).bind(self.systems.clone())
            }
            Table::FileOrders => {
                macro_rules! orders {
                    ($uuids:ident) => {
                        concat!(
                            "SELECT one.system AS sender_system, other.system AS recipient_system, one.environment, state,
                                 sender_authority, recipient_authority, inf_ref, valid_from, valid_to
                             FROM file_order JOIN sftp_user one ON one.id = file_order.sender
                             JOIN sftp_user other ON other.id = file_order.recipient WHERE one.system IN ",
                            among!($uuids, "$1"),
                            " AND other.system IN ",
                            among!($uuids, "$1")
                        )
                    };
                }
                by_dialect(orders!(sqlite), orders!(uuids)).bind(self.systems.clone())
            }
            Table::Fetched => {
                macro_rules! fetched {
                    ($uuids:ident) => {
                        concat!(
                            "SELECT one.system AS sender_system, other.system AS recipient_system, one.environment, sender_authority,
                                 recipient_authority, min(fetched_us) AS fetched_us
                             FROM file_delivery JOIN file_order ON file_order.id = file_delivery.file_order
                             JOIN sftp_user one ON one.id = file_order.sender JOIN sftp_user other ON other.id = file_order.recipient
                             WHERE fetched_us IS NOT NULL AND one.system IN ",
                            among!($uuids, "$1"),
                            " AND other.system IN ",
                            among!($uuids, "$1"),
                            " GROUP BY one.system, other.system, one.environment, sender_authority, recipient_authority"
                        )
                    };
                }
                by_dialect(fetched!(sqlite), fetched!(uuids)).bind(self.systems.clone())
            }
            Table::Sortiments => {
                macro_rules! sortiments {
                    ($uuids:ident) => {
                        concat!(
                            "SELECT service, authority, valid_from, valid_to, published_at FROM sortiment
                             WHERE published_at IS NOT NULL AND service IN ",
                            among!($uuids, "$1")
                        )
                    };
                }
                by_dialect(sortiments!(sqlite), sortiments!(uuids)).bind(self.services.clone())
            }
            Table::Subscriptions => {
                macro_rules! subscriptions {
                    ($uuids:ident) => {
                        concat!(
                            "SELECT service, authority, system, subscribed_at, ended_at FROM sortiment_subscription WHERE service IN ",
                            among!($uuids, "$1")
                        )
                    };
                }
                by_dialect(subscriptions!(sqlite), subscriptions!(uuids)).bind(self.services.clone())
            }
            Table::Seen => {
                macro_rules! seen {
                    ($texts:ident) => {
                        concat!("SELECT place, what, since, lost_at FROM connection_seen WHERE place IN ", among!($texts, "$1"))
                    };
                }
                by_dialect(seen!(sqlite), seen!(postgres)).bind(self.places.clone())
            }
            Table::Mailboxes => {
                macro_rules! mailboxes {
                    ($texts:ident) => {
                        concat!(
                            "SELECT owner, environment, state, since_us,
                                 (SELECT count(*) FROM mailbox_alias WHERE mailbox = mailbox.id
                                      AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2)) AS aliases,
                                 (SELECT min(since_us) FROM mailbox_stream WHERE mailbox = mailbox.id) AS streams_us,
                                 (SELECT min(mailbox_user_certificate.added_us) FROM mailbox_right
                                      JOIN mailbox_user ON mailbox_user.id = mailbox_right.mailbox_user
                                      JOIN mailbox_user_certificate ON mailbox_user_certificate.mailbox_user = mailbox_user.id
                                      WHERE mailbox_right.mailbox = mailbox.id AND mailbox_user.state = 'AKTIV'
                                      AND (valid_to_us IS NULL OR valid_to_us > $3) AND ended_us IS NULL) AS user_us,
                                 (SELECT min(received_us) FROM mailbox_file WHERE sender = mailbox.id
                                      AND validation = 'GODKENDT') AS file_us
                             FROM mailbox WHERE owner IN ",
                            among!($texts, "$1")
                        )
                    };
                }
                by_dialect(mailboxes!(sqlite), mailboxes!(postgres))
                    .bind(self.authorities.clone())
                    .bind(self.day)
                    .bind(self.now.as_microsecond())
            }
        }
    }
}

#[derive(Debug)]
struct Agreement {
    authority: Cvr,
    service: Uuid,
    side: Side,
    system: Uuid,
    state: State,
    from: Timestamp,
    to: Option<Timestamp>,
    decided: Option<Timestamp>,
    /// From when one that is OPSAGT opens nothing; none: at once.
    ends: Option<Timestamp>,
    requested: Option<Timestamp>,
    certified: bool,
}

#[derive(Debug)]
struct Route {
    sender: Option<Cvr>,
    receiver: Option<Cvr>,
    system: Uuid,
    from: Date,
    to: Option<Date>,
}

#[derive(Debug)]
struct Order {
    state: State,
    inf_ref: Option<String>,
    from: Date,
    to: Option<Date>,
}

/// An environment, the sender's system, the recipient's, and their authorities.
type Way = (String, Uuid, Uuid, Cvr, Cvr);

/// What all tables hold of some connections.
#[derive(Debug, Default)]
pub(super) struct Seen {
    now: Timestamp,
    day: Date,
    /// By service and environment of an authority, on the back; and by client system, on the front.
    back: HashMap<(Uuid, String, Cvr), Vec<Agreement>>,
    front: HashMap<(String, Uuid), Vec<Agreement>>,
    certificates: HashMap<Uuid, Sight>,
    routes: HashMap<(Uuid, String), RoutesOf>,
    users: HashMap<Cvr, Sight>,
    sftp_users: HashMap<(String, Uuid), Sight>,
    monitored: HashMap<(String, Uuid), Vec<Monitored>>,
    orders: HashMap<Way, Vec<Order>>,
    fetched: HashMap<Way, Sight>,
    sortiments: HashMap<(Uuid, Option<Cvr>), Sight>,
    subscriptions: HashMap<(Uuid, Cvr, Uuid), Sight>,
    seen: HashMap<(String, String), Sight>,
    mailboxes: HashMap<(String, Cvr), [Sight; 5]>,
    /// How many statements it took.
    pub(super) asked: usize,
}

/// The routes of one service, by the system to which they lead.
#[derive(Debug, Default)]
struct RoutesOf(HashMap<Uuid, HashMap<Parties, Vec<Route>>>);

/// Sender and receiver of a route; none: every authority.
type Parties = (Option<Cvr>, Option<Cvr>);

/// A monitoring order, and for which type of files.
type Monitored = (Option<String>, Sight);

impl Seen {
    /// Looks at whatever these connections need.
    pub(super) async fn look(
        session: &mut Session,
        connections: &[(&Connection, &Graph)],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let named = Named::of(connections, now);
        let mut seen = Self { now, day: named.day, ..Self::default() };
        let mut graphs: Vec<&Graph> = connections.iter().map(|(_, graph)| *graph).collect();
        graphs.sort_by_key(|graph| &graph.id);
        graphs.dedup_by_key(|graph| &graph.id);
        let mut tables: Vec<Table> =
            graphs.iter().flat_map(|graph| &graph.tasks).filter_map(|task| task.seen.as_ref().map(table)).collect();
        tables.sort_unstable();
        tables.dedup();
        // The looks that are asked of each connection are the graphs' own: a table that none names is not asked.
        for table in tables {
            seen.asked += 1;
            for row in session.all(named.query(table)).await? {
                seen.take(table, &row)?;
            }
        }
        Ok(seen)
    }

    fn take(&mut self, table: Table, row: &Row) -> Result<(), StoreError> {
        let instant = |column: &'static str| -> Result<Option<Timestamp>, StoreError> {
            let us: Option<i64> = row.maybe(column)?;
            us.map(|us| Timestamp::from_microsecond(us).map_err(|_| StoreError::Unreadable { column })).transpose()
        };
        let is_over = |to: Option<Timestamp>| to.is_some_and(|to| to <= self.now);
        match table {
            Table::Agreements => {
                let side: String = row.get("side")?;
                let agreement = Agreement {
                    authority: row.parsed("authority")?,
                    service: row.get("service")?,
                    side: if side == "front" { Side::Front } else { Side::Back },
                    system: row.get("system")?,
                    state: row.parsed("state")?,
                    from: row.get("valid_from")?,
                    to: row.maybe("valid_to")?,
                    decided: row.maybe("decided_at")?,
                    ends: row.maybe("ends_at")?,
                    requested: row.maybe("requested_at")?,
                    certified: row.get::<i64>("certificates")? > 0,
                };
                let environment: String = row.get("environment")?;
                match agreement.side {
                    Side::Front => self.front.entry((environment, agreement.system)).or_default().push(agreement),
                    Side::Back => {
                        let key = (agreement.service, environment, agreement.authority);
                        self.back.entry(key).or_default().push(agreement);
                    }
                }
            }
            Table::Certificates => {
                let (from, to): (Timestamp, Timestamp) = (row.get("not_before")?, row.get("not_after")?);
                let (added, ended): (Timestamp, Option<Timestamp>) = (row.get("added_at")?, row.maybe("ended_at")?);
                let sight = match () {
                    () if is_over(ended) => lost(ended, "certifikatet er taget ud", "the certificate was taken out"),
                    () if to <= self.now => lost(Some(to), "certifikatet er udløbet", "the certificate has expired"),
                    () if from > self.now => Sight::Nothing,
                    () => Sight::Done(Some(added)),
                };
                better(self.certificates.entry(row.get("system")?).or_default(), sight);
            }
            Table::Routes => {
                let route = Route {
                    sender: row.maybe_parsed("sender")?,
                    receiver: row.maybe_parsed("receiver")?,
                    system: row.get("system")?,
                    from: row.get("valid_from")?,
                    to: row.maybe("valid_to")?,
                };
                let of = self.routes.entry((row.get("service")?, row.get("environment")?)).or_default();
                of.0.entry(route.system).or_default().entry((route.sender, route.receiver)).or_default().push(route);
            }
            Table::Users => {
                let (from, to): (Timestamp, Option<Timestamp>) = (row.get("valid_from")?, row.maybe("valid_to")?);
                let sight = match () {
                    () if is_over(to) => lost(to, "ingen bruger gælder længere", "no user holds any longer"),
                    () if from > self.now => Sight::Nothing,
                    () => Sight::Done(Some(from)),
                };
                better(self.users.entry(row.parsed("party")?).or_default(), sight);
            }
            Table::SftpUsers => {
                let (to, key, keys): (_, _, i64) = (instant("valid_to_us")?, instant("key_us")?, row.get("keys")?);
                // PostgreSQL has a flag, SQLite a number.
                let disabled = row.get::<bool>("disabled")?;
                let sight = match key {
                    _ if disabled || is_over(to) => lost(to, "SFTP-brugeren er lukket", "the SFTP user is closed"),
                    Some(key) => Sight::Done(instant("added_us")?.max(Some(key))),
                    None if keys > 0 => lost(None, "ingen nøgle gælder længere", "no key is in force any longer"),
                    None => Sight::Nothing,
                };
                better(self.sftp_users.entry((row.get("environment")?, row.get("system")?)).or_default(), sight);
            }
            Table::Monitoring => {
                let sight = match instant("ended_us")? {
                    Some(ended) => lost(Some(ended), "overvågningen er afsluttet", "the monitoring order was ended"),
                    None => Sight::Done(instant("since_us")?),
                };
                let orders = self.monitored.entry((row.get("environment")?, row.get("system")?)).or_default();
                orders.push((row.maybe("inf_ref")?, sight));
            }
            Table::FileOrders => {
                let order = Order {
                    state: row.parsed("state")?,
                    inf_ref: row.maybe("inf_ref")?,
                    from: row.get("valid_from")?,
                    to: row.maybe("valid_to")?,
                };
                self.orders.entry(way(row)?).or_default().push(order);
            }
            Table::Fetched => {
                let sight = Sight::Done(instant("fetched_us")?);
                self.fetched.insert(way(row)?, sight);
            }
            Table::Sortiments => {
                let (from, to): (Date, Option<Date>) = (row.get("valid_from")?, row.maybe("valid_to")?);
                let sight = match () {
                    () if to.is_some_and(|last| last < self.day) => {
                        lost(to.and_then(begins), "sortimentet er udløbet", "the value list has expired")
                    }
                    () if from > self.day => Sight::Nothing,
                    () => Sight::Done(row.maybe("published_at")?),
                };
                better(self.sortiments.entry((row.get("service")?, row.maybe_parsed("authority")?)).or_default(), sight);
            }
            Table::Subscriptions => {
                let sight = match row.maybe("ended_at")? {
                    Some(ended) => lost(Some(ended), "abonnementet er afsluttet", "the subscription was ended"),
                    None => Sight::Done(Some(row.get("subscribed_at")?)),
                };
                let key = (row.get("service")?, row.parsed("authority")?, row.get("system")?);
                better(self.subscriptions.entry(key).or_default(), sight);
            }
            Table::Seen => {
                let sight = match row.maybe("lost_at")? {
                    Some(at) => lost(Some(at), "det svarer ikke længere", "it no longer answers"),
                    None => Sight::Done(Some(row.get("since")?)),
                };
                self.seen.insert((row.get("place")?, row.get("what")?), sight);
            }
            Table::Mailboxes => {
                let state: String = row.get("state")?;
                let since = |at: Option<Timestamp>| at.map_or(Sight::Nothing, |at| Sight::Done(Some(at)));
                let active = match state.as_str() {
                    "AKTIV" => Sight::Done(instant("since_us")?),
                    _ => lost(None, "partneraftalen er suspenderet eller lukket", "the partner agreement is suspended or closed"),
                };
                let aliases = if row.get::<i64>("aliases")? > 0 { Sight::Done(None) } else { Sight::Nothing };
                let all =
                    [active, aliases, since(instant("streams_us")?), since(instant("user_us")?), since(instant("file_us")?)];
                let known = self.mailboxes.entry((row.get("environment")?, row.parsed("owner")?)).or_default();
                known.iter_mut().zip(all).for_each(|(known, sight)| better(known, sight));
            }
        }
        Ok(())
    }

    /// What is seen of a task of a connection.
    pub(super) fn of(&self, connection: &Connection, look: &Look) -> Sight {
        let environment = connection.environment.as_str().to_owned();
        let system = |of: System| match of {
            System::Client => Some((connection.client, connection.authority)),
            System::Receiver => connection.receiver.map(|receiver| (receiver, connection.receiver_authority)),
        };
        let none = Sight::Nothing;
        match look {
            Look::Users => self.users.get(&connection.authority).cloned().unwrap_or(none),
            Look::Client => {
                if let Some(registered) = self.certificates.get(&connection.client) {
                    return registered.clone();
                }
                let known = self.front.get(&(environment, connection.client));
                let known = known
                    .into_iter()
                    .flatten()
                    .filter(|agreement| agreement.certified)
                    .map(|agreement| self.requested(agreement));
                best(known)
            }
            Look::Agreement { side } => best(self.agreements(connection, *side).map(|agreement| self.requested(agreement))),
            Look::Approval { side } => best(self.agreements(connection, *side).map(|agreement| self.approved(agreement))),
            Look::Receiver => best(self.to_receiver(connection).map(|route| self.held(route))),
            Look::Endpoint => best(self.to_receiver(connection).map(|route| self.route(route))),
            Look::Route => best(self.between(connection).map(|route| self.route(route))),
            Look::SftpUser { of } => {
                let known = system(*of).and_then(|(system, _)| self.sftp_users.get(&(environment, system)));
                known.cloned().unwrap_or(none)
            }
            Look::Monitored { of, inf_refs } => {
                let known = system(*of).and_then(|(system, _)| self.monitored.get(&(environment, system)));
                let fits = |inf_ref: &Option<String>| {
                    inf_refs.is_empty() || inf_ref.as_ref().is_some_and(|inf_ref| inf_refs.contains(inf_ref))
                };
                best(known.into_iter().flatten().filter(|(inf_ref, _)| fits(inf_ref)).map(|(_, sight)| sight.clone()))
            }
            Look::FileOrder => best(self.orders(connection, false).map(|order| match order.state {
                State::Requested | State::Approved | State::Suspended => Sight::Done(None),
                _ => lost(
                    None,
                    "rutebestillingen blev afvist, trukket eller opsagt",
                    "the route order was rejected, withdrawn or ended",
                ),
            })),
            Look::FileRoutes { to_receiver, to_client } => {
                let of = |back: bool, inf_ref: Option<&String>| {
                    let fits = |order: &&Order| inf_ref.is_none_or(|wanted| order.inf_ref.as_ref() == Some(wanted));
                    best(self.orders(connection, back).filter(fits).map(|order| self.order(order)))
                };
                if to_receiver.is_empty() && to_client.is_empty() {
                    return of(false, None);
                }
                let all =
                    to_receiver.iter().map(|one| of(false, Some(one))).chain(to_client.iter().map(|one| of(true, Some(one))));
                worst(all)
            }
            Look::FileFetched => {
                let Some(receiver) = connection.receiver else { return none };
                let way = (environment, connection.client, receiver, connection.authority, connection.receiver_authority);
                self.fetched.get(&way).cloned().unwrap_or(none)
            }
            Look::ValueLists => self.sortiments.get(&(connection.service, None)).cloned().unwrap_or(none),
            Look::Supplement => self.sortiments.get(&(connection.service, Some(connection.authority))).cloned().unwrap_or(none),
            Look::Subscription { of } => {
                let known =
                    system(*of).and_then(|(system, authority)| self.subscriptions.get(&(connection.service, authority, system)));
                known.cloned().unwrap_or(none)
            }
            Look::Answers => self.seen.get(&(connection.place(Once::Receiver), "answers".to_owned())).cloned().unwrap_or(none),
            Look::Test => self.seen.get(&(connection.place(Once::Connection), "test".to_owned())).cloned().unwrap_or(none),
            Look::Mailbox => self.mailbox(connection, 0),
            Look::MailboxAliases => self.mailbox(connection, 1),
            Look::MailboxStreams => self.mailbox(connection, 2),
            Look::MailboxUser => self.mailbox(connection, 3),
            Look::MailboxFile => self.mailbox(connection, 4),
        }
    }

    fn mailbox(&self, connection: &Connection, which: usize) -> Sight {
        let known = self.mailboxes.get(&(connection.environment.as_str().to_owned(), connection.authority));
        known.and_then(|known| known.get(which)).cloned().unwrap_or_default()
    }

    /// Its agreements on a side: of its client system, and on the back of its authority.
    fn agreements(&self, connection: &Connection, side: Side) -> impl Iterator<Item = &Agreement> {
        let environment = connection.environment.as_str().to_owned();
        let found = match side {
            Side::Front => self.front.get(&(environment, connection.client)),
            Side::Back => self.back.get(&(connection.service, environment, connection.authority)),
        };
        let (service, authority) = (connection.service, connection.authority);
        let own = move |agreement: &&Agreement| agreement.service == service && agreement.authority == authority;
        found.into_iter().flatten().filter(own)
    }

    fn requested(&self, agreement: &Agreement) -> Sight {
        let over = agreement.to.is_some_and(|to| to <= self.now);
        match agreement.state {
            State::Approved if over => lost(agreement.to, "aftalen er udløbet", "the agreement has expired"),
            State::Requested | State::Approved | State::Suspended => Sight::Done(agreement.requested),
            State::Rejected => lost(agreement.decided, "anmodningen blev afvist", "the request was rejected"),
            State::Withdrawn => lost(agreement.decided, "anmodningen blev trukket tilbage", "the request was withdrawn"),
            State::Terminated if agreement.ends.is_some_and(|ends| ends > self.now) => Sight::Done(agreement.requested),
            State::Terminated => lost(agreement.ends.or(agreement.decided), "aftalen er opsagt", "the agreement was ended"),
            State::Expired => lost(agreement.to, "aftalen er udløbet", "the agreement has expired"),
        }
    }

    fn approved(&self, agreement: &Agreement) -> Sight {
        match agreement.state {
            State::Approved if agreement.from > self.now => Sight::Nothing,
            State::Approved if agreement.to.is_some_and(|to| to <= self.now) => {
                lost(agreement.to, "aftalen er udløbet", "the agreement has expired")
            }
            State::Approved => Sight::Done(agreement.decided.max(Some(agreement.from))),
            State::Suspended => lost(agreement.decided, "aftalen er suspenderet", "the agreement is suspended"),
            State::Terminated if agreement.ends.is_some_and(|ends| ends > self.now) => Sight::Done(Some(agreement.from)),
            State::Terminated => lost(agreement.ends.or(agreement.decided), "aftalen er opsagt", "the agreement was ended"),
            State::Expired => lost(agreement.to, "aftalen er udløbet", "the agreement has expired"),
            State::Requested | State::Rejected | State::Withdrawn => Sight::Nothing,
        }
    }

    /// Every route to its receiver.
    fn to_receiver(&self, connection: &Connection) -> impl Iterator<Item = &Route> {
        let of = self.routes.get(&(connection.service, connection.environment.as_str().to_owned()));
        let found = connection.receiver.and_then(|receiver| of.and_then(|of| of.0.get(&receiver)));
        found.into_iter().flat_map(|by_parties| by_parties.values().flatten())
    }

    /// Those that carry its calls.
    fn between(&self, connection: &Connection) -> impl Iterator<Item = &Route> {
        let of = self.routes.get(&(connection.service, connection.environment.as_str().to_owned()));
        let found = connection.receiver.and_then(|receiver| of.and_then(|of| of.0.get(&receiver)));
        let (sender, receiver) = (Some(connection.authority), Some(connection.receiver_authority));
        let parties = [(sender, receiver), (sender, None), (None, receiver), (None, None)];
        parties.into_iter().filter_map(move |parties| found.and_then(|found| found.get(&parties))).flatten()
    }

    fn route(&self, route: &Route) -> Sight {
        match route.to {
            Some(to) if to <= route.from => Sight::Nothing,
            Some(to) if to <= self.day => lost(begins(to), "ruten er udløbet", "the route has ended"),
            _ if self.day < route.from => Sight::Nothing,
            _ => Sight::Done(begins(route.from)),
        }
    }

    /// Known, whether it is to come or over.
    fn held(&self, route: &Route) -> Sight {
        if route.to.is_some_and(|to| to <= route.from) { Sight::Nothing } else { Sight::Done(begins(route.from)) }
    }

    fn orders(&self, connection: &Connection, back: bool) -> impl Iterator<Item = &Order> {
        let environment = connection.environment.as_str().to_owned();
        let (own, other) = (connection.authority, connection.receiver_authority);
        let way = connection.receiver.map(|receiver| match back {
            false => (environment, connection.client, receiver, own, other),
            true => (environment, receiver, connection.client, other, own),
        });
        way.and_then(|way| self.orders.get(&way)).into_iter().flatten()
    }

    fn order(&self, order: &Order) -> Sight {
        match order.state {
            State::Approved if order.from > self.day => Sight::Nothing,
            State::Approved if order.to.is_some_and(|to| to <= self.day) => {
                lost(order.to.and_then(begins), "rutebestillingen er udløbet", "the route order has expired")
            }
            State::Approved => Sight::Done(begins(order.from)),
            State::Suspended | State::Terminated | State::Expired => {
                lost(None, "rutebestillingen er suspenderet eller opsagt", "the route order is suspended or ended")
            }
            State::Requested | State::Rejected | State::Withdrawn => Sight::Nothing,
        }
    }
}

fn way(row: &Row) -> Result<Way, StoreError> {
    Ok((
        row.get("environment")?,
        row.get("sender_system")?,
        row.get("recipient_system")?,
        row.parsed("sender_authority")?,
        row.parsed("recipient_authority")?,
    ))
}

/// When a day begins in Copenhagen.
fn begins(day: Date) -> Option<Timestamp> {
    day.to_zoned(copenhagen()?).ok().map(|zoned| zoned.timestamp())
}

fn lost(since: Option<Timestamp>, da: &str, en: &str) -> Sight {
    Sight::Lost { since, why: Detail::new(da, en) }
}

/// Of two that show the same task the one that shows most: done before lost, the earlier done, the later lost.
fn better(known: &mut Sight, other: Sight) {
    let takes = match (&known, &other) {
        (_, Sight::Nothing) => false,
        (Sight::Nothing, _) | (Sight::Lost { .. }, Sight::Done(_)) => true,
        (Sight::Done(_), Sight::Lost { .. }) => false,
        (Sight::Done(one), Sight::Done(other)) => other.is_some() && (one.is_none() || other < one),
        (Sight::Lost { since: one, .. }, Sight::Lost { since: other, .. }) => other > one,
    };
    if takes {
        *known = other;
    }
}

fn best(sights: impl Iterator<Item = Sight>) -> Sight {
    sights.fold(Sight::Nothing, |mut known, sight| {
        better(&mut known, sight);
        known
    })
}

/// Of several that must all be: the last that came, or what is missing.
fn worst(sights: impl Iterator<Item = Sight>) -> Sight {
    let all: Vec<Sight> = sights.collect();
    let missing =
        all.iter().find(|sight| matches!(sight, Sight::Lost { .. })).or(all.iter().find(|sight| **sight == Sight::Nothing));
    missing.cloned().unwrap_or_else(|| {
        Sight::Done(all.iter().filter_map(|sight| if let Sight::Done(since) = sight { *since } else { None }).max())
    })
}
