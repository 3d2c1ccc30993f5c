//! Connections in the store: what is seen of their tasks, what persons state, and for whom that counts.

use std::collections::BTreeSet;

use hjemmel::agreements::route::store::InTheWay;
use hjemmel::agreements::{Route, State as Agreed, Store, import::Import};
use hjemmel::audit::Subject;
use hjemmel::connection::consent;
use hjemmel::connection::decide::{self, Assigning, ConnectionError, New, Stating};
use hjemmel::connection::graph::Consenting;
use hjemmel::connection::reminders::{self, MOST_A_DAY};
use hjemmel::connection::shown::View;
use hjemmel::connection::standing::State;
use hjemmel::connection::store::{Connection, Wanted};
use hjemmel::decisions::{By, DecideError};
use hjemmel::notices::Kind as Letter;
use hjemmel::notices::address::Language;
use hjemmel::notices::outbox::{Waiting, jobs};
use hjemmel::refusal::api::ApiRefusal;
use hjemmel::store::{Query, sql};
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use hjemmel::users::{Scope, Whose};
use uuid::Uuid;

use crate::agreement_life::registered;
use crate::agreements::routes::{decision, route};
use crate::agreements::{FRONT, KORSBAEK_BACK, SERVICE, SYSTEM, agreement, both_sides, exttest};
use crate::decides::Decides;
use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

const KORSBAEK: &str = "11111111";
const OTHER: &str = "99999981";
/// Who runs the ledger, and who runs a client system.
const LEDGERS: &str = "99999998";
const COMPANY: &str = "99999991";
const LEDGER: Uuid = Uuid::from_u128(0x1ed6e6);

const OPERATOR: Key = Key::GatewayClient;
const OWNER: Key = Key::Korsbaek;
const OTHER_OWNER: Key = Key::OtherMunicipality;
const SIGNATORY: Key = Key::Udk;

on_both! {
    what_the_gateway_sees_is_done_without_a_word_and_falls_back_when_it_is_so_no_more;
    a_statement_counts_for_what_its_task_is_done_once_for_and_never_for_another_authority;
    what_both_authorities_must_state_is_done_when_both_have;
    only_who_does_a_task_states_it_when_it_is_ready_and_the_chain_gets_who_did;
    a_task_given_to_a_person_is_stated_by_whoever_acts_for_them_and_not_by_whoever_acts_for_another;
    a_connection_is_there_once_and_each_sees_its_own;
    what_was_stated_and_added_is_never_altered_or_deleted;
    files_and_mailboxes_are_seen_too;
    a_connection_names_its_adders_own_systems_and_the_receivers_side_agrees_before_it_is_shown;
    an_authority_is_not_shown_anothers_receiver_by_naming_it_as_its_own;
    what_was_seen_lost_after_it_was_stated_is_done_no_more;
    what_was_asked_for_and_never_approved_makes_no_system_ones_own;
    an_authority_that_a_company_names_unasked_shows_nothing_before_it_agrees;
    whoever_a_receiving_system_is_registered_as_sees_the_connection_and_agrees_though_nobody_named_it;
    a_task_is_given_to_somebody_by_whoever_it_belongs_to;
    a_party_adds_so_many_connections_and_no_more;
    an_operator_agrees_for_the_side_that_is_named_and_no_other;
    an_agreement_on_trial_is_no_consent_and_makes_no_system_ones_own;
    consent_by_agreement_stands_while_the_agreement_is_suspended_or_under_notice;
    each_sees_in_the_list_what_it_sees_by_itself_whatever_it_is_in_the_connection;
    who_has_not_agreed_is_asked_each_month_and_told_of_no_task;
    what_a_company_adds_gives_others_so_many_letters_a_day;
    a_day_that_is_over_is_told_of_before_what_others_only_add;
    what_both_authorities_state_each_gives_to_its_own_and_is_told_of;
    every_connection_is_read_however_few_are_read_at_once;
}

async fn house(kept: &Kept) -> Store {
    let store = Store::open(&kept.settings).await.unwrap();
    store
        .import(&Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap(), at("2026-01-02T00:00:00Z"))
        .await
        .unwrap();
    let people = [
        (OPERATOR, Role::Operator, None),
        (OWNER, Role::SystemOwner, Some(KORSBAEK)),
        (OTHER_OWNER, Role::SystemOwner, Some(OTHER)),
        (SIGNATORY, Role::Signatory, Some(KORSBAEK)),
    ];
    people::add(&store, &people).await;
    store
}

fn new(graph: &str, authority: &str, receiver_authority: &str, options: &[&str]) -> Connection {
    let new = New {
        graph: graph.to_owned(),
        service: SERVICE,
        environment: exttest(),
        authority: authority.parse().unwrap(),
        client: SYSTEM,
        client_supplier: None,
        receiver: ["sf1590a", "sftp"].contains(&graph).then_some(LEDGER),
        receiver_authority: Some(receiver_authority.parse().unwrap()),
        receiver_supplier: None,
        options: options.iter().map(|option| (*option).to_owned()).collect::<BTreeSet<_>>(),
    };
    new.connection(at(NOW)).unwrap()
}

async fn added(store: &Store, connection: Connection) -> Connection {
    decide::add(store, By::Key(&signer(OPERATOR)), &connection, &because(NOW), None).await.unwrap();
    connection
}

async fn view(store: &Store, connection: &Connection) -> View {
    store.connection_view(connection.id, at(NOW)).await.unwrap().unwrap()
}

async fn stands(store: &Store, connection: &Connection, task: &str) -> State {
    view(store, connection).await.find(task).unwrap().standing.state.clone()
}

async fn states(
    store: &Store,
    connection: &Connection,
    task: &str,
    party: Option<&str>,
    by: Key,
) -> Result<View, ConnectionError> {
    let party = party.map(|cvr| cvr.parse().unwrap());
    let stating = Stating { connection: connection.id, task: task.to_owned(), party, reference: Some("aftale 7".to_owned()) };
    decide::state(store, By::Key(&signer(by)), &stating, &because(NOW), None).await
}

async fn write(store: &Store, query: Query) {
    let mut transaction = store.database().begin_beside_others().await.unwrap();
    transaction.execute(query).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn what_the_gateway_sees_is_done_without_a_word_and_falls_back_when_it_is_so_no_more(kept: Kept) {
    let store = house(&kept).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, KORSBAEK, &["straks"])).await;
    for task in ["FM001", "FF100", "TF108", "TF109", "TF110", "TF111"] {
        assert_eq!(stands(&store, &connection, task).await, State::Seen, "{task}");
    }
    for task in ["FB200", "FB202", "FB205", "TB206"] {
        assert!(!stands(&store, &connection, task).await.is_done(), "{task}");
    }
    // Another authority's route does not carry this one's vouchers.
    let other = Route { receiver: Some(OTHER.parse().unwrap()), system: LEDGER, sender: None, ..route(1, "2026-01-01", None) };
    let own = Route {
        sender: Some(KORSBAEK.parse().unwrap()),
        receiver: Some(KORSBAEK.parse().unwrap()),
        system: LEDGER,
        ..route(2, "2026-11-01", Some("2026-12-01"))
    };
    store.add_routes(std::slice::from_ref(&other), InTheWay::Refuse, &decision(NOW)).await.unwrap();
    assert!(!stands(&store, &connection, "FB205").await.is_done());
    store.add_routes(std::slice::from_ref(&own), InTheWay::Refuse, &decision(NOW)).await.unwrap();
    let shown = view(&store, &connection).await;
    let of = |task: &str| shown.find(task).unwrap().standing.clone();
    assert_eq!((of("FB200").state, of("FB202").state, of("FB205").state), (State::Seen, State::Seen, State::Seen));
    assert_eq!(of("FB205").since, Some(at("2026-10-31T23:00:00Z")), "midnight in Copenhagen");
    // A day on which the route is over.
    let later = store.connection_view(connection.id, at("2026-12-02T12:00:00Z")).await.unwrap().unwrap();
    assert!(
        matches!(&later.find("FB205").unwrap().standing.state, State::FellBack { why, .. } if why.da() == "ruten er udløbet")
    );
    store.decide(FRONT, Agreed::Suspended, "underskriver", "sag 8", at("2026-11-29T11:00:00Z")).await.unwrap();
    let shown = view(&store, &connection).await;
    let front = &shown.find("TF109").unwrap().standing;
    assert!(matches!(&front.state, State::FellBack { why, .. } if why.en() == "the agreement is suspended"), "{front:?}");
    assert_eq!(shown.find("TF108").unwrap().standing.state, State::Seen, "it was requested all the same");
}

