//! The index behind its listener: authenticates, searches, and signs what it streams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::answer::{Answer, Padding};
use super::evaluate::{Found, Index, Join};
use super::mode::FaultMode;
use super::names::{REQUEST_HEADER, SEARCH, SEARCH_ANSWER};
use super::request;
use crate::clock::Clock;
use crate::refusal::Refusal;
use crate::saml::trust::Trust;
use crate::signature::credentials::Credentials;
use crate::signature::key::KeyError;
use crate::signature::names::{ANONYMOUS, SOAP12, WSA, WSU};
use crate::signature::sign::{Message, SignError, SoapVersion, canonical_content, head_with_certificate, unsigned};
use crate::signature::write;
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use crate::stub::population::Population;
use crate::stub::server::{self, Handler, Reply, Running, StartError, reply, streamed};
use crate::stub::soap::{self, Signer, content_type, envelope};
use crate::stub::sts::Switch;

/// Where searches are sent.
pub const PATH: &str = "/ydelsesindeks/6";
/// Pieces are gathered until they are this long, in bytes, before they are sent.
const CHUNK: usize = 32 * 1024;

/// How to start the index.
#[derive(Debug, Clone)]
pub struct IndexConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The certificate of the TLS server.
    pub server: Credentials,
    /// The certificate and key that sign answers.
    pub signing: Credentials,
    /// Whose tokens let a caller in.
    pub trust: Trust,
    /// The index's own entity id: what tokens must be for.
    pub entity_id: String,
    /// What the index holds.
    pub population: Arc<Population>,
    /// How grants and effectuations are joined.
    pub join: Switch<Join>,
    /// How it behaves.
    pub mode: Switch<FaultMode>,
    /// Whether answers are made longer.
    pub padding: Switch<Option<Padding>>,
    /// `StatusKode` where nothing was found: 44, or 20 without objects.
    pub empty_status: u16,
    /// What reached it.
    pub received: Switch<Received>,
    /// The time.
    pub clock: Clock,
}

/// What reached the index: how many requests, and the bytes of the last.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the names say it
pub struct Received {
    /// How many, whatever they were answered with.
    pub count: u64,
    pub last: Bytes,
}

/// Starts the index.
///
/// # Errors
/// [`StartError`].
pub async fn start_ydelsesindeks(config: IndexConfig) -> Result<Running, StartError> {
    let (address, server) = (config.address, config.server.clone());
    let service = Service::new(config).map_err(|error| StartError::Certificate(error.to_string()))?;
    server::start(address, &server, Arc::new(Arc::new(service))).await
}

/// The index without its listener.
pub struct Service {
    config: IndexConfig,
    index: Index,
    signer: Signer,
    /// The TLS key: one that is not to sign.
    other: Signer,
}

/// What goes round the body of an answer.
struct Frame {
    version: SoapVersion,
    relates_to: String,
    transaction: Option<String>,
}

impl Service {
    /// Makes the service.
    ///
    /// # Errors
    /// A certificate or key that cannot be used.
    pub fn new(config: IndexConfig) -> Result<Self, KeyError> {
        let index = Index::new(Arc::clone(&config.population));
        let (signer, other) = (Signer::new(&config.signing)?, Signer::new(&config.server)?);
        Ok(Self { config, index, signer, other })
    }

