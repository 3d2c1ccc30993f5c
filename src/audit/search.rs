//! How an auditor finds who saw whom.
//!
//! Searching reads every line for itself and does not stop where the chain is broken, so that a damaged log can still be
//! asked; it says how many lines it could not read. Whether the log is whole is the question of [`super::verify`].

use std::{collections::BTreeMap, io, path::Path};

use uuid::Uuid;

use super::{
    chain::{self, Entry, Event},
    log::{self, Lines},
    record::Record,
};

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// The last record of each call, oldest call first (the ids are in order of time). One without an outcome was
    /// admitted and never closed.
    pub calls: BTreeMap<Uuid, Record>,
    /// Refused calls that named more persons than are sealed, whether they match or not.
    pub crowded: u64,
    /// Lines that could not be read.
    pub unreadable: u64,
}

/// Finds the calls whose record `matches`. A call is judged by each of its records alone.
///
/// # Errors
/// When a file cannot be read.
pub fn search(dir: &Path, matches: impl Fn(&Record) -> bool) -> io::Result<Found> {
    let mut found = Found::default();
    for (_, path) in log::segments(dir)? {
        let mut lines = Lines::open(&path)?;
        while let Some(line) = lines.read()? {
            let entry = chain::split(line).and_then(|(_, entry)| serde_json::from_slice::<Entry>(entry).ok());
            let event = entry.map(|entry| entry.event);
            if matches!(&event, Some(Event::Closed(record)) if record.persons_left_out > 0) {
                found.crowded += 1;
            }
            match event {
                Some(Event::Admitted(record)) if matches(&record) => {
                    found.calls.entry(record.call).or_insert(*record);
                }
                Some(Event::Closed(record)) if matches(&record) => {
                    found.calls.insert(record.call, *record);
                }
                Some(_) => {}
                None => found.unreadable += 1,
            }
        }
    }
    Ok(found)
}
