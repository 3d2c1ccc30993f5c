//! What the gateway holds while a large answer passes through it: only what is released. And what it holds while it judges a large file.
//!
//! The gateway runs as a process of its own, so that the stubs' memory is not counted. A build without optimisation reads
//! slowly and takes a smaller answer; `cargo test --release --test memory` takes the 200 MB that the limit is stated for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::print_stdout
)]

use std::process::{Child, Command};
use std::time::Duration;

use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::call::words::Said;
use hjemmel::cli::demo::world::{Options, World};
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::services::finance::file;
use hjemmel::services::finance::rules::Against;
use hjemmel::services::finance::rules::mode::Modes;
use hjemmel::stub::finance::sample::{Parties, Sample};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::answer::Padding;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use uuid::Uuid;

const MB: u64 = 1024 * 1024;
/// How long the index's answer is.
const ANSWER: u64 = if cfg!(debug_assertions) { 24 * MB } else { 200 * MB };
/// How much of it, as it stands in the answer, may be seen: after the filter a good megabyte is left.
const SEEN: u64 = 5 * MB / 2;
/// How much more than when idle the gateway may hold.
const OVER_IDLE: u64 = 32 * MB;
/// The limit on what is released, as configured by default.
const LIMIT: u64 = 8 * MB;

struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Gateway {
    /// A line of the process's status, in bytes.
    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// From now on the peak counts anew.
    fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.0.id()), "5").unwrap();
    }
}

async fn ask(client: &Client) -> (u16, bytes::Bytes) {
    let question = Question::about(Cpr::parse(demo::UDK_ONLY).unwrap());
    let message = Client::authority_context_message(KORSBAEK.parse().unwrap(), &question.input());
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"))]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(300);
    let response = client.outbound.post(&client.service, headers, message, deadline).await.unwrap();
    (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_holds_what_it_releases_and_not_what_it_reads() {
    let dir = tempfile::tempdir().unwrap();
    let extra = "[peer.ydelsesindeks]\ndeadline = \"5m\"\n".to_owned();
    let options =
        Options { dir: dir.path().to_path_buf(), port: 0, seed: 1, persons: 600, clock: Clock::system(), extra, pki: None };
    let world = World::without_gateway(options).await.unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_hjemmel")).args(["serve", "--config"]).arg(&world.configuration).spawn();
    let gateway = Gateway(child.unwrap());
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(world.admin).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let client = world.client(Some(Role::Korsbaek)).unwrap();
    assert_eq!(ask(&client).await.0, 200, "warm: every connection open, every table filled");

    let idle = gateway.memory("VmRSS");
    gateway.forget_peak();
    world.padding.set(Some(Padding { bytes: ANSWER, alike: SEEN }));
    let (status, answer) = ask(&client).await;
    let peak = gateway.memory("VmHWM");
    assert_eq!(status, 200, "{:?}", Said::read(&answer));
    eprintln!(
        "an answer of {} MB of which {} KB were released: {} KB when idle, {} KB at the peak",
        ANSWER / MB,
        answer.len() / 1024,
        idle / 1024,
        peak / 1024
    );
    assert!(answer.len() as u64 > MB, "{} bytes came", answer.len());
    assert!(peak < idle + OVER_IDLE, "{} KB over idle", (peak - idle) / 1024);

    gateway.forget_peak();
    world.padding.set(Some(Padding { bytes: 3 * LIMIT, alike: 3 * LIMIT }));
    let (status, answer) = ask(&client).await;
    match Said::read(&answer) {
        Said::Fault { code, texts } => {
            assert_eq!((&*code, status, texts.len()), ("AnswerTooLarge", 500, 2));
            assert!(texts[1].contains(&LIMIT.to_string()), "it names the limit, and the remedy with it: {texts:?}");
        }
        other => panic!("{other:?}"),
    }
    let peak = gateway.memory("VmHWM");
    eprintln!("an answer past the limit: {} KB at the peak", peak / 1024);
    assert!(peak < idle + OVER_IDLE, "{} KB over idle", peak.saturating_sub(idle) / 1024);
}

/// Says to the test below that it is the process that is measured, and how many megabytes it is to judge.
const JUDGES: &str = "HJEMMEL_FILE_JUDGES";

/// A delivery of so many bytes, made while it is read.
struct Delivery {
    made: std::io::Cursor<Vec<u8>>,
    next: Box<dyn Iterator<Item = Vec<u8>>>,
}

impl Delivery {
    fn of(bytes: u64) -> Self {
        let parties = Parties {
            system: Uuid::from_u128(1),
            sender: KORSBAEK.parse().unwrap(),
            receiver: KORSBAEK.parse().unwrap(),
            day: jiff::civil::date(2026, 11, 27),
        };
        let around = Sample::ordinary(1, &parties, 1).delivery();
        let of_vouchers =
            |xml: &str| xml[xml.find("<fb:Finansbilag>").unwrap()..xml.rfind("</fb:FinansbilagLeverance>").unwrap()].to_owned();
        let (head, end) = around.split_once(&of_vouchers(&around)).unwrap();
        // What the control section says does not come out: a rule that is found, not one that keeps anything.
        let (head, end) = (head.as_bytes().to_vec(), end.as_bytes().to_vec());
        let mut left = bytes;
        let vouchers = (2..).map(move |seed| of_vouchers(&Sample::ordinary(seed, &parties, 50).delivery()).into_bytes());
        let vouchers = vouchers.map_while(move |piece| {
            left = left.checked_sub(piece.len() as u64)?;
            Some(piece)
        });
        Self { made: std::io::Cursor::new(head), next: Box::new(vouchers.chain([end])) }
    }
}

impl std::io::Read for Delivery {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.made.read(buffer)? {
                0 => match self.next.next() {
                    Some(piece) => self.made = std::io::Cursor::new(piece),
                    None => return Ok(0),
                },
                read => return Ok(read),
            }
        }
    }
}

