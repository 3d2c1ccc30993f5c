//! What each rule does: refuse, warn, or nothing, by rule and sending authority.

use std::collections::BTreeMap;

use crate::id::cpr::{Cpr, TestNumbers};
use crate::id::cvr::Cvr;

/// What a rule does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The whole delivery is refused.
    Refuse,
    /// It is passed on, with a warning in the receipt.
    Warn,
    /// It is not looked for.
    Off,
}

impl Mode {
    /// Each by its name in a configuration.
    pub const NAMES: [(&str, Self); 3] = [("refuse", Self::Refuse), ("warn", Self::Warn), ("off", Self::Off)];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

/// The rules that can be set, each with what it does where nothing is said. The ledger's own codes are not among them,
/// and neither are FB006 and FB041: a test outside its time, and a real person among tests, are always refused.
pub const RULES: [(&str, Mode); 15] = [
    ("FB001", Mode::Refuse),
    ("FB002", Mode::Warn),
    ("FB003", Mode::Refuse),
    ("FB004", Mode::Refuse),
    ("FB005", Mode::Refuse),
    ("FB010", Mode::Refuse),
    ("FB011", Mode::Refuse),
    ("FB013", Mode::Refuse),
    ("FB014", Mode::Refuse),
    ("FB015", Mode::Refuse),
    ("FB016", Mode::Warn),
    ("FB020", Mode::Warn),
    ("FB021", Mode::Warn),
    ("FB031", Mode::Refuse),
    ("FB040", Mode::Warn),
];

/// What each rule does for one sender, and who alone may be a party, where it is the environment for tests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Modes(BTreeMap<&'static str, Mode>, Option<TestNumbers>);

impl Modes {
    /// What is said, over what holds where nothing is.
    pub fn new(said: BTreeMap<&'static str, Mode>) -> Self {
        Self(said, None)
    }

    /// What a rule does.
    pub fn of(&self, code: &str) -> Mode {
        let default = RULES.iter().find(|(rule, _)| *rule == code).map_or(Mode::Refuse, |(_, mode)| *mode);
        self.0.get(code).copied().unwrap_or(default)
    }

    /// The same with what `over` says in the place of what is said here.
    #[must_use]
    pub fn with(&self, over: &Self) -> Self {
        Self(self.0.iter().chain(&over.0).map(|(rule, mode)| (*rule, *mode)).collect(), self.1.clone())
    }

    /// Whether a person may be a party here.
    pub fn take(&self, person: &Cpr) -> bool {
        self.1.as_ref().is_none_or(|known| known.has(person))
    }
}

/// What the service's settings say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    general: Modes,
    /// What each says itself.
    own: BTreeMap<Cvr, Modes>,
    /// The same over the general ones.
    authorities: BTreeMap<Cvr, Modes>,
}

impl Rules {
    /// What holds for all, and what for single authorities beside it.
    pub fn new(general: Modes, authorities: BTreeMap<Cvr, Modes>) -> Self {
        let over = authorities.iter().map(|(authority, own)| (*authority, general.with(own))).collect();
        Self { general, own: authorities, authorities: over }
    }

    /// The same in an environment in which only these may be parties.
    #[must_use]
    pub fn of_tests(&self, test_numbers: Option<&TestNumbers>) -> Self {
        let of_tests = |modes: &Modes| Modes(modes.0.clone(), test_numbers.cloned());
        let authorities = self.authorities.iter().map(|(authority, modes)| (*authority, of_tests(modes))).collect();
        Self { general: of_tests(&self.general), own: self.own.clone(), authorities }
    }

    /// Every rule with what it does for all, and whether a setting says so; in the order of the table.
    pub fn general(&self) -> impl Iterator<Item = (&'static str, Mode, bool)> {
        RULES.iter().map(|(rule, _)| (*rule, self.general.of(rule), self.general.0.contains_key(rule)))
    }

    /// What single authorities' settings say.
    pub fn own(&self) -> impl Iterator<Item = (Cvr, &'static str, Mode)> {
        self.own.iter().flat_map(|(authority, own)| own.0.iter().map(|(rule, mode)| (*authority, *rule, *mode)))
    }

    /// What holds for this sender.
    pub fn of(&self, sender: &Cvr) -> &Modes {
        self.authorities.get(sender).unwrap_or(&self.general)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_s_own_settings_stand_over_the_general_ones_and_these_over_the_defaults() {
        let modes = |rule, mode| Modes::new([(rule, mode)].into());
        let (own, other): (Cvr, Cvr) = ("11111111".parse().unwrap(), "99999991".parse().unwrap());
        let rules = Rules::new(modes("FB020", Mode::Refuse), [(own, modes("FB010", Mode::Off))].into());
        let of = |sender| ["FB020", "FB010", "FB021", "FB003"].map(|rule| rules.of(sender).of(rule));
        assert_eq!(of(&own), [Mode::Refuse, Mode::Off, Mode::Warn, Mode::Refuse]);
        assert_eq!(of(&other), [Mode::Refuse, Mode::Refuse, Mode::Warn, Mode::Refuse]);
    }
}
