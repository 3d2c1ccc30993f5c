//! How a call gets its record onto the disk before anything is forwarded, and never loses the record of its end.
//!
//! One thread writes. Whatever arrived while it synced the last batch is the next batch, and while other calls are on their
//! way to admission it waits for them a moment, so that one `fsync` serves many calls. Nobody waits for a closing record:
//! it is written with the next admission, or 20 ms later.
//!
//! A call that cannot be recorded is not admitted; a call that was opened is always closed: [`OpenRecord`] lays down the
//! closing record when it is dropped, whatever dropped it, and the place that it will need was taken when it was opened.
//! While the disk is full, closing records wait in memory, each still holding its place; once all places are held, no call
//! is opened. So the queue is bounded without ever throwing a record away.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use super::{
    anchors::Anchored,
    chain::{CheckpointKey, Event, Occasion},
    decided::Decided,
    log::{Limits, Log, LogError},
    question::Question,
    record::{Outcome, Record},
};
use crate::{clock::Clock, refusal::Refusal};

/// The most messages in one batch: bounds the memory of one write.
const BATCH: usize = 1024;

/// How long a closing record may wait for company. A process that is killed meanwhile leaves its call in the log as admitted
/// and never closed, as it would have a moment earlier.
const CLOSING_DELAY: Duration = Duration::from_millis(20);

/// Where and how the audit is written.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// The directory of the log, on a file system that honours `fsync`.
    pub dir: PathBuf,
    /// When segments end and checkpoints are made. Default 64 MiB; 1000 entries or 10 s.
    pub limits: Limits,
    /// Calls open at once, at most. Default 10,000; 1 to 1,000,000.
    pub open_calls: usize,
    /// How long an admission waits for the disk. Default 5 s.
    pub patience: Duration,
    /// How long the writer waits before it tries a failed disk again. Default 1 s.
    pub retry: Duration,
    /// How long an admission may wait for others that are on their way, to share their `fsync`. A call that comes alone
    /// never waits. Default 2 ms; 0 is not at all.
    pub commit_delay: Duration,
}

impl AuditSettings {
    /// The defaults, in this directory.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            limits: Limits { segment_bytes: 64 << 20, checkpoint_entries: 1000, checkpoint_interval: Duration::from_secs(10) },
            open_calls: 10_000,
            patience: Duration::from_secs(5),
            retry: Duration::from_secs(1),
            commit_delay: Duration::from_millis(2),
        }
    }
}

/// Proof that the record of a call's admission is on disk. Only [`OpenRecord::admit`] makes one; forwarding takes it.
#[derive(Debug)]
#[must_use = "a call may be forwarded only with the proof that it was recorded"]
pub struct Durable {
    call: Uuid,
}

impl Durable {
    /// The call that was admitted.
    pub fn call(&self) -> Uuid {
        self.call
    }
}

/// The state of the writer, for metrics and readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Stats {
    /// Whether the last write succeeded, and none hangs.
    pub ready: bool,
    /// Records on disk since the start.
    pub records: u64,
    /// Batches on disk since the start: `records / commits` is what group commit gains.
    pub commits: u64,
    /// Batches that failed.
    pub failures: u64,
    /// What all commits took together, in microseconds.
    pub commit_us: u64,
    /// The number of the last entry on disk.
    pub sequence: u64,
    /// Closing records that wait for the disk to come back.
    pub waiting: u64,
    pub open_calls: u64,
}

#[derive(Debug)]
struct Counters {
    /// Whether the last write succeeded.
    ready: AtomicBool,
    /// Why it did not; kept while it does not.
    trouble: Mutex<Option<String>>,
    epoch: Instant,
    /// When the write that is under way began, in microseconds since `epoch`; 0 while there is none.
    writing_since: AtomicU64,
    records: AtomicU64,
    commits: AtomicU64,
    failures: AtomicU64,
    commit_us: AtomicU64,
    sequence: AtomicU64,
    waiting: AtomicU64,
    /// Calls that are open and may yet ask for admission.
    on_their_way: AtomicUsize,
    /// Whether the thread that writes is gone.
    ended: AtomicBool,
}

