//! Log-on to the console by an identity provider, over real TLS on both sides: the browser's way there and back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hjemmel::clock::Clock;
use hjemmel::config::{self, OneTimeLinks};
use hjemmel::console::saml::LogOn;
use hjemmel::decisions::Because;
use hjemmel::refusal::logon::LogOnRefusal;
use hjemmel::replay::ReplayMemory;
use hjemmel::replay::database::{DatabaseMemory, Rules as Keeping};
use hjemmel::signature::base64;
use hjemmel::signature::credentials::Credentials;
use hjemmel::signon::own::Own;
use hjemmel::signon::person::{Assurance, Rules};
use hjemmel::signon::provider::{Answers, Provider};
use hjemmel::signon::request::Secret;
use hjemmel::signon::response::Answer as Posted;
use hjemmel::stub::idp::answer::{Asked, Mode, UNASKED_CPR, respond};
use hjemmel::stub::idp::{self, IdpConfig, Keys, Partner, Person, Signer, demo_people, privilege, start_idp};
use hjemmel::stub::pki::Role as Of;
use hjemmel::stub::server::Running;
use hjemmel::stub::sts::Switch;
use hjemmel::users::KnownBy;
use hjemmel::users::rights::Role;
use hjemmel::users::sessions::{Limits, Means, Proven};
use http::Request;
use jiff::SignedDuration;

use crate::console::{Konsol, is_page, token};
use crate::house::{OWN, pki};
use crate::wire::{self, Answer, Http, Sent};

const IDP: &str = "https://idp.test/md";

fn credentials(of: Of) -> Credentials {
    pki().credentials(of).unwrap().clone()
}

fn keys() -> Keys {
    let signer = |of| Signer::new(credentials(of)).unwrap();
    Keys { own: signer(Of::StsSigning), other: signer(Of::Intruder) }
}

/// Somebody whose name is longer in bytes than a user's may be.
fn long_named() -> Person {
    Person { id: "lang-1".to_owned(), name: "ツ".repeat(90), cvr: OWN.parse().unwrap(), roles: vec![Role::SystemOwner] }
}

/// Somebody of whose name nothing is shown, for it holds what could be a CPR number.
fn unnamed() -> Person {
    Person {
        id: "uden-navn-1".to_owned(),
        name: "A 610203-1234".to_owned(),
        cvr: OWN.parse().unwrap(),
        roles: vec![Role::Signatory],
    }
}

/// A console with its identity provider.
struct World {
    konsol: Konsol,
    idp: Running,
}

impl World {
    async fn build() -> Self {
        let konsol = Konsol::build(OneTimeLinks::Off).await;
        let partner = Switch::default();
        let idp = start_idp(IdpConfig {
            address: ([127, 0, 0, 1], 0).into(),
            server: credentials(Of::StsServer),
            keys: keys(),
            entity_id: IDP.to_owned(),
            people: demo_people().into_iter().chain([long_named(), unnamed()]).collect(),
            partner: partner.clone(),
            partner_file: None,
            clock: Clock::system(),
        })
        .await
        .unwrap();
        let metadata = konsol.house._dir.path().join("idp.xml");
        let base = format!("https://localhost:{}", idp.address().port());
        std::fs::write(&metadata, idp::metadata(IDP, &base, keys().own.certificate())).unwrap();
        let configured = configured(metadata, konsol.port);
        let hour = SignedDuration::from_mins(5);
        let log_on = LogOn::of(&configured, SignedDuration::from_mins(1), hour, Clock::system().now()).unwrap();
        konsol.log_on.replace(log_on);
        let own = konsol.get("", Own::METADATA).await;
        assert_eq!(own.header("content-type"), "application/samlmetadata+xml");
        partner.set(Partner::from_metadata(&own.body));
        Self { konsol, idp }
    }

    async fn at_idp(&self, method: &str, path: &str, body: &str) -> Answer {
        let port = self.idp.address().port();
        let stream = wire::tls(pki().root(), port, None, Http::One).await;
        let request = Request::builder().method(method).uri(path).header("host", format!("localhost:{port}"));
        let request = request.header("content-length", body.len()).body(Sent::whole(body.as_bytes().to_vec())).unwrap();
        wire::send(stream, Http::One, request).await.unwrap()
    }

