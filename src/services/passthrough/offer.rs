//! A pass-through service put together from its folder.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;

use super::answer::AnswerStep;
use super::ask::SchemaStep;
use super::deliveries::{Deliveries, Kept};
use super::direct::DirectStep;
use super::offered::Offered as Settings;
use super::providers::{Providers, Reached};
use super::published::Published;
use super::side::Sides;
use super::{Own, persons, stack};
use crate::agreements::basis::Applied;
use crate::config::DEMO;
use crate::config::{Binding, Listen};
use crate::decisions::endpoint;
use crate::gateway::Front;
use crate::gateway::answer::AnswerReader;
use crate::gateway::definition::{Bindings, Definition};
use crate::gateway::exchange::ExchangeStep;
use crate::gateway::forward::Forward;
use crate::gateway::persons::Find;
use crate::objects::ContentKeys;
use crate::outbound::OutboundSettings;
use crate::outbound::breaker::BreakerSettings;
use crate::refusal::Refusal;
use crate::revocation::domain::{Domain, DomainSettings, Lists, WithoutList};
use crate::services::parts::{Beside, Contract, Found, OfferError, Offered, Parts, Stack, metadata, request_limits};
use crate::soap::strict::Limits;
use crate::trust::domains;

/// The threads that validate are missing.
#[derive(Debug, thiserror::Error)]
#[error("the schema validators cannot be started: {0}")]
struct NoValidators(std::io::Error);

/// Puts it together.
///
/// # Errors
/// [`OfferError`].
pub fn assemble<B>(name: &str, settings: &Settings, parts: &Parts<'_>) -> Result<Offered<B>, OfferError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Refusal>,
{
    stacked(name, settings, parts, |front, own| Box::new(stack(front, own)))
}

/// The same with the steps as `stack` puts them together.
///
/// # Errors
/// [`OfferError`].
pub fn stacked<B>(
    name: &str,
    settings: &Settings,
    parts: &Parts<'_>,
    stack: impl FnOnce(Front, Own) -> Stack<B>,
) -> Result<Offered<B>, OfferError> {
    let Parts { config, clock, work, signer, .. } = *parts;
    let sides = Sides::start(&settings.folder).map_err(|error| OfferError::Own(Box::new(NoValidators(error))))?;
    let sides = Arc::new(sides);
    let definition = Arc::new(definition_of(name, &config.listen, settings, &sides));
    let metadata = metadata(&definition, signer)?;
    let limits = settings.folder.settings.limits;
    let whom = sides.clone();
    let find: Find = Arc::new(move |request| persons::named(whom.settings(), request));
    let front = parts.front(&definition, limits.request_bytes, find)?;
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
            guard: Some(endpoint::guard(config.listeners(), config.environment == DEMO)),
            ..OutboundSettings::new(Vec::new())
        },
        breaker: BreakerSettings {
            failures: settings.reach.breaker_failures,
            rest: settings.reach.breaker_rest,
            at_once: settings.reach.calls_at_once,
        },
        breakers: parts.kept.breakers.clone(),
        deadline: limits.deadline,
        domain: Arc::new(Domain::new(Lists::at_hand(lists, None, clock.now())?)),
        signers: parts.domains.named(domains::SIGNERS)?,
        tokens: parts.tokens.clone(),
        work: work.clone(),
    });
    // What is too large is reported as that, and not as one text that is too long.
    let xml = Limits { text: limits.answer_bytes.saturating_mul(2), nodes: usize::MAX, ..request_limits(config) };
    let deliveries = Deliveries {
        service: definition.uuid,
        rules: settings.deliveries.clone(),
        sides: sides.clone(),
        kept: match settings.folder.settings.idempotency.is_empty() {
            true => None,
            false => Some(kept(parts)?),
        },
        work: work.clone(),
        counts: parts.kept.deliveries.clone(),
        concerns: parts.kept.concerns.clone(),
        room: Deliveries::room(),
    };
    let applied = Arc::new(Applied::new(settings.contract(), parts.agreements.store().clone()));
    let own = Own {
        deliveries: Arc::new(deliveries),
        ask: SchemaStep { sides: sides.clone(), sealer: parts.sealer.clone(), applied: applied.clone() },
        direct: DirectStep {
            sides,
            applied,
            agreements: parts.agreements.clone(),
            back: parts.back_agreements(&definition)?,
            providers: Arc::new(providers),
            limits: request_limits(config),
        },
        exchange: ExchangeStep::new(work.clone()),
        answer: AnswerStep {
            service: definition.uuid,
            concerns: parts.kept.concerns.clone(),
            answers: AnswerReader { time: parts.trust.time, limits: xml, clock: clock.clone() },
            largest: limits.answer_bytes,
            limits: xml,
        },
        forward: Forward { signer: signer.clone(), clock: clock.clone(), outgoing: PhantomData },
    };
    let gateway = stack(front, own);
    let published = Published::new(&settings.folder, &definition.address);
    let contract: Contract = Box::new(move |query: &str| published.get(query));
    Ok(Offered { gateway, path: settings.offer.path.trim_end_matches('/').to_owned(), metadata, contract })
}

/// Where deliveries are remembered, and under which keys.
///
/// # Errors
/// [`OfferError`]: there is no key, or it cannot be read.
pub fn kept(parts: &Parts<'_>) -> Result<Kept, OfferError> {
    let keys = parts.config.deliveries.as_ref().ok_or(OfferError::Setting(NO_KEY))?;
    let keys = ContentKeys::read(&keys.key, &keys.earlier_keys).map_err(|error| OfferError::Own(Box::new(error)))?;
    Ok(Kept::new(parts.agreements.store().database().clone(), Arc::new(keys), parts.sealer.clone()))
}

const NO_KEY: &str = "knows deliveries by an id (paths.idempotency in its service.toml), and [deliveries] names no key for their receipts; \
                      make one with `hjemmel objects key FILE` and name it as key there";

/// What a folder cannot say of itself: how it fits this installation.
pub fn examine(offered: &Settings, beside: &Beside<'_>) -> Vec<Found> {
    let own = offered.folder.settings.limits.request_bytes;
    let mut found = Vec::new();
    if !beside.deliveries && !offered.folder.settings.idempotency.is_empty() {
        found.push(Found::Problem("folder", NO_KEY.to_owned()));
    }
    found.extend(match beside.request_bytes {
        Some(listener) if own > listener => vec![Found::Warning(
            "folder",
            format!(
                "takes requests of {own} bytes, and limits.request_bytes lets in {listener} only; raise it or lower the service's"
            ),
        )],
        _ => Vec::new(),
    });
    found
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
