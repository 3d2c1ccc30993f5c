//! Persons that institutions import, on SQLite and PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hjemmel::agreements::Store;
use hjemmel::audit::anchors::{self, Anchored};
use hjemmel::audit::log::{read_head, segment_name};
use hjemmel::audit::{Audit, AuditSettings, keys};
use hjemmel::clock::Clock;
use hjemmel::decisions::By;
use hjemmel::persons::erase::replay::{self, Logs};
use hjemmel::persons::erase::{self, EraseError};
use hjemmel::persons::{AT_ONCE, Answer, ImportError, PersonKeys, Persons, ResultFile, Row, Scope, Status, outbox, shown};
use hjemmel::services::persons::keys::{self as import_keys, Known};
use hjemmel::store::{Access, Database, copies};
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use uuid::Uuid;

use crate::kept::Kept;
use crate::on_both;
use crate::people::{self, NOW, at, because, signer};

const NODE: Uuid = Uuid::from_u128(1);
const OWN: &str = "11111111";
const OTHER: &str = "99999981";
const OWNER: Key = Key::Korsbaek;
const OTHER_OWNER: Key = Key::OtherMunicipality;
const OPERATOR: Key = Key::GatewayClient;

on_both! {
    a_person_is_created_left_alone_changed_moved_ended_and_taken_up_again;
    what_changes_nothing_hands_nothing_on_and_what_changes_is_handed_on_once;
    a_manager_who_comes_later_is_the_manager_from_then_on;
    a_user_name_is_one_persons_and_an_address_is_warned_of;
    an_institution_learns_nothing_of_anothers_persons;
    five_hundred_times_the_same_person_is_one_person;
    two_imports_of_one_institution_at_once_make_each_person_once;
    under_another_key_nobody_is_imported;
    the_data_controller_erases_and_nothing_leads_back;
    in_a_store_that_was_put_back_nobody_is_imported_before_every_log_was_read_for_erasures;
    a_log_that_is_not_whole_or_shorter_than_another_says_counts_as_unread;
    campus_is_told_of_everybody_whom_a_log_names_also_of_one_whom_the_copy_never_had;
    a_file_of_before_is_not_taken_in_again_where_a_log_names_one_whom_the_copy_never_had;
    an_erasure_is_noted_at_the_instant_at_which_it_is_made;
    an_import_that_was_lost_is_done_again_as_a_repeat_and_by_nobody_once_a_person_was_erased;
    no_table_of_a_store_holds_a_cpr_number;
    an_answer_that_is_given_again_for_its_key_goes_with_the_erased_person_and_the_key_imports_nobody;
    a_managers_staff_number_is_looked_up_among_the_managers_employments;
    a_person_whose_term_is_over_is_erased_and_one_with_another_employment_is_not;
    what_cannot_be_read_of_one_institution_keeps_nobody_of_another_from_being_erased;
}

fn persons(database: &Database) -> Persons {
    Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), NODE)
}

fn fixed() -> Clock {
    Clock::fixed(at(NOW))
}

fn scope(authority: &str) -> Scope {
    Scope {
        authority: authority.parse().unwrap(),
        institutions: ["A1".to_owned(), "A2".to_owned()].into(),
        times: None,
        erase_after_months: Some(6),
    }
}

/// An impossible number: day 61 to 88 of January 1980.
fn cpr(n: usize) -> String {
    format!("{}0180{:04}", 61 + n % 28, n)
}

/// As people write it.
fn with_hyphen(cpr: &str) -> String {
    let (day, rest) = cpr.split_at(6);
    format!("{day}-{rest}")
}

/// A person with all that must be there, and `more` in the place of it or beside it; `-` takes a field away.
fn row(number: u64, n: usize, more: &[(&str, &str)]) -> Row {
    let name = format!("bruger{n}");
    let usual = [
        ("InstitutionsID1", "A1".to_owned()),
        ("InstitutionsID2", "B1".to_owned()),
        ("Kommunekode", "101".to_owned()),
        ("CPRnummer", cpr(n)),
        ("Medarbejdernummer", "1".to_owned()),
        ("Koen", "2".to_owned()),
        ("Fornavne", "Prøve".to_owned()),
        ("Efternavn", format!("Person {n}")),
        ("Email", format!("{name}@institution.dk")),
        ("Brugernavn", name),
    ];
    let mut row = Row::new(number);
    for (field, value) in &usual {
        if !more.iter().any(|(other, _)| other == field) {
            row.give(field, value);
        }
    }
    for (field, value) in more.iter().filter(|(_, value)| *value != "-") {
        row.give(field, value);
    }
    row
}

/// What is answered, in a line: status, then errors, then warnings.
fn line(answer: &Answer) -> String {
    let codes = |remarks: &[hjemmel::persons::Remark]| -> String {
        remarks.iter().map(|remark| format!(" {}:{}", remark.field, remark.code.code())).collect()
    };
    format!("{}{}{}", answer.status.name(), codes(&answer.errors), codes(&answer.warnings))
}

async fn one(persons: &Persons, row: Row) -> (String, Option<i64>) {
    let answers = persons.import_all(scope(OWN), vec![row], at(NOW)).await.unwrap();
    (line(&answers[0]), answers[0].number)
}

/// What waits to be handed on, oldest first: number, manager, from when inactive, department.
async fn handed(database: &Database) -> Vec<(i64, Option<i64>, Option<String>, String)> {
    let taken = outbox::waiting(database, 0, 10_000).await.unwrap();
    taken
        .into_iter()
        .map(|(_, handed)| (handed.number, handed.manager, handed.inactive_from.map(|day| day.to_string()), handed.department))
        .collect()
}

