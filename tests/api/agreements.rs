//! The life of an agreement: who may do what, to what they were shown, once.

use hjemmel::agreements::Vocabulary;
use hjemmel::audit::Subject;
use hjemmel::users::Kind;
use hjemmel::users::keys::Key;
use hjemmel::users::rights::Role;
use serde_json::{Value, json};

use crate::house::{
    BODY, COMPANY, House, OTHER, OWN, OWN_SYSTEM, SERVICE, is_problem, request, text, thumbprint, user_of, value,
};

#[tokio::test]
async fn a_supplier_requests_and_the_authoritys_signatory_approves_what_was_shown() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    assert_eq!((text(&asked, "state"), asked["holds"].as_bool()), ("ANMODET", Some(false)));
    let id = text(&asked, "id");
    let seen = house.get(&house.signatory, &format!("/api/v1/agreements/{id}")).await;
    assert_eq!(seen.header("etag"), text(&asked, "etag"));
    assert!(text(&value(&seen), "text").contains("hjemmel: LUD § 8, stk. 1\n"), "{}", seen.text());
    let approved = house.decide(&house.signatory, &value(&seen), "approve").await;
    assert_eq!(approved.status, 200, "{}", approved.text());
    let approved = value(&approved);
    assert_eq!((text(&approved, "state"), text(&approved, "decided_by")), ("GODKENDT", "U. Underskriver"));
    assert_eq!(approved["holds"], true);
    let history = value(&house.get(&house.supplier, &format!("/api/v1/agreements/{id}/decisions")).await);
    let items = history["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{history}");
    assert_eq!(items[0]["proof"]["user"], house.supplier.id.to_string());
    assert_eq!(items[1]["proof"]["user"], house.signatory.id.to_string());
    assert_eq!((text(&items[1]["proof"], "role"), text(&items[1], "to")), ("signatory", "GODKENDT"));
    assert_eq!(text(&items[1]["proof"], "shown"), text(&asked, "text_sha256"), "the text that was shown");
    let stored = house.store.made_on(Subject::Agreement, id.parse().unwrap()).await.unwrap();
    assert_eq!(stored.len(), 2, "each decision waits for the audit's chain once: {stored:?}");
}

#[tokio::test]
async fn whoever_created_a_request_does_not_approve_it_also_in_both_roles() {
    let house = House::build().await;
    let mut both = house.store.user(house.signatory.id).await.unwrap();
    let credentials = crate::house::certificate("B. Begge", OWN);
    let certificate = hjemmel::signature::key::Certificate::from_der(credentials.leaf()).unwrap();
    both.id = uuid::Uuid::new_v4();
    both.person = both.id;
    both.roles = vec![Role::SystemResponsible, Role::Signatory];
    both.certificates = vec![(*certificate.thumbprint()).into()];
    let because = hjemmel::decisions::Because::new("prøve".to_owned(), hjemmel::clock::Clock::system().now());
    hjemmel::decisions::user::add(&house.store, None, &both, &[certificate], &because).await.unwrap();
    let both = crate::house::Who { id: both.id, credentials };
    let asked = house.requested(&both, OWN).await;
    is_problem(&house.decide(&both, &asked, "approve").await, 403, "ApiCreatorApproves");
    assert_eq!(house.decide(&house.signatory, &asked, "approve").await.status, 200, "another person may");
}

#[tokio::test]
async fn what_nobody_is_known_to_have_requested_is_approved_by_nobody() {
    let house = House::build().await;
    let file = format!(
        "[[agreement]]\nid = \"00000000-0000-4000-8000-000000000001\"\nside = \"back\"\nsystem = \"{SERVICE}\"\n\
         service = \"{SERVICE}\"\nauthority = \"{OWN}\"\nenvironment = \"exttest\"\nvalid_from = 2026-01-01T00:00:00+01:00\n\
         state = \"ANMODET\"\nlegal_basis = \"LUD § 8\"\npurpose = \"prøve\"\n"
    );
    let import = hjemmel::agreements::import::Import::parse(&file, &Default::default()).unwrap();
    house.store.import(&import, hjemmel::clock::Clock::system().now()).await.unwrap();
    let seen = value(&house.get(&house.signatory, "/api/v1/agreements/00000000-0000-4000-8000-000000000001").await);
    is_problem(&house.decide(&house.signatory, &seen, "approve").await, 409, "ApiCreatorUnknown");
}