async fn a_statement_counts_for_what_its_task_is_done_once_for_and_never_for_another_authority(kept: Kept) {
    let store = house(&kept).await;
    let ledgers = |connection| Connection { receiver_supplier: Some(LEDGERS.parse().unwrap()), ..connection };
    let one = added(&store, ledgers(new("sf1590a", KORSBAEK, KORSBAEK, &["straks"]))).await;
    let other = added(&store, ledgers(new("sf1590a", OTHER, OTHER, &["straks"]))).await;
    states(&store, &one, "FB201", None, OWNER).await.unwrap();
    assert_eq!(stands(&store, &one, "FB201").await, State::Stated);
    assert_eq!(stands(&store, &other, "FB201").await, State::Ready, "one's contract never counts for another");
    states(&store, &one, "FB200", None, OPERATOR).await.unwrap();
    assert_eq!(stands(&store, &other, "FB200").await, State::Stated, "once a ledger");
    // Nor does what somebody states who need not in this connection.
    let strangers = Connection {
        receiver_supplier: Some(COMPANY.parse().unwrap()),
        client: Uuid::from_u128(8),
        ..new("sf1590a", OTHER, OTHER, &["straks"])
    };
    let strangers = added(&store, strangers).await;
    assert_eq!(stands(&store, &strangers, "FB200").await, State::Ready, "another company's word");
    let another_system = added(&store, Connection { client: Uuid::from_u128(9), id: Uuid::now_v7(), ..one.clone() }).await;
    assert_eq!(stands(&store, &another_system, "FB201").await, State::Stated, "once a ledger and authority");
    states(&store, &one, "FF101", None, OWNER).await.unwrap();
    assert_eq!(stands(&store, &another_system, "FF101").await, State::Ready, "once a connection");
}

async fn what_both_authorities_must_state_is_done_when_both_have(kept: Kept) {
    let store = house(&kept).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, OTHER, &["straks"])).await;
    for task in ["FM002", "FB200", "FB201", "FB202", "FB203", "FF101", "FB204"] {
        states(&store, &connection, task, None, OPERATOR).await.unwrap();
    }
    let waits = states(&store, &connection, "TF105", None, OWNER).await.unwrap_err().to_string();
    assert_eq!(waits, "TF105 waits for FF102", "both signatures of the agreement count");
    states(&store, &connection, "FF102", None, OWNER).await.unwrap();
    let unsaid = states(&store, &connection, "TF105", None, OPERATOR).await.unwrap_err().to_string();
    assert!(unsaid.contains("say for which of 11111111, 99999981"), "{unsaid}");
    let half = states(&store, &connection, "TF105", None, OWNER).await.unwrap();
    let task = half.find("TF105").unwrap();
    assert_eq!((&task.standing.state, &task.unstated), (&State::Ready, &[OTHER.parse().unwrap()].into()));
    assert!(states(&store, &connection, "TF105", None, OWNER).await.unwrap_err().to_string().contains("already"));
    let whole = states(&store, &connection, "TF105", None, OTHER_OWNER).await.unwrap();
    assert_eq!(whole.find("TF105").unwrap().standing.state, State::Stated);
}

async fn only_who_does_a_task_states_it_when_it_is_ready_and_the_chain_gets_who_did(kept: Kept) {
    let store = house(&kept).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, KORSBAEK, &["straks"])).await;
    let others = states(&store, &connection, "FB201", None, OTHER_OWNER).await.unwrap_err();
    assert!(matches!(others, ConnectionError::Decide(DecideError::Refused(ApiRefusal::ApiOtherParty))), "{others:?}");
    let role = states(&store, &connection, "FB201", None, SIGNATORY).await.unwrap_err().to_string();
    assert!(role.contains("stated by the system owner"), "{role}");
    let users = store.users().await.unwrap();
    let signatory = users.iter().find(|user| user.roles == [Role::Signatory]).unwrap().id;
    let given = |person| Assigning {
        connection: connection.id,
        task: "FB201".to_owned(),
        party: None,
        person: Some(person),
        due: None,
        wave: Some(1),
    };
    let stranger = users.iter().find(|user| user.party == Some(OTHER.parse().unwrap())).unwrap().id;
    assert!(decide::assign(&store, By::Key(&signer(OWNER)), &given(stranger), &because(NOW), None).await.is_err());
    decide::assign(&store, By::Key(&signer(OWNER)), &given(signatory), &because(NOW), None).await.unwrap();
    states(&store, &connection, "FB201", None, SIGNATORY).await.unwrap();
    let seen = states(&store, &connection, "TF109", None, OPERATOR).await.unwrap_err().to_string();
    assert!(seen.contains("sees by itself"), "{seen}");
    let waits = states(&store, &connection, "FB203", None, OPERATOR).await.unwrap_err().to_string();
    assert_eq!(waits, "FB203 waits for FB202");
    let waiting = store.claim_unrecorded(Uuid::new_v4(), at(NOW)).await.unwrap();
    let told = waiting.into_iter().map(|waiting| waiting.decided).filter(|decided| decided.subject == Subject::Connection);
    let told: Vec<_> = told.map(|decided| (decided.id, decided.to.to_string())).collect();
    let to = format!("FB201 assigned to {signatory} due - wave 1");
    assert_eq!(told, [(connection.id, "added".to_owned()), (connection.id, to), (connection.id, "FB201 stated".to_owned())]);
}

async fn a_task_given_to_a_person_is_stated_by_whoever_acts_for_them_and_not_by_whoever_acts_for_another(kept: Kept) {
    let store = house(&kept).await;
    let (own, lists) = (Key::PersonOperator, Key::PersonSupplier);
    let people = [(own, Role::SystemAdministrator, Some(KORSBAEK)), (lists, Role::SortimentAdministrator, Some(KORSBAEK))];
    people::add(&store, &people).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, KORSBAEK, &["straks"])).await;
    let id = async |key: Key| store.actor(signer(key).thumbprint(), None, at(NOW)).await.unwrap().user().id;
    let gives = async |from: Key, to: Key, role: Role| {
        let new = hjemmel::decisions::delegation::New {
            id: Uuid::now_v7(),
            substitute: id(to).await,
            role,
            services: Vec::new(),
            from: None,
            to: at("2026-12-24T00:00:00Z"),
        };
        let told = hjemmel::decisions::delegation::give(&store, By::Key(&signer(from)), &new, &because(NOW), None).await;
        told.unwrap().delegation.id
    };
    let states = async |by: Key, delegation: Uuid| {
        let stating =
            Stating { connection: connection.id, task: "FB201".to_owned(), party: None, reference: Some("sag 7".to_owned()) };
        let by = signer(by).by_delegation(Some(delegation));
        decide::state(&store, By::Key(&by), &stating, &because(NOW), None).await
    };
    let assign = async |person: Uuid| {
        let assigning = Assigning {
            connection: connection.id,
            task: "FB201".to_owned(),
            party: None,
            person: Some(person),
            due: None,
            wave: Some(1),
        };
        decide::assign(&store, By::Key(&signer(OWNER)), &assigning, &because(NOW), None).await.unwrap();
    };
    let (to_own, to_signatory) =
        (gives(lists, own, Role::SortimentAdministrator).await, gives(SIGNATORY, own, Role::Signatory).await);
    assign(id(own).await).await;
    for acts in [to_own, to_signatory] {
        assert!(states(own, acts).await.is_err(), "what was given to the substitute is not the principal's");
    }
    assign(id(SIGNATORY).await).await;
    assert!(states(own, to_own).await.is_err());
    states(own, to_signatory).await.unwrap();
}