    /// What a request is answered with, or the fault it ends in.
    fn work(&self, request: Bytes, mode: FaultMode) -> Result<(Frame, Answer), Box<Reply>> {
        let fault = |version, reason: &str| {
            let fault = soap::fault(version, true, &[("da", &write::escaped(reason))], "");
            Box::new(reply(500, content_type(version), fault))
        };
        let limits = Limits { nodes: 200_000, ..Limits::default() };
        let document = Document::parse(request, &limits).map_err(|refusal| fault(SoapVersion::V12, refusal.code()))?;
        let parts = envelope(&document).ok_or_else(|| fault(SoapVersion::V12, "ikke en SOAP-besked"))?;
        if mode == FaultMode::SoapFault {
            return Err(fault(parts.version, "Intern fejl i indekset, se journal 6101801234"));
        }
        if parts.version == SoapVersion::V11 {
            return Err(fault(SoapVersion::V11, "kun SOAP 1.2"));
        }
        let now = self.config.clock.now();
        let caller = soap::authenticate(&document, &parts, &self.config.trust, &self.config.entity_id, SEARCH, now);
        let relates_to = match &caller {
            Ok(message_id) => message_id.clone(),
            // The index reports an expired token in an answer, not in a fault.
            Err(Refusal::TokenExpired { .. }) => soap::header(&parts, WSA, "MessageID").unwrap_or_default(),
            Err(refusal) => return Err(fault(parts.version, refusal.code())),
        };
        let transaction = parts.header.only(REQUEST_HEADER, "RequestHeader").ok().flatten();
        let transaction = transaction.and_then(|header| header.only(REQUEST_HEADER, "TransactionUUID").ok().flatten());
        let frame = Frame {
            version: parts.version,
            relates_to,
            transaction: transaction.and_then(|uuid| uuid.text()).map(|uuid| uuid.trim().to_owned()),
        };
        let status_alone = |status, text: &str| Answer {
            population: Arc::clone(&self.config.population),
            status,
            text: Some(text.to_owned()).filter(|text| !text.is_empty()),
            found: Found::default(),
            filter: None,
            padding: None,
        };
        let answer = match (caller, mode) {
            (_, FaultMode::Status(status)) => status_alone(status, "Fejl i indekset, se journal 6101801234"),
            (_, FaultMode::HugeText(bytes)) => status_alone(20, &"x".repeat(bytes)),
            (Err(_), _) => status_alone(41, "Tokenet er udløbet"),
            (Ok(_), _) => match request::read(&parts.payload) {
                Err(bad) => status_alone(bad.status, &bad.text),
                Ok(search) => {
                    let found = self.index.search(&search, self.config.join.get());
                    let nothing = found.all_grants == 0 && found.all_effectuations == 0;
                    let empty = nothing && self.config.empty_status != 20;
                    let padding = self.config.padding.get();
                    match empty {
                        true => status_alone(self.config.empty_status, "Ingen objekter fundet"),
                        false => Answer { found, filter: search.filter, padding, ..status_alone(20, "") },
                    }
                }
            },
        };
        Ok((frame, answer))
    }

    /// Everything before Body. Writes the body once, into the digest only.
    fn head(&self, frame: &Frame, answer: &Answer, mode: FaultMode) -> Result<Vec<u8>, SignError> {
        let header = frame.transaction.as_ref().map(|uuid| {
            let mut header = format!("<rh:RequestHeader xmlns:rh=\"{REQUEST_HEADER}\"><rh:TransactionUUID>").into_bytes();
            write::text(&mut header, uuid);
            header.extend_from_slice(b"</rh:TransactionUUID></rh:RequestHeader>");
            header
        });
        let extra: Vec<&[u8]> = header.iter().map(Vec::as_slice).collect();
        let id = format!("urn:uuid:{}", Uuid::new_v4());
        let message = Message {
            version: frame.version,
            action: Some(SEARCH_ANSWER),
            message_id: &id,
            relates_to: Some(if mode == FaultMode::WrongRelation { &id } else { &frame.relates_to }),
            to: Some(ANONYMOUS),
            reply_to: false,
            framework: false,
            created: self.config.clock.now(),
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &extra,
            body: b"",
        };
        if mode == FaultMode::Unsigned {
            let mut whole = unsigned(&message);
            let end = whole.windows(10).position(|window| window == b"<soap:Body").unwrap_or(whole.len());
            whole.truncate(end);
            return Ok(whole);
        }
        let mut digest = Context::new(&SHA256);
        match mode {
            // What is said need not be canonical; a signature that covers it is made over what is.
            FaultMode::Says(_) => pieces(answer, mode).for_each(|body| {
                digest.update(&canonical_content(&body).unwrap_or(body));
            }),
            _ => answer.pieces().for_each(|piece| digest.update(&piece)),
        }
        let signer = if mode == FaultMode::WrongSigner { &self.other } else { &self.signer };
        head_with_certificate(&message, digest.finish().as_ref(), &signer.certificate, &signer.key)
    }

