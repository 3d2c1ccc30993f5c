//! Every refusal before a call has a count by its cause.

use super::*;
use crate::edge::refused::Cause;
use crate::stub::pki::{Leaf, Usage};

impl Running {
    fn refused(&self, cause: Cause) -> u64 {
        let series = format!("hjemmel_refused_before_call_total{{cause=\"{}\",listener=\"service\"}} ", cause.label());
        let text = self.metrics.render().unwrap();
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    }

    /// Waits until one has been counted, and nothing else.
    pub(super) async fn counts(&self, cause: Cause) {
        let counted = async {
            while self.refused(cause) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let seen = || Cause::ALL.iter().filter(|cause| self.refused(**cause) > 0).collect::<Vec<_>>();
        assert!(timeout(Duration::from_secs(60), counted).await.is_ok(), "{cause:?}, but {:?}", seen());
        assert_eq!(seen(), [&cause]);
    }

    async fn handshake_with(&self, own: Option<&Credentials>) {
        if let Ok(mut stream) = self.connect_as(own, &[b"http/1.1"]).await {
            exchange(&mut stream, b"").await;
        }
    }
}

/// A certificate that holds from and to so many days from now.
fn leaf(from: i64, to: i64) -> Credentials {
    let now = Clock::system().now();
    let day = |days: i64| now + jiff::SignedDuration::from_hours(24 * days);
    for_tests()
        .issue(&Leaf {
            common_name: "Prøve".to_owned(),
            organization: "Korsbæk Kommune".to_owned(),
            cvr: "11111111".to_owned(),
            uuid: "5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b10ff".to_owned(),
            usage: Usage::System,
            not_before: day(from),
            not_after: day(to),
        })
        .unwrap()
}

#[tokio::test]
async fn a_certificate_that_is_refused_is_counted_by_what_is_wrong_with_it() {
    let pki = for_tests();
    let alone = |own: &Credentials| Credentials::new(vec![own.leaf().clone()], own.key().clone_key()).unwrap();
    let whole = pki.credentials(Role::Korsbaek).unwrap();
    for (cause, own) in [
        (Cause::Expired, leaf(-20, -10)),
        (Cause::NotYetValid, leaf(10, 20)),
        (Cause::WrongPurpose, pki.credentials(Role::GatewayServer).unwrap().clone()),
        // Another CA of the same name.
        (Cause::BadSignature, other_pki().credentials(Role::Korsbaek).unwrap().clone()),
        (Cause::IssuerMissing, alone(whole)),
    ] {
        let edge = start(small()).await;
        edge.handshake_with(Some(&own)).await;
        edge.counts(cause).await;
    }
    let edge = start(small()).await;
    let server = pki.credentials(Role::GatewayServer).unwrap();
    edge.tls.replace(Prepared::with_roots(server, &[pki.root().clone()], ClientCertificate::Required).unwrap());
    edge.handshake_with(None).await;
    edge.counts(Cause::NoCertificate).await;
}

#[tokio::test]
async fn a_client_that_is_refused_can_read_why_although_its_request_is_on_its_way() {
    let edge = start(small()).await;
    // In TLS 1.3 its part of the handshake is over before the server has seen its certificate.
    let mut stream = edge.connect_as(Some(&leaf(-20, -10)), &[b"http/1.1"]).await.unwrap();
    stream.write_all(&[b'x'; 32 * 1024]).await.unwrap();
    stream.flush().await.unwrap();
    edge.counts(Cause::Expired).await;
    stream.write_all(&[b'x'; 32 * 1024]).await.expect("the connection is not reset under it");
    let error = stream.read(&mut [0]).await.unwrap_err();
    assert!(error.to_string().contains("CertificateExpired"), "{error}");
}

#[tokio::test]
async fn a_handshake_that_fails_is_counted_by_what_was_missing() {
    let edge = start(small()).await;
    assert!(edge.connect_as(None, &[b"spdy/3"]).await.is_err());
    edge.counts(Cause::ApplicationProtocol).await;

    let edge = start(small()).await;
    let mut other = rcgen::CertificateParams::default();
    other.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let other = other.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(other.der().clone()).unwrap();
    let distrusting = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(edge.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    assert!(TlsConnector::from(Arc::new(distrusting)).connect(name, tcp).await.is_err());
    edge.counts(Cause::ClientDistrusts).await;

    for (cause, arguments) in [
        (Cause::ProtocolVersion, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
        (Cause::NothingShared, ["-tls1_2", "-cipher", "AES128-SHA"]),
    ] {
        let edge = start(small()).await;
        let address = edge.address.to_string();
        let mut run = tokio::process::Command::new("openssl");
        run.args(["s_client", "-connect", &address]).args(arguments).stdin(std::process::Stdio::null());
        if run.output().await.is_err() {
            println!("NOT RUN: openssl is not installed");
            continue;
        }
        edge.counts(cause).await;
    }
}

#[tokio::test]
async fn what_is_not_tls_at_all_is_counted_as_such() {
    let edge = start(small()).await;
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(&[0, 1, 2, 3, 4, 5, 6, 7]).await.unwrap();
    edge.counts(Cause::NotTls).await;

    let edge = start(EdgeLimits { handshake_timeout: Duration::from_millis(100), ..small() }).await;
    let _silent = TcpStream::connect(edge.address).await.unwrap();
    edge.counts(Cause::HandshakeTimeout).await;

    let edge = start(small()).await;
    drop(TcpStream::connect(edge.address).await.unwrap());
    edge.counts(Cause::Closed).await;

    let edge = start(EdgeLimits { connections: 1, ..small() }).await;
    let _first = edge.connect().await;
    assert!(edge.connect_as(None, &[b"http/1.1"]).await.is_err());
    edge.counts(Cause::TooManyConnections).await;
}

#[tokio::test]
async fn plain_http_is_told_to_use_https_in_words_and_the_connection_ends() {
    for (reason, request) in [
        ("a call", "POST /service HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nhej"),
        ("half a head", "GET /service?wsdl HTT"),
        ("HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ] {
        let edge = start(small()).await;
        let mut stream = TcpStream::connect(edge.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(Duration::from_secs(60), stream.read_to_string(&mut answer)).await.expect("an end").unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"), "{reason}: {answer}");
        for part in ["HttpsRequired", "servicen modtager kun HTTPS", "only HTTPS is spoken here", "https://"] {
            assert!(answer.contains(part), "{reason}: {answer}");
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{reason}: {answer}");
        edge.counts(Cause::PlainHttp).await;
    }
}

#[tokio::test]
async fn a_plain_client_that_goes_on_sending_or_keeps_silent_is_let_go() {
    let edge = start(small()).await;
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    let dripping = async {
        while stream.write_all(b"GET ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), dripping).await.expect("it is closed though it goes on");
}

#[tokio::test]
async fn a_request_that_is_refused_before_the_service_is_counted() {
    for (cause, request) in [
        (Cause::HttpMalformed, "garbage\r\n\r\n".to_owned()),
        (Cause::HttpHeadTooLarge, format!("POST / HTTP/1.1\r\nHost: l\r\n{}\r\n", "X: y\r\n".repeat(200))),
        (Cause::HttpHeadTimeout, "POST / HTTP/1.1\r\n".to_owned()),
    ] {
        let edge = start(EdgeLimits { header_timeout: Duration::from_millis(200), ..small() }).await;
        let mut stream = edge.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        edge.counts(cause).await;
    }
    let edge = start(EdgeLimits { concurrent_requests: 0, ..small() }).await;
    assert!(edge.raw(&post("/", "hej")).await.starts_with("HTTP/1.1 503"));
    edge.counts(Cause::Overloaded).await;
}
