//! What a route is: which system receives a service's calls, between which authorities, and on which days.
//!
//! (D) marks what a public source documents, (I) what is inferred. That a route stands for a pair of authorities, and that
//! its endpoint has an address, a security model and a certificate, is (D); the days and the two rules below are (I).
//!
//! - A day is a civil day in Copenhagen. A route holds from its first day up to, but not including, the day on which it ends,
//!   as an agreement does.
//! - On any day at most one route carries the calls of a service from one authority to another. A second one is refused when
//!   it is saved ([`store`]), so that a call never has to choose.
//!
//! A route without a sender carries the calls of every sender, and one without a receiver those to every receiver. A service
//! whose receiver is fixed has one route with neither. A general route and a particular one for the same calls overlap like
//! any other two: the particular one does not win.

pub mod file;
pub mod store;

use std::{fmt, str::FromStr, sync::Arc};

use http::Uri;
use jiff::civil::Date;
use rustls_pki_types::CertificateDer;
use uuid::Uuid;

use super::{
    model::{Environment, ModelError},
    security::Security,
};
use crate::{
    id::cvr::Cvr,
    pem::{self, Kind, PemError},
    revocation::verify::{RootsError, usable_roots},
    signature::key::{Certificate, KeyError},
};

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its identity, in the audit record and on screens.
    pub id: Uuid,
    /// The service whose calls it carries.
    pub service: Uuid,
    /// Where it holds.
    pub environment: Environment,
    /// The authority that sends; none: every one.
    pub sender: Option<Cvr>,
    /// The authority that receives; none: every one.
    pub receiver: Option<Cvr>,
    /// On which days.
    pub period: Period,
    /// The it-system that receives.
    pub system: Uuid,
    /// Where it is called.
    pub address: Address,
    /// The name for which tokens are issued.
    pub entity_id: EntityId,
    /// How the gateway proves itself to it, and knows its answers.
    pub security: ProviderSecurity,
    /// The CAs of its TLS certificate.
    pub roots: Roots,
}

impl Route {
    /// Whether it carries calls between these two.
    pub fn carries(&self, sender: Cvr, receiver: Cvr) -> bool {
        self.sender.is_none_or(|own| own == sender) && self.receiver.is_none_or(|own| own == receiver)
    }

    /// Whether it leads from every authority to every authority, as that of a service with one receiver for all does.
    pub fn is_for_all(&self) -> bool {
        self.sender.is_none() && self.receiver.is_none()
    }

    /// Whether both say the same, whenever they end.
    pub fn has_terms_of(&self, other: &Route) -> bool {
        self.period.from == other.period.from && Route { period: other.period, ..self.clone() } == *other
    }
}

/// The days of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: Date,
    to: Option<Date>,
}

impl Period {
    /// From a first day up to, but not including, a last one; without end if there is none.
    ///
    /// # Errors
    /// Not a single day lies between them, or the year is not of four digits.
    pub fn new(from: Date, to: Option<Date>) -> Result<Self, ModelError> {
        if from.year() < 1 {
            return Err(ModelError("a day has a year of four digits"));
        }
        if to.is_some_and(|to| to <= from) {
            return Err(ModelError("valid_to is not after valid_from"));
        }
        Ok(Self { from, to })
    }

    /// The same with another end. On its own first day it never holds.
    ///
    /// # Errors
    /// The end lies before the first day.
    pub fn ended_on(self, to: Date) -> Result<Self, ModelError> {
        if to < self.from { Err(ModelError("it would end before its first day")) } else { Ok(Self { to: Some(to), ..self }) }
    }

    /// The first day.
    pub fn from(self) -> Date {
        self.from
    }

    /// The first day on which it no longer holds.
    pub fn to(self) -> Option<Date> {
        self.to
    }

