//! A person lets a colleague act in their role for a time: whom, for what and how long, and that two pairs of eyes stay two.

use std::collections::BTreeSet;

use hjemmel::agreements::rules::Rules;
use hjemmel::agreements::{Agreement, State, Store};
use hjemmel::audit::Subject;
use hjemmel::decisions::delegation::{self, New};
use hjemmel::decisions::statement::{Signer, is_signed, is_signed_by};
use hjemmel::decisions::{By, DecideError, agreement, approval, request, user};
use hjemmel::notices;
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::delegation::{Delegation, Told};
use hjemmel::users::rights::Role;
use hjemmel::users::sessions::{Limits, Means, Proven};
use jiff::Timestamp;
use uuid::Uuid;

use crate::agreement_life::{
    KORSBAEK, OPERATOR, OTHER_SERVICE, OTHERS_SIGNATORY, OWNER, OWNERS, SERVICE, SIGNATORY, SIGNATORYS, SUPPLIERS, SUPPLIERS_,
    content, decided, notified, opened, refused, registered, requested, words,
};
use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

on_both! {
    a_substitute_decides_in_the_role_and_both_names_stand_by_it_in_the_record_the_signature_and_the_letters;
    nobody_approves_through_a_substitute_what_they_asked_for_themselves_nor_the_reverse;
    what_a_substitute_suspended_is_lifted_in_the_same_right_alone;
    a_role_is_delegated_to_a_colleague_for_a_year_at_most_and_no_further_than_it_goes;
    it_ends_at_once_when_it_is_taken_back_with_its_time_and_with_either_user;
    a_role_that_an_identity_provider_gives_no_longer_is_delegated_no_longer;
    a_session_acts_for_a_colleague_until_the_delegation_is_over_and_is_nobodys_then;
    what_was_taken_back_after_a_request_began_decides_nothing;
    a_person_acts_and_takes_back_as_whichever_of_their_users;
    whoever_is_stood_for_is_told_of_what_is_decided_in_their_name_and_of_what_was_asked_in_it;
    a_session_that_acts_is_unknown_to_a_node_that_knows_no_delegations;
    a_decision_that_nobody_here_can_read_keeps_no_other_back;
    what_was_delegated_is_never_altered;
}

const UNTIL: &str = "2026-12-24T00:00:00Z";

async fn id_of(store: &Store, key: Key) -> Uuid {
    store.actor(signer(key).thumbprint(), None, at(NOW)).await.unwrap().user().id
}

fn acting(key: Key, told: &Told) -> Signer {
    signer(key).by_delegation(Some(told.delegation.id))
}

async fn new(store: &Store, to: Key, role: Role) -> New {
    New { id: Uuid::now_v7(), substitute: id_of(store, to).await, role, services: Vec::new(), from: None, to: at(UNTIL) }
}

async fn given(store: &Store, from: Key, new: &New) -> Result<Told, DecideError> {
    delegation::give(store, By::Key(&signer(from)), new, &because(NOW), None).await
}

/// The signatory lets the system owner act as signatory.
async fn signed_for(store: &Store) -> Told {
    given(store, SIGNATORY, &new(store, OWNER, Role::Signatory).await).await.unwrap()
}

async fn decides(store: &Store, line: &Agreement, to: State, by: &Signer, now: &str) -> Result<Agreement, DecideError> {
    let shown = approval::propose(store, line, &Rules::default(), at(now)).await.unwrap();
    agreement::decide_as_shown(store, By::Key(by), &shown, to, &because(now), None).await
}

async fn asked(store: &Store) -> Agreement {
    requested(store, content()).await.1.remove(0)
}

