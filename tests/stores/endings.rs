//! Ends of agreements: what they close, what is judged again when they take effect, and what comes back with a notice that is taken back.

use hjemmel::agreements::request::{Content, Part, Request};
use hjemmel::agreements::route::store::InTheWay;
use hjemmel::agreements::rules::{Rule, Rules};
use hjemmel::agreements::{Agreement, Route, Side, Standing, State, Store};
use hjemmel::audit::Subject;
use hjemmel::decisions::ending::Ending;
use hjemmel::decisions::{By, agreement, approval, ending, life, request, route, shown};
use hjemmel::notices;
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::stub::pki::Role as Key;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::agreement_life::{
    KORSBAEK, OPERATOR, OTHER, OTHER_SERVICE, OTHERS_SIGNATORY, OWNER, OWNERS, SERVICE, SIGNATORY, SIGNATORYS, SUPPLIER,
    SUPPLIERS_, SYSTEM, content, decided, drafted, notified, opened, refused, registered, requested, route_of, sent,
};
use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

on_both! {
    a_notice_that_is_taken_back_closes_nothing_and_gives_back_what_it_took_along;
    what_was_decided_on_otherwise_since_is_not_given_back;
    what_closes_at_the_end_of_a_notice_is_judged_again_then;
    an_order_that_another_agreement_covers_stays_and_a_request_closes_nothing_and_keeps_nothing;
    agreements_that_depend_on_one_another_end_together_whatever_versions_they_have;
    an_agreement_that_runs_out_ends_what_depends_on_it_and_closes_what_it_had;
    an_end_closes_routes_also_of_what_is_suspended_and_when_it_is_brought_forward;
    a_notice_ends_with_the_period_at_the_latest;
    what_runs_out_under_a_longer_notice_of_before_ends_with_its_period;
    an_agreement_that_ran_out_ends_also_where_what_depends_on_it_was_over_before_anybody_looked;
    a_row_that_cannot_be_read_keeps_no_other_agreement_from_ending;
    what_ends_by_its_own_notice_closes_then_also_where_another_notice_was_taken_back;
    what_goes_with_two_ends_by_the_notice_that_stands_and_goes_on_when_neither_does;
    a_route_of_two_agreements_closes_by_the_notice_that_stands_and_stays_when_neither_does;
    what_is_approved_during_the_notice_of_what_it_depends_on_ends_with_it_and_after_it_is_refused;
    a_request_that_a_notice_took_back_is_told_of_where_the_notice_is_taken_back;
    a_renewal_that_ends_before_it_begins_closes_all_with_the_agreement_that_it_was_to_renew;
    what_lasts_as_long_as_another_version_goes_on_where_either_notice_is_taken_back;
    of_two_agreements_for_the_same_calls_the_last_closes_them_whichever_end_was_decided_first;
    a_key_is_disabled_with_the_systems_last_agreement_whichever_end_was_decided_first;
    what_covers_a_thing_until_its_own_notice_is_over_puts_it_off_until_then;
    what_is_approved_with_an_end_takes_along_what_depends_on_it_as_it_was_shown;
    a_notice_on_either_of_two_that_depend_on_each_other_is_taken_back;
    of_two_that_depend_on_each_other_both_notices_are_taken_back_together_where_one_was_brought_forward;
    of_two_that_depend_on_each_other_neither_is_taken_back_by_one_below_whoever_gave_either_notice;
    what_was_brought_forward_is_taken_back_by_nobody_below_who_gave_the_notice_before;
    notices_are_taken_back_together_only_where_that_was_shown;
    a_notice_that_was_taken_back_on_what_is_suspended_is_nobodys_when_another_is_given;
    what_went_with_another_and_is_suspended_is_under_nobodys_notice_where_that_is_taken_back;
    a_row_that_cannot_be_read_holds_up_no_other_suspension_trial_or_closing;
    a_renewal_that_would_end_before_it_begins_is_not_approved_and_what_holds_goes_on;
    what_runs_out_between_the_ends_of_two_that_it_depends_on_has_its_own_period_where_the_sooner_notice_is_taken_back;
    a_route_closes_on_the_day_of_a_notice_that_was_brought_forward_also_where_another_covers_its_calls_since;
}

/// Three months' notice; files of one kind go by the service.
fn rules() -> Rules {
    let rule = Rule { inf_refs: vec![KIND.to_owned()], notice_months: 3, ..Rule::default() };
    Rules::new([(SERVICE, rule)].into())
}

const KIND: &str = "BILAG";
const SENDER: Uuid = Uuid::from_u128(51);
const RECEIVER: Uuid = Uuid::from_u128(52);
const ORDER: Uuid = Uuid::from_u128(53);
const FINGERPRINT: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn of_korsbaek() -> Content {
    Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() }
}

fn depending_on(request: &Request) -> Content {
    let part = Part { service: OTHER_SERVICE, side: Side::Front, scope: Default::default() };
    Content { services: vec![part], depends_on: vec![request.id], ..of_korsbaek() }
}

async fn approved(store: &Store, content: Content) -> (Request, Agreement) {
    let by = if content.authorities == [OTHER.parse().unwrap()] { OTHERS_SIGNATORY } else { SIGNATORY };
    let (request, lines) = requested(store, content).await;
    let agreement = decided(store, &lines[0], State::Approved, by).await.unwrap();
    (request, agreement)
}

async fn now_is(store: &Store, agreement: &Agreement) -> Agreement {
    store.get(agreement.id).await.unwrap()
}

/// Gives the notice that the terms ask for, or one until then.
async fn noticed(store: &Store, agreement: &Agreement, until: Option<Timestamp>) -> Ending {
    let proposed = ending::propose(store, agreement, until, &rules(), at(NOW)).await.unwrap();
    ending::end(store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
    proposed
}

async fn routed(kept: &Kept, store: &Store) -> Route {
    let route = route_of(kept, KORSBAEK);
    let routes = std::slice::from_ref(&route);
    route::add(store, By::Key(&signer(OPERATOR)), routes, InTheWay::Refuse, &[], &because(NOW), None).await.unwrap();
    route
}

async fn ends_on(store: &Store, route: &Route) -> Option<String> {
    store.route(route.id).await.unwrap().period.to().map(|day| day.to_string())
}

/// The system's SFTP user with a key, and an order by which Korsbæk sends from it to a ledger.
async fn with_files(kept: &Kept) {
    for (id, name, system) in [(SENDER, "FAG", SYSTEM), (RECEIVER, "LEDGER", Uuid::from_u128(8))] {
        kept.execute(&format!(
            "INSERT INTO sftp_user (id, name, environment, system, authority, older_root, bytes_limit, disabled, added_us)
             VALUES ('{id}', '{name}', 'prod', '{system}', '{SUPPLIER}', FALSE, 1000, FALSE, 5)"
        ))
        .await
        .unwrap();
    }
    kept.execute(&format!(
        "INSERT INTO sftp_key (sftp_user, fingerprint, label, public_key, disabled, added_us) VALUES ('{SENDER}', '{FINGERPRINT}', 'k', 'k', FALSE, 5)"
    ))
    .await
    .unwrap();
    ordered(kept, ORDER, KIND).await;
}

async fn ordered(kept: &Kept, id: Uuid, inf_ref: &str) {
    kept.execute(&format!(
        "INSERT INTO file_order (id, state, sender, recipient, sender_authority, recipient_authority, inf_ref, legal_basis, purpose,
             valid_from, largest_bytes, keep_days, alarm_hours, delete_days)
         VALUES ('{id}', 'GODKENDT', '{SENDER}', '{RECEIVER}', '{KORSBAEK}', '{OTHER}', '{inf_ref}', 'l', 'f', '2026-01-01', 1000, 1, 1, 11)"
    ))
    .await
    .unwrap();
}

