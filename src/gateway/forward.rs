//! The call to the peer: by its own security model, whatever binding the caller used.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::call::OfCall;
use super::exchange::{Authorised, Grant, Outgoing};
use super::seal::{MESSAGE_LIFETIME, Signer};
use super::step::Step;
use crate::audit::Durable;
use crate::clock::Clock;
use crate::outbound::breaker::{NotNow, Pass};
use crate::outbound::{AnswerBody, OutboundError, describe};
use crate::peer::Peer;
use crate::refusal::Refusal;
use crate::signature::sign::{self, Message};
use crate::soap::envelope::{self, Version};

/// The peer's answer as it begins to arrive: nothing of it is known to be true yet. Only this module makes one.
pub struct Answer<P> {
    pub(super) grant: Grant<P>,
    pub(super) message_id: String,
    pub(super) body: AnswerBody,
    pub(super) deadline: Instant,
    pub(super) pass: Pass,
    pub(super) fault: bool,
    _private: (),
}

/// The innermost step.
pub struct Forward<P> {
    /// The gateway's key.
    pub signer: Arc<Signer>,
    /// Dates the request.
    pub clock: Clock,
    /// What it sends.
    pub outgoing: PhantomData<fn(P)>,
}

impl<P: Outgoing> Forward<P> {
    async fn send(&self, authorised: Authorised<P>) -> Result<Answer<P>, Refusal> {
        let now = Instant::now();
        let (grant, recording) = authorised.part();
        let peer = grant.outgoing().routed().peer().clone();
        let pass = peer.breaker.admit(now.into_std()).map_err(|not_now| match not_now {
            NotNow::Resting { remaining } => {
                Refusal::PeerResting { peer: peer.told.clone(), seconds: remaining.as_secs().max(1) }
            }
            NotNow::Busy => Refusal::PeerBusy { peer: peer.told.clone() },
        })?;
        let message_id = format!("urn:uuid:{}", Uuid::new_v4());
        let mut headers = headers(grant.outgoing())?;
        // Made while the record is being written.
        let (message, mut grant) = self.message(grant, &message_id).await?;
        grant.made();
        let recorded = recording.await?;
        // The connections may have failed and not the peer.
        if pass.is_trial() {
            peer.outbound.renew_connections();
        }
        grant.outgoing().leaving()?;
        let deadline = now + peer.deadline;
        // What is logged of the connection meanwhile names the call.
        let mut outward = grant.call().trace().map(|trace| trace.towards(&peer.name));
        if let Some(outward) = &outward {
            outward.inject(&mut headers);
        }
        let span = tracing::info_span!("forward", call = %grant.call().id());
        let response = match post(&peer, recorded, headers, message, deadline).instrument(span).await {
            Ok(response) => {
                if let Some(outward) = &mut outward {
                    outward.answered(response.status().as_u16());
                }
                response
            }
            Err(error) => {
                pass.failed(std::time::Instant::now());
                if matches!(error, OutboundError::Connect(_)) {
                    grant.outgoing().stayed();
                }
                tracing::warn!(call = %grant.call().id(), peer = &*peer.name, %error, "the peer could not be called");
                return Err(match error {
                    OutboundError::Timeout => Refusal::PeerTimeout { peer: peer.told.clone(), seconds: peer.deadline.as_secs() },
                    OutboundError::Connect(_) | OutboundError::Broken(_) => Refusal::PeerUnavailable { peer: peer.told.clone() },
                    OutboundError::Protocol(_) => Refusal::PeerAnswerInvalid { peer: peer.told.clone() },
                });
            }
        };
        let accepted = acceptable(&response, grant.outgoing().version());
        let fault = matches!(accepted, Err(Refusal::PeerFault { .. })) && grant.outgoing().fault_is_an_answer();
        if let Err(refusal) = accepted
            && !fault
        {
            pass.failed(std::time::Instant::now());
            let said = describe(response.status(), response.headers());
            tracing::warn!(call = %grant.call().id(), peer = &*peer.name, "the peer's address answers with {said}, which is no answer");
            return Err(refusal.of_peer(&peer.told));
        }
        Ok(Answer { grant, message_id, body: response.into_body(), deadline, pass, fault, _private: () })
    }

