//! What became of a peer's connections, in figures that outlast a reload.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection takes no more calls. Those under way on it go on, where it lets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// No call for as long as the settings allow.
    Idle,
    /// It was as old as the settings allow, so that a name that moved is followed.
    Lifetime,
    /// A call on it had no whole answer before its deadline.
    TimedOut,
    /// It stood beside one that failed, and may be as dead.
    Doubted,
    /// An HTTP/2 PING was not answered.
    NoPong,
    /// The peer ended it, or it broke.
    Peer,
    /// The peer's certificate was revoked or ended.
    Certificate,
    /// The client was replaced: a reload.
    Replaced,
}

impl Closed {
    /// Every cause, by its name in metrics.
    pub const ALL: [(Self, &str); 8] = [
        (Self::Idle, "idle"),
        (Self::Lifetime, "lifetime"),
        (Self::TimedOut, "timed_out"),
        (Self::Doubted, "doubted"),
        (Self::NoPong, "no_pong"),
        (Self::Peer, "peer"),
        (Self::Certificate, "certificate"),
        (Self::Replaced, "replaced"),
    ];
}

/// How it is known that the peer processed nothing of a request, so that it may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unprocessed {
    /// Nothing of it was written.
    Unsent,
    /// The stream was reset with `REFUSED_STREAM` (RFC 9113 8.7).
    Refused,
    /// The stream is beyond the last one that a GOAWAY names (RFC 9113 6.8).
    GoneAway,
}

impl Unprocessed {
    /// Every cause, by its name in metrics.
    pub const ALL: [(Self, &str); 3] = [(Self::Unsent, "unsent"), (Self::Refused, "refused"), (Self::GoneAway, "gone_away")];
}

/// The figures of one peer.
#[derive(Debug, Default)]
pub struct Counts {
    opened: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    resent: [AtomicU64; Unprocessed::ALL.len()],
}

impl Counts {
    /// How many connections were opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How many connections stopped taking calls, by cause.
    pub fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Closed::ALL.iter().zip(&self.closed).map(|((_, name), count)| (*name, count.load(Ordering::Relaxed)))
    }

    /// How many requests were sent once more, by how it was known that they might.
    pub fn resent(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Unprocessed::ALL.iter().zip(&self.resent).map(|((_, name), count)| (*name, count.load(Ordering::Relaxed)))
    }

    pub(crate) fn open(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn close(&self, why: Closed) {
        if let Some((_, count)) = Closed::ALL.iter().zip(&self.closed).find(|((cause, _), _)| *cause == why) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn resend(&self, why: Unprocessed) {
        if let Some((_, count)) = Unprocessed::ALL.iter().zip(&self.resent).find(|((cause, _), _)| *cause == why) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