/// Where an order stands, and whether the system's key is disabled.
async fn files(store: &Store, order: Uuid) -> (State, bool) {
    let mut session = store.database().session().await.unwrap();
    let state = hjemmel::files::orders::with_id(&mut session, order).await.unwrap().state;
    (state, hjemmel::files::users::keys(&mut session, SENDER).await.unwrap()[0].disabled)
}

async fn last_of(store: &Store, subject: Subject, id: Uuid) -> Option<String> {
    store.made_on(subject, id).await.unwrap().last().map(|made| made.what.to.clone())
}

async fn a_notice_that_is_taken_back_closes_nothing_and_gives_back_what_it_took_along(kept: Kept) {
    let store = opened(&kept).await;
    let (request, held) = approved(&store, of_korsbaek()).await;
    let (second, other) = approved(&store, depending_on(&request)).await;
    let third = Content { depends_on: vec![second.id], name: "Opfølgning".to_owned(), ..depending_on(&request) };
    let (_, last) = approved(&store, third).await;
    with_files(&kept).await;
    let route = routed(&kept, &store).await;
    let given = noticed(&store, &held, Some(at("2027-06-30T22:00:00Z"))).await;
    assert_eq!((given.files.orders.as_slice(), given.with.len(), given.routes.len()), ([ORDER].as_slice(), 2, 1));
    // Brought forward, so that each was given an end twice.
    let sooner = noticed(&store, &now_is(&store, &held).await, None).await;
    assert!(sooner.ends_at < given.ends_at);
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-03-01"));
    notified(&store).await;
    let back = decided(&store, &now_is(&store, &held).await, State::Approved, OWNER).await.unwrap();
    assert_eq!((back.state, back.ends_at), (State::Approved, None));
    for depending in [&other, &last] {
        let goes_on = now_is(&store, depending).await;
        assert_eq!((goes_on.state, goes_on.ends_at), (State::Approved, None), "{}", depending.id);
        let made = store.made_on(Subject::Agreement, depending.id).await.unwrap();
        assert!(made.last().unwrap().signature.is_some(), "by who took the notice back");
    }
    assert_eq!(ends_on(&store, &route).await, None);
    assert_eq!(last_of(&store, Subject::Route, route.id).await.as_deref(), Some("no end"));
    let told = notified(&store).await;
    for to in [SUPPLIERS_, OWNERS, SIGNATORYS] {
        assert!(told.contains(&(to.to_owned(), notices::Kind::NoticeTakenBack)), "{to} in {told:?}");
    }
    for day in [sooner.ends_at, given.ends_at] {
        life::look(&store, &rules(), day).await.unwrap();
        assert_eq!(files(&store, ORDER).await, (State::Approved, false), "{day}");
        assert_eq!(last_of(&store, Subject::FileOrder, ORDER).await, None, "the chain says nothing that is not so");
    }
    // A notice that is given anew is another, which closes as any.
    let again = noticed(&store, &now_is(&store, &held).await, None).await;
    life::look(&store, &rules(), again.ends_at).await.unwrap();
    assert_eq!(files(&store, ORDER).await.0, State::Terminated);
    assert!(kept.execute("DELETE FROM agreement_taken_along").await.is_err());
    assert!(kept.execute("UPDATE agreement_taken_along SET former = ''").await.is_err());
}

async fn what_was_decided_on_otherwise_since_is_not_given_back(kept: Kept) {
    let store = opened(&kept).await;
    let (request, held) = approved(&store, of_korsbaek()).await;
    let (_, other) = approved(&store, depending_on(&request)).await;
    let route = routed(&kept, &store).await;
    noticed(&store, &held, None).await;
    // The one that depends on it ends sooner, and the route on another day.
    let sooner = at("2027-01-31T23:00:00Z");
    let own = now_is(&store, &other).await;
    let proposed = ending::propose(&store, &own, Some(sooner), &Rules::default(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
    let shown = store.route(route.id).await.unwrap();
    let by = signer(OPERATOR);
    route::end_on(&store, By::Key(&by), &shown, "2027-02-01".parse().unwrap(), &because(NOW), None).await.unwrap();
    decided(&store, &now_is(&store, &held).await, State::Approved, OWNER).await.unwrap();
    assert_eq!(now_is(&store, &other).await.ends_at, Some(sooner));
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-02-01"));
}

async fn what_closes_at_the_end_of_a_notice_is_judged_again_then(kept: Kept) {
    let store = opened(&kept).await;
    let (_, held) = approved(&store, of_korsbaek()).await;
    with_files(&kept).await;
    let given = noticed(&store, &held, None).await;
    assert_eq!((given.files.orders.len(), given.files.keys.len()), (1, 1));
    // An agreement of the same system with another authority needs the key, and not the order.
    let (_, others) = approved(&store, Content { authorities: vec![OTHER.parse().unwrap()], ..content() }).await;
    life::look(&store, &rules(), given.ends_at).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Terminated, false));
    assert_eq!(last_of(&store, Subject::SftpUser, SENDER).await.as_deref(), Some("kept"), "that it stays is told");
    let over = ending::propose(&store, &others, None, &Rules::default(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OTHERS_SIGNATORY)), &over, &because(NOW), None).await.unwrap();
    // One for the same calls, approved during the notice, covers the order.
    let order = Uuid::from_u128(55);
    ordered(&kept, order, KIND).await;
    let (_, held) = approved(&store, of_korsbaek()).await;
    let given = noticed(&store, &held, None).await;
    assert_eq!((given.files.orders.as_slice(), given.files.keys.len()), ([order].as_slice(), 1));
    approved(&store, of_korsbaek()).await;
    life::look(&store, &rules(), given.ends_at).await.unwrap();
    assert_eq!(files(&store, order).await, (State::Approved, false));
    assert_eq!(last_of(&store, Subject::FileOrder, order).await.as_deref(), Some("kept"));
}

async fn an_order_that_another_agreement_covers_stays_and_a_request_closes_nothing_and_keeps_nothing(kept: Kept) {
    let store = opened(&kept).await;
    let (request, held) = approved(&store, of_korsbaek()).await;
    with_files(&kept).await;
    let route = routed(&kept, &store).await;
    let proposed = async || ending::propose(&store, &held, None, &rules(), at(NOW)).await.unwrap();
    let closes = async || {
        let proposed = proposed().await;
        (proposed.files.orders.len(), proposed.files.keys.len(), proposed.routes.len())
    };
    // One that waits for its answer keeps nothing open.
    let (_, lines) = requested(&store, of_korsbaek()).await;
    assert_eq!(closes().await, (1, 1, 1), "{}", route.id);
    // Nor is anything closed of one that was never approved, and ends with it.
    let files = Rule { inf_refs: vec!["LISTE".to_owned()], ..Rule::default() };
    let both = Rules::new(rules().all().into_iter().chain([(OTHER_SERVICE, files)]).collect());
    ordered(&kept, Uuid::from_u128(56), "LISTE").await;
    let (_, waiting) = requested(&store, depending_on(&request)).await;
    let list = ending::propose(&store, &held, None, &both, at(NOW)).await.unwrap();
    assert_eq!(list.with.iter().map(|with| with.thing.id).collect::<Vec<_>>(), [waiting[0].id]);
    assert_eq!(list.files.orders, [ORDER], "the other's own order stays");
    assert!(list.files.keys.is_empty(), "and the key that it needs");
    // Another agreement that goes on covers them all; suspended it may go on.
    let another = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    assert_eq!(closes().await, (0, 0, 0));
    let stopped = decided(&store, &another, State::Suspended, SIGNATORY).await.unwrap();
    assert_eq!(closes().await, (0, 0, 0));
    let over = ending::propose(&store, &stopped, None, &Rules::default(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(SIGNATORY)), &over, &because(NOW), None).await.unwrap();
    assert_eq!(closes().await.0, 1);
    // One whose period ends before does not.
    approved(&store, Content { valid_to: Some(at("2026-12-31T23:00:00Z")), ..of_korsbaek() }).await;
    assert_eq!(closes().await.0, 1);
}