async fn a_connection_is_there_once_and_each_sees_its_own(kept: Kept) {
    let store = house(&kept).await;
    let one = added(&store, new("terminaladgang", KORSBAEK, KORSBAEK, &[])).await;
    let company = Some("99999991".parse().unwrap());
    let other = Connection { client_supplier: company, ..new("terminaladgang", OTHER, OTHER, &[]) };
    let other = added(&store, other).await;
    let (by, twice, why) = (signer(OPERATOR), new("terminaladgang", KORSBAEK, KORSBAEK, &[]), because(NOW));
    let again = decide::add(&store, By::Key(&by), &twice, &why, None).await;
    assert!(again.unwrap_err().to_string().contains("is there already"));
    let wanted = Wanted { limit: 10, ..Wanted::default() };
    for (whose, expected) in [
        (Whose::Everybody, vec![one.id, other.id]),
        (Whose::Authority(KORSBAEK.parse().unwrap()), vec![one.id]),
        (Whose::Supplier("99999991".parse().unwrap()), vec![other.id]),
        (Whose::Supplier(KORSBAEK.parse().unwrap()), vec![]),
        (Whose::Nobody, vec![]),
    ] {
        let scope = Scope { whose, services: Vec::new() };
        let seen = store.connection_views(&wanted, &scope, at(NOW)).await.unwrap();
        assert_eq!(seen.iter().map(|view| view.connection.id).collect::<Vec<_>>(), expected, "{whose:?}");
    }
    decide::end(&store, By::Key(&signer(OPERATOR)), &one, &because(NOW), None).await.unwrap();
    added(&store, new("terminaladgang", KORSBAEK, KORSBAEK, &[])).await;
    assert!(states(&store, &one, "TA-INSTRUCTION", None, OWNER).await.unwrap_err().to_string().contains("has ended"));
}

async fn a_connection_names_its_adders_own_systems_and_the_receivers_side_agrees_before_it_is_shown(kept: Kept) {
    let store = house(&kept).await;
    let (supplier, ledgers, responsible) = (Key::PersonSupplier, Key::Intruder, Key::PersonOperator);
    people::add(
        &store,
        &[
            (supplier, Role::SupplierAdministrator, Some(COMPANY)),
            (ledgers, Role::SupplierAdministrator, Some(LEDGERS)),
            (responsible, Role::SystemResponsible, Some(OTHER)),
        ],
    )
    .await;
    let client = Uuid::from_u128(9);
    registered(&store, client, Key::IndexServer, COMPANY).await;
    registered(&store, LEDGER, Key::StsServer, LEDGERS).await;
    let company = |cvr: &str| Some(cvr.parse().unwrap());
    let own = |supplier: &str| Connection {
        client,
        client_supplier: company(supplier),
        ..new("sf1590a", KORSBAEK, OTHER, &["straks"])
    };
    let adds = async |key: Key, connection: &Connection| {
        decide::add(&store, By::Key(&signer(key)), connection, &because(NOW), None).await.map_err(|error| error.to_string())
    };
    let anothers = adds(ledgers, &own(LEDGERS)).await.unwrap_err();
    assert!(anothers.contains("not registered as yours"), "{anothers}");
    let receivers = Connection { receiver_supplier: company(COMPANY), ..own(COMPANY) };
    let named = adds(supplier, &receivers).await.unwrap_err();
    assert!(named.contains("named by the receiver's side"), "{named}");
    let connection = Connection { receiver_supplier: company(LEDGERS), ..own(COMPANY) };
    adds(supplier, &connection).await.unwrap();
    // Of the receiver's nothing is shown or stated before its side agrees, whatever was stated elsewhere.
    let agreed = Connection { receiver_supplier: company(LEDGERS), ..new("sf1590a", KORSBAEK, OTHER, &["straks"]) };
    let agreed = added(&store, agreed).await;
    states(&store, &agreed, "FB200", None, ledgers).await.unwrap();
    assert_eq!(view(&store, &connection).await.find("FB200").unwrap().statements.len(), 0);
    let unasked = states(&store, &connection, "FB200", None, ledgers).await.unwrap_err().to_string();
    assert!(unasked.contains("has not agreed"), "{unasked}");
    let consents = async |key: Key| {
        let known = store.connection(connection.id, at(NOW)).await.unwrap().unwrap();
        consent::consent(&store, By::Key(&signer(key)), (&known, None), &because(NOW), None).await
    };
    let itself = consents(supplier).await.unwrap_err();
    assert!(matches!(itself, ConnectionError::Decide(DecideError::Refused(ApiRefusal::ApiOtherParty))), "{itself:?}");
    let not_its_system = consents(responsible).await.unwrap_err().to_string();
    assert!(not_its_system.contains("another's"), "{not_its_system}");
    consents(ledgers).await.unwrap();
    assert_eq!(stands(&store, &connection, "FB200").await, State::Stated);
    assert!(consents(ledgers).await.unwrap_err().to_string().contains("agreed to already"));
}

