//! The life of agreements in the store: requests with their lines, new versions, ends, what time does, and who is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use hjemmel::agreements::basis::{Applied, Contract};
use hjemmel::agreements::request::{Content, Part, Request, Standing as Stands};
use hjemmel::agreements::route::store::InTheWay;
use hjemmel::agreements::rules::{Rule, Rules};
use hjemmel::agreements::system::System;
use hjemmel::agreements::terms::Kind;
use hjemmel::agreements::{Agreement, Side, Standing, State, Store, Vocabulary};
use hjemmel::audit::Subject;
use hjemmel::decisions::{By, DecideError, agreement, approval, ending, life, request, shown};
use hjemmel::notices;
use hjemmel::notices::address::Language;
use hjemmel::notices::outbox::{Waiting, jobs};
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::schema::meaning::Meaning;
use hjemmel::schema::source::Sources;
use hjemmel::store::{At, sql};
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

pub const SYSTEM: Uuid = Uuid::from_u128(5);
pub const SERVICE: Uuid = Uuid::from_u128(0x2860);
pub const OTHER_SERVICE: Uuid = Uuid::from_u128(0x1590);
pub const KORSBAEK: &str = "11111111";
pub const OTHER: &str = "99999981";
pub const SUPPLIER: &str = "99999998";

pub const SUPPLIERS: Key = Key::PersonSupplier;
pub const SIGNATORY: Key = Key::PersonSignatory;
pub const OTHERS_SIGNATORY: Key = Key::OtherMunicipality;
pub const OWNER: Key = Key::Udk;
pub const OPERATOR: Key = Key::PersonOperator;
/// The key of the supplier's system.
pub const SYSTEMS_KEY: Key = Key::IndexServer;

on_both! {
    a_draft_may_be_unfinished_and_is_its_makers_sides_alone_and_asks_nobody;
    a_request_makes_a_line_for_each_authority_with_a_state_of_its_own;
    a_new_version_tells_only_what_differs_and_the_old_holds_until_it_is_approved;
    an_end_keeps_to_binding_and_notice_and_takes_along_what_depends_on_it;
    time_alone_expires_an_agreement_and_tells_each_once;
    a_locked_service_takes_no_new_request_and_a_trial_needs_no_approval_where_it_is_allowed;
    what_was_requested_is_never_altered_and_what_was_answered_is_not_taken_back;
    a_system_has_several_certificates_and_whose_it_is_may_change_it_and_is_told_before_one_ends;
    an_agreement_is_bound_to_what_was_in_force_and_a_widening_is_told_once_with_what_it_adds;
    what_was_bound_to_nothing_is_bound_to_the_contract_in_force_and_not_to_the_next;
    what_is_under_notice_or_suspended_is_bound_and_told_of_as_what_holds;
    an_end_closes_orders_and_keys_and_has_waiting_files_deleted_when_it_takes_effect_and_not_before;
}

pub async fn opened(kept: &Kept) -> Store {
    let store = Store::open(&kept.settings).await.unwrap();
    let people = [
        (OPERATOR, Role::Operator, None),
        (SUPPLIERS, Role::SupplierAdministrator, Some(SUPPLIER)),
        (SIGNATORY, Role::Signatory, Some(KORSBAEK)),
        (OTHERS_SIGNATORY, Role::Signatory, Some(OTHER)),
        (OWNER, Role::SystemOwner, Some(KORSBAEK)),
    ];
    people::add(&store, &people).await;
    let users = store.users().await.unwrap();
    let mut change = store.change().await.unwrap();
    for user in users {
        let address = format!("{}-{}@example.dk", user.name, user.party.map_or("0".to_owned(), |cvr| cvr.to_string()));
        change.set_address(user.id, Some((&address, Language::Da)), at(NOW)).await.unwrap();
    }
    let register = "[[authority]]\ncvr = \"11111111\"\nname = \"Korsbæk\"\nrole = \"municipality\"\n\
        [[authority]]\ncvr = \"99999981\"\nname = \"Anden\"\nrole = \"municipality\"\n";
    let import = hjemmel::agreements::import::Import::parse(register, &words()).unwrap();
    change.import(&import, at(NOW)).await.unwrap();
    change.commit().await.unwrap();
    registered(&store, SYSTEM, SYSTEMS_KEY, SUPPLIER).await;
    store
}

/// Registers a system of somebody's with a certificate.
pub async fn registered(store: &Store, id: Uuid, key: Key, party: &str) {
    let (name, contact) = ("Fagsystem A".to_owned(), "drift@leverandor.example".to_owned());
    let party = Some(party.parse().unwrap());
    let mut change = store.change().await.unwrap();
    change.write_system(&System { id, party, name, contact, made_at: at(NOW), changed_at: at(NOW) }).await.unwrap();
    change.add_system_certificate(id, &people::certificate(key), at(NOW)).await.unwrap();
    change.commit().await.unwrap();
}

pub fn words() -> Vocabulary {
    Vocabulary { roles: vec!["municipality"], ..Vocabulary::default() }
}

