//! Two pairs of eyes that see what they should: whose system it is, who asks, and what nobody gets around.

use std::time::Duration;

use hjemmel::agreements::import::Import;
use hjemmel::agreements::request::{Content, Request, Standing as Stands};
use hjemmel::agreements::rules::{Rule, Rules};
use hjemmel::agreements::{Agreement, Agreements, CacheSettings, ClientSystem, Standing, State, Store};
use hjemmel::decisions::system::{Changes, change, seen};
use hjemmel::decisions::{Because, By, DecideError, agreement, ending, life, request, shown};
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use uuid::Uuid;

use crate::agreement_life::{
    KORSBAEK, OPERATOR, OTHER, OWNER, SERVICE, SIGNATORY, SUPPLIERS, SYSTEM, SYSTEMS_KEY, content, decided, drafted, opened,
    refused, registered, requested, sent, words,
};
use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

const OTHER_SUPPLIER: &str = "99999991";
const SECOND_SIGNATORY: Key = Key::Intruder;

on_both! {
    only_ones_own_system_and_its_certificates_are_asked_for;
    the_text_says_who_asks_and_what_the_system_and_the_service_are_called;
    an_ended_certificate_opens_nothing_at_once_also_where_it_is_remembered;
    an_agreement_under_notice_is_suspended_and_ended_sooner_and_only_who_gave_it_takes_it_back;
    a_version_takes_the_place_of_what_holds_whatever_came_between;
    a_suspension_is_lifted_by_the_same_person_or_above_and_not_got_around;
    whoever_wrote_any_of_a_request_does_not_approve_it;
    every_door_asks_for_the_same_and_no_text_names_a_person;
}

fn of_korsbaek() -> Content {
    Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() }
}

fn thumbprint(key: Key) -> hjemmel::agreements::Thumbprint {
    (*people::certificate(key).thumbprint()).into()
}

/// Why a draft is not sent.
async fn unsent(store: &Store, content: Content) -> String {
    let draft = drafted(store, content).await;
    let error = sent(store, &draft, &Rules::default()).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiRequestUnfinished { .. })), "{error}");
    error.to_string()
}

