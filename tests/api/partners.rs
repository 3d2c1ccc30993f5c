//! Partner agreements, their users and their files, decided over the API by two people.

use hjemmel::agreements::rules::Rule;
use hjemmel::store::sql;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{House, OTHER, OWN, Who, is_problem, text, value};

const REQUESTS: &str = "/api/v1/partner-requests";

fn terms(owner: &str, rest: &str) -> String {
    format!(
        "number = 'PA85858'\nowner = '{owner}'\nenvironment = 'test'\nlegal_basis = 'Lov § 1'\npurpose = 'løn'\n\
         contact = {{ email = 'loen@kommune.example', phone = '+45 00000000' }}\n{rest}"
    )
}

fn agreement(rest: &str) -> Value {
    json!({"what": "agreement", "terms": terms(OWN, rest), "reason": "sag 7"})
}

async fn ask(house: &House, who: &Who, body: &Value) -> Value {
    let answer = house.ask(who, "POST", REQUESTS, &[], Some(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    value(&answer)
}

fn decision(request: &Value, decision: &str) -> Value {
    json!({"decision": decision, "reason": "sag 8", "shown": text(request, "text_sha256")})
}

async fn approved(house: &House, body: &Value) {
    let request = ask(house, &house.operator, body).await;
    let path = format!("{REQUESTS}/{}/decisions", text(&request, "id"));
    let answer = house.ask(&house.signatory, "POST", &path, &[], Some(&decision(&request, "approve"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn an_agreement_is_asked_for_by_one_person_approved_by_another_and_suspended_by_one() {
    let house = House::build().await;
    let alias = "[[alias]]\nkind = 'LOENGRUPPE'\ncode = '4711'\nvalid_from = '2026-01-01'\n";
    let body = agreement(alias);
    let key = [("idempotency-key", "once")];
    let first = house.ask(&house.responsible, "POST", REQUESTS, &key, Some(&body)).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = house.ask(&house.responsible, "POST", REQUESTS, &key, Some(&body)).await;
    assert_eq!(again.text(), first.text(), "sent again it is the same");
    let request = value(&first);
    assert!(text(&request, "text").contains("4711") && text(&request, "state") == "ANMODET", "{request}");
    let path = format!("{REQUESTS}/{}", text(&request, "id"));
    assert_eq!(value(&house.get(&house.signatory, &path).await), request);
    is_problem(&house.get(&house.other_signatory, &path).await, 404, "ApiNotFound");
    assert_eq!(value(&house.get(&house.other_signatory, REQUESTS).await)["items"], json!([]));
    is_problem(&house.get(&house.signatory, "/api/v1/partners/PA85858").await, 404, "ApiNotFound");

    let decide = async |who: &Who, body: &Value| house.ask(who, "POST", &format!("{path}/decisions"), &[], Some(body)).await;
    is_problem(&decide(&house.responsible, &decision(&request, "approve")).await, 403, "ApiNotAllowed");
    is_problem(&decide(&house.other_signatory, &decision(&request, "approve")).await, 404, "ApiNotFound");
    let mut unseen = decision(&request, "approve");
    unseen["shown"] = json!("0".repeat(64));
    is_problem(&decide(&house.signatory, &unseen).await, 409, "ApiShownDiffers");
    let approved = decide(&house.signatory, &decision(&request, "approve")).await;
    assert_eq!((approved.status, text(&value(&approved), "state")), (200, "GODKENDT"), "{}", approved.text());
    is_problem(&decide(&house.signatory, &decision(&request, "reject")).await, 409, "ApiTransition");
    let history = value(&house.get(&house.signatory, &format!("{path}/decisions")).await);
    let by: Vec<_> = history["items"].as_array().unwrap().iter().map(|made| text(made, "by")).collect();
    assert_eq!(by, ["A. Ansvarlig", "U. Underskriver"]);

    let held = value(&house.get(&house.signatory, "/api/v1/partners/PA85858").await);
    let end = json!({"ending": "suspend", "reason": "sag 9", "shown": text(&held, "text_sha256")});
    is_problem(
        &house.ask(&house.other_signatory, "POST", "/api/v1/partners/PA85858/end", &[], Some(&end)).await,
        404,
        "ApiNotFound",
    );
    let ended = house.ask(&house.signatory, "POST", "/api/v1/partners/PA85858/end", &[], Some(&end)).await;
    assert_eq!(text(&value(&ended), "state"), "SUSPENDERET", "{}", ended.text());
}

#[tokio::test]
async fn whoever_asks_does_not_approve_by_another_user_and_whoever_blocks_does_not_unblock() {
    let house = House::build().await;
    approved(&house, &agreement("")).await;
    let user = json!({
        "what": "user", "user": "LOEN_1", "key": "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "rights": [{"number": "PA85858", "fetches": true, "delivers": true}], "reason": "sag 7"
    });
    approved(&house, &user).await;
    is_problem(&house.ask(&house.operator, "POST", REQUESTS, &[], Some(&user)).await, 409, "ApiConflict");
    let why = json!({"reason": "sag 9"});
    let block = async |who: &Who, name: &str| {
        house.ask(who, "POST", &format!("/api/v1/partner-users/{name}/block"), &[], Some(&why)).await
    };
    is_problem(&block(&house.signatory, "loen_1").await, 404, "ApiNotFound");
    is_problem(&block(&house.other_signatory, "LOEN_1").await, 404, "ApiNotFound");
    let blocked = block(&house.signatory, "LOEN_1").await;
    assert_eq!(text(&value(&blocked), "state"), "SPAERRET", "{}", blocked.text());
    let unblock = json!({"what": "unblock", "user": "LOEN_1", "reason": "sag 10"});
    let request = ask(&house, &house.operator, &unblock).await;
    let path = format!("{REQUESTS}/{}/decisions", text(&request, "id"));
    let refused = house.ask(&house.signatory, "POST", &path, &[], Some(&decision(&request, "approve"))).await;
    is_problem(&refused, 403, "ApiCreatorApproves");
    let taken_back = house.ask(&house.operator, "POST", &path, &[], Some(&decision(&request, "withdraw"))).await;
    assert_eq!(text(&value(&taken_back), "state"), "TRUKKET", "{}", taken_back.text());
}

#[tokio::test]
async fn a_request_that_waits_is_in_the_list_of_whoever_it_concerns_however_many_of_others_came_after_it() {
    let house = House::build().await;
    let listed = async |who: &Who| {
        let list = value(&house.get(who, REQUESTS).await);
        list["items"].as_array().unwrap().iter().map(|item| text(item, "id").to_owned()).collect::<Vec<_>>()
    };
    let decided_by = async |all: &[&Who], request: &Value| {
        let path = format!("{REQUESTS}/{}/decisions", text(request, "id"));
        for who in all {
            let answer = house.ask(who, "POST", &path, &[], Some(&decision(request, "approve"))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    };
    let approved_by = async |all: &[&Who], body: &Value| decided_by(all, &ask(&house, &house.operator, body).await).await;
    // A user of one authority's agreement that serves another's too: both approve its new key.
    let key = |letter: &str| format!("SHA256:{}", letter.repeat(43));
    let rights = |number: &str| json!([{"number": number, "fetches": true, "delivers": false}]);
    let others = terms(OTHER, "").replace("PA85858", "PA70001");
    approved_by(&[&house.signatory], &agreement("")).await;
    approved_by(&[&house.other_signatory], &json!({"what": "agreement", "terms": others, "reason": "sag 7"})).await;
    let user = json!({"what": "user", "user": "LOEN_1", "key": key("A"), "rights": rights("PA85858"), "reason": "sag 7"});
    approved_by(&[&house.signatory], &user).await;
    let serves = json!({"what": "rights", "user": "LOEN_1", "rights": rights("PA70001"), "reason": "sag 7"});
    // The user's own authority, which approves its first rights on another's agreement, has the request in its list too.
    let serves = ask(&house, &house.operator, &serves).await;
    assert_eq!(listed(&house.signatory).await, [text(&serves, "id")]);
    decided_by(&[&house.other_signatory, &house.signatory], &serves).await;
    let by_company = ask(&house, &house.supplier, &json!({"what": "delete-user", "user": "LOEN_1", "reason": "sag 8"})).await;
    let new_key = json!({"what": "new-key", "user": "LOEN_1", "key": key("E"), "reason": "sag 8"});
    let renewed = ask(&house, &house.operator, &new_key).await;
    let mut transaction = house.store.database().begin_beside_others().await.unwrap();
    for _ in 0..1001 {
        let insert = sql("INSERT INTO mailbox_request (id, authority, state, content, requested_us)
             VALUES ($1, '99999982', 'ANMODET', '{\"resume\":\"PA70002\"}', 1)");
        transaction.execute(insert.bind(Uuid::now_v7())).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let (deleted, renewed) = (text(&by_company, "id").to_owned(), text(&renewed, "id").to_owned());
    for who in [&house.signatory, &house.other_signatory] {
        assert_eq!(listed(who).await, [renewed.clone(), deleted.clone()]);
    }
    assert_eq!(listed(&house.supplier).await, [deleted]);
    assert_eq!(listed(&house.operator).await.len(), 1000);
}

#[tokio::test]
async fn what_cannot_be_is_told_by_its_field_and_line_and_never_by_what_stands_there() {
    let house = House::build().await;
    let number = "6105998888";
    for (body, status, code, place) in [
        (agreement(&format!("[[stream]]\ncode = 'A'\ndirection = '{number}'\n")), 422, "ApiFieldInvalid", "7"),
        (agreement("[[stream]]\ncode = 'A'\ndirection = 'UD'\nkeep_days = 31\n"), 422, "ApiFieldInvalid", "stream 1"),
        (json!({"what": "agreement", "reason": "x"}), 422, "ApiFieldInvalid", "terms"),
        (json!({"what": number, "reason": "x"}), 422, "ApiFieldInvalid", "what"),
        (json!({"what": "resume", "number": "PA85858", "reason": "x"}), 404, "ApiNotFound", ""),
        (json!({"what": "user", "user": "A", "rights": [], "reason": "x"}), 422, "ApiFieldInvalid", "certificate"),
        (json!({"what": "user", "user": "A B", "key": "x", "reason": "x"}), 422, "ApiFieldInvalid", "key"),
        (json!({"what": "unblock", "user": "NOBODY", "reason": "x"}), 404, "ApiNotFound", ""),
    ] {
        let answer = house.ask(&house.operator, "POST", REQUESTS, &[], Some(&body)).await;
        is_problem(&answer, status, code);
        assert!(answer.text().contains(place) && !answer.text().contains(number), "{body}: {}", answer.text());
    }
    let other = json!({"what": "agreement", "terms": terms("22222222", ""), "reason": "x"});
    is_problem(&house.ask(&house.responsible, "POST", REQUESTS, &[], Some(&other)).await, 403, "ApiOtherParty");
}

#[tokio::test]
async fn a_rule_that_a_stream_names_is_there_and_judges_when_it_is_asked_for_and_when_it_is_approved() {
    let house = House::build().await;
    let (vouchers, answers) = ("SF1590_A_IF02-03", "SF1590_A_IF04");
    let judged = |judges: &[&str]| {
        let owned = |all: &[&str]| all.iter().map(ToString::to_string).collect();
        let rule = Rule { inf_refs: owned(&[vouchers, answers]), judges: owned(judges), ..Rule::default() };
        house.rules.replace([(Uuid::new_v4(), rule)].into());
    };
    let of = |name: &str, direction: &str| {
        let stream = format!("[[stream]]\ncode = 'A'\ndirection = '{direction}'\n[stream.validator]\nnamed = '{name}'\n");
        agreement(&stream)
    };
    judged(&[vouchers]);
    for name in ["X_1", answers] {
        let refused = house.ask(&house.operator, "POST", REQUESTS, &[], Some(&of(name, "UD"))).await;
        is_problem(&refused, 422, "ApiFieldInvalid");
        assert!(refused.text().contains("stream 1, validator"), "{name}: {}", refused.text());
    }
    let request = ask(&house, &house.operator, &of(vouchers, "UD")).await;
    let path = format!("{REQUESTS}/{}/decisions", text(&request, "id"));
    let approve = async || house.ask(&house.signatory, "POST", &path, &[], Some(&decision(&request, "approve"))).await;
    judged(&[]);
    let refused = approve().await;
    is_problem(&refused, 422, "ApiFieldInvalid");
    assert!(refused.text().contains("stream 1, validator"), "{}", refused.text());
    judged(&[vouchers]);
    let approved = approve().await;
    assert_eq!(approved.status, 200, "{}", approved.text());
}

#[tokio::test]
async fn whoever_may_not_ask_has_no_schema_compiled_and_a_schema_that_grows_beyond_memory_is_refused() {
    let house = House::build().await;
    let levels = 8;
    let schema = format!(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='r'><xs:complexType>{}<xs:element name='e'/>{}\
         </xs:complexType></xs:element></xs:schema>",
        "<xs:sequence maxOccurs='16'>".repeat(levels),
        "</xs:sequence>".repeat(levels)
    );
    let stream = format!(
        "[[stream]]\ncode = 'A'\ndirection = 'UD'\n[stream.validator.schema]\nroot = 'r'\nentry = 'a.xsd'\n\
         [stream.validator.schema.documents]\n'a.xsd' = \"\"\"{schema}\"\"\"\n"
    );
    let of = |owner: &str| json!({"what": "agreement", "terms": terms(owner, &stream), "reason": "x"});
    let ask = async |who: &Who, body: Value| house.ask(who, "POST", REQUESTS, &[], Some(&body)).await;
    is_problem(&ask(&house.responsible, of("22222222")).await, 403, "ApiOtherParty");
    let refused = ask(&house.responsible, of(OWN)).await;
    is_problem(&refused, 422, "ApiFieldInvalid");
    assert!(refused.text().contains("stream 1, validator"), "{}", refused.text());
}

#[tokio::test]
async fn so_many_requests_of_one_asker_wait_and_no_more() {
    let house = House::build().await;
    let mut waiting = Vec::new();
    let refused = loop {
        let body = json!({"what": "agreement", "reason": "sag 7",
            "terms": terms(OWN, "").replace("PA85858", &format!("PA{:05}", waiting.len() + 1))});
        let answer = house.ask(&house.responsible, "POST", REQUESTS, &[], Some(&body)).await;
        if answer.status != 201 {
            break answer;
        }
        waiting.push(value(&answer));
        assert!(waiting.len() < 1000, "without an end");
    };
    is_problem(&refused, 409, "ApiConflict");
    assert_eq!(u64::try_from(waiting.len()).unwrap(), hjemmel::files::partner::request::MOST_WAITING);
    ask(&house, &house.operator, &agreement("")).await;
    let path = format!("{REQUESTS}/{}/decisions", text(&waiting[0], "id"));
    let decided = house.ask(&house.responsible, "POST", &path, &[], Some(&decision(&waiting[0], "withdraw"))).await;
    assert_eq!(decided.status, 200, "{}", decided.text());
    let body = json!({"what": "agreement", "terms": terms(OWN, ""), "reason": "sag 7"});
    ask(&house, &house.responsible, &body).await;
}
