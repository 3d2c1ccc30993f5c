//! The console over real TLS: how one logs on, what ends a session, what a form needs, and what every answer says to a browser.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hjemmel::audit::{Audit, AuditSettings, Record, keys};
use hjemmel::clock::Clock;
use hjemmel::config::{EdgeLimits, OneTimeLinks, ServiceTerms};
use hjemmel::console::assets::Assets;
use hjemmel::console::guard::Origin;
use hjemmel::console::known::{Known, Later, Offered};
use hjemmel::console::saml::LogOnNow;
use hjemmel::console::{self, Served};
use hjemmel::edge::http::boxed;
use hjemmel::edge::refused::Refusals;
use hjemmel::edge::serve::{Readiness, Transport, serve};
use hjemmel::edge::tls::{Prepared, ServerTls, Shown};
use hjemmel::metrics::Metrics;
use hjemmel::replay::ReplayMemory;
use hjemmel::replay::node::NodeMemory;
use hjemmel::services::terminaladgang::settings::PolicyFile;
use hjemmel::stub::pki::Role as Of;
use hjemmel::users::sessions::{LINK_HOLDS, Limits, Means, Proven};
use hjemmel::work::Work;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::house::{House, OWN, Who, pki};
use crate::wire::{self, Answer, Http, Sent};

const COOKIE: &str = "__Host-hjemmel";
const IDLE: Duration = Duration::from_secs(30 * 60);
const LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);

/// A node that offers one service and has one certificate that ends.
struct Node;

impl Known for Node {
    fn services(&self) -> Later<'_, Vec<Offered>> {
        let offered = Offered {
            name: "prøve".to_owned(),
            id: crate::house::SERVICE.parse().unwrap(),
            entity_id: "urn:prøve".to_owned(),
            path: "/prøve".to_owned(),
            bindings: vec!["token"],
            policy: Some(PolicyFile {
                directory: concat!(env!("CARGO_MANIFEST_DIR"), "/policies").into(),
                name: "terminaladgang-6".to_owned(),
            }),
            failing: false,
            terms: ServiceTerms::default(),
        };
        Box::pin(async { vec![offered] })
    }

    fn expiries(&self) -> Later<'_, Vec<(String, Timestamp)>> {
        Box::pin(async { Vec::new() })
    }
}

/// The console of a house, and the time that it believes.
pub struct Konsol {
    pub house: House,
    pub store: hjemmel::agreements::Store,
    pub port: u16,
    pub log_on: LogOnNow,
    log: Audit,
    now: Arc<Mutex<Timestamp>>,
}

impl Konsol {
    pub async fn build(links: OneTimeLinks) -> Self {
        Self::of(House::build().await, links).await
    }

    /// That of a house that is there.
    pub async fn of(house: House, links: OneTimeLinks) -> Self {
        let dir = house._dir.path();
        keys::generate(&dir.join("keys")).unwrap();
        let now = Arc::new(Mutex::new(Clock::system().now()));
        let told = now.clone();
        let clock = Clock::from_fn(move || *told.lock().unwrap());
        std::fs::create_dir_all(dir.join("log")).unwrap();
        let key = keys::checkpoint_key(&dir.join("keys/checkpoint.key")).unwrap();
        let patience = std::time::Duration::from_secs(60);
        let settings = AuditSettings { patience, ..AuditSettings::in_dir(dir.join("log")) };
        let log = Audit::start(settings, key, Clock::system(), |_| {}).unwrap();
        let sealer = keys::sealer(&dir.join("keys/pseudonym.key"), &dir.join("keys/auditors.pub")).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bound = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let log_on = LogOnNow::default();
        let began = Clock::system().now() - SignedDuration::from_mins(1);
        let served = Served::new(console::Settings {
            store: house.store.clone(),
            clock,
            metrics: metrics.clone(),
            audit: dir.join("log"),
            log: log.clone(),
            sealer: Arc::new(sealer),
            known: Arc::new(Node),
            environment: "exttest".to_owned(),
            contact: Some("drift@example.dk".to_owned()),
            origin: Origin::loopback(bound),
            sessions: Limits { idle: IDLE, lifetime: LIFETIME },
            one_time_links: links,
            log_on: log_on.clone(),
            replay: Arc::new(ReplayMemory::Node(NodeMemory::new(1_000, Duration::from_secs(720), began))),
            assets: Assets::default(),
            rules: Arc::default(),
            notices: Arc::default(),
            own: vec!["192.0.2.9:9464".parse().unwrap()],
            decided: Arc::new(Notify::new()),
        });
        let shown = Shown::new(pki().credentials(Of::GatewayServer).unwrap(), &Clock::system()).unwrap();
        tokio::spawn(serve(
            listener,
            Transport::Tls(Arc::new(ServerTls::new(Prepared::without_clients(shown).unwrap()))),
            EdgeLimits::default(),
            Work::unbounded(),
            Refusals::answering("console", metrics, |headers| console::overloaded(headers).map(boxed)),
            Readiness::new(),
            move |peer| served.service(peer.address()),
            std::future::pending(),
        ));
        Self { store: house.store.clone(), port: bound.port(), house, log_on, log, now }
    }

