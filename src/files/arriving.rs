//! A file that is being written, seen by nobody before its close.
//!
//! What comes in order goes straight on to the object store, digested and encrypted as it comes, and lies nowhere else: nearly every client
//! sends so. Of a short one nothing is sent before its close. Who writes anywhere else, cuts, reads what is long or takes half a day gets a staged file on
//! this machine's disk ([`super::staged`]), into which what came so far is read back; its close hands it on as a whole. So it does where
//! as many as may already go straight on, for each of those holds two parts in memory at the most.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::core::{Failed, Files, drop_content};
use super::home::Problem;
use super::shelf;
use super::staged::{self, Staged};
use crate::objects::{Object, ObjectName, Writing};

/// Files of a node that go straight on at a time.
pub(super) const AT_ONCE: usize = 16;
/// As long as a file is no longer than this, in bytes, nothing of it is sent.
const START: usize = 64 * 1024;
/// For how long a file goes straight on: what is sent for days is taken for abandoned, in the bucket too.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// The file.
pub(super) struct Arriving {
    files: Files,
    /// How large it may become.
    limit: u64,
    /// Whether it may go straight on once it is longer than what is kept of it.
    may_go_on: bool,
    way: Way,
}

enum Way {
    Straight(Box<Straight>),
    Staged(Staged),
    /// Nothing becomes of it: it was refused or handed on, or something of it is lost. So large it was.
    Over(u64),
}

/// All of it came in order.
struct Straight {
    size: u64,
    /// All of it, as long as nothing is sent.
    start: Vec<u8>,
    sent: Option<Sent>,
    _place: OwnedSemaphorePermit,
}

/// A content on its way. Dropped before it is whole, its row goes too.
struct Sent {
    files: Files,
    name: ObjectName,
    /// None once it is whole, or may be. Nobody waits for it: it is had by one at a time, and the library's uploads are not shared.
    writing: Option<Mutex<Writing>>,
    since: Timestamp,
}

impl Sent {
    /// A row says that it is sent before anything is.
    async fn begin(files: &Files, limit: u64) -> Result<Self, Failed> {
        let (name, since) = files.announced().await?;
        let writing = files.objects().begin_as(name, limit)?;
        Ok(Self { files: files.clone(), name, writing: Some(Mutex::new(writing)), since })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        Ok(self.writing()?.write(bytes).await?)
    }

    fn writing(&mut self) -> Result<&mut Writing, Failed> {
        Ok(self.writing.as_mut().ok_or_else(over)?.get_mut())
    }

    async fn finish(mut self) -> Result<Object, Failed> {
        Ok(self.writing.take().ok_or_else(over)?.into_inner().finish().await?)
    }
}

fn over() -> Failed {
    std::io::Error::other("nothing becomes of this file any more").into()
}

impl Drop for Sent {
    fn drop(&mut self) {
        // What was sent of it is taken away with the upload.
        if let (Some(_), Ok(runtime)) = (&self.writing, tokio::runtime::Handle::try_current()) {
            let (files, content) = (self.files.clone(), self.name.uuid());
            runtime.spawn(async move {
                let forgotten = async { shelf::forget(&mut files.database().session().await?, content).await };
                if let Err(error) = forgotten.await {
                    tracing::debug!(%error, "the row of a content that did not come whole stays until it is cleaned up");
                }
            });
        }
    }
}

impl Straight {
    fn goes_on(&self, offset: u64, now: Timestamp) -> bool {
        let takes_too_long = self.sent.as_ref().is_some_and(|sent| now.duration_since(sent.since) >= LONGEST);
        offset == self.size && !takes_too_long
    }

    /// Whether nothing needs to be sent for it.
    fn has_room_for(&self, bytes: &[u8]) -> bool {
        self.sent.is_none() && self.start.len().saturating_add(bytes.len()) <= START
    }

    async fn add(&mut self, files: &Files, limit: u64, bytes: &[u8]) -> Result<(), Failed> {
        let has_room = self.has_room_for(bytes);
        match &mut self.sent {
            None if has_room => self.start.extend_from_slice(bytes),
            None => {
                let mut sent = Sent::begin(files, limit).await?;
                sent.write(&std::mem::take(&mut self.start)).await?;
                sent.write(bytes).await?;
                self.sent = Some(sent);
            }
            Some(sent) => sent.write(bytes).await?,
        }
        self.size = self.size.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// What came so far, in a file in which anything can be written.
    async fn staged(self, files: &Files) -> Result<Staged, Failed> {
        let mut staged = Staged::new(&files.0.settings.staging).await?;
        let Some(sent) = self.sent else {
            staged.write_at(0, Bytes::from(self.start)).await?;
            return Ok(staged);
        };
        let object = sent.finish().await?;
        let read = read_back(files, &object, &mut staged).await;
        drop_content(&files.0.parts, Some(object.name.uuid())).await;
        read.map(|()| staged)
    }
}

impl Arriving {
    /// An empty one that is short: nothing of it goes straight on.
    pub(super) async fn short(files: &Files, limit: u64) -> Result<Self, Failed> {
        Ok(Self { may_go_on: false, ..Self::new(files, limit).await? })
    }