async fn a_person_is_created_left_alone_changed_moved_ended_and_taken_up_again(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let ended: &[(&str, &str)] = &[("Aktionskodedato", "2026-11-01")];
    let mut numbers = BTreeSet::new();
    for (more, due) in [
        (&[("Fornavne", "-"), ("Email", "")] as &[(&str, &str)], "AFVIST Fornavne:PER002 Email:PER002"),
        (&[("Telefon", "+45 12 34 56 78")], "OPRETTET"),
        (&[("Telefon", "+45 12 34 56 78")], "UAENDRET"),
        (
            &[("Kommunekode", "-"), ("Fornavne", "-"), ("Email", "-"), ("Brugernavn", "-"), ("Efternavn", "-"), ("Koen", "-")],
            "UAENDRET",
        ),
        (&[("Efternavn", "Gift")], "OPDATERET"),
        (&[("Efternavn", "")], "AFVIST Efternavn:PER009"),
        (&[("Efternavn", "Gift"), ("Telefon", "")], "OPDATERET"),
        (&[("Efternavn", "Gift"), ("Telefon", "")], "UAENDRET"),
        (&[("Efternavn", "Gift"), ("InstitutionsID2", "B2")], "OPDATERET"),
        (&[("Efternavn", "Gift"), ("InstitutionsID2", "B2"), ended[0]], "OPDATERET"),
        (&[("Efternavn", "Gift"), ("InstitutionsID2", "B2"), ended[0]], "UAENDRET"),
        (&[("Efternavn", "Gift"), ("InstitutionsID2", "B2"), ("Aktionskodedato", "")], "OPDATERET"),
        (&[("Medarbejdernummer", "2")], "OPRETTET Medarbejdernummer:PER103"),
        (&[("Medarbejdernummer", "2")], "UAENDRET"),
    ] {
        let (told, number) = one(&persons, row(1, 1, more)).await;
        assert_eq!(told, due, "{more:?}");
        numbers.extend(number);
    }
    assert_eq!(numbers.len(), 1, "one person, one running number: {numbers:?}");
    let number = *numbers.first().unwrap();
    let shown = shown::with_number(&database, number).await.unwrap();
    assert_eq!(shown.iter().map(|shown| shown.staff_number.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(shown[0].home, "11111111/A1");
    let departments: Vec<_> = handed(&database).await.into_iter().map(|handed| (handed.2, handed.3)).collect();
    let ends = Some("2026-11-01".to_owned());
    let b = |day: &Option<String>, name: &str| (day.clone(), name.to_owned());
    assert_eq!(
        departments,
        [b(&None, "B1"), b(&None, "B1"), b(&None, "B1"), b(&None, "B2"), b(&ends, "B2"), b(&None, "B2"), b(&None, "B1")]
    );
}

async fn what_changes_nothing_hands_nothing_on_and_what_changes_is_handed_on_once(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let all = || (0..AT_ONCE).map(|n| row(n as u64 + 1, n, &[])).collect::<Vec<_>>();
    let answers = persons.import_all(scope(OWN), all(), at(NOW)).await.unwrap();
    assert!(answers.iter().all(|answer| answer.status == Status::Created));
    assert_eq!(answers.iter().map(|answer| answer.row).collect::<Vec<_>>(), (1..=500).collect::<Vec<_>>());
    let given: Vec<i64> = answers.iter().map(|answer| answer.number.unwrap()).collect();
    assert_eq!(handed(&database).await.into_iter().map(|handed| handed.0).collect::<Vec<_>>(), given);
    assert!(!given.is_sorted(), "running numbers say nothing of the order");
    let answers = persons.import_all(scope(OWN), all(), at(NOW)).await.unwrap();
    assert!(answers.iter().all(|answer| answer.status == Status::Unchanged));
    assert_eq!(answers.iter().map(|answer| answer.number.unwrap()).collect::<Vec<_>>(), given);
    assert_eq!(handed(&database).await.len(), AT_ONCE);
    let too_many = persons.import_all(scope(OWN), (0..=AT_ONCE).map(|n| row(n as u64, n, &[])).collect(), at(NOW)).await;
    assert!(matches!(too_many, Err(ImportError::TooMany(500))));
}

async fn a_manager_who_comes_later_is_the_manager_from_then_on(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let (boss, none) = (cpr(9), cpr(8));
    let managed: &[(&str, &str)] = &[("LederCPRnummer", &boss)];
    let (told, first) = one(&persons, row(1, 1, managed)).await;
    assert_eq!(told, "OPRETTET LederCPRnummer:PER101");
    assert_eq!(one(&persons, row(1, 1, managed)).await.0, "UAENDRET LederCPRnummer:PER101");
    // In the same call the manager comes after one and before another, and manages the manager's own self.
    let rows = vec![row(1, 2, managed), row(2, 9, managed), row(3, 3, managed), row(4, 4, &[("LederCPRnummer", &none)])];
    let answers = persons.import_all(scope(OWN), rows, at(NOW)).await.unwrap();
    let lines: Vec<_> = answers.iter().map(self::line).collect();
    assert_eq!(lines, ["OPRETTET LederCPRnummer:PER101", "OPRETTET", "OPRETTET", "OPRETTET LederCPRnummer:PER101"]);
    let boss = answers[1].number;
    let last: BTreeMap<i64, Option<i64>> = handed(&database).await.into_iter().map(|handed| (handed.0, handed.1)).collect();
    for (number, manager) in
        [(first, boss), (answers[0].number, boss), (boss, boss), (answers[2].number, boss), (answers[3].number, None)]
    {
        assert_eq!(last[&number.unwrap()], manager);
    }
    assert_eq!(one(&persons, row(1, 1, managed)).await.0, "UAENDRET");
    assert_eq!(one(&persons, row(1, 1, &[("LederCPRnummer", "")])).await.0, "OPDATERET");
    assert_eq!(handed(&database).await.last().unwrap().1, None);
}

async fn a_user_name_is_one_persons_and_an_address_is_warned_of(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    assert_eq!(one(&persons, row(1, 1, &[])).await.0, "OPRETTET");
    let taken: &[(&str, &str)] = &[("Brugernavn", "BRUGER1"), ("Email", "Bruger1@Institution.dk")];
    assert_eq!(one(&persons, row(1, 2, taken)).await.0, "AFVIST Brugernavn:PER008 Email:PER102");
    assert_eq!(one(&persons, row(1, 2, &taken[1..])).await.0, "OPRETTET Email:PER102");
    let second: &[(&str, &str)] = &[("Medarbejdernummer", "2")];
    let shared = "OPRETTET Medarbejdernummer:PER103 Email:PER102";
    assert_eq!(one(&persons, row(1, 1, second)).await.0, shared, "two employments share the name, two persons the address");
    // One gives a name up, and another takes it in the same call; the first cannot have it back.
    let rows = vec![
        row(1, 1, &[("Brugernavn", "ny")]),
        row(2, 1, &[("Brugernavn", "ny2"), ("Medarbejdernummer", "2")]),
        row(3, 3, &[("Brugernavn", "bruger1")]),
        row(4, 4, &[("Brugernavn", "Ny")]),
    ];
    let answers = persons.import_all(scope(OWN), rows, at(NOW)).await.unwrap();
    let lines: Vec<_> = answers.iter().map(line).collect();
    assert_eq!(lines, ["OPDATERET Email:PER102", "OPDATERET Email:PER102", "OPRETTET", "AFVIST Brugernavn:PER008"]);
    assert_eq!(one(&persons, row(1, 1, &[])).await.0, "AFVIST Brugernavn:PER008 Email:PER102");
}

async fn an_institution_learns_nothing_of_anothers_persons(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let (_, own) = one(&persons, row(1, 1, &[])).await;
    let boss = cpr(1);
    // The same person, user name, address and manager: for another institution of the authority, and for another authority's that names
    // the same institution.
    for (authority, institution) in [(OWN, "A2"), (OTHER, "A1")] {
        let rows = vec![row(1, 2, &[("InstitutionsID1", institution), ("LederCPRnummer", &boss), ("Brugernavn", "bruger1")])];
        let answers = persons.import_all(scope(authority), rows, at(NOW)).await.unwrap();
        assert_eq!(line(&answers[0]), "OPRETTET LederCPRnummer:PER101", "{authority}");
        let rows = vec![row(1, 1, &[("InstitutionsID1", institution), ("Brugernavn", "x"), ("Medarbejdernummer", "2")])];
        let answers = persons.import_all(scope(authority), rows, at(NOW)).await.unwrap();
        assert_eq!(line(&answers[0]), "OPRETTET", "{authority}");
        assert_ne!(answers[0].number, own, "{authority}: no number in common");
    }
    let rows = vec![row(1, 1, &[("InstitutionsID1", "A3")]), row(2, 77, &[("InstitutionsID1", "A3")])];
    let answers = persons.import_all(scope(OWN), rows, at(NOW)).await.unwrap();
    assert!(answers.iter().all(|answer| line(answer) == "AFVIST InstitutionsID1:PER006"));
}

async fn five_hundred_times_the_same_person_is_one_person(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let mut import = persons.import(scope(OWN), at(NOW));
    let same = |from: u64| (from..from + 500).map(|n| row(n, 1, &[])).collect::<Vec<_>>();
    let answers = import.batch(same(1)).await.unwrap();
    assert_eq!(line(&answers[0]), "OPRETTET");
    assert!(answers[1..].iter().all(|answer| line(answer) == "AFVIST :PER007"));
    let answers = import.batch(same(501)).await.unwrap();
    assert!(answers.iter().all(|answer| line(answer) == "AFVIST :PER007"), "in the next batch of a file too");
    assert_eq!(handed(&database).await.len(), 1);
    assert_eq!(one(&persons, row(1, 1, &[])).await.0, "UAENDRET", "another request");
}

async fn two_imports_of_one_institution_at_once_make_each_person_once(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let mut under_way = Vec::new();
    let one = persons(&database);
    for turn in 0..4_usize {
        // Two of one program and two of others, each in an order of its own, with a user name that all want.
        let persons = if turn < 2 { one.clone() } else { persons(&database) };
        under_way.push(tokio::spawn(async move {
            let order = (0..60).map(|n| (n * 7 + turn * 13) % 60);
            let mut rows: Vec<Row> = order.enumerate().map(|(at, n)| row(at as u64 + 1, n, &[])).collect();
            rows.push(row(61, 100 + turn, &[("Brugernavn", "alle vil")]));
            persons.import_all(scope(OWN), rows, at(NOW)).await.unwrap()
        }));
    }
    let mut lines = BTreeMap::<String, usize>::new();
    let mut numbers = BTreeSet::new();
    for import in under_way {
        for answer in import.await.unwrap() {
            *lines.entry(line(&answer)).or_default() += 1;
            numbers.extend(answer.number);
        }
    }
    let due = [("AFVIST Brugernavn:PER008", 3), ("OPRETTET", 61), ("UAENDRET", 180)];
    assert_eq!(lines, due.map(|(line, count)| (line.to_owned(), count)).into());
    assert_eq!((numbers.len(), handed(&database).await.len()), (61, 61));
}

async fn under_another_key_nobody_is_imported(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    one(&persons(&database), row(1, 1, &[])).await;
    let other = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[8; 32])), NODE);
    let refused = other.import_all(scope(OWN), vec![row(1, 1, &[])], at(NOW)).await;
    assert!(matches!(refused, Err(ImportError::OtherKey { .. })), "{refused:?}");
    assert_eq!(handed(&database).await.len(), 1);
}

