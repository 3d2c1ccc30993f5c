//! The judgement of an answer as a proof: what a provider answered is [`Unjudged`] until the schema allowed it, and there is no
//! other way to a [`Release`]. Its fields are private to this page, and [`Unjudged::judged`] is the one way out.

use std::sync::Arc;

use bytes::Bytes;

use super::direct::Directed;
use super::refusal::ContractRefusal;
use super::side::Bound;
use crate::gateway::answer::{Proven, Release, Sink};
use crate::gateway::exchange::Outgoing;
use crate::id::cvr::Cvr;
use crate::peer::Peer;
use crate::refusal::{PeerName, Refusal};
use crate::schema::violation::Violations;
use crate::signature::c14n::{self, Canonicaliser, Exclusive, canonical_bytes};
use crate::soap::document::Document;
use crate::soap::reading::Reading;
use crate::soap::strict::{Limits, Token};

/// To what an answer belongs.
struct Asked {
    operation: Bound,
    peer: Arc<Peer>,
    receiver: Option<Cvr>,
    is_fault: bool,
}

/// The content of Body as it is signed: in exclusive canonical form.
pub(super) struct Whole {
    canonicaliser: Canonicaliser<Bounded>,
    asked: Asked,
}

/// Bytes up to a bound; what goes beyond it is not kept.
struct Bounded {
    bytes: Vec<u8>,
    largest: usize,
    over: bool,
}

impl c14n::Sink for Bounded {
    fn write(&mut self, bytes: &[u8]) {
        self.over |= self.bytes.len() + bytes.len() > self.largest;
        if !self.over {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

/// An answer that is the provider's, and not yet judged.
pub(super) struct Unjudged {
    proven: Proven,
    body: Vec<u8>,
    asked: Asked,
}

/// Why an answer is not handed on.
pub(super) enum Withheld {
    /// It breaks the schema.
    Violates {
        /// The operation's name.
        operation: String,
        /// The provider, as the route names it.
        peer: Arc<Peer>,
        /// The authority that it receives for; none where it receives for all.
        receiver: Option<Cvr>,
        /// Where, and by which rule; never a value.
        violations: Violations,
    },
    /// For another reason.
    Refused(Refusal),
}

impl From<Refusal> for Withheld {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Whole {
    /// For the answer to a request, of at most `largest` bytes; `is_fault`: its status said that it is a fault.
    pub(super) fn of(directed: &Directed, is_fault: bool, largest: usize) -> Self {
        Self {
            canonicaliser: Canonicaliser::new(Exclusive::new(), Bounded { bytes: Vec::new(), largest, over: false }),
            asked: Asked {
                operation: directed.operation().clone(),
                peer: directed.routed().peer().clone(),
                receiver: directed.receiver(),
                is_fault,
            },
        }
    }
}

impl Sink for Whole {
    type Out = Unjudged;

    fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal> {
        self.canonicaliser.token(token, read);
        Ok(())
    }

    fn finish(self, proven: Proven) -> Result<Unjudged, Refusal> {
        let Self { canonicaliser, asked } = self;
        let Bounded { bytes, largest, over } = canonicaliser.into_sink();
        match over {
            true => Err(ContractRefusal::ProviderAnswerTooLarge { limit: largest }.into()),
            false => Ok(Unjudged { proven, body: bytes, asked }),
        }
    }
}

impl Unjudged {
    /// What may leave of it, by the schema: the whole answer, or the fault that the contract declares.
    ///
    /// # Errors
    /// [`Withheld`]: nothing of it may.
    pub(super) async fn judged(self, limits: &Limits) -> Result<Release, Withheld> {
        let Self { proven, body, asked: Asked { operation: bound, peer, receiver, is_fault } } = self;
        let document = Document::parse(Bytes::copy_from_slice(&body), limits)
            .map_err(|_| Refusal::PEER_ANSWER_INVALID.of_peer(&peer.told))?;
        let document = Arc::new(document);
        if is_fault {
            return Ok(fault(proven, document, &bound, &peer.told).await?);
        }
        let (root, operation) = (document.root().id(), bound.operation().ok_or(Refusal::Internal)?);
        match bound.judge(document, root, &operation.answer).await? {
            Ok(()) => Ok(Release::new(proven, body)),
            Err(violations) => Err(Withheld::Violates { operation: operation.name.clone(), peer, receiver, violations }),
        }
    }
}

/// The fault that the contract declares, by the schema: handed on as the provider's. Of any other nothing is.
async fn fault(proven: Proven, document: Arc<Document>, bound: &Bound, peer: &PeerName) -> Result<Release, Refusal> {
    let operation = bound.operation().ok_or(Refusal::Internal)?;
    let details = document.root().elements().filter(|part| matches!(part.local(), "detail" | "Detail"));
    let elements: Vec<_> = details.flat_map(|detail| detail.elements()).map(|element| element.id()).collect();
    for id in elements {
        let Some(element) = document.element(id) else { continue };
        let declared = operation.faults.iter().find(|fault| element.is(&fault.element.namespace, &fault.element.local));
        let Some(declared) = declared else { continue };
        if bound.judge(document.clone(), id, &declared.element).await?.is_ok() {
            let told = ContractRefusal::ProviderFault { peer: peer.clone(), fault: declared.name.clone() };
            return Ok(Release::fault(proven, told.into(), canonical_bytes(element)));
        }
    }
    Err(Refusal::PEER_FAULT.of_peer(peer))
}
