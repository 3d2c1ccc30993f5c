//! TerminalAdgang put together from its section and its peer's.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;

use super::ask::AskStep;
use super::contract::contract;
use super::law::release;
use super::owners::{OwnersStep, Register};
use super::policies::read_policies;
use super::release::ReleaseStep;
use super::settings::Settings;
use super::{Own, names, persons, stack};
use crate::config;
use crate::gateway::answer::AnswerReader;
use crate::gateway::definition::{Bindings, Definition, Layout, Name, Shape, Wrapper};
use crate::gateway::exchange::ExchangeStep;
use crate::gateway::forward::Forward;
use crate::gateway::persons::Find;
use crate::outbound::{Outbound, OutboundSettings};
use crate::peer::{Peer, Security, TokenSecurity};
use crate::refusal::Refusal;
use crate::services::Service;
use crate::services::parts::{
    Beside, Contract, Found, OfferError, Offered, Parts, Stack, metadata, peer_outbound, request_limits,
};
use crate::signature::key::Certificate;
use crate::soap::strict::Limits;
use crate::trust;

/// Puts it together.
///
/// # Errors
/// [`OfferError`].
pub fn assemble<B>(name: &str, settings: &Settings, parts: &Parts<'_>) -> Result<Offered<B>, OfferError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Refusal>,
{
    let Parts { config, clock, work, domains, signer, .. } = *parts;
    let (peer, known) = match (config.peers.get(&settings.peer), parts.peers.get(&settings.peer)) {
        (Some(peer), Some(known)) => (peer, known),
        _ => return Err(OfferError::Setting("a service names a peer that is not there")),
    };
    let definition = Arc::new(definition_of(name, &config.listen, settings));
    let policies = Arc::new(read_policies(&settings.policy, clock.now())?);
    let metadata = metadata(&definition, signer)?;
    let outbound = OutboundSettings {
        connections: config.outbound.clone(),
        counts: known.connections.clone(),
        ..peer_outbound(peer, &config.system)
    };
    let domain = domains.named(&trust::domains::peer(&settings.peer))?;
    let outbound = Outbound::checked(outbound, domain, peer.stapling)?.waited_for_by(work);
    let pinned = peer.signing_certificates.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
    let find: Find = Arc::new(persons::named);
    let front = parts.front(&definition, usize::MAX, find)?;
    let index = Arc::new(Peer {
        name: settings.peer.as_str().into(),
        told: names::index(),
        address: peer.address.clone(),
        entity_id: peer.entity_id.clone(),
        security: Security::Token(TokenSecurity {
            tokens: parts.tokens.clone(),
            pinned: Arc::new(pinned),
            signers: domains.named(trust::domains::SIGNERS)?,
        }),
        outbound,
        deadline: peer.deadline,
        breaker: known.breaker.clone(),
    });
    let own = Own {
        owners: OwnersStep {
            back: parts.back_agreements(&definition)?,
            peer: index,
            register: Register { agreements: parts.agreements.clone(), udk: settings.udk },
        },
        ask: AskStep { policies, clock: clock.clone() },
        exchange: ExchangeStep::new(work.clone()),
        release: ReleaseStep {
            answers: AnswerReader { time: parts.trust.time, limits: answer_limits(config), clock: clock.clone() },
            limits: release_limits(config),
        },
        forward: Forward { signer: signer.clone(), clock: clock.clone(), outgoing: PhantomData },
    };
    let gateway: Stack<B> = Box::new(stack(front, own));
    let address = definition.address.clone();
    let contract: Contract = Box::new(move |query: &str| contract(query, &address));
    Ok(Offered { gateway, path: settings.offer.path.trim_end_matches('/').to_owned(), metadata, contract })
}

/// What does not fit: the policy, and metadata that cannot be signed.
pub fn examine(name: &str, settings: &Settings, beside: &Beside<'_>) -> Vec<Found> {
    let policy = read_policies(&settings.policy, beside.now).err();
    let mut found: Vec<_> = policy.map(|error| Found::Problem("policy", error.to_string())).into_iter().collect();
    if let (Some(signer), Some(listen)) = (beside.signer, beside.listen) {
        let unsigned = metadata(&definition_of(name, listen, settings), signer).err();
        found.extend(unsigned.map(|error| Found::Problem("entity_id", error.to_string())));
    }
    found
}

/// What is special about TerminalAdgang: its names, and what the installation's settings say of them.
pub fn definition_of(name: &str, listen: &config::Listen, service: &Settings) -> Definition {
    let public = listen.public_url.to_string();
    let offer = &service.offer;
    let address = format!("{}{}", public.trim_end_matches('/'), offer.path);
    let bindings = Bindings {
        token: offer.bindings.contains(&config::Binding::Token),
        authority_context: offer.bindings.contains(&config::Binding::AuthorityContext),
    };
    let request = Name::new(names::YI_NS, names::INDEX_REQUEST);
    let own = Shape {
        operation: names::OPERATION.to_owned(),
        element: request.clone(),
        layout: Layout::Request,
        bindings,
        action: names::INDEX_ACTION.to_owned(),
        http_action: None,
        answer_action: names::INDEX_RESPONSE_ACTION.to_owned(),
        answer_wrapper: None,
    };
    let wrapped = Shape {
        operation: names::OPERATION.to_owned(),
        element: Name::new(&service.wrapper_namespace, names::WRAPPER_REQUEST),
        layout: Layout::Wrapped(request),
        bindings,
        action: format!("{}{}", service.wrapper_namespace, names::OPERATION),
        http_action: None,
        answer_action: format!("{}{}Response", service.wrapper_namespace, names::OPERATION),
        answer_wrapper: Some(Wrapper {
            prefix: names::WRAPPER_PREFIX,
            name: Name::new(&service.wrapper_namespace, names::WRAPPER_RESPONSE),
        }),
    };
    Definition {
        name: name.to_owned(),
        uuid: offer.service_uuid,
        shapes: vec![Arc::new(own), Arc::new(wrapped)],
        address,
        entity_id: offer.entity_id.clone(),
        sender_fault_status: offer.sender_fault_status,
        bindings,
        required_privilege: service.privilege_role.as_deref().map(Arc::from),
    }
}

/// The strict reader's bounds for answers of the index: of any length, as no more than one object is held.
pub fn answer_limits(config: &config::Config<Service>) -> Limits {
    Limits { nodes: usize::MAX, text: config.messages.object_bytes, ..request_limits(config) }
}

/// The bounds on what is held of an answer.
pub fn release_limits(config: &config::Config<Service>) -> release::Limits {
    release::Limits {
        object_bytes: config.messages.object_bytes,
        released_bytes: config.messages.released_bytes,
        ..release::Limits::default()
    }
}
