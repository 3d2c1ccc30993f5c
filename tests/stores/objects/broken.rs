//! A store that does not do as it says, in one way at a time.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// What is written arrives, and the answer does not.
    AnswerLost,
    /// As `AnswerLost`, and the library, which asks again, is told that the name is taken.
    TakenByItself,
    /// Nothing arrives.
    Away,
    /// There is no room.
    Full,
    /// Conditions are ignored.
    Overwrites,
    /// A name that is taken is not written, and whoever asked is not told why.
    NoWordOfTaken,
}

type Stored<T> = Pin<Box<dyn Stream<Item = Result<T>> + Send>>;

/// The store.
#[derive(Debug)]
pub struct Broken(pub Arc<dyn ObjectStore>, pub Fault);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {:?}", self.0, self.1)
    }
}

fn lost() -> Error {
    Error::Generic { store: "test", source: io::Error::from(io::ErrorKind::ConnectionReset).into() }
}

#[async_trait::async_trait]
impl ObjectStore for Broken {
    async fn put_opts(&self, at: &Path, content: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.1 {
            Fault::AnswerLost => self.0.put_opts(at, content, options).await.and(Err(lost())),
            Fault::TakenByItself => {
                self.0.put_opts(at, content, options).await?;
                Err(Error::AlreadyExists { path: at.to_string(), source: "409".into() })
            }
            Fault::Away => Err(lost()),
            Fault::Full => Err(Error::Generic { store: "test", source: io::Error::from(io::ErrorKind::StorageFull).into() }),
            Fault::NoWordOfTaken => self.0.put_opts(at, content, options).await.map_err(|_| lost()),
            Fault::Overwrites => self.0.put_opts(at, content, PutOptions { mode: PutMode::Overwrite, ..options }).await,
        }
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(at, options).await
    }

    fn delete_stream(&self, places: Stored<Path>) -> Stored<Path> {
        self.0.delete_stream(places)
    }

    fn list(&self, prefix: Option<&Path>) -> Stored<ObjectMeta> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}
