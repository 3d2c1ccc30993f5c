//! The memory of deliveries: what a service knows again by an id, such as a delivery of vouchers, is passed on once.
//!
//! - An attempt claims its delivery in the store before anything is passed on ([`Deliveries::claim`]), for a lease that it renews as long as
//!   its receiver takes. Of several at once, on whatever node, one has it; the others wait a bounded time, and hear that it is under way.
//! - The answer is kept, encrypted, before the caller has it ([`Deliveries::settled`]). The same content sent again gets it again, signed
//!   anew. What failed before anything left is forgotten; what failed afterwards is *unknown*: the receiver is asked once more with the
//!   same id where `service.toml` says that it may be, and the caller is told to ask it where not.
//! - An attempt whose node was killed is unknown when its lease ends. An attempt whose lease could not be renewed passes nothing on any more
//!   (`Held::may_leave`): nobody else has begun by then.
//! - Whose a delivery is stands in its mark: service, authority and client system. Another sender's id gives nothing.
//! - Marks and contents are keyed digests, receipts are encrypted: a copy of the store tells nothing of them.

pub mod by_file;
pub mod counts;
pub mod rows;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tower::Service;
use tracing::Instrument;
use uuid::Uuid;

use self::counts::{Counts, What};
use self::rows::{Asked, Elsewhere, Rows, Standing};
use super::ask::{Valid, delivery};
use super::refusal::ContractRefusal;
use super::side::Sides;
use crate::audit::{Marker, Sealer};
use crate::gateway::answer::Release;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::context::is_context;
use crate::gateway::step::Step;
use crate::id::cvr::Cvr;
use crate::objects::ContentKeys;
use crate::refusal::Refusal;
use crate::services::concerns::{self, Concern, Concerns};
use crate::signature::c14n::{self, Exclusive, canonicalise};
use crate::soap::document::NodeId;
use crate::store::{Database, StoreError};
use crate::work::{Place, Work};

/// A keyed digest.
pub type Mark = [u8; 32];

/// For how long an attempt has its delivery without saying so again.
const LEASE: Duration = Duration::from_secs(20);
/// How often it says so.
const RENEWED: Duration = Duration::from_secs(5);
/// Nothing leaves with less of the lease left.
const LEFT: Duration = Duration::from_secs(5);
/// How soon, and then how seldom, whoever waits looks again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Calls at once whose callers may have hung up.
const AT_ONCE: usize = 1_024;
/// How often it is looked for what nobody has any more, and what is to be forgotten.
const LOOKED_AFTER: Duration = Duration::from_secs(60);
/// How often an answer is tried to be kept.
const TRIES: u32 = 3;

/// What a service says of its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// For how long receipts are kept.
    pub keep: Duration,
    /// For how long it is remembered what was accepted.
    pub keep_items: Duration,
    /// How long a second of the same waits for the first.
    pub wait: Duration,
    /// Whether an id that was used gives its receipt whatever the content is.
    pub whatever_came: bool,
}

/// The memory of one service's deliveries.
pub struct Deliveries {
    /// The service, as agreements name it.
    pub service: Uuid,
    /// What it says.
    pub rules: Rules,
    /// How long its receivers have, and the contract.
    pub sides: Arc<Sides>,
    /// Where it is kept; `None` where the service has no id to know anything by.
    pub kept: Option<Kept>,
    /// The calls that are worked on.
    pub work: Work,
    /// What became of them.
    pub counts: Arc<Counts>,
    /// What the providers' operations are to be told.
    pub concerns: Arc<Concerns>,
    /// Room for calls whose callers may have hung up.
    pub room: Arc<Semaphore>,
}

/// Where deliveries are kept, and under which keys.
#[derive(Clone)]
pub struct Kept {
    rows: Rows,
    keys: Arc<ContentKeys>,
    sealer: Arc<Sealer>,
}

