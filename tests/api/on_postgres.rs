//! The same on PostgreSQL: what the API asks of its tables, in that dialect.

use std::time::{Duration, Instant};

use hjemmel::agreements::Store;
use hjemmel::audit::Subject;
use hjemmel::clock::Clock;
use hjemmel::config::EdgeLimits;
use hjemmel::store::Settings;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use crate::house::{BODY, House, OWN, SERVICE, is_problem, request, text, value};
use crate::kept::{Kept, on};
use crate::postgres::Cluster;
use crate::tables;

#[tokio::test]
async fn on_postgres_an_agreement_is_requested_once_found_decided_by_one_of_two_and_waits_for_the_chain() {
    let Some(kept) = Kept::in_postgres() else { return };
    let store = Store::open(&kept.settings).await.unwrap();
    let house = House::on(store, tempfile::tempdir().unwrap()).await;
    let key = [("idempotency-key", "en-gang")];
    let ask = async |body: &serde_json::Value| house.ask(&house.supplier, "POST", "/api/v1/agreements", &key, Some(body)).await;
    let (first, again) = (ask(&request(OWN)).await, ask(&request(OWN)).await);
    assert_eq!((first.status, &first.body), (201, &again.body), "{}", first.text());
    let asked = value(&first);
    let path =
        format!("/api/v1/agreements?authority={OWN}&service={SERVICE}&state=ANMODET&side=front&environment=exttest&limit=1");
    for who in [&house.supplier, &house.signatory, &house.operator] {
        let page = value(&house.get(who, &path).await);
        assert_eq!(page["items"][0]["id"], asked["id"], "{page}");
    }
    assert!(value(&house.get(&house.other_signatory, &path).await)["items"].as_array().unwrap().is_empty());
    let (one, other) =
        tokio::join!(house.decide(&house.signatory, &asked, "approve"), house.decide(&house.signatory, &asked, "reject"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{} {}", one.text(), other.text());

    let root = hjemmel::pem::encode("CERTIFICATE", crate::house::pki().root()).to_string();
    let route = json!({
        "service": SERVICE, "environment": "exttest", "sender": "every", "receiver": OWN, "valid_from": "2026-01-01",
        "system": SERVICE, "address": "https://192.0.2.7/a", "entity_id": "urn:example:a", "roots": root, "reason": "sag 9"
    });
    let added = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&route)).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let routes = value(&house.get(&house.signatory, &format!("/api/v1/routes?service={SERVICE}&limit=1")).await);
    assert_eq!(routes["items"][0]["id"], value(&added)["id"], "{routes}");
    let end = format!("/api/v1/routes/{}/end", text(&value(&added), "id"));
    let body = json!({"on": "2999-01-01", "reason": "slut"});
    let ended = house.ask(&house.operator, "POST", &end, &[("if-match", text(&value(&added), "etag"))], Some(&body)).await;
    assert_eq!(ended.status, 200, "{}", ended.text());

    let (node, other, now) = (Uuid::new_v4(), Uuid::new_v4(), Clock::system().now());
    let claimed = house.store.claim_unrecorded(node, now).await.unwrap();
    assert_eq!(claimed.iter().filter(|waiting| waiting.decided.subject == Subject::Agreement).count(), 2);
    assert!(claimed.iter().all(|waiting| !waiting.again));
    assert!(house.store.claim_unrecorded(other, now).await.unwrap().is_empty(), "what one node claims no other takes");
    let late = now + jiff::SignedDuration::from_secs(61);
    let taken = house.store.claim_unrecorded(other, late).await.unwrap();
    assert!(taken.len() == claimed.len() && taken.iter().all(|waiting| waiting.again), "from a node that has gone, they are");
    for waiting in &taken {
        house.store.recorded(waiting.decided.decision, late).await.unwrap();
    }
    assert!(house.store.claim_unrecorded(node, late).await.unwrap().is_empty());
    hjemmel::decisions::user::end(
        &house.store,
        None,
        house.signatory.id,
        &hjemmel::decisions::Because::new("fratrådt".to_owned(), now),
    )
    .await
    .unwrap();
    is_problem(&house.get(&house.signatory, "/api/v1/whoami").await, 403, "ApiUserNotActive");
}

