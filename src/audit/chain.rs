//! How one line binds the next.
//!
//! A line is `{"hash":"…","entry":…}`. Its hash is SHA-256 over the previous line's hash (32 bytes; zeros before the
//! first) and the **bytes** of the entry as they stand in the file, so that no re-serialisation can change what is hashed.
//! Entries are numbered from 1 without a gap. A checkpoint signs number and hash of the entry before it.

use aws_lc_rs::{
    digest::{Context, SHA256},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{anchors::Anchored, decided::Decided, question::Question, record::Record, seal::key_id};

/// A line's hash.
pub type Hash = [u8; 32];

const BEFORE: &[u8] = b"{\"hash\":\"";
const BETWEEN: &[u8] = b"\",\"entry\":";
const AFTER: &[u8] = b"}";

/// How far a chain has come: the number and hash of its last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last entry's number; 0 before the first.
    pub sequence: u64,
    /// The last line's hash; zeros before the first.
    pub hash: Hash,
}

impl Head {
    /// Before the first entry.
    pub const GENESIS: Head = Head { sequence: 0, hash: [0; 32] };
}

/// What a line holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// A segment file begins.
    Segment {
        /// Its number, from 1; also in its name.
        number: u64,
        /// The hash of the last line of the segment before, in hexadecimal.
        previous: String,
    },
    /// A call was admitted: from here on it may have been forwarded.
    Admitted(Box<Record>),
    /// A call ended.
    Closed(Box<Record>),
    /// A decision was made on an agreement, a route or a user.
    Decided(Box<Decided>),
    /// An auditor asked a question of the logs.
    Asked(Box<Question>),
    /// How far the log of another node had come.
    Anchored(Box<Anchored>),
    /// What came before is signed.
    Checkpoint(Checkpoint),
    /// After a crash, bytes that are no whole line were found at the end, and kept aside.
    Torn {
        /// The segment in which they stood.
        segment: u64,
        /// From which byte on.
        offset: u64,
        /// How many.
        bytes: u64,
        /// Their SHA-256, in hexadecimal.
        sha256: String,
        /// The file, beside the segments, in which they lie now.
        kept_as: String,
    },
}

/// Why a checkpoint was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The gateway started writing.
    Started,
    /// Enough entries, or enough time.
    Due,
    /// The segment is full; the next line stands in the next.
    SegmentEnd,
    /// The gateway stopped in good order.
    Stopped,
}

/// A signed statement: the chain had come to this entry, with this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // the names say it
pub struct Checkpoint {
    /// The number of the entry before the checkpoint.
    pub covers: u64,
    /// The hash of the line before, in hexadecimal.
    pub head: String,
    pub segment: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// Why.
    pub occasion: Occasion,
    /// Which key signed: the first 16 hexadecimal digits of SHA-256 of the public key.
    pub key: String,
    /// The Ed25519 signature, base64.
    pub signature: String,
}

impl Checkpoint {
    /// The bytes that are signed: every field but key and signature, one a line, after a line that names their use.
    fn message(&self) -> Vec<u8> {
        let occasion = match self.occasion {
            Occasion::Started => "started",
            Occasion::Due => "due",
            Occasion::SegmentEnd => "segment_end",
            Occasion::Stopped => "stopped",
        };
        format!("hjemmel audit checkpoint v1\n{}\n{}\n{}\n{}\n{occasion}\n", self.covers, self.head, self.segment, self.at)
            .into_bytes()
    }

    /// Whether one of `keys` signed it.
    pub fn is_signed_by(&self, keys: &[CheckpointPublicKey]) -> bool {
        BASE64_STANDARD.decode(&self.signature).is_ok_and(|signature| is_signed(&self.message(), &signature, &self.key, keys))
    }
}

/// Whether that one of `keys` which is called `id` signed the message.
pub(super) fn is_signed(message: &[u8], signature: &[u8], id: &str, keys: &[CheckpointPublicKey]) -> bool {
    keys.iter().any(|key| key.id() == id && UnparsedPublicKey::new(&ED25519, &key.0).verify(message, signature).is_ok())
}

