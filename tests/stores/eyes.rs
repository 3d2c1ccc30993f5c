//! Two pairs of eyes that see what they should: whose system it is, who asks, and what nobody gets around.

use std::collections::BTreeSet;
use std::time::Duration;

use hjemmel::agreements::import::Import;
use hjemmel::agreements::request::{Content, Request, Standing as Stands};
use hjemmel::agreements::route::store::InTheWay;
use hjemmel::agreements::rules::{Rule, Rules};
use hjemmel::agreements::{Agreement, Agreements, CacheSettings, ClientSystem, Route, Standing, State, Store};
use hjemmel::audit::Subject;
use hjemmel::decisions::system::{self, Changes, New, change, seen};
use hjemmel::decisions::{Because, By, DecideError, agreement, ending, life, request, shown, user};
use hjemmel::notices;
use hjemmel::notices::address::Language;
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use hjemmel::users::sessions::{Limits, Means, Proven};
use hjemmel::users::{Actor, Kind, Known, KnownBy, User};
use uuid::Uuid;

use crate::agreement_life::{
    KORSBAEK, OPERATOR, OPERATORS, OTHER, OWNER, OWNERS, SERVICE, SIGNATORY, SIGNATORYS, SUPPLIER, SUPPLIERS, SYSTEM,
    SYSTEMS_KEY, content, decided, drafted, notified, opened, refused, registered, requested, sent, words,
};
use crate::agreements::routes::{decision, route};
use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

const OTHER_SUPPLIER: &str = "99999991";
const SECOND_SIGNATORY: Key = Key::Intruder;
const SECOND_OF_THE_NAME: Key = Key::Korsbaek;

on_both! {
    only_ones_own_system_and_its_certificates_are_asked_for;
    a_certificate_is_registered_by_whoever_shows_its_key_and_moved_by_an_operator_alone;
    an_id_that_others_agreements_name_is_registered_by_the_operators_and_given_to_whose_it_is;
    the_text_says_who_asks_and_what_the_system_and_the_service_are_called;
    an_ended_certificate_opens_nothing_at_once_also_where_it_is_remembered;
    an_agreement_under_notice_is_suspended_and_ended_sooner_and_only_who_gave_it_takes_it_back;
    a_version_takes_the_place_of_what_holds_whatever_came_between;
    a_suspension_is_lifted_by_the_same_person_or_above_and_not_got_around;
    a_suspension_stands_in_the_way_also_once_the_agreement_is_over_until_it_is_lifted;
    a_trial_opens_nothing_to_whom_the_authority_last_said_no;
    binding_and_notice_hold_also_for_what_is_suspended_and_count_from_when_it_began;
    whoever_wrote_any_of_a_request_does_not_approve_it;
    whoever_asked_by_a_user_that_was_ended_since_does_not_approve_it_by_another;
    whoever_asked_by_a_certificate_does_not_approve_it_by_a_log_on_of_the_same_name_nor_the_other_way;
    whom_a_provider_does_not_name_may_be_anybody_of_the_authority_until_an_operator_says_that_they_are_two;
    a_certificate_that_is_added_to_a_log_on_makes_no_two_of_one_person;
    two_persons_of_one_name_are_two_where_an_operator_who_is_neither_says_so;
    whoever_may_be_several_of_those_who_asked_reads_every_pair_at_once;
    whoever_tells_two_persons_apart_is_told_whom_no_letter_reaches;
    a_namesake_is_told_of_wherever_a_person_logs_on_by_that_name_for_the_first_time;
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

async fn a_certificate_is_registered_by_whoever_shows_its_key_and_moved_by_an_operator_alone(kept: Kept) {
    let store = opened(&kept).await;
    let (squatter, theirs) = (Key::StsServer, Uuid::from_u128(6));
    people::add(&store, &[(squatter, Role::SupplierAdministrator, Some(OTHER_SUPPLIER))]).await;
    registered(&store, theirs, Key::Korsbaek, OTHER_SUPPLIER).await;
    let reader = async |key: Key| store.actor(signer(key).thumbprint(), None, at(NOW)).await.unwrap();
    let (other, own, operator) = (reader(squatter).await, reader(SUPPLIERS).await, reader(OPERATOR).await);
    let changed = async |by: &Actor, system: Uuid, changes: Changes| {
        let shown = seen(&store, by, system).await.unwrap();
        change(&store, By::User(by), &shown, &changes, &because(NOW), None).await
    };
    // Anybody has the certificate of whoever calls it: what shows that it is the system's is its key's signature, of that system.
    let next = Key::Udk;
    let added = |proof: Option<String>| Changes::CertificateAdded(Box::new(people::certificate(next)), proof);
    for proof in [None, Some("AAAA".to_owned()), Some(people::proof(squatter, theirs)), Some(people::proof(next, SYSTEM))] {
        let error = changed(&other, theirs, added(proof)).await.unwrap_err();
        assert!(matches!(refused(&error), Some(ApiRefusal::ApiFieldInvalid { .. })), "{error}");
    }
    changed(&own, SYSTEM, added(Some(people::proof(next, SYSTEM)))).await.unwrap();
    // One that another registered before keys were asked for, and ended: the operators move it to the system whose it is.
    registered(&store, Uuid::from_u128(7), squatter, OTHER_SUPPLIER).await;
    let of_squatter = file(Uuid::from_u128(7), squatter, "prøve").replace(OTHER, KORSBAEK);
    let asked = imported(&store, OPERATOR, &of_squatter).await.unwrap();
    let held = decided(&store, &asked, State::Approved, SIGNATORY).await.unwrap();
    changed(&other, Uuid::from_u128(7), Changes::CertificateEnded(thumbprint(squatter))).await.unwrap();
    let take = Changes::CertificateTaken(thumbprint(squatter));
    let error = changed(&own, SYSTEM, take.clone()).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiOtherParty)), "{error}");
    changed(&operator, SYSTEM, take.clone()).await.unwrap();
    let certificates = store.system_certificates(SYSTEM).await.unwrap();
    assert!(certificates.iter().any(|one| one.thumbprint == thumbprint(squatter) && one.ended_at.is_none()), "{certificates:?}");
    let found = store.front_by_certificate(&thumbprint(squatter), held.authority, SERVICE, &held.environment).await.unwrap();
    assert!(found.is_empty(), "an agreement of whoever had it opens nothing by it: {found:?}");
    let error = changed(&operator, SYSTEM, take).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiConflict { .. })), "it is this one's already: {error}");
    for statement in [
        "UPDATE client_system_certificate SET system = '00000000-0000-0000-0000-000000000006'",
        "UPDATE client_system_certificate_before SET until = until",
        "DELETE FROM client_system_certificate_before",
    ] {
        assert!(kept.execute(statement).await.is_err(), "{statement}");
    }
}

