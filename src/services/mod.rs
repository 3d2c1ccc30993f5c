//! The services that the gateway offers: what is special about each, in one place.

pub mod concerns;
pub mod contract;
pub mod finance;
pub mod jobs;
pub mod kept;
pub mod parts;
pub mod passthrough;
pub mod persons;
pub mod shared;
pub mod standing;
pub mod terminaladgang;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;
use jiff::Timestamp;
use uuid::Uuid;

use self::parts::{Beside, Found, OfferError, Offered, Parts};
use self::passthrough::settings::Receiver;
use self::shared::Shared;
use self::terminaladgang::law::document::Policy;
use crate::agreements::basis::Contract;
use crate::agreements::rules::Rule;
use crate::agreements::{Scope, ScopeKey, Security, Vocabulary};
use crate::config::reader::Reader;
use crate::config::{Offer, Retired, ServiceSection};
use crate::files::content::{ByInfRef, composed};
use crate::refusal::Refusal;

/// One of each refusal that the program knows, in the order of `docs/faults.md`: the gateway's own, then those of the services.
pub fn refusals() -> Vec<Refusal> {
    let law = terminaladgang::law::refusal::LawRefusal::every();
    let contract = passthrough::refusal::ContractRefusal::every();
    let finance = finance::rules::table::Rule::every();
    let own = law.into_iter().map(Refusal::from).chain(contract.into_iter().map(Refusal::from));
    let persons = persons::refusal::ImportRefusal::every();
    let own = own.chain(finance.into_iter().map(Refusal::from)).chain(persons.into_iter().map(Refusal::from));
    Refusal::every().into_iter().chain(own).collect()
}

/// What the services know of agreements in their own words, whatever services a configuration has.
pub fn vocabulary() -> Vocabulary {
    use terminaladgang::scope;
    Vocabulary {
        roles: scope::Part::ROLES.map(|(name, _)| name).to_vec(),
        scope: scope::KEYS.iter().chain(persons::scope::KEYS).collect(),
        narrowed_by: BTreeMap::new(),
    }
}

/// The same, and what each service of a configuration may be narrowed by.
pub fn vocabulary_of(services: &BTreeMap<String, Service>) -> Vocabulary {
    let by = |service: &Service| service.narrowed_by().iter().map(|key| key.name).collect();
    let narrowed_by = services.values().map(|service| (service.offer().service_uuid, by(service))).collect();
    Vocabulary { narrowed_by, ..vocabulary() }
}

/// How many days ahead the value lists of each service are published.
pub fn notices(services: &BTreeMap<String, Service>) -> BTreeMap<Uuid, u16> {
    let notice = |service: &Service| match service {
        Service::Finance(settings) => Some((settings.offered.offer.service_uuid, settings.notice)),
        Service::Terminaladgang(_) | Service::Passthrough(_) | Service::Persons(_) => None,
    };
    services.values().filter_map(notice).collect()
}

/// How the agreements of each service are asked for and ended, and the rules or the WSDL that it applies at `now`. Reads files.
pub fn agreement_rules(services: &BTreeMap<String, Service>, now: Timestamp) -> BTreeMap<Uuid, Rule> {
    let rule = |name: &str, service: &Service| {
        let terms = &service.offer().terms;
        let (basis, contract, in_force, widened) = match service.basis(now) {
            Some(Basis::Contract(contract, in_force)) => {
                (Some(contract.digest.clone()), Some(contract), in_force, BTreeMap::new())
            }
            Some(Basis::Rules { digest, widened }) => (Some(digest), None, None, widened),
            None => (None, None, None, BTreeMap::new()),
        };
        Rule {
            name: Some(name.to_owned()),
            basis,
            contract,
            in_force,
            widened,
            inf_refs: service.inf_refs(),
            judges: service.judges(),
            locked: terms.locked,
            binding_months: terms.binding_months,
            notice_months: terms.notice_months,
            trial: terms.trial.iter().copied().collect(),
        }
    };
    services.iter().map(|(name, service)| (service.offer().service_uuid, rule(name, service))).collect()
}

/// What agreements are approved under.
enum Basis {
    /// The contract's files, and those in force where they are others.
    Contract(Contract, Option<Contract>),
    /// Rules in force, and what they give beyond each earlier version.
    Rules { digest: String, widened: BTreeMap<String, Vec<String>> },
}

impl Basis {
    fn of(offered: &passthrough::offered::Offered) -> Self {
        let (approved, in_force) = (offered.approved(), offered.contract());
        let other = Some(in_force).filter(|in_force| in_force.digest != approved.digest);
        Self::Contract(approved, other)
    }
}

