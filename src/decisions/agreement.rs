//! Decisions on agreements: to request one, and what may become of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    Because, By, DecideError, Kept, along,
    approval::Approval,
    each_once, ending,
    record::{self, Made, What},
    request::{unfinished, what as of_request},
    shown, suspension, system, versions,
};
use crate::{
    agreements::{
        Agreement, AgreementError, Asked, Change, State, Store,
        import::Import,
        request::{Content, Request, Standing, Wrong, names_a_person},
        rules::Rules,
        store::Imported,
    },
    audit::Subject,
    id::cvr::Cvr,
    notices::{Kind, Notice, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    store::{Session, StoreError, sql, until_it_holds, value::to_microsecond},
    users::{
        Actor, Kind as Who, Same, Whose,
        rights::{Action, Role, Side},
        store::known,
    },
};

/// What is decided on an agreement that stays suspended where the notice on it is taken back.
pub const NOTICE_TAKEN_BACK: &str = "notice taken back";

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
/// other state: what it says of one that is there already is left to decisions. One that says what a request does is a request with
/// one line; only the operators bring in others, whose text says so.
///
/// # Errors
/// [`DecideError`]: a user who may not, an authority or a service that the user does not act for, a system or a certificate that is
/// another's, what contradicts the store.
pub async fn request(
    store: &Store,
    by: By<'_>,
    import: &Import,
    rules: &Rules,
    because: &Because,
    kept: Option<Kept<'_, Imported>>,
) -> Result<Imported, DecideError> {
    until_it_holds(async || request_once(store, by, import, rules, because, kept).await).await
}

async fn request_once(
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
        // Bound to what is in force as it is asked for.
        basis: rules.of(agreement.service).basis,
        ..agreement.clone()
    };
    let mut agreements: Vec<_> = import.agreements.iter().map(as_stored).collect();
    let who = by.who(store, because.at).await?;
    let asker = asked_by(&mut store.database().session().await?, &who).await?;
    for agreement in &mut agreements {
        let system = store.system(agreement.system).await?.map(|system| system.name);
        agreement.asked = Some(Arc::new(Asked { system, service: rules.of(agreement.service).name, ..asker.clone() }));
    }
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
                    in_order(&mut change, &asked.1, wanted).await?;
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
    for (id, actor, role, _) in &fresh {
        let agreement = import.agreements.iter().find(|agreement| agreement.id == *id);
        let Some((agreement, content)) = agreement.and_then(|one| Some((one, Content::of_one(one)?))) else { continue };
        let header = Request {
            id: agreement.terms.as_ref().map_or(*id, |terms| terms.request),
            state: Standing::Requested,
            edition: 1,
            party: actor.user().party,
            made_by: actor.user().id,
            content,
            made_at: because.at,
            changed_at: because.at,
        };
        change.add_request(&header).await?;
        let asked = of_request(&header, None, Standing::Requested);
        change.made_by(Some((&by.also(actor, &asked, because)?, *role)), &asked, because).await?;
    }
    keep_bases(&mut change, rules, &import.agreements, because.at).await?;
    let mut imported = change.import(&import, because.at).await?;
    imported.asked.clone_from(&import.agreements);
    for (id, actor, role, what) in &fresh {
        change.made_by(Some((actor, *role)), what, because).await?;
        if let Some(agreement) = import.agreements.iter().find(|agreement| agreement.id == *id) {
            let signatories = Audience::Signatories(agreement.authority, agreement.service);
            change.notify(store.database(), &Notice::of(Kind::Requested, agreement), &[signatories], because.at).await?;
        }
    }
    Kept::keep(kept, &mut change, &imported).await?;
    change.commit().await?;
    Ok(imported)
}

/// By what name somebody asks; of what is told of each agreement.
pub(super) async fn asked_by(session: &mut Session, actor: &Actor) -> Result<Asked, StoreError> {
    let party = actor.user().party;
    let known = sql("SELECT name FROM authority WHERE cvr = $1").bind(party.map(|cvr| cvr.to_string()));
    let known = session.first(known).await?;
    Ok(Asked {
        party,
        authority: actor.user().side() == Some(Side::Authority),
        party_name: known.map(|known| known.get("name")).transpose()?,
        by: actor.user().name.clone(),
        system: None,
        service: None,
    })
}

