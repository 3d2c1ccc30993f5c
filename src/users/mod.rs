//! Who operates the gateway's agreements and routes: persons and systems, each known by its certificates.
//!
//! [`rights`] says who may do what, [`store`] what is kept of a user, and [`Actor`] is a user who has been proven, by a
//! certificate or by a session of the console ([`sessions`]): nothing is decided without one, but for what the holder of the
//! store does to begin with.

pub mod delegation;
pub mod keys;
pub mod rights;
pub mod sessions;
pub mod store;

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::{
    agreements::Thumbprint,
    id::cvr::Cvr,
    refusal::{Detail, api::ApiRefusal},
};
use rights::{Action, Role, Side};

/// A person, or a system that acts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Kind {
    Person,
    System,
}

impl Kind {
    /// The name in the store and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Person => "person",
            Kind::System => "system",
        }
    }
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "person" => Ok(Kind::Person),
            "system" => Ok(Kind::System),
            _ => Err("a user is a person or a system"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By what a user was told from others as it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KnownBy {
    /// A certificate: whoever added it was told of others of its name.
    Certificate,
    /// The name alone that an identity provider gave.
    #[default]
    Name,
    /// Nothing: the identity provider named nobody.
    Nothing,
}

impl KnownBy {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            KnownBy::Certificate => "certificate",
            KnownBy::Name => "name",
            KnownBy::Nothing => "nothing",
        }
    }
}

impl FromStr for KnownBy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "certificate" => Ok(KnownBy::Certificate),
            "name" => Ok(KnownBy::Name),
            "nothing" => Ok(KnownBy::Nothing),
            _ => Err("a user is known by a certificate, a name or nothing"),
        }
    }
}

/// What is known of who a user is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// By what it was told from others as it was added. With certificates it is those, and that never changes.
    pub by: KnownBy,
    /// The persons of whom an operator has said that they are others ([`crate::decisions::user::distinct`]).
    pub distinct_from: Vec<Uuid>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its identity: the audit's chain has this, and never the name.
    pub id: Uuid,
    /// The person, who may have other users too; of a user that is the person's only one, or a system, its own id.
    pub person: Uuid,
    /// What it is called.
    pub name: String,
    /// A person or a system.
    pub kind: Kind,
    /// The authority or the company that it acts for; none for the gateway's operators.
    pub party: Option<Cvr>,
    /// Its roles, at least one, all of one [`Side`].
    pub roles: Vec<Role>,
    /// The services that its roles are for. Empty: all.
    pub services: Vec<Uuid>,
    /// Its certificates that were not ended, several while one replaces another.
    pub certificates: Vec<Thumbprint>,
    /// The first instant at which it may do anything.
    pub valid_from: Timestamp,
    /// The first instant at which it no longer may; none if it has no end.
    pub valid_to: Option<Timestamp>,
    /// What is known of who it is.
    pub known: Known,
}

/// Why what one user did counts as the own of whoever has another ([`User::same_as`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Same {
    /// Both are of one person.
    Person,
    /// Nobody here has said that the users of these pairs are two persons. Of two persons there is one pair.
    Unsaid(Vec<Pair>),
}

/// A user who did something before, and one who would do something now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The users.
    pub users: [Uuid; 2],
    /// Whose they are.
    pub persons: [Uuid; 2],
}

impl Same {
    /// Both at once: of one person where either is, and else every pair that an operator would have to tell apart.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (Self::Unsaid(mut pairs), Self::Unsaid(others)) = (self, other) else { return Self::Person };
        for pair in others {
            if pairs.iter().all(|known| known.persons != pair.persons) {
                pairs.push(pair);
            }
        }
        Self::Unsaid(pairs)
    }

    /// What can be done beside having another person do it, as the end of a sentence; nothing where both are of one person.
    pub fn describe(&self) -> Detail {
        let Self::Unsaid(pairs) = self else { return Detail::new("", "") };
        if let [Pair { users: [one, other], .. }] = pairs.as_slice() {
            return Detail::new(
                format!(
                    "; er brugerne {one} og {other} to personer, så bed gatewayens drift om at skrive det ned med begge id'er (hjemmel user distinct)"
                ),
                format!(
                    "; if users {one} and {other} are two persons, ask the gateway's operators to write that down by both ids (hjemmel user distinct)"
                ),
            );
        }
        let all = |and: &str| {
            let pairs: Vec<_> = pairs.iter().map(|Pair { users: [one, other], .. }| format!("{one} {and} {other}")).collect();
            pairs.join(", ")
        };
        Detail::new(
            format!(
                "; er brugerne i hvert af disse par to personer, så bed gatewayens drift om at skrive det ned for hvert par (hjemmel user distinct): {}",
                all("og")
            ),
            format!(
                "; if the users of each of these pairs are two persons, ask the gateway's operators to write that down for each pair (hjemmel user distinct): {}",
                all("and")
            ),
        )
    }
}

