//! Mailboxes over HTTP: what is the door's own; what the mailboxes decide is tried in `tests/stores`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hjemmel::agreements::{Store, Thumbprint};
use hjemmel::audit::{Audit, AuditSettings, keys};
use hjemmel::clock::Clock;
use hjemmel::files::core::Parts;
use hjemmel::files::partner::agreement::{self, Terms};
use hjemmel::files::partner::core::{JOBS, Mailboxes};
use hjemmel::files::partner::users::{self, Right, User};
use hjemmel::objects::settings::Place;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use crate::house::{BODY, House, Who, certificate, is_problem, text, value};
use crate::settle::settle;

/// The mailboxes of a house.
pub fn open(store: &Store, folder: &Path) -> Mailboxes {
    let audit_keys = folder.join("audit-keys");
    keys::generate(&audit_keys).unwrap();
    hjemmel::objects::keys::generate(&folder.join("content.key")).unwrap();
    let checkpoint = keys::checkpoint_key(&audit_keys.join("checkpoint.key")).unwrap();
    let patience = std::time::Duration::from_secs(60);
    let settings = AuditSettings { patience, ..AuditSettings::in_dir(folder.join("audit")) };
    let audit = Audit::start(settings, checkpoint, Clock::system(), |_| {}).unwrap();
    let sealer = keys::sealer(&audit_keys.join("pseudonym.key"), &audit_keys.join("auditors.pub")).unwrap();
    let place = Place::Folder(folder.join("objects"));
    let objects =
        hjemmel::objects::Settings { place, key: folder.join("content.key"), earlier_keys: vec![], part_bytes: 5 << 20 };
    let (database, objects, clock) = (store.database().clone(), objects.open().unwrap(), Clock::system());
    Mailboxes::new(
        Parts { database, objects, audit, sealer: Arc::new(sealer), clock, contents: Arc::default() },
        "test".parse().unwrap(),
    )
}

/// An institution, a central system and a stranger, each with a system of its own.
pub struct Parties {
    pub own: Who,
    central: Who,
    stranger: Who,
}

impl Parties {
    pub async fn of(house: &House) -> Self {
        let streams = "[[alias]]\nkind = 'LOENGRUPPE'\ncode = '4711'\nvalid_from = '2020-01-01'\n\
                       [[stream]]\ncode = 'LOENPOSTER'\ndirection = 'UD'\ncounterpart = 'PA00001'\n";
        let own = party(house, "PA85858", streams).await;
        let central = party(house, "PA00001", "[[stream]]\ncode = 'LOENPOSTER'\ndirection = 'IND'\n").await;
        Self { own, central, stranger: party(house, "PA99999", "").await }
    }
}

async fn party(house: &House, number: &str, rest: &str) -> Who {
    let head = format!(
        "number = '{number}'\nowner = '11111111'\nenvironment = 'test'\nlegal_basis = 'a'\npurpose = 'b'\n\
         contact = {{ email = 'a@b.example', phone = '1' }}\n{rest}"
    );
    let terms = toml::from_str::<Terms>(&head).unwrap().sound().unwrap();
    let (credentials, id, now) = (certificate(number, "11111111"), Uuid::now_v7(), Clock::system().now());
    let mut transaction = house.store.database().begin().await.unwrap();
    let mailbox = agreement::put(&mut transaction, &terms, now).await.unwrap();
    let user = User {
        id,
        name: format!("BRUGER_{number}"),
        environment: "test".parse().unwrap(),
        authority: "11111111".parse().unwrap(),
        standing: users::Standing::Active,
        valid_to: None,
        seen: None,
        refused: None,
        certificates: vec![Thumbprint::of_der(credentials.leaf())],
        keys: Vec::new(),
        rights: Vec::new(),
    };
    users::add(&mut transaction, &user, now).await.unwrap();
    let right = Right { number: terms.number, fetches: true, delivers: true };
    users::give(&mut transaction, id, mailbox, right).await.unwrap();
    transaction.commit().await.unwrap();
    Who { id, credentials }
}

