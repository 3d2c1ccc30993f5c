//! A person import put together from its section.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;

use super::ask::AskStep;
use super::contract::{approved, contract};
use super::door::Door;
use super::file::PersonFiles;
use super::import::ImportStep;
use super::settings::Settings;
use super::{names, stack};
use crate::agreements::Environment;
use crate::agreements::basis::Applied;
use crate::audit::anchors;
use crate::config::{Binding, Listen};
use crate::files::content::ByInfRef;
use crate::gateway::definition::{Bindings, Definition, Layout, Name, Shape};
use crate::gateway::persons::Find;
use crate::persons::import::Persons;
use crate::persons::number::PersonKeys;
use crate::refusal::Refusal;
use crate::services::parts::{Beside, Contract, Found, OfferError, Offered, Parts, Stack, metadata};

/// Puts it together.
///
/// # Errors
/// [`OfferError`].
pub fn assemble<B>(name: &str, settings: &Settings, parts: &Parts<'_>) -> Result<Offered<B>, OfferError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Refusal>,
{
    let definition = Arc::new(definition_of(name, &parts.config.listen, settings));
    let metadata = metadata(&definition, parts.signer)?;
    let door = Arc::new(door(name, settings, parts)?);
    // Nobody is sealed by the number that the request has: it would be a way back to what is not kept.
    let find: Find = Arc::new(|_| Vec::new());
    let front = parts.front(&definition, usize::MAX, find)?;
    let import = ImportStep { door: door.clone(), work: parts.work.clone() };
    let gateway: Stack<B> = Box::new(stack(front, AskStep { door }, import));
    let address = definition.address.clone();
    let contract: Contract = Box::new(move |query: &str| contract(query, &address));
    Ok(Offered { gateway, path: settings.offer.path.trim_end_matches('/').to_owned(), metadata, contract })
}

/// What all doors of the service go through.
///
/// # Errors
/// [`OfferError`]: there is no key for running numbers, or it cannot be read.
pub fn door(name: &str, settings: &Settings, parts: &Parts<'_>) -> Result<Door, OfferError> {
    let environment: Environment = parts
        .config
        .environment
        .parse()
        .map_err(|_| OfferError::Setting("environment is no name; write 1 to 32 of a-z, 0-9 and hyphen"))?;
    Ok(Door {
        name: name.to_owned(),
        service: settings.offer.service_uuid,
        environment,
        agreements: parts.agreements.clone(),
        audit: parts.audit.clone(),
        sealer: parts.sealer.clone(),
        persons: persons(parts)?,
        clock: parts.clock.clone(),
        applied: Applied::new(approved(), parts.agreements.store().clone()),
    })
}

fn persons(parts: &Parts<'_>) -> Result<Persons, OfferError> {
    let settings = parts.config.shared.persons.as_ref().ok_or(OfferError::Setting(NO_KEY))?;
    let keys = PersonKeys::read(&settings.key).map_err(|error| OfferError::Own(Box::new(error)))?;
    let node = anchors::named(&parts.config.audit.directory).map_err(|error| OfferError::Own(Box::new(error)))?;
    let persons = Persons::new(parts.agreements.store().database().clone(), Arc::new(keys), node);
    Ok(persons.of_tests(parts.config.test_numbers.clone()))
}

const NO_KEY: &str = "a service of the kind persons needs [persons], whose key running numbers are made under; \
                      make one with `hjemmel objects key FILE` and name it as key there";

/// The rule for files of persons.
///
/// # Errors
/// [`OfferError`].
pub fn contents(name: &str, settings: &Settings, parts: &Parts<'_>) -> Result<ByInfRef, OfferError> {
    let mut contents = ByInfRef::new();
    contents.insert(settings.inf_ref.clone(), Arc::new(PersonFiles { door: Arc::new(door(name, settings, parts)?) }));
    Ok(contents)
}

/// What does not fit: metadata that cannot be signed.
pub fn examine(name: &str, settings: &Settings, beside: &Beside<'_>) -> Vec<Found> {
    let (Some(signer), Some(listen)) = (beside.signer, beside.listen) else { return Vec::new() };
    let unsigned = metadata(&definition_of(name, listen, settings), signer).err();
    unsigned.map(|error| Found::Problem("entity_id", error.to_string())).into_iter().collect()
}

/// The service's names, and what the installation's settings say of them.
fn definition_of(name: &str, listen: &Listen, settings: &Settings) -> Definition {
    let (public, offer) = (listen.public_url.to_string(), &settings.offer);
    let bindings = Bindings {
        token: offer.bindings.contains(&Binding::Token),
        authority_context: offer.bindings.contains(&Binding::AuthorityContext),
    };
    // One element in either binding; over mutual TLS the contexts stand first in it.
    let shape = Shape {
        operation: names::OPERATION.to_owned(),
        element: Name::new(names::NS, names::REQUEST),
        layout: Layout::Contexts,
        bindings,
        action: names::ACTION.to_owned(),
        http_action: None,
        answer_action: names::RESPONSE_ACTION.to_owned(),
        answer_wrapper: None,
    };
    Definition {
        name: name.to_owned(),
        uuid: offer.service_uuid,
        shapes: vec![Arc::new(shape)],
        address: format!("{}{}", public.trim_end_matches('/'), offer.path),
        entity_id: offer.entity_id.clone(),
        sender_fault_status: offer.sender_fault_status,
        bindings,
        required_privilege: settings.privilege_role.as_deref().map(Arc::from),
    }
}
