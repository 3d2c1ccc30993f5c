//! Who gets in.

use hjemmel::agreements::Thumbprint;
use hjemmel::clock::Clock;
use hjemmel::config::OneTimeLinks;
use hjemmel::decisions::statement::Signer;
use hjemmel::decisions::{Because, By, user};
use hjemmel::signature::key::Certificate;
use hjemmel::users::rights::Role;
use hjemmel::users::store::UserError;
use hjemmel::users::{Kind, User};
use http::Request;

use crate::console::{Konsol, hidden, is_page, set_cookie, token};
use crate::house::{House, OWN, Who, certificate, is_problem, pki, request, text, user_of, value};
use crate::wire::{self, Http, Sent};

#[tokio::test]
async fn without_a_certificate_nothing_is_answered() {
    let house = House::build().await;
    // TLS 1.3 lets the client finish first, so that the refusal may come at the first request.
    let port = house.port;
    let asked = tokio::spawn(async move {
        let stream = wire::tls(pki().root(), port, None, Http::One).await;
        let request = Request::get("/openapi.json").header("host", "localhost").body(Sent::whole("")).unwrap();
        wire::send(stream, Http::One, request).await.map(|answer| answer.status)
    });
    assert!(!matches!(asked.await, Ok(Ok(_))), "no answer of any kind");
}

#[tokio::test]
async fn a_certificate_that_is_nobodys_is_refused_and_may_read_the_contract() {
    let house = House::build().await;
    let nobody = Who { id: uuid::Uuid::nil(), credentials: certificate("N. Ingen", OWN) };
    for path in ["/api/v1/whoami", "/api/v1/agreements", "/api/v1/routes", "/api/v1/authorities"] {
        is_problem(&house.get(&nobody, path).await, 403, "ApiUserUnknown");
    }
    assert_eq!(house.get(&nobody, "/openapi.json").await.status, 200);
}

#[tokio::test]
async fn a_user_that_has_ended_is_refused_at_the_next_request() {
    let house = House::build().await;
    assert_eq!(house.get(&house.signatory, "/api/v1/whoami").await.status, 200);
    let because = Because::new("fratrådt".to_owned(), Clock::system().now());
    user::end(&house.store, None, house.signatory.id, &because).await.unwrap();
    is_problem(&house.get(&house.signatory, "/api/v1/whoami").await, 403, "ApiUserNotActive");
}