fn digest(content: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(delivery: Uuid, content: &[u8]) -> String {
    let (size, sha256) = (content.len(), hex(&digest(content)));
    format!(
        "/api/v1/mailboxes/PA85858/outbox/{delivery}?stream=LOENPOSTER&alias_kind=LOENGRUPPE&alias=4711&size={size}&sha256={sha256}"
    )
}

/// Judges what was delivered.
async fn judged(house: &House) {
    settle(house.store.database(), JOBS, || house.mailboxes.work_once()).await;
}

pub async fn delivered(house: &House, who: &Who, content: &[u8]) -> Value {
    let name = [("file-name", "l%C3%B8n.txt")];
    let answer = house.send(who, "PUT", &place(Uuid::new_v4(), content), &name, content.to_vec()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    judged(house).await;
    value(&answer)
}

#[tokio::test]
async fn a_file_larger_than_other_requests_may_be_is_delivered_listed_fetched_in_parts_and_confirmed() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let content: Vec<u8> = (0..BODY * 9).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let file = delivered(&house, &own, &content).await;
    assert_eq!((text(&file, "validation"), text(&file, "name"), text(&file, "to")), ("MODTAGET", "løn.txt", "PA00001"));

    let listed = house.get(&central, "/api/v1/mailboxes/PA00001/inbox").await;
    let page = value(&listed);
    assert_eq!((text(&page["items"][0], "id"), text(&page, "next"), &page["more"]), (text(&file, "id"), "1", &json!(false)));
    let unchanged = [("if-none-match", listed.header("etag"))];
    assert_eq!(house.ask(&central, "GET", "/api/v1/mailboxes/PA00001/inbox", &unchanged, None).await.status, 304);
    let since = house.get(&central, "/api/v1/mailboxes/PA00001/inbox?after=1").await;
    assert_eq!((value(&since)["items"].as_array().unwrap().len(), text(&value(&since), "next")), (0, "1"));

    let path = format!("/api/v1/mailboxes/PA00001/inbox/{}", text(&file, "id"));
    // The list tells the SHA-256; that is no proof of having fetched.
    let unread = json!({"sha256": text(&file, "sha256")});
    let early = house.ask(&central, "POST", &format!("{path}/confirm"), &[], Some(&unread)).await;
    is_problem(&early, 409, "MailboxNotFetched");
    let whole = house.get(&central, &format!("{path}/content")).await;
    assert_eq!((whole.status, whole.header("content-length")), (200, content.len().to_string().as_str()));
    assert!(whole.body == content, "byte for byte");
    assert_eq!(whole.header("repr-digest"), format!("sha-256=:{}:", STANDARD.encode(digest(&content))));
    assert_eq!(whole.header("file-name"), "l%C3%B8n.txt");
    let half = content.len() / 2;
    let rest = [("range", format!("bytes={half}-")), ("if-range", whole.header("etag").to_owned())];
    let rest: Vec<_> = rest.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let part = house.ask(&central, "GET", &format!("{path}/content"), &rest, None).await;
    assert_eq!(part.status, 206, "{}", part.text());
    assert_eq!(part.header("content-range"), format!("bytes {half}-{}/{}", content.len() - 1, content.len()));
    assert!(part.body == content[half..]);

    let sha256 = json!({"sha256": text(&file, "sha256")});
    let once = house.ask(&central, "POST", &format!("{path}/confirm"), &[], Some(&sha256)).await;
    assert_eq!((once.status, text(&value(&once), "transport")), (200, "AFHENTET"), "{}", once.text());
    let again = house.ask(&central, "POST", &format!("{path}/confirm"), &[], Some(&sha256)).await;
    assert_eq!(value(&once), value(&again));
    let seen = house.get(&own, &format!("/api/v1/mailboxes/PA85858/outbox/{}", text(&file, "delivery"))).await;
    assert_eq!(text(&value(&seen), "fetched_by"), "BRUGER_PA00001", "its sender sees who has it");
    let status = value(&house.get(&own, "/api/v1/mailboxes/PA85858/status").await);
    assert_eq!((&status["settled"], text(&status, "en")), (&json!(true), "All 1 files are GODKENDT."));
    let mailboxes = value(&house.get(&own, "/api/v1/mailboxes").await);
    assert_eq!(mailboxes["items"][0]["delivered"], json!(["LOENPOSTER"]), "{mailboxes}");
}

#[tokio::test]
async fn the_same_delivery_sent_again_is_answered_without_being_taken() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let path = place(Uuid::new_v4(), b"a");
    let name = [("file-name", "a.txt"), ("content-type", "application/octet-stream")];
    assert_eq!(house.send(&own, "PUT", &path, &name, b"a".to_vec()).await.status, 201);
    assert_eq!(house.send(&own, "PUT", &path, &name, b"a".to_vec()).await.status, 200);
    is_problem(&house.send(&own, "PUT", &path, &[("file-name", "b.txt")], b"a".to_vec()).await, 409, "MailboxDeliveryReused");
    judged(&house).await;
    let page = value(&house.get(&central, "/api/v1/mailboxes/PA00001/inbox").await);
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_agreements_file_is_the_same_404_as_none() {
    let house = House::build().await;
    let Parties { own, stranger, .. } = Parties::of(&house).await;
    let file = delivered(&house, &own, b"hemmeligt").await;
    let id = text(&file, "id");
    let told = async |path: String| {
        let answer = house.get(&stranger, &path).await;
        is_problem(&answer, 404, "ApiNotFound");
        let mut problem = value(&answer);
        problem["instance"] = json!(null);
        problem.to_string()
    };
    for rest in ["", "/content"] {
        let there = told(format!("/api/v1/mailboxes/PA99999/inbox/{id}{rest}")).await;
        let nowhere = told(format!("/api/v1/mailboxes/PA99999/inbox/{}{rest}", Uuid::new_v4())).await;
        assert_eq!(there, nowhere);
        let theirs = told(format!("/api/v1/mailboxes/PA00001/inbox/{id}{rest}")).await;
        let nobodys = told(format!("/api/v1/mailboxes/PA12345/inbox/{id}{rest}")).await;
        assert_eq!(theirs, nobodys);
        assert_eq!(theirs, told(format!("/api/v1/mailboxes/pa00001/inbox/{id}{rest}")).await);
    }
    let sha256 = json!({"sha256": text(&file, "sha256")});
    let confirmed =
        house.ask(&stranger, "POST", &format!("/api/v1/mailboxes/PA99999/inbox/{id}/confirm"), &[], Some(&sha256)).await;
    is_problem(&confirmed, 404, "ApiNotFound");
}

#[tokio::test]
async fn a_thousand_ranges_are_refused_and_so_is_one_that_the_file_does_not_have() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let file = delivered(&house, &own, b"0123456789").await;
    let path = format!("/api/v1/mailboxes/PA00001/inbox/{}/content", text(&file, "id"));
    let many = format!("bytes={}", vec!["0-1"; 1000].join(","));
    for range in [many.as_str(), "bytes=0-1,2-3", "bytes=10-", "bytes=9-1", "bytes=x"] {
        let answer = house.ask(&central, "GET", &path, &[("range", range)], None).await;
        is_problem(&answer, 416, "MailboxRange");
        assert_eq!(answer.header("content-range"), "bytes */10");
    }
    let stale = [("range", "bytes=5-"), ("if-range", "\"0000\"")];
    let answer = house.ask(&central, "GET", &path, &stale, None).await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"0123456789"[..]), "a range of another version is all of this one");
}