async fn the_data_controller_erases_and_nothing_leads_back(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    let people =
        [(OPERATOR, Role::Operator, None), (OWNER, Role::SystemOwner, Some(OWN)), (OTHER_OWNER, Role::SystemOwner, Some(OTHER))];
    people::add(&store, &people).await;
    let database = store.database();
    let persons = persons(database);
    let (boss, reason) = (cpr(1), because(NOW));
    let (_, number) = one(&persons, row(1, 1, &[])).await;
    let number = number.unwrap();
    let (_, managed) = one(&persons, row(1, 2, &[("LederCPRnummer", &boss)])).await;
    for other in [OPERATOR, OTHER_OWNER] {
        let refused = erase::erase(&store, By::Key(&signer(other)), number, Uuid::nil(), &reason).await;
        assert!(matches!(refused, Err(EraseError::Decide(_))), "{refused:?}");
    }
    erase::erase(&store, By::Key(&signer(OWNER)), number, Uuid::nil(), &reason).await.unwrap();
    let again = erase::erase(&store, By::Key(&signer(OWNER)), number, Uuid::nil(), &reason).await;
    assert!(matches!(again, Err(EraseError::NoSuch(_))), "{again:?}");
    assert_eq!(shown::with_number(database, number).await.unwrap(), []);
    let waiting = handed(database).await;
    assert!(waiting.iter().all(|handed| handed.0 != number), "what waited is not handed on");
    assert_eq!(waiting.last().map(|handed| (handed.0, handed.1)), Some((managed.unwrap(), None)), "the manager is gone");
    let (told, new) = one(&persons, row(1, 1, &[])).await;
    assert_eq!(told, "OPRETTET");
    assert_ne!(new, Some(number), "nothing in common with the number before");
    let made = store.made_on(hjemmel::audit::Subject::Person, erase::id(number)).await.unwrap();
    assert_eq!(made.len(), 1);
}

/// A node's audit log, in a folder of its own: the decisions that wait are written there, and how far it has come is kept in the store.
struct Node {
    folder: tempfile::TempDir,
    name: Uuid,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        keys::generate(folder.path()).unwrap();
        let name = anchors::named(&folder.path().join("log")).unwrap();
        Self { folder, name }
    }

    fn logs(&self) -> Logs {
        Logs { folder: self.folder.path().join("log"), ..Logs::default() }
    }

    /// Writes down what waits. `others`: a log of which it keeps how far it has come.
    async fn write(&self, store: &Store, others: Option<&Node>) {
        let key = keys::checkpoint_key(&self.folder.path().join("checkpoint.key")).unwrap();
        let patience = std::time::Duration::from_secs(60);
        let settings = AuditSettings { patience, ..AuditSettings::in_dir(self.logs().folder) };
        let audit = Audit::start(settings, key, Clock::fixed(at(NOW)), |_| {}).unwrap();
        for waiting in store.claim_unrecorded(self.name, at(NOW)).await.unwrap() {
            let decision = waiting.decided.decision;
            audit.decided(waiting.decided).await.unwrap();
            store.recorded(decision, at(NOW)).await.unwrap();
        }
        if let Some(other) = others {
            let checkpoint = read_head(&other.logs().folder).unwrap().unwrap();
            audit.anchored(Anchored { log: other.name, checkpoint, questions: false }).await.unwrap();
        }
        assert!(audit.stop(Duration::from_secs(60)).await);
    }

    async fn anchor(&self, store: &Store) {
        let checkpoint = read_head(&self.logs().folder).unwrap().unwrap();
        anchors::keep(store.database(), &Anchored { log: self.name, checkpoint, questions: false }, at(NOW)).await.unwrap();
    }
}

