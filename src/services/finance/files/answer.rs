//! A ledger's business receipt as a file, before it is delivered to the sender of the vouchers.
//!
//! It is the contract's `FinansbilagKvittering`, which judges each voucher, or the platform's own `BusinessReceipt` or
//! `BusinessResponse`, which judge the file as a whole.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::{as_refused, passing, refused};
use crate::audit::FinanceFigures;
use crate::files::answers::{self, Awaited, LAST, Standing};
use crate::files::content::{Candidate, Content, ContentRule, Judgement, Later, Passed, Passing};
use crate::files::transfers;
use crate::files::xml::business::{self, Business, BusinessReceipt};
use crate::refusal::Refusal;
use crate::schema::compile::Schema;
use crate::schema::file::validating;
use crate::services::finance::file::LARGEST;
use crate::services::finance::receipt::{self, Said};
use crate::services::finance::rules::delivery::NAMESPACE;
use crate::services::passthrough::deliveries::by_file::{ByFile, Rejected, Whose};
use crate::services::passthrough::refusal::ContractRefusal;
use crate::signature::c14n::canonical_bytes;
use crate::soap::document::Document;
use crate::soap::pieces::{Pieces, Unread};
use crate::soap::strict::Limits;
use crate::store::{Database, StoreError, Transaction};

/// The longest result of one voucher, in bytes.
const LONGEST_RESULT: usize = 1024 * 1024;
/// Of a receipt up to this length, in bytes, the whole is kept for whoever sends the delivery again by a call, which cannot be longer
/// than some thousand vouchers.
const KEPT: u64 = 2 * 1024 * 1024;
/// No business receipt of the platform's own kind is longer, in bytes.
const LONGEST_BUSINESS: u64 = 64 * 1024;

/// The rule.
pub struct Answers {
    /// The contract.
    pub schema: Schema,
    /// What was delivered before.
    pub memory: ByFile,
    /// Where answers are awaited.
    pub database: Database,
}

/// What a file says.
enum Read {
    Ledger { said: Said, whole: Option<Vec<u8>> },
    Business(Business),
    Refused(crate::files::codes::Code),
}

/// What is to be written once it is delivered.
struct Memo {
    of: Awaited,
    standing: Standing,
    receipt: Vec<u8>,
    rejected: Rejected,
    /// Whose vouchers they are, and whose books.
    pair: (crate::id::cvr::Cvr, crate::id::cvr::Cvr),
}

fn read(schema: &Schema, content: &Content) -> Result<Read, Unread> {
    if content.length() <= LONGEST_BUSINESS
        && let Some(found) = business::read(&whole(content)?)
    {
        return Ok(match found {
            Ok(business) => Read::Business(business),
            Err((da, en)) => Read::Refused(refused(
                format!("forretningskvitteringen følger ikke skemaet (SFTPTypes.xsd): {da}"),
                format!("the business receipt is not as its schema (SFTPTypes.xsd) says: {en}"),
            )),
        });
    }
    if content.length() > LARGEST {
        return Err(Refusal::BodyTooLarge { limit: usize::try_from(LARGEST).unwrap_or(usize::MAX) }.into());
    }
    let judged = |explain: bool| -> Result<Option<Said>, Unread> {
        let limits = Limits { nodes: 100_000, ..Limits::default() };
        let mut pieces = Pieces::new(content.open()?, (NAMESPACE, "BilagResultat"), limits, LONGEST_RESULT);
        validating(schema, (NAMESPACE, "FinansbilagKvittering"), explain, |mut judged| {
            let mut said: Option<Said> = None;
            while let Some(piece) = pieces.next_piece()? {
                if !judged.take(&piece)? && !explain {
                    return Ok(None);
                }
                receipt::hear(piece.root(), &mut said);
            }
            match judged.finish() {
                Ok(()) => Ok(said),
                Err(_) if !explain => Ok(None),
                Err(violations) => Err(Unread::Content(ContractRefusal::SchemaViolated { places: violations.detail() }.into())),
            }
        })
        .map_err(|_| Refusal::Internal)?
    };
    let said = match judged(false)? {
        Some(said) => said,
        None => judged(true)?.ok_or(Refusal::Internal)?,
    };
    let whole = (content.length() <= KEPT).then(|| whole(content)).transpose()?;
    Ok(Read::Ledger { said, whole })
}

fn whole(content: &Content) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut content.open()?, &mut bytes)?;
    Ok(bytes)
}

/// The receipt that whoever sends the delivery again is given: the ledger's own, or its word where that is too long or of the other kind.
fn kept(of: &Awaited, standing: Standing, whole: Option<Vec<u8>>) -> Result<Vec<u8>, Refusal> {
    match whole {
        Some(bytes) => {
            let limits = Limits { nodes: usize::MAX, ..Limits::default() };
            Ok(canonical_bytes(Document::parse(bytes.into(), &limits)?.root()))
        }
        None => {
            let id = receipt::element("LeveranceID", &of.subject.to_string());
            let said = receipt::shared("Forretningskvittering", "ForretningsValideringsKode", standing.name(), &[]);
            receipt::root(&format!("{id}{said}"))
        }
    }
}