impl Counters {
    fn new() -> Self {
        let zero = AtomicU64::default;
        Self {
            ready: AtomicBool::new(true),
            trouble: Mutex::default(),
            epoch: Instant::now(),
            writing_since: zero(),
            records: zero(),
            commits: zero(),
            failures: zero(),
            commit_us: zero(),
            sequence: zero(),
            waiting: zero(),
            on_their_way: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// A disk that hangs returns no error: a write under way for longer than an admission waits counts as failed.
    fn is_ready(&self, patience: Duration) -> bool {
        let since = self.writing_since.load(Relaxed);
        let hangs = since > 0 && micros(self.epoch.elapsed()).saturating_sub(since) > micros(patience);
        self.ready.load(Relaxed) && !hangs
    }
}

enum Message {
    Admit(Event, oneshot::Sender<()>),
    /// There is something on the shelf again.
    Closings,
    Stop(oneshot::Sender<()>),
}

/// Closing records that wait to be written, each with the place that it took. Laid here instead of sent, for a message each
/// would wake the writer for each.
#[derive(Default)]
struct Shelf(Mutex<Vec<(Event, After)>>);

impl Shelf {
    /// Whether this is the first.
    fn lay(&self, event: Event, place: OwnedSemaphorePermit) -> bool {
        let mut closings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        closings.push((event, After::GiveBack(place)));
        closings.len() == 1
    }

    /// At most [`BATCH`] of them, the oldest.
    fn take(&self) -> Vec<(Event, After)> {
        let mut closings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let upto = closings.len().min(BATCH);
        closings.drain(..upto).collect()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// What follows once an event is on disk. Dropping a reply unanswered refuses the admission.
enum After {
    Reply(oneshot::Sender<()>),
    GiveBack(OwnedSemaphorePermit),
}

/// The audit. Cheap to clone; the writer ends when the last clone and the last open call are gone.
#[derive(Clone)]
pub struct Audit {
    sender: Sender<Message>,
    shelf: Arc<Shelf>,
    places: Arc<Semaphore>,
    open_calls: usize,
    patience: Duration,
    counters: Arc<Counters>,
    on_close: Arc<dyn Fn(&Record) + Send + Sync>,
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Audit {
    /// Opens the log, continues its chain, and starts the writer. `on_close` sees every record as it closes, before it is
    /// written: metrics are derived there.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be written, or is not as it was left.
    pub fn start(
        settings: AuditSettings,
        key: CheckpointKey,
        clock: Clock,
        on_close: impl Fn(&Record) + Send + Sync + 'static,
    ) -> Result<Self, LogError> {
        let log = Log::open(&settings.dir, key, settings.limits.clone(), clock.now())?;
        let (sender, receiver) = channel();
        let counters = Arc::new(Counters::new());
        counters.sequence.store(log.head().sequence, Relaxed);
        let open_calls = settings.open_calls.clamp(1, 1_000_000);
        let shelf = Arc::new(Shelf::default());
        let audit = Self {
            sender,
            shelf: Arc::clone(&shelf),
            places: Arc::new(Semaphore::new(open_calls)),
            open_calls,
            patience: settings.patience,
            counters: Arc::clone(&counters),
            on_close: Arc::new(on_close),
        };
        let tick = settings.limits.checkpoint_interval.max(Duration::from_millis(10));
        let AuditSettings { retry, commit_delay, .. } = settings;
        let writer = Writer { log, clock, counters, shelf, tick, retry, commit_delay, waiting: Vec::new(), failing_since: None };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|source| LogError::Io { path: settings.dir, source })?;
        Ok(audit)
    }

    /// Opens the record of a call, and takes the place that its closing record will need.
    ///
    /// # Errors
    /// [`Refusal::AuditUnavailable`] when every place is taken.
    pub fn open(&self, record: Record) -> Result<OpenRecord, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refusal::AuditUnavailable)?;
        let on_its_way = OnItsWay::new(&self.counters);
        Ok(OpenRecord {
            record,
            outcome: Outcome::Abandoned,
            place: Some(place),
            opened: Instant::now(),
            on_its_way: Some(on_its_way),
            audit: self.clone(),
        })
    }

    /// Puts the record of a decision on disk.
    ///
    /// # Errors
    /// [`Refusal::AuditUnavailable`] when it could not be made durable in time. It may yet be written.
    pub async fn decided(&self, decided: Decided) -> Result<(), Refusal> {
        self.put(Event::Decided(Box::new(decided))).await
    }

    /// Puts an auditor's question on disk; it is answered only once it is there.
    ///
    /// # Errors
    /// As [`Audit::decided`].
    pub async fn asked(&self, question: Question) -> Result<(), Refusal> {
        self.put(Event::Asked(Box::new(question))).await
    }

    /// Puts on disk how far the log of another node had come.
    ///
    /// # Errors
    /// As [`Audit::decided`].
    pub async fn anchored(&self, anchored: Anchored) -> Result<(), Refusal> {
        self.put(Event::Anchored(Box::new(anchored))).await
    }

    async fn put(&self, event: Event) -> Result<(), Refusal> {
        let (reply, durable) = oneshot::channel();
        self.sender.send(Message::Admit(event, reply)).map_err(|_| Refusal::AuditUnavailable)?;
        match tokio::time::timeout(self.patience, durable).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refusal::AuditUnavailable),
        }
    }

