//! `[persons]`: the key under which persons are known that institutions import.

use std::path::PathBuf;

use crate::config::reader::Reader;

/// The key, as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key that pseudonyms and running numbers are made under.
    pub key: PathBuf,
}

pub(crate) fn read(section: &mut Reader<'_>) -> Option<Key> {
    let key = section.file("key")?;
    section.note("key", &key, Vec::new(), true);
    Some(Key { key })
}
