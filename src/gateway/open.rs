//! The first step: the call gets its id and its record before anything of it is read, and its record is closed whatever
//! happens, also when the caller hangs up (the future is dropped, and the record's drop writes "abandoned").

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use tower::{Layer, Service, service_fn};
use tracing::Instrument;
use uuid::Uuid;

use super::call::{Call, OfCall};
use super::definition::Definition;
use super::envelope::content_type;
use super::reply::{RefusedReply, Reply};
use super::seal::{SealStep, Sealed};
use crate::audit::{Audit, Record};
use crate::clock::Clock;
use crate::refusal::Refusal;
use crate::soap::envelope::Version;
use crate::telemetry::Trace;
use crate::work::{Who, Work};

/// The other end of the connection, as TLS proved it. Comes from the connection, never from a header.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The client's certificate and what it sent of its chain, the certificate first; empty where none was shown. Verified
    /// in the handshake, which may be long ago.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// Whose share of the gateway its calls come from.
    pub who: Who,
}

/// A request that has a call id and an open audit record. Only this module makes one.
pub struct Received {
    pub(super) call: Call,
    pub(super) client: Client,
    pub(super) version: Version,
    pub(super) action: Option<String>,
    pub(super) body: Bytes,
    _private: (),
}

impl OfCall for Received {
    fn call(&self) -> &Call {
        &self.call
    }
}

/// The layer.
#[derive(Clone)]
#[allow(missing_docs)] // the names say it
pub struct OpenLayer {
    /// The service's names.
    pub definition: Arc<Definition>,
    pub audit: Audit,
    pub clock: Clock,
    /// Says no before there is an envelope to answer.
    pub seal: SealStep,
    /// The calls that are worked on.
    pub work: Work,
}

impl<S> Layer<S> for OpenLayer {
    type Service = OpenService<S>;
    fn layer(&self, inner: S) -> Self::Service {
        OpenService { layer: Arc::new(self.clone()), inner }
    }
}

/// See [`OpenLayer`].
#[derive(Clone)]
pub struct OpenService<S> {
    layer: Arc<OpenLayer>,
    inner: S,
}

impl<S> OpenService<S>
where
    S: Service<Received, Response = Sealed, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    /// The service for one connection.
    pub fn for_client<B>(
        &self,
        client: Client,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
    + use<S, B>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Refusal>,
    {
        let (layer, inner) = (self.layer.clone(), self.inner.clone());
        service_fn(move |request: Request<B>| layer.clone().pass(request, inner.clone(), client.clone()))
    }
}

impl OpenLayer {
    async fn pass<S, B>(
        self: Arc<Self>,
        request: Request<B>,
        inner: S,
        client: Client,
    ) -> Result<Response<Full<Bytes>>, Infallible>
    where
        S: Service<Received, Response = Sealed, Error = Infallible>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Refusal>,
    {
        match Trace::begin(&self.definition.name, request.headers(), &self.clock) {
            None => self.serve(request, inner, client, None).await,
            Some(trace) => {
                // At the gravest level, so that each line of the call carries the id, whichever are written.
                let span = tracing::error_span!("trace", trace_id = trace.id());
                self.serve(request, inner, client, Some(trace)).instrument(span).await
            }
        }
    }

    async fn serve<S, B>(
        &self,
        request: Request<B>,
        mut inner: S,
        client: Client,
        trace: Option<Trace>,
    ) -> Result<Response<Full<Bytes>>, Infallible>
    where
        S: Service<Received, Response = Sealed, Error = Infallible>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Refusal>,
    {
        let now = self.clock.now();
        let record = Record::new(call_id(now), now, &self.definition.name);
        let call = match self.audit.open(record) {
            Ok(record) => Call::new(record, trace),
            // No place for the record that the call will need: it is not begun.
            Err(refusal) => return Ok(unrecorded(&refusal)),
        };
        let who = client.who;
        let sealed = match self.read(request, &call, client).await {
            // Only now, with the whole request here: see `crate::work`. While it waits for its turn its record is open already, and a
            // client that leaves meanwhile has one that says so.
            Ok(received) => match self.work.enter(who).await {
                // What works on the call has its place, also where it goes on without the client.
                Some(place) => match place.given_to(async { inner.call(received).await }).await {
                    Ok(sealed) => sealed,
                    Err(never) => match never {},
                },
                None => {
                    let reply = Reply::unproven(received.version, &call);
                    self.seal.refuse(reply.refuse(Refusal::Overloaded { seconds: 1 })).await
                }
            },
            Err(refused) => self.seal.refuse(refused).await,
        };
        call.end(sealed.refusal.as_ref());
        Ok(self.respond(sealed, &call))
    }

