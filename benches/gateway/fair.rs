//! Whether one busy authority makes others late: 98 callers with a certificate each, of whom one asks 50 times as often.

use std::time::Duration;

use hjemmel::agreements::Thumbprint;
use hjemmel::services::terminaladgang::names::SERVICE_PATH;
use hjemmel::signature::credentials::Credentials;
use hjemmel::stub::pki::{Leaf, Usage};
use hjemmel::stub::population::KORSBAEK;
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;

use super::driver::{Binding, Caller, Went, quantile};
use super::held::Held;
use super::rows::CONNECTIONS;
use super::stage::Stage;
use super::table::Row;

const CALLERS: usize = 98;
const BUSY: f64 = 50.0;
/// How much of what the gateway can serve the others ask for together: with the busy one it is more than can be served.
const OTHERS: f64 = 0.7;
/// Of how many of the others' calls a p95 is made at the least.
const LEAST: f64 = 1000.0;
/// How long the index takes: none at all, as long as a quick one takes, and none but for one call in so many, which waits long: whoever
/// made it has a call under way all the while, and its others are not to be late for that.
const INDEX: [Pace; 3] = [
    Pace { takes: Duration::ZERO, late: None },
    Pace { takes: Duration::from_millis(50), late: None },
    Pace { takes: Duration::ZERO, late: Some((25, Duration::from_secs(2))) },
];

#[derive(Clone, Copy)]
struct Pace {
    takes: Duration,
    late: Option<(usize, Duration)>,
}

impl Pace {
    /// For each caller: one that waits long keeps its connection.
    fn connections(self) -> usize {
        if self.late.is_some() { 4 } else { 2 }
    }

    /// For how long the others are to ask, each so many calls a second, so that enough of their calls did not wait long.
    fn seconds(self, each: f64) -> f64 {
        let counted = self.late.map_or(1.0, |(of, _)| 1.0 - 1.0 / of as f64);
        let calls = (LEAST / counted / (CALLERS - 1) as f64).ceil();
        // The last call falls within it, whatever the quotient is rounded to.
        (calls + 0.5) / each
    }

    /// How long the calls took that did not wait long.
    fn of(self, went: &Went) -> &[f64] {
        let below = self.late.map_or(f64::INFINITY, |(_, long)| long.as_secs_f64());
        &went.served[..went.served.partition_point(|took| *took < below)]
    }

    fn describe(self) -> String {
        let told = format!("index takes {} ms", self.takes.as_millis());
        match self.late {
            None => told,
            Some((of, long)) => format!("{told}, and {} s in one of {of} calls, which are not counted", long.as_secs()),
        }
    }
}

/// The others' p95 beside the busy one and alone, at one index's pace and another's.
pub async fn fair(stage: &Stage, seconds: f64) -> Vec<Row> {
    let callers: Vec<Credentials> = tokio::task::block_in_place(|| (0..CALLERS).map(|number| own(stage, number)).collect());
    let known: Vec<_> = callers.iter().map(|own| Thumbprint::of_der(own.leaf())).collect();
    // Where driver and back end share its processors, they are not to be what makes a call late.
    let held = Held::new(0);
    let (file, address) = stage.configured("fair", "", &known).await;
    let mut process = stage.held(&held, &file, "fair");
    process.listens(address);
    stage.backend.answer.set(stage.prepared(0, 0));
    let caller = |own: &Credentials| Caller::with(stage.keys.roots(), own, address, SERVICE_PATH, Binding::AuthorityContext);
    let callers: Vec<Caller> = callers.iter().map(caller).collect();
    let question = &stage.question;
    // However it is held, it has one processor, or counts a part of one as one.
    let capacity = callers[0].capacity(CONNECTIONS, 1, question).await;
    let each = capacity * OTHERS / (CALLERS - 1) as f64;
    let mut rows = Vec::new();
    for index in INDEX {
        let seconds = seconds.max(index.seconds(each));
        eprintln!(
            "fair: {capacity:.0} calls a second are served at most; each of {} asks for {each:.2}, one for {:.0}, for {seconds:.0} s",
            CALLERS - 1,
            each * BUSY
        );
        stage.backend.pause.set(index.takes);
        stage.backend.late.set(index.late);
        let alone = others(&callers, question, each, seconds, index.connections()).await;
        let busy = callers[0].open_loop(64, question, each * BUSY, seconds);
        let (beside, busy) = tokio::join!(others(&callers, question, each, seconds, index.connections()), busy);
        rows.push(row(index, capacity, &held, &alone, &beside, &busy));
    }
    stage.backend.pause.set(Duration::ZERO);
    stage.backend.late.set(None);
    drop(process);
    rows
}

/// A client system of its own.
fn own(stage: &Stage, number: usize) -> Credentials {
    let now = stage.world.clock.now();
    let leaf = Leaf {
        common_name: format!("System {number}"),
        organization: "Korsbæk Kommune".to_owned(),
        cvr: KORSBAEK.to_owned(),
        uuid: uuid::Uuid::from_u128(0x7000_0000_0000_4000_8000_0000_0000_0000 + number as u128).to_string(),
        usage: Usage::System,
        not_before: now - SignedDuration::from_hours(24),
        not_after: now + SignedDuration::from_hours(48),
    };
    stage.world.pki.issue(&leaf).unwrap()
}

/// All but the first, each at its own pace and not all at once.
async fn others(callers: &[Caller], question: &bytes::Bytes, each: f64, seconds: f64, connections: usize) -> Went {
    let mut tasks = JoinSet::new();
    for (number, caller) in callers.iter().enumerate().skip(1) {
        let (caller, question) = (caller.clone(), question.clone());
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_secs_f64(number as f64 / CALLERS as f64 / each)).await;
            caller.open_loop(connections, &question, each, seconds).await
        });
    }
    Went::together(tasks.join_all().await)
}

fn row(index: Pace, capacity: f64, held: &Held, alone: &Went, beside: &Went, busy: &Went) -> Row {
    let counted = [alone, beside].map(|went| index.of(went));
    let [quiet, late] = counted.map(|took| quantile(took, 0.95));
    let told = |went: &Went| format!("{} served, {} refused, {} failed", went.served.len(), went.refused.len(), went.failed);
    Row {
        what: format!(
            "p95 of {} callers beside one that asks {BUSY:.0} times as often, {}, vs without it",
            CALLERS - 1,
            index.describe()
        ),
        value: late / quiet,
        unit: "×",
        goal: Some(1.5),
        detail: format!(
            "{:.1} ms of {} calls against {:.1} ms of {}; the gateway {}; capacity {capacity:.0} calls a second, of which the others ask for {:.0} %; beside it {}, without it {}; \
             the busy one {}",
            late * 1e3,
            counted[1].len(),
            quiet * 1e3,
            counted[0].len(),
            held.describe(),
            OTHERS * 100.0,
            told(beside),
            told(alone),
            told(busy),
        ),
        samples: json!({
            "capacity": capacity, "alone_ms": alone.served.iter().map(|took| took * 1e3).collect::<Vec<_>>(),
            "beside_ms": beside.served.iter().map(|took| took * 1e3).collect::<Vec<_>>(),
            "refused": [alone.refused.len(), beside.refused.len(), busy.refused.len()],
        }),
    }
}
