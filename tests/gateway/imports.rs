//! The person import by call: in both bindings and as JSON, what is a fault, who learns what, and that no CPR number stays anywhere.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use hjemmel::agreements::import::Import;
use hjemmel::agreements::{State, Store};
use hjemmel::audit::{About, Record};
use hjemmel::cli::call::client::Client;
use hjemmel::cli::demo::campus::{Campus, ENTITY_ID, INSTITUTIONS, Platform};
use hjemmel::cli::demo::files::Mailboxes;
use hjemmel::cli::demo::world::{Narrowed, WITHOUT_BACK, World};
use hjemmel::cli::demo::{campus, files};
use hjemmel::clock::Clock;
use hjemmel::persons::codes::Code;
use hjemmel::services::persons::names::{ACTION, NS, PATH};
use hjemmel::services::vocabulary;
use hjemmel::signature::sign::{Message, canonical_content, with_token};
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::envelope::Version;
use hjemmel::soap::fault::escape;
use hjemmel::soap::names::SERVICEPLATFORM_FAULT;
use hjemmel::soap::strict::Limits;
use hjemmel::store::Settings;
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::KORSBAEK;
use http::Request;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::decides::Decides;
use crate::log;
use crate::stage::{AUTHORITY_CONTEXT, SOAP11, options};
use crate::wire::{self, Answer, Http, Sent};

pub type Person = Vec<(&'static str, String)>;

pub struct House {
    world: World,
    log: log::Since,
    dir: tempfile::TempDir,
}

/// One person's answer: status, number, field with code of each error and warning, and with each code what is wrong and what to do about
/// it, in Danish and in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub status: String,
    pub number: Option<u64>,
    pub remarks: BTreeSet<(String, String)>,
    pub texts: BTreeSet<(String, [String; 4])>,
}

/// Where an answer has them.
const TEXTS: [&str; 4] = ["Tekst", "Handling", "TekstEngelsk", "HandlingEngelsk"];

pub fn person(institution: &str, n: u32) -> Person {
    let text = |text: &str| text.to_owned();
    vec![
        ("InstitutionsID1", text(institution)),
        ("InstitutionsID2", text("A")),
        ("Kommunekode", text("101")),
        ("CPRnummer", cpr(n)),
        ("Medarbejdernummer", format!("{n}")),
        ("Koen", text("2")),
        ("Fornavne", text("Åse <&>")),
        ("Efternavn", format!("Prøve{n}")),
        ("Email", format!("p{n}@skole.example")),
        ("Brugernavn", format!("bruger{n}")),
    ]
}

/// Numbers that nobody has: days of 61 to 88.
pub fn cpr(n: u32) -> String {
    format!("{:02}{:02}40{:04}", 61 + n % 28, 1 + n / 28 % 12, 1000 + n)
}

pub fn with(mut person: Person, name: &'static str, value: &str) -> Person {
    person.retain(|(own, _)| *own != name);
    person.push((name, value.to_owned()));
    person
}

/// Imports persons by the token binding.
pub async fn by_token(world: &World, service: http::Uri, persons: &[Person]) -> Document {
    let token = world.token_for(Role::Korsbaek, KORSBAEK, ENTITY_ID).await.unwrap();
    let client = Client { service, ..world.client(None).unwrap() };
    let message = Message {
        version: Version::V12,
        action: Some(ACTION),
        message_id: &format!("urn:uuid:{}", uuid::Uuid::new_v4()),
        relates_to: None,
        to: Some(&client.service.to_string()),
        reply_to: true,
        framework: false,
        created: world.clock.now(),
        lifetime: SignedDuration::from_mins(5),
        extra_headers: &[],
        body: &canonical_content(House::request(persons, "").as_bytes()).unwrap(),
    };
    let signed = with_token(&message, token.assertion(), &world.key(Role::Korsbaek).unwrap()).unwrap();
    parsed(client.send_as(Version::V12, ACTION, signed.into()).await.unwrap().answer)
}