/// The key that signs checkpoints.
pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    public: CheckpointPublicKey,
}

impl CheckpointKey {
    /// Takes an Ed25519 key pair; none where its public half is not 32 bytes, as of every Ed25519 key.
    pub fn new(pair: Ed25519KeyPair) -> Option<Self> {
        let public = CheckpointPublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }

    /// The public half.
    pub fn public(&self) -> CheckpointPublicKey {
        self.public
    }

    /// Signs the bytes of a statement, which must name their use in their first line.
    pub(super) fn sign_bytes(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }

    /// Signs how far the chain has come.
    pub fn sign(&self, head: &Head, segment: u64, at: Timestamp, occasion: Occasion) -> Checkpoint {
        let mut checkpoint = Checkpoint {
            covers: head.sequence,
            head: crate::hex::encode(&head.hash),
            segment,
            at,
            occasion,
            key: self.public.id(),
            signature: String::new(),
        };
        checkpoint.signature = BASE64_STANDARD.encode(self.pair.sign(&checkpoint.message()));
        checkpoint
    }
}

impl std::fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CheckpointKey({})", self.public.id())
    }
}

/// The public half, which auditors verify with: 32 bytes, Ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointPublicKey(pub [u8; 32]);

impl CheckpointPublicKey {
    /// What identifies the key.
    pub fn id(&self) -> String {
        key_id(&self.0)
    }
}

/// The hash of a line, given the hash before it and the bytes of its entry.
pub fn link(previous: &Hash, entry: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(entry);
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// Writes the next line (newline included) to `out`, and says how far the chain has come with it.
///
/// # Errors
/// When the entry cannot be serialised; nothing is written then.
pub fn append(out: &mut Vec<u8>, head: &Head, at: Timestamp, event: &Event) -> Result<Head, serde_json::Error> {
    #[derive(Serialize)]
    struct Borrowed<'e> {
        seq: u64,
        at: Timestamp,
        event: &'e Event,
    }
    let sequence = head.sequence.saturating_add(1);
    let entry = serde_json::to_vec(&Borrowed { seq: sequence, at, event })?;
    let hash = link(&head.hash, &entry);
    for part in [BEFORE, crate::hex::encode(&hash).as_bytes(), BETWEEN, &entry, AFTER, b"\n"] {
        out.extend_from_slice(part);
    }
    Ok(Head { sequence, hash })
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not `{"hash":"…","entry":…}` and a newline.
    #[error("it is not a whole line of the log")]
    Form,
    /// The hash does not follow from the line before and this entry: one of the two was altered, or a line between them
    /// was removed, put in or moved.
    #[error("its hash does not follow from the line before it")]
    Hash,
    /// The entry is not of this version's form, though its hash is right.
    #[error("its entry cannot be read")]
    Entry,
    /// The number is not the next one.
    #[error("its number is not the next one")]
    Sequence,
}

/// Reads one line (with its newline) that should follow `head`.
///
/// # Errors
/// What is wrong with it.
pub fn follow(head: &Head, line: &[u8]) -> Result<(Entry, Head), Broken> {
    let (hash, entry) = split(line).ok_or(Broken::Form)?;
    if link(&head.hash, entry) != hash {
        return Err(Broken::Hash);
    }
    let read: Entry = serde_json::from_slice(entry).map_err(|_| Broken::Entry)?;
    if Some(read.seq) != head.sequence.checked_add(1) {
        return Err(Broken::Sequence);
    }
    let head = Head { sequence: read.seq, hash };
    Ok((read, head))
}

/// The hash that a line states, and the bytes of its entry.
pub fn split(line: &[u8]) -> Option<(Hash, &[u8])> {
    let rest = line.strip_suffix(b"\n")?.strip_prefix(BEFORE)?;
    let (hash, rest) = rest.split_at_checked(64)?;
    let entry = rest.strip_prefix(BETWEEN)?.strip_suffix(AFTER)?;
    Some((crate::hex::decode(std::str::from_utf8(hash).ok()?)?, entry))
}