pub fn content() -> Content {
    Content {
        kind: Kind::WithoutPassingOn,
        name: "Sygedagpenge i Fagsystem A".to_owned(),
        justification: "Sagsbehandlere slår ydelser op".to_owned(),
        environment: Some("prod".parse().unwrap()),
        valid_from: Some(at("2026-11-01T23:00:00Z")),
        valid_to: None,
        system: Some(SYSTEM),
        certificates: vec![(*people::certificate(SYSTEMS_KEY).thumbprint()).into()],
        authorities: vec![KORSBAEK.parse().unwrap(), OTHER.parse().unwrap()],
        services: vec![Part { service: SERVICE, side: Side::Front, scope: Default::default() }],
        contract: "DBA-2026-17".to_owned(),
        purpose: "sagsbehandling".to_owned(),
        legal_basis: "LUD § 8, stk. 1".to_owned(),
        categories: vec!["ydelser".to_owned()],
        retention: "slettes efter 5 år".to_owned(),
        depends_on: Vec::new(),
        replaces: None,
    }
}

pub async fn drafted(store: &Store, content: Content) -> Request {
    request::draft(store, By::Key(&signer(SUPPLIERS)), Uuid::now_v7(), content, &because(NOW), None).await.unwrap()
}

pub async fn sent(store: &Store, draft: &Request, rules: &Rules) -> Result<Request, DecideError> {
    request::submit(store, By::Key(&signer(SUPPLIERS)), draft, rules, &words(), &because(NOW), None).await
}

/// Requested, and its lines by authority: Korsbæk's, then the other's.
pub async fn requested(store: &Store, content: Content) -> (Request, Vec<Agreement>) {
    let draft = drafted(store, content).await;
    let request = sent(store, &draft, &Rules::default()).await.unwrap();
    let lines = store.lines(request.id).await.unwrap();
    (request, lines)
}

pub async fn decided(store: &Store, agreement: &Agreement, to: State, by: Key) -> Result<Agreement, DecideError> {
    let shown = approval::propose(store, agreement, &Rules::default(), at(NOW)).await.unwrap();
    agreement::decide_as_shown(store, By::Key(&signer(by)), &shown, to, &because(NOW), None).await
}

/// What waits in the outbox since it was looked at last, and to whom; it is taken away.
pub async fn notified(store: &Store) -> BTreeSet<(String, notices::Kind)> {
    let jobs = jobs(store.database());
    let mut told = BTreeSet::new();
    loop {
        let taken = jobs.take(100).await.unwrap();
        if taken.is_empty() {
            return told;
        }
        for taken in taken {
            let waiting: Waiting = serde_json::from_slice(&taken.payload).unwrap();
            told.insert((waiting.to, waiting.notice.kind));
            jobs.done(&taken).await.unwrap();
        }
    }
}

pub fn refused(error: &DecideError) -> Option<&ApiRefusal> {
    match error {
        DecideError::Refused(refusal) => Some(refusal),
        _ => None,
    }
}

pub const SIGNATORYS: &str = "signatory-11111111@example.dk";
const OTHERS: &str = "signatory-99999981@example.dk";
pub const SUPPLIERS_: &str = "supplier-administrator-99999998@example.dk";
pub const OWNERS: &str = "system-owner-11111111@example.dk";
pub const OPERATORS: &str = "operator-0@example.dk";

fn all(pairs: &[(&str, notices::Kind)]) -> BTreeSet<(String, notices::Kind)> {
    pairs.iter().map(|(to, kind)| ((*to).to_owned(), *kind)).collect()
}

async fn a_draft_may_be_unfinished_and_is_its_makers_sides_alone_and_asks_nobody(kept: Kept) {
    let store = opened(&kept).await;
    let draft = drafted(&store, Content { name: "Kladde".to_owned(), ..Content::default() }).await;
    assert_eq!((draft.state, draft.edition), (Stands::Draft, 1));
    assert!(store.list().await.unwrap().is_empty() && notified(&store).await.is_empty(), "nobody is asked");
    let unfinished = sent(&store, &draft, &Rules::default()).await.unwrap_err();
    let text = unfinished.to_string();
    for field in ["justification", "system", "authorities", "services", "contract", "categories", "retention"] {
        assert!(text.contains(field), "{field} in {text}");
    }
    let signatory = store.actor(signer(SIGNATORY).thumbprint(), None, at(NOW)).await.unwrap();
    let seen = request::seen(&store, &signatory, draft.id).await.unwrap_err();
    assert!(matches!(refused(&seen), Some(ApiRefusal::ApiNotFound { .. })), "{seen}");
    let named = Content { name: "Borger 610203-1234".to_owned(), ..content() };
    let written = request::write(&store, By::Key(&signer(SUPPLIERS)), &draft, named, &because(NOW), None).await.unwrap();
    assert_eq!(written.edition, 2);
    let person = sent(&store, &written, &Rules::default()).await.unwrap_err();
    assert!(person.to_string().contains("CPR"), "{person}");
    // A second tab still has the first edition.
    let stale = request::write(&store, By::Key(&signer(SUPPLIERS)), &draft, content(), &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&stale), Some(ApiRefusal::ApiPreconditionFailed)), "{stale}");
    assert_eq!(store.request(draft.id).await.unwrap().unwrap(), written, "nothing is lost");
}

