//! What a service is put together from: what all of them share, and the steps that all of them begin with.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use jiff::Timestamp;

use super::Service;
use crate::agreements::{Agreements, Environment};
use crate::audit::{Audit, Sealer};
use crate::clock::Clock;
use crate::config;
use crate::gateway::agreement::AgreementStep;
use crate::gateway::authenticate::{AuthenticateStep, TokenTrust};
use crate::gateway::definition::Definition;
use crate::gateway::envelope::EnvelopeStep;
use crate::gateway::open::{Client, OpenLayer};
use crate::gateway::persons::{Find, PersonsStep};
use crate::gateway::replay::Replay;
use crate::gateway::route::BackAgreements;
use crate::gateway::seal::{SealStep, Signer};
use crate::gateway::{Front, GatewayService};
use crate::outbound::{OutboundSettings, SetupError};
use crate::peer::Known;
use crate::replay::ReplayMemory;
use crate::revocation::list::RevocationError;
use crate::saml::metadata::Entity;
use crate::services::kept::Kept;
use crate::signature::credentials::Credentials;
use crate::signature::key::KeyError;
use crate::signature::sign::SignError;
use crate::soap::strict::Limits;
use crate::sts::cache::TokenCache;
use crate::sts::client::{Https, StsClient};
use crate::trust::clients::ClientTrust;
use crate::trust::domains::{Domains, UnknownDomain};
use crate::work::Work;

