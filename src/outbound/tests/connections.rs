//! Which connection a call gets, how long one is kept, and what is sent once more.

use super::http2::{Http2Peer, http2_with};
use super::*;
use Reaction::{Answers, DrainsAndAnswers, GoesAwayWithin, IsGone, LeavesOut, Refuses, Resets, Stalls};

fn limited(connections: ConnectionLimits) -> (Outbound, Arc<Counts>) {
    let settings = OutboundSettings { connections, ..OutboundSettings::new(vec![for_tests().root().clone()]) };
    let counts = settings.counts.clone();
    (Outbound::new(settings).unwrap(), counts)
}

fn usual() -> (Outbound, Arc<Counts>) {
    limited(ConnectionLimits::default())
}

fn closed(counts: &Counts) -> Vec<(&'static str, u64)> {
    counts.closed().filter(|(_, count)| *count > 0).collect()
}

fn resent(counts: &Counts) -> Vec<(&'static str, u64)> {
    counts.resent().filter(|(_, count)| *count > 0).collect()
}

async fn is_ok(client: &Outbound, address: SocketAddr) {
    assert_eq!(call(client, address, PATIENT).await.unwrap(), (200, Bytes::from_static(b"ok")));
}

async fn all_ended(peer: &mut Http2Peer, count: usize) {
    tokio::time::timeout(PATIENT, peer.ended.wait_for(|ended| *ended >= count)).await.unwrap().unwrap();
}

// ---- a call that timed out ----

#[tokio::test]
async fn over_http_2_a_connection_on_which_a_call_timed_out_takes_no_other() {
    for reaction in [Stalls, IsGone] {
        let peer = http2(&[Answers, reaction, Answers]).await;
        let (client, counts) = usual();
        is_ok(&client, peer.address).await;
        assert!(matches!(call(&client, peer.address, SOON).await, Err(OutboundError::Timeout)));
        is_ok(&client, peer.address).await;
        assert_eq!(peer.seen(), (3, 2), "and the one that timed out was not sent again");
        assert_eq!(closed(&counts), [("timed_out", 1)]);
    }
}

#[tokio::test]
async fn over_http_1_1_neither_that_connection_nor_those_idle_beside_it_take_another() {
    let peer = peer(Role::IndexServer, &[Does::Answers(OK), Does::Answers(OK), Does::Stalls, Does::Answers(OK)]).await;
    let (client, counts) = usual();
    // Two at once need two connections.
    let (one, other) = tokio::join!(call(&client, peer.address, PATIENT), call(&client, peer.address, PATIENT));
    assert_eq!((one.unwrap().0, other.unwrap().0, peer.connections.load(Ordering::SeqCst)), (200, 200, 2));
    assert!(matches!(call(&client, peer.address, SOON).await, Err(OutboundError::Timeout)));
    is_ok(&client, peer.address).await;
    assert_eq!(peer.connections.load(Ordering::SeqCst), 3);
    assert_eq!(closed(&counts), [("timed_out", 1), ("doubted", 1)]);
}

#[tokio::test]
async fn a_body_that_comes_too_late_counts_as_a_call_that_timed_out() {
    let peer = peer(Role::IndexServer, &[Does::Drips]).await;
    let (client, counts) = usual();
    assert!(matches!(call(&client, peer.address, SOON).await, Err(OutboundError::Timeout)));
    assert_eq!(closed(&counts), [("timed_out", 1)]);
}

#[tokio::test]
async fn a_call_under_way_ends_on_the_connection_that_another_gave_up() {
    let peer = http2(&[Stalls, Answers]).await;
    let (client, _) = usual();
    let waiting = call(&client, peer.address, SOON);
    let renewed = async {
        while peer.seen().0 == 0 {
            tokio::task::yield_now().await;
        }
        client.renew_connections();
        is_ok(&client, peer.address).await;
    };
    let (waited, ()) = tokio::join!(waiting, renewed);
    assert!(matches!(waited, Err(OutboundError::Timeout)), "it was not cut off");
    assert_eq!(peer.seen(), (2, 2), "what comes after has a new connection");
}

