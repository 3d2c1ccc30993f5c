//! What a service agreement is, and the life it may lead.
//!
//! (D) marks what a public source documents, (I) what is inferred. That an agreement is requested by the supplier and
//! approved or rejected by the authority is (D); the states and their Danish names are (I).

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::scope::Scope;
use super::terms::Terms;
use crate::id::cvr::Cvr;
use crate::refusal::Detail;

/// Which side of the gateway an agreement is for. The authority approves both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The client system may call the service on the authority's behalf.
    Front,
    /// The service may call what stands behind it on the authority's behalf.
    Back,
}

impl Side {
    /// The name in files and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Side::Front => "front",
            Side::Back => "back",
        }
    }
}

/// What part an authority plays, by a name that the services interpret: 1–32 of a–z, 0–9 and hyphen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Role(String);

impl Role {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        if is_plain_name(text) { Ok(Self(text.to_owned())) } else { Err(ModelError("a role is 1-32 of a-z, 0-9 and hyphen")) }
    }
}

/// What is written in files, paths and commands as it stands.
fn is_plain_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// An authority as the gateway's own register has it. The name is the only one that ever reaches an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its number in the central business register.
    pub cvr: Cvr,
    /// Its name for display.
    pub name: String,
    /// Its part in the services.
    pub role: Role,
}

