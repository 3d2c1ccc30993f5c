//! What the answer may contain: verified while it streams, filtered object by object, and held back until all is known.
//!
//! Two things read the same tokens side by side: the digest of the signed Body, and the release filter. Nothing of the
//! answer leaves before both have said yes; a signature that fails at the last byte takes everything with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tower::Service;

use super::call::OfCall;
use super::exchange::Authorised;
use super::forward::Answer;
use super::request_policy::Judged;
use super::step::Step;
use crate::agreements::Cvr;
use crate::audit::Record;
use crate::clock::Clock;
use crate::outbound::AnswerBody;
use crate::policy::document::Policy;
use crate::policy::release::{Ask, Counterpart, Counts, Filter, Limits as ReleaseLimits, Released};
use crate::refusal::Refusal;
use crate::revocation::domain::Domain;
use crate::signature::key::Certificate;
use crate::signature::timestamp::{self, TimeRules};
use crate::signature::verify::{Parts, PendingBody, verify_response};
use crate::soap::document::{Document, DocumentBuilder};
use crate::soap::names::{SOAP12, WSA, WSSE};
use crate::soap::reading::Reading;
use crate::soap::stream::{StreamError, StreamReader};
use crate::soap::strict::{Limits, Token};

/// The greatest Header of an answer, in bytes. One with a certificate, a signature and ten references has about ten thousand.
const LARGEST_HEAD: usize = 256 * 1024;
/// What there is room for at once, in bytes.
const USUAL_HEAD: usize = 10 * 1024;

/// The step.
#[derive(Clone)]
pub struct ResponsePolicyStep {
    /// The index's certificates, pinned.
    pub pinned: Arc<Vec<Certificate>>,
    /// The revocation lists in which they are looked up.
    pub signers: Arc<Domain>,
    /// How far the index's clock may be from ours.
    pub time: TimeRules,
    /// What the reader of answers puts up with.
    pub limits: Limits,
    /// Bounds on what is held: one object, and what is released, in bytes.
    pub release: ReleaseLimits,
    /// The clock.
    pub clock: Clock,
}

impl ResponsePolicyStep {
    async fn filter(&self, answer: Answer) -> Result<Released, Refusal> {
        let Answer { grant, message_id, body, deadline, allowed, pass } = answer;
        let call = grant.call().clone();
        let permitted = grant.permitted();
        let ask = ask(permitted.judged(), permitted.policy(), permitted.admitted().owners(), self.release);
        let mut filter = Filter::new(permitted.policy().release().clone(), ask);
        let mut reader = StreamReader::new(body, self.limits);
        let read = self.read(&mut reader, &mut filter, &message_id).await;
        // An index that answers nonsense or breaks off is a failing index; a refusal of ours is not its fault.
        let late = tokio::time::Instant::now() >= deadline;
        let mut outcome = match read {
            Ok(()) => filter.finish(),
            Err(StreamError::Connection) if late => Err(Refusal::IndexTimeout { seconds: allowed.as_secs() }),
            Err(StreamError::Connection) => Err(Refusal::IndexUnavailable),
            Err(StreamError::Content(refusal)) => Err(as_ours(refusal)),
        };
        match &outcome {
            Err(
                Refusal::IndexTimeout { .. }
                | Refusal::IndexUnavailable
                | Refusal::IndexAnswerInvalid
                | Refusal::IndexSignatureInvalid,
            ) => {
                pass.failed(std::time::Instant::now());
            }
            _ => pass.succeeded(),
        }
        if let Ok(released) = &mut outcome {
            let counts = released.take_counts();
            call.note(|record| note(record, counts));
        }
        outcome
    }

