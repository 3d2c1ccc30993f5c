//! What the contract forbids is refused, though Rust's readers would understand it.

use hjemmel::agreements::Store;
use hjemmel::config::EdgeLimits;
use serde_json::{Value, json};

use crate::house::{House, OTHER, OWN, SERVICE, is_problem, pki, request, text, value};
use crate::tables;

async fn requested(house: &House, body: &Value) -> crate::wire::Answer {
    house.ask(&house.supplier, "POST", "/api/v1/agreements", &[], Some(body)).await
}

#[tokio::test]
async fn a_request_with_a_value_of_another_form_than_the_contract_says_is_refused() {
    let house = House::build().await;
    for (field, values) in [
        (
            "id",
            vec![json!("{5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a}"), json!("5a0c7b526a5e4b0e9d530a1f3c6b100a"), json!(""), json!(7)],
        ),
        (
            "system",
            vec![
                json!("urn:uuid:5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b100a"),
                json!("5a0c7b526a5e4b0e9d530a1f3c6b100a"),
                json!([90, 12]),
            ],
        ),
        ("service", vec![json!("3053ec8931fe4206878bbba6783d7a88"), json!(null), json!({})]),
        ("side", vec![json!("Front"), json!({"front": null}), json!(null), json!(["front"])]),
        (
            "authority",
            vec![json!(11111111), json!("١١١١١١١١"), json!(" 11111111"), json!("11111111\n"), json!("011111111"), json!(1.0)],
        ),
        ("environment", vec![json!(""), json!("exttest "), json!("æ"), json!("e".repeat(33)), json!(true)]),
        (
            "valid_from",
            vec![
                json!("20260101T000000Z"),
                json!("2026-01-01 00:00:00Z"),
                json!("2026-01-01T00:00Z"),
                json!("2026-01-01T00:00:00+01"),
                json!("2026-01-01T00:00:00+01:00[Europe/Copenhagen]"),
                json!("2026-01-01T00:00:00,5Z"),
                json!(""),
                json!(1767222000),
                json!(null),
            ],
        ),
        ("valid_to", vec![json!(""), json!("2027-01-01"), json!(0), json!(false)]),
        (
            "certificates",
            vec![
                json!(null),
                json!("e3b0"),
                json!({}),
                json!([null]),
                json!([17]),
                json!(vec![crate::house::thumbprint(crate::house::SYSTEM); 17]),
            ],
        ),
        (
            "purpose",
            vec![
                json!(""),
                json!(null),
                json!(7),
                json!("a".repeat(1001)),
                json!(format!("a{}", " ".repeat(1000))),
                json!(["prøve"]),
            ],
        ),
        (
            "scope",
            vec![
                json!(null),
                json!([]),
                json!([["kle", ["32.03.04"]]]),
                json!({"kle": "32.03.04"}),
                json!({"kle": null}),
                json!({"kle": [32]}),
            ],
        ),
        ("more", vec![json!(null), json!("x")]),
    ] {
        for wrong in values {
            let mut body = request(OWN);
            body[field] = wrong.clone();
            let answer = requested(&house, &body).await;
            assert_eq!(answer.status, 422, "{field} {wrong}: {}", answer.text());
            is_problem(&answer, 422, "ApiFieldInvalid");
        }
    }
    assert!(house.store.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_text_is_as_long_as_its_characters_and_an_upper_case_uuid_is_one() {
    let house = House::build().await;
    let mut body = request(OWN);
    body["purpose"] = json!("æ".repeat(1000));
    body["system"] = json!(crate::house::SYSTEM.to_uppercase());
    body["valid_from"] = json!("2026-01-01t00:00:00.5z");
    (body["id"], body["valid_to"]) = (json!(null), json!(null));
    let answer = requested(&house, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn a_list_of_values_is_no_object_and_an_object_is_no_name() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let path = format!("/api/v1/agreements/{}/decisions", text(&asked, "id"));
    let shown = &asked["text_sha256"];
    for body in [
        json!(["withdraw", "sag 7", shown]),
        json!({"decision": {"withdraw": null}, "reason": "sag 7", "shown": shown}),
        json!({"decision": ["withdraw"], "reason": "sag 7", "shown": shown}),
        json!({"decision": "Withdraw", "reason": "sag 7", "shown": shown}),
        json!({"decision": "withdraw", "reason": "sag 7", "shown": shown, "more": 1}),
        json!([{"decision": "withdraw", "reason": "sag 7", "shown": shown}]),
        json!("withdraw"),
        json!(null),
    ] {
        let answer = house.ask(&house.supplier, "POST", &path, &[("if-match", text(&asked, "etag"))], Some(&body)).await;
        is_problem(&answer, 422, "ApiFieldInvalid");
    }
    let values = ["id", "side", "system", "certificates", "service", "authority", "environment", "valid_from", "valid_to"];
    let rest = ["legal_basis", "purpose", "scope", "reason"];
    let mut whole = request(OWN);
    (whole["id"], whole["valid_to"], whole["scope"]) = (json!(null), json!(null), json!({}));
    let listed: Vec<Value> = values.iter().chain(&rest).map(|name| whole[*name].clone()).collect();
    for (path, body) in [("/api/v1/agreements", json!(listed)), ("/api/v1/agreements/import", json!([listed]))] {
        is_problem(&house.ask(&house.supplier, "POST", path, &[], Some(&body)).await, 422, "ApiFieldInvalid");
    }
    assert_eq!(requested(&house, &whole).await.status, 201, "the same values as an object");
}

#[tokio::test]
async fn a_query_that_the_contract_does_not_have_is_refused_wherever_it_stands() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let id = text(&asked, "id");
    let simple = id.replace('-', "");
    let system = "00000000-0000-4000-8000-0000000000aa".replace('-', "");
    for path in [
        "/api/v1/whoami?x=1".to_owned(),
        "/api/v1/authorities?authority=11111111".to_owned(),
        "/api/v1/problems?lang=da".to_owned(),
        "/openapi.json?x".to_owned(),
        format!("/api/v1/agreements/{id}?fields=id"),
        format!("/api/v1/agreements/{id}/decisions?limit=1"),
        "/api/v1/agreements?limit=05".to_owned(),
        "/api/v1/agreements?limit=5.0".to_owned(),
        "/api/v1/agreements?limit=".to_owned(),
        "/api/v1/agreements?limit=5&limit=5".to_owned(),
        "/api/v1/agreements?authorty=11111111".to_owned(),
        "/api/v1/agreements?Authority=11111111".to_owned(),
        "/api/v1/agreements?authority=".to_owned(),
        "/api/v1/agreements?authority=%FF1111111".to_owned(),
        "/api/v1/agreements?authority[]=11111111".to_owned(),
        "/api/v1/agreements?side=null".to_owned(),
        "/api/v1/agreements?state=anmodet".to_owned(),
        format!("/api/v1/agreements?system={system}"),
        format!("/api/v1/agreements?system=%7B{system}%7D"),
        format!("/api/v1/agreements?service=urn:uuid:{SERVICE}"),
        "/api/v1/agreements/export?format=JSON".to_owned(),
        "/api/v1/agreements/export?format=json&x=1".to_owned(),
        "/api/v1/routes?service=".to_owned(),
        format!("/api/v1/receiver?service={SERVICE}&sender={OTHER}&receiver={OWN}&environment=exttest&on=20260601"),
        format!("/api/v1/receiver?service={SERVICE}&sender={OTHER}&receiver={OWN}&environment=exttest&on=2026-06-01T00:00:00Z"),
        format!("/api/v1/receiver?service={SERVICE}&sender={OTHER}&receiver={OWN}"),
    ] {
        is_problem(&house.get(&house.operator, &path).await, 400, "ApiQueryInvalid");
    }
    let body = request(OWN);
    let asked = house.ask(&house.supplier, "POST", "/api/v1/agreements?dry_run=true", &[], Some(&body)).await;
    is_problem(&asked, 400, "ApiQueryInvalid");
    for path in [
        format!("/api/v1/agreements/{simple}"),
        format!("/api/v1/agreements/%7B{id}%7D"),
        format!("/api/v1/agreements/urn:uuid:{id}"),
    ] {
        is_problem(&house.get(&house.supplier, &path).await, 404, "ApiNotFound");
    }
    assert_eq!(house.store.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_route_is_told_in_the_contracts_forms_alone() {
    let house = House::build().await;
    let root = hjemmel::pem::encode("CERTIFICATE", pki().root()).to_string();
    let good = json!({
        "service": SERVICE, "environment": "exttest", "sender": OTHER, "receiver": OWN, "valid_from": "2026-01-01",
        "system": "00000000-0000-4000-8000-0000000000bb", "address": "https://192.0.2.7/modtag", "entity_id": "urn:example:modtager",
        "roots": root, "reason": "sag 9"
    });
    for (field, values) in [
        (
            "valid_from",
            vec![
                json!("20260101"),
                json!("2026-1-1"),
                json!("2026-01-01T00:00:00Z"),
                json!("2026-W01-1"),
                json!(""),
                json!(null),
            ],
        ),
        ("valid_to", vec![json!(""), json!("2027-01-01[u-ca=iso8601]")]),
        ("sender", vec![json!("Every"), json!(""), json!(null), json!(22222222)]),
        (
            "address",
            vec![
                json!("https://192.0.2.7/æ"),
                json!("https://192.0.2.7/a b"),
                json!("https://192.0.2.7/{id}"),
                json!("https://192.0.2.7/%zz"),
                json!("HTTPS//x"),
                json!(""),
            ],
        ),
        ("entity_id", vec![json!(""), json!("urn:a\u{200b}b"), json!("urn:a b"), json!("urn:æ")]),
        ("roots", vec![json!(""), json!(null), json!([root]), json!(format!("{}{root}", "x".repeat(200_000)))]),
        ("replace", vec![json!(null), json!("true"), json!(1), json!(0)]),
        ("system", vec![json!("00000000000040008000000000000bb0")]),
    ] {
        for wrong in values {
            let mut body = good.clone();
            body[field] = wrong.clone();
            let answer = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&body)).await;
            assert_eq!(answer.status, 422, "{field} {wrong}: {}", answer.text());
            is_problem(&answer, 422, "ApiFieldInvalid");
        }
    }
    let added = house.ask(&house.operator, "POST", "/api/v1/routes", &[], Some(&good)).await;
    assert_eq!(added.status, 201, "{}", added.text());
}

#[tokio::test]
async fn a_body_is_of_the_media_type_that_the_contract_names() {
    let house = House::build().await;
    let body = request(OWN).to_string();
    for (kind, taken) in [
        ("application/json", true),
        ("Application/JSON; Charset=\"UTF-8\"", true),
        ("application/json; charset=latin1", false),
        ("application/json; charset=utf-16", false),
        ("application/json; x=utf-8; charset=us-ascii", false),
        ("application/merge-patch+json", false),
        ("text/json", false),
        ("text/plain", false),
        ("", false),
    ] {
        let answer =
            house.send(&house.supplier, "POST", "/api/v1/agreements", &[("content-type", kind)], body.clone().into()).await;
        assert_eq!(answer.status, if taken { 201 } else { 415 }, "{kind}: {}", answer.text());
        if !taken {
            is_problem(&answer, 415, "ApiMediaType");
        }
    }
    for encoded in ["gzip", "identity"] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoded)];
        let answer = house.send(&house.supplier, "POST", "/api/v1/agreements", &headers, body.clone().into()).await;
        is_problem(&answer, 415, "ApiMediaType");
    }
}

