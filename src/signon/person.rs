//! Who the person is, for whom they act and in which roles: by the provider's attributes and the configured rules.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::names::{ASSURANCE_LEVEL, CVR, FULL_NAME, LOA, PRIVILEGES};
use super::response::{Attested, MAX_AGE, NameId};
use crate::id::cpr::Cpr;
use crate::id::cvr::Cvr;
use crate::refusal::logon::LogOnRefusal;
use crate::refusal::{Detail, Refusal};
use crate::replay::{ReplayMemory, Seen};
use crate::saml::privileges::Privileges;
use crate::users::User;
use crate::users::rights::{Role, Side};

/// A level of assurance by NSIS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// *Lav*.
    Low,
    /// *Betydelig*.
    Substantial,
    /// *Høj*.
    High,
}

impl Assurance {
    /// Every level.
    pub const ALL: [Self; 3] = [Self::Low, Self::Substantial, Self::High];

    /// The name in OIOSAML 3.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Substantial => "Substantial",
            Self::High => "High",
        }
    }

    /// The level that an attribute or a context means: OIOSAML 3's names, or OIOSAML 2's numbers, of which 3 is Substantial.
    fn read(text: &str) -> Option<Self> {
        let name = text.strip_prefix(LOA).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
        match name {
            "2" => Some(Self::Low),
            "3" => Some(Self::Substantial),
            "4" => Some(Self::High),
            _ => Self::ALL.into_iter().find(|level| level.name() == name),
        }
    }
}

/// What is asked of every log-on.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How far clocks may be apart.
    pub skew: SignedDuration,
    /// How old an assertion may be when it comes: no older than the replay memory remembers.
    pub max_age: SignedDuration,
    /// The least level of assurance.
    pub assurance: Assurance,
    /// Contexts that are taken for that level, of providers that know no NSIS. Empty: none.
    pub contexts: Vec<String>,
    /// Which privilege is which role.
    pub roles: Vec<(String, Role)>,
    /// An attribute whose values are looked up in `roles` too, of providers that know no privilege profile.
    pub role_attribute: Option<String>,
    /// The attribute that holds what a person is known by, in place of the NameID.
    pub person_attribute: Option<String>,
    /// Whose people may be operators of the gateway.
    pub operators: Option<Cvr>,
    /// Whether AES-CBC is taken, in a signed Response.
    pub allow_cbc: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            skew: SignedDuration::from_mins(1),
            max_age: MAX_AGE,
            assurance: Assurance::Substantial,
            contexts: Vec::new(),
            roles: Vec::new(),
            role_attribute: None,
            person_attribute: None,
            operators: None,
            allow_cbc: false,
        }
    }
}

impl Rules {
    /// The contexts that a request asks for.
    pub(super) fn asked_contexts(&self) -> Vec<String> {
        match self.contexts.is_empty() {
            true => vec![format!("{LOA}/{}", self.assurance.name())],
            false => self.contexts.clone(),
        }
    }

    /// Whether an attribute of this name is read at all.
    pub(super) fn asks_for(&self, name: &str) -> bool {
        let fixed = [LOA, ASSURANCE_LEVEL].into_iter().chain(CVR).chain(PRIVILEGES).chain(FULL_NAME);
        let own = [&self.role_attribute, &self.person_attribute].into_iter().flatten().map(String::as_str);
        fixed.chain(own).any(|asked| asked == name)
    }
}

/// A person who was attested, and may log on if the answer was not used before. Only [`Attested::person`] makes it.
pub struct Candidate {
    person: Person,
    seen: Seen,
}

/// A person whom a provider proves and gives no role: nobody logs on by it, but what stood on earlier roles ends. Only
/// [`Attested::without_role`] makes it.
pub struct Roleless {
    id: Uuid,
    provider: String,
    organisation: Cvr,
    seen: Seen,
}

impl Roleless {
    /// As [`Person::id`].
    pub fn id(&self) -> Uuid {
        self.id
    }
    /// As [`Person::organisation`].
    pub fn organisation(&self) -> Cvr {
        self.organisation
    }
    /// As [`Person::provider`].
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Uses the answer up, as [`Candidate::once`].
    ///
    /// # Errors
    /// `LogOnReplayed`, `LogOnMemory`.
    pub async fn once(self, memory: &ReplayMemory, now: Timestamp) -> Result<Self, LogOnRefusal> {
        used(memory, self.seen, now).await.map(|()| self)
    }
}

async fn used(memory: &ReplayMemory, seen: Seen, now: Timestamp) -> Result<(), LogOnRefusal> {
    match memory.remember(seen, now).await {
        Ok(()) => Ok(()),
        Err(Refusal::Replay) => Err(LogOnRefusal::LogOnReplayed),
        Err(_) => Err(LogOnRefusal::LogOnMemory),
    }
}

/// A person who has logged on. Only [`Candidate::once`] makes it, and only it opens a session.
#[derive(Clone)]
pub struct Person {
    id: Uuid,
    provider: String,
    name: Option<String>,
    party: Option<Cvr>,
    organisation: Cvr,
    roles: Vec<Role>,
    name_id: NameId,
    session: Option<String>,
    session_ends: Option<Timestamp>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({})", self.id)
    }
}

