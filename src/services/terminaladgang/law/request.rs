//! Whether a search may be asked, and what is asked of the index in its place.
//!
//! [`check`] is the one way in. It answers with a [`Search`], whose fields are private: what is forwarded can be had
//! only from here, rebuilt from what was judged. Source: Lov om Udbetaling Danmark § 8, stk. 1, and the documented
//! service ("løbende måned + 3 måneder tilbage i tiden fra dags dato", inserted where absent, validated where present, never altered).
//!
//! The attacks, and where they stop: a window that binds only a part of the search ([`super::algebra`]); a date where it binds
//! nothing, a second element, a value split by a comment (`schema`); a criterion that tests what is never shown
//! (`criteria`); a payee in the person's stead, a search without a person ([`super::algebra::Tree::bound`], `bind_person`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use super::algebra::{Date, Unbound};
use super::criteria::{Criterion, Reader};
use super::decision::{Decided, Decision};
use super::delimit;
use super::forward;
use super::kle::Constraint;
use super::refusal::LawRefusal;
use super::rules::{Asked, RequestRules, Sorting};
use super::search::{Effectuation, Expression, Input, Node, Paging};
use super::window::Window;
use crate::id::cpr::Cpr;
use crate::id::kle::Kle;
use crate::refusal::{Detail, Refusal};
use crate::soap::document::Element;

/// What became of the window in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The call named no disposition date: W was inserted.
    Inserted,
    /// The call was delimited everywhere, inside W.
    Unchanged,
    /// The call reached outside and was rewritten. Departs from the documented service (`outside = "narrow"`).
    Narrowed,
}

/// A delimitation that the call itself asked for, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedWindow {
    /// Where it stood.
    pub place: String,
    /// The first date, inclusive; `∞` for none.
    pub from: String,
    /// The last, exclusive; `∞` for none. `None`: a point.
    pub to: Option<String>,
}

impl fmt::Display for AskedWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            Some(to) => write!(f, "{} – {to}", self.from),
            None => f.write_str(&self.from),
        }
    }
}

/// A search that may be sent. Made only by [`check`].
#[derive(Clone, PartialEq, Eq)]
pub struct Search {
    person: Cpr,
    outcome: Outcome,
    window: Window,
    asked_windows: Vec<AskedWindow>,
    forward: Vec<u8>,
    asked: Asked,
    sorting: Vec<Sorting>,
    kle_asked: Vec<Kle>,
    tested: BTreeSet<Criterion>,
    decisions: Vec<Decision>,
}

impl Search {
    /// The person asked about, P.
    pub fn person(&self) -> &Cpr {
        &self.person
    }
    /// What became of the window.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
    /// The window that the law gives, W. The answer is checked against it again.
    pub fn window(&self) -> &Window {
        &self.window
    }
    /// What the call itself asked for; empty where W was inserted.
    pub fn asked_windows(&self) -> &[AskedWindow] {
        &self.asked_windows
    }
    /// The `yi:FremsoegYdelseIndeksInput` to send: exclusive canonical form, self-contained. Holds the CPR number.
    pub fn forward(&self) -> &[u8] {
        &self.forward
    }
    /// Which parts of the answer the caller asked to see.
    pub fn asked(&self) -> Asked {
        self.asked
    }
    /// The keys asked to sort by.
    pub fn sorting(&self) -> &[Sorting] {
        &self.sorting
    }
    /// The KLE numbers asked for, in document order.
    pub fn kle_asked(&self) -> &[Kle] {
        &self.kle_asked
    }
    /// What the search tests.
    pub fn tested(&self) -> impl Iterator<Item = Criterion> {
        self.tested.iter().copied()
    }
    /// What was decided, and why.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
}

/// Without `forward`: it holds the person's number.
impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("outcome", &self.outcome).field("decisions", &self.decisions).finish_non_exhaustive()
    }
}

/// Checks a `yi:FremsoegYdelseIndeksInput` against the policy, and makes the search to send.
///
/// `window` is W today; `constraint` is what token and agreement say about KLE.
///
/// # Errors
/// `OperationUnknown`, `RequestInvalid`, `CommentRefused`, `DirectLookup`, `CriterionWithheld`, `TemporalCriterion`,
/// `SortingWithheld`, `IncludeRefused`, `PagingOutside`, `NotArity`, the `Person…`, `Date…` and `Window…` refusals,
/// `KleOutside`.
pub fn check(input: Element<'_>, rules: &RequestRules, window: &Window, constraint: &Constraint) -> Result<Search, Refusal> {
    let tested = RefCell::default();
    let mut input = Reader { rules, tested: &tested }.input(input)?;
    let mut decisions = Vec::new();

    let person = bind_person(&input.root, &mut decisions)?;
    let kle_asked = within_kle(&input.root, constraint, &mut decisions)?;
    let asked_windows = delimit::asked_windows(&input.root);
    let outcome = delimit::bound_dates(&mut input.root, rules, window, &mut decisions)?;
    cap_pages(&mut input.root, rules.page_cap, &mut decisions);
    let asked = widen_filter(&input, &mut decisions);

    let forward = forward::write(&input);
    let sorting = input.sorting.unwrap_or_default();
    Ok(Search {
        person,
        outcome,
        window: *window,
        asked_windows,
        forward,
        asked,
        sorting,
        kle_asked,
        tested: tested.into_inner(),
        decisions,
    })
}

