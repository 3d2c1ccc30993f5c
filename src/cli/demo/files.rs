//! The demo's files: vouchers by SFTP to a ledger's mailbox, its answer back, one refused, and one that nobody fetches.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use russh::client;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use uuid::Uuid;

use super::world::{World, WorldError};
use crate::agreements::State;
use crate::clock::civil_day;
use crate::edge::sftp::host_keys::{self, Kind};
use crate::files::key;
use crate::files::orders::{self, Order};
use crate::files::users::{self, Used, User};
use crate::files::xml::written::{Routed, trigger};
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use crate::store::{Access, Database, Settings};
use crate::stub::finance::ledger::Ledger;
use crate::stub::finance::sample::{Parties, Sample};
use crate::stub::pki::Role;
use crate::stub::population::KORSBAEK;

/// The user that sends vouchers, and the ledger's.
pub(super) const SENDER: &str = "KORSBAEK_FAG";
const LEDGER: &str = "KORSBAEK_BOGHOLDERI";
/// The ledger's it-system.
const LEDGER_SYSTEM: Uuid = Uuid::from_u128(0x1ed9_e200_0000_4000_8000_0000_0000_0001);
const VOUCHERS: &str = "SF1590_A_IF02-03";
const ANSWERS: &str = "SF1590_A_IF04";
/// How long a receipt may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much later nobody has fetched a file.
const LATER: SignedDuration = SignedDuration::from_hours(31 * 24);

/// A file of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// The ledger gets it, and answers.
    Answered,
    /// The platform refuses it.
    Refused,
    /// Nobody fetches it.
    Unfetched,
}

impl Scene {
    /// All of them, in order.
    pub const ALL: [Scene; 3] = [Scene::Answered, Scene::Refused, Scene::Unfetched];

    /// What happens, in a line.
    pub fn title(self) -> &'static str {
        match self {
            Scene::Answered => "a file of vouchers by SFTP, and the ledger's receipt back as a file",
            Scene::Refused => "a file of vouchers with three things wrong, told in one receipt",
            Scene::Unfetched => "a file that the ledger does not fetch (31 days on): the sender is told",
        }
    }

    /// What must come of it.
    fn expected(self) -> &'static str {
        match self {
            Scene::Answered => "ACCEPTERET",
            Scene::Refused => "FB003 FB004 FB010",
            Scene::Unfetched => "1070",
        }
    }
}

/// A file that was sent.
#[allow(missing_docs)] // the names say it
pub struct Played {
    pub scene: Scene,
    /// What came of it, in codes.
    pub code: String,
    /// What was put where and what was told, a line each.
    pub lines: Vec<String>,
    /// Whether the code is the one that must come.
    pub as_expected: bool,
}

/// Makes keys and folders below `dir`.
///
/// # Errors
/// They could not be written.
pub fn write(dir: &Path) -> Result<(), WorldError> {
    for folder in ["sftp", "sftp/objects", "sftp/staging", "object-keys"] {
        std::fs::create_dir_all(dir.join(folder))?;
    }
    crate::objects::keys::generate(&dir.join("object-keys/content.key"))?;
    for key in ["host", "korsbaek", "ledger"] {
        host_keys::generate(&dir.join(format!("sftp/{key}.key")), Kind::Ed25519)?;
    }
    Ok(())
}

/// What the gateway's configuration says of them.
pub fn settings() -> String {
    "[objects]\nurl = \"file:sftp/objects\"\nkey = \"object-keys/content.key\"\n\
     [sftp]\naddress = \"127.0.0.1:0\"\nhost_keys = [\"sftp/host.key\"]\nstaging = \"sftp/staging\"\n"
        .to_owned()
}

/// The mailboxes at work.
pub struct Mailboxes {
    address: SocketAddr,
    host: PublicKey,
    keys: [Arc<PrivateKey>; 2],
    ledger: Ledger,
}

/// Knows the server by its key.
struct Known(PublicKey);

