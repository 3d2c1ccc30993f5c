//! TLS 1.2 and 1.3 with forward secrecy and authenticated encryption, and nothing older, as `openssl` sees it.

use std::process::{Command, Stdio};

use crate::arena::{Arena, arena};
use crate::not_run::did_not_run;

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
        did_not_run("the probes of protocols and suites", "apt-get install openssl");
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

/// The whole of what `openssl s_client` prints with these options, having been given this to say.
fn session(arena: &Arena, options: &[&str], says: &str) -> String {
    use std::io::Write;
    let address = format!("localhost:{}", arena.world.service.port_u16().unwrap());
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &address, "-CAfile"])
        .arg(arena.world.dir.join("pki/root.pem"))
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(says.as_bytes()).unwrap();
    let output = client.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The table in `docs/tls.md`, as far as it is not seen above.
#[test]
fn nothing_is_resumed_renegotiated_compressed_or_sent_early() {
    if Command::new("openssl").arg("version").output().is_err() {
        did_not_run("the probes of sessions", "apt-get install openssl");
        return;
    }
    let arena = arena();
    let named = ["-servername", "localhost"];
    let with = |more: &[&'static str]| [named.as_slice(), more].concat();

    // Five times over with the session of the first: each time all of the handshake, and of the certificate's judgement.
    let reconnected = session(&arena, &with(&["-tls1_2", "-reconnect"]), "");
    assert!(reconnected.matches("New, TLSv1.2").count() >= 2 && !reconnected.contains("Reused"), "{reconnected}");
    let ticket = session(&arena, &with(&["-tls1_2"]), "");
    assert!(!ticket.contains("TLS session ticket:") && ticket.contains("Secure Renegotiation IS supported"), "{ticket}");
    assert!(ticket.contains("Extended master secret: yes") && ticket.contains("Compression: NONE"), "{ticket}");

    // R asks for another handshake on the connection: RFC 5746 binds the two, and here there is no second at all.
    let again = session(&arena, &with(&["-tls1_2"]), "R\n");
    assert!(again.contains("RENEGOTIATING") && again.contains("no renegotiation"), "{again}");

    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let tls13 = session(&arena, &with(&["-tls1_3", "-ign_eof"]), request);
    assert!(tls13.contains("HTTP/1.1 404") && !tls13.contains("Post-Handshake New Session Ticket"), "{tls13}");
    assert!(!tls13.contains("Max Early Data") && tls13.contains("Early data was not sent"), "{tls13}");

    for (options, agreed) in [
        (["-alpn", "h2"].as_slice(), "ALPN protocol: h2"),
        (&["-alpn", "http/1.1"], "ALPN protocol: http/1.1"),
        (&["-alpn", "http/1.1,h2"], "ALPN protocol: h2"),
        (&[], "No ALPN negotiated"),
        (&["-alpn", "spdy/3,h2c"], "no application protocol"),
    ] {
        let said = session(&arena, &with(options), "");
        assert!(said.contains(agreed), "{options:?}: {said}");
    }
    // One certificate, whichever name is asked for, or none.
    for name in [["-servername", "admin.internal"].as_slice(), &["-noservername"]] {
        let said = session(&arena, name, "");
        assert!(said.contains("Verify return code: 0 (ok)") && said.contains("CN = Hjemmel"), "{name:?}: {said}");
    }
    for group in ["X25519", "P-256", "P-384"] {
        assert!(handshake(&arena, &["-groups", group]).is_some(), "{group}");
    }
    for options in [
        ["-groups", "P-521"].as_slice(),
        &["-groups", "ffdhe2048"],
        &["-groups", "X448"],
        &["-tls1_2", "-legacy_renegotiation", "-cipher", "kDHE:@SECLEVEL=0"],
    ] {
        assert!(handshake(&arena, options).is_none(), "{options:?} is spoken");
    }
    arena.serves();
}
