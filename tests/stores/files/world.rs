//! The core of files with a store, an object store, an audit, and a clock that the test moves; users who put and fetch.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hjemmel::agreements::State;
use hjemmel::audit::record::Record;
use hjemmel::audit::search::search;
use hjemmel::audit::{Audit, AuditSettings, keys};
use hjemmel::clock::Clock;
use hjemmel::files::core::{JOBS, Step};
use hjemmel::files::home::{File, Folder, Home, Homes, Opening, Problem};
use hjemmel::files::key::PublicKey;
use hjemmel::files::name::Name;
use hjemmel::files::orders::{self, Order};
use hjemmel::files::users::{self, User};
use hjemmel::files::{Files, Parts, Settings};
use hjemmel::objects::settings::Place;
use hjemmel::store::{Access, Database, jobs::Rules};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::tables;

pub const SENDER: &str = "KY_SIMPELSFTP";
pub const RECIPIENT: &str = "OPUS_SIMPELSFTP";
pub const OTHER: &str = "PRISME_SFTP";
pub const SYSTEM: &str = "72393598-70fe-467f-b68c-65643e5c5e90";
pub const NAME: &str = "KY_FINANS_1.xml";

/// Tries again at once. No lease ends by itself while a test runs.
pub const RULES: Rules = Rules {
    lease: std::time::Duration::from_secs(60),
    attempts: 3,
    first_pause: std::time::Duration::from_millis(10),
    longest_pause: std::time::Duration::from_millis(10),
};

pub struct World {
    pub kind: &'static str,
    pub files: Files,
    pub parts: Parts,
    pub database: Database,
    pub folder: PathBuf,
    pub now: Arc<Mutex<Timestamp>>,
    #[allow(dead_code)] // not every program of tests that has this world asks
    pub store: hjemmel::store::Settings,
    _temporary: Option<tempfile::TempDir>,
}

/// A key of the form that OpenSSH writes; nobody has its private half.
pub fn key(of: u8) -> PublicKey {
    let string = |bytes: &[u8]| [u32::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), bytes].concat();
    let blob = [string(b"ssh-ed25519"), string(&[of; 32])].concat();
    format!("ssh-ed25519 {} test", STANDARD.encode(blob)).parse().unwrap()
}

pub fn id(name: &str) -> Uuid {
    Uuid::from_u128(name.bytes().fold(7, |sum, byte| sum * 31 + u128::from(byte)))
}

pub fn order(sender: &str, recipient: &str) -> Order {
    Order {
        id: Uuid::new_v4(),
        state: State::Approved,
        sender: id(sender),
        recipient: id(recipient),
        sender_authority: "11111111".parse().unwrap(),
        recipient_authority: "11111111".parse().unwrap(),
        inf_ref: None,
        pattern: Some("*".to_owned()),
        legal_basis: "Bogføringsloven § 6".to_owned(),
        purpose: "Bogføring af ydelser".to_owned(),
        valid_from: jiff::civil::date(2026, 1, 1),
        valid_to: None,
        largest_bytes: 1_000_000,
        keep_days: 7,
        alarm_hours: 24,
        delete_days: 30,
    }
}

/// What the core stands on, in a folder.
pub fn parts_in(folder: &Path, database: Database, now: Arc<Mutex<Timestamp>>) -> Parts {
    let audit_keys = folder.join("audit-keys");
    if !audit_keys.exists() {
        keys::generate(&audit_keys).unwrap();
        hjemmel::objects::keys::generate(&folder.join("content.key")).unwrap();
        std::fs::create_dir(folder.join("staging")).unwrap();
    }
    let clock = Clock::from_fn(move || *now.lock().unwrap());
    let checkpoint = keys::checkpoint_key(&audit_keys.join("checkpoint.key")).unwrap();
    // A disk that is slow for a while fails no attempt here.
    let patience = std::time::Duration::from_secs(60);
    let settings = AuditSettings { patience, ..AuditSettings::in_dir(folder.join("audit")) };
    let audit = Audit::start(settings, checkpoint, clock.clone(), |_| {}).unwrap();
    let sealer = keys::sealer(&audit_keys.join("pseudonym.key"), &audit_keys.join("auditors.pub")).unwrap();
    let place = Place::Folder(folder.join("objects"));
    let objects =
        hjemmel::objects::Settings { place, key: folder.join("content.key"), earlier_keys: vec![], part_bytes: 1 << 20 };
    let (sealer, contents) = (Arc::new(sealer), Arc::default());
    Parts { database, objects: objects.open().unwrap(), audit, sealer, clock, contents }
}

