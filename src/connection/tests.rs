//! Graphs and where tasks stand. The oracle is a second formulation, over the TOML itself and by sets of ids: it shares no code with
//! the loader or with [`super::standing`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use proptest::prelude::*;

use super::graph::{Consenting, Graph, Stage};
use super::standing::{self, Known, Sight, State, Uses};
use super::{FILES, graphs, load};
use crate::refusal::Detail;

const FINANCE: &str = FILES[0];

type Done = BTreeSet<String>;

// ---- The oracle -----------------------------------------------------------------------------------------------------------

struct Oracle {
    tasks: BTreeMap<String, toml::Table>,
    used: BTreeSet<String>,
}

fn texts(task: &toml::Table, key: &str) -> BTreeSet<String> {
    let Some(toml::Value::Array(all)) = task.get(key) else { return BTreeSet::new() };
    all.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn word<'t>(task: &'t toml::Table, key: &str) -> Option<&'t str> {
    task.get(key).and_then(|value| value.as_str())
}

impl Oracle {
    fn new(file: &str, uses: &Uses) -> Self {
        let file: toml::Table = file.parse().unwrap();
        let tasks = file["task"].as_array().unwrap().iter().map(|task| task.as_table().unwrap().clone());
        let tasks = tasks.map(|task| (word(&task, "id").unwrap().to_owned(), task)).collect();
        let mut used = uses.options.clone();
        used.extend(uses.owners_differ.then(|| "owners-differ".to_owned()));
        Self { tasks, used }
    }

    fn fits(&self, id: &str) -> bool {
        let (any, all) = (texts(&self.tasks[id], "options"), texts(&self.tasks[id], "where"));
        (any.is_empty() || !any.is_disjoint(&self.used)) && all.is_subset(&self.used)
    }

    /// Passed over: another alternative was taken.
    fn passed_over(&self, id: &str, done: &Done) -> bool {
        let Some(choice) = word(&self.tasks[id], "choice") else { return false };
        let taken = |other: &&String| word(&self.tasks[*other], "choice") == Some(choice) && self.fits(other);
        !done.contains(id) && done.iter().any(|other| taken(&other))
    }

    fn needed(&self, id: &str, done: &Done) -> bool {
        let alternative = word(&self.tasks[id], "chosen");
        self.fits(id)
            && !self.passed_over(id, done)
            && alternative.is_none_or(|other| self.fits(other) && !self.passed_over(other, done))
    }

    fn open(&self, done: &Done) -> Done {
        self.tasks.keys().filter(|id| self.needed(id, done) && !done.contains(*id)).cloned().collect()
    }

    fn blockers(&self, id: &str, done: &Done) -> Done {
        let (task, open) = (&self.tasks[id], self.open(done));
        let signed_with = |need: &String| {
            let joint = word(&self.tasks[need], "joint");
            let all: Done = self
                .tasks
                .iter()
                .filter(|(_, other)| joint.is_some() && word(other, "joint") == joint)
                .map(|(id, _)| id.clone())
                .collect();
            if all.is_empty() { [need.clone()].into() } else { all }
        };
        let mut before: Done = texts(task, "needs").iter().flat_map(signed_with).collect();
        before.extend(word(task, "chosen").map(|other| signed_with(&other.to_owned())).into_iter().flatten());
        for list in task.get("needs_one").and_then(|lists| lists.as_array()).into_iter().flatten() {
            let list: Done = list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
            if list.is_disjoint(done) {
                before.extend(list);
            }
        }
        if word(task, "stage") == Some("connection") {
            let first = |task: &toml::Table| {
                word(task, "stage") == Some("prerequisite")
                    && task.get("holds_back").and_then(|value| value.as_bool()) != Some(false)
            };
            before.extend(self.tasks.iter().filter(|(_, task)| first(task)).map(|(id, _)| id.clone()));
        }
        before.intersection(&open).cloned().collect()
    }
}

// ---- Helpers --------------------------------------------------------------------------------------------------------------

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn uses(options: &[&str], owners_differ: bool) -> Uses {
    Uses { options: options.iter().map(|option| (*option).to_owned()).collect(), owners_differ }
}