#[tokio::test]
async fn users_of_the_api_are_none_of_mailboxes_and_the_other_way_round() {
    let house = House::build().await;
    let Parties { own, .. } = Parties::of(&house).await;
    is_problem(&house.get(&house.operator, "/api/v1/mailboxes").await, 403, "MailboxRefused");
    is_problem(&house.get(&own, "/api/v1/agreements").await, 403, "ApiUserUnknown");
    let nobody = Who { id: Uuid::nil(), credentials: certificate("ingen", "11111111") };
    is_problem(&house.get(&nobody, "/api/v1/mailboxes").await, 403, "MailboxRefused");
}

#[tokio::test]
async fn what_is_not_let_in_sends_no_more_than_any_request_may() {
    let house = House::build().await;
    let Parties { own, stranger, .. } = Parties::of(&house).await;
    let content = vec![0; BODY * 3];
    let name = [("file-name", "a.txt")];
    let refused = house.send(&stranger, "PUT", &place(Uuid::new_v4(), &content), &name, content.clone()).await;
    is_problem(&refused, 404, "ApiNotFound");
    // More than was announced is not read on for.
    let short = place(Uuid::new_v4(), b"a");
    let refused = house.send(&own, "PUT", &short, &name, content).await;
    assert!(refused.status == 413 || refused.status == 422, "{}", refused.text());
}

