//! The people of the benefit index stub, their grants and what was paid: invented, and the same for the same seed.
//!
//! The index does not enforce what its guidance asks for, so a gateway that stands before it meets gaps and
//! contradictions. The population therefore holds, beside plain cases, every hazard that is known: see `generate`.

pub mod demo;
mod generate;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use uuid::Uuid;

use super::moment::Moment;

/// Udbetaling Danmark in tests and in the demo: clearly fictitious.
pub const UDK: &str = "99999991";
/// Korsbæk Kommune, the field's own test municipality.
pub const KORSBAEK: &str = "11111111";
/// The municipalities that own benefits; Korsbæk comes first.
pub const MUNICIPALITIES: [(&str, &str); 4] = [
    (KORSBAEK, "Korsbæk Kommune"),
    ("99999981", "Andeby Kommune"),
    ("99999982", "Lundeby Kommune"),
    ("99999983", "Søndermarke Kommune"),
];

/// What an index holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Population {
    /// The persons; the well-known ones of [`demo`] come first.
    pub persons: Vec<Person>,
    /// The grants (*bevillinger*).
    pub grants: Vec<Grant>,
    /// The economic effectuations (*økonomiske effektueringer*).
    pub effectuations: Vec<Effectuation>,
    /// The instant that "inside the window" and "outside" are relative to.
    pub now: Timestamp,
}

/// An invented person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Ten digits of the form of a CPR number, its day 61–91, which no living person has.
    pub cpr: String,
    /// An invented name.
    pub name: String,
}

/// Where a registration stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // named as on the wire
pub enum LifeCycle {
    Opstaaet,
    Importeret,
    Passiveret,
    Slettet,
}

/// A kind of benefit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Benefit {
    /// The KLE number, `dd.dd.dd`.
    pub kle: &'static str,
    pub class: Uuid,
    pub name: &'static str,
}

/// A decision that somebody is to have benefits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Grant {
    pub uuid: Uuid,
    /// When it was registered.
    pub registered: Timestamp,
    pub life_cycle: LifeCycle,
    /// The CPR numbers of the grantees (*Bevillingsmodtager*); honest grants have one, hazards none or two.
    pub grantees: Vec<String>,
    /// The name told of the grantees.
    pub name: String,
    /// How sensitive the case is, as on the wire.
    pub sensitivity: &'static str,
    /// The CVR number of the owner.
    pub owner: String,
    /// The benefits granted, each with an id that effectuations refer to.
    pub benefits: Vec<(String, Benefit)>,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Effectuation {
    pub uuid: Uuid,
    /// Its registrations; mostly one.
    pub registrations: Vec<Registration>,
}

/// One registration of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Registration {
    /// When it was registered.
    pub registered: Timestamp,
    pub life_cycle: LifeCycle,
    /// The properties; mostly one set.
    pub properties: Vec<Properties>,
    /// The benefit lines.
    pub lines: Vec<Line>,
    /// The CVR numbers of the owners (*Ejer*); honest ones have one, hazards none, two, or one without a number.
    pub owners: Vec<Option<String>>,
    /// The CPR numbers of the payees (*Effektueringsmodtager*); mostly one, not always the grantee.
    pub payees: Vec<String>,
}

/// The properties of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    /// The disposition date, where there is one.
    pub disposition: Option<Moment>,
    /// From when the payment covers.
    pub start: Option<Moment>,
    /// Until when the payment covers.
    pub end: Option<Moment>,
    /// The gross sum, where there is one: `-?[0-9]+(\.[0-9]+)?`.
    pub gross: Option<String>,
    /// What was paid out after tax.
    pub paid: Option<String>,
}

/// One benefit of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Line {
    /// The KLE number, where there is one.
    pub kle: Option<String>,
    /// The UUID of the benefit's class.
    pub class: Option<Uuid>,
    pub amount: Option<String>,
    /// From when the benefit is paid.
    pub start: Option<Moment>,
    /// Until when the benefit is paid.
    pub end: Option<Moment>,
    /// The grant and the id of the benefit within it, where it refers to one.
    pub grant: Option<(Uuid, String)>,
}

impl Population {
    /// The population that follows from `seed`: `size` persons (at least the well-known ones), payments from eight
    /// months before `now` until one month after.
    pub fn generate(seed: u64, size: usize, now: Timestamp) -> Self {
        generate::generate(seed, size, now)
    }

    /// The name of a person; empty for a stranger.
    pub fn name_of(&self, cpr: &str) -> &str {
        self.persons.iter().find(|person| person.cpr == cpr).map_or("", |person| &person.name)
    }
}

/// The name of an authority; empty for one that is not known.
pub fn authority_name(cvr: &str) -> &'static str {
    if cvr == UDK {
        return "Udbetaling Danmark";
    }
    MUNICIPALITIES.iter().find(|(known, _)| *known == cvr).map_or("", |(_, name)| name)
}

const fn benefit(kle: &'static str, class: u128, name: &'static str) -> Benefit {
    Benefit { kle, class: Uuid::from_u128(class), name }
}

/// Benefits that Udbetaling Danmark owns.
pub const UDK_BENEFITS: [Benefit; 6] = [
    benefit("32.03.04", 0x70355b26_6028_4e42_9eb1_1a93aa9890b1, "Folkepension"),
    benefit("32.06.04", 0x1a4d0c52_11c1_4b6e_9d57_3f2f0a660401, "Boligydelse"),
    benefit("32.06.08", 0x1a4d0c52_11c1_4b6e_9d57_3f2f0a660802, "Boligsikring"),
    benefit("32.10.04", 0x1a4d0c52_11c1_4b6e_9d57_3f2f0a100403, "Ordinært børnetilskud"),
    benefit("32.12.04", 0x1a4d0c52_11c1_4b6e_9d57_3f2f0a120404, "Børne- og ungeydelse"),
    benefit("32.30.08", 0x1a4d0c52_11c1_4b6e_9d57_3f2f0a300805, "Barselsdagpenge"),
];

/// Benefits that municipalities own.
pub const MUNICIPAL_BENEFITS: [Benefit; 7] = [
    benefit("32.03.12", 0x2b4d0c52_11c1_4b6e_9d57_3f2f0a031201, "Personligt tillæg"),
    benefit("32.03.13", 0x2b4d0c52_11c1_4b6e_9d57_3f2f0a031302, "Helbredstillæg"),
    benefit("32.18.04", 0x2b4d0c52_11c1_4b6e_9d57_3f2f0a180403, "Merudgifter ved forsørgelse af barn"),
    benefit("32.21.08", 0x2b4d0c52_11c1_4b6e_9d57_3f2f0a210804, "Enkeltydelse"),
    benefit("32.24.04", 0x2b4d0c52_11c1_4b6e_9d57_3f2f0a240405, "Hjælp til forsørgelse"),
    benefit("32.24.12", 0x2b4d0c52_11c1_4b6e_9d57_3f2f0a241206, "Ledighedsydelse"),
    benefit("32.30.04", 0x2b4d0c52_11c1_4b6e_9d57_3f2f0a300407, "Sygedagpenge"),
];

/// Early retirement pension: a municipality grants it, Udbetaling Danmark pays it.
pub const SPLIT_BENEFIT: Benefit = benefit("32.03.16", 0x3c4d0c52_11c1_4b6e_9d57_3f2f0a031601, "Førtidspension");