impl Person {
    /// The same for the same person each time, and nothing that tells who it is.
    pub fn id(&self) -> Uuid {
        self.id
    }
    /// The same for the same person in the same roles for the same party: what the person is a user by.
    pub fn id_in_roles(&self) -> Uuid {
        let roles = self.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" ");
        let party = self.party.map_or("-".to_owned(), |cvr| cvr.to_string());
        custom_id(&format!("hjemmel user\n{}\n{party}\n{roles}", self.id))
    }
    /// The entity id of the provider that logged the person on.
    pub fn provider(&self) -> &str {
        &self.provider
    }
    /// What the person is called, if the provider says so: for the person's own screen.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    /// The authority or company that the person acts for; none for the gateway's operators.
    pub fn party(&self) -> Option<Cvr> {
        self.party
    }
    /// The organisation that the provider names, an operator's too.
    pub fn organisation(&self) -> Cvr {
        self.organisation
    }
    /// The roles, at least one, all of one side.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }
    /// What the provider calls the person: for log-out.
    pub fn name_id(&self) -> &NameId {
        &self.name_id
    }
    /// The provider's session, if it names one: for log-out.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }
    /// When the provider's session ends, if it says so.
    pub fn session_ends(&self) -> Option<Timestamp> {
        self.session_ends
    }
}

impl Candidate {
    /// The person, for tests that look at nothing else.
    #[cfg(test)]
    pub(super) fn person_for_tests(&self) -> &Person {
        &self.person
    }

    /// Uses the answer up. With a shared memory, on all nodes.
    ///
    /// # Errors
    /// `LogOnReplayed`, `LogOnMemory`.
    pub async fn once(self, memory: &ReplayMemory, now: Timestamp) -> Result<Person, LogOnRefusal> {
        used(memory, self.seen, now).await.map(|()| self.person)
    }
}

impl Attested {
    /// Asks for assurance, authority and roles.
    ///
    /// # Errors
    /// `LogOnAssurance`, `LogOnPerson`, `LogOnAuthority`, `LogOnNoRole`.
    pub fn person(self, rules: &Rules) -> Result<Candidate, LogOnRefusal> {
        self.assured(rules)?;
        let subject = self.subject(rules)?;
        let organisation = self.organisation()?;
        let roles = self.roles(rules, organisation)?;
        let provider = self.provider.entity_id().to_owned();
        let name = self.values(&FULL_NAME).next().and_then(shown_name);
        let is_operator = roles.first().is_some_and(|role| role.side() == Side::Operators);
        let seen = self.seen();
        let person = Person {
            id: person_id(&provider, &subject),
            name,
            party: (!is_operator).then_some(organisation),
            organisation,
            roles,
            name_id: self.name_id,
            session: self.session,
            session_ends: self.session_ends,
            provider,
        };
        Ok(Candidate { person, seen })
    }

    /// Whom it proves, where all that is missing is a role.
    pub fn without_role(&self, rules: &Rules) -> Option<Roleless> {
        self.assured(rules).ok()?;
        let (subject, organisation) = (self.subject(rules).ok()?, self.organisation().ok()?);
        let provider = self.provider.entity_id().to_owned();
        let is_none = matches!(self.roles(rules, organisation), Err(LogOnRefusal::LogOnNoRole { .. }));
        is_none.then(|| Roleless { id: person_id(&provider, &subject), provider, organisation, seen: self.seen() })
    }

    fn seen(&self) -> Seen {
        // The assertion's ID is unique for its issuer only.
        let issuer = digest(&SHA256, format!("log-on {}", self.provider.entity_id()).as_bytes());
        Seen::new(issuer.as_ref(), &self.id, self.issued)
    }