    /// Writes head, body and end into the stream, and what the mode asks for.
    fn send(&self, frame: &Frame, answer: &Answer, mode: FaultMode, stream: &mpsc::Sender<io::Result<Bytes>>) {
        let Ok(head) = self.head(frame, answer, mode) else {
            // A signing key that does not sign: there is no answer then.
            let _ = stream.blocking_send(Err(io::Error::other("the answer could not be signed")));
            return;
        };
        let half = match mode {
            FaultMode::Truncated | FaultMode::Cut => {
                let body: usize = answer.pieces().map(|piece| piece.len()).sum();
                Some(head.len() + body / 2)
            }
            _ => None,
        };
        let mut chunk = match mode {
            FaultMode::Dtd => b"<!DOCTYPE x [<!ENTITY e \"x\">]>".to_vec(),
            _ => Vec::new(),
        };
        let whole = head.clone();
        chunk.extend_from_slice(&head);
        let mut sent = 0;
        for mut piece in pieces(answer, mode) {
            if mode == FaultMode::Altered {
                alter(&mut piece);
            }
            chunk.extend_from_slice(&piece);
            if half.is_some_and(|half| sent + chunk.len() >= half) {
                chunk.truncate(half.unwrap_or(0).saturating_sub(sent));
                let _ = stream.blocking_send(Ok(chunk.into()));
                if mode == FaultMode::Cut {
                    let _ = stream.blocking_send(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
                }
                return;
            }
            if chunk.len() >= CHUNK {
                sent += chunk.len();
                // The caller hung up: nobody reads the rest.
                if stream.blocking_send(Ok(std::mem::take(&mut chunk).into())).is_err() {
                    return;
                }
            }
        }
        chunk.extend_from_slice(b"</soap:Envelope>");
        if mode == FaultMode::TwoAnswers {
            chunk.extend_from_slice(&whole);
            answer.pieces().for_each(|piece| chunk.extend_from_slice(&piece));
            chunk.extend_from_slice(b"</soap:Envelope>");
        }
        let _ = stream.blocking_send(Ok(chunk.into()));
    }
}

/// The body of the envelope.
fn pieces(answer: &Answer, mode: FaultMode) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
    match mode {
        FaultMode::Says(content) => Box::new(std::iter::once(
            format!("<soap:Body xmlns:soap=\"{SOAP12}\" xmlns:wsu=\"{WSU}\" wsu:Id=\"body\">{content}</soap:Body>").into_bytes(),
        )),
        _ => Box::new(answer.pieces()),
    }
}

/// Changes the first digit of a disposition date's year: still valid, and no longer what was signed.
fn alter(piece: &mut [u8]) {
    const DATE: &[u8] = b"Dispositionsdato>2";
    let at = piece.windows(DATE.len()).position(|window| window == DATE);
    if let Some(digit) = at.and_then(|at| piece.get_mut(at + DATE.len() - 1)) {
        *digit = b'3';
    }
}

/// What [`FaultMode::Trailers`] says behind an honest answer.
fn trailers() -> HeaderMap {
    HeaderMap::from_iter([
        (HeaderName::from_static("x-person"), HeaderValue::from_static("6101801234")),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html")),
    ])
}

impl Handler for Arc<Service> {
    async fn answer(&self, request: Request<Bytes>) -> Option<Reply> {
        self.config.received.change(|received| {
            received.count += 1;
            received.last = request.body().clone();
        });
        let mode = self.config.mode.get();
        match mode {
            FaultMode::Reset => return None,
            FaultMode::Hang => std::future::pending().await,
            FaultMode::Slow(pause) => tokio::time::sleep(pause).await,
            FaultMode::Garbage => {
                return Some(reply(200, content_type(SoapVersion::V12), &b"\x1f\x8b\x00\xff%PDF-1.7 6101801234"[..]));
            }
            FaultMode::Redirect => {
                let mut answer = reply(307, "text/plain", "elsewhere\n");
                let elsewhere = HeaderValue::from_static("https://127.0.0.1:9/elsewhere");
                answer.headers_mut().insert(header::LOCATION, elsewhere);
                return Some(answer);
            }
            _ => {}
        }
        if request.uri().path() != PATH {
            return Some(reply(404, "text/plain", "POST /ydelsesindeks/6\n"));
        }
        if request.method() != Method::POST {
            return Some(reply(405, "text/plain", "POST /ydelsesindeks/6\n"));
        }
        if !soap::is_soap(request.headers()) {
            return Some(reply(415, "text/plain", "Send SOAP 1.2.\n"));
        }
        let service = Arc::clone(self);
        let (stream, pieces) = mpsc::channel(4);
        let (ready, outcome) = tokio::sync::oneshot::channel();
        // Signing and writing are work; they do not belong on the threads that serve connections.
        tokio::task::spawn_blocking(move || match service.work(request.into_body(), mode) {
            Ok((frame, answer)) => {
                if ready.send(None).is_ok() {
                    service.send(&frame, &answer, mode, &stream);
                }
            }
            Err(fault) => {
                let _ = ready.send(Some(fault));
            }
        });
        if let Some(fault) = outcome.await.ok()? {
            return Some(*fault);
        }
        let mime = if mode == FaultMode::WrongContentType { "text/html" } else { content_type(SoapVersion::V12) };
        let mut answer = streamed(200, mime, pieces);
        if mode == FaultMode::GzipClaim {
            answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if mode == FaultMode::Trailers {
            answer.headers_mut().insert(header::TRAILER, HeaderValue::from_static("x-person, content-type"));
            return Some(answer.map(|body| body.with_trailers(async { Some(Ok(trailers())) }).boxed_unsync()));
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests;
