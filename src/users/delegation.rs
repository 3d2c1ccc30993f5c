//! Delegation: a person of an authority lets a colleague act in one of their roles, for a time.
//!
//! Whoever acts by one says by which. Then the role and the services of the delegation are all that they have, so that neither their own
//! roles nor their own services are mixed with the other's, and what they decide names both ([`Actor::by_delegation`]). It is judged anew
//! each time: it was not taken back, its time is now, and both are users still, the one who gave it with the role. Two pairs of eyes see the
//! two as one ([`Actor::behind`]).

use jiff::Timestamp;
use uuid::Uuid;

use super::rights::Role;
use super::store::{ActorError, UserError};
use super::{Actor, Kind, StandsFor, User};
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

    /// The substitute as it acts by this at `at`: with the role and the services of it alone, and both names. None: it may not.
    pub fn in_force(&self, substitute: &User, principal: &User, at: Timestamp) -> Option<User> {
        let are_they = (substitute.id, principal.id) == (self.substitute, self.principal);
        let may = are_colleagues(principal, substitute) && substitute.holds(at) && principal.holds(at);
        let has = self.role.is_delegable() && principal.roles.contains(&self.role);
        let services = common(&self.services, &principal.services).filter(|_| are_they && may && has)?;
        if self.stands(at) != "in-force" {
            return None;
        }
        let ends = [substitute.valid_to, principal.valid_to].into_iter().flatten().fold(self.valid_to, Timestamp::min);
        Some(User {
            name: named(&substitute.name, &principal.name, self.id),
            roles: vec![self.role],
            services,
            valid_to: Some(ends),
            ..substitute.clone()
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

    /// Whether any of these users may be one of those who stand behind it ([`User::may_be`]).
    pub fn is_among(&self, before: &[User], at: Timestamp) -> bool {
        before.iter().any(|before| self.behind().any(|now| before.may_be(now, at)))
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
        let mut session = self.database().session().await?;
        let delegation = delegation(&mut session, id).await?.ok_or_else(no_such)?;
        // A delegated right is not delegated on.
        if actor.stands_for.is_some() || actor.user.id != delegation.substitute {
            return Err(no_such().into());
        }
        let principal = match super::store::known(&mut session, delegation.principal).await {
            Ok(user) => user,
            Err(UserError::Store(error)) => return Err(error.into()),
            Err(_) => return Err(no_such().into()),
        };
        let user = delegation.in_force(&actor.user, &principal, now).ok_or_else(no_such)?;
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
                 p.name AS principal_name, s.name AS substitute_name,
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
                    reason: row.maybe("reason")?.unwrap_or_default(),
                })
            })
            .collect()
    }
}

impl Change {
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
        let acting = given().in_force(&owns, &signs, at(NOW)).unwrap();
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
            assert_eq!(given.in_force(&owns, &signs, at(NOW)).map(|user| user.services), due);
        }
    }

    #[test]
    fn it_holds_for_two_colleagues_within_its_time_while_both_are_users_and_the_one_has_the_role() {
        let (signs, owns) = (user(1, Role::Signatory), user(2, Role::SystemOwner));
        let over = Some(at("2026-11-29T12:00:00Z"));
        let holds = |given: Delegation, owns: &User, signs: &User| given.in_force(owns, signs, at(NOW)).is_some();
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
}