async fn agreements_that_depend_on_one_another_end_together_whatever_versions_they_have(kept: Kept) {
    let store = opened(&kept).await;
    let (first, _) = approved(&store, of_korsbaek()).await;
    let (second, other) = approved(&store, depending_on(&first)).await;
    let (renewed, held) = approved(&store, request::renewed(&first, at(NOW))).await;
    let with = async |held: &Agreement| {
        let proposed = ending::propose(&store, held, None, &rules(), at(NOW)).await.unwrap();
        proposed.with.iter().map(|with| with.thing.id).collect::<Vec<_>>()
    };
    assert_eq!(with(&held).await, [other.id], "of the version before, which was renewed");
    let (_, other) = approved(&store, request::renewed(&second, at(NOW))).await;
    assert_eq!(with(&held).await, [other.id], "and one that was renewed itself");
    // While the next version goes on in its place nothing ends with it.
    let next = Content { valid_from: Some(at("2026-12-31T23:00:00Z")), ..request::renewed(&renewed, at(NOW)) };
    let (_, next) = approved(&store, next).await;
    assert!(with(&now_is(&store, &held).await).await.is_empty());
    assert_eq!(with(&next).await, [other.id]);
    // Neither is taken back without the one that it depends on.
    noticed(&store, &next, None).await;
    let own = now_is(&store, &other).await;
    assert!(own.is_under_notice(at(NOW)));
    let alone = decided(&store, &own, State::Approved, OWNER).await.unwrap_err();
    assert!(matches!(refused(&alone), Some(ApiRefusal::ApiConflict { .. })), "{alone}");
    decided(&store, &now_is(&store, &next).await, State::Approved, OWNER).await.unwrap();
    assert_eq!(now_is(&store, &other).await.state, State::Approved);
}

async fn an_agreement_that_runs_out_ends_what_depends_on_it_and_closes_what_it_had(kept: Kept) {
    let store = opened(&kept).await;
    let ends = at("2027-01-31T23:00:00Z");
    let (request, held) = approved(&store, Content { valid_to: Some(ends), ..of_korsbaek() }).await;
    let (_, other) = approved(&store, depending_on(&request)).await;
    let (_, waiting) = requested(&store, depending_on(&request)).await;
    with_files(&kept).await;
    let route = routed(&kept, &store).await;
    life::look(&store, &rules(), ends - SignedDuration::from_millis(1)).await.unwrap();
    assert_eq!((now_is(&store, &other).await.state, files(&store, ORDER).await), (State::Approved, (State::Approved, false)));
    notified(&store).await;
    // A node that was down looks the day after.
    let late = ends + SignedDuration::from_hours(30);
    assert_eq!(life::look(&store, &rules(), late).await.unwrap().expired, 1);
    assert_eq!(now_is(&store, &held).await.state, State::Expired);
    let ended = now_is(&store, &other).await;
    assert_eq!((ended.state, ended.standing(late)), (State::Terminated, Standing::State(State::Terminated)));
    assert_eq!(now_is(&store, &waiting[0]).await.state, State::Requested, "its signatory answers it");
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-02-02"), "a day that has passed is not altered");
    assert!(notified(&store).await.contains(&(OWNERS.to_owned(), notices::Kind::Ended)), "of the one that depended on it");
    // Where a version takes over, all goes on.
    let until = at("2027-02-28T23:00:00Z");
    let (first, _) = approved(&store, Content { valid_to: Some(until), ..of_korsbaek() }).await;
    let (_, other) = approved(&store, depending_on(&first)).await;
    let next = Content { valid_from: Some(until), valid_to: None, ..request::renewed(&first, at(NOW)) };
    approved(&store, next).await;
    life::look(&store, &rules(), until).await.unwrap();
    assert_eq!(now_is(&store, &other).await.state, State::Approved);
}

async fn an_end_closes_routes_also_of_what_is_suspended_and_when_it_is_brought_forward(kept: Kept) {
    let store = opened(&kept).await;
    let (_, held) = approved(&store, of_korsbaek()).await;
    let route = routed(&kept, &store).await;
    let (far, near) = (Some(at("2027-05-31T22:00:00Z")), Some(at("2027-04-30T22:00:00Z")));
    for (until, ends) in [(far, "2027-06-01"), (near, "2027-05-01")] {
        noticed(&store, &now_is(&store, &held).await, until).await;
        assert_eq!(ends_on(&store, &route).await.as_deref(), Some(ends));
    }
    let stopped = decided(&store, &now_is(&store, &held).await, State::Suspended, SIGNATORY).await.unwrap();
    let sooner = noticed(&store, &stopped, None).await;
    let still = now_is(&store, &held).await;
    assert_eq!((still.state, still.ends_at), (State::Suspended, Some(sooner.ends_at)), "suspended it stays");
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-03-01"));
    life::look(&store, &rules(), sooner.ends_at).await.unwrap();
    assert_eq!(now_is(&store, &held).await.state, State::Terminated);
}

async fn a_notice_ends_with_the_period_at_the_latest(kept: Kept) {
    let store = opened(&kept).await;
    let period = at("2027-01-31T23:00:00Z");
    let (first, held) = approved(&store, Content { valid_to: Some(period), ..of_korsbaek() }).await;
    let (_, other) = approved(&store, depending_on(&first)).await;
    with_files(&kept).await;
    let route = routed(&kept, &store).await;
    for until in [None, Some(at("9000-01-01T00:00:00Z"))] {
        let proposed = ending::propose(&store, &held, until, &rules(), at(NOW)).await.unwrap();
        assert_eq!((proposed.ends_at, proposed.earliest), (period, period), "{until:?}, and the notice is three months");
    }
    noticed(&store, &held, None).await;
    assert_eq!(now_is(&store, &other).await.ends_at, Some(period));
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-02-01"));
    life::look(&store, &rules(), period).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
    // What nobody has looked at since its period was over ends at once.
    let (_, late) = approved(&store, Content { valid_to: Some(period), ..of_korsbaek() }).await;
    let after = period + SignedDuration::from_hours(1);
    let proposed = ending::propose(&store, &late, None, &rules(), after).await.unwrap();
    assert!(proposed.at_once && proposed.ends_at == after);
    // Nor is it lengthened by a new version that begins after it.
    let (first, held) = approved(&store, Content { valid_to: Some(period), ..of_korsbaek() }).await;
    let next = Content { valid_from: Some(at("2027-03-31T22:00:00Z")), valid_to: None, ..request::renewed(&first, at(NOW)) };
    approved(&store, next).await;
    assert_eq!(now_is(&store, &held).await.ends_at, Some(period));
}

async fn what_runs_out_under_a_longer_notice_of_before_ends_with_its_period(kept: Kept) {
    let store = opened(&kept).await;
    let (period, far) = (at("2027-01-31T23:00:00Z"), at("2027-05-31T22:00:00Z"));
    let (first, held) = approved(&store, Content { valid_to: Some(period), ..of_korsbaek() }).await;
    let (_, other) = approved(&store, depending_on(&first)).await;
    with_files(&kept).await;
    // As the release before gave it.
    let mut change = store.change().await.unwrap();
    change.give_notice(&held, far, "n", "r", at(NOW)).await.unwrap();
    change.commit().await.unwrap();
    life::look(&store, &rules(), period - SignedDuration::from_millis(1)).await.unwrap();
    assert_eq!(now_is(&store, &held).await.state, State::Terminated);
    assert_eq!(life::look(&store, &rules(), period).await.unwrap().expired, 1);
    assert_eq!(now_is(&store, &held).await.state, State::Expired);
    assert_eq!(now_is(&store, &other).await.standing(period), Standing::State(State::Terminated));
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
}

