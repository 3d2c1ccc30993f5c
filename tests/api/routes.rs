//! Routes over the API.

use hjemmel::users::Kind;
use hjemmel::users::rights::Role;
use serde_json::{Value, json};

use crate::house::{House, OTHER, OWN, SERVICE, is_problem, pki, text, user_of, value};

fn route(receiver: &str, address: &str) -> Value {
    let root = hjemmel::pem::encode("CERTIFICATE", pki().root()).to_string();
    json!({
        "service": SERVICE, "environment": "exttest", "sender": OTHER, "receiver": receiver, "valid_from": "2026-01-01",
        "system": "00000000-0000-4000-8000-0000000000bb", "address": address, "entity_id": "urn:example:modtager",
        "roots": root, "reason": "sag 9"
    })
}

const GOOD: &str = "https://192.0.2.7/modtag";

#[tokio::test]
async fn a_route_is_added_found_by_whoever_asks_ended_and_kept() {
    let house = House::build().await;
    let added = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&route(OWN, GOOD))).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let added = value(&added);
    let ask = format!("/api/v1/receiver?service={SERVICE}&sender={OTHER}&receiver={OWN}&environment=exttest&on=2026-06-01");
    let receiver = value(&house.get(&house.signatory, &ask).await);
    assert_eq!(receiver["route"]["id"], added["id"]);
    let again = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&route(OWN, GOOD))).await;
    is_problem(&again, 409, "ApiConflict");
    let path = format!("/api/v1/routes/{}/end", text(&added, "id"));
    let body = json!({"on": "2999-01-01", "reason": "nyt system"});
    is_problem(&house.ask(&house.operator, "POST", &path, &[], Some(&body)).await, 428, "ApiPreconditionMissing");
    let ended = house.ask(&house.operator, "POST", &path, &[("if-match", text(&added, "etag"))], Some(&body)).await;
    assert_eq!(text(&value(&ended), "valid_to"), "2999-01-01", "{}", ended.text());
    let stale = house.ask(&house.operator, "POST", &path, &[("if-match", text(&added, "etag"))], Some(&body)).await;
    is_problem(&stale, 412, "ApiPreconditionFailed");
    let past = json!({"on": "2026-02-01", "reason": "for sent"});
    let etag = text(&value(&ended), "etag").to_owned();
    is_problem(&house.ask(&house.operator, "POST", &path, &[("if-match", &etag)], Some(&past)).await, 409, "ApiConflict");
    let history = value(&house.get(&house.operator, &format!("/api/v1/routes/{}/decisions", text(&added, "id"))).await);
    assert_eq!(history["items"].as_array().unwrap().len(), 2, "{history}");
    assert_eq!(history["items"][1]["proof"]["user"], house.operator.id.to_string());
}

#[tokio::test]
async fn a_route_that_is_sent_twice_with_one_idempotency_key_is_added_once_and_another_route_with_it_is_refused() {
    let house = House::build().await;
    let add = async |key: &str, body: &Value| {
        house.ask(&house.operator, "POST", "/api/v1/routes", &[("idempotency-key", key)], Some(body)).await
    };
    let first = add("en-gang", &route(OWN, GOOD)).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = add("en-gang", &route(OWN, GOOD)).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    for name in ["etag", "location"] {
        assert!(!first.header(name).is_empty() && again.header(name) == first.header(name), "{name}");
    }
    assert_eq!(house.store.routes().await.unwrap().len(), 1);
    is_problem(&add("en-gang", &route("99999999", GOOD)).await, 422, "ApiKeyReused");
    is_problem(&add("en anden", &route(OWN, GOOD)).await, 400, "ApiKeyInvalid");
    is_problem(&add("en-anden", &route(OWN, GOOD)).await, 409, "ApiConflict");
    assert_eq!(add("en-anden", &route("99999999", GOOD)).await.status, 201, "what was refused keeps no key");
    assert_eq!(house.store.routes().await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_import_of_routes_with_an_id_twice_or_with_several_reasons_brings_nothing_in() {
    let house = House::build().await;
    let mut one = route(OWN, GOOD);
    one["id"] = json!("00000000-0000-4000-8000-000000000071");
    let mut other = route(OTHER, GOOD);
    other["reason"] = json!("sag 10");
    for (body, status, code) in [(json!([one, one]), 409, "ApiConflict"), (json!([one, other]), 422, "ApiFieldInvalid")] {
        is_problem(&house.ask(&house.operator, "POST", "/api/v1/routes/import", &[], Some(&body)).await, status, code);
    }
    assert_eq!(value(&house.get(&house.operator, "/api/v1/routes").await)["items"], json!([]));
}

#[tokio::test]
async fn an_import_ends_the_routes_in_its_way_where_it_says_so_throughout() {
    let house = House::build().await;
    let today = hjemmel::clock::civil_day(hjemmel::clock::Clock::system().now()).unwrap();
    let first = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&route(OWN, GOOD))).await;
    let first = text(&value(&first), "id").to_owned();
    let mut next = route(OWN, "https://192.0.2.8/modtag");
    next["valid_from"] = json!(today.to_string());
    let import = async |body: &Value| house.ask(&house.operator, "POST", "/api/v1/routes/import", &[], Some(body)).await;
    is_problem(&import(&json!([next])).await, 409, "ApiConflict");
    let mut other = route("99999999", GOOD);
    next["replace"] = json!(true);
    is_problem(&import(&json!([next, other])).await, 422, "ApiFieldInvalid");
    other["replace"] = json!(true);
    let done = import(&json!([next, other])).await;
    assert_eq!(value(&done), json!({"added": 2, "unchanged": 0}), "{}", done.text());
    let ended = value(&house.get(&house.operator, &format!("/api/v1/routes/{first}")).await);
    assert_eq!(text(&ended, "valid_to"), today.to_string());
}

