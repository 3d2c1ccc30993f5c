//! Bytes that arrive in pieces, and documents that have room.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hjemmel::refusal::Refusal;
use hjemmel::soap::document::Document;
use hjemmel::soap::stream::{StreamError, StreamReader};
use hjemmel::soap::strict::Limits;
use http_body::{Body, Frame};

/// A message body that arrives `size` bytes at a time.
pub struct Pieces {
    pub rest: Bytes,
    pub size: usize,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let size = self.size.min(self.rest.len());
        let piece = self.rest.split_to(size);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }
}

/// A streaming reader of `data` in pieces of `size` bytes.
pub fn stream(data: &[u8], size: usize) -> StreamReader<Pieces> {
    StreamReader::new(Pieces { rest: Bytes::copy_from_slice(data), size }, Limits::default())
}

/// Carries out what never has to wait.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the pieces are all here"),
    }
}

/// The refusal; the pieces never break off.
pub fn refusal(error: StreamError) -> Refusal {
    match error {
        StreamError::Content(refusal) => refusal,
        StreamError::Connection => panic!("the connection cannot fail"),
    }
}

/// Reads again what was written from a document that was within the limits. A canonical form may have more declarations
/// on one element and longer texts than what it was made of, but never a deeper tree.
pub fn reread(written: &[u8]) -> Document {
    let usual = Limits::default();
    let roomy = Limits { attributes: usual.attributes + usual.declarations, text: usize::MAX, nodes: usize::MAX, ..usual };
    match Document::parse(Bytes::copy_from_slice(written), &roomy) {
        Ok(document) => document,
        Err(refusal) => panic!("what was written cannot be read: {refusal}\n{}", String::from_utf8_lossy(written)),
    }
}
