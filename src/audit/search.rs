//! How an auditor finds who saw whom.
//!
//! Searching reads every line for itself and does not stop where the chain is broken, so that a damaged log can still be
//! asked; it says how many lines it could not read. Whether the log is whole is the question of [`super::verify`].

use std::{collections::BTreeMap, io, path::Path};

use jiff::Timestamp;
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

/// A call as its records tell it.
#[derive(Debug)]
pub struct Followed {
    /// When the record of admission was written: from then on it may have been forwarded.
    pub admitted: Option<Timestamp>,
    /// When the closing record was written.
    pub closed: Option<Timestamp>,
    /// The last record.
    pub record: Record,
}

/// Finds the calls whose record `matches`. A call is judged by each of its records alone.
///
/// # Errors
/// When a file cannot be read.
pub fn search(dir: &Path, matches: impl Fn(&Record) -> bool) -> io::Result<Found> {
    let mut found = Found::default();
    each(dir, |entry| match entry.map(|entry| entry.event) {
        Some(Event::Closed(record)) => {
            found.crowded += u64::from(record.persons_left_out > 0);
            if matches(&record) {
                found.calls.insert(record.call, *record);
            }
        }
        Some(Event::Admitted(record)) if matches(&record) => {
            found.calls.entry(record.call).or_insert(*record);
        }
        Some(_) => {}
        None => found.unreadable += 1,
    })?;
    Ok(found)
}

/// The newest calls that match, and how far back was read.
#[derive(Debug, Default)]
pub struct Newest {
    /// The calls, newest first.
    pub calls: Vec<Followed>,
    /// The time of the oldest entry that was read; `None` where the whole log was.
    pub read_back_to: Option<Timestamp>,
    /// Lines that could not be read.
    pub unreadable: u64,
}

/// Finds the newest calls whose record `matches`, the newest segment first, until there are `most` of them or `bytes` were read: what
/// a page asks must not read a year.
///
/// # Errors
/// As [`search`].
pub fn newest(dir: &Path, most: usize, bytes: u64, matches: impl Fn(&Record) -> bool) -> io::Result<Newest> {
    let (mut found, mut left, mut whole) = (Newest::default(), bytes, true);
    let mut calls = BTreeMap::<Uuid, Followed>::new();
    for (_, path) in log::segments(dir)?.into_iter().rev() {
        if calls.len() >= most || left == 0 {
            whole = false;
            break;
        }
        left = left.saturating_sub(std::fs::metadata(&path)?.len());
        let (mut lines, mut oldest) = (Lines::open(&path)?, None);
        while let Some(line) = lines.read()? {
            let Some(entry) = chain::split(line).and_then(|(_, entry)| serde_json::from_slice::<Entry>(entry).ok()) else {
                found.unreadable += 1;
                continue;
            };
            oldest = oldest.or(Some(entry.at));
            let (record, closed) = match entry.event {
                Event::Admitted(record) => (*record, false),
                Event::Closed(record) => (*record, true),
                _ => continue,
            };
            if !matches(&record) {
                continue;
            }
            let known =
                calls.entry(record.call).or_insert_with(|| Followed { admitted: None, closed: None, record: record.clone() });
            // A call that was admitted in one segment and closed in the next is met closed first.
            match closed {
                true => (known.closed, known.record) = (Some(entry.at), record),
                false => known.admitted = Some(entry.at),
            }
            // The ids are in the order of time.
            if calls.len() > most {
                calls.pop_first();
            }
        }
        found.read_back_to = oldest.or(found.read_back_to);
    }
    if whole {
        found.read_back_to = None;
    }
    found.calls = calls.into_values().rev().collect();
    Ok(found)
}

/// The same with the times at which their records were written, and how many lines could not be read.
///
/// # Errors
/// As [`search`].
pub fn follow(dir: &Path, matches: impl Fn(&Record) -> bool) -> io::Result<(Vec<Followed>, u64)> {
    let (mut calls, mut unreadable) = (BTreeMap::<Uuid, Followed>::new(), 0);
    each(dir, |entry| match entry.map(|entry| (entry.at, entry.event)) {
        Some((at, Event::Admitted(record))) if matches(&record) => {
            calls.insert(record.call, Followed { admitted: Some(at), closed: None, record: *record });
        }
        Some((at, Event::Closed(record))) if matches(&record) => {
            let admitted = calls.get(&record.call).and_then(|call| call.admitted);
            calls.insert(record.call, Followed { admitted, closed: Some(at), record: *record });
        }
        Some(_) => {}
        None => unreadable += 1,
    })?;
    Ok((calls.into_values().collect(), unreadable))
}

/// Each entry of a log in turn; `None` where a line cannot be read.
fn each(dir: &Path, mut take: impl FnMut(Option<Entry>)) -> io::Result<()> {
    for (_, path) in log::segments(dir)? {
        let mut lines = Lines::open(&path)?;
        while let Some(line) = lines.read()? {
            take(chain::split(line).and_then(|(_, entry)| serde_json::from_slice::<Entry>(entry).ok()));
        }
    }
    Ok(())
}