#[tokio::test]
async fn whoami_says_who_and_what_and_the_register_shows_an_authority_itself() {
    let house = House::build().await;
    let me = value(&house.get(&house.signatory, "/api/v1/whoami").await);
    assert_eq!(text(&me, "id"), house.signatory.id.to_string());
    assert_eq!((text(&me, "party"), me["roles"][0].as_str()), (OWN, Some("signatory")));
    let own = value(&house.get(&house.signatory, "/api/v1/authorities").await);
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    let all = value(&house.get(&house.operator, "/api/v1/authorities").await);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_role_that_is_limited_to_services_sees_and_decides_within_them_alone() {
    let house = House::build().await;
    let asked = house.requested(&house.supplier, OWN).await;
    let limited = user_of(&house.store, "F. Fag", Kind::Person, Role::Signatory, Some(OWN)).await;
    let mut narrow = house.store.user(limited.id).await.unwrap();
    let credentials = certificate("F. Område", OWN);
    let key = hjemmel::signature::key::Certificate::from_der(credentials.leaf()).unwrap();
    narrow.id = uuid::Uuid::new_v4();
    narrow.services = vec![uuid::Uuid::from_u128(1)];
    narrow.certificates = vec![(*key.thumbprint()).into()];
    let because = Because::new("prøve".to_owned(), Clock::system().now());
    user::add(&house.store, None, &narrow, &[key], &because).await.unwrap();
    let narrow = Who { id: narrow.id, credentials };
    is_problem(&house.get(&narrow, &format!("/api/v1/agreements/{}", text(&asked, "id"))).await, 404, "ApiNotFound");
    is_problem(&house.decide(&narrow, &asked, "approve").await, 404, "ApiNotFound");
    assert!(value(&house.get(&narrow, "/api/v1/agreements").await)["items"].as_array().unwrap().is_empty());
    assert_eq!(house.decide(&limited, &asked, "approve").await.status, 200);
}

#[tokio::test]
async fn a_certificate_belongs_to_one_user_for_ever() {
    let house = House::build().await;
    let credentials = house.signatory.credentials.clone();
    let key = hjemmel::signature::key::Certificate::from_der(credentials.leaf()).unwrap();
    let mut twin = house.store.user(house.signatory.id).await.unwrap();
    twin.id = uuid::Uuid::new_v4();
    let because = Because::new("prøve".to_owned(), Clock::system().now());
    let taken = user::add(&house.store, None, &twin, &[key], &because).await.unwrap_err();
    assert!(taken.to_string().contains("belongs to user"), "{taken}");
    let answer = house.ask(&house.supplier, "POST", "/api/v1/agreements", &[], Some(&request(OWN))).await;
    assert_eq!(answer.status, 201);
}

fn because() -> Because {
    Because::new("prøve".to_owned(), Clock::system().now())
}

#[tokio::test]
async fn one_person_with_two_users_does_not_approve_what_they_requested() {
    let house = House::build().await;
    let asked = house.requested(&house.responsible, OWN).await;
    let first = house.store.user(house.responsible.id).await.unwrap();
    let credentials = certificate("A. Ansvarlig igen", OWN);
    let key = Certificate::from_der(credentials.leaf()).unwrap();
    let mut second = hjemmel::users::User {
        id: uuid::Uuid::new_v4(),
        person: uuid::Uuid::new_v4(),
        roles: vec![Role::Signatory],
        certificates: vec![(*key.thumbprint()).into()],
        ..first.clone()
    };
    let unknown = user::add(&house.store, None, &second, std::slice::from_ref(&key), &because()).await.unwrap_err();
    assert!(unknown.to_string().contains("no user has the person"), "{unknown}");
    second.person = first.person;
    user::add(&house.store, None, &second, &[key], &because()).await.unwrap();
    assert_eq!(house.store.user(second.id).await.unwrap().person, first.id);
    let twin = Who { id: second.id, credentials };
    is_problem(&house.decide(&twin, &asked, "approve").await, 403, "ApiCreatorApproves");
    assert_eq!(house.decide(&house.signatory, &asked, "approve").await.status, 200);
    let others = house.requested(&house.supplier, OWN).await;
    assert_eq!(house.decide(&twin, &others, "approve").await.status, 200, "another person's request");
}

#[tokio::test]
async fn a_user_has_the_old_and_the_new_certificate_until_the_old_is_ended() {
    let house = House::build().await;
    let renewed = certificate("U. Underskriver 2", OWN);
    let key = Certificate::from_der(renewed.leaf()).unwrap();
    let new = Thumbprint::from(*key.thumbprint());
    let old = house.store.user(house.signatory.id).await.unwrap().certificates[0];
    let by_renewed = Who { id: house.signatory.id, credentials: renewed };
    let last = user::end_certificate(&house.store, None, house.signatory.id, old, &because()).await.unwrap_err();
    assert!(last.to_string().contains("the only certificate"), "{last}");
    is_problem(&house.get(&by_renewed, "/api/v1/whoami").await, 403, "ApiUserUnknown");
    user::add_certificate(&house.store, None, house.signatory.id, key.clone(), &because()).await.unwrap();
    for who in [&house.signatory, &by_renewed] {
        assert_eq!(text(&value(&house.get(who, "/api/v1/whoami").await), "id"), house.signatory.id.to_string());
    }
    let asked = house.requested(&house.supplier, OWN).await;
    assert_eq!(house.decide(&by_renewed, &asked, "approve").await.status, 200);
    let taken = user::add_certificate(&house.store, None, house.operator.id, key, &because()).await.unwrap_err();
    assert!(taken.to_string().contains("belongs to user"), "{taken}");
    user::end_certificate(&house.store, None, house.signatory.id, old, &because()).await.unwrap();
    is_problem(&house.get(&house.signatory, "/api/v1/whoami").await, 403, "ApiCertificateRefused");
    assert_eq!(house.get(&by_renewed, "/api/v1/whoami").await.status, 200);
    assert!(house.store.certificate(old).await.unwrap().is_some(), "what it signed can be verified");
    let again = user::end_certificate(&house.store, None, house.signatory.id, old, &because()).await;
    assert!(matches!(again, Err(hjemmel::decisions::DecideError::User(UserError::NoSuchCertificate { .. }))));
    assert_eq!(house.store.user(house.signatory.id).await.unwrap().certificates, [new]);
}

#[tokio::test]
async fn a_person_does_not_give_themselves_a_further_certificate() {
    let house = House::build().await;
    let signer = hjemmel::decisions::statement::Signer::new(&house.operator.credentials).unwrap();
    let key = |name| Certificate::from_der(certificate(name, OWN).leaf()).unwrap();
    let by = Some(hjemmel::decisions::By::Key(&signer));
    let own = user::add_certificate(&house.store, by, house.operator.id, key("O. Drift 2"), &because()).await.unwrap_err();
    assert!(own.to_string().contains("have another operator decide"), "{own}");
    user::add_certificate(&house.store, by, house.signatory.id, key("U. Underskriver 2"), &because()).await.unwrap();
    let made = house.store.made_on(hjemmel::audit::Subject::User, house.signatory.id).await.unwrap();
    let last = made.last().unwrap();
    assert_eq!((last.what.to.as_str(), last.user), ("certificate added", Some(house.operator.id)));
    assert!(last.signature.is_some());
}

#[tokio::test]
async fn whoever_has_the_name_of_who_asked_reads_whom_to_ask_by_which_ids_and_approves_once_they_are_told_apart() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let house = &konsol.house;
    let asked = house.requested(&house.responsible, OWN).await;
    let path = format!("/agreements/{}", text(&asked, "id"));
    let asker = house.store.user(house.responsible.id).await.unwrap();
    // As a log-on makes one.
    let id = uuid::Uuid::new_v4();
    let namesake = User { id, person: id, roles: vec![Role::Signatory], certificates: Vec::new(), ..asker.clone() };
    user::add(&house.store, None, &namesake, &[], &because()).await.unwrap();
    let (one, other) = (konsol.log_on(&house.responsible).await, konsol.log_on_as(id).await);
    let own = konsol.get(&one, &path).await;
    is_page(&own, 200, "Du har anmodet om aftalen eller skrevet på den");
    assert!(!own.text().contains("Er I to personer"), "one person is told of nobody else");
    let page = konsol.get(&other, &path).await;
    is_page(&page, 200, "Er I to personer, så bed gatewayens drift om at skrive det ned");
    assert!(page.text().contains("Gatewayens drift: drift@example.dk"), "where the operators are reached");
    assert!(page.text().contains(&format!("<code>{}</code>", asker.id)) && page.text().contains(&format!("<code>{id}</code>")));
    assert!(!page.text().contains("Godkend aftalen"));
    is_page(&konsol.get(&other, &format!("{path}?lang=en")).await, 200, "If you are two persons, ask the gateway");
    let operator = Signer::new(&house.operator.credentials).unwrap();
    user::distinct(&house.store, By::Key(&operator), (id, asker.id), &because()).await.unwrap();
    is_page(&konsol.get(&other, &path).await, 200, "Godkend aftalen");
}