fn refuse(da: &str, en: &str) -> Judgement {
    Judgement::Refused(vec![refused(da, en)])
}

fn unknown() -> Judgement {
    refuse(
        "den svarer ikke på en leverance, som afsenderen har fået ad ruten den anden vej",
        "it answers no delivery that its sender has got by the route the other way",
    )
}

impl Answers {
    async fn judged(&self, candidate: Candidate) -> Result<Judgement, Passing> {
        let [(to, system)] = candidate.recipients.as_slice() else {
            return Ok(refuse("en kvittering har netop én modtager", "a receipt has just one recipient"));
        };
        let (to, system, by, by_name, now) = (*to, *system, candidate.sender, candidate.sender_name, candidate.now);
        let pair = (candidate.recipient_authority, candidate.sender_authority);
        let schema = self.schema.clone();
        let content = candidate.content;
        let read = tokio::task::spawn_blocking(move || read(&schema, &content)).await.map_err(passing)?;
        let read = match read {
            Ok(Read::Refused(code)) => return Ok(Judgement::Refused(vec![code])),
            Ok(read) => read,
            Err(Unread::Content(Refusal::Internal)) => return Err(passing("it could not be judged")),
            Err(Unread::Content(refusal)) => return Ok(Judgement::Refused(vec![as_refused(&refusal)])),
            Err(Unread::File(error)) => return Err(passing(error)),
        };
        let found = match &read {
            Read::Business(Business::Receipt(receipt)) if receipt.recipient != by_name => None,
            Read::Business(Business::Receipt(receipt)) => self.business(receipt, to, by).await.map_err(passing)?,
            Read::Business(Business::Response { .. }) => {
                self.of_submission(candidate.transaction, to, by).await.map_err(passing)?
            }
            Read::Ledger { said, .. } => match said.delivery.parse::<Uuid>() {
                Ok(id) => {
                    let mark = self.memory.mark(&Whose { sender: pair.0, system, id });
                    let found = async { answers::by_mark(&mut self.database.session().await?, &mark).await };
                    self.of_pair(found.await.map_err(passing)?, to, by).await.map_err(passing)?
                }
                Err(_) => None,
            },
            Read::Refused(_) => None,
        };
        let Some(of) = found else { return Ok(unknown()) };
        if !of.standing.is_open() && of.standing != Standing::Lapsed {
            let word = of.standing.name();
            return Ok(refuse(
                &format!("leverancen er kvitteret før ({word}); der er ét svar på hver leverance"),
                &format!("the delivery was answered before ({word}); there is one answer to each delivery"),
            ));
        }
        if of.standing == Standing::Lapsed || of.last.is_none_or(|last| last <= now) {
            return Ok(refuse(
                &format!("den kommer mere end {LAST} dage efter leverancen; aftal med afsenderen, hvad der er bogført"),
                &format!("it comes more than {LAST} days after the delivery; agree with the sender on what is booked"),
            ));
        }
        let mark: [u8; 32] = of.mark.as_slice().try_into().map_err(|_| passing("the mark of a delivery cannot be read"))?;
        let (standing, rejected, whole, counts) = match read {
            Read::Business(Business::Receipt(BusinessReceipt { accepted: true, .. }) | Business::Response { accepted: true }) => {
                (Standing::Accepted, Rejected::These(Vec::new()), None, (of.things, 0))
            }
            Read::Business(_) | Read::Refused(_) => (Standing::Rejected, Rejected::All, None, (0, of.things)),
            Read::Ledger { said, whole } => {
                if !self.answers(&of, mark, pair, &said).await.map_err(passing)? {
                    return Ok(refuse(
                        "den dømmer ikke hvert bilag i leverancen, og kun dem, netop én gang, eller dens kode passer ikke til bilagenes",
                        "it does not judge each voucher of the delivery, and no other, just once, or its code does not fit theirs",
                    ));
                }
                let (accepted, rejected) = (said.accepted.len() as u64, said.rejected.len() as u64);
                let standing = if said.code == "ACCEPTERET" { Standing::Accepted } else { Standing::Rejected };
                let rejected_items = if said.accepted.is_empty() { Rejected::All } else { Rejected::These(said.rejected) };
                (standing, rejected_items, whole, (accepted, rejected))
            }
        };
        let receipt = kept(&of, standing, whole).map_err(|refusal| passing(refusal.code()))?;
        let figures = FinanceFigures {
            delivery: of.subject,
            vouchers: of.things,
            postings: 0,
            debit: "0.00".to_owned(),
            credit: "0.00".to_owned(),
            list: Uuid::nil(),
            list_version: None,
            trial: of.things == 0,
            findings: std::collections::BTreeMap::new(),
            audiences: std::collections::BTreeMap::new(),
            repeated: false,
            findings_left_out: 0,
            receipt: Some(standing.name().to_owned()),
            accepted: Some(counts.0),
            rejected: Some(counts.1),
        };
        let memo = Memo { of, standing, receipt, rejected, pair };
        let passed = Passed { warnings: Vec::new(), figures: Some(figures), memo: Box::new(memo) };
        Ok(Judgement::Passed(Box::new(passed)))
    }

