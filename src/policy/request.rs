//! Whether a search may be asked, and what is asked of the index in its place.
//!
//! [`check`] is the one way in. It answers with a [`Search`], whose fields are private: what is forwarded can be had
//! only from here, rebuilt from what was judged. Source: Lov om Udbetaling Danmark § 8, stk. 1, and the documented
//! service ("aktuel måned + 3 måneder tilbage", inserted where absent, validated where present, never altered).
//!
//! The attacks, and where they stop: a window that binds only a part of the search ([`super::algebra`]); a date where it binds
//! nothing, a second element, a value split by a comment (`schema`); a criterion that tests what is never shown
//! (`criteria`); a payee in the person's stead, a search without a person ([`Tree::bound`], `bind_person`).

use std::fmt;

use super::algebra::{Date, Path, Tree, Unbound, Verdict};
use super::criteria::{Bound, DateText, Dates, Extension, Line, Reader};
use super::dates;
use super::forward;
use super::kle::{Constraint, Kle};
use super::person::Cpr;
use super::rules::{Asked, Naive, Outside, RequestRules, Sorting};
use super::search::{Carrier, Effectuation, Expression, Input, Node, Paging};
use super::window::Window;
use crate::refusal::Refusal;
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

/// One thing that the policy decided, for the record and for whoever asks why. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Where in the call.
    pub place: String,
    /// What was decided.
    pub what: String,
    /// On what ground.
    pub why: &'static str,
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
    let mut input = Reader { rules }.input(input)?;
    let mut decisions = Vec::new();

    let person = bind_person(&input.root, &mut decisions)?;
    let kle_asked = within_kle(&input.root, constraint, &mut decisions)?;
    let asked_windows = asked_windows(&input.root);
    let outcome = bound_dates(&mut input.root, rules, window, &mut decisions)?;
    cap_pages(&mut input.root, rules.page_cap, &mut decisions);
    let asked = widen_filter(&input, &mut decisions);

    let forward = forward::write(&input);
    let sorting = input.sorting.unwrap_or_default();
    Ok(Search { person, outcome, window: *window, asked_windows, forward, asked, sorting, kle_asked, decisions })
}

/// The search is about one person, and everything in it is bound to that person.
fn bind_person(root: &Expression, decisions: &mut Vec<Decision>) -> Result<Cpr, Refusal> {
    let mut grants = Vec::new();
    root.visit(&mut |node| {
        if let Node::Grant(grant) = node {
            grants.push(grant);
        }
    });
    let Some(grant) = grants.first() else { return Err(Refusal::PersonMissing) };
    // The payee may be a third person, so it binds nothing; naming another would ask about two.
    let payees = root.effectuations().into_iter().flat_map(|search| &search.payees).map(|payee| &payee.person);
    if grants.iter().map(|grant| &grant.person).chain(payees).any(|person| *person != grant.person) {
        return Err(Refusal::PersonSeveral);
    }
    let shape = |what: &str| Refusal::PersonShape { what: what.to_owned() };
    root.tree(&|_| Date::Absent).bound().map_err(|unbound| match unbound {
        Unbound::NoGrant => Refusal::PersonMissing,
        Unbound::Root => shape("the root is not an AND"),
        Unbound::Below => shape("a SoegBevillingIndeks stands below an OR or a NOT"),
        Unbound::Several => shape("SoegBevillingIndeks occurs more than once"),
    })?;
    decisions.push(Decision {
        place: grant.place.clone(),
        what: "the whole search is bound to the person".to_owned(),
        why: "a call names the person whose data is wanted; the service is no bulk extract",
    });
    Ok(grant.person.clone())
}

/// KLE numbers only narrow: one outside what token and agreement give is refused, none is answered within it.
fn within_kle(root: &Expression, constraint: &Constraint, decisions: &mut Vec<Decision>) -> Result<Vec<Kle>, Refusal> {
    let searches = root.effectuations();
    let asked: Vec<Kle> = searches.iter().flat_map(|search| &search.lines).filter_map(|line| line.kle.clone()).collect();
    if let Some(outside) = asked.iter().find(|kle| !constraint.permits(kle)) {
        return Err(Refusal::KleOutside { asked: outside.to_string() });
    }
    if !constraint.is_constrained() {
        return Ok(asked);
    }
    // A line outside the constraint is removed from the answer and takes the sums with it; the hits must not tell of them.
    if searches.iter().any(|search| tests_sums(search)) {
        return Err(Refusal::CriterionWithheld { criterion: "SamletBruttobeloeb".to_owned() });
    }
    if searches.iter().flat_map(|search| &search.lines).any(tests_unnamed_line) {
        return Err(Refusal::CriterionWithheld { criterion: "OekonomiskYdelseEffektueringRelation uden Klassifikationsbeskrivelse".to_owned() });
    }
    if asked.is_empty() {
        decisions.push(Decision {
            place: root.place.clone(),
            what: "no KLE number is asked for; the answer is kept within what is given".to_owned(),
            why: "token or agreement constrains KLE",
        });
    }
    Ok(asked)
}

