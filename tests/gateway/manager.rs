//! What a service manager hears of the gateway, and what systemd makes of its unit.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::stub::pki::Role;
use rustix::time::{ClockId, clock_gettime};

use crate::not_run::did_not_run;
use crate::process::{Gateway, HJEMMEL, ask, in_runtime};
use crate::stage::{admin, options};

/// The other end of `NOTIFY_SOCKET`.
struct Heard(UnixDatagram);

impl Heard {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(socket)
    }

    fn next(&self) -> String {
        let mut told = [0; 4096];
        let length = self.0.recv(&mut told).expect("the gateway says something within a minute");
        String::from_utf8(told[..length].to_vec()).unwrap()
    }

    /// What comes next beside the watchdog's food.
    fn next_state(&self) -> String {
        loop {
            let told = self.next();
            if told != "WATCHDOG=1" {
                return told;
            }
        }
    }
}

fn monotonic() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

#[test]
fn a_service_manager_hears_ready_watchdog_reloading_and_stopping_in_order() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let heard = Heard::at(&dir.path().join("notify"));
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut command = Command::new(HJEMMEL);
        command.arg("serve").arg("--config").arg(&world.configuration).stderr(log);
        command.env("NOTIFY_SOCKET", dir.path().join("notify")).env("WATCHDOG_USEC", "3000000");
        let gateway = Gateway(command.spawn().unwrap());

        let first = heard.next();
        assert!(first.starts_with("READY=1\n"), "{first}");
        assert_eq!(admin(world.admin, "/readyz").await.0, 200, "it said so when it was");
        let ready =
            || Command::new(HJEMMEL).args(["ready", "--url", &format!("http://{}/readyz", world.admin)]).output().unwrap();
        let said = ready();
        assert!(said.status.success() && said.stdout == b"ready\n", "{said:?}");
        assert_eq!(ask(&world.client(Some(Role::Korsbaek)).unwrap()).await.status, 200);
        assert_eq!([heard.next(), heard.next()], ["WATCHDOG=1", "WATCHDOG=1"], "for as long as it works");

        let before = monotonic();
        gateway.signal("-HUP");
        let reloading = heard.next_state();
        assert!(reloading.starts_with("RELOADING=1\n"), "{reloading}");
        let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap().parse::<i64>().unwrap();
        assert!((before..=monotonic()).contains(&at), "the time of the reload, by the clock that systemd goes by");
        assert_eq!(heard.next_state(), "READY=1\nSTATUS=serving");

        let whole = std::fs::read(&world.configuration).unwrap();
        std::fs::write(&world.configuration, "no_such_setting = 1\n").unwrap();
        gateway.signal("-HUP");
        assert!(heard.next_state().starts_with("RELOADING=1\n"));
        assert_eq!(heard.next_state(), "READY=1\nSTATUS=serving; the last reload was refused, see the log");
        std::fs::write(&world.configuration, whole).unwrap();

        gateway.signal("-TERM");
        assert!(heard.next_state().starts_with("STOPPING=1\n"));
        assert!(gateway.ended().await);
        let said = ready();
        assert!(!said.status.success() && String::from_utf8_lossy(&said.stderr).contains("no connection"), "{said:?}");
    });
}

#[test]
fn a_manager_that_cannot_be_reached_is_told_of_at_the_start_and_not_after_a_minute_and_a_half() {
    let mut command = Command::new(HJEMMEL);
    command.args(["serve", "--config", "/nowhere"]).env("NOTIFY_SOCKET", "/nowhere/notify");
    let ended = command.output().unwrap();
    assert!(!ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("NOTIFY_SOCKET names no socket"));
}

#[test]
fn keys_are_read_from_the_credentials_that_the_service_manager_hands_over() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let (credentials, mut settings) =
            (dir.path().join("credentials"), std::fs::read_to_string(&world.configuration).unwrap());
        std::fs::create_dir(&credentials).unwrap();
        let mut moved = 0;
        for name in ["gateway-server.key.pem", "gateway-client.key.pem", "checkpoint.key", "pseudonym.key"] {
            // As systemd names the files of a folder that a unit loads as `keys`.
            let line = settings.lines().find(|line| line.contains(name)).expect(name).to_owned();
            let path = line.split('"').nth(1).unwrap();
            std::fs::rename(dir.path().join(path), credentials.join(format!("keys_{name}"))).unwrap();
            settings = settings.replace(path, &format!("$CREDENTIALS_DIRECTORY/keys_{name}"));
            moved += 1;
        }
        assert_eq!(moved, 4);
        std::fs::write(&world.configuration, settings).unwrap();
        let check = |handed: Option<&Path>| {
            let mut command = Command::new(HJEMMEL);
            command.arg("check").arg("--config").arg(&world.configuration).env_remove("CREDENTIALS_DIRECTORY");
            handed.map(|handed| command.env("CREDENTIALS_DIRECTORY", handed));
            command.output().unwrap()
        };
        let handed = check(Some(&credentials));
        assert!(handed.status.success(), "{}", String::from_utf8_lossy(&handed.stderr));
        let alone = check(None);
        let said = String::from_utf8_lossy(&alone.stderr).into_owned();
        assert!(!alone.status.success());
        assert_eq!(said.matches("names a credential, and $CREDENTIALS_DIRECTORY is not set").count(), 4, "{said}");
    });
}

/// The unit in a folder of its own, with programs that exist in the places of those that it names.
fn unit(dir: &Path) -> PathBuf {
    let unit = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/hjemmel.service")).unwrap();
    let file = dir.join("hjemmel.service");
    std::fs::write(&file, unit.replace("/usr/bin/hjemmel", HJEMMEL)).unwrap();
    file
}

fn analyze(arguments: &[&str], unit: &Path) -> Option<std::process::Output> {
    match Command::new("systemd-analyze").args(arguments).arg(unit).output() {
        Ok(output) => Some(output),
        Err(error) => {
            did_not_run(&format!("systemd-analyze {}: {error}", arguments.join(" ")), "apt-get install systemd");
            None
        }
    }
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    let Some(verified) = analyze(&["verify", "--man=no", "--recursive-errors=no"], &unit(dir.path())) else { return };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours: Vec<_> = said.lines().filter(|line| line.contains("hjemmel")).collect();
    assert!(ours.is_empty(), "{said}");
    assert!(verified.status.success(), "{said}");
}

#[test]
fn the_unit_is_exposed_by_2_0_at_most_as_systemd_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(judged) = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"], &unit(dir.path())) else {
        return;
    };
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "{said}");
    let level = said.split("Overall exposure level for hjemmel.service: ").nth(1).and_then(|rest| rest.split(' ').next());
    let level: f64 = level.expect("it says how much").parse().unwrap();
    assert!(level <= 2.0, "{level}: {said}");
}
