//! What the request may ask: the window, the person, the criteria (`policy`), and what token and agreements narrow it to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::INDEX_ACTION;
use super::owners::Owned;
use crate::agreements::{self, Agreement};
use crate::audit::{self, AboutTerminalAdgang};
use crate::clock::Clock;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::exchange::Outgoing;
use crate::gateway::route::Routed;
use crate::gateway::step::Check;
use crate::refusal::{Detail, Refusal};
use crate::saml::privileges::{self, Group};
use crate::services::terminaladgang::law::dates;
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::history::Timetable;
use crate::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use crate::services::terminaladgang::law::request::{self, Search};
use crate::services::terminaladgang::law::rules::{Asked, Future, Naive, Outside, PersonCheck};
use crate::services::terminaladgang::law::window::Window;
use crate::services::terminaladgang::names;
use crate::services::terminaladgang::scope::Scope;
use crate::soap::document::Element;
use crate::soap::envelope::Version;

/// What the policy made of a request. Opens nothing by itself: the step makes [`Permitted`] of it.
pub struct Judged {
    /// The search as it would be sent.
    pub search: Search,
    /// The KLE numbers that token and agreements leave.
    pub kle: Constraint,
    /// The sensitivities that token and agreements leave.
    pub sensitivity: SensitivityConstraint,
}

/// The step's verdict on a request at `now`: agreements must name the policy's legal basis, their constraints and the
/// token's narrow it, and the window, the person and the criteria are those of the policy.
///
/// # Errors
/// `ServiceAgreementNotActive` and the refusals of [`request::check`].
pub fn judge(
    policy: &Policy,
    now: jiff::Timestamp,
    input: Element<'_>,
    token: (Constraint, SensitivityConstraint),
    agreements: &[&Agreement],
) -> Result<Judged, Refusal> {
    // The agreement names its legal basis; the policy holds one. An agreement made for another gives no access here.
    if let Some(other) = agreements.iter().find(|agreement| agreement.legal_basis != policy.legal_basis().da) {
        return Err(Refusal::ServiceAgreementNotActive {
            state: Detail::new(
                format!("indgået med anden hjemmel: {}", other.legal_basis),
                format!("legal basis: {}", other.legal_basis),
            ),
        });
    }
    let (kle, sensitivity) = constraints(token, agreements.iter().map(|agreement| &agreement.scope))?;
    let window = Window::at(now, policy.request().reading)?;
    let search = request::check(input, policy.request(), &window, &kle)?;
    Ok(Judged { search, kle, sensitivity })
}

/// A call that asks for no more than the law gives.
pub struct Permitted {
    owned: Owned,
    judged: Judged,
    policy: Arc<Policy>,
}

impl Permitted {
    /// Whose benefits may be shown, the agreements, and who calls.
    pub fn owned(&self) -> &Owned {
        &self.owned
    }
    /// The search as it will be sent.
    pub fn search(&self) -> &Search {
        &self.judged.search
    }
    /// All that was judged.
    pub fn judged(&self) -> &Judged {
        &self.judged
    }
    /// The policy that decided.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }
}

impl OfCall for Permitted {
    fn call(&self) -> &Call {
        self.owned.call()
    }
}

/// The index is spoken to in SOAP 1.2, whatever the caller used.
impl Outgoing for Permitted {
    fn routed(&self) -> &Routed {
        self.owned.routed()
    }
    fn version(&self) -> Version {
        Version::V12
    }
    fn action(&self) -> &str {
        INDEX_ACTION
    }
    fn body(&self) -> &[u8] {
        self.search().forward()
    }
}

/// Judges the search by the policy of the call's instant, and writes what is asked of the index.
pub struct AskStep {
    /// Every version of the policy; the call's instant decides which holds.
    pub policies: Arc<Timetable>,
    /// Says which day "today" is, from which the window is reckoned.
    pub clock: Clock,
}

impl Check for AskStep {
    const NAME: &'static str = "request_policy";
    type In = Owned;
    type Out = Permitted;

