//! `hjemmel audit verify`: the proof that one log, or those of all nodes, are whole, wherever they lie.

use std::collections::BTreeSet;
use std::io::{self, Write};

use uuid::Uuid;

use super::{AuditError, print_retirement};
use crate::agreements::Store;
use crate::audit::anchors::{self, Anchored, Known, Latest};
use crate::audit::chain::{Checkpoint, CheckpointPublicKey, Occasion};
use crate::audit::place::Place;
use crate::audit::reading::by_log;
use crate::audit::verify::{Anchor, Failure, Verified, verify_at};
use crate::store::{Access, Settings};

/// What the logs are held against.
pub struct Against<'a> {
    /// The keys that signed them.
    pub keys: &'a [CheckpointPublicKey],
    /// Anchors of one log, kept elsewhere.
    pub given: &'a [Anchor],
    /// What the store knows, where it was asked.
    pub known: Option<Known>,
}

/// What the store knows of logs.
///
/// # Errors
/// [`AuditError::Store`].
pub async fn known(settings: &Settings) -> Result<Known, AuditError> {
    let store = Store::open_to(Access::Look, settings).await?;
    let known = Known::of(store.database()).await?;
    store.close().await;
    Ok(known)
}

/// A log at one of its places, and what was found there.
struct Found {
    place: Box<dyn Place>,
    name: Option<Uuid>,
    /// An earlier copy of a log that is given further on: nobody expects it to have what came later.
    earlier: bool,
    verified: Verified,
}

impl Found {
    /// The number of the last segment that is or was here.
    fn last(&self) -> u64 {
        let retired = self.verified.retired.last().map_or(0, |retired| retired.to);
        self.verified.ends.last().map_or(retired, |end| end.number)
    }
}

/// Proves every log whole: by itself, by what the store has of it, and by what the other logs say of it.
///
/// # Errors
/// [`AuditError::NotWhole`] of one log; [`AuditError::NotAllWhole`] of several, each told.
pub fn prove(places: Vec<Box<dyn Place>>, against: &Against<'_>, out: &mut impl Write) -> Result<(), AuditError> {
    let (known, asked) = (against.known.clone().unwrap_or_default(), against.known.is_some());
    let alone = places.len() == 1 && places.iter().all(|place| place.is_written_here());
    let expected = !alone || !known.nodes.is_empty();
    let (mut wrong, mut notes, mut logs) = (Vec::new(), Vec::new(), Vec::<Vec<Found>>::new());
    let mut names = BTreeSet::new();
    for places in by_log(places)? {
        let (mut found, mut furthest) = (Vec::new(), 0);
        for place in &places {
            furthest = furthest.max(covers(place.as_ref()));
        }
        for place in places {
            let (name, earlier) = (place.log()?, place.is_written_here() && covers(place.as_ref()) < furthest);
            names.extend(name);
            let stored = [&known.nodes, &known.questions].map(|latest| of(latest, name, earlier, place.as_ref())).concat();
            let held: Vec<_> = against.given.iter().copied().chain(stored).collect();
            match verify_at(place.as_ref(), against.keys, &held) {
                Ok(verified) => found.push(Found { place, name, earlier, verified }),
                Err(failure) if alone && known.nodes.is_empty() => return Err(failure.into()),
                Err(failure) => wrong.push(failure.to_string()),
            }
        }
        logs.push(found);
    }
    let every = || logs.iter().flatten();
    // What each log says of the others is known only now. What it says of itself would prove nothing.
    let (mut told, mut questions) = (Latest::new(), BTreeSet::new());
    questions.extend(known.questions.keys().copied());
    for Found { name, verified, .. } in every() {
        questions.extend(&verified.of_questions);
        for (log, checkpoints) in verified.anchored.iter().filter(|(log, _)| Some(**log) != *name) {
            let anchored = |checkpoint: &Checkpoint| Anchored { log: *log, checkpoint: checkpoint.clone(), questions: false };
            checkpoints.values().for_each(|checkpoint| anchors::take(&mut told, anchored(checkpoint)));
        }
    }
    for Found { place, name, earlier, .. } in every() {
        let held = of(&told, *name, *earlier, place.as_ref());
        if !held.is_empty()
            && let Err(failure) = verify_at(place.as_ref(), against.keys, &held)
        {
            wrong.push(format!("{failure}; another node's log says so"));
        }
    }
    for found in logs.iter().filter(|found| found.len() > 1) {
        wrong.extend(differ(found, against.keys).iter().map(|failure| format!("{failure}; another copy of the log says so")));
    }
    let mut every_anchor = told.clone();
    for (log, checkpoints) in &known.nodes {
        for checkpoint in checkpoints.values() {
            anchors::take(&mut every_anchor, Anchored { log: *log, checkpoint: checkpoint.clone(), questions: false });
        }
    }
    for found in &logs {
        let Some(name) = found.iter().find_map(|found| found.name) else { continue };
        archived(&name, found, &known, asked, every_anchor.get(&name), &mut wrong, &mut notes);
    }
    for (by, latest) in [("the store", &known.nodes), ("another node's log", &told)] {
        // Of one log alone, without the store, nobody expects the others.
        for (log, checkpoints) in latest.iter().filter(|(log, _)| expected && !names.contains(*log) && !questions.contains(*log))
        {
            let Some(last) = checkpoints.values().next_back() else { continue };
            let had = format!("which had entry {} in segment {} at {}", last.covers, last.segment, last.at);
            let archive_alone = every().all(|found| !found.place.is_written_here());
            let never_ended = last.segment == 1 && last.occasion != Occasion::SegmentEnd;
            match archive_alone && never_ended && !known.archived.contains_key(log) {
                true => notes.push(format!("The log {log}, {had}, has nothing in the archive yet: {by} tells of it.")),
                false => wrong.push(format!("none of the folders is the log {log}, {had}: {by} tells of it")),
            }
        }
    }
    for log in questions.iter().filter(|log| !names.contains(*log)) {
        notes.push(format!("The log {log} of auditors' questions was not given; name its folder to have it proven too."));
    }
    let many = every().count() > 1;
    for Found { place, name, earlier, verified } in every() {
        if many {
            writeln!(out, "{}{}", place.file("").display(), name.map_or_else(String::new, |name| format!(" (log {name})")))?;
        }
        print(verified, out)?;
        let held = [&known.nodes, &told].map(|latest| of(latest, *name, *earlier, place.as_ref()).len()).iter().sum::<usize>();
        if held > 0 {
            writeln!(out, "{held} anchors of the store and of other nodes' logs hold.")?;
        }
    }
    notes.dedup();
    notes.iter().try_for_each(|note| writeln!(out, "{note}"))?;
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.dedup();
    Err(AuditError::NotAllWhole(wrong))
}