#[tokio::test]
async fn each_role_decides_what_is_its_to_decide_and_no_more() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    for who in [&house.operator, &house.supplier, &house.owner, &house.responsible] {
        is_problem(&house.decide(who, &asked, "approve").await, 403, "ApiNotAllowed");
    }
    let auditor = user_of(&house.store, "R. Revisor", Kind::Person, Role::Auditor, Some(OWN)).await;
    for decision in ["approve", "reject", "withdraw"] {
        is_problem(&house.decide(&auditor, &asked, decision).await, 403, "ApiNotAllowed");
    }
    is_problem(&house.decide(&house.signatory, &asked, "withdraw").await, 403, "ApiNotAllowed");
    let approved = value(&house.decide(&house.signatory, &asked, "approve").await);
    let suspended = value(&house.decide(&house.operator, &approved, "suspend").await);
    assert_eq!(text(&suspended, "state"), "SUSPENDERET");
    is_problem(&house.decide(&house.owner, &suspended, "resume").await, 403, "ApiSuspendedAbove");
    let resumed = value(&house.decide(&house.operator, &suspended, "resume").await);
    let suspended = value(&house.decide(&house.owner, &resumed, "suspend").await);
    let resumed = value(&house.decide(&house.signatory, &suspended, "resume").await);
    let ended = value(&house.decide(&house.supplier, &resumed, "end").await);
    assert_eq!((text(&ended, "state"), ended["holds"].as_bool()), ("OPSAGT", Some(false)));
    is_problem(&house.decide(&house.owner, &ended, "suspend").await, 409, "ApiTransition");
}

#[tokio::test]
async fn a_system_neither_requests_nor_approves() {
    let house = House::build().await;
    let system = user_of(&house.store, "Fagsystem", Kind::System, Role::SupplierAdministrator, Some(COMPANY)).await;
    let answer = house.ask(&system, "POST", "/api/v1/agreements", &[], Some(&request(OWN))).await;
    is_problem(&answer, 403, "ApiPersonRequired");
    let signs = user_of(&house.store, "Robot", Kind::System, Role::Signatory, Some(OWN)).await;
    let asked = house.requested(&house.supplier, OWN).await;
    is_problem(&house.decide(&signs, &asked, "approve").await, 403, "ApiPersonRequired");
    assert_eq!(house.get(&signs, &format!("/api/v1/agreements/{}", text(&asked, "id"))).await.status, 200, "it may look");
}

#[tokio::test]
async fn another_authoritys_agreement_is_not_there_and_neither_is_another_suppliers() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let id = text(&asked, "id");
    let rival = user_of(&house.store, "K. Konkurrent", Kind::Person, Role::SupplierAdministrator, Some("99999992")).await;
    for stranger in [&house.other_signatory, &rival] {
        for path in [format!("/api/v1/agreements/{id}"), format!("/api/v1/agreements/{id}/decisions")] {
            is_problem(&house.get(stranger, &path).await, 404, "ApiNotFound");
        }
        is_problem(&house.decide(stranger, &asked, "approve").await, 404, "ApiNotFound");
        for path in ["/api/v1/agreements", &format!("/api/v1/agreements?authority={OWN}"), "/api/v1/agreements/export"] {
            let listed = house.get(stranger, path).await;
            assert!(listed.status == 200 && !listed.text().contains(id), "{path}: {}", listed.text());
        }
    }
    let unknown = house.get(&house.signatory, "/api/v1/agreements/00000000-0000-4000-8000-00000000ffff").await;
    let others = house.get(&house.other_signatory, &format!("/api/v1/agreements/{id}")).await;
    let told = |answer: &crate::wire::Answer| {
        let mut problem = value(answer);
        problem["instance"] = Value::Null;
        problem
    };
    assert_eq!(told(&unknown), told(&others), "nobody learns that it is there");
    let body = request(OTHER);
    is_problem(&house.ask(&house.responsible, "POST", "/api/v1/agreements", &[], Some(&body)).await, 403, "ApiOtherParty");
}

