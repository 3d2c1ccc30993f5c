//! The peer's answer: verified while it streams, and what reads it gets the proof at the end.
//!
//! Two things read the same tokens side by side: the digest of the signed Body, and a [`Sink`], which decides what may
//! leave. Nothing leaves before both agree: [`Sink::finish`] takes the [`Proven`] that only a whole Body of the peer's own
//! gives, and a [`Release`] is made of nothing else.
//!
//! What a sink lets out needs the proof:
//!
//! ```
//! use hjemmel::gateway::answer::{Proven, Release};
//! fn finish(proven: Proven, body: Vec<u8>) -> Release {
//!     Release::new(proven, body)
//! }
//! ```
//!
//! Without it the same does not compile, nor with a proof made elsewhere (its field is private):
//!
//! ```compile_fail
//! use hjemmel::gateway::answer::Release;
//! fn finish(body: Vec<u8>) -> Release {
//!     Release::new(body)
//! }
//! ```
//!
//! ```compile_fail
//! use hjemmel::gateway::answer::{Proven, Release};
//! fn finish(body: Vec<u8>) -> Release {
//!     Release::new(Proven(()), body)
//! }
//! ```

use super::agreement::Agreed;
use super::exchange::Outgoing;
use super::forward::Answer;
use crate::audit::Durable;
use crate::clock::Clock;
use crate::objects::{ContentKeys, NotSealed};
use crate::outbound::AnswerBody;
use crate::peer::{Peer, Security};
use crate::refusal::Refusal;
use crate::signature::timestamp::{self, TimeRules};
use crate::signature::verify::{Parts, PendingBody, VerifiedBody, verify_response};
use crate::soap::document::{Document, DocumentBuilder};
use crate::soap::envelope::Version;
use crate::soap::names::{WSA, WSSE};
use crate::soap::reading::Reading;
use crate::soap::stream::{StreamError, StreamReader};
use crate::soap::strict::{Limits, Token};

/// The greatest Header of an answer, in bytes. One with a certificate, a signature and ten references has about ten thousand.
const LARGEST_HEAD: usize = 256 * 1024;
/// What there is room for at once, in bytes.
const USUAL_HEAD: usize = 10 * 1024;

/// Proof that the whole of a Body is the peer's own: its signature says so, or, where mutual TLS is the peer's security, the
/// connection on which it came. Only this module makes one.
#[derive(Debug)]
pub struct Proven(());

impl From<VerifiedBody> for Proven {
    fn from(_: VerifiedBody) -> Self {
        Self(())
    }
}

/// The content of an answer's Body that may leave. Made only with the proof that the Body it was read from is the peer's.
pub struct Release {
    content: Released,
}

/// What is let out.
pub(super) enum Released {
    /// The one element of the answer's Body, in exclusive canonical form.
    Body(Vec<u8>),
    /// The peer's own fault: how it is reported, and the element of its detail.
    Fault(Box<Refusal>, Vec<u8>),
    /// A refusal in the service's own words.
    Refusal(Box<Refusal>, Vec<u8>),
}

impl Release {
    /// What is let out of a proven Body.
    pub fn new(_: Proven, body: Vec<u8>) -> Self {
        Self { content: Released::Body(body) }
    }
    /// A fault of the peer's own: `told` says whose it is, and `detail`, in exclusive canonical form, is what the contract
    /// declares.
    pub fn fault(_: Proven, told: Refusal, detail: Vec<u8>) -> Self {
        Self { content: Released::Fault(Box::new(told), detail) }
    }
    /// A refusal in the service's own words, where its contract has an answer for that: `told` is what the record says, and `body`, in exclusive
    /// canonical form, goes out in the place of a fault. Nothing of a peer's is in it. Who has no agreement gets a fault.
    pub fn refusal(_: Agreed, told: Refusal, body: Vec<u8>) -> Self {
        Self { content: Released::Refusal(Box::new(told), body) }
    }
    /// What the service itself answers, where nothing stands behind it: to a call that an authority has agreed to and whose record of
    /// admission is on disk. `body` is in exclusive canonical form.
    pub fn own(_: Agreed, _: &Durable, body: Vec<u8>) -> Self {
        Self { content: Released::Body(body) }
    }
    /// What is let out of a Body, encrypted for the store's row `of`; `None` where it is no Body of a peer's.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub fn sealed(&self, keys: &ContentKeys, of: &[u8]) -> Result<Option<Vec<u8>>, NotSealed> {
        match &self.content {
            Released::Body(body) => keys.seal_text(of, body).map(Some),
            Released::Fault(..) | Released::Refusal(..) => Ok(None),
        }
    }
    /// What was let out before, and [`Release::sealed`] for this row since: that it opens is the proof that it is that.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub fn again(_: Agreed, keys: &ContentKeys, of: &[u8], sealed: &[u8]) -> Result<Self, NotSealed> {
        Ok(Self { content: Released::Body(keys.open_text(of, sealed)?) })
    }
    /// The Body, where it is one.
    pub fn body(&self) -> Option<&[u8]> {
        match &self.content {
            Released::Body(body) => Some(body),
            Released::Fault(..) | Released::Refusal(..) => None,
        }
    }
    /// The same with what the service adds to the peer's answer, where there is one.
    #[must_use]
    pub fn amended(self, amend: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Self {
        match self.content {
            Released::Body(body) => Self { content: Released::Body(amend(body)) },
            content => Self { content },
        }
    }
    pub(super) fn into_content(self) -> Released {
        self.content
    }
}