    /// From the console's page to the provider's: the cookie of the request, and where the browser is sent.
    async fn begin(&self, next: &str) -> (String, String) {
        let page = self.konsol.get("", &format!("/log-on?next={next}")).await;
        is_page(&page, 200, "/saml/log-on?provider=stub");
        let sent = self.konsol.get("", &format!("/saml/log-on?provider=stub&next={next}")).await;
        assert_eq!(sent.status, 303, "{}", sent.text());
        let cookie = sent.header("set-cookie").to_owned();
        for attribute in ["__Host-", "; Secure", "; HttpOnly", "; SameSite=None", "; Max-Age=600"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        let location = sent.header("location").to_owned();
        (cookie.split(';').next().unwrap().to_owned(), location)
    }

    /// What the provider has the browser post, for this person.
    async fn answered(&self, location: &str, person: &str, mode: Mode) -> String {
        let path = location.split_once("/sso").unwrap().1;
        let page = self.at_idp("GET", &format!("/sso{path}"), "").await;
        assert_eq!(page.status, 200, "{}", page.text());
        let [request, relay] = ["request", "relay_state"].map(|name| field(&page, name));
        let body = format!("person={person}&mode={}&request={}&relay_state={}", mode.name(), encoded(&request), encoded(&relay));
        let post = self.at_idp("POST", "/sso", &body).await;
        assert_eq!(post.status, 200, "{}", post.text());
        let [response, relay] = ["SAMLResponse", "RelayState"].map(|name| field(&post, name));
        format!("SAMLResponse={}&RelayState={}", encoded(&response), encoded(&relay))
    }

    /// A form that comes from the provider's site, with the browser's cookie of the request.
    async fn post(&self, cookie: &str, body: &str) -> Answer {
        let origin = format!("https://localhost:{}", self.idp.address().port());
        let headers = [
            ("cookie", cookie),
            ("origin", origin.as_str()),
            ("sec-fetch-site", "cross-site"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.konsol.send("POST", Own::CONSUMER, &headers, body).await
    }

    async fn log_on(&self, person: &str, mode: Mode) -> Answer {
        let (cookie, location) = self.begin("/agreements").await;
        let body = self.answered(&location, person, mode).await;
        self.post(&cookie, &body).await
    }
}

fn configured(metadata: PathBuf, port: u16) -> config::Console {
    let provider = config::SamlProvider { metadata, answers: Answers::ForAll };
    config::Console {
        address: Some(([127, 0, 0, 1], port).into()),
        public_url: None,
        credentials: None,
        assets: None,
        contact: None,
        idle_timeout: Duration::from_secs(1800),
        lifetime: Duration::from_secs(28_800),
        one_time_links: OneTimeLinks::Off,
        saml: Some(config::Saml {
            entity_id: None,
            credentials: credentials(Of::GatewayClient),
            assurance: Assurance::Substantial,
            contexts: Vec::new(),
            roles: Role::ALL.map(|role| (privilege(role), role)).to_vec(),
            role_attribute: None,
            person_attribute: None,
            operators: Some(idp::OPERATORS.parse().unwrap()),
            allow_cbc: false,
            providers: BTreeMap::from([("stub".to_owned(), provider)]),
        }),
    }
}

fn encoded(text: &str) -> String {
    hjemmel::signon::redirect::encoded(text)
}

/// A hidden field of a page.
fn field(page: &Answer, name: &str) -> String {
    let text = page.text();
    let (_, after) = text.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {text}"));
    after.split('"').next().unwrap().replace("&amp;", "&")
}

/// The cookies that an answer leaves in the browser.
fn cookies(answer: &Answer) -> String {
    let all = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let kept = all.filter(|cookie| !cookie.contains("Max-Age=0")).map(|cookie| cookie.split(';').next().unwrap());
    kept.collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_person_logs_on_at_their_provider_comes_to_the_page_they_wanted_and_logs_off_at_both() {
    let world = World::build().await;
    for mode in [Mode::Plain, Mode::Both, Mode::Encrypted] {
        let answer = world.log_on("korsbaek-1", mode).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/agreements"), "{}", answer.text());
        let cookie = cookies(&answer);
        let page = world.konsol.get(&cookie, "/").await;
        is_page(&page, 200, "Ulla Underskriver");
        assert!(page.text().contains(OWN), "the authority that she acts for");
        let left = world.konsol.post(&cookie, "/log-off", &format!("form_token={}", token(&page))).await;
        is_page(&left, 200, "/slo?SAMLRequest=");
        assert_eq!(world.konsol.get(&cookie, "/").await.status, 303, "the session is over");
        // The provider verifies the order, and its answer leads back.
        let text = left.text();
        let (_, order) = text.split_once("/slo?").unwrap();
        let order = order.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
        let back = world.at_idp("GET", &format!("/slo?{order}"), "").await;
        assert_eq!(back.status, 303, "{}", back.text());
        let path = back.header("location").split_once("/saml/").unwrap().1.to_owned();
        let done = world.konsol.get("", &format!("/saml/{path}")).await;
        assert_eq!((done.status, done.header("location")), (303, "/log-on?left=1"), "{}", done.text());
    }
    let of_person: Vec<_> = world.konsol.store.users().await.unwrap();
    let of_person = of_person.iter().filter(|user| user.name == "Ulla Underskriver").collect::<Vec<_>>();
    assert_eq!(of_person.len(), 1, "one user, however often she logs on");
    assert!(of_person[0].certificates.is_empty() && of_person[0].roles == [Role::Signatory]);
}

#[tokio::test]
async fn whom_the_provider_does_not_name_is_known_by_nothing_and_who_has_a_name_by_that() {
    let world = World::build().await;
    for (person, known_by) in [("uden-navn-1", KnownBy::Nothing), ("korsbaek-1", KnownBy::Name)] {
        let before = world.konsol.store.users().await.unwrap();
        let answer = world.log_on(person, Mode::Both).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let users = world.konsol.store.users().await.unwrap();
        let added: Vec<_> = users.iter().filter(|user| !before.contains(user)).collect();
        assert_eq!((added.len(), added[0].known.by), (1, known_by));
        assert!(!added[0].name.contains("610203"));
    }
    let certificate = world.konsol.store.user(world.konsol.house.signatory.id).await.unwrap();
    assert_eq!(certificate.known.by, KnownBy::Certificate);
}

#[tokio::test]
async fn what_was_written_when_a_session_ended_is_on_its_page_after_a_log_on_in_the_same_tab() {
    let world = World::build().await;
    let konsol = &world.konsol;
    let asked = konsol.house.requested(&konsol.house.supplier, OWN).await;
    let path = format!("/agreements/{}", crate::house::text(&asked, "id"));
    let reason = format!("Sag 9{}", ", og så videre æøå".repeat(40));
    let form = |fields: &[(&str, &str)]| form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let lost = konsol.post("", &format!("{path}/decide"), &form(&[("decision", "reject"), ("reason", &reason)])).await;
    is_page(&lost, 401, "ConsoleSessionOver");
    assert!(lost.text().contains(&reason) && !lost.text().contains("target=\"_blank\""), "{}", lost.text());
    let kept = cookies(&lost);
    // The button of that page, pressed by whoever has no session.
    let again = format!("{path}?{}", form(&[("kept", &field(&lost, "kept")), ("reason", &reason)]));
    let led = konsol.get(&kept, &again).await;
    assert_eq!((led.status, led.header("location")), (303, "/log-on?back=1"));
    let browser = format!("{kept}; {}", cookies(&led));
    let (pending, location) = world.begin("").await;
    let body = world.answered(&location, "korsbaek-1", Mode::Both).await;
    let answer = world.post(&format!("{browser}; {pending}"), &body).await;
    assert_eq!((answer.status, answer.header("location")), (303, again.as_str()), "{}", answer.text());
    let page = konsol.get(&format!("{kept}; {}", cookies(&answer)), &again).await;
    is_page(&page, 200, &format!("value=\"{reason}\""));
    // A page that SAML has room for goes by what the log-on was begun with, whatever another tab wanted since.
    let (pending, location) = world.begin("/routes").await;
    let body = world.answered(&location, "korsbaek-1", Mode::Both).await;
    let answer = world.post(&format!("{browser}; {pending}"), &body).await;
    assert_eq!(answer.header("location"), "/routes");
    // One that is longer than a browser keeps says what to do.
    let reason = "å".repeat(1000);
    let lost = konsol.post("", &format!("{path}/decide"), &form(&[("decision", "reject"), ("reason", &reason)])).await;
    is_page(&lost, 401, "target=\"_blank\"");
}

#[tokio::test]
async fn a_name_that_is_too_long_is_cut_and_hides_no_other_user() {
    let world = World::build().await;
    let answer = world.log_on("lang-1", Mode::Both).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let users = world.konsol.store.users().await.unwrap();
    let long = users.iter().find(|user| user.name.starts_with('ツ')).unwrap();
    assert!(long.name.len() <= 200 && users.len() > 5, "{users:?}");
}

#[tokio::test]
async fn a_log_on_begins_where_somebody_goes_and_whoever_began_none_is_refused_before_anything_is_decrypted() {
    let world = World::build().await;
    let picture = [("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
    let shown = world.konsol.send("GET", "/saml/log-on?provider=stub", &picture, "").await;
    is_page(&shown, 403, "ConsoleOrigin");
    assert!(!shown.headers.contains_key("set-cookie"));
    // Of those that were begun and not ended the browser keeps few.
    let pending: String = (0..9).map(|n| format!("__Host-hjemmel-saml-{n}=x; ")).collect();
    let begun = world.konsol.send("GET", "/saml/log-on?provider=stub", &[("cookie", pending.trim_end_matches("; "))], "").await;
    let gone = begun.headers.get_all("set-cookie").iter().filter(|cookie| cookie.to_str().unwrap().contains("Max-Age=0"));
    assert_eq!((begun.status, gone.count()), (303, 5));
    let (_, location) = world.begin("/").await;
    let body = world.answered(&location, "korsbaek-1", Mode::Encrypted).await;
    is_page(&world.post("", &body).await, 403, "LogOnOtherRequest");
}

#[tokio::test]
async fn what_must_be_refused_is_a_page_that_says_what_the_provider_must_set() {
    let world = World::build().await;
    for mode in [Mode::Unsigned, Mode::Wrapped, Mode::OtherAudience, Mode::Unspecified, Mode::Unsolicited, Mode::NoRole] {
        let (_, name, due) = Mode::ALL.iter().find(|(of, ..)| *of == mode).unwrap();
        let answer = world.log_on("korsbaek-1", mode).await;
        is_page(&answer, 403, due.unwrap());
        let said = answer.text().to_lowercase();
        assert!(said.contains("identitetsudbyderens administrator") || mode == Mode::NoRole, "{name}");
        assert!(!answer.headers.contains_key("set-cookie"), "{name} opened a session");
    }
}

#[tokio::test]
async fn an_answer_is_for_one_browser_once_and_leads_nowhere_else() {
    let world = World::build().await;
    let (cookie, location) = world.begin("/agreements").await;
    let (other, _) = world.begin("/agreements").await;
    let body = world.answered(&location, "korsbaek-1", Mode::Both).await;
    is_page(&world.post(&other, &body).await, 403, "LogOnOtherRequest");
    is_page(&world.post("", &body).await, 403, "LogOnOtherRequest");
    let elsewhere = body.split("&RelayState=").next().unwrap().to_owned() + "&RelayState=%2F%2Felsewhere.example%2F";
    let answer = world.post(&format!("{other}; {cookie}"), &elsewhere).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"), "{}", answer.text());
    is_page(&world.post(&cookie, &body).await, 403, "LogOnReplayed");
}

#[tokio::test]
async fn a_provider_that_ends_a_persons_sessions_ends_them_here_and_nobody_else_does() {
    let world = World::build().await;
    let own = cookies(&world.log_on("korsbaek-1", Mode::Plain).await);
    let other = cookies(&world.log_on("korsbaek-2", Mode::Plain).await);
    let order = world.at_idp("GET", "/end?person=korsbaek-1", "").await;
    let query = order.header("location").split_once("/saml/logout?").unwrap().1.to_owned();
    let unsigned = query.split("&SigAlg=").next().unwrap();
    is_page(&world.konsol.get("", &format!("/saml/logout?{unsigned}")).await, 403, "LogOutUnsigned");
    assert_eq!(world.konsol.get(&own, "/").await.status, 200);
    // Led there by another site, his browser keeps what is his: the order is for hers.
    let led = world.konsol.get(&other, &format!("/saml/logout?{query}")).await;
    assert_eq!((led.status, led.headers.contains_key("set-cookie")), (303, false), "{}", led.text());
    let ended = world.konsol.get(&own, &format!("/saml/logout?{query}")).await;
    assert_eq!(ended.status, 303, "{}", ended.text());
    assert!(ended.header("location").contains("/slo?SAMLResponse="));
    assert_eq!(ended.headers.get_all("set-cookie").iter().count(), 2, "both cookies of her browser are taken away");
    assert_eq!(world.konsol.get(&own, "/").await.status, 303, "hers is over");
    assert_eq!(world.konsol.get(&other, "/").await.status, 200, "his is not");
}

#[tokio::test]
async fn a_person_who_was_ended_here_is_not_logged_on_in_other_roles_either() {
    let world = World::build().await;
    let first = cookies(&world.log_on("korsbaek-2", Mode::Plain).await);
    let users = world.konsol.store.users().await.unwrap();
    let user = users.iter().find(|user| user.name == "Søren Systemansvarlig").unwrap().clone();
    // The provider's administrator takes one privilege away.
    let metadata = world.konsol.house._dir.path().join("idp.xml");
    let mut configured = configured(metadata, world.konsol.port);
    configured.saml.as_mut().unwrap().roles.retain(|(_, role)| *role != Role::SystemOwner);
    let (minute, now) = (SignedDuration::from_mins(1), Clock::system().now());
    world.konsol.log_on.replace(LogOn::of(&configured, minute, minute * 5, now).unwrap());
    let other = cookies(&world.log_on("korsbaek-2", Mode::Plain).await);
    assert_eq!(world.konsol.get(&first, "/").await.status, 303);
    assert_eq!(world.konsol.get(&other, "/").await.status, 200);
    // The console believes its own time.
    let because = Because::new("har forladt kommunen".to_owned(), user.valid_from);
    hjemmel::decisions::user::end(&world.konsol.store, None, user.id, &because).await.unwrap();
    assert_eq!(world.konsol.get(&other, "/").await.status, 303, "the user of the other roles is over with it");
    let over = world.konsol.store.users_of(user.person).await.unwrap();
    assert!(over.len() == 2 && over.iter().all(|user| user.valid_to == Some(because.at)), "{over:?}");
    for role in [Role::SystemOwner, Role::SystemResponsible] {
        configured.saml.as_mut().unwrap().roles = vec![(privilege(role), Role::Auditor)];
        world.konsol.log_on.replace(LogOn::of(&configured, minute, minute * 5, now).unwrap());
        let refused = world.log_on("korsbaek-2", Mode::Plain).await;
        is_page(&refused, 403, "LogOnNoRole");
        assert!(refused.text().contains("afsluttet"), "{}", refused.text());
    }
    let still = world.konsol.store.users_of(user.person).await.unwrap();
    assert_eq!(still.len(), 2, "nor is another user made");
}

#[tokio::test]
async fn whoever_has_no_role_at_the_provider_any_longer_acts_neither_in_a_session_nor_through_a_substitute() {
    use hjemmel::decisions::{By, delegation};
    let world = World::build().await;
    let store = &world.konsol.store;
    let own = cookies(&world.log_on("korsbaek-1", Mode::Plain).await);
    world.log_on("korsbaek-2", Mode::Plain).await;
    let users = store.users().await.unwrap();
    let of = |name: &str| users.iter().find(|user| user.name == name).unwrap();
    let (signatory, substitute) = (of("Ulla Underskriver").id, of("Søren Systemansvarlig").id);
    // The console believes its own time.
    let now = of("Søren Systemansvarlig").valid_from;
    let limits = Limits { idle: Duration::from_secs(600), lifetime: Duration::from_secs(600) };
    let proven = Proven { user: signatory, means: Means::Saml, roles: None, at_provider: None, until: None };
    let (_, session) = store.open_session(&proven, limits, now).await.unwrap();
    let new = delegation::New {
        id: uuid::Uuid::now_v7(),
        substitute,
        role: Role::Signatory,
        services: Vec::new(),
        from: None,
        to: now + SignedDuration::from_hours(8),
    };
    let because = Because::new("ferie".to_owned(), now);
    delegation::give(store, By::User(&session.actor), &new, &because, None).await.unwrap();
    let proven = Proven { user: substitute, ..proven };
    let (_, session) = store.open_session(&proven, limits, now).await.unwrap();
    let acts = async || store.acting(session.actor.clone(), new.id, now).await.is_ok();
    // Somebody else without a role changes nothing for her.
    is_page(&world.log_on("korsbaek-3", Mode::NoRole).await, 403, "LogOnNoRole");
    assert!(acts().await && world.konsol.get(&own, "/").await.status == 200);
    is_page(&world.log_on("korsbaek-1", Mode::NoRole).await, 403, "LogOnNoRole");
    assert!(!acts().await, "the delegation is over");
    assert_eq!(world.konsol.get(&own, "/").await.status, 303, "and so is her session");
}

#[tokio::test]
async fn a_cpr_number_that_a_provider_sends_leaves_no_trace_on_the_disk() {
    let world = World::build().await;
    assert_eq!(world.log_on("korsbaek-1", Mode::Cpr).await.status, 303);
    let mut folders = vec![world.konsol.house._dir.path().to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let bytes = std::fs::read(&entry).unwrap();
            looked_at += bytes.len();
            let found = bytes.windows(10).any(|ten| ten == UNASKED_CPR.as_bytes());
            assert!(!found, "{}", entry.display());
        }
    }
    assert!(looked_at > 100_000, "the store is there");
}

#[tokio::test]
async fn an_answer_used_on_one_node_is_used_on_the_other() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    is_used_once(konsol.store.database()).await;
}

/// Two nodes of one store, which share the memory against replay: an answer that the one took the other refuses.
pub async fn is_used_once(database: &hjemmel::store::Database) {
    let own = Own::new("https://console.test", None, &[credentials(Of::GatewayClient)]).unwrap();
    let partner = Partner::from_metadata(&own.metadata().unwrap()).unwrap();
    let keeping = Keeping { keep: Duration::from_secs(720), skew: Duration::from_secs(60), patience: Duration::from_secs(60) };
    let open = async || DatabaseMemory::open(database.clone(), keeping, Clock::system()).await.unwrap();
    let [one, two] = [ReplayMemory::Database(open().await), ReplayMemory::Database(open().await)];
    // The answer says in whole milliseconds when it was made, and must not be of before the memory began.
    let now = Clock::system().now() + Duration::from_millis(1);
    let metadata = idp::metadata(IDP, "https://idp.test", keys().own.certificate());
    let providers = [Provider::from_metadata("stub", metadata.into(), Answers::ForAll, now).unwrap()];
    let rules = Rules { roles: Role::ALL.map(|role| (privilege(role), role)).to_vec(), ..Rules::default() };
    let (request, people) = (Secret::new().unwrap().request_id(), demo_people());
    let asked = Asked {
        issuer: IDP,
        consumer: own.consumer(),
        audience: own.entity_id(),
        request: request.as_str(),
        certificate: Some(partner.certificate()),
        person: people.iter().find(|person| person.id == "korsbaek-1").unwrap(),
        now,
    };
    let response = base64::encode(&respond(&asked, Mode::Both, &keys()).unwrap());
    let used = async |memory: &ReplayMemory| {
        let judged = Posted::read(&response).unwrap().judge(&own, &providers, &rules, Some(&request), now).unwrap();
        judged.person(&rules).unwrap().once(memory, now).await.map(drop)
    };
    assert_eq!(used(&one).await, Ok(()));
    assert_eq!(used(&two).await, Err(LogOnRefusal::LogOnReplayed));
}