async fn a_substitute_decides_in_the_role_and_both_names_stand_by_it_in_the_record_the_signature_and_the_letters(kept: Kept) {
    let store = opened(&kept).await;
    let line = asked(&store).await;
    notified(&store).await;
    let error = decides(&store, &line, State::Approved, &signer(OWNER), NOW).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiNotAllowed { .. })), "an owner signs nothing: {error}");
    let given = signed_for(&store).await;
    let both: BTreeSet<_> = [SIGNATORYS, OWNERS].map(|to| (to.to_owned(), notices::Kind::DelegationGiven)).into();
    assert_eq!(notified(&store).await, both, "both are told");
    let made = store.made_on(Subject::Delegation, given.delegation.id).await.unwrap();
    let (signatory, owner) = (id_of(&store, SIGNATORY).await, id_of(&store, OWNER).await);
    assert_eq!((made[0].user, made[0].role, made[0].what.to.as_str()), (Some(signatory), Some(Role::Signatory), "given"));
    assert!(is_signed(&people::certificate(SIGNATORY), made[0].signature.as_ref().unwrap(), &made[0].what, &made[0].because));

    let error = decides(&store, &line, State::Approved, &signer(OWNER), NOW).await.unwrap_err();
    assert!(
        matches!(refused(&error), Some(ApiRefusal::ApiNotAllowed { .. })),
        "who does not say by what acts as before: {error}"
    );
    let by = acting(OWNER, &given);
    let approved = decides(&store, &line, State::Approved, &by, NOW).await.unwrap();
    assert_eq!(approved.state, State::Approved);
    let name = format!("system-owner for signatory (delegation {})", given.delegation.id);
    assert_eq!(store.decisions(line.id).await.unwrap().last().unwrap().by.as_deref(), Some(name.as_str()));
    let made = store.made_on(Subject::Agreement, line.id).await.unwrap().pop().unwrap();
    let acts = made.by_delegation.unwrap();
    assert_eq!((made.user, acts.principal, acts.delegation), (Some(owner), signatory, given.delegation.id));
    assert_eq!(made.role, Some(Role::Signatory));
    let (certificate, signature) = (people::certificate(OWNER), made.signature.clone().unwrap());
    assert!(is_signed_by(&certificate, &signature, &made.what, &made.because, made.by_delegation));
    assert!(!is_signed(&certificate, &signature, &made.what, &made.because), "whom it was for is signed");
    let letters = letters(&store).await;
    let approved = letters.iter().find(|notice| notice.kind == notices::Kind::Approved).unwrap();
    assert_eq!(approved.by.as_deref(), Some(name.as_str()));
    // Into the chain, by id.
    let waiting = store.claim_unrecorded(Uuid::from_u128(1), at(NOW)).await.unwrap();
    let recorded = waiting.iter().find(|waiting| waiting.decided.decision == made.id).unwrap();
    assert_eq!((recorded.decided.user, recorded.decided.delegation), (Some(owner), Some(given.delegation.id)));
    assert!(waiting.iter().any(|waiting| waiting.decided.subject == Subject::Delegation));
    // What comes for the signatory comes to the substitute too, by then.
    asked_again(&store).await;
    assert!(notified(&store).await.contains(&(OWNERS.to_owned(), notices::Kind::Requested)));
}

async fn asked_again(store: &Store) {
    requested(store, hjemmel::agreements::request::Content { name: "En anden".to_owned(), ..content() }).await;
}

async fn letters(store: &Store) -> Vec<notices::Notice> {
    let jobs = notices::outbox::jobs(store.database());
    let mut found = Vec::new();
    for taken in jobs.take(100).await.unwrap() {
        let waiting: notices::outbox::Waiting = serde_json::from_slice(&taken.payload).unwrap();
        jobs.done(&taken).await.unwrap();
        found.push(waiting.notice);
    }
    found
}

