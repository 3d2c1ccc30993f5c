//! One statement for all calls that wait: a call pays its share of a round trip and of the database's fsync.
//!
//! One statement is under way at a time; those that come meanwhile are the next one's. Queue, batch and wait are bounded. A
//! call that gives up, or whose caller does, leaves its message in the queue: it is remembered, and refused the next time.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::counts::{Cause, Counts};
use super::{Key, Seen};
use crate::refusal::Refusal;

/// Messages in one statement at most.
const BATCH: usize = 512;
/// Calls that wait at most.
const QUEUE: usize = 8_192;
/// How often a statement is sent, in all, where the database let another go first or a connection was broken: after a restart of the
/// database every connection of the pool is, and each is found out by itself.
const ATTEMPTS: u32 = 6;

/// What keeps messages.
pub(super) trait Keeper: Send + 'static {
    /// Keeps those that are not kept yet, whole or not at all.
    fn keep(&mut self, keys: &[Key], now: Timestamp) -> impl Future<Output = Result<Kept, Failure>> + Send;
}

/// What the keeper answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Those that it did not have.
    pub(super) new: HashSet<Key>,
    /// It has every message that was let through since.
    pub(super) since: Timestamp,
}

/// Why the keeper gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// Nothing was kept, and the same may succeed at once.
    #[error("{0}")]
    GaveWay(String),
    /// The connection broke: nobody knows whether the messages are kept. Another connection can be tried.
    #[error("{0}")]
    Broken(String),
    /// It did not answer in time: nobody knows, and there is no time to try again.
    #[error("{0}")]
    Slow(String),
    /// Nothing was kept.
    #[error("{0}")]
    Unavailable(String),
}

struct Waiting {
    message: Seen,
    now: Timestamp,
    reply: oneshot::Sender<Result<(), Refusal>>,
}

/// The calls that wait for a keeper.
pub(super) struct Queue {
    sender: mpsc::Sender<Waiting>,
    patience: Duration,
    counts: Arc<Counts>,
}

impl Queue {
    /// Starts a task that serves the queue until the queue is dropped. A call waits for `patience` at most.
    pub(super) fn start(keeper: impl Keeper, patience: Duration, counts: Arc<Counts>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(serve(keeper, receiver, counts.clone()));
        Self { sender, patience, counts }
    }

    pub(super) async fn remember(&self, message: Seen, now: Timestamp) -> Result<(), Refusal> {
        let started = Instant::now();
        let (reply, answer) = oneshot::channel();
        let verdict = match self.sender.try_send(Waiting { message, now, reply }) {
            Ok(()) => match timeout(self.patience, answer).await {
                Ok(Ok(verdict)) => verdict,
                Ok(Err(_)) => Err(self.counts.refuse(Cause::Unknown)),
                Err(_) => Err(self.counts.refuse(Cause::Slow)),
            },
            Err(_) => Err(self.counts.refuse(Cause::QueueFull)),
        };
        self.counts.waited(started.elapsed());
        verdict
    }
}

impl Counts {
    fn refuse(&self, cause: Cause) -> Refusal {
        self.failed(cause);
        Refusal::ReplayMemoryUnavailable { seconds: 5 }
    }
}

async fn serve(mut keeper: impl Keeper, mut queue: mpsc::Receiver<Waiting>, counts: Arc<Counts>) {
    let mut waiting = Vec::with_capacity(BATCH);
    let mut answers = true;
    while queue.recv_many(&mut waiting, BATCH).await > 0 {
        let asked = ask(&mut keeper, &waiting, &counts).await;
        match (&asked, answers) {
            (Err(failure), true) => tracing::error!(cause = %failure, "the replay memory does not answer: calls are refused"),
            (Ok(_), false) => tracing::info!("the replay memory answers again"),
            _ => {}
        }
        answers = asked.is_ok();
        answer(&mut waiting, asked, &counts);
    }
}

/// What the keeper answered, and whether an attempt before it may have kept some of the messages.
type Asked = Result<(Kept, bool), Failure>;

