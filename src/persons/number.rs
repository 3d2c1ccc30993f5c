//! Running numbers: what stands for a person in the place of the CPR number.
//!
//! Two keys are derived of one file of 32 random bytes (`[persons] key`, made by `hjemmel objects key FILE`). Under the one a CPR number
//! becomes a **pseudonym** (HMAC-SHA256 over authority, institution and number), by which a person is found again: whoever has the
//! store and not the key cannot try numbers. Under the other a counter becomes a **running number**, by a permutation (a Feistel
//! network) of numbers below 2⁵⁰: no two are alike, and none tells when it was given or after which.
//!
//! The counter never falls behind the clock: of a store that was put back from an old copy no number is given a second time.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::id::cpr::Cpr;

/// Bits of a running number: a number of JSON and of a spreadsheet holds it exactly.
const BITS: u32 = 50;
const HALF: u32 = BITS / 2;
const HALF_MASK: u64 = (1 << HALF) - 1;
/// Rounds of the network; four make it a permutation that nobody tells from a random one.
const ROUNDS: u8 = 6;
/// Counters a second that the clock leaves room for: more than can be written.
const A_SECOND: u32 = 18;
/// 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600;

/// What stands for one CPR number in one institution. Equal for equal persons; not shown anywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pseudonym([u8; 32]);

impl Pseudonym {
    /// As the store keeps it.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(..)")
    }
}

/// The installation's keys of persons.
pub struct PersonKeys {
    pseudonym: hmac::Key,
    number: hmac::Key,
    id: String,
}

impl fmt::Debug for PersonKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonKeys({})", self.id)
    }
}

/// Why a key file cannot be used. Holds nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It could not be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{} is not 32 bytes in hexadecimal; name the file that `hjemmel objects key FILE` made", .0.display())]
    Content(PathBuf),
}

impl PersonKeys {
    /// Reads the file.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let mut text = Zeroizing::new(String::new());
        std::fs::File::open(path)
            .and_then(|file| file.take(1024).read_to_string(&mut text))
            .map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        let bytes = crate::hex::decode::<32>(text.trim()).map(Zeroizing::new);
        bytes.map(|bytes| Self::new(&bytes)).ok_or_else(|| KeyError::Content(path.to_owned()))
    }

    /// Takes 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derived = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, label).as_ref());
        let id = hmac::sign(&root, b"hjemmel persons id v1");
        Self {
            pseudonym: derived(b"hjemmel persons pseudonym v1"),
            number: derived(b"hjemmel persons number v1"),
            id: crate::hex::encode(id.as_ref().get(..8).unwrap_or_default()),
        }
    }

    /// By which the store knows the key again.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What stands for a person in an institution (`CVR/InstitutionsID1`).
    pub(super) fn pseudonym(&self, home: &str, cpr: &Cpr) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.pseudonym);
        context.update(home.as_bytes());
        context.update(b"\0");
        context.update(cpr.expose().as_bytes());
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        Pseudonym(bytes)
    }

    /// The running number of a counter. Zero is none.
    pub(super) fn number(&self, counter: u64) -> i64 {
        let (mut left, mut right) = (counter >> HALF & HALF_MASK, counter & HALF_MASK);
        for round in 0..ROUNDS {
            let mut input = [0; 9];
            input.iter_mut().zip(right.to_be_bytes().into_iter().chain([round])).for_each(|(to, from)| *to = from);
            let tag = hmac::sign(&self.number, &input);
            let mixed = tag.as_ref().iter().take(4).fold(0, |number, byte| number << 8 | u64::from(*byte));
            (left, right) = (right, (left ^ mixed) & HALF_MASK);
        }
        i64::try_from(left << HALF | right).unwrap_or(i64::MAX)
    }
}

/// Below this no counter is given at an instant.
pub(super) fn floor(at: Timestamp) -> i64 {
    (at.as_second() - EPOCH).max(1) << A_SECOND
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn keys(byte: u8) -> PersonKeys {
        PersonKeys::new(&[byte; 32])
    }

    #[test]
    fn no_two_counters_give_one_number_and_their_order_says_nothing_of_its() {
        let keys = keys(1);
        let from = u64::try_from(floor("2026-11-29T12:00:00Z".parse().unwrap())).unwrap();
        let numbers: Vec<i64> = (from..from + 20_000).map(|counter| keys.number(counter)).collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
        assert!(numbers.iter().all(|number| (0..1 << 50).contains(number)));
        // Of a random order half of the steps go up, and each bit is set in half of the numbers.
        let rises = numbers.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((9_500..10_500).contains(&rises), "{rises}");
        for bit in 0..50 {
            let set = numbers.iter().filter(|number| *number >> bit & 1 == 1).count();
            assert!((9_500..10_500).contains(&set), "bit {bit}: {set}");
        }
        assert_ne!(keys.number(from), super::tests::keys(2).number(from));
    }

    #[test]
    fn a_person_is_another_in_another_institution_and_under_another_key_and_is_never_shown() {
        let cpr = Cpr::parse("6101801234").unwrap();
        let own = keys(1).pseudonym("11111111/A", &cpr);
        assert_eq!(own, keys(1).pseudonym("11111111/A", &cpr));
        assert_ne!(own, keys(1).pseudonym("11111111/B", &cpr));
        assert_ne!(own, keys(1).pseudonym("22222222/A", &cpr));
        assert_ne!(own, keys(2).pseudonym("11111111/A", &cpr));
        assert_eq!((format!("{own:?}"), Pseudonym::from_bytes(own.as_bytes())), ("Pseudonym(..)".to_owned(), Some(own)));
    }

    #[test]
    fn a_later_instant_has_a_higher_floor_with_room_for_all_that_can_be_given_between() {
        let at = |text: &str| floor(text.parse().unwrap());
        assert_eq!(at("2026-01-01T00:00:11Z") - at("2026-01-01T00:00:10Z"), 262_144);
        assert!(at("1999-01-01T00:00:00Z") > 0 && at("2161-01-01T00:00:00Z") < 1 << 50);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("persons.key");
        std::fs::write(&path, "secret, but too short").unwrap();
        let told = PersonKeys::read(&path).unwrap_err().to_string();
        assert!(told.contains("persons.key") && !told.contains("secret"), "{told}");
        std::fs::write(&path, format!("{}\n", "01".repeat(32))).unwrap();
        assert_eq!(PersonKeys::read(&path).unwrap().id(), keys(1).id());
    }
}
