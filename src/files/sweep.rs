//! What time does to transfers: waits that end, files that nobody fetched, copies whose days are over. Any node may do it at any
//! time, also two at once: each row is looked at again under its lock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::answers;
use super::codes::Code;
use super::core::{Failed, Files};
use super::counts::Counts;
use super::deliver::suffixed;
use super::home::Folder;
use super::monitoring::{self, Cause, MonitoringError};
use super::shelf::{self, Kind, lying_where};
use super::transfers::{self, Fetched, State};
use super::users::{self, us};
use super::xml::written::Answer;
use crate::notices::{Kind as Told, Notice, outbox};
use crate::store::{Query, Row, Session, StoreError, jobs, sql, until_it_holds};

/// The most rows of a kind at a time.
const MOST: u32 = 200;
/// The most times that in one sweep.
const PAGES: usize = 25;
/// The most rows of a kind that a sweep names in the log.
const NAMED: u32 = 10;
/// How often [`Files::keep_sweeping`] does it.
const EVERY: Duration = Duration::from_secs(30);
/// For how many days a receipt lies in IN, and metadata whose file is gone.
const RECEIPT_DAYS: i64 = 30;
/// After how long a content that nothing refers to is not one that is being sent any more.
const ABANDONED_DAYS: i64 = 2;
/// How long jobs that are done stay.
const JOBS_STAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How files fare, for metrics and alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Triggers that wait to be delivered.
    pub taken: u64,
    /// Triggers that wait for their data file.
    pub awaiting: u64,
    /// For how long the oldest of the former has waited, in seconds.
    pub oldest_seconds: u64,
    /// Deliveries that nobody fetched within the hours of their order.
    pub unfetched: u64,
    /// Files in OUT for more than a day without a trigger.
    pub without_trigger: u64,
    /// Monitoring orders with no file within their rhythm.
    pub silent: u64,
    /// Files that their recipients have not answered within the days for it.
    pub unanswered: u64,
    /// Users that may log on and whose homes are nine tenths full.
    pub nearly_full: u64,
}

/// What time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// A trigger's wait for its file is over.
    Waited,
    /// A job that was given up: whoever took it never said what became of it.
    GivenUp,
    /// A delivery that was not fetched within its hours.
    Unfetched,
    /// A monitoring order without a file within its rhythm.
    Silent,
    /// A file that its recipient has not answered in time.
    Overdue,
    /// A file whose answer is not taken any more.
    Lapsed,
    /// A delivery whose days are over.
    Expired,
    /// A copy whose days are over.
    Copy,
    /// A receipt or metadata that has lain long enough.
    Told,
    /// A transfer that ended long ago.
    History,
}

/// What became of a row that it was due to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// It is due to it no more.
    Over,
    /// Nobody can be told of it as things stand, which was said: it is looked at again, behind what comes before it.
    Waits,
}

impl Due {
    const ALL: [Self; 10] = [
        Self::Waited,
        Self::GivenUp,
        Self::Unfetched,
        Self::Silent,
        Self::Overdue,
        Self::Lapsed,
        Self::Expired,
        Self::Copy,
        Self::Told,
        Self::History,
    ];

