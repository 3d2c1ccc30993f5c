//! One connection: who logs on, and what of SSH is offered, which is the subsystem `sftp` on a session channel and nothing else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session as Ssh, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, ChannelWriteHalf, Disconnect};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Door;
use super::busy::Busy;
use super::counts::Refused;
use super::doorman::{Caller, Place, Session as Admitted};
use super::operations::{Operations, Then};
use super::packets::{Incoming, Packets};
use super::put::Remembered;
use super::queue::{Queue, Room};
use crate::files::home::{Fingerprint, Homes, Problem};

/// Channels that one connection may have open.
const CHANNELS: usize = 8;
/// Answers are gathered to about this many bytes where more requests wait: fewer packets, and full ones.
const GATHERED: usize = 128 << 10;
/// How long whoever is told that the session ends may take to hear it.
const LAST_WORDS: Duration = Duration::from_secs(60);

/// What a connection's tasks share.
pub struct Shared<D: Homes> {
    pub(super) door: Arc<Door<D>>,
    pub(super) from: IpAddr,
    pub(super) room: Arc<Room>,
    /// Ends the connection.
    pub(super) cut: CancellationToken,
    /// Notified once the user has logged on.
    pub(super) logged_on: Notify,
    pub(super) busy: Busy,
}

impl<D: Homes> Shared<D> {
    fn refused(&self, cause: Refused) {
        self.door.counts.refused(cause, self.from);
    }

    /// Refuses a channel of a kind that is not offered to anybody.
    async fn prohibited(&self, cause: Refused, reply: ChannelOpenHandle) -> Result<(), russh::Error> {
        self.refused(cause);
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }
}

/// The handler of one connection.
pub struct Session<D: Homes> {
    shared: Arc<Shared<D>>,
    /// A place among those who wait; given back at the log-on.
    waiting: Option<Place>,
    home: Option<(Arc<D::Home>, Admitted)>,
    /// The names under which keys were offered that are not right, each with the user that it is. A right key that was offered and not
    /// signed with is none: agents and probes ask which they may use.
    wrong: HashMap<Caller, Option<Uuid>>,
    /// A name was given that has failed too often from here.
    too_often: bool,
    channels: HashMap<ChannelId, OneChannel>,
}

enum OneChannel {
    Open(ChannelWriteHalf<Msg>),
    Sftp { packets: Packets, queue: Arc<Queue>, gone: CancellationToken, over: CancellationToken },
}

impl OneChannel {
    /// Whether we closed it ourselves: of those russh forgets, and tells no close by the client.
    fn is_over(&self) -> bool {
        matches!(self, Self::Sftp { over, .. } if over.is_cancelled())
    }
}

impl<D: Homes> Session<D> {
    /// Nobody has logged on.
    pub fn new(shared: Arc<Shared<D>>, waiting: Place) -> Self {
        Self { shared, waiting: Some(waiting), home: None, wrong: HashMap::new(), too_often: false, channels: HashMap::new() }
    }

    /// Whoever gives this name on this connection.
    fn caller(&self, name: &str) -> Caller {
        self.shared.door.doorman.caller(self.shared.from, name)
    }

    /// The user, if this key is one of its.
    async fn allowed(&mut self, user: &str, key: &PublicKey, algorithm: &Algorithm) -> Option<(Uuid, Fingerprint)> {
        let caller = self.caller(user);
        // Answered as a wrong key, so that the ban tells no more than that.
        if self.shared.door.doorman.is_refused(caller) {
            self.too_often = true;
            return None;
        }
        // SHA-1; the name is refused too where the client asks which are accepted.
        if *algorithm == (Algorithm::Rsa { hash: None }) {
            self.wrong.entry(caller).or_default();
            return None;
        }
        let key = Fingerprint(key.fingerprint(HashAlg::Sha256).sha256()?);
        match self.shared.door.homes.account(user).await {
            Ok(Some(account)) if account.keys.contains(&key) => Some((account.id, key)),
            Ok(account) => {
                self.wrong.insert(caller, account.map(|account| account.id));
                None
            }
            Err(_) => {
                self.shared.refused(Refused::Unknown);
                None
            }
        }
    }

    /// Refuses a request on a channel.
    fn refuse(&self, cause: Refused, channel: ChannelId, ssh: &mut Ssh) -> Result<(), russh::Error> {
        self.shared.refused(cause);
        ssh.channel_failure(channel)
    }

    fn end_channel(&mut self, channel: ChannelId) {
        if let Some(OneChannel::Sftp { queue, gone, .. }) = self.channels.remove(&channel) {
            // What has come whole is still done; nobody waits for the answers.
            gone.cancel();
            queue.end();
        }
    }
}

