//! What time does to transfers: waits that end, files that nobody fetched, copies whose days are over. Any node may do it at any
//! time, also two at once: each row is looked at again under its lock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::codes::Code;
use super::core::{Failed, Files};
use super::counts::Counts;
use super::deliver::suffixed;
use super::home::Folder;
use super::shelf::{self, Kind, lying_where};
use super::transfers::{self, Fetched, State};
use super::users::us;
use crate::store::{Query, Session, StoreError, jobs, sql, until_it_holds};

/// The most rows of a kind at a time.
const MOST: u32 = 200;
/// How often [`Files::keep_sweeping`] does it.
const EVERY: Duration = Duration::from_secs(30);
/// For how many days a receipt lies in IN, and metadata whose file is gone.
const RECEIPT_DAYS: i64 = 30;
/// After how long a content that nothing refers to is not one that is being sent any more.
const ABANDONED: SignedDuration = SignedDuration::from_hours(48);
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
}

impl Files {
    /// Sweeps for ever, and shows how files fare.
    pub async fn keep_sweeping(&self, counts: &Counts) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "transfers of files could not be cleaned up");
            }
            match self.figures().await {
                Ok(figures) => counts.show(&figures),
                Err(error) => tracing::warn!(%error, "it is not known how transfers of files fare"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Does what is due now.
    ///
    /// # Errors
    /// The store does not answer. What was done stays done.
    pub async fn sweep(&self) -> Result<(), Failed> {
        let now = self.now();
        let before = |days: i64| us(now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(now));
        for transfer in self
            .due(
                // Also one whose job was given up: whoever took it never said what became of it.
                sql("SELECT id FROM transfer WHERE state = 'AFVENTER_DATAFIL' AND wait_until_us <= $1
                         AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = transfer.job AND job.state = 'waiting')
                     ORDER BY wait_until_us LIMIT $2"),
                us(now),
            )
            .await?
        {
            until_it_holds(async || self.waited(transfer).await).await?;
        }
        for transfer in self
            .due(
                sql("SELECT t.id FROM transfer AS t LEFT JOIN job AS j ON j.id = t.job
            WHERE (t.state = 'MODTAGET' OR t.state = 'AFVENTER_DATAFIL' AND t.job IS NOT NULL) AND t.received_us <= $1
                AND (j.id IS NULL OR j.state <> 'waiting') ORDER BY t.id LIMIT $2"),
                us(now),
            )
            .await?
        {
            self.give_up(transfer).await?;
        }
        let lying = sql(
            "SELECT transfer, recipient FROM file_delivery WHERE ended_us IS NULL AND delete_us <= $1 ORDER BY delete_us LIMIT $2",
        );
        for row in self.database().all(lying.bind(us(now)).bind(i64::from(MOST))).await? {
            let (transfer, recipient) = (row.get("transfer")?, row.get("recipient")?);
            let released = until_it_holds(async || self.expired(transfer, recipient).await).await?;
            self.dropped(released).await;
        }
        for transfer in self
            .due(
                sql("SELECT id FROM transfer WHERE keep_until_us <= $1 AND content IS NOT NULL ORDER BY keep_until_us LIMIT $2"),
                us(now),
            )
            .await?
        {
            let released = until_it_holds(async || self.copy_is_over(transfer).await).await?;
            self.dropped(released).await;
        }
        let old = lying_where!(
            "kind IN ('receipt', 'metadata') AND modified_us <= $1 AND NOT EXISTS (SELECT 1 FROM file_delivery
            WHERE file_delivery.transfer = home_file.transfer AND file_delivery.recipient = home_file.owner AND ended_us IS NULL)
            ORDER BY modified_us LIMIT $2"
        );
        let old = self.database().all(old.bind(before(RECEIPT_DAYS)).bind(i64::from(MOST))).await?;
        for row in &old {
            let file = shelf::read(row)?;
            let mut transaction = self.database().begin_beside_others().await?;
            self.taken_away(&mut transaction, &file, now).await?;
            transaction.commit().await?;
        }
        self.history(before(self.0.settings.history_days)).await?;
        let idle = us(now.checked_sub(ABANDONED).unwrap_or(now));
        for content in shelf::abandoned(&mut self.database().session().await?, idle, MOST).await? {
            self.dropped(Some(content)).await;
        }
        jobs::clean(self.database(), JOBS_STAY, 1_000).await?;
        Ok(())
    }

    async fn due(&self, query: Query, until_us: i64) -> Result<Vec<Uuid>, StoreError> {
        let rows = self.database().all(query.bind(until_us).bind(i64::from(MOST))).await?;
        rows.iter().map(|row| row.get("id")).collect()
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
            transfers::receipt(&mut transaction, (found.sender, transfer, &found.name), None, &[Code::FIL1070 { days }], now)
                .await?;
        }
        transaction.commit().await?;
        Ok(released)
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

    /// Transfers that ended long ago are forgotten, name and trigger with them.
    async fn history(&self, before_us: i64) -> Result<(), Failed> {
        let old = sql("SELECT id FROM transfer WHERE ended_us <= $1 AND content IS NULL
            AND NOT EXISTS (SELECT 1 FROM home_file WHERE home_file.transfer = transfer.id) ORDER BY ended_us LIMIT $2");
        for transfer in self.due(old, before_us).await? {
            let mut transaction = self.database().begin_beside_others().await?;
            for delete in [sql("DELETE FROM file_delivery WHERE transfer = $1"), sql("DELETE FROM transfer WHERE id = $1")] {
                transaction.execute(delete.bind(transfer)).await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    /// How files fare.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        let now = self.now();
        let mut session = self.database().session().await?;
        let taken = sql("SELECT count(*) AS n, min(received_us) AS oldest FROM transfer WHERE state = 'MODTAGET'");
        let taken = session.first(taken).await?.ok_or(StoreError::Unreadable { column: "n" })?;
        let oldest = taken.maybe::<i64>("oldest")?.and_then(|at| Timestamp::from_microsecond(at).ok());
        let day_ago = us(now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now));
        Ok(Figures {
            taken: super::users::count(&taken, "n")?,
            awaiting: counted(&mut session, sql("SELECT count(*) AS n FROM transfer WHERE state = 'AFVENTER_DATAFIL'")).await?,
            oldest_seconds: oldest.map_or(0, |at| u64::try_from(now.as_second() - at.as_second()).unwrap_or_default()),
            unfetched: counted(
                &mut session,
                sql("SELECT count(*) AS n FROM file_delivery WHERE state IN ('KLAR', 'GENLEVERET') AND alarm_us <= $1")
                    .bind(us(now)),
            )
            .await?,
            without_trigger: counted(
                &mut session,
                sql("SELECT count(*) AS n FROM home_file WHERE kind = 'upload' AND transfer IS NULL AND modified_us <= $1")
                    .bind(day_ago),
            )
            .await?,
        })
    }
}

async fn counted(session: &mut Session, query: Query) -> Result<u64, StoreError> {
    let row = session.first(query).await?.ok_or(StoreError::Unreadable { column: "n" })?;
    super::users::count(&row, "n")
}