impl Kept {
    /// In this store; receipts under `keys`, marks by `sealer`.
    pub fn new(store: Database, keys: Arc<ContentKeys>, sealer: Arc<Sealer>) -> Self {
        Self { rows: Rows(store), keys, sealer }
    }

    /// What is known of another delivery; `receipts`: those that were read before.
    async fn earlier(&self, place: &Elsewhere, receipts: &mut BTreeMap<Mark, Option<Arc<[u8]>>>) -> Result<Earlier, StoreError> {
        let Elsewhere { delivery, accepted_us, .. } = place;
        // As many as are reported; a sender who sends a month again needs no more of them.
        if !receipts.contains_key(delivery) && receipts.len() < 20 {
            let sealed = self.rows.receipt(*delivery).await?;
            let opened = sealed.and_then(|sealed| self.keys.open_text(delivery, &sealed).ok());
            receipts.insert(*delivery, opened.map(Arc::from));
        }
        let accepted = accepted_us.and_then(|at| jiff::Timestamp::from_microsecond(at).ok());
        Ok(Earlier { accepted, receipt: receipts.get(delivery).cloned().flatten() })
    }

    /// Whose delivery.
    fn delivery(&self, service: Uuid, sender: &Cvr, system: Uuid, id: &str) -> Mark {
        let whose = self.sealer.marker("delivery").part(service.as_bytes()).part(sender.to_string().as_bytes());
        whose.part(system.as_bytes()).part(id.as_bytes()).finish()
    }

    /// What is in it, by a digest of what it says.
    fn content(&self, delivery: &Mark, says: &[u8; 32]) -> Mark {
        self.sealer.marker("what a delivery says").part(delivery).part(says).finish()
    }

    /// Something in a delivery.
    fn item(&self, service: Uuid, sender: &Cvr, receiver: Option<Cvr>, item: Uuid) -> Mark {
        let receiver = receiver.map_or_else(String::new, |receiver| receiver.to_string());
        let mark = self.sealer.marker("item of a delivery").part(service.as_bytes()).part(sender.to_string().as_bytes());
        mark.part(receiver.as_bytes()).part(item.as_bytes()).finish()
    }
}

/// What is in a delivery, and what it speaks of, in the service's own ids.
#[derive(Debug, Default)]
pub struct Items {
    /// The authority in whose books they are.
    pub receiver: Option<Cvr>,
    /// Things that may be accepted once.
    pub own: Vec<Uuid>,
    /// Things of other deliveries that it refers to.
    pub refers: Vec<Uuid>,
    /// A digest of what the delivery says, where the service knows that better than its bytes do; `None`: the message's canonical form.
    pub says: Option<[u8; 32]>,
}

/// A request that may go on: its delivery is this attempt's, or the service knows none. Made by [`Deliveries::claim`] alone.
pub struct Claimed {
    valid: Valid,
    held: Option<Arc<Held>>,
}

impl Claimed {
    pub(super) fn part(self) -> (Valid, Option<Arc<Held>>) {
        (self.valid, self.held)
    }
}

impl OfCall for Claimed {
    fn call(&self) -> &Call {
        self.valid.call()
    }
}

/// A delivery that an attempt has.
#[derive(Debug)]
pub struct Held {
    mark: Mark,
    holder: Uuid,
    /// The authority that it is for, where the service names it.
    receiver: Option<Cvr>,
    /// Whether an earlier attempt may have passed it on.
    again: bool,
    until: Mutex<Instant>,
    left: AtomicBool,
}

