//! What TLS agrees on, and what it does not carry over.

use rustls::HandshakeKind;
use rustls::client::Resumption;

use super::*;

/// A client that resumes wherever it may, speaking `version` alone.
fn resuming(version: &'static rustls::SupportedProtocolVersion, client: Option<&Credentials>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(for_tests().root().clone()).unwrap();
    let builder =
        ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
    let mut config = match client {
        Some(own) => builder.with_client_auth_cert(own.chain().to_vec(), own.key().clone_key()).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(16);
    config.enable_early_data = true;
    config
}

/// Connects, makes one call so that tickets would have come, and reports how the handshake went.
async fn calls(edge: &Running, config: &Arc<ClientConfig>, name: &'static str) -> std::io::Result<(HandshakeKind, String)> {
    let tcp = TcpStream::connect(edge.address).await?;
    let mut stream = TlsConnector::from(config.clone()).connect(ServerName::try_from(name).unwrap(), tcp).await?;
    let kind = stream.get_ref().1.handshake_kind().unwrap();
    assert!(!stream.get_ref().1.is_early_data_accepted(), "early data can be replayed");
    stream.write_all(&post("/", "hej")).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok((kind, String::from_utf8_lossy(&answer).into_owned()))
}

/// A resumed session skips the verification of the client's certificate: who lost its trust in the meantime would go on.
#[tokio::test]
async fn every_connection_is_a_full_handshake_also_for_a_client_that_would_resume() {
    let edge = start(small()).await;
    let own = for_tests().credentials(Role::Korsbaek).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = Arc::new(resuming(version, Some(own)));
        for _ in 0..3 {
            let (kind, answer) = calls(&edge, &config, "localhost").await.unwrap();
            assert_eq!(kind, HandshakeKind::Full, "{:?}", version.version);
            assert!(answer.contains("certificate"), "{answer}");
        }
        // The trust is gone: nothing that the client remembers opens the door.
        let server = for_tests().credentials(Role::GatewayServer).unwrap();
        let trusting = |root: &CertificateDer<'static>| {
            Prepared::with_roots(server, std::slice::from_ref(root), ClientCertificate::Optional).unwrap()
        };
        edge.tls.replace(trusting(other_pki().root()));
        assert!(calls(&edge, &config, "localhost").await.is_err(), "{:?}", version.version);
        edge.tls.replace(trusting(for_tests().root()));
    }
}

#[tokio::test]
async fn a_client_that_knows_no_protocol_of_ours_is_let_go_and_one_that_names_none_speaks_http_1_1() {
    let edge = start(small()).await;
    for unknown in [[b"spdy/3".as_slice()].as_slice(), &[b"h2c"], &[b"http/1.0", b"http/0.9"], &[b"H2"]] {
        assert!(edge.connect_as(None, unknown).await.is_err(), "{unknown:?}");
    }
    let mut unnamed = edge.connect_as(None, &[]).await.unwrap();
    assert!(exchange(&mut unnamed, &post("/", "hej")).await.starts_with("HTTP/1.1 200"));
    let mut both = edge.connect_as(None, &[b"http/1.1", b"h2"]).await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()), "ours is the better first");
    // What was agreed on is spoken, whatever the first bytes look like.
    assert!(!exchange(&mut both, &post("/", "hej")).await.contains("200 OK"), "HTTP/1.1 where HTTP/2 was agreed on");
    let mut http1 = edge.connect().await;
    let preface = exchange(&mut http1, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!preface.contains("200 OK"), "HTTP/2 where HTTP/1.1 was agreed on: {preface}");
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_opens_no_other_door() {
    let edge = start(small()).await;
    let config = Arc::new(resuming(&rustls::version::TLS13, None));
    assert!(calls(&edge, &config, "localhost").await.is_ok());
    // By its address there is no name in the handshake at all.
    assert!(calls(&edge, &config, "127.0.0.1").await.is_ok());
    // There is one certificate, whoever is asked for: the client sees that it is not for that name.
    assert!(calls(&edge, &config, "admin.internal").await.is_err());
}