    pub fn passes(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        *now += SignedDuration::try_from(time).unwrap();
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let own = format!("localhost:{}", self.port);
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", &own);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let stream = wire::tls(pki().root(), self.port, None, Http::One).await;
        let request = request.header("content-length", body.len()).body(Sent::whole(body.as_bytes().to_vec())).unwrap();
        wire::send(stream, Http::One, request).await.unwrap()
    }

    pub async fn get(&self, cookie: &str, path: &str) -> Answer {
        self.send("GET", path, &[("cookie", cookie)], "").await
    }

    pub async fn post(&self, cookie: &str, path: &str, body: &str) -> Answer {
        let origin = format!("https://localhost:{}", self.port);
        let form = ("content-type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[("cookie", cookie), ("origin", &origin), form], body).await
    }

    /// Somebody who is logged on: the cookie.
    pub async fn log_on(&self, who: &Who) -> String {
        self.log_on_as(who.id).await
    }

    /// The same by the id of a user who has no key.
    pub async fn log_on_as(&self, user: Uuid) -> String {
        let proven = Proven { user, means: Means::Saml, roles: None, at_provider: None, until: None };
        let limits = Limits { idle: IDLE, lifetime: LIFETIME };
        let now = *self.now.lock().unwrap();
        let (secret, _) = self.store.open_session(&proven, limits, now).await.unwrap();
        format!("{COOKIE}={}", secret.reveal())
    }
}

/// What a page's forms bring back.
pub fn token(page: &Answer) -> String {
    let text = page.text();
    let (_, after) = text.split_once("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("no form: {text}"));
    after.split('"').next().unwrap().to_owned()
}

/// The cookie that an answer sets.
pub fn set_cookie(answer: &Answer) -> String {
    let all = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
    all.into_iter().find(|value| value.starts_with(COOKIE)).unwrap_or_else(|| panic!("no cookie: {:?}", answer.headers))
}

pub fn is_page(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.text().contains(says), "{says}: {}", answer.text());
}

#[tokio::test]
async fn an_operator_logs_on_once_by_a_link_and_is_gone_after_logging_off() {
    let konsol = Konsol::build(OneTimeLinks::Operators).await;
    let now = Clock::system().now();
    let secret = konsol.store.make_link(konsol.house.operator.id, false, LINK_HOLDS, now).await.unwrap();
    let path = format!("/link/{}", secret.reveal());
    // A mail program that looks at the link uses nothing up.
    is_page(&konsol.get("", &path).await, 200, "Log på");
    let answer = konsol.post("", &path, "").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    let cookie = set_cookie(&answer);
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Max-Age"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = konsol.get(&cookie, "/").await;
    is_page(&page, 200, "O. Drift");
    is_page(&konsol.post("", &path, "").await, 403, "ConsoleLinkInvalid");
    // The store has the digest alone.
    let kept = konsol.store.database().all(hjemmel::store::sql("SELECT secret FROM console_session")).await.unwrap();
    assert!(!cookie.contains(&kept[0].get::<String>("secret").unwrap()));
    let left = konsol.post(&cookie, "/log-off", &format!("form_token={}", token(&page))).await;
    assert_eq!((left.status, left.header("location")), (303, "/log-on?left=1"));
    assert!(set_cookie(&left).contains("Max-Age=0"));
    let after = konsol.get(&cookie, "/").await;
    assert_eq!((after.status, after.header("location")), (303, "/log-on?next=%2F"));
}

#[tokio::test]
async fn a_link_leads_to_the_page_that_the_browser_was_led_to_log_on_from_once() {
    let konsol = Konsol::build(OneTimeLinks::Operators).await;
    let link = async || {
        let made = konsol.store.make_link(konsol.house.operator.id, false, LINK_HOLDS, Clock::system().now()).await.unwrap();
        format!("/link/{}", made.reveal())
    };
    let wanted = format!("/agreements?authority={OWN}&service={}&state=ANMODET", crate::house::SERVICE);
    let led = konsol.get("", &wanted).await;
    assert_eq!((led.status, led.header("location")), (303, "/log-on?back=1"));
    let cookie = set_cookie(&led);
    for attribute in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=None", "; Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let browser = cookie.split(';').next().unwrap().to_owned();
    is_page(&konsol.get(&browser, "/log-on?back=1").await, 200, "Log på");
    let answer = konsol.post(&browser, &link().await, "").await;
    assert_eq!((answer.status, answer.header("location")), (303, wanted.as_str()));
    let all: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(all.iter().any(|cookie| cookie.starts_with("__Host-hjemmel-next=;") && cookie.contains("Max-Age=0")), "{all:?}");
    // Whoever comes to log on by themselves goes to the front page, as does a browser with what is no page of ours.
    let alone = konsol.get(&browser, "/log-on").await;
    assert!(set_cookie(&alone).starts_with("__Host-hjemmel-next=;"));
    for elsewhere in ["aHR0cHM6Ly9ldmlsLmV4YW1wbGU", "Ly9ldmlsLmV4YW1wbGU", "L2xvZy1vbg", "*"] {
        let answer = konsol.post(&format!("__Host-hjemmel-next={elsewhere}"), &link().await, "").await;
        assert_eq!((answer.status, answer.header("location")), (303, "/"), "{elsewhere}");
    }
}

#[tokio::test]
async fn a_link_is_for_operators_within_ten_minutes_and_never_where_links_are_off() {
    let konsol = Konsol::build(OneTimeLinks::Operators).await;
    let now = Clock::system().now();
    assert!(konsol.store.make_link(konsol.house.signatory.id, false, LINK_HOLDS, now).await.is_err(), "no operator");
    // One that somebody made by other means is refused where it is used.
    let of_signatory = konsol.store.make_link(konsol.house.signatory.id, true, LINK_HOLDS, now).await.unwrap();
    is_page(&konsol.post("", &format!("/link/{}", of_signatory.reveal()), "").await, 403, "ConsoleLinkInvalid");
    let late = konsol.store.make_link(konsol.house.operator.id, false, LINK_HOLDS, now).await.unwrap();
    konsol.passes(Duration::from_secs(601));
    is_page(&konsol.post("", &format!("/link/{}", late.reveal()), "").await, 403, "ConsoleLinkInvalid");
    for made_up in ["/link/x", "/link/..%2f", &format!("/link/{}", "0".repeat(43))] {
        assert_eq!(konsol.post("", made_up, "").await.status, 403, "{made_up}");
    }
    let off = Konsol::build(OneTimeLinks::Off).await;
    let link = off.store.make_link(off.house.operator.id, false, LINK_HOLDS, now).await.unwrap();
    is_page(&off.post("", &format!("/link/{}", link.reveal()), "").await, 403, "ConsoleLinkInvalid");
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_when_it_is_old_and_with_its_user() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let cookie = konsol.log_on(&konsol.house.operator).await;
    for _ in 0..20 {
        konsol.passes(IDLE - Duration::from_secs(60));
        let answer = konsol.get(&cookie, "/").await;
        if answer.status != 200 {
            assert_eq!(answer.header("location"), "/log-on?next=%2F");
            let began = Clock::system().now();
            let lasted = konsol.now.lock().unwrap().duration_since(began);
            assert!(lasted.unsigned_abs() >= LIFETIME - Duration::from_secs(60), "{lasted}");
            let idle = konsol.log_on(&konsol.house.operator).await;
            assert_eq!(konsol.get(&idle, "/").await.status, 200);
            konsol.passes(IDLE + Duration::from_secs(1));
            assert_eq!(konsol.get(&idle, "/").await.status, 303);
            let ended = konsol.log_on(&konsol.house.signatory).await;
            assert_eq!(konsol.get(&ended, "/").await.status, 200);
            let at = *konsol.now.lock().unwrap();
            let mut change = konsol.store.change().await.unwrap();
            change.end_user(konsol.house.signatory.id, at).await.unwrap();
            change.commit().await.unwrap();
            assert_eq!(konsol.get(&ended, "/").await.status, 303);
            return;
        }
    }
    panic!("a session that is used goes on for ever");
}

#[tokio::test]
async fn an_identity_provider_ends_the_sessions_that_it_names_and_gives_no_role_that_the_user_has_not() {
    use hjemmel::users::rights::Role;
    use hjemmel::users::sessions::AtProvider;
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let limits = Limits { idle: IDLE, lifetime: LIFETIME };
    let now = Clock::system().now();
    let known = |session: Option<&str>| AtProvider { subject: "idp U".to_owned(), session: session.map(str::to_owned) };
    let open = async |session: Option<&str>| {
        let (user, means) = (konsol.house.operator.id, Means::Saml);
        let proven = Proven { user, means, roles: None, at_provider: Some(known(session)), until: None };
        let (secret, _) = konsol.store.open_session(&proven, limits, now).await.unwrap();
        format!("{COOKIE}={}", secret.reveal())
    };
    let (one, other) = (open(Some("1")).await, open(Some("2")).await);
    assert_eq!(konsol.store.end_sessions_of(&known(Some("1")), now).await.unwrap(), 1);
    assert_eq!((konsol.get(&one, "/").await.status, konsol.get(&other, "/").await.status), (303, 200));
    assert_eq!(konsol.store.end_sessions_of(&known(None), now).await.unwrap(), 1);
    assert_eq!(konsol.get(&other, "/").await.status, 303);
    let roles = Some(vec![Role::Operator]);
    let proven = Proven { user: konsol.house.signatory.id, means: Means::Saml, roles, at_provider: None, until: None };
    assert!(konsol.store.open_session(&proven, limits, now).await.is_err());
}

#[tokio::test]
async fn a_forged_host_and_a_form_from_elsewhere_are_refused() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let cookie = konsol.log_on(&konsol.house.operator).await;
    let port = konsol.port;
    for forged in ["evil.example", "localhost", "localhost:1", "localhost.evil.example", "127.0.0.1"] {
        let answer = konsol.send("GET", "/", &[("host", forged), ("cookie", &cookie)], "").await;
        is_page(&answer, 421, "ConsoleHost");
        assert!(!answer.text().contains("O. Drift"), "{forged}");
    }
    assert_eq!(konsol.send("GET", "/", &[("host", &format!("127.0.0.1:{port}")), ("cookie", &cookie)], "").await.status, 200);
    let own = token(&konsol.get(&cookie, "/").await);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("form_token={own}");
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = konsol.send("POST", "/log-off", &[("cookie", &cookie), form, (name, value)], &body).await;
        is_page(&answer, 403, "ConsoleOrigin");
    }
    is_page(&konsol.post(&cookie, "/log-off", "").await, 409, "ConsoleFormStale");
    is_page(&konsol.post(&cookie, "/log-off", "form_token=0").await, 409, "ConsoleFormStale");
    let another = token(&konsol.get(&konsol.log_on(&konsol.house.owner).await, "/").await);
    is_page(&konsol.post(&cookie, "/log-off", &format!("form_token={another}")).await, 409, "ConsoleFormStale");
    assert_eq!(konsol.get(&cookie, "/").await.status, 200, "nothing was done");
}

