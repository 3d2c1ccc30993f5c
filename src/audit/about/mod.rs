//! What a service adds to the record of a call, and what it demands of it before the call is admitted: one variant a service.
//!
//! A service begins its variant in the first step that is its own ([`About::from`]) and fills it in through the accessor of
//! that variant, which gives nothing in the record of another service.
//!
//! Beside it stands what decisions are on ([`Subject`]), for some of it is a single service's too.

use std::borrow::Cow;

mod counts;
pub mod facts;
mod file;
mod finance;
mod import;
mod passthrough;
mod subject;
mod tally;
mod terminaladgang;

pub use self::counts::Counts;
pub use self::file::AboutFile;
pub use self::finance::{AboutFinance, FinanceFigures};
pub use self::import::AboutPersons;
pub(super) use self::import::RUNNING_NUMBER;
pub use self::passthrough::AboutPassThrough;
pub use self::subject::Subject;
pub use self::tally::{Family, Tally};
pub use self::terminaladgang::{AboutTerminalAdgang, AskedFor, PolicyRef, Window};
use super::seal::{DeliveryMark, Sealed};
use super::wire::{Flat, NotARecord};

/// What the service adds to a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum About {
    /// Nothing yet: the call was refused, or left, before the service's own steps.
    #[default]
    Nothing,
    TerminalAdgang(Box<AboutTerminalAdgang>),
    /// A service from a folder of published files.
    PassThrough(Box<AboutPassThrough>),
    /// SF1590_A Finans.
    Finance(Box<AboutFinance>),
    /// A file that one system hands to another.
    File(Box<AboutFile>),
    /// An import of persons.
    Persons(Box<AboutPersons>),
}

impl From<AboutPersons> for About {
    fn from(about: AboutPersons) -> Self {
        Self::Persons(Box::new(about))
    }
}

impl From<AboutFile> for About {
    fn from(about: AboutFile) -> Self {
        Self::File(Box::new(about))
    }
}

impl From<AboutTerminalAdgang> for About {
    fn from(about: AboutTerminalAdgang) -> Self {
        Self::TerminalAdgang(Box::new(about))
    }
}

impl From<AboutPassThrough> for About {
    fn from(about: AboutPassThrough) -> Self {
        Self::PassThrough(Box::new(about))
    }
}

impl From<AboutFinance> for About {
    fn from(about: AboutFinance) -> Self {
        Self::Finance(Box::new(about))
    }
}

impl About {
    /// What is counted of calls in the services' own words ([`Record::tallies`](super::Record::tallies)), whatever services there are.
    pub fn families() -> impl Iterator<Item = Family> {
        finance::FAMILIES.into_iter().chain(import::FAMILIES)
    }

    /// What TerminalAdgang added; `None` in the record of another service.
    pub fn terminaladgang(&self) -> Option<&AboutTerminalAdgang> {
        match self {
            Self::TerminalAdgang(about) => Some(about),
            Self::Nothing | Self::PassThrough(_) | Self::Finance(_) | Self::File(_) | Self::Persons(_) => None,
        }
    }

    /// The same, to fill in.
    pub fn terminaladgang_mut(&mut self) -> Option<&mut AboutTerminalAdgang> {
        match self {
            Self::TerminalAdgang(about) => Some(about),
            Self::Nothing | Self::PassThrough(_) | Self::Finance(_) | Self::File(_) | Self::Persons(_) => None,
        }
    }

    /// What a pass-through service added; `None` in the record of another service.
    pub fn passthrough(&self) -> Option<&AboutPassThrough> {
        match self {
            Self::PassThrough(about) => Some(about),
            Self::Finance(about) => Some(&about.pass),
            Self::Nothing | Self::TerminalAdgang(_) | Self::File(_) | Self::Persons(_) => None,
        }
    }

    /// The same, to fill in.
    pub fn passthrough_mut(&mut self) -> Option<&mut AboutPassThrough> {
        match self {
            Self::PassThrough(about) => Some(about),
            Self::Finance(about) => Some(&mut about.pass),
            Self::Nothing | Self::TerminalAdgang(_) | Self::File(_) | Self::Persons(_) => None,
        }
    }

    /// What Finans added, to fill in; `None` in the record of another service.
    pub fn finance_mut(&mut self) -> Option<&mut AboutFinance> {
        match self {
            Self::Finance(about) => Some(about),
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::File(_) | Self::Persons(_) => None,
        }
    }

    /// The same, to read.
    pub fn finance(&self) -> Option<&AboutFinance> {
        match self {
            Self::Finance(about) => Some(about),
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::File(_) | Self::Persons(_) => None,
        }
    }

    /// What was in a delivery of vouchers, by whatever way it came.
    pub fn vouchers(&self) -> Option<&FinanceFigures> {
        match self {
            Self::Finance(about) => Some(&about.figures),
            Self::File(about) => about.finance.as_ref(),
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::Persons(_) => None,
        }
    }

    /// What became of persons that were imported, by whatever way they came.
    pub fn persons(&self) -> Option<&AboutPersons> {
        match self {
            Self::Persons(about) => Some(about),
            Self::File(about) => about.import.as_ref(),
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::Finance(_) => None,
        }
    }

