//! Files of persons: taken in, answered by a file, and erased; through the mailboxes, on both stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hjemmel::agreements::basis::Applied;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::{Agreements, CacheSettings, State, Store};
use hjemmel::audit::About;
use hjemmel::files::content::ByInfRef;
use hjemmel::files::core::Step;
use hjemmel::files::home::Folder;
use hjemmel::files::orders::Order;
use hjemmel::persons::{PersonKeys, Persons, erase};
use hjemmel::services::persons::contract::approved;
use hjemmel::services::persons::door::Door;
use hjemmel::services::persons::file::PersonFiles;
use hjemmel::services::persons::names::NS;
use hjemmel::services::persons::settings::{INF_REF, UUID};
use hjemmel::services::vocabulary;
use hjemmel::store::{copies, sql};
use uuid::Uuid;

use crate::decides::Decides;
use crate::mailboxes::{
    OTHER, RECIPIENT, RULES, SENDER, SYSTEM, World, files_in, get, home, list, order, put, routing, trigger_to,
};
use crate::settle::leases_end;

const NODE: Uuid = uuid::uuid!("00000000-0000-4000-8000-00000000000a");
const AGREEMENT: Uuid = uuid::uuid!("00000000-0000-4000-8000-0000000000ab");
const HEADER: &str =
    "InstitutionsID1;InstitutionsID2;Kommunekode;CPRnummer;Medarbejdernummer;Koen;Fornavne;Efternavn;Email;Brugernavn\r\n";

/// Worlds in which persons go from one user to the platform, by an agreement for two institutions.
async fn worlds() -> Vec<World> {
    let worlds = World::all().await;
    for world in &worlds {
        world.order(Order { inf_ref: Some(INF_REF.to_owned()), pattern: None, keep_days: 0, ..order(SENDER, RECIPIENT) }).await;
        let store = Store::open(&world.store).await.unwrap();
        let file = format!(
            "[[authority]]\ncvr = \"11111111\"\nname = \"Korsbæk Kommune\"\nrole = \"municipality\"\n\
             [[agreement]]\nid = \"{AGREEMENT}\"\nside = \"front\"\nsystem = \"{SYSTEM}\"\ncertificates = [\"{}\"]\nservice = \"{UUID}\"\n\
             authority = \"11111111\"\nenvironment = \"test\"\nvalid_from = \"2026-01-01T00:00:00Z\"\nstate = \"ANMODET\"\n\
             legal_basis = \"prøve\"\npurpose = \"prøve\"\ninstitutions = [\"1001\"]\nerase_after_months = [\"12\"]\n",
            "ab".repeat(32)
        );
        store.import(&Import::parse(&file, &vocabulary()).unwrap(), world.parts.clock.now()).await.unwrap();
        store.decide(AGREEMENT, State::Approved, "prøve", "prøve", world.parts.clock.now()).await.unwrap();
        world.parts.contents.replace(contents(world, store));
    }
    worlds
}

fn contents(world: &World, store: Store) -> ByInfRef {
    let door = Door {
        name: "personimport".to_owned(),
        service: UUID,
        environment: "test".parse().unwrap(),
        agreements: Agreements::new(
            store.clone(),
            CacheSettings { refresh: std::time::Duration::ZERO, ..CacheSettings::default() },
        ),
        audit: world.parts.audit.clone(),
        sealer: world.parts.sealer.clone(),
        persons: Persons::new(world.database.clone(), Arc::new(PersonKeys::new(&[7; 32])), NODE),
        clock: world.parts.clock.clone(),
        applied: Applied::new(approved(), store),
    };
    ByInfRef::from([(INF_REF.to_owned(), Arc::new(PersonFiles { door: Arc::new(door) }) as Arc<_>)])
}

fn cpr(n: u32) -> String {
    format!("{:02}{:02}40{:04}", 61 + n % 28, 1 + n / 28 % 12, 1000 + n)
}

fn line(n: u32) -> String {
    format!("1001;A;101;{};{n};2;Åse;Prøve;p{n}@skole.example;bruger{n}\r\n", cpr(n))
}

fn table(numbers: impl IntoIterator<Item = u32>) -> String {
    HEADER.to_owned() + &numbers.into_iter().map(line).collect::<String>()
}

