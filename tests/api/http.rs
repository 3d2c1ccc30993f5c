//! What HTTP itself can get wrong: each gets a problem that says how to mend it.

use std::collections::BTreeSet;
use std::time::Duration;

use hjemmel::agreements::Store;
use hjemmel::config::EdgeLimits;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::house::{House, OWN, is_problem, pki, request, text, value};
use crate::tables;
use crate::wire::{self, Answer, Http, Sent};

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_a_problem() {
    let house = House::build().await;
    let who = &house.supplier;
    is_problem(&house.get(who, "/api/v1/agreement").await, 404, "ApiPathUnknown");
    is_problem(&house.get(who, "/").await, 404, "ApiPathUnknown");
    is_problem(&house.get(who, "/api/v1/agreements/not-an-id").await, 404, "ApiNotFound");
    let refused = house.ask(who, "DELETE", "/api/v1/agreements", &[], None).await;
    is_problem(&refused, 405, "ApiMethodNotAllowed");
    let allowed: BTreeSet<_> = refused.header("allow").split(',').map(str::trim).collect();
    assert!(allowed.is_superset(&["GET", "POST"].into()), "{allowed:?}");
    for query in [
        "?limit=0",
        "?limit=x",
        "?authority=1",
        "?state=godkendt",
        "?side=left",
        "?service=x",
        "?nonsense=1",
        "?limit=1&limit=2",
        "?environment=%ff",
    ] {
        let answer = house.get(who, &format!("/api/v1/agreements{query}")).await;
        is_problem(&answer, 400, "ApiQueryInvalid");
    }
    let post =
        async |headers: &[(&str, &str)], body: &[u8]| house.send(who, "POST", "/api/v1/agreements", headers, body.into()).await;
    let good = serde_json::to_vec(&request(OWN)).unwrap();
    is_problem(&post(&[], &good).await, 415, "ApiMediaType");
    is_problem(&post(&[("content-type", "text/xml")], &good).await, 415, "ApiMediaType");
    is_problem(&post(&[("content-type", "application/json; charset=iso-8859-1")], &good).await, 415, "ApiMediaType");
    is_problem(&post(&[("content-type", "application/json"), ("content-encoding", "gzip")], &good).await, 415, "ApiMediaType");
    let json = [("content-type", "application/json")];
    for broken in ["", "{", "[1,", "{\"a\":}", "\u{feff}{}"] {
        is_problem(&post(&json, broken.as_bytes()).await, 400, "ApiBodyUnreadable");
    }
    is_problem(&post(&json, b"\"\xff\"").await, 400, "ApiBodyUnreadable");
    for wrong in ["{}", "[]", "null", "{\"side\":1}"] {
        is_problem(&post(&json, wrong.as_bytes()).await, 422, "ApiFieldInvalid");
    }
    let twice = String::from_utf8(good.clone()).unwrap().replacen('{', "{\"purpose\":\"en anden\",", 1);
    is_problem(&post(&json, twice.as_bytes()).await, 422, "ApiFieldInvalid");
    is_problem(&post(&json, " ".repeat(300_000).as_bytes()).await, 413, "ApiBodyTooLarge");
    assert!(house.store.list().await.unwrap().is_empty(), "nothing of it was carried out");
}

