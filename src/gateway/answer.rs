//! The index's answer: its signature is verified while it streams, and what reads it gets its proof at the end.
//!
//! Two things read the same tokens side by side: the digest of the signed Body, and a [`Sink`], which decides what may
//! leave. Nothing leaves before both agree: [`Sink::finish`] takes the [`VerifiedBody`] that only a whole Body with the
//! right digest gives, and a [`Release`] is made of nothing else.
//!
//! What a sink lets out needs the proof:
//!
//! ```
//! use hjemmel::{gateway::answer::Release, signature::verify::VerifiedBody};
//! fn finish(verified: VerifiedBody, body: Vec<u8>) -> Release {
//!     Release::new(verified, body)
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
//! use hjemmel::{gateway::answer::Release, signature::verify::VerifiedBody};
//! fn finish(body: Vec<u8>) -> Release {
//!     Release::new(VerifiedBody(()), body)
//! }
//! ```

use std::sync::Arc;

use crate::clock::Clock;
use crate::outbound::AnswerBody;
use crate::refusal::Refusal;
use crate::revocation::domain::Domain;
use crate::signature::key::Certificate;
use crate::signature::timestamp::{self, TimeRules};
use crate::signature::verify::{Parts, PendingBody, VerifiedBody, verify_response};
use crate::soap::document::{Document, DocumentBuilder};
use crate::soap::names::{SOAP12, WSA, WSSE};
use crate::soap::reading::Reading;
use crate::soap::stream::{StreamError, StreamReader};
use crate::soap::strict::{Limits, Token};

/// The greatest Header of an answer, in bytes. One with a certificate, a signature and ten references has about ten thousand.
const LARGEST_HEAD: usize = 256 * 1024;
/// What there is room for at once, in bytes.
const USUAL_HEAD: usize = 10 * 1024;

/// The content of an answer's Body that may leave. Made only with the proof that the Body it was read from is signed.
pub struct Release {
    body: Vec<u8>,
}

impl Release {
    /// What a [`Sink`] lets out of a verified Body.
    pub fn new(_: VerifiedBody, body: Vec<u8>) -> Self {
        Self { body }
    }
    /// The one element of the answer's Body, in exclusive canonical form.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// Reads the content of an answer's Body while its signature is checked, and decides what of it may leave.
pub trait Sink {
    /// Takes the next token of the Body's content: after the Body's start tag, up to but not including its end tag.
    ///
    /// # Errors
    /// What is wrong with the answer.
    fn feed(&mut self, token: Token, read: &impl Reading) -> Result<(), Refusal>;

    /// What may leave, once the whole Body was verified.
    ///
    /// # Errors
    /// What is wrong with the answer as a whole.
    fn finish(self, verified: VerifiedBody) -> Result<Release, Refusal>;
}

/// Whose answers are taken, and how they are read.
#[derive(Clone)]
pub struct Verifier {
    /// The index's certificates, pinned.
    pub pinned: Arc<Vec<Certificate>>,
    /// The revocation lists in which they are looked up.
    pub signers: Arc<Domain>,
    /// How far the index's clock may be from ours.
    pub time: TimeRules,
    /// Bounds on the XML of an answer.
    pub limits: Limits,
    /// The clock.
    pub clock: Clock,
}

impl Verifier {
    /// Reads the answer to the message `message_id` to its end.
    ///
    /// # Errors
    /// `Connection` where it broke off; what is wrong with the message, its signature, or what the sink says.
    pub async fn read<S: Sink>(&self, body: AnswerBody, message_id: &str, mut sink: S) -> Result<Release, StreamError> {
        let mut reader = StreamReader::new(body, self.limits);
        let (head, body_depth) = head(&mut reader).await?;
        let mut pending = self.verify_head(&head, message_id).map_err(StreamError::Content)?;
        loop {
            let token = match reader.ready()? {
                Some(token) => token,
                None => {
                    pending.settle(reader.read());
                    reader.next().await?
                }
            };
            pending.feed(token, reader.read()).map_err(StreamError::Content)?;
            if token == Token::End && reader.read().depth() < body_depth {
                break;
            }
            sink.feed(token, reader.read()).map_err(StreamError::Content)?;
        }
        // To the end of the document, so that a truncated or trailing one is not taken for whole.
        loop {
            match reader.next().await? {
                Token::Eof => break,
                Token::End | Token::Nothing => {}
                Token::Text if reader.read().text().trim().is_empty() => {}
                _ => return Err(StreamError::Content(Refusal::PeerAnswerInvalid)),
            }
        }
        pending.finish().and_then(|verified| sink.finish(verified)).map_err(StreamError::Content)
    }

    fn verify_head(&self, head: &Document, message_id: &str) -> Result<PendingBody, Refusal> {
        let header = head.root().elements().next().ok_or(Refusal::PeerAnswerInvalid)?;
        let relates = header.only(WSA, "RelatesTo").ok().flatten().and_then(|relates| relates.text());
        // An answer to another call, replayed to this one, would carry somebody else's benefits.
        if relates.as_deref().map(str::trim) != Some(message_id) {
            return Err(Refusal::PeerAnswerInvalid);
        }
        let mut children = head.root().elements();
        let (Some(header), Some(body)) = (children.next(), children.next()) else { return Err(Refusal::PeerAnswerInvalid) };
        let security = header.only(WSSE, "Security").ok().flatten().ok_or(Refusal::PeerSignatureInvalid)?;
        let must_cover = header.elements().filter(|block| block.namespace() == WSA).collect();
        let now = self.clock.now();
        let lists = self.signers.current();
        let standing: Vec<_> = self.pinned.iter().filter(|pinned| lists.refusal(pinned.der(), now).is_none()).cloned().collect();
        let (message, pending) = verify_response(head, &Parts { header, security, body, must_cover }, &standing)?;
        timestamp::check(message.timestamp(), &self.time, now)?;
        Ok(pending)
    }
}

/// The Header, whole, and Body's start tag; and how deep Body's content lies.
async fn head(reader: &mut StreamReader<AnswerBody>) -> Result<(Document, usize), StreamError> {
    let mut builder = DocumentBuilder::with_room_for(USUAL_HEAD);
    loop {
        let token = reader.next().await?;
        let read = reader.read();
        let is_body = read.depth() == 2 && read.local() == "Body" && read.uris().get(read.uri()) == SOAP12;
        // The head is kept whole to be verified, so it is bounded: an answer's benefits stand in Body, not here.
        if reader.range().end > LARGEST_HEAD {
            return Err(StreamError::Content(Refusal::PeerAnswerInvalid));
        }
        builder.add(token, read, reader.range()).map_err(StreamError::Content)?;
        match token {
            Token::Start if is_body => {
                let uris = read.uris().clone();
                let depth = read.depth();
                let document = builder.finish(bytes::Bytes::new(), uris).map_err(StreamError::Content)?;
                let root = document.root();
                let shape: Vec<_> = root.elements().map(|child| child.local()).collect();
                if !root.is(SOAP12, "Envelope") || shape != ["Header", "Body"] {
                    return Err(StreamError::Content(Refusal::PeerAnswerInvalid));
                }
                return Ok((document, depth));
            }
            Token::Eof => return Err(StreamError::Content(Refusal::PeerAnswerInvalid)),
            _ => {}
        }
    }
}
