//! Decisions on requests: to draft one, to ask for what it says, and to take it back. A draft is its maker's side's alone; of what
//! was requested each authority sees the whole header, and decides on its own lines ([`super::agreement`]).

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::agreement::{acts_for, asked_by, keep_bases, not_locked, replaced, what as of_line};
use super::{Because, By, DecideError, Kept, along, life, record::What, shown, suspension, system, versions};
use crate::{
    agreements::{
        Agreement, Asked, Change, Side, State, Store, Vocabulary,
        import::Import,
        request::{Content, Request, Standing, Wrong},
        rules::Rules,
    },
    audit::Subject,
    id::cvr::Cvr,
    notices::{Kind, Notice, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    store::{until_it_holds, value::to_microsecond},
    users::{
        Actor, Whose,
        rights::{Action, Role},
    },
};

/// As whoever approves it is named where the authority has allowed connection on trial.
const ON_TRIAL: &str = "prøvetilslutning";

pub(super) fn what(request: &Request, from: Option<Standing>, to: Standing) -> What {
    What {
        subject: Subject::AgreementRequest,
        id: request.id,
        from: from.map(|from| from.wire_name().to_owned()),
        to: to.wire_name().to_owned(),
        shown: Some(shown::sha256(&request.text())),
    }
}

fn not_found() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("anmodning", "request") }
}

fn cannot(from: Standing, to: Standing) -> ApiRefusal {
    ApiRefusal::ApiTransition { from: Detail::name(from.wire_name()), to: Detail::name(to.wire_name()) }
}

/// What ETag a request has: another with each edition and each change of where it stands.
pub fn etag(request: &Request) -> String {
    format!("\"{}\"", shown::sha256(&format!("{}{}", request.text(), request.state)))
}

/// Whether it is the user's side's own.
fn is_own(actor: &Actor, request: &Request) -> bool {
    match actor.scope().whose {
        Whose::Everybody => true,
        Whose::Authority(own) | Whose::Supplier(own) => request.party == Some(own),
        Whose::Nobody => false,
    }
}

/// A request that the user may see: its own side's, or one that asks its authority, for a service that is the user's.
///
/// # Errors
/// [`ApiRefusal::ApiNotFound`], also where it is another's.
pub async fn seen(store: &Store, actor: &Actor, id: Uuid) -> Result<Request, DecideError> {
    actor.may(Action::SeeAgreements)?;
    let request = store.request(id).await?.ok_or_else(not_found)?;
    let asks = |own: Cvr| request.state != Standing::Draft && request.content.authorities.contains(&own);
    let is_asked = matches!(actor.scope().whose, Whose::Authority(own) if asks(own));
    let of_services = request.content.asks_any_of(&actor.scope().services);
    if (is_own(actor, &request) || is_asked) && of_services { Ok(request) } else { Err(not_found().into()) }
}

/// The lines that the user may see of it: an authority its own, and a user of some services those.
///
/// # Errors
/// A store that does not answer, or holds what the model does not have.
pub async fn lines_seen(store: &Store, actor: &Actor, request: &Request) -> Result<Vec<Agreement>, DecideError> {
    let mut lines = store.lines(request.id).await?;
    if let (false, Whose::Authority(own)) = (is_own(actor, request), actor.scope().whose) {
        lines.retain(|line| line.authority == own);
    }
    let services = actor.scope().services;
    lines.retain(|line| services.is_empty() || services.contains(&line.service));
    Ok(lines)
}

/// Begins a draft.
///
/// # Errors
/// [`DecideError`]: a user who may not.
pub async fn draft(
    store: &Store,
    by: By<'_>,
    id: Uuid,
    content: Content,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    until_it_holds(async || draft_once(store, by, id, content.clone(), because, kept).await).await
}

async fn draft_once(
    store: &Store,
    by: By<'_>,
    id: Uuid,
    content: Content,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    // Who it is says whose it is, and what is signed does not hang on that.
    let party = by.who(store, because.at).await?;
    let request = Request {
        id,
        state: Standing::Draft,
        edition: 1,
        party: party.user().party,
        made_by: party.user().id,
        content,
        made_at: because.at,
        changed_at: because.at,
    };
    let what = what(&request, None, Standing::Draft);
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::RequestAgreement)?;
    let mut change = store.change().await?;
    change.add_request(&request).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &request).await?;
    change.commit().await?;
    Ok(request)
}

/// Refuses to change what asks for a service that is not the user's.
fn changes_all_of(actor: &Actor, content: &Content) -> Result<(), DecideError> {
    match content.asks_only_for(&actor.scope().services) {
        true => Ok(()),
        false => Err(ApiRefusal::ApiOtherParty.into()),
    }
}

