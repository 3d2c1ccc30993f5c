//! Decisions on users: to add one or a further certificate, to end either, and to say that two are two persons.
//!
//! Whoever holds the store may do both without a certificate, as the first user has to come from somewhere, and whoever holds
//! the store could write to it by other means. That it was so is recorded.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Because, By, DecideError, delegation, record::What, shown};
use crate::{
    agreements::{Change, Store, Thumbprint},
    audit::Subject,
    id::cvr::Cvr,
    notices::{self, Notice, address::Language, audience::Audience},
    refusal::{Detail, api::ApiRefusal},
    signature::key::Certificate,
    signon::person::Person,
    store::until_it_holds,
    users::{
        Actor, Kind, Known, KnownBy, User,
        rights::{Action, Role},
        store::{UserError, known},
    },
};

/// What a user is, a line each. The name is left out: the digest must not tell who it is to whoever guesses names.
fn text(user: &User) -> String {
    let texts = |items: Vec<String>| items.join(" ");
    format!(
        "user: {}\nperson: {}\nkind: {}\nparty: {}\nroles: {}\nservices: {}\ncertificates: {}\n",
        user.id,
        user.person,
        user.kind,
        user.party.map_or("-".to_owned(), |cvr| cvr.to_string()),
        texts(user.roles.iter().map(ToString::to_string).collect()),
        texts(user.services.iter().map(ToString::to_string).collect()),
        texts(user.certificates.iter().map(ToString::to_string).collect()),
    )
}

fn what(user: &User, from: Option<&str>, to: &str) -> What {
    let shown = Some(shown::sha256(&text(user)));
    What { subject: Subject::User, id: user.id, from: from.map(str::to_owned), to: to.to_owned(), shown }
}

/// Who decides on users, where it is not whoever holds the store.
async fn proven(store: &Store, by: Option<By<'_>>, what: &What, because: &Because) -> Result<Option<(Actor, Role)>, DecideError> {
    let Some(by) = by else { return Ok(None) };
    let actor = by.of(store, what, because).await?;
    let role = actor.may(Action::ManageUsers)?;
    Ok(Some((actor, role)))
}

/// Adds a user. `by` none: whoever holds the store.
///
/// # Errors
/// [`DecideError`].
pub async fn add(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    certificates: &[Certificate],
    because: &Because,
) -> Result<(), DecideError> {
    until_it_holds(async || add_once(store, by, user, certificates, because).await).await
}

async fn add_once(
    store: &Store,
    by: Option<By<'_>>,
    user: &User,
    certificates: &[Certificate],
    because: &Because,
) -> Result<(), DecideError> {
    // Whoever adds it: one that the store cannot give back would be in everybody's way.
    let user = &user.clone().sound().map_err(|error| ApiRefusal::ApiFieldInvalid {
        field: "user".to_owned(),
        what: Detail::new("brugerens navn, roller eller periode kan ikke være sådan", error.to_string()),
    })?;
    let what = what(user, None, "added");
    let proven = proven(store, by, &what, because).await?;
    let mut change = store.change().await?;
    change.add_user(user, certificates).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    // Whoever adds one with a certificate is told of the others as they do.
    let namesakes = if certificates.is_empty() { namesakes(&mut change, user).await? } else { Vec::new() };
    if !namesakes.is_empty() {
        let both: Vec<&User> = std::iter::once(user).chain(&namesakes).collect();
        change
            .notify(store.database(), &notice(notices::Kind::Namesake, &both, because), &[Audience::Operators], because.at)
            .await?;
    }
    Ok(change.commit().await?)
}

/// Of the first user that a person has by this name with an authority or company, the other persons' there who have it, and of whom nobody
/// has said that they are others.
async fn namesakes(change: &mut Change, user: &User) -> Result<Vec<User>, DecideError> {
    if user.known.by == KnownBy::Nothing {
        return Ok(Vec::new());
    }
    let mut there = change.users_for(user.party).await?;
    there.retain(|other| other.id != user.id && other.kind == Kind::Person && other.has_name_of(user));
    if there.iter().any(|other| other.person == user.person) {
        return Ok(Vec::new());
    }
    there.retain(|other| !other.known.distinct_from.contains(&user.person));
    Ok(there)
}