#[tokio::test]
async fn what_somebody_had_written_when_the_session_ended_is_on_the_page_and_a_persons_number_is_not() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let before = konsol.log_on(&konsol.house.operator).await;
    let old = token(&konsol.get(&before, "/").await);
    let body = &format!("form_token={old}&reason=Sag+7+%3Cb%3E+og+mere&cpr=610101-0000");
    let lost = konsol.post("", "/auditor", body).await;
    is_page(&lost, 401, "ConsoleSessionOver");
    assert!(lost.text().contains("Sag 7 &#60;b&#62; og mere"), "{}", lost.text());
    assert!(!lost.text().contains("610101"), "{}", lost.text());
    // Whoever has logged on meanwhile in another tab looks at it once more, and sends it.
    let cookie = konsol.log_on(&konsol.house.operator).await;
    let stale = konsol.post(&cookie, "/auditor", body).await;
    is_page(&stale, 409, "ConsoleFormStale");
    assert!(stale.text().contains("name=\"cpr\""), "the number is asked for again, or it could only be refused again");
    assert_eq!(token(&stale), token(&konsol.get(&cookie, "/").await));
    // So does what the page without a session sends.
    let again = konsol.post(&cookie, "/auditor", &format!("form_token={}&reason=Sag+7", token(&lost))).await;
    is_page(&again, 409, "value=\"Sag 7\"");
    // Somebody else does not see it, and has nothing to press.
    let other = konsol.log_on(&konsol.house.signatory).await;
    for unknown in ["old", old.as_str()] {
        let stale = konsol.post(&other, "/auditor", &format!("form_token={unknown}&reason=Sag+7")).await;
        is_page(&stale, 409, "ikke skrevet i dit navn");
        assert!(!stale.text().contains("Sag 7") && !stale.text().contains("Send igen"), "{}", stale.text());
    }
}