async fn a_request_makes_a_line_for_each_authority_with_a_state_of_its_own(kept: Kept) {
    let store = opened(&kept).await;
    let (request, lines) = requested(&store, content()).await;
    assert_eq!(request.state, Stands::Requested);
    let [korsbaeks, others] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((korsbaeks.authority.to_string(), others.authority.to_string()), (KORSBAEK.to_owned(), OTHER.to_owned()));
    let text = shown::text(korsbaeks);
    for line in [
        "navn: Sygedagpenge i Fagsystem A",
        "databehandleraftale: DBA-2026-17",
        "datakategori: ydelser",
        "opbevaring: slettes efter 5 år",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert_eq!(notified(&store).await, all(&[(SIGNATORYS, notices::Kind::Requested), (OTHERS, notices::Kind::Requested)]));
    // One approves, the other rejects; neither decides for the other, and the maker for none.
    assert!(decided(&store, others, State::Approved, SIGNATORY).await.is_err());
    assert!(decided(&store, korsbaeks, State::Approved, SUPPLIERS).await.is_err());
    let approved = decided(&store, korsbaeks, State::Approved, SIGNATORY).await.unwrap();
    assert_eq!(approved.standing(at(NOW)), Standing::Holds);
    let rejected = decided(&store, others, State::Rejected, OTHERS_SIGNATORY).await.unwrap();
    assert_eq!(rejected.standing(at(NOW)), Standing::State(State::Rejected));
    assert_eq!(notified(&store).await, all(&[(SUPPLIERS_, notices::Kind::Approved), (SUPPLIERS_, notices::Kind::Rejected)]));
    let again = decided(&store, korsbaeks, State::Approved, SIGNATORY).await.unwrap_err();
    assert!(matches!(refused(&again), Some(ApiRefusal::ApiPreconditionFailed)), "two approvals at once: {again}");
    let made = store.made_on(Subject::AgreementRequest, request.id).await.unwrap();
    assert_eq!(made.iter().map(|made| made.what.to.as_str()).collect::<Vec<_>>(), ["KLADDE", "ANMODET"]);
    assert!(made.iter().all(|made| made.signature.is_some() && made.what.shown.is_some()));
    let reader = store.actor(signer(SIGNATORY).thumbprint(), None, at(NOW)).await.unwrap();
    let seen = request::lines_seen(&store, &reader, &request).await.unwrap();
    assert_eq!(seen.iter().map(|line| line.id).collect::<Vec<_>>(), [korsbaeks.id], "its own line alone");
}

async fn a_new_version_tells_only_what_differs_and_the_old_holds_until_it_is_approved(kept: Kept) {
    let store = opened(&kept).await;
    let only_korsbaek = Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() };
    let (first, lines) = requested(&store, only_korsbaek).await;
    decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    notified(&store).await;
    let renewed = Content { purpose: "sagsbehandling og kontrol".to_owned(), ..request::renewed(&first, at(NOW)) };
    let draft = drafted(&store, Content { valid_from: Some(at("2026-12-01T23:00:00Z")), ..renewed }).await;
    sent(&store, &draft, &Rules::default()).await.unwrap();
    let jobs = jobs(store.database());
    let letters = jobs.take(10).await.unwrap();
    let waiting: Waiting = serde_json::from_slice(&letters[0].payload).unwrap();
    assert_eq!(
        waiting.notice.differs,
        [
            "- gælder fra: 2026-11-01T23:00:00Z",
            "- formål: sagsbehandling",
            "+ gælder fra: 2026-12-01T23:00:00Z",
            "+ formål: sagsbehandling og kontrol"
        ]
    );
    let second = store.lines(draft.id).await.unwrap().remove(0);
    assert_eq!(second.terms.as_ref().unwrap().replaces, Some(lines[0].id));
    assert_eq!(store.get(lines[0].id).await.unwrap().standing(at(NOW)), Standing::Holds, "the old holds");
    decided(&store, &second, State::Approved, SIGNATORY).await.unwrap();
    let old = store.get(lines[0].id).await.unwrap();
    assert_eq!(old.state, State::Terminated);
    for (instant, holds) in [("2026-12-01T22:59:59.999999Z", true), ("2026-12-01T23:00:00Z", false)] {
        assert_eq!(old.standing(at(instant)) == Standing::Holds, holds, "{instant}");
        let new = store.get(second.id).await.unwrap();
        assert_eq!(new.standing(at(instant)) == Standing::Holds, !holds, "{instant}");
    }
    let made = store.made_on(Subject::Agreement, old.id).await.unwrap();
    assert!(made.iter().all(|made| made.signature.is_some()), "each is signed, the end of the old one too");
}

