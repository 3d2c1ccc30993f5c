//! What is asked of a store before it is used.
//!
//! Stores that speak S3 differ in what they do with conditions. What the gateway needs must work, or it does not start; what
//! it does not need is asked too, and told, so that nobody builds on it by mistake.

use std::time::Duration;

use object_store::{ObjectStoreExt, PutMode, PutPayload};
use tokio::task::JoinSet;

use super::name::ObjectName;
use super::{ObjectError, Objects};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a store turned out to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Whether a name that is taken is not overwritten where that is asked.
    pub keeps_what_is_there: bool,
    /// How many of eight that wrote the same new name at once were told that they had. One, where conditions hold in a race.
    pub winners_of_eight: usize,
    /// Whether an upload that was taken back left nothing behind.
    pub takes_back: bool,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "writes, reads a part, lists and deletes")?;
        match (self.keeps_what_is_there, self.winners_of_eight) {
            (true, 1) => write!(f, "; does not overwrite when asked not to"),
            (true, n) => {
                write!(f, "; does not overwrite when asked not to, but lets {n} of 8 at once believe that they were first")
            }
            (false, _) => write!(f, "; overwrites even when asked not to"),
        }?;
        if self.takes_back { Ok(()) } else { write!(f, "; keeps uploads that were taken back: set a rule that removes them") }
    }
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It did not do as asked.
    #[error("{0}")]
    Store(#[from] ObjectError),
    /// It said that it did, and did not.
    #[error("the object store {0}; use another store")]
    Wrong(&'static str),
    /// It took longer than a minute.
    #[error("the object store did not do a handful of small things within a minute; look at its address and its load")]
    Slow,
}

impl Objects {
    /// Tries the store with contents of a few bytes, which are deleted again.
    ///
    /// # Errors
    /// [`Unfit`].
    pub async fn probe(&self) -> Result<Found, Unfit> {
        tokio::time::timeout(PATIENCE, self.try_all()).await.map_err(|_| Unfit::Slow)?
    }

    async fn try_all(&self) -> Result<Found, Unfit> {
        let (one, raced, taken_back) = (ObjectName::random(), ObjectName::random(), ObjectName::random());
        let found = self.try_with(one, raced, taken_back).await;
        for name in [one, raced, taken_back] {
            self.delete(&name).await?;
        }
        let found = found?;
        match self.store.head(&one.path()).await {
            Err(object_store::Error::NotFound { .. }) => Ok(found),
            Ok(_) => Err(Unfit::Wrong("said that it deleted an object, and did not")),
            Err(error) => Err(ObjectError::of(error).into()),
        }
    }

    async fn try_with(&self, one: ObjectName, raced: ObjectName, taken_back: ObjectName) -> Result<Found, Unfit> {
        let path = one.path();
        self.create(one, b"the first of two").await.map_err(ObjectError::of)?;
        let second = self.create(one, b"the second of two").await;
        let held = self.store.get_range(&path, 4..9).await.map_err(ObjectError::of)?;
        let keeps_what_is_there = match (&*held, second) {
            (b"first", Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. })) => true,
            // No refusal for the name's sake: nothing is known of it.
            (b"first", Err(error)) => return Err(ObjectError::of(error).into()),
            (b"secon", Ok(())) => false,
            (b"first", Ok(())) => return Err(Unfit::Wrong("said that it wrote an object, and did not")),
            _ => return Err(Unfit::Wrong("did not give back what was written")),
        };
        if !self.shelf(one.shelf_number()).await?.iter().any(|(name, _)| *name == one) {
            return Err(Unfit::Wrong("did not list an object that it has"));
        }
        let mut racing = JoinSet::new();
        for _ in 0..8 {
            let objects = self.clone();
            racing.spawn(async move { objects.create(raced, b"one of eight").await.is_ok() });
        }
        let winners_of_eight = racing.join_all().await.into_iter().filter(|won| *won).count();
        let mut upload = self.store.put_multipart(&taken_back.path()).await.map_err(ObjectError::of)?;
        upload.put_part(PutPayload::from_static(b"not to stay")).await.map_err(ObjectError::of)?;
        let aborted = upload.abort().await;
        let left = self.store.head(&taken_back.path()).await.is_ok();
        Ok(Found { keeps_what_is_there, winners_of_eight, takes_back: aborted.is_ok() && !left })
    }

    async fn create(&self, name: ObjectName, content: &'static [u8]) -> object_store::Result<()> {
        self.store.put_opts(&name.path(), PutPayload::from_static(content), PutMode::Create.into()).await.map(|_| ())
    }
}