async fn nobody_approves_through_a_substitute_what_they_asked_for_themselves_nor_the_reverse(kept: Kept) {
    let store = opened(&kept).await;
    let (asks, own) = (Key::Intruder, Uuid::from_u128(7));
    registered(&store, own, Key::StsServer, KORSBAEK).await;
    people::add(&store, &[(asks, Role::SystemResponsible, Some(KORSBAEK))]).await;
    let thumbprint = (*people::certificate(Key::StsServer).thumbprint()).into();
    let content = || hjemmel::agreements::request::Content {
        system: Some(own),
        certificates: vec![thumbprint],
        authorities: vec![KORSBAEK.parse().unwrap()],
        ..content()
    };
    let asked_by = async |by: &Signer| {
        let draft = request::draft(&store, By::Key(by), Uuid::now_v7(), content(), &because(NOW), None).await.unwrap();
        request::submit(&store, By::Key(by), &draft, &Rules::default(), &words(), &because(NOW), None).await.unwrap();
        store.lines(draft.id).await.unwrap().remove(0)
    };
    let creator = |error: DecideError| {
        assert!(matches!(refused(&error), Some(ApiRefusal::ApiCreatorApproves { .. })), "{error}");
    };
    let signs = given(&store, SIGNATORY, &new(&store, asks, Role::Signatory).await).await.unwrap();
    let owns = given(&store, SIGNATORY, &new(&store, OWNER, Role::Signatory).await).await.unwrap();
    let asks_for = given(&store, asks, &new(&store, SIGNATORY, Role::SystemResponsible).await).await.unwrap();
    let to_owner = given(&store, asks, &new(&store, OWNER, Role::SystemResponsible).await).await.unwrap();

    // The responsible asked: not as the signatory's substitute either.
    let line = asked_by(&signer(asks)).await;
    creator(decides(&store, &line, State::Approved, &acting(asks, &signs), NOW).await.unwrap_err());
    assert_eq!(decides(&store, &line, State::Approved, &acting(OWNER, &owns), NOW).await.unwrap().state, State::Approved);
    // The signatory asked in the responsible's name: neither of the two approves, nor a substitute of either.
    let line = asked_by(&acting(SIGNATORY, &asks_for)).await;
    assert!(
        hjemmel::decisions::shown::text(&line)
            .contains(&format!("signatory for system-responsible (delegation {})", asks_for.delegation.id))
    );
    creator(decides(&store, &line, State::Approved, &signer(SIGNATORY), NOW).await.unwrap_err());
    creator(decides(&store, &line, State::Approved, &acting(asks, &signs), NOW).await.unwrap_err());
    creator(decides(&store, &line, State::Approved, &acting(OWNER, &owns), NOW).await.unwrap_err());
    // The owner asked in the responsible's name, and signs in the signatory's; the responsible is the one who asked, too.
    let line = asked_by(&acting(OWNER, &to_owner)).await;
    creator(decides(&store, &line, State::Approved, &acting(OWNER, &owns), NOW).await.unwrap_err());
    creator(decides(&store, &line, State::Approved, &acting(asks, &signs), NOW).await.unwrap_err());
    // Also when the delegation is over.
    delegation::take_back(&store, By::Key(&signer(asks)), asks_for.delegation.id, &because(NOW), None).await.unwrap();
    assert_eq!(decided(&store, &line, State::Approved, SIGNATORY).await.unwrap().state, State::Approved, "a third person");
    let line = asked_by(&acting(OWNER, &to_owner)).await;
    delegation::take_back(&store, By::Key(&signer(OWNER)), to_owner.delegation.id, &because(NOW), None).await.unwrap();
    creator(decides(&store, &line, State::Approved, &acting(OWNER, &owns), NOW).await.unwrap_err());
}

async fn what_a_substitute_suspended_is_lifted_in_the_same_right_alone(kept: Kept) {
    let store = opened(&kept).await;
    let held = decided(&store, &asked(&store).await, State::Approved, SIGNATORY).await.unwrap();
    let given = signed_for(&store).await;
    let by = acting(OWNER, &given);
    let stopped = decides(&store, &held, State::Suspended, &by, NOW).await.unwrap();
    // In the owner's own right it is the suspension of one who stands above.
    let error = decided(&store, &stopped, State::Approved, OWNER).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiSuspendedAbove)), "{error}");
    let lifted = decided(&store, &stopped, State::Approved, SIGNATORY).await.unwrap();
    let stopped = decided(&store, &lifted, State::Suspended, SIGNATORY).await.unwrap();
    assert_eq!(decides(&store, &stopped, State::Approved, &by, NOW).await.unwrap().state, State::Approved);
}