async fn an_end_keeps_to_binding_and_notice_and_takes_along_what_depends_on_it(kept: Kept) {
    let store = opened(&kept).await;
    let only = |content: Content| Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content };
    let (first, lines) = requested(&store, only(content())).await;
    let held = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    let part = Part { service: OTHER_SERVICE, side: Side::Front, scope: Default::default() };
    let depending = Content { services: vec![part], depends_on: vec![first.id], ..only(content()) };
    let (_, others) = requested(&store, depending).await;
    let other = decided(&store, &others[0], State::Approved, SIGNATORY).await.unwrap();
    let route = route_of(&kept, KORSBAEK);
    let own = [];
    let by = signer(OPERATOR);
    hjemmel::decisions::route::add(
        &store,
        By::Key(&by),
        std::slice::from_ref(&route),
        InTheWay::Refuse,
        &own,
        &because(NOW),
        None,
    )
    .await
    .unwrap();
    notified(&store).await;
    let rule = Rule { binding_months: 6, notice_months: 3, ..Rule::default() };
    let rules = Rules::new([(SERVICE, rule)].into());
    // Six months from the day on which it began to hold: it was approved on the 29th.
    let earliest = at("2027-05-29T22:00:00Z");
    let sooner = ending::propose(&store, &held, Some(at("2027-02-01T23:00:00Z")), &rules, at(NOW)).await.unwrap();
    let refusal = ending::end(&store, By::Key(&signer(OWNER)), &sooner, &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&refusal), Some(ApiRefusal::ApiNoticeTooShort { .. })), "{refusal}");
    let proposed = ending::propose(&store, &held, None, &rules, at(NOW)).await.unwrap();
    assert_eq!((proposed.ends_at, proposed.earliest), (earliest, earliest));
    assert_eq!(proposed.with.iter().map(|with| with.thing.id).collect::<Vec<_>>(), [other.id]);
    assert_eq!(proposed.routes.iter().map(|closed| closed.thing.id).collect::<Vec<_>>(), [route.id]);
    let text = proposed.text();
    for named in [other.id.to_string(), route.id.to_string(), earliest.to_string()] {
        assert!(text.contains(&named), "{named} in {text}");
    }
    ending::end(&store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
    for id in [held.id, other.id] {
        let ended = store.get(id).await.unwrap();
        assert_eq!(ended.state, State::Terminated);
        assert_eq!(ended.standing(earliest - SignedDuration::from_secs(1)), Standing::Holds, "until the notice is over");
        assert_eq!(ended.standing(earliest), Standing::State(State::Terminated));
    }
    assert_eq!(store.route(route.id).await.unwrap().period.to().map(|day| day.to_string()).as_deref(), Some("2027-05-30"));
    let told = notified(&store).await;
    for to in [SUPPLIERS_, OWNERS, SIGNATORYS] {
        assert!(told.contains(&(to.to_owned(), notices::Kind::Ended)), "{to} in {told:?}");
    }
    // At once where the service has no terms.
    let (_, lines) = requested(&store, only(content())).await;
    let held = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    let proposed = ending::propose(&store, &held, None, &Rules::default(), at(NOW)).await.unwrap();
    assert_eq!(proposed.text(), shown::text(&held), "nothing but its own text");
    let ended = ending::end(&store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
    assert_eq!(ended.standing(at(NOW)), Standing::State(State::Terminated));
}

pub fn route_of(kept: &Kept, sender: &str) -> hjemmel::agreements::Route {
    let pem = hjemmel::stub::pki::pem("CERTIFICATE", people::certificate(Key::Korsbaek).der());
    std::fs::write(kept.dir.path().join("roots.pem"), pem).unwrap();
    let file = format!(
        "[[route]]\nid = \"{}\"\nservice = \"{SERVICE}\"\nenvironment = \"prod\"\nsender = \"{sender}\"\nreceiver = \"{OTHER}\"\n\
         valid_from = 2026-01-01\nsystem = \"{}\"\naddress = \"https://192.0.2.7/a\"\nentity_id = \"http://a.example\"\n\
         security = \"authority-context\"\nroots = [\"roots.pem\"]\n",
        Uuid::from_u128(77),
        Uuid::from_u128(78),
    );
    hjemmel::agreements::route::file::parse(&file, kept.dir.path()).unwrap().remove(0)
}

async fn time_alone_expires_an_agreement_and_tells_each_once(kept: Kept) {
    let store = opened(&kept).await;
    let ends: Timestamp = at("2027-01-01T23:00:00Z");
    let (_, lines) = requested(&store, Content { valid_to: Some(ends), ..content() }).await;
    let held = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    notified(&store).await;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    // Thirty-three days ahead: the notice of sixty days is due; then nothing, until thirty.
    assert_eq!(life::look(&store, &Rules::default(), at(NOW)).await.unwrap(), life::Done { expired: 0, told: 1 });
    assert_eq!(life::look(&store, &Rules::default(), at(NOW)).await.unwrap(), life::Done::default(), "each once");
    let expiring =
        all(&[(SUPPLIERS_, notices::Kind::Expiring), (OWNERS, notices::Kind::Expiring), (SIGNATORYS, notices::Kind::Expiring)]);
    assert_eq!(notified(&store).await, expiring);
    // The other authority has not answered: after three days, after seven, and not again.
    for (after, reminded) in [(2, false), (3, true), (4, false), (7, true), (8, false)] {
        life::look(&store, &Rules::default(), at(NOW) + days(after)).await.unwrap();
        let reminder = notified(&store).await.contains(&(OTHERS.to_owned(), notices::Kind::Reminder));
        assert_eq!(reminder, reminded, "{after} days");
    }
    life::look(&store, &Rules::default(), ends - days(7)).await.unwrap();
    assert_eq!(notified(&store).await, expiring, "of the three that are due by then, one is told");
    // To the instant: not before, and by itself.
    let before = life::look(&store, &Rules::default(), ends - SignedDuration::from_millis(1)).await.unwrap();
    assert_eq!((before.expired, store.get(held.id).await.unwrap().state), (0, State::Approved));
    assert_eq!(life::look(&store, &Rules::default(), ends).await.unwrap().expired, 1);
    assert_eq!(store.get(held.id).await.unwrap().state, State::Expired);
    assert_eq!(life::look(&store, &Rules::default(), ends).await.unwrap().expired, 0);
    let made = store.made_on(Subject::Agreement, held.id).await.unwrap();
    let last = made.last().unwrap();
    assert_eq!((last.what.to.as_str(), last.user, last.what.from.as_deref()), ("UDLØBET", None, Some("GODKENDT")));
    assert_eq!(store.forget_notices(ends + days(500)).await.unwrap(), 6, "and one of the system's certificate");
}

async fn a_locked_service_takes_no_new_request_and_a_trial_needs_no_approval_where_it_is_allowed(kept: Kept) {
    let store = opened(&kept).await;
    let (first, _) = requested(&store, Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() }).await;
    let locked = Rules::new([(SERVICE, Rule { locked: true, ..Rule::default() })].into());
    let draft = drafted(&store, content()).await;
    let refusal = sent(&store, &draft, &locked).await.unwrap_err();
    assert!(matches!(refused(&refusal), Some(ApiRefusal::ApiServiceLocked { .. })), "{refusal}");
    assert_eq!(store.request(draft.id).await.unwrap().unwrap(), draft, "the draft stays");
    let renewed = drafted(&store, request::renewed(&first, at(NOW))).await;
    sent(&store, &renewed, &locked).await.unwrap();
    notified(&store).await;
    let on_trial = Rules::new([(SERVICE, Rule { trial: [KORSBAEK.parse().unwrap()].into(), ..Rule::default() })].into());
    for (environment, states) in
        [("exttest", [State::Approved, State::Requested]), ("prod", [State::Requested, State::Requested])]
    {
        let draft = drafted(&store, Content { environment: Some(environment.parse().unwrap()), ..content() }).await;
        sent(&store, &draft, &on_trial).await.unwrap();
        let lines = store.lines(draft.id).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.state).collect::<Vec<_>>(), states, "{environment}");
    }
}