    async fn check(&self, owned: Owned) -> Result<Permitted, Refusal> {
        let now = self.clock.now();
        let (policy, owned) = approved(&self.policies, now, owned)?;
        owned.call().note(|record| {
            let decides = audit::PolicyRef {
                id: policy.id().to_owned(),
                version: policy.version().to_owned(),
                digest: crate::hex::encode(policy.digest()),
            };
            record.legal_basis = Some(policy.legal_basis().da.clone());
            record.about = AboutTerminalAdgang::new(decides, recorded_decisions(&policy)).into();
        });
        let admitted = owned.admitted();
        let input = admitted
            .authenticated()
            .request()
            .ok_or_else(|| Refusal::OperationUnknown { operations: names::OPERATION.to_owned() })?;
        let caller = admitted.authenticated().caller();
        let token = narrowed(caller.privileges())?;
        let judged = judge(&policy, now, input, token, &[admitted.front(), owned.routed().back()])?;

        let (search, window) = (&judged.search, judged.search.window());
        if !admitted.named().holds(search.person().expose()) {
            tracing::error!(call = %admitted.call().id(), "the person of a permitted search is not sealed in the record");
            return Err(Refusal::Internal);
        }
        admitted.call().note(|record| {
            if let Some(about) = record.about.terminaladgang_mut() {
                about.asked = Some(asked_for(search));
                about.window_asked = asked(search);
                about.window_applied = Some(audit::Window { from: Some(window.from()), to: Some(window.to()) });
            }
        });
        Ok(Permitted { owned, judged, policy })
    }
}

/// The version that decides, and those whose benefits may be shown by it: no agreement is gone beyond.
fn approved(policies: &Timetable, now: jiff::Timestamp, owned: Owned) -> Result<(Arc<Policy>, Owned), Refusal> {
    let agreements = [&**owned.admitted().front(), &**owned.routed().back()];
    let policy = decides(policies, now, &agreements)?.clone();
    let owned = owned.approving(|agreement| agreement.basis().is_none_or(|basis| policies.covers(basis, &policy)))?;
    Ok((policy, owned))
}

/// The version of the policy by which a call is judged that stands on these agreements ([`Timetable::approved`]).
///
/// # Errors
/// `ServiceAgreementOutgrown`.
pub fn decides<'t>(policies: &'t Timetable, now: jiff::Timestamp, agreements: &[&Agreement]) -> Result<&'t Arc<Policy>, Refusal> {
    let in_force = policies.at(now).ok_or(Refusal::Internal)?;
    let bases: Vec<_> = agreements.iter().filter_map(|agreement| agreement.basis()).collect();
    policies.approved(now, &bases).ok_or_else(|| {
        agreements::basis::outgrown(&Detail::new(
            format!("reglernes version {}", in_force.version()),
            format!("version {} of the rules", in_force.version()),
        ))
    })
}

/// The hull of what the call itself asked for; `None` where it named no date.
fn asked(search: &Search) -> Option<audit::Window> {
    let reads = |text: &str| dates::read(text, Naive::Copenhagen);
    let windows = search.asked_windows();
    let from = windows.iter().filter_map(|asked| reads(&asked.from)).map(|date| date.earliest()).min();
    let to = windows.iter().filter_map(|asked| reads(asked.to.as_ref().unwrap_or(&asked.from))).map(|date| date.latest()).max();
    (!windows.is_empty()).then_some(audit::Window { from, to })
}

/// The most KLE numbers that a record holds; the rest is counted.
const KLE_TOLD: usize = 50;