/// How far a log has come where it is written, by its head; 0 elsewhere.
fn covers(place: &dyn Place) -> u64 {
    // One that cannot be read is told by the proof.
    place.head().ok().flatten().map_or(0, |head| head.covers)
}

/// The anchors of a log that a place can be held against: all, where it is written there, and those of segments that it has, where not.
fn of(latest: &Latest, name: Option<Uuid>, earlier: bool, place: &dyn Place) -> Vec<Anchor> {
    let Some(name) = name else { return Vec::new() };
    if place.is_written_here() {
        let mut held = anchors::of_log(latest, name);
        let here = covers(place);
        held.retain(|anchor| !earlier || anchor.sequence <= here);
        return held;
    }
    let last = place.segments().ok().and_then(|segments| segments.last().map(|(number, _)| *number)).unwrap_or(0);
    let mut latest = latest.get(&name).cloned().unwrap_or_default();
    latest.retain(|segment, _| *segment <= last);
    anchors::of_log(&Latest::from([(name, latest)]), name)
}

/// Where two places of one log do not hold the same: each is held against where the other ends.
fn differ(found: &[Found], keys: &[CheckpointPublicKey]) -> Vec<Failure> {
    let Some(longest) = found.iter().max_by_key(|found| found.verified.sequence) else { return Vec::new() };
    let ends = found.iter().filter_map(|found| {
        let hash = crate::hex::decode(&found.verified.hash)?;
        Some(Anchor { sequence: found.verified.sequence, hash })
    });
    let ends: Vec<_> = ends.collect();
    verify_at(longest.place.as_ref(), keys, &ends).err().map(|failure| *failure).into_iter().collect()
}

