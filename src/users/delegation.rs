//! Delegation: a person of an authority lets a colleague act in one of their roles, for a time.
//!
//! Whoever acts by one says by which. Then the role and the services of the delegation are all that they have, so that neither their own
//! roles nor their own services are mixed with the other's, and what they decide names both ([`Actor::by_delegation`]). It is judged anew
//! each time, and again in the transaction of what is decided: it was not taken back, its time is now, and both are users still, the one who
//! gave it with the role. A person acts by it as whichever of their users for the authority: an identity provider's roles make another one.
//! Two pairs of eyes see the two as one ([`Actor::behind`]).

use jiff::Timestamp;
use uuid::Uuid;

use super::rights::Role;
use super::store::{ActorError, UserError};
use super::{Actor, Kind, Same, StandsFor, User};
use crate::agreements::{Change, Store};
use crate::id::cvr::Cvr;
use crate::refusal::{Detail, api::ApiRefusal};
use crate::store::{Query, Row, Session, StoreError, sql};

/// By which delegation something is done, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByDelegation {
    /// The delegation.
    pub delegation: Uuid,
    /// The user in whose right it is done.
    pub principal: Uuid,
}

/// A delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Its id.
    pub id: Uuid,
    /// The user who gave it.
    pub principal: Uuid,
    /// The user who may act by it.
    pub substitute: Uuid,
    /// The role.
    pub role: Role,
    /// The services. Empty: all that the principal's role is for.
    pub services: Vec<Uuid>,
    /// The first instant at which it holds.
    pub valid_from: Timestamp,
    /// The first at which it no longer does.
    pub valid_to: Timestamp,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it was ended before its time.
    pub ended_at: Option<Timestamp>,
}

/// A delegation with what the two are called, and why it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The delegation.
    pub delegation: Delegation,
    /// The name of whoever gave it.
    pub principal: String,
    /// The name of whoever may act by it.
    pub substitute: String,
    /// The persons of the two, in that order: each may have other users.
    pub persons: [Uuid; 2],
    /// Their authority.
    pub party: Option<Cvr>,
    /// Why.
    pub reason: String,
}

/// Which delegations are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Of users of this authority alone.
    pub party: Option<Cvr>,
    /// Of this person alone, on either side.
    pub person: Option<Uuid>,
    /// This one alone.
    pub id: Option<Uuid>,
    /// Those after this one.
    pub after: Option<Uuid>,
    /// At the most so many.
    pub limit: u32,
}

impl Told {
    /// Whether this user is the person who gave it, for the same authority.
    pub fn is_from(&self, user: &User) -> bool {
        user.kind == Kind::Person && user.party == self.party && self.persons.first() == Some(&user.person)
    }

    /// Whether this user is the person who may act by it.
    pub fn is_to(&self, user: &User) -> bool {
        user.kind == Kind::Person && user.party == self.party && self.persons.last() == Some(&user.person)
    }
}

impl Delegation {
    /// `to-come`, `in-force`, `over` or `ended`, by what is written of it.
    pub fn stands(&self, at: Timestamp) -> &'static str {
        match () {
            () if self.ended_at.is_some() => "ended",
            () if self.valid_to <= at => "over",
            () if at < self.valid_from => "to-come",
            () => "in-force",
        }
    }

    /// A user of the substitute's person as they act by this at `at`: with the role and the services of it alone, and both names. None: they may
    /// not. `substitute` and `principal`: the users whom it names.
    pub fn in_force(&self, acting: &User, substitute: &User, principal: &User, at: Timestamp) -> Option<User> {
        let are_they = (substitute.id, principal.id) == (self.substitute, self.principal) && are_one(acting, substitute);
        let may = are_colleagues(principal, acting) && [acting, substitute, principal].iter().all(|user| user.holds(at));
        let has = self.role.is_delegable() && principal.roles.contains(&self.role);
        let services = common(&self.services, &principal.services).filter(|_| are_they && may && has)?;
        if self.stands(at) != "in-force" {
            return None;
        }
        let over = [acting, substitute, principal].into_iter().filter_map(|user| user.valid_to);
        Some(User {
            name: named(&acting.name, &principal.name, self.id),
            roles: vec![self.role],
            services,
            valid_to: Some(over.fold(self.valid_to, Timestamp::min)),
            ..acting.clone()
        })
    }
}

/// The services that two lists have in common, of which an empty one is all. None: there is none, which an empty list would not say.
pub fn common(one: &[Uuid], other: &[Uuid]) -> Option<Vec<Uuid>> {
    match (one, other) {
        ([], all) | (all, []) => Some(all.to_vec()),
        (one, other) => {
            let both: Vec<Uuid> = one.iter().copied().filter(|service| other.contains(service)).collect();
            (!both.is_empty()).then_some(both)
        }
    }
}

