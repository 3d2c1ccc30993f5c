//! Against peers that answer, hang up, drip, or are somebody else.

mod connections;
mod http2;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::stub::pki::{Role, for_tests};
use http2::{Reaction, http2};

/// What a peer does with one request, having read it.
#[derive(Clone, Copy)]
enum Does {
    /// Answers these bytes and keeps the connection.
    Answers(&'static str),
    /// Answers these bytes and hangs up.
    AnswersAndHangsUp(&'static str),
    /// Hangs up without a byte.
    HangsUp,
    /// Answers a head, then a byte of the body now and then, for ever.
    Drips,
    /// Answers nothing.
    Stalls,
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Peer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

fn tls(role: Role) -> ServerConfig {
    let own = for_tests().credentials(role).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(own.chain().to_vec(), own.key().clone_key())
        .unwrap()
}

/// A TLS peer that does, request by request, what the script says, and the last of it from then on.
async fn peer(role: Role, script: &'static [Does]) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls(role)));
    let peer = Peer { address: listener.local_addr().unwrap(), requests: Arc::default(), connections: Arc::default() };
    let (requests, connections) = (peer.requests.clone(), peer.connections.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, requests) = (acceptor.clone(), requests.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                    let number = requests.fetch_add(1, Ordering::SeqCst);
                    match script.get(number).or(script.last()).copied() {
                        Some(Does::Answers(bytes)) => stream.write_all(bytes.as_bytes()).await.unwrap(),
                        Some(Does::AnswersAndHangsUp(bytes)) => {
                            stream.write_all(bytes.as_bytes()).await.unwrap();
                            let _ = stream.shutdown().await;
                            return;
                        }
                        Some(Does::Drips) => {
                            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await.unwrap();
                            while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                                tokio::time::sleep(Duration::from_millis(20)).await;
                            }
                        }
                        Some(Does::Stalls) => tokio::time::sleep(Duration::from_secs(60)).await,
                        Some(Does::HangsUp) | None => return,
                    }
                }
            });
        }
    });
    peer
}

fn client() -> Outbound {
    let settings = OutboundSettings {
        credentials: Some(for_tests().credentials(Role::GatewayClient).unwrap().clone()),
        connect_timeout: PATIENT,
        ..OutboundSettings::new(vec![for_tests().root().clone()])
    };
    Outbound::new(settings).unwrap()
}

