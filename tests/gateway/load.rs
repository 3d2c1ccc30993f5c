//! More callers than places, callers who hang up, and a node that is told to stop.

use std::time::Duration;

use hjemmel::audit::Outcome;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::soap::envelope::Version;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::{KORSBAEK, demo};
use hjemmel::stub::ydelsesindeks::mode::FaultMode;

use crate::process::comes_to;
use crate::request::{and, search};
use crate::stage::{PLACES, Stage, admin, lines, on_stage, options, person};
use crate::wire::{Http, Sent};

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
                let record = stage.world.records.recv_timeout(Duration::from_secs(20)).expect("each call is closed");
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
