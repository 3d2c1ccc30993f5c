//! A client of the service: builds the message of either binding, sends it, and checks what comes back.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use uuid::Uuid;

use crate::id::cvr::Cvr;
use crate::outbound::{Outbound, OutboundError, alert_of_certificate};
use crate::services::terminaladgang::names::{AUTHORITY_CONTEXT_NS, INDEX_ACTION, WRAPPER_ACTION, WRAPPER_NS};
use crate::signature::key::SigningKey;
use crate::signature::sign::{self, Message, SignError, Token};
use crate::soap::envelope::{self, Version};

/// The greatest answer that is taken, in bytes: the gateway releases 8 MiB at most by default.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Why there is no answer to show.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gateway could not be reached.
    #[error("{}", unanswered(.0))]
    Outbound(#[from] OutboundError),
    /// The message could not be signed.
    #[error("beskeden kunne ikke signeres\nthe message could not be signed: {0}")]
    Sign(#[from] SignError),
    /// The answer broke off or is too large.
    #[error("svaret kunne ikke læses i sin helhed\nthe answer could not be read whole")]
    Unreadable,
}

/// Why there is no answer: address and CA, or the certificate that was shown.
fn unanswered(error: &OutboundError) -> String {
    let said = error.to_string();
    match alert_of_certificate(&said) {
        Some(alert) => format!(
            "gatewayen afviser klientcertifikatet (--cert eller --p12) i TLS ({alert}); kontrollér, at det ikke er udløbet eller spærret, er til klientbrug og sendes \
             med det udstedende CA-certifikat, og spørg gatewayens drift, om den har tillid til den CA\n\
             the gateway refuses the client certificate (--cert or --p12) in TLS ({alert}); check that it has not expired and is not revoked, is for clients, \
             and is sent with the certificate of the CA that issued it, and ask the gateway's operators whether they trust that CA"
        ),
        None => format!(
            "der er ikke forbindelse til gatewayen; kontrollér adressen og den CA, der er tillid til\n\
             the gateway does not answer: {said}; check the address and the trusted CA"
        ),
    }
}

/// What went over the wire.
pub struct Exchange {
    /// The HTTP status.
    pub status: u16,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The request's bytes.
    pub request: Bytes,
    /// The answer's bytes.
    pub answer: Bytes,
}

/// A client of one service address. The certificate, if any, is the one that `outbound` shows in TLS.
#[derive(Clone)]
pub struct Client {
    /// The connections.
    pub outbound: Outbound,
    /// The service's address.
    pub service: Uri,
}

impl Client {
    /// The message of the AuthorityContext binding (SOAP 1.1).
    pub fn authority_context_message(authority: Cvr, input: &[u8]) -> Bytes {
        let mut message = format!(
            "<s:Envelope xmlns:s=\"{}\"><s:Body><ta:FremsoegRequest xmlns:ta=\"{WRAPPER_NS}\"><ac:AuthorityContext \
             xmlns:ac=\"{AUTHORITY_CONTEXT_NS}\"><ac:MunicipalityCVR>{authority}</ac:MunicipalityCVR></ac:AuthorityContext>",
            crate::soap::names::SOAP11
        )
        .into_bytes();
        message.extend_from_slice(input);
        message.extend_from_slice(b"</ta:FremsoegRequest></s:Body></s:Envelope>");
        Bytes::from(message)
    }

    /// The signed message of the token binding (SOAP 1.2, OIO IDWS), and its MessageID.
    ///
    /// # Errors
    /// [`ClientError::Sign`].
    pub fn token_message(
        &self,
        token: &Token,
        key: &SigningKey,
        input: &[u8],
        now: Timestamp,
    ) -> Result<(Bytes, String), ClientError> {
        let message_id = format!("urn:uuid:{}", Uuid::new_v4());
        let header = envelope::request_header(&Uuid::new_v4().to_string());
        let message = Message {
            version: Version::V12,
            action: Some(INDEX_ACTION),
            message_id: &message_id,
            relates_to: None,
            to: Some(&self.service.to_string()),
            reply_to: true,
            framework: false,
            created: now,
            lifetime: jiff::SignedDuration::from_mins(5),
            extra_headers: &[header.as_bytes()],
            body: &sign::canonical_content(input)?,
        };
        Ok((Bytes::from(sign::with_token(&message, token, key)?), message_id))
    }

    /// Sends a message as it is.
    ///
    /// # Errors
    /// [`ClientError::Outbound`], [`ClientError::Unreadable`].
    pub async fn send(&self, version: Version, message: Bytes) -> Result<Exchange, ClientError> {
        let action = if version == Version::V11 { WRAPPER_ACTION } else { INDEX_ACTION };
        self.send_as(version, action, message).await
    }

    /// The same with this action.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_as(&self, version: Version, action: &str, message: Bytes) -> Result<Exchange, ClientError> {
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| ClientError::Unreadable);
        let content_type = match version {
            Version::V11 => HeaderValue::from_static("text/xml; charset=utf-8"),
            Version::V12 => value(&format!("application/soap+xml; charset=utf-8; action=\"{action}\""))?,
        };
        let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        if version == Version::V11 {
            headers.insert("soapaction", value(&format!("\"{action}\""))?);
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let response = self.outbound.post(&self.service, headers, message.clone(), deadline).await?;
        let (head, body) = response.into_parts();
        let answer = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(|_| ClientError::Unreadable)?.to_bytes();
        Ok(Exchange { status: head.status.as_u16(), headers: head.headers, request: message, answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_the_gateway_refuses_in_tls_is_told_as_that_in_both_languages() {
        let alert = "connection error: received fatal alert: CertificateExpired";
        let said = ClientError::Outbound(OutboundError::Broken(alert.to_owned())).to_string();
        assert!(
            said.starts_with("gatewayen afviser klientcertifikatet (--cert eller --p12) i TLS (CertificateExpired)"),
            "{said}"
        );
        assert!(
            said.contains("\nthe gateway refuses the client certificate (--cert or --p12) in TLS (CertificateExpired)"),
            "{said}"
        );
    }

    #[test]
    fn a_connection_that_ends_for_another_reason_is_none_of_the_certificates() {
        for why in ["tcp connect error: Connection refused", "received fatal alert: ProtocolVersion"] {
            let said = ClientError::Outbound(OutboundError::Connect(why.to_owned())).to_string();
            assert!(said.contains(why) && said.ends_with("check the address and the trusted CA"), "{said}");
        }
    }
}
