//! Decisions on agreements: to request one, and what may become of it.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Because, By, DecideError, Kept, each_once,
    record::{Made, What},
    shown,
};
use crate::{
    agreements::{Agreement, AgreementError, Change, State, Store, import::Import, rules::Rules, store::Imported},
    audit::Subject,
    id::cvr::Cvr,
    notices::{Kind, Notice, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    store::value::to_microsecond,
    users::{
        Actor, Whose,
        rights::{Action, Role, Side},
    },
};

pub(super) fn what(agreement: &Agreement, from: Option<State>, to: State) -> What {
    What {
        subject: Subject::Agreement,
        id: agreement.id,
        from: from.map(|from| from.wire_name().to_owned()),
        to: to.wire_name().to_owned(),
        shown: Some(shown::sha256(&shown::text(agreement))),
    }
}

pub(super) fn not_found() -> ApiRefusal {
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
    rules: &Rules,
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
            None => {
                if let Some(wanted) = wanted {
                    not_locked(rules, wanted)?;
                }
                fresh.push(asked);
            }
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
    for (id, actor, role, what) in &fresh {
        change.made_by(Some((actor, *role)), what, because).await?;
        if let Some(agreement) = import.agreements.iter().find(|agreement| agreement.id == *id) {
            let signatories = Audience::Signatories(agreement.authority, agreement.service);
            change.tell(store.database(), &Notice::of(Kind::Requested, agreement), &[signatories], because.at).await?;
        }
    }
    Kept::keep(kept, &mut change, &imported).await?;
    change.commit().await?;
    Ok(imported)
}

/// Refuses a new agreement of a service that takes none. A new version of one that is there is none.
pub(super) fn not_locked(rules: &Rules, agreement: &Agreement) -> Result<(), ApiRefusal> {
    let renews = agreement.terms.as_ref().is_some_and(|terms| terms.replaces.is_some());
    if rules.of(agreement.service).locked && !renews {
        Err(ApiRefusal::ApiServiceLocked { service: agreement.service.to_string() })
    } else {
        Ok(())
    }
}

/// A supplier asks any authority, an authority's user for its own alone.
pub(super) fn acts_for(actor: &Actor, agreement: &Agreement) -> bool {
    let scope = actor.scope();
    let requested_by = actor.user().party.filter(|_| actor.user().side() == Some(Side::Supplier));
    scope.takes(agreement.authority, agreement.service, requested_by)
}

/// Decides on an agreement that somebody was shown as it is in `shown`. To end one is [`ending::end`](super::ending::end), and is refused here.
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
    // Binding period, notice and what depends on it are looked at there alone.
    if to == State::Terminated {
        return Err(
            ApiRefusal::ApiTransition { from: Detail::name(shown.state.wire_name()), to: Detail::name(to.wire_name()) }.into()
        );
    }
    let Deciding { mut change, actor, role, what, created, made } = begin(store, by, shown, to, None, because).await?;
    match Action::of_change(shown.state, to) {
        Some(Action::ApproveAgreement) => {
            let creator = created.user.ok_or(ApiRefusal::ApiCreatorUnknown)?;
            // By person: one with two users is not two.
            if store.user(creator).await?.person == actor.user().person {
                return Err(ApiRefusal::ApiCreatorApproves.into());
            }
        }
        Some(Action::ResumeAgreement) => {
            let suspended = made.iter().rev().find(|made| made.what.to == State::Suspended.wire_name());
            let above = |made: &Made| made.role.is_some_and(|by| by.rank() > role.rank());
            if suspended.is_some_and(|made| made.user != Some(actor.user().id) && above(made)) {
                return Err(ApiRefusal::ApiSuspendedAbove.into());
            }
        }
        _ => {}
    }
    let agreement = change.decide(shown.id, Some(shown), to, &actor.user().name, &because.reason, because.at).await;
    let agreement = agreement.map_err(of_agreement)?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    if (shown.state, to) == (State::Requested, State::Approved) {
        replaced(&mut change, by, (&actor, role), &agreement, because).await?;
    }
    tell(store, &mut change, &agreement, shown.state, &created, because).await?;
    Kept::keep(kept, &mut change, &agreement).await?;
    change.commit().await?;
    Ok(agreement)
}

/// A decision on an agreement that is under way: the user may make it.
pub(super) struct Deciding {
    pub(super) change: Change,
    pub(super) actor: Actor,
    pub(super) role: Role,
    pub(super) what: What,
    pub(super) created: Creator,
    /// What was decided on it before.
    made: Vec<Made>,
}

/// Who asked for an agreement, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Creator {
    pub(super) user: Option<Uuid>,
    pub(super) party: Option<Cvr>,
}

impl Creator {
    pub(super) fn of(made: &[Made]) -> Self {
        let created = made.iter().find(|made| made.what.to == State::Requested.wire_name());
        created.map_or_else(Self::default, |made| Self { user: made.user, party: made.party })
    }