    /// Whether calls can be recorded: the last write succeeded, and none hangs. For readiness.
    pub fn is_ready(&self) -> bool {
        self.counters.is_ready(self.patience)
    }

    /// Whether the thread that writes is gone: only a new process can record calls again.
    pub fn has_ended(&self) -> bool {
        self.counters.ended.load(Relaxed)
    }

    /// Why calls cannot be recorded just now, for readiness.
    pub fn trouble(&self) -> Option<String> {
        let trouble = || self.counters.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (!self.is_ready()).then(|| match trouble() {
            Some(error) => format!("the audit log cannot be written: {error}"),
            None => "the audit log cannot be written".to_owned(),
        })
    }

    /// The state of the writer.
    pub fn stats(&self) -> Stats {
        let counters = &self.counters;
        Stats {
            ready: self.is_ready(),
            records: counters.records.load(Relaxed),
            commits: counters.commits.load(Relaxed),
            failures: counters.failures.load(Relaxed),
            commit_us: counters.commit_us.load(Relaxed),
            sequence: counters.sequence.load(Relaxed),
            waiting: counters.waiting.load(Relaxed),
            open_calls: self.open_calls.saturating_sub(self.places.available_permits()) as u64,
        }
    }

    /// Opens no more calls, waits until every open one is closed on disk (for `patience` at most), signs the end, and ends
    /// the writer. Returns whether everything was written.
    pub async fn stop(&self, patience: Duration) -> bool {
        let all = u32::try_from(self.open_calls).unwrap_or(u32::MAX);
        let every_place = tokio::time::timeout(patience, self.places.acquire_many(all)).await;
        self.places.close();
        let (reply, stopped) = oneshot::channel();
        let ended = self.sender.send(Message::Stop(reply)).is_ok() && stopped.await.is_ok();
        ended && matches!(every_place, Ok(Ok(_)))
    }
}

/// Counts a call among those that may yet ask for admission, until it is dropped.
struct OnItsWay(Arc<Counters>);

impl OnItsWay {
    fn new(counters: &Arc<Counters>) -> Self {
        counters.on_their_way.fetch_add(1, Relaxed);
        Self(Arc::clone(counters))
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.on_their_way.fetch_sub(1, Relaxed);
    }
}