async fn an_agreement_that_ran_out_ends_also_where_what_depends_on_it_was_over_before_anybody_looked(kept: Kept) {
    let store = opened(&kept).await;
    let day = SignedDuration::from_hours(24);
    let period = at("2027-01-31T23:00:00Z");
    let (first, held) = approved(&store, Content { valid_to: Some(period), ..of_korsbaek() }).await;
    let (_, over) = approved(&store, depending_on(&first)).await;
    let (_, other) = approved(&store, Content { name: "Opfølgning".to_owned(), ..depending_on(&first) }).await;
    with_files(&kept).await;
    let own = ending::propose(&store, &over, Some(period + day), &Rules::default(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OWNER)), &own, &because(NOW), None).await.unwrap();
    assert_eq!(life::look(&store, &rules(), period + 2 * day).await.unwrap().expired, 1);
    assert_eq!(now_is(&store, &held).await.state, State::Expired);
    assert_eq!(now_is(&store, &over).await.ends_at, Some(period + day), "it ended by itself");
    assert_eq!(now_is(&store, &other).await.state, State::Terminated);
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
}

/// Of another authority, with a system of its own.
async fn of_another(store: &Store) -> Content {
    let (system, key) = (Uuid::from_u128(6), Key::GatewayClient);
    registered(store, system, key, SUPPLIER).await;
    Content {
        system: Some(system),
        certificates: vec![(*people::certificate(key).thumbprint()).into()],
        authorities: vec![OTHER.parse().unwrap()],
        ..content()
    }
}

async fn a_row_that_cannot_be_read_keeps_no_other_agreement_from_ending(kept: Kept) {
    let store = opened(&kept).await;
    let period = at("2027-01-31T23:00:00Z");
    let others = of_another(&store).await;
    let (_, unreadable) = approved(&store, Content { valid_to: Some(period), ..others }).await;
    let (_, held) = approved(&store, Content { valid_to: Some(period), ..of_korsbaek() }).await;
    kept.execute(&format!("UPDATE agreement SET scope = '{{ }}' WHERE id = '{}'", unreadable.id)).await.unwrap();
    assert!(life::look(&store, &rules(), period).await.is_err(), "and it is told");
    assert_eq!(now_is(&store, &held).await.state, State::Expired);
}

/// The one that depends on both.
async fn depending_on_both(store: &Store, first: &Request, second: &Request) -> Agreement {
    let content = Content { depends_on: vec![first.id, second.id], ..depending_on(first) };
    approved(store, content).await.1
}

async fn taken_back(store: &Store, agreement: &Agreement) {
    let back = decided(store, &now_is(store, agreement).await, State::Approved, OWNER).await.unwrap();
    assert_eq!((back.state, back.ends_at), (State::Approved, None));
}

async fn what_ends_by_its_own_notice_closes_then_also_where_another_notice_was_taken_back(kept: Kept) {
    let store = opened(&kept).await;
    let (request, held) = approved(&store, of_korsbaek()).await;
    let (_, other) = approved(&store, depending_on(&request)).await;
    with_files(&kept).await;
    let list = Uuid::from_u128(57);
    ordered(&kept, list, "LISTE").await;
    let both = || {
        let files = Rule { inf_refs: vec!["LISTE".to_owned()], notice_months: 3, ..Rule::default() };
        Rules::new(rules().all().into_iter().chain([(OTHER_SERVICE, files)]).collect())
    };
    let june = at("2027-05-31T22:00:00Z");
    for (agreement, until) in [(&other, Some(june)), (&held, None)] {
        let proposed = ending::propose(&store, &now_is(&store, agreement).await, until, &both(), at(NOW)).await.unwrap();
        assert!(proposed.files.orders.contains(&list), "{until:?}");
        ending::end(&store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
    }
    assert!(now_is(&store, &other).await.ends_at < Some(june));
    taken_back(&store, &held).await;
    assert_eq!(now_is(&store, &other).await.ends_at, Some(june));
    life::look(&store, &both(), june - SignedDuration::from_millis(1)).await.unwrap();
    assert_eq!(files(&store, list).await.0, State::Approved);
    life::look(&store, &both(), june).await.unwrap();
    assert_eq!(files(&store, list).await.0, State::Terminated);
    assert_eq!(files(&store, ORDER).await.0, State::Approved, "of the one that goes on");
}

/// Two notices, of which the one given second ends sooner or later; taken back in either order.
async fn what_goes_with_two_ends_by_the_notice_that_stands_and_goes_on_when_neither_does(kept: Kept) {
    let store = opened(&kept).await;
    let days = [at("2027-04-30T22:00:00Z"), at("2027-05-31T22:00:00Z")];
    for (order, first_back) in [([0, 1], 0), ([0, 1], 1), ([1, 0], 0), ([1, 0], 1)] {
        let (one, other) = (approved(&store, of_korsbaek()).await, approved(&store, of_korsbaek()).await);
        let both = depending_on_both(&store, &one.0, &other.0).await;
        let third = Content { depends_on: vec![both.terms.as_ref().unwrap().request], ..depending_on(&one.0) };
        let (_, last) = approved(&store, Content { name: "Opfølgning".to_owned(), ..third }).await;
        let principals = [&one.1, &other.1];
        for (principal, day) in principals.iter().zip(order) {
            noticed(&store, principal, Some(days[day])).await;
        }
        for depending in [&both, &last] {
            assert_eq!(now_is(&store, depending).await.ends_at, Some(days[0]), "{order:?}");
        }
        let stands = 1 - first_back;
        taken_back(&store, principals[first_back]).await;
        for depending in [&both, &last] {
            let ends = now_is(&store, depending).await.ends_at;
            assert_eq!(ends, Some(days[order[stands]]), "{order:?}, {first_back} was taken back");
        }
        taken_back(&store, principals[stands]).await;
        for depending in [&both, &last] {
            let goes_on = now_is(&store, depending).await;
            assert_eq!((goes_on.state, goes_on.ends_at), (State::Approved, None), "{order:?}, {first_back} first");
        }
    }
}

async fn a_route_of_two_agreements_closes_by_the_notice_that_stands_and_stays_when_neither_does(kept: Kept) {
    let store = opened(&kept).await;
    let (_, front) = approved(&store, of_korsbaek()).await;
    let receives = Part { service: SERVICE, side: Side::Back, scope: Default::default() };
    let others = Content { authorities: vec![OTHER.parse().unwrap()], services: vec![receives], ..content() };
    let (_, back) = approved(&store, others).await;
    let route = routed(&kept, &store).await;
    let days = [(at("2027-04-30T22:00:00Z"), "2027-05-01"), (at("2027-05-31T22:00:00Z"), "2027-06-01")];
    let sides = [(&front, OWNER), (&back, OTHERS_SIGNATORY)];
    for (order, first_back) in [([0, 1], 0), ([0, 1], 1), ([1, 0], 0), ([1, 0], 1)] {
        for ((agreement, by), day) in sides.iter().zip(order) {
            let now = now_is(&store, agreement).await;
            let proposed = ending::propose(&store, &now, Some(days[day].0), &rules(), at(NOW)).await.unwrap();
            ending::end(&store, By::Key(&signer(*by)), &proposed, &because(NOW), None).await.unwrap();
        }
        assert_eq!(ends_on(&store, &route).await.as_deref(), Some(days[0].1), "{order:?}");
        let stands = 1 - first_back;
        for (taken_back, closes) in [(first_back, Some(days[order[stands]].1)), (stands, None)] {
            let (agreement, by) = sides[taken_back];
            decided(&store, &now_is(&store, agreement).await, State::Approved, by).await.unwrap();
            assert_eq!(ends_on(&store, &route).await.as_deref(), closes, "{order:?}, {first_back} first, now {taken_back}");
        }
    }
}

async fn what_is_approved_during_the_notice_of_what_it_depends_on_ends_with_it_and_after_it_is_refused(kept: Kept) {
    let store = opened(&kept).await;
    let (request, held) = approved(&store, of_korsbaek()).await;
    let (first, _) = approved(&store, depending_on(&request)).await;
    let given = noticed(&store, &held, None).await;
    notified(&store).await;
    let (_, other) = approved(&store, Content { name: "Opfølgning".to_owned(), ..depending_on(&request) }).await;
    assert_eq!((other.state, other.ends_at), (State::Terminated, Some(given.ends_at)));
    let told = notified(&store).await;
    for kind in [notices::Kind::Approved, notices::Kind::Ended] {
        assert!(told.contains(&(SUPPLIERS_.to_owned(), kind)), "{kind:?} in {told:?}");
    }
    // A new version is no way out, and one that ends before by itself is left as it is.
    let (_, renewed) = approved(&store, request::renewed(&first, at(NOW))).await;
    assert_eq!(renewed.ends_at, Some(given.ends_at));
    let sooner = Content { valid_to: Some(at("2026-12-31T23:00:00Z")), ..depending_on(&request) };
    let (_, sooner) = approved(&store, sooner).await;
    assert_eq!((sooner.state, sooner.ends_at), (State::Approved, None));
    let alone = decided(&store, &other, State::Approved, SIGNATORY).await.unwrap_err();
    assert!(matches!(refused(&alone), Some(ApiRefusal::ApiConflict { .. })), "{alone}");
    taken_back(&store, &held).await;
    for depending in [&other, &renewed] {
        let goes_on = now_is(&store, depending).await;
        assert_eq!((goes_on.state, goes_on.ends_at), (State::Approved, None));
    }
    // A new version of what it depends on holds in place of one that ended.
    let (latest, next) = approved(&store, request::renewed(&request, at(NOW))).await;
    let (_, lines) = requested(&store, depending_on(&latest)).await;
    let another = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    assert_eq!((another.state, another.ends_at), (State::Approved, None));
    let over = ending::propose(&store, &next, None, &Rules::default(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OWNER)), &over, &because(NOW), None).await.unwrap();
    let (_, lines) = requested(&store, depending_on(&request)).await;
    let after = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap_err();
    assert!(matches!(refused(&after), Some(ApiRefusal::ApiConflict { .. })), "{after}");
}