/// A notice of users, a line for each.
fn notice(kind: notices::Kind, users: &[&User], because: &Because) -> Notice {
    let mut names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    names.dedup();
    let line = |user: &&User| {
        let roles: Vec<&str> = user.roles.iter().map(|role| role.name()).collect();
        format!("{}  {}", user.id, roles.join(", "))
    };
    let notice = Notice {
        kind,
        name: names.join(" / "),
        page: "/".to_owned(),
        authority: users.first().and_then(|user| user.party),
        service: None,
        system: None,
        environment: None,
        at: Some(because.at),
        reason: None,
        differs: Vec::new(),
        english: None,
        by: None,
    };
    notice.differing(users.iter().map(line).collect())
}

/// The user that a person is who has logged on by an identity provider. At the first time in these roles it is added, which is
/// recorded; roles that the provider gives later make another user of the same person, for a user is never altered. A person one of
/// whose users for this party is over is that user, whatever roles the provider gives: a provider does not undo what was ended here.
///
/// # Errors
/// [`DecideError`].
pub async fn at_provider(store: &Store, person: &Person, because: &Because) -> Result<User, DecideError> {
    let found = async |id| match store.user(id).await {
        Ok(user) => Ok(Some(user)),
        Err(UserError::NoSuchUser(_)) => Ok(None),
        Err(error) => Err(DecideError::from(error)),
    };
    if let Some(over) = over(&store.users_of(person.id()).await?, person.party(), because.at) {
        return Ok(over);
    }
    let same = |user: &User| user.party == person.party() && user.roles == person.roles();
    let first = found(person.id()).await?;
    let id = match first {
        Some(user) if same(&user) => return Ok(user),
        Some(_) => person.id_in_roles(),
        None => person.id(),
    };
    if let Some(user) = found(id).await? {
        return Ok(user);
    }
    let user = User {
        id,
        person: person.id(),
        name: person.name().map_or_else(|| User::unnamed(person.id()), str::to_owned),
        kind: Kind::Person,
        party: person.party(),
        roles: person.roles().to_vec(),
        services: Vec::new(),
        certificates: Vec::new(),
        valid_from: because.at,
        valid_to: None,
        known: Known { by: person.name().map_or(KnownBy::Nothing, |_| KnownBy::Name), ..Known::default() },
    };
    match add(store, None, &user, &[], because).await {
        Ok(()) => Ok(user),
        // Added meanwhile, by the same person's other browser.
        Err(DecideError::User(UserError::IdTaken(_))) => Ok(store.user(id).await?),
        Err(error) => Err(error),
    }
}

/// One of a person's users for a party whose time is over.
fn over(users: &[User], party: Option<Cvr>, at: Timestamp) -> Option<User> {
    users.iter().find(|user| user.party == party && user.valid_to.is_some_and(|to| to <= at)).cloned()
}

/// Gives a user a further certificate, decided by another person than the user's.
///
/// # Errors
/// [`DecideError`].
pub async fn add_certificate(
    store: &Store,
    by: Option<By<'_>>,
    id: Uuid,
    certificate: Certificate,
    because: &Because,
) -> Result<User, DecideError> {
    until_it_holds(async || add_certificate_once(store, by, id, certificate.clone(), because).await).await
}

async fn add_certificate_once(
    store: &Store,
    by: Option<By<'_>>,
    id: Uuid,
    certificate: Certificate,
    because: &Because,
) -> Result<User, DecideError> {
    let mut user = store.user(id).await?;
    user.certificates.push(Thumbprint::from(*certificate.thumbprint()));
    user.certificates.sort();
    let what = what(&user, Some("added"), "certificate added");
    let proven = proven(store, by, &what, because).await?;
    if proven.as_ref().is_some_and(|(actor, _)| actor.user().person == user.person) {
        return Err(UserError::OwnCertificate.into());
    }
    let mut change = store.change().await?;
    let held = change.user(id, because.at).await?;
    change.keep_known_by(&held).await?;
    change.add_certificates(id, &[certificate]).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    change.commit().await?;
    Ok(user)
}

