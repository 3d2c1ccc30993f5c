//! The mailboxes as one thing: where they keep what, and who has come in.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use super::agreement::{self, Agreement, Number, Standing};
use super::joining::Claims;
use super::rows::File;
use super::users::{self, Right, Shown, User};
use super::work::AT_ONCE;
use crate::agreements::Environment;
use crate::audit::{AboutFile, Durable, OpenRecord, Record};
use crate::files::core::{Failed, Parts};
use crate::files::name::Name;
use crate::files::wrong_keys::WrongKeys;
use crate::objects::ObjectError;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::store::jobs::{JobError, Jobs, Rules};
use crate::store::{Database, Session, StoreError};

/// Contents on their way in or out at once, of all users and of one.
const PASSING: usize = 64;
const PASSING_OF_USER: usize = 8;

/// The kind of the jobs that judge.
pub const JOBS: &str = "mailboxes";

/// How a judgement is tried.
pub const RULES: Rules = Rules {
    lease: Duration::from_secs(120),
    attempts: 12,
    first_pause: Duration::from_secs(2),
    longest_pause: Duration::from_secs(15 * 60),
};

/// A place in a file's way at which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All of what came by SFTP is staged, and nothing of it is in the object store.
    Staged,
    /// The content of a piece is in the object store; no row names it.
    Piece,
    /// The content is in the object store, put together where it came in pieces; no row names it.
    Stored,
    /// An upload lies there under a name that is not final.
    Waiting,
    /// The delivery is in the audit.
    Admitted,
    /// It is in the outbox, and its judgement waits.
    Taken,
    /// It is judged, and nothing is written.
    Judged,
    /// The judgement is written, with the receipt where there is one, and not committed.
    Written,
    /// The judgement holds: an approved file is in its inbox.
    Settled,
    /// That the recipient reads it to its end is written, and the last bytes are not handed over.
    Fetched,
    /// The confirmation is written and not committed.
    Confirmed,
    /// The file's days are over: that it is deleted is written and not committed.
    Ending,
    /// The content's key is deleted, and the content is not.
    Ended,
}

impl Step {
    /// Those of each delivery, by whichever door it comes, in their order.
    pub const DELIVERY: [Step; 6] = [Step::Stored, Step::Admitted, Step::Taken, Step::Judged, Step::Written, Step::Settled];
}

/// What a test does at a step.
type AtStep = Arc<dyn Fn(Step) + Send + Sync>;

pub(super) struct Inner {
    pub(super) parts: Parts,
    pub(super) environment: Environment,
    pub(super) jobs: Jobs,
    /// A judgement may be due.
    pub(super) due: Notify,
    passing: Mutex<HashMap<Uuid, usize>>,
    /// Places for contents that are being judged.
    pub(super) judging: Arc<Semaphore>,
    /// Streams whose files this node cannot judge, as far as the log has been told of them.
    pub(super) unjudged: Mutex<BTreeSet<(Uuid, String)>>,
    /// Deliveries in pieces that this node puts together.
    pub(super) claims: Claims,
    /// A place to look at names that were refused.
    pub(super) looking: Arc<Semaphore>,
    /// Users of whom is to be noted that they gave a wrong key.
    pub(super) wrong_keys: WrongKeys,
    at_step: Option<AtStep>,
}

/// The mailboxes. Cheap to clone.
#[derive(Clone)]
pub struct Mailboxes(pub(super) Arc<Inner>);

/// Why it was not done. Names no file and no person.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// What the caller is told.
    #[error(transparent)]
    Refused(#[from] ApiRefusal),
    /// What is no business of the caller's.
    #[error(transparent)]
    Failed(#[from] Failed),
}

impl From<StoreError> for MailboxError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<JobError> for MailboxError {
    fn from(error: JobError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ObjectError> for MailboxError {
    fn from(error: ObjectError) -> Self {
        Self::Failed(error.into())
    }
}

/// A user who has come in.
#[derive(Debug, Clone)]
pub struct Entered {
    /// The user.
    pub user: User,
    /// What it has shown.
    pub shown: Shown,
}

/// What a user is about to do on an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Look at it.
    See,
    /// See what came in: names and remarks may hold persons' data.
    SeeInbox,
    /// See and remove what became of what was put: the names are those of whoever delivers.
    SeeReceipts,
    /// Fetch and confirm.
    Fetch,
    /// Deliver.
    Deliver,
}

/// A file or an agreement that is not there, or is another's: the two are not told apart.
pub(super) fn nothing(da: &str, en: &str) -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new(da, en) }
}

