//! A pass-through service put together from its folder.

use std::marker::PhantomData;
use std::sync::Arc;

use super::assemble::{
    AssembleError, Contract, Offered, Shared, Stack, back_agreements, environment, front, metadata, request_limits,
};
use crate::config::{Binding, Listen};
use crate::gateway::answer::AnswerReader;
use crate::gateway::definition::{Bindings, Definition};
use crate::gateway::exchange::ExchangeStep;
use crate::gateway::forward::Forward;
use crate::gateway::persons::Find;
use crate::outbound::OutboundSettings;
use crate::outbound::breaker::BreakerSettings;
use crate::revocation::domain::{Domain, DomainSettings, Lists, WithoutList};
use crate::services::passthrough::answer::AnswerStep;
use crate::services::passthrough::ask::SchemaStep;
use crate::services::passthrough::direct::DirectStep;
use crate::services::passthrough::offered::Offered as Settings;
use crate::services::passthrough::providers::{Providers, Reached};
use crate::services::passthrough::published::Published;
use crate::services::passthrough::side::Sides;
use crate::services::passthrough::{self, Own, persons};
use crate::soap::strict::Limits;
use crate::trust::domains;

/// Puts it together.
///
/// # Errors
/// [`AssembleError`].
pub(super) fn offer(name: &str, settings: &Settings, shared: &Shared<'_>) -> Result<Offered, AssembleError> {
    let Shared { config, lasting, trust, signer, tokens, clock, .. } = shared;
    let clock = *clock;
    let sides = Arc::new(Sides::start(&settings.folder).map_err(AssembleError::Validators)?);
    let definition = Arc::new(definition_of(name, &config.listen, settings, &sides));
    let environment = environment(config)?;
    let metadata = metadata(&definition, signer)?;
    let limits = settings.folder.settings.limits;
    let whom = sides.clone();
    let find: Find = Arc::new(move |request| persons::named(whom.settings(), request));
    let front = front(shared, &environment, &definition, limits.request_bytes, find);
    // Nothing says where lists for the providers' CAs are, so revocation is not asked for.
    let lists = DomainSettings {
        name: format!("service.{name}"),
        authorities: Vec::new(),
        authorities_setting: String::new(),
        sources: Vec::new(),
        without_list: WithoutList::Accept,
        keeping: config.revocation.keeping.clone(),
    };
    let providers = Providers::new(Reached {
        outbound: OutboundSettings {
            credentials: Some(config.system.clone()),
            connect_timeout: settings.reach.connect_timeout,
            retry: settings.reach.retry,
            connections: config.outbound.clone(),
            ..OutboundSettings::new(Vec::new())
        },
        breaker: BreakerSettings { failures: settings.reach.breaker_failures, rest: settings.reach.breaker_rest },
        breakers: lasting.breakers.clone(),
        deadline: limits.deadline,
        domain: Arc::new(Domain::new(Lists::at_hand(lists, None, clock.now())?)),
        signers: lasting.domains.named(domains::SIGNERS)?,
        tokens: tokens.cache.clone(),
        work: lasting.work.clone(),
    });
    // What is too large is reported as that, and not as one text that is too long.
    let xml = Limits { text: limits.answer_bytes.saturating_mul(2), nodes: usize::MAX, ..request_limits(config) };
    let own = Own {
        ask: SchemaStep { sides: sides.clone(), sealer: lasting.sealer.clone() },
        direct: DirectStep {
            sides,
            agreements: lasting.agreements.clone(),
            back: back_agreements(&environment, &definition, &lasting.agreements, clock),
            providers: Arc::new(providers),
            limits: request_limits(config),
        },
        exchange: ExchangeStep::new(lasting.work.clone()),
        answer: AnswerStep {
            answers: AnswerReader { time: trust.time, limits: xml, clock: clock.clone() },
            largest: limits.answer_bytes,
            limits: xml,
        },
        forward: Forward { signer: signer.clone(), clock: clock.clone(), outgoing: PhantomData },
    };
    let gateway: Stack = Box::new(passthrough::stack(front, own));
    let published = Published::new(&settings.folder, &definition.address);
    let contract: Contract = Box::new(move |query: &str| published.get(query));
    Ok(Offered { gateway, path: settings.offer.path.trim_end_matches('/').to_owned(), metadata, contract })
}

fn definition_of(name: &str, listen: &Listen, settings: &Settings, sides: &Sides) -> Definition {
    let (public, offer) = (listen.public_url.to_string(), &settings.offer);
    Definition {
        name: name.to_owned(),
        uuid: offer.service_uuid,
        shapes: sides.shapes(),
        address: format!("{}{}", public.trim_end_matches('/'), offer.path),
        entity_id: offer.entity_id.clone(),
        sender_fault_status: offer.sender_fault_status,
        bindings: Bindings {
            token: offer.bindings.contains(&Binding::Token),
            authority_context: offer.bindings.contains(&Binding::AuthorityContext),
        },
        required_privilege: None,
    }
}