/// Puts persons back as a copy has them.
async fn there_again(kept: &Kept, numbers: &[i64]) {
    for (n, number) in numbers.iter().enumerate() {
        let pseudonym = match kept.settings.at {
            hjemmel::store::At::Sqlite(_) => "randomblob(32)".to_owned(),
            hjemmel::store::At::Postgres(_) => format!("('\\x' || repeat('{n:02}', 32))::bytea"),
        };
        let back = format!(
            "INSERT INTO person_number (pseudonym, number) VALUES ({pseudonym}, {number});
             INSERT INTO person (number, staff, home, content) VALUES ({number}, '1', '{OWN}/A1', '{{}}')"
        );
        kept.execute(&back).await.unwrap();
    }
}

async fn put_back(database: &Database, by: &str, at: jiff::Timestamp) {
    let mut noted = database.begin().await.unwrap();
    copies::note(&mut noted, by, at).await.unwrap();
    noted.commit().await.unwrap();
}

/// What keeps persons from being imported: the logs that are still to be read.
async fn waits_for(persons: &Persons) -> Vec<Uuid> {
    match persons.import_all(scope(OWN), vec![row(1, 50, &[])], at(NOW)).await {
        Ok(_) => Vec::new(),
        Err(ImportError::NotErasedYet(logs)) => logs.split(", ").map(|log| log.parse().unwrap()).collect(),
        Err(error) => panic!("{error}"),
    }
}

async fn in_a_store_that_was_put_back_nobody_is_imported_before_every_log_was_read_for_erasures(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    let people = [(OPERATOR, Role::Operator, None), (OWNER, Role::SystemOwner, Some(OWN))];
    people::add(&store, &people).await;
    let database = store.database();
    let (first, second, third) = (Node::new(), Node::new(), Node::new());
    let persons = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), first.name);
    let mut numbers = Vec::new();
    let ended = [("Aktionskodedato", "2026-01-01")];
    for (n, more) in [(1, &[][..]), (2, &ended[..]), (3, &[])] {
        numbers.push(one(&persons, row(1, n, more)).await.1.unwrap());
    }
    // The first node is known to the copy. One erasure stands in its log, one whose term was over in that of the second, and one in
    // that of the third, of which the first's log alone tells.
    first.write(&store, None).await;
    first.anchor(&store).await;
    second.write(&store, None).await;
    second.anchor(&store).await;
    let reason = because(NOW);
    erase::erase(&store, By::Key(&signer(OWNER)), numbers[2], Uuid::nil(), &reason).await.unwrap();
    third.write(&store, None).await;
    erase::erase(&store, By::Key(&signer(OWNER)), numbers[0], Uuid::nil(), &reason).await.unwrap();
    first.write(&store, Some(&third)).await;
    assert_eq!(erase::over(&store, jiff::civil::date(2026, 11, 29), &fixed()).await.unwrap(), 1);
    second.write(&store, None).await;
    let new = one(&persons, row(1, 1, &[])).await.1;

    there_again(&kept, &numbers).await;
    put_back(database, "O. Drift", at(NOW)).await;
    let by_name = |mut nodes: Vec<Uuid>| {
        nodes.sort();
        nodes
    };
    assert_eq!(waits_for(&persons).await, by_name(vec![first.name, second.name]));
    assert_eq!(replay::own(database, first.name, &first.logs(), &fixed()).await.unwrap(), 1);
    assert_eq!(replay::own(database, first.name, &first.logs(), &fixed()).await.unwrap(), 0, "once is enough");
    assert_eq!(waits_for(&persons).await, by_name(vec![second.name, third.name]), "the first told of the third");
    // A machine that is new and has no log of before, and a command without one, wait as well.
    for node in [Uuid::from_u128(77), Uuid::nil()] {
        let elsewhere = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), node);
        assert!(waits_for(&elsewhere).await.contains(&second.name));
    }
    let refused = replay::of_folder(&store, Some(By::Key(&signer(OWNER))), &second.logs(), &reason, &fixed()).await;
    assert!(refused.is_err(), "an operator's decision alone");
    assert_eq!(waits_for(&persons).await, by_name(vec![second.name, third.name]), "and nothing was done before it was refused");
    assert_ne!(shown::with_number(database, numbers[1]).await.unwrap(), []);
    let by = signer(OPERATOR);
    let read = replay::of_folder(&store, Some(By::Key(&by)), &second.logs(), &reason, &fixed()).await.unwrap();
    assert_eq!(read, (second.name, 1, vec![third.name]), "whose term was over is erased again too");
    let refused = replay::without(&store, Some(By::Key(&signer(OWNER))), third.name, None, &reason, &fixed()).await;
    assert!(refused.is_err(), "an operator's decision alone");
    assert_eq!(waits_for(&persons).await, [third.name]);
    assert_eq!(
        replay::of_folder(&store, Some(By::Key(&by)), &third.logs(), &reason, &fixed()).await.unwrap(),
        (third.name, 1, vec![])
    );
    for number in &numbers {
        assert_eq!(shown::with_number(database, *number).await.unwrap(), []);
    }
    assert_eq!(one(&persons, row(1, 1, &[])).await, ("UAENDRET".to_owned(), new));

    // Put back once more, and the second's folder is lost: that is somebody's decision.
    put_back(database, "O. Drift", at("2026-11-30T10:00:00Z")).await;
    replay::own(database, first.name, &first.logs(), &fixed()).await.unwrap();
    replay::of_folder(&store, None, &third.logs(), &reason, &fixed()).await.unwrap();
    assert_eq!(waits_for(&persons).await, [second.name]);
    let gone_on = replay::without(&store, Some(By::Key(&by)), second.name, None, &reason, &fixed()).await.unwrap();
    assert_eq!((gone_on, waits_for(&persons).await), ((0, vec![]), vec![]));
    let made = store.made_on(hjemmel::audit::Subject::Store, second.name).await.unwrap();
    let told: Vec<_> = made.iter().map(|made| (made.what.to.as_str(), made.user.is_some())).collect();
    assert_eq!(told, [("ERASURES_REPLAYED", true), ("LOG_GIVEN_UP", true)]);
}

