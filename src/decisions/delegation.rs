//! Decisions on delegations: a person of an authority lets a colleague act in one of their roles for a time, and it is taken back.
//!
//! Both are told by mail, and the substitute acts by it from its first instant on ([`crate::users::delegation`]). It ends with its time, with
//! either user, and with the role; then nothing is left to act by, also where nobody wrote its end down.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Because, By, DecideError, Kept, record::What, shown};
use crate::{
    agreements::{Change, Store, rules::Rules},
    audit::Subject,
    id::cvr::Cvr,
    notices::{Kind, Notice, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    store::{Database, until_it_holds, value::to_microsecond},
    users::{
        Actor, User,
        delegation::{Delegation, Told, Wanted, are_colleagues, are_one, common, named},
        rights::{Action, Role},
        store::{UserError, known},
    },
};

/// The last instant of a delegation is no longer than this after it was given.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// A user gives so many that are not over.
pub const MOST: usize = 50;

/// A delegation that is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its id.
    pub id: Uuid,
    /// The user who may act by it.
    pub substitute: Uuid,
    /// In which role.
    pub role: Role,
    /// For which services. Empty: all that the role is for.
    pub services: Vec<Uuid>,
    /// The first instant; none: at once.
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer holds.
    pub to: Timestamp,
}

/// What a delegation is, a line each. The names are left out: the digest must not tell who they are to whoever guesses names.
fn text(given: &Delegation) -> String {
    let services: Vec<String> = given.services.iter().map(ToString::to_string).collect();
    format!(
        "delegation: {}\nprincipal: {}\nsubstitute: {}\nrole: {}\nservices: {}\nfrom: {}\nto: {}\n",
        given.id,
        given.principal,
        given.substitute,
        given.role,
        services.join(" "),
        given.valid_from,
        given.valid_to
    )
}

fn what(delegation: &Delegation, from: Option<&str>, to: &str) -> What {
    let shown = Some(shown::sha256(&text(delegation)));
    What { subject: Subject::Delegation, id: delegation.id, from: from.map(str::to_owned), to: to.to_owned(), shown }
}

fn not_found() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("delegering", "delegation") }
}

fn wrong(field: &str, da: &str, en: &str) -> DecideError {
    ApiRefusal::ApiFieldInvalid { field: field.to_owned(), what: Detail::new(da, en) }.into()
}

/// That each service is one of the configuration: a mistyped one would make a delegation in force that does nothing.
///
/// # Errors
/// [`ApiRefusal::ApiFieldInvalid`].
pub fn are_services(services: &[Uuid], rules: &Rules) -> Result<(), ApiRefusal> {
    match rules.unknown(services) {
        None => Ok(()),
        Some(service) => Err(ApiRefusal::ApiFieldInvalid {
            field: "services".to_owned(),
            what: Detail::new(format!("der er ingen service {service}"), format!("there is no service {service}")),
        }),
    }
}

/// What of the delegations a user sees: operators all, an authority's auditor those of the authority, everybody else their own.
///
/// # Errors
/// [`ApiRefusal::ApiNotAllowed`]: a supplier's user, whose roles nobody delegates.
pub fn seen_by(actor: &Actor) -> Result<Wanted, ApiRefusal> {
    let (user, own) = (actor.user(), actor.own());
    match user.party {
        None => Ok(Wanted::default()),
        Some(_) if user.roles.contains(&Role::SupplierAdministrator) => {
            Err(ApiRefusal::ApiNotAllowed { action: Detail::new("se delegeringer", "see delegations") })
        }
        party if user.roles.contains(&Role::Auditor) => Ok(Wanted { party, ..Wanted::default() }),
        party => Ok(Wanted { party, person: Some(own.person), ..Wanted::default() }),
    }
}

/// A delegation that the user may see.
///
/// # Errors
/// [`ApiRefusal::ApiNotFound`], or a store that does not answer.
pub async fn seen(store: &Store, actor: &Actor, id: Uuid) -> Result<Told, DecideError> {
    let wanted = Wanted { id: Some(id), limit: 1, ..seen_by(actor)? };
    Ok(store.delegations(&wanted).await?.pop().ok_or_else(not_found)?)
}

/// Gives a delegation: a person of an authority, in their own right, to a colleague.
///
/// # Errors
/// [`DecideError`]: a user without the role, somebody who is no colleague, a time that is none.
pub async fn give(
    store: &Store,
    by: By<'_>,
    new: &New,
    because: &Because,
    kept: Option<Kept<'_, Told>>,
) -> Result<Told, DecideError> {
    until_it_holds(async || give_once(store, by, new, because, kept).await).await
}

