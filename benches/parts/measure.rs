//! Times in turns, instructions by callgrind.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// One piece of work, and what it is measured against.
pub struct Part {
    pub name: &'static str,
    /// What the floor is.
    pub floor: &'static str,
    /// Bytes that one round of work goes through; 0 where that says nothing.
    pub bytes: usize,
    pub ours_work: Box<dyn Fn() -> usize>,
    pub floor_work: Box<dyn Fn() -> usize>,
}

/// The argument by which this program measures itself under callgrind.
pub const ALONE: &str = "--alone";
const ROUNDS: usize = 41;
const BATCH: Duration = Duration::from_millis(4);

impl Part {
    /// Each side once.
    pub fn once(&self) {
        black_box((self.ours_work)());
        black_box((self.floor_work)());
    }
}

/// Medians of rounds in turns: a slow moment of the machine meets both sides.
pub fn times(parts: &[Part]) {
    println!("| part | bytes | time | floor | its time | ratio |\n|---|---:|---:|---|---:|---:|");
    for part in parts {
        part.once();
        let batches = [&part.ours_work, &part.floor_work].map(|work| batch(work));
        let mut rounds: [Vec<f64>; 2] = Default::default();
        for _ in 0..ROUNDS {
            for (side, work) in [&part.ours_work, &part.floor_work].into_iter().enumerate() {
                let started = Instant::now();
                for _ in 0..batches[side] {
                    black_box(work());
                }
                rounds[side].push(started.elapsed().as_secs_f64() / f64::from(batches[side]));
            }
        }
        let [ours, floor] = rounds.map(|mut side| {
            side.sort_by(f64::total_cmp);
            side[ROUNDS / 2]
        });
        let speed = |seconds: f64| match part.bytes {
            0 => format!("{:.1} µs", seconds * 1e6),
            bytes => format!("{:.1} µs ({:.0} MB/s)", seconds * 1e6, bytes as f64 / seconds / 1e6),
        };
        let (name, bytes, ratio) = (part.name, part.bytes, ours / floor);
        println!("| {name} | {bytes} | {} | {} | {} | {ratio:.2} |", speed(ours), part.floor, speed(floor));
    }
}

/// How often the work is done in one turn.
fn batch(work: &dyn Fn() -> usize) -> u32 {
    let started = Instant::now();
    black_box(work());
    let one = started.elapsed().max(Duration::from_nanos(50));
    u32::try_from(BATCH.as_nanos() / one.as_nanos()).unwrap_or(u32::MAX).clamp(1, 20_000)
}

/// Instructions of each side of each part, by callgrind, which counts nothing but what [`counted`] does.
pub fn instructions(parts: &[Part]) {
    println!("| part | bytes | instructions | floor | its instructions | ratio |\n|---|---:|---:|---|---:|---:|");
    for (part, [ours, floor]) in parts.iter().zip(callgrind(parts)) {
        println!("| {} | {} | {ours} | {} | {floor} | {:.2} |", part.name, part.bytes, part.floor, ours as f64 / floor as f64);
    }
}

/// How much a part may grow, beside its floor, before [`gate`] fails.
const GROWTH: f64 = 1.05;

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/parts/instructions.toml")
}

/// Whether no part costs more, beside its floor, than `instructions.toml` allows; what is not, is printed. The ratios hold on
/// other machines than the one that counted them, for both sides are built and counted together.
pub fn gate(parts: &[Part]) -> bool {
    let text = std::fs::read_to_string(baseline()).expect("the baseline");
    let known: BTreeMap<String, f64> = toml::from_str(&text).expect("the baseline is name = ratio");
    let mut good = true;
    for (part, [ours, floor]) in parts.iter().zip(callgrind(parts)) {
        let ratio = ours as f64 / floor as f64;
        let told = match known.get(part.name) {
            Some(before) if ratio <= before * GROWTH => format!("{before:.3}, good"),
            Some(before) => format!("{before:.3}, TOO MUCH: {:+.1} %", (ratio / before - 1.0) * 100.0),
            None => "UNKNOWN: cargo bench -- --instructions --keep".to_owned(),
        };
        good &= told.ends_with("good");
        println!("{:34} {ratio:.3} of its floor; before {told}", part.name);
    }
    good
}

/// Makes what the parts cost now the baseline.
pub fn keep(parts: &[Part]) {
    let mut text = String::from(
        "# What each part may cost beside its floor, in instructions: `cargo bench -- --instructions --gate` fails above 1.05\n\
         # times as much. Written by `cargo bench -- --instructions --keep`; a greater number needs a reason in the commit.\n",
    );
    for (part, [ours, floor]) in parts.iter().zip(callgrind(parts)) {
        text += &format!("\"{}\" = {:.3}\n", part.name, ours as f64 / floor as f64);
    }
    std::fs::write(baseline(), text).unwrap();
}

/// Both sides of every part in one run, as the keys that they share take callgrind longer to make than all the rest.
fn callgrind(parts: &[Part]) -> Vec<[u64; 2]> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted*", "--collect-atstart=no", "--dump-after=parts::measure::counted"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().unwrap())
        .arg(ALONE)
        .args(parts.iter().map(|part| part.name))
        .output()
        .expect("valgrind is installed");
    let total = |n: usize| {
        let dumped = std::fs::read_to_string(out.with_extension(n.to_string()));
        let dumped = dumped.unwrap_or_else(|_| panic!("callgrind dumped nothing: {}", String::from_utf8_lossy(&output.stderr)));
        let line = dumped.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
        line.and_then(|count| count.trim().parse().ok()).expect("a dump tells its total")
    };
    (0..parts.len()).map(|n| [total(2 * n + 1), total(2 * n + 2)]).collect()
}

/// Both sides of the named parts, each once to warm up and once to be counted.
pub fn alone(parts: &[Part], names: &[String]) {
    for name in names {
        let part = parts.iter().find(|known| known.name == name).expect("a part");
        for work in [&part.ours_work, &part.floor_work] {
            black_box(work());
            counted(work);
        }
    }
}

#[inline(never)]
fn counted(work: &dyn Fn() -> usize) {
    black_box(work());
}