    /// An empty one, that may become so large.
    pub(super) async fn new(files: &Files, limit: u64) -> Result<Self, Failed> {
        let way = match files.0.straight.clone().try_acquire_owned() {
            Ok(place) => Way::Straight(Box::new(Straight { size: 0, start: Vec::new(), sent: None, _place: place })),
            Err(_) => Way::Staged(Staged::new(&files.0.settings.staging).await?),
        };
        Ok(Self { files: files.clone(), limit, may_go_on: true, way })
    }

    pub(super) fn size(&self) -> u64 {
        match &self.way {
            Way::Straight(straight) => straight.size,
            Way::Staged(staged) => staged.size(),
            Way::Over(size) => *size,
        }
    }

    /// Whether each of its bytes was written, and is there.
    pub(super) fn is_whole(&self) -> bool {
        match &self.way {
            Way::Straight(_) => true,
            Way::Staged(staged) => staged.is_whole(),
            Way::Over(_) => false,
        }
    }

    pub(super) async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<(), Failed> {
        let goes_on = match &self.way {
            Way::Straight(straight) => {
                straight.goes_on(offset, self.files.now()) && (self.may_go_on || straight.has_room_for(&bytes))
            }
            Way::Staged(_) | Way::Over(_) => false,
        };
        if goes_on && let Way::Straight(mut straight) = self.taken() {
            // Where that fails, or nobody waits for it any more, nothing becomes of it.
            straight.add(&self.files, self.limit, &bytes).await?;
            self.way = Way::Straight(straight);
            return Ok(());
        }
        Ok(self.staged().await?.write_at(offset, bytes).await?)
    }

    /// Up to `length` bytes; fewer only at the end.
    pub(super) async fn read_at(&mut self, offset: u64, length: usize) -> Result<Bytes, Failed> {
        if let Way::Straight(straight) = &self.way
            && let Straight { start, sent: None, .. } = &**straight
        {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(start.len());
            let to = from.saturating_add(length).min(start.len());
            return Ok(Bytes::copy_from_slice(start.get(from..to).unwrap_or_default()));
        }
        Ok(self.staged().await?.read_at(offset, length).await?)
    }

    pub(super) async fn set_size(&mut self, size: u64) -> Result<(), Failed> {
        match &self.way {
            Way::Straight(straight) if straight.size == size => Ok(()),
            _ => Ok(self.staged().await?.set_size(size).await?),
        }
    }

    /// What was staged is on the disk, or the disk said that it is not. What goes straight on is durable with its close, and before that
    /// nobody's.
    pub(super) async fn sync(&self) -> Result<(), Failed> {
        match &self.way {
            Way::Straight(_) => Ok(()),
            Way::Staged(staged) => Ok(staged.sync().await?),
            Way::Over(_) => Err(over()),
        }
    }

    /// All of it, in the object store, and nothing of it anywhere else. A row says so before it is there.
    pub(super) async fn stored(&mut self) -> Result<Object, Failed> {
        let size = self.size();
        // What was announced too long ago may be taken for abandoned while it comes into use.
        if let Way::Straight(straight) = &self.way
            && !straight.goes_on(size, self.files.now())
        {
            self.staged().await?;
        }
        let object = self.sent_whole().await?;
        match object.length == size {
            true => Ok(object),
            false => Err(over()),
        }
    }

    async fn sent_whole(&mut self) -> Result<Object, Failed> {
        match self.taken() {
            Way::Straight(straight) => match *straight {
                Straight { sent: Some(sent), .. } => sent.finish().await,
                Straight { start, .. } => {
                    let mut sent = Sent::begin(&self.files, self.limit).await?;
                    sent.write(&start).await?;
                    sent.finish().await
                }
            },
            Way::Staged(staged) => {
                staged.sync().await?;
                let mut sent = Sent::begin(&self.files, self.limit).await?;
                staged.hand_on(sent.writing()?).await?;
                sent.finish().await
            }
            Way::Over(_) => Err(over()),
        }
    }

    /// Nothing becomes of it: what was sent is taken away at once, however long its client keeps it open.
    pub(super) fn give_up(&mut self) {
        drop(self.taken());
    }

    fn taken(&mut self) -> Way {
        let size = self.size();
        std::mem::replace(&mut self.way, Way::Over(size))
    }

    /// The staged file, also where it went straight on so far. Where that fails nothing becomes of it.
    async fn staged(&mut self) -> Result<&mut Staged, Failed> {
        if let Way::Straight(straight) = &self.way {
            let (size, settings) = (straight.size, &self.files.0.settings);
            if staged::free(&settings.staging).await? < size.saturating_add(settings.least_free) {
                return Err(Problem::DiskFull.into());
            }
        }
        if matches!(self.way, Way::Straight(_))
            && let Way::Straight(straight) = self.taken()
        {
            self.way = Way::Staged(straight.staged(&self.files).await?);
        }
        match &mut self.way {
            Way::Staged(staged) => Ok(staged),
            Way::Straight(_) | Way::Over(_) => Err(over()),
        }
    }
}

async fn read_back(files: &Files, object: &Object, staged: &mut Staged) -> Result<(), Failed> {
    let mut reading = files.objects().read(object, 0).await?;
    while let Some(bytes) = reading.next().await? {
        staged.write_at(staged.size(), bytes).await?;
    }
    Ok(())
}
