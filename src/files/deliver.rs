//! A taken trigger becomes a delivery, or a receipt that says why not.
//!
//! Read `Files::settle` top-down: judged, recorded, and then everything in one transaction: recipients have the file with its
//! metadata, the sender has its receipt, and the job is done, or nothing of it. So a process that dies at any line leaves the
//! job to another, which begins anew. Delivered twice is not possible: the transaction takes the transfer out of its state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes as Shared;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::codes::Code;
use super::content::{Candidate, Content, ContentRule, Judgement, Passed, Passing};
use super::core::{Failed, Files, Step, drop_content};
use super::home::Folder;
use super::judge::{Judged, Known, Way, judge};
use super::monitoring;
use super::name::Name;
use super::orders;
use super::shelf::{self, Bytes, Kind, Lying};
use super::transfers::{self, State, Transfer};
use super::users::{self, User, us};
use super::xml::trigger::Trigger;
use super::xml::written::{Answer, Root, metadata};
use crate::agreements::Thumbprint;
use crate::audit::{AboutFile, Durable, OpenRecord, Record};
use crate::clock::civil_day;
use crate::refusal::Detail;
use crate::store::jobs::{Fate, Taken};
use crate::store::{Session, StoreError, until_it_holds};

/// How many jobs a node takes at a time.
const AT_ONCE: u32 = 8;
/// How often it looks for jobs that other nodes added, where nothing wakes it.
const LOOK: Duration = Duration::from_secs(2);
/// How long a file waits for a place to be judged in before it is put back, and for how long.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(5);

/// At which failed attempt its sender is told that a file takes longer.
const TOLD_AT: u32 = 2;

/// What became of a trigger.
enum Found {
    /// It goes.
    Go(Box<Go>),
    /// The same file of the same submission was delivered before.
    Again(Uuid),
    /// Nothing but the data file is missing, and there is time yet.
    Wait,
    /// All places for contents are taken by others that take long, or the platform is not ready for it.
    Later,
    Refused(Vec<Code>),
}

/// A file that may be delivered.
pub(super) struct Go {
    pub(super) trigger: Trigger,
    pub(super) ways: Vec<Way>,
    pub(super) data: Lying,
    /// By which rule its content was judged, and what that found.
    checked: Option<(Arc<dyn ContentRule>, Passed)>,
}