/// What is done to a log so that it is not whole any more.
type Harm = fn(&Path);

fn alter(folder: &Path, change: impl Fn(Vec<&str>) -> Vec<String>) {
    let file = folder.join(segment_name(1));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, change(text.lines().collect()).join("\n") + "\n").unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

async fn a_log_that_is_not_whole_or_shorter_than_another_says_counts_as_unread(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    people::add(&store, &[(OWNER, Role::SystemOwner, Some(OWN))]).await;
    let database = store.database();
    let (own, other, folder) = (Node::new(), Node::new(), tempfile::tempdir().unwrap());
    let persons = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), own.name);
    let (number, reason) = (one(&persons, row(1, 1, &[])).await.1.unwrap(), because(NOW));
    // The copy knows of the own log alone. The erasure stands in the other's, of which the own one keeps how far it had come.
    other.write(&store, None).await;
    let earlier = folder.path().join("earlier");
    copy(&other.logs().folder, &earlier);
    erase::erase(&store, By::Key(&signer(OWNER)), number, Uuid::nil(), &reason).await.unwrap();
    other.write(&store, None).await;
    own.write(&store, Some(&other)).await;
    own.anchor(&store).await;
    there_again(&kept, &[number]).await;
    put_back(database, "O. Drift", at(NOW)).await;

    let is_erasure = |line: &str| line.contains("SLETTET");
    let harms: [(&str, Harm); 7] = [
        ("a line altered", |folder| {
            alter(folder, |lines| lines.into_iter().map(|line| line.replace("SLETTET", "KENDT")).collect())
        }),
        ("a line taken out", |folder| {
            alter(folder, |lines| lines.into_iter().filter(|line| !line.contains("SLETTET")).map(str::to_owned).collect())
        }),
        ("a line that is none", |folder| {
            alter(folder, |lines| {
                lines.into_iter().map(|line| if line.contains("SLETTET") { "{}" } else { line }.to_owned()).collect()
            })
        }),
        ("its end cut off", |folder| alter(folder, |lines| lines.into_iter().take(2).map(str::to_owned).collect())),
        ("no head", |folder| std::fs::remove_file(folder.join("head.json")).unwrap()),
        ("no segment", |folder| std::fs::remove_file(folder.join(segment_name(1))).unwrap()),
        ("nothing but its name", |folder| {
            for name in ["head.json", &segment_name(1)] {
                std::fs::remove_file(folder.join(name)).unwrap();
            }
        }),
    ];
    let whole = std::fs::read_to_string(other.logs().folder.join(segment_name(1))).unwrap();
    assert!(whole.lines().any(is_erasure));
    for (n, (what, harm)) in harms.into_iter().enumerate() {
        let harmed = folder.path().join(n.to_string());
        copy(&other.logs().folder, &harmed);
        harm(&harmed);
        let read = replay::of_folder(&store, None, &Logs { folder: harmed, ..Logs::default() }, &reason, &fixed()).await;
        assert!(read.is_err(), "{what}: {read:?}");
        assert_ne!(shown::with_number(database, number).await.unwrap(), [], "{what}");
    }
    // An earlier copy of the folder is whole by itself. The own log shows that it is not all.
    let short = Logs { folder: earlier, ..Logs::default() };
    // Whoever kept an entry of it elsewhere sees that it was rolled back, with its head.
    let head = read_head(&other.logs().folder).unwrap().unwrap();
    let anchors = vec![format!("{}:{}", head.covers, head.head).parse().unwrap()];
    let rolled_back = replay::of_folder(&store, None, &Logs { anchors, ..short.clone() }, &reason, &fixed()).await;
    assert!(rolled_back.is_err(), "{rolled_back:?}");
    assert_eq!(replay::of_folder(&store, None, &short, &reason, &fixed()).await.unwrap(), (other.name, 0, vec![own.name]));
    assert_eq!(replay::own(database, own.name, &own.logs(), &fixed()).await.unwrap(), 0);
    assert_eq!(waits_for(&persons).await, [other.name], "it is waited for again");
    let read = replay::of_folder(&store, None, &short, &reason, &fixed()).await;
    assert!(read.is_err(), "{read:?}");
    assert_eq!(replay::of_folder(&store, None, &other.logs(), &reason, &fixed()).await.unwrap(), (other.name, 1, vec![]));
    assert_eq!(shown::with_number(database, number).await.unwrap(), []);
    assert!(waits_for(&persons).await.is_empty());
}

async fn campus_is_told_of_everybody_whom_a_log_names_also_of_one_whom_the_copy_never_had(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    people::add(&store, &[(OWNER, Role::SystemOwner, Some(OWN))]).await;
    let (database, node) = (store.database(), Node::new());
    let persons = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), node.name);
    let mut numbers = Vec::new();
    for n in [1, 2] {
        let number = one(&persons, row(1, n, &[])).await.1.unwrap();
        erase::erase(&store, By::Key(&signer(OWNER)), number, Uuid::nil(), &because(NOW)).await.unwrap();
        numbers.push(number);
    }
    node.write(&store, None).await;
    // The copy has the first again, and never had the second. Of neither anything waits.
    kept.execute("DELETE FROM person_outbox").await.unwrap();
    there_again(&kept, &numbers[..1]).await;
    put_back(database, "O. Drift", at(NOW)).await;
    assert_eq!(replay::own(database, node.name, &node.logs(), &fixed()).await.unwrap(), 1);
    let waiting = outbox::oldest(database, 9).await.unwrap();
    let told: BTreeSet<_> = waiting.iter().map(|row| (row.number, row.what.as_str())).collect();
    assert_eq!(told, numbers.iter().map(|number| (*number, "SLET")).collect());
}

async fn a_file_of_before_is_not_taken_in_again_where_a_log_names_one_whom_the_copy_never_had(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    people::add(&store, &[(OWNER, Role::SystemOwner, Some(OWN))]).await;
    let (database, node) = (store.database(), Node::new());
    let persons = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), node.name);
    let number = one(&persons, row(1, 1, &[])).await.1.unwrap();
    erase::erase(&store, By::Key(&signer(OWNER)), number, Uuid::nil(), &because(NOW)).await.unwrap();
    node.write(&store, None).await;
    // The copy is of before anybody was erased, and of before the person came.
    kept.execute("UPDATE person_institution SET erased_us = NULL").await.unwrap();
    put_back(database, "O. Drift", at(NOW)).await;
    let came = at(NOW);
    assert!(!erase::any_since(database, OWN.parse().unwrap(), came).await.unwrap());
    replay::own(database, node.name, &node.logs(), &fixed()).await.unwrap();
    assert!(erase::any_since(database, OWN.parse().unwrap(), came).await.unwrap());
    let again = persons.import(scope(OWN), at(NOW)).again(came).batch(vec![row(1, 1, &[])]).await;
    assert!(matches!(again, Err(ImportError::Erased)), "{again:?}");
    assert_eq!(one(&persons, row(1, 1, &[])).await.0, "OPRETTET", "whoever sends anew has decided it");
}