#[tokio::test]
async fn a_number_like_a_persons_in_a_name_stands_in_no_refusal() {
    let house = House::build().await;
    let Parties { own, .. } = Parties::of(&house).await;
    for name in ["6105998888%2Fa", "6105998888:a", "6105998888%00", "6105998888.trigger", "6105998888%"] {
        let answer = house.send(&own, "PUT", &place(Uuid::new_v4(), b"a"), &[("file-name", name)], b"a".to_vec()).await;
        assert!(answer.status == 422 || answer.status == 400, "{name}: {}", answer.text());
        assert!(!answer.text().contains("6105998888"), "{}", answer.text());
    }
    let without = house.send(&own, "PUT", &place(Uuid::new_v4(), b"a"), &[], b"a".to_vec()).await;
    is_problem(&without, 400, "ApiHeaderInvalid");
    let coded = [("file-name", "a"), ("content-encoding", "gzip")];
    is_problem(&house.send(&own, "PUT", &place(Uuid::new_v4(), b"a"), &coded, b"a".to_vec()).await, 415, "ApiMediaType");
}

/// The smallest piece that is not the last, in bytes.
const LEAST: usize = 1 << 20;

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Sends a piece of a delivery.
async fn sends(house: &House, who: &Who, path: &str, content: &[u8], piece: std::ops::Range<usize>) -> crate::wire::Answer {
    let range = format!("bytes {}-{}/{}", piece.start, piece.end - 1, content.len());
    let headers = [("file-name", "l%C3%B8n.txt"), ("content-range", range.as_str())];
    house.send(who, "PUT", path, &headers, content[piece].to_vec()).await
}