impl House {
    async fn build() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = log::now();
        files::write(dir.path()).unwrap();
        campus::write(dir.path()).unwrap();
        let extra =
            files::settings() + &campus::settings() + "[agreements]\ncache_ttl = \"1s\"\n[limits]\nrequest_bytes = 4194304\n";
        let narrowed = Narrowed { services: vec![ENTITY_ID.to_owned()], ..Narrowed::default() };
        let world = World::start_narrowed(options(dir.path(), Clock::system(), &extra), &narrowed).await.unwrap();
        Mailboxes::start(&world).await.unwrap();
        let pki = world.pki.clone();
        Campus::start(&world, Platform::start(&pki, &world.clock).await.unwrap()).await.unwrap();
        let other = campus::agreement(&world, 2, Role::OtherMunicipality, WITHOUT_BACK, &["2001"]).unwrap();
        let store = Store::open(&Settings::sqlite(&dir.path().join("agreements.sqlite"))).await.unwrap();
        let import = Import::parse(&other, &vocabulary()).unwrap();
        store.import(&import, world.clock.now()).await.unwrap();
        store.decide(import.agreements[0].id, State::Approved, "prøve", "prøve", world.clock.now()).await.unwrap();
        store.close().await;
        Self { world, log, dir }
    }

    pub fn request(persons: &[Person], context: &str) -> String {
        let person = |person: &Person| {
            let fields: String = person.iter().map(|(name, value)| format!("<p:{name}>{}</p:{name}>", escape(value))).collect();
            format!("<p:Person>{fields}</p:Person>")
        };
        let persons: String = persons.iter().map(person).collect();
        format!("<p:ImporterPersonerRequest xmlns:p=\"{NS}\">{context}{persons}</p:ImporterPersonerRequest>")
    }

    async fn by_tls(&self, role: Role, authority: &str, persons: &[Person]) -> Document {
        self.by_tls_beside(role, authority, persons, "").await
    }

    /// The same with something else in front of the persons.
    async fn by_tls_beside(&self, role: Role, authority: &str, persons: &[Person], beside: &str) -> Document {
        let context = format!(
            "<ac:AuthorityContext xmlns:ac=\"{AUTHORITY_CONTEXT}\"><ac:MunicipalityCVR>{authority}</ac:MunicipalityCVR></ac:AuthorityContext>{beside}"
        );
        let request = Self::request(persons, &context);
        let message = format!("<s:Envelope xmlns:s=\"{SOAP11}\"><s:Body>{request}</s:Body></s:Envelope>");
        let client = Client { service: self.service(), ..self.world.client(Some(role)).unwrap() };
        parsed(client.send_as(Version::V11, ACTION, message.into()).await.unwrap().answer)
    }

    async fn by_token(&self, persons: &[Person]) -> Document {
        by_token(&self.world, self.service(), persons).await
    }

    async fn post(&self, role: Role, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let port = self.world.api().unwrap().port();
        let body = serde_json::to_vec(body).unwrap();
        let mut request = Request::builder().method("POST").uri(path).header("host", format!("localhost:{port}"));
        for (name, value) in [("content-type", "application/json")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let credentials = self.world.pki.credentials(role).unwrap();
        let stream = wire::tls(self.world.pki.root(), port, Some(credentials), Http::One).await;
        let request = request.header("content-length", body.len()).body(Sent::whole(body)).unwrap();
        wire::send(stream, Http::One, request).await.unwrap()
    }

    async fn as_json(&self, headers: &[(&str, &str)], persons: &[Person]) -> Answer {
        self.post(Role::Korsbaek, &format!("/api/v1/persons?authority={KORSBAEK}"), headers, &in_json(persons)).await
    }

    fn service(&self) -> http::Uri {
        format!("https://{}{PATH}", self.world.service.authority().unwrap()).parse().unwrap()
    }

    fn record(&self) -> Record {
        self.world.records.recv_timeout(std::time::Duration::from_secs(60)).unwrap()
    }

    /// Every byte that was written: store, audit, log, metrics.
    fn written(&self) -> Vec<u8> {
        fn gather(folder: &Path, all: &mut Vec<u8>) {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => gather(&entry.path(), all),
                    false => all.extend(std::fs::read(entry.path()).unwrap_or_default()),
                }
            }
        }
        let mut all = self.log.lines();
        gather(self.dir.path(), &mut all);
        all.extend(self.world.metrics().unwrap().render().unwrap().into_bytes());
        all
    }
}

pub fn in_json(persons: &[Person]) -> Value {
    let object = |person: &Person| -> serde_json::Map<String, Value> {
        person.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    };
    json!({ "Person": persons.iter().map(object).collect::<Vec<_>>() })
}

pub fn parsed(answer: Bytes) -> Document {
    Document::parse(answer, &Limits { nodes: 10_000_000, ..Limits::default() }).unwrap()
}