    /// Who is told of what becomes of it.
    pub(super) fn audience(self) -> Audience {
        Audience::Requester(self.party, self.user)
    }
}

fn digest_of(text: &str) -> String {
    shown::sha256(text)
}

/// `text`: what was shown, where that is more than the agreement's own text.
pub(super) async fn begin(
    store: &Store,
    by: By<'_>,
    shown: &Agreement,
    to: State,
    text: Option<&str>,
    because: &Because,
) -> Result<Deciding, DecideError> {
    let transition =
        || ApiRefusal::ApiTransition { from: Detail::name(shown.state.wire_name()), to: Detail::name(to.wire_name()) };
    let action = Action::of_change(shown.state, to).ok_or_else(transition)?;
    let own = what(shown, Some(shown.state), to);
    let what = What { shown: text.map(digest_of).or(own.shown), ..own };
    let actor = by.of(store, &what, because).await?;
    let mut change = store.change().await?;
    let made = change.made_on(Subject::Agreement, shown.id).await?;
    let created = Creator::of(&made);
    if !actor.scope().takes(shown.authority, shown.service, created.party) {
        return Err(not_found().into());
    }
    let role = actor.may(action)?;
    if !shown.state.may_become(to) {
        return Err(transition().into());
    }
    Ok(Deciding { change, actor, role, what, created, made })
}

pub(super) fn of_agreement(error: AgreementError) -> DecideError {
    match error {
        AgreementError::ChangedSinceShown(_) => DecideError::Refused(ApiRefusal::ApiPreconditionFailed),
        AgreementError::NoSuchAgreement(_) => DecideError::Refused(not_found()),
        error => error.into(),
    }
}

/// The version before ends where the one that was approved begins: until then it holds. The same person decides it.
async fn replaced(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    approved: &Agreement,
    because: &Because,
) -> Result<(), DecideError> {
    let Some(before) = approved.terms.as_ref().and_then(|terms| terms.replaces) else { return Ok(()) };
    let Some(held) = change.agreement(before).await? else { return Ok(()) };
    // What another may have given this line as its former version is none of its own.
    if !held.same_parties(approved) || !held.state.may_become(State::Terminated) {
        return Ok(());
    }
    let what = what(&held, Some(held.state), State::Terminated);
    let (name, ends) = (&actor.user().name, approved.valid_from.max(because.at));
    let ended = match held.state {
        // A suspension is not lifted by a notice.
        State::Approved if ends > because.at => change.give_notice(&held, ends, name, &because.reason, because.at).await,
        _ => change.decide(held.id, Some(&held), State::Terminated, name, &because.reason, because.at).await,
    };
    ended.map_err(of_agreement)?;
    let actor = by.also(actor, &what, because)?;
    Ok(change.made_by(Some((&actor, role)), &what, because).await.map(drop)?)
}

/// Tells whoever waits for it, or is struck by it.
async fn tell(
    store: &Store,
    change: &mut Change,
    agreement: &Agreement,
    from: State,
    created: &Creator,
    because: &Because,
) -> Result<(), DecideError> {
    let owners = Audience::Owners(agreement.authority, agreement.service);
    let (kind, audience) = match (from, agreement.state) {
        (State::Requested, State::Approved) => (Kind::Approved, vec![created.audience()]),
        (_, State::Rejected) => (Kind::Rejected, vec![created.audience()]),
        (_, State::Suspended) => (Kind::Suspended, vec![created.audience(), owners]),
        _ => return Ok(()),
    };
    let notice = Notice::of(kind, agreement).at(because.at).because(&because.reason);
    change.tell(store.database(), &notice, &audience, because.at).await?;
    Ok(())
}

/// Tells the signatories of a request that waits for them once more ("Gensend advis"). At most once an hour, whoever asks.
///
/// # Errors
/// [`DecideError`]: a user who may not, an agreement that is another's or waits for nobody, a reminder that has just been sent.
pub async fn remind(store: &Store, actor: &Actor, id: Uuid, now: Timestamp) -> Result<usize, DecideError> {
    let agreement = seen(store, actor, id).await?;
    actor.may(Action::RequestAgreement)?;
    if agreement.state != State::Requested {
        let what = Detail::new(
            format!("aftalen er {} og venter ikke på svar", agreement.state),
            format!("the agreement is {} and waits for no answer", agreement.state),
        );
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    let mut change = store.change().await?;
    // The hour stands in the mark: of two at once one is sent.
    let hour = now.as_second().div_euclid(3600);
    if !change.gives(&format!("reminder asked for {id} {hour}"), now).await? {
        let what = Detail::new("der er sendt et advis inden for den sidste time", "a reminder was sent within the hour");
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    let notice = Notice::of(Kind::Reminder, &agreement);
    let audience = [Audience::Signatories(agreement.authority, agreement.service)];
    let told = change.tell(store.database(), &notice, &audience, now).await?;
    change.commit().await?;
    Ok(told)
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