async fn call(client: &Outbound, address: SocketAddr, patience: Duration) -> Result<(u16, Bytes), OutboundError> {
    let uri: Uri = format!("https://localhost:{}/", address.port()).parse().unwrap();
    let response = client.post(&uri, HeaderMap::new(), Bytes::from_static(b"question"), Instant::now() + patience).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

const SOON: Duration = Duration::from_secs(3);
const PATIENT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_connection_is_used_for_several_calls() {
    let peer = peer(Role::IndexServer, &[Does::Answers(OK)]).await;
    let client = client();
    for _ in 0..3 {
        assert_eq!(call(&client, peer.address, PATIENT).await.unwrap(), (200, Bytes::from_static(b"ok")));
    }
    assert_eq!(peer.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn where_a_name_leads_is_judged_each_time_that_it_is_connected_to() {
    let peer = peer(Role::IndexServer, &[Does::Answers(OK)]).await;
    let known = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let judge = {
        let known = known.clone();
        Arc::new(move |_: SocketAddr| (!known.load(Ordering::SeqCst)).then_some("the address is on the gateway's own machine"))
    };
    let settings =
        OutboundSettings { guard: Some(guard::Guard::new(judge)), ..OutboundSettings::new(vec![for_tests().root().clone()]) };
    let client = Outbound::new(settings).unwrap();
    assert_eq!(call(&client, peer.address, PATIENT).await.unwrap().0, 200);
    known.store(false, Ordering::SeqCst);
    client.renew_connections();
    let error = call(&client, peer.address, PATIENT).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Connect(why) if why.contains("own machine")), "{error}");
    assert_eq!(peer.connections.load(Ordering::SeqCst), 1, "nothing was connected to");
}

/// Every piece costs the same again, whatever its length; and what a peer may have us hold at a time is bounded.
#[tokio::test]
async fn over_http_2_a_piece_of_an_answer_may_be_64_kib_long_and_no_longer() {
    let longest = usize::try_from(connect::FRAME).unwrap();
    let peer = http2(&[Reaction::AnswersAtLength(longest)]).await;
    let (status, body) = call(&client(), peer.address, PATIENT).await.unwrap();
    assert_eq!((status, body.len()), (200, longest));
    let peer = http2(&[Reaction::AnswersAtLength(longest + 1)]).await;
    assert!(matches!(call(&client(), peer.address, PATIENT).await, Err(OutboundError::Broken(_) | OutboundError::Protocol(_))));
}

#[tokio::test]
async fn a_request_is_not_sent_again_once_a_byte_has_been_answered() {
    let scripts: [&'static [Does]; 2] = [
        &[Does::AnswersAndHangsUp("HTTP/1.1 2"), Does::Answers(OK)],
        &[Does::AnswersAndHangsUp("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), Does::Answers(OK)],
    ];
    for script in scripts {
        let peer = peer(Role::IndexServer, script).await;
        let error = call(&client(), peer.address, PATIENT).await.unwrap_err();
        assert!(matches!(error, OutboundError::Broken(_)), "{error}");
        assert_eq!(peer.requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn what_is_not_http_is_told_apart_and_not_sent_again() {
    let peer = peer(Role::IndexServer, &[Does::AnswersAndHangsUp("SSH-2.0-nobody\r\n\r\n")]).await;
    let error = call(&client(), peer.address, PATIENT).await.unwrap_err();
    assert!(matches!(error, OutboundError::Protocol(_)), "{error}");
    assert_eq!(peer.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_deadline_holds_for_the_head_and_for_every_byte_of_the_body() {
    for script in [&[Does::Stalls], &[Does::Drips]] {
        let peer = peer(Role::IndexServer, script).await;
        let began = Instant::now();
        let error = call(&client(), peer.address, SOON).await.unwrap_err();
        assert!(matches!(error, OutboundError::Timeout), "{error}");
        assert!(began.elapsed() < SOON * 10);
        assert_eq!(peer.requests.load(Ordering::SeqCst), 1, "a slow peer is not asked twice");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = "HTTP/1.1 307 Elsewhere\r\nLocation: https://localhost:1/\r\nContent-Length: 0\r\n\r\n";
    let peer = peer(Role::IndexServer, Box::leak(Box::new([Does::Answers(elsewhere)]))).await;
    assert_eq!(call(&client(), peer.address, PATIENT).await.unwrap().0, 307);
}

#[tokio::test]
async fn nobody_listening_is_a_connect_error() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = call(&client(), unused, PATIENT).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect(_)), "{error}");
}

#[tokio::test]
async fn a_peer_that_is_not_a_trusted_server_sees_nothing_of_the_request() {
    // A certificate for client systems, which names no host.
    let impostor = peer(Role::Intruder, &[Does::Answers(OK)]).await;
    let error = call(&client(), impostor.address, PATIENT).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect(_)), "{error}");
    assert_eq!(impostor.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn plain_http_is_refused_before_anything_is_sent() {
    let peer = peer(Role::IndexServer, &[Does::Answers(OK)]).await;
    let uri: Uri = format!("http://localhost:{}/", peer.address.port()).parse().unwrap();
    let outcome = client().post(&uri, HeaderMap::new(), Bytes::new(), Instant::now() + PATIENT).await;
    assert!(matches!(outcome.map(|_| ()), Err(OutboundError::Connect(_))));
    assert_eq!(peer.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_roots_means_no_client() {
    let settings = OutboundSettings { connect_timeout: SOON, ..OutboundSettings::new(Vec::new()) };
    assert!(matches!(Outbound::new(settings).map(|_| ()), Err(SetupError::Roots(_))));
}

// ---- stapled OCSP responses ----

/// Asks a server that staples `response`, over `version`.
async fn asks_stapled(response: Vec<u8>, version: &'static rustls::SupportedProtocolVersion, stapling: Stapling) -> bool {
    let own = for_tests().credentials(Role::IndexServer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert_with_ocsp(own.chain().to_vec(), own.key().clone_key(), response)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("https://localhost:{}/", listener.local_addr().unwrap().port()).parse().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(OK.as_bytes()).await;
    });
    let settings = OutboundSettings::new(vec![for_tests().root().clone()]);
    let outbound = Outbound::checked(settings, Domain::unasked(), stapling).unwrap();
    outbound.get(&uri, Instant::now() + Duration::from_secs(30)).await.is_ok()
}

#[tokio::test]
async fn a_stapled_response_must_hold_and_where_it_is_demanded_be_there() {
    use crate::stub::pki::OcspStatus::{Good, Revoked, Unknown};
    let (pki, now) = (for_tests(), crate::clock::Clock::system().now());
    let (hour, day) = (jiff::SignedDuration::from_hours(1), jiff::SignedDuration::from_hours(24));
    let own = pki.credentials(Role::IndexServer).unwrap().leaf();
    let response = |status, until| pki.ocsp_response(own, status, now - day, until, None).unwrap();
    let good = response(Good, now + hour);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let other = pki.credentials(Role::GatewayServer).unwrap().leaf();
    let on_other = pki.ocsp_response(other, Good, now - day, now + hour, None).unwrap();
    for (reason, response, optional, required) in [
        ("none", Vec::new(), true, false),
        ("good", good, true, true),
        ("good once", response(Good, now - hour), true, false),
        ("revoked", response(Revoked, now + hour), false, false),
        ("revoked, and old", response(Revoked, now - hour), false, false),
        ("unknown", response(Unknown, now + hour), false, false),
        ("on another certificate", on_other, false, false),
        ("forged", forged, false, false),
        ("no response", b"nothing".to_vec(), false, false),
    ] {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let by_choice = asks_stapled(response.clone(), version, Stapling::Optional).await;
            let by_demand = asks_stapled(response.clone(), version, Stapling::Required).await;
            assert_eq!((by_choice, by_demand), (optional, required), "{reason}, {:?}", version.version);
        }
    }
}