async fn approved(store: &Store, content: Content) -> (Request, Agreement) {
    let (request, lines) = requested(store, content).await;
    let agreement = decided(store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    (request, agreement)
}

async fn renewed(store: &Store, before: &Request) -> (Request, Agreement) {
    let (request, mut lines) = requested(store, request::renewed(before, at(NOW))).await;
    (request, lines.remove(0))
}

async fn state(store: &Store, agreement: &Agreement) -> State {
    store.get(agreement.id).await.unwrap().state
}

async fn only_ones_own_system_and_its_certificates_are_asked_for(kept: Kept) {
    let store = opened(&kept).await;
    let others = Uuid::from_u128(6);
    registered(&store, others, Key::Korsbaek, OTHER_SUPPLIER).await;
    let another = unsent(&store, Content { system: Some(others), ..content() }).await;
    assert!(another.contains("system: it is not the requester's own") && another.contains("another system's"), "{another}");
    let nobodys = unsent(&store, Content { system: Some(Uuid::from_u128(9)), ..content() }).await;
    assert!(nobodys.contains("system: it is not registered"), "{nobodys}");
    let stolen = unsent(&store, Content { certificates: vec![thumbprint(Key::Korsbaek)], ..content() }).await;
    assert!(stolen.contains("certificates: a certificate is another system's"), "{stolen}");
    let unknown = unsent(&store, Content { certificates: vec![thumbprint(Key::StsServer)], ..content() }).await;
    assert!(unknown.contains("certificates: a certificate is not registered of the system"), "{unknown}");
    assert!(store.list().await.unwrap().is_empty(), "nobody was asked");
    // The operators bring in what is nobody's yet, and the text says that it is.
    let imported = imported(&store, OPERATOR, &file(Uuid::from_u128(9), Key::StsServer, "prøve")).await.unwrap();
    assert!(shown::text(&imported).contains("systemets navn: ikke registreret"), "{}", shown::text(&imported));
    let taken = self::imported(&store, OPERATOR, &file(Uuid::from_u128(9), Key::Korsbaek, "prøve")).await.unwrap_err();
    assert!(taken.to_string().contains("another system's"), "{taken}");
}

async fn the_text_says_who_asks_and_what_the_system_and_the_service_are_called(kept: Kept) {
    let store = opened(&kept).await;
    let rules = Rules::new([(SERVICE, Rule { name: Some("terminaladgang".to_owned()), ..Rule::default() })].into());
    let draft = drafted(&store, of_korsbaek()).await;
    sent(&store, &draft, &rules).await.unwrap();
    let line = store.lines(draft.id).await.unwrap().remove(0);
    let text = shown::text(&line);
    for told in [
        "anmoder: leverandør, CVR 99999998, ved supplier-administrator\n",
        "systemets navn: Fagsystem A\n",
        "servicens navn: terminaladgang\n",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    // What was approved before it was told has the text that was signed.
    let mut before = text
        .lines()
        .filter(|line| !["anmoder: ", "systemets navn: ", "servicens navn: "].iter().any(|name| line.starts_with(name)));
    let old = Agreement { asked: None, ..line.clone() };
    assert!(shown::text(&old).lines().all(|line| before.next() == Some(line)) && before.next().is_none());
    kept.execute("UPDATE agreement SET asked = NULL").await.unwrap();
    let held = store.get(line.id).await.unwrap();
    assert_eq!(shown::text(&held), shown::text(&old));
    decided(&store, &held, State::Approved, SIGNATORY).await.unwrap();
}

async fn an_ended_certificate_opens_nothing_at_once_also_where_it_is_remembered(kept: Kept) {
    let store = opened(&kept).await;
    let (_, agreement) = approved(&store, of_korsbaek()).await;
    let settings = CacheSettings { refresh: Duration::from_millis(0), ..CacheSettings::default() };
    let remembered = Agreements::new(Store::open(&kept.settings).await.unwrap(), settings);
    let client = ClientSystem::Certificate(thumbprint(SYSTEMS_KEY));
    let calls = async || {
        remembered.front(client, agreement.authority, SERVICE, &agreement.environment, at(NOW)).await.map(|found| found.id).ok()
    };
    assert_eq!(calls().await, Some(agreement.id));
    let by = store.actor(signer(SUPPLIERS).thumbprint(), None, at(NOW)).await.unwrap();
    let shown = seen(&store, &by, SYSTEM).await.unwrap();
    let ended = Changes::CertificateEnded(thumbprint(SYSTEMS_KEY));
    change(&store, By::User(&by), &shown, &ended, &because(NOW), None).await.unwrap();
    assert_eq!(calls().await, None, "the store's revision is another, so that every node asks anew");
    assert_eq!(state(&store, &agreement).await, State::Approved, "the agreement stands: another certificate may take over");
    let again = unsent(&store, of_korsbaek()).await;
    assert!(again.contains("certificates: a certificate was ended"), "{again}");
}

async fn an_agreement_under_notice_is_suspended_and_ended_sooner_and_only_who_gave_it_takes_it_back(kept: Kept) {
    let store = opened(&kept).await;
    let end = at("2027-03-01T00:00:00Z");
    let no_terms = Rules::default();
    let noticed = async |held: &Agreement, when: &str, by: Key| {
        let proposed = ending::propose(&store, held, Some(at(when)), &no_terms, at(NOW)).await.unwrap();
        ending::end(&store, By::Key(&signer(by)), &proposed, &because(NOW), None).await
    };
    let (_, held) = approved(&store, of_korsbaek()).await;
    let given = noticed(&held, "2027-03-01T00:00:00Z", OWNER).await.unwrap();
    assert_eq!(given.standing(at(NOW)), Standing::Holds);
    // Stopped, and not opened for longer by that: lifted, it is OPSAGT as before; over, it is OPSAGT for good.
    let stopped = decided(&store, &given, State::Suspended, SIGNATORY).await.unwrap();
    assert_eq!((stopped.standing(at(NOW)), stopped.ends_at), (Standing::State(State::Suspended), Some(end)));
    let lifted = decided(&store, &stopped, State::Approved, SIGNATORY).await.unwrap();
    assert_eq!((lifted.state, lifted.ends_at), (State::Terminated, Some(end)));
    let later = noticed(&lifted, "2027-04-01T00:00:00Z", OWNER).await.unwrap_err();
    assert!(matches!(refused(&later), Some(ApiRefusal::ApiConflict { .. })), "{later}");
    let sooner = noticed(&lifted, "2027-02-01T00:00:00Z", SIGNATORY).await.unwrap();
    assert_eq!(sooner.ends_at, Some(at("2027-02-01T00:00:00Z")));
    // The signatory gave it last: neither the owner below nor the supplier takes it back.
    for by in [OWNER, SUPPLIERS] {
        let error = decided(&store, &sooner, State::Approved, by).await.unwrap_err();
        assert!(matches!(refused(&error), Some(ApiRefusal::ApiNoticeOfAnother)), "{error}");
    }
    let back = decided(&store, &sooner, State::Approved, SIGNATORY).await.unwrap();
    assert_eq!((back.state, back.ends_at), (State::Approved, None));
    // Suspended when the notice is over.
    let given = noticed(&back, "2027-03-01T00:00:00Z", OWNER).await.unwrap();
    let stopped = decided(&store, &given, State::Suspended, SIGNATORY).await.unwrap();
    assert_eq!(life::look(&store, &Rules::default(), end).await.unwrap().expired, 1);
    assert_eq!(state(&store, &stopped).await, State::Terminated);
    let over = store.get(stopped.id).await.unwrap();
    assert_eq!(over.standing(at(NOW)), Standing::State(State::Terminated));
    let error = decided(&store, &over, State::Approved, SIGNATORY).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiTransition { .. })), "{error}");
}