async fn an_erasure_is_noted_at_the_instant_at_which_it_is_made(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    let persons = persons(store.database());
    let ended = ("Aktionskodedato", "2026-01-01");
    one(&persons, row(1, 1, &[ended])).await;
    one(&persons, row(1, 2, &[ended, ("InstitutionsID1", "A2")])).await;
    // Each look at the clock is an hour later: so long may the one before take.
    let hours = std::sync::atomic::AtomicI64::new(0);
    let slow = Clock::from_fn(move || {
        at(NOW) + jiff::SignedDuration::from_hours(hours.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    });
    assert_eq!(erase::over(&store, jiff::civil::date(2026, 11, 29), &slow).await.unwrap(), 2);
    let noted = hjemmel::store::sql("SELECT erased_us FROM person_institution ORDER BY home");
    let noted = store.database().all(noted).await.unwrap();
    let noted: Vec<i64> = noted.iter().map(|row| row.get("erased_us").unwrap()).collect();
    assert!(noted[0] < noted[1], "the second was not erased when the run began: {noted:?}");
}

async fn an_import_that_was_lost_is_done_again_as_a_repeat_and_by_nobody_once_a_person_was_erased(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    people::add(&store, &[(OWNER, Role::SystemOwner, Some(OWN))]).await;
    let database = store.database();
    let persons = persons(database);
    let number = one(&persons, row(1, 1, &[])).await.1.unwrap();
    let folder = tempfile::tempdir().unwrap();
    keys::generate(folder.path()).unwrap();
    let sealer = keys::sealer(&folder.path().join("pseudonym.key"), &folder.path().join("auditors.pub")).unwrap();
    let minute = |minutes| at(NOW) + jiff::SignedDuration::from_mins(minutes);
    let key = |sent: &[u8], minutes| {
        let who = (Uuid::from_u128(2), OWN.parse().unwrap(), Uuid::nil());
        import_keys::Key::new(&sealer, who, "en-gang", sent, minute(minutes))
    };
    assert_eq!(key(b"persons", 0).claim(database).await.unwrap(), Known::Mine);
    assert_eq!(key(b"persons", 1).claim(database).await.unwrap(), Known::Pending, "its node may work on it");
    assert_eq!(key(b"others", 3).claim(database).await.unwrap(), Known::Other, "lost it is that import's all the same");
    assert_eq!(key(b"persons", 3).claim(database).await.unwrap(), Known::Lost(minute(0)));
    assert_eq!(key(b"persons", 4).claim(database).await.unwrap(), Known::Pending, "another works on it now");
    assert_eq!(key(b"persons", 6).claim(database).await.unwrap(), Known::Lost(minute(3)));
    // Between the claim and the import a person is erased: what may have been done is not done again.
    erase::erase(&store, By::Key(&signer(OWNER)), number, Uuid::nil(), &because(NOW)).await.unwrap();
    let again = persons.import(scope(OWN), minute(6)).again(minute(3)).batch(vec![row(1, 1, &[])]).await;
    assert!(matches!(again, Err(ImportError::Erased)), "{again:?}");
    assert_eq!(key(b"persons", 9).claim(database).await.unwrap(), Known::Erased, "and so it is answered from then on");
}

async fn an_answer_that_is_given_again_for_its_key_goes_with_the_erased_person_and_the_key_imports_nobody(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    people::add(&store, &[(OWNER, Role::SystemOwner, Some(OWN))]).await;
    let (database, node) = (store.database(), Node::new());
    let persons = Persons::new(database.clone(), Arc::new(PersonKeys::new(&[7; 32])), node.name);
    let number = one(&persons, row(1, 1, &[])).await.1.unwrap();
    let folder = node.folder.path();
    let sealer = keys::sealer(&folder.join("pseudonym.key"), &folder.join("auditors.pub")).unwrap();
    let key = |authority: &str, name: &str| {
        import_keys::Key::new(&sealer, (Uuid::from_u128(2), authority.parse().unwrap(), Uuid::nil()), name, b"persons", at(NOW))
    };
    let (own, other, under_way) = (key(OWN, "en-gang"), key(OTHER, "en-gang"), key(OWN, "nu"));
    let answer = format!("OPRETTET {number}");
    for answered in [&own, &other] {
        assert_eq!(answered.claim(database).await.unwrap(), Known::Mine);
        answered.answered(database, &answer).await.unwrap();
    }
    assert_eq!(under_way.claim(database).await.unwrap(), Known::Mine);
    erase::erase(&store, By::Key(&signer(OWNER)), number, Uuid::nil(), &because(NOW)).await.unwrap();
    assert_eq!(own.claim(database).await.unwrap(), Known::Erased, "nobody is imported again");
    assert_eq!(other.claim(database).await.unwrap(), Known::Answered(answer.clone()), "another authority's answers stay");
    // An import that was under way may have the person: its answer is not kept either.
    under_way.answered(database, &answer).await.unwrap();
    assert_eq!(under_way.claim(database).await.unwrap(), Known::Erased);
    // Nor does a copy's answer give the number of one whom the copy has not.
    node.write(&store, None).await;
    put_back(database, "O. Drift", at(NOW)).await;
    replay::own(database, node.name, &node.logs(), &fixed()).await.unwrap();
    assert_eq!(other.claim(database).await.unwrap(), Known::Erased);
    let held = database.all(hjemmel::store::sql("SELECT key FROM person_key WHERE answer <> ''")).await.unwrap();
    assert!(held.is_empty());
}

async fn a_person_whose_term_is_over_is_erased_and_one_with_another_employment_is_not(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    let database = store.database().clone();
    let persons = persons(&database);
    let ended = |day| [("Aktionskodedato", day)];
    let mut numbers = Vec::new();
    for (n, more) in [(1, &ended("2026-05-29")[..]), (2, &ended("2026-05-30")), (3, &ended("2026-01-01")), (4, &[])] {
        numbers.push(one(&persons, row(1, n, more)).await.1.unwrap());
    }
    one(&persons, row(1, 3, &[("Medarbejdernummer", "2"), ("Aktionskodedato", "2026-06-30")])).await;
    let day = jiff::civil::date(2026, 11, 29);
    // A command that does not say for how long leaves the agreement's term as it is.
    let silent = Scope { erase_after_months: None, ..scope(OWN) };
    persons.import_all(silent, vec![row(1, 4, &[])], at(NOW)).await.unwrap();
    assert_eq!(erase::over(&store, day, &fixed()).await.unwrap(), 1);
    assert_eq!(erase::over(&store, day, &fixed()).await.unwrap(), 0);
    let made = store.made_on(hjemmel::audit::Subject::Person, erase::id(numbers[0])).await.unwrap();
    assert_eq!(made.iter().map(|made| (made.what.to.as_str(), made.user)).collect::<Vec<_>>(), [("SLETTET", None)]);
    let mut there = Vec::new();
    for number in &numbers {
        there.push(!shown::with_number(&database, *number).await.unwrap().is_empty());
    }
    assert_eq!(there, [false, true, true, true]);
    assert_eq!(erase::over(&store, jiff::civil::date(2026, 12, 31), &fixed()).await.unwrap(), 2);
}

async fn what_cannot_be_read_of_one_institution_keeps_nobody_of_another_from_being_erased(kept: Kept) {
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    let database = store.database().clone();
    let persons = persons(&database);
    let boss = cpr(1);
    let ended = ("Aktionskodedato", "2026-01-01");
    one(&persons, row(1, 1, &[ended])).await;
    one(&persons, row(1, 2, &[("LederCPRnummer", boss.as_str()), ("Medarbejdernummer", "broken")])).await;
    let other = one(&persons, row(1, 3, &[ended, ("InstitutionsID1", "A2")])).await.1.unwrap();
    kept.execute("UPDATE person SET content = 'x' WHERE staff = 'broken'").await.unwrap();
    let day = jiff::civil::date(2026, 11, 29);
    assert_eq!(erase::over(&store, day, &fixed()).await.unwrap(), 1);
    assert!(shown::with_number(&database, other).await.unwrap().is_empty());
}

async fn a_managers_staff_number_is_looked_up_among_the_managers_employments(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let boss = cpr(9);
    let by = |staff| [("LederCPRnummer", boss.as_str()), ("LederMedarbejdernummer", staff)];
    assert_eq!(one(&persons, row(1, 1, &by("1"))).await.0, "OPRETTET LederCPRnummer:PER101", "who comes may have it");
    one(&persons, row(1, 9, &[("Medarbejdernummer", "1")])).await;
    assert_eq!(one(&persons, row(1, 1, &by("1"))).await.0, "UAENDRET");
    assert_eq!(one(&persons, row(1, 1, &by("2"))).await.0, "OPDATERET LederMedarbejdernummer:PER106");
    let alone = [("LederMedarbejdernummer", "2")];
    assert_eq!(
        one(&persons, row(1, 1, &alone)).await.0,
        "UAENDRET LederMedarbejdernummer:PER106",
        "the manager is the one of before"
    );
    // The employment comes in the same call, before one and after another.
    let second: &[(&str, &str)] = &[("Medarbejdernummer", "2")];
    let rows = vec![row(1, 2, &by("2")), row(2, 9, second), row(3, 3, &by("2"))];
    let answers = persons.import_all(scope(OWN), rows, at(NOW)).await.unwrap();
    let lines: Vec<_> = answers.iter().map(line).collect();
    let due = ["OPRETTET LederMedarbejdernummer:PER106", "OPRETTET Medarbejdernummer:PER103", "OPRETTET"];
    assert_eq!(lines, due);
    assert_eq!(one(&persons, row(1, 4, &alone)).await.0, "OPRETTET LederMedarbejdernummer:PER106", "of nobody");
    let own = cpr(5);
    let themselves = [("LederCPRnummer", own.as_str()), ("LederMedarbejdernummer", "1")];
    assert_eq!(one(&persons, row(1, 5, &themselves)).await.0, "OPRETTET", "somebody may manage themselves");
    let last = outbox::waiting(&database, 0, 100).await.unwrap().pop().unwrap().1;
    assert_eq!(last.manager_staff_number.as_deref(), Some("1"), "it is handed on");
}

/// A small generator, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Rows of a few persons who want each other's user names and addresses, manage each other, come, go, and are wrong.
fn tangled(seed: u64, rows: usize) -> Vec<Vec<(&'static str, String)>> {
    let mut dice = Dice(seed);
    let mut made = Vec::new();
    for _ in 0..rows {
        let mut more = vec![
            ("CPRnummer", cpr(dice.roll(9))),
            ("Medarbejdernummer", (dice.roll(2) + 1).to_string()),
            ("Brugernavn", format!("navn{}", dice.roll(7))),
            ("Email", format!("post{}@institution.dk", dice.roll(6))),
            ("InstitutionsID1", ["A1", "A1", "A1", "A2", "A9"][dice.roll(5)].to_owned()),
        ];
        match dice.roll(6) {
            0 => more.push(("LederCPRnummer", cpr(dice.roll(12)))),
            1 => more.push(("LederCPRnummer", String::new())),
            2 => more.push(("Aktionskodedato", ["2026-12-01", ""][dice.roll(2)].to_owned())),
            3 => more.push(("Koen", ["7", "1", "-"][dice.roll(3)].to_owned())),
            _ => {}
        }
        made.push(more);
    }
    made
}

#[tokio::test]
async fn answers_and_what_is_kept_do_not_depend_on_how_a_file_is_divided() {
    for seed in 0..6 {
        let rows = tangled(seed, 120);
        let mut outcomes = Vec::new();
        for size in [1, 7, 500] {
            let kept = Kept::in_sqlite();
            let database = Database::open(&kept.settings, Access::Make).await.unwrap();
            let persons = persons(&database);
            let mut answers = Vec::new();
            let mut import = persons.import(scope(OWN), at(NOW));
            for (batch, some) in rows.chunks(size).enumerate() {
                let made = some.iter().enumerate().map(|(at, more)| {
                    let more: Vec<(&str, &str)> = more.iter().map(|(field, value)| (*field, value.as_str())).collect();
                    row((batch * size + at) as u64 + 1, 50, &more)
                });
                answers.extend(import.batch(made.collect()).await.unwrap());
            }
            // Running numbers are others each time: a person is told by the row that made it.
            let mut first = BTreeMap::new();
            for answer in &answers {
                first.entry(answer.number).or_insert(answer.row);
            }
            let lines: Vec<_> =
                answers.iter().map(|answer| (line(answer), answer.number.map(|_| first[&answer.number]))).collect();
            let mut there = Vec::new();
            for (number, row) in first.iter().filter_map(|(number, row)| Some(((*number)?, *row))) {
                for shown in shown::with_number(&database, number).await.unwrap() {
                    let manager = shown.manager.map(|manager| first[&Some(manager)]);
                    there.push((row, shown.staff_number, manager, shown.waits_for_manager, shown.fields));
                }
            }
            there.sort();
            let last: BTreeSet<i64> = handed(&database).await.into_iter().map(|handed| handed.0).collect();
            assert_eq!(last, first.keys().copied().flatten().collect(), "whoever is there is handed on");
            outcomes.push((lines, there));
        }
        assert_eq!(outcomes[0], outcomes[1], "seed {seed}");
        assert_eq!(outcomes[0], outcomes[2], "seed {seed}");
        let statuses: BTreeSet<&str> = outcomes[0].0.iter().map(|(line, _)| line.split(' ').next().unwrap()).collect();
        assert!(statuses.contains("OPRETTET") && statuses.contains("AFVIST"), "{statuses:?}");
    }
}

/// Rows with numbers where they belong, where none belongs, and rows that are wrong otherwise.
fn rows_with_numbers() -> Vec<Row> {
    let boss = cpr(40);
    let row = |n: usize| match n {
        0 => row(1, 0, &[("Brugernavn", &cpr(0))]),
        // Also of somebody who is not in the row.
        1 => row(2, 1, &[("Stillingsbetegnelse", &with_hyphen(&cpr(59)))]),
        2 => row(3, 2, &[(&cpr(2), "x"), ("EAN", "1")]),
        3 => row(4, 3, &[("InstitutionsID1", "X")]),
        n => row(n as u64 + 1, n, &[("LederCPRnummer", &boss)]),
    };
    (0..60).map(row).collect()
}

/// That none of those numbers is there in any form.
fn has_no_number(written: &[u8], place: &str) {
    for number in (0..60).map(cpr) {
        for form in [number.clone(), with_hyphen(&number)] {
            // As it is, and in the hexadecimal digits in which a database shows bytes.
            for form in [form.clone(), hjemmel::hex::encode(form.as_bytes())] {
                assert!(memchr::memmem::find(written, form.as_bytes()).is_none(), "{place}: {number}");
            }
        }
    }
}

async fn no_table_of_a_store_holds_a_cpr_number(kept: Kept) {
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let answers = persons(&database).import_all(scope(OWN), rows_with_numbers(), at(NOW)).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.status == Status::Refused).count(), 4);
    let mut filled = BTreeSet::new();
    for (table, columns) in database.columns().await.unwrap() {
        let hex = |column: &String| format!("coalesce(hex(\"{column}\"), '')");
        let row = match kept.settings.at {
            hjemmel::store::At::Sqlite(_) => columns.iter().map(hex).collect::<Vec<_>>().join(" || ' ' || "),
            hjemmel::store::At::Postgres(_) => format!("row_to_json(\"{table}\")::text"),
        };
        let every: &'static str = Box::leak(format!("SELECT {row} AS written FROM \"{table}\"").into_boxed_str());
        for row in database.all(hjemmel::store::sql(every)).await.unwrap() {
            has_no_number(row.get::<String>("written").unwrap().to_lowercase().as_bytes(), &table);
            filled.insert(table.clone());
        }
    }
    assert!(["person", "person_number", "person_outbox"].iter().all(|table| filled.contains(*table)), "{filled:?}");
}