#[tokio::test]
async fn while_the_database_is_away_each_request_is_told_so_and_when_to_try_again_and_once_it_is_back_all_goes_on() {
    let Some(cluster) = Cluster::own() else { return };
    let (settings, dir) = on(&cluster, &cluster.database().name);
    let house = House::on(Store::open(&settings).await.unwrap(), dir).await;
    let asked = house.requested(&house.supplier, OWN).await;
    let path = format!("/api/v1/agreements/{}", text(&asked, "id"));
    cluster.stop();
    for (method, path, body) in [
        ("GET", "/api/v1/whoami", None),
        ("GET", path.as_str(), None),
        ("GET", "/api/v1/agreements", None),
        ("POST", "/api/v1/agreements", Some(request(OWN))),
    ] {
        let key = [("idempotency-key", "en-gang"), ("accept-language", "en")];
        let answer = house.ask(&house.supplier, method, path, &key, body.as_ref()).await;
        is_problem(&answer, 503, "ApiUnavailable");
        assert_eq!(answer.header("retry-after"), "5", "{method} {path}");
        let problem = value(&answer);
        assert_eq!((&problem["retry"], text(&problem, "detail")), (&json!(true), "Try again shortly."), "{problem}");
    }
    cluster.start();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let found = loop {
        let found = house.get(&house.supplier, "/api/v1/agreements").await;
        if found.status == 200 || std::time::Instant::now() > until {
            break found;
        }
        is_problem(&found, 503, "ApiUnavailable");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let items = value(&found)["items"].as_array().unwrap().clone();
    let ids: Vec<_> = items.iter().map(|item| text(item, "id")).collect();
    assert_eq!(ids, [text(&asked, "id")], "nothing was asked for that was refused");
}

#[tokio::test]
async fn on_postgres_a_session_of_one_node_is_one_of_the_other_and_ends_on_both() {
    use hjemmel::users::rights::Role;
    use hjemmel::users::sessions::{AtProvider, Limits, Means, Proven};
    use std::time::Duration;
    let Some(kept) = Kept::in_postgres() else { return };
    let (one, two) = (Store::open(&kept.settings).await.unwrap(), Store::open(&kept.settings).await.unwrap());
    let house = House::on(one.clone(), tempfile::tempdir().unwrap()).await;
    let limits = Limits { idle: Duration::from_secs(1800), lifetime: Duration::from_secs(28_800) };
    let now = Clock::system().now();
    let known = |session: Option<&str>| AtProvider { subject: "idp U".to_owned(), session: session.map(str::to_owned) };
    let open = async |session: Option<&str>| {
        let user = house.signatory.id;
        let proven = Proven {
            user,
            means: Means::Saml,
            roles: Some(vec![Role::Signatory]),
            at_provider: Some(known(session)),
            until: None,
        };
        one.open_session(&proven, limits, now).await.unwrap()
    };
    let (first, session) = open(Some("1")).await;
    let (second, _) = open(Some("2")).await;
    let seen = two.session(&first, limits, now).await.unwrap().unwrap();
    assert_eq!((seen.id, seen.actor.user().id, seen.actor.session()), (session.id, house.signatory.id, Some(session.id)));
    assert_eq!(two.sessions(limits, now).await.unwrap(), 2);
    assert!(two.is_session_of(session.id, &known(None)).await.unwrap());
    assert_eq!(two.end_sessions_of(&known(Some("1")), now).await.unwrap(), 1);
    assert!(
        one.session(&first, limits, now).await.unwrap().is_none() && one.session(&second, limits, now).await.unwrap().is_some()
    );
    // Looked at shortly before it would be idle, it goes on; after that it does not.
    let late = now + jiff::SignedDuration::from_secs(1700);
    assert!(two.session(&second, limits, late).await.unwrap().is_some());
    assert!(one.session(&second, limits, late + jiff::SignedDuration::from_secs(1700)).await.unwrap().is_some());
    assert!(one.session(&second, limits, late + jiff::SignedDuration::from_secs(5200)).await.unwrap().is_none());
    let user = two.user(house.signatory.id).await.unwrap();
    assert_eq!(two.end_other_sessions(&user, now).await.unwrap(), 0, "its own goes on");
    two.end_session(two.session(&second, limits, late).await.unwrap().unwrap().id, late).await.unwrap();
    assert!(one.session(&second, limits, late).await.unwrap().is_none());
    let link = one.make_link(house.operator.id, false, jiff::SignedDuration::from_mins(10), now).await.unwrap();
    assert!(
        two.use_link(&link, false, now).await.is_ok() && one.use_link(&link, false, now).await.is_err(),
        "a link logs on once"
    );
    assert!(one.forget_sessions(now + jiff::SignedDuration::from_hours(24 * 4000)).await.unwrap() >= 3);
    crate::log_on::is_used_once(one.database()).await;
}

#[tokio::test]
async fn a_decision_of_which_nobody_knows_whether_it_was_kept_is_told_as_such_and_with_its_key_is_made_once() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (settings, dir) = on(&cluster, &database);
    let house = House::on(Store::open(&tables::patient(settings)).await.unwrap(), dir).await;
    let asked = house.requested(&house.supplier, OWN).await;
    let (path, etag) = (format!("/api/v1/agreements/{}/decisions", text(&asked, "id")), text(&asked, "etag").to_owned());
    let body = json!({"decision": "approve", "reason": "sag 7", "shown": asked["text_sha256"]});
    let decide = async |key: &[(&str, &str)]| {
        let headers = [&[("if-match", etag.as_str())][..], key].concat();
        house.ask(&house.signatory, "POST", &path, &headers, Some(&body)).await
    };
    // What PgBouncer says where the server goes while it commits.
    cluster.psql_in(
        &database,
        "CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'server closed the connection' USING ERRCODE = '08P01'; END $$;
         CREATE CONSTRAINT TRIGGER breaks AFTER INSERT ON decision DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION breaks()",
    );
    let key = [("idempotency-key", "en-gang")];
    for key in [&[][..], &key] {
        let told = decide(key).await;
        is_problem(&told, 503, "ApiUndecided");
        assert_eq!(told.header("retry-after"), "5");
    }
    cluster.psql_in(&database, "DROP TRIGGER breaks ON decision");
    let made = decide(&key).await;
    assert_eq!((made.status, &value(&made)["state"]), (200, &json!("GODKENDT")), "{}", made.text());
    let again = decide(&key).await;
    assert_eq!((again.status, &again.body), (200, &made.body), "{}", again.text());
    let decisions =
        format!("SELECT count(*) FROM decision WHERE subject_id = '{}' AND to_state = 'GODKENDT'", text(&asked, "id"));
    assert_eq!(cluster.psql_in(&database, &decisions).trim(), "1");
}