    /// What is awaited, where it went between these two users the other way.
    async fn of_pair(&self, found: Option<Awaited>, to: Uuid, by: Uuid) -> Result<Option<Awaited>, StoreError> {
        let Some(found) = found else { return Ok(None) };
        let mut session = self.database.session().await?;
        let sender = transfers::with_id(&mut session, found.transfer).await?.map(|transfer| transfer.sender);
        let had = transfers::deliveries(&mut session, found.transfer).await?;
        Ok((sender == Some(to) && had.iter().any(|delivery| delivery.recipient == by)).then_some(found))
    }

    async fn business(&self, receipt: &BusinessReceipt, to: Uuid, by: Uuid) -> Result<Option<Awaited>, StoreError> {
        let mut session = self.database.session().await?;
        let found = answers::of(&mut session, receipt.transfer).await?.filter(|found| found.standing != Standing::Taken);
        let named = transfers::with_id(&mut session, receipt.transfer).await?.map(|transfer| transfer.name);
        drop(session);
        match named.is_some_and(|name| crate::files::name::Name::new(&receipt.file_name).is_ok_and(|said| said == name)) {
            true => self.of_pair(found, to, by).await,
            false => Ok(None),
        }
    }

    /// What is awaited of the one file of a submission that `by` has; a response does not say which of several it answers.
    async fn of_submission(&self, transaction: Option<Uuid>, to: Uuid, by: Uuid) -> Result<Option<Awaited>, StoreError> {
        let Some(transaction) = transaction else { return Ok(None) };
        let mut session = self.database.session().await?;
        let found = match transfers::of_submission(&mut session, to, transaction, by).await?.as_slice() {
            [one] => answers::of(&mut session, *one).await?.filter(|found| found.standing != Standing::Taken),
            _ => None,
        };
        drop(session);
        self.of_pair(found, to, by).await
    }

    /// Whether a ledger's receipt judges the delivery: each voucher of it, and no other.
    async fn answers(
        &self,
        of: &Awaited,
        mark: [u8; 32],
        (sender, receiver): (crate::id::cvr::Cvr, crate::id::cvr::Cvr),
        said: &Said,
    ) -> Result<bool, StoreError> {
        // Before any set is made of them: an answer may say as much as it likes.
        if of.things != 0 && (said.accepted.len() + said.rejected.len()) as u64 > of.things {
            return Ok(false);
        }
        let judged: BTreeSet<Uuid> = said.accepted.iter().chain(&said.rejected).copied().collect();
        let once = judged.len() == said.accepted.len() + said.rejected.len();
        let whole = match (said.business, said.code.as_str()) {
            // The ledger takes none of it.
            (Some(false), "FEJL") => return Ok(judged.is_empty()),
            (Some(true), "ACCEPTERET") => said.rejected.is_empty() && !judged.is_empty(),
            (Some(true), "AFVIST") => !said.rejected.is_empty(),
            _ => false,
        };
        if !whole || !once {
            return Ok(false);
        }
        // Of a test nothing is remembered by voucher.
        if of.things == 0 {
            return Ok(true);
        }
        let judged: Vec<Uuid> = judged.into_iter().collect();
        Ok(judged.len() as u64 == of.things && self.memory.has_just(mark, &sender, receiver, &judged).await?)
    }
}

impl ContentRule for Answers {
    fn judge(&self, candidate: Candidate) -> Later<'_, Result<Judgement, Passing>> {
        Box::pin(self.judged(candidate))
    }

    fn delivered<'a>(
        &'a self,
        transaction: &'a mut Transaction,
        transfer: Uuid,
        passed: &'a Passed,
        now: Timestamp,
    ) -> Later<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let memo: &Memo = passed.memo.downcast_ref().ok_or(StoreError::Unreadable { column: "mark" })?;
            // Another answer came meanwhile: this one is judged anew, and refused.
            if !answers::answered(transaction, memo.of.transfer, memo.standing, transfer, now).await? {
                return Err(StoreError::Unreadable { column: "file_answer.state" });
            }
            let mark = memo.of.mark.as_slice().try_into().map_err(|_| StoreError::Unreadable { column: "mark" })?;
            let (sender, receiver) = (&memo.pair.0, memo.pair.1);
            let written = self.memory.answered(transaction, mark, (sender, receiver), &memo.receipt, &memo.rejected).await;
            written.map_err(|error| match error {
                crate::services::passthrough::deliveries::by_file::NotKnown::Store(error) => error,
                crate::services::passthrough::deliveries::by_file::NotKnown::Sealed(_) => {
                    StoreError::Unreadable { column: "receipt" }
                }
            })
        })
    }

    fn given_up(&self, _transfer: Uuid) -> Later<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}
