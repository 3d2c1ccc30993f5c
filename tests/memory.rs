//! What the gateway holds while a large answer passes through it: only what is released.
//!
//! The gateway runs as a process of its own, so that the stubs' memory is not counted. A build without optimisation reads
//! slowly and takes a smaller answer; `cargo test --release --test memory` takes the 200 MB that the limit is stated for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use std::process::{Child, Command};
use std::time::Duration;

use hjemmel::cli::call::client::Client;
use hjemmel::cli::call::question::Question;
use hjemmel::cli::call::words::Said;
use hjemmel::cli::demo::world::{Options, World};
use hjemmel::clock::Clock;
use hjemmel::id::cpr::Cpr;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::answer::Padding;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;

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
