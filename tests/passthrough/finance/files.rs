//! Deliveries of vouchers as files, and the ledgers' answers: through the mailboxes, on both stores.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hjemmel::agreements::{State, Store, Thumbprint};
use hjemmel::audit::{About, FinanceFigures, keys, search::search};
use hjemmel::clock::Clock;
use hjemmel::decisions::By;
use hjemmel::files::answers::{self, Awaited};
use hjemmel::files::content::ByInfRef;
use hjemmel::files::core::Step;
use hjemmel::files::home::{Folder, Home};
use hjemmel::files::orders::{self, Order};
use hjemmel::files::partner::agreement::{self, Number, Terms};
use hjemmel::files::partner::core::{JOBS as MAILBOX_JOBS, Mailboxes};
use hjemmel::files::partner::deliver as mailbox;
use hjemmel::files::partner::fetch::Which;
use hjemmel::files::partner::rows::Validation;
use hjemmel::files::partner::users::{self as mailbox_users, Right, Shown};
use hjemmel::files::transfers;
use hjemmel::files::users::{self, User};
use hjemmel::id::cvr::Cvr;
use hjemmel::objects::ContentKeys;
use hjemmel::schema::compile::Schema;
use hjemmel::schema::pool::Pool;
use hjemmel::schema::source::Sources;
use hjemmel::services::finance::files::answer::Answers;
use hjemmel::services::finance::files::lists::Worker;
use hjemmel::services::finance::files::vouchers::Vouchers;
use hjemmel::services::finance::lists::subscription::{self, Delivery, Structure};
use hjemmel::services::finance::lists::{Held, draft, transfer};
use hjemmel::services::finance::memory::{Memories, Pace};
use hjemmel::services::finance::rules::mode::Rules;
use hjemmel::services::finance::rules::sortiment::Lists;
use hjemmel::services::finance::rules::trial::{Opening, Openings};
use hjemmel::services::finance::trials::Trials;
use hjemmel::services::passthrough::deliveries::by_file::ByFile;
use hjemmel::services::passthrough::deliveries::{self, Kept};
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;
use hjemmel::store::{Access, Database, Dialect, Settings, sql};
use hjemmel::stub::finance::ledger::Ledger;
use hjemmel::stub::finance::sample::{Parties, Sample};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::contract::schema;
use super::gateway::{Finance, receipt, texts};
use super::rules::list;
use crate::dies;
use crate::mailboxes::{
    OTHER, RECIPIENT, RULES, SENDER, SYSTEM, World, files_in, get, home, id, key, list as listed, order, parts_in, populate, put,
    settle, trigger_to,
};
use crate::people;
use crate::settle::leases_end;
use crate::tables;
use crate::world::BY_TOKEN;

const VOUCHERS: &str = "SF1590_A_IF02-03";
const ANSWERS: &str = "SF1590_A_IF04";
const SERVICE: Uuid = uuid::uuid!("2f0c1c7e-6b0d-4c4e-9b39-5f0f1d3c1590");

fn parties() -> Parties {
    let cvr = "11111111".parse().unwrap();
    Parties { system: SYSTEM.parse().unwrap(), sender: cvr, receiver: cvr, day: jiff::civil::date(2026, 11, 27) }
}

pub fn sample(seed: u64, vouchers: usize) -> Sample {
    Sample::ordinary(seed, &parties(), vouchers)
}

/// The rules of the service, over the store and the keys of a folder.
pub async fn contents(folder: &Path, database: &Database, store: &Settings) -> ByInfRef {
    contents_under(&folder.join("audit-keys"), &folder.join("content.key"), database, store).await
}

async fn contents_under(audit_keys: &Path, key: &Path, database: &Database, store: &Settings) -> ByInfRef {
    let sealer = keys::sealer(&audit_keys.join("pseudonym.key"), &audit_keys.join("auditors.pub")).unwrap();
    let keys = ContentKeys::read(key, &[]).unwrap();
    let kept = Kept::new(database.clone(), Arc::new(keys), Arc::new(sealer));
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let rules =
        deliveries::Rules { keep: days(40), keep_items: days(400), wait: Duration::from_millis(10), whatever_came: false };
    let memory = ByFile::new(SERVICE, rules, kept, Arc::default());
    let pace = Pace { refresh: Duration::from_secs(1), staleness: Duration::from_secs(60) };
    let agreements = Store::open(store).await.unwrap();
    let from: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
    let opening = Opening::new(from, "2026-11-30T23:00:00Z".parse().unwrap()).unwrap();
    let vouchers = Vouchers {
        schema: schema(),
        rules: Arc::new(Rules::default()),
        lists: Held::Fixed(Arc::new(Lists::new([list()]).unwrap())),
        trials: Trials {
            said: Arc::new(Openings::new([(parties().sender, opening)])),
            kept: Memories::default().of(SERVICE, &agreements, pace),
        },
        memory: memory.clone(),
        database: database.clone(),
    };
    let answers = Answers { schema: schema(), memory, database: database.clone() };
    let mut contents = ByInfRef::new();
    contents.insert(VOUCHERS.to_owned(), Arc::new(vouchers));
    contents.insert(ANSWERS.to_owned(), Arc::new(answers));
    contents
}

pub fn orders() -> [Order; 2] {
    let of = |from: &str, to: &str, inf_ref: &str| Order { inf_ref: Some(inf_ref.to_owned()), pattern: None, ..order(from, to) };
    [of(SENDER, RECIPIENT, VOUCHERS), of(RECIPIENT, SENDER, ANSWERS)]
}

/// Worlds in which vouchers go from one user to the other, and answers back.
async fn worlds() -> Vec<World> {
    let worlds = World::all().await;
    for world in &worlds {
        for order in orders() {
            world.order(order).await;
        }
        world.parts.contents.replace(contents(&world.folder, &world.database, &world.store).await);
    }
    worlds
}

pub fn routed(name: &str, size: usize, from: &str, inf_ref: &str, transaction: u128) -> String {
    let system = if from == SENDER { SYSTEM.to_owned() } else { id("system").max(id(from)).to_string() };
    let routing = crate::mailboxes::routing(inf_ref, transaction).replace(SYSTEM, &system);
    trigger_to(name, size, from, &["ROUTING_V1_0_0"], &routing)
}

/// Sends a file with its trigger; gives the receipt.
async fn send(world: &World, from: &str, file: &str, content: &[u8], inf_ref: &str, transaction: u128) -> String {
    let home = world.home(from).await;
    put(&home, file, content).await.unwrap();
    let trigger = routed(file, content.len(), from, inf_ref, transaction);
    put(&home, &format!("{file}.trigger"), trigger.as_bytes()).await.unwrap();
    world.settle().await;
    get(&world.home(from).await, &format!("{file}.sftpreceipt")).await.unwrap_or_else(|_| panic!("{}: a receipt", world.kind))
}

