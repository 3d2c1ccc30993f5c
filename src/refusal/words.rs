//! What the fields of a refusal may be, and how each is shown in Danish and in English.

use std::fmt::Display;
use std::sync::Arc;

/// A part of a text that tells in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    da: String,
    en: String,
}

impl Detail {
    /// The same told in Danish and in English.
    pub fn new(da: impl Into<String>, en: impl Into<String>) -> Self {
        Self { da: da.into(), en: en.into() }
    }

    /// What the message, the contract or the law calls by one name in both languages: an element, an attribute, a state.
    /// Up to the first white space, so that a sentence in one language cannot stand in for the other.
    pub fn name(name: &str) -> Self {
        let name = name.split_whitespace().next().unwrap_or_default();
        Self::new(name, name)
    }

    /// How far another clock is from ours, in words: positive is ahead of it. A sign in front of a number says nothing of
    /// which clock is meant.
    pub fn seconds_apart(ahead: i64) -> Self {
        let seconds = ahead.unsigned_abs();
        match ahead > 0 {
            true => Self::new(format!("{seconds} sekunder foran"), format!("{seconds} seconds ahead")),
            false => Self::new(format!("{seconds} sekunder bagud"), format!("{seconds} seconds behind")),
        }
    }

    /// The Danish words.
    pub fn da(&self) -> &str {
        &self.da
    }

    /// The English words.
    pub fn en(&self) -> &str {
        &self.en
    }
}

/// What a system behind the gateway is called in a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerName(Option<Arc<Detail>>);

impl PeerName {
    /// Not known where the refusal was made.
    pub const UNNAMED: Self = Self(None);

    /// Its name in Danish and in English, as it stands in the middle of a sentence.
    pub fn new(da: &str, en: &str) -> Self {
        Self(Some(Arc::new(Detail::new(da, en))))
    }

    /// One that has the same name in both languages: what the configuration calls it.
    pub fn named(name: &str) -> Self {
        Self(Some(Arc::new(Detail::name(name))))
    }

    /// Takes a name, unless it has one.
    pub(super) fn name(&mut self, name: &Self) {
        if self.0.is_none() {
            self.clone_from(name);
        }
    }

    /// For the documentation and tests.
    pub(super) fn sample() -> Self {
        Self::new("Ydelsesindekset", "the benefit index")
    }
}

/// A name of an element, with its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QName {
    /// The namespace; empty for none.
    pub namespace: String,
    /// The local name.
    pub local: String,
}

/// Names from a message, of which a fault says so many as a reader can use. No more of them is kept: an anonymous message can
/// hold ten thousands in a namespace as long as itself, and copies of that would fill the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QNames {
    names: Vec<QName>,
    more: bool,
}

impl QNames {
    /// The most that are said.
    const MOST: usize = 16;
    /// The longest namespace or name that is said, in bytes.
    const LONGEST: usize = 120;

    /// Takes note of one more.
    pub fn add(&mut self, namespace: &str, local: &str) {
        // One character beyond the longest shows that there was more.
        let kept = |text: &str| text.chars().take(Self::LONGEST + 1).collect::<String>();
        match self.names.len() < Self::MOST {
            true => self.names.push(QName { namespace: kept(namespace), local: kept(local) }),
            false => self.more = true,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Those that can be said whole and by a prefix.
    pub fn sayable(&self) -> impl Iterator<Item = &QName> {
        let short = |name: &&QName| name.namespace.len() <= Self::LONGEST && name.local.len() <= Self::LONGEST;
        self.names.iter().filter(|name| !name.namespace.is_empty()).filter(short)
    }
}

impl FromIterator<(&'static str, &'static str)> for QNames {
    fn from_iter<I: IntoIterator<Item = (&'static str, &'static str)>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|(namespace, local)| all.add(namespace, local));
        all
    }
}

impl Display for QNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |text: &str| text.chars().take(Self::LONGEST).collect::<String>();
        for (n, name) in self.names.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}{{{}}}{}", short(&name.namespace), short(&name.local))?;
        }
        if self.more { f.write_str(", …") } else { Ok(()) }
    }
}

/// How a field is shown in each language; a number, a date or a name is shown alike.
pub(crate) trait Shown {
    fn da(&self) -> &dyn Display;
    fn en(&self) -> &dyn Display;
}

impl<T: Display> Shown for T {
    fn da(&self) -> &dyn Display {
        self
    }
    fn en(&self) -> &dyn Display {
        self
    }
}

impl Shown for PeerName {
    fn da(&self) -> &dyn Display {
        match &self.0 {
            Some(name) => &name.da,
            None => &"det bagvedliggende system",
        }
    }
    fn en(&self) -> &dyn Display {
        match &self.0 {
            Some(name) => &name.en,
            None => &"the system behind the service",
        }
    }
}

impl Shown for Detail {
    fn da(&self) -> &dyn Display {
        &self.da
    }
    fn en(&self) -> &dyn Display {
        &self.en
    }
}
