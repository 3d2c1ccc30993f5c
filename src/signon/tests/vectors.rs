//! What six identity providers sent: 26 responses and four log-outs, judged at their own instants. They stand in a folder
//! beside the project; where it is absent the test says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::pem::{Kind, sections};
use crate::refusal::logon::LogOnRefusal;
use crate::signature::key::Certificate;
use crate::signon::redirect::Query;
use crate::soap::document::Document;
use crate::soap::strict::Limits;
use crate::stub::idp::answer::{Method, encrypt};

const KEYCLOAK: &str = "http://127.0.0.1:18080/realms/r1";

/// What becomes of each as far as the provider's word goes; assurance and roles are asked after that.
const VERDICTS: [(&str, Option<&str>); 26] = [
    ("crewjam-enc.xml", Some("LogOnEncryption")),
    ("crewjam-encgcm.xml", Some("LogOnDecryption")),
    ("crewjam-plain.xml", None),
    ("keycloak-assertion-only.xml", None),
    ("keycloak-both.xml", None),
    ("keycloak-enc-cbc-mgf1p.xml", Some("LogOnEncryption")),
    ("keycloak-enc.xml", Some("LogOnDecryption")),
    ("keycloak-error-nopassive.xml", Some("LogOnStatus")),
    ("keycloak-nameid-persistent.xml", None),
    ("keycloak-nameid-transient.xml", None),
    ("keycloak-response-only.xml", None),
    ("lasso-default.xml", Some("LogOnAlgorithm")),
    ("lasso-enc.xml", Some("LogOnAlgorithm")),
    ("pysaml2-default.xml", Some("LogOnUnsigned")),
    ("pysaml2-enc_both.xml", Some("LogOnAlgorithm")),
    ("pysaml2-enc_default.xml", Some("LogOnEncryption")),
    ("pysaml2-sign_assertion.xml", Some("LogOnAlgorithm")),
    ("pysaml2-sign_both_conf.xml", Some("LogOnAlgorithm")),
    ("samlp-default.xml", None),
    ("samlp-enc.xml", Some("LogOnDecryption")),
    ("samlp-express.xml", Some("LogOnDestination")),
    ("samlp-sign_both.xml", None),
    ("samlp-sign_response_only.xml", None),
    ("ssp1197-enc.xml", Some("LogOnEncryption")),
    ("ssp1197-nosignresp.xml", None),
    ("ssp1197-plain.xml", None),
];

fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("HJEMMEL_REFERENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"), PathBuf::from);
    let folder = shared.join("saml-idp");
    if !folder.is_dir() {
        eprintln!("DID NOT RUN: {} is not here, so what real identity providers sent was not judged", folder.display());
        return None;
    }
    Some(folder)
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn providers(folder: &Path, now: Timestamp) -> Vec<Provider> {
    let certificate = |name: &str| {
        let pem = std::fs::read(folder.join(name)).unwrap();
        Certificate::from_der(&sections(&pem, &[Kind::Certificate]).unwrap()[0].der).unwrap()
    };
    let (idp, realm) = (certificate("idp.crt"), certificate("keycloak-realm.crt"));
    [
        (KEYCLOAK, &realm),
        ("https://idp.example.test", &idp),
        ("https://idp.example.test/md", &idp),
        ("https://lasso.example.test/md", &idp),
        ("https://ssp.example.test/md", &idp),
    ]
    .into_iter()
    .map(|(entity_id, certificate)| {
        let metadata = idp::metadata(entity_id, "https://idp.test", certificate);
        Provider::from_metadata("vector", Bytes::from(metadata), Answers::ForAll, now).unwrap()
    })
    .collect()
}

/// The console that a response was made for.
fn console(consumer: &str, entity_id: &str) -> Own {
    let log_out = consumer.replace("/acs", "/slo");
    Own::at(entity_id.to_owned(), consumer.to_owned(), log_out, &[credentials(Key::GatewayClient)]).unwrap()
}

/// The rows of the folder's own table: InResponseTo, Destination, Audience and NotBefore by file.
fn rows(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let readme = text(&folder.join("README.md"));
    let rows = readme.lines().filter(|line| line.contains(".xml |"));
    rows.map(|line| {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        (cells[0].clone(), cells)
    })
    .collect()
}

/// When the response was issued.
fn issued(xml: &str) -> Timestamp {
    let document = Document::parse(Bytes::from(xml.to_owned()), &Limits::default()).unwrap();
    document.root().attribute("", "IssueInstant").unwrap().parse().unwrap()
}

fn rules() -> Rules {
    STAGE.rules.clone()
}