/// Ends one of a user's certificates from now on; the user has others. Also the user's own person may, whose key was lost.
///
/// # Errors
/// [`DecideError`].
pub async fn end_certificate(
    store: &Store,
    by: Option<By<'_>>,
    id: Uuid,
    certificate: Thumbprint,
    because: &Because,
) -> Result<User, DecideError> {
    until_it_holds(async || end_certificate_once(store, by, id, certificate, because).await).await
}

async fn end_certificate_once(
    store: &Store,
    by: Option<By<'_>>,
    id: Uuid,
    certificate: Thumbprint,
    because: &Because,
) -> Result<User, DecideError> {
    let mut user = store.user(id).await?;
    user.certificates.retain(|held| *held != certificate);
    let what = what(&user, Some("added"), "certificate ended");
    let proven = proven(store, by, &what, because).await?;
    let mut change = store.change().await?;
    let held = change.user(id, because.at).await?;
    change.end_certificate(&held, certificate, because.at).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    change.commit().await?;
    Ok(user)
}

/// What is said of two users, a line each: that they are two persons. It is one text for both.
fn apart(user: &User, [one, other]: [&User; 2]) -> What {
    let text = format!(
        "user: {}\nperson: {}\nis another person than\nuser: {}\nperson: {}\n",
        one.id, one.person, other.id, other.person
    );
    let shown = Some(shown::sha256(&text));
    What { subject: Subject::User, id: user.id, from: Some("added".to_owned()), to: "told apart".to_owned(), shown }
}

/// Who is not told that two users were said to be two persons, for want of an e-mail address.
#[derive(Debug)]
pub struct Untold {
    /// Of the two users, those of whose person no user is told.
    pub users: Vec<Uuid>,
    /// Whether all who answer for what their authority or company decides are; the operators answer for themselves.
    pub accountable: bool,
}

/// Says that two users are two persons, whatever both are called, so that the one may approve what the other asked for
/// ([`User::may_be`]): by an operator who may be neither. It is of the persons, also where either is over or gets another user, and is not
/// unsaid: where it was wrong, one of them is ended. Gives who is not told of it.
///
/// # Errors
/// [`DecideError`]: users of one person, or of no common authority or company, and an operator who may be one of them.
pub async fn distinct(store: &Store, by: By<'_>, (one, other): (Uuid, Uuid), because: &Because) -> Result<Untold, DecideError> {
    until_it_holds(async || distinct_once(store, by, (one, other), because).await).await
}

async fn distinct_once(store: &Store, by: By<'_>, (one, other): (Uuid, Uuid), because: &Because) -> Result<Untold, DecideError> {
    let (one, other) = (store.user(one).await?, store.user(other).await?);
    let (first, second) = (apart(&one, [&one, &other]), apart(&other, [&one, &other]));
    let actor = by.of(store, &first, because).await?;
    let role = actor.may(Action::ManageUsers)?;
    let mut change = store.change().await?;
    let one = known(change.connection(), one.id).await?;
    let other = known(change.connection(), other.id).await?;
    let are_persons = one.kind == Kind::Person && other.kind == Kind::Person;
    match () {
        () if one.person == other.person => return Err(UserError::OnePerson(one.id, other.id).into()),
        () if !are_persons || one.party != other.party => return Err(UserError::NotColleagues(one.id, other.id).into()),
        () if one.known.distinct_from.contains(&other.person) => return Err(UserError::SaidBefore(one.id, other.id).into()),
        () if actor.behind().any(|now| one.may_be(now, because.at) || other.may_be(now, because.at)) => {
            return Err(UserError::OwnPerson.into());
        }
        () => {}
    }
    change.add_distinct(one.person, other.person).await?;
    change.made_by(Some((&actor, role)), &first, because).await?;
    change.made_by(Some((&by.also(&actor, &second, because)?, role)), &second, because).await?;
    // The two, by whichever of their users, and who answers for what they decide: what keeps one from approving the other's requests is gone.
    let accountable = Audience::Accountable(one.party);
    let reached = one.party.is_none() || change.reaches(std::slice::from_ref(&accountable), because.at).await?;
    let mut untold = Untold { users: Vec::new(), accountable: !reached };
    let mut told = vec![Audience::Operators, accountable];
    for user in [&one, &other] {
        let own: Vec<Audience> = change.users_of(user.person).await?.iter().map(|own| Audience::User(own.id)).collect();
        if !change.reaches(&own, because.at).await? {
            untold.users.push(user.id);
        }
        told.extend(own);
    }
    let notice = notice(notices::Kind::ToldApart, &[&one, &other], because).because(&because.reason);
    change.notify(store.database(), &notice, &told, because.at).await?;
    change.commit().await?;
    Ok(untold)
}

