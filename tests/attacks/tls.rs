//! TLS 1.2 and 1.3 with forward secrecy and authenticated encryption, and nothing older, as `openssl` sees it.

use std::process::{Command, Stdio};

use crate::arena::{Arena, arena};

/// What `openssl s_client` says of a handshake with these options: protocol and suite, or nothing.
fn handshake(arena: &Arena, options: &[&str]) -> Option<String> {
    let address = format!("localhost:{}", arena.world.service.port_u16().unwrap());
    // At security level 0 openssl itself offers what this century no longer wants: the refusal is the gateway's.
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &address, "-servername", "localhost", "-CAfile"])
        .arg(arena.world.dir.join("pki/root.pem"))
        .args(["-verify_return_error", "-brief"])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.success() && said.contains("CONNECTION ESTABLISHED")).then_some(said)
}

#[test]
fn only_tls_1_2_and_1_3_with_forward_secrecy_are_spoken() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("openssl is not installed: the probes of protocols and suites did not run");
        return;
    }
    let arena = arena();
    for (options, protocol) in [(["-tls1_3"].as_slice(), "TLSv1.3"), (&["-tls1_2"], "TLSv1.2")] {
        let said = handshake(&arena, options).unwrap_or_else(|| panic!("{protocol} is spoken"));
        assert!(said.contains(protocol), "{said}");
    }
    for suite in ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"] {
        assert!(handshake(&arena, &["-tls1_2", "-cipher", suite]).is_some(), "{suite}");
    }
    for (reason, options) in [
        ("TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"].as_slice()),
        ("TLS 1.0", &["-tls1", "-cipher", "ALL:@SECLEVEL=0"]),
        ("a key that RSA carries: no forward secrecy", &["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"]),
        ("CBC and SHA-1", &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:@SECLEVEL=0"]),
        ("CBC and SHA-256", &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384:@SECLEVEL=0"]),
        ("CCM", &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"]),
        ("finite-field Diffie-Hellman", &["-tls1_2", "-cipher", "DHE:@SECLEVEL=0"]),
        ("no authentication of the server", &["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"]),
        ("no encryption", &["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"]),
        ("signatures with SHA-1", &["-tls1_2", "-sigalgs", "RSA+SHA1", "-cipher", "ALL:@SECLEVEL=0"]),
        ("a curve of 192 bits", &["-tls1_2", "-groups", "P-192", "-cipher", "ALL:@SECLEVEL=0"]),
    ] {
        assert!(handshake(&arena, options).is_none(), "{reason} is spoken");
    }
    let said = handshake(&arena, &["-tls1_2"]).unwrap();
    assert!(!said.contains("Compression: zlib"), "no compression (CRIME): {said}");
    arena.serves();
}