    /// The message: signed where there is a token, off the threads that move everybody's bytes.
    async fn message(&self, grant: Grant<P>, message_id: &str) -> Result<(Bytes, Grant<P>), Refusal> {
        let header = envelope::request_header(&grant.transaction().to_string()) + grant.outgoing().headers();
        if grant.token().is_none() {
            let message = envelope::unsigned(grant.outgoing().version(), &header, grant.outgoing().body());
            return Ok((message, grant));
        }
        let message_id = message_id.to_owned();
        let created = self.clock.now();
        let signed = self.signer.sign(move |signer| {
            let outgoing = grant.outgoing();
            let Some(token) = grant.token() else { return Err(Refusal::Internal) };
            let to = outgoing.routed().peer().address.to_string();
            let message = Message {
                version: outgoing.version(),
                action: Some(outgoing.action()),
                message_id: &message_id,
                relates_to: None,
                to: Some(&to),
                reply_to: true,
                // The platform's token policy, which is for SOAP 1.1, lists it among the signed headers; that of SOAP 1.2 does not.
                framework: outgoing.version() == Version::V11,
                created,
                lifetime: MESSAGE_LIFETIME,
                extra_headers: &[header.as_bytes()],
                body: outgoing.body(),
            };
            let signed =
                sign::with_token_keeping(&message, outgoing.prefixes(), token.assertion(), &signer.key).map_err(|error| {
                    tracing::error!(%error, "the gateway's own key did not sign");
                    Refusal::Internal
                })?;
            Ok((Bytes::from(signed), grant))
        });
        signed.await?
    }
}

/// Only with the proof that the call is recorded does anything leave.
async fn post(
    peer: &Peer,
    _recorded: Durable,
    headers: HeaderMap,
    message: Bytes,
    deadline: Instant,
) -> Result<http::Response<AnswerBody>, OutboundError> {
    peer.outbound.post(&peer.address, headers, message, deadline).await
}

fn headers(outgoing: &impl Outgoing) -> Result<HeaderMap, Refusal> {
    let value = |text: String| HeaderValue::from_str(&text).map_err(|_| Refusal::Internal);
    let action = outgoing.http_action();
    Ok(match outgoing.version() {
        Version::V12 => {
            let media_type = format!("application/soap+xml; charset=utf-8; action=\"{action}\"");
            HeaderMap::from_iter([(header::CONTENT_TYPE, value(media_type)?)])
        }
        Version::V11 => {
            let soap_action = HeaderName::from_static("soapaction");
            let media_type = HeaderValue::from_static("text/xml; charset=utf-8");
            HeaderMap::from_iter([(header::CONTENT_TYPE, media_type), (soap_action, value(format!("\"{action}\""))?)])
        }
    })
}

/// Only a SOAP message of the version asked in is read on, in one part and uncoded; a redirect is never followed. Faults come
/// with 400 or 500.
fn acceptable<B>(response: &http::Response<B>, version: Version) -> Result<(), Refusal> {
    let value = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mime = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let coded = response.headers().contains_key(header::CONTENT_ENCODING);
    let soap = mime == version.media_type() && !coded;
    match response.status() {
        StatusCode::OK if soap => Ok(()),
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR if soap => Err(Refusal::PEER_FAULT),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Err(Refusal::PEER_UNAVAILABLE),
        _ => Err(Refusal::PEER_ANSWER_INVALID),
    }
}

impl<P> Answer<P> {
    /// Whether it came as a SOAP fault, by its HTTP status.
    pub fn is_fault(&self) -> bool {
        self.fault
    }
}

impl<P: Outgoing> Step<()> for Forward<P> {
    type In = Authorised<P>;
    type Out = Answer<P>;
    type Error = Refusal;

    async fn pass(&self, authorised: Authorised<P>, (): ()) -> Result<Answer<P>, Refusal> {
        let call = authorised.call().clone();
        let started = call.start();
        let answer = self.send(authorised).await;
        call.finish("forward", started);
        answer
    }
}