impl Mailboxes {
    /// Takes its parts.
    pub fn new(parts: Parts, environment: Environment) -> Self {
        Self::with(parts, environment, RULES, None)
    }

    /// The same, with other rules for its jobs, and something that is done at each step: how tests kill it there.
    pub fn with(parts: Parts, environment: Environment, rules: Rules, at_step: Option<AtStep>) -> Self {
        let judging = Arc::new(Semaphore::new(AT_ONCE as usize));
        let (jobs, looking) = (Jobs::new(parts.database.clone(), JOBS, rules), Arc::new(Semaphore::new(1)));
        Self(Arc::new(Inner {
            parts,
            environment,
            judging,
            jobs,
            due: Notify::new(),
            passing: Mutex::default(),
            unjudged: Mutex::default(),
            claims: Claims::default(),
            looking,
            wrong_keys: WrongKeys::default(),
            at_step,
        }))
    }

    pub(super) fn database(&self) -> &Database {
        &self.0.parts.database
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    pub(super) fn reached(&self, step: Step) {
        if let Some(at_step) = &self.0.at_step {
            at_step(step);
        }
    }

    /// Lets in the user to whom a certificate or a key belongs.
    ///
    /// # Errors
    /// [`ApiRefusal::MailboxRefused`], in the same words whether there is no such user or it may not be used.
    pub async fn enter(&self, shown: Shown) -> Result<Entered, MailboxError> {
        let (now, mut session) = (self.now(), self.database().session().await?);
        let found = users::who(&mut session, shown).await?;
        let Some(user) = found.filter(|user| user.environment == self.0.environment) else {
            return Err(ApiRefusal::MailboxRefused.into());
        };
        if !user.is_open(now) {
            users::refused(&mut session, user.id, now).await?;
            return Err(ApiRefusal::MailboxRefused.into());
        }
        // One that was refused since is seen anew: it was no longer refused.
        let seen_lately = user.seen.is_some_and(|seen| now.duration_since(seen) < users::SEEN_EVERY);
        if !seen_lately || user.refused > user.seen {
            users::saw(&mut session, user.id, now).await?;
        }
        Ok(Entered { user, shown })
    }

    /// The agreement, where the user may do this on it now.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotFound`] for one that it has nothing to do with; [`ApiRefusal::MailboxRight`],
    /// [`ApiRefusal::MailboxNotActive`].
    pub async fn agreement(&self, entered: &Entered, number: Number, purpose: Purpose) -> Result<Agreement, MailboxError> {
        let right = entered.user.right(number).ok_or_else(|| nothing("partneraftale", "partner agreement"))?;
        let held = agreement::numbered(&mut self.database().session().await?, number).await?;
        let held = held.ok_or_else(|| nothing("partneraftale", "partner agreement"))?;
        allowed(&held, right, purpose)?;
        Ok(held)
    }

    /// A place among the contents that are on their way.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiOverloaded`].
    pub(super) fn passing(&self, user: Uuid) -> Result<Passing, MailboxError> {
        let mut passing = self.0.passing.lock().unwrap_or_else(PoisonError::into_inner);
        let own = passing.get(&user).copied().unwrap_or(0);
        if own >= PASSING_OF_USER || passing.values().sum::<usize>() >= PASSING {
            return Err(ApiRefusal::ApiOverloaded.into());
        }
        passing.insert(user, own + 1);
        Ok(Passing { mailboxes: self.clone(), user })
    }

    /// Writes down, durably, that a file is about to be handed over: no name of a file in the clear.
    pub(super) async fn admitted(
        &self,
        operation: &str,
        entered: &Entered,
        file: &Moved<'_>,
    ) -> Result<(OpenRecord, Durable), MailboxError> {
        let mut record = Record::new(Uuid::now_v7(), self.now(), "files");
        let name = self.0.parts.sealer.seal_name(record.call, file.name.spelt()).map_err(Failed::from)?;
        record.operation = Some(operation.to_owned());
        record.client_system = Some(entered.user.id);
        record.certificate = Some(entered.shown.thumbprint());
        record.own_transaction = Some(file.id);
        record.authority = Some(file.own.terms.owner);
        record.front_agreement = Some(file.own.id);
        record.back_agreements = vec![file.other];
        record.legal_basis = Some(file.own.terms.legal_basis.clone());
        record.purpose = Some(file.own.terms.purpose.clone());
        record.about = AboutFile {
            name,
            bytes: file.size,
            sha256: file.sha256.to_owned(),
            recipients: vec![file.recipient],
            receiver: Some(file.receiver),
            finance: None,
            import: None,
        }
        .into();
        let mut open = self.0.parts.audit.open(record).map_err(Failed::from)?;
        let recorded = open.admit().await.map_err(Failed::from)?;
        Ok((open, recorded))
    }
}

/// A file as the audit has it.
pub(super) struct Moved<'m> {
    pub(super) id: Uuid,
    pub(super) name: &'m Name,
    pub(super) size: u64,
    pub(super) sha256: &'m str,
    /// The agreement on which it is done.
    pub(super) own: &'m Agreement,
    pub(super) other: Uuid,
    pub(super) recipient: Uuid,
    pub(super) receiver: crate::id::cvr::Cvr,
}