// ---- PING ----

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_given_up_while_a_call_waits() {
    let mut peer = http2(&[Answers, IsGone, Answers]).await;
    let second = Duration::from_secs(1);
    let pinged = ConnectionLimits { ping_interval: second / 10, ping_timeout: second * 2, ..ConnectionLimits::default() };
    let (client, counts) = limited(pinged);
    is_ok(&client, peer.address).await;
    let began = Instant::now();
    assert!(matches!(call(&client, peer.address, PATIENT).await, Err(OutboundError::Broken(_))));
    assert!(began.elapsed() < PATIENT / 2, "long before the deadline");
    all_ended(&mut peer, 1).await;
    is_ok(&client, peer.address).await;
    assert_eq!((peer.seen(), closed(&counts)), ((3, 2), vec![("no_pong", 1)]));
}

#[tokio::test]
async fn an_idle_connection_is_pinged_too_and_kept_while_the_peer_answers() {
    let peer = http2(&[Answers]).await;
    let second = Duration::from_secs(1);
    let pinged = ConnectionLimits { ping_interval: second / 20, ping_timeout: second * 60, ..ConnectionLimits::default() };
    let (client, counts) = limited(pinged);
    is_ok(&client, peer.address).await;
    while peer.pings.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(second / 50).await;
    }
    is_ok(&client, peer.address).await;
    assert_eq!((peer.seen(), closed(&counts)), ((2, 1), vec![]));
}

// ---- how long one is kept ----

#[tokio::test]
async fn a_connection_in_steady_use_is_replaced_at_its_age_and_no_call_is_lost() {
    let mut peer = http2(&[Answers]).await;
    let (client, counts) = limited(ConnectionLimits { lifetime: SOON / 5, ..ConnectionLimits::default() });
    while peer.seen().1 < 3 {
        is_ok(&client, peer.address).await;
    }
    all_ended(&mut peer, 2).await;
    let causes: Vec<_> = closed(&counts).into_iter().map(|(cause, _)| cause).collect();
    assert_eq!(causes, ["lifetime"]);
}

#[tokio::test]
async fn a_connection_without_a_call_is_closed_after_the_idle_limit() {
    let mut peer = http2(&[Answers]).await;
    let (client, counts) = limited(ConnectionLimits { idle: SOON / 5, ..ConnectionLimits::default() });
    is_ok(&client, peer.address).await;
    all_ended(&mut peer, 1).await;
    assert_eq!(closed(&counts), [("idle", 1)]);
}

#[tokio::test]
async fn a_client_that_is_dropped_closes_its_connections() {
    let mut peer = http2(&[Answers]).await;
    let (client, counts) = usual();
    is_ok(&client, peer.address).await;
    drop(client);
    all_ended(&mut peer, 1).await;
    assert_eq!(closed(&counts), [("replaced", 1)]);
}

