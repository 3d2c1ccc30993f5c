//! The dates of a search: kept as asked, inserted, narrowed, or refused.
//!
//! [`algebra`](super::algebra) gives the verdict on an expression; here it meets real dates and the window W.

use super::algebra::{Date, Path, Tree, Verdict};
use super::criteria::{Bound, DateText, Dates, Extension};
use super::dates;
use super::decision::{Decided, Decision};
use super::refusal::LawRefusal;
use super::request::{AskedWindow, Outcome};
use super::rules::{Naive, Outside, RequestRules};
use super::search::{Carrier, Effectuation, Expression, Node};
use super::window::Window;
use crate::refusal::Refusal;

/// Every date that the search can return is inside W: inserted, as asked, narrowed, or refused.
pub(super) fn bound_dates(
    root: &mut Expression,
    rules: &RequestRules,
    window: &Window,
    decisions: &mut Vec<Decision>,
) -> Result<Outcome, Refusal> {
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
    if outcome != Outcome::Inserted {
        let altered = |search: &Effectuation| decisions.iter().any(|decision| decision.place.starts_with(&search.place));
        let stand: Vec<_> = root.effectuations().into_iter().filter(|search| !altered(search)).collect();
        decisions.extend(stand.into_iter().map(|search| Decision {
            place: search.place.clone(),
            decided: Decided::Stands { asked: asked_by(search), window: *window },
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
                return Err(LawRefusal::WindowInverted { place: extension.place.clone() }.into());
            }
            Some((Bound::Infinite, _) | (_, Bound::Infinite)) if outside == Outside::Refuse => {
                return Err(LawRefusal::WindowInfinite {
                    place: extension.place.clone(),
                    allowed_from: window.from_text(),
                    allowed_to: window.to_text(),
                }
                .into());
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
            let Some(dates) = extension.disposition.as_mut().filter(|dates| interval(dates, window) == Date::Outside) else {
                continue;
            };
            match intersection(dates, window) {
                Some(within) => {
                    let (before, after) = (asked(dates), asked(&within));
                    decisions.push(Decision { place, decided: Decided::Narrowed { before, after } });
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
    let whole = inserted(window).ok_or(Refusal::Internal)?;
    root.change(&mut |node| {
        let Node::Effectuation(search) = node else { return };
        decisions.push(Decision { place: search.place.clone(), decided: Decided::Inserted { window: *window } });
        if search.extensions.is_empty() {
            search.extensions.push(Extension::default());
        }
        for extension in &mut search.extensions {
            extension.disposition = Some(whole.clone());
        }
    });
    if add {
        let extension = Extension { disposition: Some(whole), ..Extension::default() };
        decisions.push(Decision { place: root.place.clone(), decided: Decided::Added { window: *window } });
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
        Verdict::Open(path) => LawRefusal::WindowOpen {
            place: root.at(path).map_or(&*root.place, Node::place).to_owned(),
            allowed: window.to_string(),
        }
        .into(),
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
    LawRefusal::WindowOutside { place: place.to_owned(), asked: asked.to_owned(), allowed: window.to_string() }.into()
}

/// Every delimitation that one search asks for.
fn asked_by(search: &Effectuation) -> String {
    let points = search.properties.iter().filter_map(|of| Some(of.disposition.as_ref()?.text.clone()));
    let intervals = search.extensions.iter().filter_map(|of| of.disposition.as_ref().map(asked));
    points.chain(intervals).collect::<Vec<_>>().join(", ")
}

fn asked(dates: &Dates) -> String {
    format!("{} – {}", dates.from.text(), dates.to.text())
}

fn apart(search: &Effectuation, window: &Window) -> Refusal {
    let properties = search.properties.iter().map(|of| &of.place);
    let place = properties.chain(search.extensions.iter().map(|of| &of.place)).next();
    LawRefusal::WindowApart { place: place.unwrap_or(&search.place).clone(), allowed: window.to_string() }.into()
}

/// What the call itself says about disposition dates, for the audit record.
pub(super) fn asked_windows(root: &Expression) -> Vec<AskedWindow> {
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