impl<'m> Moved<'m> {
    /// A file that is fetched.
    pub(super) fn fetched(file: &'m File, own: &'m Agreement) -> Self {
        let (recipient, receiver) = (own.id, own.terms.owner);
        Self {
            id: file.id,
            name: &file.name,
            size: file.size,
            sha256: &file.sha256,
            own,
            other: file.sender,
            recipient,
            receiver,
        }
    }
}

pub(super) fn allowed(held: &Agreement, right: Right, purpose: Purpose) -> Result<(), ApiRefusal> {
    let refused = match purpose {
        Purpose::Fetch | Purpose::SeeInbox if !right.fetches => Some(Detail::new("hente filer", "fetch files")),
        Purpose::Deliver | Purpose::SeeReceipts if !right.delivers => Some(Detail::new("aflevere filer", "deliver files")),
        _ => None,
    };
    if let Some(action) = refused {
        return Err(ApiRefusal::MailboxRight { action });
    }
    // What was handed over stays seen after the end.
    if !matches!(purpose, Purpose::See | Purpose::SeeInbox | Purpose::SeeReceipts) && held.standing != Standing::Active {
        return Err(ApiRefusal::MailboxNotActive { state: Detail::name(held.standing.name()) });
    }
    Ok(())
}

/// Locks the rows of agreements until the transaction ends, always in one order, so that two never wait for each other.
pub(super) async fn lock(session: &mut Session, mailboxes: &[Uuid]) -> Result<(), StoreError> {
    let mut mailboxes = mailboxes.to_vec();
    mailboxes.sort_unstable();
    for mailbox in mailboxes {
        session.execute(crate::store::sql("UPDATE mailbox SET sent = sent WHERE id = $1").bind(mailbox)).await?;
    }
    Ok(())
}

/// A content on its way, until it is dropped.
pub(in crate::files) struct Passing {
    mailboxes: Mailboxes,
    user: Uuid,
}

impl Drop for Passing {
    fn drop(&mut self) {
        let mut passing = self.mailboxes.0.passing.lock().unwrap_or_else(PoisonError::into_inner);
        match passing.get_mut(&self.user) {
            Some(1) | None => drop(passing.remove(&self.user)),
            Some(own) => *own -= 1,
        }
    }
}