fn known(graph: &Graph, done: &Done) -> Vec<Known> {
    let one = |task: &super::graph::Task| Known { stated: done.contains(&task.id).then(|| at(1)), ..Known::default() };
    graph.tasks.iter().map(one).collect()
}

fn stand(graph: &Graph, uses: &Uses, done: &Done) -> BTreeMap<String, State> {
    let standings = standing::of(graph, uses, &known(graph, done), at(0));
    graph.tasks.iter().zip(standings).map(|(task, standing)| (task.id.clone(), standing.state)).collect()
}

fn ids(graph: &Graph, places: &[usize]) -> Done {
    places.iter().map(|&place| graph.tasks[place].id.clone()).collect()
}

/// Whether every task stands where the oracle says.
fn agrees(file: &str, graph: &Graph, uses: &Uses, done: &Done) -> Result<(), String> {
    let oracle = Oracle::new(file, uses);
    for (id, state) in stand(graph, uses, done) {
        let blockers = oracle.blockers(&id, done);
        let right = match &state {
            State::NotNeeded => !oracle.needed(&id, done),
            State::Stated => oracle.needed(&id, done) && done.contains(&id),
            State::Ready => oracle.open(done).contains(&id) && blockers.is_empty(),
            State::Waiting(waits) => oracle.open(done).contains(&id) && !blockers.is_empty() && ids(graph, waits) == blockers,
            State::Seen | State::FellBack { .. } | State::KeptBack(_) => false,
        };
        if !right {
            return Err(format!("{id} is {state:?}, and the oracle has {blockers:?} before it; done {done:?}, {uses:?}\n{file}"));
        }
    }
    Ok(())
}

/// Does whatever can be done, one at a time, and fails where something is missing and nobody can do anything.
fn finishes(graph: &Graph, uses: &Uses, mut done: Done) -> Result<(), String> {
    for _ in 0..=graph.tasks.len() {
        let standings = standing::of(graph, uses, &known(graph, &done), at(0));
        if standing::is_finished(&standings) {
            return Ok(());
        }
        let next = graph.tasks.iter().zip(&standings).rev().find(|(_, standing)| standing.state.is_next());
        let Some((task, _)) = next else { return Err(format!("stuck with {done:?} done, {uses:?}")) };
        done.insert(task.id.clone());
    }
    Err("more rounds than tasks".to_owned())
}

fn any_uses(graph: &'static Graph) -> impl Strategy<Value = (Uses, Done)> {
    let options: Vec<String> = graph.options.iter().map(|option| option.id.clone()).collect();
    let tasks: Vec<String> = graph.tasks.iter().map(|task| task.id.clone()).collect();
    let of = |all: Vec<String>| {
        let most = all.len();
        proptest::sample::subsequence(all, 0..=most).prop_map(|some| some.into_iter().collect::<BTreeSet<_>>())
    };
    (of(options), of(tasks), any::<bool>()).prop_map(|(options, done, owners_differ)| (Uses { options, owners_differ }, done))
}