async fn a_role_is_delegated_to_a_colleague_for_a_year_at_most_and_no_further_than_it_goes(kept: Kept) {
    let store = opened(&kept).await;
    let (auditor, twin) = (Key::Intruder, Key::GatewayClient);
    people::add(&store, &[(auditor, Role::Auditor, Some(KORSBAEK))]).await;
    let signatory = id_of(&store, SIGNATORY).await;
    people::another_with(&store, signatory, twin, Role::SystemOwner, KORSBAEK).await;
    let fine = new(&store, OWNER, Role::Signatory).await;
    let field = async |new: New, field: &str| {
        let error = given(&store, SIGNATORY, &new).await.unwrap_err();
        assert!(
            matches!(refused(&error), Some(ApiRefusal::ApiFieldInvalid { field: of, .. }) if of == field),
            "{field}: {error}"
        );
    };
    for nobody in [OTHERS_SIGNATORY, OPERATOR, SUPPLIERS, SIGNATORY, twin] {
        field(new(&store, nobody, Role::Signatory).await, "substitute").await;
    }
    field(New { substitute: Uuid::from_u128(99), ..fine.clone() }, "substitute").await;
    field(New { to: at(NOW), ..fine.clone() }, "valid_to").await;
    field(New { to: at("2027-11-30T12:00:01Z"), ..fine.clone() }, "valid_to").await;
    field(New { from: Some(at("2026-11-29T11:59:59Z")), ..fine.clone() }, "valid_from").await;
    let not_allowed = |error: DecideError| {
        assert!(matches!(refused(&error), Some(ApiRefusal::ApiNotAllowed { .. })), "{error}");
    };
    not_allowed(given(&store, SIGNATORY, &New { role: Role::SystemOwner, ..fine.clone() }).await.unwrap_err());
    for (from, role) in [(auditor, Role::Auditor), (OPERATOR, Role::Operator), (SUPPLIERS, Role::SupplierAdministrator)] {
        let error = given(&store, from, &New { role, ..fine.clone() }).await.unwrap_err();
        assert!(error.to_string().contains(&format!("delegate the role {}", role.describe().en())), "{error}");
        not_allowed(error);
    }
    // A delegated right is not delegated on, nor are delegations taken back by it.
    let held = given(&store, SIGNATORY, &fine).await.unwrap();
    let on = New { id: Uuid::now_v7(), ..new(&store, auditor, Role::Signatory).await };
    not_allowed(delegation::give(&store, By::Key(&acting(OWNER, &held)), &on, &because(NOW), None).await.unwrap_err());
    let back = delegation::take_back(&store, By::Key(&acting(OWNER, &held)), held.delegation.id, &because(NOW), None).await;
    not_allowed(back.unwrap_err());
    // Of some services alone: of no other, also where the substitute's own role is for all.
    let narrow = New { id: Uuid::now_v7(), services: vec![OTHER_SERVICE], ..fine };
    let narrow = given(&store, SIGNATORY, &narrow).await.unwrap();
    let line = asked(&store).await;
    assert_eq!(line.service, SERVICE);
    let error = decides(&store, &line, State::Approved, &acting(OWNER, &narrow), NOW).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiNotFound { .. })), "{error}");
    assert_eq!(decides(&store, &line, State::Approved, &acting(OWNER, &held), NOW).await.unwrap().state, State::Approved);
}

/// Whether the owner acts by it.
async fn acts(store: &Store, given: &Delegation, now: &str) -> bool {
    let owner = store.actor(signer(OWNER).thumbprint(), None, at(now)).await.unwrap();
    store.acting(owner, given.id, at(now)).await.is_ok()
}

