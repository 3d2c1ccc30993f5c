//! The SFTP server of a running gateway, and what `hjemmel check` says of its settings.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::edge::sftp::host_keys::{Kind, generate};
use hjemmel::files;
use hjemmel::notices::outbox;
use hjemmel::services::finance::lists::subscription;
use hjemmel::store::jobs::{Jobs, Rules};
use hjemmel::store::{Access, Database, Settings, sql};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::process::{Gateway, HJEMMEL, comes_to, in_runtime};
use crate::stage::{admin, options};

/// Settings of a gateway with an SFTP server, whose folders and keys are there.
fn settings(dir: &Path, port: u16) -> String {
    for folder in ["staging", "objects", "object-keys"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    if !dir.join("host.key").exists() {
        generate(&dir.join("host.key"), Kind::Ed25519).unwrap();
        hjemmel::objects::keys::generate(&dir.join("object-keys/content.key")).unwrap();
    }
    format!(
        "[objects]\nurl = \"file:objects\"\nkey = \"object-keys/content.key\"\n\
         [sftp]\naddress = \"127.0.0.1:{port}\"\nhost_keys = [\"host.key\"]\nstaging = \"staging\"\n"
    )
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// How `hjemmel check` ends and what it says, of a configuration with these settings more.
fn check(world: &World, more: &str) -> (bool, String) {
    let file = world.dir.join("changed.toml");
    std::fs::write(&file, format!("{}\n{more}", std::fs::read_to_string(&world.configuration).unwrap())).unwrap();
    let said = Command::new(HJEMMEL).arg("check").arg("--config").arg(&file).current_dir(&world.dir).output().unwrap();
    let text = [said.stdout, said.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (said.status.success(), text)
}

#[test]
fn what_keeps_an_sftp_server_from_opening_is_told_by_check_with_its_setting() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let good = settings(&world.dir, free_port());
        let (ended, said) = check(&world, &good);
        assert!(ended, "{said}");
        assert!(said.lines().any(|line| line.trim().starts_with("sftp.host_keys") && line.contains("1 private key")), "{said}");
        let without_objects = &good[good.find("[sftp]").unwrap()..];
        std::fs::write(world.dir.join("no.key"), "neither").unwrap();
        for (settings, setting, words) in [
            (without_objects.to_owned(), "sftp", "needs [objects]"),
            (good.replace("[\"host.key\"]", "[]"), "sftp.host_keys", "hjemmel sftp host-key new"),
            (good.replace("host.key", "none.key"), "sftp.host_keys", "none.key"),
            (good.replace("host.key", "no.key"), "sftp.host_keys", "hjemmel sftp host-key new"),
            (good.replace("= \"staging\"", "= \"nowhere\""), "sftp.staging", "nowhere"),
            (format!("{good}largest_file = 5\n"), "sftp.largest_file", "1048576"),
            (format!("{good}failures = 1\n"), "sftp.failures", "3"),
            (format!("{good}pasword = \"x\"\n"), "sftp.pasword", ""),
        ] {
            let (ended, said) = check(&world, &settings);
            assert!(!ended, "{setting}: {said}");
            let told = said.split("\n\n").flat_map(str::lines).any(|line| line.contains(setting));
            assert!(told && said.contains(words), "{setting} and {words:?} in {said}");
        }
        for (file, kind) in [("next.key", Kind::Ed25519), ("other.key", Kind::Ecdsa)] {
            generate(&world.dir.join(file), kind).unwrap();
        }
        for (others, waits) in [("\"other.key\"", false), ("\"other.key\", \"next.key\"", true)] {
            let (ended, said) = check(&world, &good.replace("[\"host.key\"]", &format!("[\"host.key\", {others}]")));
            assert!(ended, "{said}");
            assert_eq!(said.contains("next.key is of the same kind as"), waits, "{said}");
        }
        std::fs::set_permissions(world.dir.join("host.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
        let (_, said) = check(&world, &good);
        assert!(said.contains("sftp.host_keys") && said.contains("mode 0644"), "a key that others can read: {said}");
    });
}

#[test]
fn a_gateway_with_the_settings_opens_the_server_shows_it_in_its_metrics_and_closes_it_with_the_rest() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let port = free_port();
        let text = std::fs::read_to_string(&world.configuration).unwrap() + "\n" + &settings(&world.dir, port);
        std::fs::write(&world.configuration, text).unwrap();
        let gateway = Gateway::start(&world).await;
        let mut greeting = [0; 15];
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"SSH-2.0-Hjemmel");
        // Each is shown before anything happens, but for the free bytes, which are looked up at once.
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let (_, shown) = admin(world.admin, "/metrics").await;
            let free = shown.lines().find_map(|line| line.strip_prefix("hjemmel_files_staging_free_bytes "));
            let due = [
                "hjemmel_sftp_waiting 1",
                "hjemmel_files{state=\"stuck\"} 0",
                "hjemmel_files_silent 0",
                "hjemmel_files_homes_nearly_full 0",
                "hjemmel_sftp_refused_total{cause=\"stalled\"} 0",
            ];
            if due.iter().all(|line| shown.contains(line)) && free.is_some_and(|free| free != "0") {
                break;
            }
            assert!(tokio::time::Instant::now() < until, "{shown}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(admin(world.admin, "/readyz").await.0, 200);
        gateway.signal("-TERM");
        assert!(gateway.ended().await, "{}", std::fs::read_to_string(world.dir.join("log")).unwrap());
        // Its own key exchange was on the way; after it the connection has ended.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    });
}

#[test]
fn a_gateway_that_is_told_to_stop_gives_back_what_it_worked_on_before_its_last_request_has_ended() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let mail = "[mail]\nfrom = \"Hjemmel <hjemmel@example.dk>\"\nfolder = \"letters\"\n";
        let text = std::fs::read_to_string(&world.configuration).unwrap() + "\n" + &settings(&world.dir, free_port()) + mail;
        let serves_on = text.replace("drain_delay = \"0s\"", "drain_delay = \"300s\"");
        assert_ne!(serves_on, text);
        std::fs::write(&world.configuration, serves_on).unwrap();
        let database = Database::open(&Settings::sqlite(&dir.path().join("agreements.sqlite")), Access::Change).await.unwrap();
        // Whoever has taken a job keeps it: nothing can be written of it but that it is given back.
        let keeps = "CREATE TRIGGER keeps BEFORE UPDATE ON job WHEN new.lease IS NULL AND new.attempts = old.attempts
             BEGIN SELECT RAISE(ABORT, 'it is kept'); END";
        database.execute(sql(keeps)).await.unwrap();
        let mut transaction = database.begin_beside_others().await.unwrap();
        // Files of homes and of mailboxes, letters, and value lists to those who subscribe.
        let kinds = [files::core::JOBS, files::partner::core::JOBS, outbox::KIND, subscription::KIND];
        for kind in kinds {
            let jobs = Jobs::new(database.clone(), kind, Rules::default());
            jobs.add(&mut transaction, uuid::Uuid::new_v4().as_bytes(), None).await.unwrap();
        }
        transaction.commit().await.unwrap();
        // How many somebody has, and the attempts at all of them.
        let under_way = async || {
            let count = sql(
                "SELECT count(lease) AS n, CAST(sum(attempts) AS INTEGER) AS attempts FROM job WHERE kind IN ($1, $2, $3, $4)",
            );
            let count = kinds.into_iter().fold(count, |count, kind| count.bind(kind));
            let row = database.first(count).await.unwrap().unwrap();
            (row.get::<i64>("n").unwrap(), row.get::<i64>("attempts").unwrap())
        };
        let mut gateway = Gateway::start(&world).await;
        comes_to("all are taken", async || under_way().await == (4, 4)).await;
        gateway.signal("-TERM");
        comes_to("all are given back", async || under_way().await == (0, 0)).await;
        assert!(gateway.0.try_wait().unwrap().is_none(), "it serves on");
        database.close().await;
    });
}

#[test]
fn a_host_key_that_cannot_be_used_and_an_address_that_is_taken_end_the_start() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let original = std::fs::read_to_string(&world.configuration).unwrap();
        let good = settings(&world.dir, taken.local_addr().unwrap().port());
        for (settings, words) in [(good.clone(), "cannot listen on"), (good.replace("host.key", "none.key"), "none.key")] {
            std::fs::write(&world.configuration, format!("{original}\n{settings}")).unwrap();
            let said = Command::new(HJEMMEL).arg("serve").arg("--config").arg(&world.configuration).output().unwrap();
            let text = String::from_utf8(said.stderr).unwrap();
            assert!(!said.status.success() && text.contains(words), "{words}: {text}");
        }
    });
}