impl client::Handler for Known {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(matches!(key, PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == self.0.key_data()))
    }
}

/// One session, and the connection that it lives on.
struct Session {
    _connection: client::Handle<Known>,
    sftp: RawSftpSession,
}

impl Session {
    async fn put(&self, path: &str, content: &[u8]) -> Result<(), WorldError> {
        let how = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let handle = self.sftp.open(path, how, FileAttributes::empty()).await?.handle;
        let mut offset = 0;
        for piece in content.chunks(32 * 1024) {
            self.sftp.write(&handle, offset, piece.to_vec()).await?;
            offset += piece.len() as u64;
        }
        self.sftp.close(handle).await?;
        Ok(())
    }

    /// A file, once it is there.
    async fn get(&self, path: &str) -> Result<Vec<u8>, WorldError> {
        let until = tokio::time::Instant::now() + PATIENCE;
        let handle = loop {
            match self.sftp.open(path, OpenFlags::READ, FileAttributes::empty()).await {
                Ok(opened) => break opened.handle,
                Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => {}
                Err(error) => return Err(error.into()),
            }
            if tokio::time::Instant::now() > until {
                return Err(format!("{path} did not come").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let mut content = Vec::new();
        loop {
            match self.sftp.read(&handle, content.len() as u64, 32 * 1024).await {
                Ok(read) => content.extend_from_slice(&read.data),
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.sftp.close(handle).await?;
        Ok(content)
    }

    async fn remove(&self, path: &str) -> Result<(), WorldError> {
        self.sftp.remove(path).await?;
        Ok(())
    }
}

impl Mailboxes {
    /// Gives Korsbæk's system and its ledger a mailbox each, and a route both ways.
    ///
    /// # Errors
    /// What kept it from being so.
    pub async fn start(world: &World) -> Result<Self, WorldError> {
        let read = |name: &str| host_keys::read(&[world.dir.join(format!("sftp/{name}.key"))]);
        let only = |keys: Vec<PrivateKey>| keys.into_iter().next().ok_or("no key");
        let (host, sender, ledger) = (only(read("host")?)?, only(read("korsbaek")?)?, only(read("ledger")?)?);
        let now = world.clock.now();
        let database = Database::open(&Settings::sqlite(&world.dir.join("agreements.sqlite")), Access::Change).await?;
        let mut transaction = database.begin().await?;
        let user = |id: u128, name: &str, system: Uuid| -> Result<User, WorldError> {
            Ok(User {
                id: Uuid::from_u128(0x5f79_0000_0000_4000_8000_0000_0000_0000 + id),
                name: name.to_owned(),
                environment: "demo".parse().map_err(|_| "no environment")?,
                system,
                authority: KORSBAEK.parse()?,
                older_root: false,
                bytes_limit: 1 << 30,
                disabled: false,
                valid_to: None,
                seen: None,
                refused: None,
                used: Used::default(),
            })
        };
        let (from, to) = (user(1, SENDER, Role::Korsbaek.uuid().parse()?)?, user(2, LEDGER, LEDGER_SYSTEM)?);
        for (user, key) in [(&from, &sender), (&to, &ledger)] {
            users::add(&mut transaction, user, now).await?;
            let public: key::PublicKey = key.public_key().to_openssh()?.parse()?;
            users::add_key(&mut transaction, user.id, &public, "demo", None, now).await?;
        }
        for (sender, recipient, inf_ref) in [(from.id, to.id, VOUCHERS), (to.id, from.id, ANSWERS)] {
            let order = Order {
                id: Uuid::new_v4(),
                state: State::Approved,
                sender,
                recipient,
                sender_authority: KORSBAEK.parse()?,
                recipient_authority: KORSBAEK.parse()?,
                inf_ref: Some(inf_ref.to_owned()),
                pattern: None,
                legal_basis: "Lov om kommunernes styrelse §§ 45 og 57".to_owned(),
                purpose: "At bogføre finansbilag".to_owned(),
                valid_from: jiff::civil::date(2026, 1, 1),
                valid_to: None,
                largest_bytes: 1 << 30,
                keep_days: 7,
                alarm_hours: 24,
                delete_days: 30,
            };
            orders::add(&mut transaction, &order).await?;
        }
        transaction.commit().await?;
        database.close().await;
        let address = world.sftp().ok_or("there is no SFTP server")?;
        let keys = [Arc::new(sender), Arc::new(ledger)];
        Ok(Self { address, host: host.public_key().clone(), keys, ledger: Ledger::default() })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes a file of vouchers with its trigger, for whoever tries a client.
    ///
    /// # Errors
    /// They could not be written.
    pub fn invite(&self, world: &World) -> Result<(), WorldError> {
        let folder = world.dir.join("files");
        std::fs::create_dir_all(&folder)?;
        let content = sample(world, 0x1590)?.delivery();
        std::fs::write(folder.join("BILAG.xml"), &content)?;
        Ok(std::fs::write(folder.join("BILAG.xml.trigger"), of_vouchers(world, SENDER, "BILAG.xml", content.len())?)?)
    }

    async fn log_on(&self, user: &str) -> Result<Session, WorldError> {
        let [sender, ledger] = &self.keys;
        let key = if user == SENDER { sender } else { ledger };
        let config = Arc::new(client::Config::default());
        let mut connection = client::connect(config, self.address, Known(self.host.clone())).await?;
        let proof = PrivateKeyWithHashAlg::new(key.clone(), None);
        if !connection.authenticate_publickey(user, proof).await?.success() {
            return Err(format!("{user} was not let in").into());
        }
        let channel = connection.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.init().await?;
        Ok(Session { _connection: connection, sftp })
    }

    /// Puts a file and its trigger, and gives the receipt.
    async fn sent(&self, world: &World, from: &str, name: &str, content: &[u8]) -> Result<String, WorldError> {
        let session = self.log_on(from).await?;
        let trigger = of_vouchers(world, from, name, content.len())?;
        session.put(&format!("OUT/{name}"), content).await?;
        session.put(&format!("OUT/{name}.trigger"), trigger.as_bytes()).await?;
        Ok(String::from_utf8(session.get(&format!("IN/{name}.sftpreceipt")).await?)?)
    }

    /// Plays a scene.
    ///
    /// # Errors
    /// A mailbox that cannot be reached, or a receipt that does not come.
    pub async fn play(&self, world: &World, scene: Scene) -> Result<Played, WorldError> {
        let mut sample = sample(world, 0x5f79 + scene as u64)?;
        let name = format!("KORSBAEK_BILAG_{}.xml", scene as u64 + 1);
        if scene == Scene::Refused {
            sample.control = [Some("9".to_owned()), None, Some("0.01".to_owned()), None];
            let posting = sample.vouchers.first_mut().and_then(|voucher| voucher.postings.first_mut());
            posting.ok_or("no posting")?.amount = "1.00".to_owned();
        }
        let content = sample.delivery().into_bytes();
        let told = self.sent(world, SENDER, &name, &content).await?;
        let mut lines = vec![format!("{SENDER} puts OUT/{name} and its .trigger"), format!("IN/{name}.sftpreceipt says")];
        lines.extend(said(&told));
        let code = match scene {
            Scene::Answered => self.answered(world, &name, &mut lines).await?,
            Scene::Refused => codes(&told),
            Scene::Unfetched => self.unfetched(world, &name, &mut lines).await?,
        };
        Ok(Played { scene, as_expected: code == scene.expected(), code, lines })
    }

    /// The ledger fetches, books and answers; the sender reads the answer.
    async fn answered(&self, world: &World, name: &str, lines: &mut Vec<String>) -> Result<String, WorldError> {
        let ledger = self.log_on(LEDGER).await?;
        let taken = ledger.get(&format!("IN/{name}")).await?;
        for file in [name.to_owned(), format!("{name}.metadata")] {
            ledger.remove(&format!("IN/{file}")).await?;
        }
        let answer = self.ledger.by_file(&taken).ok_or("the ledger cannot read the file")?;
        let name = format!("KVITTERING_{name}");
        let told = self.sent(world, LEDGER, &name, &answer).await?;
        lines.push(format!("{LEDGER} fetches it, books, and puts OUT/{name}; its receipt says"));
        lines.extend(said(&told));
        let back = self.log_on(SENDER).await?.get(&format!("IN/{name}")).await?;
        let document = Document::parse(back.into(), &Limits { nodes: 1_000_000, ..Limits::default() });
        let document = document.map_err(|_| "the ledger's answer is no XML")?;
        let (code, results) = super::finance::read_answer(document.root());
        lines.push(format!("{SENDER} fetches IN/{name}: {code}"));
        lines.extend(results.into_iter().map(|result| format!("  {}", result.split(' ').take(2).collect::<Vec<_>>().join(" "))));
        Ok(code)
    }

    /// A month goes by for the mailboxes alone.
    async fn unfetched(&self, world: &World, name: &str, lines: &mut Vec<String>) -> Result<String, WorldError> {
        world.sweep_files(world.clock.now().checked_add(LATER)?).await?;
        let receipt = self.log_on(SENDER).await?.get(&format!("IN/{name}.sftpreceipt")).await?;
        let receipt = String::from_utf8(receipt)?;
        lines.push("31 days on, nobody has fetched it; the receipt now says".to_owned());
        lines.extend(said(&receipt));
        Ok(codes(&receipt))
    }
}

/// Vouchers of Korsbæk's, for its own ledger, new each time that the demo is run.
fn sample(world: &World, seed: u64) -> Result<Sample, WorldError> {
    let day = civil_day(world.clock.now()).ok_or("no zone of Copenhagen")?;
    let parties = Parties { system: Role::Korsbaek.uuid().parse()?, sender: KORSBAEK.parse()?, receiver: KORSBAEK.parse()?, day };
    Ok(Sample::ordinary(seed, &parties, 3))
}

/// The trigger of a delivery, or of the answer to one.
fn of_vouchers(world: &World, from: &str, name: &str, size: usize) -> Result<String, WorldError> {
    let (to, inf_ref, own, other) = match from {
        SENDER => (LEDGER, VOUCHERS, Role::Korsbaek.uuid().parse()?, LEDGER_SYSTEM),
        _ => (SENDER, ANSWERS, LEDGER_SYSTEM, Role::Korsbaek.uuid().parse()?),
    };
    Ok(trigger(&Routed {
        file: name,
        size: size as u64,
        sender: from,
        recipient: to,
        inf_ref,
        sender_system: own,
        sender_authority: KORSBAEK.parse()?,
        transaction: Uuid::new_v4(),
        sent_at: world.clock.now(),
        recipient_system: other,
        recipient_authority: KORSBAEK.parse()?,
    }))
}

/// The texts of one element of a receipt.
fn texts<'a>(receipt: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    receipt.split(open.as_str()).skip(1).filter_map(|rest| rest.split(close.as_str()).next()).collect()
}

/// What a receipt says, a line each, in Danish.
fn said(receipt: &str) -> Vec<String> {
    let success = texts(receipt, "Message").into_iter().map(|message| format!("  {message}"));
    let errors = texts(receipt, "ErrorCode").into_iter().zip(texts(receipt, "ErrorDescription"));
    success.chain(errors.map(|(code, text)| format!("  {code} {}", text.split(" / ").next().unwrap_or(text)))).collect()
}

/// Its codes: those of the service where it has some, sorted.
fn codes(receipt: &str) -> String {
    let own = texts(receipt, "ErrorDescription").into_iter();
    let mut own: Vec<&str> = own.filter_map(|text| text.split_whitespace().find(|word| word.starts_with("FB"))).collect();
    own.sort_unstable();
    if own.is_empty() { texts(receipt, "ErrorCode").join(" ") } else { own.join(" ") }
}
