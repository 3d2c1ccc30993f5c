//! The HTTP-Redirect binding: a message deflated into a query, and a signature over the query as it came.
//!
//! The signature is over bytes of the query, not over what they mean: percent-encoding has several spellings, and an empty
//! `RelayState=` is signed by some and left out by others. So it is verified over the raw text, and never over what was
//! decoded and encoded again.

use crate::refusal::logon::LogOnRefusal;
use crate::refusal::{Detail, Refusal};
use crate::signature::algorithms::SignatureAlgorithm;
use crate::signature::base64;
use crate::signature::key::{KeyError, SigningKey, VerificationKey};

/// The longest query that is read, in bytes.
const LONGEST_QUERY: usize = 32 * 1024;
/// The longest message that it may inflate to, in bytes. A thousand bytes of query could hold a megabyte.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// Which message a query holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `SAMLRequest`.
    Request,
    /// `SAMLResponse`.
    Response,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Request => "SAMLRequest",
            Kind::Response => "SAMLResponse",
        }
    }
}

/// The parameters of a query, as they were written in it.
#[derive(Debug, Clone, Copy)]
pub struct Query<'q> {
    kind: Kind,
    message: &'q str,
    relay_state: Option<&'q str>,
    algorithm: Option<&'q str>,
    signature: Option<&'q str>,
}

fn invalid(da: &str, en: &str) -> LogOnRefusal {
    LogOnRefusal::LogOutInvalid { what: Detail::new(da, en) }
}

impl<'q> Query<'q> {
    /// Finds the parameters in a raw query.
    ///
    /// # Errors
    /// `LogOutInvalid`: none or two messages, or a parameter twice.
    pub fn read(raw: &'q str) -> Result<Self, LogOnRefusal> {
        if raw.len() > LONGEST_QUERY {
            return Err(invalid("forespørgslen er for lang", "the query is too long"));
        }
        let (mut request, mut response) = (None, None);
        let (mut relay_state, mut algorithm, mut signature) = (None, None, None);
        for parameter in raw.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let place = match name {
                "SAMLRequest" => &mut request,
                "SAMLResponse" => &mut response,
                "RelayState" => &mut relay_state,
                "SigAlg" => &mut algorithm,
                "Signature" => &mut signature,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(invalid("en parameter forekommer to gange", "a parameter occurs twice"));
            }
        }
        let (kind, message) = match (request, response) {
            (Some(message), None) => (Kind::Request, message),
            (None, Some(message)) => (Kind::Response, message),
            _ => {
                return Err(invalid(
                    "der er ikke netop én SAMLRequest eller SAMLResponse",
                    "there is not exactly one SAMLRequest or SAMLResponse",
                ));
            }
        };
        Ok(Self { kind, message, relay_state, algorithm, signature })
    }

    /// Which message it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it claims a signature at all.
    pub fn is_signed(&self) -> bool {
        self.algorithm.is_some() && self.signature.is_some()
    }

    /// The message itself, inflated. Nothing is proven of it.
    ///
    /// # Errors
    /// `LogOutInvalid`.
    pub fn message(&self) -> Result<Vec<u8>, LogOnRefusal> {
        let decoded = decoded(self.message).and_then(|text| base64::decode(&text));
        let decoded = decoded.ok_or_else(|| invalid("beskeden er ikke base64", "the message is not base64"))?;
        miniz_oxide::inflate::decompress_to_vec_with_limit(&decoded, LONGEST_MESSAGE).map_err(|_| {
            invalid("beskeden kan ikke pakkes ud, eller den er for lang", "the message cannot be inflated, or is too long")
        })
    }

    /// The RelayState, decoded.
    pub fn relay_state(&self) -> Option<String> {
        self.relay_state.and_then(decoded)
    }

    /// Verifies the signature over the query as it came.
    ///
    /// # Errors
    /// `LogOutUnsigned`, `LogOnAlgorithm`, `LogOnSignature`.
    pub fn verify(&self, keys: &[VerificationKey]) -> Result<(), LogOnRefusal> {
        let (Some(algorithm), Some(signature)) = (self.algorithm, self.signature) else {
            return Err(LogOnRefusal::LogOutUnsigned);
        };
        let name = decoded(algorithm).unwrap_or_default();
        let named = SignatureAlgorithm::from_uri(&name).map_err(|refusal| match refusal {
            Refusal::SignatureAlgorithm { algorithm } => LogOnRefusal::LogOnAlgorithm { algorithm },
            _ => LogOnRefusal::LogOutUnsigned,
        })?;
        let value = decoded(signature).and_then(|text| base64::decode(&text)).unwrap_or_default();
        let signed = signed_text(self.kind, self.message, self.relay_state, algorithm);
        match keys.iter().any(|key| key.verifies(named, signed.as_bytes(), &value)) {
            true => Ok(()),
            false => Err(LogOnRefusal::LogOnSignature { of: Detail::new("beskeden om log-ud", "the message of log-out") }),
        }
    }
}

/// What a signature is over: the parameters in the binding's order, spelt as they are.
fn signed_text(kind: Kind, message: &str, relay_state: Option<&str>, algorithm: &str) -> String {
    let relay_state = relay_state.map_or(String::new(), |relay| format!("&RelayState={relay}"));
    format!("{}={message}{relay_state}&SigAlg={algorithm}", kind.name())
}

/// The address that carries `message` to `location`, signed.
///
/// # Errors
/// The key did not sign.
pub fn address(
    location: &str,
    kind: Kind,
    message: &[u8],
    relay_state: Option<&str>,
    key: &SigningKey,
) -> Result<String, KeyError> {
    let deflated = miniz_oxide::deflate::compress_to_vec(message, 6);
    let (message, relay_state) = (encoded(&base64::encode(&deflated)), relay_state.map(encoded));
    let text = signed_text(kind, &message, relay_state.as_deref(), &encoded(key.algorithm().uri()));
    let signature = encoded(&base64::encode(&key.sign(text.as_bytes())?));
    let separator = if location.contains('?') { '&' } else { '?' };
    Ok(format!("{location}{separator}{text}&Signature={signature}"))
}

/// The text behind percent-encoding; `None` where it is none, or no UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// `text` as it stands in a query: all but unreserved characters percent-encoded.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
