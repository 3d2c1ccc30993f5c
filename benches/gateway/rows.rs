//! The rows of the table, each measured in rounds in which the peers take turns.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use super::backend::Prepared;
use super::driver::{Binding, Messages};
use super::floor::Floor;
use super::oha;
use super::stage::{Peer, Stage};
use super::table::{Row, median};

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Rounds in turns.
    pub rounds: usize,
    /// How long one peer is driven in one round.
    pub seconds: f64,
    /// Full handshakes a round.
    pub handshakes: usize,
    /// Agreements in the large store.
    pub agreements: usize,
    /// Idle connections.
    pub clients: usize,
}

/// The connections that load comes over.
pub const CONNECTIONS: usize = 16;
const MB: f64 = 1e6;

/// A size of answer.
#[derive(Clone, Copy)]
pub struct Size {
    pub name: &'static str,
    pub bytes: u64,
    /// How many of them may be released.
    pub alike: u64,
}

const fn size(name: &'static str, bytes: u64) -> Size {
    // Small answers are released whole; of large ones at most 5 %.
    Size { name, bytes, alike: if bytes < 1_000_000 { bytes } else { bytes / 20 } }
}

pub const SIZES: [Size; 4] = [size("8.8 KB", 8_800), size("97 KB", 97_000), size("1 MB", 1_000_000), size("10 MB", 10_000_000)];
pub const SMALL: Size = SIZES[0];
const LARGE: Size = SIZES[3];

impl Stage {
    pub fn answers(&self, size: Size) -> Prepared {
        let prepared = self.prepared(size.bytes, size.alike);
        self.backend.answer.set(prepared.clone());
        prepared
    }

    /// The length of the answer that the caller gets.
    async fn released(&self, peer: &Peer) -> usize {
        let answer = self.caller(peer, Binding::AuthorityContext).once(self.question.clone()).await;
        let (status, length) = answer.expect("an answer");
        assert_eq!(status, 200, "{}", peer.name);
        assert!(length > 2000, "{} gave an answer of {length} bytes, in which nothing was released", peer.name);
        length
    }
}

/// What `work` cost the peer, in seconds of CPU time.
pub async fn accounted<T>(peer: &Peer, work: impl AsyncFnOnce() -> T) -> (T, f64) {
    let before = peer.process.cpu();
    let result = work().await;
    // What the peer still does for these calls is theirs.
    tokio::time::sleep(Duration::from_millis(40)).await;
    (result, peer.process.cpu() - before)
}

/// CPU time a call, and how long calls took, in seconds.
#[derive(Default, serde::Serialize)]
struct Series {
    name: &'static str,
    cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    per_second: Vec<f64>,
}

impl Series {
    fn of(peer: &Peer) -> Self {
        Self { name: peer.name, ..Self::default() }
    }
    async fn round(&mut self, stage: &Stage, peer: &Peer, connections: usize, seconds: f64) {
        let drive = async || tokio::task::block_in_place(|| oha::drive(stage, peer, connections, seconds));
        let (went, cpu) = accounted(peer, drive).await;
        self.cpu.push(cpu / went.calls);
        self.p50.push(went.p50);
        self.p99.push(went.p99);
        self.per_second.push(went.per_second);
    }
}

pub fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", seconds * 1e3)
}

