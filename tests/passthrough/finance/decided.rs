//! What is decided in one process holds in another within a second: agreements and routes, on SQLite, and on PostgreSQL with
//! notices of changes and without.

use std::time::{Duration, Instant};

use hjemmel::agreements::route::store::{Decision, InTheWay};
use hjemmel::agreements::{Route, State, Store};
use hjemmel::clock::{Clock, civil_day};
use hjemmel::store::Dialect;
use uuid::{Uuid, uuid};

use super::gateway::Finance;
use super::killed::{Gateway, Scene};
use crate::decides::Decides;
use crate::world::{BY_TOKEN, named, parsed};

const FRONT: Uuid = uuid!("7a000000-0000-4000-8000-000000000001");
const BACK: Uuid = uuid!("7a000000-0000-4000-8000-000000000002");
const ROUTE: Uuid = uuid!("7a000000-0000-4000-8000-000000000003");
const IN_FORCE: Duration = Duration::from_secs(1);

/// The revision is made anew by a change, as before, and nobody is told.
const NO_NOTICES: &str = "CREATE OR REPLACE FUNCTION revise() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM changed) THEN
        UPDATE revision SET value = uuid_send(gen_random_uuid());
    END IF;
    RETURN NULL;
END $$";

/// The receipt's code of a delivery that has no route, or no agreement behind that holds.
const NOT_COVERED: &str = "FB001";

/// What a call to the node comes to: the code of the fault or of the receipt, or that it was served.
async fn says(scene: &Scene, node: &Gateway, seed: &mut u64) -> String {
    *seed += 1;
    let answer = scene.send(node.port, &Finance::sample(*seed, BY_TOKEN, 1)).await.await.unwrap();
    let document = parsed(&answer.body);
    let code = ["ErrorCode", "FejlKode"].into_iter().find_map(|name| named(&document, name));
    code.map_or("served".to_owned(), |code| code.text().unwrap().into_owned())
}

/// How long it takes from now until a call comes to that.
async fn until(scene: &Scene, node: &Gateway, due: &str, seed: &mut u64) -> Duration {
    let began = Instant::now();
    loop {
        // When it was sent: what is answered later was judged then.
        let sent = began.elapsed();
        let said = says(scene, node, seed).await;
        if said == due {
            return sent;
        }
        assert!(sent < Duration::from_secs(60), "never {due}, but {said}");
    }
}

async fn each_decision_holds_in_another_process_within_a_second(mut scene: Scene) {
    let node = scene.node("other").await;
    let (store, mut seed) = (Store::open(&scene.store).await.unwrap(), 700);
    assert_eq!(says(&scene, &node, &mut seed).await, "served");
    let decision = || Decision { by: "Drift".into(), reason: "sag 7".into(), at: Clock::system().now() };
    let mut took = Vec::new();
    for (to, due) in [(State::Suspended, "ServiceAgreementNotActive"), (State::Approved, "served")] {
        store.decide(FRONT, to, "Underskriver", "sag 7", Clock::system().now()).await.unwrap();
        took.push((due, until(&scene, &node, due, &mut seed).await));
    }
    // The agreement behind: the sender's own holds, and is not what the receipt speaks of.
    for (to, due) in [(State::Suspended, NOT_COVERED), (State::Approved, "served")] {
        store.decide(BACK, to, "Underskriver", "sag 7", Clock::system().now()).await.unwrap();
        took.push((due, until(&scene, &node, due, &mut seed).await));
    }
    let ended = decision();
    let today = civil_day(ended.at).unwrap();
    let (route, _) = store.end_route(ROUTE, today, &ended).await.unwrap();
    took.push((NOT_COVERED, until(&scene, &node, NOT_COVERED, &mut seed).await));
    let period = hjemmel::agreements::route::Period::new(today, None).unwrap();
    let next = Route { id: Uuid::new_v4(), period, ..route };
    store.add_routes(&[next], InTheWay::Refuse, &decision()).await.unwrap();
    took.push(("served", until(&scene, &node, "served", &mut seed).await));
    println!("{took:?}");
    // The least of those that close, and of those that open: another program may have the machine meanwhile.
    for closes in [true, false] {
        let least = took.iter().filter(|(due, _)| (*due != "served") == closes).map(|(_, took)| *took).min().unwrap();
        assert!(least < IN_FORCE, "{took:?}");
    }
    store.close().await;
    node.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_sqlite_a_decision_in_one_process_holds_in_another_within_a_second() {
    each_decision_holds_in_another_process_within_a_second(Scene::new(Dialect::Sqlite).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_postgresql_a_decision_in_one_process_holds_in_another_within_a_second() {
    let Some(scene) = Scene::new(Dialect::Postgres).await else { return };
    each_decision_holds_in_another_process_within_a_second(scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_postgresql_without_notices_a_decision_in_one_process_holds_in_another_within_a_second() {
    let Some(scene) = Scene::new(Dialect::Postgres).await else { return };
    let cluster = scene.cluster.as_ref().unwrap();
    let database = scene.store.at.to_string().rsplit('/').next().unwrap().to_owned();
    cluster.psql_in(&database, NO_NOTICES);
    each_decision_holds_in_another_process_within_a_second(scene).await;
}
