//! Persons from an HR system to Campus through a whole node, a process of its own with every door and the worker: what stays of their CPR
//! numbers, and what becomes of them where the process is killed, Campus is away, asks to wait, or loses answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::campus::{Campus, ENTITY_ID, INSTITUTIONS, Platform};
use hjemmel::cli::demo::files::Mailboxes;
use hjemmel::cli::demo::world::{Narrowed, World};
use hjemmel::cli::demo::{campus, files};
use hjemmel::clock::Clock;
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::services::persons::names::{ACTION, PATH};
use hjemmel::soap::envelope::Version;
use hjemmel::store::{Access, Database, Settings, sql};
use hjemmel::stub::campus::{Behaviour, CampusConfig, PATH as SCIM, Seen, Stall, start_campus};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use hjemmel::stub::server::Running;
use hjemmel::stub::sts::Switch;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::imports::{self, Person, Told, answers, cpr, parsed, person, statuses, with};
use crate::not_run::did_not_run;
use crate::process::{Gateway, HJEMMEL, comes_to};
use crate::stage::{AUTHORITY_CONTEXT, SOAP11, admin, options};
use crate::wire::{self, Http, Sent};

/// A port that nobody has just now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A world whose node is a process.
struct House {
    world: World,
    gateway: Option<Gateway>,
    campus: Campus,
    api: u16,
    sftp: u16,
    dir: tempfile::TempDir,
    _pki: tempfile::TempDir,
}

impl House {
    /// `campus`: where the learning platform is, below the world's own certificates.
    async fn build(campus: impl AsyncFnOnce(&Path) -> u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        files::write(dir.path()).unwrap();
        campus::write(dir.path()).unwrap();
        let built = options(dir.path(), Clock::system(), "");
        let pki = tempfile::tempdir().unwrap();
        built.pki.as_ref().unwrap().write(&pki.path().join("pki"), None).unwrap();
        let (port, api, sftp) = (campus(&pki.path().join("pki")).await, free_port(), free_port());
        let extra = files::settings().replace("127.0.0.1:0", &format!("127.0.0.1:{sftp}"))
            + &campus::settings()
            + &format!(
                "[api]\naddress = \"127.0.0.1:{api}\"\n[agreements]\ncache_ttl = \"1s\"\n[limits]\nrequest_bytes = 4194304\n\
                 [campus]\naddress = \"https://localhost:{port}{SCIM}\"\nroots = [\"pki/root.pem\"]\ndeadline = \"5s\"\n"
            );
        let narrowed = Narrowed { services: vec![ENTITY_ID.to_owned()], ..Narrowed::default() };
        let world = World::narrowed_without_gateway(options(dir.path(), Clock::system(), &extra), &narrowed).await.unwrap();
        // Users and orders are in the store; that the server is in another process is what it ends with.
        assert!(Mailboxes::start(&world).await.is_err());
        let nobody = Platform::start(&world.pki, &world.clock).await.unwrap();
        let campus = Campus::start(&world, nobody).await.unwrap();
        let gateway = Some(Gateway::start(&world).await);
        Self { world, gateway, campus, api, sftp, dir, _pki: pki }
    }

    fn service(&self) -> http::Uri {
        format!("https://{}{PATH}", self.world.service.authority().unwrap()).parse().unwrap()
    }

    async fn by_tls(&self, persons: &[Person]) -> Vec<Told> {
        let context = format!(
            "<ac:AuthorityContext xmlns:ac=\"{AUTHORITY_CONTEXT}\"><ac:MunicipalityCVR>{KORSBAEK}</ac:MunicipalityCVR></ac:AuthorityContext>"
        );
        let request = imports::House::request(persons, &context);
        let message = format!("<s:Envelope xmlns:s=\"{SOAP11}\"><s:Body>{request}</s:Body></s:Envelope>");
        let client = Client { service: self.service(), ..self.world.client(Some(Role::Korsbaek)).unwrap() };
        answers(&parsed(client.send_as(Version::V11, ACTION, message.into()).await.unwrap().answer))
    }

    async fn by_token(&self, persons: &[Person]) -> Vec<Told> {
        answers(&imports::by_token(&self.world, self.service(), persons).await)
    }

