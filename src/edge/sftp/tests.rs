//! The server over a socket, with russh's client and plain folders behind it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::{BufMut, BytesMut};
use jiff::SignedDuration;
use prometheus::Registry;
use russh::client::{self, AuthResult};
use russh::keys::agent::AgentIdentity;
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as Wrong;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::host_keys::Kind;
use super::put::{SHOWN, TAKES_TIMES};
use super::*;
use crate::files::home::{Account, Fingerprint, Problem};
use crate::stub::files::{PlainHome, PlainHomes};

struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

type Client = client::Handle<Anyone>;

/// Plain homes that keep which users gave a wrong key.
#[derive(Clone)]
struct Noting {
    homes: PlainHomes,
    refused: Arc<Mutex<Vec<Uuid>>>,
}

impl Homes for Noting {
    type Home = PlainHome;

    async fn account(&self, name: &str) -> Result<Option<Account>, Problem> {
        self.homes.account(name).await
    }

    async fn enter(&self, user: Uuid, key: Fingerprint, from: IpAddr) -> Result<PlainHome, Problem> {
        self.homes.enter(user, key, from).await
    }

    fn wrong_key(&self, user: Uuid) {
        self.refused.lock().unwrap().push(user);
    }
}

/// Says that it signs, and does not.
struct NeverSigns;

impl russh::Signer for NeverSigns {
    type Error = russh::SendError;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash: Option<HashAlg>,
        _to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, russh::SendError> {
        Err(russh::SendError {})
    }
}

/// A server, its homes, and the key of the user `KY`.
struct World {
    folder: tempfile::TempDir,
    homes: PlainHomes,
    /// Users that gave a wrong key and did not log on.
    refused: Arc<Mutex<Vec<Uuid>>>,
    key: Arc<PrivateKey>,
    counts: Counts,
    /// By how many seconds the server's clock is ahead.
    ahead: Arc<AtomicI64>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Drained>,
}

const LARGEST: u64 = 64 << 20;

fn fingerprint(key: &PrivateKey) -> Fingerprint {
    Fingerprint(key.public_key().fingerprint(HashAlg::Sha256).sha256().unwrap())
}

fn new_key() -> PrivateKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
}

impl World {
    async fn new(limits: SftpLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let homes = PlainHomes::new(folder.path().join("homes"), LARGEST);
        let key = new_key();
        homes.allow("KY", vec![fingerprint(&key)]).unwrap();
        let host_key = host_keys::generate(&folder.path().join("host.key"), Kind::Ed25519).unwrap();
        let counts = Counts::new(&Registry::new()).unwrap();
        let refused = Arc::<Mutex<Vec<Uuid>>>::default();
        let noting = Noting { homes: homes.clone(), refused: refused.clone() };
        let (ahead, system) = (Arc::<AtomicI64>::default(), Clock::system());
        let by = ahead.clone();
        let clock =
            Clock::from_fn(move || system.now().checked_add(SignedDuration::from_secs(by.load(Ordering::Relaxed))).unwrap());
        let door = Door::new(noting, vec![host_key], limits, counts.clone(), clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(door.serve(listener, async move { drop(stopped.await) }));
        Self { folder, homes, refused, key: Arc::new(key), counts, ahead, address, stop: Some(stop), serving }
    }

    async fn connect(&self) -> Client {
        client::connect(Arc::new(client::Config::default()), self.address, Anyone).await.unwrap()
    }

    async fn log_on(&self, user: &str, key: Arc<PrivateKey>) -> (Client, AuthResult) {
        let mut client = self.connect().await;
        let result = client.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, None)).await.unwrap();
        (client, result)
    }

    /// One connection that offers keys that are not the user's; it is over, and counted.
    async fn fails(&self, user: &str, keys: usize) {
        let before = self.counts.refused_so_far(Refused::LogOnFailed);
        let mut client = self.connect().await;
        for _ in 0..keys {
            let key = PrivateKeyWithHashAlg::new(Arc::new(new_key()), None);
            assert!(!client.authenticate_publickey(user, key).await.unwrap().success());
        }
        drop(client);
        let counted = async {
            while self.counts.refused_so_far(Refused::LogOnFailed) == before {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), counted).await.unwrap();
    }

    async fn logged_on(&self) -> Client {
        let (client, result) = self.log_on("KY", self.key.clone()).await;
        assert!(result.success());
        client
    }

    async fn sftp(&self) -> (Client, RawSftpSession) {
        let client = self.logged_on().await;
        let sftp = opened(&client).await;
        (client, sftp)
    }

    fn out(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("homes/KY/OUT").join(name)
    }
}

/// SFTP on a channel of a connection that has logged on.
async fn opened(client: &Client) -> RawSftpSession {
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let sftp = RawSftpSession::new(channel.into_stream());
    assert_eq!(sftp.init().await.unwrap().version, 3);
    sftp
}

/// Puts a file of seven bytes.
async fn put(sftp: &RawSftpSession, name: &str) {
    let handle = sftp.open(name, WRITE, none()).await.unwrap().handle;
    assert_eq!(sftp.stat(name).await.unwrap().attrs.size, Some(0), "while it is written");
    sftp.write(&handle, 0, b"content".to_vec()).await.unwrap();
    sftp.close(handle).await.unwrap();
}