async fn an_authority_is_not_shown_anothers_receiver_by_naming_it_as_its_own(kept: Kept) {
    let store = house(&kept).await;
    let (ledgers, responsible) = (Key::Intruder, Key::PersonOperator);
    people::add(
        &store,
        &[(ledgers, Role::SupplierAdministrator, Some(LEDGERS)), (responsible, Role::SystemResponsible, Some(KORSBAEK))],
    )
    .await;
    registered(&store, LEDGER, Key::StsServer, LEDGERS).await;
    // A route of its own to that system, which its own people write alone, does not make the system its own.
    let own = Route { receiver: Some(KORSBAEK.parse().unwrap()), system: LEDGER, sender: None, ..route(1, "2026-01-01", None) };
    store.add_routes(std::slice::from_ref(&own), InTheWay::Refuse, &decision(NOW)).await.unwrap();
    let named = Connection { receiver_supplier: Some(LEDGERS.parse().unwrap()), ..new("sf1590a", KORSBAEK, KORSBAEK, &[]) };
    decide::add(&store, By::Key(&signer(responsible)), &named, &because(NOW), None).await.unwrap();
    let known = async || store.connection(named.id, at(NOW)).await.unwrap().unwrap();
    let consents =
        async |key: Key| consent::consent(&store, By::Key(&signer(key)), (&known().await, None), &because(NOW), None).await;
    assert_eq!(known().await.consented, None);
    assert!(consents(responsible).await.unwrap_err().to_string().contains("another's"));
    // An agreement of its own that names it does: by that the holder has shown whom it serves.
    let agreed = both_sides().replace(&SYSTEM.to_string(), &LEDGER.to_string()).replace("exttest", "prod");
    let again = agreed.replace(&FRONT.to_string(), &Uuid::from_u128(71).to_string());
    let again = again.replace(&KORSBAEK_BACK.to_string(), &Uuid::from_u128(72).to_string());
    store.import(&Import::parse(&again, &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
    consents(responsible).await.unwrap();
    assert!(known().await.consented.is_some());
}

/// A system of a company's, and a connection of it that the company adds and names the authority in.
async fn named_unasked(store: &Store, graph: &str) -> Connection {
    let (client, supplier) = (Uuid::from_u128(9), Key::PersonSupplier);
    people::add(
        store,
        &[(supplier, Role::SupplierAdministrator, Some(COMPANY)), (Key::PersonOperator, Role::SystemResponsible, Some(KORSBAEK))],
    )
    .await;
    registered(store, client, Key::IndexServer, COMPANY).await;
    let options: &[&str] = if graph == "sf1590a" { &["straks"] } else { &[] };
    let unasked =
        Connection { client, client_supplier: Some(COMPANY.parse().unwrap()), ..new(graph, KORSBAEK, KORSBAEK, options) };
    decide::add(store, By::Key(&signer(supplier)), &unasked, &because(NOW), None).await.unwrap()
}

async fn agrees(store: &Store, id: Uuid, by: Key, side: Option<Consenting>) -> Result<Connection, String> {
    let known = store.connection(id, at(NOW)).await.unwrap().unwrap();
    let agreed = consent::consent(store, By::Key(&signer(by)), (&known, side), &because(NOW), None).await;
    agreed.map_err(|error| error.to_string())
}

/// A decision as a release of before, or another door, wrote it.
async fn decided(store: &Store, on: (&str, Uuid), from: &str, to: &str, by: (Option<&str>, &str)) {
    let decided = sql("INSERT INTO decision (id, subject, subject_id, from_state, to_state, party, role, reason, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'sag 7', $8)");
    let decided = decided.bind(Uuid::now_v7()).bind(on.0.to_owned()).bind(on.1).bind(from.to_owned()).bind(to.to_owned());
    write(store, decided.bind(by.0.map(str::to_owned)).bind(by.1.to_owned()).bind(at(NOW))).await;
}

async fn an_operator_agrees_for_the_side_that_is_named_and_no_other(kept: Kept) {
    let store = house(&kept).await;
    let unasked = named_unasked(&store, "sf1590a").await;
    assert_eq!(unasked.awaits(), [Consenting::Authority, Consenting::Receiver].into());
    let unsaid = agrees(&store, unasked.id, OPERATOR, None).await.unwrap_err();
    assert!(unsaid.contains("for which side"), "{unsaid}");
    let agreed = agrees(&store, unasked.id, OPERATOR, Some(Consenting::Receiver)).await.unwrap();
    assert_eq!(agreed.awaits(), [Consenting::Authority].into());
    assert_eq!(stands(&store, &unasked, "FM002").await, State::KeptBack([Consenting::Authority].into()));
    // What operators wrote before they said for which side was for the receiver.
    decided(&store, ("connection", unasked.id), "added", "consented", (None, "operator")).await;
    assert_eq!(store.connection(unasked.id, at(NOW)).await.unwrap().unwrap().authority_consented, None);
    let company = agrees(&store, unasked.id, Key::PersonSupplier, Some(Consenting::Authority)).await.unwrap_err();
    assert_eq!(company, DecideError::from(ApiRefusal::ApiOtherParty).to_string());
    let agreed = agrees(&store, unasked.id, OPERATOR, Some(Consenting::Authority)).await.unwrap();
    assert_eq!(agreed.awaits(), BTreeSet::new());
    let made = store.made_on(Subject::Connection, unasked.id).await.unwrap();
    let made: Vec<_> = made.iter().map(|made| made.what.to.as_str()).collect();
    assert_eq!(made, ["added", "consented for receiver", "consented", "consented for authority"]);
    // The authority's own word of before counts.
    let another = Connection { id: Uuid::now_v7(), receiver: Some(Uuid::from_u128(77)), ..unasked.clone() };
    let another = decide::add(&store, By::Key(&signer(Key::PersonSupplier)), &another, &because(NOW), None).await.unwrap();
    decided(&store, ("connection", another.id), "added", "consented", (Some(KORSBAEK), "system-responsible")).await;
    assert!(store.connection(another.id, at(NOW)).await.unwrap().unwrap().authority_consented.is_some());
}

async fn an_agreement_on_trial_is_no_consent_and_makes_no_system_ones_own(kept: Kept) {
    let store = house(&kept).await;
    let unasked = named_unasked(&store, "terminaladgang").await;
    agreed(&store, 120, "front", KORSBAEK, unasked.client, "GODKENDT").await;
    agreed(&store, 121, "front", KORSBAEK, Uuid::from_u128(13), "GODKENDT").await;
    let lines = [120, 121].map(Uuid::from_u128);
    for line in lines {
        decided(&store, ("agreement", line), "ANMODET", "GODKENDT", (Some(COMPANY), "supplier-administrator")).await;
    }
    let named = Connection { client: Uuid::from_u128(13), ..new("terminaladgang", KORSBAEK, KORSBAEK, &[]) };
    let adds = async || decide::add(&store, By::Key(&signer(Key::PersonOperator)), &named, &because(NOW), None).await;
    let kept_back = State::KeptBack([Consenting::Authority].into());
    assert_eq!(stands(&store, &unasked, "TA-USERS").await, kept_back, "its asker alone approved it");
    assert!(adds().await.unwrap_err().to_string().contains("none of your approved agreements"));
    for line in lines {
        decided(&store, ("agreement", line), "ANMODET", "GODKENDT", (Some(KORSBAEK), "signatory")).await;
    }
    assert_eq!(stands(&store, &unasked, "TA-USERS").await, State::Seen);
    adds().await.unwrap();
}

async fn consent_by_agreement_stands_while_the_agreement_is_suspended_or_under_notice(kept: Kept) {
    let store = house(&kept).await;
    let unasked = named_unasked(&store, "terminaladgang").await;
    agreed(&store, 120, "front", KORSBAEK, unasked.client, "GODKENDT").await;
    let line = Uuid::from_u128(120);
    assert_eq!(stands(&store, &unasked, "TA-USERS").await, State::Seen);
    store.decide(line, Agreed::Suspended, "underskriver", "sag 8", at("2026-11-29T11:00:00Z")).await.unwrap();
    assert_eq!(stands(&store, &unasked, "TA-USERS").await, State::Seen, "suspended");
    let ends = at("2026-12-01T00:00:00Z");
    let notice = sql("UPDATE agreement SET state = 'OPSAGT', ends_at = $1 WHERE id = $2").bind(ends).bind(line);
    write(&store, notice).await;
    assert_eq!(stands(&store, &unasked, "TA-USERS").await, State::Seen, "under notice");
    let over = store.connection(unasked.id, ends).await.unwrap().unwrap();
    assert_eq!(over.awaits(), [Consenting::Authority].into(), "over");
}

async fn each_sees_in_the_list_what_it_sees_by_itself_whatever_it_is_in_the_connection(kept: Kept) {
    let store = house(&kept).await;
    let cvr = |text: &str| Some(text.parse().unwrap());
    // An authority that runs the client system for another, and one that runs the receiver.
    let runs = Connection { client_supplier: cvr(OTHER), ..new("sf1590a", KORSBAEK, KORSBAEK, &[]) };
    let ledger =
        Connection { receiver_supplier: cvr(OTHER), client: Uuid::from_u128(8), ..new("sf1590a", KORSBAEK, KORSBAEK, &[]) };
    let companies = Connection {
        client_supplier: cvr(COMPANY),
        receiver_supplier: cvr(LEDGERS),
        client: Uuid::from_u128(9),
        ..new("sf1590a", KORSBAEK, KORSBAEK, &[])
    };
    let mut all = Vec::new();
    for connection in [runs, ledger, companies] {
        all.push(added(&store, connection).await);
    }
    let of = |text: &str| text.parse().unwrap();
    for (whose, count) in [
        (Whose::Authority(of(KORSBAEK)), 3),
        (Whose::Authority(of(OTHER)), 2),
        (Whose::Supplier(of(COMPANY)), 1),
        (Whose::Supplier(of(LEDGERS)), 1),
    ] {
        let scope = Scope { whose, services: Vec::new() };
        let wanted = Wanted { limit: 10, ..Wanted::default() };
        let listed: Vec<_> = store.connections(&wanted, &scope, at(NOW)).await.unwrap().iter().map(|one| one.id).collect();
        let seen: Vec<_> = all.iter().filter(|one| one.is_seen_by(&scope)).map(|one| one.id).collect();
        assert_eq!((listed.len(), &listed), (count, &seen), "{whose:?}");
    }
}

/// Everybody has an address, which is their role and party.
async fn reached(store: &Store) {
    let users = store.users().await.unwrap();
    let mut change = store.change().await.unwrap();
    for user in users {
        let address = format!("{}-{}@example.dk", user.name, user.party.map_or("0".to_owned(), |cvr| cvr.to_string()));
        change.set_address(user.id, Some((&address, Language::Da)), at(NOW)).await.unwrap();
    }
    change.commit().await.unwrap();
}

/// To whom the letters that wait go, and what they tell.
async fn letters(store: &Store) -> Vec<(String, Letter)> {
    let jobs = jobs(store.database());
    let mut letters = Vec::new();
    loop {
        let taken = jobs.take(100).await.unwrap();
        if taken.is_empty() {
            letters.sort();
            return letters;
        }
        for taken in taken {
            let waiting: Waiting = serde_json::from_slice(&taken.payload).unwrap();
            letters.push((waiting.to, waiting.notice.kind));
            jobs.done(&taken).await.unwrap();
        }
    }
}

async fn who_has_not_agreed_is_asked_each_month_and_told_of_no_task(kept: Kept) {
    let store = house(&kept).await;
    let unasked = named_unasked(&store, "oedup").await;
    reached(&store).await;
    let to_authority = format!("system-responsible-{KORSBAEK}@example.dk");
    reminders::send(&store, at(NOW)).await.unwrap();
    let asked = |letters: Vec<(String, Letter)>| letters.into_iter().filter(|(to, _)| to.contains(KORSBAEK)).collect::<Vec<_>>();
    assert_eq!(asked(letters(&store).await), [(to_authority.clone(), Letter::ConnectionAsked)]);
    let shown = view(&store, &unasked).await;
    assert!(shown.next().is_empty() && !shown.is_finished(), "nobody's turn");
    // Neither a later round, nor the same one ended and added anew, asks again.
    reminders::send(&store, at("2026-12-20T12:00:00Z")).await.unwrap();
    let supplier = signer(Key::PersonSupplier);
    decide::end(&store, By::Key(&supplier), &unasked, &because(NOW), None).await.unwrap();
    let anew = Connection { id: Uuid::now_v7(), ..unasked.clone() };
    decide::add(&store, By::Key(&supplier), &anew, &because(NOW), None).await.unwrap();
    reminders::send(&store, at(NOW)).await.unwrap();
    assert_eq!(asked(letters(&store).await), Vec::new());
    for again in [vec![(to_authority, Letter::ConnectionAsked)], Vec::new()] {
        reminders::send(&store, at("2026-12-29T12:00:00Z")).await.unwrap();
        assert_eq!(asked(letters(&store).await), again, "after a month, once");
    }
    agrees(&store, anew.id, Key::PersonOperator, None).await.unwrap();
    reminders::send(&store, at(NOW)).await.unwrap();
    assert_eq!(asked(letters(&store).await), [(format!("signatory-{KORSBAEK}@example.dk"), Letter::TaskNext)]);
}

/// Adds a connection like the first, of another system of the company's.
async fn added_by_company(store: &Store, first: &Connection, number: u128) -> Connection {
    let client = Uuid::from_u128(1000 + number);
    let mut change = store.change().await.unwrap();
    let (name, contact) = ("Fagsystem A".to_owned(), "drift@leverandor.example".to_owned());
    let party = Some(COMPANY.parse().unwrap());
    let system = hjemmel::agreements::system::System { id: client, party, name, contact, made_at: at(NOW), changed_at: at(NOW) };
    change.write_system(&system).await.unwrap();
    change.commit().await.unwrap();
    let connection = Connection { id: Uuid::now_v7(), client, ..first.clone() };
    let supplier = signer(Key::PersonSupplier);
    decide::add(store, By::Key(&supplier), &connection, &because(NOW), None).await.unwrap();
    connection
}

async fn what_a_company_adds_gives_others_so_many_letters_a_day(kept: Kept) {
    let store = house(&kept).await;
    let first = named_unasked(&store, "terminaladgang").await;
    reached(&store).await;
    for number in 0..=u128::from(MOST_A_DAY) {
        added_by_company(&store, &first, number).await;
    }
    let asked = async |now: &str| {
        reminders::send(&store, at(now)).await.unwrap();
        letters(&store).await.into_iter().filter(|(_, kind)| *kind == Letter::ConnectionAsked).count()
    };
    let most = usize::try_from(MOST_A_DAY).unwrap();
    assert_eq!((asked(NOW).await, asked(NOW).await), (most, 0));
    assert_eq!(asked("2026-11-30T12:00:00Z").await, 2, "the rest is asked the next day");
}

async fn a_day_that_is_over_is_told_of_before_what_others_only_add(kept: Kept) {
    let store = house(&kept).await;
    let first = named_unasked(&store, "oedup").await;
    reached(&store).await;
    let many = u128::from(MOST_A_DAY) + 1;
    for number in 0..many {
        let connection = added_by_company(&store, &first, number).await;
        if number + 1 == many {
            // The last of them is the one that the authority is in, with a task whose day is over.
            let agreed = agrees(&store, connection.id, Key::PersonOperator, None).await.unwrap();
            let view = view(&store, &agreed).await;
            let task = view.next().into_iter().find(|next| next.whose == KORSBAEK.parse().unwrap()).unwrap().task.id.to_string();
            let assigning = Assigning {
                connection: agreed.id,
                task,
                party: Some(KORSBAEK.parse().unwrap()),
                person: None,
                due: Some("2026-11-20".parse().unwrap()),
                wave: None,
            };
            decide::assign(&store, By::Key(&signer(OPERATOR)), &assigning, &because(NOW), None).await.unwrap();
        }
    }
    reminders::send(&store, at(NOW)).await.unwrap();
    let to_authority: Vec<_> = letters(&store).await.into_iter().filter(|(to, _)| to.contains(KORSBAEK)).collect();
    assert_eq!(to_authority.iter().filter(|(_, kind)| *kind == Letter::TaskWaits).count(), 1, "{to_authority:?}");
    assert_eq!(to_authority.len(), usize::try_from(MOST_A_DAY).unwrap(), "no more of them all than the day's places");
}

async fn what_both_authorities_state_each_gives_to_its_own_and_is_told_of(kept: Kept) {
    let store = house(&kept).await;
    let (own, others) = (Key::PersonOperator, Key::PersonSupplier);
    let people = [(own, Role::SystemAdministrator, Some(KORSBAEK)), (others, Role::SystemAdministrator, Some(OTHER))];
    people::add(&store, &people).await;
    reached(&store).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, OTHER, &["straks"])).await;
    for task in ["FM002", "FB200", "FB201", "FB202", "FB203", "FF101", "FB204", "FF102"] {
        states(&store, &connection, task, None, OPERATOR).await.unwrap();
    }
    let of_both = async || {
        reminders::send(&store, at(NOW)).await.unwrap();
        let jobs = jobs(store.database());
        let mut told = BTreeSet::new();
        for taken in jobs.take(100).await.unwrap() {
            let waiting: Waiting = serde_json::from_slice(&taken.payload).unwrap();
            jobs.done(&taken).await.unwrap();
            if waiting.notice.name.starts_with("TF105") {
                told.insert(waiting.to);
            }
        }
        told
    };
    let both = [KORSBAEK, OTHER].map(|party| format!("system-administrator-{party}@example.dk"));
    assert_eq!(of_both().await, both.clone().into());
    let half = states(&store, &connection, "TF105", None, own).await.unwrap();
    let shown = half.find("TF105").unwrap();
    assert_eq!(shown.whose, OTHER.parse().unwrap(), "whose turn it is");
    assert!(half.next().iter().any(|next| next.task.id == "TF105" && next.whose == shown.whose));
    assert_eq!(of_both().await, BTreeSet::new(), "each is told once");
    let users = store.users().await.unwrap();
    let person = users.iter().find(|user| user.party == Some(KORSBAEK.parse().unwrap())).unwrap().id;
    let by_operator = |party: Option<&str>, person: Option<Uuid>| Assigning {
        connection: connection.id,
        task: "TF105".to_owned(),
        party: party.map(|cvr| cvr.parse().unwrap()),
        person,
        due: None,
        wave: Some(2),
    };
    let gives =
        async |assigning: &Assigning| decide::assign(&store, By::Key(&signer(OPERATOR)), assigning, &because(NOW), None).await;
    let unsaid = gives(&by_operator(None, None)).await.unwrap_err().to_string();
    assert!(unsaid.contains("say which of 11111111, 99999981 gives it"), "{unsaid}");
    assert!(gives(&by_operator(Some(OTHER), Some(person))).await.is_err(), "another's");
    let given = gives(&by_operator(None, Some(person))).await.unwrap();
    assert_eq!(given.find("TF105").unwrap().given_by(KORSBAEK.parse().unwrap()).person, Some(person));
    gives(&by_operator(Some(OTHER), None)).await.unwrap();
    // What was given before each had its own is its party's.
    let before = sql("INSERT INTO connection_task (connection, task, person, due, wave) VALUES ($1, $2, $3, NULL, 7)");
    write(&store, before.clone().bind(connection.id).bind("TF106".to_owned()).bind(person)).await;
    write(&store, before.bind(connection.id).bind("TF105".to_owned()).bind(person)).await;
    let shown = view(&store, &connection).await;
    let waves = |task: &str| {
        let of = |party: &str| shown.find(task).unwrap().given_by(party.parse().unwrap()).wave;
        (of(KORSBAEK), of(OTHER))
    };
    assert_eq!((waves("TF106"), waves("TF105")), ((Some(7), None), (Some(2), Some(2))));
}