async fn ask(keeper: &mut impl Keeper, waiting: &[Waiting], counts: &Counts) -> Asked {
    let mut keys: Vec<Key> = waiting.iter().map(|waiting| waiting.message.key).collect();
    // In one order everywhere, so that two nodes with the same messages cannot wait for each other.
    keys.sort_unstable();
    keys.dedup();
    let now = waiting.iter().map(|waiting| waiting.now).max().unwrap_or_default();
    let mut doubtful = false;
    let mut attempt = 1;
    loop {
        counts.sent();
        match keeper.keep(&keys, now).await {
            Ok(kept) => return Ok((kept, doubtful)),
            Err(Failure::GaveWay(_)) if attempt < ATTEMPTS => {}
            // Again on another connection: what is new there was not kept before, neither by us nor by anybody.
            Err(Failure::Broken(_)) if attempt < ATTEMPTS => doubtful = true,
            Err(failure) => return Err(failure),
        }
        attempt += 1;
    }
}

/// Answers each call, in the order in which they came: of copies in one batch the first passes.
fn answer(waiting: &mut Vec<Waiting>, asked: Asked, counts: &Counts) {
    let (mut kept, doubtful) = match asked {
        Ok(answered) => answered,
        Err(failure) => {
            let cause = match failure {
                Failure::Unavailable(_) | Failure::GaveWay(_) => Cause::Unavailable,
                Failure::Broken(_) | Failure::Slow(_) => Cause::Unknown,
            };
            for waiting in waiting.drain(..) {
                let _ = waiting.reply.send(Err(counts.refuse(cause)));
            }
            return;
        }
    };
    for Waiting { message, now, reply } in waiting.drain(..) {
        let verdict = if message.created < kept.since {
            let seconds = kept.since.as_second().saturating_sub(now.as_second()).max(1).unsigned_abs();
            Err(Refusal::CreatedBeforeMemory { seconds })
        } else if kept.new.remove(&message.key) {
            Ok(())
        } else if doubtful {
            Err(counts.refuse(Cause::Unknown))
        } else {
            Err(Refusal::Replay)
        };
        // Whoever gave up meanwhile hears nothing, and the message stays remembered.
        let _ = reply.send(verdict);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn seen(id: &str) -> Seen {
        Seen::new(b"k", id, at(1))
    }

    /// Answers by a script; without a line of it, as a whole memory does.
    #[derive(Default)]
    struct Scripted {
        kept: HashSet<Key>,
        script: VecDeque<Line>,
        batches: Option<mpsc::UnboundedSender<usize>>,
        gate: Option<mpsc::Receiver<()>>,
    }

    enum Line {
        Fails(Failure),
        KeepsAndFails(Failure),
    }

    impl Keeper for Scripted {
        async fn keep(&mut self, keys: &[Key], _: Timestamp) -> Result<Kept, Failure> {
            if let Some(batches) = &self.batches {
                batches.send(keys.len()).unwrap();
            }
            if let Some(gate) = &mut self.gate {
                gate.recv().await;
            }
            let line = self.script.pop_front();
            if let Some(Line::Fails(failure)) = line {
                return Err(failure);
            }
            let new = keys.iter().filter(|key| self.kept.insert(**key)).copied().collect();
            match line {
                Some(Line::KeepsAndFails(failure)) => Err(failure),
                _ => Ok(Kept { new, since: at(0) }),
            }
        }
    }

    fn queue(keeper: Scripted) -> Queue {
        Queue::start(keeper, Duration::from_secs(20), Arc::default())
    }

    fn script(lines: Vec<Line>) -> Scripted {
        Scripted { script: lines.into(), ..Scripted::default() }
    }

    const UNAVAILABLE: Result<(), Refusal> = Err(Refusal::ReplayMemoryUnavailable { seconds: 5 });

    #[tokio::test]
    async fn calls_that_wait_share_a_statement_and_of_copies_in_it_one_passes() {
        let ((batches, mut sizes), (open, gate)) = (mpsc::unbounded_channel(), mpsc::channel(9));
        let queue = Arc::new(queue(Scripted { batches: Some(batches), gate: Some(gate), ..Scripted::default() }));
        let ask = |id: String| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.remember(seen(&id), at(1)).await })
        };
        let first = ask("first".to_owned());
        assert_eq!(sizes.recv().await, Some(1));
        let others: Vec<_> = (0..20).map(|n| ask(format!("{}", n / 2))).collect();
        while queue.sender.capacity() > QUEUE - 20 {
            tokio::task::yield_now().await;
        }
        open.send(()).await.unwrap();
        assert_eq!(first.await.unwrap(), Ok(()));
        assert_eq!(sizes.recv().await, Some(10), "ten messages, each twice, in one statement");
        open.send(()).await.unwrap();
        let mut passed = 0;
        for other in others {
            match other.await.unwrap() {
                Ok(()) => passed += 1,
                refused => assert_eq!(refused, Err(Refusal::Replay)),
            }
        }
        assert_eq!(passed, 10);
        let stats = queue.counts.stats();
        assert_eq!((stats.messages, stats.statements, stats.failures), (21, 2, [0; 4]));
    }

    #[tokio::test]
    async fn a_connection_that_broke_is_tried_again_and_what_the_first_try_may_have_kept_is_refused() {
        let broken = || Failure::Broken("the connection was closed".to_owned());
        let before = queue(script(vec![Line::Fails(broken())]));
        assert_eq!(before.remember(seen("1"), at(1)).await, Ok(()), "it broke before anything was kept");
        let after = queue(script(vec![Line::KeepsAndFails(broken())]));
        assert_eq!(after.remember(seen("1"), at(1)).await, UNAVAILABLE, "kept by us or another: nobody knows");
        assert_eq!(after.remember(seen("1"), at(1)).await, Err(Refusal::Replay));
        let all = queue(script((0..ATTEMPTS).map(|_| Line::Fails(broken())).collect()));
        assert_eq!(all.remember(seen("1"), at(1)).await, UNAVAILABLE);
        assert_eq!(all.remember(seen("2"), at(1)).await, Ok(()), "the next call is asked about anew");
    }

    #[tokio::test]
    async fn what_gave_way_to_another_is_sent_again_and_is_no_doubt() {
        let gave_way = || Failure::GaveWay("deadlock detected".to_owned());
        let queue = queue(script(vec![Line::Fails(gave_way()), Line::Fails(gave_way())]));
        assert_eq!(queue.remember(seen("1"), at(1)).await, Ok(()));
        assert_eq!(queue.remember(seen("1"), at(1)).await, Err(Refusal::Replay));
    }

    #[tokio::test]
    async fn what_is_not_answered_is_refused_and_never_sent_again() {
        for failure in [Failure::Slow("5 s".to_owned()), Failure::Unavailable("read only".to_owned())] {
            let queue = queue(script(vec![Line::KeepsAndFails(failure)]));
            assert_eq!(queue.remember(seen("1"), at(1)).await, UNAVAILABLE);
            assert_eq!(queue.remember(seen("1"), at(1)).await, Err(Refusal::Replay));
        }
    }

    #[tokio::test]
    async fn a_call_that_gave_up_waiting_leaves_its_message_behind() {
        let (open, gate) = mpsc::channel(9);
        let keeper = Scripted { gate: Some(gate), ..Scripted::default() };
        let mut queue = Queue::start(keeper, Duration::from_millis(20), Arc::default());
        assert_eq!(queue.remember(seen("1"), at(1)).await, UNAVAILABLE);
        queue.patience = Duration::from_secs(20);
        drop(open);
        assert_eq!(queue.remember(seen("1"), at(1)).await, Err(Refusal::Replay));
        assert_eq!(queue.counts.stats().failures, [0, 1, 0, 0]);
    }

    #[tokio::test]
    async fn when_the_queue_is_full_calls_are_refused_at_once() {
        let (open, gate) = mpsc::channel(9);
        let queue = queue(Scripted { gate: Some(gate), ..Scripted::default() });
        let mut replies = Vec::new();
        while let Ok(()) = {
            let (reply, answer) = oneshot::channel();
            let sent = queue.sender.try_send(Waiting { message: seen(&replies.len().to_string()), now: at(1), reply });
            replies.push(answer);
            sent
        } {}
        assert_eq!(queue.remember(seen("one more"), at(1)).await, UNAVAILABLE);
        assert_eq!(queue.counts.stats().failures, [1, 0, 0, 0]);
        drop(open);
    }

    #[tokio::test]
    async fn what_was_created_before_the_memory_remembers_is_refused_until_it_may_be_sent_anew() {
        struct Late;
        impl Keeper for Late {
            async fn keep(&mut self, keys: &[Key], _: Timestamp) -> Result<Kept, Failure> {
                Ok(Kept { new: keys.iter().copied().collect(), since: at(60) })
            }
        }
        let queue = Queue::start(Late, Duration::from_secs(20), Arc::default());
        let seen = |created| Seen::new(b"k", "1", at(created));
        assert_eq!(queue.remember(seen(59), at(1)).await, Err(Refusal::CreatedBeforeMemory { seconds: 59 }));
        assert_eq!(queue.remember(seen(59), at(61)).await, Err(Refusal::CreatedBeforeMemory { seconds: 1 }));
        assert_eq!(queue.remember(seen(60), at(61)).await, Ok(()));
    }
}
