//! A file that the platform itself takes in: nobody else receives it, no copy of it is kept, and its sender gets an answer file beside the
//! receipt.
//!
//! As in a delivery the admission is recorded first, and the end of it is one transaction: the file is gone, the answer and the receipt
//! lie in IN, and the job is done. A process that dies before that leaves the file to another attempt, which takes it in anew.

use uuid::Uuid;

use super::content::Taking;
use super::core::{Failed, Files, Step};
use super::deliver::{Go, closed, content, held, noted, suffixed};
use super::home::Folder;
use super::monitoring;
use super::shelf::{self, Bytes, Kind, Lying};
use super::transfers::{self, Fetched, State, Transfer};
use super::users::User;
use super::xml::written::Answer;
use crate::audit::Durable;
use crate::objects::Object;
use crate::store::jobs::Taken;
use crate::store::{Session, StoreError, until_it_holds};

/// What an answer file's name adds to the file's.
pub const ANSWER: &str = ".result.csv";
/// An answer says more than the file that it answers, and this many times more at most.
const ANSWER_TIMES: u64 = 16;
/// So long it may be however short the file is, in bytes.
const ANSWER_LEAST: u64 = 1024 * 1024;

impl Files {
    /// Records the admission, has the file taken in, and answers its sender.
    pub(super) async fn take_in(
        &self,
        transfer: &Transfer,
        sender: &User,
        go: &Go,
        taking: &dyn Taking,
        job: &Taken,
    ) -> Result<(), Failed> {
        let object = content(&mut self.database().session().await?, &go.data).await?;
        let record = self.record(transfer, sender, go, &object)?;
        let mut record = self.0.parts.audit.open(record)?;
        let durable = record.admit().await?;
        self.reached(Step::Admitted);
        let taken = async {
            let candidate = self.candidate(transfer, sender, go, self.place().await?, job).await?;
            let mut answer = self.objects().begin(object.length.saturating_mul(ANSWER_TIMES).max(ANSWER_LEAST))?;
            shelf::announce(&mut self.database().session().await?, answer.name(), self.now()).await?;
            let said = taking.take(candidate, &durable, &mut answer).await?;
            Ok((said, answer.finish().await?))
        };
        let (said, answer) = match self.kept_while(job, taken).await {
            Ok(taken) => taken,
            Err(error) => {
                closed(record);
                return Err(error);
            }
        };
        let call = record.call;
        let sealed = said.persons.iter().map(|person| self.0.parts.sealer.seal_running(call, person)).collect::<Result<_, _>>();
        record.persons = sealed?;
        record.persons_left_out = said.persons_left_out;
        if let Some(about) = record.about.file_mut() {
            about.import = Some(said.about);
        }
        self.reached(Step::Stored);
        let answered = until_it_holds(async || self.answered(transfer, go, (&object, &answer), job, &durable).await);
        match answered.await {
            Ok(released) => {
                self.reached(Step::Delivered);
                record.served();
                for content in released {
                    self.dropped(Some(content)).await;
                }
                Ok(())
            }
            Err(error) => {
                closed(record);
                Err(error)
            }
        }
    }

    /// The end of it, in one transaction; which contents nobody refers to any more.
    async fn answered(
        &self,
        transfer: &Transfer,
        Go { trigger, ways, data, .. }: &Go,
        (object, answer): (&Object, &Object),
        job: &Taken,
        _recorded: &Durable,
    ) -> Result<Vec<Uuid>, Failed> {
        let now = self.now();
        let as_judged = Failed::Store(StoreError::Unreadable { column: "the file as it was judged" });
        let Bytes::Content(content) = data.bytes else { return Err(as_judged) };
        let mut transaction = self.database().begin_beside_others().await?;
        shelf::lock_home(&mut transaction, transfer.sender).await?;
        self.0.jobs.done_with(&mut transaction, job).await?;
        let still = transfers::locked(&mut transaction, transfer.id).await?;
        let still = still.is_some_and(|still| matches!(still.state, State::Taken | State::Awaits));
        if !still || held(&mut transaction, transfer).await?.is_none_or(|held| held.id != data.id) {
            return Err(as_judged);
        }
        shelf::remove(&mut transaction, data).await?;
        let inf_ref = trigger.routing.as_ref().map(|routing| routing.inf_ref.as_str());
        let submission = trigger.routing.as_ref().map(|routing| routing.transaction);
        transfers::delivered(&mut transaction, transfer.id, submission, content, &object.sha256).await?;
        for way in ways {
            noted(&mut transaction, transfer, way, inf_ref, now).await?;
            transfers::done(&mut transaction, transfer.id, way.to.id, Fetched::Fetched, now).await?;
        }
        monitoring::sent(&mut transaction, transfer.sender, transfer.name.spelt(), inf_ref, now).await?;
        transfers::forget_copy(&mut transaction, transfer.id).await?;
        let mut released = Vec::new();
        if shelf::release(&mut transaction, content, now).await? {
            released.push(content);
        }
        released.extend(put(&mut transaction, transfer, answer, now).await?);
        let (id, about) = (trigger.senders_file_id.as_deref(), (transfer.sender, transfer.id, &transfer.name));
        transfers::receipt(&mut transaction, about, id, &Answer::Delivered(&[]), now).await?;
        self.reached(Step::Written);
        transaction.commit().await?;
        Ok(released)
    }
}

/// Puts the answer into the sender's IN. An older one of the name that was not read gets its own transfer's id into its name; one that
/// was read gives way. Where what lies there is no answer but a file that somebody sent, that one stays, and this one has the id.
async fn put(
    session: &mut Session,
    transfer: &Transfer,
    answer: &Object,
    now: jiff::Timestamp,
) -> Result<Option<Uuid>, StoreError> {
    let aside = |id: Uuid| suffixed(&transfer.name, &format!(".{id}{ANSWER}"));
    let mut name = suffixed(&transfer.name, ANSWER)?;
    let mut released = None;
    match shelf::find(session, transfer.sender, Folder::In, &name).await? {
        Some(sent) if sent.kind != Kind::Receipt => name = aside(transfer.id)?,
        Some(older) => {
            let aside = aside(older.transfer.unwrap_or(older.id))?;
            if !older.is_read && shelf::find(session, transfer.sender, Folder::In, &aside).await?.is_none() {
                transfers::rename(session, older.id, &aside).await?;
            } else {
                shelf::remove(session, &older).await?;
                if let Bytes::Content(content) = older.bytes {
                    released = shelf::release(session, content, now).await?.then_some(content);
                }
            }
        }
        None => {}
    }
    let file = Lying {
        id: Uuid::now_v7(),
        owner: transfer.sender,
        folder: Folder::In,
        name,
        kind: Kind::Receipt,
        transfer: Some(transfer.id),
        held: false,
        size: answer.length,
        modified_us: transfers::stamp(session, transfer.sender, now).await?,
        bytes: Bytes::Content(shelf::keep(session, answer).await?),
        is_read: false,
    };
    shelf::add(session, &file).await?;
    Ok(released)
}
