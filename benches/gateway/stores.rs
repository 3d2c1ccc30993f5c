//! What a call costs with agreements and the memory against replay in PostgreSQL, beside the same gateway with an SQLite file and a
//! memory of its own, in turns; and how long a decision on one node takes to hold on another.

use serde_json::json;

use super::nodes::{heard, on_postgres};
use super::postgres::Cluster;
use super::rows::{Effort, SMALL, milliseconds, token_round};
use super::stage::Stage;
use super::table::{Row, median};

/// Calls of the token binding, for they alone are remembered. `None` without PostgreSQL.
pub async fn stores(stage: &Stage, effort: Effort) -> Option<Vec<Row>> {
    let cluster = Cluster::as_it_comes()?;
    let (database, shared) = on_postgres(stage, &cluster).await;
    let heard = heard(&cluster, &database, effort).await;
    let gateways = [stage.gateway("sqlite", "", None).await, stage.gateway("postgres", &shared, None).await];
    stage.answers(SMALL);
    let (mut cpu, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    // Each round sends as many messages, each once; the first fills caches and is not counted.
    for round in 0..=effort.rounds {
        let mut costs = [0.0; 2];
        for (cost, gateway) in costs.iter_mut().zip(&gateways) {
            *cost = token_round(stage, gateway, (effort.seconds * 500.0) as usize).await.0;
        }
        if round > 0 {
            eprintln!("stores: round {round} of {}: {costs:?}", effort.rounds);
            cpu.iter_mut().zip(costs).for_each(|(all, cost)| all.push(cost));
            ratios.push(costs[1] / costs[0]);
        }
    }
    let [alone, shared] = [median(&cpu[0]), median(&cpu[1])];
    let cost = Row {
        what: "CPU per call, token, 8.8 KB, PostgreSQL for agreements and replay, vs SQLite and memory".to_owned(),
        value: median(&ratios),
        unit: "×",
        goal: Some(1.15),
        detail: format!(
            "{} beside {}; the median of {} rounds in turns; TLS to PostgreSQL verified; the gateway alone, not the database",
            milliseconds(shared),
            milliseconds(alone),
            effort.rounds
        ),
        samples: json!({ "sqlite": cpu[0], "postgres": cpu[1], "ratios": ratios }),
    };
    Some(std::iter::once(cost).chain(heard).collect())
}
