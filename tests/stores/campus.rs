//! What is handed on to Campus, on SQLite and PostgreSQL, before a SCIM server that fails as real ones do: nothing is lost, nobody is
//! there twice, and the order is kept for each person.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use hjemmel::agreements::Store;
use hjemmel::audit::Subject;
use hjemmel::clock::Clock;
use hjemmel::decisions::Because;
use hjemmel::notices::address::Language;
use hjemmel::outbound::{Outbound, OutboundSettings};
use hjemmel::persons::campus::adopt::{self, AdoptError, Became};
use hjemmel::persons::campus::client::{Campus, Step};
use hjemmel::persons::campus::queue::{Operation, QueueError, operate, report_dead};
use hjemmel::persons::campus::work::{Rules, Worked, Worker};
use hjemmel::persons::outbox::{self, Fate, Handed};
use hjemmel::signature::credentials::{Credentials, certificates_from_pem_file};
use hjemmel::store::{Access, Database, Settings, copies, sql};
use hjemmel::stub::campus::{Behaviour, CampusConfig, Etags, PATH, Seen, Stall, start_campus};
use hjemmel::stub::pki::{DevPki, KeyBits, Role as Key};
use hjemmel::stub::server::Running;
use hjemmel::stub::sts::Switch;
use hjemmel::users::rights::Role;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dies;
use crate::not_run::did_not_run;
use crate::people;
use crate::tables;

/// The name of the worker's node's log.
const NODE: Uuid = Uuid::from_u128(1);
const CHILD: &str = "HJEMMEL_TEST_CAMPUS_CHILD";

static PKI: LazyLock<DevPki> = LazyLock::new(|| DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap());

fn noon() -> Timestamp {
    "2026-11-29T11:00:00Z".parse().unwrap()
}

/// A user who is invented, as all are.
fn person(number: i64, title: &str) -> Handed {
    Handed {
        number,
        authority: "11111111".to_owned(),
        institution: "4711".to_owned(),
        staff_number: format!("M{number}"),
        department: "10".to_owned(),
        municipality: Some("101".to_owned()),
        sex: Some("2".to_owned()),
        first_names: Some("Anna Prøve".to_owned()),
        surname: Some(format!("Ærø {number}")),
        email: Some(format!("p{number}@work.example")),
        user_name: Some(format!("user{number}")),
        birth_date: None,
        collective_agreement: Some("044".to_owned()),
        pay_frame: None,
        position: None,
        inactive_from: None,
        employed_from: None,
        class: None,
        job: None,
        job_title: Some(title.to_owned()),
        phone: Some("+4512345678".to_owned()),
        manager: None,
        manager_staff_number: None,
        ean: None,
        nationality: Some("DK".to_owned()),
    }
}

/// An employment as the store keeps it: the fields in the contract's order.
fn content(one: &Handed) -> String {
    let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string());
    let fields = [
        ("InstitutionsID2", Some(one.department.clone())),
        ("Kommunekode", one.municipality.clone()),
        ("Koen", one.sex.clone()),
        ("Fornavne", one.first_names.clone()),
        ("Efternavn", one.surname.clone()),
        ("Email", one.email.clone()),
        ("Brugernavn", one.user_name.clone()),
        ("Overenskomstnummer", one.collective_agreement.clone()),
        ("Aktionskodedato", day(one.inactive_from)),
        ("Ansaettelsesdato", day(one.employed_from)),
        ("Stillingsbetegnelse", one.job_title.clone()),
        ("Telefon", one.phone.clone()),
        ("Nationalitet", one.nationality.clone()),
    ];
    let told = fields.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", json!(value?))));
    format!("{{{}}}", told.collect::<Vec<_>>().join(","))
}

struct World {
    kind: &'static str,
    settings: Settings,
    store: Store,
    seen: Seen,
    running: Running,
    behaviour: Switch<Behaviour>,
    now: Arc<Mutex<Timestamp>>,
    folder: tempfile::TempDir,
}

async fn stub(behaviour: &Switch<Behaviour>, token: Option<&str>) -> (Running, Seen) {
    let config = CampusConfig {
        address: ([127, 0, 0, 1], 0).into(),
        server: PKI.credentials(Key::IndexServer).unwrap().clone(),
        clients: if token.is_some() { vec![] } else { vec![PKI.root().clone()] },
        token: token.map(str::to_owned),
        behaviour: behaviour.clone(),
        clock: Clock::fixed(noon()),
    };
    start_campus(config).await.unwrap()
}

fn client(
    port: u16,
    clock: Clock,
    credentials: Credentials,
    roots: Vec<rustls_pki_types::CertificateDer<'static>>,
    token: Option<PathBuf>,
) -> Campus {
    let settings = OutboundSettings { credentials: Some(credentials), ..OutboundSettings::new(roots) };
    let address = format!("https://localhost:{port}{PATH}/").parse().unwrap();
    Campus::new(Outbound::new(settings).unwrap(), &address, token, Duration::from_secs(20), clock)
}

impl World {
    /// One on each database.
    async fn all() -> Vec<Self> {
        let mut worlds = Vec::new();
        for (kind, settings, folder) in tables::on_each().await {
            let store = Store::open_to(Access::Make, &settings).await.unwrap();
            let behaviour = Switch::new(Behaviour::default());
            let (running, seen) = stub(&behaviour, None).await;
            let now = Arc::new(Mutex::new(noon()));
            worlds.push(Self { kind, settings, store, seen, running, behaviour, now, folder });
        }
        worlds
    }

    fn database(&self) -> &Database {
        self.store.database()
    }

    fn clock(&self) -> Clock {
        let now = self.now.clone();
        Clock::from_fn(move || *now.lock().unwrap())
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn pass(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::try_from(time).unwrap()).unwrap();
    }

    fn campus(&self) -> Campus {
        let credentials = PKI.credentials(Key::GatewayClient).unwrap().clone();
        client(self.running.address().port(), self.clock(), credentials, vec![PKI.root().clone()], None)
    }

    fn worker(&self) -> Worker {
        Worker::new(self.database().clone(), NODE, self.campus(), self.clock(), Rules::usual(4), None, None)
    }

