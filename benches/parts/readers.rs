//! Other products that read the same answers, in the same run and in turns. What is compared is the CPU time of the thread
//! that reads.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::parts::answers;
use super::verifiers::{Side, program};

const ROUNDS: usize = 15;
/// How long one side works in one turn, roughly; one pass at least.
const TURN: Duration = Duration::from_millis(60);
/// How long a side works before it is measured, so that Java's compiler has done.
const WARM: Duration = Duration::from_secs(4);
/// Of larger answers libxml2 would hold a tree of gigabytes.
const LARGEST_TREE: usize = 20_000_000;

/// Each answer beside its floor and the others; what is printed is how many times as long as the filter each takes.
pub fn times(only: &str) {
    println!("| answer | bytes | release filter | quick-xml, events | Woodstox, events | libxslt, filter |");
    println!("|---|---:|---:|---:|---:|---:|");
    let folder = tempfile::tempdir().unwrap();
    for (part, answer) in answers(only) {
        let path = folder.path().join("answer.xml");
        std::fs::write(&path, &answer).unwrap();
        let (name, bytes) = (part.name, answer.len());
        let mut sides = vec![Some(Side::Ours(part.ours_work)), Some(Side::Ours(part.floor_work)), woodstox(&path)];
        sides.push(if bytes > LARGEST_TREE { None } else { libxslt(&path) });
        let batches: Vec<u32> = sides.iter_mut().map(|side| side.as_mut().map_or(0, warm)).collect();
        let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
        for _ in 0..ROUNDS {
            for ((side, batch), round) in sides.iter_mut().zip(&batches).zip(&mut rounds) {
                if let Some(side) = side {
                    round.push(side.ask(*batch).expect("it answers, as it did before").as_secs_f64() / f64::from(*batch));
                }
            }
        }
        let medians = rounds.iter_mut().map(|round| {
            round.sort_by(f64::total_cmp);
            round.get(round.len() / 2).copied()
        });
        let medians: Vec<Option<f64>> = medians.collect();
        let ours = medians[0].expect("ours ran");
        let beside = |n: usize| medians[n].map_or("not run".to_owned(), |time| format!("{:.2} ×", time / ours));
        println!("| {name} | {bytes} | {:.0} MB/s | {} | {} | {} |", bytes as f64 / ours / 1e6, beside(1), beside(2), beside(3));
    }
}

/// Warms up, and returns how many passes make a turn.
fn warm(side: &mut Side) -> u32 {
    let (started, mut passes) = (Instant::now(), 1);
    loop {
        let one = side.ask(passes).expect("it answers, as it did before") / passes;
        if started.elapsed() > WARM {
            return u32::try_from(TURN.as_nanos() / one.as_nanos().max(50)).unwrap_or(1).clamp(1, 20_000);
        }
        passes = u32::try_from(TURN.as_nanos() / one.as_nanos().max(50)).unwrap_or(1).clamp(1, 200);
    }
}

fn woodstox(answer: &Path) -> Option<Side> {
    let Ok(jars) = std::env::var("HJEMMEL_WOODSTOX") else {
        println!("NOT RUN: Woodstox (HJEMMEL_WOODSTOX names the jars of woodstox-core and stax2-api, divided by a colon)");
        return None;
    };
    let started = Side::other(Command::new("java").args(["-Xms512m", "-cp", &jars]).arg(program("Stax.java")).arg(answer));
    if started.is_none() {
        println!("NOT RUN: Woodstox (no java, or it does not run with {jars})");
    }
    started
}

fn libxslt(answer: &Path) -> Option<Side> {
    let python = std::env::var("HJEMMEL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let started = Side::other(Command::new(&python).arg(program("transform.py")).arg(answer));
    if started.is_none() {
        println!("NOT RUN: libxslt ({python} has no lxml, or not the memory for it; HJEMMEL_PYTHON names the interpreter)");
    }
    started
}
