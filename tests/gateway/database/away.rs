//! What two nodes refuse and what goes on while what they share, or what they ask, is away: the rules of docs/losses.md.

use hjemmel::audit::log::read_head;
use hjemmel::audit::search::search as calls_in;
use hjemmel::cli::demo::world::merge;
use hjemmel::stub::sts::StsMode;
use hjemmel::stub::ydelsesindeks::mode::FaultMode;

use super::*;

async fn two(shared: &Shared, more: &str) -> [Node; 2] {
    [shared.node_with("one", more).await, shared.node_with("two", more).await]
}

async fn is_ready(node: &Node) -> bool {
    admin(node.admin, "/readyz").await.0 == 200
}

#[test]
fn while_the_database_is_away_two_nodes_forward_nothing_and_each_serves_again_by_itself() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let (nodes, caller) = (two(&shared, "").await, shared.caller().await);
        let message = caller.message();
        assert_eq!(nodes[0].asks(&message).await, Outcome::Served);
        assert_eq!(caller.calls(&nodes[1]).await, Outcome::Served);

        shared.cluster.stop();
        let before = shared.world.index_requests();
        for node in &nodes {
            assert_eq!(caller.calls(node).await, Outcome::unavailable(), "{}", node.logged());
            assert_ne!(node.asks(&message).await, Outcome::Served, "nor is what was let through before");
            comes_to("the balancer is told", async || !is_ready(node).await).await;
        }
        assert_eq!(shared.world.index_requests(), before, "nothing was forwarded");

        shared.cluster.start();
        for node in &nodes {
            caller.is_served_again(node).await;
            assert_ne!(node.asks(&message).await, Outcome::Served, "and it is not let through twice");
            comes_to("the balancer is told", async || is_ready(node).await).await;
        }
    });
}

#[test]
fn while_the_sts_is_away_a_node_serves_by_the_token_that_it_has_and_one_that_has_none_forwards_nothing() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let ([one, other], caller) = (two(&shared, "").await, shared.caller().await);
        assert_eq!(caller.calls(&one).await, Outcome::Served);
        shared.world.sts_mode.set(StsMode::Down);
        assert_eq!(caller.calls(&one).await, Outcome::Served, "its token holds");
        let before = shared.world.index_requests();
        assert_eq!(caller.calls(&other).await.code(), "StsUnavailable", "a token is one node's own");
        assert!(is_ready(&one).await && is_ready(&other).await, "another node would do no better");

        // A node that starts has no token, and starts all the same.
        one.gateway.signal("-TERM");
        assert!(one.gateway.ended().await);
        let one = shared.node("one").await;
        assert_eq!(caller.calls(&one).await.code(), "StsUnavailable");
        assert_eq!(shared.world.index_requests(), before, "nothing was forwarded without a token");

        shared.world.sts_mode.set(StsMode::Honest);
        for node in [&one, &other] {
            caller.is_served_again(node).await;
        }
    });
}

#[test]
fn while_the_store_is_away_calls_go_on_and_the_log_is_anchored_again_by_itself_when_it_is_back() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let file = shared.configuration("one", free_port(), "");
        // With a memory against replay of its own, a call needs nothing of the store that is not remembered.
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("replay_memory = \"database\"", "replay_memory = \"node\"")).unwrap();
        let (one, caller) = (shared.launched("one", &file).await.expect("it starts"), shared.caller().await);
        caller.is_served_again(&one).await;
        let kept = async || anchored(&shared, "one", "one").await.0;
        comes_to("the log is anchored", async || kept().await > 0).await;
        let before = kept().await;

        shared.cluster.stop();
        assert_eq!(caller.calls(&one).await, Outcome::Served, "{}", one.logged());
        comes_to("the operator is told", async || one.logged().contains("checkpoints cannot be anchored in the store")).await;
        assert_eq!(caller.calls(&one).await, Outcome::Served, "{}", one.logged());
        let signed = || read_head(&shared.dir.path().join("audit-one")).unwrap().map_or(0, |head| head.covers);
        comes_to("what was written meanwhile is signed", async || signed() > before).await;
        let written = signed();

        shared.cluster.start();
        comes_to("and is anchored", async || kept().await >= written).await;
        comes_to("the operator is told", async || one.logged().contains("checkpoints are anchored again")).await;
        one.gateway.signal("-TERM");
        assert!(one.gateway.ended().await);
    });
}