/// Reads the content of an answer's Body while its signature is checked, and decides what of it may leave.
pub trait Sink {
    /// What it makes of the answer.
    type Out;

    /// Takes the next token of the Body's content: after the Body's start tag, up to but not including its end tag.
    ///
    /// # Errors
    /// What is wrong with the answer.
    fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal>;

    /// What may leave, once the whole Body was proven.
    ///
    /// # Errors
    /// What is wrong with the answer as a whole.
    fn finish(self, proven: Proven) -> Result<Self::Out, Refusal>;
}

/// How answers are read.
#[derive(Clone)]
pub struct AnswerReader {
    /// How far a peer's clock may be from ours.
    pub time: TimeRules,
    /// Bounds on the XML of an answer.
    pub limits: Limits,
    /// What the times of an answer are held against.
    pub clock: Clock,
}

/// What the Body of an answer is proven by.
enum Pending {
    Signature(Box<PendingBody>),
    Transport,
}

impl AnswerReader {
    /// Reads an answer to its end, and reports to the peer's breaker how it fared: a peer that answers nonsense or breaks off is a
    /// failing peer; a refusal of ours is not its fault.
    ///
    /// # Errors
    /// `PeerTimeout`, `PeerUnavailable` where it broke off; what is wrong with the message, its signature, or what the sink
    /// says.
    pub async fn read<P: Outgoing, S: Sink>(&self, answer: Answer<P>, sink: impl FnOnce(&P) -> S) -> Result<S::Out, Refusal> {
        let Answer { grant, message_id, body, deadline, pass, fault, .. } = answer;
        let outgoing = grant.outgoing();
        let peer = outgoing.routed().peer();
        let read = self.read_body(peer, outgoing.version(), body, &message_id, sink(outgoing)).await;
        let late = tokio::time::Instant::now() >= deadline;
        let outcome = read.map_err(|error| match error {
            StreamError::Connection if late => Refusal::PeerTimeout { peer: peer.told.clone(), seconds: peer.deadline.as_secs() },
            StreamError::Connection => Refusal::PEER_UNAVAILABLE,
            // A fault that proves nothing, as servers send when they fail before they sign, is a fault all the same.
            StreamError::Content(Refusal::PeerSignatureInvalid { .. } | Refusal::PeerAnswerInvalid { .. }) if fault => {
                Refusal::PEER_FAULT
            }
            StreamError::Content(refusal) => refusal,
        });
        match &outcome {
            Err(
                Refusal::PeerTimeout { .. }
                | Refusal::PeerUnavailable { .. }
                | Refusal::PeerAnswerInvalid { .. }
                | Refusal::PeerSignatureInvalid { .. },
            ) => pass.failed(std::time::Instant::now()),
            _ => pass.succeeded(),
        }
        outcome.map_err(|refusal| refusal.of_peer(&peer.told))
    }

    async fn read_body<S: Sink>(
        &self,
        peer: &Peer,
        version: Version,
        body: AnswerBody,
        message_id: &str,
        mut sink: S,
    ) -> Result<S::Out, StreamError> {
        let mut reader = Box::new(StreamReader::new(body, self.limits));
        let (head, body_depth) = head(&mut reader, version).await.map_err(of_peer)?;
        let mut pending = self.verify_head(peer, &head, message_id).map_err(as_ours)?;
        loop {
            let token = match reader.ready().map_err(of_peer)? {
                Some(token) => token,
                None => {
                    pending.settle(reader.read());
                    reader.next().await.map_err(of_peer)?
                }
            };
            pending.feed(token, reader.read()).map_err(as_ours)?;
            if token == Token::End && reader.read().depth() < body_depth {
                break;
            }
            sink.feed(token, reader.read()).map_err(StreamError::Content)?;
        }
        // To the end of the document, so that a truncated or trailing one is not taken for whole.
        loop {
            match reader.next().await.map_err(of_peer)? {
                Token::Eof => break,
                Token::End | Token::Nothing => {}
                Token::Text if reader.read().text().trim().is_empty() => {}
                _ => return Err(StreamError::Content(Refusal::PEER_ANSWER_INVALID)),
            }
        }
        let proven = pending.finish().map_err(as_ours)?;
        sink.finish(proven).map_err(StreamError::Content)
    }

