//! A delivery as a file: judged by the schema and the rules of a call, in the memory of one voucher.
//!
//! ```text
//! bytes ─pieces→ head and first voucher, voucher, voucher, …, end ─schema→ ─rules→ Verdict
//! ```
//!
//! Kept are the voucher that is read, what [`Judge`] keeps, and the validator's place among the vouchers. It works on the thread
//! that asks, for minutes where the file is large.

use std::io::{self, Read};

use super::rules::delivery::{Head, NAMESPACE, Posting, Unreadable, Voucher, postings, vouchers};
use super::rules::{Against, Judge, Verdict};
use super::said::Says;
use crate::refusal::Refusal;
use crate::schema::compile::Schema;
use crate::schema::file::{Pieces as Validated, validating};
use crate::services::passthrough::refusal::ContractRefusal;
use crate::soap::document::Document;
use crate::soap::pieces::{Pieces, Unread};
use crate::soap::strict::{Limits, malformed};

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 1 << 30;
/// The longest voucher, in bytes. What stands in front of the first counts with it.
pub const LONGEST_VOUCHER: usize = 4 * 1024 * 1024;

/// A delivery that the schema allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What stands in front of the vouchers.
    pub head: Head,
    /// What the rules say.
    pub verdict: Verdict,
    /// A digest of what it says ([`Says`]).
    pub says: [u8; 32],
}

/// Judges the delivery in a file. `open` gives its bytes from the beginning; it is asked a second time where the schema is broken,
/// to say what was expected.
///
/// # Errors
/// `Content`: as a call with the same content is refused, by schema or before it; a voucher that is too long is `XmlTooComplex`, and a
/// comment within a value, which a call is passed on without, `MalformedXml`.
pub fn judge<R: Read>(schema: &Schema, open: impl Fn() -> io::Result<R>, against: Against<'_>) -> Result<Judged, Unread> {
    let read = |explain: bool| -> Result<_, Unread> {
        let limits = Limits { nodes: 200_000, ..Limits::default() };
        let bytes = Limited { from: open()?, left: LARGEST };
        let mut pieces = Pieces::new(bytes, (NAMESPACE, "Finansbilag"), limits, LONGEST_VOUCHER);
        validating(schema, (NAMESPACE, "FinansbilagLeverance"), explain, |judged| {
            if explain { explained(&mut pieces, judged) } else { verdict(&mut pieces, judged, against) }
        })
        .map_err(|_| Refusal::Internal)?
    };
    // Broken: once more, to the end, for what is not XML at all is reported as that.
    let verdict = read(false).and_then(|verdict| if verdict.is_some() { Ok(verdict) } else { read(true) });
    match verdict {
        Ok(verdict) => verdict.ok_or_else(|| Refusal::Internal.into()),
        Err(Unread::File(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
            Err(Refusal::BodyTooLarge { limit: usize::try_from(LARGEST).unwrap_or(usize::MAX) }.into())
        }
        Err(unread) => Err(unread),
    }
}

/// A file up to a length, at which it fails.
struct Limited<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

type Outcome = Result<Option<Judged>, Unread>;

/// The verdict of the rules; `None` where the schema is broken.
fn verdict<R: Read>(pieces: &mut Pieces<R>, mut judged: Validated<'_>, against: Against<'_>) -> Outcome {
    let Some(first) = pieces.next_piece()? else { return Ok(None) };
    if !judged.take(&first)? {
        return Ok(None);
    }
    // An empty delivery has a head and no voucher, which only its end says.
    let Ok(head) = Head::read(first.root()) else { return Ok(None) };
    let mut divided = divided_at(&first);
    let mut says = Says::begin(first.root());
    says.children(first.root());
    let mut judge = Judge::new(&head, against);
    rules(&mut judge, &first)?;
    drop(first);
    while let Some(piece) = pieces.next_piece()? {
        if !judged.take(&piece)? {
            return Ok(None);
        }
        rules(&mut judge, &piece)?;
        says.children(piece.root());
        divided = divided.or_else(|| divided_at(&piece));
    }
    if judged.finish().is_err() {
        return Ok(None);
    }
    if let Some(offset) = divided {
        return Err(malformed(offset, "en kommentar står inde i en værdi", "a comment stands within a value").into());
    }
    let verdict = judge.finish();
    Ok(Some(Judged { head, verdict, says: says.finish() }))
}

/// The ledger gets the bytes as they came, and might read another value than was judged here.
fn divided_at(piece: &Document) -> Option<usize> {
    piece.divided_value().map(|element| element.source_range().start)
}

fn rules(judge: &mut Judge<'_>, piece: &Document) -> Result<(), Refusal> {
    let unreadable = |unreadable: Unreadable| {
        tracing::error!(%unreadable, "the rules and the schema do not fit each other");
        Refusal::Internal
    };
    for voucher in vouchers(piece.root()) {
        judge.voucher(Voucher::read(voucher).map_err(unreadable)?);
        for posting in postings(voucher) {
            judge.posting(&Posting::read(posting).map_err(unreadable)?);
        }
    }
    Ok(())
}

/// What breaks the schema, in words.
fn explained<R: Read>(pieces: &mut Pieces<R>, mut judged: Validated<'_>) -> Outcome {
    while let Some(piece) = pieces.next_piece()? {
        judged.take(&piece)?;
    }
    match judged.finish() {
        Ok(()) => Ok(None),
        Err(violations) => Err(Unread::Content(ContractRefusal::SchemaViolated { places: violations.detail() }.into())),
    }
}