async fn an_id_that_others_agreements_name_is_registered_by_the_operators_and_given_to_whose_it_is(kept: Kept) {
    let store = opened(&kept).await;
    let squatter = Key::StsServer;
    people::add(&store, &[(squatter, Role::SupplierAdministrator, Some(OTHER_SUPPLIER))]).await;
    let register = async |by: Key, new: New| system::register(&store, By::Key(&signer(by)), new, &because(NOW), None).await;
    let new = |id: u128, party: Option<&str>| New {
        id: Uuid::from_u128(id),
        name: "Fagsystem".to_owned(),
        contact: "drift@leverandor.example".to_owned(),
        party: party.map(|cvr| cvr.parse().unwrap()),
    };
    // An agreement that operators brought in, and a route of an authority.
    imported(&store, OPERATOR, &file(Uuid::from_u128(9), Key::StsServer, "prøve")).await.unwrap();
    let routed = Route { system: Uuid::from_u128(10), ..route(1, "2026-01-01", None) };
    store.add_routes(std::slice::from_ref(&routed), InTheWay::Refuse, &decision(NOW)).await.unwrap();
    for id in [9, 10] {
        let error = register(squatter, new(id, None)).await.unwrap_err();
        assert!(matches!(refused(&error), Some(ApiRefusal::ApiConflict { .. })), "{id}: {error}");
    }
    let others = register(squatter, new(11, Some(SUPPLIER))).await.unwrap_err();
    assert!(matches!(refused(&others), Some(ApiRefusal::ApiOtherParty)), "{others}");
    let registered = register(OPERATOR, new(9, Some(SUPPLIER))).await.unwrap();
    assert_eq!(registered.party, Some(SUPPLIER.parse().unwrap()));
    // One that nothing named, by somebody whose it is not: given to whose it is.
    let taken = register(squatter, new(11, None)).await.unwrap();
    let to = Changes::Transferred(SUPPLIER.parse().unwrap());
    let own =
        change(&store, By::Key(&signer(squatter)), &(taken.clone(), Vec::new()), &to, &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&own), Some(ApiRefusal::ApiOtherParty)), "{own}");
    change(&store, By::Key(&signer(OPERATOR)), &(taken, Vec::new()), &to, &because(NOW), None).await.unwrap();
    assert_eq!(store.system(Uuid::from_u128(11)).await.unwrap().unwrap().party, Some(SUPPLIER.parse().unwrap()));
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

/// A day of the weeks after [`NOW`], so that what is decided has an order.
fn day(nth: i8) -> String {
    format!("2026-12-{nth:02}T12:00:00Z")
}

