//! Closing a connection so that the client can still read its last answer.
//!
//! A socket that is closed with bytes unread sends a reset, and a reset destroys what the client has not read yet: a refusal told
//! while a large body is on its way would never be seen. So the side that writes is closed first, and what still comes is read and
//! thrown away, for a bounded time, until the client closes too.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long what still comes is read.
const LINGER: Duration = Duration::from_secs(2);
/// How many bytes of it.
const THROWN_AWAY: usize = 8 << 20;

/// A stream whose shutdown waits for the other side, see above.
#[derive(Debug)]
pub struct Lingering<T> {
    io: T,
    /// The other side has closed.
    ended: bool,
    writing: Writing,
    closing: Option<(Pin<Box<Sleep>>, usize)>,
}

/// How far what is written has come, for whoever has given the stream away.
#[derive(Debug, Clone, Default)]
pub struct Writing(Arc<AtomicU8>);

/// Everything that was given was taken.
const TAKEN: u8 = 0;
/// Something was not taken at once: there may be more of it in the layers above.
const STUCK: u8 = 1;
/// The last answer has been written.
const CLOSED: u8 = 2;

impl Writing {
    /// Whether another answer would land in the middle of one.
    pub fn is_stuck(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STUCK
    }

    /// Whether the last answer has been written, and the other side's close is waited for.
    pub fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == CLOSED
    }

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }

    fn came<T>(&self, written: Poll<T>) -> Poll<T> {
        if !self.is_closed() {
            self.set(if written.is_pending() { STUCK } else { TAKEN });
        }
        written
    }
}

impl<T> Lingering<T> {
    /// Around a stream.
    pub fn new(io: T) -> Self {
        Self { io, ended: false, writing: Writing::default(), closing: None }
    }

    /// How far its writing has come, from now on.
    pub fn writing(&self) -> Writing {
        self.writing.clone()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lingering<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining() > 0;
        let read = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
        self.ended |= read.is_err() || (room && buffer.filled().len() == before);
        Poll::Ready(read)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.writing.came(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.writing.came(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.writing.came(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
            self.closing = Some((Box::pin(sleep(LINGER)), 0));
            self.writing.set(CLOSED);
        }
        let mut space = [MaybeUninit::uninit(); 8 * 1024];
        loop {
            let late = match &mut self.closing {
                Some((until, thrown_away)) => *thrown_away > THROWN_AWAY || until.as_mut().poll(context).is_ready(),
                None => true,
            };
            if self.ended || late {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::uninit(&mut space);
            // An error ends it as the other side's close does.
            let _ = ready!(self.as_mut().poll_read(context, &mut buffer));
            let read = buffer.filled().len();
            if let Some((_, thrown_away)) = &mut self.closing {
                *thrown_away += read;
            }
        }
    }
}
