//! Value lists and who gets them, over the API.

use hjemmel::clock::{Clock, civil_day};
use hjemmel::decisions::shown::sha256;
use hjemmel::users::Kind;
use hjemmel::users::rights::Role;
use jiff::Span;
use serde_json::{Value, json};

use crate::house::{House, OTHER, OWN, SERVICE, Who, is_problem, text, user_of, value};
use crate::wire::Answer;

const LIST: &str = "1c5b4a56-0b9e-4d0f-8f5c-5a0f1590a001";
const LISTS: &str = "/api/v1/value-lists";
const SUBSCRIPTIONS: &str = "/api/v1/value-list-subscriptions";

/// The day so many days from now, in Copenhagen.
fn in_days(days: i32) -> String {
    civil_day(Clock::system().now()).unwrap().saturating_add(Span::new().days(days)).to_string()
}

/// A version that holds in two months, with these codes of Art, common or an authority's.
fn version(name: &str, authority: Option<&str>, codes: &[&str]) -> Value {
    let own = authority.map_or_else(String::new, |cvr| format!("<Myndighed>{cvr}</Myndighed>"));
    let codes: String =
        codes.iter().map(|code| format!("<Element><Kode>{code}</Kode><Navn>ydelse {code}</Navn></Element>")).collect();
    let from = in_days(60);
    let xml = format!(
        "<Sortiment xmlns=\"urn:hjemmel:oekonomi:sortiment:1\"><UUID>{LIST}</UUID><Navn>Sociale ydelser</Navn><Version>{name}</Version>\
         <GyldigFra>{from}</GyldigFra>{own}<Delsortiment navn=\"Art\" kanSuppleres=\"true\">{codes}</Delsortiment></Sortiment>"
    );
    json!({"service": SERVICE, "format": "xml", "content": xml, "reason": "sag 6"})
}

/// The house, and another operator: two persons stand behind a list.
async fn house() -> (House, Who) {
    let house = House::build().await;
    let colleague = user_of(&house.store, "K. Kollega", Kind::Person, Role::Operator, None).await;
    (house, colleague)
}

