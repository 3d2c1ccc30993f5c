//! The same memory for deliveries that come as files: no call waits for the answer, which comes as a file days later.
//!
//! The attempt is the transfer, which claims its delivery for as long as an answer may take. So a delivery by file and one by a call with
//! the same id are one. What is in it is taken in pieces: a file of a gigabyte has half a million vouchers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::counts::{Counts, What};
use super::rows::{Asked, Rows, Standing};
use super::{Earlier, Kept, Mark, Rules};
use crate::id::cvr::Cvr;
use crate::objects::NotSealed;
use crate::store::{Session, StoreError};

/// Items that one statement takes.
const PIECE: usize = 2_000;

/// The memory of one service's deliveries by file.
#[derive(Clone)]
pub struct ByFile {
    service: Uuid,
    rules: Rules,
    kept: Kept,
    counts: Arc<Counts>,
}

/// Whose delivery it is.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // the names say it
pub struct Whose {
    /// The authority that sends.
    pub sender: Cvr,
    pub system: Uuid,
    /// The id that it gave.
    pub id: Uuid,
}

/// How a delivery stands with a transfer.
pub enum Found {
    /// It is this transfer's.
    Mine,
    /// It was answered, with this receipt.
    Answered(Vec<u8>),
    /// The id was used with other content.
    Altered,
    /// Another has it.
    UnderWay,
    /// Another had it, and nobody knows what came of that.
    Unknown,
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum NotKnown {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A receipt of before.
    #[error("the receipt of an earlier delivery cannot be read")]
    Sealed(#[from] NotSealed),
}

/// What is known of a delivery's items elsewhere.
#[derive(Debug, Default)]
pub struct KnownElsewhere {
    /// Its items that another delivery has: as many as are reported.
    pub elsewhere: Vec<(Uuid, Earlier)>,
    /// Those referred to that nobody knows as accepted: as many as are reported.
    pub unknown: Vec<(Uuid, Uuid)>,
    /// How many there are beyond both.
    pub more: u64,
}

impl ByFile {
    /// The memory of a service, beside that of its calls.
    pub fn new(service: Uuid, rules: Rules, kept: Kept, counts: Arc<Counts>) -> Self {
        Self { service, rules, kept, counts }
    }

    /// What a delivery is known by.
    pub fn mark(&self, whose: &Whose) -> Mark {
        self.kept.delivery(self.service, &whose.sender, whose.system, &whose.id.to_string())
    }

    /// How a delivery of this content stands; `None`: it is not known.
    ///
    /// # Errors
    /// [`NotKnown`].
    pub async fn look(&self, mark: Mark, says: &[u8; 32], transfer: Uuid) -> Result<Option<Found>, NotKnown> {
        let content = self.kept.content(&mark, says);
        let Some(standing) = self.kept.rows.look(mark, content).await? else { return Ok(None) };
        if standing.receipt.is_none() && standing.same && self.kept.rows.is_held_by(mark, transfer).await? {
            return Ok(Some(Found::Mine));
        }
        self.found(mark, standing).map(Some)
    }

    /// Claims it for a transfer, for `last` from now on. The same transfer may claim it again.
    ///
    /// # Errors
    /// [`NotKnown`].
    pub async fn claim(&self, mark: Mark, says: &[u8; 32], transfer: Uuid, last: Duration) -> Result<Found, NotKnown> {
        let asked = Asked {
            mark,
            content: self.kept.content(&mark, says),
            holder: transfer,
            call: transfer,
            service: self.service,
            lease: last,
            keep: last + self.rules.keep,
            // Whoever it was sent to by a call is asked by a call.
            again: false,
            items: Vec::new(),
            refers: Vec::new(),
        };
        self.found(mark, self.kept.rows.claim(&asked).await?)
    }

    fn found(&self, mark: Mark, standing: Standing) -> Result<Found, NotKnown> {
        let counted = |what, found| {
            self.counts.add(what, 1);
            found
        };
        Ok(match standing {
            Standing { mine: true, .. } => Found::Mine,
            Standing { same: false, .. } => counted(What::Altered, Found::Altered),
            Standing { receipt: Some(receipt), .. } => {
                counted(What::Repeated, Found::Answered(self.kept.keys.open_text(&mark, &receipt)?))
            }
            Standing { unknown: true, .. } => counted(What::Unanswered, Found::Unknown),
            _ => counted(What::UnderWay, Found::UnderWay),
        })
    }

    /// Takes what is in a claimed delivery, and looks for what it refers to. `most`: so many of each are reported.
    ///
    /// # Errors
    /// The store.
    pub async fn take(
        &self,
        mark: Mark,
        sender: &Cvr,
        receiver: Cvr,
        items: &[(Uuid, Option<Uuid>)],
        last: Duration,
        most: usize,
    ) -> Result<KnownElsewhere, StoreError> {
        let (mut found, mut receipts) = (KnownElsewhere::default(), BTreeMap::new());
        let of = |item: Uuid| self.kept.item(self.service, sender, Some(receiver), item);
        for piece in items.chunks(PIECE) {
            let own: BTreeMap<Mark, Uuid> = piece.iter().map(|(item, _)| (of(*item), *item)).collect();
            let marks: Vec<Mark> = own.keys().copied().collect();
            for place in self.kept.rows.take(mark, &marks, last + self.rules.keep).await? {
                if found.elsewhere.len() >= most {
                    found.more += 1;
                } else if let Some(item) = own.get(&place.item) {
                    found.elsewhere.push((*item, self.kept.earlier(&place, &mut receipts).await?));
                }
            }
            let refers: BTreeMap<Mark, (Uuid, Uuid)> =
                piece.iter().filter_map(|(item, refers)| refers.map(|refers| (of(refers), (*item, refers)))).collect();
            let marks: Vec<Mark> = refers.keys().copied().collect();
            let known = self.kept.rows.known(&marks).await?;
            for (_, pair) in refers.iter().filter(|(mark, _)| !known.contains(mark)) {
                match found.unknown.len() < most {
                    true => found.unknown.push(*pair),
                    false => found.more += 1,
                }
            }
        }
        Ok(found)
    }

    /// A claim of which nothing comes, within a transaction.
    ///
    /// # Errors
    /// The store.
    pub async fn free(session: &mut Session, mark: Mark, transfer: Uuid) -> Result<(), StoreError> {
        Rows::free_with(session, mark, transfer).await
    }

    /// Whether these are the items of a delivery, each of them and no other.
    ///
    /// # Errors
    /// The store.
    pub async fn has_just(&self, mark: Mark, sender: &Cvr, receiver: Cvr, items: &[Uuid]) -> Result<bool, StoreError> {
        let mut among = 0;
        for piece in items.chunks(PIECE) {
            let marks: Vec<Mark> = piece.iter().map(|item| self.kept.item(self.service, sender, Some(receiver), *item)).collect();
            among += self.kept.rows.count(mark, Some(&marks)).await?;
        }
        Ok(among == self.kept.rows.count(mark, None).await?)
    }

    /// Writes an answer: the rejected items are free, the others accepted.
    ///
    /// # Errors
    /// [`NotKnown`].
    pub async fn answered(
        &self,
        session: &mut Session,
        mark: Mark,
        (sender, receiver): (&Cvr, Cvr),
        receipt: &[u8],
        rejected: &Rejected,
    ) -> Result<(), NotKnown> {
        match rejected {
            Rejected::All => Rows::let_all_go(session, mark).await?,
            Rejected::These(items) => {
                for piece in items.chunks(PIECE) {
                    let marks: Vec<Mark> =
                        piece.iter().map(|item| self.kept.item(self.service, sender, Some(receiver), *item)).collect();
                    Rows::let_go(session, mark, &marks).await?;
                }
            }
        }
        let sealed = self.kept.keys.seal_text(&mark, receipt)?;
        Ok(Rows::answered_with(session, mark, &sealed, self.rules.keep, self.rules.keep_items).await?)
    }
}

/// What of a delivery was rejected.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the names say it
pub enum Rejected {
    All,
    /// These items.
    These(Vec<Uuid>),
}
