//! The worker of a serving node: takes what is due from the outbox, hands it on, and notes what Campus has.
//!
//! At least once, and in Campus once: whoever takes a row again looks first. While Campus does not answer, or asks to wait, the whole
//! worker waits, longer each time, and nothing of the queue is counted as tried. What Campus saw and did not take is tried again later
//! each time; what it refuses is given up, and holds up what follows of the same person alone. An answer of one person's that cannot be
//! used is counted and tried again while the others go on, unless nobody's can be used.
//!
//! A store that was put back may hold persons who are erased, and days of waking of theirs. Until every audit log was read for
//! erasures the worker takes nothing and wakes nobody: else an erased person would be created in Campus again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::client::{Campus, Done, Step, Trouble};
use super::counts::Counts;
use super::{known, user};
use crate::clock::{Clock, civil_day};
use crate::persons::erase::replay;
use crate::persons::outbox::{self, Fate, OutboxError, Taken, What};
use crate::store::{Database, StoreError, until_it_holds};

/// How rows are tried.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How many are handed on at once.
    pub at_once: u32,
    /// How often Campus may see one and not take it before it is given up: more than a day.
    pub attempts: u32,
    /// How often it is tried where something of it is another's there, or it is answered what cannot be used: less than an hour.
    pub odd_attempts: u32,
    /// How long after the first time it is tried again; twice as long after each further one.
    pub first_pause: Duration,
    /// The longest pause of a row.
    pub longest_pause: Duration,
    /// The longest time for which Campus is left alone, unless it asks for more.
    pub longest_rest: Duration,
    /// How often the queue is looked at when nothing is in it.
    pub look: Duration,
}

impl Rules {
    /// The usual ones.
    pub fn usual(at_once: u32) -> Self {
        Self {
            at_once,
            attempts: 40,
            odd_attempts: 10,
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(3600),
            longest_rest: Duration::from_secs(300),
            look: Duration::from_secs(1),
        }
    }
}

/// How often it is looked whether a day or a manager has come.
const AWAKEN: Duration = Duration::from_secs(60);
/// How often the figures are shown.
const SHOW: Duration = Duration::from_secs(5);

type AtStep = Arc<dyn Fn(Step) + Send + Sync>;

/// Of so many persons in a row Campus's answers cannot be used before it is Campus, and not the persons.
const ODD: usize = 20;

/// While Campus is left alone.
#[derive(Debug, Default)]
struct Rest {
    /// Whose answers could not be used since one could.
    odd: BTreeSet<i64>,
    /// How often in a row it took nothing.
    failures: u32,
    until: Option<Timestamp>,
}

struct Inner {
    database: Database,
    /// The name of the node's own log.
    node: Uuid,
    /// Whether the store was put back, and logs are still to be read.
    awaits: AtomicBool,
    campus: Campus,
    clock: Clock,
    rules: Rules,
    counts: Option<Counts>,
    rest: Mutex<Rest>,
    at_step: Option<AtStep>,
}

/// The worker. Cheap to clone.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

/// What one look at the queue came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worked {
    /// So many rows were taken.
    Taken(usize),
    /// Campus is left alone for so long, because of Campus or because the store was put back.
    Resting(Duration),
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Campus(#[from] Trouble),
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    2_u32.checked_pow(times).and_then(|factor| first.checked_mul(factor)).unwrap_or(longest).min(longest)
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_add(pause).ok()).unwrap_or(now)
}

impl Worker {
    /// Takes its parts. `node`: the name of the node's own log; `at_step`: what a test does at each step.
    pub fn new(
        database: Database,
        node: Uuid,
        campus: Campus,
        clock: Clock,
        rules: Rules,
        counts: Option<Counts>,
        at_step: Option<AtStep>,
    ) -> Self {
        let awaits = AtomicBool::new(false);
        Self(Arc::new(Inner { database, node, awaits, campus, clock, rules, counts, rest: Mutex::default(), at_step }))
    }

    /// Hands on for ever.
    pub async fn run(&self) {
        tokio::select! {
            () = self.work() => {}
            () = self.keep_awakening() => {}
            () = self.keep_showing() => {}
        }
    }

    async fn work(&self) {
        loop {
            match self.work_once().await {
                Ok(Worked::Taken(0)) => tokio::time::sleep(self.0.rules.look).await,
                Ok(Worked::Taken(_)) => {}
                Ok(Worked::Resting(rest)) => tokio::time::sleep(rest.min(SHOW)).await,
                Err(error) => {
                    tracing::warn!(%error, "the queue to Campus cannot be read; it is looked at again");
                    tokio::time::sleep(SHOW).await;
                }
            }
        }
    }

    async fn keep_awakening(&self) {
        loop {
            if let Err(error) = self.awaken().await {
                tracing::warn!(%error, "it is not known who is to be told to Campus because of the day; it is looked up again");
            }
            tokio::time::sleep(AWAKEN).await;
        }
    }