/// Sends a file with its trigger; gives the receipt.
async fn send(world: &World, file: &str, content: &str, transaction: u128) -> String {
    let sender = world.home(SENDER).await;
    put(&sender, file, content.as_bytes()).await.unwrap();
    let trigger = trigger_to(file, content.len(), SENDER, &["ROUTING_V1_0_0"], &routing(INF_REF, transaction));
    put(&sender, &format!("{file}.trigger"), trigger.as_bytes()).await.unwrap();
    world.settle().await;
    get(&world.home(SENDER).await, &format!("{file}.sftpreceipt")).await.unwrap()
}

async fn result(world: &World, file: &str) -> String {
    get(&world.home(SENDER).await, &format!("{file}.result.csv")).await.unwrap()
}

/// Status and code of each line of a result.
fn statuses(result: &str) -> Vec<(String, String)> {
    let cells = |line: &str| line.split(';').map(str::to_owned).collect::<Vec<_>>();
    result.lines().skip(1).map(cells).map(|cells| (cells[1].clone(), cells[5].clone())).collect()
}

fn all_bytes(folder: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(all_bytes(&entry.path())),
            false => all.extend(std::fs::read(entry.path()).unwrap_or_default()),
        }
    }
    all
}

#[tokio::test]
async fn a_file_of_persons_is_answered_by_a_file_and_nothing_of_it_stays() {
    for world in worlds().await {
        let content = table([1, 2]) + &line(3).replace("Prøve", &"å".repeat(101));
        let receipt = send(&world, "p.csv", &content, 1).await;
        assert!(receipt.contains("SUCCESS"), "{}: {receipt}", world.kind);
        let answered = result(&world, "p.csv").await;
        let due = [("OPRETTET", ""), ("OPRETTET", ""), ("AFVIST", "PER003")];
        assert_eq!(
            statuses(&answered),
            due.map(|(status, code)| (status.to_owned(), code.to_owned())),
            "{}: {answered}",
            world.kind
        );
        assert_eq!(list(&world.home(SENDER).await, Folder::Out).await, Vec::<String>::new(), "{}", world.kind);
        assert_eq!(list(&world.home(RECIPIENT).await, Folder::In).await, Vec::<String>::new(), "{}", world.kind);
        let found = world.recorded(|record| record.about.persons().is_some()).await;
        let record = found.values().next().unwrap();
        let About::File(about) = &record.about else { panic!("{:?}", record.about) };
        let about = about.import.as_ref().unwrap();
        assert_eq!((about.persons, about.statuses["OPRETTET"], about.findings["PER003"]), (3, 2, 1), "{}", world.kind);
        assert_eq!(record.persons.len(), 2, "{}: their running numbers, sealed", world.kind);
        let written = all_bytes(&world.folder);
        for n in 1..=3 {
            let cpr = cpr(n);
            assert!(!written.windows(10).any(|window| window == cpr.as_bytes()), "{}: a number stays", world.kind);
        }
        // The same submission again is the same answer; a new one finds everybody as they were.
        assert!(send(&world, "p.csv", &content, 1).await.contains("SUCCESS"));
        assert_eq!(world.recorded(|record| record.about.persons().is_some()).await.len(), 1);
        assert!(send(&world, "p.csv", &content, 2).await.contains("SUCCESS"));
        let statuses: Vec<_> = statuses(&result(&world, "p.csv").await).into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses, ["UAENDRET", "UAENDRET", "AFVIST"], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_table_and_xml_in_many_parts_are_answered_in_their_order_and_an_unread_answer_stays() {
    for world in worlds().await {
        let many = 1_203;
        assert!(send(&world, "p.csv", &table(0..many), 1).await.contains("SUCCESS"));
        let names: Vec<&str> = HEADER.trim_end().split(';').collect();
        let person = |n: u32| -> String {
            let line = line(n);
            let cells = names.iter().zip(line.trim_end().split(';'));
            format!("<Person>{}</Person>", cells.map(|(name, cell)| format!("<{name}>{cell}</{name}>")).collect::<String>())
        };
        // One of them is named in the first part and in the last.
        let persons: String = (0..many).chain([0]).map(person).collect();
        let xml = format!("<Personer xmlns=\"{NS}\">{persons}</Personer>");
        assert!(send(&world, "p.csv", &xml, 2).await.contains("SUCCESS"));
        let answered = statuses(&result(&world, "p.csv").await);
        assert_eq!(answered.len(), many as usize + 1, "{}", world.kind);
        assert!(answered[..many as usize].iter().all(|(status, _)| status == "UAENDRET"), "{}", world.kind);
        assert_eq!(answered[many as usize].1, "PER007", "{}", world.kind);
        let names = list(&world.home(SENDER).await, Folder::In).await;
        let results: Vec<_> = names.iter().filter(|name| name.ends_with(".result.csv")).collect();
        assert_eq!(results.len(), 2, "{}: {names:?}", world.kind);
        let first = results.iter().find(|name| **name != "p.csv.result.csv").unwrap();
        let answered = statuses(&get(&world.home(SENDER).await, first).await.unwrap());
        assert!(answered.len() == many as usize && answered.iter().all(|(status, _)| status == "OPRETTET"), "{}", world.kind);
    }
}

#[tokio::test]
async fn an_answer_leaves_a_file_of_its_name_that_another_sent_as_it_is() {
    for world in worlds().await {
        world.order(order(OTHER, SENDER)).await;
        let other = world.home(OTHER).await;
        put(&other, "p.csv.result.csv", b"another's").await.unwrap();
        let trigger = trigger_to("p.csv.result.csv", 9, OTHER, &[SENDER], "");
        put(&other, "p.csv.result.csv.trigger", trigger.as_bytes()).await.unwrap();
        world.settle().await;
        for n in [1, 2] {
            assert!(send(&world, "p.csv", &table([n]), n.into()).await.contains("SUCCESS"), "{}", world.kind);
            assert_eq!(result(&world, "p.csv").await, "another's", "{}", world.kind);
        }
        let names = list(&world.home(SENDER).await, Folder::In).await;
        let answers = names.iter().filter(|name| name.ends_with(".result.csv") && *name != "p.csv.result.csv");
        assert_eq!(answers.count(), 2, "{}: {names:?}", world.kind);
    }
}

#[tokio::test]
async fn where_a_usual_mistake_makes_the_answer_too_long_each_person_is_answered_all_the_same_in_a_line() {
    for world in worlds().await {
        let rows = 2_000;
        assert!(
            send(&world, "p.csv", &format!("CPRnummer\n{}", "x\n".repeat(rows)), 1).await.contains("SUCCESS"),
            "{}",
            world.kind
        );
        let answered = result(&world, "p.csv").await;
        assert!(answered.len() <= 1024 * 1024, "{}: {}", world.kind, answered.len());
        let listed: std::collections::BTreeSet<&str> =
            answered.lines().skip(1).map(|line| line.split(';').next().unwrap()).collect();
        assert!((1..=rows).all(|row| listed.contains(row.to_string().as_str())), "{}", world.kind);
        assert_eq!(listed.len(), rows, "{}: nobody is left out", world.kind);
        let (first, last) = (answered.lines().nth(1).unwrap(), answered.lines().last().unwrap());
        assert!(first.starts_with("1;AFVIST;;FEJL;") && first.matches(";;").count() == 1, "in full: {first}");
        assert!(last.starts_with(&format!("{rows};AFVIST;;FEJL;;PER")) && last.ends_with(";;;;"), "in short: {last}");
    }
}

#[tokio::test]
async fn an_answer_is_no_longer_than_its_file_allows_and_says_of_how_many_persons_it_tells_nothing() {
    for world in worlds().await {
        let rows = 20_000;
        assert!(
            send(&world, "p.csv", &format!("CPRnummer\n{}", "x\n".repeat(rows)), 1).await.contains("SUCCESS"),
            "{}",
            world.kind
        );
        let answered = result(&world, "p.csv").await;
        assert!(answered.len() <= 1024 * 1024, "{}: {}", world.kind, answered.len());
        let (listed, last) = answered.trim_end().rsplit_once("\r\n").unwrap();
        let listed: usize = listed.rsplit_once("\r\n").unwrap().1.split(';').next().unwrap().parse().unwrap();
        let more = rows - listed;
        assert!(last.contains(&format!("{more} personer mere er besvaret, heraf {more} AFVIST")), "{}: {last}", world.kind);
    }
}

#[tokio::test]
async fn a_file_that_breaks_off_or_has_no_agreement_is_refused_whole() {
    for world in worlds().await {
        let broken = format!("<Personer xmlns=\"{NS}\"><Person><CPRnummer>{}</CPRnummer></Person><Person>", cpr(1));
        for (at, content) in [broken, HEADER.to_owned(), format!("{}\r\n", cpr(1))].into_iter().enumerate() {
            let receipt = send(&world, "p.csv", &content, at as u128 + 1).await;
            assert!(receipt.contains("<ErrorCode>1050") && !receipt.contains(&cpr(1)), "{}: {receipt}", world.kind);
        }
        let store = Store::open(&world.store).await.unwrap();
        store.decide(AGREEMENT, State::Suspended, "prøve", "prøve", world.parts.clock.now()).await.unwrap();
        let receipt = send(&world, "p.csv", &table([1]), 9).await;
        assert!(receipt.contains("<ErrorCode>1050") && receipt.contains("SUSPENDERET"), "{}: {receipt}", world.kind);
        let names = list(&world.home(SENDER).await, Folder::In).await;
        assert!(!names.iter().any(|name| name.ends_with(".result.csv")), "{}: {names:?}", world.kind);
        assert_eq!(list(&world.home(SENDER).await, Folder::Out).await, [""; 0], "{}: nothing of it is kept", world.kind);
        assert_eq!(list(&world.home(OTHER).await, Folder::In).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_file_of_persons_is_answered_once_and_creates_nobody_twice_wherever_a_node_dies() {
    for step in [Step::Judged, Step::Admitted, Step::Stored, Step::Written, Step::Delivered] {
        for world in worlds().await {
            let (armed, died) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let at_step = {
                let (armed, died) = (armed.clone(), died.clone());
                move |reached: Step| {
                    if reached == step && armed.load(Ordering::SeqCst) && !died.swap(true, Ordering::SeqCst) {
                        panic!("the node dies");
                    }
                }
            };
            let files = files_in(&world.folder, world.parts.clone(), RULES, Some(Arc::new(at_step)));
            let sender = home(&files, SENDER).await;
            let content = table(0..600);
            put(&sender, "p.csv", content.as_bytes()).await.unwrap();
            let trigger = trigger_to("p.csv", content.len(), SENDER, &["ROUTING_V1_0_0"], &routing(INF_REF, 1));
            put(&sender, "p.csv.trigger", trigger.as_bytes()).await.unwrap();
            armed.store(true, Ordering::SeqCst);
            let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while !list(&sender, Folder::In).await.contains(&"p.csv.sftpreceipt".to_owned()) {
                assert!(std::time::Instant::now() < until, "{} {step:?}: no receipt", world.kind);
                files.work_once().await.unwrap();
                // Another takes the job when its lease has ended.
                leases_end(&world.database).await;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            assert!(died.load(Ordering::SeqCst), "{} {step:?}", world.kind);
            assert!(get(&sender, "p.csv.sftpreceipt").await.unwrap().contains("SUCCESS"), "{} {step:?}", world.kind);
            let answered = statuses(&get(&sender, "p.csv.result.csv").await.unwrap());
            let again = matches!(step, Step::Stored | Step::Written);
            let due = if again { "UAENDRET" } else { "OPRETTET" };
            assert!(answered.len() == 600 && answered.iter().all(|(status, _)| status == due), "{} {step:?}", world.kind);
            assert_eq!(list(&sender, Folder::In).await.len(), 2, "{} {step:?}: one answer, one receipt", world.kind);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_taken_in_again_brings_nobody_back_who_was_erased_meanwhile() {
    for world in worlds().await {
        let (armed, died) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let at_step = {
            let (armed, died) = (armed.clone(), died.clone());
            move |reached: Step| {
                if reached == Step::Stored && armed.load(Ordering::SeqCst) && !died.swap(true, Ordering::SeqCst) {
                    panic!("the node dies");
                }
            }
        };
        let files = files_in(&world.folder, world.parts.clone(), RULES, Some(Arc::new(at_step)));
        let sender = home(&files, SENDER).await;
        let header = HEADER.trim_end().to_owned() + ";Aktionskodedato\r\n";
        let row = |n: u32, ended: &str| format!("{};{ended}\r\n", line(n).trim_end());
        let content = format!("{header}{}{}{}", row(1, ""), row(2, "2020-01-01"), row(3, ""));
        put(&sender, "p.csv", content.as_bytes()).await.unwrap();
        let trigger = trigger_to("p.csv", content.len(), SENDER, &["ROUTING_V1_0_0"], &routing(INF_REF, 1));
        put(&sender, "p.csv.trigger", trigger.as_bytes()).await.unwrap();
        armed.store(true, Ordering::SeqCst);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !died.load(Ordering::SeqCst) {
            assert!(std::time::Instant::now() < until, "{}: it is not taken in", world.kind);
            files.work_once().await.unwrap();
        }
        // All three are in; one is erased before another node takes the file.
        let store = Store::open(&world.store).await.unwrap();
        let today = jiff::civil::date(2026, 11, 29);
        assert_eq!(erase::over(&store, today, &world.parts.clock).await.unwrap(), 1, "{}", world.kind);
        while !list(&sender, Folder::In).await.contains(&"p.csv.sftpreceipt".to_owned()) {
            assert!(std::time::Instant::now() < until, "{}: no receipt", world.kind);
            files.work_once().await.unwrap();
            // Another takes the job when its lease has ended.
            leases_end(&world.database).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let receipt = get(&sender, "p.csv.sftpreceipt").await.unwrap();
        assert!(receipt.contains("<ErrorCode>1050") && receipt.contains("slettet"), "{}: {receipt}", world.kind);
        let there = world.database.all(sql("SELECT number FROM person_number")).await.unwrap();
        assert_eq!(there.len(), 2, "{}: nobody came back", world.kind);
        // Whoever sends anew has decided it.
        assert!(send(&world, "q.csv", &table([1, 3]), 2).await.contains("SUCCESS"), "{}", world.kind);
        let statuses: Vec<_> = statuses(&result(&world, "q.csv").await).into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses, ["UAENDRET", "UAENDRET"], "{}", world.kind);
    }
}

#[tokio::test]
async fn a_file_waits_uncounted_while_the_erased_are_not_erased_yet_and_is_then_taken_in() {
    for world in worlds().await {
        let now = world.parts.clock.now();
        let change = async |query| world.database.session().await.unwrap().execute(query).await.unwrap();
        let mut noted = world.database.begin().await.unwrap();
        copies::note(&mut noted, "O. Drift", now).await.unwrap();
        noted.commit().await.unwrap();
        let (sender, content) = (world.home(SENDER).await, table([1]));
        put(&sender, "p.csv", content.as_bytes()).await.unwrap();
        let trigger = trigger_to("p.csv", content.len(), SENDER, &["ROUTING_V1_0_0"], &routing(INF_REF, 1));
        put(&sender, "p.csv.trigger", trigger.as_bytes()).await.unwrap();
        // However often it is looked at.
        for _ in 0..2 * RULES.attempts {
            change(sql("UPDATE job SET due_us = 0 WHERE state = 'waiting'")).await;
            world.files.work_once().await.unwrap();
        }
        let waiting = world.database.all(sql("SELECT attempts, state FROM job WHERE kind <> 'notice'")).await.unwrap();
        let waiting: Vec<(i64, String)> =
            waiting.iter().map(|row| (row.get("attempts").unwrap(), row.get("state").unwrap())).collect();
        assert_eq!(waiting, [(0, "waiting".to_owned())], "{}", world.kind);
        assert_eq!(list(&sender, Folder::In).await, [""; 0], "{}: nobody is told that it failed", world.kind);
        // The log is read, and a person of the institution is erased again. Nothing of the file was taken in before.
        change(sql("INSERT INTO person_replayed (node, restored) VALUES ($1, $2)").bind(NODE).bind(now)).await;
        let erased = sql("INSERT INTO person_institution (home, erased_us) VALUES ('11111111/1001', $1)");
        change(erased.bind(now.as_microsecond())).await;
        change(sql("UPDATE job SET due_us = 0 WHERE state = 'waiting'")).await;
        world.settle().await;
        assert!(get(&sender, "p.csv.sftpreceipt").await.unwrap().contains("SUCCESS"), "{}", world.kind);
        assert_eq!(statuses(&result(&world, "p.csv").await), [("OPRETTET".to_owned(), String::new())], "{}", world.kind);
    }
}