#[tokio::test]
async fn a_link_from_elsewhere_says_of_no_page_that_something_was_done_and_puts_no_words_into_its_form() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let asked = konsol.house.requested(&konsol.house.supplier, OWN).await;
    let (id, shown) = (crate::house::text(&asked, "id").to_owned(), crate::house::text(&asked, "text_sha256"));
    let path = format!("/agreements/{id}");
    let (cookie, another) = (konsol.log_on(&konsol.house.signatory).await, konsol.log_on(&konsol.house.signatory).await);
    let said = "Beslutningen er gemt";
    let from_elsewhere = konsol.get(&cookie, &format!("{path}?done=1&reason=Det+er+aftalt&note=done")).await;
    is_page(&from_elsewhere, 200, "Godkend aftalen");
    assert!(!from_elsewhere.text().contains(said) && !from_elsewhere.text().contains("Det er aftalt"));
    // What was written when the session ended comes back in the browser in which it was written, and in no other.
    let lost = konsol.post("", &format!("{path}/decide"), "form_token=old&decision=reject&reason=Sag+9").await;
    is_page(&lost, 401, "ConsoleSessionOver");
    let kept = lost.header("set-cookie").split(';').next().unwrap().to_owned();
    let again = format!("{path}?kept={}&reason=Sag+9", hidden(&lost, "kept"));
    assert!(konsol.get(&format!("{cookie}; {kept}"), &again).await.text().contains("value=\"Sag 9\""));
    assert!(!konsol.get(&cookie, &again).await.text().contains("Sag 9"));
    // The page after a decision says so to the session that made it.
    let token = token(&from_elsewhere);
    let body = format!("form_token={token}&decision=approve&shown={shown}&read=1&reason=sag+7");
    let done = konsol.post(&cookie, &format!("{path}/decide"), &body).await;
    assert_eq!(done.status, 303, "{}", done.text());
    is_page(&konsol.get(&cookie, done.header("location")).await, 200, said);
    let (_, mark) = done.header("location").split_once('?').unwrap();
    for (who, place) in [(&another, done.header("location").to_owned()), (&cookie, format!("/persons?{mark}"))] {
        assert!(!konsol.get(who, &place).await.text().contains("er gemt"), "{place}");
    }
    let left = konsol.get(&cookie, "/log-on?left=1").await;
    assert!(!left.text().contains("Du er logget af"), "{}", left.text());
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_it_may_do_and_each_refusal_says_what_to_do() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let cookie = konsol.log_on(&konsol.house.operator).await;
    let answers = [
        konsol.get(&cookie, "/").await,
        konsol.get("", "/").await,
        konsol.get("", "/own.css").await,
        konsol.get(&cookie, "/nowhere").await,
        konsol.get("", "/dkfds/../../etc/passwd").await,
        konsol.send("GET", "/", &[("host", "evil.example")], "").await,
    ];
    for answer in &answers {
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert!(answer.headers.get("server").is_none() && answer.headers.get("strict-transport-security").is_none());
    }
    assert_eq!(answers[0].header("cache-control"), "no-store");
    is_page(&answers[3], 404, "Der er ingen side på denne adresse.");
    is_page(&answers[4], 404, "ConsolePageUnknown");
    is_page(&konsol.post(&cookie, "/", "").await, 405, "Siden kan ikke bruges på denne måde.");
    let large = format!("form_token=x&reason={}", "a".repeat(300_000));
    is_page(&konsol.post(&cookie, "/auditor", &large).await, 413, "262144");
    let origin = format!("https://localhost:{}", konsol.port);
    let json = [("cookie", cookie.as_str()), ("origin", origin.as_str()), ("content-type", "application/json")];
    is_page(&konsol.send("POST", "/auditor", &json, "{}").await, 400, "ConsoleFormUnreadable");
    is_page(&konsol.get(&cookie, "/auditor").await, 403, "ApiNotAllowed");
}