async fn decided_on(store: &Store, nth: i8, agreement: &Agreement, to: State, by: Key) -> Result<Agreement, DecideError> {
    agreement::decide(store, By::Key(&signer(by)), agreement, to, &because(&day(nth)), None).await
}

async fn ended_on(store: &Store, nth: i8, agreement: &Agreement, by: Key) -> Agreement {
    let proposed = ending::propose(store, agreement, None, &Rules::default(), at(&day(nth))).await.unwrap();
    ending::end(store, By::Key(&signer(by)), &proposed, &because(&day(nth)), None).await.unwrap()
}

/// Asks for an agreement of Korsbæk's, as it becomes at once.
async fn asked_on(store: &Store, nth: i8, content: Content, rules: &Rules) -> Agreement {
    let (by, because) = (signer(SUPPLIERS), because(&day(nth)));
    let draft = request::draft(store, By::Key(&by), Uuid::now_v7(), content, &because, None).await.unwrap();
    let sent = request::submit(store, By::Key(&by), &draft, rules, &words(), &because, None).await.unwrap();
    store.lines(sent.id).await.unwrap().remove(0)
}

async fn a_suspension_stands_in_the_way_also_once_the_agreement_is_over_until_it_is_lifted(kept: Kept) {
    let store = opened(&kept).await;
    let no_terms = Rules::default();
    let is_above = |error: &DecideError| matches!(refused(error), Some(ApiRefusal::ApiSuspendedAbove));
    // Ended by the supplier whom it stops; and run out.
    let ended = asked_on(&store, 1, of_korsbaek(), &no_terms).await;
    let held = decided_on(&store, 1, &ended, State::Approved, SIGNATORY).await.unwrap();
    let stopped = decided_on(&store, 2, &held, State::Suspended, OPERATOR).await.unwrap();
    let ended = ended_on(&store, 3, &stopped, SUPPLIERS).await;
    let short = Content { valid_to: Some(at(&day(6))), ..of_korsbaek() };
    let anew = asked_on(&store, 4, short, &no_terms).await;
    let error = decided_on(&store, 4, &anew, State::Approved, SIGNATORY).await.unwrap_err();
    assert!(is_above(&error), "{error}");
    // An equal or one below does not lift it; the operators do, and the agreement stays over.
    let lift = async |agreement: &Agreement, nth: i8, by: Key| {
        agreement::lift(&store, By::Key(&signer(by)), agreement, &because(&day(nth)), None).await
    };
    for by in [SIGNATORY, OWNER] {
        assert!(is_above(&lift(&ended, 4, by).await.unwrap_err()));
    }
    lift(&ended, 4, OPERATOR).await.unwrap();
    assert_eq!(state(&store, &ended).await, State::Terminated);
    let last = store.decisions(ended.id).await.unwrap().pop().unwrap();
    assert_eq!((last.from, last.to), (Some(State::Terminated), State::Terminated), "the history tells it");
    let twice = lift(&ended, 4, OPERATOR).await.unwrap_err();
    assert!(matches!(refused(&twice), Some(ApiRefusal::ApiTransition { .. })), "{twice}");
    let held = decided_on(&store, 5, &anew, State::Approved, SIGNATORY).await.unwrap();
    decided_on(&store, 5, &held, State::Suspended, OPERATOR).await.unwrap();
    life::look(&store, &no_terms, at(&day(6))).await.unwrap();
    assert_eq!(state(&store, &held).await, State::Expired);
    let third = asked_on(&store, 7, of_korsbaek(), &no_terms).await;
    let error = decided_on(&store, 7, &third, State::Approved, SIGNATORY).await.unwrap_err();
    assert!(is_above(&error), "{error}");
    lift(&store.get(held.id).await.unwrap(), 7, OPERATOR).await.unwrap();
    let held = decided_on(&store, 8, &third, State::Approved, SIGNATORY).await.unwrap();
    // Ended by somebody who might have lifted it, it is settled.
    let stopped = decided_on(&store, 9, &held, State::Suspended, OWNER).await.unwrap();
    ended_on(&store, 9, &stopped, SIGNATORY).await;
    let fourth = asked_on(&store, 10, of_korsbaek(), &no_terms).await;
    decided_on(&store, 10, &fourth, State::Approved, SIGNATORY).await.unwrap();
}

