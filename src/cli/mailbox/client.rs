//! A client of `/api/v1/mailboxes`: one connection a request, and what failed told apart by whether it may be tried again.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Method, Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::CommandError;
use crate::outbound::{alert_of_certificate, chain};
use crate::signature::credentials::{Credentials, certificates_from_pem_file};

/// How long a connection, an answer's beginning and each piece of it may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer of JSON, in bytes.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
/// How much of a file is read at a time.
const PIECE: usize = 256 * 1024;
/// The slowest that a file may go, in bytes a second.
const SLOWEST: u64 = 16 * 1024;

/// Where the API is, and who asks.
#[derive(Debug, clap::Args)]
pub(super) struct Connection {
    /// The API's address, as <https://gateway.example.dk:8444>
    #[arg(long, value_name = "URL")]
    api: Uri,
    /// The CA of the API's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// The system's certificate (PEM), that of a mailbox user
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// How often what broke is tried again before the command gives up
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) attempts: u32,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    /// It may be tried again: the connection, or the gateway's own fault.
    #[error("{0}")]
    Passing(String),
    /// The same, and the gateway says after how long.
    #[error("{0}")]
    Later(String, Duration),
    /// It is refused, and will be refused again.
    #[error("{0}")]
    Refused(String),
}

pub(super) struct Api {
    address: Uri,
    tls: TlsConnector,
}

/// A body that is read from a file while it is sent.
pub(super) struct Sent(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

impl Sent {
    fn bytes(bytes: Bytes) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        if !bytes.is_empty() {
            // There is room for one.
            let _ = sender.try_send(Ok(bytes));
        }
        Self(receiver)
    }

    fn file(path: &Path, part: Range<u64>, told: impl Fn(u64) + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || {
            let read = || -> io::Result<()> {
                let mut file = std::fs::File::open(&path)?;
                file.seek(SeekFrom::Start(part.start))?;
                let mut file = file.take(part.end.saturating_sub(part.start));
                let mut sent = part.start;
                loop {
                    let mut piece = vec![0; PIECE];
                    let length = file.read(&mut piece)?;
                    piece.truncate(length);
                    sent += length as u64;
                    if length == 0 || sender.blocking_send(Ok(Bytes::from(piece))).is_err() {
                        return Ok(());
                    }
                    told(sent);
                }
            };
            if let Err(error) = read() {
                // Whoever waits for it may be gone.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self(receiver)
    }
}

impl Api {
    /// Reads the files; nothing is connected yet.
    pub(super) fn new(connection: &Connection) -> Result<Self, CommandError> {
        let credentials = Credentials::from_pem_files(&connection.cert, &connection.key)?;
        let mut roots = rustls::RootCertStore::empty();
        for root in certificates_from_pem_file(&connection.ca)? {
            roots.add(root)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.with_root_certificates(roots);
        let mut config = builder.with_client_auth_cert(credentials.chain().to_vec(), credentials.key().clone_key())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { address: connection.api.clone(), tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends a request, and gives an answer that is not a refusal.
    async fn send(
        &self,
        request: http::request::Builder,
        path: &str,
        body: Sent,
        within: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let refused = |why: String| Failure::Refused(why);
        let host = self.address.host().ok_or_else(|| refused("--api is no address".to_owned()))?.to_owned();
        let port = self.address.port_u16().unwrap_or(443);
        let name = ServerName::try_from(host.clone()).map_err(|_| refused("--api names no host".to_owned()))?;
        let connecting = async {
            let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
            stream.set_nodelay(true)?;
            self.tls.connect(name, stream).await
        };
        let stream = timeout(PATIENCE, connecting).await.map_err(|late| failed("no connection", &late))?;
        let stream = stream.map_err(|error| failed("no connection", &error))?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| failed("no HTTP", &error))?;
        tokio::spawn(connection);
        let authority = self.address.authority().map_or(host.as_str(), |authority| authority.as_str());
        let request = request.uri(path).header("host", authority).header("accept-language", "da, en;q=0.5").body(body);
        let request = request.map_err(|error| refused(error.to_string()))?;
        let response = timeout(within, sender.send_request(request)).await.map_err(|late| failed("no answer", &late))?;
        let response = response.map_err(|error| failed("the connection broke", &error))?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.trim().parse().ok());
        if status.is_success() {
            return Ok(response);
        }
        let problem = json(response).await.unwrap_or(Value::Null);
        let text = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let told = format!("{} {}: {} {} ({})", status.as_u16(), text("code"), text("title"), text("detail"), text("instance"));
        let again =
            status.is_server_error() || status.as_u16() == 408 || problem.get("retry").and_then(Value::as_bool) == Some(true);
        Err(match (again, after) {
            (true, Some(seconds)) => Failure::Later(told, Duration::from_secs(seconds).min(PATIENCE)),
            (true, None) => Failure::Passing(told),
            (false, _) => Failure::Refused(told),
        })
    }

    /// Gets JSON.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        let request = Request::builder().method(Method::GET);
        json(self.send(request, path, Sent::bytes(Bytes::new()), PATIENCE).await?).await
    }

    /// Gets a content from a byte on; whether it begins there.
    pub(super) async fn content(&self, path: &str, from: u64, etag: &str) -> Result<(bool, Incoming), Failure> {
        let mut request = Request::builder().method(Method::GET);
        if from > 0 {
            request = request.header("range", format!("bytes={from}-")).header("if-range", etag);
        }
        let response = self.send(request, path, Sent::bytes(Bytes::new()), PATIENCE).await?;
        Ok((response.status().as_u16() == 206, response.into_body()))
    }

    /// Posts JSON.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let body = Bytes::from(body.to_string());
        let request = Request::builder().method(Method::POST).header("content-type", "application/json");
        let request = request.header("content-length", body.len());
        json(self.send(request, path, Sent::bytes(body), PATIENCE).await?).await
    }

    /// Puts a file of `size` bytes, or a part of it.
    pub(super) async fn put(
        &self,
        path: &str,
        name: &str,
        (file, size): (&Path, u64),
        part: Range<u64>,
        told: impl Fn(u64) + Send + 'static,
    ) -> Result<Value, Failure> {
        let length = part.end.saturating_sub(part.start);
        let mut request = Request::builder().method(Method::PUT).header("content-type", "application/octet-stream");
        request = request.header("content-length", length).header("file-name", name);
        if length < size {
            request = request.header("content-range", format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1)));
        }
        // With the last part the gateway puts all of them together.
        let within = PATIENCE + Duration::from_secs(if part.end == size { size } else { length } / SLOWEST);
        json(self.send(request, path, Sent::file(file, part, told), within).await?).await
    }
}