    /// Writes down what follows from the day in Copenhagen and from managers who came.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn awaken(&self) -> Result<usize, StoreError> {
        let now = self.0.clock.now();
        let Some(today) = civil_day(now) else { return Ok(0) };
        if self.awaits_erasures().await? {
            return Ok(0);
        }
        outbox::awaken(&self.0.database, today, now).await
    }

    async fn keep_showing(&self) {
        loop {
            if let Some(counts) = &self.0.counts {
                match outbox::figures(&self.0.database, self.0.clock.now()).await {
                    Ok(figures) => counts.show(&figures),
                    Err(error) => tracing::debug!(%error, "the queue to Campus cannot be counted"),
                }
                counts.paused(self.rest().is_some() || self.0.awaits.load(Ordering::Relaxed));
            }
            tokio::time::sleep(SHOW).await;
        }
    }

    /// Whether the store was put back, and not every log was read for erasures yet. Asked each time: a store is put back under nodes
    /// that serve.
    async fn awaits_erasures(&self) -> Result<bool, StoreError> {
        let missing = replay::missing(&mut self.0.database.session().await?, self.0.node).await?;
        let awaits = !missing.is_empty();
        match (self.0.awaits.swap(awaits, Ordering::Relaxed), awaits) {
            (false, true) => tracing::warn!(
                logs = missing.len(),
                "the store was put back: nobody is handed on to Campus before every audit log was read for erasures"
            ),
            (true, false) => tracing::info!("every audit log was read for erasures: persons are handed on to Campus again"),
            _ => {}
        }
        Ok(awaits)
    }

    fn rest(&self) -> Option<Duration> {
        let rest = self.0.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let left = rest.until?.duration_since(self.0.clock.now());
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// Campus answered as it should.
    fn answered(&self) {
        let now = self.0.clock.now();
        let mut rest = self.0.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.odd.clear();
        // Of several that are under way at once one may have been told to wait: that holds.
        if rest.failures > 0 && rest.until.is_none_or(|until| until <= now) {
            tracing::info!("Campus takes persons again");
            *rest = Rest::default();
        }
    }

    /// Campus answered of a person what cannot be used; whether that is so of everybody.
    fn is_odd(&self, number: i64) -> bool {
        let mut rest = self.0.rest.lock().unwrap_or_else(PoisonError::into_inner);
        // Bounded: beyond that it makes no difference who.
        if rest.odd.len() < ODD {
            rest.odd.insert(number);
        }
        rest.odd.len() >= ODD
    }

    /// Campus did not: it is left alone, longer each time.
    fn leave_alone(&self, why: &str, wait: Option<Duration>) -> Timestamp {
        let now = self.0.clock.now();
        let mut rest = self.0.rest.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were under way at once are one failure.
        if rest.until.is_none_or(|until| until <= now) {
            let pause = doubled(Duration::from_secs(1), rest.failures, self.0.rules.longest_rest);
            if rest.failures == 0 {
                tracing::warn!(why, "Campus takes no persons; they wait in the queue, and it is tried again");
            }
            rest.failures = rest.failures.saturating_add(1);
            rest.until = Some(after(now, pause));
        }
        let until = rest.until.max(wait.map(|wait| after(now, wait))).unwrap_or(now);
        rest.until = Some(until);
        until
    }

    /// Takes what is due, once, and hands it on.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn work_once(&self) -> Result<Worked, StoreError> {
        if let Some(rest) = self.rest() {
            return Ok(Worked::Resting(rest));
        }
        if self.awaits_erasures().await? {
            return Ok(Worked::Resting(SHOW));
        }
        let Inner { database, campus, clock, rules, .. } = &*self.0;
        let lease = campus.longest() + Duration::from_secs(30);
        let taken = outbox::take(database, rules.at_once, lease, clock.now()).await?;
        if taken.is_empty() {
            return Ok(Worked::Taken(0));
        }
        let many = taken.len();
        let usable = campus.may_be_reached().await;
        let mut working = tokio::task::JoinSet::new();
        for taken in taken {
            let (worker, usable) = (self.clone(), usable.clone());
            working.spawn(async move { worker.one(&taken, usable).await });
        }
        while let Some(ended) = working.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!("handing on a person to Campus ended by a panic; it is tried again when its lease ends");
            }
        }
        Ok(Worked::Taken(many))
    }

    async fn one(&self, taken: &Taken, usable: Result<(), Trouble>) {
        self.reached(Step::Taken);
        let within = self.0.campus.longest();
        let handed = match usable {
            Err(trouble) => Err(trouble.into()),
            Ok(()) => tokio::time::timeout(within, self.hand_on(taken)).await.unwrap_or_else(|_| {
                let why = format!("it was not done within {} s", within.as_secs());
                Err(Trouble::Away { why, wait: None, seen: true }.into())
            }),
        };
        let trouble = match handed {
            Ok(done) => {
                self.answered();
                if let Some(counts) = &self.0.counts {
                    counts.done(done);
                }
                return;
            }
            Err(Failed::Campus(trouble)) => trouble,
            Err(Failed::Store(error)) => {
                tracing::warn!(%error, row = taken.id, "the store did not answer while a person was handed on; it is done again");
                return;
            }
            Err(Failed::Outbox(error)) => {
                tracing::info!(%error, row = taken.id, "another took over what was handed on, or the person was erased meanwhile");
                return;
            }
        };
        let fate = self.fate(taken, &trouble);
        if let Some(counts) = &self.0.counts {
            counts.not_taken(fate == Fate::Dead);
        }
        if fate == Fate::Dead {
            tracing::error!(row = taken.id, why = %trouble, "Campus refuses what was handed on of a person; `hjemmel persons queue` shows it");
        }
        if let Err(error) = outbox::not_taken(&self.0.database, taken, &trouble.to_string(), fate).await {
            tracing::warn!(%error, row = taken.id, "it is not noted that Campus did not take a row; it is tried again when its lease ends");
        }
    }

    fn fate(&self, taken: &Taken, trouble: &Trouble) -> Fate {
        let Rules { attempts, odd_attempts, first_pause, longest_pause, .. } = self.0.rules;
        let later = || after(self.0.clock.now(), doubled(first_pause, taken.attempts, longest_pause));
        let tries = taken.attempts.saturating_add(1);
        match trouble {
            Trouble::Refused(_) => {
                self.answered();
                Fate::Dead
            }
            Trouble::Unusable(why) => Fate::Again { due: self.leave_alone(why, None), counted: false },
            Trouble::Odd(why) if self.is_odd(taken.number) => Fate::Again { due: self.leave_alone(why, None), counted: false },
            Trouble::Odd(_) | Trouble::Conflict(_) => {
                if matches!(trouble, Trouble::Conflict(_)) {
                    self.answered();
                }
                if tries >= odd_attempts { Fate::Dead } else { Fate::Again { due: later(), counted: true } }
            }
            Trouble::Away { why, wait, seen } => {
                let until = self.leave_alone(why, *wait);
                match seen {
                    false => Fate::Again { due: until, counted: false },
                    true if tries >= attempts => Fate::Dead,
                    true => Fate::Again { due: until.max(later()), counted: true },
                }
            }
        }
    }

    fn reached(&self, step: Step) {
        if let Some(at_step) = &self.0.at_step {
            at_step(step);
        }
    }

    async fn hand_on(&self, taken: &Taken) -> Result<Done, Failed> {
        let (database, campus, number) = (&self.0.database, &self.0.campus, taken.number);
        let today =
            civil_day(self.0.clock.now()).ok_or_else(|| Trouble::Unusable("the zone of Copenhagen is not known".to_owned()))?;
        let handed = match &taken.what {
            What::Person(handed) => Some(&**handed),
            _ => None,
        };
        // As it is now, and not as it was when the row was written: what is told never goes back.
        let known = known::of(database, number, handed).await?;
        let first = user::first(&known.employments, today);
        let manager = match first.and_then(|first| first.manager) {
            Some(manager) => known::user(database, manager).await?,
            None => None,
        };
        let told = match (&taken.what, user::user(&known.employments, manager.as_deref(), today, campus.has_extension())) {
            (What::Unreadable, _) => return Err(Trouble::Refused("it cannot be read by this release".to_owned()).into()),
            (What::Erased, _) => Err(campus.delete(number, known.user).await?),
            // Erased meanwhile.
            (_, None) => Err(Done::Unchanged),
            (_, Some(wanted)) => Ok(campus.ensure(number, known.user, &wanted, &|step| self.reached(step)).await?),
        };
        self.reached(Step::Sent);
        until_it_holds(async || {
            let mut transaction = database.begin_beside_others().await?;
            let done = match &told {
                Err(done) if taken.what == What::Erased => {
                    outbox::erased_with(&mut transaction, taken).await?;
                    known::forget(&mut transaction, number).await?;
                    *done
                }
                Err(done) => {
                    outbox::done_with(&mut transaction, taken).await?;
                    *done
                }
                Ok((id, done)) => {
                    outbox::done_with(&mut transaction, taken).await?;
                    known::note_user(&mut transaction, number, id, user::wakes(&known.employments, today)).await?;
                    // The first employment's manager is the one that is referred to; of the others the number stands in the extension.
                    for told in &known.employments {
                        let missing = first.is_some_and(|first| first.is_of(told)) && told.manager.is_some() && manager.is_none();
                        known::note_employment(&mut transaction, told, missing).await?;
                    }
                    *done
                }
            };
            self.reached(Step::Written);
            transaction.commit().await?;
            Ok(done)
        })
        .await
    }
}
