//! The provider behind its listener: proves the caller, validates the request, and answers by the schema.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use jiff::SignedDuration;
use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::instance::{Maker, OWN, Unmade};
use super::mode::Mode;
use crate::clock::Clock;
use crate::hex;
use crate::saml::trust::Trust;
use crate::schema::pool::Pool;
use crate::schema::violation::Violations;
use crate::services::passthrough::folder::{Contract, Folder};
use crate::services::passthrough::wsdl::{Name, Operation, Security};
use crate::signature::c14n::canonical_bytes;
use crate::signature::credentials::Credentials;
use crate::signature::names::{ANONYMOUS, WSA, WSSE};
use crate::signature::sign::{Message, SoapVersion, canonical_content, unsigned, with_certificate};
use crate::signature::write;
use crate::soap::document::{Child, Document, Element, NodeId};
use crate::soap::strict::Limits;
use crate::stub::server::{self, Handler, Reply, Running, StartError, reply, streamed};
use crate::stub::soap::{self, Envelope, Signer, content_type, envelope};
use crate::stub::sts::Switch;

/// Where the mode is asked for and set: `GET` and `PUT`.
pub const MODE_PATH: &str = "/stub/mode";
/// Where a tester sees what the content has done: `GET`.
pub const DONE_PATH: &str = "/stub/done";
/// The HTTP header in which a caller asks for a mode.
pub const MODE_HEADER: &str = "stub-mode";
/// How many answers are made before the schema counts as one that the stub cannot follow: keys come out right by chance.
const ATTEMPTS: u64 = 20;
/// How many answers of each kind are made before the stub starts.
const TRIED: u64 = 3;
/// What names the caller's authority where no token does.
const AUTHORITY_CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/AuthorityContext/1/";
/// What names the caller's user; like AuthorityContext, a platform between may add or remove it.
const CALL_CONTEXT: &str = "http://serviceplatformen.dk/xml/schemas/CallContext/1/";

/// How to start a provider.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The certificate of the TLS server.
    pub server: Credentials,
    /// The service.
    pub folder: Folder,
    /// How callers prove who they are; `None` for what the folder says of its provider.
    pub security: Option<Security>,
    /// Token: the certificate and key that sign answers.
    pub signing: Credentials,
    /// Token: whose tokens let a caller in.
    pub trust: Trust,
    /// Token: the provider's own entity id, which tokens must be for.
    pub entity_id: String,
    /// AuthorityContext: the roots of the certificates that let a caller in.
    pub clients: Vec<CertificateDer<'static>>,
    /// How it behaves, where a request does not ask for something else.
    pub mode: Switch<Mode>,
    /// What reached it.
    pub received: Switch<Received>,
    /// What an honest answer says; `None` for whatever the schema allows.
    pub content: Option<Arc<dyn Content>>,
    /// The time.
    pub clock: Clock,
}