/// CPU and latency of the AuthorityContext binding beside the pass-throughs, one size after another; and the token binding
/// beside its floor.
pub async fn bindings(stage: &Stage, effort: Effort) -> Vec<Row> {
    let gateway = stage.gateway("bindings", "", None).await;
    let mut peers = vec![gateway, stage.nginx(), stage.hyper()];
    peers.extend(stage.haproxy());
    let (mut by_tls, mut by_token, mut p99s) = (Vec::new(), Vec::new(), Vec::new());
    let (mut floor, sample) = (Floor::default(), stage.answers(SIZES[1]));
    for size in SIZES {
        let prepared = stage.answers(size);
        let mut series: Vec<_> = peers.iter().map(Series::of).collect();
        let (mut token_cpu, mut answer) = (Vec::new(), 0);
        let released = stage.released(&peers[0]).await;
        for peer in &peers {
            stage.released(peer).await;
            stage
                .caller(peer, Binding::AuthorityContext)
                .closed_loop(CONNECTIONS, Messages::Same(stage.question.clone(), 64))
                .await;
        }
        let request = stage.signed(&peers[0], 1).await.remove(0).len();
        let forwarded = stage.backend.request_bytes.clone();
        for round in 0..effort.rounds {
            eprintln!("{}: round {} of {}", size.name, round + 1, effort.rounds);
            floor.measure(&stage.world.pki, sample.body());
            for (peer, series) in peers.iter().zip(&mut series) {
                series.round(stage, peer, CONNECTIONS, effort.seconds).await;
            }
            // As many calls as the other binding does in that time, at most a thousand, for each is signed beforehand.
            let calls = (series[0].per_second[round] * effort.seconds).clamp(32.0, 1000.0) as usize;
            let (cpu, went) = token_round(stage, &peers[0], calls).await;
            token_cpu.push(cpu);
            answer = went;
        }
        let ours = median(&series[0].cpu);
        let nginx = median(&series[1].cpu);
        let demanded = floor.sign() + floor.verify() + floor.sha256(prepared.body().len());
        let (body, objects) = (prepared.body().len(), prepared.objects);
        let others: Vec<_> = series.iter().map(|one| format!("{} {}", one.name, milliseconds(median(&one.cpu)))).collect();
        by_tls.push(Row {
            what: format!("CPU per call, AuthorityContext, {}, vs nginx", size.name),
            value: (ours - demanded) / nginx,
            unit: "×",
            goal: Some(if size.bytes < 50_000 { 1.8 } else { 1.5 }),
            detail: format!(
                "{}; less {} (RSA signature {}, verification {}, SHA-256 of {body} bytes {}); {objects} objects, {released} bytes given to the caller",
                others.join(", "), milliseconds(demanded), milliseconds(floor.sign()), milliseconds(floor.verify()),
                milliseconds(floor.sha256(body)),
            ),
            samples: json!({ "series": series, "demanded": demanded, "sign": floor.sign(), "verify": floor.verify(), "body_bytes": body, "objects": objects, "released_bytes": released }),
        });
        let back_call = forwarded.load(Ordering::Relaxed);
        let at_least = 2.0 * floor.sign()
            + 2.0 * floor.verify()
            + floor.sha256(request + back_call + body + answer)
            + floor.pass(request + body);
        by_token.push(Row {
            what: format!("CPU per call, token, {}, vs its floor", size.name),
            value: median(&token_cpu) / at_least,
            unit: "×",
            goal: Some(1.3),
            detail: format!(
                "{} against {} (2 signatures, 2 verifications, SHA-256 of {} bytes, one event pass of quick-xml over {} bytes {})",
                milliseconds(median(&token_cpu)), milliseconds(at_least), request + back_call + body + answer, request + body,
                milliseconds(floor.pass(request + body)),
            ),
            samples: json!({ "cpu": token_cpu, "floor": at_least, "request_bytes": request, "back_call_bytes": back_call, "answer_bytes": answer }),
        });
        let [own, theirs] = [0, 1].map(|at| median(&series[at].p99));
        p99s.push(Row {
            what: format!("p99 latency at {CONNECTIONS} connections, {}, vs nginx", size.name),
            value: own / theirs,
            unit: "×",
            goal: None,
            detail: series
                .iter()
                .map(|one| format!("{} {}", one.name, milliseconds(median(&one.p99))))
                .collect::<Vec<_>>()
                .join(", "),
            samples: json!({}),
        });
    }
    by_tls.into_iter().chain(by_token).chain(p99s).collect()
}

/// Drives the gateway alone, for a profiler or another build's sake, and says what a call cost.
pub async fn drive(stage: &Stage, bytes: u64, seconds: f64) {
    let gateway = stage.gateway("drive", "", None).await;
    stage.answers(size("drive", bytes));
    stage.released(&gateway).await;
    eprintln!("hjemmel is process {}", gateway.process.id());
    let drive = async || tokio::task::block_in_place(|| oha::drive(stage, &gateway, CONNECTIONS, seconds));
    let (went, cpu) = accounted(&gateway, drive).await;
    let calls = went.calls;
    println!("{} a call, {:.0} calls a second, p50 {}", milliseconds(cpu / calls), went.per_second, milliseconds(went.p50));
}