/// A graph of up to seven tasks, in which anything may need anything.
fn any_file() -> impl Strategy<Value = String> {
    let task = (
        proptest::collection::btree_set(0..7_usize, 0..3),
        proptest::collection::btree_set(0..7_usize, 0..3),
        0..8_usize,
        any::<(bool, bool)>(),
        0..6_usize,
        0..4_usize,
    );
    proptest::collection::vec(task, 1..7).prop_map(|tasks| {
        let count = tasks.len();
        let mut file = "id = \"g\"\nversion = 1\nda = \"g\"\nen = \"g\"\nclient = { da = \"c\", en = \"c\" }\nreceiver = { da = \"r\", en = \"r\" }\n\
                        [[option]]\nid = \"o1\"\nda = \"o\"\nen = \"o\"\n[[option]]\nid = \"o2\"\nda = \"o\"\nen = \"o\"\n"
            .to_owned();
        for (at, (needs, one, chosen, (early, back), group, where_)) in tasks.into_iter().enumerate() {
            let named = |set: &BTreeSet<usize>| {
                let all: Vec<_> = set.iter().filter(|need| **need < count && **need != at).map(|need| format!("\"T{need}\"")).collect();
                all
            };
            file += &format!(
                "[[task]]\nid = \"T{at}\"\nda = \"t\"\nen = \"t\"\nparty = \"client\"\nonce = \"connection\"\n\
                 responsible = \"system-owner\"\nperformer = \"system-owner\"\nstage = \"{}\"\nneeds = [{}]\n",
                if early { "prerequisite" } else { "connection" },
                named(&needs).join(", ")
            );
            if named(&one).len() == 2 {
                file += &format!("needs_one = [[{}]]\n", named(&one).join(", "));
            }
            if early && back {
                file += "holds_back = false\n";
            }
            match group {
                0 | 1 => file += &format!("choice = \"c{group}\"\n"),
                2 => file += "joint = \"j\"\n",
                _ if chosen < count && chosen != at => file += &format!("chosen = \"T{chosen}\"\n"),
                _ => {}
            }
            match where_ {
                0 if group != 2 => file += "options = [\"o1\", \"o2\"]\n",
                1 if group != 2 => file += "where = [\"owners-differ\"]\n",
                2 if group != 2 => file += "where = [\"o1\"]\n",
                _ => {}
            }
        }
        file
    })
}

// ---- What must hold -------------------------------------------------------------------------------------------------------

#[test]
fn every_graph_that_comes_with_the_program_can_be_read() {
    for file in FILES {
        load::graph(file).unwrap();
    }
    let ids: Vec<_> = graphs().iter().map(|graph| graph.id.as_str()).collect();
    assert_eq!(ids, ["sf1590a", "terminaladgang", "sftp", "campus", "oedup"]);
}

#[test]
fn the_finance_graph_has_the_tasks_parties_and_needs_of_the_published_one() {
    let folder = std::env::var_os("HJEMMEL_REFERENCE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"), PathBuf::from);
    let Ok(published) = std::fs::read_to_string(folder.join("onboarding/sf1590a-tasks.toml")) else {
        println!(
            "NOT RUN: onboarding/sf1590a-tasks.toml is not here (set HJEMMEL_REFERENCE to the folder of reference material)"
        );
        return;
    };
    let published: toml::Table = published.parse().unwrap();
    let own = Oracle::new(FINANCE, &Uses::default());
    // Each with its reason at the head of the file.
    let more = [("TF107", "FB205"), ("TF107", "TB207")];
    let less = [("FF102", "FB204"), ("FB204", "FF102")];
    let once = [("TF102", "connection")];
    let tasks = published["task"].as_array().unwrap();
    assert_eq!(tasks.len(), own.tasks.len());
    for task in tasks.iter().map(|task| task.as_table().unwrap()) {
        let id = word(task, "id").unwrap();
        let ours = &own.tasks[id];
        assert_eq!(word(ours, "party").unwrap().replace("receiver", "ledger"), word(task, "party").unwrap(), "{id}");
        assert_eq!(word(ours, "stage"), word(task, "kind"), "{id}");
        let mut needs = texts(task, "after");
        needs.extend(more.iter().filter(|(of, _)| *of == id).map(|(_, need)| (*need).to_owned()));
        less.iter().filter(|(of, _)| *of == id).for_each(|(_, need)| assert!(needs.remove(*need)));
        assert_eq!(texts(ours, "needs"), needs, "{id}");
        let repeat = match word(task, "repeat").unwrap() {
            "per-connection" => "connection",
            repeat => repeat.strip_prefix("once-per-").unwrap(),
        };
        let repeat = repeat.replace("ledger", "receiver");
        let repeat = once.iter().find(|(of, _)| *of == id).map_or(repeat, |(_, narrower)| (*narrower).to_owned());
        assert_eq!(word(ours, "once").unwrap(), repeat, "{id}");
        let parts: BTreeSet<String> =
            word(task, "part").unwrap().split(", ").filter(|part| *part != "all").map(str::to_owned).collect();
        assert_eq!(texts(ours, "options"), parts, "{id}");
        let role = |name: &str| match name {
            "systemejer" => "system-owner",
            "systemansvarlig" => "system-responsible",
            "systemadministrator" => "system-administrator",
            "underskriftsberettiget" => "signatory",
            "forvaltningsansvarlig" => "supplier-administrator",
            _ => "infrastructure-responsible",
        };
        for key in ["responsible", "performer"] {
            assert_eq!(word(ours, key), word(task, key).map(role), "{id} {key}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn from_whatever_is_done_every_connection_can_be_finished_and_ready_is_what_the_oracle_says(
        (graph, (uses, done)) in (0..FILES.len()).prop_flat_map(|at| (Just(at), any_uses(&graphs()[at])))
    ) {
        agrees(FILES[graph], &graphs()[graph], &uses, &done).map_err(TestCaseError::fail)?;
        finishes(&graphs()[graph], &uses, done).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn a_graph_that_is_taken_can_be_finished_from_every_state_whatever_it_is(file in any_file(), owners_differ in any::<bool>(), o1 in any::<bool>()) {
        let Ok(graph) = load::graph(&file) else { return Ok(()) };
        let options = if o1 { ["o1".to_owned()].into() } else { BTreeSet::new() };
        let uses = Uses { options, owners_differ };
        // Every set of done tasks: at most 2^6.
        for bits in 0..1_usize << graph.tasks.len() {
            let done: Done = graph.tasks.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, task)| task.id.clone()).collect();
            agrees(&file, &graph, &uses, &done).map_err(TestCaseError::fail)?;
            finishes(&graph, &uses, done).map_err(|error| TestCaseError::fail(format!("{error}\n{file}")))?;
        }
    }
}