/// The core over what lies in a folder, for a test or for a process that it kills.
pub fn files_in(folder: &Path, parts: Parts, rules: Rules, at_step: Option<Arc<dyn Fn(Step) + Send + Sync>>) -> Files {
    let mut settings = Settings::usual("test".parse().unwrap(), folder.join("staging"));
    settings.largest_file = 2_000_000;
    Files::with(parts, settings, rules, at_step)
}

/// Three users with a key each, and an order from the first to the second.
pub async fn populate(database: &Database, now: Timestamp) {
    let mut transaction = database.begin().await.unwrap();
    for (at, name) in (1..).zip([SENDER, RECIPIENT, OTHER]) {
        let user = User {
            id: id(name),
            name: name.to_owned(),
            environment: "test".parse().unwrap(),
            system: if name == SENDER { SYSTEM.parse().unwrap() } else { id("system").max(id(name)) },
            authority: "11111111".parse().unwrap(),
            older_root: false,
            bytes_limit: 10_000_000,
            disabled: false,
            valid_to: None,
            seen: None,
            refused: None,
            used: users::Used::default(),
        };
        users::add(&mut transaction, &user, now).await.unwrap();
        users::add_key(&mut transaction, user.id, &key(at), "prod", None, now).await.unwrap();
    }
    orders::add(&mut transaction, &order(SENDER, RECIPIENT)).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Does what is due, until nothing is.
pub async fn settle(files: &Files, database: &Database) {
    crate::settle::settle(database, JOBS, || files.work_once()).await;
}

impl World {
    /// One on SQLite and, where it is there, one on PostgreSQL.
    pub async fn all() -> Vec<Self> {
        let mut worlds = Vec::new();
        for (kind, settings, temporary) in tables::on_each().await {
            let database = Database::open(&settings, Access::Make).await.unwrap();
            let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
            populate(&database, now).await;
            let now = Arc::new(Mutex::new(now));
            let parts = parts_in(temporary.path(), database.clone(), now.clone());
            let files = files_in(temporary.path(), parts.clone(), RULES, None);
            let folder = temporary.path().to_owned();
            worlds.push(Self { kind, files, parts, database, folder, now, store: settings, _temporary: Some(temporary) });
        }
        worlds
    }

    pub fn pass(&self, duration: SignedDuration) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(duration).unwrap();
    }

    pub async fn home(&self, user: &str) -> <Files as Homes>::Home {
        home(&self.files, user).await
    }

    /// Does what is due, until nothing is.
    pub async fn settle(&self) {
        settle(&self.files, &self.database).await;
    }

    /// What the audit says of the calls that match, once every one that was opened is closed on its disk: closing waits for no disk.
    pub async fn recorded(&self, matches: impl Fn(&Record) -> bool) -> BTreeMap<Uuid, Record> {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.parts.audit.stats().open_calls > 0 {
            assert!(std::time::Instant::now() < deadline, "{}: a call was never closed", self.kind);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        search(&self.folder.join("audit"), matches).unwrap().calls
    }

    pub async fn order(&self, order: Order) {
        let mut transaction = self.database.begin().await.unwrap();
        orders::add(&mut transaction, &order).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub async fn set_order(&self, order: Uuid, state: State) {
        let mut transaction = self.database.begin().await.unwrap();
        orders::set_state(&mut transaction, order, state).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub async fn only_order(&self) -> Uuid {
        orders::all(&mut self.database.session().await.unwrap()).await.unwrap()[0].id
    }

    /// What a user sees in a folder, by name.
    pub async fn list(&self, user: &str, folder: Folder) -> Vec<String> {
        list(&self.home(user).await, folder).await
    }

    /// A receipt in the sender's IN, if it is there.
    pub async fn receipt(&self, name: &str) -> Option<String> {
        get(&self.home(SENDER).await, &format!("{name}.sftpreceipt")).await.ok()
    }

    /// The numbers in a receipt.
    pub async fn codes(&self, name: &str) -> Vec<u32> {
        let text = self.receipt(name).await.unwrap_or_else(|| panic!("{}: a receipt", self.kind));
        text.split("<ErrorCode>").skip(1).map(|rest| rest.get(..4).unwrap().parse().unwrap()).collect()
    }

    pub async fn send(&self, name: &str, content: &[u8]) {
        let home = self.home(SENDER).await;
        put(&home, name, content).await.unwrap();
        put(&home, &format!("{name}.trigger"), trigger(name, content.len()).as_bytes()).await.unwrap();
        self.settle().await;
    }
}

pub async fn home(files: &Files, user: &str) -> <Files as Homes>::Home {
    let account = files.account(user).await.unwrap().unwrap();
    files.enter(account.id, account.keys[0], IpAddr::V4(Ipv4Addr::LOCALHOST)).await.unwrap()
}

pub fn name(spelt: &str) -> Name {
    Name::new(spelt).unwrap()
}

pub async fn list(home: &impl Home<Folder = Folder>, folder: Folder) -> Vec<String> {
    let all = home.list(Some(&folder), None, 10_000).await.unwrap();
    all.iter().map(|entry| entry.name().spelt().to_owned()).collect()
}

pub const ANEW: Opening = Opening { create: true, new_only: false, truncate: true };

pub async fn put(home: &impl Home<Folder = Folder>, spelt: &str, content: &[u8]) -> Result<(), Problem> {
    let mut file = home.write(&Folder::Out, &name(spelt), ANEW).await?;
    for (at, piece) in content.chunks(32 * 1024).enumerate() {
        file.write_at((at * 32 * 1024) as u64, Bytes::copy_from_slice(piece)).await?;
    }
    file.close().await
}

/// Reads a file of IN to its end and closes it: as a client fetches.
pub async fn get(home: &impl Home<Folder = Folder>, spelt: &str) -> Result<String, Problem> {
    let mut file = home.read(&Folder::In, &name(spelt)).await?;
    let mut all = Vec::new();
    loop {
        let piece = file.read_at(all.len() as u64, 1000).await?;
        if piece.is_empty() {
            break;
        }
        all.extend_from_slice(&piece);
    }
    file.close().await?;
    Ok(String::from_utf8(all).unwrap())
}

pub fn trigger(name: &str, size: usize) -> String {
    trigger_to(name, size, SENDER, &[RECIPIENT], "")
}

pub fn trigger_to(name: &str, size: usize, sender: &str, recipients: &[&str], routing: &str) -> String {
    let recipients: String = recipients.iter().map(|name| format!("<Recipients>{name}</Recipients>")).collect();
    format!(
        "<ns2:Trigger xmlns:ns2=\"http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types\"><FileDescriptor>\
         <FileName>{name}</FileName><SizeInBytes>{size}</SizeInBytes><Sender>{sender}</Sender>\
         <SendersFileId>fil-1</SendersFileId>{recipients}</FileDescriptor>\
         <FileContentDescriptor>{routing}</FileContentDescriptor></ns2:Trigger>"
    )
}

pub fn routing(inf_ref: &str, transaction: u128) -> String {
    format!(
        "<SFTPDynamicRoutingInfo><InfRef>{inf_ref}</InfRef><SenderIt-system>{SYSTEM}</SenderIt-system>\
         <SenderAuthority>urn:oio:cvr-nr:11111111</SenderAuthority><TransactionId>{}</TransactionId>\
         <SenderTimestamp>2026-11-29T10:00:00+01:00</SenderTimestamp>\
         <RecipientAuthority>urn:oio:cvr-nr:11111111</RecipientAuthority></SFTPDynamicRoutingInfo>",
        Uuid::from_u128(transaction)
    )
}
