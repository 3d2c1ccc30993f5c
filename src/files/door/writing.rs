//! A file that is written: staged on this machine's disk until it is closed, and then an upload or a trigger.

use std::sync::Mutex;

use jiff::Timestamp;
use uuid::Uuid;

use super::{SessionHome, triggered};
use crate::files::codes::Code;
use crate::files::core::{Failed, Files, Step, Written};
use crate::files::home::{Entry, Fingerprint, Folder, Problem};
use crate::files::name::Name;
use crate::files::shelf::{self, Bytes, Kind, Lying};
use crate::files::staged::Staged;
use crate::files::users::{self, us};
use crate::files::xml::trigger::LARGEST as LARGEST_TRIGGER;
use crate::objects::Object;
use crate::refusal::Detail;
use crate::store::until_it_holds;

/// A file that is written.
pub struct Writing {
    pub(super) files: Files,
    pub(super) user: Uuid,
    pub(super) key: Fingerprint,
    pub(super) name: Name,
    pub(super) staged: Staged,
    /// How large it may become within the quota, as it was at the opening.
    pub(super) room: u64,
    pub(super) modified: Timestamp,
    pub(super) refused: Option<Problem>,
    pub(super) _taken: Written,
}

impl Writing {
    /// As a listing would show it.
    pub(super) fn entry(&self) -> Entry {
        Entry { name: self.name.clone(), size: self.staged.size(), modified: self.modified }
    }

    /// What was refused stays so: a later write that is taken would leave a hole. The receipt says why.
    pub(super) async fn changed(
        &mut self,
        size: u64,
        change: impl AsyncFnOnce(&mut Staged) -> std::io::Result<()>,
    ) -> Result<(), Problem> {
        if let Some(problem) = &self.refused {
            return Err(problem.clone());
        }
        let done = if size > self.files.0.settings.largest_file {
            Err(Problem::TooLarge)
        } else if size > self.room {
            Err(Problem::NoSpace)
        } else if self.files.staging_is_full() {
            Err(Problem::DiskFull)
        } else {
            change(&mut self.staged).await.map_err(|error| Failed::from(error).into())
        };
        self.modified = self.files.now();
        if let Err(problem) = &done {
            // Told at once: a client that goes away now closes nothing.
            self.refused = Some(match self.failed(problem).await {
                Failed::Told(told) => told,
                _ => problem.clone(),
            });
        }
        done
    }

    fn home(&self) -> SessionHome {
        SessionHome { files: self.files.clone(), user: self.user, key: self.key, believed: Mutex::new(None) }
    }

    /// Why nothing became of the file, also as a receipt.
    async fn failed(&self, problem: &Problem) -> Failed {
        let code = match problem {
            Problem::TooLarge => too_large(self.files.0.settings.largest_file),
            Problem::NoSpace => no_room("afsenderens plads er brugt", "the sender's space is used"),
            Problem::DiskFull => no_room("platformens disk er fuld", "the platform's disk is full"),
            Problem::NotWhole => Code::FIL1014,
            Problem::Busy => Code::FIL1012,
            Problem::Unavailable => Code::FIL1091,
            other => return other.clone().into(),
        };
        self.home().refuse(&self.name, code).await
    }

    /// It is there from now on.
    pub(super) async fn close(self) -> Result<(), Failed> {
        if let Some(problem) = &self.refused {
            return Err(self.failed(problem).await);
        }
        if !self.staged.is_whole() {
            return Err(self.failed(&Problem::NotWhole).await);
        }
        if let Some(name) = triggered(&self.name) {
            // One byte more than a trigger may have tells that it is too large.
            let bytes = self.staged.read_at(0, LARGEST_TRIGGER + 1).await?;
            return self.trigger(&name, bytes.to_vec()).await;
        }
        let object = match self.stored().await {
            Ok(object) => object,
            Err(error) => return Err(self.failed(&error.into()).await),
        };
        self.files.reached(Step::Stored);
        let done = until_it_holds(async || self.uploaded(&object).await).await;
        match done {
            Ok(released) => {
                self.files.reached(Step::Uploaded);
                self.files.0.due.notify_one();
                self.files.dropped(released).await;
                Ok(())
            }
            Err(Failed::Told(problem)) => {
                // Nothing was committed: whoever is refused again and again must not fill the object store.
                self.files.dropped(Some(object.name.uuid())).await;
                Err(self.failed(&problem).await)
            }
            Err(error) => Err(self.failed(&error.into()).await),
        }
    }

    /// The staged bytes, in the object store. A row says so before they are there.
    async fn stored(&self) -> Result<Object, Failed> {
        self.staged.sync().await?;
        let mut writing = self.files.objects().begin(self.files.0.settings.largest_file)?;
        let name = writing.name();
        shelf::announce(&mut self.files.database().session().await?, name, self.files.now()).await?;
        self.staged.hand_on(&mut writing).await?;
        Ok(writing.finish().await?)
    }

    /// The row in OUT; what had the name goes. Returns a content to delete.
    async fn uploaded(&self, object: &Object) -> Result<Option<Uuid>, Failed> {
        let now = self.files.now();
        let mut transaction = self.files.database().begin_beside_others().await?;
        shelf::lock_home(&mut transaction, self.user).await?;
        let mut released = None;
        if let Some(there) = shelf::find(&mut transaction, self.user, Folder::Out, &self.name).await? {
            if there.held {
                return Err(Problem::Busy.into());
            }
            released = self.files.taken_away(&mut transaction, &there, now).await?;
        }
        let user = users::with_id(&mut transaction, self.user).await?.ok_or(Failed::Told(Problem::KeyNotAllowed))?;
        if user.used.bytes.saturating_add(object.length) > user.bytes_limit {
            return Err(Problem::NoSpace.into());
        }
        let content = shelf::keep(&mut transaction, object).await?;
        let file = Lying {
            id: Uuid::now_v7(),
            owner: self.user,
            folder: Folder::Out,
            name: self.name.clone(),
            kind: Kind::Upload,
            transfer: None,
            held: false,
            size: object.length,
            modified_us: us(now),
            bytes: Bytes::Content(content),
            is_read: false,
        };
        shelf::add(&mut transaction, &file).await?;
        self.files.arrived(&mut transaction, &file).await?;
        transaction.commit().await?;
        Ok(released)
    }

    async fn trigger(&self, name: &Name, bytes: Vec<u8>) -> Result<(), Failed> {
        let taken = until_it_holds(async || -> Result<bool, Failed> {
            let mut transaction = self.files.database().begin_beside_others().await?;
            shelf::lock_home(&mut transaction, self.user).await?;
            let taken = self.files.trigger(&mut transaction, (self.user, self.key), name, bytes.clone()).await?;
            transaction.commit().await?;
            Ok(taken)
        });
        if !taken.await? {
            return Err(self.home().refuse(name, Code::FIL1012).await);
        }
        self.files.reached(Step::Triggered);
        self.files.0.due.notify_one();
        Ok(())
    }
}

fn too_large(limit: u64) -> Code {
    let what = Detail::new(format!("højst {limit} bytes er tilladt"), format!("{limit} bytes are allowed at most"));
    Code::FIL1060 { what }
}

/// There are as many files as may be.
pub(super) fn no_room_for_more() -> Code {
    no_room("der ligger for mange filer hos afsenderen", "too many files lie in the sender's folders")
}

fn no_room(danish: &'static str, english: &'static str) -> Code {
    Code::FIL1060 { what: Detail::new(danish, english) }
}