async fn a_trial_opens_nothing_to_whom_the_authority_last_said_no(kept: Kept) {
    let store = opened(&kept).await;
    let rules = Rules::new([(SERVICE, Rule { trial: [KORSBAEK.parse().unwrap()].into(), ..Rule::default() })].into());
    let test = || Content { environment: Some("exttest".parse().unwrap()), ..of_korsbaek() };
    let second = Uuid::from_u128(16);
    registered(&store, second, Key::Korsbaek, crate::agreement_life::SUPPLIER).await;
    let another = || Content { system: Some(second), certificates: vec![thumbprint(Key::Korsbaek)], ..test() };
    let held = asked_on(&store, 1, test(), &rules).await;
    assert_eq!(held.state, State::Approved);
    let stopped = decided_on(&store, 2, &held, State::Suspended, OWNER).await.unwrap();
    assert_eq!(asked_on(&store, 2, another(), &rules).await.state, State::Requested, "nor by a second system");
    ended_on(&store, 3, &stopped, SUPPLIERS).await;
    for content in [test(), another()] {
        let waiting = asked_on(&store, 4, content, &rules).await;
        assert_eq!(waiting.state, State::Requested, "the supplier ended it, and asks anew");
        decided_on(&store, 5, &waiting, State::Rejected, SIGNATORY).await.unwrap();
    }
    // A signatory's yes counts until the next no.
    let waiting = asked_on(&store, 6, test(), &rules).await;
    let held = decided_on(&store, 7, &waiting, State::Approved, SIGNATORY).await.unwrap();
    let on_trial = asked_on(&store, 8, another(), &rules).await;
    assert_eq!(on_trial.state, State::Approved);
    ended_on(&store, 9, &on_trial, SUPPLIERS).await;
    let on_trial = asked_on(&store, 10, another(), &rules).await;
    assert_eq!(on_trial.state, State::Approved, "what the supplier ended itself");
    ended_on(&store, 11, &held, OWNER).await;
    assert_eq!(asked_on(&store, 12, test(), &rules).await.state, State::Requested, "what the authority ended");
    // The consent itself is taken away: what holds by it alone ends, and what a signatory approved does not.
    let of_signatory = asked_on(&store, 13, test(), &rules).await;
    let of_signatory = decided_on(&store, 13, &of_signatory, State::Approved, SIGNATORY).await.unwrap();
    life::look(&store, &rules, at(&day(14))).await.unwrap();
    assert_eq!(state(&store, &on_trial).await, State::Approved);
    let elsewhere = Rules::default();
    life::look(&store, &elsewhere, at(&day(14))).await.unwrap();
    assert_eq!(state(&store, &on_trial).await, State::Approved, "a node without the service knows nothing of it");
    let taken_away = Rules::new([(SERVICE, Rule::default())].into());
    assert_eq!(life::look(&store, &taken_away, at(&day(14))).await.unwrap().expired, 1);
    assert_eq!((state(&store, &on_trial).await, state(&store, &of_signatory).await), (State::Terminated, State::Approved));
}

async fn binding_and_notice_hold_also_for_what_is_suspended_and_count_from_when_it_began(kept: Kept) {
    let store = opened(&kept).await;
    let rules = Rules::new([(SERVICE, Rule { binding_months: 6, notice_months: 3, ..Rule::default() })].into());
    let earliest = async |agreement: &Agreement, now: &str| {
        ending::propose(&store, agreement, None, &rules, at(now)).await.unwrap().earliest.to_string()
    };
    // Asked for in March to begin then, approved in November: it began to hold in November.
    let early = Content { valid_from: Some(at("2026-03-01T00:00:00Z")), ..of_korsbaek() };
    let (request, held) = approved(&store, early).await;
    assert_eq!(earliest(&held, NOW).await, "2027-05-29T22:00:00Z");
    // A renewal goes on with the same binding, and one that has not begun is no way out.
    let later = Content { valid_from: Some(at("2027-02-01T00:00:00Z")), ..request::renewed(&request, at(NOW)) };
    let (_, next) = requested(&store, later).await;
    let next = decided(&store, &next[0], State::Approved, SIGNATORY).await.unwrap();
    assert_eq!(earliest(&next, NOW).await, "2027-05-29T22:00:00Z");
    assert_eq!(earliest(&next, "2027-09-01T12:00:00Z").await, "2027-12-01T23:00:00Z", "after the binding the notice");
    // Suspended first, it ends no sooner, and stays suspended until then.
    let stopped = decided(&store, &next, State::Suspended, OWNER).await.unwrap();
    let at_once = ending::propose(&store, &stopped, Some(at(NOW)), &rules, at(NOW)).await.unwrap();
    let error = ending::end(&store, By::Key(&signer(OWNER)), &at_once, &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiNoticeTooShort { .. })), "{error}");
    let noticed = ending::propose(&store, &stopped, None, &rules, at(NOW)).await.unwrap();
    let given = ending::end(&store, By::Key(&signer(OWNER)), &noticed, &because(NOW), None).await.unwrap();
    assert_eq!((given.state, given.ends_at, given.reason), (State::Suspended, Some(noticed.ends_at), stopped.reason));
    // Lifted it is under notice as it was given, which its giver takes back.
    let lifted = decided(&store, &store.get(next.id).await.unwrap(), State::Approved, SIGNATORY).await.unwrap();
    assert_eq!((lifted.state, lifted.ends_at), (State::Terminated, Some(noticed.ends_at)));
    let supplier = decided(&store, &lifted, State::Approved, SUPPLIERS).await.unwrap_err();
    assert!(matches!(refused(&supplier), Some(ApiRefusal::ApiNoticeOfAnother)), "{supplier}");
    assert_eq!(decided(&store, &lifted, State::Approved, OWNER).await.unwrap().state, State::Approved);
    // What never began binds nobody.
    let (_, beside) = approved(&store, Content { valid_from: Some(at("2027-02-01T00:00:00Z")), ..of_korsbaek() }).await;
    assert_eq!(earliest(&beside, NOW).await, NOW);
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
    assert!(matches!(refused(&signed), Some(ApiRefusal::ApiCreatorApproves { .. })), "{signed}");
    assert!(!signed.to_string().contains("distinct"), "one person is not told apart: {signed}");
}