/// What one `[service.NAME]` says.
#[derive(Debug)]
pub enum Service {
    /// TerminalAdgang.
    Terminaladgang(Box<terminaladgang::settings::Settings>),
    /// A folder of published files.
    Passthrough(Box<passthrough::offered::Offered>),
    /// SF1590_A Finans: such a folder, and rules.
    Finance(Box<finance::settings::Settings>),
    /// Person import.
    Persons(Box<persons::settings::Settings>),
}

/// The services with a law or rules of their own, by `kind`.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Terminaladgang,
    Finance,
    Persons,
}

impl Service {
    /// What its agreements may be narrowed by.
    fn narrowed_by(&self) -> &'static [ScopeKey] {
        match self {
            Self::Terminaladgang(_) => terminaladgang::scope::KEYS,
            Self::Persons(_) => persons::scope::KEYS,
            Self::Passthrough(_) | Self::Finance(_) => &[],
        }
    }

    /// What its agreements are approved under: the policy in force at `now`, or its contract. Reads files.
    fn basis(&self, now: Timestamp) -> Option<Basis> {
        match self {
            Self::Terminaladgang(settings) => {
                let versions = terminaladgang::policies::read_policies(&settings.policy, now).ok()?;
                let in_force = versions.at(now)?;
                let digest = |policy: &Policy| crate::hex::encode(policy.digest());
                let earlier = versions.versions().filter(|policy| !Arc::ptr_eq(policy, in_force));
                let widened = earlier.map(|policy| (digest(policy), terminaladgang::policies::widenings(policy, in_force)));
                Some(Basis::Rules { digest: digest(in_force), widened: widened.collect() })
            }
            Self::Passthrough(offered) => Some(Basis::of(offered)),
            Self::Finance(settings) => Some(Basis::of(&settings.offered)),
            Self::Persons(_) => Some(Basis::Contract(persons::contract::approved(), None)),
        }
    }

    /// The kinds of files that go by its agreements, as orders name them.
    fn inf_refs(&self) -> Vec<String> {
        let all = match self {
            Self::Terminaladgang(_) | Self::Passthrough(_) => Vec::new(),
            Self::Finance(settings) => vec![settings.vouchers_inf_ref.clone(), settings.answers_inf_ref.clone()],
            Self::Persons(settings) => vec![settings.inf_ref.clone()],
        };
        // As orders are kept.
        all.iter().map(|inf_ref| composed(inf_ref)).collect()
    }

    /// Those of them whose contents it judges by themselves ([`ContentRule::check`]): a person import is judged as it is taken in, and an
    /// answer by the delivery that it answers.
    ///
    /// [`ContentRule::check`]: crate::files::content::ContentRule::check
    fn judges(&self) -> Vec<String> {
        match self {
            Self::Terminaladgang(_) | Self::Passthrough(_) | Self::Persons(_) => Vec::new(),
            Self::Finance(settings) => vec![composed(&settings.vouchers_inf_ref)],
        }
    }

    /// Puts it together.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn assemble<B>(&self, name: &str, parts: &Parts<'_>) -> Result<Offered<B>, OfferError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Refusal>,
    {
        match self {
            Self::Terminaladgang(settings) => terminaladgang::offer::assemble(name, settings, parts),
            Self::Passthrough(offered) => passthrough::offer::assemble(name, offered, parts),
            Self::Finance(settings) => finance::offer::assemble(name, settings, parts),
            Self::Persons(settings) => persons::offer::assemble(name, settings, parts),
        }
    }

    /// What contents of files must be for it, by InfRef.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn contents(&self, name: &str, parts: &Parts<'_>) -> Result<ByInfRef, OfferError> {
        match self {
            Self::Terminaladgang(_) | Self::Passthrough(_) => Ok(ByInfRef::new()),
            Self::Finance(settings) => finance::files::contents(settings, parts),
            Self::Persons(settings) => persons::offer::contents(name, settings, parts),
        }
    }

    /// What the doors of a person import go through, where it is one.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn door(&self, name: &str, parts: &Parts<'_>) -> Result<Option<persons::door::Door>, OfferError> {
        match self {
            Self::Persons(settings) => persons::offer::door(name, settings, parts).map(Some),
            Self::Terminaladgang(_) | Self::Passthrough(_) | Self::Finance(_) => Ok(None),
        }
    }

    /// What does not fit the rest of the configuration.
    pub fn examine(&self, name: &str, beside: &Beside<'_>) -> Vec<Found> {
        match self {
            Self::Terminaladgang(settings) => terminaladgang::offer::examine(name, settings, beside),
            Self::Passthrough(offered) => passthrough::offer::examine(offered, beside),
            Self::Finance(settings) => passthrough::offer::examine(&settings.offered, beside),
            Self::Persons(settings) => persons::offer::examine(name, settings, beside),
        }
    }

    /// What its section says, where it is SF1590_A Finans.
    pub fn finance(&self) -> Option<&finance::settings::Settings> {
        match self {
            Self::Finance(settings) => Some(settings),
            Self::Terminaladgang(_) | Self::Passthrough(_) | Self::Persons(_) => None,
        }
    }

    /// What its section says, where it is TerminalAdgang.
    pub fn terminaladgang(&self) -> Option<&terminaladgang::settings::Settings> {
        match self {
            Self::Terminaladgang(settings) => Some(settings),
            Self::Passthrough(_) | Self::Finance(_) | Self::Persons(_) => None,
        }
    }

    /// What its routes are held against, where it has providers: what it says to them, and whether one of them receives for all.
    pub fn provider(&self) -> Option<(Security, bool)> {
        let settings = &self.passthrough()?.folder.settings;
        Some((settings.provider, settings.receiver == Receiver::Fixed))
    }

    /// Its folder, where it is a pass-through service, with rules or without.
    pub fn passthrough(&self) -> Option<&passthrough::offered::Offered> {
        match self {
            Self::Passthrough(offered) => Some(offered),
            Self::Finance(settings) => Some(&settings.offered),
            Self::Terminaladgang(_) | Self::Persons(_) => None,
        }
    }

    /// Whether it can apply what an agreement is narrowed to; it refuses the calls of one that it cannot.
    pub fn applies(&self, scope: &Scope) -> bool {
        match self {
            Self::Terminaladgang(_) => terminaladgang::ask::applies(scope),
            Self::Persons(_) => persons::scope::applies(scope),
            Self::Passthrough(_) | Self::Finance(_) => scope.is_empty(),
        }
    }

    /// The policy that it applies, where it has one.
    pub fn policy(&self) -> Option<&terminaladgang::settings::PolicyFile> {
        match self {
            Self::Terminaladgang(settings) => Some(&settings.policy),
            Self::Passthrough(_) | Self::Finance(_) | Self::Persons(_) => None,
        }
    }
}

