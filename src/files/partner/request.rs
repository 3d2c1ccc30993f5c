//! What one person asks for and another decides on: an agreement or other terms of one, its resumption; a user, its end, a new
//! certificate, its unblocking, other rights. What only takes away is done by one person at once: an agreement is suspended or
//! closed, a user blocked.
//!
//! A signatory of the authority that the agreement is with approves; where it concerns others too, one of each of them, and
//! the last one's approval carries it out. Of two users of one person, the one does not approve what the other asked for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::agreement::{self, Agreement, AgreementError, Direction, Number, Standing, Terms};
use super::users::{self, Right, Shown, User, UserError};
use super::validate::Validator;
use crate::agreements::rules::Rules;
use crate::agreements::{Change, Environment, Store, Thumbprint};
use crate::audit::Subject;
use crate::decisions::record::{Made, What, behind};
use crate::decisions::shown::sha256;
use crate::decisions::{Because, By, DecideError, Kept};
use crate::files::home::Fingerprint;
use crate::files::users::{count, instant, us};
use crate::id::cvr::Cvr;
use crate::refusal::Detail;
use crate::refusal::api::ApiRefusal;
use crate::store::value::assembled_for;
use crate::store::{Row, Session, StoreError, sql, until_it_holds};
use crate::users::rights::{Action, Side};
use crate::users::{Actor, Same, Scope, Whose};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Wanted {
    /// An agreement, or other terms of the one with that number.
    Agreement(Terms),
    /// That a suspended agreement goes on.
    Resume(Number),
    User {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<Thumbprint>,
        /// Its SSH key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Fingerprint>,
        /// The first instant at which it may no longer be used.
        valid_to: Option<Timestamp>,
        /// What it may do.
        rights: Vec<Right>,
    },
    /// The end of a user.
    Delete(String),
    /// Another certificate or key of a user; those of the kind that it has end.
    NewKey {
        /// The user.
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<Thumbprint>,
        /// The SSH key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Fingerprint>,
    },
    /// That a blocked user may be used again.
    Unblock(String),
    /// Other rights of a user, on agreements of one authority.
    Rights {
        /// The user.
        name: String,
        /// What it may do from then on.
        rights: Vec<Right>,
    },
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has decided.
    Asked,
    /// It was carried out.
    Approved,
    /// It was refused.
    Rejected,
    /// It was taken back.
    Withdrawn,
}

/// How many requests of one asker wait at the most: each holds all that is asked for, and is read by whoever decides.
pub const MOST_WAITING: u64 = 200;

/// What a decision is to, by which one of several authorities approves.
const APPROVED_TOO: &str = "MEDGODKENDT";

impl State {
    const ALL: [Self; 4] = [Self::Asked, Self::Approved, Self::Rejected, Self::Withdrawn];

    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "ANMODET",
            Self::Approved => "GODKENDT",
            Self::Rejected => "AFVIST",
            Self::Withdrawn => "TRUKKET",
        }
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or(())
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its identity.
    pub id: Uuid,
    /// Whose signatory decides.
    pub authority: Cvr,
    /// Where it stands.
    pub state: State,
    /// What is asked for.
    pub wanted: Wanted,
    /// When.
    pub requested: Timestamp,
}

