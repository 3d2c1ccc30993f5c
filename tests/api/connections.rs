//! Connections over the API: what is next, whose it is, and who states that it is done.

use serde_json::{Value, json};

use crate::house::{COMPANY, House, OTHER, OWN, SERVICE, SYSTEM, Who, is_problem, text, value};
use crate::wire::Answer;

const CONNECTIONS: &str = "/api/v1/connections";

fn connection(authority: &str) -> Value {
    json!({
        "graph": "terminaladgang", "service": SERVICE, "environment": "exttest", "authority": authority,
        "client": SYSTEM, "client_supplier": COMPANY, "options": ["verification"], "reason": "sag 7"
    })
}

async fn add(house: &House, who: &Who, body: &Value) -> Answer {
    house.ask(who, "POST", CONNECTIONS, &[], Some(body)).await
}

fn state_of<'v>(tasks: &'v Value, id: &str) -> &'v str {
    text(tasks["tasks"].as_array().unwrap().iter().find(|task| task["id"] == id).unwrap(), "state")
}

#[tokio::test]
async fn a_connection_goes_step_by_step_and_each_party_sees_what_is_next() {
    let house = House::build().await;
    let added = add(&house, &house.supplier, &connection(OWN)).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let path = format!("{CONNECTIONS}/{}", text(&value(&added), "id"));
    assert_eq!(added.header("location"), path);
    let get = async || value(&house.get(&house.signatory, &path).await);
    // The company named the authority: nothing of it stands there before it has agreed.
    let unasked = get().await;
    assert_eq!((state_of(&unasked, "TA-USERS"), &unasked["connection"]["authority_consented_at"]), ("kept-back", &Value::Null));
    let turns = unasked["connection"]["next"].as_array().unwrap();
    assert!(turns.iter().all(|turn| state_of(&unasked, text(turn, "task")) != "kept-back"), "{turns:?}");
    let agrees = async |who: &Who| {
        let headers = [("if-match", text(&unasked, "etag"))];
        house.ask(who, "POST", &format!("{path}/consent"), &headers, Some(&json!({"reason": "sag 7"}))).await
    };
    is_problem(&agrees(&house.supplier).await, 403, "ApiOtherParty");
    assert_eq!(agrees(&house.responsible).await.status, 200);
    let before = get().await;
    assert_eq!(state_of(&before, "TA-USERS"), "seen");
    assert_eq!(state_of(&before, "TA-FRONT-OK"), "waiting");
    let next: Vec<_> =
        before["connection"]["next"].as_array().unwrap().iter().map(|turn| (text(turn, "task"), text(turn, "whose"))).collect();
    assert_eq!(next, [("TA-INSTRUCTION", OWN)], "the system is registered with its certificate");

    let state = async |who: &Who, task: &str, etag: &str| {
        let body = json!({"task": task, "reference": "databehandleraftale 12", "reason": "sag 7"});
        house.ask(who, "POST", &format!("{path}/statements"), &[("if-match", etag)], Some(&body)).await
    };
    let etag = text(&before, "etag");
    is_problem(&state(&house.signatory, "TA-INSTRUCTION", etag).await, 409, "ApiConflict");
    is_problem(&state(&house.other_signatory, "TA-INSTRUCTION", etag).await, 404, "ApiNotFound");
    is_problem(&state(&house.owner, "TA-BACK", etag).await, 409, "ApiConflict");
    let stated = state(&house.owner, "TA-INSTRUCTION", etag).await;
    assert_eq!(stated.status, 200, "{}", stated.text());
    assert_eq!(state_of(&value(&stated), "TA-INSTRUCTION"), "stated");
    is_problem(&state(&house.owner, "TA-INSTRUCTION", etag).await, 412, "ApiPreconditionFailed");

    // What is requested and approved is seen by itself.
    let agreement = house.requested(&house.supplier, OWN).await;
    let requested = get().await;
    assert_eq!((state_of(&requested, "TA-FRONT"), state_of(&requested, "TA-FRONT-OK")), ("seen", "ready"));
    assert_eq!(house.decide(&house.signatory, &agreement, "approve").await.status, 200);
    let approved = get().await;
    assert_eq!(state_of(&approved, "TA-FRONT-OK"), "seen");

    let body = json!({"task": "TA-BACK-OK", "person": house.signatory.id, "due": "2027-01-31", "wave": 3, "reason": "sag 7"});
    let given = async |who: &Who, body: &Value| {
        house.ask(who, "POST", &format!("{path}/assignments"), &[("if-match", text(&approved, "etag"))], Some(body)).await
    };
    let stranger = json!({"task": "TA-BACK-OK", "person": house.other_signatory.id, "reason": "sag 7"});
    is_problem(&given(&house.responsible, &stranger).await, 409, "ApiConflict");
    let given = value(&given(&house.responsible, &body).await);
    let task = given["tasks"].as_array().unwrap().iter().find(|task| task["id"] == "TA-BACK-OK").unwrap().clone();
    assert_eq!((text(&task, "due"), &task["wave"]), ("2027-01-31", &json!(3)));

    let withdrawal = json!({"task": "TA-INSTRUCTION", "reason": "sag 8"});
    let withdrawn = house
        .ask(&house.owner, "POST", &format!("{path}/withdrawals"), &[("if-match", text(&given, "etag"))], Some(&withdrawal))
        .await;
    assert_eq!(state_of(&value(&withdrawn), "TA-INSTRUCTION"), "ready", "{}", withdrawn.text());
    let history = value(&house.get(&house.signatory, &format!("{path}/decisions")).await);
    let made: Vec<_> = history["items"].as_array().unwrap().iter().map(|made| text(made, "to").to_owned()).collect();
    let assigned = format!("TA-BACK-OK assigned to {} due 2027-01-31 wave 3", house.signatory.id);
    assert_eq!(made, ["added", "consented for authority", "TA-INSTRUCTION stated", &assigned, "TA-INSTRUCTION withdrawn"]);
    let picture = house.get(&house.signatory, &format!("{path}/picture")).await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(picture.text().starts_with("<svg") && picture.text().contains("TA-BACK-OK"));
}

