//! Files of persons (InfRef `PersonImport_1`), CSV or XML: read to their end before anything is taken, then taken in parts of as many
//! persons as a call has, and answered by a file with a line for each remark.
//!
//! Who may send which institutions' persons is said by the same agreement as for calls, between the sending user's it-system and this
//! service for the authority of the route order. A file takes the room of one part, whatever its length.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use uuid::Uuid;

use super::door::{Counted, Door, MOST, Terms};
use crate::agreements::ClientSystem;
use crate::audit::Durable;
use crate::files::codes::Code;
use crate::files::content::{Candidate, ContentRule, Judgement, Later, Passed, Passing, TakenIn, Taking};
use crate::objects::Writing;
use crate::persons::answer::{Answer, ResultFile, Status};
use crate::persons::erase::{self, replay};
use crate::persons::file::{FileError, Rows};
use crate::persons::import::MOST as MOST_OF_FILE;
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
    fn held(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.held())
    }
}

/// So many bytes are kept for the line that says what is not listed.
const LAST_LINE: u64 = 4096;

/// Of the room of a list this part is for persons who are listed in short: a usual mistake, such as a header of other names, gives
/// each person tens of remarks, and the list would be full after the first of them.
const IN_SHORT: u64 = 4;

/// The answers of a file: the first in full, as many as there is room for, the others in a line each, as many as there is room for.
struct Listed {
    result: ResultFile<Pending>,
    pending: Pending,
    /// Bytes that may still be written: answers in full, answers in short.
    room: (u64, u64),
    /// Whether the room for answers in full is used up.
    is_short: bool,
    /// How many persons are not listed, and how many of them were refused.
    left_out: (u64, u64),
}

impl Listed {
    fn new(room: u64) -> io::Result<Self> {
        let (pending, room) = (Pending::default(), room.saturating_sub(LAST_LINE));
        let result = ResultFile::new(pending.clone())?;
        let mut listed =
            Self { result, pending, room: (room - room / IN_SHORT, room / IN_SHORT), is_short: false, left_out: (0, 0) };
        listed.result.flush()?;
        listed.room.0 = listed.room.0.saturating_sub(listed.pending.held().len() as u64);
        Ok(listed)
    }

    fn add(&mut self, answers: &[Answer]) -> io::Result<()> {
        for answer in answers {
            if !self.is_short {
                self.is_short = !self.fits(|result| result.write(answer), |room| &mut room.0)?;
            }
            if self.is_short && (self.left_out.0 > 0 || !self.fits(|result| result.write_short(answer), |room| &mut room.1)?) {
                self.left_out.0 += 1;
                self.left_out.1 += u64::from(answer.status == Status::Refused);
            }
        }
        Ok(())
    }

    /// Writes, unless it is more than there is room for.
    fn fits(
        &mut self,
        write: impl FnOnce(&mut ResultFile<Pending>) -> io::Result<()>,
        of: impl FnOnce(&mut (u64, u64)) -> &mut u64,
    ) -> io::Result<bool> {
        let before = self.pending.held().len();
        write(&mut self.result)?;
        self.result.flush()?;
        let length = self.pending.held().len().saturating_sub(before) as u64;
        let room = of(&mut self.room);
        if length > *room {
            self.pending.held().truncate(before);
            return Ok(false);
        }
        *room -= length;
        Ok(true)
    }

    fn take(&mut self) -> Vec<u8> {
        self.pending.take()
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        if let (more @ 1.., refused) = self.left_out {
            self.result.left_out(more, refused)?;
        }
        Ok(self.result.finish()?.take())
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a file to its end; how many persons it has, `most` at most.
fn counted(file: impl Read, most: u64) -> Result<u64, FileError> {
    let (mut rows, mut found) = (Rows::open(file)?, 0);
    while rows.next_row()?.is_some() {
        found += 1;
        if found > most {
            let da = format!("filen har flere end {most} personer: del den i flere filer");
            return Err(FileError::Content(Detail::new(
                da,
                format!("the file has more than {most} persons: divide it into several files"),
            )));
        }
    }
    Ok(found)
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
        // Until then nobody is imported. Nothing of the file is taken in meanwhile, so that a first attempt stays the first.
        let persons = &self.door.persons;
        let mut session = persons.database().session().await.map_err(passing)?;
        if !replay::missing(&mut session, persons.node()).await.map_err(passing)?.is_empty() {
            return Ok(Judgement::Waits);
        }
        drop(session);
        if let Some(came) = candidate.again
            && erase::any_since(self.door.persons.database(), candidate.sender_authority, came).await.map_err(passing)?
        {
            return Ok(refused(
                "en af myndighedens personer er slettet, efter at filen kom, og en del af filen kan være taget ind, før platformen fejlede: \
                 send den igen uden dem, der er slettet; de øvrige, der er taget ind, besvares med UAENDRET",
                "a person of the authority was erased after the file came, and part of the file may have been taken in before the platform \
                 failed: send it again without those who were erased; the others that were taken in are answered UAENDRET",
            ));
        }
        // To the end, so that a file that breaks off is refused whole.
        let read = move || counted(candidate.content.open().map_err(FileError::Io)?, MOST_OF_FILE);
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
        let again = candidate.again;
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
        let mut listed = Listed::new(answer.room()).map_err(passing)?;
        let mut importing = match again {
            Some(came) => self.door.begin_again(recorded, terms, came),
            None => self.door.begin(recorded, terms),
        };
        let mut counted = Counted::default();
        while let Some(rows) = parts.recv().await {
            let answers = importing.persons(rows).await.map_err(|failed| passing(Refusal::from(failed).code()))?;
            counted.add(&answers);
            listed.add(&answers).map_err(passing)?;
            answer.write(&listed.take()).await.map_err(passing)?;
        }
        reading.await.map_err(passing)?.map_err(passing)?;
        answer.write(&listed.finish().map_err(passing)?).await.map_err(passing)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(row: u64) -> Answer {
        Answer { row, status: Status::Refused, number: None, warnings: Vec::new(), errors: Vec::new() }
    }

    #[test]
    fn a_file_with_one_person_too_many_is_refused_before_anybody_is_taken() {
        let file = "CPRnummer\nx\nx\nx\n";
        assert_eq!(counted(file.as_bytes(), 3).unwrap(), 3);
        let Err(FileError::Content(what)) = counted(file.as_bytes(), 2) else { panic!("two are the most") };
        assert!(what.da().contains("flere end 2 personer") && what.en().contains("more than 2 persons"), "{what:?}");
    }

    #[test]
    fn a_list_ends_where_its_room_does_and_says_of_how_many_more_nothing_is_listed() {
        let room = LAST_LINE + 1_000;
        let (mut listed, mut written) = (Listed::new(room).unwrap(), Vec::new());
        for part in 0..10 {
            let answers: Vec<Answer> = (1..=20).map(|row| answer(part * 20 + row)).collect();
            listed.add(&answers).unwrap();
            written.extend(listed.take());
        }
        written.extend(listed.finish().unwrap());
        assert!(written.len() as u64 <= room);
        let text = String::from_utf8(written).unwrap();
        let (lines, last) = text.trim_end().rsplit_once("\r\n").unwrap();
        let listed = lines.lines().skip(1).count();
        assert!((1..200).contains(&listed) && lines.ends_with(&format!("{listed};AFVIST;;;;;;;;")), "{lines}");
        let more = 200 - listed;
        assert!(last.contains(&format!("{more} personer mere er besvaret, heraf {more} AFVIST")), "{last}");
        assert!(last.contains(&format!("{more} more persons were answered")), "{last}");
    }
}
