//! The whole store at once: copied, put back, moved from the one database to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hjemmel::agreements::route::store::InTheWay;
use hjemmel::agreements::{State, Store, import::Import};
use hjemmel::decisions::{Because, DecideError, restored};
use hjemmel::store::{Access, Database, Settings, StoreError, copies, moving, sql};

use crate::agreements::{FRONT, KORSBAEK_BACK, NOW, at, both_sides, routes};
use crate::decides::Decides;
use crate::kept::Kept;

async fn filled(settings: &Settings) -> Store {
    let store = Store::open(settings).await.unwrap();
    let import = Import::parse(&both_sides(), &hjemmel::services::vocabulary()).unwrap();
    store.import(&import, at("2026-01-02T00:00:00.123456Z")).await.unwrap();
    let open_ended = routes::route(1, "2026-01-01", None);
    let general =
        hjemmel::agreements::Route { sender: None, receiver: None, ..routes::route(2, "2025-01-01", Some("2026-01-01")) };
    store.add_routes(&[open_ended, general], InTheWay::Refuse, &routes::decision(NOW)).await.unwrap();
    store.decide(FRONT, State::Suspended, "A. Jensen", "sag 7, \"prøve\"\u{1F600}", at(NOW)).await.unwrap();
    store
}

async fn hjemmel(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_hjemmel"));
    let ended = process.args(arguments).current_dir(dir).kill_on_drop(true).output().await.unwrap();
    let said = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (ended.status.code(), said)
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns_each_with_a_key() {
    let in_file = Kept::in_sqlite();
    let file = Database::open(&in_file.settings, Access::Make).await.unwrap();
    let Some(kept) = Kept::in_postgres() else { return };
    let server = Database::open(&kept.settings, Access::Make).await.unwrap();
    let (here, there): (BTreeMap<_, _>, _) = (file.columns().await.unwrap(), server.columns().await.unwrap());
    assert_eq!(here, there);
    assert!(here.contains_key("agreement"));
}

/// `every_table.sql` has a row of each table; whoever adds a table adds one.
#[tokio::test]
async fn a_row_of_every_table_comes_back_from_a_copy_and_goes_to_a_server_the_same_by_its_digest() {
    let kept = Kept::in_sqlite();
    let database = Database::open(&kept.settings, Access::Make).await.unwrap();
    let there: BTreeSet<_> = database.columns().await.unwrap().into_keys().collect();
    let named = |row: &str| row.split_once(" INTO ").is_some_and(|(_, rest)| there.contains(rest.split(' ').next().unwrap()));
    let rows: Vec<_> = include_str!("every_table.sql").split(";\n").filter(|row| named(row)).collect();
    kept.execute(&rows.join(";\n")).await.unwrap();
    let counts = database.counts().await.unwrap();
    let empty: Vec<_> = counts.iter().filter(|(_, rows)| *rows == 0).collect();
    assert!(empty.is_empty(), "without a row in every_table.sql: {empty:?}");
    database.close().await;
    let copy = kept.dir.path().join("copy.sqlite");
    let copied = copies::backup(&kept.path(), &copy).await.unwrap();
    let named: BTreeMap<_, _> = copied.iter().map(|table| (table.table.clone(), table.rows)).collect();
    assert_eq!(named, counts.into_iter().collect());

    for lost in
        ["DELETE FROM person_handed", "UPDATE job SET payload = x'01'", "INSERT INTO authority VALUES ('99999999', 'B', '')"]
    {
        kept.execute(lost).await.unwrap();
    }
    let changed = copies::backup(&kept.path(), &kept.dir.path().join("changed.sqlite")).await.unwrap();
    let differ = copied.iter().zip(&changed).filter(|(one, other)| one != other).map(|(one, _)| one.table.as_str());
    assert_eq!(differ.collect::<BTreeSet<_>>(), ["authority", "job", "person_handed"].into());
    let accept = async |fresh: Settings| {
        let store = Store::open_to(Access::Change, &fresh).await?;
        restored::accept(&store, None, &Because::new("disken gik tabt".to_owned(), at(NOW))).await?;
        store.close().await;
        Ok::<_, DecideError>(())
    };
    copies::restore(&kept.path(), &copy, at(NOW), accept).await.unwrap();
    let restored = copies::backup(&kept.path(), &kept.dir.path().join("restored.sqlite")).await.unwrap();
    let differ = copied.iter().zip(&restored).filter(|(one, other)| one != other).map(|(one, _)| one.table.as_str());
    // That it was put back is written down, and the memory against replay begins anew.
    assert_eq!(differ.collect::<BTreeSet<_>>(), ["decision", "replay_memory", "store_restored"].into());

    let Some(target) = Kept::in_postgres() else { return };
    let (from, to) = (
        Database::open(&kept.settings, Access::Change).await.unwrap(),
        Database::open(&target.settings, Access::Make).await.unwrap(),
    );
    let moved = moving::moved(&from, &to, |_, _, _| {}).await.unwrap();
    let anew = ["replay_memory", "replay_message", "store_seen"];
    let there: BTreeMap<_, _> = moved.iter().map(|table| (table.table.clone(), table.rows)).collect();
    let due: BTreeMap<_, _> = restored
        .iter()
        .map(|table| (table.table.clone(), table.rows))
        .filter(|(name, _)| !anew.contains(&name.as_str()))
        .collect();
    assert_eq!(there, due);
    // Read by PostgreSQL itself, too.
    let held: BTreeMap<_, _> =
        to.counts().await.unwrap().into_iter().filter(|(name, _)| !anew.contains(&name.as_str())).collect();
    assert_eq!(held, due);
}

#[tokio::test]
async fn the_command_tells_the_digest_of_each_table_of_a_copy() {
    let kept = Kept::in_sqlite();
    filled(&kept.settings).await.close().await;
    let backup = async |file: &str| hjemmel(kept.dir.path(), &["store", "backup", file, "--store", "agreements.sqlite"]).await;
    let ((code, said), (_, again)) = (backup("one.sqlite").await, backup("two.sqlite").await);
    assert_eq!(code, Some(0), "{said}");
    let of = |said: &str, table: &str| {
        let line = said.lines().find(|line| line.split_whitespace().nth(1) == Some(table)).unwrap().to_owned();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let agreements = of(&said, "agreement");
    assert!(agreements[0] == "2" && agreements[2].len() == 64, "{said}");
    assert_eq!(agreements, of(&again, "agreement"));
    assert!(said.contains("one.sqlite: a whole copy, ") && said.contains(", the same in both."), "{said}");
}

#[tokio::test]
async fn a_copy_is_made_while_the_store_is_used_is_whole_and_is_nobody_elses() {
    let kept = Kept::in_sqlite();
    let store = filled(&kept.settings).await;
    let copy = kept.dir.path().join("copy.sqlite");
    let open = store.database().session().await.unwrap();
    copies::backup(&kept.path(), &copy).await.unwrap();
    drop(open);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = copies::backup(&kept.path(), &copy).await.unwrap_err().to_string();
    assert!(again.contains("is there already and is not overwritten"), "{again}");
    let copied = Store::open_to(Access::Look, &Settings::sqlite(&copy)).await.unwrap();
    assert_eq!(copied.list().await.unwrap(), store.list().await.unwrap());
    assert_eq!(copied.routes().await.unwrap(), store.routes().await.unwrap());
    assert_eq!(copied.decisions(FRONT).await.unwrap(), store.decisions(FRONT).await.unwrap());
}

#[tokio::test]
async fn of_what_is_no_store_no_copy_is_left() {
    let kept = Kept::in_sqlite();
    std::fs::write(kept.path(), "no store, but long enough to be taken for one: ".repeat(200)).unwrap();
    let copy = kept.dir.path().join("copy.sqlite");
    copies::backup(&kept.path(), &copy).await.unwrap_err();
    assert!(!copy.exists());
}

#[tokio::test]
async fn what_a_copy_lacks_is_told_and_must_be_accepted_before_it_is_put_back() {
    let kept = Kept::in_sqlite();
    let store = filled(&kept.settings).await;
    store.decide(FRONT, State::Approved, "A. Jensen", "afklaret", at(NOW)).await.unwrap();
    copies::backup(&kept.path(), &kept.dir.path().join("copy.sqlite")).await.unwrap();
    store.decide(FRONT, State::Terminated, "A. Jensen", "misbrug", at("2026-11-23T12:00:00Z")).await.unwrap();
    store
        .end_route(routes::route(1, "2026-01-01", None).id, "2026-12-01".parse().unwrap(), &routes::decision(NOW))
        .await
        .unwrap();
    let revision = store.database().revision().await.unwrap();
    store.close().await;
    let restore = ["store", "restore", "copy.sqlite", "--reason", "disken gik tabt", "--store", "agreements.sqlite"];
    let (code, said) = hjemmel(kept.dir.path(), &restore).await;
    assert_eq!(code, Some(1), "{said}");
    for told in [
        &format!("agreement {FRONT} is OPSAGT, and in the copy GODKENDT"),
        "route 00000000-0000-0000-0000-000000000001 is missing in the copy, or has another end there",
        "1 row(s) of agreement_decision are not so in the copy",
        "1 agreement(s) that were ended or suspended would be approved again",
        "add --as-of 2026-11-22T12:00:00Z to accept it",
    ] {
        assert!(said.contains(told), "{told}\nin\n{said}");
    }
    let (code, said) = hjemmel(kept.dir.path(), &[&restore[..], &["--as-of", "2026-11-21T12:00:00Z"]].concat()).await;
    assert_eq!(code, Some(1), "another instant accepts nothing: {said}");

    // What SQLite would read into the copy.
    let left = ["-wal", "-shm", "-journal"].map(|end| kept.dir.path().join(format!("agreements.sqlite{end}")));
    for left in &left {
        std::fs::write(left, "left by somebody").unwrap();
    }
    let (code, said) = hjemmel(kept.dir.path(), &[&restore[..], &["--as-of", "2026-11-22T12:00:00Z"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Messages created before now are refused"), "{said}");
    assert!(left.iter().all(|left| !left.exists()), "{said}");
    let store = Store::open(&kept.settings).await.unwrap();
    assert_eq!(store.get(FRONT).await.unwrap().state, State::Approved);
    assert_ne!(store.database().revision().await.unwrap(), revision);
    let (_, decided_to) = copies::restored(store.database()).await.unwrap().unwrap();
    assert_eq!(decided_to, Some(at(NOW)));
    let before = std::fs::read_dir(kept.dir.path()).unwrap().flatten();
    let before: Vec<_> = before.filter(|entry| entry.file_name().to_string_lossy().contains(".before-")).collect();
    assert_eq!(before.len(), 1, "what was there is kept");
    let kept_store = Store::open_to(Access::Look, &Settings::sqlite(&before[0].path())).await.unwrap();
    assert_eq!(kept_store.get(FRONT).await.unwrap().state, State::Terminated);
    let (_, status) = hjemmel(kept.dir.path(), &["store", "status", "--store", "agreements.sqlite"]).await;
    assert!(status.contains("its copy has decisions up to then: the last of 2026-11-22T12:00:00Z"), "{status}");
}

#[tokio::test]
async fn a_store_that_is_in_use_and_a_copy_that_is_not_whole_are_not_exchanged() {
    let kept = Kept::in_sqlite();
    filled(&kept.settings).await.close().await;
    let copy = kept.dir.path().join("copy.sqlite");
    copies::backup(&kept.path(), &copy).await.unwrap();
    let restore = ["store", "restore", "copy.sqlite", "--reason", "disken gik tabt", "--store", "agreements.sqlite"];
    let mut reader =
        std::process::Command::new("tail").arg("-f").arg(kept.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
    while !std::fs::read_dir(format!("/proc/{}/fd", reader.id()))
        .unwrap()
        .flatten()
        .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|file| file == kept.path().canonicalize().unwrap()))
    {
        std::thread::yield_now();
    }
    let (code, said) = hjemmel(kept.dir.path(), &restore).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("it is in use, by process {}; stop the gateway", reader.id())), "{said}");
    reader.kill().unwrap();
    reader.wait().unwrap();

    let whole = std::fs::read(&copy).unwrap();
    let held = std::fs::read(kept.path()).unwrap();
    // The file's last page is of some table or index.
    let mut damaged = whole.clone();
    let from = damaged.len() - 4096;
    damaged[from..].fill(0x5a);
    for broken in [&whole[..whole.len() / 2], &damaged[..], b""] {
        std::fs::write(&copy, broken).unwrap();
        let (code, said) = hjemmel(kept.dir.path(), &restore).await;
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(std::fs::read(kept.path()).unwrap(), held);
    }
    std::fs::write(&copy, whole).unwrap();
    let (code, said) = hjemmel(kept.dir.path(), &restore).await;
    assert_eq!(code, Some(0), "it lacks nothing, and nothing need be accepted: {said}");
}

#[tokio::test]
async fn a_file_is_moved_to_a_server_whole_and_the_server_goes_on_from_there() {
    let Some(target) = Kept::in_postgres() else { return };
    let kept = Kept::in_sqlite();
    let from = filled(&kept.settings).await;
    let to = Store::open(&target.settings).await.unwrap();
    let moved = moving::moved(from.database(), to.database(), |_, _, _| {}).await.unwrap();
    let rows = |table: &str| moved.iter().find(|moved| moved.table == table).map(|moved| moved.rows);
    assert_eq!((rows("agreement"), rows("agreement_decision"), rows("route")), (Some(2), Some(3), Some(2)));
    assert_eq!(to.list().await.unwrap(), from.list().await.unwrap());
    assert_eq!(to.routes().await.unwrap(), from.routes().await.unwrap());
    assert_eq!(to.authorities().await.unwrap(), from.authorities().await.unwrap());
    for id in [FRONT, KORSBAEK_BACK] {
        assert_eq!(to.decisions(id).await.unwrap(), from.decisions(id).await.unwrap());
    }
    to.decide(FRONT, State::Approved, "A. Jensen", "afklaret", at(NOW)).await.unwrap();
    assert_eq!(to.decisions(FRONT).await.unwrap().len(), 3, "the numbers of decisions go on");

    let again = moving::moved(from.database(), to.database(), |_, _, _| {}).await.unwrap_err().to_string();
    assert!(again.contains("the target is not empty"), "{again}");
    let backwards = moving::moved(to.database(), from.database(), |_, _, _| {}).await.unwrap_err();
    assert!(matches!(backwards, StoreError::Unmovable(_)));
}

#[tokio::test]
async fn a_row_that_the_server_refuses_leaves_it_empty() {
    let Some(target) = Kept::in_postgres() else { return };
    let kept = Kept::in_sqlite();
    let from = filled(&kept.settings).await;
    // SQLite keeps a NUL in a text, and PostgreSQL does not.
    kept.execute("UPDATE agreement SET purpose = 'a' || char(0) || 'b'").await.unwrap();
    let to = Store::open(&target.settings).await.unwrap();
    moving::moved(from.database(), to.database(), |_, _, _| {}).await.unwrap_err();
    assert!(to.authorities().await.unwrap().is_empty());
    let counted = to.database().first(sql("SELECT count(*) AS rows FROM authority")).await.unwrap().unwrap();
    assert_eq!(counted.get::<i64>("rows").unwrap(), 0);
}

#[tokio::test]
async fn a_row_that_arrives_otherwise_than_it_was_leaves_the_server_empty() {
    let Some(target) = Kept::in_postgres() else { return };
    let kept = Kept::in_sqlite();
    let from = filled(&kept.settings).await;
    let to = Store::open(&target.settings).await.unwrap();
    let other_name =
        "CREATE FUNCTION otherwise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := 'x'; RETURN NEW; END $$;
         CREATE TRIGGER otherwise BEFORE INSERT ON authority FOR EACH ROW EXECUTE FUNCTION otherwise()";
    target.execute(other_name).await.unwrap();
    let refused = moving::moved(from.database(), to.database(), |_, _, _| {}).await.unwrap_err().to_string();
    assert_eq!(refused, "nothing was moved: the table authority is not the same in both");
    assert!(
        to.database()
            .counts()
            .await
            .unwrap()
            .iter()
            .all(|(table, rows)| *rows == 0 || !["authority", "agreement"].contains(&table.as_str()))
    );
    target.execute("DROP TRIGGER otherwise ON authority").await.unwrap();
    moving::moved(from.database(), to.database(), |_, _, _| {}).await.unwrap();
}

#[tokio::test]
async fn the_command_moves_by_two_configurations_and_says_what_postgres_tools_do() {
    let Some(target) = Kept::in_postgres() else { return };
    let kept = Kept::in_sqlite();
    filled(&kept.settings).await.close().await;
    kept.write_configuration();
    target.write_configuration();
    let to = target.dir.path().join("hjemmel.toml");
    let to = to.to_str().unwrap();
    let (code, said) = hjemmel(kept.dir.path(), &["store", "move", "--config", "hjemmel.toml", "--to", to]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the same in both"), "{said}");
    let (code, said) = hjemmel(target.dir.path(), &["store", "status", "--config", "hjemmel.toml", "--json"]).await;
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &status["kind"], &status["rows"]["agreement"]), (Some(0), &"PostgreSQL".into(), &2.into()), "{said}");
    assert!(!said.contains(crate::postgres::PASSWORD));
    for (command, says) in [
        (&["store", "backup", "x"][..], "pg_dump --format=custom"),
        (&["store", "restore", "x", "--reason", "sag 7"], "`hjemmel store restored`"),
    ] {
        let (code, said) = hjemmel(target.dir.path(), &[command, &["--config", "hjemmel.toml"]].concat()).await;
        assert!(code == Some(1) && said.contains(says), "{said}");
    }
    let (code, said) = hjemmel(target.dir.path(), &["store", "restored", "--reason", "sag 7", "--config", "hjemmel.toml"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = hjemmel(target.dir.path(), &["store", "status", "--config", "hjemmel.toml"]).await;
    assert!(said.contains("It was restored at"), "{said}");
    let (code, said) = hjemmel(target.dir.path(), &["store", "migrate", "--config", "hjemmel.toml"]).await;
    assert!(code == Some(0) && said.contains("which is this release's"), "{said}");
}