async fn every_connection_is_read_however_few_are_read_at_once(kept: Kept) {
    let store = house(&kept).await;
    let mut all = Vec::new();
    for number in 20..23 {
        let one = Connection { client: Uuid::from_u128(number), ..new("terminaladgang", KORSBAEK, KORSBAEK, &[]) };
        all.push(added(&store, one).await.id);
    }
    let scope = Scope { whose: Whose::Everybody, services: Vec::new() };
    for limit in 1..=4 {
        let read = store.every_connection(&Wanted { limit, ..Wanted::default() }, &scope, at(NOW)).await.unwrap();
        assert_eq!(read.iter().map(|one| one.id).collect::<Vec<_>>(), all, "{limit} at once");
    }
}

/// An agreement about a system that stands in no register.
async fn agreed(store: &Store, id: u128, side: &str, authority: &str, system: Uuid, state: &str) {
    let text = agreement(Uuid::from_u128(id), side, authority, state, "2026-01-01", "2027-01-01");
    let text = text.replace(&SYSTEM.to_string(), &system.to_string());
    store.import(&Import::parse(&text, &hjemmel::services::vocabulary()).unwrap(), at(NOW)).await.unwrap();
}

async fn what_was_asked_for_and_never_approved_makes_no_system_ones_own(kept: Kept) {
    let store = house(&kept).await;
    let responsible = Key::PersonOperator;
    people::add(&store, &[(responsible, Role::SystemResponsible, Some(KORSBAEK))]).await;
    let adds = async |connection: &Connection| {
        decide::add(&store, By::Key(&signer(responsible)), connection, &because(NOW), None)
            .await
            .map_err(|error| error.to_string())
    };
    let consented = async |receiver: Uuid| {
        let connection = Connection { receiver: Some(receiver), ..new("sf1590a", KORSBAEK, KORSBAEK, &[]) };
        adds(&connection).await.unwrap();
        let known = store.connection(connection.id, at(NOW)).await.unwrap().unwrap();
        let asked = consent::consent(&store, By::Key(&signer(responsible)), (&known, None), &because(NOW), None).await;
        assert_eq!(known.consented.is_none(), asked.unwrap_err().to_string().contains("another's"));
        known.consented.is_some()
    };
    for (number, state) in ["ANMODET", "AFVIST", "TRUKKET"].into_iter().enumerate() {
        let (id, system) = (100 + number as u128, Uuid::from_u128(200 + number as u128));
        agreed(&store, id, "back", KORSBAEK, system, state).await;
        assert!(!consented(system).await, "{state}");
        let client = Connection { client: system, ..new("sf1590a", KORSBAEK, KORSBAEK, &[]) };
        assert!(adds(&client).await.unwrap_err().contains("none of your approved agreements"), "{state}");
    }
    let (own, others) = (Uuid::from_u128(210), Uuid::from_u128(211));
    agreed(&store, 110, "back", KORSBAEK, own, "GODKENDT").await;
    assert!(consented(own).await, "an approved one does");
    agreed(&store, 111, "back", KORSBAEK, others, "GODKENDT").await;
    agreed(&store, 112, "back", OTHER, others, "GODKENDT").await;
    assert!(!consented(others).await, "whose it is, where it is another's too, the operators know");
    let client = Connection { client: own, ..new("sf1590a", KORSBAEK, KORSBAEK, &[]) };
    assert!(adds(&client).await.unwrap_err().contains("none of your approved agreements"), "on the back anything is asked for");
}