    /// The rows that it is due to at an instant, a page of them.
    fn rows(self) -> &'static str {
        match self {
            Due::Waited => {
                "SELECT id FROM transfer WHERE state = 'AFVENTER_DATAFIL' AND wait_until_us <= $1
                     AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = transfer.job AND job.state = 'waiting')
                 ORDER BY wait_until_us LIMIT $2 OFFSET $3"
            }
            Due::GivenUp => {
                // Apart, the oldest first, and by no index on the time alone (`+`), so that neither reads the transfers that have ended.
                "SELECT id FROM
                     (SELECT t.id, t.received_us FROM transfer AS t LEFT JOIN job AS j ON j.id = t.job
                          WHERE t.state = 'MODTAGET' AND t.received_us <= $1 AND (j.id IS NULL OR j.state <> 'waiting')
                      UNION ALL
                      SELECT t.id, t.received_us FROM transfer AS t LEFT JOIN job AS j ON j.id = t.job
                          WHERE t.state = 'AFVENTER_DATAFIL' AND t.job IS NOT NULL AND +t.received_us <= $1
                              AND (j.id IS NULL OR j.state <> 'waiting')) AS due
                 ORDER BY received_us, id LIMIT $2 OFFSET $3"
            }
            Due::Unfetched => {
                "SELECT transfer AS id, recipient FROM file_delivery WHERE state IN ('KLAR', 'GENLEVERET') AND told_us IS NULL
                     AND alarm_us <= $1 ORDER BY alarm_us LIMIT $2 OFFSET $3"
            }
            Due::Silent => monitoring::UNTOLD,
            Due::Overdue => {
                "SELECT transfer AS id FROM file_answer WHERE state = 'AFVENTER' AND due_us <= $1
                 ORDER BY due_us LIMIT $2 OFFSET $3"
            }
            Due::Lapsed => {
                "SELECT transfer AS id FROM file_answer WHERE state IN ('AFVENTER', 'FORSINKET') AND last_us <= $1
                 ORDER BY last_us LIMIT $2 OFFSET $3"
            }
            Due::Expired => {
                "SELECT transfer AS id, recipient FROM file_delivery WHERE ended_us IS NULL AND delete_us <= $1
                 ORDER BY delete_us LIMIT $2 OFFSET $3"
            }
            Due::Copy => {
                "SELECT id FROM transfer WHERE keep_until_us <= $1 AND content IS NOT NULL
                 ORDER BY keep_until_us LIMIT $2 OFFSET $3"
            }
            Due::Told => {
                "SELECT id FROM home_file WHERE kind IN ('receipt', 'metadata') AND modified_us <= $1
                     AND NOT EXISTS (SELECT 1 FROM file_delivery WHERE file_delivery.transfer = home_file.transfer
                         AND file_delivery.recipient = home_file.owner AND ended_us IS NULL)
                 ORDER BY modified_us LIMIT $2 OFFSET $3"
            }
            Due::History => {
                "SELECT id FROM transfer WHERE ended_us <= $1 AND content IS NULL
                     AND NOT EXISTS (SELECT 1 FROM home_file WHERE home_file.transfer = transfer.id)
                 ORDER BY ended_us LIMIT $2 OFFSET $3"
            }
        }
    }
}

/// What a sweep asks the store, each with an instant, how many rows and after how many: for whoever looks what that costs.
pub fn questions() -> impl Iterator<Item = &'static str> {
    Due::ALL.into_iter().map(Due::rows)
}