impl ServiceSection for Service {
    type Shared = Shared;
    const RETIRED: &'static [Retired] = terminaladgang::settings::RETIRED;

    fn read(name: &str, section: &mut Reader<'_>) -> Option<Self> {
        let kinds = [("terminaladgang", Kind::Terminaladgang), ("finance", Kind::Finance), ("persons", Kind::Persons)];
        match (section.has_any(&["kind"]), section.has_any(&["folder"])) {
            (false, true) => passthrough::offered::read(section).map(|offered| Self::Passthrough(Box::new(offered))),
            (true, with_folder) => match section.choice("kind", None, &kinds) {
                Some(Kind::Finance) => finance::settings::read(section).map(|settings| Self::Finance(Box::new(settings))),
                Some(Kind::Terminaladgang | Kind::Persons) if with_folder => {
                    section.problem_at("folder", "is given beside kind; a service has the one or the other".to_owned());
                    section.excuse_the_rest();
                    None
                }
                Some(Kind::Terminaladgang) => {
                    terminaladgang::settings::read(section).map(|settings| Self::Terminaladgang(Box::new(settings)))
                }
                Some(Kind::Persons) => persons::settings::read(section).map(|settings| Self::Persons(Box::new(settings))),
                None => {
                    section.excuse_the_rest();
                    None
                }
            },
            (false, false) => {
                let text = format!("is missing; add kind or folder in [service.{name}]");
                section.problem_at("kind", text);
                section.excuse_the_rest();
                None
            }
        }
    }

    fn offer(&self) -> &Offer {
        match self {
            Self::Terminaladgang(settings) => &settings.offer,
            Self::Passthrough(offered) => &offered.offer,
            Self::Finance(settings) => &settings.offered.offer,
            Self::Persons(settings) => &settings.offer,
        }
    }

    fn peer(&self) -> Option<&str> {
        match self {
            Self::Terminaladgang(settings) => Some(&settings.peer),
            Self::Passthrough(_) | Self::Finance(_) | Self::Persons(_) => None,
        }
    }
}
