//! Real messages, where the reference material is present. They are pretty-printed; without the white space between
//! tags they are again what was signed. Their certificates have ended long ago, so the clock stands still in their day.

use std::path::PathBuf;

use bytes::Bytes;
use hjemmel::refusal::Refusal;
use hjemmel::saml::trust::{Issuer, Trust};
use hjemmel::saml::{Expectations, authenticate};
use hjemmel::signature::base64;
use hjemmel::signature::key::Certificate;
use hjemmel::signature::names::{DSIG, WSSE};
use hjemmel::signature::timestamp::{TimeRules, check};
use hjemmel::signature::verify::{verify_issued, verify_whole_response};
use hjemmel::soap::document::{Document, Element};
use hjemmel::soap::strict::{Limits, is_space};

use crate::forge::parts;
use crate::not_run::did_not_run;

const ISSUER: &str = "https://saml.n2adgangsstyring.eksterntest-stoettesystemerne.dk/runtime";

fn real(name: &str) -> Option<String> {
    let folder = std::env::var_os("HJEMMEL_REFERENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("oio-idws/messages").join(name)) else {
        did_not_run(name, "set HJEMMEL_REFERENCE to the folder of reference material");
        return None;
    };
    let mut out = String::new();
    for (n, piece) in text.trim_start_matches('\u{FEFF}').split('>').enumerate() {
        if n > 0 {
            out.push('>');
        }
        let trimmed = piece.trim_start_matches(is_space);
        out.push_str(if n > 0 && (trimmed.starts_with('<') || trimmed.is_empty()) { trimmed } else { piece });
    }
    Some(out)
}

fn document(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

fn certificate(element: Element<'_>) -> Certificate {
    let found = element.descendants().find(|e| e.is(DSIG, "X509Certificate") || e.is(WSSE, "BinarySecurityToken")).unwrap();
    Certificate::from_der(&base64::decode(&found.text().unwrap()).unwrap()).unwrap()
}

fn accept(text: &str, entity: &str, now: &str) -> Result<String, Refusal> {
    let document = document(text);
    let parts = parts(&document).unwrap();
    let issuer = parts.security.descendants().find(|e| e.local() == "Assertion").map(certificate).unwrap();
    let trust = Trust::new(vec![Issuer::from_certificates(ISSUER, vec![issuer]).unwrap()]);
    let (identity, _) = authenticate(&document, &parts, &Expectations::new(&trust, entity), now.parse().unwrap())?;
    assert!(identity.holder().subject().contains("WSC_Core"));
    Ok(identity.cvr().to_owned())
}

#[test]
fn real_requests_authenticate_and_altered_ones_do_not() {
    let requests = [
        ("HelloSignRequest-PrettyPrint.xml", "http://wsp12.oioidws-net.dk/service/service/1", "2023-04-04T08:22:00Z", "Schultz"),
        (
            "JavaHelloNoneRequest-PrettyPrint.xml",
            "http://wsp12.oioidws-java.dk/service/service/1",
            "2022-11-28T01:37:00Z",
            "John",
        ),
    ];
    for (name, entity, now, word) in requests {
        let Some(text) = real(name) else { continue };
        assert_eq!(accept(&text, entity, now).unwrap(), "11111111", "{name}");
        let code = |text: &str| accept(text, entity, now).unwrap_err().code();
        assert_eq!(code(&text.replace(word, "Mallory")), "DigestMismatch", "{name}: Body altered");
        assert_eq!(code(&text.replace(">11111111<", ">99999991<")), "DigestMismatch", "{name}: token altered");
        assert_eq!(code(&text.replace("u:Created>20", "u:Created> 20")), "DigestMismatch", "{name}: Timestamp altered");
        assert_eq!(accept(&text, "http://other.example", now).unwrap_err().code(), "TokenAudience");
        assert_eq!(accept(&text, entity, "2023-12-28T01:37:00Z").unwrap_err().code(), "TokenExpired");
    }
}

#[test]
fn a_real_response_verifies_with_its_pinned_certificate_only() {
    let Some(text) = real("JavaHelloNoneResponse-PrettyPrint.xml") else { return };
    let response = document(&text);
    let parts = parts(&response).unwrap();
    let signer = certificate(parts.security);
    let verified = verify_whole_response(&response, &parts, std::slice::from_ref(&signer)).unwrap();
    assert!(verified.covers(parts.body));
    check(verified.timestamp(), &TimeRules::default(), "2022-11-28T01:41:00Z".parse().unwrap()).unwrap();
    let other = crate::forge::CLIENT.certificate.clone();
    assert_eq!(verify_whole_response(&response, &parts, &[other]).err().unwrap().code(), "SignatureInvalid");
    let altered = document(&text.replace("Hello John", "Hello Jane"));
    let altered_parts = crate::forge::parts(&altered).unwrap();
    assert_eq!(verify_whole_response(&altered, &altered_parts, &[signer]).err().unwrap().code(), "DigestMismatch");
}

#[test]
fn real_tokens_verify_with_their_issuers_key() {
    for name in ["bootstrap-token.xml", "sts-token-signature-scenario.xml"] {
        let Some(text) = real(name) else { continue };
        let text = text.replace("<?xml version=\"1.0\" encoding=\"utf-16\"?>", "");
        let token = document(&text);
        let key = certificate(token.root()).key().clone();
        verify_issued(token.root(), &[key]).map(|_| ()).unwrap();
    }
}