#[tokio::test]
async fn a_csv_of_routes_may_replace_too() {
    let house = House::build().await;
    let today = hjemmel::clock::civil_day(hjemmel::clock::Clock::system().now()).unwrap();
    let first = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&route(OWN, GOOD))).await;
    let csv = house.get(&house.operator, "/api/v1/routes/export?format=csv").await.text();
    let (header, row) = csv.split_once("\r\n").unwrap();
    let row = row.trim_end().replace(text(&value(&first), "id"), "").replace("2026-01-01", &today.to_string());
    let import = async |flag: &str| {
        let body = format!("{header},reason,replace\r\n{row},sag 9,{flag}\r\n");
        house.send(&house.operator, "POST", "/api/v1/routes/import", &[("content-type", "text/csv")], body.into()).await
    };
    is_problem(&import("ja").await, 422, "ApiFieldInvalid");
    is_problem(&import("").await, 409, "ApiConflict");
    let done = import("true").await;
    assert_eq!(value(&done), json!({"added": 1, "unchanged": 0}), "{}", done.text());
}

#[tokio::test]
async fn a_route_leads_neither_to_the_machine_itself_nor_to_its_link() {
    let house = House::build().await;
    for address in [
        "https://127.0.0.1/a",
        "https://localhost:9464/metrics",
        "https://[::1]/a",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/a",
        "https://0.0.0.0/a",
        "https://192.0.2.9:9464/metrics",
    ] {
        let answer = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&route(OWN, address))).await;
        is_problem(&answer, 422, "ApiAddressRefused");
    }
    assert!(house.store.routes().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_authority_says_where_it_receives_and_sees_no_route_of_others() {
    let house = House::build().await;
    let network = user_of(&house.store, "I. Infrastruktur", Kind::Person, Role::InfrastructureResponsible, Some(OWN)).await;
    let others = house.ask(&network, "POST", "/api/v1/routes", &[], Some(&route("99999999", GOOD))).await;
    is_problem(&others, 403, "ApiOtherParty");
    let own = house.ask(&network, "POST", "/api/v1/routes", &[], Some(&route(OWN, GOOD))).await;
    assert_eq!(own.status, 201, "{}", own.text());
    is_problem(&house.ask(&house.signatory, "POST", "/api/v1/routes", &[], Some(&route(OWN, GOOD))).await, 403, "ApiNotAllowed");
    let third = user_of(&house.store, "T. Tredje", Kind::Person, Role::InfrastructureResponsible, Some("99999999")).await;
    let path = format!("/api/v1/routes/{}", text(&value(&own), "id"));
    is_problem(&house.get(&third, &path).await, 404, "ApiNotFound");
    assert!(value(&house.get(&third, "/api/v1/routes").await)["items"].as_array().unwrap().is_empty());
    is_problem(&house.get(&house.supplier, "/api/v1/routes").await, 403, "ApiNotAllowed");
    assert_eq!(house.get(&house.other_signatory, &path).await.status, 200, "it sends over it");
}
