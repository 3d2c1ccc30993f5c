//! The request for a log-on, and what binds its answer to the browser that asked.
//!
//! Nothing is kept of a request. The browser gets a secret in a cookie, and the request's ID is a digest of it: an answer is
//! this browser's only if its InResponseTo is the digest of a secret that came with it. So any node can judge the answer, and
//! another browser's answer is nobody's here.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use jiff::Timestamp;

use super::names::{PERSISTENT, POST, SAMLP};
use super::own::Own;
use super::person::Rules;
use super::provider::Provider;
use super::redirect::{self, Kind};
use super::{attribute, escaped};
use crate::hex;
use crate::signature::key::KeyError;
use crate::signature::names::SAML;

/// What a browser keeps while its user logs on.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The ID of a request that the browser with its [`Secret`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub(super) String);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The random number generator failed.
    pub fn new() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Signing)?;
        Ok(Self(hex::encode(&bytes)))
    }

    /// The one in a cookie; `None` where it is none.
    pub fn from_cookie(value: &str) -> Option<Self> {
        hex::decode::<32>(value).map(|bytes| Self(hex::encode(&bytes)))
    }

    /// What the cookie holds.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The ID of its request.
    pub fn request_id(&self) -> RequestId {
        let digest = digest(&SHA256, format!("hjemmel log-on {}", self.0).as_bytes());
        // An ID is an NCName, and begins with no digit.
        RequestId(format!("_{}", hex::encode(digest.as_ref())))
    }
}

impl RequestId {
    /// As it stands in messages.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of an ID that a message names: which of a browser's cookies may hold its secret. Eight characters, so that requests in
    /// several tabs have a cookie each.
    pub fn tag(id: &str) -> Option<&str> {
        let tag = id.strip_prefix('_')?.get(..8)?;
        tag.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(tag)
    }
}

/// The address to which a browser is sent to log on: a signed AuthnRequest by HTTP-Redirect. `back` is the page that was
/// asked for.
///
/// # Errors
/// The key did not sign.
pub fn log_on(
    own: &Own,
    provider: &Provider,
    rules: &Rules,
    secret: &Secret,
    back: &str,
    now: Timestamp,
) -> Result<String, KeyError> {
    let id = secret.request_id();
    // Asked for, and never trusted because it was asked for.
    let contexts: String = rules
        .asked_contexts()
        .iter()
        .map(|context| format!("<saml:AuthnContextClassRef>{}</saml:AuthnContextClassRef>", escaped(context)))
        .collect();
    let policy = match rules.person_attribute.is_some() {
        true => String::new(),
        false => format!("<samlp:NameIDPolicy AllowCreate=\"true\" Format=\"{PERSISTENT}\"></samlp:NameIDPolicy>"),
    };
    let xml = format!(
        "<samlp:AuthnRequest xmlns:saml=\"{SAML}\" xmlns:samlp=\"{SAMLP}\" AssertionConsumerServiceURL=\"{}\" Destination=\"{}\" \
         ID=\"{}\" IssueInstant=\"{now:.0}\" ProtocolBinding=\"{POST}\" Version=\"2.0\">{}{policy}\
         <samlp:RequestedAuthnContext Comparison=\"{}\">{contexts}</samlp:RequestedAuthnContext></samlp:AuthnRequest>",
        attribute(own.consumer()),
        attribute(provider.log_on()),
        id.as_str(),
        own.issuer(),
        if rules.contexts.is_empty() { "minimum" } else { "exact" },
    );
    redirect::address(provider.log_on(), Kind::Request, xml.as_bytes(), Some(local_path(back)), own.key())
}

/// The longest RelayState that SAML allows, in bytes.
const LONGEST_RELAY_STATE: usize = 80;

/// The page to go to after a log-on, if `relay_state` is a path of the console's own; its front page if not. A browser reads
/// `//host` and `/\host` as addresses elsewhere.
pub fn local_path(relay_state: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>');
    let local = relay_state.starts_with('/') && !relay_state.starts_with("//") && !relay_state.starts_with("/saml/");
    match local && relay_state.len() <= LONGEST_RELAY_STATE && relay_state.bytes().all(plain) {
        true => relay_state,
        false => "/",
    }
}
