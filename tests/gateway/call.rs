//! `hjemmel call`, a supplier's first tool, as a process before a running gateway: what it takes, what it says, what it leaves behind.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use hjemmel::cli::demo::invitation::Invitation;
use hjemmel::cli::demo::world::World;
use hjemmel::clock::Clock;
use hjemmel::stub::population::demo;
use hjemmel::stub::sts::StsMode;

use crate::stage::options;

/// Runs the program beside the demo's files, with nothing in its environment but the clock, where the tests run on another day.
fn hjemmel(world: &World, arguments: &[&str], said: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_hjemmel"))
        .args(arguments)
        .current_dir(&world.dir)
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| name == "LD_PRELOAD" || name.contains("FAKE")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A usage error is told before the number is read.
    let _ = process.stdin.take().unwrap().write_all(said.as_bytes());
    process.wait_with_output().unwrap()
}

fn call(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = hjemmel(world, &[&["call"], arguments].concat(), &format!("{}\n", demo::UDK_ONLY));
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder.path().join("demo"), Clock::system(), "");
    let world = World::start(options).await.unwrap();
    Invitation::new(&world).unwrap().write(&world).unwrap();

    the_file_that_the_demo_writes_is_all_that_a_call_needs(&world);
    a_system_that_shows_its_own_certificate_alone_is_let_in(&world);
    an_option_wins_over_the_file(&world);
    the_configuration_gives_address_and_entity_id_by_the_services_name(&world);
    what_is_missing_is_said_at_once_and_is_no_fault_of_the_sts(&world);
    what_is_saved_is_what_explain_takes(&world);
    another_certificate_than_the_gateways_is_told_as_what_it_is(&world);
    the_sts_says_no_to_the_caller_and_not_to_the_gateway(&world);
    world.stop().await;
}

fn the_file_that_the_demo_writes_is_all_that_a_call_needs(world: &World) {
    let (code, told) = call(world, &["--env", "client.env"]);
    assert!(code == Some(0) && told.contains("The answer is signed by the gateway."), "{told}");
    let (code, told) = call(world, &["--env", "client.env", "--binding", "authority-context"]);
    assert!(code == Some(0) && told.starts_with("StatusKode"), "{told}");
}

fn a_system_that_shows_its_own_certificate_alone_is_let_in(world: &World) {
    let chain = std::fs::read_to_string(world.dir.join("pki/client-korsbaek.pem")).unwrap();
    let (leaf, issuer) = chain.split_at(chain.find("-----END CERTIFICATE-----").unwrap());
    assert!(issuer.contains("BEGIN CERTIFICATE"), "the file holds the issuing CA too");
    std::fs::write(world.dir.join("leaf.pem"), format!("{leaf}-----END CERTIFICATE-----\n")).unwrap();
    let (code, told) = call(world, &["--env", "client.env", "--binding", "authority-context", "--cert", "leaf.pem"]);
    assert_eq!(code, Some(0), "{told}");
}