/// Why it was not done. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum RequestError {
    /// It may not be, or the store did not do as asked.
    #[error(transparent)]
    Decide(#[from] DecideError),
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    #[error(transparent)]
    User(#[from] UserError),
    /// There is none.
    #[error("there is no request {0}; `hjemmel mailbox request list` shows those that there are")]
    NoSuch(Uuid),
    /// The agreements of one request are one authority's.
    #[error("the rights are on agreements of several authorities or none; ask for those of one authority at a time")]
    SeveralAuthorities,
    /// There is nothing to resume.
    #[error("{0} is {1}; only a suspended agreement is resumed")]
    NotSuspended(Number, &'static str),
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Decide(error.into())
    }
}

impl From<ApiRefusal> for RequestError {
    fn from(refusal: ApiRefusal) -> Self {
        Self::Decide(refusal.into())
    }
}

impl Wanted {
    fn rights(text: &mut String, rights: &[Right]) {
        let or = |may: bool| if may { "ja" } else { "nej" };
        for right in rights {
            let _ = writeln!(text, "aftale: {}; henter: {}; afleverer: {}", right.number, or(right.fetches), or(right.delivers));
        }
    }

    /// What is asked for, a line each: what whoever decides is shown and signs.
    pub fn text(&self) -> String {
        match self {
            Self::Agreement(terms) => format!("partneraftale\n{}", toml::to_string(terms).unwrap_or_default()),
            Self::Resume(number) => format!("genoptag partneraftale: {number}\n"),
            Self::User { name, certificate, key, valid_to, rights } => {
                let to = valid_to.map_or("-".to_owned(), |to| to.to_string());
                let mut text = format!("opret bruger: {name}\n{}udløber: {to}\n", known_by(*certificate, *key));
                Self::rights(&mut text, rights);
                text
            }
            Self::Delete(name) => format!("slet bruger: {name}\n"),
            Self::NewKey { name, certificate, key } => {
                let what = if certificate.is_some() { "nyt certifikat" } else { "ny nøgle" };
                format!("{what} til bruger: {name}\n{}de hidtidige ophører\n", known_by(*certificate, *key))
            }
            Self::Unblock(name) => format!("ophæv spærring af bruger: {name}\n"),
            Self::Rights { name, rights } => {
                let mut text = format!("rettigheder for bruger: {name}\n");
                Self::rights(&mut text, rights);
                text
            }
        }
    }
}

fn known_by(certificate: Option<Thumbprint>, key: Option<Fingerprint>) -> String {
    let certificate = certificate.map_or(String::new(), |it| format!("certifikat (SHA-256): {it}\n"));
    certificate + &key.map_or(String::new(), |it| format!("SSH-nøgle: {it}\n"))
}

/// What a user is to be known by.
fn shown(certificate: Option<Thumbprint>, key: Option<Fingerprint>) -> Vec<Shown> {
    certificate.map(Shown::Certificate).into_iter().chain(key.map(Shown::Key)).collect()
}

impl Request {
    /// What whoever decides is shown and signs.
    pub fn text(&self) -> String {
        format!("anmodning: {}\nmyndighed (CVR): {}\n{}", self.id, self.authority, self.wanted.text())
    }

    fn what(&self, from: Option<State>, to: &str) -> What {
        What {
            subject: Subject::MailboxRequest,
            id: self.id,
            from: from.map(|from| from.name().to_owned()),
            to: to.to_owned(),
            shown: Some(sha256(&self.text())),
        }
    }
}

async fn agreement_of(session: &mut Session, number: Number) -> Result<Agreement, AgreementError> {
    agreement::numbered(session, number).await?.ok_or(AgreementError::NoSuch(number))
}

/// The one authority, and the one environment, whose agreements these are.
async fn authority_of(session: &mut Session, rights: &[Right]) -> Result<(Cvr, Environment), RequestError> {
    let mut found: Option<(Cvr, Environment)> = None;
    for right in rights {
        let terms = agreement_of(session, right.number).await?.terms;
        let of = (terms.owner, terms.environment);
        if found.as_ref().is_some_and(|found| *found != of) {
            return Err(RequestError::SeveralAuthorities);
        }
        found = Some(of);
    }
    found.ok_or(RequestError::SeveralAuthorities)
}

fn standing(user: &User, due: users::Standing) -> Result<(), UserError> {
    if user.standing == due { Ok(()) } else { Err(UserError::Standing(user.name.clone(), user.standing.name())) }
}

async fn living(session: &mut Session, name: &str) -> Result<User, UserError> {
    let user = users::known(session, name).await?;
    match user.standing {
        users::Standing::Deleted => Err(UserError::Standing(user.name, user.standing.name())),
        _ => Ok(user),
    }
}

/// Whose signatory decides on it; and that it could be carried out as things stand.
async fn judged(session: &mut Session, wanted: &Wanted) -> Result<Cvr, RequestError> {
    Ok(match wanted {
        Wanted::Agreement(terms) => {
            agreement::fit(session, terms).await?;
            terms.owner
        }
        Wanted::Resume(number) => {
            let held = agreement_of(session, *number).await?;
            if held.standing != Standing::Suspended {
                return Err(RequestError::NotSuspended(*number, held.standing.name()));
            }
            held.terms.owner
        }
        Wanted::User { name, certificate, key, rights, .. } => {
            users::fit(session, name, &shown(*certificate, *key)).await?;
            authority_of(session, rights).await?.0
        }
        Wanted::Delete(name) => living(session, name).await?.authority,
        Wanted::NewKey { name, certificate, key } => {
            users::can_be(session, name, &shown(*certificate, *key)).await?;
            living(session, name).await?.authority
        }
        Wanted::Unblock(name) => {
            let user = users::known(session, name).await?;
            standing(&user, users::Standing::Blocked)?;
            user.authority
        }
        Wanted::Rights { name, rights } => {
            let user = living(session, name).await?;
            let (authority, environment) = authority_of(session, rights).await?;
            if environment != user.environment {
                return Err(UserError::NoSuch(name.clone()).into());
            }
            authority
        }
    })
}

/// Whose signatories approve, as things stand: the authority's own; for other terms that of each other party to whom an alias is newly
/// claimed; for what changes all of a user, that of each agreement on which it has rights; for first rights on another authority's
/// agreements, which may block the user from then on, the user's own.
async fn concerned(session: &mut Session, authority: Cvr, wanted: &Wanted) -> Result<BTreeSet<Cvr>, RequestError> {
    let mut all = match wanted {
        Wanted::Agreement(terms) => agreement::claimed_to(session, terms).await?,
        Wanted::Delete(name) | Wanted::NewKey { name, .. } | Wanted::Unblock(name) => served(session, name).await?,
        Wanted::Rights { name, rights } if rights.iter().any(|right| right.fetches || right.delivers) => {
            let user = users::known(session, name).await?;
            let served = served(session, name).await?;
            if served.contains(&authority) { BTreeSet::new() } else { [user.authority].into() }
        }
        Wanted::Resume(_) | Wanted::User { .. } | Wanted::Rights { .. } => BTreeSet::new(),
    };
    all.insert(authority);
    Ok(all)
}

/// The authorities on whose agreements a user has rights.
async fn served(session: &mut Session, name: &str) -> Result<BTreeSet<Cvr>, RequestError> {
    let mut all = BTreeSet::new();
    for right in users::known(session, name).await?.rights {
        all.insert(agreement_of(session, right.number).await?.terms.owner);
    }
    Ok(all)
}

/// Whether a request concerns an authority, whose signatory then approves it too.
///
/// # Errors
/// The store.
pub async fn concerns(store: &Store, request: &Request, authority: Cvr) -> Result<bool, StoreError> {
    match concerned(&mut store.database().session().await?, request.authority, &request.wanted).await {
        Ok(all) => Ok(all.contains(&authority)),
        Err(
            RequestError::Decide(DecideError::Store(error))
            | RequestError::Agreement(AgreementError::Store(error))
            | RequestError::User(UserError::Store(error)),
        ) => Err(error),
        // What it is about is gone.
        Err(_) => Ok(request.authority == authority),
    }
}

/// Which authorities are still to approve a request that waits.
///
/// # Errors
/// The store; or what it is about is gone.
pub async fn awaited(store: &Store, request: &Request) -> Result<BTreeSet<Cvr>, RequestError> {
    let made = store.made_on(Subject::MailboxRequest, request.id).await?;
    let mut session = store.database().session().await?;
    let mut all = concerned(&mut session, request.authority, &request.wanted).await?;
    all.retain(|authority| !approved_too(&made).contains(authority));
    Ok(all)
}

fn approved_too(made: &[Made]) -> BTreeSet<Cvr> {
    made.iter().filter(|made| made.what.to == APPROVED_TOO).filter_map(|made| made.party).collect()
}

/// Carries out what was approved.
async fn carried_out(session: &mut Session, wanted: &Wanted, now: Timestamp) -> Result<(), RequestError> {
    // What has changed since it was asked for is found here.
    judged(session, wanted).await?;
    match wanted {
        Wanted::Agreement(terms) => drop(agreement::put(session, terms, now).await?),
        Wanted::Resume(number) => {
            let held = agreement_of(session, *number).await?;
            agreement::stand(session, held.id, Standing::Active).await?;
        }
        Wanted::User { name, certificate, key, valid_to, rights } => {
            let (authority, environment) = authority_of(session, rights).await?;
            let user = User {
                id: Uuid::now_v7(),
                name: name.clone(),
                environment,
                authority,
                standing: users::Standing::Active,
                valid_to: *valid_to,
                seen: None,
                refused: None,
                certificates: certificate.iter().copied().collect(),
                keys: key.iter().copied().collect(),
                rights: Vec::new(),
            };
            users::add(session, &user, now).await?;
            given(session, user.id, rights).await?;
        }
        Wanted::Delete(name) => {
            let user = living(session, name).await?;
            users::stand(session, user.id, users::Standing::Deleted).await?;
        }
        Wanted::NewKey { name, certificate, key } => {
            let user = living(session, name).await?;
            for shown in shown(*certificate, *key) {
                users::known_by(session, user.id, shown, now).await?;
                users::end_others(session, user.id, shown, now).await?;
            }
        }
        Wanted::Unblock(name) => {
            let user = users::known(session, name).await?;
            users::stand(session, user.id, users::Standing::Active).await?;
        }
        Wanted::Rights { name, rights } => {
            let user = living(session, name).await?;
            given(session, user.id, rights).await?;
        }
    }
    Ok(())
}

async fn given(session: &mut Session, user: Uuid, rights: &[Right]) -> Result<(), RequestError> {
    for right in rights {
        let mailbox = agreement_of(session, right.number).await?;
        users::give(session, user, mailbox.id, *right).await?;
    }
    Ok(())
}

/// Whether a user may have to do with what is an authority's. A supplier asks any authority, and decides nothing.
fn is_of(actor: &Actor, authority: Cvr, asks: bool) -> bool {
    let scope = actor.scope();
    let whose = match scope.whose {
        Whose::Everybody => true,
        Whose::Authority(own) => own == authority,
        Whose::Supplier(_) => asks && actor.user().side() == Some(Side::Supplier),
        Whose::Nobody => false,
    };
    // A role for single services is for none of mailboxes.
    whose && scope.services.is_empty()
}

fn nothing() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("anmodning", "request") }
}

