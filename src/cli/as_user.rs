//! Users for the tests of commands, with certificates of the time at which those are run.

use std::path::Path;
use std::sync::OnceLock;

use jiff::Timestamp;
use uuid::Uuid;

use crate::agreements::Store;
use crate::clock::Clock;
use crate::decisions::statement::Signer;
use crate::decisions::{Because, user};
use crate::signature::key::Certificate;
use crate::store::Settings;
use crate::stub::pki::{DevPki, KeyBits, Role as Key};
use crate::users::rights::Role;
use crate::users::{Kind, User};

/// When commands are run.
pub const NOW: &str = "2026-11-22T12:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn pki() -> &'static DevPki {
    static PKI: OnceLock<DevPki> = OnceLock::new();
    PKI.get_or_init(|| DevPki::generate(&Clock::fixed(now()), KeyBits::Bits2048).unwrap())
}

/// A name, the key that is theirs here, their role, and the authority that they act for.
type Named<'a> = (&'a str, Key, Role, Option<&'a str>);

const USERS: [Named<'_>; 6] = [
    ("O. Drift", Key::GatewayClient, Role::Operator, None),
    ("I. Drift", Key::PersonOperator, Role::Operator, None),
    ("A. Prøve", Key::Korsbaek, Role::Signatory, Some("11111111")),
    ("B. Prøve", Key::OtherMunicipality, Role::Signatory, Some("11111111")),
    ("S. Fremmed", Key::Udk, Role::Signatory, Some("99999981")),
    ("R. Ansvarlig", Key::Intruder, Role::SystemResponsible, Some("11111111")),
];

/// Lays the keys of all in `dir`.
pub fn keys(dir: &Path) {
    pki().write(&dir.join("pki"), None).unwrap();
}

/// The options by which somebody decides.
pub fn options(dir: &Path, name: &str) -> [String; 4] {
    let (_, key, ..) = USERS.into_iter().find(|(known, ..)| *known == name).unwrap();
    options_of(dir, key)
}

/// The words with the key of whoever stands behind `AS`, which no command line knows.
pub fn signed(dir: &Path, words: &[&str]) -> Vec<String> {
    let mut signed = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match *word {
            "AS" => signed.extend(options(dir, rest.next().unwrap())),
            word => signed.push(word.to_owned()),
        }
    }
    signed
}

/// The options by which whoever has a key decides.
pub fn options_of(dir: &Path, key: Key) -> [String; 4] {
    let file = |ending: &str| dir.join("pki").join(format!("{}{ending}", key.file_name())).display().to_string();
    ["--certificate".to_owned(), file(".pem"), "--key".to_owned(), file(".key.pem")]
}

/// Whoever has a key.
pub fn signer(key: Key) -> Signer {
    Signer::new(pki().credentials(key).unwrap()).unwrap()
}

/// Adds all of them to a store, which is made where it is not there.
pub async fn add_all(path: &Path) {
    let store = Store::open(&Settings::sqlite(path)).await.unwrap();
    for (name, key, role, party) in USERS {
        let certificate = Certificate::from_der(pki().credentials(key).unwrap().leaf()).unwrap();
        if store.user_of((*certificate.thumbprint()).into()).await.unwrap().is_none() {
            add(&store, (name, key, role, party)).await;
        }
    }
    store.close().await;
}

/// Adds one more, with a key that nobody else has; its id.
pub async fn add(store: &Store, (name, key, role, party): Named<'_>) -> Uuid {
    let certificate = Certificate::from_der(pki().credentials(key).unwrap().leaf()).unwrap();
    let id = Uuid::new_v4();
    let user = User {
        id,
        person: id,
        name: name.to_owned(),
        kind: Kind::Person,
        party: party.map(|cvr| cvr.parse().unwrap()),
        roles: vec![role],
        services: Vec::new(),
        certificates: vec![(*certificate.thumbprint()).into()],
        valid_from: now(),
        valid_to: None,
        known: crate::users::Known::default(),
    };
    let because = Because::new("prøve".to_owned(), now());
    user::add(store, None, &user.sound().unwrap(), &[certificate], &because).await.unwrap();
    id
}