/// What clients send that preserve times.
fn times() -> FileAttributes {
    FileAttributes { mtime: Some(1), atime: Some(1), ..none() }
}

fn status<T>(result: Result<T, Wrong>) -> StatusCode {
    match result {
        Ok(_) => StatusCode::Ok,
        Err(Wrong::Status(status)) => status.status_code,
        Err(other) => panic!("{other}"),
    }
}

fn none() -> FileAttributes {
    FileAttributes::empty()
}

fn quick() -> SftpLimits {
    SftpLimits { refusal_time: Duration::from_millis(200), ..SftpLimits::default() }
}

const WRITE: OpenFlags = OpenFlags::WRITE.union(OpenFlags::CREATE).union(OpenFlags::TRUNCATE);

#[tokio::test]
async fn an_unknown_user_and_a_wrong_key_get_the_same_answer_and_a_right_key_none_of_their_time() {
    let world = World::new(quick()).await;
    let mut answers = Vec::new();
    for user in ["KY", "UKENDT", "ky"] {
        let began = Instant::now();
        let (_client, result) = world.log_on(user, Arc::new(new_key())).await;
        assert!(began.elapsed() >= Duration::from_millis(200), "{user}");
        answers.push(format!("{result:?}"));
    }
    assert!(answers[0].contains("PublicKey") && !answers[0].contains("Password"), "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    world.logged_on().await;
}

/// What host keys a client is shown.
struct Shown(Arc<Mutex<Vec<Fingerprint>>>);

impl client::Handler for Shown {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        self.0.lock().unwrap().push(Fingerprint(key.fingerprint(HashAlg::Sha256).sha256().unwrap()));
        Ok(true)
    }
}

#[tokio::test]
async fn of_two_host_keys_of_one_kind_the_first_is_shown_and_the_other_waits() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, kind| host_keys::generate(&folder.path().join(name), kind).unwrap();
    let keys = [of("now", Kind::Ed25519), of("other", Kind::Ecdsa), of("next", Kind::Ed25519)];
    assert_eq!(host_keys::waiting(&keys), [(2, 0)]);
    let first = fingerprint(&keys[0]);
    let homes = PlainHomes::new(folder.path().join("homes"), LARGEST);
    let counts = Counts::new(&Registry::new()).unwrap();
    let door = Door::new(homes, keys.to_vec(), quick(), counts, Clock::system());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(door.serve(listener, std::future::pending()));
    let shown = Arc::<Mutex<Vec<Fingerprint>>>::default();
    client::connect(Arc::default(), address, Shown(shown.clone())).await.unwrap();
    assert_eq!(*shown.lock().unwrap(), [first]);
    serving.abort();
}

#[tokio::test]
async fn a_key_that_is_disabled_in_mid_session_is_refused_at_the_next_operation() {
    let world = World::new(quick()).await;
    let (_client, sftp) = world.sftp().await;
    let handle = sftp.open("OUT/x", WRITE, none()).await.unwrap().handle;
    world.homes.allow("KY", vec![]).unwrap();
    assert_eq!(status(sftp.write(handle, 0, b"x".to_vec()).await), StatusCode::PermissionDenied);
    assert!(sftp.stat("OUT").await.is_err(), "the session has ended");
    assert_eq!(world.counts.refused_so_far(Refused::KeyNotAllowed), 1);
    assert!(!world.out("x").exists());
}

#[tokio::test]
async fn a_write_far_beyond_the_end_is_refused_and_so_is_the_close() {
    let world = World::new(quick()).await;
    let (_client, sftp) = world.sftp().await;
    for offset in [1 << 62, u64::MAX, LARGEST] {
        let handle = sftp.open("OUT/x", WRITE, none()).await.unwrap().handle;
        assert_eq!(status(sftp.write(&handle, offset, b"x".to_vec()).await), StatusCode::Failure);
        assert_eq!(status(sftp.close(handle).await), StatusCode::Failure);
        assert!(!world.out("x").exists());
    }
}

#[tokio::test]
async fn ten_thousand_open_files_are_not_held() {
    let world = World::new(quick()).await;
    std::fs::write(world.out("x"), "x").unwrap();
    let (_client, sftp) = world.sftp().await;
    let mut opened = Vec::new();
    for _ in 0..10_000 {
        match sftp.open("OUT/x", OpenFlags::READ, none()).await {
            Ok(handle) => opened.push(handle.handle),
            Err(error) => assert_eq!(status::<()>(Err(error)), StatusCode::Failure),
        }
    }
    assert_eq!(opened.len(), operations::HANDLES);
    sftp.close(opened.pop().unwrap()).await.unwrap();
    assert!(sftp.open("OUT/x", OpenFlags::READ, none()).await.is_ok());
}

