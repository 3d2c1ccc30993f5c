//! `[deliveries]`: the keys under which receipts of deliveries are kept in the store.

use std::path::PathBuf;

use super::reader::Reader;

/// The keys, as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliveries {
    /// The key that receipts are encrypted under.
    pub key: PathBuf,
    /// Earlier ones, which only open.
    pub earlier_keys: Vec<PathBuf>,
}

pub(super) fn read(section: &mut Reader<'_>) -> Option<Deliveries> {
    let key = section.file("key");
    let earlier_keys = section.files("earlier_keys");
    let (key, earlier_keys) = (key?, earlier_keys?);
    section.note("key", &key, Vec::new(), true);
    earlier_keys.iter().for_each(|key| section.note("earlier_keys", key, Vec::new(), true));
    Some(Deliveries { key, earlier_keys })
}