/// Why nothing came. A certificate that one side does not take is not taken a moment later either.
fn failed(what: &str, why: &dyn std::error::Error) -> Failure {
    let said = format!("{what}: {}", chain(why));
    if said.contains("invalid peer certificate: ") {
        return Failure::Refused(format!("{said}; check --api and --ca; if they are right, tell the gateway's operators"));
    }
    if alert_of_certificate(&said).is_some() {
        return Failure::Refused(format!("{said}; check that the certificate of --cert holds and is the one that was agreed"));
    }
    Failure::Passing(said)
}

/// The next piece of a content.
pub(super) async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Failure> {
    loop {
        let frame = timeout(PATIENCE, body.frame()).await.map_err(|late| Failure::Passing(format!("nothing comes: {late}")))?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(failed("the connection broke", &error)),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

async fn json(response: Response<Incoming>) -> Result<Value, Failure> {
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(piece) = next(&mut body).await? {
        all.extend_from_slice(&piece);
        if all.len() > LARGEST_ANSWER {
            return Err(Failure::Refused("the answer is too large".to_owned()));
        }
    }
    serde_json::from_slice(&all).map_err(|_| Failure::Refused("the answer is no JSON: is --api the gateway's API?".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_taken_is_a_refusal_and_a_connection_that_is_not_there_passes() {
        let told = |why: &str| failed("the connection broke", &io::Error::other(why.to_owned()));
        assert!(matches!(told("received fatal alert: CertificateExpired"), Failure::Refused(said) if said.contains("--cert")));
        assert!(matches!(told("invalid peer certificate: UnknownIssuer"), Failure::Refused(said) if said.contains("--ca")));
        assert!(matches!(told("Connection refused (os error 111)"), Failure::Passing(_)));
    }
}
