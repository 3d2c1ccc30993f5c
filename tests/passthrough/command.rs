//! `hjemmel service`, as an operator runs it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{WSDL, XSD, service, write};

/// Runs the command: whether it succeeded, and all that it printed.
fn run(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_hjemmel")).arg("service").args(arguments).current_dir(dir).output().unwrap();
    (done.status.success(), format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)))
}

const LETTER: &str = "<Brev xmlns='urn:test:brev'><Modtager><Id>1</Id></Modtager></Brev>";

fn services() -> tempfile::TempDir {
    let toml = service(&[("token", "brev.wsdl")]);
    let wrong = format!("<Brev xmlns='urn:test:brev'><Modtager><Id>6101801234{}</Id></Modtager><Kopi/></Brev>", "x".repeat(80));
    let enveloped =
        format!("<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>{LETTER}</e:Body></e:Envelope>");
    write(&[
        ("brev/service.toml", &toml),
        ("brev/brev.wsdl", WSDL),
        ("brev/brev.xsd", XSD),
        ("halv/service.toml", "[token]\nwsdl = \"ingen.wsdl\"\n"),
        ("letter.xml", LETTER),
        ("enveloped.xml", &enveloped),
        ("wrong.xml", &wrong),
        ("answer.xml", "<Kvittering xmlns='urn:test:brev'>modtaget</Kvittering>"),
    ])
}

#[test]
fn new_finds_the_folder_of_all_that_the_wsdl_names_and_writes_once() {
    let wsdl = WSDL.replace("schemaLocation=\"brev.xsd\"", "schemaLocation=\"../../xsd/brev.xsd\"");
    let dir = write(&[("brev/wsdl/token/brev.wsdl", &wsdl), ("brev/xsd/brev.xsd", XSD)]);
    let (fine, said) = run(dir.path(), &["new", "brev/wsdl/token/brev.wsdl"]);
    assert!(fine, "{said}");
    let text = fs::read_to_string(dir.path().join("brev/service.toml")).unwrap();
    assert!(
        text.contains("#   send: Brev → Kvittering, header Hoved") && text.contains("wsdl = \"wsdl/token/brev.wsdl\""),
        "{text}"
    );
    assert!(text.matches("# say: ").count() >= 8, "{text}");
    // As it was written, it is no service yet: a person has to answer.
    let (fine, said) = run(dir.path(), &["check", "brev"]);
    assert!(!fine && said.contains("service.uuid is empty") && said.contains("paths.persons is missing"), "{said}");
    let (fine, said) = run(dir.path(), &["new", "brev/wsdl/token/brev.wsdl"]);
    assert!(!fine && said.contains("exists"), "{said}");
    assert_eq!(fs::read_to_string(dir.path().join("brev/service.toml")).unwrap(), text);
}

#[test]
fn check_and_show_say_what_is_offered_or_every_problem() {
    let dir = services();
    let (fine, said) = run(dir.path(), &["check", "brev"]);
    assert!(fine && said.contains("brev: in order; 1 operations at /service/Brev/1"), "{said}");
    let (fine, said) = run(dir.path(), &["show", "brev"]);
    for part in [
        "urn:send",
        "{urn:test:brev}Brev",
        "with the header {urn:test:brev}Hoved",
        "{urn:test:brev}Fejl",
        "no message holds any",
        "brev.xsd",
    ] {
        assert!(fine && said.contains(part), "{part}: {said}");
    }
    let (fine, said) = run(dir.path(), &["check", "halv"]);
    assert!(
        !fine
            && said.contains("token.wsdl names ingen.wsdl")
            && said.contains("service is missing") | said.contains("service.uuid"),
        "{said}"
    );
}