/// `HJEMMEL_FILE_MB=1024 cargo test --release --test memory file -- --nocapture` judges a whole gigabyte.
#[test]
fn a_delivery_as_a_file_is_judged_in_the_memory_of_a_voucher() {
    if let Some(megabytes) = std::env::var_os(JUDGES) {
        return judge_and_tell(megabytes.to_str().unwrap().parse::<u64>().unwrap() * MB);
    }
    let megabytes =
        std::env::var("HJEMMEL_FILE_MB").unwrap_or_else(|_| if cfg!(debug_assertions) { "8" } else { "64" }.to_owned());
    let name = "a_delivery_as_a_file_is_judged_in_the_memory_of_a_voucher";
    let run =
        Command::new(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(JUDGES, megabytes).output();
    let said = String::from_utf8(run.unwrap().stdout).unwrap();
    let told = said.lines().find_map(|line| line.split_once("judged: ")).unwrap_or_else(|| panic!("{said}")).1;
    eprintln!("{told}");
    let over: u64 = told.split_whitespace().next().unwrap().parse().unwrap();
    assert!(over < 64 * 1024, "{told}");
}

fn judge_and_tell(bytes: u64) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/services/finansbilag");
    let schema = hjemmel::services::passthrough::folder::load(&folder).unwrap().contracts[0].schema.clone();
    let modes = Modes::default();
    let against = Against {
        modes: &modes,
        lists: None,
        caller: KORSBAEK.parse().unwrap(),
        system: Some(Uuid::from_u128(1)),
        trials: false,
    };
    // The schema compiled and the tables filled, as in a process that has judged before.
    file::judge(&schema, || Ok(Delivery::of(100_000)), against).unwrap();
    let memory = |name: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let idle = memory("VmRSS");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let started = std::time::Instant::now();
    let verdict = file::judge(&schema, || Ok(Delivery::of(bytes)), against).unwrap().verdict;
    let totals = verdict.totals;
    println!(
        "judged: {} KB over {idle} KB when idle, at most, for {} MB with {} vouchers and {} postings, in {:.1} s",
        memory("VmHWM").saturating_sub(idle),
        bytes / MB,
        totals.vouchers,
        totals.postings,
        started.elapsed().as_secs_f64()
    );
    assert!(totals.vouchers > bytes / 5_000, "{totals:?}");
    assert_eq!(
        verdict.findings.iter().map(|finding| finding.rule.code()).collect::<Vec<_>>(),
        ["FB003", "FB003", "FB004", "FB005"]
    );
}