/// A user of this name at Korsbæk, added as a person of its own. `key` none: one that came by an identity provider.
async fn named(store: &Store, key: Option<Key>, role: Role, name: &str) -> Uuid {
    let certificates: Vec<_> = key.map(people::certificate).into_iter().collect();
    let thumbprints = certificates.iter().map(|certificate| (*certificate.thumbprint()).into()).collect();
    let user = User { name: name.to_owned(), certificates: thumbprints, known: Known::default(), ..unnamed(role) };
    user::add(store, None, &user, &certificates, &because(NOW)).await.unwrap();
    user.id
}

/// A user of Korsbæk as a log-on makes one where the provider gives no name.
fn unnamed(role: Role) -> User {
    let id = Uuid::new_v4();
    User {
        id,
        person: id,
        name: User::unnamed(id),
        kind: Kind::Person,
        party: Some(KORSBAEK.parse().unwrap()),
        roles: vec![role],
        services: Vec::new(),
        certificates: Vec::new(),
        valid_from: at("2026-11-01T00:00:00Z"),
        valid_to: None,
        known: Known { by: KnownBy::Nothing, ..Known::default() },
    }
}

async fn logged_on(store: &Store, user: Uuid) -> Actor {
    let proven = Proven { user, means: Means::Saml, roles: None, at_provider: None, until: None };
    let hour = Duration::from_secs(3600);
    let limits = Limits { idle: hour, lifetime: hour };
    store.open_session(&proven, limits, at(NOW)).await.unwrap().1.actor
}

async fn approve(store: &Store, line: &Agreement, by: By<'_>) -> Result<State, DecideError> {
    agreement::decide(store, by, line, State::Approved, &because(NOW), None).await.map(|approved| approved.state)
}

/// Refused, as whoever asked for it may be who would approve it.
async fn own(store: &Store, line: &Agreement, by: By<'_>) {
    let own = approve(store, line, by).await.unwrap_err();
    assert!(matches!(refused(&own), Some(ApiRefusal::ApiCreatorApproves { .. })), "{own}");
}

async fn whom_a_provider_does_not_name_may_be_anybody_of_the_authority_until_an_operator_says_that_they_are_two(kept: Kept) {
    let store = opened(&kept).await;
    registered(&store, Uuid::from_u128(7), Key::StsServer, KORSBAEK).await;
    let asker = named(&store, Some(Key::Intruder), Role::SystemResponsible, "Anne Prøve").await;
    let (nobody, another) = (unnamed(Role::Signatory), unnamed(Role::SystemResponsible));
    for user in [&nobody, &another] {
        user::add(&store, None, user, &[], &because(NOW)).await.unwrap();
    }
    let (signs, asks) = (logged_on(&store, nobody.id).await, logged_on(&store, another.id).await);
    let line = asked_for(&store, By::Key(&signer(Key::Intruder))).await;
    own(&store, &line, By::User(&signs)).await;
    user::distinct(&store, By::Key(&signer(OPERATOR)), (nobody.id, asker), &because(NOW)).await.unwrap();
    assert_eq!(approve(&store, &line, By::User(&signs)).await.unwrap(), State::Approved);
    // Of two that have no name, and of one of them and anybody else, nobody said so.
    let unnameds = asked_for(&store, By::User(&asks)).await;
    own(&store, &unnameds, By::User(&signs)).await;
    own(&store, &unnameds, By::Key(&signer(SIGNATORY))).await;
}