    async fn read(
        &self,
        reader: &mut StreamReader<AnswerBody>,
        filter: &mut Filter,
        message_id: &str,
    ) -> Result<(), StreamError> {
        let (head, body_depth) = head(reader).await?;
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
            filter.feed(token, reader.read()).map_err(StreamError::Content)?;
        }
        // To the end of the document, so that a truncated or trailing one is not taken for whole.
        loop {
            match reader.next().await? {
                Token::Eof => break,
                Token::End | Token::Nothing => {}
                Token::Text if reader.read().text().trim().is_empty() => {}
                _ => return Err(StreamError::Content(Refusal::IndexAnswerInvalid)),
            }
        }
        pending.finish().map(|_| ()).map_err(StreamError::Content)
    }

    fn verify_head(&self, head: &Document, message_id: &str) -> Result<PendingBody, Refusal> {
        let header = head.root().elements().next().ok_or(Refusal::IndexAnswerInvalid)?;
        let relates = header.only(WSA, "RelatesTo").ok().flatten().and_then(|relates| relates.text());
        // An answer to another call, replayed to this one, would carry somebody else's benefits.
        if relates.as_deref().map(str::trim) != Some(message_id) {
            return Err(Refusal::IndexAnswerInvalid);
        }
        let mut children = head.root().elements();
        let (Some(header), Some(body)) = (children.next(), children.next()) else { return Err(Refusal::IndexAnswerInvalid) };
        let security = header.only(WSSE, "Security").ok().flatten().ok_or(Refusal::IndexSignatureInvalid)?;
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
            return Err(StreamError::Content(Refusal::IndexAnswerInvalid));
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
                    return Err(StreamError::Content(Refusal::IndexAnswerInvalid));
                }
                return Ok((document, depth));
            }
            Token::Eof => return Err(StreamError::Content(Refusal::IndexAnswerInvalid)),
            _ => {}
        }
    }
}

/// The caller must not be told that *its* message is malformed when it is the index's.
fn as_ours(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::IndexFault
        | Refusal::IndexSignatureInvalid
        | Refusal::PersonUnproven
        | Refusal::AnswerTooLarge { .. }
        | Refusal::Internal => refusal,
        Refusal::SignatureInvalid { .. }
        | Refusal::DigestMismatch { .. }
        | Refusal::SignatureCoverage { .. }
        | Refusal::SignatureAlgorithm { .. }
        | Refusal::SecurityStructure { .. }
        | Refusal::DuplicateId
        | Refusal::TimestampOutside { .. } => Refusal::IndexSignatureInvalid,
        _ => Refusal::IndexAnswerInvalid,
    }
}

/// What the answer is judged by, as it follows from the request and the agreements.
pub fn ask(judged: &Judged, policy: &Policy, owners: &BTreeMap<Cvr, String>, limits: ReleaseLimits) -> Ask {
    let search = &judged.search;
    let cvrs = owners.keys().map(ToString::to_string).collect();
    Ask {
        person: search.person().clone(),
        window: *search.window(),
        counterpart: Counterpart::Municipalities(cvrs),
        names: Arc::new(owners.iter().map(|(cvr, name)| (cvr.to_string(), name.clone())).collect()),
        kle: judged.kle.clone(),
        sensitivity: judged.sensitivity.clone(),
        asked: search.asked(),
        naive: policy.request().naive,
        limits,
        decisions: false,
    }
}

fn note(record: &mut Record, counts: Counts) {
    if counts.objects_released > 0 {
        record.released.objects.insert("released".to_owned(), counts.objects_released);
    }
    record.released.fields = counts.fields_released;
    record.removed.objects = counts.objects_removed;
    record.removed.fields = counts.fields_removed;
}

impl<S> Step<S> for ResponsePolicyStep
where
    S: Service<Authorised, Response = Answer, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = Authorised;
    type Out = Released;
    type Error = Refusal;

    async fn pass(&self, authorised: Authorised, mut inner: S) -> Result<Released, Refusal> {
        let call = authorised.call().clone();
        let answer = inner.call(authorised).await?;
        let started = call.start();
        let released = self.filter(answer).await;
        call.finish("response_policy", started);
        released
    }
}