    /// Where it stands on a day.
    pub fn standing(self, day: Date) -> Standing {
        match self.to {
            Some(to) if to <= self.from => Standing::Cancelled,
            Some(to) if to <= day => Standing::Over,
            _ if day < self.from => Standing::NotBegun,
            _ => Standing::Holds,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{} – {to}", self.from),
            None => write!(f, "{} – no end", self.from),
        }
    }
}

/// Where a route stands on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It receives calls.
    Holds,
    /// It begins later.
    NotBegun,
    /// It has ended.
    Over,
    /// It was ended before it began, and never holds.
    Cancelled,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Standing; 4] = [Standing::Holds, Standing::NotBegun, Standing::Over, Standing::Cancelled];

    /// The name on screens and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Holds => "holds",
            Standing::NotBegun => "not-begun",
            Standing::Over => "over",
            Standing::Cancelled => "cancelled",
        }
    }
}

/// A day as it is written, `2027-01-01`; nothing else is taken for one.
///
/// # Errors
/// It is written in another way, or there is no such day.
pub fn day(text: &str) -> Result<Date, ModelError> {
    let day: Option<Date> = text.parse().ok();
    day.filter(|day| day.to_string() == text).ok_or(ModelError("a day is written as 2027-01-01"))
}

/// The https address of a receiving system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Uri);

impl Address {
    /// The longest that is taken, in bytes.
    pub const LONGEST: usize = 1000;

    /// The address.
    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl FromStr for Address {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let not = ModelError("an address is https, with a host and without user, query or fragment: https://host.example/path");
        // `Uri` leaves a fragment out without a word.
        if text.len() > Self::LONGEST || text.contains(['#', '@', '?']) || !is_of_a_uri(text) {
            return Err(not);
        }
        let uri: Option<Uri> = text.parse().ok();
        uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty()))
            .map(Self)
            .ok_or(not)
    }
}

/// Whether it has the characters of a URI alone (RFC 3986, 2): `Uri` takes others in a path too.
fn is_of_a_uri(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    let escaped = |rest: &str| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    text.bytes().all(plain) && text.split('%').skip(1).all(escaped)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The URI by which tokens name a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityId(String);

impl EntityId {
    /// The longest that is taken, in bytes.
    pub const LONGEST: usize = 1000;

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntityId {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let fits = (1..=Self::LONGEST).contains(&text.len()) && text.contains(':') && is_of_a_uri(text);
        if fits { Ok(Self(text.to_owned())) } else { Err(ModelError("an entity id is a URI without white space")) }
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the gateway proves itself to the receiving system, and how it knows that system's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum ProviderSecurity {
    /// With a token and a signature. The answer is signed too, with the key of one of these certificates.
    Token { signing_certificates: Pinned },
    /// With its certificate in TLS and an AuthorityContext. Nothing is signed.
    AuthorityContext,
}

impl ProviderSecurity {
    /// The model alone, as `service.toml` names it.
    pub fn model(&self) -> Security {
        match self {
            Self::Token { .. } => Security::Token,
            Self::AuthorityContext => Security::AuthorityContext,
        }
    }

    /// The certificates that answers are signed with; none where they are not.
    pub fn signing_certificates(&self) -> &[Certificate] {
        match self {
            Self::Token { signing_certificates } => signing_certificates.as_slice(),
            Self::AuthorityContext => &[],
        }
    }
}

/// The most certificates of either kind in a route.
const MOST: usize = 16;

/// Why certificates cannot be a route's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificatesError {
    /// Not PEM, or something else in it.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// None, or too many.
    #[error("a route has 1 to {MOST} certificates of a kind, and these are {0}")]
    Count(usize),
    /// A CA's certificate that is none.
    #[error("{0}")]
    Root(String),
    /// A signer's certificate that cannot verify anything.
    #[error("certificate {number}: {error}")]
    Signer {
        /// Its place, from 1.
        number: usize,
        /// Why.
        error: KeyError,
    },
}

/// Certificates of CAs, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots(Vec<CertificateDer<'static>>);

impl Roots {
    /// Takes certificates; their order and repetition carry no meaning.
    ///
    /// # Errors
    /// [`CertificatesError`].
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, CertificatesError> {
        let certificates = distinct(certificates)?;
        usable_roots(&certificates).map_err(|error: RootsError| CertificatesError::Root(error.to_string()))?;
        Ok(Self(certificates))
    }

    /// The certificates.
    pub fn as_slice(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        to_pem(self.0.iter().map(AsRef::as_ref))
    }
}

impl FromStr for Roots {
    type Err = CertificatesError;

    fn from_str(pem: &str) -> Result<Self, CertificatesError> {
        Self::new(from_pem(pem)?)
    }
}

/// Certificates of those who sign, at least one, each with a key that can verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned(Vec<Certificate>);

impl Pinned {
    /// Takes certificates; their order and repetition carry no meaning.
    ///
    /// # Errors
    /// [`CertificatesError`].
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, CertificatesError> {
        let certificates = distinct(certificates)?;
        let read = |(number, der): (usize, &CertificateDer<'_>)| {
            Certificate::from_der(der).map_err(|error| CertificatesError::Signer { number, error })
        };
        Ok(Self((1..).zip(&certificates).map(read).collect::<Result<_, _>>()?))
    }

    /// The certificates.
    pub fn as_slice(&self) -> &[Certificate] {
        &self.0
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        to_pem(self.0.iter().map(Certificate::der))
    }
}

impl FromStr for Pinned {
    type Err = CertificatesError;

    fn from_str(pem: &str) -> Result<Self, CertificatesError> {
        Self::new(from_pem(pem)?)
    }
}

/// In an order that does not depend on the one given, without repetition, and within bounds.
fn distinct(mut certificates: Vec<CertificateDer<'static>>) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    certificates.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    certificates.dedup();
    match certificates.len() {
        1..=MOST => Ok(certificates),
        count => Err(CertificatesError::Count(count)),
    }
}

fn from_pem(pem: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let sections = pem::sections(pem.as_bytes(), &[Kind::Certificate])?;
    Ok(sections.into_iter().map(|section| CertificateDer::from(section.der.to_vec())).collect())
}

fn to_pem<'d>(certificates: impl Iterator<Item = &'d [u8]>) -> String {
    certificates.map(|der| pem::encode("CERTIFICATE", der).to_string()).collect()
}