async fn a_certificate_that_is_added_to_a_log_on_makes_no_two_of_one_person(kept: Kept) {
    let store = opened(&kept).await;
    registered(&store, Uuid::from_u128(7), Key::StsServer, KORSBAEK).await;
    named(&store, Some(Key::Intruder), Role::SystemResponsible, "Anne Prøve").await;
    let by_log_on = named(&store, None, Role::Signatory, "Anne Prøve").await;
    // A node of the release before writes nothing of how it knows anybody.
    let by_node_before = Uuid::from_u128(70);
    let added = format!(
        "INSERT INTO api_user (id, name, kind, party, roles, services, valid_from)
         VALUES ('{by_node_before}', 'Anne Prøve', 'person', '{KORSBAEK}', '[\"signatory\"]', '[]', '2026-11-01T00:00:00Z')"
    );
    kept.execute(&added).await.unwrap();
    let line = asked_for(&store, By::Key(&signer(Key::Intruder))).await;
    for (id, key) in [(by_log_on, Key::GatewayClient), (by_node_before, Key::Korsbaek)] {
        user::add_certificate(&store, None, id, people::certificate(key), &because(NOW)).await.unwrap();
        assert!(store.user(id).await.unwrap().is_by_provider());
        own(&store, &line, By::Key(&signer(key))).await;
        own(&store, &line, By::User(&logged_on(&store, id).await)).await;
    }
    assert!(kept.execute("UPDATE api_user SET known_by = 'certificate'").await.is_err(), "it is never altered");
    assert_eq!(approve(&store, &line, By::Key(&signer(SIGNATORY))).await.unwrap(), State::Approved);
}