#[test]
fn an_object_store_that_is_away_stops_no_call_on_either_node() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let keys = shared.dir.path().join("object-keys");
        std::fs::create_dir(&keys).unwrap();
        hjemmel::objects::keys::generate(&keys.join("content.key")).unwrap();
        std::fs::write(shared.dir.path().join("s3"), "nobody\n").unwrap();
        // Nobody listens there.
        let objects = format!(
            "[objects]\nurl = \"s3://hjemmel/test\"\nendpoint = \"http://127.0.0.1:{}\"\nregion = \"here\"\n\
             key = \"object-keys/content.key\"\naccess_key_id = \"s3\"\nsecret_access_key = \"s3\"\ntimeout = \"1s\"\n",
            free_port()
        );
        let (nodes, caller) = (two(&shared, &objects).await, shared.caller().await);
        for node in &nodes {
            assert_eq!(caller.calls(node).await, Outcome::Served);
            comes_to("its operator is told", async || node.logged().contains("the object store cannot be used")).await;
            assert_eq!(caller.calls(node).await, Outcome::Served);
            assert!(is_ready(node).await, "{}", node.logged());
        }
        let message = caller.message();
        assert_eq!(nodes[0].asks(&message).await, Outcome::Served);
        assert_eq!(nodes[1].asks(&message).await.code(), "Replay", "what they share holds as ever");
    });
}

#[test]
fn a_node_whose_audit_cannot_be_written_forwards_nothing_and_the_other_serves() {
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let ([one, other], caller) = (two(&shared, "").await, shared.caller().await);
        for node in [&one, &other] {
            assert_eq!(caller.calls(node).await, Outcome::Served);
        }
        // Its segment has lost its name: what would be written goes where no auditor finds it.
        let segment = shared.dir.path().join("audit-one/segment-00000001.jsonl");
        let aside = shared.dir.path().join("aside");
        std::fs::rename(&segment, &aside).unwrap();
        std::fs::copy(&aside, &segment).unwrap();
        let before = shared.world.index_requests();
        assert_eq!(caller.calls(&one).await.code(), "AuditUnavailable");
        assert_eq!(shared.world.index_requests(), before, "nothing was forwarded");
        comes_to("the balancer is told", async || !is_ready(&one).await).await;
        assert_eq!(caller.calls(&other).await, Outcome::Served);
        assert!(is_ready(&other).await, "{}", other.logged());

        std::fs::rename(&aside, &segment).unwrap();
        caller.is_served_again(&one).await;
        comes_to("the balancer is told", async || is_ready(&one).await).await;
    });
}

#[test]
fn an_index_that_comes_and_goes_is_left_alone_by_each_node_gives_nothing_by_half_and_is_asked_again_by_itself() {
    const FAILURES: usize = 3;
    in_runtime(async {
        let Some(shared) = Shared::new().await else { return };
        let mut settings: toml::Table = std::fs::read_to_string(&shared.world.configuration).unwrap().parse().unwrap();
        let breaker = format!("[peer.ydelsesindeks]\nbreaker_failures = {FAILURES}\nbreaker_rest = \"1s\"\n");
        merge(&mut settings, breaker.parse().unwrap());
        std::fs::write(&shared.world.configuration, settings.to_string()).unwrap();
        let (nodes, caller) = (two(&shared, "").await, shared.caller().await);
        let (mut served, mut refused) = (0, BTreeMap::<String, usize>::new());
        for (mode, code) in [
            (FaultMode::Truncated, "PeerAnswerInvalid"),
            (FaultMode::Cut, "PeerUnavailable"),
            (FaultMode::Reset, "PeerUnavailable"),
        ] {
            for node in &nodes {
                shared.world.index_mode.set(mode);
                for call in 0..=FAILURES {
                    let outcome = caller.calls(node).await;
                    let rests = call == FAILURES && outcome.code() == "PeerResting";
                    assert!(rests || outcome.code() == code, "{mode:?}: {outcome:?}, {}", node.logged());
                    *refused.entry(outcome.code().to_owned()).or_default() += 1;
                }
                shared.world.index_mode.set(FaultMode::Honest);
                caller.is_served_again(node).await;
                served += 1;
            }
        }
        shared.world.index_mode.set(FaultMode::Slow(Duration::from_millis(300)));
        for node in &nodes {
            assert_eq!(caller.calls(node).await, Outcome::Served, "slow is not down");
            served += 1;
        }
        println!("served {served}, refused {refused:?}");
        assert!(refused["PeerAnswerInvalid"] >= FAILURES && refused["PeerUnavailable"] >= FAILURES, "{refused:?}");

        for (node, log) in nodes.into_iter().zip(["audit-one", "audit-two"]) {
            node.gateway.signal("-TERM");
            assert!(node.gateway.ended().await);
            let found = calls_in(&shared.dir.path().join(log), |_| true).unwrap();
            let outcomes: Vec<_> = found.calls.values().map(|record| record.outcome).collect();
            assert!(outcomes.iter().all(Option::is_some), "each call has its end: {outcomes:?}");
            served -= outcomes.iter().filter(|outcome| **outcome == Some(hjemmel::audit::Outcome::Served)).count();
        }
        assert_eq!(served, 0, "what was served stands in the logs, each once");
    });
}