/// A provider that understands what it is asked.
pub trait Content: std::fmt::Debug + Send + Sync {
    /// The answer to a request that is in order, canonical; `None` where it understands nothing. It is validated before it is sent.
    fn answer(&self, request: Element<'_>) -> Option<Vec<u8>>;

    /// What it has done so far, a line each, for testers; `None` where it does nothing.
    fn done(&self) -> Option<String> {
        None
    }
}

/// What reached the provider.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the names say it
pub struct Received {
    /// Requests to the service's path, whatever they were answered with.
    pub count: u64,
    /// Those that were in order: proven, and valid by the schema.
    pub accepted: u64,
    pub last: Bytes,
    /// The operation of the last that was in order.
    pub operation: Option<String>,
}

/// Starts a provider. Before it listens it has made an answer of each kind, so that a schema that it cannot follow is told
/// at once.
///
/// # Errors
/// [`StartError`].
pub async fn start_service(config: ServiceConfig) -> Result<Running, StartError> {
    let (address, server, clients) = (config.address, config.server.clone(), config.clients.clone());
    let made = tokio::task::spawn_blocking(move || Provider::new(config)).await;
    let provider = Arc::new(made.map_err(|error| StartError::Schema(error.to_string()))??);
    provider.try_all().await?;
    match provider.security {
        Security::Token => server::start(address, &server, Arc::new(provider)).await,
        Security::AuthorityContext => server::start_mutual(address, &server, &clients, Arc::new(provider)).await,
    }
}

struct Provider {
    config: ServiceConfig,
    security: Security,
    contract: Contract,
    maker: Maker,
    pool: Pool,
    signer: Signer,
    /// The TLS key: one that is not to sign.
    other: Signer,
}

/// A request that was read and whose caller is proven.
struct Call {
    document: Arc<Document>,
    payload: NodeId,
    version: SoapVersion,
    operation: Operation,
    /// `wsa:MessageID` of a signed request.
    message_id: Option<String>,
    /// The headers that the operation declares, those of them that came.
    headers: Vec<(Name, NodeId)>,
    mode: Result<Mode, String>,
    seed: u64,
}

/// A fault of the stub's own, in both languages.
struct Told {
    sender: bool,
    da: String,
    en: String,
}

fn sender(da: impl Into<String>, en: impl Into<String>) -> Told {
    Told { sender: true, da: da.into(), en: en.into() }
}

impl Provider {
    fn new(config: ServiceConfig) -> Result<Self, StartError> {
        let cannot = |why: String| StartError::Schema(why);
        let security = config.security.unwrap_or(config.folder.settings.provider);
        let contracts = &config.folder.contracts;
        // One WSDL may serve both: what a provider takes is what the folder says of it.
        let contract = contracts.iter().find(|contract| contract.security == security).or(contracts.first());
        let contract = contract.ok_or_else(|| cannot("the folder offers no binding".to_owned()))?.clone();
        let joined = |problems: Vec<_>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let inspected = contract.schema.inspect().map_err(|problems| cannot(joined(problems)))?;
        let maker = Maker::new(inspected.model().map_err(cannot)?);
        let pool = Pool::start(&contract.schema, 2).map_err(|error| cannot(error.to_string()))?;
        let unusable = |error: crate::signature::key::KeyError| StartError::Certificate(error.to_string());
        let (signer, other) = (Signer::new(&config.signing).map_err(unusable)?, Signer::new(&config.server).map_err(unusable)?);
        Ok(Self { config, security, contract, maker, pool, signer, other })
    }

