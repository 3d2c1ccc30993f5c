//! What the request may ask: the window, the person, the criteria (`policy`), and what token and agreements narrow it to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::agreement::Admitted;
use super::call::{Call, OfCall};
use super::step::Step;
use crate::audit::{self, Sealer};
use crate::clock::Clock;
use crate::policy::dates;
use crate::policy::document::Policy;
use crate::policy::kle::{Constraint, SensitivityConstraint};
use crate::policy::request::{self, Search};
use crate::policy::rules::{Naive, Outside, PersonCheck};
use crate::policy::window::Window;
use crate::refusal::Refusal;

/// A call that asks for no more than the law gives.
pub struct Permitted {
    admitted: Admitted,
    search: Search,
    policy: Arc<Policy>,
    kle: Constraint,
    sensitivity: SensitivityConstraint,
}

impl Permitted {
    /// The agreements, and who calls.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
    }
    /// The search as it will be sent.
    pub fn search(&self) -> &Search {
        &self.search
    }
    /// The policy that decided.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }
    /// The KLE numbers that token and agreements leave.
    pub fn kle(&self) -> &Constraint {
        &self.kle
    }
    /// The sensitivities that token and agreements leave.
    pub fn sensitivity(&self) -> &SensitivityConstraint {
        &self.sensitivity
    }
}

impl OfCall for Permitted {
    fn call(&self) -> &Call {
        self.admitted.call()
    }
}

/// The step.
pub struct RequestPolicyStep {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Seals the person for the audit record.
    pub sealer: Arc<Sealer>,
    /// The clock.
    pub clock: Clock,
}

impl Step for RequestPolicyStep {
    const NAME: &'static str = "request_policy";
    type In = Admitted;
    type Out = Permitted;

    async fn check(&self, admitted: Admitted) -> Result<Permitted, Refusal> {
        let policy = self.policy.clone();
        admitted.call().note(|record| {
            record.policy = Some(audit::PolicyRef {
                id: policy.id().to_owned(),
                version: policy.version().to_owned(),
                digest: crate::hex::encode(policy.digest()),
            });
            record.legal_basis = Some(policy.legal_basis().da.clone());
            record.settings = recorded_decisions(&policy);
        });
        // The agreement names its legal basis; the policy holds one. An agreement made for another gives no access here.
        for agreement in [admitted.front(), admitted.back()] {
            if agreement.legal_basis != policy.legal_basis().da {
                return Err(Refusal::ServiceAgreementNotActive { state: format!("hjemmel: {}", agreement.legal_basis) });
            }
        }
        let (kle, sensitivity) = constraints(&admitted)?;
        let rules = policy.request();
        let window = Window::at(self.clock.now(), rules.reading)?;
        let input = admitted.authenticated().request().ok_or(Refusal::OperationUnknown)?;
        let search = request::check(input, rules, &window, &kle)?;

        let person = self.sealer.seal(admitted.call().id(), search.person().expose()).map_err(|_| Refusal::AuditUnavailable)?;
        admitted.call().note(|record| {
            record.person = Some(person);
            record.window_asked = asked(&search);
            record.window_applied = Some(audit::Window { from: Some(window.from()), to: Some(window.to()) });
        });
        Ok(Permitted { admitted, search, policy, kle, sensitivity })
    }
}

/// The hull of what the call itself asked for; `None` where it named no date.
fn asked(search: &Search) -> Option<audit::Window> {
    let reads = |text: &str| dates::read(text, Naive::Copenhagen);
    let windows = search.asked_windows();
    let from = windows.iter().filter_map(|asked| reads(&asked.from)).map(|date| date.earliest()).min();
    let to = windows.iter().filter_map(|asked| reads(asked.to.as_ref().unwrap_or(&asked.from))).map(|date| date.latest()).max();
    (!windows.is_empty()).then_some(audit::Window { from, to })
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
    BTreeMap::from([("person_check".to_owned(), person_check.to_owned()), ("outside".to_owned(), outside.to_owned())])
}

/// Token and agreements on both sides: each that speaks must permit, so the narrower wins.
fn constraints(admitted: &Admitted) -> Result<(Constraint, SensitivityConstraint), Refusal> {
    let unreadable = |what: &str| Refusal::ServiceAgreementNotActive { state: format!("ulæselig afgrænsning {what}") };
    let caller = admitted.authenticated().caller();
    let (mut kle, mut sensitivity) = (caller.kle().clone(), caller.sensitivity().clone());
    for agreement in [admitted.front(), admitted.back()] {
        if !agreement.kle.is_empty() {
            kle = kle.and(agreement.kle.iter().map(String::as_str)).map_err(|what| unreadable(&what.0))?;
        }
        if !agreement.sensitivity.is_empty() {
            sensitivity =
                sensitivity.and(agreement.sensitivity.iter().map(String::as_str)).map_err(|what| unreadable(&what.0))?;
        }
    }
    Ok((kle, sensitivity))
}