#[tokio::test]
async fn whoever_acts_for_one_who_has_the_name_of_who_asked_reads_that_it_is_that_one_who_may_be_the_same() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let house = &konsol.house;
    let asked = house.requested(&house.responsible, OWN).await;
    let asker = house.store.user(house.responsible.id).await.unwrap();
    // Who lets a colleague of another name act for them.
    let id = logged_on_as(house, &asker, Role::Signatory).await;
    let owner = konsol.log_on(&house.owner).await;
    let acting = acting_for(&konsol, id, (house.owner.id, &owner)).await;
    let path = format!("/agreements/{}", text(&asked, "id"));
    let page = konsol.get(&acting, &path).await;
    is_page(&page, 200, "som kan være den, du handler for");
    is_page(&page, 200, "Er de to personer, så bed gatewayens drift om at skrive det ned");
    assert!(!page.text().contains("Er I to personer"), "it is not said of the reader");
    assert!(page.text().contains(&format!("<code>{}</code>", asker.id)) && page.text().contains(&format!("<code>{id}</code>")));
    is_page(&konsol.get(&acting, &format!("{path}?lang=en")).await, 200, "If they are two persons, ask the gateway");
}

#[tokio::test]
async fn whoever_acts_for_one_of_the_same_name_as_their_own_and_of_who_asked_reads_both_pairs() {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let house = &konsol.house;
    let asked = house.requested(&house.responsible, OWN).await;
    let asker = house.store.user(house.responsible.id).await.unwrap();
    let (principal, substitute) =
        (logged_on_as(house, &asker, Role::Signatory).await, logged_on_as(house, &asker, Role::SystemOwner).await);
    let own = konsol.log_on_as(substitute).await;
    let acting = acting_for(&konsol, principal, (substitute, &own)).await;
    let path = format!("/agreements/{}", text(&asked, "id"));
    for (language, said) in
        [("da", "Er brugerne i hvert af disse par to personer"), ("en", "each of these pairs are two persons")]
    {
        let page = konsol.get(&acting, &format!("{path}?lang={language}")).await;
        is_page(&page, 200, said);
        for now in [principal, substitute] {
            let and = if language == "da" { "og" } else { "and" };
            let pair = format!("<code>{}</code> {and} <code>{now}</code>", asker.id);
            assert_eq!(page.text().matches(&pair).count(), 1, "{}", page.text());
        }
    }
}