    async fn put(&self, handed: &[Handed]) {
        let mut transaction = self.database().begin_beside_others().await.unwrap();
        outbox::put(&mut transaction, handed, self.now()).await.unwrap();
        for one in handed {
            let keep =
                sql("INSERT INTO person (number, staff, home, inactive_from, manager, content) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (number, staff) DO UPDATE SET inactive_from = excluded.inactive_from, manager = excluded.manager,
                     content = excluded.content");
            let home = format!("{}/{}", one.authority, one.institution);
            let keep = keep.bind(one.number).bind(&one.staff_number).bind(home).bind(one.inactive_from).bind(one.manager);
            transaction.execute(keep.bind(content(one))).await.unwrap();
            let number = sql("INSERT INTO person_number (pseudonym, number) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            let pseudonym = [one.number.to_be_bytes(); 4].concat();
            transaction.execute(number.bind(pseudonym).bind(one.number)).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }

    /// Erases a person, as somebody's decision does.
    async fn erase(&self, number: i64) {
        let mut transaction = self.database().begin_beside_others().await.unwrap();
        for gone in [sql("DELETE FROM person_number WHERE number = $1"), sql("DELETE FROM person WHERE number = $1")] {
            transaction.execute(gone.bind(number)).await.unwrap();
        }
        outbox::erase(&mut transaction, number, self.now()).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// That nothing of a person is in Campus, and nothing in the tables of what Campus was told.
    async fn knows_nothing_of(&self, number: i64) {
        assert_eq!(self.campus().with_number(number).await.unwrap(), None, "{}", self.kind);
        for table in ["SELECT number FROM person_outbox", "SELECT number FROM person_campus", "SELECT number FROM person_handed"]
        {
            let rows = self.database().all(sql(table)).await.unwrap();
            assert!(rows.iter().all(|row| row.get::<i64>("number").unwrap() != number), "{}: {table}", self.kind);
        }
    }

    async fn figures(&self) -> outbox::Figures {
        outbox::figures(self.database(), self.now()).await.unwrap()
    }

    /// Works until nothing waits, and lets the time pass that the worker waits for.
    async fn drain(&self, worker: &Worker) {
        for _ in 0..2000 {
            match worker.work_once().await.unwrap() {
                Worked::Resting(rest) => self.pass(rest),
                Worked::Taken(0) if self.figures().await.waiting == 0 => return,
                Worked::Taken(0) => self.pass(Duration::from_secs(60)),
                Worked::Taken(_) => {}
            }
        }
        panic!("{}: it does not come to an end: {:?}", self.kind, outbox::oldest(self.database(), 3).await);
    }

    /// The user with this number; there is one.
    fn user(&self, number: i64) -> Value {
        let external = number.to_string();
        let users: Vec<Value> = self.seen.users().into_iter().filter(|user| user["externalId"] == external.as_str()).collect();
        assert_eq!(users.len(), 1, "{}: one user {number}", self.kind);
        users[0].clone()
    }
}

/// That each person is there once and as it was told last, and that no earlier state came after a later one.
fn each_once_and_in_order(world: &World, persons: i64, last: &str) {
    let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut created: BTreeMap<String, usize> = BTreeMap::new();
    for change in world.seen.changes() {
        *created.entry(change.external.clone()).or_default() += usize::from(change.method == Method::POST);
        states.entry(change.external).or_default().push(change.title);
    }
    assert_eq!(world.seen.users().len(), usize::try_from(persons).unwrap(), "{}: nobody is lost or there twice", world.kind);
    assert!(created.values().all(|times| *times == 1), "{}: nobody is created twice: {created:?}", world.kind);
    for number in 1..=persons {
        assert_eq!(world.user(number)["title"], last, "{}", world.kind);
        let states = &states[&number.to_string()];
        assert!(states.is_sorted(), "{}: person {number} went back: {states:?}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_without_campus_and_with_a_campus_that_is_busy_and_loses_answers_all_is_there_once_and_in_order() {
    for world in World::all().await {
        world.behaviour.change(|campus| campus.is_down = true);
        for title in ["1", "2", "3"] {
            let persons: Vec<Handed> = (1..=12).map(|number| person(number, title)).collect();
            world.put(&persons).await;
        }
        let worker = world.worker();
        let a_day_later = noon() + SignedDuration::from_hours(24);
        while world.now() < a_day_later {
            match worker.work_once().await.unwrap() {
                Worked::Resting(rest) => world.pass(rest),
                Worked::Taken(_) => world.pass(Duration::from_secs(1)),
            }
        }
        let figures = world.figures().await;
        assert_eq!((figures.waiting, figures.dead), (36, 0), "{}: nothing is given up in a day", world.kind);
        assert!(figures.oldest >= Duration::from_secs(24 * 3600), "{figures:?}");
        let asked = world.running.requests();
        assert!((288..2000).contains(&asked), "{}: asked {asked} times in a day, at least each five minutes", world.kind);

        world.behaviour.set(Behaviour {
            busy: Some(5),
            retry_after: Some(7),
            loses: Some(3),
            is_silent: true,
            ..Behaviour::default()
        });
        // Another process goes on, as after a restart.
        world.drain(&world.worker()).await;
        each_once_and_in_order(&world, 12, "3");
        assert_eq!(world.figures().await, outbox::Figures::default(), "{}", world.kind);
        let content = world.user(7);
        let enterprise = &content["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
        let own = &content["urn:hjemmel:params:scim:schemas:extension:campus:1.0:User"]["employments"][0];
        assert_eq!(
            (&content["userName"], &content["name"]["familyName"], &content["active"]),
            (&json!("user7"), &json!("Ærø 7"), &json!(true))
        );
        assert_eq!(
            (&enterprise["employeeNumber"], &enterprise["organization"], &enterprise["department"]),
            (&json!("M7"), &json!("4711"), &json!("10"))
        );
        assert_eq!(
            (&own["collectiveAgreement"], &own["municipality"], &own["authority"]),
            (&json!("044"), &json!("101"), &json!("11111111"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_is_heeded_before_anything_else_is_sent() {
    for world in World::all().await {
        world.behaviour.set(Behaviour { busy: Some(1), retry_after: Some(600), ..Behaviour::default() });
        world.put(&[person(1, "1"), person(2, "1")]).await;
        let worker = world.worker();
        worker.work_once().await.unwrap();
        let asked = world.running.requests();
        world.behaviour.set(Behaviour::default());
        world.pass(Duration::from_secs(599));
        assert!(
            matches!(worker.work_once().await.unwrap(), Worked::Resting(rest) if rest <= Duration::from_secs(1)),
            "{}",
            world.kind
        );
        assert_eq!(world.running.requests(), asked, "{}: nothing before its time", world.kind);
        world.pass(Duration::from_secs(1));
        world.drain(&worker).await;
        assert_eq!(world.seen.users().len(), 2);
        assert_eq!(outbox::oldest(world.database(), 9).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_ends_the_same_before_every_kind_of_server_and_what_is_campus_own_stays() {
    let kinds = [
        ("as it should", Behaviour::default()),
        ("204 without a body", Behaviour { is_silent: true, etags: Etags::None, ..Behaviour::default() }),
        ("weak ETags that match nothing", Behaviour { etags: Etags::WeakAndStrict, ..Behaviour::default() }),
        ("relative locations and errors as application/json", Behaviour { is_loose: true, ..Behaviour::default() }),
        ("no PATCH", Behaviour { without_patch: true, ..Behaviour::default() }),
    ];
    let world = World::all().await.remove(0);
    let mut ended = BTreeSet::new();
    for (number, (kind, behaviour)) in (1..).zip(kinds) {
        world.behaviour.set(behaviour);
        let worker = world.worker();
        world.put(&[Handed { user_name: Some("name".to_owned() + &number.to_string()), ..person(number, "1") }]).await;
        world.drain(&worker).await;
        // Campus's own: its number there, a role, and a private e-mail beside the one from work.
        let id = world.campus().with_number(number).await.unwrap().unwrap();
        let own = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
            {"op": "add", "path": "roles", "value": [{"value": "kursusleder"}]},
            {"op": "add", "path": "emails", "value": [{"value": "a@home.example", "type": "home"}]}]});
        let before = world.behaviour.get();
        world.behaviour.set(Behaviour::default());
        change_by_hand(&world, &id, &own).await;
        world.behaviour.set(before);
        let moved = Handed {
            user_name: Some("name".to_owned() + &number.to_string()),
            department: "20".to_owned(),
            phone: None,
            nationality: None,
            email: Some("new@work.example".to_owned()),
            ..person(number, "2")
        };
        world.put(std::slice::from_ref(&moved)).await;
        world.drain(&worker).await;
        let mut user = world.user(number);
        assert_eq!(user["roles"][0]["value"], "kursusleder", "{kind}");
        assert_eq!(
            user["emails"],
            json!([{"value": "new@work.example", "type": "work", "primary": true}, {"value": "a@home.example", "type": "home"}]),
            "{kind}"
        );
        assert_eq!(user.get("phoneNumbers"), None, "{kind}: what is cleared is absent");
        // The same again changes nothing.
        let changes = world.seen.changes().len();
        world.put(&[moved]).await;
        world.drain(&worker).await;
        assert_eq!(world.seen.changes().len(), changes, "{kind}");
        let user = user.as_object_mut().unwrap();
        ["externalId", "userName", "name", "displayName"].iter().for_each(|own| drop(user.remove(*own)));
        let text = serde_json::to_string(user).unwrap().replace(&format!("M{number}"), "M");
        ended.insert(text);
    }
    assert_eq!(ended.len(), 1, "{ended:?}");
}

/// A change that Campus's own staff makes.
async fn change_by_hand(world: &World, id: &str, change: &Value) {
    let credentials = PKI.credentials(Key::GatewayClient).unwrap().clone();
    let settings = OutboundSettings { credentials: Some(credentials), ..OutboundSettings::new(vec![PKI.root().clone()]) };
    let uri = format!("https://localhost:{}{PATH}/Users/{id}", world.running.address().port()).parse().unwrap();
    let headers = [(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/scim+json"))].into_iter().collect();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let body = serde_json::to_vec(change).unwrap().into();
    let answer = Outbound::new(settings).unwrap().send(Method::PATCH, &uri, headers, body, deadline).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_campus_refuses_holds_up_that_person_alone_until_somebody_decides_and_who_did_is_written() {
    for world in World::all().await {
        world.seen.put(&json!({"userName": "USER1", "active": true}));
        let worker = world.worker();
        world.put(&[person(1, "1"), person(2, "1")]).await;
        world.drain_to(&worker, 1).await;
        assert!(
            outbox::oldest(world.database(), 1).await.unwrap()[0].attempts >= 10,
            "the name might have been given up meanwhile"
        );
        assert_eq!(world.user(2)["title"], "1", "{}: others go on", world.kind);
        let rows = outbox::oldest(world.database(), 9).await.unwrap();
        assert!(rows[0].is_dead && rows.len() == 1, "{rows:?}");
        let problem = rows[0].problem.clone().unwrap();
        assert!(problem.contains("409 uniqueness") && problem.contains("hjemmel persons adopt"), "{problem}");
        assert!(!problem.to_lowercase().contains("user1"), "nothing of a person: {problem}");

        let because = Because::new("sag 7".to_owned(), world.now());
        operate(&world.store, None, rows[0].id, Operation::Retry, &because).await.unwrap();
        world.drain_to(&worker, 1).await;
        world.put(&[Handed { user_name: Some("free".to_owned()), ..person(1, "2") }]).await;
        let rows = outbox::oldest(world.database(), 9).await.unwrap();
        assert!(rows[0].is_dead && !rows[1].is_dead && rows.len() == 2, "{rows:?}");
        let wrong = operate(&world.store, None, rows[1].id, Operation::Drop, &because).await.unwrap_err();
        assert!(matches!(wrong, QueueError::NotDead(_)), "what waits is not dropped");
        operate(&world.store, None, rows[0].id, Operation::Drop, &because).await.unwrap();
        world.drain(&worker).await;
        assert_eq!((world.user(1)["title"].clone(), world.user(1)["userName"].clone()), (json!("2"), json!("free")));
        let made = world.store.every_decision().await.unwrap();
        let told: Vec<_> =
            made.iter().map(|made| (made.what.subject, made.what.to.as_str(), made.because.reason.as_str())).collect();
        assert_eq!(
            told,
            [(Subject::PersonQueue, "retried", "sag 7"), (Subject::PersonQueue, "dropped", "sag 7")],
            "{}",
            world.kind
        );
    }
}

impl World {
    /// Works until so many are given up and nothing else can be done.
    async fn drain_to(&self, worker: &Worker, dead: u64) {
        for _ in 0..200 {
            match worker.work_once().await.unwrap() {
                Worked::Resting(rest) => self.pass(rest),
                Worked::Taken(0) if self.figures().await.dead == dead => return,
                Worked::Taken(0) => self.pass(Duration::from_secs(60)),
                Worked::Taken(_) => {}
            }
        }
        panic!("{}: not {dead} are given up", self.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_another_after_a_redirect_without_a_token_or_over_the_link_and_nothing_is_counted() {
    let world = World::all().await.remove(0);
    world.put(&[person(1, "1")]).await;
    let other_pki = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    let own = PKI.credentials(Key::GatewayClient).unwrap().clone();
    let (port, roots) = (world.running.address().port(), vec![PKI.root().clone()]);

    // The name leads to a server with a certificate of another CA.
    let anothers = client(port, world.clock(), own.clone(), vec![other_pki.root().clone()], None);
    // A token that is not there, and one that is empty.
    let (missing, empty) = (world.folder.path().join("missing"), world.folder.path().join("empty"));
    std::fs::write(&empty, "\n").unwrap();
    let without = client(port, world.clock(), own.clone(), roots.clone(), Some(missing));
    let emptied = client(port, world.clock(), own.clone(), roots.clone(), Some(empty));
    let settings = OutboundSettings { credentials: Some(own.clone()), ..OutboundSettings::new(roots.clone()) };
    let link = "https://169.254.169.254/scim/v2".parse().unwrap();
    let link = Campus::new(Outbound::new(settings).unwrap(), &link, None, Duration::from_secs(20), world.clock());
    for (kind, campus, said) in [
        ("another's", anothers, "no connection"),
        ("no token", without, "campus.token cannot be read"),
        ("an empty token", emptied, "campus.token is empty"),
        ("link-local", link, "link-local"),
    ] {
        let worker = Worker::new(world.database().clone(), NODE, campus, world.clock(), Rules::usual(4), None, None);
        worker.work_once().await.unwrap();
        let row = outbox::oldest(world.database(), 1).await.unwrap().remove(0);
        assert!(row.problem.clone().unwrap().contains(said), "{kind}: {row:?}");
        assert_eq!((row.attempts, row.is_dead), (0, false), "{kind}: no fault of the person's");
        world.pass(Duration::from_secs(600));
    }
    assert_eq!(world.running.requests(), 0, "nothing came");

    // A redirect: the other server sees nothing.
    let (elsewhere, _) = stub(&Switch::new(Behaviour::default()), None).await;
    let to = format!("https://localhost:{}{PATH}/Users", elsewhere.address().port());
    world.behaviour.change(|campus| campus.redirects = Some(to));
    world.worker().work_once().await.unwrap();
    let row = outbox::oldest(world.database(), 1).await.unwrap().remove(0);
    assert!(row.problem.unwrap().contains("a redirect, which is never followed"));
    assert_eq!((row.attempts, elsewhere.requests(), world.seen.users().len()), (0, 0, 0));

    // And with a right token, sent as it stands in its file, all is handed on.
    let token = world.folder.path().join("token");
    std::fs::write(&token, "hemmelig-1\n").unwrap();
    let (with_token, seen) = stub(&Switch::new(Behaviour::default()), Some("hemmelig-1")).await;
    world.pass(Duration::from_secs(600));
    let campus = client(with_token.address().port(), world.clock(), own, roots, Some(token));
    world.drain(&Worker::new(world.database().clone(), NODE, campus, world.clock(), Rules::usual(4), None, None)).await;
    assert_eq!(seen.users().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employment_ends_at_midnight_in_copenhagen_by_itself_and_a_manager_who_comes_later_is_referred_to() {
    for world in World::all().await {
        let worker = world.worker();
        let ends = Handed { inactive_from: Some(jiff::civil::date(2026, 12, 1)), manager: Some(2), ..person(1, "1") };
        world.put(&[ends]).await;
        world.drain(&worker).await;
        let manager = |world: &World| {
            world.user(1)["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"]["value"].clone()
        };
        assert_eq!((world.user(1)["active"].clone(), manager(&world)), (json!(true), Value::Null), "{}", world.kind);
        world.put(&[person(2, "1")]).await;
        world.drain(&worker).await;
        assert_eq!(worker.awaken().await.unwrap(), 1, "{}: the manager has come", world.kind);
        world.drain(&worker).await;
        assert_eq!(manager(&world), world.campus().with_number(2).await.unwrap().unwrap().as_str(), "{}", world.kind);

        *world.now.lock().unwrap() = "2026-11-30T22:59:59Z".parse().unwrap();
        assert_eq!(worker.awaken().await.unwrap(), 0, "{}: it is still November in Copenhagen", world.kind);
        *world.now.lock().unwrap() = "2026-11-30T23:00:00Z".parse().unwrap();
        assert_eq!(worker.awaken().await.unwrap(), 1, "{}", world.kind);
        assert_eq!(worker.awaken().await.unwrap(), 0, "{}: once", world.kind);
        world.drain(&worker).await;
        assert_eq!((world.user(1)["active"].clone(), manager(&world) == Value::Null), (json!(false), false), "{}", world.kind);

        // Cleared: active again. A second employment keeps a user active whose first has ended.
        world.put(&[Handed { manager: Some(2), ..person(1, "2") }]).await;
        world.drain(&worker).await;
        assert_eq!(world.user(1)["active"], true, "{}", world.kind);
        let second = Handed { staff_number: "M1-2".to_owned(), job_title: Some("3".to_owned()), ..person(1, "3") };
        let ended = Handed { inactive_from: Some(jiff::civil::date(2026, 1, 1)), ..person(1, "2") };
        world.put(&[second, ended]).await;
        world.drain(&worker).await;
        let user = world.user(1);
        let employments = &user["urn:hjemmel:params:scim:schemas:extension:campus:1.0:User"]["employments"];
        assert_eq!(
            (&user["active"], &user["title"], employments.as_array().unwrap().len()),
            (&json!(true), &json!("3"), 2),
            "{}",
            world.kind
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_were_in_campus_before_are_adopted_and_nobody_is_created_twice() {
    for world in World::all().await {
        let before = world.seen.put(&json!({"userName": "ANNA.GAMMEL", "active": true, "roles": [{"value": "elev"}]}));
        world.seen.put(&json!({"userName": "other", "externalId": "99", "active": true}));
        // Anna has another user name in the HR system from now on.
        world.put(&[person(1, "1"), person(2, "1"), person(3, "1")]).await;
        // Another authority that uses the same InstitutionsID1 and staff number; and a filter that heeds case.
        world.seen.put(&json!({"userName": "another.authoritys", "active": true}));
        world.behaviour.change(|campus| campus.heeds_case = true);
        let head = "\u{feff}CVR;InstitutionsID1;Medarbejdernummer;Brugernavn\n";
        let own = "11111111;4711;M1;anna.gammel\n11111111;4711;M2;nobody\n11111111;4711;M3;other\n11111111;4711;M9;x\n";
        let file = &format!("{head}{own}22222222;4711;M2;another.authoritys\n");
        let lines = adopt::read(file).unwrap();
        let because = Because::new("overgang".to_owned(), world.now());
        for first in [Became::Adopted, Became::Already] {
            let mut told = Vec::new();
            let tell = |line: usize, became: &Became| told.push((line, became.clone()));
            let file = (lines.as_slice(), "digest".to_owned());
            adopt::adopt(&world.store, &world.campus(), None, file, &because, false, tell).await.unwrap();
            let others = [(3, Became::NoUser), (4, Became::Anothers), (5, Became::NoPerson), (6, Became::NoPerson)];
            assert_eq!((told[0].clone(), &told[1..]), ((2, first), &others[..]), "{}", world.kind);
        }
        world.drain(&world.worker()).await;
        assert_eq!(world.campus().with_number(1).await.unwrap(), Some(before), "{}", world.kind);
        let user = world.user(1);
        assert_eq!((&user["userName"], &user["roles"][0]["value"]), (&json!("user1"), &json!("elev")), "{}", world.kind);
        assert_eq!(world.seen.users().len(), 5, "{}: Anna, another's, another authority's, and two that are new", world.kind);
        let made = world.store.every_decision().await.unwrap();
        assert!(made.iter().all(|made| made.what.to == "adopting 5 users" && made.because.reason == "overgang"), "{made:?}");
    }
    assert!(adopt::read("Navn\nx\n").is_err());
    assert!(adopt::read("InstitutionsID1,Medarbejdernummer,Brugernavn\n4711,M1,x\n").is_err(), "whose institution it is");
    assert!(adopt::read("CVR,InstitutionsID1,Medarbejdernummer,Brugernavn\n11111111,4711,,x\n").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_one_who_is_erased_during_an_adoption_is_not_written_and_nothing_of_it_stays() {
    for world in World::all().await {
        for name in ["first", "second"] {
            world.seen.put(&json!({"userName": name, "active": true}));
        }
        world.put(&[person(1, "1"), person(2, "1")]).await;
        let file = "CVR;InstitutionsID1;Medarbejdernummer;Brugernavn\n11111111;4711;M1;first\n11111111;4711;M2;second\n";
        let lines = adopt::read(file).unwrap();
        let because = Because::new("overgang".to_owned(), world.now());
        let mut told = Vec::new();
        let tell = |line: usize, became: &Became| {
            told.push(became.clone());
            // The second is erased, and Campus told, before the line of the second.
            if line == 2 {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(async {
                        world.erase(2).await;
                        world.drain(&world.worker()).await;
                    });
                });
            }
        };
        let file = (lines.as_slice(), "digest".to_owned());
        adopt::adopt(&world.store, &world.campus(), None, file, &because, false, tell).await.unwrap();
        assert_eq!(told, [Became::Adopted, Became::NoPerson], "{}", world.kind);
        world.drain(&world.worker()).await;
        world.knows_nothing_of(2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_erased_while_campus_is_written_to_leaves_it_again_also_where_the_adoption_dies() {
    for world in World::all().await {
        world.seen.put(&json!({"userName": "first", "active": true}));
        world.put(&[person(1, "1")]).await;
        let lines = adopt::read("CVR;InstitutionsID1;Medarbejdernummer;Brugernavn\n11111111;4711;M1;first\n").unwrap();
        let because = Because::new("overgang".to_owned(), world.now());
        // Campus has the number on the user, and its answer does not come.
        world.behaviour.change(|campus| campus.stalls = Some(Stall::AfterChange));
        let (store, campus) = (world.store.clone(), world.campus());
        let adoption = tokio::spawn(async move {
            let file = (lines.as_slice(), "digest".to_owned());
            adopt::adopt(&store, &campus, None, file, &because, false, |_, _| {}).await
        });
        let until = std::time::Instant::now() + Duration::from_secs(60);
        while !world.seen.users().iter().any(|user| user["externalId"] == "1") {
            assert!(std::time::Instant::now() < until, "{}: it is not written", world.kind);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        world.erase(1).await;
        assert_eq!(world.worker().work_once().await.unwrap(), Worked::Taken(0), "{}: it waits for what is under way", world.kind);
        adoption.abort();
        assert!(adoption.await.is_err_and(|ended| ended.is_cancelled()), "{}", world.kind);
        world.behaviour.change(|campus| campus.stalls = None);
        world.pass(world.campus().longest() + Duration::from_secs(60));
        world.drain(&world.worker()).await;
        world.knows_nothing_of(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_person_who_is_held_nothing_is_taken_and_of_one_erased_meanwhile_campus_is_told_after_it() {
    for world in World::all().await {
        let lease = Duration::from_secs(300);
        assert!(outbox::hold(world.database(), 9, lease, world.now()).await.unwrap().is_none(), "{}: nobody", world.kind);
        world.put(&[person(1, "1"), person(2, "1")]).await;
        let take = async || {
            let taken = outbox::take(world.database(), 9, lease, world.now()).await.unwrap();
            taken.into_iter().map(|taken| (taken.number, taken.what == outbox::What::Erased)).collect::<Vec<_>>()
        };
        let let_go = async |held: &outbox::Held| {
            let mut transaction = world.database().begin_beside_others().await.unwrap();
            let is_somebodys = outbox::let_go(&mut transaction, held, world.now()).await.unwrap();
            transaction.commit().await.unwrap();
            is_somebodys
        };
        let mut held = Vec::new();
        for number in [1, 2] {
            held.push(outbox::hold(world.database(), number, lease, world.now()).await.unwrap().unwrap());
        }
        world.erase(2).await;
        assert_eq!(take().await, [], "{}", world.kind);
        assert_eq!((let_go(&held[0]).await, let_go(&held[1]).await), (true, false), "{}", world.kind);
        assert_eq!(take().await, [(1, false), (2, true)], "{}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_a_user_whose_number_nobody_has_here_gets_the_persons_new_one() {
    for world in World::all().await {
        // Created since the copy under 71 and 72; of 72 somebody is here. 73 is erased, and Campus is still to be told.
        let lost = world.seen.put(&json!({"userName": "user1", "externalId": "71", "active": true}));
        world.seen.put(&json!({"userName": "user2", "externalId": "72", "active": true}));
        world.seen.put(&json!({"userName": "user3", "externalId": "73", "active": true}));
        world.put(&[person(1, "1"), person(2, "1"), person(3, "1"), person(72, "1")]).await;
        let mut transaction = world.database().begin_beside_others().await.unwrap();
        outbox::erase(&mut transaction, 73, world.now()).await.unwrap();
        transaction.commit().await.unwrap();
        let head = "CVR;InstitutionsID1;Medarbejdernummer;Brugernavn\n";
        let lines =
            adopt::read(&format!("{head}11111111;4711;M1;user1\n11111111;4711;M2;user2\n11111111;4711;M3;user3\n")).unwrap();
        let because = Because::new("efter genskabelse".to_owned(), world.now());
        for (renumbers, first) in [(false, Became::Anothers), (true, Became::Adopted)] {
            let mut told = Vec::new();
            let tell = |_: usize, became: &Became| told.push(became.clone());
            let file = (lines.as_slice(), "digest".to_owned());
            adopt::adopt(&world.store, &world.campus(), None, file, &because, renumbers, tell).await.unwrap();
            assert_eq!(told, [first, Became::Anothers, Became::Anothers], "{}", world.kind);
        }
        assert_eq!(world.campus().with_number(1).await.unwrap(), Some(lost), "{}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_store_that_was_put_back_nobody_is_handed_on_before_every_log_was_read_for_erasures() {
    for world in World::all().await {
        let worker = world.worker();
        world.put(&[person(1, "1"), person(2, "1")]).await;
        world.drain(&worker).await;
        // The copy has a row of one, and for the other a day of waking that is over. Both users were deleted in Campus since.
        world.put(&[person(1, "2")]).await;
        let mut session = world.database().session().await.unwrap();
        let wakes = sql("UPDATE person_campus SET wakes = $1 WHERE number = 2");
        session.execute(wakes.bind(jiff::civil::date(2026, 11, 1))).await.unwrap();
        drop(session);
        let mut noted = world.database().begin().await.unwrap();
        copies::note(&mut noted, "O. Drift", world.now()).await.unwrap();
        noted.commit().await.unwrap();
        let asked = world.running.requests();
        for _ in 0..2 {
            assert!(matches!(worker.work_once().await.unwrap(), Worked::Resting(_)), "{}", world.kind);
            assert_eq!(worker.awaken().await.unwrap(), 0, "{}", world.kind);
            world.pass(Duration::from_secs(3600));
        }
        let because = Because::new("efter genskabelse".to_owned(), world.now());
        let file = (&[][..], "digest".to_owned());
        let adopted = adopt::adopt(&world.store, &world.campus(), None, file, &because, true, |_, _| {}).await;
        assert!(matches!(adopted, Err(AdoptError::NotErasedYet(_))), "{}: {adopted:?}", world.kind);
        assert_eq!(world.running.requests(), asked, "{}: Campus is asked nothing", world.kind);
        assert_eq!(world.figures().await.waiting, 1, "{}", world.kind);

        let mut read = world.database().begin().await.unwrap();
        let done = sql("INSERT INTO person_replayed (node, restored) VALUES ($1, $2)").bind(NODE).bind(world.now());
        read.execute(done).await.unwrap();
        read.commit().await.unwrap();
        assert_eq!(worker.awaken().await.unwrap(), 1, "{}", world.kind);
        world.drain(&worker).await;
        assert_eq!(world.user(1)["title"], "2", "{}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_are_told_by_mail_of_persons_that_are_given_up_each_once_and_once_an_hour_at_most() {
    for world in World::all().await {
        people::add(&world.store, &[(Key::GatewayClient, Role::Operator, None)]).await;
        let operator = world.store.users().await.unwrap().remove(0);
        let mut change = world.store.change().await.unwrap();
        change.set_address(operator.id, Some(("drift@example.dk", Language::Da)), world.now()).await.unwrap();
        change.commit().await.unwrap();
        let letters = async || world.database().all(sql("SELECT id FROM job")).await.unwrap().len();
        let tell = async || report_dead(&world.store, world.now()).await.unwrap();
        let give_up = async |number: i64| {
            world.put(&[person(number, "1")]).await;
            let taken = outbox::take(world.database(), 1, Duration::from_secs(300), world.now()).await.unwrap().remove(0);
            outbox::not_taken(world.database(), &taken, "400 invalidValue", Fate::Dead).await.unwrap();
            taken.id
        };
        assert!(!tell().await, "{}: nothing is given up", world.kind);
        let first = give_up(1).await;
        assert_eq!((tell().await, tell().await, letters().await), (true, false, 1), "{}", world.kind);
        give_up(2).await;
        assert!(!tell().await, "{}: once an hour", world.kind);
        world.pass(Duration::from_secs(3600));
        assert_eq!((tell().await, tell().await, letters().await), (true, false, 2), "{}", world.kind);
        world.pass(Duration::from_secs(3600));
        assert!(!tell().await, "{}: nothing new", world.kind);
        // Tried again and refused again is new.
        let because = Because::new("sag 7".to_owned(), world.now());
        operate(&world.store, None, first, Operation::Retry, &because).await.unwrap();
        assert!(!tell().await, "{}", world.kind);
        let taken = outbox::take(world.database(), 1, Duration::from_secs(300), world.now()).await.unwrap().remove(0);
        outbox::not_taken(world.database(), &taken, "400 invalidValue", Fate::Dead).await.unwrap();
        assert_eq!((tell().await, letters().await), (true, 3), "{}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_erased_while_a_row_is_under_way_leaves_campus_whatever_becomes_of_the_row() {
    let later = Fate::Again { due: noon() + SignedDuration::from_hours(1), counted: true };
    for world in World::all().await {
        let worker = world.worker();
        for (number, fate) in [(1, Some(Fate::Dead)), (2, Some(later)), (3, None)] {
            world.put(&[person(number, "1")]).await;
            world.drain(&worker).await;
            world.put(&[person(number, "2")]).await;
            let lease = Duration::from_secs(300);
            let taken = outbox::take(world.database(), 1, lease, world.now()).await.unwrap().remove(0);
            let mut transaction = world.database().begin_beside_others().await.unwrap();
            transaction.execute(sql("DELETE FROM person WHERE number = $1").bind(number)).await.unwrap();
            outbox::erase(&mut transaction, number, world.now()).await.unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(worker.work_once().await.unwrap(), Worked::Taken(0), "{}: it waits for what is under way", world.kind);
            match fate {
                Some(fate) => outbox::not_taken(world.database(), &taken, "400 invalidValue", fate).await.unwrap(),
                // Its node went.
                None => world.pass(lease),
            }
            assert_ne!(worker.work_once().await.unwrap(), Worked::Taken(0), "{}: {fate:?}", world.kind);
            world.drain(&worker).await;
            assert_eq!(world.seen.users().len(), 0, "{}: {fate:?}", world.kind);
            assert_eq!(outbox::oldest(world.database(), 9).await.unwrap(), [], "{}: nothing is left", world.kind);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_person_of_whom_somebody_has_a_row_no_other_is_taken_whatever_the_numbers_are() {
    for world in World::all().await {
        let lease = Duration::from_secs(300);
        world.put(&[person(1, "1"), person(1, "3")]).await;
        let gone = sql("DELETE FROM person_outbox WHERE id = (SELECT min(id) FROM person_outbox)");
        world.database().session().await.unwrap().execute(gone).await.unwrap();
        let first = outbox::take(world.database(), 9, lease, world.now()).await.unwrap();
        assert_eq!(first.len(), 1, "{}", world.kind);
        // PostgreSQL gave it an earlier number, and the transaction was committed later.
        let add = sql("INSERT INTO person_outbox (id, number, what, content, state, attempts, added_us, due_us)
             SELECT id - 1, number, what, content, state, 0, added_us, added_us FROM person_outbox");
        world.database().session().await.unwrap().execute(add).await.unwrap();
        assert_eq!(outbox::take(world.database(), 9, lease, world.now()).await.unwrap(), [], "{}", world.kind);
        let mut transaction = world.database().begin_beside_others().await.unwrap();
        outbox::done_with(&mut transaction, &first[0]).await.unwrap();
        transaction.commit().await.unwrap();
        let taken = outbox::take(world.database(), 9, lease, world.now()).await.unwrap();
        assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [first[0].id - 1], "{}", world.kind);
        // And a lease that ended holds up nothing.
        world.pass(lease);
        assert_eq!(outbox::take(world.database(), 9, lease, world.now()).await.unwrap().len(), 1, "{}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_name_that_another_is_about_to_give_up_is_waited_for() {
    let named = |number: i64, name: &str, title: &str| Handed { user_name: Some(name.to_owned()), ..person(number, title) };
    for world in World::all().await {
        let worker = world.worker();
        world.put(&[named(1, "leder", "1"), person(2, "1")]).await;
        world.drain(&worker).await;
        // One who is new and one who is there want the name before its holder is told to give it up.
        world.put(&[named(2, "leder", "2")]).await;
        worker.work_once().await.unwrap();
        let row = outbox::oldest(world.database(), 9).await.unwrap().remove(0);
        assert_eq!((row.is_dead, row.attempts), (false, 1), "{}: {row:?}", world.kind);
        world.put(&[named(1, "frem", "2")]).await;
        world.drain(&worker).await;
        assert_eq!(world.user(2)["userName"], "leder", "{}", world.kind);
        // Erased and imported anew in one run: another number, the same name.
        world.put(&[named(3, "leder", "1")]).await;
        worker.work_once().await.unwrap();
        let mut transaction = world.database().begin_beside_others().await.unwrap();
        outbox::erase(&mut transaction, 2, world.now()).await.unwrap();
        transaction.commit().await.unwrap();
        world.drain(&worker).await;
        assert_eq!((world.user(3)["userName"].clone(), world.figures().await.dead), (json!("leder"), 0), "{}", world.kind);
        assert_eq!(world.seen.users().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_leaves_campus_wherever_the_user_stands_and_nobody_else_does() {
    for world in World::all().await {
        let worker = world.worker();
        world.put(&[person(1, "1"), person(2, "1"), person(3, "1")]).await;
        world.drain(&worker).await;
        let erase = async |number: i64| {
            let mut transaction = world.database().begin_beside_others().await.unwrap();
            outbox::erase(&mut transaction, number, world.now()).await.unwrap();
            transaction.commit().await.unwrap();
        };
        // Campus has moved its ids: what was noted of the first is another's by now.
        let others = world.campus().with_number(3).await.unwrap().unwrap();
        let moved = sql("UPDATE person_campus SET user_id = $1 WHERE number = 1").bind(&others);
        world.database().session().await.unwrap().execute(moved).await.unwrap();
        erase(1).await;
        world.drain(&worker).await;
        let left: BTreeSet<String> = world.seen.users().iter().map(|user| user["externalId"].to_string()).collect();
        assert_eq!(left, BTreeSet::from(["\"2\"".to_owned(), "\"3\"".to_owned()]), "{}", world.kind);

        // Where nobody is deleted, nothing of the person is left but the number.
        change_by_hand(
            &world,
            &others,
            &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
            {"op": "add", "path": "emails", "value": [{"value": "a@home.example", "type": "home"}]}]}),
        )
        .await;
        world.behaviour.change(|campus| campus.without_delete = true);
        erase(3).await;
        world.drain(&worker).await;
        let user = world.user(3);
        assert_eq!((&user["active"], &user["userName"]), (&json!(false), &json!("slettet-3")), "{}", world.kind);
        let names: BTreeSet<&str> = user.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["externalId", "userName", "active"]), "{}", world.kind);

        // One that Campus does not give up is not dropped either: it ends when Campus has nobody of that number.
        world.behaviour.set(Behaviour { forbids: Some("user2".to_owned()), ..Behaviour::default() });
        erase(2).await;
        world.drain_to(&worker, 1).await;
        let row = outbox::oldest(world.database(), 9).await.unwrap().remove(0);
        let because = Because::new("sag 7".to_owned(), world.now());
        let dropped = operate(&world.store, None, row.id, Operation::Drop, &because).await.unwrap_err();
        assert!(matches!(dropped, QueueError::Erased(id) if id == row.id), "{dropped}");
        world.behaviour.set(Behaviour::default());
        operate(&world.store, None, row.id, Operation::Retry, &because).await.unwrap();
        world.drain(&worker).await;
        assert_eq!((world.seen.users().len(), world.figures().await), (1, outbox::Figures::default()), "{}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_whom_campus_answers_oddly_is_given_up_while_others_go_on_and_where_all_are_nobody_is() {
    for world in World::all().await {
        let worker = world.worker();
        let all = |title: &str| (1..=25).map(|number| person(number, title)).collect::<Vec<_>>();
        world.put(&all("1")).await;
        world.drain(&worker).await;
        world.behaviour.change(|campus| campus.forbids = Some("user25".to_owned()));
        world.put(&all("2")).await;
        let mut rested = 0;
        while world.figures().await.dead == 0 {
            match worker.work_once().await.unwrap() {
                Worked::Resting(_) => rested += 1,
                Worked::Taken(0) => world.pass(Duration::from_secs(60)),
                Worked::Taken(_) => {}
            }
            assert!(rested == 0 && world.now() < noon() + SignedDuration::from_hours(24), "{}: nobody waits for it", world.kind);
        }
        let rows = outbox::oldest(world.database(), 9).await.unwrap();
        assert_eq!((rows.len(), rows[0].number), (1, 25), "{}: {rows:?}", world.kind);
        assert!(rows[0].problem.as_deref().unwrap().contains("403"), "{rows:?}");

        let because = Because::new("sag 7".to_owned(), world.now());
        operate(&world.store, None, rows[0].id, Operation::Drop, &because).await.unwrap();
        world.behaviour.change(|campus| campus.forbids = Some("user".to_owned()));
        world.put(&all("3")).await;
        let a_day_later = world.now() + SignedDuration::from_hours(24);
        while world.now() < a_day_later {
            match worker.work_once().await.unwrap() {
                Worked::Resting(rest) => world.pass(rest),
                Worked::Taken(_) => world.pass(Duration::from_secs(1)),
            }
        }
        let figures = world.figures().await;
        assert_eq!((figures.waiting, figures.dead), (25, 0), "{}: it is Campus, and not the persons", world.kind);
        world.behaviour.set(Behaviour::default());
        world.drain(&worker).await;
        assert_eq!((world.user(25)["title"].clone(), world.figures().await.dead), (json!("3"), 0), "{}", world.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_erased_person_nothing_waits_nothing_is_kept_and_campus_deletes_the_user() {
    for world in World::all().await {
        let worker = world.worker();
        world.put(&[person(1, "1"), person(2, "1")]).await;
        world.drain(&worker).await;
        world.put(&[person(1, "2")]).await;
        let mut transaction = world.database().begin_beside_others().await.unwrap();
        outbox::erase(&mut transaction, 1, world.now()).await.unwrap();
        transaction.commit().await.unwrap();
        world.drain(&worker).await;
        assert_eq!(world.seen.users().len(), 1, "{}", world.kind);
        for table in ["SELECT number FROM person_outbox", "SELECT number FROM person_campus", "SELECT number FROM person_handed"]
        {
            let rows = world.database().all(sql(table)).await.unwrap();
            assert!(rows.iter().all(|row| row.get::<i64>("number").unwrap() == 2), "{}: {table}", world.kind);
        }
    }
}

/// The other side is somebody else's: `tests/interop/campus.py` starts scim2-server and names it in HJEMMEL_SCIM, as its address, the
/// file of its CA, and `extension` where it knows the gateway's.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_somebody_elses_has_everybody_once_and_as_told_last() {
    let Ok(told) = std::env::var("HJEMMEL_SCIM") else {
        did_not_run("a SCIM server of somebody else's", "HJEMMEL_SCIM names none; tests/interop/campus.py starts one");
        return;
    };
    let parts: Vec<&str> = told.split('|').collect();
    let [address, roots, extension] = parts.as_slice() else { panic!("{told}") };
    let world = World::all().await.remove(0);
    let outbound = Outbound::new(OutboundSettings::new(certificates_from_pem_file(Path::new(roots)).unwrap())).unwrap();
    let campus = Campus::new(outbound, &address.parse().unwrap(), None, Duration::from_secs(20), world.clock());
    let campus = campus.with_extension(*extension == "extension");
    let worker = || Worker::new(world.database().clone(), NODE, campus.clone(), world.clock(), Rules::usual(4), None, None);
    let ends = Handed { inactive_from: Some(jiff::civil::date(2026, 12, 1)), manager: Some(2), ..person(1, "1") };
    world.put(&[ends, person(2, "1"), person(3, "1"), person(4, "1")]).await;
    world.drain(&worker()).await;
    // As if every answer had been lost: nothing is known any more, and all is handed on again.
    world.database().session().await.unwrap().execute(sql("DELETE FROM person_campus")).await.unwrap();
    let moved = Handed { department: "20".to_owned(), phone: None, email: Some("new@work.example".to_owned()), ..person(3, "2") };
    let again = Handed { inactive_from: Some(jiff::civil::date(2026, 12, 1)), manager: Some(2), ..person(1, "1") };
    world.put(&[again, person(2, "1"), moved.clone(), person(4, "1")]).await;
    world.drain(&worker()).await;
    worker().awaken().await.unwrap();
    world.drain(&worker()).await;
    *world.now.lock().unwrap() = "2026-11-30T23:00:00Z".parse().unwrap();
    worker().awaken().await.unwrap();
    world.drain(&worker()).await;
    let mut transaction = world.database().begin_beside_others().await.unwrap();
    outbox::erase(&mut transaction, 4, world.now()).await.unwrap();
    transaction.commit().await.unwrap();
    world.drain(&worker()).await;
    assert_eq!(world.figures().await, outbox::Figures::default(), "{:?}", outbox::oldest(world.database(), 9).await);
    // What the server shows differs in nothing from what it was told.
    let manager = campus.with_number(2).await.unwrap();
    let today = jiff::civil::date(2026, 12, 1);
    let first = Handed { inactive_from: Some(today), manager: Some(2), ..person(1, "1") };
    for (told, manager) in [(first, manager.as_deref()), (person(2, "1"), None), (moved, None)] {
        let number = told.number;
        let wanted = hjemmel::persons::campus::user::user(&[told], manager, today, campus.has_extension()).unwrap();
        let (_, done) = campus.ensure(number, None, &wanted, &|_| {}).await.unwrap();
        assert_eq!(done, hjemmel::persons::campus::client::Done::Unchanged, "person {number}");
    }
    assert_eq!(campus.with_number(4).await.unwrap(), None);
}

/// Not a test of its own: the process that is killed. It hands on, and kills itself at its step.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let parts: Vec<&str> = told.split('|').collect();
    let [folder, step, port, database] = parts.as_slice() else { panic!("{told}") };
    let (folder, step) = (PathBuf::from(folder), Step::ALL[step.parse::<usize>().unwrap()]);
    let at_step = move |reached: Step| {
        if reached == step {
            dies::die();
        }
    };
    let database = Database::open(&dies::from_words(database, &folder), Access::Change).await.unwrap();
    let pki = folder.join("pki");
    let own = Credentials::from_pem_files(&pki.join("gateway-client.pem"), &pki.join("gateway-client.key.pem")).unwrap();
    let roots = certificates_from_pem_file(&pki.join("root.pem")).unwrap();
    let campus = client(port.parse().unwrap(), Clock::fixed(noon()), own, roots, None);
    let worker = Worker::new(database, NODE, campus, Clock::fixed(noon()), Rules::usual(4), None, Some(Arc::new(at_step)));
    while worker.work_once().await.unwrap() != Worked::Taken(0) {}
    panic!("it should not have lived through {step:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_of_a_creation_of_a_change_and_of_an_erasure_the_worker_leaves_nothing_undone_and_nothing_twice() {
    for world in World::all().await {
        let folder = world.folder.path();
        PKI.write(&folder.join("pki"), None).unwrap();
        let told = dies::in_words(&world.settings, folder);
        let killed = |at: usize, step: Step| {
            let told = format!("{}|{at}|{}|{told}", folder.display(), world.running.address().port());
            dies::run("campus::child", (CHILD, told), (world.kind, step));
        };
        // A first time each is created, a second time changed.
        for title in ["1", "2"] {
            for (at, step) in Step::ALL.into_iter().enumerate() {
                // One that is known already is not looked up.
                if title == "2" && step == Step::LookedUp {
                    continue;
                }
                let persons: Vec<Handed> = (1..=3).map(|number| person(number, &format!("{title}{at}"))).collect();
                world.put(&persons).await;
                if title == "1" {
                    // Each kill meets a creation: one that is new.
                    world.put(&[person(10 + i64::try_from(at).unwrap(), &format!("{title}{at}"))]).await;
                }
                killed(at, step);
                // The lease of the dead ends.
                world.pass(Duration::from_secs(3600));
                world.drain(&world.worker()).await;
                for number in (1..=3).chain((title == "1").then(|| 10 + i64::try_from(at).unwrap())) {
                    assert_eq!(world.user(number)["title"], format!("{title}{at}"), "{}: {step:?}", world.kind);
                }
                // The child's clock stood at noon, and so does the next one's.
                *world.now.lock().unwrap() = noon();
            }
        }
        let created = world.seen.changes().into_iter().filter(|change| change.method == Method::POST).count();
        assert_eq!((created, world.seen.users().len()), (7, 7), "{}: nobody is created twice", world.kind);
        // And the erasure of those who were created above, each at a step; nobody is looked up before.
        for (left, (at, step)) in Step::ALL.into_iter().enumerate().filter(|(_, step)| *step != Step::LookedUp).enumerate() {
            let number = 10 + i64::try_from(at).unwrap();
            let mut transaction = world.database().begin_beside_others().await.unwrap();
            transaction.execute(sql("DELETE FROM person WHERE number = $1").bind(number)).await.unwrap();
            outbox::erase(&mut transaction, number, world.now()).await.unwrap();
            transaction.commit().await.unwrap();
            killed(at, step);
            world.pass(Duration::from_secs(3600));
            world.drain(&world.worker()).await;
            assert_eq!(world.seen.users().len(), 6 - left, "{}: {step:?}", world.kind);
            *world.now.lock().unwrap() = noon();
        }
        assert_eq!(world.figures().await, outbox::Figures::default(), "{}", world.kind);
    }
}
