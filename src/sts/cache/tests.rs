//! The cache against an issuer that counts, waits and fails as told. Time stands in a cell that the test moves.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::signature::names::SAML;

const KORSBAEK: &str = "11111111";
const INDEX: &str = "urn:test:index";

struct Fake {
    calls: Arc<AtomicUsize>,
    now: Arc<AtomicI64>,
    life: SignedDuration,
    refusal: Arc<Mutex<Option<Refusal>>>,
    open: Arc<watch::Sender<bool>>,
}

impl Source for Fake {
    async fn issue(&self, authority: &str, service: &str) -> Result<Token, Refusal> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        let from = Timestamp::from_second(self.now.load(Ordering::SeqCst)).unwrap();
        let xml = format!("<Assertion xmlns=\"{SAML}\" ID=\"_1\"></Assertion>");
        Ok(Token {
            assertion: crate::signature::sign::Token::from_bytes(xml.as_bytes()).unwrap(),
            authority: authority.to_owned(),
            service: service.to_owned(),
            fetched: from,
            not_on_or_after: from + self.life,
        })
    }
}

struct Scene {
    cache: TokenCache<Fake>,
    calls: Arc<AtomicUsize>,
    now: Arc<AtomicI64>,
    refusal: Arc<Mutex<Option<Refusal>>>,
    /// Whether the issuer answers; else it lets everybody wait.
    open: Arc<watch::Sender<bool>>,
}

impl Scene {
    /// Tokens live eight hours: renewed from 7:12:00 on, used until 7:59:30.
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(1_795_000_000));
        let (calls, refusal) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let open = Arc::new(watch::Sender::new(true));
        let fake = Fake {
            calls: Arc::clone(&calls),
            now: Arc::clone(&now),
            life: SignedDuration::from_hours(8),
            refusal: Arc::clone(&refusal),
            open: Arc::clone(&open),
        };
        let clock = Arc::clone(&now);
        let clock = Clock::from_fn(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap());
        Self { cache: TokenCache::new(fake, clock, Arc::default()), calls, now, refusal, open }
    }
    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
    fn fail(&self, refusal: Option<Refusal>) {
        *self.refusal.lock().unwrap() = refusal;
    }
    fn answers(&self, open: bool) {
        self.open.send_replace(open);
    }
}

/// Every other task goes on as far as it can; on the one thread of most tests for certain.
async fn settled() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

fn begin_fifty(cache: &TokenCache<Fake>) -> Vec<JoinHandle<Result<Arc<Token>, Refusal>>> {
    let one = |_| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.token(KORSBAEK, INDEX).await })
    };
    (0..50).map(one).collect()
}

async fn fifty(cache: &TokenCache<Fake>) -> Vec<Result<Arc<Token>, Refusal>> {
    outcomes(begin_fifty(cache)).await
}

/// The same, and the issuer answers once they wait for it.
async fn fifty_together(scene: &Scene) -> Vec<Result<Arc<Token>, Refusal>> {
    let before = scene.calls();
    scene.answers(false);
    let waiting = begin_fifty(&scene.cache);
    while scene.calls() == before {
        tokio::task::yield_now().await;
    }
    settled().await;
    scene.answers(true);
    outcomes(waiting).await
}

async fn outcomes(tasks: Vec<JoinHandle<Result<Arc<Token>, Refusal>>>) -> Vec<Result<Arc<Token>, Refusal>> {
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_callers_at_once_cost_one_request_at_first_and_after_expiry() {
    let scene = Scene::new();
    assert!(fifty_together(&scene).await.iter().all(Result::is_ok));
    assert_eq!(scene.calls(), 1);
    scene.pass(8 * 3600);
    assert!(fifty_together(&scene).await.iter().all(Result::is_ok));
    assert_eq!(scene.calls(), 2, "an expired token is fetched anew, once");
}

#[tokio::test]
async fn a_failed_attempt_is_shared_by_those_who_waited_and_not_remembered() {
    let scene = Scene::new();
    scene.fail(Some(Refusal::StsUnavailable));
    assert!(fifty_together(&scene).await.iter().all(|outcome| outcome.as_ref().unwrap_err() == &Refusal::StsUnavailable));
    assert!(scene.calls() <= 2, "those who arrived together waited for one attempt: {}", scene.calls());
    scene.fail(None);
    assert!(scene.cache.token(KORSBAEK, INDEX).await.is_ok(), "the next call asks again");
}

#[tokio::test]
async fn each_authority_and_service_has_a_token_of_its_own() {
    let scene = Scene::new();
    for (authority, service) in [(KORSBAEK, INDEX), ("99999991", INDEX), (KORSBAEK, "urn:test:other")] {
        let token = scene.cache.token(authority, service).await.unwrap();
        assert_eq!((token.authority(), token.service()), (authority, service));
    }
    assert_eq!(scene.calls(), 3);
}

#[tokio::test]
async fn a_token_is_renewed_in_the_background_while_the_old_one_serves() {
    let scene = Scene::new();
    let first = scene.cache.token(KORSBAEK, INDEX).await.unwrap();
    scene.pass(7 * 3600 + 11 * 60);
    scene.cache.token(KORSBAEK, INDEX).await.unwrap();
    settled().await;
    assert_eq!(scene.calls(), 1, "the last tenth has not begun");

    scene.pass(61);
    scene.answers(false);
    let served =
        timeout(Duration::from_secs(60), scene.cache.token(KORSBAEK, INDEX)).await.expect("nobody waits for the renewal");
    assert!(Arc::ptr_eq(&first, &served.unwrap()));
    timeout(Duration::from_secs(60), fifty(&scene.cache)).await.expect("fifty wait no more");
    scene.answers(true);
    settled().await;
    assert_eq!(scene.calls(), 2, "one renewal, however many calls");
    let renewed = scene.cache.token(KORSBAEK, INDEX).await.unwrap();
    assert!(renewed.not_on_or_after() > first.not_on_or_after());
    assert_eq!(scene.calls(), 2);
}

#[tokio::test]
async fn while_the_sts_is_down_unexpired_tokens_serve_and_then_calls_are_refused() {
    let scene = Scene::new();
    scene.cache.token(KORSBAEK, INDEX).await.unwrap();
    scene.fail(Some(Refusal::StsUnavailable));
    scene.pass(7 * 3600 + 30 * 60);
    for _ in 0..20 {
        assert!(scene.cache.token(KORSBAEK, INDEX).await.is_ok());
    }
    settled().await;
    assert_eq!(scene.calls(), 2, "a service that is down is not asked again at once");
    scene.pass(11);
    assert!(scene.cache.token(KORSBAEK, INDEX).await.is_ok());
    settled().await;
    assert_eq!(scene.calls(), 3, "but after a pause");

    scene.pass(29 * 60 + 30);
    assert_eq!(
        scene.cache.token(KORSBAEK, INDEX).await.unwrap_err(),
        Refusal::StsUnavailable,
        "thirty seconds of travel are kept"
    );
    scene.fail(Some(Refusal::StsRefused { fault: "111".into() }));
    assert_eq!(scene.cache.token(KORSBAEK, INDEX).await.unwrap_err(), Refusal::StsRefused { fault: "111".into() });
    scene.fail(None);
    assert!(scene.cache.token(KORSBAEK, INDEX).await.is_ok(), "and it recovers");
}
