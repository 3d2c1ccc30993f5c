//! How large a request's body may be, which a service can raise once it knows whose it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit of one request's body, shared by whoever reads it and the service. In the request's extensions.
#[derive(Debug, Clone)]
pub struct Room {
    bytes: Arc<AtomicU64>,
    usual: u64,
}

impl Room {
    /// The limit that holds for everybody.
    pub fn new(bytes: usize) -> Self {
        let usual = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self { bytes: Arc::new(AtomicU64::new(usual)), usual }
    }

    /// Allows at least so many bytes. The time that a body may take grows with what has come of it.
    pub fn allow(&self, bytes: u64) {
        self.bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    /// How many bytes are allowed now.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.bytes.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// Whether more is allowed than to everybody.
    pub fn is_raised(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.usual
    }
}