#[tokio::test]
async fn a_file_that_breaks_off_goes_on_from_where_it_stands_and_is_the_same_file() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let content = bytes(2 * LEAST + 3);
    let id = Uuid::new_v4();
    let path = place(id, &content);
    let upload = format!("/api/v1/mailboxes/PA85858/outbox/{id}/upload");
    is_problem(&house.get(&own, &upload).await, 404, "ApiNotFound");

    let first = sends(&house, &own, &path, &content, 0..LEAST).await;
    assert_eq!((first.status, &value(&first)), (202, &json!({"offset": LEAST})), "{}", first.text());
    assert_eq!(first.header("upload-offset"), LEAST.to_string());
    is_problem(&house.get(&own, &format!("/api/v1/mailboxes/PA85858/outbox/{id}")).await, 404, "ApiNotFound");
    // Another run of its sender, or one whose answer was lost.
    assert_eq!(value(&house.get(&own, &upload).await), json!({"offset": LEAST}));
    for piece in [0..LEAST, LEAST + 1..2 * LEAST + 1, 2 * LEAST..content.len()] {
        let elsewhere = sends(&house, &own, &path, &content, piece.clone()).await;
        is_problem(&elsewhere, 409, "MailboxPiecePlace");
        assert_eq!(elsewhere.header("upload-offset"), LEAST.to_string(), "{piece:?}");
    }
    let second = sends(&house, &own, &path, &content, LEAST..2 * LEAST).await;
    assert_eq!(second.header("upload-offset"), (2 * LEAST).to_string(), "{}", second.text());
    let last = sends(&house, &own, &path, &content, 2 * LEAST..content.len()).await;
    assert_eq!((last.status, text(&value(&last), "validation")), (201, "MODTAGET"), "{}", last.text());
    is_problem(&house.get(&own, &upload).await, 404, "ApiNotFound");
    let again = sends(&house, &own, &path, &content, 2 * LEAST..content.len()).await;
    assert_eq!((again.status, text(&value(&again), "id")), (200, text(&value(&last), "id")), "{}", again.text());

    judged(&house).await;
    let page = value(&house.get(&central, "/api/v1/mailboxes/PA00001/inbox").await);
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(text(&page["items"][0], "sha256"), hex(&digest(&content)));
    let fetched = format!("/api/v1/mailboxes/PA00001/inbox/{}/content", text(&page["items"][0], "id"));
    assert!(house.get(&central, &fetched).await.body == content, "byte for byte");
}

#[tokio::test]
async fn a_piece_that_is_none_or_of_another_file_is_refused_and_so_is_anybody_elses() {
    let house = House::build().await;
    let Parties { own, stranger, .. } = Parties::of(&house).await;
    let content = bytes(2 * LEAST);
    let id = Uuid::new_v4();
    let path = place(id, &content);
    let small = sends(&house, &own, &path, &content, 0..LEAST - 1).await;
    is_problem(&small, 422, "MailboxPieceSize");
    let range = format!("bytes 0-{}/{}", LEAST - 1, content.len() + 1);
    let odd = [("file-name", "a"), ("content-range", range.as_str())];
    is_problem(&house.send(&own, "PUT", &path, &odd, content[..LEAST].to_vec()).await, 400, "ApiHeaderInvalid");
    let range = format!("bytes 0-{}/{}", LEAST - 1, content.len());
    let headers = [("file-name", "l%C3%B8n.txt"), ("content-range", range.as_str())];
    is_problem(&house.send(&own, "PUT", &path, &headers, b"a".to_vec()).await, 422, "MailboxContentDiffers");
    let upload = format!("/api/v1/mailboxes/PA85858/outbox/{id}/upload");
    is_problem(&house.get(&own, &upload).await, 404, "ApiNotFound");

    assert_eq!(sends(&house, &own, &path, &content, 0..LEAST).await.status, 202);
    let mut other = content.clone();
    other[0] = 9;
    let reused = sends(&house, &own, &place(id, &other), &other, LEAST..2 * LEAST).await;
    is_problem(&reused, 409, "MailboxDeliveryReused");
    let range = format!("bytes {LEAST}-{}/{}", content.len() - 1, content.len());
    let renamed = [("file-name", "b.txt"), ("content-range", range.as_str())];
    is_problem(&house.send(&own, "PUT", &path, &renamed, content[LEAST..].to_vec()).await, 409, "MailboxDeliveryReused");
    is_problem(&house.get(&stranger, &upload).await, 404, "ApiNotFound");
    is_problem(&sends(&house, &stranger, &path, &content, LEAST..2 * LEAST).await, 404, "ApiNotFound");
    assert_eq!(value(&house.get(&own, &upload).await), json!({"offset": LEAST}), "nothing of it changed what had come");
}