#[tokio::test]
async fn many_calls_at_once_share_the_one_connection_of_http_2() {
    let peer = http2(&[Answers]).await;
    let (client, _) = usual();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let (client, address) = (client.clone(), peer.address);
            tokio::spawn(async move { is_ok(&client, address).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(peer.seen(), (40, 1));
}

#[tokio::test]
async fn calls_beyond_what_a_peer_takes_on_one_connection_get_another() {
    let peer = http2_with(&[Answers, Answers, Stalls, Answers], 1).await;
    let (client, _) = usual();
    for _ in 0..2 {
        is_ok(&client, peer.address).await;
    }
    assert_eq!(peer.seen(), (2, 1));
    let waiting = call(&client, peer.address, SOON);
    let beside = async {
        while peer.seen().0 < 3 {
            tokio::task::yield_now().await;
        }
        is_ok(&client, peer.address).await;
    };
    let (waited, ()) = tokio::join!(waiting, beside);
    assert!(matches!(waited, Err(OutboundError::Timeout)));
    assert_eq!(peer.seen(), (4, 2));
}

// ---- what is sent once more ----

#[tokio::test]
async fn what_the_peer_says_it_did_not_process_is_sent_once_more() {
    for (script, seen, why, name) in [
        ([Refuses, Answers], (2, 1), "refused", "REFUSED_STREAM leaves the connection in use"),
        ([LeavesOut, Answers], (2, 2), "gone_away", "GOAWAY does not"),
    ] {
        let peer = http2(&script).await;
        let (client, counts) = usual();
        is_ok(&client, peer.address).await;
        assert_eq!((peer.seen(), resent(&counts)), (seen, vec![(why, 1)]), "{name}");
    }
}

#[tokio::test]
async fn but_not_twice() {
    for script in [[Refuses, Refuses, Answers], [LeavesOut, LeavesOut, Answers]] {
        let peer = http2(&script).await;
        let (client, _) = usual();
        assert!(matches!(call(&client, peer.address, PATIENT).await, Err(OutboundError::Broken(_))));
        assert_eq!(peer.seen().0, 2);
    }
}

#[tokio::test]
async fn nor_where_the_settings_say_no() {
    let peer = http2(&[Refuses, Answers]).await;
    let settings = OutboundSettings { retry: false, ..OutboundSettings::new(vec![for_tests().root().clone()]) };
    let client = Outbound::new(settings).unwrap();
    assert!(matches!(call(&client, peer.address, PATIENT).await, Err(OutboundError::Broken(_))));
    assert_eq!(peer.seen().0, 1);
}

#[tokio::test]
async fn what_may_have_been_processed_is_not_sent_again() {
    for reaction in [Resets, GoesAwayWithin] {
        let peer = http2(&[reaction, Answers]).await;
        let (client, counts) = usual();
        assert!(matches!(call(&client, peer.address, PATIENT).await, Err(OutboundError::Broken(_))));
        assert_eq!((peer.seen().0, resent(&counts)), (1, vec![]));
    }
}

#[tokio::test]
async fn over_http_1_1_nothing_is_sent_again_of_which_a_byte_was_written() {
    for script in [&[Does::HangsUp, Does::Answers(OK)] as &'static [_], &[Does::Answers(OK), Does::HangsUp, Does::Answers(OK)]] {
        let peer = peer(Role::IndexServer, script).await;
        let (client, counts) = usual();
        for _ in 2..script.len() {
            is_ok(&client, peer.address).await;
        }
        let error = call(&client, peer.address, PATIENT).await.unwrap_err();
        assert!(matches!(error, OutboundError::Broken(_)), "{error}");
        assert_eq!((peer.requests.load(Ordering::SeqCst), resent(&counts)), (script.len() - 1, vec![]));
    }
}

#[tokio::test]
async fn a_connection_that_the_peer_closed_after_its_answer_is_not_used_again() {
    const LAST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    for answer in [OK, LAST] {
        let script: &'static [Does] = Box::leak(Box::new([Does::AnswersAndHangsUp(answer)]));
        let peer = peer(Role::IndexServer, script).await;
        let (client, counts) = usual();
        for _ in 0..5 {
            is_ok(&client, peer.address).await;
            while closed(&counts).iter().map(|(_, count)| count).sum::<u64>() < counts.opened() {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!((counts.opened(), closed(&counts), resent(&counts)), (5, vec![("peer", 5)], vec![]));
    }
}

#[tokio::test]
async fn a_peer_that_drains_gets_no_new_call_and_loses_none() {
    let mut peer = http2(&[DrainsAndAnswers]).await;
    let (client, counts) = usual();
    for _ in 0..5 {
        is_ok(&client, peer.address).await;
    }
    assert_eq!(peer.seen(), (5, 5), "each connection served the call that it was on");
    all_ended(&mut peer, 5).await;
    assert_eq!(resent(&counts), []);
}

// ---- what an address that is wrong says of itself ----

#[test]
fn an_answer_that_is_none_is_told_by_status_type_and_redirect() {
    let html = HeaderMap::from_iter([(CONTENT_TYPE, "text/html".parse().unwrap())]);
    assert_eq!(describe(StatusCode::NOT_FOUND, &html), "HTTP 404 (text/html)");
    assert_eq!(describe(StatusCode::METHOD_NOT_ALLOWED, &HeaderMap::new()), "HTTP 405 (no Content-Type)");
    assert_eq!(describe(StatusCode::FOUND, &html), "HTTP 302, a redirect, which is never followed (text/html)");
}
