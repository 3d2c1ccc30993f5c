//! More at once than the pool has connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hjemmel::agreements::request::Content;
use hjemmel::agreements::rules::{Rule, Rules};
use hjemmel::agreements::{Agreement, State, Store};
use hjemmel::decisions::{By, agreement, ending};
use hjemmel::store::{Access, Database, Settings};
use tokio::task::JoinSet;

use crate::agreement_life::{KORSBAEK, OWNER, SERVICE, SIGNATORY, content, decided, opened, requested};
use crate::kept::Kept;
use crate::people::{NOW, at, because, signer};

/// Several for each connection.
const CROWD: usize = 16;

crate::on_both! {
    decisions_and_proposals_of_more_than_there_are_connections_are_all_made_while_others_read;
    whoever_waits_to_decide_holds_no_connection;
    whoever_waits_to_decide_for_too_long_is_told_that_another_writes;
}

fn of_korsbaek() -> Content {
    Content { authorities: vec![KORSBAEK.parse().unwrap()], ..content() }
}

async fn asked(store: &Store, many: usize) -> Vec<Agreement> {
    let mut asked = Vec::new();
    for _ in 0..many {
        asked.extend(requested(store, of_korsbaek()).await.1);
    }
    asked
}

/// Each is asked for at once; how many there were that were answered.
async fn at_once<T: Send + 'static>(all: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let mut under_way = JoinSet::new();
    for one in all {
        under_way.spawn(one);
    }
    under_way.join_all().await
}

async fn decisions_and_proposals_of_more_than_there_are_connections_are_all_made_while_others_read(mut kept: Kept) {
    // Whoever holds one and takes another waits for itself.
    kept.settings.max_connections = 1;
    kept.settings.patience = Duration::from_secs(20);
    let store = opened(&kept).await;
    let held = asked(&store, 1).await.remove(0);
    let held = decided(&store, &held, State::Approved, SIGNATORY).await.unwrap();
    let rule = Rule { inf_refs: vec!["BILAG".to_owned()], ..Rule::default() };
    let rules = Arc::new(Rules::new([(SERVICE, rule)].into()));
    let wanted = asked(&store, CROWD).await;
    let deciding = wanted.into_iter().map(|wanted| {
        let store = store.clone();
        async move {
            let by = signer(SIGNATORY);
            agreement::decide(&store, By::Key(&by), &wanted, State::Approved, &because(NOW), None).await.map(|made| made.state)
        }
    });
    let proposing = (0..CROWD).map(|_| {
        let (store, rules, held) = (store.clone(), rules.clone(), held.clone());
        async move { ending::propose(&store, &held, None, &rules, at(NOW)).await.map(drop) }
    });
    let reading = (0..CROWD).map(|_| {
        let (store, id) = (store.clone(), held.id);
        async move { store.get(id).await.map(drop) }
    });
    let (decided, proposed, read) = tokio::join!(at_once(deciding), at_once(proposing), at_once(reading));
    for made in decided {
        assert_eq!(made.unwrap(), State::Approved);
    }
    proposed.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    read.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    let proposed = ending::propose(&store, &held, None, &rules, at(NOW)).await.unwrap();
    ending::end(&store, By::Key(&signer(OWNER)), &proposed, &because(NOW), None).await.unwrap();
}

async fn whoever_waits_to_decide_holds_no_connection(kept: Kept) {
    let settings = Settings { max_connections: 2, patience: Duration::from_secs(60), ..kept.settings.clone() };
    let store = Database::open(&settings, Access::Make).await.unwrap();
    let decision = store.begin().await.unwrap();
    let waiting: Vec<_> = (0..CROWD)
        .map(|_| {
            let store = store.clone();
            async move { store.begin().await.unwrap().commit().await }
        })
        .collect();
    let waiting = tokio::spawn(at_once(waiting));
    for _ in 0..CROWD {
        // Each of them has got as far as it can.
        tokio::task::yield_now().await;
        store.revision().await.unwrap();
    }
    decision.commit().await.unwrap();
    waiting.await.unwrap().into_iter().collect::<Result<Vec<_>, _>>().unwrap();
}

async fn whoever_waits_to_decide_for_too_long_is_told_that_another_writes(kept: Kept) {
    Database::open(&kept.settings, Access::Make).await.unwrap().close().await;
    let settings = Settings { patience: Duration::from_secs(2), ..kept.settings.clone() };
    let store = Database::open(&settings, Access::Make).await.unwrap();
    let decision = store.begin().await.unwrap();
    let refused = store.begin().await.unwrap_err();
    assert!(refused.is_away(), "{refused}");
    decision.commit().await.unwrap();
    // Once it ended, whoever comes is let in, in the end on a busy machine too.
    let deadline = Instant::now() + Duration::from_secs(60);
    let next = loop {
        match store.begin().await {
            Ok(next) => break next,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    next.commit().await.unwrap();
}