impl Held {
    /// Said just before it leaves.
    ///
    /// # Errors
    /// `DeliveriesUnavailable`: its lease ends, so that another attempt may have it.
    pub(super) fn may_leave(&self) -> Result<(), Refusal> {
        if Instant::now() + LEFT > *self.until.lock().unwrap_or_else(PoisonError::into_inner) {
            tracing::warn!("a delivery was not passed on: its claim could not be renewed in time");
            return Err(ContractRefusal::DeliveriesUnavailable.into());
        }
        self.left.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Said where it did not leave after all.
    pub(super) fn stayed(&self) {
        self.left.store(false, Ordering::SeqCst);
    }
}

/// What is known of items, in the service's own ids.
#[derive(Debug, Default)]
pub struct Known {
    /// Its items that another delivery has.
    pub elsewhere: Vec<(Uuid, Earlier)>,
    /// Those referred to that nobody knows as accepted.
    pub unknown: Vec<Uuid>,
}

/// Another delivery that has an item.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// Whether it was accepted there, and when; `None`: the delivery was not answered yet.
    pub accepted: Option<jiff::Timestamp>,
    /// Its receipt, where that is still kept.
    pub receipt: Option<Arc<[u8]>>,
}

/// What is known of a delivery that is to be passed on.
pub enum Claim {
    /// It may go on.
    Go {
        /// The proof.
        claimed: Box<Claimed>,
        /// What settles it afterwards.
        hold: Hold,
        /// What is known of its items.
        known: Known,
    },
    /// It was answered before.
    Answered(Release),
}

/// What is known of a delivery before it is judged.
pub enum Before {
    /// Nothing, or of the id with other content.
    Nothing,
    /// Its receipt.
    Answered(Release),
    /// It was let pass before, and what came of that is not known here: it is to be claimed, whatever it would be judged now.
    PassedOn(Box<Valid>),
}

/// Whether a delivery may be with its receiver, once its attempt has ended.
pub struct Trace(Option<Arc<Held>>);

impl Trace {
    /// Whether it may be; `None`: the service knows no deliveries.
    pub fn may_be_there(&self) -> Option<bool> {
        self.0.as_ref().map(|held| held.again || held.left.load(Ordering::SeqCst))
    }
}

impl Hold {
    /// Whether an earlier attempt may have passed it on.
    pub fn is_again(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.again)
    }

    /// What tells afterwards whether it was passed on.
    pub fn trace(&self) -> Trace {
        Trace(self.held.clone())
    }
}

/// A claim that must be settled.
pub struct Hold {
    /// `None`: the service knows no deliveries.
    held: Option<Arc<Held>>,
    items: BTreeMap<Uuid, Mark>,
    unsettled: Option<Unsettled>,
}

/// Gives a claim back that its call leaves before anything is passed on, as it does where its caller hangs up or the store was too slow to
/// say what it did. Otherwise the same delivery would be under way for as long as the lease lasts, and unknown then.
struct Unsettled {
    rows: Rows,
    mark: Mark,
    holder: Uuid,
    armed: bool,
}

impl Unsettled {
    /// It is somebody else's, or is settled.
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.armed {
            let (rows, mark, holder) = (self.rows.clone(), self.mark, self.holder);
            // Where it fails, the lease ends.
            runtime.spawn(async move { rows.left(mark, holder).await });
        }
    }
}

/// A content goes into its mark as it is written in canonical form.
struct Digest(Marker);

impl c14n::Sink for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.rest(bytes);
    }
}

/// Whose delivery, and what is in it.
struct Marks {
    delivery: Mark,
    content: Mark,
}

