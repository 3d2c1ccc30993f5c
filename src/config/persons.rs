//! `[persons]`: the key under which persons are known that institutions import.

use std::path::PathBuf;

use super::reader::Reader;

/// The key, as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persons {
    /// The key that pseudonyms and running numbers are made under.
    pub key: PathBuf,
}

pub(super) fn read(section: &mut Reader<'_>) -> Option<Persons> {
    let key = section.file("key")?;
    section.note("key", &key, Vec::new(), true);
    Some(Persons { key })
}