    async fn as_json(&self, persons: &[Person], key: &str) -> String {
        let body = serde_json::to_vec(&imports::in_json(persons)).unwrap();
        let request = Request::builder().method("POST").uri(format!("/api/v1/persons?authority={KORSBAEK}"));
        let request = request.header("host", format!("localhost:{}", self.api)).header("content-type", "application/json");
        let request =
            request.header("idempotency-key", key).header("content-length", body.len()).body(Sent::whole(body)).unwrap();
        let credentials = self.world.pki.credentials(Role::Korsbaek).unwrap();
        let stream = wire::tls(self.world.pki.root(), self.api, Some(credentials), Http::One).await;
        let answer = wire::send(stream, Http::One, request).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    /// What a command prints, errors too.
    fn command(&self, words: &[&str]) -> String {
        let done =
            Command::new(HJEMMEL).args(words).args(["--config", self.world.configuration.to_str().unwrap()]).output().unwrap();
        String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
    }

    /// Puts a file of persons with its trigger, and waits for the answer.
    async fn by_sftp(&self, outside: &Path, content: &str) -> String {
        self.campus.invite(&self.world).unwrap();
        let dir = self.dir.path();
        let trigger = std::fs::read_to_string(dir.join("persons.csv.trigger")).unwrap();
        let own = std::fs::metadata(dir.join("persons.csv")).unwrap().len();
        for name in ["persons.csv", "persons.csv.trigger", "persons.json", "persons.xml"] {
            std::fs::remove_file(dir.join(name)).unwrap();
        }
        std::fs::write(outside.join("persons.csv"), content).unwrap();
        let trigger = trigger.replace(&format!(">{own}<"), &format!(">{}<", content.len()));
        std::fs::write(outside.join("persons.csv.trigger"), trigger).unwrap();
        let key = dir.join("sftp/korsbaek.key");
        let sftp = |lines: &str| {
            let batch = outside.join("batch");
            std::fs::write(&batch, lines).unwrap();
            let known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
            let mut done = Command::new("sftp");
            done.args(["-b", batch.to_str().unwrap(), "-P", &self.sftp.to_string()]).args(known);
            done.args(["-i", key.to_str().unwrap(), "KORSBAEK_FAG@localhost"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
        };
        let outside = outside.display();
        assert!(sftp(&format!("put {outside}/persons.csv OUT/\nput {outside}/persons.csv.trigger OUT/\n")).unwrap().success());
        let get = format!("get IN/persons.csv.result.csv {outside}/result.csv\n");
        comes_to("the file is answered", async || sftp(&get).unwrap().success()).await;
        std::fs::read_to_string(format!("{outside}/result.csv")).unwrap()
    }

    /// SIGKILL, and the leases of the dead are over.
    async fn killed(&mut self) {
        drop(self.gateway.take());
        let database =
            Database::open(&Settings::sqlite(&self.dir.path().join("agreements.sqlite")), Access::Change).await.unwrap();
        database
            .session()
            .await
            .unwrap()
            .execute(sql("UPDATE person_outbox SET due_us = 0 WHERE state = 'VENTER'"))
            .await
            .unwrap();
        database.close().await;
    }

    async fn started(&mut self) {
        self.gateway = Some(Gateway::start(&self.world).await);
    }

    async fn metrics(&self) -> String {
        admin(self.world.admin, "/metrics").await.1
    }
}

/// Every way in which a number might stand somewhere: as people write it, turned, in other alphabets, and as what anybody can compute.
fn disguises(cpr: &str) -> Vec<(String, Vec<u8>)> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let (day, rest) = cpr.split_at(6);
    let parted = |between: &str| format!("{day}{between}{rest}").into_bytes();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sum = |algorithm| aws_lc_rs::digest::digest(algorithm, cpr.as_bytes()).as_ref().to_vec();
    let mut all = vec![
        ("as it is".to_owned(), cpr.as_bytes().to_vec()),
        ("turned".to_owned(), cpr.bytes().rev().collect()),
        ("UTF-16".to_owned(), cpr.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE".to_owned(), cpr.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("hexadecimal".to_owned(), hex(cpr.as_bytes()).into_bytes()),
        ("a number of 64 bits".to_owned(), cpr.parse::<u64>().unwrap().to_be_bytes().to_vec()),
        ("the same, turned".to_owned(), cpr.parse::<u64>().unwrap().to_le_bytes().to_vec()),
    ];
    for between in ["-", " ", ".", "/", "\u{2013}", "\u{a0}", "%20", "%2D", "&#45;"] {
        all.push((format!("with {between:?}"), parted(between)));
    }
    // Base64 of a text that it stands in has other letters at its two ends, by where in it it stands.
    for before in 0..3 {
        let text = STANDARD.encode([&vec![b'x'; before][..], cpr.as_bytes(), b"xx"].concat());
        all.push((format!("base64, {before}"), text.as_bytes()[4..12].to_vec()));
    }
    for (name, algorithm) in [("SHA-1", &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY), ("SHA-256", &aws_lc_rs::digest::SHA256)] {
        all.push((name.to_owned(), sum(algorithm)));
        all.push((format!("{name} in hexadecimal"), hex(&sum(algorithm)).into_bytes()));
        all.push((format!("{name} in base64"), STANDARD.encode(sum(algorithm)).into_bytes()));
    }
    all
}

/// Every file below a folder.
fn gathered(folder: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => gathered(&entry.path(), all),
            false => drop(all.insert(entry.path(), std::fs::read(entry.path()).unwrap_or_default())),
        }
    }
}

/// `hjemmel stub campus`, killed with the test.
struct Stub(Child);

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What Campus has, as it shows it.
async fn shown_by(house: &House, port: u16) -> String {
    let credentials = house.world.pki.credentials(Role::GatewayClient).unwrap().clone();
    let roots = vec![house.world.pki.root().clone()];
    let settings = OutboundSettings { credentials: Some(credentials), ..OutboundSettings::new(roots) };
    let uri = format!("https://localhost:{port}{SCIM}/Users?count=200").parse().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let outbound = Outbound::new(settings).unwrap();
    let answer = outbound.send(Method::GET, &uri, http::HeaderMap::new(), bytes::Bytes::new(), deadline);
    String::from_utf8(answer.await.unwrap().into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[test]
fn after_a_run_of_a_whole_node_with_every_door_and_campus_no_cpr_number_is_found_in_anything_that_was_written() {
    crate::process::in_runtime(async {
        let outside = tempfile::tempdir().unwrap();
        let (log, mut stub) = (outside.path().join("campus.log"), None);
        let mut port = 0;
        let mut house = House::build(async |pki: &Path| {
            let file = std::fs::File::create(&log).unwrap();
            let mut started = Command::new(HJEMMEL);
            started.args(["stub", "campus", "--listen", "127.0.0.1:0", "--pki"]).arg(pki);
            stub = Some(Stub(started.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap()));
            let told = || std::fs::read_to_string(&log).unwrap();
            comes_to("Campus is up", async || told().contains("users ")).await;
            port = told().split("https://127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
            port
        })
        .await;
        // Of each door the same kinds: new ones, a manager who comes later, and numbers in every place that is wrong.
        let persons = |door: u32| -> Vec<Person> {
            let (institution, n) = (INSTITUTIONS[usize::try_from(door).unwrap()], 100 * door);
            let one = |own: u32| person(institution, n + own);
            let stray = cpr(n + 90);
            vec![
                one(1),
                with(one(2), "LederCPRnummer", &cpr(n + 3)),
                one(3),
                with(one(4), "Brugernavn", &cpr(n + 4)),
                with(one(5), "Stillingsbetegnelse", &format!("nr. {}-{}", &cpr(n + 5)[..6], &cpr(n + 5)[6..])),
                with(one(6), "Medarbejdernummer", &stray),
                with(one(7), "Klasse", &format!("{}.{}", &stray[..6], &stray[6..])),
                with(one(8), "Email", &format!("{stray}@skole.example")),
                with(one(9), "CPRnummer", &cpr(n + 9)[1..]),
                with(one(10), "Koen", &cpr(n + 10)),
            ]
        };
        let taken = |statuses: &[&str]| {
            assert_eq!(statuses[..3], ["OPRETTET"; 3], "{statuses:?}");
            assert!(statuses[3..].iter().all(|status| *status == "AFVIST") && statuses.len() == 10, "{statuses:?}");
        };
        let mut answers = String::new();
        for answered in [house.by_tls(&persons(1)).await, house.by_token(&persons(2)).await] {
            taken(&statuses(&answered));
            answers += &format!("{answered:?}");
        }
        // A caller may take a number for the key of a request.
        let key = cpr(391);
        for _ in 0..2 {
            let answered = house.as_json(&persons(3), &key).await;
            let value: Value = serde_json::from_str(&answered).unwrap();
            let statuses: Vec<&str> =
                value["Svar"].as_array().unwrap().iter().map(|one| one["Status"].as_str().unwrap()).collect();
            taken(&statuses);
            answers += &answered;
        }
        let table = |persons: &[Person]| {
            let names: Vec<&str> =
                person("x", 1).iter().map(|(name, _)| *name).chain(["LederCPRnummer", "Stillingsbetegnelse", "Klasse"]).collect();
            let cell = |person: &Person, name: &str| {
                person.iter().find(|(own, _)| *own == name).map_or(String::new(), |(_, value)| value.clone())
            };
            let line = |person: &Person| names.iter().map(|name| cell(person, name)).collect::<Vec<_>>().join(";") + "\r\n";
            names.join(";") + "\r\n" + &persons.iter().map(line).collect::<String>()
        };
        let (file, result) = (outside.path().join("medarbejdere.csv"), house.dir.path().join("result.csv"));
        std::fs::write(&file, table(&persons(4))).unwrap();
        let (file, to) = (file.display().to_string(), result.display().to_string());
        let import = [
            "persons",
            "import",
            &file,
            "--authority",
            KORSBAEK,
            "--institution",
            INSTITUTIONS[4],
            "--reason",
            "sag 7",
            "--result",
            &to,
        ];
        let said = house.command(&import);
        assert!(said.contains("10 persons: 3 OPRETTET"), "{said}");
        answers += &said;
        let mut doors = 4;
        match Command::new("which").arg("sftp").stdout(Stdio::null()).status().unwrap().success() {
            true => {
                let answered = house.by_sftp(outside.path(), &table(&persons(5))).await;
                assert_eq!(answered.matches(";OPRETTET;").count(), 3, "{answered}");
                answers += &answered;
                doors += 1;
            }
            false => did_not_run("the import by SFTP of the run with every door", "OpenSSH's sftp is not installed"),
        }
        let due = json!(3 * doors);
        let users = async || serde_json::from_str::<Value>(&shown_by(&house, port).await).unwrap();
        comes_to("Campus has everybody", async || users().await["totalResults"] == due).await;
        let (campus, metrics) = (shown_by(&house, port).await, house.metrics().await);
        assert!(campus.contains("Prøve101"), "{campus}");
        let number = users().await["Resources"][0]["externalId"].as_str().unwrap().to_owned();
        let copy = house.dir.path().join("copy.sqlite").display().to_string();
        for words in
            [&["store", "backup", &copy][..], &["persons", "queue", "show"], &["persons", "show", &number], &["store", "status"]]
        {
            answers += &house.command(words);
        }
        assert!(answers.contains("a whole copy") && answers.contains(&number), "{answers}");
        let gateway = house.gateway.take().unwrap();
        gateway.signal("-TERM");
        assert!(gateway.ended().await);

        let mut written = BTreeMap::new();
        gathered(house.dir.path(), &mut written);
        written.insert("campus.log".into(), std::fs::read(&log).unwrap());
        for (name, text) in [("answers", answers), ("metrics", metrics), ("campus", campus)] {
            written.insert(name.into(), text.into_bytes());
        }
        let held = |name: &str| written.keys().any(|path| path.display().to_string().contains(name));
        assert!(
            ["agreements.sqlite", "copy.sqlite", "audit/segment", "sftp/", "log", "result.csv"].into_iter().all(held),
            "{:?}",
            written.keys()
        );
        let used: BTreeSet<String> =
            (1..=5).flat_map(|door| (1..=10).chain([90, 91]).map(move |n| cpr(100 * door + n))).collect();
        for number in &used {
            for (form, bytes) in disguises(number) {
                // A base64 text is so short that another may hold it by chance; as the digits themselves it is not.
                let finder = memchr::memmem::Finder::new(&bytes);
                for (path, content) in &written {
                    assert!(finder.find(content).is_none(), "{number} stays in {} ({form})", path.display());
                }
            }
        }
    });
}

async fn in_process(behaviour: &Switch<Behaviour>, pki: &Path) -> (Running, Seen) {
    use hjemmel::signature::credentials::{Credentials, certificates_from_pem_file};
    let name = Role::IndexServer.file_name();
    let server = Credentials::from_pem_files(&pki.join(format!("{name}.pem")), &pki.join(format!("{name}.key.pem"))).unwrap();
    let config = CampusConfig {
        address: ([127, 0, 0, 1], 0).into(),
        server,
        clients: certificates_from_pem_file(&pki.join("root.pem")).unwrap(),
        token: None,
        behaviour: behaviour.clone(),
        clock: Clock::system(),
    };
    start_campus(config).await.unwrap()
}

/// Each person once, and with the title that was told last.
fn all_are_there(seen: &Seen, titles: &BTreeMap<u32, String>) -> bool {
    let users = seen.users();
    let has = |(n, title): (&u32, &String)| {
        let name = format!("bruger{n}");
        let own: Vec<_> = users.iter().filter(|user| user["userName"] == name.as_str()).collect();
        own.len() == 1 && own[0]["title"] == title.as_str()
    };
    users.len() == titles.len() && titles.iter().all(has)
}

#[test]
fn a_node_that_is_killed_at_every_step_and_before_a_campus_that_is_bad_hands_on_each_person_once_and_as_told_last() {
    crate::process::in_runtime(async {
        let behaviour = Switch::new(Behaviour::default());
        let mut started = None;
        let mut house = House::build(async |pki: &Path| {
            let (running, seen) = in_process(&behaviour, pki).await;
            let port = running.address().port();
            started = Some((running, seen));
            port
        })
        .await;
        let (_running, seen) = started.unwrap();
        let mut titles = BTreeMap::new();
        // Persons so and so with a title, as the next import tells.
        let told = |numbers: std::ops::RangeInclusive<u32>, title: &str, titles: &mut BTreeMap<u32, String>| -> Vec<Person> {
            titles.extend(numbers.clone().map(|n| (n, title.to_owned())));
            numbers.map(|n| with(person(INSTITUTIONS[0], n), "Stillingsbetegnelse", title)).collect()
        };
        // A creation is killed at each step, and then a change.
        for (round, (numbers, title)) in [(1..=3, "1"), (1..=3, "2"), (1..=4, "3"), (1..=5, "4")].into_iter().enumerate() {
            for stall in [Stall::LookUp, Stall::BeforeChange, Stall::AfterChange] {
                let title = format!("{title} {stall:?}");
                behaviour.set(Behaviour { stalls: Some(stall), ..Behaviour::default() });
                let before = seen.stalled();
                let answered = house.by_tls(&told(numbers.clone(), &title, &mut titles)).await;
                assert!(answered.iter().all(|told| ["OPRETTET", "OPDATERET"].contains(&told.status.as_str())), "{answered:?}");
                comes_to("Campus is asked and does not answer", async || seen.stalled() > before).await;
                house.killed().await;
                behaviour.set(Behaviour::default());
                house.started().await;
                comes_to("all are there", async || all_are_there(&seen, &titles)).await;
            }
            assert_eq!(seen.users().len(), *numbers.end() as usize, "round {round}");
        }
        // At moments that nobody chose, while many are handed on.
        for (turn, pause) in [0, 15, 40, 90].into_iter().enumerate() {
            house.by_tls(&told(11..=60, &format!("turn {turn}"), &mut titles)).await;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            house.killed().await;
            house.started().await;
        }
        comes_to("all are there", async || all_are_there(&seen, &titles)).await;
        // Campus is down, then busy with a Retry-After, and loses answers.
        behaviour.set(Behaviour { is_down: true, ..Behaviour::default() });
        house.by_tls(&told(1..=6, "down", &mut titles)).await;
        comes_to("it is told that Campus is away", async || house.metrics().await.contains("hjemmel_persons_campus_paused 1"))
            .await;
        behaviour.set(Behaviour { busy: Some(7), retry_after: Some(1), loses: Some(4), ..Behaviour::default() });
        // Each answer that is lost makes everything wait, longer each time.
        for _ in 0..1000 {
            if all_are_there(&seen, &titles) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(all_are_there(&seen, &titles), "in spite of all");
        behaviour.set(Behaviour::default());
        comes_to("nothing waits", async || house.metrics().await.contains("hjemmel_persons_queue{state=\"waiting\"} 0")).await;
        let mut created = BTreeMap::<String, usize>::new();
        for change in seen.changes() {
            *created.entry(change.external).or_default() += usize::from(change.method == Method::POST);
        }
        assert!(
            created.values().all(|times| *times == 1) && created.len() == titles.len(),
            "nobody is created twice: {created:?}"
        );
        house.gateway.take();
    });
}