/// What the archive should have of a log and has not, or has otherwise.
fn archived(
    name: &Uuid,
    found: &[Found],
    known: &Known,
    asked: bool,
    anchored: Option<&std::collections::BTreeMap<u64, Checkpoint>>,
    wrong: &mut Vec<String>,
    notes: &mut Vec<String>,
) {
    let marked = known.archived.get(name);
    for (digests, place) in found.iter().filter_map(|found| Some((found.place.digests()?, &found.place))) {
        for (segment, sha256) in marked.into_iter().flatten() {
            if digests.get(segment).is_some_and(|other| other != sha256) {
                let file = place.file(&format!("segment {segment}"));
                wrong.push(format!("{}: it is another than the one that was archived, as the store tells", file.display()));
            }
        }
    }
    let Some(archive) = found.iter().find(|found| !found.place.is_written_here()) else { return };
    let (has, at) = (archive.last(), archive.place.file("").display().to_string());
    // A node's statement that its disk was freed is rightly signed too, and whoever may write the archive could put it there.
    for retired in archive.verified.retired.iter().filter(|retired| retired.archive.is_none()) {
        if marked.is_some_and(|marked| marked.keys().any(|segment| retired.covers(*segment))) {
            let (from, to) = (retired.from, retired.to);
            wrong.push(format!(
                "{at}: the statement that segments {from} to {to} were retired is of the node's disk, and explains nothing here; some of \
                 them were archived, as the store tells"
            ));
        }
    }
    let last_marked = marked.and_then(|marked| marked.keys().next_back()).copied().unwrap_or(0);
    if last_marked > has {
        wrong.push(format!("{at}: segments {} to {last_marked} were archived, as the store tells, and are gone", has + 1));
    }
    // What stands on the node's own disk is proven there.
    if found.iter().any(|found| found.place.is_written_here()) {
        return;
    }
    let Some(last) = anchored.and_then(|anchored| anchored.values().next_back()) else { return };
    let ended = if last.occasion == Occasion::SegmentEnd { last.segment } else { last.segment.saturating_sub(1) };
    let from = has.max(last_marked) + 1;
    if ended >= from && !asked {
        wrong.push(format!(
            "{at}: segments {from} to {ended} had ended at {}, as another node's log tells, and are not here: the end was cut off, or \
             its node has not shipped them yet; name the node's folder too, or the store by --config",
            last.at
        ));
    } else if ended >= from {
        notes.push(format!("{at}: segments {from} to {ended} had ended at {} and wait for the archive on their node.", last.at));
    }
    if last.segment > ended.max(has) {
        let Checkpoint { covers, segment, at: when, .. } = last;
        notes.push(format!("{at}: the log had come to entry {covers} in segment {segment} at {when}; that one is on its node."));
    }
}

fn print(verified: &Verified, out: &mut impl Write) -> io::Result<()> {
    for retired in &verified.retired {
        print_retirement("were retired", retired, out)?;
    }
    let (entries, segments, first) = (verified.entries, verified.segments, verified.sequence - verified.entries + 1);
    let from = if first > 1 { format!(" from entry {first} on") } else { String::new() };
    let (admitted, closed) = (verified.admitted, verified.closed);
    writeln!(
        out,
        "The log is whole{from}: {entries} entries in {segments} segments; {closed} calls ended, {admitted} were admitted to be \
         forwarded (the others were refused before)."
    )?;
    if verified.leftover > 0 {
        let left = verified.leftover;
        writeln!(out, "{left} segments that were retired are still there; run `hjemmel audit retire` again.")?;
    }
    if verified.anchors_retired > 0 {
        writeln!(out, "{} anchors are of entries that were retired; they prove nothing more.", verified.anchors_retired)?;
    }
    writeln!(out, "{} checkpoints, all signed; {} entries since the last one.", verified.checkpoints, verified.unsigned)?;
    if verified.decided > 0 {
        writeln!(out, "{} decisions on agreements, routes and users.", verified.decided)?;
    }
    if verified.asked > 0 {
        writeln!(out, "{} questions of auditors.", verified.asked)?;
    }
    if verified.unclosed > 0 {
        writeln!(out, "{} calls were admitted and never closed: in flight, or cut off by a crash.", verified.unclosed)?;
    }
    if verified.torn > 0 {
        writeln!(out, "{} torn ends were kept aside after a crash.", verified.torn)?;
    }
    writeln!(out, "Anchor to keep elsewhere: {}:{}", verified.sequence, verified.hash)
}
