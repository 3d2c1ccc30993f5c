//! The SFTP server: version 3 over SSH, public keys alone.
//!
//! A connection comes through the `doorman`, proves a key (`session`), and opens a channel. Its bytes become requests
//! (`packets`), which wait in a `queue` and are done one after the other (`operations`) on the user's home
//! ([`crate::files::home`]), the path read by `place`, the answer written by `answers`. The cryptography and the framing of SSH are
//! russh's, the forms of the packets russh-sftp's; the loop over them is ours (`docs/decisions/sftp.md`).

mod answers;
mod busy;
pub mod counts;
mod doorman;
pub mod host_keys;
mod operations;
mod packets;
mod place;
mod put;
mod queue;
mod session;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::run_stream;
use russh::{Disconnect, Limits, MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::SftpLimits;
use crate::edge::serve::Drained;
use crate::files::home::{Home, Homes};
use busy::Busy;
use counts::{Counts, Refused};
use doorman::Doorman;
use put::ByUser;
use queue::{Room, Valve};
use session::{Session, Shared};

/// Clients have been seen to break at shorter ones.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const _: () = assert!(KEEP_ALIVE.as_secs() >= 30);
/// How long a connection that was told to end may take.
const ENDING: Duration = Duration::from_secs(5);
/// Keys that a client may offer: agents hold many.
const OFFERS: usize = 20;

/// Diffie-Hellman and key encapsulation, the best first; no SHA-1, and strict key exchange (against Terrapin).
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Of host and users; not `ssh-rsa`, which is SHA-1.
const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512];

/// What every connection is served with.
pub struct Door<D: Homes> {
    homes: D,
    doorman: Doorman,
    put: Arc<ByUser<<D::Home as Home>::Folder>>,
    counts: Counts,
    clock: Clock,
    limits: SftpLimits,
    ssh: Arc<russh::server::Config>,
}

impl<D: Homes> Door<D> {
    /// A server that is not open yet.
    pub fn new(homes: D, host_keys: Vec<PrivateKey>, limits: SftpLimits, counts: Counts, clock: Clock) -> Self {
        let ssh = russh::server::Config {
            server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Hjemmel")),
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
            auth_rejection_time: limits.refusal_time,
            // "none", by which clients ask for the methods, tells nothing of anybody.
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: host_keys,
            limits: Limits {
                rekey_write_limit: limits.rekey_bytes,
                rekey_read_limit: limits.rekey_bytes,
                rekey_time_limit: Duration::from_secs(3600),
            },
            maximum_packet_size: 65_535,
            preferred: Preferred {
                kex: Cow::Borrowed(KEX),
                key: Cow::Borrowed(KEYS),
                host_key_certificates: Cow::Borrowed(&[]),
                cipher: Cow::Borrowed(CIPHERS),
                mac: Cow::Borrowed(MACS),
                compression: Cow::Borrowed(&[compression::NONE]),
            },
            max_auth_attempts: OFFERS,
            inactivity_timeout: Some(KEEP_ALIVE * 5),
            keepalive_interval: Some(KEEP_ALIVE),
            keepalive_max: 3,
            nodelay: true,
            ..russh::server::Config::default()
        };
        let (doorman, put) = (Doorman::new(limits.clone()), Arc::new(ByUser::new(limits.sessions)));
        Self { homes, doorman, put, counts, clock, limits, ssh: Arc::new(ssh) }
    }

    fn show(&self) {
        self.counts.there(self.doorman.waiting_now(), self.doorman.sessions_now());
    }

    /// Serves `listener` until `shutdown` completes, then drains: no new connection is accepted, transfers under way finish within
    /// the drain timeout, and what is left is cut.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Drained {
        let door = Arc::new(self);
        let (drain, draining) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, from)) = accepted else {
                // Out of file descriptors, most likely: accepting again at once would spin.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            if door.doorman.is_banned(from.ip()) {
                door.counts.refused(Refused::Banned, from.ip());
                continue;
            }
            let (door, draining) = (door.clone(), draining.clone());
            connections.spawn(async move {
                door.clone().connection(stream, from, draining).await;
                door.show();
            });
        }
        drop(listener);
        let _ = drain.send(());
        let all_ended = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(door.limits.drain_timeout, all_ended).await;
        let cut = connections.len();
        connections.shutdown().await;
        Drained { cut }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, from: SocketAddr, mut draining: watch::Receiver<()>) {
        let _ = stream.set_nodelay(true);
        let (cut, room) = (CancellationToken::new(), Arc::<Room>::default());
        // The connection's own task is russh's: whatever ends this one ends it too.
        let _ended_with_this = cut.clone().drop_guard();
        let from = from.ip();
        let (place, crowded) = self.doorman.wait(from, cut.clone());
        if crowded {
            self.counts.refused(Refused::TooManyWaiting, from);
        }
        self.show();
        let stream = Valve::new(stream, room.clone(), &cut);
        let busy = Busy::default();
        let shared =
            Arc::new(Shared { door: self.clone(), from, room, cut: cut.clone(), logged_on: Notify::new(), busy: busy.clone() });
        let session = Session::new(shared.clone(), place);
        let mut too_late = pin!(sleep(self.limits.log_on_timeout));
        let running = tokio::select! {
            running = run_stream(self.ssh.clone(), stream, session) => running,
            () = &mut too_late => return self.counts.refused(Refused::LogOnTimeout, from),
            _ = draining.changed() => return,
        };
        let Ok(mut running) = running else { return };
        tokio::select! {
            _ = &mut running => return,
            () = shared.logged_on.notified() => self.show(),
            () = too_late => return self.counts.refused(Refused::LogOnTimeout, from),
            _ = draining.changed() => return,
        }
        tokio::select! {
            _ = &mut running => return,
            _ = draining.changed() => {}
        }
        tokio::select! {
            _ = &mut running => return,
            () = busy.idle() => {}
        }
        let words = "Serveren lukker ned. / The server is shutting down.".to_owned();
        let ended = async {
            let _ = running.handle().disconnect(Disconnect::ByApplication, words, "da".to_owned()).await;
            let _ = running.await;
        };
        let _ = timeout(ENDING, ended).await;
    }
}

#[cfg(test)]
mod tests;
