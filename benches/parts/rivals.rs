//! Other products that read the same answers, in the same run and in turns.
//!
//! Each is a process of its own that holds the answer in memory and is asked for passes over it, so that its start is not
//! counted and its compiler (Java's) has warmed up.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::measure::Part;

const ROUNDS: usize = 15;
/// How long one product works in one turn, roughly; one pass at least.
const TURN: Duration = Duration::from_millis(60);

/// Something that can be asked for passes.
trait Rival {
    fn passes(&mut self, many: u32) -> Duration;
}

impl Rival for &dyn Fn() -> usize {
    fn passes(&mut self, many: u32) -> Duration {
        let started = Instant::now();
        for _ in 0..many {
            std::hint::black_box(self());
        }
        started.elapsed()
    }
}

struct Other {
    process: Child,
    ask: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
}

impl Other {
    fn start(mut command: Command) -> Option<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let (ask, told) = (process.stdin.take(), BufReader::new(process.stdout.take()?));
        let mut other = Self { process, ask, told };
        other.try_passes(1)?;
        Some(other)
    }

    fn try_passes(&mut self, many: u32) -> Option<Duration> {
        writeln!(self.ask.as_mut()?, "{many}").ok()?;
        let mut line = String::new();
        self.told.read_line(&mut line).ok()?;
        line.trim().parse().ok().map(Duration::from_nanos)
    }
}

impl Rival for Other {
    fn passes(&mut self, many: u32) -> Duration {
        self.try_passes(many).expect("it answers, as it did before")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.ask.take();
        let _ = self.process.wait();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/parts/rivals")
}

fn woodstox(answer: &Path) -> Option<Other> {
    let Ok(jars) = std::env::var("HJEMMEL_WOODSTOX") else {
        println!("NOT RUN: Woodstox (HJEMMEL_WOODSTOX names the jars of woodstox-core and stax2-api, divided by a colon)");
        return None;
    };
    let mut command = Command::new("java");
    command.args(["-Xms512m", "-cp", &jars]).arg(folder().join("Stax.java")).arg(answer);
    let started = Other::start(command);
    if started.is_none() {
        println!("NOT RUN: Woodstox (java does not run with {jars})");
    }
    started
}

fn libxslt(answer: &Path) -> Option<Other> {
    let python = std::env::var("HJEMMEL_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(&python);
    command.arg(folder().join("transform.py")).arg(answer);
    let started = Other::start(command);
    if started.is_none() {
        println!("NOT RUN: libxslt ({python} has no lxml, or not the memory for it; HJEMMEL_PYTHON names the interpreter)");
    }
    started
}

/// The parts that have an answer, each beside its floor and the others; what is printed are megabytes a second, and how
/// many times the release filter's speed each is slower.
pub fn times(parts: &[Part]) {
    println!("| part | bytes | release filter MB/s | quick-xml, events | Woodstox, events | libxslt |");
    println!("|---|---:|---:|---:|---:|---:|");
    let folder = tempfile::tempdir().unwrap();
    for part in parts {
        let Some(answer) = &part.answer else { continue };
        let path = folder.path().join("answer.xml");
        std::fs::write(&path, answer).unwrap();
        let (ours, floor): (&dyn Fn() -> usize, &dyn Fn() -> usize) = (&part.ours_work, &part.floor_work);
        let mut sides: Vec<Option<Box<dyn Rival>>> = vec![
            Some(Box::new(ours)),
            Some(Box::new(floor)),
            woodstox(&path).map(|other| Box::new(other) as Box<dyn Rival>),
            libxslt(&path).map(|other| Box::new(other) as Box<dyn Rival>),
        ];
        // Warm, and so many passes a turn that all take about as long.
        let mut batches = Vec::new();
        for side in &mut sides {
            batches.push(side.as_mut().map_or(1, |side| {
                let warm = Instant::now();
                while warm.elapsed() < Duration::from_secs(3) {
                    side.passes(1);
                }
                let one = side.passes(1).max(Duration::from_nanos(50));
                u32::try_from(TURN.as_nanos() / one.as_nanos()).unwrap_or(1).max(1)
            }));
        }
        let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
        for _ in 0..ROUNDS {
            for (n, side) in sides.iter_mut().enumerate() {
                if let Some(side) = side {
                    rounds[n].push(side.passes(batches[n]).as_secs_f64() / f64::from(batches[n]));
                }
            }
        }
        let medians: Vec<Option<f64>> = rounds
            .iter_mut()
            .map(|side| {
                side.sort_by(f64::total_cmp);
                side.get(side.len() / 2).copied()
            })
            .collect();
        let ours = medians[0].expect("ours ran");
        let beside = |n: usize| medians[n].map_or("not run".to_owned(), |time: f64| format!("{:.2} ×", time / ours));
        let speed = answer.len() as f64 / ours / 1e6;
        println!("| {} | {} | {speed:.0} | {} | {} | {} |", part.name, answer.len(), beside(1), beside(2), beside(3));
    }
}