#[tokio::test]
async fn no_file_of_a_store_a_result_or_a_copy_holds_a_cpr_number() {
    let kept = Kept::in_sqlite();
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let answers = persons.import_all(scope(OWN), rows_with_numbers(), at(NOW)).await.unwrap();
    let mut results = ResultFile::new(Vec::new()).unwrap();
    answers.iter().for_each(|answer| results.write(answer).unwrap());
    std::fs::write(kept.dir.path().join("result.csv"), results.finish().unwrap()).unwrap();
    std::fs::write(kept.dir.path().join("debug.txt"), format!("{answers:?} {persons:?}")).unwrap();
    copies::backup(&kept.path(), &kept.dir.path().join("copy.sqlite")).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.status == Status::Refused).count(), 4);
    let mut looked_at = 0;
    for entry in std::fs::read_dir(kept.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        has_no_number(&std::fs::read(&path).unwrap(), &path.display().to_string());
        looked_at += 1;
    }
    // The store and its journal, which is emptied and stays; the copy, the results and what is shown of them.
    assert!(looked_at == 5, "{looked_at} files");
}

#[tokio::test]
async fn of_whoever_is_erased_no_byte_stays_in_the_stores_file() {
    let kept = Kept::in_sqlite();
    let store = Store::open_to(Access::Make, &kept.settings).await.unwrap();
    let persons = persons(store.database());
    let ended = [("Aktionskodedato", "2026-01-01"), ("Stillingsbetegnelse", "Slettes helt")];
    for batch in 0..3 {
        let rows = (0..200).map(|n| row(n as u64 + 1, 200 * batch + n, &ended)).collect();
        persons.import_all(scope(OWN), rows, at(NOW)).await.unwrap();
    }
    let rows = store.database().all(hjemmel::store::sql("SELECT pseudonym FROM person_number")).await.unwrap();
    let mut marks: Vec<Vec<u8>> = rows.iter().map(|row| row.get("pseudonym").unwrap()).collect();
    marks.extend(["Slettes helt", "bruger17", "Person 17"].map(|text| text.as_bytes().to_vec()));
    let stays = |marks: &[Vec<u8>]| {
        let file = std::fs::read(kept.path()).unwrap();
        marks.iter().filter(|mark| memchr::memmem::find(&file, mark).is_some()).count()
    };
    assert_eq!(stays(&marks), marks.len(), "it is looked where they stand");
    assert_eq!(erase::over(&store, jiff::civil::date(2026, 11, 29), &fixed()).await.unwrap(), 600);
    store.close().await;
    assert_eq!(stays(&marks), 0);
}

#[tokio::test]
async fn whoever_comes_outside_the_agreed_times_is_taken_with_a_warning() {
    let kept = Kept::in_sqlite();
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let persons = persons(&database);
    let hours = |from, to| Some((jiff::civil::time(from, 0, 0, 0), jiff::civil::time(to, 0, 0, 0)));
    // Noon in Copenhagen in winter.
    for (n, times, due) in [(1, hours(6, 22), "OPRETTET"), (2, hours(22, 6), "OPRETTET :PER104"), (3, None, "OPRETTET")] {
        let answers = persons.import_all(Scope { times, ..scope(OWN) }, vec![row(1, n, &[])], at("2026-11-29T11:00:00Z")).await;
        assert_eq!(line(&answers.unwrap()[0]), due);
    }
}
