//! What the content of a file must be, by its InfRef.
//!
//! The rules are services' own ([`ContentRule`]) and come in when a node is put together; here it is known when they are asked, and
//! what follows. A file of an InfRef that no rule has goes as it is. A mailbox's data stream names a rule by the same InfRef, and has it
//! check the content alone.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::{Buf, Bytes};
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::codes::Code;
use super::name::Name;
use crate::audit::{AboutPersons, Durable, FinanceFigures};
use crate::id::cvr::Cvr;
use crate::objects::{Object, Objects, Reading, Writing};
use crate::refusal::Detail;
use crate::store::{StoreError, Transaction};

/// How many files a node judges by their content at once: each may take minutes and tens of megabytes.
pub(super) const AT_ONCE: usize = 2;

/// What a rule answers, later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What files of one InfRef must be.
pub trait ContentRule: Send + Sync {
    /// Judges a file, off the runtime's threads. It is asked again for the same transfer where anything after it failed or the
    /// process died, and then answers as before.
    fn judge(&self, candidate: Candidate) -> Later<'_, Result<Judgement, Passing>>;

    /// Writes what follows, in the transaction that delivers the file.
    fn delivered<'a>(
        &'a self,
        transaction: &'a mut Transaction,
        transfer: Uuid,
        passed: &'a Passed,
        now: Timestamp,
    ) -> Later<'a, Result<(), StoreError>>;

    /// Judges a content by itself, for the authority that sends it, on behalf of a mailbox's data stream: nothing is claimed or remembered.
    /// `None`: what the rule is of has no such judgement.
    fn check(&self, _content: Content, _sender: Cvr, _now: Timestamp) -> Option<Later<'_, Result<Vec<Code>, Passing>>> {
        None
    }

    /// Nothing comes of a transfer that was judged, or may have been: what was taken for it is free again.
    fn given_up(&self, transfer: Uuid) -> Later<'_, Result<(), StoreError>>;

    /// How a file is taken in, where the platform itself is whom it is for. Nothing is delivered then.
    fn taking(&self) -> Option<&dyn Taking> {
        None
    }
}

/// Takes files in: nobody else receives them, and their sender gets an answer file.
pub trait Taking: Send + Sync {
    /// Takes in a file that was judged and whose admission is on disk, and writes the answer, which has the room that `answer` gives. Where
    /// the process dies before its end it is done again from the beginning.
    fn take<'a>(
        &'a self,
        candidate: Candidate,
        recorded: &'a Durable,
        answer: &'a mut Writing,
    ) -> Later<'a, Result<TakenIn, Passing>>;
}

/// What came of a file that was taken in.
#[derive(Debug, Default)]
pub struct TakenIn {
    /// What the audit has of it.
    pub about: AboutPersons,
    /// Whom it was about, as the learning platform knows them; the first of them.
    pub persons: Vec<String>,
    /// How many more.
    pub persons_left_out: u64,
}

/// A file that is to be judged.
#[derive(Debug)]
#[allow(missing_docs)] // the names say it
pub struct Candidate {
    pub transfer: Uuid,
    /// Its name, which is told to nobody.
    pub name: Name,
    /// The sending user.
    pub sender: Uuid,
    /// The sender's name.
    pub sender_name: String,
    /// The sender's it-system.
    pub system: Uuid,
    /// The authority that is sent for, by the route order.
    pub sender_authority: Cvr,
    /// The authority that receives, by the same.
    pub recipient_authority: Cvr,
    /// The receiving users, each with its it-system.
    pub recipients: Vec<(Uuid, Uuid)>,
    /// What is in it.
    pub content: Content,
    /// The submission that its trigger names.
    pub transaction: Option<Uuid>,
    /// When it came, where an attempt before this one may have taken in some of it.
    pub again: Option<Timestamp>,
    pub now: Timestamp,
}

/// The content of a file, to be read as often as need be.
pub struct Content {
    objects: Objects,
    object: Object,
    /// As long as it may be read, it counts as being judged.
    _place: OwnedSemaphorePermit,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content")
    }
}

impl Content {
    pub(super) fn new(objects: Objects, object: Object, place: OwnedSemaphorePermit) -> Self {
        Self { objects, object, _place: place }
    }

    /// Its length, in bytes.
    pub fn length(&self) -> u64 {
        self.object.length
    }

    /// Opens it from the beginning, on a thread that may block.
    ///
    /// # Errors
    /// The object store does not have it, or does not answer.
    pub fn open(&self) -> io::Result<ContentReader> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let reading = runtime.block_on(self.objects.read(&self.object, 0)).map_err(io::Error::other)?;
        Ok(ContentReader { runtime, reading, ahead: Bytes::new() })
    }
}

/// Reads a content on a thread that may block.
pub struct ContentReader {
    runtime: Handle,
    reading: Reading,
    ahead: Bytes,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            self.ahead = self.runtime.block_on(self.reading.next()).map_err(io::Error::other)?.unwrap_or_default();
        }
        let length = self.ahead.len().min(buffer.len());
        let (now, _) = buffer.split_at_mut_checked(length).ok_or_else(|| io::Error::other("no room"))?;
        self.ahead.copy_to_slice(now);
        Ok(length)
    }
}

/// A verdict.
pub enum Judgement {
    /// It may be delivered.
    Passed(Box<Passed>),
    /// It may not: each thing that is wrong.
    Refused(Vec<Code>),
    /// It is not judged before the platform is ready for it, however long that takes: no attempt is counted.
    Waits,
}

/// A content that may be delivered.
pub struct Passed {
    /// What its sender is told beside the success.
    pub warnings: Vec<Detail>,
    /// What the audit has of what is in it.
    pub figures: Option<FinanceFigures>,
    /// What the rule itself needs once it is delivered.
    pub memo: Box<dyn Any + Send + Sync>,
}

/// A rule could not judge now: the store or the object store does not answer. Names nothing of the content.
#[derive(Debug, thiserror::Error)]
#[error("the content cannot be judged now: {0}")]
pub struct Passing(pub String);

/// The rules of each InfRef.
pub type ByInfRef = BTreeMap<String, Arc<dyn ContentRule>>;

/// The rules in force. A reload exchanges them.
#[derive(Default)]
pub struct Contents(RwLock<Arc<ByInfRef>>);

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contents")
    }
}

impl Contents {
    /// From now on these hold.
    pub fn replace(&self, rules: ByInfRef) {
        let rules = rules.into_iter().map(|(inf_ref, rule)| (composed(&inf_ref), rule)).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// The rule for an InfRef, as a trigger spells it.
    pub fn of(&self, inf_ref: &str) -> Option<Arc<dyn ContentRule>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&composed(inf_ref)).cloned()
    }
}

/// As InfRefs are compared.
pub fn composed(inf_ref: &str) -> String {
    inf_ref.nfc().collect()
}