/// So many calls of the token binding, each a message of its own: CPU time a call, and the answer's length.
pub async fn token_round(stage: &Stage, gateway: &Peer, calls: usize) -> (f64, usize) {
    let messages = Messages::Each(stage.signed(gateway, calls).await);
    let caller = stage.caller(gateway, Binding::Token);
    let (went, cpu) = accounted(gateway, async || caller.closed_loop(CONNECTIONS, messages).await).await;
    assert!(went.failed == 0 && went.refused.is_empty(), "{} of {calls} calls by token failed", went.failed);
    (cpu / went.served.len() as f64, went.answer_bytes)
}

/// Peak memory: large answers less small ones, each in a process of its own.
pub async fn memory(stage: &Stage, effort: Effort) -> Vec<Row> {
    let mut peaks: Vec<(&str, Vec<u64>)> = vec![("hjemmel", vec![]), ("nginx", vec![])];
    let mut released = 0;
    for size in [SMALL, LARGE] {
        stage.answers(size);
        for (peer, peaks) in
            [stage.gateway(&format!("memory-{}", size.bytes), "", None).await, stage.nginx()].iter().zip(&mut peaks)
        {
            eprintln!("memory: {} with {}", peer.name, size.name);
            let length = stage.released(peer).await;
            released = if peer.name == "hjemmel" { length } else { released };
            tokio::task::block_in_place(|| oha::drive(stage, peer, CONNECTIONS, effort.seconds * 3.0));
            peaks.1.push(peer.process.memory("VmHWM"));
        }
    }
    let more = |at: usize| (peaks[at].1[1] as f64 - peaks[at].1[0] as f64) / MB;
    let in_flight = (released * CONNECTIONS) as f64 / MB;
    let told =
        |at: usize| format!("{}: {:.1} MB and {:.1} MB", peaks[at].0, peaks[at].1[0] as f64 / MB, peaks[at].1[1] as f64 / MB);
    vec![Row {
        what: format!("peak memory, 10 MB less 8.8 KB, {CONNECTIONS} connections"),
        value: more(0),
        unit: "MB",
        goal: Some(16.0 + 1.25 * in_flight),
        detail: format!("{}; {}; {in_flight:.1} MB released in flight; nginx {:.1} MB more", told(0), told(1), more(1)),
        samples: json!(peaks),
    }]
}

/// Full handshakes with a client certificate.
pub async fn handshakes(stage: &Stage, effort: Effort) -> Vec<Row> {
    let mut peers = vec![stage.gateway("handshakes", "", None).await, stage.nginx()];
    peers.extend(stage.haproxy());
    let mut costs = vec![Vec::new(); peers.len()];
    for round in 0..effort.rounds {
        eprintln!("handshakes: round {} of {}", round + 1, effort.rounds);
        for (peer, costs) in peers.iter().zip(&mut costs) {
            let caller = stage.caller(peer, Binding::AuthorityContext);
            let (good, cpu) = accounted(peer, async || caller.handshakes(CONNECTIONS, effort.handshakes).await).await;
            assert_eq!(good, effort.handshakes, "{}", peer.name);
            costs.push(cpu / good as f64);
        }
    }
    let told: Vec<_> =
        peers.iter().zip(&costs).map(|(peer, costs)| format!("{} {}", peer.name, milliseconds(median(costs)))).collect();
    vec![Row {
        what: "CPU per full mutual-TLS handshake, vs nginx".to_owned(),
        value: median(&costs[0]) / median(&costs[1]),
        unit: "×",
        goal: Some(0.5),
        detail: format!("{}; TLS 1.3, X25519, RSA-2048, no resumption; with it one GET that is answered 404", told.join(", ")),
        samples: json!(costs),
    }]
}

/// CPU as the work grows: longer answers, more agreements, more clients.
pub async fn growth(stage: &Stage, effort: Effort) -> Vec<Row> {
    vec![bytes(stage, effort).await, agreements(stage, effort).await, clients(stage, effort).await]
}

