//! The caller's identity from a SAML 2.0 holder-of-key token (OIO IDWS).
//!
//! [`authenticate`] is the one way to an [`Identity`]: who issued, for whom, until when, and that the message itself
//! was signed with the key that the token names. The token alone proves nothing: it may be stolen.

pub mod assertion;
pub mod memory;
pub mod metadata;
pub mod privileges;
pub mod trust;

use jiff::{SignedDuration, Timestamp};

use crate::refusal::Refusal;
use crate::signature::key::Certificate;
use crate::signature::names::SAML;
use crate::signature::timestamp::{self, TimeRules};
use crate::signature::verify::{Parts, RequestSignature, VerifiedRequest};
use crate::soap::document::Document;
use assertion::{Claims, Statement};
use memory::AssertionMemory;
use privileges::Privileges;
use trust::Trust;

/// What a service expects of tokens and messages.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// The issuers that are trusted.
    pub trust: &'a Trust,
    /// The service's entity id: Audience and Recipient of every token.
    pub entity_id: &'a str,
    /// The rules for the message's Timestamp; `skew` holds for the token too.
    pub time: TimeRules,
    /// The longest life of a token, skew not included.
    pub max_token_life: SignedDuration,
    /// Where what verified assertions say is remembered, if it is.
    pub memory: Option<&'a AssertionMemory>,
}

impl<'a> Expectations<'a> {
    /// The usual: tokens of up to eight hours, messages of up to five minutes, a minute of skew, nothing remembered.
    pub fn new(trust: &'a Trust, entity_id: &'a str) -> Self {
        Self { trust, entity_id, time: TimeRules::default(), max_token_life: SignedDuration::from_hours(8), memory: None }
    }
}

/// A proven caller. Only [`authenticate`] makes it.
#[derive(Debug, Clone)]
pub struct Identity {
    claims: Claims,
    created: Timestamp,
}

impl Identity {
    /// The authority: eight digits.
    pub fn cvr(&self) -> &str {
        self.claims.cvr()
    }
    /// The client system's certificate, whose key signed the message.
    pub fn holder(&self) -> &Certificate {
        self.claims.holder()
    }
    /// The issuer's entity id.
    pub fn issuer(&self) -> &str {
        self.claims.issuer()
    }
    /// The assertion's ID.
    pub fn assertion_id(&self) -> &str {
        self.claims.id()
    }
    /// When the token ends.
    pub fn not_on_or_after(&self) -> Timestamp {
        self.claims.not_on_or_after()
    }
    /// The subject's name. For a system it is its certificate's subject; treat it as personal all the same.
    pub fn name_id(&self) -> &str {
        self.claims.name_id()
    }
    /// What the token lets the caller do.
    pub fn privileges(&self) -> &Privileges {
        self.claims.privileges()
    }
    /// Created of the message's Timestamp: what the replay memory counts from.
    pub fn message_created(&self) -> Timestamp {
        self.created
    }
}

/// Authenticates a message with a token: structure and coverage, the issuer's signature, the token's content, the
/// message's signature with the holder's key, and the Timestamp, in that order.
///
/// Where the assertion is remembered, its issuer's signature and what it says are taken from there; everything that may
/// have changed since is asked anew.
///
/// # Errors
/// Every refusal of the group "authenticate".
pub fn authenticate<'d>(
    document: &'d Document,
    parts: &Parts<'d>,
    expectations: &Expectations<'_>,
    now: Timestamp,
) -> Result<(Identity, VerifiedRequest<'d>), Refusal> {
    let signature = RequestSignature::locate(document, parts)?;
    let assertion = signature.assertion();
    // Read before it is verified, only to choose among the keys that are trusted for exactly this issuer.
    let issuer = assertion.elements().next().filter(|element| element.is(SAML, "Issuer"));
    let issuer = issuer.and_then(|element| element.text()).ok_or(Refusal::TokenIssuerUntrusted)?;
    let issuer = expectations.trust.issuer(&issuer).ok_or(Refusal::TokenIssuerUntrusted)?;
    let place = expectations.memory.and_then(|memory| Some((memory, memory.key(assertion)?)));
    let known = place.as_ref().and_then(|(memory, key)| memory.find(key));
    let statement = match &known {
        Some(known) => known.statement.clone(),
        None => Statement::read(&signature.verify_assertion(&issuer.keys(now))?)?,
    };
    let claims = statement.judge(issuer, expectations, now)?;
    let request = signature.verify(claims.holder().key(), known.as_ref().map(|known| &known.digest))?;
    let created = timestamp::check(request.timestamp(), &expectations.time, now)?;
    if let (None, Some((memory, key))) = (known, place) {
        memory.remember(key, claims.statement().clone(), request.token_digest().clone(), assertion.source().len());
    }
    Ok((Identity { claims, created }, request))
}