async fn two_persons_of_one_name_are_two_where_an_operator_who_is_neither_says_so(kept: Kept) {
    let store = opened(&kept).await;
    registered(&store, Uuid::from_u128(7), Key::StsServer, KORSBAEK).await;
    people::add(&store, &[(Key::Korsbaek, Role::Operator, None)]).await;
    let of = async |key: Key| store.user_of(thumbprint(key)).await.unwrap().unwrap();
    let (operator, colleague) = (of(OPERATOR).await, of(Key::Korsbaek).await);
    let one = named(&store, None, Role::SystemResponsible, "Lars Prøve").await;
    assert!(notified(&store).await.is_empty(), "nobody else has the name");
    let other = named(&store, None, Role::Signatory, "lars  Prøve").await;
    let asked = BTreeSet::from([(OPERATORS.to_owned(), notices::Kind::Namesake)]);
    assert_eq!(notified(&store).await, asked, "the operators can ask who they are");
    user::set_address(&store, None, one, Some(("lars@example.dk", Language::Da)), &because(NOW)).await.unwrap();
    let (asks, signs) = (logged_on(&store, one).await, logged_on(&store, other).await);
    let line = asked_for(&store, By::User(&asks)).await;
    own(&store, &line, By::User(&signs)).await;
    let said = async |by: Key, pair: (Uuid, Uuid)| {
        user::distinct(&store, By::Key(&signer(by)), pair, &because(NOW)).await.map_err(|error| error.to_string())
    };
    let not_allowed = user::distinct(&store, By::User(&signs), (one, other), &because(NOW)).await.unwrap_err();
    assert!(matches!(refused(&not_allowed), Some(ApiRefusal::ApiNotAllowed { .. })), "{not_allowed}");
    for (pair, why) in [
        ((one, one), "are one person"),
        ((one, operator.id), "not two persons of one authority"),
        ((operator.id, colleague.id), "who may be neither"),
        ((one, Uuid::from_u128(99)), "no user"),
    ] {
        let refused = said(OPERATOR, pair).await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    // Whoever is refused learns whom to ask, and of which users.
    let own = approve(&store, &line, By::User(&signs)).await.unwrap_err();
    let entry = refused(&own).unwrap().entry();
    for (remedy, whom) in [(entry.da.remedy, "gatewayens drift"), (entry.en.remedy, "the gateway's operators")] {
        for named in [whom, &one.to_string(), &other.to_string(), "hjemmel user distinct"] {
            assert!(remedy.contains(named), "{named}: {remedy}");
        }
    }
    notified(&store).await;
    let untold = said(OPERATOR, (one, other)).await.unwrap();
    assert_eq!((untold.users, untold.accountable), (vec![other], false), "who has no address is named");
    // Who has an address of the two is told, who answers for the authority, and the operators; and nobody of another authority.
    let all = ["lars@example.dk", SIGNATORYS, OWNERS, OPERATORS].map(|to| (to.to_owned(), notices::Kind::ToldApart));
    assert_eq!(notified(&store).await, BTreeSet::from(all));
    assert_eq!(approve(&store, &line, By::User(&signs)).await.unwrap(), State::Approved);
    // It stands of both, signed, with one text that names both by id.
    let mut texts = Vec::new();
    for user in [one, other] {
        let made = store.made_on(Subject::User, user).await.unwrap().pop().unwrap();
        assert_eq!((made.what.to.as_str(), made.user), ("told apart", Some(operator.id)));
        assert!(made.signature.is_some());
        texts.push(made.what.shown.unwrap());
    }
    assert_eq!(texts[0], texts[1]);
    assert!(said(OPERATOR, (other, one)).await.unwrap_err().contains("was said before"));
    assert!(kept.execute("DELETE FROM user_distinct").await.is_err(), "it is kept");
}

async fn whoever_may_be_several_of_those_who_asked_reads_every_pair_at_once(kept: Kept) {
    let store = opened(&kept).await;
    registered(&store, Uuid::from_u128(7), Key::StsServer, KORSBAEK).await;
    let lars = async |role: Role| named(&store, None, role, "Lars Prøve").await;
    let (asker, writer, signatory) =
        (lars(Role::SystemResponsible).await, lars(Role::SystemResponsible).await, lars(Role::Signatory).await);
    let (asks, writes, signs) =
        (logged_on(&store, asker).await, logged_on(&store, writer).await, logged_on(&store, signatory).await);
    let content = Content { system: Some(Uuid::from_u128(7)), certificates: vec![thumbprint(Key::StsServer)], ..of_korsbaek() };
    let begun = request::draft(&store, By::User(&asks), Uuid::now_v7(), content.clone(), &because(NOW), None).await.unwrap();
    let changed = Content { purpose: "sagsbehandling og kontrol".to_owned(), ..content };
    let written = request::write(&store, By::User(&writes), &begun, changed, &because(NOW), None).await.unwrap();
    request::submit(&store, By::User(&asks), &written, &Rules::default(), &words(), &because(NOW), None).await.unwrap();
    let line = store.lines(begun.id).await.unwrap().remove(0);
    let remedies = async || {
        let own = approve(&store, &line, By::User(&signs)).await.unwrap_err();
        let entry = refused(&own).unwrap().entry();
        [(entry.da.remedy, "og"), (entry.en.remedy, "and")]
    };
    for (remedy, and) in remedies().await {
        for pair in [asker, writer].map(|before| format!("{before} {and} {signatory}")) {
            assert_eq!(remedy.matches(&pair).count(), 1, "each once: {remedy}");
        }
    }
    let told_apart = async |one: Uuid, other: Uuid| {
        user::distinct(&store, By::Key(&signer(OPERATOR)), (one, other), &because(NOW)).await.unwrap();
    };
    told_apart(asker, signatory).await;
    for (remedy, and) in remedies().await {
        assert!(remedy.contains(&format!("{writer} {and} {signatory}")) && !remedy.contains(&asker.to_string()), "{remedy}");
    }
    told_apart(writer, signatory).await;
    assert_eq!(approve(&store, &line, By::User(&signs)).await.unwrap(), State::Approved);
}

async fn whoever_tells_two_persons_apart_is_told_whom_no_letter_reaches(kept: Kept) {
    let store = opened(&kept).await;
    let party = Some(OTHER_SUPPLIER.parse().unwrap());
    let namesake =
        || User { name: "Lars Prøve".to_owned(), party, known: Known::default(), ..unnamed(Role::SupplierAdministrator) };
    let (one, other) = (namesake(), namesake());
    for user in [&one, &other] {
        user::add(&store, None, user, &[], &because(NOW)).await.unwrap();
    }
    notified(&store).await;
    let said = user::distinct(&store, By::Key(&signer(OPERATOR)), (one.id, other.id), &because(NOW)).await.unwrap();
    assert_eq!((said.users, said.accountable), (vec![one.id, other.id], true), "nobody of the company has an address");
    assert_eq!(notified(&store).await, BTreeSet::from([(OPERATORS.to_owned(), notices::Kind::ToldApart)]));
}

async fn a_namesake_is_told_of_wherever_a_person_logs_on_by_that_name_for_the_first_time(kept: Kept) {
    let store = opened(&kept).await;
    let named = |name: &str, user: User| User { id: Uuid::new_v4(), name: name.to_owned(), known: Known::default(), ..user };
    let letters = async |user: &User| {
        user::add(&store, None, user, &[], &because(NOW)).await.unwrap();
        notified(&store).await
    };
    let none = BTreeSet::new();
    let one = BTreeSet::from([(OPERATORS.to_owned(), notices::Kind::Namesake)]);
    let first = User { name: "Lars Prøve".to_owned(), known: Known::default(), ..unnamed(Role::SystemResponsible) };
    assert_eq!(letters(&first).await, none);
    let elsewhere = Some(OTHER.parse().unwrap());
    let namesake =
        User { name: "lars  Prøve".to_owned(), party: elsewhere, known: Known::default(), ..unnamed(Role::Signatory) };
    assert_eq!(letters(&namesake).await, none, "nobody of that authority has the name yet");
    // The first's next user, at the authority where another has the name; and one more there, in other roles.
    let there = User { party: elsewhere, ..named("Lars Prøve", first) };
    assert_eq!(letters(&there).await, one);
    let in_other_roles = User { roles: vec![Role::SystemOwner], ..named("Lars Prøve", there.clone()) };
    assert_eq!(letters(&in_other_roles).await, none, "it was told of that person there");
    // One whom the provider did not name at first.
    let nameless = unnamed(Role::SystemResponsible);
    assert_eq!(letters(&nameless).await, none);
    let by_now = User { roles: vec![Role::Signatory], ..named("Lars Prøve", nameless) };
    assert_eq!(letters(&by_now).await, one);
    // Of whom an operator has said that they are two it is known.
    user::distinct(&store, By::Key(&signer(OPERATOR)), (there.id, namesake.id), &because(NOW)).await.unwrap();
    notified(&store).await;
    assert_eq!(letters(&named("Bo Prøve", there)).await, none);
    assert_eq!(letters(&named("Bo Prøve", namesake)).await, none);
}

/// What a user of Korsbæk asks for, of a system of its own.
async fn asked_for(store: &Store, by: By<'_>) -> Agreement {
    let content = Content { system: Some(Uuid::from_u128(7)), certificates: vec![thumbprint(Key::StsServer)], ..of_korsbaek() };
    let draft = request::draft(store, by, Uuid::now_v7(), content, &because(NOW), None).await.unwrap();
    request::submit(store, by, &draft, &Rules::default(), &words(), &because(NOW), None).await.unwrap();
    store.lines(draft.id).await.unwrap().remove(0)
}

async fn whoever_asked_by_a_user_that_was_ended_since_does_not_approve_it_by_another(kept: Kept) {
    let store = opened(&kept).await;
    registered(&store, Uuid::from_u128(7), Key::StsServer, KORSBAEK).await;
    let (asks, signs) = (Key::Intruder, Key::GatewayClient);
    let asker = named(&store, Some(asks), Role::SystemResponsible, "Anne Prøve Å").await;
    let line = asked_for(&store, By::Key(&signer(asks))).await;
    user::end(&store, None, asker, &because(NOW)).await.unwrap();
    // Written in other case, with other blanks, and the ring as a character of its own.
    named(&store, Some(signs), Role::Signatory, " anne  prøve a\u{30a}").await;
    let own = decided(&store, &line, State::Approved, signs).await.unwrap_err();
    assert!(matches!(refused(&own), Some(ApiRefusal::ApiCreatorApproves { .. })), "{own}");
    assert_eq!(decided(&store, &line, State::Approved, SIGNATORY).await.unwrap().state, State::Approved);
}

async fn whoever_asked_by_a_certificate_does_not_approve_it_by_a_log_on_of_the_same_name_nor_the_other_way(kept: Kept) {
    let store = opened(&kept).await;
    registered(&store, Uuid::from_u128(7), Key::StsServer, KORSBAEK).await;
    let by_certificate = signer(Key::Intruder);
    named(&store, Some(Key::Intruder), Role::SystemResponsible, "Anne Prøve").await;
    let signs = logged_on(&store, named(&store, None, Role::Signatory, "Anne Prøve").await).await;
    let another = logged_on(&store, named(&store, None, Role::Signatory, "Anne M. Prøve").await).await;
    let line = asked_for(&store, By::Key(&by_certificate)).await;
    own(&store, &line, By::User(&signs)).await;
    assert_eq!(approve(&store, &line, By::User(&another)).await.unwrap(), State::Approved);
    let asks = logged_on(&store, named(&store, None, Role::SystemResponsible, "Bo Prøve").await).await;
    named(&store, Some(Key::GatewayClient), Role::Signatory, "Bo Prøve").await;
    let line = asked_for(&store, By::User(&asks)).await;
    own(&store, &line, By::Key(&signer(Key::GatewayClient))).await;
    // Of two certificates whoever added them was told, and said that they are two.
    named(&store, Some(SECOND_OF_THE_NAME), Role::Signatory, "Anne Prøve").await;
    let line = asked_for(&store, By::Key(&by_certificate)).await;
    assert_eq!(approve(&store, &line, By::Key(&signer(SECOND_OF_THE_NAME))).await.unwrap(), State::Approved);
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