/// Refused for the database's sake, in the words for it, whatever held it up.
fn is_to_be_tried_again(answer: &crate::wire::Answer) {
    is_problem(answer, 503, "ApiUnavailable");
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(value(answer)["retry"], json!(true), "{}", answer.text());
}

#[tokio::test]
async fn whoever_asks_while_no_connection_is_free_or_a_statement_waits_too_long_is_told_so_and_nothing_is_done() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (settings, dir) = on(&cluster, &database);
    let store = Store::open(&tables::patient(settings.clone())).await.unwrap();
    let short = Settings {
        max_connections: 1,
        patience: Duration::from_millis(500),
        statement_timeout: Duration::from_millis(300),
        ..settings
    };
    let until = Instant::now() + Duration::from_secs(60);
    let served = loop {
        match Store::open(&short).await {
            Ok(served) => break served,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    };
    let limits = EdgeLimits { request_bytes: BODY, ..EdgeLimits::default() };
    let house = House::serving(served.clone(), limits, store, dir).await;
    let asks = async || house.ask(&house.supplier, "POST", "/api/v1/agreements", &[], Some(&request(OWN))).await;
    let is_done = async || !house.store.list().await.unwrap().is_empty();

    let only = loop {
        match served.database().session().await {
            Ok(only) => break only,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    };
    is_to_be_tried_again(&house.get(&house.supplier, "/api/v1/agreements").await);
    is_to_be_tried_again(&asks().await);
    drop(only);
    assert!(!is_done().await);

    // Nobody may read agreements; nobody else may decide; nobody may write an agreement, once it is decided on.
    let mut other = cluster.superuser(&database).await;
    for (lock, readers_wait) in [
        ("LOCK TABLE agreement IN ACCESS EXCLUSIVE MODE", true),
        ("LOCK TABLE revision IN EXCLUSIVE MODE", false),
        ("LOCK TABLE agreement IN SHARE MODE", false),
    ] {
        other.execute(AssertSqlSafe(format!("BEGIN; {lock}"))).await.unwrap();
        if readers_wait {
            is_to_be_tried_again(&house.get(&house.supplier, "/api/v1/agreements").await);
        }
        is_to_be_tried_again(&asks().await);
        other.execute("COMMIT").await.unwrap();
        assert!(!is_done().await, "{lock}");
    }
}

#[tokio::test]
async fn a_request_that_the_database_lets_give_way_is_done_again_and_told_so_where_it_never_holds() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (settings, dir) = on(&cluster, &database);
    let house = House::on(Store::open(&tables::patient(settings)).await.unwrap(), dir).await;
    // A sequence counts also what is rolled back.
    let give_way = |those: &str| {
        cluster.psql_in(
            &database,
            &format!(
                "CREATE SEQUENCE IF NOT EXISTS attempt; GRANT USAGE ON SEQUENCE attempt TO PUBLIC;
                 CREATE OR REPLACE FUNCTION gives_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     IF nextval('attempt') {those} THEN RAISE EXCEPTION 'of the test' USING ERRCODE = '40001'; END IF;
                     RETURN NEW;
                 END $$;
                 CREATE OR REPLACE TRIGGER gives_way BEFORE INSERT ON agreement FOR EACH ROW EXECUTE FUNCTION gives_way()"
            ),
        );
    };
    let asks = async || house.ask(&house.supplier, "POST", "/api/v1/agreements", &[], Some(&request(OWN))).await;
    let attempts = || cluster.psql_in(&database, "SELECT last_value FROM attempt").trim().to_owned();
    give_way("> 0");
    is_to_be_tried_again(&asks().await);
    assert_eq!(attempts(), "5", "it was tried five times");
    assert!(house.store.list().await.unwrap().is_empty());
    give_way("< 8");
    let made = asks().await;
    assert_eq!((made.status, attempts()), (201, "8".to_owned()), "{}", made.text());
    assert_eq!(house.store.list().await.unwrap().len(), 1);
}
