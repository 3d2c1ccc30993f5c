//! Where the object store is, and how it is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use rustls_pki_types::CertificateDer;

use super::Objects;
use super::keys::{ContentKeys, KeyError};

/// The settings of an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub place: Place,
    /// The file of the installation's content key.
    pub key: PathBuf,
    /// The files of earlier content keys, which only open.
    pub earlier_keys: Vec<PathBuf>,
    /// Bytes of a part of an upload; a content shorter than one goes in one request. 5 MiB to 64 MiB.
    pub part_bytes: usize,
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a folder, which is made where it is not.
    Folder(PathBuf),
    /// In a bucket.
    S3(Box<S3>),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Folder(path) => write!(f, "{}", path.display()),
            Place::S3(s3) => {
                write!(f, "s3://{}/{} at {}", s3.bucket, s3.prefix, s3.endpoint.as_deref().unwrap_or("AWS"))
            }
        }
    }
}

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// Its name.
    pub bucket: String,
    /// What stands before every name in it, for several installations in one bucket; may be empty.
    pub prefix: String,
    /// The address of the store; `None`: that of AWS for the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The CAs of its TLS server; empty: those of the system.
    pub roots: Vec<CertificateDer<'static>>,
    /// The file of the access key's id.
    pub access_key_id: PathBuf,
    /// The file of the secret access key.
    pub secret_access_key: PathBuf,
    /// Whether the bucket stands in the host's name rather than in the path.
    pub virtual_hosted: bool,
    /// Whether a SHA-256 of each part goes with it, which the store compares.
    pub checksum: bool,
    /// Whether several objects are deleted in one request.
    pub bulk_delete: bool,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum OpenError {
    /// A content key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A root certificate.
    #[error("objects.roots holds a certificate that cannot be used: {0}")]
    Roots(object_store::Error),
    /// The settings do not fit together.
    #[error("the object store cannot be reached with these settings: {0}")]
    Settings(object_store::Error),
}

impl Settings {
    /// Reads the keys and makes ready what reaches the store. Nothing is asked of it yet: see [`Objects::probe`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self) -> Result<Objects, OpenError> {
        let keys = Arc::new(ContentKeys::read(&self.key, &self.earlier_keys)?);
        Ok(Objects::new(self.place.open()?, keys, self.part_bytes))
    }
}

impl Place {
    /// Makes ready what reaches the place. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, OpenError> {
        Ok(match self {
            Place::Folder(path) => Arc::new(folder(path)?),
            Place::S3(s3) if s3.prefix.is_empty() => Arc::new(s3.open()?),
            Place::S3(s3) => Arc::new(PrefixStore::new(s3.open()?, s3.prefix.as_str())),
        })
    }
}

fn folder(path: &PathBuf) -> Result<LocalFileSystem, OpenError> {
    let file = |source| OpenError::File { path: path.clone(), source };
    let mut made = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut made, 0o700);
    made.recursive(true).create(path).map_err(file)?;
    // What finish() answers for has reached the disk.
    Ok(LocalFileSystem::new_with_prefix(path).map_err(OpenError::Settings)?.with_fsync(true))
}

impl S3 {
    fn open(&self) -> Result<object_store::aws::AmazonS3, OpenError> {
        let mut client = ClientOptions::new()
            .with_timeout(self.timeout)
            .with_connect_timeout(self.timeout.min(Duration::from_secs(5)))
            // The settings accept http for the loopback alone.
            .with_allow_http(self.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")));
        if !self.roots.is_empty() {
            client = client.with_no_system_certificates(true);
        }
        for root in &self.roots {
            client = client.with_root_certificate(Certificate::from_der(root).map_err(OpenError::Roots)?);
        }
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(secret(&self.access_key_id)?.as_str())
            .with_secret_access_key(secret(&self.secret_access_key)?.as_str())
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_disable_bulk_delete(!self.bulk_delete)
            .with_client_options(client)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 4,
                retry_timeout: self.timeout.saturating_mul(3),
            });
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if self.checksum {
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        builder.build().map_err(OpenError::Settings)
    }
}

fn secret(path: &PathBuf) -> Result<zeroize::Zeroizing<String>, OpenError> {
    let text = std::fs::read_to_string(path).map_err(|source| OpenError::File { path: path.clone(), source })?;
    let text = zeroize::Zeroizing::new(text);
    Ok(zeroize::Zeroizing::new(text.trim().to_owned()))
}
