//! What a call and a page of the API cost among 100,000 agreements, beside the same gateway with a few, in turns: with SQLite and
//! with PostgreSQL.

use std::net::SocketAddr;

use hjemmel::store::{Access, Database, Settings, moving};
use hjemmel::stub::pki::Role;
use serde_json::json;

use super::driver::{Binding, Caller, Messages, quantile};
use super::postgres::Cluster;
use super::process::free;
use super::rows::{CONNECTIONS, Effort, SMALL, accounted, milliseconds};
use super::stage::{Peer, Stage};
use super::table::{Row, median};

/// So many that a page is full among the few, too.
pub const FEW: usize = 200;
const GOAL: f64 = 1.1;
const PAGES: [(&str, &str); 2] = [
    ("a page of 50", "/api/v1/agreements?limit=50"),
    ("a page of 50 by state, side and environment", "/api/v1/agreements?limit=50&state=GODKENDT&side=front&environment=demo"),
];

/// A gateway, and where its API is.
struct Asked {
    peer: Peer,
    pages: Caller,
}

impl Asked {
    async fn start(stage: &Stage, name: &str, settings: &str, agreements: Option<usize>) -> Self {
        let api: SocketAddr = free();
        let peer = stage.gateway(name, &format!("[api]\naddress = \"{api}\"\n{settings}"), agreements).await;
        let operator = stage.keys.credentials(Role::PersonOperator);
        let pages = Caller::with(stage.keys.roots(), &operator, api, "/", Binding::AuthorityContext);
        Self { peer, pages }
    }
}

/// The rows of both databases; of SQLite alone without PostgreSQL.
pub async fn many(stage: &Stage, effort: Effort) -> Vec<Row> {
    let start = async |name: &'static str, count| Asked::start(stage, name, "", Some(count)).await;
    let in_sqlite = [start("few", FEW).await, start("many", effort.agreements).await];
    let mut rows = compared(stage, effort, "SQLite", &in_sqlite).await;
    let Some(cluster) = Cluster::as_it_comes() else { return rows };
    let mut in_postgres = Vec::new();
    for name in ["few", "many"] {
        let (store, _) = moved(stage, &cluster, name).await;
        in_postgres.push(Asked::start(stage, &format!("{name}-postgres"), &store, None).await);
    }
    let in_postgres: [Asked; 2] = in_postgres.try_into().unwrap_or_else(|_| panic!("two"));
    drop(in_sqlite);
    rows.extend(compared(stage, effort, "PostgreSQL", &in_postgres).await);
    rows
}

/// Moves what a gateway of this name has in SQLite to a database of its own: the section that leads there, and how it is opened.
pub async fn moved(stage: &Stage, cluster: &Cluster, name: &str) -> (String, Settings) {
    let database = cluster.database().name;
    let settings = cluster.settings(&database);
    let from = Database::open(&Settings::sqlite(&stage.file(&format!("{name}.sqlite"))), Access::Change).await.unwrap();
    let to = Database::open(&settings, Access::Make).await.unwrap();
    eprintln!("{name} is moved to PostgreSQL");
    moving::moved(&from, &to, |_, _, _| ()).await.unwrap();
    from.close().await;
    to.close().await;
    cluster.psql_in(&database, "ANALYZE");
    let section = format!(
        "[store]\nurl = \"postgres://hjemmel@localhost:{}/{database}\"\ntls_roots = [\"{}\"]\npassword_file = \"{}\"\n",
        cluster.port(),
        cluster.root().display(),
        cluster.password_file().display(),
    );
    (section, settings)
}

/// A call by the gateway's CPU time; a page by how long it takes, so that the database's part is in it wherever that runs.
async fn compared(stage: &Stage, effort: Effort, database: &str, [few, many]: &[Asked; 2]) -> Vec<Row> {
    let counts = format!("{} agreements vs {FEW}, {database}", effort.agreements);
    eprintln!("agreements: {counts}");
    stage.answers(SMALL);
    let calls = async |asked: &Asked| {
        let (caller, count) = (stage.caller(&asked.peer, Binding::AuthorityContext), (effort.seconds * 1000.0) as usize);
        let drive = async || caller.closed_loop(CONNECTIONS, Messages::Same(stage.question.clone(), count)).await;
        let (went, cpu) = accounted(&asked.peer, drive).await;
        assert_eq!(went.failed, 0, "{counts}");
        cpu / went.served.len() as f64
    };
    let call = "the gateway alone, 16 connections, answers of 8.8 KB".to_owned();
    let mut rows = vec![in_turns((format!("CPU per call, {counts}"), call, GOAL), effort, few, many, calls).await];
    for (what, path) in PAGES {
        let page = async |asked: &Asked| quantile(&asked.pages.pages(path, (effort.seconds * 100.0) as usize).await, 0.5);
        let what = format!("Time for {what} of the API, {counts}");
        let how = "the median of a round; one connection, mutual TLS".to_owned();
        rows.push(in_turns((what, how, GOAL), effort, few, many, page).await);
    }
    rows
}

/// A figure of both, in turns, as so many times the one of the few; the first round fills memories and is not counted.
pub async fn in_turns<T>(
    (what, how, goal): (String, String, f64),
    effort: Effort,
    few: &T,
    many: &T,
    figure: impl AsyncFn(&T) -> f64,
) -> Row {
    let (mut figures, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for round in 0..=effort.rounds {
        let of = [figure(few).await, figure(many).await];
        if round > 0 {
            figures.iter_mut().zip(of).for_each(|(all, one)| all.push(one));
            ratios.push(of[1] / of[0]);
        }
    }
    let [one, other] = [median(&figures[0]), median(&figures[1])];
    Row {
        what,
        value: median(&ratios),
        unit: "×",
        goal: Some(goal),
        detail: format!(
            "{} beside {}; the median of {} rounds in turns; {how}",
            milliseconds(other),
            milliseconds(one),
            effort.rounds
        ),
        samples: json!({ "few": figures[0], "many": figures[1], "ratios": ratios }),
    }
}