#[tokio::test]
async fn nothing_of_ssh_but_sftp_is_offered_and_what_was_asked_for_is_recorded() {
    let world = World::new(quick()).await;
    let client = world.logged_on().await;
    assert!(client.channel_open_direct_tcpip("127.0.0.1", 80, "127.0.0.1", 1).await.is_err());
    assert!(client.channel_open_direct_streamlocal("/run/docker.sock").await.is_err());
    assert!(client.channel_open_x11("127.0.0.1", 1).await.is_err());
    assert!(client.tcpip_forward("127.0.0.1", 0).await.is_err());
    assert!(client.streamlocal_forward("/tmp/socket").await.is_err());
    let mut channel = client.channel_open_session().await.unwrap();
    channel.request_shell(true).await.unwrap();
    channel.exec(true, "scp -t .").await.unwrap();
    channel.request_pty(true, "xterm", 80, 25, 0, 0, &[]).await.unwrap();
    channel.set_env(true, "LANG", "da_DK").await.unwrap();
    channel.request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0).await.unwrap();
    channel.agent_forward(true).await.unwrap();
    channel.request_subsystem(true, "netconf").await.unwrap();
    let mut refused = 0;
    while refused < 7 {
        match channel.wait().await {
            Some(russh::ChannelMsg::Failure) => refused += 1,
            Some(russh::ChannelMsg::Success) | None => panic!("after {refused}"),
            Some(_) => {}
        }
    }
    for (cause, times) in [
        (Refused::Forwarding, 2),
        (Refused::Socket, 2),
        (Refused::X11, 2),
        (Refused::Shell, 1),
        (Refused::Exec, 1),
        (Refused::Terminal, 1),
        (Refused::Environment, 1),
        (Refused::Agent, 1),
        (Refused::Subsystem, 1),
    ] {
        assert_eq!(world.counts.refused_so_far(cause), times, "{cause:?}");
    }
    // And SFTP on the same channel all the same.
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(matches!(channel.wait().await, Some(russh::ChannelMsg::Success)));
}

#[tokio::test]
async fn a_channel_that_its_client_has_ended_makes_room_for_another() {
    let world = World::new(quick()).await;
    let client = world.logged_on().await;
    // More, one after another, than a connection may have at a time; every other without the subsystem.
    let one_after_another = async {
        for at in 0..24 {
            let mut channel = client.channel_open_session().await.unwrap();
            if at % 2 == 0 {
                channel.request_subsystem(true, "sftp").await.unwrap();
            }
            channel.eof().await.unwrap();
            while !matches!(channel.wait().await, Some(russh::ChannelMsg::Close) | None) {}
        }
    };
    timeout(Duration::from_secs(60), one_after_another).await.unwrap();
    assert_eq!(world.counts.refused_so_far(Refused::Channels), 0);
}

#[tokio::test]
async fn connections_that_never_log_on_are_bounded_and_others_are_served() {
    let limits = SftpLimits { waiting: 16, waiting_of_address: 8, ..quick() };
    let world = World::new(limits).await;
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(TcpStream::connect(world.address).await.unwrap());
    }
    let (_client, sftp) = world.sftp().await;
    assert!(sftp.stat("/IN").await.is_ok());
    assert!(world.counts.refused_so_far(Refused::TooManyWaiting) >= 490);
    // Those that gave way were closed.
    let mut closed = 0;
    for stream in &mut silent[..400] {
        let mut id = Vec::new();
        closed += usize::from(timeout(Duration::from_secs(60), stream.read_to_end(&mut id)).await.is_ok());
    }
    assert_eq!(closed, 400);
}

#[tokio::test]
async fn who_does_not_log_on_in_time_is_closed_however_alive() {
    let limits = SftpLimits { log_on_timeout: Duration::from_secs(5), ..quick() };
    let world = World::new(limits).await;
    let mut silent = TcpStream::connect(world.address).await.unwrap();
    let handshaken = world.connect().await;
    let mut id = Vec::new();
    silent.read_to_end(&mut id).await.unwrap();
    assert!(id.starts_with(b"SSH-2.0-Hjemmel\r\n"), "{id:?}");
    let ended = async {
        while !handshaken.is_closed() {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(60), ended).await.unwrap();
    assert_eq!(world.counts.refused_so_far(Refused::LogOnTimeout), 2);
}

#[tokio::test]
async fn a_name_with_too_many_failures_is_let_in_no_more_and_others_from_the_same_address_are() {
    let world = World::new(SftpLimits { failures: 3, ..quick() }).await;
    let other = Arc::new(new_key());
    world.homes.allow("OPUS", vec![fingerprint(&other)]).unwrap();
    for _ in 0..2 {
        world.fails("KY", 1).await;
    }
    // A right key makes up for them.
    world.logged_on().await;
    for _ in 0..3 {
        world.fails("KY", 1).await;
    }
    let (client, result) = world.log_on("KY", world.key.clone()).await;
    assert!(!result.success(), "with the right key");
    drop(client);
    let (_client, result) = world.log_on("OPUS", other).await;
    assert!(result.success());
    let counted = async {
        while world.counts.refused_so_far(Refused::Banned) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), counted).await.unwrap();
}