async fn a_request_that_a_notice_took_back_is_told_of_where_the_notice_is_taken_back(kept: Kept) {
    let store = opened(&kept).await;
    let (request, held) = approved(&store, of_korsbaek()).await;
    let (_, waiting) = requested(&store, depending_on(&request)).await;
    noticed(&store, &held, None).await;
    assert_eq!(now_is(&store, &waiting[0]).await.state, State::Withdrawn);
    notified(&store).await;
    taken_back(&store, &held).await;
    let letters = notices::outbox::jobs(store.database()).take(100).await.unwrap();
    assert!(!letters.is_empty());
    for letter in &letters {
        let letter: notices::outbox::Waiting = serde_json::from_slice(&letter.payload).unwrap();
        let differs = &letter.notice.differs;
        assert!(differs.iter().any(|line| line.starts_with("er trukket tilbage")), "{differs:?}");
    }
}

/// What is closed at the end of an agreement, and with whose end, as the text of a list says it.
fn closes_later(list: &Ending, ends: Timestamp, until: &Agreement, what: &str) -> bool {
    list.text().contains(&format!("{ends}, når {} ophører, {what}", until.id))
}

/// No notice; files of one kind go by the service.
fn no_notice() -> Rules {
    Rules::new([(SERVICE, Rule { inf_refs: vec![KIND.to_owned()], ..Rule::default() })].into())
}

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

async fn a_renewal_that_ends_before_it_begins_closes_all_with_the_agreement_that_it_was_to_renew(kept: Kept) {
    let store = opened(&kept).await;
    let begins = at("2026-12-31T23:00:00Z");
    let (request, held) = approved(&store, of_korsbaek()).await;
    let (second, other) = approved(&store, depending_on(&request)).await;
    let third = Content { depends_on: vec![second.id], name: "Opfølgning".to_owned(), ..depending_on(&request) };
    let (_, last) = approved(&store, third).await;
    with_files(&kept).await;
    let route = routed(&kept, &store).await;
    let renewed = Content { valid_from: Some(begins), ..request::renewed(&request, at(NOW)) };
    let (_, next) = approved(&store, renewed).await;
    assert_eq!(now_is(&store, &held).await.ends_at, Some(begins));
    assert_eq!(now_is(&store, &other).await.ends_at, None, "the renewal goes on in its place");
    let list = ending::propose(&store, &next, None, &no_notice(), at(NOW)).await.unwrap();
    assert!(list.at_once, "what never began needs no notice");
    for what in [
        format!("serviceaftale: {}", other.id),
        format!("serviceaftale: {}", last.id),
        format!("rute: {}", route.id),
        format!("ruteordre for filer: {ORDER}"),
        format!("SFTP-nøgle: FAG {FINGERPRINT}"),
    ] {
        assert!(closes_later(&list, begins, &held, &what), "{what} in {}", list.text());
    }
    ending::end(&store, By::Key(&signer(OWNER)), &list, &because(NOW), None).await.unwrap();
    for depending in [&other, &last] {
        assert_eq!(now_is(&store, depending).await.ends_at, Some(begins));
    }
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-01-01"));
    life::look(&store, &no_notice(), begins - MILLISECOND).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Approved, false), "the first holds until then");
    life::look(&store, &no_notice(), begins).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
}

async fn what_lasts_as_long_as_another_version_goes_on_where_either_notice_is_taken_back(kept: Kept) {
    let store = opened(&kept).await;
    let (begins, sooner) = (at("2027-05-31T22:00:00Z"), at("2027-04-30T22:00:00Z"));
    let (request, held) = approved(&store, of_korsbaek()).await;
    let (_, other) = approved(&store, depending_on(&request)).await;
    let route = routed(&kept, &store).await;
    let renewed = Content { valid_from: Some(begins), ..request::renewed(&request, at(NOW)) };
    let (_, next) = approved(&store, renewed).await;
    noticed(&store, &next, Some(sooner)).await;
    assert_eq!(now_is(&store, &other).await.ends_at, Some(now_is(&store, &held).await.ends_at.unwrap()));
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-06-01"));
    // What is approved now has the end of the last version too.
    let (_, approved_since) = approved(&store, Content { name: "Opfølgning".to_owned(), ..depending_on(&request) }).await;
    assert_eq!(approved_since.ends_at, Some(begins));
    taken_back(&store, &next).await;
    for depending in [&other, &approved_since] {
        let goes_on = now_is(&store, depending).await;
        assert_eq!((goes_on.state, goes_on.ends_at), (State::Approved, None));
    }
    assert_eq!(ends_on(&store, &route).await, None);
    life::look(&store, &rules(), begins).await.unwrap();
    assert_eq!(now_is(&store, &other).await.state, State::Approved);
}

async fn of_two_agreements_for_the_same_calls_the_last_closes_them_whichever_end_was_decided_first(kept: Kept) {
    let store = opened(&kept).await;
    let (may, june) = (at("2027-04-30T22:00:00Z"), at("2027-05-31T22:00:00Z"));
    let (_, one) = approved(&store, of_korsbaek()).await;
    let (_, other) = approved(&store, of_korsbaek()).await;
    with_files(&kept).await;
    let route = routed(&kept, &store).await;
    let both = async |first_until: Timestamp, second_until: Timestamp| {
        let first = noticed(&store, &now_is(&store, &one).await, Some(first_until)).await;
        assert!(first.routes.is_empty() && first.files.orders.is_empty(), "the other goes on");
        noticed(&store, &now_is(&store, &other).await, Some(second_until)).await
    };
    for (until, first_back) in [((june, may), 0), ((june, may), 1), ((may, june), 0), ((may, june), 1)] {
        let list = both(until.0, until.1).await;
        assert_eq!((list.routes.len(), list.files.orders.as_slice(), list.files.keys.len()), (1, [ORDER].as_slice(), 1));
        assert_eq!(closes_later(&list, june, &one, &format!("rute: {}", route.id)), until.0 == june, "{}", list.text());
        assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-06-01"), "{until:?}");
        let back = if first_back == 0 { [&one, &other] } else { [&other, &one] };
        for agreement in back {
            taken_back(&store, agreement).await;
            assert_eq!(ends_on(&store, &route).await, None, "{until:?}, {first_back} first");
        }
    }
    both(june, may).await;
    for (now, state, disabled) in
        [(may, State::Approved, false), (june - MILLISECOND, State::Approved, false), (june, State::Terminated, true)]
    {
        life::look(&store, &rules(), now).await.unwrap();
        assert_eq!(files(&store, ORDER).await, (state, disabled), "{now}");
    }
}

