//! A colleague acts in one's role for a time, over the API and in the console.

use hjemmel::agreements::rules::Rule;
use hjemmel::clock::Clock;
use hjemmel::config::OneTimeLinks;
use hjemmel::users::Kind;
use hjemmel::users::rights::Role;
use jiff::{SignedDuration, Span};
use serde_json::{Value, json};

use crate::console::{Konsol, hidden, is_page, set_cookie, token};
use crate::house::{House, OTHER, OWN, SERVICE, Who, is_problem, text, user_of, value};
use crate::wire::Answer;

const DELEGATIONS: &str = "/api/v1/delegations";

fn in_hours(hours: i64) -> String {
    (Clock::system().now() + SignedDuration::from_hours(hours)).to_string()
}

fn delegation(substitute: &Who) -> Value {
    json!({"substitute": substitute.id, "role": "signatory", "valid_to": in_hours(8), "reason": "ferie"})
}

async fn given(house: &House) -> Value {
    let answer = house.ask(&house.signatory, "POST", DELEGATIONS, &[], Some(&delegation(&house.owner))).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    value(&answer)
}

/// Decides on an agreement by a delegation.
async fn decided(house: &House, who: &Who, agreement: &Value, by: &str, key: Option<&str>) -> Answer {
    let (id, etag) = (text(agreement, "id"), text(agreement, "etag"));
    let body = json!({"decision": "approve", "reason": "sag 7", "shown": agreement["text_sha256"]});
    let mut headers = vec![("if-match", etag), ("hjemmel-delegation", by)];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    house.ask(who, "POST", &format!("/api/v1/agreements/{id}/decisions"), &headers, Some(&body)).await
}

#[tokio::test]
async fn a_colleague_decides_in_ones_role_by_naming_the_delegation_and_both_names_stand_by_it() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let body = delegation(&house.owner);
    let give = async || house.ask(&house.signatory, "POST", DELEGATIONS, &[("idempotency-key", "a")], Some(&body)).await;
    let first = give().await;
    assert_eq!((first.status, first.text()), (201, give().await.text()), "sent again it is the same");
    let made = value(&first);
    assert_eq!((text(&made, "stands"), text(&made, "reason")), ("in-force", "ferie"));
    let id = text(&made, "id");
    // Both see it, the authority's auditor, and the operators.
    let auditor = user_of(&house.store, "R. Revisor", Kind::Person, Role::Auditor, Some(OWN)).await;
    for who in [&house.signatory, &house.owner, &auditor, &house.operator] {
        let list = value(&house.get(who, DELEGATIONS).await);
        assert_eq!(list["items"], json!([made]));
    }
    assert_eq!(value(&house.get(&house.responsible, DELEGATIONS).await)["items"], json!([]));
    is_problem(&house.get(&house.responsible, &format!("{DELEGATIONS}/{id}")).await, 404, "ApiNotFound");

    is_problem(&house.decide(&house.owner, &asked, "approve").await, 403, "ApiNotAllowed");
    for nobody in [&house.responsible, &house.signatory, &house.other_signatory] {
        is_problem(&decided(&house, nobody, &asked, id, None).await, 404, "ApiNotFound");
    }
    for none in ["", "x", "00000000-0000-4000-8000-00000000000"] {
        is_problem(&decided(&house, &house.owner, &asked, none, None).await, 400, "ApiHeaderInvalid");
    }
    let by = [("hjemmel-delegation", id)];
    let me = value(&house.ask(&house.owner, "GET", "/api/v1/whoami", &by, None).await);
    assert_eq!((text(&me, "id"), text(&me, "delegation")), (house.owner.id.to_string().as_str(), id));
    assert_eq!((&me["roles"], &me["valid_to"]), (&json!(["signatory"]), &made["valid_to"]));
    let approved = decided(&house, &house.owner, &asked, id, Some("k")).await;
    assert_eq!(approved.status, 200, "{}", approved.text());
    assert_eq!(decided(&house, &house.owner, &asked, id, Some("k")).await.text(), approved.text());
    // The same bytes in one's own right are another request.
    let (path, etag) = (format!("/api/v1/agreements/{}/decisions", text(&asked, "id")), text(&asked, "etag"));
    let bytes = json!({"decision": "approve", "reason": "sag 7", "shown": asked["text_sha256"]});
    let own = house.ask(&house.owner, "POST", &path, &[("if-match", etag), ("idempotency-key", "k")], Some(&bytes)).await;
    is_problem(&own, 422, "ApiKeyReused");
    let history = value(&house.get(&house.signatory, &path).await);
    let last = history["items"].as_array().unwrap().last().unwrap();
    assert_eq!(text(last, "by"), format!("E. Ejer for U. Underskriver (delegation {id})"));
    assert_eq!(text(&last["proof"], "delegation"), id);
    assert_eq!(text(&last["proof"], "stood_for"), house.signatory.id.to_string());
    assert_eq!(text(&last["proof"], "user"), house.owner.id.to_string());
}

