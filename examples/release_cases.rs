//! Writes generated answers with what the filter made of them, for an outside oracle to judge:
//! `cargo run --example release_cases -- DIR COUNT SEED`.
//!
//! For each case: `NNNNN.answer.xml` (the index's `yi:FremsoegYdelseIndeksOutput` is the root), `NNNNN.context.json`,
//! and `NNNNN.released.xml` or `NNNNN.refused.txt` (the refusal's code).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)] // a test tool
#![allow(missing_docs)]

#[path = "../tests/support/release_context.rs"]
mod release_context;
#[path = "../tests/support/release_generator.rs"]
mod release_generator;
#[path = "../tests/support/release_run.rs"]
mod release_run;

use std::path::PathBuf;

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere.
fn tape(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    (0..4096).flat_map(|_| next().to_le_bytes()).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, count, seed] = arguments.as_slice() else { panic!("release_cases DIR COUNT SEED") };
    let directory = PathBuf::from(directory);
    std::fs::create_dir_all(&directory).unwrap();
    let (count, seed): (u64, u64) = (count.parse().unwrap(), seed.parse().unwrap());
    let (mut released, mut objects) = (0, 0);
    let mut removed = std::collections::BTreeMap::<String, u64>::new();
    for n in 0..count {
        let tape = tape(seed.wrapping_mul(1_000_003).wrapping_add(n));
        let (answer, context) = release_generator::case(&mut release_generator::Tape::new(&tape));
        let file = |suffix: &str| directory.join(format!("{n:05}.{suffix}"));
        std::fs::write(file("answer.xml"), &answer).unwrap();
        std::fs::write(file("context.json"), serde_json::to_string_pretty(&context).unwrap()).unwrap();
        match release_context::run(&context, &answer) {
            Ok(outcome) => {
                released += 1;
                objects += outcome.counts().objects_released;
                for (rule, many) in &outcome.counts().objects_removed {
                    *removed.entry(rule.clone()).or_default() += many;
                }
                std::fs::write(file("released.xml"), outcome.body()).unwrap();
            }
            Err(refusal) => std::fs::write(file("refused.txt"), refusal.code()).unwrap(),
        }
    }
    println!("{count} cases: {released} released with {objects} objects, {} refused", count - released);
    println!("objects removed: {removed:?}");
}