#[tokio::test]
async fn an_overload_is_a_problem_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&tables::in_file(&dir.path().join("store.sqlite")).await).await.unwrap();
    let house = House::within(EdgeLimits { concurrent_requests: 0, ..EdgeLimits::default() }, store, dir).await;
    let answer = house.ask(&house.operator, "GET", "/api/v1/whoami", &[("accept-language", "en")], None).await;
    is_problem(&answer, 503, "ApiOverloaded");
    assert_eq!((answer.header("retry-after"), answer.header("content-language")), ("1", "en"));
    assert_eq!(value(&answer)["retry"], true);
}

/// A field or a value that stands where another is wanted: a person's, and in the words of the reader's own sentences.
const SENT: &str = "Jens Jensen 6101801234, expected `hemmeligt` at line 7";

#[tokio::test]
async fn no_operation_repeats_a_name_or_a_value_that_it_does_not_take_and_each_says_what_it_takes() {
    let house = House::build().await;
    let contract = value(&house.get(&house.operator, "/openapi.json").await);
    let schema =
        |reference: &Value| contract["components"]["schemas"][text(reference, "$ref").rsplit('/').next().unwrap()].clone();
    let (mut asked, mut refused) = (0, 0);
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let content = &operation["requestBody"]["content"]["application/json"]["schema"];
            let Some(object) = [content, &content["items"]].into_iter().find(|schema| schema["$ref"].is_string()) else {
                continue;
            };
            let listed = content["items"]["$ref"].is_string();
            let path: Vec<_> = path
                .split('/')
                .map(|part| if part.starts_with('{') { "3053ec89-31fe-4206-878b-bba6783d7a88" } else { part })
                .collect();
            let fields = schema(object)["properties"].as_object().cloned().unwrap_or_default();
            let mut bodies = vec![json!({SENT: SENT}), json!(SENT), json!([SENT])];
            // Of each field the value that is wrong for whatever it may be: a number for texts, an object for numbers.
            bodies.extend(fields.iter().map(|(name, of)| match of["type"] == "string" {
                true => json!({name: 6_101_801_234_u64}),
                false => json!({name: {SENT: SENT}}),
            }));
            for body in bodies {
                let body = if listed { json!([body]) } else { body };
                let headers = [("if-match", "\"x\""), ("accept-language", if asked % 2 == 0 { "da" } else { "en" })];
                let answer = house.ask(&house.operator, &method.to_uppercase(), &path.join("/"), &headers, Some(&body)).await;
                let said = answer.text();
                asked += 1;
                refused += usize::from(answer.status == 422);
                assert!((400..500).contains(&answer.status), "{method} {path:?} {body}: {said}");
                for sent in ["Jens", "6101801234", "hemmeligt", "line 7"] {
                    assert!(!said.contains(sent), "{method} {path:?} {body}: {said}");
                }
            }
        }
    }
    println!("{asked} bodies, of which {refused} were refused for a field");
    assert!(asked > 100 && refused * 2 > asked, "{refused} of {asked}");
}

/// Of a list of numbers a generated client sends the numbers as JSON, and no such client could deliver a file.
#[tokio::test]
async fn what_is_not_json_is_a_text_or_bytes_in_the_contract() {
    let house = House::build().await;
    let contract = value(&house.get(&house.operator, "/openapi.json").await);
    let (mut texts, mut bytes) = (0, 0);
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let answers = operation["responses"].as_object().into_iter().flat_map(|answers| answers.values());
            let contents = answers.chain([&operation["requestBody"]]).filter_map(|body| body["content"].as_object());
            for (kind, media) in contents.flatten().filter(|(kind, _)| !kind.ends_with("json")) {
                let schema = &media["schema"];
                assert_eq!(schema["type"], "string", "{method} {path} {kind}: {schema}");
                if kind == "application/octet-stream" {
                    assert_eq!(schema["format"], "binary", "{method} {path}: {schema}");
                    bytes += 1;
                } else {
                    texts += 1;
                }
            }
        }
    }
    assert!(bytes >= 3 && texts > 0, "{bytes} of bytes, {texts} texts");
}
