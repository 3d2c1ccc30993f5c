//! Mailboxes of partner agreements, on SQLite and PostgreSQL: an institution and a central system.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hjemmel::agreements::Thumbprint;
use hjemmel::audit::{Audit, AuditSettings, keys};
use hjemmel::clock::Clock;
use hjemmel::files::core::{Files, Parts, Settings};
use hjemmel::files::home::Fingerprint;
use hjemmel::files::partner::agreement::{self, Number, Standing, Terms};
use hjemmel::files::partner::core::{Entered, JOBS, MailboxError, Mailboxes, Step};
use hjemmel::files::partner::deliver::{Begun, Delivery, Through};
use hjemmel::files::partner::fetch::Which;
use hjemmel::files::partner::rows::{File, Transport, Validation};
use hjemmel::files::partner::silence::Cause;
use hjemmel::files::partner::status;
use hjemmel::files::partner::users::{self, Right, Shown, User};
use hjemmel::objects::settings::Place;
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::store::{Access, Database};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::world::{RULES, name};
use crate::settle::leases_end;
use crate::tables;

pub(super) const INSTITUTION: &str = "PA85858";
pub(super) const CENTRAL: &str = "PA00001";
pub(super) const STRANGER: &str = "PA99999";

pub(super) struct Post {
    pub(super) kind: &'static str,
    pub(super) mailboxes: Mailboxes,
    pub(super) parts: Parts,
    pub(super) files: Files,
    pub(super) database: Database,
    pub(super) folder: std::path::PathBuf,
    pub(super) now: Arc<Mutex<Timestamp>>,
    _temporary: tempfile::TempDir,
}

pub(super) fn number(text: &str) -> Number {
    text.parse().unwrap()
}

pub(super) fn terms(of: &str, rest: &str) -> Terms {
    let head = format!(
        "number = '{of}'\nowner = '11111111'\nenvironment = 'test'\nlegal_basis = 'Regnskabsbekendtgørelsen § 20'\n\
         purpose = 'Løn'\ncontact = {{ email = 'loen@kommune.example', phone = '+45 00000000' }}\n{rest}"
    );
    toml::from_str::<Terms>(&head).unwrap().sound().unwrap()
}

pub(super) const OWN: &str = "[[alias]]\nkind = 'LOENGRUPPE'\ncode = '4711'\nvalid_from = '2026-01-01'\nvalid_to = '2027-01-01'\n\
    [[stream]]\ncode = 'LOENPOSTER'\ndirection = 'UD'\ncounterpart = 'PA00001'\nlargest_bytes = 1000000\nrhythm_hours = 24\n\
    [stream.validator.control]\nseparator = ';'\nposting = 'P'\ncontrol = 'K'\ncircle = 2\nside = 3\namount = 4\nchart = 2\ncount = 3\n\
    debit = 4\ncredit = 5\nalias_kind = 'LOENGRUPPE'\ncharts = ['2026']\n\
    [[stream]]\ncode = 'LOENRESULTAT'\ndirection = 'IND'\ncounterpart = 'PA00001'\nrhythm_hours = 24\nkeep_days = 3\n";
const OF_CENTRAL: &str =
    "[[stream]]\ncode = 'LOENPOSTER'\ndirection = 'IND'\n[[stream]]\ncode = 'LOENRESULTAT'\ndirection = 'UD'\nkeep_days = 3\n";

pub(super) const GOOD: &[u8] = b"P;4711;D;10,50\nP;4711;K;10,50\nK;2026;2;10,50;10,50\n";

pub(super) fn mailboxes(
    folder: &std::path::Path,
    database: Database,
    now: Arc<Mutex<Timestamp>>,
    at_step: Option<Arc<dyn Fn(Step) + Send + Sync>>,
    audit: &str,
) -> Mailboxes {
    let parts = parts(folder, database, now, audit);
    Mailboxes::with(parts, "test".parse().unwrap(), RULES, at_step)
}

pub(super) fn parts(folder: &std::path::Path, database: Database, now: Arc<Mutex<Timestamp>>, audit: &str) -> Parts {
    let audit_keys = folder.join("audit-keys");
    if !audit_keys.exists() {
        keys::generate(&audit_keys).unwrap();
        hjemmel::objects::keys::generate(&folder.join("content.key")).unwrap();
    }
    let clock = Clock::from_fn(move || *now.lock().unwrap());
    let checkpoint = keys::checkpoint_key(&audit_keys.join("checkpoint.key")).unwrap();
    let patience = std::time::Duration::from_secs(60);
    let settings = AuditSettings { patience, ..AuditSettings::in_dir(folder.join(audit)) };
    let audit = Audit::start(settings, checkpoint, clock.clone(), |_| {}).unwrap();
    let sealer = keys::sealer(&audit_keys.join("pseudonym.key"), &audit_keys.join("auditors.pub")).unwrap();
    let place = Place::Folder(folder.join("objects"));
    let objects =
        hjemmel::objects::Settings { place, key: folder.join("content.key"), earlier_keys: vec![], part_bytes: 1 << 20 };
    Parts { database, objects: objects.open().unwrap(), audit, sealer: Arc::new(sealer), clock, contents: Arc::default() }
}

/// The key of an agreement's user.
pub(super) fn key(of: &str) -> Fingerprint {
    Fingerprint(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, of.as_bytes()).as_ref().try_into().unwrap())
}

pub(super) fn certificate(of: &str) -> Thumbprint {
    Thumbprint::of_der(of.as_bytes())
}