/// The SHA-256 digest of a certificate's DER bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The thumbprint of a certificate, given its DER bytes.
    pub fn of_der(der: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

impl From<[u8; 32]> for Thumbprint {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for Thumbprint {
    type Err = ModelError;

    /// 64 hexadecimal digits of either case, with or without the colons that `openssl x509 -fingerprint` prints.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        crate::hex::decode(&text.replace(':', ""))
            .map(Self)
            .ok_or(ModelError("a certificate thumbprint is SHA-256: 64 hexadecimal digits"))
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> String {
        thumbprint.to_string()
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// The name of an environment, such as `prod`, `exttest` or `demo`: 1–32 of a–z, 0–9 and hyphen. An agreement for one
/// never opens another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Environment(String);

impl Environment {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Environment {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        if is_plain_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ModelError("an environment is 1-32 of a-z, 0-9 and hyphen, such as prod or exttest"))
        }
    }
}

impl TryFrom<String> for Environment {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<Environment> for String {
    fn from(environment: Environment) -> String {
        environment.0
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that the model does not have, and what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ModelError(pub &'static str);

/// Where an agreement stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// ANMODET: the supplier has asked, the authority has not answered.
    Requested,
    /// GODKENDT: the authority's signatory has approved it. The only state that opens anything.
    Approved,
    /// AFVIST: the authority said no.
    Rejected,
    /// TRUKKET: the supplier took the request back.
    Withdrawn,
    /// SUSPENDERET: stopped by the authority, until it is resumed or ended.
    Suspended,
    /// OPSAGT: ended by either party, at once or from the day on which the notice is over.
    Terminated,
    /// UDLØBET: its time ran out.
    Expired,
}

impl State {
    /// Every state, in the order of an agreement's life.
    pub const ALL: [State; 7] = [
        State::Requested,
        State::Approved,
        State::Rejected,
        State::Withdrawn,
        State::Suspended,
        State::Terminated,
        State::Expired,
    ];

    /// The Danish name, as files, store, faults and screens spell it.
    pub fn wire_name(self) -> &'static str {
        match self {
            State::Requested => "ANMODET",
            State::Approved => "GODKENDT",
            State::Rejected => "AFVIST",
            State::Withdrawn => "TRUKKET",
            State::Suspended => "SUSPENDERET",
            State::Terminated => "OPSAGT",
            State::Expired => "UDLØBET",
        }
    }

    /// Whether a decision may take an agreement from this state to `next`:
    ///
    /// ```text
    /// ANMODET -> GODKENDT | AFVIST | TRUKKET
    /// GODKENDT -> SUSPENDERET | OPSAGT | UDLØBET
    /// SUSPENDERET -> GODKENDT | OPSAGT | UDLØBET
    /// ```
    ///
    /// Every other state is final. That a suspended agreement can be resumed or ended is inferred (I): each opening still
    /// has a decision of its own, with its name, time and reason.
    pub fn may_become(self, next: State) -> bool {
        match self {
            State::Requested => matches!(next, State::Approved | State::Rejected | State::Withdrawn),
            State::Approved => matches!(next, State::Suspended | State::Terminated | State::Expired),
            State::Suspended => matches!(next, State::Approved | State::Terminated | State::Expired),
            State::Rejected | State::Withdrawn | State::Terminated | State::Expired => false,
        }
    }

    /// Whether an import may: as a decision may, but it never lifts a suspension.
    pub fn may_be_imported_as(self, next: State) -> bool {
        self.may_become(next) && (self, next) != (State::Suspended, State::Approved)
    }
}

impl FromStr for State {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        Self::ALL
            .into_iter()
            .find(|state| state.wire_name() == text)
            .ok_or(ModelError("a state is ANMODET, GODKENDT, AFVIST, TRUKKET, SUSPENDERET, OPSAGT or UDLØBET"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire_name())
    }
}

/// Whether an agreement holds at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Approved, begun and not over.
    Holds,
    /// Approved, but it begins later.
    NotBegun(Timestamp),
    /// Approved, but its time is over.
    Over,
    /// Not approved.
    State(State),
}

impl Standing {
    /// The state that it comes to, its period counted.
    pub fn state(self) -> State {
        match self {
            Standing::Holds | Standing::NotBegun(_) => State::Approved,
            Standing::Over => State::Expired,
            Standing::State(state) => state,
        }
    }

    /// The word that the refusal tells the caller.
    pub fn describe(self) -> Detail {
        match self {
            Standing::Holds => Detail::name(State::Approved.wire_name()),
            Standing::NotBegun(from) => {
                Detail::new(format!("{} fra {from}", State::Approved), format!("{} from {from}", State::Approved))
            }
            Standing::Over => Detail::name(State::Expired.wire_name()),
            Standing::State(state) => Detail::name(state.wire_name()),
        }
    }
}

/// Who asked for an agreement, and what was asked for, by the names of then: whoever approves it must know to whom the data go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Whose user it was; none: the gateway's operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Cvr>,
    /// Whether that is an authority; otherwise it is a company.
    #[serde(default)]
    pub authority: bool,
    /// What the register calls it, where it stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party_name: Option<String>,
    /// The user's name.
    pub by: String,
    /// What the system is called; none: it is in no register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// What the service is called, where the configuration has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A service agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its identity, in the audit record and on screens.
    pub id: Uuid,
    /// Front or back.
    pub side: Side,
    /// The client system: on the front the caller's, on the back the service itself as its peer knows it.
    pub system: Uuid,
    /// The client system's certificates, several while one replaces another. At least one on the front; on the back the
    /// gateway's own certificate is settled by its configuration, so there may be none.
    pub certificates: Vec<Thumbprint>,
    /// The gateway's service that the agreement belongs to, on either side.
    pub service: Uuid,
    /// The authority on whose behalf is called.
    pub authority: Cvr,
    /// Where it holds.
    pub environment: Environment,
    /// The first instant at which it holds.
    pub valid_from: Timestamp,
    /// The first instant at which it no longer holds; none if it has no end.
    pub valid_to: Option<Timestamp>,
    /// Where it stands.
    pub state: State,
    /// The paragraph that gives access, as the service names it.
    pub legal_basis: String,
    /// What the data may be used for.
    pub purpose: String,
    /// What it is narrowed to.
    pub scope: Scope,
    /// Who decided on the present state.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// What it has from the request that it is a line of; none where it was asked for by itself.
    pub terms: Option<Arc<Terms>>,
    /// The first instant at which it no longer holds, where it is OPSAGT with effect from later on, or suspended meanwhile.
    pub ends_at: Option<Timestamp>,
    /// Who asked for it; none where that was before it was kept.
    pub asked: Option<Arc<Asked>>,
    /// SHA-256 of the rules or the contract that it was approved under, where no request says it; none: it is bound to nothing yet.
    pub basis: Option<String>,
}

impl Agreement {
    /// SHA-256 of the rules or the contract that it was approved under.
    pub fn basis(&self) -> Option<&str> {
        self.terms.as_ref().and_then(|terms| terms.basis.as_deref()).or(self.basis.as_deref())
    }

    /// Whether both say the same, whatever was decided on either.
    pub fn has_terms_of(&self, other: &Agreement) -> bool {
        let decided_as_other = Agreement {
            state: other.state,
            decided_by: other.decided_by.clone(),
            decided_at: other.decided_at,
            reason: other.reason.clone(),
            ends_at: other.ends_at,
            asked: other.asked.clone(),
            basis: other.basis.clone(),
            ..self.clone()
        };
        decided_as_other == *other
    }

    /// Whether the decision that this agreement stands by is `decision`.
    pub fn stands_by(&self, decision: &Decision) -> bool {
        let when = decision.decided_at.is_none_or(|at| self.decided_at == Some(at));
        when && decision.to == self.state && decision.by == self.decided_by && decision.reason == self.reason
    }

    /// Whether it holds at `at`. The period is `[valid_from, valid_to)`; one that is OPSAGT holds until its notice is over.
    pub fn standing(&self, at: Timestamp) -> Standing {
        let open = match self.state {
            State::Approved => true,
            State::Terminated => self.ends_at.is_some_and(|end| at < end),
            _ => false,
        };
        match self.state {
            state if !open => Standing::State(state),
            _ if at < self.valid_from => Standing::NotBegun(self.valid_from),
            _ if self.valid_to.is_some_and(|end| end <= at) => Standing::Over,
            _ => Standing::Holds,
        }
    }

    /// Whether notice was given on it that is not over at `at`, whether or not it is suspended meanwhile.
    pub fn is_under_notice(&self, at: Timestamp) -> bool {
        matches!(self.state, State::Terminated | State::Suspended) && self.ends_at.is_some_and(|end| at < end)
    }

    /// Whether a decision at `at` may take it to `next`: as [`State::may_become`], and under notice it may still be suspended, end sooner,
    /// or go on after all; or be UDLØBET, where its period is over before the notice.
    pub fn may_become(&self, next: State, at: Timestamp) -> bool {
        let noticed = self.state == State::Terminated && self.is_under_notice(at);
        if noticed && next == State::Expired {
            return self.valid_to.is_some_and(|to| to <= at);
        }
        let over = self.state == State::Suspended && self.ends_at.is_some_and(|end| end <= at) && next == State::Approved;
        let by_notice = noticed && matches!(next, State::Approved | State::Suspended | State::Terminated);
        by_notice || (self.state.may_become(next) && !over)
    }

    /// Whether it is open at `at`: it may still open something, or do so again.
    pub fn is_open(&self, at: Timestamp) -> bool {
        matches!(self.state, State::Approved | State::Suspended) || self.is_under_notice(at)
    }

    /// Whether it may still open anything after `at`, or do so again: approved, suspended, or under notice until later, and its period goes on.
    /// What only was asked for does not.
    pub fn goes_on(&self, at: Timestamp) -> bool {
        let open = match self.state {
            State::Approved => true,
            State::Suspended => self.ends_at.is_none_or(|end| at < end),
            State::Terminated => self.ends_at.is_some_and(|end| at < end),
            State::Requested | State::Rejected | State::Withdrawn | State::Expired => false,
        };
        open && self.valid_to.is_none_or(|end| at < end)
    }

    /// The first instant at which it was over for good; none where it is not, or was never approved.
    pub fn over_from(&self) -> Option<Timestamp> {
        match self.state {
            State::Terminated => self.ends_at.or(self.decided_at),
            State::Suspended => self.ends_at,
            State::Expired => self.valid_to.or(self.decided_at),
            State::Requested | State::Approved | State::Rejected | State::Withdrawn => None,
        }
    }

    /// Its certificates, its period and what it is narrowed to, and the parties: what a new version of it keeps.
    pub fn same_parties(&self, other: &Agreement) -> bool {
        let parties = |a: &Agreement| (a.side, a.system, a.service, a.authority, a.environment.clone());
        parties(self) == parties(other)
    }
}

/// One decision on an agreement, as the history keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The state before; none when the agreement came in.
    pub from: Option<State>,
    /// The state after.
    pub to: State,
    /// Who decided.
    pub by: Option<String>,
    /// When it was made; none where nobody has decided yet, and for what an earlier release recorded.
    pub decided_at: Option<Timestamp>,
    /// When it was recorded.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_transitions_are_legal() {
        use State::*;
        let legal = [
            (Requested, Approved),
            (Requested, Rejected),
            (Requested, Withdrawn),
            (Approved, Suspended),
            (Approved, Terminated),
            (Approved, Expired),
            (Suspended, Approved),
            (Suspended, Terminated),
            (Suspended, Expired),
        ];
        for from in State::ALL {
            for to in State::ALL {
                assert_eq!(from.may_become(to), legal.contains(&(from, to)), "{from} to {to}");
                let imported = legal.contains(&(from, to)) && (from, to) != (Suspended, Approved);
                assert_eq!(from.may_be_imported_as(to), imported, "an import, {from} to {to}");
            }
        }
    }

    #[test]
    fn states_are_read_by_their_danish_names_only() {
        for state in State::ALL {
            assert_eq!(state.wire_name().parse(), Ok(state));
        }
        for wrong in ["godkendt", "APPROVED", "UDLOBET", ""] {
            assert!(wrong.parse::<State>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_thumbprint_is_read_as_openssl_prints_it() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"; // SHA-256 of the empty string, FIPS 180-4
        assert_eq!(Thumbprint::of_der(b"").to_string(), of_nothing);
        let with_colons = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        assert_eq!(with_colons.parse(), Ok(Thumbprint::of_der(b"")));
        let sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        assert!(sha1.parse::<Thumbprint>().is_err(), "a SHA-1 thumbprint can be forged");
    }

    #[test]
    fn environments_and_roles_are_plain_names() {
        for good in ["prod", "exttest", "demo-2"] {
            assert!(good.parse::<Environment>().is_ok());
            assert!(good.parse::<Role>().is_ok());
        }
        for bad in ["", "Prod", "prod ", "a/b", &"x".repeat(33)] {
            assert!(bad.parse::<Environment>().is_err(), "{bad:?}");
            assert!(bad.parse::<Role>().is_err(), "{bad:?}");
        }
    }
}
