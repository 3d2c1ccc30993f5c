//! The strict reader over bytes that are still arriving.
//!
//! Holds one token at a time: an answer of hundreds of megabytes passes through a few kilobytes. A token that is longer
//! than the limit ends the reading instead of filling the memory.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::Body;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::strict::{Limits, Strict, Token, malformed, syntax};
use crate::refusal::Refusal;

/// Why reading stopped.
#[derive(Debug)]
pub enum StreamError {
    /// The bytes are not what the strict subset allows.
    Content(Refusal),
    /// The connection failed, or ended before the body did.
    Connection,
}

/// The length of UTF-8's byte order mark.
const BYTE_ORDER_MARK: usize = 3;

/// A message body as a buffered reader that knows how much it gave since the last token.
struct Metered<B> {
    body: B,
    chunk: Bytes,
    since: usize,
    limit: usize,
    total: u64,
    broken: bool,
}

impl<B: Body<Data = Bytes> + Unpin> AsyncBufRead for Metered<B> {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.since > this.limit {
            return Poll::Ready(Err(io::Error::other("token too long")));
        }
        // quick-xml looks for a byte order mark in the first piece alone: one that comes divided would be text before the root.
        while this.chunk.is_empty() || (this.total == 0 && this.chunk.len() < BYTE_ORDER_MARK) {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                None => break,
                // Trailers say nothing that is used.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        this.chunk = if this.chunk.is_empty() { data } else { [&*this.chunk, &*data].concat().into() };
                    }
                }
                Some(Err(_)) => {
                    this.broken = true;
                    return Poll::Ready(Err(io::Error::other("the connection failed")));
                }
            }
        }
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.chunk.advance(amount.min(this.chunk.len()));
        this.since += amount;
        this.total += amount as u64;
    }
}

impl<B: Body<Data = Bytes> + Unpin> AsyncRead for Metered<B> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let chunk = ready!(self.as_mut().poll_fill_buf(context))?;
        let amount = chunk.len().min(out.remaining());
        out.put_slice(chunk.get(..amount).unwrap_or(&[]));
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

/// Reads one document from a body, token by token.
pub struct StreamReader<B> {
    reader: quick_xml::Reader<Metered<B>>,
    strict: Strict,
    buffer: Vec<u8>,
    from: u64,
}

impl<B: Body<Data = Bytes> + Unpin> StreamReader<B> {
    /// A reader of `body`; no single token may be longer than `limits.text` bytes (and a little).
    pub fn new(body: B, limits: Limits) -> Self {
        let metered = Metered { body, chunk: Bytes::new(), since: 0, limit: limits.text, total: 0, broken: false };
        let mut reader = quick_xml::Reader::from_reader(metered);
        reader.config_mut().check_comments = true;
        Self { reader, strict: Strict::new(limits), buffer: Vec::new(), from: 0 }
    }

    /// The next token; its details are in [`Self::strict`].
    ///
    /// # Errors
    /// [`StreamError`]; nothing may be read after one.
    pub async fn next(&mut self) -> Result<Token, StreamError> {
        self.buffer.clear();
        self.reader.get_mut().since = 0;
        self.from = self.reader.buffer_position();
        match self.reader.read_event_into_async(&mut self.buffer).await {
            Ok(event) => {
                let offset = usize::try_from(self.from).unwrap_or(usize::MAX);
                self.strict.accept(&event, offset).map_err(StreamError::Content)
            }
            Err(error) => {
                let at = self.reader.error_position();
                let metered = self.reader.get_mut();
                Err(if metered.broken {
                    StreamError::Connection
                } else if metered.since > metered.limit {
                    let at = usize::try_from(at).unwrap_or(usize::MAX);
                    StreamError::Content(malformed(at, "a token that is too long"))
                } else {
                    StreamError::Content(syntax(&error, at))
                })
            }
        }
    }

    /// The judge, with the last token's details.
    pub fn strict(&self) -> &Strict {
        &self.strict
    }

    /// Where the last token stands, in bytes.
    pub fn range(&self) -> std::ops::Range<usize> {
        let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        place(self.from)..place(self.reader.buffer_position())
    }

    /// Bytes read so far.
    pub fn total(&mut self) -> u64 {
        self.reader.get_mut().total
    }
}