#[tokio::test]
async fn a_page_is_in_the_language_that_was_chosen_and_leads_back_after_log_on() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let cookie = konsol.log_on(&konsol.house.operator).await;
    is_page(&konsol.get(&cookie, "/").await, 200, "<html lang=\"da\">");
    let chosen = konsol.get(&cookie, "/?lang=en").await;
    is_page(&chosen, 200, "<html lang=\"en\">");
    let kept = chosen.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    is_page(&konsol.get(&format!("{cookie}; {kept}"), "/").await, 200, "<html lang=\"en\">");
    for (wanted, next) in [
        ("/calls?a=b", "/calls?a=b"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/log-off", "/"),
    ] {
        assert_eq!(console::session::next_page(wanted), next, "{wanted}");
    }
}

#[tokio::test]
async fn two_approvals_at_once_decide_once_on_the_text_that_was_shown_and_name_the_session() {
    use hjemmel::audit::Subject;
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let asked = konsol.house.requested(&konsol.house.supplier, OWN).await;
    let (id, shown) = (crate::house::text(&asked, "id").to_owned(), crate::house::text(&asked, "text_sha256"));
    let path = format!("/agreements/{id}");
    let cookie = konsol.log_on(&konsol.house.signatory).await;
    let page = konsol.get(&cookie, &path).await;
    is_page(&page, 200, "Godkend aftalen");
    assert!(page.text().contains(shown), "the digest of what is shown");
    let other = konsol.log_on(&konsol.house.other_signatory).await;
    assert_eq!(konsol.get(&other, &path).await.status, 404, "another authority's");
    let token = token(&page);
    let decide = async |rest: &str| {
        konsol.post(&cookie, &format!("{path}/decide"), &format!("form_token={token}&decision=approve&{rest}")).await
    };
    is_page(&decide(&format!("shown={shown}&reason=sag+7")).await, 422, "Jeg har læst teksten");
    let by_another_name = format!("form_token={token}&decision=resume&shown={shown}&reason=sag+7");
    is_page(&konsol.post(&cookie, &format!("{path}/decide"), &by_another_name).await, 422, "Jeg har læst teksten");
    is_page(&decide(&format!("shown={shown}&read=1")).await, 422, "Begrundelse");
    is_page(&decide("shown=0&read=1&reason=sag+7").await, 409, "Aftalen er ændret, siden du så den");
    let good = format!("shown={shown}&read=1&reason=sag+7");
    let (one, two) = tokio::join!(decide(&good), decide(&good));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    let made = konsol.store.made_on(Subject::Agreement, id.parse().unwrap()).await.unwrap();
    let approvals: Vec<_> = made.iter().filter(|made| made.what.to == "GODKENDT").collect();
    let [approval] = approvals.as_slice() else { panic!("{made:?}") };
    assert_eq!((approval.user, approval.certificate), (Some(konsol.house.signatory.id), None));
    assert!(approval.session.is_some() && approval.what.shown.as_deref() == Some(shown), "{approval:?}");
}