#[tokio::test]
async fn a_right_key_that_is_tried_meanwhile_makes_no_ban_longer() {
    let world = World::new(SftpLimits { failures: 3, failures_within: Duration::from_secs(5), ..quick() }).await;
    for _ in 0..3 {
        world.fails("KY", 1).await;
    }
    let let_in = async { while !world.log_on("KY", world.key.clone()).await.1.success() {} };
    timeout(Duration::from_secs(60), let_in).await.unwrap();
}

#[tokio::test]
async fn an_address_from_which_ten_names_fail_is_not_answered() {
    let limits = SftpLimits { failures: 1, refusal_time: Duration::from_millis(1), ..quick() };
    let world = World::new(limits).await;
    for number in 1..=9 {
        world.fails(&format!("UKENDT_{number}"), 1).await;
    }
    drop(world.connect().await);
    world.fails("UKENDT_10", 1).await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_right_key_that_is_offered_and_not_signed_with_is_no_failure() {
    let world = World::new(SftpLimits { failures: 3, ..quick() }).await;
    for _ in 0..30 {
        let mut client = world.connect().await;
        let offered = client.authenticate_publickey_with("KY", world.key.public_key().clone(), None, &mut NeverSigns).await;
        assert!(offered.is_err(), "the server knows the key, and asks for a signature");
    }
    world.logged_on().await;
    assert_eq!(world.counts.refused_so_far(Refused::LogOnFailed), 0);
    assert!(world.refused.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_connection_with_wrong_keys_is_told_of_its_user_once_and_not_where_a_right_key_follows() {
    let mut world = World::new(SftpLimits { refusal_time: Duration::from_millis(1), ..quick() }).await;
    let user = world.homes.account("KY").await.unwrap().unwrap().id;
    world.fails("KY", OFFERS - 1).await;
    assert_eq!(*world.refused.lock().unwrap(), [user]);
    world.fails("UKENDT", 1).await;
    let mut client = world.connect().await;
    let wrong = client.authenticate_publickey("KY", PrivateKeyWithHashAlg::new(Arc::new(new_key()), None)).await.unwrap();
    let right = client.authenticate_publickey("KY", PrivateKeyWithHashAlg::new(world.key.clone(), None)).await.unwrap();
    assert!(!wrong.success() && right.success());
    drop(client);
    // Every connection is over once the server is.
    world.stop.take().unwrap().send(()).unwrap();
    timeout(Duration::from_secs(60), &mut world.serving).await.unwrap().unwrap();
    assert_eq!(*world.refused.lock().unwrap(), [user], "neither of an unknown name nor of one who logged on");
}

/// A READ as it is on the wire.
fn read_request(into: &mut BytesMut, id: u32, handle: &str, offset: u64, length: u32) {
    into.put_u32(1 + 4 + 4 + 8 + 8 + 4);
    into.put_u8(5);
    into.put_u32(id);
    into.put_u32(8);
    into.put_slice(handle.as_bytes());
    into.put_u64(offset);
    into.put_u32(length);
}

#[tokio::test]
async fn a_client_may_ask_for_a_whole_file_before_it_reads_any_of_it() {
    const PIECES: u32 = 20_000;
    const PIECE: u32 = 1024;
    let world = World::new(quick()).await;
    let content: Vec<u8> = (0..PIECES * PIECE).map(|at| (at % 251) as u8).collect();
    std::fs::write(world.out("x"), &content).unwrap();
    let client = world.logged_on().await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut stream = channel.into_stream();
    let mut open = BytesMut::new();
    open.put_slice(&[0, 0, 0, 5, 1, 0, 0, 0, 3]);
    open.put_slice(&[0, 0, 0, 22, 3, 0, 0, 0, 1, 0, 0, 0, 5]);
    open.put_slice(b"OUT/x");
    open.put_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    (0..PIECES).for_each(|piece| read_request(&mut open, piece, "00000000", u64::from(piece * PIECE), PIECE));
    stream.write_all(&open).await.unwrap();
    let mut packet = async || {
        let length = stream.read_u32().await.unwrap() as usize;
        let mut packet = vec![0; length];
        stream.read_exact(&mut packet).await.unwrap();
        packet
    };
    assert_eq!((packet().await[0], packet().await[0]), (2, 102));
    for piece in content.chunks(PIECE as usize) {
        assert!(packet().await.ends_with(piece));
    }
}

#[tokio::test]
async fn a_file_that_its_trigger_took_is_still_there_to_the_session_that_put_it() {
    let world = World::new(quick()).await;
    let (_client, sftp) = world.sftp().await;
    put(&sftp, "OUT/x").await;
    put(&sftp, "/OUT/x.trigger.partial").await;
    sftp.rename("OUT/x.trigger.partial", "OUT/x.trigger").await.unwrap();
    assert!(!world.out("x").exists());
    for name in ["OUT/x", "/OUT/x.trigger"] {
        assert_eq!(sftp.stat(name).await.unwrap().attrs.size, Some(7), "{name}");
        assert_eq!(sftp.lstat(name).await.unwrap().attrs.size, Some(7), "{name}");
        assert_eq!(status(sftp.setstat(name, times()).await), StatusCode::Ok);
    }
    let listing = sftp.opendir("/OUT").await.unwrap().handle;
    let names: Vec<_> = sftp.readdir(&listing).await.unwrap().files.into_iter().map(|file| file.filename).collect();
    assert_eq!(names, [".", ".."]);
    assert_eq!(status(sftp.readdir(&listing).await), StatusCode::Eof);
}

/// rclone writes over one connection of its pool, sets the times over another, and asks for the size over a third.
#[tokio::test]
async fn the_times_of_a_file_that_was_taken_are_set_over_any_connection_of_its_user_which_then_finds_it_and_nobody_else() {
    let world = World::new(quick()).await;
    let key = Arc::new(new_key());
    world.homes.allow("OPUS", vec![fingerprint(&key)]).unwrap();
    let ((_first, first), (_second, second)) = (world.sftp().await, world.sftp().await);
    for name in ["OUT/x", "OUT/x.trigger"] {
        put(&first, name).await;
    }
    assert!(!world.out("x").exists(), "it is taken");
    let (_third, third) = world.sftp().await;
    let (theirs, admitted) = world.log_on("OPUS", key).await;
    assert!(admitted.success());
    let theirs = opened(&theirs).await;
    for name in ["OUT/x", "OUT/x.trigger"] {
        assert_eq!(status(third.stat(name).await), StatusCode::NoSuchFile, "{name}: nothing is there to go on with");
        assert_eq!(status(theirs.setstat(name, times()).await), StatusCode::NoSuchFile, "{name}");
        assert_eq!(status(second.setstat(name, times()).await), StatusCode::Ok, "{name}");
        for sftp in [&second, &third] {
            assert_eq!(sftp.stat(name).await.unwrap().attrs.size, Some(7), "{name}");
            assert_eq!(sftp.lstat(name).await.unwrap().attrs.size, Some(7), "{name}");
        }
        assert_eq!(status(theirs.stat(name).await), StatusCode::NoSuchFile, "{name}");
    }
    assert_eq!(status(third.setstat("OUT/y", times()).await), StatusCode::NoSuchFile, "nobody put it");
    let pass = |time: Duration| world.ahead.fetch_add(time.as_secs().try_into().unwrap(), Ordering::Relaxed);
    pass(SHOWN);
    assert_eq!(status(third.stat("OUT/x").await), StatusCode::NoSuchFile, "whoever looks whether it was taken sees that it was");
    assert_eq!(status(third.setstat("OUT/x", times()).await), StatusCode::Ok);
    pass(TAKES_TIMES);
    assert_eq!(status(third.setstat("OUT/x", times()).await), StatusCode::NoSuchFile);
    assert_eq!(first.stat("OUT/x").await.unwrap().attrs.size, Some(7), "as long as the channel that put it is open");
    assert_eq!(status(first.setstat("OUT/x", times()).await), StatusCode::Ok);
}

#[tokio::test]
async fn statuses_are_those_that_clients_go_on_at() {
    let world = World::new(quick()).await;
    std::fs::write(world.out("a"), "0123456789").unwrap();
    std::fs::write(world.out("b"), "b").unwrap();
    let (_client, sftp) = world.sftp().await;
    for (path, due) in [("OUT", StatusCode::Failure), ("OUT/a", StatusCode::Failure), ("OUT/new", StatusCode::PermissionDenied)] {
        assert_eq!(status(sftp.mkdir(path, none()).await), due, "{path}");
    }
    for path in ["OUT/c", "elsewhere", "OUT/a/b", "OUT/\u{FFFD}", "IN/x"] {
        assert_eq!(status(sftp.stat(path).await), StatusCode::NoSuchFile, "{path}");
    }
    assert_eq!(status(sftp.rename("OUT/a", "OUT/b").await), StatusCode::Failure);
    assert_eq!(status(sftp.rename("OUT/a", "IN/a").await), StatusCode::PermissionDenied);
    assert_eq!(status(sftp.rename("OUT/none", "OUT/d").await), StatusCode::NoSuchFile);
    assert_eq!(status(sftp.open("IN/x", WRITE, none()).await), StatusCode::PermissionDenied);
    assert_eq!(status(sftp.open("OUT/\u{FFFD}", WRITE, none()).await), StatusCode::PermissionDenied);
    assert_eq!(status(sftp.open("OUT/b", WRITE | OpenFlags::EXCLUDE, none()).await), StatusCode::Failure);
    assert_eq!(status(sftp.symlink("OUT/a", "OUT/l").await), StatusCode::OpUnsupported);
    // scp overwrites in place and cuts the tail afterwards.
    let both = OpenFlags::READ | OpenFlags::WRITE;
    let handle = sftp.open("OUT/a", both, none()).await.unwrap().handle;
    assert_eq!(sftp.read(&handle, 8, 100).await.unwrap().data, b"89");
    assert_eq!(status(sftp.read(&handle, 10, 100).await), StatusCode::Eof);
    let size = |size| FileAttributes { size: Some(size), ..none() };
    assert_eq!(status(sftp.fsetstat(&handle, size(4)).await), StatusCode::Ok);
    sftp.close(handle).await.unwrap();
    assert_eq!(std::fs::read(world.out("a")).unwrap(), b"0123");
    // Whoever appends sends 0.
    let handle = sftp.open("OUT/a", OpenFlags::WRITE | OpenFlags::APPEND, none()).await.unwrap().handle;
    sftp.write(&handle, 0, b"45".to_vec()).await.unwrap();
    assert_eq!(status(sftp.open("OUT/a", WRITE, none()).await), StatusCode::Failure, "it is being written");
    sftp.close(handle).await.unwrap();
    assert_eq!(std::fs::read(world.out("a")).unwrap(), b"012345");
    assert_eq!(status(sftp.setstat("OUT/a", size(1)).await), StatusCode::Ok);
    assert_eq!(std::fs::read(world.out("a")).unwrap(), b"0");
}

#[tokio::test]
async fn a_listing_comes_in_answers_of_a_hundred_at_most() {
    let world = World::new(quick()).await;
    (0..250).for_each(|number| std::fs::write(world.out(&format!("{number:03}")), "x").unwrap());
    let (_client, sftp) = world.sftp().await;
    let handle = sftp.opendir("OUT").await.unwrap().handle;
    let mut names = Vec::new();
    while let Ok(page) = sftp.readdir(&handle).await {
        assert!(page.files.len() <= 100);
        names.extend(page.files.into_iter().map(|file| file.filename));
    }
    assert_eq!(names.len(), 252);
    assert_eq!(names.last().map(String::as_str), Some("249"));
}

#[tokio::test]
async fn a_drain_ends_what_is_idle_and_lets_a_transfer_finish() {
    let mut world = World::new(quick()).await;
    let (idle, _idle_sftp) = world.sftp().await;
    let (_client, sftp) = world.sftp().await;
    let handle = sftp.open("OUT/x", WRITE, none()).await.unwrap().handle;
    world.stop.take().unwrap().send(()).unwrap();
    let ended = async {
        while !idle.is_closed() {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(60), ended).await.unwrap();
    assert!(TcpStream::connect(world.address).await.is_err());
    sftp.write(&handle, 0, b"whole".to_vec()).await.unwrap();
    sftp.close(handle).await.unwrap();
    assert_eq!(std::fs::read(world.out("x")).unwrap(), b"whole");
    let drained = timeout(Duration::from_secs(60), &mut world.serving).await.unwrap().unwrap();
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn a_session_that_dies_leaves_nothing() {
    let world = World::new(quick()).await;
    let (client, sftp) = world.sftp().await;
    let handle = sftp.open("OUT/x", WRITE, none()).await.unwrap().handle;
    sftp.write(&handle, 0, b"half".to_vec()).await.unwrap();
    drop((client, sftp));
    let staged = world.folder.path().join("homes/KY/STAGED");
    let gone = async {
        while std::fs::read_dir(&staged).unwrap().count() > 0 {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(60), gone).await.unwrap();
    assert!(!world.out("x").exists());
}

#[tokio::test]
async fn what_is_no_sftp_ends_the_channel_and_not_the_server() {
    let world = World::new(quick()).await;
    let client = world.logged_on().await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut stream = channel.into_stream();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    timeout(Duration::from_secs(60), stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.is_empty());
    assert_eq!(world.counts.refused_so_far(Refused::NotSftp), 1);
    world.sftp().await;
}

/// A client's way to the server, through which answers stop coming once `stop` is told.
async fn way_that_can_stop(to: SocketAddr) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, mut stopped) = watch::channel(false);
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(to).await.unwrap();
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
        let asks = async {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        };
        let answers = async {
            let stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
            tokio::select! {
                _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                () = stop => std::future::pending().await,
            }
        };
        tokio::join!(asks, answers);
    });
    (address, stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_fills_its_room_and_reads_no_answer_is_closed_and_recorded_and_others_are_served() {
    let world = World::new(SftpLimits { stalled_after: Duration::from_millis(500), ..quick() }).await;
    std::fs::write(world.out("x"), vec![7; 20 << 20]).unwrap();
    let (way, stop) = way_that_can_stop(world.address).await;
    let mut client = client::connect(Arc::default(), way, Anyone).await.unwrap();
    let key = PrivateKeyWithHashAlg::new(world.key.clone(), None);
    assert!(client.authenticate_publickey("KY", key).await.unwrap().success());
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    // More answers than any buffer on the way holds, and more questions than there is room for.
    let mut asked = BytesMut::new();
    asked.put_slice(&[0, 0, 0, 5, 1, 0, 0, 0, 3]);
    asked.put_slice(&[0, 0, 0, 22, 3, 0, 0, 0, 1, 0, 0, 0, 5]);
    asked.put_slice(b"OUT/x");
    asked.put_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    (0..1_000).for_each(|piece| read_request(&mut asked, piece, "00000000", 0, 200_000));
    for _ in 0..5_000 {
        asked.put_slice(&[0, 0, 0, 12, 17, 0, 0, 0, 9, 0, 0, 0, 3]);
        asked.put_slice(b"OUT");
    }
    stop.send(true).unwrap();
    let _ = channel.data(&asked[..]).await;
    let closed = async {
        while world.counts.refused_so_far(Refused::Stalled) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), closed).await.expect("it is closed");
    let (_other, sftp) = world.sftp().await;
    assert!(sftp.stat("OUT/x").await.is_ok());
}

#[tokio::test]
async fn a_client_that_pauses_is_waited_for_while_it_leaves_room() {
    let world = World::new(SftpLimits { stalled_after: Duration::from_millis(100), ..quick() }).await;
    std::fs::write(world.out("x"), vec![7; 8 << 20]).unwrap();
    let client = world.logged_on().await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut stream = channel.into_stream();
    let mut asked = BytesMut::new();
    asked.put_slice(&[0, 0, 0, 5, 1, 0, 0, 0, 3]);
    asked.put_slice(&[0, 0, 0, 22, 3, 0, 0, 0, 1, 0, 0, 0, 5]);
    asked.put_slice(b"OUT/x");
    asked.put_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    (0..80).for_each(|piece| read_request(&mut asked, piece, "00000000", u64::from(piece) * 100_000, 100_000));
    stream.write_all(&asked).await.unwrap();
    // Several times as long as a client with a full room is waited for.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut all = 0;
    while all < 80 * 100_000 {
        let length = stream.read_u32().await.unwrap() as usize;
        let mut packet = vec![0; length];
        stream.read_exact(&mut packet).await.unwrap();
        all += if packet[0] == 103 { length - 9 } else { 0 };
    }
    assert_eq!(world.counts.refused_so_far(Refused::Stalled), 0);
}

/// A request with one path of any bytes: OPEN to write (3), or STAT (17).
fn by_path(kind: u8, id: u32, path: &[u8]) -> BytesMut {
    let mut packet = BytesMut::new();
    packet.put_u8(kind);
    packet.put_u32(id);
    packet.put_u32(path.len() as u32);
    packet.put_slice(path);
    if kind == 3 {
        packet.put_slice(&[0, 0, 0, 0x1a, 0, 0, 0, 0]);
    }
    let mut framed = BytesMut::new();
    framed.put_u32(packet.len() as u32);
    framed.put_slice(&packet);
    framed
}

/// A string as it is on the wire.
fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
}

/// What is answered to a packet, both without their lengths.
async fn answered(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), packet: &[u8]) -> Vec<u8> {
    stream.write_all(&[&(packet.len() as u32).to_be_bytes()[..], packet].concat()).await.unwrap();
    let length = stream.read_u32().await.unwrap() as usize;
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await.unwrap();
    packet
}

#[tokio::test]
async fn a_rename_onto_a_name_that_is_there_is_refused_and_that_of_posix_takes_its_place() {
    let world = World::new(quick()).await;
    for (name, content) in [("a", "new"), ("b", "old")] {
        std::fs::write(world.out(name), content).unwrap();
    }
    let client = world.logged_on().await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut stream = channel.into_stream();
    answered(&mut stream, &[1, 0, 0, 0, 3]).await;
    let names = [string("OUT/a"), string("OUT/b")].concat();
    let plain = answered(&mut stream, &[&[18, 0, 0, 0, 7][..], &names].concat()).await;
    assert_eq!(plain[..9], [101, 0, 0, 0, 7, 0, 0, 0, 4], "FAILURE");
    assert_eq!(std::fs::read(world.out("b")).unwrap(), b"old");
    let posix = [&[200, 0, 0, 0, 8][..], &string("posix-rename@openssh.com"), &names].concat();
    assert_eq!(answered(&mut stream, &posix).await[..9], [101, 0, 0, 0, 8, 0, 0, 0, 0], "OK");
    assert_eq!(std::fs::read(world.out("b")).unwrap(), b"new");
    assert!(!world.out("a").exists());
}

#[tokio::test]
async fn four_extensions_are_offered_and_no_others_and_the_quota_is_told_as_of_a_file_system() {
    let world = World::new(quick()).await;
    std::fs::write(world.out("x"), [b'x'; 5000]).unwrap();
    let client = world.logged_on().await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut stream = channel.into_stream();
    let mut answer = async |packet: &[u8]| answered(&mut stream, packet).await;
    let version = answer(&[1, 0, 0, 0, 3]).await;
    assert_eq!(version[..5], [2, 0, 0, 0, 3]);
    let mut offered = Vec::new();
    let mut rest = &version[5..];
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        offered.push(String::from_utf8(rest[4..4 + length].to_vec()).unwrap());
        rest = &rest[4 + length..];
    }
    let mut pairs: Vec<_> = offered.chunks(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    pairs.sort_unstable();
    let due = [
        ("fsync@openssh.com", "1"),
        ("limits@openssh.com", "1"),
        ("posix-rename@openssh.com", "1"),
        ("statvfs@openssh.com", "2"),
    ];
    assert_eq!(pairs, due);
    let asked = |path: &str| [&[200, 0, 0, 0, 7][..], &string("statvfs@openssh.com"), &string(path)].concat();
    for path in ["/", ".", "/OUT", "OUT/x"] {
        let told = answer(&asked(path)).await;
        assert_eq!(told[..5], [201, 0, 0, 0, 7], "{path}");
        let numbers: Vec<u64> = told[5..].chunks(8).map(|number| u64::from_be_bytes(number.try_into().unwrap())).collect();
        let blocks = (10 << 30) / 4096;
        assert_eq!(numbers[..5], [4096, 4096, blocks, blocks - 2, blocks - 2], "{path}: two blocks are used");
        assert_eq!((numbers[5], numbers[6], numbers[10]), (1_000_000, 999_999, 255), "{path}");
    }
    let nowhere = answer(&asked("/nowhere/x")).await;
    assert_eq!((nowhere[0], &nowhere[5..9]), (101, &[0, 0, 0, 2][..]), "there is no such place");
}

#[tokio::test]
async fn a_name_of_an_odd_form_is_refused_or_stands_as_it_is_spelt_and_nothing_lies_outside_the_home() {
    let world = World::new(quick()).await;
    let client = world.logged_on().await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut stream = channel.into_stream();
    stream.write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).await.unwrap();
    let mut packet = async |request: &[u8]| {
        stream.write_all(request).await.unwrap();
        let length = stream.read_u32().await.unwrap() as usize;
        let mut packet = vec![0; length];
        stream.read_exact(&mut packet).await.unwrap();
        packet
    };
    assert_eq!(packet(&[]).await[0], 2);
    let long = |bytes: usize| [b"OUT/".to_vec(), vec![b'x'; bytes]].concat();
    let refused: Vec<Vec<u8>> = [
        &b"OUT/\xff\xfe"[..],
        b"OUT/\xc0\xae\xc0\xae",
        b"OUT/\xed\xa0\x80",
        "OUT/\u{fffd}".as_bytes(),
        b"OUT/a\0b",
        b"OUT/a\nb",
        b"OUT/a\rb",
        b"OUT/\x1b[2J",
        b"OUT/\x7f",
        "OUT/a\u{85}b".as_bytes(),
        "OUT/a\u{2028}b".as_bytes(),
        b"",
        b"/",
        b".",
        b"..",
        b"OUT",
        b"OUT/.",
        b"OUT/..",
        b"OUT/../../etc/passwd",
        b"/OUT/../IN/x",
        b"OUT/a/b",
        b"IN/x",
        b"out/x",
        b"/etc/passwd",
        b"STAGED/x",
        b"../KY/OUT/x",
    ]
    .map(<[u8]>::to_vec)
    .into_iter()
    .chain([long(256), long(5_000), long(100_000)])
    .collect();
    for path in &refused {
        let answer = packet(&by_path(3, 7, path)).await;
        assert!(answer[0] == 101 && answer[8] != 0, "{}: {answer:?}", String::from_utf8_lossy(path));
    }
    let taken: Vec<Vec<u8>> = [
        "OUT/Æblegrød Å.xml",
        "OUT/A\u{30a}",
        "OUT/-rf",
        "OUT/~",
        "OUT/*",
        "OUT/$(reboot)",
        "OUT/a;b|c&d",
        "OUT/ ",
        "OUT/..x",
        "OUT/CON",
        "OUT/\u{202e}gpj.exe",
        "OUT/#1",
        "OUT/\u{1f512}",
        "OUT/%2e%2e",
        "OUT/a\\b",
    ]
    .map(|path| path.as_bytes().to_vec())
    .into_iter()
    .chain([long(255)])
    .collect();
    for path in &taken {
        let answer = packet(&by_path(3, 8, path)).await;
        assert_eq!(answer[0], 102, "{}", String::from_utf8_lossy(path));
        let close = [&[0, 0, 0, 17, 4][..], &answer[1..]].concat();
        assert_eq!(packet(&close).await[8], 0, "{}", String::from_utf8_lossy(path));
    }
    let mut lies: Vec<_> =
        std::fs::read_dir(world.out("")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    lies.sort();
    let mut due: Vec<_> = taken.iter().map(|path| String::from_utf8(path[4..].to_vec()).unwrap()).collect();
    due.sort();
    assert_eq!(lies, due);
    let homes = std::fs::read_dir(world.folder.path().join("homes")).unwrap().count();
    let in_home = std::fs::read_dir(world.folder.path().join("homes/KY")).unwrap().count();
    assert_eq!((homes, in_home), (1, 3), "IN, OUT and STAGED of KY");
    assert_eq!(std::fs::read_dir(world.folder.path().join("homes/KY/STAGED")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_request_that_drips_in_byte_by_byte_is_answered_and_keeps_nobody_waiting() {
    let world = World::new(quick()).await;
    std::fs::write(world.out("x"), "x").unwrap();
    let slow = world.logged_on().await;
    let channel = slow.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut stream = channel.into_stream();
    let mut asked = BytesMut::from(&[0, 0, 0, 5, 1, 0, 0, 0, 3][..]);
    asked.extend_from_slice(&by_path(17, 5, b"OUT/x"));
    let (_other, sftp) = world.sftp().await;
    for byte in &asked {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
        assert!(sftp.stat("OUT/x").await.is_ok());
    }
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let length = stream.read_u32().await.unwrap() as usize;
        let mut packet = vec![0; length];
        stream.read_exact(&mut packet).await.unwrap();
        answers.push(packet[0]);
    }
    assert_eq!(answers, [2, 105]);
}