async fn deliver(world: &World, sample: &Sample, transaction: u128) -> String {
    send(world, SENDER, &format!("bilag-{transaction}.xml"), sample.delivery().as_bytes(), VOUCHERS, transaction).await
}

async fn answer(world: &World, receipt: &[u8], transaction: u128) -> String {
    send(world, RECIPIENT, &format!("kvittering-{transaction}.xml"), receipt, ANSWERS, transaction).await
}

/// The codes of the service in a receipt, in order.
fn codes(receipt: &str) -> Vec<&str> {
    receipt.split("<ErrorDescription>").skip(1).filter_map(|text| text.split(" FB").nth(1)?.get(..3)).collect()
}

async fn awaited(world: &World) -> Awaited {
    let mut session = world.database.session().await.unwrap();
    answers::newest(&mut session, 1).await.unwrap().remove(0)
}

async fn state(world: &World) -> &'static str {
    awaited(world).await.standing.name()
}

fn figures(world: &World) -> Vec<FinanceFigures> {
    let calls = search(&world.folder.join("audit"), |_| true).unwrap().calls;
    let mut records: Vec<_> = calls.into_values().collect();
    records.sort_by_key(|record| record.opened_at);
    records
        .into_iter()
        .filter_map(|record| match record.about {
            About::File(about) => about.finance,
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_file_of_vouchers_is_judged_delivered_answered_and_remembered() {
    let log = crate::log::now();
    // Who stands in a file of vouchers alone.
    let person = "8901809095";
    for world in worlds().await {
        let (mut sample, ledger) = (sample(1, 3), Ledger::default());
        sample.vouchers[0].postings[0].rest = vec![("Part", format!("urn:oio:cpr-nr:{person}"))];
        let receipt = deliver(&world, &sample, 1).await;
        assert!(receipt.contains("<Message>SUCCESS</Message>"), "{}: {receipt}", world.kind);
        assert_eq!(state(&world).await, "AFVENTER", "{}", world.kind);
        let taken = get(&world.home(RECIPIENT).await, "bilag-1.xml").await.unwrap();
        assert_eq!(taken, sample.delivery(), "{}: nothing is altered", world.kind);
        let again = deliver(&world, &sample, 2).await;
        assert_eq!(codes(&again), ["032"], "{}: it is under way", world.kind);
        let booked = ledger.by_file(taken.as_bytes()).unwrap();
        let told = answer(&world, &booked, 3).await;
        assert!(told.contains("<Message>SUCCESS</Message>"), "{}: {told}", world.kind);
        assert_eq!(state(&world).await, "ACCEPTERET", "{}", world.kind);
        let back = get(&world.home(SENDER).await, "kvittering-3.xml").await.unwrap();
        assert_eq!(back.as_bytes(), booked, "{}: the ledger's own words", world.kind);
        // The same delivery again, written in another way: the earlier receipt is told, and the ledger has nothing of it.
        let other_way = sample.delivery().replace("fb:", "x:").replace("xmlns:fb", "xmlns:x").replace("><x:", ">\n<x:");
        let again = send(&world, SENDER, "igen.xml", other_way.as_bytes(), VOUCHERS, 4).await;
        assert!(again.contains("<ErrorCode>1050<") && again.contains("ACCEPTERET: 3 bilag accepteret, 0 afvist"), "{again}");
        assert!(!world.list(RECIPIENT, Folder::In).await.contains(&"igen.xml".to_owned()), "{}", world.kind);
        // Its id with other content; a voucher of it in another delivery.
        let mut other = sample.clone();
        other.vouchers[0].number = "andet".to_owned();
        assert_eq!(codes(&deliver(&world, &other, 5).await), ["030"], "{}", world.kind);
        let mut twice = super::files::sample(2, 1);
        twice.vouchers[0].id = sample.vouchers[1].id.clone();
        let told = deliver(&world, &twice, 6).await;
        assert_eq!(codes(&told), ["031"], "{}: {told}", world.kind);
        assert!(told.contains("kvittering ACCEPTERET") && told.contains("receipt ACCEPTERET"), "{}: {told}", world.kind);
        // The audit has what was in it and what the ledger said.
        let [delivered, answered] = figures(&world).try_into().unwrap();
        assert_eq!((delivered.vouchers, delivered.delivery.to_string()), (3, sample.id.clone()), "{}", world.kind);
        assert_eq!((answered.receipt.as_deref(), answered.accepted), (Some("ACCEPTERET"), Some(3)), "{}", world.kind);
        assert!([receipt, told, again].iter().all(|told| !told.contains(person)), "{}", world.kind);
    }
    let logged = log.lines();
    assert!(memchr::memmem::find(&logged, person.as_bytes()).is_none() && !logged.is_empty(), "a party is logged");
}

#[tokio::test]
async fn a_file_that_the_rules_refuse_says_all_of_it_at_once_for_whom_it_is_and_is_mended_under_its_own_id() {
    for world in worlds().await {
        let good = sample(7, 2);
        let mut bad = good.clone();
        bad.control[0] = Some("9".to_owned());
        bad.control[2] = Some("0.07".to_owned());
        bad.vouchers[0].postings[0].codes[0][1] = "4711".to_owned();
        bad.vouchers[1].postings[0].amount = "1.00".to_owned();
        let told = deliver(&world, &bad, 1).await;
        let (mut found, first) = (codes(&told), codes(&told)[0]);
        found.sort_unstable();
        assert_eq!(found, ["003", "004", "010", "020"], "{}: {told}", world.kind);
        assert_ne!(first, "020", "{}: errors first", world.kind);
        for text in ["FEJL FB003 (ADMINISTRATOR): ", "/ ", "ERROR FB010 (SLUTBRUGER): ", "ADVARSEL FB020 (SLUTBRUGER): "] {
            assert!(told.contains(text), "{}: {text}: {told}", world.kind);
        }
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [""; 0], "{}", world.kind);
        let mended = deliver(&world, &good, 2).await;
        assert!(mended.contains("SUCCESS"), "{}: the id is not used up: {mended}", world.kind);
        // What breaks the schema, and what is no XML: where and how, and nothing of what stands there.
        let person = good.delivery().replacen("<fb:Valuta>DKK", "<fb:Valuta>6101801234", 1);
        let told = send(&world, SENDER, "c.xml", person.as_bytes(), VOUCHERS, 3).await;
        assert!(told.contains("<ErrorCode>1050<") && told.contains("Valuta") && !told.contains("6101801234"), "{told}");
        let told = send(&world, SENDER, "d.xml", b"<a>6101801234", VOUCHERS, 4).await;
        assert!(told.contains("<ErrorCode>1050<") && !told.contains("6101801234"), "{}: {told}", world.kind);
    }
}

#[tokio::test]
async fn a_stream_of_a_mailbox_that_names_the_rule_has_its_files_judged_as_those_of_a_home_and_nothing_is_claimed() {
    for world in worlds().await {
        let mailboxes = Mailboxes::new(world.parts.clone(), "test".parse().unwrap());
        let owner: Cvr = "11111111".parse().unwrap();
        let stream = format!(
            "[[stream]]\ncode = 'BILAG'\ndirection = 'UD'\ncounterpart = 'PA00001'\n[stream.validator]\nnamed = '{VOUCHERS}'\n"
        );
        let alias = "[[alias]]\nkind = 'BOGFOERINGSKREDS'\ncode = '1'\nvalid_from = '2026-01-01'\n";
        let shown = Shown::Certificate(Thumbprint::of_der(b"a system"));
        let number = "PA85858".parse::<Number>().unwrap();
        let mut transaction = world.database.begin().await.unwrap();
        for (of, rest) in
            [("PA85858", format!("{alias}{stream}")), ("PA00001", "[[stream]]\ncode = 'BILAG'\ndirection = 'IND'\n".to_owned())]
        {
            let text = format!(
                "number = '{of}'\nowner = '{owner}'\nenvironment = 'test'\nlegal_basis = 'a'\npurpose = 'b'\n\
                 contact = {{ email = 'a@b.example', phone = '1' }}\n{rest}"
            );
            let terms = toml::from_str::<Terms>(&text).unwrap().sound().unwrap();
            agreement::put(&mut transaction, &terms, world.parts.clock.now()).await.unwrap();
        }
        let user = mailbox_users::User {
            id: Uuid::now_v7(),
            name: "BOGHOLDERI".to_owned(),
            environment: "test".parse().unwrap(),
            authority: owner,
            standing: mailbox_users::Standing::Active,
            valid_to: None,
            seen: None,
            refused: None,
            certificates: vec![Thumbprint::of_der(b"a system")],
            keys: Vec::new(),
            rights: Vec::new(),
        };
        mailbox_users::add(&mut transaction, &user, world.parts.clock.now()).await.unwrap();
        let held = agreement::numbered(&mut transaction, number).await.unwrap().unwrap();
        let right = Right { number, fetches: true, delivers: true };
        mailbox_users::give(&mut transaction, user.id, held.id, right).await.unwrap();
        transaction.commit().await.unwrap();
        let entered = mailboxes.enter(shown).await.unwrap();
        let judged = async |content: &str| {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content.as_bytes());
            let delivery = mailbox::Delivery {
                number,
                delivery: Uuid::new_v4(),
                stream: "BILAG".to_owned(),
                alias: ("BOGFOERINGSKREDS".to_owned(), "1".to_owned()),
                name: hjemmel::files::name::Name::new("bilag.xml").unwrap(),
                size: content.len() as u64,
                sha256: digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
                through: mailbox::Through::Api,
            };
            let id = delivery.delivery;
            let mailbox::Begun::Take(mut receiving) = mailboxes.deliver(&entered, delivery).await.unwrap() else {
                panic!("{}: it is new", world.kind)
            };
            receiving.write(content.as_bytes()).await.unwrap();
            receiving.close().await.unwrap();
            crate::settle::settle(&world.database, MAILBOX_JOBS, || mailboxes.work_once()).await;
            mailboxes.file(&entered, number, Which::Outbox, id).await.unwrap()
        };
        let good = sample(21, 2);
        for _ in 0..2 {
            let file = judged(&good.delivery()).await;
            assert_eq!((file.validation, file.remarks.len()), (Validation::Approved, 0), "{}: {:?}", world.kind, file.remarks);
        }
        let mut bad = good.clone();
        bad.control[0] = Some("9".to_owned());
        let file = judged(&bad.delivery()).await;
        let told: Vec<_> = file.remarks.iter().map(|remark| (remark.code.as_str(), remark.da.contains("FB003"))).collect();
        assert_eq!((file.validation, told), (Validation::Rejected, vec![("1050", true)]), "{}: {:?}", world.kind, file.remarks);
        assert!(deliver(&world, &good, 1).await.contains("SUCCESS"), "{}: its id and its vouchers are free", world.kind);
    }
}

#[tokio::test]
async fn of_many_findings_twenty_are_told_and_the_others_counted() {
    for world in worlds().await {
        let mut sample = sample(3, 40);
        sample.vouchers.iter_mut().for_each(|voucher| voucher.postings[0].amount = "0.01".to_owned());
        sample.control = Default::default();
        let told = deliver(&world, &sample, 1).await;
        assert_eq!(codes(&told).len(), 20, "{}: {told}", world.kind);
        assert!(told.contains("yderligere ") && told.contains("more findings are not told"), "{}: {told}", world.kind);
    }
}

#[tokio::test]
async fn a_warning_stands_beside_the_success_and_does_not_keep_the_file() {
    for world in worlds().await {
        let mut sample = sample(4, 1);
        sample.vouchers[0].postings[0].codes[0][1] = "4711".to_owned();
        let told = deliver(&world, &sample, 1).await;
        assert!(told.contains("<Message>SUCCESS</Message>"), "{}: {told}", world.kind);
        assert!(told.contains("<!-- ADVARSEL FB020 (SLUTBRUGER)") && !told.contains("<ErrorMessage>"), "{}: {told}", world.kind);
        let document = hjemmel::soap::document::Document::parse(told.into_bytes().into(), &Default::default());
        assert!(document.is_ok(), "{}: it is XML", world.kind);
    }
}

#[tokio::test]
async fn a_test_is_taken_only_while_one_is_open_and_books_nothing() {
    for world in worlds().await {
        let mut test = sample(5, 2);
        test.trial = true;
        assert_eq!(codes(&deliver(&world, &test, 1).await), ["006"], "{}", world.kind);
        world.pass(SignedDuration::from_hours(24));
        let told = deliver(&world, &test, 2).await;
        assert!(told.contains("SUCCESS"), "{}: {told}", world.kind);
        let told = answer(&world, &Ledger::default().by_file(test.delivery().as_bytes()).unwrap(), 3).await;
        assert!(told.contains("SUCCESS"), "{}: {told}", world.kind);
        // The vouchers of the test are still to be booked.
        let mut real = test.clone();
        (real.trial, real.id) = (false, Uuid::new_v4().to_string());
        let told = deliver(&world, &real, 4).await;
        assert!(told.contains("SUCCESS"), "{}: {told}", world.kind);
    }
}

#[tokio::test]
async fn while_the_object_store_is_away_the_sender_hears_that_it_takes_longer_and_the_file_goes_when_it_is_back() {
    for world in worlds().await {
        let sample = sample(6, 1).delivery();
        let home = world.home(SENDER).await;
        put(&home, "a.xml", sample.as_bytes()).await.unwrap();
        put(&home, "a.xml.trigger", routed("a.xml", sample.len(), SENDER, VOUCHERS, 1).as_bytes()).await.unwrap();
        let (there, away) = (world.folder.join("objects"), world.folder.join("objects-away"));
        std::fs::rename(&there, &away).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while world.receipt("a.xml").await.is_none() {
            assert!(Instant::now() < until, "{}: never told", world.kind);
            world.files.work_once().await.unwrap();
        }
        assert_eq!(world.codes("a.xml").await, [1090], "{}", world.kind);
        let _ = std::fs::remove_dir_all(&there);
        std::fs::rename(&away, &there).unwrap();
        while world.receipt("a.xml").await.is_none_or(|receipt| !receipt.contains("SUCCESS")) {
            assert!(Instant::now() < until, "{}: never delivered", world.kind);
            world.files.work_once().await.unwrap();
        }
        assert_eq!(world.list(RECIPIENT, Folder::In).await, ["a.xml", "a.xml.metadata"], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_receipt_counts_only_from_the_ledger_that_has_the_delivery_for_each_of_its_vouchers_and_once() {
    for world in worlds().await {
        let (sample, ledger) = (sample(8, 3), Ledger::default());
        deliver(&world, &sample, 1).await;
        let good = String::from_utf8(ledger.by_file(sample.delivery().as_bytes()).unwrap()).unwrap();
        // One voucher is silently left out; another delivery; another ledger.
        let result = good.find("<fb:BilagResultat>").unwrap();
        let end = good.find("</fb:BilagResultat>").unwrap() + "</fb:BilagResultat>".len();
        let without = good.replacen(&good[result..end], "", 1);
        let told = answer(&world, without.as_bytes(), 2).await;
        assert!(told.contains("<ErrorCode>1050<") && told.contains("each voucher"), "{}: {told}", world.kind);
        let other = good.replace(&sample.id, "00000000-0000-4000-8000-000000000001");
        let told = answer(&world, other.as_bytes(), 3).await;
        assert!(told.contains("answers no delivery"), "{}: {told}", world.kind);
        let stranger = Order { inf_ref: Some(ANSWERS.to_owned()), pattern: None, ..order(OTHER, SENDER) };
        world.order(stranger).await;
        let told = send(&world, OTHER, "k.xml", good.as_bytes(), ANSWERS, 4).await;
        assert!(told.contains("answers no delivery"), "{}: not its delivery, and it learns nothing: {told}", world.kind);
        let mixed = good.replacen("<fb:Resultat>ACCEPTERET", "<fb:Resultat>AFVIST", 1);
        let told = answer(&world, mixed.as_bytes(), 5).await;
        assert!(told.contains("<ErrorCode>1050<"), "{}: ACCEPTERET, and one is not: {told}", world.kind);
        assert_eq!(state(&world).await, "AFVENTER", "{}: none of these was an answer", world.kind);
        assert!(answer(&world, good.as_bytes(), 6).await.contains("SUCCESS"), "{}", world.kind);
        let told = answer(&world, good.as_bytes(), 7).await;
        assert!(told.contains("answered before (ACCEPTERET)"), "{}: {told}", world.kind);
    }
}

#[tokio::test]
async fn what_a_ledger_rejects_may_be_sent_again_in_another_delivery_and_what_it_accepted_may_not() {
    for world in worlds().await {
        let mut first = sample(9, 2);
        first.vouchers[0].date = "2025-12-31".to_owned();
        deliver(&world, &first, 1).await;
        let ledger = Ledger::default();
        let receipt = ledger.by_file(first.delivery().as_bytes()).unwrap();
        assert!(answer(&world, &receipt, 2).await.contains("SUCCESS"), "{}", world.kind);
        assert_eq!(state(&world).await, "AFVIST", "{}: not every voucher was accepted", world.kind);
        let again = |at: usize, seed: u64| {
            let mut again = sample(seed, 1);
            again.vouchers[0].id = first.vouchers[at].id.clone();
            again
        };
        assert!(deliver(&world, &again(0, 10), 3).await.contains("SUCCESS"), "{}: the rejected one", world.kind);
        assert_eq!(codes(&deliver(&world, &again(1, 11), 4).await), ["031"], "{}: the accepted one", world.kind);
    }
}

#[tokio::test]
async fn the_platforms_own_business_receipt_answers_a_file_as_a_whole() {
    for world in worlds().await {
        let first = sample(12, 2);
        deliver(&world, &first, 1).await;
        let business = |acceptance: &str, transfer: Uuid| {
            format!(
                "<ns2:BusinessReceipt xmlns:ns2=\"http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types\">\
                 <FileTransferUUID>{transfer}</FileTransferUUID><Filename>bilag-1.xml</Filename>\
                 <Recipient>{RECIPIENT}</Recipient><FileAcceptance>{acceptance}</FileAcceptance>\
                 <Reason>Afvist: sum af debet og kredit er ikke ens.</Reason></ns2:BusinessReceipt>"
            )
        };
        let transfer = awaited(&world).await.transfer;
        for (file, wrong) in [
            (2, business("COULD_NOT_NOTIFY_RECIPIENT", transfer)),
            (3, business("ACCEPTED", Uuid::new_v4())),
            (4, business("ACCEPTED", transfer).replace("bilag-1.xml", "bilag-2.xml")),
            (5, business("ACCEPTED", transfer).replace("<Reason>", "<Andet/><Reason>")),
        ] {
            let told = answer(&world, wrong.as_bytes(), file).await;
            assert!(told.contains("<ErrorCode>1050<"), "{}: {told}", world.kind);
        }
        assert!(answer(&world, business("REJECTED", transfer).as_bytes(), 6).await.contains("SUCCESS"), "{}", world.kind);
        assert_eq!(state(&world).await, "AFVIST", "{}", world.kind);
        // All of it is free again, under a new id.
        let mut again = first.clone();
        again.id = Uuid::new_v4().to_string();
        assert!(deliver(&world, &again, 7).await.contains("SUCCESS"), "{}", world.kind);
    }
}

#[tokio::test]
async fn a_business_response_answers_the_one_file_of_the_submission_that_its_trigger_names() {
    for world in worlds().await {
        deliver(&world, &sample(13, 2), 1).await;
        let response = |content: &str| {
            format!(
                "<ns2:BusinessResponse xmlns:ns2=\"http://serviceplatformen.dk/xml/wsdl/soap11/SFTP/1/types\">{content}</ns2:BusinessResponse>"
            )
        };
        let accepts = response("<ResponseMessage>Modtaget</ResponseMessage>");
        let of_another = answer(&world, accepts.as_bytes(), 2).await;
        assert!(of_another.contains("<ErrorCode>1050<"), "{}: another submission: {of_another}", world.kind);
        let nothing = answer(&world, response("").as_bytes(), 1).await;
        assert!(nothing.contains("<ErrorCode>1050<"), "{}: {nothing}", world.kind);
        // Somebody else has a file of the same submission: whoever answers answers its own.
        let other = sql("INSERT INTO transfer (id, sender, fingerprint, state, name, name_key, trigger_xml, transaction_id, received_us)
             SELECT $1, sender, fingerprint, state, 'andet.xml', 'andet.xml', trigger_xml, transaction_id, received_us FROM transfer WHERE id = $2");
        let first = awaited(&world).await.transfer;
        assert_eq!(world.database.session().await.unwrap().execute(other.bind(Uuid::now_v7()).bind(first)).await.unwrap(), 1);
        let home = world.home(RECIPIENT).await;
        put(&home, "svar.xml", accepts.as_bytes()).await.unwrap();
        put(&home, "svar.xml.trigger", routed("svar.xml", accepts.len(), RECIPIENT, ANSWERS, 1).as_bytes()).await.unwrap();
        world.settle().await;
        let told = get(&world.home(RECIPIENT).await, "svar.xml.sftpreceipt").await.unwrap();
        assert!(told.contains("SUCCESS"), "{}: {told}", world.kind);
        assert_eq!(state(&world).await, "ACCEPTERET", "{}", world.kind);
    }
}

#[tokio::test]
async fn an_answer_is_overdue_after_thirty_days_and_after_forty_the_sender_is_told_and_none_is_taken() {
    for world in worlds().await {
        let sample = sample(13, 1);
        deliver(&world, &sample, 1).await;
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        world.pass(days(29));
        world.files.sweep().await.unwrap();
        assert_eq!(state(&world).await, "AFVENTER", "{}", world.kind);
        world.pass(days(2));
        world.files.sweep().await.unwrap();
        assert_eq!(state(&world).await, "FORSINKET", "{}", world.kind);
        assert_eq!(world.files.figures().await.unwrap().unanswered, 1, "{}", world.kind);
        world.pass(days(9));
        world.files.sweep().await.unwrap();
        assert_eq!(state(&world).await, "UDLOEBET", "{}", world.kind);
        assert_eq!(world.codes("bilag-1.xml").await, [1071], "{}", world.kind);
        let late = Ledger::default().by_file(sample.delivery().as_bytes()).unwrap();
        let told = answer(&world, &late, 2).await;
        assert!(told.contains("more than 40 days"), "{}: {told}", world.kind);
        // Nobody knows whether they are booked.
        let mut again = sample.clone();
        again.id = Uuid::new_v4().to_string();
        assert_eq!(codes(&deliver(&world, &again, 3).await), ["031"], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_refusal_after_the_claim_gives_the_delivery_back() {
    for world in worlds().await {
        // Of two vouchers one is booked already: the other must not stay taken.
        let booked = sample(14, 1);
        deliver(&world, &booked, 1).await;
        answer(&world, &Ledger::default().by_file(booked.delivery().as_bytes()).unwrap(), 2).await;
        let mut two = sample(15, 2);
        two.vouchers[0].id = booked.vouchers[0].id.clone();
        assert_eq!(codes(&deliver(&world, &two, 3).await), ["031"], "{}", world.kind);
        let rest = Sample { vouchers: two.vouchers[1..].to_vec(), control: Default::default(), ..two.clone() };
        let told = deliver(&world, &rest, 4).await;
        assert!(told.contains("SUCCESS"), "{}: {told}", world.kind);
        let mut session = world.database.session().await.unwrap();
        let of_refused = transfers::newest(&mut session, None, 10).await.unwrap();
        let refused = of_refused.iter().find(|transfer| transfer.codes == "1050").unwrap();
        assert_eq!(answers::of(&mut session, refused.id).await.unwrap(), None, "{}", world.kind);
    }
}

/// The mailboxes beside a gateway, over its store and its keys: Korsbæk's system sends by both ways to one ledger.
async fn beside(finance: &Finance, folder: &Path) -> (hjemmel::files::Files, Database) {
    let dir = &finance.passing.world.dir;
    let store = tables::patient(Settings::sqlite(&dir.join("agreements.sqlite")));
    let database = Database::open(&store, Access::Change).await.unwrap();
    let now = Clock::system().now();
    let mut transaction = database.begin().await.unwrap();
    for (at, user, system, authority) in
        [(1, SENDER, Role::Korsbaek.uuid().parse().unwrap(), KORSBAEK), (2, RECIPIENT, id("ledger"), BY_TOKEN)]
    {
        let user = User {
            id: id(user),
            name: user.to_owned(),
            environment: "test".parse().unwrap(),
            system,
            authority: authority.parse().unwrap(),
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
    let between = |order: Order, from: &str, to: &str| Order {
        sender_authority: from.parse().unwrap(),
        recipient_authority: to.parse().unwrap(),
        ..order
    };
    let [there, back] = orders();
    for order in [between(there, KORSBAEK, BY_TOKEN), between(back, BY_TOKEN, KORSBAEK)] {
        orders::add(&mut transaction, &order).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let keys = dir.join("delivery-keys/deliveries.key");
    let contents = contents_under(&dir.join("audit-keys"), &keys, &database, &store).await;
    let parts = parts_in(folder, database.clone(), Arc::new(Mutex::new(now)));
    parts.contents.replace(contents);
    (files_in(folder, parts, RULES, None), database)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_by_file_and_one_by_a_call_with_the_same_id_are_one() {
    let finance = Finance::start("[service.pass.deliveries]\nwait = \"0s\"").await;
    let folder = tempfile::tempdir().unwrap();
    let (files, database) = beside(&finance, folder.path()).await;
    let send = async |from: &str, file: &str, content: &str, inf_ref: &str, transaction: u128| {
        let (out, to) = if from == SENDER { (KORSBAEK, BY_TOKEN) } else { (BY_TOKEN, KORSBAEK) };
        let system = if from == SENDER { Role::Korsbaek.uuid().to_owned() } else { id("ledger").to_string() };
        let routing = crate::mailboxes::routing(inf_ref, transaction)
            .replace(SYSTEM, &system)
            .replace("SenderAuthority>urn:oio:cvr-nr:11111111", &format!("SenderAuthority>urn:oio:cvr-nr:{out}"))
            .replace("RecipientAuthority>urn:oio:cvr-nr:11111111", &format!("RecipientAuthority>urn:oio:cvr-nr:{to}"));
        let home = home(&files, from).await;
        put(&home, file, content.as_bytes()).await.unwrap();
        let trigger = trigger_to(file, content.len(), from, &["ROUTING_V1_0_0"], &routing);
        put(&home, &format!("{file}.trigger"), trigger.as_bytes()).await.unwrap();
        settle(&files, &database).await;
        get(&home, &format!("{file}.sftpreceipt")).await.unwrap()
    };
    // By a call first: the file is told the receipt, and the ledger has it once.
    let first = Finance::sample(21, BY_TOKEN, 2);
    let by_call = receipt(&finance.send(&first).await.0).await;
    assert!(by_call.contains("ACCEPTERET"), "{by_call}");
    let told = send(SENDER, "a.xml", &first.delivery(), VOUCHERS, 1).await;
    assert!(told.contains("ACCEPTERET: 2 bilag accepteret, 0 afvist"), "{told}");
    let mut other = first.clone();
    other.vouchers[0].number = "andet".to_owned();
    assert_eq!(codes(&send(SENDER, "b.xml", &other.delivery(), VOUCHERS, 2).await), ["030"]);
    // By a file first: the call hears that it is under way, and once it is answered the same receipt.
    let second = Finance::sample(22, BY_TOKEN, 2);
    let told = send(SENDER, "c.xml", &second.delivery(), VOUCHERS, 3).await;
    assert!(told.contains("SUCCESS"), "{told}");
    let under_way = receipt(&finance.send(&second).await.0).await;
    assert_eq!(texts(&under_way, "FejlKode").first().map(String::as_str), Some("FB032"), "{under_way}");
    let reached = finance.passing.by_token.received.get().count;
    let answer = String::from_utf8(finance.ledger.by_file(second.delivery().as_bytes()).unwrap()).unwrap();
    assert!(send(RECIPIENT, "d.xml", &answer, ANSWERS, 4).await.contains("SUCCESS"));
    assert_eq!(receipt(&finance.send(&second).await.0).await, answer, "the ledger's receipt, byte for byte");
    // A voucher that was accepted by file, in another delivery by a call.
    let mut third = Finance::sample(23, BY_TOKEN, 1);
    third.vouchers[0].id = second.vouchers[0].id.clone();
    let told = receipt(&finance.send(&third).await.0).await;
    assert_eq!(texts(&told, "FejlKode").first().map(String::as_str), Some("FB031"), "{told}");
    assert_eq!(finance.passing.by_token.received.get().count, reached, "nothing of these was passed on");
    assert!(finance.ledger.booked().values().all(|times| *times == 1), "{:?}", finance.ledger.booked());
}

/// Publishes the list by other means, and writes a delivery of it down as a publication does.
async fn publication(world: &World, structure: Structure) -> (Uuid, Uuid) {
    let store = Store::open(&world.store).await.unwrap();
    let now = *world.now.lock().unwrap();
    let known = store.sortimenter(SERVICE).await.unwrap().into_iter().next();
    let version = match known {
        Some(head) => head.id,
        None => {
            people::add(&store, &[(Role::GatewayClient, hjemmel::users::rights::Role::Operator, None)]).await;
            let (signer, because) = (people::signer(Role::GatewayClient), people::because(people::NOW));
            draft::import(&store, SERVICE, &list(), By::Key(&signer), &because, None).await.unwrap().0.id()
        }
    };
    let mut transaction = world.database.begin().await.unwrap();
    let published = sql("UPDATE sortiment SET published_at = $1 WHERE id = $2 AND published_at IS NULL");
    transaction.execute(published.bind(now).bind(version)).await.unwrap();
    let subscription = Uuid::new_v4();
    let system = id("system").max(id(RECIPIENT));
    let delivery = Delivery { sortiment: version, subscription, authority: parties().receiver, system, structure };
    let payload = serde_json::to_vec(&delivery).unwrap();
    subscription::deliveries(&store).add(&mut transaction, &payload, Some(&subscription.to_string())).await.unwrap();
    transaction.commit().await.unwrap();
    (version, subscription)
}

/// Whether a file is as the schema that subscribers are given says.
async fn by_schema(xml: &str, root: &str) -> Result<(), String> {
    let mut sources = Sources::default();
    for (path, text) in [
        ("SortimentOverfoer.xsd", include_str!("../../../docs/clients/SortimentOverfoer.xsd")),
        ("Sortiment.xsd", include_str!("../../../docs/clients/Sortiment.xsd")),
    ] {
        sources.add(path, text);
    }
    let schema = Schema::new(Arc::new(sources), ["SortimentOverfoer.xsd".to_owned()]).unwrap();
    let document = Document::parse(xml.as_bytes().to_vec().into(), &Limits::default()).unwrap();
    let (document, pool) = (Arc::new(document), Pool::start(&schema, 1).unwrap());
    let root = Arc::new((transfer::NAMESPACE.to_owned(), root.to_owned()));
    let node = document.root().id();
    let verdict = pool.validate(document, node, root).await.unwrap();
    verdict.map_err(|violations| violations.detail().en().to_owned())
}

async fn worker(world: &World, files: &hjemmel::files::Files) -> Worker {
    let now = world.now.clone();
    let clock = hjemmel::clock::Clock::from_fn(move || *now.lock().unwrap());
    Worker::new(files.clone(), Store::open(&world.store).await.unwrap(), clock, [(SERVICE, SENDER.to_owned())].into())
}

fn to_subscriber(structure: Structure) -> Order {
    Order { inf_ref: Some(structure.name().to_owned()), pattern: None, ..order(SENDER, RECIPIENT) }
}

#[tokio::test]
async fn a_published_value_list_lies_in_the_mailbox_of_whoever_subscribes_once_there_is_a_route_to_it() {
    for world in World::all().await {
        let worker = worker(&world, &world.files).await;
        let (version, subscription) = publication(&world, Structure::Two).await;
        assert_eq!(worker.work_once().await.unwrap(), 1, "{}", world.kind);
        assert!(world.list(RECIPIENT, Folder::In).await.is_empty(), "{}: nobody has approved a route", world.kind);
        let why = world.database.all(sql("SELECT problem FROM job WHERE kind = 'sortiment-delivery'")).await.unwrap();
        let why: String = why[0].get("problem").unwrap();
        assert!(why.contains("no approved route order") && why.contains("SortimentOverf\u{f8}r_2"), "{}: {why}", world.kind);
        world.order(to_subscriber(Structure::Two)).await;
        // Tried again by itself, later; now, for the test.
        world.database.session().await.unwrap().execute(sql("UPDATE job SET due_us = 0")).await.unwrap();
        assert_eq!(worker.work_once().await.unwrap(), 1, "{}", world.kind);
        world.settle().await;
        let file = format!("Sortiment_{}_{version}_{subscription}.xml", list().id);
        assert_eq!(world.list(RECIPIENT, Folder::In).await, [file.clone(), format!("{file}.metadata")], "{}", world.kind);
        let text = get(&world.home(RECIPIENT).await, &file).await.unwrap();
        let part = &text[text.find("<Sortiment ").unwrap()..text.find("</Sortiment>").unwrap() + "</Sortiment>".len()];
        let read = hjemmel::services::finance::rules::sortiment::xml::read(part.as_bytes()).unwrap();
        assert_eq!(read, list(), "{}: the whole version", world.kind);
        assert!(text.contains("<so:SortimentOverfoer_2 ") && text.contains("<so:Tilfoejet>22.0</so:Tilfoejet>"), "{text}");
        assert_eq!(by_schema(&text, "SortimentOverfoer_2").await, Ok(()), "{}: {text}", world.kind);
        assert_eq!(worker.work_once().await.unwrap(), 0, "{}: once", world.kind);
        // The other structure, to another subscription.
        world.order(to_subscriber(Structure::One)).await;
        let (_, subscription) = publication(&world, Structure::One).await;
        assert_eq!(worker.work_once().await.unwrap(), 1, "{}", world.kind);
        world.settle().await;
        let other = format!("Sortiment_{}_{version}_{subscription}.xml", list().id);
        let text = get(&world.home(RECIPIENT).await, &other).await.unwrap();
        assert_eq!(by_schema(&text, "SortimentOverfoer_1").await, Ok(()), "{}: {text}", world.kind);
        let metadata = get(&world.home(RECIPIENT).await, &format!("{file}.metadata")).await.unwrap();
        assert!(metadata.contains("<InfRef>SortimentOverf\u{f8}r_2</InfRef>"), "{}: {metadata}", world.kind);
    }
}

#[tokio::test]
async fn a_value_list_waits_for_a_subscriber_whose_home_or_order_would_refuse_it_and_says_why() {
    for world in World::all().await {
        let worker = worker(&world, &world.files).await;
        publication(&world, Structure::Two).await;
        let narrow = Order { largest_bytes: 10, ..to_subscriber(Structure::Two) };
        world.order(narrow.clone()).await;
        let tried = async || {
            world.database.execute(sql("UPDATE job SET due_us = 0")).await.unwrap();
            worker.work_once().await.unwrap();
            let waiting = sql("SELECT problem FROM job WHERE kind = 'sortiment-delivery' AND state = 'waiting'");
            let row = world.database.first(waiting).await.unwrap();
            row.map(|row| row.get::<String>("problem").unwrap())
        };
        let set = async |to: &'static str| {
            let done = world.database.execute(sql(to)).await;
            assert!(done.unwrap() > 0, "{to}");
        };
        assert!(tried().await.unwrap().contains("it allows no file so large"), "{}", world.kind);
        world.set_order(narrow.id, State::Terminated).await;
        world.order(to_subscriber(Structure::Two)).await;
        set("UPDATE sftp_user SET bytes_limit = 5").await;
        assert!(tried().await.unwrap().contains("its user's home has no room"), "{}", world.kind);
        set("UPDATE sftp_user SET bytes_limit = 10000000").await;
        world.settle().await;
        assert!(world.list(RECIPIENT, Folder::In).await.is_empty(), "{}: nothing was refused on its way", world.kind);
        assert_eq!(tried().await, None, "{}: it is sent", world.kind);
        world.settle().await;
        assert_eq!(world.list(RECIPIENT, Folder::In).await.len(), 2, "{}", world.kind);
    }
}

#[tokio::test]
async fn a_claim_is_given_back_only_before_its_file_is_delivered_and_no_file_is_delivered_without_one() {
    for world in worlds().await {
        let sample = sample(30, 1);
        assert!(deliver(&world, &sample, 30).await.contains("SUCCESS"));
        let transfer = awaited(&world).await.transfer;
        let session = async || world.database.session().await.unwrap();
        assert_eq!(answers::taken_back(&mut session().await, transfer).await.unwrap(), None, "{}", world.kind);
        assert_eq!(state(&world).await, "AFVENTER", "{}: another node has delivered it", world.kind);
        let now = *world.now.lock().unwrap();
        assert!(answers::awaited(&mut session().await, Uuid::new_v4(), now).await.is_err(), "{}: it was given back", world.kind);
    }
}

const CHILD: &str = "HJEMMEL_TEST_MASSE_CHILD";

/// The core over a folder, with the rules of the service.
async fn over(
    folder: &Path,
    settings: &Settings,
    at_step: Option<Arc<dyn Fn(Step) + Send + Sync>>,
) -> (hjemmel::files::Files, Database) {
    let database = Database::open(settings, Access::Make).await.unwrap();
    let now = Arc::new(Mutex::new("2026-11-29T10:00:00Z".parse().unwrap()));
    let parts = parts_in(folder, database.clone(), now);
    parts.contents.replace(contents(folder, &database, settings).await);
    let files = files_in(folder, parts, RULES, at_step);
    (files, database)
}

/// Not a test of its own: the process that is killed.
#[tokio::test]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let [folder, step, server]: [&str; 3] = told.split('|').collect::<Vec<_>>().try_into().unwrap();
    let (folder, step) = (PathBuf::from(folder), Step::ALL[step.parse::<usize>().unwrap()]);
    let at_step = move |reached: Step| {
        if reached == step {
            dies::die();
        }
    };
    let (files, database) = over(&folder, &dies::from_words(server, &folder), Some(Arc::new(at_step))).await;
    let (content, sender) = (sample(31, 3).delivery(), home(&files, SENDER).await);
    put(&sender, "a.xml", content.as_bytes()).await.unwrap();
    put(&sender, "a.xml.trigger", routed("a.xml", content.len(), SENDER, VOUCHERS, 1).as_bytes()).await.unwrap();
    settle(&files, &database).await;
    panic!("it should not have lived through {step:?}");
}

async fn killed_at_each_step(dialect: Dialect) {
    let steps = Step::ALL.into_iter().enumerate();
    for (at, step) in steps.filter(|(_, step)| !matches!(step, Step::Stored | Step::Uploaded)) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let Some(settings) = dies::store(dialect, folder).await else { return };
        let (_, database) = over(folder, &settings, None).await;
        populate(&database, "2026-11-29T10:00:00Z".parse().unwrap()).await;
        let mut transaction = database.begin().await.unwrap();
        for order in orders() {
            orders::add(&mut transaction, &order).await.unwrap();
        }
        transaction.commit().await.unwrap();
        database.close().await;
        let told = format!("{}|{at}|{}", folder.display(), dies::in_words(&settings, folder));
        dies::run("finance::files::child", (CHILD, told), step);
        let (files, database) = over(folder, &settings, None).await;
        let (sender, ledger) = (home(&files, SENDER).await, home(&files, RECIPIENT).await);
        let until = Instant::now() + Duration::from_secs(60);
        while listed(&ledger, Folder::In).await.is_empty() && Instant::now() < until {
            // The lease of the dead is over.
            leases_end(&database).await;
            files.work_once().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(listed(&ledger, Folder::In).await, ["a.xml", "a.xml.metadata"], "{step:?}: delivered, once");
        let awaited = answers::newest(&mut database.session().await.unwrap(), 9).await.unwrap();
        let states: Vec<_> = awaited.iter().map(|awaited| awaited.standing.name()).collect();
        assert_eq!(states, ["AFVENTER"], "{step:?}: one answer is awaited");
        // The same delivery under another name is still the same; and the ledger's answer is taken.
        let delivery = sample(31, 3).delivery();
        for (file, from, content, inf_ref, transaction, told) in [
            ("b.xml", SENDER, delivery.clone().into_bytes(), VOUCHERS, 2, "FB032"),
            ("c.xml", RECIPIENT, Ledger::default().by_file(delivery.as_bytes()).unwrap(), ANSWERS, 3, "SUCCESS"),
        ] {
            let user = if from == SENDER { &sender } else { &ledger };
            put(user, file, &content).await.unwrap();
            let trigger = routed(file, content.len(), from, inf_ref, transaction);
            put(user, &format!("{file}.trigger"), trigger.as_bytes()).await.unwrap();
            settle(&files, &database).await;
            let receipt = get(user, &format!("{file}.sftpreceipt")).await.unwrap();
            assert!(receipt.contains(told), "{step:?}: {receipt}");
        }
        let mut session = database.session().await.unwrap();
        let row = session.first(sql("SELECT count(*) AS n FROM delivery_item WHERE accepted_us IS NOT NULL")).await.unwrap();
        assert_eq!(row.unwrap().get::<i64>("n").unwrap(), 3, "{step:?}: each voucher, once");
        drop(session);
        database.close().await;
    }
}

#[tokio::test]
async fn a_file_of_vouchers_is_neither_lost_nor_doubled_whenever_the_process_is_killed_on_sqlite() {
    killed_at_each_step(Dialect::Sqlite).await;
}

#[tokio::test]
async fn a_file_of_vouchers_is_neither_lost_nor_doubled_whenever_the_process_is_killed_on_postgresql() {
    killed_at_each_step(Dialect::Postgres).await;
}

const WEIGHED: &str = "HJEMMEL_TEST_MASSE_WEIGHED";

/// `HJEMMEL_FILE_MB=1024 cargo test --release --test passthrough finance::files::a_file_passes -- --nocapture` sends a whole gigabyte.
#[tokio::test]
async fn a_file_passes_through_the_mailboxes_in_the_memory_of_a_voucher() {
    if let Ok(megabytes) = std::env::var(WEIGHED) {
        return weighed(megabytes.parse::<usize>().unwrap() << 20).await;
    }
    let megabytes = std::env::var("HJEMMEL_FILE_MB").unwrap_or_else(|_| "4".to_owned());
    let name = "finance::files::a_file_passes_through_the_mailboxes_in_the_memory_of_a_voucher";
    let run =
        Command::new(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(WEIGHED, megabytes).output();
    let said = String::from_utf8(run.unwrap().stdout).unwrap();
    let told = said.lines().find_map(|line| line.split_once("passed: ")).unwrap_or_else(|| panic!("{said}")).1;
    println!("{told}");
    let over: u64 = told.split_whitespace().next().unwrap().parse().unwrap();
    assert!(over < 64 * 1024, "{told}");
}

/// Sends so many bytes of vouchers, has them delivered, and fetches them; says how much memory that took.
async fn weighed(bytes: usize) {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, settings) = (temporary.path(), tables::in_file(&temporary.path().join("store.sqlite")).await);
    let database = Database::open(&settings, Access::Make).await.unwrap();
    let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
    populate(&database, now).await;
    let mut transaction = database.begin().await.unwrap();
    for order in orders() {
        orders::add(&mut transaction, &Order { largest_bytes: 2 << 30, ..order }).await.unwrap();
    }
    transaction.execute(sql("UPDATE sftp_user SET bytes_limit = 4000000000")).await.unwrap();
    transaction.commit().await.unwrap();
    let parts = parts_in(folder, database.clone(), Arc::new(Mutex::new(now)));
    parts.contents.replace(contents(folder, &database, &settings).await);
    let usual = hjemmel::files::Settings::usual("test".parse().unwrap(), folder.join("staging"));
    let files = hjemmel::files::Files::new(parts, usual);
    let (sender, ledger) = (home(&files, SENDER).await, home(&files, RECIPIENT).await);
    let line = |name: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let send = async |file: &str, wanted: usize, transaction: u128| {
        // Pieces of vouchers that are all right, with what stands around them in the middle of which they are put.
        let whole = sample(transaction as u64, 50).delivery();
        let (first, last) = (whole.find("<fb:Finansbilag>").unwrap(), whole.rfind("</fb:FinansbilagLeverance>").unwrap());
        let pieces = wanted / (last - first) + 1;
        let (mut debit, mut size) = (0_u64, 0_u64);
        for piece in 0..pieces {
            let sample = sample(transaction as u64 * 1_000_000 + piece as u64, 50);
            let xml = sample.delivery();
            let sum = xml.split("<fb:SumDebet>").nth(1).unwrap().split('<').next().unwrap().replace('.', "");
            debit += sum.parse::<u64>().unwrap();
            size += sample.vouchers.iter().map(|voucher| voucher.postings.len() as u64).sum::<u64>();
        }
        let sum = format!("{}.{:02}", debit / 100, debit % 100);
        let control = format!(
            "<fb:AntalBilag>{}</fb:AntalBilag><fb:AntalPosteringer>{size}</fb:AntalPosteringer>\
             <fb:SumDebet>{sum}</fb:SumDebet><fb:SumKredit>{sum}</fb:SumKredit>",
            50 * pieces
        );
        let (head, end) = (&whole[..first], &whole[last..]);
        let (before, after) = (head.find("<fb:AntalBilag>").unwrap(), head.find("</fb:Kontrol>").unwrap());
        let head = format!("{}{control}{}", &head[..before], &head[after..]);
        let mut file_of =
            sender.write(&Folder::Out, &hjemmel::files::name::Name::new(file).unwrap(), crate::mailboxes::ANEW).await.unwrap();
        let mut offset = 0;
        for piece in 0..=pieces + 1 {
            let text = match piece {
                0 => head.clone(),
                piece if piece > pieces => end.to_owned(),
                piece => {
                    let xml = sample(transaction as u64 * 1_000_000 + piece as u64 - 1, 50).delivery();
                    let (first, last) = (xml.find("<fb:Finansbilag>").unwrap(), xml.rfind("</fb:FinansbilagLeverance>").unwrap());
                    xml[first..last].to_owned()
                }
            };
            let length = text.len() as u64;
            hjemmel::files::home::File::write_at(&mut file_of, offset, text.into()).await.unwrap();
            offset += length;
        }
        hjemmel::files::home::File::close(file_of).await.unwrap();
        let size = usize::try_from(offset).unwrap();
        put(&sender, &format!("{file}.trigger"), routed(file, size, SENDER, VOUCHERS, transaction).as_bytes()).await.unwrap();
        settle(&files, &database).await;
        let receipt = get(&sender, &format!("{file}.sftpreceipt")).await.unwrap();
        assert!(receipt.contains("SUCCESS"), "{receipt}");
        let mut read = hjemmel::files::home::Home::read(&ledger, &Folder::In, &hjemmel::files::name::Name::new(file).unwrap())
            .await
            .unwrap();
        let mut at = 0;
        loop {
            let piece = hjemmel::files::home::File::read_at(&mut read, at, 256 * 1024).await.unwrap();
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
        }
        assert_eq!(at, offset, "the ledger has all of it");
        offset
    };
    // The schema compiled and the tables filled, as in a node that has judged before.
    send("a.xml", 100_000, 1).await;
    let idle = line("VmRSS");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let started = Instant::now();
    let sent = send("b.xml", bytes, 2).await;
    let (over, took) = (line("VmHWM").saturating_sub(idle), started.elapsed().as_secs_f64());
    println!("passed: {over} KB over {idle} KB when idle, at most, for {} MB, in {took:.1} s", sent >> 20);
}
