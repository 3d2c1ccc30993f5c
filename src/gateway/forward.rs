//! The call to the index: as an OIO IDWS client, whatever binding the caller used.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::call::OfCall;
use super::definition::Definition;
use super::exchange::{Authorised, Grant};
use super::seal::{MESSAGE_LIFETIME, Signer};
use super::step::Step;
use crate::audit::Durable;
use crate::clock::Clock;
use crate::outbound::breaker::{Breaker, Pass};
use crate::outbound::{AnswerBody, Outbound, OutboundError, told};
use crate::refusal::Refusal;
use crate::signature::sign::{self, Message};
use crate::soap::envelope::{self, Version};

/// The index's answer as it begins to arrive: nothing of it is known to be true yet. Only this module makes one.
pub struct Answer {
    pub(crate) grant: Grant,
    pub(crate) message_id: String,
    pub(crate) body: AnswerBody,
    pub(crate) deadline: Instant,
    pub(crate) allowed: Duration,
    pub(crate) pass: Pass,
    _private: (),
}

/// The innermost step.
pub struct Forward {
    /// The service's names.
    pub definition: Arc<Definition>,
    /// The connections to the index.
    pub outbound: Outbound,
    /// The index's address.
    pub address: Uri,
    /// How long a call may take in all.
    pub deadline: Duration,
    /// Leaves an index alone that fails.
    pub breaker: Arc<Breaker>,
    /// The gateway's key.
    pub signer: Arc<Signer>,
    /// The clock.
    pub clock: Clock,
}

impl Forward {
    async fn send(&self, authorised: Authorised) -> Result<Answer, Refusal> {
        let now = Instant::now();
        let pass = self
            .breaker
            .admit(now.into_std())
            .map_err(|resting| Refusal::PeerResting { seconds: resting.remaining.as_secs().max(1) })?;
        let message_id = format!("urn:uuid:{}", Uuid::new_v4());
        let (grant, recording) = authorised.part();
        // Signed while the disk turns.
        let (message, grant) = self.message(grant, &message_id).await?;
        let recorded = recording.await?;
        // What failed may have been the connections and not the index.
        if pass.is_trial() {
            self.outbound.renew_connections();
        }
        let deadline = now + self.deadline;
        // What is logged of the connection meanwhile names the call.
        let span = tracing::info_span!("forward", call = %grant.call().id());
        let response = match self.post(recorded, self.headers()?, message, deadline).instrument(span).await {
            Ok(response) => response,
            Err(error) => {
                pass.failed(std::time::Instant::now());
                tracing::warn!(call = %grant.call().id(), %error, "the index could not be called");
                return Err(match error {
                    OutboundError::Timeout => Refusal::PeerTimeout { seconds: self.deadline.as_secs() },
                    OutboundError::Connect(_) | OutboundError::Broken(_) => Refusal::PeerUnavailable,
                    OutboundError::Protocol(_) => Refusal::PeerAnswerInvalid,
                });
            }
        };
        if let Err(refusal) = acceptable(&response) {
            pass.failed(std::time::Instant::now());
            let said = told(response.status(), response.headers());
            tracing::warn!(call = %grant.call().id(), "the index's address answers with {said}, which is no answer to a search");
            return Err(refusal);
        }
        Ok(Answer { grant, message_id, body: response.into_body(), deadline, allowed: self.deadline, pass, _private: () })
    }

    /// Only with the proof that the call is recorded does anything leave.
    async fn post(
        &self,
        _recorded: Durable,
        headers: HeaderMap,
        message: Bytes,
        deadline: Instant,
    ) -> Result<http::Response<AnswerBody>, OutboundError> {
        self.outbound.post(&self.address, headers, message, deadline).await
    }

    /// The signed message. The signature is made off the threads that move everybody's bytes.
    async fn message(&self, grant: Grant, message_id: &str) -> Result<(Bytes, Grant), Refusal> {
        let header = envelope::request_header(&grant.transaction().to_string());
        let (action, to, message_id) = (self.definition.index_action.clone(), self.address.to_string(), message_id.to_owned());
        let created = self.clock.now();
        let signed = self.signer.sign(move |signer| {
            let message = Message {
                version: Version::V12,
                action: Some(&action),
                message_id: &message_id,
                relates_to: None,
                to: Some(&to),
                reply_to: true,
                framework: false,
                created,
                lifetime: MESSAGE_LIFETIME,
                extra_headers: &[header.as_bytes()],
                body: grant.permitted().search().forward(),
            };
            let signed = sign::with_token(&message, grant.token().assertion(), &signer.key).map_err(|error| {
                tracing::error!(%error, "the gateway's own key did not sign");
                Refusal::Internal
            })?;
            Ok((Bytes::from(signed), grant))
        });
        signed.await?
    }

    fn headers(&self) -> Result<HeaderMap, Refusal> {
        let value = format!("application/soap+xml; charset=utf-8; action=\"{}\"", self.definition.index_action);
        let value = HeaderValue::from_str(&value).map_err(|_| Refusal::Internal)?;
        Ok(HeaderMap::from_iter([(header::CONTENT_TYPE, value)]))
    }
}

/// Only a SOAP 1.2 message is read on, in one part and uncoded; a redirect is never followed. Faults come with 400 or 500.
fn acceptable<B>(response: &http::Response<B>) -> Result<(), Refusal> {
    let value = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mime = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let coded = response.headers().contains_key(header::CONTENT_ENCODING);
    let soap = mime == "application/soap+xml" && !coded;
    match response.status() {
        StatusCode::OK if soap => Ok(()),
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR if soap => Err(Refusal::PeerFault),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Err(Refusal::PeerUnavailable),
        _ => Err(Refusal::PeerAnswerInvalid),
    }
}

impl Step<()> for Forward {
    type In = Authorised;
    type Out = Answer;
    type Error = Refusal;

    async fn pass(&self, authorised: Authorised, (): ()) -> Result<Answer, Refusal> {
        let call = authorised.call().clone();
        let started = call.start();
        let answer = self.send(authorised).await;
        call.finish("forward", started);
        answer
    }
}
