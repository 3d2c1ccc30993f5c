//! Requests that wait, and the room that a connection has for them.
//!
//! A client may ask for a whole file, tens of thousands of READs, before it reads an answer, and a client's own notice that it can
//! take more answers (CHANNEL_WINDOW_ADJUST) comes behind all of them. So the connection is always read from, and a READ that waits takes
//! a few bytes. When the room is used up after all, the [`Valve`] reads no further from the socket: nothing else of the
//! connection stops, and no task waits while it holds what another needs.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::packets::Incoming;

/// READs of one connection that may wait: 8 GB in pieces of 32 KB.
const READS: usize = 256 << 10;
/// Other requests that may wait.
const OTHERS: usize = 1024;
/// Bytes that these may hold.
const BYTES: usize = 8 << 20;

/// The room of one connection. Shared by its channels.
#[derive(Default)]
pub struct Room(Mutex<Used>);

#[derive(Default)]
struct Used {
    reads: usize,
    others: usize,
    bytes: usize,
    /// Who wants to read from the socket.
    waiting: Option<Waker>,
}

impl Used {
    fn is_full(&self) -> bool {
        self.reads >= READS || self.others >= OTHERS || self.bytes >= BYTES
    }
}

impl Room {
    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing more is read from the socket.
    pub fn is_full(&self) -> bool {
        self.used().is_full()
    }

    fn take(&self, request: &Incoming) {
        let mut used = self.used();
        match request {
            Incoming::Read { .. } => used.reads += 1,
            _ => used.others += 1,
        }
        used.bytes += request.held();
    }

    fn give(&self, request: &Incoming) {
        let mut used = self.used();
        match request {
            Incoming::Read { .. } => used.reads -= 1,
            _ => used.others -= 1,
        }
        used.bytes -= request.held();
        if !used.is_full()
            && let Some(waiting) = used.waiting.take()
        {
            waiting.wake();
        }
    }
}

/// The requests of one channel, in order.
pub struct Queue {
    room: Arc<Room>,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Incoming>,
    /// The client sends no more.
    ended: bool,
}

impl Queue {
    /// An empty one.
    pub fn new(room: Arc<Room>) -> Self {
        Self { room, waiting: Mutex::default(), changed: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one.
    pub fn push(&self, request: Incoming) {
        self.room.take(&request);
        self.waiting().requests.push_back(request);
        self.changed.notify_one();
    }

    /// No more come.
    pub fn end(&self) {
        self.waiting().ended = true;
        self.changed.notify_one();
    }

    /// The next that is there already.
    pub fn ready(&self) -> Option<Incoming> {
        let mut waiting = self.waiting();
        let next = waiting.requests.pop_front();
        if waiting.requests.is_empty() && waiting.requests.capacity() > 64 {
            waiting.requests = VecDeque::new();
        }
        drop(waiting);
        next.inspect(|request| self.room.give(request))
    }

    /// The next; none: the client sends no more.
    pub async fn next(&self) -> Option<Incoming> {
        loop {
            if let Some(request) = self.ready() {
                return Some(request);
            }
            if self.waiting().ended {
                return None;
            }
            self.changed.notified().await;
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        while self.ready().is_some() {}
    }
}

/// A socket that is not read from while the room is full, and that can be cut from outside.
pub struct Valve<S> {
    socket: S,
    room: Arc<Room>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Valve<S> {
    /// Around a socket. It ends with an error once `cut` is cancelled.
    pub fn new(socket: S, room: Arc<Room>, cut: &CancellationToken) -> Self {
        Self { socket, room, cut: Box::pin(cut.clone().cancelled_owned()) }
    }

    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.cut.as_mut().poll(context));
        Poll::Ready(io::ErrorKind::ConnectionAborted.into())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Valve<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_cut(context) {
            return Poll::Ready(Err(error));
        }
        {
            let mut used = self.room.used();
            if used.is_full() {
                used.waiting = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Valve<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.poll_cut(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Pin::new(&mut self.socket).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn read() -> Incoming {
        Incoming::Read { id: 1, handle: Some(1), offset: 0, length: 1 }
    }

    #[test]
    fn a_read_that_waits_is_small() {
        assert!(size_of::<Incoming>() <= 32);
    }

    #[tokio::test]
    async fn a_full_room_stops_reading_and_nothing_else() {
        let room = Arc::new(Room::default());
        let queue = Queue::new(room.clone());
        let (mut client, server) = duplex(64);
        let mut valve = Valve::new(server, room.clone(), &CancellationToken::new());
        (0..READS).for_each(|_| queue.push(read()));
        assert!(room.is_full());
        client.write_all(b"x").await.unwrap();
        valve.write_all(b"answer").await.unwrap();
        let mut byte = [0; 1];
        assert!(tokio::time::timeout(Duration::from_millis(20), valve.read(&mut byte)).await.is_err());
        let (read, _) = tokio::join!(valve.read(&mut byte), async { queue.ready() });
        assert_eq!(read.unwrap(), 1);
    }

    #[tokio::test]
    async fn requests_that_end_with_their_channel_give_their_room_back() {
        let room = Arc::new(Room::default());
        let queue = Queue::new(room.clone());
        (0..OTHERS).for_each(|_| queue.push(Incoming::Init));
        assert!(room.is_full());
        drop(queue);
        assert!(!room.is_full());
    }

    #[tokio::test]
    async fn a_connection_that_is_cut_ends_although_its_client_is_silent() {
        let cut = CancellationToken::new();
        let (_client, server) = duplex(64);
        let mut valve = Valve::new(server, Arc::default(), &cut);
        let mut byte = [0; 1];
        let (read, ()) = tokio::join!(valve.read(&mut byte), async { cut.cancel() });
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert!(valve.write(b"x").await.is_err());
    }
}