impl Files {
    /// Sweeps for ever, and shows how files fare.
    pub async fn keep_sweeping(&self, counts: &Counts) {
        loop {
            match self.sweep().await {
                Ok(left) => counts.left(left),
                Err(error) => tracing::warn!(%error, "transfers of files could not be cleaned up"),
            }
            match self.figures().await {
                Ok(figures) => counts.show(&figures),
                Err(error) => tracing::warn!(%error, "it is not known how transfers of files fare"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Does what is due now. Returns how many rows could not be gone on with: each is told, and keeps no other from its turn.
    ///
    /// # Errors
    /// The store does not answer. What was done stays done.
    pub async fn sweep(&self) -> Result<u64, Failed> {
        let mut left = 0;
        for due in Due::ALL {
            left += self.each(due).await?;
        }
        let idle = self.before(ABANDONED_DAYS);
        let abandoned = shelf::abandoned(&mut self.database().session().await?, idle, MOST).await?;
        for content in abandoned {
            self.dropped(Some(content)).await;
        }
        jobs::clean(self.database(), JOBS_STAY, 1_000).await?;
        Ok(left)
    }

    fn before(&self, days: i64) -> i64 {
        us(self.now()) - days * 24 * 3_600_000_000
    }

    /// Does what is due to each row, to some thousand at the most. Returns to how many it could not be done.
    async fn each(&self, due: Due) -> Result<u64, Failed> {
        let until_us = match due {
            Due::Told => self.before(RECEIPT_DAYS),
            Due::History => self.before(self.0.settings.history_days),
            _ => us(self.now()),
        };
        let (mut left, mut waiting) = (0_u32, 0_u32);
        for _ in 0..PAGES {
            let page = sql(due.rows()).bind(until_us).bind(i64::from(MOST)).bind(i64::from(left) + i64::from(waiting));
            let rows = self.database().all(page).await?;
            for row in &rows {
                match self.one(due, row).await {
                    Ok(Done::Over) => {}
                    Ok(Done::Waits) => waiting += 1,
                    Err(Failed::Store(error)) if error.is_away() => return Err(error.into()),
                    Err(error) => {
                        left += 1;
                        if left <= NAMED {
                            let of = row.get::<Uuid>("id").ok();
                            tracing::warn!(%error, ?due, ?of, "a file cannot be gone on with; it is left, and tried at each sweep");
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

    async fn one(&self, due: Due, row: &Row) -> Result<Done, Failed> {
        let id = row.get("id")?;
        match due {
            Due::Waited => until_it_holds(async || self.waited(id).await).await?,
            Due::GivenUp => self.give_up(id).await?,
            Due::Unfetched => return self.notify_unfetched(id, row.get("recipient")?).await,
            Due::Silent => return self.notify_silent(id).await,
            Due::Overdue => self.overdue(id).await?,
            Due::Lapsed => until_it_holds(async || self.lapsed(id).await).await?,
            Due::Expired => {
                let recipient = row.get("recipient")?;
                let released = until_it_holds(async || self.expired(id, recipient).await).await?;
                self.dropped(released).await;
            }
            Due::Copy => {
                let released = until_it_holds(async || self.copy_is_over(id).await).await?;
                self.dropped(released).await;
            }
            Due::Told => self.told_long_ago(id).await?,
            Due::History => self.forgotten(id).await?,
        }
        Ok(Done::Over)
    }

    /// Nobody fetched a file within its hours: told once, and noted as told where a letter goes to one of the mailboxes at least.
    async fn notify_unfetched(&self, transfer: Uuid, recipient: Uuid) -> Result<Done, Failed> {
        let now = self.now();
        let mut session = self.database().session().await?;
        let user = users::with_id(&mut session, recipient).await?.ok_or(StoreError::Unreadable { column: "sftp_user" })?;
        let file = transfers::with_id(&mut session, transfer).await?.ok_or(StoreError::Unreadable { column: "transfer" })?;
        let deliveries = transfers::deliveries(&mut session, transfer).await?;
        let delivery = deliveries.iter().find(|delivery| delivery.recipient == recipient);
        let since = delivery.map_or(file.received, |delivery| delivery.delivered);
        let cause = monitoring::cause(&mut session, &user, since, now).await?;
        let inf_ref = super::xml::trigger::read(&file.trigger).ok().and_then(|trigger| trigger.routing).map(|of| of.inf_ref);
        let mailboxes = monitoring::mailboxes(&mut session, recipient, file.name.spelt(), inf_ref.as_deref()).await?;
        let nobody = outbox::nobody(&format!("file-unfetched/{transfer}/{recipient}"), mailboxes.iter().map(String::as_str));
        if outbox::was_given(&mut session, &nobody).await? {
            return Ok(Done::Waits);
        }
        // The session is given back first: SQLite has one writer at a time.
        drop(session);
        let notice = notice_of(Told::FileNotFetched, &user, now, cause);
        let mut transaction = self.database().begin_beside_others().await?;
        let mut goes = mailboxes.is_empty();
        for mailbox in &mailboxes {
            goes |= outbox::notify_mailbox(self.database(), &mut transaction, mailbox, &notice).await?;
        }
        let told = match goes {
            true => {
                let tell =
                    sql("UPDATE file_delivery SET told_us = $1 WHERE transfer = $2 AND recipient = $3 AND told_us IS NULL");
                transaction.execute(tell.bind(us(now)).bind(transfer).bind(recipient)).await? == 1
            }
            false => outbox::gives(&mut transaction, &nobody, now).await?,
        };
        if told {
            transaction.commit().await?;
            tracing::warn!(%transfer, %recipient, "a file was not fetched within the hours of its monitoring order");
        }
        Ok(if goes { Done::Over } else { Done::Waits })
    }

    /// A user has been silent for longer than expected: told once, until there is a file again, and noted as told where a letter goes alone.
    async fn notify_silent(&self, order: Uuid) -> Result<Done, Failed> {
        let now = self.now();
        let mut session = self.database().session().await?;
        let order = match monitoring::with_id(&mut session, order).await {
            Ok(order) => order,
            Err(MonitoringError::Store(error)) => return Err(error.into()),
            Err(_) => return Ok(Done::Over),
        };
        let Some(since) = order.silent_since(now) else { return Ok(Done::Over) };
        let nobody = outbox::nobody(&format!("monitoring-silent/{}/{}", order.id, us(since)), [order.told.as_str()]);
        if outbox::was_given(&mut session, &nobody).await? {
            return Ok(Done::Waits);
        }
        let user = users::with_id(&mut session, order.user).await?.ok_or(StoreError::Unreadable { column: "sftp_user" })?;
        let cause = monitoring::cause(&mut session, &user, since, now).await?;
        // The session is given back first: SQLite has one writer at a time.
        drop(session);
        let mut transaction = self.database().begin_beside_others().await?;
        let notice = notice_of(Told::Silence, &user, since, cause);
        let goes = outbox::notify_mailbox(self.database(), &mut transaction, &order.told, &notice).await?;
        let told = match goes {
            true => monitoring::note_silent(&mut transaction, order.id, now).await?,
            false => outbox::gives(&mut transaction, &nobody, now).await?,
        };
        if told {
            transaction.commit().await?;
            let (monitoring, cause) = (order.id, cause.describe());
            tracing::warn!(%monitoring, user = %user.id, %since, cause = cause.en(), "no file within the rhythm of a monitoring order");
        }
        Ok(if goes { Done::Over } else { Done::Waits })
    }

    /// The data file did not come: it is judged for the last time.
    async fn waited(&self, transfer: Uuid) -> Result<(), Failed> {
        let mut transaction = self.database().begin_beside_others().await?;
        let found = transfers::locked(&mut transaction, transfer).await?;
        if found.is_some_and(|transfer| transfer.state == State::Awaits) {
            self.go_on(&mut transaction, transfer, State::Awaits).await?;
            transaction.commit().await?;
            self.0.due.notify_one();
        }
        Ok(())
    }

    /// The days of a delivery are over: the file goes, and where nobody fetched it, its sender is told.
    async fn expired(&self, transfer: Uuid, recipient: Uuid) -> Result<Option<Uuid>, Failed> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        let Some(seen) = transfers::with_id(&mut transaction, transfer).await? else { return Ok(None) };
        let mut homes = [seen.sender, recipient];
        homes.sort_unstable();
        for home in homes {
            shelf::lock_home(&mut transaction, home).await?;
        }
        let Some(found) = transfers::locked(&mut transaction, transfer).await? else { return Ok(None) };
        let deliveries = transfers::deliveries(&mut transaction, transfer).await?;
        let Some(delivery) = deliveries.iter().find(|delivery| delivery.recipient == recipient && delivery.ended.is_none())
        else {
            return Ok(None);
        };
        let unfetched = matches!(delivery.state, Fetched::Ready | Fetched::Again);
        let state = if unfetched { Fetched::Expired } else { delivery.state };
        transfers::done(&mut transaction, transfer, recipient, state, now).await?;
        let mut released = None;
        for (name, kind) in [(found.name.clone(), Kind::Data), (suffixed(&found.name, ".metadata")?, Kind::Metadata)] {
            let file = shelf::find(&mut transaction, recipient, Folder::In, &name).await?;
            if let Some(file) = file.filter(|file| file.kind == kind && file.transfer == Some(transfer))
                && shelf::remove(&mut transaction, &file).await?
                && let shelf::Bytes::Content(content) = file.bytes
                && shelf::release(&mut transaction, content, now).await?
            {
                released = Some(content);
            }
        }
        if unfetched {
            let days = (now.as_second() - delivery.delivered.as_second()) / (24 * 60 * 60);
            let (about, codes) = ((found.sender, transfer, &found.name), [Code::FIL1070 { days }]);
            transfers::receipt(&mut transaction, about, None, &Answer::Refused(&codes), now).await?;
        }
        transaction.commit().await?;
        Ok(released)
    }

    /// A recipient should have answered by now: told once.
    async fn overdue(&self, transfer: Uuid) -> Result<(), Failed> {
        if answers::overdue(&mut self.database().session().await?, transfer, self.now()).await? {
            tracing::warn!(%transfer, days = answers::DUE, "a file was not answered by its recipient in time");
        }
        Ok(())
    }

    /// No answer is taken any more: the sender is told.
    async fn lapsed(&self, transfer: Uuid) -> Result<(), Failed> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        let Some(found) = transfers::with_id(&mut transaction, transfer).await? else { return Ok(()) };
        shelf::lock_home(&mut transaction, found.sender).await?;
        if answers::lapsed(&mut transaction, transfer, now).await? {
            let (about, codes) = ((found.sender, transfer, &found.name), [Code::FIL1071 { days: answers::LAST }]);
            transfers::receipt(&mut transaction, about, None, &Answer::Refused(&codes), now).await?;
            transaction.commit().await?;
            tracing::error!(%transfer, "a file was never answered by its recipient, and its sender told (1071)");
        }
        Ok(())
    }

    async fn copy_is_over(&self, transfer: Uuid) -> Result<Option<Uuid>, Failed> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        let Some(found) = transfers::locked(&mut transaction, transfer).await? else { return Ok(None) };
        // Delivered again meanwhile: it is kept until that is over.
        if found.ended.is_none() {
            return Ok(None);
        }
        transfers::forget_copy(&mut transaction, transfer).await?;
        let released = match found.content {
            Some(content) => shelf::release(&mut transaction, content, now).await?.then_some(content),
            None => None,
        };
        transaction.commit().await?;
        Ok(released)
    }

    /// A receipt, or metadata whose file is gone, has lain long enough.
    async fn told_long_ago(&self, file: Uuid) -> Result<(), Failed> {
        let mut transaction = self.database().begin_beside_others().await?;
        let row = transaction.first(lying_where!("id = $1").bind(file)).await?;
        if let Some(file) = row.as_ref().map(shelf::read).transpose()? {
            self.taken_away(&mut transaction, &file, self.now()).await?;
            transaction.commit().await?;
        }
        Ok(())
    }

    /// A transfer that ended long ago is forgotten, name and trigger with it.
    async fn forgotten(&self, transfer: Uuid) -> Result<(), Failed> {
        let mut transaction = self.database().begin_beside_others().await?;
        for delete in [
            sql("DELETE FROM file_answer WHERE transfer = $1"),
            sql("DELETE FROM file_delivery WHERE transfer = $1"),
            sql("DELETE FROM transfer WHERE id = $1"),
        ] {
            transaction.execute(delete.bind(transfer)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// How files fare.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        figures(&mut self.database().session().await?, self.now()).await
    }
}

/// The same, as a store has it at an instant.
///
/// # Errors
/// The store does not answer.
pub async fn figures(session: &mut Session, now: Timestamp) -> Result<Figures, StoreError> {
    let taken = sql("SELECT count(*) AS n, min(received_us) AS oldest FROM transfer WHERE state = 'MODTAGET'");
    let taken = session.first(taken).await?.ok_or(StoreError::Unreadable { column: "n" })?;
    let oldest = taken.maybe::<i64>("oldest")?.and_then(|at| Timestamp::from_microsecond(at).ok());
    let day_ago = us(now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now));
    Ok(Figures {
        taken: super::users::count(&taken, "n")?,
        awaiting: counted(session, sql("SELECT count(*) AS n FROM transfer WHERE state = 'AFVENTER_DATAFIL'")).await?,
        oldest_seconds: oldest.map_or(0, |at| u64::try_from(now.as_second() - at.as_second()).unwrap_or_default()),
        unfetched: counted(
            session,
            sql("SELECT count(*) AS n FROM file_delivery WHERE state IN ('KLAR', 'GENLEVERET') AND alarm_us <= $1").bind(us(now)),
        )
        .await?,
        without_trigger: counted(
            session,
            sql("SELECT count(*) AS n FROM home_file WHERE kind = 'upload' AND transfer IS NULL AND modified_us <= $1")
                .bind(day_ago),
        )
        .await?,
        unanswered: counted(session, sql("SELECT count(*) AS n FROM file_answer WHERE state = 'FORSINKET'")).await?,
        silent: monitoring::silent(session, now).await?,
        nearly_full: counted(
            session,
            sql("SELECT count(*) AS n FROM sftp_user WHERE NOT disabled AND bytes_used / 9 >= bytes_limit / 10"),
        )
        .await?,
    })
}

/// What the mailbox of a monitoring order is told: which user of which system, why most likely, and nothing of a file, whose name may
/// name a person.
fn notice_of(kind: Told, user: &users::User, at: Timestamp, cause: Cause) -> Notice {
    Notice {
        kind,
        name: user.name.clone(),
        page: "/".to_owned(),
        authority: Some(user.authority),
        service: None,
        system: Some(user.system),
        environment: Some(user.environment.as_str().to_owned()),
        at: Some(at),
        reason: Some(cause.describe().da().to_owned()),
        differs: Vec::new(),
        english: None,
        by: None,
    }
}

async fn counted(session: &mut Session, query: Query) -> Result<u64, StoreError> {
    let row = session.first(query).await?.ok_or(StoreError::Unreadable { column: "n" })?;
    super::users::count(&row, "n")
}
