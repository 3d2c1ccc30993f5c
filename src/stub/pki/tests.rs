use std::process::Command;

use super::*;
use crate::signature::credentials::{CredentialsError, certificates_from_pem_file, inspect};

fn password_file(dir: &Path, password: &str) -> PathBuf {
    let file = dir.join("password");
    std::fs::write(&file, format!("{password}\n")).unwrap();
    file
}

fn openssl(arguments: &[&str]) -> Option<std::process::Output> {
    match Command::new("openssl").args(arguments).output() {
        Ok(output) => Some(output),
        Err(_) => {
            println!("NOT RUN: openssl is not installed");
            None
        }
    }
}

#[test]
fn a_leaf_names_its_holder_as_oces3_does() {
    let facts = inspect(for_tests().credentials(Role::Korsbaek).unwrap().leaf()).unwrap();
    assert_eq!(facts.cvr.as_deref(), Some("11111111"));
    assert_eq!(facts.serial_number.as_deref(), Some("UI:DK-O:G:5a0c7b52-6a5e-4b0e-9d53-0a1f3c6b1007"));
    assert_eq!(facts.common_name.as_deref(), Some("Fagsystem Korsbæk"));
    assert!(facts.not_before < facts.not_after);
}

#[test]
fn every_role_has_a_certificate_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for role in Role::ALL {
        assert!(seen.insert(for_tests().credentials(role).unwrap().thumbprint()), "{role:?} shares a certificate");
    }
}

#[test]
fn openssl_accepts_the_chain_and_sees_rsassa_pss() {
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(dir.path(), None).unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    for role in Role::ALL {
        let leaf = path(&format!("{}.pem", role.file_name()));
        let arguments = ["verify", "-CAfile", &path("root.pem"), "-untrusted", &path("issuing.pem"), &leaf];
        let Some(verified) = openssl(&arguments) else { return };
        assert!(verified.status.success(), "{role:?}: {}", String::from_utf8_lossy(&verified.stderr));
        let text = openssl(&["x509", "-in", &leaf, "-noout", "-text"]).unwrap().stdout;
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("Signature Algorithm: rsassaPss"), "{text}");
        assert!(text.contains("Salt Length: 0x20"), "{text}");
    }
}

#[test]
fn what_is_written_as_pem_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(dir.path(), None).unwrap();
    let read = Credentials::from_pem_files(&dir.path().join("client-udk.pem"), &dir.path().join("client-udk.key.pem"));
    assert_eq!(read.unwrap().thumbprint(), for_tests().credentials(Role::Udk).unwrap().thumbprint());
    assert_eq!(certificates_from_pem_file(&dir.path().join("root.pem")).unwrap(), [for_tests().root().clone()]);
}

#[cfg(unix)]
#[test]
fn keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(dir.path(), Some("demo")).unwrap();
    for name in ["gateway-server.key.pem", "gateway-server.p12"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn an_existing_key_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(dir.path(), None).unwrap();
    assert!(matches!(for_tests().write(dir.path(), None), Err(PkiError::Exists(_))));
}

#[test]
fn pkcs12_is_read_with_its_password_and_refused_with_another() {
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(dir.path(), Some("hemmelig")).unwrap();
    let file = dir.path().join("gateway-client.p12");
    let read = Credentials::from_pkcs12_file(&file, &password_file(dir.path(), "hemmelig")).unwrap();
    let made = for_tests().credentials(Role::GatewayClient).unwrap();
    assert_eq!(read.chain(), made.chain(), "leaf first, then its issuer");
    let wrong = Credentials::from_pkcs12_file(&file, &password_file(dir.path(), "forkert")).unwrap_err();
    assert!(matches!(wrong, CredentialsError::WrongPassword { .. }), "{wrong}");
    assert!(wrong.to_string().contains("gateway-client.p12"), "the error names the file");
}

#[test]
fn pkcs12_as_openssl_writes_it_is_read_both_modern_and_legacy() {
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(dir.path(), None).unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (chain, key, out) = (path("client-korsbaek.pem"), path("client-korsbaek.key.pem"), path("out.p12"));
    let issuing = path("issuing.pem");
    let export = ["pkcs12", "-export", "-in", &chain, "-inkey", &key, "-certfile", &issuing, "-out", &out];
    // AES-256 with SHA-256, then 3DES for the key and 40-bit RC2 for the certificates, then 3DES for both.
    let kinds: [&[&str]; 3] = [&[], &["-legacy"], &["-legacy", "-certpbe", "PBE-SHA1-3DES", "-descert"]];
    for kind in kinds {
        let arguments: Vec<&str> = export.into_iter().chain(["-passout", "pass:æøå Kode1"]).chain(kind.iter().copied()).collect();
        let Some(written) = openssl(&arguments) else { return };
        assert!(written.status.success(), "{kind:?}: {}", String::from_utf8_lossy(&written.stderr));
        let read = Credentials::from_pkcs12_file(Path::new(&out), &password_file(dir.path(), "æøå Kode1"));
        let read = read.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(read.thumbprint(), for_tests().credentials(Role::Korsbaek).unwrap().thumbprint(), "{kind:?}");
    }
}