/// Refuses what a request would be refused for: what is missing of it, a person's number, another's system or certificate.
async fn in_order(change: &mut Change, actor: &Actor, agreement: &Agreement) -> Result<(), DecideError> {
    let place = (agreement.side, agreement.system, agreement.certificates.as_slice());
    let (_, mut wrong) = system::asked_for(change, actor, place).await?;
    match Content::of_one(agreement) {
        Some(content) => wrong.extend(content.wrong_texts()),
        None => {
            let mut is_wrong = |field, da: &str, en: &str| wrong.push(Wrong { field, what: Detail::new(da, en) });
            if actor.scope().whose != Whose::Everybody {
                for field in ["name", "justification", "contract", "categories", "retention"] {
                    is_wrong(field, "det mangler", "it is missing");
                }
            }
            for (field, text) in [("purpose", &agreement.purpose), ("legal_basis", &agreement.legal_basis)] {
                if names_a_person(text) {
                    is_wrong(field, "det indeholder noget, der ligner et CPR-nummer", "it holds what looks like a CPR number");
                }
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(unfinished(wrong).into()) }
}

/// Keeps the contracts that these are bound to, so that later ones can be held against them.
pub(super) async fn keep_bases(
    change: &mut Change,
    rules: &Rules,
    agreements: &[Agreement],
    at: Timestamp,
) -> Result<(), StoreError> {
    let services: BTreeSet<Uuid> = agreements.iter().map(|agreement| agreement.service).collect();
    for contract in services.into_iter().filter_map(|service| rules.of(service).contract) {
        change.keep_basis(&contract, at).await?;
    }
    Ok(())
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

/// Decides on an agreement that somebody was shown as it is in `shown`. To end one is [`ending::end`], and is refused here; so is the approval
/// of one that would have an end by what it depends on, and to take back a notice with others: that is [`decide_as_shown`], of a text that
/// says so.
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
    until_it_holds(async || decide_once(store, by, (shown, None), to, because, kept).await).await
}

/// Decides on an agreement that somebody was shown with all that its approval would decide. Approved during the notice of what it depends on
/// it has that end, and what depends on it in turn goes with it; all or nothing. So it is with the notices that are taken back together.
///
/// # Errors
/// As [`decide`].
pub async fn decide_as_shown(
    store: &Store,
    by: By<'_>,
    shown: &Approval,
    to: State,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, DecideError> {
    let what = (&shown.agreement, Some(shown));
    until_it_holds(async || decide_once(store, by, what, to, because, kept).await).await
}

async fn decide_once(
    store: &Store,
    by: By<'_>,
    (shown, approval): (&Agreement, Option<&Approval>),
    to: State,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, DecideError> {
    // Binding period, notice and what depends on it are looked at there alone.
    if to == State::Terminated {
        return Err(cannot(shown.state, to).into());
    }
    // Under notice a suspension that is lifted leaves what it was before.
    let noticed = shown.state == State::Suspended && to == State::Approved && shown.ends_at.is_some();
    let becomes = if noticed { State::Terminated } else { to };
    let text = approval.map(Approval::text);
    let Deciding { mut change, actor, role, what, created, made } =
        begin(store, by, shown, (to, becomes), text.as_deref(), because).await?;
    let action = Action::of_change(shown.state, to);
    let (mut principals, mut with) = (Vec::new(), Vec::new());
    match action {
        Some(Action::ApproveAgreement) => {
            let now = match approval {
                Some(approval) => Some(approval.again(change.connection(), because.at).await?),
                None => None,
            };
            let is_as_shown = now.as_ref().map(|(now, _)| now) == approval;
            principals = match now {
                Some((_, principals)) => principals,
                None => along::ended_principals(change.connection(), shown, because.at).await?,
            };
            // One that never holds does not take the place of one that does: its versions before would end where it was to begin.
            let begins = shown.valid_from.max(because.at);
            if let Some(over) = principals.iter().find(|principal| principal.ends_at <= begins) {
                let (id, end) = (over.id, over.ends_at);
                let what = match end <= because.at {
                    true => Detail::new(
                        format!("aftalen afhænger af {id}, som er ophørt; de ophører sammen"),
                        format!("the agreement depends on {id}, which is over; they end together"),
                    ),
                    false => Detail::new(
                        format!("aftalen afhænger af {id}, som ophører {end}, før aftalen begynder; de ophører sammen"),
                        format!(
                            "the agreement depends on {id}, which ends {end}, before the agreement begins; they end together"
                        ),
                    ),
                };
                return Err(ApiRefusal::ApiConflict { what }.into());
            }
            // An end that was not shown is not given.
            if !is_as_shown || (approval.is_none() && !principals.is_empty()) {
                return Err(ApiRefusal::ApiPreconditionFailed.into());
            }
            created.user.ok_or(ApiRefusal::ApiCreatorUnknown)?;
            if let Some(same) = wrote(change.connection(), shown, &made, &actor, because.at).await? {
                return Err(ApiRefusal::ApiCreatorApproves { or: same.describe() }.into());
            }
            for suspended in suspension::alike(&mut change, shown).await? {
                may_lift(change.connection(), &[suspended], &actor, role).await?;
            }
        }
        Some(Action::ResumeAgreement) => may_lift(change.connection(), &made, &actor, role).await?,
        Some(Action::EndAgreement) => {
            with = may_take_back(&mut change, shown, &made, (&actor, role), because.at).await?;
            // A notice is not taken back where nobody was shown that it is.
            let back: BTreeSet<Uuid> = with.iter().map(|held| held.id).collect();
            if approval.map(|approval| approval.back.clone()).unwrap_or_default() != back {
                return Err(ApiRefusal::ApiPreconditionFailed.into());
            }
        }
        _ => {}
    }
    let agreement = change.decide(shown.id, Some(shown), to, &actor.user().name, &because.reason, because.at).await;
    let mut agreement = agreement.map_err(of_agreement)?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    if (shown.state, to) == (State::Requested, State::Approved) {
        replaced(&mut change, by, (&actor, role), &agreement, because).await?;
        notify(store, &mut change, &agreement, shown.state, &created, because).await?;
        agreement = along::ends_with(&mut change, by, (&actor, role), agreement, &principals, because).await?;
        if let Some(ends_at) = agreement.ends_at {
            let audience = [created.audience(), Audience::Owners(agreement.authority, agreement.service)];
            let notice = Notice::of(Kind::Ended, &agreement).at(ends_at).because(&because.reason);
            change.notify(store.database(), &notice, &audience, because.at).await?;
        }
        if let Some(ending) = approval.and_then(|approval| approval.ending.as_ref()) {
            let name = actor.user().name.clone();
            ending::take_along(&mut change, ending, &name, Some((by, &actor, role)), because).await?;
            ending::notify_those_taken(store, &mut change, ending, created, because).await?;
        }
    }
    if action == Some(Action::EndAgreement) {
        let undone = along::undo(&mut change, by, (&actor, role), (&agreement, with.as_slice()), because).await?;
        goes_on(store, &mut change, &agreement, &created, &undone, because).await?;
    }
    if shown.state != State::Requested || to != State::Approved {
        notify(store, &mut change, &agreement, shown.state, &created, because).await?;
    }
    Kept::keep(kept, &mut change, &agreement).await?;
    change.commit().await?;
    Ok(agreement)
}

/// Whether the suspension of an agreement still stands, by what was decided on it.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn is_suspended(store: &Store, made: &[Made]) -> Result<bool, DecideError> {
    Ok(suspension::standing(&mut store.database().session().await?, made).await?.is_some())
}

/// Whether an agreement is over for good at `at`, as it is written down.
pub fn is_over(agreement: &Agreement, at: Timestamp) -> bool {
    matches!(agreement.state, State::Terminated | State::Expired) && !agreement.is_under_notice(at)
}

fn cannot(from: State, to: State) -> ApiRefusal {
    ApiRefusal::ApiTransition { from: Detail::name(from.wire_name()), to: Detail::name(to.wire_name()) }
}

/// Lifts the suspension of an agreement that ended while it was suspended: it stays over, and no longer stands in the way of another.
///
/// # Errors
/// [`DecideError`]: a user who may not, an agreement that is another's or has no such suspension, what changed meanwhile.
pub async fn lift(
    store: &Store,
    by: By<'_>,
    shown: &Agreement,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, DecideError> {
    until_it_holds(async || lift_once(store, by, shown, because, kept).await).await
}

async fn lift_once(
    store: &Store,
    by: By<'_>,
    shown: &Agreement,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, DecideError> {
    if !is_over(shown, because.at) {
        return Err(cannot(shown.state, State::Approved).into());
    }
    let what = what(shown, Some(shown.state), shown.state);
    let actor = by.of(store, &what, because).await?;
    let mut change = store.change().await?;
    let made = change.made_on(Subject::Agreement, shown.id).await?;
    if !actor.scope().takes(shown.authority, shown.service, Creator::of(&made).party) {
        return Err(not_found().into());
    }
    let role = actor.may(Action::ResumeAgreement)?;
    let Some(suspended) = suspension::standing(change.connection(), &made).await? else {
        return Err(cannot(shown.state, State::Approved).into());
    };
    may_lift(change.connection(), &[suspended], &actor, role).await?;
    change.stays(shown, &actor.user().name, &because.reason, because.at).await.map_err(of_agreement)?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, shown).await?;
    change.commit().await?;
    Ok(shown.clone())
}

/// Why whoever acts counts as having written any of what an agreement says, from the draft on; none where they wrote nothing of it. By
/// person: one with two users is not two, nor may two be of whom nobody has said so ([`User::same_as`](crate::users::User::same_as)). A
/// substitute and whom they stand for are one.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn wrote(
    session: &mut Session,
    agreement: &Agreement,
    made: &[Made],
    actor: &Actor,
    at: Timestamp,
) -> Result<Option<Same>, DecideError> {
    let header = match &agreement.terms {
        Some(terms) => record::on(session, Subject::AgreementRequest, terms.request).await?,
        None => Vec::new(),
    };
    let asked = made.iter().filter(|made| made.what.to == State::Requested.wire_name());
    let mut all = Vec::new();
    for made in asked.chain(&header) {
        all.extend(actor.same_among(&record::behind(session, made).await?, at));
    }
    Ok(all.into_iter().reduce(Same::and))
}

/// Whether a decision is the user's own, by whichever of their users, or made by one whom the user stands above. Nobody stands above the
/// operators: each of them stands for what another did. What a substitute decided is the own of whom they stood for, and of theirs no longer
/// than they stand for them: it was that person's right.
async fn stands_for(session: &mut Session, made: &Made, actor: &Actor, role: Role) -> Result<bool, DecideError> {
    if let Some(user) = made.right_of()
        && known(session, user).await?.person == actor.right_of().person
    {
        return Ok(true);
    }
    Ok(made.role.is_none_or(|by| role.rank() > by.rank() || (by, role) == (Role::Operator, Role::Operator)))
}

/// Refuses whoever may not lift a suspension.
pub(crate) async fn may_lift(session: &mut Session, made: &[Made], actor: &Actor, role: Role) -> Result<(), DecideError> {
    match made.iter().rev().find(|made| suspension::is_one(made)) {
        Some(suspended) if !stands_for(session, suspended, actor, role).await? => Err(ApiRefusal::ApiSuspendedAbove.into()),
        _ => Ok(()),
    }
}

/// A notice is taken back by whoever gave it or stands above, in person: it opens for longer. Where a new version takes the agreement's
/// place it stays. Of those that depend on each other the notices are taken back together, where the user may take back each: these others.
async fn may_take_back(
    change: &mut Change,
    shown: &Agreement,
    made: &[Made],
    (actor, role): (&Actor, Role),
    at: Timestamp,
) -> Result<Vec<Agreement>, DecideError> {
    if actor.user().kind != Who::Person {
        return Err(ApiRefusal::ApiPersonRequired { action: Action::EndAgreement.describe() }.into());
    }
    stands_for_notice(change, made, (actor, role)).await?;
    let ends_with = |principal: Uuid| {
        let what = Detail::new(
            format!("aftalen afhænger af {principal}, som er opsagt eller ophørt; de ophører sammen"),
            format!("the agreement depends on {principal}, which is under notice or over; they end together"),
        );
        DecideError::from(ApiRefusal::ApiConflict { what })
    };
    let with = match along::together(change.connection(), shown, at).await? {
        along::Together::With(with) => with,
        along::Together::Ends(principal) => return Err(ends_with(principal)),
    };
    for other in &with {
        let made = change.made_on(Subject::Agreement, other.id).await?;
        if !actor.scope().takes(other.authority, other.service, Creator::of(&made).party) {
            return Err(ends_with(other.id));
        }
        stands_for_notice(change, &made, (actor, role)).await?;
    }
    for back in std::iter::once(shown).chain(&with) {
        let versions = versions::others(change.connection(), back, at).await?;
        if let Some(newer) = versions.into_iter().find(|other| other.is_open(at) && other.id > back.id) {
            let what = Detail::new(
                format!("en nyere udgave, {}, træder i aftalens sted", newer.id),
                format!("a newer version, {}, takes the agreement's place", newer.id),
            );
            return Err(ApiRefusal::ApiConflict { what }.into());
        }
    }
    Ok(with)
}

/// Refuses whoever may not take back the notice that an agreement is under, by what was decided on it since it last went on. Whoever brought
/// forward what somebody above gave does not take that back with it; of equals it is the last one's, so that somebody may.
async fn stands_for_notice(change: &mut Change, made: &[Made], (actor, role): (&Actor, Role)) -> Result<(), DecideError> {
    let suspended = Some(State::Suspended.wire_name());
    // One that was suspended meanwhile stayed so: OPSAGT again it is by who lifted that.
    let gave = |made: &&Made| {
        let (from, to) = (made.what.from.as_deref(), made.what.to.as_str());
        (to == State::Terminated.wire_name() && from != suspended) || (Some(to) == suspended && from == suspended)
    };
    let goes_on = [State::Approved.wire_name(), NOTICE_TAKEN_BACK];
    let since = made.iter().rev().take_while(|made| !goes_on.contains(&made.what.to.as_str())).filter(gave);
    for (nth, given) in since.enumerate() {
        let counts = nth == 0 || given.role.is_some_and(|by| by.rank() > role.rank());
        if counts && !stands_for(change.connection(), given, actor, role).await? {
            return Err(ApiRefusal::ApiNoticeOfAnother.into());
        }
    }
    Ok(())
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
    /// In whose right; the user's own where it is none.
    pub(super) stood_for: Option<Uuid>,
    pub(super) party: Option<Cvr>,
}

impl Creator {
    pub(super) fn of(made: &[Made]) -> Self {
        let created = made.iter().find(|made| made.what.to == State::Requested.wire_name());
        created.map_or_else(Self::default, |made| Self {
            user: made.user,
            stood_for: made.by_delegation.map(|by| by.principal),
            party: made.party,
        })
    }

    /// Who is told of what becomes of it.
    pub(super) fn audience(self) -> Audience {
        Audience::Requester(self.party, [self.user, self.stood_for])
    }
}

fn digest_of(text: &str) -> String {
    shown::sha256(text)
}

/// To what it is decided, and what state it has then. `text`: what was shown, where that is more than the agreement's own text.
pub(super) async fn begin(
    store: &Store,
    by: By<'_>,
    shown: &Agreement,
    (to, becomes): (State, State),
    text: Option<&str>,
    because: &Because,
) -> Result<Deciding, DecideError> {
    let transition = || cannot(shown.state, to);
    let action = Action::of_change(shown.state, to).ok_or_else(transition)?;
    let own = what(shown, Some(shown.state), becomes);
    let what = What { shown: text.map(digest_of).or(own.shown), ..own };
    let actor = by.of(store, &what, because).await?;
    let mut change = store.change().await?;
    let made = change.made_on(Subject::Agreement, shown.id).await?;
    let created = Creator::of(&made);
    if !actor.scope().takes(shown.authority, shown.service, created.party) {
        return Err(not_found().into());
    }
    let role = actor.may(action)?;
    if !shown.may_become(to, because.at) {
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

/// The versions before end where the one that was approved begins: until then they hold, and no longer than their own period. Those that
/// nobody answered are taken back. The same person decides it.
pub(super) async fn replaced(
    change: &mut Change,
    by: By<'_>,
    (actor, role): (&Actor, Role),
    approved: &Agreement,
    because: &Because,
) -> Result<(), DecideError> {
    let (name, begins) = (&actor.user().name, approved.valid_from.max(because.at));
    for held in versions::others(change.connection(), approved, because.at).await? {
        let ends = held.valid_to.map_or(begins, |to| begins.min(to));
        let to = match held.state {
            // One that was asked for later is still to be answered.
            State::Requested if held.id > approved.id => continue,
            State::Requested => State::Withdrawn,
            State::Terminated if held.ends_at.is_some_and(|end| end <= ends) => continue,
            _ => State::Terminated,
        };
        let what = what(&held, Some(held.state), to);
        let ended = match held.state {
            // A suspension is not lifted by a notice.
            State::Approved | State::Terminated if ends > because.at => {
                change.give_notice(&held, ends, name, &because.reason, because.at).await
            }
            _ => change.decide(held.id, Some(&held), to, name, &because.reason, because.at).await,
        };
        ended.map_err(of_agreement)?;
        let actor = by.also(actor, &what, because)?;
        change.made_by(Some((&actor, role)), &what, because).await?;
    }
    Ok(())
}

/// Notifies whoever waits for it, or is struck by it.
async fn notify(
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
    change.notify(store.database(), &notice, &audience, because.at).await?;
    Ok(())
}

/// Notifies whoever was notified of a notice to end that it was taken back, with what goes on again and what does not.
async fn goes_on(
    store: &Store,
    change: &mut Change,
    agreement: &Agreement,
    created: &Creator,
    undone: &along::Undone,
    because: &Because,
) -> Result<(), DecideError> {
    let agreements = undone.agreements.iter().map(|other| match other.ends_at {
        None => format!("fortsætter også, serviceaftale: {}", other.id),
        Some(end) => format!("ophører først {end}, serviceaftale: {}", other.id),
    });
    let routes = undone.routes.iter().map(|(route, to)| match to {
        None => format!("lukkes ikke, rute: {route}"),
        Some(day) => format!("lukkes først {day}, rute: {route}"),
    });
    let withdrawn = undone.withdrawn.iter().map(|id| format!("er trukket tilbage og skal anmodes om igen, serviceaftale: {id}"));
    let stay = undone.stay.iter().map(|id| format!("lukkes fortsat, da andet er besluttet: {id}"));
    let differs: Vec<String> = agreements.chain(routes).chain(withdrawn).chain(stay).collect();
    let ends = |one: &Agreement| one.ends_at.map(|end| format!("ophører først {end}")).into_iter().collect::<Vec<_>>();
    for (agreement, differs) in std::iter::once((agreement, differs)).chain(undone.agreements.iter().map(|one| (one, ends(one))))
    {
        let audience = [created.audience(), Audience::Owners(agreement.authority, agreement.service)];
        let notice = Notice::of(Kind::NoticeTakenBack, agreement).at(because.at).because(&because.reason).differing(differs);
        change.notify(store.database(), &notice, &audience, because.at).await?;
    }
    Ok(())
}

/// Notifies the signatories of a request that waits for them once more ("Gensend advis"). At most once an hour, whoever asks.
///
/// # Errors
/// [`DecideError`]: a user who may not, an agreement that is another's or waits for nobody, a reminder that has just been sent.
pub async fn remind(store: &Store, actor: &Actor, id: Uuid, now: Timestamp) -> Result<usize, DecideError> {
    until_it_holds(async || remind_once(store, actor, id, now).await).await
}

async fn remind_once(store: &Store, actor: &Actor, id: Uuid, now: Timestamp) -> Result<usize, DecideError> {
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
    if !change.gives_again(&format!("reminder asked for {id}"), now, SignedDuration::from_hours(1)).await? {
        let what = Detail::new("der er sendt et advis inden for den sidste time", "a reminder was sent within the hour");
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    let notice = Notice::of(Kind::Reminder, &agreement);
    let audience = [Audience::Signatories(agreement.authority, agreement.service)];
    let told = change.notify(store.database(), &notice, &audience, now).await?;
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
