//! To whom an answer or a refusal goes, and whether it is signed.
//!
//! A fault is signed only once the caller's own signature has been verified, for an unproven sender must not cause RSA
//! work: what signs is a [`Proof`], and only an [`Identity`] that a verified message gave makes one that does.

use std::sync::Arc;

use super::answer::Release;
use super::call::{Call, OfCall};
use super::definition::Shape;
use crate::refusal::Refusal;
use crate::saml::Identity;
use crate::soap::envelope::{Envelope, Version};

/// How the caller was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    signed: bool,
}

impl Proof {
    /// The caller's own signature verified: the answer is signed, a fault too.
    pub fn of_message(_: &Identity) -> Self {
        Self { signed: true }
    }
    /// Mutual TLS carries the answer.
    pub fn of_transport() -> Self {
        Self { signed: false }
    }
}

/// How to answer this caller.
pub struct Reply {
    version: Version,
    /// How the request asked; `None` where it could not be read.
    shape: Option<Arc<Shape>>,
    message_id: Option<String>,
    transaction: Option<String>,
    proof: Option<Proof>,
    call: Call,
}

impl Reply {
    /// For a message that could not be read: the version that the HTTP headers promised.
    pub fn unproven(version: Version, call: &Call) -> Self {
        Self { version, shape: None, message_id: None, transaction: None, proof: None, call: call.clone() }
    }
    /// For a message that could.
    pub fn to(envelope: &Envelope, shape: &Arc<Shape>, call: &Call) -> Self {
        Self {
            version: envelope.version(),
            shape: Some(shape.clone()),
            message_id: envelope.addressing().message_id.clone(),
            transaction: envelope.transaction().map(str::to_owned),
            proof: None,
            call: call.clone(),
        }
    }
    /// With what is known of the caller.
    pub fn with(self, proof: Option<Proof>) -> Self {
        Self { proof, ..self }
    }
    /// The same, not signed: what cannot be signed is sent unsigned rather than not at all.
    pub fn unsigned(self) -> Self {
        self.with(None)
    }
    /// A refusal to this caller.
    pub fn refuse(self, refusal: Refusal) -> RefusedReply {
        RefusedReply { refusal, reply: self }
    }
    /// What may leave, to this caller.
    pub fn answer(self, released: Release) -> Answered {
        Answered { released, reply: self }
    }
    /// The caller's SOAP version.
    pub fn version(&self) -> Version {
        self.version
    }
    /// How the caller's request asked, which the answer follows.
    pub fn shape(&self) -> Option<&Arc<Shape>> {
        self.shape.as_ref()
    }
    /// The caller's MessageID.
    pub fn message_id(&self) -> Option<&str> {
        self.message_id.as_deref()
    }
    /// The caller's TransactionUUID: a claim.
    pub fn transaction(&self) -> Option<&str> {
        self.transaction.as_deref()
    }
    /// Whether the answer is signed.
    pub fn is_signed(&self) -> bool {
        self.proof.is_some_and(|proof| proof.signed)
    }
}

impl OfCall for Reply {
    fn call(&self) -> &Call {
        &self.call
    }
}

/// A released answer and how to give it. Made by [`Reply::answer`] alone, of what was released.
pub struct Answered {
    released: Release,
    reply: Reply,
}

impl Answered {
    pub(super) fn part(self) -> (Release, Reply) {
        (self.released, self.reply)
    }
}

/// A refusal and how to tell it.
pub struct RefusedReply {
    refusal: Refusal,
    reply: Reply,
}

impl RefusedReply {
    pub(super) fn part(self) -> (Refusal, Reply) {
        (self.refusal, self.reply)
    }
}

/// A refusal, and what was known of the caller by then.
pub struct Refused {
    refusal: Refusal,
    proof: Option<Proof>,
}

impl Refused {
    /// A refusal; `proof` where the caller had been proven.
    pub fn new(refusal: Refusal, proof: Option<Proof>) -> Self {
        Self { refusal, proof }
    }
    /// The same with how to tell it.
    pub fn to(self, reply: Reply) -> RefusedReply {
        reply.with(self.proof).refuse(self.refusal)
    }
}