/// A call that was opened and not yet closed. The record may be filled in through it; dropping it closes the call, as
/// abandoned unless [`served`](Self::served) or [`refused`](Self::refused) said otherwise.
pub struct OpenRecord {
    record: Record,
    outcome: Outcome,
    place: Option<OwnedSemaphorePermit>,
    opened: Instant,
    on_its_way: Option<OnItsWay>,
    audit: Audit,
}

impl OpenRecord {
    /// Puts the record of admission, as filled in so far, on disk.
    ///
    /// # Errors
    /// [`Refusal::AuditUnavailable`] when it could not be made durable in time: then nothing may be forwarded.
    /// [`Refusal::Internal`] when the record does not yet say all that an admission rests on
    /// ([`Record::missing_for_admission`]): a step was left out.
    pub fn admit(&mut self) -> impl Future<Output = Result<Durable, Refusal>> + Send + use<> {
        let (call, patience) = (self.record.call, self.audit.patience);
        // Sent now, awaited later: whoever holds the record need not hold it while it is being written.
        let sent = self.send_admission();
        async move {
            match tokio::time::timeout(patience, sent?).await {
                Ok(Ok(())) => Ok(Durable { call }),
                _ => Err(Refusal::AuditUnavailable),
            }
        }
    }

    fn send_admission(&mut self) -> Result<oneshot::Receiver<()>, Refusal> {
        if let Some(field) = self.record.missing_for_admission() {
            tracing::error!(call = %self.record.call, field, "a call would have been admitted on an incomplete record");
            return Err(Refusal::Internal);
        }
        drop(self.on_its_way.take());
        let (reply, durable) = oneshot::channel();
        let event = Event::Admitted(Box::new(self.record.clone()));
        self.audit.sender.send(Message::Admit(event, reply)).map_err(|_| Refusal::AuditUnavailable)?;
        Ok(durable)
    }

    /// How the call ended. The record is written when it is dropped.
    pub fn end(&mut self, refusal: Option<&Refusal>) {
        self.outcome = if refusal.is_some() { Outcome::Refused } else { Outcome::Served };
        self.record.refusal = refusal.map(|refusal| refusal.code().to_owned());
    }

    /// Adds what a step took to the record.
    pub fn step(&mut self, name: &'static str, took: Duration) {
        *self.record.timings_us.entry(name.into()).or_default() += micros(took);
    }

    /// Closes the call: an answer was released.
    pub fn served(mut self) {
        self.end(None);
    }

    /// Closes the call: the gateway said no.
    pub fn refused(mut self, refusal: &Refusal) {
        self.end(Some(refusal));
    }
}