impl Deliveries {
    /// The room that calls share whose callers may have hung up.
    pub fn room() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(AT_ONCE))
    }

    fn marks(&self, kept: &Kept, valid: &Valid, says: Option<&[u8; 32]>) -> Option<Marks> {
        let request = valid.request()?;
        let id = delivery(self.sides.settings(), request)?;
        let caller = valid.admitted().authenticated().caller();
        let system = valid.admitted().front().system;
        let mark = kept.delivery(self.service, caller.authority(), system, &id);
        if let Some(says) = says {
            return Some(Marks { delivery: mark, content: kept.content(&mark, says) });
        }
        // The contexts say how it is sent, not what.
        let contexts = valid.operation().operation().is_some_and(|operation| operation.contexts);
        let contexts: Vec<NodeId> =
            request.elements().take(2).filter(|child| contexts && is_context(*child)).map(|child| child.id()).collect();
        let content = kept.sealer.marker("content of a delivery").part(&mark);
        let Digest(content) = canonicalise(request, &Exclusive::new(), &contexts, Digest(content));
        Some(Marks { delivery: mark, content: content.finish() })
    }

    /// The marks of a request. A large one takes a while to read, in which the runtime's thread would move nobody else's bytes.
    async fn marked(self: &Arc<Self>, valid: Valid, says: Option<[u8; 32]>) -> Result<(Valid, Option<Marks>), Refusal> {
        // What is in it was digested already: the rest is done sooner than another thread is woken for it.
        if says.is_some() {
            let marks = self.kept.as_ref().and_then(|kept| self.marks(kept, &valid, says.as_ref()));
            return Ok((valid, marks));
        }
        let this = self.clone();
        let work = move || {
            let marks = this.kept.as_ref().and_then(|kept| this.marks(kept, &valid, says.as_ref()));
            (valid, marks)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Internal)
    }

    fn item(&self, kept: &Kept, valid: &Valid, receiver: Option<Cvr>, item: Uuid) -> Mark {
        kept.item(self.service, valid.admitted().authenticated().caller().authority(), receiver, item)
    }

    /// What is known of a request that is not to be passed on as it is judged now.
    ///
    /// # Errors
    /// `DeliveriesUnavailable`.
    pub async fn before(self: &Arc<Self>, valid: Valid, says: Option<[u8; 32]>) -> Result<Before, Refusal> {
        let Some(kept) = &self.kept else { return Ok(Before::Nothing) };
        let (valid, marks) = self.marked(valid, says).await?;
        let Some(marks) = marks else { return Ok(Before::Nothing) };
        let found = {
            let _away = self.work.away();
            kept.rows.look(marks.delivery, marks.content).await.map_err(|error| self.unavailable(&error))?
        };
        match found {
            Some(Standing { receipt: Some(receipt), same, .. }) if same || self.rules.whatever_came => {
                self.again(kept, &valid, marks.delivery, &receipt).map(Before::Answered)
            }
            Some(Standing { receipt: None, same: true, .. }) => Ok(Before::PassedOn(Box::new(valid))),
            _ => Ok(Before::Nothing),
        }
    }

    /// Claims the delivery of a request, or says what became of it before.
    ///
    /// # Errors
    /// `DeliveryAltered`, `DeliveryUnderWay`, `DeliveryUnknown`, `DeliveriesUnavailable`.
    pub async fn claim(self: &Arc<Self>, valid: Valid, items: &Items) -> Result<Claim, Refusal> {
        let none = |valid| Claim::Go {
            claimed: Box::new(Claimed { valid, held: None }),
            hold: Hold { held: None, items: BTreeMap::new(), unsettled: None },
            known: Known::default(),
        };
        let Some(kept) = &self.kept else { return Ok(none(valid)) };
        let (valid, marks) = self.marked(valid, items.says).await?;
        let Some(marks) = marks else { return Ok(none(valid)) };
        let mark_of = |item: &Uuid| (self.item(kept, &valid, items.receiver, *item), *item);
        let own: BTreeMap<Mark, Uuid> = items.own.iter().map(mark_of).collect();
        let refers: BTreeMap<Mark, Uuid> = items.refers.iter().map(mark_of).collect();
        let begun = Instant::now();
        let holder = Uuid::new_v4();
        let asked = Asked {
            mark: marks.delivery,
            content: marks.content,
            holder,
            call: valid.call().id(),
            service: self.service,
            lease: LEASE,
            keep: self.rules.keep,
            again: self.sides.settings().ask_again,
            items: own.keys().copied().collect(),
            refers: refers.keys().copied().collect(),
        };
        let unsettled = Unsettled { rows: kept.rows.clone(), mark: marks.delivery, holder, armed: true };
        let (found, since) = {
            let _away = self.work.away();
            self.found(kept, &asked, begun).await?
        };
        if !found.mine {
            unsettled.disarm();
            return Err(match found {
                Standing { receipt: Some(receipt), .. } => {
                    return self.again(kept, &valid, marks.delivery, &receipt).map(Claim::Answered);
                }
                Standing { unknown: true, .. } => {
                    self.counts.add(What::Unanswered, 1);
                    self.note_lost(items.receiver);
                    ContractRefusal::DeliveryUnknown.into()
                }
                _ => {
                    self.counts.add(What::UnderWay, 1);
                    ContractRefusal::DeliveryUnderWay.into()
                }
            });
        }
        let Standing { tries, elsewhere, known, .. } = found;
        if tries > 1 {
            tracing::warn!(call = %valid.call().id(), "the answer to a delivery was lost before: its receiver is asked once more with the same id");
            self.counts.add(What::AskedAgain, 1);
        }
        let until = Mutex::new(since + LEASE);
        let held = Arc::new(Held {
            mark: marks.delivery,
            holder,
            receiver: items.receiver,
            again: tries > 1,
            until,
            left: AtomicBool::new(false),
        });
        let known = self.known(kept, &own, &refers, &elsewhere, &known).await.map_err(|error| self.unavailable(&error))?;
        let items = own.into_iter().map(|(mark, item)| (item, mark)).collect();
        let hold = Hold { held: Some(held.clone()), items, unsettled: Some(unsettled) };
        Ok(Claim::Go { hold, claimed: Box::new(Claimed { valid, held: Some(held) }), known })
    }

    /// How the delivery stands once nobody else has it, or the time to wait is over; and when that was asked.
    async fn found(&self, kept: &Kept, asked: &Asked, begun: Instant) -> Result<(Standing, Instant), Refusal> {
        let (mut pause, last) = PAUSES;
        loop {
            let since = Instant::now();
            let found = kept.rows.claim(asked).await.map_err(|error| self.unavailable(&error))?;
            if !(found.same || self.rules.whatever_came && found.receipt.is_some()) {
                self.counts.add(What::Altered, 1);
                return Err(ContractRefusal::DeliveryAltered.into());
            }
            let under_way = |found: &Standing| !found.mine && found.receipt.is_none() && !found.unknown;
            if !under_way(&found) {
                return Ok((found, since));
            }
            // Looked at without being written to, until there is something to claim.
            loop {
                let left = self.rules.wait.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return Ok((found, since));
                }
                sleep(pause.min(left)).await;
                pause = (pause * 2).min(last);
                match kept.rows.look(asked.mark, asked.content).await.map_err(|error| self.unavailable(&error))? {
                    Some(standing) if under_way(&standing) => {}
                    _ => break,
                }
            }
        }
    }

    async fn known(
        &self,
        kept: &Kept,
        own: &BTreeMap<Mark, Uuid>,
        refers: &BTreeMap<Mark, Uuid>,
        elsewhere: &[Elsewhere],
        known: &[Mark],
    ) -> Result<Known, StoreError> {
        let mut receipts: BTreeMap<Mark, Option<Arc<[u8]>>> = BTreeMap::new();
        let mut found = Vec::new();
        for place in elsewhere {
            let earlier = kept.earlier(place, &mut receipts).await?;
            found.extend(own.get(&place.item).map(|item| (*item, earlier)));
        }
        let unknown = refers.iter().filter(|(mark, _)| !known.contains(mark)).map(|(_, item)| *item).collect();
        Ok(Known { elsewhere: found, unknown })
    }

    fn again(&self, kept: &Kept, valid: &Valid, mark: Mark, receipt: &[u8]) -> Result<Release, Refusal> {
        let again = Release::again(valid.admitted().agreed(), &kept.keys, &mark, receipt).map_err(|error| {
            tracing::error!(%error, "the receipt of an earlier delivery cannot be read");
            Refusal::from(ContractRefusal::DeliveriesUnavailable)
        })?;
        self.counts.add(What::Repeated, 1);
        valid.call().note(|record| {
            if let Some(about) = record.about.passthrough_mut() {
                about.repeated = true;
            }
        });
        Ok(again)
    }

    fn unavailable(&self, error: &StoreError) -> Refusal {
        tracing::error!(%error, "the memory of deliveries does not answer");
        self.counts.add(What::StoreFailed, 1);
        ContractRefusal::DeliveriesUnavailable.into()
    }

    /// Passes a claimed delivery on, and remembers what came of it. It is not called off where the caller hangs up: whoever sends it
    /// again is answered by what came of it. `inner` gives the answer, and which items were accepted.
    ///
    /// # Errors
    /// Those of `inner`.
    pub async fn settled(
        self: &Arc<Self>,
        hold: Hold,
        inner: impl Future<Output = Result<(Release, Vec<Uuid>), Refusal>> + Send + 'static,
    ) -> Result<Release, Refusal> {
        let (Some(held), Some(kept)) = (hold.held, self.kept.clone()) else { return inner.await.map(|(release, _)| release) };
        let room = self.room.clone().acquire_owned().await.map_err(|_| Refusal::Internal)?;
        let (this, items) = (self.clone(), hold.items);
        // From here on nobody calls it off.
        if let Some(unsettled) = hold.unsettled {
            unsettled.disarm();
        }
        let whole = async move {
            let _room = room;
            let outcome = tokio::select! {
                outcome = inner => outcome,
                never = renew(&kept.rows, &held) => match never {},
            };
            let _away = this.work.away();
            match &outcome {
                Ok((release, accepted)) => {
                    let accepted: Vec<Mark> = accepted.iter().filter_map(|item| items.get(item).copied()).collect();
                    this.keep(&kept, &held, release, &accepted).await;
                }
                Err(_) => this.release(&kept, &held).await,
            }
            outcome.map(|(release, _)| release)
        };
        let whole = whole.in_current_span();
        // With its place: the processors work on it whether its caller is there or not.
        let whole = match Place::current() {
            Some(place) => tokio::spawn(place.given_to(whole)),
            None => tokio::spawn(whole),
        };
        whole.await.unwrap_or(Err(Refusal::Internal))
    }

    /// Gives a claim back of which nothing is to be passed on.
    pub async fn given_back(&self, hold: Hold) {
        if let (Some(held), Some(kept)) = (hold.held, &self.kept) {
            let _away = self.work.away();
            self.release(kept, &held).await;
        }
        if let Some(unsettled) = hold.unsettled {
            unsettled.disarm();
        }
    }

    async fn keep(&self, kept: &Kept, held: &Held, release: &Release, accepted: &[Mark]) {
        let sealed = match release.sealed(&kept.keys, &held.mark) {
            Ok(Some(sealed)) => sealed,
            // The receiver refused it by a fault of its contract: it has nothing of it, and the id may be used again. Where an earlier attempt may
            // have left it there, a fault says nothing of that one.
            Ok(None) if held.again => return self.log_failure(kept.rows.unknown(held.mark, held.holder).await),
            Ok(None) => return self.log_failure(kept.rows.free(held.mark, held.holder).await),
            Err(error) => {
                tracing::error!(%error, "a receipt could not be encrypted, and is not kept");
                return self.release(kept, held).await;
            }
        };
        for attempt in 1..=TRIES {
            let kept = kept.rows.answer(held.mark, &sealed, accepted, self.rules.keep_items).await;
            match kept {
                // The caller has the receipt all the same; when the lease ends the delivery is unknown, and is asked for again.
                done if done.is_ok() || attempt == TRIES => return self.log_failure(done),
                _ => sleep(PAUSES.0 * attempt).await,
            }
        }
    }

    /// What becomes of a claim without an answer.
    async fn release(&self, kept: &Kept, held: &Held) {
        let left = held.left.load(Ordering::SeqCst);
        if left {
            tracing::error!(
                "a delivery was passed on and its answer is lost: nobody here knows whether its receiver has it; see docs/failures.md"
            );
            self.counts.add(What::Unknown, 1);
            self.note_lost(held.receiver);
        }
        self.log_failure(match left || held.again {
            true => kept.rows.unknown(held.mark, held.holder).await,
            false => kept.rows.free(held.mark, held.holder).await,
        });
    }

    fn note_lost(&self, receiver: Option<Cvr>) {
        let (what, service) = (concerns::What::AnswerLost, self.service);
        self.concerns.note(Concern { what, service, system: None, receiver });
    }

    fn log_failure(&self, written: Result<(), StoreError>) {
        if let Err(error) = written {
            tracing::error!(%error, "what came of a delivery could not be kept: it counts as unknown when its lease ends");
            self.counts.add(What::StoreFailed, 1);
        }
    }
}