#[tokio::test]
async fn a_decision_is_on_what_was_read_and_shown_and_on_nothing_newer() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let path = format!("/api/v1/agreements/{}/decisions", text(&asked, "id"));
    let body = json!({"decision": "approve", "reason": "sag 7", "shown": asked["text_sha256"]});
    let decide =
        async |headers: &[(&str, &str)], body: &Value| house.ask(&house.signatory, "POST", &path, headers, Some(body)).await;
    is_problem(&decide(&[], &body).await, 428, "ApiPreconditionMissing");
    for broken in ["*", "W/\"a\"", "abc", "\"a\", \"b\"", ""] {
        is_problem(&decide(&[("if-match", broken)], &body).await, 400, "ApiHeaderInvalid");
    }
    is_problem(&decide(&[("if-match", "\"0000\"")], &body).await, 412, "ApiPreconditionFailed");
    let other = json!({"decision": "approve", "reason": "sag 7", "shown": "0".repeat(64)});
    is_problem(&decide(&[("if-match", text(&asked, "etag"))], &other).await, 409, "ApiShownDiffers");
    let rejected = house.decide(&house.signatory, &asked, "reject").await;
    assert_eq!(rejected.status, 200);
    is_problem(&decide(&[("if-match", text(&asked, "etag"))], &body).await, 412, "ApiPreconditionFailed");
    is_problem(&house.decide(&house.signatory, &value(&rejected), "approve").await, 409, "ApiTransition");
}

#[tokio::test]
async fn a_suspension_of_what_its_supplier_ended_is_lifted_by_the_operators_before_another_is_approved() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let id = text(&asked, "id").to_owned();
    let approved = value(&house.decide(&house.signatory, &asked, "approve").await);
    let stopped = value(&house.decide(&house.operator, &approved, "suspend").await);
    let list = value(&house.get(&house.supplier, &format!("/api/v1/agreements/{id}/ending")).await);
    let body = json!({"decision": "end", "reason": "sag 8", "shown": list["text_sha256"]});
    let path = format!("/api/v1/agreements/{id}/decisions");
    let headers = [("if-match", text(&stopped, "etag"))];
    let ended = house.ask(&house.supplier, "POST", &path, &headers, Some(&body)).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    let anew = house.requested(&house.supplier, OWN).await;
    is_problem(&house.decide(&house.signatory, &anew, "approve").await, 403, "ApiSuspendedAbove");
    is_problem(&house.decide(&house.signatory, &value(&ended), "resume").await, 403, "ApiSuspendedAbove");
    let lifted = house.decide(&house.operator, &value(&ended), "resume").await;
    assert_eq!((lifted.status, text(&value(&lifted), "state")), (200, "OPSAGT"), "it stays over: {}", lifted.text());
    is_problem(&house.decide(&house.operator, &value(&lifted), "resume").await, 409, "ApiTransition");
    assert_eq!(house.decide(&house.signatory, &anew, "approve").await.status, 200);
}

#[tokio::test]
async fn of_two_approvals_at_once_one_is_made() {
    let house = House::build().await;
    let second = user_of(&house.store, "V. Vikar", Kind::Person, Role::Signatory, Some(OWN)).await;
    for _ in 0..5 {
        let asked = house.requested(&house.supplier, OWN).await;
        let (one, other) =
            tokio::join!(house.decide(&house.signatory, &asked, "approve"), house.decide(&second, &asked, "reject"));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{} {}", one.text(), other.text());
        let made = house.store.made_on(Subject::Agreement, text(&asked, "id").parse().unwrap()).await.unwrap();
        assert_eq!(made.len(), 2, "the request and one decision");
    }
}

