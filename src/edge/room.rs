//! How large a request's body may be, which a service can raise once it knows whose it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The limit of one request's body, shared by whoever reads it and the service. In the request's extensions.
#[derive(Debug, Clone)]
pub struct Room {
    bytes: Arc<AtomicU64>,
    raised: Arc<AtomicBool>,
}

impl Room {
    /// The limit that holds for everybody.
    pub fn new(bytes: usize) -> Self {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self { bytes: Arc::new(AtomicU64::new(bytes)), raised: Arc::default() }
    }

    /// Allows at least so many bytes. The time that the body may take grows with what has come of it, also where everybody may send as
    /// many: of a large file a small part may come by a slow line.
    pub fn allow(&self, bytes: u64) {
        self.bytes.fetch_max(bytes, Ordering::Relaxed);
        self.raised.store(true, Ordering::Relaxed);
    }

    /// How many bytes are allowed now.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.bytes.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// Whether a service has allowed this body what it needs.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }
}