#[tokio::test]
async fn a_file_that_was_begun_by_mistake_is_taken_back_by_its_sender_alone_and_its_id_is_free() {
    let house = House::build().await;
    let Parties { own, central, stranger } = Parties::of(&house).await;
    let content = bytes(2 * LEAST);
    let id = Uuid::new_v4();
    let upload = format!("/api/v1/mailboxes/PA85858/outbox/{id}/upload");
    let take_back = async |who: &Who, path: &str| house.ask(who, "DELETE", path, &[], None).await;
    is_problem(&take_back(&own, &upload).await, 404, "ApiNotFound");
    assert_eq!(sends(&house, &own, &place(id, &content), &content, 0..LEAST).await.status, 202);
    for other in [&stranger, &central] {
        is_problem(&take_back(other, &upload).await, 404, "ApiNotFound");
    }
    is_problem(&take_back(&own, &format!("{upload}?all=1")).await, 400, "ApiQueryInvalid");
    assert_eq!(value(&house.get(&own, &upload).await), json!({"offset": LEAST}), "nothing of it changed what had come");
    let gone = take_back(&own, &upload).await;
    assert_eq!((gone.status, &gone.body[..]), (204, &b""[..]), "{}", gone.text());
    is_problem(&house.get(&own, &upload).await, 404, "ApiNotFound");
    let file = house.send(&own, "PUT", &place(id, b"a"), &[("file-name", "a.txt")], b"a".to_vec()).await;
    assert_eq!(file.status, 201, "{}", file.text());
    is_problem(&take_back(&own, &upload).await, 404, "ApiNotFound");
}

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    args: hjemmel::cli::mailbox::Args,
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// A partner's machine: its certificate, and folders.
struct Machine(tempfile::TempDir, u16);

