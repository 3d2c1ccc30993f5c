//! Files that the platform itself sends, as one of its own users: by a route order, judged and delivered as everybody's.

use uuid::Uuid;

use super::core::{Failed, Files, Step};
use super::home::{Fingerprint, Folder, Problem};
use super::name::Name;
use super::shelf::{self, Bytes, Kind, Lying};
use super::users::us;
use crate::objects::Object;
use crate::store::jobs::{Jobs, Taken};
use crate::store::until_it_holds;

/// A file of the platform's own.
#[derive(Debug)]
pub struct Own<'a> {
    /// The sending user.
    pub sender: Uuid,
    /// Its name, of which the sender has no other under way.
    pub name: &'a Name,
    /// What is in it.
    pub content: &'a [u8],
    /// Its trigger.
    pub trigger: &'a [u8],
}

impl Files {
    /// Sends one. The job is done in the transaction that takes it, so that it is sent once.
    ///
    /// # Errors
    /// [`Failed`]; nothing was sent then.
    pub async fn submit(&self, own: &Own<'_>, jobs: &Jobs, job: &Taken) -> Result<(), Failed> {
        let mut writing = self.objects().begin(self.0.settings.largest_file)?;
        shelf::announce(&mut self.database().session().await?, writing.name(), self.now()).await?;
        for piece in own.content.chunks(256 * 1024) {
            writing.write(piece).await?;
        }
        let object = writing.finish().await?;
        self.reached(Step::Stored);
        until_it_holds(async || self.submitted(own, &object, jobs, job).await).await?;
        self.reached(Step::Triggered);
        self.0.due.notify_one();
        Ok(())
    }
    async fn submitted(&self, own: &Own<'_>, object: &Object, jobs: &Jobs, job: &Taken) -> Result<(), Failed> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        shelf::lock_home(&mut transaction, own.sender).await?;
        // One that was refused before, as for want of room at the recipient, gives way to this one.
        if let Some(old) = shelf::find(&mut transaction, own.sender, Folder::Out, own.name).await? {
            if old.held {
                return Err(Problem::Busy.into());
            }
            self.taken_away(&mut transaction, &old, now).await?;
        }
        let file = Lying {
            id: Uuid::now_v7(),
            owner: own.sender,
            folder: Folder::Out,
            name: own.name.clone(),
            kind: Kind::Upload,
            transfer: None,
            held: false,
            size: object.length,
            modified_us: us(now),
            bytes: Bytes::Content(shelf::keep(&mut transaction, object).await?),
            is_read: false,
        };
        shelf::add(&mut transaction, &file).await?;
        // No key: nobody was logged on.
        let who = (own.sender, Fingerprint([0; 32]));
        if !self.trigger(&mut transaction, who, own.name, own.trigger.to_vec()).await? {
            return Err(Problem::Busy.into());
        }
        jobs.done_with(&mut transaction, job).await?;
        self.reached(Step::Written);
        Ok(transaction.commit().await?)
    }
}