async fn an_authority_that_a_company_names_unasked_shows_nothing_before_it_agrees(kept: Kept) {
    let store = house(&kept).await;
    let (supplier, responsible) = (Key::PersonSupplier, Key::PersonOperator);
    people::add(
        &store,
        &[(supplier, Role::SupplierAdministrator, Some(COMPANY)), (responsible, Role::SystemResponsible, Some(KORSBAEK))],
    )
    .await;
    let told = added(&store, new("sf1590a", KORSBAEK, KORSBAEK, &["straks"])).await;
    states(&store, &told, "FM002", None, OPERATOR).await.unwrap();
    let client = Uuid::from_u128(9);
    registered(&store, client, Key::IndexServer, COMPANY).await;
    let of = |graph: &str| Connection {
        client,
        client_supplier: Some(COMPANY.parse().unwrap()),
        ..new(graph, KORSBAEK, KORSBAEK, &[])
    };
    let (unasked, mailbox) = (of("sf1590a"), of("oedup"));
    for connection in [&unasked, &mailbox] {
        decide::add(&store, By::Key(&signer(supplier)), connection, &because(NOW), None).await.unwrap();
    }
    let partner = sql("INSERT INTO mailbox (id, number, environment, owner, state, legal_basis, purpose, email, phone, since_us)
         VALUES ($1, 'PA00001', 'exttest', $2, 'AKTIV', 'lov', 'prøve', 'x@example.dk', '1', $3)");
    let since = at("2026-11-29T09:00:00Z").as_microsecond();
    write(&store, partner.bind(Uuid::from_u128(5)).bind(KORSBAEK).bind(since)).await;
    for (connection, task) in
        [(&unasked, "FM001"), (&unasked, "FM002"), (&unasked, "TF110"), (&unasked, "TF111"), (&mailbox, "OE-AGREEMENT")]
    {
        let shown = view(&store, connection).await;
        let shown = shown.find(task).unwrap();
        assert!(!shown.standing.state.is_done() && shown.statements.is_empty(), "{task}: {:?}", shown.standing);
    }
    let early = states(&store, &unasked, "FM002", None, OPERATOR).await.unwrap_err().to_string();
    assert!(early.contains("the authority's, which has not agreed"), "{early}");
    for connection in [&unasked, &mailbox] {
        let known = store.connection(connection.id, at(NOW)).await.unwrap().unwrap();
        let itself = consent::consent(&store, By::Key(&signer(supplier)), (&known, None), &because(NOW), None).await.unwrap_err();
        assert!(matches!(itself, ConnectionError::Decide(DecideError::Refused(ApiRefusal::ApiOtherParty))), "{itself:?}");
        let agreed = consent::consent(&store, By::Key(&signer(responsible)), (&known, None), &because(NOW), None).await.unwrap();
        assert!(agreed.authority_consented.is_some());
    }
    for (connection, task, state) in [(&unasked, "FM002", State::Stated), (&mailbox, "OE-AGREEMENT", State::Seen)] {
        assert_eq!(stands(&store, connection, task).await, state, "{task}");
    }
    // An agreement of the authority's for the client system says the same.
    let asked = Connection { client: Uuid::from_u128(12), ..of("terminaladgang") };
    registered(&store, asked.client, Key::StsServer, COMPANY).await;
    decide::add(&store, By::Key(&signer(supplier)), &asked, &because(NOW), None).await.unwrap();
    assert!(!stands(&store, &asked, "TA-USERS").await.is_done());
    agreed(&store, 120, "front", KORSBAEK, asked.client, "GODKENDT").await;
    assert_eq!(stands(&store, &asked, "TA-USERS").await, State::Seen);
}

async fn whoever_a_receiving_system_is_registered_as_sees_the_connection_and_agrees_though_nobody_named_it(kept: Kept) {
    let store = house(&kept).await;
    let (ledgers, responsible) = (Key::Intruder, Key::PersonOperator);
    people::add(
        &store,
        &[(ledgers, Role::SupplierAdministrator, Some(LEDGERS)), (responsible, Role::SystemResponsible, Some(KORSBAEK))],
    )
    .await;
    registered(&store, LEDGER, Key::StsServer, LEDGERS).await;
    let unnamed = new("sf1590a", KORSBAEK, KORSBAEK, &[]);
    decide::add(&store, By::Key(&signer(responsible)), &unnamed, &because(NOW), None).await.unwrap();
    let known = store.connection(unnamed.id, at(NOW)).await.unwrap().unwrap();
    assert_eq!(known.receiver_supplier, Some(LEDGERS.parse().unwrap()));
    let may = async |key: Key| {
        let actor = store.actor(signer(key).thumbprint(), None, at(NOW)).await.unwrap();
        !consent::may_consent(&store, &actor, &known, at(NOW)).await.unwrap().is_empty()
    };
    assert_eq!((may(ledgers).await, may(responsible).await), (true, false), "no form that is always refused");
    consent::consent(&store, By::Key(&signer(ledgers)), (&known, None), &because(NOW), None).await.unwrap();
}

async fn a_task_is_given_to_somebody_by_whoever_it_belongs_to(kept: Kept) {
    let store = house(&kept).await;
    let (responsible, others) = (Key::PersonOperator, Key::PersonSupplier);
    let people = [(responsible, Role::SystemResponsible, Some(KORSBAEK)), (others, Role::SystemResponsible, Some(OTHER))];
    people::add(&store, &people).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, OTHER, &["straks"])).await;
    let users = store.users().await.unwrap();
    let user = |party: &str| users.iter().find(|user| user.party == Some(party.parse().unwrap())).unwrap().id;
    let gives = async |key: Key, task: &str, party: &str| {
        let assigning = Assigning {
            connection: connection.id,
            task: task.to_owned(),
            party: None,
            person: Some(user(party)),
            due: None,
            wave: None,
        };
        decide::assign(&store, By::Key(&signer(key)), &assigning, &because(NOW), None).await
    };
    let taken = gives(responsible, "FB201", KORSBAEK).await.unwrap_err();
    assert!(matches!(taken, ConnectionError::Decide(DecideError::Refused(ApiRefusal::ApiOtherParty))), "{taken:?}");
    let strangers = gives(others, "FB201", KORSBAEK).await.unwrap_err().to_string();
    assert!(strangers.contains("whoever it belongs to"), "{strangers}");
    gives(others, "FB201", OTHER).await.unwrap();
    gives(others, "TF105", OTHER).await.unwrap();
    assert!(gives(others, "TF105", KORSBAEK).await.is_err(), "both state it, and each gives it to its own");
    gives(responsible, "TF105", KORSBAEK).await.unwrap();
    let shown = view(&store, &connection).await;
    let given: Vec<_> = shown.find("TF105").unwrap().given.iter().map(|(party, given)| (*party, given.person)).collect();
    let of = |party: &str| (party.parse().unwrap(), Some(user(party)));
    assert_eq!(given, [of(KORSBAEK), of(OTHER)], "neither takes away what the other gave");
    // Before the receiver has agreed nobody gives away what is its.
    let offered = Connection { client: Uuid::from_u128(9), ..new("sf1590a", KORSBAEK, OTHER, &[]) };
    registered(&store, offered.client, Key::IndexServer, KORSBAEK).await;
    decide::add(&store, By::Key(&signer(responsible)), &offered, &because(NOW), None).await.unwrap();
    let early =
        Assigning { connection: offered.id, task: "FB201".to_owned(), party: None, person: None, due: None, wave: Some(1) };
    let early = decide::assign(&store, By::Key(&signer(others)), &early, &because(NOW), None).await.unwrap_err().to_string();
    assert!(early.contains("has not agreed"), "{early}");
}