fn tests_sums(search: &Effectuation) -> bool {
    let fields = search.properties.iter().any(|of| of.gross.is_some() || of.after_tax.is_some() || of.sent.is_some() || of.paid.is_some());
    let intervals = search.extensions.iter().any(|of| of.gross.is_some() || of.after_tax.is_some() || of.sent.is_some() || of.paid.is_some());
    fields || intervals
}

fn tests_unnamed_line(line: &Line) -> bool {
    line.kle.is_none()
}

/// What the call itself says about disposition dates, for the audit record.
fn asked_windows(root: &Expression) -> Vec<AskedWindow> {
    let mut asked = Vec::new();
    for search in root.effectuations() {
        let points = search.properties.iter().filter_map(|of| Some((&of.place, of.disposition.as_ref()?)));
        asked.extend(points.map(|(place, date)| AskedWindow { place: place.clone(), from: date.text.clone(), to: None }));
        let intervals = search.extensions.iter().filter_map(|of| Some((&of.place, of.disposition.as_ref()?)));
        asked.extend(intervals.map(|(place, of)| AskedWindow {
            place: place.clone(),
            from: of.from.text().to_owned(),
            to: Some(of.to.text().to_owned()),
        }));
    }
    asked
}

/// Every date that the search can return is inside W: inserted, as asked, narrowed, or refused.
fn bound_dates(root: &mut Expression, rules: &RequestRules, window: &Window, decisions: &mut Vec<Decision>) -> Result<Outcome, Refusal> {
    for search in root.effectuations() {
        sound_intervals(search, rules.outside, window)?;
    }
    let mut outcome = Outcome::Unchanged;
    if rules.outside == Outside::Narrow && narrow(root, window, decisions)? {
        outcome = Outcome::Narrowed;
    }
    let judge = |root: &Expression| tree(root, window).judge();
    match judge(root) {
        Verdict::Keep => {}
        Verdict::Insert { add } => {
            insert(root, add, window, decisions)?;
            outcome = Outcome::Inserted;
        }
        refused => return Err(refuse(root, &refused, window)),
    }
    // What is sent is judged once more as it stands: an insertion that does not bind must never leave.
    if judge(root) != Verdict::Keep {
        return Err(Refusal::Internal);
    }
    if outcome == Outcome::Unchanged {
        decisions.extend(root.effectuations().into_iter().map(|search| Decision {
            place: search.place.clone(),
            what: "the delimitation in the call stands".to_owned(),
            why: "it lies within the window of the law, and the service never alters one",
        }));
    }
    Ok(outcome)
}

fn tree(root: &Expression, window: &Window) -> Tree {
    root.tree(&|carrier| match carrier {
        Carrier::Properties(place) => place.disposition.as_ref().map_or(Date::Absent, |date| point(date, window)),
        Carrier::Extension(place) => place.disposition.as_ref().map_or(Date::Absent, |dates| interval(dates, window)),
    })
}

fn point(date: &DateText, window: &Window) -> Date {
    if window.contains(&date.readings) { Date::Inside } else { Date::Outside }
}

fn interval(dates: &Dates, window: &Window) -> Date {
    match (&dates.from, &dates.to) {
        (Bound::At(from), Bound::At(to)) if begins_inside(from, window) && ends_inside(to, window) => Date::Inside,
        _ => Date::Outside,
    }
}

fn begins_inside(from: &DateText, window: &Window) -> bool {
    window.from() <= from.readings.earliest()
}

fn ends_inside(to: &DateText, window: &Window) -> bool {
    to.readings.latest() <= window.to()
}