impl<D: Homes> Drop for Session<D> {
    fn drop(&mut self) {
        let channels: Vec<ChannelId> = self.channels.keys().copied().collect();
        channels.into_iter().for_each(|channel| self.end_channel(channel));
        if self.home.is_some() {
            return;
        }
        if self.too_often {
            self.shared.refused(Refused::Banned);
        }
        if !self.wrong.is_empty() {
            self.shared.door.doorman.failed(self.shared.from, self.wrong.keys().copied());
            self.wrong.values().flatten().for_each(|user| self.shared.door.homes.wrong_key(*user));
            self.shared.refused(Refused::LogOnFailed);
        }
    }
}

impl<D: Homes> Handler for Session<D> {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        let allowed = self.allowed(user, offer.public_key, offer.algorithm).await;
        Ok(if allowed.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let caller = self.caller(user);
        let Some((user, key)) = self.allowed(user, key.public_key, key.algorithm).await else { return Ok(Auth::reject()) };
        // The key is right: keys that were offered before it are no failure.
        self.wrong.remove(&caller);
        let Some(place) = self.shared.door.doorman.enter(user, caller) else {
            self.shared.refused(Refused::TooManySessions);
            return Ok(Auth::reject());
        };
        match self.shared.door.homes.enter(user, key, self.shared.from).await {
            Ok(home) => {
                self.home = Some((Arc::new(home), place));
                self.waiting = None;
                self.shared.door.counts.logged_on();
                tracing::info!(listener = "sftp", %user, key = %key, address = %self.shared.from, "logged on");
                Ok(Auth::Accept)
            }
            Err(problem) => {
                if problem == Problem::KeyNotAllowed {
                    self.wrong.insert(caller, Some(user));
                } else {
                    self.shared.refused(Refused::Unknown);
                }
                Ok(Auth::reject())
            }
        }
    }

    async fn auth_succeeded(&mut self, _ssh: &mut Ssh) -> Result<(), russh::Error> {
        self.shared.logged_on.notify_one();
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _ssh: &mut Ssh,
    ) -> Result<(), russh::Error> {
        self.channels.retain(|_, channel| !channel.is_over());
        if self.channels.len() >= CHANNELS {
            self.shared.refused(Refused::Channels);
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let id = channel.id();
        // Dropped, so that nothing of the connection ever waits for a reader: data comes to `data` below.
        let (_, write) = channel.split();
        self.channels.insert(id, OneChannel::Open(write));
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, ssh: &mut Ssh) -> Result<(), russh::Error> {
        let (Some((home, admitted)), "sftp") = (&self.home, name) else { return self.refuse(Refused::Subsystem, channel, ssh) };
        let write = match self.channels.remove(&channel) {
            Some(OneChannel::Open(write)) => write,
            other => {
                self.channels.extend(other.map(|other| (channel, other)));
                return self.refuse(Refused::Subsystem, channel, ssh);
            }
        };
        let (gone, over) = (CancellationToken::new(), CancellationToken::new());
        let queue = Arc::new(Queue::new(self.shared.room.clone()));
        let door = &self.shared.door;
        let put = Remembered::of(admitted.user(), door.put.clone());
        let operations = Operations::new(home.clone(), put, door.clock.clone(), self.shared.busy.clone(), door.counts.clone());
        let worker = Worker {
            operations,
            queue: queue.clone(),
            way_back: WayBack { shared: self.shared.clone(), write, gone: gone.clone(), over: over.clone(), ssh: ssh.handle() },
        };
        tokio::spawn(worker.run());
        self.channels.insert(channel, OneChannel::Sftp { packets: Packets::default(), queue, gone, over });
        ssh.channel_success(channel)
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], ssh: &mut Ssh) -> Result<(), russh::Error> {
        let Some(OneChannel::Sftp { packets, queue, .. }) = self.channels.get_mut(&channel) else { return Ok(()) };
        packets.feed(data);
        loop {
            match packets.next() {
                Ok(Some(request)) => queue.push(request),
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.shared.refused(Refused::NotSftp);
                    self.end_channel(channel);
                    return ssh.close(channel);
                }
            }
        }
    }

    async fn channel_eof(&mut self, channel: ChannelId, ssh: &mut Ssh) -> Result<(), russh::Error> {
        match self.channels.get(&channel) {
            Some(OneChannel::Sftp { queue, .. }) => queue.end(),
            _ => {
                self.channels.remove(&channel);
                ssh.close(channel)?;
            }
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _ssh: &mut Ssh) -> Result<(), russh::Error> {
        self.end_channel(channel);
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, ssh: &mut Ssh) -> Result<(), russh::Error> {
        self.refuse(Refused::Shell, channel, ssh)
    }

    async fn exec_request(&mut self, channel: ChannelId, _command: &[u8], ssh: &mut Ssh) -> Result<(), russh::Error> {
        self.refuse(Refused::Exec, channel, ssh)
    }

    async fn env_request(&mut self, channel: ChannelId, _name: &str, _value: &str, ssh: &mut Ssh) -> Result<(), russh::Error> {
        self.refuse(Refused::Environment, channel, ssh)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        ssh: &mut Ssh,
    ) -> Result<(), russh::Error> {
        self.refuse(Refused::Terminal, channel, ssh)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        ssh: &mut Ssh,
    ) -> Result<(), russh::Error> {
        self.refuse(Refused::X11, channel, ssh)
    }

    async fn agent_request(&mut self, _channel: ChannelId, _ssh: &mut Ssh) -> Result<bool, russh::Error> {
        self.shared.refused(Refused::Agent);
        Ok(false)
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _address: &str,
        _port: u32,
        reply: ChannelOpenHandle,
        _ssh: &mut Ssh,
    ) -> Result<(), russh::Error> {
        self.shared.prohibited(Refused::X11, reply).await
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _ssh: &mut Ssh,
    ) -> Result<(), russh::Error> {
        self.shared.prohibited(Refused::Forwarding, reply).await
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _ssh: &mut Ssh,
    ) -> Result<(), russh::Error> {
        self.shared.prohibited(Refused::Forwarding, reply).await
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _ssh: &mut Ssh,
    ) -> Result<(), russh::Error> {
        self.shared.prohibited(Refused::Socket, reply).await
    }

    async fn tcpip_forward(&mut self, _address: &str, _port: &mut u32, _ssh: &mut Ssh) -> Result<bool, russh::Error> {
        self.shared.refused(Refused::Forwarding);
        Ok(false)
    }

    async fn streamlocal_forward(&mut self, _path: &str, _ssh: &mut Ssh) -> Result<bool, russh::Error> {
        self.shared.refused(Refused::Socket);
        Ok(false)
    }
}

