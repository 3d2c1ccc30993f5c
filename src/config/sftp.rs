//! `[sftp]`: where clients of the SFTP server come in, and within what limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use super::sections::seconds;

/// The SFTP server. It is opened where there is a section `[sftp]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sftp {
    /// The address and port listened on.
    pub address: SocketAddr,
    /// The files of its host keys: one at the least; of each kind the first is the one shown.
    pub host_keys: Vec<PathBuf>,
    /// A folder on this machine's disk for what is being sent.
    pub staging: PathBuf,
    /// The largest file, in bytes.
    pub largest_file: u64,
    /// For how long a trigger waits for its data file.
    pub wait_for_data: Duration,
    /// What clients may use.
    pub limits: SftpLimits,
}

/// What clients of the SFTP server may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpLimits {
    /// How long a client may take to log on, from the connection.
    pub log_on_timeout: Duration,
    /// How long a refused log-on takes, whatever was wrong.
    pub refusal_time: Duration,
    /// Connections that have not logged on; the oldest is closed for one more.
    pub waiting: usize,
    /// The same, from one address.
    pub waiting_of_address: usize,
    /// Connections that have logged on; one more is refused.
    pub sessions: usize,
    /// The same, of one user.
    pub sessions_of_user: usize,
    /// Failed log-ons of one name from one address, within `failures_within` of each other, after which it is let in from there no more.
    /// Of ten times as many under whatever names the address is no longer answered.
    pub failures: usize,
    /// For how long failures count, from the last.
    pub failures_within: Duration,
    /// How many bytes pass under one set of keys.
    pub rekey_bytes: usize,
    /// How long transfers may take to finish once the node drains.
    pub drain_timeout: Duration,
    /// How long a client that has filled its room may read no answer. No setting: tests shorten it.
    pub stalled_after: Duration,
}

impl Default for SftpLimits {
    fn default() -> Self {
        Self {
            log_on_timeout: Duration::from_secs(20),
            refusal_time: Duration::from_millis(500),
            waiting: 256,
            waiting_of_address: 64,
            sessions: 1024,
            sessions_of_user: 64,
            failures: 20,
            failures_within: Duration::from_secs(600),
            rekey_bytes: 1 << 30,
            drain_timeout: Duration::from_secs(30),
            stalled_after: Duration::from_secs(60),
        }
    }
}

pub(super) fn read(section: &mut Reader<'_>) -> Option<Sftp> {
    let standard = SftpLimits::default();
    let address = section.socket("address", Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 2222))));
    let host_keys = section.files("host_keys");
    let staging = section.directory("staging");
    // The platform's own limit.
    let largest_file = section.number("largest_file", 2_000_000_000, 1 << 20..=1 << 40);
    let wait_for_data = section.duration("wait_for_data", seconds(15 * 60), seconds(1)..=seconds(24 * 3600));
    let log_on_timeout = section.duration("log_on_timeout", standard.log_on_timeout, seconds(2)..=seconds(55));
    let refusal_time = section.duration("refusal_time", standard.refusal_time, Duration::from_millis(100)..=seconds(5));
    let waiting = section.size("waiting", standard.waiting, 16..=10_000);
    let waiting_of_address = section.size("waiting_of_address", standard.waiting_of_address, 4..=10_000);
    let sessions = section.size("sessions", standard.sessions, 1..=100_000);
    let sessions_of_user = section.size("sessions_of_user", standard.sessions_of_user, 1..=10_000);
    let failures = section.size("failures", standard.failures, 3..=10_000);
    let failures_within = section.duration("failures_within", standard.failures_within, seconds(1)..=seconds(86_400));
    let rekey_bytes = section.size("rekey_bytes", standard.rekey_bytes, 1 << 20..=1 << 30);
    let drain_timeout = section.duration("drain_timeout", standard.drain_timeout, Duration::from_millis(100)..=seconds(3600));
    let limits = SftpLimits {
        log_on_timeout: log_on_timeout?,
        refusal_time: refusal_time?,
        waiting: waiting?,
        waiting_of_address: waiting_of_address?,
        sessions: sessions?,
        sessions_of_user: sessions_of_user?,
        failures: failures?,
        failures_within: failures_within?,
        rekey_bytes: rekey_bytes?,
        drain_timeout: drain_timeout?,
        stalled_after: standard.stalled_after,
    };
    let host_keys = host_keys.filter(|keys| {
        if keys.is_empty() {
            section.problem_at("host_keys", "names no file; make one with `hjemmel sftp host-key new FILE`".to_owned());
        }
        !keys.is_empty()
    });
    Some(Sftp {
        address: address?,
        host_keys: host_keys?,
        staging: staging?,
        largest_file: largest_file?,
        wait_for_data: wait_for_data?,
        limits,
    })
}