#[tokio::test]
async fn each_sees_its_own_connections_a_page_at_a_time_and_adds_them_for_itself_alone() {
    let house = House::build().await;
    is_problem(&add(&house, &house.responsible, &connection(OTHER)).await, 403, "ApiOtherParty");
    is_problem(&add(&house, &house.owner, &connection(OWN)).await, 403, "ApiNotAllowed");
    let mut wrong = connection(OWN);
    wrong["options"] = json!(["straks"]);
    is_problem(&add(&house, &house.responsible, &wrong).await, 422, "ApiFieldInvalid");
    wrong["graph"] = json!("nothing");
    is_problem(&add(&house, &house.responsible, &wrong).await, 422, "ApiFieldInvalid");
    for authority in [OWN, OTHER] {
        assert_eq!(add(&house, &house.operator, &connection(authority)).await.status, 201);
        is_problem(&add(&house, &house.operator, &connection(authority)).await, 409, "ApiConflict");
    }
    let authorities = async |who: &Who, query: &str| {
        let page = value(&house.get(who, &format!("{CONNECTIONS}{query}")).await);
        let items = page["items"].as_array().unwrap().iter().map(|one| text(one, "authority").to_owned()).collect::<Vec<_>>();
        (items, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(authorities(&house.signatory, "").await.0, [OWN]);
    assert_eq!(authorities(&house.other_signatory, "").await.0, [OTHER]);
    assert_eq!(authorities(&house.supplier, "").await.0, [OWN, OTHER]);
    let (first, next) = authorities(&house.operator, "?limit=1").await;
    let (second, end) = authorities(&house.operator, &format!("?limit=1&after={}", next.unwrap())).await;
    assert_eq!((first, second, end), (vec![OWN.to_owned()], vec![OTHER.to_owned()], None));
    assert_eq!(authorities(&house.operator, &format!("?authority={OTHER}&environment=exttest")).await.0, [OTHER]);
}