async fn a_version_takes_the_place_of_what_holds_whatever_came_between(kept: Kept) {
    let store = opened(&kept).await;
    let (first, v1) = approved(&store, of_korsbaek()).await;
    // One that was rejected, one that nobody answered, and another of the same one.
    let (second, v2) = renewed(&store, &first).await;
    decided(&store, &v2, State::Rejected, SIGNATORY).await.unwrap();
    let (third, v3) = renewed(&store, &second).await;
    let (_, beside) = renewed(&store, &first).await;
    let (_, v4) = renewed(&store, &third).await;
    for version in [&v3, &beside, &v4] {
        assert_eq!(version.terms.as_ref().unwrap().replaces, Some(v1.id), "what holds is what is replaced");
    }
    decided(&store, &v4, State::Approved, SIGNATORY).await.unwrap();
    let mut states = Vec::new();
    for version in [&v1, &v2, &v3, &beside, &v4] {
        states.push(state(&store, version).await);
    }
    use State::*;
    assert_eq!(states, [Terminated, Rejected, Withdrawn, Withdrawn, Approved]);
    // A locked service takes new versions, also of one that was rejected.
    let locked = Rules::new([(SERVICE, Rule { locked: true, ..Rule::default() })].into());
    let (fifth, v5) = renewed(&store, &third).await;
    decided(&store, &v5, State::Rejected, SIGNATORY).await.unwrap();
    let draft = drafted(&store, request::renewed(&fifth, at(NOW))).await;
    sent(&store, &draft, &locked).await.unwrap();
    let v6 = store.lines(draft.id).await.unwrap().remove(0);
    assert_eq!(v6.terms.as_ref().unwrap().replaces, Some(v4.id));
}

async fn a_suspension_is_lifted_by_the_same_person_or_above_and_not_got_around(kept: Kept) {
    let store = opened(&kept).await;
    people::add(&store, &[(SECOND_SIGNATORY, Role::Signatory, Some(KORSBAEK))]).await;
    let (first, held) = approved(&store, of_korsbaek()).await;
    let stopped = decided(&store, &held, State::Suspended, SIGNATORY).await.unwrap();
    let equal = decided(&store, &stopped, State::Approved, SECOND_SIGNATORY).await.unwrap_err();
    assert!(matches!(refused(&equal), Some(ApiRefusal::ApiSuspendedAbove)), "an equal is not above: {equal}");
    let lifted = decided(&store, &stopped, State::Approved, OPERATOR).await.unwrap();
    let stopped = decided(&store, &lifted, State::Suspended, OPERATOR).await.unwrap();
    // Neither a new version nor a request of its own opens the same calls again.
    let (_, version) = renewed(&store, &first).await;
    let (_, lines) = requested(&store, of_korsbaek()).await;
    for around in [&version, &lines[0]] {
        let error = decided(&store, around, State::Approved, SIGNATORY).await.unwrap_err();
        assert!(matches!(refused(&error), Some(ApiRefusal::ApiSuspendedAbove)), "{error}");
    }
    decided(&store, &stopped, State::Approved, OPERATOR).await.unwrap();
    decided(&store, &version, State::Approved, SIGNATORY).await.unwrap();
}

