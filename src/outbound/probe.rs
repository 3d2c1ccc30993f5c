//! Looks at a peer the way a call would reach it, and notes everything on the way: for `hjemmel check --connect`.
//!
//! The same roots, revocation lists, stapling and client certificate as [`Outbound`](super::Outbound); but each step is told
//! apart, and the certificate is noted also where it is refused. What is sent is a GET without a body.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::{OutboundSettings, SetupError, chain, client_config};
use crate::revocation::domain::Domain;
use crate::revocation::verify::{ServerVerifier, Stapling};

/// The step at which a peer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Step {
    /// The settings cannot be used.
    Setup,
    /// The name has no address.
    Name,
    /// TCP.
    Connect,
    /// TLS, for another cause than the certificate.
    Tls,
    /// The peer's certificate.
    Certificate,
    Http,
}

/// What was met.
#[derive(Debug, Default)]
pub struct Met {
    /// The address that answered.
    pub address: Option<SocketAddr>,
    /// The version of TLS.
    pub tls: Option<&'static str>,
    /// The peer's certificate, also where it was refused.
    pub certificate: Option<CertificateDer<'static>>,
    /// The answer's status.
    pub status: Option<StatusCode>,
    /// The answer's Date.
    pub date: Option<String>,
    /// From the first step to the answer's head.
    pub took: Duration,
    /// Where it ended before that, and why.
    pub lost: Option<(Step, String)>,
}

/// Goes to `uri`, and gives up at `deadline`.
pub async fn probe(settings: OutboundSettings, domain: Arc<Domain>, stapling: Stapling, uri: &Uri, deadline: Instant) -> Met {
    let (began, mut met) = (Instant::now(), Met::default());
    let went = timeout_at(deadline, go(&settings, domain, stapling, uri, &mut met)).await;
    met.lost = match went {
        Ok(Ok(())) => None,
        Ok(Err(lost)) => Some(lost),
        Err(_) => {
            let step = if met.tls.is_some() {
                Step::Http
            } else if met.address.is_some() {
                Step::Tls
            } else {
                Step::Connect
            };
            Some((step, "no answer before the deadline".to_owned()))
        }
    };
    met.took = began.elapsed();
    met
}

async fn go(
    settings: &OutboundSettings,
    domain: Arc<Domain>,
    stapling: Stapling,
    uri: &Uri,
    met: &mut Met,
) -> Result<(), (Step, String)> {
    let at = |step: Step| move |error: &(dyn std::error::Error + 'static)| (step, chain(error));
    let seen = Arc::new(Seen::new(settings, domain, stapling).map_err(|error| at(Step::Setup)(&error))?);
    let mut config = client_config(seen.clone(), settings.credentials.as_ref()).map_err(|error| at(Step::Setup)(&error))?;
    // One request needs no HTTP/2.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];

    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let addresses = match &settings.guard {
        Some(guard) => guard.addresses(&host, port).await,
        None => lookup_host((host.as_str(), port)).await.map(Iterator::collect),
    };
    let addresses: Vec<SocketAddr> = addresses.map_err(|error| at(Step::Name)(&error))?;
    let mut stream = Err((Step::Name, "the name has no address".to_owned()));
    for address in addresses {
        stream = match timeout(settings.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                met.address = Some(address);
                Ok(stream)
            }
            Ok(Err(error)) => Err((Step::Connect, format!("{address}: {error}"))),
            Err(_) => Err((Step::Connect, format!("{address}: no answer within {} s", settings.connect_timeout.as_secs()))),
        };
        if stream.is_ok() {
            break;
        }
    }
    let name = ServerName::try_from(host).map_err(|error| at(Step::Name)(&error))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream?).await;
    let (certificate, refused) = seen.taken();
    met.certificate = certificate;
    let stream = connected.map_err(|error| match refused {
        Some(why) => (Step::Certificate, why),
        None => at(Step::Tls)(&error),
    })?;
    met.tls = Some(match stream.get_ref().1.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS 1.3",
    });

    let http = at(Step::Http);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(|error| http(&error))?;
    let driven = tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let request = Request::get(path).header(header::HOST, authority).header(header::CONNECTION, "close").body(Empty::new());
    let answer = sender.send_request(request.map_err(|error| http(&error))?).await;
    driven.abort();
    let (head, _) = answer.map_err(|error| http(&error))?.into_parts();
    met.status = Some(head.status);
    met.date = date(&head.headers);
    Ok(())
}

fn date(headers: &HeaderMap) -> Option<String> {
    headers.get(header::DATE).and_then(|date| date.to_str().ok()).map(str::to_owned)
}

/// Judges as a call's verifier does, and keeps what it was shown and why it said no.
struct Seen {
    judge: ServerVerifier,
    shown: Mutex<(Option<CertificateDer<'static>>, Option<String>)>,
}

impl Seen {
    fn new(settings: &OutboundSettings, domain: Arc<Domain>, stapling: Stapling) -> Result<Self, SetupError> {
        Ok(Self { judge: ServerVerifier::new(&settings.roots, domain, stapling)?, shown: Mutex::default() })
    }

    fn taken(&self) -> (Option<CertificateDer<'static>>, Option<String>) {
        std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let refused = verdict.as_ref().err().map(|error| match error {
            Error::InvalidCertificate(cause) => format!("{cause:?}"),
            other => other.to_string(),
        });
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = (Some(end_entity.clone().into_owned()), refused);
        verdict
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
