//! What is written of a question that an auditor asked of the logs: the auditors have a log of their own, in the form of
//! every other, and a question is answered only once it stands there.
//!
//! At the command line whoever asks signs the question, and the certificate stands beside the signature: who asked is proven by
//! the log alone, also to whoever has no store. In the console the session proves it.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chain::{self, CheckpointKey, Entry, Event, Occasion};
use super::log::{self, Lines, Log, LogError};
use super::place::Place;
use super::retire::is_plain;
use super::seal::Sealed;
use super::writer::AuditSettings;
use crate::agreements::Thumbprint;
use crate::id::cvr::Cvr;
use crate::signature::{algorithms::SignatureAlgorithm, base64, key::Certificate};

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its id (UUID version 7).
    pub question: Uuid,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Who asked.
    pub by: String,
    /// Who that is among the gateway's users, where it was asked in the console or with the store at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// The person asked about, sealed as in the record of a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Sealed>,
    /// The call asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Uuid>,
    /// The authority asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<Cvr>,
    /// The certificate asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Thumbprint>,
    /// Calls from this instant on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Calls before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How far each log that was asked had come.
    pub logs: Vec<Seen>,
    /// The signature of whoever asked, of all that stands above. None in the console, and in questions of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

/// A signature, and the certificate that verifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The certificate of whoever asked, DER in base64.
    pub certificate: String,
    /// Its key's signature (RSA-SHA256) of [`Question::text`], in base64.
    pub signature: String,
}

/// What proves who asked a question.
#[derive(Debug)]
pub enum Proof {
    /// The key of this certificate, which held when it was asked.
    Signed(Box<Certificate>),
    /// A signature that is not that certificate's of this question.
    Wrong,
    /// A session of the console: the question names its user.
    Console,
    /// Nothing: a name that was typed, as before questions were signed.
    Nothing,
}

impl Proof {
    /// In one word, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Signed(_) => "signed",
            Self::Wrong => "wrong",
            Self::Console => "console",
            Self::Nothing => "nothing",
        }
    }
}

/// How far a log had come, by its last checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The number of the entry that the checkpoint covers; 0 where there was none.
    pub sequence: u64,
    /// Its line's hash, in hexadecimal.
    pub hash: String,
}

impl Seen {
    /// How far a log has come in the place in which it is furthest. Of one that is not written there, where its last segment begins.
    ///
    /// # Errors
    /// A place that cannot be read.
    pub fn of(places: &[Box<dyn Place>]) -> std::io::Result<Self> {
        let mut seen = Self { sequence: 0, hash: String::new() };
        for place in places {
            let found = match (place.head()?, place.segments()?.last()) {
                (Some(head), _) => Self { sequence: head.covers, hash: head.head },
                (None, Some((last, _))) if !place.is_written_here() => {
                    let mut lines = Lines::of(place.open(*last)?);
                    let first = lines.read()?.and_then(chain::split).map(|(_, entry)| serde_json::from_slice::<Entry>(entry));
                    match first.transpose()? {
                        Some(Entry { seq, event: Event::Segment { previous, .. }, .. }) => {
                            Self { sequence: seq.saturating_sub(1), hash: previous }
                        }
                        _ => continue,
                    }
                }
                _ => continue,
            };
            if found.sequence > seen.sequence {
                seen = found;
            }
        }
        Ok(seen)
    }
}

/// Why a question is not on record, and therefore not answered.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// A text that cannot stand in a log.
    #[error("the name of whoever asks and --reason are one line of 1 to 200 characters each, and never hold a person's number")]
    Text,
    /// The auditors' log.
    #[error("the question is not on record, so it is not answered: {0}")]
    Log(#[from] LogError),
    /// Its disk.
    #[error("the question is not on record, so it is not answered: {0}")]
    Io(#[from] std::io::Error),
}

/// The questions in a log, in the order in which they were asked.
///
/// # Errors
/// A file cannot be read.
pub fn questions(dir: &Path) -> std::io::Result<Vec<Question>> {
    let mut found = Vec::new();
    for (_, path) in log::segments(dir)? {
        let mut lines = Lines::open(&path)?;
        while let Some(line) = lines.read()? {
            let entry = chain::split(line).and_then(|(_, entry)| serde_json::from_slice::<Entry>(entry).ok());
            if let Some(Event::Asked(question)) = entry.map(|entry| entry.event) {
                found.push(*question);
            }
        }
    }
    Ok(found)
}

impl Question {
    /// Whether its texts may stand in a log.
    ///
    /// # Errors
    /// [`QuestionError::Text`].
    pub fn sound(&self) -> Result<(), QuestionError> {
        if is_plain(&self.by) && is_plain(&self.reason) { Ok(()) } else { Err(QuestionError::Text) }
    }

    /// What is signed: the question as it stands in its line of the log, without the signature.
    ///
    /// # Errors
    /// None that is known: it is text and numbers.
    pub fn text(&self) -> serde_json::Result<String> {
        let unsigned = Self { signed: None, ..self.clone() };
        Ok(format!("hjemmel question v1\n{}\n", serde_json::to_string(&unsigned)?))
    }

    /// What proves who asked.
    pub fn proof(&self) -> Proof {
        match (&self.signed, self.user) {
            (Some(signed), _) => self.verified(signed).map_or(Proof::Wrong, |certificate| Proof::Signed(Box::new(certificate))),
            (None, Some(_)) => Proof::Console,
            (None, None) => Proof::Nothing,
        }
    }

    fn verified(&self, signed: &Signed) -> Option<Certificate> {
        let certificate = Certificate::from_der(&base64::decode(&signed.certificate)?).ok()?;
        let (text, signature) = (self.text().ok()?, base64::decode(&signed.signature)?);
        let by_it = certificate.key().verifies(SignatureAlgorithm::RsaSha256, text.as_bytes(), &signature);
        (by_it && certificate.valid_at(self.asked_at)).then_some(certificate)
    }

    /// Puts it into the auditors' log, which is begun where there is none, and signs it.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub fn record(self, dir: &Path, key: CheckpointKey) -> Result<(), QuestionError> {
        self.sound()?;
        let at = self.asked_at;
        let mut log = Log::open(dir, key, AuditSettings::in_dir(dir).limits, at)?;
        log.append(at, &[Event::Asked(Box::new(self))])?;
        Ok(log.checkpoint(at, Occasion::Stopped)?)
    }
}
