//! This build beside others: instructions of a small call, and CPU time of calls in turns.

use std::path::Path;

use hjemmel::clock::Clock;
use hjemmel::services::terminaladgang::law::document::Policy;
use hjemmel::stub::population::Population;

use super::backend::Prepared;
use super::build::{Build, question};
use super::callgrind::{Callgrind, Count};
use super::driver::{Binding, Messages};
use super::rows::{CONNECTIONS, SIZES, SMALL, Size, milliseconds};
use super::stage::hjemmel;
use super::table::median;

/// Calls of the first count; the second has three times as many.
const CALLS: usize = 50;
/// Few connections: callgrind lets one thread run at a time.
const COUNTED_CONNECTIONS: usize = 2;
const ROUNDS: usize = 5;

/// This build first, then those named.
fn programs(others: &[String]) -> impl Iterator<Item = String> {
    std::iter::once(hjemmel()).chain(others.iter().cloned())
}

/// Makes answers without a world of this build's.
struct Answers(Policy, std::sync::Arc<Population>);

impl Answers {
    fn new() -> Self {
        const POLICY: &str = include_str!("../../policies/terminaladgang-6.toml");
        let policy = Policy::read(POLICY, Path::new("policies/terminaladgang-6.toml")).unwrap();
        Self(policy, Population::generate(1, 50, Clock::system().now()).into())
    }
    fn of(&self, size: Size) -> Prepared {
        Prepared::new(&self.0, &self.1, size.bytes, size.alike)
    }
}

/// Instructions of a small AuthorityContext call, of the whole process: what three times as many calls cost more, by call.
/// What callgrind wrote stays in `target/callgrind/`, for `callgrind_annotate --inclusive=yes`.
pub async fn instructions(others: &[String]) {
    let (answers, folder) = (Answers::new(), Path::new("target/callgrind"));
    std::fs::create_dir_all(folder).unwrap();
    println!(
        "| build | instructions a call | of them cryptography | beyond it | this build beside it |\n|---|---:|---:|---:|---:|"
    );
    let mut ours = None;
    for (number, program) in programs(others).enumerate() {
        let mut callgrind = Callgrind::new(&folder.join(format!("build{number}")));
        let command = callgrind.command();
        let under: Vec<&str> = command.iter().map(String::as_str).collect();
        let build = Build::start(&program, &under, answers.of(SMALL)).await;
        let mut count = async |calls: usize| -> Count {
            let caller = build.caller(Binding::AuthorityContext);
            let went = caller.closed_loop(COUNTED_CONNECTIONS, Messages::Same(question(), calls)).await;
            assert_eq!(went.served.len(), calls, "{program}");
            callgrind.dump(build.gateway.id())
        };
        // Tables and memories fill; the token for the index is fetched.
        count(CALLS).await;
        let (once, thrice) = (count(CALLS).await, count(3 * CALLS).await);
        let by_call = |without: bool| (thrice.total(without) - once.total(without)) as f64 / (2 * CALLS) as f64;
        let (all, beyond) = (by_call(false), by_call(true));
        let ours = *ours.get_or_insert(beyond);
        println!("| {program} | {all:.0} | {:.0} | {beyond:.0} | {:.3} × |", all - beyond, ours / beyond);
        for (name, cost) in thrice.greatest(25) {
            eprintln!("{:>9} {name}", cost / (3 * CALLS as u64));
        }
    }
}

/// CPU time a call, the builds in turns: medians, and the least and greatest of the rounds.
pub async fn cpu(others: &[String]) {
    let answers = Answers::new();
    let mut builds = Vec::new();
    for program in programs(others) {
        let build = Build::start(&program, &[], answers.of(SMALL)).await;
        builds.push((program, build));
    }
    println!(
        "| binding | answer | build | CPU a call | least to greatest | this build beside it |\n|---|---:|---|---:|---:|---:|"
    );
    for size in SIZES {
        builds.iter().for_each(|(_, build)| build.backend.answer.set(answers.of(size)));
        // About a second of CPU time: it is accounted in ticks of 10 ms.
        let calls = (1.0 / (0.000_7 + size.bytes as f64 * 1.6e-9)) as usize;
        for (binding, name) in [(Binding::AuthorityContext, "AuthorityContext"), (Binding::Token, "token")] {
            let mut costs = vec![Vec::new(); builds.len()];
            // The first round warms up.
            for round in 0..=ROUNDS {
                for ((program, build), costs) in builds.iter().zip(&mut costs) {
                    let messages = match binding {
                        Binding::AuthorityContext | Binding::Vouchers => Messages::Same(question(), calls),
                        Binding::Token => Messages::Each(build.signed(calls)),
                    };
                    let before = build.gateway.cpu();
                    let went = build.caller(binding).closed_loop(CONNECTIONS, messages).await;
                    assert_eq!(went.served.len(), calls, "{program}");
                    tokio::time::sleep(std::time::Duration::from_millis(40)).await;
                    if round > 0 {
                        costs.push((build.gateway.cpu() - before) / calls as f64);
                    }
                }
            }
            let ours = median(&costs[0]);
            for ((program, _), costs) in builds.iter().zip(&costs) {
                let (least, greatest) = costs.iter().fold((f64::MAX, 0.0f64), |(least, most), &x| (least.min(x), most.max(x)));
                println!(
                    "| {name} | {} | {program} | {} | {} to {} | {:.2} × |",
                    size.name,
                    milliseconds(median(costs)),
                    milliseconds(least),
                    milliseconds(greatest),
                    ours / median(costs)
                );
            }
        }
    }
}
