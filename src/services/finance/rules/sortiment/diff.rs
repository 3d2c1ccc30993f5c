//! What a version of a value list changes: what may be sent that could not be sent before, and what no longer may be.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;

use super::{Entry, List, Part};

/// What a change does to those who send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Less may be sent: what is sent today may be refused.
    Narrows,
    /// More may be sent: ledgers need a mapping for it.
    Widens,
    /// Neither.
    Says,
}

impl Direction {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Narrows => "narrows",
            Self::Widens => "widens",
            Self::Says => "says",
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it does.
    pub direction: Direction,
    /// Where and what, in words.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7}  {}", self.direction.name(), self.what)
    }
}

/// What `new` changes against `old`, in the order of the lists.
pub fn diff(old: &List, new: &List) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut change = |direction, what: String| changes.push(Change { direction, what });
    if old.name != new.name {
        change(Direction::Says, format!("the name is {}", new.name));
    }
    let none = Part::default();
    for part in old.parts.keys().chain(new.parts.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (old.parts.get(part).unwrap_or(&none), new.parts.get(part).unwrap_or(&none));
        // Of a part list that is new or gone its codes say all.
        if old.parts.contains_key(part) && new.parts.contains_key(part) {
            match (before.party, after.party) {
                (false, true) => change(Direction::Narrows, format!("{part}: a posting must name a party")),
                (true, false) => change(Direction::Widens, format!("{part}: a posting need not name a party")),
                _ => {}
            }
            match (before.supplement, after.supplement) {
                (false, true) => change(Direction::Widens, format!("{part}: authorities may add codes")),
                (true, false) => change(Direction::Narrows, format!("{part}: authorities may no longer add codes")),
                _ => {}
            }
        }
        for code in before.codes.keys().chain(after.codes.keys()).collect::<BTreeSet<_>>() {
            match (before.codes.get(code), after.codes.get(code)) {
                (None, Some(entry)) => change(Direction::Widens, format!("{part} {code}: new{}", in_words(entry))),
                (Some(entry), None) => change(Direction::Narrows, format!("{part} {code}: gone{}", in_words(entry))),
                (Some(was), Some(is)) => entries(&format!("{part} {code}"), was, is, &mut change),
                (None, None) => {}
            }
        }
    }
    changes
}

fn in_words(entry: &Entry) -> String {
    if entry.name.is_empty() { String::new() } else { format!(" ({})", entry.name) }
}

fn entries(place: &str, was: &Entry, is: &Entry, tell: &mut impl FnMut(Direction, String)) {
    let day = |day: Option<Date>, none: &str| day.map_or_else(|| none.to_owned(), |day| day.to_string());
    let (first, last) = (Date::MIN, Date::MAX);
    if was.from != is.from {
        let later = is.from.unwrap_or(first) > was.from.unwrap_or(first);
        let direction = if later { Direction::Narrows } else { Direction::Widens };
        let (before, now) = (day(was.from, "the version's first day"), day(is.from, "the version's first day"));
        tell(direction, format!("{place}: holds from {now}, before from {before}"));
    }
    if was.to != is.to {
        let sooner = is.to.unwrap_or(last) < was.to.unwrap_or(last);
        let direction = if sooner { Direction::Narrows } else { Direction::Widens };
        let (before, now) = (day(was.to, "the version's end"), day(is.to, "the version's end"));
        tell(direction, format!("{place}: holds until {now}, before until {before}"));
    }
    match (was.class, is.class) {
        (was, is) if was == is => {}
        (None, Some(class)) => tell(Direction::Narrows, format!("{place}: has the class {class}")),
        (Some(_), None) => tell(Direction::Widens, format!("{place}: has no class any more")),
        (_, Some(class)) => tell(Direction::Narrows, format!("{place}: has another class, {class}")),
        (None, None) => {}
    }
    if was.sensitivity != is.sensitivity {
        let level = |level: Option<u8>| level.map_or_else(|| "none".to_owned(), |level| level.to_string());
        tell(
            Direction::Says,
            format!("{place}: the sensitivity is {}, before {}", level(is.sensitivity), level(was.sensitivity)),
        );
    }
    if was.name != is.name {
        tell(Direction::Says, format!("{place}: means {}, before {}", is.name, was.name));
    }
}
