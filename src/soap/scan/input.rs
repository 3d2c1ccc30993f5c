//! The characters of a message, as its bytes arrive.
//!
//! Whatever is no character of XML is stopped here, for the whole message and in one pass: bytes that are not UTF-8
//! (overlong forms and surrogates, in which two readers see two texts), control characters, U+FFFE and U+FFFF. What
//! stands before such a place is read as if nothing were wrong, so that the verdict on a message does not depend on the
//! pieces in which it arrives.

use crate::refusal::Refusal;
use crate::soap::lexical::is_char;
use crate::soap::strict::malformed;

/// Why no more characters follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The message is whole.
    Whole,
    /// The connection broke off.
    Broken,
    /// The bytes that follow are not UTF-8.
    NotUtf8,
    /// A character that XML forbids follows.
    Forbidden,
}

impl End {
    /// What is said where a token needed what does not follow; `at` is where, in bytes. `None` for a broken connection.
    pub(super) fn refusal(self, at: usize) -> Option<Refusal> {
        match self {
            Self::Whole => Some(malformed(at, "opmærkning, der ikke afsluttes", "a token that does not end")),
            Self::Broken => None,
            Self::NotUtf8 => Some(Refusal::EncodingRefused),
            Self::Forbidden => Some(malformed(at, "et tegn, som XML ikke tillader", "a character that XML forbids")),
        }
    }
}

/// Characters that have arrived and are not yet read.
#[derive(Debug, Default)]
pub(super) struct Input {
    text: Vec<u8>,
    /// How much of `text` is read.
    read: usize,
    /// Bytes of the message before `text`.
    before: usize,
    /// The first bytes of a character whose others are still to come.
    part: Vec<u8>,
    end: Option<End>,
    /// Whether a carriage return or a `]` has come: only then need texts be searched for line ends and `]]>`.
    odd: bool,
}

impl Input {
    /// What has arrived and is not read.
    pub(super) fn bytes(&self) -> &[u8] {
        self.text.get(self.read..).unwrap_or(&[])
    }

    /// So much of it, which ends where a character ends.
    pub(super) fn part(&self, range: std::ops::Range<usize>) -> &str {
        characters(self.bytes().get(range).unwrap_or(&[]))
    }

    /// Of what was read last: `length` bytes that end `behind` bytes before [`Self::bytes`] begins.
    pub(super) fn last(&self, length: usize, behind: usize) -> &str {
        characters(self.last_bytes(length, behind))
    }

    /// The same in bytes.
    pub(super) fn last_bytes(&self, length: usize, behind: usize) -> &[u8] {
        let end = self.read.saturating_sub(behind);
        self.text.get(end.saturating_sub(length)..end).unwrap_or(&[])
    }

    /// What stood there in the message, if it is still here and read.
    pub(super) fn behind(&self, range: std::ops::Range<usize>) -> Option<&[u8]> {
        let (from, to) = (range.start.checked_sub(self.before)?, range.end.checked_sub(self.before)?);
        self.text.get(..self.read)?.get(from..to)
    }

    /// Takes `length` bytes for read.
    pub(super) fn pass(&mut self, length: usize) {
        self.read += length;
    }

    /// Where [`Self::bytes`] stands in the message, in bytes.
    pub(super) fn position(&self) -> usize {
        self.before + self.read
    }

    /// Why nothing follows [`Self::bytes`], once that is known.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether a text may hold a line end to be normalised, or `]]>`.
    pub(super) fn is_odd(&self) -> bool {
        self.odd
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, end: End) {
        let end = if end == End::Whole && !self.part.is_empty() { End::NotUtf8 } else { end };
        self.end.get_or_insert(end);
    }

    /// Takes the next bytes of the message.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.end.is_some() {
            return;
        }
        // What is read makes room for what comes: memory holds one token and one piece, however long the message.
        self.text.drain(..self.read);
        self.before += self.read;
        self.read = 0;
        if self.part.is_empty() {
            return self.decode(bytes);
        }
        let mut joined = std::mem::take(&mut self.part);
        joined.extend_from_slice(bytes);
        self.decode(&joined);
    }

    /// Block by block: most hold nothing that needs a second look, and are copied while they are near.
    fn decode(&mut self, mut bytes: &[u8]) {
        self.text.reserve(bytes.len());
        while !bytes.is_empty() && self.end.is_none() {
            let block = bytes.get(..BLOCK).unwrap_or(bytes);
            let taken = if is_plain(block) { self.append(block) } else { self.judge(block) };
            match bytes.get(taken..) {
                Some(rest) if taken > 0 => bytes = rest,
                _ => return self.part.extend_from_slice(bytes),
            }
        }
    }

    fn append(&mut self, allowed: &[u8]) -> usize {
        self.text.extend_from_slice(allowed);
        allowed.len()
    }

    /// Takes what is allowed of a block, and returns how much; the next begins there, unless what stands there is not allowed.
    fn judge(&mut self, block: &[u8]) -> usize {
        let (text, end) = match std::str::from_utf8(block) {
            Ok(text) => (text, None),
            Err(error) => {
                let good = block.get(..error.valid_up_to()).unwrap_or(&[]);
                // The last character goes on in what follows, if it does not end wrongly here.
                (characters(good), error.error_len().map(|_| End::NotUtf8))
            }
        };
        let forbidden = if may_hold_forbidden(text.as_bytes()) { text.find(|c| !is_char(c)) } else { None };
        let allowed = forbidden.and_then(|at| text.get(..at)).unwrap_or(text);
        self.odd = self.odd || memchr::memchr2(b'\r', b']', allowed.as_bytes()).is_some();
        if let Some(end) = forbidden.map(|_| End::Forbidden).or(end) {
            self.finish(end);
        }
        self.append(allowed.as_bytes())
    }
}

/// How many bytes are looked at together.
const BLOCK: usize = 256;

/// The characters of what [`Input::decode`] took: they are some, and are cut where one ends.
fn characters(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

/// Whether there are only ASCII characters, none of them a control character or a `]`. No branch stands in the inner loops
/// here, so that the compiler looks at many bytes at a time.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |plain, byte| plain & (byte.cast_signed() >= 0x20) & (*byte != b']'))
}

/// Whether there may be a character that XML forbids: a control character, or one that begins as U+FFFE and U+FFFF do.
fn may_hold_forbidden(bytes: &[u8]) -> bool {
    let forbidden = |byte: u8| ((byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')) | (byte == 0xEF);
    bytes.iter().fold(false, |found, byte| found | forbidden(*byte))
}
