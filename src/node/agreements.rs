//! What of the stored agreements an operator is warned of: what no service can apply, so that every call is refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::agreements::{Agreement, Authority, State, Store};
use crate::config::ServiceSection as _;
use crate::services::{Service, vocabulary};
use crate::store::{Access, Settings, StoreError};

/// What a store holds.
pub(super) struct Stored {
    authorities: Vec<Authority>,
    agreements: Vec<Agreement>,
}

/// Reads the store, which is looked at and not written to.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn read(settings: &Settings) -> Result<Stored, StoreError> {
    let store = Store::open_to(Access::Look, settings).await?;
    let read = async { Ok(Stored { authorities: store.authorities().await?, agreements: store.list().await? }) }.await;
    store.close().await;
    read
}

/// A warning for each thing that is wrong with them.
pub(super) fn warnings(stored: &Stored, environment: &str, services: &BTreeMap<String, Service>) -> Vec<String> {
    roles(&stored.authorities).into_iter().chain(narrowed(&stored.agreements, environment, services)).collect()
}

/// A warning for each role that no service knows.
fn roles(authorities: &[Authority]) -> Vec<String> {
    let known = vocabulary().roles;
    let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for authority in authorities.iter().filter(|authority| !known.contains(&authority.role.as_str())) {
        unknown.entry(authority.role.as_str()).or_default().push(authority.cvr.to_string());
    }
    let known = known.join(" or ");
    let line = |(role, whose): (&str, Vec<String>)| {
        format!("no service knows the role {role}, of {}; import them with role {known}", whose.join(", "))
    };
    unknown.into_iter().map(line).collect()
}

/// A warning for each service with agreements that may hold here and are narrowed by what it does not apply.
fn narrowed(agreements: &[Agreement], environment: &str, services: &BTreeMap<String, Service>) -> Vec<String> {
    let mut told = Vec::new();
    for (name, service) in services {
        let uuid = service.offer().service_uuid;
        let of_service = agreements.iter().filter(|agreement| {
            agreement.service == uuid
                && agreement.environment.as_str() == environment
                && matches!(agreement.state, State::Requested | State::Approved | State::Suspended)
        });
        let wrong: BTreeSet<_> =
            of_service.filter(|agreement| !service.applies(&agreement.scope)).map(|agreement| agreement.id.to_string()).collect();
        if !wrong.is_empty() {
            let wrong = wrong.into_iter().collect::<Vec<_>>().join(", ");
            told.push(format!(
                "agreements of service.{name} are narrowed by what it cannot apply, so that it refuses their calls: {wrong}; import them \
                 with what `hjemmel agreement import` accepts"
            ));
        }
    }
    told
}
