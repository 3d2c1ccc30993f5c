//! More callers than places, callers who hang up, and a node that is told to stop.

use std::process::Command;
use std::time::{Duration, Instant};

use hjemmel::audit::Outcome;
use hjemmel::cli::demo::world::{World, merge};
use hjemmel::clock::Clock;
use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::mode::FaultMode;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::postgres::free_port;
use crate::process::{Gateway, HJEMMEL, ask, comes_to, in_runtime};
use crate::request::{and, search};
use crate::stage::{PLACES, Stage, admin, lines, on_stage, options, person};
use crate::wire::{self, Http, Sent};

/// Waits until so many more requests have reached the index.
async fn reached(world: &World, count: u64) {
    comes_to("so many requests reach the index", async || world.index_requests() >= count).await;
}

fn good(stage: &Stage, http: Http) -> http::Request<Sent> {
    let message = stage.by_tls(Version::V11, KORSBAEK, &search(&and(&[&person(demo::UDK_ONLY)])));
    stage.request(http, Version::V11).body(Sent::whole(message)).unwrap()
}

#[test]
fn a_call_too_many_is_told_so_at_once_and_callers_who_hang_up_are_recorded() {
    on_stage(async |stage| {
        stage.world.index_mode.set(FaultMode::Hang);
        for http in [Http::One, Http::Two] {
            let before = stage.world.index_requests();
            while stage.world.records.try_recv().is_ok() {}
            let waiting = async {
                let calls = (0..PLACES).map(|_| stage.send(Http::Two, Some(Role::Korsbaek), good(stage, Http::Two)));
                futures(calls.collect()).await
            };
            let shed = async {
                reached(&stage.world, before + PLACES as u64).await;
                let metrics = admin(stage.world.admin, "/metrics").await.1;
                assert!(metrics.contains("hjemmel_working_requests 0\n"), "calls that wait for the index cost no processor");
                stage.send(http, Some(Role::Korsbaek), good(stage, http)).await.unwrap()
            };
            // The waiting ones are dropped when the shed one has its answer: they hang up.
            let shed = tokio::select! {
                _ = waiting => panic!("the index hangs, so nobody else can have an answer"),
                shed = shed => shed,
            };
            assert_eq!((shed.status, shed.header("retry-after")), (503, "1"), "{http:?}");
            assert!(shed.text().starts_with("Overloaded"), "{}", shed.text());
            assert_eq!(stage.world.index_requests(), before + PLACES as u64, "and nothing is forwarded");
            for _ in 0..PLACES {
                let record = stage.world.records.recv_timeout(Duration::from_secs(60)).expect("each call is closed");
                assert_eq!(record.outcome, Some(Outcome::Abandoned), "{record:?}");
                assert!(record.persons.len() == 1 && record.front_agreement.is_some(), "with what was known of it");
            }
        }
        stage.world.index_mode.set(FaultMode::Honest);
        stage.serves().await;
    });
}

/// All of them, side by side.
async fn futures<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    let mut calls: Vec<_> = calls.into_iter().map(|call| (Box::pin(call), None)).collect();
    std::future::poll_fn(|context| {
        for (call, outcome) in &mut calls {
            if outcome.is_none()
                && let std::task::Poll::Ready(ended) = call.as_mut().poll(context)
            {
                *outcome = Some(ended);
            }
        }
        match calls.iter().all(|(_, outcome)| outcome.is_some()) {
            true => std::task::Poll::Ready(calls.iter_mut().filter_map(|(_, outcome)| outcome.take()).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

#[test]
fn a_node_that_stops_finishes_the_call_under_way() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(options(dir.path(), Clock::system(), "")).await.unwrap();
        world.index_mode.set(FaultMode::Slow(Duration::from_secs(1)));
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        let input = search(&and(&[&person(demo::UDK_ONLY)]));
        let message = hjemmel::cli::call::client::Client::authority_context_message(KORSBAEK.parse().unwrap(), input.as_bytes());
        let before = world.index_requests();
        let call = tokio::spawn(async move { client.send(Version::V11, message).await });
        reached(&world, before + 1).await;
        assert_eq!(world.stop().await, 0, "no connection was cut");
        let answer = call.await.unwrap().unwrap();
        assert_eq!(answer.status, 200);
        let answer = crate::wire::Answer { status: 200, headers: answer.headers, body: answer.answer };
        assert!(!lines(&answer).is_empty(), "the whole answer came");
        let key = hjemmel::audit::keys::checkpoint_public_key(&dir.path().join("audit-keys/checkpoint.pub")).unwrap();
        let verified = hjemmel::audit::verify::verify(&dir.path().join("audit"), &[key], &[]).unwrap();
        assert!(verified.stopped && verified.unclosed == 0, "{verified:?}");
    });
}

/// A gateway in a process of its own, with these settings over the demo's.
async fn gateway_with(world: &World, settings: &str) -> Gateway {
    let mut all: toml::Table = std::fs::read_to_string(&world.configuration).unwrap().parse().unwrap();
    merge(&mut all, settings.parse().unwrap());
    std::fs::write(&world.configuration, all.to_string()).unwrap();
    Gateway::start(world).await
}

/// Whether the gateway answers over a connection that stands.
async fn answers(stream: &mut TlsStream<TcpStream>) -> bool {
    let asked = stream.write_all(b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let mut answer = Vec::new();
    while asked.is_ok() && !answer.ends_with(b"\n\n") {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(read @ 1..) => answer.extend_from_slice(&piece[..read]),
            _ => return false,
        }
        let text = String::from_utf8_lossy(&answer);
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| Some(body.len()) == length) {
            return text.starts_with("HTTP/1.1 404");
        }
    }
    false
}

