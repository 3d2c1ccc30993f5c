//! A store that was put back to an earlier state by other means than ours looks like itself. Whoever saw it further on knows.

use std::process::Command;

use hjemmel::agreements::{State, Store, import::Import};
use hjemmel::decisions::{By, ending};
use hjemmel::store::seen::Sight;
use hjemmel::store::{Settings, StoreError};
use hjemmel::stub::pki::Role as Key;
use hjemmel::users::rights::Role;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::agreements::{FRONT, both_sides};
use crate::kept::{Kept, on};
use crate::people::{self, NOW, at};
use crate::postgres::Cluster;

const NODE: Uuid = Uuid::from_u128(1);

/// A node with its own folder, and the store that it looks at.
struct Node {
    store: Store,
    folder: tempfile::TempDir,
    sight: Sight,
}

impl Node {
    async fn new(settings: &Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(settings).await.unwrap();
        let sight = Sight::open(store.database(), NODE, folder.path()).await.unwrap();
        Self { store, folder, sight }
    }

    /// The same after it was started again.
    async fn again(self, settings: &Settings) -> Self {
        let store = Store::open(settings).await.unwrap();
        let sight = Sight::open(store.database(), NODE, self.folder.path()).await.unwrap();
        Self { store, folder: self.folder, sight }
    }

    async fn looks(&mut self) -> Result<(), StoreError> {
        self.sight.look(at(NOW)).await
    }

    async fn answers_over_each(&self, connections: u32) -> bool {
        let ask = |store: Store| async move { store.list().await.is_ok() };
        let asked: JoinSet<bool> = (0..connections).map(|_| ask(self.store.clone())).collect();
        asked.join_all().await.into_iter().all(|answered| answered)
    }

    async fn ends_the_agreement(&self) {
        let shown = self.store.get(FRONT).await.unwrap();
        let (signatory, because) = (people::signer(Key::PersonSignatory), people::because(NOW));
        let rules = hjemmel::agreements::rules::Rules::default();
        let ending = ending::propose(&self.store, &shown, None, &rules, because.at).await.unwrap();
        ending::end(&self.store, By::Key(&signatory), &ending, &because, None).await.unwrap();
    }

    /// Refuses everything of it, names the decision that is missing, and goes on once somebody has accepted it.
    async fn believes_nothing_until_it_is_accepted(&mut self, kept: &Kept) {
        let missing = self.looks().await.unwrap_err();
        assert!(matches!(&missing, StoreError::PutBack { why, .. } if why.contains("is not in it")), "{missing}");
        for told in ["hjemmel store restored --reason TEXT", "hjemmel audit decisions"] {
            assert!(missing.to_string().contains(told), "{missing}");
        }
        assert!(matches!(self.store.list().await, Err(StoreError::PutBack { .. })), "reading");
        assert!(matches!(self.store.change().await, Err(StoreError::PutBack { .. })), "and writing");

        kept.write_configuration();
        let accepts = ["store", "restored", "--reason", "disken gik tabt", "--config", "hjemmel.toml"];
        let said = Command::new(env!("CARGO_BIN_EXE_hjemmel")).args(accepts).current_dir(kept.dir.path()).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        self.looks().await.unwrap();
        assert_eq!(self.store.get(FRONT).await.unwrap().state, State::Approved, "as it was, and said to be so");
        let decisions = self.store.every_decision().await.unwrap();
        let accepted = decisions.last().unwrap();
        assert_eq!((accepted.what.subject.name(), accepted.what.to.as_str()), ("store", "RESTORED"));
        assert_eq!((accepted.because.reason.as_str(), accepted.user), ("disken gik tabt", None), "by whoever holds the store");
    }
}

/// A store with an agreement that holds, and who may end it.
async fn filled(node: &Node) {
    let import = Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap();
    node.store.import(&import, at(NOW)).await.unwrap();
    let authority = node.store.get(FRONT).await.unwrap().authority.to_string();
    people::add(&node.store, &[(Key::PersonSignatory, Role::Signatory, Some(&authority))]).await;
}