async fn it_ends_at_once_when_it_is_taken_back_with_its_time_and_with_either_user(kept: Kept) {
    let store = opened(&kept).await;
    let later = New { from: Some(at("2026-12-01T00:00:00Z")), ..new(&store, OWNER, Role::Signatory).await };
    let later = given(&store, SIGNATORY, &later).await.unwrap().delegation;
    assert!(!acts(&store, &later, NOW).await && acts(&store, &later, "2026-12-01T00:00:00Z").await);
    assert!(acts(&store, &later, "2026-12-23T23:59:59Z").await && !acts(&store, &later, UNTIL).await);
    // To nobody but the one to whom it was given.
    let signatory = store.actor(signer(SIGNATORY).thumbprint(), None, at(NOW)).await.unwrap();
    assert!(store.acting(signatory, later.id, at("2026-12-01T00:00:00Z")).await.is_err());

    let first = signed_for(&store).await.delegation;
    notified(&store).await;
    let back = async |key: Key, given: &Delegation| {
        delegation::take_back(&store, By::Key(&signer(key)), given.id, &because(NOW), None).await
    };
    for nobody in [OTHERS_SIGNATORY, SUPPLIERS] {
        let error = back(nobody, &first).await.unwrap_err();
        assert!(matches!(refused(&error), Some(ApiRefusal::ApiNotFound { .. } | ApiRefusal::ApiNotAllowed { .. })), "{error}");
    }
    assert!(acts(&store, &first, NOW).await);
    let ended = back(SIGNATORY, &first).await.unwrap();
    assert_eq!(ended.delegation.ended_at, Some(at(NOW)));
    assert!(!acts(&store, &first, NOW).await);
    let both: BTreeSet<_> = [SIGNATORYS, OWNERS].map(|to| (to.to_owned(), notices::Kind::DelegationEnded)).into();
    assert_eq!(notified(&store).await, both);
    let error = back(SIGNATORY, &first).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiConflict { .. })), "{error}");
    // The substitute gives it up, an operator takes it away.
    for key in [OWNER, OPERATOR] {
        let given = signed_for(&store).await.delegation;
        back(key, &given).await.unwrap();
        assert!(!acts(&store, &given, NOW).await, "{key:?}");
    }
    // With either user, and by whom is on record.
    let given = signed_for(&store).await.delegation;
    let (signatory, operator) = (id_of(&store, SIGNATORY).await, id_of(&store, OPERATOR).await);
    user::end(&store, Some(By::Key(&signer(OPERATOR))), signatory, &because(NOW)).await.unwrap();
    assert!(!acts(&store, &given, NOW).await);
    for id in [given.id, later.id] {
        let made = store.made_on(Subject::Delegation, id).await.unwrap().pop().unwrap();
        assert_eq!((made.what.to.as_str(), made.user), ("ended with its user", Some(operator)), "{id}");
        assert!(is_signed(&people::certificate(OPERATOR), made.signature.as_ref().unwrap(), &made.what, &made.because));
    }
}

async fn a_role_that_an_identity_provider_gives_no_longer_is_delegated_no_longer(kept: Kept) {
    let store = opened(&kept).await;
    let owner = id_of(&store, OWNER).await;
    let person = Uuid::from_u128(21);
    let logged_on = async |id: Uuid, roles: &[Role]| {
        let user = hjemmel::users::User {
            id,
            person,
            name: "P. Prøve".to_owned(),
            kind: hjemmel::users::Kind::Person,
            party: Some(KORSBAEK.parse().unwrap()),
            roles: roles.to_vec(),
            services: Vec::new(),
            certificates: Vec::new(),
            valid_from: at("2026-11-01T00:00:00Z"),
            valid_to: None,
            known: hjemmel::users::Known::default(),
        };
        user::add(&store, None, &user, &[], &because(NOW)).await.unwrap();
        user
    };
    logged_on(person, &[Role::Signatory, Role::SystemResponsible]).await;
    let limits = Limits { idle: std::time::Duration::from_secs(600), lifetime: std::time::Duration::from_secs(600) };
    let proven = Proven { user: person, means: Means::Saml, roles: None, at_provider: None, until: None };
    let (_, session) = store.open_session(&proven, limits, at(NOW)).await.unwrap();
    let gives = async |role| {
        let new = New { id: Uuid::now_v7(), substitute: owner, role, services: Vec::new(), from: None, to: at(UNTIL) };
        delegation::give(&store, By::User(&session.actor), &new, &because(NOW), None).await.unwrap().delegation
    };
    let (signs, answers) = (gives(Role::Signatory).await, gives(Role::SystemResponsible).await);
    logged_on(Uuid::from_u128(22), &[Role::SystemResponsible]).await;
    let (party, others) = (KORSBAEK.parse().ok(), "99999981".parse().ok());
    let gives_now = async |party, roles: &[Role]| {
        delegation::end_lost(&store, person, party, roles, &because(NOW)).await.unwrap();
    };
    gives_now(others, &[]).await;
    assert!(acts(&store, &signs, NOW).await, "another authority's roles say nothing of these");
    gives_now(party, &[Role::SystemResponsible]).await;
    assert!(!acts(&store, &signs, NOW).await && acts(&store, &answers, NOW).await);
    let made = store.made_on(Subject::Delegation, signs.id).await.unwrap().pop().unwrap();
    assert_eq!(made.what.to, "ended with the role");
    // Also of a user who was given a certificate since.
    user::add_certificate(&store, None, person, people::certificate(Key::GatewayClient), &because(NOW)).await.unwrap();
    gives_now(party, &[]).await;
    assert!(!acts(&store, &answers, NOW).await, "no role at all gives none");
}