impl Machine {
    fn of(house: &House, who: &Who) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
        let chain: String = who.credentials.chain().iter().map(|der| pem("CERTIFICATE", der)).collect();
        write("cert.pem", chain);
        write("key.pem", pem("PRIVATE KEY", who.credentials.key().secret_der()));
        write("ca.pem", pem("CERTIFICATE", crate::house::pki().root()));
        Self(dir, house.port)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Types a command, and gives its exit code and what it says.
    async fn types(&self, words: &[&str]) -> (std::process::ExitCode, String) {
        let api = format!("https://localhost:{}", self.1);
        let (ca, cert, key) = (self.path("ca.pem"), self.path("cert.pem"), self.path("key.pem"));
        let connection = ["--api", &api, "--ca", &ca, "--cert", &cert, "--key", &key, "--attempts", "1"];
        let all = ["mailbox"].iter().chain(words).chain(&connection);
        let line = <Line as clap::Parser>::try_parse_from(all).unwrap();
        let mut out = Vec::new();
        let code = hjemmel::cli::mailbox::run(line.args, &Clock::system(), &mut out).await.unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    async fn fetches(&self) -> (std::process::ExitCode, String) {
        self.types(&["fetch", "--agreement", "PA00001", "--into", &self.path("in")]).await
    }

    async fn delivers(&self, file: &str, alias: &str) -> (std::process::ExitCode, String) {
        let words = ["deliver", file, "--agreement", "PA85858", "--stream", "LOENPOSTER", "--wait", "0", "--alias", alias];
        self.types(&words).await
    }

    fn there(&self) -> Vec<String> {
        let read = std::fs::read_dir(self.0.path().join("in")).unwrap();
        let mut names: Vec<String> = read.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn is(code: std::process::ExitCode, due: u8, said: &str) {
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::from(due)), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_job_delivers_once_fetches_what_came_and_goes_on_where_it_broke_off() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let (sender, recipient) = (Machine::of(&house, &own), Machine::of(&house, &central));
    let content: Vec<u8> = (0..700_000_u32).map(|at| u8::try_from(at % 253).unwrap()).collect();
    let file = sender.path("løn.txt");
    std::fs::write(&file, &content).unwrap();
    for _ in 0..2 {
        let (code, said) = sender.delivers(&file, "LOENGRUPPE:4711").await;
        is(code, 0, &said);
        assert!(said.contains("1 files delivered, 0 failed") && !said.contains("løn"), "{said}");
        judged(&house).await;
    }
    let (code, said) = sender.delivers(&file, "LOENGRUPPE:4712").await;
    is(code, 4, &said);
    assert!(said.contains("MailboxNotAgreed"), "{said}");

    let page = value(&house.get(&central, "/api/v1/mailboxes/PA00001/inbox").await);
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "run twice, delivered once");
    let id = text(&page["items"][0], "id");
    // The run before broke off in the middle; and there is another file of that name.
    std::fs::create_dir(recipient.path("in")).unwrap();
    std::fs::write(recipient.path(&format!("in/.{id}.part")), &content[..300_000]).unwrap();
    std::fs::write(recipient.path("in/løn.txt"), "anden").unwrap();
    let (code, said) = recipient.fetches().await;
    is(code, 0, &said);
    let names = [".PA00001.lock", ".PA00001.next", &format!("{id}_løn.txt"), "løn.txt"].map(str::to_owned);
    assert_eq!(recipient.there(), names);
    assert!(std::fs::read(recipient.path(&format!("in/{id}_løn.txt"))).unwrap() == content);
    assert_eq!(std::fs::read_to_string(recipient.path("in/løn.txt")).unwrap(), "anden", "nothing is written over");
    let (code, said) = recipient.fetches().await;
    is(code, 0, &said);
    assert!(said.contains("0 files fetched, 0 failed"), "{said}");
    // Two runs at once: the second does nothing.
    let other = std::fs::File::open(recipient.path("in/.PA00001.lock")).unwrap();
    other.lock().unwrap();
    let (code, said) = recipient.fetches().await;
    is(code, 3, &said);
    assert!(said.contains("another run"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_damaged_is_fetched_anew_and_what_cannot_be_reached_is_tried_later() {
    let house = House::build().await;
    let Parties { own, central, stranger } = Parties::of(&house).await;
    let file = delivered(&house, &own, b"0123456789").await;
    let recipient = Machine::of(&house, &central);
    std::fs::create_dir(recipient.path("in")).unwrap();
    std::fs::write(recipient.path(&format!("in/.{}.part", text(&file, "id"))), "XXXXX").unwrap();
    let (code, said) = recipient.fetches().await;
    is(code, 0, &said);
    assert_eq!(std::fs::read_to_string(recipient.path("in/løn.txt")).unwrap(), "0123456789");
    let (code, said) = Machine::of(&house, &stranger).fetches().await;
    is(code, 4, &said);
    let mut elsewhere = Machine::of(&house, &central);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.1 = free.local_addr().unwrap().port();
    drop(free);
    let (code, said) = elsewhere.fetches().await;
    is(code, 3, &said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deliveries_of_one_name_and_content_are_two_files_and_one_whose_confirmation_was_lost_is_kept_once() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let recipient = Machine::of(&house, &central);
    delivered(&house, &own, b"ingen").await;
    let second = delivered(&house, &own, b"ingen").await;
    let (code, said) = recipient.fetches().await;
    is(code, 0, &said);
    let both = [".PA00001.lock", ".PA00001.next", &format!("{}_løn.txt", text(&second, "id")), "løn.txt"].map(str::to_owned);
    assert_eq!(recipient.there(), both, "two pay groups may have sent the same");
    // A run that died between a file's name and its confirmation; whoever reads the folder has taken the file since.
    let third = delivered(&house, &own, b"ingen").await;
    std::fs::write(recipient.path(&format!("in/.{}.kept", text(&third, "id"))), "").unwrap();
    let (code, said) = recipient.fetches().await;
    is(code, 0, &said);
    assert!(said.contains("1 files fetched, 0 failed"), "{said}");
    assert_eq!(recipient.there(), both, "it is confirmed, and not kept twice");
    let inbox = value(&house.get(&central, "/api/v1/mailboxes/PA00001/inbox").await);
    for file in inbox["items"].as_array().unwrap() {
        assert_eq!(text(file, "transport"), "AFHENTET", "{file}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_read_or_kept_is_told_by_its_place_and_never_by_its_name() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let (sender, recipient) = (Machine::of(&house, &own), Machine::of(&house, &central));
    let (code, said) = sender.delivers(&sender.path("6105998888.txt"), "LOENGRUPPE:4711").await;
    is(code, 4, &said);
    assert!(said.contains("file 1 of 1") && !said.contains("6105998888"), "{said}");
    let path = place(Uuid::new_v4(), b"a");
    let taken = value(&house.send(&own, "PUT", &path, &[("file-name", "6105998888.txt")], b"a".to_vec()).await);
    let id = text(&taken, "id");
    judged(&house).await;
    // A folder where the file is to stand under either of its names.
    for name in [format!("in/{id}_6105998888.txt/x"), "in/6105998888.txt/x".to_owned()] {
        std::fs::create_dir_all(recipient.path(&name)).unwrap();
    }
    let (code, said) = recipient.fetches().await;
    is(code, 4, &said);
    assert!(said.contains(id) && !said.contains("6105998888"), "{said}");
}

/// A line to a house that breaks once so many bytes were sent by it, and stays broken.
struct ThinLine {
    port: u16,
    sent: Arc<AtomicUsize>,
}

impl ThinLine {
    async fn to(house: &House, breaks_at: usize) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, sent) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let (to, counted) = (house.port, sent.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counted = counted.clone();
                tokio::spawn(async move {
                    let server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    let (mut asks, mut is_answered) = stream.into_split();
                    let (mut answers, mut is_asked) = server.into_split();
                    let back = async { tokio::io::copy(&mut answers, &mut is_answered).await.map(drop) };
                    let there = async {
                        let mut piece = vec![0; 16 * 1024];
                        loop {
                            let length = asks.read(&mut piece).await?;
                            if length == 0 {
                                return is_asked.shutdown().await;
                            }
                            if counted.fetch_add(length, Ordering::SeqCst) + length > breaks_at {
                                return Err(std::io::Error::other("the line breaks"));
                            }
                            is_asked.write_all(&piece[..length]).await?;
                        }
                    };
                    // An error ends both ways.
                    let _ = tokio::try_join!(back, there);
                });
            }
        });
        Self { port, sent }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_line_breaks_in_the_middle_of_a_large_file_sends_the_rest_when_it_is_run_again() {
    let house = House::build().await;
    let Parties { own, central, .. } = Parties::of(&house).await;
    let mut sender = Machine::of(&house, &own);
    let content = bytes(10 * LEAST + 5);
    let file = sender.path("løn.txt");
    std::fs::write(&file, &content).unwrap();
    let line = ThinLine::to(&house, 6 * LEAST).await;
    sender.1 = line.port;
    let (code, said) = sender.delivers(&file, "LOENGRUPPE:4711").await;
    is(code, 3, &said);
    let line = ThinLine::to(&house, usize::MAX).await;
    sender.1 = line.port;
    let (code, said) = sender.delivers(&file, "LOENGRUPPE:4711").await;
    is(code, 0, &said);
    let sent = line.sent.load(Ordering::SeqCst);
    assert!((6 * LEAST..8 * LEAST).contains(&sent), "the piece that came is not sent again: {sent} bytes");
    judged(&house).await;
    let page = value(&house.get(&central, "/api/v1/mailboxes/PA00001/inbox").await);
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(text(&page["items"][0], "sha256"), hex(&digest(&content)));
    let recipient = Machine::of(&house, &central);
    let (code, said) = recipient.fetches().await;
    is(code, 0, &said);
    assert!(std::fs::read(recipient.path("in/løn.txt")).unwrap() == content, "byte for byte");
}