impl std::ops::Deref for OpenRecord {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl std::ops::DerefMut for OpenRecord {
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

impl Drop for OpenRecord {
    fn drop(&mut self) {
        self.record.outcome = Some(self.outcome);
        self.record.duration_us = Some(micros(self.opened.elapsed()));
        (self.audit.on_close)(&self.record);
        let Some(place) = self.place.take() else { return };
        let call = self.record.call;
        let empty = Record::new(call, self.record.opened_at, "");
        let event = Event::Closed(Box::new(std::mem::replace(&mut self.record, empty)));
        // The others lie with the first, for which the writer was called.
        if self.audit.shelf.lay(event, place) && self.audit.sender.send(Message::Closings).is_err() {
            // Only after `stop`, which waits for every open call first.
            tracing::error!(%call, "a call closed after the audit had stopped");
        }
    }
}

struct Writer {
    log: Log,
    clock: Clock,
    counters: Arc<Counters>,
    shelf: Arc<Shelf>,
    tick: Duration,
    retry: Duration,
    commit_delay: Duration,
    /// Closing records that a failed write left over. Bounded by the places that they hold.
    waiting: Vec<(Event, After)>,
    failing_since: Option<Instant>,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let failing = !self.counters.ready.load(Relaxed);
            let patience = match failing {
                true => self.retry,
                false if self.shelf.is_empty() => self.tick,
                // More than one batch held, and of these no message speaks.
                false => Duration::ZERO,
            };
            let Ok(arrived) = self.gather(receiver, patience) else { break };
            let mut batch = std::mem::take(&mut self.waiting);
            batch.append(&mut self.shelf.take());
            let mut stop = None;
            for message in arrived {
                match message {
                    Message::Admit(event, reply) => batch.push((event, After::Reply(reply))),
                    Message::Closings => {}
                    Message::Stop(reply) => stop = Some(reply),
                }
            }
            self.write(batch, failing);
            if let Some(reply) = stop {
                let whole = self.waiting.is_empty() && self.log.checkpoint(self.clock.now(), Occasion::Stopped).is_ok();
                drop(self); // gives the lock back first: whoever waits may start anew at once
                if whole {
                    let _ = reply.send(()); // whoever asked may have given up waiting
                }
                return;
            }
        }
        while !(self.waiting.is_empty() && self.shelf.is_empty()) {
            let mut rest = std::mem::take(&mut self.waiting);
            rest.append(&mut self.shelf.take());
            self.write(rest, false);
            if !self.counters.ready.load(Relaxed) {
                break;
            }
        }
        if !self.waiting.is_empty() || self.log.checkpoint(self.clock.now(), Occasion::Stopped).is_err() {
            tracing::error!(lost = self.waiting.len(), "the audit ended while its disk failed");
        }
    }

    /// Waits for something to do, and for what else comes soon enough to go with it; nothing after `patience`.
    fn gather(&self, receiver: &Receiver<Message>, patience: Duration) -> Result<Vec<Message>, RecvTimeoutError> {
        let first = match receiver.recv_timeout(patience) {
            Ok(Message::Closings) => receiver.recv_timeout(CLOSING_DELAY),
            first => first,
        };
        let first = match first {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => return Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
        };
        if matches!(first, Message::Admit(..)) && self.counters.on_their_way.load(Relaxed) > 0 {
            // Slept through, for to be woken by each that comes would cost what it saves.
            std::thread::sleep(self.commit_delay);
        }
        Ok(std::iter::once(first).chain(receiver.try_iter().take(BATCH)).collect())
    }

    fn write(&mut self, batch: Vec<(Event, After)>, failing: bool) {
        let counters = Arc::clone(&self.counters);
        let started = Instant::now();
        counters.writing_since.store(micros(counters.epoch.elapsed()).max(1), Relaxed);
        let (events, after): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let now = self.clock.now();
        let written = match events.as_slice() {
            // Nothing to write would prove nothing about a disk that failed.
            [] if failing => self.log.checkpoint(now, Occasion::Due),
            events => self.log.append(now, events),
        };
        counters.writing_since.store(0, Relaxed);
        match written {
            Ok(()) => {
                self.log_trouble(None);
                counters.ready.store(true, Relaxed);
                counters.sequence.store(self.log.head().sequence, Relaxed);
                if !events.is_empty() {
                    counters.records.fetch_add(events.len() as u64, Relaxed);
                    counters.commits.fetch_add(1, Relaxed);
                    counters.commit_us.fetch_add(micros(started.elapsed()), Relaxed);
                }
                for after in after {
                    match after {
                        After::Reply(reply) => drop(reply.send(())), // the caller may have hung up
                        After::GiveBack(place) => drop(place),
                    }
                }
            }
            Err(error) => {
                counters.ready.store(false, Relaxed);
                counters.failures.fetch_add(1, Relaxed);
                self.log_trouble(Some(error.to_string()));
                // Admissions are refused by dropping their replies; closings wait.
                self.waiting = events.into_iter().zip(after).filter(|(_, after)| matches!(after, After::GiveBack(_))).collect();
            }
        }
        counters.waiting.store(self.waiting.len() as u64, Relaxed);
    }
}

