//! The way out: an answer or a fault as the caller's binding wants it.
//!
//! In the token binding the bytes that were rebuilt by the release filter are already canonical: they are digested as
//! they stand, signed, and sent as they stand. A fault is signed only when the caller's own signature had verified.

use std::num::NonZero;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::Semaphore;
use tower::Service;

use super::answer::Released;
use super::call::OfCall;
use super::definition::{Definition, Name, Wrapper};
use super::open::Received;
use super::reply::{Answered, RefusedReply, Reply};
use super::step::Step;
use crate::clock::Clock;
use crate::refusal::Refusal;
use crate::signature::key::{Certificate, SigningKey};
use crate::signature::sign::{self, Message};
use crate::soap::envelope::{self, Version};
use crate::soap::fault;

/// How long a message of ours may be on its way.
pub const MESSAGE_LIFETIME: jiff::SignedDuration = jiff::SignedDuration::from_mins(5);

/// The gateway's own key and certificate, for answers to callers and for calls to peers.
#[allow(missing_docs)] // the names say it
pub struct Signer {
    pub key: SigningKey,
    pub certificate: Certificate,
    /// As many as there are processors. Whoever waits for one waits in turn, and no more wait than calls are let in.
    turns: Arc<Semaphore>,
}

impl Signer {
    /// One that signs as many messages at a time as there are processors.
    pub fn new(key: SigningKey, certificate: Certificate) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { key, certificate, turns: Arc::new(Semaphore::new(processors)) }
    }

    /// Has `work` done off the threads that move everybody's bytes: a signature is about a millisecond of computing. More
    /// at a time than there are processors would only take turns with each other, and finish later all of them.
    ///
    /// # Errors
    /// `Internal`, where the work could not be done.
    pub async fn sign<T: Send + 'static>(self: &Arc<Self>, work: impl FnOnce(&Self) -> T + Send + 'static) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Refusal::Internal)?;
        let signer = Arc::clone(self);
        let done = move || {
            // Given up with the work, not with the call: a caller who leaves does not make room for one too many.
            let _turn = turn;
            work(&signer)
        };
        tokio::task::spawn_blocking(done).await.map_err(|_| Refusal::Internal)
    }
}

/// The bytes that leave, and what they mean. Only this module makes one.
pub struct Sealed {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) body: Bytes,
    /// `None`: served.
    pub(super) refusal: Option<Refusal>,
    _private: (),
}

/// Signs what goes back to the caller: the answer, or the fault.
#[derive(Clone)]
pub struct SealStep {
    /// The service's names.
    pub definition: Arc<Definition>,
    /// The gateway's signing key and certificate.
    pub signer: Arc<Signer>,
    /// Dates the answer.
    pub clock: Clock,
}

impl SealStep {
    async fn answer(&self, answered: Answered) -> Sealed {
        let (released, reply) = answered.part();
        let Some(shape) = reply.shape().cloned() else { return self.refuse(reply.refuse(Refusal::Internal)).await };
        let mut refusal = None;
        let body = match (released.into_content(), &shape.answer_wrapper) {
            (Released::Refusal(told, body), _) => {
                refusal = Some(*told);
                body
            }
            (Released::Fault(told, detail), _) => return self.fault(*told, &String::from_utf8_lossy(&detail), reply).await,
            (Released::Body(body), Some(wrapper)) => wrap(wrapper, body),
            (Released::Body(body), None) => body,
        };
        let version = reply.version();
        let headers = request_header(reply.transaction());
        match self.envelope(&reply, headers, body, &shape.answer_action).await {
            Ok(body) => Sealed { status: StatusCode::OK, version, body, refusal, _private: () },
            Err(refusal) => self.refuse(reply.unsigned().refuse(refusal)).await,
        }
    }

    /// A refusal as the caller sees it.
    pub async fn refuse(&self, refused: RefusedReply) -> Sealed {
        let (refusal, reply) = refused.part();
        self.fault(refusal, "", reply).await
    }

    /// A refusal, with an element of the peer's own beside it in the detail.
    async fn fault(&self, refusal: Refusal, beside: &str, reply: Reply) -> Sealed {
        let version = reply.version();
        let status = fault::status(version, &refusal, self.definition.sender_fault_status);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = fault::body_with(version, &refusal, &reply.call().id().to_string(), beside);
        let headers = request_header(reply.transaction()) + &fault::headers(version, &refusal);
        let action = "http://www.w3.org/2005/08/addressing/soap/fault";
        let bytes = match self.envelope(&reply, headers.clone(), body.clone(), action).await {
            Ok(bytes) => bytes,
            // A fault that cannot be signed is sent unsigned rather than not at all.
            Err(_) => envelope::unsigned(version, &headers, &body),
        };
        Sealed { status, version, body: bytes, refusal: Some(refusal), _private: () }
    }

    /// `headers` go out beside those that are signed.
    async fn envelope(&self, reply: &Reply, headers: String, body: Vec<u8>, action: &str) -> Result<Bytes, Refusal> {
        if !reply.is_signed() {
            return Ok(envelope::unsigned(reply.version(), &headers, &body));
        }
        let (version, relates_to) = (reply.version(), reply.message_id().map(str::to_owned));
        let (action, created) = (action.to_owned(), self.clock.now());
        let signed = self.signer.sign(move |signer| {
            let message = Message {
                version,
                action: Some(&action),
                message_id: &format!("urn:uuid:{}", uuid::Uuid::new_v4()),
                relates_to: relates_to.as_deref(),
                to: Some(crate::soap::names::WSA_ANONYMOUS),
                reply_to: false,
                // The platform's token policy, which is for SOAP 1.1, lists it among the signed headers; that of SOAP 1.2 does not.
                framework: version == Version::V11,
                created,
                lifetime: MESSAGE_LIFETIME,
                extra_headers: &[headers.as_bytes()],
                body: &body,
            };
            sign::with_certificate(&message, &signer.certificate, &signer.key)
        });
        signed.await?.map(Bytes::from).map_err(|error| {
            tracing::error!(%error, "the gateway's own key did not sign");
            Refusal::Internal
        })
    }
}

fn wrap(wrapper: &Wrapper, body: Vec<u8>) -> Vec<u8> {
    let Wrapper { prefix, name: Name { namespace, local } } = wrapper;
    let (begin, end) = (format!("<{prefix}:{local} xmlns:{prefix}=\"{namespace}\">"), format!("</{prefix}:{local}>"));
    [begin.as_bytes(), &body, end.as_bytes()].concat()
}

/// The caller's own `TransactionUUID`, echoed; a claim, never signed, never trusted.
fn request_header(transaction: Option<&str>) -> String {
    transaction.map_or_else(String::new, envelope::request_header)
}

impl<S> Step<S> for SealStep
where
    S: Service<Received, Response = Answered, Error = RefusedReply> + Send + 'static,
    S::Future: Send,
{
    type In = Received;
    type Out = Sealed;
    type Error = std::convert::Infallible;

    async fn pass(&self, received: Received, mut inner: S) -> Result<Sealed, std::convert::Infallible> {
        let call = received.call().clone();
        let outcome = inner.call(received).await;
        let started = call.start();
        let sealed = match outcome {
            Ok(answered) => self.answer(answered).await,
            Err(refused) => self.refuse(refused).await,
        };
        call.finish("seal", started);
        Ok(sealed)
    }
}