async fn a_key_is_disabled_with_the_systems_last_agreement_whichever_end_was_decided_first(kept: Kept) {
    let store = opened(&kept).await;
    let (may, june) = (at("2027-04-30T22:00:00Z"), at("2027-05-31T22:00:00Z"));
    let (_, korsbaeks) = approved(&store, of_korsbaek()).await;
    let (_, others) = approved(&store, Content { authorities: vec![OTHER.parse().unwrap()], ..content() }).await;
    with_files(&kept).await;
    let given = noticed(&store, &korsbaeks, Some(june)).await;
    assert_eq!((given.files.orders.as_slice(), given.files.keys.len()), ([ORDER].as_slice(), 0), "the other needs it");
    let list = ending::propose(&store, &others, Some(may), &rules(), at(NOW)).await.unwrap();
    assert!(list.files.orders.is_empty());
    assert!(closes_later(&list, june, &korsbaeks, &format!("SFTP-nøgle: FAG {FINGERPRINT}")), "{}", list.text());
    ending::end(&store, By::Key(&signer(OTHERS_SIGNATORY)), &list, &because(NOW), None).await.unwrap();
    life::look(&store, &rules(), june - MILLISECOND).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Approved, false));
    life::look(&store, &rules(), june).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
}

async fn what_covers_a_thing_until_its_own_notice_is_over_puts_it_off_until_then(kept: Kept) {
    let store = opened(&kept).await;
    let (may, june) = (at("2027-04-30T22:00:00Z"), at("2027-05-31T22:00:00Z"));
    let (_, held) = approved(&store, of_korsbaek()).await;
    with_files(&kept).await;
    noticed(&store, &held, Some(may)).await;
    // Approved since, and under notice by other means than a list: of a release before.
    let (_, another) = approved(&store, of_korsbaek()).await;
    let mut change = store.change().await.unwrap();
    change.give_notice(&another, june, "n", "r", at(NOW)).await.unwrap();
    change.commit().await.unwrap();
    life::look(&store, &rules(), may).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Approved, false));
    assert_eq!(last_of(&store, Subject::FileOrder, ORDER).await.as_deref(), Some("kept"), "that it stays is told");
    life::look(&store, &rules(), june).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
}

async fn what_is_approved_with_an_end_takes_along_what_depends_on_it_as_it_was_shown(kept: Kept) {
    let store = opened(&kept).await;
    let (request, held) = approved(&store, of_korsbaek()).await;
    with_files(&kept).await;
    let list = Uuid::from_u128(57);
    ordered(&kept, list, "LISTE").await;
    let files_of_other = Rule { inf_refs: vec!["LISTE".to_owned()], ..Rule::default() };
    let rules = Rules::new(rules().all().into_iter().chain([(OTHER_SERVICE, files_of_other)]).collect());
    let given = noticed(&store, &held, None).await;
    let (second, lines) = requested(&store, depending_on(&request)).await;
    let waiting = lines.into_iter().next().unwrap();
    let third = Content { depends_on: vec![second.id], name: "Opfølgning".to_owned(), ..depending_on(&request) };
    let before = approval::propose(&store, &waiting, &rules, at(NOW)).await.unwrap();
    assert!(before.text().contains(&format!("ophører {} med serviceaftale: {}", given.ends_at, held.id)), "{}", before.text());
    // The one that depends on it is approved first, and has no end while it waits.
    let (_, last) = approved(&store, third.clone()).await;
    let (_, asked) = requested(&store, Content { name: "Opfølgning 2".to_owned(), ..third }).await;
    assert_eq!((last.state, last.ends_at), (State::Approved, None));
    let by = signer(SIGNATORY);
    let unseen = [
        agreement::decide(&store, By::Key(&by), &waiting, State::Approved, &because(NOW), None).await,
        agreement::decide_as_shown(&store, By::Key(&by), &before, State::Approved, &because(NOW), None).await,
    ];
    for unseen in unseen {
        let unseen = unseen.unwrap_err();
        assert!(matches!(refused(&unseen), Some(ApiRefusal::ApiPreconditionFailed)), "{unseen}");
    }
    let shown = approval::propose(&store, &waiting, &rules, at(NOW)).await.unwrap();
    for line in [format!("ophører samtidig, serviceaftale: {}", last.id), format!("lukkes, ruteordre for filer: {list}")] {
        assert!(shown.lines().contains(&line), "{line} in {:?}", shown.lines());
    }
    assert!(!shown.text().contains(&asked[0].id.to_string()), "{}", shown.text());
    notified(&store).await;
    let other = agreement::decide_as_shown(&store, By::Key(&by), &shown, State::Approved, &because(NOW), None).await.unwrap();
    for ends in [&other, &last] {
        let ends = now_is(&store, ends).await;
        assert_eq!((ends.state, ends.ends_at), (State::Terminated, Some(given.ends_at)));
    }
    assert!(notified(&store).await.contains(&(OWNERS.to_owned(), notices::Kind::Ended)));
    // In the other order it ends then, too: its request waits on.
    let after = decided(&store, &now_is(&store, &asked[0]).await, State::Approved, SIGNATORY).await.unwrap();
    assert_eq!(after.ends_at, Some(given.ends_at));
    taken_back(&store, &held).await;
    for depending in [&other, &last, &after] {
        assert_eq!(now_is(&store, depending).await.state, State::Approved);
    }
    life::look(&store, &rules, given.ends_at).await.unwrap();
    assert_eq!(files(&store, list).await.0, State::Approved, "called off with the notice");
    let again = noticed(&store, &now_is(&store, &held).await, None).await;
    life::look(&store, &rules, again.ends_at).await.unwrap();
    assert_eq!(now_is(&store, &last).await.standing(again.ends_at), Standing::State(State::Terminated));
}

async fn a_notice_on_either_of_two_that_depend_on_each_other_is_taken_back(kept: Kept) {
    let store = opened(&kept).await;
    let (third, principal) = approved(&store, of_korsbaek()).await;
    let (first, _) = approved(&store, of_korsbaek()).await;
    let (second, other) = approved(&store, Content { depends_on: vec![first.id, third.id], ..depending_on(&first) }).await;
    // Only a renewal can say that it depends on what depends on it.
    let renewed = Content { depends_on: vec![second.id], ..request::renewed(&first, at(NOW)) };
    let (_, one) = approved(&store, renewed).await;
    let june = at("2027-05-31T22:00:00Z");
    for (noticed_one, taken_along) in [(&one, &other), (&other, &one)] {
        let given = noticed(&store, &now_is(&store, noticed_one).await, Some(june)).await;
        assert_eq!(now_is(&store, taken_along).await.ends_at, Some(given.ends_at));
        let alone = decided(&store, &now_is(&store, taken_along).await, State::Approved, OWNER).await.unwrap_err();
        assert!(matches!(refused(&alone), Some(ApiRefusal::ApiConflict { .. })), "it ended with the other: {alone}");
        taken_back(&store, noticed_one).await;
        let back = now_is(&store, taken_along).await;
        assert_eq!((back.state, back.ends_at), (State::Approved, None));
    }
    // Both go on with what one of them depends on, and neither without it.
    let given = noticed(&store, &principal, None).await;
    for ended in [&one, &other] {
        let ended = now_is(&store, ended).await;
        assert_eq!(ended.ends_at, Some(given.ends_at));
        let alone = decided(&store, &ended, State::Approved, OWNER).await.unwrap_err();
        assert!(matches!(refused(&alone), Some(ApiRefusal::ApiConflict { .. })), "{alone}");
    }
    taken_back(&store, &principal).await;
    for back in [&one, &other] {
        let back = now_is(&store, back).await;
        assert_eq!((back.state, back.ends_at), (State::Approved, None));
    }
}

