//! Decisions on routes: to add some, and to end one.

use std::net::SocketAddr;

use jiff::civil::Date;
use uuid::Uuid;

use super::{Because, By, DecideError, Kept, each_once, endpoint, record::What, shown};
use crate::{
    agreements::{
        Route, Store, Thumbprint,
        route::store::{Added, Decision, InTheWay, RouteError},
    },
    audit::Subject,
    refusal::{Detail, api::ApiRefusal},
    store::until_it_holds,
    users::{Actor, Whose, rights::Action},
};

/// What a route says, a line each: what is signed and recorded of it.
fn text(route: &Route) -> String {
    let party = |cvr: Option<crate::id::cvr::Cvr>| cvr.map_or("every".to_owned(), |cvr| cvr.to_string());
    let mut text = format!(
        "rute: {}\nservice: {}\nmiljø: {}\nafsender: {}\nmodtager: {}\ngælder: {}\nsystem: {}\nadresse: {}\nentity id: {}\nsikkerhed: {}\nrødder: {}\n",
        route.id,
        route.service,
        route.environment,
        party(route.sender),
        party(route.receiver),
        route.period,
        route.system,
        route.address,
        route.entity_id.as_str(),
        route.security.model(),
        shown::sha256(&route.roots.to_pem()),
    );
    // Whoever could exchange them would answer in the receiver's place.
    for certificate in route.security.signing_certificates() {
        text += &format!("svar signeres med (SHA-256): {}\n", Thumbprint::from(*certificate.thumbprint()));
    }
    text
}

pub(super) fn ended(route: &Route, from: String) -> What {
    What { subject: Subject::Route, id: route.id, from: Some(from), to: end(route), shown: Some(shown::sha256(&text(route))) }
}

pub(super) fn end(route: &Route) -> String {
    route.period.to().map_or("no end".to_owned(), |to| format!("ends {to}"))
}

/// Whether a user sees a route: an authority those that may carry its calls or calls to it, the operators all.
pub fn is_seen(actor: &Actor, route: &Route) -> bool {
    let scope = actor.scope();
    let whose = match scope.whose {
        Whose::Everybody => true,
        Whose::Authority(own) => [route.sender, route.receiver].into_iter().any(|party| party.is_none_or(|party| party == own)),
        Whose::Supplier(_) | Whose::Nobody => false,
    };
    whose && (scope.services.is_empty() || scope.services.contains(&route.service))
}

/// Whether a user may say where these calls go: an authority for those that it receives itself.
fn acts_for(actor: &Actor, route: &Route) -> bool {
    let receives = match actor.scope().whose {
        Whose::Everybody => true,
        Whose::Authority(own) => route.receiver == Some(own),
        Whose::Supplier(_) | Whose::Nobody => false,
    };
    receives && is_seen(actor, route)
}

/// Whether a user may give a route an end.
pub fn may_end(actor: &Actor, route: &Route) -> bool {
    actor.may(Action::EndRoute).is_ok() && acts_for(actor, route)
}

/// Adds routes, all or none, and again without effect. `own`: the gateway's own listeners, to which none may lead.
///
/// # Errors
/// [`DecideError`]: a user who may not, an address that leads back into the gateway, a route that is in the way.
pub async fn add(
    store: &Store,
    by: By<'_>,
    routes: &[Route],
    in_the_way: InTheWay,
    own: &[SocketAddr],
    because: &Because,
    kept: Option<Kept<'_, Added>>,
) -> Result<Added, DecideError> {
    until_it_holds(async || add_once(store, by, routes, in_the_way, own, because, kept).await).await
}

async fn add_once(
    store: &Store,
    by: By<'_>,
    routes: &[Route],
    in_the_way: InTheWay,
    own: &[SocketAddr],
    because: &Because,
    kept: Option<Kept<'_, Added>>,
) -> Result<Added, DecideError> {
    each_once(routes.iter().map(|route| route.id))?;
    let mut asked = Vec::new();
    for route in routes {
        let what =
            What { subject: Subject::Route, id: route.id, from: None, to: end(route), shown: Some(shown::sha256(&text(route))) };
        let actor = by.of(store, &what, because).await?;
        let role = actor.may(Action::AddRoute)?;
        if !acts_for(&actor, route) {
            return Err(ApiRefusal::ApiOtherParty.into());
        }
        endpoint::may_lead_to(&route.address, own).await?;
        asked.push((what, actor, role));
    }
    let Some((_, actor, role)) = asked.first() else { return Ok(Added::default()) };
    let decision = Decision { by: actor.user().name.clone(), reason: because.reason.clone(), at: because.at };
    let mut change = store.change().await?;
    let done = change.add_routes(routes, in_the_way, &decision).await?;
    for (what, actor, role) in asked.iter().filter(|(what, ..)| done.new.contains(&what.id)) {
        change.made_by(Some((actor, *role)), what, because).await?;
    }
    for route in &done.made_room {
        if !acts_for(actor, route) {
            return Err(ApiRefusal::ApiOtherParty.into());
        }
        let what = ended(route, "in the way".to_owned());
        change.made_by(Some((&by.also(actor, &what, because)?, *role)), &what, because).await?;
    }
    Kept::keep(kept, &mut change, &done).await?;
    change.commit().await?;
    Ok(done)
}

/// Gives a route an end, or another one. Returns the route, and whether anything was changed.
///
/// # Errors
/// [`DecideError`]: a user who may not, another's route, a day that has passed, what changed since it was `shown`.
pub async fn end_on(
    store: &Store,
    by: By<'_>,
    shown: &Route,
    on: Date,
    because: &Because,
    kept: Option<Kept<'_, (Route, bool)>>,
) -> Result<(Route, bool), DecideError> {
    until_it_holds(async || end_on_once(store, by, shown, on, because, kept).await).await
}

async fn end_on_once(
    store: &Store,
    by: By<'_>,
    shown: &Route,
    on: Date,
    because: &Because,
    kept: Option<Kept<'_, (Route, bool)>>,
) -> Result<(Route, bool), DecideError> {
    let period = shown.period.ended_on(on).map_err(|_| RouteError::BeforeItBegins { id: shown.id, from: shown.period.from() })?;
    let what = ended(&Route { period, ..shown.clone() }, end(shown));
    let actor = by.of(store, &what, because).await?;
    if !is_seen(&actor, shown) {
        return Err(not_found().into());
    }
    let role = actor.may(Action::EndRoute)?;
    if !acts_for(&actor, shown) {
        return Err(ApiRefusal::ApiOtherParty.into());
    }
    let decision = Decision { by: actor.user().name.clone(), reason: because.reason.clone(), at: because.at };
    let mut change = store.change().await?;
    if change.route(shown.id).await?.as_ref() != Some(shown) {
        return Err(ApiRefusal::ApiPreconditionFailed.into());
    }
    let done = change.end_route(shown.id, on, &decision).await?;
    if done.1 {
        change.made_by(Some((&actor, role)), &what, because).await?;
    }
    Kept::keep(kept, &mut change, &done).await?;
    change.commit().await?;
    Ok(done)
}

/// A route that the user may see.
///
/// # Errors
/// [`ApiRefusal::ApiNotFound`], also where it is another's.
pub async fn seen(store: &Store, actor: &Actor, id: Uuid) -> Result<Route, DecideError> {
    actor.may(Action::SeeRoutes)?;
    match store.route(id).await {
        Ok(route) if is_seen(actor, &route) => Ok(route),
        Ok(_) | Err(RouteError::NoSuchRoute(_)) => Err(not_found().into()),
        Err(error) => Err(error.into()),
    }
}

fn not_found() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("rute", "route") }
}
