//! What the product logs in this process. `tracing` has one subscriber a process, so the lines of all worlds are here.

use std::io::Write;
use std::sync::{Mutex, Once};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// A place in the log.
pub struct Since(usize);

/// Begins the log, where it has not begun, and gives the place that it has come to.
pub fn now() -> Since {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter("warn,hjemmel=trace");
        tracing::subscriber::set_global_default(lines.with_writer(|| Lines).finish()).unwrap();
    });
    Since(LOG.lock().unwrap().len())
}

impl Since {
    /// What has been logged from here on.
    pub fn lines(&self) -> Vec<u8> {
        LOG.lock().unwrap()[self.0..].to_vec()
    }
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