/// Whether two users are two persons of one authority.
pub fn are_colleagues(one: &User, other: &User) -> bool {
    let persons = one.kind == Kind::Person && other.kind == Kind::Person && one.person != other.person;
    persons && one.party.is_some() && one.party == other.party && one.side() == other.side()
}

/// Whether two users are one person for one authority.
pub fn are_one(one: &User, other: &User) -> bool {
    let persons = one.kind == Kind::Person && other.kind == Kind::Person && one.person == other.person;
    persons && one.party == other.party && one.side() == other.side()
}

/// What somebody is called who acts for another.
pub fn named(substitute: &str, principal: &str, delegation: Uuid) -> String {
    format!("{substitute} for {principal} (delegation {delegation})")
}

impl Actor {
    /// The delegation by which it acts; none: in its own right.
    pub fn by_delegation(&self) -> Option<ByDelegation> {
        self.stands_for.as_ref().map(|it| ByDelegation { delegation: it.delegation, principal: it.principal.id })
    }

    /// The user itself, without what a delegation gives.
    pub fn own(&self) -> &User {
        self.stands_for.as_ref().map_or(&self.user, |it| &it.substitute)
    }

    /// Who stands behind what it does: itself, and whom it stands for. Neither approves what the other asked for.
    pub fn behind(&self) -> impl Iterator<Item = &User> {
        [Some(self.own()), self.stands_for.as_ref().map(|it| &it.principal)].into_iter().flatten()
    }

    /// Why any of these users may be one of those who stand behind it ([`User::same_as`]). None: they are others.
    pub fn same_among(&self, before: &[User], at: Timestamp) -> Option<Same> {
        before.iter().flat_map(|before| self.behind().filter_map(|now| before.same_as(now, at))).reduce(Same::and)
    }

    /// Whose right it acts in.
    pub fn right_of(&self) -> &User {
        self.stands_for.as_ref().map_or(&self.user, |it| &it.principal)
    }
}

fn no_such() -> ApiRefusal {
    ApiRefusal::ApiNotFound { what: Detail::new("delegering, der gælder nu,", "delegation in force") }
}

impl Store {
    /// The same user as it acts by a delegation to it, which must be in force.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotFound`], or a store that does not answer.
    pub async fn acting(&self, actor: Actor, id: Uuid, now: Timestamp) -> Result<Actor, ActorError> {
        // A delegated right is not delegated on.
        if actor.stands_for.is_some() {
            return Err(no_such().into());
        }
        let mut session = self.database().session().await?;
        let (user, principal) = judged(&mut session, &actor.user, id, now).await?;
        let stands_for = Some(Box::new(StandsFor { delegation: id, substitute: actor.user, principal }));
        Ok(Actor { user, proof: actor.proof, stands_for })
    }

    /// Delegations with names, in the order of their ids.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn delegations(&self, wanted: &Wanted) -> Result<Vec<Told>, StoreError> {
        let query =
            sql("SELECT d.id, d.principal, d.substitute, d.role, d.services, d.valid_from, d.valid_to, d.given_at, d.ended_at,
                 p.name AS principal_name, s.name AS substitute_name, p.party AS party,
                 coalesce(p.person, p.id) AS principal_person, coalesce(s.person, s.id) AS substitute_person,
                 (SELECT reason FROM decision WHERE subject = 'delegation' AND subject_id = d.id AND from_state IS NULL) AS reason
             FROM delegation AS d JOIN api_user AS p ON p.id = d.principal JOIN api_user AS s ON s.id = d.substitute
             WHERE ($1 IS NULL OR p.party = $1) AND ($2 IS NULL OR coalesce(p.person, p.id) = $2 OR coalesce(s.person, s.id) = $2)
                 AND ($3 IS NULL OR d.id = $3) AND ($4 IS NULL OR d.id > $4) ORDER BY d.id LIMIT $5")
            .bind(wanted.party.map(|cvr| cvr.to_string()))
            .bind(wanted.person)
            .bind(wanted.id)
            .bind(wanted.after)
            .bind(i64::from(wanted.limit));
        let rows = self.database().all(query).await?;
        rows.iter()
            .map(|row| {
                let name = |column| row.get::<String>(column).map(|name| User::fitting_name(&name));
                Ok(Told {
                    delegation: read(row)?,
                    principal: name("principal_name")?,
                    substitute: name("substitute_name")?,
                    persons: [row.get("principal_person")?, row.get("substitute_person")?],
                    party: row.maybe_parsed("party")?,
                    reason: row.maybe("reason")?.unwrap_or_default(),
                })
            })
            .collect()
    }
}

