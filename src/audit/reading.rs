//! Several logs read as one, in the order in which their entries were written, with a few lines in memory.
//!
//! Each line is read for itself, so that a damaged log can still be asked; what was not as it should be is counted. Whether a
//! log is whole and who signed it is the question of [`super::verify`].

use std::collections::BTreeMap;
use std::io;

use uuid::Uuid;

use super::chain::{self, Entry, Hash, Head};
use super::log::Lines;
use super::place::Place;
use super::retire::Retirement;

/// What was not as it should be in one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubts {
    /// Lines that could not be read.
    pub unreadable: u64,
    /// Lines whose hash does not follow from the line before.
    pub broken: u64,
    /// The first segment that is missing, and that no statement explains.
    pub missing: Option<u64>,
    /// The log ends before the entry that its head names, or has no head.
    pub cut_off: bool,
}

impl Doubts {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// One log, in one or several places: its own folder, copies of it, the archive.
struct Reading {
    places: Vec<Box<dyn Place>>,
    name: String,
    /// The segments that are left to read, and which of the places has most of each.
    segments: std::vec::IntoIter<(u64, usize)>,
    lines: Option<Lines>,
    previous: Hash,
    next: Option<Entry>,
    last: u64,
    head: u64,
    doubts: Doubts,
    retired: Option<Retirement>,
}

/// Several logs.
pub struct Readings {
    logs: Vec<Reading>,
    bytes: u64,
    read: u64,
}

/// Puts the places of one log together: those with one name, and those of logs without a name whose first lines are one.
///
/// # Errors
/// A place that cannot be read, or holds no log.
pub fn by_log(places: Vec<Box<dyn Place>>) -> io::Result<Vec<Vec<Box<dyn Place>>>> {
    /// Its name, and its first lines by segment.
    type Beginning = (Option<Uuid>, BTreeMap<u64, Vec<u8>>);
    let mut logs: Vec<(Beginning, Vec<Box<dyn Place>>)> = Vec::new();
    for place in places {
        let name = place.log()?;
        let mut begins = BTreeMap::new();
        if let Some((first, _)) = place.segments()?.first() {
            begins.insert(*first, Lines::of(place.open(*first)?).read()?.unwrap_or_default().to_vec());
        }
        let is_same = |((known, beginnings), _): &&mut (Beginning, _)| match (name, *known) {
            (Some(name), Some(known)) => name == known,
            _ => begins.iter().any(|(number, line)| !line.is_empty() && beginnings.get(number) == Some(line)),
        };
        match logs.iter_mut().find(is_same) {
            Some(((known, beginnings), of)) => {
                *known = known.or(name);
                beginnings.append(&mut begins);
                of.push(place);
            }
            None => logs.push(((name, begins), vec![place])),
        }
    }
    Ok(logs.into_iter().map(|(_, places)| places).collect())
}

impl Readings {
    /// Opens logs, each in all its places: of each segment the longest is read, once.
    ///
    /// # Errors
    /// A place that cannot be read, or holds no log.
    pub fn open(logs: Vec<Vec<Box<dyn Place>>>) -> io::Result<Self> {
        let mut readings = Self { logs: Vec::new(), bytes: 0, read: 0 };
        for places in logs {
            let mut reading = Reading {
                name: places.iter().map(|place| place.file("").display().to_string()).collect::<Vec<_>>().join(" + "),
                places,
                segments: Vec::new().into_iter(),
                lines: None,
                previous: Head::GENESIS.hash,
                next: None,
                last: 0,
                head: 0,
                doubts: Doubts::default(),
                retired: None,
            };
            readings.bytes += reading.begin().map_err(|error| reading.at(&error))?;
            readings.read += reading.advance().map_err(|error| reading.at(&error))?;
            readings.logs.push(reading);
        }
        Ok(readings)
    }

    /// How the logs are named to people, in the order in which they were given.
    pub fn names(&self) -> Vec<String> {
        self.logs.iter().map(|log| log.name.clone()).collect()
    }

