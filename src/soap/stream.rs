//! A message body, read token by token while it arrives.
//!
//! Holds one token and one piece at a time: an answer of hundreds of megabytes passes through a few kilobytes. A token
//! that is longer than the limit ends the reading instead of filling the memory.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;

use super::scan::{End, Scanner};
use super::strict::{Limits, Token};
use crate::refusal::Refusal;

/// Why reading stopped.
#[derive(Debug)]
pub enum StreamError {
    /// The bytes are not what the strict subset allows.
    Content(Refusal),
    /// The connection failed, or ended before the body did.
    Connection,
}

/// Reads one document from a body, token by token.
pub struct StreamReader<B> {
    body: B,
    scanner: Scanner,
}

impl<B: Body<Data = Bytes> + Unpin> StreamReader<B> {
    /// A reader of `body`; no single token may be longer than `limits.text` bytes.
    pub fn new(body: B, limits: Limits) -> Self {
        Self { body, scanner: Scanner::new(limits) }
    }

    /// The next token; its details are in [`Self::read`].
    ///
    /// # Errors
    /// [`StreamError`]; nothing may be read after one.
    pub async fn next(&mut self) -> Result<Token, StreamError> {
        loop {
            if let Some(token) = self.scanner.next().map_err(StreamError::Content)? {
                return Ok(token);
            }
            if self.scanner.end() == Some(End::Broken) {
                return Err(StreamError::Connection);
            }
            self.fill().await;
        }
    }

    /// The next token, where it has arrived already: for those who take tens of thousands in a loop. `None` says that
    /// [`Self::next`] is to be asked. An element with nothing but text comes as one [`Token::Leaf`] where it can.
    ///
    /// # Errors
    /// As [`Self::next`].
    #[inline]
    pub fn ready(&mut self) -> Result<Option<Token>, StreamError> {
        self.scanner.next_or_leaf().map_err(StreamError::Content)
    }

    /// Takes as much again as there is unread, so that a token that comes a byte at a time is not looked through as
    /// often as it has bytes.
    async fn fill(&mut self) {
        let wanted = 2 * self.scanner.unread();
        while self.scanner.end().is_none() && self.scanner.unread() <= wanted {
            match self.body.frame().await {
                // Trailers say nothing that is used.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.scanner.take(&data);
                    }
                }
                Some(Err(_)) => self.scanner.finish(End::Broken),
                None => self.scanner.finish(End::Whole),
            }
        }
    }

    /// The details of the last token.
    pub fn read(&self) -> &Scanner {
        &self.scanner
    }

    /// Where the last token stands, in bytes.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.scanner.range()
    }
}
