//! The gateway's own HTTP and TLS with nothing between: hyper and rustls on the way in, its client for the index on the way
//! out. What is left between this and the gateway is what the gateway does; between this and nginx, what its libraries cost.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hjemmel::edge::tls::provider;
use hjemmel::outbound::{AnswerBody, Outbound, OutboundSettings};
use hjemmel::signature::credentials::{Credentials, certificates_from_pem_file};
use hjemmel::stub::pki::Role;
use hjemmel::stub::ydelsesindeks::serve::PATH;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

const DEADLINE: Duration = Duration::from_mins(2);

/// Serves until it is ended.
pub async fn serve(address: SocketAddr, backend: SocketAddr, pki: &Path) {
    let file = |role: Role, ending: &str| pki.join(format!("{}{ending}", role.file_name()));
    let credentials = |role| Credentials::from_pem_files(&file(role, ".pem"), &file(role, ".key.pem")).unwrap();
    let roots = certificates_from_pem_file(&pki.join("root.pem")).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls(&credentials(Role::GatewayServer), &roots)));
    let settings =
        OutboundSettings { credentials: Some(credentials(Role::GatewayClient)), retry: false, ..OutboundSettings::new(roots) };
    let outbound = Outbound::new(settings).unwrap();
    let uri: Uri = format!("https://localhost:{}{PATH}", backend.port()).parse().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, outbound, uri) = (acceptor.clone(), outbound.clone(), uri.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| pass(request, outbound.clone(), uri.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass(
    request: Request<Incoming>,
    outbound: Outbound,
    uri: Uri,
) -> Result<Response<Either<AnswerBody, Full<Bytes>>>, hyper::Error> {
    let soap = request.headers().get(header::CONTENT_TYPE).cloned();
    let headers = HeaderMap::from_iter(soap.map(|value| (header::CONTENT_TYPE, value)));
    let body = request.into_body().collect().await?.to_bytes();
    let answer = outbound.post(&uri, headers, body, Instant::now() + DEADLINE).await;
    Ok(match answer {
        Ok(answer) => answer.map(Either::Left),
        Err(error) => Response::builder().status(502).body(Either::Right(error.to_string().into())).unwrap(),
    })
}

fn tls(own: &Credentials, roots: &[rustls_pki_types::CertificateDer<'static>]) -> ServerConfig {
    let mut trusted = RootCertStore::empty();
    for root in roots {
        trusted.add(root.clone()).unwrap();
    }
    let clients = WebPkiClientVerifier::builder_with_provider(trusted.into(), provider()).build().unwrap();
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(own.chain().to_vec(), own.key().clone_key())
        .unwrap()
}