#[tokio::test]
async fn a_file_that_was_copied_over_the_store_while_nobody_had_it_open_opens_no_agreement_unsaid() {
    let kept = Kept::in_sqlite();
    let mut node = Node::new(&kept.settings).await;
    filled(&node).await;
    node.looks().await.unwrap();
    let copy = kept.dir.path().join("copy");
    std::fs::copy(kept.path(), &copy).unwrap();
    node.ends_the_agreement().await;
    node.looks().await.unwrap();
    node.store.close().await;
    std::fs::copy(&copy, kept.path()).unwrap();
    let mut node = node.again(&kept.settings).await;
    node.believes_nothing_until_it_is_accepted(&kept).await;
}

#[tokio::test]
async fn a_server_whose_disk_was_put_back_from_a_snapshot_under_a_node_opens_no_agreement_unsaid() {
    let Some(cluster) = Cluster::own() else { return };
    let (settings, dir) = on(&cluster, &cluster.database().name);
    let kept = Kept::of(settings, dir);
    let mut node = Node::new(&kept.settings).await;
    filled(&node).await;
    node.looks().await.unwrap();
    cluster.snapshot();
    // The connections of before are found out one by one: as many are asked at once.
    while !node.answers_over_each(kept.settings.max_connections).await {}
    node.ends_the_agreement().await;
    node.looks().await.unwrap();
    cluster.put_disk_back();
    while node.looks().await.is_err_and(|error| !error.is_put_back()) {}
    node.believes_nothing_until_it_is_accepted(&kept).await;
}

#[tokio::test]
async fn rows_that_were_filled_in_from_a_dump_under_a_node_open_no_agreement_unsaid() {
    let Some(cluster) = Cluster::own() else { return };
    let database = cluster.database().name;
    let (settings, dir) = on(&cluster, &database);
    let kept = Kept::of(settings, dir);
    let mut node = Node::new(&kept.settings).await;
    filled(&node).await;
    node.looks().await.unwrap();
    let rows = cluster.rows(&database);
    node.ends_the_agreement().await;
    node.looks().await.unwrap();
    cluster.put_rows_back(&database, &rows);
    node.believes_nothing_until_it_is_accepted(&kept).await;
}

async fn what_a_node_left_it_must_find_also_where_nothing_was_decided(kept: Kept) {
    let mut node = Node::new(&kept.settings).await;
    node.looks().await.unwrap();
    node.sight.leave(at(NOW)).await.unwrap();
    let mut node = node.again(&kept.settings).await;
    node.looks().await.unwrap();
    node.sight.leave(at(NOW)).await.unwrap();
    // As a copy of before the last look has it.
    kept.execute("UPDATE store_seen SET mark = mark - 1").await.unwrap();
    let node = node.again(&kept.settings).await;
    let told = node.sight.examine().await.unwrap_err();
    assert!(matches!(&told, StoreError::PutBack { why, .. } if why.contains("this node left it at")), "{told}");
}

async fn another_store_and_a_node_that_never_saw_this_one_begin_anew(kept: Kept) {
    let mut node = Node::new(&kept.settings).await;
    filled(&node).await;
    node.looks().await.unwrap();
    let another = kept.another();
    let mut node = node.again(&another.settings).await;
    node.looks().await.unwrap();
    node.looks().await.unwrap();
    Node::new(&kept.settings).await.looks().await.unwrap();
}

async fn a_node_whose_own_folder_was_put_back_goes_on(kept: Kept) {
    let mut node = Node::new(&kept.settings).await;
    node.looks().await.unwrap();
    let file = node.folder.path().join("store-seen.json");
    let before = std::fs::read(&file).unwrap();
    for _ in 0..3 {
        node.sight.leave(at(NOW)).await.unwrap();
    }
    std::fs::write(&file, before).unwrap();
    let mut node = node.again(&kept.settings).await;
    node.looks().await.unwrap();
}

#[tokio::test]
async fn a_node_whose_file_cannot_be_read_is_told_what_to_do() {
    let kept = Kept::in_sqlite();
    let store = Store::open(&kept.settings).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("store-seen.json"), "{\"store\": 7}").unwrap();
    let told = Sight::open(store.database(), NODE, folder.path()).await.err().unwrap().to_string();
    assert!(told.contains("put it back, or remove it"), "{told}");
}

crate::on_both! {
    what_a_node_left_it_must_find_also_where_nothing_was_decided;
    another_store_and_a_node_that_never_saw_this_one_begin_anew;
    a_node_whose_own_folder_was_put_back_goes_on;
}