/// Two that depend on each other, for only a renewal can say so of what depends on it.
async fn a_circle(store: &Store) -> (Agreement, Agreement) {
    let (first, _) = approved(store, of_korsbaek()).await;
    let (second, other) = approved(store, depending_on(&first)).await;
    let renewed = Content { depends_on: vec![second.id], ..request::renewed(&first, at(NOW)) };
    let (_, one) = approved(store, renewed).await;
    (one, other)
}

async fn noticed_by(store: &Store, agreement: &Agreement, until: Option<Timestamp>, by: Key) -> Ending {
    let proposed = ending::propose(store, &now_is(store, agreement).await, until, &rules(), at(NOW)).await.unwrap();
    ending::end(store, By::Key(&signer(by)), &proposed, &because(NOW), None).await.unwrap();
    proposed
}

async fn of_two_that_depend_on_each_other_both_notices_are_taken_back_together_where_one_was_brought_forward(kept: Kept) {
    let store = opened(&kept).await;
    let (one, other) = a_circle(&store).await;
    with_files(&kept).await;
    let june = at("2027-05-31T22:00:00Z");
    for back in [&other, &one] {
        let given = noticed_by(&store, &other, Some(june), OWNER).await;
        assert_eq!(now_is(&store, &one).await.ends_at, Some(given.ends_at));
        let sooner = noticed_by(&store, &one, None, OWNER).await;
        assert!(sooner.ends_at < given.ends_at);
        assert_eq!(now_is(&store, &other).await.ends_at, Some(sooner.ends_at));
        taken_back(&store, back).await;
        for goes_on in [&one, &other] {
            let goes_on = now_is(&store, goes_on).await;
            assert_eq!((goes_on.state, goes_on.ends_at), (State::Approved, None));
            assert_eq!(last_of(&store, Subject::Agreement, goes_on.id).await.as_deref(), Some(State::Approved.wire_name()));
        }
    }
    // One that is suspended goes on suspended.
    noticed_by(&store, &other, Some(june), OWNER).await;
    noticed_by(&store, &one, None, OWNER).await;
    decided(&store, &now_is(&store, &one).await, State::Suspended, OWNER).await.unwrap();
    taken_back(&store, &other).await;
    let suspended = now_is(&store, &one).await;
    assert_eq!((suspended.state, suspended.ends_at), (State::Suspended, None));
    life::look(&store, &rules(), june).await.unwrap();
    assert_eq!(files(&store, ORDER).await, (State::Approved, false), "what they were to close is called off");
}

async fn of_two_that_depend_on_each_other_neither_is_taken_back_by_one_below_whoever_gave_either_notice(kept: Kept) {
    let store = opened(&kept).await;
    let (one, other) = a_circle(&store).await;
    for [first, then] in [[SIGNATORY, OWNER], [OWNER, SIGNATORY]] {
        noticed_by(&store, &other, Some(at("2027-05-31T22:00:00Z")), first).await;
        let sooner = noticed_by(&store, &one, None, then).await;
        for back in [&one, &other] {
            let below = decided(&store, &now_is(&store, back).await, State::Approved, OWNER).await.unwrap_err();
            assert!(matches!(refused(&below), Some(ApiRefusal::ApiNoticeOfAnother)), "{below}");
            assert_eq!(now_is(&store, back).await.ends_at, Some(sooner.ends_at));
        }
        decided(&store, &now_is(&store, &one).await, State::Approved, SIGNATORY).await.unwrap();
        assert_eq!(now_is(&store, &other).await.state, State::Approved);
    }
}

async fn what_was_brought_forward_is_taken_back_by_nobody_below_who_gave_the_notice_before(kept: Kept) {
    let store = opened(&kept).await;
    let (_, held) = approved(&store, of_korsbaek()).await;
    noticed_by(&store, &held, Some(at("2027-05-31T22:00:00Z")), SIGNATORY).await;
    noticed_by(&store, &held, None, OWNER).await;
    let below = decided(&store, &now_is(&store, &held).await, State::Approved, OWNER).await.unwrap_err();
    assert!(matches!(refused(&below), Some(ApiRefusal::ApiNoticeOfAnother)), "{below}");
    decided(&store, &now_is(&store, &held).await, State::Approved, SIGNATORY).await.unwrap();
    // What was taken back since is no notice of anybody's.
    noticed_by(&store, &held, None, OWNER).await;
    taken_back(&store, &held).await;
}

async fn notices_are_taken_back_together_only_where_that_was_shown(kept: Kept) {
    let store = opened(&kept).await;
    let (one, other) = a_circle(&store).await;
    noticed_by(&store, &other, Some(at("2027-05-31T22:00:00Z")), OWNER).await;
    let alone = approval::propose(&store, &now_is(&store, &other).await, &rules(), at(NOW)).await.unwrap();
    assert!(alone.back.is_empty() && !alone.text().contains("tages opsigelsen tilbage"), "{}", alone.text());
    noticed_by(&store, &one, None, OWNER).await;
    let (held, by) = (now_is(&store, &other).await, signer(OWNER));
    let unseen = agreement::decide(&store, By::Key(&by), &held, State::Approved, &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&unseen), Some(ApiRefusal::ApiPreconditionFailed)), "{unseen}");
    let shown = approval::propose(&store, &held, &rules(), at(NOW)).await.unwrap();
    let line = format!("tages opsigelsen tilbage, tages den også tilbage på serviceaftale: {}\n", one.id);
    assert!(shown.text().ends_with(&line), "{}", shown.text());
    agreement::decide_as_shown(&store, By::Key(&by), &shown, State::Approved, &because(NOW), None).await.unwrap();
    let made = store.made_on(Subject::Agreement, other.id).await.unwrap().pop().unwrap();
    assert_eq!(made.what.shown, Some(shown::sha256(&shown.text())), "what was signed names the other");
    assert_eq!(now_is(&store, &one).await.state, State::Approved);
}

async fn a_notice_that_was_taken_back_on_what_is_suspended_is_nobodys_when_another_is_given(kept: Kept) {
    let store = opened(&kept).await;
    let (one, other) = a_circle(&store).await;
    let june = at("2027-05-31T22:00:00Z");
    noticed_by(&store, &other, Some(june), SIGNATORY).await;
    noticed_by(&store, &one, None, SIGNATORY).await;
    decided(&store, &now_is(&store, &one).await, State::Suspended, OWNER).await.unwrap();
    decided(&store, &now_is(&store, &other).await, State::Approved, SIGNATORY).await.unwrap();
    the_owner_takes_back_the_own_notice(&store, &one).await;
}

/// On what is suspended, and no longer under a signatory's notice: the owner gives notice, lifts the suspension and takes the notice back.
async fn the_owner_takes_back_the_own_notice(store: &Store, agreement: &Agreement) {
    let stopped = now_is(store, agreement).await;
    assert_eq!((stopped.state, stopped.ends_at), (State::Suspended, None));
    assert_eq!(last_of(store, Subject::Agreement, agreement.id).await.as_deref(), Some(agreement::NOTICE_TAKEN_BACK));
    let made = store.made_on(Subject::Agreement, agreement.id).await.unwrap();
    assert!(agreement::is_suspended(store, &made).await.unwrap(), "the suspension stands");
    noticed_by(store, agreement, Some(at("2027-05-31T22:00:00Z")), OWNER).await;
    let lifted = decided(store, &now_is(store, agreement).await, State::Approved, OWNER).await.unwrap();
    assert_eq!(lifted.state, State::Terminated);
    let goes_on = decided(store, &lifted, State::Approved, OWNER).await.unwrap();
    assert_eq!((goes_on.state, goes_on.ends_at), (State::Approved, None));
}