/// A request whose body is announced with so many bytes, and is cut short after these.
async fn cut_short(house: &House, version: Http, announced: usize, bytes: &'static [u8]) -> Answer {
    let request = http::Request::post("/api/v1/agreements")
        .header("host", format!("localhost:{}", house.port))
        .header("content-type", "application/json")
        .header("content-length", announced);
    let mut stream = wire::tls(pki().root(), house.port, Some(&house.supplier.credentials), version).await;
    if version == Http::Two {
        return wire::send(stream, version, request.body(Sent::stalled(bytes)).unwrap()).await.unwrap();
    }
    let head: String =
        request.headers_ref().unwrap().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect();
    stream.write_all(format!("POST /api/v1/agreements HTTP/1.1\r\n{head}\r\n").as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    // The end of what is sent, while the answer is awaited.
    stream.shutdown().await.unwrap();
    let mut said = Vec::new();
    // A server that closes without TLS's own end has answered all the same.
    let _ = stream.read_to_end(&mut said).await;
    let said = String::from_utf8(said).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {said:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (http::HeaderName::try_from(name).unwrap(), http::HeaderValue::try_from(value).unwrap())
    };
    Answer { status, headers: lines.map(field).collect(), body: body.to_owned().into() }
}

#[tokio::test]
async fn a_body_that_is_cut_short_or_stops_is_a_problem_and_nothing_of_it_is_carried_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&tables::in_file(&dir.path().join("store.sqlite")).await).await.unwrap();
    let short = Duration::from_millis(200);
    let house = House::within(EdgeLimits { body_timeout: short, ..EdgeLimits::default() }, store, dir).await;
    // Cut off by the client, and stopped by it: the second is waited for, for as long as a body may take.
    for version in [Http::One, Http::Two] {
        let answer = cut_short(&house, version, 1000, b"{\"side\": \"front\", ").await;
        is_problem(&answer, 408, "ApiBodyIncomplete");
        assert_eq!(value(&answer)["retry"], true, "{}", answer.text());
    }
    assert!(house.store.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_problem_is_told_in_the_language_that_was_asked_for() {
    let house = House::build().await;
    for (asked, tag, says) in [("en", "en", "Find the address"), ("da", "da", "Find adressen"), ("fr", "da", "Find adressen")] {
        let answer = house.ask(&house.supplier, "GET", "/nowhere", &[("accept-language", asked)], None).await;
        assert_eq!(answer.header("content-language"), tag);
        assert!(text(&value(&answer), "detail").starts_with(says), "{}", answer.text());
    }
}

/// What stands within a list or a map of the contract without a bound of its own; its list's and the body's hold. Each is to go; none
/// may come.
const WITHIN_LISTS: [&str; 26] = [
    "AgreementRequest.categories items",
    "AgreementRequest.certificates items",
    "AgreementRequest.scope additionalProperties",
    "AgreementRequest.scope additionalProperties items",
    "AgreementRequest.scope propertyNames",
    "AgreementView.categories items",
    "AgreementView.certificates items",
    "AgreementView.differs items",
    "AgreementView.ends_with items",
    "AgreementView.scope propertyNames",
    "ConnectionRequest.options items",
    "ConnectionView.options items",
    "MailboxView.delivered items",
    "MailboxView.fetched items",
    "RequestForm.authorities items",
    "RequestForm.categories items",
    "RequestForm.certificates items",
    "RequestForm.depends_on items",
    "RequestedService.scope additionalProperties",
    "RequestedService.scope additionalProperties items",
    "RequestedService.scope propertyNames",
    "TableAbout.party_demanded items",
    "TableAbout.supplemented items",
    "TaskView.unstated items",
    "TaskView.waits_for items",
    "WhoAmI.roles items",
];

/// What a schema leaves without a bound, wherever it stands in it. A `uuid` and a `date-time` are bounded by their format. And what is one
/// of several without a name of its own, for which generated clients make one up.
fn unbounded(place: String, schema: &Value, found: &mut Vec<String>) {
    let Some(object) = schema.as_object() else { return };
    let is = |name: &str| match &schema["type"] {
        Value::String(kind) => kind == name,
        Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
        _ => false,
    };
    let free = schema.get("enum").is_some() || schema.get("const").is_some();
    let formatted = matches!(schema["format"].as_str(), Some("uuid" | "date-time" | "binary"));
    let bounded = (!is("string") || free || formatted || schema.get("maxLength").is_some())
        && (!(is("integer") || is("number")) || free || schema.get("maximum").is_some())
        && (!is("array") || schema.get("maxItems").is_some());
    if !bounded {
        found.push(place.clone());
    }
    for (name, inner) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        unbounded(format!("{place}.{name}"), inner, found);
    }
    for within in ["items", "additionalProperties", "propertyNames"] {
        if let Some(inner) = object.get(within) {
            unbounded(format!("{place} {within}"), inner, found);
        }
    }
    for within in ["oneOf", "anyOf", "allOf"] {
        for inner in object.get(within).and_then(Value::as_array).into_iter().flatten() {
            if within != "allOf" && inner.get("properties").is_some() {
                found.push(format!("{place} {within}: has no name"));
            }
            unbounded(format!("{place} {within}"), inner, found);
        }
    }
}

#[tokio::test]
async fn the_contract_describes_every_operation_response_and_bound() {
    let house = House::build().await;
    let contract = value(&house.get(&house.supplier, "/openapi.json").await);
    assert!(text(&contract, "openapi").starts_with("3.1"));
    let (mut operations, mut ids, mut found) = (0, BTreeSet::new(), Vec::new());
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            assert!(ids.insert(text(operation, "operationId").to_owned()), "{method} {path}: its id is its own");
            let takes_a_body = operation.get("requestBody").is_some();
            let of_a_body: &[&str] = if takes_a_body { &["408", "413", "415", "422"] } else { &[] };
            for status in ["400", "403", "404", "405", "500", "503"].iter().chain(of_a_body) {
                assert!(operation["responses"].get(status).is_some(), "{method} {path}: {status}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                unbounded(format!("{method} {path} {}", text(parameter, "name")), &parameter["schema"], &mut found);
            }
            let responses = operation["responses"].as_object().unwrap().values();
            for content in responses.chain(operation.get("requestBody")).filter_map(|body| body["content"].as_object()) {
                // What is no JSON, JSON as a whole in one text, or what can be had as a table too, is a file: its length is bounded, and of an
                // import's the description says how many it takes.
                let is_table = content.contains_key("text/csv");
                let is_file = |kind: &str, schema: &Value| !kind.ends_with("json") || is_table || schema["type"] == "string";
                for (kind, content) in content.iter().filter(|(kind, content)| !is_file(kind, &content["schema"])) {
                    unbounded(format!("{method} {path} {kind}"), &content["schema"], &mut found);
                }
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(!text(response, "description").is_empty(), "{method} {path} {status}");
                let problem = response["content"].get("application/problem+json").is_some();
                assert_eq!(problem, status.starts_with(['4', '5']), "{method} {path} {status}");
            }
        }
    }
    assert_eq!(operations, 85);
    let whole = contract.to_string();
    for named in whole.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(contract["components"]["schemas"].get(named).is_some(), "{named} is referred to and not there");
    }
    for (name, schema) in contract["components"]["schemas"].as_object().unwrap() {
        unbounded(name.clone(), schema, &mut found);
    }
    let (known, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|place| WITHIN_LISTS.contains(&place.as_str()));
    assert!(found.is_empty(), "without a bound: {found:?}");
    assert_eq!(known, WITHIN_LISTS, "what has a bound by now is struck from the list");
}

#[tokio::test]
async fn the_types_of_problems_are_described_in_both_languages() {
    let house = House::build().await;
    let kinds = value(&house.get(&house.supplier, "/api/v1/problems").await);
    let codes: BTreeSet<_> = kinds["items"].as_array().unwrap().iter().map(|kind| text(kind, "code").to_owned()).collect();
    let due: BTreeSet<_> = hjemmel::refusal::api::ApiRefusal::every().iter().map(|refusal| refusal.code().to_owned()).collect();
    assert_eq!(codes, due);
    assert_eq!(json!(kinds["items"].as_array().unwrap().len()), json!(codes.len()));
}
