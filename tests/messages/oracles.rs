//! Tools that this project did not write judge what it signs.

use std::process::Command;

use crate::forge::*;
use crate::not_run::did_not_run;
use hjemmel::signature::sign::{self, Prefix, SoapVersion, Token};

fn xmlsec1(xml: &[u8], id_attributes: &[&str]) -> Option<bool> {
    if Command::new("xmlsec1").arg("--version").output().is_err() {
        did_not_run("xmlsec1", "apt-get install xmlsec1");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (certificate, message) = (folder.path().join("signer.pem"), folder.path().join("message.xml"));
    std::fs::write(&certificate, STS.pem()).unwrap();
    std::fs::write(&message, xml).unwrap();
    let mut command = Command::new("xmlsec1");
    command.arg("--verify").arg("--pubkey-cert-pem").arg(&certificate);
    for attribute in id_attributes {
        let (name, element) = attribute.split_once(' ').unwrap();
        command.arg(format!("--id-attr:{name}")).arg(element);
    }
    let output = command.arg(&message).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    Some(output.status.success() && text.contains("OK"))
}

#[test]
fn xmlsec1_verifies_our_assertion() {
    let assertion = assertion();
    for prefix in [Prefix::Ds, Prefix::None] {
        let signed = sign::sign_enveloped_as(prefix, assertion.as_bytes(), &STS.key, &STS.certificate).unwrap();
        let ids = ["ID urn:oasis:names:tc:SAML:2.0:assertion:Assertion"];
        if let Some(good) = xmlsec1(&signed, &ids) {
            assert!(good, "{prefix:?}");
            let altered = String::from_utf8(signed).unwrap().replace(">11111111<", ">99999991<");
            assert_eq!(xmlsec1(altered.as_bytes(), &ids), Some(false), "the oracle sees a change");
        }
    }
}

#[test]
fn xmlsec1_verifies_our_response() {
    for (version, soap) in [
        (SoapVersion::V11, "http://schemas.xmlsoap.org/soap/envelope/"),
        (SoapVersion::V12, "http://www.w3.org/2003/05/soap-envelope"),
    ] {
        let signed = crate::responses::response(version);
        let wsa = "http://www.w3.org/2005/08/addressing";
        let wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
        let wsu = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
        let ids = [
            format!("Id {soap}:Body"),
            format!("Id {wsa}:Action"),
            format!("Id {wsa}:MessageID"),
            format!("Id {wsa}:RelatesTo"),
            format!("Id {wsu}:Timestamp"),
            format!("Id {wsse}:BinarySecurityToken"),
        ];
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        if let Some(good) = xmlsec1(signed.as_bytes(), &ids) {
            assert!(good, "{version:?}");
            assert_eq!(xmlsec1(signed.replace("6101801234", "6101801235").as_bytes(), &ids), Some(false));
        }
    }
}

/// The WSS4J judge of `tests/interop`, where it has been built.
fn wss4j(kind: &str, xml: &str, signer: &Party) -> Option<(bool, String)> {
    let built = std::env::var_os("HJEMMEL_INTEROP")
        .map_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/interop"), Into::into)
        .join("wss4j");
    if !built.join("classes").exists() || Command::new("java").arg("-version").output().is_err() {
        did_not_run("the WSS4J judge", "tests/interop/run.sh builds it; HJEMMEL_INTEROP names its folder");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (certificate, message) = (folder.path().join("trust.pem"), folder.path().join("message.xml"));
    std::fs::write(&certificate, signer.pem()).unwrap();
    std::fs::write(&message, xml).unwrap();
    let mut command = Command::new("java");
    command.arg("-cp").arg(format!("{0}/classes:{0}/lib/*", built.display())).args(["dk.hjemmel.interop.Judge", kind]);
    let output = command.arg(message).arg("--trust").arg(certificate).args(["--at", "2026-11-22T12:00:00Z"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), told))
}

#[test]
fn wss4j_verifies_our_request_with_its_str_transform_and_our_response() {
    for (version, prefix) in [(SoapVersion::V11, Prefix::Ds), (SoapVersion::V12, Prefix::None)] {
        let token = sign::sign_enveloped_as(prefix, assertion().as_bytes(), &STS.key, &STS.certificate).unwrap();
        let token = Token::from_bytes(&token).unwrap();
        let request = String::from_utf8(sign::with_token(&message(version), &token, &CLIENT.key).unwrap()).unwrap();
        let response = crate::responses::response(version);
        for (kind, xml) in [("request", request), ("response", response)] {
            let Some((good, told)) = wss4j(kind, &xml, &STS) else { return };
            println!("{told}");
            assert!(good, "{kind} {version:?}: {told}");
            let (altered, told) = wss4j(kind, &xml.replace("6101801234", "6101801235"), &STS).unwrap();
            assert!(!altered, "the oracle sees a change: {told}");
        }
    }
}