/// Who receives a call, on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum OnDay {
    /// This route's system.
    Route(Arc<Route>),
    Nobody {
        /// The route that ended last.
        last: Option<Arc<Route>>,
        /// The route that begins next.
        next: Option<Arc<Route>>,
    },
    /// Two routes, which the store never holds by itself: it was written to by other means.
    Several(Uuid, Uuid),
}

/// Who receives a call between these two on `day`, by the routes of one service and environment.
pub fn on_day(routes: &[Arc<Route>], sender: Cvr, receiver: Cvr, day: Date) -> OnDay {
    among(routes.iter().filter(|route| route.carries(sender, receiver)), day)
}

/// The same of a service with one receiver for all: only a route from every authority to every authority carries its calls.
pub fn on_day_for_all(routes: &[Arc<Route>], day: Date) -> OnDay {
    among(routes.iter().filter(|route| route.is_for_all()), day)
}

/// Which of the routes that carry a call holds on `day`.
fn among<'r>(carrying: impl Iterator<Item = &'r Arc<Route>> + Clone, day: Date) -> OnDay {
    let of = |wanted: Standing| carrying.clone().filter(move |route| route.period.standing(day) == wanted);
    let mut holding = of(Standing::Holds);
    match (holding.next(), holding.next()) {
        (Some(one), Some(other)) => OnDay::Several(one.id, other.id),
        (Some(route), None) => OnDay::Route(Arc::clone(route)),
        (None, _) => OnDay::Nobody {
            last: of(Standing::Over).max_by_key(|route| route.period.to).map(Arc::clone),
            next: of(Standing::NotBegun).min_by_key(|route| route.period.from).map(Arc::clone),
        },
    }
}
