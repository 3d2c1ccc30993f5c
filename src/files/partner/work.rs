//! What happens to files without anybody asking: they are judged, and they go when their days are over.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;

use super::agreement;
use super::core::{MailboxError, Mailboxes, Step, lock};
use super::counts::Counts;
use super::rows::{self, File, Transport, Validation};
use super::silence::Heard;
use super::validate::{Context, Remark};
use super::{joining, pieces, receipts, room};
use crate::clock::civil_day;
use crate::files::codes::Code;
use crate::files::content::{Content, Passing};
use crate::files::core::{Failed, drop_content};
use crate::files::shelf;
use crate::files::users::us;
use crate::store::jobs::{self, Fate, Taken};
use crate::store::{Row, StoreError, sql, until_it_holds};

/// How many are judged at a time.
pub(super) const AT_ONCE: u32 = 4;
/// How often a node looks for what others added, where nothing wakes it.
const LOOK: Duration = Duration::from_secs(2);
/// The longest until a file is looked at again that this node cannot judge, and after how long none that could is waited for any more.
const LATEST_LOOK: Duration = Duration::from_secs(5 * 60);
const ELSEWHERE: SignedDuration = SignedDuration::from_hours(24);
/// How often the sweep comes by, and how much it takes at a time.
const EVERY: Duration = Duration::from_secs(30);
const MOST: u32 = 200;
/// At each so-many-th sweep, once an hour, it is looked for files that lie unread.
const UNREAD_LOOKS: u32 = 120;
/// A content that came to nothing.
const ABANDONED: SignedDuration = SignedDuration::from_hours(48);
/// The most times that in one sweep, and the most rows of a kind that a sweep names in the log.
const PAGES: usize = 25;
const NAMED: u32 = 10;
/// Days that what is known of a file outlives its content, and that a rejected file's content lies.
const HISTORY_DAYS: i64 = 90;
const REJECTED_DAYS: i64 = 14;
/// Hours that an upload waits for its final name.
pub(super) const UPLOADS_STAY_HOURS: i64 = 24;
const JOBS_STAY: Duration = Duration::from_secs(24 * 60 * 60);

fn given_up() -> Remark {
    Remark {
        code: "VP091".to_owned(),
        da: "Filen kunne ikke valideres på grund af en fejl hos platformen.".to_owned(),
        en: "The file could not be validated for a fault of the platform's.".to_owned(),
        remedy_da: "Aflever filen igen med et nyt id; afvises den igen, så kontakt driften.".to_owned(),
        remedy_en: "Deliver the file again under a new id; if it is rejected again, contact the operators.".to_owned(),
    }
}

/// Never approved unread: what cannot be judged as agreed is not what the recipient agreed to.
fn no_longer_agreed() -> Remark {
    Remark {
        code: "VP092".to_owned(),
        da: "Datastrømmen er ikke længere aftalt, og filen er ikke valideret.".to_owned(),
        en: "The data stream is no longer agreed, and the file was not validated.".to_owned(),
        remedy_da: "Aflever filen igen med et nyt id i en datastrøm, som aftalen har.".to_owned(),
        remedy_en: "Deliver the file again under a new id in a data stream that the agreement has.".to_owned(),
    }
}

/// What time does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Its judgement was given up: the process may have died in the last attempt, or between that attempt and what was to be told of it.
    GivenUp,
    /// The days of its content are over.
    Ended,
    /// An upload whose final name never came.
    Upload,
    /// Pieces of a delivery whose next one never came.
    Pieces,
}

impl Due {
    const ALL: [Self; 4] = [Self::GivenUp, Self::Ended, Self::Upload, Self::Pieces];

    /// The rows that it is due to at an instant, a page of them.
    fn rows(self) -> &'static str {
        match self {
            Due::GivenUp => {
                "SELECT f.id FROM mailbox_file f LEFT JOIN job j ON j.id = f.job
                 WHERE f.validation = 'MODTAGET' AND f.received_us <= $1 AND (j.id IS NULL OR j.state = 'dead')
                 ORDER BY f.received_us, f.id LIMIT $2 OFFSET $3"
            }
            Due::Ended => {
                "SELECT id FROM mailbox_file WHERE delete_us <= $1 AND content IS NOT NULL ORDER BY delete_us, id LIMIT $2 OFFSET $3"
            }
            Due::Upload => "SELECT id FROM mailbox_upload WHERE modified_us <= $1 ORDER BY modified_us, id LIMIT $2 OFFSET $3",
            Due::Pieces => {
                "SELECT mailbox AS id, delivery FROM mailbox_part GROUP BY mailbox, delivery HAVING max(since_us) <= $1
                 ORDER BY max(since_us), mailbox, delivery LIMIT $2 OFFSET $3"
            }
        }
    }
}