/// A draft as it was shown, which the user may write.
async fn held(store: &Store, actor: &Actor, shown: &Request, to: Standing) -> Result<(Change, Role), DecideError> {
    let role = actor.may(Action::RequestAgreement)?;
    if !is_own(actor, shown) {
        return Err(not_found().into());
    }
    changes_all_of(actor, &shown.content)?;
    let mut change = store.change().await?;
    let now = change.request(shown.id).await?.ok_or_else(not_found)?;
    if now != *shown {
        return Err(ApiRefusal::ApiPreconditionFailed.into());
    }
    if now.state != Standing::Draft {
        return Err(cannot(now.state, to).into());
    }
    Ok((change, role))
}

/// Writes a draft anew.
///
/// # Errors
/// [`DecideError`]: a user who may not, what was requested already, what changed since it was `shown`.
pub async fn write(
    store: &Store,
    by: By<'_>,
    shown: &Request,
    content: Content,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    until_it_holds(async || write_once(store, by, shown, content.clone(), because, kept).await).await
}

async fn write_once(
    store: &Store,
    by: By<'_>,
    shown: &Request,
    content: Content,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    let request = Request { content, edition: shown.edition + 1, changed_at: because.at, ..shown.clone() };
    let what = what(&request, Some(Standing::Draft), Standing::Draft);
    let actor = by.of(store, &what, because).await?;
    changes_all_of(&actor, &request.content)?;
    let (mut change, role) = held(store, &actor, shown, Standing::Draft).await?;
    change.write_draft(&request).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &request).await?;
    change.commit().await?;
    Ok(request)
}

/// Asks for what a draft says: each line becomes an agreement that is ANMODET, and its signatories are told. Where the authority
/// allows trial connection to the test environment the line holds at once.
///
/// # Errors
/// [`DecideError`]: a user who may not, a draft that is not finished, a system or a certificate that is another's, a service that is
/// locked, an authority that is not in the register, what changed since it was `shown`.
pub async fn submit(
    store: &Store,
    by: By<'_>,
    shown: &Request,
    rules: &Rules,
    vocabulary: &Vocabulary,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    until_it_holds(async || submit_once(store, by, shown, rules, vocabulary, because, kept).await).await
}

async fn submit_once(
    store: &Store,
    by: By<'_>,
    shown: &Request,
    rules: &Rules,
    vocabulary: &Vocabulary,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    let what = what(shown, Some(Standing::Draft), Standing::Requested);
    let actor = by.of(store, &what, because).await?;
    let (mut change, role) = held(store, &actor, shown, Standing::Requested).await?;
    let earlier = match (shown.content.replaces, shown.content.system, &shown.content.environment) {
        (Some(before), Some(system), Some(environment)) => {
            is_version_of(&mut change, &actor, before).await?;
            versions::of_request(change.connection(), before, (system, environment), because.at).await?
        }
        _ => Vec::new(),
    };
    for request in &shown.content.depends_on {
        let other = change.request(*request).await?.filter(|other| is_own(&actor, other));
        if other.is_none_or(|other| other.state == Standing::Draft || other.id == shown.id) {
            let what = Detail::new(
                "depends_on: anmodningen findes ikke, er en kladde eller er en andens",
                "depends_on: the request is not there, a draft, or another's",
            );
            return Err(ApiRefusal::ApiRequestUnfinished { fields: what }.into());
        }
    }
    let at = to_microsecond(because.at);
    let mut lines = shown.content.lines(shown.id, &earlier, rules, vocabulary, at).map_err(unfinished)?;
    if let Some(of) = shown.content.system {
        let front = (Side::Front, of, shown.content.certificates.as_slice());
        let (known, wrong) = system::asked_for(&mut change, &actor, front).await?;
        if !wrong.is_empty() {
            return Err(unfinished(wrong).into());
        }
        let asker = Asked { system: known.map(|known| known.name), ..asked_by(change.connection(), &actor).await? };
        for line in &mut lines {
            line.asked = Some(Arc::new(Asked { service: rules.of(line.service).name, ..asker.clone() }));
        }
    }
    for line in &lines {
        if !acts_for(&actor, line) {
            return Err(ApiRefusal::ApiOtherParty.into());
        }
        not_locked(rules, line)?;
    }
    let import = Import { authorities: Vec::new(), agreements: lines };
    keep_bases(&mut change, rules, &import.agreements, because.at).await?;
    change.import(&import, because.at).await?;
    change.request_stands(shown.id, Standing::Requested, because.at).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    for line in &import.agreements {
        let asked = of_line(line, None, State::Requested);
        change.made_by(Some((&by.also(&actor, &asked, because)?, role)), &asked, because).await?;
        // What was suspended, ended or rejected is not got around by a trial: then the authority decides. Nor is the end of what it
        // depends on.
        let on_trial = rules.of(line.service).is_on_trial(line.authority, &line.environment);
        if on_trial
            && along::ended_principals(change.connection(), line, because.at).await?.is_empty()
            && !suspension::bars_trial(&mut change, line, shown.party).await?
        {
            change.decide(line.id, None, State::Approved, ON_TRIAL, &because.reason, because.at).await?;
            let opened = of_line(line, Some(State::Requested), State::Approved);
            change.made_by(Some((&by.also(&actor, &opened, because)?, role)), &opened, because).await?;
            replaced(&mut change, by, (&actor, role), line, because).await?;
            continue;
        }
        let before = line.terms.as_ref().and_then(|terms| terms.replaces);
        let before = before.and_then(|before| earlier.iter().find(|held| held.id == before));
        let notice = Notice::of(Kind::Requested, line);
        let notice = match before {
            Some(before) => {
                let more = life::beyond_basis(change.connection(), &rules.of(line.service), before, line).await?;
                notice.differing([shown::differences(before, line), more].concat())
            }
            None => notice,
        };
        let signatories = [Audience::Signatories(line.authority, line.service)];
        change.notify(store.database(), &notice, &signatories, because.at).await?;
    }
    let request = Request { state: Standing::Requested, changed_at: because.at, ..shown.clone() };
    Kept::keep(kept, &mut change, &request).await?;
    change.commit().await?;
    Ok(request)
}

