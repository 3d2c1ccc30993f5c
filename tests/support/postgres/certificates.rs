//! Certificates for a database server: one that is right, and one for each way to be wrong.

use std::collections::HashMap;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// What a server shows to those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    Good,
    /// Names another host.
    WrongName,
    /// Ended many years ago.
    Expired,
    /// Signed by a root that nobody was told of.
    WrongRoot,
}

#[derive(Clone)]
/// Certificates and keys, as PEM. They hold on any day that a test may be passed on.
pub struct Certificates {
    pub root: String,
    pub another_root: String,
    shown: HashMap<Shown, (String, String)>,
}

impl Certificates {
    pub fn make() -> Self {
        let (root, issuer) = authority("Root of the tests' databases");
        let (another_root, stranger) = authority("Another root");
        let mut expired = server(&["localhost", "127.0.0.1"]);
        (expired.not_before, expired.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        let shown = [
            (Shown::Good, server(&["localhost", "127.0.0.1"]), &issuer),
            (Shown::WrongName, server(&["database.example"]), &issuer),
            (Shown::Expired, expired, &issuer),
            (Shown::WrongRoot, server(&["localhost", "127.0.0.1"]), &stranger),
        ]
        .map(|(shown, params, issuer)| {
            let key = KeyPair::generate().unwrap();
            (shown, (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem()))
        });
        Self { root, another_root, shown: HashMap::from(shown) }
    }

    /// Certificate and key.
    pub fn of(&self, shown: Shown) -> (&str, &str) {
        let (certificate, key) = &self.shown[&shown];
        (certificate, key)
    }
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), Issuer::new(params, key))
}

fn server(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "database");
    params
}
