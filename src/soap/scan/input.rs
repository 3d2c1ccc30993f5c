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
            Self::Whole => Some(malformed(at, "a token that does not end")),
            Self::Broken => None,
            Self::NotUtf8 => Some(Refusal::EncodingRefused),
            Self::Forbidden => Some(malformed(at, "a character that XML forbids")),
        }
    }
}

/// Characters that have arrived and are not yet read.
#[derive(Debug, Default)]
pub(super) struct Input {
    text: String,
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
    /// What has arrived and is not read, in bytes: the cheap look.
    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes().get(self.read..).unwrap_or(&[])
    }

    /// What has arrived and is not read.
    pub(super) fn rest(&self) -> &str {
        self.text.get(self.read..).unwrap_or("")
    }

    /// Of what was read last: `length` bytes that end `behind` bytes before [`Self::rest`] begins.
    pub(super) fn last(&self, length: usize, behind: usize) -> &str {
        let end = self.read.saturating_sub(behind);
        self.text.get(end.saturating_sub(length)..end).unwrap_or("")
    }

    /// Takes `length` bytes for read.
    pub(super) fn pass(&mut self, length: usize) {
        self.read += length;
    }

    /// Where [`Self::rest`] stands in the message, in bytes.
    pub(super) fn position(&self) -> usize {
        self.before + self.read
    }

    /// Why nothing follows [`Self::rest`], once that is known.
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

    fn decode(&mut self, bytes: &[u8]) {
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => return self.append(text),
            Err(error) => error,
        };
        let (good, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or((&[], bytes));
        self.append(std::str::from_utf8(good).unwrap_or(""));
        match error.error_len() {
            None => self.part.extend_from_slice(rest),
            Some(_) => self.finish(End::NotUtf8),
        }
    }

    fn append(&mut self, text: &str) {
        let allowed = match may_hold_forbidden(text.as_bytes()) {
            false => text,
            true => text.find(|c| !is_char(c)).and_then(|at| text.get(..at)).unwrap_or(text),
        };
        self.odd = self.odd || memchr::memchr2(b'\r', b']', allowed.as_bytes()).is_some();
        self.text.push_str(allowed);
        if allowed.len() < text.len() {
            self.finish(End::Forbidden);
        }
    }
}

/// Whether there may be a character that XML forbids: a control character, or one that begins as U+FFFE and U+FFFF do.
/// No branch stands in the inner loops, so that the compiler looks at many bytes at a time.
fn may_hold_forbidden(bytes: &[u8]) -> bool {
    let low = |byte: &u8| (*byte < b' ') | (*byte == 0xEF);
    let forbidden = |byte: &u8| low(byte) & (*byte != b'\t') & (*byte != b'\n') & (*byte != b'\r');
    bytes.chunks(256).any(|chunk| {
        chunk.iter().fold(false, |found, byte| found | low(byte))
            && chunk.iter().fold(false, |found, byte| found | forbidden(byte))
    })
}