async fn what_went_with_another_and_is_suspended_is_under_nobodys_notice_where_that_is_taken_back(kept: Kept) {
    let store = opened(&kept).await;
    let (first, held) = approved(&store, of_korsbaek()).await;
    let (_, dependent) = approved(&store, depending_on(&first)).await;
    noticed_by(&store, &held, None, SIGNATORY).await;
    decided(&store, &now_is(&store, &dependent).await, State::Suspended, OWNER).await.unwrap();
    decided(&store, &now_is(&store, &held).await, State::Approved, SIGNATORY).await.unwrap();
    the_owner_takes_back_the_own_notice(&store, &dependent).await;
}

async fn a_row_that_cannot_be_read_holds_up_no_other_suspension_trial_or_closing(kept: Kept) {
    let store = opened(&kept).await;
    let exttest = Some("exttest".parse().unwrap());
    let trial = [KORSBAEK.parse().unwrap(), OTHER.parse().unwrap()].into();
    let allowed = Rules::new([(OTHER_SERVICE, Rule { trial, ..Rule::default() })].into());
    let of_trial = |content: Content| {
        let part = Part { service: OTHER_SERVICE, side: Side::Front, scope: Default::default() };
        Content { services: vec![part], environment: exttest.clone(), ..content }
    };
    let tried = async |content: Content| {
        let draft = drafted(&store, content).await;
        sent(&store, &draft, &allowed).await.unwrap();
        store.lines(draft.id).await.unwrap().remove(0)
    };
    // Of each the one that cannot be read comes first.
    let others = of_another(&store).await;
    let (_, unreadable) = approved(&store, others.clone()).await;
    let unreadable_trial = tried(of_trial(others)).await;
    let (_, stopped) = approved(&store, of_korsbaek()).await;
    let on_trial = tried(of_trial(of_korsbaek())).await;
    with_files(&kept).await;
    let given = noticed(&store, &stopped, None).await;
    assert_eq!((given.files.orders.len(), given.files.keys.len()), (1, 1));
    let ended = ending::propose(&store, &unreadable, Some(given.ends_at), &rules(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OTHERS_SIGNATORY)), &ended, &because(NOW), None).await.unwrap();
    for (agreement, by) in [(&unreadable, OTHERS_SIGNATORY), (&stopped, SIGNATORY)] {
        decided(&store, &now_is(&store, agreement).await, State::Suspended, by).await.unwrap();
    }
    kept.execute(&format!(
        "INSERT INTO agreement_closing (id, agreement, kind, thing, part, closes_at)
         VALUES ('{}', '{}', 'order', '{}', '', '2027-01-01T00:00:00Z')",
        Uuid::from_u128(1),
        unreadable.id,
        Uuid::from_u128(58),
    ))
    .await
    .unwrap();
    for id in [unreadable.id, unreadable_trial.id] {
        kept.execute(&format!("UPDATE agreement SET scope = '{{ }}' WHERE id = '{id}'")).await.unwrap();
    }
    let no_trial = Rules::new(rules().all().into_iter().chain([(OTHER_SERVICE, Rule::default())]).collect());
    assert!(life::look(&store, &no_trial, given.ends_at).await.is_err(), "and it is told");
    assert_eq!(now_is(&store, &stopped).await.state, State::Terminated);
    assert_eq!(now_is(&store, &on_trial).await.state, State::Terminated);
    assert_eq!(files(&store, ORDER).await, (State::Terminated, true));
}

async fn a_renewal_that_would_end_before_it_begins_is_not_approved_and_what_holds_goes_on(kept: Kept) {
    let store = opened(&kept).await;
    let (request, principal) = approved(&store, of_korsbaek()).await;
    let (first, held) = approved(&store, Content { depends_on: Vec::new(), ..depending_on(&request) }).await;
    let given = noticed(&store, &principal, None).await;
    let renewed = |begins: Timestamp| Content {
        depends_on: vec![request.id],
        valid_from: Some(begins),
        ..request::renewed(&first, at(NOW))
    };
    for begins in [given.ends_at, given.ends_at + SignedDuration::from_hours(1)] {
        let (_, lines) = requested(&store, renewed(begins)).await;
        let never = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap_err();
        assert!(matches!(refused(&never), Some(ApiRefusal::ApiConflict { .. })), "{never}");
        let goes_on = now_is(&store, &held).await;
        assert_eq!((goes_on.state, goes_on.ends_at), (State::Approved, None), "begins {begins}");
    }
    // One that holds for a moment takes its place as any.
    let begins = given.ends_at - MILLISECOND;
    let (_, next) = approved(&store, renewed(begins)).await;
    assert_eq!(next.ends_at, Some(given.ends_at));
    assert_eq!(now_is(&store, &held).await.ends_at, Some(begins));
}

async fn what_runs_out_between_the_ends_of_two_that_it_depends_on_has_its_own_period_where_the_sooner_notice_is_taken_back(
    kept: Kept,
) {
    let store = opened(&kept).await;
    let (sooner, period, later) = (at("2027-04-30T22:00:00Z"), at("2027-05-15T22:00:00Z"), at("2027-05-31T22:00:00Z"));
    for is_first_sooner in [true, false] {
        let (one, other) = (approved(&store, of_korsbaek()).await, approved(&store, of_korsbaek()).await);
        let content = Content { depends_on: vec![one.0.id, other.0.id], valid_to: Some(period), ..depending_on(&one.0) };
        let (_, both) = approved(&store, content.clone()).await;
        let mut notices = [(&one.1, sooner), (&other.1, later)];
        if !is_first_sooner {
            notices.reverse();
        }
        for (principal, until) in notices {
            noticed(&store, principal, Some(until)).await;
        }
        let (_, since) = approved(&store, Content { name: "Opfølgning".to_owned(), ..content }).await;
        for depending in [&both, &since] {
            assert_eq!(now_is(&store, depending).await.ends_at, Some(sooner));
        }
        for principal in [&one.1, &other.1] {
            taken_back(&store, principal).await;
            for depending in [&both, &since] {
                let goes_on = now_is(&store, depending).await;
                let is = (goes_on.state, goes_on.ends_at, goes_on.valid_to);
                assert_eq!(is, (State::Approved, None, Some(period)), "first sooner: {is_first_sooner}");
            }
        }
    }
}

async fn a_route_closes_on_the_day_of_a_notice_that_was_brought_forward_also_where_another_covers_its_calls_since(kept: Kept) {
    let store = opened(&kept).await;
    let (_, front) = approved(&store, of_korsbaek()).await;
    let receives = Part { service: SERVICE, side: Side::Back, scope: Default::default() };
    let others = Content { authorities: vec![OTHER.parse().unwrap()], services: vec![receives], ..content() };
    let (_, back) = approved(&store, others).await;
    let route = routed(&kept, &store).await;
    let (april, may, june) = (at("2027-03-31T22:00:00Z"), at("2027-04-30T22:00:00Z"), at("2027-05-31T22:00:00Z"));
    noticed(&store, &front, Some(june)).await;
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-06-01"));
    let sooner = ending::propose(&store, &back, Some(april), &rules(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OTHERS_SIGNATORY)), &sooner, &because(NOW), None).await.unwrap();
    noticed(&store, &now_is(&store, &front).await, Some(may)).await;
    assert_eq!(ends_on(&store, &route).await.as_deref(), Some("2027-04-01"));
    approved(&store, of_korsbaek()).await;
    for (agreement, by, closes) in [(&back, OTHERS_SIGNATORY, Some("2027-05-01")), (&front, OWNER, None)] {
        decided(&store, &now_is(&store, agreement).await, State::Approved, by).await.unwrap();
        assert_eq!(ends_on(&store, &route).await.as_deref(), closes);
    }
}