async fn bytes(stage: &Stage, effort: Effort) -> Row {
    let five_percent = |name, bytes| Size { name, bytes, alike: bytes / 20 };
    let sizes = [
        five_percent("8.8 KB", 8_800),
        five_percent("100 KB", 100_000),
        five_percent("1 MB", 1_000_000),
        five_percent("10 MB", 10_000_000),
        five_percent("100 MB", 100_000_000),
    ];
    let gateway = stage.gateway("growth-bytes", "", None).await;
    let mut costs = vec![Vec::new(); sizes.len()];
    let mut lengths = vec![(0, 0); sizes.len()];
    for round in 0..effort.rounds.min(3) {
        for (at, size) in sizes.into_iter().enumerate() {
            eprintln!("growth to 100 MB: round {}, {}", round + 1, size.name);
            let prepared = stage.answers(size);
            lengths[at] = (prepared.body().len(), prepared.objects);
            stage.released(&gateway).await;
            let mut series = Series::of(&gateway);
            series.round(stage, &gateway, 4, effort.seconds).await;
            costs[at].push(series.cpu[0]);
        }
    }
    stage.answers(SMALL);
    let cost = |at: usize| median(&costs[at]) - median(&costs[0]);
    // What a call costs whatever its answer (the signature, above all) is not a cost of bytes.
    let per_mb = |at: usize| cost(at) / ((lengths[at].0 - lengths[0].0) as f64 / MB);
    let per_object = |at: usize| cost(at) / (lengths[at].1 - lengths[0].1) as f64;
    let told: Vec<_> = (1..sizes.len())
        .map(|at| format!("{}: {} a MB, {:.1} µs an object", sizes[at].name, milliseconds(per_mb(at)), per_object(at) * 1e6))
        .collect();
    Row {
        what: "CPU per MB, 100 MB answers vs 100 KB".to_owned(),
        value: per_mb(4) / per_mb(1),
        unit: "×",
        goal: Some(1.1),
        detail: format!("{}; over the cost of a call with 8.8 KB, {}", told.join("; "), milliseconds(median(&costs[0]))),
        samples: json!({ "cpu": costs, "body_bytes_and_objects": lengths }),
    }
}

/// Two gateways in turns.
async fn beside(stage: &Stage, effort: Effort, few: &Peer, many: &Peer) -> [Vec<f64>; 2] {
    stage.answers(SMALL);
    let mut series = [Series::of(few), Series::of(many)];
    for peer in [few, many] {
        stage.caller(peer, Binding::AuthorityContext).closed_loop(CONNECTIONS, Messages::Same(stage.question.clone(), 64)).await;
    }
    for _ in 0..effort.rounds {
        for (peer, series) in [few, many].into_iter().zip(&mut series) {
            series.round(stage, peer, CONNECTIONS, effort.seconds).await;
        }
    }
    series.map(|one| one.cpu)
}

fn flat(what: String, costs: &[Vec<f64>; 2], detail: String) -> Row {
    let [few, many] = [median(&costs[0]), median(&costs[1])];
    Row {
        what,
        value: many / few,
        unit: "×",
        goal: Some(1.1),
        detail: format!("{} and {}{detail}", milliseconds(few), milliseconds(many)),
        samples: json!(costs),
    }
}

async fn agreements(stage: &Stage, effort: Effort) -> Row {
    eprintln!("growth to {} agreements", effort.agreements);
    let few = stage.gateway("agreements-few", "", Some(10)).await;
    let many = stage.gateway("agreements-many", "", Some(effort.agreements)).await;
    let costs = beside(stage, effort, &few, &many).await;
    flat(format!("CPU per call, {} agreements vs 10", effort.agreements), &costs, String::new())
}

async fn clients(stage: &Stage, effort: Effort) -> Row {
    eprintln!("growth to {} clients", effort.clients);
    let settings = format!("[limits]\nconnections = {}\nidle_timeout = \"30m\"\n", effort.clients * 2);
    let few = stage.gateway("clients-few", &settings, None).await;
    let many = stage.gateway("clients-many", &settings, None).await;
    let before = many.process.memory("VmRSS");
    let one = stage.caller(&few, Binding::AuthorityContext).idle(1).await;
    let all = stage.caller(&many, Binding::AuthorityContext).idle(effort.clients).await;
    let each = (many.process.memory("VmRSS") as f64 - before as f64) / all.len() as f64 / 1024.0;
    let costs = beside(stage, effort, &few, &many).await;
    let still = |open: Vec<hyper::client::conn::http1::SendRequest<_>>| open.iter().filter(|one| !one.is_closed()).count();
    assert_eq!((still(one), still(all)), (1, effort.clients), "the idle connections stayed open");
    flat(
        format!("CPU per call, {} connected clients vs 1", effort.clients),
        &costs,
        format!("; {each:.1} KiB resident a connection"),
    )
}
