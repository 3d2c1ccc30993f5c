//! Several lists in one file, at one address, and in the cache: each counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;
use jiff::SignedDuration;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::domain::{Domain, DomainSettings, Keeping, Lists, Source, WithoutList};
use super::verify::{ClientVerifier, unix_time};
use super::*;
use crate::clock::Clock;
use crate::outbound::OutboundSettings;
use crate::outbound::lists::Fetcher;
use crate::pem;

const GOOD: u64 = 1;
const REVOKED: u64 = 2;

/// A CA, a certificate of its that stands, one that it took back, and what signs its lists.
struct Ca {
    own: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap().der().clone();
        Self { own, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, serial: u64) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["client.example".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }

    /// A list made `age` ago, as PEM.
    fn list(&self, revoked: &[u64], age: SignedDuration) -> String {
        let instant = |instant: Timestamp| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(instant.as_second() as u64);
        let made = now() - age;
        let list = CertificateRevocationListParams {
            this_update: instant(made),
            next_update: instant(now() + SignedDuration::from_hours(24)),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(*serial),
                    revocation_time: instant(made),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        pem::encode("X509 CRL", list.signed_by(&self.issuer).unwrap().der()).to_string()
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

struct Both {
    one: Ca,
    two: Ca,
    dir: tempfile::TempDir,
}

impl Both {
    fn new() -> Self {
        Self { one: Ca::new("one"), two: Ca::new("two"), dir: tempfile::tempdir().unwrap() }
    }

    fn authorities(&self) -> Vec<CertificateDer<'static>> {
        vec![self.one.own.clone(), self.two.own.clone()]
    }

    fn settings(&self, source: Source, without_list: WithoutList) -> DomainSettings {
        let cache = Some(self.dir.path().to_owned());
        let keeping =
            Keeping { interval: Duration::ZERO, refresh: Duration::ZERO, grace: Duration::ZERO, list_bytes: 100_000, cache };
        DomainSettings {
            name: "listen".to_owned(),
            authorities: self.authorities(),
            authorities_setting: "listen.client_roots".to_owned(),
            sources: vec![source],
            without_list,
            keeping: Arc::new(keeping),
        }
    }

    /// Which of the four clients TLS lets in: the good and the revoked of one, then those of two.
    fn let_in(&self, lists: Lists) -> [bool; 4] {
        let domain = Arc::new(Domain::new(lists));
        let verifier = ClientVerifier::new(&self.authorities(), domain, true).unwrap();
        let clients = [(&self.one, GOOD), (&self.one, REVOKED), (&self.two, GOOD), (&self.two, REVOKED)];
        clients.map(|(ca, serial)| verifier.verify_client_cert(&ca.issue(serial), &[], unix_time(now())).is_ok())
    }

    fn file(&self, content: impl AsRef<[u8]>) -> Source {
        let file = self.dir.path().join("both.crl");
        std::fs::write(&file, content).unwrap();
        Source::File(file)
    }

    fn both(&self) -> String {
        self.one.list(&[REVOKED], HOUR) + &self.two.list(&[REVOKED], HOUR)
    }
}

const EACH_BY_ITS_OWN_LIST: [bool; 4] = [true, false, true, false];

#[test]
fn each_list_in_a_file_counts_for_its_own_ca() {
    let both = Both::new();
    for rule in [WithoutList::Refuse, WithoutList::Accept] {
        let lists = Lists::at_hand(both.settings(both.file(both.both()), rule), None, now()).unwrap();
        assert_eq!(both.let_in(lists), EACH_BY_ITS_OWN_LIST, "{rule:?}");
    }
}

#[test]
fn of_two_editions_of_one_list_the_later_counts_wherever_it_stands() {
    let both = Both::new();
    let (old, new) = (both.one.list(&[], HOUR * 2), both.one.list(&[REVOKED], HOUR));
    for text in [old.clone() + &new, new + &old] {
        let settings = both.settings(both.file(text), WithoutList::Accept);
        assert_eq!(both.let_in(Lists::at_hand(settings, None, now()).unwrap()), [true, false, true, true]);
    }
}

#[test]
fn a_file_with_anything_else_in_it_is_refused_whole() {
    let both = Both::new();
    let (one, two) = (both.one.list(&[REVOKED], HOUR), both.two.list(&[REVOKED], HOUR));
    let stranger = Ca::new("stranger").list(&[], HOUR);
    let cases = [
        ("joined", one.trim_end().to_owned() + &two, "two sections are joined on one line"),
        ("with a byte order mark", "\u{feff}".to_owned() + &one + &two, "byte order mark"),
        (
            "with a certificate",
            one.clone() + &pem::encode("CERTIFICATE", &both.one.own),
            "a certificate where none belongs: section 2",
        ),
        ("with a list of another CA", one.clone() + &stranger, "both.crl, list 2 was issued by CN=stranger"),
        ("with a forged list", one.clone() + &two.replacen("MI", "MJ", 1), "both.crl, list 2 is not a complete X.509 CRL"),
        ("cut off", one.clone() + two.get(..100).unwrap(), "is cut off: section 2"),
        ("empty", String::new(), "it has no section"),
    ];
    for (case, text, expected) in cases {
        let error = Lists::at_hand(both.settings(both.file(text), WithoutList::Accept), None, now()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("both.crl"), "{case}: {error}");
    }
}

/// A web server that gives what it was last told to.
async fn web(content: Arc<Mutex<String>>) -> Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = content.lock().unwrap().clone();
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/both.crl").parse().unwrap()
}

#[tokio::test]
async fn all_lists_at_an_address_are_fetched_kept_and_never_left_out_again() {
    let (both, clock) = (Both::new(), Clock::system());
    let content = Arc::new(Mutex::new(both.both()));
    let source = Source::Address(web(content.clone()).await);
    let settings = both.settings(source, WithoutList::Accept);
    let fetcher = Fetcher::new(OutboundSettings::new(Vec::new()), Duration::from_secs(10), 100_000).unwrap();
    let mut lists = Lists::at_hand(settings.clone(), None, now()).unwrap();
    assert!(lists.fetch_missing(&fetcher, &clock).await.is_empty());
    assert_eq!(both.let_in(lists.clone()), EACH_BY_ITS_OWN_LIST, "as fetched");
    let kept = Lists::at_hand(settings.clone(), None, now()).unwrap();
    assert_eq!(both.let_in(kept), EACH_BY_ITS_OWN_LIST, "as kept on the disk");

    // The first CA's list in a newer edition, and the second's left out: nobody whom it names comes back to life.
    *content.lock().unwrap() = both.one.list(&[REVOKED, GOOD], SignedDuration::ZERO);
    let domain = Domain::new(lists);
    let renewed = domain.renew(&fetcher, &clock).await;
    assert!(renewed.changed && renewed.errors.is_empty(), "{renewed:?}");
    assert_eq!(both.let_in(Lists::clone(&domain.current())), [false, false, true, false], "the new, and the one left out");
    let kept = Lists::at_hand(settings, None, now()).unwrap();
    assert_eq!(both.let_in(kept), [false, false, true, false], "on the disk too");
}