fn refused(file: &str) -> String {
    load::graph(file).unwrap_err().to_string()
}

#[test]
fn two_tasks_that_name_each_other_are_refused_until_they_are_one_agreement_with_two_signatures() {
    let literal = FINANCE
        .replacen("where = [\"owners-differ\"]\njoint = \"data-exchange\"", "where = [\"owners-differ\"]\nneeds = [\"FF102\"]", 1)
        .replacen(
            "where = [\"owners-differ\"]\njoint = \"data-exchange\"",
            "where = [\"owners-differ\"]\nneeds = [\"FB204\"]",
            1,
        );
    let told = refused(&literal);
    assert!(told.contains("FB204 needs FF102 needs FB204") && told.contains("the same joint"), "{told}");
    let graph = super::graph("sf1590a").unwrap();
    let uses = uses(&["straks"], true);
    let all: Done = graph.tasks.iter().filter(|task| task.stage == Stage::Prerequisite).map(|task| task.id.clone()).collect();
    for missing in ["FF102", "FB204"] {
        let done: Done = all.iter().filter(|id| *id != missing).cloned().collect();
        let stand = stand(graph, &uses, &done);
        assert_eq!(stand[missing], State::Ready, "either signs at any time");
        assert!(
            matches!(&stand["TF108"], State::Waiting(waits) if ids(graph, waits) == [missing.to_owned()].into()),
            "both signatures count"
        );
    }
    assert_eq!(stand(graph, &super::tests::uses(&["straks"], false), &Done::new())["FF102"], State::NotNeeded);
}

#[test]
fn a_prerequisite_that_needs_connection_tasks_is_refused_until_only_those_wait_for_it_that_name_it() {
    let told = refused(&FINANCE.replace("holds_back = false\n", ""));
    assert!(told.contains("FB205 is a prerequisite") && told.contains("holds_back = false"), "{told}");
    let graph = super::graph("sf1590a").unwrap();
    let early = graph.tasks.iter().filter(|task| task.stage == Stage::Prerequisite && task.id != "FB205");
    let done: Done = early.map(|task| task.id.clone()).collect();
    let stand = stand(graph, &uses(&["straks"], false), &done);
    assert_eq!((&stand["TF105"], &stand["TF108"]), (&State::Ready, &State::Ready), "they do not wait for the route");
    assert!(
        matches!(&stand["FB205"], State::Waiting(waits) if ids(graph, waits) == ["TF105", "TF109", "TF111"].map(str::to_owned).into())
    );
}

