//! The log: lines wait in a bounded queue, and a thread of its own writes them to stderr.
//!
//! stderr may be a pipe whose reader stands still (a log shipper that hangs, a container runtime under pressure). A write to it
//! then blocks, so no thread that serves calls may make one. What does not fit in the queue is dropped and counted; the
//! audit log has a writer of its own and is never dropped.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogFormat;

/// How many bytes may wait for the reader: some thousand lines.
const WAITING: usize = 1 << 20;

/// Lines dropped since the process began. There is one stderr, so there is one figure.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines were dropped because nobody read the log, or because it could not be written.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Where log lines go. Cheap to clone.
#[derive(Clone)]
pub struct Log(Arc<Queue>);

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is something to write, and when it has been written.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lines: u64,
    /// Dropped since the log last said so.
    untold: u64,
    /// The thread is writing what it took.
    writing: bool,
}

impl Log {
    /// Starts the thread that writes to stderr.
    ///
    /// # Errors
    /// No thread can be started, or the process has no stderr.
    pub fn to_stderr() -> io::Result<Self> {
        // A handle of its own: the lock of `io::stderr` would be held for as long as a write blocks.
        Self::start(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn start(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let log = Self(queue.clone());
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                let (bytes, lines, untold) = queue.take();
                if out.write_all(&bytes).is_err() {
                    // A full disk or a closed pipe; a line about it would meet the same.
                    DROPPED.fetch_add(lines, Ordering::Relaxed);
                }
                if untold > 0 {
                    tracing::warn!(lines = untold, "log lines were dropped: nothing read the log for a while");
                }
            }
        })?;
        Ok(log)
    }

    /// Sends the process's events here, in this format.
    pub fn subscribe(&self, format: LogFormat) {
        let wanted = std::env::var("HJEMMEL_LOG").unwrap_or_else(|_| "info".to_owned());
        let (filter, wrong) = match EnvFilter::try_new(&wanted) {
            Ok(filter) => (filter, None),
            Err(error) => ("info".into(), Some(error)),
        };
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(self.clone())
            // Colours are for people: in a file or a journal they are noise between the words that one searches for.
            .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            // Told on stderr by a macro that panics, past this queue.
            .log_internal_errors(false);
        match format {
            LogFormat::Json => builder.json().flatten_event(true).init(),
            LogFormat::Text => builder.init(),
        }
        if let Some(error) = wrong {
            tracing::warn!(%error, "HJEMMEL_LOG is not a filter, and info is used; see docs/operations.md");
        }
        // The default hook writes to stderr on the thread that panicked, which may serve calls.
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a part of the gateway failed; the rest goes on")));
    }

    /// Writes text as it is: for what is said before the format is known.
    pub fn say(&self, text: &str) {
        self.0.put(text.as_bytes());
    }

    /// Waits until everything is written, but no longer than `patience`: a reader that stands still must not keep the
    /// process from ending.
    pub fn flush(&self, patience: Duration) {
        let waiting = self.0.lock();
        let unwritten = |waiting: &mut Waiting| waiting.writing || !waiting.bytes.is_empty();
        drop(self.0.changed.wait_timeout_while(waiting, patience, unwritten));
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes.len().saturating_add(line.len()) > WAITING {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            waiting.untold += 1;
            return;
        }
        waiting.bytes.extend_from_slice(line);
        waiting.lines += 1;
        drop(waiting);
        self.changed.notify_all();
    }

    /// Reports that what was taken before is written, and takes what waits, as soon as something does: the bytes, how many
    /// lines they are, and how many were dropped since the last time.
    fn take(&self) -> (Vec<u8>, u64, u64) {
        let mut waiting = self.lock();
        waiting.writing = false;
        self.changed.notify_all();
        let mut waiting =
            self.changed.wait_while(waiting, |waiting| waiting.bytes.is_empty()).unwrap_or_else(PoisonError::into_inner);
        waiting.writing = true;
        (std::mem::take(&mut waiting.bytes), std::mem::take(&mut waiting.lines), std::mem::take(&mut waiting.untold))
    }
}

/// One event's line.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_reader_that_stands_still_costs_lines_that_are_counted_and_stops_nobody() {
        let (mut reader, writer) = io::pipe().unwrap();
        let log = Log::start(writer).unwrap();
        let line = format!("{}\n", "x".repeat(1023));
        let (before, began) = (dropped(), Instant::now());
        for _ in 0..3 * WAITING / 1024 {
            log.say(&line);
        }
        log.flush(Duration::from_millis(100));
        assert!(began.elapsed() < Duration::from_secs(20), "nobody waited for the reader");
        let lost = dropped() - before;
        assert!(lost >= 1000, "{lost}");

        // The reader goes on: what was kept comes, whole lines all of it.
        let reading = std::thread::spawn(move || {
            let mut read = vec![0; (3 * WAITING).saturating_sub(usize::try_from(lost).unwrap() * 1024)];
            reader.read_exact(&mut read).unwrap();
            read
        });
        log.flush(Duration::from_secs(20));
        let read = reading.join().unwrap();
        assert!(read.chunks(1024).all(|kept| kept == line.as_bytes()));
    }
}
