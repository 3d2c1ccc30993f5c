//! What the request may ask: the window, the person, the criteria (`policy`), and what token and agreements narrow it to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agreements::Agreement;
use crate::audit;
use crate::clock::Clock;
use crate::gateway::agreement::Admitted;
use crate::gateway::call::{Call, OfCall};
use crate::gateway::step::Check;
use crate::refusal::{Detail, Refusal};
use crate::services::terminaladgang::law::dates;
use crate::services::terminaladgang::law::document::Policy;
use crate::services::terminaladgang::law::history::Timetable;
use crate::services::terminaladgang::law::kle::{Constraint, SensitivityConstraint};
use crate::services::terminaladgang::law::request::{self, Search};
use crate::services::terminaladgang::law::rules::{Future, Naive, Outside, PersonCheck};
use crate::services::terminaladgang::law::window::Window;
use crate::soap::document::Element;

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
    let (kle, sensitivity) = constraints(token, agreements)?;
    let window = Window::at(now, policy.request().reading)?;
    let search = request::check(input, policy.request(), &window, &kle)?;
    Ok(Judged { search, kle, sensitivity })
}

/// A call that asks for no more than the law gives.
pub struct Permitted {
    admitted: Admitted,
    judged: Judged,
    policy: Arc<Policy>,
}

impl Permitted {
    /// The agreements, and who calls.
    pub fn admitted(&self) -> &Admitted {
        &self.admitted
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
        self.admitted.call()
    }
}

/// The step.
pub struct RequestPolicyStep {
    /// Every version of the policy; the call's instant decides which holds.
    pub policies: Arc<Timetable>,
    /// The clock.
    pub clock: Clock,
}

impl Check for RequestPolicyStep {
    const NAME: &'static str = "request_policy";
    type In = Admitted;
    type Out = Permitted;

    async fn check(&self, admitted: Admitted) -> Result<Permitted, Refusal> {
        let now = self.clock.now();
        let policy = self.policies.at(now).cloned().ok_or(Refusal::Internal)?;
        admitted.call().note(|record| {
            record.policy = Some(audit::PolicyRef {
                id: policy.id().to_owned(),
                version: policy.version().to_owned(),
                digest: crate::hex::encode(policy.digest()),
            });
            record.legal_basis = Some(policy.legal_basis().da.clone());
            record.settings = recorded_decisions(&policy);
        });
        let input = admitted.authenticated().request().ok_or(Refusal::OperationUnknown)?;
        let caller = admitted.authenticated().caller();
        let token = (caller.kle().clone(), caller.sensitivity().clone());
        let judged = judge(&policy, now, input, token, &[admitted.front(), admitted.back()])?;

        let (search, window) = (&judged.search, judged.search.window());
        if !admitted.named().holds(search.person()) {
            tracing::error!(call = %admitted.call().id(), "the person of a permitted search is not sealed in the record");
            return Err(Refusal::Internal);
        }
        admitted.call().note(|record| {
            record.window_asked = asked(search);
            record.window_applied = Some(audit::Window { from: Some(window.from()), to: Some(window.to()) });
        });
        Ok(Permitted { admitted, judged, policy })
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
    let future = match policy.release().future() {
        Future::Release => "release",
        Future::Withhold => "withhold",
    };
    let settings = [("person_check", person_check), ("outside", outside), ("future", future)];
    settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Token and agreements on both sides: each that speaks must permit, so the narrower wins.
fn constraints(
    (mut kle, mut sensitivity): (Constraint, SensitivityConstraint),
    agreements: &[&Agreement],
) -> Result<(Constraint, SensitivityConstraint), Refusal> {
    let unreadable = |what: &str| Refusal::ServiceAgreementNotActive {
        state: Detail::new(format!("ulæselig afgrænsning {what}"), format!("unreadable constraint {what}")),
    };
    for agreement in agreements {
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