async fn what_was_taken_back_after_a_request_began_decides_nothing(kept: Kept) {
    let store = opened(&kept).await;
    let line = asked(&store).await;
    let shown = approval::propose(&store, &line, &Rules::default(), at(NOW)).await.unwrap();
    let acting = async |given: &Told| {
        let owner = store.actor(signer(OWNER).thumbprint(), None, at(NOW)).await.unwrap();
        store.acting(owner, given.delegation.id, at(NOW)).await.unwrap()
    };
    let gone = |error: DecideError| assert!(matches!(refused(&error), Some(ApiRefusal::ApiNotFound { .. })), "{error}");
    let approves = async |actor: &hjemmel::users::Actor| {
        agreement::decide_as_shown(&store, By::User(actor), &shown, State::Approved, &because(NOW), None).await
    };
    let given = signed_for(&store).await;
    let actor = acting(&given).await;
    delegation::take_back(&store, By::Key(&signer(SIGNATORY)), given.delegation.id, &because(NOW), None).await.unwrap();
    gone(approves(&actor).await.unwrap_err());
    // Whatever is decided; also where it is over by the instant that would be recorded.
    let given = given_as_responsible(&store).await;
    let actor = acting(&given).await;
    let drafts = async |now: &str| {
        let unfinished = hjemmel::agreements::request::Content { name: "Kladde".to_owned(), ..Default::default() };
        request::draft(&store, By::User(&actor), Uuid::now_v7(), unfinished, &because(now), None).await
    };
    drafts(NOW).await.unwrap();
    gone(drafts(UNTIL).await.unwrap_err());
    delegation::take_back(&store, By::Key(&signer(RESPONSIBLE)), given.delegation.id, &because(NOW), None).await.unwrap();
    gone(drafts(NOW).await.unwrap_err());
    // And with either user.
    let given = signed_for(&store).await;
    let actor = acting(&given).await;
    user::end(&store, None, id_of(&store, SIGNATORY).await, &because(NOW)).await.unwrap();
    gone(approves(&actor).await.unwrap_err());
    let made = store.made_on(Subject::Agreement, line.id).await.unwrap();
    assert_eq!(made.last().unwrap().what.to, State::Requested.wire_name(), "nothing was decided");
}

/// The key of a system responsible of the same authority.
const RESPONSIBLE: Key = Key::Intruder;

/// The system responsible lets the system owner act as that.
async fn given_as_responsible(store: &Store) -> Told {
    people::add(store, &[(RESPONSIBLE, Role::SystemResponsible, Some(KORSBAEK))]).await;
    given(store, RESPONSIBLE, &new(store, OWNER, Role::SystemResponsible).await).await.unwrap()
}