#[tokio::test]
async fn an_auditors_question_is_on_record_before_it_is_answered_and_of_the_own_authority_alone() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let auditor = crate::house::user_of(
        &konsol.store,
        "R. Revisor",
        hjemmel::users::Kind::Person,
        hjemmel::users::rights::Role::Auditor,
        Some(OWN),
    )
    .await;
    let cookie = konsol.log_on(&auditor).await;
    let page = konsol.get(&cookie, "/auditor").await;
    is_page(&page, 200, "Hvem har slået en person op?");
    let token = token(&page);
    let ask = async |cpr: &str, reason: &str| {
        konsol.post(&cookie, "/auditor", &format!("form_token={token}&cpr={cpr}&reason={reason}")).await
    };
    is_page(&ask("61010", "sag").await, 422, "det er ikke ti cifre");
    is_page(&ask("610101-0000", "").await, 422, "det skal udfyldes");
    is_page(&ask("610101-0000", "610101-0000").await, 422, "personnummer");
    let questions = || hjemmel::audit::question::questions(&konsol.house._dir.path().join("log")).unwrap();
    assert!(questions().is_empty());
    let answer = ask("610101-0000", "sag+7").await;
    is_page(&answer, 200, "Spørgsmålet er skrevet i revisionsloggen");
    assert!(!answer.text().contains("610101"));
    let [asked] = questions().try_into().unwrap();
    assert_eq!((asked.by.as_str(), asked.reason.as_str(), asked.user), ("R. Revisor", "sag 7", Some(auditor.id)));
    assert_ne!(asked.question, Uuid::nil());
}

#[tokio::test]
async fn a_user_of_some_services_sees_the_calls_of_those_alone() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let mut calls = Vec::new();
    for service in ["prøve", "anden"] {
        let mut record = Record::new(Uuid::now_v7(), Clock::system().now(), service);
        (record.authority, record.front_agreement) = (Some(OWN.parse().unwrap()), Some(Uuid::from_u128(1)));
        calls.push(record.call);
        konsol.log.open(record).unwrap().refused(&hjemmel::refusal::Refusal::PersonNotForTest);
    }
    let all = konsol.log_on(&konsol.house.signatory).await;
    loop {
        let page = konsol.get(&all, "/calls").await.text();
        if calls.iter().all(|call| page.contains(&call.to_string())) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    use hjemmel::users::{Kind, rights::Role};
    let own = vec![crate::house::SERVICE.parse().unwrap()];
    for (role, party) in [(Role::Signatory, Some(OWN)), (Role::Operator, None)] {
        let limited = crate::house::user_for(&konsol.store, (role.name(), Kind::Person), role, party, own.clone()).await;
        let cookie = konsol.log_on(&limited).await;
        for path in ["/calls", "/calls?service=anden", "/errors"] {
            let page = konsol.get(&cookie, path).await;
            is_page(&page, 200, "<h1>");
            assert!(!page.text().contains("anden ·") && !page.text().contains(&calls[1].to_string()), "{role} {path}");
            assert!(!page.text().contains(">anden<"), "{role} {path}: {}", page.text());
        }
        is_page(&konsol.get(&cookie, &format!("/calls/{}", calls[0])).await, 200, "prøve");
        is_page(&konsol.get(&cookie, &format!("/calls/{}", calls[1])).await, 404, "ApiNotFound");
        // What is of all services together is for those who see all.
        for path in ["/persons", "/files"] {
            is_page(&konsol.get(&cookie, path).await, 403, "ApiNotAllowed");
        }
    }
}

/// What a page's request form sends, with these fields over those of a request that is in order.
fn request_form(token: &str, id: &str, etag: &str, fields: &[(&str, &str)]) -> String {
    let service = format!("{}:front", crate::house::SERVICE);
    let thumbprint = crate::house::thumbprint(crate::house::SYSTEM);
    let mut all = vec![
        ("form_token", token),
        ("id", id),
        ("etag", etag),
        ("kind", "without-passing-on"),
        ("name", "Sygedagpenge på tværs"),
        ("justification", "Sagsbehandlere slår ydelser op"),
        ("environment", "exttest"),
        ("system", "00000000-0000-4000-8000-0000000000aa"),
        ("certificates", thumbprint.as_str()),
        ("authorities", "11111111\r\n99999981"),
        ("service", &service),
        ("contract", "DBA-2026-17"),
        ("purpose", "sagsbehandling"),
        ("legal_basis", "LUD § 8, stk. 1"),
        ("categories", "ydelser"),
        ("retention", "slettes efter 5 år"),
    ];
    all.retain(|(name, _)| !fields.iter().any(|(other, _)| other == name));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(all).extend_pairs(fields).finish()
}

/// The value of a page's hidden field.
pub fn hidden(page: &Answer, name: &str) -> String {
    let text = page.text();
    let (_, after) = text.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {text}"));
    after.split('"').next().unwrap().replace("&#34;", "\"")
}