#[test]
fn of_two_alternatives_one_suffices_and_what_belongs_to_the_other_alone_is_not_needed() {
    let told = refused(&FINANCE.replacen("choice = \"sortiment-delivery\"\n", "", 1));
    assert!(told.contains("TF113-B is the only one of the choice"), "{told}");
    let graph = super::graph("sf1590a").unwrap();
    let early = graph.tasks.iter().filter(|task| task.stage == Stage::Prerequisite && task.id != "FB205");
    let mut done: Done = early.map(|task| task.id.clone()).collect();
    done.insert("TF103".to_owned());
    let sortiment = uses(&["sortiment"], false);
    let open = stand(graph, &sortiment, &done);
    assert_eq!((&open["TF113-A"], &open["TF113-B"]), (&State::Ready, &State::Ready));
    assert!(matches!(&open["TF101"], State::Waiting(waits) if ids(graph, waits) == ["TF113-A".to_owned()].into()));
    let by_hand = stand(graph, &sortiment, &done.iter().cloned().chain(["TF113-B".to_owned()]).collect());
    assert_eq!((&by_hand["TF113-A"], &by_hand["TF101"]), (&State::NotNeeded, &State::NotNeeded));
    let by_sftp = stand(graph, &sortiment, &done.iter().cloned().chain(["TF113-A".to_owned()]).collect());
    assert_eq!((&by_sftp["TF113-B"], &by_sftp["TF101"]), (&State::NotNeeded, &State::Ready));
}

#[test]
fn what_was_seen_and_is_so_no_more_has_fallen_back_and_what_stands_on_it_waits_again() {
    let graph = super::graph("terminaladgang").unwrap();
    let place = |id: &str| graph.find(id).unwrap();
    let mut known = vec![Known { sight: Sight::Done(Some(at(5))), ..Known::default() }; graph.tasks.len()];
    known[place("TA-INSTRUCTION")] = Known { stated: Some(at(3)), ..Known::default() };
    known[place("TA-CALL")] = Known::default();
    let uses = uses(&["verification"], false);
    let before = standing::of(graph, &uses, &known, at(0));
    assert_eq!(before[place("TA-CALL")], standing::Standing { state: State::Ready, since: Some(at(5)) });
    known[place("TA-FRONT-OK")].sight =
        Sight::Lost { since: Some(at(9)), why: Detail::new("aftalen er suspenderet", "the agreement is suspended") };
    let after = standing::of(graph, &uses, &known, at(0));
    assert!(
        matches!(&after[place("TA-FRONT-OK")], standing::Standing { state: State::FellBack { waits, .. }, since } if waits.is_empty() && *since == Some(at(9)))
    );
    assert_eq!(after[place("TA-CALL")].state, State::Waiting(vec![place("TA-FRONT-OK")]));
    assert!(!standing::is_finished(&after));
}

#[test]
fn what_a_side_has_not_agreed_to_is_nobodys_turn_and_what_needs_it_waits() {
    let graph = super::graph("terminaladgang").unwrap();
    let place = |id: &str| graph.find(id).unwrap();
    let mut known = vec![Known { sight: Sight::Done(Some(at(5))), ..Known::default() }; graph.tasks.len()];
    // Also where the store knows that it is done.
    known[place("TA-FRONT-OK")].kept_back = [Consenting::Authority].into();
    known[place("TA-CALL")] = Known::default();
    let after = standing::of(graph, &uses(&["verification"], false), &known, at(0));
    let kept_back = &after[place("TA-FRONT-OK")];
    assert_eq!(kept_back.state, State::KeptBack([Consenting::Authority].into()));
    assert!(!kept_back.state.is_next() && !kept_back.state.is_done() && kept_back.since.is_none());
    assert_eq!(after[place("TA-CALL")].state, State::Waiting(vec![place("TA-FRONT-OK")]));
    assert!(!standing::is_finished(&after));
}

