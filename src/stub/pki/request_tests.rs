//! The commands of `certs/README.md`, run as they stand there, and what a CA issues on the requests that they make.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::signature::credentials::{Credentials, inspect};

/// The blocks of commands, in order.
fn blocks() -> Vec<&'static str> {
    let readme = include_str!("../../../certs/README.md");
    readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn run(folder: &Path, script: &str) -> Result<String, String> {
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", script]).current_dir(folder).env_clear().env("PATH", std::env::var("PATH").unwrap());
    let said = shell.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if said.status.success() { Ok(text(&said.stdout) + &text(&said.stderr)) } else { Err(text(&said.stderr)) }
}

/// A folder in which the commands were run, or a line that says what did not run.
fn requested() -> Option<tempfile::TempDir> {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("NOT RUN: openssl is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("certs"), folder.path().join("certs")).unwrap();
    assert!(blocks()[0].contains("rsa_keygen_bits:3072"));
    // Smaller keys, which are sooner made.
    run(folder.path(), &blocks()[0].replace("3072", "2048")).unwrap();
    Some(folder)
}

/// What a CA does with the requests: it signs them with RSASSA-PSS, as OCES does, and keeps what was asked for.
const CA: &str = "
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key.pem -out issuing.crt.pem -days 2 -subj /CN=CA 2>ca.log
    for name in tls-server system admin-client; do
        openssl x509 -req -in $name.csr.pem -CA issuing.crt.pem -CAkey ca.key.pem -CAcreateserial -copy_extensions copyall \\
            -days 1 -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -out $name.crt.pem 2>>ca.log
    done";

#[test]
fn the_requests_say_who_asks_and_for_what() {
    let Some(folder) = requested() else { return };
    let shown = run(folder.path(), blocks()[1]).unwrap();
    for subject in [
        "C=DK, O=Korsbæk Kommune, CN=terminaladgang.example",
        "C=DK, organizationIdentifier=NTRDK-99999990, O=Korsbæk Kommune, CN=TerminalAdgang",
        "C=DK, O=Korsbæk Kommune, CN=prometheus",
    ] {
        assert!(shown.contains(subject), "{shown}");
    }
}

#[test]
fn what_a_ca_issues_on_a_request_is_read_with_its_key_and_names_its_holder() {
    let Some(folder) = requested() else { return };
    run(folder.path(), CA).unwrap();
    run(folder.path(), blocks()[2]).unwrap();
    let path = |name: &str| folder.path().join(name);
    let system = Credentials::from_pem_files(&path("gateway-client.pem"), &path("system.key.pem")).unwrap();
    let facts = inspect(system.leaf()).unwrap();
    assert_eq!((facts.cvr.as_deref(), facts.common_name.as_deref()), (Some("99999990"), Some("TerminalAdgang")));
    assert_eq!(system.chain().len(), 2, "its own, then the issuing CA's");
    for (name, purpose, host) in [
        ("tls-server", "sslserver", Some("terminaladgang.example")),
        ("system", "sslclient", None),
        ("admin-client", "sslclient", None),
    ] {
        let host = host.map_or_else(String::new, |host| format!("-verify_hostname {host}"));
        let verify = |purpose: &str| format!("openssl verify -CAfile issuing.crt.pem -purpose {purpose} {host} {name}.crt.pem");
        run(folder.path(), &verify(purpose)).unwrap();
        let other = if purpose == "sslserver" { "sslclient" } else { "sslserver" };
        assert!(run(folder.path(), &verify(other)).is_err(), "{name} is for {purpose} alone");
    }
}

#[test]
fn a_request_with_a_name_left_out_is_not_made() {
    let Some(folder) = requested() else { return };
    let request = "openssl req -new -config certs/requests/system.cnf -key system.key.pem -out half.csr.pem";
    let error = run(folder.path(), &format!("export HJEMMEL_ORGANISATION=O HJEMMEL_SYSTEM=S; {request}")).unwrap_err();
    assert!(error.contains("variable has no value"), "{error}");
    assert!(!folder.path().join("half.csr.pem").exists());
}

#[test]
fn keys_that_the_commands_make_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let Some(folder) = requested() else { return };
    for name in ["tls-server", "system", "admin-client"] {
        let mode = std::fs::metadata(folder.path().join(format!("{name}.key.pem"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