async fn what_was_requested_is_never_altered_and_what_was_answered_is_not_taken_back(kept: Kept) {
    let store = opened(&kept).await;
    let (request, lines) = requested(&store, content()).await;
    decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    let by = signer(SUPPLIERS);
    let altered = request::write(&store, By::Key(&by), &request, content(), &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&altered), Some(ApiRefusal::ApiTransition { .. })), "{altered}");
    assert!(kept.execute("UPDATE agreement_request SET content = '{}'").await.is_err(), "nor by other means");
    assert!(kept.execute("DELETE FROM agreement_request").await.is_err());
    let others = request::withdraw(&store, By::Key(&signer(SIGNATORY)), &request, &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&others), Some(ApiRefusal::ApiNotAllowed { .. })), "{others}");
    request::withdraw(&store, By::Key(&by), &request, &because(NOW), None).await.unwrap();
    let states: Vec<_> = store.lines(request.id).await.unwrap().iter().map(|line| line.state).collect();
    assert_eq!(states, [State::Approved, State::Withdrawn]);
}

async fn a_system_has_several_certificates_and_whose_it_is_may_change_it_and_is_told_before_one_ends(kept: Kept) {
    use hjemmel::decisions::system::{Changes, change, register, seen};
    let store = opened(&kept).await;
    let by = signer(SUPPLIERS);
    let id = Uuid::from_u128(15);
    let named = (id, "Fagsystem A".to_owned(), "drift@leverandor.example".to_owned());
    register(&store, By::Key(&by), named.clone(), &because(NOW), None).await.unwrap();
    let twice = register(&store, By::Key(&by), named, &because(NOW), None).await.unwrap_err();
    assert!(matches!(refused(&twice), Some(ApiRefusal::ApiConflict { .. })), "{twice}");
    let person = (Uuid::from_u128(6), "Borger 610203-1234".to_owned(), "x".to_owned());
    assert!(register(&store, By::Key(&by), person, &because(NOW), None).await.is_err());
    let reader = |key: Key| {
        let store = store.clone();
        async move { store.actor(signer(key).thumbprint(), None, at(NOW)).await.unwrap() }
    };
    let own = reader(SUPPLIERS).await;
    for key in [Key::Korsbaek, Key::Intruder] {
        let shown = seen(&store, &own, id).await.unwrap();
        let proof = people::proof(key, id);
        let added = Changes::CertificateAdded(Box::new(people::certificate(key)), Some(proof));
        change(&store, By::Key(&by), &shown, &added, &because(NOW), None).await.unwrap();
        let stale = change(&store, By::Key(&by), &shown, &added, &because(NOW), None).await.unwrap_err();
        assert!(matches!(refused(&stale), Some(ApiRefusal::ApiPreconditionFailed)), "{stale}");
    }
    let (system, certificates) = seen(&store, &own, id).await.unwrap();
    assert_eq!(certificates.len(), 2, "one beside the other");
    // An authority sees it once an agreement of it names it; nobody else's changes it.
    let signatory = reader(SIGNATORY).await;
    assert!(seen(&store, &signatory, id).await.is_err());
    let of_it = Content { system: Some(id), certificates: vec![certificates[0].thumbprint], ..content() };
    requested(&store, Content { authorities: vec![KORSBAEK.parse().unwrap()], ..of_it }).await;
    assert_eq!(seen(&store, &signatory, id).await.unwrap().0, system);
    let shown = (system, certificates.clone());
    let others =
        change(&store, By::Key(&signer(SIGNATORY)), &shown, &Changes::Named("B".into(), "b".into()), &because(NOW), None)
            .await
            .unwrap_err();
    assert!(matches!(refused(&others), Some(ApiRefusal::ApiNotAllowed { .. })), "{others}");
    let ended = Changes::CertificateEnded(certificates[0].thumbprint);
    change(&store, By::Key(&by), &shown, &ended, &because(NOW), None).await.unwrap();
    notified(&store).await;
    // The one that is left: told of in time, once for each of the days.
    let ends = certificates[1].not_after;
    for (before, due) in [(61, false), (60, true), (59, false), (30, true), (7, true), (6, false)] {
        life::look(&store, &Rules::default(), ends - SignedDuration::from_hours(24 * before)).await.unwrap();
        let told = notified(&store).await;
        let warned = told.contains(&(SUPPLIERS_.to_owned(), notices::Kind::CertificateExpiring));
        assert_eq!(warned, due, "{before} days before: {told:?}");
    }
}