/// The search is about one person, and everything in it is bound to that person.
fn bind_person(root: &Expression, decisions: &mut Vec<Decision>) -> Result<Cpr, Refusal> {
    let mut grants = Vec::new();
    root.visit(&mut |node| {
        if let Node::Grant(grant) = node {
            grants.push(grant);
        }
    });
    let Some(grant) = grants.first() else { return Err(LawRefusal::PersonMissing.into()) };
    // The payee may be a third person, so it binds nothing; naming another would ask about two.
    let payees = root.effectuations().into_iter().flat_map(|search| &search.payees).map(|payee| &payee.person);
    if grants.iter().map(|grant| &grant.person).chain(payees).any(|person| *person != grant.person) {
        return Err(LawRefusal::PersonSeveral.into());
    }
    let shape = |da: &str, en: &str| LawRefusal::PersonShape { what: Detail::new(da, en) };
    root.tree(&|_| Date::Absent).bound().map_err(|unbound| match unbound {
        Unbound::NoGrant => LawRefusal::PersonMissing,
        Unbound::Root => shape("det yderste udtryk er ikke et AND", "the root is not an AND"),
        Unbound::Below => {
            shape("der står et SoegBevillingIndeks under et OR eller et NOT", "a SoegBevillingIndeks stands below an OR or a NOT")
        }
        Unbound::Several => shape("SoegBevillingIndeks forekommer mere end én gang", "SoegBevillingIndeks occurs more than once"),
    })?;
    decisions.push(Decision { place: grant.place.clone(), decided: Decided::PersonBinds });
    Ok(grant.person.clone())
}

/// KLE numbers only narrow: one outside what token and agreement give is refused, none is answered within it.
fn within_kle(root: &Expression, constraint: &Constraint, decisions: &mut Vec<Decision>) -> Result<Vec<Kle>, Refusal> {
    let searches = root.effectuations();
    let asked: Vec<Kle> = searches.iter().flat_map(|search| &search.lines).filter_map(|line| line.kle.clone()).collect();
    if let Some(outside) = asked.iter().find(|kle| !constraint.permits(kle)) {
        return Err(LawRefusal::KleOutside { asked: outside.to_string() }.into());
    }
    if !constraint.is_constrained() {
        return Ok(asked);
    }
    // A line outside the constraint is removed from the answer and takes the sums with it; the hits must not reveal them.
    if searches.iter().any(|search| tests_sums(search)) {
        return Err(LawRefusal::CriterionWithheld { criterion: Detail::name("SamletBruttobeloeb") }.into());
    }
    if searches.iter().flat_map(|search| &search.lines).any(|line| line.kle.is_none()) {
        return Err(LawRefusal::CriterionWithheld {
            criterion: Detail::new(
                "OekonomiskYdelseEffektueringRelation uden Klassifikationsbeskrivelse",
                "OekonomiskYdelseEffektueringRelation without Klassifikationsbeskrivelse",
            ),
        }
        .into());
    }
    if asked.is_empty() {
        decisions.push(Decision { place: root.place.clone(), decided: Decided::KleKept });
    }
    Ok(asked)
}

fn tests_sums(search: &Effectuation) -> bool {
    let fields =
        search.properties.iter().any(|of| of.gross.is_some() || of.after_tax.is_some() || of.sent.is_some() || of.paid.is_some());
    let intervals =
        search.extensions.iter().any(|of| of.gross.is_some() || of.after_tax.is_some() || of.sent.is_some() || of.paid.is_some());
    fields || intervals
}

/// Every search has a page: the index would otherwise send all.
fn cap_pages(root: &mut Expression, cap: u64, decisions: &mut Vec<Decision>) {
    let mut cap_page = |place: &str, paging: &mut Paging| {
        if paging.most.is_none() {
            paging.most = Some(cap);
            decisions.push(Decision { place: place.to_owned(), decided: Decided::PageInserted { cap } });
        }
    };
    root.change(&mut |node| match node {
        Node::Grant(search) => cap_page(&search.place, &mut search.paging),
        Node::Effectuation(search) => cap_page(&search.place, &mut search.paging),
        Node::Expression(_) | Node::Not { .. } => {}
    });
}

/// What the caller asked to see; what the checks need beside it is asked of the index and not shown.
fn widen_filter(input: &Input, decisions: &mut Vec<Decision>) -> Asked {
    let asked = input.filter.as_ref().map_or(Asked::Everything, |filter| filter.asked);
    if let Asked::Parts { .. } = asked {
        decisions.push(Decision { place: "Filter".to_owned(), decided: Decided::FilterWidened });
    }
    asked
}