#[tokio::test]
async fn a_request_is_drafted_in_a_form_and_sent_once_however_often_it_is_pressed() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let supplier = konsol.log_on(&konsol.house.supplier).await;
    let empty = konsol.get(&supplier, "/requests/new").await;
    is_page(&empty, 200, "Databehandleraftalens reference");
    let (own, id) = (token(&empty), hidden(&empty, "id"));
    let unfinished = request_form(&own, &id, "", &[("authorities", ""), ("contract", "")]);
    for _ in 0..2 {
        let kept = konsol.post(&supplier, "/requests", &unfinished).await;
        assert_eq!(kept.status, 303, "{}", kept.text());
    }
    let wanted = hjemmel::agreements::request::store::Wanted { limit: 9, ..Default::default() };
    assert_eq!(konsol.store.requests(&wanted).await.unwrap().len(), 1, "pressed twice, it is one draft");
    let path = format!("/requests/{id}");
    let draft = konsol.get(&supplier, &path).await;
    is_page(&draft, 200, "KLADDE");
    let first = hidden(&draft, "etag");
    let decide = |etag: &str, decision: &str| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let fields = [("form_token", own.as_str()), ("etag", etag), ("decision", decision), ("reason", "sag 7")];
        query.extend_pairs(fields).finish()
    };
    let sent = konsol.post(&supplier, &format!("{path}/decide"), &decide(&first, "submit")).await;
    is_page(&sent, 409, "contract: det mangler");
    assert_eq!(konsol.post(&supplier, &path, &request_form(&own, &id, &first, &[])).await.status, 303);
    // A second tab has the form of before: what was written there stays in the field, and nothing is kept of it.
    let stale = konsol.post(&supplier, &path, &request_form(&own, &id, &first, &[("name", "Fra den anden fane")])).await;
    is_page(&stale, 409, "Fra den anden fane");
    let wrong = konsol.post(&supplier, &path, &request_form(&own, &id, &hidden(&stale, "etag"), &[("authorities", "12")])).await;
    is_page(&wrong, 409, "det er ikke otte cifre");
    let whole = konsol.get(&supplier, &path).await;
    is_page(&whole, 200, "databehandleraftale: DBA-2026-17");
    let etag = hidden(&whole, "etag");
    let sent = konsol.post(&supplier, &format!("{path}/decide"), &decide(&etag, "submit")).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    is_page(&konsol.post(&supplier, &format!("{path}/decide"), &decide(&etag, "submit")).await, 409, "ændret, siden du så den");
    let lines = konsol.store.lines(id.parse().unwrap()).await.unwrap();
    assert_eq!(lines.len(), 2, "sent twice, each authority is asked once");
    // The authority sees its own line alone, and in English too.
    let signatory = konsol.log_on(&konsol.house.signatory).await;
    let seen = konsol.get(&signatory, &format!("{path}?lang=en")).await;
    is_page(&seen, 200, "The text as it is kept");
    assert!(seen.text().contains(&lines[0].id.to_string()) && !seen.text().contains(&lines[1].id.to_string()));
    is_page(&konsol.get(&signatory, &format!("/agreements/{}", lines[0].id)).await, 200, "Sygedagpenge på tværs");
    let reminded = konsol.post(&supplier, &format!("/agreements/{}/remind", lines[0].id), &format!("form_token={own}")).await;
    assert_eq!(reminded.status, 303, "{}", reminded.text());
    is_page(&konsol.get(&supplier, "/requests").await, 200, "Sygedagpenge på tværs");
}

#[tokio::test]
async fn a_system_is_registered_once_and_its_certificates_stand_in_its_calendar() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let supplier = konsol.log_on(&konsol.house.supplier).await;
    let list = konsol.get(&supplier, "/systems").await;
    is_page(&list, 200, "Systemer og certifikater");
    let (own, id) = (token(&list), hidden(&list, "id"));
    let form = |fields: &[(&str, &str)]| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("form_token", &own).append_pair("reason", "sag 7").extend_pairs(fields).finish()
    };
    let registered = form(&[("id", &id), ("name", "Fagsystem A"), ("contact", "drift@leverandor.example")]);
    for _ in 0..2 {
        assert_eq!(konsol.post(&supplier, "/systems", &registered).await.status, 303);
    }
    let path = format!("/systems/{id}");
    let page = konsol.get(&supplier, &path).await;
    is_page(&page, 200, "Fagsystem A");
    let pem = hjemmel::stub::pki::pem("CERTIFICATE", konsol.house.supplier.credentials.leaf());
    let proof = hjemmel::decisions::system::prove(&konsol.house.supplier.credentials, id.parse().unwrap()).unwrap();
    let with = |pem: &str, proof: &str| {
        form(&[("etag", &hidden(&page, "etag")), ("what", "add"), ("certificate", pem), ("proof", proof)])
    };
    let add = |pem: &str| with(pem, &proof);
    is_page(&konsol.post(&supplier, &format!("{path}/change"), &with(&pem, "")).await, 409, "nøgle har ikke underskrevet");
    is_page(&konsol.post(&supplier, &format!("{path}/change"), &add("intet")).await, 409, "PEM");
    assert_eq!(konsol.post(&supplier, &format!("{path}/change"), &add(&pem)).await.status, 303);
    is_page(&konsol.post(&supplier, &format!("{path}/change"), &add(&pem)).await, 409, "ændret, siden du så det");
    is_page(&konsol.get(&supplier, &path).await, 200, "I brug");
    let signatory = konsol.log_on(&konsol.house.signatory).await;
    is_page(&konsol.get(&signatory, &path).await, 404, "ApiNotFound");
}