/// An institution, a central system and a stranger, with a user each.
pub(super) async fn populate(database: &Database, at: Timestamp) {
    let mut transaction = database.begin().await.unwrap();
    for (of, rest) in [(INSTITUTION, OWN), (CENTRAL, OF_CENTRAL), (STRANGER, "")] {
        agreement::put(&mut transaction, &terms(of, rest), at).await.unwrap();
    }
    for of in [INSTITUTION, CENTRAL, STRANGER] {
        let user = User {
            id: Uuid::now_v7(),
            name: format!("BRUGER_{of}"),
            environment: "test".parse().unwrap(),
            authority: "11111111".parse().unwrap(),
            standing: users::Standing::Active,
            valid_to: None,
            seen: None,
            refused: None,
            certificates: vec![certificate(of)],
            keys: vec![key(of)],
            rights: Vec::new(),
        };
        users::add(&mut transaction, &user, at).await.unwrap();
        let held = agreement::numbered(&mut transaction, number(of)).await.unwrap().unwrap();
        let right = Right { number: number(of), fetches: true, delivers: true };
        users::give(&mut transaction, user.id, held.id, right).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

impl Post {
    /// One on SQLite and, where it is there, one on PostgreSQL.
    pub(super) async fn all() -> Vec<Self> {
        let mut posts = Vec::new();
        for (kind, settings, temporary) in tables::on_each().await {
            let database = Database::open(&settings, Access::Make).await.unwrap();
            let at: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
            populate(&database, at).await;
            let now = Arc::new(Mutex::new(at));
            let parts = parts(temporary.path(), database.clone(), now.clone(), "audit");
            let mailboxes = Mailboxes::with(parts.clone(), "test".parse().unwrap(), RULES, None);
            let staging = temporary.path().join("staging");
            std::fs::create_dir(&staging).unwrap();
            let files = Files::new(parts.clone(), Settings::usual("test".parse().unwrap(), staging));
            let folder = temporary.path().to_owned();
            posts.push(Self { kind, mailboxes, parts, files, database, folder, now, _temporary: temporary });
        }
        posts
    }

    pub(super) fn pass(&self, hours: i64) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_hours(hours)).unwrap();
    }

    pub(super) async fn enter(&self, of: &str) -> Entered {
        self.mailboxes.enter(Shown::Certificate(certificate(of))).await.unwrap()
    }

    pub(super) async fn settle(&self) {
        crate::settle::settle(&self.database, JOBS, || self.mailboxes.work_once()).await;
    }

    /// An institution's delivery, and its judgement.
    pub(super) async fn delivered(&self, content: &[u8]) -> File {
        let file = self.sent(content).await;
        self.settle().await;
        self.as_it_is(&file).await
    }

    /// An institution's delivery, which waits for its judgement.
    pub(super) async fn sent(&self, content: &[u8]) -> File {
        deliver(&self.mailboxes, &self.enter(INSTITUTION).await, delivery(content), content).await.unwrap()
    }

    /// What became of it.
    pub(super) async fn as_it_is(&self, file: &File) -> File {
        let entered = self.enter(INSTITUTION).await;
        self.mailboxes.file(&entered, number(INSTITUTION), Which::Outbox, file.delivery).await.unwrap()
    }

    /// What an institution's delivery is refused with as it is announced.
    pub(super) async fn refuses_delivery(&self, due: &str) {
        refused(self.mailboxes.deliver(&self.enter(INSTITUTION).await, delivery(GOOD)).await.map(drop), due);
    }

    pub(super) async fn inbox(&self, of: &str, after: i64) -> Vec<File> {
        self.mailboxes.list(&self.enter(of).await, number(of), Which::Inbox, after, 100).await.unwrap()
    }

    pub(super) async fn set(&self, of: &str, standing: Standing) {
        let mut transaction = self.database.begin().await.unwrap();
        let held = agreement::numbered(&mut transaction, number(of)).await.unwrap().unwrap();
        agreement::stand(&mut transaction, held.id, standing).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub(super) async fn put(&self, terms: Terms) {
        let mut transaction = self.database.begin().await.unwrap();
        let now = *self.now.lock().unwrap();
        agreement::put(&mut transaction, &terms, now).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

pub(super) fn digest(content: &[u8]) -> String {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn delivery(content: &[u8]) -> Delivery {
    Delivery {
        number: number(INSTITUTION),
        delivery: Uuid::new_v4(),
        stream: "LOENPOSTER".to_owned(),
        alias: ("LOENGRUPPE".to_owned(), "4711".to_owned()),
        name: name("løn.txt"),
        size: content.len() as u64,
        sha256: digest(content),
        through: Through::Api,
    }
}

pub(super) async fn deliver(
    mailboxes: &Mailboxes,
    entered: &Entered,
    delivery: Delivery,
    content: &[u8],
) -> Result<File, MailboxError> {
    match mailboxes.deliver(entered, delivery).await? {
        Begun::Known(file) => Ok(*file),
        Begun::Take(mut receiving) => {
            for piece in content.chunks(7) {
                receiving.write(piece).await?;
            }
            receiving.close().await
        }
    }
}

pub(super) async fn read(
    mailboxes: &Mailboxes,
    entered: &Entered,
    of: &str,
    file: &File,
    from: u64,
) -> Result<Vec<u8>, MailboxError> {
    let mut sending = mailboxes.open(entered, number(of), file.id, from..file.size).await?;
    let mut all = Vec::new();
    while let Some(bytes) = sending.next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

#[track_caller]
fn refused<T>(done: Result<T, MailboxError>, due: &str) {
    match done {
        Err(MailboxError::Refused(refusal)) => assert_eq!(refusal.code(), due),
        Err(error) => panic!("{due}: {error}"),
        Ok(_) => panic!("{due}: it was done"),
    }
}

#[tokio::test]
async fn what_an_institution_delivers_is_judged_fetched_confirmed_and_deleted_after_the_agreed_days() {
    for post in Post::all().await {
        let file = post.delivered(GOOD).await;
        assert_eq!((file.validation, file.transport), (Validation::Approved, Transport::Ready), "{}", post.kind);
        let central = post.enter(CENTRAL).await;
        let inbox = post.inbox(CENTRAL, 0).await;
        // The list tells the SHA-256: that is no proof of having the file, and neither is a part of it.
        let unread = post.mailboxes.confirm(&central, number(CENTRAL), file.id, &digest(GOOD)).await;
        refused(unread, "MailboxNotFetched");
        let mut part = post.mailboxes.open(&central, number(CENTRAL), file.id, 0..10).await.unwrap();
        while part.next().await.unwrap().is_some() {}
        refused(post.mailboxes.confirm(&central, number(CENTRAL), file.id, &digest(GOOD)).await, "MailboxNotFetched");
        assert_eq!((inbox.len(), inbox[0].name.spelt(), inbox[0].from), (1, "løn.txt", number(INSTITUTION)));
        assert_eq!(read(&post.mailboxes, &central, CENTRAL, &inbox[0], 0).await.unwrap(), GOOD);
        assert_eq!(read(&post.mailboxes, &central, CENTRAL, &inbox[0], 10).await.unwrap(), &GOOD[10..], "from any byte on");
        let wrong = post.mailboxes.confirm(&central, number(CENTRAL), file.id, &digest(b"other")).await;
        refused(wrong, "MailboxContentDiffers");
        let once = post.mailboxes.confirm(&central, number(CENTRAL), file.id, &digest(GOOD)).await.unwrap();
        assert_eq!((once.transport, once.fetched_by.as_deref()), (Transport::Fetched, Some("BRUGER_PA00001")));
        post.pass(1);
        let again = post.mailboxes.confirm(&central, number(CENTRAL), file.id, &digest(GOOD)).await.unwrap();
        assert_eq!(once, again, "once more changes nothing");
        // The stream's own days are 14 where nothing is said.
        post.pass(13 * 24);
        post.mailboxes.sweep().await.unwrap();
        assert!(read(&post.mailboxes, &central, CENTRAL, &file, 0).await.is_ok());
        post.pass(24);
        post.mailboxes.sweep().await.unwrap();
        refused(read(&post.mailboxes, &central, CENTRAL, &file, 0).await, "MailboxFileGone");
        let objects: Vec<_> = walk(&post.folder.join("objects"));
        assert!(objects.is_empty(), "{}: the content is gone, not only its row: {objects:?}", post.kind);
        post.pass(91 * 24);
        post.mailboxes.sweep().await.unwrap();
        assert!(post.inbox(CENTRAL, 0).await.is_empty(), "and so is what is known of it");
    }
}

#[tokio::test]
async fn a_delivery_is_not_made_twice_and_its_day_counts_it_also_when_its_history_is_deleted() {
    for post in Post::all().await {
        let approved = post.delivered(GOOD).await;
        let rejected = post.delivered(b"P;4711;X;10,50\n").await;
        assert_eq!(rejected.validation, Validation::Rejected, "{}", post.kind);
        // The alias must still be agreed then.
        post.put(terms(INSTITUTION, &OWN.replace("'2027-01-01'", "'2030-01-01'"))).await;
        let day = jiff::civil::date(2026, 11, 29);
        let sender = approved.sender;
        let told = async || status::status(&mut post.database.session().await.unwrap(), sender, day, day).await.unwrap();
        post.pass(61 * 24);
        post.mailboxes.sweep().await.unwrap();
        let (counts, line) = (told().await.counts, told().await.line().en().to_owned());
        post.pass(91 * 24);
        post.mailboxes.sweep().await.unwrap();
        let own = post.enter(INSTITUTION).await;
        for (file, content) in [(approved, GOOD), (rejected, &b"P;4711;X;10,50\n"[..])] {
            let again = Delivery { delivery: file.delivery, ..delivery(content) };
            refused(deliver(&post.mailboxes, &own, again, content).await, "MailboxDeliveryPast");
            let known = post.mailboxes.file(&own, number(INSTITUTION), Which::Outbox, file.delivery).await;
            refused(known, "MailboxDeliveryPast");
            let stranger = post.enter(STRANGER).await;
            refused(post.mailboxes.file(&stranger, number(STRANGER), Which::Outbox, file.delivery).await, "ApiNotFound");
        }
        post.settle().await;
        assert!(post.inbox(CENTRAL, 0).await.is_empty(), "{}", post.kind);
        let later = told().await;
        assert_eq!((later.counts, later.line().en(), later.is_settled()), (counts, line.as_str(), false), "{}", post.kind);
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_gone_on_with_keeps_no_other_from_its_turn_and_is_counted() {
    for post in Post::all().await {
        let institution = post.enter(INSTITUTION).await;
        let stuck = deliver(&post.mailboxes, &institution, delivery(GOOD), GOOD).await.unwrap();
        let spoil = |name: &str| hjemmel::store::sql("UPDATE mailbox_file SET name = $1 WHERE id = $2").bind(name).bind(stuck.id);
        let dead = hjemmel::store::sql("UPDATE job SET state = 'dead' WHERE state = 'waiting'");
        let execute = async |query| post.database.session().await.unwrap().execute(query).await.unwrap();
        assert_eq!(execute(dead).await, 1);
        assert_eq!(execute(spoil("a/b")).await, 1);
        let due = post.delivered(GOOD).await;
        post.pass(61 * 24);
        assert_eq!(post.mailboxes.sweep().await.unwrap(), 2, "{}: to be given up, and to be deleted", post.kind);
        let content = hjemmel::store::sql("SELECT content FROM mailbox_file WHERE id = $1").bind(due.id);
        let content = post.database.first(content).await.unwrap().unwrap().maybe::<Uuid>("content").unwrap();
        assert_eq!(content, None, "{}: the other's days are over", post.kind);
        // Mended, it goes on by itself.
        assert_eq!(execute(spoil("a.txt")).await, 1);
        assert_eq!(post.mailboxes.sweep().await.unwrap(), 0, "{}", post.kind);
    }
}

pub(super) fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(read) = std::fs::read_dir(folder) else { return Vec::new() };
    read.flatten().flat_map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path()] }).collect()
}

#[tokio::test]
async fn a_file_is_taken_only_where_stream_and_alias_belong_to_the_agreement_that_day() {
    for post in Post::all().await {
        let own = post.enter(INSTITUTION).await;
        let changed = |change: fn(&mut Delivery)| {
            let mut delivery = delivery(GOOD);
            change(&mut delivery);
            delivery
        };
        for wrong in [
            changed(|delivery| delivery.stream = "LOENRESULTAT".to_owned()),
            changed(|delivery| delivery.stream = "loenposter".to_owned()),
            changed(|delivery| delivery.alias.1 = "4712".to_owned()),
            changed(|delivery| delivery.alias.0 = "BOGFOERINGSKREDS".to_owned()),
        ] {
            refused(deliver(&post.mailboxes, &own, wrong, GOOD).await, "MailboxNotAgreed");
        }
        refused(deliver(&post.mailboxes, &own, changed(|delivery| delivery.number = number(CENTRAL)), GOOD).await, "ApiNotFound");
        refused(deliver(&post.mailboxes, &own, changed(|delivery| delivery.size = 1_000_001), GOOD).await, "MailboxTooLarge");
        refused(deliver(&post.mailboxes, &own, changed(|delivery| delivery.name = name("a:b")), GOOD).await, "MailboxName");
        post.put(terms(CENTRAL, "")).await;
        refused(deliver(&post.mailboxes, &own, delivery(GOOD), GOOD).await, "MailboxNotAgreed");
        post.put(terms(CENTRAL, OF_CENTRAL)).await;
        post.set(CENTRAL, Standing::Suspended).await;
        refused(deliver(&post.mailboxes, &own, delivery(GOOD), GOOD).await, "MailboxNotAgreed");
        post.set(CENTRAL, Standing::Active).await;
        post.set(INSTITUTION, Standing::Suspended).await;
        refused(deliver(&post.mailboxes, &own, delivery(GOOD), GOOD).await, "MailboxNotActive");
        post.set(INSTITUTION, Standing::Active).await;
        deliver(&post.mailboxes, &own, delivery(GOOD), GOOD).await.unwrap();
        // The alias ends with the year.
        post.pass(24 * 40);
        refused(deliver(&post.mailboxes, &own, delivery(GOOD), GOOD).await, "MailboxNotAgreed");
    }
}

#[tokio::test]
async fn a_central_system_reaches_whoever_has_the_alias() {
    for post in Post::all().await {
        let central = post.enter(CENTRAL).await;
        let of = |alias: &str| Delivery {
            number: number(CENTRAL),
            stream: "LOENRESULTAT".to_owned(),
            alias: ("LOENGRUPPE".to_owned(), alias.to_owned()),
            ..delivery(b"resultat")
        };
        refused(deliver(&post.mailboxes, &central, of("4712"), b"resultat").await, "MailboxNotAgreed");
        deliver(&post.mailboxes, &central, of("4711"), b"resultat").await.unwrap();
        post.settle().await;
        let inbox = post.inbox(INSTITUTION, 0).await;
        assert_eq!(inbox.iter().map(|file| file.from).collect::<Vec<_>>(), [number(CENTRAL)], "{}", post.kind);
        // Another institution that has the alias, and has not agreed with the central system, gets nothing.
        post.put(terms(INSTITUTION, &OWN.replace("'2027-01-01'", "'2026-11-29'"))).await;
        post.put(terms(STRANGER, "[[alias]]\nkind = 'LOENGRUPPE'\ncode = '4711'\nvalid_from = '2026-11-29'\n")).await;
        refused(deliver(&post.mailboxes, &central, of("4711"), b"resultat").await, "MailboxNotAgreed");
    }
}

#[tokio::test]
async fn another_agreements_file_is_as_none_in_each_way() {
    for post in Post::all().await {
        let file = post.delivered(GOOD).await;
        let stranger = post.enter(STRANGER).await;
        let (theirs, own) = (number(CENTRAL), number(STRANGER));
        let mut seen = Vec::new();
        for (of, which, id) in [
            (theirs, Which::Inbox, file.id),
            (own, Which::Inbox, file.id),
            (own, Which::Inbox, Uuid::new_v4()),
            (own, Which::Outbox, file.delivery),
            (own, Which::Outbox, Uuid::new_v4()),
            (number("PA12345"), Which::Inbox, file.id),
        ] {
            seen.push(post.mailboxes.file(&stranger, of, which, id).await.map(drop).unwrap_err().to_string());
        }
        let [agreement, file_there, no_file, .., no_agreement] = seen.as_slice() else { panic!("six") };
        assert_eq!((file_there, agreement), (no_file, no_agreement), "{}: the same words", post.kind);
        refused(read(&post.mailboxes, &stranger, STRANGER, &file, 0).await, "ApiNotFound");
        refused(post.mailboxes.confirm(&stranger, own, file.id, &digest(GOOD)).await, "ApiNotFound");
        // Its sender does not fetch it either.
        let sender = post.enter(INSTITUTION).await;
        refused(read(&post.mailboxes, &sender, INSTITUTION, &file, 0).await, "ApiNotFound");
    }
}

#[tokio::test]
async fn the_same_delivery_again_is_one_file_and_another_under_its_id_is_refused() {
    for post in Post::all().await {
        let own = post.enter(INSTITUTION).await;
        let first = delivery(GOOD);
        let (one, two) = tokio::join!(
            deliver(&post.mailboxes, &own, first.clone(), GOOD),
            deliver(&post.mailboxes, &own, first.clone(), GOOD)
        );
        assert_eq!(one.unwrap().id, two.unwrap().id, "{}: also at once", post.kind);
        let other = Delivery { name: name("anden.txt"), ..first };
        refused(deliver(&post.mailboxes, &own, other, GOOD).await, "MailboxDeliveryReused");
        post.settle().await;
        assert_eq!(post.inbox(CENTRAL, 0).await.len(), 1);
        assert_eq!(walk(&post.folder.join("objects")).len(), 1, "{}: what lost leaves nothing", post.kind);
    }
}

#[tokio::test]
async fn a_delivery_that_is_refused_once_it_is_admitted_stands_in_the_audit_with_its_refusal() {
    for post in Post::all().await {
        post.put(terms(INSTITUTION, &format!("quota_bytes = {}\n{OWN}", GOOD.len()))).await;
        let own = post.enter(INSTITUTION).await;
        let mut both = Vec::new();
        for _ in 0..2 {
            let Begun::Take(mut receiving) = post.mailboxes.deliver(&own, delivery(GOOD)).await.unwrap() else {
                panic!("{}: it is new", post.kind)
            };
            receiving.write(GOOD).await.unwrap();
            both.push(receiving);
        }
        let (second, first) = (both.pop().unwrap(), both.pop().unwrap());
        first.close().await.unwrap();
        refused(second.close().await, "MailboxFull");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while post.parts.audit.stats().open_calls > 0 {
            assert!(std::time::Instant::now() < deadline, "{}: a call was never closed", post.kind);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let calls = hjemmel::audit::search::search(&post.folder.join("audit"), |_| true).unwrap().calls;
        let refusals: Vec<_> = calls.values().map(|record| record.refusal.as_deref()).collect();
        assert_eq!(refusals, [None, Some("MailboxFull")], "{}", post.kind);
    }
}

#[tokio::test]
async fn a_content_that_is_not_what_was_announced_leaves_nothing() {
    for post in Post::all().await {
        let own = post.enter(INSTITUTION).await;
        for content in [&GOOD[1..], &[GOOD, b"x"].concat(), &GOOD.to_ascii_lowercase()] {
            refused(deliver(&post.mailboxes, &own, delivery(GOOD), content).await, "MailboxContentDiffers");
        }
        let begun = post.mailboxes.deliver(&own, delivery(GOOD)).await.unwrap();
        drop(begun);
        post.settle().await;
        assert!(post.inbox(CENTRAL, 0).await.is_empty());
        assert!(walk(&post.folder.join("objects")).is_empty(), "{}", post.kind);
        assert!(post.mailboxes.list(&own, number(INSTITUTION), Which::Outbox, 0, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_rejected_file_is_fetched_by_nobody_and_told_with_codes() {
    for post in Post::all().await {
        let bad = b"P;4711;D;10,50\nK;2026;2;10,50;1,00\n";
        let file = post.delivered(bad).await;
        let codes: Vec<&str> = file.remarks.iter().map(|remark| remark.code.as_str()).collect();
        assert_eq!((file.validation, codes.as_slice()), (Validation::Rejected, &["VP003", "VP005"][..]), "{}", post.kind);
        assert!(post.inbox(CENTRAL, 0).await.is_empty());
        refused(read(&post.mailboxes, &post.enter(CENTRAL).await, CENTRAL, &file, 0).await, "ApiNotFound");
        post.delivered(GOOD).await;
        let mut session = post.database.session().await.unwrap();
        let day = jiff::civil::date(2026, 11, 29);
        let found = status::status(&mut session, file.sender, day, day).await.unwrap();
        assert_eq!((found.is_settled(), found.counts), (false, [0, 1, 1, 0]));
        assert_eq!(found.line().en(), "Not all are GODKENDT: 1 of 2 files are; 1 are AFVIST, 0 MODTAGET and 0 UNDTAGET.");
        assert_eq!(found.exceptions.iter().map(|file| file.id).collect::<Vec<_>>(), [file.id]);
        let before = day.yesterday().unwrap();
        let found = status::status(&mut session, file.sender, before, before).await.unwrap();
        assert_eq!((found.is_settled(), found.line().en()), (true, "No files were delivered."));
    }
}

pub(super) fn codes(file: &File) -> (Validation, Vec<&str>) {
    (file.validation, file.remarks.iter().map(|remark| remark.code.as_str()).collect())
}

#[tokio::test]
async fn a_file_whose_stream_left_the_agreement_before_it_was_judged_is_rejected_and_not_approved_unread() {
    for post in Post::all().await {
        let institution = post.enter(INSTITUTION).await;
        let file = deliver(&post.mailboxes, &institution, delivery(GOOD), GOOD).await.unwrap();
        post.put(terms(INSTITUTION, "")).await;
        post.settle().await;
        let file = post.mailboxes.file(&institution, number(INSTITUTION), Which::Outbox, file.delivery).await.unwrap();
        assert_eq!(codes(&file), (Validation::Rejected, vec!["VP092"]), "{}", post.kind);
        assert!(post.inbox(CENTRAL, 0).await.is_empty());
    }
}

#[tokio::test]
async fn a_file_whose_judge_died_in_the_last_attempt_is_rejected_by_the_next_sweep() {
    for post in Post::all().await {
        let institution = post.enter(INSTITUTION).await;
        let file = deliver(&post.mailboxes, &institution, delivery(GOOD), GOOD).await.unwrap();
        post.mailboxes.sweep().await.unwrap();
        let read = async || post.mailboxes.file(&institution, number(INSTITUTION), Which::Outbox, file.delivery).await.unwrap();
        assert_eq!(codes(&read().await), (Validation::Received, vec![]), "{}: while its job waits", post.kind);
        let dead = hjemmel::store::sql("UPDATE job SET state = 'dead' WHERE state = 'waiting'");
        assert_eq!(post.database.session().await.unwrap().execute(dead).await.unwrap(), 1);
        post.mailboxes.sweep().await.unwrap();
        assert_eq!(codes(&read().await), (Validation::Rejected, vec!["VP091"]), "{}", post.kind);
        assert!(post.database.all(hjemmel::store::sql("SELECT id FROM job")).await.unwrap().is_empty(), "and no alert stays up");
    }
}

#[tokio::test]
async fn an_agreement_of_another_environment_gets_nothing_from_this_one() {
    for post in Post::all().await {
        let elsewhere = "PA00002";
        let mut of_production = terms(elsewhere, OF_CENTRAL);
        of_production.environment = "prod".parse().unwrap();
        post.put(of_production).await;
        let institution = post.enter(INSTITUTION).await;
        post.put(terms(INSTITUTION, &OWN.replace(CENTRAL, elsewhere))).await;
        refused(deliver(&post.mailboxes, &institution, delivery(GOOD), GOOD).await, "MailboxNotAgreed");
    }
}

#[tokio::test]
async fn a_user_that_is_blocked_expired_deleted_or_unknown_is_refused_in_the_same_words() {
    for post in Post::all().await {
        let mut told = vec![post.mailboxes.enter(Shown::Certificate(certificate("nobody"))).await.unwrap_err().to_string()];
        for standing in [users::Standing::Blocked, users::Standing::Deleted] {
            let entered = post.enter(INSTITUTION).await;
            let Begun::Take(receiving) = post.mailboxes.deliver(&entered, delivery(b"")).await.unwrap() else { panic!("new") };
            let stand = async |standing| {
                users::stand(&mut post.database.session().await.unwrap(), entered.user.id, standing).await.unwrap();
            };
            stand(standing).await;
            refused(receiving.close().await, "MailboxRefused");
            told.push(post.mailboxes.enter(Shown::Certificate(certificate(INSTITUTION))).await.unwrap_err().to_string());
            stand(users::Standing::Active).await;
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{}: {told:?}", post.kind);
    }
}

#[tokio::test]
async fn a_process_that_dies_at_any_step_loses_nothing_and_hands_nothing_over_twice() {
    for post in Post::all().await {
        for (at, step) in Step::DELIVERY.into_iter().enumerate() {
            let armed = Arc::new(AtomicBool::new(true));
            let (own_armed, delivery) = (armed.clone(), delivery(GOOD));
            let dies: Arc<dyn Fn(Step) + Send + Sync> = Arc::new(move |reached| {
                if reached == step && own_armed.swap(false, Ordering::SeqCst) {
                    panic!("it dies here");
                }
            });
            let dying = mailboxes(&post.folder, post.database.clone(), post.now.clone(), Some(dies), &format!("audit-{at}"));
            let entered = post.enter(INSTITUTION).await;
            let first = delivery.clone();
            let died = tokio::spawn(async move {
                deliver(&dying, &entered, first, GOOD).await.unwrap();
                dying.work_once().await.unwrap();
            });
            // What judges dies alone, as one of several.
            drop(died.await);
            assert!(!armed.load(Ordering::SeqCst), "{} {step:?}: it died there", post.kind);
            // Its sender does not know what became of it, and sends it again; another node judges once its lease is over.
            deliver(&post.mailboxes, &post.enter(INSTITUTION).await, delivery.clone(), GOOD).await.unwrap();
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while post.inbox(CENTRAL, 0).await.len() <= at {
                assert!(std::time::Instant::now() < deadline, "{} {step:?}: it never arrives", post.kind);
                leases_end(&post.database).await;
                post.mailboxes.work_once().await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            let inbox = post.inbox(CENTRAL, 0).await;
            let once = inbox.iter().filter(|file| file.delivery == delivery.delivery).count();
            assert_eq!((once, inbox.len()), (1, at + 1), "{} {step:?}", post.kind);
        }
    }
}

#[tokio::test]
async fn whoever_goes_on_from_the_last_place_misses_nothing_however_many_deliver_at_once() {
    for post in Post::all().await {
        let own = post.enter(INSTITUTION).await;
        let mut under_way = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (mailboxes, own) = (post.mailboxes.clone(), own.clone());
            under_way.spawn(async move { deliver(&mailboxes, &own, delivery(GOOD), GOOD).await.unwrap() });
        }
        let (mut after, mut seen) = (0, Vec::new());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while seen.len() < 8 {
            assert!(std::time::Instant::now() < deadline, "{}: {} came", post.kind, seen.len());
            post.mailboxes.work_once().await.unwrap();
            for file in post.inbox(CENTRAL, after).await {
                after = file.number.unwrap();
                seen.push(file.id);
            }
            tokio::task::yield_now().await;
        }
        under_way.join_all().await;
        let all: Vec<_> = post.inbox(CENTRAL, 0).await.into_iter().map(|file| file.id).collect();
        assert_eq!(seen, all, "{}", post.kind);
    }
}

/// The letters that wait, each as its text.
async fn letters(post: &Post) -> Vec<String> {
    let rows = post.database.all(hjemmel::store::sql("SELECT payload FROM job WHERE kind = 'notice' ORDER BY id")).await.unwrap();
    let read = |row: &hjemmel::store::Row| {
        let payload: Vec<u8> = row.get("payload").unwrap();
        let waiting: hjemmel::notices::outbox::Waiting = serde_json::from_slice(&payload).unwrap();
        let letter = hjemmel::notices::letter::write(&waiting.notice, waiting.language, None);
        format!("{}\n{}\n{}", waiting.to, letter.subject, letter.body)
    };
    rows.iter().map(read).collect()
}

#[tokio::test]
async fn a_silence_and_its_likely_cause_are_told_by_mail_once_whatever_node_sees_it_and_however_often_it_starts() {
    for post in Post::all().await {
        let other = mailboxes(&post.folder, post.database.clone(), post.now.clone(), None, "audit-other");
        let tell = async |node: &Mailboxes| node.notify_of_silence(&node.silent().await.unwrap()).await.unwrap();
        assert_eq!(tell(&post.mailboxes).await, 0, "{}", post.kind);
        post.pass(25);
        assert_eq!((tell(&post.mailboxes).await, tell(&other).await, tell(&post.mailboxes).await), (2, 0, 0), "{}", post.kind);
        let told = letters(&post).await;
        assert!(told[0].starts_with("loen@kommune.example\nIngen udveksling"), "{}", told[0]);
        assert!(told[0].contains("PA85858 LOENPOSTER UD"), "{}", told[0]);
        assert!(told[0].contains("Sandsynlig årsag: ingen af aftalens brugere har været logget på"), "{}", told[0]);
        // Another cause is told; and a new silence after an exchange.
        post.enter(INSTITUTION).await;
        assert_eq!((tell(&other).await, tell(&post.mailboxes).await), (1, 0), "{}", post.kind);
        post.delivered(GOOD).await;
        assert_eq!(tell(&post.mailboxes).await, 0, "{}", post.kind);
        post.pass(25);
        assert_eq!((tell(&post.mailboxes).await, tell(&other).await), (1, 0), "{}: the one that had ended", post.kind);
    }
}

#[tokio::test]
async fn a_silence_is_not_noted_as_told_where_no_letter_goes_to_the_contact() {
    for post in Post::all().await {
        let address = |address: &'static str| {
            hjemmel::store::sql("UPDATE mailbox SET email = $1 WHERE number = $2")
                .bind(address)
                .bind(number(INSTITUTION).to_string())
        };
        let tell = async || post.mailboxes.notify_of_silence(&post.mailboxes.silent().await.unwrap()).await.unwrap();
        let mut session = post.database.session().await.unwrap();
        // As an earlier release took it.
        session.execute(address("løn@kommune.example")).await.unwrap();
        drop(session);
        post.pass(25);
        let others = tell().await;
        assert_eq!(letters(&post).await.len(), others, "{}", post.kind);
        // That is said once, and nothing is written at the next look.
        let marks = async || {
            let rows = post.database.all(hjemmel::store::sql("SELECT mark FROM notice_given ORDER BY mark")).await.unwrap();
            rows.iter().map(|row| row.get::<String>("mark").unwrap()).collect::<Vec<_>>()
        };
        let said = marks().await;
        assert_eq!(said.iter().filter(|mark| mark.starts_with("nobody/")).count(), 2, "{}: each stream: {said:?}", post.kind);
        for _ in 0..2 {
            assert_eq!(tell().await, 0, "{}", post.kind);
            // Nor by guesses of its user's name.
            post.mailboxes.looked_at("bruger_pa85858").await.unwrap();
        }
        assert_eq!(marks().await.len(), said.len() + 1, "{}", post.kind);
        assert_eq!(letters(&post).await.len(), others, "{}", post.kind);
        post.database.session().await.unwrap().execute(address("loen@kommune.example")).await.unwrap();
        assert!(tell().await > 0 && letters(&post).await.iter().any(|letter| letter.starts_with("loen@")), "{}", post.kind);
    }
}

#[tokio::test]
async fn an_agreement_that_cannot_be_read_keeps_no_other_from_being_told() {
    for post in Post::all().await {
        let file = post.delivered(GOOD).await;
        let mut session = post.database.session().await.unwrap();
        let stranger = agreement::numbered(&mut session, number(STRANGER)).await.unwrap().unwrap();
        let other = hjemmel::store::sql("INSERT INTO mailbox_file (id, delivery, sender, recipient, stream, alias_kind, alias_code, name, size,
                 sha256, content, validation, transport, received_us, delivered_by, delete_us, keep_days, number, sent)
             SELECT $1, $1, $2, sender, stream, alias_kind, alias_code, name, size, sha256, content, validation, transport, received_us,
                 delivered_by, delete_us, keep_days, number, sent FROM mailbox_file WHERE id = $3");
        session.execute(other.bind(Uuid::now_v7()).bind(stranger.id).bind(file.id)).await.unwrap();
        let broken = hjemmel::store::sql("UPDATE mailbox_stream SET validator = 'x' WHERE mailbox = $1").bind(file.recipient);
        assert!(session.execute(broken).await.unwrap() > 0);
        drop(session);
        post.pass(8 * 24);
        assert_eq!(post.mailboxes.notify_of_unread().await.unwrap(), 1, "{}: the other pair", post.kind);
        let silent = post.mailboxes.silent().await.unwrap();
        assert!(silent.iter().any(|silent| silent.number == number(INSTITUTION)), "{}: {silent:?}", post.kind);
    }
}

#[tokio::test]
async fn of_an_approved_file_that_nobody_fetches_both_parties_are_told_before_and_when_it_is_deleted() {
    for post in Post::all().await {
        let mut central = terms(CENTRAL, OF_CENTRAL);
        central.contact.email = "central@kommune.example".to_owned();
        post.put(central).await;
        let file = post.delivered(GOOD).await;
        post.pass(6 * 24);
        assert_eq!(post.mailboxes.notify_of_unread().await.unwrap(), 0, "{}", post.kind);
        post.pass(25);
        assert_eq!(post.mailboxes.notify_of_unread().await.unwrap(), 1, "{}", post.kind);
        assert_eq!(post.mailboxes.notify_of_unread().await.unwrap(), 0, "{}: once", post.kind);
        let told = letters(&post).await;
        let addressed = |told: &[String]| told.iter().map(|text| text.lines().next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(addressed(&told), ["central@kommune.example", "loen@kommune.example"], "{}", post.kind);
        assert!(told[0].contains("Fil ikke hentet") && !told[0].contains("løn.txt"), "no name of a file: {}", told[0]);
        post.pass(54 * 24);
        post.mailboxes.sweep().await.unwrap();
        let told = letters(&post).await.split_off(2);
        assert_eq!(addressed(&told), ["central@kommune.example", "loen@kommune.example"], "{}", post.kind);
        assert!(told[0].contains("Fil slettet, uden at den blev hentet"), "{}", told[0]);
        assert!(told[0].contains("Sandsynlig årsag: ingen af aftalens brugere har været logget på"), "{}", told[0]);
        // Approved is not received: the daily check says so.
        let day = jiff::civil::date(2026, 11, 29);
        let found = status::status(&mut post.database.session().await.unwrap(), file.sender, day, day).await.unwrap();
        let line = found.line();
        assert_eq!(line.en(), "All 1 files are GODKENDT. 1 are UDLOEBET: deleted before the recipient fetched.", "{}", post.kind);
    }
}

#[tokio::test]
async fn unread_files_are_told_of_however_many_streams_they_lie_in() {
    for post in Post::all().await {
        let file = post.delivered(GOOD).await;
        let mut session = post.database.session().await.unwrap();
        const STREAMS: i64 = 450;
        for stream in 0..STREAMS {
            let other = hjemmel::store::sql("INSERT INTO mailbox_file (id, delivery, sender, recipient, stream, alias_kind, alias_code, name, size,
                     sha256, content, validation, transport, received_us, delivered_by, delete_us, keep_days, number, sent)
                 SELECT $1, $1, sender, recipient, $2, alias_kind, alias_code, name, size, sha256, content, validation, transport, received_us,
                     delivered_by, delete_us, keep_days, 100 + $3, 100 + $3 FROM mailbox_file WHERE id = $4");
            session.execute(other.bind(Uuid::now_v7()).bind(format!("S{stream}")).bind(stream).bind(file.id)).await.unwrap();
        }
        drop(session);
        post.pass(8 * 24);
        let told = post.mailboxes.notify_of_unread().await.unwrap();
        assert_eq!(i64::try_from(told).unwrap(), STREAMS + 1, "{}", post.kind);
        assert_eq!(post.mailboxes.notify_of_unread().await.unwrap(), 0, "{}", post.kind);
    }
}

#[tokio::test]
async fn a_deleted_user_that_still_knocks_is_no_cause_once_its_successor_is_let_in() {
    for post in Post::all().await {
        let entered = post.enter(INSTITUTION).await;
        let successor = User { id: Uuid::now_v7(), name: "NY".to_owned(), ..entered.user.clone() };
        let successor = User { certificates: vec![certificate("ny")], keys: Vec::new(), ..successor };
        let mut session = post.database.session().await.unwrap();
        users::stand(&mut session, entered.user.id, users::Standing::Deleted).await.unwrap();
        let now = *post.now.lock().unwrap();
        users::add(&mut session, &successor, now).await.unwrap();
        let held = agreement::numbered(&mut session, number(INSTITUTION)).await.unwrap().unwrap();
        let right = Right { number: number(INSTITUTION), fetches: true, delivers: true };
        users::give(&mut session, successor.id, held.id, right).await.unwrap();
        drop(session);
        let cause =
            async || post.mailboxes.silent().await.unwrap().into_iter().find(|it| it.stream == "LOENPOSTER").unwrap().cause;
        post.pass(25);
        assert!(post.mailboxes.enter(Shown::Certificate(certificate(INSTITUTION))).await.is_err());
        assert_eq!(cause().await, Cause::LogOnRefused, "{}: it goes on under the old user", post.kind);
        post.mailboxes.enter(Shown::Certificate(certificate("ny"))).await.unwrap();
        post.pass(1);
        assert!(post.mailboxes.enter(Shown::Certificate(certificate(INSTITUTION))).await.is_err());
        assert_eq!(cause().await, Cause::NothingDelivered, "{}", post.kind);
    }
}

#[tokio::test]
async fn whoever_only_delivers_does_not_see_what_came_in() {
    for post in Post::all().await {
        let file = post.delivered(GOOD).await;
        let right = Right { number: number(CENTRAL), fetches: false, delivers: true };
        let user = post.enter(CENTRAL).await.user.id;
        users::give(&mut post.database.session().await.unwrap(), user, file.recipient, right).await.unwrap();
        let central = post.enter(CENTRAL).await;
        refused(post.mailboxes.list(&central, number(CENTRAL), Which::Inbox, 0, 10).await, "MailboxRight");
        refused(post.mailboxes.file(&central, number(CENTRAL), Which::Inbox, file.id).await, "MailboxRight");
        assert!(post.mailboxes.list(&central, number(CENTRAL), Which::Outbox, 0, 10).await.is_ok(), "{}", post.kind);
    }
}

#[tokio::test]
async fn that_a_blocked_user_knocks_again_and_again_is_written_down_once_a_minute() {
    for post in Post::all().await {
        let entered = post.enter(INSTITUTION).await;
        let mut session = post.database.session().await.unwrap();
        users::stand(&mut session, entered.user.id, users::Standing::Blocked).await.unwrap();
        drop(session);
        let refused_at = async || {
            assert!(post.mailboxes.enter(Shown::Certificate(certificate(INSTITUTION))).await.is_err());
            let row = hjemmel::store::sql("SELECT refused_us FROM mailbox_user WHERE id = $1").bind(entered.user.id);
            post.database.first(row).await.unwrap().unwrap().get::<i64>("refused_us").unwrap()
        };
        let first = refused_at().await;
        *post.now.lock().unwrap() += SignedDuration::from_secs(30);
        assert_eq!(refused_at().await, first, "{}", post.kind);
        *post.now.lock().unwrap() += SignedDuration::from_secs(31);
        assert!(refused_at().await > first, "{}", post.kind);
    }
}

#[tokio::test]
async fn a_silent_stream_names_its_likely_cause() {
    for post in Post::all().await {
        let causes = async || {
            let silent = post.mailboxes.silent().await.unwrap();
            silent.into_iter().map(|silent| (silent.stream, silent.cause)).collect::<Vec<_>>()
        };
        let told = |out: Cause, back: Cause| vec![("LOENPOSTER".to_owned(), out), ("LOENRESULTAT".to_owned(), back)];
        assert_eq!(causes().await, [], "{}", post.kind);
        post.pass(25);
        assert_eq!(causes().await, told(Cause::NeverConnected, Cause::NothingSent), "{}", post.kind);
        post.enter(INSTITUTION).await;
        assert_eq!(causes().await, told(Cause::NothingDelivered, Cause::NothingSent), "{}", post.kind);
        let central = post.enter(CENTRAL).await;
        let result = Delivery { number: number(CENTRAL), stream: "LOENRESULTAT".to_owned(), ..delivery(b"r") };
        deliver(&post.mailboxes, &central, result, b"r").await.unwrap();
        post.settle().await;
        assert_eq!(causes().await, told(Cause::NothingDelivered, Cause::NothingFetched), "{}", post.kind);
        let entered = post.enter(INSTITUTION).await;
        let stand = async |standing| {
            users::stand(&mut post.database.session().await.unwrap(), entered.user.id, standing).await.unwrap();
        };
        stand(users::Standing::Blocked).await;
        post.pass(1);
        assert!(post.mailboxes.enter(Shown::Certificate(certificate(INSTITUTION))).await.is_err());
        assert_eq!(causes().await, told(Cause::LogOnRefused, Cause::LogOnRefused), "{}", post.kind);
        stand(users::Standing::Active).await;
        // One that waits here for its judgement is our own fault, until it is judged.
        deliver(&post.mailboxes, &entered, delivery(GOOD), GOOD).await.unwrap();
        post.pass(25);
        assert!(causes().await.contains(&("LOENPOSTER".to_owned(), Cause::OwnFault)), "{}", post.kind);
        post.settle().await;
        let (inbox, own) = (post.inbox(INSTITUTION, 0).await, post.enter(INSTITUTION).await);
        read(&post.mailboxes, &own, INSTITUTION, &inbox[0], 0).await.unwrap();
        post.mailboxes.confirm(&own, number(INSTITUTION), inbox[0].id, &inbox[0].sha256).await.unwrap();
        deliver(&post.mailboxes, &own, delivery(GOOD), GOOD).await.unwrap();
        assert_eq!(causes().await, [], "{}: an exchange ends it", post.kind);
    }
}

#[tokio::test]
async fn one_user_sends_so_many_files_at_once_and_no_more() {
    let post = Post::all().await.remove(0);
    let own = post.enter(INSTITUTION).await;
    let mut open = Vec::new();
    let refusal = loop {
        match post.mailboxes.deliver(&own, delivery(GOOD)).await {
            Ok(Begun::Take(receiving)) => open.push(receiving),
            Ok(Begun::Known(_)) => panic!("each is new"),
            Err(error) => break error,
        }
        assert!(open.len() < 100, "without an end");
    };
    assert!(matches!(refusal, MailboxError::Refused(ApiRefusal::ApiOverloaded)), "{refusal}");
    let central = post.enter(CENTRAL).await;
    let result = Delivery { number: number(CENTRAL), stream: "LOENRESULTAT".to_owned(), ..delivery(b"r") };
    deliver(&post.mailboxes, &central, result, b"r").await.unwrap();
    open.pop();
    deliver(&post.mailboxes, &own, delivery(GOOD), GOOD).await.unwrap();
}