#[tokio::test]
async fn the_same_idempotency_key_does_a_thing_once_and_another_body_is_refused() {
    let house = House::build().await;
    let key = [("idempotency-key", "6f1c-7")];
    let ask = async |body: &Value| house.ask(&house.supplier, "POST", "/api/v1/agreements", &key, Some(body)).await;
    let (first, again) = (ask(&request(OWN)).await, ask(&request(OWN)).await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(house.store.list().await.unwrap().len(), 1, "it was done once");
    is_problem(&ask(&request(OTHER)).await, 422, "ApiKeyReused");
    let mut own = request(OWN);
    (own["system"], own["certificates"]) = (json!(OWN_SYSTEM), json!([thumbprint(OWN_SYSTEM)]));
    let others = house.ask(&house.responsible, "POST", "/api/v1/agreements", &key, Some(&own)).await;
    assert_eq!(others.status, 201, "another user's key is another key");
    for broken in ["", "a b", &"k".repeat(65), "nøgle"] {
        let (headers, body) = ([("idempotency-key", broken)], request(OWN));
        let answer = house.ask(&house.supplier, "POST", "/api/v1/agreements", &headers, Some(&body)).await;
        is_problem(&answer, 400, "ApiKeyInvalid");
    }
    let mut wrong = request(OWN);
    wrong["authority"] = json!("22222222");
    let refused = [("idempotency-key", "6f1c-8")];
    let ask = async |body: &Value| house.ask(&house.supplier, "POST", "/api/v1/agreements", &refused, Some(body)).await;
    is_problem(&ask(&wrong).await, 409, "ApiConflict");
    assert_eq!(ask(&request(OWN)).await.status, 201, "what changed nothing keeps no key");
}

#[tokio::test]
async fn of_one_request_sent_twice_at_once_both_are_answered_and_one_is_done() {
    let house = House::build().await;
    for number in 0..5 {
        let key = format!("samtidig-{number}");
        let headers = [("idempotency-key", key.as_str())];
        let body = request(OWN);
        let ask = async || house.ask(&house.supplier, "POST", "/api/v1/agreements", &headers, Some(&body)).await;
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!((one.status, other.status), (201, 201), "{} {}", one.text(), other.text());
        assert_eq!(one.body, other.body);
        assert_eq!(house.store.list().await.unwrap().len(), number + 1);
    }
    let asked = house.requested(&house.supplier, OWN).await;
    let path = format!("/api/v1/agreements/{}/decisions", text(&asked, "id"));
    let body = json!({"decision": "approve", "reason": "sag 7", "shown": asked["text_sha256"]});
    let headers = [("if-match", text(&asked, "etag")), ("idempotency-key", "beslutning")];
    let decide = async || house.ask(&house.signatory, "POST", &path, &headers, Some(&body)).await;
    let (one, other) = tokio::join!(decide(), decide());
    assert_eq!((one.status, other.status), (200, 200), "{} {}", one.text(), other.text());
    assert_eq!((&one.body, decide().await.body), (&other.body, one.body.clone()), "though the ETag is another by now");
}

#[tokio::test]
async fn what_a_request_does_is_not_kept_where_its_answer_cannot_be() {
    let house = House::build().await;
    let now = hjemmel::clock::Clock::system().now();
    let mut change = house.store.change().await.unwrap();
    let key = Key { user: house.supplier.id, name: "optaget".to_owned(), digest: String::new(), at: now };
    change.keep_answer(&key, "{}").await.unwrap();
    change.commit().await.unwrap();
    let because = hjemmel::decisions::Because::new("sag 1".to_owned(), now);
    let file = "[[agreement]]\nid = \"00000000-0000-4000-8000-000000000001\"\nside = \"front\"\n\
        system = \"00000000-0000-4000-8000-0000000000cc\"\nservice = \"3053ec89-31fe-4206-878b-bba6783d7a88\"\n\
        certificates = [\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]\n\
        authority = \"11111111\"\nenvironment = \"exttest\"\nvalid_from = 2026-01-01T00:00:00Z\nstate = \"ANMODET\"\n\
        legal_basis = \"LUD § 8\"\npurpose = \"prøve\"\n";
    let import =
        hjemmel::agreements::import::Import::parse(file, &Vocabulary { roles: vec!["municipality"], ..Vocabulary::default() })
            .unwrap();
    let signer = hjemmel::decisions::statement::Signer::new(&house.operator.credentials).unwrap();
    let answer = |_: &hjemmel::agreements::store::Imported| Ok("{}".to_owned());
    let kept = Some(hjemmel::decisions::Kept { key: &key, answer: &answer });
    let by = hjemmel::decisions::By::Key(&signer);
    let refused =
        hjemmel::decisions::agreement::request(&house.store, by, &import, &Default::default(), &because, kept).await.unwrap_err();
    assert!(refused.to_string().contains("ApiKeyPending"), "{refused}");
    assert!(house.store.list().await.unwrap().is_empty(), "neither the one nor the other");
    assert_eq!(house.store.forget_keys(now).await.unwrap(), 0);
    let later = now + hjemmel::users::keys::KEPT + jiff::SignedDuration::from_secs(1);
    assert_eq!(house.store.forget_keys(later).await.unwrap(), 1);
}

#[tokio::test]
async fn a_list_goes_on_page_by_page_and_a_cursor_of_another_list_is_refused() {
    let house = House::build().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(text(&house.requested(&house.supplier, OWN).await, "id").to_owned());
    }
    house.requested(&house.supplier, OTHER).await;
    made.sort();
    let (mut found, mut after) = (Vec::new(), String::new());
    let filter = format!("/api/v1/agreements?limit=2&authority={OWN}&state=ANMODET");
    loop {
        let page = value(&house.get(&house.supplier, &format!("{filter}{after}")).await);
        found.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id").to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(found, made);
    let first = value(&house.get(&house.supplier, &filter).await);
    let next = text(&first, "next");
    for (who, path) in [
        (&house.supplier, format!("/api/v1/agreements?limit=2&authority={OTHER}&after={next}")),
        (&house.operator, format!("{filter}&after={next}")),
        (&house.supplier, format!("{filter}&after=AAAA")),
        (&house.supplier, format!("{filter}&after={}", next.to_lowercase())),
        (&house.operator, format!("/api/v1/routes?after={next}")),
    ] {
        is_problem(&house.get(who, &path).await, 400, "ApiCursorInvalid");
    }
}

#[tokio::test]
async fn every_wrong_value_is_told_by_its_field_and_nothing_is_kept() {
    let house = House::build().await;
    for (field, wrong) in [
        ("side", json!("middle")),
        ("certificates", json!([])),
        ("certificates", json!(["abc"])),
        ("authority", json!("1111111")),
        ("environment", json!("Ext Test")),
        ("valid_from", json!("2026-01-01")),
        ("valid_to", json!("2025-01-01T00:00:00Z")),
        ("legal_basis", json!("")),
        ("purpose", json!("linje\r\nBcc: alle@example.org")),
        ("purpose", json!("skjult\u{202e}")),
        ("reason", json!("=HYPERLINK(\"x\")")),
        ("reason", json!("x".repeat(1001))),
        ("scope.unheard_of", Value::Null),
        ("scope.kle", Value::Null),
    ] {
        let mut body = request(OWN);
        match field {
            "scope.unheard_of" => body["scope"] = json!({"unheard_of": ["1"]}),
            "scope.kle" => body["scope"] = json!({"kle": ["not a number"]}),
            _ => body[field] = wrong.clone(),
        }
        let answer = house.ask(&house.supplier, "POST", "/api/v1/agreements", &[("accept-language", "en")], Some(&body)).await;
        is_problem(&answer, 422, "ApiFieldInvalid");
        assert!(text(&value(&answer), "title").contains(&format!("field {field} ")), "{field} {wrong}: {}", answer.text());
    }
    let mut body = request(OWN);
    body["valid_too"] = json!("2027-01-01T00:00:00Z");
    let answer = house.ask(&house.supplier, "POST", "/api/v1/agreements", &[], Some(&body)).await;
    is_problem(&answer, 422, "ApiFieldInvalid");
    assert!(house.store.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_alters_a_request_that_somebody_else_made() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let mut wider = request(OWN);
    (wider["id"], wider["purpose"]) = (asked["id"].clone(), json!("noget andet"));
    for (path, body) in [("/api/v1/agreements", wider.clone()), ("/api/v1/agreements/import", json!([wider]))] {
        is_problem(&house.ask(&house.responsible, "POST", path, &[], Some(&body)).await, 409, "ApiConflict");
    }
    let held = house.store.get(text(&asked, "id").parse().unwrap()).await.unwrap();
    assert_eq!(held.purpose, "prøve");
}

#[tokio::test]
async fn an_import_with_an_id_twice_or_with_several_reasons_brings_nothing_in() {
    let house = House::build().await;
    let import = async |body: &Value| house.ask(&house.supplier, "POST", "/api/v1/agreements/import", &[], Some(body)).await;
    let one = |id: &str, purpose: &str, reason: &str| {
        let mut one = request(OWN);
        (one["id"], one["purpose"], one["reason"]) = (json!(id), json!(purpose), json!(reason));
        one
    };
    let (first, second) = ("00000000-0000-4000-8000-000000000071", "00000000-0000-4000-8000-000000000072");
    let twice = json!([one(first, "prøve", "sag 1"), one(first, "noget andet", "sag 1")]);
    is_problem(&import(&twice).await, 409, "ApiConflict");
    let reasons = json!([one(first, "prøve", "sag 1"), one(second, "prøve", "sag 2")]);
    is_problem(&import(&reasons).await, 422, "ApiFieldInvalid");
    assert!(house.store.list().await.unwrap().is_empty());
    let done = import(&json!([one(first, "prøve", "sag 1"), one(second, "prøve", "sag 1")])).await;
    assert_eq!(value(&done), json!({"added": 2, "unchanged": 0}), "{}", done.text());
}

#[tokio::test]
async fn a_scope_that_names_something_twice_is_refused_rather_than_read_as_the_last() {
    let house = House::build().await;
    let plain = request(OWN).to_string();
    let body = plain.replacen('{', r#"{"scope": {"kle": ["32.03.04"], "kle": ["32.06.04"]}, "#, 1);
    let json = [("content-type", "application/json")];
    let answer = house.send(&house.supplier, "POST", "/api/v1/agreements", &json, body.clone().into()).await;
    is_problem(&answer, 422, "ApiFieldInvalid");
    let once = body.replacen(r#", "kle": ["32.06.04"]"#, "", 1);
    let answer = house.send(&house.supplier, "POST", "/api/v1/agreements", &json, once.into()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn what_is_exported_is_imported_again_as_requests_all_or_none() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    house.decide(&house.signatory, &asked, "approve").await;
    let csv = house.get(&house.supplier, "/api/v1/agreements/export?format=csv").await;
    assert!(csv.header("content-type").starts_with("text/csv"), "{}", csv.text());
    let text_of = csv.text();
    let fresh = text_of.replace(text(&asked, "id"), "00000000-0000-4000-8000-000000000077");
    let import = async |body: &str| {
        house.send(&house.supplier, "POST", "/api/v1/agreements/import", &[("content-type", "text/csv")], body.into()).await
    };
    let done = import(&fresh).await;
    assert_eq!(value(&done), json!({"added": 1, "unchanged": 0}), "{}", done.text());
    let brought = house.store.get("00000000-0000-4000-8000-000000000077".parse().unwrap()).await.unwrap();
    assert_eq!(brought.state.wire_name(), "ANMODET", "never GODKENDT, whatever the file says");
    let broken = fresh.replace("000000000077", "000000000078") + "x,y\r\n";
    is_problem(&import(&broken).await, 400, "ApiBodyUnreadable");
    let unknown = fresh.replacen("purpose", "porpoise", 1);
    is_problem(&import(&unknown).await, 422, "ApiFieldInvalid");
    assert_eq!(house.store.list().await.unwrap().len(), 2);
    let exported = value(&house.get(&house.supplier, "/api/v1/agreements/export").await);
    assert_eq!(exported.as_array().unwrap().len(), 2);
    let large = "a".repeat(BODY + 1);
    is_problem(&import(&large).await, 413, "ApiBodyTooLarge");
}