/// Why a service cannot be offered. Each says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// A section whose certificates nobody judges.
    #[error(transparent)]
    Domain(#[from] UnknownDomain),
    /// A revocation list.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The gateway's own metadata.
    #[error("the gateway's own metadata cannot be signed: {0}")]
    Metadata(#[from] SignError),
    /// A certificate or key.
    #[error("a certificate or key cannot be used for signatures: {0}")]
    Key(#[from] KeyError),
    /// TLS towards a peer.
    #[error(transparent)]
    Outbound(#[from] SetupError),
    /// What one service alone needs.
    #[error(transparent)]
    Own(Box<dyn Error + Send + Sync>),
    /// A number or name that the configuration should have refused.
    #[error("{0}")]
    Setting(&'static str),
}

/// What every service shares.
#[allow(missing_docs)] // the names say it
pub struct Parts<'a> {
    /// The configuration.
    pub config: &'a config::Config<Service>,
    pub clock: &'a Clock,
    pub agreements: &'a Agreements,
    pub audit: &'a Audit,
    /// Seals persons for the audit.
    pub sealer: &'a Arc<Sealer>,
    pub replay: &'a Arc<ReplayMemory>,
    /// The calls that are worked on.
    pub work: &'a Work,
    /// The revocation lists.
    pub domains: &'a Domains,
    /// What is known of each peer, by its name.
    pub peers: &'a BTreeMap<String, Known>,
    /// What services keep over a reload.
    pub kept: &'a Kept,
    /// Whose tokens are taken.
    pub trust: &'a Arc<TokenTrust>,
    /// What client certificates are judged by.
    pub clients: &'a Arc<ClientTrust>,
    /// The gateway's own key.
    pub signer: &'a Arc<Signer>,
    /// The gateway's tokens.
    pub tokens: &'a TokenCache<StsClient<Https>>,
}

/// A service's steps, for one caller's connection.
pub type Stack<B> = Box<dyn Fn(Client) -> GatewayService<B> + Send + Sync>;

/// The documents of a service's contract, by the query that asks for one.
pub type Contract = Box<dyn Fn(&str) -> Option<(&'static str, String)> + Send + Sync>;

/// One service, put together.
pub struct Offered<B> {
    /// Its steps.
    pub gateway: Stack<B>,
    /// The path of its address.
    pub path: String,
    /// The service's own metadata, signed.
    pub metadata: Arc<str>,
    /// Its contract: what it gives for a query such as `wsdl`.
    pub contract: Contract,
}

/// What a service is examined beside: as much of the configuration as is in order.
#[allow(missing_docs)] // the names say it
pub struct Beside<'a> {
    /// Where callers come in.
    pub listen: Option<&'a config::Listen>,
    /// The largest request that is let in, in bytes.
    pub request_bytes: Option<usize>,
    /// The gateway's own key.
    pub signer: Option<&'a Signer>,
    /// Whether there are keys for a memory of deliveries.
    pub deliveries: bool,
    pub now: Timestamp,
}

/// What was found wrong with a service's section.
pub enum Found {
    /// The setting, and why the service cannot be offered.
    Problem(&'static str, String),
    /// The setting, and what is odd about it.
    Warning(&'static str, String),
}

impl Parts<'_> {
    /// The steps that every service begins with. `largest`: the largest request that it takes, in bytes; `find`: whom it names.
    ///
    /// # Errors
    /// `Setting`.
    pub fn front(&self, definition: &Arc<Definition>, largest: usize, find: Find) -> Result<Front, OfferError> {
        let (clock, environment) = (self.clock, environment(self.config)?);
        let seal = SealStep { definition: definition.clone(), signer: self.signer.clone(), clock: clock.clone() };
        Ok(Front {
            open: OpenLayer {
                definition: definition.clone(),
                audit: self.audit.clone(),
                clock: clock.clone(),
                seal: seal.clone(),
                work: self.work.clone(),
            },
            seal,
            envelope: EnvelopeStep { definition: definition.clone(), limits: request_limits(self.config), largest },
            authenticate: authenticate(definition, self.trust, self.clients, clock),
            persons: PersonsStep { sealer: self.sealer.clone(), find, test_numbers: self.config.test_numbers.clone() },
            replay: Replay { memory: self.replay.clone(), clock: clock.clone(), work: self.work.clone() },
            agreement: agreement(&environment, definition, self.agreements, clock),
        })
    }

    /// The agreements behind a service.
    ///
    /// # Errors
    /// `Setting`.
    pub fn back_agreements(&self, definition: &Definition) -> Result<BackAgreements, OfferError> {
        Ok(back_agreements(&environment(self.config)?, definition, self.agreements, self.clock))
    }
}

/// The step that proves who calls.
pub fn authenticate(
    definition: &Arc<Definition>,
    trust: &Arc<TokenTrust>,
    clients: &Arc<ClientTrust>,
    clock: &Clock,
) -> AuthenticateStep {
    AuthenticateStep { definition: definition.clone(), trust: trust.clone(), clients: clients.clone(), clock: clock.clone() }
}

/// Where this gateway stands.
///
/// # Errors
/// `Setting`.
pub fn environment(config: &config::Config<Service>) -> Result<Environment, OfferError> {
    Environment::try_from(config.environment.clone()).map_err(|_| OfferError::Setting("environment is no name of an environment"))
}

/// The step that looks for the agreement in front.
pub fn agreement(
    environment: &Environment,
    definition: &Arc<Definition>,
    agreements: &Agreements,
    clock: &Clock,
) -> AgreementStep {
    AgreementStep {
        definition: definition.clone(),
        agreements: agreements.clone(),
        environment: environment.clone(),
        clock: clock.clone(),
    }
}

/// The agreements behind the service.
pub fn back_agreements(
    environment: &Environment,
    definition: &Definition,
    agreements: &Agreements,
    clock: &Clock,
) -> BackAgreements {
    BackAgreements {
        service: definition.uuid,
        agreements: agreements.clone(),
        environment: environment.clone(),
        clock: clock.clone(),
    }
}

/// The strict reader's bounds for requests.
pub fn request_limits(config: &config::Config<Service>) -> Limits {
    // Taken apart, so that a limit that is read and not applied does not pass the lints.
    let config::MessageLimits { xml_depth, xml_attributes, xml_nodes, xml_text_bytes, object_bytes: _, released_bytes: _ } =
        config.messages;
    Limits { depth: xml_depth, attributes: xml_attributes, nodes: xml_nodes, text: xml_text_bytes, ..Limits::default() }
}

/// What is handed to the STS and to callers. Made once: it costs a signature.
///
/// # Errors
/// `Metadata`, `Setting`.
pub fn metadata(definition: &Definition, signer: &Signer) -> Result<Arc<str>, OfferError> {
    let entity = Entity {
        entity_id: &definition.entity_id,
        address: &definition.address,
        certificates: std::slice::from_ref(&signer.certificate),
    };
    let signed = entity.to_signed_xml(&signer.key, &signer.certificate)?;
    String::from_utf8(signed).map(Arc::from).map_err(|_| OfferError::Setting("the gateway's metadata is not UTF-8"))
}

/// How a peer is reached: with the gateway's own certificate.
pub fn peer_outbound(peer: &config::Peer, system: &Credentials) -> OutboundSettings {
    OutboundSettings {
        credentials: Some(system.clone()),
        connect_timeout: peer.reach.connect_timeout,
        retry: peer.reach.retry,
        ..OutboundSettings::new(peer.roots.clone())
    }
}
