//! Times in turns, instructions by callgrind.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

/// One piece of work, and what it is measured against.
pub struct Part {
    pub name: &'static str,
    /// What the floor is.
    pub floor: &'static str,
    /// Bytes that one round of work goes through; 0 where that says nothing.
    pub bytes: usize,
    /// The answer, where it is one that is read: others can read it too.
    pub answer: Option<bytes::Bytes>,
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

/// Instructions of one piece of work, by callgrind, which counts nothing but what [`counted`] does.
pub fn instructions(parts: &[Part]) {
    println!("| part | bytes | instructions | floor | its instructions | ratio |\n|---|---:|---:|---|---:|---:|");
    for part in parts {
        let [ours, floor] = ["ours", "floor"].map(|side| callgrind(part.name, side));
        let (name, bytes, ratio) = (part.name, part.bytes, ours as f64 / floor as f64);
        println!("| {name} | {bytes} | {ours} | {} | {floor} | {ratio:.2} |", part.floor);
    }
}

fn callgrind(part: &str, side: &str) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*", "--collect-atstart=no"])
        .arg(std::env::current_exe().unwrap())
        .args([ALONE, part, side])
        .output()
        .expect("valgrind is installed");
    let told = String::from_utf8_lossy(&output.stderr);
    let line = told.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = line.unwrap_or_else(|| panic!("valgrind counted nothing: {told}"));
    count.trim().parse().unwrap()
}

/// One side of one part, once to warm up and once to be counted.
pub fn alone(parts: &[Part], arguments: &[String]) {
    let [part, side] = arguments else { panic!("a part and a side") };
    let part = parts.iter().find(|known| known.name == part).expect("a part");
    let work = if side == "ours" { &part.ours_work } else { &part.floor_work };
    black_box(work());
    counted(work);
}

#[inline(never)]
fn counted(work: &dyn Fn() -> usize) {
    black_box(work());
}
