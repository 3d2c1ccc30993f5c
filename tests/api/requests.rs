//! Requests over the API: one header, a line for each authority, whom each is shown to, and nothing done twice.

use hjemmel::users::Kind;
use hjemmel::users::rights::Role;
use serde_json::{Value, json};

use crate::house::{House, OTHER, OWN, SERVICE, SYSTEM, is_problem, text, thumbprint, user_for, value};

fn form() -> Value {
    json!({
        "kind": "without-passing-on", "name": "Sygedagpenge i Fagsystem A", "justification": "Sagsbehandlere slår ydelser op",
        "environment": "exttest", "system": SYSTEM, "certificates": [thumbprint(SYSTEM)],
        "authorities": [OWN, OTHER], "services": [{"service": SERVICE, "side": "front", "scope": {"kle": ["32.*"]}}],
        "contract": "DBA-2026-17", "purpose": "sagsbehandling", "legal_basis": "LUD § 8, stk. 1", "categories": ["ydelser"],
        "retention": "slettes efter 5 år"
    })
}

async fn decided(house: &House, request: &Value, decision: &str) -> crate::wire::Answer {
    let path = format!("/api/v1/requests/{}/decisions", text(request, "id"));
    let body = json!({"decision": decision, "reason": "sag 7", "shown": request["text_sha256"]});
    house.ask(&house.supplier, "POST", &path, &[("if-match", text(request, "etag"))], Some(&body)).await
}

#[tokio::test]
async fn a_user_of_some_services_sees_and_changes_requests_of_those_alone() {
    let house = House::build().await;
    let of = |services: &[&str]| {
        let mut form = form();
        let parts = services.iter().map(|service| json!({"service": service, "side": "front", "scope": {}}));
        form["services"] = parts.collect();
        form
    };
    let another = "00000000-0000-4000-8000-00000000beef";
    let mut drafts = Vec::new();
    for form in [of(&[SERVICE]), of(&[another]), of(&[SERVICE, another])] {
        let made = house.ask(&house.supplier, "POST", "/api/v1/requests", &[], Some(&form)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        drafts.push(value(&made));
    }
    let party = house.store.user(house.supplier.id).await.unwrap().party.unwrap().to_string();
    let own = vec![SERVICE.parse().unwrap()];
    let (role, kind) = (Role::SupplierAdministrator, Kind::Person);
    let limited = user_for(&house.store, (role.name(), kind), role, Some(&party), own).await;
    let list = async |query: &str| {
        let page = value(&house.get(&limited, &format!("/api/v1/requests{query}")).await);
        page["items"].as_array().unwrap().iter().map(|one| text(one, "id").to_owned()).collect::<Vec<_>>()
    };
    let [own, others, both] = [0, 1, 2].map(|at| text(&drafts[at], "id").to_owned());
    assert_eq!(list("").await, [own.clone(), both.clone()]);
    assert_eq!(list("?limit=2").await, [own.clone(), both.clone()], "what is not shown takes no place");
    let path = |id: &str| format!("/api/v1/requests/{id}");
    is_problem(&house.get(&limited, &path(&others)).await, 404, "ApiNotFound");
    assert_eq!(house.get(&limited, &path(&both)).await.status, 200);
    let decides = async |draft: &Value| {
        let body = json!({"decision": "withdraw", "reason": "sag 7", "shown": draft["text_sha256"]});
        let path = format!("{}/decisions", path(text(draft, "id")));
        house.ask(&limited, "POST", &path, &[("if-match", text(draft, "etag"))], Some(&body)).await
    };
    let writes = async |draft: &Value, form: &Value| {
        house.ask(&limited, "PUT", &path(text(draft, "id")), &[("if-match", text(draft, "etag"))], Some(form)).await
    };
    is_problem(&writes(&drafts[2], &of(&[SERVICE])).await, 403, "ApiOtherParty");
    is_problem(&decides(&drafts[2]).await, 403, "ApiOtherParty");
    is_problem(&writes(&drafts[0], &of(&[another])).await, 403, "ApiOtherParty");
    assert_eq!(decides(&drafts[0]).await.status, 200);
}

#[tokio::test]
async fn a_request_goes_from_draft_to_lines_that_are_decided_on_apart() {
    let house = House::build().await;
    let draft = house.ask(&house.supplier, "POST", "/api/v1/requests", &[], Some(&json!({"name": "Kladde"}))).await;
    assert_eq!(draft.status, 201, "{}", draft.text());
    let draft = value(&draft);
    let path = format!("/api/v1/requests/{}", text(&draft, "id"));
    assert_eq!(text(&draft, "state"), "KLADDE");
    is_problem(&decided(&house, &draft, "submit").await, 422, "ApiRequestUnfinished");
    // Neither the authority that is to be asked nor anybody else sees a draft.
    is_problem(&house.get(&house.signatory, &path).await, 404, "ApiNotFound");
    let written = house.ask(&house.supplier, "PUT", &path, &[("if-match", text(&draft, "etag"))], Some(&form())).await;
    assert_eq!(written.status, 200, "{}", written.text());
    let written = value(&written);
    assert_eq!((written["edition"].as_i64(), &written["form"]["services"][0]["scope"]["kle"][0]), (Some(2), &json!("32.*")));
    let second_tab = house.ask(&house.supplier, "PUT", &path, &[("if-match", text(&draft, "etag"))], Some(&form())).await;
    is_problem(&second_tab, 412, "ApiPreconditionFailed");
    let sent = decided(&house, &written, "submit").await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    is_problem(&decided(&house, &written, "submit").await, 412, "ApiPreconditionFailed");
    let whole = value(&house.get(&house.supplier, &path).await);
    let lines = whole["lines"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| text(line, "authority")).collect::<Vec<_>>(), [OWN, OTHER]);
    let seen = value(&house.get(&house.signatory, &path).await);
    assert_eq!(seen["lines"].as_array().unwrap().len(), 1, "its own line alone: {seen}");
    let agreement = value(&house.get(&house.signatory, &format!("/api/v1/agreements/{}", text(&lines[0], "agreement"))).await);
    assert!(text(&agreement, "text").contains("databehandleraftale: DBA-2026-17\n"), "{agreement}");
    assert_eq!(house.decide(&house.signatory, &agreement, "approve").await.status, 200);
    let other = value(&house.get(&house.other_signatory, &format!("/api/v1/agreements/{}", text(&lines[1], "agreement"))).await);
    assert_eq!(house.decide(&house.other_signatory, &other, "reject").await.status, 200);
    let whole = value(&house.get(&house.supplier, &path).await);
    let stands: Vec<_> = whole["lines"].as_array().unwrap().iter().map(|line| text(line, "stands").to_owned()).collect();
    assert_eq!(stands, ["GODKENDT", "AFVIST"]);
    let list = value(&house.get(&house.supplier, "/api/v1/requests?state=ANMODET").await);
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test]
async fn an_end_is_listed_first_and_a_reminder_is_sent_once_an_hour() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let reminders = format!("/api/v1/agreements/{}/reminders", text(&asked, "id"));
    let reminded = house.ask(&house.supplier, "POST", &reminders, &[], None).await;
    assert_eq!((reminded.status, value(&reminded)["told"].as_u64()), (200, Some(0)), "nobody has an address here");
    is_problem(&house.ask(&house.supplier, "POST", &reminders, &[], None).await, 409, "ApiConflict");
    is_problem(&house.ask(&house.signatory, "POST", &reminders, &[], None).await, 403, "ApiNotAllowed");
    let approved = value(&house.decide(&house.signatory, &asked, "approve").await);
    is_problem(&house.ask(&house.supplier, "POST", &reminders, &[], None).await, 409, "ApiConflict");
    let path = format!("/api/v1/agreements/{}/ending?ends_at=2099-01-01T00:00:00%2B01:00", text(&approved, "id"));
    let listed = value(&house.get(&house.owner, &path).await);
    assert!(text(&listed, "text").ends_with("ophører: 2098-12-31T23:00:00Z\n"), "{listed}");
    let decide =
        |shown: &Value| json!({"decision": "end", "reason": "sag 7", "shown": shown, "ends_at": "2099-01-01T00:00:00+01:00"});
    let decisions = format!("/api/v1/agreements/{}/decisions", text(&approved, "id"));
    let etag = [("if-match", text(&approved, "etag"))];
    let own = house.ask(&house.owner, "POST", &decisions, &etag, Some(&decide(&approved["text_sha256"]))).await;
    is_problem(&own, 409, "ApiShownDiffers");
    let ended = house.ask(&house.owner, "POST", &decisions, &etag, Some(&decide(&listed["text_sha256"]))).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    let ended = value(&ended);
    assert_eq!((text(&ended, "state"), ended["holds"].as_bool()), ("OPSAGT", Some(true)), "until then it holds");
}

