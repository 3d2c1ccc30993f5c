//! What is changed by forms of the console: routes, value lists, the persons queue; and the law as its page tells it.

use hjemmel::config::OneTimeLinks;
use hjemmel::users::Kind;
use hjemmel::users::rights::Role;

use crate::console::{Konsol, hidden, is_page, token};
use crate::house::{OTHER, OWN, SERVICE, pki, user_of};
use crate::wire::Answer;

/// A form of these fields, with the token of the page that it stands on.
fn form(page: &Answer, fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("form_token", &token(page)).extend_pairs(fields).finish()
}

#[tokio::test]
async fn a_route_is_added_by_a_form_once_kept_where_it_may_not_lead_and_given_an_end() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let operator = konsol.log_on(&konsol.house.operator).await;
    let page = konsol.get(&operator, "/routes/new").await;
    is_page(&page, 200, "Opret en rute");
    let (id, root) = (hidden(&page, "id"), hjemmel::pem::encode("CERTIFICATE", pki().root()).to_string());
    let route = |address: &str| {
        form(
            &page,
            &[
                ("id", &id),
                ("service", SERVICE),
                ("sender", OTHER),
                ("receiver", OWN),
                ("valid_from", "2026-01-01"),
                ("system", "00000000-0000-4000-8000-0000000000bb"),
                ("address", address),
                ("entity_id", "urn:example:modtager"),
                ("roots", &root),
                ("reason", "sag 9"),
            ],
        )
    };
    for closed in ["https://127.0.0.1/a", "https://169.254.169.254/a", "https://192.0.2.9:9464/a", "http://192.0.2.7/a"] {
        let refused = konsol.post(&operator, "/routes", &route(closed)).await;
        is_page(&refused, 409, "Intet er ændret");
        assert!(refused.text().contains(&format!("value=\"{closed}\"")), "what was written stands in the form");
    }
    for _ in 0..2 {
        let added = konsol.post(&operator, "/routes", &route("https://192.0.2.7/a")).await;
        assert_eq!(added.status, 303, "{}", added.text());
    }
    assert_eq!(konsol.store.routes().await.unwrap().len(), 1, "sent twice, it is one route");
    let path = format!("/routes/{id}");
    let shown = konsol.get(&operator, &path).await;
    is_page(&shown, 200, "Korsbæk Kommune");
    let end = |on: &str| form(&shown, &[("etag", &hidden(&shown, "etag")), ("on", on), ("reason", "nyt system")]);
    is_page(&konsol.post(&operator, &format!("{path}/end"), &end("2026-02-01")).await, 409, "det forgangne ændres ikke");
    assert_eq!(konsol.post(&operator, &format!("{path}/end"), &end("2999-01-01")).await.status, 303);
    // The second tab, which shows the route as it was.
    is_page(&konsol.post(&operator, &format!("{path}/end"), &end("2999-02-01")).await, 409, "ændret, siden du så det");
    is_page(&konsol.get(&operator, &path).await, 200, "nyt system");
    let other = konsol.log_on(&konsol.house.other_signatory).await;
    assert!(!konsol.get(&other, &path).await.text().contains("/end\""), "who sends does not end it");
}

#[tokio::test]
async fn a_value_list_is_imported_by_one_person_and_published_by_another_through_the_console() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let one = konsol.log_on(&konsol.house.operator).await;
    let colleague = user_of(&konsol.store, "K. Kollega", Kind::Person, Role::Operator, None).await;
    let other = konsol.log_on(&colleague).await;
    let page = konsol.get(&one, "/value-lists/new").await;
    is_page(&page, 200, "Importér som udkast");
    let import = |content: &str| {
        form(
            &page,
            &[
                ("service", SERVICE),
                ("format", "csv"),
                ("content", content),
                ("list", "1c5b4a56-0b9e-4d0f-8f5c-5a0f1590a001"),
                ("name", "Sociale ydelser"),
                ("version", "2099.1"),
                ("valid_from", "2099-01-01"),
                ("reason", "sag 6"),
            ],
        )
    };
    let wrong = konsol.post(&one, "/value-lists", &import("intet")).await;
    is_page(&wrong, 409, "Feltet Indhold kan ikke bruges");
    let table = "\u{feff}Delsortiment;Kode;Navn\r\nArt;22.0;kontanthjælp\r\n";
    let imported = konsol.post(&one, "/value-lists", &import(table)).await;
    assert_eq!(imported.status, 303, "{}", imported.text());
    let path = imported.header("location").split('?').next().unwrap().to_owned();
    let again = konsol.post(&one, "/value-lists", &import(table)).await;
    assert!(again.header("location").starts_with(&path), "sent twice, it is one draft");
    let publish = async |cookie: &str| {
        let page = konsol.get(cookie, &path).await;
        is_page(&page, 200, "kontanthjælp");
        let fields = [("etag", &*hidden(&page, "etag")), ("shown", &*hidden(&page, "shown")), ("reason", "sag 7")];
        let body = form(&page, &fields);
        (konsol.post(cookie, &format!("{path}/publish"), &body).await, body)
    };
    let (own, _) = publish(&one).await;
    is_page(&own, 409, "Intet er ændret");
    let (published, body) = publish(&other).await;
    assert_eq!(published.status, 303, "{}", published.text());
    is_page(&konsol.post(&other, &format!("{path}/publish"), &body).await, 409, "ændret, siden du så det");
    let owner = konsol.log_on(&konsol.house.owner).await;
    is_page(&konsol.get(&owner, &path).await, 200, "K. Kollega");
    let text = konsol.get(&owner, &format!("{path}/text")).await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    // Who gets the versions.
    let responsible = konsol.log_on(&konsol.house.responsible).await;
    let list = konsol.get(&responsible, "/value-lists/subscriptions").await;
    is_page(&list, 200, "Intet system abonnerer.");
    let system = "00000000-0000-4000-8000-0000000000cc";
    let subscribe =
        form(&list, &[("service", SERVICE), ("authority", OWN), ("system", system), ("structure", "2"), ("reason", "sag 8")]);
    let to = "/value-lists/subscriptions";
    assert_eq!(konsol.post(&responsible, to, &subscribe).await.status, 303);
    is_page(&konsol.post(&responsible, to, &subscribe).await, 409, "siger det samme");
    let list = konsol.get(&responsible, to).await;
    let id = konsol.store.sortiment_subscription_page(&Default::default()).await.unwrap();
    assert!(list.text().contains(system), "{id:?}");
}