/// What else the call asked for, in names of the contract.
fn asked_for(search: &Search) -> audit::AskedFor {
    let parts = match search.asked() {
        Asked::Everything => None,
        Asked::Nothing => Some(Vec::new()),
        Asked::Parts { properties, actors, lines } => {
            let parts = [(properties, "egenskaber"), (actors, "aktoer"), (lines, "oekonomiskeydelseeffektueringer")];
            Some(parts.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name.to_owned()).collect())
        }
    };
    let mut kle: Vec<_> = search.kle_asked().iter().map(ToString::to_string).collect();
    kle.sort_unstable();
    kle.dedup();
    let left_out = kle.len().saturating_sub(KLE_TOLD);
    kle.truncate(KLE_TOLD);
    audit::AskedFor {
        criteria: search.tested().map(|criterion| criterion.name().to_owned()).collect(),
        kle,
        kle_left_out: left_out as u64,
        sorting: search.sorting().iter().map(|key| key.element.as_str().to_owned()).collect(),
        parts,
    }
}

/// The settings by which the data controller departs from the documented service, named in every record.
fn recorded_decisions(policy: &Policy) -> BTreeMap<String, String> {
    let person_check = match policy.release().person_check() {
        PersonCheck::Prove => "prove",
        PersonCheck::TrustIndex => "trust-index",
    };
    let outside = match policy.request().outside {
        Outside::Refuse => "refuse",
        Outside::Narrow => "narrow",
    };
    let future = match policy.release().future() {
        Future::Release => "release",
        Future::Withhold => "withhold",
    };
    let settings = [("person_check", person_check), ("outside", outside), ("future", future)];
    settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What the token's privileges narrow the answer to.
///
/// Each group gives an access of its own, so KLE numbers add up over the groups, and a group that names none gives all.
/// Sensitivities do not add up: a value counts only where every group names it. Otherwise one group's kinds could be
/// seen at another group's sensitivity, which nobody gave.
///
/// # Errors
/// `TokenInvalid`, where a constraint cannot be read.
pub fn narrowed<'g>(groups: impl Iterator<Item = &'g Group>) -> Result<(Constraint, SensitivityConstraint), Refusal> {
    let unreadable = |what: &str| Refusal::TokenInvalid {
        what: Detail::new(
            format!("en rettigheds afgrænsning kan ikke læses: {what}"),
            format!("a privilege's constraint cannot be read: {what}"),
        ),
    };
    let groups: Vec<_> = groups.collect();
    let mut sensitivity = SensitivityConstraint::unconstrained();
    for values in groups.iter().filter_map(|group| group.constraint(privileges::Constraint::Sensitivity)) {
        sensitivity = sensitivity.and(values.iter().map(String::as_str)).map_err(|what| unreadable(&what.0))?;
    }
    let named: Option<Vec<_>> = groups.iter().map(|group| group.constraint(privileges::Constraint::Kle)).collect();
    let kle = match named {
        Some(named) if !named.is_empty() => {
            let patterns = named.into_iter().flatten().map(String::as_str);
            Constraint::unconstrained().and(patterns).map_err(|what| unreadable(&what.0))?
        }
        _ => Constraint::unconstrained(),
    };
    Ok((kle, sensitivity))
}

/// Whether every word of an agreement's scope is one that a call is judged by.
pub fn applies(scope: &agreements::Scope) -> bool {
    constraints((Constraint::unconstrained(), SensitivityConstraint::unconstrained()), [scope]).is_ok()
}

/// Token and agreements on both sides: each that speaks must permit, so the narrower wins.
fn constraints<'s>(
    (mut kle, mut sensitivity): (Constraint, SensitivityConstraint),
    scopes: impl IntoIterator<Item = &'s agreements::Scope>,
) -> Result<(Constraint, SensitivityConstraint), Refusal> {
    let unreadable = |what: &str| Refusal::ServiceAgreementNotActive {
        state: Detail::new(format!("ulæselig afgrænsning {what}"), format!("unreadable constraint {what}")),
    };
    for scope in scopes {
        let scope: Scope = scope.to()?;
        if !scope.kle.is_empty() {
            kle = kle.and(scope.kle.iter().map(String::as_str)).map_err(|what| unreadable(&what.0))?;
        }
        if !scope.sensitivity.is_empty() {
            let named = scope.sensitivity.iter().map(String::as_str);
            sensitivity = sensitivity.and(named).map_err(|what| unreadable(&what.0))?;
        }
    }
    Ok((kle, sensitivity))
}