/// Says where a user is told by mail from now on; none: nowhere. The chain has that it was said, and not the address.
///
/// # Errors
/// [`DecideError`].
pub async fn set_address(
    store: &Store,
    by: Option<By<'_>>,
    id: Uuid,
    at: Option<(&str, Language)>,
    because: &Because,
) -> Result<(), DecideError> {
    until_it_holds(async || set_address_once(store, by, id, at, because).await).await
}

async fn set_address_once(
    store: &Store,
    by: Option<By<'_>>,
    id: Uuid,
    at: Option<(&str, Language)>,
    because: &Because,
) -> Result<(), DecideError> {
    let what = what(&store.user(id).await?, Some("added"), if at.is_some() { "told by mail" } else { "told nowhere" });
    let proven = proven(store, by, &what, because).await?;
    let mut change = store.change().await?;
    change.user(id, because.at).await?;
    change.set_address(id, at, because.at).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &what, because).await?;
    Ok(change.commit().await?)
}

/// Ends a user from now on, and with it the same person's other users for the party that an identity provider's roles made: with any of
/// them over, the person is not logged on by one again. What either gave to a substitute, or was given as one, ends too.
///
/// # Errors
/// [`DecideError`].
pub async fn end(store: &Store, by: Option<By<'_>>, id: Uuid, because: &Because) -> Result<User, DecideError> {
    until_it_holds(async || end_once(store, by, id, because).await).await
}

async fn end_once(store: &Store, by: Option<By<'_>>, id: Uuid, because: &Because) -> Result<User, DecideError> {
    let ended = store.user(id).await?;
    let first = what(&ended, Some("added"), "ended");
    let proven = proven(store, by, &first, because).await?;
    let mut change = store.change().await?;
    let user = change.end_user(id, because.at).await?;
    change.made_by(proven.as_ref().map(|(actor, role)| (actor, *role)), &first, because).await?;
    let ends = match (by, &proven) {
        (Some(by), Some((actor, role))) => Some((by, actor, *role)),
        _ => None,
    };
    delegation::end_with_user(&mut change, store.database(), user.id, ends, because).await?;
    for other in change.users_of(user.person).await? {
        let is_made = other.id != user.id && other.party == user.party && other.is_by_provider();
        if !is_made || other.valid_to.is_some_and(|to| to <= because.at) {
            continue;
        }
        let follows = what(&other, Some("added"), "ended");
        let also = match (&by, &proven) {
            (Some(by), Some((actor, role))) => Some((by.also(actor, &follows, because)?, *role)),
            _ => None,
        };
        change.end_user(other.id, because.at).await?;
        change.made_by(also.as_ref().map(|(actor, role)| (actor, *role)), &follows, because).await?;
        delegation::end_with_user(&mut change, store.database(), other.id, ends, because).await?;
    }
    change.commit().await?;
    Ok(user)
}