#[tokio::test]
async fn what_an_approval_would_end_is_shown_before_it_and_is_part_of_the_text() {
    let house = House::build().await;
    let asked = async |form: Value| {
        let draft = house.ask(&house.supplier, "POST", "/api/v1/requests", &[], Some(&form)).await;
        assert_eq!(draft.status, 201, "{}", draft.text());
        let draft = value(&draft);
        let sent = decided(&house, &draft, "submit").await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        let path = format!("/api/v1/requests/{}", text(&draft, "id"));
        let line = text(&value(&house.get(&house.supplier, &path).await)["lines"][0], "agreement").to_owned();
        (draft["id"].clone(), format!("/api/v1/agreements/{line}"))
    };
    let seen = async |path: &str| value(&house.get(&house.signatory, path).await);
    let (first, held) = asked(form()).await;
    assert_eq!(house.decide(&house.signatory, &seen(&held).await, "approve").await.status, 200);
    let listed = seen(&format!("{held}/ending?ends_at=2099-01-01T00:00:00%2B01:00")).await;
    let body =
        json!({"decision": "end", "reason": "sag 7", "shown": listed["text_sha256"], "ends_at": "2099-01-01T00:00:00+01:00"});
    let etag = seen(&held).await["etag"].clone();
    let etag = [("if-match", etag.as_str().unwrap())];
    let ended = house.ask(&house.owner, "POST", &format!("{held}/decisions"), &etag, Some(&body)).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    let mut depending = form();
    depending["depends_on"] = json!([first]);
    let (_, other) = asked(depending).await;
    let shown = seen(&other).await;
    let line = format!("ophører 2098-12-31T23:00:00Z med serviceaftale: {}", text(&seen(&held).await, "id"));
    assert_eq!(shown["ends_with"], json!([line]));
    assert!(text(&shown, "text").ends_with(&format!("{line}\n")), "{shown}");
    let mut unseen = value(&house.get(&house.signatory, "/api/v1/agreements?state=ANMODET").await)["items"][0].clone();
    assert_eq!(unseen["id"], shown["id"]);
    is_problem(&house.decide(&house.signatory, &unseen, "approve").await, 409, "ApiShownDiffers");
    unseen["text_sha256"] = shown["text_sha256"].clone();
    let approved = house.decide(&house.signatory, &unseen, "approve").await;
    assert_eq!(approved.status, 200, "{}", approved.text());
    assert_eq!(text(&value(&approved), "ends_at"), "2098-12-31T23:00:00Z");
}
