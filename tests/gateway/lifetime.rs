//! What may stand still around the process without stopping it: the reader of its log, an authority's list, its start.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::stub::pki::Role;

use crate::not_run::did_not_run;
use crate::process::{Gateway, HJEMMEL, ask, in_runtime};
use crate::stage::{admin, options};

fn serve(world: &World) -> Command {
    let mut command = Command::new(HJEMMEL);
    command.arg("serve").arg("--config").arg(&world.configuration);
    command
}

async fn dropped_lines(world: &World) -> f64 {
    let metrics = admin(world.admin, "/metrics").await.1;
    let line = metrics.lines().find_map(|line| line.strip_prefix("hjemmel_log_lines_dropped_total "));
    line.expect("the series is there").parse().unwrap()
}

#[test]
fn a_log_that_nobody_reads_stops_neither_calls_nor_health_nor_the_end_and_its_lines_are_counted() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        // Full before the first line: every write to it waits for a reader.
        let (reader, mut full) = std::io::pipe().unwrap();
        full.write_all(&[b'\n'; 64 * 1024]).unwrap();
        let child = serve(&world).env("HJEMMEL_LOG", "trace").stderr(full).spawn().unwrap();
        let gateway = Gateway(child).ready(&world).await;
        let client = world.client(Some(Role::Korsbaek)).unwrap();
        let mut calls = 0;
        while dropped_lines(&world).await == 0.0 {
            assert_eq!(ask(&client).await.status, 200);
            calls += 1;
            assert!(calls < 5000, "a megabyte of lines has long been written");
        }
        assert_eq!(ask(&client).await.status, 200, "calls go on when lines are dropped");
        assert_eq!(admin(world.admin, "/healthz").await.0, 200);
        gateway.signal("-TERM");
        let began = Instant::now();
        assert!(gateway.ended().await);
        assert!(began.elapsed() < Duration::from_secs(60), "it ends though its last lines are not read");
        drop(reader);
        let key = hjemmel::audit::keys::checkpoint_public_key(&dir.path().join("audit-keys/checkpoint.pub")).unwrap();
        let verified = hjemmel::audit::verify::verify(&dir.path().join("audit"), &[key], &[]).unwrap();
        assert_eq!((verified.stopped, verified.unclosed, verified.closed), (true, 0, calls + 1), "no record is dropped");
    });
}

#[test]
fn a_configuration_that_is_refused_ends_the_process_though_nobody_reads_why() {
    let (_reader, mut full) = std::io::pipe().unwrap();
    full.write_all(&[b'\n'; 64 * 1024]).unwrap();
    let child = Command::new(HJEMMEL).args(["serve", "--config", "/nowhere/hjemmel.toml"]).stderr(full).spawn().unwrap();
    in_runtime(async { assert!(!Gateway(child).ended().await) });
}

/// A list's address that takes connections and never answers.
fn silent_authority() -> (TcpListener, String) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!(
        "[listen]\ncrls = [\"http://{}/root.crl\"]\ncrl_missing = \"accept\"\n[revocation]\ntimeout = \"120s\"\n",
        silent.local_addr().unwrap()
    );
    (silent, settings)
}

/// The process number of the gateway that `unshare` made the first of its own namespace.
async fn first_process(unshare: &Child) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", unshare.id());
    for _ in 0..3000 {
        if let Some(number) = std::fs::read_to_string(&children).unwrap().split_whitespace().next() {
            return number.parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("unshare has started nothing")
}

#[test]
fn a_start_that_waits_ends_at_once_when_told_to_also_as_the_first_process_of_its_container() {
    let may_unshare = Command::new("unshare").args(["-p", "-f", "true"]).status().is_ok_and(|status| status.success());
    if !may_unshare {
        did_not_run("as process 1", "unshare is not there or not allowed");
    }
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let (silent, settings) = silent_authority();
        let world = World::without_gateway(options(dir.path(), Clock::system(), &settings)).await.unwrap();
        for first in [false, true] {
            for signal in ["-TERM", "-INT"] {
                if first && !may_unshare {
                    continue;
                }
                let log = dir.path().join("log");
                let mut command = serve(&world);
                if first {
                    command = Command::new("unshare");
                    command.args(["-p", "-f", "--kill-child", HJEMMEL, "serve", "--config"]).arg(&world.configuration);
                }
                let gateway = Gateway(command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap());
                let number = if first { first_process(&gateway.0).await } else { gateway.0.id() };
                let tell = |signal: &str| Command::new("kill").args([signal, &number.to_string()]).status().unwrap();
                // The start has come to the list, and waits for it.
                let asked = silent.accept().unwrap();
                assert!(tell("-HUP").success(), "a reload that comes too early ends nothing");
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(tell(signal).success(), "it is still there");
                let began = Instant::now();
                let well = gateway.ended().await;
                let said = std::fs::read_to_string(&log).unwrap();
                assert!(well && said.contains("told to stop before it served"), "{signal} first {first}: {said}");
                assert!(began.elapsed() < Duration::from_secs(60), "{signal} first {first}: it waited for the list");
                drop(asked);
            }
        }
    });
}

#[test]
fn a_reload_that_waits_for_a_list_does_not_keep_the_process_from_ending() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_gateway(options(dir.path(), Clock::system(), "")).await.unwrap();
        let gateway = Gateway::start(&world).await;
        let (silent, more) = silent_authority();
        let text = std::fs::read_to_string(&world.configuration).unwrap();
        let crls = more.split('\n').filter(|line| line.starts_with("crl")).collect::<Vec<_>>().join("\n");
        std::fs::write(&world.configuration, text.replace("[listen]\n", &format!("[listen]\n{crls}\n"))).unwrap();
        gateway.signal("-HUP");
        let _asked = silent.accept().unwrap();
        gateway.signal("-TERM");
        let began = Instant::now();
        assert!(gateway.ended().await);
        assert!(began.elapsed() < Duration::from_secs(60), "it waited for the list");
    });
}
