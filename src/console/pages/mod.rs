//! The pages, a file for each group. [`MENU`] is their order.

pub mod agreements;
pub mod auditor;
pub mod calls;
pub mod connection;
pub mod connections;
pub mod delegations;
pub mod errors;
pub mod files;
pub mod history;
pub mod law;
pub mod persons;
pub mod requests;
pub mod route;
pub mod routes;
pub mod services;
pub mod systems;
pub mod today;
pub mod value_list;
pub mod value_lists;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::Router;

use super::Console;
use super::frame::{Frame, Place};
use super::stop::Stop;
use crate::agreements::page::Wanted;
use crate::id::cvr::Cvr;
use crate::refusal::api::ApiRefusal;
use crate::refusal::{Entry, Party};
use crate::users::{Actor, Whose};

/// The menu: whoever has not the right to a page does not see it.
pub const MENU: &[Place] = &[
    today::PLACE,
    agreements::PLACE,
    requests::PLACE,
    systems::PLACE,
    routes::PLACE,
    connections::PLACE,
    calls::PLACE,
    errors::PLACE,
    files::PLACE,
    persons::PLACE,
    services::PLACE,
    value_lists::PLACE,
    law::PLACE,
    delegations::PLACE,
    auditor::PLACE,
];

pub(super) fn router() -> Router<Console> {
    Router::new()
        .merge(today::router())
        .merge(agreements::router())
        .merge(requests::router())
        .merge(systems::router())
        .merge(routes::router())
        .merge(route::router())
        .merge(connections::router())
        .merge(connection::router())
        .merge(delegations::router())
        .merge(calls::router())
        .merge(errors::router())
        .merge(files::router())
        .merge(services::router())
        .merge(value_lists::router())
        .merge(value_list::router())
        .merge(law::router())
        .merge(persons::router())
        .merge(auditor::router())
}

/// What of the agreements the user sees.
fn seen_agreements(actor: &Actor) -> Result<Wanted, Stop> {
    let scope = actor.scope();
    let mut wanted = Wanted { services: scope.services, ..Wanted::default() };
    match scope.whose {
        Whose::Everybody => {}
        Whose::Authority(own) => wanted.only_authority = Some(own),
        Whose::Supplier(own) => wanted.requested_by = Some(own),
        Whose::Nobody => return Err(ApiRefusal::ApiInternal.into()),
    }
    Ok(wanted)
}

/// What the authorities of the register are called.
async fn authority_names(console: &Console) -> Result<BTreeMap<Cvr, String>, Stop> {
    let all = console.store.authorities().await?;
    Ok(all.into_iter().map(|authority| (authority.cvr, authority.name)).collect())
}

/// An authority's name with its number.
fn named(names: &BTreeMap<Cvr, String>, cvr: Cvr) -> String {
    names.get(&cvr).map_or_else(|| format!("CVR\u{a0}{cvr}"), |name| format!("{name} (CVR\u{a0}{cvr})"))
}

/// The row of a refusal, by its code. Its fields have sample values.
fn refusal(code: &str) -> Option<&'static Entry> {
    static ROWS: OnceLock<BTreeMap<&'static str, Entry>> = OnceLock::new();
    let rows = || {
        let of_files = crate::files::codes::Code::every().into_iter().map(crate::refusal::Refusal::from);
        crate::services::refusals().into_iter().chain(of_files).map(|refusal| (refusal.code(), refusal.entry())).collect()
    };
    ROWS.get_or_init(rows).get(code)
}

/// Whether the gateway, or what stands behind it, failed where this was refused.
fn is_of_the_gateway(code: &str) -> bool {
    refusal(code).is_some_and(|entry| entry.party == Party::Gateway)
}

fn meaning(code: &str, frame: &Frame) -> String {
    refusal(code)
        .map(|entry| if frame.english() { &entry.en } else { &entry.da })
        .map_or_else(String::new, |text| text.what.clone())
}