impl Writer {
    /// Logs that the disk fails when it begins to, or fails in another way, and when it is over: every call that is refused
    /// meanwhile tries it, and a line for each would fill the disk that the operator is clearing.
    fn log_trouble(&mut self, error: Option<String>) {
        let mut trouble = self.counters.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*trouble, &error) {
            (None, None) => return,
            (Some(before), Some(now)) if before == now => return,
            (_, Some(error)) => tracing::error!(error, "the audit log cannot be written: calls are refused until it can"),
            (Some(_), None) => {
                let seconds = self.failing_since.take().map_or(0, |since| since.elapsed().as_secs());
                tracing::warn!(seconds, "the audit log is written again: calls are served");
            }
        }
        if error.is_some() {
            self.failing_since.get_or_insert_with(Instant::now);
        }
        *trouble = error;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // However the thread ends, nobody may think that calls are still recorded.
        self.counters.ready.store(false, Relaxed);
        self.counters.ended.store(true, Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::audit::keys;
    use crate::audit::log::segment_name;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// The lines since the last look that speak of the disk.
        fn take(&self) -> Vec<String> {
            let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
            text.lines().filter(|line| line.contains("the audit log")).map(str::to_owned).collect()
        }
    }

    #[test]
    fn a_disk_that_fails_is_logged_when_it_begins_when_it_fails_otherwise_and_when_it_is_over() {
        let dir = tempfile::tempdir().unwrap();
        keys::generate(dir.path()).unwrap();
        let key = keys::checkpoint_key(&dir.path().join("checkpoint.key")).unwrap();
        let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
        let folder = dir.path().join("log");
        let mut settings = AuditSettings::in_dir(&folder);
        settings.limits.segment_bytes = 1; // every write ends its segment
        let log = Log::open(&folder, key, settings.limits, clock.now()).unwrap();
        let counters = Arc::new(Counters::new());
        let mut writer = Writer {
            log,
            clock,
            counters: counters.clone(),
            shelf: Arc::default(),
            tick: settings.retry,
            retry: settings.retry,
            commit_delay: Duration::ZERO,
            waiting: Vec::new(),
            failing_since: None,
        };
        let lines = Lines::default();
        let own = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || own.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut attempt = || {
                let failing = !counters.ready.load(Relaxed);
                let record = Record::new(Uuid::nil(), "2026-11-22T12:00:00Z".parse().unwrap(), "x");
                let (reply, _) = oneshot::channel();
                writer.write(vec![(Event::Admitted(Box::new(record)), After::Reply(reply))], failing);
                lines.take()
            };
            assert!(attempt().is_empty(), "all is well");
            let next = folder.join(segment_name(2));
            std::fs::create_dir(&next).unwrap();
            let told: Vec<_> = (0..100).flat_map(|_| attempt()).collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told.concat().contains("ERROR") && told.concat().contains("calls are refused until it can"), "{told:?}");

            std::fs::rename(folder.join("lock"), folder.join("aside")).unwrap();
            let told: Vec<_> = (0..100).flat_map(|_| attempt()).collect();
            assert_eq!(told.len(), 1, "another cause, another line: {told:?}");

            std::fs::rename(folder.join("aside"), folder.join("lock")).unwrap();
            std::fs::remove_dir(&next).unwrap();
            let told: Vec<_> = (0..100).flat_map(|_| attempt()).collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told.concat().contains("is written again: calls are served"), "{told:?}");
            assert_eq!(counters.failures.load(Relaxed), 200);
        });
    }

    #[test]
    fn a_segment_that_goes_missing_behind_the_one_in_use_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(segment_name(1)), b"").unwrap();
        std::fs::write(dir.path().join(segment_name(2)), b"").unwrap();
        let look = || crate::audit::presence::Presence::new().segments(dir.path());
        assert!(look().is_ok());
        std::fs::remove_file(dir.path().join(segment_name(1))).unwrap();
        assert!(look().unwrap_err().to_string().contains("segment 1 is missing"));
    }
}