/// What keeps a user from being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoUser(&'static str);

impl User {
    /// The longest name, in bytes.
    pub const LONGEST_NAME: usize = 200;

    /// A name as a user may have it, out of one that others wrote: one line, cut to length.
    pub fn fitting_name(text: &str) -> String {
        let line: String = text.chars().filter(|letter| !letter.is_control()).collect();
        let mut end = line.len().min(Self::LONGEST_NAME);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.get(..end).unwrap_or_default().trim().to_owned()
    }

    /// Checks what its parts must be to each other.
    ///
    /// # Errors
    /// What is wrong.
    pub fn sound(self) -> Result<Self, NoUser> {
        let side = self.side().ok_or(NoUser("a user has at least one role"))?;
        let name_fits = (1..=Self::LONGEST_NAME).contains(&self.name.trim().len()) && !self.name.chars().any(char::is_control);
        match () {
            () if !name_fits => Err(NoUser("a name is one line of 1-200 bytes without control characters")),
            () if self.roles.iter().any(|role| role.side() != side) => {
                Err(NoUser("a user's roles are all an operator's, all a supplier's or all an authority's; make two users"))
            }
            () if (side == Side::Operators) != self.party.is_none() => Err(NoUser(
                "an authority's and a supplier's users have its CVR number, and an operator has none: correct --cvr or the roles",
            )),
            () if self.kind == Kind::System && self.person != self.id => {
                Err(NoUser("a system is no person's: leave out --person"))
            }
            // A person may be known by an identity provider instead.
            () if self.certificates.is_empty() && self.kind == Kind::System => {
                Err(NoUser("a system has at least one certificate"))
            }
            () if self.valid_to.is_some_and(|to| to <= self.valid_from) => Err(NoUser("it would end before it begins")),
            () => Ok(self),
        }
    }

    /// Whose it is; none where it has no role.
    pub fn side(&self) -> Option<Side> {
        self.roles.first().map(|role| role.side())
    }

    /// Whether what this user did may be the own of whoever has another: both are of one person, or both have the same name for the same
    /// authority or company and nobody here has said that they are two. An operator says so of two persons. It was said of two that were added
    /// with certificates: whoever adds one is told of the other. It was not where one of them is over at `at`, which keeps the person that it was
    /// added with, nor where one came by an identity provider, which knows nothing of certificates or of another provider. One that the provider
    /// gave no name may be anybody of the authority or company.
    pub fn may_be(&self, other: &User, at: Timestamp) -> bool {
        self.same_as(other, at).is_some()
    }

    /// The same with why; none where the two are two persons.
    pub fn same_as(&self, other: &User, at: Timestamp) -> Option<Same> {
        if self.person == other.person {
            return Some(Same::Person);
        }
        let said = self.known.distinct_from.contains(&other.person) || other.known.distinct_from.contains(&self.person);
        if said || self.party != other.party {
            return None;
        }
        let over = self.valid_to.is_some_and(|to| to <= at);
        let unnamed = [self, other].iter().any(|user| user.known.by == KnownBy::Nothing);
        let by_provider = self.is_by_provider() || other.is_by_provider();
        let may_be = unnamed || ((over || by_provider) && self.has_name_of(other));
        let pair = Pair { users: [self.id, other.id], persons: [self.person, other.person] };
        may_be.then(|| Same::Unsaid(vec![pair]))
    }

    /// Whether it came by an identity provider. One that is given a certificate later came by it as before.
    pub fn is_by_provider(&self) -> bool {
        self.known.by != KnownBy::Certificate
    }

    /// What a person is called whom an identity provider did not name.
    pub fn unnamed(person: Uuid) -> String {
        format!("Person {}", person.simple())
    }

    /// Whether both have one name: in one form of its letters (NFC) and whatever the case and the blanks between words. Two that a human writes
    /// otherwise ("Jens M. Hansen") are two here.
    pub fn has_name_of(&self, other: &User) -> bool {
        let name = |user: &User| {
            let words: Vec<String> = user.name.split_whitespace().map(|word| word.to_lowercase().nfc().collect()).collect();
            words.join(" ")
        };
        name(self) == name(other)
    }

