//! Persons who decide, each with a key of the time at which they do.

use std::sync::LazyLock;

use hjemmel::agreements::Store;
use hjemmel::clock::Clock;
use hjemmel::decisions::statement::Signer;
use hjemmel::decisions::{Because, user};
use hjemmel::signature::key::Certificate;
use hjemmel::stub::pki::{DevPki, KeyBits, Role as Key};
use hjemmel::users::rights::Role;
use hjemmel::users::{Kind, User};
use jiff::Timestamp;
use uuid::Uuid;

/// A Sunday in winter: Copenhagen is an hour ahead of UTC.
pub const NOW: &str = "2026-11-29T12:00:00Z";

pub fn at(instant: &str) -> Timestamp {
    instant.parse().unwrap()
}

fn pki() -> &'static DevPki {
    static PKI: LazyLock<DevPki> = LazyLock::new(|| DevPki::generate(&Clock::fixed(at(NOW)), KeyBits::Bits2048).unwrap());
    &PKI
}

/// The certificate of a key.
pub fn certificate(key: Key) -> Certificate {
    Certificate::from_der(pki().credentials(key).unwrap().leaf()).unwrap()
}

/// That a system has the key of a certificate.
pub fn proof(key: Key, system: Uuid) -> String {
    hjemmel::decisions::system::prove(pki().credentials(key).unwrap(), system).unwrap()
}

/// Adds them as users: the key that is theirs, their role, and the authority that they act for.
pub async fn add(store: &Store, people: &[(Key, Role, Option<&str>)]) {
    for (key, role, party) in people {
        let id = Uuid::new_v4();
        add_user(store, id, id, *key, *role, *party).await;
    }
}

/// Adds another user of a person who has one.
pub async fn another_of(store: &Store, person: Uuid, key: Key, role: Role) -> Key {
    add_user(store, Uuid::new_v4(), person, key, role, None).await;
    key
}

/// The same at an authority.
pub async fn another_with(store: &Store, person: Uuid, key: Key, role: Role, party: &str) {
    add_user(store, Uuid::new_v4(), person, key, role, Some(party)).await;
}

async fn add_user(store: &Store, id: Uuid, person: Uuid, key: Key, role: Role, party: Option<&str>) {
    let certificate = certificate(key);
    let user = User {
        id,
        person,
        name: role.to_string(),
        kind: Kind::Person,
        party: party.map(|cvr| cvr.parse().unwrap()),
        roles: vec![role],
        services: Vec::new(),
        certificates: vec![(*certificate.thumbprint()).into()],
        valid_from: at("2026-11-01T00:00:00Z"),
        valid_to: None,
        known: hjemmel::users::Known::default(),
    };
    user::add(store, None, &user, &[certificate], &because(NOW)).await.unwrap();
}

pub fn signer(key: Key) -> Signer {
    Signer::new(pki().credentials(key).unwrap()).unwrap()
}

pub fn because(now: &str) -> Because {
    Because::new("sag 7".to_owned(), at(now))
}