fn text(parent: Element<'_>, local: &str) -> String {
    parent.elements().find(|child| child.local() == local).and_then(|child| child.text()).unwrap_or_default().into_owned()
}

pub fn answers(answer: &Document) -> Vec<Told> {
    let one = |person: Element<'_>| {
        let remarks = || person.elements().filter(|child| ["Fejl", "Advarsel"].contains(&child.local()));
        Told {
            status: text(person, "Status"),
            number: text(person, "Loebenummer").parse().ok(),
            remarks: remarks().map(|remark| (text(remark, "Felt"), text(remark, "Kode"))).collect(),
            texts: remarks().map(|remark| (text(remark, "Kode"), TEXTS.map(|name| text(remark, name)))).collect(),
        }
    };
    answer.root().descendants().filter(|element| element.is(NS, "Svar")).map(one).collect()
}

fn answers_in_json(answer: &Answer) -> Vec<Told> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let value: Value = serde_json::from_slice(&answer.body).unwrap();
    let text = |remark: &Value, name: &str| remark[name].as_str().unwrap_or_default().to_owned();
    let one = |person: &Value| {
        let remarks = || ["Fejl", "Advarsel"].into_iter().flat_map(|kind| person[kind].as_array().unwrap());
        Told {
            status: person["Status"].as_str().unwrap().to_owned(),
            number: person["Loebenummer"].as_u64(),
            remarks: remarks().map(|remark| (text(remark, "Felt"), text(remark, "Kode"))).collect(),
            texts: remarks().map(|remark| (text(remark, "Kode"), TEXTS.map(|name| text(remark, name)))).collect(),
        }
    };
    value["Svar"].as_array().unwrap().iter().map(one).collect()
}

fn fault(answer: &Document) -> String {
    let error = answer.root().descendants().find(|element| element.is(SERVICEPLATFORM_FAULT, "Error"));
    error.map_or_else(|| "no fault".to_owned(), |error| text(error, "ErrorCode"))
}

pub fn statuses(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.status.as_str()).collect()
}