impl House {
    async fn imported(&self, who: &Who, body: &Value) -> Value {
        let answer = self.ask(who, "POST", LISTS, &[], Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        value(&answer)
    }

    async fn version(&self, who: &Who, id: &str) -> Value {
        value(&self.get(who, &format!("{LISTS}/{id}")).await)
    }

    /// Publishes what was imported, as it is shown.
    async fn publish(&self, who: &Who, imported: &Value, sooner: bool) -> Answer {
        let id = text(imported, "id");
        let shown = self.version(who, id).await["text_sha256"].clone();
        let body = json!({"reason": "sag 7", "shown": shown, "sooner": sooner});
        self.ask(who, "POST", &format!("{LISTS}/{id}/publish"), &[("if-match", text(imported, "etag"))], Some(&body)).await
    }

    async fn listed(&self, who: &Who, query: &str) -> Vec<String> {
        let answer = self.get(who, &format!("{LISTS}{query}")).await;
        let page = value(&answer);
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{}", answer.text()));
        items.iter().map(|item| text(item, "version").to_owned()).collect()
    }
}

#[tokio::test]
async fn a_list_that_one_person_imports_is_published_by_another_who_was_shown_it() {
    let (house, colleague) = house().await;
    let imported = house.imported(&house.operator, &version("2027.1", None, &["22.0", "29.1"])).await;
    let id = text(&imported, "id");
    assert_eq!((text(&imported, "stands"), text(&imported, "service")), ("draft", SERVICE));
    let path = format!("{LISTS}/{id}");
    is_problem(&house.get(&house.responsible, &path).await, 404, "ApiNotFound");
    let shown = house.get(&colleague, &format!("{path}/text")).await;
    assert!(shown.text().contains("<Kode>29.1</Kode>") && shown.text().contains("against nothing"), "{}", shown.text());
    let seen = house.version(&colleague, id).await;
    assert_eq!(text(&seen, "text_sha256"), sha256(&shown.text()));
    assert_eq!(seen["parts"], json!([{"name": "Art", "supplemented": true, "party_demanded": false, "codes": 2}]));
    is_problem(&house.publish(&house.operator, &imported, false).await, 403, "ApiImporterPublishes");
    let published = house.publish(&colleague, &imported, false).await;
    assert_eq!(published.status, 200, "{}", published.text());
    let published = value(&published);
    assert_eq!((&published["ahead"], text(&published["version"], "stands")), (&json!(60), "published"));
    assert_eq!(house.listed(&house.responsible, "?state=published").await, ["2027.1"], "it is everybody's now");
    assert_eq!(house.listed(&house.supplier, "").await, ["2027.1"]);
    let history = value(&house.get(&house.responsible, &format!("{path}/decisions")).await);
    let told: Vec<_> = history["items"].as_array().unwrap().iter().map(|made| (text(made, "to"), text(made, "by"))).collect();
    assert_eq!(told, [("draft", "O. Drift"), ("published", "K. Kollega")]);
    assert_eq!(history["items"][1]["proof"]["user"], colleague.id.to_string());
}

#[tokio::test]
async fn a_publication_is_of_what_was_shown_and_of_nothing_else() {
    let (house, colleague) = house().await;
    let imported = house.imported(&house.operator, &version("2027.1", None, &["22.0"])).await;
    let path = format!("{LISTS}/{}/publish", text(&imported, "id"));
    let shown = house.version(&colleague, text(&imported, "id")).await["text_sha256"].clone();
    let body = json!({"reason": "sag 7", "shown": shown});
    let publish = async |etag: &str, body: &Value| house.ask(&colleague, "POST", &path, &[("if-match", etag)], Some(body)).await;
    is_problem(&house.ask(&colleague, "POST", &path, &[], Some(&body)).await, 428, "ApiPreconditionMissing");
    is_problem(&publish(&format!("\"{}\"", "0".repeat(64)), &body).await, 412, "ApiPreconditionFailed");
    let etag = text(&imported, "etag");
    let other = json!({"reason": "sag 7", "shown": "0".repeat(64)});
    is_problem(&publish(etag, &other).await, 409, "ApiShownDiffers");
    for wrong in
        [json!(["sag 7", shown]), json!({"reason": "", "shown": shown}), json!({"reason": "x", "shown": shown, "soner": true})]
    {
        is_problem(&publish(etag, &wrong).await, 422, "ApiFieldInvalid");
    }
    house.imported(&house.operator, &version("2027.1", None, &["22.0", "40.5"])).await;
    is_problem(&publish(etag, &body).await, 404, "ApiNotFound");
    assert_eq!(house.listed(&house.operator, "?state=published").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_is_answered_as_it_was_and_done_once() {
    let (house, colleague) = house().await;
    let body = version("2027.1", None, &["22.0"]);
    let import = async |key: &str| house.ask(&house.operator, "POST", LISTS, &[("idempotency-key", key)], Some(&body)).await;
    let first = import("a").await;
    let again = import("a").await;
    assert_eq!((first.status, again.status, first.text()), (201, 201, again.text()));
    let same = import("b").await;
    assert_eq!((same.status, text(&value(&same), "id")), (200, text(&value(&first), "id")), "it is there, just so");
    let imported = value(&first);
    assert_eq!(first.header("location"), format!("{LISTS}/{}", text(&imported, "id")));
    let id = text(&imported, "id");
    let shown = house.version(&colleague, id).await["text_sha256"].clone();
    let publication = json!({"reason": "sag 7", "shown": shown});
    let headers = [("if-match", text(&imported, "etag")), ("idempotency-key", "c")];
    let publish = async || house.ask(&colleague, "POST", &format!("{LISTS}/{id}/publish"), &headers, Some(&publication)).await;
    let (first, again) = (publish().await, publish().await);
    assert_eq!((first.status, again.status, first.text()), (200, 200, again.text()));
    let made = house.store.every_decision().await.unwrap();
    let made = made.iter().filter(|made| made.what.id.to_string() == id).count();
    assert_eq!(made, 2, "one import and one publication");
}

#[tokio::test]
async fn a_version_that_takes_force_within_thirty_days_is_published_only_where_that_is_meant() {
    let (house, colleague) = house().await;
    let mut body = version("2027.1", None, &["22.0"]);
    body["content"] = json!(text(&body, "content").replace(&in_days(60), &in_days(10)));
    let imported = house.imported(&house.operator, &body).await;
    let refused = house.publish(&colleague, &imported, false).await;
    is_problem(&refused, 409, "ApiConflict");
    assert!(refused.text().contains("30 dage") && refused.text().contains(&in_days(30)), "{}", refused.text());
    assert_eq!(value(&house.publish(&colleague, &imported, true).await)["ahead"], 10);
    let history = value(&house.get(&colleague, &format!("{LISTS}/{}/decisions", text(&imported, "id"))).await);
    assert_eq!(text(&history["items"][1], "to"), "published 10 days ahead of 30");
}

#[tokio::test]
async fn an_authoritys_supplement_is_seen_and_published_by_itself_alone() {
    let (house, colleague) = house().await;
    let common = house.imported(&house.operator, &version("2027.1", None, &["22.0"])).await;
    assert_eq!(house.publish(&colleague, &common, false).await.status, 200);
    let own = user_of(&house.store, "S. Sortiment", Kind::Person, Role::SortimentAdministrator, Some(OWN)).await;
    let other = user_of(&house.store, "S. Anden", Kind::Person, Role::SortimentAdministrator, Some(OTHER)).await;
    let supplement = version("2027.1", Some(OWN), &["egen"]);
    is_problem(&house.ask(&other, "POST", LISTS, &[], Some(&supplement)).await, 403, "ApiOtherParty");
    is_problem(&house.ask(&own, "POST", LISTS, &[], Some(&version("2027.2", None, &["22.0"]))).await, 403, "ApiOtherParty");
    is_problem(&house.ask(&house.signatory, "POST", LISTS, &[], Some(&supplement)).await, 403, "ApiNotAllowed");
    // An operator is the second person of an authority that has one.
    let imported = house.imported(&house.operator, &supplement).await;
    is_problem(&house.publish(&colleague, &imported, false).await, 403, "ApiOtherParty");
    let path = format!("{LISTS}/{}", text(&imported, "id"));
    for of in ["", "/content", "/text", "/changes", "/decisions"] {
        is_problem(&house.get(&other, &format!("{path}{of}")).await, 404, "ApiNotFound");
        assert_eq!(house.get(&own, &format!("{path}{of}")).await.status, 200, "{of}");
    }
    assert_eq!(house.publish(&own, &imported, false).await.status, 200);
    is_problem(&house.get(&other, &path).await, 404, "ApiNotFound");
    is_problem(&house.get(&house.supplier, &path).await, 404, "ApiNotFound");
    assert_eq!(house.listed(&own, "").await.len(), 2);
    assert_eq!(house.listed(&other, "").await.len(), 1);
}

#[tokio::test]
async fn what_a_version_changes_is_told_against_the_one_before_and_against_any() {
    let (house, colleague) = house().await;
    let first = house.imported(&house.operator, &version("2027.1", None, &["22.0", "29.1"])).await;
    assert_eq!(house.publish(&colleague, &first, false).await.status, 200);
    let mut body = version("2027.2", None, &["22.0", "40.5"]);
    body["content"] = json!(text(&body, "content").replace(&in_days(60), &in_days(90)));
    let second = house.imported(&house.operator, &body).await;
    let path = format!("{LISTS}/{}/changes", text(&second, "id"));
    let changes = value(&house.get(&colleague, &path).await);
    let expected = json!([
        {"direction": "narrows", "what": "Art 29.1: gone (ydelse 29.1)"},
        {"direction": "widens", "what": "Art 40.5: new (ydelse 40.5)"}
    ]);
    assert_eq!((&changes["against"], &changes["items"]), (&json!("2027.1"), &expected));
    let other_way = format!("{LISTS}/{}/changes?against={}", text(&first, "id"), text(&second, "id"));
    let back = value(&house.get(&colleague, &other_way).await);
    assert_eq!(
        (&back["items"][0]["what"], &back["narrows"], &back["widens"], &back["all"]),
        (&json!("Art 29.1: new (ydelse 29.1)"), &json!(1), &json!(1), &json!(2))
    );
    let nothing = format!("{LISTS}/{}/changes", text(&first, "id"));
    assert_eq!(value(&house.get(&colleague, &nothing).await)["items"], json!([]));
    let content = house.get(&house.operator, &format!("{LISTS}/{}/content", text(&second, "id"))).await;
    assert_eq!(content.header("content-type"), "application/xml");
    body["content"] = json!(content.text());
    assert_eq!(
        house.ask(&house.operator, "POST", LISTS, &[], Some(&body)).await.status,
        200,
        "what is shown is imported as the same"
    );
}

#[tokio::test]
async fn a_table_of_excel_is_imported_and_what_is_wrong_with_it_is_told_by_row() {
    let (house, _) = house().await;
    let mut body = version("", None, &[]);
    body["format"] = json!("csv");
    body["content"] = json!("\u{feff}Delsortiment;Kode;Navn;GyldigTil\r\nArt;22.0;Fødevarer;\r\nArt;29.1;Øvrige;31-12-2099\r\n");
    let without = house.ask(&house.operator, "POST", LISTS, &[], Some(&body)).await;
    is_problem(&without, 422, "ApiFieldInvalid");
    body["table"] =
        json!({"list": LIST, "name": "Sociale ydelser", "version": "2027.1", "valid_from": in_days(60), "supplemented": ["Art"]});
    let mut wrong = body.clone();
    wrong["content"] = json!("Delsortiment;Kode\r\nArt;22.0\r\nArt;1,2E+15\r\n");
    let refused = house.ask(&house.operator, "POST", LISTS, &[("accept-language", "en")], Some(&wrong)).await;
    is_problem(&refused, 422, "ApiFieldInvalid");
    assert!(refused.text().contains("Row 3: Kode was turned into a number by the spreadsheet"), "{}", refused.text());
    let in_danish = house.ask(&house.operator, "POST", LISTS, &[], Some(&wrong)).await;
    assert!(in_danish.text().contains("1 forhold skal rettes") && !in_danish.text().contains("Row"), "{}", in_danish.text());
    for (field, value) in
        [("table", json!([LIST])), ("format", json!("XML")), ("format", json!({"csv": null})), ("content", json!(null))]
    {
        let mut wrong = body.clone();
        wrong[field] = value;
        is_problem(&house.ask(&house.operator, "POST", LISTS, &[], Some(&wrong)).await, 422, "ApiFieldInvalid");
    }
    assert!(house.listed(&house.operator, "").await.is_empty());
    let imported = house.imported(&house.operator, &body).await;
    assert_eq!(house.version(&house.operator, text(&imported, "id")).await["parts"][0]["codes"], 2);
}

#[tokio::test]
async fn a_draft_is_removed_and_a_published_version_stays() {
    let (house, colleague) = house().await;
    let draft = house.imported(&house.operator, &version("2027.1", None, &["22.0"])).await;
    let published = house.imported(&house.operator, &version("2027.2", None, &["22.0"])).await;
    let published = value(&house.publish(&colleague, &published, false).await)["version"].clone();
    let reason = json!({"reason": "fejl i filen"});
    let remove = async |who: &Who, version: &Value| {
        let path = format!("{LISTS}/{}/remove", text(version, "id"));
        house.ask(who, "POST", &path, &[("if-match", text(version, "etag"))], Some(&reason)).await
    };
    is_problem(&remove(&house.responsible, &draft).await, 404, "ApiNotFound");
    is_problem(&remove(&house.responsible, &published).await, 409, "ApiConflict");
    is_problem(&remove(&house.operator, &published).await, 409, "ApiConflict");
    assert_eq!(remove(&house.operator, &draft).await.status, 200);
    assert_eq!(house.listed(&house.operator, "").await, ["2027.2"]);
}

#[tokio::test]
async fn a_system_imports_and_publishes_nothing() {
    let (house, _) = house().await;
    let system = user_of(&house.store, "system", Kind::System, Role::Operator, None).await;
    let imported = house.imported(&house.operator, &version("2027.1", None, &["22.0"])).await;
    is_problem(&house.publish(&system, &imported, false).await, 403, "ApiPersonRequired");
    let other = version("2027.2", None, &["22.0"]);
    is_problem(&house.ask(&system, "POST", LISTS, &[], Some(&other)).await, 403, "ApiPersonRequired");
}

#[tokio::test]
async fn a_list_of_versions_goes_on_page_by_page() {
    let (house, _) = house().await;
    for name in ["2027.1", "2027.2", "2027.3"] {
        house.imported(&house.operator, &version(name, None, &["22.0"])).await;
    }
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = value(&house.get(&house.operator, &format!("{LISTS}?service={SERVICE}&list={LIST}&limit=1{after}")).await);
        names.push(text(&page["items"][0], "version").to_owned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["2027.1", "2027.2", "2027.3"]);
    let other = format!("{LISTS}?limit=1{after}");
    is_problem(&house.get(&house.operator, &other).await, 400, "ApiCursorInvalid");
    for wrong in ["?state=Draft", "?list=x", "?limit=0", "?authority=11111111"] {
        is_problem(&house.get(&house.operator, &format!("{LISTS}{wrong}")).await, 400, "ApiQueryInvalid");
    }
}

fn subscription(authority: &str, system: &str) -> Value {
    json!({"service": SERVICE, "authority": authority, "system": system, "structure": 1, "reason": "sag 8"})
}

#[tokio::test]
async fn a_system_subscribes_gets_a_delivery_with_each_publication_and_is_taken_off_again() {
    let (house, colleague) = house().await;
    let system = "6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a11";
    let begun = house.ask(&house.responsible, "POST", SUBSCRIPTIONS, &[], Some(&subscription(OWN, system))).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let begun = value(&begun);
    let twice = house.ask(&house.operator, "POST", SUBSCRIPTIONS, &[], Some(&subscription(OWN, system))).await;
    is_problem(&twice, 409, "ApiConflict");
    let others = house.ask(&house.responsible, "POST", SUBSCRIPTIONS, &[], Some(&subscription(OTHER, system))).await;
    is_problem(&others, 403, "ApiOtherParty");
    let refused = house.ask(&house.signatory, "POST", SUBSCRIPTIONS, &[], Some(&subscription(OWN, system))).await;
    is_problem(&refused, 403, "ApiNotAllowed");
    for wrong in [json!(3), json!("1"), json!(null)] {
        let mut body = subscription(OWN, "6d0d6e2e-7d8f-4a54-8a3a-0e7d3f5f9a12");
        body["structure"] = wrong;
        is_problem(&house.ask(&house.operator, "POST", SUBSCRIPTIONS, &[], Some(&body)).await, 422, "ApiFieldInvalid");
    }
    let imported = house.imported(&house.operator, &version("2027.1", None, &["22.0"])).await;
    assert_eq!(value(&house.publish(&colleague, &imported, false).await)["deliveries"], 1);
    let path = format!("{SUBSCRIPTIONS}/{}", text(&begun, "id"));
    is_problem(&house.get(&house.other_signatory, &path).await, 404, "ApiNotFound");
    is_problem(&house.get(&house.supplier, SUBSCRIPTIONS).await, 403, "ApiNotAllowed");
    assert_eq!(value(&house.get(&house.other_signatory, SUBSCRIPTIONS).await)["items"], json!([]));
    let end = async |etag: &str| {
        house
            .ask(&house.responsible, "POST", &format!("{path}/end"), &[("if-match", etag)], Some(&json!({"reason": "slut"})))
            .await
    };
    let ended = end(text(&begun, "etag")).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    is_problem(&end(text(&begun, "etag")).await, 412, "ApiPreconditionFailed");
    is_problem(&end(text(&value(&ended), "etag")).await, 409, "ApiConflict");
    let listed = value(&house.get(&house.signatory, SUBSCRIPTIONS).await);
    assert_eq!(listed["items"], json!([value(&ended)]), "one that has ended is still told");
    let history = value(&house.get(&house.signatory, &format!("{path}/decisions")).await);
    let told: Vec<_> = history["items"].as_array().unwrap().iter().map(|made| text(made, "to")).collect();
    assert_eq!(told, ["subscribed", "ended"]);
}