/// A contract of one message, with these elements.
fn contract(elements: &[&str]) -> Contract {
    let elements: String =
        elements.iter().map(|name| format!("<x:element name=\"{name}\" type=\"x:string\" minOccurs=\"0\"/>")).collect();
    let schema = format!(
        "<x:schema xmlns:x=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:t\"><x:element name=\"Ask\"><x:complexType><x:sequence>\
         {elements}</x:sequence></x:complexType></x:element></x:schema>"
    );
    let mut sources = Sources::default();
    sources.add("a.xsd", schema.clone());
    let meaning = Meaning::of(&sources).with("ask", [("urn:t", "Ask")]);
    Contract { digest: shown::sha256(&schema), meaning: Arc::new(meaning) }
}

fn applying(contract: &Contract) -> Rules {
    let rule = Rule { basis: Some(contract.digest.clone()), contract: Some(contract.clone()), ..Rule::default() };
    Rules::new([(SERVICE, rule)].into())
}

async fn an_agreement_is_bound_to_what_was_in_force_and_a_widening_is_told_once_with_what_it_adds(kept: Kept) {
    let store = opened(&kept).await;
    let only = Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() };
    // One of before agreements were bound, which nobody asked for by a request, and one of a request.
    let (_, lines) = requested(&store, only.clone()).await;
    let old = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    assert_eq!(old.basis(), None);
    let (first, narrower, wider) = (contract(&["Navn", "Adresse"]), contract(&["Navn"]), contract(&["Navn", "Adresse", "Cpr"]));
    life::look(&store, &applying(&first), at(NOW)).await.unwrap();
    let old = store.get(old.id).await.unwrap();
    assert_eq!(old.basis(), Some(first.digest.as_str()), "bound to what is in force when it is first seen");
    let draft = drafted(&store, only).await;
    sent(&store, &draft, &applying(&first)).await.unwrap();
    let line = store.lines(draft.id).await.unwrap().remove(0);
    assert!(shown::text(&line).contains(&first.digest), "whoever approves is shown what it is bound to");
    let new = decided(&store, &line, State::Approved, SIGNATORY).await.unwrap();
    notified(&store).await;
    let covers = async |contract: &Contract| {
        let applied = Applied::new(contract.clone(), store.clone());
        [applied.covers(&old, "ask").await.is_ok(), applied.covers(&new, "ask").await.is_ok()]
    };
    assert_eq!((covers(&first).await, covers(&narrower).await, covers(&wider).await), ([true; 2], [true; 2], [false; 2]));
    // A narrowing is told to nobody; a widening once, with what it adds and nothing else.
    assert_eq!(life::look(&store, &applying(&narrower), at(NOW)).await.unwrap(), life::Done::default());
    assert_eq!(life::look(&store, &applying(&wider), at(NOW)).await.unwrap(), life::Done { expired: 0, told: 2 });
    let jobs = jobs(store.database());
    let letters: Vec<Waiting> =
        jobs.take(10).await.unwrap().iter().map(|taken| serde_json::from_slice(&taken.payload).unwrap()).collect();
    assert!(letters.iter().any(|letter| letter.to == SIGNATORYS) && letters.iter().any(|letter| letter.to == SUPPLIERS_));
    for letter in &letters {
        assert_eq!(letter.notice.kind, notices::Kind::Outgrown);
        let [only] = letter.notice.differs.as_slice() else { panic!("{:?}", letter.notice.differs) };
        assert!(only.contains("element Cpr"), "{only}");
    }
    assert_eq!(life::look(&store, &applying(&wider), at(NOW)).await.unwrap(), life::Done::default(), "once");
    // A new version under the wider contract says so to whoever decides on it, also when another is in force by then.
    let draft = drafted(&store, request::renewed(&draft, at(NOW))).await;
    sent(&store, &draft, &applying(&wider)).await.unwrap();
    let version = store.lines(draft.id).await.unwrap().remove(0);
    for in_force in [&wider, &first] {
        let differs = life::differs(&store, &applying(in_force), &version).await.unwrap();
        assert!(differs.iter().any(|line| line.contains("element Cpr")), "{differs:?}");
        assert!(!differs.iter().any(|line| line.contains("Adresse")), "{differs:?}");
    }
    assert!(life::differs(&store, &applying(&wider), &new).await.unwrap().is_empty(), "it is decided on");
    // What it is bound to is never altered, by whatever means.
    assert!(kept.execute("UPDATE agreement SET basis = 'x'").await.is_err());
    assert!(kept.execute("DELETE FROM agreement_basis").await.is_err());
}