async fn a_person_acts_and_takes_back_as_whichever_of_their_users(kept: Kept) {
    let store = opened(&kept).await;
    let (owner, signatory) = (id_of(&store, OWNER).await, id_of(&store, SIGNATORY).await);
    let (owner_again, signatory_again, elsewhere) = (Key::GatewayClient, Key::Intruder, Key::Korsbaek);
    people::another_with(&store, owner, owner_again, Role::SystemResponsible, KORSBAEK).await;
    people::another_with(&store, signatory, signatory_again, Role::SystemResponsible, KORSBAEK).await;
    people::another_with(&store, owner, elsewhere, Role::SystemOwner, "99999981").await;
    let given = signed_for(&store).await;
    let line = asked(&store).await;
    let error = decides(&store, &line, State::Approved, &acting(elsewhere, &given), NOW).await.unwrap_err();
    assert!(matches!(refused(&error), Some(ApiRefusal::ApiNotFound { .. })), "for another authority they are another: {error}");
    let approved = decides(&store, &line, State::Approved, &acting(owner_again, &given), NOW).await.unwrap();
    assert_eq!(approved.state, State::Approved);
    let made = store.made_on(Subject::Agreement, line.id).await.unwrap().pop().unwrap();
    assert_eq!(made.user, Some(id_of(&store, owner_again).await), "the user who acted");
    assert_eq!(made.by_delegation.unwrap().principal, signatory);
    let ended = delegation::take_back(&store, By::Key(&signer(signatory_again)), given.delegation.id, &because(NOW), None).await;
    assert_eq!(ended.unwrap().delegation.ended_at, Some(at(NOW)));
}

async fn whoever_is_stood_for_is_told_of_what_is_decided_in_their_name_and_of_what_was_asked_in_it(kept: Kept) {
    const RESPONSIBLES: &str = "responsible@example.dk";
    let store = opened(&kept).await;
    let own = Uuid::from_u128(7);
    registered(&store, own, Key::StsServer, KORSBAEK).await;
    let asks = given_as_responsible(&store).await;
    let responsible = id_of(&store, RESPONSIBLE).await;
    user::set_address(&store, None, responsible, Some((RESPONSIBLES, hjemmel::notices::address::Language::Da)), &because(NOW))
        .await
        .unwrap();
    let content = hjemmel::agreements::request::Content {
        system: Some(own),
        certificates: vec![(*people::certificate(Key::StsServer).thumbprint()).into()],
        authorities: vec![KORSBAEK.parse().unwrap()],
        ..content()
    };
    let by = acting(OWNER, &asks);
    let draft = request::draft(&store, By::Key(&by), Uuid::now_v7(), content, &because(NOW), None).await.unwrap();
    request::submit(&store, By::Key(&by), &draft, &Rules::default(), &words(), &because(NOW), None).await.unwrap();
    let line = store.lines(draft.id).await.unwrap().remove(0);
    delegation::take_back(&store, By::Key(&signer(RESPONSIBLE)), asks.delegation.id, &because(NOW), None).await.unwrap();
    notified(&store).await;
    decided(&store, &line, State::Approved, SIGNATORY).await.unwrap();
    let both: BTreeSet<_> = [OWNERS, RESPONSIBLES].map(|to| (to.to_owned(), notices::Kind::Approved)).into();
    assert_eq!(notified(&store).await, both, "who asked, and in whose right");
    // A signatory's role is told of no approval.
    let (signs, line) = (signed_for(&store).await, asked(&store).await);
    notified(&store).await;
    decides(&store, &line, State::Approved, &acting(OWNER, &signs), NOW).await.unwrap();
    let both: BTreeSet<_> = [SIGNATORYS, SUPPLIERS_].map(|to| (to.to_owned(), notices::Kind::Approved)).into();
    assert_eq!(notified(&store).await, both, "who asked, and in whose right it was approved");
}

async fn a_session_that_acts_is_unknown_to_a_node_that_knows_no_delegations(kept: Kept) {
    let store = opened(&kept).await;
    let given = signed_for(&store).await.delegation;
    let limits = Limits { idle: std::time::Duration::from_secs(600), lifetime: std::time::Duration::from_secs(600) };
    let user = id_of(&store, OWNER).await;
    let proven = Proven { user, means: Means::Link, roles: None, at_provider: None, until: None };
    let (own, session) = store.open_session(&proven, limits, at(NOW)).await.unwrap();
    let (acting, _) = store.exchange_session(&session, Some(given.id), at(NOW)).await.unwrap();
    // By this the release before knows a session.
    let known = async |secret: &hjemmel::users::sessions::Secret| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.reveal().as_bytes());
        let query = hjemmel::store::sql("SELECT id FROM console_session WHERE secret = $1");
        store.database().first(query.bind(hjemmel::hex::encode(digest.as_ref()))).await.unwrap().is_some()
    };
    assert!(known(&own).await && !known(&acting).await);
    assert!(store.session(&acting, limits, at(NOW)).await.unwrap().is_some());
}

