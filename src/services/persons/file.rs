//! Files of persons (InfRef `PersonImport_1`), CSV or XML: read to their end before anything is taken, then taken in parts of as many
//! persons as a call has, and answered by a file with a line for each remark.
//!
//! Who may send which institutions' persons is said by the same agreement as for calls, between the sending user's it-system and this
//! service for the authority of the route order. A file takes the room of one part, whatever its length.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::door::{Counted, Door, MOST, Terms};
use crate::agreements::ClientSystem;
use crate::audit::Durable;
use crate::files::codes::Code;
use crate::files::content::{Candidate, ContentRule, Judgement, Later, Passed, Passing, TakenIn, Taking};
use crate::objects::Writing;
use crate::persons::answer::ResultFile;
use crate::persons::file::{FileError, Rows};
use crate::refusal::{Detail, Party, Refusal};
use crate::store::{StoreError, Transaction};

/// The rule.
pub struct PersonFiles {
    /// The service.
    pub door: Arc<Door>,
}

fn passing(error: impl std::fmt::Display) -> Passing {
    Passing(error.to_string())
}

fn refused(da: &str, en: &str) -> Judgement {
    Judgement::Refused(vec![Code::FIL1050 { what: Detail::new(da.trim_end_matches('.'), en.trim_end_matches('.')) }])
}

/// What is written and not yet sent on.
#[derive(Clone, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Pending {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PersonFiles {
    /// What the sender's agreement says.
    async fn terms(&self, candidate: &Candidate) -> Result<Terms, Refusal> {
        let agreement = self.door.agreement(ClientSystem::System(candidate.system), candidate.sender_authority).await?;
        self.door.terms(&agreement).await
    }

    async fn judged(&self, candidate: Candidate) -> Result<Judgement, Passing> {
        if let Err(refusal) = self.terms(&candidate).await {
            let entry = refusal.entry();
            return match entry.party {
                Party::Gateway => Err(passing(entry.code)),
                Party::Caller => Ok(refused(
                    &format!("{} {}", entry.da.what, entry.da.remedy),
                    &format!("{} {}", entry.en.what, entry.en.remedy),
                )),
            };
        }
        // To the end, so that a file that breaks off is refused whole.
        let read = move || -> Result<u64, FileError> {
            let mut rows = Rows::open(candidate.content.open().map_err(FileError::Io)?)?;
            let mut found = 0;
            while rows.next_row()?.is_some() {
                found += 1;
            }
            Ok(found)
        };
        match tokio::task::spawn_blocking(read).await.map_err(passing)? {
            Ok(0) => Ok(refused("filen har ingen personer", "the file has no persons")),
            Ok(_) => Ok(Judgement::Passed(Box::new(Passed { warnings: Vec::new(), figures: None, memo: Box::new(()) }))),
            Err(FileError::Content(what)) => Ok(refused(what.da(), what.en())),
            Err(FileError::Io(error)) => Err(passing(error)),
        }
    }

    async fn taken(&self, candidate: Candidate, recorded: &Durable, answer: &mut Writing) -> Result<TakenIn, Passing> {
        // As it was judged, unless it was suspended meanwhile: then it is judged anew.
        let terms = self.terms(&candidate).await.map_err(|refusal| passing(refusal.code()))?;
        let (send, mut parts) = tokio::sync::mpsc::channel(1);
        let reading = tokio::task::spawn_blocking(move || -> Result<(), FileError> {
            let mut rows = Rows::open(candidate.content.open().map_err(FileError::Io)?)?;
            loop {
                let part = rows.some(MOST)?;
                // Whoever does not listen any more has failed, and says so.
                if part.is_empty() || send.blocking_send(part).is_err() {
                    return Ok(());
                }
            }
        });
        let pending = Pending::default();
        let mut result = ResultFile::new(pending.clone()).map_err(passing)?;
        let (mut counted, mut importing) = (Counted::default(), self.door.begin(recorded, terms));
        while let Some(rows) = parts.recv().await {
            let answers = importing.persons(rows).await.map_err(|refusal| passing(refusal.code()))?;
            counted.add(&answers);
            for answered in &answers {
                result.write(answered).map_err(passing)?;
            }
            answer.write(&pending.take()).await.map_err(passing)?;
        }
        reading.await.map_err(passing)?.map_err(passing)?;
        result.finish().map_err(passing)?;
        answer.write(&pending.take()).await.map_err(passing)?;
        Ok(TakenIn { about: counted.about, persons: counted.persons, persons_left_out: counted.left_out })
    }
}

impl ContentRule for PersonFiles {
    fn judge(&self, candidate: Candidate) -> Later<'_, Result<Judgement, Passing>> {
        Box::pin(self.judged(candidate))
    }

    /// Nothing follows: such a file is never delivered.
    fn delivered<'a>(
        &'a self,
        _transaction: &'a mut Transaction,
        _transfer: Uuid,
        _passed: &'a Passed,
        _now: Timestamp,
    ) -> Later<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// Nothing is held for one.
    fn given_up(&self, _transfer: Uuid) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn taking(&self) -> Option<&dyn Taking> {
        Some(self)
    }
}

impl Taking for PersonFiles {
    fn take<'a>(
        &'a self,
        candidate: Candidate,
        recorded: &'a Durable,
        answer: &'a mut Writing,
    ) -> Later<'a, Result<TakenIn, Passing>> {
        Box::pin(self.taken(candidate, recorded, answer))
    }
}