/// As many as `HJEMMEL_IDLE` says: docs/losses.md has the command for 10,000.
#[test]
fn a_caller_with_as_many_idle_connections_as_it_may_hold_leaves_others_served() {
    let count: usize = std::env::var("HJEMMEL_IDLE").map_or(400, |count| count.parse().expect("a number of connections"));
    let raised = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), "--nofile=20000:"]).status();
    assert!(raised.unwrap().success() || count < 1000, "10,000 connections are as many open files");
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let limits = format!("[limits]\nconnections = {}\nidle_timeout = \"30m\"\n", count / 4 * 5);
        let gateway = gateway_with(&world, &limits).await;
        let resident = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.0.id())).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
        };
        let (before, port) = (resident(), world.service.port_u16().unwrap());
        let tasks: Vec<_> = (0..8)
            .map(|task| {
                let root = world.pki.root().clone();
                tokio::spawn(async move {
                    let mut held = Vec::new();
                    for _ in (task..count + 20).step_by(8) {
                        let mut stream = wire::tls(&root, port, None, Http::One).await;
                        if answers(&mut stream).await {
                            held.push(stream);
                        }
                    }
                    held
                })
            })
            .collect();
        let mut held = Vec::new();
        for task in tasks {
            held.extend(task.await.unwrap());
        }
        assert_eq!(held.len(), count, "four fifths of all");
        println!("{count} idle connections: {:.1} KiB resident each", (resident() - before) / count as f64);

        let client = world.client(Some(Role::Korsbaek)).unwrap();
        let began = Instant::now();
        for _ in 0..10 {
            assert_eq!(ask(&client).await.status, 200, "another is served");
        }
        println!("ten calls of another beside them: {:?}", began.elapsed());
        for stream in &mut held {
            assert!(answers(stream).await, "and they stand");
        }
        let metrics = admin(world.admin, "/metrics").await.1;
        let refused = r#"hjemmel_refused_before_call_total{cause="too_many_connections",listener="service"} 20"#;
        assert!(metrics.lines().any(|line| line == refused), "{metrics}");
        drop(held);
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
    });
}

#[test]
fn calls_are_served_while_the_object_store_is_away_does_not_answer_or_is_full() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        std::fs::create_dir(dir.path().join("object-keys")).unwrap();
        hjemmel::objects::keys::generate(&dir.path().join("object-keys/content.key")).unwrap();
        std::fs::write(dir.path().join("s3"), "nobody\n").unwrap();
        let at = free_port();
        let objects = format!(
            "[objects]\nurl = \"s3://hjemmel/test\"\nendpoint = \"http://127.0.0.1:{at}\"\nregion = \"here\"\nkey = \"object-keys/content.key\"\n\
             access_key_id = \"s3\"\nsecret_access_key = \"s3\"\ntimeout = \"1s\"\n"
        );
        // Nobody listens there.
        let gateway = gateway_with(&world, &objects).await;
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        let serves = async || {
            for _ in 0..3 {
                assert_eq!(ask(&client).await.status, 200);
            }
            assert_eq!(admin(world.admin, "/readyz").await.0, 200);
        };
        serves().await;
        let log = || std::fs::read_to_string(dir.path().join("log")).unwrap();
        comes_to("the operator is told", async || log().contains("the object store cannot be used")).await;
        serves().await;
        // Connections are made, and nothing is answered.
        let store = tokio::net::TcpListener::bind(("127.0.0.1", at)).await.unwrap();
        serves().await;
        // It has no room.
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = store.accept().await {
                let mut asked = [0; 4096];
                let _ = stream.read(&mut asked).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 507 Insufficient Storage\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .await;
            }
        });
        serves().await;
        let check = || Command::new(HJEMMEL).args(["objects", "check", "--config"]).arg(&world.configuration).output();
        let said = tokio::task::block_in_place(check).unwrap();
        assert!(!said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        serves().await;
        gateway.signal("-TERM");
        assert!(gateway.ended().await);
    });
}