/// What a sweep asks the store, each with an instant, how many rows and after how many: for whoever looks what that costs.
pub fn questions() -> impl Iterator<Item = &'static str> {
    Due::ALL.into_iter().map(Due::rows)
}

/// An instant so many hours ago.
fn before(now: Timestamp, hours: i64) -> i64 {
    us(now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(now))
}

impl Mailboxes {
    /// Judges what is due, for ever. It ends with the future: what was under way is another's, after its lease or once
    /// [`Mailboxes::stopped`] is said.
    pub async fn work(&self) {
        let mut under_way = JoinSet::new();
        loop {
            while let Some(ended) = under_way.try_join_next() {
                log_end(ended);
            }
            // A file of a gigabyte takes a minute to judge, and the others go on meanwhile.
            match self.begin(&mut under_way).await {
                Ok(0) => tokio::select! {
                    Some(ended) = under_way.join_next() => log_end(ended),
                    _ = tokio::time::timeout(LOOK, self.0.due.notified()) => {}
                },
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "files of mailboxes cannot be judged");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Judges what is due now, and says how many that were.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn work_once(&self) -> Result<usize, MailboxError> {
        let mut under_way = JoinSet::new();
        let begun = self.begin(&mut under_way).await?;
        while let Some(ended) = under_way.join_next().await {
            log_end(ended);
        }
        Ok(begun)
    }

    /// Begins what is due and has room.
    async fn begin(&self, under_way: &mut JoinSet<Result<(), MailboxError>>) -> Result<usize, MailboxError> {
        let room = AT_ONCE.saturating_sub(u32::try_from(under_way.len()).unwrap_or(AT_ONCE));
        if room == 0 {
            return Ok(0);
        }
        let taken = self.0.jobs.take(room).await?;
        let begun = taken.len();
        for job in taken {
            let mailboxes = self.clone();
            under_way.spawn(async move { mailboxes.tried(&job).await });
        }
        Ok(begun)
    }

    async fn tried(&self, job: &Taken) -> Result<(), MailboxError> {
        let Some(id) = Uuid::from_slice(&job.payload).ok() else { return Ok(self.0.jobs.done(job).await?) };
        let Err(error) = self.settle(id, job).await else { return Ok(()) };
        tracing::warn!(%error, file = %id, attempt = job.attempt, "a file of a mailbox could not be judged");
        match self.0.jobs.failed(job, &error.to_string()).await? {
            Fate::Again(_) => Ok(()),
            Fate::Dead => self.give_up(id).await,
        }
    }

    /// Nothing became of it in all attempts: its sender is told.
    async fn give_up(&self, id: Uuid) -> Result<(), MailboxError> {
        until_it_holds(async || self.judged(id, None, &[given_up()]).await).await?;
        tracing::error!(file = %id, "a file of a mailbox was given up after all attempts, and is AFVIST (VP091)");
        Ok(())
    }

    async fn settle(&self, id: Uuid, job: &Taken) -> Result<(), MailboxError> {
        let file = rows::with_id(&mut self.database().session().await?, id).await?;
        let Some(file) = file.filter(|file| file.validation == Validation::Received) else {
            return Ok(self.0.jobs.done(job).await?);
        };
        let remarks = match self.remarks(&file, job).await? {
            Some(remarks) => remarks,
            None => match self.elsewhere(&file, job).await? {
                Some(remarks) => remarks,
                None => return Ok(()),
            },
        };
        self.reached(Step::Judged);
        until_it_holds(async || self.judged(id, Some(job), &remarks).await).await
    }

    /// This node has nothing that could judge a file: another may, or this one after its next reload. It is given back, later each time,
    /// and was no attempt. After a day its sender is told.
    async fn elsewhere(&self, file: &File, job: &Taken) -> Result<Option<Vec<Remark>>, MailboxError> {
        let waited = self.now().duration_since(file.received);
        if waited >= ELSEWHERE {
            tracing::error!(file = %file.id, "no node judged a file of a mailbox for a day: the service that its stream names is in no configuration");
            return Ok(Some(vec![given_up()]));
        }
        let pause = Duration::try_from(waited).unwrap_or_default() / 8;
        self.0.jobs.later(job, pause.clamp(LOOK, LATEST_LOOK)).await?;
        let mut told = self.0.unjudged.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST as usize && told.insert((file.sender, file.stream.clone())) {
            tracing::warn!(
                file = %file.id, agreement = %file.from, stream = file.stream,
                "no service of this node judges files of the InfRef that a stream names as its validator; they wait for another node"
            );
        }
        Ok(None)
    }

    /// Reads all of a file through its stream's validator. `None`: this node has nothing that could judge it.
    async fn remarks(&self, file: &File, job: &Taken) -> Result<Option<Vec<Remark>>, MailboxError> {
        let unreadable = |column| Failed::Store(StoreError::Unreadable { column });
        let mut session = self.database().session().await?;
        let own = agreement::with_id(&mut session, file.sender).await?.ok_or_else(|| unreadable("sender"))?;
        let object = shelf::object(&mut session, file.content.ok_or_else(|| unreadable("content"))?).await?;
        drop(session);
        // By the terms of the day on which it was taken, where they still say so.
        let Some(stream) = own.terms.stream(&file.stream, agreement::Direction::Out).cloned() else {
            return Ok(Some(vec![no_longer_agreed()]));
        };
        let context = Context {
            alias_kind: file.alias_kind.clone(),
            alias_code: file.alias_code.clone(),
            on: civil_day(file.received).ok_or_else(|| unreadable("received_us"))?,
            terms: own.terms,
        };
        let place =
            self.0.judging.clone().acquire_owned().await.map_err(|_| Failed::Content(Passing("the node stops".to_owned())))?;
        let content = Content::new(self.0.parts.objects.clone(), object, place);
        let mut judging = std::pin::pin!(stream.validator.judge(content, context, &self.0.parts.contents, self.now()));
        loop {
            let kept = async {
                tokio::time::sleep(self.0.jobs.lease() / 4).await;
                self.0.jobs.keep(job).await
            };
            tokio::select! {
                judged = &mut judging => return Ok(judged.map_err(Failed::Content)?),
                kept = kept => kept?,
            }
        }
    }

    /// Writes down the judgement, in one transaction with the end of the job: an approved file comes into its inbox.
    async fn judged(&self, id: Uuid, job: Option<&Taken>, remarks: &[Remark]) -> Result<(), MailboxError> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        let file = rows::with_id(&mut transaction, id).await?;
        let Some(file) = file else { return Ok(()) };
        lock(&mut transaction, &[file.recipient]).await?;
        if let Some(job) = job {
            self.0.jobs.done_with(&mut transaction, job).await?;
        } else {
            let over = sql("DELETE FROM job WHERE id = $1 AND state = 'dead'").bind(file.job);
            transaction.execute(over).await?;
        }
        let told = serde_json::to_string(remarks).map_err(|_| StoreError::Unreadable { column: "remarks" })?;
        if remarks.is_empty() {
            let number = rows::next(&mut transaction, file.recipient, true).await?;
            let shown = rows::name_in_inbox(&mut transaction, &file).await?;
            let since = rows::since_in_inbox(&mut transaction, file.recipient, number, now).await?;
            let approve = sql("UPDATE mailbox_file SET validation = 'GODKENDT', number = $1, job = NULL, shown = $2, shown_key = $3, shown_us = $4
                 WHERE id = $5 AND validation = 'MODTAGET'");
            let approve = approve.bind(number).bind(shown.spelt()).bind(shown.key()).bind(since);
            transaction.execute(approve.bind(id)).await?;
        } else {
            let delete = now.checked_add(SignedDuration::from_hours(24 * REJECTED_DAYS)).unwrap_or(now);
            let reject = sql("UPDATE mailbox_file SET validation = 'AFVIST', remarks = $1, delete_us = $2, job = NULL
                 WHERE id = $3 AND validation = 'MODTAGET'");
            transaction.execute(reject.bind(told).bind(us(delete)).bind(id)).await?;
        }
        if file.by_sftp && file.validation == Validation::Received {
            let codes: Vec<Code> = remarks.iter().map(Remark::code).collect();
            receipts::write(&mut transaction, file.sender, Some(id), &file.name, &codes, now).await?;
        }
        self.reached(Step::Written);
        transaction.commit().await?;
        self.reached(Step::Settled);
        Ok(())
    }

    /// Sweeps for ever, shows how files fare, and tells of streams that are silent.
    pub async fn keep_sweeping(&self, counts: &Counts) {
        let (mut heard, mut look) = (Heard::default(), 0_u32);
        loop {
            match self.sweep().await {
                Ok(left) => counts.left(left),
                Err(error) => tracing::warn!(%error, "files of mailboxes could not be cleaned up"),
            }
            match self.silent().await {
                Ok(silent) => {
                    counts.silent(&silent);
                    heard.log_ends(&silent);
                    if let Err(error) = self.notify_of_silence(&silent).await {
                        tracing::warn!(%error, "the contacts of silent mailboxes could not be told; they are at the next look");
                    }
                }
                Err(error) => tracing::warn!(%error, "it is not known which streams of mailboxes are silent"),
            }
            // All files are looked at for it, and it is a matter of days.
            if look.is_multiple_of(UNREAD_LOOKS)
                && let Err(error) = self.notify_of_unread().await
            {
                tracing::warn!(%error, "nobody could be told of files of mailboxes that lie unread; they are looked for in an hour");
            }
            if look.is_multiple_of(UNREAD_LOOKS)
                && let Err(error) = self.count_what_lies().await
            {
                tracing::warn!(%error, "what lies in mailboxes could not be counted; it is counted in an hour");
            }
            look = look.wrapping_add(1);
            match self.figures().await {
                Ok(figures) => counts.show(&figures),
                Err(error) => tracing::warn!(%error, "it is not known how files of mailboxes fare"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Does what is due now. Returns how many rows could not be gone on with: each is told, and keeps no other from its turn.
    ///
    /// # Errors
    /// The store does not answer. What was done stays done.
    pub async fn sweep(&self) -> Result<u64, MailboxError> {
        let now = self.now();
        let mut left = 0;
        for due in Due::ALL {
            left += self.each(due, now).await?;
        }
        until_it_holds(async || self.forgotten(before(now, 24 * HISTORY_DAYS)).await).await?;
        let idle = us(now.checked_sub(ABANDONED).unwrap_or(now));
        let abandoned = shelf::abandoned(&mut self.database().session().await?, idle, MOST).await?;
        for content in abandoned {
            drop_content(&self.0.parts, Some(content)).await;
        }
        jobs::clean(self.database(), JOBS_STAY, 1_000).await?;
        joining::clean(self.database()).await?;
        receipts::clean(&mut self.database().session().await?, now).await?;
        Ok(left)
    }

    async fn forgotten(&self, before_us: i64) -> Result<(), StoreError> {
        let mut transaction = self.database().begin_beside_others().await?;
        rows::forget(&mut transaction, before_us).await?;
        transaction.commit().await
    }

    /// Does what is due to each row, to some thousand at the most. Returns to how many it could not be done.
    async fn each(&self, due: Due, now: Timestamp) -> Result<u64, MailboxError> {
        let until_us = match due {
            Due::Upload => before(now, UPLOADS_STAY_HOURS),
            Due::Pieces => before(now, pieces::STAY_HOURS),
            Due::GivenUp | Due::Ended => us(now),
        };
        let mut left = 0_u32;
        for _ in 0..PAGES {
            let page = sql(due.rows()).bind(until_us).bind(i64::from(MOST)).bind(i64::from(left));
            let rows = self.database().all(page).await?;
            for row in &rows {
                match self.one(due, row, now).await {
                    Ok(()) => {}
                    Err(MailboxError::Failed(Failed::Store(error))) if error.is_away() => return Err(error.into()),
                    Err(error) => {
                        left += 1;
                        if left <= NAMED {
                            let of = row.get::<Uuid>("id").ok();
                            tracing::warn!(
                                %error, ?due, ?of,
                                "a file of a mailbox cannot be gone on with; it is left, and tried at each sweep"
                            );
                        }
                    }
                }
            }
            if rows.len() < MOST as usize {
                break;
            }
        }
        Ok(u64::from(left))
    }

    async fn one(&self, due: Due, row: &Row, now: Timestamp) -> Result<(), MailboxError> {
        let id: Uuid = row.get("id")?;
        let released = match due {
            Due::GivenUp => return self.give_up(id).await,
            Due::Ended => until_it_holds(async || self.ended(id, now).await).await?,
            Due::Upload => until_it_holds(async || self.upload_over(id, now).await).await?,
            Due::Pieces => {
                let delivery: Uuid = row.get("delivery")?;
                let gone = self.pieces_gone(id, delivery, Some(before(now, pieces::STAY_HOURS))).await?;
                if gone > 0 {
                    tracing::warn!(mailbox = %id, %delivery, pieces = gone, "no further piece of a delivery came within a day; what had come is deleted");
                }
                return Ok(());
            }
        };
        drop_content(&self.0.parts, released).await;
        Ok(())
    }

    /// A file's days are over: its content goes, and its key with it.
    async fn ended(&self, id: Uuid, now: Timestamp) -> Result<Option<Uuid>, MailboxError> {
        let mut transaction = self.database().begin_beside_others().await?;
        let end = sql(
            "UPDATE mailbox_file SET content = NULL, transport = CASE WHEN transport = 'KLAR' THEN 'UDLOEBET' ELSE transport END
             WHERE id = $1 AND content IS NOT NULL AND delete_us <= $2",
        );
        let Some(file) = rows::with_id(&mut transaction, id).await? else { return Ok(None) };
        if transaction.execute(end.bind(id).bind(us(now))).await? == 0 {
            return Ok(None);
        }
        if (file.validation, file.transport, file.fetched) == (Validation::Approved, Transport::Ready, None) {
            self.notify_of_loss(&mut transaction, &file).await?;
        }
        room::give_back(&mut transaction, file.sender, file.size).await?;
        let released = match file.content {
            Some(content) => shelf::release(&mut transaction, content, now).await?.then_some(content),
            None => None,
        };
        self.reached(Step::Ending);
        transaction.commit().await?;
        self.reached(Step::Ended);
        Ok(released)
    }

    /// How files fare.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        let unreadable = || StoreError::Unreadable { column: "n" };
        let (now, mut session) = (self.now(), self.database().session().await?);
        let day_ago = us(now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now));
        let unjudged = sql("SELECT count(*) AS n, min(received_us) AS oldest FROM mailbox_file WHERE validation = 'MODTAGET'");
        let unjudged = session.first(unjudged).await?.ok_or_else(unreadable)?;
        let oldest = unjudged.maybe::<i64>("oldest")?.map_or(0, |oldest| us(now).saturating_sub(oldest) / 1_000_000);
        let unfetched = sql("SELECT count(*) AS n FROM mailbox_file WHERE validation = 'GODKENDT' AND transport = 'KLAR'
             AND received_us <= $1");
        let unfetched = session.first(unfetched.bind(day_ago)).await?.ok_or_else(unreadable)?;
        let nearly_full = sql("SELECT count(*) AS n FROM mailbox WHERE state = 'AKTIV'
             AND (bytes_lying / 9 >= COALESCE(quota_bytes, $1) / 10 OR files_lying / 9 >= $2 / 10)");
        let nearly_full = nearly_full.bind(i64::try_from(room::USUAL_BYTES).unwrap_or(i64::MAX));
        let nearly_full = nearly_full.bind(i64::try_from(room::MOST_FILES).unwrap_or(i64::MAX));
        let nearly_full = session.first(nearly_full).await?.ok_or_else(unreadable)?.get("n")?;
        let (unjudged, unfetched) = (unjudged.get("n")?, unfetched.get("n")?);
        Ok(Figures { unjudged, oldest_seconds: oldest, unfetched, nearly_full })
    }
}

fn log_end(ended: Result<Result<(), MailboxError>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the judgement of a file could not be written down"),
        Err(error) => tracing::error!(%error, "a file was not judged; it is taken again when its lease ends"),
    }
}

/// How files fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Files that wait for their judgement.
    pub unjudged: i64,
    /// For how long the oldest of them has waited, in seconds.
    pub oldest_seconds: i64,
    /// Files that were approved more than a day ago and that nobody has confirmed.
    pub unfetched: i64,
    /// Agreements of which nine tenths of what they have sent may lie, do.
    pub nearly_full: i64,
}