impl Change {
    /// Judges the delegation by which somebody acts, and both users, as they are within this change: it may have been taken back since the
    /// request began. In one's own right there is nothing to judge.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotFound`], or a store that does not answer.
    pub(crate) async fn still_acts(&mut self, actor: &Actor, at: Timestamp) -> Result<(), ActorError> {
        let Some(by) = actor.by_delegation() else { return Ok(()) };
        let own = user(self.connection(), actor.own().id).await?;
        judged(self.connection(), &own, by.delegation, at).await.map(drop)
    }

    /// One delegation, as it is within this change.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn delegation(&mut self, id: Uuid) -> Result<Option<Delegation>, StoreError> {
        delegation(self.connection(), id).await
    }

    /// The delegations from and to a user that are not over at `at`.
    ///
    /// # Errors
    /// A store that does not answer, or holds what the model does not have.
    pub async fn open_delegations(&mut self, user: Uuid, at: Timestamp) -> Result<Vec<Delegation>, StoreError> {
        let open =
            sql("SELECT id, principal, substitute, role, services, valid_from, valid_to, given_at, ended_at FROM delegation
             WHERE (principal = $1 OR substitute = $1) AND ended_at IS NULL AND valid_to > $2 ORDER BY id");
        self.connection().all(open.bind(user).bind(at)).await?.iter().map(read).collect()
    }

    /// Writes down a delegation.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn add_delegation(&mut self, new: &Delegation) -> Result<(), StoreError> {
        let services: Vec<String> = new.services.iter().map(ToString::to_string).collect();
        let add = sql("INSERT INTO delegation (id, principal, substitute, role, services, valid_from, valid_to, given_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(new.id)
        .bind(new.principal)
        .bind(new.substitute)
        .bind(new.role.name())
        .bind(serde_json::json!(services).to_string())
        .bind(new.valid_from)
        .bind(new.valid_to)
        .bind(new.given_at);
        self.connection().execute(add).await.map(drop)
    }

    /// Ends a delegation; false where it was ended before.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn end_delegation(&mut self, id: Uuid, at: Timestamp) -> Result<bool, StoreError> {
        let end = sql("UPDATE delegation SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL");
        Ok(self.connection().execute(end.bind(at).bind(id)).await? == 1)
    }
}

/// A user as it acts by a delegation at `at`, and for whom.
async fn judged(session: &mut Session, acting: &User, id: Uuid, at: Timestamp) -> Result<(User, User), ActorError> {
    let delegation = delegation(session, id).await?.ok_or_else(no_such)?;
    let substitute = user(session, delegation.substitute).await?;
    let principal = user(session, delegation.principal).await?;
    let acts = delegation.in_force(acting, &substitute, &principal, at).ok_or_else(no_such)?;
    Ok((acts, principal))
}

async fn user(session: &mut Session, id: Uuid) -> Result<User, ActorError> {
    match super::store::known(session, id).await {
        Ok(user) => Ok(user),
        Err(UserError::Store(error)) => Err(error.into()),
        Err(_) => Err(no_such().into()),
    }
}

async fn delegation(session: &mut Session, id: Uuid) -> Result<Option<Delegation>, StoreError> {
    session.first(by_id(id)).await?.as_ref().map(read).transpose()
}

fn by_id(id: Uuid) -> Query {
    sql("SELECT id, principal, substitute, role, services, valid_from, valid_to, given_at, ended_at FROM delegation WHERE id = $1")
        .bind(id)
}

fn read(row: &Row) -> Result<Delegation, StoreError> {
    Ok(Delegation {
        id: row.get("id")?,
        principal: row.get("principal")?,
        substitute: row.get("substitute")?,
        role: row.parsed("role")?,
        services: services(&row.get::<String>("services")?)?,
        valid_from: row.get("valid_from")?,
        valid_to: row.get("valid_to")?,
        given_at: row.get("given_at")?,
        ended_at: row.maybe("ended_at")?,
    })
}