async fn a_party_adds_so_many_connections_and_no_more(kept: Kept) {
    let store = house(&kept).await;
    let supplier = Key::PersonSupplier;
    people::add(&store, &[(supplier, Role::SupplierAdministrator, Some(COMPANY))]).await;
    let client = Uuid::from_u128(9);
    registered(&store, client, Key::IndexServer, COMPANY).await;
    let of = || Connection {
        client,
        client_supplier: Some(COMPANY.parse().unwrap()),
        receiver: Some(Uuid::new_v4()),
        ..new("sf1590a", KORSBAEK, KORSBAEK, &[])
    };
    let adds = async |connection: &Connection| {
        decide::add(&store, By::Key(&signer(supplier)), connection, &because(NOW), None).await.map_err(|error| error.to_string())
    };
    let first = of();
    adds(&first).await.unwrap();
    let mut transaction = store.database().begin_beside_others().await.unwrap();
    for _ in 1..decide::MOST_OF_A_PARTY {
        let id = Uuid::now_v7();
        let connection =
            sql("INSERT INTO connection (id, graph, service, environment, authority, client, receiver, receiver_authority,
                 options, added_at)
             VALUES ($1, 'sf1590a', $2, 'exttest', $3, $4, $5, $3, '', $6)");
        let connection = connection.bind(id).bind(SERVICE).bind(KORSBAEK).bind(client).bind(Uuid::new_v4()).bind(at(NOW));
        transaction.execute(connection).await.unwrap();
        let decided = sql("INSERT INTO decision (id, subject, subject_id, to_state, party, reason, decided_at)
             VALUES ($1, 'connection', $2, 'added', $3, 'sag 7', $4)");
        transaction.execute(decided.bind(Uuid::now_v7()).bind(id).bind(COMPANY).bind(at(NOW))).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let more = adds(&of()).await.unwrap_err();
    assert!(more.contains("end those that are not used"), "{more}");
    decide::end(&store, By::Key(&signer(supplier)), &first, &because(NOW), None).await.unwrap();
    adds(&of()).await.unwrap();
}

async fn what_was_seen_lost_after_it_was_stated_is_done_no_more(kept: Kept) {
    let store = house(&kept).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, KORSBAEK, &["straks"])).await;
    for task in ["FB200", "FB201", "FB202", "FB203"] {
        states(&store, &connection, task, None, OPERATOR).await.unwrap();
    }
    assert_eq!(stands(&store, &connection, "FB203").await, State::Stated);
    decide::saw_answer(&store, &connection, true, at(NOW)).await.unwrap();
    decide::saw_answer(&store, &connection, false, at("2026-11-29T13:00:00Z")).await.unwrap();
    let later = store.connection_view(connection.id, at("2026-11-29T14:00:00Z")).await.unwrap().unwrap();
    let task = later.find("FB203").unwrap();
    assert!(matches!(&task.standing.state, State::FellBack { .. }), "{:?}", task.standing);
    let stating =
        Stating { connection: connection.id, task: "FB203".to_owned(), party: None, reference: Some("sag 8, rettet".to_owned()) };
    let again = because("2026-11-29T14:00:00Z");
    let mended = decide::state(&store, By::Key(&signer(OPERATOR)), &stating, &again, None).await.unwrap();
    assert_eq!(mended.find("FB203").unwrap().standing.state, State::Stated);
    let person = Stating { reference: Some("borger 610203-1234".to_owned()), ..stating };
    let named = decide::state(&store, By::Key(&signer(OPERATOR)), &person, &again, None).await.unwrap_err();
    assert!(named.to_string().contains("CPR"), "{named}");
}

