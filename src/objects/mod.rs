//! The object store: contents of files, in a folder or in an S3-compatible store, encrypted before they leave this process.
//!
//! An [`Object`] is what a caller keeps of a file in its own rows: name, key, length and digest. The content lies in the store
//! under a name of no meaning, encrypted under a key of its own ([`frames`]). That key is sealed with a key of the
//! installation ([`keys`]) and stands in the row alone: without the row no copy or old version of the content can be read.
//!
//! Read [`settings`] for where the store is, [`mod@write`] and [`read`] for how contents go in and out, and [`probe`] for what is
//! asked of a store before it is used; [`unfinished`] for what a killed process leaves in a folder. Nothing here claims, locks or counts by the store's conditions: several S3-compatible
//! stores let two win. Claims stand in the database.

pub mod frames;
pub mod keys;
pub mod name;
pub mod probe;
pub mod read;
pub mod settings;
pub mod unfinished;
pub mod write;

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt};

pub use keys::{ContentKeys, NotSealed, SealedKey};
pub use name::ObjectName;
pub use read::Reading;
pub use settings::Settings;
pub use write::Writing;

/// What is kept of a content, to read it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where it lies.
    pub name: ObjectName,
    /// The key of this content alone, sealed with the installation's.
    pub key: SealedKey,
    /// Its length in bytes, before encryption.
    pub length: u64,
    /// SHA-256 of it, before encryption.
    pub sha256: [u8; 32],
}

/// Why the object store could not do as asked. Names objects, never files or persons.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum ObjectError {
    /// The store does not answer, or refuses. What was being written counts as not written.
    #[error("the object store does not answer: {0}")]
    Unavailable(#[source] object_store::Error),
    /// There is no room.
    #[error("the object store has no room left; make some, and send the content again")]
    Full,
    /// The store has no such object.
    #[error("the object store has no {0}; put it back from a copy of the store, or have its sender send the content again")]
    Missing(ObjectName),
    /// The content is not what was written: altered, cut short, or another object in its place.
    #[error("{0} in the object store is not what was written there; nothing of it was handed out from that place on")]
    Damaged(ObjectName),
    /// The content's key was sealed with a key of the installation that is not at hand.
    #[error(
        "{name} was encrypted under the installation's key {key}, which is not configured; name its file in objects.earlier_keys"
    )]
    OtherKey {
        name: ObjectName,
        /// The id of the key.
        key: String,
    },
    /// The content is longer than its receiver allows.
    #[error("the content is longer than the {limit} bytes allowed; nothing of it was kept")]
    TooLong { limit: u64 },
    /// The library refused to encrypt.
    #[error("the content could not be encrypted")]
    Encryption,
}

impl ObjectError {
    /// Distinguishes a full disk from an unreachable store.
    pub(crate) fn of(error: object_store::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            let io = error.downcast_ref::<std::io::Error>();
            if io.is_some_and(|io| matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)) {
                return Self::Full;
            }
            cause = error.source();
        }
        Self::Unavailable(error)
    }
}

/// The store, and the keys that its contents are under. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    keys: Arc<ContentKeys>,
    part_bytes: usize,
}

impl Objects {
    /// Takes a store that [`Settings::open`] has made, or one for tests. Parts of `part_bytes` (at least 5 MiB for S3) are sent
    /// at a time.
    pub fn new(store: Arc<dyn ObjectStore>, keys: Arc<ContentKeys>, part_bytes: usize) -> Self {
        Self { store, keys, part_bytes: part_bytes.max(1) }
    }

    /// Deletes an object. Done also where it was not there: a deletion may be repeated.
    ///
    /// # Errors
    /// [`ObjectError::Unavailable`].
    pub async fn delete(&self, name: &ObjectName) -> Result<(), ObjectError> {
        match self.store.delete(&name.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ObjectError::of(error)),
        }
    }

    /// The objects of one of the [`name::SHELVES`] shelves, in no order, each with the time at which it was written: to find
    /// those that no row names. Other files there are left out.
    ///
    /// # Errors
    /// [`ObjectError::Unavailable`].
    pub async fn shelf(&self, shelf: u8) -> Result<Vec<(ObjectName, jiff::Timestamp)>, ObjectError> {
        let listed = self.store.list_with_delimiter(Some(&ObjectName::shelf(shelf))).await.map_err(ObjectError::of)?;
        let written = |meta: &object_store::ObjectMeta| jiff::Timestamp::from_second(meta.last_modified.timestamp()).ok();
        Ok(listed.objects.iter().filter_map(|meta| Some((ObjectName::of_path(&meta.location)?, written(meta)?))).collect())
    }
}