#[test]
fn validate_tells_place_and_rule_and_never_a_value() {
    let dir = services();
    for file in ["letter.xml", "enveloped.xml"] {
        let (fine, said) = run(dir.path(), &["validate", "brev", file]);
        assert!(fine && said.contains("gyldig som anmodning til send") && said.contains("valid as a request of send"), "{said}");
    }
    let (fine, said) = run(dir.path(), &["validate", "brev", "wrong.xml", "--lang", "da"]);
    assert!(
        !fine && said.contains("/Brev/Modtager/Id: værdien har ikke en tilladt længde") && said.contains("/Brev/Kopi"),
        "{said}"
    );
    assert!(!said.contains("6101801234"), "{said}");
    let (fine, said) = run(dir.path(), &["validate", "brev", "answer.xml", "--answer", "--lang", "en"]);
    assert!(fine && said == "valid as an answer of send\n", "{said}");
    let (fine, said) = run(dir.path(), &["validate", "brev", "answer.xml"]);
    assert!(!fine && said.contains("no operation has this element in its body"), "{said}");
    let (fine, said) = run(dir.path(), &["validate", "brev", "answer.xml", "--operation", "send", "--lang", "en"]);
    assert!(!fine && said.contains("the element is not the operation's"), "{said}");
}

#[test]
fn list_tells_each_service_and_those_that_share_what_must_be_their_own() {
    let dir = services();
    let (fine, said) = run(dir.path(), &["list", "."]);
    assert!(!fine && said.contains("brev  11111111-1111-4111-8111-111111111111  /service/Brev/1  token  1 operations"), "{said}");
    assert!(said.contains("halv  cannot be offered"), "{said}");
    fs::remove_dir_all(dir.path().join("halv")).unwrap();
    assert!(run(dir.path(), &["list", "."]).0);
    let copy = dir.path().join("igen");
    fs::create_dir(&copy).unwrap();
    for file in ["service.toml", "brev.wsdl", "brev.xsd"] {
        fs::copy(dir.path().join("brev").join(file), copy.join(file)).unwrap();
    }
    let (fine, said) = run(dir.path(), &["list", "."]);
    assert!(!fine && said.contains("igen  has the path /service/Brev/1, and so has brev"), "{said}");
}

#[test]
fn a_reader_that_is_gone_is_no_error_to_speak_of() {
    let dir = services();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hjemmel"))
        .args(["service", "show", "brev"])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
}

#[test]
fn two_wsdls_that_do_not_say_get_a_binding_each() {
    let dir = write(&[("brev/a.wsdl", WSDL), ("brev/b.wsdl", WSDL), ("brev/brev.xsd", XSD)]);
    let (fine, said) = run(dir.path(), &["new", "brev/a.wsdl", "brev/b.wsdl"]);
    assert!(fine, "{said}");
    let text = fs::read_to_string(dir.path().join("brev/service.toml")).unwrap();
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}"));
    assert!(
        place("[token]") < place("a.wsdl")
            && place("a.wsdl") < place("[authority-context]")
            && place("[authority-context]") < place("b.wsdl")
    );
    assert_eq!(text.matches("the WSDL has no WS-Policy that tells").count(), 2);
}

#[test]
fn a_provider_starts_from_a_folder_and_says_where_and_a_folder_with_problems_is_told() {
    let dir = services();
    let made =
        Command::new(env!("CARGO_BIN_EXE_hjemmel")).args(["certs", "dev", "pki"]).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let stub = |folder: &str| {
        Command::new(env!("CARGO_BIN_EXE_hjemmel"))
            .args(["stub", "service", folder, "--pki", "pki", "--listen", "127.0.0.1:0", "--mode", "slow=1"])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut running = stub("brev");
    let mut said = String::new();
    let mut lines = BufReader::new(running.stdout.take().unwrap());
    while !said.contains("Ctrl-C") && lines.read_line(&mut said).unwrap() > 0 {}
    running.kill().unwrap();
    running.wait().unwrap();
    for part in ["https://127.0.0.1:", "/service/Brev/1", "brev, 1 operations", "AuthorityContext", "/stub/mode"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let done = stub("halv").wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && told.contains("token.wsdl names ingen.wsdl"), "{told}");
    assert!(told.contains("no provider for it can be run"), "{told}");
}