async fn what_was_stated_and_added_is_never_altered_or_deleted(kept: Kept) {
    let store = house(&kept).await;
    let connection = added(&store, new("sf1590a", KORSBAEK, KORSBAEK, &[])).await;
    states(&store, &connection, "FB201", None, OWNER).await.unwrap();
    for statement in [
        "UPDATE connection SET authority = '99999981'",
        "DELETE FROM connection",
        "UPDATE connection_statement SET reference = 'x'",
        "DELETE FROM connection_statement",
    ] {
        assert!(store.database().session().await.unwrap().execute(sql(statement)).await.is_err(), "{statement}");
    }
    let mut taken = Stating { connection: connection.id, task: "FB201".to_owned(), party: None, reference: None };
    decide::state(&store, By::Key(&signer(OWNER)), &taken, &because(NOW), None).await.unwrap();
    assert_eq!(stands(&store, &connection, "FB201").await, State::Ready);
    taken.reference = Some("aftale 8".to_owned());
    let again = decide::state(&store, By::Key(&signer(OWNER)), &taken, &because(NOW), None).await.unwrap();
    assert_eq!(again.find("FB201").unwrap().statements.len(), 1);
}

async fn files_and_mailboxes_are_seen_too(kept: Kept) {
    let store = house(&kept).await;
    let sftp = added(&store, new("sftp", KORSBAEK, OTHER, &["monitoring"])).await;
    let mailbox = added(&store, new("oedup", KORSBAEK, KORSBAEK, &[])).await;
    let campus = added(&store, new("campus", OTHER, OTHER, &[])).await;
    for (connection, task) in [(&sftp, "SF-SENDER"), (&sftp, "SF-FETCHED"), (&mailbox, "OE-AGREEMENT"), (&campus, "CA-CLIENT-OK")]
    {
        assert!(!stands(&store, connection, task).await.is_done(), "{task}");
    }
    let (noon, one) = (at("2026-11-29T09:00:00Z").as_microsecond(), Uuid::from_u128);
    for (id, name, system, authority) in [(1, "afsender", SYSTEM, KORSBAEK), (2, "modtager", LEDGER, OTHER)] {
        let user =
            sql("INSERT INTO sftp_user (id, name, environment, system, authority, older_root, bytes_limit, disabled, added_us)
             VALUES ($1, $2, 'exttest', $3, $4, $5, 1000, $6, $7)");
        write(&store, user.bind(one(id)).bind(name).bind(system).bind(authority).bind(false).bind(false).bind(noon)).await;
    }
    assert!(!stands(&store, &sftp, "SF-SENDER").await.is_done(), "without a key");
    let key = sql("INSERT INTO sftp_key (sftp_user, fingerprint, label, public_key, disabled, valid_to_us, added_us)
         VALUES ($1, 'x', 'x', 'x', $2, $3, $4)");
    let until = at("2026-11-30T00:00:00Z").as_microsecond();
    write(&store, key.bind(one(1)).bind(false).bind(until).bind(noon)).await;
    let of = |at: &'static str| {
        let (store, id) = (store.clone(), sftp.id);
        async move { store.connection_view(id, people::at(at)).await.unwrap().unwrap().find("SF-SENDER").unwrap().standing.clone() }
    };
    assert_eq!(of(NOW).await.state, State::Seen);
    let later = of("2026-12-01T00:00:00Z").await.state;
    assert!(matches!(&later, State::FellBack { why, .. } if why.en() == "no key is in force any longer"), "{later:?}");
    let order =
        sql("INSERT INTO file_order (id, state, sender, recipient, sender_authority, recipient_authority, inf_ref, legal_basis,
             purpose, valid_from, largest_bytes, keep_days, alarm_hours, delete_days)
         VALUES ($1, 'GODKENDT', $2, $3, $4, $5, 'X', 'lov', 'prøve', $6, 1000, 0, 1, 11)");
    let order = order.bind(one(3)).bind(one(1)).bind(one(2)).bind(KORSBAEK).bind(OTHER);
    write(&store, order.bind(jiff::civil::date(2026, 11, 1))).await;
    let watch = sql(
        "INSERT INTO file_monitoring (id, sftp_user, inf_ref, alarm_hours, delete_days, told, since_us) VALUES ($1, $2, 'X', 1, 11, '', $3)",
    );
    write(&store, watch.bind(one(4)).bind(one(2)).bind(noon)).await;
    for task in ["SF-ORDER", "SF-ORDER-OK", "SF-MONITORING"] {
        assert_eq!(stands(&store, &sftp, task).await, State::Seen, "{task}");
    }
    let agreement =
        sql("INSERT INTO mailbox (id, number, environment, owner, state, legal_basis, purpose, email, phone, since_us)
         VALUES ($1, 'PA00001', 'exttest', $2, 'AKTIV', 'lov', 'prøve', 'x@example.dk', '1', $3)");
    write(&store, agreement.bind(one(5)).bind(KORSBAEK).bind(noon)).await;
    assert_eq!(stands(&store, &mailbox, "OE-AGREEMENT").await, State::Seen);
    assert_eq!(stands(&store, &mailbox, "OE-USER").await, State::Ready);
}
