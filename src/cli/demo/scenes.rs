//! What the demo shows: three calls that are served, six that are refused.

use std::time::Duration;

use bytes::Bytes;
use jiff::SignedDuration;

use super::world::{WITHOUT_BACK, World, WorldError};
use crate::audit::Record;
use crate::cli::call::check_signature;
use crate::cli::call::client::{Client, Exchange};
use crate::cli::call::question::Question;
use crate::cli::call::words::Said;
use crate::id::cpr::Cpr;
use crate::soap::envelope::Version;
use crate::stub::pki::Role;
use crate::stub::population::{KORSBAEK, UDK, demo};

/// A call of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// Korsbæk asks with a token.
    Municipality,
    /// UDK asks with a token.
    Udk,
    /// Korsbæk asks over mutual TLS.
    AuthorityContext,
    /// A window that reaches 13 months back.
    WindowTooWide,
    /// Nobody is asked about.
    NoPerson,
    /// The authority has not approved the back side.
    NoBackAgreement,
    /// The body is altered after signing.
    Altered,
    /// The same message twice.
    Twice,
    /// Signed with a key that the token does not name.
    WrongKey,
}

impl Scene {
    /// All of them, in order.
    pub const ALL: [Scene; 9] = [
        Scene::Municipality,
        Scene::Udk,
        Scene::AuthorityContext,
        Scene::WindowTooWide,
        Scene::NoPerson,
        Scene::NoBackAgreement,
        Scene::Altered,
        Scene::Twice,
        Scene::WrongKey,
    ];

    /// What happens, in a line.
    pub fn title(self) -> &'static str {
        match self {
            Scene::Municipality => "Korsbæk Kommune asks about a citizen's benefits from UDK (token, SOAP 1.2)",
            Scene::Udk => "UDK asks about benefits that municipalities pay (token, SOAP 1.2)",
            Scene::AuthorityContext => "Korsbæk Kommune asks over mutual TLS (AuthorityContext, SOAP 1.1)",
            Scene::WindowTooWide => "a window that reaches 13 months back",
            Scene::NoPerson => "a search that names no person",
            Scene::NoBackAgreement => "a municipality that has not approved the back side",
            Scene::Altered => "a body altered after signing",
            Scene::Twice => "the same message sent twice",
            Scene::WrongKey => "a certificate that does not hold the token's key",
        }
    }

    /// The refusal that must come; `None`: served.
    pub fn expected(self) -> Option<&'static str> {
        match self {
            Scene::Municipality | Scene::Udk | Scene::AuthorityContext => None,
            Scene::WindowTooWide => Some("WindowOutside"),
            Scene::NoPerson => Some("PersonMissing"),
            Scene::NoBackAgreement => Some("BackAgreementNotFound"),
            Scene::Altered => Some("DigestMismatch"),
            Scene::Twice => Some("Replay"),
            Scene::WrongKey => Some("SignatureInvalid"),
        }
    }
}

/// A call that was made.
#[allow(missing_docs)] // the names say it
pub struct Played {
    pub scene: Scene,
    /// What was asked, in words.
    pub asked: String,
    /// What the answer says.
    pub said: Said,
    /// The audit record.
    pub record: Record,
    /// Whether the answer's signature verified with the gateway's certificate; `None` where none is due.
    pub signed: Option<bool>,
    /// How long the call took, as the client saw it.
    pub took: Duration,
}

impl Played {
    /// Whether the outcome is the one that must come: the right code, or an answer with something in it, signed where due.
    pub fn as_expected(&self) -> bool {
        let outcome = match (&self.said, self.scene.expected()) {
            (Said::Answer { lines, .. }, None) => !lines.is_empty(),
            (Said::Fault { code, texts }, Some(expected)) => code == expected && texts.len() == 2,
            _ => false,
        };
        outcome && self.signed != Some(false)
    }
}

/// Makes the call.
///
/// # Errors
/// The call could not be made at all.
pub async fn play(world: &World, scene: Scene) -> Result<Played, WorldError> {
    let cpr = |number: &str| Cpr::parse(number).ok_or("no CPR number");
    let now = world.clock.now();
    let (citizen, asked) = match scene {
        Scene::Udk => (cpr(demo::MUNICIPAL_ONLY)?, "all kinds of benefit; no dates given, so the gateway inserts the window"),
        Scene::WindowTooWide => (cpr(demo::UDK_ONLY)?, "disposition dates from 13 months ago until today"),
        Scene::NoPerson => (cpr(demo::UDK_ONLY)?, "every payment of 32.03.04, whoever received it"),
        _ => (cpr(demo::UDK_ONLY)?, "all kinds of benefit; no dates given, so the gateway inserts the window"),
    };
    let mut question = Question::about(citizen);
    match scene {
        Scene::WindowTooWide => {
            let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%dT00:00:00Z").to_string();
            question.period = Some((day(now.checked_sub(SignedDuration::from_hours(24 * 396))?), day(now)));
        }
        Scene::NoPerson => {
            question.person = None;
            question.kle = vec!["32.03.04".to_owned()];
        }
        _ => {}
    }
    let started = std::time::Instant::now();
    let (exchange, signed) = match scene {
        Scene::AuthorityContext => {
            let client = world.client(Some(Role::Korsbaek))?;
            let message = Client::authority_context_message(KORSBAEK.parse()?, &question.input());
            (client.send(Version::V11, message).await?, None)
        }
        _ => by_token(world, scene, &question).await?,
    };
    let took = started.elapsed();
    let record = world.records.recv_timeout(Duration::from_secs(5))?;
    let said = Said::read(&exchange.answer);
    Ok(Played { scene, asked: asked.to_owned(), said, record, signed, took })
}

async fn by_token(world: &World, scene: Scene, question: &Question) -> Result<(Exchange, Option<bool>), WorldError> {
    let (role, cvr) = match scene {
        Scene::Udk => (Role::Udk, UDK),
        Scene::NoBackAgreement => (Role::OtherMunicipality, WITHOUT_BACK),
        _ => (Role::Korsbaek, KORSBAEK),
    };
    let token = world.token(role, cvr).await?;
    let client = world.client(None)?;
    let signer = if scene == Scene::WrongKey { Role::Intruder } else { role };
    let (message, id) = client.token_message(token.assertion(), &world.key(signer)?, &question.input(), world.clock.now())?;
    let message = match scene {
        Scene::Altered => another_person(&message)?,
        _ => message,
    };
    if scene == Scene::Twice {
        client.send(Version::V12, message.clone()).await?;
        world.records.recv_timeout(Duration::from_secs(5))?;
    }
    let exchange = client.send(Version::V12, message).await?;
    // Until the caller's own signature has verified, no answer is signed: junk must not cost an RSA operation.
    let due = !matches!(scene, Scene::Altered | Scene::WrongKey);
    let signed = due.then(|| {
        world.gateway_certificate().map(|pinned| check_signature(&exchange.answer, &[pinned], &id, world.clock.now()).is_ok())
    });
    let signed = signed.transpose()?;
    Ok((exchange, signed))
}

/// The signed message with another citizen's number in its body.
fn another_person(message: &Bytes) -> Result<Bytes, WorldError> {
    let text = std::str::from_utf8(message)?;
    Ok(Bytes::from(text.replace(demo::UDK_ONLY, demo::BOTH)))
}
