//! The parties of the running world: its STS, its client systems, its clock.

use std::sync::LazyLock;

use hjemmel::cli::call::question::Question;
use hjemmel::cli::demo::world;
use hjemmel::id::cpr::Cpr;
use hjemmel::signature::key::{Certificate, SigningKey};
use hjemmel::signature::sign::{self, Message};
use hjemmel::stub::pki::Role;
use hjemmel::stub::population::demo;
use jiff::Timestamp;
use uuid::Uuid;

use crate::arena;

pub const ENTITY: &str = world::ENTITY_ID;
pub const ISSUER: &str = world::STS_ENTITY_ID;

/// Places in the payload, which asks about [`PERSON`].
pub const OPEN: &str = "<yi:FremsoegYdelseIndeksInput ";
pub const END: &str = "</yi:FremsoegYdelseIndeksInput>";
pub const INNER: &str = "<yi:operation>";
pub const NAMESPACE: &str = "xmlns:yi=\"urn:oio:sts:ydelse:ydelseindeks:6\"";
pub const PERSON: &str = demo::UDK_ONLY;
pub const ACTION: &str = "http://kombit.dk/sts/ydelseindeks/fremsoeg";

pub struct Party {
    pub key: SigningKey,
    pub certificate: Certificate,
}

impl Party {
    fn of(role: Role) -> Self {
        let credentials = arena::started().credentials.get(&role).unwrap();
        Self {
            key: SigningKey::from_der(credentials.key()).unwrap(),
            certificate: Certificate::from_der(credentials.leaf()).unwrap(),
        }
    }
}

pub static STS: LazyLock<Party> = LazyLock::new(|| Party::of(Role::StsSigning));
pub static CLIENT: LazyLock<Party> = LazyLock::new(|| Party::of(Role::Korsbaek));
/// Somebody with a certificate of the right CA and no business here.
pub static STRANGER: LazyLock<Party> = LazyLock::new(|| Party::of(Role::Intruder));

static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| sign::canonical_content(&input()).unwrap());

/// The question that every message asks.
pub fn input() -> Vec<u8> {
    Question::about(Cpr::parse(PERSON).unwrap()).input()
}

/// The world's time.
pub fn now() -> Timestamp {
    arena::now()
}

/// Gives a message what this world knows it by, and an id of its own.
pub fn named(message: Message<'static>) -> Message<'static> {
    Message {
        action: Some(ACTION),
        message_id: format!("urn:uuid:{}", Uuid::new_v4()).leak(),
        to: Some(&arena::started().service),
        body: &BODY,
        ..message
    }
}