#[test]
fn what_real_providers_sent_is_accepted_and_refused_as_listed() {
    let Some(folder) = folder() else { return };
    let rows = rows(&folder);
    assert_eq!(rows.len(), VERDICTS.len(), "the folder's table and ours");
    for (name, due) in VERDICTS {
        let xml = text(&folder.join(name));
        let now = issued(&xml);
        let [_, _, request, destination, _, audience, ..] = &rows[name][..] else { panic!("{name}: too few cells") };
        let consumer = if name == "samlp-express.xml" { "https://sp.example.test/acs" } else { destination };
        let (own, request) = (console(consumer, audience), RequestId(request.clone()));
        let judge = |request: &RequestId, at: Timestamp| {
            let answer = Answer::read(&base64::encode(xml.as_bytes())).unwrap();
            answer.judge(&own, &providers(&folder, at), &rules(), Some(request), at)
        };
        assert_eq!(code(judge(&request, now)), due, "{name}");
        if due.is_some() {
            continue;
        }
        // Each of them, were it used otherwise: by another browser, an hour later, for another console.
        assert_eq!(code(judge(&RequestId("_other".to_owned()), now)), Some("LogOnOtherRequest"), "{name}");
        let late = now.checked_add(jiff::SignedDuration::from_hours(2)).unwrap();
        assert_eq!(code(judge(&request, late)), Some("LogOnTime"), "{name}");
        let elsewhere = console(consumer, "https://elsewhere.test/md");
        let answer = Answer::read(&base64::encode(xml.as_bytes())).unwrap();
        let judged = answer.judge(&elsewhere, &providers(&folder, now), &rules(), Some(&request), now);
        assert_eq!(code(judged), Some("LogOnAudience"), "{name}");
        // None of them says how sure it is, whatever it was asked for.
        assert_eq!(code(judge(&request, now).and_then(|attested| attested.person(&rules()))), Some("LogOnAssurance"), "{name}");
        let context = judge(&request, now).unwrap().context.unwrap();
        let taking = Rules { contexts: vec![context], ..rules() };
        let due = match judge(&request, now).unwrap().name_id.is_transient() {
            true => Some("LogOnPerson"),
            false => Some("LogOnAuthority"),
        };
        assert_eq!(code(judge(&request, now).and_then(|attested| attested.person(&taking))), due, "{name}");
    }
}

/// Of those that were encrypted the key is not kept, but what came out of them is: it is encrypted anew, for a key of ours, and
/// its signature judged over the bytes that come out.
#[test]
fn what_real_providers_encrypted_is_judged_over_the_bytes_that_come_out() {
    let Some(folder) = folder() else { return };
    let rows = rows(&folder);
    let to = STAGE.partner.certificate();
    for (name, due) in [
        ("crewjam-enc", None),
        ("crewjam-encgcm", None),
        ("keycloak-enc", None),
        ("keycloak-enc-cbc-mgf1p", None),
        ("samlp-enc", None),
        ("ssp1197-enc", None),
        ("lasso-enc", Some("LogOnAlgorithm")),
        ("pysaml2-enc_both", Some("LogOnAlgorithm")),
        ("pysaml2-enc_default", Some("LogOnAlgorithm")),
    ] {
        let plain = text(&folder.join(format!("{name}.plaintext.xml")));
        let now = issued(&plain);
        let [_, _, request, destination, _, audience, ..] = &rows[&format!("{name}.xml")][..] else { panic!("{name}") };
        let own = console(destination, audience);
        let request = RequestId(request.clone());
        let document = Document::parse(Bytes::from(plain.clone()), &Limits::default()).unwrap();
        let issuer = document.root().elements().next().unwrap().text().unwrap().into_owned();
        let verdict = |plain: &str, method: Method| -> Result<Attested, LogOnRefusal> {
            let inside = encrypt(plain, to, method).unwrap();
            let xml = format!(
                "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
                 ID=\"_x\" Version=\"2.0\" IssueInstant=\"{now}\" Destination=\"{destination}\" InResponseTo=\"{}\"><saml:Issuer>{issuer}\
                 </saml:Issuer><samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status>\
                 {inside}</samlp:Response>",
                request.as_str()
            );
            let answer = Answer::read(&base64::encode(xml.as_bytes()))?;
            answer.judge(&own, &providers(&folder, now), &rules(), Some(&request), now)
        };
        for method in [Method::Gcm, Method::GcmMgf1p] {
            assert_eq!(code(verdict(&plain, method)), due, "{name}");
        }
        if due.is_none() {
            let altered = plain.replacen("Version=\"2.0\"", "Version='2.0' ", 1);
            assert_eq!(code(verdict(&altered, Method::Gcm)), None, "{name}: other bytes, the same canonical form");
            let altered = plain.replacen("aase", "bent", 1);
            if altered != plain {
                assert_eq!(code(verdict(&altered, Method::Gcm)), Some("LogOnSignature"), "{name}");
            }
        }
    }
}

#[test]
fn what_real_providers_sent_at_log_out_is_verified_over_the_query_as_it_came() {
    let Some(folder) = folder() else { return };
    for (name, due) in [
        ("keycloak", None),
        ("lasso", Some("LogOnAlgorithm")),
        ("pysaml2", Some("LogOnAlgorithm")),
        ("ssp1197", Some("LogOutUnsigned")),
    ] {
        let address = text(&folder.join(format!("{name}-logoutrequest-redirect.txt")));
        let (location, raw) = address.trim().split_once('?').unwrap();
        let read = Query::read(raw).unwrap();
        let now = issued(&String::from_utf8(read.message().unwrap()).unwrap());
        let own = console(&location.replace("/slo", "/acs"), "https://sp.example.test/md");
        let order = crate::signon::logout::ordered(&read, &own, &providers(&folder, now), &rules(), now);
        assert_eq!(code(order), due, "{name}");
        if due.is_none() {
            let other = raw.replace("SigAlg", "RelayState=x&SigAlg");
            let order =
                crate::signon::logout::ordered(&Query::read(&other).unwrap(), &own, &providers(&folder, now), &rules(), now);
            assert_eq!(code(order), Some("LogOnSignature"), "{name}: a RelayState that was not signed");
        }
    }
}
