//! The well-known persons: each with a situation that stays the same under every seed, for demonstrations and tests.
//!
//! Seen at the default window, the current month and the three before it. None of them is a payee or a grantee in the
//! generated rest of the population.

use super::generate::payment;
use super::{Benefit, Effectuation, Grant, KORSBAEK, LifeCycle, MUNICIPAL_BENEFITS, Person, Population, UDK, UDK_BENEFITS};
use crate::stub::moment::moved;
use crate::stub::random::Random;

/// Benefits that UDK owns, a payment a month: ten, of which four lie inside the window before the month ends (this month
/// and the three before it), one a month after it and five before it.
pub const UDK_ONLY: &str = "6101801234";
/// Benefits that municipalities own: sickness benefit from Korsbæk, single payments from Andeby.
pub const MUNICIPAL_ONLY: &str = "6202751235";
/// Nothing at all.
pub const NOTHING: &str = "6303701236";
/// A pension of which one payment, inside the window, refers to no grant: it cannot be proven whose it is, and a call
/// for the benefits of UDK ends in the fault `PersonUnproven`.
pub const UNPROVEN: &str = "6404651237";
/// Third persons: her housing benefit is paid to somebody else, and she receives the child benefit of somebody else.
pub const THIRD_PERSON: &str = "6505601238";
/// Benefits of UDK and of Korsbæk side by side, among them one that is a VIP case.
pub const BOTH: &str = "6606551239";
/// The third person in [`THIRD_PERSON`]'s situation: receives her housing benefit, and has the child benefit she receives.
pub const THE_OTHER: &str = "6707501230";

/// All of them, in the order in which they stand in the population.
pub const ALL: [(&str, &str); 7] = [
    (UDK_ONLY, "Anna Eksempel"),
    (MUNICIPAL_ONLY, "Bo Eksempel"),
    (NOTHING, "Carla Eksempel"),
    (UNPROVEN, "Dan Eksempel"),
    (THIRD_PERSON, "Eva Eksempel"),
    (BOTH, "Finn Eksempel"),
    (THE_OTHER, "Grete Eksempel"),
];

/// The same persons with their situations in a line each, for people to read.
pub const SITUATIONS: [(&str, &str); 7] = [
    (UDK_ONLY, "benefits of UDK, four payments inside the window and six outside"),
    (MUNICIPAL_ONLY, "benefits of Korsbæk and of Andeby"),
    (NOTHING, "no benefits"),
    (UNPROVEN, "a payment that refers to no grant: ends in PersonUnproven"),
    (THIRD_PERSON, "her benefit is paid to another, and she is paid another's"),
    (BOTH, "benefits of UDK (one a VIP case) and of Korsbæk"),
    (THE_OTHER, "the third person of 6505601238"),
];

pub(super) fn add(population: &mut Population, random: &mut Random) {
    for (cpr, name) in ALL {
        population.persons.push(Person { cpr: cpr.to_owned(), name: name.to_owned() });
    }
    let [pension, housing, _, _, child, _] = UDK_BENEFITS;
    let [_, _, _, single, support, _, sickness] = MUNICIPAL_BENEFITS;

    let mut scene = Scene { population, random };
    scene.pay(UDK_ONLY, UDK, &[pension, housing], UDK_ONLY);
    scene.pay(MUNICIPAL_ONLY, KORSBAEK, &[sickness], MUNICIPAL_ONLY);
    scene.pay(MUNICIPAL_ONLY, "99999981", &[single], MUNICIPAL_ONLY);
    if let Some(current) = scene.pay(UNPROVEN, UDK, &[pension], UNPROVEN) {
        for registration in &mut current.registrations {
            registration.lines.iter_mut().for_each(|line| line.grant = None);
        }
    }
    scene.pay(THIRD_PERSON, UDK, &[housing], THE_OTHER);
    scene.pay(THE_OTHER, UDK, &[child], THIRD_PERSON);
    scene.pay(BOTH, UDK, &[pension], BOTH);
    scene.pay(BOTH, KORSBAEK, &[support], BOTH);
    scene.pay(BOTH, UDK, &[housing], BOTH);
    if let Some(vip) = scene.population.grants.last_mut() {
        vip.sensitivity = "VIP_SAGER";
    }
}

struct Scene<'a> {
    population: &'a mut Population,
    random: &'a mut Random,
}

impl Scene<'_> {
    /// A grant and a payment a month; answers the payment of the current month.
    fn pay(&mut self, grantee: &str, owner: &str, benefits: &[Benefit], payee: &str) -> Option<&mut Effectuation> {
        let grant = Grant {
            uuid: self.random.uuid(),
            registered: moved(self.population.now, -365),
            life_cycle: LifeCycle::Opstaaet,
            grantees: vec![grantee.to_owned()],
            name: self.population.name_of(grantee).to_owned(),
            sensitivity: "FORTROLIGE_PERSONOPLYSNINGER",
            owner: owner.to_owned(),
            benefits: benefits.iter().enumerate().map(|(n, benefit)| (format!("Y{}", n + 1), *benefit)).collect(),
        };
        let mut current = None;
        for month in -8..=1 {
            let effectuation = payment(self.random, self.population.now, month, &grant, owner, payee);
            if month == 0 {
                current = Some(self.population.effectuations.len());
            }
            self.population.effectuations.push(effectuation);
        }
        self.population.grants.push(grant);
        self.population.effectuations.get_mut(current?)
    }
}