async fn what_was_bound_to_nothing_is_bound_to_the_contract_in_force_and_not_to_the_next(kept: Kept) {
    let store = opened(&kept).await;
    let (_, lines) = requested(&store, Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() }).await;
    let old = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    let (in_force, next) = (contract(&["Navn"]), contract(&["Navn", "Cpr"]));
    let rule = Rule {
        basis: Some(next.digest.clone()),
        contract: Some(next.clone()),
        in_force: Some(in_force.clone()),
        ..Rule::default()
    };
    notified(&store).await;
    life::look(&store, &Rules::new([(SERVICE, rule)].into()), at(NOW)).await.unwrap();
    let old = store.get(old.id).await.unwrap();
    assert_eq!(old.basis(), Some(in_force.digest.as_str()));
    assert!(notified(&store).await.contains(&(SIGNATORYS.to_owned(), notices::Kind::Outgrown)), "of what the next adds");
    let covers = async |contract: &Contract| Applied::new(contract.clone(), store.clone()).covers(&old, "ask").await.is_ok();
    assert_eq!((covers(&in_force).await, covers(&next).await), (true, false));
}

async fn what_is_under_notice_or_suspended_is_bound_and_told_of_as_what_holds(kept: Kept) {
    let store = opened(&kept).await;
    let only = Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() };
    let approved = async || {
        let (_, lines) = requested(&store, only.clone()).await;
        decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap()
    };
    let (noticed, stopped, over) = (approved().await, approved().await, approved().await);
    // More of another service than one look takes, which this configuration does not have, are in nobody's way.
    let elsewhere = Part { service: OTHER_SERVICE, side: Side::Front, scope: Default::default() };
    let (_, lines) = requested(&store, Content { services: vec![elsewhere], ..only.clone() }).await;
    let unknown = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    decided(&store, &stopped, State::Suspended, SIGNATORY).await.unwrap();
    for (agreement, until) in [(&noticed, Some(at("2027-03-01T00:00:00Z"))), (&over, None)] {
        let proposed = ending::propose(&store, agreement, until, &Rules::default(), at(NOW)).await.unwrap();
        ending::end(&store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
    }
    let (first, wider) = (contract(&["Navn"]), contract(&["Navn", "Cpr"]));
    life::look(&store, &applying(&first), at(NOW)).await.unwrap();
    for (agreement, bound) in [(&noticed, true), (&stopped, true), (&over, false), (&unknown, false)] {
        let basis = store.get(agreement.id).await.unwrap().basis;
        assert_eq!(basis, bound.then(|| first.digest.clone()), "{}", agreement.id);
    }
    assert!(store.unbound(SERVICE, at(NOW), 1).await.unwrap().is_empty());
    notified(&store).await;
    assert_eq!(life::look(&store, &applying(&wider), at(NOW)).await.unwrap(), life::Done { expired: 0, told: 2 });
    assert!(notified(&store).await.contains(&(SIGNATORYS.to_owned(), notices::Kind::Outgrown)));
}

