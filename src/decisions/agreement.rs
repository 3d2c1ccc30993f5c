//! Decisions on agreements: to request one, and what may become of it.

use uuid::Uuid;

use super::{Because, By, DecideError, Kept, each_once, record::What, shown};
use crate::{
    agreements::{Agreement, AgreementError, State, Store, import::Import, store::Imported},
    audit::Subject,
    refusal::{Detail, api::ApiRefusal},
    store::value::to_microsecond,
    users::{
        Actor, Whose,
        rights::{Action, Side},
    },
};

fn what(agreement: &Agreement, from: Option<State>, to: State) -> What {
    What {
        subject: Subject::Agreement,
        id: agreement.id,
        from: from.map(|from| from.wire_name().to_owned()),
        to: to.wire_name().to_owned(),
        shown: Some(shown::sha256(&shown::text(agreement))),
    }
}

fn not_found() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("serviceaftale", "service agreement") }
}

/// Brings requests in, all or none, and again without effect: each new one is ANMODET and has its creator. An import makes no
/// other state: what it says of one that is there already is left to decisions.
///
/// # Errors
/// [`DecideError`]: a user who may not, an authority or a service that the user does not act for, what contradicts the store.
pub async fn request(
    store: &Store,
    by: By<'_>,
    import: &Import,
    because: &Because,
    kept: Option<Kept<'_, Imported>>,
) -> Result<Imported, DecideError> {
    // As the store keeps them, so that the text that is signed is the one that is shown later.
    let as_stored = |agreement: &Agreement| Agreement {
        valid_from: to_microsecond(agreement.valid_from),
        valid_to: agreement.valid_to.map(to_microsecond),
        ..agreement.clone()
    };
    let agreements: Vec<_> = import.agreements.iter().map(as_stored).collect();
    let import = Import { authorities: import.authorities.clone(), agreements };
    each_once(import.agreements.iter().map(|agreement| agreement.id))?;
    let mut asked = Vec::new();
    for agreement in &import.agreements {
        let what = what(agreement, None, State::Requested);
        if agreement.state != State::Requested {
            let (id, state) = (agreement.id, agreement.state);
            return Err(ApiRefusal::ApiConflict {
                what: Detail::new(
                    format!("{id} er {state}, og en import opretter kun ANMODET; en underskriver godkender bagefter"),
                    format!("{id} is {state}, and an import makes ANMODET alone; a signatory approves afterwards"),
                ),
            }
            .into());
        }
        let actor = by.of(store, &what, because).await?;
        let role = actor.may(Action::RequestAgreement)?;
        if !acts_for(&actor, agreement) {
            return Err(ApiRefusal::ApiOtherParty.into());
        }
        asked.push((agreement.id, actor, role, what));
    }
    if !import.authorities.is_empty() {
        by.who(store, because.at).await?.may(Action::ManageAuthorities)?;
    }
    let mut change = store.change().await?;
    let mut fresh = Vec::new();
    for asked in asked {
        let wanted = import.agreements.iter().find(|agreement| agreement.id == asked.0);
        match change.agreement(asked.0).await? {
            None => fresh.push(asked),
            Some(held) if wanted.is_some_and(|wanted| wanted.has_terms_of(&held)) => {}
            // Terms of a request that somebody else made would be approved as that person's.
            Some(held) => {
                return Err(ApiRefusal::ApiConflict {
                    what: Detail::new(
                        format!("id'et {} er i brug af en aftale med andre vilkår; giv den nye et nyt id", held.id),
                        format!("the id {} is of an agreement with other terms; give the new one a new id", held.id),
                    ),
                }
                .into());
            }
        }
    }
    let imported = change.import(&import, because.at).await?;
    for (_, actor, role, what) in &fresh {
        change.made_by(Some((actor, *role)), what, because).await?;
    }
    Kept::keep(kept, &mut change, &imported).await?;
    change.commit().await?;
    Ok(imported)
}

/// A supplier asks any authority, an authority's user for its own alone.
fn acts_for(actor: &Actor, agreement: &Agreement) -> bool {
    let scope = actor.scope();
    let requested_by = actor.user().party.filter(|_| actor.user().side() == Some(Side::Supplier));
    scope.takes(agreement.authority, agreement.service, requested_by)
}

/// Decides on an agreement that somebody was shown as it is in `shown`.
///
/// # Errors
/// [`DecideError`]: a user who may not, an agreement that is another's, a state that does not allow it, what changed meanwhile.
pub async fn decide(
    store: &Store,
    by: By<'_>,
    shown: &Agreement,
    to: State,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, DecideError> {
    let transition =
        || ApiRefusal::ApiTransition { from: Detail::name(shown.state.wire_name()), to: Detail::name(to.wire_name()) };
    let action = Action::of_change(shown.state, to).ok_or_else(transition)?;
    let what = what(shown, Some(shown.state), to);
    let actor = by.of(store, &what, because).await?;
    let mut change = store.change().await?;
    let made = change.made_on(Subject::Agreement, shown.id).await?;
    let created = made.iter().find(|made| made.what.to == State::Requested.wire_name());
    let scope = actor.scope();
    if !scope.takes(shown.authority, shown.service, created.and_then(|created| created.party)) {
        return Err(not_found().into());
    }
    let role = actor.may(action)?;
    if !shown.state.may_become(to) {
        return Err(transition().into());
    }
    match action {
        Action::ApproveAgreement => {
            let creator = created.and_then(|created| created.user).ok_or(ApiRefusal::ApiCreatorUnknown)?;
            // By person: one with two users is not two.
            if store.user(creator).await?.person == actor.user().person {
                return Err(ApiRefusal::ApiCreatorApproves.into());
            }
        }
        Action::ResumeAgreement => {
            let suspended = made.iter().rev().find(|made| made.what.to == State::Suspended.wire_name());
            let above = |made: &super::record::Made| made.role.is_some_and(|by| by.rank() > role.rank());
            if suspended.is_some_and(|made| made.user != Some(actor.user().id) && above(made)) {
                return Err(ApiRefusal::ApiSuspendedAbove.into());
            }
        }
        _ => {}
    }
    let agreement =
        change.decide(shown.id, Some(shown), to, &actor.user().name, &because.reason, because.at).await.map_err(|error| {
            match error {
                AgreementError::ChangedSinceShown(_) => DecideError::Refused(ApiRefusal::ApiPreconditionFailed),
                AgreementError::NoSuchAgreement(_) => DecideError::Refused(not_found()),
                error => error.into(),
            }
        })?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &agreement).await?;
    change.commit().await?;
    Ok(agreement)
}

/// An agreement that the user may see.
///
/// # Errors
/// [`ApiRefusal::ApiNotFound`], also where it is another's.
pub async fn seen(store: &Store, actor: &Actor, id: Uuid) -> Result<Agreement, DecideError> {
    actor.may(Action::SeeAgreements)?;
    let agreement = store.get(id).await.map_err(|error| match error {
        AgreementError::NoSuchAgreement(_) => DecideError::Refused(not_found()),
        error => error.into(),
    })?;
    let scope = actor.scope();
    // Asked only where it decides.
    let requested_by = match scope.whose {
        Whose::Supplier(_) => {
            let made = store.made_on(Subject::Agreement, id).await?;
            made.iter().find(|made| made.what.to == State::Requested.wire_name()).and_then(|made| made.party)
        }
        _ => None,
    };
    if scope.takes(agreement.authority, agreement.service, requested_by) { Ok(agreement) } else { Err(not_found().into()) }
}