    fn verify_head(&self, peer: &Peer, head: &Document, message_id: &str) -> Result<Pending, Refusal> {
        let security = match &peer.security {
            Security::Token(security) => security,
            // Nothing in the message proves it; whatever security header it has is not looked at.
            Security::AuthorityContext => return Ok(Pending::Transport),
        };
        let mut children = head.root().elements();
        let (Some(header), Some(body)) = (children.next(), children.next()) else { return Err(Refusal::PEER_ANSWER_INVALID) };
        let relates = header.only(WSA, "RelatesTo").ok().flatten().and_then(|relates| relates.text());
        // An answer to another call, replayed to this one, would carry somebody else's data.
        if relates.as_deref().map(str::trim) != Some(message_id) {
            return Err(Refusal::PEER_ANSWER_INVALID);
        }
        let found = header.only(WSSE, "Security").ok().flatten().ok_or(Refusal::PEER_SIGNATURE_INVALID)?;
        let must_cover = header.elements().filter(|block| block.namespace() == WSA).collect();
        let now = self.clock.now();
        let lists = security.signers.current();
        let pinned = security.pinned.iter();
        let standing: Vec<_> = pinned.filter(|pinned| lists.refusal(pinned.der(), now).is_none()).cloned().collect();
        let (message, pending) = verify_response(head, &Parts { header, security: found, body, must_cover }, &standing)?;
        timestamp::check(message.timestamp(), &self.time, now)?;
        Ok(Pending::Signature(Box::new(pending)))
    }
}

impl Pending {
    #[inline]
    fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal> {
        match self {
            Self::Signature(pending) => pending.feed(token, read),
            Self::Transport => Ok(()),
        }
    }

    fn settle(&mut self, read: &impl Reading) {
        if let Self::Signature(pending) = self {
            pending.settle(read);
        }
    }

    fn finish(self) -> Result<Proven, Refusal> {
        match self {
            Self::Signature(pending) => pending.finish().map(Proven::from),
            Self::Transport => Ok(Proven(())),
        }
    }
}

/// The caller must not be told that *its* message is malformed when it is the peer's.
fn as_ours(refusal: Refusal) -> StreamError {
    // The caller can do nothing about it, so it learns no times; whoever operates the gateway needs them.
    if let Refusal::TimestampOutside { theirs, ours, .. } = &refusal {
        tracing::warn!(%theirs, %ours, "a peer's answer is of another time than this node's clock says; compare both with NTP");
    }
    StreamError::Content(match refusal {
        Refusal::PeerSignatureInvalid { .. } | Refusal::Internal => refusal,
        Refusal::SignatureInvalid { .. }
        | Refusal::DigestMismatch { .. }
        | Refusal::SignatureCoverage { .. }
        | Refusal::SignatureAlgorithm { .. }
        | Refusal::SecurityStructure { .. }
        | Refusal::DuplicateId
        | Refusal::TimestampOutside { .. } => Refusal::PEER_SIGNATURE_INVALID,
        _ => Refusal::PEER_ANSWER_INVALID,
    })
}

fn of_peer(error: StreamError) -> StreamError {
    match error {
        StreamError::Content(refusal) => as_ours(refusal),
        StreamError::Connection => error,
    }
}

/// The Header, whole, where there is one, and Body's start tag; and how deep Body's content lies.
async fn head(reader: &mut StreamReader<AnswerBody>, version: Version) -> Result<(Document, usize), StreamError> {
    let soap = version.namespace();
    let mut builder = DocumentBuilder::with_room_for(USUAL_HEAD);
    loop {
        let token = reader.next().await?;
        let read = reader.read();
        let is_body = read.depth() == 2 && read.local() == "Body" && read.uris().get(read.uri()) == soap;
        // The head is kept whole to be verified, so it is bounded: an answer's data stands in Body, not here.
        if reader.range().end > LARGEST_HEAD {
            return Err(StreamError::Content(Refusal::PEER_ANSWER_INVALID));
        }
        builder.add(token, read, reader.range()).map_err(StreamError::Content)?;
        match token {
            Token::Start if is_body => {
                let uris = read.uris().clone();
                let depth = read.depth();
                let document = builder.finish(bytes::Bytes::new(), uris).map_err(StreamError::Content)?;
                let root = document.root();
                let parts: Vec<_> = root.elements().map(|child| (child.namespace(), child.local())).collect();
                let (header, body) = ((soap, "Header"), (soap, "Body"));
                if !root.is(soap, "Envelope") || (parts != [header, body] && parts != [body]) {
                    return Err(StreamError::Content(Refusal::PEER_ANSWER_INVALID));
                }
                return Ok((document, depth));
            }
            Token::Eof => return Err(StreamError::Content(Refusal::PEER_ANSWER_INVALID)),
            _ => {}
        }
    }
}