async fn give_once(
    store: &Store,
    by: By<'_>,
    new: &New,
    because: &Because,
    kept: Option<Kept<'_, Told>>,
) -> Result<Told, DecideError> {
    let giver = by.who(store, because.at).await?;
    let own = &giver.user().services;
    let delegation = Delegation {
        id: new.id,
        principal: giver.user().id,
        substitute: new.substitute,
        role: new.role,
        // As the role is today: services that it gets later are not given with it.
        services: if new.services.is_empty() { own.clone() } else { new.services.clone() },
        valid_from: to_microsecond(new.from.unwrap_or(because.at)),
        valid_to: to_microsecond(new.to),
        given_at: because.at,
        ended_at: None,
    };
    let what = what(&delegation, None, "given");
    let actor = by.of(store, &what, because).await?;
    if actor.user().roles.contains(&new.role) && !new.role.is_delegable() {
        let role = new.role.describe();
        let action = Detail::new(format!("delegere rollen {}", role.da()), format!("delegate the role {}", role.en()));
        return Err(ApiRefusal::ApiNotAllowed { action }.into());
    }
    actor.may(Action::Delegate)?;
    if actor.by_delegation().is_some() || !actor.user().roles.contains(&new.role) {
        return Err(ApiRefusal::ApiNotAllowed { action: Action::Delegate.describe() }.into());
    }
    if common(&delegation.services, own).is_none_or(|both| both != delegation.services) {
        return Err(wrong("services", "din rolle omfatter dem ikke alle", "your role does not cover all of them"));
    }
    if delegation.valid_from < because.at {
        return Err(wrong("valid_from", "tidspunktet er passeret", "the instant has passed"));
    }
    if delegation.valid_to <= delegation.valid_from {
        return Err(wrong("valid_to", "det er ikke efter valid_from", "it is not after valid_from"));
    }
    if delegation.valid_to.duration_since(because.at) > LONGEST {
        return Err(wrong("valid_to", "en rolle delegeres højst et år frem", "a role is delegated for a year at most"));
    }
    let mut change = store.change().await?;
    let principal = change.user(delegation.principal, because.at).await?;
    // Whoever is no colleague is not told apart from whoever is not there.
    let substitute = match known(change.connection(), new.substitute).await {
        Ok(user) if are_colleagues(&principal, &user) && user.holds(because.at) => user,
        Ok(user) if user.person == principal.person => {
            return Err(wrong("substitute", "ingen er sin egen stedfortræder", "nobody is their own substitute"));
        }
        Ok(_) | Err(UserError::NoSuchUser(_)) => {
            return Err(wrong(
                "substitute",
                "det er ingen person hos din myndighed, som er bruger nu",
                "it is no person of your authority who is a user now",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    if change.delegation(delegation.id).await?.is_some() {
        let what = Detail::new("id'et er i brug", "the id is in use");
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    let open = change.open_delegations(principal.id, because.at).await?;
    if open.iter().filter(|open| open.principal == principal.id).count() >= MOST {
        let what = Detail::new(
            format!("du har {MOST} delegeringer, der ikke er slut, og det er det højeste"),
            format!("you have {MOST} delegations that are not over, which is the most"),
        );
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    change.add_delegation(&delegation).await?;
    change.made_by(Some((&actor, new.role)), &what, because).await?;
    notify(store.database(), &mut change, (&delegation, &principal, &substitute), Kind::DelegationGiven, because).await?;
    let told = Told {
        delegation,
        persons: [principal.person, substitute.person],
        party: principal.party,
        principal: principal.name,
        substitute: substitute.name,
        reason: because.reason.clone(),
    };
    Kept::keep(kept, &mut change, &told).await?;
    change.commit().await?;
    Ok(told)
}

/// Takes a delegation back, at once: whoever gave it, whoever may act by it, or an operator, each in their own right.
///
/// # Errors
/// [`DecideError`]: a delegation that is another's, or over.
pub async fn take_back(
    store: &Store,
    by: By<'_>,
    id: Uuid,
    because: &Because,
    kept: Option<Kept<'_, Told>>,
) -> Result<Told, DecideError> {
    until_it_holds(async || take_back_once(store, by, id, because, kept).await).await
}

async fn take_back_once(
    store: &Store,
    by: By<'_>,
    id: Uuid,
    because: &Because,
    kept: Option<Kept<'_, Told>>,
) -> Result<Told, DecideError> {
    let before = seen(store, &by.who(store, because.at).await?, id).await?;
    let what = what(&before.delegation, Some("given"), "taken back");
    let actor = by.of(store, &what, because).await?;
    let mut change = store.change().await?;
    let held = change.delegation(id).await?.ok_or_else(not_found)?;
    let principal = known(change.connection(), held.principal).await?;
    let substitute = known(change.connection(), held.substitute).await?;
    let own = actor.user();
    let role = match actor.by_delegation() {
        Some(_) => None,
        None if are_one(own, &principal) => Some(held.role),
        None if are_one(own, &substitute) => own.roles.first().copied(),
        None => Some(actor.may(Action::ManageUsers)?),
    };
    // Whoever stands for another decides nothing on whom that is.
    let role = role.ok_or(ApiRefusal::ApiNotAllowed { action: Action::Delegate.describe() })?;
    if matches!(held.stands(because.at), "ended" | "over") || !change.end_delegation(id, because.at).await? {
        let what = Detail::new("delegeringen er slut", "the delegation is over");
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    change.made_by(Some((&actor, role)), &what, because).await?;
    let ended = Delegation { ended_at: Some(because.at), ..held };
    notify(store.database(), &mut change, (&ended, &principal, &substitute), Kind::DelegationEnded, because).await?;
    let told = Told { delegation: ended, ..before };
    Kept::keep(kept, &mut change, &told).await?;
    change.commit().await?;
    Ok(told)
}

/// Ends the delegations from and to a user who is ended, by whoever ends the user.
pub(super) async fn end_with_user(
    change: &mut Change,
    database: &Database,
    user: Uuid,
    by: Option<(By<'_>, &Actor, Role)>,
    because: &Because,
) -> Result<(), DecideError> {
    for open in change.open_delegations(user, because.at).await? {
        end(change, database, open, "ended with its user", by, because).await?;
    }
    Ok(())
}

/// Ends the delegations that a person gave for the party as users made by an identity provider, in roles that are not among those that the
/// provider gives now; it may give none.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn end_lost(
    store: &Store,
    person: Uuid,
    party: Option<Cvr>,
    gives: &[Role],
    because: &Because,
) -> Result<(), DecideError> {
    until_it_holds(async || {
        let mut users = store.users_of(person).await?;
        users.retain(|user| user.party == party && user.is_by_provider());
        if users.is_empty() {
            return Ok(());
        }
        let mut change = store.change().await?;
        for user in users {
            for open in change.open_delegations(user.id, because.at).await? {
                if open.principal == user.id && !gives.contains(&open.role) {
                    end(&mut change, store.database(), open, "ended with the role", None, because).await?;
                }
            }
        }
        Ok(change.commit().await?)
    })
    .await
}

async fn end(
    change: &mut Change,
    database: &Database,
    open: Delegation,
    to: &str,
    by: Option<(By<'_>, &Actor, Role)>,
    because: &Because,
) -> Result<(), DecideError> {
    let what = what(&open, Some("given"), to);
    let also = match by {
        Some((by, actor, role)) => Some((by.also(actor, &what, because)?, role)),
        None => None,
    };
    change.end_delegation(open.id, because.at).await?;
    change.made_by(also.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    let principal = known(change.connection(), open.principal).await?;
    let substitute = known(change.connection(), open.substitute).await?;
    let ended = Delegation { ended_at: Some(because.at), ..open };
    notify(database, change, (&ended, &principal, &substitute), Kind::DelegationEnded, because).await
}

/// Notifies both.
async fn notify(
    database: &Database,
    change: &mut Change,
    (delegation, principal, substitute): (&Delegation, &User, &User),
    kind: Kind,
    because: &Because,
) -> Result<(), DecideError> {
    let both = named(&substitute.name, &principal.name, delegation.id);
    let role = delegation.role.describe();
    let mut lines = vec![format!("{} - {}", delegation.valid_from, delegation.valid_to)];
    lines.extend(delegation.services.iter().map(|service| format!("service {service}")));
    let notice = Notice {
        kind,
        name: format!("{}: {both}", role.da()),
        page: "/delegations".to_owned(),
        authority: principal.party,
        service: None,
        system: None,
        environment: None,
        at: Some(delegation.ended_at.unwrap_or(delegation.valid_from)),
        reason: None,
        differs: Vec::new(),
        english: Some(format!("{}: {both}", role.en())),
        by: None,
    };
    let notice = notice.because(&because.reason).differing(lines);
    change.notify(database, &notice, &[Audience::User(principal.id), Audience::User(substitute.id)], because.at).await?;
    Ok(())
}