    /// Makes a few of every answer, header and declared fault.
    async fn try_all(&self) -> Result<(), StartError> {
        for operation in &self.contract.wsdl.operations {
            let faults = operation.faults.iter().map(|fault| &fault.element);
            for name in [&operation.answer].into_iter().chain(&operation.answer_headers).chain(faults) {
                for seed in 0..TRIED {
                    self.make(name, seed).await.map_err(|why| {
                        StartError::Schema(format!("{}: no valid {} can be made: {why}", operation.name, name.local))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// A valid element, which follows from the seed.
    async fn make(&self, name: &Name, seed: u64) -> Result<Vec<u8>, String> {
        let mut told = String::new();
        for attempt in 0..ATTEMPTS {
            let seed = seed.wrapping_add(attempt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            match self.maker.make(&name.namespace, &name.local, seed) {
                Ok(made) => match self.judge(&made, name).await? {
                    Ok(()) => return Ok(made),
                    Err(violations) => told = violations.detail().en().to_owned(),
                },
                Err(Unmade { place, what }) => told = format!("{place}: {what}"),
            }
        }
        Err(told)
    }

    async fn judge(&self, element: &[u8], name: &Name) -> Result<Result<(), Violations>, String> {
        let limits = Limits { nodes: 1_000_000, ..Limits::default() };
        let document = Document::parse(Bytes::copy_from_slice(element), &limits).map_err(|refusal| refusal.code().to_owned())?;
        let document = Arc::new(document);
        let root = document.root().id();
        self.validate(document, root, name).await
    }

    async fn validate(&self, document: Arc<Document>, node: NodeId, name: &Name) -> Result<Result<(), Violations>, String> {
        let root = Arc::new((name.namespace.clone(), name.local.clone()));
        self.pool.validate(document, node, root).await.map_err(|none| none.to_string())
    }

    /// Reads a request and proves its caller.
    fn read(&self, headers: &HeaderMap, body: Bytes) -> Result<Call, (SoapVersion, Told)> {
        let version = self.contract.wsdl.version;
        let limits = Limits { nodes: 1_000_000, ..Limits::default() };
        let document = Document::parse(body, &limits).map_err(|refusal| {
            let entry = refusal.entry();
            (version, sender(entry.da.what, entry.en.what))
        })?;
        let parts = envelope(&document).ok_or_else(|| {
            (version, sender("ikke en SOAP-besked med ét element i Body", "not a SOAP message with one element in its Body"))
        })?;
        if parts.version != version {
            return Err((
                parts.version,
                sender("bindingen har en anden version af SOAP", "the binding has another version of SOAP"),
            ));
        }
        let versioned = |told| (version, told);
        let addressed = soap::header(&parts, WSA, "Action");
        let action = soap_action(headers).or_else(|| addressed.clone());
        let (namespace, local) = (parts.payload.namespace(), parts.payload.local());
        let operation = self.contract.operation(namespace, local, action.as_deref()).ok_or_else(|| {
            versioned(sender("ingen operation har elementet i Body", "no operation has the element in the Body"))
        })?;
        let message_id = match self.security {
            Security::Token => {
                let proven = soap::authenticate(
                    &document,
                    &parts,
                    &self.config.trust,
                    &self.config.entity_id,
                    &operation.request_action,
                    self.config.clock.now(),
                );
                Some(proven.map_err(|refusal| {
                    let entry = refusal.entry();
                    versioned(sender(format!("{}: {}", entry.code, entry.da.what), format!("{}: {}", entry.code, entry.en.what)))
                })?)
            }
            Security::AuthorityContext => {
                authority(&parts).map_err(versioned)?;
                None
            }
        };
        let declared = operation.request_headers.iter();
        let found = declared.filter_map(|name| {
            let header = parts.header.only(&name.namespace, &name.local).ok().flatten()?;
            Some((name.clone(), header.id()))
        });
        let asked = match headers.get(MODE_HEADER) {
            Some(value) => value.to_str().unwrap_or("?").parse().map(Some),
            None => Mode::asked(parts.payload),
        };
        let (payload, seed, headers) = (parts.payload.id(), seed(operation, parts.payload), found.collect());
        let mode = asked.map(|asked| asked.unwrap_or_else(|| self.config.mode.get()));
        let operation = operation.clone();
        Ok(Call { document: Arc::new(document), payload, version, operation, message_id, headers, mode, seed })
    }

    /// What the schema says of the request and its headers.
    async fn check(&self, call: &Call) -> Result<(), Told> {
        let headers = call.headers.iter().map(|(name, node)| (name, *node));
        for (name, node) in [(&call.operation.request, call.payload)].into_iter().chain(headers) {
            match self.validate(call.document.clone(), node, name).await {
                Ok(Ok(())) => {}
                Ok(Err(violations)) => {
                    let detail = violations.detail();
                    return Err(sender(
                        format!("anmodningen følger ikke skemaet: {}", detail.da()),
                        format!("the request does not follow the schema: {}", detail.en()),
                    ));
                }
                Err(why) => return Err(own(&why)),
            }
        }
        Ok(())
    }

    async fn respond(&self, call: &Call, mode: &Mode) -> Result<Reply, Told> {
        if mode.needs_signature() && self.security == Security::AuthorityContext {
            return Err(sender(
                "svar er ikke underskrevet i denne sikkerhedsmodel, så måden findes ikke her",
                "answers are not signed in this security model, so there is no such mode here",
            ));
        }
        let operation = &call.operation;
        let made = |name: Name| async move { self.make(&name, call.seed).await.map_err(|why| own(&why)) };
        let fault = |detail: Vec<u8>, reasons: (&str, &str)| {
            let reasons = [("da", reasons.0), ("en", reasons.1)];
            soap::fault_content(call.version, false, &reasons, &String::from_utf8_lossy(&detail)).into_bytes()
        };
        let (status, action, body) = match mode {
            Mode::Status(code) => return Ok(reply(*code, "text/plain", "stub: the status that was asked for\n")),
            Mode::DeclaredFault(wanted) => {
                let named = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
                let faults: Vec<_> = operation.faults.iter().filter(|fault| named(&fault.name)).collect();
                let at = usize::try_from(call.seed).unwrap_or(0).checked_rem(faults.len()).unwrap_or(0);
                let Some(chosen) = faults.get(at) else {
                    return Err(sender("operationen erklærer ingen sådan fejl", "the operation declares no such fault"));
                };
                let detail = made(chosen.element.clone()).await?;
                let action = format!("{}/Fault/{}", operation.answer_action, chosen.name);
                (500, action, fault(detail, ("Stub: en erklæret fejl", "Stub: a declared fault")))
            }
            Mode::UndeclaredFault => {
                // Number and text are such as a caller must never be shown: they could be a person's and a secret.
                let detail = format!("<stub:Fejl xmlns:stub=\"{OWN}\">6101801234</stub:Fejl>").into_bytes();
                let reasons = ("Intern fejl hos udbyderen, se journal 6101801234", "Internal error, see record 6101801234");
                (500, format!("{WSA}/soap/fault"), fault(detail, reasons))
            }
            Mode::Says(body) => {
                let body = match self.security {
                    Security::Token => canonical_content(body.as_bytes()).map_err(|error| own(&error.to_string()))?,
                    // As it is written: nothing is signed.
                    Security::AuthorityContext => body.as_bytes().to_vec(),
                };
                (200, operation.answer_action.clone(), body)
            }
            Mode::Invalid => {
                let made = made(operation.answer.clone()).await?;
                (200, operation.answer_action.clone(), self.broken(&made, &operation.answer).await?)
            }
            _ => (200, operation.answer_action.clone(), self.honest(call, &operation.answer).await.map_err(|why| own(&why))?),
        };
        let mut headers = Vec::new();
        for name in &operation.answer_headers {
            let came = call.headers.iter().find(|(known, _)| known == name).and_then(|(_, node)| call.document.element(*node));
            headers.push(match came {
                Some(header) => canonical_bytes(header),
                None => made(name.clone()).await?,
            });
        }
        let envelope = self.write(call, mode, &action, &headers, &body).map_err(|why| own(&why))?;
        if *mode == Mode::Cut {
            let (stream, pieces) = mpsc::channel(2);
            let half = envelope.get(..envelope.len() / 2).unwrap_or_default().to_vec();
            // There is room for both.
            let _ = stream.try_send(Ok(half.into()));
            let _ = stream.try_send(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
            return Ok(streamed(status, content_type(call.version), pieces));
        }
        Ok(reply(status, content_type(call.version), envelope))
    }

    async fn honest(&self, call: &Call, name: &Name) -> Result<Vec<u8>, String> {
        let Some(content) = &self.config.content else { return self.make(name, call.seed).await };
        let answer = call.document.element(call.payload).and_then(|request| content.answer(request));
        let answer = answer.ok_or("the request is not understood")?;
        match self.judge(&answer, name).await? {
            Ok(()) => Ok(answer),
            Err(violations) => Err(violations.detail().en().to_owned()),
        }
    }

    fn write(&self, call: &Call, mode: &Mode, action: &str, headers: &[Vec<u8>], body: &[u8]) -> Result<Vec<u8>, String> {
        let Some(relates_to) = &call.message_id else { return Ok(soap::plain(call.version, headers, body)) };
        let extra: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
        let id = format!("urn:uuid:{}", Uuid::new_v4());
        let message = Message {
            version: call.version,
            action: Some(action),
            message_id: &id,
            relates_to: Some(if *mode == Mode::WrongRelation { &id } else { relates_to }),
            to: Some(ANONYMOUS),
            reply_to: false,
            framework: false,
            created: self.config.clock.now(),
            lifetime: SignedDuration::from_mins(5),
            extra_headers: &extra,
            body,
        };
        if *mode == Mode::Unsigned {
            return Ok(unsigned(&message));
        }
        let signer = if *mode == Mode::WrongSigner { &self.other } else { &self.signer };
        let mut written = with_certificate(&message, &signer.certificate, &signer.key).map_err(|error| error.to_string())?;
        if *mode == Mode::Altered {
            alter(&mut written);
        }
        Ok(written)
    }

    /// The answer with an element too many, or under another name where the schema lets anything in.
    async fn broken(&self, made: &[u8], name: &Name) -> Result<Vec<u8>, Told> {
        let text = String::from_utf8_lossy(made);
        let end = text.rfind("</").unwrap_or(text.len());
        let (start, end) = text.split_at_checked(end).unwrap_or((&text, ""));
        let extra = format!("{start}<stub:uventet xmlns:stub=\"{OWN}\"></stub:uventet>{end}").into_bytes();
        match self.judge(&extra, name).await {
            Ok(Err(_)) => Ok(extra),
            Ok(Ok(())) => Ok(format!("<stub:uventet xmlns:stub=\"{OWN}\"></stub:uventet>").into_bytes()),
            Err(why) => Err(own(&why)),
        }
    }

    async fn work(self: Arc<Self>, request: Request<Bytes>) -> Option<Reply> {
        let provider = Arc::clone(&self);
        let (head, body) = request.into_parts();
        // Reading and verifying are work; they do not belong on the threads that serve connections.
        let read = tokio::task::spawn_blocking(move || provider.read(&head.headers, body)).await.ok()?;
        let call = match read {
            Ok(call) => call,
            // A provider that is set to fail fails those too whom it would have turned away.
            Err((version, told)) => {
                return match self.config.mode.get() {
                    Mode::Reset => None,
                    Mode::Hang => std::future::pending().await,
                    _ => Some(told.reply(version)),
                };
            }
        };
        let mode = match &call.mode {
            Ok(mode) => mode.clone(),
            Err(unknown) => return Some(sender(unknown.clone(), unknown.clone()).reply(call.version)),
        };
        match mode {
            Mode::Reset => return None,
            Mode::Hang => std::future::pending().await,
            Mode::Slow(pause) => tokio::time::sleep(pause).await,
            _ => {}
        }
        if let Err(told) = self.check(&call).await {
            return Some(told.reply(call.version));
        }
        self.config.received.change(|received| {
            received.accepted += 1;
            received.operation = Some(call.operation.name.clone());
        });
        // Making and signing are work too, and wait for the validator in between.
        let runtime = tokio::runtime::Handle::current();
        let version = call.version;
        let answered = tokio::task::spawn_blocking(move || runtime.block_on(self.respond(&call, &mode))).await.ok()?;
        Some(answered.unwrap_or_else(|told| told.reply(version)))
    }
}

/// The stub's own failure.
fn own(why: &str) -> Told {
    tracing::error!(%why, "the stub could not make an answer");
    Told {
        sender: false,
        da: format!("stubben kunne ikke lave et gyldigt svar: {why}"),
        en: format!("the stub could not make a valid answer: {why}"),
    }
}

impl Told {
    /// Unsigned, as faults to callers that may be anyone.
    fn reply(&self, version: SoapVersion) -> Reply {
        let texts = [("da", write::escaped(&self.da)), ("en", write::escaped(&self.en))];
        let fault = soap::fault(version, self.sender, &texts.each_ref().map(|(lang, text)| (*lang, text.as_str())), "");
        reply(500, content_type(version), fault)
    }
}

/// The action of the HTTP binding: `SOAPAction`, or the parameter of SOAP 1.2's content type.
fn soap_action(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("soapaction").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let parameter = || {
        let mime = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        mime.split(';').find_map(|part| part.trim().strip_prefix("action=")).map(str::to_owned)
    };
    header.or_else(parameter).map(|action| action.trim().trim_matches('"').to_owned()).filter(|action| !action.is_empty())
}

/// An AuthorityContext must name an authority: a child of the body's element where the schema has it there, else a header.
fn authority(parts: &Envelope<'_>) -> Result<(), Told> {
    if parts.header.named(WSSE, "Security").next().is_some() {
        return Err(sender("wsse:Security, hvor AuthorityContext ventes", "wsse:Security where AuthorityContext is expected"));
    }
    let named = |place: Element<'_>| place.only(AUTHORITY_CONTEXT, "AuthorityContext").ok().flatten().map(|context| context.id());
    let found = named(parts.payload).or_else(|| named(parts.header));
    let context = found.and_then(|node| parts.payload.document().element(node));
    let cvr = context.and_then(|context| context.only(AUTHORITY_CONTEXT, "MunicipalityCVR").ok().flatten()?.text());
    match cvr {
        Some(cvr) if cvr.len() == 8 && cvr.bytes().all(|digit| digit.is_ascii_digit()) => Ok(()),
        _ => Err(sender(
            "AuthorityContext med MunicipalityCVR på otte cifre mangler, i Body eller som header",
            "an AuthorityContext with a MunicipalityCVR of eight digits is missing, in the Body or as a header",
        )),
    }
}

/// What the answer follows from: the operation, and the request without what a platform between may add.
fn seed(operation: &Operation, payload: Element<'_>) -> u64 {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(operation.name.as_bytes());
    for attribute in payload.attributes() {
        digest.update(format!("\0{}\0{}\0{}", attribute.namespace, attribute.local, attribute.value).as_bytes());
    }
    for child in payload.children() {
        match child {
            Child::Element(child) if [AUTHORITY_CONTEXT, CALL_CONTEXT].contains(&child.namespace()) => {}
            Child::Element(child) => digest.update(&canonical_bytes(child)),
            Child::Text { text, .. } => digest.update(text.trim().as_bytes()),
            Child::Comment => {}
        }
    }
    let digest = digest.finish();
    digest.as_ref().iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

/// Changes the first letter or digit of a text in the body; a body without any gets a space.
fn alter(envelope: &mut Vec<u8>) {
    let start = memchr::memmem::find(envelope, b"<soap:Body").unwrap_or(0);
    let text = |at: &usize| envelope.get(at - 1) == Some(&b'>') && envelope.get(*at).is_some_and(u8::is_ascii_alphanumeric);
    let found = (start.max(1)..envelope.len()).find(text);
    match found.and_then(|at| envelope.get_mut(at)) {
        Some(byte) => *byte = if *byte == b'1' { b'2' } else { b'1' },
        None => {
            let end = memchr::memmem::find(envelope, b"</soap:Body>").unwrap_or(envelope.len());
            envelope.insert(end, b' ');
        }
    }
}

impl Handler for Arc<Provider> {
    async fn answer(&self, request: Request<Bytes>) -> Option<Reply> {
        if request.uri().path() == MODE_PATH {
            return Some(self.mode(&request));
        }
        if request.uri().path() == DONE_PATH {
            let done = self.config.content.as_ref().and_then(|content| content.done());
            return Some(done.map_or_else(
                || reply(404, "text/plain", "This provider does nothing that it could tell of.\n"),
                |done| reply(200, "text/plain; charset=utf-8", done),
            ));
        }
        let path = &self.config.folder.settings.path;
        if request.uri().path() != path {
            return Some(reply(404, "text/plain", format!("POST {path}\n")));
        }
        self.config.received.change(|received| {
            received.count += 1;
            received.last = request.body().clone();
        });
        if request.method() != Method::POST {
            return Some(reply(405, "text/plain", format!("POST {path}\n")));
        }
        if !soap::is_soap(request.headers()) {
            return Some(reply(415, "text/plain", "Send SOAP.\n"));
        }
        Arc::clone(self).work(request).await
    }
}

impl Provider {
    /// Reports the mode and what reached the provider, or sets the mode.
    fn mode(&self, request: &Request<Bytes>) -> Reply {
        if *request.method() == Method::PUT {
            match String::from_utf8_lossy(request.body()).trim().parse() {
                Ok(mode) => self.config.mode.set(mode),
                Err(unknown) => return reply(400, "text/plain", format!("{unknown}\n")),
            }
        }
        let received = self.config.received.get();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &received.last);
        let told = format!(
            "mode {}\nreceived {}\naccepted {}\nlast {} {}\n",
            self.config.mode.get(),
            received.count,
            received.accepted,
            received.operation.as_deref().unwrap_or("-"),
            hex::encode(digest.as_ref()),
        );
        reply(200, "text/plain; charset=utf-8", told)
    }
}