async fn a_decision_that_nobody_here_can_read_keeps_no_other_back(kept: Kept) {
    let store = opened(&kept).await;
    let node = Uuid::from_u128(1);
    let many = async || store.claim_unrecorded(node, at(NOW)).await.unwrap().len();
    let before = many().await;
    // More than a node claims at once, and older than the rest.
    for number in 1..=150 {
        let later = hjemmel::store::sql(
            "INSERT INTO decision (id, subject, subject_id, to_state, reason, decided_at)
             VALUES ($1, 'of-a-later-release', $2, 'given', 'sag 7', $3)",
        );
        store.database().write(later.bind(Uuid::from_u128(number)).bind(node).bind(at(NOW))).await.unwrap();
    }
    assert_eq!(many().await, before);
    signed_for(&store).await;
    assert_eq!(many().await, before + 1);
}

async fn a_session_acts_for_a_colleague_until_the_delegation_is_over_and_is_nobodys_then(kept: Kept) {
    let store = opened(&kept).await;
    let given = signed_for(&store).await.delegation;
    let owner = id_of(&store, OWNER).await;
    let limits = Limits { idle: std::time::Duration::from_secs(600), lifetime: std::time::Duration::from_secs(600) };
    let proven = Proven { user: owner, means: Means::Link, roles: None, at_provider: None, until: None };
    let now: Timestamp = at(NOW);
    let (own, session) = store.open_session(&proven, limits, now).await.unwrap();
    let (secret, exchanged) = store.exchange_session(&session, Some(given.id), now).await.unwrap();
    assert!(own.form_token() != secret.form_token() && session.id != exchanged.id);
    assert!(store.session(&own, limits, now).await.unwrap().is_none(), "the one before is over");
    let acts = store.session(&secret, limits, now).await.unwrap().unwrap();
    assert_eq!(acts.actor.user().roles, [Role::Signatory]);
    assert_eq!(acts.actor.by_delegation().map(|by| by.delegation), Some(given.id));
    assert_eq!(acts.ends_at, session.ends_at, "no session lasts longer by it");
    assert!(store.exchange_session(&session, None, now).await.is_err(), "a session that is over begins none");
    let (again, back) = store.exchange_session(&acts, None, now).await.unwrap();
    assert_eq!((back.actor.user().roles.as_slice(), back.actor.by_delegation()), ([Role::SystemOwner].as_slice(), None));
    let session = store.session(&again, limits, now).await.unwrap().unwrap();
    let (secret, _) = store.exchange_session(&session, Some(given.id), now).await.unwrap();
    delegation::take_back(&store, By::Key(&signer(SIGNATORY)), given.id, &because(NOW), None).await.unwrap();
    assert!(store.session(&secret, limits, now).await.unwrap().is_none(), "it does not become the person's own");
}

async fn what_was_delegated_is_never_altered(kept: Kept) {
    let store = opened(&kept).await;
    let given = signed_for(&store).await.delegation;
    decides(&store, &asked(&store).await, State::Approved, &signer(OWNER).by_delegation(Some(given.id)), NOW).await.unwrap();
    delegation::take_back(&store, By::Key(&signer(OWNER)), given.id, &because(NOW), None).await.unwrap();
    for statement in [
        "UPDATE delegation SET role = 'system-owner'",
        "UPDATE delegation SET valid_to = given_at",
        "UPDATE delegation SET ended_at = NULL",
        "DELETE FROM delegation",
        "UPDATE decision SET delegation = NULL",
        "UPDATE console_session SET delegation = NULL",
    ] {
        // A session is there for the last one.
        let proven = Proven { user: id_of(&store, OWNER).await, means: Means::Link, roles: None, at_provider: None, until: None };
        let limits = Limits { idle: std::time::Duration::from_secs(600), lifetime: std::time::Duration::from_secs(600) };
        store.open_session(&proven, limits, at(NOW)).await.unwrap();
        assert!(kept.execute(statement).await.is_err(), "{statement}");
    }
}
