//! Who gets in.

use hjemmel::clock::Clock;
use hjemmel::decisions::{Because, user};
use hjemmel::users::Kind;
use hjemmel::users::rights::Role;
use http::Request;

use crate::house::{House, OWN, Who, certificate, is_problem, pki, request, text, user_of, value};
use crate::wire::{self, Http, Sent};

#[tokio::test]
async fn without_a_certificate_nothing_is_answered() {
    let house = House::build().await;
    // TLS 1.3 lets the client finish first, so that the refusal may come at the first request.
    let port = house.port;
    let asked = tokio::spawn(async move {
        let stream = wire::tls(pki().root(), port, None, Http::One).await;
        let request = Request::get("/openapi.json").header("host", "localhost").body(Sent::whole("")).unwrap();
        wire::send(stream, Http::One, request).await.map(|answer| answer.status)
    });
    assert!(!matches!(asked.await, Ok(Ok(_))), "no answer of any kind");
}

#[tokio::test]
async fn a_certificate_that_is_nobodys_is_refused_and_may_read_the_contract() {
    let house = House::build().await;
    let nobody = Who { id: uuid::Uuid::nil(), credentials: certificate("N. Ingen", OWN) };
    for path in ["/api/v1/whoami", "/api/v1/agreements", "/api/v1/routes", "/api/v1/authorities"] {
        is_problem(&house.get(&nobody, path).await, 403, "ApiUserUnknown");
    }
    assert_eq!(house.get(&nobody, "/openapi.json").await.status, 200);
}

#[tokio::test]
async fn a_user_that_has_ended_is_refused_at_the_next_request() {
    let house = House::build().await;
    assert_eq!(house.get(&house.signatory, "/api/v1/whoami").await.status, 200);
    let because = Because::new("fratrådt".to_owned(), Clock::system().now());
    user::end(&house.store, None, house.signatory.id, &because).await.unwrap();
    is_problem(&house.get(&house.signatory, "/api/v1/whoami").await, 403, "ApiUserNotActive");
}

#[tokio::test]
async fn whoami_says_who_and_what_and_the_register_shows_an_authority_itself() {
    let house = House::build().await;
    let me = value(&house.get(&house.signatory, "/api/v1/whoami").await);
    assert_eq!(text(&me, "id"), house.signatory.id.to_string());
    assert_eq!((text(&me, "party"), me["roles"][0].as_str()), (OWN, Some("signatory")));
    let own = value(&house.get(&house.signatory, "/api/v1/authorities").await);
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    let all = value(&house.get(&house.operator, "/api/v1/authorities").await);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_role_that_is_limited_to_services_sees_and_decides_within_them_alone() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let limited = user_of(&house.store, "F. Fag", Kind::Person, Role::Signatory, Some(OWN)).await;
    let mut narrow = house.store.user(limited.id).await.unwrap();
    let credentials = certificate("F. Område", OWN);
    let key = hjemmel::signature::key::Certificate::from_der(credentials.leaf()).unwrap();
    narrow.id = uuid::Uuid::new_v4();
    narrow.services = vec![uuid::Uuid::from_u128(1)];
    narrow.certificates = vec![(*key.thumbprint()).into()];
    let because = Because::new("prøve".to_owned(), Clock::system().now());
    user::add(&house.store, None, &narrow, &[key], &because).await.unwrap();
    let narrow = Who { id: narrow.id, credentials };
    is_problem(&house.get(&narrow, &format!("/api/v1/agreements/{}", text(&asked, "id"))).await, 404, "ApiNotFound");
    is_problem(&house.decide(&narrow, &asked, "approve").await, 404, "ApiNotFound");
    assert!(value(&house.get(&narrow, "/api/v1/agreements").await)["items"].as_array().unwrap().is_empty());
    assert_eq!(house.decide(&limited, &asked, "approve").await.status, 200);
}

#[tokio::test]
async fn a_certificate_belongs_to_one_user_for_ever() {
    let house = House::build().await;
    let credentials = house.signatory.credentials.clone();
    let key = hjemmel::signature::key::Certificate::from_der(credentials.leaf()).unwrap();
    let mut twin = house.store.user(house.signatory.id).await.unwrap();
    twin.id = uuid::Uuid::new_v4();
    let because = Because::new("prøve".to_owned(), Clock::system().now());
    let taken = user::add(&house.store, None, &twin, &[key], &because).await.unwrap_err();
    assert!(taken.to_string().contains("belongs to user"), "{taken}");
    let answer = house.ask(&house.supplier, "POST", "/api/v1/agreements", &[], Some(&request(OWN))).await;
    assert_eq!(answer.status, 201);
}