    /// The next entry of all, with the place of its log among those given.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn next_entry(&mut self) -> io::Result<Option<(usize, Entry)>> {
        let waiting = self.logs.iter().enumerate().filter_map(|(at, log)| Some((log.next.as_ref()?.at, at)));
        let Some((_, at)) = waiting.min() else { return Ok(None) };
        let Some(log) = self.logs.get_mut(at) else { return Ok(None) };
        let entry = log.next.take();
        self.read += log.advance().map_err(|error| log.at(&error))?;
        Ok(entry.map(|entry| (at, entry)))
    }

    /// How many bytes were read, and how many there were when the logs were opened.
    pub fn progress(&self) -> (u64, u64) {
        (self.read.min(self.bytes), self.bytes)
    }

    /// What was not as it should be so far, by log.
    pub fn doubts(&self) -> impl Iterator<Item = (&str, Doubts)> {
        self.logs.iter().map(|log| (log.name.as_str(), log.doubts))
    }

    /// Whose first entries were retired.
    pub fn retired(&self) -> impl Iterator<Item = (&str, &Retirement)> {
        self.logs.iter().filter_map(|log| Some((log.name.as_str(), log.retired.as_ref()?)))
    }
}

impl Reading {
    fn at(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.name))
    }

    /// Finds what there is to read; how many bytes that is.
    fn begin(&mut self) -> io::Result<u64> {
        let mut longest = BTreeMap::<u64, (u64, usize)>::new();
        let mut gone: Option<Option<Retirement>> = None;
        for (at, place) in self.places.iter().enumerate() {
            // The head before the segments: a log that is being written grows past it.
            if place.is_written_here() {
                self.head = self.head.max(place.head()?.map_or(u64::MAX, |head| head.covers));
            }
            for (number, length) in place.segments()? {
                let known = longest.entry(number).or_insert((length, at));
                if known.0 < length {
                    *known = (length, at);
                }
            }
            // What one place has retired another may still have.
            let retired = place.retired()?.pop();
            let until = |retired: &Option<Retirement>| retired.as_ref().map_or(0, |retired| retired.to);
            if gone.as_ref().is_none_or(|gone| until(&retired) < until(gone)) {
                gone = Some(retired);
            }
        }
        self.retired = gone.flatten();
        let retired = self.retired.as_ref().map_or(0, |retired| retired.to);
        longest.retain(|number, _| *number > retired);
        if longest.is_empty() && self.retired.is_none() {
            return Err(io::Error::other("there is no audit log"));
        }
        let due = (retired.saturating_add(1)..).zip(longest.keys()).find(|(due, number)| due != *number);
        self.doubts.missing = due.map(|(due, _)| due);
        let before = self.retired.as_ref().and_then(Retirement::head).unwrap_or(Head::GENESIS);
        (self.previous, self.last) = (before.hash, before.sequence);
        let bytes = longest.values().map(|(length, _)| length).sum();
        self.segments = longest.into_iter().map(|(number, (_, at))| (number, at)).collect::<Vec<_>>().into_iter();
        Ok(bytes)
    }

    /// Reads up to the next entry; how many bytes that was.
    fn advance(&mut self) -> io::Result<u64> {
        let mut read = 0;
        loop {
            let Some(lines) = &mut self.lines else {
                let Some((number, at)) = self.segments.next() else {
                    self.doubts.cut_off = self.head > 0 && self.last <= self.head;
                    return Ok(read);
                };
                let Some(place) = self.places.get(at) else { continue };
                self.lines = Some(Lines::of(place.open(number)?));
                continue;
            };
            let Some(line) = lines.read()? else {
                self.lines = None;
                continue;
            };
            read += line.len() as u64;
            // The end of a line that is being written.
            if !line.ends_with(b"\n") && self.segments.len() == 0 && self.places.iter().any(|place| place.is_being_written()) {
                continue;
            }
            let Some((hash, entry)) = chain::split(line) else {
                self.doubts.unreadable += 1;
                continue;
            };
            if chain::link(&self.previous, entry) != hash {
                self.doubts.broken += 1;
            }
            self.previous = hash;
            match serde_json::from_slice::<Entry>(entry) {
                Ok(entry) => {
                    self.last = entry.seq;
                    self.next = Some(entry);
                    return Ok(read);
                }
                Err(_) => self.doubts.unreadable += 1,
            }
        }
    }
}