#[tokio::test]
async fn a_delegation_goes_to_a_colleague_no_further_and_is_over_as_it_is_taken_back() {
    let house = House::build().await;
    let give =
        async |who: &Who, headers: &[(&str, &str)], body: &Value| house.ask(who, "POST", DELEGATIONS, headers, Some(body)).await;
    let fine = delegation(&house.owner);
    let with = |field: &str, value: Value| {
        let mut body = fine.clone();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("substitute", json!(house.other_signatory.id)),
        ("substitute", json!(house.signatory.id)),
        ("role", json!("Signatory")),
        ("services", json!(["x"])),
        ("valid_from", json!(in_hours(-1))),
        ("valid_to", json!(in_hours(-1))),
        ("valid_to", json!(in_hours(24 * 367))),
    ] {
        let refused = give(&house.signatory, &[], &with(field, value)).await;
        is_problem(&refused, 422, "ApiFieldInvalid");
        assert!(refused.text().contains(field), "{field}: {}", refused.text());
    }
    is_problem(&give(&house.signatory, &[], &with("role", json!("system-owner"))).await, 403, "ApiNotAllowed");
    is_problem(&give(&house.supplier, &[], &fine).await, 403, "ApiNotAllowed");
    is_problem(&give(&house.operator, &[], &fine).await, 403, "ApiNotAllowed");
    let made = given(&house).await;
    let (id, path) = (text(&made, "id"), format!("{DELEGATIONS}/{}/end", text(&made, "id")));
    let by = ("hjemmel-delegation", id);
    is_problem(&give(&house.owner, &[by], &delegation(&house.responsible)).await, 403, "ApiNotAllowed");
    let end = async |who: &Who, headers: &[(&str, &str)]| {
        house.ask(who, "POST", &path, headers, Some(&json!({"reason": "hjemme igen"}))).await
    };
    let etag = ("if-match", text(&made, "etag"));
    is_problem(&end(&house.signatory, &[]).await, 428, "ApiPreconditionMissing");
    is_problem(&end(&house.responsible, &[etag]).await, 404, "ApiNotFound");
    is_problem(&end(&house.owner, &[etag, by]).await, 403, "ApiNotAllowed");
    let ended = end(&house.signatory, &[etag]).await;
    assert_eq!(text(&value(&ended), "stands"), "ended", "{}", ended.text());
    is_problem(&house.ask(&house.owner, "GET", "/api/v1/whoami", &[by], None).await, 404, "ApiNotFound");
    let asked = house.requested(&house.supplier, OWN).await;
    is_problem(&decided(&house, &house.owner, &asked, id, None).await, 404, "ApiNotFound");
    let history = value(&house.get(&house.owner, &format!("{DELEGATIONS}/{id}/decisions")).await);
    let to: Vec<_> = history["items"].as_array().unwrap().iter().map(|made| text(made, "to")).collect();
    assert_eq!(to, ["given", "taken back"]);
}