    fn values<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let named = self.attributes.iter().filter(|(name, _)| names.contains(&name.as_str()));
        named.flat_map(|(_, values)| values.iter().map(String::as_str))
    }

    /// What is said of the level must be enough wherever it is said: an attribute, or the context.
    fn assured(&self, rules: &Rules) -> Result<(), LogOnRefusal> {
        let required = rules.assurance;
        let refuse = |found: Detail| LogOnRefusal::LogOnAssurance { found, required: required.name().to_owned() };
        let mut said: Vec<&str> = self.values(&[LOA, ASSURANCE_LEVEL]).collect();
        let context = self.context.as_deref().unwrap_or_default();
        if context.starts_with(LOA) {
            said.push(context);
        }
        let levels: Vec<Option<Assurance>> = said.iter().map(|text| Assurance::read(text)).collect();
        if levels.is_empty() {
            return match rules.contexts.iter().any(|taken| taken == context) {
                true => Ok(()),
                false => Err(refuse(Detail::new("ikke oplyst", "not stated"))),
            };
        }
        match levels.iter().min().copied().flatten() {
            Some(level) if level >= required => Ok(()),
            Some(level) => Err(refuse(Detail::name(level.name()))),
            None => Err(refuse(Detail::new("ukendt", "unknown"))),
        }
    }

    /// What the person is known by from one log-on to the next.
    fn subject(&self, rules: &Rules) -> Result<String, LogOnRefusal> {
        let unknown = |da: &str, en: &str| LogOnRefusal::LogOnPerson { what: Detail::new(da, en) };
        let subject = match &rules.person_attribute {
            None if self.name_id.is_transient() => {
                return Err(unknown("NameID er flygtigt (transient)", "the NameID is transient"));
            }
            None => self.name_id.value.clone(),
            Some(name) => {
                let mut values = self.values(std::slice::from_ref(&name.as_str())).map(str::to_owned).collect::<Vec<_>>();
                match (values.pop().filter(|value| !value.is_empty()), values.is_empty()) {
                    (Some(value), true) => value,
                    _ => {
                        return Err(unknown(
                            "attributten, der udpeger personen, mangler",
                            "the attribute that names the person is missing",
                        ));
                    }
                }
            }
        };
        match holds_cpr(&subject) || holds_cpr(&self.name_id.value) {
            true => Err(unknown("NameID er et CPR-nummer", "the NameID is a CPR number")),
            false => Ok(subject),
        }
    }

    fn organisation(&self) -> Result<Cvr, LogOnRefusal> {
        let wrong = |da: &str, en: &str| LogOnRefusal::LogOnAuthority { what: Detail::new(da, en) };
        let mut numbers: Vec<&str> = self.values(&CVR).collect();
        numbers.dedup();
        let cvr = match numbers.as_slice() {
            [] => return Err(wrong("der er intet CVR-nummer", "there is no CVR number")),
            [one] => {
                one.parse::<Cvr>().map_err(|_| wrong("CVR-nummeret er ikke otte cifre", "the CVR number is not eight digits"))?
            }
            _ => return Err(wrong("der er flere CVR-numre", "there are several CVR numbers")),
        };
        match self.provider.answers().includes(cvr) {
            true => Ok(cvr),
            false => Err(wrong(
                "identitetsudbyderen svarer ikke for denne myndighed",
                "the identity provider does not answer for this authority",
            )),
        }
    }

    fn roles(&self, rules: &Rules, organisation: Cvr) -> Result<Vec<Role>, LogOnRefusal> {
        let none = |da: &str, en: &str| LogOnRefusal::LogOnNoRole { what: Detail::new(da, en) };
        let unreadable = || none("Privileges_intermediate kan ikke læses", "Privileges_intermediate cannot be read");
        let own = organisation.to_string();
        let mut given: Vec<String> = Vec::new();
        for coded in self.values(&PRIVILEGES) {
            let privileges = Privileges::from_base64(coded).map_err(|_| unreadable())?;
            // A role here has no such bounds: a narrowed privilege would give more than was given.
            let whole = privileges.of(&own).filter(|group| !group.is_narrowed());
            given.extend(whole.flat_map(|group| group.privileges().map(str::to_owned).collect::<Vec<_>>()));
        }
        if let Some(name) = &rules.role_attribute {
            given.extend(self.values(std::slice::from_ref(&name.as_str())).map(str::to_owned));
        }
        let mut roles: Vec<Role> =
            rules.roles.iter().filter(|(privilege, _)| given.contains(privilege)).map(|(_, role)| *role).collect();
        roles.sort_unstable();
        roles.dedup();
        let side = roles.first().map(|role| role.side());
        let side = side
            .ok_or_else(|| none("ingen af brugerens rettigheder giver en rolle", "none of the user's privileges gives a role"))?;
        if roles.iter().any(|role| role.side() != side) {
            return Err(none(
                "rollerne er både driftens, en leverandørs eller en myndigheds",
                "the roles are of more than one of operators, supplier and authority",
            ));
        }
        if side == Side::Operators && rules.operators != Some(organisation) {
            return Err(none("kun driftens egne folk kan være operatører", "only the operators' own people can be operators"));
        }
        Ok(roles)
    }
}

fn person_id(provider: &str, subject: &str) -> Uuid {
    custom_id(&format!("hjemmel person\n{}\n{provider}\n{subject}", provider.len()))
}

/// A UUID of the custom kind (version 8), from a digest.
fn custom_id(text: &str) -> Uuid {
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A name for a screen: one line, cut to length, and none where a CPR number stands in it.
fn shown_name(text: &str) -> Option<String> {
    let name = User::fitting_name(text);
    Some(name).filter(|name| !name.is_empty() && !holds_cpr(name))
}

/// Whether a word of the text could be a CPR number, with its hyphen or without. A word only: one UUID in a hundred has ten
/// digits in a row that begin as a date.
fn holds_cpr(text: &str) -> bool {
    let mut words = text.split(|character: char| !character.is_alphanumeric() && character != '-');
    words.any(|word| {
        let dense = match word.split_once('-') {
            Some((date, rest)) if date.len() == 6 => [date, rest].concat(),
            _ => word.to_owned(),
        };
        Cpr::parse(&dense).is_some()
    })
}
