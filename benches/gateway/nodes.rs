//! Two nodes on one PostgreSQL behind HAProxy beside one of them alone, each held to the same part of the machine; and how long
//! a decision on one takes to hold on the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::agreements::{Agreements, CacheSettings, ClientSystem, Side, State, Store};
use hjemmel::refusal::Refusal;
use hjemmel::services::terminaladgang::names::SERVICE_PATH;
use hjemmel::store::{Access, Database, Settings, moving};
use serde_json::json;
use sqlx::postgres::{PgConnection, PgListener};

use super::driver::{Binding, Caller, Messages};
use super::held::Held;
use super::postgres::Cluster;
use super::process::{Process, cpu_of, free};
use super::rows::{Effort, SMALL, milliseconds};
use super::stage::{Peer, Stage};
use super::table::{Row, median};

/// Connections, spread over the nodes by the balancer: as many calls as one processor's node always takes.
const CONNECTIONS: usize = 8;

/// Moves the stage's agreements to PostgreSQL: the database's name, and the settings by which gateways share it.
pub async fn on_postgres(stage: &Stage, cluster: &Cluster) -> (String, String) {
    let database = cluster.database().name;
    let from = Database::open(&Settings::sqlite(&stage.file("agreements.sqlite")), Access::Change).await.unwrap();
    let to = Database::open(&cluster.settings(&database), Access::Make).await.unwrap();
    moving::moved(&from, &to, |_, _, _| ()).await.unwrap();
    from.close().await;
    to.close().await;
    let shared = format!(
        "replay_memory = \"database\"\n[store]\nurl = \"postgres://hjemmel@localhost:{}/{database}\"\n\
         tls_roots = [\"{}\"]\npassword_file = \"{}\"\n",
        cluster.port(),
        cluster.root().display(),
        cluster.password_file().display(),
    );
    (database, shared)
}

/// `None` without PostgreSQL or HAProxy.
pub async fn nodes(stage: &Stage, effort: Effort) -> Option<Vec<Row>> {
    let cluster = Cluster::as_it_comes()?;
    let (database, shared) = on_postgres(stage, &cluster).await;
    let heard = heard(&cluster, &database, effort).await;
    // Both nodes are called by one address, whichever of them answers.
    let public = free();
    let mut gateways = Vec::new();
    let held = [Held::new(0), Held::new(1)];
    for (held, name) in held.iter().zip(["node-one", "node-two"]) {
        gateways.push(stage.gateway_on(held, name, public, &shared).await);
    }
    let (one, two) = (balancer(stage, "one", free(), &gateways[..1])?, balancer(stage, "two", public, &gateways)?);
    stage.answers(SMALL);
    let mut samples = [Vec::new(), Vec::new()];
    // The first round fills caches and is not counted.
    for round in 0..=effort.rounds {
        for (at, front) in [&one, &two].into_iter().enumerate() {
            let measured = drive(stage, front, &two, &gateways[..=at], &cluster, (effort.seconds * 500.0) as usize).await;
            if round > 0 {
                eprintln!("nodes: round {round} of {}, {} behind the balancer: {measured:?}", effort.rounds, at + 1);
                samples[at].push(measured);
            }
        }
    }
    let middle = |at: usize, of: fn(&Measured) -> f64| median(&samples[at].iter().map(of).collect::<Vec<_>>());
    let (throughput, cpu, by_database) = (|m: &Measured| m.per_second, |m: &Measured| m.gateway, |m: &Measured| m.database);
    let [one, two] = [0, 1].map(|at| middle(at, throughput));
    let [cpu_one, cpu_two] = [0, 1].map(|at| middle(at, cpu));
    drop(gateways);
    let told = json!(samples.each_ref().map(|rounds| rounds.iter().map(Measured::json).collect::<Vec<_>>()));
    let rows = [
        Row {
            what: "throughput of one node, vs two behind a TCP balancer".to_owned(),
            value: one / two,
            unit: "×",
            goal: Some(1.0 / 1.8),
            detail: format!(
                "{one:.0} and {two:.0} calls a second; token binding, 8.8 KB; each {}; driver, back end, balancer and database have the rest",
                held[0].describe()
            ),
            samples: told.clone(),
        },
        Row {
            what: "CPU of the gateways per call at two nodes, vs one".to_owned(),
            value: cpu_two / cpu_one,
            unit: "×",
            goal: Some(2.0 / 1.8),
            detail: format!(
                "{} and {}; the database {} and {} a call. Two nodes with a processor each serve {:.2} times as much as one, as far as \
                 what a call costs them goes",
                milliseconds(cpu_two),
                milliseconds(cpu_one),
                milliseconds(middle(1, by_database)),
                milliseconds(middle(0, by_database)),
                2.0 * cpu_one / cpu_two,
            ),
            samples: told,
        },
    ];
    Some(rows.into_iter().chain(heard).collect())
}

/// What a round said.
#[derive(Debug)]
struct Measured {
    per_second: f64,
    /// CPU a call, in seconds.
    gateway: f64,
    database: f64,
}

impl Measured {
    fn json(&self) -> serde_json::Value {
        json!({ "per_second": self.per_second, "gateway_cpu": self.gateway, "database_cpu": self.database })
    }
}

