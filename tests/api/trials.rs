//! Times for tests (`Proeve`) over the API.

use hjemmel::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::house::{House, OTHER, OWN, SERVICE, Who, is_problem, text, value};

const TRIALS: &str = "/api/v1/trials";

fn in_hours(hours: i64) -> String {
    let now: Timestamp = Clock::system().now();
    now.saturating_add(SignedDuration::from_hours(hours)).unwrap().to_string()
}

fn trial(authority: &str, opens_at: Option<String>, closes_at: String) -> Value {
    json!({"service": SERVICE, "authority": authority, "opens_at": opens_at, "closes_at": closes_at, "reason": "sag 7"})
}

#[tokio::test]
async fn a_time_is_opened_by_the_system_responsible_seen_by_the_authority_and_ended() {
    let house = House::build().await;
    let body = trial(OWN, None, in_hours(8));
    let open = async || house.ask(&house.responsible, "POST", TRIALS, &[("idempotency-key", "a")], Some(&body)).await;
    let opened = open().await;
    assert_eq!(opened.status, 201, "{}", opened.text());
    assert_eq!(open().await.text(), opened.text(), "sent again it is the same");
    let opened = value(&opened);
    assert_eq!((text(&opened, "stands"), text(&opened, "authority")), ("open", OWN));
    let kept = house.store.trials(SERVICE.parse().unwrap()).await.unwrap();
    assert_eq!(kept.iter().map(|trial| trial.id.to_string()).collect::<Vec<_>>(), [text(&opened, "id")]);
    let path = format!("{TRIALS}/{}", text(&opened, "id"));
    assert_eq!(value(&house.get(&house.signatory, &path).await), opened);
    is_problem(&house.get(&house.other_signatory, &path).await, 404, "ApiNotFound");
    assert_eq!(value(&house.get(&house.other_signatory, TRIALS).await)["items"], json!([]));
    is_problem(&house.get(&house.supplier, TRIALS).await, 403, "ApiNotAllowed");
    let end = async |who: &Who, headers: &[(&str, &str)]| {
        house.ask(who, "POST", &format!("{path}/end"), headers, Some(&json!({"reason": "prøven er slut"}))).await
    };
    let etag = [("if-match", text(&opened, "etag"))];
    is_problem(&end(&house.owner, &[]).await, 428, "ApiPreconditionMissing");
    is_problem(&end(&house.signatory, &etag).await, 403, "ApiNotAllowed");
    let ended = end(&house.owner, &etag).await;
    assert_eq!(text(&value(&ended), "stands"), "ended", "{}", ended.text());
    is_problem(&end(&house.owner, &etag).await, 412, "ApiPreconditionFailed");
    let ended = value(&ended);
    is_problem(&end(&house.owner, &[("if-match", text(&ended, "etag"))]).await, 409, "ApiConflict");
    let history = value(&house.get(&house.signatory, &format!("{path}/decisions")).await);
    let by: Vec<_> = history["items"].as_array().unwrap().iter().map(|made| text(made, "by")).collect();
    assert_eq!(by, ["A. Ansvarlig", "E. Ejer"]);
}

#[tokio::test]
async fn a_time_is_opened_for_ones_own_authority_by_who_may_and_no_longer_than_a_month() {
    let house = House::build().await;
    let open = async |who: &Who, body: &Value| house.ask(who, "POST", TRIALS, &[], Some(body)).await;
    is_problem(&open(&house.responsible, &trial(OTHER, None, in_hours(8))).await, 403, "ApiOtherParty");
    is_problem(&open(&house.owner, &trial(OWN, None, in_hours(8))).await, 403, "ApiNotAllowed");
    for (opens_at, closes_at) in [
        (None, in_hours(-1)),
        (Some(in_hours(5)), in_hours(4)),
        (None, in_hours(24 * 31 + 1)),
        (Some(in_hours(24 * 367)), in_hours(24 * 368)),
        (None, "2027-01-01".to_owned()),
        (Some("2027-01-01T00:00:00".to_owned()), in_hours(8)),
    ] {
        let refused = open(&house.operator, &trial(OWN, opens_at.clone(), closes_at.clone())).await;
        is_problem(&refused, 422, "ApiFieldInvalid");
        assert!(refused.text().contains("s_at"), "{opens_at:?} {closes_at}: {}", refused.text());
    }
    for _ in 0..20 {
        assert_eq!(open(&house.operator, &trial(OWN, None, in_hours(8))).await.status, 201);
    }
    is_problem(&open(&house.operator, &trial(OWN, None, in_hours(8))).await, 409, "ApiConflict");
    let page = value(&house.get(&house.signatory, &format!("{TRIALS}?service={SERVICE}&limit=15")).await);
    assert_eq!(page["items"].as_array().unwrap().len(), 15);
    let rest = value(&house.get(&house.signatory, &format!("{TRIALS}?service={SERVICE}&after={}", text(&page, "next"))).await);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (5, &Value::Null));
}