#[tokio::test]
async fn a_substitute_sees_the_functional_area_of_the_delegation_and_nothing_of_their_own_role_beside_it() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let elsewhere = uuid::Uuid::from_u128(1);
    let known = [elsewhere, SERVICE.parse().unwrap()].map(|service| (service, Rule::default()));
    house.rules.replace(known.into());
    let mut mistyped = delegation(&house.owner);
    mistyped["services"] = json!([uuid::Uuid::from_u128(2)]);
    let unknown = house.ask(&house.signatory, "POST", DELEGATIONS, &[], Some(&mistyped)).await;
    is_problem(&unknown, 422, "ApiFieldInvalid");
    assert!(unknown.text().contains("services"), "{}", unknown.text());
    let give = async |services: Value| {
        let mut body = delegation(&house.owner);
        body["services"] = services;
        let answer = house.ask(&house.signatory, "POST", DELEGATIONS, &[], Some(&body)).await;
        text(&value(&answer), "id").to_owned()
    };
    let path = format!("/api/v1/agreements/{}", text(&asked, "id"));
    let sees = async |by: &str| house.ask(&house.owner, "GET", &path, &[("hjemmel-delegation", by)], None).await;
    let narrow = give(json!([elsewhere])).await;
    is_problem(&sees(&narrow).await, 404, "ApiNotFound");
    is_problem(&decided(&house, &house.owner, &asked, &narrow, None).await, 404, "ApiNotFound");
    let fitting = give(json!([SERVICE])).await;
    assert_eq!(sees(&fitting).await.status, 200);
    // A system owner ends agreements; whoever stands for the administrator of value lists does not.
    let lists = user_of(&house.store, "S. Sortiment", Kind::Person, Role::SortimentAdministrator, Some(OWN)).await;
    let mut body = delegation(&house.owner);
    body["role"] = json!("sortiment-administrator");
    let listed = value(&house.ask(&lists, "POST", DELEGATIONS, &[], Some(&body)).await);
    is_problem(&decided(&house, &house.owner, &asked, text(&listed, "id"), None).await, 403, "ApiNotAllowed");
    assert_eq!(decided(&house, &house.owner, &asked, &fitting, None).await.status, 200);
}