async fn drive(stage: &Stage, front: &Peer, public: &Peer, nodes: &[Peer], cluster: &Cluster, calls: usize) -> Measured {
    let messages = Messages::Each(stage.signed(public, calls).await);
    let caller = Caller::new(&stage.keys, front.address, SERVICE_PATH, Binding::Token);
    let used = || (nodes.iter().map(|node| node.process.cpu()).sum::<f64>(), cpu_of(cluster.postmaster()));
    let before = used();
    let went = caller.closed_loop(CONNECTIONS, messages).await;
    // What they still do for these calls is theirs.
    tokio::time::sleep(Duration::from_millis(40)).await;
    let after = used();
    assert!(
        went.failed == 0 && went.refused.is_empty(),
        "{} of {calls} failed, {} were refused; the nodes wrote: {:?}",
        went.failed,
        went.refused.len(),
        nodes.iter().map(|node| node.process.log()).collect::<Vec<_>>(),
    );
    let served = went.served.len() as f64;
    Measured {
        per_second: served / went.seconds,
        gateway: (after.0 - before.0) / served,
        database: (after.1 - before.1) / served,
    }
}

/// HAProxy before these nodes, passing TCP through.
fn balancer(stage: &Stage, name: &str, address: SocketAddr, nodes: &[Peer]) -> Option<Peer> {
    if super::process::said("haproxy", &["-v"]).is_empty() {
        return None;
    }
    let servers: String = nodes.iter().enumerate().map(|(at, node)| format!("  server n{at} {}\n", node.address)).collect();
    let config = format!(
        "global\n  maxconn 4096\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 120s\n  timeout server 120s\n\
         frontend front\n  bind {address}\n  default_backend gateways\nbackend gateways\n  balance roundrobin\n{servers}"
    );
    let file = stage.file(&format!("balancer-{name}.cfg"));
    std::fs::write(&file, config).unwrap();
    let log = stage.file(&format!("balancer-{name}.log"));
    let mut process = Process::start("haproxy", &["-db", "-f", file.to_str().unwrap()], &log);
    process.listens(address);
    Some(Peer { name: "haproxy", address, process })
}

/// From a decision on one node until the other acts by it, beside a bare NOTIFY from one connection to another, and beside one that comes
/// with a row that is kept.
pub async fn heard(cluster: &Cluster, database: &str, effort: Effort) -> [Row; 2] {
    let rounds = effort.rounds * 20;
    let [one, other] =
        [Store::open(&cluster.settings(database)).await.unwrap(), Store::open(&cluster.settings(database)).await.unwrap()];
    let never = Duration::from_secs(3600);
    let cache = CacheSettings { refresh: never, staleness: never, negative: never, capacity: 1000 };
    other.database().listen();
    while !other.database().is_listening() {
        tokio::task::yield_now().await;
    }
    let held = one.list().await.unwrap();
    let front = held.iter().find(|agreement| agreement.side == Side::Front && !agreement.certificates.is_empty()).unwrap();
    let agreements = Arc::new(Agreements::new(other.clone(), cache));
    let now = hjemmel::clock::Clock::system().now();
    let holds = async || {
        let system = ClientSystem::Certificate(front.certificates[0]);
        match agreements.front(system, front.authority, front.service, &front.environment, now).await {
            Ok(_) => true,
            Err(Refusal::ServiceAgreementNotActive { .. } | Refusal::ServiceAgreementNotFound) => false,
            Err(other) => panic!("{other:?}"),
        }
    };
    let (mut whole, mut after_commit) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let to = if round % 2 == 0 { State::Suspended } else { State::Approved };
        let began = Instant::now();
        let mut change = one.change().await.unwrap();
        change.decide(front.id, None, to, "måling", "måling", now).await.unwrap();
        change.commit().await.unwrap();
        let committed = Instant::now();
        while holds().await != (to == State::Approved) {
            tokio::task::yield_now().await;
        }
        whole.push(began.elapsed().as_secs_f64());
        after_commit.push(committed.elapsed().as_secs_f64());
    }
    let (mut says, url) = (cluster.superuser(database).await, cluster.url(database));
    let mut listener = PgListener::connect(&url).await.unwrap();
    listener.listen("bare").await.unwrap();
    let mut taken = async |connection: &mut PgConnection, statement: &'static str| {
        let mut taken = Vec::new();
        for _ in 0..rounds {
            let began = Instant::now();
            sqlx::raw_sql(statement).execute(&mut *connection).await.unwrap();
            listener.recv().await.unwrap();
            taken.push(began.elapsed().as_secs_f64());
        }
        taken
    };
    let bare = taken(&mut says, "NOTIFY bare").await;
    sqlx::raw_sql("CREATE TABLE bare (at timestamptz)").execute(&mut says).await.unwrap();
    let kept = taken(&mut says, "INSERT INTO bare VALUES (now()); NOTIFY bare").await;
    sqlx::raw_sql("DROP TABLE bare").execute(&mut says).await.unwrap();
    let [took, after] = [&whole, &after_commit].map(|samples| median(samples));
    [("a bare NOTIFY", bare), ("a NOTIFY with one row that is kept", kept)].map(|(floor, samples)| Row {
        what: format!("a decision on one node until it holds on the other, vs {floor}"),
        value: took / median(&samples),
        unit: "×",
        goal: Some(5.0),
        detail: format!(
            "{} against {}; {} after it was committed; medians of {rounds}",
            milliseconds(took),
            milliseconds(median(&samples)),
            milliseconds(after)
        ),
        samples: json!({ "whole": whole, "after_commit": after_commit, "floor": samples }),
    })
}

impl Stage {
    /// A gateway that is held.
    async fn gateway_on(&self, held: &Held, name: &str, public: SocketAddr, settings: &str) -> Peer {
        let file = self.configured(name, settings, &[]).await;
        let mut config: toml::Table = std::fs::read_to_string(&file.0).unwrap().parse().unwrap();
        config["listen"]["public_url"] = format!("https://localhost:{}", public.port()).into();
        std::fs::write(&file.0, config.to_string()).unwrap();
        let address: SocketAddr = file.1;
        let mut process = self.held(held, &file.0, name);
        process.listens(address);
        Peer { name: "hjemmel", address, process }
    }
}
