//! Value lists (*sortimenter*): which codes a specialist system may send, in versions with a period.
//!
//! A [`List`] is one version: part lists with their codes. An authority may supplement it, in the part lists that allow it, by
//! lists of its own with the same id and version: on a day the one holds that began last. Days are civil days in Denmark; a last
//! day is included.

pub mod csv;
pub mod diff;
pub mod xml;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use uuid::Uuid;

use crate::id::cvr::Cvr;
use crate::text::line;

/// The most codes of one version.
pub const MOST_CODES: usize = 100_000;

/// How many problems of a list are reported.
const MOST_TOLD: usize = 50;

/// One version of a value list, common or an authority's supplement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct List {
    /// The value list.
    pub id: Uuid,
    pub name: String,
    pub version: String,
    /// The first day on which it holds.
    pub from: Date,
    /// The last; `None` for no end.
    pub to: Option<Date>,
    /// The authority whose supplement it is; `None` for what is common to all.
    pub authority: Option<Cvr>,
    /// The part lists, by name.
    pub parts: BTreeMap<String, Part>,
}

/// A part list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Part {
    /// Whether authorities may add codes.
    pub supplement: bool,
    /// Whether a posting with a code of it must name a party.
    pub party: bool,
    pub codes: BTreeMap<String, Entry>,
}

/// A code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names say it
pub struct Entry {
    /// What it means.
    pub name: String,
    pub class: Option<Uuid>,
    pub sensitivity: Option<u8>,
    /// The first day on which it holds, where that is not the version's.
    pub from: Option<Date>,
    /// The last.
    pub to: Option<Date>,
}

impl Entry {
    /// Whether it holds on a day on which its version does.
    pub fn holds_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

impl List {
    fn holds_on(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }

    /// How many codes it has.
    pub fn codes(&self) -> usize {
        self.parts.values().map(|part| part.codes.len()).sum()
    }

    /// What is wrong with it by itself.
    ///
    /// # Errors
    /// Everything, each in a sentence with what to do.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        for (what, text) in [("Version", &self.version), ("Navn", &self.name)] {
            match line(text) {
                Ok(_) if text.trim() != text => {
                    wrong.push(format!("{what} is empty or has white space at its ends; write it without."));
                }
                Ok(_) => {}
                Err(unfit) => wrong.push(format!("{what} cannot be used: {}; correct it.", unfit.describe().en())),
            }
        }
        if self.to.is_some_and(|to| to < self.from) {
            wrong.push("GyldigTil is before GyldigFra; correct one of them.".to_owned());
        }
        match self.codes() {
            0 => wrong.push("There is no code in it; write at least one.".to_owned()),
            1..=MOST_CODES => {}
            more => wrong.push(format!("There are {more} codes in it, and {MOST_CODES} is the most; divide the list.")),
        }
        for (part, content) in &self.parts {
            let told = shown(part);
            for (code, entry) in &content.codes {
                // Whoever publishes the list signs what the screen says of it, and others open it as a table.
                let unfit = [part, code].into_iter().chain(Some(&entry.name).filter(|name| !name.is_empty()));
                if let Some(unfit) = unfit.filter_map(|text| line(text).err()).next() {
                    let (code, unfit) = (shown(code), unfit.describe());
                    wrong.push(format!(
                        "{told}: the code \"{code}\", the name of it or of its part list cannot be used: {}; correct it.",
                        unfit.en()
                    ));
                }
                if [part, code].iter().any(|text| text.is_empty() || text.trim() != text.as_str() || text.chars().count() > 64) {
                    wrong.push(format!(
                        "{told}: the code \"{}\" cannot be sent; use 1 to 64 characters without white space at the ends.",
                        shown(code)
                    ));
                }
                if entry.sensitivity.is_some_and(|level| !(1..=9).contains(&level)) {
                    wrong.push(format!("{told}: Foelsomhedsniveau of {} is not a number from 1 to 9; correct it.", shown(code)));
                }
                if entry.from.zip(entry.to).is_some_and(|(from, to)| to < from) {
                    wrong.push(format!("{told}: GyldigTil of {} is before its GyldigFra; correct one of them.", shown(code)));
                }
            }
        }
        if wrong.len() > MOST_TOLD {
            wrong.truncate(MOST_TOLD);
            wrong.push("There are more; correct these first.".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// The value lists of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists(BTreeMap<Uuid, BTreeMap<String, Version>>);

/// A version, and its supplements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Version {
    common: Option<Arc<List>>,
    /// Of each authority, by first day.
    supplements: BTreeMap<Cvr, BTreeMap<Date, Arc<List>>>,
}

/// What is known of the version that a delivery names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing<'l> {
    /// There is no such list.
    NoList,
    /// It has no such version.
    NoVersion,
    /// This is it.
    Known(Known<'l>),
}

/// A version as it is for one authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<'l> {
    common: &'l List,
    supplements: Option<&'l BTreeMap<Date, Arc<List>>>,
}

impl Lists {
    /// The lists, with what is wrong between them.
    ///
    /// # Errors
    /// Everything that keeps them from being used together.
    pub fn new<L: Into<Arc<List>>>(lists: impl IntoIterator<Item = L>) -> Result<Self, Vec<String>> {
        let (mut known, mut wrong): (BTreeMap<Uuid, BTreeMap<String, Version>>, Vec<String>) = (BTreeMap::new(), Vec::new());
        for list in lists {
            let list: Arc<List> = list.into();
            let version = known.entry(list.id).or_default().entry(list.version.clone()).or_default();
            let (told, twice) = (describe(&list), "stands twice; keep one.");
            let before = match list.authority {
                None => version.common.replace(list),
                Some(authority) => version.supplements.entry(authority).or_default().insert(list.from, list),
            };
            if before.is_some() {
                wrong.push(format!("{told} {twice}"));
            }
        }
        for version in known.values().flat_map(BTreeMap::values) {
            for supplement in version.supplements.values().flat_map(BTreeMap::values) {
                let told = describe(supplement);
                let Some(common) = &version.common else {
                    wrong.push(format!(
                        "{told} supplements a list that is not here; import the common list of that version first."
                    ));
                    continue;
                };
                let within = common.from <= supplement.from && common.to.is_none_or(|to| supplement.from <= to);
                if !within {
                    wrong.push(format!("{told} begins on a day on which the common list does not hold; correct GyldigFra."));
                }
                let closed = supplement.parts.keys().filter(|part| !common.parts.get(*part).is_some_and(|part| part.supplement));
                wrong.extend(closed.map(|part| {
                    format!("{told} has codes in {part}, which the common list does not let authorities supplement; remove them.")
                }));
            }
        }
        if wrong.is_empty() { Ok(Self(known)) } else { Err(wrong) }
    }

