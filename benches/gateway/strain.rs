//! What becomes of the gateway when it is asked too much, and when it is asked for long.

use std::time::{Duration, Instant};

use serde_json::json;

use super::driver::{Binding, Messages, Went, quantile};
use super::rows::CONNECTIONS;
use super::stage::Stage;
use super::table::{Row, median};

/// Connections over which too many calls come.
const CALLERS: usize = 512;
/// How long the index takes: none at all, which leaves the gateway nothing to wait for, and as long as a quick one takes.
const INDEX: [Duration; 2] = [Duration::ZERO, Duration::from_millis(50)];

/// Five times as many calls as the gateway can serve, beside a tenth of what it can.
pub async fn overload(stage: &Stage, seconds: f64) -> Vec<Row> {
    let gateway = stage.gateway("overload", "", None).await;
    stage.backend.answer.set(stage.prepared(0, 0));
    let caller = stage.caller(&gateway, Binding::AuthorityContext);
    let question = &stage.question;
    let capacity = caller.capacity(CONNECTIONS, std::thread::available_parallelism().map_or(1, usize::from), question).await;
    let mut rows = Vec::new();
    for index in INDEX {
        eprintln!("overload: {capacity:.0} calls a second are served at most; the index takes {index:?}");
        stage.backend.pause.set(index);
        let unloaded = caller.open_loop(CONNECTIONS * 2, question, capacity / 10.0, seconds).await;
        let over = caller.open_loop(CALLERS, question, capacity * 5.0, seconds).await;
        rows.push(row(index, capacity, &unloaded, &over));
    }
    stage.backend.pause.set(Duration::ZERO);
    rows
}

fn row(index: Duration, capacity: f64, unloaded: &Went, over: &Went) -> Row {
    let [quiet, busy] = [&unloaded.served, &over.served].map(|served| quantile(served, 0.95));
    let refused = quantile(&over.refused, 0.95);
    let offered = over.served.len() + over.refused.len() + over.failed;
    let per_second = |calls: usize| calls as f64 / over.seconds;
    Row {
        what: format!("p95 of served calls at 5 × capacity, index takes {} ms, vs unloaded", index.as_millis()),
        value: busy / quiet,
        unit: "×",
        goal: Some(2.0),
        detail: format!(
            "{:.1} ms against {:.1} ms; capacity {capacity:.0} calls a second, {:.0} offered; {:.0} served, {:.0} refused with 503 \
             (p95 {:.1} ms), {} of {offered} failed; {} connections reopened",
            busy * 1e3,
            quiet * 1e3,
            per_second(offered),
            per_second(over.served.len()),
            per_second(over.refused.len()),
            refused * 1e3,
            over.failed,
            over.reopened,
        ),
        samples: json!({
            "capacity": capacity, "offered": offered, "served": over.served.len(), "refused": over.refused.len(),
            "failed": over.failed, "reopened": over.reopened, "seconds": over.seconds,
            "p50_ms": [quantile(&unloaded.served, 0.5) * 1e3, quantile(&over.served, 0.5) * 1e3, quantile(&over.refused, 0.5) * 1e3],
        }),
    }
}

/// A steady load of small and large answers, on connections that come and go; memory must not grow.
pub async fn soak(stage: &Stage, length: Duration) -> Vec<Row> {
    const CALLS: usize = 100;
    let gateway = stage.gateway("soak", "", None).await;
    let caller = stage.caller(&gateway, Binding::AuthorityContext);
    let answers = [8_800, 97_000, 1_000_000].map(|bytes| stage.prepared(bytes, bytes / 20));
    let (started, mut resident, mut calls) = (Instant::now(), Vec::new(), 0);
    let mut turn = 0;
    while started.elapsed() < length {
        let second = Instant::now();
        stage.backend.answer.set(answers[turn % answers.len()].clone());
        turn += 1;
        let went = caller.closed_loop(CONNECTIONS, Messages::Same(stage.question.clone(), CALLS)).await;
        assert!(went.failed == 0 && went.refused.is_empty(), "{} calls failed", went.failed);
        calls += went.served.len();
        resident.push(gateway.process.memory("VmRSS") as f64 / 1e6);
        if turn % 60 == 0 {
            eprintln!(
                "soak: {:.0} s, {calls} calls, {:.1} MB resident",
                started.elapsed().as_secs_f64(),
                resident[resident.len() - 1]
            );
        }
        tokio::time::sleep(Duration::from_secs(1).saturating_sub(second.elapsed())).await;
    }
    // The first tenth fills tables and pools.
    let warm = &resident[resident.len() / 10..];
    let (early, late) = (median(&warm[..warm.len() / 3]), median(&warm[warm.len() - warm.len() / 3..]));
    vec![Row {
        what: format!("resident memory, last third of a soak of {:.1} minutes vs its first", length.as_secs_f64() / 60.0),
        value: late / early,
        unit: "×",
        goal: Some(1.05),
        detail: format!(
            "{early:.1} MB and {late:.1} MB; {calls} calls, {turn} times {CONNECTIONS} connections; peak {:.1} MB",
            gateway.process.memory("VmHWM") as f64 / 1e6
        ),
        samples: json!(resident),
    }]
}