/// Does the requests of one channel and sends the answers.
struct Worker<D: Homes> {
    operations: Operations<D::Home>,
    queue: Arc<Queue>,
    way_back: WayBack<D>,
}

/// Where answers go.
struct WayBack<D: Homes> {
    shared: Arc<Shared<D>>,
    write: ChannelWriteHalf<Msg>,
    /// Nobody waits for answers any more.
    gone: CancellationToken,
    /// Nothing is done for this channel any more.
    over: CancellationToken,
    ssh: russh::server::Handle,
}

impl<D: Homes> Worker<D> {
    async fn run(mut self) {
        let mut out = BytesMut::new();
        while let Some(first) = self.queue.next().await {
            let _held = self.way_back.shared.busy.hold();
            let mut next = Some(first);
            while let Some(request) = next {
                if self.way_back.gone.is_cancelled() && matches!(request, Incoming::Read { .. }) {
                    next = self.queue.ready();
                    continue;
                }
                let then = self.operations.answer(request, &mut out).await;
                if then == Then::End {
                    return self.way_back.key_not_allowed(out.split().freeze()).await;
                }
                if out.len() >= GATHERED {
                    self.way_back.send(out.split().freeze()).await;
                }
                next = self.queue.ready();
            }
            self.way_back.send(std::mem::take(&mut out).freeze()).await;
        }
        self.way_back.end().await;
    }
}

impl<D: Homes> WayBack<D> {
    /// Without the status, scp reports failure and says nothing.
    async fn end(&self) {
        let ended = async {
            let _ = self.write.exit_status(0).await;
            let _ = self.write.eof().await;
            // Before the client hears it: it may open another at once.
            self.over.cancel();
            let _ = self.write.close().await;
        };
        let _ = self.gone.run_until_cancelled(ended).await;
    }

    /// Sends answers, however slowly they are read, but for a client that meanwhile fills the room.
    async fn send(&self, answers: Bytes) {
        if answers.is_empty() {
            return;
        }
        let mut sending = pin!(self.gone.run_until_cancelled(self.write.data_bytes(answers)));
        while timeout(self.shared.door.limits.stalled_after, &mut sending).await.is_err() {
            if self.shared.room.is_full() {
                self.shared.refused(Refused::Stalled);
                self.shared.cut.cancel();
                return;
            }
        }
    }

    async fn key_not_allowed(self, answers: Bytes) {
        self.shared.refused(Refused::KeyNotAllowed);
        self.send(answers).await;
        let told = Problem::KeyNotAllowed.describe();
        let words = format!("{} / {}", told.danish, told.english);
        let _ = timeout(LAST_WORDS, self.ssh.disconnect(Disconnect::ByApplication, words, "da".to_owned())).await;
    }
}