#[tokio::test]
async fn in_the_console_one_delegates_acts_for_a_colleague_and_goes_back() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let house = &konsol.house;
    let neighbour = user_of(&house.store, "N. Nabo", Kind::Person, Role::SystemOwner, Some(OTHER)).await;
    let signatory = konsol.log_on(&house.signatory).await;
    let list = konsol.get(&signatory, "/delegations").await;
    is_page(&list, 200, "E. Ejer");
    assert!(!list.text().contains(&neighbour.id.to_string()), "colleagues alone are to be chosen");
    let last = hjemmel::clock::civil_day(Clock::system().now()).unwrap().saturating_add(Span::new().days(7)).to_string();
    let form = |substitute: &Who, last: &str| {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("form_token", &token(&list))
            .append_pair("id", &hidden(&list, "id"))
            .append_pair("substitute", &substitute.id.to_string())
            .append_pair("role", "signatory")
            .append_pair("valid_to", last)
            .append_pair("reason", "ferie i uge 51")
            .finish()
    };
    let refused = konsol.post(&signatory, "/delegations", &form(&house.owner, "2020-01-01")).await;
    is_page(&refused, 409, "Sidste dag");
    assert!(refused.text().contains("ferie i uge 51"), "what was written stands there");
    for _ in 0..2 {
        assert_eq!(konsol.post(&signatory, "/delegations", &form(&house.owner, &last)).await.status, 303);
    }
    let owner = konsol.log_on(&house.owner).await;
    let page = konsol.get(&owner, "/delegations").await;
    is_page(&page, 200, "Handl for U. Underskriver");
    assert_eq!(page.text().matches("ferie i uge 51").count(), 1, "sent twice it is one");
    let asked = house.requested(&house.supplier, OWN).await;
    let agreement = format!("/agreements/{}", text(&asked, "id"));
    assert!(!konsol.get(&owner, &agreement).await.text().contains("value=\"approve\""));
    let id = {
        let (_, after) = page.text().split_once("/delegations/").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        after.split('/').next().unwrap().to_owned()
    };
    let own = format!("form_token={}", token(&page));
    let acts = konsol.post(&owner, &format!("/delegations/{id}/act"), &own).await;
    assert_eq!(acts.status, 303, "{}", acts.text());
    let acting = set_cookie(&acts).split(';').next().unwrap().to_owned();
    // The session before is over, so that nothing written in it is sent in the colleague's name.
    assert!(konsol.get(&owner, "/delegations").await.header("location").starts_with("/log-on"));
    is_page(&konsol.post(&acting, "/delegations/own", &own).await, 409, "anden session");
    let written = format!("{own}&name=Fagsystem+B&reason=sag+9");
    let others = konsol.post(&acting, "/systems", &written).await;
    is_page(&others, 409, "ikke skrevet i dit navn");
    assert!(!others.text().contains("Send igen") && !others.text().contains("Fagsystem B"), "{}", others.text());
    let shown = konsol.get(&acting, &agreement).await;
    is_page(&shown, 200, "E. Ejer for U. Underskriver");
    assert!(shown.text().contains("Underskriver") && !shown.text().contains("· Systemejer"));
    let decide = form_urlencoded::Serializer::new(String::new())
        .append_pair("form_token", &token(&shown))
        .append_pair("decision", "approve")
        .append_pair("shown", text(&asked, "text_sha256"))
        .append_pair("read", "1")
        .append_pair("reason", "sag 7")
        .finish();
    let approved = konsol.post(&acting, &format!("{agreement}/decide"), &decide).await;
    assert_eq!(approved.status, 303, "{}", approved.text());
    is_page(&konsol.get(&signatory, &agreement).await, 200, &format!("E. Ejer for U. Underskriver (delegation {id})"));
    let back = konsol.post(&acting, "/delegations/own", &format!("form_token={}", token(&shown))).await;
    let own = set_cookie(&back).split(';').next().unwrap().to_owned();
    is_page(&konsol.post(&own, "/systems", &written).await, 409, "Send igen");
    let page = konsol.get(&own, "/delegations").await;
    assert!(!page.text().contains("Handl som dig selv igen"));
    // Taken back while somebody acts by it: the session is over.
    let acts = konsol.post(&own, &format!("/delegations/{id}/act"), &format!("form_token={}", token(&page))).await;
    let acting = set_cookie(&acts).split(';').next().unwrap().to_owned();
    is_page(&konsol.get(&acting, "/").await, 200, "Handl som dig selv igen");
    let list = konsol.get(&signatory, "/delegations").await;
    let taken = format!("form_token={}&reason=hjemme", token(&list));
    assert_eq!(konsol.post(&signatory, &format!("/delegations/{id}/end"), &taken).await.status, 303);
    assert!(konsol.get(&acting, "/").await.header("location").starts_with("/log-on"));
}

#[tokio::test]
async fn in_the_console_a_person_stands_once_among_the_colleagues_and_takes_back_as_whichever_user() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let house = &konsol.house;
    given(house).await;
    let again = async |who: &Who, role: Role| {
        let first = house.store.user(who.id).await.unwrap();
        let user = hjemmel::users::User {
            id: uuid::Uuid::new_v4(),
            roles: vec![role],
            certificates: Vec::new(),
            valid_from: first.valid_from + SignedDuration::from_secs(1),
            ..first
        };
        let because = hjemmel::decisions::Because::new("logget på".to_owned(), Clock::system().now());
        hjemmel::decisions::user::add(&house.store, None, &user, &[], &because).await.unwrap();
        user.id
    };
    // The API's clock goes on while the console's is set.
    konsol.passes(std::time::Duration::from_secs(60));
    let signatory = again(&house.signatory, Role::SystemResponsible).await;
    let owner = again(&house.owner, Role::SystemResponsible).await;
    let page = konsol.get(&konsol.log_on_as(signatory).await, "/delegations").await;
    is_page(&page, 200, "Træk delegeringen tilbage");
    assert!(page.text().contains(&owner.to_string()) && !page.text().contains(&house.owner.id.to_string()));
    is_page(&konsol.get(&konsol.log_on_as(owner).await, "/delegations").await, 200, "Handl for U. Underskriver");
}