    async fn read<B>(&self, request: Request<B>, call: &Call, client: Client) -> Result<Received, RefusedReply>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Refusal>,
    {
        let (head, body) = request.into_parts();
        let (version, action) =
            content_type(&head.headers).map_err(|refusal| Reply::unproven(promised(&head.headers), call).refuse(refusal))?;
        let refused = |refusal| Reply::unproven(version, call).refuse(refusal);
        // The edge bounds the body in bytes and in time, and says which bound it passed.
        let body = body.collect().await.map_err(|error| refused(error.into()))?;
        Ok(Received { call: call.clone(), client, version, action, body: body.to_bytes(), _private: () })
    }

    fn respond(&self, sealed: Sealed, call: &Call) -> Response<Full<Bytes>> {
        let retry = sealed.refusal.as_ref().and_then(|refusal| refusal.entry().retry_after);
        let mut response = Response::new(Full::new(sealed.body));
        *response.status_mut() = sealed.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(sealed.version.content_type()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(&call.id().to_string()) {
            headers.insert("x-call-id", id);
        }
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A call id that sorts by the time of the call.
fn call_id(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
}

fn unrecorded(refusal: &Refusal) -> Response<Full<Bytes>> {
    let entry = refusal.entry();
    let mut response = Response::new(Full::new(Bytes::from(entry.plain_text())));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Some(seconds) = entry.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The SOAP version for a fault where the content type was not acceptable.
fn promised(headers: &http::HeaderMap) -> Version {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if value.to_ascii_lowercase().contains("application/soap+xml") { Version::V12 } else { Version::V11 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::search::search;
    use crate::audit::{AuditSettings, Outcome, keys};
    use crate::gateway::definition::Bindings;
    use crate::gateway::seal::Signer;
    use crate::signature::key::{Certificate, SigningKey};
    use crate::stub::pki::{Role, for_tests};
    use std::time::Duration;

    /// The first step of a service over a log in this folder.
    fn layer(dir: &std::path::Path, work: &Work) -> Arc<OpenLayer> {
        keys::generate(&dir.join("keys")).unwrap();
        let (key, clock) = (keys::checkpoint_key(&dir.join("keys/checkpoint.key")).unwrap(), Clock::system());
        let audit = Audit::start(AuditSettings::in_dir(dir.join("log")), key, clock.clone(), |_| {}).unwrap();
        let own = for_tests().credentials(Role::GatewayClient).unwrap();
        let signer = Signer::new(SigningKey::from_der(own.key()).unwrap(), Certificate::from_der(own.leaf()).unwrap());
        let definition = Arc::new(Definition {
            name: "a-service".to_owned(),
            uuid: Uuid::from_u128(1),
            shapes: Vec::new(),
            address: "https://localhost/a-service".to_owned(),
            entity_id: "http://localhost/a-service".to_owned(),
            sender_fault_status: 400,
            bindings: Bindings { token: false, authority_context: true },
            required_privilege: None,
        });
        let seal = SealStep { definition: definition.clone(), signer: Arc::new(signer), clock: clock.clone() };
        Arc::new(OpenLayer { definition, audit, clock, seal, work: work.clone() })
    }

    async fn not_its_turn(_: Received) -> Result<Sealed, Infallible> {
        panic!("it was not its turn")
    }

    #[tokio::test]
    async fn a_call_that_waits_for_its_turn_has_its_record_when_its_client_leaves_and_never_reaches_the_next_step() {
        let dir = tempfile::tempdir().unwrap();
        let work = Work::new(8, 1);
        let [busy, other] = [Who::Certificate([1; 32]), Who::Certificate([2; 32])];
        assert!((0..9).all(|_| work.has_room(busy)) && work.has_room(other));
        let under_way = work.enter(busy).await.unwrap();
        let layer = layer(dir.path(), &work);
        let body = Full::new(Bytes::from_static(b"<a/>")).map_err(|never: Infallible| -> Refusal { match never {} });
        let request = Request::post("/").header(header::CONTENT_TYPE, "text/xml; charset=utf-8").body(body).unwrap();
        let client = Client { who: busy, ..Client::default() };
        tokio::select! {
            biased;
            _ = layer.clone().pass(request, service_fn(not_its_turn), client) => panic!("it waits"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(work.stats().working, 1, "whoever left holds no place");
        drop(under_way);
        assert_eq!(work.stats().working, 0);
        assert!(layer.audit.stop(Duration::from_secs(60)).await, "no call is left open");
        let found = search(&dir.path().join("log"), |_| true).unwrap();
        let outcomes: Vec<_> = found.calls.values().map(|record| record.outcome).collect();
        assert_eq!(outcomes, [Some(Outcome::Abandoned)]);
    }

    #[tokio::test]
    async fn a_call_that_has_no_place_in_the_audit_is_told_so_in_both_languages_and_when_to_come_again() {
        let answer = unrecorded(&Refusal::AuditUnavailable);
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &HeaderValue::from_static("1")));
        assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.starts_with("AuditUnavailable\nKaldet kan ikke registreres i loggen"), "{text}");
        assert!(text.contains("\nThe call cannot be recorded"), "{text}");
    }
}