async fn an_end_closes_orders_and_keys_and_has_waiting_files_deleted_when_it_takes_effect_and_not_before(kept: Kept) {
    let store = opened(&kept).await;
    let only = Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() };
    let (_, lines) = requested(&store, only.clone()).await;
    let held = decided(&store, &lines[0], State::Approved, SIGNATORY).await.unwrap();
    // Its system sends by two orders, of which one is of the service; another system receives.
    let (system, ledger) = (held.system, Uuid::from_u128(8));
    let (ours, theirs) = (Uuid::from_u128(51), Uuid::from_u128(52));
    for (id, name, system, fingerprint) in [
        (ours, "FAG", system, "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        (theirs, "LEDGER", ledger, "SHA256:EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE"),
    ] {
        kept.execute(&format!(
            "INSERT INTO sftp_user (id, name, environment, system, authority, older_root, bytes_limit, disabled, added_us)
             VALUES ('{id}', '{name}', 'prod', '{system}', '{SUPPLIER}', FALSE, 1000, FALSE, 5)"
        ))
        .await
        .unwrap();
        kept.execute(&format!(
            "INSERT INTO sftp_key (sftp_user, fingerprint, label, public_key, disabled, added_us) VALUES ('{id}', '{fingerprint}', 'k', 'k', FALSE, 5)"
        ))
        .await
        .unwrap();
    }
    let order = Uuid::from_u128(53);
    kept.execute(&format!(
        "INSERT INTO file_order (id, state, sender, recipient, sender_authority, recipient_authority, inf_ref, legal_basis, purpose,
             valid_from, largest_bytes, keep_days, alarm_hours, delete_days)
         VALUES ('{order}', 'GODKENDT', '{ours}', '{theirs}', '{KORSBAEK}', '{OTHER}', 'BILAG', 'l', 'f', '2026-01-01', 1000, 1, 1, 11)"
    ))
    .await
    .unwrap();
    let transfer = Uuid::from_u128(54);
    let later = (at(NOW) + SignedDuration::from_hours(24 * 400)).as_microsecond();
    let delivered = async |transfer: Uuid, name: &str| {
        kept.execute(&format!(
            "INSERT INTO transfer (id, sender, fingerprint, state, name, name_key, trigger_xml, received_us)
             VALUES ('{transfer}', '{ours}', 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'KLAR', '{name}', '{name}', {}, 1)",
            match kept.settings.at {
                At::Sqlite(_) => "x'61'",
                At::Postgres(_) => "'\\x61'::bytea",
            }
        ))
        .await
        .unwrap();
        kept.execute(&format!(
            "INSERT INTO file_delivery (transfer, recipient, file_order, state, delivered_us, alarm_us, delete_us)
             VALUES ('{transfer}', '{theirs}', '{order}', 'KLAR', 1, 2, {later})"
        ))
        .await
        .unwrap();
    };
    delivered(transfer, "a").await;
    let rule = Rule { inf_refs: vec!["BILAG".to_owned()], notice_months: 3, ..Rule::default() };
    let rules = Rules::new([(SERVICE, rule)].into());
    let proposed = ending::propose(&store, &held, None, &rules, at(NOW)).await.unwrap();
    assert_eq!((&proposed.files.orders, proposed.files.waiting), (&vec![order], 1));
    assert_eq!(
        proposed.files.keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(),
        ["FAG"],
        "the ledger's own key is not"
    );
    let text = proposed.text();
    for named in [order.to_string(), "FAG SHA256:AAAA".to_owned(), "filer efter ruteordrerne, der ikke er hentet".to_owned()] {
        assert!(text.contains(&named), "{named} in {text}");
    }
    // A file that comes while it is looked at makes no other list of it.
    delivered(Uuid::from_u128(55), "b").await;
    let with_another = ending::propose(&store, &held, None, &rules, at(NOW)).await.unwrap();
    assert_eq!(with_another.files.waiting, 2);
    assert_eq!((with_another.text(), &with_another), (text, &proposed));
    // Where the system has another agreement, its key stays; a request that nobody has answered needs none.
    let (_, others) = requested(&store, Content { authorities: vec![OTHER.parse().unwrap()], ..content() }).await;
    assert_eq!(ending::propose(&store, &held, None, &rules, at(NOW)).await.unwrap().files.keys.len(), 1);
    let another = decided(&store, &others[0], State::Approved, OTHERS_SIGNATORY).await.unwrap();
    assert!(ending::propose(&store, &held, None, &rules, at(NOW)).await.unwrap().files.keys.is_empty());
    let over = ending::propose(&store, &another, None, &Rules::default(), at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OTHERS_SIGNATORY)), &over, &because(NOW), None).await.unwrap();
    ending::end(&store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
    let stands = async || {
        let mut session = store.database().session().await.unwrap();
        let state = hjemmel::files::orders::with_id(&mut session, order).await.unwrap().state;
        let keys = hjemmel::files::users::keys(&mut session, ours).await.unwrap();
        let row = session.first(sql("SELECT delete_us FROM file_delivery WHERE transfer = $1").bind(transfer)).await.unwrap();
        let deleted: i64 = row.unwrap().get("delete_us").unwrap();
        (state, keys[0].disabled, deleted <= proposed.ends_at.as_microsecond())
    };
    life::look(&store, &rules, proposed.ends_at - SignedDuration::from_millis(1)).await.unwrap();
    assert_eq!(stands().await, (State::Approved, false, false), "until the notice is over");
    life::look(&store, &rules, proposed.ends_at).await.unwrap();
    assert_eq!(stands().await, (State::Terminated, true, true));
    let made = store.made_on(Subject::FileOrder, order).await.unwrap();
    assert_eq!(made.last().map(|made| (made.what.to.as_str(), made.user)), Some(("OPSAGT", None)));
    assert!(kept.execute("DELETE FROM agreement_closing").await.is_err());
}