#[tokio::test]
async fn what_campus_refuses_is_tried_again_or_dropped_by_an_operator_with_a_reason() {
    use hjemmel::persons::outbox::{self, Fate, Handed};
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let database = konsol.store.database();
    let handed: Handed = serde_json::from_value(serde_json::json!({
        "number": 4711, "authority": OWN, "institution": "1", "staff_number": "M1", "department": "1", "first_names": "Anna Prøve"
    }))
    .unwrap();
    let now = hjemmel::clock::Clock::system().now();
    let mut transaction = database.begin_beside_others().await.unwrap();
    outbox::put(&mut transaction, &[handed.clone(), Handed { number: 4712, ..handed }], now).await.unwrap();
    transaction.commit().await.unwrap();
    for taken in &outbox::take(database, 9, std::time::Duration::from_secs(60), now).await.unwrap() {
        outbox::not_taken(database, taken, "HTTP 400 invalidValue", Fate::Dead).await.unwrap();
    }
    let operator = konsol.log_on(&konsol.house.operator).await;
    let page = konsol.get(&operator, "/persons").await;
    is_page(&page, 200, "HTTP 400 invalidValue");
    assert!(page.text().contains("4711") && !page.text().contains("Anna"), "{}", page.text());
    let decide = |what: &str| form(&page, &[("what", what), ("reason", "sag 7")]);
    assert_eq!(konsol.post(&operator, "/persons/1/decide", &decide("drop")).await.status, 303);
    is_page(&konsol.post(&operator, "/persons/1/decide", &decide("drop")).await, 409, "ændret, siden du så det");
    assert_eq!(konsol.post(&operator, "/persons/2/decide", &decide("retry")).await.status, 303);
    let figures = outbox::figures(database, now).await.unwrap();
    assert_eq!((figures.waiting, figures.dead), (1, 0));
}

#[tokio::test]
async fn the_page_of_files_counts_who_is_silent() {
    use hjemmel::files::{monitoring, users};
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let operator = konsol.log_on(&konsol.house.operator).await;
    let silent = |number: u8| format!("Brugere uden filer i den ventede rytme</p><p class=\"value\">{number}</p>");
    is_page(&konsol.get(&operator, "/files").await, 200, &silent(0));
    let user = users::User {
        id: uuid::Uuid::new_v4(),
        name: "KY_SFTP".to_owned(),
        environment: "exttest".parse().unwrap(),
        system: uuid::Uuid::new_v4(),
        authority: "11111111".parse().unwrap(),
        older_root: false,
        bytes_limit: 1,
        disabled: false,
        valid_to: None,
        seen: None,
        refused: None,
        used: users::Used::default(),
    };
    let order = monitoring::Monitoring {
        id: uuid::Uuid::new_v4(),
        user: user.id,
        inf_ref: Some("X_1".to_owned()),
        pattern: None,
        rhythm_hours: Some(24),
        alarm_hours: 24,
        delete_days: 30,
        told: "drift@example.dk".to_owned(),
        since: jiff::Timestamp::UNIX_EPOCH,
        last: None,
        ended: None,
    };
    let mut transaction = konsol.store.database().begin().await.unwrap();
    users::add(&mut transaction, &user, order.since).await.unwrap();
    monitoring::add(&mut transaction, &order).await.unwrap();
    transaction.commit().await.unwrap();
    is_page(&konsol.get(&operator, "/files").await, 200, &silent(1));
}

#[tokio::test]
async fn the_law_is_told_rule_by_rule_with_what_it_rests_on_and_the_cases_that_show_it() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let owner = konsol.log_on(&konsol.house.owner).await;
    is_page(&konsol.get(&owner, "/law").await, 200, "terminaladgang-6");
    let page = konsol.get(&owner, "/law/pr%C3%B8ve").await;
    is_page(&page, 200, "Hvad der udleveres");
    for said in ["direct-lookup", "Vinduet i dag", "window/person", "Hver af dem er prøvet mod netop denne politik"] {
        assert!(page.text().contains(said), "{said}");
    }
    is_page(&konsol.get(&owner, "/law/pr%C3%B8ve?lang=en").await, 200, "What is released");
    is_page(&konsol.get(&owner, "/law/andet").await, 404, "ConsolePageUnknown");
}