impl Files {
    /// Does what is due, for ever. It ends with the future: what was under way is another's, after its lease or once [`Files::stopped`]
    /// is said.
    pub async fn work(&self) {
        let mut under_way = tokio::task::JoinSet::new();
        loop {
            while let Some(ended) = under_way.try_join_next() {
                log_end(ended);
            }
            // A content of a gigabyte takes a minute to judge, and the others go on meanwhile.
            let room = AT_ONCE.saturating_sub(u32::try_from(under_way.len()).unwrap_or(AT_ONCE));
            let taken = match room {
                0 => Ok(Vec::new()),
                room => self.0.jobs.take(room).await,
            };
            match taken {
                Ok(taken) if taken.is_empty() => tokio::select! {
                    Some(ended) = under_way.join_next() => log_end(ended),
                    _ = tokio::time::timeout(LOOK, self.0.due.notified()) => {}
                },
                Ok(taken) => taken.into_iter().for_each(|job| {
                    let files = self.clone();
                    under_way.spawn(async move { files.tried(&job).await });
                }),
                Err(error) => {
                    tracing::warn!(%error, "transfers of files cannot be gone on with");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Said of a node that works on no more files: what was under way is another's at once.
    pub async fn stopped(&self) {
        if let Err(error) = self.0.jobs.give_back().await {
            tracing::warn!(%error, "transfers of files that were under way wait for their leases' ends");
        }
    }

    /// Does what is due now, and says how many jobs that were.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn work_once(&self) -> Result<usize, Failed> {
        let taken = self.0.jobs.take(AT_ONCE).await?;
        let done = taken.len();
        let mut under_way = tokio::task::JoinSet::new();
        for job in taken {
            let files = self.clone();
            under_way.spawn(async move { files.tried(&job).await });
        }
        while let Some(ended) = under_way.join_next().await {
            log_end(ended);
        }
        Ok(done)
    }

    /// One attempt, and what follows where it failed.
    async fn tried(&self, job: &Taken) -> Result<(), Failed> {
        let Some(id) = Uuid::from_slice(&job.payload).ok() else {
            return Ok(self.0.jobs.done(job).await?);
        };
        let Err(error) = self.settle(id, job).await else { return Ok(()) };
        tracing::warn!(%error, transfer = %id, attempt = job.attempt, "a file could not be delivered");
        match self.0.jobs.failed(job, &error.to_string()).await? {
            // Not at once: most passing faults are over before anybody looks.
            Fate::Again(_) if job.attempt == TOLD_AT => self.delayed(id).await,
            Fate::Again(_) => Ok(()),
            Fate::Dead => self.give_up(id).await,
        }
    }

    /// Its sender hears that it takes longer; the final receipt takes this one's place.
    async fn delayed(&self, id: Uuid) -> Result<(), Failed> {
        until_it_holds(async || {
            let mut transaction = self.database().begin_beside_others().await?;
            let Some(sender) = transfers::with_id(&mut transaction, id).await?.map(|transfer| transfer.sender) else {
                return Ok(());
            };
            shelf::lock_home(&mut transaction, sender).await?;
            if let Some(transfer) = transfers::locked(&mut transaction, id).await?.filter(|found| found.state == State::Taken) {
                let (about, file) = ((sender, id, &transfer.name), senders_file_id(&transfer));
                transfers::receipt(&mut transaction, about, file.as_deref(), &Answer::Refused(&[Code::FIL1090]), self.now())
                    .await?;
                transaction.commit().await?;
            }
            Ok(())
        })
        .await
    }

    /// Nothing became of it in all attempts: its sender is told.
    pub(super) async fn give_up(&self, id: Uuid) -> Result<(), Failed> {
        let transfer = transfers::with_id(&mut self.database().session().await?, id).await?;
        if let Some(transfer) = transfer
            && matches!(transfer.state, State::Taken | State::Awaits)
        {
            self.content_given_up(&transfer).await?;
            self.refusal_recorded(&transfer, &[Code::FIL1091]).await?;
        }
        until_it_holds(async || {
            let mut transaction = self.database().begin_beside_others().await?;
            let Some(sender) = transfers::with_id(&mut transaction, id).await?.map(|transfer| transfer.sender) else {
                return Ok(());
            };
            shelf::lock_home(&mut transaction, sender).await?;
            if let Some(transfer) = transfers::locked(&mut transaction, id).await?
                && matches!(transfer.state, State::Taken | State::Awaits)
            {
                let released = self.refused(&mut transaction, &transfer, &[Code::FIL1091]).await?;
                // Its sender has been told: a dead job that nobody can go on with would keep its alert up for ever.
                let over = crate::store::sql("DELETE FROM job WHERE id = $1 AND state = 'dead'");
                transaction.execute(over.bind(transfer.job)).await?;
                transaction.commit().await?;
                self.dropped(released).await;
                tracing::error!(transfer = %id, "a file was given up after all attempts, and its sender told (1091)");
            }
            Ok(())
        })
        .await
    }

    /// Judges a transfer and delivers it, or tells its sender why not.
    async fn settle(&self, id: Uuid, job: &Taken) -> Result<(), Failed> {
        let Some(transfer) = transfers::with_id(&mut self.database().session().await?, id).await? else {
            return Ok(self.0.jobs.done(job).await?);
        };
        if !matches!(transfer.state, State::Taken | State::Awaits) {
            return Ok(self.0.jobs.done(job).await?);
        }
        let (sender, found) = self.judged(&transfer).await?;
        let found = match found {
            Found::Go(go) => self.content_judged(&transfer, &sender, *go, job).await?,
            other => other,
        };
        self.reached(Step::Judged);
        match found {
            Found::Go(go) => match go.checked.as_ref().and_then(|(rule, _)| rule.taking()) {
                Some(taking) => self.take_in(&transfer, &sender, &go, taking, job).await,
                None => self.deliver(&transfer, &sender, &go, job).await,
            },
            Found::Later => Ok(self.0.jobs.later(job, PAUSE).await?),
            other => {
                // Before it is told, so that a process that dies in between tells it again.
                if let Found::Refused(codes) = &other {
                    self.content_given_up(&transfer).await?;
                    self.refusal_recorded(&transfer, codes).await?;
                }
                until_it_holds(async || self.respond(&transfer, &other, job).await).await
            }
        }
    }

    /// The rule for the content of a transfer, where its InfRef has one.
    fn rule(&self, trigger: &Trigger) -> Option<Arc<dyn ContentRule>> {
        self.0.parts.contents.of(&trigger.routing.as_ref()?.inf_ref)
    }

    /// Judges the content, which nothing else stands in the way of. No lock is held meanwhile, and the job stays this node's.
    async fn content_judged(&self, transfer: &Transfer, sender: &User, go: Go, job: &Taken) -> Result<Found, Failed> {
        let Some(rule) = self.rule(&go.trigger) else { return Ok(Found::Go(Box::new(go))) };
        if rule.taking().is_some() && go.ways.len() != 1 {
            let what = Detail::new(
                "en fil, som platformen selv tager ind, har netop én modtager",
                "a file that the platform itself takes in has just one recipient",
            );
            return Ok(Found::Refused(vec![Code::FIL1050 { what }]));
        }
        // Those that wait for a place must not keep files of other kinds from being delivered.
        let Ok(place) = tokio::time::timeout(PATIENCE, self.place()).await else { return Ok(Found::Later) };
        let place = place?;
        let judged = async { Ok::<_, Failed>(rule.judge(self.candidate(transfer, sender, &go, place, job).await?).await?) };
        let judgement = self.kept_while(job, judged).await?;
        Ok(match judgement {
            Judgement::Passed(passed) => Found::Go(Box::new(Go { checked: Some((rule, *passed)), ..go })),
            Judgement::Refused(codes) => Found::Refused(codes),
            Judgement::Waits => Found::Later,
        })
    }

    /// A place among the contents that are read; waits for one.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, Failed> {
        Ok(self.0.judging.clone().acquire_owned().await.map_err(|_| Passing("the node stops".to_owned()))?)
    }

    /// The content, for its rule.
    pub(super) async fn candidate(
        &self,
        transfer: &Transfer,
        sender: &User,
        go: &Go,
        place: OwnedSemaphorePermit,
        job: &Taken,
    ) -> Result<Candidate, Failed> {
        let first = go.ways.first().ok_or(Failed::Store(StoreError::Unreadable { column: "recipients" }))?;
        let object = content(&mut self.database().session().await?, &go.data).await?;
        Ok(Candidate {
            transfer: transfer.id,
            name: transfer.name.clone(),
            sender: sender.id,
            sender_name: sender.name.clone(),
            system: sender.system,
            sender_authority: first.order.sender_authority,
            recipient_authority: first.order.recipient_authority,
            recipients: go.ways.iter().map(|way| (way.to.id, way.to.system)).collect(),
            content: Content::new(self.objects().clone(), object, place),
            transaction: go.trigger.routing.as_ref().map(|routing| routing.transaction),
            again: (job.attempt > 1).then_some(transfer.received),
            now: self.now(),
        })
    }

    /// Does what may take longer than the lease of a job.
    pub(super) async fn kept_while<T>(&self, job: &Taken, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        let mut work = std::pin::pin!(work);
        loop {
            // Side by side: work that holds the store's one writer must go on, or the job would never be kept.
            let kept = async {
                tokio::time::sleep(self.0.jobs.lease() / 4).await;
                self.0.jobs.keep(job).await
            };
            tokio::select! {
                done = &mut work => return done,
                kept = kept => kept?,
            }
        }
    }

    /// Frees what the rule of a transfer's content has taken for it.
    async fn content_given_up(&self, transfer: &Transfer) -> Result<(), Failed> {
        let Ok(trigger) = super::xml::trigger::read(&transfer.trigger) else { return Ok(()) };
        match self.rule(&trigger) {
            Some(rule) => Ok(rule.given_up(transfer.id).await?),
            None => Ok(()),
        }
    }

    /// Gathers what the checks ask for, and checks.
    async fn judged(&self, transfer: &Transfer) -> Result<(User, Found), Failed> {
        let now = self.now();
        let unreadable = |column| Failed::Store(StoreError::Unreadable { column });
        let mut session = self.database().session().await?;
        let sender = users::with_id(&mut session, transfer.sender).await?.ok_or_else(|| unreadable("sender"))?;
        let data = held(&mut session, transfer).await?;
        let orders = orders::of_sender(&mut session, sender.id).await?;
        let read = super::xml::trigger::read(&transfer.trigger);
        let named = read.as_ref().map_or(&[][..], |trigger| trigger.recipients.as_slice());
        let mut known: BTreeMap<Uuid, User> = BTreeMap::new();
        for name in named {
            if let Some(user) = users::named(&mut session, name).await? {
                known.insert(user.id, user);
            }
        }
        for order in &orders {
            if !known.contains_key(&order.recipient)
                && let Some(user) = users::with_id(&mut session, order.recipient).await?
            {
                known.insert(user.id, user);
            }
        }
        // One whose time is over is as one that is disabled.
        let known: Vec<User> =
            known.into_values().map(|user| User { disabled: user.disabled || !user.is_open(now), ..user }).collect();
        let routing = read.as_ref().ok().and_then(|trigger| trigger.routing.as_ref());
        let inf_ref_is_known = match routing {
            Some(routing) => orders::knows(&mut session, &routing.inf_ref).await?,
            None => false,
        };
        let Judged { trigger, ways, mut codes } = judge(
            &transfer.trigger,
            &Known {
                name: &transfer.name,
                sender: &sender,
                found: data.as_ref().map(|data| data.size),
                orders: &orders,
                users: &known,
                inf_ref_is_known,
                today: civil_day(now).ok_or_else(|| unreadable("today"))?,
            },
        );
        if matches!(codes.as_slice(), [Code::FIL1010]) && transfer.wait_until.is_some_and(|until| now < until) {
            return Ok((sender, Found::Wait));
        }
        if let (Some(trigger), Some(data)) = (&trigger, &data) {
            match used(&mut session, transfer, trigger, &ways, data).await? {
                Used::Not => {}
                Used::Same(earlier) if codes.is_empty() => return Ok((sender, Found::Again(earlier))),
                // Its name is taken at the recipients by itself.
                Used::Same(_) => return Ok((sender, Found::Refused(codes))),
                Used::Otherwise => codes.push(Code::FIL1035),
            }
            codes.extend(hindrances(&mut session, transfer, &ways, data.size).await?);
        }
        let found = match (trigger, data) {
            (Some(trigger), Some(data)) if codes.is_empty() => Found::Go(Box::new(Go { trigger, ways, data, checked: None })),
            _ if codes.is_empty() => return Err(unreadable("content")),
            _ => Found::Refused(codes),
        };
        Ok((sender, found))
    }

    /// What is not a delivery, in one transaction with the end of the job.
    async fn respond(&self, transfer: &Transfer, found: &Found, job: &Taken) -> Result<(), Failed> {
        let now = self.now();
        let mut transaction = self.database().begin_beside_others().await?;
        shelf::lock_home(&mut transaction, transfer.sender).await?;
        self.0.jobs.done_with(&mut transaction, job).await?;
        let Some(transfer) = transfers::locked(&mut transaction, transfer.id).await? else {
            return Ok(transaction.commit().await?);
        };
        let mut released = None;
        match found {
            Found::Wait => {
                // The file may have come since it was looked for: then it has added a job, and this one leaves it alone.
                if transfer.job == Some(job.id) {
                    transfers::set(&mut transaction, transfer.id, State::Awaits, None).await?;
                }
            }
            Found::Refused(codes) => released = self.refused(&mut transaction, &transfer, codes).await?,
            Found::Again(earlier) => {
                if let Some(data) = held(&mut transaction, &transfer).await? {
                    shelf::remove(&mut transaction, &data).await?;
                    if let Bytes::Content(content) = data.bytes {
                        released = shelf::release(&mut transaction, content, now).await?.then_some(content);
                    }
                }
                transfers::repeated(&mut transaction, transfer.id, *earlier, now).await?;
                let kept = self.0.settings.refused_kept;
                transfers::forget_refused(&mut transaction, transfer.sender, transfer.id, kept).await?;
                let id = senders_file_id(&transfer);
                let about = (transfer.sender, *earlier, &transfer.name);
                transfers::receipt(&mut transaction, about, id.as_deref(), &Answer::Delivered(&[]), now).await?;
            }
            Found::Go(..) | Found::Later => {}
        }
        transaction.commit().await?;
        self.dropped(released).await;
        Ok(())
    }

    /// The sender is told, and has its data file back in OUT; one that is for the platform itself goes, for no copy of it is kept. Returns
    /// a content to delete once it is committed.
    pub(super) async fn refused(
        &self,
        session: &mut Session,
        transfer: &Transfer,
        codes: &[Code],
    ) -> Result<Option<Uuid>, StoreError> {
        let now = self.now();
        transfers::refuse(session, transfer.id, codes, now).await?;
        transfers::forget_refused(session, transfer.sender, transfer.id, self.0.settings.refused_kept).await?;
        if transfer.fingerprint == super::home::Fingerprint([0; 32]) {
            // The platform itself sent it, and nobody fetches its receipts.
            let codes: Vec<i32> = codes.iter().map(Code::number).collect();
            tracing::error!(transfer = %transfer.id, ?codes, "a file that the platform sends was refused; mend the cause and see `hjemmel transfers retry`");
        }
        let mut released = None;
        let read = super::xml::trigger::read(&transfer.trigger).ok();
        if read.and_then(|trigger| self.rule(&trigger)).is_some_and(|rule| rule.taking().is_some())
            && let Some(data) = held(session, transfer).await?
        {
            shelf::remove(session, &data).await?;
            if let Bytes::Content(content) = data.bytes {
                released = shelf::release(session, content, now).await?.then_some(content);
            }
        }
        let back = crate::store::sql("UPDATE home_file SET held = $1, transfer = NULL WHERE transfer = $2 AND kind = 'upload'");
        session.execute(back.bind(false).bind(transfer.id)).await?;
        let id = senders_file_id(transfer);
        let about = (transfer.sender, transfer.id, &transfer.name);
        transfers::receipt(session, about, id.as_deref(), &Answer::Refused(codes), now).await?;
        Ok(released)
    }

    /// Records the admission, and delivers to every recipient or to none.
    async fn deliver(&self, transfer: &Transfer, sender: &User, go: &Go, job: &Taken) -> Result<(), Failed> {
        let object = content(&mut self.database().session().await?, &go.data).await?;
        let record = self.record(transfer, sender, go, &object)?;
        let mut record = self.0.parts.audit.open(record)?;
        let durable = record.admit().await?;
        self.reached(Step::Admitted);
        // Each recipient asks the store to be let in before the lease ends.
        self.0.jobs.keep_for_the_end(job).await?;
        let delivered = until_it_holds(async || self.written(transfer, go, &object.sha256, job, &durable).await);
        match delivered.await {
            Ok(true) => {
                self.reached(Step::Delivered);
                record.served();
                Ok(())
            }
            // Something changed since it was judged: judged anew at the next attempt.
            Ok(false) => {
                closed(record);
                self.0.due.notify_one();
                Err(Failed::Store(StoreError::Unreadable { column: "the recipients' homes as they were judged" }))
            }
            Err(error) => {
                closed(record);
                Err(error)
            }
        }
    }

    /// All of a delivery, in one transaction. `false`: it is no longer as it was judged, and nothing was written.
    async fn written(
        &self,
        transfer: &Transfer,
        Go { trigger, ways, data, checked }: &Go,
        sha256: &[u8; 32],
        job: &Taken,
        _recorded: &Durable,
    ) -> Result<bool, Failed> {
        let now = self.now();
        let Bytes::Content(content) = data.bytes else { return Ok(false) };
        let mut transaction = self.database().begin_beside_others().await?;
        // In one order, so that two deliveries to the same homes never wait for each other.
        let mut homes: Vec<Uuid> = ways.iter().map(|way| way.to.id).chain([transfer.sender]).collect();
        homes.sort_unstable();
        for home in homes {
            shelf::lock_home(&mut transaction, home).await?;
        }
        self.0.jobs.done_with(&mut transaction, job).await?;
        let still = transfers::locked(&mut transaction, transfer.id).await?;
        let held = held(&mut transaction, transfer).await?;
        let as_judged = still.is_some_and(|still| matches!(still.state, State::Taken | State::Awaits))
            && held.is_some_and(|held| held.id == data.id)
            && hindrances(&mut transaction, transfer, ways, data.size).await?.is_empty();
        if !as_judged || !self.orders_hold(&mut transaction, trigger, ways, now).await? {
            return Ok(false);
        }
        shelf::remove(&mut transaction, data).await?;
        let inf_ref = trigger.routing.as_ref().map(|routing| routing.inf_ref.as_str());
        for way in ways {
            let modified_us = transfers::stamp(&mut transaction, way.to.id, now).await?;
            let root = if way.to.older_root { Root::Trigger } else { Root::FileMetadata };
            let body = metadata(transfer.id, trigger, &way.to.name, root).into_bytes();
            let name = suffixed(&transfer.name, ".metadata")?;
            let beside = Lying {
                id: Uuid::now_v7(),
                owner: way.to.id,
                folder: Folder::In,
                name,
                kind: Kind::Metadata,
                transfer: Some(transfer.id),
                held: false,
                size: body.len() as u64,
                modified_us,
                bytes: Bytes::Here(body),
                is_read: false,
            };
            shelf::add(&mut transaction, &beside).await?;
            let file = Lying {
                id: Uuid::now_v7(),
                name: transfer.name.clone(),
                kind: Kind::Data,
                size: data.size,
                bytes: Bytes::Content(content),
                ..beside
            };
            shelf::add(&mut transaction, &file).await?;
            noted(&mut transaction, transfer, way, inf_ref, now).await?;
        }
        monitoring::sent(&mut transaction, transfer.sender, transfer.name.spelt(), inf_ref, now).await?;
        let transaction_id = trigger.routing.as_ref().map(|routing| routing.transaction);
        transfers::delivered(&mut transaction, transfer.id, transaction_id, content, sha256).await?;
        let mut warnings: &[Detail] = &[];
        if let Some((rule, passed)) = checked {
            rule.delivered(&mut transaction, transfer.id, passed, now).await?;
            warnings = &passed.warnings;
        }
        let (id, about) = (trigger.senders_file_id.as_deref(), (transfer.sender, transfer.id, &transfer.name));
        transfers::receipt(&mut transaction, about, id, &Answer::Delivered(warnings), now).await?;
        self.reached(Step::Written);
        transaction.commit().await?;
        Ok(true)
    }

    /// Whether every order may still be used.
    async fn orders_hold(&self, session: &mut Session, trigger: &Trigger, ways: &[Way], now: Timestamp) -> Result<bool, Failed> {
        let Some(today) = civil_day(now) else { return Ok(false) };
        let on = trigger.routing.as_ref().map_or(today, |routing| routing.on);
        for way in ways {
            match orders::with_id(session, way.order.id).await {
                Ok(order) if order.usable(on).is_ok() && order.not_over(today).is_ok() => {}
                Ok(_) | Err(orders::OrderError::NoSuchOrder(_)) => return Ok(false),
                Err(orders::OrderError::Store(error)) => return Err(error.into()),
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// What the audit has of a delivery: no name of a file in the clear.
    pub(super) fn record(
        &self,
        transfer: &Transfer,
        sender: &User,
        Go { ways, checked, .. }: &Go,
        object: &crate::objects::Object,
    ) -> Result<Record, Failed> {
        let mut record = self.begun(transfer, Some(sender.system));
        let name = self.0.parts.sealer.seal_name(record.call, transfer.name.spelt())?;
        if let Some(first) = ways.first() {
            record.authority = Some(first.order.sender_authority);
            record.front_agreement = Some(first.order.id);
            record.legal_basis = Some(first.order.legal_basis.clone());
            record.purpose = Some(first.order.purpose.clone());
        }
        record.back_agreements = ways.iter().map(|way| way.order.id).collect();
        record.about = AboutFile {
            name,
            bytes: object.length,
            sha256: crate::hex::encode(&object.sha256),
            recipients: ways.iter().map(|way| way.to.id).collect(),
            receiver: ways.first().map(|way| way.order.recipient_authority),
            finance: checked.as_ref().and_then(|(_, passed)| passed.figures.clone()),
            import: None,
        }
        .into();
        Ok(record)
    }

    /// Records a file that goes to nobody, with the first of the reasons. A process that dies before it is told records it again.
    async fn refusal_recorded(&self, transfer: &Transfer, codes: &[Code]) -> Result<(), Failed> {
        let Some(code) = codes.first() else { return Ok(()) };
        let mut session = self.database().session().await?;
        let sender = users::with_id(&mut session, transfer.sender).await?;
        let object = match held(&mut session, transfer).await? {
            Some(data) => content(&mut session, &data).await.ok(),
            None => None,
        };
        drop(session);
        let mut record = self.begun(transfer, sender.map(|sender| sender.system));
        record.about = AboutFile {
            name: self.0.parts.sealer.seal_name(record.call, transfer.name.spelt())?,
            bytes: object.as_ref().map_or(0, |object| object.length),
            sha256: object.map_or_else(String::new, |object| crate::hex::encode(&object.sha256)),
            recipients: Vec::new(),
            receiver: None,
            finance: None,
            import: None,
        }
        .into();
        self.0.parts.audit.open(record)?.refused(&code.clone().into());
        Ok(())
    }

    /// What a record says of every file.
    fn begun(&self, transfer: &Transfer, system: Option<Uuid>) -> Record {
        let mut record = Record::new(Uuid::now_v7(), self.now(), "files");
        record.operation = Some("AfleverFil".to_owned());
        record.client_system = system;
        record.certificate = Some(Thumbprint::from(transfer.fingerprint.0));
        record.own_transaction = Some(transfer.id);
        record
    }

    /// Deletes a content that nobody refers to any more. Where that fails it is done later: its key is gone already.
    pub(super) async fn dropped(&self, content: Option<Uuid>) {
        drop_content(&self.0.parts, content).await;
    }
}

fn log_end(ended: Result<Result<(), Failed>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a transfer could not be written down"),
        Err(error) => tracing::error!(%error, "a transfer was not gone on with; it is taken again when its lease ends"),
    }
}

/// Nothing came of this attempt; the next is recorded by itself.
pub(super) fn closed(record: OpenRecord) {
    record.refused(&Code::FIL1090.into());
}

/// The name of what stands beside a file.
pub(super) fn suffixed(name: &Name, suffix: &str) -> Result<Name, StoreError> {
    Name::new(&format!("{}{suffix}", name.spelt())).map_err(|_| StoreError::Unreadable { column: "name" })
}

fn senders_file_id(transfer: &Transfer) -> Option<String> {
    super::xml::trigger::read(&transfer.trigger).ok()?.senders_file_id
}

/// The data file that a transfer has.
pub(super) async fn held(session: &mut Session, transfer: &Transfer) -> Result<Option<Lying>, StoreError> {
    let file = shelf::find(session, transfer.sender, Folder::Out, &transfer.name).await?;
    Ok(file.filter(|file| file.held && file.transfer == Some(transfer.id)))
}

pub(super) async fn content(session: &mut Session, data: &Lying) -> Result<crate::objects::Object, StoreError> {
    match data.bytes {
        Bytes::Content(content) => shelf::object(session, content).await,
        Bytes::Here(_) => Err(StoreError::Unreadable { column: "content" }),
    }
}

/// Whether the id of a submission was used for this file before.
enum Used {
    Not,
    /// By this transfer, which delivered the same content to all of these recipients.
    Same(Uuid),
    /// For another content, or without one of these recipients: answered with the first receipt, it would never have the file.
    Otherwise,
}

async fn used(
    session: &mut Session,
    transfer: &Transfer,
    trigger: &Trigger,
    ways: &[Way],
    data: &Lying,
) -> Result<Used, StoreError> {
    let Some(routing) = &trigger.routing else { return Ok(Used::Not) };
    let earlier = transfers::earlier(session, transfer.sender, routing.transaction, &transfer.name).await?;
    let Some((earlier, digest)) = earlier else { return Ok(Used::Not) };
    let had = transfers::deliveries(session, earlier).await?;
    let all_had = ways.iter().all(|way| had.iter().any(|delivery| delivery.recipient == way.to.id));
    let same = all_had && digest == content(session, data).await?.sha256;
    Ok(if same { Used::Same(earlier) } else { Used::Otherwise })
}

/// What at the recipients stands in the way: the name is taken there, or there is no room.
async fn hindrances(session: &mut Session, transfer: &Transfer, ways: &[Way], size: u64) -> Result<Vec<Code>, StoreError> {
    // A name that leaves no room for it is refused by itself (1004).
    let beside = suffixed(&transfer.name, ".metadata").ok();
    let mut codes = Vec::new();
    for way in ways {
        let recipient = way.number;
        for name in [Some(&transfer.name), beside.as_ref()].into_iter().flatten() {
            if shelf::find(session, way.to.id, Folder::In, name).await?.is_some() {
                codes.push(Code::FIL1040 { recipient });
                break;
            }
        }
        let Some(to) = users::with_id(session, way.to.id).await? else { continue };
        if to.used.bytes.saturating_add(size) > to.bytes_limit {
            let what = Detail::new(
                format!("modtager nr. {recipient} har ikke plads"),
                format!("recipient number {recipient} has no room"),
            );
            codes.push(Code::FIL1060 { what });
        }
    }
    Ok(codes)
}

pub(super) async fn noted(
    session: &mut Session,
    transfer: &Transfer,
    way: &Way,
    inf_ref: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (alarm_us, delete_us) = monitoring::received(session, &way.order, transfer.name.spelt(), inf_ref, now).await?;
    let note = crate::store::sql(
        "INSERT INTO file_delivery (transfer, recipient, file_order, state, delivered_us, alarm_us, delete_us)
         VALUES ($1, $2, $3, 'KLAR', $4, $5, $6)",
    )
    .bind(transfer.id)
    .bind(way.to.id)
    .bind(way.order.id)
    .bind(us(now))
    .bind(alarm_us)
    .bind(delete_us);
    session.execute(note).await.map(drop)
}

/// Bytes as a door hands them on.
pub(super) fn shared(bytes: Vec<u8>) -> Shared {
    Shared::from(bytes)
}