/// Says that an attempt still has its delivery, as long as it is asked.
async fn renew(rows: &Rows, held: &Held) -> Infallible {
    loop {
        sleep(RENEWED).await;
        let since = Instant::now();
        match rows.renew(held.mark, held.holder, LEASE).await {
            Ok(true) => *held.until.lock().unwrap_or_else(PoisonError::into_inner) = since + LEASE,
            Ok(false) => tracing::warn!("a delivery is another attempt's by now: this one's claim was not renewed in time"),
            Err(error) => tracing::warn!(%error, "the claim of a delivery could not be renewed"),
        }
    }
}

/// The step of a service without rules of its own.
pub struct DeliveriesStep(pub Arc<Deliveries>);

impl<S> Step<S> for DeliveriesStep
where
    S: Service<Claimed, Response = Release, Error = Refusal> + Send + 'static,
    S::Future: Send,
{
    type In = Valid;
    type Out = Release;
    type Error = Refusal;

    async fn pass(&self, valid: Valid, mut inner: S) -> Result<Release, Refusal> {
        let call = valid.call().clone();
        let started = call.start();
        let claim = self.0.claim(valid, &Items::default()).await;
        call.finish("deliveries", started);
        match claim? {
            Claim::Answered(release) => Ok(release),
            Claim::Go { claimed, hold, .. } => {
                let answer = inner.call(*claimed);
                // The service goes with the call, which may outlive its caller.
                let whole = async move {
                    let _inner = inner;
                    answer.await.map(|release| (release, Vec::new()))
                };
                self.0.settled(hold, whole).await
            }
        }
    }
}

/// Marks deliveries as unknown whose node was killed, of which the operators are notified, and forgets those whose days are over. Runs as
/// long as the process.
pub async fn look_after(store: Database, counts: Arc<Counts>, concerns: Arc<Concerns>) {
    let rows = Rows(store);
    loop {
        match rows.abandoned().await {
            Ok(calls) => {
                for (call, service) in &calls {
                    tracing::error!(
                        %call,
                        "a delivery was being passed on when its node went: nobody here knows whether its receiver has it; see docs/failures.md"
                    );
                    if let Some(service) = *service {
                        concerns.note(Concern { what: concerns::What::AnswerLost, service, system: None, receiver: None });
                    }
                }
                counts.add(What::Unknown, calls.len() as u64);
            }
            Err(error) => tracing::warn!(%error, "deliveries whose node went could not be looked for"),
        }
        match rows.forget().await {
            Ok(forgotten) if rows::may_be_more(forgotten) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "deliveries whose days are over could not be forgotten"),
        }
        sleep(LOOKED_AFTER).await;
    }
}