/// A user of this one's name and authority, as a log-on makes one.
async fn logged_on_as(house: &House, of_name: &User, role: Role) -> uuid::Uuid {
    let id = uuid::Uuid::new_v4();
    let namesake = User { id, person: id, roles: vec![role], certificates: Vec::new(), ..of_name.clone() };
    user::add(&house.store, None, &namesake, &[], &because()).await.unwrap();
    id
}

/// A session in which one acts for a signatory.
async fn acting_for(konsol: &Konsol, principal: uuid::Uuid, (substitute, own): (uuid::Uuid, &str)) -> String {
    let principal = konsol.log_on_as(principal).await;
    let list = konsol.get(&principal, "/delegations").await;
    let last = hjemmel::clock::civil_day(Clock::system().now()).unwrap().saturating_add(jiff::Span::new().days(7));
    let given = form_urlencoded::Serializer::new(String::new())
        .append_pair("form_token", &token(&list))
        .append_pair("id", &hidden(&list, "id"))
        .append_pair("substitute", &substitute.to_string())
        .append_pair("role", "signatory")
        .append_pair("valid_to", &last.to_string())
        .append_pair("reason", "ferie")
        .finish();
    assert_eq!(konsol.post(&principal, "/delegations", &given).await.status, 303);
    let form = format!("form_token={}", token(&konsol.get(own, "/delegations").await));
    let acts = konsol.post(own, &format!("/delegations/{}/act", hidden(&list, "id")), &form).await;
    assert_eq!(acts.status, 303, "{}", acts.text());
    set_cookie(&acts).split(';').next().unwrap().to_owned()
}