async fn whoever_wrote_any_of_a_request_does_not_approve_it(kept: Kept) {
    let store = opened(&kept).await;
    // One person with two roles at the authority, and a colleague who presses "send".
    let (colleague, writer) = (Key::Intruder, Key::GatewayClient);
    let own = Uuid::from_u128(7);
    registered(&store, own, Key::StsServer, KORSBAEK).await;
    people::add(&store, &[(colleague, Role::SystemResponsible, Some(KORSBAEK))]).await;
    let korsbaek = Some(KORSBAEK.parse().unwrap());
    let users = store.users().await.unwrap();
    let person = users.iter().find(|user| user.roles == [Role::Signatory] && user.party == korsbaek).unwrap().person;
    people::another_with(&store, person, writer, Role::SystemResponsible, KORSBAEK).await;
    let content = Content { system: Some(own), certificates: vec![thumbprint(Key::StsServer)], ..of_korsbaek() };
    let by = signer(colleague);
    let begun = request::draft(&store, By::Key(&by), Uuid::now_v7(), content.clone(), &because(NOW), None).await.unwrap();
    let changed = Content { purpose: "sagsbehandling og kontrol".to_owned(), ..content };
    let written = request::write(&store, By::Key(&signer(writer)), &begun, changed, &because(NOW), None).await.unwrap();
    let sent = request::submit(&store, By::Key(&by), &written, &Rules::default(), &words(), &because(NOW), None).await.unwrap();
    assert_eq!(sent.state, Stands::Requested);
    let line = store.lines(sent.id).await.unwrap().remove(0);
    let signed = decided(&store, &line, State::Approved, SIGNATORY).await;
    // The signatory is the person who wrote the purpose.
    let signed = signed.unwrap_err();
    assert!(matches!(refused(&signed), Some(ApiRefusal::ApiCreatorApproves)), "{signed}");
}

fn file(system: Uuid, key: Key, purpose: &str) -> String {
    format!(
        "[[agreement]]\nid = \"{}\"\nside = \"front\"\nsystem = \"{system}\"\ncertificates = [\"{}\"]\nservice = \"{SERVICE}\"\n\
         authority = \"{OTHER}\"\nenvironment = \"prod\"\nvalid_from = 2026-01-01T00:00:00Z\nstate = \"ANMODET\"\n\
         legal_basis = \"LUD § 8\"\npurpose = \"{purpose}\"\n",
        Uuid::now_v7(),
        thumbprint(key),
    )
}

async fn imported(store: &Store, by: Key, file: &str) -> Result<Agreement, DecideError> {
    let import = Import::parse(file, &words()).unwrap();
    let rules = Rules::default();
    agreement::request(store, By::Key(&signer(by)), &import, &rules, &because(NOW), None).await?;
    Ok(store.get(import.agreements[0].id).await.unwrap())
}

async fn every_door_asks_for_the_same_and_no_text_names_a_person(kept: Kept) {
    let store = opened(&kept).await;
    let bare = imported(&store, SUPPLIERS, &file(SYSTEM, SYSTEMS_KEY, "prøve")).await.unwrap_err().to_string();
    for field in ["name", "justification", "contract", "categories", "retention"] {
        assert!(bare.contains(field), "{field} in {bare}");
    }
    let person = imported(&store, OPERATOR, &file(Uuid::from_u128(9), Key::StsServer, "borger 610203-1234")).await.unwrap_err();
    assert!(person.to_string().contains("CPR"), "{person}");
    let by_operators = imported(&store, OPERATOR, &file(Uuid::from_u128(9), Key::StsServer, "prøve")).await.unwrap();
    let text = shown::text(&by_operators);
    assert!(text.contains("anmoder: gatewayens drift") && text.contains("opbevaring: ikke oplyst"), "{text}");
    // A reason is mailed and shown to many.
    let (_, lines) = requested(&store, of_korsbaek()).await;
    let named = Because::new("aftalt med borger 610203-1234".to_owned(), at(NOW));
    let signatory = signer(SIGNATORY);
    let reason = agreement::decide(&store, By::Key(&signatory), &lines[0], State::Approved, &named, None).await.unwrap_err();
    assert!(matches!(refused(&reason), Some(ApiRefusal::ApiFieldInvalid { field, .. }) if field == "reason"), "{reason}");
    assert_eq!(state(&store, &lines[0]).await, State::Requested);
}