/// Refuses a request that is a new version of what is not the user's own side's, or was never requested.
async fn is_version_of(change: &mut Change, actor: &Actor, before: Uuid) -> Result<(), DecideError> {
    let request = change.request(before).await?.filter(|request| is_own(actor, request));
    match request {
        Some(request) if request.state != Standing::Draft => Ok(()),
        _ => {
            let what = Detail::new(
                "replaces: anmodningen findes ikke, er en kladde eller er en andens",
                "replaces: the request is not there, a draft, or another's",
            );
            Err(ApiRefusal::ApiRequestUnfinished { fields: what }.into())
        }
    }
}

/// All that is wrong, in one refusal.
pub fn unfinished(wrong: Vec<Wrong>) -> ApiRefusal {
    let fields = |what: fn(&Detail) -> &str| {
        wrong.iter().map(|wrong| format!("{}: {}", wrong.field, what(&wrong.what))).collect::<Vec<_>>().join("; ")
    };
    ApiRefusal::ApiRequestUnfinished { fields: Detail::new(fields(Detail::da), fields(Detail::en)) }
}

/// Takes a request back: a draft, or the lines of one that nobody has answered yet. What was answered stays.
///
/// # Errors
/// [`DecideError`]: a user who may not, a request that is taken back already, what changed since it was `shown`.
pub async fn withdraw(
    store: &Store,
    by: By<'_>,
    shown: &Request,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    until_it_holds(async || withdraw_once(store, by, shown, because, kept).await).await
}

async fn withdraw_once(
    store: &Store,
    by: By<'_>,
    shown: &Request,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, DecideError> {
    let what = what(shown, Some(shown.state), Standing::Withdrawn);
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::WithdrawAgreement)?;
    if !is_own(&actor, shown) {
        return Err(not_found().into());
    }
    changes_all_of(&actor, &shown.content)?;
    let mut change = store.change().await?;
    if change.request(shown.id).await?.as_ref() != Some(shown) {
        return Err(ApiRefusal::ApiPreconditionFailed.into());
    }
    if shown.state == Standing::Withdrawn {
        return Err(cannot(shown.state, Standing::Withdrawn).into());
    }
    change.request_stands(shown.id, Standing::Withdrawn, because.at).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    for line in change.lines(shown.id).await? {
        if line.state == State::Requested {
            let taken = of_line(&line, Some(State::Requested), State::Withdrawn);
            let name = &actor.user().name;
            change.decide(line.id, Some(&line), State::Withdrawn, name, &because.reason, because.at).await?;
            change.made_by(Some((&by.also(&actor, &taken, because)?, role)), &taken, because).await?;
        }
    }
    let request = Request { state: Standing::Withdrawn, changed_at: because.at, ..shown.clone() };
    Kept::keep(kept, &mut change, &request).await?;
    change.commit().await?;
    Ok(request)
}

/// What a new version begins with: the former's words, until they are changed.
pub fn renewed(request: &Request, now: Timestamp) -> Content {
    let keeps_from = request.content.valid_from.filter(|from| *from > now);
    Content { replaces: Some(request.id), valid_from: keeps_from, ..request.content.clone() }
}