#[test]
fn a_chain_listed_backwards_still_puts_the_leaf_first() {
    let dir = tempfile::tempdir().unwrap();
    let made = for_tests().credentials(Role::StsSigning).unwrap();
    let file = dir.path().join("all.pem");
    let text = [for_tests().root(), for_tests().issuing(), made.leaf()].map(|der| pem("CERTIFICATE", der)).concat()
        + &pem("PRIVATE KEY", made.key().secret_der());
    std::fs::write(&file, text).unwrap();
    let read = Credentials::from_pem_files(&file, &file).unwrap();
    assert_eq!(read.chain(), [made.leaf().clone(), for_tests().issuing().clone(), for_tests().root().clone()]);
}

/// `openssl ecparam -genkey` writes the curve's name as a section of its own before the key.
#[test]
fn a_key_after_the_parameters_of_its_curve_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let openssl = |arguments: &[&str]| Command::new("openssl").args(arguments).output();
    let Ok(made) = openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-out", &path("key.pem")]) else {
        println!("NOT RUN: openssl is not installed");
        return;
    };
    assert!(made.status.success());
    assert!(std::fs::read_to_string(path("key.pem")).unwrap().contains("BEGIN EC PARAMETERS"));
    openssl(&["req", "-new", "-x509", "-key", &path("key.pem"), "-subj", "/CN=system", "-out", &path("own.pem")]).unwrap();
    let read = Credentials::from_pem_files(Path::new(&path("own.pem")), Path::new(&path("key.pem"))).unwrap();
    assert_eq!(read.chain().len(), 1);
}

#[test]
fn each_fault_in_a_file_is_told_apart_and_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for_tests().write(dir.path(), None).unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("empty.pem"), "").unwrap();
    let text = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    std::fs::write(path("both.pem"), text("client-udk.pem") + &text("client-udk.key.pem")).unwrap();
    std::fs::write(path("two.key.pem"), text("client-udk.key.pem") + &text("client-korsbaek.key.pem")).unwrap();
    std::fs::write(path("torn.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
    std::fs::write(path("encrypted.pem"), pem("ENCRYPTED PRIVATE KEY", b"x")).unwrap();
    std::fs::write(path("junk.pem"), pem("CERTIFICATE", b"junk")).unwrap();
    let read = |certificates: &str, key: &str| Credentials::from_pem_files(&path(certificates), &path(key)).unwrap_err();
    let cases = [
        (read("none.pem", "client-udk.key.pem"), "cannot read", "none.pem"),
        (read("empty.pem", "client-udk.key.pem"), "holds no certificate", "empty.pem"),
        (read("junk.pem", "client-udk.key.pem"), "X.509", "junk.pem"),
        (read("client-udk.pem", "empty.pem"), "holds no private key", "empty.pem"),
        (read("client-udk.pem", "torn.pem"), "section 1 (PRIVATE KEY, line 1) does not end", "torn.pem"),
        (read("both.pem", "client-udk.key.pem"), "holds a private key where none belongs: section 3", "both.pem"),
        (read("client-udk.pem", "both.pem"), "holds a certificate where none belongs: section 1", "both.pem"),
        (read("client-udk.pem", "two.key.pem"), "holds 2 private keys", "two.key.pem"),
        (read("client-udk.pem", "encrypted.pem"), "is encrypted", "encrypted.pem"),
        (read("client-udk.pem", "client-korsbaek.key.pem"), "belongs to the private key", "client-korsbaek.key.pem"),
    ];
    for (error, says, names) in cases {
        let text = error.to_string();
        assert!(text.contains(says) && text.contains(names), "{text}");
    }
}

#[test]
fn credentials_do_not_show_their_key_in_debug_output() {
    let made = for_tests().credentials(Role::Udk).unwrap();
    assert_eq!(format!("{made:?}"), format!("Credentials({})", crate::hex::encode(&made.thumbprint())));
}

/// Most other CAs sign with PKCS#1: a profile that says so is read like the rest.
#[test]
fn an_authority_may_sign_with_pkcs1_where_its_profile_says_so() {
    let text = include_str!("../../../certs/profiles.toml").replace("signature = \"rsassa-pss\"", "signature = \"rsa-pkcs1\"");
    let profiles: &'static Profiles = Box::leak(Box::new(toml::from_str(&text).unwrap()));
    let pki = DevPki::of(profiles, &Clock::system(), KeyBits::Bits2048).unwrap();
    let dir = tempfile::tempdir().unwrap();
    pki.write(dir.path(), None).unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let arguments = ["verify", "-CAfile", &path("root.pem"), "-untrusted", &path("issuing.pem"), &path("client-udk.pem")];
    let Some(verified) = openssl(&arguments) else { return };
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let text = openssl(&["x509", "-in", &path("client-udk.pem"), "-noout", "-text"]).unwrap().stdout;
    assert!(String::from_utf8_lossy(&text).contains("Signature Algorithm: sha256WithRSAEncryption"));
}