fn an_option_wins_over_the_file(world: &World) {
    let (code, told) = call(world, &["--env", "client.env", "--authority", "99999981"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("for the authority 99999981"), "{told}");
}

fn the_configuration_gives_address_and_entity_id_by_the_services_name(world: &World) {
    let settings = std::fs::read_to_string(world.dir.join("client.env")).unwrap();
    let own = |line: &&str| !line.contains("SERVICE=") && !line.contains("ENTITY_ID=");
    std::fs::write(world.dir.join("own.env"), settings.lines().filter(own).collect::<Vec<_>>().join("\n")).unwrap();
    let with = |more: &[&str]| call(world, &[&["--env", "own.env"], more].concat());
    for named in [&["--config", "hjemmel.toml"][..], &["--config", "hjemmel.toml", "--service", "terminaladgang-6"]] {
        let (code, told) = with(named);
        assert!(code == Some(0) && told.contains("The answer is signed by the gateway."), "{named:?}: {told}");
    }
    let (code, told) = with(&["--config", "hjemmel.toml", "--service", "terminaladgang"]);
    let says = "there is no service terminaladgang in the configuration; did you mean terminaladgang-6?";
    assert!(code == Some(2) && told.contains(says), "{told}");
    let (code, told) = with(&["--service", "terminaladgang-6"]);
    assert!(code == Some(2) && told.contains("--service is no address: terminaladgang-6; a name needs --config FILE"), "{told}");
}

fn what_is_missing_is_said_at_once_and_is_no_fault_of_the_sts(world: &World) {
    let settings = std::fs::read_to_string(world.dir.join("client.env")).unwrap();
    let without = |names: &[&str]| -> String {
        let given = |line: &&str| !names.iter().any(|name| line.starts_with(&format!("export {name}=")));
        settings.lines().filter(given).map(|line| format!("{line}\n")).collect()
    };
    std::fs::write(world.dir.join("part.env"), without(&["STS", "SERVICE"])).unwrap();
    let (code, told) = call(world, &["--env", "part.env"]);
    assert_eq!(code, Some(2), "as every usage error: {told}");
    assert!(told.contains("--sts URL (STS)") && told.contains("--service URL (SERVICE)"), "{told}");
    assert!(told.contains("et kald med token kræver · a call in the token binding needs"), "{told}");
    assert!(!told.contains("StsUnavailable") && !told.contains("--ca"), "{told}");
    std::fs::write(world.dir.join("part.env"), without(&["STS", "STS_METADATA", "ENTITY_ID"])).unwrap();
    let (code, told) = call(world, &["--env", "part.env", "--binding", "authority-context"]);
    assert_eq!(code, Some(0), "the other binding needs none of it: {told}");
}

fn what_is_saved_is_what_explain_takes(world: &World) {
    for binding in ["token", "authority-context"] {
        let (code, told) = call(world, &["--env", "client.env", "--binding", binding, "--save", binding]);
        assert_eq!(code, Some(0), "{told}");
        let line = told.lines().find_map(|line| line.trim().strip_prefix("hjemmel ")).unwrap();
        // Whoever explains names the gateway's configuration, wherever it stands.
        let configuration = world.configuration.display().to_string();
        let words: Vec<&str> = line.split(' ').map(|word| if word == "hjemmel.toml" { &configuration } else { word }).collect();
        let explained = hjemmel(world, &words, "");
        let said = String::from_utf8(explained.stdout).unwrap();
        assert_eq!(explained.status.code(), Some(0), "{line}\n{said}{}", String::from_utf8(explained.stderr).unwrap());
        let saved: Vec<_> = std::fs::read_dir(world.dir.join(binding)).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(saved.len(), if binding == "token" { 3 } else { 2 });
        for file in saved {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600, "{:?} holds personal data", file.path());
        }
    }
}

fn another_certificate_than_the_gateways_is_told_as_what_it_is(world: &World) {
    let (code, told) = call(world, &["--env", "client.env", "--gateway-cert", "pki/sts-signing.pem"]);
    assert_eq!(code, Some(1), "{told}");
    let gateway = world.gateway_certificate().unwrap();
    assert!(told.contains(gateway.subject()) && told.contains(&gateway.thumbprint_hex()), "whose signature it is: {told}");
    assert!(told.contains("(pki/sts-signing.pem)"), "what was given: {told}");
    assert!(told.contains("Svaret er signeret med et andet certifikat") && told.contains("signed with another certificate"));
    assert!(!told.contains("nyt token") && !told.contains("new token"), "nothing is wrong with the token: {told}");
    assert!(!told.contains("StatusKode"), "it is not shown: {told}");
}

fn the_sts_says_no_to_the_caller_and_not_to_the_gateway(world: &World) {
    let (code, told) = call(world, &["--env", "client.env", "--cert", "pki/client-udk.pem", "--key", "pki/client-udk.key.pem"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("Dit system har ikke adgang") && told.contains("Your system has no access"), "{told}");
    for code in [100, 101, 103, 104, 106, 110, 111, 130] {
        world.sts_mode.set(StsMode::Fault(code));
        let (exit, told) = call(world, &["--env", "client.env"]);
        assert_eq!(exit, Some(1), "{told}");
        assert!(told.contains(&format!("STS'en afviste din anmodning om token (fejlkode {code}).")), "{told}");
        assert!(told.contains(&format!("The STS refused your request for a token (fault code {code}).")), "{told}");
        assert!(!told.contains("Call-id") && !told.contains("gatewayens"), "{told}");
    }
    world.sts_mode.set(StsMode::Down);
    let (_, told) = call(world, &["--env", "client.env"]);
    assert!(told.contains("no token:"), "{told}");
    world.sts_mode.set(StsMode::Honest);
}