/// Both bounds are there (unless they will be narrowed), and in order.
fn sound_intervals(search: &Effectuation, outside: Outside, window: &Window) -> Result<(), Refusal> {
    for extension in &search.extensions {
        match extension.disposition.as_ref().map(|dates| (&dates.from, &dates.to)) {
            Some((Bound::At(from), Bound::At(to))) if from.readings.earliest() >= to.readings.latest() => {
                return Err(Refusal::WindowInverted { place: extension.place.clone() });
            }
            Some((Bound::Infinite, _) | (_, Bound::Infinite)) if outside == Outside::Refuse => {
                return Err(Refusal::WindowInfinite {
                    place: extension.place.clone(),
                    allowed_from: window.from_text(),
                    allowed_to: window.to_text(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Rewrites each interval to its intersection with W. Whether any was rewritten.
fn narrow(root: &mut Expression, window: &Window, decisions: &mut Vec<Decision>) -> Result<bool, Refusal> {
    let mut result = Ok(false);
    root.change(&mut |node| {
        let Node::Effectuation(search) = node else { return };
        for extension in &mut search.extensions {
            let place = extension.place.clone();
            let Some(dates) = extension.disposition.as_mut().filter(|dates| interval(dates, window) == Date::Outside) else { continue };
            match intersection(dates, window) {
                Some(within) => {
                    decisions.push(Decision {
                        place,
                        what: format!("narrowed from {} – {} to {} – {}", dates.from.text(), dates.to.text(), within.from.text(), within.to.text()),
                        why: "the policy says outside = \"narrow\", which departs from the documented service",
                    });
                    *dates = within;
                    result = result.clone().map(|_| true);
                }
                None => result = Err(outside(&place, &asked(dates), window)),
            }
        }
    });
    result
}

/// The part of an interval that lies in W; bounds that are inside keep their text. `None`: nothing is left.
fn intersection(dates: &Dates, window: &Window) -> Option<Dates> {
    let whole = inserted(window)?;
    let from = match &dates.from {
        Bound::At(from) if begins_inside(from, window) => Bound::At(from.clone()),
        _ => whole.from,
    };
    let to = match &dates.to {
        Bound::At(to) if ends_inside(to, window) => Bound::At(to.clone()),
        _ => whole.to,
    };
    let left = matches!((&from, &to), (Bound::At(from), Bound::At(to)) if from.readings.earliest() < to.readings.latest());
    left.then_some(Dates { from, to })
}

/// W as an interval.
fn inserted(window: &Window) -> Option<Dates> {
    let bound = |text: String| Some(Bound::At(DateText { readings: dates::read(&text, Naive::Refuse)?, text }));
    Some(Dates { from: bound(window.from_text())?, to: bound(window.to_text())? })
}

/// Puts W into every effectuation search, and with `add` into a new one beside the root's operands.
fn insert(root: &mut Expression, add: bool, window: &Window, decisions: &mut Vec<Decision>) -> Result<(), Refusal> {
    const WHY: &str = "the call names no disposition date; the law gives the last three months";
    let whole = inserted(window).ok_or(Refusal::Internal)?;
    root.change(&mut |node| {
        let Node::Effectuation(search) = node else { return };
        decisions.push(Decision { place: search.place.clone(), what: format!("{window} inserted"), why: WHY });
        if search.extensions.is_empty() {
            search.extensions.push(Extension::default());
        }
        for extension in &mut search.extensions {
            extension.disposition = Some(whole.clone());
        }
    });
    if add {
        let extension = Extension { disposition: Some(whole), ..Extension::default() };
        decisions.push(Decision { place: root.place.clone(), what: format!("a SoegOekonomiskEffektueringIndeks with {window} added"), why: WHY });
        root.operands.push(Node::Effectuation(Box::new(Effectuation {
            place: root.place.clone(),
            extensions: vec![extension],
            ..Effectuation::default()
        })));
    }
    Ok(())
}

fn refuse(root: &Expression, verdict: &Verdict, window: &Window) -> Refusal {
    let effectuation = |path: &Path| match root.at(path) {
        Some(Node::Effectuation(search)) => Some(search),
        _ => None,
    };
    match verdict {
        Verdict::Outside(path) => effectuation(path).map_or(Refusal::Internal, |search| outside_in(search, window)),
        Verdict::Open(path) => Refusal::WindowOpen {
            place: root.at(path).map_or(&*root.place, Node::place).to_owned(),
            allowed: window.to_string(),
        },
        Verdict::Apart(path) => effectuation(path).map_or(Refusal::Internal, |search| apart(search, window)),
        Verdict::Insert { .. } | Verdict::Keep => Refusal::Internal,
    }
}

fn outside_in(search: &Effectuation, window: &Window) -> Refusal {
    for properties in &search.properties {
        if let Some(date) = properties.disposition.as_ref().filter(|date| point(date, window) == Date::Outside) {
            return outside(&properties.place, &date.text, window);
        }
    }
    for extension in &search.extensions {
        if let Some(dates) = extension.disposition.as_ref().filter(|dates| interval(dates, window) == Date::Outside) {
            return outside(&extension.place, &asked(dates), window);
        }
    }
    Refusal::Internal
}

fn outside(place: &str, asked: &str, window: &Window) -> Refusal {
    Refusal::WindowOutside { place: place.to_owned(), asked: asked.to_owned(), allowed: window.to_string() }
}

fn asked(dates: &Dates) -> String {
    format!("{} – {}", dates.from.text(), dates.to.text())
}

fn apart(search: &Effectuation, window: &Window) -> Refusal {
    let properties = search.properties.iter().map(|of| &of.place);
    let place = properties.chain(search.extensions.iter().map(|of| &of.place)).next();
    Refusal::WindowApart { place: place.unwrap_or(&search.place).clone(), allowed: window.to_string() }
}

/// Every search has a page: the index would otherwise send all.
fn cap_pages(root: &mut Expression, cap: u64, decisions: &mut Vec<Decision>) {
    let mut cap_page = |place: &str, paging: &mut Paging| {
        if paging.most.is_none() {
            paging.most = Some(cap);
            decisions.push(Decision { place: place.to_owned(), what: format!("a page of {cap} inserted"), why: "none was asked for" });
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
        decisions.push(Decision {
            place: "Filter".to_owned(),
            what: "widened towards the index; the answer is narrowed to what was asked".to_owned(),
            why: "person, owner, date and KLE are checked in the answer",
        });
    }
    asked
}
