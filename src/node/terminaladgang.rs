//! TerminalAdgang put together from its section and its peer's.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::assemble::{
    AssembleError, Contract, Offered, Shared, Stack, back_agreements, environment, front, metadata, peer_outbound, read,
    request_limits,
};
use crate::config;
use crate::gateway::answer::AnswerReader;
use crate::gateway::definition::{Bindings, Definition, Layout, Name, Shape};
use crate::gateway::exchange::ExchangeStep;
use crate::gateway::forward::Forward;
use crate::gateway::persons::Find;
use crate::node::Config;
use crate::outbound::{Outbound, OutboundSettings};
use crate::peer::{Peer, Security, TokenSecurity};
use crate::services::terminaladgang::ask::AskStep;
use crate::services::terminaladgang::contract::contract;
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::history::{History, Timetable};
use crate::services::terminaladgang::law::release;
use crate::services::terminaladgang::names;
use crate::services::terminaladgang::owners::{OwnersStep, Register};
use crate::services::terminaladgang::release::ReleaseStep;
use crate::services::terminaladgang::settings::{PolicyFile, Settings};
use crate::services::terminaladgang::{self, Own, persons};
use crate::signature::key::Certificate;
use crate::soap::strict::Limits;
use crate::trust::domains;

/// Puts it together.
///
/// # Errors
/// [`AssembleError`].
pub(super) fn offer(name: &str, settings: &Settings, shared: &Shared<'_>) -> Result<Offered, AssembleError> {
    let Shared { config, lasting, trust, signer, tokens, clock, .. } = shared;
    let (peer, known) = match (config.peers.get(&settings.peer), lasting.peers.get(&settings.peer)) {
        (Some(peer), Some(known)) => (peer, known),
        _ => return Err(AssembleError::Setting("a service names a peer that is not there")),
    };
    let domains = &lasting.domains;
    let definition = Arc::new(definition_of(name, &config.listen, settings));
    let policies = Arc::new(read_policies(&settings.policy, clock.now())?);
    let metadata = metadata(&definition, signer)?;
    let outbound = OutboundSettings {
        connections: config.outbound.clone(),
        counts: known.connections.clone(),
        ..peer_outbound(peer, &config.system)
    };
    let domain = domains.named(&domains::peer(&settings.peer))?;
    let outbound = Outbound::checked(outbound, domain, peer.stapling)?.waited_for_by(&lasting.work);
    let pinned = peer.signing_certificates.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
    let environment = environment(config)?;
    let find: Find = Arc::new(persons::named);
    let front = front(shared, &environment, &definition, usize::MAX, find);
    let index = Arc::new(Peer {
        name: settings.peer.as_str().into(),
        told: names::index(),
        address: peer.address.clone(),
        entity_id: peer.entity_id.clone(),
        security: Security::Token(TokenSecurity {
            tokens: tokens.cache.clone(),
            pinned: Arc::new(pinned),
            signers: domains.named(domains::SIGNERS)?,
        }),
        outbound,
        deadline: peer.deadline,
        breaker: known.breaker.clone(),
    });
    let own = Own {
        owners: OwnersStep {
            back: back_agreements(&environment, &definition, &lasting.agreements, clock),
            peer: index,
            register: Register { agreements: lasting.agreements.clone(), udk: settings.udk },
        },
        ask: AskStep { policies, clock: (*clock).clone() },
        exchange: ExchangeStep::new(lasting.work.clone()),
        release: ReleaseStep {
            answers: AnswerReader { time: trust.time, limits: answer_limits(config), clock: (*clock).clone() },
            limits: release_limits(config),
        },
        forward: Forward { signer: signer.clone(), clock: (*clock).clone(), outgoing: PhantomData },
    };
    let gateway: Stack = Box::new(terminaladgang::stack(front, own));
    let address = definition.address.clone();
    let contract: Contract = Box::new(move |query: &str| contract(query, &address));
    Ok(Offered { gateway, path: settings.offer.path.trim_end_matches('/').to_owned(), metadata, contract })
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
        answer_wrapper: Some(Name::new(&service.wrapper_namespace, names::WRAPPER_RESPONSE)),
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
pub fn answer_limits(config: &Config) -> Limits {
    Limits { nodes: usize::MAX, text: config.messages.object_bytes, ..request_limits(config) }
}

/// The bounds on what is held of an answer.
pub fn release_limits(config: &Config) -> release::Limits {
    release::Limits {
        object_bytes: config.messages.object_bytes,
        released_bytes: config.messages.released_bytes,
        ..release::Limits::default()
    }
}

/// Reads the version of the policy that is in force at `now`.
///
/// # Errors
/// As [`read_policies`].
pub fn read_policy(settings: &PolicyFile, now: Timestamp) -> Result<Arc<Policy>, AssembleError> {
    read_policies(settings, now)?.at(now).cloned().ok_or(AssembleError::Setting("no version of the policy is in force"))
}

/// Reads every version of the policy, of which one must be in force at `now`.
///
/// # Errors
/// `File`, `Policy`, `History`, `PolicyNotInForce`, `Setting`.
pub fn read_policies(settings: &PolicyFile, now: Timestamp) -> Result<Timetable, AssembleError> {
    let history = read_history(&settings.directory, &settings.name)?;
    let from = history.versions().first().map(Policy::valid_from).unwrap_or_default();
    let timetable = Timetable::try_from(history)
        .map_err(|_| AssembleError::Setting("the day from which a version of the policy holds is no day in Europe/Copenhagen"))?;
    match timetable.at(now) {
        Some(_) => Ok(timetable),
        None => Err(AssembleError::PolicyNotInForce { id: settings.name.clone(), from }),
    }
}

/// Reads every version of a policy: `NAME.toml`, and those before it in `history/NAME.v*.toml`.
///
/// # Errors
/// `File`, `Policy`, `History`.
pub fn read_history(directory: &Path, name: &str) -> Result<History, AssembleError> {
    let mut files = vec![directory.join(format!("{name}.toml"))];
    let (before, earlier) = (format!("{name}.v"), directory.join("history"));
    if earlier.is_dir() {
        let told = |error| AssembleError::File { path: earlier.display().to_string(), error };
        for entry in std::fs::read_dir(&earlier).map_err(told)? {
            let file = entry.map_err(told)?.file_name();
            if file.to_str().is_some_and(|file| file.starts_with(&before) && file.ends_with(".toml")) {
                files.push(earlier.join(file));
            }
        }
    }
    let versions = files.iter().map(|path| Ok(Policy::read(&read(path)?, path)?)).collect::<Result<_, AssembleError>>()?;
    Ok(History::new(versions)?)
}