/// The services of a row. What is none of them would make the list shorter, and an empty list is all: it is read whole or not at all.
pub(crate) fn services(text: &str) -> Result<Vec<Uuid>, StoreError> {
    let unreadable = || StoreError::Unreadable { column: "services" };
    let texts: Vec<String> = serde_json::from_str(text).map_err(|_| unreadable())?;
    texts.iter().map(|text| text.parse().map_err(|_| unreadable())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-29T12:00:00Z";

    fn at(instant: &str) -> Timestamp {
        instant.parse().unwrap()
    }

    fn user(id: u128, role: Role) -> User {
        User {
            id: Uuid::from_u128(id),
            person: Uuid::from_u128(id),
            name: format!("U{id}"),
            kind: Kind::Person,
            party: Some("11111111".parse().unwrap()),
            roles: vec![role],
            services: Vec::new(),
            certificates: Vec::new(),
            valid_from: at("2026-01-01T00:00:00Z"),
            valid_to: None,
            known: crate::users::Known::default(),
        }
    }

    fn given() -> Delegation {
        Delegation {
            id: Uuid::from_u128(9),
            principal: Uuid::from_u128(1),
            substitute: Uuid::from_u128(2),
            role: Role::Signatory,
            services: Vec::new(),
            valid_from: at("2026-11-01T00:00:00Z"),
            valid_to: at("2026-12-01T00:00:00Z"),
            given_at: at("2026-11-01T00:00:00Z"),
            ended_at: None,
        }
    }

    #[test]
    fn it_gives_the_role_and_its_services_alone_and_names_both() {
        let (signs, owns) = (user(1, Role::Signatory), user(2, Role::SystemOwner));
        let acting = given().in_force(&owns, &owns, &signs, at(NOW)).unwrap();
        assert_eq!((acting.id, acting.roles), (owns.id, vec![Role::Signatory]), "the own role is left behind");
        assert_eq!(acting.name, format!("U2 for U1 (delegation {})", Uuid::from_u128(9)));
        assert_eq!(acting.valid_to, Some(given().valid_to));
        let (a, b, c) = (Uuid::from_u128(11), Uuid::from_u128(12), Uuid::from_u128(13));
        for (given_for, principals, due) in [
            (vec![], vec![a, b], Some(vec![a, b])),
            (vec![a], vec![], Some(vec![a])),
            (vec![a, c], vec![a, b], Some(vec![a])),
            // Nothing in common is nothing, and never all.
            (vec![c], vec![a, b], None),
        ] {
            let given = Delegation { services: given_for, ..given() };
            let signs = User { services: principals, ..signs.clone() };
            let owns = User { services: vec![c], ..owns.clone() };
            assert_eq!(given.in_force(&owns, &owns, &signs, at(NOW)).map(|user| user.services), due);
        }
    }

    #[test]
    fn it_holds_for_two_colleagues_within_its_time_while_both_are_users_and_the_one_has_the_role() {
        let (signs, owns) = (user(1, Role::Signatory), user(2, Role::SystemOwner));
        let over = Some(at("2026-11-29T12:00:00Z"));
        let holds = |given: Delegation, owns: &User, signs: &User| given.in_force(owns, owns, signs, at(NOW)).is_some();
        assert!(holds(given(), &owns, &signs));
        let wrong_principals = [
            User { valid_to: over, ..signs.clone() },
            User { valid_from: at("2026-12-01T00:00:00Z"), ..signs.clone() },
            User { roles: vec![Role::SystemOwner], ..signs.clone() },
            User { party: Some("99999981".parse().unwrap()), ..signs.clone() },
            User { kind: Kind::System, ..signs.clone() },
            User { person: owns.person, ..signs.clone() },
            User { id: Uuid::from_u128(3), ..signs.clone() },
        ];
        for principal in wrong_principals {
            assert!(!holds(given(), &owns, &principal), "{principal:?}");
        }
        for substitute in [
            User { valid_to: over, ..owns.clone() },
            User { id: Uuid::from_u128(3), ..owns.clone() },
            User { party: None, ..owns.clone() },
        ] {
            assert!(!holds(given(), &substitute, &signs), "{substitute:?}");
        }
        for wrong in [
            Delegation { ended_at: over, ..given() },
            Delegation { valid_to: at(NOW), ..given() },
            Delegation { valid_from: at("2026-11-29T12:00:01Z"), ..given() },
            Delegation { role: Role::Auditor, ..given() },
            Delegation { role: Role::SystemOwner, ..given() },
        ] {
            assert!(!holds(wrong.clone(), &owns, &signs), "{wrong:?}");
        }
    }
    #[test]
    fn the_substitute_acts_as_whichever_user_of_the_same_person_for_the_authority() {
        let (signs, owns) = (user(1, Role::Signatory), user(2, Role::SystemOwner));
        let again = User { id: Uuid::from_u128(4), roles: vec![Role::SystemResponsible], ..owns.clone() };
        let acts = given().in_force(&again, &owns, &signs, at(NOW)).unwrap();
        assert_eq!((acts.id, acts.roles), (again.id, vec![Role::Signatory]));
        let over = Some(at(NOW));
        for (acting, substitute) in [
            (User { person: Uuid::from_u128(4), ..again.clone() }, owns.clone()),
            (User { party: Some("99999981".parse().unwrap()), ..again.clone() }, owns.clone()),
            (User { roles: vec![Role::SupplierAdministrator], ..again.clone() }, owns.clone()),
            (User { kind: Kind::System, ..again.clone() }, owns.clone()),
            (User { valid_to: over, ..again.clone() }, owns.clone()),
            (again.clone(), User { valid_to: over, ..owns.clone() }),
        ] {
            assert!(given().in_force(&acting, &substitute, &signs, at(NOW)).is_none(), "{acting:?} {substitute:?}");
        }
    }
}