#[tokio::test]
async fn a_connection_is_drawn_and_a_task_of_ones_own_is_stated_by_a_form_once() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let operator = konsol.log_on(&konsol.house.operator).await;
    is_page(&konsol.get(&operator, "/connections").await, 200, "Der er ingen forbindelser at vise.");
    let body = serde_json::json!({
        "graph": "terminaladgang", "service": crate::house::SERVICE, "environment": "exttest", "authority": OWN,
        "client": "00000000-0000-4000-8000-0000000000aa", "reason": "sag 7"
    });
    let added = konsol.house.ask(&konsol.house.operator, "POST", "/api/v1/connections", &[], Some(&body)).await;
    let path = format!("/connections/{}", crate::house::value(&added)["id"].as_str().unwrap());
    is_page(&konsol.get(&operator, "/connections").await, 200, "Korsbæk Kommune (11111111)");
    let stranger = konsol.log_on(&konsol.house.other_signatory).await;
    is_page(&konsol.get(&stranger, &path).await, 404, "Der er ingen forbindelse med dette id");
    let signatory = konsol.log_on(&konsol.house.signatory).await;
    assert!(!konsol.get(&signatory, &path).await.text().contains("/state"), "it is another role's");

    let owner = konsol.log_on(&konsol.house.owner).await;
    let page = konsol.get(&owner, &path).await;
    is_page(&page, 200, "<svg ");
    let shown = page.text();
    assert!(shown.contains("TA-INSTRUCTION") && shown.contains("klar for systemejer hos Korsbæk Kommune"), "{shown}");
    let form = format!("form_token={}&task=TA-INSTRUCTION&party={OWN}&reference=aftale+12&reason=sag+7", token(&page));
    let stated = konsol.post(&owner, &format!("{path}/state"), &form).await;
    assert_eq!(stated.status, 303, "{}", stated.text());
    is_page(&konsol.get(&owner, stated.header("location")).await, 200, "oplyst udført af E. Ejer, aftale 12");
    // The back button and the button once more.
    is_page(&konsol.post(&owner, &format!("{path}/state"), &form).await, 409, "TA-INSTRUCTION er udført.");
    is_page(&konsol.get(&owner, &format!("{path}?lang=en")).await, 200, "stated by E. Ejer, aftale 12");
}

#[tokio::test]
async fn what_is_written_in_a_connections_form_that_is_refused_stands_there_to_be_corrected() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let operator = konsol.log_on(&konsol.house.operator).await;
    let body = serde_json::json!({
        "graph": "terminaladgang", "service": crate::house::SERVICE, "environment": "exttest", "authority": OWN,
        "client": "00000000-0000-4000-8000-0000000000aa", "reason": "sag 7"
    });
    let added = konsol.house.ask(&konsol.house.operator, "POST", "/api/v1/connections", &[], Some(&body)).await;
    let path = format!("/connections/{}", crate::house::value(&added)["id"].as_str().unwrap());
    let own = token(&konsol.get(&operator, &path).await);
    let assigned = async |wave: &str, lang: &str| {
        let form = format!(
            "form_token={own}&task=TA-INSTRUCTION+{OWN}&person={}&due=2027-01-04&wave={wave}&reason=Sag17",
            konsol.house.owner.id
        );
        konsol.post(&operator, &format!("{path}/assign{lang}"), &form).await
    };
    // What is no number is a page with every field that was written, by the names that the pages have.
    for (lang, called) in [("", "Bølge (1 til 999)"), ("?lang=en", "Wave (1 to 999)")] {
        let wrong = assigned("anden", lang).await;
        assert!(wrong.status >= 400, "{}", wrong.text());
        let page = wrong.text();
        for shown in [called, "name=\"wave\" value=\"anden\"", "name=\"reason\" value=\"Sag17\""] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert!(!page.contains("type=\"hidden\" name=\"wave\""), "{page}");
        assert!(page.contains(&format!("type=\"hidden\" name=\"task\" value=\"TA-INSTRUCTION {OWN}\"")), "{page}");
    }
    // A wave that there is not is said on the connection's own page, in the form as it was written.
    let refused = assigned("0", "").await;
    is_page(&refused, 409, "en bølge er 1 til 999");
    let page = refused.text();
    for shown in [
        format!("value=\"TA-INSTRUCTION {OWN}\" selected"),
        format!("value=\"{}\" selected", konsol.house.owner.id),
        "type=\"date\" value=\"2027-01-04\"".to_owned(),
        "name=\"wave\" value=\"0\"".to_owned(),
        "id=\"assign-reason\" name=\"reason\" value=\"Sag17\"".to_owned(),
    ] {
        assert!(page.contains(&shown), "{shown}: {page}");
    }
    assert!(!page.contains("id=\"end-reason\" name=\"reason\" value=\"Sag17\""), "in its own form alone");
    // Where the form is gone, what was written is on the page nevertheless.
    let form = format!("form_token={own}&task=TA-INSTRUCTION&party={OWN}&reason=Sag18");
    let not_stated = konsol.post(&operator, &format!("{path}/withdraw"), &form).await;
    is_page(&not_stated, 409, "<q>Sag18</q>");
    for nth in 0..2 {
        let ended = konsol.post(&operator, &format!("{path}/end"), &format!("form_token={own}&reason=Sag19")).await;
        match nth {
            0 => assert_eq!(ended.status, 303, "{}", ended.text()),
            _ => is_page(&ended, 409, "<q>Sag19</q>"),
        }
    }
}
