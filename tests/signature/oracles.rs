//! Tools that this project did not write judge what it signs.

use std::process::Command;

use crate::support::*;
use hjemmel::signature::sign::{self, SoapVersion};

fn xmlsec1(xml: &[u8], id_attributes: &[&str]) -> Option<bool> {
    if Command::new("xmlsec1").arg("--version").output().is_err() {
        println!("NOT RUN: xmlsec1 is not here (apt-get install xmlsec1)");
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
    let signed = sign::sign_enveloped(assertion.as_bytes(), &STS.key, &STS.certificate).unwrap();
    let ids = ["ID urn:oasis:names:tc:SAML:2.0:assertion:Assertion"];
    if let Some(good) = xmlsec1(&signed, &ids) {
        assert!(good);
        let altered = String::from_utf8(signed).unwrap().replace(">11111111<", ">99999991<");
        assert_eq!(xmlsec1(altered.as_bytes(), &ids), Some(false), "the oracle sees a change");
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