#[test]
fn what_could_never_be_done_is_refused_with_the_way_to_mend_it() {
    let wrong = |from: &str, to: &str| refused(&FINANCE.replacen(from, to, 1));
    assert!(wrong("needs = [\"TF106\"]", "needs = [\"TB200\"]").contains("TB200 needs itself"));
    assert!(wrong("needs = [\"TF106\"]", "needs = [\"TF999\"]").contains("TF999, which is no task"));
    assert!(
        wrong("options = [\"straks\"]", "options = [\"strakx\"]").contains("the option strakx, which no connection can have")
    );
    assert!(wrong("id = \"FM002\"", "id = \"FM001\"").contains("stands twice"));
    assert!(wrong("seen = { what = \"users\" }", "stated = false").contains("can neither be seen nor stated"));
    assert!(wrong("chosen = \"TF113-A\"", "chosen = \"TF103\"").contains("in no other choice"));
    assert!(wrong("both = true", "both = true\nseen = { what = \"test\" }").contains("stated by both"));
    assert!(wrong("version = 1", "version = 1\nunknown = 2").contains("unknown"));
    assert!(wrong("needs = [\"TF105\"]\nboth", "needs = [\"TF105\", \"TB200\"]\nboth").contains("TB200 needs TF106 needs TB200"));
    assert!(load::graph(&"x".repeat(300_000)).is_err());
}

/// Connections of so many authorities with so many systems each, all to one service.
async fn many(store: &crate::agreements::Store, authorities: u32, systems: u32) {
    let mut transaction = store.database().begin_beside_others().await.unwrap();
    for authority in 0..authorities {
        for system in 0..systems {
            let add = crate::store::sql(
                "INSERT INTO connection (id, graph, service, environment, authority, client, receiver, receiver_authority, options, added_at)
                 VALUES ($1, 'sf1590a', $2, 'exttest', $3, $4, $5, $3, 'straks,masse,sortiment,verification', $6)",
            );
            let cvr = (10_000_000 + authority).to_string();
            let client = uuid::Uuid::from_u128(u128::from(system) + 1000);
            let add = add.bind(uuid::Uuid::now_v7()).bind(uuid::Uuid::from_u128(0x1590)).bind(cvr).bind(client);
            transaction.execute(add.bind(uuid::Uuid::from_u128(u128::from(authority))).bind(at(0))).await.unwrap();
        }
    }
    transaction.commit().await.unwrap();
}

/// `HJEMMEL_CONNECTIONS=98x20` measures the list of so many against one connection.
#[tokio::test]
async fn a_list_asks_each_table_once_however_many_connections_it_has() {
    let asked = std::env::var("HJEMMEL_CONNECTIONS").ok();
    let measured = asked.as_deref().and_then(|asked| asked.split_once('x'));
    let (authorities, systems) = measured.map_or((8, 5), |(one, other)| (one.parse().unwrap(), other.parse().unwrap()));
    let dir = tempfile::tempdir().unwrap();
    let settings = crate::store::Settings::sqlite(&dir.path().join("store.sqlite"));
    let store = crate::agreements::Store::open(&settings).await.unwrap();
    many(&store, authorities, systems).await;
    let scope = crate::users::Scope { whose: crate::users::Whose::Everybody, services: Vec::new() };
    let of = async |limit: u32| {
        let wanted = super::store::Wanted { limit, ..Default::default() };
        let begun = std::time::Instant::now();
        let connections = store.connections(&wanted, &scope, at(10)).await.unwrap();
        let mut session = store.database().session().await.unwrap();
        let (views, asked) = super::shown::views(&mut session, connections, at(10)).await.unwrap();
        (views.len(), asked, begun.elapsed())
    };
    let _warm = of(1).await;
    let (one, all) = (of(1).await, of(super::store::MOST).await);
    assert_eq!((one.0, all.0), (1, (authorities * systems) as usize));
    // Statements, assignments, and the tables in which the graph looks: agreements, systems' certificates, routes, users, SFTP users, monitoring, route
    // orders, value lists, subscriptions, and what was seen.
    assert_eq!((one.1, all.1), (12, 12));
    if measured.is_some() {
        println!("{} connections: {:?}; one: {:?}; {:.0} x", all.0, all.2, one.2, all.2.as_secs_f64() / one.2.as_secs_f64());
    }
}
