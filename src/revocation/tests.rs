use std::process::Command;

use jiff::SignedDuration;
use rustls_pki_types::CertificateDer;

use super::ocsp::{OcspError, Status, judge};
use super::*;
use crate::clock::Clock;
use crate::signature::credentials::Credentials;
use crate::stub::pki::{DevPki, KeyBits, Leaf, OcspStatus, Role, Usage, for_tests, pem};
use x509_parser::prelude::X509Certificate;

fn now() -> Timestamp {
    Timestamp::from_second(Clock::system().now().as_second()).unwrap()
}

fn spki(certificate: &CertificateDer<'_>) -> Vec<u8> {
    X509Certificate::from_der(certificate).unwrap().1.public_key().raw.to_vec()
}

fn server() -> &'static CertificateDer<'static> {
    for_tests().credentials(Role::GatewayServer).unwrap().leaf()
}

fn response(status: OcspStatus, responder: Option<&Credentials>) -> Vec<u8> {
    let hour = SignedDuration::from_hours(1);
    for_tests().ocsp_response(server(), status, now() - hour, now() + hour, responder).unwrap()
}

fn says(response: &[u8]) -> Result<Status, OcspError> {
    judge(response, server(), &spki(for_tests().issuing()), now()).map(|verdict| verdict.status)
}

fn issued(pki: &DevPki, usage: Usage) -> Credentials {
    let day = SignedDuration::from_hours(24);
    let leaf = Leaf {
        common_name: "Responder".to_owned(),
        organization: "Hjemmel (test)".to_owned(),
        cvr: "99999991".to_owned(),
        uuid: "0b6c4cc1-52a9-4c5a-8a1c-6f9a3a1b2c3d".to_owned(),
        usage,
        not_before: now() - day,
        not_after: now() + day * 10,
    };
    pki.issue(&leaf).unwrap()
}

#[test]
fn a_response_says_what_its_issuer_says_of_the_certificate() {
    for (status, said) in
        [(OcspStatus::Good, Status::Good), (OcspStatus::Revoked, Status::Revoked), (OcspStatus::Unknown, Status::Unknown)]
    {
        assert_eq!(says(&response(status, None)), Ok(said));
        assert_eq!(says(&response(status, Some(&issued(for_tests(), Usage::Responder)))), Ok(said), "by a responder of its own");
    }
    let verdict = judge(&response(OcspStatus::Good, None), server(), &spki(for_tests().issuing()), now()).unwrap();
    assert_eq!(verdict.until, now() + SignedDuration::from_hours(1));
}

#[test]
fn only_the_issuer_and_whom_it_chose_for_that_purpose_are_heard() {
    let stranger = DevPki::generate(&Clock::system(), KeyBits::Bits2048).unwrap();
    // A certificate that is revoked could otherwise speak for itself: openssl/openssl#30323.
    let itself = for_tests().credentials(Role::GatewayServer).unwrap();
    for (reason, responder) in [
        ("the certificate itself", itself.clone()),
        ("another certificate of the CA", for_tests().credentials(Role::Korsbaek).unwrap().clone()),
        ("a responder of another CA of the same name", issued(&stranger, Usage::Responder)),
    ] {
        assert_eq!(says(&response(OcspStatus::Good, Some(&responder))), Err(OcspError::Signature), "{reason}");
    }
    let by_stranger = stranger.ocsp_response(server(), OcspStatus::Good, now(), now(), None).unwrap();
    assert_eq!(says(&by_stranger), Err(OcspError::Signature), "another CA of the same name");
}

#[test]
fn a_response_on_another_certificate_or_of_the_future_says_nothing() {
    let (hour, pki) = (SignedDuration::from_hours(1), for_tests());
    let other = pki.credentials(Role::IndexServer).unwrap().leaf();
    let on_other = pki.ocsp_response(other, OcspStatus::Good, now() - hour, now() + hour, None).unwrap();
    assert_eq!(says(&on_other), Err(OcspError::OtherCertificate));
    let tomorrow = pki.ocsp_response(server(), OcspStatus::Good, now() + hour, now() + hour * 2, None).unwrap();
    assert!(matches!(says(&tomorrow), Err(OcspError::Future(_))));
}

#[test]
fn no_byte_of_a_response_can_be_changed_added_or_left_out() {
    let good = response(OcspStatus::Revoked, Some(&issued(for_tests(), Usage::Responder)));
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 1 << (place % 8);
        // What stands beside the signed part (the responder's own certificate) may differ in ways that mean the same; the
        // meaning may not.
        assert!(matches!(says(&changed), Err(_) | Ok(Status::Revoked)), "byte {place}");
        assert!(says(&good[..place]).is_err(), "cut at {place}");
    }
    assert!(says(&[good, vec![0]].concat()).is_err(), "something after it");
}

#[test]
fn openssl_reads_the_stubs_responses_as_they_are_meant() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    for (name, certificate) in [("root", for_tests().root()), ("issuing", for_tests().issuing()), ("server", server())] {
        std::fs::write(path(name), pem("CERTIFICATE", certificate)).unwrap();
    }
    let delegated = issued(for_tests(), Usage::Responder);
    for (status, responder, said) in [
        (OcspStatus::Good, None, "good"),
        (OcspStatus::Revoked, None, "revoked"),
        (OcspStatus::Unknown, None, "unknown"),
        (OcspStatus::Good, Some(&delegated), "good"),
    ] {
        std::fs::write(path("response"), response(status, responder)).unwrap();
        let mut command = Command::new("openssl");
        command.args(["ocsp", "-respin", &path("response"), "-issuer", &path("issuing"), "-cert", &path("server"), "-no_nonce"]);
        let Ok(output) = command.args(["-CAfile", &path("root"), "-verify_other", &path("issuing")]).output() else {
            println!("NOT RUN: openssl is not installed");
            return;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("Response verify OK") && text.contains(&format!(": {said}")), "{status:?}: {text}");
    }
}