    /// The same of a call, to fill in; `None` in the record of another service.
    pub fn persons_mut(&mut self) -> Option<&mut AboutPersons> {
        match self {
            Self::Persons(about) => Some(about),
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::Finance(_) | Self::File(_) => None,
        }
    }

    /// What is said of a file, to fill in; `None` in the record of a call.
    pub fn file_mut(&mut self) -> Option<&mut AboutFile> {
        match self {
            Self::File(about) => Some(about),
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::Finance(_) | Self::Persons(_) => None,
        }
    }

    /// Whether it came by a security binding. A file did not: its certificate is the fingerprint of the key that its sender was logged on with.
    pub(super) fn has_binding(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::Finance(_) | Self::Persons(_) => true,
        }
    }

    /// Whether the call goes on to somebody behind the gateway, by an agreement there and under a number of ours.
    pub(super) fn goes_on(&self) -> bool {
        match self {
            Self::Persons(_) => false,
            Self::Nothing | Self::TerminalAdgang(_) | Self::PassThrough(_) | Self::Finance(_) | Self::File(_) => true,
        }
    }

    /// What was released of an answer and what was removed, where the service judges that.
    pub fn counts(&self) -> Option<(&Counts, &Counts)> {
        match self {
            Self::TerminalAdgang(about) => Some((&about.released, &about.removed)),
            Self::Nothing | Self::PassThrough(_) | Self::Finance(_) | Self::File(_) | Self::Persons(_) => None,
        }
    }

    /// Whether the call carries the delivery with this mark.
    pub fn carries(&self, mark: &DeliveryMark) -> bool {
        match self {
            Self::PassThrough(about) => about.delivery.as_ref() == Some(mark),
            Self::Finance(about) => about.pass.delivery.as_ref() == Some(mark),
            Self::Nothing | Self::TerminalAdgang(_) | Self::File(_) | Self::Persons(_) => false,
        }
    }

    /// What it comes to, in a line for whoever reads the log.
    pub fn summary(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::TerminalAdgang(about) => Some(about.summary()),
            Self::PassThrough(about) => Some(about.summary()),
            Self::Finance(about) => Some(about.summary()),
            Self::File(about) => Some(about.summary()),
            Self::Persons(about) => Some(about.summary()),
        }
    }

    /// What it says, for whoever reads a record.
    pub fn facts(&self) -> facts::Facts<'_> {
        match self {
            Self::Nothing => facts::Facts::default(),
            Self::TerminalAdgang(about) => about.facts(),
            Self::PassThrough(about) => about.facts(),
            Self::Finance(about) => about.facts(),
            Self::File(about) => about.facts(),
            Self::Persons(about) => {
                let mut facts = facts::Facts::default();
                about.add_to(&mut facts);
                facts
            }
        }
    }

    /// What the service demands of a record of admission that names `persons`, and this one does not say.
    pub(super) fn missing_for_admission(&self, persons: &[Sealed]) -> Option<&'static str> {
        match self {
            Self::Nothing => Some("about"),
            Self::TerminalAdgang(about) => about.missing_for_admission(persons),
            Self::PassThrough(about) => about.missing_for_admission(),
            Self::Finance(about) => about.pass.missing_for_admission(),
            Self::File(about) => about.missing_for_admission(),
            Self::Persons(_) => None,
        }
    }

    /// Puts it into the record's line.
    pub(super) fn write<'r>(&'r self, line: &mut Flat<'r>) {
        match self {
            // As a service that counts begins: what reads the log has always found both.
            Self::Nothing => (line.released, line.removed) = (Some(Cow::default()), Some(Cow::default())),
            Self::TerminalAdgang(about) => about.write(line),
            Self::PassThrough(about) => about.write(line),
            Self::Finance(about) => about.write(line),
            Self::File(about) => about.write(line),
            Self::Persons(about) => about.write(line),
        }
    }

    /// What a record's line says.
    pub(super) fn read(line: &Flat<'_>) -> Result<Self, NotARecord> {
        let counts = line.released.is_some() || line.removed.is_some();
        let of_calls = counts || AboutTerminalAdgang::is_in(line) || AboutPassThrough::is_in(line) || line.finance.is_some();
        if let Some(file) = line.file.as_deref() {
            let others = of_calls || line.import.is_some();
            return if others { Err(NotARecord::Mixed) } else { Ok(file.clone().into()) };
        }
        if let Some(import) = line.import.as_deref() {
            return if of_calls { Err(NotARecord::Mixed) } else { Ok(import.clone().into()) };
        }
        match (AboutTerminalAdgang::is_in(line), AboutPassThrough::is_in(line)) {
            (false, _) if line.finance.is_some() && line.schema.is_none() => Err(NotARecord::Without("schema")),
            (false, false) => Ok(Self::Nothing),
            (true, _) if line.finance.is_some() => Err(NotARecord::Mixed),
            (true, false) => AboutTerminalAdgang::read(line).map(Self::from),
            (false, true) if !counts && line.finance.is_some() => AboutFinance::read(line).map(Self::from),
            (false, true) if !counts => AboutPassThrough::read(line).map(Self::from),
            (_, true) => Err(NotARecord::Mixed),
        }
    }
}
