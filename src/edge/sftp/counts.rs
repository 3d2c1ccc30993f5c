//! What is counted and logged of the SFTP server: causes and kinds, never a name of a user or a file.

use std::net::IpAddr;
use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use tokio::time::Instant;

use crate::edge::refused::Lines;

macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident $label:literal $words:literal;)*) => {
        /// What was refused, or ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Refused { $($(#[$doc])* $name,)* }

        impl Refused {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As the metric names it.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

refused! {
    /// A name that failed too often from an address, or an address.
    Banned "banned" "the name has had too many failed log-ons from the address (sftp.failures), or the address ten times as many; right keys are let in again after sftp.failures_within";
    /// One too many waits.
    TooManyWaiting "too_many_waiting" "too many connections have not logged on; the oldest of the address with most was closed";
    /// It took too long.
    LogOnTimeout "log_on_timeout" "the client did not log on within sftp.log_on_timeout";
    /// No key was right.
    LogOnFailed "log_on_failed" "no key was right for the user; which of the two is wrong is not told to the client";
    /// As many as there may be.
    TooManySessions "too_many_sessions" "there are as many sessions as sftp.sessions or sftp.sessions_of_user allows";
    /// The store does not say who may log on.
    Unknown "store_unavailable" "the store could not be asked who may log on; nobody does";
    /// A key that was taken away.
    KeyNotAllowed "key_not_allowed" "the session's key was disabled or expired, and the session was ended";
    /// A client that reads no answers.
    Stalled "stalled" "the client sent more requests than there is room for and read no answer for 60 s; the connection was closed";
    /// Not SFTP.
    NotSftp "not_sftp" "what the client sent on the channel is not SFTP";
    /// Port forwarding.
    Forwarding "port_forwarding" "the client asked for port forwarding, which is not offered";
    /// X11.
    X11 "x11" "the client asked for X11, which is not offered";
    /// An agent.
    Agent "agent" "the client asked for an agent, which is not offered";
    /// A socket.
    Socket "socket" "the client asked for a socket, which is not offered";
    /// A shell.
    Shell "shell" "the client asked for a shell, which is not offered; it must use SFTP";
    /// A command.
    Exec "exec" "the client asked for a command, which is not offered; scp needs SFTP (from OpenSSH 9.0, or with -s)";
    /// A terminal.
    Terminal "terminal" "the client asked for a terminal, which is not offered";
    /// A variable.
    Environment "environment" "the client asked to set a variable, which is not offered";
    /// Another subsystem.
    Subsystem "subsystem" "the client asked for a subsystem other than sftp";
    /// More channels than there may be.
    Channels "channels" "the client asked for more channels than a connection may have";
}

/// The counters. Cheap to clone.
#[derive(Clone)]
pub struct Counts(Arc<Inner>);

struct Inner {
    refused: IntCounterVec,
    log_ons: IntCounter,
    read: IntCounter,
    written: IntCounter,
    sessions: IntGauge,
    waiting: IntGauge,
    lines: Lines<Refused>,
}

impl Counts {
    /// Registers them.
    ///
    /// # Errors
    /// Only when a metric of the same name is there.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let refused = IntCounterVec::new(
            Opts::new("hjemmel_sftp_refused_total", "What the SFTP server refused or ended, by cause."),
            &["cause"],
        )?;
        // Each is shown before it happens, so that a rate can be taken of its first.
        Refused::ALL.iter().for_each(|cause| drop(refused.with_label_values(&[cause.label()])));
        let bytes = IntCounterVec::new(
            Opts::new("hjemmel_sftp_bytes_total", "Bytes of files over SFTP, by direction as the client sees it."),
            &["direction"],
        )?;
        let log_ons = IntCounter::new("hjemmel_sftp_log_ons_total", "Users that logged on over SFTP.")?;
        let sessions = IntGauge::new("hjemmel_sftp_sessions", "Connections over SFTP that have logged on.")?;
        let waiting = IntGauge::new("hjemmel_sftp_waiting", "Connections over SFTP that have not logged on.")?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(bytes.clone()))?;
        registry.register(Box::new(log_ons.clone()))?;
        registry.register(Box::new(sessions.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        let (read, written) = (bytes.with_label_values(&["download"]), bytes.with_label_values(&["upload"]));
        Ok(Self(Arc::new(Inner { refused, log_ons, read, written, sessions, waiting, lines: Lines::default() })))
    }

    /// Counts and logs what was refused.
    pub fn refused(&self, cause: Refused, address: IpAddr) {
        self.0.refused.with_label_values(&[cause.label()]).inc();
        // OpenSSH sends its language with every session.
        if cause == Refused::Environment {
            tracing::debug!(listener = "sftp", %address, cause = cause.label(), "{}", cause.words());
        } else if let Some(left_out) = self.0.lines.may_log(cause, Instant::now()) {
            tracing::warn!(listener = "sftp", %address, cause = cause.label(), left_out, "{}", cause.words());
        }
    }

    /// How often something was refused.
    pub fn refused_so_far(&self, cause: Refused) -> u64 {
        self.0.refused.with_label_values(&[cause.label()]).get()
    }

    /// A user logged on.
    pub fn logged_on(&self) {
        self.0.log_ons.inc();
    }

    /// Bytes that were read and written.
    pub fn moved(&self, read: u64, written: u64) {
        self.0.read.inc_by(read);
        self.0.written.inc_by(written);
    }

    /// How many there are.
    pub fn there(&self, waiting: usize, sessions: usize) {
        self.0.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.0.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_explained_to_operators() {
        let page = include_str!("../../../docs/operations.md");
        for cause in Refused::ALL {
            assert!(page.contains(&format!("`{}`", cause.label())), "{cause:?}");
        }
    }
}