/// Requests that wait, of the asker's company or authority; of an operator, that person's own.
async fn waiting_of(session: &mut Session, actor: &Actor) -> Result<u64, StoreError> {
    let asked = match actor.user().party {
        Some(party) => {
            sql("SELECT count(*) AS n FROM mailbox_request AS r JOIN decision AS d ON d.subject = $1 AND d.subject_id = r.id
                 AND d.from_state IS NULL AND d.party = $2 WHERE r.state = 'ANMODET'")
            .bind(Subject::MailboxRequest.name())
            .bind(party.to_string())
        }
        None => sql("SELECT count(*) AS n FROM mailbox_request AS r JOIN decision AS d ON d.subject = $1 AND d.subject_id = r.id
                 AND d.from_state IS NULL AND d.api_user = $2 WHERE r.state = 'ANMODET'")
        .bind(Subject::MailboxRequest.name())
        .bind(actor.user().id),
    };
    session.first(asked).await?.map_or(Ok(0), |row| count(&row, "n"))
}

/// That a rule which terms name for the files of a stream is there and judges, by what is configured where it is asked for. Terms that are
/// in force already are as they are.
fn validators_are_there(wanted: &Wanted, rules: &Rules) -> Result<(), AgreementError> {
    let Wanted::Agreement(terms) = wanted else { return Ok(()) };
    for (at, stream) in terms.streams.iter().enumerate() {
        match &stream.validator {
            Validator::Named(name) if stream.direction == Direction::Out && !rules.judge(name) => {
                let what = Detail::new(
                    "ingen tjeneste her validerer filer af dette InfRef for sig (på kommandolinjen: efter det, --config siger)",
                    "no service here judges files of this InfRef by themselves (on the command line: by what --config says)",
                );
                return Err(AgreementError::Unsound { place: format!("stream {}, validator", at + 1), what });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Asks for something. `rules`: what the services here are asked for and judge.
///
/// # Errors
/// [`RequestError`]: a user who may not, or what cannot be.
pub async fn request(
    store: &Store,
    rules: &Rules,
    by: By<'_>,
    wanted: Wanted,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, RequestError> {
    until_it_holds(async || request_once(store, rules, by, wanted.clone(), because, kept).await).await
}

async fn request_once(
    store: &Store,
    rules: &Rules,
    by: By<'_>,
    wanted: Wanted,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, RequestError> {
    let (authority, may_ask) = match &wanted {
        Wanted::Agreement(terms) => (terms.owner, [terms.owner].into()),
        wanted => {
            let mut session = store.database().session().await?;
            let authority = judged(&mut session, wanted).await?;
            (authority, concerned(&mut session, authority, wanted).await?)
        }
    };
    let mut request = Request { id: Uuid::now_v7(), authority, state: State::Asked, wanted, requested: because.at };
    let what = request.what(None, State::Asked.name());
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::RequestAgreement)?;
    if !may_ask.iter().any(|authority| is_of(&actor, *authority, true)) {
        return Err(ApiRefusal::ApiOtherParty.into());
    }
    // Only then what costs something is done: a schema is compiled, where it cannot hold up others.
    if let Wanted::Agreement(terms) = request.wanted {
        let sound = tokio::task::spawn_blocking(move || terms.sound()).await.map_err(|_| ApiRefusal::ApiInternal)?;
        request.wanted = Wanted::Agreement(sound?);
        validators_are_there(&request.wanted, rules)?;
        let mut session = store.database().session().await?;
        judged(&mut session, &request.wanted).await?;
        // Whoever is to approve it too is there.
        concerned(&mut session, authority, &request.wanted).await?;
    }
    let mut change = store.change().await?;
    let waiting = waiting_of(change.connection(), &actor).await?;
    if waiting >= MOST_WAITING {
        let what = Detail::new(
            format!("{waiting} anmodninger fra jer venter på svar; få dem afgjort, eller træk nogle af dem tilbage"),
            format!("{waiting} requests of yours wait for an answer; have them decided, or take some of them back"),
        );
        return Err(ApiRefusal::ApiConflict { what }.into());
    }
    let content = serde_json::to_string(&request.wanted).map_err(|_| ApiRefusal::ApiInternal)?;
    let add = sql("INSERT INTO mailbox_request (id, authority, state, content, requested_us) VALUES ($1, $2, $3, $4, $5)");
    let add = add.bind(request.id).bind(authority.to_string()).bind(State::Asked.name()).bind(content);
    change.connection().execute(add.bind(us(because.at))).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    Kept::keep(kept, &mut change, &request).await?;
    change.commit().await?;
    Ok(request)
}

/// Decides on a request as it was shown; an approved one is carried out in the same transaction, by the last of those whom it concerns.
/// Returned is the request as it then stands: ANMODET while others are still to approve.
///
/// # Errors
/// [`RequestError`]: a user who may not, one who asked for it, what has changed since.
pub async fn decide(
    store: &Store,
    rules: &Rules,
    by: By<'_>,
    shown: &Request,
    to: State,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, RequestError> {
    until_it_holds(async || decide_once(store, rules, by, shown, to, because, kept).await).await
}

async fn decide_once(
    store: &Store,
    rules: &Rules,
    by: By<'_>,
    shown: &Request,
    to: State,
    because: &Because,
    kept: Option<Kept<'_, Request>>,
) -> Result<Request, RequestError> {
    let action = match to {
        State::Approved => Action::ApproveAgreement,
        State::Rejected => Action::RejectAgreement,
        _ => Action::WithdrawAgreement,
    };
    let actor = by.of(store, &shown.what(Some(State::Asked), to.name()), because).await?;
    let role = actor.may(action)?;
    let mut change = store.change().await?;
    let held = with_id(change.connection(), shown.id).await?;
    let whose = match to {
        State::Approved | State::Rejected if held.state == State::Asked => {
            match concerned(change.connection(), held.authority, &held.wanted).await {
                // What it is about is gone: whoever it was asked of still rejects it.
                Err(_) if to == State::Rejected => [held.authority].into(),
                whose => whose?,
            }
        }
        _ => BTreeSet::from([held.authority]),
    };
    let own = whose.iter().copied().find(|authority| is_of(&actor, *authority, action == Action::WithdrawAgreement));
    let own = own.ok_or_else(nothing)?;
    if held.state != State::Asked {
        let (from, to) = (Detail::name(held.state.name()), Detail::name(to.name()));
        return Err(ApiRefusal::ApiTransition { from, to }.into());
    }
    if held != *shown {
        return Err(ApiRefusal::ApiPreconditionFailed.into());
    }
    let asked = change.made_on(Subject::MailboxRequest, held.id).await?;
    let askers = match asked.first() {
        Some(made) => behind(change.connection(), made).await?,
        None => Vec::new(),
    };
    let asker = askers.first().ok_or(ApiRefusal::ApiCreatorUnknown)?;
    if to == State::Approved
        && let Some(same) = actor.same_among(&askers, because.at)
    {
        return Err(ApiRefusal::ApiCreatorApproves { or: same.describe() }.into());
    }
    if to == State::Withdrawn && matches!(actor.scope().whose, Whose::Supplier(own) if asker.party != Some(own)) {
        return Err(nothing().into());
    }
    if let (State::Approved, Wanted::Unblock(name)) = (to, &held.wanted) {
        let user = users::known(change.connection(), name).await?;
        not_who_blocked(&mut change, &user, &actor).await?;
    }
    let mut left = BTreeSet::new();
    if to == State::Approved {
        validators_are_there(&held.wanted, rules)?;
        let approved = approved_too(&asked);
        if approved.contains(&own) {
            let (from, to) = (Detail::name(APPROVED_TOO), Detail::name(to.name()));
            return Err(ApiRefusal::ApiTransition { from, to }.into());
        }
        left.extend(whose.into_iter().filter(|authority| *authority != own && !approved.contains(authority)));
    }
    let what = shown.what(Some(State::Asked), if left.is_empty() { to.name() } else { APPROVED_TOO });
    // One of several approves less than was asked of it, and signs that.
    let actor = by.also(&actor, &what, because)?;
    if left.is_empty() {
        if to == State::Approved {
            carried_out(change.connection(), &held.wanted, because.at).await?;
        }
        let decided = sql("UPDATE mailbox_request SET state = $1 WHERE id = $2").bind(to.name()).bind(held.id);
        change.connection().execute(decided).await?;
    }
    change.made_by(Some((&actor, role)), &what, because).await?;
    let state = if left.is_empty() { to } else { State::Asked };
    let decided = Request { state, ..held };
    Kept::keep(kept, &mut change, &decided).await?;
    change.commit().await?;
    Ok(decided)
}

/// Whoever blocked a user does not let it in again.
async fn not_who_blocked(change: &mut Change, user: &User, actor: &Actor) -> Result<(), RequestError> {
    let made = change.made_on(Subject::MailboxUser, user.id).await?;
    let Some(blocked) = made.iter().rev().find(|made| made.what.to == users::Standing::Blocked.name()) else { return Ok(()) };
    let blockers = behind(change.connection(), blocked).await?;
    match blockers.iter().any(|blocker| actor.behind().any(|now| now.person == blocker.person)) {
        true => Err(ApiRefusal::ApiCreatorApproves { or: Same::Person.describe() }.into()),
        false => Ok(()),
    }
}

/// Suspends an agreement, or closes it.
///
/// # Errors
/// [`RequestError`].
pub async fn end(
    store: &Store,
    by: By<'_>,
    number: Number,
    to: Standing,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, RequestError> {
    until_it_holds(async || end_once(store, by, number, to, because, kept).await).await
}

async fn end_once(
    store: &Store,
    by: By<'_>,
    number: Number,
    to: Standing,
    because: &Because,
    kept: Option<Kept<'_, Agreement>>,
) -> Result<Agreement, RequestError> {
    let action = if to == Standing::Closed { Action::EndAgreement } else { Action::SuspendAgreement };
    let held = agreement_of(&mut store.database().session().await?, number).await?;
    let what = What {
        subject: Subject::Mailbox,
        id: held.id,
        from: Some(held.standing.name().to_owned()),
        to: to.name().to_owned(),
        shown: Some(sha256(&Wanted::Agreement(held.terms.clone()).text())),
    };
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(action)?;
    let mut change = store.change().await?;
    let now = agreement_of(change.connection(), number).await?;
    let allowed = match to {
        Standing::Suspended => now.standing == Standing::Active,
        Standing::Closed => now.standing != Standing::Closed,
        Standing::Active => false,
    };
    if !is_of(&actor, now.terms.owner, false) {
        return Err(ApiRefusal::ApiNotFound { what: Detail::new("partneraftale", "partner agreement") }.into());
    }
    if now != held {
        return Err(ApiRefusal::ApiPreconditionFailed.into());
    }
    if !allowed {
        let (from, to) = (Detail::name(now.standing.name()), Detail::name(to.name()));
        return Err(ApiRefusal::ApiTransition { from, to }.into());
    }
    agreement::stand(change.connection(), now.id, to).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    let ended = Agreement { standing: to, ..now };
    Kept::keep(kept, &mut change, &ended).await?;
    change.commit().await?;
    Ok(ended)
}

/// Blocks a user, at once: for any authority on whose agreements it has rights.
///
/// # Errors
/// [`RequestError`].
pub async fn block(
    store: &Store,
    by: By<'_>,
    name: &str,
    because: &Because,
    kept: Option<Kept<'_, User>>,
) -> Result<User, RequestError> {
    until_it_holds(async || block_once(store, by, name, because, kept).await).await
}

async fn block_once(
    store: &Store,
    by: By<'_>,
    name: &str,
    because: &Because,
    kept: Option<Kept<'_, User>>,
) -> Result<User, RequestError> {
    let held = users::known(&mut store.database().session().await?, name).await?;
    let what = What {
        subject: Subject::MailboxUser,
        id: held.id,
        from: Some(held.standing.name().to_owned()),
        to: users::Standing::Blocked.name().to_owned(),
        shown: Some(sha256(&held.name)),
    };
    let actor = by.of(store, &what, because).await?;
    let role = actor.may(Action::SuspendAgreement)?;
    let mut change = store.change().await?;
    let user = users::known(change.connection(), name).await?;
    // It only takes away: any of the authorities whose files the user reads or sends.
    let mut whose = served(change.connection(), name).await?;
    whose.insert(user.authority);
    if !whose.iter().any(|authority| is_of(&actor, *authority, false)) {
        return Err(UserError::NoSuch(name.to_owned()).into());
    }
    standing(&user, users::Standing::Active)?;
    users::stand(change.connection(), user.id, users::Standing::Blocked).await?;
    change.made_by(Some((&actor, role)), &what, because).await?;
    let blocked = User { standing: users::Standing::Blocked, ..user };
    Kept::keep(kept, &mut change, &blocked).await?;
    change.commit().await?;
    Ok(blocked)
}

fn read(row: &Row) -> Result<Request, StoreError> {
    let unreadable = |column| StoreError::Unreadable { column };
    let (state, content): (String, String) = (row.get("state")?, row.get("content")?);
    Ok(Request {
        id: row.get("id")?,
        authority: row.parsed("authority")?,
        state: state.parse().map_err(|()| unreadable("state"))?,
        wanted: serde_json::from_str(&content).map_err(|_| unreadable("content"))?,
        requested: instant(row.get("requested_us")?, "requested_us")?,
    })
}

/// Requests, the newest first: those that wait, or at most a thousand of all.
///
/// # Errors
/// The store.
pub async fn all(session: &mut Session, waiting: bool) -> Result<Vec<Request>, StoreError> {
    let query = match waiting {
        true => sql(
            "SELECT id, authority, state, content, requested_us FROM mailbox_request WHERE state = 'ANMODET' ORDER BY id DESC",
        ),
        false => sql("SELECT id, authority, state, content, requested_us FROM mailbox_request ORDER BY id DESC LIMIT 1000"),
    };
    session.all(query).await?.iter().map(read).collect()
}

/// Whose a request may be, as a condition on `mailbox_request`: $1 is the authority. It lets some through that do not concern it, for
/// whether an alias is newly claimed is not told by the text of the terms alone, and none that does is left out.
const MAY_CONCERN: &str = r#"(authority = $1
     OR EXISTS (SELECT 1 FROM mailbox AS own WHERE own.owner = $1
         AND content LIKE '{"agreement":%' AND content LIKE '%"' || own.number || '"%')
     OR EXISTS (SELECT 1 FROM mailbox AS own JOIN mailbox_right AS held ON held.mailbox = own.id
             JOIN mailbox_user AS known ON known.id = held.mailbox_user
         WHERE own.owner = $1 AND (content LIKE '{"delete":"' || known.name || '"}'
             OR content LIKE '{"unblock":"' || known.name || '"}'
             OR content LIKE '{"new_key":{"name":"' || known.name || '"%'))
     OR EXISTS (SELECT 1 FROM mailbox_user AS known WHERE known.authority = $1
         AND content LIKE '{"rights":{"name":"' || known.name || '"%'))"#;

/// What a company asked for: $1 is the company.
const ASKED_BY: &str = "EXISTS (SELECT 1 FROM decision WHERE decision.subject = 'mailbox_request'
     AND decision.subject_id = mailbox_request.id AND decision.to_state = 'ANMODET' AND decision.party = $1)";

/// The newest requests that somebody sees, at most so many: an operator all, an authority those that concern it, a company those that
/// it asked for. A user of single services sees none.
///
/// # Errors
/// The store.
pub async fn seen_by(store: &Store, scope: &Scope, waiting: bool, most: usize) -> Result<Vec<Request>, StoreError> {
    let (condition, whose) = match scope.whose {
        _ if !scope.services.is_empty() => return Ok(Vec::new()),
        Whose::Everybody => ("$1 = ''", String::new()),
        Whose::Authority(own) => (MAY_CONCERN, own.to_string()),
        Whose::Supplier(own) => (ASKED_BY, own.to_string()),
        Whose::Nobody => return Ok(Vec::new()),
    };
    let waits = if waiting { "state = 'ANMODET' AND " } else { "" };
    let text = format!(
        "SELECT id, authority, state, content, requested_us FROM mailbox_request WHERE {waits}id < $2 AND {condition}
         ORDER BY id DESC LIMIT {PAGE}"
    );
    let (mut found, mut before) = (Vec::new(), Uuid::max());
    loop {
        let query = assembled_for(text.clone(), text.clone()).bind(whose.as_str()).bind(before);
        let rows = store.database().all(query).await?;
        for request in rows.iter().map(read) {
            let request = request?;
            before = request.id;
            let is_seen = match scope.whose {
                Whose::Authority(own) if request.authority != own => concerns(store, &request, own).await?,
                _ => true,
            };
            if is_seen {
                found.push(request);
            }
            if found.len() == most {
                return Ok(found);
            }
        }
        if rows.len() < PAGE {
            return Ok(found);
        }
    }
}

/// How many requests are read at a time.
const PAGE: usize = 200;

/// One request.
///
/// # Errors
/// [`RequestError::NoSuch`], or the store.
pub async fn with_id(session: &mut Session, id: Uuid) -> Result<Request, RequestError> {
    let query = sql("SELECT id, authority, state, content, requested_us FROM mailbox_request WHERE id = $1");
    let row = session.first(query.bind(id)).await?;
    row.as_ref().map(read).transpose()?.ok_or(RequestError::NoSuch(id))
}