    /// What is known of a version, as it is for the authority that sends.
    pub fn standing(&self, id: Uuid, version: &str, sender: Cvr) -> Standing<'_> {
        let Some(versions) = self.0.get(&id) else { return Standing::NoList };
        match versions.get(version) {
            Some(Version { common: Some(common), supplements }) => {
                Standing::Known(Known { common, supplements: supplements.get(&sender) })
            }
            _ => Standing::NoVersion,
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &List> {
        let versions = self.0.values().flat_map(BTreeMap::values);
        let lists =
            versions.flat_map(|version| version.common.iter().chain(version.supplements.values().flat_map(BTreeMap::values)));
        lists.map(Arc::as_ref)
    }
}

/// A text of a file as a problem may show it: its beginning, and nothing that acts on the screen.
fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

/// A list by name, in a text for operators.
pub fn describe(list: &List) -> String {
    let of = list.authority.map_or_else(String::new, |authority| format!(" for {authority} from {}", list.from));
    format!("{} {}{of}", list.id, list.version)
}

impl<'l> Known<'l> {
    /// From when the version holds.
    pub fn from(&self) -> Date {
        self.common.from
    }

    /// Whether the version holds on a day.
    pub fn holds_on(&self, day: Date) -> bool {
        self.common.holds_on(day)
    }

    /// Each code that holds on a day, by part list: of two entries for one code, the supplement's.
    pub fn codes(&self, day: Date) -> impl Iterator<Item = (&'l str, &'l str, &'l Entry)> {
        let own = self.supplements.into_iter().flat_map(BTreeMap::values).map(Arc::as_ref);
        let mut codes = BTreeMap::new();
        for list in std::iter::once(self.common).chain(own) {
            for (part, content) in &list.parts {
                for (code, entry) in &content.codes {
                    if self.code(part, code, entry.class, day) == Some(true) {
                        codes.insert((part.as_str(), code.as_str()), entry);
                    }
                }
            }
        }
        codes.into_iter().map(|((part, code), entry)| (part, code, entry))
    }

    /// Whether a code of this part list demands a party.
    pub fn demands_party(&self, part: &str) -> bool {
        self.common.parts.get(part).is_some_and(|part| part.party)
    }

    /// Whether a code holds on a day, in the common list or in the supplement of that day; `None` where neither has it. A code
    /// that is sent with another class than the list's is another code.
    pub fn code(&self, part: &str, code: &str, class: Option<Uuid>, day: Date) -> Option<bool> {
        let supplements = self.supplements.into_iter().flatten();
        // Of those that have begun the last takes the place of the others; one that begins later is known, and does not hold.
        let in_force = self.supplements.and_then(|all| all.range(..=day).next_back()).map(|(from, _)| *from);
        let own = supplements.map(|(from, list)| (list.as_ref(), Some(*from) == in_force && list.holds_on(day)));
        let mut known = None;
        for (list, in_force) in [(self.common, true)].into_iter().chain(own) {
            let entry = list.parts.get(part).and_then(|part| part.codes.get(code));
            let same = |entry: &&Entry| class.is_none() || entry.class.is_none() || entry.class == class;
            if let Some(entry) = entry.filter(same) {
                known = Some(known == Some(true) || in_force && entry.holds_on(day));
            }
        }
        known
    }
}
