//! What the console's lists cost: of agreements among 100,000 beside a few, and of a year's connections beside one; in turns, with
//! SQLite and with PostgreSQL.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::connection::store::{MOST, Wanted};
use hjemmel::store::{Settings, sql};
use hjemmel::stub::pki::Role;
use hjemmel::users::sessions::{Limits, Means, Proven};
use hjemmel::users::{Scope, Whose};
use uuid::Uuid;

use super::driver::{Caller, quantile};
use super::many::{FEW, in_turns, moved};
use super::postgres::Cluster;
use super::process::free;
use super::rows::Effort;
use super::stage::{Peer, Stage};
use super::table::Row;

/// A year of the country: so many authorities, each with so many systems.
const AUTHORITIES: u32 = 98;
const SYSTEMS: u32 = 20;
const LISTS: [(&str, &str); 2] =
    [("the list of agreements", "/agreements"), ("the list of agreements by state", "/agreements?state=GODKENDT")];

/// A gateway's console with an operator logged on, and its store.
struct Console {
    browser: Caller,
    store: Store,
    _peer: Peer,
}

impl Console {
    /// One with SQLite.
    async fn start(stage: &Stage, name: &str, agreements: Option<usize>) -> Self {
        let store = Settings::sqlite(&stage.file(&format!("{name}.sqlite")));
        Self::on(stage, name, ("", &store), agreements).await
    }

    /// One with the store that the section leads to.
    async fn on(stage: &Stage, name: &str, (section, store): (&str, &Settings), agreements: Option<usize>) -> Self {
        let address: SocketAddr = free();
        let settings = format!("[console]\naddress = \"{address}\"\none_time_links = \"everybody\"\n{section}");
        let peer = stage.gateway(name, &settings, agreements).await;
        let store = Store::open(store).await.unwrap();
        let user = Role::PersonOperator.uuid().parse().unwrap();
        let proven = Proven { user, means: Means::Link, roles: None, at_provider: None, until: None };
        let hours = Duration::from_secs(8 * 3600);
        let limits = Limits { idle: hours, lifetime: hours };
        let (secret, _) = store.open_session(&proven, limits, stage.world.clock.now()).await.unwrap();
        let browser = Caller::browser(&stage.keys, address, format!("__Host-hjemmel={}", secret.reveal()));
        Self { browser, store, _peer: peer }
    }

    /// Adds connections of so many authorities with so many systems each.
    async fn connect(&self, stage: &Stage, authorities: u32, systems: u32) {
        let now = stage.world.clock.now();
        let mut transaction = self.store.database().begin_beside_others().await.unwrap();
        for authority in 0..authorities {
            for system in 0..systems {
                let add = sql(
                    "INSERT INTO connection (id, graph, service, environment, authority, client, receiver, receiver_authority, options, added_at)
                     VALUES ($1, 'sf1590a', $2, 'exttest', $3, $4, $5, $3, 'straks,masse,sortiment,verification', $6)",
                );
                let add = add.bind(Uuid::now_v7()).bind(Uuid::from_u128(0x1590)).bind((10_000_000 + authority).to_string());
                let add = add.bind(Uuid::from_u128(u128::from(system) + 1000)).bind(Uuid::from_u128(u128::from(authority)));
                transaction.execute(add.bind(now)).await.unwrap();
            }
        }
        transaction.commit().await.unwrap();
    }

    /// Reads every connection with where each of its tasks stands: how many, and how long it took, in seconds.
    async fn connections(&self, stage: &Stage) -> (usize, f64) {
        let wanted = Wanted { limit: MOST, ..Wanted::default() };
        let everybodys = Scope { whose: Whose::Everybody, services: Vec::new() };
        let begun = Instant::now();
        let views = self.store.connection_views(&wanted, &everybodys, stage.world.clock.now()).await.unwrap();
        (views.len(), begun.elapsed().as_secs_f64())
    }
}

/// The rows of both databases; of SQLite alone without PostgreSQL.
pub async fn rows(stage: &Stage, effort: Effort) -> Vec<Row> {
    let agreements =
        [Console::start(stage, "few", Some(FEW)).await, Console::start(stage, "many", Some(effort.agreements)).await];
    let connections = [Console::start(stage, "one", None).await, Console::start(stage, "all", None).await];
    connections[0].connect(stage, 1, 1).await;
    connections[1].connect(stage, AUTHORITIES, SYSTEMS).await;
    let mut rows = compared(stage, effort, "SQLite", &agreements, &connections).await;
    let Some(cluster) = Cluster::as_it_comes() else { return rows };
    let mut in_postgres = Vec::new();
    for name in ["few", "many", "one", "all"] {
        let (section, store) = moved(stage, &cluster, name).await;
        in_postgres.push(Console::on(stage, &format!("{name}-postgres"), (&section, &store), None).await);
    }
    drop((agreements, connections));
    let (of_agreements, of_connections) = in_postgres.split_at(2);
    rows.extend(compared(stage, effort, "PostgreSQL", of_agreements, of_connections).await);
    rows
}

/// By how long each takes, so that the database's part is in it wherever that runs. Two of each: the few, and the many.
async fn compared(stage: &Stage, effort: Effort, database: &str, agreements: &[Console], connections: &[Console]) -> Vec<Row> {
    eprintln!("console: {database}");
    let mut rows = Vec::new();
    for (what, path) in LISTS {
        let page = async |console: &Console| quantile(&console.browser.pages(path, (effort.seconds * 100.0) as usize).await, 0.5);
        let what = format!("Time for {what} of the console, {} agreements vs {FEW}, {database}", effort.agreements);
        let how = "the median of a round; one connection, an operator who sees all".to_owned();
        rows.push(in_turns((what, how, 1.2), effort, &agreements[0], &agreements[1], page).await);
    }
    let (one, all) = (connections[0].connections(stage).await.0, connections[1].connections(stage).await.0);
    assert_eq!((one, all), (1, (AUTHORITIES * SYSTEMS) as usize));
    // Not dearer than so many single ones.
    let goal = 2_000.0;
    let some = (effort.seconds * 5.0) as usize;
    let list = async |console: &Console| quantile(&console.browser.pages("/connections", some).await, 0.5);
    let what = format!("Time for the list of connections of the console, {all} vs {one}, {database}");
    let how = format!(
        "{AUTHORITIES} authorities with {SYSTEMS} systems each; the median of a round; the page shows those that wait longest"
    );
    rows.push(in_turns((what, how, goal), effort, &connections[0], &connections[1], list).await);
    let read = async |console: &Console| {
        let mut took = Vec::new();
        for _ in 0..some {
            took.push(console.connections(stage).await.1);
        }
        took.sort_by(f64::total_cmp);
        quantile(&took, 0.5)
    };
    let what = format!("Time to read {all} connections with where each task stands vs {one}, {database}");
    let how = "the median of a round; by the library, without the page".to_owned();
    rows.push(in_turns((what, how, goal), effort, &connections[0], &connections[1], read).await);
    rows
}
