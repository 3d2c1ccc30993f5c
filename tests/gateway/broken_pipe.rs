//! Commands whose reader is gone (`hjemmel … | head -1`): each ends without a word about it.

use std::process::{Command, Stdio};

use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;

use crate::process::{HJEMMEL, in_runtime};
use crate::stage::options;

/// 128 and the number of SIGPIPE, as a shell reports any command that it ended.
const ENDED_BY_SIGPIPE: i32 = 141;

/// Runs a command whose output nobody takes; its exit code, and what it says on stderr.
fn unread(command: &mut Command) -> (i32, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_command_whose_reader_is_gone_ends_with_its_verdict_or_as_one_ended_by_sigpipe_and_says_nothing() {
    in_runtime(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(options(dir.path(), Clock::system(), "")).await.unwrap();
        let invitation = hjemmel::cli::demo::invitation::Invitation::new(&world).unwrap();
        invitation.write(&world).unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let (pki, service, configuration) = (at("pki"), world.service.to_string(), at("hjemmel.toml"));
        let (root, own, key) = (at("pki/root.pem"), at("pki/client-korsbaek.pem"), at("pki/client-korsbaek.key.pem"));
        let (store, policies, log, request) = (at("agreements.sqlite"), at("policies"), at("audit"), at("request.xml"));
        let (policy, checkpoint, new) = (at("policies/terminaladgang-6.toml"), at("audit-keys/checkpoint.pub"), at("new"));
        let person = dir.path().join("person");
        std::fs::write(&person, format!("{}\n", hjemmel::stub::population::demo::UDK_ONLY)).unwrap();
        let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
        let commands: &[&[&str]] = &[
            &["--help"],
            &["check", "--config", &configuration],
            &["policy", "show", "terminaladgang-6", "--dir", &policies],
            &["policy", "cases", &policy, cases],
            &["agreement", "--store", &store, "list"],
            &["audit", "verify", &log, "--key", &checkpoint],
            &["explain", "--config", &configuration, "--authority", "11111111", &request],
            &["certs", "dev", &new],
            &["stub", "sts", "--pki", &pki, "--listen", "127.0.0.1:0"],
            &["stub", "ydelsesindeks", "--pki", &pki, "--listen", "127.0.0.1:0"],
            &["demo", "--once"],
            &["demo"],
            &[
                "call",
                "--service",
                &service,
                "--ca",
                &root,
                "--cert",
                &own,
                "--key",
                &key,
                "--authority",
                "11111111",
                "--binding",
                "authority-context",
            ],
        ];
        for words in commands {
            let mut command = Command::new(HJEMMEL);
            let temporary = tempfile::tempdir().unwrap();
            let person = std::fs::File::open(&person).unwrap();
            let (code, said) = unread(command.args(*words).env("TMPDIR", temporary.path()).stdin(person));
            let usage = said.contains("Usage:");
            assert!(!usage, "{words:?} is a command: {said}");
            assert!([0, ENDED_BY_SIGPIPE].contains(&code) && said.is_empty(), "{words:?}: {code} {said}");
            assert!(temporary.path().read_dir().unwrap().next().is_none(), "{words:?}: nothing is left behind");
        }
    });
}

#[test]
fn a_verdict_that_is_no_is_never_told_as_yes_because_nobody_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["audit", "verify", "--key", "/nowhere"];
    assert_ne!(unread(Command::new(HJEMMEL).args(words).arg(dir.path())).0, 0);
}