    /// Whether it may do anything at `at`.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.valid_from <= at && self.valid_to.is_none_or(|to| at < to)
    }
}

/// What a user sees of agreements and routes; it stands in the condition of every query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Whose.
    pub whose: Whose,
    /// Only these services'. Empty: all.
    pub services: Vec<Uuid>,
}

/// Whose agreements and routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    Everybody,
    /// This authority's.
    Authority(Cvr),
    /// What this company has requested.
    Supplier(Cvr),
    /// Nobody's.
    Nobody,
}

impl Scope {
    /// Whether it is all there is: an operator's who is not limited to some services.
    pub fn is_everything(&self) -> bool {
        self.whose == Whose::Everybody && self.services.is_empty()
    }

    /// Whether what belongs to this authority and service, and was requested by this company, is within it.
    pub fn takes(&self, authority: Cvr, service: Uuid, requested_by: Option<Cvr>) -> bool {
        let whose = match self.whose {
            Whose::Everybody => true,
            Whose::Authority(own) => own == authority,
            Whose::Supplier(own) => requested_by == Some(own),
            Whose::Nobody => false,
        };
        whose && (self.services.is_empty() || self.services.contains(&service))
    }
}

/// A user who has been proven. Only [`store`] and [`sessions`] make one, and [`delegation`] one that acts for another.
#[derive(Debug, Clone)]
pub struct Actor {
    user: User,
    proof: Proof,
    /// Where it acts by a delegation: `user` has the role and the services of that alone.
    stands_for: Option<Box<StandsFor>>,
}

/// Who acts by a delegation, and for whom.
#[derive(Debug, Clone)]
struct StandsFor {
    delegation: Uuid,
    substitute: User,
    principal: User,
}

/// By what a user was proven.
#[derive(Debug, Clone)]
enum Proof {
    /// Its certificate, whose key TLS has proven, or the signature, in base64.
    Certificate(Thumbprint, Option<String>),
    /// A session of the console.
    Session(Uuid),
}

impl Actor {
    /// The user.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The certificate that was shown; none in a session.
    pub fn certificate(&self) -> Option<Thumbprint> {
        match self.proof {
            Proof::Certificate(certificate, _) => Some(certificate),
            Proof::Session(_) => None,
        }
    }

    /// The session of the console in which it acts, if it does.
    pub fn session(&self) -> Option<Uuid> {
        match self.proof {
            Proof::Certificate(..) => None,
            Proof::Session(id) => Some(id),
        }
    }

    /// The signature of what is decided, where the command line made one.
    pub fn signature(&self) -> Option<&str> {
        match &self.proof {
            Proof::Certificate(_, signature) => signature.as_deref(),
            Proof::Session(_) => None,
        }
    }

    /// The same with the signature of another decision.
    pub(crate) fn signing(&self, signature: String) -> Self {
        let proof = match self.proof {
            Proof::Certificate(certificate, _) => Proof::Certificate(certificate, Some(signature)),
            Proof::Session(id) => Proof::Session(id),
        };
        Self { user: self.user.clone(), proof, stands_for: self.stands_for.clone() }
    }

    /// The role in which it may do this.
    ///
    /// # Errors
    /// [`ApiRefusal::ApiNotAllowed`], [`ApiRefusal::ApiPersonRequired`].
    pub fn may(&self, action: Action) -> Result<Role, ApiRefusal> {
        let role = self.user.roles.iter().copied().filter(|role| role.may(action)).max_by_key(|role| role.rank());
        // A delegated right is not delegated on.
        let role = role.filter(|_| self.stands_for.is_none() || action != Action::Delegate);
        match role {
            None => Err(ApiRefusal::ApiNotAllowed { action: action.describe() }),
            Some(_) if action.needs_a_person() && self.user.kind != Kind::Person => {
                Err(ApiRefusal::ApiPersonRequired { action: action.describe() })
            }
            Some(role) => Ok(role),
        }
    }

    /// What it sees.
    pub fn scope(&self) -> Scope {
        let whose = match (self.user.side(), self.user.party) {
            (Some(Side::Operators), None) => Whose::Everybody,
            (Some(Side::Authority), Some(own)) => Whose::Authority(own),
            (Some(Side::Supplier), Some(own)) => Whose::Supplier(own),
            _ => Whose::Nobody,
        };
        Scope { whose, services: self.user.services.clone() }
    }
}
