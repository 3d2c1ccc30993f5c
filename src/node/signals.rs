//! The signals of a process that runs until it is told to stop.
//!
//! Install the handlers before anything slow. The first process of a container gets no signal for which it has no handler,
//! so one that comes during a start would be lost.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handlers for SIGTERM, SIGINT and SIGHUP. A signal that comes while nobody waits is kept until somebody does.
#[derive(Debug)]
pub struct Signals {
    /// What ends the process.
    pub stop: Stop,
    /// SIGHUP.
    pub hangup: Signal,
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// They cannot be installed.
    pub fn install() -> io::Result<Self> {
        Ok(Self { stop: Stop::install()?, hangup: signal(SignalKind::hangup())? })
    }
}

impl Stop {
    /// Installs the handlers.
    ///
    /// # Errors
    /// They cannot be installed.
    pub fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Completes at the next of them.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