fn has(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn each_person_is_answered_alike_by_token_by_mutual_tls_and_in_json_and_no_cpr_number_stays_anywhere() {
    crate::process::in_runtime(async {
        let house = House::build().await;
        let persons = |institution: &str| {
            let new = person(institution, 1);
            let refused = with(with(person(institution, 2), "Koen", "7"), "EAN", "5798000420527");
            let waits = with(person(institution, 3), "LederCPRnummer", &cpr(4));
            let manager = person(institution, 4);
            let number_elsewhere = with(person(institution, 5), "Stillingsbetegnelse", &format!("nr. {}", cpr(5)));
            let foreign = with(person("FREMMED", 6), "Godkender2", "NN");
            let unknown = with(person(institution, 7), "Fornavn", "=cmd()");
            vec![new, refused, waits, manager, number_elsewhere, foreign, unknown]
        };
        let by_tls = answers(&house.by_tls(Role::Korsbaek, KORSBAEK, &persons(INSTITUTIONS[0])).await);
        let record = house.record();
        let by_token = answers(&house.by_token(&persons(INSTITUTIONS[1])).await);
        let json = answers_in_json(&house.as_json(&[], &persons(INSTITUTIONS[2])).await);
        let due = ["OPRETTET", "AFVIST", "OPRETTET", "OPRETTET", "AFVIST", "AFVIST", "AFVIST"];
        assert_eq!(statuses(&by_tls), due, "{by_tls:?}");
        let remarks = |told: &[Told]| {
            told.iter().map(|told| (told.status.clone(), told.remarks.clone(), told.texts.clone())).collect::<Vec<_>>()
        };
        assert_eq!(remarks(&by_tls), remarks(&by_token));
        assert_eq!(remarks(&by_tls), remarks(&json));
        let one = |field: &str, code: &str| (field.to_owned(), code.to_owned());
        assert_eq!(by_tls[1].remarks, [one("EAN", "PER014"), one("Koen", "PER005")].into());
        let entry = Code::PER014.entry();
        let texts = [entry.da.what, entry.da.remedy, entry.en.what, entry.en.remedy];
        assert!(by_tls[1].texts.contains(&("PER014".to_owned(), texts)), "{:?}", by_tls[1].texts);
        let whole = |told: &Told| told.texts.iter().all(|(_, texts)| texts.iter().all(|text| !text.is_empty()));
        assert!(by_tls.iter().all(whole), "each says what is wrong and what to do, in both languages: {by_tls:?}");
        assert_eq!(by_tls[2].remarks, [one("LederCPRnummer", "PER101")].into());
        assert_eq!(by_tls[4].remarks, [one("Stillingsbetegnelse", "PER018")].into());
        let numbers: BTreeSet<u64> = [&by_tls, &by_token, &json].into_iter().flatten().filter_map(|told| told.number).collect();
        assert_eq!(numbers.len(), 9, "each person of each institution has a number of its own");

        let About::Persons(about) = &record.about else { panic!("{:?}", record.about) };
        assert_eq!((about.persons, about.statuses["OPRETTET"], about.statuses["AFVIST"]), (7, 3, 4));
        assert_eq!((record.persons.len(), record.persons_left_out), (3, 0), "whom it gave running numbers, sealed");
        assert!(record.front_agreement.is_some() && record.back_agreements.is_empty());

        // Again: nothing is another, and the numbers are those of before.
        let again = answers(&house.by_tls(Role::Korsbaek, KORSBAEK, &persons(INSTITUTIONS[0])).await);
        assert_eq!(statuses(&again), ["UAENDRET", "AFVIST", "UAENDRET", "UAENDRET", "AFVIST", "AFVIST", "AFVIST"]);
        assert_eq!(again[0].number, by_tls[0].number);
        let metrics = house.world.metrics().unwrap().render().unwrap();
        assert!(metrics.contains(r#"hjemmel_persons_total{service="personimport",status="UAENDRET"} 3"#), "{metrics}");

        let written = house.written();
        assert!(has(&written, "Prøve1") && has(&written, "personimport"), "it was looked where it was written");
        for n in 1..=7 {
            let cpr = cpr(n);
            let with_hyphen = format!("{}-{}", &cpr[..6], &cpr[6..]);
            assert!(!has(&written, &cpr) && !has(&written, &with_hyphen), "the number of person {n} stays");
        }
        house.world.stop().await;
    });
}

#[test]
fn a_call_that_is_no_import_is_a_fault_and_nothing_is_kept() {
    crate::process::in_runtime(async {
        let house = House::build().await;
        let many = |many: u32| (0..many).map(|n| person("1001", n)).collect::<Vec<_>>();
        for (persons, code) in [(many(0), "ImportEmpty"), (many(501), "ImportTooMany")] {
            assert_eq!(fault(&house.by_tls(Role::Korsbaek, KORSBAEK, &persons).await), code);
            assert_eq!(fault(&house.by_token(&persons).await), code);
            let answer = house.as_json(&[], &persons).await;
            assert!(answer.status == 422 && answer.text().contains("ApiFieldInvalid"), "{}", answer.text());
        }
        for beside in ["<p:Andet/>".to_owned(), cpr(9), format!("<p:P{}/>", cpr(9))] {
            let answer = house.by_tls_beside(Role::Korsbaek, KORSBAEK, &many(1), &beside).await;
            assert_eq!(fault(&answer), "ImportUnreadable", "{beside}");
            assert!(!String::from_utf8_lossy(answer.source()).contains(&cpr(9)), "it is not said again");
        }
        // Who has no agreement for the authority learns no more than that, whoever it is.
        assert_eq!(fault(&house.by_tls(Role::Korsbaek, WITHOUT_BACK, &many(1)).await), "ServiceAgreementNotFound");
        assert_eq!(fault(&house.by_tls(Role::Intruder, KORSBAEK, &many(1)).await), "ServiceAgreementNotFound");
        let path = |authority: &str| format!("/api/v1/persons?authority={authority}");
        for (role, path) in [
            (Role::Intruder, path(KORSBAEK)),
            (Role::Korsbaek, path(WITHOUT_BACK)),
            (Role::Korsbaek, format!("{}&service={}", path(KORSBAEK), uuid::Uuid::nil())),
        ] {
            let answer = house.post(role, &path, &[], &in_json(&many(1))).await;
            assert!(answer.status == 403 && answer.text().contains("ApiNotAgreed"), "{}", answer.text());
        }
        // Another type than a list, a member that is not known: told without what was sent.
        for body in [json!({"Person": [], cpr(9): 1}), json!({"Person": cpr(9)}), json!([])] {
            let answer = house.post(Role::Korsbaek, &path(KORSBAEK), &[], &body).await;
            assert_eq!(answer.status, 422, "{}", answer.text());
            assert!(!answer.text().contains(&cpr(9)[..9]), "{}", answer.text());
        }
        let answer = house.post(Role::Korsbaek, "/api/v1/persons", &[], &in_json(&many(1))).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(statuses(&answers(&house.by_token(&many(500)).await)), ["OPRETTET"; 500], "nobody was there before");
        house.world.stop().await;
    });
}

#[test]
fn a_value_that_is_no_text_and_a_person_that_is_no_object_spoil_no_other() {
    crate::process::in_runtime(async {
        let house = House::build().await;
        let mut body = in_json(&[person("1001", 1), person("1001", 2), person("1001", 3), person("1001", 4), person("1001", 5)]);
        let number: u64 = cpr(2).parse().unwrap();
        body["Person"][1]["CPRnummer"] = json!(number);
        body["Person"][2]["Telefon"] = json!([cpr(3), {"x": null}]);
        body["Person"][3] = json!(cpr(4));
        let path = format!("/api/v1/persons?authority={KORSBAEK}");
        let answer = house.post(Role::Korsbaek, &path, &[], &body).await;
        assert!([cpr(2), cpr(3), cpr(4)].iter().all(|cpr| !answer.text().contains(&cpr[..9])), "{}", answer.text());
        let told = answers_in_json(&answer);
        assert_eq!(statuses(&told), ["OPRETTET", "AFVIST", "AFVIST", "AFVIST", "OPRETTET"]);
        let wrong = |field: &str| BTreeSet::from([(field.to_owned(), "PER023".to_owned())]);
        assert_eq!((&told[1].remarks, &told[2].remarks), (&wrong("CPRnummer"), &wrong("Telefon")));
        assert!(told[3].remarks.contains(&(String::new(), "PER020".to_owned())), "{:?}", told[3]);
        house.world.stop().await;
    });
}

#[test]
fn the_same_person_five_hundred_times_is_taken_once_and_two_imports_at_once_create_nobody_twice() {
    crate::process::in_runtime(async {
        let house = House::build().await;
        let same: Vec<Person> = (0..500).map(|_| person("1001", 1)).collect();
        let answered = answers(&house.by_tls(Role::Korsbaek, KORSBAEK, &same).await);
        assert_eq!((answered[0].status.as_str(), answered.len()), ("OPRETTET", 500));
        let twice = BTreeSet::from([(String::new(), "PER007".to_owned())]);
        assert!(answered[1..].iter().all(|told| told.status == "AFVIST" && told.remarks == twice));

        let persons: Vec<Person> = (10..210).map(|n| person("1001", n)).collect();
        let others: Vec<Person> = persons.iter().rev().cloned().collect();
        let (one, other) = tokio::join!(house.by_tls(Role::Korsbaek, KORSBAEK, &persons), house.as_json(&[], &others));
        let (one, mut other) = (answers(&one), answers_in_json(&other));
        other.reverse();
        for (one, other) in one.iter().zip(&other) {
            let both = BTreeSet::from([one.status.as_str(), other.status.as_str()]);
            assert_eq!((both, one.number), (BTreeSet::from(["OPRETTET", "UAENDRET"]), other.number));
        }
        house.world.stop().await;
    });
}

#[test]
fn another_authority_s_import_learns_nothing_of_the_first() {
    crate::process::in_runtime(async {
        let house = House::build().await;
        let own = answers(&house.by_tls(Role::Korsbaek, KORSBAEK, &[person("1001", 1), person("1001", 2)]).await);
        // The same number, user name and address: nobody knows them there.
        let shared =
            with(with(with(person("2001", 3), "CPRnummer", &cpr(1)), "Brugernavn", "bruger2"), "Email", "p2@skole.example");
        let waits = with(person("2001", 4), "LederCPRnummer", &cpr(2));
        let foreign = person("1001", 1);
        let others = answers(&house.by_tls(Role::OtherMunicipality, WITHOUT_BACK, &[shared, waits, foreign]).await);
        assert_eq!(statuses(&others), ["OPRETTET", "OPRETTET", "AFVIST"]);
        let codes = |told: &Told| told.remarks.iter().map(|(_, code)| code.clone()).collect::<Vec<_>>();
        assert_eq!(
            (codes(&others[0]), codes(&others[1]), codes(&others[2])),
            (vec![], vec!["PER101".to_owned()], vec!["PER006".to_owned()])
        );
        assert!(others[0].number.is_some() && others[0].number != own[0].number);
        // An institution that neither has is told in the same way.
        let nowhere = answers(&house.by_tls(Role::OtherMunicipality, WITHOUT_BACK, &[person("9999", 1)]).await);
        assert_eq!(nowhere[0], others[2]);
        house.world.stop().await;
    });
}

#[test]
fn a_request_sent_again_with_its_key_is_answered_as_the_first_and_another_is_not() {
    crate::process::in_runtime(async {
        let house = House::build().await;
        let key = [("idempotency-key", "import-1")];
        let first = house.as_json(&key, &[person("1001", 1)]).await;
        assert_eq!(statuses(&answers_in_json(&first)), ["OPRETTET"]);
        assert!(!matches!(house.record().about.persons(), Some(about) if about.repeated));
        let again = house.as_json(&key, &[person("1001", 1)]).await;
        assert_eq!((again.status, again.text()), (200, first.text()));
        assert!(house.record().about.persons().unwrap().repeated);
        let without = house.as_json(&[], &[person("1001", 1)]).await;
        assert_eq!(statuses(&answers_in_json(&without)), ["UAENDRET"]);
        let other = house.as_json(&key, &[person("1001", 2)]).await;
        assert!(other.status == 422 && other.text().contains("ApiKeyReused"), "{}", other.text());
        let broken = house.as_json(&[("idempotency-key", "æ")], &[person("1001", 2)]).await;
        assert_eq!(broken.status, 400, "{}", broken.text());
        // Once a person was erased the answer is not kept, and nobody is imported by the key again.
        let store = Store::open(&Settings::sqlite(&house.dir.path().join("agreements.sqlite"))).await.unwrap();
        let erased = hjemmel::store::sql("UPDATE person_key SET answer = ''");
        assert_eq!(store.database().session().await.unwrap().execute(erased).await.unwrap(), 1);
        store.close().await;
        let erased = house.as_json(&key, &[person("1001", 1)]).await;
        assert!(erased.status == 409 && erased.text().contains("ApiKeyErased"), "{}", erased.text());
        house.world.stop().await;
    });
}

#[test]
fn an_import_of_which_nobody_knows_whether_it_was_done_keeps_its_key_and_is_done_again_as_a_repeat() {
    crate::process::in_runtime(async {
        let house = House::build().await;
        let store = Store::open(&Settings::sqlite(&house.dir.path().join("agreements.sqlite"))).await.unwrap();
        let change = async |text: &'static str| {
            store.database().session().await.unwrap().execute(hjemmel::store::sql(text)).await.unwrap()
        };
        let ask = async |key: &str, n| house.as_json(&[("idempotency-key", key)], &[person("1001", n)]).await;
        change("ALTER TABLE person_outbox RENAME TO put_aside").await;
        for (key, n) in [("import-1", 1), ("import-2", 2)] {
            let failed = ask(key, n).await;
            assert!(failed.text().contains("ApiUnavailable"), "{}", failed.text());
        }
        change("ALTER TABLE put_aside RENAME TO person_outbox").await;
        let soon = ask("import-1", 1).await;
        assert!(soon.status == 409 && soon.text().contains("ApiKeyPending"), "another may do it: {}", soon.text());
        // A while later nobody does it any more.
        assert_eq!(change("UPDATE person_key SET at_us = at_us - 180000000").await, 2);
        let done = ask("import-1", 1).await;
        assert_eq!(statuses(&answers_in_json(&done)), ["OPRETTET"]);
        assert_eq!(ask("import-1", 1).await.text(), done.text());
        // A person of the institution was erased since the other was first sent.
        let erased = hjemmel::store::sql("UPDATE person_institution SET erased_us = $1");
        let erased = erased.bind(house.world.clock.now().as_microsecond());
        assert_eq!(store.database().session().await.unwrap().execute(erased).await.unwrap(), 1);
        for _ in 0..2 {
            let refused = ask("import-2", 2).await;
            assert!(refused.status == 409 && refused.text().contains("ApiKeyErased"), "{}", refused.text());
        }
        assert_eq!(
            statuses(&answers_in_json(&ask("import-3", 2).await)),
            ["OPRETTET"],
            "under a key of its own it is decided anew"
        );
        store.close().await;
        house.world.stop().await;
    });
}
