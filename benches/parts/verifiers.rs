//! Other products that verify the same messages, in the same run and in turns.
//!
//! Each is a process of its own that holds the message and is asked for so many verifications at a time, so that its start
//! is not counted and its compiler (Java's) has warmed up. What is compared is the CPU time of the thread that verifies.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hjemmel::signature::sign::{self, Message, SoapVersion};
use hjemmel::signature::verify::{verify_issued, verify_whole_response};
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;

use super::parts::{SIGNED, verify_request};
use super::support::{self, Party};

const ROUNDS: usize = 15;
/// How long one side works in one turn, roughly.
const TURN: Duration = Duration::from_millis(100);
/// How long a side works before it is measured: Java's compiler needs some thousand calls.
const WARM: Duration = Duration::from_secs(15);

pub type Work = Box<dyn Fn() -> usize>;

/// One of the sides: ours, or a process that is asked.
pub enum Side {
    Ours(Work),
    Other { process: Child, ask: Option<ChildStdin>, told: BufReader<ChildStdout> },
}

impl Side {
    pub fn other(command: &mut Command) -> Option<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let (ask, told) = (process.stdin.take(), BufReader::new(process.stdout.take()?));
        let mut other = Self::Other { process, ask, told };
        other.ask(1)?;
        Some(other)
    }

    /// The CPU time of so many pieces of work.
    pub fn ask(&mut self, many: u32) -> Option<Duration> {
        match self {
            Self::Ours(work) => {
                let started = cpu();
                for _ in 0..many {
                    std::hint::black_box(work());
                }
                Some(cpu() - started)
            }
            Self::Other { ask, told, .. } => {
                writeln!(ask.as_mut()?, "{many}").ok()?;
                let mut line = String::new();
                told.read_line(&mut line).ok()?;
                line.trim().parse().ok().map(Duration::from_nanos)
            }
        }
    }

    /// Warms up, and returns how many verifications make a turn.
    fn warm(&mut self) -> u32 {
        let started = Instant::now();
        let mut one = Duration::MAX;
        while started.elapsed() < WARM {
            one = self.ask(20).expect("it answers, as it did before") / 20;
        }
        u32::try_from(TURN.as_nanos() / one.as_nanos().max(50)).unwrap_or(1).max(1)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Self::Other { process, ask, .. } = self {
            ask.take();
            let _ = process.wait();
        }
    }
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap(), u32::try_from(now.tv_nsec).unwrap())
}

/// The messages that others can verify too, each beside them.
pub fn times() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let sts = write("sts.pem", support::STS.pem().as_bytes());
    println!("| verified | bytes | ours, CPU | other | its CPU | ours of its |\n|---|---:|---:|---|---:|---:|");

    let request = write("request.xml", &SIGNED);
    let parts = [("request, cold", 0), ("request, token known", 1 << 20)];
    for (name, memory) in parts {
        beside(name, SIGNED.len(), Box::new(verify_request(memory)), "Apache WSS4J and Santuario", santuario(&request, &sts));
    }
    // libxmlsec1 does not know the STR-Transform: it is asked for the token by itself, and for a message with a certificate.
    let token = Bytes::copy_from_slice(support::issued(&support::assertion()).bytes());
    let path = write("token.xml", &token);
    beside("token alone", token.len(), verify_token(token), "libxmlsec1", libxmlsec1(&path, &sts));
    let message = with_certificate(&support::STS);
    let path = write("message.xml", &message);
    beside("message with a certificate", message.len(), verify_message(message), "libxmlsec1", libxmlsec1(&path, &sts));
}

fn verify_token(token: Bytes) -> Work {
    let keys = [support::STS.certificate.key().clone()];
    Box::new(move || {
        let document = Document::parse(token.clone(), &Limits::default()).unwrap();
        verify_issued(document.root(), &keys).unwrap().element().local().len()
    })
}

/// A message like the request, signed with a certificate instead of a token: the same Body, addressing and Timestamp.
fn with_certificate(party: &Party) -> Bytes {
    let document = Document::parse(SIGNED.clone(), &Limits::default()).unwrap();
    let body = hjemmel::signature::c14n::canonical_bytes(support::parts(&document).unwrap().body.elements().next().unwrap());
    let message = Message { body: &body, ..support::message(SoapVersion::V12) };
    Bytes::from(sign::with_certificate(&message, &party.certificate, &party.key).unwrap())
}

fn verify_message(message: Bytes) -> Work {
    let signers = [support::STS.certificate.clone()];
    Box::new(move || {
        let document = Document::parse(message.clone(), &Limits::default()).unwrap();
        let parts = support::parts(&document).unwrap();
        verify_whole_response(&document, &parts, &signers).unwrap().timestamp().local().len()
    })
}

fn beside(name: &str, bytes: usize, ours: Work, other: &str, side: Result<Side, String>) {
    let mut sides = match side {
        Ok(side) => [Side::Ours(ours), side],
        Err(why) => return println!("NOT RUN: {name} beside {other}: {why}"),
    };
    let batches = sides.each_mut().map(Side::warm);
    let mut rounds: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (n, side) in sides.iter_mut().enumerate() {
            let taken = side.ask(batches[n]).expect("it answers, as it did before");
            rounds[n].push(taken.as_secs_f64() / f64::from(batches[n]));
        }
    }
    let [ours, its] = rounds.map(|mut side| {
        side.sort_by(f64::total_cmp);
        side[ROUNDS / 2] * 1e6
    });
    println!("| {name} | {bytes} | {ours:.0} µs | {other} | {its:.0} µs | {:.2} |", ours / its);
}

pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/parts/rivals").join(name)
}

fn santuario(request: &Path, trusted: &Path) -> Result<Side, String> {
    let lib = std::env::var("HJEMMEL_WSS4J")
        .unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop/wss4j/lib").display().to_string());
    let mut java = Command::new("java");
    java.args(["-cp", &format!("{lib}/*")]).arg(program("Verify.java")).args([request, trusted]);
    let why = format!("no java, or no WSS4J in {lib} (tests/interop/run.sh puts it there; HJEMMEL_WSS4J names another folder)");
    Side::other(&mut java).ok_or(why)
}

fn libxmlsec1(message: &Path, certificate: &Path) -> Result<Side, String> {
    let python = std::env::var("HJEMMEL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let why = format!("{python} has no xmlsec (pip install xmlsec; HJEMMEL_PYTHON names another interpreter)");
    Side::other(Command::new(&python).arg(program("verify.py")).args([message, certificate])).ok_or(why)
}
